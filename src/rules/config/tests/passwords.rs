//! The options of passwords.

use super::*;

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
fn a_declared_kind_is_one_that_the_gate_verifies() {
    for (kinds, outcome) in [
        (json!([]), Ok(600_000)),
        (json!(["scrypt:32768:8:1"]), Ok(600_000)),
        (json!(["pbkdf2:sha512:1000000", "pbkdf2:sha1:1000"]), Ok(1_600_000)),
        (json!("pbkdf2:sha256:1000000"), Ok(1_000_000)),
        (json!(["bcrypt:12"]), Err("as Werkzeug has them")),
        (json!(["pbkdf2:sha256:hunter2"]), Err("as Werkzeug has them")),
        (json!(["scrypt:131072:8:1"]), Err("scrypt:131072:8:1: its cost or memory is out of bounds")),
        (json!(["pbkdf2:sha256:5000001"]), Err("out of bounds")),
        (json!(["pbkdf2:sha256:999"]), Err("out of bounds")),
    ] {
        let config = Config::read(&vars(json!({"TOLLGATE_PASSWORD_KINDS": kinds}))).config;
        match (config, outcome) {
            (Ok(config), Ok(budget)) => assert_eq!(config.hashing.budget(), budget, "{kinds}"),
            (Err(problems), Err(word)) => {
                assert!(problems.len() == 1 && problems[0].text.contains(word), "{kinds}: {problems:?}");
                assert_eq!(problems[0].option, "TOLLGATE_PASSWORD_KINDS");
                assert!(!problems[0].text.contains("hunter2"));
            }
            (config, _) => panic!("{kinds}: {config:?}"),
        }
    }
}

#[test]
fn the_default_policy_is_nists() {
    let config = Config::for_tests();
    assert_eq!(config.password_policy, PasswordPolicy { min_length: 15, refuses_common: true });
    assert_eq!(config.password_policy, PasswordPolicy::default());
    assert_eq!(config.hashing.iterations, crate::rules::password::DEFAULT_ITERATIONS);
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
