//! The configuration reader: defaults, spellings, problems, faults and warnings.

use super::*;
use crate::rules::token::{Algorithm, ClaimsPolicy, Policy, VerifyingKey};
use serde_json::json;
use std::sync::Arc;

fn vars(change: Value) -> Map<String, Value> {
    let Value::Object(mut vars) = json!({"JWT_SECRET_KEY": "a secret of more than thirty-two bytes"}) else {
        unreachable!()
    };
    vars.extend(change.as_object().unwrap().clone());
    vars
}

fn problems(change: Value) -> Vec<String> {
    Config::read(&vars(change)).config.map(drop).unwrap_err().into_iter().map(|notice| notice.option).collect()
}

fn warnings(change: Value) -> Vec<String> {
    Config::read(&vars(change)).warnings.iter().map(ToString::to_string).collect()
}

/// Each default in the table, read as a value, changes nothing.
fn flask_jwt(more: Value) -> ClaimsPolicy {
    match Config::read(&vars(more)).config.unwrap().tokens.policy() {
        Policy::FlaskJwt(policy) => policy.clone(),
        Policy::FlaskJwtExtended(_) => panic!("not the default"),
    }
}

#[test]
fn the_tables_defaults_are_the_defaults() {
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
        let value = match option.name {
            "JWT_AUTH_URL_OPTIONS" => json!({"methods": ["POST"]}),
            _ => json!(text),
        };
        let Value::Object(change) = json!({"TOLLGATE_WIRE": wire, option.name: value}) else { unreachable!() };
        let read = Config::read(&vars(change.into())).config.unwrap_or_else(|problems| panic!("{problems:?}"));
        assert_eq!(told(&read), plain, "{}", option.name);
    }
}

#[test]
fn values_are_read_in_all_their_spellings() {
    for leeway in [json!(30), json!("30"), json!("30s"), json!("0.5m")] {
        assert_eq!(flask_jwt(json!({"JWT_LEEWAY": leeway})).leeway, Duration::seconds(30));
    }
    for list in [json!(["exp", "role"]), json!("exp, role"), json!("[\"exp\",\"role\"]")] {
        assert_eq!(flask_jwt(json!({"JWT_REQUIRED_CLAIMS": list})).required, ["exp", "role"]);
    }
    for off in [json!(false), json!("false")] {
        assert!(!Config::read(&vars(json!({"TOLLGATE_FORWARD_TOKEN": off}))).config.unwrap().forward_token);
    }
}

#[test]
fn each_wrong_value_is_told_by_its_option() {
    for (name, wrong) in [
        ("JWT_SECRET_KEY", json!("")),
        ("JWT_SECRET_KEY", json!("super-secret")),
        ("JWT_SECRET_KEY", json!("-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYI")),
        ("JWT_SECRET_KEY", json!(7)),
        ("JWT_ALGORITHM", json!("none")),
        ("JWT_ALGORITHM", json!("hs256")),
        ("JWT_DECODE_ALGORITHMS", json!(["HS256", "none"])),
        ("JWT_DECODE_ALGORITHMS", json!(7)),
        ("JWT_DECODE_ALGORITHMS", json!("HS256, RS256")),
        ("JWT_KEYS", json!("{")),
        ("JWT_KEYS", json!([])),
        ("JWT_KEYS", json!({"keys": []})),
        ("JWT_LEEWAY", json!("soon")),
        ("JWT_LEEWAY", json!(true)),
        ("JWT_LEEWAY", json!(null)),
        ("JWT_ALGORITHM", json!(null)),
        ("JWT_VERIFY_CLAIMS", json!(null)),
        ("JWT_VERIFY_CLAIMS", json!("[")),
        ("JWT_VERIFY_CLAIMS", json!([])),
        ("JWT_VERIFY_CLAIMS", json!(["exp"])),
        ("JWT_VERIFY_CLAIMS", json!([1])),
        ("JWT_REQUIRED_CLAIMS", json!(7)),
        ("JWT_AUTH_URL_RULE", json!("auth")),
        ("JWT_AUTH_URL_OPTIONS", json!(["POST"])),
        ("JWT_AUTH_URL_OPTIONS", json!("{")),
        ("JWT_AUTH_URL_OPTIONS", json!({"methods": ["PO ST"]})),
        ("JWT_AUTH_USERNAME_KEY", json!("")),
        ("JWT_AUTH_PASSWORD_KEY", json!("username")),
        ("JWT_AUTH_HEADER_PREFIX", json!("")),
        ("JWT_AUTH_HEADER_PREFIX", json!("J WT")),
        ("JWT_DEFAULT_REALM", json!("a\nb")),
        ("JWT_DEFAULT_REALM", json!("é")),
        ("ORIGIN", json!("app.example.com")),
        ("ORIGIN", json!("ftp://app.example.com")),
        ("ORIGIN", json!("https://user:pass@app.example.com")),
        ("ORIGIN", json!("https://app.example.com/?x")),
        ("ORIGIN_TIMEOUT", json!(0)),
        ("ORIGIN_TIMEOUT", json!("1h")),
        ("TOLLGATE_FORWARD_TOKEN", json!("yes")),
        ("TOLLGATE_PASSWORD_ITERATIONS", json!(99_999)),
        ("TOLLGATE_PASSWORD_ITERATIONS", json!(5_000_001)),
        ("TOLLGATE_PASSWORD_ITERATIONS", json!("many")),
        ("TOLLGATE_PASSWORD_MIN_LENGTH", json!(7)),
        ("TOLLGATE_PASSWORD_MIN_LENGTH", json!(65)),
        ("TOLLGATE_PASSWORD_MIN_LENGTH", json!("long")),
        ("TOLLGATE_PASSWORD_COMMON", json!("yes")),
        ("TOLLGATE_PASSWORD_PEPPERS", json!("hunter2")),
        ("TOLLGATE_PASSWORD_PEPPERS", json!([])),
        ("TOLLGATE_PASSWORD_PEPPERS", json!({})),
        ("TOLLGATE_PASSWORD_PEPPERS", json!({"k1": "hunter2"})),
        ("TOLLGATE_PASSWORD_PEPPERS", json!({"K 1": PEPPER})),
        ("TOLLGATE_PASSWORD_PEPPERS", json!(format!(r#"{{"k1": "{PEPPER}", "k1": "{PEPPER}"}}"#))),
        ("TOLLGATE_PASSWORD_PEPPER", json!("k1")),
        ("TOLLGATE_PASSWORD_PEPPER", json!(1)),
        ("TOLLGATE_PASSWORD_PWNED", json!("yes")),
        ("TOLLGATE_PASSWORD_PWNED_URL", json!("api.pwnedpasswords.com")),
        ("TOLLGATE_PASSWORD_PWNED_URL", json!("https://api.pwnedpasswords.com/range?mode=ntlm")),
        ("TOLLGATE_LOG", json!("loud")),
        ("ROUTES", json!("x")),
    ] {
        let Value::Object(change) = json!({name: wrong}) else { unreachable!() };
        assert!(problems(change.clone().into()).contains(&name.to_owned()), "{change:?}");
    }
}

/// 32 bytes.
const PEPPER: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";

#[test]
fn the_pepper_in_use_is_the_only_one_or_the_one_that_is_named() {
    let one = json!({"k1": PEPPER});
    let two = json!({"k1": PEPPER, "k2": PEPPER});
    for (change, outcome) in [
        (json!({}), Ok(None)),
        (json!({"TOLLGATE_PASSWORD_PEPPER": ""}), Ok(None)),
        (json!({"TOLLGATE_PASSWORD_PEPPERS": one}), Ok(Some("k1"))),
        (json!({"TOLLGATE_PASSWORD_PEPPERS": one.to_string()}), Ok(Some("k1"))),
        (json!({"TOLLGATE_PASSWORD_PEPPERS": one, "TOLLGATE_PASSWORD_PEPPER": ""}), Ok(None)),
        (json!({"TOLLGATE_PASSWORD_PEPPERS": one, "TOLLGATE_PASSWORD_PEPPER": "k1"}), Ok(Some("k1"))),
        (json!({"TOLLGATE_PASSWORD_PEPPERS": two, "TOLLGATE_PASSWORD_PEPPER": "k2"}), Ok(Some("k2"))),
        (json!({"TOLLGATE_PASSWORD_PEPPERS": one, "TOLLGATE_PASSWORD_PEPPER": "k2"}), Err("write one of k1")),
        (json!({"TOLLGATE_PASSWORD_PEPPERS": two}), Err("there are several")),
    ] {
        let config = Config::read(&vars(change.clone())).config;
        match (config, outcome) {
            (Ok(config), Ok(id)) => {
                let current = config.hashing.peppers.current();
                assert_eq!(current.map(|pepper| pepper.id().as_str()), id, "{change}");
                assert!(!format!("{config:?}").contains(PEPPER));
            }
            (Err(problems), Err(word)) => {
                assert!(problems.len() == 1 && problems[0].text.contains(word), "{change}: {problems:?}");
                assert!(problems[0].option == "TOLLGATE_PASSWORD_PEPPER" && !problems[0].text.contains(PEPPER));
            }
            (config, _) => panic!("{change}: {config:?}"),
        }
    }
}

#[test]
fn the_default_policy_is_nists() {
    let config = Config::for_tests();
    assert_eq!(config.password_policy, PasswordPolicy { min_length: 15, refuses_common: true });
    assert_eq!(config.password_policy, PasswordPolicy::default());
}

#[test]
fn leaks_are_asked_for_where_it_is_wanted() {
    for (change, url) in [
        (json!({}), None),
        (json!({"TOLLGATE_PASSWORD_PWNED": true}), Some("https://api.pwnedpasswords.com/range")),
        (
            json!({"TOLLGATE_PASSWORD_PWNED": true, "TOLLGATE_PASSWORD_PWNED_URL": "http://127.0.0.1:8080/x/"}),
            Some("http://127.0.0.1:8080/x"),
        ),
        (json!({"TOLLGATE_PASSWORD_PWNED_URL": "https://mirror.example.com"}), None),
    ] {
        let config = Config::read(&vars(change.clone())).config.unwrap();
        assert_eq!(config.pwned_url.as_deref(), url, "{change}");
    }
}

#[test]
fn every_problem_is_told_at_once_and_none_tells_a_secret() {
    let reading = Config::read(&vars(json!({
        "JWT_SECRET_KEY": "hunter2", "JWT_LEEWAY": "x", "JWT_VERIFY_CLAIMS": [], "TOLLGATE_LOG": "x", "JWT_ALGORITHM": "HS512",
    })));
    let problems = reading.config.map(drop).unwrap_err();
    assert_eq!(problems.len(), 4, "{problems:?}");
    assert!(!format!("{problems:?}").contains("hunter2"));
}

#[test]
fn no_secret_is_a_problem_and_flasks_own_secret_is_the_default() {
    assert!(Config::read(&Map::new()).config.is_err());
    let Value::Object(flask) = json!({"SECRET_KEY": "a secret of more than thirty-two bytes"}) else { unreachable!() };
    assert!(Config::read(&flask).config.is_ok());
}

#[test]
fn a_cookie_domain_loses_port_and_dot_and_none_is_the_default_for_decode_algorithms() {
    for (written, read) in
        [("example.com", "example.com"), (".example.com", "example.com"), ("example.com:8080", "example.com"), ("", "")]
    {
        let vars = vars(json!({
            "TOLLGATE_WIRE": "flask-jwt-extended", "JWT_COOKIE_DOMAIN": written, "JWT_DECODE_ALGORITHMS": null,
        }));
        let DialectConfig::FlaskJwtExtended(flask_jwt_extended) = Config::read(&vars).config.unwrap().dialect else {
            unreachable!()
        };
        assert_eq!(flask_jwt_extended.cookie_domain, read);
    }
}

#[test]
fn a_word_that_is_no_method_is_refused_among_the_csrf_methods() {
    for (written, is_good) in [(json!("POST, PUT"), true), (json!([]), true), (json!("POST PUT"), false)] {
        let vars = vars(json!({"TOLLGATE_WIRE": "flask-jwt-extended", "JWT_CSRF_METHODS": written}));
        assert_eq!(Config::read(&vars).config.is_ok(), is_good, "{written}");
    }
}

#[test]
fn what_is_unwise_or_without_effect_is_told() {
    for (change, word) in [
        (json!({"JWT_VERIFY": false}), "JWT_VERIFY:"),
        (json!({"JWT_VERIFY_EXPIRATION": false}), "JWT_VERIFY_EXPIRATION:"),
        (json!({"JWT_AUTH_ENDPOINT": "x"}), "JWT_AUTH_ENDPOINT:"),
        (json!({"JWT_LEWAY": 1}), "did you mean JWT_LEEWAY?"),
        (json!({"TOLLGATE_LOGS": 1}), "did you mean TOLLGATE_LOG?"),
        (json!({"ORIGN": "x"}), "did you mean ORIGIN?"),
        (json!({"JWT_SECRET_KEY": "super-secret", "TOLLGATE_ALLOW_SHORT_KEY": true}), "TOLLGATE_ALLOW_SHORT_KEY:"),
        (json!({"JWT_VERIFY_CLAIMS": ["signature"]}), "good for ever"),
        (json!({"JWT_VERIFY_CLAIMS": ["signature", "exp", "aud"]}), "\"aud\" has no effect"),
        (json!({"JWT_AUTH_URL_OPTIONS": {}}), "without methods"),
        (json!({"JWT_AUTH_URL_OPTIONS": {"methods": ["POST"], "subdomain": "x"}}), "\"subdomain\" has no effect"),
        (json!({"ORIGIN": "http://app.example.com"}), "write https"),
        (json!({"JWT_EXPIRATION_DELTA": "30d"}), "more than a day"),
        (json!({"TOLLGATE_PASSWORD_PWNED_URL": "https://mirror.example.com"}), "no effect without"),
        (
            json!({"TOLLGATE_PASSWORD_PWNED": true, "TOLLGATE_PASSWORD_PWNED_URL": "http://mirror.example.com"}),
            "can be forged on their way: write https",
        ),
    ] {
        let warnings = warnings(change.clone());
        assert!(warnings.iter().any(|warning| warning.contains(word)), "{change}: {warnings:?}");
    }
    assert_eq!(warnings(json!({"ORIGIN": "http://127.0.0.1:5000", "OTHER": 1})), Vec::<String>::new());
}

#[test]
fn the_options_page_is_the_table() {
    let page = include_str!("../../../docs/options.md");
    assert!(page == options::page(), "docs/options.md is not what the table says: run `cargo xtask docs`");
}

macro_rules! key_file {
    ($name:literal) => {
        include_str!(concat!("../../../tests/keys/", $name))
    };
}

const SECRET: &str = "a secret of more than thirty-two bytes";

/// What the ring of these variables is: its algorithms, the one that signs first; or the options with problems.
fn ring(vars: Value) -> Result<String, String> {
    let Value::Object(vars) = vars else { unreachable!() };
    match Config::read(&vars).config {
        Ok(config) => {
            let keys = config.tokens.keys();
            let signs = keys.signing().map_or("none", |key| key.algorithm().name());
            let all: Vec<&str> = keys.all().map(|key| key.algorithm().name()).collect();
            Ok(format!("{signs}: {}", all.join(" ")))
        }
        Err(problems) => {
            let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
            for part in [key_file!("ed25519.pem"), key_file!("rsa.pem")].iter().flat_map(|pem| pem.lines()) {
                assert!(part.starts_with('-') || !told.iter().any(|told| told.contains(part)), "{told:?}");
            }
            Err(problems.iter().map(|problem| problem.option.as_str()).collect::<Vec<_>>().join(" "))
        }
    }
}

#[test]
fn keys_come_together_or_it_is_told_why_not() {
    let (ed, ed_public) = (key_file!("ed25519.pem"), key_file!("ed25519.pub.pem"));
    let (rsa, rsa_public) = (key_file!("rsa.pem"), key_file!("rsa.pub.pem"));
    let ec = key_file!("p256.pem");
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "new"});
    let mut public = jwk.clone();
    public.as_object_mut().unwrap().remove("d");
    let set = json!({"keys": [jwk]});
    for (vars, outcome) in [
        (json!({"JWT_ALGORITHM": "EdDSA", "JWT_PRIVATE_KEY": ed}), Ok("EdDSA: EdDSA")),
        (json!({"JWT_ALGORITHM": "EdDSA", "JWT_PRIVATE_KEY": ed, "JWT_PUBLIC_KEY": ed_public}), Ok("EdDSA: EdDSA")),
        (json!({"JWT_ALGORITHM": "EdDSA", "JWT_PRIVATE_KEY": jwk.to_string()}), Ok("EdDSA: EdDSA")),
        (json!({"JWT_ALGORITHM": "ES256", "JWT_PRIVATE_KEY": ec}), Ok("ES256: ES256")),
        (json!({"JWT_ALGORITHM": "PS384", "JWT_PRIVATE_KEY": rsa}), Ok("PS384: PS384")),
        (json!({"JWT_ALGORITHM": "RS256", "JWT_PUBLIC_KEY": rsa_public, "JWT_AUTH_URL_RULE": ""}), Ok("none: RS256")),
        (json!({"JWT_ALGORITHM": "RS256", "JWT_PUBLIC_KEY": rsa_public}), Err("JWT_PRIVATE_KEY")),
        (json!({"JWT_ALGORITHM": "RS256"}), Err("JWT_PRIVATE_KEY")),
        (json!({"JWT_ALGORITHM": "RS256", "JWT_SECRET_KEY": SECRET}), Err("JWT_PRIVATE_KEY")),
        (json!({"JWT_ALGORITHM": "RS256", "JWT_PRIVATE_KEY": ed}), Err("JWT_PRIVATE_KEY")),
        (json!({"JWT_ALGORITHM": "RS256", "JWT_PRIVATE_KEY": rsa_public}), Err("JWT_PRIVATE_KEY")),
        (json!({"JWT_ALGORITHM": "RS256", "JWT_PRIVATE_KEY": 7}), Err("JWT_PRIVATE_KEY JWT_PRIVATE_KEY")),
        (json!({"JWT_ALGORITHM": "RS256", "JWT_PUBLIC_KEY": rsa, "JWT_AUTH_URL_RULE": ""}), Err("JWT_PUBLIC_KEY")),
        (
            json!({"JWT_ALGORITHM": "EdDSA", "JWT_PRIVATE_KEY": ed, "JWT_PUBLIC_KEY": public.to_string()}),
            Err("JWT_PUBLIC_KEY"),
        ),
        (
            json!({"JWT_ALGORITHM": "RS256", "JWT_PRIVATE_KEY": "x", "JWT_PUBLIC_KEY": "y"}),
            Err("JWT_PRIVATE_KEY JWT_PUBLIC_KEY"),
        ),
        // HS…: the key of an RSA pair is no secret of it.
        (json!({"JWT_ALGORITHM": "HS256", "JWT_SECRET_KEY": rsa_public}), Err("JWT_SECRET_KEY")),
        (json!({"JWT_ALGORITHM": "HS256", "JWT_PRIVATE_KEY": rsa}), Err("JWT_SECRET_KEY")),
        // JWT_DECODE_ALGORITHMS.
        (json!({"JWT_SECRET_KEY": SECRET.repeat(2), "JWT_DECODE_ALGORITHMS": ["HS512"]}), Ok("HS256: HS256 HS512")),
        (
            json!({"JWT_ALGORITHM": "RS256", "JWT_PRIVATE_KEY": rsa, "JWT_DECODE_ALGORITHMS": ["RS256", "PS256"]}),
            Ok("RS256: RS256 PS256"),
        ),
        (
            json!({"JWT_ALGORITHM": "EdDSA", "JWT_PRIVATE_KEY": ed, "JWT_DECODE_ALGORITHMS": ["EdDSA", "HS256"], "JWT_SECRET_KEY": SECRET}),
            Ok("EdDSA: EdDSA HS256"),
        ),
        (
            json!({"JWT_ALGORITHM": "EdDSA", "JWT_PRIVATE_KEY": ed, "JWT_DECODE_ALGORITHMS": ["EdDSA", "HS256"]}),
            Err("JWT_SECRET_KEY"),
        ),
        (
            json!({"JWT_ALGORITHM": "EdDSA", "JWT_PRIVATE_KEY": ed, "JWT_DECODE_ALGORITHMS": ["ES256"]}),
            Err("JWT_DECODE_ALGORITHMS"),
        ),
        (
            json!({"JWT_SECRET_KEY": SECRET, "JWT_PUBLIC_KEY": rsa_public, "JWT_DECODE_ALGORITHMS": ["RS256"]}),
            Ok("HS256: HS256 RS256"),
        ),
        (json!({"JWT_SECRET_KEY": SECRET, "JWT_DECODE_ALGORITHMS": ["HS512"]}), Err("JWT_SECRET_KEY")),
        // JWT_KEYS.
        (json!({"JWT_KEYS": set}), Ok("EdDSA: EdDSA")),
        (json!({"JWT_KEYS": set.to_string()}), Ok("EdDSA: EdDSA")),
        (json!({"JWT_KEYS": set, "JWT_ALGORITHM": "EdDSA"}), Ok("EdDSA: EdDSA")),
        (json!({"JWT_KEYS": set, "JWT_ALGORITHM": "HS256"}), Err("JWT_ALGORITHM")),
        (json!({"JWT_KEYS": {"keys": [public]}}), Err("JWT_KEYS")),
        (json!({"JWT_KEYS": {"keys": [public]}, "JWT_AUTH_URL_RULE": ""}), Ok("none: EdDSA")),
        (
            json!({"JWT_KEYS": set, "JWT_PRIVATE_KEY": ed, "JWT_PUBLIC_KEY": ed_public}),
            Err("JWT_PRIVATE_KEY JWT_PUBLIC_KEY"),
        ),
        (json!({"JWT_KEYS": set, "JWT_DECODE_ALGORITHMS": ["EdDSA"]}), Ok("EdDSA: EdDSA")),
        (
            json!({"JWT_KEYS": set, "JWT_DECODE_ALGORITHMS": ["EdDSA", "HS256"], "SECRET_KEY": SECRET}),
            Ok("EdDSA: EdDSA HS256"),
        ),
        (json!({"JWT_KEYS": set, "JWT_DECODE_ALGORITHMS": ["EdDSA", "RS256"]}), Err("JWT_DECODE_ALGORITHMS")),
        (
            json!({"JWT_KEYS": set, "JWT_DECODE_ALGORITHMS": ["HS256"], "JWT_SECRET_KEY": SECRET}),
            Err("JWT_DECODE_ALGORITHMS"),
        ),
        (json!({"JWT_KEYS": "{\"keys\": [], \"keys\": [1]}"}), Err("JWT_KEYS")),
    ] {
        assert_eq!(ring(vars.clone()), outcome.map(str::to_owned).map_err(str::to_owned), "{vars}");
    }
}

#[test]
fn keys_without_effect_are_told() {
    for (vars, word) in [
        (json!({"JWT_PRIVATE_KEY": "x"}), "JWT_PRIVATE_KEY: no effect"),
        (json!({"JWT_PUBLIC_KEY": "x"}), "JWT_PUBLIC_KEY: no effect"),
        (
            json!({"JWT_KEYS": {"keys": [{"kty": "OKP", "crv": "Ed25519", "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}}),
            "JWT_SECRET_KEY: no effect",
        ),
    ] {
        let warnings = warnings(vars.clone());
        assert!(warnings.iter().any(|warning| warning.contains(word)), "{vars}: {warnings:?}");
    }
}

fn flask_jwt_extended(more: Value) -> Result<(Config, Vec<String>), Vec<String>> {
    let mut all = vars(json!({"TOLLGATE_WIRE": "flask-jwt-extended"}));
    all.extend(more.as_object().unwrap().clone());
    let reading = Config::read(&all);
    let names = |notices: Vec<Diagnostic>| notices.into_iter().map(|notice| notice.option).collect::<Vec<_>>();
    reading.config.map(|config| (config, names(reading.warnings))).map_err(names)
}

#[test]
fn flask_jwt_extendeds_defaults_are_its_own() {
    let (config, warnings) = flask_jwt_extended(json!({})).unwrap();
    assert_eq!(config.dialect, DialectConfig::FlaskJwtExtended(Arc::default()));
    assert_eq!(
        config.tokens.policy(),
        &Policy::FlaskJwtExtended(crate::rules::token::FlaskJwtExtendedPolicy::default())
    );
    assert!(warnings.is_empty(), "{warnings:?}");
}

#[test]
fn an_option_of_the_other_dialect_is_named_and_a_rule_of_the_other_dialect_refused() {
    assert_eq!(flask_jwt_extended(json!({"JWT_LEEWAY": 5})).unwrap().1, ["JWT_LEEWAY"]);
    assert_eq!(flask_jwt_extended(json!({"JWT_AUTH_URL_RULE": "/login"})).unwrap().1, [""; 0]);
    let reading = Config::read(&vars(json!({"JWT_HEADER_TYPE": "Bearer"})));
    assert_eq!(reading.warnings[0].option, "JWT_HEADER_TYPE");
    let rule = json!({"ROUTES": [{"path": "/a", "to": "identity", "fresh": true}]});
    assert!(flask_jwt_extended(rule.clone()).is_ok());
    assert_eq!(problems(rule), ["ROUTES[0].fresh"]);
}

#[test]
fn what_flask_jwt_extended_notices_at_a_request_is_noticed_at_start() {
    for (wrong, option) in [
        (json!({"JWT_TOKEN_LOCATION": "pockets"}), "JWT_TOKEN_LOCATION"),
        (json!({"JWT_TOKEN_LOCATION": []}), "JWT_TOKEN_LOCATION"),
        (json!({"JWT_HEADER_NAME": ""}), "JWT_HEADER_NAME"),
        (json!({"JWT_HEADER_TYPE": "two words"}), "JWT_HEADER_TYPE"),
        (json!({"JWT_ACCESS_TOKEN_EXPIRES": 0}), "JWT_ACCESS_TOKEN_EXPIRES"),
        (json!({"JWT_ACCESS_TOKEN_EXPIRES": true}), "JWT_ACCESS_TOKEN_EXPIRES"),
        (json!({"JWT_REFRESH_TOKEN_EXPIRES": "soon"}), "JWT_REFRESH_TOKEN_EXPIRES"),
        (json!({"JWT_COOKIE_SAMESITE": "sometimes"}), "JWT_COOKIE_SAMESITE"),
        (json!({"JWT_ACCESS_COOKIE_NAME": "a;b"}), "JWT_ACCESS_COOKIE_NAME"),
        (json!({"JWT_REFRESH_CSRF_COOKIE_PATH": "/a; Domain=x"}), "JWT_REFRESH_CSRF_COOKIE_PATH"),
        (json!({"JWT_COOKIE_DOMAIN": "a b"}), "JWT_COOKIE_DOMAIN"),
        (json!({"JWT_TOKEN_LOCATION": "cookies", "JWT_ACCESS_COOKIE_NAME": "__Host-a"}), "JWT_ACCESS_COOKIE_NAME"),
        (json!({"JWT_IDENTITY_CLAIM": ""}), "JWT_IDENTITY_CLAIM"),
        (json!({"JWT_DECODE_AUDIENCE": 7}), "JWT_DECODE_AUDIENCE"),
        (json!({"TOLLGATE_COOKIE_REFRESH_WITHIN": 900}), "TOLLGATE_COOKIE_REFRESH_WITHIN"),
        (json!({"TOLLGATE_WIRE": "telepathy"}), "TOLLGATE_WIRE"),
    ] {
        assert_eq!(flask_jwt_extended(wrong.clone()).unwrap_err(), [option], "{wrong}");
    }
    let cookies = json!({"JWT_TOKEN_LOCATION": "cookies", "JWT_COOKIE_SAMESITE": "None"});
    assert_eq!(flask_jwt_extended(cookies).unwrap_err(), ["JWT_COOKIE_SAMESITE"]);
}

#[test]
fn cookies_are_asked_to_be_safe() {
    let (_, warnings) =
        flask_jwt_extended(json!({"JWT_TOKEN_LOCATION": "cookies", "JWT_COOKIE_CSRF_PROTECT": false})).unwrap();
    assert_eq!(warnings, ["JWT_COOKIE_SECURE", "JWT_COOKIE_SAMESITE", "JWT_COOKIE_CSRF_PROTECT"]);
    let profile = json!({
        "JWT_TOKEN_LOCATION": "cookies", "JWT_COOKIE_SECURE": true, "JWT_COOKIE_SAMESITE": "Lax",
        "JWT_ACCESS_COOKIE_NAME": "__Host-access", "JWT_REFRESH_COOKIE_NAME": "__Host-refresh",
    });
    assert!(flask_jwt_extended(profile.clone()).unwrap().1.is_empty());
    let mut without_refresh = profile.clone();
    without_refresh["TOLLGATE_REFRESH_TOKENS"] = false.into();
    without_refresh["JWT_REFRESH_COOKIE_NAME"] = "never_set".into();
    assert!(flask_jwt_extended(without_refresh).unwrap().1.is_empty());
    let mut plain = profile;
    plain["JWT_ACCESS_COOKIE_NAME"] = "access".into();
    assert_eq!(flask_jwt_extended(plain.clone()).unwrap().1, ["JWT_ACCESS_COOKIE_NAME"]);
    plain["JWT_ACCESS_COOKIE_PATH"] = "/api".into();
    assert_eq!(flask_jwt_extended(plain).unwrap().1, [""; 0]);
}

#[test]
fn a_cookie_that_no_browser_would_take_is_a_problem() {
    let names = [
        "JWT_ACCESS_COOKIE_NAME",
        "JWT_ACCESS_CSRF_COOKIE_NAME",
        "JWT_REFRESH_COOKIE_NAME",
        "JWT_REFRESH_CSRF_COOKIE_NAME",
    ];
    for name in names {
        let with = |more: Value| {
            let mut vars = json!({"TOLLGATE_WIRE": "flask-jwt-extended", "JWT_TOKEN_LOCATION": "cookies"});
            vars[name] = "__Host-x".into();
            vars.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            vars
        };
        let good = with(json!({"JWT_COOKIE_SECURE": true}));
        assert!(Config::read(&vars(good)).config.is_ok(), "{name}");
        let path = name.replace("_NAME", "_PATH");
        for bad in [
            json!({}),
            json!({"JWT_COOKIE_SECURE": true, path: "/a"}),
            json!({"JWT_COOKIE_SECURE": true, "JWT_COOKIE_DOMAIN": "a.example"}),
        ] {
            assert_eq!(problems(with(bad)), [name]);
        }
    }
}

/// What does not stop the gate and will not work, by its option and text.
fn faults(change: Value) -> Vec<String> {
    let reading = Config::read_with(&vars(change), WITH_SESSIONS);
    assert!(reading.config.is_ok(), "{:?}", reading.config);
    reading.faults.iter().map(ToString::to_string).collect()
}

const WITH_SESSIONS: Bindings = Bindings { sessions: true, address_limit: true, hashing_limit: true };

#[test]
fn what_will_not_work_is_a_fault_and_does_not_stop_the_gate() {
    let cookies = |more: Value| {
        let mut all = json!({
            "TOLLGATE_WIRE": "flask-jwt-extended", "JWT_TOKEN_LOCATION": "cookies", "JWT_COOKIE_SECURE": true,
            "JWT_COOKIE_SAMESITE": "Lax", "ROUTES": [{"path": "/api/*", "to": "identity"}],
        });
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    let flask_jwt_extended = |more: Value| {
        cookies(json!({"JWT_TOKEN_LOCATION": "headers"}))
            .as_object()
            .map(|all| {
                let mut all = all.clone();
                all.extend(more.as_object().unwrap().clone());
                Value::Object(all)
            })
            .unwrap()
    };
    assert_eq!(faults(cookies(json!({}))), [""; 0]);
    assert_eq!(faults(flask_jwt_extended(json!({}))), [""; 0]);
    for (change, expected) in [
        // Times.
        (json!({"JWT_LEEWAY": -5}), &["JWT_LEEWAY: negative"][..]),
        (json!({"JWT_LEEWAY": 0}), &[]),
        (flask_jwt_extended(json!({"JWT_DECODE_LEEWAY": "-1s"})), &["JWT_DECODE_LEEWAY: negative"]),
        (json!({"JWT_EXPIRATION_DELTA": -1}), &["JWT_EXPIRATION_DELTA: negative"]),
        (json!({"JWT_EXPIRATION_DELTA": 0}), &[]),
        (json!({"JWT_NOT_BEFORE_DELTA": "5m"}), &["JWT_NOT_BEFORE_DELTA: not less"]),
        (json!({"JWT_NOT_BEFORE_DELTA": 299}), &[]),
        (json!({"JWT_NOT_BEFORE_DELTA": -60}), &[]),
        (flask_jwt_extended(json!({"JWT_ACCESS_TOKEN_EXPIRES": -1})), &["JWT_ACCESS_TOKEN_EXPIRES: negative"]),
        (flask_jwt_extended(json!({"JWT_REFRESH_TOKEN_EXPIRES": "-1d"})), &["JWT_REFRESH_TOKEN_EXPIRES: negative"]),
        (json!({"JWT_REQUIRED_CLAIMS": ["role"]}), &["JWT_REQUIRED_CLAIMS: \"role\" is not in"]),
        (json!({"JWT_REQUIRED_CLAIMS": ["role"], "JWT_AUTH_URL_RULE": ""}), &[]),
        // Tokens that the gate makes and refuses.
        (flask_jwt_extended(json!({"JWT_DECODE_AUDIENCE": "x"})), &["JWT_DECODE_AUDIENCE: none of these"]),
        (
            flask_jwt_extended(json!({"JWT_DECODE_AUDIENCE": "x", "JWT_ENCODE_AUDIENCE": "y"})),
            &["JWT_DECODE_AUDIENCE: none"],
        ),
        (flask_jwt_extended(json!({"JWT_DECODE_AUDIENCE": ["x", "y"], "JWT_ENCODE_AUDIENCE": ["y", "z"]})), &[]),
        (flask_jwt_extended(json!({"JWT_DECODE_AUDIENCE": "x", "JWT_AUTH_URL_RULE": ""})), &[]),
        (flask_jwt_extended(json!({"JWT_DECODE_ISSUER": "x"})), &["JWT_DECODE_ISSUER: JWT_ENCODE_ISSUER is none"]),
        (flask_jwt_extended(json!({"JWT_DECODE_ISSUER": "x", "JWT_ENCODE_ISSUER": "x"})), &[]),
        // Members of a rule that say nothing where they stand.
        (
            flask_jwt_extended(
                json!({"ROUTES": [{"path": "/a", "to": "assets", "auth": "none", "fresh": true, "user": "stored"}]}),
            ),
            &["ROUTES[0].fresh: no effect beside", "ROUTES[0].user: no effect beside"],
        ),
        (json!({"ROUTES": [{"path": "/a", "to": "assets", "auth": "none", "user": "token"}]}), &[]),
        (
            flask_jwt_extended(json!({"ROUTES": [{"path": "/a", "to": "assets", "fresh": true, "refresh": true}]})),
            &["ROUTES[0].fresh: no refresh"],
        ),
        // Memory.
        (json!({"TOLLGATE_TOKEN_CACHE": 21_845}), &[]),
        (json!({"TOLLGATE_TOKEN_CACHE": 21_846}), &["TOLLGATE_TOKEN_CACHE: more than"]),
        (json!({"TOLLGATE_TOKEN_CACHE": 65_534}), &["TOLLGATE_TOKEN_CACHE: more than"]),
        // Names that mean something else.
        (flask_jwt_extended(json!({"JWT_HEADER_NAME": "Cookie"})), &["JWT_HEADER_NAME: \"Cookie\""]),
        (flask_jwt_extended(json!({"JWT_HEADER_NAME": "host"})), &["JWT_HEADER_NAME: \"host\""]),
        (
            flask_jwt_extended(json!({"JWT_HEADER_NAME": "X-Auth-Subject"})),
            &["JWT_HEADER_NAME: \"X-Auth-Subject\" is the gate's own"],
        ),
        (flask_jwt_extended(json!({"JWT_HEADER_NAME": "X-Token"})), &[]),
        (
            cookies(json!({"JWT_ACCESS_CSRF_HEADER_NAME": "authorization"})),
            &["JWT_ACCESS_CSRF_HEADER_NAME: \"authorization\" is the field of the token"],
        ),
        (cookies(json!({"JWT_REFRESH_CSRF_HEADER_NAME": "Origin"})), &["JWT_REFRESH_CSRF_HEADER_NAME: \"Origin\""]),
        (flask_jwt_extended(json!({"JWT_IDENTITY_CLAIM": "exp"})), &["JWT_IDENTITY_CLAIM: \"exp\""]),
        (flask_jwt_extended(json!({"JWT_IDENTITY_CLAIM": "user"})), &[]),
        (flask_jwt_extended(json!({"JWT_QUERY_STRING_NAME": ""})), &["JWT_QUERY_STRING_NAME: empty"]),
        // What a browser drops, or never sends back.
        (cookies(json!({"JWT_COOKIE_DOMAIN": "localhost:8080"})), &["JWT_COOKIE_DOMAIN: no host name"]),
        (cookies(json!({"JWT_COOKIE_DOMAIN": "https://example.com"})), &["JWT_COOKIE_DOMAIN: no host name"]),
        (cookies(json!({"JWT_COOKIE_DOMAIN": "*.example.com"})), &["JWT_COOKIE_DOMAIN: no host name"]),
        (cookies(json!({"JWT_COOKIE_DOMAIN": "com"})), &["JWT_COOKIE_DOMAIN: a suffix"]),
        (cookies(json!({"JWT_COOKIE_DOMAIN": ".example.com"})), &[]),
        (
            cookies(json!({"JWT_COOKIE_DOMAIN": "example.com", "TOLLGATE_PUBLIC_URL": "https://app.example.org"})),
            &["JWT_COOKIE_DOMAIN: does not cover"],
        ),
        (cookies(json!({"JWT_COOKIE_DOMAIN": "example.com", "TOLLGATE_PUBLIC_URL": "https://app.example.com"})), &[]),
        (cookies(json!({"TOLLGATE_PUBLIC_URL": "http://app.example.com"})), &["JWT_COOKIE_SECURE: true, and"]),
        (cookies(json!({"TOLLGATE_PUBLIC_URL": "http://127.0.0.1:8787"})), &[]),
        (cookies(json!({"JWT_ACCESS_COOKIE_PATH": "api"})), &["JWT_ACCESS_COOKIE_PATH: does not begin with /"]),
        (
            cookies(json!({"JWT_REFRESH_COOKIE_PATH": "/token/refresh"})),
            &["JWT_REFRESH_COOKIE_PATH: a browser never sends the cookie to \"/auth/refresh\", where"],
        ),
        (cookies(json!({"JWT_REFRESH_COOKIE_PATH": "/auth/refresh"})), &[]),
        (cookies(json!({"JWT_REFRESH_COOKIE_PATH": "/auth"})), &[]),
        (cookies(json!({"JWT_REFRESH_COOKIE_PATH": "/x", "TOLLGATE_REFRESH_TOKENS": false})), &[]),
        // The endpoints for sessions are below /auth, the identity's too.
        (
            cookies(json!({"JWT_ACCESS_COOKIE_PATH": "/api", "JWT_REFRESH_COOKIE_PATH": "/auth"})),
            &[
                r#""/auth/logout/all", "/auth/sessions", "/auth/sessions/{session}", "/auth/password", "/auth/me", where"#,
            ],
        ),
        (cookies(json!({"JWT_ACCESS_COOKIE_PATH": "/api", "JWT_TOKEN_LOCATION": ["headers", "cookies"]})), &[]),
        (
            flask_jwt_extended(json!({"ROUTES": [{"path": "/a", "to": "identity", "locations": "cookies"}]})),
            &["ROUTES[0].locations: cookies only"],
        ),
        (
            cookies(json!({"JWT_ACCESS_COOKIE_PATH": "/auth"})),
            &["JWT_ACCESS_COOKIE_PATH: a browser never sends the cookie to \"/api/*\""],
        ),
        (
            cookies(json!({"JWT_REFRESH_COOKIE_NAME": "access_token_cookie"})),
            &["JWT_REFRESH_COOKIE_NAME: the same as JWT_ACCESS_COOKIE_NAME"],
        ),
        (
            cookies(json!({"TOLLGATE_DEVICE_COOKIE": "csrf_access_token"})),
            &["TOLLGATE_DEVICE_COOKIE: the same as JWT_ACCESS_CSRF_COOKIE_NAME"],
        ),
        (
            cookies(json!({"JWT_ENCODE_AUDIENCE": "x".repeat(3000)})),
            &["JWT_ACCESS_COOKIE_NAME: \"access_token_cookie\" with its token has about", "JWT_REFRESH_COOKIE_NAME"],
        ),
    ] {
        let found = faults(change.clone());
        let is_as_expected =
            found.len() == expected.len() && found.iter().zip(expected).all(|(one, part)| one.contains(part));
        assert!(
            is_as_expected,
            "{change}
{found:#?}
{expected:#?}"
        );
    }
    // What no browser takes at all stops the gate, in any case of its letters.
    let stops = |change: Value| {
        let reading = Config::read_with(&vars(change), WITH_SESSIONS);
        reading.config.map(drop).unwrap_err().into_iter().map(|notice| notice.option).collect::<Vec<_>>()
    };
    let plain = |name: &str| cookies(json!({"JWT_COOKIE_SECURE": false, "JWT_ACCESS_COOKIE_NAME": name}));
    for name in ["__Secure-a", "__secure-a", "__HOST-a", "__Http-a", "__Host-Http-a"] {
        assert_eq!(stops(plain(name)), ["JWT_ACCESS_COOKIE_NAME"], "{name}");
    }
    for name in ["__Http-a", "__Host-Http-a"] {
        assert_eq!(
            stops(cookies(json!({"JWT_ACCESS_CSRF_COOKIE_NAME": name}))),
            ["JWT_ACCESS_CSRF_COOKIE_NAME"],
            "{name}"
        );
    }
    assert_eq!(stops(json!({"TOLLGATE_DEVICE_COOKIE": "__Host-device"})), ["TOLLGATE_DEVICE_COOKIE"]);
    assert_eq!(faults(json!({"TOLLGATE_DEVICE_COOKIE": "__Secure-device"})), [""; 0]);
}

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
    assert!(told("JWT_LEEWAY").contains("under [vars]"), "{problems:?}");
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
        };
        Config::read_from(environment).config.map(drop).map_err(|problems| problems[0].option.clone())
    };
    assert_eq!([None, Some(true), Some(false)].map(read), [Ok(()), Ok(()), Err("ROUTES[0].to".into())]);
    let twins = json!({"TOLLGATE_WIRE": "flask-jwt-extended", "TOLLGATE_LOGOUT_URL": "/auth"});
    let told = Config::read(&vars(twins)).config.map(drop).unwrap_err();
    assert!(told[0].text.contains("is JWT_AUTH_URL_RULE too"), "{told:?}");
}

#[test]
fn a_secret_of_secrets_store_is_named_for_what_it_is() {
    let store = ["JWT_SECRET_KEY".to_owned(), "MINE".to_owned()];
    let vars = vars(json!({"JWT_SECRET_KEY": {}}));
    let environment = Environment {
        vars: &vars,
        bindings: WITH_SESSIONS,
        secrets_store: &store,
        secrets: Secrets::Visible,
        serves_inner: None,
    };
    let problems = Config::read_from(environment).config.map(drop).unwrap_err();
    assert!(problems[0].option == "JWT_SECRET_KEY" && problems[0].text.contains("Secrets Store"), "{problems:?}");
    assert_eq!(problems.iter().filter(|problem| problem.option == "MINE").count(), 0);
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

/// A gate that only verifies by this set: its algorithms, and what is told.
fn published(set: Value, more: Value) -> (Result<String, String>, Vec<String>) {
    let Value::Object(mut all) = json!({"JWT_AUTH_URL_RULE": "", "JWT_KEYS": set}) else { unreachable!() };
    all.extend(more.as_object().unwrap().clone());
    let told = Config::read(&all).warnings.iter().map(ToString::to_string).collect();
    (ring(all.into()), told)
}

#[test]
fn of_a_providers_keys_those_that_can_not_be_used_are_ignored_and_told() {
    let jwk = |algorithm, pem: &str, more: Value| {
        let mut jwk = VerifyingKey::public(algorithm, pem).unwrap().public_jwk().unwrap();
        for (name, value) in more.as_object().unwrap() {
            if value.is_null() {
                jwk.as_object_mut().unwrap().remove(name);
            } else {
                jwk[name] = value.clone();
            }
        }
        jwk
    };
    let rsa = |more| jwk(Algorithm::Rs256, key_file!("rsa.pub.pem"), more);
    let ec = |more| jwk(Algorithm::Es256, key_file!("p256.pub.pem"), more);
    let good = rsa(json!({"kid": "sig"}));
    let weak = json!({"kty": "RSA", "kid": "weak", "alg": "RS256", "e": "AQAB", "n": format!("{}w", "x".repeat(170))});
    for (other, part) in [
        (rsa(json!({"kid": "enc", "use": "enc", "alg": "RSA-OAEP"})), "not for signatures"),
        (rsa(json!({"kid": "enc", "use": "enc", "alg": null})), "not for signatures"),
        (rsa(json!({"kid": "enc", "use": null, "alg": "RSA-OAEP"})), "alg is none of"),
        (rsa(json!({"kid": "enc", "use": null, "alg": null, "key_ops": ["wrapKey"]})), "not for signatures"),
        (ec(json!({"kid": "p", "crv": "P-384", "alg": "ES384"})), "alg is none of"),
        (ec(json!({"kid": "p", "crv": "secp256k1", "alg": null})), "of a kind that no algorithm here has"),
        (json!({"kty": "OKP", "crv": "X25519", "kid": "x", "x": "AAAA"}), "of a kind"),
        (json!({"kty": "AKP", "kid": "pq", "alg": "ML-DSA-44", "pub": "AAAA"}), "alg is none of"),
        (weak, "an RSA modulus"),
        (rsa(json!({"kid": 7})), "kid is not a text"),
        (json!("not a key"), "neither PEM nor JWK"),
        (rsa(json!({"kid": "sig"})), "the same kid"),
    ] {
        for keys in [json!([good, other]), json!([other, good])] {
            let (ring, told) = published(json!({"keys": keys}), json!({"JWT_ALGORITHM": "RS256"}));
            assert_eq!(ring.as_deref(), Ok("none: RS256"), "{other}");
            assert!(told.len() == 1 && told[0].contains("ignored") && told[0].contains(part), "{other}: {told:?}");
        }
        // None is left: that stops the gate.
        if other["kid"] != "sig" {
            let (ring, _) = published(json!({"keys": [other]}), json!({"JWT_ALGORITHM": "RS256"}));
            assert_eq!(ring, Err("JWT_KEYS".into()), "{other}");
        }
    }
    // Keys that share an id, or have none, are told apart by their algorithm (RFC 7517 §4.5).
    for kid in [json!("1"), json!(null)] {
        let set = json!({"keys": [rsa(json!({"kid": kid})), ec(json!({"kid": kid}))]});
        assert_eq!(published(set, json!({})), (Ok("none: RS256 ES256".into()), vec![]), "{kid}");
    }
    // In a set of one's own each key must be usable, and no secret stands beside other keys.
    let own = json!({"keys": [good, rsa(json!({"kid": "enc", "use": "enc"})), {"kty": "OKP", "crv": "Ed25519", "kid": "1", "d": "AAAA", "x": "AAAA"}]});
    assert_eq!(published(own, json!({})).0, Err("JWT_KEYS".into()));
    let secret =
        json!({"kty": "oct", "kid": "s", "alg": "HS256", "k": "c2Vjb25kIHNlY3JldCBvZiBtb3JlIHRoYW4gMzIgYnl0ZXM"});
    assert_eq!(published(json!({"keys": [good, secret]}), json!({})).0, Err("JWT_KEYS".into()));
}

#[test]
fn a_key_without_alg_has_the_one_that_jwt_algorithm_names() {
    let rsa = |kid: &str| {
        let key = VerifyingKey::public(Algorithm::Rs256, key_file!("rsa.pub.pem")).unwrap();
        let mut jwk = key.public_jwk().unwrap();
        jwk.as_object_mut().unwrap().remove("alg");
        jwk["kid"] = kid.into();
        jwk
    };
    let set = json!({"keys": [rsa("1"), rsa("2")]});
    for name in ["RS256", "PS384"] {
        let told = published(set.clone(), json!({"JWT_ALGORITHM": name}));
        assert_eq!(told, (Ok(format!("none: {name} {name}")), vec![]));
    }
    assert_eq!(published(set.clone(), json!({})).0, Err("JWT_KEYS".into()));
    // Of another kind: it can't be filled in.
    assert_eq!(published(set.clone(), json!({"JWT_ALGORITHM": "EdDSA"})).0, Err("JWT_KEYS".into()));
    // A key that says what it is keeps that.
    let mut named = set;
    named["keys"][0]["alg"] = "RS512".into();
    assert_eq!(published(named, json!({"JWT_ALGORITHM": "RS256"})).0, Ok("none: RS512 RS256".into()));
    // A set where one key belongs.
    let set = json!({"keys": [rsa("1")]}).to_string();
    assert_eq!(
        problems(json!({"JWT_ALGORITHM": "RS256", "JWT_AUTH_URL_RULE": "", "JWT_PUBLIC_KEY": set})),
        ["JWT_PUBLIC_KEY"]
    );
}

#[test]
fn of_a_providers_keys_those_that_are_not_accepted_are_ignored() {
    let rsa = VerifyingKey::public(Algorithm::Rs256, key_file!("rsa.pub.pem")).unwrap().public_jwk().unwrap();
    let mut ec = VerifyingKey::public(Algorithm::Es256, key_file!("p256.pub.pem")).unwrap().public_jwk().unwrap();
    ec["kid"] = "2".into();
    let set = json!({"keys": [rsa, ec]});
    let (ring, told) = published(set.clone(), json!({"JWT_DECODE_ALGORITHMS": ["ES256"]}));
    assert!(ring.as_deref() == Ok("none: ES256") && told.len() == 1 && told[0].contains("RS256"), "{ring:?} {told:?}");
    let (ring, _) = published(set, json!({"JWT_DECODE_ALGORITHMS": ["EdDSA"]}));
    assert_eq!(ring, Err("JWT_DECODE_ALGORITHMS".into()));
}

/// What is told of the keys of a worker whose secrets can't be seen.
fn unseen(change: Value, declared: &[&str]) -> (Vec<&'static str>, bool) {
    let Value::Object(vars) = change else { unreachable!() };
    let declared: Vec<String> = declared.iter().map(|&name| name.to_owned()).collect();
    let secrets = Secrets::MayBeElsewhere(&declared);
    let reading = Config::read_from(Environment {
        vars: &vars,
        bindings: WITH_SESSIONS,
        secrets_store: &[],
        secrets,
        serves_inner: None,
    });
    let config = reading.config.unwrap_or_else(|problems| panic!("{problems:?}"));
    let is_empty = config.tokens.keys().all().next().is_none();
    assert!(!is_empty || config.device_key.is_none());
    (reading.unseen, is_empty)
}

#[test]
fn a_secret_that_can_not_be_seen_is_told_and_everything_else_is_judged() {
    for (vars, declared, expected) in [
        (json!({}), &[][..], &["JWT_SECRET_KEY"][..]),
        (json!({}), &["SECRET_KEY"], &["SECRET_KEY"]),
        (json!({}), &["JWT_KEYS"], &["JWT_KEYS"]),
        (json!({"JWT_ALGORITHM": "EdDSA"}), &[], &["JWT_PRIVATE_KEY"]),
        (json!({"JWT_ALGORITHM": "RS256", "JWT_AUTH_URL_RULE": ""}), &[], &["JWT_PUBLIC_KEY"]),
        (json!({"JWT_ALGORITHM": "RS256", "JWT_PUBLIC_KEY": key_file!("rsa.pub.pem")}), &[], &["JWT_PRIVATE_KEY"]),
        (json!({"TOLLGATE_PASSWORD_PEPPER": "k1"}), &[], &["JWT_SECRET_KEY", "TOLLGATE_PASSWORD_PEPPERS"]),
    ] {
        assert_eq!(unseen(vars.clone(), declared), (expected.to_vec(), true), "{vars} {declared:?}");
    }
    for (vars, expected) in [
        (json!({"JWT_SECRET_KEY": SECRET}), &[][..]),
        (json!({"JWT_ALGORITHM": "EdDSA", "JWT_PRIVATE_KEY": key_file!("ed25519.pem")}), &[]),
        (json!({"JWT_ALGORITHM": "RS256", "JWT_PUBLIC_KEY": key_file!("rsa.pub.pem"), "JWT_AUTH_URL_RULE": ""}), &[]),
        (
            json!({"JWT_ALGORITHM": "EdDSA", "JWT_PRIVATE_KEY": key_file!("ed25519.pem"), "JWT_DECODE_ALGORITHMS": "HS256"}),
            &["JWT_SECRET_KEY"],
        ),
    ] {
        assert_eq!(unseen(vars.clone(), &[]), (expected.to_vec(), false), "{vars}");
    }
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
fn bodies_with_tokens_have_a_limit() {
    for (limit, good) in
        [(1024, true), (65_536, true), (1_048_576, true), (1023, false), (1_048_577, false), (0, false)]
    {
        let read = Config::read(&vars(json!({"TOLLGATE_TOKEN_BODY_LIMIT": limit})));
        assert_eq!(read.config.is_ok(), good, "{limit}");
    }
}

#[test]
fn devices_are_known_under_each_kind_of_key_and_forgotten_with_it() {
    use crate::rules::{device::RecordId, time::Timestamp};
    let key = |more: Value| Config::read(&vars(more)).config.unwrap().device_key;
    let (now, ann) = (Timestamp::from_seconds(1_800_000_000), RecordId::of_name("ann"));
    let other = json!({"JWT_SECRET_KEY": "another secret of more than thirty-two bytes"});
    let cookie = key(json!({})).unwrap().issue("", &ann, "secret", now);
    assert!(key(json!({})).unwrap().find(&cookie, &ann, now).is_some());
    assert!(key(other).unwrap().find(&cookie, &ann, now).is_none());
    let set = |first: &str| {
        json!({"JWT_KEYS": {"keys": [
            {"kty": "oct", "kid": "1", "alg": "HS256", "k": first},
            {"kty": "oct", "kid": "2", "alg": "HS256", "k": "c2Vjb25kIHNlY3JldCBvZiBtb3JlIHRoYW4gMzIgYnl0ZXM"},
        ]}})
    };
    let first = "Zmlyc3Qgc2VjcmV0IG9mIG1vcmUgdGhhbiAzMiBieXRlcyE";
    let cookie = key(set(first)).unwrap().issue("", &ann, "secret", now);
    assert!(key(set(first)).unwrap().find(&cookie, &ann, now).is_some());
    let changed = key(set("b3RoZXIgc2VjcmV0IG9mIG1vcmUgdGhhbiAzMiBieXRlcyE")).unwrap();
    assert!(changed.find(&cookie, &ann, now).is_none());
}
