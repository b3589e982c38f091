//! From variables to a [`Config`], or to every problem at once.

use super::{Config, Reading, keys, options};
use crate::rules::{
    json::{self, Map, Value},
    log::Level,
    notice::{Notice, nearest},
    password,
    route::{self, Routes},
    time::Span,
    token::{ClaimsPolicy, TimeChecks, Verifier},
};
use std::borrow::Cow;

/// Values as they were written, before they are judged together.
pub(super) struct Draft {
    pub(super) jwt_secret_key: Option<String>,
    pub(super) secret_key: Option<String>,
    pub(super) private_key: Option<String>,
    pub(super) public_key: Option<String>,
    pub(super) keys: Option<Map<String, Value>>,
    pub(super) algorithm: Option<String>,
    pub(super) decode_algorithms: Vec<String>,
    pub(super) leeway: Span,
    pub(super) expiration_delta: Span,
    pub(super) not_before_delta: Span,
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
    pub(super) origin_timeout: Span,
    pub(super) forward_token: bool,
    pub(super) allow_short_key: bool,
    pub(super) password_iterations: u32,
    pub(super) token_cache: u32,
    pub(super) store_timeout: Span,
    pub(super) log: String,
}

impl Default for Draft {
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
            leeway: Span::seconds(10),
            expiration_delta: Span::seconds(300),
            not_before_delta: Span::ZERO,
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
            origin_timeout: Span::seconds(30),
            forward_token: true,
            allow_short_key: false,
            password_iterations: password::DEFAULT_ITERATIONS,
            token_cache: 1024,
            store_timeout: Span::seconds(5),
            log: "info".into(),
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

pub(super) fn as_seconds(value: &Value) -> Result<Span, String> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => String::new(),
    };
    Span::parse(&text).ok_or_else(|| "write seconds, or a text such as \"5m\" or \"1h\"; at most 36500 days".into())
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

pub(super) fn as_list(value: &Value) -> Result<Vec<String>, String> {
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
#[derive(Default)]
pub(super) struct Notices {
    problems: Vec<Notice>,
    warnings: Vec<Notice>,
}

impl Notices {
    pub(super) fn problem(&mut self, option: &str, text: impl Into<String>) {
        self.problems.push(Notice::new(option, text));
    }

    pub(super) fn warn(&mut self, option: &str, text: impl Into<String>) {
        self.warnings.push(Notice::new(option, text));
    }
}

pub(super) fn read(vars: &Map<String, Value>) -> Reading {
    let mut notices = Notices::default();
    let draft = draft(vars, &mut notices);
    let keys = keys::keys(&draft, &mut notices);
    let claims = claims(&draft, &mut notices);
    log_in(&draft, &mut notices);
    header(&draft, &mut notices);
    limits(&draft, &mut notices);
    let log = Level::from_name(&draft.log);
    if log.is_none() {
        notices.problem("TOLLGATE_LOG", "write off, error, info or debug");
    }
    let routes = routes(&draft, &mut notices);
    let origin = origin(&draft, routes.as_ref(), &mut notices);
    let Notices { problems, warnings } = notices;
    let config = match (keys, routes, log) {
        (Some(keys), Some(routes), Some(log)) if problems.is_empty() => Ok(Config {
            tokens: Verifier::new(keys, claims, draft.token_cache as usize),
            expiration_delta: draft.expiration_delta,
            not_before_delta: draft.not_before_delta,
            username_key: draft.username_key,
            password_key: draft.password_key,
            header_prefix: draft.header_prefix,
            realm: draft.realm,
            routes,
            password_iterations: draft.password_iterations,
            log,
            store_timeout: draft.store_timeout,
            origin,
            origin_timeout: draft.origin_timeout,
            forward_token: draft.forward_token,
        }),
        _ => Err(problems),
    };
    Reading { config, warnings }
}

fn draft(vars: &Map<String, Value>, notices: &mut Notices) -> Draft {
    let mut draft = Draft::default();
    for (name, value) in vars {
        match options::find(name) {
            Some(option) if option.family == options::Family::NeverRead => notices.warn(name, option.meaning),
            Some(option) => {
                if let Err(instead) = (option.set)(&mut draft, value) {
                    notices.problem(name, instead);
                }
            }
            None if options::looks_like_ours(name) => {
                let nearest = nearest(name, options::TABLE.iter().map(|option| option.name));
                notices.warn(name, format!("no such option; did you mean {nearest}?"));
            }
            None => {}
        }
    }
    draft
}

fn claims(draft: &Draft, notices: &mut Notices) -> ClaimsPolicy {
    let verifies = |name: &str| draft.verify_claims.iter().any(|claim| claim == name);
    if !verifies("signature") {
        notices.problem("JWT_VERIFY_CLAIMS", "\"signature\" can't be left out: an unverified token is anybody's. For a path without a token write auth = \"none\" in its route");
    }
    for claim in &draft.verify_claims {
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
    for claim in draft.required_claims.iter().filter(|claim| !is_issued(claim)) {
        if !draft.auth_url_rule.is_empty() {
            notices.warn("JWT_REQUIRED_CLAIMS", format!("{claim:?} is not in the tokens that the log-in here makes, so log-ins are answered 500. Leave it out, or set JWT_AUTH_URL_RULE = \"\" if another issuer makes the tokens"));
        }
    }
    ClaimsPolicy {
        required: draft.required_claims.clone(),
        checks: TimeChecks { exp: verifies("exp"), nbf: verifies("nbf"), iat: verifies("iat") },
        leeway: draft.leeway,
    }
}

/// Is this claim in the tokens that the stock log-in makes (facts 3)?
fn is_issued(claim: &str) -> bool {
    ["exp", "iat", "nbf", "identity"].contains(&claim)
}

fn log_in(draft: &Draft, notices: &mut Notices) {
    if draft.username_key == draft.password_key {
        notices.problem(
            "JWT_AUTH_PASSWORD_KEY",
            "the same as JWT_AUTH_USERNAME_KEY, so that no log-in could succeed: give the two different names",
        );
    }
    for (name, key) in [("JWT_AUTH_USERNAME_KEY", &draft.username_key), ("JWT_AUTH_PASSWORD_KEY", &draft.password_key)]
    {
        if key.is_empty() {
            notices.problem(name, "empty: give it the name of a member");
        }
    }
    if draft.auth_url_options.as_ref().is_some_and(|table| !table.contains_key("methods")) {
        notices.warn(
            "JWT_AUTH_URL_OPTIONS",
            "without methods the log-in endpoint answers GET only, as in Flask; write { methods = [\"POST\"] }",
        );
    }
    // `endpoint` names a view in Flask; there are none here, and nothing is lost without it.
    for member in draft.auth_url_options.iter().flat_map(Map::keys) {
        if !["methods", "endpoint"].contains(&member.as_str()) {
            notices.warn("JWT_AUTH_URL_OPTIONS", format!("{member:?} has no effect; only methods has"));
        }
    }
    if draft.expiration_delta <= Span::ZERO {
        notices.warn("JWT_EXPIRATION_DELTA", "tokens are issued already expired");
    }
    if draft.expiration_delta > Span::seconds(86_400) {
        notices.warn("JWT_EXPIRATION_DELTA", "more than a day: a stolen token stays good as long");
    }
}

fn header(draft: &Draft, notices: &mut Notices) {
    // RFC 9110 §11.1: a scheme is a token.
    let is_token = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
    };
    if !is_token(&draft.header_prefix) {
        notices.problem("JWT_AUTH_HEADER_PREFIX", "matches no header: write one word, such as \"JWT\" or \"Bearer\"");
    }
    if !route::is_realm(&draft.realm) {
        notices.problem(
            "JWT_DEFAULT_REALM",
            "can't stand in a header: leave out control characters and letters beyond ASCII",
        );
    }
}

fn limits(draft: &Draft, notices: &mut Notices) {
    let (least, most) = (password::LEAST_ITERATIONS, password::MOST_ITERATIONS);
    if !(least..=most).contains(&draft.password_iterations) {
        notices.problem("TOLLGATE_PASSWORD_ITERATIONS", format!("write {least} to {most}; OWASP asks for 600000"));
    }
    if draft.token_cache > 65_534 {
        notices.problem("TOLLGATE_TOKEN_CACHE", "write 0 to 65534");
    }
    let range = Span::seconds(0)..=Span::seconds(600);
    for (name, span) in [("ORIGIN_TIMEOUT", draft.origin_timeout), ("TOLLGATE_STORE_TIMEOUT", draft.store_timeout)] {
        if span == Span::ZERO || !range.contains(&span) {
            notices.problem(name, "write more than 0 and at most 10 minutes");
        }
    }
    if draft.leeway > Span::seconds(300) {
        notices.warn("JWT_LEEWAY", "more than five minutes: tokens live that much longer than they say");
    }
}

fn routes(draft: &Draft, notices: &mut Notices) -> Option<Routes> {
    let methods = match &draft.auth_url_options {
        None => Some(Value::from(vec!["POST"])),
        Some(table) => table.get("methods").cloned().or_else(|| Some(Value::from(vec!["GET"]))),
    };
    let log_in =
        (!draft.auth_url_rule.is_empty()).then_some((draft.auth_url_rule.as_str(), methods.unwrap_or_default()));
    match Routes::read(log_in, &draft.routes) {
        Ok((routes, warnings)) => {
            notices.warnings.extend(warnings);
            Some(routes)
        }
        Err(problems) => {
            notices.problems.extend(problems);
            None
        }
    }
}

fn origin(draft: &Draft, routes: Option<&Routes>, notices: &mut Notices) -> Option<String> {
    let used = routes.is_some_and(|routes| routes.rules().any(|rule| rule.to == route::Target::Origin));
    if draft.origin.is_empty() {
        if used {
            notices.problem(
                "ORIGIN",
                "not set, and a rule in ROUTES has to = \"origin\": write the URL of what lies behind the gate",
            );
        }
        return None;
    }
    let uri = draft.origin.parse::<http::Uri>().ok();
    let good = uri.as_ref().filter(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.query().is_none()
            && !draft.origin.contains(['#', '?'])
            && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
    });
    let Some(uri) = good else {
        notices.problem("ORIGIN", "write a URL such as \"https://app.example.com\", without user, query or fragment");
        return None;
    };
    let local = ["127.0.0.1", "localhost", "[::1]"].contains(&uri.host().unwrap_or_default());
    if uri.scheme_str() == Some("http") && !local {
        notices.warn("ORIGIN", "http, so identities and tokens travel in the open: write https");
    }
    Some(draft.origin.trim_end_matches('/').to_owned())
}
