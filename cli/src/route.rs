//! `tollgate route`: shows how the gate decides a request. The gate itself decides; this file describes the decision.

use crate::{
    clock,
    failure::{Exit, Failure},
    output::Output,
    prompt, secret, token,
    wrangler_config::{PEPPERS, Selection, View, WranglerConfig},
};
use futures_util::FutureExt;
use serde_json::{Map, Value, json};
use std::{borrow::Cow, cell::RefCell};
use tollgate::{
    Credentials, Host, Unavailable, Users, UsersError, VerifiedToken,
    host::{BodyError, BodyUse, Fetch, FetchError, Fetched, Limit},
    rules::{
        account::{self, Lifetimes, Reply},
        assertion::ASSERTION_HEADER,
        config::Loaded,
        forward::{self, Filter},
        gate::{Authorized, Continuation, Decided, Decision, Gate, TokenSpec},
        hooks::{DefaultHandlers, Handlers},
        identity::{Id, Identity},
        ids::ObjectName,
        origin::{FORWARDED_PREFIX_HEADER, UNNAMED},
        password::{HashJob, Hashed},
        rejection::{
            CredentialRejection, InternalRejection, PathFault, PermissionRejection, Rejection, RouteRejection,
            TokenRejection,
        },
        request::{Headers, Request},
        revocation::Delta,
        route::{Auth, Endpoint, Found, Rule, Target, UserFrom, lenient_path},
        store::Profile,
        time::{Duration, Timestamp},
        token::{Verifier, sign},
    },
};

#[derive(clap::Subcommand)]
pub enum Command {
    /// Show which rule applies to a request, whether it passes, and what the origin receives
    ///
    /// Sends nothing. Without a token it also shows the decision for a valid one. Exit code 0 if the request passes or
    /// is answered, 1 if it is rejected.
    #[command(
        after_help = "Examples:\n  tollgate route test GET /api/orders\n  tollgate route test GET '/api/orders?page=2' --header 'Cookie: a=b' --json\n  tollgate token mint --id 7 | tollgate route test GET /api/orders --token-stdin"
    )]
    Test {
        /// HTTP method
        method: String,
        /// Path with optional query: '/api/orders?page=2'
        path: String,
        /// Read a token from standard input and add it as a client would
        #[arg(long)]
        token_stdin: bool,
        /// Add a valid token with these claims, as JSON: '{"role":"user"}'
        #[arg(long, value_name = "JSON", value_parser = token::claims, conflicts_with = "token_stdin")]
        claims: Option<Map<String, Value>>,
        /// Request header; can be repeated
        #[arg(long = "header", value_name = "NAME: VALUE", value_parser = header)]
        headers: Vec<(String, String)>,
        #[command(flatten)]
        selection: Selection,
    },
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').filter(|(name, _)| !name.is_empty()).ok_or("write 'Name: value'")?;
    Ok((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
}

/// What the answer to a preflight says.
const PREFLIGHT: [&str; 3] =
    ["access-control-allow-origin", "access-control-allow-methods", "access-control-allow-headers"];

/// The request headers.
struct Sent(Vec<(String, String)>);

impl Headers for Sent {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        let values: Vec<&str> =
            self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect();
        (!values.is_empty()).then(|| values.join(", ").into())
    }
}

pub fn run(command: Command, output: Output) -> Result<Exit, Failure> {
    let Command::Test { method, path, token_stdin, claims, mut headers, selection } = command;
    let toml = WranglerConfig::read(&selection)?;
    let url = read_path(&path)?;
    let Loaded { config, unseen, .. } = toml.load(View::Local);
    let mut config = config.map_err(|_| {
        Failure::rejected(
            format!("{} is invalid, so the gate would answer 500 to every request", toml.path().display()),
            "`tollgate config check` lists all problems with their places",
        )
    })?;
    if let Some(key) = unseen.iter().find(|option| **option != PEPPERS) {
        if token_stdin {
            return Err(toml.unseen_key(key));
        }
        // To show the decision for a valid token.
        config.tokens = Verifier::new(token::placeholder(), config.tokens.policy().clone(), 0);
    }
    if token_stdin {
        let token = prompt::token()?;
        headers.push(config.token_field(token::bare(&token)));
    }
    let gate = Gate::new(config, DefaultHandlers);
    if let Some(claims) = &claims {
        let token = token_with(&gate, claims)?;
        headers.push(gate.config().token_field(&token));
    }
    let method = method.to_ascii_uppercase();
    let case = Case { gate: &gate, toml: &toml, method: &method, url: &url, sent: Sent(headers) };
    let mut report = case.report(&case.sent);
    if url.path() != path.split(['?', '#']).next().unwrap_or_default() {
        report.insert("path_as_read".into(), url.path().into());
    }
    // The decision for a valid token, made here.
    if is(&report, "code", "token_missing")
        && let Ok(token) = token_with(&gate, &Map::new())
    {
        let mut with = case.sent.0.clone();
        with.push(gate.config().token_field(&token));
        let mut good = case.report(&Sent(with));
        for member in ["method", "path", "rule", "pages"] {
            good.shift_remove(member);
        }
        if let Some(set) = good.get_mut("sends").and_then(|sends| sends.get_mut("set")) {
            set[forward::SUBJECT_HEADER] = "<the user's id>".into();
            set[forward::CLAIMS_HEADER] = "<the token's claims>".into();
        }
        if is(&good, "result", "answered") {
            good.insert("answer".into(), "{\"identity\":<the user's id>}".into());
        }
        report.insert("with_a_good_token".into(), good.into());
    }
    let is_rejected = is(&report, "result", "refused");
    output.result(&as_text(&report), &report.into());
    Ok(if is_rejected { Exit::Rejected } else { Exit::Success })
}

fn is(report: &Map<String, Value>, member: &str, value: &str) -> bool {
    report.get(member).and_then(Value::as_str) == Some(value)
}

/// A valid token of a user, with more claims. Claims that the dialect sets can be replaced by those given.
fn token_with(gate: &Gate, claims: &Map<String, Value>) -> Result<String, Failure> {
    let (config, now) = (gate.config(), clock::now());
    let identity = Identity::new(Id::Text("<the user's id>".into()));
    let no_token =
        |_| Failure::rejected("no token can be made with this configuration", "`tollgate config check` says why");
    if config.flask_jwt_extended().is_some() {
        let spec = TokenSpec { claims: claims.clone(), ..TokenSpec::default() };
        let (token, _) = gate.create_token(&identity, spec, &secret::random()?, now).map_err(no_token)?;
        return Ok(token);
    }
    let key = config.tokens.keys().signing();
    let key = key.ok_or(Rejection::Internal(InternalRejection::Misconfigured)).map_err(no_token)?;
    let mut all = DefaultHandlers.payload(&identity, config, now);
    all.extend(claims.clone());
    Ok(sign(key, &Map::new(), &all))
}

/// The path as the runtime passes it to the gate (WHATWG URL): dot segments are resolved, backslashes become slashes.
fn read_path(path: &str) -> Result<url::Url, Failure> {
    let hint = "write it as a client would: /api/orders?page=2";
    if !path.starts_with('/') {
        return Err(Failure::usage("the path does not begin with /", hint));
    }
    url::Url::parse(&format!("https://gate.invalid{path}"))
        .map_err(|error| Failure::usage(format!("the path can't be part of a URL: {error}"), hint))
}

/// A host where nothing is revoked, every session is alive and every user exists. Calls that a real host would pass on
/// to the account or the store are noted in the report.
struct StubHost {
    report: RefCell<Map<String, Value>>,
}

impl Host for StubHost {
    fn now(&self) -> Timestamp {
        clock::now()
    }

    /// Not called: only the endpoints draw random bytes, and they are answered before.
    fn random(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }

    async fn read_body(&self, _: BodyUse, _: usize) -> Result<Vec<u8>, BodyError> {
        Err(BodyError::Interrupted)
    }

    async fn within_limit(&self, limit: Limit<'_>, key: &str) -> bool {
        if let Limit::Requests(limiter) = limit {
            let what = format!("the limiter {limiter} counts it as {key}: beyond its limit 429");
            self.report.borrow_mut().insert("rate".into(), what.into());
        }
        true
    }

    async fn account(&self, _: &ObjectName, _: account::Command, _: &Lifetimes) -> Result<Reply, Unavailable> {
        let what = "the account's object whether the session is alive";
        self.report.borrow_mut().insert("asks".into(), what.into());
        Ok(Reply::Alive)
    }

    async fn revocations(&self, since: u64) -> Result<Delta, Unavailable> {
        Ok(Delta { as_of: clock::now(), since, number: since, entries: Vec::new() })
    }

    async fn hash_password(&self, _: HashJob) -> Result<Hashed, Unavailable> {
        Err(Unavailable)
    }

    async fn fetch(&self, _: Fetch) -> Result<Fetched, FetchError> {
        Err(FetchError::Unreachable)
    }

    async fn sleep(&self, _: Duration) {}
}

impl Users for StubHost {
    async fn authenticate(&self, _: &Credentials) -> Result<Option<Identity>, UsersError> {
        Ok(None)
    }

    async fn identity(&self, token: &VerifiedToken) -> Result<Option<Identity>, UsersError> {
        let id = token.identity();
        if let Some(id) = &id {
            let key = format!("{}, which must exist and be active", Profile::key(id));
            self.report.borrow_mut().insert("reads_from_store".into(), key.into());
        }
        Ok(id.map(Identity::new))
    }
}

struct Case<'c> {
    gate: &'c Gate,
    toml: &'c WranglerConfig,
    method: &'c str,
    url: &'c url::Url,
    sent: Sent,
}

impl Case<'_> {
    fn report(&self, sent: &Sent) -> Map<String, Value> {
        let mut report = Map::new();
        report.insert("method".into(), self.method.into());
        report.insert("path".into(), path_and_query(self.url).into());
        let site = self.url.origin().ascii_serialization();
        let request =
            Request { method: self.method, site: &site, path: self.url.path(), query: self.url.query(), headers: sent };
        if let Some(cors) = self.gate.cors(&request) {
            let is_allowed = cors.iter().any(|(name, _)| name == "access-control-allow-origin");
            let pages = match sent.get("origin") {
                Some(origin) if is_allowed => format!("those of {origin} may read the answer"),
                Some(origin) => format!("those of {origin} may not read the answer: origins does not list it"),
                None => "of other origins may read the answer if origins lists them: add --header 'Origin: …'".into(),
            };
            report.insert("pages".into(), pages.into());
        }
        let found = self.gate.config().routes.find(self.method, self.url.path());
        match &found {
            Ok(Found::Rule(rule)) => report.insert("rule".into(), self.rule(rule)),
            Ok(Found::Endpoint(endpoint)) => {
                let what = match endpoint {
                    Endpoint::Login => "it expects name and password as JSON, and no token",
                    Endpoint::Refresh => "it expects a refresh token, and answers with an access token",
                    Endpoint::Logout => "it ends the token's session and removes the cookies",
                    Endpoint::Sessions => "it lists a user's sessions, and expects a token",
                    Endpoint::Session => "it ends one of a user's sessions, and expects a token",
                    Endpoint::LogoutAll => "it ends all of a user's sessions, and expects a token",
                    Endpoint::Password => "it changes a user's password, and expects a token",
                    Endpoint::Admin => "it takes an operator's commands, and expects TOLLGATE_ADMIN_SECRET",
                    Endpoint::Keys => "it publishes the public keys, and expects no token",
                    Endpoint::AssertionKeys => "it publishes the public keys of assertions, and expects no token",
                };
                report.insert("result".into(), endpoint.name().into());
                let why = format!("this is the {} endpoint ({}): {what}", endpoint.name(), endpoint.option());
                report.insert("why".into(), why.into());
                return report;
            }
            Ok(Found::Options(_)) | Err(_) => None,
        };
        let decision = match self.gate.decide(&request, clock::now()) {
            Decided::Now(decision) => decision,
            Decided::Later(Continuation::Rule(waiting)) if waiting.reads_body() => {
                report.insert("result".into(), "undecided".into());
                report.insert(
                    "why".into(),
                    "the token or its CSRF value may be in the body, which this command does not have".into(),
                );
                return report;
            }
            Decided::Later(continuation) => {
                let host = StubHost { report: RefCell::new(report) };
                let decision = self.gate.resume(continuation, &host, &host).now_or_never();
                report = host.report.into_inner();
                decision.expect("no call of the stub waits")
            }
        };
        match decision {
            Decision::Reject(rejected) => {
                let answer = self.gate.answer(&rejected.rejection);
                report.insert("result".into(), "refused".into());
                report.insert("status".into(), answer.status.into());
                report.insert("code".into(), rejected.rejection.code().into());
                let why = match (&rejected.rejection, &found, &rejected.signed) {
                    (
                        Rejection::Permission(PermissionRejection::InsufficientPermissions),
                        Ok(Found::Rule(rule)),
                        Some(token),
                    ) => {
                        let failures = rule.require.iter().flat_map(|require| require.failures(&token.claims()));
                        format!("require: {}", failures.collect::<Vec<_>>().join("; or "))
                    }
                    _ => self.explain(&rejected.rejection),
                };
                report.insert("why".into(), why.into());
                for name in ["www-authenticate", "allow", "location"] {
                    if let Some(value) = answer.header(name) {
                        report.insert(name.into(), value.into());
                    }
                }
            }
            Decision::Answer(answered) => {
                report.insert("result".into(), "answered".into());
                report.insert("status".into(), answered.answer.status.into());
                if let Some(allow) = answered.answer.header("allow") {
                    report.insert(
                        "why".into(),
                        "the gate answers OPTIONS itself, since no rule for the path lists it".into(),
                    );
                    report.insert("allow".into(), allow.into());
                } else if self.method == "OPTIONS" {
                    report.insert("why".into(), "a page's preflight: the gate answers it itself (cors)".into());
                    for name in PREFLIGHT {
                        let value = answered.answer.header(name).unwrap_or("none: origins does not list the page");
                        report.insert(name.into(), value.into());
                    }
                }
            }
            Decision::Identity(authorized) => {
                let answer = self.gate.identity(&authorized);
                report.insert("result".into(), "answered".into());
                report.insert("status".into(), answer.status.into());
                report.insert("why".into(), "to = \"identity\": the gate answers with the identity".into());
                report.insert("answer".into(), answer.body.trim_end().into());
            }
            Decision::Assets(authorized) => self.add_pass(&authorized, "to the static files", None, sent, &mut report),
            Decision::Inner(authorized) => {
                self.add_pass(&authorized, "to the worker behind the gate", None, sent, &mut report)
            }
            Decision::Forward(authorized) => {
                self.add_pass(
                    &authorized,
                    &destination(authorized.rule()),
                    Some(self.target(&authorized)),
                    sent,
                    &mut report,
                );
            }
        }
        report
    }

    /// The URL that the request is forwarded to.
    fn target(&self, authorized: &Authorized<'_>) -> String {
        let config = self.gate.config();
        let own = config.public_url.as_deref().unwrap_or("<the client's scheme and host>");
        let path = path_and_query(self.url);
        let forwarding = authorized.rule().forwarding();
        let origin = forwarding.and_then(|forwarding| Some((config.origin(forwarding)?, forwarding)));
        origin.map_or(path.clone(), |(origin, forwarding)| origin.url(own, forwarding, &path))
    }

    /// Why the request is rejected, for an operator: more detailed than the answer to a client.
    fn explain(&self, rejection: &Rejection) -> String {
        match rejection {
            Rejection::Route(RouteRejection::NotFound) => {
                "no rule in ROUTES matches this path (case and a final slash matter)".into()
            }
            Rejection::Route(RouteRejection::MethodNotAllowed { allow }) => {
                let method = allow.split(',').next().unwrap_or_default();
                let who = self.what_applies(method, self.url.path());
                format!("{who} matches this path, but not this method: to let it pass, add it to methods there")
            }
            Rejection::Route(RouteRejection::MissingLastSlash { .. }) => {
                "JWT_AUTH_URL_RULE ends with a slash, so clients are redirected to it".into()
            }
            Rejection::Permission(PermissionRejection::ForbiddenPlace) => {
                "the rule's countries or addresses do not allow the request; to test one: --header 'CF-IPCountry: DE', --header 'CF-Connecting-IP: 192.0.2.7'".into()
            }
            Rejection::Credential(CredentialRejection::Missing { .. } | CredentialRejection::Nowhere(_)) => {
                "the rule requires a token, and there is none".into()
            }
            Rejection::Route(RouteRejection::AmbiguousPath(PathFault::OtherRuleInAnotherReading)) => {
                let normalized = lenient_path(self.url.path()).unwrap_or_default();
                format!(
                    "read without case, ; parameters or final slash it is {normalized}, where {} applies: to allow this path, write a rule for exactly this path",
                    self.what_applies(self.method, &normalized)
                )
            }
            Rejection::Route(RouteRejection::AmbiguousPath(_)) => {
                format!("{}; gate and origin might interpret it differently", token::client_text(rejection))
            }
            Rejection::Credential(CredentialRejection::UnsupportedScheme) => {
                "the first word of Authorization is not JWT_AUTH_HEADER_PREFIX".into()
            }
            Rejection::Credential(CredentialRejection::MissingAfterScheme) => "no token after the scheme".into(),
            Rejection::Credential(CredentialRejection::ContainsSpaces) => "more than one word after the scheme".into(),
            Rejection::Token(rejection) => {
                let no_key = (*rejection == TokenRejection::AlgorithmNotAllowed).then(|| self.why_no_key()).flatten();
                no_key.unwrap_or_else(|| token::why(rejection))
            }
            _ => token::client_text(rejection),
        }
    }

    /// Why no key fits the token in the header, as `token inspect --verify` prints it.
    fn why_no_key(&self) -> Option<String> {
        let sent = self.sent.get(&self.gate.config().token_header())?;
        token::why_no_key_of(self.gate.config().tokens.keys(), token::bare(&sent), clock::now())
    }

    /// What applies to a path: a rule with its place, an endpoint, or another rule or none.
    fn what_applies(&self, method: &str, path: &str) -> String {
        match self.gate.config().routes.find(method, path) {
            Ok(Found::Rule(rule)) => {
                let option = format!("ROUTES[{}]", rule.index);
                format!("{option} ({}:{})", self.toml.path().display(), self.toml.place_of(&option).line)
            }
            Ok(Found::Endpoint(endpoint)) => format!("the {} endpoint ({})", endpoint.name(), endpoint.option()),
            Ok(Found::Options(_)) | Err(_) => "another rule or none".into(),
        }
    }

    fn rule(&self, rule: &Rule) -> Value {
        let place = self.toml.place_of(&format!("ROUTES[{}]", rule.index));
        json!({
            "option": format!("ROUTES[{}]", rule.index),
            "file": place.file.to_string_lossy(),
            "line": place.line,
            "path": rule.path,
            "to": match &rule.to {
                Target::Identity => "identity",
                Target::Assets => "assets",
                Target::Origin(forwarding) => &forwarding.origin,
                Target::Worker => "worker",
            },
            "auth": match rule.auth {
                Auth::Required => "required",
                Auth::Optional => "optional",
                Auth::None => "none",
            },
            "user": match rule.user {
                UserFrom::Token => "token",
                UserFrom::Stored => "stored",
            },
        })
    }

    fn add_pass(
        &self,
        authorized: &Authorized<'_>,
        destination: &str,
        url: Option<String>,
        sent: &Sent,
        report: &mut Map<String, Value>,
    ) {
        let identity = authorized.principal().identity();
        let why = match (authorized.rule().auth, identity) {
            (_, Some(_)) => "the token is valid (whether it is revoked or its claims are outdated is not looked up)",
            (Auth::None, None) => "auth = \"none\": the gate does not look for a token",
            (_, None) if self.method == "OPTIONS" => "the rule lists OPTIONS, which never needs a token",
            (_, None) => "auth = \"optional\", and there is no valid token",
        };
        report.insert("result".into(), "passes".into());
        report.insert("to".into(), destination.into());
        report.insert("why".into(), why.into());
        let Some(url) = url else { return };
        let connection = sent.get("connection");
        let filter = Filter::new(authorized, connection.as_deref(), self.gate.config());
        let mut names: Vec<&str> =
            vec!["authorization", "host", "connection", forward::SUBJECT_HEADER, forward::CLAIMS_HEADER];
        names.extend(sent.0.iter().map(|(name, _)| name.as_str()));
        names.sort_unstable();
        names.dedup();
        let (withheld, goes_on): (Vec<&str>, Vec<&str>) = names.into_iter().partition(|name| filter.withholds(name));
        let mut set: Map<String, Value> = forward::identity_headers(authorized.principal(), self.gate.config())
            .into_iter()
            .map(|(name, value)| (name.into_owned(), value.into()))
            .collect();
        if let Some(forwarding) = authorized.rule().forwarding() {
            if self.gate.config().assertions.is_some() {
                let who =
                    identity.map_or_else(|| "a request without a user".into(), |identity| identity.id.to_string());
                let what = format!("<an assertion for {:?} about {who}>", forwarding.origin);
                set.insert(ASSERTION_HEADER.into(), what.into());
            }
            if !forwarding.strip.is_empty() && !filter.keeps(FORWARDED_PREFIX_HEADER) {
                set.insert(FORWARDED_PREFIX_HEADER.into(), forwarding.strip.as_str().into());
            }
            for header in self.gate.config().origin(forwarding).into_iter().flat_map(|origin| &origin.headers) {
                let secret = header.secret.as_ref().map(|name| format!("<the secret {name}>"));
                set.insert(header.name.clone(), secret.unwrap_or_else(|| header.value.expose().clone()).into());
            }
        }
        report.insert("sends".into(), json!({"url": url, "set": set, "removed": withheld, "kept": goes_on}));
    }
}

/// Where a rule forwards, in words.
fn destination(rule: &Rule) -> String {
    match rule.forwarding() {
        Some(forwarding) if forwarding.origin != UNNAMED => format!("to the origin {:?}", forwarding.origin),
        _ => "to the origin".into(),
    }
}

fn path_and_query(url: &url::Url) -> String {
    url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()))
}

/// The report as lines of text.
fn as_text(report: &Map<String, Value>) -> String {
    let text = |name: &str| report.get(name).and_then(Value::as_str).unwrap_or_default();
    let mut lines = vec![format!("{} {}", text("method"), text("path"))];
    if !text("path_as_read").is_empty() {
        lines.push(format!("read as  {} (normalized by the runtime, before the gate)", text("path_as_read")));
    }
    lines.push(match report.get("rule") {
        Some(rule) => {
            let part = |name: &str| rule[name].as_str().unwrap_or_default();
            format!(
                "rule     {} ({}:{}): path = {:?}, auth = {:?}, to = {:?}",
                part("option"),
                part("file"),
                rule["line"],
                part("path"),
                part("auth"),
                part("to")
            )
        }
        None => "rule     none".into(),
    });
    lines.extend(outcome(report));
    if let Some(Value::Object(good)) = report.get("with_a_good_token") {
        lines.push("with a valid token:".into());
        lines.extend(outcome(good).into_iter().map(|line| format!("  {line}")));
    }
    lines.join("\n")
}

fn outcome(report: &Map<String, Value>) -> Vec<String> {
    let text = |name: &str| report.get(name).and_then(Value::as_str).unwrap_or_default();
    let code = if text("code").is_empty() { String::new() } else { format!(" ({})", text("code")) };
    let status = report.get("status").map_or_else(String::new, |status| format!(" {status}"));
    let destination = if text("to").is_empty() { String::new() } else { format!(" {}", text("to")) };
    let mut lines =
        vec![format!("result   {}{destination}{status}{code}", text("result")), format!("why      {}", text("why"))];
    for name in ["www-authenticate", "allow", "location"].into_iter().chain(PREFLIGHT) {
        if !text(name).is_empty() {
            lines.push(format!("header   {name}: {}", text(name)));
        }
    }
    for name in ["rate", "asks"] {
        if !text(name).is_empty() {
            lines.push(format!("{name:<8} {}", text(name)));
        }
    }
    if !text("pages").is_empty() {
        lines.push(format!("pages    {}", text("pages")));
    }
    if !text("answer").is_empty() {
        lines.push(format!("answer   {}", text("answer")));
    }
    if !text("reads_from_store").is_empty() {
        lines.push(format!("store    {}", text("reads_from_store")));
    }
    if let Some(sends) = report.get("sends") {
        lines.push(format!("sends    {}", sends["url"].as_str().unwrap_or_default()));
        for (name, value) in sends["set"].as_object().into_iter().flatten() {
            lines.push(format!("set      {name}: {}", value.as_str().unwrap_or_default()));
        }
        for member in ["removed", "kept"] {
            let names: Vec<&str> = sends[member].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let all = if member == "removed" {
                " (and every x-auth-… and hop-by-hop header)"
            } else {
                " (and every other header)"
            };
            lines.push(format!("{member:<8} {}{all}", names.join(", ")));
        }
    }
    lines
}
