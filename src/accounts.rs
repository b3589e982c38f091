//! The store of accounts, sessions and revocations on a server: the counterpart of a worker's Durable Objects.
//!
//! **What always holds:** the rules of an account are [`crate::rules::account::object::step`]. A store runs one command
//! of an object at a time and stores all its changes before it returns the reply.

pub use crate::rules::{
    account::{Command, Context, Lifetimes, Reply, Rows, object},
    ids::ObjectName,
    revocation::{Delta, RevocationLog},
};

use crate::{host::Unavailable, rules::time::Timestamp};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex},
};

/// A store of accounts and revocations.
pub trait AccountStore: Clone + Send + Sync + 'static {
    /// Runs a command in the object of this name, once for each `id`. Returns the reply when the change is stored and
    /// every revocation in [`object::Step::announcements`] is in the log.
    ///
    /// # Errors
    /// If the change may not have been stored.
    fn account(
        &self,
        object: &ObjectName,
        id: &str,
        command: Command,
        lifetimes: &Lifetimes,
        now: Timestamp,
    ) -> impl Future<Output = Result<Reply, Unavailable>> + Send;

    /// The revocations after [`Delta::number`] `since`: [`RevocationLog::since`].
    ///
    /// # Errors
    /// If the log can't be read.
    fn revocations(&self, since: u64, now: Timestamp) -> impl Future<Output = Result<Delta, Unavailable>> + Send;
}

/// The store of a gate without sessions, which never calls it; every call fails.
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

/// Accounts in memory, for tests and for a server of a single process. Clones share their contents. Everything is lost
/// when the process ends, revocations too: a token that was revoked before is valid again until it expires, unless the
/// key changes.
#[derive(Clone, Default)]
pub struct MemoryAccounts(Arc<Mutex<Memory>>);

#[derive(Default)]
struct Memory {
    objects: HashMap<ObjectName, Rows>,
    log: RevocationLog,
    /// Log-in records that password changes wrote, by key.
    records: HashMap<String, String>,
    /// When each object has something to delete: the counterpart of Durable Object alarms.
    wakes: BTreeSet<(Timestamp, ObjectName)>,
}

/// Maximum number of objects that are tidied up with one command, so that no command takes long.
const MAX_TIDIED: usize = 16;

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
        let step = object::step(rows, id, command, &Context::new(name, lifetimes, now)).map_err(|_| Unavailable)?;
        for (key, value) in &step.changes {
            match value {
                Some(value) => rows.insert(key.clone(), value.clone()),
                None => rows.remove(key),
            };
        }
        if rows.is_empty() {
            self.objects.remove(name);
        }
        self.wakes.extend(step.wake.map(|wake| (wake, name.clone())));
        Ok(step)
    }

    /// Runs a command, then delivers its revocations and its record, before the reply is returned.
    fn run(
        &mut self,
        name: &ObjectName,
        id: Option<&str>,
        command: Command,
        lifetimes: &Lifetimes,
        now: Timestamp,
    ) -> Result<Reply, Unavailable> {
        let step = self.step(name, id, command, lifetimes, now)?;
        if step.is_left_to_tell() {
            for entry in &step.announcements {
                self.log.revoke(*entry, now);
            }
            self.records.extend(step.record.iter().map(|record| (record.key.clone(), record.text.clone())));
            let delivered = Command::Delivered { revocations: step.announcements, record: step.record };
            self.step(name, None, delivered, lifetimes, now)?;
        }
        Ok(step.reply)
    }

    /// Deletes expired data in objects that get no more commands.
    fn tidy(&mut self, lifetimes: &Lifetimes, now: Timestamp) -> Result<(), Unavailable> {
        for _ in 0..MAX_TIDIED {
            if self.wakes.first().is_none_or(|(wake, _)| *wake > now) {
                break;
            }
            let Some((_, name)) = self.wakes.pop_first() else { break };
            self.run(&name, None, Command::Tidy, lifetimes, now)?;
        }
        Ok(())
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
        memory.tidy(lifetimes, now)?;
        memory.run(object, Some(id), command, lifetimes, now)
    }

    async fn revocations(&self, since: u64, now: Timestamp) -> Result<Delta, Unavailable> {
        let mut memory = self.0.lock().map_err(|_| Unavailable)?;
        memory.log.forget(now);
        Ok(memory.log.since(since, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::time::Duration;
    use futures_util::FutureExt;

    #[test]
    fn what_is_over_is_forgotten_though_nobody_asks_for_it_again() {
        let accounts = MemoryAccounts::default();
        let second = Duration::seconds(1);
        let lifetimes = Lifetimes { grace: second, idle: second, session: second, token: second };
        let ask = |name: &str, id: &str, seconds: i64| {
            let now = Timestamp::from_seconds(1_800_000_000 + seconds);
            let attempt = Command::Attempt { devices: Vec::new() };
            let object = ObjectName::of_login_name(name);
            let reply = accounts.account(&object, id, attempt, &lifetimes, now);
            reply.now_or_never().unwrap().unwrap();
        };
        let count = || accounts.0.lock().unwrap().objects.len();
        (0..100).for_each(|name| ask(&name.to_string(), &name.to_string(), 0));
        assert_eq!(count(), 100);
        (0..20).for_each(|time| ask("ann", &format!("later {time}"), 3 * 86_400 + time * 10));
        assert_eq!(count(), 1, "the one that is asked");
    }
}
