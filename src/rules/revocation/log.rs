//! The one list of revocations: who keeps it tells the isolates what is new.

use super::{super::time::Timestamp, Entry, RevocationKey};
use crate::mutant::Mutant;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
};

/// What the register is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ask {
    /// Takes these down.
    Revoke {
        /// Which.
        entries: Vec<Entry>,
    },
    /// What came after this [`Delta::number`]? 0 for all.
    Since {
        /// The last number that is known.
        number: u64,
    },
}

/// What came after a number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delta {
    /// When this was true.
    pub as_of: Timestamp,
    /// After which number it begins.
    pub since: u64,
    /// The number of the last entry.
    pub number: u64,
    /// Those between the two.
    pub entries: Vec<Entry>,
}

/// Every revocation in force.
#[derive(Debug, Default)]
pub struct RevocationLog {
    numbers: HashMap<RevocationKey, u64>,
    entries: BTreeMap<u64, Entry>,
    /// That of the last entry, also if it is gone.
    number: u64,
}

impl RevocationLog {
    /// From what is stored: each entry with its number.
    pub fn read(stored: impl IntoIterator<Item = (u64, Entry)>) -> Self {
        let mut register = Self::default();
        stored.into_iter().for_each(|(number, entry)| register.put(number, entry));
        register
    }

    /// Takes an entry down: its number, and that of an earlier one whose place it takes. `None` if it says nothing new.
    pub fn revoke(&mut self, entry: Entry, now: Timestamp) -> Option<(u64, Entry, Option<u64>)> {
        let former = self.numbers.get(&entry.mark).copied();
        let merged = match former.and_then(|number| self.entries.get(&number)) {
            Some(known) => known.merged(&entry),
            None => entry,
        };
        if former.is_some_and(|number| self.entries.get(&number) == Some(&merged)) {
            return None;
        }
        // Greater than any before, also after all of it was forgotten: a clock reading, or one more.
        let clock = u64::try_from(now.as_millis()).unwrap_or_default();
        let number = if Mutant::NumbersByCount.is_on() { self.number + 1 } else { clock.max(self.number + 1) };
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

    /// What came after a number; all, if that is none of ours.
    #[must_use]
    pub fn since(&self, number: u64, now: Timestamp) -> Delta {
        let since = if number > self.number { 0 } else { number };
        let after = self.entries.range((Bound::Excluded(since), Bound::Unbounded));
        let entries = after.map(|(_, entry)| *entry).filter(|entry| entry.until > now).collect();
        Delta { as_of: now, since, number: self.number, entries }
    }

    /// Forgets what no token can be hit by any more: the numbers of those.
    pub fn forget(&mut self, now: Timestamp) -> Vec<u64> {
        let is_over =
            |entry: &Entry| (entry.until <= now && !Mutant::RegisterKeepsAll.is_on()) || Mutant::ForgottenEarly.is_on();
        let over: Vec<u64> =
            self.entries.iter().filter(|(_, entry)| is_over(entry)).map(|(number, _)| *number).collect();
        for number in &over {
            if let Some(entry) = self.entries.remove(number) {
                self.numbers.remove(&entry.mark);
            }
        }
        over
    }

    /// How many are in force.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Is none in force?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
