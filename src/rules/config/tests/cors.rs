//! CORS: tables that promise nothing that browsers or the gate would not keep.

use super::*;

#[test]
fn the_member_that_is_wrong_is_named() {
    for (cors, option) in [
        (json!("https://app.example.com"), "TOLLGATE_CORS"),
        (json!({"origins": ["null"]}), "TOLLGATE_CORS.origins"),
        (json!({"origins": ["*"], "credentials": true}), "TOLLGATE_CORS.origins"),
        (json!({"origin": "https://app.example.com", "origins": ["*"]}), "TOLLGATE_CORS.origin"),
    ] {
        assert_eq!(problems(json!({"TOLLGATE_CORS": cors})), [option], "{cors}");
    }
    let rule = |methods: Value, cors: Value| json!({"ROUTES": [{"path": "/api", "to": "identity", "methods": methods, "cors": cors}]});
    let good = json!({"origins": ["https://app.example.com"]});
    assert_eq!(problems(rule(json!(["GET"]), json!({}))), ["ROUTES[0].cors.origins"]);
    assert_eq!(problems(rule(json!(["GET", "OPTIONS"]), good.clone())), ["ROUTES[0].cors"]);
    // Another rule with the path has OPTIONS.
    let both = json!({"ORIGIN": "https://o.example", "ROUTES": [
        {"path": "/api", "to": "identity", "cors": good},
        {"path": "/api", "to": "origin", "methods": ["OPTIONS"]},
    ]});
    assert_eq!(problems(both), ["ROUTES[0].cors"]);
    let log_in = json!({"TOLLGATE_CORS": good, "JWT_AUTH_URL_OPTIONS": {"methods": ["POST", "OPTIONS"]}});
    assert_eq!(problems(log_in), ["TOLLGATE_CORS"]);
    let config = Config::read(&vars(rule(json!(["*"]), good.clone()))).config.unwrap();
    assert!(config.routes.rules().all(|rule| rule.cors.is_some()));
    // As wrangler's `vars` of one line have it.
    let config = Config::read(&vars(json!({"TOLLGATE_CORS": good.to_string()}))).config.unwrap();
    assert!(config.cors.is_some());
}

#[test]
fn cookies_must_be_able_to_reach_the_gate_from_the_pages_that_may_send_them() {
    let read = |origin: &str, more: Value| {
        let mut all = json!({
            "JWT_TOKEN_LOCATION": ["cookies"],
            "TOLLGATE_PUBLIC_URL": "https://gate.example.com",
            "JWT_COOKIE_SECURE": true,
            "TOLLGATE_CSRF_IN_BODY": true,
            "TOLLGATE_CORS": {"origins": [origin], "credentials": true},
        });
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        flask_jwt_extended(all)
    };
    let is_problem = |origin: &str, more: Value| match read(origin, more) {
        Ok(_) => false,
        Err(problems) => {
            assert_eq!(problems, ["TOLLGATE_CORS.credentials"], "{origin}");
            true
        }
    };
    assert!(is_problem("https://app.other.example", json!({})));
    assert!(is_problem("https://*.other.example", json!({"JWT_COOKIE_SAMESITE": "Lax"})));
    assert!(is_problem("http://app.example.com", json!({})), "another scheme is another site");
    assert!(!is_problem("https://app.example.com", json!({})), "the same site");
    assert!(!is_problem("https://app.other.example", json!({"JWT_COOKIE_SAMESITE": "None"})));
    let workers = json!({"TOLLGATE_PUBLIC_URL": "https://gate.me.workers.dev"});
    assert!(is_problem("https://app.you.workers.dev", workers.clone()));
    assert!(!is_problem("https://app.me.workers.dev", workers));
    let (_, warnings) = read("https://app.other.example", json!({"TOLLGATE_PUBLIC_URL": ""})).unwrap();
    assert!(warnings.contains(&"TOLLGATE_CORS.credentials".into()), "{warnings:?}");
}

#[test]
fn pages_that_send_cookies_must_get_the_csrf_value() {
    let with = |more: Value| {
        let mut all = json!({
            "TOLLGATE_WIRE": "flask-jwt-extended",
            "JWT_TOKEN_LOCATION": ["cookies"],
            "TOLLGATE_PUBLIC_URL": "https://gate.example.com",
            "JWT_COOKIE_SECURE": true,
            "TOLLGATE_CORS": {"origins": ["https://app.example.com"], "credentials": true},
        });
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        faults(all).iter().any(|fault| fault.starts_with("TOLLGATE_CORS.credentials"))
    };
    assert!(with(json!({})));
    assert!(!with(json!({"TOLLGATE_CSRF_IN_BODY": true})));
    assert!(!with(json!({"JWT_COOKIE_DOMAIN": "example.com"})));
    assert!(!with(json!({"JWT_COOKIE_CSRF_PROTECT": false})));
    assert!(!with(json!({"JWT_TOKEN_LOCATION": ["headers"]})));
}

#[test]
fn who_am_i_has_the_cors_of_the_endpoints() {
    let cors = json!({"origins": ["https://app.example.com"]});
    let (config, _) = flask_jwt_extended(json!({"TOLLGATE_CORS": cors})).unwrap();
    let rules: Vec<_> = config.routes.rules().map(|rule| (&*rule.path, rule.cors.is_some())).collect();
    assert_eq!(rules, [("/auth/me", true)]);
}
