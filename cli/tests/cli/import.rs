//! `tollgate user import`.

use super::world::{HASH, World, now};
use serde_json::{Value, json};
use snapbox::str;
use std::collections::HashSet;

const HASHES: [&str; 4] = [
    "$pbkdf2-sha256$1200$.//..//..//..//..//.$QkYK/q467L89eNUkGysXWb98CjNd.1OuW/TuEwKGCC8",
    "pbkdf2_sha256$30000$hQ8sGm2DkLpR$SIQ/vgm8gDBBcK7iZPoaZj1ys5dYa0yQi1Sa2gMCcN8=",
    "pbkdf2:sha256:50000$9SP6Nwo5LaL4ddL8$3bf60202d9430337403783c9b41f693150ad926c2c4796023de1e049b6b349c9",
    HASH,
];

const BAD: &str = r#"{"username":"a","id":1,"hash":"pbkdf2_sha256$30000$hQ8sGm2DkLpR$SIQ/vgm8gDBBcK7iZPoaZj1ys5dYa0yQi1Sa2gMCcN8="}
{"username":"b","password":"hunter2","passwort":"hunter2"}

{"username":"c","hash":"$2b$12$hunter2"}
{"username":"a","password":"hunter2"}
hunter2
{"username":"d","id":4,"password":"a good line of text"}
"#;

/// Start time of the import of a file, from the saved progress.
fn began(world: &World, file: &str) -> i64 {
    let kept = std::fs::read(world.path(&format!("{file}.tollgate-progress"))).unwrap();
    serde_json::from_slice::<Value>(&kept).unwrap()["began"].as_i64().unwrap()
}

#[test]
fn a_dry_run_tells_every_bad_line_and_writes_nothing() {
    let world = World::new();
    world.write("users.jsonl", BAD);
    let run = world.run(&["user", "import", "users.jsonl", "--dry-run"], "");
    assert!(run.code == 1 && !run.out.contains("hunter2"), "{run:?}");
    run.is(str![[r#"
exit 1
--- stdout
users.jsonl:2: error: member "passwort" is unknown: write only username, id, password, hash, status, attributes; did you mean password?
users.jsonl:4: error: hash: this is a bcrypt hash; the gate verifies only PBKDF2 (of Tollgate, passlib, Django or werkzeug) and scrypt (of Django or werkzeug): write a temporary password as "password", or have your application store a PBKDF2 or scrypt hash when these users next log in there (docs/moving-from-flask-jwt.md), and import them afterwards
users.jsonl:5: error: the same name as in line 1: remove one of the two
users.jsonl:6: error: not JSON (in UTF-8, each member once): write {"username": …, "hash": …} on one line
6 lines, 4 bad; nothing would be written. With --skip-bad 2 would be added, 0 exist already
--- stderr
store: local store of ./wrangler.toml

"#]]);
    world.run(&["user", "import", "users.jsonl", "--dry-run", "--json"], "").is(str![[r#"
exit 1
--- stdout
{
  "lines": 6,
  "bad": [
    {
      "line": 2,
      "text": "member \"passwort\" is unknown: write only username, id, password, hash, status, attributes; did you mean password?"
    },
    {
      "line": 4,
      "text": "hash: this is a bcrypt hash; the gate verifies only PBKDF2 (of Tollgate, passlib, Django or werkzeug) and scrypt (of Django or werkzeug): write a temporary password as \"password\", or have your application store a PBKDF2 or scrypt hash when these users next log in there (docs/moving-from-flask-jwt.md), and import them afterwards"
    },
    {
      "line": 5,
      "text": "the same name as in line 1: remove one of the two"
    },
    {
      "line": 6,
      "text": "not JSON (in UTF-8, each member once): write {\"username\": …, \"hash\": …} on one line"
    }
  ],
  "warnings": [],
  "dry_run": true,
  "added": 2,
  "replaced": 0,
  "left_as_they_were": 0
}
--- stderr
{"remark":"store: local store of ./wrangler.toml"}

"#]]);
    assert!(world.store().is_empty());
}

#[test]
fn a_bad_line_stops_all_unless_it_is_to_be_skipped() {
    let world = World::new();
    world.write("users.jsonl", BAD);
    world.run(&["user", "import", "users.jsonl"], "").is(str![[r#"
exit 1
--- stdout
users.jsonl:2: error: member "passwort" is unknown: write only username, id, password, hash, status, attributes; did you mean password?
users.jsonl:4: error: hash: this is a bcrypt hash; the gate verifies only PBKDF2 (of Tollgate, passlib, Django or werkzeug) and scrypt (of Django or werkzeug): write a temporary password as "password", or have your application store a PBKDF2 or scrypt hash when these users next log in there (docs/moving-from-flask-jwt.md), and import them afterwards
users.jsonl:5: error: the same name as in line 1: remove one of the two
users.jsonl:6: error: not JSON (in UTF-8, each member once): write {"username": …, "hash": …} on one line
6 lines, 4 bad; nothing was written. Correct the file, or import the good lines with --skip-bad

"#]]);
    assert!(world.store().is_empty() && world.calls().is_empty());
    world.good(&["user", "import", "users.jsonl", "--skip-bad"], "").is(str![[r#"
exit 0
--- stdout
users.jsonl:2: error: member "passwort" is unknown: write only username, id, password, hash, status, attributes; did you mean password?
users.jsonl:4: error: hash: this is a bcrypt hash; the gate verifies only PBKDF2 (of Tollgate, passlib, Django or werkzeug) and scrypt (of Django or werkzeug): write a temporary password as "password", or have your application store a PBKDF2 or scrypt hash when these users next log in there (docs/moving-from-flask-jwt.md), and import them afterwards
users.jsonl:5: error: the same name as in line 1: remove one of the two
users.jsonl:6: error: not JSON (in UTF-8, each member once): write {"username": …, "hash": …} on one line
6 lines, 4 bad; 2 added, 0 unchanged
--- stderr
store: local store of ./wrangler.toml
  2 of 2 users

"#]]);
    assert_eq!(world.store().keys().collect::<Vec<_>>(), ["login:a", "login:d", "user:1", "user:4"]);
}

#[test]
fn weak_passwords_are_bad_lines_unless_they_are_allowed() {
    let world = World::new();
    let line = |name: &str, password: &str| json!({"username": name, "id": name, "password": password}).to_string();
    let lines = [line("a", "short"), line("b", "correct horse battery"), line("c", "q1w2e3r4t5y6u7i8")];
    world.write("users.jsonl", &lines.join("\n"));
    world.run(&["user", "import", "users.jsonl"], "").is(str![[r#"
exit 1
--- stdout
users.jsonl:1: error: the password has fewer than 15 characters: take a longer one, such as a few words; or accept it with --allow-weak
users.jsonl:3: error: the password is one of the most common ones, which are tried first: take another, such as a few words of your own; one more digit does not make it a good one; or accept it with --allow-weak
3 lines, 2 bad; nothing was written. Correct the file, or import the good lines with --skip-bad

"#]]);
    assert!(world.store().is_empty());
    world.run(&["user", "import", "users.jsonl", "--dry-run"], "").is(str![[r#"
exit 1
--- stdout
users.jsonl:1: error: the password has fewer than 15 characters: take a longer one, such as a few words; or accept it with --allow-weak
users.jsonl:3: error: the password is one of the most common ones, which are tried first: take another, such as a few words of your own; one more digit does not make it a good one; or accept it with --allow-weak
3 lines, 2 bad; nothing would be written. With --skip-bad 1 would be added, 0 exist already
--- stderr
store: local store of ./wrangler.toml

"#]]);
    world.good(&["user", "import", "users.jsonl", "--allow-weak"], "").is(str![[r#"
exit 0
--- stdout
3 lines, 0 bad; 3 added, 0 unchanged
--- stderr
warning: 2 weak passwords accepted because of --allow-weak: have them changed
store: local store of ./wrangler.toml
  3 of 3 users

"#]]);
    assert_eq!(world.store().len(), 6);
}

#[test]
fn hashes_with_an_unknown_pepper_are_warned_of() {
    let world = World::new();
    let hash = HASHES[3].replace("l=32", "l=32,keyid=k9");
    world.write("users.jsonl", &json!({"username": "a", "id": 1, "hash": hash}).to_string());
    let run = world.good(&["user", "import", "users.jsonl"], "");
    assert!(run.err.contains("warning: 1 hash has a pepper that is not known here"), "{run:?}");
}

#[test]
fn hashes_are_stored_as_they_came_and_the_same_file_again_changes_nothing() {
    let world = World::new();
    let mut csv = String::from("username,id,hash,password,status,attributes\n");
    for (at, hash) in HASHES.iter().enumerate() {
        csv += &format!("user{at},{at},\"{hash}\",,,\n");
    }
    csv += "plain,\"\"\"5\"\"\",,correct horse battery,disabled,\"{\"\"role\"\":\"\"admin\"\"}\"\nno-id,,,correct horse battery,,\n";
    world.write("users.csv", &csv);
    let before = now();
    world.good(&["user", "import", "users.csv"], "");
    let version = began(&world, "users.csv");
    assert!((before..=now()).contains(&version));
    for (at, hash) in HASHES.iter().enumerate() {
        assert_eq!(
            world.value(&format!("login:user{at}")),
            json!({"v": 1, "id": at, "hash": hash, "status": "active", "version": version})
        );
    }
    assert_eq!(
        world.value("user:\"5\""),
        json!({"v": 1, "id": "5", "name": "plain", "status": "disabled", "attributes": {"role": "admin"}, "version": version})
    );
    let hash = world.hash("plain");
    assert_eq!(world.run(&["password", "check", &hash], "correct horse battery").code, 0);
    let before = world.store();
    assert_eq!(before.len(), 12);
    world.calls();
    for args in [&["user", "import", "users.csv"][..], &["user", "import", "users.csv", "--replace"]] {
        let run = world.good(args, "");
        assert!(run.out.contains("0 added") && run.out.contains("6 unchanged"), "{run:?}");
        assert!(world.calls().iter().all(|call| !call.starts_with("put")));
    }
    // Without what was kept beside it, too.
    std::fs::remove_file(world.path("users.csv.tollgate-progress")).unwrap();
    world.good(&["user", "import", "users.csv", "--replace"], "");
    assert!(world.calls().iter().all(|call| !call.starts_with("put")));
    assert_eq!(world.store(), before);
}

#[test]
fn users_in_the_store_are_not_changed_unless_replaced() {
    let world = World::new();
    let line = |name: &str, id: Value, status: &str| {
        json!({"username": name, "id": id, "hash": HASHES[0], "status": status}).to_string()
    };
    world.write("users.jsonl", &line("a", 1.into(), "active"));
    world.good(&["user", "import", "users.jsonl"], "");
    world.write("more.jsonl", &[line("a", Value::Null, "disabled"), line("b", 2.into(), "active")].join("\n"));
    let run = world.good(&["user", "import", "more.jsonl"], "");
    assert!(run.out.contains("1 added, 1 unchanged"), "{run:?}");
    assert_eq!(world.value("login:a")["status"], "active");
    let [of_a, of_b] = ["login:a", "login:b"].map(|key| world.value(key)["version"].as_i64().unwrap());
    let run = world.good(&["user", "import", "more.jsonl", "--replace"], "");
    assert!(run.out.contains("0 added, 1 replaced, 1 unchanged"), "{run:?}");
    assert_eq!(
        (&world.value("login:a")["status"], &world.value("user:1")["status"]),
        (&json!("disabled"), &json!("disabled"))
    );
    // Only replaced users get another version: that of this run, or one after the stored version.
    assert!(began(&world, "more.jsonl") > of_a);
    assert_eq!(world.value("login:a")["version"], began(&world, "more.jsonl"));
    assert_eq!(world.value("login:b")["version"], of_b);
    let ahead = json!({"v": 1, "id": 1, "hash": HASHES[0], "status": "active", "version": now() + 100_000});
    world.put("login:a", &ahead.to_string());
    world.good(&["user", "import", "more.jsonl", "--replace"], "");
    assert_eq!(world.value("login:a")["version"], ahead["version"].as_i64().unwrap() + 1);
    // Another's id, and another id.
    world.write("taken.jsonl", &[line("c", 1.into(), "active"), line("b", 3.into(), "active")].join("\n"));
    world.run(&["user", "import", "taken.jsonl", "--replace"], "").is(str![[r#"
exit 1
--- stdout
taken.jsonl:1: error: id: it belongs to another user in the store: write another id, or none for a random one
taken.jsonl:2: error: id: the user in the store has the id 2, which can't be changed: write that id, or delete the user first
2 lines, 2 bad; nothing was written
--- stderr
store: local store of ./wrangler.toml
error: taken.jsonl: no line can be imported
 hint: each line's problem is listed above

"#]]);
    assert_eq!(world.store().len(), 4);
}

/// Otherwise a script would take it for done.
#[test]
fn a_file_without_a_good_line_is_a_failure() {
    let world = World::new();
    for (name, content) in [
        ("nothing.jsonl", ""),
        ("blank.jsonl", "\n \r\n\n"),
        ("nothing.csv", ""),
        ("blank.csv", "\n\n"),
        ("header.csv", "username,hash\n\n"),
        ("bad.jsonl", "x\n{}\n"),
        ("bad.csv", "username,hash\na,$2b$12$x\n"),
        ("utf-16.jsonl", "{\0}\0\n\0"),
        ("weak.jsonl", r#"{"username":"a","password":"short"}"#),
    ] {
        world.write(name, content);
        for more in [&[][..], &["--dry-run"], &["--skip-bad"], &["--skip-bad", "--dry-run"], &["--json"]] {
            let run = world.run(&[&["user", "import", name][..], more].concat(), "");
            assert_eq!(run.code, 1, "{name} {more:?}: {run:?}");
            let is_json = more == ["--json"];
            let bad = if is_json { run.json()["bad"].as_array().unwrap().len() } else { run.out.lines().count() - 1 };
            let what = if bad > 0 { "no line can be imported" } else { "the file has no user" };
            assert!(run.err.contains(what) && run.err.contains("hint"), "{name} {more:?}: {run:?}");
        }
    }
    assert!(world.store().is_empty());
    // Good lines, but not for this store.
    world.put("user:1", &json!({"v": 1, "id": 1, "name": "b", "status": "active"}).to_string());
    world.write("taken.jsonl", &json!({"username": "a", "id": 1, "hash": HASHES[0]}).to_string());
    let run = world.run(&["user", "import", "taken.jsonl", "--skip-bad"], "");
    assert!(run.code == 1 && run.err.contains("no line can be imported"), "{run:?}");
    assert_eq!(world.store().len(), 1);
}

#[test]
fn files_of_spreadsheets_are_read() {
    let world = World::new();
    let rows = format!("id;username;hash\n1;Ann Lee;{}\n", HASHES[1]);
    world.write("semicolons.csv", &rows);
    world.write("tabs.TSV", &rows.replace("1;Ann", "2;Bob").replace(';', "\t"));
    let utf16: Vec<u8> =
        format!("\u{feff}{}", rows.replace("1;Ann", "3;Zo\u{eb}")).encode_utf16().flat_map(u16::to_le_bytes).collect();
    std::fs::write(world.path("utf-16.csv"), utf16).unwrap();
    for file in ["semicolons.csv", "tabs.TSV", "utf-16.csv"] {
        world.good(&["user", "import", file], "");
    }
    let names: Vec<String> =
        (1..=3).map(|id| world.value(&format!("user:{id}"))["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, ["Ann Lee", "Bob Lee", "Zo\u{eb} Lee"]);
}

#[test]
fn names_that_differ_only_in_case_are_warned_of() {
    let world = World::new();
    let line = |name: &str| json!({"username": name, "hash": HASHES[0]}).to_string();
    world.write("first.jsonl", &[line("Ann"), line("bob\u{202e}"), line("\u{c9}va")].join("\n"));
    let run = world.good(&["user", "import", "first.jsonl", "--json"], "");
    assert_eq!(run.json()["warnings"], json!([]));
    world.write("more.jsonl", &[line("ann"), line("x"), line("X"), line("BOB\u{202e}"), line("e\u{301}va")].join("\n"));
    let dry = world.run(&["user", "import", "more.jsonl", "--dry-run"], "");
    let run = world.good(&["user", "import", "more.jsonl", "--json"], "");
    let warnings = run.json()["warnings"].clone();
    let found: Vec<_> = warnings
        .as_array()
        .unwrap()
        .iter()
        .map(|warning| (warning["line"].as_u64().unwrap(), warning["text"].as_str().unwrap()))
        .collect();
    assert!(
        matches!(found[..], [(1, ann), (3, x), (4, bob), (5, eva)]
            if ann.contains("\"Ann\" in the store") && x.contains("from line 2") && bob.contains(r#""bob\u{202e}" in"#)
                && eva.contains("\"\u{c9}va\" in the store")),
        "{found:?}"
    );
    assert_eq!(dry.code, 0);
    assert!(dry.out.contains("more.jsonl:3: warning: the name differs only in case from line 2"), "{dry:?}");
    // Both are in the file: one warning, however often it is imported.
    world.write("both.jsonl", &[line("Ann"), line("ann")].join("\n"));
    for _ in 0..2 {
        let run = world.good(&["user", "import", "both.jsonl", "--json"], "");
        assert_eq!(run.json()["warnings"].as_array().unwrap().len(), 1, "{run:?}");
    }
}

#[test]
fn a_stored_hash_is_not_replaced_by_a_cheaper_one() {
    let world = World::new();
    let iterations = |world: &World| {
        let hash = world.hash("a");
        hash.split_once("i=").unwrap().1.split(',').next().unwrap().parse::<u32>().unwrap()
    };
    let costly = HASHES[3].replace("i=100000", "i=150000");
    let record = json!({"v": 1, "id": 1, "hash": costly, "status": "active"}).to_string();
    world.write("users.jsonl", &json!({"username": "a", "password": "correct horse battery"}).to_string());
    for args in [
        &["user", "import", "users.jsonl", "--replace"][..],
        &["user", "set-password", "a"],
        &["user", "add", "a", "--replace"],
    ] {
        world.put("login:a", &record);
        world.good(args, "correct horse battery");
        assert_eq!(iterations(&world), 150_000, "{args:?}");
        // A hash with fewer iterations is replaced by one with the configured number.
        world.put("login:a", &record.replace("150000", "50000"));
        world.good(args, "correct horse battery");
        assert_eq!(iterations(&world), 100_000, "{args:?}");
    }
    // A hash of the file is stored unchanged, with a warning.
    world.put("login:a", &record);
    world.write("hash.jsonl", &json!({"username": "a", "hash": HASHES[3]}).to_string());
    let run = world.good(&["user", "import", "hash.jsonl", "--replace"], "");
    assert!(run.err.contains("1 hash in the file has fewer iterations than the stored one"), "{run:?}");
    let run = world.good(&["user", "import", "hash.jsonl", "--replace"], "");
    assert!(!run.err.contains("fewer iterations"), "{run:?}");
}

/// Werkzeug's hashes, with costlier ones named until they are declared.
#[test]
fn hashes_that_take_longer_than_a_new_one_are_to_be_declared() {
    const SCRYPT: &str = "scrypt:32768:8:1$657I4wgEocRaOPPM$38483b924db5d80648b65c5c6724bf4634b89344bc5f54d81f00d679969ca00c2d1a4ff8ed973e9baf578fb141dc053309aa2b272ca1967657102f6e10fbee57";
    let world = World::new();
    let dear = format!("pbkdf2:sha512:1000000$salt${}", "00".repeat(64));
    let costly = format!("pbkdf2:sha256:1000000$salt${}", "00".repeat(32));
    let lines = [("a", SCRYPT), ("b", &dear), ("c", &costly), ("d", HASHES[1])];
    let lines = lines.map(|(name, hash)| json!({"username": name, "hash": hash}).to_string()).join("\n");
    world.write("users.jsonl", &lines);
    // A new hash has 100,000 iterations here.
    let list = r#"["scrypt:32768:8:1", "pbkdf2:sha512:1000000", "pbkdf2:sha256:1000000"]"#;
    let run = world.good(&["user", "import", "users.jsonl"], "");
    assert!(run.err.contains(&format!("set TOLLGATE_PASSWORD_KINDS = {list}")), "{run:?}");
    assert_eq!(world.hash("a"), SCRYPT);
    assert!(world.good(&["user", "show", "a"], "").out.contains("scrypt of werkzeug, N 32,768, r 8, p 1 (outdated"));
    assert!(world.good(&["user", "show", "b"], "").out.contains("PBKDF2-SHA512 of werkzeug, 1,000,000 iterations"));
    let run = world.good(&["config", "check", "--store"], "");
    assert!(run.out.contains("warning: TOLLGATE_PASSWORD_KINDS: the local store of ./wrangler.toml has"));
    assert!(run.out.contains("write [") && run.out.contains("\"pbkdf2:sha512:1000000\""), "{run:?}");
    world.config("[vars]\n", &format!("[vars]\nTOLLGATE_PASSWORD_KINDS = {list}\n"));
    assert!(!world.good(&["config", "check", "--store"], "").out.contains("TOLLGATE_PASSWORD_KINDS"));
    assert!(!world.good(&["user", "import", "users.jsonl"], "").err.contains("TOLLGATE_PASSWORD_KINDS"));
    world.config("compatibility_date = \"2026-11-01\"", "compatibility_date = \"2026-08-03\"");
    let run = world.run(&["config", "check", "--store"], "");
    assert!(run.code == 1 && run.out.contains("error: compatibility_flags: without \"nodejs_compat\""), "{run:?}");
    assert!(world.good(&["user", "import", "users.jsonl"], "").err.contains("needs node:crypto"));
    // What no worker can compute is refused with the reason.
    world.write("users.jsonl", &json!({"username": "e", "hash": SCRYPT.replace("32768", "1048576")}).to_string());
    let run = world.run(&["user", "import", "users.jsonl"], "");
    assert!(run.code == 1 && run.out.contains("more than 64 MiB of memory"), "{run:?}");
}

/// Files that other users of the machine can write have no effect.
#[cfg(unix)]
#[test]
fn progress_in_a_folder_of_others_is_neither_read_nor_written() {
    use std::{
        fs::{Permissions, create_dir, set_permissions},
        os::unix::fs::{PermissionsExt, symlink},
    };

    let world = World::new();
    let line = |name: &str| json!({"username": name, "hash": HASHES[0]}).to_string();
    let content = [line("a"), line("b")].join("\n");
    // What a complete run leaves, and one that was killed after all was written.
    world.write("users.jsonl", &content);
    world.good(&["user", "import", "users.jsonl"], "");
    let progress = std::fs::read_to_string(world.path("users.jsonl.tollgate-progress")).unwrap();
    let forged = progress.replace("\"complete\":true", "\"complete\":false");
    assert!(forged != progress && forged.contains("\"finished\":2"), "{progress}");

    let import = |folder: &str, forged: &str| {
        let _ = std::fs::remove_file(world.path("store"));
        if !forged.is_empty() {
            world.write(&format!("{folder}/users.jsonl.tollgate-progress"), forged);
        }
        let run = world.good(&["user", "import", &format!("{folder}/users.jsonl")], "");
        (run, world.store().len())
    };
    for (folder, mode) in [("private", 0o755), ("open", 0o777), ("sticky", 0o1777), ("group", 0o775)] {
        create_dir(world.path(folder)).unwrap();
        world.write(&format!("{folder}/users.jsonl"), &content);
        let path = world.path(folder);
        set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        if folder == "group" && std::os::unix::fs::chown(&path, None, Some(12_345)).is_err() {
            // Only root may choose any group.
            continue;
        }
        let (run, written) = import(folder, &forged);
        let is_trusted = folder == "private";
        assert_eq!(written, if is_trusted { 0 } else { 4 }, "{folder}: {run:?}");
        assert_eq!(
            run.err.matches("other users of this machine").count(),
            usize::from(!is_trusted),
            "{folder}: {run:?}"
        );
        if !is_trusted {
            let file = world.path(folder).join("users.jsonl.tollgate-progress");
            assert_eq!(std::fs::read_to_string(&file).unwrap(), forged, "left alone");
            std::fs::remove_file(&file).unwrap();
            assert_eq!(import(folder, "").1, 4);
            assert!(!file.exists());
        }
    }

    // In the user's own folder: a symbolic link is not followed, but replaced.
    world.write("elsewhere", &forged);
    let link = world.path("private/users.jsonl.tollgate-progress");
    std::fs::remove_file(&link).unwrap();
    symlink(world.path("elsewhere"), &link).unwrap();
    let (run, written) = import("private", "");
    assert!(written == 4 && run.err.contains("it is a symbolic link"), "{run:?}");
    assert!(!link.is_symlink() && std::fs::read_to_string(world.path("elsewhere")).unwrap() == forged);
    // Another user's.
    world.write("private/users.jsonl.tollgate-progress", &forged);
    if std::os::unix::fs::chown(&link, Some(12_345), None).is_ok() {
        let (run, written) = import("private", "");
        assert!(written == 4 && run.err.contains("it belongs to another user"), "{run:?}");
    }
}

/// Killed at random points, by itself or with the wrangler that it runs, until it comes through.
#[cfg(unix)]
#[test]
fn a_hundred_thousand_users_survive_kills_with_nothing_doubled_or_lost() {
    use std::{
        os::unix::process::CommandExt,
        process::Command,
        time::{Duration, Instant},
    };

    const USERS: usize = 100_000;
    const KILLS: usize = 6;
    let world = World::new();
    let lines: Vec<String> = (0..USERS)
        .map(|at| match at % 2 {
            0 => json!({"username": format!("user{at}"), "id": at, "hash": HASHES[at % 4]}).to_string(),
            _ => json!({"username": format!("user{at}"), "hash": HASHES[at % 4]}).to_string(),
        })
        .collect();
    world.write("users.jsonl", &lines.join("\n"));
    let command = || {
        let mut command = world.command(&["user", "import", "users.jsonl"]);
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).process_group(0);
        command
    };
    let random = || {
        let mut bytes = [0; 2];
        getrandom::fill(&mut bytes).unwrap();
        u16::from_ne_bytes(bytes)
    };
    let start = Instant::now();
    let mut kills = 0;
    loop {
        let mut child = command().spawn().unwrap();
        let timeout = Duration::from_millis(if kills < KILLS { u64::from(random() % 3000) } else { 600_000 });
        let started = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break Some(status);
            }
            if started.elapsed() > timeout {
                break None;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        if let Some(status) = status {
            assert!(status.success(), "{status}");
            break;
        }
        // The command alone, so that its wrangler continues; or both.
        let whom = if random() % 2 == 0 { child.id().to_string() } else { format!("-{}", child.id()) };
        assert!(Command::new("kill").args(["-KILL", "--", &whom]).status().unwrap().success());
        child.wait().unwrap();
        kills += 1;
    }
    let elapsed = start.elapsed();
    // A wrangler that continued may still be writing.
    std::thread::sleep(Duration::from_millis(500));
    let store = world.store();
    assert_eq!(store.len(), 2 * USERS, "nothing doubled, nothing lost");
    let mut ids = HashSet::new();
    let version = began(&world, "users.jsonl");
    for at in 0..USERS {
        // {"v":1,"id":…,"hash":…
        let login = &store[&format!("login:user{at}")];
        let id = login.trim_start_matches("{\"v\":1,\"id\":").split(',').next().unwrap();
        // One version, however often it was killed.
        let hash = HASHES[at % 4];
        let record = format!("{{\"v\":1,\"id\":{id},\"hash\":\"{hash}\",\"status\":\"active\",\"version\":{version}}}");
        assert_eq!(*login, record);
        let profile =
            format!("{{\"v\":1,\"id\":{id},\"name\":\"user{at}\",\"status\":\"active\",\"version\":{version}}}");
        assert_eq!(store[&format!("user:{id}")], profile);
        assert!(ids.insert(id));
    }
    eprintln!("{USERS} users, {kills} kills, {:.1} s", elapsed.as_secs_f64());
}

#[test]
fn a_dry_run_says_what_the_run_would_do() {
    let world = World::new();
    let hash = |salt: &str| format!("pbkdf2_sha256$100000${salt}$SIQ/vgm8gDBBcK7iZPoaZj1ys5dYa0yQi1Sa2gMCcN8=");
    let line =
        |name: &str, salt: &str| format!("{{\"username\":\"{name}\",\"id\":\"{name}\",\"hash\":\"{}\"}}\n", hash(salt));
    world.write("users.jsonl", &(line("ann", "one") + &line("bob", "two")));
    world.good(&["user", "import", "users.jsonl"], "");
    world.write("users.jsonl", &(line("ann", "one") + &line("bob", "three") + &line("eve", "four")));
    let counts = |args: &[&str]| {
        let json = world.run(&[&["user", "import", "users.jsonl", "--replace", "--json"], args].concat(), "").json();
        ["added", "replaced", "left_as_they_were"].map(|name| json[name].as_u64().unwrap())
    };
    assert_eq!(counts(&["--dry-run"]), [1, 1, 1]);
    assert_eq!(counts(&[]), [1, 1, 1]);
    assert_eq!(counts(&["--dry-run"]), [0, 0, 3]);
    world.write("users.jsonl", &(line("new", "one") + "{}\n"));
    let run = world.run(&["user", "import", "users.jsonl", "--dry-run"], "");
    assert!(run.out.contains("nothing would be written. With --skip-bad 1 would be added"), "{run:?}");
    // Rows of a spreadsheet without anything in them, and names of columns in capitals.
    world.write("users.csv", &format!("username;id;hash\nzoe;9;{}\n;;\n ; ;\n", hash("x")));
    assert_eq!(world.good(&["user", "import", "users.csv", "--json"], "").json()["added"], 1);
    world.write("users.csv", "Username;ID;Password\na;1;secret-words\n");
    let run = world.run(&["user", "import", "users.csv"], "");
    assert!(run.out.contains("did you mean username?") && !run.out.contains("secret-words"), "{run:?}");
}
