//! How long sessions and revocations last, and how many an account keeps.

use crate::rules::time::Duration;
use serde::{Deserialize, Serialize};

/// Maximum number of sessions of an account. One more ends the session that was used least recently.
pub const MAX_SESSIONS: usize = 100;
/// Maximum number of refresh tokens that a session keeps: the next one, and those spent within the grace. No retry
/// after a lost answer spends more than that.
pub const MAX_REFRESH_TOKENS: usize = 32;
/// Maximum length of a user's attributes as JSON, in bytes, where an account's object keeps them.
pub const MAX_ATTRIBUTES_BYTES: usize = 16 * 1024;
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
