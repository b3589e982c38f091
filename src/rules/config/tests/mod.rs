//! The configuration reader: what its tests share, and a test of each kind of wrong value.

macro_rules! key_file {
    ($name:literal) => {
        include_str!(concat!("../../../../tests/keys/", $name))
    };
}

mod cookies;
mod cors;
mod dialect;
mod faults;
mod keys;
mod origin;
mod origins;
mod passwords;
mod routes;
mod table;
mod value;

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

/// What does not stop the gate and will not work, by its option and text.
fn faults(change: Value) -> Vec<String> {
    let reading = Config::read_with(&vars(change), WITH_SESSIONS);
    assert!(reading.config.is_ok(), "{:?}", reading.config);
    reading.faults.iter().map(ToString::to_string).collect()
}

fn flask_jwt(more: Value) -> ClaimsPolicy {
    match Config::read(&vars(more)).config.unwrap().tokens.policy() {
        Policy::FlaskJwt(policy) => policy.clone(),
        Policy::FlaskJwtExtended(_) => panic!("not the default"),
    }
}

fn flask_jwt_extended(more: Value) -> Result<(Config, Vec<String>), Vec<String>> {
    let mut all = vars(json!({"TOLLGATE_WIRE": "flask-jwt-extended"}));
    all.extend(more.as_object().unwrap().clone());
    let reading = Config::read(&all);
    let names = |notices: Vec<Diagnostic>| notices.into_iter().map(|notice| notice.option).collect::<Vec<_>>();
    reading.config.map(|config| (config, names(reading.warnings))).map_err(names)
}

const SECRET: &str = "a secret of more than thirty-two bytes";

/// 32 bytes.
const PEPPER: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";

const WITH_SESSIONS: Bindings = Bindings { sessions: true, address_limit: true, hashing_limit: true };

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

#[test]
fn every_problem_is_told_at_once_and_none_tells_a_secret() {
    let reading = Config::read(&vars(json!({
        "JWT_SECRET_KEY": "hunter2", "JWT_LEEWAY": "x", "JWT_VERIFY_CLAIMS": [], "TOLLGATE_LOG": "x", "JWT_ALGORITHM": "HS512",
    })));
    let problems = reading.config.map(drop).unwrap_err();
    assert_eq!(problems.len(), 4, "{problems:?}");
    assert!(!format!("{problems:?}").contains("hunter2"));
}
