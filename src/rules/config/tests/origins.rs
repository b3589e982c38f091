//! Several origins, the paths that rules rewrite for them, and assertions.

use super::*;
use crate::rules::{config::Environment, origin::Address, time::Timestamp};

/// A configuration with these origins, rules to them, and other variables.
fn with(origins: Value, routes: Value, more: Value) -> Loaded {
    let mut all = vars(json!({"ORIGIN": "https://app.example.com/base", "ORIGINS": origins, "ROUTES": routes}));
    all.extend(more.as_object().unwrap().clone());
    read(&all)
}

/// With the bindings ORDERS and MTLS.
fn read(vars: &Map<String, Value>) -> Loaded {
    Config::read_from(Environment {
        vars,
        bindings: Bindings::default(),
        secrets_store: &[],
        secrets: Secrets::Visible,
        serves_inner: None,
        has_binding: &|name| ["ORDERS", "MTLS"].contains(&name),
        has_limiter: &|name| name == "REPORTS",
    })
}

/// The options with problems, each once.
fn wrong(loaded: Loaded) -> Vec<String> {
    let mut options: Vec<String> =
        loaded.config.map(drop).err().into_iter().flatten().map(|problem| problem.option).collect();
    options.dedup();
    options
}

#[test]
fn an_origin_is_a_url_or_a_binding() {
    for (origin, address, prefix) in [
        (json!({"url": "https://a.example.com"}), Address::Network("https://a.example.com".into()), ""),
        (json!({"url": "https://a.example.com/"}), Address::Network("https://a.example.com".into()), ""),
        (
            json!({"url": "https://a.example.com:8443/v1/"}),
            Address::Network("https://a.example.com:8443".into()),
            "/v1",
        ),
        (
            json!({"url": "https://a.example.com/v1", "prefix": "/x/y"}),
            Address::Network("https://a.example.com".into()),
            "/v1/x/y",
        ),
        (json!({"service": "ORDERS"}), Address::Service { binding: "ORDERS".into(), site: None }, ""),
        (
            json!({"service": "ORDERS", "host": "client", "prefix": "/v2"}),
            Address::Service { binding: "ORDERS".into(), site: None },
            "/v2",
        ),
        (
            json!({"service": "MTLS", "url": "https://a.example.com", "host": "origin"}),
            Address::Service { binding: "MTLS".into(), site: Some("https://a.example.com".into()) },
            "",
        ),
    ] {
        let mut table = origin.clone();
        table["name"] = "orders".into();
        let loaded = with(json!([table]), json!([{"path": "/orders/*", "to": "orders"}]), json!({}));
        assert!(loaded.warnings.iter().all(|warning| !warning.option.contains("ORIGIN")), "{:?}", loaded.warnings);
        let config = loaded.config.unwrap();
        let rule = config.routes.rules().next().unwrap();
        let found = config.origin(rule.forwarding().unwrap()).unwrap();
        assert_eq!((&found.address, found.prefix.as_str()), (&address, prefix), "{origin}");
        assert_eq!(found.timeout, Duration::seconds(30), "that of ORIGIN_TIMEOUT");
    }
    let own = with(json!([]), json!([{"path": "/*", "to": "origin"}]), json!({"ORIGIN_TIMEOUT": "5s"})).config.unwrap();
    let [origin] = &own.origins[..] else { panic!() };
    assert_eq!(
        (origin.name.as_str(), origin.prefix.as_str(), origin.timeout),
        ("origin", "/base", Duration::seconds(5))
    );
}

#[test]
fn each_wrong_member_is_named() {
    let good = json!({"name": "orders", "url": "https://a.example.com"});
    for (member, value) in [
        ("name", json!("")),
        ("name", json!(1)),
        ("name", json!("a b")),
        ("name", json!("origin")),
        ("name", json!("worker")),
        ("url", json!("a.example.com")),
        ("url", json!("https://u:p@a.example.com")),
        ("url", json!("https://a.example.com?x")),
        ("url", json!(null)),
        ("url", json!("https://a.example.com/x/..")),
        ("url", json!("https://a.example.com/x/%2e%2E/y")),
        ("url", json!("https://a.example.com//x")),
        ("url", json!("https://a.example.com/x%2fy")),
        ("url", json!("https://1.2.3.4.5")),
        ("url", json!("http://127.1:5000")),
        ("url", json!("http://0x7f.1")),
        ("url", json!("http://2130706433")),
        ("url", json!("https://[::1")),
        ("service", json!("PAYMENTS")),
        ("service", json!(1)),
        ("host", json!("client")),
        ("host", json!("Origin")),
        ("host", json!(true)),
        ("prefix", json!("v2")),
        ("prefix", json!("/v2/")),
        ("prefix", json!("/")),
        ("prefix", json!("/a/../b")),
        ("prefix", json!("/a//b")),
        ("prefix", json!("/a?b")),
        ("prefix", json!("/{a}")),
        ("prefix", json!("/%61")),
        ("timeout", json!(0)),
        ("timeout", json!("11m")),
        ("timeout", json!("soon")),
        ("headers", json!([])),
        ("headers", json!({"X Key": "a"})),
        ("headers", json!({"X-Key": ""})),
        ("headers", json!({"X-Key": "é"})),
        ("headers", json!({"X-Key": "a\nb"})),
        ("headers", json!({"X-Key": 1})),
        ("headers", json!({"X-Key": {"secret": "MISSING"}})),
        ("headers", json!({"X-Key": {"secret": "JWT_SECRET_KEY"}})),
        ("headers", json!({"X-Key": {"secret": "WITH_LINE"}})),
        ("headers", json!({"X-Key": {"secret": "KEY", "more": 1}})),
        ("headers", json!({"X-Auth-Key": "a"})),
        ("headers", json!({"x_forwarded_for": "a"})),
        ("headers", json!({"X-Forwarded-Prefix": "a"})),
        ("headers", json!({"Forwarded": "a"})),
        ("headers", json!({"Host": "a"})),
        ("headers", json!({"Connection": "a"})),
        ("headers", json!({"Content-Length": "1"})),
        ("headers", json!({"Cookie": "a=b"})),
        ("headers", json!({"CF-Connecting-IP": "192.0.2.1"})),
        ("headers", json!({"X-User-Role": "a"})),
        ("headers", json!({"X-Real-IP": "a"})),
        ("headers", json!({"X-Key": "a", "X_Key": "b"})),
        ("colour", json!("red")),
    ] {
        let mut table = good.clone();
        table[member] = value.clone();
        let more = json!({
            "KEY": "a", "WITH_LINE": "a\n", "TOLLGATE_CLAIM_HEADERS": {"X-User-Role": "role"},
            "TOLLGATE_KEEP_HEADERS": "X-Real-IP",
        });
        let options = wrong(with(json!([table]), json!([{"path": "/a", "to": "orders"}]), more));
        let expected = format!("ORIGINS[0].{member}");
        assert!(options.contains(&expected), "{member} {value}: {options:?}");
    }
    for (origins, option) in [
        (json!({}), "ORIGINS"),
        (json!(["orders"]), "ORIGINS[0]"),
        (json!([{"name": "orders"}]), "ORIGINS[0].url"),
        (json!([{"name": "orders", "service": "ORDERS", "host": "origin"}]), "ORIGINS[0].host"),
        (json!([{"name": "orders", "service": "MTLS", "url": "https://a", "host": "client"}]), "ORIGINS[0].host"),
        (json!([good, good]), "ORIGINS[1].name"),
    ] {
        let options = wrong(with(origins.clone(), json!([]), json!({})));
        assert_eq!(options, [option], "{origins}");
    }
    let unused = with(json!([good]), json!([]), json!({})).warnings;
    assert!(unused.iter().any(|warning| warning.to_string().contains("no rule goes to \"orders\"")), "{unused:?}");
}

#[test]
fn a_secret_of_an_origin_is_no_unknown_option_and_is_not_printed() {
    let origins = json!([{
        "name": "orders", "url": "https://a.example.com",
        "headers": {"X-Key": {"secret": "ORIGIN_KEY"}, "Authorization": "Basic dTpw", "CF-Access-Client-Id": "id"},
    }]);
    let loaded = with(origins, json!([{"path": "/a", "to": "orders"}]), json!({"ORIGIN_KEY": "correct horse battery"}));
    assert!(!loaded.warnings.iter().any(|warning| warning.option == "ORIGIN_KEY"), "{:?}", loaded.warnings);
    let config = loaded.config.unwrap();
    let headers = &config.origins[0].headers;
    assert_eq!(
        headers
            .iter()
            .map(|it| (it.name.as_str(), it.secret.as_deref(), it.value.expose().as_str()))
            .collect::<Vec<_>>(),
        [
            ("x-key", Some("ORIGIN_KEY"), "correct horse battery"),
            ("authorization", None, "Basic dTpw"),
            ("cf-access-client-id", None, "id"),
        ]
    );
    assert!(!format!("{config:?}").contains("battery"));
    let filter = crate::rules::forward::Filter::for_tokens(&config);
    for name in ["X-Key", "x_key", "X.KEY", "Cf_Access_Client_Id"] {
        assert!(filter.withholds(name), "{name}");
    }
    assert!(!filter.withholds("Authorization"), "the client's own, for other origins");
}

#[test]
fn a_rule_names_its_origin_and_the_start_of_its_path() {
    let origins = json!([{"name": "orders", "url": "https://orders.example.com"}]);
    for (path, to, forwarding) in [
        ("/api/*", json!("orders"), Some(("orders", ""))),
        ("/api/*", json!("origin"), Some(("origin", ""))),
        ("/api/*", json!({"origin": "orders"}), Some(("orders", ""))),
        ("/api/*", json!({"origin": "orders", "strip": "/api"}), Some(("orders", "/api"))),
        ("/api/*", json!({"strip": "/api"}), Some(("origin", "/api"))),
        ("/api/v1/{id}", json!({"origin": "origin", "strip": "/api/v1"}), Some(("origin", "/api/v1"))),
        ("/api", json!({"strip": "/api"}), Some(("origin", "/api"))),
        ("/api/*", json!("order"), None),
        ("/api/*", json!(null), None),
        ("/api/*", json!({"origin": "assets"}), None),
        ("/api/*", json!({"origin": 1}), None),
        ("/api/*", json!({"origin": "orders", "strip": "/ap"}), None),
        ("/api/*", json!({"origin": "orders", "strip": "/api/"}), None),
        ("/api/*", json!({"origin": "orders", "strip": "api"}), None),
        ("/api/*", json!({"origin": "orders", "strip": "/api/*"}), None),
        ("/api/*", json!({"origin": "orders", "strip": "/API"}), None),
        ("/{tenant}/x", json!({"origin": "orders", "strip": "/{tenant}"}), None),
        ("/api/*", json!({"origin": "orders", "strip": 1}), None),
        ("/api/*", json!({"origin": "orders", "host": "a"}), None),
    ] {
        let loaded = with(origins.clone(), json!([{"path": path, "to": to}]), json!({}));
        match forwarding {
            None => assert_eq!(wrong(loaded), ["ROUTES[0].to"], "{to}"),
            Some(expected) => {
                let config = loaded.config.unwrap_or_else(|problems| panic!("{to}: {problems:?}"));
                let found = config.routes.rules().next().unwrap().forwarding().unwrap();
                assert_eq!((found.origin.as_str(), found.strip.as_str()), expected, "{to}");
            }
        }
    }
    let text = with(origins, json!([{"path": "/a", "to": "ordrs"}]), json!({})).config.unwrap_err();
    assert!(text[0].text.ends_with("or \"orders\"; did you mean orders?"), "{}", text[0].text);
}

#[test]
fn one_path_of_an_origin_is_not_judged_in_two_ways() {
    let origins = json!([
        {"name": "orders", "url": "https://app.example.com/base"},
        {"name": "v2", "url": "https://app.example.com", "prefix": "/base/v2"},
        {"name": "else", "url": "https://else.example.com"},
        {"name": "upper", "url": "https://APP.example.com:443/base/"},
        {"name": "service", "service": "ORDERS"},
        {"name": "hosted", "service": "ORDERS", "url": "https://orders.internal"},
        {"name": "mtls", "service": "MTLS", "url": "https://app.example.com/base"},
        {"name": "plain", "url": "http://app.example.com/base"},
        {"name": "ported", "url": "http://app.example.com:443/base"},
        {"name": "local", "url": "http://127.0.0.1:5000"},
        {"name": "local6", "url": "http://[0:0:0:0:0:0:0:1]:5000"},
        {"name": "port", "url": "http://localhost:5001"},
        {"name": "escaped", "url": "https://app.example.com/base/%762"},
        {"name": "upper-v2", "url": "https://app.example.com", "prefix": "/BASE/v2"},
    ]);
    let strip = |origin: &str| json!({"origin": origin, "strip": "/api"});
    let admin = json!({"path": "/admin/*", "to": "origin", "user": "stored"});
    for (is_good, routes) in [
        // The same judgement.
        (true, json!([{"path": "/api/*", "to": strip("origin")}, {"path": "/admin/*", "to": "origin"}])),
        // Past the rule that looks the user up.
        (false, json!([{"path": "/api/*", "to": strip("origin")}, admin])),
        // At another origin, or with a rule of its own.
        (true, json!([{"path": "/api/*", "to": strip("else")}, admin])),
        (
            true,
            json!([
                {"path": "/api/*", "to": strip("origin")}, admin,
                {"path": "/api/admin/*", "to": strip("origin"), "user": "stored"},
            ]),
        ),
        (
            false,
            json!([
                {"path": "/api/*", "to": strip("origin")}, admin,
                {"path": "/api/admin/{x}", "to": strip("origin"), "user": "stored"},
            ]),
        ),
        // Another name of the same origin.
        (false, json!([{"path": "/api/*", "to": strip("orders")}, admin])),
        (false, json!([{"path": "/api/*", "to": strip("upper")}, admin])),
        // A prefix does the same as a path that is taken off.
        (false, json!([{"path": "/*", "to": "v2"}, {"path": "/v2/secret", "to": "origin", "user": "stored"}])),
        (true, json!([{"path": "/*", "to": "v2"}, {"path": "/v1/secret", "to": "origin", "user": "stored"}])),
        // In another case.
        (false, json!([{"path": "/api/ADMIN/*", "to": strip("origin")}, admin])),
        // Other methods.
        (true, json!([{"path": "/api/*", "to": strip("origin"), "methods": ["POST"]}, admin])),
        (
            false,
            json!([
                {"path": "/api/*", "to": strip("origin"), "methods": ["POST"], "auth": "none"},
                {"path": "/{any}/x", "to": "origin", "methods": ["*"]},
            ]),
        ),
        // The origin's root, and the empty end of a path.
        (false, json!([{"path": "/api/*", "to": strip("origin"), "auth": "none"}, {"path": "/", "to": "origin"}])),
        (false, json!([{"path": "/api", "to": strip("origin"), "auth": "none"}, {"path": "/", "to": "origin"}])),
        // Methods that `*` stands for.
        (
            false,
            json!([
                {"path": "/api/*", "to": strip("origin"), "methods": ["*"], "auth": "none"},
                {"path": "/admin/*", "to": "origin", "methods": ["PROPFIND"], "user": "stored"},
            ]),
        ),
        (
            false,
            json!([
                {"path": "/admin/*", "to": "origin", "methods": ["*"], "user": "stored"},
                {"path": "/api/*", "to": strip("origin"), "methods": ["PROPFIND"], "auth": "none"},
            ]),
        ),
        // A last slash, and dots at the end of a segment, which lenient origins don't see.
        (
            false,
            json!([{"path": "/api/admin/*", "to": strip("origin")}, {"path": "/admin", "to": "origin", "user": "stored"}]),
        ),
        (
            false,
            json!([{"path": "/api/admin/", "to": strip("origin")}, {"path": "/admin", "to": "origin", "user": "stored"}]),
        ),
        (
            false,
            json!([{"path": "/api/admin", "to": strip("origin")}, {"path": "/admin/", "to": "origin", "user": "stored"}]),
        ),
        (false, json!([{"path": "/api/admin", "to": strip("origin")}, admin])),
        (
            false,
            json!([{"path": "/api/admin./x", "to": strip("origin")}, {"path": "/admin/x", "to": "origin", "user": "stored"}]),
        ),
        (
            true,
            json!([{"path": "/api/administer", "to": strip("origin")}, {"path": "/admin", "to": "origin", "user": "stored"}]),
        ),
        // One service under two names or hosts, and at the origin's own address.
        (
            false,
            json!([{"path": "/api/*", "to": strip("service")}, {"path": "/admin/*", "to": "hosted", "user": "stored"}]),
        ),
        (
            false,
            json!([{"path": "/api/*", "to": strip("hosted")}, {"path": "/base/admin/*", "to": "service", "user": "stored"}]),
        ),
        (false, json!([{"path": "/api/*", "to": strip("mtls")}, admin])),
        (true, json!([{"path": "/api/*", "to": strip("service")}, admin])),
        // Other schemes and names of one place.
        (false, json!([{"path": "/api/*", "to": strip("plain")}, admin])),
        (false, json!([{"path": "/api/*", "to": strip("ported")}, admin])),
        (
            false,
            json!([{"path": "/api/*", "to": strip("local")}, {"path": "/admin/*", "to": "local6", "user": "stored"}]),
        ),
        (true, json!([{"path": "/api/*", "to": strip("local")}, {"path": "/admin/*", "to": "port", "user": "stored"}])),
        // A prefix in another spelling.
        (false, json!([{"path": "/*", "to": "escaped"}, {"path": "/v2/secret", "to": "origin", "user": "stored"}])),
        (false, json!([{"path": "/*", "to": "upper-v2"}, {"path": "/v2/secret", "to": "origin", "user": "stored"}])),
        // Each part of the judgement.
        (
            false,
            json!([{"path": "/api/*", "to": strip("origin")}, {"path": "/x", "to": "origin", "require": {"role": "a"}}]),
        ),
        (
            false,
            json!([{"path": "/api/*", "to": strip("origin")}, {"path": "/x", "to": "origin", "addresses": ["192.0.2.0/24"]}]),
        ),
        (
            false,
            json!([{"path": "/api/*", "to": strip("origin")}, {"path": "/x", "to": "origin", "countries": ["DE"]}]),
        ),
        (
            false,
            json!([{"path": "/api/*", "to": strip("origin")}, {"path": "/x", "to": "origin", "revocation": "strict"}]),
        ),
        (
            false,
            json!([
                {"path": "/api/*", "to": strip("origin")},
                {"path": "/x", "to": "origin", "revocation_unknown": "open"},
            ]),
        ),
        (
            false,
            json!([
                {"path": "/api/*", "to": strip("origin"), "auth": "optional"},
                {"path": "/x", "to": "origin", "auth": "optional", "invalid": "anonymous"},
            ]),
        ),
        (true, json!([{"path": "/api/*", "to": strip("origin")}, {"path": "/x", "to": "origin", "realm": "another"}])),
        // A variable and a deep path.
        (
            false,
            json!([
                {"path": "/api/{a}/{b}/*", "to": strip("origin"), "auth": "none"},
                {"path": "/x/{y}/z/{w}", "to": "origin"},
            ]),
        ),
        (
            true,
            json!([
                {"path": "/api/{a}/{b}", "to": strip("origin"), "auth": "none"},
                {"path": "/x/{y}/z/{w}", "to": "origin"},
            ]),
        ),
        // What a narrower rule takes away on both sides does not count.
        (
            true,
            json!([
                {"path": "/api/*", "to": strip("origin")},
                {"path": "/api/open/*", "to": strip("origin"), "auth": "none"},
                {"path": "/open/*", "to": "origin", "auth": "none"},
            ]),
        ),
    ] {
        let options = wrong(with(origins.clone(), routes.clone(), json!({})));
        assert_eq!(options.is_empty(), is_good, "{routes}: {options:?}");
        assert!(options.iter().all(|option| option.starts_with("ROUTES[") && option.ends_with("].to")), "{options:?}");
    }
}

#[test]
fn an_assertion_has_a_key_of_its_own() {
    // RFC 7515 A.3.
    let es256 = json!({
        "kty": "EC", "crv": "P-256", "kid": "a1", "alg": "ES256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
    });
    let mut public = es256.clone();
    public.as_object_mut().unwrap().shift_remove("d");
    let mut without_id = es256.clone();
    without_id.as_object_mut().unwrap().shift_remove("kid");
    let site = "https://app.example.com";
    let read = |key: &Value, more: Value| {
        let mut all = json!({"TOLLGATE_ASSERTION_KEY": key.to_string(), "TOLLGATE_PUBLIC_URL": site});
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Config::read(&vars(all))
    };
    for key in [es256.clone(), json!({"keys": [es256]})] {
        let config = read(&key, json!({"TOLLGATE_ASSERTION_CLAIMS": ["role"]})).config.unwrap();
        let jwks = config.assertions.unwrap().jwks(Timestamp::from_seconds(0).numeric_date());
        assert_eq!((&jwks["keys"][0]["kid"], jwks["keys"][0].get("d")), (&json!("a1"), None));
        assert!(config.routes.endpoints().any(|(_, path)| path == "/.well-known/assertion-jwks.json"));
    }
    for key in [
        json!("x"),
        json!({}),
        public,
        without_id,
        json!({"kty": "oct", "kid": "a", "alg": "HS256", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"}),
    ] {
        assert_eq!(wrong(read(&key, json!({}))), ["TOLLGATE_ASSERTION_KEY"], "{key}");
    }
    let ring = json!({"JWT_KEYS": {"keys": [es256]}});
    assert_eq!(wrong(read(&es256, ring)), ["TOLLGATE_ASSERTION_KEY"], "a key of clients' tokens");
    assert_eq!(wrong(read(&es256, json!({"TOLLGATE_PUBLIC_URL": ""}))), ["TOLLGATE_PUBLIC_URL"]);
    for claim in ["sub", "aud", "exp", ""] {
        let claims = json!({"TOLLGATE_ASSERTION_CLAIMS": [claim]});
        assert_eq!(wrong(read(&es256, claims)), ["TOLLGATE_ASSERTION_CLAIMS"], "{claim:?}");
    }
    let alone = warnings(json!({"TOLLGATE_ASSERTION_CLAIMS": ["role"]}));
    assert!(alone.iter().any(|warning| warning.contains("no effect without")), "{alone:?}");
}

#[test]
fn trusted_proxies_are_ranges() {
    for (value, is_good) in [
        (json!(["192.0.2.0/24", "2001:db8::/32", "198.51.100.7"]), true),
        (json!("192.0.2.0/24, 198.51.100.0/24"), true),
        (json!(["0.0.0.0/0"]), false),
        (json!(["proxy.example.com"]), false),
        (json!(5), false),
    ] {
        let options = wrong(read(&vars(json!({"TOLLGATE_TRUSTED_PROXIES": value}))));
        assert_eq!(options.is_empty(), is_good, "{value}: {options:?}");
    }
    let both = json!({
        "TOLLGATE_TRUSTED_PROXIES": "192.0.2.0/24", "TOLLGATE_FORWARDED": true,
        "TOLLGATE_KEEP_HEADERS": ["X-Forwarded-For", "Forwarded"],
    });
    assert_eq!(faults(both).len(), 2);
}

#[test]
fn a_word_for_tokens_in_subprotocols_can_be_one() {
    for (word, is_good) in [("bearer", true), ("access_token", true), ("a b", false), ("a,b", false)] {
        let options = wrong(read(&vars(json!({"TOLLGATE_WEBSOCKET_PROTOCOL": word}))));
        assert_eq!(options.is_empty(), is_good, "{word}");
    }
    let cookies = json!({
        "TOLLGATE_WEBSOCKET_PROTOCOL": "bearer", "TOLLGATE_WIRE": "flask-jwt-extended", "JWT_TOKEN_LOCATION": "cookies",
    });
    let found = faults(cookies);
    assert!(found.iter().any(|fault| fault.starts_with("TOLLGATE_WEBSOCKET_PROTOCOL")), "{found:?}");
}

/// Each pair of them compared path by path would take minutes.
#[test]
fn a_thousand_rewriting_rules_are_read() {
    let rules: Vec<Value> =
        (0..1000).map(|at| json!({"path": format!("/s{at}/*"), "to": {"strip": format!("/s{at}")}})).collect();
    assert!(with(json!([]), rules.into(), json!({})).config.is_ok());
}
