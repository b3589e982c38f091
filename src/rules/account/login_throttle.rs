//! How often a password may be tried.
//!
//! **What always holds:** a try is counted before the password is looked at, so that a hundred at once are a hundred.
//! Some may be under way at the same time, and the first few that were wrong cost nothing; then each costs twice the
//! wait of the one before, up to a quarter of an hour. One is forgiven for each quarter of an hour. No user is ever
//! locked out: a device that logged in before has a bucket of its own, so what strangers do does not hold up the owner.
//!
//! A right password forgives only what was tried in a bucket that belongs to one device and one record. The object
//! counts for all names that differ in capitals or outer blanks only; a device is known for the exact record that it
//! logged in as.

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
/// A try of which nothing was heard for so long was a wrong one.
const GIVEN_UP: Duration = Duration::seconds(30);
/// The longest wait, and the time in which one try is forgiven, in seconds.
const LONGEST: u32 = 15 * 60;
/// Wrong tries when the wait is the longest: 1, 2, 4 … 512 seconds lie before it.
const STEEPEST: u32 = FREE + 10;
/// The most tries that one bucket allows in any 24 hours: the free ones and those under way at once, then one each
/// quarter of an hour.
pub const MOST_GUESSES_A_DAY: u32 = FREE + UNDER_WAY as u32 + 24 * 60 * 60 / LONGEST;
/// Failures from one address, about whatever names, that cost no wait: a school whose pupils log in at once makes some.
pub const FREE_FAILURES_BY_ADDRESS: u32 = 50;
/// The longest wait for an address, and the time in which one failure is forgiven, in seconds.
pub const LONGEST_BY_ADDRESS: u32 = 60;
/// The most failures from one address in any 24 hours: the free ones, those whose wait is shorter than a minute (1, 2,
/// 4 … 32 seconds), then one a minute. Beyond them only those that were under way when the last free one failed.
pub const MOST_FAILURES_A_DAY_BY_ADDRESS: u32 =
    FREE_FAILURES_BY_ADDRESS + LONGEST_BY_ADDRESS.ilog2() + 1 + 24 * 60 * 60 / LONGEST_BY_ADDRESS;
/// Devices that are known by their cookie.
const MOST_COOKIES: usize = 12;
/// Of these, those whose cookie has not come back yet.
const MOST_NEW_COOKIES: usize = 4;
/// Devices that are known by their address: whoever shares one has its bucket, so there are few.
const MOST_ADDRESSES: usize = 4;
/// Devices of all records together whose names differ in capitals only.
const MOST_DEVICES: usize = 64;
/// A device that was not used for so long is a stranger again.
const KNOWN_FOR: Duration = crate::rules::device::KNOWN_FOR;

/// Not yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wait {
    /// Others are under way, and none is known to be wrong: in a moment.
    Busy,
    /// So many seconds, at least 1.
    Seconds(u32),
}

/// What was tried.
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
    /// Its last log-in.
    seen: Timestamp,
    /// Has it been known again since the log-in by which it became known?
    #[serde(default)]
    has_returned: bool,
    /// The record for which it is known; empty for those of before.
    #[serde(default)]
    record: String,
}

/// The tries of one bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Count {
    /// Those that were wrong.
    wrong: u32,
    /// When those began that are under way.
    under_way: Vec<Timestamp>,
    /// When the last one began.
    last: Timestamp,
}

impl LoginThrottle {
    /// Counts a try, in the first bucket that allows it: that of a device that is known by its cookie, else the
    /// strangers'. At a known address the try is counted there and nowhere else, so that as many tries are allowed
    /// there as elsewhere: their number does not say who logs in from it.
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

    /// The password was right. The bucket of a device that is known by its cookie is clear again; among the strangers,
    /// and at an address, which others may share, only this try is forgiven, or each log-in of the owner would give
    /// them as many more.
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

    /// For one more device of this kind, of this record: others' devices stay, whose names differ in capitals only.
    /// Those go first whose cookie never came back: a client that keeps none gets a new one at each log-in, which must
    /// not push out those of browsers.
    fn make_room<S: Safeguards + ?Sized>(&mut self, id: &DeviceId, record: &str, safeguards: &S) {
        let is_address = |id: &DeviceId| matches!(id, DeviceId::Address(_));
        let most = if is_address(id) { MOST_ADDRESSES } else { MOST_COOKIES };
        let is_of_record = |device: &Device| safeguards.makes_room_for(&device.record, record);
        let is_like = |device: &&Device| is_address(&device.id) == is_address(id) && is_of_record(device);
        let like: Vec<&Device> = self.devices.iter().filter(is_like).collect();
        let once = like.iter().filter(|device| !device.has_returned && !is_address(&device.id)).count();
        let mut first = None;
        if like.len() >= most || once >= MOST_NEW_COOKIES {
            first = like.iter().min_by_key(|device| (once >= MOST_NEW_COOKIES && device.has_returned, device.seen));
        }
        let mut goes = first.map(|device| device.id.clone());
        if goes.is_none() && self.devices.len() >= MOST_DEVICES {
            // Of all records: the largest number gives way.
            let number = |device: &Device| self.devices.iter().filter(|other| other.record == device.record).count();
            let largest = self.devices.iter().max_by_key(|device| (number(device), std::cmp::Reverse(device.seen)));
            goes = largest.map(|device| device.id.clone());
        }
        self.devices.retain(|device| Some(&device.id) != goes.as_ref());
    }

    /// May a password be tried from this address, of whatever name?
    pub(super) fn check_address(&mut self, now: Timestamp) -> Result<(), Wait> {
        self.strangers.check_address(now)
    }

    /// A password that was tried from this address was wrong.
    pub(super) fn record_address_failure(&mut self, now: Timestamp) {
        self.strangers.record_address_failure(now);
    }

    /// The password was not tried after all.
    pub(super) fn give_back<S: Safeguards + ?Sized>(&mut self, bucket: &Bucket, safeguards: &S) {
        self.count(bucket).into_iter().for_each(|count| count.give_back(safeguards));
    }

    /// Drops failures that are forgiven, and devices that were not used for too long.
    pub(super) fn forget(&mut self, now: Timestamp) {
        self.devices.retain(|device| device.seen.later(KNOWN_FOR) > now);
        for count in self.devices.iter_mut().map(|device| &mut device.count).chain([&mut self.strangers]) {
            if count.forgiven() <= now {
                *count = Count::default();
            }
        }
    }

    /// When there is something to forget.
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
            // Whole quarters of an hour since the last one; a clock that was set back forgives nothing.
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

    /// For an address, of which failures alone are counted. Once they cost a wait, an attempt takes the place of the
    /// next one before its outcome is known: of a hundred at once one is allowed.
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

    /// The failures from an address without those that were forgiven, one for each minute since the last.
    fn unforgiven(&self, now: Timestamp) -> u32 {
        let passed = (now.as_millis() - self.last.as_millis()).max(0) / (i64::from(LONGEST_BY_ADDRESS) * 1000);
        self.wrong.saturating_sub(u32::try_from(passed).unwrap_or(u32::MAX))
    }

    /// Those of which nothing was heard.
    fn give_up(&mut self, now: Timestamp) {
        let before = self.under_way.len();
        self.under_way.retain(|began| began.later(GIVEN_UP) > now);
        self.wrong += u32::try_from(before - self.under_way.len()).unwrap_or_default();
    }

    fn record_failure(&mut self) {
        // One that was given up has been counted.
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

    /// When all of it is forgiven.
    fn forgiven(&self) -> Timestamp {
        let wrong = self.wrong + u32::try_from(self.under_way.len()).unwrap_or_default();
        let seconds = i32::try_from(wrong.saturating_mul(LONGEST)).unwrap_or(i32::MAX);
        self.last.later(Duration::seconds(seconds))
    }
}

/// The wait after so many wrong tries, in seconds.
const fn delay(wrong: u32) -> u32 {
    match wrong {
        0..FREE => 0,
        FREE..STEEPEST => 1 << (wrong - FREE),
        _ => LONGEST,
    }
}
