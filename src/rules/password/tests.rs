use super::*;

/// Made with passlib 1.7.4, Django 5 and werkzeug 3 (`abcxyz` each), and with Python's hashlib (the PHC string).
const FOREIGN: [(&str, &str); 5] = [
    ("passlib", "$pbkdf2-sha256$29000$23vvfa91rvWek1KqFeLcGw$YtLTHHci4kHlGKTAeBTeRFbPlblTM3.4bb2/orX6cyg"),
    ("passlib, dots", "$pbkdf2-sha256$1200$.//..//..//..//..//.$QkYK/q467L89eNUkGysXWb98CjNd.1OuW/TuEwKGCC8"),
    ("Django", "pbkdf2_sha256$30000$hQ8sGm2DkLpR$SIQ/vgm8gDBBcK7iZPoaZj1ys5dYa0yQi1Sa2gMCcN8="),
    (
        "werkzeug",
        "pbkdf2:sha256:50000$9SP6Nwo5LaL4ddL8$3bf60202d9430337403783c9b41f693150ad926c2c4796023de1e049b6b349c9",
    ),
    ("PHC", "$pbkdf2-sha256$i=100000,l=32$AAECAwQFBgcICQoLDA0ODw$xYyWrTM2tCBat8E4dOBxs3zhTtlVhedc/87e39xoeJo"),
];

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

#[test]
fn hashes_of_other_libraries_are_proven_and_called_outdated() {
    for (maker, stored) in FOREIGN {
        assert_eq!(check(Some(stored), &secret("abcxyz"), 110_000), Ok(Check::RightButOutdated), "{maker}");
        assert_eq!(check(Some(stored), &secret("abcxyZ"), 100_000), Ok(Check::Wrong), "{maker}");
    }
    assert_eq!(check(Some(FOREIGN[4].1), &secret("abcxyz"), 100_000), Ok(Check::Right), "our own, at today's cost");
}

#[test]
fn a_new_hash_is_a_phc_string_that_proves_its_password() {
    let made = hash(&secret("correct horse"), 1_000, [7; 16]);
    let text = made.to_string();
    assert!(text.starts_with("$pbkdf2-sha256$i=1000,l=32$BwcHBwcHBwcHBwcHBwcHBw$"), "{text}");
    assert_eq!(PasswordHash::parse(&text), Ok(made));
    assert_eq!(check(Some(&text), &secret("correct horse"), 1_000), Ok(Check::Right));
    assert_eq!(check(Some(&text), &secret("correct horse"), 2_000), Ok(Check::RightButOutdated));
}

#[test]
fn composed_and_decomposed_typing_are_one_password() {
    let (composed, decomposed) = ("caf\u{e9} \u{c5}", "cafe\u{301} A\u{30a}");
    for (made_of, typed) in [(composed, decomposed), (decomposed, composed)] {
        let own = hash(&secret(made_of), 1_000, [7; 16]).to_string();
        assert_eq!(check(Some(&own), &secret(typed), 1_000), Ok(Check::Right));
    }
    // Other libraries hashed what was typed: werkzeug's hash of the decomposed "éàü" (Python's hashlib).
    let foreign = "pbkdf2:sha256:1000$saltsalt$451170e5df8eaefb64f33597168438abbae29ef5b12508949ce976b84fdb5be7";
    for typed in ["\u{e9}\u{e0}\u{fc}", "e\u{301}a\u{300}u\u{308}", "\u{e9}a\u{300}\u{fc}"] {
        assert_eq!(check(Some(foreign), &secret(typed), 1_000), Ok(Check::RightButOutdated), "{typed:?}");
    }
    assert_eq!(check(Some(foreign), &secret("eau"), 1_000), Ok(Check::Wrong));
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
        ("abcxyz".into(), HashFault::UnknownFormat),
        (String::new(), HashFault::UnknownFormat),
        (
            format!("pbkdf2_sha256$30000${}$SIQ/vgm8gDBBcK7iZPoaZj1ys5dYa0yQi1Sa2gMCcN8=", "s".repeat(2000)),
            HashFault::UnknownFormat,
        ),
    ] {
        assert_eq!(PasswordHash::parse(&stored).map(drop), Err(fault), "{stored}");
        assert_eq!(check(Some(&stored), &secret("abcxyz"), 1_000), Err(fault), "{stored}");
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

#[test]
fn a_hash_does_not_print() {
    let text = format!("{:?}", PasswordHash::parse(FOREIGN[0].1).unwrap());
    assert_eq!(text, "PasswordHash(Passlib, 29000 iterations, ..)");
}
