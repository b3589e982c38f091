//! Flask-JWT's dialect (docs/compat/flask-jwt.md).

pub mod find;
pub mod wire;

pub use wire::FlaskJwt;

use super::{Dialect, Grant, Presented, Search, TokenLifetimes, TokensToEnd, Wanted, signed_at_least, wording};
use crate::rules::{
    answer::Answer,
    config::{Config, Location},
    gate::{Principal, Rejected},
    hooks::Handlers,
    identity::{Id, Identity},
    rejection::{CredentialRejection, Rejection, TokenRejection},
    request::Request,
    time::Timestamp,
    token::{MAX_TOKEN_BYTES, RejectedToken, SignedToken, VerifiedToken},
};

/// Flask-JWT's dialect, with an application's handlers.
pub(super) struct Spoken {
    pub handlers: Box<dyn Handlers>,
}

impl Spoken {
    /// Finds the token with `request_handler` and verifies it with `jwt_decode_handler`.
    fn verified(
        &self,
        realm: &str,
        request: &Request<'_>,
        config: &Config,
        now: Timestamp,
    ) -> Result<VerifiedToken, Rejection> {
        let token = self.handlers.request(request, config, realm)?;
        let token = token.ok_or_else(|| CredentialRejection::Missing { realm: realm.to_owned() })?;
        self.decoded(&token, config, now)
    }

    fn decoded(&self, token: &str, config: &Config, now: Timestamp) -> Result<VerifiedToken, Rejection> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenRejection::TooLong.into());
        }
        self.handlers.decode(token, config, now)
    }
}

impl Dialect for Spoken {
    fn search<'g>(
        &'g self,
        wanted: Wanted<'g>,
        request: &Request<'_>,
        config: &'g Config,
        now: Timestamp,
    ) -> Search<'g> {
        Search::Done(match self.verified(wanted.realm, request, config, now) {
            Ok(token) => Presented::Token(token, Location::Headers),
            Err(rejection @ Rejection::Credential(CredentialRejection::Missing { .. })) => {
                Presented::Missing(rejection)
            }
            Err(rejection) => Presented::Rejected(RejectedToken::unsigned(rejection)),
        })
    }

    fn judge(&self, token: &str, _: Wanted<'_>, config: &Config, now: Timestamp) -> Presented {
        match self.decoded(token, config, now) {
            Ok(token) => Presented::Token(token, Location::Headers),
            Err(rejection) => Presented::Rejected(RejectedToken::unsigned(rejection)),
        }
    }

    fn signed(&self, token: &str, config: &Config, now: Timestamp) -> Result<SignedToken, RejectedToken> {
        let verified = self.decoded(token, config, now).map_err(RejectedToken::unsigned);
        signed_at_least(verified, || config.tokens.signed(token, None, now))
    }

    fn search_all<'g>(&'g self, request: &Request<'_>, config: &'g Config, now: Timestamp) -> TokensToEnd<'g> {
        let mut found = TokensToEnd::default();
        match self.handlers.request(request, config, &config.realm) {
            Ok(Some(token)) => {
                found.add(self.signed(&token, config, now), false);
            }
            Ok(None) => found.reject(CredentialRejection::Missing { realm: config.realm.clone() }),
            Err(rejection) => found.reject(rejection),
        }
        found
    }

    fn user_id(&self, identity: &Identity, _: &Config) -> Option<Id> {
        Some(identity.id.clone())
    }

    fn issues_refresh_tokens(&self) -> bool {
        false
    }

    fn check_claims(&self, identity: &Identity, config: &Config, _: Timestamp) -> Result<(), Rejection> {
        config.attribute_claims.of(identity)?;
        Ok(())
    }

    fn grant(&self, grant: &Grant<'_>, config: &Config) -> Result<Answer, Rejection> {
        let token = self.handlers.encode(grant.identity, config, grant.session, grant.now)?;
        Ok(self.handlers.auth_response(&token, grant.identity))
    }

    fn lifetimes(&self, config: &Config) -> TokenLifetimes {
        TokenLifetimes { access: Some(config.expiration_delta), refresh: None }
    }

    fn answer_login(&self, request: &Request<'_>) -> Option<Answer> {
        self.handlers.auth_request(request)
    }

    fn answer(&self, rejected: &Rejected<'_>) -> Answer {
        if rejected.rejection.is_jwt_error() {
            self.handlers.error(&rejected.rejection)
        } else {
            wording::rejection(&rejected.rejection, &FlaskJwt)
        }
    }

    fn identity_body(&self, principal: &Principal) -> String {
        wire::identity_body(principal.identity())
    }
}
