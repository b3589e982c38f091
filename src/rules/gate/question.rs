//! Questions of other workers about a token, and the end of a token: without a request.
//!
//! **What always holds:** a token is judged as if it had come with a request, in the same order; where a rule needs
//! what only a request has, an address or a country, it is refused. Whoever asks has found the token, so CSRF and the
//! place where it was found are theirs to check.

use super::{
    admin,
    core::Gate,
    decision::{Answered, Decided, Decision, Principal, Rejected},
    logout, rule,
};
use crate::{
    host::Host,
    rules::{
        json::{Map, Value},
        rejection::{CredentialRejection, InternalRejection, Rejection},
        route::{Auth, FlaskJwtExtendedRule, Revocation, Rule},
        token::VerifiedToken,
    },
    users::Users,
};
use std::sync::LazyLock;

/// Of these there is nothing but the token.
static ANY_ACCESS_TOKEN: LazyLock<Rule> =
    LazyLock::new(|| Rule::for_tokens("verify", Revocation::Snapshot { open: false }, FlaskJwtExtendedRule::default()));
static ANY_TOKEN: LazyLock<Rule> = LazyLock::new(|| {
    let any = FlaskJwtExtendedRule { verify_type: false, ..FlaskJwtExtendedRule::default() };
    Rule::for_tokens("introspect", Revocation::Strict, any)
});

impl Gate {
    /// The rule with exactly this path pattern, for this method; `None` if there is none, or if it looks at no token.
    #[must_use]
    pub fn rule_named(&self, path: &str, method: &str) -> Option<&Rule> {
        let is_meant = |rule: &&Rule| rule.path == path && rule.auth != Auth::None && rule.methods.contain(method);
        self.config.routes.rules().find(is_meant)
    }

    /// Whose token this is, if a request with it would pass under `rule`; without one, if it is an access token that is
    /// valid and not revoked. Memory is enough for most tokens.
    ///
    /// # Errors
    /// The rejection of such a request. Also where the rule would let it pass without an identity.
    pub async fn verify<'g>(
        &'g self,
        token: &str,
        rule: Option<&'g Rule>,
        host: &impl Host,
        users: &impl Users,
    ) -> Result<Principal, Rejected<'g>> {
        let decision = match self.decide_token_alone(rule.unwrap_or(&ANY_ACCESS_TOKEN), token, host.now()) {
            Decided::Now(decision) => decision,
            Decided::Later(waiting) => rule::resume(self, waiting, host, users).await,
        };
        let rejection = match decision {
            Decision::Reject(rejected) => return Err(rejected),
            Decision::Identity(authorized)
            | Decision::Assets(authorized)
            | Decision::Forward(authorized)
            | Decision::Inner(authorized) => match authorized.into_principal() {
                principal @ Principal::Verified { .. } => return Ok(principal),
                Principal::Open | Principal::Anonymous => {
                    Rejection::Credential(CredentialRejection::Missing { realm: self.config.realm.clone() })
                }
            },
            Decision::Answer(_) => InternalRejection::Bug.into(),
        };
        Err(Rejected::new(rejection, rule.map(|rule| rule.path.as_str())))
    }

    /// The token, an access or a refresh token, if it is valid and its account's object knows of no revocation.
    ///
    /// # Errors
    /// The rejection.
    pub async fn introspect(
        &self,
        token: &str,
        host: &impl Host,
        users: &impl Users,
    ) -> Result<VerifiedToken, Rejected<'_>> {
        match self.verify(token, Some(&ANY_TOKEN), host, users).await? {
            Principal::Verified { token, .. } => Ok(token),
            Principal::Open | Principal::Anonymous => {
                Err(Rejection::Credential(CredentialRejection::Nowhere(Vec::new())).into())
            }
        }
    }

    /// Ends a token as a log-out does: its session, or itself if it has none.
    ///
    /// # Errors
    /// Why nothing was ended.
    pub async fn end_token(&self, token: &str, host: &impl Host) -> Result<Answered, Rejected<'static>> {
        let signed = self.dialect.signed(token, &self.config, host.now()).map_err(Rejected::from)?;
        logout::end(self, &[signed], host).await
    }

    /// Carries out an operator's order, as `POST /auth/admin` does (docs/sessions.md).
    ///
    /// # Errors
    /// Why it was not done.
    pub async fn order(&self, order: &Map<String, Value>, host: &impl Host) -> Result<Answered, Rejected<'static>> {
        admin::carry_out(self, order, host).await
    }
}
