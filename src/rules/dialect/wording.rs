//! The answer to a rejection.
//!
//! **What always holds:** a dialect words the rejections of its library (no token, a token, a log-in) and gives every
//! answer its form; the gate's own rejections are worded once, in [`crate::rules::rejection`].

use crate::rules::{
    answer::Answer,
    rejection::{
        BodyRejection, CredentialRejection, LoginRejection, PasswordRejection, PermissionRejection, Rejection,
        RouteRejection, TokenRejection, UnavailableRejection, Words,
    },
};
use std::borrow::Cow;

/// The words of a dialect, and the form of its answers.
pub trait Wording {
    /// The words for a request without a token; `None` for a rejection of the other dialect.
    fn credential<'r>(&self, rejection: &'r CredentialRejection) -> Option<Words<'r>>;

    /// The words for a token that is not accepted; `None` for a rejection of the other dialect.
    fn token<'r>(&self, rejection: &'r TokenRejection) -> Option<Words<'r>>;

    /// The words for a failed log-in.
    fn login(&self, rejection: &LoginRejection) -> Words<'static>;

    /// Whether answers contain [`Words::title`].
    fn has_titles(&self) -> bool;

    /// An answer with these words.
    fn answer(&self, words: &Words<'_>) -> Answer;

    /// The value of `WWW-Authenticate`; `None` if the answer has no challenge.
    fn challenge(&self, rejection: &CredentialRejection) -> Option<String>;

    /// The value of `WWW-Authenticate` for a token whose claims are not enough (RFC 6750 §3.1).
    fn insufficient_scope(&self) -> Option<&'static str> {
        None
    }
}

/// The answer to a rejection, in a dialect.
#[must_use]
pub fn rejection(rejection: &Rejection, dialect: &dyn Wording) -> Answer {
    let words = words(rejection, dialect);
    let words = words.unwrap_or_else(|| Words::new(401, "Unauthorized", "The token is not accepted"));
    let mut answer = dialect.answer(&words);
    // Header fields of an application's own rejection replace the gate's, as in Flask.
    let more = headers(rejection, dialect);
    answer.headers.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
    answer.headers.extend(more);
    answer
}

/// The words for a rejection; `None` for a rejection of the other dialect.
#[must_use]
pub fn words<'r>(rejection: &'r Rejection, dialect: &dyn Wording) -> Option<Words<'r>> {
    match rejection {
        Rejection::Credential(rejection) => dialect.credential(rejection),
        Rejection::Token(rejection) => dialect.token(rejection),
        Rejection::Login(rejection) => Some(dialect.login(rejection)),
        Rejection::Route(rejection) => Some(rejection.words()),
        Rejection::Body(rejection) => Some(rejection.words()),
        Rejection::Password(rejection) => Some(rejection.words()),
        Rejection::Session(rejection) => Some(rejection.words()),
        Rejection::Permission(rejection) => Some(rejection.words()),
        Rejection::Origin(rejection) => Some(rejection.words()),
        Rejection::Unavailable(rejection) => Some(rejection.words()),
        Rejection::Internal(rejection) => Some(rejection.words()),
        Rejection::Custom(custom) => {
            Some(Words::new(custom.status, custom.error.as_str(), custom.description.as_str()))
        }
    }
}

/// The header fields of a rejection, names in lower case.
fn headers(rejection: &Rejection, dialect: &dyn Wording) -> Vec<(Cow<'static, str>, String)> {
    match rejection {
        Rejection::Credential(rejection) => {
            dialect.challenge(rejection).map(|challenge| ("www-authenticate".into(), challenge)).into_iter().collect()
        }
        Rejection::Permission(PermissionRejection::InsufficientPermissions) => {
            let challenge = dialect.insufficient_scope();
            challenge.map(|challenge| ("www-authenticate".into(), challenge.to_owned())).into_iter().collect()
        }
        // The longest period of the runtime's limiters.
        Rejection::Permission(PermissionRejection::TooManyRequests) => vec![("retry-after".into(), "60".into())],
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{config::FlaskJwtExtended, dialect::FlaskJwt, rejection::JwtError};

    #[test]
    fn a_challenge_comes_with_a_missing_token_only_and_cannot_be_broken() {
        let missing = CredentialRejection::Missing { realm: "Fancy \"Re\\alm\"".into() };
        let answer = rejection(&missing.clone().into(), &FlaskJwt);
        assert_eq!(answer.header("www-authenticate"), Some(r#"JWT realm="Fancy \"Re\\alm\"""#));
        assert_eq!(
            answer.body,
            "{\"description\":\"Request does not contain an access token\",\"error\":\"Authorization Required\",\"status_code\":401}\n"
        );
        let unsupported = rejection(&CredentialRejection::UnsupportedScheme.into(), &FlaskJwt);
        assert_eq!(unsupported.header("www-authenticate"), None);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        for rejected in [missing.into(), TokenRejection::Expired.into(), TokenRejection::BadSignature.into()] {
            let answer = rejection(&rejected, &FlaskJwtExtended::default());
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
        let extended = FlaskJwtExtended::default();
        let cases: [(&dyn Wording, &str); 2] = [
            (&FlaskJwt, "{\"description\":\"Account locked\",\"error\":\"Locked\",\"status_code\":403}\n"),
            (&extended, "{\"msg\":\"Account locked\"}\n"),
        ];
        for (dialect, body) in cases {
            let answer = rejection(&custom, dialect);
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
    fn an_answer_has_the_header_that_its_status_asks_for() {
        let later = |seconds: &'static str| ("retry-after", seconds);
        let cases: [(Rejection, (&str, &str)); 6] = [
            (RouteRejection::MissingLastSlash { location: "/auth/?a".into() }.into(), ("location", "/auth/?a")),
            (RouteRejection::MethodNotAllowed { allow: "GET, OPTIONS".into() }.into(), ("allow", "GET, OPTIONS")),
            (UnavailableRejection::Store.into(), later("5")),
            (UnavailableRejection::DecisionTimeout.into(), later("5")),
            (BodyRejection::TooMany.into(), later("5")),
            (PasswordRejection::TooManyAttempts { retry_after: 7 }.into(), later("7")),
        ];
        for (rejected, (name, value)) in cases {
            for dialect in [&FlaskJwt as &dyn Wording, &FlaskJwtExtended::default()] {
                assert_eq!(rejection(&rejected, dialect).header(name), Some(value), "{rejected:?}");
            }
        }
    }

    /// Both are made by endpoints of the gate that both dialects have.
    #[test]
    fn flask_jwt_words_what_the_gates_endpoints_reject() {
        for (rejected, text) in
            [(TokenRejection::NotFresh, "Fresh token required"), (TokenRejection::Revoked, "Token has been revoked")]
        {
            let answer = rejection(&rejected.into(), &FlaskJwt);
            assert_eq!(
                answer.body,
                format!("{{\"description\":\"{text}\",\"error\":\"Invalid token\",\"status_code\":401}}\n")
            );
        }
    }

    #[test]
    fn what_only_the_other_dialect_makes_is_refused_without_its_words() {
        let answer = rejection(&TokenRejection::ClaimsRejected.into(), &FlaskJwt);
        assert_eq!(answer.status, 401);
        assert!(answer.body.contains("not accepted"), "{}", answer.body);
        let config = FlaskJwtExtended { error_message_key: "m".into(), ..FlaskJwtExtended::default() };
        let answer = rejection(&CredentialRejection::ContainsSpaces.into(), &config);
        assert_eq!((answer.status, answer.body.as_str()), (401, "{\"m\":\"The token is not accepted\"}\n"));
    }
}
