//! The origin, and what goes on to it.

use super::*;

#[test]
fn the_public_address_is_an_origin_as_browsers_write_it() {
    for (url, read) in [
        ("https://app.example.com", Some("https://app.example.com")),
        ("https://App.Example.com/", Some("https://app.example.com")),
        ("https://app.example.com:443", Some("https://app.example.com")),
        ("http://127.0.0.1:80", Some("http://127.0.0.1")),
        ("http://[::1]:8787", Some("http://[::1]:8787")),
        ("https://app.example.com:8443", Some("https://app.example.com:8443")),
        ("", None),
    ] {
        let config = Config::read(&vars(json!({"TOLLGATE_PUBLIC_URL": url}))).config.unwrap();
        assert_eq!(config.public_url.as_deref(), read, "{url}");
    }
    for url in [
        "app.example.com",
        "https://app.example.com/path",
        "ftp://x",
        "https://u@x",
        "https://x?q",
        "https://x#f",
        "//x",
        "https://app.example.com.",
    ] {
        assert_eq!(problems(json!({"TOLLGATE_PUBLIC_URL": url})), ["TOLLGATE_PUBLIC_URL"], "{url}");
    }
}

#[test]
fn kept_headers_are_names_that_would_be_dropped() {
    let config = Config::read(&vars(json!({"TOLLGATE_KEEP_HEADERS": "X-Real-IP, x-http-method-override"}))).config;
    assert_eq!(config.unwrap().keep_headers, ["X-Real-IP", "x-http-method-override"]);
    for name in ["X Real", "é", "a:b"] {
        assert_eq!(problems(json!({"TOLLGATE_KEEP_HEADERS": [name]})), ["TOLLGATE_KEEP_HEADERS"], "{name}");
    }
    let told = warnings(json!({"TOLLGATE_KEEP_HEADERS": ["X-Auth-Subject"]}));
    assert!(told.iter().any(|told| told.contains("no effect")), "{told:?}");
}

#[test]
fn a_claim_gets_a_field_that_nothing_else_has() {
    let config =
        Config::read(&vars(json!({"TOLLGATE_CLAIM_HEADERS": {"X-User-Role": "role", "X-Org": "org.id"}}))).config;
    let headers = config.unwrap().claim_headers;
    assert_eq!(
        headers.iter().map(|it| (&*it.name, &*it.claim)).collect::<Vec<_>>(),
        [("x-user-role", "role"), ("x-org", "org.id")]
    );
    for table in [
        json!({"X-Auth-Role": "role"}),
        json!({"x_auth_subject": "role"}),
        json!({"X-Forwarded-For": "role"}),
        json!({"X_Forwarded_Proto": "role"}),
        json!({"Authorization": "role"}),
        json!({"Cookie": "role"}),
        json!({"Content_Type": "role"}),
        json!({"CF_Connecting_IP": "role"}),
        json!({"Host": "role"}),
        json!({"CF-Role": "role"}),
        json!({"X Role": "role"}),
        json!({"": "role"}),
        json!({"X-Role": "role", "X_Role": "roles"}),
        json!({"X-Role": 1}),
        json!({"X-Role": ""}),
        json!(["role"]),
    ] {
        assert_eq!(problems(json!({"TOLLGATE_CLAIM_HEADERS": table})), ["TOLLGATE_CLAIM_HEADERS"], "{table}");
    }
    let both = json!({"TOLLGATE_CLAIM_HEADERS": {"Remote-User": "sub"}, "TOLLGATE_KEEP_HEADERS": ["Remote_User"]});
    assert!(problems(both).contains(&"TOLLGATE_CLAIM_HEADERS".to_owned()));
}

#[test]
fn claims_from_attributes_have_names_of_their_own() {
    let good = warnings(json!({"TOLLGATE_CLAIMS": {"role": "attributes.role"}}));
    let says =
        |part: &str| good.iter().any(|warning| warning.starts_with("TOLLGATE_CLAIMS: ") && warning.contains(part));
    for part in ["without the bindings", "when KV shows it everywhere", "issued before have expired"] {
        assert!(says(part), "{part}: {good:?}");
    }
    let vars = json!({"JWT_SECRET_KEY": SECRET, "TOLLGATE_CLAIMS": {"role": "attributes.role"}});
    let bindings = Bindings { sessions: true, ..Bindings::default() };
    let loaded = Config::read_with(vars.as_object().unwrap(), bindings);
    assert!(loaded.warnings.iter().all(|warning| warning.option != "TOLLGATE_CLAIMS"), "{:?}", loaded.warnings);
    for name in ["sub", "identity", "exp", "iat", "nbf", "jti", "type", "fresh", "csrf", "sid", "iss", "aud", "cv"] {
        assert_eq!(problems(json!({"TOLLGATE_CLAIMS": {name: "attributes.role"}})), ["TOLLGATE_CLAIMS"], "{name}");
    }
    for wrong in [json!({"role": "role"}), json!({"role": 1}), json!(["role"]), json!("role")] {
        assert_eq!(problems(json!({"TOLLGATE_CLAIMS": wrong})), ["TOLLGATE_CLAIMS"], "{wrong}");
    }
    let own = json!({"JWT_IDENTITY_CLAIM": "user", "TOLLGATE_CLAIMS": {"user": "attributes.role"}});
    assert_eq!(flask_jwt_extended(own).map(drop), Err(vec!["TOLLGATE_CLAIMS".to_owned()]));
}
