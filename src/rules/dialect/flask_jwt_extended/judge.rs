//! Verification of a token that was found, and the checks of its use.

use super::Spoken;
use crate::rules::{
    config::Config,
    hooks::TokenParts,
    rejection::{InternalRejection, Rejection, TokenRejection},
    route::{FlaskJwtExtendedRule, RequiredFreshness},
    time::Timestamp,
    token::{RejectedToken, SignedToken, VerifiedToken},
};

impl Spoken {
    /// Verifies a token, and compares the CSRF value that came with it.
    pub(super) fn verify(
        &self,
        token: &str,
        csrf: Option<&str>,
        config: &Config,
        now: Timestamp,
    ) -> Result<VerifiedToken, RejectedToken<TokenRejection>> {
        if !self.loaders.has_decode_key() {
            return config.tokens.verify_with(token, csrf, None, now);
        }
        let choose = |header: &_, payload: &_| self.loaders.decode_key(TokenParts { header, payload });
        config.tokens.verify_with(token, csrf, Some(&choose), now)
    }

    /// Reads a token whose signature is valid. Its claims are not judged.
    pub(super) fn read_signed(
        &self,
        token: &str,
        config: &Config,
        now: Timestamp,
    ) -> Result<SignedToken, TokenRejection> {
        if !self.loaders.has_decode_key() {
            return config.tokens.signed(token, None, now);
        }
        let choose = |header: &_, payload: &_| self.loaders.decode_key(TokenParts { header, payload });
        config.tokens.signed(token, Some(&choose), now)
    }

    /// Type, freshness, blocklist, verification, in this order (docs/compat/flask-jwt-extended.md#judging-the-token,
    /// steps 1 to 4).
    pub(super) fn judge_use(
        &self,
        rule: &FlaskJwtExtendedRule,
        token: &VerifiedToken,
        now: Timestamp,
    ) -> Result<(), Rejection> {
        let claims = token.session_claims().ok_or(InternalRejection::Bug)?;
        if rule.verify_type && claims.token_type != rule.token_type {
            return Err(TokenRejection::WrongType { wanted: rule.token_type }.into());
        }
        let is_fresh = claims.fresh.is_fresh(now);
        let is_recent = |span| claims.issued_at.is_some_and(|iat| !iat.is_before(now.numeric_date(), span));
        match rule.fresh {
            RequiredFreshness::Any => {}
            RequiredFreshness::Fresh if is_fresh => {}
            RequiredFreshness::Within(span) if is_fresh && is_recent(span) => {}
            RequiredFreshness::Fresh | RequiredFreshness::Within(_) => return Err(TokenRejection::NotFresh.into()),
        }
        if self.loaders.looks_at_no_claims() {
            return Ok(());
        }
        let (header, payload) = (token.header(), token.claims_with_defaults());
        let parts = TokenParts { header: &header, payload: &payload };
        if !rule.skip_revocation_check && self.loaders.token_in_blocklist(parts) {
            return Err(TokenRejection::Revoked.into());
        }
        if !self.loaders.token_verification(parts) {
            return Err(TokenRejection::ClaimsRejected.into());
        }
        Ok(())
    }
}
