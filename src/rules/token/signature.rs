//! Is a token's signature good? The first half of [`super::verify`].

use super::{
    super::{rejection::TokenRejection, time::NumericDate},
    jws::Unverified,
    key::VerifyingKey,
    key_set::KeySet,
    unverified,
};

/// The key that vouches for a token.
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

/// The key, if it vouches for the token.
pub(super) fn signed_by<'k>(
    parts: &Unverified<'_>,
    key: Option<&'k VerifyingKey>,
) -> Result<&'k VerifyingKey, TokenRejection> {
    let key = key.ok_or(TokenRejection::AlgorithmNotAllowed)?;
    if key.verify(parts.signing_input(), parts.signature()) { Ok(key) } else { Err(TokenRejection::BadSignature) }
}

/// Is a token signed by one of these keys, and its header understood? Says nothing of its claims, which it need not
/// have: for test vectors, whose payloads are any bytes. A gate asks [`super::verify`].
///
/// # Errors
/// The first thing that is wrong, as [`super::verify`] has it.
pub fn check_signature(token: &str, keys: &KeySet, now: NumericDate) -> Result<(), TokenRejection> {
    let parts = unverified(token, None)?;
    signed(&parts, keys, now)?;
    parts.header().is_understood()
}
