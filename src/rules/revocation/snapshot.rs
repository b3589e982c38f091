//! An isolate's copy of the revocation log, by which tokens are judged without I/O.

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

/// Whether a token is revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationStatus {
    /// The token is not revoked.
    Good,
    /// The token is revoked.
    Revoked,
    /// The attributes were changed that the token's claims were made of. Its session goes on.
    ClaimsOutdated,
    /// The snapshot is older than its bound, or there is none yet.
    Unknown,
}

/// The age of a snapshot, measured against its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// Up to a third of the bound, or the log is being asked: tokens are judged.
    Fresh,
    /// More than a third of the bound: the log should be asked, and tokens are judged meanwhile.
    Due,
    /// Older than the bound: no token is judged.
    TooOld,
}

/// The revocations in force, as the log gave them at one time.
pub struct Snapshot<S: Safeguards + ?Sized + 'static = Intact> {
    safeguards: &'static S,
    max_staleness: Duration,
    everybody: RevocationKey,
    /// When the log gave it, in milliseconds since 1970; `i64::MIN` before the first answer.
    as_of: AtomicI64,
    /// When the log was last asked, in milliseconds since 1970; `i64::MIN` if that failed.
    asked: AtomicI64,
    /// Increases with new entries: a token that was good in a generation is good as long as the generation lasts.
    generation: AtomicU64,
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    number: u64,
    entries: HashMap<RevocationKey, Entry>,
}

impl Snapshot {
    /// An empty snapshot, which judges no token until its first update.
    #[must_use]
    pub fn new(max_staleness: Duration) -> Self {
        Self::guarded_by(&Intact, max_staleness)
    }
}

impl<S: Safeguards + ?Sized + 'static> Snapshot<S> {
    /// [`Snapshot::new`] with other decisions, for the simulation.
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

    /// Its age at `now`.
    #[must_use]
    pub fn age(&self, now: Timestamp) -> Age {
        let age = now.as_millis().saturating_sub(self.as_of.load(Ordering::Acquire));
        let max_staleness = self.max_staleness.as_millis();
        if self.safeguards.is_too_old(age, max_staleness) {
            return Age::TooOld;
        }
        if age > max_staleness / 3 && !self.is_requested(now) { Age::Due } else { Age::Fresh }
    }

    /// The last moment before it is [`Age::Due`].
    #[must_use]
    pub fn due(&self) -> Timestamp {
        Timestamp::from_millis(self.as_of.load(Ordering::Relaxed).saturating_add(self.max_staleness.as_millis() / 3))
    }

    /// Records that the log is asked at `now`.
    pub fn mark_requested(&self, now: Timestamp) {
        self.asked.store(now.as_millis(), Ordering::Relaxed);
    }

    /// Records that the log did not answer, so that the next request may ask again.
    pub fn mark_not_requested(&self) {
        self.asked.store(i64::MIN, Ordering::Relaxed);
    }

    /// Whether the log was asked in the last tenth of the bound, and may still answer.
    #[must_use]
    pub fn is_requested(&self, now: Timestamp) -> bool {
        now.as_millis().saturating_sub(self.asked.load(Ordering::Relaxed)) <= self.max_staleness.as_millis() / 10
    }

    /// The number of the last entry that it knows; 0 before the first update.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.known.read().map_or(0, |known| known.number)
    }

    /// Adds an answer of the log. An answer older than the snapshot changes nothing.
    pub fn update(&self, delta: &Delta, now: Timestamp) {
        let Ok(mut known) = self.known.write() else { return };
        // Entries between the two are missing: the log will be asked again.
        if delta.since > known.number {
            return;
        }
        if !self.safeguards.keeps_entries() {
            known.entries.clear();
        }
        if delta.number < known.number {
            // Either the log has started with lower numbers, or this is an old answer. No entry is dropped in either
            // case.
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
        // Release: a thread that reads the new time also reads the new generation.
        self.as_of.fetch_max(as_of.as_millis(), Ordering::Release);
    }

    /// Whether a token is revoked; [`RevocationStatus::Unknown`] if the snapshot is older than its bound.
    /// `checked_generation` belongs to the token: the generation in which it was last found not revoked.
    #[must_use]
    pub fn judge(&self, keys: &RevocationKeys, checked_generation: &AtomicU64, now: Timestamp) -> RevocationStatus {
        if self.age(now) == Age::TooOld {
            return RevocationStatus::Unknown;
        }
        self.look_up(keys, checked_generation)
    }

    /// [`Snapshot::judge`] by a snapshot of any age, for rules that stay open when the log can't be reached.
    #[must_use]
    pub fn judge_by_known(&self, keys: &RevocationKeys, checked_generation: &AtomicU64) -> RevocationStatus {
        if !self.safeguards.refuses_known_when_stale() {
            return RevocationStatus::Good;
        }
        self.look_up(keys, checked_generation)
    }

    fn look_up(&self, keys: &RevocationKeys, checked_generation: &AtomicU64) -> RevocationStatus {
        // One comparison for a token that was judged before, whatever the number of entries.
        let generation = self.generation.load(Ordering::Relaxed);
        if self.safeguards.is_known_good(checked_generation.load(Ordering::Relaxed), generation) {
            return RevocationStatus::Good;
        }
        let Ok(known) = self.known.read() else { return RevocationStatus::Unknown };
        let is_covered = |key: Option<RevocationKey>| {
            let entry = key.and_then(|key| known.entries.get(&key));
            entry.is_some_and(|entry| self.safeguards.covers(entry, keys.began))
        };
        let RevocationKeys { token, session, user, claims, began: _ } = self.safeguards.looked_up(keys);
        if [token, session, user, Some(self.everybody)].into_iter().any(is_covered) {
            return RevocationStatus::Revoked;
        }
        let changed = claims.and_then(|claims| Some((known.entries.get(&claims.key)?, claims.version)));
        if changed.is_some_and(|(entry, version)| self.safeguards.covers_claims(entry, version)) {
            return RevocationStatus::ClaimsOutdated;
        }
        checked_generation.store(generation, Ordering::Relaxed);
        RevocationStatus::Good
    }

    /// The number of revocations that it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.read().map_or(0, |known| known.entries.len())
    }

    /// Whether it holds no revocation.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
