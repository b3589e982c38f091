//! How answers look to a client.
//!
//! **What always holds:** a dialect words what it rejects itself (no token, a token, a log-in) and gives every answer
//! its form; what the gate rejects is worded once, in [`super::rejection`]. The files of the two dialects know nothing
//! of each other: this file brings them together.

pub mod flask_jwt;
pub mod flask_jwt_extended;

use super::{
    config::Dialect,
    rejection::{BodyRejection, PasswordRejection, Rejection, RouteRejection, UnavailableRejection, Words},
};
use std::borrow::Cow;

/// The answer to a rejection, in a dialect.
#[must_use]
pub fn rejection(rejection: &Rejection, dialect: &Dialect) -> Answer {
    let words =
        words(rejection, dialect).unwrap_or_else(|| Words::new(401, "Unauthorized", "The token is not accepted"));
    let answer = match dialect {
        Dialect::FlaskJwt => flask_jwt::rejection(&words),
        Dialect::FlaskJwtExtended(config) => flask_jwt_extended::rejection(&words, config),
    };
    with_headers_of(answer, rejection, dialect)
}

/// The words of a rejection; `None` for one that only the other dialect makes.
#[must_use]
pub fn words<'r>(rejection: &'r Rejection, dialect: &Dialect) -> Option<Words<'r>> {
    match (rejection, dialect) {
        (Rejection::Credential(rejection), Dialect::FlaskJwt) => flask_jwt::credential(rejection),
        (Rejection::Credential(rejection), Dialect::FlaskJwtExtended(_)) => flask_jwt_extended::credential(rejection),
        (Rejection::Token(rejection), Dialect::FlaskJwt) => flask_jwt::token(rejection),
        (Rejection::Token(rejection), Dialect::FlaskJwtExtended(_)) => flask_jwt_extended::token(rejection),
        (Rejection::Login(rejection), Dialect::FlaskJwt) => Some(flask_jwt::login(rejection)),
        (Rejection::Login(rejection), Dialect::FlaskJwtExtended(_)) => Some(flask_jwt_extended::login(rejection)),
        (Rejection::Route(rejection), _) => Some(rejection.words()),
        (Rejection::Body(rejection), _) => Some(rejection.words()),
        (Rejection::Password(rejection), _) => Some(rejection.words()),
        (Rejection::Session(rejection), _) => Some(rejection.words()),
        (Rejection::Permission(rejection), _) => Some(rejection.words()),
        (Rejection::Origin(rejection), _) => Some(rejection.words()),
        (Rejection::Unavailable(rejection), _) => Some(rejection.words()),
        (Rejection::Internal(rejection), _) => Some(rejection.words()),
        (Rejection::Custom(custom), _) => {
            Some(Words::new(custom.status, custom.error.as_str(), custom.description.as_str()))
        }
    }
}

/// A whole answer, small enough to be held in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Header fields, names in lower case.
    pub headers: Vec<(Cow<'static, str>, String)>,
    /// The body. Not sent for HEAD.
    pub body: String,
}

impl Answer {
    /// JSON as Flask writes it: a line feed at its end, no charset, not to be stored.
    #[must_use]
    pub fn json(status: u16, body: &impl serde::Serialize) -> Self {
        Self::of_json(status, line(body))
    }

    fn of_json(status: u16, body: String) -> Self {
        Self { status, headers: vec![("content-type".into(), "application/json".into()), no_store()], body }
    }

    /// The public keys (RFC 7517 §5, §8.5.2). They change rarely, and a new one is used only after it was published: so
    /// others may keep them for five minutes.
    #[must_use]
    pub fn keys(set: &super::json::Value) -> Self {
        let headers = [("content-type", "application/jwk-set+json"), ("cache-control", "public, max-age=300")];
        let headers = headers.map(|(name, value)| (name.into(), value.to_owned())).to_vec();
        Self { status: 200, headers, body: set.to_string() }
    }

    /// Adds a header field.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The value of a header field; `name` in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// JSON as Flask writes it.
fn line(body: &impl serde::Serialize) -> String {
    let mut text = super::json::to_ascii(body);
    text.push('\n');
    text
}

/// With the header fields of a rejection. Those of an application's own replace ours, as in Flask.
fn with_headers_of(mut answer: Answer, rejection: &Rejection, dialect: &Dialect) -> Answer {
    let more = headers_of(rejection, dialect);
    answer.headers.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
    answer.headers.extend(more);
    answer
}

/// Names in lower case.
fn headers_of(rejection: &Rejection, dialect: &Dialect) -> Vec<(Cow<'static, str>, String)> {
    match rejection {
        Rejection::Credential(rejection) => match dialect {
            Dialect::FlaskJwt => flask_jwt::challenge(rejection).into_iter().collect(),
            // The real library sends no challenge.
            Dialect::FlaskJwtExtended(_) => Vec::new(),
        },
        Rejection::Route(RouteRejection::MissingLastSlash { location }) => vec![("location".into(), location.clone())],
        Rejection::Route(RouteRejection::MethodNotAllowed { allow }) => vec![("allow".into(), allow.clone())],
        Rejection::Unavailable(UnavailableRejection::Store | UnavailableRejection::DecisionTimeout)
        | Rejection::Body(BodyRejection::TooMany) => vec![("retry-after".into(), "5".into())],
        Rejection::Password(PasswordRejection::TooManyAttempts { retry_after }) => {
            vec![("retry-after".into(), retry_after.to_string())]
        }
        Rejection::Custom(custom) => {
            custom.headers.iter().map(|(name, value)| (name.to_ascii_lowercase().into(), value.clone())).collect()
        }
        _ => Vec::new(),
    }
}

/// Tokens, identities and refusals are nobody else's (RFC 9111 §5.2.2.5).
fn no_store() -> (Cow<'static, str>, String) {
    ("cache-control".into(), "no-store".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{
        config::FlaskJwtExtended,
        rejection::{CredentialRejection, JwtError, TokenRejection},
    };

    fn extended() -> Dialect {
        Dialect::FlaskJwtExtended(Box::default())
    }

    #[test]
    fn a_challenge_comes_with_a_missing_token_only_and_cannot_be_broken() {
        let missing = CredentialRejection::Missing { realm: "Fancy \"Re\\alm\"".into() };
        let answer = rejection(&missing.clone().into(), &Dialect::FlaskJwt);
        assert_eq!(answer.header("www-authenticate"), Some(r#"JWT realm="Fancy \"Re\\alm\"""#));
        assert_eq!(
            answer.body,
            "{\"description\":\"Request does not contain an access token\",\"error\":\"Authorization Required\",\"status_code\":401}\n"
        );
        let unsupported = rejection(&CredentialRejection::UnsupportedScheme.into(), &Dialect::FlaskJwt);
        assert_eq!(unsupported.header("www-authenticate"), None);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        for rejected in [missing.into(), TokenRejection::Expired.into(), TokenRejection::BadSignature.into()] {
            let answer = rejection(&rejected, &extended());
            assert_eq!(answer.header("www-authenticate"), None, "{rejected:?}");
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{rejected:?}");
        }
    }

    #[test]
    fn an_applications_own_rejection_goes_out_with_its_headers() {
        let headers = [("WWW-Authenticate", "Bearer realm=\"x\""), ("X-Lock", "1"), ("Cache-Control", "private")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let custom: Rejection =
            Rejection::Custom(JwtError { status: 403, headers, ..JwtError::new("Locked", "Account locked") });
        for (dialect, body) in [
            (Dialect::FlaskJwt, "{\"description\":\"Account locked\",\"error\":\"Locked\",\"status_code\":403}\n"),
            (extended(), "{\"msg\":\"Account locked\"}\n"),
        ] {
            let answer = rejection(&custom, &dialect);
            assert_eq!((answer.status, answer.body.as_str()), (403, body));
            let sent: Vec<_> = answer.headers.iter().map(|(name, value)| (&**name, value.as_str())).collect();
            assert_eq!(
                sent,
                [
                    ("content-type", "application/json"),
                    ("www-authenticate", "Bearer realm=\"x\""),
                    ("x-lock", "1"),
                    ("cache-control", "private"),
                ]
            );
        }
    }

    #[test]
    fn what_only_the_other_dialect_makes_is_refused_without_its_words() {
        let answer = rejection(&TokenRejection::NotFresh.into(), &Dialect::FlaskJwt);
        assert_eq!(answer.status, 401);
        assert!(answer.body.contains("not accepted"), "{}", answer.body);
        let config = FlaskJwtExtended { error_message_key: "m".into(), ..FlaskJwtExtended::default() };
        let answer =
            rejection(&CredentialRejection::ContainsSpaces.into(), &Dialect::FlaskJwtExtended(Box::new(config)));
        assert_eq!((answer.status, answer.body.as_str()), (401, "{\"m\":\"The token is not accepted\"}\n"));
    }
}
