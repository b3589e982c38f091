//! `tollgate token`.

use super::world::{KEY, World, snapshot};
use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Map, Value, json};
use std::time::{SystemTime, UNIX_EPOCH};
use tollgate::rules::{
    secret::Secret,
    token::{Algorithm, Key, sign},
};

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

fn members(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn signed(key: &str, header: Value, change: Value) -> String {
    let mut claims = members(json!({"exp": now() + 300, "iat": now(), "nbf": now(), "identity": 1}));
    claims.extend(members(change));
    claims.retain(|_, value| value != "absent");
    let key = Key::symmetric(Algorithm::Hs256, &Secret::new(key.into()), None, true).unwrap();
    sign(&key, &members(header), &claims)
}

fn raw(header: &str, claims: &str) -> String {
    [header, claims, "x"].map(|part| Base64UrlUnpadded::encode_string(part.as_bytes())).join(".")
}

#[test]
fn a_token_that_is_made_is_good() {
    let world = World::new();
    let token = world.good(&["token", "mint", "--id", "7", "--claim", "role=\"admin\"", "--expires", "1h"], "").out;
    let run = world.good(&["token", "inspect", "--verify", "--json"], &token);
    let json = run.json();
    assert_eq!((&json["claims"]["identity"], &json["claims"]["role"]), (&json!(7), &json!("admin")));
    let claims = &json["claims"];
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3600);
    for (id, claim) in [("\"7\"", json!("7")), ("abc", json!("abc")), ("-7", json!(-7))] {
        assert_eq!(world.good(&["token", "mint", "--id", id, "--json"], "").json()["claims"]["identity"], claim);
    }
    // As people paste it.
    world.good(&["token", "inspect", "--verify", &format!("Authorization: JWT {token}")], "");
}

#[test]
fn a_token_that_would_be_refused_is_made_with_a_warning() {
    let world = World::new();
    let run = world.good(&["token", "mint", "--id", "7", "--expires", "-1h"], "");
    assert_eq!(run.err, "warning: the gate refuses this token: expired (exp lies in the past): log in again\n");
    world.write(".dev.vars", "");
    snapshot("error-no-key", &world.run(&["token", "mint", "--id", "7"], "").whole());
}

#[test]
fn inspect_says_what_is_wrong_without_a_key() {
    let world = World::new();
    std::fs::remove_file(world.path("wrangler.toml")).unwrap();
    let plain = json!({});
    let good = r#"{"exp":99999999999,"iat":1,"nbf":1}"#;
    for (token, codes) in [
        (signed("x", plain.clone(), plain.clone()), vec![]),
        (String::new(), vec!["token_segments"]),
        ("abc".into(), vec!["token_segments"]),
        ("a.b".into(), vec!["token_segments"]),
        ("!.b.c".into(), vec!["token_header_encoding"]),
        (raw("x", good), vec!["token_header_json"]),
        (raw("[]", good), vec!["token_header_type"]),
        (raw("{}", good), vec!["token_algorithm"]),
        (raw(r#"{"alg":"none"}"#, good), vec!["token_algorithm"]),
        (raw(r#"{"alg":"ES512"}"#, good), vec!["token_algorithm"]),
        (raw(r#"{"alg":"RS256"}"#, good), vec![]),
        (raw(r#"{"alg":"HS512"}"#, good), vec![]),
        (raw(r#"{"alg":"HS256"}"#, "x"), vec!["token_payload_json"]),
        (raw(r#"{"alg":"HS256"}"#, "[]"), vec!["token_payload_type"]),
        (raw(r#"{"alg":"HS256"}"#, r#"{"a":1,"a":2}"#), vec!["token_payload_json"]),
        (raw(r#"{"alg":"HS256"}"#, good).replacen('.', ".!", 1), vec!["token_payload_encoding"]),
        (raw(r#"{"alg":"HS256"}"#, good) + "=", vec!["token_signature_encoding"]),
        (raw(r#"{"alg":"HS256"}"#, &format!("{good}{}", " ".repeat(9000))), vec!["token_too_long"]),
        (signed("x", json!({"kid": 7}), plain.clone()), vec!["token_kid_type"]),
        (signed("x", json!({"crit": ["x"]}), plain.clone()), vec!["token_critical_extension"]),
        (signed("x", plain.clone(), json!({"exp": now() - 60})), vec!["token_expired"]),
        (signed("x", plain.clone(), json!({"exp": "soon"})), vec!["claim_not_a_date"]),
        (signed("x", plain.clone(), json!({"nbf": now() + 60})), vec!["claim_nbf_future"]),
        (signed("x", plain.clone(), json!({"iat": now() + 60})), vec!["claim_iat_future"]),
        (signed("x", plain.clone(), json!({"aud": "x"})), vec!["claim_audience"]),
        (signed("x", plain.clone(), json!({"aud": 1})), vec!["claim_format"]),
        (
            signed("x", plain.clone(), json!({"exp": 1, "iat": "absent", "nbf": now() + 60})),
            vec!["claim_missing", "claim_nbf_future", "token_expired"],
        ),
    ] {
        let run = world.run(&["token", "inspect", "--json"], &token);
        let found: Vec<String> = run.json()["wrong"]
            .as_array()
            .unwrap()
            .iter()
            .map(|wrong| wrong["code"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(found, codes, "{token}");
        assert_eq!(run.code, i32::from(!codes.is_empty()), "{token}");
        assert_eq!(world.run(&["token", "inspect"], &token).code, run.code);
    }
}

#[test]
fn verify_uses_the_configured_key_and_options() {
    let world = World::new();
    let plain = json!({});
    for (token, code, signature) in [
        (signed(KEY, plain.clone(), plain.clone()), None, "good"),
        (
            signed("another key of more than thirty-two bytes", plain.clone(), plain.clone()),
            Some("token_signature"),
            "bad",
        ),
        (signed(KEY, plain.clone(), json!({"exp": 1})), Some("token_expired"), "good"),
        (signed(KEY, json!({"alg": "HS512"}), plain.clone()), Some("token_algorithm"), "not checked"),
    ] {
        let json = world.run(&["token", "inspect", "--verify", "--json"], &token).json();
        assert_eq!((json["wrong"][0]["code"].as_str(), json["signature"].as_str()), (code, Some(signature)), "{token}");
    }
    world.config("[vars]", "[vars]\nJWT_REQUIRED_CLAIMS = [\"role\"]");
    let json = world.run(&["token", "inspect", "--verify", "--json"], &signed(KEY, plain.clone(), plain)).json();
    assert_eq!(json["wrong"][0]["code"], "claim_missing");
}

#[test]
fn times_are_told_in_words() {
    let world = World::new();
    let token = raw(r#"{"typ":"JWT","alg":"HS256"}"#, r#"{"exp":4102444800,"iat":1,"nbf":"1","identity":"é\n"}"#);
    let out = world.good(&["token", "inspect", &token], "").out;
    assert!(out.contains("exp = 4102444800  (2100-01-01 00:00:00 UTC, in "), "{out}");
    assert!(out.contains("nbf = \"1\"  (1970-01-01 00:00:01 UTC, "), "{out}");
    snapshot(
        "token-inspect-cut",
        &world.run(&["token", "inspect", "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJ"], "").whole(),
    );
    snapshot(
        "token-inspect-cut-json",
        &world.run(&["token", "inspect", "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJ", "--json"], "").whole(),
    );
}
