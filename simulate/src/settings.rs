//! The random settings of a history: lifetimes, clock errors and fault rates.

use fastrand::Rng;
use tollgate::rules::{account::Lifetimes, time::Duration};

/// The lifetimes, clock errors and fault rates of one history. All times are in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// `TOLLGATE_REFRESH_GRACE`.
    pub grace: i64,
    /// `TOLLGATE_SESSION_IDLE`.
    pub idle: i64,
    /// `TOLLGATE_SESSION_LIFETIME`.
    pub session: i64,
    /// The lifetime of access tokens.
    pub access: i64,
    /// `JWT_LEEWAY`.
    pub leeway: i64,
    /// `TOLLGATE_REVOCATION_BOUND`.
    pub bound: i64,
    /// The maximum error of a clock.
    pub skew: i64,
    /// Percentage of messages that are lost.
    pub lost: u32,
    /// Percentage of messages that arrive twice.
    pub twice: u32,
    /// The maximum delay of a message.
    pub slowest: i64,
    /// Crashes in a thousand steps of an object.
    pub crashes: u32,
    /// Percentage of writes to KV that fail.
    pub store_fails: u32,
}

impl Settings {
    /// Draws settings.
    pub fn random(random: &mut Rng) -> Self {
        let mut one_of = |choices: &[i64]| choices[random.usize(..choices.len())];
        let (grace, idle) = (one_of(&[5_000, 10_000, 30_000]), one_of(&[20_000, 100_000, 1_000_000]));
        let (session, access) = (one_of(&[60_000, 600_000, 5_000_000]), one_of(&[4_000, 15_000, 60_000, 300_000]));
        let (leeway, bound) = (one_of(&[0, 0, 2_000, 10_000]), one_of(&[3_000, 10_000, 15_000]));
        let (skew, slowest) = (one_of(&[0, 20, 200, 200]), one_of(&[50, 500, 5_000]));
        let (lost, twice) = (one_of(&[0, 3, 15]), one_of(&[0, 3, 15]));
        let (crashes, store_fails) = (one_of(&[0, 20, 60]), one_of(&[0, 10, 40]));
        let small = |number: i64| u32::try_from(number).unwrap_or_default();
        let (lost, twice, crashes, store_fails) = (small(lost), small(twice), small(crashes), small(store_fails));
        Self { grace, idle, session, access, leeway, bound, skew, lost, twice, slowest, crashes, store_fails }
    }

    /// The lifetimes that go with each command to an object.
    pub fn lifetimes(&self) -> Lifetimes {
        let span = |millis| Duration::from_millis(millis).expect("less than a hundred years");
        Lifetimes {
            grace: span(self.grace),
            idle: span(self.idle),
            session: span(self.session),
            token: span(self.access + self.leeway),
        }
    }

    /// The maximum difference of two clocks plus 20 ms: no property is checked more exactly than that.
    pub fn slack(&self) -> i64 {
        2 * self.skew + 20
    }
}
