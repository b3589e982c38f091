//! A token whose signature is good, and a token that is good altogether.
//!
//! **What always holds:** the weaker proof is inside the stronger one. A [`SignedToken`] says who signed it and nothing
//! more: it may end its session, even when it has expired. A [`VerifiedToken`] was judged as well (times, audience,
//! issuer, CSRF value), and only [`super::Verifier`] makes one (but for [`VerifiedToken::assert_verified`], for an
//! embedder's own `decode`). There is no way from a signed token to a verified one.

use super::{Times, TokenType, session_claims::SessionClaims, signature_cache::SignatureCache};
use crate::rules::{
    identity::{Id, Identity},
    ids::{ObjectName, SessionId, TokenId},
    json::{self, Map, Value},
    revocation::{ClaimsKey, RevocationKey, RevocationKeys},
    time::{NumericDate, Timestamp},
};
use base64ct::{Base64UrlUnpadded, Encoding};
use serde::de::DeserializeOwned;
use std::{
    fmt,
    ops::{Deref, Range},
    sync::{Arc, Mutex, atomic::AtomicU64},
};

/// The claim with the version of the attributes that other claims are made of, in milliseconds since 1970
/// ([`crate::rules::attribute_claims`]).
pub const CLAIMS_VERSION: &str = "cv";

/// A token whose signature is good (RFC 7515 §5.2). Its claims were read, not judged. A copy shares what it holds.
#[derive(Clone)]
pub struct SignedToken(Arc<Content>);

/// What reading the token gave, in little more room than the text takes: a cache holds many.
struct Content {
    text: Box<str>,
    payload: Range<usize>,
    /// `None` if an embedder's own function verified it.
    times: Option<Times>,
    identity: Option<Arc<Identity>>,
    session_id: Option<SessionId>,
    token_id: Option<TokenId>,
    session_claims: Option<SessionClaims>,
    revocation_keys: Option<RevocationKeys>,
    /// The generation of the snapshot under which it was last found not to be revoked
    /// ([`crate::rules::revocation::Snapshot`]).
    checked_generation: AtomicU64,
    /// The assertions about it, by origin.
    assertions: SignatureCache,
    /// Whether its claims are enough, by rule.
    verdicts: Mutex<Vec<(usize, bool)>>,
}

/// What a signed token is made of, beside its claims.
pub(super) struct Reading<'t> {
    /// The whole token.
    pub text: &'t str,
    /// Where the payload stands in it.
    pub payload: Range<usize>,
    /// Its times, as far as they are judged.
    pub times: Times,
    /// The claim that names the user.
    pub identity_claim: &'t str,
    /// That claim is always a text, so user `1` and user `"1"` are one.
    pub identity_is_text: bool,
    /// Which revocations can cover it.
    pub revocable: Revocable,
    /// What only Flask-JWT-Extended's dialect reads.
    pub session_claims: Option<SessionClaims>,
}

/// Which revocations can cover a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Revocable {
    /// None: the gate keeps no sessions.
    #[default]
    No,
    /// Of the token, its session and its user.
    BySession,
    /// Of an access token also the change of an attribute that its claims are made of.
    BySessionAndClaims,
}

impl SignedToken {
    /// Of claims whose signature was found good; `claim` gives the value of a name.
    pub(super) fn read<'c>(reading: Reading<'_>, claim: impl Fn(&str) -> Option<&'c Value>) -> Self {
        let Reading { text, payload, times, identity_claim, identity_is_text, revocable, session_claims } = reading;
        let text_of = |name: &str| claim(name).and_then(Value::as_str);
        let session_id = text_of("sid").map(SessionId::from);
        let token_id = text_of("jti").map(TokenId::from);
        let id = claim(identity_claim).and_then(Id::from_json);
        let revocation_keys = (revocable != Revocable::No).then(|| {
            let account = id.as_ref().map(|id| ObjectName::of_account(id, identity_is_text));
            let issued_at = Timestamp::from_seconds(times.issued_at().map_or(0, NumericDate::seconds));
            let is_refresh = session_claims.as_ref().is_some_and(|claims| claims.token_type == TokenType::Refresh);
            let has_claims = revocable == Revocable::BySessionAndClaims && !is_refresh;
            RevocationKeys {
                token: token_id.as_ref().map(RevocationKey::token),
                session: session_id.as_ref().map(RevocationKey::session),
                user: account.as_ref().map(RevocationKey::user),
                began: session_id.as_ref().and_then(SessionId::began).unwrap_or(issued_at),
                claims: account.as_ref().filter(|_| has_claims).map(|account| ClaimsKey {
                    key: RevocationKey::claims(account),
                    version: claim(CLAIMS_VERSION).and_then(Value::as_i64).map_or(issued_at, Timestamp::from_millis),
                }),
            }
        });
        Self(Arc::new(Content {
            text: text.into(),
            payload,
            times: Some(times),
            identity: id.map(|id| Arc::new(Identity::new(id))),
            session_id,
            token_id,
            session_claims,
            revocation_keys,
            checked_generation: AtomicU64::new(0),
            assertions: SignatureCache::default(),
            verdicts: Mutex::default(),
        }))
    }

    /// What a revocation can hit it by, and the generation under which it was last found good; `None` where the gate
    /// keeps no sessions.
    pub(in crate::rules) fn revocation_keys(&self) -> Option<(&RevocationKeys, &AtomicU64)> {
        self.0.revocation_keys.as_ref().map(|keys| (keys, &self.0.checked_generation))
    }

    /// Whether the claims are enough for a rule, by its number: judged once, since neither changes.
    pub(in crate::rules) fn verdict(&self, rule: usize, judge: impl FnOnce(&Map<String, Value>) -> bool) -> bool {
        let Ok(mut verdicts) = self.0.verdicts.lock() else { return judge(&self.claims()) };
        if let Some((_, verdict)) = verdicts.iter().find(|(known, _)| *known == rule) {
            return *verdict;
        }
        let verdict = judge(&self.claims());
        verdicts.push((rule, verdict));
        verdict
    }

    /// The assertions about it, by origin.
    pub(in crate::rules) fn assertions(&self) -> &SignatureCache {
        &self.0.assertions
    }

    /// Type, freshness and CSRF value, in Flask-JWT-Extended's dialect.
    #[must_use]
    pub fn session_claims(&self) -> Option<&SessionClaims> {
        self.0.session_claims.as_ref()
    }

    /// The id of its session, the claim `sid`.
    #[must_use]
    pub fn session_id(&self) -> Option<&SessionId> {
        self.0.session_id.as_ref()
    }

    /// Its own id, the claim `jti` (RFC 7519 §4.1.7).
    #[must_use]
    pub fn token_id(&self) -> Option<&TokenId> {
        self.0.token_id.as_ref()
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

    /// The claims as they were signed: base64url of JSON. Safe in a header field.
    #[must_use]
    pub fn payload(&self) -> &str {
        &self.0.text[self.0.payload.clone()]
    }

    /// The claims as a type of the caller's.
    ///
    /// # Errors
    /// If they are not of that type.
    pub fn claims_as<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        // It was decoded when the token was read; an empty text is no JSON either.
        serde_json::from_slice(&Base64UrlUnpadded::decode_vec(self.payload()).unwrap_or_default())
    }

    /// The id in the claim that names the user (`identity`, or `JWT_IDENTITY_CLAIM`); `None` if it is not an id.
    #[must_use]
    pub fn identity(&self) -> Option<Id> {
        self.0.identity.as_ref().map(|identity| identity.id.clone())
    }

    /// The claim `exp`, if there is one.
    #[must_use]
    pub fn expires(&self) -> Option<NumericDate> {
        self.times()?.expires()
    }

    /// The user whom the token names.
    pub(in crate::rules) fn named(&self) -> Option<Arc<Identity>> {
        self.0.identity.clone()
    }

    /// Whether this is the token's text.
    #[must_use]
    pub fn is_written(&self, text: &str) -> bool {
        self.text() == text
    }

    /// Whether both come out of the same reading.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(super) fn text(&self) -> &str {
        &self.0.text
    }

    pub(super) fn signature_at(&self) -> usize {
        self.0.payload.end + 1
    }

    pub(super) fn times(&self) -> Option<&Times> {
        self.0.times.as_ref()
    }
}

impl PartialEq for SignedToken {
    fn eq(&self, other: &Self) -> bool {
        self.payload() == other.payload()
    }
}

impl fmt::Debug for SignedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignedToken(of {:?}, ..)", self.0.identity.as_ref().map(|identity| &identity.id))
    }
}

/// A signed token whose claims were judged and found good. It can do whatever a [`SignedToken`] can.
#[derive(Clone, Debug)]
pub struct VerifiedToken {
    signed: SignedToken,
    is_remembered: bool,
}

impl VerifiedToken {
    /// The caller has judged all that this type promises.
    pub(super) fn judged(signed: SignedToken) -> Self {
        Self { signed, is_remembered: false }
    }

    /// The same, verified for an earlier request.
    pub(super) fn remembered(self) -> Self {
        Self { is_remembered: true, ..self }
    }

    /// Whether it was verified for an earlier request.
    #[must_use]
    pub fn is_remembered(&self) -> bool {
        self.is_remembered
    }

    /// The weaker proof alone.
    #[must_use]
    pub fn into_signed(self) -> SignedToken {
        self.signed
    }

    /// For an embedder's own `decode`, which has verified by other means what the claims say.
    #[must_use]
    pub fn assert_verified(claims: &Map<String, Value>) -> Self {
        let payload = Base64UrlUnpadded::encode_string(json::to_ascii(claims).as_bytes());
        let identity = claims.get("identity").and_then(Id::from_json).map(|id| Arc::new(Identity::new(id)));
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        Self::judged(SignedToken(Arc::new(Content {
            payload: 0..payload.len(),
            times: None,
            identity,
            session_id: text("sid").map(SessionId::from),
            token_id: text("jti").map(TokenId::from),
            session_claims: None,
            revocation_keys: None,
            checked_generation: AtomicU64::new(0),
            assertions: SignatureCache::default(),
            verdicts: Mutex::default(),
            text: payload.into(),
        })))
    }
}

/// The same token, whether it was verified before or not.
impl PartialEq for VerifiedToken {
    fn eq(&self, other: &Self) -> bool {
        self.signed == other.signed
    }
}

impl Deref for VerifiedToken {
    type Target = SignedToken;

    fn deref(&self) -> &SignedToken {
        &self.signed
    }
}

impl From<VerifiedToken> for SignedToken {
    fn from(token: VerifiedToken) -> Self {
        token.into_signed()
    }
}
