//! How rejections and identities are worded: the dialect's words, or the application's own.

use super::{
    core::Gate,
    decision::{Authorized, Rejected},
};
use crate::rules::{
    config::Dialect,
    handlers::TokenParts,
    json::{self, Value},
    rejection::{CredentialRejection, LoginRejection, Rejection, TokenRejection},
    route::Endpoint,
    token::SignedToken,
    wire::{self, Answer, flask_jwt, flask_jwt_extended},
};

impl Gate {
    /// The answer to who the caller is.
    #[must_use]
    pub fn identity(&self, authorized: &Authorized<'_>) -> Answer {
        let principal = authorized.principal();
        match &self.config.dialect {
            Dialect::FlaskJwt => flask_jwt::identity(principal.identity()),
            Dialect::FlaskJwtExtended(_) => {
                let named = principal.token().and_then(|token| token.identity());
                flask_jwt_extended::identity(named.as_ref(), principal.identity(), authorized.renewal())
            }
        }
    }

    /// The body of that: the only difference between two of these answers, unless there are cookies to renew.
    #[must_use]
    pub fn identity_text(&self, authorized: &Authorized<'_>) -> String {
        let principal = authorized.principal();
        match &self.config.dialect {
            Dialect::FlaskJwt => flask_jwt::identity_text(principal.identity()),
            Dialect::FlaskJwtExtended(_) => {
                let named = principal.token().and_then(|token| token.identity());
                flask_jwt_extended::identity_text(named.as_ref(), principal.identity())
            }
        }
    }

    /// The answer to a rejection, if nothing is known of a token.
    #[must_use]
    pub fn answer(&self, rejection: &Rejection) -> Answer {
        self.answer_to(&Rejected::new(rejection.clone(), None))
    }

    /// The answer to a rejection.
    #[must_use]
    pub fn answer_to(&self, rejected: &Rejected<'_>) -> Answer {
        let words = self.words(rejected);
        // Operators' commands go by the code: texts may change.
        let words = if rejected.rule == Some(Endpoint::Admin.name()) {
            with_code(words, rejected.rejection.code())
        } else {
            words
        };
        rejected.jar.iter().fold(words, |answer, cookie| answer.with("set-cookie", cookie))
    }

    fn words(&self, rejected: &Rejected<'_>) -> Answer {
        match &self.config.dialect {
            Dialect::FlaskJwt if rejected.rejection.is_jwt_error() => self.handlers.error(&rejected.rejection),
            dialect @ Dialect::FlaskJwt => wire::rejection(&rejected.rejection, dialect),
            dialect @ Dialect::FlaskJwtExtended(_) => {
                self.loader_words(rejected).unwrap_or_else(|| wire::rejection(&rejected.rejection, dialect))
            }
        }
    }

    /// The answer of the application's own loader; `None` if it leaves the words to the library
    /// (docs/compat/flask-jwt-extended.md#errors).
    fn loader_words(&self, rejected: &Rejected<'_>) -> Option<Answer> {
        let (header, payload) =
            rejected.signed.as_ref().map(|token| (token.header(), token.claims_with_defaults())).unwrap_or_default();
        let token = TokenParts { header: &header, payload: &payload };
        match &rejected.rejection {
            Rejection::Token(TokenRejection::Expired) => self.handlers.expired_token(token),
            Rejection::Token(TokenRejection::NotFresh) => self.handlers.needs_fresh_token(token),
            Rejection::Token(TokenRejection::Revoked) | Rejection::Token(TokenRejection::RefreshReused) => {
                self.handlers.revoked_token(token)
            }
            Rejection::Token(TokenRejection::ClaimsRejected) => self.handlers.token_verification_failed(token),
            Rejection::Token(TokenRejection::UserUnknown { .. }) => self.handlers.user_lookup_error(token),
            Rejection::Login(LoginRejection::BadCredentials) | Rejection::Custom(_) => None,
            rejection if rejection.is_jwt_error() => {
                let text = wire::words(rejection, &self.config.dialect).map(|words| words.text).unwrap_or_default();
                let is_unauthorized = matches!(
                    rejection,
                    Rejection::Credential(CredentialRejection::Nowhere(_))
                        | Rejection::Credential(CredentialRejection::CsrfMissing)
                        | Rejection::Token(TokenRejection::CsrfMismatch)
                );
                if is_unauthorized { self.handlers.unauthorized(&text) } else { self.handlers.invalid_token(&text) }
            }
            _ => None,
        }
    }

    /// The rejection of a token that names no user.
    pub(super) fn nobody(token: &SignedToken) -> Rejection {
        let subject = token.identity().map(|id| id.to_string()).unwrap_or_default();
        TokenRejection::UserUnknown { subject }.into()
    }
}

/// An answer whose JSON has the rejection's code beside the text.
fn with_code(answer: Answer, code: &str) -> Answer {
    let mut members = json::object(answer.body.as_bytes()).unwrap_or_default();
    members.insert("code".into(), code.into());
    Answer { body: Answer::json(answer.status, &Value::Object(members)).body, ..answer }
}
