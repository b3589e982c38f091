//! `tollgate session`, and the commands that other commands send to the gate.

use super::{
    fake_gate::{ADMIN, Answer, FakeGate, reject},
    world::{HASH, Run, World},
};
use serde_json::{Value, json};
use snapbox::{data::Inline, str};
use tollgate::rules::rejection::{PermissionRejection, Rejection, SessionRejection, UnavailableRejection};

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
fn the_gate_receives_what_the_command_says() {
    let (world, other) = (world(), World::new());
    let gate = FakeGate::start(&world);
    other.redact("[GATE]", &gate.address);
    for (args, command, expected) in [
        (
            &["list", "alice"][..],
            json!({"do": "list", "user": 7}),
            str![[r#"
exit 0
--- stdout
SESSION                               LOGGED IN                LAST USED                COUNTRY  CLIENT
019abc3e-7a00-7000-8000-000000000002  2026-11-25 09:46:40 UTC  2026-11-25 10:46:40 UTC  CH       Mozilla/5.0 (\u{1b}[31mX11)
019abc3e-7a00-7000-8000-000000000001  2026-11-25 09:46:40 UTC  2026-11-25 09:46:40 UTC           curl/8.1\n
--- stderr
gate: [GATE]
store: local store of ./wrangler.toml
2 sessions

"#]],
        ),
        (
            &["list", "alice", "--json"],
            json!({"do": "list", "user": 7}),
            str![[r#"
exit 0
--- stdout
{
  "id": 7,
  "sessions": [
    {
      "id": "019abc3e-7a00-7000-8000-000000000002",
      "created": 1795600000,
      "last_used": 1795603600,
      "user_agent": "Mozilla/5.0 (\u001b[31mX11)",
      "country": "CH"
    },
    {
      "id": "019abc3e-7a00-7000-8000-000000000001",
      "created": 1795600000,
      "last_used": 1795600000,
      "user_agent": "curl/8.1\n",
      "country": ""
    }
  ]
}
--- stderr
{"remark":"gate: [GATE]"}
{"remark":"store: local store of ./wrangler.toml"}
{"remark":"2 sessions"}

"#]],
        ),
        (
            &["list", "--id", "8"],
            json!({"do": "list", "user": 8}),
            str![[r#"
exit 0
--- stdout
no sessions
--- stderr
gate: [GATE]
0 sessions

"#]],
        ),
        (
            &["end", "alice", "--session", SESSION],
            json!({"do": "end", "user": 7, "session": SESSION}),
            str![[r#"
exit 0
--- stdout
session 019abc3e-7a00-7000-8000-000000000001 has ended; its tokens are rejected everywhere within seconds (TOLLGATE_REVOCATION_BOUND)
--- stderr
gate: [GATE]
store: local store of ./wrangler.toml

"#]],
        ),
        (
            &["end-all", "alice"],
            json!({"do": "end-all", "user": 7}),
            str![[r#"
exit 0
--- stdout
all sessions of user 7 have ended; their tokens are rejected everywhere within seconds (TOLLGATE_REVOCATION_BOUND)
--- stderr
gate: [GATE]
store: local store of ./wrangler.toml

"#]],
        ),
        (
            &["end-all", "--id", "\"7\"", "--retire-password"],
            json!({"do": "retire-password", "user": "7"}),
            str![[r#"
exit 0
--- stdout
all sessions of user "7" have ended; their tokens are rejected everywhere within seconds (TOLLGATE_REVOCATION_BOUND)
log-ins with the current password are rejected
--- stderr
gate: [GATE]

"#]],
        ),
        (
            &["revoke-token", "--id", "ann", "--token-id", "3f0c"],
            json!({"do": "revoke", "user": "ann", "token_id": "3f0c"}),
            str![[r#"
exit 0
--- stdout
token 3f0c is revoked; it is rejected everywhere within seconds (TOLLGATE_REVOCATION_BOUND)
--- stderr
gate: [GATE]

"#]],
        ),
        (
            &["end-everybody", "--yes"],
            json!({"do": "end-everybody"}),
            str![[r#"
exit 0
--- stdout
all sessions of all users have ended; tokens are rejected everywhere within seconds (TOLLGATE_REVOCATION_BOUND)
--- stderr
gate: [GATE]

"#]],
        ),
    ] {
        // A user who is named by id is not looked up.
        let world = if args.contains(&"alice") { &world } else { &other };
        let run = run(world, &gate, &[&["session"], args].concat(), "");
        run.is(expected);
        assert_eq!(gate.commands(), [command]);
        assert_eq!(other.calls(), [""; 0]);
    }
}

#[test]
fn ending_all_sessions_needs_a_confirmation() {
    let world = World::new();
    let gate = FakeGate::start(&world);
    run(&world, &gate, &["session", "end-everybody"], "yes\n").is(str![[r#"
exit 2
--- stderr
gate: [GATE]
error: confirmation is needed, and standard input is not a terminal
 hint: nothing was done; confirm with --yes

"#]]);
    assert!(gate.commands().is_empty());
}

#[test]
fn the_secret_comes_from_the_environment_or_of_a_local_gate_from_dev_vars() {
    let world = World::new();
    let gate = FakeGate::start(&world);
    let list = ["session", "list", "--id", "7", "--gate", &gate.address];
    world.run(&list, "").is(str![[r#"
exit 2
--- stderr
error: no TOLLGATE_ADMIN_SECRET in the environment, nor in .dev.vars; nothing was done
 hint: `read -rs TOLLGATE_ADMIN_SECRET; export TOLLGATE_ADMIN_SECRET` reads the gate's secret without showing it; to give the gate one: `echo "TOLLGATE_ADMIN_SECRET=$(tollgate secret generate)" >> .dev.vars`, and start `wrangler dev` again

"#]]);
    let dev_vars = std::fs::read_to_string(world.path(".dev.vars")).unwrap();
    world.write(".dev.vars", &format!("{dev_vars}TOLLGATE_ADMIN_SECRET=\"{ADMIN}\"\n"));
    world.good(&list, "");
    // A gate elsewhere has another.
    let run = world.run(&["session", "list", "--id", "7", "--gate", "https://gate.invalid"], "");
    assert!(run.code == 2 && run.err.contains("no TOLLGATE_ADMIN_SECRET in the environment;"), "{run:?}");
    // The environment takes precedence, and its value is in no message.
    let mut command = world.command(&list);
    command.env("TOLLGATE_ADMIN_SECRET", "hunter2");
    let run = world.finish(command, "");
    assert!(!run.err.contains("hunter2"), "{run:?}");
    run.is(str![[r#"
exit 1
--- stderr
gate: [GATE]
error: the gate at [GATE] rejected the TOLLGATE_ADMIN_SECRET
 hint: set TOLLGATE_ADMIN_SECRET to the gate's secret; to give the gate a new one: `tollgate secret generate | npx wrangler secret put TOLLGATE_ADMIN_SECRET`

"#]]);
    let mut command = world.command(&list);
    command.env("TOLLGATE_ADMIN_SECRET", "hunter2\nx");
    let run = world.finish(command, "");
    assert!(run.code == 2 && run.err.contains("can't be sent") && !run.err.contains("hunter2"), "{run:?}");
}

/// What the gate answers, and what the command prints.
type Case = (fn(&Value) -> Answer, Inline);

#[test]
fn each_failure_says_what_to_do_next() {
    let world = World::new();
    let list = ["session", "list", "--id", "7"];
    world.run(&list, "").is(str![[r#"
exit 2
--- stderr
error: no gate is named
 hint: add --gate https://app.example.com, or `export TOLLGATE_GATE=…`; for the local gate: --gate http://localhost:8787

"#]]);
    world.run(&["session", "list", "--gate", "http://localhost:1"], "").is(str![[r#"
exit 2
--- stderr
error: the following required arguments were not provided:
  <NAME|--id <ID>>

Usage: tollgate session list --gate <URL> <NAME|--id <ID>>

For more information, try '--help'.

"#]]);
    let with = |gate: &str| world.run(&[&list[..], &["--gate", gate]].concat(), "");
    with("http://app.example.com").is(str![[r#"
exit 2
--- stderr
error: the gate's address: plain http would reveal the secret on the network
 hint: write https://

"#]]);
    // Nothing listens on this port any more.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut gate = FakeGate::start(&world);
    gate.address = format!("http://127.0.0.1:{port}");
    let run_list = |gate: &FakeGate| run(&world, gate, &list, "");
    world.redact("[GATE]", &gate.address);
    // Linux, macOS, and Node in the npm package.
    for code in ["Connection refused (os error 111)", "Connection refused (os error 61)"] {
        world.redact("[REFUSED]", code);
    }
    world.redact("[REFUSED]", &format!("connect ECONNREFUSED 127.0.0.1:{port}"));
    run_list(&gate).is(str![[r#"
exit 3
--- stderr
gate: [GATE]
error: the gate at [GATE] can't be reached: [REFUSED]
 hint: check the address and that the gate runs, then run the command again; repeating it is safe

"#]]);
    let cases: [Case; 9] = [
        (
            |_| (404, "", json!({"msg": "Not Found"}).to_string()),
            str![[r#"
exit 1
--- stderr
gate: [GATE]
error: no endpoint for operators at [GATE]/auth/admin (status 404)
 hint: check the address; the endpoint is at TOLLGATE_ADMIN_URL, if the gate has TOLLGATE_ADMIN_SECRET and the bindings ACCOUNTS and REVOCATIONS (`tollgate config check`). `wrangler dev` reads .dev.vars only when it starts

"#]],
        ),
        // The answer of the stock gate where `/*` goes to static files.
        (
            |_| (405, "allow: GET, HEAD\r\n", json!({"msg": "Method Not Allowed"}).to_string()),
            str![[r#"
exit 1
--- stderr
gate: [GATE]
error: no endpoint for operators at [GATE]/auth/admin (status 405)
 hint: check the address; the endpoint is at TOLLGATE_ADMIN_URL, if the gate has TOLLGATE_ADMIN_SECRET and the bindings ACCOUNTS and REVOCATIONS (`tollgate config check`). `wrangler dev` reads .dev.vars only when it starts

"#]],
        ),
        (
            |_| (401, "", json!({"msg": "Missing Authorization Header"}).to_string()),
            str![[r#"
exit 1
--- stderr
gate: [GATE]
error: no endpoint for operators at [GATE]/auth/admin (status 401)
 hint: check the address; the endpoint is at TOLLGATE_ADMIN_URL, if the gate has TOLLGATE_ADMIN_SECRET and the bindings ACCOUNTS and REVOCATIONS (`tollgate config check`). `wrangler dev` reads .dev.vars only when it starts

"#]],
        ),
        (
            |_| reject(503, &Rejection::Unavailable(UnavailableRejection::Store)),
            str![[r#"
exit 3
--- stderr
gate: [GATE]
error: the gate at [GATE] is unavailable (status 503)
 hint: run the command again in a few seconds; repeating it is safe

"#]],
        ),
        (
            |_| (500, "", String::new()),
            str![[r#"
exit 1
--- stderr
gate: [GATE]
error: the gate at [GATE] failed (status 500)
 hint: its log (`npx wrangler tail`) and `tollgate config check` have the reason

"#]],
        ),
        (
            |_| (301, "location: https://elsewhere.example.com/\r\n", String::new()),
            str![[r#"
exit 1
--- stderr
gate: [GATE]
error: [GATE]/auth/admin redirects (status 301), and the secret is not sent to another address
 hint: name the gate's own address, as users reach it

"#]],
        ),
        (
            |_| (200, "", "<html>".into()),
            str![[r#"
exit 1
--- stderr
gate: [GATE]
error: the answer of [GATE]/auth/admin is not that of a gate's endpoint for operators
 hint: check the address, and that TOLLGATE_ADMIN_URL is the same here and at the gate

"#]],
        ),
        (
            |_| (200, "", "{\"hello\": 1}".into()),
            str![[r#"
exit 1
--- stderr
gate: [GATE]
error: the answer of [GATE]/auth/admin is not that of a gate's endpoint for operators
 hint: check the address, and that TOLLGATE_ADMIN_URL is the same here and at the gate

"#]],
        ),
        (
            |_| reject(400, &Rejection::Permission(PermissionRejection::BadCommand)),
            str![[r#"
exit 1
--- stderr
gate: [GATE]
error: the gate at [GATE] does not know this command
 hint: gate and command have different versions: deploy the gate again

"#]],
        ),
    ];
    for (answer, expected) in cases {
        let gate = FakeGate::answering(&world, answer);
        run_list(&gate).is(expected);
        assert_eq!(gate.commands().len(), 1);
    }
    let gate = FakeGate::answering(&world, |_| reject(404, &Rejection::Session(SessionRejection::Unknown)));
    let run = run(&world, &gate, &["session", "end", "--id", "7", "--session", "x"], "");
    run.is(str![[r#"
exit 1
--- stderr
gate: [GATE]
error: no such session, or it has ended already
 hint: `tollgate session list` shows the sessions

"#]]);
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
fn users_of_the_local_store_are_named_to_a_local_gate_only() {
    let world = world();
    let with = |args: &[&str]| {
        let mut command = world.command(args);
        command.env("TOLLGATE_GATE", "https://gate.invalid").env("TOLLGATE_ADMIN_SECRET", ADMIN);
        world.finish(command, "another horse battery")
    };
    with(&["session", "list", "alice"]).is(str![[r#"
exit 2
--- stderr
gate: https://gate.invalid
error: https://gate.invalid is not the gate of the local store; nothing was done
 hint: for the store on Cloudflare add --remote; for the local gate: --gate http://localhost:8787; for no gate: --gate ''

"#]]);
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

/// Each command with the gate's command that follows, and the number of writes before it.
const CHANGES: [(&[&str], &str, usize); 4] = [
    (&["user", "set-password", "alice"], "end-all", 1),
    (&["user", "add", "alice", "--replace"], "end-all", 2),
    (&["user", "disable", "alice"], "retire-password", 2),
    (&["user", "delete", "alice"], "retire-password", 2),
];

#[test]
fn a_change_ends_all_sessions_when_the_store_has_it() {
    for ((args, order, writes), expected) in CHANGES.into_iter().zip([
        str![[r#"
exit 0
--- stdout
the password of alice was changed in the local store of ./wrangler.toml
all earlier sessions have ended
--- stderr
gate: [GATE]
store: local store of ./wrangler.toml

"#]],
        str![[r#"
exit 0
--- stdout
user alice is in the local store of ./wrangler.toml
id 7
all earlier sessions have ended
--- stderr
gate: [GATE]
store: local store of ./wrangler.toml

"#]],
        str![[r#"
exit 0
--- stdout
alice is disabled in the local store of ./wrangler.toml; it takes effect in every data centre within about a minute
all earlier sessions have ended
--- stderr
gate: [GATE]
store: local store of ./wrangler.toml

"#]],
        str![[r#"
exit 0
--- stdout
alice was deleted from the local store of ./wrangler.toml
all earlier sessions have ended
--- stderr
gate: [GATE]
store: local store of ./wrangler.toml

"#]],
    ]) {
        let world = world();
        let gate = FakeGate::start(&world);
        let before = world.writes().len();
        let run = run(&world, &gate, args, "another horse battery");
        let received = gate.received();
        // The gate also learns the attributes of a user who was replaced, and forgets those of a deleted one.
        let replaces = received.get(1).map(|received| received.command["replaces"].clone());
        assert_eq!(replaces, args.contains(&"--replace").then(|| json!(true)), "{args:?}");
        let mut command = received[0].command.clone();
        let forgets = command.as_object_mut().unwrap().remove("forget_attributes");
        assert_eq!(forgets, (args[1] == "delete").then(|| json!(true)), "{args:?}");
        // The version of the record that was just written; a deleted user has none.
        let version = command.as_object_mut().unwrap().remove("version").and_then(|version| version.as_i64());
        assert_eq!(version.is_some_and(|version| version > 1_700_000_000_000), args[1] != "delete", "{args:?}");
        assert_eq!((command, received[0].writes), (json!({"do": order, "user": 7}), before + writes), "{args:?}");
        run.is(expected);
    }
    // These allow log-ins, so no session is ended.
    let world = world();
    let gate = FakeGate::start(&world);
    for args in [&["user", "enable", "alice"][..], &["user", "add", "bob"]] {
        assert_eq!(run(&world, &gate, args, "another horse battery").code, 0);
    }
    assert!(gate.commands().is_empty());
}

#[test]
fn without_a_gate_the_command_says_what_remains_valid_and_how_to_end_it() {
    for ((args, ..), expected) in CHANGES.into_iter().zip([str![[r#"
exit 0
--- stdout
the password of alice was changed in the local store of ./wrangler.toml
--- stderr
store: local store of ./wrangler.toml
sessions remain valid until the user logs in with the new password, because no gate is named (--gate); to end them: tollgate session end-all --id 7 --gate URL

"#]], str![[r#"
exit 0
--- stdout
user alice is in the local store of ./wrangler.toml
id 7
--- stderr
store: local store of ./wrangler.toml
sessions remain valid until the user logs in with the new password, because no gate is named (--gate); to end them: tollgate session end-all --id 7 --gate URL

"#]], str![[r#"
exit 0
--- stdout
alice is disabled in the local store of ./wrangler.toml; it takes effect in every data centre within about a minute
--- stderr
store: local store of ./wrangler.toml
tokens remain valid until they expire on routes with user = "token", because no gate is named (--gate); to end them: tollgate session end-all --id 7 --retire-password --gate URL

"#]], str![[r#"
exit 0
--- stdout
alice was deleted from the local store of ./wrangler.toml
--- stderr
store: local store of ./wrangler.toml
tokens remain valid until they expire on routes with user = "token", because no gate is named (--gate); to end them: tollgate session end-all --id 7 --retire-password --forget-attributes --gate URL

"#]]]) {
        let world = world();
        world.good(args, "another horse battery").is(expected);
        let json = world_with_json(args);
        assert_eq!(json["sessions_ended"], false, "{json}");
    }
    let world = world();
    world.config("name = \"ACCOUNTS\"", "name = \"NONE\"");
    world.good(&["user", "disable", "alice"], "").is(str![[r#"
exit 0
--- stdout
alice is disabled in the local store of ./wrangler.toml; it takes effect in every data centre within about a minute
--- stderr
store: local store of ./wrangler.toml
tokens remain valid until they expire on routes with user = "token": this gate has no sessions (`tollgate config check`)

"#]]);
}

fn world_with_json(args: &[&str]) -> Value {
    world().good(&[args, &["--json"]].concat(), "another horse battery").json()
}

#[test]
fn an_unavailable_gate_is_a_failure_with_the_command_to_run_later() {
    for ((args, order, _), expected) in CHANGES.into_iter().zip([
        str![[r#"
exit 3
--- stdout
the password of alice was changed in the local store of ./wrangler.toml
--- stderr
gate: [GATE]
store: local store of ./wrangler.toml
error: the store was changed, but the sessions were not ended: the gate at [GATE] is unavailable (status 503)
 hint: when the gate is available: tollgate session end-all --id 7 --gate [GATE]

"#]],
        str![[r#"
exit 3
--- stdout
user alice is in the local store of ./wrangler.toml
id 7
--- stderr
gate: [GATE]
store: local store of ./wrangler.toml
error: the store was changed, but the sessions were not ended: the gate at [GATE] is unavailable (status 503)
 hint: when the gate is available: tollgate session end-all --id 7 --gate [GATE]

"#]],
        str![[r#"
exit 3
--- stdout
alice is disabled in the local store of ./wrangler.toml; it takes effect in every data centre within about a minute
--- stderr
gate: [GATE]
store: local store of ./wrangler.toml
error: the store was changed, but the sessions were not ended: the gate at [GATE] is unavailable (status 503)
 hint: when the gate is available: tollgate session end-all --id 7 --retire-password --gate [GATE]

"#]],
        str![[r#"
exit 3
--- stdout
alice was deleted from the local store of ./wrangler.toml
--- stderr
gate: [GATE]
store: local store of ./wrangler.toml
error: the store was changed, but the sessions were not ended: the gate at [GATE] is unavailable (status 503)
 hint: when the gate is available: tollgate session end-all --id 7 --retire-password --forget-attributes --gate [GATE]

"#]],
    ]) {
        let world = world();
        let gate = FakeGate::answering(&world, |_| reject(503, &Rejection::Unavailable(UnavailableRejection::Store)));
        let run = run(&world, &gate, args, "another horse battery");
        run.is(expected);
        let retire = match args[1] {
            "delete" => " --retire-password --forget-attributes",
            _ if order == "retire-password" => " --retire-password",
            _ => "",
        };
        let command = format!("tollgate session end-all --id 7{retire} --gate {}\n", gate.address);
        assert!(run.code == 3 && run.err.ends_with(&command), "{run:?}");
    }
    // Without the secret nothing is changed.
    let world = world();
    let before = world.store();
    let run = world.run(&["user", "disable", "alice", "--gate", "http://localhost:1"], "");
    assert!(run.code == 2 && world.store() == before, "{run:?}");
}

#[test]
fn the_command_to_run_later_is_quoted_for_a_shell() {
    let world = World::new();
    world.good(&["user", "add", "ann", "--id", "\"7's\""], "correct horse battery");
    let gate = FakeGate::answering(&world, |_| reject(503, &Rejection::Unavailable(UnavailableRejection::Store)));
    world.write("other.toml", &std::fs::read_to_string(world.path("wrangler.toml")).unwrap());
    let run = run(&world, &gate, &["user", "disable", "ann", "--config", "other.toml"], "");
    let end = format!("--id '\"7'\\''s\"' --retire-password --gate {} --config other.toml\n", gate.address);
    assert!(run.err.ends_with(&end), "{run:?}");
}
