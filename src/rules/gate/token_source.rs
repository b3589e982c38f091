//! The search for the token of a request, in its header fields and its body.

use super::{body::declares_more, core::Gate, decision::Rejected};
use crate::{
    host::{BodyError, BodyUse, Host},
    rules::{
        dialect::{BodySearch, Presented, Search, Wanted},
        rejection::Rejection,
        request::Request,
        route::{FlaskJwtExtendedRule, RequiredFreshness, Rule},
        socket::WithToken,
        time::Timestamp,
        token::{TokenType, VerifiedToken},
    },
};

/// A rule that accepts any token of one type, in every configured location.
const fn any_token(token_type: TokenType) -> FlaskJwtExtendedRule {
    FlaskJwtExtendedRule {
        fresh: RequiredFreshness::Any,
        token_type,
        locations: None,
        verify_type: true,
        skip_revocation_check: false,
    }
}

static ANY_ACCESS_TOKEN: FlaskJwtExtendedRule = any_token(TokenType::Access);
static ANY_REFRESH_TOKEN: FlaskJwtExtendedRule = any_token(TokenType::Refresh);

/// The token of a request to an endpoint.
pub(super) enum EndpointToken<'g> {
    /// A valid token. It may have been revoked.
    Found(VerifiedToken),
    /// The token may be in the body, which is not read yet.
    InBody(Box<dyn BodySearch + 'g>),
}

impl Gate {
    /// Searches for the token that a rule asks for.
    pub(super) fn search<'g>(&'g self, rule: &'g Rule, request: &Request<'_>, now: Timestamp) -> Search<'g> {
        let wanted = self.wanted(rule);
        match WithToken::of(request, &self.config) {
            Some(headers) => self.dialect.search(wanted, &Request { headers: &headers, ..*request }, &self.config, now),
            None => self.dialect.search(wanted, request, &self.config, now),
        }
    }

    /// What a rule asks of a token.
    pub(super) fn wanted<'r>(&'r self, rule: &'r Rule) -> Wanted<'r> {
        Wanted { rule: &rule.flask_jwt_extended, realm: rule.realm.as_deref().unwrap_or(&self.config.realm) }
    }

    /// Searches for the token of a request to an endpoint.
    ///
    /// # Errors
    /// Why there is no valid token, or that the body is declared too long.
    pub(super) fn endpoint_token<'g>(
        &'g self,
        token_type: TokenType,
        request: &Request<'_>,
        now: Timestamp,
    ) -> Result<EndpointToken<'g>, Rejected<'g>> {
        let rule = match token_type {
            TokenType::Access => &ANY_ACCESS_TOKEN,
            TokenType::Refresh => &ANY_REFRESH_TOKEN,
        };
        let wanted = Wanted { rule, realm: &self.config.realm };
        match self.dialect.search(wanted, request, &self.config, now) {
            Search::Done(presented) => Ok(EndpointToken::Found(verified(presented)?)),
            Search::InBody(search) => {
                self.check_token_body(request)?;
                Ok(EndpointToken::InBody(search))
            }
        }
    }

    /// Checks the declared length of a body that may hold a token.
    ///
    /// # Errors
    /// [`BodyError::TooLarge`] above `TOLLGATE_TOKEN_BODY_LIMIT` bytes.
    pub(super) fn check_token_body(&self, request: &Request<'_>) -> Result<(), Rejection> {
        let limit = self.config.token_body_limit;
        if declares_more(request, limit) { Err(BodyError::TooLarge { limit }.into()) } else { Ok(()) }
    }

    /// Reads the body that may hold a token.
    pub(super) async fn token_body(&self, host: &impl Host) -> Result<Vec<u8>, BodyError> {
        host.read_body(BodyUse::Token, self.config.token_body_limit).await
    }
}

impl EndpointToken<'_> {
    /// The token; reads the body if it is needed.
    pub(super) async fn read(self, gate: &Gate, host: &impl Host) -> Result<VerifiedToken, Rejected<'static>> {
        match self {
            Self::Found(token) => Ok(token),
            Self::InBody(search) => {
                let body = gate.token_body(host).await?;
                verified(search.read(&body, host.now()))
            }
        }
    }
}

fn verified(presented: Presented) -> Result<VerifiedToken, Rejected<'static>> {
    match presented {
        Presented::Token(token, _) => Ok(token),
        Presented::Missing(rejection) => Err(rejection.into()),
        Presented::Rejected(rejected) => Err(rejected.into()),
    }
}
