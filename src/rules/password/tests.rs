//! Hashes, peppers and the policy for new passwords.

use super::{kdf::ITERATIONS, *};
use crate::rules::json::{Map, Value, json};
use base64ct::{Base64, Base64Unpadded, Base64Url, Base64UrlUnpadded, Encoding};

/// Made with passlib 1.7.4, Django 5 and werkzeug 3 (`abcxyz` each), and with Python's hashlib (the PHC string).
const FOREIGN: [(&str, &str); 15] = [
    ("passlib", "$pbkdf2-sha256$29000$23vvfa91rvWek1KqFeLcGw$YtLTHHci4kHlGKTAeBTeRFbPlblTM3.4bb2/orX6cyg"),
    ("passlib, dots", "$pbkdf2-sha256$1200$.//..//..//..//..//.$QkYK/q467L89eNUkGysXWb98CjNd.1OuW/TuEwKGCC8"),
    ("Django", "pbkdf2_sha256$30000$hQ8sGm2DkLpR$SIQ/vgm8gDBBcK7iZPoaZj1ys5dYa0yQi1Sa2gMCcN8="),
    (
        "werkzeug",
        "pbkdf2:sha256:50000$9SP6Nwo5LaL4ddL8$3bf60202d9430337403783c9b41f693150ad926c2c4796023de1e049b6b349c9",
    ),
    ("PHC", "$pbkdf2-sha256$i=100000,l=32$AAECAwQFBgcICQoLDA0ODw$xYyWrTM2tCBat8E4dOBxs3zhTtlVhedc/87e39xoeJo"),
    (
        "werkzeug's default",
        "scrypt:32768:8:1$657I4wgEocRaOPPM$38483b924db5d80648b65c5c6724bf4634b89344bc5f54d81f00d679969ca00c2d1a4ff8ed973e9baf578fb141dc053309aa2b272ca1967657102f6e10fbee57",
    ),
    (
        "werkzeug, two in parallel",
        "scrypt:1024:8:2$PQdgES3rTR94keLq$d7c4785e1b7131dd91871e0a288a5ef21d157abcec0e997a29878ec8f84ba88d3d1f47f7eb74ce94046b03b7d74b71c1a988a58b2649eab5a223d38a618590ad",
    ),
    (
        "werkzeug, SHA-512",
        "pbkdf2:sha512:20000$ksAXOf6pqlCo9hDa$c342c30b73ee1bffac9569c4bf83a3eedf54e22b59330d66f0053e1eb196d3ae17b04ef81cd460806fb941f0f950cd7babab5fa204c5f806a74f2faa59f6086c",
    ),
    ("werkzeug, SHA-1", "pbkdf2:sha1:20000$mdd1Vbst0piIKOQH$1a1cab54713b6e452c2333aa2001de5063521ee7"),
    (
        "Django, scrypt",
        "scrypt$16384$hQ8sGm2DkLpR$8$5$cltNCJ73u7+BUs0YCtS7GnMp9wsId4vz1cZDzbU7qYAi4wz8NsIFvIqrvm2sS2dq7BcpstHih0AGKKwqQKt0Gw==",
    ),
    (
        "Django, cheap scrypt",
        "scrypt$1024$hQ8sGm2DkLpR$8$1$WGciOXSKVPT2taJ0fPRB6MbcItEOhakFbKpXAi8wuuAQgH9oJIj4m+02y33E7jf4xTvrVr9j0+YWqHkaqEEZMQ==",
    ),
    ("Django, SHA-1", "pbkdf2_sha1$30000$hQ8sGm2DkLpR$rXsUECeCBy/CJPO0T8Fx6wOGyPM="),
    (
        "Django, SHA-512",
        "pbkdf2_sha512$30000$hQ8sGm2DkLpR$0/lLWXsxRcHhOXaOwjaWXtKDzJnBH4KtcOYf/OWR2qktW4700+BtsFulDVJssiCV+60pj/PZlndJfxpOmSxPFA==",
    ),
    (
        "passlib, SHA-512",
        "$pbkdf2-sha512$12000$gND6/3/PGeN8bw3BeC/FeA$VZGsR1bWguijTsGfGBw9MlAvz7I7oJxmm7hAiVvt1b4natN3R0mEC/GCtSvCT7WicSMCtbOFOQlMzoxd9bKJOA",
    ),
    ("passlib, SHA-1", "$pbkdf2$12000$D6H0fi/FeC.FUMq5V6rVGg$YIDtZT/B5W8E866AYkxHSMWkxAc"),
];

fn at(iterations: u32) -> Hashing {
    Hashing::new(iterations)
}

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

#[test]
fn hashes_of_other_libraries_are_proven_and_called_outdated() {
    for (maker, stored) in FOREIGN {
        assert_eq!(check(Some(stored), &secret("abcxyz"), &at(110_000)), Ok(Check::RightButOutdated), "{maker}");
        assert_eq!(check(Some(stored), &secret("abcxyZ"), &at(100_000)), Ok(Check::Wrong), "{maker}");
    }
    assert_eq!(
        check(Some(FOREIGN[4].1), &secret("abcxyz"), &at(100_000)),
        Ok(Check::Right),
        "our own, at today's cost"
    );
}

#[test]
fn a_new_hash_is_a_phc_string_that_proves_its_password() {
    let made = hash(&secret("correct horse"), &at(1_000), [7; 16]);
    let text = made.to_string();
    assert!(text.starts_with("$pbkdf2-sha256$i=1000,l=32$BwcHBwcHBwcHBwcHBwcHBw$"), "{text}");
    assert_eq!(PasswordHash::parse(&text), Ok(made));
    assert_eq!(check(Some(&text), &secret("correct horse"), &at(1_000)), Ok(Check::Right));
    assert_eq!(check(Some(&text), &secret("correct horse"), &at(2_000)), Ok(Check::RightButOutdated));
}

#[test]
fn composed_and_decomposed_typing_are_one_password() {
    let (composed, decomposed) = ("caf\u{e9} \u{c5}", "cafe\u{301} A\u{30a}");
    for (made_of, typed) in [(composed, decomposed), (decomposed, composed)] {
        let own = hash(&secret(made_of), &at(1_000), [7; 16]).to_string();
        assert_eq!(check(Some(&own), &secret(typed), &at(1_000)), Ok(Check::Right));
    }
    // Other libraries hashed what was typed: werkzeug's hash of the decomposed "éàü" (Python's hashlib).
    let foreign = "pbkdf2:sha256:1000$saltsalt$451170e5df8eaefb64f33597168438abbae29ef5b12508949ce976b84fdb5be7";
    for typed in ["\u{e9}\u{e0}\u{fc}", "e\u{301}a\u{300}u\u{308}", "\u{e9}a\u{300}\u{fc}"] {
        assert_eq!(check(Some(foreign), &secret(typed), &at(1_000)), Ok(Check::RightButOutdated), "{typed:?}");
    }
    assert_eq!(check(Some(foreign), &secret("eau"), &at(1_000)), Ok(Check::Wrong));
}

#[test]
fn an_absurd_or_foreign_hash_is_refused_before_it_is_computed() {
    let salt_and_hash = "AAECAwQFBgcICQoLDA0ODw$xYyWrTM2tCBat8E4dOBxs3zhTtlVhedc/87e39xoeJo";
    for (stored, fault) in [
        (format!("$pbkdf2-sha256$i=1,l=32${salt_and_hash}"), HashFault::CostTooLow),
        (format!("$pbkdf2-sha256$i=999,l=32${salt_and_hash}"), HashFault::CostTooLow),
        (format!("$pbkdf2-sha256$0${salt_and_hash}"), HashFault::CostTooLow),
        (format!("$pbkdf2-sha256$i=4294967295,l=32${salt_and_hash}"), HashFault::CostTooHigh),
        (format!("$pbkdf2-sha256$5000001${salt_and_hash}"), HashFault::CostTooHigh),
        (format!("$pbkdf2-sha256$99999999999${salt_and_hash}"), HashFault::CostTooHigh),
        (format!("$pbkdf2-sha256$i=100000,l=64${salt_and_hash}"), HashFault::UnknownFormat),
        (format!("$pbkdf2-sha256$i=100000,x=1${salt_and_hash}"), HashFault::UnknownFormat),
        (format!("$pbkdf2-sha512$i=100000,l=32${salt_and_hash}"), HashFault::UnknownFormat),
        (
            "$argon2id$v=19$m=19456,t=2,p=1$AAECAwQFBgcICQoLDA0ODw$xYyWrTM2tCBat8E4dOBxs3zhTtlVhedc".into(),
            HashFault::UnknownFormat,
        ),
        ("pbkdf2_sha256$30000$$SIQ/vgm8gDBBcK7iZPoaZj1ys5dYa0yQi1Sa2gMCcN8=".into(), HashFault::UnknownFormat),
        ("pbkdf2_sha256$-1$salt$SIQ/vgm8gDBBcK7iZPoaZj1ys5dYa0yQi1Sa2gMCcN8=".into(), HashFault::UnknownFormat),
        ("pbkdf2:sha256:50000$salt$3bf6".into(), HashFault::UnknownFormat),
        // Hashes of another length than their function's, and numbers that are out of bounds.
        ("pbkdf2:sha1:20000$salt$1a1cab54".into(), HashFault::UnknownFormat),
        (format!("scrypt:32768:8:1$salt${}", "00".repeat(63)), HashFault::UnknownFormat),
        (format!("scrypt:32768:8:1$${}", "00".repeat(64)), HashFault::UnknownFormat),
        (format!("scrypt:32768:8$salt${}", "00".repeat(64)), HashFault::UnknownFormat),
        // N is a power of two above 1.
        (format!("scrypt:30000:8:1$salt${}", "00".repeat(64)), HashFault::UnknownFormat),
        (format!("scrypt:1:8:1$salt${}", "00".repeat(64)), HashFault::UnknownFormat),
        (format!("scrypt:131072:8:1$salt${}", "00".repeat(64)), HashFault::MemoryTooHigh),
        (format!("scrypt:512:8:1$salt${}", "00".repeat(64)), HashFault::CostTooLow),
        (format!("scrypt:32768:8:99999$salt${}", "00".repeat(64)), HashFault::CostTooHigh),
        ("abcxyz".into(), HashFault::UnknownFormat),
        (String::new(), HashFault::UnknownFormat),
        (
            format!("pbkdf2_sha256$30000${}$SIQ/vgm8gDBBcK7iZPoaZj1ys5dYa0yQi1Sa2gMCcN8=", "s".repeat(2000)),
            HashFault::UnknownFormat,
        ),
    ] {
        assert_eq!(PasswordHash::parse(&stored).map(drop), Err(fault), "{stored}");
        assert_eq!(check(Some(&stored), &secret("abcxyz"), &at(1_000)), Err(fault), "{stored}");
    }
}

#[test]
fn a_check_spends_the_same_whoever_is_asked_for() {
    let spent = |candidates, costs: &[u32]| {
        let mut budget = Budget::new(candidates, 600_000);
        costs.iter().for_each(|cost| budget.spent(*cost));
        budget.0 + costs.iter().map(|cost| u64::from(*cost)).sum::<u64>()
    };
    let unknown = spent(1, &[]);
    assert_eq!(unknown, 600_000);
    assert_eq!(spent(1, &[600_000]), unknown, "our own hash");
    assert_eq!(spent(1, &[29_000]), unknown, "passlib's");
    assert_eq!(spent(2, &[600_000]), spent(2, &[]), "our own, a password beyond ASCII");
    assert_eq!(spent(2, &[29_000, 29_000]), spent(2, &[]), "passlib's, a password beyond ASCII");
}

/// The iterations of PBKDF2 that a check takes.
fn iterations_of(stored: Option<&str>, hashing: &Hashing) -> u64 {
    ITERATIONS.set(0);
    let _ = check(stored, &secret("abcxyz"), hashing);
    ITERATIONS.get()
}

#[test]
fn a_check_without_a_usable_hash_takes_as_many_iterations_as_one_with() {
    let hashing = at(2_000);
    let known = hash(&secret("abcxyz"), &hashing, [7; 16]).to_string();
    assert_eq!(iterations_of(Some(&known), &hashing), 2_000);
    let cheaper = hash(&secret("abcxyz"), &at(1_500), [7; 16]).to_string();
    for other in [None, Some("abcxyz"), Some(&*cheaper)] {
        assert_eq!(iterations_of(other, &hashing), 2_000, "{other:?}");
    }
}

#[test]
fn a_declared_function_that_costs_more_sets_the_cost_of_every_check() {
    let with = |kinds: &[&str]| {
        let kinds = kinds.iter().map(|kind| kind.parse().unwrap()).collect();
        Hashing { kinds, ..at(100_000) }.budget()
    };
    assert_eq!(with(&[]), 100_000);
    assert_eq!(with(&["pbkdf2:sha256:30000"]), 100_000, "cheaper than a new hash");
    assert_eq!(with(&["pbkdf2:sha256:30000", "pbkdf2:sha512:1000000"]), 1_600_000);
    let scrypt: Kdf = "scrypt:32768:8:4".parse().unwrap();
    assert_eq!(with(&["scrypt:32768:8:4"]), scrypt.cost());
    assert!(scrypt.cost() > 100_000);
}

#[test]
fn a_stored_hash_has_at_most_so_many_bytes() {
    let stored = |salt: usize| format!("pbkdf2:sha256:50000${}${}", "s".repeat(salt), "00".repeat(32));
    let most = 1024 - stored(0).len();
    assert!(PasswordHash::parse(&stored(most)).is_ok());
    assert_eq!(PasswordHash::parse(&stored(most + 1)), Err(HashFault::UnknownFormat));
}

#[test]
fn a_hash_does_not_print() {
    let text = format!("{:?}", PasswordHash::parse(FOREIGN[0].1).unwrap());
    assert_eq!(text, "PasswordHash(Passlib, pbkdf2:sha256:29000, ..)");
}

const K1: [u8; 32] = [1; 32];

/// Hashing with peppers of these key ids, each with different bytes, and `current` for new hashes.
fn peppered(ids: &[&str], current: &str) -> Hashing {
    let table: Map<String, Value> = ids
        .iter()
        .map(|id| {
            let bytes = if *id == "k1" { K1.to_vec() } else { format!("{id:x<32}").into_bytes() };
            ((*id).to_owned(), Base64UrlUnpadded::encode_string(&bytes).into())
        })
        .collect();
    Hashing { peppers: Peppers::read(&table).unwrap().using(current).unwrap(), ..at(1_000) }
}

/// Python: `hashlib.pbkdf2_hmac("sha256", hmac.digest(bytes([1] * 32), "caf\u00e9 horse".encode(), "sha256"), bytes([7]
/// * 16), 1000)`
const PEPPERED: &str =
    "$pbkdf2-sha256$i=1000,l=32,keyid=k1$BwcHBwcHBwcHBwcHBwcHBw$vO1rtRHSGyIgdo/QvSZXx9Emf//NtFxsYN6n+iisss0";

#[test]
fn a_peppered_hash_is_pbkdf2_of_an_hmac_and_names_its_pepper() {
    let k1 = peppered(&["k1"], "k1");
    for typed in ["caf\u{e9} horse", "cafe\u{301} horse"] {
        let made = hash(&secret(typed), &k1, [7; 16]);
        assert_eq!(made.to_string(), PEPPERED, "{typed:?}");
        assert_eq!(PasswordHash::parse(PEPPERED), Ok(made));
        assert_eq!(check(Some(PEPPERED), &secret(typed), &k1), Ok(Check::Right));
    }
    assert_eq!(check(Some(PEPPERED), &secret("cafe horse"), &k1), Ok(Check::Wrong));
    let unpeppered = PEPPERED.replace(",keyid=k1", "");
    assert_eq!(check(Some(&unpeppered), &secret("caf\u{e9} horse"), &k1), Ok(Check::Wrong));
}

#[test]
fn a_pepper_is_changed_by_the_logins_that_prove_the_old_one() {
    let password = secret("caf\u{e9} horse");
    let old = peppered(&["k1"], "k1");
    let both = peppered(&["k1", "k2"], "k2");
    let new = peppered(&["k2"], "k2");
    let none = at(1_000);
    for (stored, hashing, outcome) in [
        // A hash without a pepper, checked where a pepper is current.
        (hash(&password, &none, [7; 16]).to_string(), &old, Ok(Check::RightButOutdated)),
        // The new pepper is configured before it becomes current, and the old one stays after.
        (PEPPERED.into(), &peppered(&["k1", "k2"], "k1"), Ok(Check::Right)),
        (hash(&password, &new, [7; 16]).to_string(), &peppered(&["k1", "k2"], "k1"), Ok(Check::RightButOutdated)),
        // The new pepper is current: hashes with the old one are valid but outdated.
        (PEPPERED.into(), &both, Ok(Check::RightButOutdated)),
        (hash(&password, &both, [7; 16]).to_string(), &both, Ok(Check::Right)),
        (hash(&password, &both, [7; 16]).to_string(), &new, Ok(Check::Right)),
        // The old pepper was removed: hashes that were not renewed before are unusable.
        (PEPPERED.into(), &new, Err(HashFault::UnknownPepper)),
        (PEPPERED.into(), &none, Err(HashFault::UnknownPepper)),
        // No pepper is current any more.
        (PEPPERED.into(), &peppered(&["k1"], ""), Ok(Check::RightButOutdated)),
        (hash(&password, &none, [7; 16]).to_string(), &peppered(&["k1"], ""), Ok(Check::Right)),
        // Another pepper under the same key id.
        (PEPPERED.replace("k1", "k3"), &peppered(&["k3"], "k3"), Ok(Check::Wrong)),
    ] {
        assert_eq!(check(Some(&stored), &password, hashing), outcome, "{stored} {hashing:?}");
    }
    let foreign = check(Some(FOREIGN[1].1), &secret("abcxyz"), &old);
    assert_eq!(foreign, Ok(Check::RightButOutdated), "made without a pepper, made anew with one");
}

#[test]
fn key_ids_are_of_the_characters_that_a_phc_string_takes() {
    for (id, good) in [
        ("k1", true),
        ("2026-11", true),
        ("a", true),
        ("abcdefghijklmnop", true),
        ("abcdefghijklmnopq", false),
        ("", false),
        ("K1", false),
        ("k_1", false),
        ("k,1", false),
        ("k$1", false),
        ("\u{e9}", false),
    ] {
        assert_eq!(KeyId::new(id).is_some(), good, "{id:?}");
        let stored = PEPPERED.replace("keyid=k1", &format!("keyid={id}"));
        assert_eq!(PasswordHash::parse(&stored).is_ok(), good, "{stored}");
    }
    assert!(PasswordHash::parse(&PEPPERED.replace("keyid=k1", "keyid=k1,keyid=k2")).is_err(), "each once");
}

#[test]
fn peppers_are_read_in_each_kind_of_base64_and_never_shown() {
    let bytes = [0xfb; 33];
    for text in [
        Base64UrlUnpadded::encode_string(&bytes),
        Base64Url::encode_string(&bytes),
        Base64Unpadded::encode_string(&bytes),
        Base64::encode_string(&bytes),
        Base64::encode_string(&bytes[..32]),
    ] {
        let Value::Object(table) = json!({"k1": text}) else { unreachable!() };
        let peppers = Peppers::read(&table).unwrap();
        assert_eq!(format!("{peppers:?}"), r#"Peppers { ids: ["k1"], current: Some("k1"), .. }"#);
        assert_eq!((peppers.len(), peppers.is_empty()), (1, false));
    }
    assert!(Peppers::default().is_empty());
    for wrong in [
        json!({}),
        json!({"k1": Base64::encode_string(&bytes[..31])}),
        json!({"k1": "hunter2"}),
        json!({"k1": 7}),
        json!({"K1": Base64::encode_string(&bytes)}),
    ] {
        let error = Peppers::read(wrong.as_object().unwrap()).unwrap_err();
        assert!(error.contains("write") && !error.contains("hunter2"), "{error}");
    }
}
