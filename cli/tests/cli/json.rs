//! `--json`: nothing but JSON on standard output, and one JSON object a line on standard error.

use super::{
    fake_gate::FakeGate,
    world::{HASH, Run, World},
};
use serde_json::{Value, json};

/// The lines of standard error. Each must be an object with one of the members that are promised.
fn messages(args: &[&str], run: &Run) -> Vec<Value> {
    let message = |line: &str| {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{args:?}: {error}: {line}"));
        let is_known = ["remark", "warning", "error"].iter().any(|name| value[name].is_string());
        assert!(is_known && (value["error"].is_null() || value["hint"].is_string()), "{args:?}: {line}");
        value
    };
    run.err.lines().map(message).collect()
}

#[test]
fn both_streams_are_json() {
    let world = World::new();
    let gate = FakeGate::start(&world);
    let import = |count: usize| -> String {
        let line = |at| json!({"username": format!("user{at}"), "id": at, "hash": HASH}).to_string() + "\n";
        (0..count).map(line).collect()
    };
    world.write("users.jsonl", &import(5_001));
    let strange = HASH.replace("l=32", "l=32,keyid=k9").replace("i=100000", "i=200000");
    let lines = [
        json!({"username": "Ann", "hash": strange}),
        json!({"username": "ann", "password": "short"}),
        json!({"username": "user1", "password": "correct horse battery"}),
    ];
    world.write("more.jsonl", &lines.map(|line| line.to_string()).join("\n"));
    world.write("bad.csv", "name,hash\nx,y\n");
    world.write("empty.jsonl", "\n");
    let hash = world.good(&["password", "hash", "--iterations", "100000"], "correct horse battery").out;
    let token = world.good(&["token", "mint", "--id", "7"], "").out;
    let (hash, token) = (hash.trim(), token.trim());
    let cases: Vec<(i32, Vec<&str>)> = vec![
        (0, vec!["user", "import", "users.jsonl"]),
        (0, vec!["user", "import", "more.jsonl", "--replace", "--allow-weak"]),
        (1, vec!["user", "import", "more.jsonl", "--dry-run"]),
        (1, vec!["user", "import", "bad.csv"]),
        (1, vec!["user", "import", "empty.jsonl", "--dry-run"]),
        (2, vec!["user", "import", "nowhere.jsonl"]),
        (0, vec!["user", "add", "alice", "--id", "a7", "--allow-weak"]),
        (1, vec!["user", "add", "alice"]),
        (0, vec!["user", "add", "alice", "--replace"]),
        (0, vec!["user", "show", "alice"]),
        (1, vec!["user", "show", "nobody"]),
        (0, vec!["user", "list"]),
        (0, vec!["user", "list", "--long"]),
        (0, vec!["user", "set-password", "user7", "--second-look", "1"]),
        (0, vec!["user", "disable", "alice"]),
        (0, vec!["user", "enable", "alice"]),
        (0, vec!["user", "delete", "alice"]),
        (0, vec!["session", "list", "user7"]),
        (0, vec!["session", "end", "--id", "7", "--session", "x"]),
        (0, vec!["session", "end-all", "--id", "7"]),
        (0, vec!["session", "revoke-token", "--id", "7", "--token-id", "x"]),
        (2, vec!["session", "end-everybody"]),
        (0, vec!["session", "end-everybody", "--yes"]),
        (2, vec!["session", "list", "--id", "7", "--gate", "ftp://x"]),
        (0, vec!["config", "check"]),
        (2, vec!["config", "check", "--config", "nowhere.toml"]),
        (0, vec!["config", "options"]),
        (0, vec!["route", "test", "GET", "/"]),
        (0, vec!["token", "mint", "--id", "7", "--expires", "-1h"]),
        (0, vec!["token", "inspect", "--verify", token]),
        (1, vec!["token", "inspect", "x"]),
        (0, vec!["key", "generate"]),
        (2, vec!["key", "generate", "--bits", "2048"]),
        (0, vec!["secret", "generate"]),
        (0, vec!["password", "hash", "--iterations", "100000"]),
        (0, vec!["password", "check", hash]),
        (2, vec!["password", "check", "x"]),
        (2, vec![]),
        (2, vec!["user"]),
        (2, vec!["frobnicate"]),
        (2, vec!["user", "add"]),
        (2, vec!["user", "add", "a", "--locale"]),
        (2, vec!["user", "add", "a", "--local", "--remote"]),
        (2, vec!["session", "list"]),
        (2, vec!["secret", "generate", "--bytes", "8"]),
        (2, vec!["completions", "tcsh"]),
    ];
    for (code, args) in cases {
        for args in [[&args[..], &["--json"]].concat(), [&["--json"], &args[..]].concat()] {
            let run = world.finish(gate.command(&world, &args), "correct horse battery\n");
            let messages = messages(&args, &run);
            // In the second run some users exist already, or are deleted.
            if args[0] != "--json" {
                assert_eq!(run.code, code, "{args:?}: {run:?}");
            }
            let is_import = args.contains(&"import");
            assert!(
                is_import || run.out.is_empty() == messages.iter().any(|message| message["error"].is_string()),
                "{run:?}"
            );
            assert!(run.out.is_empty() || serde_json::from_str::<Value>(&run.out).is_ok(), "{args:?}: {run:?}");
        }
    }
    let args = ["user", "export", "--json"];
    let run = world.good(&args, "");
    messages(&args, &run);
    assert_eq!(run.out.lines().count(), 5_003);
    assert!(run.out.lines().all(|line| serde_json::from_str::<Value>(line).is_ok_and(|line| line.is_object())));
}

#[test]
fn an_import_tells_its_progress_and_warnings() {
    let world = World::new();
    let hash = HASH.replace("l=32", "l=32,keyid=k9");
    world.write("users.jsonl", &json!({"username": "a", "hash": hash}).to_string());
    let args = ["user", "import", "users.jsonl", "--json"];
    let run = world.good(&args, "");
    let messages = messages(&args, &run);
    assert!(messages.iter().any(|message| message["remark"] == "1 of 1 user"), "{messages:?}");
    let is_of_pepper = |message: &Value| message["warning"].as_str().is_some_and(|text| text.contains("pepper"));
    assert!(messages.iter().any(is_of_pepper), "{messages:?}");
}

/// A rejected command line is one object: what is wrong, and a hint.
#[test]
fn usage_errors_are_json() {
    let world = World::new();
    for (args, what, hint) in [
        (
            &["user", "add", "--json"][..],
            "the following required arguments were not provided: <NAME>",
            "usage: tollgate user add",
        ),
        (&["user", "--json", "add", "a", "--remot"], "unexpected argument '--remot' found", "'--remote'"),
        (&["--json", "frobnicate"], "unrecognized subcommand 'frobnicate'", "usage: tollgate"),
        (&["--json", "user"], "a command is missing", "usage: tollgate user"),
        (&["--json", "token", "mint", "--id", "1", "--expires", "soon"], "write a duration such as", "--help"),
        (&["user", "add", "a", "--local", "--remote", "--json"], "cannot be used with", "usage:"),
    ] {
        let run = world.run(args, "");
        let messages = messages(args, &run);
        assert!(run.code == 2 && run.out.is_empty() && messages.len() == 1, "{run:?}");
        let text = |name: &str| messages[0][name].as_str().unwrap().to_owned();
        assert!(text("error").contains(what) && text("hint").contains(hint) && messages[0]["exit"] == 2, "{run:?}");
        assert!(!text("error").contains('\n') && !text("error").starts_with("error"), "{run:?}");
    }
    // Behind `--` it is a name.
    assert!(world.run(&["user", "show", "--", "--json", "x"], "").err.starts_with("error: "));
}
