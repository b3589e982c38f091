//! How things look to a client. One file a dialect; here what is common: an answer as plain values.

pub mod flask_jwt;
pub mod flask_jwt_extended;

use super::rejection::Rejection;
use std::borrow::Cow;

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

/// With the header fields that a refusal has in every dialect. Those of an embedder's own take the place of ours, as in
/// Flask.
fn with_headers_of(mut answer: Answer, rejection: &Rejection) -> Answer {
    let more = headers_of(rejection);
    answer.headers.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
    answer.headers.extend(more);
    answer
}

/// Names in lower case.
fn headers_of(rejection: &Rejection) -> Vec<(Cow<'static, str>, String)> {
    match rejection {
        Rejection::MissingLastSlash { location } => vec![("location".into(), location.clone())],
        Rejection::MethodNotAllowed { allow } => vec![("allow".into(), allow.clone())],
        Rejection::StoreUnavailable | Rejection::TooManyBodies | Rejection::DecisionTimeout => {
            vec![("retry-after".into(), "5".into())]
        }
        Rejection::TooManyTries { retry_after } => vec![("retry-after".into(), retry_after.to_string())],
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
