//! The keys, what is asked of a token, and the tokens that were found good by both.
//!
//! **What always holds:** the cache lives and dies with the keys and the policy it was filled under; there is no way to
//! change them beneath it.

use super::{
    super::{error::Refusal, time::Timestamp},
    ClaimsPolicy, KeyRing, VerifiedToken,
    cache::Cache,
    judge,
    jws::Header,
    unverified,
};
use std::sync::{Arc, Mutex};

/// Verifies tokens, and remembers those it has verified.
pub struct Verifier {
    keys: KeyRing,
    policy: ClaimsPolicy,
    cache: Cache,
    /// That of the last good token.
    header: Mutex<Option<Arc<Header>>>,
}

impl Verifier {
    /// A verifier that remembers about `tokens` tokens; none with 0.
    #[must_use]
    pub fn new(keys: KeyRing, policy: ClaimsPolicy, tokens: usize) -> Self {
        Self { keys, policy, cache: Cache::new(tokens), header: Mutex::default() }
    }

    /// `JWT_SECRET_KEY`, `JWT_ALGORITHM`.
    #[must_use]
    pub fn keys(&self) -> &KeyRing {
        &self.keys
    }

    /// `JWT_REQUIRED_CLAIMS`, `JWT_VERIFY_CLAIMS`, `JWT_LEEWAY`.
    #[must_use]
    pub fn policy(&self) -> &ClaimsPolicy {
        &self.policy
    }

    #[cfg(test)]
    pub(super) fn remembers(&self, token: &VerifiedToken) -> bool {
        self.cache.get(token.text()).is_some_and(|known| known.is_same(token))
    }

    /// How many tokens there is room for: what else is kept for each may be as many.
    #[must_use]
    pub fn rooms(&self) -> usize {
        self.cache.rooms()
    }

    /// Is a token that was verified here before good now too?
    #[must_use]
    pub fn is_still_good(&self, token: &VerifiedToken, now: Timestamp) -> bool {
        token.times().is_some_and(|times| self.policy.judge_times(times, now.numeric_date()).is_ok())
    }

    /// Takes a token apart and judges it; one that was seen before is only judged by the time it is now.
    ///
    /// # Errors
    /// The first thing that is wrong: the same as [`super::verify`]'s, remembered or not.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<VerifiedToken, Refusal> {
        // Later a look at what is revoked belongs here too, and into `is_still_good`.
        if let Some(known) = self.cache.get(token)
            && let Some(times) = known.times()
        {
            self.policy.judge_times(times, now.numeric_date())?;
            return Ok(VerifiedToken { is_remembered: true, ..known });
        }
        let known = self.header.lock().ok().and_then(|header| header.clone());
        let parts = unverified(token, known.clone())?;
        let verified = judge(token, &parts, &self.keys, &self.policy, now)?;
        self.cache.put(&verified);
        if known.is_none_or(|known| !Arc::ptr_eq(&known, parts.header()))
            && let Ok(mut header) = self.header.lock()
        {
            *header = Some(Arc::clone(parts.header()));
        }
        Ok(verified)
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Verifier({:?}, {:?}, {:?}, ..)", self.keys, self.policy, self.cache)
    }
}
