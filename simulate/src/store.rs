//! KV: the writer's value is seen everywhere after a minute, and before that wherever and whenever it likes.

use fastrand::Rng;
use serde::Deserialize;
use tollgate::Timestamp;

/// After so long a write is seen everywhere, in milliseconds.
const SEEN_AFTER: i64 = 60_000;

/// A log-in record in KV, as far as it matters here.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Text {
    record: usize,
    version: Timestamp,
}

/// The versions of each account's log-in record, with the times at which they were written.
pub struct Store(Vec<Vec<(i64, usize)>>);

impl Store {
    /// An empty one for so many accounts.
    pub fn new(accounts: usize) -> Self {
        Self(vec![Vec::new(); accounts])
    }

    /// An object's write: which record that was, and its version.
    pub fn put_text(&mut self, now: i64, account: usize, text: &str) -> (usize, Timestamp) {
        let text: Text = serde_json::from_str(text).expect("a record of ours");
        self.put(now, account, text.record);
        (text.record, text.version)
    }

    /// A write.
    pub fn put(&mut self, now: i64, account: usize, record: usize) {
        self.0[account].push((now, record));
    }

    /// A read somewhere.
    pub fn read(&self, now: i64, account: usize, random: &mut Rng) -> Option<usize> {
        let versions = &self.0[account];
        let seen = versions.iter().rposition(|(at, _)| at + SEEN_AFTER <= now).unwrap_or_default();
        versions.get(random.usize(seen..versions.len().max(seen + 1))).map(|(_, record)| *record)
    }

    /// What everybody sees in the end.
    pub fn last(&self, account: usize) -> Option<usize> {
        self.0[account].last().map(|(_, record)| *record)
    }
}
