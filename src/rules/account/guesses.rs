//! How often a password may be tried.
//!
//! **What always holds:** a try is counted before the password is looked at, so that a hundred at once are a hundred. The
//! first few cost nothing, then each costs twice the wait of the one before, up to a quarter of an hour; one is forgiven
//! for each quarter of an hour. Nobody is ever locked out: a device that logged in before has a lane of its own, so what
//! strangers do does not hold up the owner.

use super::Timestamp;
use crate::{mutant::Mutant, rules::time::Span};
use serde::{Deserialize, Serialize};

/// As many tries cost no wait.
const FREE: u32 = 5;
/// The longest wait, and the time in which one try is forgiven, in seconds.
const LONGEST: u32 = 15 * 60;
/// Tries that were made when the wait is the longest: 1, 2, 4 … 512 seconds lie before it.
const STEEPEST: u32 = FREE + 10;
/// The most tries that one lane allows in any 24 hours.
pub const MOST_GUESSES_A_DAY: u32 = STEEPEST + 1 + 24 * 60 * 60 / LONGEST;
/// Devices that are known by their cookie.
const MOST_COOKIES: usize = 12;
/// Devices that are known by their address: whoever shares one has its lane, so there are few.
const MOST_ADDRESSES: usize = 4;
/// A device that was not used for so long is a stranger again.
const KNOWN_FOR: Span = Span::seconds(90 * 86_400);

/// How a device is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceId {
    /// By the SHA-256 of a secret in a cookie.
    Cookie(String),
    /// By the SHA-256 of an address, for clients without cookies.
    Address(String),
}

/// Whose tries are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lane {
    /// Those of all devices that are not known.
    Strangers,
    /// Those of one that is.
    Device(DeviceId),
}

/// Not yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// So many seconds, at least 1.
    pub seconds: u32,
}

/// What was tried.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Guesses {
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
}

/// The tries of one lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Count {
    tries: u32,
    last: Timestamp,
}

impl Default for Count {
    fn default() -> Self {
        Self { tries: 0, last: Timestamp::from_millis(0) }
    }
}

impl Guesses {
    /// Counts a try, in the first lane that allows it: a known device's, else the strangers'.
    pub(super) fn take(&mut self, shown: &[DeviceId], now: Timestamp) -> Result<Lane, Wait> {
        let mut shortest = None;
        for device in
            self.devices.iter_mut().filter(|device| shown.contains(&device.id) && !Mutant::NoLaneOfItsOwn.is_on())
        {
            match device.count.take(now) {
                Err(_) if Mutant::DeviceUnlimited.is_on() => return Ok(Lane::Device(device.id.clone())),
                Ok(()) => return Ok(Lane::Device(device.id.clone())),
                Err(wait) => shortest = Some(shortest.map_or(wait.seconds, |other: u32| other.min(wait.seconds))),
            }
        }
        if let Some(device) = shown.first().filter(|_| Mutant::EveryoneHasALane.is_on() && shortest.is_none()) {
            return Ok(Lane::Device(device.clone()));
        }
        match self.strangers.take(now) {
            Ok(()) => Ok(Lane::Strangers),
            Err(Wait { seconds }) => Err(Wait { seconds: shortest.map_or(seconds, |other| other.min(seconds)) }),
        }
    }

    /// The password was right. A device's own lane is clear again; among the strangers only this try is forgiven, or each
    /// log-in of the owner would give them as many more.
    pub(super) fn was_right(&mut self, lane: &Lane, device: Option<DeviceId>, now: Timestamp) {
        match lane {
            Lane::Strangers if Mutant::LogInClearsStrangers.is_on() => self.strangers = Count::default(),
            Lane::Strangers => self.strangers.give_back(),
            Lane::Device(id) => {
                if let Some(device) = self.device(id) {
                    (device.count, device.seen) = (Count::default(), now);
                }
            }
        }
        let Some(id) = device else { return };
        match self.device(&id) {
            Some(device) => device.seen = now,
            None => {
                let is_address = |id: &DeviceId| matches!(id, DeviceId::Address(_));
                let most = if is_address(&id) { MOST_ADDRESSES } else { MOST_COOKIES };
                let like = || self.devices.iter().filter(|device| is_address(&device.id) == is_address(&id));
                if like().count() >= most {
                    let oldest = like().min_by_key(|device| device.seen).map(|device| device.id.clone());
                    self.devices.retain(|device| Some(&device.id) != oldest.as_ref());
                }
                self.devices.push(Device { id, count: Count::default(), seen: now });
            }
        }
    }

    /// The password was not tried after all.
    pub(super) fn give_back(&mut self, lane: &Lane) {
        match lane {
            Lane::Strangers => self.strangers.give_back(),
            Lane::Device(id) => self.device(id).into_iter().for_each(|device| device.count.give_back()),
        }
    }

    /// What is forgiven, and which devices are strangers again.
    pub(super) fn forget(&mut self, now: Timestamp) {
        self.devices.retain(|device| device.seen.later(KNOWN_FOR) > now);
        for count in self.devices.iter_mut().map(|device| &mut device.count).chain([&mut self.strangers]) {
            if count.forgiven() <= now {
                *count = Count::default();
            }
        }
    }

    /// When there is something to forget.
    pub(super) fn forgotten(&self) -> impl Iterator<Item = Timestamp> {
        let devices = self.devices.iter().map(|device| device.seen.later(KNOWN_FOR));
        let strangers = (self.strangers != Count::default()).then(|| self.strangers.forgiven());
        devices.chain(strangers)
    }

    fn device(&mut self, id: &DeviceId) -> Option<&mut Device> {
        self.devices.iter_mut().find(|device| device.id == *id)
    }
}

impl Count {
    fn take(&mut self, now: Timestamp) -> Result<(), Wait> {
        // Whole quarters of an hour since the last try; a clock that was set back forgives nothing.
        let forgiven_in = if Mutant::ForgivenByTheMinute.is_on() { 60 } else { LONGEST };
        let passed = (now.as_millis() - self.last.as_millis()).max(0) / (i64::from(forgiven_in) * 1000);
        let tries = self.tries.saturating_sub(u32::try_from(passed).unwrap_or(u32::MAX));
        let next = self.last.as_millis() + i64::from(delay(self.tries)) * 1000;
        if now.as_millis() < next && !Mutant::GuessesUnlimited.is_on() {
            let seconds = (next - now.as_millis() + 999) / 1000;
            return Err(Wait { seconds: u32::try_from(seconds).unwrap_or(LONGEST).clamp(1, LONGEST) });
        }
        *self = Self { tries: (tries + 1).min(STEEPEST), last: now };
        Ok(())
    }

    fn give_back(&mut self) {
        self.tries = if Mutant::UntriedForgivesAll.is_on() { 0 } else { self.tries.saturating_sub(1) };
    }

    /// When all of it is forgiven.
    fn forgiven(&self) -> Timestamp {
        #[allow(clippy::cast_possible_wrap)] // STEEPEST at most
        self.last.later(Span::seconds((self.tries * LONGEST) as i32))
    }
}

/// The wait after so many tries, in seconds.
const fn delay(tries: u32) -> u32 {
    match tries {
        0..FREE => 0,
        FREE..STEEPEST => 1 << (tries - FREE),
        _ => LONGEST,
    }
}
