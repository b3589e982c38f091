//! Who somebody is.

use super::{
    json::{Map, Value},
    time::Timestamp,
};
use serde::de::DeserializeOwned;

/// A user's id. An integer stays an integer and a string a string: `1` and `"1"` are two users.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Id {
    /// A JSON integer.
    Int(i64),
    /// A JSON string.
    Text(String),
}

impl Id {
    /// From a claim or a record. `None` for anything but an integer (as written, `1.0` is none) or a string.
    #[must_use]
    pub fn from_json(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => number.as_i64().map(Self::Int),
            Value::String(text) => Some(Self::Text(text.clone())),
            _ => None,
        }
    }

    /// The integer that is written like this text: a token whose `sub` must be a text names user 1 so.
    #[must_use]
    pub fn as_written_number(&self) -> Option<Self> {
        let Self::Text(text) = self else { return None };
        text.parse().ok().filter(|number: &i64| number.to_string() == *text).map(Self::Int)
    }

    /// With its JSON type.
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

/// A user, as far as an `authenticate` or `identity` function tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// What becomes the token's `identity` claim.
    pub id: Id,
    /// What else is known: shown by `to = "identity"` with `user = "stored"`, and given to hooks.
    pub attributes: Map<String, Value>,
    /// Of the password that it was proven by: what is stored later has a later one (docs/sessions.md). 0 where there is
    /// none, or where nobody counts.
    pub version: Timestamp,
}

impl Identity {
    /// Only an id.
    #[must_use]
    pub fn new(id: Id) -> Self {
        Self { id, attributes: Map::new(), version: Timestamp::from_millis(0) }
    }

    /// The attributes as a type of one's own.
    ///
    /// # Errors
    /// If they are not of that type.
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
