//! From variables to a [`Config`], or to every problem at once.

use super::{
    Bindings, Config, DialectConfig, Environment, FlaskJwtExtended, Loaded, Secrets, Sessions, cookies,
    keys::{self, Keys},
    names, options, sessions,
};
use crate::rules::{
    device::DeviceKey,
    diagnostic::{Diagnostic, did_you_mean},
    forward::Filter,
    gate::DECISION_TIMEOUT,
    json::{self, Map, Value, json},
    log::Level,
    password::{self, Hashing, PasswordPolicy, Peppers},
    route::Endpoint,
    route::{self, Routes},
    time::Duration,
    token::{ClaimsPolicy, FlaskJwtExtendedPolicy, Policy, TimeChecks, Verifier, is_truthy},
};
use std::{borrow::Cow, sync::Arc};

/// Values as they were written, before they are judged together.
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
    pub(super) auth_url_options: Option<Map<String, Value>>,
    pub(super) username_key: String,
    pub(super) password_key: String,
    pub(super) header_prefix: String,
    pub(super) realm: String,
    pub(super) routes: Vec<Value>,
    pub(super) origin: String,
    pub(super) public_url: Option<String>,
    pub(super) keep_headers: Vec<String>,
    pub(super) token_body_limit: usize,
    pub(super) origin_timeout: Duration,
    pub(super) forward_token: bool,
    pub(super) allow_short_key: bool,
    pub(super) password_iterations: u32,
    pub(super) peppers: Option<Peppers>,
    pub(super) pepper: Option<String>,
    pub(super) password_min_length: usize,
    pub(super) password_common: bool,
    pub(super) pwned: bool,
    pub(super) pwned_url: Option<String>,
    pub(super) token_cache: u32,
    pub(super) store_timeout: Duration,
    pub(super) log: String,
    pub(super) log_refusals: u32,
    pub(super) is_extended: bool,
    pub(super) flask_jwt_extended: FlaskJwtExtended,
    pub(super) policy: FlaskJwtExtendedPolicy,
    /// `JWT_COOKIE_DOMAIN` as it was written; what goes out is in `flask_jwt_extended`.
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
    fn default() -> Self {
        let texts = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect();
        Self {
            jwt_secret_key: None,
            secret_key: None,
            private_key: None,
            public_key: None,
            keys: None,
            algorithm: None,
            decode_algorithms: Vec::new(),
            leeway: Duration::seconds(10),
            expiration_delta: Duration::seconds(300),
            not_before_delta: Duration::ZERO,
            verify_claims: texts(&["signature", "exp", "nbf", "iat"]),
            required_claims: texts(&["exp", "iat", "nbf"]),
            auth_url_rule: "/auth".into(),
            auth_url_options: None,
            username_key: "username".into(),
            password_key: "password".into(),
            header_prefix: "JWT".into(),
            realm: "Login Required".into(),
            routes: Vec::new(),
            origin: String::new(),
            public_url: None,
            keep_headers: Vec::new(),
            token_body_limit: 64 * 1024,
            origin_timeout: Duration::seconds(30),
            forward_token: true,
            allow_short_key: false,
            password_iterations: password::DEFAULT_ITERATIONS,
            peppers: None,
            pepper: None,
            password_min_length: password::DEFAULT_MIN_LENGTH,
            password_common: true,
            pwned: false,
            pwned_url: None,
            token_cache: 1024,
            store_timeout: Duration::seconds(5),
            log: "info".into(),
            log_refusals: 100,
            is_extended: false,
            flask_jwt_extended: FlaskJwtExtended::default(),
            policy: FlaskJwtExtendedPolicy::default(),
            cookie_domain: String::new(),
            refresh_url: "/auth/refresh".into(),
            logout_url: "/auth/logout".into(),
            me_url: "/auth/me".into(),
            jwks_url: "/.well-known/jwks.json".into(),
            sessions: Sessions::default(),
            sessions_url: "/auth/sessions".into(),
            logout_all_url: "/auth/logout/all".into(),
            password_url: "/auth/password".into(),
            admin_url: "/auth/admin".into(),
        }
    }
}

pub(super) fn as_text(value: &Value) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| "write a text in quotes".into())
}

pub(super) fn as_bool(value: &Value) -> Result<bool, String> {
    match value {
        Value::Bool(on) => Ok(*on),
        Value::String(text) if text == "true" => Ok(true),
        Value::String(text) if text == "false" => Ok(false),
        _ => Err("write true or false".into()),
    }
}

pub(in crate::rules) fn as_seconds(value: &Value) -> Result<Duration, String> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => String::new(),
    };
    Duration::parse(&text).ok_or_else(|| "write seconds, or a text such as \"5m\" or \"1h\"; at most 36500 days".into())
}

/// Python's None is no text.
pub(super) fn as_text_or_nothing(value: &Value) -> Result<String, String> {
    if value.is_null() { Ok(String::new()) } else { as_text(value) }
}

/// `None` for never, which must be said: the real library takes 0 for it as well.
pub(super) fn as_lifetime(value: &Value) -> Result<Option<Duration>, String> {
    if *value == Value::Bool(false) || value.as_str() == Some("false") {
        return Ok(None);
    }
    match as_seconds(value)? {
        Duration::ZERO => Err("0 would be for ever: write false if you mean that, else a duration".into()),
        life => Ok(Some(life)),
    }
}

/// A text is a list of one here: it may have commas.
pub(super) fn as_list_or_nothing(value: &Value) -> Result<Option<Vec<String>>, String> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) if !text.trim_start().starts_with('[') => Ok(Some(vec![text.clone()])),
        _ => as_list(value).map(Some),
    }
}

/// A text stays a text, a list a list.
pub(super) fn as_audience(value: &Value) -> Result<Option<Value>, String> {
    Ok(match as_list_or_nothing(value)? {
        None => None,
        Some(list) if value.is_string() && list.len() == 1 => Some(list[0].as_str().into()),
        Some(list) => Some(list.into()),
    }
    .filter(is_truthy))
}

pub(super) fn as_whole_number(value: &Value) -> Result<u32, String> {
    let number = match value {
        Value::Number(number) => number.as_u64().and_then(|number| number.try_into().ok()),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| "write a whole number".into())
}

/// A list or table, as it is or as JSON text.
pub(super) fn as_json(value: &Value) -> Cow<'_, Value> {
    match value.as_str().map(serde_json::from_str) {
        Some(Ok(inside)) => Cow::Owned(inside),
        Some(Err(_)) | None => Cow::Borrowed(value),
    }
}

pub(in crate::rules) fn as_list(value: &Value) -> Result<Vec<String>, String> {
    let wrong = || String::from("write a list of texts, such as [\"exp\", \"iat\"]");
    match value {
        Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong)).collect(),
        Value::String(text) if text.trim_start().starts_with('[') => match as_json(value) {
            Cow::Owned(inside) => as_list(&inside),
            Cow::Borrowed(_) => Err(wrong()),
        },
        Value::String(text) => {
            Ok(text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect())
        }
        _ => Err(wrong()),
    }
}

/// An object, as it is or as JSON text; of no member twice.
pub(super) fn as_object(value: &Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(members) => Some(members.clone()),
        Value::String(text) => json::object(text.as_bytes()).ok(),
        _ => None,
    }
}

/// What was noticed so far.
pub(super) struct Diagnostics<'e> {
    problems: Vec<Diagnostic>,
    faults: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
    unseen: Vec<&'static str>,
    secrets: Secrets<'e>,
}

impl Diagnostics<'_> {
    /// Stops the gate: unsafe or impossible.
    pub(super) fn problem(&mut self, option: &str, text: impl Into<String>) {
        self.problems.push(Diagnostic::new(option, text));
    }

    /// Does not stop the gate, yet will not work.
    pub(super) fn fault(&mut self, option: &str, text: impl Into<String>) {
        self.faults.push(Diagnostic::new(option, text));
    }

    /// The same, unless it is in the list already.
    pub(super) fn problem_once(&mut self, option: &str, text: &str) {
        if !self.problems.iter().any(|known| known.option == option && known.text == text) {
            self.problem(option, text);
        }
    }

    /// The same, unless it is in the list already.
    pub(super) fn fault_once(&mut self, option: &str, text: &str) {
        if !self.faults.iter().any(|known| known.option == option && known.text == text) {
            self.fault(option, text);
        }
    }

    /// A secret that is not there: a problem, unless it may be where it can't be seen.
    pub(super) fn missing(&mut self, option: &'static str, text: impl Into<String>) {
        match self.secrets {
            Secrets::Visible => self.problem(option, text),
            Secrets::MayBeElsewhere(_) => self.unseen.push(option),
        }
    }

    /// Is this secret known to be there, though it can't be seen?
    pub(super) fn is_declared(&self, option: &str) -> bool {
        matches!(self.secrets, Secrets::MayBeElsewhere(declared) if declared.iter().any(|name| name == option))
    }

    /// May secrets be where they can't be seen?
    pub(super) fn may_be_elsewhere(&self) -> bool {
        matches!(self.secrets, Secrets::MayBeElsewhere(_))
    }

    pub(super) fn warn(&mut self, option: &str, text: impl Into<String>) {
        self.warnings.push(Diagnostic::new(option, text));
    }
}

pub(super) fn read(environment: Environment<'_>) -> Loaded {
    let Environment { vars, bindings, secrets_store, secrets, serves_inner } = environment;
    let mut notices =
        Diagnostics { problems: Vec::new(), faults: Vec::new(), warnings: Vec::new(), unseen: Vec::new(), secrets };
    let raw = raw(vars, secrets_store, &mut notices);
    let keys = keys::keys(&raw, &mut notices);
    let policy = if raw.is_extended {
        Policy::FlaskJwtExtended(raw.policy.clone())
    } else {
        Policy::FlaskJwt(claims(&raw, &mut notices))
    };
    login(&raw, &mut notices);
    header(&raw, &mut notices);
    limits(&raw, &mut notices);
    dialect(vars, &raw, bindings, &mut notices);
    sessions::check(&raw, &mut notices);
    let log = Level::from_name(&raw.log);
    if log.is_none() {
        notices.problem("TOLLGATE_LOG", "write off, error, info or debug");
    }
    let routes = routes(&raw, bindings, keys.as_ref(), &mut notices);
    if let Some(inner) = routes.iter().flat_map(Routes::rules).find(|rule| rule.to == route::Target::Worker)
        && serves_inner == Some(false)
    {
        notices.problem(
            &format!("ROUTES[{}].to", inner.index),
            "\"worker\" is for a worker of your own, and there is none here: write \"origin\", \"assets\" or \"identity\"",
        );
    }
    let origin = origin(&raw, routes.as_ref(), &mut notices);
    let public_url = public_url(&raw, &mut notices);
    keep_headers(&raw, &mut notices);
    names::check(&raw, bindings, &mut notices);
    idle_members(&raw, bindings, &mut notices);
    if let Some(routes) = &routes {
        let site = public_url.as_deref();
        cookies::check(&raw, routes, bindings, keys.as_ref(), site, &mut notices);
    }
    let hashing = hashing(&raw, &mut notices);
    let pwned_url = pwned_url(&raw, &mut notices);
    let Diagnostics { problems, faults, warnings, unseen, .. } = notices;
    let config = match (keys, routes, log, hashing) {
        (Some(keys), Some(routes), Some(log), Some(hashing)) if problems.is_empty() => Ok(Config {
            device_key: keys::signing_text(&raw, &keys.ring).map(|text| DeviceKey::derive(&text)),
            tokens: Verifier::new(keys.ring, policy, raw.token_cache as usize).revocable(bindings.sessions),
            dialect: if raw.is_extended {
                DialectConfig::FlaskJwtExtended(Arc::new(raw.flask_jwt_extended))
            } else {
                DialectConfig::FlaskJwt
            },
            expiration_delta: raw.expiration_delta,
            not_before_delta: raw.not_before_delta,
            username_key: raw.username_key,
            password_key: raw.password_key,
            header_prefix: raw.header_prefix,
            realm: raw.realm,
            routes,
            sessions: raw.sessions,
            bindings,
            hashing,
            password_policy: PasswordPolicy {
                min_length: raw.password_min_length,
                refuses_common: raw.password_common,
            },
            pwned_url,
            log,
            log_refusals: raw.log_refusals,
            store_timeout: raw.store_timeout,
            origin,
            public_url,
            keep_headers: raw.keep_headers,
            token_body_limit: raw.token_body_limit,
            origin_timeout: raw.origin_timeout,
            forward_token: raw.forward_token,
        }),
        _ => Err(problems),
    };
    Loaded { config, faults, warnings, unseen }
}

fn raw(vars: &Map<String, Value>, secrets_store: &[String], notices: &mut Diagnostics<'_>) -> RawConfig {
    let mut raw = RawConfig::default();
    for name in secrets_store.iter().filter(|name| options::find(name).is_some()) {
        notices.problem(
            name,
            format!("bound to Secrets Store, from which the gate reads no options: remove the binding and put the value into a secret of the worker (`npx wrangler secret put {name}`)"),
        );
    }
    for (name, value) in vars.iter().filter(|(name, _)| !secrets_store.contains(name)) {
        match options::find(name) {
            Some(option) if option.family == options::Family::NeverRead => notices.warn(name, option.meaning),
            Some(option) => {
                if let Err(instead) = (option.set)(&mut raw, value) {
                    notices.problem(name, instead);
                }
            }
            None if options::looks_like_ours(name) => {
                let meant = did_you_mean(name, options::TABLE.iter().map(|option| option.name));
                notices.warn(options::shown(name), format!("no such option{meant}"));
            }
            None => {}
        }
    }
    raw
}

fn claims(raw: &RawConfig, notices: &mut Diagnostics<'_>) -> ClaimsPolicy {
    let verifies = |name: &str| raw.verify_claims.iter().any(|claim| claim == name);
    if !verifies("signature") {
        notices.problem("JWT_VERIFY_CLAIMS", "\"signature\" can't be left out: an unverified token is anybody's. For a path without a token write auth = \"none\" in its route");
    }
    for claim in &raw.verify_claims {
        if !["signature", "exp", "nbf", "iat"].contains(&claim.as_str()) {
            notices.warn(
                "JWT_VERIFY_CLAIMS",
                format!("{claim:?} has no effect; the list may have signature, exp, nbf and iat"),
            );
        }
    }
    if !verifies("exp") {
        notices.warn("JWT_VERIFY_CLAIMS", "without \"exp\" a token is good for ever");
    }
    for claim in raw.required_claims.iter().filter(|claim| !is_issued(claim)) {
        if !raw.auth_url_rule.is_empty() {
            notices.fault("JWT_REQUIRED_CLAIMS", format!("{claim:?} is not in the tokens that the log-in here makes, so log-ins are answered 500. Leave it out, or set JWT_AUTH_URL_RULE = \"\" if another issuer makes the tokens"));
        }
    }
    ClaimsPolicy {
        required: raw.required_claims.clone(),
        checks: TimeChecks { exp: verifies("exp"), nbf: verifies("nbf"), iat: verifies("iat") },
        leeway: raw.leeway,
    }
}

/// Is this claim in the tokens that the stock log-in makes (docs/compat/flask-jwt.md#payload)?
fn is_issued(claim: &str) -> bool {
    ["exp", "iat", "nbf", "identity"].contains(&claim)
}

fn login(raw: &RawConfig, notices: &mut Diagnostics<'_>) {
    if raw.username_key == raw.password_key {
        notices.problem(
            "JWT_AUTH_PASSWORD_KEY",
            "the same as JWT_AUTH_USERNAME_KEY, so that no log-in could succeed: give the two different names",
        );
    }
    for (name, key) in [("JWT_AUTH_USERNAME_KEY", &raw.username_key), ("JWT_AUTH_PASSWORD_KEY", &raw.password_key)] {
        if key.is_empty() {
            notices.problem(name, "empty: give it the name of a member");
        }
    }
    if raw.auth_url_options.as_ref().is_some_and(|table| !table.contains_key("methods")) {
        notices.warn(
            "JWT_AUTH_URL_OPTIONS",
            "without methods the log-in endpoint answers GET only, as in Flask; write { methods = [\"POST\"] }",
        );
    }
    // `endpoint` names a view in Flask; there are none here, and nothing is lost without it.
    for member in raw.auth_url_options.iter().flat_map(Map::keys) {
        if !["methods", "endpoint"].contains(&member.as_str()) {
            notices.warn("JWT_AUTH_URL_OPTIONS", format!("{member:?} has no effect; only methods has"));
        }
    }
}

fn header(raw: &RawConfig, notices: &mut Diagnostics<'_>) {
    // RFC 9110 §11.1: a scheme is a token.
    let is_token = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
    };
    if !is_token(&raw.header_prefix) {
        notices.problem("JWT_AUTH_HEADER_PREFIX", "matches no header: write one word, such as \"JWT\" or \"Bearer\"");
    }
    if !route::is_realm(&raw.realm) {
        notices.problem(
            "JWT_DEFAULT_REALM",
            "can't stand in a header: leave out control characters and letters beyond ASCII",
        );
    }
}

/// What only one dialect has, where the other is spoken; and Flask-JWT-Extended's own.
fn dialect(vars: &Map<String, Value>, raw: &RawConfig, bindings: Bindings, notices: &mut Diagnostics<'_>) {
    for option in vars.keys().filter_map(|name| options::find(name)) {
        let other = match option.family {
            // A log-out takes cookies away without sessions, too.
            options::Family::Sessions if !bindings.sessions && option.name != "TOLLGATE_LOGOUT_URL" => {
                "only has an effect with the bindings ACCOUNTS and REVOCATIONS: docs/sessions.md"
            }
            options::Family::ExtendedOnly if !raw.is_extended => {
                "only has an effect with TOLLGATE_WIRE = \"flask-jwt-extended\""
            }
            options::Family::FlaskJwt if raw.is_extended && !is_common(option.name) => {
                "only has an effect with TOLLGATE_WIRE = \"flask-jwt\": see docs/options.md for the other dialect's"
            }
            _ => continue,
        };
        notices.warn(option.name, other);
    }
    if !raw.is_extended {
        // Not a warning: a rule that asks for a fresh token must not do without.
        for (index, member) in raw.routes.iter().enumerate().flat_map(|(index, rule)| {
            let members = ["fresh", "refresh", "locations", "verify_type", "skip_revocation_check"];
            members.into_iter().filter(|member| !rule[*member].is_null()).map(move |member| (index, member))
        }) {
            notices.problem(
                &format!("ROUTES[{index}].{member}"),
                "only has a meaning with TOLLGATE_WIRE = \"flask-jwt-extended\"",
            );
        }
        return;
    }
    let flask_jwt_extended = &raw.flask_jwt_extended;
    if flask_jwt_extended.header_type.contains([' ', '\t', ',']) {
        notices.problem("JWT_HEADER_TYPE", "matches no header: write one word, such as \"Bearer\", or nothing");
    }
    if flask_jwt_extended.access_expires.is_none() {
        notices.warn("JWT_ACCESS_TOKEN_EXPIRES", "tokens are good for ever");
    }
    if !raw.auth_url_rule.is_empty() {
        takes_its_own(raw, notices);
    }
    let within = flask_jwt_extended.cookie_refresh_within;
    if within < Duration::ZERO
        || flask_jwt_extended.access_expires.is_some_and(|life| within > Duration::ZERO && within >= life)
    {
        notices.problem(
            "TOLLGATE_COOKIE_REFRESH_WITHIN",
            "write less than JWT_ACCESS_TOKEN_EXPIRES, half of it say: else each answer brings a new token",
        );
    }
}

/// Does the gate take the tokens that it makes?
fn takes_its_own(raw: &RawConfig, notices: &mut Diagnostics<'_>) {
    let FlaskJwtExtended { encode_audience, encode_issuer, .. } = &raw.flask_jwt_extended;
    let audiences: Vec<&str> = match encode_audience {
        Some(Value::String(one)) => vec![one],
        Some(list) => list.as_array().into_iter().flatten().filter_map(Value::as_str).collect(),
        None => Vec::new(),
    };
    let is_accepted = |accepted: &Option<Vec<String>>, own: &[&str]| {
        accepted.as_ref().is_none_or(|accepted| own.iter().any(|own| accepted.iter().any(|known| known == own)))
    };
    if !is_accepted(&raw.policy.audiences, &audiences) {
        notices.fault(
            "JWT_DECODE_AUDIENCE",
            "none of these is in JWT_ENCODE_AUDIENCE, so every token that a log-in gives is refused: write one of them there too",
        );
    }
    if !is_accepted(&raw.policy.issuers, &encode_issuer.iter().map(String::as_str).collect::<Vec<_>>()) {
        notices.fault(
            "JWT_DECODE_ISSUER",
            "JWT_ENCODE_ISSUER is none of these, so every token that a log-in gives is refused: write one of them there too",
        );
    }
}

/// Members of a rule that say nothing where they stand: the operator believes that something is asked.
fn idle_members(raw: &RawConfig, bindings: Bindings, notices: &mut Diagnostics<'_>) {
    for (index, rule) in raw.routes.iter().enumerate() {
        let option = |member: &str| format!("ROUTES[{index}].{member}");
        if rule["auth"] == "none" {
            let asks =
                |member: &str| !matches!(rule[member], Value::Null | Value::Bool(false)) && rule[member] != "token";
            for member in ["fresh", "refresh", "user", "revocation", "locations", "realm"]
                .into_iter()
                .filter(|&member| asks(member))
            {
                notices.fault(
                    &option(member),
                    "no effect beside auth = \"none\", where the gate looks at no token: remove one of the two",
                );
            }
        } else if rule["revocation"] == "strict" && !bindings.sessions {
            notices.fault(
                &option("revocation"),
                "no effect without the bindings ACCOUNTS and REVOCATIONS: nobody can be asked whether a token was revoked (docs/sessions.md)",
            );
        }
        if rule["fresh"] == true && rule["refresh"] == true {
            notices.fault(&option("fresh"), "no refresh token is fresh, so nobody passes: remove one of the two");
        }
    }
}

/// Is this one of Flask-JWT's options that the other dialect has too?
fn is_common(name: &str) -> bool {
    let login = ["JWT_AUTH_URL_RULE", "JWT_AUTH_URL_OPTIONS", "JWT_AUTH_USERNAME_KEY", "JWT_AUTH_PASSWORD_KEY"];
    ["JWT_SECRET_KEY", "SECRET_KEY", "JWT_ALGORITHM"].contains(&name) || login.contains(&name)
}

/// Tokens of 1 KiB for which half of an isolate's memory (128 MiB) is enough: twice their length in the cache
/// (docs/options.md), once in the entry.
const MOST_CACHED_TOKENS: u32 = 64 * 1024 / 3;

fn limits(raw: &RawConfig, notices: &mut Diagnostics<'_>) {
    let (least, most) = (password::LEAST_ITERATIONS, password::MOST_ITERATIONS);
    if !(least..=most).contains(&raw.password_iterations) {
        notices.problem("TOLLGATE_PASSWORD_ITERATIONS", format!("write {least} to {most}; OWASP asks for 600000"));
    }
    let (least, most) = (password::LEAST_MIN_LENGTH, password::MOST_MIN_LENGTH);
    if !(least..=most).contains(&raw.password_min_length) {
        notices.problem(
            "TOLLGATE_PASSWORD_MIN_LENGTH",
            format!("write {least} to {most}; 15 where nothing but the password is asked for (NIST SP 800-63B-4)"),
        );
    }
    if raw.token_cache > 65_534 {
        notices.problem("TOLLGATE_TOKEN_CACHE", "write 0 to 65534");
    } else if raw.token_cache > MOST_CACHED_TOKENS {
        notices.fault(
            "TOLLGATE_TOKEN_CACHE",
            format!("more than an isolate has room for beside its other work: tokens of 1 KiB take 3 KiB each, and all of it has 128 MiB. Write at most {MOST_CACHED_TOKENS}"),
        );
    }
    if !(1024..=1024 * 1024).contains(&raw.token_body_limit) {
        notices.problem("TOLLGATE_TOKEN_BODY_LIMIT", "write 1024 to 1048576 (bytes)");
    }
    if raw.log_refusals > 1_000_000 {
        notices.problem("TOLLGATE_LOG_REFUSALS", "write 0 to 1000000");
    }
    let range = Duration::seconds(0)..=Duration::seconds(600);
    for (name, span) in [("ORIGIN_TIMEOUT", raw.origin_timeout), ("TOLLGATE_STORE_TIMEOUT", raw.store_timeout)] {
        if span == Duration::ZERO || !range.contains(&span) {
            notices.problem(name, "write more than 0 and at most 10 minutes");
        }
    }
    if raw.store_timeout > DECISION_TIMEOUT {
        notices.warn("TOLLGATE_STORE_TIMEOUT", "no effect beyond a minute, after which every decision ends");
    }
    times(raw, notices);
}

/// Lifetimes and tolerances. A token that nobody takes is no reason to stop: an application may make its own.
fn times(raw: &RawConfig, notices: &mut Diagnostics<'_>) {
    let (leeway, leeway_option) =
        if raw.is_extended { (raw.policy.leeway, "JWT_DECODE_LEEWAY") } else { (raw.leeway, "JWT_LEEWAY") };
    if leeway < Duration::ZERO {
        notices.fault(leeway_option, "negative, so a token is refused until it is that old: write 0 or more");
    }
    if leeway > Duration::seconds(300) {
        notices.warn(leeway_option, "more than five minutes: tokens live that much longer than they say");
    }
    if raw.is_extended {
        let FlaskJwtExtended { access_expires, refresh_expires, .. } = &raw.flask_jwt_extended;
        for (option, life) in
            [("JWT_ACCESS_TOKEN_EXPIRES", access_expires), ("JWT_REFRESH_TOKEN_EXPIRES", refresh_expires)]
        {
            if life.is_some_and(|life| life < Duration::ZERO) {
                notices.fault(option, "negative, so each token is issued expired: write a duration such as \"15m\"");
            }
        }
        return;
    }
    let (life, not_before) = (raw.expiration_delta, raw.not_before_delta);
    if life < Duration::ZERO {
        notices.fault(
            "JWT_EXPIRATION_DELTA",
            "negative, so each token is issued expired: write a duration such as \"5m\"",
        );
    } else if life == Duration::ZERO {
        notices.warn("JWT_EXPIRATION_DELTA", "0, so a token is good for the leeway only");
    } else if not_before >= life {
        notices.fault(
            "JWT_NOT_BEFORE_DELTA",
            "not less than JWT_EXPIRATION_DELTA, so a token has expired before it is good: write 0",
        );
    }
    if life > Duration::seconds(86_400) {
        notices.warn("JWT_EXPIRATION_DELTA", "more than a day: a stolen token stays good as long");
    }
}

/// What hashes are made and checked with.
fn hashing(raw: &RawConfig, notices: &mut Diagnostics<'_>) -> Option<Hashing> {
    const OPTION: &str = "TOLLGATE_PASSWORD_PEPPER";
    let iterations = raw.password_iterations;
    let peppers = match (raw.peppers.clone(), raw.pepper.as_deref()) {
        (None, None | Some("")) => Peppers::default(),
        (None, Some(_)) if notices.may_be_elsewhere() => {
            notices.missing("TOLLGATE_PASSWORD_PEPPERS", "");
            Peppers::default()
        }
        (None, Some(_)) => {
            notices.problem(OPTION, "there is no TOLLGATE_PASSWORD_PEPPERS: give it this one, or leave this out");
            return None;
        }
        (Some(peppers), None) if peppers.len() > 1 => {
            notices
                .problem(OPTION, "not set, and there are several: write the key id of the one to make new hashes with");
            return None;
        }
        (Some(peppers), None) => peppers,
        (Some(peppers), Some(id)) => {
            let ids = peppers.ids().collect::<Vec<_>>().join(", ");
            let Some(peppers) = peppers.using(id) else {
                notices.problem(OPTION, format!("no key id of TOLLGATE_PASSWORD_PEPPERS: write one of {ids}"));
                return None;
            };
            peppers
        }
    };
    Some(Hashing { iterations, peppers })
}

/// Where to ask whether a password is known from a leak, if that is wanted.
fn pwned_url(raw: &RawConfig, notices: &mut Diagnostics<'_>) -> Option<String> {
    const OPTION: &str = "TOLLGATE_PASSWORD_PWNED_URL";
    let url = raw.pwned_url.as_deref().unwrap_or(password::pwned::DEFAULT_URL);
    check_url(OPTION, url, password::pwned::DEFAULT_URL, "answers can be forged on their way", notices)?;
    if raw.pwned_url.is_some() && !raw.pwned {
        notices.warn(OPTION, "no effect without TOLLGATE_PASSWORD_PWNED = true");
    }
    raw.pwned.then(|| url.trim_end_matches('/').to_owned())
}

fn routes(raw: &RawConfig, bindings: Bindings, keys: Option<&Keys>, notices: &mut Diagnostics<'_>) -> Option<Routes> {
    let methods = match &raw.auth_url_options {
        None => Some(Value::from(vec!["POST"])),
        Some(table) => table.get("methods").cloned().or_else(|| Some(Value::from(vec!["GET"]))),
    };
    let mut endpoints = Vec::new();
    if !raw.auth_url_rule.is_empty() {
        endpoints.push((Endpoint::Login, raw.auth_url_rule.as_str(), methods.unwrap_or_default()));
    }
    if keys.is_some_and(|keys| keys.publishes) && !raw.jwks_url.is_empty() {
        endpoints.push((Endpoint::Keys, raw.jwks_url.as_str(), Value::from(vec!["GET"])));
    }
    // Without a key that signs there are no new tokens.
    let signs = keys.is_some_and(|keys| keys.signs);
    let session = format!("{}/{{session}}", raw.sessions_url.trim_end_matches('/'));
    let refreshes = raw.is_extended && signs && raw.flask_jwt_extended.refresh_tokens;
    let sessions = bindings.sessions;
    let has_admin = raw.sessions.admin_secret.is_some() || notices.is_declared("TOLLGATE_ADMIN_SECRET");
    for (is_there, endpoint, path, methods) in [
        (refreshes, Endpoint::Refresh, &raw.refresh_url, &["POST"][..]),
        (raw.is_extended || sessions, Endpoint::Logout, &raw.logout_url, &["POST", "DELETE"]),
        (sessions, Endpoint::LogoutAll, &raw.logout_all_url, &["POST"]),
        (sessions, Endpoint::Sessions, &raw.sessions_url, &["GET"]),
        (sessions && !raw.sessions_url.is_empty(), Endpoint::Session, &session, &["DELETE"]),
        (sessions && signs, Endpoint::Password, &raw.password_url, &["POST"]),
        (sessions && has_admin, Endpoint::Admin, &raw.admin_url, &["POST"]),
    ] {
        if is_there && !path.is_empty() {
            endpoints.push((endpoint, path, Value::from(methods.to_vec())));
        }
    }
    let mut rules = Cow::Borrowed(&raw.routes);
    if raw.is_extended {
        let has_me = raw.routes.iter().any(|rule| rule["path"].as_str() == Some(&raw.me_url));
        if !raw.me_url.is_empty() && !has_me {
            rules.to_mut().push(json!({"path": raw.me_url, "to": "identity", "user": "stored"}));
        }
    }
    match Routes::read(&endpoints, &rules) {
        Ok((routes, warnings)) => {
            notices.warnings.extend(warnings);
            Some(routes)
        }
        Err(mut problems) => {
            // The rule for who it is has no place in ROUTES.
            let of_me = format!("ROUTES[{}]", raw.routes.len());
            for problem in problems.iter_mut().filter(|problem| problem.option.split('.').next() == Some(&*of_me)) {
                problem.option = "TOLLGATE_ME_URL".into();
            }
            notices.problems.extend(problems);
            None
        }
    }
}

fn origin(raw: &RawConfig, routes: Option<&Routes>, notices: &mut Diagnostics<'_>) -> Option<String> {
    let used = routes.is_some_and(|routes| routes.rules().any(|rule| rule.to == route::Target::Origin));
    if raw.origin.is_empty() {
        // It may be a secret, too.
        if used && !notices.is_declared("ORIGIN") {
            notices.problem(
                "ORIGIN",
                "not set, and a rule in ROUTES has to = \"origin\": write the URL of what lies behind the gate",
            );
        }
        return None;
    }
    check_url("ORIGIN", &raw.origin, "https://app.example.com", "identities and tokens travel in the open", notices)?;
    Some(raw.origin.trim_end_matches('/').to_owned())
}

/// `TOLLGATE_PUBLIC_URL`, as browsers write an origin (RFC 6454 §6.2): scheme, host, and a port if it is not the
/// default.
fn public_url(raw: &RawConfig, notices: &mut Diagnostics<'_>) -> Option<String> {
    const OPTION: &str = "TOLLGATE_PUBLIC_URL";
    let url = raw.public_url.as_deref().filter(|url| !url.is_empty())?;
    check_url(OPTION, url, "https://app.example.com", "tokens travel in the open", notices)?;
    let uri: http::Uri = url.parse().ok()?;
    if uri.path() != "/" {
        notices.problem(OPTION, "has a path: write scheme and host alone, such as \"https://app.example.com\"");
        return None;
    }
    let (scheme, host) = (uri.scheme_str()?, uri.host()?.to_ascii_lowercase());
    let default_port = if scheme == "https" { 443 } else { 80 };
    let port = uri.port_u16().filter(|port| *port != default_port).map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{scheme}://{host}{port}"))
}

fn keep_headers(raw: &RawConfig, notices: &mut Diagnostics<'_>) {
    for name in &raw.keep_headers {
        if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
            notices
                .problem("TOLLGATE_KEEP_HEADERS", "write names of header fields, such as [\"X-HTTP-Method-Override\"]");
        } else if !Filter::is_spoofable(name) {
            notices.warn(
                "TOLLGATE_KEEP_HEADERS",
                format!("{name}: no effect: not among the fields that this option keeps"),
            );
        }
    }
}

/// Is it a URL to put paths behind? One that is not local should have https.
fn check_url(option: &str, url: &str, example: &str, danger: &str, notices: &mut Diagnostics<'_>) -> Option<()> {
    let uri = url.parse::<http::Uri>().ok();
    let good = uri.as_ref().filter(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.query().is_none()
            && !url.contains(['#', '?'])
            && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
    });
    let Some(uri) = good else {
        notices.problem(option, format!("write a URL such as {example:?}, without user, query or fragment"));
        return None;
    };
    // `http` reads a port as a number only when it is asked for it.
    let port = uri.authority().and_then(|authority| authority.as_str().rsplit_once(':')).map(|(_, port)| port);
    let has_port = port.is_some_and(|port| !port.contains(']'));
    if has_port && uri.port_u16().is_none_or(|port| port == 0) {
        notices.problem(option, "has no such port: write 1 to 65535, or none");
        return None;
    }
    let local = ["127.0.0.1", "localhost", "[::1]"].contains(&uri.host().unwrap_or_default());
    if uri.scheme_str() == Some("http") && !local {
        notices.warn(option, format!("http, so {danger}: write https"));
    }
    Some(())
}
