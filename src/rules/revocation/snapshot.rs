//! What an isolate knows of the revocation log.

use super::{Delta, Entry, RevocationKey, RevocationKeys};
use crate::rules::{
    safeguards::{Intact, Safeguards},
    time::{Duration, Timestamp},
};
use std::{
    collections::HashMap,
    sync::{
        RwLock,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

/// What is known of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationStatus {
    /// It is not revoked.
    Good,
    /// It is revoked.
    Revoked,
    /// The snapshot is older than its bound, or there is none yet.
    Unknown,
}

/// How old a snapshot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// Young.
    Fresh,
    /// It is time to ask the register; till then it judges.
    Due,
    /// Older than the bound.
    TooOld,
}

/// The revocations that an isolate holds.
pub struct Snapshot<S: Safeguards + ?Sized + 'static = Intact> {
    safeguards: &'static S,
    max_staleness: Duration,
    everybody: RevocationKey,
    /// When it was true, in milliseconds; `i64::MIN` before the first.
    as_of: AtomicI64,
    /// When it was last asked for, in milliseconds.
    asked: AtomicI64,
    /// Counts what came in: a token that was good under a number is good for as long as the number stays.
    generation: AtomicU64,
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    number: u64,
    entries: HashMap<RevocationKey, Entry>,
}

impl Snapshot {
    /// An empty snapshot, by which no token can be judged yet.
    #[must_use]
    pub fn new(max_staleness: Duration) -> Self {
        Self::guarded_by(&Intact, max_staleness)
    }
}

impl<S: Safeguards + ?Sized + 'static> Snapshot<S> {
    /// [`Snapshot::new`] under other rules.
    #[must_use]
    pub fn guarded_by(safeguards: &'static S, max_staleness: Duration) -> Self {
        Self {
            safeguards,
            max_staleness,
            everybody: RevocationKey::everybody(),
            as_of: AtomicI64::new(i64::MIN),
            asked: AtomicI64::new(i64::MIN),
            generation: AtomicU64::new(1),
            known: RwLock::default(),
        }
    }

    /// How old it is.
    #[must_use]
    pub fn age(&self, now: Timestamp) -> Age {
        let age = now.as_millis().saturating_sub(self.as_of.load(Ordering::Acquire));
        let max_staleness = self.max_staleness.as_millis();
        if self.safeguards.is_too_old(age, max_staleness) {
            return Age::TooOld;
        }
        if age > max_staleness / 3 && !self.is_requested(now) { Age::Due } else { Age::Fresh }
    }

    /// The last moment before it is [`Age::Due`]: the register is not asked before.
    #[must_use]
    pub fn due(&self) -> Timestamp {
        Timestamp::from_millis(self.as_of.load(Ordering::Relaxed).saturating_add(self.max_staleness.as_millis() / 3))
    }

    /// Somebody is asking the register just now.
    pub fn mark_requested(&self, now: Timestamp) {
        self.asked.store(now.as_millis(), Ordering::Relaxed);
    }

    /// Nobody does any more: it did not answer.
    pub fn mark_not_requested(&self) {
        self.asked.store(i64::MIN, Ordering::Relaxed);
    }

    /// Is somebody asking it?
    #[must_use]
    pub fn is_requested(&self, now: Timestamp) -> bool {
        now.as_millis().saturating_sub(self.asked.load(Ordering::Relaxed)) <= self.max_staleness.as_millis() / 10
    }

    /// The number to ask from.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.known.read().map_or(0, |known| known.number)
    }

    /// Takes in what the register says. What is older than what is known changes nothing.
    pub fn update(&self, delta: &Delta, now: Timestamp) {
        let Ok(mut known) = self.known.write() else { return };
        // There is a hole between: it will be asked for once more.
        if delta.since > known.number {
            return;
        }
        if !self.safeguards.keeps_entries() {
            known.entries.clear();
        }
        if delta.number < known.number {
            // The register begins anew, or this is an old answer: nothing is forgotten for it.
            let is_later = delta.as_of.as_millis() > self.as_of.load(Ordering::Relaxed);
            if delta.since == 0 && is_later && self.safeguards.follows_restarted_log() {
                known.number = delta.number;
            } else {
                return;
            }
        }
        known.entries.retain(|_, entry| !self.safeguards.is_snapshot_entry_over(entry, now));
        let is_new = delta.entries.iter().any(|entry| known.entries.get(&entry.mark) != Some(entry));
        known.entries.extend(delta.entries.iter().map(|entry| (entry.mark, *entry)));
        known.number = delta.number;
        if is_new {
            self.generation.fetch_add(1, Ordering::Relaxed);
        }
        let as_of = self.safeguards.snapshot_time(delta.as_of, now);
        // Whoever sees the new age sees the new generation too.
        self.as_of.fetch_max(as_of.as_millis(), Ordering::Release);
    }

    /// Is a token revoked? `checked_generation` is where it is kept under which number of changes it was last found
    /// good.
    #[must_use]
    pub fn judge(&self, keys: &RevocationKeys, checked_generation: &AtomicU64, now: Timestamp) -> RevocationStatus {
        if self.age(now) == Age::TooOld {
            return RevocationStatus::Unknown;
        }
        self.look_up(keys, checked_generation)
    }

    /// The same, however old the snapshot is: for routes that stay open then.
    #[must_use]
    pub fn judge_by_known(&self, keys: &RevocationKeys, checked_generation: &AtomicU64) -> RevocationStatus {
        if !self.safeguards.refuses_known_when_stale() {
            return RevocationStatus::Good;
        }
        self.look_up(keys, checked_generation)
    }

    fn look_up(&self, keys: &RevocationKeys, checked_generation: &AtomicU64) -> RevocationStatus {
        // One comparison for a token that came before, however many are revoked.
        let generation = self.generation.load(Ordering::Relaxed);
        if self.safeguards.is_known_good(checked_generation.load(Ordering::Relaxed), generation) {
            return RevocationStatus::Good;
        }
        let Ok(known) = self.known.read() else { return RevocationStatus::Unknown };
        let is_covered = |key: Option<RevocationKey>| {
            let entry = key.and_then(|key| known.entries.get(&key));
            entry.is_some_and(|entry| self.safeguards.covers(entry, keys.began))
        };
        let RevocationKeys { token, session, user, began: _ } = self.safeguards.looked_up(keys);
        if [token, session, user, Some(self.everybody)].into_iter().any(is_covered) {
            return RevocationStatus::Revoked;
        }
        checked_generation.store(generation, Ordering::Relaxed);
        RevocationStatus::Good
    }

    /// How many revocations it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.read().map_or(0, |known| known.entries.len())
    }

    /// Does it hold none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
