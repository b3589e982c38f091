//! Tokens: made, and taken apart.
//!
//! **What always holds:** [`verify`] checks signature, times and audience in one call and is the only way from text to
//! a [`VerifiedToken`] (but for [`VerifiedToken::assert_verified`], for an embedder's own `decode`). The signature
//! comes before the claims, so a forger's words choose no answer. Each key carries its algorithm; the header's `alg` is
//! compared with it, never obeyed. The order of checks is Flask-JWT's (facts 4.2).
//!
//! **What is whose:** the cryptography and the binding of key and algorithm are `jwt-compact`'s
//! ([`jwt_compact::Algorithm`]). The compact form is read here, because jwt-compact refuses what Flask-JWT accepts
//! (`cty`, times as text or fractions) and writes members in another order than Flask-JWT does.

mod claims;
mod hmac;
mod jws;
mod key;

pub use claims::{ClaimsPolicy, TimeChecks};
pub use key::{Algorithm, Key, KeyFault, KeyRing};

use super::{
    error::Refusal,
    identity::Id,
    json::{self, Map, Value},
    time::Timestamp,
};
use base64ct::{Base64UrlUnpadded, Encoding};
use serde::de::DeserializeOwned;

/// A longer token is refused before it is looked at. 8 KiB is what common servers allow for a whole header line.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// A token whose signature and claims were found good.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiedToken {
    claims: Map<String, Value>,
    payload: String,
}

impl VerifiedToken {
    /// The claims (RFC 7519 §4).
    #[must_use]
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// The claims as they were signed: base64url of JSON. Safe in a header.
    #[must_use]
    pub fn payload(&self) -> &str {
        &self.payload
    }

    /// The claims as a type of one's own.
    ///
    /// # Errors
    /// If they are not of that type.
    pub fn claims_as<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        T::deserialize(Value::Object(self.claims.clone()))
    }

    /// The claim `identity`, if it is an id.
    #[must_use]
    pub fn identity(&self) -> Option<Id> {
        self.claims.get("identity").and_then(Id::from_json)
    }

    /// For an embedder's own `decode`, which has verified by other means what the claims say.
    #[must_use]
    pub fn assert_verified(claims: Map<String, Value>) -> Self {
        let payload = Base64UrlUnpadded::encode_string(json::to_ascii(&claims).as_bytes());
        Self { claims, payload }
    }
}

/// Takes a token apart and judges it.
///
/// # Errors
/// The first thing that is wrong, in the order of facts 4.2.
pub fn verify(token: &str, keys: &KeyRing, policy: &ClaimsPolicy, now: Timestamp) -> Result<VerifiedToken, Refusal> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(Refusal::TokenTooLong);
    }
    let token = jws::Unverified::parse(token)?;
    let key = keys.for_token(token.algorithm(), token.key_id()).ok_or(Refusal::AlgorithmNotAllowed)?;
    if !key.verify(token.signing_input(), token.signature()) {
        return Err(Refusal::BadSignature);
    }
    let claims = token.payload_members()?;
    policy.judge(&claims, now.numeric_date())?;
    // Last, because Flask-JWT does not look at these: a token with another fault gets the answer it always got.
    token.header_is_understood()?;
    Ok(VerifiedToken { claims, payload: token.payload().to_owned() })
}

/// Makes a token: `extra` follows `typ` and `alg` in the header; a member of that name replaces the text, while the
/// signature is still the key's (facts 3).
#[must_use]
pub fn sign(key: &Key, extra: &Map<String, Value>, claims: &Map<String, Value>) -> String {
    let mut header = Map::new();
    header.insert("typ".into(), "JWT".into());
    header.insert("alg".into(), key.algorithm().name().into());
    if let Some(id) = key.id() {
        header.insert("kid".into(), id.into());
    }
    header.extend(extra.iter().map(|(name, value)| (name.clone(), value.clone())));
    let mut token = Base64UrlUnpadded::encode_string(json::to_ascii(&header).as_bytes());
    token.push('.');
    token.push_str(&Base64UrlUnpadded::encode_string(json::to_ascii(claims).as_bytes()));
    let signature = Base64UrlUnpadded::encode_string(&key.sign(token.as_bytes()));
    token.push('.');
    token.push_str(&signature);
    token
}

#[cfg(test)]
mod tests;
