//! The options that name keys.

use super::*;
use crate::rules::token::{Algorithm, VerifyingKey};

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
fn no_secret_is_a_problem_and_flasks_own_secret_is_the_default() {
    assert!(Config::read(&Map::new()).config.is_err());
    let Value::Object(flask) = json!({"SECRET_KEY": "a secret of more than thirty-two bytes"}) else { unreachable!() };
    assert!(Config::read(&flask).config.is_ok());
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
        has_binding: &|_| true,
        has_limiter: &|_| true,
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
fn a_secret_of_secrets_store_is_named_for_what_it_is() {
    let store = ["JWT_SECRET_KEY".to_owned(), "MINE".to_owned()];
    let vars = vars(json!({"JWT_SECRET_KEY": {}}));
    let environment = Environment {
        vars: &vars,
        bindings: WITH_SESSIONS,
        secrets_store: &store,
        secrets: Secrets::Visible,
        serves_inner: None,
        has_binding: &|_| true,
        has_limiter: &|_| true,
    };
    let problems = Config::read_from(environment).config.map(drop).unwrap_err();
    assert!(problems[0].option == "JWT_SECRET_KEY" && problems[0].text.contains("Secrets Store"), "{problems:?}");
    assert_eq!(problems.iter().filter(|problem| problem.option == "MINE").count(), 0);
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
