//! How long sessions and revocations last, and how many an account keeps.

use crate::rules::{
    json::{self, Map, Value},
    time::Duration,
};
use serde::{Deserialize, Serialize};

/// Maximum number of sessions of an account. One more ends the session that was used least recently.
pub const MAX_SESSIONS: usize = 100;
/// Maximum number of refresh tokens that a session keeps: the next one, and those spent within the grace. No retry
/// after a lost answer spends more than that.
pub const MAX_REFRESH_TOKENS: usize = 32;
/// Maximum length of a user's attributes as JSON, in bytes, where an account's object keeps them.
pub const MAX_ATTRIBUTES_BYTES: usize = 16 * 1024;
/// Maximum depth of a user's attributes: that of the rows and messages that hold them stays far below what a parser
/// takes (128).
const MAX_ATTRIBUTES_DEPTH: usize = 32;
/// How much longer than a token's lifetime its revocation is kept: the clocks of issuer, account and verifier differ,
/// and a token is still valid in its last second.
pub const REVOCATION_MARGIN: Duration = Duration::seconds(10);

/// The configured lifetimes. They come with each command, so that an object needs no configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifetimes {
    /// `TOLLGATE_REFRESH_GRACE`: how long after its use a spent refresh token gets the same successor again.
    pub grace: Duration,
    /// How long an unused session stays open: `TOLLGATE_SESSION_IDLE`, but at most the lifetime of its tokens.
    pub idle: Duration,
    /// `TOLLGATE_SESSION_LIFETIME`: how long a session stays open after its log-in.
    pub session: Duration,
    /// Maximum lifetime, plus leeway, of tokens verified without a lookup. Revocations are kept this long.
    pub token: Duration,
}

/// Whether an account's object can keep these attributes: they are neither too long nor nested too deeply.
#[must_use]
pub fn are_storable(attributes: &Map<String, Value>) -> bool {
    fn is_within(value: &Value, depth: usize) -> bool {
        depth > 0
            && match value {
                Value::Array(list) => list.iter().all(|value| is_within(value, depth - 1)),
                Value::Object(members) => members.values().all(|value| is_within(value, depth - 1)),
                _ => true,
            }
    }
    attributes.values().all(|value| is_within(value, MAX_ATTRIBUTES_DEPTH))
        && json::to_ascii(attributes).len() <= MAX_ATTRIBUTES_BYTES
}
