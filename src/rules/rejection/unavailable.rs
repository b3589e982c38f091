//! Rejections because KV or an object does not answer.

use super::Words;

/// Why the gate could not decide.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnavailableRejection {
    /// KV or an object did not answer in time, or has a value that can't be read.
    Store,
    /// The decision took longer than [`crate::rules::gate::DECISION_TIMEOUT`].
    DecisionTimeout,
}

impl UnavailableRejection {
    pub(in crate::rules) const fn code(&self) -> &'static str {
        match self {
            Self::Store => "store_unavailable",
            Self::DecisionTimeout => "decision_timeout",
        }
    }

    pub(in crate::rules) fn words(&self) -> Words<'_> {
        let text = match self {
            Self::Store => "The user store does not answer; try again",
            Self::DecisionTimeout => "The gate could not decide in time; try again",
        };
        Words::new(503, "Service Unavailable", text)
    }
}
