//! The gate: decides every request.
//!
//! **What always holds:** [`Gate::decide`] decides from memory, synchronously; where memory is not enough,
//! [`Gate::resume`] asks a [`crate::Host`] and the application's [`crate::Users`]. Each endpoint is one file, read from
//! top to bottom.
//!
//! **Where to look:** the order of all checks is in `decide.rs`; a request under a rule in `rule.rs`; where a token is
//! looked for in `../dialect/`; what JavaScript may replay in `revocation.rs`; limits in `limits.rs`; how a
//! rejection is worded in `wording.rs`. In the list of modules below, a file uses only those above it.

mod decision;

mod core;

mod body;
mod client_info;
mod cors;
mod wording;

mod grant;
mod limits;
mod revocation;
mod token_source;

mod admin;
mod login;
mod logout;
mod password;
mod refresh;
mod rule;
mod sessions;

mod question;

mod decide;

pub use self::core::Gate;
pub use crate::rules::time::DECISION_TIMEOUT;
pub use crate::rules::token::TokenSpec;
pub use decide::Continuation;
pub use decision::{Answered, Authorized, Decided, Decision, Outcome, Principal, Rejected};

#[cfg(test)]
mod tests;
