//! Header fields for the origin: how it may read their names, and claims in fields of their own.

use super::json::{self, Map, Value};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// A claim that the origin gets in a header field of its own (`TOLLGATE_CLAIM_HEADERS`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimHeader {
    /// The field's name, in lower case.
    pub name: String,
    /// The claim: see [`json::find`].
    pub claim: String,
}

impl ClaimHeader {
    /// Whether an origin may read a client's field of this name as this one.
    #[must_use]
    pub fn is_imitated_by(&self, name: &str) -> bool {
        is_imitation(name, &self.name)
    }

    /// The field's value; `None` without the claim. A text is percent-encoded where a header can't carry it; the
    /// entries of a list stand between commas; an object is JSON.
    pub(super) fn value(&self, claims: &Map<String, Value>) -> Option<String> {
        // Spaces at the ends would be lost on the way.
        let is_bare = |text: &str| text.starts_with(' ') || text.ends_with(' ');
        let entry = |value: &Value, escapes: &'static AsciiSet| match value {
            Value::String(text) if is_bare(text) => utf8_percent_encode(text, SPACE_ESCAPES).to_string(),
            Value::String(text) => utf8_percent_encode(text, escapes).to_string(),
            other => json::to_ascii(other),
        };
        match json::find(claims, &self.claim)? {
            Value::Null => None,
            Value::Array(list) => Some(
                list.iter()
                    .map(|value| match value {
                        Value::String(_) => entry(value, ENTRY_ESCAPES),
                        other => utf8_percent_encode(&json::to_ascii(other), ENTRY_ESCAPES).to_string(),
                    })
                    .collect::<Vec<_>>()
                    .join(","),
            ),
            value => Some(entry(value, CLAIM_ESCAPES)),
        }
    }
}

/// The ASCII characters that are percent-encoded in a claim: controls and `%`.
const CLAIM_ESCAPES: &AsciiSet = &CONTROLS.add(b'%');
/// In a text with a space at an end: spaces and commas too.
const SPACE_ESCAPES: &AsciiSet = &ENTRY_ESCAPES.add(b' ');
/// In an entry of a list: commas too.
const ENTRY_ESCAPES: &AsciiSet = &CLAIM_ESCAPES.add(b',');

/// Whether an origin may read a field of this name as the field `known`.
pub(super) fn is_imitation(name: &str, known: &str) -> bool {
    plain(name) == plain(known)
}

/// A header name as the most lenient origin reads it: in lower case, with `-` for everything but letters and digits.
pub(super) fn plain(name: &str) -> String {
    name.chars().map(plain_char).collect()
}

pub(super) fn plain_char(c: char) -> char {
    if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_claim_in_a_header_is_text_a_list_or_json() {
        let header = |claim: &str| ClaimHeader { name: "x-role".into(), claim: claim.into() };
        let Value::Object(claims) = json!({
            "role": "site admin", "odd": "é\r\nX: 100%", "n": 7, "is": true, "none": null,
            "list": ["a", "b,c", 1], "empty": [], "bare": " admin", "deep": [{"a": 1, "b": "x,y"}, ["c", "d"]], "org": {"id": 5},
        }) else {
            unreachable!()
        };
        for (claim, value) in [
            ("role", Some("site admin")),
            ("odd", Some("%C3%A9%0D%0AX: 100%25")),
            ("n", Some("7")),
            ("is", Some("true")),
            ("list", Some("a,b%2Cc,1")),
            ("empty", Some("")),
            ("bare", Some("%20admin")),
            ("deep", Some(r#"{"a":1%2C"b":"x%2Cy"},["c"%2C"d"]"#)),
            ("org", Some(r#"{"id":5}"#)),
            ("org.id", Some("5")),
            ("none", None),
            ("other", None),
        ] {
            assert_eq!(header(claim).value(&claims).as_deref(), value, "{claim}");
        }
        for name in ["X-Role", "x_role", "X.ROLE"] {
            assert!(header("role").is_imitated_by(name), "{name}");
        }
    }
}
