//! The configuration as it was written, before its values are checked together.

use super::{
    FlaskJwtExtended, Sessions,
    diagnostics::Diagnostics,
    options::{self, Family},
};
use crate::rules::{
    diagnostic::did_you_mean,
    json::{Map, Value},
    password::Peppers,
    time::Duration,
    token::FlaskJwtExtendedPolicy,
};

/// The value of each option. Where several options decide together, or an absent value differs from an empty one, it
/// is an `Option`.
pub(super) struct RawConfig {
    pub(super) jwt_secret_key: Option<String>,
    pub(super) secret_key: Option<String>,
    pub(super) private_key: Option<String>,
    pub(super) public_key: Option<String>,
    pub(super) keys: Option<Map<String, Value>>,
    pub(super) algorithm: Option<String>,
    pub(super) decode_algorithms: Vec<String>,
    pub(super) leeway: Duration,
    pub(super) expiration_delta: Duration,
    pub(super) not_before_delta: Duration,
    pub(super) verify_claims: Vec<String>,
    pub(super) required_claims: Vec<String>,
    pub(super) auth_url_rule: String,
    pub(super) auth_url_options: Map<String, Value>,
    pub(super) username_key: String,
    pub(super) password_key: String,
    pub(super) header_prefix: String,
    pub(super) realm: String,
    pub(super) routes: Vec<Value>,
    pub(super) origin: String,
    pub(super) public_url: Option<String>,
    pub(super) keep_headers: Vec<String>,
    pub(super) token_body_limit: u32,
    pub(super) origin_timeout: Duration,
    pub(super) forward_token: bool,
    pub(super) allow_short_key: bool,
    pub(super) password_iterations: u32,
    pub(super) peppers: Option<Peppers>,
    pub(super) pepper: Option<String>,
    pub(super) password_min_length: u32,
    pub(super) password_common: bool,
    pub(super) pwned: bool,
    pub(super) pwned_url: Option<String>,
    pub(super) token_cache: u32,
    pub(super) store_timeout: Duration,
    pub(super) log: String,
    pub(super) log_refusals: u32,
    pub(super) is_flask_jwt_extended: bool,
    pub(super) flask_jwt_extended: FlaskJwtExtended,
    pub(super) policy: FlaskJwtExtendedPolicy,
    /// `JWT_COOKIE_DOMAIN` as it was written; the attribute that is sent is in `flask_jwt_extended`.
    pub(super) cookie_domain: String,
    pub(super) refresh_url: String,
    pub(super) logout_url: String,
    pub(super) me_url: String,
    pub(super) jwks_url: String,
    pub(super) sessions: Sessions,
    pub(super) sessions_url: String,
    pub(super) logout_all_url: String,
    pub(super) password_url: String,
    pub(super) admin_url: String,
}

impl Default for RawConfig {
    /// The defaults of the table of options.
    fn default() -> Self {
        let mut raw = Self::unset();
        for option in options::TABLE {
            option.set_default(&mut raw);
        }
        raw
    }
}

impl RawConfig {
    /// The values of these variables over the defaults. Wrong values and unknown names go to `diagnostics`.
    pub(super) fn read(vars: &Map<String, Value>, secrets_store: &[String], diagnostics: &mut Diagnostics<'_>) -> Self {
        let mut raw = Self::default();
        for name in secrets_store.iter().filter(|name| options::find(name).is_some()) {
            diagnostics.problem(
                name,
                format!("bound to Secrets Store, from which the gate reads no options: remove the binding and put the value into a secret of the worker (`npx wrangler secret put {name}`)"),
            );
        }
        for (name, value) in vars.iter().filter(|(name, _)| !secrets_store.contains(name)) {
            match options::find(name) {
                Some(option) if option.family == Family::NeverRead => diagnostics.warn(name, option.meaning),
                Some(option) => {
                    if let Err(instead) = option.set(&mut raw, value) {
                        diagnostics.problem(name, instead);
                    }
                }
                None if options::looks_like_ours(name) => {
                    let meant = did_you_mean(name, options::TABLE.iter().map(|option| option.name));
                    diagnostics.warn(options::shown(name), format!("no such option{meant}"));
                }
                None => {}
            }
        }
        raw
    }

    /// No option set, and no default applied.
    fn unset() -> Self {
        Self {
            jwt_secret_key: None,
            secret_key: None,
            private_key: None,
            public_key: None,
            keys: None,
            algorithm: None,
            decode_algorithms: Vec::new(),
            leeway: Duration::ZERO,
            expiration_delta: Duration::ZERO,
            not_before_delta: Duration::ZERO,
            verify_claims: Vec::new(),
            required_claims: Vec::new(),
            auth_url_rule: String::new(),
            auth_url_options: Map::new(),
            username_key: String::new(),
            password_key: String::new(),
            header_prefix: String::new(),
            realm: String::new(),
            routes: Vec::new(),
            origin: String::new(),
            public_url: None,
            keep_headers: Vec::new(),
            token_body_limit: 0,
            origin_timeout: Duration::ZERO,
            forward_token: false,
            allow_short_key: false,
            password_iterations: 0,
            peppers: None,
            pepper: None,
            password_min_length: 0,
            password_common: false,
            pwned: false,
            pwned_url: None,
            token_cache: 0,
            store_timeout: Duration::ZERO,
            log: String::new(),
            log_refusals: 0,
            is_flask_jwt_extended: false,
            flask_jwt_extended: FlaskJwtExtended::UNSET,
            policy: FlaskJwtExtendedPolicy::default(),
            cookie_domain: String::new(),
            refresh_url: String::new(),
            logout_url: String::new(),
            me_url: String::new(),
            jwks_url: String::new(),
            sessions: Sessions::UNSET,
            sessions_url: String::new(),
            logout_all_url: String::new(),
            password_url: String::new(),
            admin_url: String::new(),
        }
    }
}

impl Default for FlaskJwtExtended {
    /// The defaults of the table of options.
    fn default() -> Self {
        RawConfig::default().flask_jwt_extended
    }
}
