//! A token without a request is judged as one that came with it.

use super::*;

impl World {
    /// Status and body that a client of another worker gets for a token, 200 with the subject if it is good.
    fn verify(&mut self, token: &str, rule: Option<&str>) -> (u16, Value) {
        let outside = self.outside(&Value::Null);
        let rule = rule.map(|path| self.gate.rule_named(path, "GET").expect("a rule"));
        let verified = self.gate.verify(token, rule, &outside, &outside).now_or_never().expect("it never waits");
        let answer = match verified {
            Ok(principal) => (200, principal.to_json()["subject"].clone()),
            Err(rejected) => {
                let answer = self.gate.answer_to(&rejected);
                (answer.status, serde_json::from_str(&answer.body).unwrap())
            }
        };
        self.take_back(outside);
        answer
    }

    fn is_active(&mut self, token: &str) -> bool {
        let outside = self.outside(&Value::Null);
        let active = self.gate.introspect(token, &outside, &outside).now_or_never().expect("it never waits").is_ok();
        self.take_back(outside);
        active
    }

    fn end(&mut self, token: &str) -> u16 {
        let outside = self.outside(&Value::Null);
        let ended = self.gate.end_token(token, &outside).now_or_never().expect("it never waits");
        let status = match ended {
            Ok(answered) => answered.answer.status,
            Err(rejected) => self.gate.answer_to(&rejected).status,
        };
        self.take_back(outside);
        status
    }
}

/// Tokens of every kind, each in a world of its own, by what was done before.
fn tokens(wire: &str) -> Vec<(&'static str, World, String)> {
    let world = || match wire {
        "flask-jwt" => World::new(json!({}), ALL),
        _ => World::flask_jwt_extended(),
    };
    let mut all = Vec::new();
    for what in [
        "access",
        "refresh",
        "expired",
        "logged out",
        "gone",
        "no register",
        "used up",
        "garbage",
        "other key",
        "empty",
    ] {
        let mut world = world();
        let (access, refresh) = world.tokens();
        let mut token = access.clone();
        match what {
            "refresh" => token = refresh,
            "expired" => world.wait(3600),
            "logged out" => {
                assert_eq!(world.with(&access, "POST", "/auth/logout", Value::Null).0, 200);
                world.wait(11);
            }
            "gone" => world.fails = Some((0, Failure::Before)),
            "no register" => {
                world.register_answers = false;
                world.wait(11);
            }
            "used up" => world.full = Some((Limit::Requests("REPORTS"), "")),
            "garbage" => token = "x.y.z".into(),
            "other key" => token = format!("{}A", &access[..access.len() - 1]),
            "empty" => token.clear(),
            _ => {}
        }
        all.push((what, world, token));
    }
    all
}

#[test]
fn a_token_alone_is_judged_as_in_the_header_of_a_request() {
    for wire in ["flask-jwt", "flask-jwt-extended"] {
        let mut passed = 0;
        for (what, mut world, token) in tokens(wire).into_iter().filter(|(_, _, token)| !token.is_empty()) {
            for path in ["/me", "/strict", "/open", "/stored", "/counted", "/counted/strict"] {
                let verified = world.verify(&token, Some(path));
                let sent = world.with(&token, "GET", path, Value::Null);
                assert_eq!(verified.0, sent.0, "{wire}: {what} token under {path}");
                if sent.0 == 200 {
                    passed += 1;
                } else {
                    assert_eq!(verified.1, sent.1, "{wire}: {what} token under {path}");
                }
            }
        }
        assert!(passed > 10, "{passed}");
    }
}

#[test]
fn without_a_rule_it_is_an_access_token_that_is_not_revoked() {
    for wire in ["flask-jwt", "flask-jwt-extended"] {
        for (what, mut world, token) in tokens(wire) {
            let is_good = ["access", "used up"].contains(&what);
            let (status, body) = world.verify(&token, None);
            assert_eq!(status == 200, is_good, "{wire}: {what}: {body}");
            assert!(is_good || status == 401 || status == 422 || status == 503, "{wire}: {what}: {status} {body}");
        }
    }
}

#[test]
fn a_rule_that_looks_at_no_token_proves_nothing() {
    let mut world = World::flask_jwt_extended();
    let (access, _) = world.tokens();
    assert!(world.gate.rule_named("/public", "GET").is_none());
    assert!(world.gate.rule_named("/me", "POST").is_none() && world.gate.rule_named("/m", "GET").is_none());
    // Where a request would pass as anonymous, there is no verdict for anybody.
    assert_eq!(world.verify("", Some("/counted/by-all")).0, 422);
    assert_eq!(world.verify(&access, Some("/counted/by-all")).0, 200);
    assert_eq!(world.verify(&access, Some("/refreshing")).0, world.status(&access, "/refreshing"));
    assert_eq!(world.verify(&access, Some("/admin")).0, 403);
}

#[test]
fn a_rule_for_places_is_for_requests_only() {
    let vars = json!({"JWT_SECRET_KEY": "a secret of more than thirty-two bytes", "ROUTES": [{"path": "/here", "to": "identity", "countries": ["DE"]}]});
    let gate = Gate::new(Config::read(vars.as_object().unwrap()).config.unwrap(), DefaultHandlers);
    let mut world = World { gate, ..World::new(json!({}), ALL) };
    let (access, _) = world.tokens();
    assert_eq!((world.verify(&access, Some("/here")).0, world.verify(&access, None).0), (403, 200));
}

#[test]
fn an_operator_sees_and_ends_access_and_refresh_tokens() {
    for end_refresh in [false, true] {
        let mut world = World::flask_jwt_extended();
        let (access, refresh) = world.tokens();
        assert!(world.is_active(&access) && world.is_active(&refresh));
        assert_eq!(world.end(if end_refresh { &refresh } else { &access }), 200);
        // The account is asked, so it counts at once; the session has ended with either.
        assert!(!world.is_active(&access) && !world.is_active(&refresh));
    }
    let mut world = World::new(json!({}), ALL);
    let (access, _) = world.tokens();
    assert_eq!((world.end("x.y.z"), world.end(""), world.is_active(&access)), (401, 401, true));
    assert_eq!((world.end(&access), world.is_active(&access)), (200, false));
    let mut stateless = World::new(json!({}), Bindings::default());
    let (access, _) = stateless.tokens();
    assert!(stateless.end(&access) >= 400, "nothing can be ended without sessions");
}
