//! KV: a write is visible everywhere after a minute; before that each read returns the old or the new value.

use fastrand::Rng;
use serde::Deserialize;
use tollgate::{Timestamp, rules::identity::Attributes};

/// When a write is visible everywhere, in milliseconds.
const SEEN_AFTER: i64 = 60_000;

/// The members of a log-in record that the simulation reads.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Text {
    record: usize,
    version: Timestamp,
}

/// What was written under one key, with the times at which it was written.
type Versions<T> = Vec<(i64, T)>;

/// The log-in record and the profile of each account.
pub struct Store {
    records: Vec<Versions<usize>>,
    profiles: Vec<Versions<Attributes>>,
}

/// One of the versions that a data centre may show; `None` if none is visible there.
fn visible<T: Clone>(versions: &Versions<T>, now: i64, random: &mut Rng) -> Option<T> {
    let seen = versions.iter().rposition(|(at, _)| at + SEEN_AFTER <= now).unwrap_or_default();
    versions.get(random.usize(seen..versions.len().max(seen + 1))).map(|(_, value)| value.clone())
}

impl Store {
    /// An empty store for this many accounts.
    pub fn new(accounts: usize) -> Self {
        Self { records: vec![Vec::new(); accounts], profiles: vec![Vec::new(); accounts] }
    }

    /// Writes an object's text. Returns the record's number and version.
    pub fn put_text(&mut self, now: i64, account: usize, text: &str) -> (usize, Timestamp) {
        let text: Text = serde_json::from_str(text).expect("a record of ours");
        self.put(now, account, text.record);
        (text.record, text.version)
    }

    /// Writes a record.
    pub fn put(&mut self, now: i64, account: usize, record: usize) {
        self.records[account].push((now, record));
    }

    /// Reads an account's record at some data centre; `None` if none is visible there.
    pub fn read(&self, now: i64, account: usize, random: &mut Rng) -> Option<usize> {
        visible(&self.records[account], now, random)
    }

    /// The last record that was written.
    pub fn last(&self, account: usize) -> Option<usize> {
        self.records[account].last().map(|(_, record)| *record)
    }

    /// Writes a profile with these attributes.
    pub fn put_profile(&mut self, now: i64, account: usize, attributes: Attributes) {
        self.profiles[account].push((now, attributes));
    }

    /// Reads the attributes of an account's profile at some data centre.
    pub fn read_profile(&self, now: i64, account: usize, random: &mut Rng) -> Attributes {
        visible(&self.profiles[account], now, random).unwrap_or_default()
    }
}
