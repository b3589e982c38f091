//! Is a token's signature good? The first half of [`super::verify`].

use super::{
    super::{error::Refusal, time::NumericDate},
    jws::Unverified,
    key::VerifyingKey,
    ring::KeyRing,
    unverified,
};

/// The key that vouches for a token.
pub(super) fn signed<'k>(
    parts: &Unverified<'_>,
    keys: &'k KeyRing,
    now: NumericDate,
) -> Result<&'k VerifyingKey, Refusal> {
    let header = parts.header();
    let key = keys.for_token_at(header.algorithm(), header.key_id(), now).ok_or(Refusal::AlgorithmNotAllowed)?;
    if key.verify(parts.signing_input(), parts.signature()) { Ok(key) } else { Err(Refusal::BadSignature) }
}

/// Is a token signed by one of these keys, and its header understood? Says nothing of its claims, which it need not have:
/// for test vectors, whose payloads are any bytes. A gate asks [`super::verify`].
///
/// # Errors
/// The first thing that is wrong, as [`super::verify`] has it.
pub fn check_signature(token: &str, keys: &KeyRing, now: NumericDate) -> Result<(), Refusal> {
    let parts = unverified(token, None)?;
    signed(&parts, keys, now)?;
    parts.header().is_understood()
}
