//! The handlers of Flask-JWT that an application can replace, under the library's names
//! (docs/compat/flask-jwt.md#hooks).
//!
//! **What always holds:** the methods here are synchronous; `authentication_handler` and `identity_handler` are the
//! asynchronous [`crate::Users`]. Each default is the library's.

use crate::rules::{
    answer::Answer,
    config::Config,
    dialect::{
        flask_jwt::{FlaskJwt, find, wire},
        wording,
    },
    identity::Identity,
    ids::SessionId,
    json::{Map, Value},
    rejection::{InternalRejection, Rejection},
    request::Request,
    time::Timestamp,
    token::{self, VerifiedToken},
};
use std::borrow::Cow;

/// An application's own handlers in Flask-JWT's dialect. A method that is not overridden behaves as in the library.
pub trait Handlers: Send + Sync + 'static {
    /// `request_handler`: the token in a request, `None` if there is none.
    ///
    /// # Errors
    /// The rejection that the client gets if the token is malformed or missing.
    fn request<'r>(
        &self,
        request: &Request<'r>,
        config: &Config,
        realm: &str,
    ) -> Result<Option<Cow<'r, str>>, Rejection> {
        find::from_authorization(request.headers.get("authorization"), &config.header_prefix, realm)
            .map(Some)
            .map_err(Rejection::from)
    }

    /// `auth_request_handler` (deprecated in Flask-JWT): the whole answer of the log-in endpoint; `None` for the
    /// gate's.
    fn auth_request(&self, _request: &Request<'_>) -> Option<Answer> {
        None
    }

    /// `auth_response_handler`: the answer to a log-in.
    fn auth_response(&self, access_token: &str, _identity: &Identity) -> Answer {
        wire::grant(access_token)
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

    /// `jwt_encode_handler`: a new token. `session` is `None` without sessions; otherwise the token must have it as the
    /// claim `sid`, or its session can't be ended.
    ///
    /// # Errors
    /// [`InternalRejection::Misconfigured`] if a required claim is not in the payload, or no key
    /// signs; [`InternalRejection::ClaimsTooLong`].
    fn encode(
        &self,
        identity: &Identity,
        config: &Config,
        session: Option<&SessionId>,
        now: Timestamp,
    ) -> Result<String, Rejection> {
        let mut claims = self.payload(identity, config, now);
        claims.extend(config.attribute_claims.of(identity)?);
        claims.extend(session.map(|session| ("sid".to_owned(), session.as_str().into())));
        if config.tokens.policy().required_claims().iter().any(|name| !claims.contains_key(name)) {
            return Err(Rejection::Internal(InternalRejection::Misconfigured));
        }
        let key = config.tokens.keys().signing().ok_or(Rejection::Internal(InternalRejection::Misconfigured))?;
        Ok(token::sign(key, &self.headers(identity), &claims))
    }

    /// `jwt_decode_handler`: verifies a token.
    ///
    /// # Errors
    /// Why the token is rejected. [`Rejection::Custom`] with error `Invalid token` stands for PyJWT's
    /// `InvalidTokenError`.
    fn decode(&self, token: &str, config: &Config, now: Timestamp) -> Result<VerifiedToken, Rejection> {
        Ok(config.tokens.verify(token, now)?)
    }

    /// `jwt_error_handler`: the answer to a rejection that is a `JWTError` ([`Rejection::is_jwt_error`]).
    fn error(&self, rejection: &Rejection) -> Answer {
        wording::rejection(rejection, &FlaskJwt)
    }
}
