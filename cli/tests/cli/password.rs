//! `tollgate password` and `tollgate secret`.

use super::world::World;
use snapbox::str;
use std::collections::HashSet;

#[test]
fn a_hash_proves_its_password_and_no_other() {
    let world = World::new();
    let hash = world.good(&["password", "hash", "--iterations", "100000"], "abc xyz abc xyz \r\n").out;
    let hash = hash.trim();
    assert!(hash.starts_with("$pbkdf2-sha256$i=100000,l=32$"), "{hash}");
    for (password, code) in [("abc xyz abc xyz ", 0), ("abc xyz abc xyz \nmore", 0), ("abc xyz abc xyz", 1)] {
        assert_eq!(world.run(&["password", "check", hash], password).code, code, "{password:?}");
    }
    let run = world.run(&["password", "check", hash, "--json"], "abc xyz abc xyz ");
    assert_eq!(run.json(), serde_json::json!({"right": true, "outdated": true}));
}

#[test]
fn without_a_configuration_the_defaults_and_the_environment_count() {
    let world = World::new();
    std::fs::remove_file(world.path("wrangler.toml")).unwrap();
    let hash = |password: &str, more: &[&str]| {
        let args = [&["password", "hash", "--iterations", "100000"], more].concat();
        let mut command = world.command(&args);
        command.env("TOLLGATE_PASSWORD_PEPPERS", r#"{"k1":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"}"#);
        world.finish(command, password)
    };
    hash("short", &[]).is(str![[r#"
exit 1
--- stderr
error: the password has fewer than 15 characters
 hint: take a longer one, such as a few words. TOLLGATE_PASSWORD_MIN_LENGTH is the limit; --allow-weak accepts the password

"#]]);
    let weak = hash("short", &["--allow-weak"]);
    assert!(weak.code == 0 && weak.err.starts_with("warning: "), "{weak:?}");
    let peppered = hash("correct horse battery", &[]).out;
    assert!(peppered.starts_with("$pbkdf2-sha256$i=100000,l=32,keyid=k1$"), "{peppered}");
    world.run(&["password", "check", peppered.trim()], "x").is(str![[r#"
exit 2
--- stderr
error: the pepper of the hash is not known here: TOLLGATE_PASSWORD_PEPPERS lacks its key id
 hint: set the secret in .dev.vars or the environment, or name the configuration: --config FILE

"#]]);
    assert_eq!(world.run(&["password", "hash", "--config", "nowhere.toml"], "correct horse battery").code, 2);
}

#[test]
fn hashes_of_other_libraries_are_checked() {
    let world = World::new();
    for hash in [
        "$pbkdf2-sha256$1200$.//..//..//..//..//.$QkYK/q467L89eNUkGysXWb98CjNd.1OuW/TuEwKGCC8",
        "pbkdf2_sha256$30000$hQ8sGm2DkLpR$SIQ/vgm8gDBBcK7iZPoaZj1ys5dYa0yQi1Sa2gMCcN8=",
        "pbkdf2:sha256:50000$9SP6Nwo5LaL4ddL8$3bf60202d9430337403783c9b41f693150ad926c2c4796023de1e049b6b349c9",
    ] {
        assert_eq!(
            world.good(&["password", "check", hash], "abcxyz\n").out,
            "right; the hash is outdated and is renewed at the next log-in\n"
        );
    }
}

#[test]
fn an_empty_or_overlong_password_is_refused_without_being_shown() {
    let world = World::new();
    let long = "secret".repeat(200);
    for password in ["", "\n", &long] {
        let run = world.run(&["password", "hash"], password);
        assert!(run.code == 2 && run.out.is_empty() && !run.err.contains("secretsecret"), "{run:?}");
    }
}

#[test]
fn secrets_are_long_and_never_the_same() {
    let world = World::new();
    let secrets: HashSet<String> = (0..20).map(|_| world.good(&["secret", "generate"], "").out).collect();
    assert!(secrets.len() == 20 && secrets.iter().all(|secret| secret.trim().len() == 64));
    let run = world.good(&["secret", "generate", "--bytes", "32", "--json"], "").json();
    assert_eq!((run["secret"].as_str().unwrap().len(), &run["bytes"]), (43, &32.into()));
}
