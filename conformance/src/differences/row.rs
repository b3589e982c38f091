//! A row of the table, and what its predicate looks at.

use crate::transcript::Exchange;
use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::Value;
use tollgate::rules::{diagnostic::Diagnostic, json};

/// A rule by which an answer may differ from the recorded one.
pub struct Row {
    /// Its name in docs/differences.md.
    pub name: &'static str,
    /// Whether the rule allows this difference.
    pub(super) allows: fn(&Pair<'_>) -> bool,
}

/// The recorded answer and the gate's.
pub(super) struct Pair<'p> {
    pub(super) exchange: &'p Exchange<'p>,
    /// Why the gate rejects the configuration; empty if it does not.
    pub(super) problems: Vec<Diagnostic>,
    /// The body of the gate's answer, `null` if it is not JSON.
    pub(super) body: Value,
    /// The body of the recorded answer, `null` if it is not JSON.
    pub(super) recorded: Value,
}

impl<'p> Pair<'p> {
    pub(super) fn new(exchange: &'p Exchange<'p>, problems: Vec<Diagnostic>) -> Self {
        let body = serde_json::from_str(&exchange.ours.body).unwrap_or_default();
        let recorded = exchange.case.body_json.clone().unwrap_or_default();
        Self { exchange, problems, body, recorded }
    }
}

impl Pair<'_> {
    /// The recorded status.
    pub(super) fn status(&self) -> u16 {
        self.exchange.case.status
    }

    /// Whether the gate answered with this status.
    pub(super) fn answered(&self, status: u16) -> bool {
        self.exchange.ours.status == status
    }

    /// Whether the recorded answer is an HTML page.
    pub(super) fn recorded_page(&self) -> bool {
        self.exchange.case.header("content-type").is_some_and(|kind| kind.starts_with("text/html"))
    }

    /// A member of the recorded configuration.
    pub(super) fn setting(&self, name: &str) -> Option<&Value> {
        self.exchange.case.config.get(name)
    }

    /// A setting that is a string, or the library's default for it.
    pub(super) fn text<'a>(&'a self, name: &str, default: &'a str) -> &'a str {
        self.setting(name).and_then(Value::as_str).unwrap_or(default)
    }

    pub(super) fn sent_body(&self) -> &str {
        self.exchange.request.body.as_deref().unwrap_or_default()
    }
}

/// How a description begins that says where a token is malformed.
pub(super) const MALFORMED: [&str; 6] = [
    "Not enough segments",
    "Invalid header padding",
    "Invalid payload padding",
    "Invalid crypto padding",
    "Invalid header string: ",
    "Invalid payload string: ",
];

/// White space to Python's `str.split`, and not to the gate.
pub(super) const PYTHON_SPACES: [char; 8] =
    ['\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{1f}', '\u{85}', '\u{a0}'];

/// Whether the token is not three segments of canonical base64url, the first two of strict JSON objects.
pub(super) fn is_malformed(token: &str) -> bool {
    let parts: Vec<_> = token.split('.').map(Base64UrlUnpadded::decode_vec).collect();
    let [Ok(header), Ok(payload), Ok(_)] = &parts[..] else { return true };
    json::object(header).is_err() || json::object(payload).is_err()
}

/// Whether the value is neither a number nor a string of digits, or lies beyond ±2⁵³.
pub(super) fn is_no_date(value: &Value) -> bool {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    };
    !number.is_some_and(|number| number.abs() <= 9_007_199_254_740_992.0)
        // 2⁵³ + 1 is not representable as a double, so `number` above was rounded.
        || value.as_i64().is_some_and(|number| number.unsigned_abs() > 1 << 53)
}
