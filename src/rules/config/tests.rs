use super::*;
use crate::rules::token::{ClaimsPolicy, Policy};
use serde_json::json;

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
        Policy::Extended(_) => panic!("not the default"),
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
        Dialect::FlaskJwt => format!("{config:?}"),
        // The endpoints are in hash maps, whose order varies.
        Dialect::Extended(extended) => format!("{extended:?} {:?}", config.tokens),
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
        assert_eq!(flask_jwt(json!({"JWT_LEEWAY": leeway})).leeway, Span::seconds(30));
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
        let Dialect::Extended(extended) = Config::read(&vars).config.unwrap().dialect else { unreachable!() };
        assert_eq!(extended.cookie_domain, read);
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
        (json!({"JWT_REQUIRED_CLAIMS": ["role"]}), "\"role\" is not in the tokens"),
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

fn extended(more: Value) -> Result<(Config, Vec<String>), Vec<String>> {
    let mut all = vars(json!({"TOLLGATE_WIRE": "flask-jwt-extended"}));
    all.extend(more.as_object().unwrap().clone());
    let reading = Config::read(&all);
    let names = |notices: Vec<Notice>| notices.into_iter().map(|notice| notice.option).collect::<Vec<_>>();
    reading.config.map(|config| (config, names(reading.warnings))).map_err(names)
}

#[test]
fn flask_jwt_extendeds_defaults_are_its_own() {
    let (config, warnings) = extended(json!({})).unwrap();
    assert_eq!(config.dialect, Dialect::Extended(Box::default()));
    assert_eq!(config.tokens.policy(), &Policy::Extended(crate::rules::token::ExtendedPolicy::default()));
    assert!(warnings.is_empty(), "{warnings:?}");
}

#[test]
fn an_option_of_the_other_dialect_is_named_and_a_rule_of_the_other_dialect_refused() {
    assert_eq!(extended(json!({"JWT_LEEWAY": 5})).unwrap().1, ["JWT_LEEWAY"]);
    assert_eq!(extended(json!({"JWT_AUTH_URL_RULE": "/login"})).unwrap().1, [""; 0]);
    let reading = Config::read(&vars(json!({"JWT_HEADER_TYPE": "Bearer"})));
    assert_eq!(reading.warnings[0].option, "JWT_HEADER_TYPE");
    let rule = json!({"ROUTES": [{"path": "/a", "to": "identity", "fresh": true}]});
    assert!(extended(rule.clone()).is_ok());
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
        (json!({"JWT_ACCESS_COOKIE_NAME": "__Host-a"}), "JWT_ACCESS_COOKIE_NAME"),
        (json!({"JWT_IDENTITY_CLAIM": ""}), "JWT_IDENTITY_CLAIM"),
        (json!({"JWT_DECODE_AUDIENCE": 7}), "JWT_DECODE_AUDIENCE"),
        (json!({"TOLLGATE_COOKIE_REFRESH_WITHIN": 900}), "TOLLGATE_COOKIE_REFRESH_WITHIN"),
        (json!({"TOLLGATE_WIRE": "telepathy"}), "TOLLGATE_WIRE"),
    ] {
        assert_eq!(extended(wrong.clone()).unwrap_err(), [option], "{wrong}");
    }
    let cookies = json!({"JWT_TOKEN_LOCATION": "cookies", "JWT_COOKIE_SAMESITE": "None"});
    assert_eq!(extended(cookies).unwrap_err(), ["JWT_COOKIE_SAMESITE"]);
}

#[test]
fn cookies_are_asked_to_be_safe() {
    let (_, warnings) = extended(json!({"JWT_TOKEN_LOCATION": "cookies", "JWT_COOKIE_CSRF_PROTECT": false})).unwrap();
    assert_eq!(warnings, ["JWT_COOKIE_SECURE", "JWT_COOKIE_SAMESITE", "JWT_COOKIE_CSRF_PROTECT"]);
    let profile = json!({
        "JWT_TOKEN_LOCATION": "cookies", "JWT_COOKIE_SECURE": true, "JWT_COOKIE_SAMESITE": "Lax",
        "JWT_ACCESS_COOKIE_NAME": "__Host-access", "JWT_REFRESH_COOKIE_NAME": "__Host-refresh",
    });
    assert!(extended(profile.clone()).unwrap().1.is_empty());
    let mut without_refresh = profile.clone();
    without_refresh["TOLLGATE_REFRESH_TOKENS"] = false.into();
    without_refresh["JWT_REFRESH_COOKIE_NAME"] = "never_set".into();
    assert!(extended(without_refresh).unwrap().1.is_empty());
    let mut plain = profile;
    plain["JWT_ACCESS_COOKIE_NAME"] = "access".into();
    assert_eq!(extended(plain.clone()).unwrap().1, ["JWT_ACCESS_COOKIE_NAME"]);
    plain["JWT_ACCESS_COOKIE_PATH"] = "/api".into();
    assert_eq!(extended(plain).unwrap().1, [""; 0]);
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
    assert!(matches!(found, Err(crate::rules::error::Refusal::AmbiguousPath(_))), "{found:?}");
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
