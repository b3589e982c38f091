//! What Flask-JWT-Extended lets an application replace, under its own names
//! (docs/compat/flask-jwt-extended.md#loaders).
//!
//! **What always holds:** the methods here never wait; `user_lookup_loader`, which may, is [`crate::Users::identity`].
//! Each default is the library's.

use crate::rules::{
    answer::Answer,
    config::Config,
    identity::Identity,
    json::{Map, Value},
    token::{Key, VerifyingKey},
};

/// The header and the claims of a token, with what Flask-JWT-Extended fills in.
#[derive(Clone, Copy, Debug)]
pub struct TokenParts<'t> {
    /// The JOSE header.
    pub header: &'t Map<String, Value>,
    /// The claims.
    pub payload: &'t Map<String, Value>,
}

/// An application's own loaders in Flask-JWT-Extended's dialect. An implementation with an empty body has the
/// library's.
pub trait Loaders: Send + Sync + 'static {
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
    /// refuses it. A key is used with its own algorithm alone. Asked if [`Loaders::has_decode_key`] says so.
    fn decode_key(&self, _unverified: TokenParts<'_>) -> Option<&VerifyingKey> {
        None
    }

    /// Is there a [`Loaders::decode_key`]? Tokens are then not remembered, since what it says may change.
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

    /// Are [`Loaders::token_in_blocklist`] and [`Loaders::token_verification`] left as they are? Then no claims are
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
