//! `tollgate token`.

use super::world::{KEY, World};
use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Map, Value, json};
use snapbox::str;
use tollgate::rules::{
    secret::Secret,
    token::{Algorithm, Key, sign},
};

/// The time in seconds since 1970.
fn now() -> i64 {
    jiff::Timestamp::now().as_second()
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
    let both = ["--claims", r#"{"role":"user","tenant":5}"#, "--claim", "role=\"admin\""];
    let claims = &world.good(&[&["token", "mint", "--id", "7", "--json"][..], &both].concat(), "").json()["claims"];
    assert_eq!((&claims["tenant"], &claims["role"]), (&json!(5), &json!("admin")), "the single one counts");
    assert_eq!(world.run(&["token", "mint", "--id", "7", "--claims", "[1]"], "").code, 2);
    let claims = &json["claims"];
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3600);
    for (id, claim) in [("\"7\"", json!("7")), ("abc", json!("abc")), ("-7", json!(-7))] {
        assert_eq!(world.good(&["token", "mint", "--id", id, "--json"], "").json()["claims"]["identity"], claim);
    }
    // A pasted header.
    world.good(&["token", "inspect", "--verify", &format!("Authorization: JWT {token}")], "");
}

#[test]
fn a_token_that_would_be_refused_is_made_with_a_warning() {
    let world = World::new();
    let run = world.good(&["token", "mint", "--id", "7", "--expires", "-1h"], "");
    assert_eq!(run.err, "warning: the gate rejects this token: expired (exp is in the past): log in again\n");
    world.write(".dev.vars", "");
    world.run(&["token", "mint", "--id", "7"], "").is(str![[r#"
exit 1
--- stderr
error: no JWT_SECRET_KEY in .dev.vars (a secret on Cloudflare can't be read back)
 hint: echo "JWT_SECRET_KEY=$(tollgate secret generate)" >> .dev.vars; or write the existing key there

"#]]);
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
fn times_are_reported_in_words() {
    let world = World::new();
    let token = raw(r#"{"typ":"JWT","alg":"HS256"}"#, r#"{"exp":4102444800,"iat":1,"nbf":"1","identity":"é\n"}"#);
    let out = world.good(&["token", "inspect", &token], "").out;
    assert!(out.contains("exp = 4102444800  (2100-01-01 00:00:00 UTC, in "), "{out}");
    assert!(out.contains("nbf = \"1\"  (1970-01-01 00:00:01 UTC, "), "{out}");
    world.run(&["token", "inspect", "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJ"], "").is(str![[r#"
exit 1
--- stdout
header
  typ = "JWT"
  alg = "HS256"
claims
  unreadable
signature
  not checked: add --verify to check it with the configured key
verdict
  rejected: not a token: fewer than two dots (header.claims.signature); it may be truncated (token_segments)

"#]]);
    world.run(&["token", "inspect", "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJ", "--json"], "").is(str![[r#"
exit 1
--- stdout
{
  "header": {
    "typ": "JWT",
    "alg": "HS256"
  },
  "claims": null,
  "times": {},
  "signature": "not checked",
  "wrong": [
    {
      "code": "token_segments",
      "text": "not a token: fewer than two dots (header.claims.signature); it may be truncated",
      "client": "Not enough segments"
    }
  ]
}

"#]]);
}

#[test]
fn the_reason_why_no_key_fits_is_reported() {
    let keys = |more: &str| {
        format!(
            r#"{{"keys":[{{"kty":"oct","kid":"new","alg":"HS256","k":"{}"}},{{"kty":"oct","kid":"old","alg":"HS256","k":"{}"{more}}},{{"kty":"oct","kid":"long","alg":"HS384","k":"{}"}}]}}"#,
            Base64UrlUnpadded::encode_string(&[1; 32]),
            Base64UrlUnpadded::encode_string(KEY.as_bytes()),
            Base64UrlUnpadded::encode_string(&[2; 48]),
        )
    };
    let world = World::new();
    let inspect =
        |token: &str| world.run(&["token", "inspect", "--verify", "--json"], token).json()["wrong"][0].clone();
    let plain = json!({});
    world.write(".dev.vars", &format!("JWT_KEYS='{}'\n", keys("")));
    assert_eq!(inspect(&signed(KEY, json!({"kid": "old"}), plain.clone())), Value::Null);
    for (header, reason, part) in [
        (
            json!({"kid": "gone"}),
            "key_unknown",
            "kid \"gone\" is not a key of the gate, whose keys are \"new\", \"old\", \"long\"",
        ),
        (json!({"kid": "\u{9b}31m"}), "key_unknown", "\\u{9b}31m"),
        (
            json!({"kid": "old", "alg": "HS512"}),
            "algorithm_of_another_key",
            "its alg is HS512, but the key with its kid \"old\" has HS256",
        ),
        (json!({"alg": "RS256"}), "algorithm_of_another_key", "its alg is RS256; the gate's keys have HS256, HS384"),
        (json!({"alg": "ES512"}), "algorithm_unknown", "its alg is \"ES512\""),
        (json!({"alg": "none"}), "algorithm_unknown", "its alg is \"none\""),
    ] {
        let wrong = inspect(&signed(KEY, header.clone(), plain.clone()));
        assert_eq!((&wrong["code"], &wrong["reason"]), (&json!("token_algorithm"), &json!(reason)), "{header}");
        assert!(wrong["text"].as_str().unwrap().contains(part), "{header}: {wrong}");
    }
    world.write(".dev.vars", &format!("JWT_KEYS='{}'\n", keys(&format!(",\"not_after\":{}", now() - 7200))));
    let wrong = inspect(&signed(KEY, json!({"kid": "old"}), plain.clone()));
    assert_eq!((&wrong["code"], &wrong["reason"]), (&json!("token_algorithm"), &json!("key_ended")));
    // `route test` prints the same.
    let run = world.run(
        &["route", "test", "GET", "/protected", "--token-stdin"],
        &signed(KEY, json!({"kid": "old"}), plain.clone()),
    );
    assert!(run.code == 1 && run.out.contains("its key \"old\" ended at 2"), "{run:?}");
    let text = wrong["text"].as_str().unwrap();
    assert!(text.contains("its key \"old\" ended at 2") && text.contains("2 hours ago"), "{text}");
    world.write(".dev.vars", &format!("JWT_KEYS='{}'\n", keys(&format!(",\"not_after\":{}", now() + 7200))));
    assert_eq!(inspect(&signed(KEY, json!({"kid": "old"}), plain)), Value::Null);
}

#[test]
fn tokens_are_made_under_every_kind_of_key_and_in_both_dialects() {
    let pem = include_str!("../../../tests/keys/ed25519.pem").trim_end().replace('\n', "\\n");
    let world = World::new();
    world.config("[vars]\n", "[vars]\nJWT_ALGORITHM = \"EdDSA\"\n");
    world.write(".dev.vars", &format!("JWT_PRIVATE_KEY=\"{pem}\"\n"));
    let token = world.good(&["token", "mint", "--id", "7"], "").out;
    world.good(&["token", "inspect", "--verify"], &token);
    assert!(world.good(&["route", "test", "GET", "/protected", "--token-stdin"], &token).out.contains("answered"));
    // In the other dialect the identity is a string, and there is a type.
    world.config("[vars]\n", "[vars]\nTOLLGATE_WIRE = \"flask-jwt-extended\"\n");
    let made = world.good(&["token", "mint", "--id", "7", "--claim", "role=1", "--expires", "1h", "--json"], "").json();
    let claims = &made["claims"];
    assert_eq!((&claims["sub"], &claims["type"], &claims["role"]), (&json!("7"), &json!("access"), &json!(1)));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3600);
    assert_eq!(made["refused"], Value::Null);
    let token = made["token"].as_str().unwrap();
    world.good(&["token", "inspect", "--verify"], token);
    assert!(world.good(&["route", "test", "GET", "/protected", "--token-stdin"], token).out.contains("answered"));
    // A missing key is named.
    world.write(".dev.vars", "");
    let run = world.run(&["token", "mint", "--id", "7"], "");
    assert!(run.code == 1 && run.err.contains("no JWT_PRIVATE_KEY in .dev.vars"), "{run:?}");
    let run = world.run(&["route", "test", "GET", "/protected"], "");
    assert!(run.out.contains("valid token"), "{run:?}");
    let run = world.run(&["route", "test", "GET", "/.well-known/jwks.json"], "");
    assert!(run.out.contains("keys endpoint"), "{run:?}");
}
