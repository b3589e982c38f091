//! KV: a write is visible everywhere after a minute; before that each read returns the old or the new value.

use fastrand::Rng;
use serde::Deserialize;
use tollgate::Timestamp;

/// When a write is visible everywhere, in milliseconds.
const SEEN_AFTER: i64 = 60_000;

/// The members of a log-in record that the simulation reads.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Text {
    record: usize,
    version: Timestamp,
}

/// The versions of each account's log-in record, with the times at which they were written.
pub struct Store(Vec<Vec<(i64, usize)>>);

impl Store {
    /// An empty store for this many accounts.
    pub fn new(accounts: usize) -> Self {
        Self(vec![Vec::new(); accounts])
    }

    /// Writes an object's text. Returns the record's number and version.
    pub fn put_text(&mut self, now: i64, account: usize, text: &str) -> (usize, Timestamp) {
        let text: Text = serde_json::from_str(text).expect("a record of ours");
        self.put(now, account, text.record);
        (text.record, text.version)
    }

    /// Writes a record.
    pub fn put(&mut self, now: i64, account: usize, record: usize) {
        self.0[account].push((now, record));
    }

    /// Reads an account's record at some data centre; `None` if none is visible there.
    pub fn read(&self, now: i64, account: usize, random: &mut Rng) -> Option<usize> {
        let versions = &self.0[account];
        let seen = versions.iter().rposition(|(at, _)| at + SEEN_AFTER <= now).unwrap_or_default();
        versions.get(random.usize(seen..versions.len().max(seen + 1))).map(|(_, record)| *record)
    }

    /// The last record that was written.
    pub fn last(&self, account: usize) -> Option<usize> {
        self.0[account].last().map(|(_, record)| *record)
    }
}
