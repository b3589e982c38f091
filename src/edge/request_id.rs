//! The ids of requests: a random prefix, which is the instance's, and a number.

use super::random;
use base64ct::{Base64UrlUnpadded, Encoding};
use std::cell::{Cell, OnceCell};

thread_local! {
    static PREFIX: OnceCell<String> = const { OnceCell::new() };
    static NUMBER: Cell<u32> = const { Cell::new(0) };
}

/// The prefix: twelve random characters and a hyphen. A request's number follows.
pub(super) fn prefix() -> String {
    PREFIX.with(|id| id.get_or_init(|| Base64UrlUnpadded::encode_string(&random::array::<9>()) + "-").clone())
}

/// The number of the next request.
pub(super) fn next_number() -> u32 {
    NUMBER.with(|number| number.replace(number.get().wrapping_add(1)))
}
