//! Where sessions live on a server: what the Durable Objects are in a worker.
//!
//! **What always holds:** the rules of an account are [`crate::rules::account::object::step`]; a store runs one command
//! of an object at a time, and writes all that it changes before the reply goes out.

use crate::{
    host::Unavailable,
    rules::{
        account::{Command, Lifetimes, Reply, Rows, object},
        ids::ObjectName,
        revocation::{Delta, RevocationLog},
        time::Timestamp,
    },
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

/// A store of accounts and revocations.
pub trait AccountStore: Clone + Send + Sync + 'static {
    /// Does a command in the object of this name, once for each `id`, and gives the reply when the change is stored and
    /// every revocation in [`object::Step::announcements`] is in the log.
    ///
    /// # Errors
    /// If the change may not be stored.
    fn account(
        &self,
        object: &ObjectName,
        id: &str,
        command: Command,
        lifetimes: &Lifetimes,
        now: Timestamp,
    ) -> impl Future<Output = Result<Reply, Unavailable>> + Send;

    /// What was revoked after this [`Delta::number`]: [`RevocationLog::since`].
    ///
    /// # Errors
    /// If the log can't be read.
    fn revocations(&self, since: u64, now: Timestamp) -> impl Future<Output = Result<Delta, Unavailable>> + Send;
}

/// For a gate without sessions, which never asks.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoAccounts;

impl AccountStore for NoAccounts {
    async fn account(
        &self,
        _: &ObjectName,
        _: &str,
        _: Command,
        _: &Lifetimes,
        _: Timestamp,
    ) -> Result<Reply, Unavailable> {
        Err(Unavailable)
    }

    async fn revocations(&self, _: u64, _: Timestamp) -> Result<Delta, Unavailable> {
        Err(Unavailable)
    }
}

/// Accounts in memory, for tests and for one process alone: all is gone when the process ends. Copies share what they
/// hold.
#[derive(Clone, Default)]
pub struct MemoryAccounts(Arc<Mutex<Memory>>);

#[derive(Default)]
struct Memory {
    objects: HashMap<ObjectName, Rows>,
    log: RevocationLog,
    /// The log-in records that password changes wrote, by key.
    records: HashMap<String, String>,
}

impl MemoryAccounts {
    /// The log-in record of this key, if a password change wrote one ([`crate::rules::store::LoginRecord::key`]).
    #[must_use]
    pub fn record(&self, key: &str) -> Option<String> {
        self.0.lock().ok()?.records.get(key).cloned()
    }
}

impl Memory {
    fn step(
        &mut self,
        name: &ObjectName,
        id: Option<&str>,
        command: Command,
        lifetimes: &Lifetimes,
        now: Timestamp,
    ) -> Result<object::Step, Unavailable> {
        let rows = self.objects.entry(name.clone()).or_default();
        let step = object::step(rows, name, id, command, lifetimes, now).map_err(|_| Unavailable)?;
        for (key, value) in &step.changes {
            match value {
                Some(value) => rows.insert(key.clone(), value.clone()),
                None => rows.remove(key),
            };
        }
        if rows.is_empty() {
            self.objects.remove(name);
        }
        Ok(step)
    }
}

impl AccountStore for MemoryAccounts {
    async fn account(
        &self,
        object: &ObjectName,
        id: &str,
        command: Command,
        lifetimes: &Lifetimes,
        now: Timestamp,
    ) -> Result<Reply, Unavailable> {
        let mut memory = self.0.lock().map_err(|_| Unavailable)?;
        let step = memory.step(object, Some(id), command, lifetimes, now)?;
        if step.is_left_to_tell() {
            for entry in &step.announcements {
                memory.log.revoke(*entry, now);
            }
            memory.records.extend(step.record.iter().map(|record| (record.key.clone(), record.text.clone())));
            let delivered = Command::Delivered { revocations: step.announcements, record: step.record };
            memory.step(object, None, delivered, lifetimes, now)?;
        }
        Ok(step.reply)
    }

    async fn revocations(&self, since: u64, now: Timestamp) -> Result<Delta, Unavailable> {
        let mut memory = self.0.lock().map_err(|_| Unavailable)?;
        memory.log.forget(now);
        Ok(memory.log.since(since, now))
    }
}
