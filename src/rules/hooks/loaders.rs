//! The loaders of Flask-JWT-Extended that an application can replace, under the library's names
//! (docs/compat/flask-jwt-extended.md#loaders).
//!
//! **What always holds:** the methods here are synchronous; `user_lookup_loader` is the asynchronous
//! [`crate::Users::identity`]. Each default is the library's.

use crate::rules::{
    answer::Answer,
    config::Config,
    identity::Identity,
    json::{Map, Value},
    token::{Key, VerifyingKey},
};

/// The header and the claims of a token, with the claims that Flask-JWT-Extended adds if they are missing.
#[derive(Clone, Copy, Debug)]
pub struct TokenParts<'t> {
    /// The JOSE header.
    pub header: &'t Map<String, Value>,
    /// The claims.
    pub payload: &'t Map<String, Value>,
}

/// An application's own loaders in Flask-JWT-Extended's dialect. A method that is not overridden behaves as in the
/// library.
pub trait Loaders: Send + Sync + 'static {
    /// `additional_claims_loader`: more claims for a new token. They replace claims of the same name.
    fn additional_claims(&self, _identity: &Identity) -> Map<String, Value> {
        Map::new()
    }

    /// `additional_headers_loader`: more members for the JOSE header.
    fn additional_headers(&self, _identity: &Identity) -> Map<String, Value> {
        Map::new()
    }

    /// `user_identity_loader`: the value of the claim `JWT_IDENTITY_CLAIM`. By default the id, as a string if that
    /// claim is `sub`.
    fn user_identity(&self, identity: &Identity, config: &Config) -> Value {
        if config.tokens.policy().identity_is_text() { identity.id.to_string().into() } else { identity.id.to_json() }
    }

    /// `encode_key_loader`: the key that signs a new token; `None` if there is none.
    fn encode_key<'k>(&'k self, _identity: &Identity, config: &'k Config) -> Option<&'k Key> {
        config.tokens.keys().signing()
    }

    /// `decode_key_loader`: the key for a token, by its header and claims, which are not verified yet; `None` rejects
    /// the token. A key verifies only its own algorithm. Called only if [`Loaders::has_decode_key`] is `true`.
    fn decode_key(&self, _unverified: TokenParts<'_>) -> Option<&VerifyingKey> {
        None
    }

    /// Whether [`Loaders::decode_key`] chooses the key, instead of the configured key set. Tokens are then not cached,
    /// since its answer may change.
    fn has_decode_key(&self) -> bool {
        false
    }

    /// `token_in_blocklist_loader`: whether the token was revoked. Called for every request with a token, so it must
    /// answer from memory.
    fn token_in_blocklist(&self, _token: TokenParts<'_>) -> bool {
        false
    }

    /// `token_verification_loader`: whether the claims are accepted.
    fn token_verification(&self, _token: TokenParts<'_>) -> bool {
        true
    }

    /// Whether [`Loaders::token_in_blocklist`] and [`Loaders::token_verification`] need not be called, because neither
    /// is overridden. This saves parsing the claims for them.
    fn looks_at_no_claims(&self) -> bool {
        false
    }

    /// `expired_token_loader`: the whole answer for an expired token; `None` for the library's.
    fn expired_token(&self, _token: TokenParts<'_>) -> Option<Answer> {
        None
    }

    /// `invalid_token_loader`: the whole answer for a token that is not accepted; `text` says why. `None` for the
    /// library's.
    fn invalid_token(&self, _text: &str) -> Option<Answer> {
        None
    }

    /// `unauthorized_loader`: the whole answer if the token or the CSRF value is missing; `text` says which. `None` for
    /// the library's.
    fn unauthorized(&self, _text: &str) -> Option<Answer> {
        None
    }

    /// `needs_fresh_token_loader`: the whole answer if a fresh token is required; `None` for the library's.
    fn needs_fresh_token(&self, _token: TokenParts<'_>) -> Option<Answer> {
        None
    }

    /// `revoked_token_loader`: the whole answer for a revoked token; `None` for the library's.
    fn revoked_token(&self, _token: TokenParts<'_>) -> Option<Answer> {
        None
    }

    /// `token_verification_failed_loader`: the whole answer if [`Loaders::token_verification`] is `false`; `None` for
    /// the library's.
    fn token_verification_failed(&self, _token: TokenParts<'_>) -> Option<Answer> {
        None
    }

    /// The whole answer if the claims do not meet the rule's `require`; `None` for the gate's. The library has no such
    /// loader.
    fn insufficient_permissions(&self, _token: TokenParts<'_>) -> Option<Answer> {
        None
    }

    /// `user_lookup_error_loader`: the whole answer if no user has the token's id; `None` for the library's.
    fn user_lookup_error(&self, _token: TokenParts<'_>) -> Option<Answer> {
        None
    }
}
