//! The one list of revocations in force. Isolates ask it for what is new.

use super::{Entry, RevocationKey};
use crate::rules::{
    safeguards::{Intact, Safeguards},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
};

/// A question to the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ask {
    /// Adds entries.
    Revoke {
        /// The entries.
        entries: Vec<Entry>,
    },
    /// Asks for the entries after a [`Delta::number`]; 0 for all.
    Since {
        /// The last number that is known.
        number: u64,
    },
}

/// The entries after a number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delta {
    /// When this was true.
    pub as_of: Timestamp,
    /// The number after which the entries begin.
    pub since: u64,
    /// The number of the last entry.
    pub number: u64,
    /// The entries between the two numbers.
    pub entries: Vec<Entry>,
}

/// Every revocation in force.
pub struct RevocationLog<S: Safeguards + ?Sized + 'static = Intact> {
    safeguards: &'static S,
    numbers: HashMap<RevocationKey, u64>,
    entries: BTreeMap<u64, Entry>,
    /// The number of the last entry, also after that was forgotten.
    number: u64,
}

impl Default for RevocationLog {
    fn default() -> Self {
        Self::read([])
    }
}

impl RevocationLog {
    /// From what is stored: each entry with its number.
    pub fn read(stored: impl IntoIterator<Item = (u64, Entry)>) -> Self {
        Self::guarded_by(&Intact, stored)
    }
}

impl<S: Safeguards + ?Sized + 'static> RevocationLog<S> {
    /// [`RevocationLog::read`] under other rules.
    pub fn guarded_by(safeguards: &'static S, stored: impl IntoIterator<Item = (u64, Entry)>) -> Self {
        let mut log = Self { safeguards, numbers: HashMap::new(), entries: BTreeMap::new(), number: 0 };
        stored.into_iter().for_each(|(number, entry)| log.put(number, entry));
        log
    }

    /// Adds an entry. Returns its number, the entry as merged with an earlier one, and the number of that one; `None`
    /// if nothing changes.
    pub fn revoke(&mut self, entry: Entry, now: Timestamp) -> Option<(u64, Entry, Option<u64>)> {
        let former = self.numbers.get(&entry.mark).copied();
        let merged = match former.and_then(|number| self.entries.get(&number)) {
            Some(known) => self.safeguards.merged(known, &entry),
            None => entry,
        };
        if former.is_some_and(|number| self.entries.get(&number) == Some(&merged)) {
            return None;
        }
        // Greater than any before, also after all of it was forgotten: a clock reading, or one more.
        let clock = u64::try_from(now.as_millis()).unwrap_or_default();
        let number = self.safeguards.next_number(self.number, clock);
        if let Some(former) = former {
            self.entries.remove(&former);
        }
        self.put(number, merged);
        Some((number, merged, former))
    }

    fn put(&mut self, number: u64, entry: Entry) {
        self.numbers.insert(entry.mark, number);
        self.entries.insert(number, entry);
        self.number = self.number.max(number);
    }

    /// The entries after a number; all entries if this log never gave that number.
    #[must_use]
    pub fn since(&self, number: u64, now: Timestamp) -> Delta {
        let since = if number > self.number { 0 } else { number };
        let after = self.entries.range((Bound::Excluded(since), Bound::Unbounded));
        let entries = after.map(|(_, entry)| *entry).filter(|entry| entry.until > now).collect();
        Delta { as_of: now, since, number: self.number, entries }
    }

    /// Forgets the entries whose tokens have all expired, and returns their numbers.
    pub fn forget(&mut self, now: Timestamp) -> Vec<u64> {
        let over = self.entries.iter().filter(|(_, entry)| self.safeguards.is_log_entry_over(entry, now));
        let over: Vec<u64> = over.map(|(number, _)| *number).collect();
        for number in &over {
            if let Some(entry) = self.entries.remove(number) {
                self.numbers.remove(&entry.mark);
            }
        }
        over
    }

    /// The number of entries in force.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no entry is in force.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
