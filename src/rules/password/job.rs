//! The work of hashing as a value, so that a host can do it wherever it holds up nobody.
//!
//! **What always holds:** [`HashJob::run`] is the only thing to do with a job, and computes the same everywhere.

use super::{Check, HashFault, Hashing, PasswordHash, SALT_BYTES, check, hash};
use crate::{
    host::{Host, Unavailable},
    rules::secret::Secret,
};

/// What is to be computed. It owns all that it needs.
pub enum HashJob {
    /// A password against a stored hash: [`check`].
    Check {
        /// The stored hash; `None` for a user that does not exist, which costs the same.
        stored: Option<String>,
        /// What was typed.
        password: Secret<String>,
        /// Cost and peppers of the gate.
        hashing: Hashing,
    },
    /// A new hash: [`hash`].
    Make {
        /// What was typed.
        password: Secret<String>,
        /// Its cost and pepper.
        hashing: Hashing,
        /// Random bytes.
        salt: [u8; SALT_BYTES],
    },
}

/// What a [`HashJob`] gave.
pub enum Hashed {
    /// Of [`HashJob::Check`].
    Checked(Result<Check, HashFault>),
    /// Of [`HashJob::Make`].
    Made(PasswordHash),
}

impl HashJob {
    /// Computes it, on the calling thread: about a third of a second with 600,000 rounds.
    #[must_use]
    pub fn run(&self) -> Hashed {
        match self {
            Self::Check { stored, password, hashing } => Hashed::Checked(check(stored.as_deref(), password, hashing)),
            Self::Make { password, hashing, salt } => Hashed::Made(hash(password, hashing, *salt)),
        }
    }
}

/// [`check`], computed by the host.
///
/// # Errors
/// As for [`Host::hash_password`].
pub async fn check_by(
    host: &impl Host,
    stored: Option<&str>,
    password: &Secret<String>,
    hashing: &Hashing,
) -> Result<Result<Check, HashFault>, Unavailable> {
    let (stored, password, hashing) = (stored.map(str::to_owned), password.clone(), hashing.clone());
    match host.hash_password(HashJob::Check { stored, password, hashing }).await? {
        Hashed::Checked(checked) => Ok(checked),
        Hashed::Made(_) => Err(Unavailable),
    }
}

/// [`hash`], computed by the host.
///
/// # Errors
/// As for [`Host::hash_password`].
pub async fn hash_by(
    host: &impl Host,
    password: &Secret<String>,
    hashing: Hashing,
    salt: [u8; SALT_BYTES],
) -> Result<PasswordHash, Unavailable> {
    match host.hash_password(HashJob::Make { password: password.clone(), hashing, salt }).await? {
        Hashed::Made(hash) => Ok(hash),
        Hashed::Checked(_) => Err(Unavailable),
    }
}
