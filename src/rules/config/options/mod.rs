//! The table of options. The reader, the defaults and docs/options.md are made from it.
//!
//! Each option is declared once, in the file of its subject: name, field of the raw configuration, default, secrecy,
//! documentation.

mod cookies;
pub(super) mod keys;
mod locations;
mod login;
mod never_read;
mod origin;
mod page;
mod passwords;
mod routes;
mod runtime;
mod sessions;
mod tokens;

pub use page::page;

use super::{
    raw::RawConfig,
    value::{
        as_bool, as_lifetime, as_list, as_list_or_nothing, as_seconds, as_text, as_text_or_nothing, as_whole_number,
    },
};
use crate::rules::{json::Value, time::Duration};

/// Every option, in the order of docs/options.md within each [`Family`].
pub const TABLE: &[OptionSpec] = &join::<{ count(FAMILIES) }>(FAMILIES);

const FAMILIES: &[&[OptionSpec]] = &[
    keys::FLASK_JWT,
    tokens::FLASK_JWT,
    login::FLASK_JWT,
    keys::FLASK_JWT_EXTENDED,
    never_read::NEVER_READ,
    routes::TOLLGATE,
    keys::TOLLGATE,
    origin::TOLLGATE,
    passwords::TOLLGATE,
    runtime::TOLLGATE,
    locations::EXTENDED_ONLY,
    cookies::EXTENDED_ONLY,
    tokens::EXTENDED_ONLY,
    login::EXTENDED_ONLY,
    sessions::SESSIONS,
];

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
            has_default: false,
            field,
        }
    }

    /// Text.
    const fn text(name: &'static str, field: fn(&mut RawConfig) -> &mut String) -> Self {
        Self::new(name, "text", Field::Text(field))
    }

    /// Text; null (Python's `None`) is the empty text.
    const fn nullable_text(name: &'static str, field: fn(&mut RawConfig) -> &mut String) -> Self {
        Self::new(name, "text", Field::NullableText(field))
    }

    /// Text whose absence differs from the empty text.
    const fn optional_text(name: &'static str, field: fn(&mut RawConfig) -> &mut Option<String>) -> Self {
        Self::new(name, "text", Field::OptionalText(field))
    }

    const fn boolean(name: &'static str, field: fn(&mut RawConfig) -> &mut bool) -> Self {
        Self::new(name, "true or false", Field::Boolean(field))
    }

    /// A whole number; `kind` says its range.
    const fn number(name: &'static str, field: fn(&mut RawConfig) -> &mut u32) -> Self {
        Self::new(name, "whole number", Field::Number(field))
    }

    const fn duration(name: &'static str, field: fn(&mut RawConfig) -> &mut Duration) -> Self {
        Self::new(name, "duration", Field::Duration(field))
    }

    /// How long a token lives; `None` for ever.
    const fn lifetime(name: &'static str, field: fn(&mut RawConfig) -> &mut Option<Duration>) -> Self {
        Self::new(name, "duration, or false for never", Field::Lifetime(field))
    }

    /// A list of texts; `kind` says of what.
    const fn list(name: &'static str, field: fn(&mut RawConfig) -> &mut Vec<String>) -> Self {
        Self::new(name, "list of texts", Field::List(field))
    }

    /// A list whose absence differs from the empty list. A text is a list of one.
    const fn optional_list(name: &'static str, field: fn(&mut RawConfig) -> &mut Option<Vec<String>>) -> Self {
        Self::new(name, "text or list of texts", Field::OptionalList(field))
    }

    /// A value that is parsed by a function of its own. Its error says what to write instead, without the value.
    const fn custom(name: &'static str, set: fn(&mut RawConfig, &Value) -> Result<(), String>) -> Self {
        Self::new(name, "", Field::Custom(set))
    }

    const fn never_read(name: &'static str) -> Self {
        Self::new(name, "–", Field::NeverRead).unset("–")
    }

    const fn kind(self, kind: &'static str) -> Self {
        Self { kind, ..self }
    }

    /// The default, as text that the option accepts.
    const fn default(self, default: &'static str) -> Self {
        Self { default, has_default: true, ..self }
    }

    /// Unset by default; `words` describe the effect of that in the documentation.
    const fn unset(self, words: &'static str) -> Self {
        Self { default: words, has_default: false, ..self }
    }

    const fn secret(self) -> Self {
        Self { secrecy: Secrecy::Secret, ..self }
    }

    const fn private_keys(self) -> Self {
        Self { secrecy: Secrecy::PrivateKeys, ..self }
    }

    const fn meaning(self, meaning: &'static str) -> Self {
        Self { meaning, ..self }
    }
}

impl Family {
    /// These options, each of this family.
    const fn options<const N: usize>(self, mut options: [OptionSpec; N]) -> [OptionSpec; N] {
        let mut n = 0;
        while n < N {
            options[n].family = self;
            n += 1;
        }
        options
    }
}

const fn count(families: &[&[OptionSpec]]) -> usize {
    let (mut n, mut total) = (0, 0);
    while n < families.len() {
        total += families[n].len();
        n += 1;
    }
    total
}

const fn join<const N: usize>(families: &[&[OptionSpec]]) -> [OptionSpec; N] {
    let mut all = [OptionSpec::never_read(""); N];
    let (mut family, mut total) = (0, 0);
    while family < families.len() {
        let mut n = 0;
        while n < families[family].len() {
            let option = families[family][n];
            all[total] = if cfg!(target_arch = "wasm32") { option.without_documentation() } else { option };
            (n, total) = (n + 1, total + 1);
        }
        family += 1;
    }
    all
}

impl OptionSpec {
    const fn without_documentation(self) -> Self {
        let default = if self.has_default { self.default } else { "" };
        let meaning = if matches!(self.family, Family::NeverRead) { self.meaning } else { "" };
        Self { kind: "", default, meaning, ..self }
    }

    /// Writes a value to its field.
    ///
    /// # Errors
    /// What to write instead, without the value.
    pub(super) fn set(&self, raw: &mut RawConfig, value: &Value) -> Result<(), String> {
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
    pub(super) fn set_default(&self, raw: &mut RawConfig) {
        if self.has_default {
            let result = self.set(raw, &self.default.into());
            // Without its default a field could hold the unsafe side: no gate starts then.
            assert!(result.is_ok(), "the default of {} does not parse", self.name);
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

/// The part of an unknown name that may be logged: up to the first character that no option's name has. The rest may
/// be a secret that was meant to be the value.
#[must_use]
pub fn shown(name: &str) -> &str {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    &name[..name.find(|c| !is_name(c)).unwrap_or(name.len())]
}

/// The secret option that an unknown name is likely a misspelling of: JWT_SECRET_KEY for `JWT_SECRET` or
/// `jwt_secret_key`. `None` if the name is an option's.
#[must_use]
pub fn near_secret(name: &str) -> Option<&'static str> {
    const MIN_SIMILARITY: f64 = 0.93;
    if find(name).is_some() {
        return None;
    }
    let name = shown(name).to_ascii_uppercase();
    let similarity = |option: &&OptionSpec| strsim::jaro_winkler(&name, option.name);
    let nearest = TABLE.iter().max_by(|a, b| similarity(a).total_cmp(&similarity(b)))?;
    let is_near = similarity(&nearest) >= MIN_SIMILARITY && nearest.secrecy == Secrecy::Secret;
    is_near.then_some(nearest.name)
}

/// The option of exactly this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static OptionSpec> {
    TABLE.iter().find(|option| option.name == name)
}

/// Whether this is the name of an option, or likely a misspelling of one.
#[must_use]
pub fn looks_like_ours(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    ["JWT_", "TOLLGATE_", "ORIGIN", "ROUTE"].iter().any(|start| name.starts_with(start))
        || TABLE.iter().any(|option| strsim::jaro_winkler(&name, option.name) > 0.95)
}
