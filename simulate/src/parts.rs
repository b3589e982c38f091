//! The parts of the world and what each remembers. `isolate.rs`, `object.rs`, `log.rs` and `people.rs` have what they
//! do. All times are true times in milliseconds since the history began, unless a comment says otherwise.

use crate::oracle::{SessionNo, TokenNo};
use std::{
    collections::{BTreeMap, HashSet},
    rc::Rc,
};
use tollgate::rules::{
    account::{Account, Pending, Rows},
    ids::ObjectName,
    revocation::{Delta, Entry, RevocationLog, Snapshot},
    safeguards::Safeguards,
    time::Duration,
};

/// An isolate.
pub struct Isolate {
    pub snapshot: Snapshot<dyn Safeguards>,
    /// The error of its clock, in milliseconds.
    pub skew: i64,
    /// The index of its data centre.
    pub centre: usize,
    /// Counts replacements: an answer for an earlier isolate is dropped.
    pub life: u32,
    /// The tokens that it has refused as revoked.
    pub refused: HashSet<TokenNo>,
}

/// A data centre.
#[derive(Default)]
pub struct Centre {
    /// Answers of the log: the number that was asked for, the time of the answer, the answer.
    pub cache: Vec<(u64, i64, Rc<Delta>)>,
    /// It can't reach the log before this time.
    pub cut_off_until: i64,
}

impl Isolate {
    /// An isolate with an empty snapshot. `bound` is in milliseconds.
    pub fn new(safeguards: &'static dyn Safeguards, bound: i64, skew: i64, centre: usize) -> Self {
        Self { snapshot: snapshot(safeguards, bound), skew, centre, life: 0, refused: HashSet::new() }
    }

    /// The number of revocations that it holds.
    pub fn len(&self) -> usize {
        self.snapshot.len()
    }
}

/// An empty snapshot. `bound` is in milliseconds.
pub fn snapshot(safeguards: &'static dyn Safeguards, bound: i64) -> Snapshot<dyn Safeguards> {
    Snapshot::guarded_by(safeguards, Duration::from_millis(bound).expect("less than a hundred years"))
}

/// The object of an account, or of a name.
pub struct Object {
    pub name: ObjectName,
    pub rows: Rows,
    /// The error of its clock, in milliseconds.
    pub skew: i64,
    /// Counts crashes: an answer that an earlier instance waited for is dropped.
    pub life: u32,
    /// It takes no command before this time.
    pub down_until: i64,
    /// It can't reach the log before this time.
    pub cut_off_until: i64,
    /// When its alarm is due.
    pub alarm: Option<i64>,
    /// The time of the next event that looks at the alarm.
    pub looks_at: Option<i64>,
    /// The number of commands that it has carried out.
    pub done: usize,
    /// The record that the latest step wants in KV: that of an earlier step may be out of date when it is written.
    pub record: Option<Pending>,
    /// Whether a write to KV is under way.
    pub is_putting: bool,
}

impl Object {
    /// An object without rows. `skew` is in milliseconds.
    pub fn new(name: ObjectName, skew: i64) -> Self {
        Self {
            name,
            rows: Rows::new(),
            skew,
            life: 0,
            down_until: 0,
            cut_off_until: 0,
            alarm: None,
            looks_at: None,
            done: 0,
            record: None,
            is_putting: false,
        }
    }

    /// The stored state.
    pub fn account(&self) -> Account {
        Account::read(&self.rows).expect("rows that the simulation wrote")
    }

    /// The number of rows without those that are never dropped.
    pub fn rows_that_pass(&self) -> usize {
        self.rows.keys().filter(|key| !["account", "attributes"].contains(&key.as_str())).count()
    }

    pub fn write(&mut self, changes: &[(String, Option<String>)]) {
        for (key, value) in changes {
            match value {
                Some(value) => self.rows.insert(key.clone(), value.clone()),
                None => self.rows.remove(key),
            };
        }
    }
}

/// The object of the revocation log.
pub struct LogObject {
    /// What it holds in memory.
    pub entries: RevocationLog<dyn Safeguards>,
    /// What it has stored.
    pub stored: BTreeMap<u64, Entry>,
    /// The error of its clock, in milliseconds.
    pub skew: i64,
    /// It can't be reached before this time.
    pub down_until: i64,
}

impl LogObject {
    /// An empty log. `skew` is in milliseconds.
    pub fn new(safeguards: &'static dyn Safeguards, skew: i64) -> Self {
        Self { entries: RevocationLog::guarded_by(safeguards, []), stored: BTreeMap::new(), skew, down_until: 0 }
    }

    /// The number of entries in force.
    pub fn len(&self) -> usize {
        self.entries.len()
    }
}

/// A user's device with all its tabs, or a thief's.
pub struct Person {
    /// The account of the user, or of the thief's victim.
    pub account: usize,
    /// Whether every request is answered within two seconds.
    pub has_good_connection: bool,
    /// Whether this is a thief, who copies what a device holds.
    pub is_thief: bool,
    pub session: Option<SessionNo>,
    pub refresh: Option<TokenNo>,
    pub access: Option<TokenNo>,
    /// The number of refreshes without an answer.
    pub in_flight: u32,
}

impl Person {
    /// A person without tokens.
    pub fn new(account: usize, has_good_connection: bool, is_thief: bool) -> Self {
        Self { account, has_good_connection, is_thief, session: None, refresh: None, access: None, in_flight: 0 }
    }
}
