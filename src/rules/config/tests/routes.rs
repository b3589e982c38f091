//! Rules and endpoints.

use super::*;

#[test]
fn patterns_of_other_routers_and_ports_that_there_are_not_stop_the_gate() {
    for (path, instead) in [
        ("/item/<string:name>", "write {name}"),
        ("/item/<name>", "write {name}"),
        ("/files/<path:rest>", "write * as the last segment"),
        ("/item/:id", "write {id}"),
        ("/item/:id?", "write {id}"),
        ("/item/:id([0-9]+)", "write {id}"),
        ("/files/:rest*", "write * as the last segment"),
        ("/item/{id:int}", "write {id}"),
        ("/item/{id?}", "write {id}"),
        ("/files/{rest:path}", "write * as the last segment"),
        ("/files/{*rest}", "write * as the last segment"),
        ("/item/[id]", "write {id}"),
        ("/files/[...rest]", "write * as the last segment"),
        ("/files/**", "write * as the last segment"),
        ("/files/*rest", "write * as the last segment"),
        ("/item/(.*)", "write {name} for a whole segment"),
        ("/item/a<b>", "write {name} for a whole segment"),
        ("/(members|staff)/*", "write {name} for a whole segment"),
        ("/v[0-9]+/x", "write {name} for a whole segment"),
        ("/^admin", "write {name} for a whole segment"),
        ("/members/{path...}", "write * as the last segment"),
        ("/members/$", "write * as the last segment"),
        ("/a/+", "write * as the last segment"),
        ("/{css,js}/*", "write {css}"),
        ("/users/id:int", "write {id}"),
        ("/img/*.png", "write each file's path"),
        ("/members ", "blanks at the end"),
        ("/css /*", "blanks at the end"),
        ("/mem\u{200b}bers", "not seen"),
        ("/mem\u{a0}bers", "not seen"),
    ] {
        let reading = Config::read(&vars(json!({"ROUTES": [{"path": path, "to": "identity"}]})));
        let problems = reading.config.map(drop).unwrap_err();
        assert!(problems.len() == 1 && problems[0].option == "ROUTES[0].path", "{path}: {problems:?}");
        assert!(problems[0].text.contains(instead), "{path}: {problems:?}");
    }
    for path in [
        "/v1/things:batch",
        "/wiki/Foo_(bar)",
        "/$metadata",
        "/a/{id}",
        "/a/*",
        "/@me",
        "/a.b/c",
        "/~ann",
        "/my file.txt",
        "/{the_id}/{a-b}",
    ] {
        let reading = Config::read(&vars(json!({"ROUTES": [{"path": path, "to": "identity"}]})));
        assert!(reading.config.is_ok(), "{path}");
    }
    for url in ["https://app.example.com:99999", "http://127.0.0.1:0", "https://[::1]:70000", "https://a.example:x"] {
        assert_eq!(problems(json!({"ORIGIN": url})), ["ORIGIN"], "{url}");
    }
    for option in ["TOLLGATE_PUBLIC_URL", "TOLLGATE_PASSWORD_PWNED_URL"] {
        assert_eq!(
            problems(json!({option: "https://app.example.com:99999", "TOLLGATE_PASSWORD_PWNED": true})),
            [option]
        );
    }
    for url in ["https://app.example.com:8443", "http://[::1]:5000", "http://[::1]"] {
        assert!(Config::read(&vars(json!({"ORIGIN": url}))).config.is_ok(), "{url}");
    }
}

#[test]
fn what_stands_in_the_last_rule_or_is_a_secret_by_mistake_is_told_so() {
    let rule = json!({"ROUTES": [{"path": "/a", "to": "identity", "JWT_LEEWAY": 5, "workers_dev": false, "atuh": "none", "x": 1}]});
    let problems = Config::read(&vars(rule)).config.map(drop).unwrap_err();
    let told = |member: &str| {
        let option = format!("ROUTES[0].{member}");
        problems.iter().find(|problem| problem.option == option).map(|problem| problem.text.clone()).unwrap_or_default()
    };
    assert!(told("JWT_LEEWAY").contains("into vars"), "{problems:?}");
    assert!(told("workers_dev").contains("above the first table"), "{problems:?}");
    assert_eq!((told("atuh").as_str(), told("x").as_str()), ("no such member; did you mean auth?", "no such member"));
    let told =
        warnings(json!({"JWT_SECRET_KEY=hunter2, which is secret": 1, "jwt_leeway": 5, "JWT_BLACKLIST_ENABLED": true}));
    assert!(told[0].starts_with("JWT_SECRET_KEY: no such option"), "{told:?}");
    assert!(told.iter().all(|told| !told.contains("hunter2")), "{told:?}");
    assert!(told[1].ends_with("did you mean JWT_LEEWAY?") && !told[2].contains("did you mean"), "{told:?}");
}

#[test]
fn the_rule_for_who_it_is_and_the_worker_behind_are_judged_by_their_options() {
    let me = |url: &str| problems(json!({"TOLLGATE_WIRE": "flask-jwt-extended", "TOLLGATE_ME_URL": url}));
    for url in ["bad", "/me/:id"] {
        assert_eq!(me(url), ["TOLLGATE_ME_URL"], "{url}");
    }
    let with_worker = vars(json!({"ROUTES": [{"path": "/a", "to": "worker"}]}));
    let read = |serves_inner| {
        let environment = Environment {
            vars: &with_worker,
            bindings: WITH_SESSIONS,
            secrets_store: &[],
            secrets: Secrets::Visible,
            serves_inner,
            has_binding: &|_| true,
            has_limiter: &|_| true,
        };
        Config::read_from(environment).config.map(drop).map_err(|problems| problems[0].option.clone())
    };
    assert_eq!([None, Some(true), Some(false)].map(read), [Ok(()), Ok(()), Err("ROUTES[0].to".into())]);
    let twins = json!({"TOLLGATE_WIRE": "flask-jwt-extended", "TOLLGATE_LOGOUT_URL": "/auth"});
    let told = Config::read(&vars(twins)).config.map(drop).unwrap_err();
    assert!(told[0].text.contains("is JWT_AUTH_URL_RULE too"), "{told:?}");
}

#[test]
fn a_rule_may_be_cached_only_where_no_token_is_looked_at() {
    let with = |rule: Value| {
        let mut all = json!({"path": "/a", "to": "origin"});
        all.as_object_mut().unwrap().extend(rule.as_object().unwrap().clone());
        json!({"ORIGIN": "https://app.example", "ROUTES": [all]})
    };
    for (rule, option) in [
        (json!({"cache": true}), "ROUTES[0].cache"),
        (json!({"cache": false}), "ROUTES[0].cache"),
        (json!({"cache": true, "auth": "required"}), "ROUTES[0].cache"),
        (json!({"cache": true, "auth": "optional"}), "ROUTES[0].cache"),
        (json!({"cache": true, "auth": "none", "to": "assets"}), "ROUTES[0].cache"),
        (json!({"cache": "yes", "auth": "none"}), "ROUTES[0].cache"),
        (json!({"close_at_expiry": true, "auth": "none"}), "ROUTES[0].close_at_expiry"),
        (json!({"close_at_expiry": true, "to": "assets"}), "ROUTES[0].close_at_expiry"),
        (json!({"close_at_expiry": 1}), "ROUTES[0].close_at_expiry"),
    ] {
        assert_eq!(problems(with(rule.clone())), [option], "{rule}");
    }
    for (rule, cache, closes) in [
        (json!({}), false, false),
        (json!({"auth": "none"}), false, false),
        (json!({"auth": "none", "cache": true}), true, false),
        (json!({"auth": "optional", "close_at_expiry": true}), false, true),
    ] {
        let config = Config::read(&vars(with(rule))).config.unwrap();
        let rule = config.routes.rules().next().unwrap();
        assert_eq!((rule.cache, rule.close_at_expiry), (cache, closes));
    }
    // Two rules that differ in this alone are two.
    let both = json!({"ORIGIN": "https://app.example", "ROUTES": [
        {"path": "/*", "to": "origin", "auth": "none"},
        {"path": "/files/*", "to": "origin", "auth": "none", "cache": true},
    ]});
    let config = Config::read(&vars(both)).config.unwrap();
    let found = config.routes.find("GET", "/FILES/x");
    assert!(matches!(found, Err(crate::rules::rejection::RouteRejection::AmbiguousPath(_))), "{found:?}");
}

#[test]
fn bodies_with_tokens_have_a_limit() {
    for (limit, good) in
        [(1024, true), (65_536, true), (1_048_576, true), (1023, false), (1_048_577, false), (0, false)]
    {
        let read = Config::read(&vars(json!({"TOLLGATE_TOKEN_BODY_LIMIT": limit})));
        assert_eq!(read.config.is_ok(), good, "{limit}");
    }
}

#[test]
fn a_requirement_can_be_met() {
    let rule = |change: Value| {
        let mut rule = json!({"path": "/a", "to": "identity"});
        rule.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        json!({"ROUTES": [rule]})
    };
    for (change, wrong) in [
        (json!({"require": {"role": "admin"}}), ""),
        (json!({"require": {"role": "admin"}, "auth": "optional"}), ""),
        (json!({"require": {"sub": "7"}}), ""),
        (json!({"require": {"type": "access"}}), ""),
        (json!({"require": {"type": "refresh"}, "refresh": true}), ""),
        (json!({"require": {"type": "refresh"}, "verify_type": false}), ""),
        (json!({"require": {"role": []}}), "ROUTES[0].require"),
        (json!({"require": "admin"}), "ROUTES[0].require"),
        (json!({"require": {"role": "admin"}, "auth": "none", "to": "assets"}), "ROUTES[0].require"),
        (json!({"require": {"role": "admin"}, "auth": "optional", "invalid": "anonymous"}), "ROUTES[0].invalid"),
        (json!({"require": {"sub": 7}}), "ROUTES[0].require"),
        (json!({"require": {"type": "refresh"}}), "ROUTES[0].require"),
        (json!({"require": {"exp": "soon"}}), "ROUTES[0].require"),
        (json!({"require": {"jti": 1}}), "ROUTES[0].require"),
        // In other words and spellings.
        (json!({"require": {"type": {"not": "refresh"}}}), ""),
        (json!({"require": {"type": {"not": "access"}}}), "ROUTES[0].require"),
        (json!({"require": {"/type": "access"}}), ""),
        (json!({"require": {"/type": "refresh"}}), "ROUTES[0].require"),
        (json!({"require": {"sub": {"has": "7"}}}), "ROUTES[0].require"),
        (json!({"require": {"sub": {"not": "7"}}}), ""),
        (json!({"require": {"iss": "x", "aud": "y"}}), ""),
        (json!({"require": {"type/x": "refresh", "/type/x": "refresh"}}), ""),
    ] {
        let found = flask_jwt_extended(rule(change.clone())).map(drop);
        let expected = if wrong.is_empty() { Ok(()) } else { Err(vec![wrong.to_owned()]) };
        assert_eq!(found, expected, "{change}");
    }
    let with_names = |require: Value| {
        let mut vars = rule(json!({"require": require}));
        vars["JWT_DECODE_ISSUER"] = json!(["a", "b"]);
        vars["JWT_DECODE_AUDIENCE"] = json!(["c"]);
        flask_jwt_extended(vars).is_ok()
    };
    for (require, good) in [
        (json!({"iss": "a"}), true),
        (json!({"iss": {"not": "a"}}), true),
        (json!({"iss": ["a", "x"]}), false),
        (json!({"iss": {"not": ["a", "b"]}}), false),
        (json!({"iss": {"has": "a"}}), false),
        (json!({"aud": "c"}), true),
        (json!({"aud": {"has": "x"}}), true),
        (json!({"aud": "x"}), false),
        (json!({"/aud": {"not": "c"}}), false),
    ] {
        assert_eq!(with_names(require.clone()), good, "{require}");
    }
    for claim in [
        json!({"identity": true}),
        json!({"identity": {"has": 1}}),
        json!({"aud": "a"}),
        json!({"aud": {"has": "a"}}),
        json!({"aud": {"not": "a"}}),
    ] {
        assert_eq!(problems(rule(json!({"require": claim}))), ["ROUTES[0].require"], "{claim}");
    }
    assert_eq!(problems(rule(json!({"require": {"role": "a"}, "auth": "none"}))).len(), 2);
}

#[test]
fn a_rate_names_a_limiter_that_is_bound() {
    let read = |rate: Value| {
        let all = vars(json!({"ROUTES": [{"path": "/a", "to": "identity", "rate": rate}]}));
        let environment = Environment {
            vars: &all,
            bindings: Bindings::default(),
            secrets_store: &[],
            secrets: Secrets::Visible,
            serves_inner: None,
            has_binding: &|_| true,
            has_limiter: &|name| name == "REPORTS",
        };
        let problems = Config::read_from(environment).config.err().unwrap_or_default();
        problems.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(read(json!("REPORTS")), [""; 0]);
    for wrong in [json!("OTHER"), json!(""), json!("a b"), json!("1A"), json!(7), json!(["REPORTS"])] {
        let problems = read(wrong.clone());
        assert!(problems.len() == 1 && problems[0].starts_with("ROUTES[0].rate: "), "{wrong}: {problems:?}");
    }
    // A server has no limiters.
    assert_eq!(problems(json!({"ROUTES": [{"path": "/a", "to": "identity", "rate": "REPORTS"}]})), ["ROUTES[0].rate"]);
}
