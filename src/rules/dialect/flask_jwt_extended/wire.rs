//! Flask-JWT-Extended's dialect: the answers of a grant, an identity and each rejection
//! (docs/compat/flask-jwt-extended.md#errors).
//!
//! **What always holds:** every rejection that this dialect words is matched by name, so a new one cannot reach the
//! wire by accident. Status and text are the real library's; where it answers with an HTML page or a crash, the answer
//! has the form of its rejections: docs/differences.md.

use crate::rules::{
    answer::{Answer, line},
    config::FlaskJwtExtended,
    cookie::Jar,
    dialect::wording::Wording,
    identity::{Id, Identity},
    json::{Map, Value},
    rejection::{Absent, CredentialRejection, LoginRejection, Malformed, TimeClaim, TokenRejection, Unencoded, Words},
    token::{self, TokenType},
};
use std::borrow::Cow;

/// The answer with new tokens: in the body unless cookies are the only configured location; in cookies if they are one.
/// `csrf_values` are in the body too, for a page that can't read the cookies.
#[must_use]
pub fn grant(
    access: &str,
    refresh: Option<&str>,
    message: &str,
    config: &FlaskJwtExtended,
    csrf_values: &[(TokenType, String)],
    jar: &Jar,
) -> Answer {
    let mut body = Map::new();
    if config.tokens_in_body() {
        body.insert("access_token".into(), access.into());
        body.extend(refresh.map(|token| ("refresh_token".to_owned(), token.into())));
    } else {
        body.insert("msg".into(), message.into());
    }
    for (token_type, value) in csrf_values {
        let name = match token_type {
            TokenType::Access => "csrf_access_token",
            TokenType::Refresh => "csrf_refresh_token",
        };
        body.insert(name.into(), value.as_str().into());
    }
    body.sort_keys();
    Answer::json(200, &body).with_cookies(jar)
}

/// The body that says who the caller is: what `to = "identity"` answers. `named` is the id as the token has it,
/// whatever the type of the stored id.
#[must_use]
pub fn identity_body(named: Option<&Id>, identity: Option<&Identity>) -> String {
    let id = named.map_or(Value::Null, Id::to_json);
    let mut body = identity.map(|identity| identity.attributes.clone()).unwrap_or_default();
    body.insert("logged_in_as".into(), id);
    body.sort_keys();
    line(&body)
}

impl Wording for FlaskJwtExtended {
    fn has_titles(&self) -> bool {
        false
    }

    /// The text under `JWT_ERROR_MESSAGE_KEY`.
    fn answer(&self, words: &Words<'_>) -> Answer {
        let body = Map::from_iter([(self.error_message_key.clone(), Value::from(words.text.as_ref()))]);
        Answer::json(words.status, &body)
    }

    fn credential<'r>(&self, rejection: &'r CredentialRejection) -> Option<Words<'r>> {
        Some(match rejection {
            CredentialRejection::Nowhere(places) => untitled(401, nowhere(places)),
            CredentialRejection::Missing { .. } => untitled(401, "Missing Authorization Header"),
            CredentialRejection::CsrfMissing => untitled(401, "Missing CSRF token"),
            CredentialRejection::BadHeader { name, scheme } => {
                let blank = if scheme.is_empty() { "" } else { " " };
                untitled(422, format!("Bad {name} header. Expected '{name}: {scheme}{blank}<JWT>'"))
            }
            CredentialRejection::BadQueryPrefix { name, prefix } => untitled(
                422,
                format!("Invalid value for query parameter '{name}'. Expected the value to start with '{prefix}'"),
            ),
            CredentialRejection::NotText => untitled(422, "Invalid token type. Token must be a <class 'bytes'>"),
            // Rejections of Flask-JWT's search.
            CredentialRejection::UnsupportedScheme
            | CredentialRejection::MissingAfterScheme
            | CredentialRejection::ContainsSpaces => return None,
        })
    }

    fn token<'r>(&self, rejection: &'r TokenRejection) -> Option<Words<'r>> {
        let text: Cow<'r, str> = match rejection {
        TokenRejection::CsrfMismatch => return Some(untitled(401, "CSRF double submit tokens do not match")),
        TokenRejection::Expired | TokenRejection::ClaimsOutdated => {
            return Some(untitled(401, "Token has expired"));
        }
        TokenRejection::NotFresh => return Some(untitled(401, "Fresh token required")),
        TokenRejection::Revoked | TokenRejection::RefreshReused => {
            return Some(untitled(401, "Token has been revoked"));
        }
        TokenRejection::ClaimsRejected => return Some(untitled(400, "User claims verification failed")),
        TokenRejection::UserUnknown { subject } => {
            return Some(untitled(401, format!("Error loading the user {subject}")));
        }
        TokenRejection::TooLong => format!("Token is longer than {} bytes", token::MAX_TOKEN_BYTES).into(),
        TokenRejection::Malformed(part) => match part {
            Malformed::NotEnoughSegments => "Not enough segments",
            Malformed::HeaderEncoding => "Invalid header padding",
            // Python's parser names the position of the fault; this is its text for a fault at the first character.
            Malformed::HeaderNotJson => "Invalid header string: Expecting value: line 1 column 1 (char 0)",
            Malformed::HeaderNotAnObject => "Invalid header string: must be a json object",
            Malformed::PayloadEncoding => "Invalid payload padding",
            Malformed::PayloadNotJson => "Invalid payload string: Expecting value: line 1 column 1 (char 0)",
            Malformed::PayloadNotAnObject => "Invalid payload string: must be a json object",
            Malformed::SignatureEncoding => "Invalid crypto padding",
        }
        .into(),
        TokenRejection::KeyIdNotAString => "Key ID header parameter must be a string".into(),
        TokenRejection::CriticalEmpty => "Invalid 'crit' header: must be a non-empty list".into(),
        TokenRejection::CriticalNotText => "Invalid 'crit' header: values must be strings".into(),
        TokenRejection::CriticalExtension { name } => format!("Unsupported critical extension: {name}").into(),
        TokenRejection::CriticalMissing => "Critical extension 'b64' is missing from headers".into(),
        TokenRejection::UnencodedPayload(fault) => match fault {
            Unencoded::PayloadPresent => "Payload segment must be empty when 'b64' is false.",
            Unencoded::NotCritical => "The 'b64' header parameter requires 'b64' to be listed in 'crit'.",
            Unencoded::Detached => {
                "It is required that you pass in a value for the \"detached_payload\" argument to decode a message having the b64 header set to false."
            }
        }
        .into(),
        TokenRejection::AlgorithmMissing => "Algorithm not specified".into(),
        TokenRejection::AlgorithmNotAllowed => "The specified alg value is not allowed".into(),
        TokenRejection::BadSignature | TokenRejection::Assertion => "Signature verification failed".into(),
        TokenRejection::NotANumericDate(claim) => match claim {
            TimeClaim::Iat => "Issued At claim (iat) must be an integer.",
            TimeClaim::Nbf => "Not Before claim (nbf) must be an integer.",
            TimeClaim::Exp => "Expiration Time claim (exp) must be an integer.",
        }
        .into(),
        TokenRejection::IssuedInTheFuture => "The token is not yet valid (iat)".into(),
        TokenRejection::NotYetValid => "The token is not yet valid (nbf)".into(),
        TokenRejection::RegisteredClaimMissing(name) => format!("Token is missing the \"{name}\" claim").into(),
        TokenRejection::IssuerNotText => "Payload Issuer (iss) must be a string".into(),
        TokenRejection::InvalidIssuer => "Invalid issuer".into(),
        TokenRejection::InvalidAudience => "Audience doesn't match".into(),
        TokenRejection::InvalidClaimFormat => "Invalid claim format in token".into(),
        TokenRejection::SubjectNotText => "Subject must be a string".into(),
        TokenRejection::TokenIdNotText => "JWT ID must be a string".into(),
        TokenRejection::MissingClaim(name) => format!("Missing claim: {name}").into(),
        TokenRejection::WrongType { wanted: TokenType::Refresh } => "Only refresh tokens are allowed".into(),
        TokenRejection::WrongType { wanted: TokenType::Access } => "Only non-refresh tokens are allowed".into(),
    };
        Some(untitled(422, text))
    }

    fn login(&self, rejection: &LoginRejection) -> Words<'static> {
        match rejection {
            // As in the example of the library's documentation.
            LoginRejection::BadCredentials => untitled(401, "Bad username or password"),
            // As current versions of Flask answer.
            LoginRejection::BodyNotDeclaredJson => untitled(415, "The Content-Type must be application/json"),
        }
    }

    /// The real library sends no challenge.
    fn challenge(&self, _: &CredentialRejection) -> Option<String> {
        None
    }

    fn insufficient_scope(&self) -> Option<&'static str> {
        Some("Bearer error=\"insufficient_scope\"")
    }
}

/// Words without a title, which this dialect does not have.
fn untitled<'r>(status: u16, text: impl Into<Cow<'r, str>>) -> Words<'r> {
    Words::new(status, "", text)
}

/// One place has its own text; for several places the text lists all, in the order of the search
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
