//! The time, and times in words.

use std::time::{SystemTime, UNIX_EPOCH};
use tollgate::rules::time::Timestamp;

/// The present.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX / 2))
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
