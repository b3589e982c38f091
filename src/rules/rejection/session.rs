//! Rejections of a request to end a session or a token.

use super::Words;

/// Why a session or token was not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionRejection {
    /// There is no such session.
    Unknown,
    /// The token can't be revoked: the gate keeps no sessions and the token is in no cookie, or the token has neither a
    /// session nor an id.
    NotRevocable,
}

impl SessionRejection {
    pub(in crate::rules) const fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "session_unknown",
            Self::NotRevocable => "token_not_revocable",
        }
    }

    pub(in crate::rules) fn words(&self) -> Words<'_> {
        match self {
            Self::Unknown => Words::new(404, "Not Found", "There is no such session (any more)"),
            Self::NotRevocable => Words::new(
                501,
                "Not Implemented",
                "Nothing was ended: the token has no id, or this gate keeps no sessions, so it is good until it expires",
            ),
        }
    }
}
