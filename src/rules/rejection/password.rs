//! Rejections about passwords, at a log-in or a change.

use super::Words;

/// Why a password is neither tried nor set.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PasswordRejection {
    /// Too many attempts, for this name, from this address or at this gate.
    TooManyAttempts {
        /// Seconds until the next attempt.
        retry_after: u32,
    },
    /// A new password is too weak.
    Weak {
        /// Why, for the person who chooses another one.
        text: String,
    },
}

impl PasswordRejection {
    pub(in crate::rules) const fn code(&self) -> &'static str {
        match self {
            Self::TooManyAttempts { .. } => "too_many_tries",
            Self::Weak { .. } => "weak_password",
        }
    }

    pub(in crate::rules) fn words(&self) -> Words<'_> {
        match self {
            Self::TooManyAttempts { retry_after } => {
                let text = format!("Too many log-ins were tried; try again in {retry_after} seconds");
                Words::new(429, "Too Many Requests", text)
            }
            Self::Weak { text } => Words::new(400, "Bad Request", text.as_str()),
        }
    }
}
