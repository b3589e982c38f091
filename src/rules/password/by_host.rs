//! Checks and makes hashes where the host runs them: see [`HashJob`].

use super::{Check, HashFault, HashJob, Hashed, Hashing, PasswordHash, SALT_BYTES};
use crate::{
    host::{Host, Unavailable},
    rules::secret::Secret,
};

/// [`super::check`], run by the host.
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

/// [`super::hash()`], run by the host.
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
