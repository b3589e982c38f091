//! The computation of a hash as a value, so that a host can run it where it blocks no other request.
//!
//! **What always holds:** the only operation on a job is [`HashJob::run`], which is pure.

use super::{Check, HashFault, Hashing, PasswordHash, SALT_BYTES, check, hash};
use crate::rules::secret::Secret;

/// A computation, with all its inputs owned.
pub enum HashJob {
    /// Checks a password against a stored hash: [`check`].
    Check {
        /// The stored hash; `None` for an unknown user, which costs the same.
        stored: Option<String>,
        /// The password as sent.
        password: Secret<String>,
        /// The gate's cost and peppers.
        hashing: Hashing,
    },
    /// Makes a new hash: [`hash()`].
    Make {
        /// The password as sent.
        password: Secret<String>,
        /// Cost and pepper of the hash.
        hashing: Hashing,
        /// The salt: random bytes.
        salt: [u8; SALT_BYTES],
    },
}

/// The result of a [`HashJob`].
pub enum Hashed {
    /// The result of [`HashJob::Check`].
    Checked(Result<Check, HashFault>),
    /// The result of [`HashJob::Make`].
    Made(PasswordHash),
}

impl HashJob {
    /// Runs the computation on the calling thread: about a third of a second of CPU time for 600,000 iterations.
    #[must_use]
    pub fn run(&self) -> Hashed {
        match self {
            Self::Check { stored, password, hashing } => Hashed::Checked(check(stored.as_deref(), password, hashing)),
            Self::Make { password, hashing, salt } => Hashed::Made(hash(password, hashing, *salt)),
        }
    }
}
