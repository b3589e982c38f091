//! The gate's endpoints and sessions over a host in memory, which records every call.

mod attributes;
mod question;

use super::{Authorized, Continuation, Decided, Decision, Gate};
use crate::{
    host::{BodyError, BodyUse, Fetch, FetchError, Fetched, Host, Limit, Unavailable},
    rules::{
        account::{Bucket, Command, Context, Lifetimes, PasswordChange, Reply, Rows, object},
        answer::Answer,
        config::{Bindings, Config, Environment, Location, Secrets},
        device::RecordId,
        hooks::{DefaultHandlers, Handlers, Hooks, Loaders, TokenParts},
        identity::{Attributes, Id, Identity},
        ids::ObjectName,
        json::{Map, Value, json},
        login::{Credentials, MAX_BODY_BYTES},
        password::{HashJob, Hashed},
        rejection::{PermissionRejection, Rejection},
        request::{Headers, Request},
        revocation::{Delta, RevocationLog},
        secret::Secret,
        time::{Duration, Timestamp},
        token::{self, MAX_TOKEN_BYTES, TokenSpec, VerifiedToken},
    },
    users::{Users, UsersError},
};
use futures_util::FutureExt;
use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
    collections::HashMap,
};

const NOW: i64 = 1_800_000_000;
/// A password that the policy accepts.
const NEW: &str = "a new password of many words";

/// The surroundings of a gate: objects, the revocation log, one user, and a clock.
struct World {
    gate: Gate,
    now: Timestamp,
    objects: HashMap<ObjectName, Rows>,
    register: RevocationLog,
    register_answers: bool,
    accounts_answer: bool,
    /// The limit that is used up, for keys with this prefix.
    full: Option<(Limit<'static>, &'static str)>,
    password: &'static str,
    version: i64,
    /// The user's, null if there is none, and their version in milliseconds.
    attributes: Value,
    attributes_version: i64,
    asked: Vec<String>,
    count: u8,
    /// The number of the host call that fails, counted from 0.
    fails: Option<(usize, Failure)>,
    /// The number of host calls of the last request that can fail.
    calls: usize,
}

/// When a call fails.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Failure {
    /// Before the work is done.
    Before,
    /// After the work is done: the answer is lost.
    After,
}

/// The host of one request, on borrowed surroundings.
struct Outside {
    now: Timestamp,
    body: Vec<u8>,
    objects: RefCell<HashMap<ObjectName, Rows>>,
    register: RefCell<RevocationLog>,
    asked: RefCell<Vec<String>>,
    draws: Cell<u8>,
    calls: Cell<usize>,
    fails: Option<(usize, Failure)>,
    register_answers: bool,
    accounts_answer: bool,
    full: Option<(Limit<'static>, &'static str)>,
    password: &'static str,
    version: i64,
    attributes: Value,
    attributes_version: i64,
}

impl Outside {
    /// Counts a call that can fail. Returns when it fails, if it does.
    fn failure(&self) -> Option<Failure> {
        let number = self.calls.replace(self.calls.get() + 1);
        self.fails.filter(|(call, _)| *call == number).map(|(_, failure)| failure)
    }

    fn user(&self, id: Id) -> Option<Identity> {
        let (values, version) = (self.attributes.as_object()?.clone(), self.attributes_version);
        Some(Identity::new(id).with_attributes(Attributes { values, version: Timestamp::from_millis(version) }))
    }

    fn note(&self, asked: impl Into<String>) {
        self.asked.borrow_mut().push(asked.into());
    }
}

impl Host for Outside {
    fn now(&self) -> Timestamp {
        self.now
    }

    fn random(&self, bytes: &mut [u8]) {
        self.draws.set(self.draws.get() + 1);
        bytes.fill(self.draws.get());
    }

    async fn read_body(&self, _: BodyUse, _: usize) -> Result<Vec<u8>, BodyError> {
        if self.failure().is_some() { Err(BodyError::Interrupted) } else { Ok(self.body.clone()) }
    }

    async fn within_limit(&self, limit: Limit<'_>, key: &str) -> bool {
        self.note(format!("limit {limit:?} {key}"));
        !self.full.is_some_and(|(full, start)| limit == full && key.starts_with(start))
    }

    async fn account(
        &self,
        object: &ObjectName,
        command: Command,
        lifetimes: &Lifetimes,
    ) -> Result<Reply, Unavailable> {
        let (kind, _) = object.as_str().split_once(':').unwrap_or((object.as_str(), ""));
        let word = serde_json::to_value(&command).unwrap();
        let word = word.as_str().or_else(|| Some(word.as_object()?.keys().next()?.as_str())).unwrap();
        self.note(format!("{kind} {word}"));
        let failure = self.failure();
        if !self.accounts_answer || failure == Some(Failure::Before) {
            return Err(Unavailable);
        }
        let mut objects = self.objects.borrow_mut();
        let rows = objects.entry(object.clone()).or_default();
        let step = object::step(rows, None, command, &Context::new(object, lifetimes, self.now)).unwrap();
        for (key, value) in step.changes {
            match value {
                Some(value) => rows.insert(key, value),
                None => rows.remove(&key),
            };
        }
        for entry in step.announcements {
            self.register.borrow_mut().revoke(entry, self.now);
        }
        if failure.is_some() { Err(Unavailable) } else { Ok(step.reply) }
    }

    async fn revocations(&self, since: u64) -> Result<Delta, Unavailable> {
        self.note("register");
        if self.failure().is_some() || !self.register_answers {
            return Err(Unavailable);
        }
        Ok(self.register.borrow().since(since, self.now))
    }

    async fn hash_password(&self, job: HashJob) -> Result<Hashed, Unavailable> {
        Ok(job.run())
    }

    async fn fetch(&self, _: Fetch) -> Result<Fetched, FetchError> {
        Err(FetchError::Unreachable)
    }

    async fn sleep(&self, _: Duration) {
        self.note("pause");
    }
}

impl Users for Outside {
    async fn authenticate(&self, credentials: &Credentials) -> Result<Option<Identity>, UsersError> {
        self.note("hash");
        if self.failure().is_some() {
            return Err(UsersError::Unavailable);
        }
        let user = self.user(Id::Int(1)).filter(|_| credentials.password.expose() == self.password);
        Ok(user.map(|user| Identity { version: Timestamp::from_millis(self.version), ..user }))
    }

    async fn identity(&self, token: &VerifiedToken) -> Result<Option<Identity>, UsersError> {
        if self.failure().is_some() {
            Err(UsersError::Unavailable)
        } else {
            Ok(token.identity().and_then(|id| self.user(id)))
        }
    }

    async fn set_password(
        &self,
        _: &VerifiedToken,
        old: Option<&Secret<String>>,
        _: &Secret<String>,
    ) -> Result<PasswordChange, UsersError> {
        if self.failure().is_some() {
            return Err(UsersError::Unavailable);
        }
        if old.is_some_and(|old| old.expose() != self.password) {
            return Ok(PasswordChange::Wrong);
        }
        let proven = Timestamp::from_millis(self.version);
        Ok(PasswordChange::Prepared { proven, key: "login:ann".into(), record: Map::new() })
    }
}

struct Sent(Vec<(String, String)>);

impl Headers for Sent {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.into())
    }
}

impl World {
    fn new(vars: Value, bindings: Bindings) -> Self {
        let mut all: Map<String, Value> = vars.as_object().unwrap().clone();
        all.insert("JWT_SECRET_KEY".into(), "a secret of more than thirty-two bytes".into());
        all.insert("TOLLGATE_ADMIN_SECRET".into(), "another secret of more than thirty-two bytes".into());
        all.insert("ORIGIN".into(), "http://127.0.0.1:5000".into());
        all.insert(
            "ROUTES".into(),
            json!([
                {"path": "/me", "to": "identity"},
                {"path": "/strict", "to": "identity", "revocation": "strict"},
                {"path": "/open", "to": "identity", "revocation_unknown": "open"},
                {"path": "/stored", "to": "identity", "user": "stored"},
                {"path": "/events", "to": "origin"},
                {"path": "/brief", "to": "origin", "close_at_expiry": true},
                {"path": "/public", "to": "origin", "auth": "none"},
                {"path": "/counted", "to": "identity", "rate": "REPORTS"},
                {"path": "/counted/by-all", "to": "identity", "auth": "optional", "rate": "REPORTS", "methods": ["GET", "OPTIONS"]},
                {"path": "/counted/strict", "to": "identity", "revocation": "strict", "rate": "REPORTS"},
                {"path": "/office", "to": "identity", "addresses": ["192.0.2.0/24"]},
                {"path": "/de", "to": "identity", "countries": ["DE"]},
            ]),
        );
        if all.get("TOLLGATE_WIRE").is_some() {
            all["ROUTES"].as_array_mut().unwrap().extend([
                json!({"path": "/refreshing", "to": "identity", "refresh": true}),
                json!({"path": "/admin", "to": "identity", "require": {"role": "admin"}}),
                json!({"path": "/fresh", "to": "identity", "fresh": true}),
                json!({"path": "/stored-admin", "to": "identity", "user": "stored", "require": {"role": "admin"}}),
            ]);
        }
        let environment = Environment {
            vars: &all,
            bindings,
            secrets_store: &[],
            secrets: Secrets::Visible,
            serves_inner: None,
            has_binding: &|_| true,
            has_limiter: &|_| true,
        };
        Self {
            gate: Gate::new(Config::read_from(environment).config.unwrap(), DefaultHandlers),
            now: Timestamp::from_seconds(NOW),
            objects: HashMap::new(),
            register: RevocationLog::default(),
            register_answers: true,
            accounts_answer: true,
            full: None,
            password: "right",
            version: 0,
            attributes: json!({}),
            attributes_version: 0,
            asked: Vec::new(),
            count: 0,
            fails: None,
            calls: 0,
        }
    }

    fn flask_jwt_extended() -> Self {
        Self::new(json!({"TOLLGATE_WIRE": "flask-jwt-extended"}), ALL)
    }

    fn wait(&mut self, seconds: i32) {
        self.now = self.now.later(Duration::seconds(seconds));
    }

    /// Sends a request. Returns status and body; `asked` has the host calls.
    fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: Value) -> (u16, Value) {
        let answer = self.answer(method, path, headers, body);
        (answer.status, serde_json::from_str(&answer.body).unwrap_or_default())
    }

    fn answer(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: Value) -> Answer {
        let mut sent: Vec<_> = headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        sent.push(("content-type".into(), "application/json".into()));
        let sent = Sent(sent);
        let request = Request { method, site: "https://app.example", path, query: None, headers: &sent };
        let outside = self.outside(&body);
        let decision = match self.gate.decide(&request, self.now) {
            Decided::Now(decision) => decision,
            Decided::Later(continuation) => {
                let resumed = self.gate.resume(continuation, &outside, &outside);
                resumed.now_or_never().expect("this host never waits")
            }
        };
        let answer = match decision {
            Decision::Reject(rejected) => self.gate.answer_to(&rejected),
            Decision::Answer(answered) => answered.answer,
            Decision::Identity(authorized) => self.gate.identity(&authorized),
            _ => panic!("elsewhere"),
        };
        self.take_back(outside);
        answer
    }

    fn outside(&mut self, body: &Value) -> Outside {
        self.asked.clear();
        Outside {
            now: self.now,
            body: body.to_string().into_bytes(),
            objects: RefCell::new(std::mem::take(&mut self.objects)),
            register: RefCell::new(std::mem::take(&mut self.register)),
            asked: RefCell::default(),
            draws: Cell::new(self.count),
            calls: Cell::new(0),
            fails: self.fails,
            register_answers: self.register_answers,
            accounts_answer: self.accounts_answer,
            full: self.full,
            password: self.password,
            version: self.version,
            attributes: self.attributes.clone(),
            attributes_version: self.attributes_version,
        }
    }

    fn take_back(&mut self, outside: Outside) {
        self.objects = outside.objects.into_inner();
        self.register = outside.register.into_inner();
        self.asked = outside.asked.into_inner();
        self.count = outside.draws.get();
        self.calls = outside.calls.get();
    }

    fn login(&mut self, password: &str) -> (u16, Value) {
        self.send("POST", "/auth", &[], json!({"username": "ann", "password": password}))
    }

    fn tokens(&mut self) -> (String, String) {
        let (status, body) = self.login(self.password);
        assert_eq!(status, 200, "{body}");
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        (text("access_token"), text("refresh_token"))
    }

    fn with(&mut self, token: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
        let scheme = if self.gate.config.flask_jwt_extended().is_some() { "Bearer" } else { "JWT" };
        self.send(method, path, &[("authorization", &format!("{scheme} {token}"))], body)
    }

    fn status(&mut self, token: &str, path: &str) -> u16 {
        self.with(token, "GET", path, Value::Null).0
    }

    fn refresh(&mut self, token: &str) -> Option<(String, String)> {
        let (status, body) = self.with(token, "POST", "/auth/refresh", Value::Null);
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        (status == 200).then(|| (text("access_token"), text("refresh_token")))
    }
}

const ALL: Bindings = Bindings { sessions: true, address_limit: true, hashing_limit: true };

#[test]
fn limits_come_before_the_hash_in_this_order() {
    let mut world = World::flask_jwt_extended();
    let from = [("cf-connecting-ip", "192.0.2.7")];
    let body = json!({"username": "ann", "password": "right"});
    assert_eq!(world.send("POST", "/auth", &from, body.clone()).0, 200);
    let before = ["limit Address 192.0.2.7", "address check-address", "name try"];
    let whole = [&before[..], &["limit Hashing strangers", "hash", "user open", "name right"]].concat();
    assert_eq!(world.asked, whole);
    assert_eq!(world.send("POST", "/auth", &from, body.clone()).0, 200);
    let user = format!("limit Address user:{}", RecordId::of_name("ann").as_str());
    assert_eq!(world.asked[3..5], [user.as_str(), "limit Hashing known"], "its address is known by now");
    for (full, asked) in [
        ((Limit::Address, "192.0.2.7"), before[..1].to_vec()),
        ((Limit::Address, "user:"), [&before[..], &[&user, "name untried"]].concat()),
        ((Limit::Hashing, "known"), [&before[..], &[&user, "limit Hashing known", "name untried"]].concat()),
    ] {
        world.full = Some(full);
        let answer = world.answer("POST", "/auth", &from, body.clone());
        assert_eq!((answer.status, answer.header("retry-after")), (429, Some("60")));
        assert_eq!(world.asked, asked);
    }
    world.full = None;
    let statuses: Vec<u16> = (0..8).map(|_| world.login("wrong").0).collect();
    assert_eq!(statuses, [401, 401, 401, 401, 401, 429, 429, 429]);
    assert_eq!(world.asked, ["name try"], "without an address, and without a hash");
    assert_eq!(world.send("POST", "/auth", &from, body).0, 200, "the owner");
}

#[test]
fn addresses_count_as_their_owners_have_them() {
    for (address, key) in [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
    ] {
        let mut world = World::flask_jwt_extended();
        world.send("POST", "/auth", &[("cf-connecting-ip", address)], json!({"username": "ann", "password": "x"}));
        assert_eq!(world.asked[0], format!("limit Address {key}"));
    }
    for address in ["", "x", "192.0.2", "127.0.0.1", "::1"] {
        let mut world = World::flask_jwt_extended();
        world.send("POST", "/auth", &[("cf-connecting-ip", address)], json!({"username": "ann", "password": "x"}));
        assert_eq!(world.asked[0], "name try", "{address:?}");
    }
}

#[test]
fn only_a_browser_gets_a_cookie_and_only_once() {
    let mut world = World::flask_jwt_extended();
    let body = json!({"username": "ann", "password": "right"});
    let cookie = |answer: &Answer| answer.header("set-cookie").map(str::to_owned);
    assert_eq!(cookie(&world.answer("POST", "/auth", &[], body.clone())), None);
    let browser = [("sec-fetch-site", "same-origin"), ("cf-visitor", "{\"scheme\":\"https\"}")];
    let set = cookie(&world.answer("POST", "/auth", &browser, body.clone())).unwrap();
    assert!(set.ends_with("; Max-Age=7776000; Secure; HttpOnly; Path=/auth; SameSite=Strict"), "{set}");
    let own = set.split(';').next().unwrap().to_owned();
    let again = [("sec-fetch-site", "same-origin"), ("cookie", own.as_str())];
    assert_eq!(cookie(&world.answer("POST", "/auth", &again, body.clone())), None);
    assert_eq!(world.asked[2], "limit Hashing known");
    // A device that logs in now and then stays known.
    let mut own = own;
    for _ in 0..6 {
        world.wait(50 * 86_400);
        let again = [("sec-fetch-site", "same-origin"), ("cookie", own.as_str())];
        let answer = world.answer("POST", "/auth", &again, body.clone());
        assert_eq!(world.asked[2], "limit Hashing known");
        own = cookie_of(&answer);
    }
}

#[test]
fn a_good_token_asks_nobody_until_the_snapshot_is_old() {
    let mut world = World::flask_jwt_extended();
    let (access, _) = world.tokens();
    assert_eq!(world.status(&access, "/me"), 200);
    assert_eq!(world.asked, ["register"], "the first of all");
    world.wait(10);
    assert_eq!((world.status(&access, "/me"), world.asked.len()), (200, 0));
    assert!(world.gate.is_refresh_due(world.now), "behind an answer");
    world.wait(1);
    assert_eq!(world.status(&access, "/me"), 200);
    assert_eq!(world.asked, ["register"]);
    world.register_answers = false;
    world.wait(11);
    assert_eq!([world.status(&access, "/me"), world.status(&access, "/open")], [503, 200]);
    assert_eq!(world.status(&access, "/strict"), 503, "an end of everybody is in the register alone");
    world.register_answers = true;
    assert_eq!(world.status(&access, "/strict"), 200);
    assert_eq!(world.asked, ["register", "user check"]);
}

#[test]
fn memory_alone_decides_for_whom_a_good_token_is_let_through() {
    let mut world = World::flask_jwt_extended();
    let (access, _) = world.tokens();
    assert_eq!(world.status(&access, "/me"), 200, "the snapshot is read");
    let authorized = world.decide_from_memory(&access, "/me");
    let principal = authorized.principal();
    assert_eq!(principal.identity().map(|identity| &identity.id), Some(&Id::Text("1".into())));
    assert_eq!(principal.location(), Some(Location::Headers));
    let token = world.gate.config.tokens.verify(&access, world.now).unwrap();
    assert_eq!(principal.token().and_then(|token| token.token_id()), token.token_id());
    let authorized = world.decide_from_memory(&access, "/public");
    let open = authorized.principal();
    assert!(open.identity().is_none() && open.location().is_none() && open.token().is_none());
}

#[test]
fn the_gate_says_who_the_caller_is() {
    for (vars, body) in [
        (json!({}), json!({"identity": 1})),
        (json!({"TOLLGATE_WIRE": "flask-jwt-extended"}), json!({"logged_in_as": "1"})),
    ] {
        let mut world = World::new(vars, ALL);
        let (access, _) = world.tokens();
        assert_eq!(world.with(&access, "GET", "/me", Value::Null), (200, body));
    }
}

#[test]
fn a_body_that_is_declared_too_long_is_not_read() {
    let long = |bytes: usize| bytes.to_string();
    let body = json!({"username": "ann", "password": "right"});
    for (length, status) in [
        (long(MAX_BODY_BYTES), 200),
        (format!(" {} ", MAX_BODY_BYTES + 1), 413),
        (long(usize::MAX), 413),
        ("99999999999999999999999".into(), 413),
        // No number: the host counts what it reads.
        ("-1".into(), 200),
        (String::new(), 200),
    ] {
        let mut world = World::flask_jwt_extended();
        let answer = world.answer("POST", "/auth", &[("content-length", &length)], body.clone());
        assert_eq!((answer.status, world.asked.is_empty()), (status, status == 413), "{length:?}");
    }
    let vars =
        json!({"TOLLGATE_WIRE": "flask-jwt-extended", "JWT_TOKEN_LOCATION": "json", "TOLLGATE_TOKEN_BODY_LIMIT": 1024});
    for (length, status) in [(1024, 200), (1025, 413)] {
        let mut world = World::new(vars.clone(), ALL);
        let body = json!({"access_token": world.access_token()});
        let answer = world.answer("POST", "/auth/logout/all", &[("content-length", &long(length))], body);
        assert_eq!(answer.status, status, "{}", answer.body);
    }
}

#[test]
fn a_connection_is_closed_at_its_tokens_expiry_where_the_rule_says_so() {
    let mut world = World::flask_jwt_extended();
    let (access, _) = world.tokens();
    assert_eq!(world.status(&access, "/me"), 200, "the snapshot is read");
    let exp = Timestamp::from_seconds(NOW + 900);
    for (path, closes) in [("/brief", Some(exp)), ("/events", None), ("/public", None)] {
        assert_eq!(world.decide_from_memory(&access, path).closes_at(), closes, "{path}");
    }
}

#[test]
fn a_decision_is_replayed_until_a_snapshot_is_due_and_while_its_token_is_good() {
    let mut world = World::flask_jwt_extended();
    let ((access, _), (other, _)) = (world.tokens(), world.tokens());
    let replayable = |world: &World, token: &str| {
        let token = world.gate.config.tokens.verify(token, world.now).unwrap();
        world.gate.replayable(&token, world.now)
    };
    assert_eq!(replayable(&world, &access), None, "no snapshot yet");
    assert_eq!(world.status(&access, "/me"), 200);
    assert!(!world.gate.is_refresh_due(world.now));
    let range = replayable(&world, &access).unwrap();
    let last = Timestamp::from_millis(range.end.as_millis() - 1);
    assert_eq!(range.start, world.now);
    assert_eq!((world.gate.is_refresh_due(last), world.gate.is_refresh_due(range.end)), (false, true));
    assert_eq!(world.logout(&other), 200);
    world.wait(11);
    assert_eq!(world.status(&other, "/me"), 401);
    assert_eq!((replayable(&world, &other), replayable(&world, &access).is_some()), (None, true));
    world.wait(888);
    assert_eq!(world.status(&access, "/me"), 200);
    assert_eq!(replayable(&world, &access), Some(world.now..Timestamp::from_seconds(NOW + 900)));
    // Without sessions nothing is revoked.
    let mut world = World::new(json!({"TOLLGATE_WIRE": "flask-jwt-extended"}), Bindings::default());
    let (access, _) = world.tokens();
    world.wait(10);
    let range = replayable(&world, &access).unwrap();
    assert_eq!(range.end, Timestamp::from_seconds(NOW + 900));
    assert!(range.contains(&world.now));
}

#[test]
fn the_log_is_asked_for_what_follows_the_last_known_entry() {
    let mut world = World::flask_jwt_extended();
    let (access, _) = world.tokens();
    assert_eq!(world.gate.known_revocations(), 0);
    assert_eq!(world.logout(&access), 200);
    let delta = world.register.since(0, world.now);
    world.gate.update_revocations(&delta, world.now);
    assert_eq!(world.gate.known_revocations(), delta.number);
    assert!(world.register.since(world.gate.known_revocations(), world.now).entries.is_empty());
}

#[test]
fn only_an_open_rule_lets_a_token_through_whose_account_is_out_of_reach() {
    let mut world = World::flask_jwt_extended();
    let endless = world.signed(&json!({"sub": "1", "jti": "endless", "iat": NOW, "type": "access"}));
    let (access, _) = world.tokens();
    assert_eq!([world.status(&endless, "/me"), world.status(&access, "/strict")], [200, 200]);
    world.accounts_answer = false;
    assert_eq!([world.status(&endless, "/me"), world.status(&access, "/strict")], [503, 503]);
    assert_eq!(world.status(&endless, "/open"), 200);
}

#[test]
fn a_rule_that_asks_for_the_stored_user_does_not_pass_without() {
    let mut world = World::flask_jwt_extended();
    let (access, _) = world.tokens();
    assert_eq!([world.status(&access, "/me"), world.status(&access, "/stored")], [200, 200]);
    world.fails = Some((0, Failure::Before));
    assert_eq!([world.status(&access, "/me"), world.status(&access, "/stored")], [200, 503]);
}

#[test]
fn a_login_waits_while_many_try_its_name_and_not_for_ever() {
    let mut world = World::flask_jwt_extended();
    let name = ObjectName::of_login_name("ann");
    world.keep_busy(&name);
    let answer = world.answer("POST", "/auth", &[], json!({"username": "ann", "password": "right"}));
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("1")));
    assert_eq!(world.asked.iter().filter(|asked| *asked == "pause").count(), 40);
    assert!(!world.asked.contains(&"hash".to_owned()));
    world.command(&name, Command::Untried { bucket: Bucket::Strangers });
    assert_eq!(world.login("right").0, 200);
    // A change of password does not wait.
    let (access, _) = world.tokens();
    let account = world.gate.account_of_user(&Id::Int(1)).0;
    world.keep_busy(&account);
    let bearer = format!("Bearer {access}");
    let wish = json!({"old_password": "right", "new_password": NEW});
    let answer = world.answer("POST", "/auth/password", &[("authorization", &bearer)], wish);
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("1")));
    assert_eq!(world.asked.last().unwrap(), "user try");
}

#[test]
fn a_logout_is_known_at_once_where_it_is_asked_for_and_everywhere_within_the_bound() {
    for flask_jwt_extended in [true, false] {
        let mut world = if flask_jwt_extended { World::flask_jwt_extended() } else { World::new(json!({}), ALL) };
        let (access, refresh) = world.tokens();
        let (other, _) = world.tokens();
        assert_eq!(world.status(&access, "/me"), 200);
        assert_eq!(
            world.with(&access, "POST", "/auth/logout", Value::Null),
            (200, json!({"msg": "logout successful"}))
        );
        assert_eq!([world.status(&access, "/strict"), world.status(&other, "/strict")], [401, 200]);
        assert_eq!(world.status(&access, "/me"), 200, "the snapshot is of before");
        if flask_jwt_extended {
            assert_eq!(world.refresh(&refresh), None);
        }
        world.wait(11);
        assert_eq!([world.status(&access, "/me"), world.status(&other, "/me")], [401, 200]);
        assert_eq!(world.with(&access, "POST", "/auth/logout", Value::Null).0, 200, "again");
        // An expired token ends its session too.
        world.wait(3600);
        assert_eq!(world.with(&other, "POST", "/auth/logout", Value::Null).0, 200);
        assert_eq!(world.asked, ["user end"]);
    }
}

#[test]
fn tokens_end_with_their_session() {
    let mut world = World::new(
        json!({"TOLLGATE_WIRE": "flask-jwt-extended", "TOLLGATE_SESSION_LIFETIME": "1h", "TOLLGATE_SESSION_IDLE": "1h"}),
        ALL,
    );
    let (_, first) = world.tokens();
    world.wait(3000);
    let (access, refresh) = world.refresh(&first).unwrap();
    for token in [&first, &access, &refresh] {
        let exp = world.gate.config.tokens.verify(token, world.now).unwrap().expires().unwrap();
        assert_eq!(exp.seconds(), NOW + 3600);
    }
    world.wait(600);
    assert_eq!(world.refresh(&refresh), None);
}

#[test]
fn a_cookie_is_renewed_only_while_its_session_goes_on() {
    let vars = json!({
        "TOLLGATE_WIRE": "flask-jwt-extended", "JWT_TOKEN_LOCATION": "cookies", "TOLLGATE_COOKIE_REFRESH_WITHIN": "10m",
    });
    let mut world = World::new(vars, ALL);
    let answer = world.answer("POST", "/auth", &[], json!({"username": "ann", "password": "right"}));
    let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    world.wait(400);
    let headers = [("cookie", cookie.as_str())];
    let renewed = world.answer("GET", "/me", &headers, Value::Null);
    assert_eq!((renewed.status, world.asked.last().map(String::as_str)), (200, Some("user check")));
    let new = renewed.header("set-cookie").unwrap().split(['=', ';']).nth(1).unwrap().to_owned();
    let sid =
        |world: &World, token: &str| world.gate.config.tokens.verify(token, world.now).unwrap().session_id().cloned();
    assert_eq!(sid(&world, &new), sid(&world, cookie.split_once('=').unwrap().1));
    let csrf_of = |world: &World, token: &str| {
        world.gate.config.tokens.verify(token, world.now).unwrap().claims()["csrf"].clone()
    };
    assert_eq!(
        csrf_of(&world, &new),
        csrf_of(&world, cookie.split_once('=').unwrap().1),
        "requests under way carry it"
    );
    // The revocation is not in the snapshot yet, but the account has it.
    let csrf = world.gate.config.tokens.verify(&new, world.now).unwrap().claims()["csrf"].as_str().unwrap().to_owned();
    let cookie_of_new = format!("access_token_cookie={new}");
    let out = [("cookie", cookie_of_new.as_str()), ("x-csrf-token", csrf.as_str())];
    assert_eq!(world.answer("POST", "/auth/logout", &out, Value::Null).status, 200);
    assert_eq!(world.answer("GET", "/me", &headers, Value::Null).status, 401);
}

#[test]
fn a_new_password_ends_all_and_an_old_record_opens_nothing() {
    let mut world = World::flask_jwt_extended();
    let (access, refresh) = world.tokens();
    let wish = |old: &str| json!({"old_password": old, "new_password": NEW});
    for _ in 0..5 {
        assert_eq!(world.with(&access, "POST", "/auth/password", wish("wrong")).0, 401);
    }
    assert_eq!(world.with(&access, "POST", "/auth/password", wish("right")).0, 429, "tries are counted");
    world.wait(2);
    let (status, body) = world.with(&access, "POST", "/auth/password", wish("right"));
    assert_eq!(status, 200, "{body}");
    assert_eq!(world.refresh(&refresh), None);
    assert_eq!(world.status(&access, "/strict"), 401);
    assert_eq!(world.status(body["access_token"].as_str().unwrap(), "/strict"), 200);
    // The store still returns the old record, and its password is right.
    assert_eq!(world.login("right").0, 401);
    world.wait(2);
    assert_eq!(world.with(body["access_token"].as_str().unwrap(), "POST", "/auth/password", wish("right")).0, 401);
    world.version = world.now.as_millis();
    assert_eq!(world.login("right").0, 200);
}

#[test]
fn an_operators_orders_need_the_secret_and_reach_the_account_that_tokens_name() {
    for flask_jwt_extended in [true, false] {
        let mut world = if flask_jwt_extended { World::flask_jwt_extended() } else { World::new(json!({}), ALL) };
        let (access, _) = world.tokens();
        let good = [("authorization", "Bearer another secret of more than thirty-two bytes")];
        for bad in ["Bearer another secret of more than thirty-two bytez", "another secret", "Bearer ", ""] {
            let order = json!({"do": "end-all", "user": 1});
            let (status, body) = world.send("POST", "/auth/admin", &[("authorization", bad)], order);
            assert_eq!(
                (status, &body["code"]),
                (401, &json!(Rejection::Permission(PermissionRejection::NotTheOperator).code()))
            );
            assert!(world.asked.is_empty());
        }
        for bad in
            [json!({}), json!({"do": "end", "user": 1}), json!({"do": "list"}), json!({"do": "list", "user": 1.5})]
        {
            assert_eq!(world.send("POST", "/auth/admin", &good, bad).0, 400);
        }
        let (_, body) = world.send("POST", "/auth/admin", &good, json!({"do": "list", "user": 1}));
        assert_eq!(body["sessions"].as_array().unwrap().len(), 1);
        assert_eq!(world.status(&access, "/strict"), 200);
        assert_eq!(world.send("POST", "/auth/admin", &good, json!({"do": "retire-password", "user": 1})).0, 200);
        assert_eq!(world.status(&access, "/strict"), 401);
        assert_eq!(world.login("right").0, 401, "not by this password");
    }
}

#[test]
fn an_operator_ends_one_session_and_reports_a_record_of_now() {
    let mut world = World::flask_jwt_extended();
    let (one, _) = world.tokens();
    let (two, _) = world.tokens();
    let good = [("authorization", "Bearer another secret of more than thirty-two bytes")];
    let order = json!({"do": "end", "user": 1, "session": world.session_of(&one)});
    assert_eq!(world.send("POST", "/auth/admin", &good, order.clone()).0, 200);
    assert_eq!([world.status(&one, "/strict"), world.status(&two, "/strict")], [401, 200]);
    assert_eq!(world.send("POST", "/auth/admin", &good, order).0, 404, "it has ended");
    // Clocks may differ by less than an hour.
    let now = world.now.as_millis();
    for (version, status) in [(now, 200), (now + 3_599_999, 200), (now + 3_600_000, 400)] {
        let order = json!({"do": "end-all", "user": 1, "version": version});
        assert_eq!(world.send("POST", "/auth/admin", &good, order).0, status, "{}", version - now);
    }
}

#[test]
fn a_user_ends_one_session_and_keeps_the_cookies_unless_it_is_their_own() {
    let vars = json!({"TOLLGATE_WIRE": "flask-jwt-extended", "JWT_TOKEN_LOCATION": ["headers", "cookies"]});
    let mut world = World::new(vars, ALL);
    let (own, other) = (world.access_token(), world.access_token());
    let bearer = format!("Bearer {own}");
    for (session, status, removes) in [
        (world.session_of(&other), 200, false),
        (world.session_of(&other), 404, false),
        ("x".into(), 404, false),
        (world.session_of(&own), 200, true),
    ] {
        assert_eq!(world.status(&own, "/strict"), 200);
        let path = format!("/auth/sessions/{session}");
        let answer = world.answer("DELETE", &path, &[("authorization", &bearer)], Value::Null);
        assert_eq!((answer.status, answer.header("set-cookie").is_some()), (status, removes), "{session}");
        assert_eq!(world.status(&other, "/strict"), 401);
    }
    assert_eq!(world.status(&own, "/strict"), 401);
}

#[test]
fn a_spent_refresh_token_and_its_session_are_answered_as_revoked() {
    let mut world = World::flask_jwt_extended();
    let (_, spent) = world.tokens();
    let (_, latest) = world.refresh(&spent).unwrap();
    world.wait(11);
    for token in [&spent, &latest] {
        let answer = world.with(token, "POST", "/auth/refresh", Value::Null);
        assert_eq!(answer, (401, json!({"msg": "Token has been revoked"})));
    }
}

#[test]
fn an_account_keeps_the_first_refresh_token_where_it_is_rotated() {
    for (vars, keeps) in [
        (json!({}), false),
        (json!({"TOLLGATE_WIRE": "flask-jwt-extended"}), true),
        (json!({"TOLLGATE_WIRE": "flask-jwt-extended", "TOLLGATE_REFRESH_ROTATION": false}), false),
        (json!({"TOLLGATE_WIRE": "flask-jwt-extended", "TOLLGATE_REFRESH_TOKENS": false}), false),
    ] {
        let mut world = World::new(vars, ALL);
        world.tokens();
        let account = world.gate.account_of_user(&Id::Int(1)).0;
        let session = world.objects[&account].iter().find(|(key, _)| key.starts_with("session/")).unwrap().1;
        assert_eq!(!session.contains(r#""links":[]"#), keeps, "{session}");
    }
}

#[test]
fn a_token_that_an_application_makes_is_accepted() {
    let identity = Identity::new(Id::Int(1));
    for has_csrf in [false, true] {
        let vars = json!({"TOLLGATE_WIRE": "flask-jwt-extended", "JWT_COOKIE_CSRF_PROTECT": has_csrf});
        let world = World::new(vars, ALL);
        let (token, csrf) = world.gate.create_token(&identity, TokenSpec::default(), &[7; 96], world.now).unwrap();
        let verified = world.gate.config.tokens.verify(&token, world.now).unwrap();
        assert_eq!(verified.identity(), Some(Id::Text("1".into())));
        assert_eq!(verified.claims().get("csrf").and_then(Value::as_str), csrf.as_deref());
        assert_eq!(csrf.is_some(), has_csrf);
    }
    let world = World::new(json!({}), ALL);
    assert!(world.gate.create_token(&identity, TokenSpec::default(), &[7; 96], world.now).is_err());
}

#[test]
fn one_request_asks_the_register_for_all_that_wait() {
    let mut world = World::flask_jwt_extended();
    let (access, _) = world.tokens();
    world.gate.mark_refresh_requested(world.now);
    assert_eq!(world.status(&access, "/me"), 200);
    assert_eq!(world.asked.iter().filter(|asked| *asked == "pause").count(), 40, "it waits for the other");
    assert_eq!(world.asked.last().unwrap(), "register", "but not for ever");
    world.wait(11);
    world.gate.mark_refresh_requested(world.now);
    let told = world.register.since(0, world.now);
    world.gate.update_revocations(&told, world.now);
    assert_eq!((world.status(&access, "/me"), world.asked.len()), (200, 0));
}

#[test]
fn an_end_of_everybody_holds_where_an_account_is_asked_too() {
    let mut world = World::flask_jwt_extended();
    let (access, refresh) = world.tokens();
    world.wait(1);
    let good = [("authorization", "Bearer another secret of more than thirty-two bytes")];
    assert_eq!(world.send("POST", "/auth/admin", &good, json!({"do": "end-everybody"})).0, 200);
    for path in ["/strict", "/auth/sessions", "/me"] {
        assert_eq!(world.status(&access, path), 401, "{path}");
    }
    let wish = json!({"new_password": NEW});
    assert_eq!(world.with(&access, "POST", "/auth/password", wish).0, 401);
    assert_eq!(world.refresh(&refresh), None);
    world.wait(20 * 86_400);
    assert_eq!(world.refresh(&refresh), None, "for as long as it lives");
    assert!(!world.tokens().0.is_empty());
    for bad in [json!("x"), json!(i64::MAX), json!(world.now.as_millis() + 4_000_000)] {
        let order = json!({"do": "end-all", "user": 1, "version": bad});
        assert_eq!(world.send("POST", "/auth/admin", &good, order).0, 400);
    }
}

#[test]
fn a_refused_new_password_is_no_wrong_try_of_the_old_one() {
    let mut world = World::flask_jwt_extended();
    let (access, _) = world.tokens();
    world.full = Some((Limit::Hashing, ""));
    for _ in 0..10 {
        let wish = json!({"old_password": "right", "new_password": NEW});
        assert_eq!(world.with(&access, "POST", "/auth/password", wish).0, 429);
        assert_eq!(world.asked.last().unwrap(), "user untried");
    }
    world.full = None;
    let wish = json!({"old_password": "right", "new_password": NEW});
    assert_eq!(world.with(&access, "POST", "/auth/password", wish).0, 200);
}

#[test]
fn a_weak_new_password_draws_on_no_limit_and_no_user_draws_on_the_share_of_all() {
    let mut world = World::flask_jwt_extended();
    let (access, _) = world.tokens();
    let from = |token: &str| [("authorization", format!("Bearer {token}")), ("cf-connecting-ip", "192.0.2.7".into())];
    let change = |world: &mut World, token: &str, wish: Value| {
        let headers = from(token);
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        world.send("POST", "/auth/password", &headers, wish).0
    };
    for _ in 0..200 {
        assert_eq!(change(&mut world, &access, json!({"new_password": "short"})), 400);
        assert!(world.asked.iter().all(|asked| asked == "user check" || asked == "register"), "{:?}", world.asked);
    }
    // With a fresh token there is no password to guess, but the attempt counts.
    assert_eq!(change(&mut world, &access, json!({"new_password": NEW})), 200);
    let limits: Vec<&str> = world.asked.iter().map(String::as_str).filter(|asked| asked.starts_with("limit")).collect();
    assert_eq!(limits, ["limit Address 192.0.2.7", "limit Address user:\"1\"", "limit Hashing known"]);
    assert!(world.asked.contains(&"user try".to_owned()) && world.asked.contains(&"user right".to_owned()));
    for key in ["192.0.2.7", "user:"] {
        let (access, _) = {
            world.version = world.now.as_millis();
            world.tokens()
        };
        world.full = Some((Limit::Address, key));
        assert_eq!(change(&mut world, &access, json!({"new_password": NEW})), 429, "{key}");
        assert!(!world.asked.iter().any(|asked| asked.starts_with("limit Hashing")), "{key}");
        world.full = None;
    }
}

/// The number of guesses at `name` that are judged before one is refused, up to `most`. `other` runs after each.
fn judged(
    world: &mut World,
    name: &str,
    headers: &[(&str, &str)],
    most: u32,
    mut other: impl FnMut(&mut World),
) -> u32 {
    for guess in 0..most {
        let body = json!({"username": name, "password": "wrong"});
        match world.send("POST", "/auth", headers, body).0 {
            401 => other(world),
            429 => return guess,
            status => panic!("{status}"),
        }
    }
    most
}

fn login_as(world: &mut World, name: &str, headers: &[(&str, &str)]) -> Answer {
    world.answer("POST", "/auth", headers, json!({"username": name, "password": "right"}))
}

const HOME: (&str, &str) = ("cf-connecting-ip", "192.0.2.7");
const BROWSER: (&str, &str) = ("sec-fetch-site", "same-origin");

fn cookie_of(answer: &Answer) -> String {
    answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
}

#[test]
fn a_right_password_forgives_nothing_for_another_name_however_alike() {
    for (twin, name) in [("ANN", "ann"), ("Ann", "ANN"), (" ann", "ann"), ("ann ", "Ann"), ("\u{212b}", "\u{e5}")] {
        for headers in [vec![], vec![HOME], vec![BROWSER], vec![HOME, BROWSER]] {
            let mut world = World::flask_jwt_extended();
            let first = login_as(&mut world, twin, &headers);
            let cookie = first.header("set-cookie").map(|_| cookie_of(&first));
            let mut headers = headers;
            headers.extend(cookie.iter().map(|cookie| ("cookie", cookie.as_str())));
            let own = headers.clone();
            let number = judged(&mut world, name, &headers, 240, |world| drop(login_as(world, twin, &own)));
            assert_eq!(number, 5, "{twin:?} guesses at {name:?} with {headers:?}");
        }
    }
}

#[test]
fn the_owners_logins_forgive_nothing_to_who_shares_the_address() {
    let mut world = World::flask_jwt_extended();
    assert_eq!(login_as(&mut world, "ann", &[HOME]).status, 200);
    assert_eq!(judged(&mut world, "ann", &[HOME], 300, |world| drop(login_as(world, "ann", &[HOME]))), 5);
    // As many as at any other address, and for a name that never logged in here.
    for (name, address) in [("ann", "198.51.100.9"), ("bob", "192.0.2.7")] {
        assert_eq!(judged(&mut world, name, &[("cf-connecting-ip", address)], 300, |_| ()), 5, "{name} {address}");
    }
}

#[test]
fn a_known_device_is_spared_what_neighbours_use_up() {
    let mut world = World::flask_jwt_extended();
    let cookie = cookie_of(&login_as(&mut world, "ann", &[HOME, BROWSER]));
    let known = [HOME, BROWSER, ("cookie", cookie.as_str())];
    world.full = Some((Limit::Address, "192.0.2.7"));
    assert_eq!(login_as(&mut world, "ann", &[HOME]).status, 429);
    assert_eq!(login_as(&mut world, "ann", &known).status, 200);
    assert!(world.asked[0].starts_with("limit Address device:"), "{:?}", world.asked);
    for made_up in ["AAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAA.9999999999.AAAA", "!!!"] {
        let made_up = format!("tollgate_device={made_up}");
        assert_eq!(login_as(&mut world, "ann", &[HOME, BROWSER, ("cookie", &made_up)]).status, 429);
        assert_eq!(world.asked, ["limit Address 192.0.2.7"], "no object is opened to floods");
    }
    assert_eq!(login_as(&mut world, "bob", &known).status, 429, "a device of another record");
    world.full = Some((Limit::Address, "device:"));
    assert_eq!(login_as(&mut world, "ann", &known).status, 429, "a limit of its own");
}

#[test]
fn failures_are_counted_by_address_whatever_the_name_and_a_class_logs_in() {
    let mut world = World::flask_jwt_extended();
    for pupil in 0..35 {
        assert_eq!(login_as(&mut world, &format!("pupil {pupil}"), &[HOME]).status, 200);
    }
    let cookie = cookie_of(&login_as(&mut world, "ann", &[HOME, BROWSER]));
    let failures = (0..200).take_while(|guess| {
        let body = json!({"username": format!("name {guess}"), "password": "wrong"});
        world.send("POST", "/auth", &[HOME], body).0 == 401
    });
    assert_eq!(failures.count(), 50);
    assert_eq!(world.asked, ["limit Address 192.0.2.7", "address check-address"], "without a hash");
    assert_eq!(login_as(&mut world, "bob", &[HOME]).status, 429);
    assert_eq!(login_as(&mut world, "bob", &[("cf-connecting-ip", "192.0.2.8")]).status, 200);
    assert_eq!(login_as(&mut world, "ann", &[HOME, ("cookie", &cookie)]).status, 200, "a known device");
    world.wait(1);
    assert_eq!(login_as(&mut world, "bob", &[HOME]).status, 200, "after a moment");
}

#[test]
fn a_logout_says_what_it_did() {
    let cookies = json!({"TOLLGATE_WIRE": "flask-jwt-extended", "JWT_TOKEN_LOCATION": ["cookies", "headers"]});
    for (vars, scheme, other) in [
        (json!({}), "JWT", "Bearer"),
        (json!({"TOLLGATE_WIRE": "flask-jwt-extended"}), "Bearer", "JWT"),
        (cookies.clone(), "Bearer", "JWT"),
    ] {
        let mut world = World::new(vars, ALL);
        let takes_cookies = scheme == "Bearer" && world.gate.config.flask_jwt_extended().unwrap().uses_cookies();
        let token = world.access_token();
        let bent = format!("{}{}", &token[..token.len() - 2], if token.ends_with("AA") { "BA" } else { "AA" });
        let good = format!("{scheme} {token}");
        let protected =
            |world: &mut World, sent: &str| world.answer("GET", "/me", &[("authorization", sent)], Value::Null);
        for sent in ["", &format!("{other} {token}"), &format!("{scheme} {bent}"), &format!("{scheme} x")] {
            let answer = world.answer("POST", "/auth/logout", &[("authorization", sent)], Value::Null);
            let refused = protected(&mut world, sent);
            assert_eq!((answer.status, &answer.body), (refused.status, &refused.body), "{sent}");
            assert!(answer.status == 401 || answer.status == 422, "{}", answer.status);
            assert_eq!(
                answer.headers.iter().filter(|(name, _)| name == "set-cookie").count(),
                if takes_cookies { 4 } else { 0 }
            );
            assert_eq!(protected(&mut world, &good).status, 200, "{sent}: it lives on");
        }
        for _ in 0..2 {
            let answer = world.answer("POST", "/auth/logout", &[("authorization", &good)], Value::Null);
            assert_eq!(answer.status, 200, "good, then void");
        }
        world.wait(100_000);
        assert_eq!(protected(&mut world, &good).status, 401);
        let answer = world.answer("POST", "/auth/logout", &[("authorization", &good)], Value::Null);
        assert_eq!(answer.status, 200, "expired");
    }
    // Without the bindings nothing can be revoked.
    let mut world = World::new(cookies, Bindings::default());
    let token = world.access_token();
    let cookie = format!("access_token_cookie={token}");
    for (headers, status, text) in [
        ([("cookie", cookie.as_str())], 200, "good until it expires"),
        ([("authorization", &*format!("Bearer {token}"))], 501, "good until it expires"),
        ([("cookie", "a=b")], 401, "Missing JWT"),
        ([("cookie", "access_token_cookie=x")], 422, "Not enough segments"),
    ] {
        let answer = world.answer("POST", "/auth/logout", &headers, Value::Null);
        assert_eq!(answer.status, status, "{headers:?}");
        assert!(answer.body.contains(text), "{}", answer.body);
        assert!(answer.header("set-cookie").unwrap().starts_with("access_token_cookie=;"));
    }
}

impl World {
    /// The access token in the body or in a cookie.
    fn access_token(&mut self) -> String {
        let answer = self.answer("POST", "/auth", &[], json!({"username": "ann", "password": "right"}));
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        body["access_token"]
            .as_str()
            .map_or_else(|| cookie_of(&answer).split_once('=').unwrap().1.to_owned(), str::to_owned)
    }

    fn session_of(&self, token: &str) -> String {
        self.gate.config.tokens.verify(token, self.now).unwrap().session_id().unwrap().as_str().to_owned()
    }

    /// A token that another issuer has signed with the gate's key.
    fn signed(&self, claims: &Value) -> String {
        let key = self.gate.config.tokens.keys().signing().unwrap();
        token::sign(key, &Map::new(), claims.as_object().unwrap())
    }

    /// Decides a request with this token from memory alone.
    fn decide_from_memory(&self, token: &str, path: &str) -> Authorized<'_> {
        let sent = Sent(vec![("authorization".into(), format!("Bearer {token}"))]);
        let request = Request { method: "GET", site: "https://app.example", path, query: None, headers: &sent };
        match self.gate.decide(&request, self.now) {
            Decided::Now(Decision::Identity(authorized) | Decision::Forward(authorized)) => authorized,
            Decided::Now(other) => panic!("{other:?}"),
            Decided::Later(_) => panic!("{path} waits"),
        }
    }

    /// A command that reaches an object from elsewhere.
    fn command(&mut self, object: &ObjectName, command: Command) -> Reply {
        let lifetimes = self.gate.lifetimes();
        let rows = self.objects.entry(object.clone()).or_default();
        let step = object::step(rows, None, command, &Context::new(object, &lifetimes, self.now)).unwrap();
        for (key, value) in step.changes {
            match value {
                Some(value) => rows.insert(key, value),
                None => rows.remove(&key),
            };
        }
        step.reply
    }

    /// Starts as many attempts as may be under way, and leaves them there.
    fn keep_busy(&mut self, object: &ObjectName) {
        while let Reply::Allowed { .. } = self.command(object, Command::Attempt { devices: vec![] }) {}
    }

    fn logout(&mut self, token: &str) -> u16 {
        self.with(token, "POST", "/auth/logout", Value::Null).0
    }

    /// The number of writes to the revocation log.
    fn entries(&self) -> usize {
        self.register.len()
    }
}

#[test]
fn a_token_without_a_session_is_revoked_once_and_for_as_long_as_it_would_live() {
    let mut world = World::flask_jwt_extended();
    let claims = |jti: &str, exp: Option<i64>| {
        let mut claims = json!({"sub": "1", "jti": jti, "iat": NOW - 1000, "type": "access"});
        exp.iter().for_each(|exp| claims["exp"] = (*exp).into());
        claims
    };
    let (long, endless) =
        (world.signed(&claims("long", Some(NOW + 200 * 86_400))), world.signed(&claims("endless", None)));
    let expired = world.signed(&claims("expired", Some(NOW - 10)));
    for token in [&long, &endless] {
        assert_eq!(world.status(token, "/me"), 200);
    }
    assert_eq!((world.logout(&expired), world.entries()), (200, 0), "nothing to write");
    assert!(world.asked.is_empty(), "{:?}", world.asked);
    for token in [&long, &endless] {
        let number = world.register.since(0, world.now).number;
        assert_eq!(world.logout(token), 200);
        let written = world.register.since(0, world.now).number;
        assert!(written > number);
        for _ in 0..20 {
            world.wait(1);
            assert_eq!(world.logout(token), 200);
        }
        assert_eq!(world.register.since(0, world.now).number, written, "an idempotent request writes once");
    }
    for days in [1, 100, 98] {
        world.wait(days * 86_400);
        world.register.forget(world.now);
        assert_eq!([world.status(&long, "/me"), world.status(&endless, "/me")], [401, 401]);
    }
    // Ten years later the revocation log has dropped what it can.
    world.wait(3650 * 86_400);
    world.register.forget(world.now);
    assert_eq!(world.status(&endless, "/me"), 401, "its id stays");
}

#[test]
fn a_token_that_cannot_be_ended_is_said_to_go_on_and_the_others_end() {
    let cookies = json!({"TOLLGATE_WIRE": "flask-jwt-extended", "JWT_TOKEN_LOCATION": ["headers", "cookies"]});
    let mut world = World::new(cookies, ALL);
    let nameless = world.signed(&json!({"sub": "1", "iat": NOW, "exp": NOW + 60, "type": "access", "csrf": "C"}));
    let session = world.access_token();
    let bearer = format!("Bearer {nameless}");
    let cookie = format!("access_token_cookie={session}");
    let answer = world.answer("POST", "/auth/logout", &[("authorization", &bearer), ("cookie", &cookie)], Value::Null);
    assert_eq!(answer.status, 501);
    assert!(answer.body.contains("no id"), "{}", answer.body);
    assert_eq!([world.status(&nameless, "/me"), world.status(&session, "/strict")], [200, 401]);
    world.wait(61);
    assert_eq!(world.logout(&nameless), 200, "it is over by itself");
}

#[test]
fn a_token_of_a_session_that_the_gate_never_knew_is_revoked_by_its_id() {
    for sid in ["not-a-session", "", "01a3185c-567a-7770-b740-a5c6e2de205b"] {
        let mut world = World::flask_jwt_extended();
        let claims = json!({"sub": "1", "jti": "j", "sid": sid, "iat": NOW, "exp": NOW + 600, "type": "access"});
        let foreign = world.signed(&claims);
        assert_eq!(world.status(&foreign, "/me"), 200);
        assert_eq!(world.logout(&foreign), 200);
        assert_eq!(world.entries(), 1, "{sid}");
        world.wait(11);
        assert_eq!(world.status(&foreign, "/me"), 401, "{sid}");
        let number = world.register.since(0, world.now).number;
        assert_eq!((world.logout(&foreign), world.register.since(0, world.now).number), (200, number), "{sid}");
    }
}

#[test]
fn a_logout_ends_each_token_that_came_whatever_they_share() {
    let cookies = json!({"TOLLGATE_WIRE": "flask-jwt-extended", "JWT_TOKEN_LOCATION": ["headers", "cookies"]});
    for (one, two, entries) in [
        (["1", "foreign", "a"], ["1", "foreign", "b"], 2),
        (["1", "foreign", "a"], ["2", "foreign", "a"], 2),
        (["1", "foreign", "a"], ["1", "foreign", "a"], 1),
    ] {
        let mut world = World::new(cookies.clone(), ALL);
        let [one, two] = [one, two].map(|[sub, sid, jti]| {
            let times = json!({"iat": NOW, "exp": NOW + 600, "type": "access", "csrf": "C"});
            let mut claims = times.as_object().unwrap().clone();
            claims.extend([("sub", sub), ("sid", sid), ("jti", jti)].map(|(name, value)| (name.into(), value.into())));
            world.signed(&claims.into())
        });
        let headers = [("authorization", &*format!("Bearer {one}")), ("cookie", &format!("access_token_cookie={two}"))];
        assert_eq!(world.answer("POST", "/auth/logout", &headers, Value::Null).status, 200);
        world.wait(11);
        assert_eq!([world.status(&one, "/me"), world.status(&two, "/me")], [401, 401]);
        assert!(world.entries() <= entries, "each is written once");
    }
    // Two tokens of one session of this gate: one entry, that of the session.
    let mut world = World::new(cookies, ALL);
    let token = world.access_token();
    let headers = [("authorization", &*format!("Bearer {token}")), ("cookie", &format!("access_token_cookie={token}"))];
    assert_eq!(world.answer("POST", "/auth/logout", &headers, Value::Null).status, 200);
    assert_eq!((world.entries(), world.asked.len()), (1, 1), "{:?}", world.asked);
}

#[test]
fn a_logout_reads_the_body_only_if_no_token_came_elsewhere() {
    let vars = json!({"TOLLGATE_WIRE": "flask-jwt-extended", "JWT_TOKEN_LOCATION": ["headers", "json"]});
    // The calls that can fail: the body, then the account.
    for (authorization, is_ended, calls) in [("Bearer TOKEN", true, 1), ("Bearer x", false, 0), ("", true, 2)] {
        let mut world = World::new(vars.clone(), ALL);
        let token = world.access_token();
        let sent = authorization.replace("TOKEN", &token);
        let body = json!({"access_token": token});
        let answer = world.answer("POST", "/auth/logout", &[("authorization", &sent)], body);
        assert_eq!((answer.status == 200, world.calls), (is_ended, calls), "{authorization:?}: {}", answer.body);
    }
}

#[test]
fn only_an_access_tokens_cookie_is_renewed_and_only_when_it_is_due() {
    let vars = json!({
        "TOLLGATE_WIRE": "flask-jwt-extended", "JWT_TOKEN_LOCATION": ["cookies", "headers"],
        "TOLLGATE_COOKIE_REFRESH_WITHIN": "10m", "JWT_REFRESH_TOKEN_EXPIRES": 300,
    });
    let mut world = World::new(vars, ALL);
    let answer = world.answer("POST", "/auth", &[], json!({"username": "ann", "password": "right"}));
    let cookies: Vec<&str> =
        answer.headers.iter().filter(|(name, _)| name == "set-cookie").map(|(_, set)| set.as_str()).collect();
    let value = |name: &str| {
        let set = cookies.iter().find_map(|set| set.strip_prefix(name)?.strip_prefix('=')).unwrap();
        set.split(';').next().unwrap().to_owned()
    };
    let (access, refresh) = (value("access_token_cookie"), value("refresh_token_cookie"));
    let (in_cookie, bearer) = (format!("access_token_cookie={access}"), format!("Bearer {access}"));
    let refresh = format!("refresh_token_cookie={refresh}");
    let renews = |world: &mut World, path: &str, header: (&str, &str)| {
        let answer = world.answer("GET", path, &[header], Value::Null);
        assert_eq!(answer.status, 200, "{path} {header:?}: {}", answer.body);
        answer.header("set-cookie").is_some()
    };
    assert!(!renews(&mut world, "/me", ("cookie", &in_cookie)), "too early");
    assert!(!renews(&mut world, "/refreshing", ("cookie", &refresh)), "of another type");
    world.wait(301);
    assert!(!renews(&mut world, "/me", ("authorization", &bearer)), "in a header");
    let refused = world.answer("GET", "/admin", &[("cookie", &in_cookie)], Value::Null);
    assert_eq!((refused.status, refused.header("set-cookie")), (403, None), "claims come before renewal");
    assert!(world.asked.iter().all(|asked| !asked.contains("check")), "{:?}", world.asked);
    assert!(renews(&mut world, "/me", ("cookie", &in_cookie)));
}

#[test]
fn a_renewed_token_keeps_what_was_added_and_ends_with_its_session() {
    /// Adds a claim, and one that names another session.
    struct Adds;
    impl Loaders for Adds {
        fn additional_claims(&self, _: &Identity) -> Map<String, Value> {
            Map::from_iter([("team".into(), "red".into()), ("sid".into(), "another".into())])
        }
    }
    let vars = json!({
        "TOLLGATE_WIRE": "flask-jwt-extended", "JWT_TOKEN_LOCATION": "cookies", "TOLLGATE_COOKIE_REFRESH_WITHIN": "10m",
        "TOLLGATE_SESSION_LIFETIME": "20m", "TOLLGATE_SESSION_IDLE": "20m",
    });
    for adds in [true, false] {
        let mut world = World::new(vars.clone(), ALL);
        if adds {
            world.gate = Gate::new(world.gate.config, Hooks::default().with_loaders(Adds));
        }
        let first = world.access_token();
        let first = world.gate.config.tokens.verify(&first, world.now).unwrap();
        // What another issuer of the key has added stays too.
        let mut claims = first.claims();
        claims.insert("role".into(), "admin".into());
        let token = world.signed(&claims.into());
        world.wait(400);
        let answer = world.answer("GET", "/me", &[("cookie", &format!("access_token_cookie={token}"))], Value::Null);
        let renewed = cookie_of(&answer).split_once('=').unwrap().1.to_owned();
        let renewed = world.gate.config.tokens.verify(&renewed, world.now).unwrap();
        let claims = renewed.claims();
        assert_eq!((claims.get("role"), claims.get("team").is_some()), (Some(&json!("admin")), adds));
        assert_eq!(renewed.session_id(), first.session_id());
        assert_ne!(renewed.token_id(), first.token_id());
        assert_eq!(renewed.expires().unwrap().seconds(), NOW + 1200);
    }
}

#[test]
fn the_end_of_all_sessions_reaches_tokens_that_name_the_user_in_another_claim() {
    let vars = json!({"TOLLGATE_WIRE": "flask-jwt-extended", "JWT_IDENTITY_CLAIM": "uid"});
    let mut world = World::new(vars, ALL);
    let (access, _) = world.tokens();
    assert_eq!(world.status(&access, "/me"), 200);
    assert_eq!(world.with(&access, "POST", "/auth/logout/all", Value::Null).0, 200);
    world.wait(11);
    assert_eq!(world.status(&access, "/me"), 401);
}

#[test]
fn an_application_words_the_demand_for_a_fresh_token() {
    struct Own;
    impl Loaders for Own {
        fn needs_fresh_token(&self, token: TokenParts<'_>) -> Option<Answer> {
            Some(Answer::message(&format!("log in again, {}", token.payload["sub"])))
        }
    }
    let mut world = World::flask_jwt_extended();
    let (access, refresh) = world.tokens();
    assert_eq!(world.status(&access, "/fresh"), 200, "of a log-in");
    let (access, _) = world.refresh(&refresh).unwrap();
    assert_eq!(world.status(&access, "/fresh"), 401);
    world.gate = Gate::new(world.gate.config, Hooks::default().with_loaders(Own));
    let (_, body) = world.with(&access, "GET", "/fresh", Value::Null);
    assert_eq!(body, json!({"msg": "log in again, \"1\""}));
}

#[test]
fn a_handler_of_an_application_gets_no_token_that_is_too_long() {
    struct Own;
    impl Handlers for Own {
        fn decode(&self, _: &str, _: &Config, _: Timestamp) -> Result<VerifiedToken, Rejection> {
            Ok(VerifiedToken::assert_verified(json!({"identity": 1}).as_object().unwrap()))
        }
    }
    let mut world = World::new(json!({}), ALL);
    world.gate = Gate::new(world.gate.config, Hooks::default().with_handlers(Own));
    for (bytes, status) in [(MAX_TOKEN_BYTES, 200), (MAX_TOKEN_BYTES + 1, 401), (MAX_TOKEN_BYTES + 2, 401)] {
        assert_eq!(world.status(&"x".repeat(bytes), "/me"), status, "{bytes}");
    }
}

#[test]
fn a_logout_that_is_to_be_asked_again_leaves_the_cookies() {
    let cookies = json!({"TOLLGATE_WIRE": "flask-jwt-extended", "JWT_TOKEN_LOCATION": ["cookies"]});
    let mut world = World::new(cookies, ALL);
    let cookie = format!("access_token_cookie={}", world.access_token());
    for (answers, status) in [(false, 503), (true, 200)] {
        world.accounts_answer = answers;
        let answer = world.answer("POST", "/auth/logout", &[("cookie", &cookie)], Value::Null);
        assert_eq!((answer.status, answer.header("set-cookie").is_some()), (status, answers));
    }
}

#[test]
fn an_operator_revokes_a_token_without_an_end_for_ever() {
    let mut world = World::flask_jwt_extended();
    let endless = world.signed(&json!({"sub": "1", "jti": "endless", "iat": NOW - 1000, "type": "access"}));
    let good = [("authorization", "Bearer another secret of more than thirty-two bytes")];
    let order = json!({"do": "revoke", "user": 1, "token_id": "endless"});
    assert_eq!(world.send("POST", "/auth/admin", &good, order.clone()).0, 200);
    for _ in 0..3 {
        world.wait(1000 * 86_400);
        world.register.forget(world.now);
        assert_eq!(world.status(&endless, "/me"), 401);
    }
    let number = world.register.since(0, world.now).number;
    assert_eq!(world.send("POST", "/auth/admin", &good, order).0, 200);
    assert_eq!(world.register.since(0, world.now).number, number, "void already");
}

#[test]
fn a_token_without_an_end_does_not_come_back_when_its_users_or_everybodys_end_is_forgotten() {
    for everybody in [false, true] {
        let mut world = World::flask_jwt_extended();
        let endless = world.signed(&json!({"sub": "1", "jti": "endless", "iat": NOW - 1000, "type": "access"}));
        let (access, _) = world.tokens();
        assert_eq!(world.status(&endless, "/me"), 200);
        world.wait(1);
        if everybody {
            let good = [("authorization", "Bearer another secret of more than thirty-two bytes")];
            assert_eq!(world.send("POST", "/auth/admin", &good, json!({"do": "end-everybody"})).0, 200);
        } else {
            assert_eq!(world.with(&access, "POST", "/auth/logout/all", Value::Null).0, 200);
        }
        for _ in 0..3 {
            world.wait(1000 * 86_400);
            world.register.forget(world.now);
            assert_eq!(world.status(&endless, "/me"), 401, "everybody: {everybody}");
        }
    }
}

#[test]
fn a_web_socket_with_a_cookie_is_opened_by_the_gates_own_pages_only() {
    let vars = json!({"TOLLGATE_WIRE": "flask-jwt-extended", "JWT_TOKEN_LOCATION": ["headers", "cookies"]});
    for (more, own, others) in [
        (json!({}), "https://app.example", ["http://app.example", "https://app.example:8443", "https://evil.example"]),
        (
            json!({"TOLLGATE_PUBLIC_URL": "https://Gate.example:443/"}),
            "https://gate.example",
            ["https://app.example", "https://gate.example.evil", "null"],
        ),
    ] {
        let mut all = vars.clone();
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let mut world = World::new(all, ALL);
        let token = world.access_token();
        let (cookie, bearer) = (format!("access_token_cookie={token}"), format!("Bearer {token}"));
        let open = |world: &mut World, credential: (&str, &str), upgrade: &str, origin: &str| {
            let mut headers = vec![credential, ("upgrade", upgrade)];
            headers.extend((!origin.is_empty()).then_some(("origin", origin)));
            world.answer("GET", "/me", &headers, Value::Null).status
        };
        for upgrade in ["websocket", "WebSocket", "h2c, websocket"] {
            assert_eq!(open(&mut world, ("cookie", &cookie), upgrade, own), 200);
            for origin in others.into_iter().chain([""]) {
                assert_eq!(open(&mut world, ("cookie", &cookie), upgrade, origin), 403, "{origin}");
                assert_eq!(
                    open(&mut world, ("authorization", &bearer), upgrade, origin),
                    200,
                    "what no browser sends by itself"
                );
            }
        }
        assert_eq!(open(&mut world, ("cookie", &cookie), "h2c", others[0]), 200, "no WebSocket");
    }
}

#[test]
fn a_logout_ends_the_sessions_of_both_cookies() {
    let mut world =
        World::new(json!({"TOLLGATE_WIRE": "flask-jwt-extended", "JWT_TOKEN_LOCATION": ["headers", "cookies"]}), ALL);
    let (one, _) = world.tokens();
    let (two, refresh) = world.tokens();
    let cookies = format!("access_token_cookie={one}; refresh_token_cookie={refresh}");
    assert_eq!(world.send("POST", "/auth/logout", &[("cookie", &cookies)], Value::Null).0, 200);
    assert_eq!([world.status(&one, "/strict"), world.status(&two, "/strict")], [401, 401]);
}

#[test]
fn a_session_from_before_rotation_goes_on_with_it() {
    let mut world = World::new(
        json!({"TOLLGATE_WIRE": "flask-jwt-extended", "TOLLGATE_REFRESH_ROTATION": false, "JWT_ACCESS_TOKEN_EXPIRES": false}),
        ALL,
    );
    let (_, refresh) = world.tokens();
    world.wait(86_400);
    let (access, none) = world.refresh(&refresh).unwrap();
    assert_eq!(none, "");
    let exp = world.gate.config.tokens.verify(&access, world.now).unwrap().expires().unwrap();
    assert_eq!(exp.seconds(), NOW + 90 * 86_400, "no longer than its session");
    let objects = std::mem::take(&mut world.objects);
    let mut world = World { objects, now: world.now, count: 9, ..World::flask_jwt_extended() };
    let (_, next) = world.refresh(&refresh).unwrap();
    assert_ne!(next, "");
    assert!(world.refresh(&next).is_some());
    world.wait(11);
    assert_eq!(world.refresh(&refresh), None, "it is good for one use now");
}

#[test]
fn without_sessions_nobody_is_asked_and_no_endpoint_is_there() {
    let mut world = World::new(json!({"TOLLGATE_WIRE": "flask-jwt-extended"}), Bindings::default());
    let (access, refresh) = world.tokens();
    assert_eq!(world.asked, ["hash"]);
    assert!(world.refresh(&refresh).is_some_and(|(_, next)| next.is_empty()));
    for path in ["/auth/sessions", "/auth/logout/all", "/auth/password", "/auth/admin"] {
        assert_eq!(world.status(&access, path), 404, "{path}");
    }
    // Flask-JWT has no refresh tokens.
    let mut flask_jwt = World::new(json!({}), ALL);
    let (token, _) = flask_jwt.tokens();
    assert_eq!(flask_jwt.with(&token, "POST", "/auth/refresh", Value::Null).0, 404);
    assert_eq!(world.status(&access, "/strict"), 200);
}

/// Requests that change something, each after a log-in whose tokens are `access` and `refresh`.
const DEEDS: [(&str, &str); 8] = [
    ("POST", "/auth"),
    ("POST", "/auth/refresh"),
    ("POST", "/auth/logout"),
    ("POST", "/auth/logout/all"),
    ("POST", "/auth/password"),
    ("GET", "/auth/sessions"),
    ("GET", "/strict"),
    ("POST", "/auth/admin"),
];

/// Each host call fails in turn, before or after its work is done. No answer reports a success that did not happen, and
/// nothing panics.
#[test]
fn nothing_is_acknowledged_that_did_not_happen() {
    for (method, path) in DEEDS {
        for failure in [Failure::Before, Failure::After] {
            let mut failed = 0;
            for call in 0.. {
                let mut world = World::flask_jwt_extended();
                let (access, refresh) = world.tokens();
                let bearer = format!("Bearer {}", if path == "/auth/refresh" { &refresh } else { &access });
                let operator = "Bearer another secret of more than thirty-two bytes";
                let authorization = if path == "/auth/admin" { operator } else { &bearer };
                let body = match path {
                    "/auth/password" => json!({"old_password": "right", "new_password": NEW}),
                    "/auth/admin" => json!({"do": "end-all", "user": 1}),
                    _ => json!({"username": "ann", "password": "right"}),
                };
                world.fails = Some((call, failure));
                let (status, body) = world.send(method, path, &[("authorization", authorization)], body);
                let (calls, asked) = (world.calls, world.asked.clone());
                world.fails = None;
                let case = format!("{method} {path}, call {call} fails {failure:?}: {status} {body} {asked:?}");
                if calls <= call {
                    assert_eq!(status, 200, "no call failed: {case}");
                    break;
                }
                failed += 1;
                assert!([200, 400, 401, 429, 503].contains(&status), "{case}");
                if status != 200 {
                    continue;
                }
                match path {
                    "/auth" | "/auth/refresh" => {
                        let token = body["access_token"].as_str().unwrap();
                        assert_eq!(world.status(token, "/strict"), 200, "{case}");
                    }
                    "/auth/logout" | "/auth/logout/all" | "/auth/admin" => {
                        assert_eq!(world.status(&access, "/strict"), 401, "{case}");
                    }
                    "/auth/password" => {
                        assert_eq!(world.status(&access, "/strict"), 401, "{case}");
                        let token = body["access_token"].as_str().unwrap();
                        assert_eq!(world.status(token, "/strict"), 200, "{case}");
                    }
                    _ => assert_eq!(world.status(&access, "/strict"), 200, "{case}"),
                }
            }
            assert!(failed > 0, "{method} {path} calls nothing that can fail");
        }
    }
}

/// Futures of the protocols are `Send` if those of host and users are. The test is that this compiles.
#[allow(dead_code)]
fn protocols_are_send_where_the_host_is<'a, H, U>(
    gate: &'a Gate,
    continuation: Continuation<'a>,
    host: &'a H,
    users: &'a U,
) -> Box<dyn Future<Output = Decision<'a>> + Send + 'a>
where
    H: crate::SendHost + Sync,
    U: crate::SendUsers + Sync,
{
    Box::new(gate.resume(continuation, host, users))
}

/// The largest future of the protocols, over the host of these tests: the memory that each waiting request takes.
#[test]
fn a_waiting_request_holds_little_memory() {
    let world = World::flask_jwt_extended();
    let sent = Sent(vec![("content-type".into(), "application/json".into())]);
    let request = Request { method: "POST", site: "", path: "/auth", query: None, headers: &sent };
    let Decided::Later(continuation) = world.gate.decide(&request, world.now) else { panic!("a log-in waits") };
    let outside = Outside {
        now: world.now,
        body: Vec::new(),
        objects: RefCell::default(),
        register: RefCell::default(),
        asked: RefCell::default(),
        draws: Cell::new(0),
        calls: Cell::new(0),
        fails: None,
        register_answers: true,
        accounts_answer: true,
        full: None,
        password: "right",
        version: 0,
        attributes: json!({}),
        attributes_version: 0,
    };
    let future = world.gate.resume(continuation, &outside, &outside);
    assert!(size_of_val(&future) <= 4096, "{} bytes", size_of_val(&future));
}

#[test]
fn claims_decide_after_everything_else_and_before_renewal() {
    for wire in ["flask-jwt", "flask-jwt-extended"] {
        let vars = json!({
            "TOLLGATE_WIRE": wire, "JWT_SECRET_KEY": "a secret of more than thirty-two bytes",
            "ROUTES": [
                {"path": "/admin", "to": "origin", "require": {"role": "admin"}},
                {"path": "/maybe", "to": "origin", "auth": "optional", "require": {"role": ["admin", "editor"]}},
                {"path": "/any", "to": "origin"},
            ],
            "ORIGIN": "https://app.example.com",
        });
        let gate = Gate::new(Config::read(vars.as_object().unwrap()).config.unwrap(), DefaultHandlers);
        let key = gate.config().tokens.keys().signing().unwrap();
        let token = |more: Value| {
            let mut claims = json!({
                "identity": "7", "sub": "7", "iat": NOW, "nbf": NOW, "exp": NOW + 600, "jti": "j", "type": "access",
                "fresh": false,
            });
            claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            token::sign(key, &Map::new(), claims.as_object().unwrap())
        };
        let ask = |path: &str, token: Option<&str>| {
            let (name, value) = gate.config().token_field(token.unwrap_or_default());
            let name = if token.is_some() { name } else { "x".into() };
            let headers = [(&*name, &*value)];
            let request = Request { method: "GET", site: "", path, query: None, headers: &headers };
            match gate.decide(&request, Timestamp::from_seconds(NOW)) {
                Decided::Now(Decision::Forward(_)) => (0, "", None, String::new()),
                Decided::Now(Decision::Reject(rejected)) => {
                    let answer = gate.answer_to(&rejected);
                    let challenge = answer.header("www-authenticate").map(str::to_owned);
                    (answer.status, rejected.rejection.code(), challenge, answer.body.clone())
                }
                _ => panic!("neither forwarded nor rejected"),
            }
        };
        let (admin, user) = (token(json!({"role": "admin"})), token(json!({"role": "user"})));
        let (challenge, body) = match wire {
            "flask-jwt" => {
                (None, "{\"description\":\"Insufficient permissions\",\"error\":\"Forbidden\",\"status_code\":403}\n")
            }
            _ => (Some("Bearer error=\"insufficient_scope\"".to_owned()), "{\"msg\":\"Insufficient permissions\"}\n"),
        };
        let refused = (403, "insufficient_permissions", challenge, body.to_owned());
        // Twice and more: the verdict is kept with a token that is remembered.
        for _ in 0..4 {
            assert_eq!(ask("/admin", Some(&admin)).0, 0, "{wire}");
            assert_eq!(ask("/admin", Some(&user)), refused, "{wire}");
            assert_eq!(ask("/any", Some(&user)).0, 0, "{wire}");
            assert_eq!(ask("/maybe", Some(&user)), refused, "{wire}");
            assert_eq!(ask("/maybe", Some(&token(json!({"role": "editor"})))).0, 0, "{wire}");
        }
        assert_eq!(ask("/maybe", None).1, "token_missing", "{wire}: no request passes without a token");
        assert_eq!(ask("/admin", None).1, "token_missing", "{wire}");
        let expired = token(json!({"role": "user", "exp": NOW - 50}));
        assert_eq!(ask("/admin", Some(&expired)).1, "token_expired", "{wire}: the token comes first");
    }
}

#[test]
fn an_application_words_what_is_not_enough() {
    struct Own;
    impl Handlers for Own {
        fn error(&self, rejection: &Rejection) -> Answer {
            Answer { status: 418, headers: Vec::new(), body: rejection.code().into() }
        }
    }
    impl Loaders for Own {
        fn insufficient_permissions(&self, token: TokenParts<'_>) -> Option<Answer> {
            Some(Answer { status: 418, headers: Vec::new(), body: token.payload["role"].to_string() })
        }
    }
    for (wire, hooks, body) in [
        ("flask-jwt", Hooks::default().with_handlers(Own), "insufficient_permissions"),
        ("flask-jwt-extended", Hooks::default().with_loaders(Own), "\"user\""),
    ] {
        let vars = json!({
            "TOLLGATE_WIRE": wire, "JWT_SECRET_KEY": "a secret of more than thirty-two bytes",
            "ROUTES": [{"path": "/admin", "to": "identity", "require": {"role": "admin"}}],
        });
        let gate = Gate::new(Config::read(vars.as_object().unwrap()).config.unwrap(), hooks);
        let claims = json!({
            "identity": "7", "sub": "7", "iat": NOW, "nbf": NOW, "exp": NOW + 600, "jti": "j", "role": "user",
        });
        let key = gate.config().tokens.keys().signing().unwrap();
        let (name, value) = gate.config().token_field(&token::sign(key, &Map::new(), claims.as_object().unwrap()));
        let headers = [(&*name, &*value)];
        let request = Request { method: "GET", site: "", path: "/admin", query: None, headers: &headers };
        let Decided::Now(Decision::Reject(rejected)) = gate.decide(&request, Timestamp::from_seconds(NOW)) else {
            panic!("{wire}: not rejected")
        };
        let answer = gate.answer_to(&rejected);
        assert_eq!((answer.status, answer.body.as_str()), (418, body), "{wire}");
    }
}

#[test]
fn new_tokens_have_the_claims_of_the_users_attributes_of_now() {
    let claims = json!({"role": "attributes.role", "tenant": "attributes.org.id"});
    for bindings in [ALL, Bindings::default()] {
        for wire in ["flask-jwt", "flask-jwt-extended"] {
            let mut vars = json!({"TOLLGATE_CLAIMS": claims});
            if wire == "flask-jwt-extended" {
                vars["TOLLGATE_WIRE"] = wire.into();
            }
            let mut world = World::new(vars, bindings);
            world.attributes = json!({"role": "admin", "org": {"id": 5}, "other": "not chosen"});
            let of = |world: &World, token: &str| {
                let token = world.gate.config.tokens.signed(token, None, world.now).unwrap();
                let claims = token.claims();
                (claims.get("role").cloned(), claims.get("tenant").cloned(), claims.get("other").cloned())
            };
            let (access, refresh) = world.tokens();
            assert_eq!(of(&world, &access), (Some(json!("admin")), Some(json!(5)), None), "{wire} {bindings:?}");
            world.attributes = json!({"role": "viewer"});
            if wire == "flask-jwt-extended" {
                assert_eq!(of(&world, &refresh), (None, None, None), "access tokens alone");
                let (access, _) = world.refresh(&refresh).unwrap();
                assert_eq!(of(&world, &access), (Some(json!("viewer")), None, None));
            }
            world.attributes = json!({"role": "r".repeat(2048)});
            let (status, body) = world.login("right");
            assert_eq!(status, 500, "{wire}: {body}");
        }
    }
}

#[test]
fn a_renewed_cookie_has_the_claims_of_now_or_is_not_renewed() {
    let vars = json!({
        "TOLLGATE_WIRE": "flask-jwt-extended", "JWT_TOKEN_LOCATION": "cookies", "TOLLGATE_COOKIE_REFRESH_WITHIN": "10m",
        "TOLLGATE_CLAIMS": {"role": "attributes.role"},
    });
    let mut world = World::new(vars, ALL);
    world.attributes = json!({"role": "admin"});
    let token = world.access_token();
    let cookie = format!("access_token_cookie={token}");
    world.wait(400);
    for (attributes, role) in [(json!({"role": "viewer"}), Some(json!("viewer"))), (json!({}), None)] {
        world.attributes = attributes;
        let answer = world.answer("GET", "/me", &[("cookie", &cookie)], Value::Null);
        let renewed = cookie_of(&answer).split_once('=').unwrap().1.to_owned();
        let renewed = world.gate.config.tokens.verify(&renewed, world.now).unwrap();
        assert_eq!(renewed.claims().get("role"), role.as_ref());
    }
    // Claims that are too long, and a cookie that no browser would store.
    for role in [json!("r".repeat(2048)), json!("é".repeat(330))] {
        world.attributes = json!({"role": role});
        let answer = world.answer("GET", "/me", &[("cookie", &cookie)], Value::Null);
        assert_eq!((answer.status, answer.header("set-cookie").is_some()), (200, role.as_str().unwrap().len() < 1000));
    }
    // The store does not answer: the request passes with the token that it has.
    world.attributes = json!({"role": "viewer"});
    for call in 0..4 {
        world.fails = Some((call, Failure::Before));
        let answer = world.answer("GET", "/me", &[("cookie", &cookie)], Value::Null);
        assert!([200, 503].contains(&answer.status), "{call}");
        if let Some(set) = answer.header("set-cookie") {
            let renewed = set.split([';', '=']).nth(1).unwrap();
            let claims = world.gate.config.tokens.verify(renewed, world.now).unwrap().claims();
            assert_eq!(claims.get("role"), Some(&json!("viewer")), "{call}: never without the claim");
        }
    }
}

#[test]
fn behind_trusted_proxies_the_last_other_address_counts() {
    let vars = json!({"TOLLGATE_TRUSTED_PROXIES": ["192.0.2.0/24", "127.0.0.0/8"]});
    for (peer, forwarded, key) in [
        ("192.0.2.9", "203.0.113.7", "203.0.113.7"),
        ("192.0.2.9", "198.51.100.1, 203.0.113.7, 192.0.2.8", "203.0.113.7"),
        ("192.0.2.9", "127.0.0.1", "192.0.2.9"),
        ("192.0.2.9", "127.0.0.1, 192.0.2.8", "192.0.2.8"),
        ("192.0.2.9", "::1", "192.0.2.9"),
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),
    ] {
        let mut world = World::new(vars.clone(), ALL);
        let headers = [("cf-connecting-ip", peer), ("x-forwarded-for", forwarded)];
        world.send("POST", "/auth", &headers, json!({"username": "ann", "password": "x"}));
        assert_eq!(world.asked[0], format!("limit Address {key}"), "{peer} {forwarded}");
    }
    let mut world = World::new(vars, ALL);
    let headers = [("cf-connecting-ip", "127.0.0.1"), ("x-forwarded-for", "203.0.113.7")];
    world.send("POST", "/auth", &headers, json!({"username": "ann", "password": "x"}));
    assert_eq!(world.asked[0], "name try", "in development: who connects is here");
}

#[test]
fn a_rule_may_be_for_some_places_only() {
    let vars = json!({
        "JWT_SECRET_KEY": "a secret of more than thirty-two bytes", "TOLLGATE_TRUSTED_PROXIES": ["198.51.100.0/24"],
        "ORIGIN": "https://app.example.com",
        "ROUTES": [
            {"path": "/office", "to": "origin", "auth": "none", "addresses": ["192.0.2.0/24"]},
            {"path": "/de", "to": "origin", "countries": ["DE"]},
        ],
    });
    let gate = Gate::new(Config::read(vars.as_object().unwrap()).config.unwrap(), DefaultHandlers);
    let code = |path: &str, address: &str, forwarded: &str, country: &str| {
        let headers = [("cf-connecting-ip", address), ("x-forwarded-for", forwarded), ("cf-ipcountry", country)];
        let request = Request { method: "GET", site: "", path, query: None, headers: &headers };
        match gate.decide(&request, Timestamp::from_seconds(NOW)) {
            Decided::Now(Decision::Forward(_)) => "passes",
            Decided::Now(Decision::Reject(rejected)) => {
                let answer = gate.answer_to(&rejected);
                assert!([401, 403].contains(&answer.status));
                rejected.rejection.code()
            }
            _ => panic!("neither forwarded nor rejected"),
        }
    };
    for (path, address, forwarded, country, expected) in [
        ("/office", "192.0.2.7", "", "", "passes"),
        ("/office", "203.0.113.7", "192.0.2.7", "", "place_forbidden"),
        ("/office", "198.51.100.1", "192.0.2.7", "", "passes"),
        ("/office", "198.51.100.1", "203.0.113.7", "", "place_forbidden"),
        ("/office", "", "192.0.2.7", "", "place_forbidden"),
        ("/de", "203.0.113.7", "", "DE", "token_missing"),
        ("/de", "203.0.113.7", "", "US", "place_forbidden"),
        ("/de", "203.0.113.7", "", "XX", "place_forbidden"),
        ("/de", "198.51.100.1", "203.0.113.7", "DE", "place_forbidden"),
    ] {
        assert_eq!(code(path, address, forwarded, country), expected, "{path} {address} {forwarded} {country}");
    }
}

#[test]
fn a_known_token_passes_from_allowed_places_alone() {
    let mut world = World::flask_jwt_extended();
    let (access, _) = world.tokens();
    let bearer = format!("Bearer {access}");
    for path in ["/office", "/de"] {
        for (address, country, status) in [
            ("192.0.2.7", "DE", 200),
            ("192.0.2.7", "DE", 200),
            ("203.0.113.7", "US", 403),
            ("192.0.2.7", "DE", 200),
            ("203.0.113.7", "US", 403),
        ] {
            let headers = [("authorization", &*bearer), ("cf-connecting-ip", address), ("cf-ipcountry", country)];
            assert_eq!(world.send("GET", path, &headers, Value::Null).0, status, "{path} {address}");
        }
    }
}

#[test]
fn a_user_who_is_gone_is_told_so_before_the_claims_are_judged() {
    let mut world = World::flask_jwt_extended();
    let (access, _) = world.tokens();
    assert_eq!(world.with(&access, "GET", "/stored-admin", Value::Null).0, 403);
    world.attributes = Value::Null;
    let (status, body) = world.with(&access, "GET", "/stored-admin", Value::Null);
    assert_eq!((status, &body["msg"]), (401, &json!("Error loading the user 1")), "{body}");
}

#[test]
fn requests_that_would_pass_are_counted_by_user_or_address() {
    let mut world = World::new(json!({}), ALL);
    let (token, _) = world.tokens();
    let jwt = format!("JWT {token}");
    let from = ("cf-connecting-ip", "2001:db8::7");
    let with = [("authorization", jwt.as_str()), from];
    let bad = [("authorization", "JWT x"), from];
    assert_eq!(world.status(&token, "/me"), 200);
    for _ in 0..3 {
        for (headers, path, asked) in [
            (&with[..], "/counted", &["limit Requests(\"REPORTS\") user:1"][..]),
            (&with, "/counted/strict", &["user check", "limit Requests(\"REPORTS\") user:1"]),
            (&with, "/counted/by-all", &["limit Requests(\"REPORTS\") user:1"]),
            (&with[1..], "/counted/by-all", &["limit Requests(\"REPORTS\") address:2001:db8:0:0::/64"]),
            (&[], "/counted/by-all", &["limit Requests(\"REPORTS\") address:"]),
        ] {
            assert_eq!(
                (world.send("GET", path, headers, Value::Null).0, &world.asked[..]),
                (200, &asked.iter().map(|asked| (*asked).to_owned()).collect::<Vec<_>>()[..]),
                "{path}"
            );
        }
        // What is refused anyway is not counted.
        for (headers, path) in [(&bad[..], "/counted"), (&[], "/counted"), (&bad, "/counted/by-all")] {
            assert_eq!(world.send("GET", path, headers, Value::Null).0, 401);
            assert!(world.asked.is_empty());
        }
    }
    world.full = Some((Limit::Requests("REPORTS"), "user:1"));
    let answer = world.answer("GET", "/counted", &with, Value::Null);
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("60")));
    assert_eq!(world.send("GET", "/counted/by-all", &with[1..], Value::Null).0, 200, "another's");
    assert_eq!(world.status(&token, "/me"), 200);
    // A preflight has no token.
    let request = Request { method: "OPTIONS", site: "", path: "/counted/by-all", query: None, headers: &Sent(vec![]) };
    assert!(matches!(world.gate.decide(&request, world.now), Decided::Now(Decision::Identity(_))));
}
