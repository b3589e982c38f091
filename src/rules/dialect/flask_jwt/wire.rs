//! Flask-JWT's dialect: the answers of a grant, an identity and each rejection (docs/compat/flask-jwt.md).
//!
//! **What always holds:** every rejection that this dialect words is matched by name, so a new one cannot reach the
//! wire by accident. Texts are fixed and repeat nothing that a client sent. Where the real library answers with an HTML
//! page or a crash, the answer has the form of its rejections: docs/differences.md.

use crate::rules::{
    answer::{Answer, line},
    dialect::wording::Wording,
    identity::Identity,
    json::Value,
    rejection::{CredentialRejection, LoginRejection, Malformed, TimeClaim, TokenRejection, Words},
    token,
};
use serde::Serialize;
use std::borrow::Cow;

/// Flask-JWT's words and form of answers.
#[derive(Clone, Copy, Debug, Default)]
pub struct FlaskJwt;

/// `{"access_token": …}` (docs/compat/flask-jwt.md#grant).
#[must_use]
pub fn grant(access_token: &str) -> Answer {
    #[derive(Serialize)]
    struct Body<'b> {
        access_token: &'b str,
    }
    Answer::json(200, &Body { access_token })
}

/// The body that says who the caller is: what `to = "identity"` answers.
#[must_use]
pub fn identity_body(identity: Option<&Identity>) -> String {
    #[derive(Serialize)]
    struct Body {
        identity: Value,
    }
    let id = identity.map_or(Value::Null, |identity| identity.id.to_json());
    match identity {
        Some(Identity { attributes, .. }) if !attributes.is_empty() => {
            let mut body = attributes.clone();
            body.insert("identity".into(), id);
            body.sort_keys();
            line(&body)
        }
        _ => line(&Body { identity: id }),
    }
}

impl Wording for FlaskJwt {
    fn has_titles(&self) -> bool {
        true
    }

    fn answer(&self, words: &Words<'_>) -> Answer {
        /// Members in the order in which Flask sorts them.
        #[derive(Serialize)]
        struct Body<'b> {
            description: &'b str,
            error: &'b str,
            status_code: u16,
        }
        let body = Body { description: &words.text, error: &words.title, status_code: words.status };
        Answer::json(words.status, &body)
    }

    /// A quote or backslash in the realm is escaped (RFC 9110 §5.6.4); Flask-JWT sends a broken header.
    fn challenge(&self, rejection: &CredentialRejection) -> Option<String> {
        let CredentialRejection::Missing { realm } = rejection else { return None };
        let realm = realm.replace('\\', "\\\\").replace('"', "\\\"");
        Some(format!("JWT realm=\"{realm}\""))
    }

    fn credential<'r>(&self, rejection: &'r CredentialRejection) -> Option<Words<'r>> {
        let (error, description) = match rejection {
            CredentialRejection::Missing { .. } => {
                ("Authorization Required", "Request does not contain an access token")
            }
            CredentialRejection::UnsupportedScheme => ("Invalid JWT header", "Unsupported authorization type"),
            CredentialRejection::MissingAfterScheme => ("Invalid JWT header", "Token missing"),
            CredentialRejection::ContainsSpaces => ("Invalid JWT header", "Token contains spaces"),
            // Rejections of Flask-JWT-Extended's search.
            CredentialRejection::Nowhere(_)
            | CredentialRejection::BadHeader { .. }
            | CredentialRejection::BadQueryPrefix { .. }
            | CredentialRejection::NotText
            | CredentialRejection::CsrfMissing => return None,
        };
        Some(Words::new(401, error, description))
    }

    fn token<'r>(&self, rejection: &'r TokenRejection) -> Option<Words<'r>> {
        let description: Cow<'r, str> = match rejection {
            TokenRejection::TooLong => format!("Token is longer than {} bytes", token::MAX_TOKEN_BYTES).into(),
            TokenRejection::Malformed(part) => match part {
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
            TokenRejection::AlgorithmNotAllowed => "The specified alg value is not allowed".into(),
            TokenRejection::BadSignature | TokenRejection::Assertion => "Signature verification failed".into(),
            TokenRejection::MissingClaim(name) => format!("Token is missing the \"{name}\" claim").into(),
            TokenRejection::NotANumericDate(claim) => match claim {
                TimeClaim::Iat => "Issued At claim (iat) must be an integer.",
                TimeClaim::Nbf => "Not Before claim (nbf) must be an integer.",
                TimeClaim::Exp => "Expiration Time claim (exp) must be an integer.",
            }
            .into(),
            TokenRejection::IssuedInTheFuture => "Issued At claim (iat) cannot be in the future.".into(),
            TokenRejection::NotYetValid => "The token is not yet valid (nbf)".into(),
            TokenRejection::Expired | TokenRejection::ClaimsOutdated => "Signature has expired".into(),
            TokenRejection::InvalidAudience => "Invalid audience".into(),
            TokenRejection::InvalidClaimFormat => "Invalid claim format in token".into(),
            TokenRejection::CriticalExtension { .. }
            | TokenRejection::CriticalEmpty
            | TokenRejection::CriticalNotText
            | TokenRejection::CriticalMissing
            | TokenRejection::UnencodedPayload(_) => "Unsupported critical extension".into(),
            TokenRejection::KeyIdNotAString => "Key ID header parameter must be a string".into(),
            TokenRejection::Revoked => "Token has been revoked".into(),
            // A change of password at the gate's own endpoint, which asks for the old one or a fresh token.
            TokenRejection::NotFresh => "Fresh token required".into(),
            TokenRejection::UserUnknown { .. } => return Some(Words::new(401, "Invalid JWT", "User does not exist")),
            // Rejections of Flask-JWT-Extended's judgement.
            TokenRejection::CsrfMismatch
            | TokenRejection::AlgorithmMissing
            | TokenRejection::RegisteredClaimMissing(_)
            | TokenRejection::IssuerNotText
            | TokenRejection::InvalidIssuer
            | TokenRejection::SubjectNotText
            | TokenRejection::TokenIdNotText
            | TokenRejection::WrongType { .. }
            | TokenRejection::RefreshReused
            | TokenRejection::ClaimsRejected => return None,
        };
        Some(Words::new(401, "Invalid token", description))
    }

    fn login(&self, rejection: &LoginRejection) -> Words<'static> {
        match rejection {
            // The real library sends "Bad Request" with 401 too.
            LoginRejection::BadCredentials => Words::new(401, "Bad Request", "Invalid credentials"),
            LoginRejection::BodyNotDeclaredJson => {
                Words::new(400, "Bad Request", "The Content-Type must be application/json")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::identity::Id;

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
        assert_eq!(identity_body(Some(&user)), "{\"identity\":\"1\"}\n");
        user.attributes.insert("username".into(), "user1".into());
        user.attributes.insert("age".into(), 7.into());
        assert_eq!(identity_body(Some(&user)), "{\"age\":7,\"identity\":\"1\",\"username\":\"user1\"}\n");
        assert_eq!(identity_body(None), "{\"identity\":null}\n");
    }
}
