//! Checks by subject: each takes the raw configuration and reports to the diagnostics. A value that a check computes
//! on the way is returned for the [`Config`](super::Config).

pub(super) mod assertions;
pub(super) mod cookies;
pub(super) mod cors;
pub(super) mod dialect;
pub(super) mod keys;
pub(super) mod limits;
pub(super) mod log;
pub(super) mod login;
pub(super) mod names;
pub(super) mod origin;
pub(in crate::rules) mod origins;
pub(super) mod passwords;
pub(super) mod rewrites;
pub(super) mod routes;
pub(super) mod sessions;
pub(super) mod tokens;
