//! The clock, and times as text.

use jiff::{
    RoundMode, SpanRound, Timestamp, Unit, Zoned,
    fmt::friendly::{Designator, Direction, Spacing, SpanPrinter},
    tz::TimeZone,
};
use tollgate::rules::time;

/// The current time.
pub fn now() -> time::Timestamp {
    time::Timestamp::from_millis(Timestamp::now().as_millisecond())
}

/// A time in seconds since 1970: `2026-11-25 09:46:40 UTC`. `None` after the year 9999.
pub fn utc(seconds: i64) -> Option<String> {
    Some(zoned(seconds)?.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// The same with its distance from `now`: `2026-11-25 09:46:40 UTC, 3 hours ago`.
pub fn utc_and_distance(seconds: i64, now: time::Timestamp) -> Option<String> {
    let now = zoned(now.numeric_date().seconds())?;
    Some(format!("{}, {}", utc(seconds)?, distance(&now, &zoned(seconds)?)?))
}

fn zoned(seconds: i64) -> Option<Zoned> {
    Some(Timestamp::from_second(seconds).ok()?.to_zoned(TimeZone::UTC))
}

/// `in 5 minutes`, `3 hours ago` or `now`: whole numbers of the largest unit that there are two of, or exactly one.
fn distance(now: &Zoned, then: &Zoned) -> Option<String> {
    const PRINTER: SpanPrinter = SpanPrinter::new()
        .designator(Designator::Verbose)
        .spacing(Spacing::BetweenUnitsAndDesignators)
        .direction(Direction::Suffix);
    let span = now.until(then).ok()?;
    let fits = |unit: &Unit| span.total((*unit, now)).is_ok_and(|total| total.abs() >= 2.0 || total.abs() == 1.0);
    let unit = [Unit::Year, Unit::Day, Unit::Hour, Unit::Minute].into_iter().find(fits).unwrap_or(Unit::Second);
    let rounding = SpanRound::new().largest(unit).smallest(unit).mode(RoundMode::Trunc).relative(now);
    let span = span.round(rounding).ok()?;
    Some(match span.signum() {
        0 => "now".into(),
        1 => format!("in {}", PRINTER.span_to_string(&span)),
        _ => PRINTER.span_to_string(&span),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    #[test]
    fn a_distance_is_in_the_largest_unit_that_fits() {
        for (seconds, text) in [
            (0, "now"),
            (1, "in 1 second"),
            (60, "in 1 minute"),
            (119, "in 119 seconds"),
            (120, "in 2 minutes"),
            (300, "in 5 minutes"),
            (-10_800, "3 hours ago"),
            (-86_400, "1 day ago"),
            (86_400 * 365, "in 1 year"),
            (86_400 * 400, "in 400 days"),
            (86_400 * 800, "in 2 years"),
        ] {
            let then = zoned(NOW + seconds).unwrap();
            assert_eq!(distance(&zoned(NOW).unwrap(), &then).as_deref(), Some(text), "{seconds}");
        }
    }

    #[test]
    fn times_beyond_the_calendar_have_no_text() {
        assert_eq!(utc(NOW).as_deref(), Some("2027-01-15 08:00:00 UTC"));
        let now = time::Timestamp::from_seconds(NOW);
        assert_eq!(utc_and_distance(NOW, now).as_deref(), Some("2027-01-15 08:00:00 UTC, now"));
        for seconds in [i64::MAX, i64::MIN, 1 << 53] {
            assert_eq!((utc(seconds), utc_and_distance(seconds, now)), (None, None), "{seconds}");
        }
    }
}
