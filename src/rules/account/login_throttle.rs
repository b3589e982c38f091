//! Limits attempts at a password.
//!
//! **What always holds:** an attempt is counted before the password is checked, so parallel attempts all count. The
//! first failures cost no wait; each further one doubles the wait, up to 15 minutes. One failure is forgiven for each
//! 15 minutes. No user is locked out: a device that logged in before has a bucket of its own, so strangers can't delay
//! the owner.
//!
//! A right password clears only a bucket that belongs to one device and one record. One object counts for all names
//! that differ only in case or outer white space; a device is known only for the exact record that it logged in to.

use super::{Bucket, DeviceId};
use crate::rules::{
    safeguards::Safeguards,
    time::{Duration, Timestamp},
};
use serde::{Deserialize, Serialize};

/// Failed attempts allowed before back-off starts.
const FREE: u32 = 5;
/// Attempts allowed at once before any is known to be wrong: a service may log in from many places.
const UNDER_WAY: usize = 20;
/// An attempt without an outcome counts as failed after this time.
const GIVEN_UP: Duration = Duration::seconds(30);
/// The longest wait, and the time in which one failure is forgiven, in seconds.
const LONGEST: u32 = 15 * 60;
/// Failures at which the wait is the longest. The waits before are 1, 2, 4 … 512 seconds.
const STEEPEST: u32 = FREE + 10;
/// Maximum attempts of one bucket in any 24 hours: the free ones and those under way at once, then one every 15
/// minutes.
pub const MOST_GUESSES_A_DAY: u32 = FREE + UNDER_WAY as u32 + 24 * 60 * 60 / LONGEST;
/// Failures from one address, for all names together, that cost no wait: the pupils of a school share one.
pub const FREE_FAILURES_BY_ADDRESS: u32 = 50;
/// The longest wait for an address, and the time in which one of its failures is forgiven, in seconds.
pub const LONGEST_BY_ADDRESS: u32 = 60;
/// Maximum failures from one address in any 24 hours: the free ones, those with a wait of less than a minute (1, 2, 4 …
/// 32 seconds), then one a minute. Attempts that were under way when the last free one failed come on top.
pub const MOST_FAILURES_A_DAY_BY_ADDRESS: u32 =
    FREE_FAILURES_BY_ADDRESS + LONGEST_BY_ADDRESS.ilog2() + 1 + 24 * 60 * 60 / LONGEST_BY_ADDRESS;
/// Maximum known devices with a cookie, for one record.
const MOST_COOKIES: usize = 12;
/// Maximum devices of these whose cookie was never sent back.
const MOST_NEW_COOKIES: usize = 4;
/// Maximum known addresses, for one record. Few, since everybody at an address shares its bucket.
const MOST_ADDRESSES: usize = 4;
/// Maximum known devices of all records whose names differ only in case.
const MOST_DEVICES: usize = 64;
/// A device is forgotten when it has not logged in for this time.
const KNOWN_FOR: Duration = crate::rules::device::KNOWN_FOR;

/// Why an attempt is not allowed yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wait {
    /// Too many attempts are under way, and none is known to have failed.
    Busy,
    /// Seconds until the next attempt, at least 1.
    Seconds(u32),
}

/// The attempts at one name's password.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LoginThrottle {
    #[serde(default)]
    strangers: Count,
    #[serde(default)]
    devices: Vec<Device>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Device {
    id: DeviceId,
    #[serde(default)]
    count: Count,
    /// The time of its last log-in.
    seen: Timestamp,
    /// Whether it has logged in again since its first log-in.
    #[serde(default)]
    has_returned: bool,
    /// The record for which it is known; empty in rows of earlier versions.
    #[serde(default)]
    record: String,
}

/// The attempts of one bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Count {
    /// The number of failures that are not forgiven.
    wrong: u32,
    /// The start times of attempts under way.
    under_way: Vec<Timestamp>,
    /// When the last attempt began.
    last: Timestamp,
}

impl LoginThrottle {
    /// Counts an attempt in the first bucket that allows it: that of a device with a known cookie, else the strangers'.
    /// An attempt from a known address without a known cookie is counted in the address's bucket and nowhere else. So
    /// every address is allowed equally many attempts, and their number does not reveal where the owner logs in.
    pub(super) fn take<S: Safeguards + ?Sized>(
        &mut self,
        shown: &[DeviceId],
        now: Timestamp,
        safeguards: &S,
    ) -> Result<Bucket, Wait> {
        let is_shown = |device: &&mut Device| shown.contains(&device.id) && safeguards.knows_devices();
        let is_cookie = |device: &Device| matches!(device.id, DeviceId::Cookie(_));
        let mut known: Vec<&mut Device> = self.devices.iter_mut().filter(is_shown).collect();
        let has_cookie = known.iter().any(|device| is_cookie(device));
        known.retain(|device| is_cookie(device) == has_cookie);
        let mut shortest: Option<Wait> = None;
        for device in known {
            match device.count.take(now, safeguards) {
                Err(wait) if safeguards.limits_known_devices() => {
                    shortest = Some(shortest.map_or(wait, |other| other.min(wait)))
                }
                _ => return Ok(Bucket::Device(device.id.clone())),
            }
        }
        if let Some(wait) = shortest.filter(|_| !has_cookie && safeguards.known_address_waits()) {
            return Err(wait);
        }
        match self.strangers.take(now, safeguards) {
            Ok(()) => Ok(safeguards.bucket_of_unknown(shown)),
            Err(wait) => Err(shortest.map_or(wait, |other| other.min(wait))),
        }
    }

    /// The password was wrong.
    pub(super) fn record_failure(&mut self, bucket: &Bucket) {
        self.count(bucket).into_iter().for_each(Count::record_failure);
    }

    /// The password was right. The bucket of a device with a known cookie is cleared. In a bucket that others share
    /// (strangers, an address) only this attempt is forgiven: otherwise each log-in of the owner would give attackers
    /// more attempts.
    pub(super) fn record_success<S: Safeguards + ?Sized>(
        &mut self,
        bucket: &Bucket,
        devices: Vec<DeviceId>,
        record: &str,
        now: Timestamp,
        safeguards: &S,
    ) {
        if safeguards.login_clears(bucket) {
            self.count(bucket).into_iter().for_each(|count| *count = Count::default());
        } else {
            self.give_back(bucket, safeguards);
        }
        if let Bucket::Device(id) = bucket
            && let Some(device) = self.device(id)
        {
            (device.seen, device.has_returned) = (now, true);
        }
        for id in devices {
            match self.device(&id) {
                Some(device) => device.seen = now,
                None => {
                    self.make_room(&id, record, safeguards);
                    let record = record.to_owned();
                    self.devices.push(Device { id, count: Count::default(), seen: now, has_returned: false, record });
                }
            }
        }
    }

    /// Makes room for one more device of this kind and record; devices of other records, whose names differ only in
    /// case, stay. Devices whose cookie was never sent back are dropped first: a client that ignores cookies gets a new
    /// one at each log-in, which must not push out those of browsers.
    fn make_room<S: Safeguards + ?Sized>(&mut self, id: &DeviceId, record: &str, safeguards: &S) {
        let is_address = |id: &DeviceId| matches!(id, DeviceId::Address(_));
        let most = if is_address(id) { MOST_ADDRESSES } else { MOST_COOKIES };
        let is_of_record = |device: &Device| safeguards.may_drop_for(&device.record, record);
        let is_like = |device: &&Device| is_address(&device.id) == is_address(id) && is_of_record(device);
        let like: Vec<&Device> = self.devices.iter().filter(is_like).collect();
        let once = like.iter().filter(|device| !device.has_returned && !is_address(&device.id)).count();
        let mut first = None;
        if like.len() >= most || once >= MOST_NEW_COOKIES {
            first = like.iter().min_by_key(|device| (once >= MOST_NEW_COOKIES && device.has_returned, device.seen));
        }
        let mut goes = first.map(|device| device.id.clone());
        if goes.is_none() && self.devices.len() >= MOST_DEVICES {
            // All records together are at the limit: the record with most devices loses its oldest one.
            let number = |device: &Device| self.devices.iter().filter(|other| other.record == device.record).count();
            let largest = self.devices.iter().max_by_key(|device| (number(device), std::cmp::Reverse(device.seen)));
            goes = largest.map(|device| device.id.clone());
        }
        self.devices.retain(|device| Some(&device.id) != goes.as_ref());
    }

    /// Whether a password may be tried from this address, for any name.
    pub(super) fn check_address(&mut self, now: Timestamp) -> Result<(), Wait> {
        self.strangers.check_address(now)
    }

    /// Counts a failure from this address.
    pub(super) fn record_address_failure(&mut self, now: Timestamp) {
        self.strangers.record_address_failure(now);
    }

    /// The password was not checked: the attempt does not count.
    pub(super) fn give_back<S: Safeguards + ?Sized>(&mut self, bucket: &Bucket, safeguards: &S) {
        self.count(bucket).into_iter().for_each(|count| count.give_back(safeguards));
    }

    /// Drops buckets whose failures are all forgiven, and devices that have not logged in for [`KNOWN_FOR`].
    pub(super) fn forget(&mut self, now: Timestamp) {
        self.devices.retain(|device| device.seen.later(KNOWN_FOR) > now);
        for count in self.devices.iter_mut().map(|device| &mut device.count).chain([&mut self.strangers]) {
            if count.forgiven() <= now {
                *count = Count::default();
            }
        }
    }

    /// The times at which [`Self::forget`] has something to drop.
    pub(super) fn next_forgotten(&self) -> impl Iterator<Item = Timestamp> {
        let devices = self.devices.iter().map(|device| device.seen.later(KNOWN_FOR));
        let strangers = (self.strangers != Count::default()).then(|| self.strangers.forgiven());
        devices.chain(strangers)
    }

    fn count(&mut self, bucket: &Bucket) -> Option<&mut Count> {
        match bucket {
            Bucket::Strangers => Some(&mut self.strangers),
            Bucket::Device(id) => self.device(id).map(|device| &mut device.count),
        }
    }

    fn device(&mut self, id: &DeviceId) -> Option<&mut Device> {
        self.devices.iter_mut().find(|device| device.id == *id)
    }
}

impl Count {
    fn take<S: Safeguards + ?Sized>(&mut self, now: Timestamp, safeguards: &S) -> Result<(), Wait> {
        self.give_up(now);
        let is_limited = safeguards.limits_attempts();
        if is_limited && self.wrong >= FREE {
            let under_way = u32::try_from(self.under_way.len()).unwrap_or(u32::MAX);
            let next = self.last.as_millis() + i64::from(delay(self.wrong.saturating_add(under_way))) * 1000;
            if now.as_millis() < next {
                let seconds = (next - now.as_millis() + 999) / 1000;
                return Err(Wait::Seconds(u32::try_from(seconds).unwrap_or(LONGEST).clamp(1, LONGEST)));
            }
            // Whole quarters of an hour since the last attempt; a clock that was set back forgives nothing.
            let forgiven_after = i64::from(safeguards.forgiven_after(LONGEST)) * 1000;
            let passed = (now.as_millis() - self.last.as_millis()).max(0) / forgiven_after;
            self.wrong = self.wrong.saturating_sub(u32::try_from(passed).unwrap_or(u32::MAX));
        } else if is_limited && self.under_way.len() >= UNDER_WAY {
            return Err(Wait::Busy);
        }
        self.under_way.push(now);
        self.last = now;
        Ok(())
    }

    /// For an address, only failures are counted. Once they cost a wait, an allowed attempt starts the next wait before
    /// its outcome is known, so that of many parallel attempts one is allowed.
    fn check_address(&mut self, now: Timestamp) -> Result<(), Wait> {
        let wrong = self.unforgiven(now);
        if wrong < FREE_FAILURES_BY_ADDRESS {
            return Ok(());
        }
        let doublings = (wrong - FREE_FAILURES_BY_ADDRESS).min(LONGEST_BY_ADDRESS.ilog2() + 1);
        let wait = (1 << doublings).min(LONGEST_BY_ADDRESS);
        let next = self.last.as_millis() + i64::from(wait) * 1000;
        match u32::try_from((next - now.as_millis() + 999) / 1000) {
            Ok(seconds) if seconds > 0 => Err(Wait::Seconds(seconds.min(LONGEST_BY_ADDRESS))),
            _ => {
                (self.wrong, self.last) = (wrong, now);
                Ok(())
            }
        }
    }

    fn record_address_failure(&mut self, now: Timestamp) {
        self.wrong = self.unforgiven(now).saturating_add(1);
        self.last = now;
    }

    /// The failures from an address that are not forgiven: one is forgiven for each minute since the last attempt.
    fn unforgiven(&self, now: Timestamp) -> u32 {
        let passed = (now.as_millis() - self.last.as_millis()).max(0) / (i64::from(LONGEST_BY_ADDRESS) * 1000);
        self.wrong.saturating_sub(u32::try_from(passed).unwrap_or(u32::MAX))
    }

    /// Counts attempts that have no outcome after [`GIVEN_UP`] as failed.
    fn give_up(&mut self, now: Timestamp) {
        let before = self.under_way.len();
        self.under_way.retain(|began| began.later(GIVEN_UP) > now);
        self.wrong += u32::try_from(before - self.under_way.len()).unwrap_or_default();
    }

    fn record_failure(&mut self) {
        // An attempt that was given up is counted already.
        if self.under_way.pop().is_some() {
            self.wrong += 1;
        }
    }

    fn give_back<S: Safeguards + ?Sized>(&mut self, safeguards: &S) {
        self.under_way.pop();
        if !safeguards.takes_back_one_attempt() {
            *self = Self::default();
        }
    }

    /// When all failures are forgiven, and those under way too if they fail.
    fn forgiven(&self) -> Timestamp {
        let wrong = self.wrong + u32::try_from(self.under_way.len()).unwrap_or_default();
        let seconds = i32::try_from(wrong.saturating_mul(LONGEST)).unwrap_or(i32::MAX);
        self.last.later(Duration::seconds(seconds))
    }
}

/// The wait after `wrong` failures, in seconds.
const fn delay(wrong: u32) -> u32 {
    match wrong {
        0..FREE => 0,
        FREE..STEEPEST => 1 << (wrong - FREE),
        _ => LONGEST,
    }
}
