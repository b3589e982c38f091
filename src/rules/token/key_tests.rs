//! Keys: which are taken, in which forms, for which algorithm; and that no algorithm is taken for another.

use super::*;
use crate::rules::{secret::Secret, time::NumericDate};
use proptest::prelude::*;
use serde_json::json;

macro_rules! key_file {
    ($name:literal) => {
        include_str!(concat!("../../../tests/keys/", $name))
    };
}

const SECRET: &str = "a secret of sixty-four bytes and more, as HS512 asks for: 123456789";
const ED25519: (&str, &str) = (key_file!("ed25519.pem"), key_file!("ed25519.pub.pem"));
const P256: (&str, &str) = (key_file!("p256.pem"), key_file!("p256.pub.pem"));
const RSA: (&str, &str) = (key_file!("rsa.pem"), key_file!("rsa.pub.pem"));

/// Private and public key for an algorithm.
const fn pair(algorithm: Algorithm) -> (&'static str, &'static str) {
    match algorithm {
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => panic!("has no pair"),
        Algorithm::EdDsa => ED25519,
        Algorithm::Es256 => P256,
        _ => RSA,
    }
}

fn private(algorithm: Algorithm, text: &str) -> Result<Key, KeyFault> {
    Key::private(algorithm, &Secret::new(text.to_owned()))
}

fn symmetric(algorithm: Algorithm, text: &str) -> Result<Key, KeyFault> {
    Key::symmetric(algorithm, &Secret::new(text.to_owned()), None, true)
}

fn key(algorithm: Algorithm) -> Key {
    match algorithm.is_symmetric() {
        true => symmetric(algorithm, SECRET).unwrap(),
        false => private(algorithm, pair(algorithm).0).unwrap(),
    }
}

fn asymmetric() -> impl Iterator<Item = Algorithm> {
    Algorithm::ALL.into_iter().filter(|algorithm| !algorithm.is_symmetric())
}

fn token(key: &Key) -> String {
    sign(key, &Map::new(), &Map::from_iter([("sub".to_owned(), "1".into())]))
}

const NOW: NumericDate = NumericDate::new(1_800_000_000).unwrap();

fn check(token: &str, key: VerifyingKey) -> Result<(), TokenRejection> {
    check_signature(token, &KeySet::verifying([key]), NOW)
}

/// The token with this `alg` in its header, and for the rest as it was.
fn renamed(token: &str, algorithm: &str) -> String {
    let (_, rest) = token.split_once('.').unwrap();
    format!("{}.{rest}", Base64UrlUnpadded::encode_string(format!(r#"{{"alg":"{algorithm}"}}"#).as_bytes()))
}

fn jwk(text: &str) -> Map<String, Value> {
    json::object(text.as_bytes()).unwrap()
}

fn rfc(name: &str) -> Value {
    serde_json::from_str::<Value>(key_file!("rfc.json")).unwrap()[name].clone()
}

fn ring(value: &Value) -> Result<KeySet, KeySetFault> {
    KeySet::from_jwk_set(value.as_object().unwrap())
}

#[test]
fn what_is_signed_is_verified_with_each_algorithm_and_with_no_other_key() {
    for algorithm in Algorithm::ALL {
        let token = token(&key(algorithm));
        assert_eq!(check(&token, key(algorithm).into()), Ok(()), "{}", algorithm.name());
        assert_eq!(key(algorithm).sign(b"text").len(), key(algorithm).signature_bytes(), "{}", algorithm.name());
        if !algorithm.is_symmetric() {
            let public = VerifyingKey::public(algorithm, pair(algorithm).1).unwrap();
            assert_eq!(check(&token, public), Ok(()), "{}", algorithm.name());
        }
        for other in Algorithm::ALL.into_iter().filter(|&other| other != algorithm) {
            assert_eq!(
                check(&token, key(other).into()),
                Err(TokenRejection::AlgorithmNotAllowed),
                "{algorithm:?} {other:?}"
            );
            // Its header says the other's name: the key is found, and does not vouch.
            let renamed = renamed(&token, other.name());
            assert_eq!(
                check(&renamed, key(other).into()),
                Err(TokenRejection::BadSignature),
                "{algorithm:?} {other:?}"
            );
            assert_eq!(check(&renamed, key(algorithm).into()), Err(TokenRejection::AlgorithmNotAllowed));
        }
    }
}

#[test]
fn a_public_key_is_no_secret_in_any_spelling() {
    let pems = [ED25519.1, P256.1, RSA.1, RSA.0, key_file!("rsa.pkcs1.pub.pem"), key_file!("certificate.pem")];
    for pem in pems {
        let bare: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let der = base64ct::Base64::decode_vec(&bare).unwrap();
        for spelling in [
            pem.to_owned(),
            pem.trim_end().to_owned(),
            pem.replace('\n', "\r\n"),
            pem.replace('\n', "\\n"),
            pem.replace('\n', ""),
            format!("\u{feff} {pem}"),
            bare.clone(),
            bare.trim_end_matches('=').to_owned(),
            format!("{bare}\n"),
            Base64UrlUnpadded::encode_string(&der),
            base16ct::lower::encode_string(&der),
            base16ct::upper::encode_string(&der),
        ] {
            for algorithm in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512] {
                assert_eq!(symmetric(algorithm, &spelling).map(drop), Err(KeyFault::PublicKey), "{spelling:?}");
            }
        }
        // As the `k` of a JWK, in which any bytes may be.
        for bytes in [pem.as_bytes(), &der] {
            let jwk = json!({"kty": "oct", "alg": "HS256", "k": Base64UrlUnpadded::encode_string(bytes)});
            assert_eq!(ring(&json!({"keys": [jwk]})).map(drop).unwrap_err().fault, KeyFault::PublicKey, "{pem}");
        }
    }
    for text in [
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0000000000000000000000000000000000000000000",
        "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBA",
        "---- BEGIN SSH2 PUBLIC KEY ----\nAAAA",
        &rfc("7517-A.1")["keys"][1].to_string(),
    ] {
        assert_eq!(symmetric(Algorithm::Hs256, text).map(drop), Err(KeyFault::PublicKey), "{text}");
    }
    for secret in [SECRET, "MIIsecret", "MAA=", "{\"a\":1}", "0123456789abcdef0123456789abcdef0123456789abcdef"] {
        assert!(symmetric(Algorithm::Hs256, secret).is_ok(), "{secret}");
    }
    // A sequence of one number. Random bytes may look like one, but no public key is as short.
    for (length, outcome) in [(30, Ok(())), (31, Err(KeyFault::PublicKey))] {
        let der =
            format!("0{}\u{2}{}{}", char::from(length), char::from(length - 2), "x".repeat(usize::from(length) - 2));
        assert_eq!(symmetric(Algorithm::Hs256, &der).map(drop), outcome, "{length}");
    }
    // Texts whose first two characters say that a sequence of the right length follows: one in 10,000 does.
    for content in ["x".repeat(70), format!("0B{}", "x".repeat(68)), format!("\u{2}\u{1}x{}", "\u{1f}".repeat(67))] {
        let text = format!("0F{content}");
        assert_eq!(symmetric(Algorithm::Hs256, &text).map(drop), Ok(()), "{text:?}");
    }
}

/// The attack itself: a forger knows the public key, and signs with its text as an HMAC secret.
#[test]
fn a_token_signed_with_the_public_key_as_secret_is_refused() {
    for algorithm in asymmetric() {
        let (_, public) = pair(algorithm);
        let header = Base64UrlUnpadded::encode_string(br#"{"alg":"HS256"}"#);
        let input = format!("{header}.{}", Base64UrlUnpadded::encode_string(br#"{"sub":"1"}"#));
        for secret in [public, public.trim_end()] {
            let mac = hmac::Hs256Key::new(secret.as_bytes());
            let mac = jwt_compact::Algorithm::sign(&hmac::Hs256, &mac, input.as_bytes());
            let mac = Base64UrlUnpadded::encode_string(&jwt_compact::AlgorithmSignature::as_bytes(&mac));
            let forged = format!("{input}.{mac}");
            let key = || VerifyingKey::public(algorithm, public).unwrap();
            assert_eq!(check(&forged, key()), Err(TokenRejection::AlgorithmNotAllowed));
            assert_eq!(check(&renamed(&forged, algorithm.name()), key()), Err(TokenRejection::BadSignature));
        }
    }
}

#[test]
fn pem_is_read_in_all_its_forms() {
    for (algorithm, text) in [
        (Algorithm::EdDsa, ED25519.0),
        (Algorithm::Es256, P256.0),
        (Algorithm::Es256, key_file!("p256.sec1.pem")),
        (Algorithm::Es256, key_file!("p256.sec1-with-parameters.pem")),
        (Algorithm::Rs256, RSA.0),
        (Algorithm::Ps512, key_file!("rsa.pkcs1.pem")),
    ] {
        let public = VerifyingKey::public(algorithm, pair(algorithm).1).unwrap();
        let bare: String = text.lines().filter(|line| !line.starts_with('-')).collect();
        let label = text.lines().last().unwrap().replace("END", "BEGIN");
        let in_one_line = format!("{label}\n{bare}\n{}", label.replace("BEGIN", "END"));
        for text in [
            text.to_owned(),
            text.replace('\n', "\r\n"),
            text.replace('\n', "\\n"),
            format!(" {text}\n\n"),
            if text.contains("PARAMETERS") { continue } else { in_one_line },
        ] {
            let key = private(algorithm, &text).unwrap_or_else(|fault| panic!("{fault}: {text}"));
            assert!(key.verifying().is_same_key(&public), "{text}");
        }
    }
    let pkcs1 = VerifyingKey::public(Algorithm::Rs384, key_file!("rsa.pkcs1.pub.pem")).unwrap();
    assert!(pkcs1.is_same_key(&VerifyingKey::public(Algorithm::Rs384, RSA.1).unwrap()));
    let (one, other) = (key(Algorithm::Es256), private(Algorithm::Es256, &rfc("7515-A.3")["key"].to_string()).unwrap());
    assert!(!one.verifying().is_same_key(other.verifying()));
}

#[test]
fn a_bad_key_is_told_by_its_fault() {
    let rs = Algorithm::Rs256;
    let mut of_ps256 = rfc("7517-A.2")["keys"][1].clone();
    of_ps256["alg"] = "PS256".into();
    let of_ps256 = of_ps256.to_string();
    for (algorithm, text, fault) in [
        (rs, "", KeyFault::Unreadable),
        (rs, "hello", KeyFault::Unreadable),
        (rs, "{", KeyFault::Unreadable),
        (rs, "{}", KeyFault::UnknownKind),
        (rs, r#"{"keys":[]}"#, KeyFault::IsASet),
        (rs, &of_ps256, KeyFault::OtherAlgorithm),
        (Algorithm::Es256, &rfc("8037-A")["key"].to_string(), KeyFault::OtherKind),
        (rs, &RSA.0[..400], KeyFault::Unreadable),
        (rs, RSA.1, KeyFault::NotPrivate),
        (rs, key_file!("encrypted.pem"), KeyFault::Encrypted),
        (rs, key_file!("openssh.pem"), KeyFault::OpenSsh),
        (rs, key_file!("certificate.pem"), KeyFault::Certificate),
        (rs, key_file!("weak-rsa-1024.pem"), KeyFault::Modulus { bits: 1024 }),
        (rs, key_file!("p384.pem"), KeyFault::UnknownKind),
        (rs, key_file!("ed448.pem"), KeyFault::UnknownKind),
        (rs, P256.0, KeyFault::OtherKind),
        (Algorithm::EdDsa, RSA.0, KeyFault::OtherKind),
        (Algorithm::Es256, ED25519.0, KeyFault::OtherKind),
        (Algorithm::Hs256, RSA.0, KeyFault::OtherKind),
        (rs, r#"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr8"}"#, KeyFault::OtherKind),
    ] {
        assert_eq!(private(algorithm, text).map(drop), Err(fault), "{text:?}");
    }
    for (algorithm, text, fault) in [
        (rs, "", KeyFault::Unreadable),
        (rs, RSA.0, KeyFault::Private),
        (Algorithm::EdDsa, ED25519.0, KeyFault::Private),
        (rs, key_file!("certificate.pem"), KeyFault::Certificate),
        (rs, key_file!("long-rsa-8192.pub.pem"), KeyFault::Modulus { bits: 8192 }),
        (rs, P256.1, KeyFault::OtherKind),
        (Algorithm::Hs256, RSA.1, KeyFault::OtherKind),
    ] {
        assert_eq!(VerifyingKey::public(algorithm, text).map(drop), Err(fault), "{text:?}");
    }
    assert_eq!(symmetric(Algorithm::Hs256, "").map(drop), Err(KeyFault::Empty));
    assert_eq!(symmetric(Algorithm::Rs256, SECRET).map(drop), Err(KeyFault::OtherKind));
    for (algorithm, least) in [(Algorithm::Hs256, 32), (Algorithm::Hs384, 48), (Algorithm::Hs512, 64)] {
        for (bytes, outcome) in [(least - 1, Err(KeyFault::Short { bytes: least - 1, least })), (least, Ok(()))] {
            let secret = Secret::new("x".repeat(bytes));
            assert_eq!(Key::symmetric(algorithm, &secret, None, false).map(drop), outcome);
            assert!(Key::symmetric(algorithm, &secret, None, true).is_ok());
        }
    }
}

/// DER that is well formed, by hand: a seed that is too short, and scalars whose curve is not P-256 (but secp256k1, of
/// the same size) or not named.
#[test]
fn a_private_key_of_another_size_or_curve_is_refused() {
    let pem = |label: &str, der: &[&[u8]]| {
        let text = base64ct::Base64::encode_string(&der.concat());
        format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
    };
    let seed = [0x30, 0x2d, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x21, 4, 32];
    let secp256k1 = [0xa0, 7, 6, 5, 0x2b, 0x81, 4, 0, 0x0a];
    for (algorithm, text, fault) in [
        (Algorithm::EdDsa, pem("PRIVATE KEY", &[&seed, &[7; 31]]), KeyFault::Unreadable),
        (
            Algorithm::Es256,
            pem("EC PRIVATE KEY", &[&[0x30, 0x2e, 2, 1, 1, 4, 32], &[7; 32], &secp256k1]),
            KeyFault::UnknownKind,
        ),
        (Algorithm::Es256, pem("EC PRIVATE KEY", &[&[0x30, 0x25, 2, 1, 1, 4, 32], &[7; 32]]), KeyFault::UnknownKind),
        (Algorithm::Rs256, pem("DSA PRIVATE KEY", &[&[0x30, 0]]), KeyFault::Unreadable),
    ] {
        assert_eq!(private(algorithm, &text).map(drop), Err(fault), "{text}");
    }
}

/// Each row changes the members of a good JWK.
#[test]
fn a_jwk_that_contradicts_itself_is_refused() {
    let (ec, rsa, okp, oct) = (
        rfc("7515-A.3")["key"].clone(),
        rfc("7517-A.2")["keys"][1].clone(),
        rfc("8037-A")["key"].clone(),
        rfc("7515-A.1")["key"].clone(),
    );
    let small_order = Base64UrlUnpadded::encode_string(&[[1].as_slice(), &[0; 31]].concat());
    // y of the small-order point (0, 1), plus p: another spelling of it.
    let not_reduced = Base64UrlUnpadded::encode_string(&[[0xee].as_slice(), &[0xff; 30], &[0x7f]].concat());
    for (good, change, fault) in [
        (&ec, json!({}), None),
        (&ec, json!({"alg": "ES256", "use": "sig", "key_ops": ["sign"], "kid": "1"}), None),
        (&ec, json!({"alg": "RS256"}), Some(KeyFault::OtherKind)),
        (&ec, json!({"alg": "HS256"}), Some(KeyFault::OtherKind)),
        (&ec, json!({"alg": "ES384"}), Some(KeyFault::UnknownAlgorithm)),
        (&ec, json!({"alg": "none"}), Some(KeyFault::UnknownAlgorithm)),
        (&ec, json!({"alg": null}), Some(KeyFault::UnknownAlgorithm)),
        (&ec, json!({"use": "enc"}), Some(KeyFault::OtherUse)),
        (&ec, json!({"use": 1}), Some(KeyFault::OtherUse)),
        (&ec, json!({"key_ops": ["verify"]}), Some(KeyFault::OtherUse)),
        (&ec, json!({"key_ops": ["sign", "sign"]}), Some(KeyFault::OtherUse)),
        (&ec, json!({"key_ops": ["sign", "deriveKey"]}), Some(KeyFault::OtherUse)),
        (&ec, json!({"key_ops": "sign"}), Some(KeyFault::OtherUse)),
        (&ec, json!({"kid": 1}), Some(KeyFault::Id)),
        (&ec, json!({"not_after": "soon"}), Some(KeyFault::NotAfter)),
        (&ec, json!({"not_after": 1}), Some(KeyFault::SigningEnds)),
        // From the year 5138 on it is taken for milliseconds.
        (&ec, json!({"not_after": 99_999_999_999_i64}), Some(KeyFault::SigningEnds)),
        (&ec, json!({"not_after": 100_000_000_000_i64}), Some(KeyFault::NotAfter)),
        (&ec, json!({"crv": "P-384"}), Some(KeyFault::UnknownKind)),
        (&ec, json!({"crv": "Ed25519"}), Some(KeyFault::UnknownKind)),
        (&ec, json!({"kty": "RSA"}), Some(KeyFault::Numbers)),
        (&ec, json!({"kty": "ec"}), Some(KeyFault::UnknownKind)),
        (&ec, json!({"x": ec["y"]}), Some(KeyFault::NotOnCurve)),
        (&ec, json!({"x": "AAAA"}), Some(KeyFault::Numbers)),
        (&ec, json!({"x": 1}), Some(KeyFault::Numbers)),
        (&ec, json!({"x": format!("{}=", ec["x"].as_str().unwrap())}), Some(KeyFault::Numbers)),
        (&ec, json!({"d": okp["d"]}), Some(KeyFault::Halves)),
        (&ec, json!({"d": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}), Some(KeyFault::Numbers)),
        (&ec, json!({"d": "_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE"}), Some(KeyFault::Numbers)),
        (&okp, json!({}), None),
        (&okp, json!({"crv": "Ed448"}), Some(KeyFault::UnknownKind)),
        (&okp, json!({"x": ec["x"]}), Some(KeyFault::Halves)),
        (&okp, json!({"d": null, "x": small_order}), Some(KeyFault::NotOnCurve)),
        (&okp, json!({"d": null, "x": not_reduced}), Some(KeyFault::NotOnCurve)),
        (&okp, json!({"d": null, "x": "AAAA"}), Some(KeyFault::Numbers)),
        (&rsa, json!({}), None),
        (&rsa, json!({"alg": "PS256"}), None),
        (&rsa, json!({"alg": "ES256"}), Some(KeyFault::OtherKind)),
        (&rsa, json!({"alg": "RSA-OAEP"}), Some(KeyFault::UnknownAlgorithm)),
        (&rsa, json!({"alg": "absent"}), Some(KeyFault::NoAlgorithm)),
        (&rsa, json!({"e": "AQ"}), Some(KeyFault::Exponent)),
        (&rsa, json!({"e": "Ag"}), Some(KeyFault::Exponent)),
        (&rsa, json!({"e": "AAAAAA"}), Some(KeyFault::Exponent)),
        (&rsa, json!({"e": "AQAA"}), Some(KeyFault::Exponent)),
        (&rsa, json!({"e": "AQAAAAAB"}), Some(KeyFault::Exponent)),
        (&rsa, json!({"e": "AgAAAAE"}), Some(KeyFault::Exponent)),
        (&rsa, json!({"e": "Aw"}), Some(KeyFault::Numbers)),
        (&rsa, json!({"n": "AQAB"}), Some(KeyFault::Modulus { bits: 17 })),
        (&rsa, json!({"n": ""}), Some(KeyFault::Modulus { bits: 0 })),
        (&rsa, json!({"p": rsa["q"]}), Some(KeyFault::Numbers)),
        (&rsa, json!({"d": rsa["n"]}), Some(KeyFault::Numbers)),
        (&rsa, json!({"p": "absent"}), Some(KeyFault::Numbers)),
        (&rsa, json!({"dp": "absent"}), Some(KeyFault::Numbers)),
        (&rsa, json!({"dp": rsa["dq"]}), Some(KeyFault::Numbers)),
        (&rsa, json!({"dq": rsa["dp"]}), Some(KeyFault::Numbers)),
        (&rsa, json!({"qi": rsa["dp"]}), Some(KeyFault::Numbers)),
        (&rsa, json!({"oth": []}), Some(KeyFault::UnknownKind)),
        (&oct, json!({}), Some(KeyFault::NoAlgorithm)),
        (&oct, json!({"alg": "HS256"}), None),
        (&oct, json!({"alg": "HS256", "key_ops": ["sign"]}), Some(KeyFault::OtherUse)),
        (&oct, json!({"alg": "A256GCM"}), Some(KeyFault::UnknownAlgorithm)),
        (&oct, json!({"alg": "HS256", "k": ""}), Some(KeyFault::Empty)),
        (&oct, json!({"alg": "HS256", "k": "AAAA"}), Some(KeyFault::Short { bytes: 3, least: 32 })),
        (&oct, json!({"alg": "RS256"}), Some(KeyFault::OtherKind)),
    ] {
        let mut members = good.as_object().unwrap().clone();
        for (name, value) in change.as_object().unwrap() {
            match value.as_str() == Some("absent") || (name == "d" && value.is_null()) {
                true => members.remove(name),
                false => members.insert(name.clone(), value.clone()),
            };
        }
        let outcome = ring(&json!({"keys": [members]})).map(drop).map_err(|told| told.fault);
        assert_eq!(outcome.err(), fault, "{change}");
    }
}

/// Another issuer's set may have keys that can't be used here; a set with a secret is one's own.
#[test]
fn a_set_with_a_secret_must_be_usable_as_a_whole() {
    let mut public = rfc("7515-A.3")["key"].clone();
    public.as_object_mut().unwrap().remove("d");
    public["kid"] = "public".into();
    for (other, is_own) in [
        (json!({"kty": "OKP", "crv": "X25519", "kid": "other"}), false),
        (json!({"kty": "oct", "kid": "other"}), true),
        (json!({"k": "AAAA", "kid": "other"}), true),
        (json!({"d": "AAAA", "kid": "other"}), true),
    ] {
        let set = json!({"keys": [other, public]});
        assert_eq!(KeySet::read_jwk_set(set.as_object().unwrap(), None).is_err(), is_own, "{other}");
    }
}

#[test]
fn a_set_that_mixes_things_up_is_refused() {
    let with = |key: &Value, members: Value| {
        let mut key = key.clone();
        key.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        key
    };
    let (ec, okp, oct) = (
        with(&rfc("7515-A.3")["key"], json!({"kid": "ec"})),
        with(&rfc("8037-A")["key"], json!({"kid": "okp"})),
        with(&rfc("7515-A.1")["key"], json!({"kid": "oct", "alg": "HS256"})),
    );
    let ended = with(&okp, json!({"not_after": 1_800_000_000}));
    for (set, outcome) in [
        (json!({}), Err((None, KeyFault::NotASet))),
        (json!({"keys": []}), Err((None, KeyFault::NotASet))),
        (json!({"keys": {}}), Err((None, KeyFault::NotASet))),
        (json!({"keys": [1]}), Err((Some(0), KeyFault::Unreadable))),
        (json!({"keys": [ec, rfc("8037-A")["key"]]}), Err((Some(1), KeyFault::WithoutId))),
        (json!({"keys": [ec, with(&okp, json!({"kid": "ec"}))]}), Err((Some(1), KeyFault::SameId))),
        (json!({"keys": [ec, oct]}), Err((None, KeyFault::Mixed))),
        (json!({"keys": [ended, ec]}), Err((Some(0), KeyFault::SigningEnds))),
        (json!({"keys": [ec, ended]}), Ok(Some("ec"))),
        (json!({"keys": [okp, ec]}), Ok(Some("okp"))),
        (json!({"keys": [oct, with(&oct, json!({"kid": "old"}))]}), Ok(Some("oct"))),
        (json!({"keys": [with(&rfc("7517-A.1")["keys"][1], json!({})), ec]}), Ok(Some("ec"))),
        (json!({"keys": [rfc("7517-A.1")["keys"][1]]}), Ok(None)),
    ] {
        let signs = ring(&set).map(|ring| ring.signing().map(|key| key.id().unwrap().to_owned()));
        assert_eq!(signs.map_err(|told| (told.key, told.fault)), outcome.map(|id| id.map(str::to_owned)), "{set}");
    }
}

#[test]
fn a_key_is_found_until_its_end_and_in_the_second_of_it() {
    let set = json!({"keys": [
        {"kty": "OKP", "crv": "Ed25519", "d": rfc("8037-A")["key"]["d"], "x": rfc("8037-A")["key"]["x"], "kid": "new"},
        {"kty": "EC", "crv": "P-256", "x": rfc("7515-A.3")["key"]["x"], "y": rfc("7515-A.3")["key"]["y"],
         "kid": "old", "not_after": NOW.seconds()},
    ]});
    let ring = ring(&set).unwrap();
    let at = |seconds| ring.for_token_at(Some("ES256"), Some("old"), NumericDate::new(seconds).unwrap()).is_ok();
    assert_eq!([-1, 0, 1].map(|off| at(NOW.seconds() + off)), [true, true, false]);
    let far = NumericDate::new(NOW.seconds() * 2).unwrap();
    let why = |algorithm, id, now| ring.for_token_at(algorithm, id, now).map(drop).unwrap_err();
    assert_eq!(why(Some("ES256"), Some("old"), far), NoKey::Ended(NOW));
    assert_eq!(why(Some("ES256"), Some("gone"), NOW), NoKey::UnknownId);
    assert_eq!(
        why(Some("EdDSA"), Some("old"), NOW),
        NoKey::OtherAlgorithm { key: Algorithm::Es256, token: Algorithm::EdDsa }
    );
    assert_eq!(why(Some("HS256"), None, NOW), NoKey::OtherAlgorithm { key: Algorithm::EdDsa, token: Algorithm::Hs256 });
    assert_eq!(why(Some("none"), Some("new"), NOW), NoKey::UnknownAlgorithm);
    assert_eq!(why(None, None, NOW), NoKey::UnknownAlgorithm);
    assert!(ring.for_token_at(Some("EdDSA"), Some("new"), far).is_ok(), "without an end");
    let ids = |now| {
        let jwks = ring.jwks(NumericDate::new(now).unwrap());
        jwks["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(ring.has_public_keys() && !KeySet::new(key(Algorithm::Hs256), []).has_public_keys());
    assert_eq!(ids(NOW.seconds()), ["new", "old"]);
    assert_eq!(ids(NOW.seconds() + 1), ["new"]);
}

#[test]
fn a_token_is_good_until_its_key_ends_remembered_or_not() {
    let set = json!({"keys": [
        {"kty": "EC", "crv": "P-256", "x": rfc("7515-A.3")["key"]["x"], "y": rfc("7515-A.3")["key"]["y"],
         "d": rfc("7515-A.3")["key"]["d"], "kid": "new"},
        {"kty": "OKP", "crv": "Ed25519", "x": rfc("8037-A")["key"]["x"], "kid": "old", "not_after": NOW.seconds()},
    ]});
    let mut old = rfc("8037-A")["key"].clone();
    old["kid"] = "old".into();
    let token = token(&private(Algorithm::EdDsa, &old.to_string()).unwrap());
    let policy = || ClaimsPolicy {
        required: Vec::new(),
        checks: TimeChecks { exp: true, nbf: true, iat: true },
        leeway: crate::rules::time::Duration::seconds(300),
    };
    let verifier = |capacity| Verifier::new(ring(&set).unwrap(), policy(), capacity);
    let (remembering, forgetful) = (verifier(8), verifier(0));
    for (offset, outcome) in [(0, Ok(())), (1, Err(TokenRejection::AlgorithmNotAllowed)), (0, Ok(()))] {
        let now = Timestamp::from_seconds(NOW.seconds() + offset);
        assert_eq!(remembering.verify(&token, now).map(drop), outcome, "{offset}");
        assert_eq!(forgetful.verify(&token, now).map(drop), outcome, "{offset}");
    }
    let known = remembering.verify(&token, Timestamp::from_seconds(NOW.seconds())).unwrap();
    let good = remembering.good_while(&known).unwrap();
    assert_eq!(good.end, Timestamp::from_seconds(NOW.seconds() + 1));
}

/// What holds a private key wipes it on drop: a line does not compile if it does not.
#[test]
fn private_keys_are_wiped() {
    const fn wiped<T: zeroize::ZeroizeOnDrop>() {}
    wiped::<ed25519_dalek::SigningKey>();
    wiped::<p256::ecdsa::SigningKey>();
    wiped::<::rsa::PrivateKey>();
}

#[test]
fn nothing_prints_a_key() {
    for algorithm in asymmetric() {
        let (key, public) = (key(algorithm), VerifyingKey::public(algorithm, pair(algorithm).1).unwrap());
        let printed = format!("{key:?} {public:?} {:?}", KeySet::new(self::key(algorithm), []));
        assert!(printed.len() < 200, "{printed}");
    }
}

/// The members that RFC 7518 §6 and RFC 8037 §2 keep private.
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_published_has_no_private_member_and_verifies(
        signing in proptest::sample::select(Algorithm::ALL.to_vec()),
        others in proptest::collection::vec(proptest::sample::select(Algorithm::ALL.to_vec()), 0..4),
    ) {
        let others: Vec<VerifyingKey> = others.into_iter().map(|algorithm| key(algorithm).into()).collect();
        let published = others.iter().chain([key(signing).verifying()]).filter(|key| !key.algorithm().is_symmetric()).count();
        let ring = KeySet::new(key(signing), others);
        let jwks = ring.jwks(NOW);
        let keys = jwks["keys"].as_array().unwrap();
        prop_assert_eq!(keys.len(), published);
        for member in keys.iter().flat_map(|key| key.as_object().unwrap().keys()) {
            prop_assert!(!PRIVATE.contains(&member.as_str()), "{}", member);
        }
        let token = token(ring.signing().unwrap());
        if let Some(own) = keys.first().filter(|_| !signing.is_symmetric()) {
            let ring = KeySet::from_jwk_set(json!({"keys": [own]}).as_object().unwrap()).unwrap();
            prop_assert!(ring.signing().is_none());
            prop_assert_eq!(check_signature(&token, &ring, NOW), Ok(()));
        }
    }

    #[test]
    fn any_changed_byte_of_a_signature_or_token_is_refused(
        algorithm in proptest::sample::select(Algorithm::ALL.to_vec()),
        at in any::<proptest::sample::Index>(),
        bits in 1..=255u8,
    ) {
        let key = key(algorithm);
        let (message, mut signature) = (b"header.payload".as_slice(), key.sign(b"header.payload"));
        prop_assert!(key.verifying().verify(message, &signature));
        prop_assert!(!key.verifying().verify(b"header.payloae", &signature));
        let at = at.index(signature.len());
        signature[at] ^= bits;
        prop_assert!(!key.verifying().verify(message, &signature));
        signature[at] ^= bits;
        prop_assert!(!key.verifying().verify(message, &signature[..at]));
        prop_assert!(!key.verifying().verify(message, &[&signature[..], &[0]].concat()));
        prop_assert!(!key.verifying().verify(message, &[&[0], &signature[..]].concat()));
    }
}

/// Numbers at their edges, and of any length.
fn number() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(vec![]),
        Just(vec![0]),
        Just(vec![1]),
        Just(vec![0; 256]),
        Just(vec![0xff; 128]),
        Just(vec![0xff; 256]),
        proptest::collection::vec(any::<u8>(), 0..300),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// What an operator pastes wrongly is told, whatever it is: a panic would be a gate without a reason.
    #[test]
    fn no_number_of_a_jwk_panics(
        which in 0..3usize,
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), number()), 1..4),
        is_public in any::<bool>(),
    ) {
        let mut members = jwk(&[
            rfc("7517-A.2")["keys"][1].to_string(), rfc("7515-A.3")["key"].to_string(), rfc("8037-A")["key"].to_string(),
        ][which]);
        if is_public {
            members.remove("d");
        }
        for (at, bytes) in changes {
            let names: Vec<String> =
                members.keys().filter(|name| !["kty", "crv", "alg", "kid"].contains(&name.as_str())).cloned().collect();
            members.insert(at.get(&names).clone(), Base64UrlUnpadded::encode_string(&bytes).into());
        }
        let _ = ring(&json!({"keys": [members]}));
    }

    #[test]
    fn no_change_of_a_pem_file_panics(
        file in proptest::sample::select(vec![
            RSA.0, RSA.1, P256.0, P256.1, ED25519.0, ED25519.1, key_file!("rsa.pkcs1.pem"), key_file!("p256.sec1.pem"),
        ]),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), "[A-Za-z0-9+/=\n -]{0,3}"), 1..4),
    ) {
        let mut text = file.to_owned();
        for (at, put_in) in changes {
            let at = at.index(text.len());
            text.replace_range(at..(at + put_in.len()).min(text.len()), &put_in);
        }
        for algorithm in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256] {
            let _ = (private(algorithm, &text), VerifyingKey::public(algorithm, &text));
        }
    }
}

/// RFC 7518 §3.4, and the order of P-256's group.
#[test]
fn es256_takes_raw_signatures_of_numbers_in_range_only() {
    let key = key(Algorithm::Es256);
    let good = key.sign(b"message");
    let order =
        base16ct::upper::decode_vec("FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551").unwrap();
    for bad in [vec![0; 32], order, vec![0xff; 32]] {
        assert!(!key.verifying().verify(b"message", &[bad.as_slice(), &good[32..]].concat()));
        assert!(!key.verifying().verify(b"message", &[&good[..32], &bad].concat()));
    }
    let der = p256::ecdsa::Signature::from_slice(&good).unwrap().to_der();
    assert!(!key.verifying().verify(b"message", der.as_bytes()));
    // Both values of s are good, as RFC 7518 has it: every other token of other libraries has the higher.
    let (r, s) = p256::ecdsa::Signature::from_slice(&good).unwrap().split_scalars();
    let other = p256::ecdsa::Signature::from_scalars(r, -s).unwrap();
    assert!(key.verifying().verify(b"message", &other.to_bytes()));
    assert_eq!(key.sign(b"message"), good, "RFC 6979: no randomness");
}

/// RFC 8032 §5.1.7: S must be below the group's order.
#[test]
fn ed25519_takes_one_spelling_of_a_signature() {
    let key = key(Algorithm::EdDsa);
    let mut signature = key.sign(b"message");
    let order =
        base16ct::lower::decode_vec("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010").unwrap();
    let mut carry = 0;
    for (byte, add) in signature[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        (*byte, carry) = (sum as u8, sum >> 8);
    }
    assert_eq!(carry, 0);
    assert!(!key.verifying().verify(b"message", &signature));
}

#[test]
fn rsa_signs_anew_each_time_only_where_it_has_a_salt() {
    for algorithm in asymmetric().filter(|algorithm| !matches!(algorithm, Algorithm::EdDsa | Algorithm::Es256)) {
        let key = key(algorithm);
        let same = key.sign(b"message") == key.sign(b"message");
        assert_eq!(same, algorithm.name().starts_with("RS"), "{}", algorithm.name());
    }
}

/// RFC 7515 appendix A: A.1 HS256, A.2 RS256, A.3 ES256; RFC 8037 appendix A.4 and A.5: EdDSA.
#[test]
fn the_tokens_of_the_rfcs_are_good_and_are_made_again() {
    for (name, algorithm, again) in [
        ("7515-A.1", Algorithm::Hs256, true),
        ("7515-A.2", Algorithm::Rs256, true),
        ("7515-A.3", Algorithm::Es256, false),
        ("8037-A", Algorithm::EdDsa, true),
    ] {
        let example = rfc(name);
        let mut members = example["key"].as_object().unwrap().clone();
        members.insert("alg".into(), algorithm.name().into());
        let ring = ring(&json!({"keys": [members]})).unwrap();
        let token = example["token"].as_str().unwrap();
        assert_eq!(check_signature(token, &ring, NOW), Ok(()), "{name}");
        let (input, signature) = token.rsplit_once('.').unwrap();
        let own = Base64UrlUnpadded::encode_string(&ring.signing().unwrap().sign(input.as_bytes()));
        assert_eq!(own == signature, again, "{name}: but for the k of ECDSA, signing has one outcome");
        assert_eq!(check_signature(&format!("{input}.{own}"), &ring, NOW), Ok(()));
        // A.5: an unsecured JWS, with any of these keys.
        let unsecured = rfc("7515-A.5")["token"].as_str().unwrap().to_owned();
        assert_eq!(check_signature(&unsecured, &ring, NOW), Err(TokenRejection::AlgorithmNotAllowed));
    }
}

/// RFC 7517 appendix A: A.1 public keys, A.2 private keys, A.3 symmetric keys. Those for encryption sign nothing.
#[test]
fn the_keys_of_rfc_7517_are_what_they_say() {
    for (name, number, outcome) in [
        ("7517-A.1", 0, Err(KeyFault::OtherUse)),
        ("7517-A.1", 1, Ok(None)),
        ("7517-A.2", 0, Err(KeyFault::OtherUse)),
        ("7517-A.2", 1, Ok(Some("2011-04-29"))),
        ("7517-A.3", 0, Err(KeyFault::UnknownAlgorithm)),
        ("7517-A.3", 1, Err(KeyFault::NoAlgorithm)),
    ] {
        let ring = ring(&json!({"keys": [rfc(name)["keys"][number]]})).map_err(|told| told.fault);
        let signs = ring.map(|ring| ring.signing().map(|key| key.id().unwrap().to_owned()));
        assert_eq!(signs, outcome.map(|id| id.map(str::to_owned)), "{name} {number}");
    }
    let named = Key::private(Algorithm::Hs256, &Secret::new(rfc("7517-A.3")["keys"][1].to_string())).unwrap();
    assert_eq!(named.id(), Some("HMAC key used in JWS spec example"));
    // What is published of A.2's key is A.1's.
    let ring = ring(&json!({"keys": [rfc("7517-A.2")["keys"][1]]})).unwrap();
    let mut expected = rfc("7517-A.1")["keys"][1].clone();
    expected["use"] = "sig".into();
    assert_eq!(ring.jwks(NOW)["keys"], json!([expected]));
    assert_eq!(jwk(&expected.to_string()).len(), 6);
}
