//! A user's id and attributes.

use super::{
    json::{Map, Value},
    time::Timestamp,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// A user's id, an integer or a string: `1` and `"1"` are different users.
///
/// ```
/// use tollgate::{Id, json::json};
///
/// assert_eq!(Id::from_json(&json!(1)), Some(Id::Int(1)));
/// assert_eq!(Id::from_json(&json!("1")), Some(Id::Text("1".into())));
/// assert_eq!(Id::from_json(&json!(1.5)), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Id {
    /// A JSON integer.
    Int(i64),
    /// A JSON string.
    Text(String),
}

impl Id {
    /// Reads an id from a claim or a record. `None` for anything but a string or an integer of 64 bits (`1.0` is not an
    /// integer).
    #[must_use]
    pub fn from_json(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => number.as_i64().map(Self::Int),
            Value::String(text) => Some(Self::Text(text.clone())),
            _ => None,
        }
    }

    /// The integer whose decimal spelling is exactly this text. A token whose `sub` must be a string names user 1 by
    /// `"1"`.
    #[must_use]
    pub fn as_written_number(&self) -> Option<Self> {
        let Self::Text(text) = self else { return None };
        text.parse().ok().filter(|number: &i64| number.to_string() == *text).map(Self::Int)
    }

    /// The id that is written alike and is of the other type; `None` for a string that is no number's spelling.
    #[must_use]
    pub fn in_other_type(&self) -> Option<Self> {
        match self {
            Self::Int(number) => Some(Self::Text(number.to_string())),
            Self::Text(_) => self.as_written_number(),
        }
    }

    /// The id as a JSON number or string.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Int(number) => (*number).into(),
            Self::Text(text) => text.clone().into(),
        }
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Int(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

/// A user, as returned by [`Users::authenticate`](crate::Users::authenticate) and
/// [`Users::identity`](crate::Users::identity).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The token's `identity` claim (Flask-JWT) or `sub` claim (Flask-JWT-Extended).
    pub id: Id,
    /// Further attributes, shown by `to = "identity"` with `user = "stored"` and passed to hooks.
    pub attributes: Map<String, Value>,
    /// Version of the password that proved the identity: a password stored later has a later version
    /// (docs/sessions.md). 0 if no password was checked or the store keeps no versions.
    pub version: Timestamp,
    /// Version of the attributes: attributes that were changed later have a later version (docs/authorization.md). 0 if
    /// the store keeps no versions.
    pub attributes_version: Timestamp,
}

/// A user's attributes with their version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attributes {
    /// [`Identity::attributes_version`].
    pub version: Timestamp,
    /// [`Identity::attributes`].
    pub values: Map<String, Value>,
}

/// Attributes as a gate has read them in the store, for the account's object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeenAttributes {
    /// [`Attributes::version`].
    pub version: Timestamp,
    /// [`Attributes::values`].
    pub values: Map<String, Value>,
    /// The names of those that claims are made of ([`crate::rules::json::find`]).
    pub claims: Vec<String>,
}

impl Default for Attributes {
    fn default() -> Self {
        Self { version: Timestamp::from_millis(0), values: Map::new() }
    }
}

impl Identity {
    /// An identity without attributes, with version 0.
    #[must_use]
    pub fn new(id: Id) -> Self {
        let never = Timestamp::from_millis(0);
        Self { id, attributes: Map::new(), version: never, attributes_version: never }
    }

    /// The identity with these attributes in place of its own.
    #[must_use]
    pub fn with_attributes(self, attributes: Attributes) -> Self {
        Self { attributes: attributes.values, attributes_version: attributes.version, ..self }
    }

    /// Deserialises the attributes.
    ///
    /// # Errors
    /// If they do not deserialise to `T`.
    pub fn attributes_as<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        T::deserialize(Value::Object(self.attributes.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_integers_and_strings_are_ids_and_keep_their_type() {
        for text in ["1", "0", "-7", "\"1\"", "\"\"", "\"é\""] {
            let value: Value = serde_json::from_str(text).unwrap();
            assert_eq!(Id::from_json(&value).unwrap().to_json(), value, "{text}");
        }
        for text in ["1.0", "true", "null", "[1]", "{}", "18446744073709551615", "1e3"] {
            assert_eq!(Id::from_json(&serde_json::from_str(text).unwrap()), None, "{text}");
        }
    }

    #[test]
    fn a_text_stands_for_an_integer_in_one_spelling_only() {
        for number in [0, 1, -7, i64::MAX, i64::MIN] {
            assert_eq!(Id::Text(number.to_string()).as_written_number(), Some(Id::Int(number)));
        }
        for other in ["", "01", "+1", "-0", " 1", "1 ", "1.0", "1e3", "\u{661}", "9223372036854775808", "ann"] {
            assert_eq!(Id::Text(other.into()).as_written_number(), None, "{other:?}");
        }
        assert_eq!(Id::Int(1).as_written_number(), None);
    }
}
