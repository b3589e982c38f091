//! Recorded requests and answers (docs/compat/transcripts.md#form-of-a-line): filling in tokens, comparing answers.

use base64ct::{Base64UrlUnpadded, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use tollgate::rules::{answer::Answer, json};

/// In place of a token that the recorded server had issued itself.
const ISSUED: &str = "(issued by the app under test)";

/// One recorded request and its answer.
#[derive(Deserialize)]
pub struct Case {
    /// `group/case`.
    pub name: String,
    /// Settings that differ from the base configuration.
    pub config: Map<String, Value>,
    /// The request, with `{T}` in place of the token.
    pub request: Request,
    /// How the token is made.
    pub token: Option<Value>,
    /// The recorded status.
    pub status: u16,
    /// The recorded headers that are compared.
    pub headers: Vec<(String, String)>,
    /// The recorded body.
    pub body: String,
    /// The recorded body as JSON, if it is.
    pub body_json: Option<Value>,
    /// The token that was sent.
    pub literal_token: Option<String>,
    /// The time of the recording, in seconds since 1970.
    pub recorded_at: f64,
    /// The library that answered; set for the whole file.
    #[serde(skip)]
    pub library: Library,
}

/// The recorded library.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Library {
    /// Flask-JWT 0.3.2.
    #[default]
    FlaskJwt,
    /// Flask-JWT-Extended 4.7.
    FlaskJwtExtended,
}

impl Library {
    /// Recognizes a file: Flask-JWT has a log-in at `/auth`; Flask-JWT-Extended has rejections with a member `msg`, and
    /// its application has routes that the other lacks.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let cases = || text.lines().filter_map(|line| serde_json::from_str::<Case>(line).ok());
        let is_extended = cases().all(|case| case.request.path_alone() != "/auth")
            && cases().any(|case| {
                case.body_json.is_some_and(|body| body.get("msg").is_some() || body.get("logged_in_as").is_some())
                    || ["/login", "/mint", "/claims", "/fresh"].contains(&case.request.path_alone())
            });
        if is_extended { Self::FlaskJwtExtended } else { Self::FlaskJwt }
    }
}

/// A request.
#[derive(Clone, Deserialize, serde::Serialize)]
pub struct Request {
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The header fields.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<String>,
}

impl Request {
    /// The values of a header field; `name` in any case.
    pub fn values<'r>(&'r self, name: &'r str) -> impl Iterator<Item = &'r str> {
        self.headers
            .iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim_matches([' ', '\t']))
    }

    /// The header fields of one name, joined by commas as a server joins them. `None` if there is none.
    #[must_use]
    pub fn joined(&self, name: &str) -> Option<String> {
        let values: Vec<&str> = self.values(name).collect();
        (!values.is_empty()).then(|| values.join(","))
    }

    /// The path without its query.
    #[must_use]
    pub fn path_alone(&self) -> &str {
        self.path.split('?').next().unwrap_or_default()
    }
}

/// A case with the gate's answer.
pub struct Exchange<'c> {
    /// The recorded case.
    pub case: &'c Case,
    /// The request that was sent.
    pub request: Request,
    /// The gate's answer.
    pub ours: Answer,
    /// The time of the answer, in seconds since 1970.
    pub now: f64,
}

/// The token of a case.
pub enum Token {
    /// The request has none.
    None,
    /// Made by its specification, for a given time.
    Made(String),
    /// To be issued by the server under test.
    Issued,
}

impl Case {
    /// The request with this token in it.
    #[must_use]
    pub fn request_with(&self, token: &str) -> Request {
        let put = |text: &str| text.replace("{T}", token);
        Request {
            method: self.request.method.clone(),
            path: put(&self.request.path),
            headers: self.request.headers.iter().map(|(name, value)| (name.clone(), put(value))).collect(),
            body: self.request.body.as_deref().map(put),
        }
    }

    /// The token, made for the time `now` in seconds since 1970.
    ///
    /// # Errors
    /// The specification has a member or value that is not known here.
    pub fn token_at(&self, now: i64) -> Result<Token, String> {
        match &self.token {
            None | Some(Value::Null) => Ok(Token::None),
            Some(Value::String(text)) if text == ISSUED => Ok(Token::Issued),
            #[allow(clippy::cast_possible_truncation)] // whole seconds
            Some(Value::Object(specification)) => {
                make(specification, Clock { now, recorded: self.recorded_at as i64 }).map(Token::Made)
            }
            Some(other) => Err(format!("unknown token {other}")),
        }
    }

    /// A recorded header; `name` in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// Times in seconds since 1970.
#[derive(Clone, Copy)]
struct Clock {
    now: i64,
    recorded: i64,
}

fn make(specification: &Map<String, Value>, clock: Clock) -> Result<String, String> {
    const KNOWN: [&str; 7] = ["header", "payload", "secret", "sign_alg", "raw_header", "raw_payload", "mangle"];
    if let Some(unknown) = specification.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        return Err(format!("unknown member {unknown:?} of a token"));
    }
    let text = |name: &str| specification.get(name).and_then(Value::as_str);
    let part = |raw: &str, plain: &str| match text(raw) {
        Some(raw) => raw.to_owned(),
        None => json::to_ascii(&at(specification.get(plain).unwrap_or(&Value::Null), clock)),
    };
    let mut token = Base64UrlUnpadded::encode_string(part("raw_header", "header").as_bytes());
    token.push('.');
    token += &Base64UrlUnpadded::encode_string(part("raw_payload", "payload").as_bytes());
    let (key, message) = (text("secret").unwrap_or_default().as_bytes(), token.as_bytes());
    let signature = match text("sign_alg") {
        Some("HS256") => mac::<Hmac<sha2::Sha256>>(key, message),
        Some("HS384") => mac::<Hmac<sha2::Sha384>>(key, message),
        Some("HS512") => mac::<Hmac<sha2::Sha512>>(key, message),
        Some("none") => Vec::new(),
        other => return Err(format!("unknown sign_alg {other:?}")),
    };
    token.push('.');
    token += &Base64UrlUnpadded::encode_string(&signature);
    text("mangle").map_or(Ok(token.clone()), |how| mangled(&token, how))
}

fn mac<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
    M::new_from_slice(key)
        .expect("HMAC takes a key of any length")
        .chain_update(message)
        .finalize()
        .into_bytes()
        .to_vec()
}

/// Claims with `"now+5"` and `"now-5"` as numbers. A string of digits within a day of the recording is a time, and is
/// moved by the time since then.
fn at(claims: &Value, clock: Clock) -> Value {
    let Value::Object(claims) = claims else { return claims.clone() };
    let claims = claims.iter().map(|(name, value)| {
        let text = value.as_str().unwrap_or_default();
        let seconds = |text: &str| text.parse::<i64>().ok();
        let value = match (text.strip_prefix("now").and_then(seconds), seconds(text)) {
            (Some(distance), _) => (clock.now + distance).into(),
            (None, Some(time)) if (time - clock.recorded).abs() < 86_400 => {
                (time - clock.recorded + clock.now).to_string().into()
            }
            _ => value.clone(),
        };
        (name.clone(), value)
    });
    Value::Object(claims.collect())
}

fn mangled(token: &str, how: &str) -> Result<String, String> {
    let (signed, signature) = token.rsplit_once('.').unwrap_or((token, ""));
    let (header, _) = signed.split_once('.').unwrap_or((signed, ""));
    let cut = |count: usize| &signature[..signature.len().saturating_sub(count)];
    let words: Vec<&str> = how.split(' ').collect();
    Ok(match words[..] {
        ["append", what] => format!("{token}{what}"),
        ["payload", "segment", "replaced", "by", what, ..] => format!("{header}.{what}.{signature}"),
        ["signature", "emptied"] => format!("{signed}."),
        ["last", count, "chars", "of", "signature", "cut"] => {
            format!("{signed}.{}", cut(count.parse().map_err(|_| format!("unknown mangle {how:?}"))?))
        }
        [what, "inserted", "in", "signature"] => {
            format!("{signed}.{}{what}{}", cut(6), &signature[signature.len().saturating_sub(6)..])
        }
        _ => return Err(format!("unknown mangle {how:?}")),
    })
}

impl Exchange<'_> {
    /// How the gate's answer differs from the recorded one (docs/compat/transcripts.md#comparison). Times in tokens may
    /// differ by `tolerance` seconds.
    #[must_use]
    pub fn differences(&self, tolerance: f64) -> Vec<String> {
        let (case, ours) = (self.case, &self.ours);
        let mut differences = Vec::new();
        if case.status != ours.status {
            differences.push(format!("status {} for {}", ours.status, case.status));
        }
        if !self.same_cookies(tolerance) {
            differences.push(format!("set-cookie: {:?} for {:?}", cookies(&ours.headers), cookies(&case.headers)));
        }
        for name in ["content-type", "www-authenticate", "allow", "x-lock"] {
            let same = match (name, case.header(name), ours.header(name)) {
                ("allow", Some(recorded), Some(sent)) => methods(recorded) == methods(sent),
                (_, recorded, sent) => recorded == sent,
            };
            if !same {
                differences.push(format!("{name}: {:?} for {:?}", ours.header(name), case.header(name)));
            }
        }
        let same_body = match (&case.body_json, serde_json::from_str::<Value>(&ours.body)) {
            (Some(recorded), Ok(sent)) => same_json(
                &with_decoded_tokens(recorded, case.recorded_at),
                &with_decoded_tokens(&sent, self.now),
                tolerance,
            ),
            _ => case.body == ours.body,
        };
        if !same_body && case.request.method != "HEAD" {
            differences.push("body".into());
        }
        differences
    }

    /// Whether the cookies are the same in the same order, with the same set of attributes.
    fn same_cookies(&self, tolerance: f64) -> bool {
        let (recorded, sent) = (cookies(&self.case.headers), cookies(&self.ours.headers));
        recorded.len() == sent.len()
            && recorded.iter().zip(&sent).all(|(recorded, sent)| {
                same_json(&plain(recorded, self.case.recorded_at), &plain(sent, self.now), tolerance.max(1.0))
            })
    }
}

fn cookies<N: AsRef<str>>(headers: &[(N, String)]) -> Vec<&str> {
    let is_cookie = |name: &str| name.eq_ignore_ascii_case("set-cookie");
    headers.iter().filter(|(name, _)| is_cookie(name.as_ref())).map(|(_, value)| value.as_str()).collect()
}

/// A cookie as JSON: a token in it decoded, `Expires` relative to `now`.
fn plain(cookie: &str, now: f64) -> Value {
    let mut parts = cookie.split("; ");
    let (name, value) = parts.next().unwrap_or_default().split_once('=').unwrap_or_default();
    let mut attributes: Vec<Value> = parts
        .map(|attribute| match attribute.strip_prefix("Expires=").map(httpdate::parse_http_date) {
            Some(Ok(time)) => {
                let seconds = time.duration_since(std::time::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
                // The epoch removes the cookie: it is the same at any time.
                serde_json::json!(["Expires", if seconds == 0.0 { 0.0 } else { seconds - now.floor() }])
            }
            _ => attribute.into(),
        })
        .collect();
    attributes.sort_by_key(Value::to_string);
    let value = decoded(value, now).unwrap_or_else(|| without_uuid(&value.into()));
    serde_json::json!([name, value, attributes])
}

/// The value, or the same text for every random UUID.
fn without_uuid(value: &Value) -> Value {
    let is_uuid4 = |text: &str| {
        text.len() == 36
            && text.char_indices().all(|(at, c)| match at {
                8 | 13 | 18 | 23 => c == '-',
                14 => c == '4',
                19 => "89ab".contains(c),
                _ => c.is_ascii_digit() || ('a'..='f').contains(&c),
            })
    };
    if value.as_str().is_some_and(is_uuid4) { "(UUID 4)".into() } else { value.clone() }
}

fn methods(allow: &str) -> BTreeSet<&str> {
    allow.split(',').map(str::trim).collect()
}

/// A body with each token in it decoded.
fn with_decoded_tokens(body: &Value, now: f64) -> Value {
    let mut body = body.clone();
    for name in ["access_token", "refresh_token", "token", "mytoken"] {
        if let Some(parts) = body.get(name).and_then(Value::as_str).and_then(|token| decoded(token, now)) {
            body[name] = parts;
        }
    }
    // The recorded application answers `/claims` with the claims of the token.
    if let Some(claims) = body.get_mut("payload").and_then(Value::as_object_mut) {
        relative_times(claims, now);
    }
    body
}

/// Header (0) or payload (1) of a token. `None` if the segment is not base64url of JSON.
#[must_use]
pub fn segment(token: &str, at: usize) -> Option<Value> {
    serde_json::from_slice(&Base64UrlUnpadded::decode_vec(token.split('.').nth(at)?).ok()?).ok()
}

/// A token's header and payload as JSON: times relative to `now`, random UUIDs replaced.
fn decoded(token: &str, now: f64) -> Option<Value> {
    let (header, mut payload) = (segment(token, 0)?, segment(token, 1)?);
    let claims = payload.as_object_mut()?;
    relative_times(claims, now);
    for name in ["jti", "csrf"] {
        if let Some(id) = claims.get_mut(name) {
            *id = without_uuid(id);
        }
    }
    Some(serde_json::json!([header, payload]))
}

fn relative_times(claims: &mut Map<String, Value>, now: f64) {
    for name in ["iat", "nbf", "exp", "fresh"] {
        if let Some(time) = claims.get_mut(name)
            && let Some(seconds) = time.as_f64()
        {
            *time = (seconds - now).into();
        }
    }
}

/// Whether two values are equal. Floating-point numbers, which are always times here, may differ by `tolerance`.
fn same_json(one: &Value, other: &Value, tolerance: f64) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) if one.is_f64() && other.is_f64() => {
            one.as_f64().zip(other.as_f64()).is_some_and(|(one, other)| (one - other).abs() <= tolerance)
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same_json(one, other, tolerance))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| {
                    // `fresh` has the fraction of a second of the recorded clock.
                    let tolerance = if name == "fresh" { tolerance.max(1.0) } else { tolerance };
                    other.get(name).is_some_and(|other| same_json(value, other, tolerance))
                })
        }
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Except the one that was made a second earlier (docs/compat/transcripts.md#tokens).
    #[test]
    fn a_token_made_by_its_specification_is_the_recorded_one() {
        let mut made = 0;
        for line in include_str!("../../tests/transcripts/flask_jwt.jsonl").lines() {
            let case: Case = serde_json::from_str(line).unwrap();
            #[allow(clippy::cast_possible_truncation)]
            if let Token::Made(token) = case.token_at(case.recorded_at as i64).unwrap()
                && case.name != "protected/expired_12s"
            {
                assert_eq!(Some(token), case.literal_token, "{}", case.name);
                made += 1;
            }
        }
        assert!(made > 40, "{made}");
    }

    #[test]
    fn a_string_of_digits_that_is_a_time_moves_with_the_clock() {
        let recorded = serde_json::json!({"iat": "now-5", "exp": "1900", "nbf": "999999", "jti": "7e3", "n": 1900});
        let moved = at(&recorded, Clock { now: 500_000, recorded: 1_000 });
        let expected = serde_json::json!({"iat": 499_995, "exp": "500900", "nbf": "999999", "jti": "7e3", "n": 1900});
        assert_eq!(moved, expected);
    }

    #[test]
    fn an_unknown_member_of_a_token_is_an_error() {
        let case = |token: &str| {
            let line = include_str!("../../tests/transcripts/flask_jwt.jsonl").lines().next().unwrap();
            let mut case: Case = serde_json::from_str(line).unwrap();
            case.token = serde_json::from_str(token).unwrap();
            case.token_at(0).map(drop)
        };
        assert!(case(r#"{"header":{},"payload":{},"secret":"x","sign_alg":"HS256"}"#).is_ok());
        assert!(case(r#"{"header":{},"payload":{},"secret":"x","sign_alg":"RS256"}"#).is_err());
        assert!(case(r#"{"header":{},"payload":{},"secret":"x","sign_alg":"HS256","mangle":"bitten"}"#).is_err());
        assert!(case(r#"{"header":{},"payload":{},"secret":"x","sign_alg":"HS256","colour":"red"}"#).is_err());
        assert!(case(r#""(from somewhere)""#).is_err());
    }
}
