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
mod schema;
mod sessions;
mod spec;
mod tokens;

pub use page::page;
pub use schema::{schema, schema_text};
pub use spec::{Family, OptionSpec, Secrecy};

use super::{FlaskJwtExtended, raw::RawConfig};

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
            all[total] = if cfg!(all(target_arch = "wasm32", target_os = "unknown")) {
                option.without_documentation()
            } else {
                option
            };
            (n, total) = (n + 1, total + 1);
        }
        family += 1;
    }
    all
}

impl Default for RawConfig {
    /// The defaults of [`TABLE`].
    fn default() -> Self {
        let mut raw = Self::unset();
        for option in TABLE {
            option.set_default(&mut raw);
        }
        raw
    }
}

impl Default for FlaskJwtExtended {
    /// The defaults of [`TABLE`].
    fn default() -> Self {
        RawConfig::default().flask_jwt_extended
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
