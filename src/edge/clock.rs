//! Time in workerd: the clock, waiting, and JavaScript's milliseconds.

use crate::rules::time::{Duration, Timestamp};
use futures_util::future::{Either, select};
use std::{future::Future, pin::pin};

/// The current time.
pub(super) fn now() -> Timestamp {
    #[allow(clippy::cast_possible_truncation)] // whole milliseconds, far below 2^53
    Timestamp::from_millis(js_sys::Date::now() as i64)
}

/// A future that is ready after `duration`.
pub(super) fn delay(duration: Duration) -> worker::Delay {
    std::time::Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or_default()).into()
}

/// Waits for a future, but no longer than `limit`; `None` if it is not ready by then.
pub(super) async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    match select(pin!(future), pin!(delay(limit))).await {
        Either::Left((value, _)) => Some(value),
        Either::Right(((), _)) => None,
    }
}

/// A time of JavaScript, in milliseconds since the Unix epoch.
#[allow(clippy::cast_possible_truncation)] // whole milliseconds, far below 2^53
pub(super) fn timestamp(milliseconds: f64) -> Timestamp {
    Timestamp::from_millis(milliseconds as i64)
}

/// A time for JavaScript, in milliseconds since the Unix epoch.
#[allow(clippy::cast_precision_loss)] // far below 2^53, but for the minimum and the maximum
pub(super) fn milliseconds(timestamp: Timestamp) -> f64 {
    timestamp.as_millis() as f64
}

/// A duration for JavaScript, in milliseconds.
#[allow(clippy::cast_precision_loss)] // far below 2^53
pub(super) fn duration_ms(duration: Duration) -> f64 {
    duration.as_millis() as f64
}
