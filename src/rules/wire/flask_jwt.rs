//! Flask-JWT's dialect: how a grant, an identity and each refusal look (docs/compat/flask-jwt.md).
//!
//! **What always holds:** the function `words` matches every [`Rejection`], so a new one cannot reach the wire by
//! accident. Texts are fixed; of what a client sent nothing comes back. Where the real library answers with an HTML
//! page or a crash, this has the same shape as its refusals: docs/differences.md.

use super::{Answer, line};
use crate::rules::{
    identity::Identity,
    json::Value,
    login,
    rejection::{Malformed, PathFault, Rejection, TimeClaim},
    token,
};
use serde::Serialize;
use std::borrow::Cow;

/// Members in the order in which Flask sorts them.
#[derive(Serialize)]
struct RefusalBody<'b> {
    description: &'b str,
    error: &'b str,
    status_code: u16,
}

/// `{"access_token": …}` (docs/compat/flask-jwt.md#grant).
#[must_use]
pub fn grant(access_token: &str) -> Answer {
    #[derive(Serialize)]
    struct Body<'b> {
        access_token: &'b str,
    }
    Answer::json(200, &Body { access_token })
}

/// Who it is: what `to = "identity"` answers.
#[must_use]
pub fn identity(identity: Option<&Identity>) -> Answer {
    Answer::of_json(200, identity_text(identity))
}

/// The body of that.
#[must_use]
pub fn identity_text(identity: Option<&Identity>) -> String {
    #[derive(Serialize)]
    struct Body {
        identity: Value,
    }
    let id = identity.map_or(Value::Null, |identity| identity.id.to_json());
    match identity {
        Some(Identity { attributes, .. }) if !attributes.is_empty() => {
            let named = std::iter::once(("identity", &id));
            let others = attributes.iter().map(|(name, value)| (name.as_str(), value));
            line(&others.chain(named).collect::<std::collections::BTreeMap<_, _>>())
        }
        _ => line(&Body { identity: id }),
    }
}

/// OPTIONS, answered without a token (docs/compat/flask-jwt.md#flasks-own-answers).
#[must_use]
pub fn options(allow: &str) -> Answer {
    Answer {
        status: 200,
        headers: vec![("content-type".into(), "text/html; charset=utf-8".into()), ("allow".into(), allow.into())],
        body: String::new(),
    }
}

/// A refusal in Flask-JWT's words.
#[must_use]
pub fn rejection(rejection: &Rejection) -> Answer {
    let (status_code, error, description) = words(rejection);
    let mut answer = Answer::json(status_code, &RefusalBody { description: &description, error: &error, status_code });
    if let Rejection::MissingToken { realm } = rejection {
        answer = answer.with("www-authenticate", challenge(realm));
    }
    super::with_headers_of(answer, rejection)
}

/// The challenge. A quote or backslash in the realm is escaped (RFC 9110 §5.6.4); Flask-JWT sends a broken header.
fn challenge(realm: &str) -> String {
    format!("JWT realm=\"{}\"", realm.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Status, `error`, `description`.
pub(super) fn words(rejection: &Rejection) -> (u16, Cow<'_, str>, Cow<'_, str>) {
    let (status, error, description): (u16, &str, Cow<'_, str>) = match rejection {
        Rejection::NotFound => (404, "Not Found", "No rule of this gate names the path".into()),
        Rejection::FileNotFound => (404, "Not Found", "There is no such file".into()),
        Rejection::MethodNotAllowed { .. } => (405, "Method Not Allowed", "Method not allowed for this path".into()),
        Rejection::MissingLastSlash { .. } => (308, "Permanent Redirect", "The path ends with a slash".into()),
        Rejection::AmbiguousPath(fault) => (
            400,
            "Bad Request",
            match fault {
                PathFault::BadEscape => "The path has a bad percent escape",
                PathFault::HiddenSeparator => "The path hides a separator or dot segment in an escape",
                PathFault::ControlCharacter => "The path has a control character",
                PathFault::DoubleEscape => "The path has an escape of an escape",
                PathFault::EmptySegment => "The path has an empty segment (//)",
                PathFault::OtherRuleInAnotherReading => {
                    "Ambiguous path: a case-insensitive or normalised reading matches another rule"
                }
            }
            .into(),
        ),

        Rejection::MissingToken { .. } => {
            (401, "Authorization Required", "Request does not contain an access token".into())
        }
        Rejection::UnsupportedScheme => (401, "Invalid JWT header", "Unsupported authorization type".into()),
        Rejection::TokenMissingAfterScheme => (401, "Invalid JWT header", "Token missing".into()),
        Rejection::TokenContainsSpaces => (401, "Invalid JWT header", "Token contains spaces".into()),

        Rejection::TokenTooLong => {
            (401, "Invalid token", format!("Token is longer than {} bytes", token::MAX_TOKEN_BYTES).into())
        }
        Rejection::Malformed(part) => (
            401,
            "Invalid token",
            match part {
                Malformed::NotEnoughSegments => "Not enough segments",
                Malformed::HeaderEncoding => "Invalid header padding",
                Malformed::HeaderNotJson => "Invalid header string: not JSON",
                Malformed::HeaderNotAnObject => "Invalid header string: must be a json object",
                Malformed::PayloadEncoding => "Invalid payload padding",
                Malformed::PayloadNotJson => "Invalid payload string: not JSON",
                Malformed::PayloadNotAnObject => "Invalid payload string: must be a json object",
                Malformed::SignatureEncoding => "Invalid crypto padding",
            }
            .into(),
        ),
        Rejection::AlgorithmNotAllowed => (401, "Invalid token", "The specified alg value is not allowed".into()),
        Rejection::BadSignature => (401, "Invalid token", "Signature verification failed".into()),
        Rejection::MissingClaim(name) => {
            (401, "Invalid token", format!("Token is missing the \"{name}\" claim").into())
        }
        Rejection::NotANumericDate(claim) => (
            401,
            "Invalid token",
            match claim {
                TimeClaim::Iat => "Issued At claim (iat) must be an integer.",
                TimeClaim::Nbf => "Not Before claim (nbf) must be an integer.",
                TimeClaim::Exp => "Expiration Time claim (exp) must be an integer.",
            }
            .into(),
        ),
        Rejection::IssuedInTheFuture => (401, "Invalid token", "Issued At claim (iat) cannot be in the future.".into()),
        Rejection::NotYetValid => (401, "Invalid token", "The token is not yet valid (nbf)".into()),
        Rejection::Expired => (401, "Invalid token", "Signature has expired".into()),
        Rejection::InvalidAudience => (401, "Invalid token", "Invalid audience".into()),
        Rejection::InvalidClaimFormat => (401, "Invalid token", "Invalid claim format in token".into()),
        Rejection::CriticalExtension { .. }
        | Rejection::CriticalEmpty
        | Rejection::CriticalNotText
        | Rejection::CriticalMissing
        | Rejection::UnencodedPayload(_) => (401, "Invalid token", "Unsupported critical extension".into()),
        Rejection::KeyIdNotAString => (401, "Invalid token", "Key ID header parameter must be a string".into()),
        Rejection::NoSuchUser => (401, "Invalid JWT", "User does not exist".into()),

        // Flask-JWT has no words for what only the other dialect asks: these are that one's, in this one's form.
        Rejection::TokenNowhere(_)
        | Rejection::BadHeader { .. }
        | Rejection::BadQueryPrefix { .. }
        | Rejection::TokenNotText
        | Rejection::CsrfMissing
        | Rejection::CsrfMismatch
        | Rejection::AlgorithmMissing
        | Rejection::RegisteredClaimMissing(_)
        | Rejection::IssuerNotText
        | Rejection::InvalidIssuer
        | Rejection::SubjectNotText
        | Rejection::TokenIdNotText
        | Rejection::WrongType { .. }
        | Rejection::NotFresh
        | Rejection::Revoked
        | Rejection::RefreshReused
        | Rejection::ClaimsRejected
        | Rejection::UserNotLoaded { .. } => {
            let (_, words) = super::flask_jwt_extended::words(rejection);
            (401, "Invalid token", words)
        }

        // The words "Bad Request" stand beside 401 in the real library too.
        Rejection::BadCredentials => (401, "Bad Request", "Invalid credentials".into()),
        Rejection::BodyNotDeclaredJson => (400, "Bad Request", "The Content-Type must be application/json".into()),
        Rejection::BodyNotAnObject => {
            (400, "Bad Request", "The body must be one JSON object in UTF-8, without repeated members".into())
        }
        Rejection::BodyTooSlow => (408, "Request Timeout", "Timed out reading the request body".into()),
        Rejection::BodyInterrupted => (400, "Bad Request", "The body stopped before its end".into()),
        Rejection::BodyTooLarge { limit: Some(limit) } => {
            (413, "Request Entity Too Large", format!("The body is longer than {limit} bytes").into())
        }
        Rejection::BodyTooLarge { limit: None } => {
            (413, "Request Entity Too Large", "The declared length of the body is too large".into())
        }
        Rejection::TooManyBodies => {
            (503, "Service Unavailable", "Too many request bodies are being read; try again".into())
        }
        Rejection::FieldTooLong { field } => {
            (400, "Bad Request", format!("{field} is longer than {} bytes", login::MAX_FIELD_BYTES).into())
        }

        Rejection::TooManyTries { retry_after } => (
            429,
            "Too Many Requests",
            format!("Too many log-ins were tried; try again in {retry_after} seconds").into(),
        ),
        Rejection::WeakPassword { text } => (400, "Bad Request", text.as_str().into()),
        Rejection::NoSuchSession => (404, "Not Found", "There is no such session (any more)".into()),
        Rejection::ForeignSocket => {
            (403, "Forbidden", "WebSocket refused: the token is in a cookie and Origin is not this gate's".into())
        }
        Rejection::NotRevocable => (
            501,
            "Not Implemented",
            "Nothing was ended: the token has no id, or this gate keeps no sessions, so it is good until it expires"
                .into(),
        ),
        Rejection::NotTheOperator => {
            (401, "Unauthorized", "Send TOLLGATE_ADMIN_SECRET as `Authorization: Bearer …`".into())
        }
        Rejection::BadCommand => {
            (400, "Bad Request", "No such command, or a member is missing: see docs/sessions.md".into())
        }

        Rejection::StoreUnavailable => (503, "Service Unavailable", "The user store does not answer; try again".into()),
        Rejection::DecisionTimeout => {
            (503, "Service Unavailable", "The gate could not decide in time; try again".into())
        }
        Rejection::AssetsUnavailable => (502, "Bad Gateway", "The static files can't be reached".into()),
        Rejection::OriginUnreachable => (502, "Bad Gateway", "The origin can't be reached".into()),
        Rejection::OriginTimeout => (504, "Gateway Timeout", "The origin does not answer in time".into()),
        Rejection::Misconfigured | Rejection::Internal => {
            (500, "Internal Server Error", "The request could not be answered".into())
        }

        Rejection::Custom(custom) => {
            return (custom.status, custom.error.as_str().into(), custom.description.as_str().into());
        }
    };
    (status, error.into(), description)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{identity::Id, rejection::JwtError};

    fn is_stored_nowhere(answer: &Answer) -> bool {
        answer.header("cache-control") == Some("no-store")
    }

    #[test]
    fn a_grant_is_flasks_json() {
        let answer = grant("a.b.c");
        assert_eq!((answer.status, answer.body.as_str()), (200, "{\"access_token\":\"a.b.c\"}\n"));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert!(is_stored_nowhere(&answer));
    }

    #[test]
    fn an_identity_keeps_its_type_and_sorts_what_is_known() {
        let mut user = Identity::new(Id::Text("1".into()));
        assert_eq!(identity(Some(&user)).body, "{\"identity\":\"1\"}\n");
        user.attributes.insert("username".into(), "user1".into());
        user.attributes.insert("age".into(), 7.into());
        assert_eq!(identity(Some(&user)).body, "{\"age\":7,\"identity\":\"1\",\"username\":\"user1\"}\n");
        assert_eq!(identity(None).body, "{\"identity\":null}\n");
    }

    #[test]
    fn a_challenge_comes_with_a_missing_token_only_and_cannot_be_broken() {
        let answer = rejection(&Rejection::MissingToken { realm: "Fancy \"Re\\alm\"".into() });
        assert_eq!(answer.header("www-authenticate"), Some(r#"JWT realm="Fancy \"Re\\alm\"""#));
        assert_eq!(
            answer.body,
            "{\"description\":\"Request does not contain an access token\",\"error\":\"Authorization Required\",\"status_code\":401}\n"
        );
        assert_eq!(rejection(&Rejection::UnsupportedScheme).header("www-authenticate"), None);
        assert!(is_stored_nowhere(&answer));
    }

    #[test]
    fn an_embedders_own_refusal_goes_out_as_it_is() {
        let custom = JwtError {
            status: 403,
            headers: vec![("X-Lock".into(), "1".into())],
            ..JwtError::new("Locked", "Account locked")
        };
        let answer = rejection(&Rejection::Custom(custom));
        assert_eq!(answer.status, 403);
        assert_eq!(answer.header("x-lock"), Some("1"));
        assert_eq!(answer.body, "{\"description\":\"Account locked\",\"error\":\"Locked\",\"status_code\":403}\n");
    }
}
