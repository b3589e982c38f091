//! The time, and times in words.

use std::time::{SystemTime, UNIX_EPOCH};
use tollgate::rules::time::Timestamp;

/// The present.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX / 2))
}

/// `2026-11-25 09:00:00 UTC`, for seconds since the epoch within ±2⁵³.
pub fn date(seconds: i64) -> String {
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days since 0000-03-01, so that the leap day is a year's last (Howard Hinnant, "chrono-compatible date algorithms").
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC", rest / 3600, rest / 60 % 60, rest % 60)
}

/// `in 5 minutes`, `3 hours ago`, `now`.
pub fn distance(seconds: i64) -> String {
    match seconds {
        0 => "now".into(),
        1.. => format!("in {}", length(seconds)),
        _ => format!("{} ago", length(-seconds)),
    }
}

/// `5 minutes`: the greatest unit of which there are two, or all of one.
fn length(seconds: i64) -> String {
    let units = [(86_400 * 365, "year"), (86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let fits = |unit: i64| seconds >= 2 * unit || seconds == unit;
    let (unit, noun) = units.into_iter().find(|(unit, _)| fits(*unit)).unwrap_or((1, "second"));
    let number = seconds / unit;
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_800_000_000, "2027-01-15 08:00:00 UTC"),
            (-1, "1969-12-31 23:59:59 UTC"),
            (4_102_444_799, "2099-12-31 23:59:59 UTC"),
        ] {
            assert_eq!(date(seconds), text);
        }
        date(1 << 53);
        date(-(1 << 53));
    }

    #[test]
    fn distances_are_told_in_the_unit_that_fits() {
        for (seconds, text) in [
            (0, "now"),
            (1, "in 1 second"),
            (300, "in 5 minutes"),
            (119, "in 119 seconds"),
            (-10_800, "3 hours ago"),
            (-86_400, "1 day ago"),
            (86_400 * 800, "in 2 years"),
        ] {
            assert_eq!(distance(seconds), text);
        }
    }
}
