//! Tokens: made, and taken apart.
//!
//! **What always holds:** [`verify`] checks signature, times and audience in one call and is the only way from text to
//! a [`VerifiedToken`] (but for [`VerifiedToken::assert_verified`], for an embedder's own `decode`). The signature
//! comes before the claims, so a forger's words choose no answer. Each key carries its algorithm; the header's `alg` is
//! compared with it, never obeyed. The order of checks is Flask-JWT's (docs/compat/flask-jwt.md#decoding).
//!
//! **What is whose:** the cryptography of asymmetric keys is the engine's (`crate::engine`); HMAC's key and algorithm
//! are bound by [`jwt_compact::Algorithm`]; what is strict about keys and signatures is in `strict`. The compact form
//! is read here, because jwt-compact refuses what Flask-JWT accepts (`cty`, times as text or fractions) and writes
//! members in another order than Flask-JWT does.

mod algorithm;
mod cache;
mod claims;
mod claims_builder;
mod fault;
mod flask_jwt_extended;
mod hmac;
mod jwk;
mod jws;
mod key;
mod key_set;
#[cfg_attr(not(all(feature = "ecdsa", feature = "eddsa", feature = "rsa")), allow(dead_code))]
mod material;
mod pem;
mod session_claims;
mod signature;
mod signature_cache;
mod signed;
mod strict;
mod token_type;
mod verifier;

pub use algorithm::Algorithm;
pub use claims::{ClaimsPolicy, TimeChecks, Times};
pub(super) use claims_builder::TokenIds;
pub use claims_builder::{ClaimsBuilder, Random, TokenSpec};
pub use fault::KeyFault;
pub use flask_jwt_extended::FlaskJwtExtendedPolicy;
pub(super) use flask_jwt_extended::is_truthy;
pub use jws::{ASSERTION_TYPE, MAX_TOKEN_BYTES};
pub use key::{Key, VerifyingKey};
pub use key_set::{KeySet, KeySetFault, NoKey};
#[cfg_attr(not(feature = "rsa"), allow(unused_imports))] // an engine without RSA
pub(crate) use material::RsaPrivate;
pub(crate) use material::{Material, PublicNumbers};
pub use session_claims::{Freshness, SessionClaims};
pub use signature::check_signature;
pub use signature_cache::{SignatureCache, Signed};
pub use signed::{CLAIMS_VERSION, Revocable, SignedToken, VerifiedToken};
pub(crate) use strict::Strict;
pub use token_type::TokenType;
pub use verifier::{Policy, RejectedToken, Verifier};

use super::{
    json::{self, Map, Value},
    rejection::TokenRejection,
    time::Timestamp,
};
use base64ct::{Base64UrlUnpadded, Encoding};
use jws::Unverified;
use signed::Reading;

/// Takes a token apart and judges it.
///
/// # Errors
/// The first thing that is wrong, in the order of docs/compat/flask-jwt.md#decoding, rows 2 to 23.
pub fn verify(
    token: &str,
    keys: &KeySet,
    policy: &ClaimsPolicy,
    now: Timestamp,
) -> Result<VerifiedToken, TokenRejection> {
    judge(token, &Unverified::read(token, None)?, keys, policy, Revocable::No, now)
}

fn judge(
    token: &str,
    parts: &Unverified<'_>,
    keys: &KeySet,
    policy: &ClaimsPolicy,
    revocable: Revocable,
    now: Timestamp,
) -> Result<VerifiedToken, TokenRejection> {
    let key = signature::signed(parts, keys, now.numeric_date())?;
    let claims = parts.payload_members()?;
    let times = policy.judge(|name| claims.get(name), now.numeric_date())?.until(key.not_after());
    // Last, because Flask-JWT does not look at these: a token with another fault gets the answer it always got.
    parts.header().is_understood()?;
    let reading = Reading {
        text: token,
        payload: parts.payload_range(),
        times,
        identity_claim: "identity",
        identity_is_text: false,
        revocable,
        session_claims: None,
    };
    Ok(VerifiedToken::judged(SignedToken::read(reading, |name| claims.get(name))))
}

/// Makes a token: `extra` follows `typ` and `alg` in the header; a member of that name replaces the text, while the
/// signature is still the key's (docs/compat/flask-jwt.md#grant).
#[must_use]
pub fn sign(key: &Key, extra: &Map<String, Value>, claims: &Map<String, Value>) -> String {
    let mut header = Map::new();
    header.insert("typ".into(), "JWT".into());
    header.insert("alg".into(), key.algorithm().name().into());
    if let Some(id) = key.id() {
        header.insert("kid".into(), id.into());
    }
    header.extend(extra.iter().map(|(name, value)| (name.clone(), value.clone())));
    sign_as(key, &header, claims)
}

/// Makes a token as PyJWT 2 does: the members of the header sorted, `extra` among them
/// (docs/compat/flask-jwt-extended.md#issued-tokens).
#[must_use]
pub fn sign_sorted(key: &Key, extra: &Map<String, Value>, claims: &Map<String, Value>) -> String {
    let own = [("typ", Some("JWT")), ("alg", Some(key.algorithm().name())), ("kid", key.id())];
    let own = own.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into())));
    let extra = extra.iter().map(|(name, value)| (name.clone(), value.clone()));
    let mut header: Map<String, Value> = own.chain(extra).collect();
    header.sort_keys();
    sign_as(key, &header, claims)
}

fn sign_as(key: &Key, header: &Map<String, Value>, claims: &Map<String, Value>) -> String {
    let mut token = Base64UrlUnpadded::encode_string(json::to_ascii(header).as_bytes());
    token.push('.');
    token.push_str(&Base64UrlUnpadded::encode_string(json::to_ascii(claims).as_bytes()));
    let signature = Base64UrlUnpadded::encode_string(&key.sign(token.as_bytes()));
    token.push('.');
    token.push_str(&signature);
    token
}

#[cfg(all(test, feature = "ecdsa", feature = "eddsa", feature = "rsa"))]
mod key_tests;
#[cfg(test)]
mod tests;
