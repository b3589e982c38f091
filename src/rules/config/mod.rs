//! The configuration: read once, whole, into values that hold no text to parse later.
//!
//! **What always holds:** every problem is reported at once, each with what to write instead; nothing is half used. The
//! options stand in one table ([`options::TABLE`]), which feeds the reader, the defaults and docs/options.md.

mod diagnostics;
mod flask_jwt_extended;
pub mod options;
mod raw;
mod read;
mod sessions;
mod validate;
mod value;

pub use flask_jwt_extended::{FlaskJwtExtended, Location, Names, SameSite};
pub use sessions::Sessions;
pub(super) use value::{as_list, as_seconds};

use super::{
    account::object,
    device::DeviceKey,
    diagnostic::Diagnostic,
    json::{Map, Value},
    log::Level,
    password::{Hashing, PasswordPolicy},
    revocation,
    route::Routes,
    time::Duration,
    token::Verifier,
};
use std::sync::Arc;

/// Which dialect the gate speaks (`TOLLGATE_WIRE`), and the options that only that dialect has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DialectConfig {
    /// Flask-JWT's.
    FlaskJwt,
    /// Flask-JWT-Extended's.
    FlaskJwtExtended(Arc<FlaskJwtExtended>),
}

/// What a gate is told. Field by field the options of docs/options.md.
#[derive(Debug)]
pub struct Config {
    /// `TOLLGATE_WIRE`, and what only one dialect has.
    pub dialect: DialectConfig,
    /// `JWT_SECRET_KEY`, `JWT_PRIVATE_KEY`, `JWT_PUBLIC_KEY`, `JWT_KEYS`, `JWT_ALGORITHM`, `JWT_DECODE_ALGORITHMS`;
    /// `JWT_REQUIRED_CLAIMS`, `JWT_VERIFY_CLAIMS`, `JWT_LEEWAY`;
    /// `TOLLGATE_TOKEN_CACHE`.
    pub tokens: Verifier,
    /// `JWT_EXPIRATION_DELTA`.
    pub expiration_delta: Duration,
    /// `JWT_NOT_BEFORE_DELTA`.
    pub not_before_delta: Duration,
    /// `JWT_AUTH_USERNAME_KEY`.
    pub username_key: String,
    /// `JWT_AUTH_PASSWORD_KEY`.
    pub password_key: String,
    /// `JWT_AUTH_HEADER_PREFIX`.
    pub header_prefix: String,
    /// `JWT_DEFAULT_REALM`.
    pub realm: String,
    /// `ROUTES`, with the log-in endpoint (`JWT_AUTH_URL_RULE`, `JWT_AUTH_URL_OPTIONS`) among them.
    pub routes: Routes,
    /// What there is to know of sessions, revocations and guesses.
    pub sessions: Sessions,
    /// Which bindings there are.
    pub bindings: Bindings,
    /// The key of the cookie by which devices are known again; `None` without a key that signs.
    pub device_key: Option<DeviceKey>,
    /// `TOLLGATE_PASSWORD_ITERATIONS`, `TOLLGATE_PASSWORD_PEPPERS`, `TOLLGATE_PASSWORD_PEPPER`.
    pub hashing: Hashing,
    /// `TOLLGATE_PASSWORD_MIN_LENGTH`, `TOLLGATE_PASSWORD_COMMON`.
    pub password_policy: PasswordPolicy,
    /// `TOLLGATE_PASSWORD_PWNED_URL`, without a slash at its end; `None` without `TOLLGATE_PASSWORD_PWNED`.
    pub pwned_url: Option<String>,
    /// `TOLLGATE_LOG`.
    pub log: Level,
    /// `TOLLGATE_LOG_REFUSALS`: as many refusals for one reason are logged in a second.
    pub log_refusals: u32,
    /// `TOLLGATE_STORE_TIMEOUT`.
    pub store_timeout: Duration,
    /// `ORIGIN`, without a slash at its end.
    pub origin: Option<String>,
    /// `TOLLGATE_PUBLIC_URL` as browsers write an origin: scheme, host, and a port if it is not the scheme's default.
    pub public_url: Option<String>,
    /// `TOLLGATE_KEEP_HEADERS`.
    pub keep_headers: Vec<String>,
    /// `TOLLGATE_TOKEN_BODY_LIMIT`, in bytes.
    pub token_body_limit: usize,
    /// `ORIGIN_TIMEOUT`.
    pub origin_timeout: Duration,
    /// `TOLLGATE_FORWARD_TOKEN`.
    pub forward_token: bool,
}

/// The rate limiter of log-ins by address.
pub const ADDRESS_LIMIT: &str = "LOGINS_BY_ADDRESS";
/// The rate limiter of hashing.
pub const HASHING_LIMIT: &str = "HASHING";

/// What there is beside the store: bindings of the worker, which are no options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bindings {
    /// `ACCOUNTS` and `REVOCATIONS`: an object for each account, and one for all revocations.
    pub sessions: bool,
    /// `LOGINS_BY_ADDRESS`: how often one address may log in.
    pub address_limit: bool,
    /// `HASHING`: how many passwords are hashed in a time.
    pub hashing_limit: bool,
}

impl Bindings {
    /// Of a worker that has these bindings.
    pub fn of(has: impl Fn(&str) -> bool) -> Self {
        Self {
            sessions: has(object::BINDING) && has(revocation::BINDING),
            address_limit: has(ADDRESS_LIMIT),
            hashing_limit: has(HASHING_LIMIT),
        }
    }

    /// What is off without which binding, for the log.
    #[must_use]
    pub fn missing(self) -> Vec<Diagnostic> {
        let both = format!("{} and {}", object::BINDING, revocation::BINDING);
        [
            (self.sessions, both.as_str(), "sessions can't be ended, and tries of a password are not counted"),
            (self.address_limit, ADDRESS_LIMIT, "an address may try to log in as often as it likes"),
            (self.hashing_limit, HASHING_LIMIT, "log-ins may use up as much CPU time as comes"),
        ]
        .into_iter()
        .filter(|(is_there, ..)| !is_there)
        .map(|(_, binding, what)| Diagnostic::new(binding, format!("no such binding, so {what}: see docs/sessions.md")))
        .collect()
    }
}

/// What a worker is given, as far as the reader can see it.
#[derive(Clone, Copy)]
pub struct Environment<'e> {
    /// Variables and secrets, by name.
    pub vars: &'e Map<String, Value>,
    /// Which bindings there are beside the store.
    pub bindings: Bindings,
    /// Names that are bound to a secret of Secrets Store: such a binding is an object that the gate can't read as a
    /// text.
    pub secrets_store: &'e [String],
    /// Can the reader see every secret?
    pub secrets: Secrets<'e>,
    /// Is there code behind the gate for rules with `to = "worker"`? `None` if that is not known.
    pub serves_inner: Option<bool>,
}

/// Which secrets the reader of an [`Environment`] sees.
#[derive(Clone, Copy)]
pub enum Secrets<'e> {
    /// All: what is not there is missing. So it is in a running worker.
    Visible,
    /// Others may be on Cloudflare, which never shows them again. These are known to be there. A missing secret is then
    /// listed in [`Loaded::unseen`], and everything else is judged as if it were set.
    MayBeElsewhere(&'e [String]),
}

/// What reading the variables gave.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration, or every problem that stops the gate: what is unsafe or impossible.
    pub config: Result<Config, Vec<Diagnostic>>,
    /// What does not stop the gate, yet will not work: `config check` fails.
    pub faults: Vec<Diagnostic>,
    /// What is legal but unwise, or has no effect.
    pub warnings: Vec<Diagnostic>,
    /// Secrets that the gate needs and that the reader does not see ([`Secrets::MayBeElsewhere`]). The configuration
    /// then has no key: it verifies and signs nothing.
    pub unseen: Vec<&'static str>,
}

impl Config {
    /// What Flask-JWT-Extended's dialect is told, if it is spoken.
    #[must_use]
    pub fn flask_jwt_extended(&self) -> Option<&FlaskJwtExtended> {
        match &self.dialect {
            DialectConfig::FlaskJwtExtended(flask_jwt_extended) => Some(flask_jwt_extended),
            DialectConfig::FlaskJwt => None,
        }
    }

    /// Reads the variables and secrets of a worker: `[vars]` of wrangler.toml and secrets alike, by name. Names that
    /// are nobody's option are left alone unless they look like one ([`options::looks_like_ours`]).
    #[must_use]
    pub fn read(vars: &Map<String, Value>) -> Loaded {
        Self::read_with(vars, Bindings::default())
    }

    /// The same, for a worker that has these bindings.
    #[must_use]
    pub fn read_with(vars: &Map<String, Value>, bindings: Bindings) -> Loaded {
        Self::read_from(Environment {
            vars,
            bindings,
            secrets_store: &[],
            secrets: Secrets::Visible,
            serves_inner: None,
        })
    }

    /// The same, for a worker that may not be running: the one reading for the gate and for `tollgate config check`.
    #[must_use]
    pub fn read_from(environment: Environment<'_>) -> Loaded {
        read::read(environment)
    }

    /// The path of the log-in endpoint, `/` if there is none.
    #[must_use]
    pub fn login_path(&self) -> &str {
        self.routes.login_path().unwrap_or("/")
    }

    /// A configuration for tests: defaults, a secret, no routes.
    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        let mut vars = Map::new();
        vars.insert("JWT_SECRET_KEY".into(), "a secret of more than thirty-two bytes".into());
        Self::read(&vars).config.expect("good")
    }
}

#[cfg(test)]
mod tests;
