//! The rules of the gate: every decision, and no I/O.
//!
//! **What always holds:** no I/O, no clock, no randomness, no `worker` type. Time and random bytes are arguments or
//! come from a [`crate::Host`], which also does everything that waits. `worker` is a dependency of the wasm32 target
//! only, so these modules would not build natively if they used it.
//!
//! **Where to look:** the order of checks is in [`gate`], the words of a rejection in [`dialect`] and [`rejection`],
//! the records in KV in [`store`], the options in [`config::options`].

pub mod account;
pub mod answer;
pub mod assertion;
pub mod attribute_claims;
pub mod browser;
pub mod config;
pub mod cookie;
pub mod cors;
pub mod device;
pub mod diagnostic;
pub mod dialect;
pub mod forward;
pub mod gate;
pub mod header;
pub mod hooks;
pub mod identity;
pub mod ids;
pub mod json;
pub mod log;
pub mod login;
pub mod origin;
pub mod pair;
pub mod password;
pub mod proxies;
pub mod rejection;
pub mod request;
pub mod revocation;
pub mod route;
pub mod safeguards;
pub mod secret;
pub mod socket;
pub mod store;
pub mod time;
pub mod token;
