//! `tollgate key`.

use super::world::World;
use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tollgate::rules::{
    config::Config,
    time::Timestamp,
    token::{Algorithm, sign},
};

fn generate(world: &World, args: &[&str]) -> Value {
    let run = world.good(&[&["key", "generate"], args].concat(), "");
    assert_eq!(run.out.lines().count(), 1, "{run:?}");
    run.json()
}

/// Whether the gate takes a token that it signs with these variables.
fn assert_gate_signs(variables: Value, algorithm: Algorithm, kid: &str) {
    let config = Config::read(variables.as_object().unwrap()).config;
    let config = config.unwrap_or_else(|problems| panic!("{}: {problems:?}", algorithm.name()));
    let keys = config.tokens.keys();
    let key = keys.signing().unwrap();
    assert_eq!((key.algorithm(), key.id()), (algorithm, Some(kid)));
    let now = Timestamp::from_seconds(1_800_000_000);
    let claims = json!({"exp": 1_800_000_060, "iat": 1_800_000_000, "nbf": 1_800_000_000, "identity": 7});
    let token = sign(key, &Map::new(), claims.as_object().unwrap());
    assert!(config.tokens.verify(&token, now).is_ok(), "{}", algorithm.name());
    let other = token.replace('.', ".A");
    assert!(config.tokens.verify(&other, now).is_err());
}

/// Takes a key of every algorithm, as JWT_PRIVATE_KEY and in JWT_KEYS.
#[test]
fn the_gate_takes_a_key_of_each_algorithm() {
    let world = World::new();
    let mut rsa: Option<Value> = None;
    for algorithm in Algorithm::ALL {
        let name = algorithm.name();
        let is_rsa = name.starts_with("RS") || name.starts_with("PS");
        // One RSA key does: they differ in `alg` only.
        let jwk = match &rsa {
            Some(jwk) if is_rsa => {
                let mut jwk = jwk.clone();
                jwk["alg"] = name.into();
                jwk
            }
            _ => {
                generate(&world, &[&["--algorithm", name][..], if is_rsa { &["--bits", "2048"] } else { &[] }].concat())
            }
        };
        assert_eq!((&jwk["alg"], &jwk["use"]), (&json!(name), &json!("sig")), "{name}");
        let kid = jwk["kid"].as_str().unwrap();
        let set = json!({"keys": [jwk]});
        assert_gate_signs(json!({"JWT_KEYS": set.to_string()}), algorithm, kid);
        if !algorithm.is_symmetric() {
            assert_gate_signs(json!({"JWT_ALGORITHM": name, "JWT_PRIVATE_KEY": jwk.to_string()}), algorithm, kid);
        }
        if is_rsa && rsa.is_none() {
            assert_eq!(bytes(&jwk, "n").len(), 256);
            rsa = Some(jwk);
        }
    }
}

fn bytes(jwk: &Value, member: &str) -> Vec<u8> {
    Base64UrlUnpadded::decode_vec(jwk[member].as_str().unwrap()).unwrap()
}

#[test]
fn no_two_keys_are_the_same_and_a_key_id_tells_no_secret() {
    let world = World::new();
    for (algorithm, secret, length) in
        [("EdDSA", "d", 32), ("ES256", "d", 32), ("HS256", "k", 32), ("HS384", "k", 48), ("HS512", "k", 64)]
    {
        let [one, other] = [(); 2].map(|()| generate(&world, &["--algorithm", algorithm]));
        assert_ne!(one[secret], other[secret]);
        assert_ne!(one["kid"], other["kid"]);
        assert_eq!(bytes(&one, secret).len(), length);
        let kid = bytes(&one, "kid");
        if secret == "k" {
            assert_eq!(kid.len(), 16);
            let digest = Sha256::digest(bytes(&one, "k"));
            let thumbprint = Sha256::digest(json!({"k": one["k"], "kty": "oct"}).to_string());
            assert!(![digest, thumbprint].iter().any(|digest| digest.starts_with(&kid)));
        } else {
            let mut public = Map::new();
            for name in ["crv", "kty", "x", "y"] {
                public.extend(one.get(name).map(|value| (name.to_owned(), value.clone())));
            }
            assert_eq!(kid, Sha256::digest(Value::from(public).to_string()).as_slice());
        }
    }
}

#[test]
fn what_to_do_with_a_key_is_reported() {
    let world = World::new();
    for (args, parts) in [
        (&[][..], &["JWT_PRIVATE_KEY", "JWT_ALGORITHM = \"EdDSA\"", "secret"][..]),
        (&["--algorithm", "ES256"], &["JWT_ALGORITHM = \"ES256\""]),
        (&["--set"], &["JWT_KEYS", "EdDSA"]),
        (&["--algorithm", "HS512", "--set"], &["JWT_KEYS"]),
        (&["--algorithm", "HS512"], &["add --set", "JWT_KEYS"]),
    ] {
        let args = [&["key", "generate"], args].concat();
        let run = world.good(&args, "");
        assert!(parts.iter().all(|part| run.err.contains(part)), "{run:?}");
        let secret = ["d", "k"].iter().find_map(|name| run.json()[name].as_str().map(str::to_owned));
        assert!(secret.is_none_or(|secret| !run.err.contains(&secret)), "{run:?}");
        // The same with --json, and the remark as JSON.
        let run = world.good(&[&args[..], &["--json"]].concat(), "");
        assert_eq!(run.out.lines().count(), 1);
        assert!(run.json().is_object() && serde_json::from_str::<Value>(&run.err).is_ok(), "{run:?}");
    }
    let set = generate(&world, &["--set", "--kid", "2026-12"]);
    assert_eq!(set["keys"][0]["kid"], "2026-12");
    assert_eq!(set["keys"].as_array().unwrap().len(), 1);
}

#[test]
fn what_is_no_key_is_refused() {
    let world = World::new();
    for args in [
        &["--algorithm", "none"][..],
        &["--algorithm", "eddsa"],
        &["--algorithm", "ES512"],
        &["--bits", "2048"],
        &["--algorithm", "ES256", "--bits", "3072"],
        &["--algorithm", "RS256", "--bits", "1024"],
        &["--algorithm", "RS256", "--bits", "8192"],
        &["--kid", ""],
    ] {
        let run = world.run(&[&["key", "generate"], args].concat(), "");
        assert!(run.code == 2 && run.out.is_empty(), "{args:?}: {run:?}");
    }
}
