//! An HTTP response as plain values.

use super::{
    cookie::Jar,
    cors::{CorsFields, is_replaced},
    json,
};
use std::borrow::Cow;

/// A whole HTTP response, small enough to be held in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Header fields, names in lower case.
    pub headers: Vec<(Cow<'static, str>, String)>,
    /// The body. It must not be sent for HEAD.
    pub body: String,
}

impl Answer {
    /// JSON as Flask writes it (a line feed at the end, no charset), with `Cache-Control: no-store`.
    #[must_use]
    pub fn json(status: u16, body: &impl serde::Serialize) -> Self {
        Self::of_json(status, line(body))
    }

    pub(super) fn of_json(status: u16, body: String) -> Self {
        Self { status, headers: vec![("content-type".into(), "application/json".into()), no_store()], body }
    }

    /// The public keys (RFC 7517 §5, §8.5.2). They change rarely, and a new key signs only some time after it was
    /// published, so caches may keep the answer for five minutes.
    #[must_use]
    pub fn keys(set: &json::Value) -> Self {
        let headers = [("content-type", "application/jwk-set+json"), ("cache-control", "public, max-age=300")];
        let headers = headers.map(|(name, value)| (name.into(), value.to_owned())).to_vec();
        Self { status: 200, headers, body: set.to_string() }
    }

    /// The answer to OPTIONS, without a token, as in Flask (docs/compat/flask-jwt.md#flasks-own-answers).
    #[must_use]
    pub(super) fn options(allow: &str) -> Self {
        Self {
            status: 200,
            headers: vec![("content-type".into(), "text/html; charset=utf-8".into()), ("allow".into(), allow.into())],
            body: String::new(),
        }
    }

    /// `{"msg": text}` with status 200: something was done at one of the gate's endpoints.
    #[must_use]
    pub(super) fn message(text: &str) -> Self {
        Self::json(200, &json::json!({"msg": text}))
    }

    /// Adds cookies.
    #[must_use]
    pub(super) fn with_cookies(self, jar: &Jar) -> Self {
        jar.iter().fold(self, |answer, cookie| answer.with("set-cookie", cookie))
    }

    /// Adds a header field.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds what CORS says to it.
    #[must_use]
    pub fn with_cors(mut self, cors: &CorsFields) -> Self {
        self.headers.retain(|(name, _)| !is_replaced(name));
        cors.iter().fold(self, |answer, (name, value)| answer.with(name, value))
    }

    /// The value of the first header field of this name; `name` in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// JSON as Flask writes it, with a line feed at the end.
pub(super) fn line(body: &impl serde::Serialize) -> String {
    let mut text = json::to_ascii(body);
    text.push('\n');
    text
}

/// Tokens, identities and rejections must not be cached (RFC 9111 §5.2.2.5).
fn no_store() -> (Cow<'static, str>, String) {
    ("cache-control".into(), "no-store".into())
}
