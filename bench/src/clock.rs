//! The clock.

use tollgate::rules::time::Timestamp;

/// The current time.
pub fn now() -> Timestamp {
    Timestamp::from_millis(jiff::Timestamp::now().as_millisecond())
}

/// The day in UTC, as `2026-11-25`.
pub fn today() -> String {
    jiff::Timestamp::now().strftime("%F").to_string()
}
