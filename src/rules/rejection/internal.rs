//! Rejections because of a fault of the gate itself.

use super::Words;

/// The fault of the gate.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InternalRejection {
    /// The configuration is wrong; the log says how.
    Misconfigured,
    /// The claims or the cookie of a new token would be too long (`TOLLGATE_CLAIMS`).
    ClaimsTooLong,
    /// A bug.
    Bug,
}

impl InternalRejection {
    pub(in crate::rules) const fn code(&self) -> &'static str {
        match self {
            Self::Misconfigured => "misconfigured",
            Self::ClaimsTooLong => "claims_too_long",
            Self::Bug => "internal",
        }
    }

    pub(in crate::rules) fn words(&self) -> Words<'_> {
        Words::new(500, "Internal Server Error", "The request could not be answered")
    }
}
