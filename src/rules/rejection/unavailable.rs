//! Rejections because something that the gate needs does not answer.

use super::Words;

/// What the gate needs and does not get.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnavailableRejection {
    /// The store did not answer, in time or at all, or holds something unreadable.
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
