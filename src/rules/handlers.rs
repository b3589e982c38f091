//! What Flask-JWT (docs/compat/flask-jwt.md#hooks) and Flask-JWT-Extended (docs/compat/flask-jwt-extended.md#loaders)
//! let an application replace, under their own names.
//!
//! **What always holds:** the methods here are those that need not wait; `authentication_handler` and
//! `identity_handler` (Flask-JWT-Extended: `user_lookup_loader`), which may, are [`crate::Users`]. Each default is the
//! library's.

use super::{
    config::{Config, Dialect},
    credential,
    identity::Identity,
    ids::SessionId,
    json::{Map, Value},
    rejection::{InternalRejection, Rejection},
    request::Request,
    time::Timestamp,
    token::{self, Key, VerifiedToken, VerifyingKey},
    wire::{self, Answer, flask_jwt},
};
use std::borrow::Cow;

/// The header and the claims of a token, with what Flask-JWT-Extended fills in.
#[derive(Clone, Copy, Debug)]
pub struct TokenParts<'t> {
    /// The JOSE header.
    pub header: &'t Map<String, Value>,
    /// The claims.
    pub payload: &'t Map<String, Value>,
}

/// An application's own handlers. Implement it with an empty body for the libraries'.
///
/// The first ones are Flask-JWT's, from [`Handlers::additional_claims`] on they are Flask-JWT-Extended's loaders; each
/// is called where its dialect is spoken (`TOLLGATE_WIRE`).
pub trait Handlers: Send + Sync + 'static {
    /// `request_handler`: the token in a request, `None` if there is none.
    ///
    /// # Errors
    /// What the client is told where a token is malformed or missing.
    fn request<'r>(
        &self,
        request: &Request<'r>,
        config: &Config,
        realm: &str,
    ) -> Result<Option<Cow<'r, str>>, Rejection> {
        credential::from_authorization(request.headers.get("authorization"), &config.header_prefix, realm)
            .map(Some)
            .map_err(Rejection::from)
    }

    /// `auth_request_handler` (deprecated in Flask-JWT): the whole answer of the log-in endpoint.
    fn auth_request(&self, _request: &Request<'_>) -> Option<Answer> {
        None
    }

    /// `auth_response_handler`: the answer to a log-in.
    fn auth_response(&self, access_token: &str, _identity: &Identity) -> Answer {
        flask_jwt::grant(access_token)
    }

    /// `jwt_payload_handler`: the claims of a new token. `JWT_REQUIRED_CLAIMS` must be among them.
    fn payload(&self, identity: &Identity, config: &Config, now: Timestamp) -> Map<String, Value> {
        let mut claims = Map::new();
        claims.insert("exp".into(), now.plus(config.expiration_delta).seconds().into());
        claims.insert("iat".into(), now.numeric_date().seconds().into());
        claims.insert("nbf".into(), now.plus(config.not_before_delta).seconds().into());
        claims.insert("identity".into(), identity.id.to_json());
        claims
    }

    /// `jwt_headers_handler`: more members of the JOSE header.
    fn headers(&self, _identity: &Identity) -> Map<String, Value> {
        Map::new()
    }

    /// `jwt_encode_handler`: a new token. `session` is the id of its session, where there are any: the claim `sid`,
    /// without which the session can't be ended.
    ///
    /// # Errors
    /// [`Rejection::Internal(InternalRejection::Misconfigured)`] if a required claim is not in the payload, or no key
    /// signs.
    fn encode(
        &self,
        identity: &Identity,
        config: &Config,
        session: Option<&SessionId>,
        now: Timestamp,
    ) -> Result<String, Rejection> {
        let mut claims = self.payload(identity, config, now);
        claims.extend(session.map(|session| ("sid".to_owned(), session.as_str().into())));
        if config.tokens.policy().required_claims().iter().any(|name| !claims.contains_key(name)) {
            return Err(Rejection::Internal(InternalRejection::Misconfigured));
        }
        let key = config.tokens.keys().signing().ok_or(Rejection::Internal(InternalRejection::Misconfigured))?;
        Ok(token::sign(key, &self.headers(identity), &claims))
    }

    /// `jwt_decode_handler`: from text to a verified token.
    ///
    /// # Errors
    /// Why it is refused. [`Rejection::Custom`] with error `Invalid token` is what PyJWT's `InvalidTokenError` becomes.
    fn decode(&self, token: &str, config: &Config, now: Timestamp) -> Result<VerifiedToken, Rejection> {
        Ok(config.tokens.verify(token, now)?)
    }

    /// `jwt_error_handler`: the answer to a refusal that is a `JWTError` ([`Rejection::is_jwt_error`]).
    fn error(&self, rejection: &Rejection) -> Answer {
        wire::rejection(rejection, &Dialect::FlaskJwt)
    }

    /// `additional_claims_loader`: more claims of a new token; one of a name that is there already takes its place.
    fn additional_claims(&self, _identity: &Identity) -> Map<String, Value> {
        Map::new()
    }

    /// `additional_headers_loader`: more members of the JOSE header.
    fn additional_headers(&self, _identity: &Identity) -> Map<String, Value> {
        Map::new()
    }

    /// `user_identity_loader`: what stands in `JWT_IDENTITY_CLAIM`. By default the id, as text where a `sub` must be
    /// one.
    fn user_identity(&self, identity: &Identity, config: &Config) -> Value {
        if config.tokens.policy().identity_is_text() { identity.id.to_string().into() } else { identity.id.to_json() }
    }

    /// `encode_key_loader`: the key that signs a new token; `None` if there is none.
    fn encode_key<'k>(&'k self, _identity: &Identity, config: &'k Config) -> Option<&'k Key> {
        config.tokens.keys().signing()
    }

    /// `decode_key_loader`: the key for a token, by its header and claims, which nobody has vouched for yet; `None`
    /// refuses it. A key is used with its own algorithm alone. Asked if [`Handlers::has_decode_key`] says so.
    fn decode_key(&self, _unverified: TokenParts<'_>) -> Option<&VerifyingKey> {
        None
    }

    /// Is there a [`Handlers::decode_key`]? Tokens are then not remembered, since what it says may change.
    /// Without one the key ring is asked.
    fn has_decode_key(&self) -> bool {
        false
    }

    /// `token_in_blocklist_loader`: was the token revoked? Asked at every request, so it must be quick: look into
    /// memory.
    fn token_in_blocklist(&self, _token: TokenParts<'_>) -> bool {
        false
    }

    /// `token_verification_loader`: are the claims good?
    fn token_verification(&self, _token: TokenParts<'_>) -> bool {
        true
    }

    /// Are [`Handlers::token_in_blocklist`] and [`Handlers::token_verification`] left as they are? Then no claims are
    /// read for them.
    fn looks_at_no_claims(&self) -> bool {
        false
    }

    /// `expired_token_loader`. This and those that follow: the whole answer; `None` for the library's own.
    fn expired_token(&self, _token: TokenParts<'_>) -> Option<Answer> {
        None
    }

    /// `invalid_token_loader`: a token was sent, but is no good; `text` says why.
    fn invalid_token(&self, _text: &str) -> Option<Answer> {
        None
    }

    /// `unauthorized_loader`: no token, or no CSRF value; `text` says why.
    fn unauthorized(&self, _text: &str) -> Option<Answer> {
        None
    }

    /// `needs_fresh_token_loader`.
    fn needs_fresh_token(&self, _token: TokenParts<'_>) -> Option<Answer> {
        None
    }

    /// `revoked_token_loader`.
    fn revoked_token(&self, _token: TokenParts<'_>) -> Option<Answer> {
        None
    }

    /// `token_verification_failed_loader`.
    fn token_verification_failed(&self, _token: TokenParts<'_>) -> Option<Answer> {
        None
    }

    /// `user_lookup_error_loader`.
    fn user_lookup_error(&self, _token: TokenParts<'_>) -> Option<Answer> {
        None
    }
}

/// Flask-JWT's own handlers, none replaced.
#[derive(Clone, Copy, Debug, Default)]
pub struct DefaultHandlers;

impl Handlers for DefaultHandlers {
    fn looks_at_no_claims(&self) -> bool {
        true
    }
}
