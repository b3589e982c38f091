//! Tokens: made, and taken apart.
//!
//! **What always holds:** [`verify`] checks signature, times and audience in one call and is the only way from text to
//! a [`VerifiedToken`] (but for [`VerifiedToken::assert_verified`], for an embedder's own `decode`). The signature
//! comes before the claims, so a forger's words choose no answer. Each key carries its algorithm; the header's `alg` is
//! compared with it, never obeyed. The order of checks is Flask-JWT's (docs/compat/flask-jwt.md#decoding).
//!
//! **What is whose:** the cryptography and the binding of key and algorithm are `jwt-compact`'s
//! ([`jwt_compact::Algorithm`]). The compact form is read here, because jwt-compact refuses what Flask-JWT accepts
//! (`cty`, times as text or fractions) and writes members in another order than Flask-JWT does.

mod algorithm;
mod cache;
mod claims;
mod claims_builder;
mod fault;
mod flask_jwt_extended;
mod hmac;
// Without one of the features its numbers are read, and nobody asks for them.
#[cfg_attr(not(all(feature = "ecdsa", feature = "eddsa", feature = "rsa")), allow(dead_code))]
mod jwk;
mod jws;
mod key;
mod key_set;
#[cfg_attr(not(all(feature = "ecdsa", feature = "eddsa", feature = "rsa")), allow(dead_code))]
mod material;
mod pem;
mod signature;
mod verifier;

pub use algorithm::Algorithm;
pub use claims::{ClaimsPolicy, TimeChecks, Times};
pub(super) use claims_builder::TokenIds;
pub use claims_builder::{ClaimsBuilder, Random};
pub use fault::KeyFault;
pub(super) use flask_jwt_extended::is_truthy;
pub use flask_jwt_extended::{FlaskJwtExtendedPolicy, Freshness, SessionClaims};
pub use key::{Key, VerifyingKey};
pub use key_set::{KeySet, KeySetFault, NoKey};
#[cfg(any(feature = "ecdsa", feature = "eddsa", feature = "rsa"))]
pub(crate) use material::Material;
#[cfg(feature = "rsa")]
pub(crate) use material::RsaPrivate;
pub use signature::check_signature;
pub use verifier::{Failed, Policy, Signed, Verifier};

use super::{
    account::object,
    identity::{Id, Identity},
    json::{self, Map, Value},
    rejection::Rejection,
    revocation::{RevocationKey, RevocationKeys},
    time::{NumericDate, Timestamp},
};
use base64ct::{Base64UrlUnpadded, Encoding};
use jws::{Header, Unverified};
use serde::de::DeserializeOwned;
use std::{
    ops::Range,
    sync::{Arc, atomic::AtomicU64},
};

/// A longer token is refused before it is looked at. 8 KiB is what common servers allow for a whole header line.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// A token whose signature and claims were found good. A copy shares what it holds.
#[derive(Clone)]
pub struct VerifiedToken {
    found: Arc<Found>,
    is_remembered: bool,
}

/// What verifying found, in little more room than the text takes: a cache holds many.
struct Found {
    text: Box<str>,
    payload: Range<usize>,
    /// `None` if it was another that verified it.
    times: Option<Times>,
    identity: Option<Arc<Identity>>,
    /// What Flask-JWT-Extended's dialect looks at besides.
    session: Option<SessionClaims>,
    /// What a revocation can hit it by, where there are any.
    marks: Option<RevocationKeys>,
    /// Under which number of changes it was last found not to be revoked: see [`super::revocation::Snapshot`].
    checked_generation: AtomicU64,
}

impl VerifiedToken {
    /// `identity` is the claim that names somebody.
    fn new(
        text: &str,
        payload: Range<usize>,
        times: Option<Times>,
        identity: Option<&Value>,
        session: Option<SessionClaims>,
        marks: Option<RevocationKeys>,
    ) -> Self {
        let identity = identity.and_then(Id::from_json).map(|id| Arc::new(Identity::new(id)));
        let checked_generation = AtomicU64::new(0);
        let found = Found { text: text.into(), payload, times, identity, session, marks, checked_generation };
        Self { found: Arc::new(found), is_remembered: false }
    }

    /// What a revocation can hit it by, and where is kept when it last was found good; `None` where there are no
    /// revocations.
    pub(super) fn marks(&self) -> Option<(&RevocationKeys, &AtomicU64)> {
        self.found.marks.as_ref().map(|marks| (marks, &self.found.checked_generation))
    }

    /// What it says of its session, in Flask-JWT-Extended's dialect.
    #[must_use]
    pub fn session(&self) -> Option<&SessionClaims> {
        self.found.session.as_ref()
    }

    /// The JOSE header (RFC 7515 §4), read anew from the token.
    #[must_use]
    pub fn header(&self) -> Map<String, Value> {
        let header = self.text().split('.').next().unwrap_or_default();
        json::object(&Base64UrlUnpadded::decode_vec(header).unwrap_or_default()).unwrap_or_default()
    }

    /// The claims (RFC 7519 §4), read anew from the token.
    #[must_use]
    pub fn claims(&self) -> Map<String, Value> {
        self.claims_as().unwrap_or_default()
    }

    /// The claims with what Flask-JWT-Extended fills in where they are missing
    /// (docs/compat/flask-jwt-extended.md#decoding, step 29).
    #[must_use]
    pub fn claims_with_defaults(&self) -> Map<String, Value> {
        let mut claims = self.claims();
        for (name, value) in [("type", "access".into()), ("fresh", false.into()), ("jti", Value::Null)] {
            claims.entry(name).or_insert(value);
        }
        claims
    }

    /// The claims as they were signed: base64url of JSON. Safe in a header.
    #[must_use]
    pub fn payload(&self) -> &str {
        &self.found.text[self.found.payload.clone()]
    }

    /// The claims as a type of one's own.
    ///
    /// # Errors
    /// If they are not of that type.
    pub fn claims_as<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        // It was decoded when it was verified; an empty text is no JSON either.
        serde_json::from_slice(&Base64UrlUnpadded::decode_vec(self.payload()).unwrap_or_default())
    }

    /// The claim that names somebody (`identity`, or `JWT_IDENTITY_CLAIM`), if it is an id.
    #[must_use]
    pub fn identity(&self) -> Option<Id> {
        self.found.identity.as_ref().map(|identity| identity.id.clone())
    }

    /// Its session (`sid`), and its own id (`jti`), read anew from the claims.
    #[must_use]
    pub fn session_and_id(&self) -> (Option<String>, Option<String>) {
        let claims = self.claims();
        let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
        (text("sid"), text("jti"))
    }

    /// Until when it is good, if it says so (`exp`).
    #[must_use]
    pub fn expires(&self) -> Option<NumericDate> {
        self.times()?.expires()
    }

    /// Whom that claim names.
    pub(super) fn named(&self) -> Option<Arc<Identity>> {
        self.found.identity.clone()
    }

    /// Was it verified for an earlier request?
    #[must_use]
    pub fn is_remembered(&self) -> bool {
        self.is_remembered
    }

    /// Is this its text?
    #[must_use]
    pub fn is_written(&self, text: &str) -> bool {
        self.text() == text
    }

    /// Is it the same token, out of the same verification?
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.found, &other.found)
    }

    /// For an embedder's own `decode`, which has verified by other means what the claims say.
    #[must_use]
    pub fn assert_verified(claims: &Map<String, Value>) -> Self {
        let payload = Base64UrlUnpadded::encode_string(json::to_ascii(claims).as_bytes());
        Self::new(&payload, 0..payload.len(), None, claims.get("identity"), None, None)
    }

    fn text(&self) -> &str {
        &self.found.text
    }

    fn signature_at(&self) -> usize {
        self.found.payload.end + 1
    }

    fn times(&self) -> Option<&Times> {
        self.found.times.as_ref()
    }
}

impl PartialEq for VerifiedToken {
    fn eq(&self, other: &Self) -> bool {
        self.payload() == other.payload()
    }
}

impl std::fmt::Debug for VerifiedToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VerifiedToken(of {:?}, ..)", self.found.identity.as_ref().map(|identity| &identity.id))
    }
}

/// Takes a token apart and judges it.
///
/// # Errors
/// The first thing that is wrong, in the order of docs/compat/flask-jwt.md#decoding, rows 2 to 23.
pub fn verify(token: &str, keys: &KeySet, policy: &ClaimsPolicy, now: Timestamp) -> Result<VerifiedToken, Rejection> {
    judge(token, &unverified(token, None)?, keys, policy, false, now)
}

fn unverified(token: &str, known: Option<Arc<Header>>) -> Result<Unverified<'_>, Rejection> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(Rejection::TokenTooLong);
    }
    Unverified::parse(token, known)
}

fn judge(
    token: &str,
    parts: &Unverified<'_>,
    keys: &KeySet,
    policy: &ClaimsPolicy,
    is_revocable: bool,
    now: Timestamp,
) -> Result<VerifiedToken, Rejection> {
    let key = signature::signed(parts, keys, now.numeric_date())?;
    let claims = parts.payload_members()?;
    let times = policy.judge(|name| claims.get(name), now.numeric_date())?.until(key.not_after());
    // Last, because Flask-JWT does not look at these: a token with another fault gets the answer it always got.
    parts.header().is_understood()?;
    let marks = is_revocable.then(|| marks(|name| claims.get(name), "identity", false, times.issued_at()));
    Ok(VerifiedToken::new(token, parts.payload_range(), Some(times), claims.get("identity"), None, marks))
}

/// What a revocation can hit a token of these claims by.
fn marks<'c>(
    claim: impl Fn(&str) -> Option<&'c Value>,
    identity_claim: &str,
    identity_is_text: bool,
    issued_at: Option<NumericDate>,
) -> RevocationKeys {
    let session = claim("sid").and_then(Value::as_str);
    let began = session.and_then(object::began);
    let user = claim(identity_claim).and_then(Id::from_json);
    RevocationKeys {
        token: claim("jti").and_then(Value::as_str).map(RevocationKey::token),
        session: session.map(RevocationKey::session),
        user: user.map(|id| RevocationKey::user(&object::of_account(&id, identity_is_text))),
        began: began.unwrap_or(Timestamp::from_seconds(issued_at.map_or(0, NumericDate::seconds))),
    }
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
    let sorted: std::collections::BTreeMap<String, Value> = own.chain(extra).collect();
    sign_as(key, &sorted.into_iter().collect(), claims)
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
