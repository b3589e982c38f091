//! One option: its name, the field of the raw configuration, its default and its documentation.

use super::super::{
    raw::RawConfig,
    value::{
        as_bool, as_lifetime, as_list, as_list_or_nothing, as_seconds, as_text, as_text_or_nothing, as_whole_number,
    },
};
use crate::rules::{json::Value, time::Duration};

/// One option. In a module for Wasm the texts that only the documentation needs are empty; the `meaning` of an option
/// that is [never read](Family::NeverRead) stays, because a warning quotes it.
#[derive(Clone, Copy)]
pub struct OptionSpec {
    /// The name of the variable or secret.
    pub name: &'static str,
    /// The library or feature that the option belongs to.
    pub family: Family,
    /// The type of its value, in words.
    pub kind: &'static str,
    /// The default: a value that the option accepts as text, or words if the option is unset by default.
    pub default: &'static str,
    /// What the option does.
    pub meaning: &'static str,
    /// Which part of the value must stay secret.
    pub secrecy: Secrecy,
    /// The JSON Schema of its values, as JSON text; empty if it is that of its field's type.
    schema: &'static str,
    /// Whether `default` is a value, which the reader starts from.
    has_default: bool,
    field: Field,
}

/// Which part of an option's value must stay secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrecy {
    /// No part.
    Public,
    /// The whole value.
    Secret,
    /// Private and symmetric keys in it; public keys may be shown.
    PrivateKeys,
}

/// The library or feature that an option belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Flask-JWT, under the same name.
    FlaskJwt,
    /// Flask-JWT-Extended, under the same name; for both dialects.
    FlaskJwtExtended,
    /// Documented by Flask-JWT but never read by it: setting it is a warning.
    NeverRead,
    /// Tollgate.
    Tollgate,
    /// Flask-JWT-Extended and Tollgate's additions to it; for that dialect only.
    ExtendedOnly,
    /// Tollgate's sessions; has an effect only with their bindings.
    Sessions,
}

/// The field of [`RawConfig`] that an option's value is written to, and by its type how the value is parsed.
#[derive(Clone, Copy)]
enum Field {
    Text(fn(&mut RawConfig) -> &mut String),
    NullableText(fn(&mut RawConfig) -> &mut String),
    OptionalText(fn(&mut RawConfig) -> &mut Option<String>),
    Boolean(fn(&mut RawConfig) -> &mut bool),
    Number(fn(&mut RawConfig) -> &mut u32),
    Duration(fn(&mut RawConfig) -> &mut Duration),
    Lifetime(fn(&mut RawConfig) -> &mut Option<Duration>),
    List(fn(&mut RawConfig) -> &mut Vec<String>),
    OptionalList(fn(&mut RawConfig) -> &mut Option<Vec<String>>),
    Custom(fn(&mut RawConfig, &Value) -> Result<(), String>),
    NeverRead,
}

/// Declarations. The default and the meaning of each option follow the constructor.
impl OptionSpec {
    const fn new(name: &'static str, kind: &'static str, field: Field) -> Self {
        Self {
            name,
            family: Family::Tollgate,
            kind,
            default: "none",
            meaning: "",
            secrecy: Secrecy::Public,
            schema: "",
            has_default: false,
            field,
        }
    }

    /// Text.
    pub(super) const fn text(name: &'static str, field: fn(&mut RawConfig) -> &mut String) -> Self {
        Self::new(name, "text", Field::Text(field))
    }

    /// Text; null (Python's `None`) is the empty text.
    pub(super) const fn nullable_text(name: &'static str, field: fn(&mut RawConfig) -> &mut String) -> Self {
        Self::new(name, "text", Field::NullableText(field))
    }

    /// Text whose absence differs from the empty text.
    pub(super) const fn optional_text(name: &'static str, field: fn(&mut RawConfig) -> &mut Option<String>) -> Self {
        Self::new(name, "text", Field::OptionalText(field))
    }

    pub(super) const fn boolean(name: &'static str, field: fn(&mut RawConfig) -> &mut bool) -> Self {
        Self::new(name, "true or false", Field::Boolean(field))
    }

    /// A whole number; `kind` says its range.
    pub(super) const fn number(name: &'static str, field: fn(&mut RawConfig) -> &mut u32) -> Self {
        Self::new(name, "whole number", Field::Number(field))
    }

    pub(super) const fn duration(name: &'static str, field: fn(&mut RawConfig) -> &mut Duration) -> Self {
        Self::new(name, "duration", Field::Duration(field))
    }

    /// How long a token lives; `None` for ever.
    pub(super) const fn lifetime(name: &'static str, field: fn(&mut RawConfig) -> &mut Option<Duration>) -> Self {
        Self::new(name, "duration, or false for never", Field::Lifetime(field))
    }

    /// A list of texts; `kind` says of what.
    pub(super) const fn list(name: &'static str, field: fn(&mut RawConfig) -> &mut Vec<String>) -> Self {
        Self::new(name, "list of texts", Field::List(field))
    }

    /// A list whose absence differs from the empty list. A text is a list of one.
    pub(super) const fn optional_list(
        name: &'static str,
        field: fn(&mut RawConfig) -> &mut Option<Vec<String>>,
    ) -> Self {
        Self::new(name, "text or list of texts", Field::OptionalList(field))
    }

    /// A value that is parsed by a function of its own. Its error says what to write instead, without the value.
    pub(super) const fn custom(name: &'static str, set: fn(&mut RawConfig, &Value) -> Result<(), String>) -> Self {
        Self::new(name, "", Field::Custom(set))
    }

    pub(super) const fn never_read(name: &'static str) -> Self {
        Self::new(name, "–", Field::NeverRead).unset("–")
    }

    pub(super) const fn kind(self, kind: &'static str) -> Self {
        Self { kind, ..self }
    }

    /// The default, as text that the option accepts.
    pub(super) const fn default(self, default: &'static str) -> Self {
        Self { default, has_default: true, ..self }
    }

    /// Unset by default; `words` describe the effect of that in the documentation.
    pub(super) const fn unset(self, words: &'static str) -> Self {
        Self { default: words, has_default: false, ..self }
    }

    pub(super) const fn secret(self) -> Self {
        Self { secrecy: Secrecy::Secret, ..self }
    }

    pub(super) const fn private_keys(self) -> Self {
        Self { secrecy: Secrecy::PrivateKeys, ..self }
    }

    /// The JSON Schema of the values that the option accepts, as JSON text, where they are fewer than those of the
    /// field's type. Definitions: `schema.rs`.
    pub(super) const fn schema(self, schema: &'static str) -> Self {
        Self { schema, ..self }
    }

    pub(super) const fn meaning(self, meaning: &'static str) -> Self {
        Self { meaning, ..self }
    }
}

impl Family {
    /// These options, each of this family.
    pub(super) const fn options<const N: usize>(self, mut options: [OptionSpec; N]) -> [OptionSpec; N] {
        let mut n = 0;
        while n < N {
            options[n].family = self;
            n += 1;
        }
        options
    }
}

impl OptionSpec {
    pub(super) const fn without_documentation(self) -> Self {
        let default = if self.has_default { self.default } else { "" };
        let meaning = if matches!(self.family, Family::NeverRead) { self.meaning } else { "" };
        Self { kind: "", default, meaning, schema: "", ..self }
    }

    /// Writes a value to its field.
    ///
    /// # Errors
    /// What to write instead, without the value.
    pub(in crate::rules::config) fn set(&self, raw: &mut RawConfig, value: &Value) -> Result<(), String> {
        match self.field {
            Field::Text(field) => *field(raw) = as_text(value)?,
            Field::NullableText(field) => *field(raw) = as_text_or_nothing(value)?,
            Field::OptionalText(field) => *field(raw) = Some(as_text(value)?),
            Field::Boolean(field) => *field(raw) = as_bool(value)?,
            Field::Number(field) => *field(raw) = as_whole_number(value)?,
            Field::Duration(field) => *field(raw) = as_seconds(value)?,
            Field::Lifetime(field) => *field(raw) = as_lifetime(value)?,
            Field::List(field) => *field(raw) = as_list(value)?,
            Field::OptionalList(field) => *field(raw) = as_list_or_nothing(value)?,
            Field::Custom(set) => set(raw, value)?,
            Field::NeverRead => {}
        }
        Ok(())
    }

    /// Writes the default to its field, if there is one.
    pub(in crate::rules::config) fn set_default(&self, raw: &mut RawConfig) {
        if self.has_default {
            let result = self.set(raw, &self.default.into());
            // Without its default a field could hold the unsafe side: no gate starts then.
            assert!(result.is_ok(), "the default of {} does not parse", self.name);
        }
    }

    /// The default, if it is a value.
    pub(super) fn default_value(&self) -> Option<&'static str> {
        self.has_default.then_some(self.default)
    }

    /// The JSON Schema of its values, as JSON text.
    pub(super) const fn json_schema(&self) -> &'static str {
        if !self.schema.is_empty() {
            return self.schema;
        }
        match self.field {
            Field::Text(_) | Field::OptionalText(_) => r#"{"type": "string"}"#,
            Field::NullableText(_) => r#"{"type": ["string", "null"]}"#,
            Field::Boolean(_) => r##"{"$ref": "#/definitions/boolean"}"##,
            Field::Number(_) => r##"{"$ref": "#/definitions/number"}"##,
            Field::Duration(_) => r##"{"$ref": "#/definitions/duration"}"##,
            Field::Lifetime(_) => r##"{"$ref": "#/definitions/lifetime"}"##,
            Field::List(_) => r##"{"$ref": "#/definitions/list"}"##,
            Field::OptionalList(_) => r##"{"anyOf": [{"$ref": "#/definitions/list"}, {"type": "null"}]}"##,
            Field::Custom(_) | Field::NeverRead => "{}",
        }
    }

    /// Whether this value contains something that must stay secret. An empty value counts as unset.
    #[must_use]
    pub fn holds_secret(&self, value: &Value) -> bool {
        match self.secrecy {
            Secrecy::Public => false,
            Secrecy::Secret => !value.is_null() && value != "",
            Secrecy::PrivateKeys => holds_private_key(value),
        }
    }
}

/// Whether a PEM, JWK or JWK Set, as text or table, contains a private or symmetric key (RFC 7518 §6). Other text that
/// contains the name of a private member counts as a damaged private key.
fn holds_private_key(value: &Value) -> bool {
    const PRIVATE: [&str; 8] = ["d", "k", "p", "q", "dp", "dq", "qi", "oth"];
    match value {
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            Ok(inside) if !inside.is_string() => holds_private_key(&inside),
            _ => text.contains("PRIVATE KEY") || ["\"d\"", "\"k\""].iter().any(|member| text.contains(member)),
        },
        Value::Array(keys) => keys.iter().any(holds_private_key),
        Value::Object(key) => {
            PRIVATE.iter().any(|name| key.contains_key(*name))
                || key.values().any(|inside| (inside.is_array() || inside.is_object()) && holds_private_key(inside))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
