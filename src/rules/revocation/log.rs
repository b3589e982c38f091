//! The one list of revocations in force, which isolates ask for new entries.

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

/// A request to the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ask {
    /// Adds entries.
    Revoke {
        /// The entries.
        entries: Vec<Entry>,
    },
    /// Asks for the entries after [`Delta::number`]; 0 asks for all.
    Since {
        /// The last number that the caller knows.
        number: u64,
    },
}

/// The answer to [`Ask::Since`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delta {
    /// When the log gave this answer, by its clock.
    pub as_of: Timestamp,
    /// The number after which the entries start; 0 if the log does not know the number that was asked for.
    pub since: u64,
    /// The number of the last entry.
    pub number: u64,
    /// The entries in force after `since`, up to `number`.
    pub entries: Vec<Entry>,
}

/// Every revocation in force.
pub struct RevocationLog<S: Safeguards + ?Sized + 'static = Intact> {
    safeguards: &'static S,
    numbers: HashMap<RevocationKey, u64>,
    entries: BTreeMap<u64, Entry>,
    /// The number of the last entry, even if that entry was dropped.
    number: u64,
}

impl Default for RevocationLog {
    fn default() -> Self {
        Self::read([])
    }
}

impl RevocationLog {
    /// Reads the stored entries with their numbers.
    pub fn read(stored: impl IntoIterator<Item = (u64, Entry)>) -> Self {
        Self::guarded_by(&Intact, stored)
    }
}

impl<S: Safeguards + ?Sized + 'static> RevocationLog<S> {
    /// [`RevocationLog::read`] with other decisions, for the simulation.
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
        // Greater than any number before, even if all entries were dropped: the time, or the last number plus one.
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

    /// The entries after a number; all entries if the number is above the last one of this log.
    #[must_use]
    pub fn since(&self, number: u64, now: Timestamp) -> Delta {
        let since = if number > self.number { 0 } else { number };
        let after = self.entries.range((Bound::Excluded(since), Bound::Unbounded));
        let entries = after.map(|(_, entry)| *entry).filter(|entry| entry.until > now).collect();
        Delta { as_of: now, since, number: self.number, entries }
    }

    /// Drops the entries whose tokens have all expired, and returns their numbers.
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
