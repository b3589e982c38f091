//! Hashes of passwords for an application that keeps its users itself.

use super::{load, random};
use crate::rules::{
    password::{self, Check, HashFault, Hashing},
    secret::Secret,
};
use wasm_bindgen::prelude::*;

/// Whether a password is right. `stored` is a hash, in any form that the gate reads (docs/storage.md), or `None` for an
/// unknown user, which takes the same time. Blocks for a third of a second.
///
/// # Errors
/// An exception for a hash that can't be used.
pub fn check(stored: Option<&str>, password: String) -> Result<bool, JsValue> {
    match password::check(stored, &Secret::new(password), hashing()?) {
        Ok(Check::Right | Check::RightButOutdated) => Ok(true),
        Ok(Check::Wrong) => Ok(false),
        Err(fault) => Err(js_sys::Error::new(why(fault)).into()),
    }
}

/// The hash to store for a password. Blocks for a third of a second.
///
/// # Errors
/// An exception before the gate is made.
pub fn hash(password: String) -> Result<String, JsValue> {
    Ok(password::hash(&Secret::new(password), hashing()?, random::array()).to_string())
}

/// As the gate is configured: without its peppers a hash would be worth less.
fn hashing() -> Result<&'static Hashing, JsValue> {
    let gate = load::loaded().ok_or_else(|| js_sys::Error::new("the gate is made at its first request"))?;
    Ok(&gate.config().hashing)
}

const fn why(fault: HashFault) -> &'static str {
    match fault {
        HashFault::UnknownFormat => "the stored hash has an unknown format (docs/storage.md)",
        HashFault::CostTooLow => "the stored hash costs less than 100,000 iterations",
        HashFault::CostTooHigh => "the stored hash costs too much",
        HashFault::MemoryTooHigh => "the stored hash needs too much memory",
        HashFault::UnknownPepper => "the stored hash has a pepper that is not in TOLLGATE_PASSWORD_PEPPERS",
        HashFault::NoScrypt => "scrypt needs node:crypto: a compatibility_date from 2026-08-04 on, or nodejs_compat",
        HashFault::ScryptFailed => "scrypt failed",
    }
}
