//! The table of options: defaults, the page, what is secret.

use super::*;
use std::sync::Arc;

/// Also of an option that is unset by default and whose documentation says which value that comes to.
#[test]
fn a_default_that_is_written_out_changes_nothing() {
    for wire in ["flask-jwt", "flask-jwt-extended"] {
        check_defaults(wire);
    }
}

fn check_defaults(wire: &str) {
    let told = |config: &Config| match &config.dialect {
        DialectConfig::FlaskJwt => format!("{config:?}"),
        // The endpoints are in hash maps, whose order varies.
        DialectConfig::FlaskJwtExtended(flask_jwt_extended) => format!("{flask_jwt_extended:?} {:?}", config.tokens),
    };
    let plain = told(&Config::read(&vars(json!({"TOLLGATE_WIRE": wire}))).config.unwrap());
    for option in options::TABLE.iter().filter(|option| option.name != "TOLLGATE_WIRE") {
        let text = option.default;
        if text.starts_with("the ") || text == "none" || text == "–" {
            continue;
        }
        let Value::Object(change) = json!({"TOLLGATE_WIRE": wire, option.name: text}) else { unreachable!() };
        let read = Config::read(&vars(change.into())).config.unwrap_or_else(|problems| panic!("{problems:?}"));
        assert_eq!(told(&read), plain, "{}", option.name);
    }
}

#[test]
fn flask_jwt_extendeds_defaults_are_its_own() {
    let (config, warnings) = flask_jwt_extended(json!({})).unwrap();
    assert_eq!(config.dialect, DialectConfig::FlaskJwtExtended(Arc::default()));
    let names = |token: &str| Names {
        cookie: format!("{token}_token_cookie"),
        cookie_path: "/".into(),
        csrf_cookie: format!("csrf_{token}_token"),
        csrf_cookie_path: "/".into(),
        csrf_header: "X-CSRF-TOKEN".into(),
        csrf_field: "csrf_token".into(),
        json_key: format!("{token}_token"),
    };
    let expected = FlaskJwtExtended {
        locations: vec![Location::Headers],
        header_name: "Authorization".into(),
        header_type: "Bearer".into(),
        query_name: "jwt".into(),
        access: names("access"),
        refresh: names("refresh"),
        session_cookie: true,
        csrf_protect: true,
        csrf_methods: ["POST", "PUT", "PATCH", "DELETE"].map(str::to_owned).to_vec(),
        csrf_in_cookies: true,
        csrf_in_body: false,
        access_expires: Some(Duration::seconds(15 * 60)),
        refresh_expires: Some(Duration::seconds(30 * 86_400)),
        encode_nbf: true,
        error_message_key: "msg".into(),
        refresh_tokens: true,
        ..FlaskJwtExtended::UNSET
    };
    assert_eq!(FlaskJwtExtended::default(), expected);
    assert_eq!(
        config.tokens.policy(),
        &Policy::FlaskJwtExtended(crate::rules::token::FlaskJwtExtendedPolicy::default())
    );
    assert!(warnings.is_empty(), "{warnings:?}");
}

#[test]
fn the_options_page_is_the_table() {
    let page = include_str!("../../../../docs/options.md");
    assert!(page == options::page(), "docs/options.md is not what the table says: run `cargo xtask docs`");
}

#[test]
fn the_schema_is_the_table() {
    let text = include_str!("../../../../worker/wrangler.schema.json");
    assert!(
        text == options::schema_text(),
        "worker/wrangler.schema.json is not what the table says: run `cargo xtask docs`"
    );
}

#[test]
fn which_values_are_secret_stands_in_the_table() {
    for (name, value, is_secret) in [
        ("JWT_SECRET_KEY", json!("x"), true),
        ("JWT_SECRET_KEY", json!(""), false),
        ("SECRET_KEY", json!("x"), true),
        ("JWT_PRIVATE_KEY", json!("-----BEGIN PRIVATE KEY-----"), true),
        ("JWT_PUBLIC_KEY", json!("-----BEGIN PUBLIC KEY-----"), false),
        ("JWT_PUBLIC_KEY", json!("-----BEGIN RSA PRIVATE KEY-----"), true),
        ("JWT_KEYS", json!({"keys": [{"kty": "OKP", "x": "a"}]}), false),
        ("JWT_KEYS", json!({"keys": [{"kty": "OKP", "x": "a"}, {"kty": "OKP", "x": "a", "d": "b"}]}), true),
        ("JWT_KEYS", json!(r#"{"keys": [{"kty": "oct", "k": "b"}]}"#), true),
        ("JWT_KEYS", json!("[{\"kty\": \"OKP\", \"d\": \"b\"}]"), true),
        ("JWT_KEYS", json!("{\"keys\": [{\"kty\": \"OKP\", \"d\": \"b\"}"), true),
        ("JWT_KEYS", json!([{"kty": "oct", "k": "b"}]), true),
        ("TOLLGATE_PASSWORD_PEPPERS", json!({"k1": "x"}), true),
        ("TOLLGATE_ADMIN_SECRET", json!("x"), true),
        ("ORIGIN", json!("https://app.example.com"), false),
    ] {
        assert_eq!(options::find(name).unwrap().holds_secret(&value), is_secret, "{name} {value}");
    }
    // Whose kind says so is a secret in the table.
    for option in options::TABLE.iter().filter(|option| option.kind.contains("secret")) {
        assert_eq!(option.secrecy, options::Secrecy::Secret, "{}", option.name);
    }
}
