//! The keys, what is asked of a token, and the tokens that were found good by both.
//!
//! **What always holds:** the cache lives and dies with the keys and the policy it was filled under; there is no way to
//! change them beneath it.

use super::{
    super::{error::Refusal, time::Timestamp},
    ClaimsPolicy, KeyRing, VerifiedToken,
    cache::Cache,
    verify,
};

/// Verifies tokens, and remembers those it has verified.
#[derive(Debug)]
pub struct Verifier {
    keys: KeyRing,
    policy: ClaimsPolicy,
    cache: Cache,
}

impl Verifier {
    /// A verifier that remembers about `tokens` tokens; none with 0.
    #[must_use]
    pub fn new(keys: KeyRing, policy: ClaimsPolicy, tokens: usize) -> Self {
        Self { keys, policy, cache: Cache::new(tokens) }
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

    /// Takes a token apart and judges it; one that was seen before is only judged by the time it is now.
    ///
    /// # Errors
    /// The first thing that is wrong: the same as [`verify`]'s, remembered or not.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<VerifiedToken, Refusal> {
        if let Some(known) = self.cache.get(token) {
            self.policy.judge_times(known.times(), now.numeric_date())?;
            return Ok(known);
        }
        verify(token, &self.keys, &self.policy, now).map(|verified| self.cache.put(verified))
    }
}
