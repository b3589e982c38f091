//! Rejections because the origin or the static files do not answer.

use super::Words;

/// Why there is no answer from behind the gate.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OriginRejection {
    /// The asset server does not answer, or there is no `ASSETS` binding.
    Assets,
    /// The origin can't be reached.
    Unreachable,
    /// The origin did not begin to answer within `ORIGIN_TIMEOUT`.
    Timeout,
}

impl OriginRejection {
    pub(in crate::rules) const fn code(&self) -> &'static str {
        match self {
            Self::Assets => "assets_unavailable",
            Self::Unreachable => "origin_unreachable",
            Self::Timeout => "origin_timeout",
        }
    }

    pub(in crate::rules) fn words(&self) -> Words<'_> {
        match self {
            Self::Assets => Words::new(502, "Bad Gateway", "The static files can't be reached"),
            Self::Unreachable => Words::new(502, "Bad Gateway", "The origin can't be reached"),
            Self::Timeout => Words::new(504, "Gateway Timeout", "The origin does not answer in time"),
        }
    }
}
