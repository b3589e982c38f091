//! `tollgate user`, except for import.

use super::{
    fake_gate::{FakeGate, reject},
    world::{World, now},
};
use serde_json::{Value, json};
use snapbox::str;
use tollgate::rules::rejection::{PermissionRejection, Rejection};

const FOREIGN: &str = "pbkdf2_sha256$30000$hQ8sGm2DkLpR$SIQ/vgm8gDBBcK7iZPoaZj1ys5dYa0yQi1Sa2gMCcN8=";

/// Adds a user by import, which is quick.
fn seed(world: &World, name: &str, id: i64) {
    let line = json!({"username": name, "id": id, "hash": FOREIGN});
    world.write("seed.jsonl", &line.to_string());
    world.good(&["user", "import", "seed.jsonl"], "");
    world.calls();
}

#[test]
fn a_user_is_added_shown_listed_and_removed() {
    let world = World::new();
    let run = world.good(
        &["user", "add", "alice", "--id", "7", "--attribute", "role=admin", "--attribute", "age=7"],
        "correct horse battery\n",
    );
    run.is(str![[r#"
exit 0
--- stdout
user alice is in the local store of ./wrangler.toml
id 7
--- stderr
store: local store of ./wrangler.toml

"#]]);
    assert_eq!(world.writes(), ["user:7", "login:alice"], "the profile first");
    assert_eq!(world.calls(), ["get 2", "put 1", "put 1"]);
    let mut profile = world.value("user:7");
    let version = profile.as_object_mut().unwrap().remove("version");
    assert!(version.and_then(|version| version.as_i64()).is_some_and(|version| now() - version < 60_000));
    assert_eq!(
        profile,
        json!({"v": 1, "id": 7, "name": "alice", "status": "active", "attributes": {"role": "admin", "age": 7}})
    );
    let hash = world.hash("alice");
    assert_eq!(world.run(&["password", "check", &hash], "correct horse battery").code, 0);

    world.good(&["user", "show", "alice"], "").is(str![[r#"
exit 0
--- stdout
name       alice
id         7
status     active
hash       PBKDF2-SHA256 of Tollgate, 100,000 iterations
attribute  role = "admin"
attribute  age = 7
--- stderr
store: local store of ./wrangler.toml

"#]]);
    world.good(&["user", "show", "alice", "--json"], "").is(str![[r#"
exit 0
--- stdout
{
  "username": "alice",
  "id": 7,
  "hash": {
    "kind": "PBKDF2-SHA256 of Tollgate, 100,000 iterations",
    "outdated": false
  },
  "status": "active",
  "attributes": {
    "role": "admin",
    "age": 7
  },
  "profile": true
}
--- stderr
{"remark":"store: local store of ./wrangler.toml"}

"#]]);
    seed(&world, "bob", 8);
    world.good(&["user", "list"], "").is(str![[r#"
exit 0
--- stdout
alice
bob
--- stderr
store: local store of ./wrangler.toml
2 users

"#]]);
    world.good(&["user", "list", "--long"], "").is(str![[r#"
exit 0
--- stdout
alice	7	active
bob	8	active
--- stderr
store: local store of ./wrangler.toml
2 users

"#]]);
    world.good(&["user", "list", "--long", "--json"], "").is(str![[r#"
exit 0
--- stdout
[
  {
    "username": "alice",
    "id": 7,
    "status": "active"
  },
  {
    "username": "bob",
    "id": 8,
    "status": "active"
  }
]
--- stderr
{"remark":"store: local store of ./wrangler.toml"}
{"remark":"2 users"}

"#]]);

    world.good(&["user", "delete", "alice"], "");
    assert_eq!(world.writes()[4..], ["-login:alice", "-user:7"], "the profile last");
    world.run(&["user", "show", "alice"], "").is(str![[r#"
exit 1
--- stderr
store: local store of ./wrangler.toml
error: no user of this name in the local store of ./wrangler.toml
 hint: `tollgate user list` shows the names (case matters); --local, --remote and --env choose the store

"#]]);
    world.run(&["user", "show", "alice", "--json"], "").is(str![[r#"
exit 1
--- stderr
{"remark":"store: local store of ./wrangler.toml"}
{"error":"no user of this name in the local store of ./wrangler.toml","hint":"`tollgate user list` shows the names (case matters); --local, --remote and --env choose the store","exit":1}

"#]]);
}

#[test]
fn a_name_or_id_that_is_taken_is_refused() {
    let world = World::new();
    seed(&world, "alice", 7);
    let before = world.store();
    world.run(&["user", "add", "alice"], "correct horse battery").is(str![[r#"
exit 1
--- stderr
store: local store of ./wrangler.toml
error: a user of this name exists already
 hint: to change the password: tollgate user set-password NAME; to replace the user: --replace

"#]]);
    world.run(&["user", "add", "bob", "--id", "7"], "correct horse battery").is(str![[r#"
exit 1
--- stderr
store: local store of ./wrangler.toml
error: the id 7 belongs to another user
 hint: choose another id, or remove --id for a random one

"#]]);
    assert_eq!(world.run(&["user", "add", "alice", "--replace", "--id", "8"], "correct horse battery").code, 1);
    assert_eq!(world.store(), before);
    // "7" is another id than 7, and Alice another than alice.
    world.good(&["user", "add", "Alice", "--id", "\"7\""], "correct horse battery");
    assert!(world.store().contains_key("user:\"7\""));
    world.good(&["user", "add", "alice", "--replace"], "correct horse battery");
    assert_eq!(world.value("login:alice")["id"], 7, "an id stays");
    assert_ne!(world.store()["login:alice"], before["login:alice"]);
}

#[test]
fn without_an_id_a_random_one_is_made() {
    let world = World::new();
    let id = world.good(&["user", "add", "alice", "--json"], "correct horse battery").json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(id.len(), 22);
    assert!(world.store().contains_key(&format!("user:\"{id}\"")));
}

#[test]
fn a_user_is_disabled_and_enabled_in_an_order_that_lets_nobody_in_too_early() {
    let world = World::new();
    seed(&world, "alice", 7);
    world.good(&["user", "disable", "alice"], "");
    assert_eq!([&world.value("login:alice")["status"], &world.value("user:7")["status"]], ["disabled"; 2]);
    world.good(&["user", "enable", "alice"], "");
    assert_eq!([&world.value("login:alice")["status"], &world.value("user:7")["status"]], ["active"; 2]);
    assert_eq!(world.writes()[2..], ["login:alice", "user:7", "user:7", "login:alice"]);
    assert_eq!(world.value("login:alice")["hash"], FOREIGN);
}

/// An account's object refuses records that are older than one it knows of (docs/storage.md).
#[test]
fn whatever_changes_a_login_record_makes_it_a_later_version() {
    let world = World::new();
    let version = || world.value("login:alice")["version"].as_i64().unwrap();
    let began = now();
    world.good(&["user", "add", "alice", "--id", "7"], "correct horse battery");
    let mut last = version();
    assert!((began..=now()).contains(&last));
    let changes: [&[&str]; 4] = [
        &["user", "set-password", "alice"],
        &["user", "disable", "alice"],
        &["user", "enable", "alice"],
        &["user", "add", "alice", "--replace"],
    ];
    for change in changes {
        world.good(change, "another horse battery");
        assert!(last < version() && version() <= now(), "{change:?}");
        last = version();
    }
    // After a version from a clock that was ahead.
    let mut ahead = world.value("login:alice");
    for (at, change) in changes.into_iter().enumerate() {
        let then = now() + 1_000_000 * (at as i64 + 1);
        ahead["version"] = then.into();
        world.put("login:alice", &ahead.to_string());
        world.good(change, "another horse battery");
        assert_eq!(version(), then + 1, "{change:?}");
    }
    // A new user with the name or id of a deleted one has a later version.
    world.good(&["user", "delete", "alice"], "");
    let deleted = now();
    world.good(&["user", "add", "alice", "--id", "7"], "correct horse battery");
    assert!(version() >= deleted);
}

#[test]
fn a_second_look_leaves_a_later_password_alone() {
    let world = World::new();
    seed(&world, "alice", 7);
    let child = world.command(&["user", "set-password", "alice", "--second-look", "1"]);
    let later = json!({"v": 1, "id": 7, "hash": FOREIGN, "status": "active", "version": now() + 60_000}).to_string();
    let run = std::thread::scope(|scope| {
        let run = scope.spawn(|| world.finish(child, "a new long password\n"));
        while !world.store()["login:alice"].contains("i=100000") {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        world.put("login:alice", &later);
        run.join().unwrap()
    });
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(world.store()["login:alice"], later);
}

#[test]
fn a_password_of_an_outdated_record_is_looked_at_again() {
    let world = World::new();
    seed(&world, "alice", 7);
    let args = ["user", "set-password", "alice", "--second-look", "2"];
    let child = world.command(&args);
    // A log-in that proved the old password writes its hash anew meanwhile.
    let run = std::thread::scope(|scope| {
        let run = scope.spawn(|| world.finish(child, "a new long password\n"));
        while !world.store()["login:alice"].contains("i=100000") {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let old = json!({"v": 1, "id": 7, "hash": FOREIGN, "status": "active"}).to_string();
        world.put("login:alice", &old);
        run.join().unwrap()
    });
    assert_eq!(run.code, 0, "{run:?}");
    run.is(str![[r#"
exit 0
--- stdout
the password of alice was changed in the local store of ./wrangler.toml
--- stderr
store: local store of ./wrangler.toml
sessions remain valid until the user logs in with the new password, because no gate is named (--gate); to end them: tollgate session end-all --id 7 --gate URL
The new password is stored. The old hash was outdated, so a log-in may be writing it back at this moment:
the store is read again in 2 s (do not interrupt; docs/storage.md has the reason)

"#]]);
    let hash = world.hash("alice");
    assert_eq!(world.run(&["password", "check", &hash], "a new long password").code, 0);
    // A hash that is not outdated needs no second look.
    world.calls();
    world.good(&["user", "set-password", "alice"], "correct horse battery");
    assert_eq!(world.calls(), ["get 1", "put 1"]);
}

#[test]
fn an_interrupted_delete_can_be_finished() {
    let world = World::new();
    seed(&world, "alice", 7);
    std::fs::OpenOptions::new()
        .append(true)
        .open(world.path("store"))
        .and_then(|mut store| std::io::Write::write_all(&mut store, b"[\"login:alice\",null]\n"))
        .unwrap();
    assert_eq!(world.run(&["user", "delete", "alice"], "").code, 1);
    assert_eq!(world.run(&["user", "delete", "bob", "--id", "7"], "").code, 1, "alice's");
    world.good(&["user", "delete", "alice", "--id", "7"], "");
    assert!(world.store().is_empty());
}

#[test]
fn the_store_is_named_and_its_failure_reported() {
    let world = World::new();
    assert!(
        world
            .good(&["user", "list", "--remote"], "")
            .err
            .starts_with("store: REMOTE store of ./wrangler.toml (namespace 0123456789abcdef0123456789abcdef)\n")
    );
    let mut command = world.command(&["user", "list", "--remote"]);
    command.env("FAKE_WRANGLER_FAILS", "1");
    world.finish(command, "").is(str![[r#"
exit 3
--- stderr
store: REMOTE store of ./wrangler.toml (namespace 0123456789abcdef0123456789abcdef)
error: REMOTE store of ./wrangler.toml (namespace 0123456789abcdef0123456789abcdef): wrangler failed: A request to the Cloudflare API failed.
 hint: check that `npx wrangler login` was run and that the namespace's id in the configuration is right, then run the command again

"#]]);
    let mut command = world.command(&["user", "list"]);
    command.env("TOLLGATE_WRANGLER", "/nowhere/wrangler");
    assert_eq!(world.finish(command, "").code, 3);
    world.config("USERS", "PEOPLE");
    world.run(&["user", "list"], "").is(str![[r#"
exit 1
--- stderr
error: wrangler.toml:1:1: no KV namespace with binding "USERS"
 hint: add [[kv_namespaces]] with binding = "USERS", or choose another environment with --env

"#]]);
}

#[test]
fn odd_names_go_to_the_store_and_back() {
    let world = World::new();
    let long = "n".repeat(600);
    for (at, name) in ["--x", "a b", "e\u{301}", "\"q\"\t$(x)\n", &long].into_iter().enumerate() {
        let id = at.to_string();
        world.good(&["user", "add", "--id", &id, "--", name], "correct horse battery");
        let shown = world.good(&["user", "show", "--json", "--", name], "").json();
        assert_eq!(shown["id"], at);
        world.good(&["user", "show", "--remote", "--", name], "");
    }
    assert_eq!(world.good(&["user", "show", "\u{e9}", "--json"], "").json()["username"], "\u{e9}");
    assert!(!world.good(&["user", "list"], "").out.contains("$(x)\n\n"), "escaped");
    let listed = world.good(&["user", "list", "--long", "--json"], "").json();
    assert!(listed.as_array().unwrap().iter().any(|user| user["username"] == long));
}

#[test]
fn what_is_exported_can_be_imported() {
    let world = World::new();
    seed(&world, "alice", 7);
    world.good(&["user", "add", "b\u{f6}b", "--attribute", "role=admin"], "correct horse battery");
    world.good(&["user", "disable", "b\u{f6}b"], "");
    let exported = world.good(&["user", "export"], "").out;
    assert_eq!(exported.lines().count(), 2);
    let other = World::new();
    other.write("users.jsonl", &exported);
    other.good(&["user", "import", "users.jsonl"], "");
    let same = |world: &World| -> Vec<(String, Value)> {
        let without_version = |text: &str| {
            let mut record: Value = serde_json::from_str(text).unwrap();
            record.as_object_mut().unwrap().remove("version");
            record
        };
        world.store().into_iter().map(|(key, text)| (key, without_version(&text))).collect()
    };
    assert_eq!(same(&other), same(&world));
}

/// A set with one pepper, and another set with the same key id.
const PEPPERS: &str = r#"{"k1":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"}"#;
const OTHERS: &str = r#"{"k1":"AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI"}"#;

#[test]
fn a_weak_password_is_refused_unless_it_is_allowed() {
    let world = World::new();
    let weak = |password: &str, more: &[&str]| {
        let args = [&["user", "add", "Annabel Lee 1849"], more].concat();
        world.run(&args, password)
    };
    weak("short", &[]).is(str![[r#"
exit 1
--- stderr
store: local store of ./wrangler.toml
error: the password has fewer than 15 characters
 hint: take a longer one, such as a few words. TOLLGATE_PASSWORD_MIN_LENGTH is the limit; --allow-weak accepts the password

"#]]);
    weak("q1w2e3r4t5y6u7i8", &[]).is(str![[r#"
exit 1
--- stderr
store: local store of ./wrangler.toml
error: the password is one of the most common ones, which are tried first
 hint: take another, such as a few words of your own; one more digit does not make it a good one. --allow-weak accepts the password

"#]]);
    weak("annabel lee 1849", &[]).is(str![[r#"
exit 1
--- stderr
store: local store of ./wrangler.toml
error: the password is the user's name
 hint: take another, such as a few words of your own; one more digit does not make it a good one. --allow-weak accepts the password

"#]]);
    assert!(world.store().is_empty());
    weak("short", &["--id", "7", "--allow-weak"]).is(str![[r#"
exit 0
--- stdout
user Annabel Lee 1849 is in the local store of ./wrangler.toml
id 7
--- stderr
store: local store of ./wrangler.toml
warning: the password has fewer than 15 characters. It is accepted because of --allow-weak: change it before the gate is reachable

"#]]);
    assert_eq!(world.run(&["user", "set-password", "Annabel Lee 1849"], "short").code, 1);
    world.good(&["user", "set-password", "Annabel Lee 1849", "--allow-weak"], "short");
    // As the configuration has it.
    world.config("[vars]\n", "[vars]\nTOLLGATE_PASSWORD_MIN_LENGTH = 8\nTOLLGATE_PASSWORD_COMMON = false\n");
    world.good(&["user", "set-password", "Annabel Lee 1849"], "password");
}

#[test]
fn hashes_are_peppered_with_the_pepper_of_the_store_they_go_to() {
    let world = World::new();
    let dev_vars = std::fs::read_to_string(world.path(".dev.vars")).unwrap();
    world.write(".dev.vars", &format!("{dev_vars}TOLLGATE_PASSWORD_PEPPERS={PEPPERS}\n"));
    let hash = |name: &str| world.hash(name);
    world.good(&["user", "add", "local"], "correct horse battery");
    assert!(hash("local").starts_with("$pbkdf2-sha256$i=100000,l=32,keyid=k1$"));
    assert_eq!(world.run(&["password", "check", &hash("local")], "correct horse battery").code, 0);
    assert!(world.good(&["user", "show", "local"], "").out.contains("100,000 iterations, pepper k1\n"));

    // The peppers of .dev.vars are not those of Cloudflare: without one the hash is good there too.
    world.config("[vars]\n", "[vars]\nTOLLGATE_PASSWORD_PEPPER = \"k1\"\n");
    world.good(&["user", "add", "remote", "--id", "7", "--remote"], "correct horse battery").is(str![[r#"
exit 0
--- stdout
user remote is in the REMOTE store of ./wrangler.toml (namespace 0123456789abcdef0123456789abcdef)
id 7
--- stderr
store: REMOTE store of ./wrangler.toml (namespace 0123456789abcdef0123456789abcdef)
the hash has no pepper, because k1 is not known here (set TOLLGATE_PASSWORD_PEPPERS in the environment): the next log-in adds it

"#]]);
    assert!(hash("remote").starts_with("$pbkdf2-sha256$i=100000,l=32$"));
    assert!(world.good(&["user", "show", "remote", "--remote"], "").out.contains("iterations (outdated"));
    let mut command = world.command(&["user", "set-password", "remote", "--remote", "--second-look", "0"]);
    command.env("TOLLGATE_PASSWORD_PEPPERS", OTHERS);
    assert_eq!(world.finish(command, "correct horse battery").code, 0);
    assert!(hash("remote").contains(",keyid=k1$"));
    assert_eq!(world.run(&["password", "check", &hash("remote")], "correct horse battery").code, 1, "another k1");
    let mut command = world.command(&["password", "check", &hash("remote")]);
    command.env("TOLLGATE_PASSWORD_PEPPERS", OTHERS);
    assert_eq!(world.finish(command, "correct horse battery").code, 0);
}

#[test]
fn a_wrong_pepper_is_reported_and_nothing_is_written() {
    let world = World::new();
    let dev_vars = std::fs::read_to_string(world.path(".dev.vars")).unwrap();
    world.write(".dev.vars", &format!("{dev_vars}TOLLGATE_PASSWORD_PEPPERS={{\"k1\":\"hunter2\"}}\n"));
    let run = world.run(&["user", "add", "alice"], "correct horse battery");
    assert!(world.store().is_empty() && !run.err.contains("hunter2"), "{run:?}");
    run.is(str![[r#"
exit 1
--- stderr
store: local store of ./wrangler.toml
error: .dev.vars:2:1: TOLLGATE_PASSWORD_PEPPERS: "k1": write 32 random bytes or more in base64: `tollgate secret generate`
 hint: `tollgate config check` lists all problems of the files with their places

"#]]);
}

/// A wrangler in a folder above the project may be another user's, and would run with this user's rights.
#[cfg(unix)]
#[test]
fn a_wrangler_that_others_could_have_placed_is_not_run() {
    use std::{
        fs::{Permissions, create_dir_all, set_permissions, write},
        os::unix::fs::{PermissionsExt, symlink},
    };

    let world = World::new();
    let chmod = |name: &str, mode: u32| set_permissions(world.path(name), Permissions::from_mode(mode)).unwrap();
    let marker = world.path("marker");
    create_dir_all(world.path("outer/node_modules/.bin")).unwrap();
    create_dir_all(world.path("outer/node_modules/wrangler/bin")).unwrap();
    create_dir_all(world.path("outer/project/sub")).unwrap();
    let program = "outer/node_modules/wrangler/bin/wrangler.js";
    write(world.path(program), format!("#!/bin/sh\ntouch '{}'\necho '[]'\n", marker.display())).unwrap();
    chmod(program, 0o755);
    symlink("../wrangler/bin/wrangler.js", world.path("outer/node_modules/.bin/wrangler")).unwrap();
    for folder in ["outer", "outer/project", "outer/project/sub"] {
        std::fs::copy(world.path("wrangler.toml"), world.path(folder).join("wrangler.toml")).unwrap();
    }
    let run = |folder: &str, args: &[&str]| {
        let _ = std::fs::remove_file(&marker);
        let mut command = world.command(&[&["user", "list"], args].concat());
        // So that npx is not found either.
        command.current_dir(world.path(folder)).env_remove("TOLLGATE_WRANGLER").env("PATH", "/usr/bin:/bin");
        let run = world.finish(command, "");
        (run.code, marker.exists(), run.err)
    };
    let folders = ["outer", "outer/node_modules", "outer/node_modules/.bin", "outer/node_modules/wrangler", program];
    for folder in ["outer", "outer/project", "outer/project/sub"] {
        for open in folders {
            for all in folders.into_iter().chain(["outer/project", "outer/project/sub"]) {
                chmod(all, 0o755);
            }
            let (code, is_run, err) = run(folder, &[]);
            assert!(code == 0 && is_run, "{folder}: {err}");
            chmod(open, 0o777);
            let (code, is_run, err) = run(folder, &[]);
            if folder == "outer" {
                // The project's own.
                assert!(code == 0 && is_run, "{open}: {err}");
                continue;
            }
            assert!(code == 3 && !is_run, "{folder} {open}: {err}");
            assert!(
                err.contains("node_modules/.bin/wrangler") && err.contains("npm install --save-dev wrangler"),
                "{err}"
            );
            // The configuration's folder is searched as well as the current one.
            let config = world.path("outer/project/wrangler.toml");
            let (code, is_run, err) = run("outer", &["--config", config.to_str().unwrap()]);
            assert!(code == 3 && !is_run, "{open}: {err}");
            // If others can write to the project itself, the rejection would gain nothing.
            chmod(folder, 0o777);
            let (code, is_run, err) = run(folder, &[]);
            assert!(code == 0 && is_run, "{folder} {open}: {err}");
        }
    }
}

/// npx takes packages and the registry's address from the nearest folder with a package.json.
#[cfg(unix)]
#[test]
fn npx_is_not_run_in_a_project_of_others() {
    use std::{
        fs::{Permissions, create_dir, create_dir_all, set_permissions, write},
        os::unix::fs::PermissionsExt,
    };

    let world = World::new();
    let marker = world.path("marker");
    create_dir_all(world.path("outer/project")).unwrap();
    create_dir(world.path("bin")).unwrap();
    std::fs::copy(world.path("wrangler.toml"), world.path("outer/project/wrangler.toml")).unwrap();
    write(world.path("outer/package.json"), "{}").unwrap();
    let npx = world.path("bin/npx");
    write(&npx, format!("#!/bin/sh\ntouch '{}'\necho '[]'\n", marker.display())).unwrap();
    set_permissions(&npx, Permissions::from_mode(0o755)).unwrap();
    for (mode, code) in [(0o755, 0), (0o777, 3)] {
        set_permissions(world.path("outer"), Permissions::from_mode(mode)).unwrap();
        let _ = std::fs::remove_file(&marker);
        let mut command = world.command(&["user", "list"]);
        let path = format!("{}:/usr/bin:/bin", world.path("bin").display());
        command.current_dir(world.path("outer/project")).env_remove("TOLLGATE_WRANGLER").env("PATH", path);
        let run = world.finish(command, "");
        assert_eq!((run.code, marker.exists()), (code, code == 0), "{run:?}");
    }
}

/// A read of KV may be a minute old; the local store's never is.
#[test]
fn only_the_store_on_cloudflare_is_read_again_by_default() {
    use std::{
        io::{BufRead, BufReader},
        time::{Duration, Instant},
    };

    let world = World::new();
    seed(&world, "alice", 7);
    let start = Instant::now();
    let run = world.good(&["user", "set-password", "alice"], "correct horse battery");
    assert!(!run.err.contains("read again") && start.elapsed() < Duration::from_secs(60), "{run:?}");
    seed(&world, "bob", 8);
    let mut child = world.command(&["user", "set-password", "bob", "--remote"]).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"correct horse battery\n").unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let is_waiting = lines.any(|line| line.starts_with("the store is read again in 120 s"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(is_waiting);
}

/// The kind of a hash that can't be used is named, and nothing of it.
#[test]
fn a_hash_of_another_kind_is_named() {
    let world = World::new();
    let hash = "$2b$12$hunter2hunter2";
    world.put("login:alice", &json!({"v": 1, "id": 7, "hash": hash, "status": "active"}).to_string());
    for run in [world.run(&["user", "show", "alice"], ""), world.run(&["password", "check", hash], "x")] {
        let text = run.out + &run.err;
        assert!(text.contains("this is a bcrypt hash") && !text.contains("hunter2"), "{text}");
    }
}

#[test]
fn attributes_are_set_and_removed_and_nothing_else_changes() {
    let world = World::new();
    world.good(
        &["user", "add", "alice", "--id", "7", "--attribute", "role=admin", "--attribute", "age=7"],
        "correct horse battery\n",
    );
    let (login, before) = (world.value("login:alice"), world.writes().len());
    let first = world.value("user:7");
    assert_eq!(first["version"], login["version"]);
    world.good(&["user", "set", "alice", "role=viewer", "--attribute", "org={\"id\":5}", "--without", "age"], "");
    assert_eq!(world.writes()[before..], ["user:7"], "the profile alone");
    let profile = world.value("user:7");
    assert_eq!(
        (&profile["status"], &profile["attributes"]),
        (&json!("active"), &json!({"role": "viewer", "org": {"id": 5}}))
    );
    assert!(profile["version"].as_i64() > first["version"].as_i64(), "{first} {profile}");
    assert_eq!(world.value("login:alice"), login);
    world.good(&["user", "disable", "alice"], "");
    world.good(&["user", "set", "alice", "--without", "role", "--without", "org"], "");
    let last = world.value("user:7");
    assert_eq!((&last["status"], last.get("attributes")), (&json!("disabled"), None));
    assert!(last["version"].as_i64() > profile["version"].as_i64());
    assert_eq!(world.run(&["user", "set", "alice"], "").code, 2);
    assert_eq!(world.run(&["user", "set", "alice", "role"], "").code, 2);
    assert_eq!(world.run(&["user", "set", "alice", "--attribute", "a=1", "--without", "a"], "").code, 2);
    assert_eq!(world.run(&["user", "set", "unknown", "--attribute", "a=1"], "").code, 1);
}

/// The gate gets the change, with the profile as the store has it; the store gets a copy of the answer.
#[test]
fn a_gate_that_is_named_changes_the_attributes() {
    let world = World::new();
    world.good(&["user", "add", "alice", "--id", "7", "--attribute", "role=admin"], "correct horse battery\n");
    let (gate, before) = (FakeGate::start(&world), world.writes().len());
    let profile = world.value("user:7");
    let run =
        world.finish(gate.command(&world, &["user", "set", "alice", "role=viewer", "--without", "age", "--json"]), "");
    assert_eq!(run.code, 0, "{}", run.err);
    let result: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(result, json!({"username": "alice", "attributes": {"role": "viewer"}, "tokens_rejected": true}));
    assert_eq!(
        gate.commands(),
        [json!({
            "do": "set-attributes", "user": 7, "profile": profile, "set": {"role": "viewer"}, "without": ["age"],
            "replaces": false,
        })]
    );
    assert_eq!(world.writes()[before..], ["user:7"], "a copy of what the gate has");
    assert_eq!(world.value("user:7")["version"], json!(1_795_600_000_000_i64));
    let run = world.finish(gate.command(&world, &["user", "set", "alice", "role=viewer"]), "");
    for part in
        ["Sessions go on: clients refresh", "cookies that are renewed", "Flask-JWT's dialect", "the user logs in again"]
    {
        assert!(run.out.contains(part), "{part}: {}", run.out);
    }
    gate.commands();

    // A user who is replaced or deleted keeps no attribute.
    world.finish(
        gate.command(&world, &["user", "add", "alice", "--replace", "--attribute", "team=red"]),
        "correct horse battery\n",
    );
    let orders = gate.commands();
    assert_eq!(
        [&orders[0]["do"], &orders[1]["do"], &orders[1]["replaces"], &orders[1]["profile"]["attributes"]],
        [&json!("end-all"), &json!("set-attributes"), &json!(true), &json!({"team": "red"})]
    );
    world.finish(gate.command(&world, &["user", "disable", "alice"]), "");
    assert_eq!(gate.commands()[0].get("forget_attributes"), None);
    world.finish(gate.command(&world, &["user", "delete", "alice"]), "");
    assert_eq!(gate.commands()[0]["forget_attributes"], json!(true));
}

#[test]
fn without_a_gate_a_change_says_how_long_the_former_claims_are_good() {
    let world = World::new();
    world.good(&["user", "add", "alice"], "correct horse battery\n");
    let run = world.run(&["user", "set", "alice", "role=viewer"], "");
    assert_eq!(run.code, 0);
    assert!(run.err.contains("run the command again with --gate URL"), "{}", run.err);
    // A refusal leaves everything as it was.
    let too_long = |_: &Value| reject(400, &Rejection::Permission(PermissionRejection::AttributesTooLong));
    let gate = FakeGate::answering(&world, too_long);
    let before = world.writes().len();
    let run = world.finish(gate.command(&world, &["user", "set", "alice", "role=x"]), "");
    assert_eq!((run.code, world.writes().len()), (1, before), "{}", run.err);
    assert!(run.err.contains("longer than 16 KiB"), "{}", run.err);
}
