//! What Flask-JWT lets an application replace (facts 6), under its own names.
//!
//! **What always holds:** the methods here are those that need not wait; `authentication_handler` and
//! `identity_handler`, which may, are the questions [`super::gate::AskAuthenticate`] and [`super::gate::AskIdentity`].
//! Each default is Flask-JWT's.

use super::{
    config::Config,
    credential,
    error::Refusal,
    identity::Identity,
    json::{Map, Value},
    request::Request,
    time::Timestamp,
    token::{self, VerifiedToken},
    wire::{Answer, flask_jwt},
};
use std::borrow::Cow;

/// An application's own handlers. Implement it with an empty body for Flask-JWT's.
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
    ) -> Result<Option<Cow<'r, str>>, Refusal> {
        credential::from_authorization(request.headers.get("authorization"), &config.header_prefix, realm).map(Some)
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

    /// `jwt_encode_handler`: a new token.
    ///
    /// # Errors
    /// [`Refusal::Misconfigured`] if a required claim is not in the payload, or no key signs.
    fn encode(&self, identity: &Identity, config: &Config, now: Timestamp) -> Result<String, Refusal> {
        let claims = self.payload(identity, config, now);
        if config.tokens.policy().required.iter().any(|name| !claims.contains_key(name)) {
            return Err(Refusal::Misconfigured);
        }
        let key = config.tokens.keys().signing().ok_or(Refusal::Misconfigured)?;
        Ok(token::sign(key, &self.headers(identity), &claims))
    }

    /// `jwt_decode_handler`: from text to a verified token.
    ///
    /// # Errors
    /// Why it is refused. [`Refusal::Custom`] with error `Invalid token` is what PyJWT's `InvalidTokenError` becomes.
    fn decode(&self, token: &str, config: &Config, now: Timestamp) -> Result<VerifiedToken, Refusal> {
        config.tokens.verify(token, now)
    }

    /// `jwt_error_handler`: the answer to a refusal that is a `JWTError` ([`Refusal::is_jwt_error`]).
    fn error(&self, refusal: &Refusal) -> Answer {
        flask_jwt::refusal(refusal)
    }
}

/// Flask-JWT's own handlers, none replaced.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stock;

impl Handlers for Stock {}
