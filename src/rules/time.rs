//! Points in time and lengths of time, as types that cannot be mixed up.
//!
//! **What always holds:** the current time is an argument. A [`NumericDate`] (RFC 7519 §2) is a point in whole seconds,
//! a [`Timestamp`] a point in milliseconds, a [`Duration`] a length in milliseconds.

use serde::{Deserialize, Serialize};

/// Maximum time for a decision, with all its waits; after that the request is answered 503. State of an older decision
/// belongs to a request that the runtime has cancelled.
pub const DECISION_TIMEOUT: Duration = Duration::seconds(60);

/// A point in time, in milliseconds since 1970-01-01T00:00:00Z (the Unix epoch).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since the epoch, as `Date.now()` returns.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// From whole seconds since the epoch.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds * 1000)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The earliest timestamp.
    pub const EARLIEST: Self = Self(i64::MIN);

    /// The latest timestamp.
    pub const LATEST: Self = Self(i64::MAX);

    /// One millisecond later.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The first millisecond of a second.
    #[must_use]
    pub const fn beginning_of(second: NumericDate) -> Self {
        Self(second.0.saturating_mul(1000))
    }

    /// This point plus `duration`; saturates.
    #[must_use]
    pub const fn later(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration.0))
    }

    /// The second that contains this point: rounded down, as both Flask libraries do.
    #[must_use]
    pub const fn numeric_date(self) -> NumericDate {
        NumericDate(self.0.div_euclid(1000))
    }

    /// The second that contains this point plus `duration`: rounded down after the sum (Flask-JWT's `exp` and `nbf`).
    #[must_use]
    pub const fn plus(self, duration: Duration) -> NumericDate {
        NumericDate((self.0 + duration.0).div_euclid(1000))
    }
}

/// A point in whole seconds since the epoch: `exp`, `nbf`, `iat` (RFC 7519 §2). Within ±2⁵³.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NumericDate(i64);

impl NumericDate {
    /// The range that a JSON number carries exactly, and in which sums with a [`Duration`] can't overflow.
    const LIMIT: i64 = 1 << 53;

    /// From seconds since the epoch; `None` beyond ±2⁵³.
    #[must_use]
    pub const fn new(seconds: i64) -> Option<Self> {
        if seconds >= -Self::LIMIT && seconds <= Self::LIMIT { Some(Self(seconds)) } else { None }
    }

    /// Seconds since the epoch.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0
    }

    /// One second later.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The first point at which [`NumericDate::is_after`] is no longer true, with the current time rounded down to
    /// seconds.
    #[must_use]
    pub const fn not_after_from(self, leeway: Duration) -> Timestamp {
        Timestamp(-(leeway.0 - self.0 * 1000).div_euclid(1000) * 1000)
    }

    /// The first point at which [`NumericDate::is_before`] is true, with the current time rounded down to seconds.
    #[must_use]
    pub const fn before_from(self, leeway: Duration) -> Timestamp {
        Timestamp(((self.0 * 1000 + leeway.0).div_euclid(1000) + 1) * 1000)
    }

    /// Whether this point is later than `now` plus `leeway`.
    #[must_use]
    pub const fn is_after(self, now: Self, leeway: Duration) -> bool {
        self.0 * 1000 > now.0 * 1000 + leeway.0
    }

    /// Whether this point is earlier than `now` minus `leeway`.
    #[must_use]
    pub const fn is_before(self, now: Self, leeway: Duration) -> bool {
        self.0 * 1000 < now.0 * 1000 - leeway.0
    }
}

/// A half-open range: includes `start`, excludes `end`.
pub type TimeRange = std::ops::Range<Timestamp>;

/// A length of time in milliseconds, from -100 to 100 years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Duration(i64);

impl Duration {
    /// Zero.
    pub const ZERO: Self = Self(0);
    const LIMIT: i64 = 100 * 366 * 86_400 * 1000;

    /// From milliseconds known to be in range (constants).
    #[must_use]
    pub const fn millis(millis: i32) -> Self {
        Self(millis as i64)
    }

    /// From milliseconds; `None` beyond ±100 years.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Option<Self> {
        if millis >= -Self::LIMIT && millis <= Self::LIMIT { Some(Self(millis)) } else { None }
    }

    /// The sum, at most 100 years.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        let sum = self.0 + other.0;
        if sum > Self::LIMIT { Self(Self::LIMIT) } else { Self(sum) }
    }

    /// From whole seconds known to be in range (constants).
    #[must_use]
    pub const fn seconds(seconds: i32) -> Self {
        Self(seconds as i64 * 1000)
    }

    /// The length in milliseconds.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Parses a text such as `90`, `1.5`, `-2`, `30s`, `5m`, `1h`, `7d` or `250ms`; a bare number means seconds. `None`
    /// for any other form and beyond ±100 years.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let scale: i64 = match &text[digits.len()..] {
            "" | "s" => 1000,
            "ms" => 1,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        let (is_negative, digits) = match digits.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, digits.strip_prefix('+').unwrap_or(digits)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if digits.trim_matches('.').is_empty() || !is_number(whole) || !is_number(fraction) {
            return None;
        }
        let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        // Integers: `f64::from_str` would bring tables of 10 KiB into the module.
        const BILLION: i64 = 1_000_000_000;
        let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
        let billionths = digits.fold(0, |number, digit| number * 10 + i64::from(digit - b'0'));
        let millis = whole.checked_mul(scale)?.checked_add((billionths * scale + BILLION / 2) / BILLION)?;
        Self::from_millis(if is_negative { -millis } else { millis })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_in_all_their_spellings() {
        for (text, millis) in [
            ("0", 0),
            ("300", 300_000),
            ("1.5", 1500),
            ("-2", -2000),
            ("30s", 30_000),
            ("5m", 300_000),
            ("1h", 3_600_000),
            ("7d", 604_800_000),
            ("250ms", 250),
            (" 5m ", 300_000),
            ("+2", 2000),
            (".5", 500),
            ("5.", 5000),
            ("-0.25", -250),
            ("0.0004", 0),
            ("0.0005", 1),
            ("1.9999999999", 2000),
            ("0.000000011574074074d", 1),
            ("-3153600000", -3_153_600_000_000),
            ("36600d", 3_162_240_000_000),
        ] {
            assert_eq!(Duration::parse(text).map(Duration::as_millis), Some(millis), "{text:?}");
        }
        for text in [
            "",
            "m",
            "5 m",
            "5x",
            "1e3",
            "inf",
            "nan",
            "--1",
            "1-1",
            ".",
            "-.",
            "1.2.3",
            "36601d",
            "3162240000.001",
            "9999999999999d",
            "99999999999999999999",
            "5mm",
            "٣",
        ] {
            assert_eq!(Duration::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn comparisons_hold_at_their_boundaries() {
        let now = NumericDate::new(1000).unwrap();
        let at = |s| NumericDate::new(s).unwrap();
        let leeway = Duration::seconds(10);
        for (seconds, after, before) in
            [(989, false, true), (990, false, false), (1010, false, false), (1011, true, false)]
        {
            assert_eq!(at(seconds).is_after(now, leeway), after, "{seconds}");
            assert_eq!(at(seconds).is_before(now, leeway), before, "{seconds}");
        }
        let edge = NumericDate::new(NumericDate::LIMIT).unwrap();
        assert!(edge.is_after(now, Duration::from_millis(Duration::LIMIT).unwrap()), "no overflow at the ends");
        assert!(at(-NumericDate::LIMIT).is_before(edge, Duration::from_millis(Duration::LIMIT).unwrap()));
        assert_eq!(NumericDate::new(NumericDate::LIMIT + 1), None);
    }

    #[test]
    fn a_fraction_of_a_second_takes_part_before_the_cut() {
        let now = Timestamp::from_millis(10_700);
        assert_eq!(now.numeric_date().seconds(), 10);
        assert_eq!(now.plus(Duration::parse("0.5").unwrap()).seconds(), 11);
        assert_eq!(Timestamp::from_millis(-1).numeric_date().seconds(), -1);
    }
}
