//! `tollgate user import`.

use super::world::{World, now, snapshot};
use serde_json::{Value, json};
use std::collections::HashSet;

const HASHES: [&str; 4] = [
    "$pbkdf2-sha256$1200$.//..//..//..//..//.$QkYK/q467L89eNUkGysXWb98CjNd.1OuW/TuEwKGCC8",
    "pbkdf2_sha256$30000$hQ8sGm2DkLpR$SIQ/vgm8gDBBcK7iZPoaZj1ys5dYa0yQi1Sa2gMCcN8=",
    "pbkdf2:sha256:50000$9SP6Nwo5LaL4ddL8$3bf60202d9430337403783c9b41f693150ad926c2c4796023de1e049b6b349c9",
    "$pbkdf2-sha256$i=100000,l=32$AAECAwQFBgcICQoLDA0ODw$xYyWrTM2tCBat8E4dOBxs3zhTtlVhedc/87e39xoeJo",
];

const BAD: &str = r#"{"username":"a","id":1,"hash":"pbkdf2_sha256$30000$hQ8sGm2DkLpR$SIQ/vgm8gDBBcK7iZPoaZj1ys5dYa0yQi1Sa2gMCcN8="}
{"username":"b","password":"hunter2","passwort":"hunter2"}

{"username":"c","hash":"$2b$12$hunter2"}
{"username":"a","password":"hunter2"}
hunter2
{"username":"d","id":4,"password":"a good line of text"}
"#;

fn value(world: &World, key: &str) -> Value {
    serde_json::from_str(world.store().get(key).unwrap_or_else(|| panic!("no {key}"))).unwrap()
}

/// When the import of a file began, by what is kept beside it.
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
    snapshot("import-dry-run", &run.whole());
    snapshot("import-dry-run-json", &world.run(&["user", "import", "users.jsonl", "--dry-run", "--json"], "").whole());
    assert!(world.store().is_empty());
}

#[test]
fn a_bad_line_stops_all_unless_it_is_to_be_skipped() {
    let world = World::new();
    world.write("users.jsonl", BAD);
    snapshot("import-bad", &world.run(&["user", "import", "users.jsonl"], "").whole());
    assert!(world.store().is_empty() && world.calls().is_empty());
    snapshot("import-skip-bad", &world.good(&["user", "import", "users.jsonl", "--skip-bad"], "").whole());
    assert_eq!(world.store().keys().collect::<Vec<_>>(), ["login:a", "login:d", "user:1", "user:4"]);
}

#[test]
fn weak_passwords_are_bad_lines_unless_they_are_allowed() {
    let world = World::new();
    let line = |name: &str, password: &str| json!({"username": name, "id": name, "password": password}).to_string();
    let lines = [line("a", "short"), line("b", "correct horse battery"), line("c", "q1w2e3r4t5y6u7i8")];
    world.write("users.jsonl", &lines.join("\n"));
    snapshot("import-weak", &world.run(&["user", "import", "users.jsonl"], "").whole());
    assert!(world.store().is_empty());
    snapshot("import-weak-dry-run", &world.run(&["user", "import", "users.jsonl", "--dry-run"], "").whole());
    snapshot("import-weak-allowed", &world.good(&["user", "import", "users.jsonl", "--allow-weak"], "").whole());
    assert_eq!(world.store().len(), 6);
}

#[test]
fn hashes_of_a_pepper_that_is_not_known_here_are_told_of() {
    let world = World::new();
    let hash = HASHES[3].replace("l=32", "l=32,keyid=k9");
    world.write("users.jsonl", &json!({"username": "a", "id": 1, "hash": hash}).to_string());
    let run = world.good(&["user", "import", "users.jsonl"], "");
    assert!(run.err.contains("warning: 1 hash was made with a pepper that is not known here"), "{run:?}");
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
            value(&world, &format!("login:user{at}")),
            json!({"v": 1, "id": at, "hash": hash, "status": "active", "version": version})
        );
    }
    assert_eq!(
        value(&world, "user:\"5\""),
        json!({"v": 1, "id": "5", "name": "plain", "status": "disabled", "attributes": {"role": "admin"}})
    );
    let hash = value(&world, "login:plain")["hash"].as_str().unwrap().to_owned();
    assert_eq!(world.run(&["password", "check", &hash], "correct horse battery").code, 0);
    let before = world.store();
    assert_eq!(before.len(), 12);
    world.calls();
    for args in [&["user", "import", "users.csv"][..], &["user", "import", "users.csv", "--replace"]] {
        let run = world.good(args, "");
        assert!(run.out.contains("0 added") && run.out.contains("6 left as they were"), "{run:?}");
        assert!(world.calls().iter().all(|call| !call.starts_with("put")));
    }
    // Without what was kept beside it, too.
    std::fs::remove_file(world.path("users.csv.tollgate-progress")).unwrap();
    world.good(&["user", "import", "users.csv", "--replace"], "");
    assert!(world.calls().iter().all(|call| !call.starts_with("put")));
    assert_eq!(world.store(), before);
}

#[test]
fn who_is_there_is_left_alone_unless_replaced() {
    let world = World::new();
    let line = |name: &str, id: Value, status: &str| {
        json!({"username": name, "id": id, "hash": HASHES[0], "status": status}).to_string()
    };
    world.write("users.jsonl", &line("a", 1.into(), "active"));
    world.good(&["user", "import", "users.jsonl"], "");
    world.write("more.jsonl", &[line("a", Value::Null, "disabled"), line("b", 2.into(), "active")].join("\n"));
    let run = world.good(&["user", "import", "more.jsonl"], "");
    assert!(run.out.contains("1 added, 1 left as they were"), "{run:?}");
    assert_eq!(value(&world, "login:a")["status"], "active");
    let [of_a, of_b] = ["login:a", "login:b"].map(|key| value(&world, key)["version"].as_i64().unwrap());
    let run = world.good(&["user", "import", "more.jsonl", "--replace"], "");
    assert!(run.out.contains("0 added, 1 replaced, 1 left as they were"), "{run:?}");
    assert_eq!(
        (&value(&world, "login:a")["status"], &value(&world, "user:1")["status"]),
        (&json!("disabled"), &json!("disabled"))
    );
    // Only who is written anew is of another version: that of this run, or just after the one that was there.
    assert!(began(&world, "more.jsonl") > of_a);
    assert_eq!(value(&world, "login:a")["version"], began(&world, "more.jsonl"));
    assert_eq!(value(&world, "login:b")["version"], of_b);
    let ahead = json!({"v": 1, "id": 1, "hash": HASHES[0], "status": "active", "version": now() + 100_000});
    world.put("login:a", &ahead.to_string());
    world.good(&["user", "import", "more.jsonl", "--replace"], "");
    assert_eq!(value(&world, "login:a")["version"], ahead["version"].as_i64().unwrap() + 1);
    // Another's id, and another id.
    world.write("taken.jsonl", &[line("c", 1.into(), "active"), line("b", 3.into(), "active")].join("\n"));
    snapshot("import-taken", &world.run(&["user", "import", "taken.jsonl", "--replace"], "").whole());
    assert_eq!(world.store().len(), 4);
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
        let patience = Duration::from_millis(if kills < KILLS { u64::from(random() % 3000) } else { 600_000 });
        let started = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break Some(status);
            }
            if started.elapsed() > patience {
                break None;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        if let Some(status) = status {
            assert!(status.success(), "{status}");
            break;
        }
        // Alone, so that its wrangler goes on by itself; or the two together.
        let whom = if random() % 2 == 0 { child.id().to_string() } else { format!("-{}", child.id()) };
        assert!(Command::new("kill").args(["-KILL", "--", &whom]).status().unwrap().success());
        child.wait().unwrap();
        kills += 1;
    }
    let elapsed = start.elapsed();
    // What a wrangler that went on by itself has yet to write.
    std::thread::sleep(Duration::from_millis(500));
    let store = world.store();
    assert_eq!(store.len(), 2 * USERS, "nothing doubled, nothing lost");
    let mut ids = HashSet::new();
    let version = began(&world, "users.jsonl");
    for at in 0..USERS {
        // {"v":1,"id":…,"hash":…
        let log_in = &store[&format!("login:user{at}")];
        let id = log_in.trim_start_matches("{\"v\":1,\"id\":").split(',').next().unwrap();
        // One version, however often it was killed.
        let hash = HASHES[at % 4];
        let record = format!("{{\"v\":1,\"id\":{id},\"hash\":\"{hash}\",\"status\":\"active\",\"version\":{version}}}");
        assert_eq!(*log_in, record);
        let profile = format!("{{\"v\":1,\"id\":{id},\"name\":\"user{at}\",\"status\":\"active\"}}");
        assert_eq!(store[&format!("user:{id}")], profile);
        assert!(ids.insert(id));
    }
    eprintln!("{USERS} users, {kills} kills, {:.1} s", elapsed.as_secs_f64());
}
