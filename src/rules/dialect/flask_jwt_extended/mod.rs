//! Flask-JWT-Extended's dialect (docs/compat/flask-jwt-extended.md).

pub mod find;
mod issue;
mod judge;
pub(super) mod search;
mod spoken;
pub mod wire;

pub(super) use spoken::Spoken;

use super::{Dialect, Grant, Presented, Search, TokenLifetimes, TokensToEnd, Wanted, signed_at_least, wording};
use crate::rules::{
    answer::Answer,
    config::{Config, Location},
    cookie::Jar,
    gate::{Principal, Rejected},
    hooks::TokenParts,
    identity::{Id, Identity},
    ids::SessionId,
    rejection::{CredentialRejection, PermissionRejection, Rejection, TokenRejection},
    request::Request,
    route::Rule,
    time::{Duration, Timestamp},
    token::{Random, RejectedToken, SignedToken, TokenSpec, TokenType, VerifiedToken},
};

impl Dialect for Spoken {
    fn search<'g>(
        &'g self,
        wanted: Wanted<'g>,
        request: &Request<'_>,
        config: &'g Config,
        now: Timestamp,
    ) -> Search<'g> {
        search::search(self, wanted.rule, request, config, now)
    }

    fn judge(&self, token: &str, wanted: Wanted<'_>, config: &Config, now: Timestamp) -> Presented {
        match self.verify(token, None, config, now).map_err(RejectedToken::from) {
            Ok(token) => match self.judge_use(wanted.rule, &token, now) {
                Ok(()) => Presented::Token(token, Location::Headers),
                Err(rejection) => Presented::Rejected(RejectedToken::of(rejection, token)),
            },
            Err(rejected) => Presented::Rejected(rejected),
        }
    }

    fn signed(&self, token: &str, config: &Config, now: Timestamp) -> Result<SignedToken, RejectedToken> {
        let verified = self.verify(token, None, config, now).map_err(RejectedToken::from);
        signed_at_least(verified, || self.read_signed(token, config, now))
    }

    fn search_all<'g>(&'g self, request: &Request<'_>, config: &'g Config, now: Timestamp) -> TokensToEnd<'g> {
        search::search_all(self, request, config, now)
    }

    fn user_id(&self, identity: &Identity, config: &Config) -> Option<Id> {
        Id::from_json(&self.loaders.user_identity(identity, config))
    }

    fn issues_refresh_tokens(&self) -> bool {
        self.options.refresh_tokens
    }

    fn check_claims(&self, identity: &Identity, config: &Config, now: Timestamp) -> Result<(), Rejection> {
        issue::check_claims(self, identity, config, now)
    }

    fn grant(&self, grant: &Grant<'_>, config: &Config) -> Result<Answer, Rejection> {
        issue::grant(self, grant, config)
    }

    fn create_token(
        &self,
        identity: &Identity,
        spec: TokenSpec,
        config: &Config,
        random: &Random,
        now: Timestamp,
    ) -> Result<(String, Option<String>), Rejection> {
        issue::create_token(self, identity, spec, config, random, now)
    }

    fn lifetimes(&self, _: &Config) -> TokenLifetimes {
        let refresh = self.options.refresh_tokens.then_some(self.options.refresh_expires);
        TokenLifetimes { access: self.options.access_expires, refresh }
    }

    /// docs/compat/flask-jwt-extended.md#implicit-refresh
    fn is_renewal_due(&self, rule: &Rule, token: &VerifiedToken, location: Location, now: Timestamp) -> bool {
        let until = now.plus(self.options.cookie_refresh_within);
        self.is_renewed(rule, location) && token.expires().is_some_and(|exp| exp.is_before(until, Duration::ZERO))
    }

    fn is_renewed(&self, rule: &Rule, location: Location) -> bool {
        self.options.cookie_refresh_within > Duration::ZERO
            && location == Location::Cookies
            && rule.flask_jwt_extended.token_type == TokenType::Access
    }

    fn renewed(
        &self,
        identity: &Identity,
        token: &VerifiedToken,
        session: Option<(&SessionId, Option<Timestamp>)>,
        config: &Config,
        random: &Random,
        now: Timestamp,
    ) -> Option<(String, Jar)> {
        issue::renewed(self, identity, token, session, config, random, now)
    }

    fn removed_cookies(&self) -> Jar {
        let mut jar = Jar::new();
        if self.options.uses_cookies() {
            TokenType::ALL.into_iter().for_each(|token_type| jar.unset(&self.options, token_type));
        }
        jar
    }

    fn answer(&self, rejected: &Rejected<'_>) -> Answer {
        self.loader_answer(rejected).unwrap_or_else(|| wording::rejection(&rejected.rejection, &*self.options))
    }

    fn identity_body(&self, principal: &Principal) -> String {
        let named = principal.token().and_then(|token| token.identity());
        wire::identity_body(named.as_ref(), principal.identity())
    }
}

impl Spoken {
    /// The answer of the application's own loader; `None` if the library's words are to be used
    /// (docs/compat/flask-jwt-extended.md#errors).
    fn loader_answer(&self, rejected: &Rejected<'_>) -> Option<Answer> {
        let (header, payload) =
            rejected.signed.as_ref().map(|token| (token.header(), token.claims_with_defaults())).unwrap_or_default();
        let token = TokenParts { header: &header, payload: &payload };
        let (rejection, loaders) = (&rejected.rejection, &self.loaders);
        let text = || wording::words(rejection, &*self.options).map(|words| words.text).unwrap_or_default();
        match rejection {
            Rejection::Token(TokenRejection::Expired | TokenRejection::ClaimsOutdated) => loaders.expired_token(token),
            Rejection::Token(TokenRejection::NotFresh) => loaders.needs_fresh_token(token),
            Rejection::Token(TokenRejection::Revoked | TokenRejection::RefreshReused) => loaders.revoked_token(token),
            Rejection::Token(TokenRejection::ClaimsRejected) => loaders.token_verification_failed(token),
            Rejection::Token(TokenRejection::UserUnknown { .. }) => loaders.user_lookup_error(token),
            Rejection::Permission(PermissionRejection::InsufficientPermissions) => {
                loaders.insufficient_permissions(token)
            }
            Rejection::Token(TokenRejection::CsrfMismatch)
            | Rejection::Credential(CredentialRejection::Nowhere(_) | CredentialRejection::CsrfMissing) => {
                loaders.unauthorized(&text())
            }
            Rejection::Token(_) | Rejection::Credential(_) => loaders.invalid_token(&text()),
            _ => None,
        }
    }
}
