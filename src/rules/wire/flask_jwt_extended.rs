//! Flask-JWT-Extended's dialect: how a grant, an identity and each refusal look
//! (docs/compat/flask-jwt-extended.md#errors).
//!
//! **What always holds:** the function `words` matches every [`Rejection`], so a new one cannot reach the wire by
//! accident. The status and text are the real library's; where it answers with an HTML page or a crash, this has the
//! shape of its refusals: docs/differences.md.

use super::{Answer, flask_jwt, line};
use crate::rules::{
    account::SessionSummary,
    config::FlaskJwtExtended,
    cookie::Jar,
    identity::{Id, Identity},
    ids::SessionId,
    json::{Map, Value, json},
    rejection::{Absent, Malformed, Rejection, TimeClaim, Unencoded},
    token::{self, TokenType},
};
use std::{borrow::Cow, collections::BTreeMap};

/// New tokens: in the body, unless only cookies are read; in cookies, if those are read.
#[must_use]
pub fn grant(access: &str, refresh: Option<&str>, message: &str, config: &FlaskJwtExtended, jar: &Jar) -> Answer {
    let mut body = BTreeMap::new();
    if config.tokens_in_body() {
        body.insert("access_token", access);
        body.extend(refresh.map(|token| ("refresh_token", token)));
    } else {
        body.insert("msg", message);
    }
    with_cookies(Answer::json(200, &body), jar)
}

/// A plain word, with cookies.
#[must_use]
pub fn message(text: &str, jar: &Jar) -> Answer {
    with_cookies(Answer::json(200, &BTreeMap::from([("msg", text)])), jar)
}

fn with_cookies(answer: Answer, jar: &Jar) -> Answer {
    jar.iter().fold(answer, |answer, cookie| answer.with("set-cookie", cookie))
}

/// A user's sessions, the one of the request's own token named.
#[must_use]
pub fn sessions(sessions: &[SessionSummary], current: Option<&SessionId>) -> Answer {
    let one = |told: &SessionSummary| {
        json!({
            "id": told.id,
            "created": told.created,
            "last_used": told.last_used,
            "user_agent": told.user_agent,
            "country": told.country,
            "current": Some(&told.id) == current,
        })
    };
    Answer::json(200, &json!({"sessions": sessions.iter().map(one).collect::<Vec<_>>()}))
}

/// Who it is: what `to = "identity"` and the endpoint for it answer. `named` as the token does, whatever the type of
/// the stored id.
#[must_use]
pub fn identity(named: Option<&Id>, identity: Option<&Identity>, jar: &Jar) -> Answer {
    with_cookies(Answer::of_json(200, identity_text(named, identity)), jar)
}

/// The body of that.
#[must_use]
pub fn identity_text(named: Option<&Id>, identity: Option<&Identity>) -> String {
    let id = named.map_or(Value::Null, Id::to_json);
    let mut body: BTreeMap<&str, &Value> = identity.into_iter().flat_map(attributes).collect();
    body.insert("logged_in_as", &id);
    line(&body)
}

fn attributes(identity: &Identity) -> impl Iterator<Item = (&str, &Value)> {
    identity.attributes.iter().map(|(name, value)| (name.as_str(), value))
}

/// A refusal in Flask-JWT-Extended's words, under `JWT_ERROR_MESSAGE_KEY`. There is a challenge only if an embedder's
/// own refusal has one: the real library sends none.
#[must_use]
pub fn rejection(rejection: &Rejection, config: &FlaskJwtExtended) -> Answer {
    let (status, text) = words(rejection);
    let body = Map::from_iter([(config.error_message_key.clone(), Value::from(text))]);
    super::with_headers_of(Answer::json(status, &body), rejection)
}

/// What a loader for refusals is told.
#[must_use]
pub fn text(rejection: &Rejection) -> Cow<'_, str> {
    words(rejection).1
}

/// Status and text.
pub(super) fn words(rejection: &Rejection) -> (u16, Cow<'_, str>) {
    let (status, text): (u16, Cow<'_, str>) = match rejection {
        Rejection::TokenNowhere(places) => (401, nowhere(places).into()),
        Rejection::MissingToken { .. } => (401, "Missing Authorization Header".into()),
        Rejection::CsrfMissing => (401, "Missing CSRF token".into()),
        Rejection::CsrfMismatch => (401, "CSRF double submit tokens do not match".into()),
        Rejection::Expired => (401, "Token has expired".into()),
        Rejection::NotFresh => (401, "Fresh token required".into()),
        Rejection::Revoked | Rejection::RefreshReused => (401, "Token has been revoked".into()),
        Rejection::ClaimsRejected => (400, "User claims verification failed".into()),
        Rejection::UserNotLoaded { subject } => (401, format!("Error loading the user {subject}").into()),
        Rejection::NoSuchUser => (401, "Error loading the user".into()),
        // What its documentation's example answers.
        Rejection::BadCredentials => (401, "Bad username or password".into()),

        Rejection::BadHeader { name, scheme } => {
            let blank = if scheme.is_empty() { "" } else { " " };
            (422, format!("Bad {name} header. Expected '{name}: {scheme}{blank}<JWT>'").into())
        }
        Rejection::UnsupportedScheme | Rejection::TokenMissingAfterScheme | Rejection::TokenContainsSpaces => {
            (422, "Bad Authorization header".into())
        }
        Rejection::BadQueryPrefix { name, prefix } => (
            422,
            format!("Invalid value for query parameter '{name}'. Expected the value to start with '{prefix}'").into(),
        ),
        Rejection::TokenNotText => (422, "Invalid token type. Token must be a <class 'bytes'>".into()),
        Rejection::TokenTooLong => (422, format!("Token is longer than {} bytes", token::MAX_TOKEN_BYTES).into()),
        Rejection::Malformed(part) => (
            422,
            match part {
                Malformed::NotEnoughSegments => "Not enough segments",
                Malformed::HeaderEncoding => "Invalid header padding",
                // Python's parser says where it gave up; this is what it says of a text that does not even begin.
                Malformed::HeaderNotJson => "Invalid header string: Expecting value: line 1 column 1 (char 0)",
                Malformed::HeaderNotAnObject => "Invalid header string: must be a json object",
                Malformed::PayloadEncoding => "Invalid payload padding",
                Malformed::PayloadNotJson => "Invalid payload string: Expecting value: line 1 column 1 (char 0)",
                Malformed::PayloadNotAnObject => "Invalid payload string: must be a json object",
                Malformed::SignatureEncoding => "Invalid crypto padding",
            }
            .into(),
        ),
        Rejection::KeyIdNotAString => (422, "Key ID header parameter must be a string".into()),
        Rejection::CriticalEmpty => (422, "Invalid 'crit' header: must be a non-empty list".into()),
        Rejection::CriticalNotText => (422, "Invalid 'crit' header: values must be strings".into()),
        Rejection::CriticalExtension { name } => (422, format!("Unsupported critical extension: {name}").into()),
        Rejection::CriticalMissing => (422, "Critical extension 'b64' is missing from headers".into()),
        Rejection::UnencodedPayload(fault) => (
            422,
            match fault {
                Unencoded::PayloadPresent => "Payload segment must be empty when 'b64' is false.",
                Unencoded::NotCritical => "The 'b64' header parameter requires 'b64' to be listed in 'crit'.",
                Unencoded::Detached => {
                    "It is required that you pass in a value for the \"detached_payload\" argument to decode a message having the b64 header set to false."
                }
            }
            .into(),
        ),
        Rejection::AlgorithmMissing => (422, "Algorithm not specified".into()),
        Rejection::AlgorithmNotAllowed => (422, "The specified alg value is not allowed".into()),
        Rejection::BadSignature => (422, "Signature verification failed".into()),
        Rejection::NotANumericDate(claim) => (
            422,
            match claim {
                TimeClaim::Iat => "Issued At claim (iat) must be an integer.",
                TimeClaim::Nbf => "Not Before claim (nbf) must be an integer.",
                TimeClaim::Exp => "Expiration Time claim (exp) must be an integer.",
            }
            .into(),
        ),
        Rejection::IssuedInTheFuture => (422, "The token is not yet valid (iat)".into()),
        Rejection::NotYetValid => (422, "The token is not yet valid (nbf)".into()),
        Rejection::RegisteredClaimMissing(name) => (422, format!("Token is missing the \"{name}\" claim").into()),
        Rejection::IssuerNotText => (422, "Payload Issuer (iss) must be a string".into()),
        Rejection::InvalidIssuer => (422, "Invalid issuer".into()),
        Rejection::InvalidAudience => (422, "Audience doesn't match".into()),
        Rejection::InvalidClaimFormat => (422, "Invalid claim format in token".into()),
        Rejection::SubjectNotText => (422, "Subject must be a string".into()),
        Rejection::TokenIdNotText => (422, "JWT ID must be a string".into()),
        Rejection::MissingClaim(name) => (422, format!("Missing claim: {name}").into()),
        Rejection::WrongType { wanted: TokenType::Refresh } => (422, "Only refresh tokens are allowed".into()),
        Rejection::WrongType { wanted: TokenType::Access } => (422, "Only non-refresh tokens are allowed".into()),

        // As Flask answers it in its versions of today.
        Rejection::BodyNotDeclaredJson => (415, "The Content-Type must be application/json".into()),

        Rejection::Custom(custom) => (custom.status, custom.description.as_str().into()),
        // Not the library's: Flask's own, or the gate's. In the words of the other dialect.
        Rejection::NotFound
        | Rejection::FileNotFound
        | Rejection::MethodNotAllowed { .. }
        | Rejection::MissingLastSlash { .. }
        | Rejection::AmbiguousPath(_)
        | Rejection::BodyNotAnObject
        | Rejection::BodyTooLarge { .. }
        | Rejection::TooManyBodies
        | Rejection::DecisionTimeout
        | Rejection::ForeignSocket
        | Rejection::NotRevocable
        | Rejection::FieldTooLong { .. }
        | Rejection::BodyInterrupted
        | Rejection::BodyTooSlow
        | Rejection::TooManyTries { .. }
        | Rejection::WeakPassword { .. }
        | Rejection::NoSuchSession
        | Rejection::NotTheOperator
        | Rejection::BadCommand
        | Rejection::StoreUnavailable
        | Rejection::AssetsUnavailable
        | Rejection::OriginUnreachable
        | Rejection::OriginTimeout
        | Rejection::Misconfigured
        | Rejection::Internal => {
            let (status, _, description) = flask_jwt::words(rejection);
            (status, description)
        }
    };
    (status, text)
}

/// One place has its own words; of several all are told, in the order in which they were searched
/// (docs/compat/flask-jwt-extended.md#finding-the-token, step 5).
fn nowhere(places: &[Absent]) -> String {
    let text = |place: &Absent| match place {
        Absent::Header { name } => format!("Missing {name} Header"),
        Absent::Scheme { name, scheme } => {
            format!("Missing '{scheme}' type in '{name}' header. Expected '{name}: {scheme} <JWT>'")
        }
        Absent::Cookie { name } => format!("Missing cookie \"{name}\""),
        // The real library's spelling.
        Absent::QueryParameter { name } => format!("Missing '{name}' query paramater"),
        Absent::JsonMediaType => "Invalid content-type. Must be application/json.".to_owned(),
        Absent::JsonMember { name } => format!("Missing \"{name}\" key in json data."),
    };
    let word = |place: &Absent| match place {
        Absent::Header { .. } | Absent::Scheme { .. } => "headers",
        Absent::Cookie { .. } => "cookies",
        Absent::QueryParameter { .. } => "query_string",
        Absent::JsonMediaType | Absent::JsonMember { .. } => "json",
    };
    match places {
        [] => String::new(),
        [one] => text(one),
        [first @ .., last] => {
            let words: Vec<&str> = first.iter().map(word).collect();
            let texts: Vec<String> = places.iter().map(text).collect();
            format!("Missing JWT in {} or {} ({})", words.join(", "), word(last), texts.join("; "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::rejection::JwtError;

    #[test]
    fn an_embedders_own_refusal_goes_out_with_its_headers() {
        let headers = [("WWW-Authenticate", "Bearer realm=\"x\""), ("X-Lock", "1"), ("Cache-Control", "private")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let custom = JwtError { status: 403, headers, ..JwtError::new("Locked", "Account locked") };
        let answer = rejection(&Rejection::Custom(custom), &FlaskJwtExtended::default());
        assert_eq!((answer.status, answer.body.as_str()), (403, "{\"msg\":\"Account locked\"}\n"));
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

    #[test]
    fn there_is_no_challenge_otherwise() {
        for refused in [Rejection::MissingToken { realm: "x".into() }, Rejection::Expired, Rejection::BadSignature] {
            let answer = rejection(&refused, &FlaskJwtExtended::default());
            assert_eq!(answer.header("www-authenticate"), None, "{refused:?}");
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{refused:?}");
        }
    }
}
