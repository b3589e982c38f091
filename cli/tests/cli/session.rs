//! `tollgate session`, and what other commands tell the gate.

use super::{
    fake_gate::{ADMIN, Answer, FakeGate, refuse},
    world::{Run, World, snapshot},
};
use serde_json::{Value, json};
use tollgate::rules::rejection::{PermissionRejection, Rejection, SessionRejection, UnavailableRejection};

const HASH: &str = "$pbkdf2-sha256$i=100000,l=32$AAECAwQFBgcICQoLDA0ODw$xYyWrTM2tCBat8E4dOBxs3zhTtlVhedc/87e39xoeJo";
const SESSION: &str = "019abc3e-7a00-7000-8000-000000000001";

/// A world with alice, whose id is 7.
fn world() -> World {
    let world = World::new();
    world.put("user:7", &json!({"v": 1, "id": 7, "name": "alice", "status": "active"}).to_string());
    world.put("login:alice", &json!({"v": 1, "id": 7, "hash": HASH, "status": "active"}).to_string());
    world
}

fn run(world: &World, gate: &FakeGate, args: &[&str], input: &str) -> Run {
    world.finish(gate.command(world, args), input)
}

#[test]
fn the_gate_is_told_what_the_command_says() {
    let (world, other) = (world(), World::new());
    let gate = FakeGate::start(&world);
    for (name, args, order) in [
        ("list", &["list", "alice"][..], json!({"do": "list", "user": 7})),
        ("list-json", &["list", "alice", "--json"], json!({"do": "list", "user": 7})),
        ("list-none", &["list", "--id", "8"], json!({"do": "list", "user": 8})),
        ("end", &["end", "alice", "--session", SESSION], json!({"do": "end", "user": 7, "session": SESSION})),
        ("end-all", &["end-all", "alice"], json!({"do": "end-all", "user": 7})),
        (
            "end-all-retire",
            &["end-all", "--id", "\"7\"", "--retire-password"],
            json!({"do": "retire-password", "user": "7"}),
        ),
        (
            "revoke-token",
            &["revoke-token", "--id", "ann", "--token-id", "3f0c"],
            json!({"do": "revoke", "user": "ann", "token_id": "3f0c"}),
        ),
        ("end-everybody", &["end-everybody", "--yes"], json!({"do": "end-everybody"})),
    ] {
        // Who is named by id is not looked up.
        let world = if args.contains(&"alice") { &world } else { &other };
        let run = run(world, &gate, &[&["session"], args].concat(), "");
        assert_eq!((run.code, gate.orders()), (0, vec![order]), "{run:?}");
        snapshot(&format!("session-{name}"), &gate.masked(&run.whole()));
        assert_eq!(other.calls(), [""; 0]);
    }
}

#[test]
fn everybody_is_not_ended_unasked() {
    let world = World::new();
    let gate = FakeGate::start(&world);
    snapshot(
        "error-session-nobody-to-ask",
        &gate.masked(&run(&world, &gate, &["session", "end-everybody"], "yes\n").whole()),
    );
    assert!(gate.orders().is_empty());
}

#[test]
fn the_secret_comes_from_the_environment_or_of_a_local_gate_from_dev_vars() {
    let world = World::new();
    let gate = FakeGate::start(&world);
    let list = ["session", "list", "--id", "7", "--gate", &gate.address];
    snapshot("error-session-no-secret", &gate.masked(&world.run(&list, "").whole()));
    let dev_vars = std::fs::read_to_string(world.path(".dev.vars")).unwrap();
    world.write(".dev.vars", &format!("{dev_vars}TOLLGATE_ADMIN_SECRET=\"{ADMIN}\"\n"));
    world.good(&list, "");
    // A gate elsewhere has another.
    let run = world.run(&["session", "list", "--id", "7", "--gate", "https://gate.invalid"], "");
    assert!(run.code == 2 && run.err.contains("no TOLLGATE_ADMIN_SECRET in the environment;"), "{run:?}");
    // The environment counts first, and what it says is in no message.
    let mut command = world.command(&list);
    command.env("TOLLGATE_ADMIN_SECRET", "hunter2");
    let run = world.finish(command, "");
    assert!(!run.err.contains("hunter2"), "{run:?}");
    snapshot("error-session-secret", &gate.masked(&run.whole()));
    let mut command = world.command(&list);
    command.env("TOLLGATE_ADMIN_SECRET", "hunter2\nx");
    let run = world.finish(command, "");
    assert!(run.code == 2 && run.err.contains("can't be sent") && !run.err.contains("hunter2"), "{run:?}");
}

/// A name, an exit code, and what the gate answers.
type Case = (&'static str, i32, fn(&Value) -> Answer);

#[test]
fn each_failure_says_what_to_do_next() {
    let world = World::new();
    let list = ["session", "list", "--id", "7"];
    snapshot("error-session-no-gate", &world.run(&list, "").whole());
    snapshot("error-session-nobody", &world.run(&["session", "list", "--gate", "http://localhost:1"], "").whole());
    let with = |gate: &str| world.run(&[&list[..], &["--gate", gate]].concat(), "");
    snapshot("error-session-http", &with("http://app.example.com").whole());
    // Nobody listens on it any more.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut gate = FakeGate::start(&world);
    gate.address = format!("http://127.0.0.1:{port}");
    let run_list = |gate: &FakeGate| run(&world, gate, &list, "");
    let run_unreachable = gate.masked(&run_list(&gate).whole());
    let of_the_system = [" (os error 111)", " (os error 61)"];
    snapshot(
        "error-session-unreachable",
        &of_the_system.iter().fold(run_unreachable, |text, code| text.replace(code, "")),
    );
    let cases: [Case; 9] = [
        ("off", 1, |_| (404, "", json!({"msg": "Not Found"}).to_string())),
        // What the stock gate says where `/*` goes to static files.
        ("only-reads", 1, |_| (405, "allow: GET, HEAD\r\n", json!({"msg": "Method Not Allowed"}).to_string())),
        ("wants-token", 1, |_| (401, "", json!({"msg": "Missing Authorization Header"}).to_string())),
        ("busy", 3, |_| refuse(503, &Rejection::Unavailable(UnavailableRejection::Store))),
        ("failed", 1, |_| (500, "", String::new())),
        ("elsewhere", 1, |_| (301, "location: https://elsewhere.example.com/\r\n", String::new())),
        ("strange", 1, |_| (200, "", "<html>".into())),
        ("strange-json", 1, |_| (200, "", "{\"hello\": 1}".into())),
        ("version", 1, |_| refuse(400, &Rejection::Permission(PermissionRejection::BadCommand))),
    ];
    for (name, code, answer) in cases {
        let gate = FakeGate::answering(&world, answer);
        let run = run_list(&gate);
        assert_eq!((run.code, run.out.as_str(), gate.orders().len()), (code, "", 1), "{name}: {run:?}");
        snapshot(&format!("error-session-{name}"), &gate.masked(&run.whole()));
    }
    let gate = FakeGate::answering(&world, |_| refuse(404, &Rejection::Session(SessionRejection::Unknown)));
    let run = run(&world, &gate, &["session", "end", "--id", "7", "--session", "x"], "");
    snapshot("error-session-unknown", &gate.masked(&run.whole()));
}

#[test]
fn the_path_is_that_of_the_configuration() {
    let world = World::new();
    let gate = FakeGate::start(&world);
    world.config("[vars]\n", "[vars]\nTOLLGATE_ADMIN_URL = \"/ops\"\n");
    let run = run(&world, &gate, &["session", "list", "--id", "7"], "");
    assert!(run.code == 1 && run.err.contains("/ops (status 404)"), "{run:?}");
}

#[test]
fn users_of_the_local_store_are_spoken_of_to_a_local_gate_only() {
    let world = world();
    let with = |args: &[&str]| {
        let mut command = world.command(args);
        command.env("TOLLGATE_GATE", "https://gate.invalid").env("TOLLGATE_ADMIN_SECRET", ADMIN);
        world.finish(command, "another horse battery")
    };
    snapshot("error-session-other-store", &with(&["session", "list", "alice"]).whole());
    let before = world.store();
    for args in [
        &["user", "disable", "alice"][..],
        &["user", "set-password", "alice"],
        &["user", "delete", "alice"],
        &["user", "add", "alice", "--replace"],
    ] {
        assert_eq!(with(args).code, 2, "{args:?}");
    }
    assert_eq!(world.store(), before);
    assert_eq!(with(&["user", "disable", "alice", "--gate", ""]).code, 0, "no gate");
    assert_eq!(with(&["user", "add", "bob"]).code, 0, "which tells nobody");
}

/// Each change with the order that it brings, and the writes that come before.
const CHANGES: [(&[&str], &str, usize); 4] = [
    (&["user", "set-password", "alice"], "end-all", 1),
    (&["user", "add", "alice", "--replace"], "end-all", 2),
    (&["user", "disable", "alice"], "retire-password", 2),
    (&["user", "delete", "alice"], "retire-password", 2),
];

#[test]
fn a_change_ends_all_sessions_when_the_store_has_it() {
    for (args, order, writes) in CHANGES {
        let world = world();
        let gate = FakeGate::start(&world);
        let before = world.writes().len();
        let run = run(&world, &gate, args, "another horse battery");
        assert_eq!(run.code, 0, "{run:?}");
        let told = gate.told();
        assert_eq!(told.len(), 1);
        let mut said = told[0].order.clone();
        // The version of the record that was just written; there is none of who was deleted.
        let version = said.as_object_mut().unwrap().remove("version").and_then(|version| version.as_i64());
        assert_eq!(version.is_some_and(|version| version > 1_700_000_000_000), args[1] != "delete", "{args:?}");
        assert_eq!((said, told[0].writes), (json!({"do": order, "user": 7}), before + writes), "{args:?}");
        snapshot(&format!("session-after-{}", args[1]), &gate.masked(&run.whole()));
    }
    // Nobody can log in any more than before, so nobody is to be logged out.
    let world = world();
    let gate = FakeGate::start(&world);
    for args in [&["user", "enable", "alice"][..], &["user", "add", "bob"]] {
        assert_eq!(run(&world, &gate, args, "another horse battery").code, 0);
    }
    assert!(gate.orders().is_empty());
}

#[test]
fn without_a_gate_it_is_told_what_goes_on_and_how_to_end_it() {
    for (args, ..) in CHANGES {
        let world = world();
        let run = world.good(args, "another horse battery");
        snapshot(&format!("session-goes-on-{}", args[1]), &run.whole());
        let json = world_with_json(args);
        assert_eq!(json["sessions_ended"], false, "{json}");
    }
    let world = world();
    world.config("name = \"ACCOUNTS\"", "name = \"NONE\"");
    snapshot("session-none-here", &world.good(&["user", "disable", "alice"], "").whole());
}

fn world_with_json(args: &[&str]) -> Value {
    world().good(&[args, &["--json"]].concat(), "another horse battery").json()
}

#[test]
fn a_gate_that_can_not_be_told_is_a_failure_with_the_command_that_makes_up_for_it() {
    for (args, order, _) in CHANGES {
        let world = world();
        let gate = FakeGate::answering(&world, |_| refuse(503, &Rejection::Unavailable(UnavailableRejection::Store)));
        let run = run(&world, &gate, args, "another horse battery");
        let masked = gate.masked(&run.whole());
        snapshot(&format!("error-session-after-{}", args[1]), &masked);
        let retire = if order == "retire-password" { " --retire-password" } else { "" };
        let command = format!("tollgate session end-all --id 7{retire} --gate http://GATE\n");
        assert!(run.code == 3 && masked.ends_with(&command), "{masked}");
    }
    // Without the secret nothing is begun.
    let world = world();
    let before = world.store();
    let run = world.run(&["user", "disable", "alice", "--gate", "http://localhost:1"], "");
    assert!(run.code == 2 && world.store() == before, "{run:?}");
}

#[test]
fn the_command_that_makes_up_is_one_that_a_shell_understands() {
    let world = World::new();
    world.good(&["user", "add", "ann", "--id", "\"7's\""], "correct horse battery");
    let gate = FakeGate::answering(&world, |_| refuse(503, &Rejection::Unavailable(UnavailableRejection::Store)));
    world.write("other.toml", &std::fs::read_to_string(world.path("wrangler.toml")).unwrap());
    let run = run(&world, &gate, &["user", "disable", "ann", "--config", "other.toml"], "");
    let end = "--id '\"7'\\''s\"' --retire-password --gate http://GATE --config other.toml\n";
    assert!(gate.masked(&run.err).ends_with(end), "{run:?}");
}
