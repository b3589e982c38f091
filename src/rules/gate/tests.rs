//! Sessions through the gate, natively: each question is answered out of a table, and what was asked is written down.

use super::*;
use crate::rules::{
    account::{PasswordChange, Rows, object},
    config::Services,
    handlers::Stock,
    json::{Map, Value, json},
    request::Headers,
    revocation::Register,
    time::Span,
    token::Random,
};
use std::{borrow::Cow, collections::HashMap};

const NOW: i64 = 1_800_000_000;

/// What lies around a gate: objects, the register, one user, and a clock.
struct World {
    gate: Gate,
    now: Timestamp,
    objects: HashMap<String, Rows>,
    register: Register,
    register_answers: bool,
    /// Is there room under the limits of this name?
    full: Option<Limit>,
    password: &'static str,
    version: i64,
    asked: Vec<String>,
    count: u8,
}

struct Sent(Vec<(String, String)>);

impl Headers for Sent {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.into())
    }
}

impl World {
    fn new(vars: Value, services: Services) -> Self {
        let mut all: Map<String, Value> = vars.as_object().unwrap().clone();
        all.insert("JWT_SECRET_KEY".into(), "a secret of more than thirty-two bytes".into());
        all.insert("TOLLGATE_ADMIN_SECRET".into(), "another secret of more than thirty-two bytes".into());
        all.insert("ROUTES".into(), json!([{"path": "/me", "to": "identity"}, {"path": "/strict", "to": "identity", "revocation": "strict"}, {"path": "/open", "to": "identity", "revocation_unknown": "open"}]));
        Self {
            gate: Gate::new(Config::read_with(&all, services).config.unwrap(), Stock),
            now: Timestamp::from_seconds(NOW),
            objects: HashMap::new(),
            register: Register::default(),
            register_answers: true,
            full: None,
            password: "right",
            version: 0,
            asked: Vec::new(),
            count: 0,
        }
    }

    fn extended() -> Self {
        Self::new(json!({"TOLLGATE_WIRE": "flask-jwt-extended"}), ALL)
    }

    fn wait(&mut self, seconds: i32) {
        self.now = self.now.later(Span::seconds(seconds));
    }

    /// Status and body; what was asked on the way is in `asked`.
    fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: Value) -> (u16, Value) {
        let answer = self.answer(method, path, headers, body);
        (answer.status, serde_json::from_str(&answer.body).unwrap_or_default())
    }

    fn answer(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: Value) -> Answer {
        let mut sent: Vec<_> = headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        sent.push(("content-type".into(), "application/json".into()));
        let sent = Sent(sent);
        let request = Request { method, path, query: None, headers: &sent };
        let body = body.to_string().into_bytes();
        let World { gate, objects, register, asked, .. } = self;
        asked.clear();
        let now = self.now;
        let mut decision = gate.decide(&request, now);
        loop {
            let ask = match decision {
                Decision::Refuse(refused) => return gate.answer_to(&refused),
                Decision::Answer(answered) => return answered.answer,
                Decision::Identity(passage) => return gate.identity(&passage),
                Decision::Ask(ask) => ask,
                _ => panic!("elsewhere"),
            };
            decision = match ask {
                Ask::Body(question) => question.answer(Ok(body.clone())),
                Ask::TokenBody(question) => question.answer(Ok(&body), &request, now),
                Ask::Random(question) => {
                    self.count += 1;
                    question.answer(&[self.count; size_of::<Random>()], now)
                }
                Ask::Pause(question) => {
                    asked.push("pause".into());
                    question.answer(now)
                }
                Ask::Limit(question) => {
                    asked.push(format!("limit {:?} {}", question.limit(), question.key()));
                    let is_room = self.full != Some(question.limit());
                    question.answer(is_room)
                }
                Ask::Authenticate(question) => {
                    asked.push("hash".into());
                    let is_right = question.credentials().password.expose() == self.password;
                    let version = Timestamp::from_millis(self.version);
                    let identity = Identity { version, ..Identity::new(Id::Int(1)) };
                    question.answer(Ok(is_right.then_some(identity)), now)
                }
                Ask::Identity(question) => {
                    let id = question.id();
                    question.answer(Ok(id.map(Identity::new)), now)
                }
                Ask::Password(question) => {
                    let is_right = question.old().is_none_or(|old| old.expose() == self.password);
                    let change = if is_right {
                        let proven = Timestamp::from_millis(self.version);
                        PasswordChange::Prepared { proven, key: "login:ann".into(), record: Map::new() }
                    } else {
                        PasswordChange::Wrong
                    };
                    question.answer(Ok(change), now)
                }
                Ask::Revocations(question) => {
                    asked.push("register".into());
                    let told = register.since(question.since(), now);
                    question.answer(if self.register_answers { Ok(told) } else { Err(AskFault::Unavailable) }, now)
                }
                Ask::Account(question) => {
                    let name = question.object().to_owned();
                    let command = question.command().clone();
                    let (kind, _) = name.split_once(':').unwrap_or((&name, ""));
                    let word = serde_json::to_value(&command).unwrap();
                    let word = word.as_str().or_else(|| Some(word.as_object()?.keys().next()?.as_str())).unwrap();
                    asked.push(format!("{kind} {word}"));
                    let rows = objects.entry(name.clone()).or_default();
                    let step = object::step(rows, &name, command, question.lifetimes(), now).unwrap();
                    for (key, value) in step.changes {
                        match value {
                            Some(value) => rows.insert(key, value),
                            None => rows.remove(&key),
                        };
                    }
                    for entry in step.announcements {
                        register.revoke(entry, now);
                    }
                    question.answer(Ok(step.reply), now)
                }
            };
        }
    }

    fn log_in(&mut self, password: &str) -> (u16, Value) {
        self.send("POST", "/auth", &[], json!({"username": "ann", "password": password}))
    }

    fn tokens(&mut self) -> (String, String) {
        let (status, body) = self.log_in(self.password);
        assert_eq!(status, 200, "{body}");
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        (text("access_token"), text("refresh_token"))
    }

    fn with(&mut self, token: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
        let scheme = if self.gate.config.extended().is_some() { "Bearer" } else { "JWT" };
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

const ALL: Services = Services { sessions: true, address_limit: true, hashing_limit: true };

#[test]
fn limits_come_before_the_hash_in_this_order() {
    let mut world = World::extended();
    let from = [("cf-connecting-ip", "192.0.2.7")];
    let body = json!({"username": "ann", "password": "right"});
    assert_eq!(world.send("POST", "/auth", &from, body.clone()).0, 200);
    let whole = ["limit Address 192.0.2.7", "name try", "limit Hashing strangers", "hash", "user open", "name right"];
    assert_eq!(world.asked, whole);
    assert_eq!(world.send("POST", "/auth", &from, body.clone()).0, 200);
    assert_eq!(world.asked[2], "limit Hashing known", "its address is known by now");
    for (full, asked) in [
        (Limit::Address, vec!["limit Address 192.0.2.7"]),
        (Limit::Hashing, vec!["limit Address 192.0.2.7", "name try", "limit Hashing known", "name untried"]),
    ] {
        world.full = Some(full);
        let answer = world.answer("POST", "/auth", &from, body.clone());
        assert_eq!((answer.status, answer.header("retry-after")), (429, Some("60")));
        assert_eq!(world.asked, asked);
    }
    world.full = None;
    let statuses: Vec<u16> = (0..8).map(|_| world.log_in("wrong").0).collect();
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
        let mut world = World::extended();
        world.send("POST", "/auth", &[("cf-connecting-ip", address)], json!({"username": "ann", "password": "x"}));
        assert_eq!(world.asked[0], format!("limit Address {key}"));
    }
    for address in ["", "x", "192.0.2", "127.0.0.1", "::1"] {
        let mut world = World::extended();
        world.send("POST", "/auth", &[("cf-connecting-ip", address)], json!({"username": "ann", "password": "x"}));
        assert_eq!(world.asked[0], "name try", "{address:?}");
    }
}

#[test]
fn only_a_browser_gets_a_cookie_and_only_once() {
    let mut world = World::extended();
    let body = json!({"username": "ann", "password": "right"});
    let cookie = |answer: &Answer| answer.header("set-cookie").map(str::to_owned);
    assert_eq!(cookie(&world.answer("POST", "/auth", &[], body.clone())), None);
    let browser = [("sec-fetch-site", "same-origin"), ("cf-visitor", "{\"scheme\":\"https\"}")];
    let set = cookie(&world.answer("POST", "/auth", &browser, body.clone())).unwrap();
    assert!(set.ends_with("; Max-Age=7776000; Secure; HttpOnly; Path=/auth; SameSite=Strict"), "{set}");
    let own = set.split(';').next().unwrap().to_owned();
    let again = [("sec-fetch-site", "same-origin"), ("cookie", own.as_str())];
    assert_eq!(cookie(&world.answer("POST", "/auth", &again, body.clone())), None);
    assert_eq!(world.asked[1], "limit Hashing known");
}

#[test]
fn a_good_token_asks_nobody_until_the_snapshot_is_old() {
    let mut world = World::extended();
    let (access, _) = world.tokens();
    assert_eq!(world.status(&access, "/me"), 200);
    assert_eq!(world.asked, ["register"], "the first of all");
    world.wait(10);
    assert_eq!((world.status(&access, "/me"), world.asked.len()), (200, 0));
    assert!(world.gate.wants_news(world.now), "behind an answer");
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
fn a_log_out_is_known_at_once_where_it_is_asked_for_and_everywhere_within_the_bound() {
    for extended in [true, false] {
        let mut world = if extended { World::extended() } else { World::new(json!({}), ALL) };
        let (access, refresh) = world.tokens();
        let (other, _) = world.tokens();
        assert_eq!(world.status(&access, "/me"), 200);
        assert_eq!(
            world.with(&access, "POST", "/auth/logout", Value::Null),
            (200, json!({"msg": "logout successful"}))
        );
        assert_eq!([world.status(&access, "/strict"), world.status(&other, "/strict")], [401, 200]);
        assert_eq!(world.status(&access, "/me"), 200, "the snapshot is of before");
        if extended {
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
    let (_, refresh) = world.tokens();
    world.wait(3000);
    let (access, refresh) = world.refresh(&refresh).unwrap();
    for token in [&access, &refresh] {
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
        |world: &World, token: &str| world.gate.config.tokens.verify(token, world.now).unwrap().session_and_id().0;
    assert_eq!(sid(&world, &new), sid(&world, cookie.split_once('=').unwrap().1));
    // The snapshot does not know yet, but the account does.
    let csrf = world.gate.config.tokens.verify(&new, world.now).unwrap().claims()["csrf"].as_str().unwrap().to_owned();
    let cookie_of_new = format!("access_token_cookie={new}");
    let out = [("cookie", cookie_of_new.as_str()), ("x-csrf-token", csrf.as_str())];
    assert_eq!(world.answer("POST", "/auth/logout", &out, Value::Null).status, 200);
    assert_eq!(world.answer("GET", "/me", &headers, Value::Null).status, 401);
}

#[test]
fn a_new_password_ends_all_and_an_old_record_opens_nothing() {
    let mut world = World::extended();
    let (access, refresh) = world.tokens();
    let wish = |old: &str| json!({"old_password": old, "new_password": "new"});
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
    // The store still gives the record of before, and its password is right.
    assert_eq!(world.log_in("right").0, 401);
    world.version = world.now.as_millis();
    assert_eq!(world.log_in("right").0, 200);
}

#[test]
fn an_operators_orders_need_the_secret_and_reach_the_account_that_tokens_name() {
    for extended in [true, false] {
        let mut world = if extended { World::extended() } else { World::new(json!({}), ALL) };
        let (access, _) = world.tokens();
        let good = [("authorization", "Bearer another secret of more than thirty-two bytes")];
        for bad in ["Bearer another secret of more than thirty-two bytez", "another secret", "Bearer ", ""] {
            let order = json!({"do": "end-all", "user": 1});
            assert_eq!(world.send("POST", "/auth/admin", &[("authorization", bad)], order).0, 401);
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
        assert_eq!(world.log_in("right").0, 401, "not by this password");
    }
}

#[test]
fn one_request_asks_the_register_for_all_that_wait() {
    let mut world = World::extended();
    let (access, _) = world.tokens();
    world.gate.asks_for_news(world.now);
    assert_eq!(world.status(&access, "/me"), 200);
    assert_eq!(world.asked.iter().filter(|asked| *asked == "pause").count(), 40, "it waits for the other");
    assert_eq!(world.asked.last().unwrap(), "register", "but not for ever");
    world.wait(11);
    world.gate.asks_for_news(world.now);
    let told = world.register.since(0, world.now);
    world.gate.learn(&told, world.now);
    assert_eq!((world.status(&access, "/me"), world.asked.len()), (200, 0));
}

#[test]
fn an_end_of_everybody_holds_where_an_account_is_asked_too() {
    let mut world = World::extended();
    let (access, refresh) = world.tokens();
    world.wait(1);
    let good = [("authorization", "Bearer another secret of more than thirty-two bytes")];
    assert_eq!(world.send("POST", "/auth/admin", &good, json!({"do": "end-everybody"})).0, 200);
    for path in ["/strict", "/auth/sessions", "/me"] {
        assert_eq!(world.status(&access, path), 401, "{path}");
    }
    let wish = json!({"new_password": "new"});
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
    let mut world = World::extended();
    let (access, _) = world.tokens();
    world.full = Some(Limit::Hashing);
    for _ in 0..10 {
        let wish = json!({"old_password": "right", "new_password": "new"});
        assert_eq!(world.with(&access, "POST", "/auth/password", wish).0, 429);
        assert_eq!(world.asked.last().unwrap(), "user untried");
    }
    world.full = None;
    let wish = json!({"old_password": "right", "new_password": "new"});
    assert_eq!(world.with(&access, "POST", "/auth/password", wish).0, 200);
}

#[test]
fn a_log_out_ends_the_sessions_of_both_cookies() {
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
    let mut world = World { objects, now: world.now, count: 9, ..World::extended() };
    let (_, next) = world.refresh(&refresh).unwrap();
    assert_ne!(next, "");
    assert!(world.refresh(&next).is_some());
    world.wait(11);
    assert_eq!(world.refresh(&refresh), None, "it is good for one use now");
}

#[test]
fn without_sessions_nobody_is_asked_and_no_endpoint_is_there() {
    let mut world = World::new(json!({"TOLLGATE_WIRE": "flask-jwt-extended"}), Services::default());
    let (access, refresh) = world.tokens();
    assert_eq!(world.asked, ["hash"]);
    assert!(world.refresh(&refresh).is_some_and(|(_, next)| next.is_empty()));
    for path in ["/auth/sessions", "/auth/logout/all", "/auth/password", "/auth/admin"] {
        assert_eq!(world.status(&access, path), 404, "{path}");
    }
    assert_eq!(world.status(&access, "/strict"), 200);
}
