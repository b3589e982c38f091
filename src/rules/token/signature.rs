//! Checks a token's signature: the first half of [`super::verify`].

use super::{
    super::{rejection::TokenRejection, time::NumericDate},
    jws::Unverified,
    key::VerifyingKey,
    key_set::KeySet,
};

/// The key that made a token's signature.
///
/// # Errors
/// If no key fits the header, or the signature is wrong.
pub(super) fn signed<'k>(
    parts: &Unverified<'_>,
    keys: &'k KeySet,
    now: NumericDate,
) -> Result<&'k VerifyingKey, TokenRejection> {
    signed_by(parts, find(parts, keys, now))
}

/// The key that a token's header names.
pub(super) fn find<'k>(parts: &Unverified<'_>, keys: &'k KeySet, now: NumericDate) -> Option<&'k VerifyingKey> {
    keys.for_token_at(parts.header().algorithm(), parts.header().key_id(), now).ok()
}

/// This key, if it made the token's signature.
///
/// # Errors
/// As for [`signed`].
pub(super) fn signed_by<'k>(
    parts: &Unverified<'_>,
    key: Option<&'k VerifyingKey>,
) -> Result<&'k VerifyingKey, TokenRejection> {
    let key = key.ok_or(TokenRejection::AlgorithmNotAllowed)?;
    if key.verify(parts.signing_input(), parts.signature()) { Ok(key) } else { Err(TokenRejection::BadSignature) }
}

/// Checks signature and header of a token, but not its claims: test vectors have any payload. A gate calls
/// [`super::verify`].
///
/// # Errors
/// The first fault, in the order of [`super::verify`].
pub fn check_signature(token: &str, keys: &KeySet, now: NumericDate) -> Result<(), TokenRejection> {
    let parts = Unverified::read(token, None)?;
    signed(&parts, keys, now)?;
    parts.header().is_understood()
}
