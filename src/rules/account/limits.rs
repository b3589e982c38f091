//! How long sessions and revocations last, and how many an account keeps.

use crate::rules::time::Duration;
use serde::{Deserialize, Serialize};

/// Maximum number of sessions of an account. One more ends the session that was used least recently.
pub const MAX_SESSIONS: usize = 100;
/// Maximum number of refresh tokens that a session keeps: the next one, and those spent within the grace. A client that
/// spends more in ten seconds has no bad connection.
pub const MAX_REFRESH_TOKENS: usize = 32;
/// How much longer than a token's lifetime its revocation is kept: the clocks of issuer, account and verifier differ,
/// and a token is still valid in its last second.
pub const REVOCATION_MARGIN: Duration = Duration::seconds(10);

/// How long things last. Comes with each command, so that an object needs no configuration of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifetimes {
    /// `TOLLGATE_REFRESH_GRACE`: so long after a refresh token was spent a retry gets its successor once more.
    pub grace: Duration,
    /// A session ends when it was not used for so long: `TOLLGATE_SESSION_IDLE`, and no longer than its tokens live.
    pub idle: Duration,
    /// `TOLLGATE_SESSION_LIFETIME`: a session ends so long after its log-in.
    pub session: Duration,
    /// Maximum lifetime, plus leeway, of tokens verified without a lookup. Revocations are kept this long.
    pub token: Duration,
}
