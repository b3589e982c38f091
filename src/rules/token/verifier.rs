//! The keys, what is asked of a token, and the tokens that were found good by both.
//!
//! **What always holds:** the cache lives and dies with the keys and the policy it was filled under; there is no way to
//! change them beneath it.

use super::{
    super::{
        json,
        rejection::{Rejection, TimeClaim, TokenRejection},
        time::{Duration, TimeRange, Timestamp},
    },
    ClaimsPolicy, FlaskJwtExtendedPolicy, KeySet, Times, VerifiedToken,
    cache::Cache,
    claims::date,
    flask_jwt_extended::Choose,
    judge,
    jws::{Header, Unverified},
    signature,
    signed::{Reading, Revocable, SignedToken},
};
use std::sync::{Arc, Mutex};

/// What is asked of a token, and in which order: the dialect's.
#[derive(Clone, Debug, PartialEq)]
pub enum Policy {
    /// Flask-JWT's.
    FlaskJwt(ClaimsPolicy),
    /// Flask-JWT-Extended's.
    FlaskJwtExtended(FlaskJwtExtendedPolicy),
}

impl Policy {
    /// The claims that a token must have by Flask-JWT's `JWT_REQUIRED_CLAIMS`.
    #[must_use]
    pub fn required_claims(&self) -> &[String] {
        match self {
            Self::FlaskJwt(policy) => &policy.required,
            Self::FlaskJwtExtended(_) => &[],
        }
    }

    /// By how much clocks may differ.
    #[must_use]
    pub fn leeway(&self) -> Duration {
        match self {
            Self::FlaskJwt(policy) => policy.leeway,
            Self::FlaskJwtExtended(policy) => policy.leeway,
        }
    }

    /// Must that claim be a text?
    #[must_use]
    pub fn identity_is_text(&self) -> bool {
        matches!(self, Self::FlaskJwtExtended(policy) if policy.verify_sub && policy.identity_claim == "sub")
    }

    /// The claim that says who it is.
    #[must_use]
    pub fn identity_claim(&self) -> &str {
        match self {
            Self::FlaskJwt(_) => "identity",
            Self::FlaskJwtExtended(policy) => &policy.identity_claim,
        }
    }
}

impl From<ClaimsPolicy> for Policy {
    fn from(policy: ClaimsPolicy) -> Self {
        Self::FlaskJwt(policy)
    }
}

/// The rejection of a token, with the token if its signature is valid: an application may want to say whose it was.
#[derive(Debug)]
pub struct RejectedToken<R = Rejection> {
    /// Why it is rejected.
    pub rejection: R,
    /// The token, if its signature is valid.
    pub signed: Option<SignedToken>,
}

impl<R> RejectedToken<R> {
    /// A token that is rejected for its claims or its use, not for its signature.
    pub(in crate::rules) fn of(rejection: impl Into<R>, signed: impl Into<SignedToken>) -> Self {
        Self { rejection: rejection.into(), signed: Some(signed.into()) }
    }

    /// A token that nobody is known to have signed; or no token at all.
    pub(in crate::rules) fn unsigned(rejection: impl Into<R>) -> Self {
        Self { rejection: rejection.into(), signed: None }
    }
}

impl From<TokenRejection> for RejectedToken<TokenRejection> {
    fn from(rejection: TokenRejection) -> Self {
        Self::unsigned(rejection)
    }
}

impl From<RejectedToken<TokenRejection>> for RejectedToken {
    fn from(rejected: RejectedToken<TokenRejection>) -> Self {
        Self { rejection: rejected.rejection.into(), signed: rejected.signed }
    }
}

/// Verifies tokens, and remembers those it has verified.
pub struct Verifier {
    keys: KeySet,
    policy: Policy,
    cache: Cache,
    /// Which revocations can cover a token.
    revocable: Revocable,
    /// That of the last good token; of the first one until there is any.
    header: Mutex<Option<Arc<Header>>>,
}

/// The same keys and policy. The clone has verified no token yet.
impl Clone for Verifier {
    fn clone(&self) -> Self {
        Self::new(self.keys.clone(), self.policy.clone(), self.capacity()).revocable(self.revocable)
    }
}

impl Verifier {
    /// A verifier that remembers about `tokens` tokens; none with 0.
    #[must_use]
    pub fn new(keys: KeySet, policy: impl Into<Policy>, tokens: usize) -> Self {
        let (policy, cache) = (policy.into(), Cache::new(tokens));
        Self { keys, policy, cache, revocable: Revocable::No, header: Mutex::default() }
    }

    /// The same verifier for tokens that these revocations can cover.
    #[must_use]
    pub fn revocable(self, revocable: Revocable) -> Self {
        Self { revocable, ..self }
    }

    /// `JWT_SECRET_KEY`, `JWT_ALGORITHM`.
    #[must_use]
    pub fn keys(&self) -> &KeySet {
        &self.keys
    }

    /// `JWT_REQUIRED_CLAIMS`, `JWT_VERIFY_CLAIMS`, `JWT_LEEWAY`; or `JWT_DECODE_…`, `JWT_IDENTITY_CLAIM`,
    /// `JWT_VERIFY_SUB`.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    #[cfg(test)]
    pub(super) fn remembers(&self, token: &VerifiedToken) -> bool {
        self.cache.get(token.text()).is_some_and(|known| known.is_same(token))
    }

    /// How many tokens there is room for: what else is kept for each may be as many.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.cache.capacity()
    }

    /// When a token that was verified here before is good; `None` if it was another that verified it.
    #[must_use]
    pub fn good_while(&self, token: &VerifiedToken) -> Option<TimeRange> {
        token.times().map(|times| match &self.policy {
            Policy::FlaskJwt(policy) => policy.good_while(times),
            Policy::FlaskJwtExtended(policy) => policy.good_while(times),
        })
    }

    /// Takes a token apart and judges it; one that was seen before is only judged by the time it is now.
    ///
    /// # Errors
    /// The first thing that is wrong: the same as [`super::verify`]'s, remembered or not.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<VerifiedToken, TokenRejection> {
        self.verify_with(token, None, None, now).map_err(|failed| failed.rejection)
    }

    /// The same for a token that came with this CSRF value, and whose key somebody else chooses (both are
    /// Flask-JWT-Extended's alone).
    ///
    /// # Errors
    /// As for [`Verifier::verify`].
    pub fn verify_with(
        &self,
        token: &str,
        csrf: Option<&str>,
        choose: Option<&Choose<'_>>,
        now: Timestamp,
    ) -> Result<VerifiedToken, RejectedToken<TokenRejection>> {
        let known = self.cache.get(token).filter(|_| choose.is_none());
        let is_known = known.is_some();
        let token = match known {
            Some(known) => known.remembered(),
            None => self.verify_anew(token, choose, now)?,
        };
        if let Some(times) = token.times()
            && let Err(rejection) = self.judge_use(&token, times, csrf, now)
        {
            return Err(RejectedToken::of(rejection, token));
        }
        if !is_known && choose.is_none() {
            self.cache.put(&token);
        }
        Ok(token)
    }

    /// A token whose signature is good, whatever its claims say: an expired one may still end its session. It is never
    /// let through.
    ///
    /// # Errors
    /// [`Rejection`]s of the compact form, the key and the signature alone.
    pub fn signed(
        &self,
        token: &str,
        choose: Option<&Choose<'_>>,
        now: Timestamp,
    ) -> Result<SignedToken, TokenRejection> {
        let parts = Unverified::read(token, None)?;
        let claims = parts.payload_members()?;
        let claim = |name: &str| claims.get(name);
        let key = match choose {
            None => signature::find(&parts, &self.keys, now.numeric_date()),
            Some(choose) => {
                let members = json::object(parts.decoded_payload()).unwrap_or_default();
                let chosen = choose(&parts.header().members(), &members).ok_or(TokenRejection::BadSignature)?;
                Some(chosen).filter(|key| parts.header().algorithm() == Some(key.algorithm().name()))
            }
        };
        signature::signed_by(&parts, key)?;
        parts.header().is_understood()?;
        let mut times = Times::default();
        for name in [TimeClaim::Iat, TimeClaim::Nbf, TimeClaim::Exp] {
            *times.of(name) = claim(name.name()).and_then(|value| date(value, name).ok());
        }
        let reading = Reading {
            text: token,
            payload: parts.payload_range(),
            times,
            identity_claim: self.policy.identity_claim(),
            identity_is_text: self.policy.identity_is_text(),
            revocable: self.revocable,
            session_claims: None,
        };
        Ok(SignedToken::read(reading, claim))
    }

    fn verify_anew(
        &self,
        token: &str,
        choose: Option<&Choose<'_>>,
        now: Timestamp,
    ) -> Result<VerifiedToken, TokenRejection> {
        let known = self.header.lock().ok().and_then(|header| header.clone());
        let parts = Unverified::read(token, known.clone())?;
        let verified = match &self.policy {
            Policy::FlaskJwt(policy) => judge(token, &parts, &self.keys, policy, self.revocable, now),
            Policy::FlaskJwtExtended(policy) => policy.verify(token, &parts, &self.keys, choose, self.revocable, now),
        };
        let is_better = known.is_none_or(|known| verified.is_ok() && !Arc::ptr_eq(&known, parts.header()));
        if is_better && let Ok(mut header) = self.header.lock() {
            *header = Some(Arc::clone(parts.header()));
        }
        verified
    }

    fn judge_use(
        &self,
        token: &VerifiedToken,
        times: &Times,
        csrf: Option<&str>,
        now: Timestamp,
    ) -> Result<(), TokenRejection> {
        match &self.policy {
            Policy::FlaskJwt(policy) => policy.judge_times(times, now.numeric_date()),
            Policy::FlaskJwtExtended(policy) => policy.judge_use(times, token.session_claims(), csrf, now),
        }
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Verifier({:?}, {:?}, {:?}, ..)", self.keys, self.policy, self.cache)
    }
}
