//! The search for a token in a request: which places, in which order, and what is judged at once
//! (docs/compat/flask-jwt-extended.md#finding-the-token, steps 2 to 5; docs/compat/flask-jwt.md#finding-the-token).
//!
//! **What always holds:** a token that is found here is good in itself and of the type that was asked for; whether it
//! was revoked is not said. Anything but "nothing here" ends the search. What the search still needs of the request
//! when it must wait for the body is taken out of it first.

use super::{body::declares_more, core::Gate, decision::Rejected};
use crate::{
    host::{BodyError, BodyUse, Host},
    rules::{
        config::Location,
        credential::flask_jwt_extended::{InBody, Searched, Sought, seek},
        handlers::TokenParts,
        rejection::{Absent, CredentialRejection, InternalRejection, Rejection, TokenRejection},
        request::Request,
        route::{FlaskJwtExtendedRule, RequiredFreshness, Rule},
        time::Timestamp,
        token::{MAX_TOKEN_BYTES, RejectedToken, TokenType, VerifiedToken},
    },
};

/// What a search came to.
pub(super) enum Search<'g> {
    /// It is over.
    Done(Presented),
    /// Only the body can tell.
    InBody(BodySearch<'g>),
}

/// What the client presented.
pub(super) enum Presented {
    /// A token that is good for what it is asked for.
    Token(VerifiedToken, Location),
    /// Nothing: with what this is rejected.
    Missing(Rejection),
    /// Something that is not a good token.
    Rejected(RejectedToken),
}

/// What kind of token is searched for, and how its absence is worded.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'g> {
    rule: &'g FlaskJwtExtendedRule,
    realm: &'g str,
}

/// What an endpoint asks for: a token of one type, anywhere where the configuration looks for one.
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

/// A search that goes on when the body is there.
pub struct BodySearch<'g> {
    wanted: Wanted<'g>,
    /// What the places before had to say.
    absent: Vec<Absent>,
    location: Location,
    in_body: InBody,
    /// The places after, as far as the request tells.
    rest: Vec<(Location, Result<Sought, CredentialRejection>)>,
}

impl Gate {
    /// What a rule asks for.
    pub(super) fn wanted_by<'g>(&'g self, rule: &'g Rule) -> Wanted<'g> {
        Wanted { rule: &rule.flask_jwt_extended, realm: rule.realm.as_deref().unwrap_or(&self.config.realm) }
    }

    /// What an endpoint asks for.
    pub(super) fn wanted_of_type(&self, token_type: TokenType) -> Wanted<'_> {
        let rule = match token_type {
            TokenType::Access => &ANY_ACCESS_TOKEN,
            TokenType::Refresh => &ANY_REFRESH_TOKEN,
        };
        Wanted { rule, realm: &self.config.realm }
    }

    /// Searches for a token, wherever the dialect looks for one.
    pub(super) fn search<'g>(&'g self, wanted: Wanted<'g>, request: &Request<'_>, now: Timestamp) -> Search<'g> {
        let Some(config) = self.config.flask_jwt_extended() else {
            return Search::Done(match self.verified(wanted.realm, request, now) {
                Ok(token) => Presented::Token(token, Location::Headers),
                Err(rejection @ Rejection::Credential(CredentialRejection::Missing { .. })) => {
                    Presented::Missing(rejection)
                }
                Err(rejection) => Presented::Rejected(RejectedToken::unsigned(rejection)),
            });
        };
        let locations: &[Location] = wanted.rule.locations.as_ref().unwrap_or(&config.locations);
        let look = |location| (location, seek(location, request, config, wanted.rule.token_type));
        self.search_places(wanted, Vec::new(), locations.iter().copied().map(look), now)
    }

    /// Flask-JWT's search: its `request_handler` finds the token, its `jwt_decode_handler` verifies it.
    fn verified(&self, realm: &str, request: &Request<'_>, now: Timestamp) -> Result<VerifiedToken, Rejection> {
        let token = self.handlers.request(request, &self.config, realm)?;
        let token =
            token.ok_or_else(|| Rejection::Credential(CredentialRejection::Missing { realm: realm.to_owned() }))?;
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Rejection::Token(TokenRejection::TooLong));
        }
        self.handlers.decode(&token, &self.config, now)
    }

    /// Looks at one place after the other.
    fn search_places<'g>(
        &'g self,
        wanted: Wanted<'g>,
        mut absent: Vec<Absent>,
        mut places: impl Iterator<Item = (Location, Result<Sought, CredentialRejection>)>,
        now: Timestamp,
    ) -> Search<'g> {
        while let Some((location, sought)) = places.next() {
            match sought {
                Ok(Sought::Known(Searched::Absent(place))) => absent.push(place),
                Ok(Sought::Known(Searched::Found { token, csrf })) => {
                    return Search::Done(self.judged(wanted, &token, csrf.as_deref(), location, now));
                }
                Ok(Sought::InBody(in_body)) => {
                    let rest = places.collect();
                    return Search::InBody(BodySearch { wanted, absent, location, in_body, rest });
                }
                Err(rejection) => return Search::Done(Presented::Rejected(RejectedToken::unsigned(rejection))),
            }
        }
        Search::Done(Presented::Missing(Rejection::Credential(CredentialRejection::Nowhere(absent))))
    }

    /// Ends a search when the body is there.
    pub(super) fn search_body<'g>(&'g self, mut search: BodySearch<'g>, body: &[u8], now: Timestamp) -> Presented {
        loop {
            let BodySearch { wanted, mut absent, location, in_body, rest } = search;
            match in_body.read(body) {
                Ok(Searched::Found { token, csrf }) => {
                    return self.judged(wanted, &token, csrf.as_deref(), location, now);
                }
                Ok(Searched::Absent(place)) => absent.push(place),
                Err(rejection) => return Presented::Rejected(RejectedToken::unsigned(rejection)),
            }
            match self.search_places(wanted, absent, rest.into_iter(), now) {
                Search::Done(presented) => return presented,
                Search::InBody(next) => search = next,
            }
        }
    }

    /// The token that was found, if it is good for what it is asked for.
    fn judged(
        &self,
        wanted: Wanted<'_>,
        token: &str,
        csrf: Option<&str>,
        location: Location,
        now: Timestamp,
    ) -> Presented {
        let token = match self.verify_flask_jwt_extended(token, csrf, now) {
            Ok(token) => token,
            Err(rejected) => return Presented::Rejected(rejected.into()),
        };
        match self.judge_session_claims(wanted.rule, &token, now) {
            Ok(()) => Presented::Token(token, location),
            Err(rejection) => Presented::Rejected(RejectedToken::of(rejection, token)),
        }
    }

    pub(super) fn verify_flask_jwt_extended(
        &self,
        token: &str,
        csrf: Option<&str>,
        now: Timestamp,
    ) -> Result<VerifiedToken, RejectedToken<TokenRejection>> {
        let Self { config, handlers, .. } = self;
        if !handlers.has_decode_key() {
            return config.tokens.verify_with(token, csrf, None, now);
        }
        let choose = |header: &_, payload: &_| handlers.decode_key(TokenParts { header, payload });
        config.tokens.verify_with(token, csrf, Some(&choose), now)
    }

    /// Type, freshness, blocklist, verification, in this order (docs/compat/flask-jwt-extended.md#judging-the-token,
    /// steps 1 to 4).
    fn judge_session_claims(
        &self,
        rule: &FlaskJwtExtendedRule,
        token: &VerifiedToken,
        now: Timestamp,
    ) -> Result<(), Rejection> {
        let claims = token.session_claims().ok_or(Rejection::Internal(InternalRejection::Bug))?;
        if rule.verify_type && claims.token_type != rule.token_type {
            return Err(Rejection::Token(TokenRejection::WrongType { wanted: rule.token_type }));
        }
        let is_fresh = claims.fresh.is_fresh(now);
        let is_recent = |span| claims.issued_at.is_some_and(|iat| !iat.is_before(now.numeric_date(), span));
        match rule.fresh {
            RequiredFreshness::Any => {}
            RequiredFreshness::Fresh if is_fresh => {}
            RequiredFreshness::Within(span) if is_fresh && is_recent(span) => {}
            RequiredFreshness::Fresh | RequiredFreshness::Within(_) => {
                return Err(Rejection::Token(TokenRejection::NotFresh));
            }
        }
        if self.handlers.looks_at_no_claims() {
            return Ok(());
        }
        let (header, payload) = (token.header(), token.claims_with_defaults());
        let parts = TokenParts { header: &header, payload: &payload };
        if !rule.skip_revocation_check && self.handlers.token_in_blocklist(parts) {
            return Err(Rejection::Token(TokenRejection::Revoked));
        }
        if !self.handlers.token_verification(parts) {
            return Err(Rejection::Token(TokenRejection::ClaimsRejected));
        }
        Ok(())
    }

    /// Whether a body that may hold a token may be read: one that declares more than `TOLLGATE_TOKEN_BODY_LIMIT` is
    /// refused without being read.
    pub(super) fn check_token_body(&self, request: &Request<'_>) -> Result<(), Rejection> {
        let limit = self.config.token_body_limit;
        if declares_more(request, limit) { Err(BodyError::TooLarge { limit }.into()) } else { Ok(()) }
    }

    /// The body that may hold a token.
    pub(super) async fn token_body(&self, host: &impl Host) -> Result<Vec<u8>, BodyError> {
        host.read_body(BodyUse::Token, self.config.token_body_limit).await
    }
}

/// The token of a request to an endpoint.
pub(super) enum EndpointToken<'g> {
    /// It was found, and is good in itself.
    Found(VerifiedToken),
    /// It may be in the body.
    InBody(BodySearch<'g>),
}

impl Gate {
    /// The token that comes to an endpoint, wherever the dialect looks for it.
    pub(super) fn endpoint_token<'g>(
        &'g self,
        token_type: TokenType,
        request: &Request<'_>,
        now: Timestamp,
    ) -> Result<EndpointToken<'g>, Rejected<'g>> {
        match self.search(self.wanted_of_type(token_type), request, now) {
            Search::Done(presented) => Ok(EndpointToken::Found(verified(presented)?)),
            Search::InBody(search) => {
                self.check_token_body(request)?;
                Ok(EndpointToken::InBody(search))
            }
        }
    }
}

impl EndpointToken<'_> {
    /// The token, once the body is there.
    pub(super) async fn read(self, gate: &Gate, host: &impl Host) -> Result<VerifiedToken, Rejected<'static>> {
        match self {
            Self::Found(token) => Ok(token),
            Self::InBody(search) => {
                let body = gate.token_body(host).await?;
                verified(gate.search_body(search, &body, host.now()))
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
