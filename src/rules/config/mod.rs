//! The configuration: read once at start, into typed values that need no parsing later.
//!
//! **What always holds:** all problems are reported at once, each with what to write instead; a configuration with a
//! problem is not used at all. The options stand in one table ([`options::TABLE`]), from which the reader, the defaults
//! and docs/options.md are made.

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
pub use validate::origins::{secret_names, service_names};
pub(super) use value::{as_list, as_seconds};

use super::{
    account::object,
    assertion::Assertions,
    attribute_claims::AttributeClaims,
    cors::Cors,
    device::DeviceKey,
    diagnostic::Diagnostic,
    header::ClaimHeader,
    json::{Map, Value},
    log::Level,
    origin::{Forwarding, Origin},
    password::{Hashing, PasswordPolicy},
    proxies::TrustedProxies,
    revocation,
    route::Routes,
    time::Duration,
    token::Verifier,
};
use std::sync::Arc;

/// The dialect of the gate (`TOLLGATE_WIRE`), and the options that only that dialect has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DialectConfig {
    /// Flask-JWT's.
    FlaskJwt,
    /// Flask-JWT-Extended's.
    FlaskJwtExtended(Arc<FlaskJwtExtended>),
}

/// The configuration of a gate: the options of docs/options.md, by field.
#[derive(Clone, Debug)]
pub struct Config {
    /// `TOLLGATE_WIRE`, and the options of one dialect.
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
    /// The options of sessions, revocations and known devices.
    pub sessions: Sessions,
    /// The bindings that exist.
    pub bindings: Bindings,
    /// The key of the cookie that identifies known devices; `None` without a key that signs.
    pub device_key: Option<DeviceKey>,
    /// `TOLLGATE_PASSWORD_ITERATIONS`, `TOLLGATE_PASSWORD_PEPPERS`, `TOLLGATE_PASSWORD_PEPPER`.
    pub hashing: Hashing,
    /// `TOLLGATE_PASSWORD_MIN_LENGTH`, `TOLLGATE_PASSWORD_COMMON`.
    pub password_policy: PasswordPolicy,
    /// `TOLLGATE_PASSWORD_PWNED_URL`, without a slash at its end; `None` without `TOLLGATE_PASSWORD_PWNED`.
    pub pwned_url: Option<String>,
    /// `TOLLGATE_LOG`.
    pub log: Level,
    /// `TOLLGATE_LOG_REFUSALS`: at most this many rejections for one reason are logged each second.
    pub log_refusals: u32,
    /// `TOLLGATE_STORE_TIMEOUT`.
    pub store_timeout: Duration,
    /// `ORIGIN` and `ORIGINS`.
    pub origins: Vec<Origin>,
    /// `TOLLGATE_PUBLIC_URL` as browsers write an origin: scheme, host, and a port if it is not the scheme's default.
    pub public_url: Option<String>,
    /// `TOLLGATE_KEEP_HEADERS`.
    pub keep_headers: Vec<String>,
    /// `TOLLGATE_TOKEN_BODY_LIMIT`, in bytes.
    pub token_body_limit: usize,
    /// `TOLLGATE_FORWARD_TOKEN`.
    pub forward_token: bool,
    /// `TOLLGATE_TRUSTED_PROXIES`.
    pub trusted_proxies: TrustedProxies,
    /// `TOLLGATE_FORWARDED`.
    pub forwarded: bool,
    /// `TOLLGATE_WEBSOCKET_PROTOCOL`.
    pub websocket_protocol: Option<String>,
    /// `TOLLGATE_ASSERTION_KEY`, `TOLLGATE_ASSERTION_CLAIMS`, with `TOLLGATE_PUBLIC_URL` as issuer.
    pub assertions: Option<Assertions>,
    /// `TOLLGATE_CLAIMS`.
    pub attribute_claims: AttributeClaims,
    /// `TOLLGATE_CORS`: for the endpoints.
    pub cors: Option<Cors>,
    /// `TOLLGATE_ERROR_CODES`.
    pub error_codes: bool,
    /// `TOLLGATE_CLAIM_HEADERS`.
    pub claim_headers: Vec<ClaimHeader>,
}

/// The binding of the rate limiter of log-ins by address.
pub const ADDRESS_LIMIT: &str = "LOGINS_BY_ADDRESS";
/// The binding of the rate limiter of password hashing.
pub const HASHING_LIMIT: &str = "HASHING";

/// Which bindings the worker has beside the store. Bindings are not options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bindings {
    /// `ACCOUNTS` and `REVOCATIONS`: a Durable Object for each account, and one for all revocations.
    pub sessions: bool,
    /// `LOGINS_BY_ADDRESS`: limits the log-ins of one address.
    pub address_limit: bool,
    /// `HASHING`: limits how many passwords are hashed in a period.
    pub hashing_limit: bool,
}

impl Bindings {
    /// The bindings of a worker, by their names.
    pub fn of(has: impl Fn(&str) -> bool) -> Self {
        Self {
            sessions: has(object::BINDING) && has(revocation::BINDING),
            address_limit: has(ADDRESS_LIMIT),
            hashing_limit: has(HASHING_LIMIT),
        }
    }

    /// A diagnostic for each absent binding, which says what is off without it.
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

/// The variables, secrets and bindings of a worker, as far as the reader can see them.
#[derive(Clone, Copy)]
pub struct Environment<'e> {
    /// Variables and secrets, by name.
    pub vars: &'e Map<String, Value>,
    /// The bindings beside the store.
    pub bindings: Bindings,
    /// Names that are bound to a secret of Secrets Store, whose values are not among `vars`: a problem, where the gate
    /// could not wait for them.
    pub secrets_store: &'e [String],
    /// Which secrets the reader can see.
    pub secrets: Secrets<'e>,
    /// Whether there is code behind the gate for rules with `to = "worker"`; `None` if unknown.
    pub serves_inner: Option<bool>,
    /// Whether the worker has a binding of this name: for origins that are reached through one.
    pub has_binding: &'e dyn Fn(&str) -> bool,
    /// Whether the worker has a rate limiter of this name, for a rule's `rate`.
    pub has_limiter: &'e dyn Fn(&str) -> bool,
}

/// Which secrets the reader of an [`Environment`] sees.
#[derive(Clone, Copy)]
pub enum Secrets<'e> {
    /// All of them, as in a running worker: an absent secret is missing.
    Visible,
    /// Others may exist on Cloudflare, which never shows them again; these names are known to exist. A missing secret
    /// is listed in [`Loaded::unseen`], and everything else is checked as if it were set.
    MayBeElsewhere(&'e [String]),
}

/// The result of reading an [`Environment`].
#[derive(Debug)]
pub struct Loaded {
    /// The configuration, or all problems: unsafe or impossible settings, which stop the gate.
    pub config: Result<Config, Vec<Diagnostic>>,
    /// Settings that do not stop the gate, yet cannot work: `config check` fails.
    pub faults: Vec<Diagnostic>,
    /// Settings that are legal but unwise, or have no effect.
    pub warnings: Vec<Diagnostic>,
    /// Secrets that the gate needs and the reader cannot see ([`Secrets::MayBeElsewhere`]). The configuration then has
    /// no key, and verifies and signs nothing.
    pub unseen: Vec<&'static str>,
}

impl Config {
    /// The options of Flask-JWT-Extended's dialect, if it is the configured one.
    #[must_use]
    pub fn flask_jwt_extended(&self) -> Option<&FlaskJwtExtended> {
        match &self.dialect {
            DialectConfig::FlaskJwtExtended(flask_jwt_extended) => Some(flask_jwt_extended),
            DialectConfig::FlaskJwt => None,
        }
    }

    /// The name of the header field where the dialect reads tokens, in lower case.
    #[must_use]
    pub fn token_header(&self) -> String {
        self.flask_jwt_extended().map_or("authorization", |dialect| &dialect.header_name).to_ascii_lowercase()
    }

    /// The header field where the dialect reads tokens, with this token: its name, in lower case, and its value.
    #[must_use]
    pub fn token_field(&self, token: &str) -> (String, String) {
        let scheme = self.flask_jwt_extended().map_or(&self.header_prefix, |dialect| &dialect.header_type);
        (self.token_header(), format!("{scheme} {token}").trim_start().to_owned())
    }

    /// The origin that a rule forwards to.
    #[must_use]
    pub fn origin(&self, forwarding: &Forwarding) -> Option<&Origin> {
        self.origins.iter().find(|origin| origin.name == forwarding.origin)
    }

    /// The path of the log-in endpoint; `/` if there is no such endpoint.
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
