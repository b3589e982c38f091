//! Output at a terminal. Names, user agents, claims and file names from others are escaped, in text and JSON, on
//! standard output and standard error; JSON still parses to the same values. Only the command itself prints colours.

use super::{
    fake_gate::{Answer, FakeGate, reject},
    world::{HASH, Run, World},
};
use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Value, json};
use tollgate::rules::{
    identity::Id,
    rejection::{Rejection, UnavailableRejection},
    store::Profile,
};

/// ESC [, CSI in one character, DEL, a right-to-left override and its end, a zero-width space, an isolate, a byte order
/// mark, a line separator, a tag character; and a line break with what looks like a message of the command.
const BAD: &str = "x\u{1b}[31m\u{9b}2J\u{7f}\u{202e}y\u{202c}\u{200b}\u{2066}\u{feff}\u{2028}\u{e0001}\nerror: z";
const HIDDEN: &str = "\u{7f}\u{ad}\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}\u{feff}\u{e0001}";

/// Asserts that the output has no control character, no invisible one, and no line that a value began.
fn assert_clean(run: &Run) {
    for text in [&run.out, &run.err] {
        let is_bad = |c: char| c.is_control() && !matches!(c, '\n' | '\t') || HIDDEN.contains(c);
        assert!(!text.contains(is_bad), "{:?}", text.escape_unicode().to_string());
        assert!(!text.lines().any(|line| line.starts_with("error: z")), "{run:?}");
    }
}

fn clean(run: Run) -> Run {
    assert_clean(&run);
    run
}

/// A store with a user whose name, id and attributes are bad.
fn world() -> World {
    let world = World::new();
    let profile = json!({"v": 1, "id": BAD, "name": BAD, "status": "active", "attributes": {BAD: BAD}});
    world.put(&Profile::key(&Id::Text(BAD.into())), &profile.to_string());
    let login = json!({"v": 1, "id": BAD, "hash": HASH, "status": "active"});
    world.put(&format!("login:{BAD}"), &login.to_string());
    world
}

fn obey(command: &Value) -> Answer {
    let session = json!({
        "id": BAD, "created": 1, "last_used": 1, "user_agent": BAD, "country": BAD, "current": false,
    });
    match command["do"].as_str().unwrap() {
        "list" => (200, "", json!({"sessions": [session]}).to_string()),
        _ => (200, "", json!({"msg": "done"}).to_string()),
    }
}

#[test]
fn a_user_agent_does_not_reach_the_terminal() {
    let world = World::new();
    let gate = FakeGate::answering(&world, obey);
    let run = |args: &[&str]| clean(world.finish(gate.command(&world, &[&["session"], args].concat()), ""));
    let text = run(&["list", "--id", "7"]).out;
    assert!(
        text.contains(r"x\u{1b}[31m\u{9b}2J\u{7f}\u{202e}y\u{202c}\u{200b}\u{2066}\u{feff}\u{2028}\u{e0001}\nerror: z"),
        "{text}"
    );
    assert_eq!(text.lines().count(), 2, "{text}");
    let json = run(&["list", "--id", "7", "--json"]);
    assert!(json.out.contains(r"\u009b2J\u007f\u202ey\u202c\u200b\u2066\ufeff\u2028\udb40\udc01\n"), "{json:?}");
    assert_eq!(json.json()["sessions"][0]["user_agent"], BAD);
    for json in [&[][..], &["--json"]] {
        for args in [
            &["end", "--id", BAD, "--session", BAD][..],
            &["end-all", "--id", BAD],
            &["revoke-token", "--id", BAD, "--token-id", BAD],
        ] {
            assert_eq!(run(&[args, json].concat()).code, 0);
        }
    }
    assert_eq!(run(&["end-all", "--id", BAD, "--json"]).json()["id"], BAD);
}

#[test]
fn a_name_does_not_reach_the_terminal() {
    let world = world();
    let good = |args: &[&str]| {
        let run = clean(world.run(args, "another horse battery"));
        assert_eq!(run.code, 0, "{run:?}");
        run
    };
    let shown = good(&["user", "show", BAD]).out;
    assert_eq!(shown.lines().count(), 5, "{shown}");
    let json = good(&["user", "show", BAD, "--json"]).json();
    assert_eq!((&json["username"], &json["id"], &json["attributes"][BAD]), (&json!(BAD), &json!(BAD), &json!(BAD)));
    for list in [&["user", "list"][..], &["user", "list", "--long"]] {
        assert_eq!(good(list).out.lines().count(), 1);
        assert_eq!(good(&[list, &["--json"]].concat()).json()[0]["username"], BAD);
    }
    // A tab in a name does not begin a column.
    assert_eq!(good(&["user", "list", "--long"]).out.matches('\t').count(), 2);
    let exported = good(&["user", "export"]).out;
    assert_eq!(exported.lines().count(), 1);
    let line: Value = serde_json::from_str(&exported).unwrap();
    assert_eq!(line, json!({"username": BAD, "id": BAD, "hash": HASH, "status": "active", "attributes": {BAD: BAD}}));
    // Import restores the same user.
    let other = World::new();
    other.write("users.jsonl", &exported);
    other.good(&["user", "import", "users.jsonl"], "");
    assert_eq!(other.good(&["user", "export"], "").out, exported);
    for json in [&[][..], &["--json"]] {
        for args in [
            &["user", "disable", BAD][..],
            &["user", "enable", BAD],
            &["user", "set-password", BAD],
            &["user", "add", BAD, "--replace"],
            &["user", "delete", BAD],
        ] {
            good(&[args, json].concat());
            if args[1] == "delete" {
                good(&["user", "add", BAD, "--id", BAD]);
            }
        }
    }
}

#[test]
fn a_failure_does_not_reach_the_terminal() {
    for json in [&[][..], &["--json"]] {
        let world = world();
        let gate = FakeGate::answering(&world, |_| reject(503, &Rejection::Unavailable(UnavailableRejection::Store)));
        let failed = |args: &[&str], code: i32| {
            let run = clean(world.finish(gate.command(&world, &[args, json].concat()), "another horse battery"));
            assert_eq!(run.code, code, "{run:?}");
            run
        };
        // The hint holds a command with the user's id.
        let run = failed(&["user", "disable", BAD], 3);
        assert!(run.err.contains("end-all --id "), "{run:?}");
        failed(&["user", "add", BAD, "--id", "1", "--replace"], 1);
        failed(&["user", "add", "other", "--id", BAD], 1);
        failed(&["user", "show", &format!("{BAD}?")], 1);
        failed(&["user", "import", BAD], 2);
        failed(&["config", "check", "--config", BAD], 2);
        failed(&["config", "check", "--env", BAD], 1);
        failed(&["user", "list", "--config", BAD], 2);
        // clap repeats the argument that it refuses.
        let run = failed(&["token", "mint", "--id", "7", "--expires", &BAD.replace('\n', "")], 2);
        assert!(run.err.contains(if json.is_empty() { r"\u{202e}" } else { r"\u202e" }), "{run:?}");
        world.put(&format!("login:{BAD}!"), "damaged");
        failed(&["user", "list", "--long"], 0);
    }
}

#[test]
fn a_token_does_not_reach_the_terminal() {
    let world = World::new();
    let part = |value: Value| Base64UrlUnpadded::encode_string(value.to_string().as_bytes());
    let header = json!({"alg": "HS256", "kid": BAD, BAD: [BAD]});
    let claims = json!({"exp": 9_999_999_999_i64, "iat": 1, "nbf": 1, "identity": BAD, BAD: {BAD: BAD}});
    let token = format!("{}.{}.AAAA", part(header.clone()), part(claims.clone()));
    let text = clean(world.good(&["token", "inspect"], &token)).out;
    assert!(text.contains(r#"identity = "x\u001b[31m\u009b2J\u007f\u202ey"#), "{text}");
    let json = clean(world.good(&["token", "inspect", "--json"], &token)).json();
    assert_eq!((&json["header"], &json["claims"]), (&header, &claims));
    let json = clean(world.good(&["token", "mint", "--id", BAD, "--json"], "")).json();
    assert_eq!(json["claims"]["identity"], BAD);
    // `route test` prints the identity, the path and header names.
    let token = json["token"].as_str().unwrap();
    for more in [&[][..], &["--json"]] {
        let args = ["route", "test", "GET", "/api/%E2%80%AEx", "--token-stdin", "--header", &format!("{BAD}: {BAD}")];
        let run = clean(world.run(&[&args[..], more].concat(), token));
        assert_eq!(run.code, 0, "{run:?}");
        // The reason holds the decoded path.
        assert_eq!(clean(world.run(&[&["route", "test", "GET", "/API/%E2%80%AEx"][..], more].concat(), "")).code, 1);
    }
}

#[test]
fn an_imported_file_does_not_reach_the_terminal() {
    let world = World::new();
    let file = BAD.replace('\n', "\n ") + ".jsonl";
    let line = |name: &str, id: Value| json!({"username": name, "id": id, "hash": HASH}).to_string();
    world.write(&file, &[line(BAD, json!(BAD)), line(BAD, json!(2)), json!({BAD: BAD}).to_string()].join("\n"));
    for json in [&[][..], &["--json"]] {
        assert_eq!(clean(world.run(&[&["user", "import", &file][..], json].concat(), "")).code, 1);
        clean(world.good(&[&["user", "import", &file, "--skip-bad"][..], json].concat(), ""));
    }
    // A warning that names the file.
    #[cfg(unix)]
    {
        use std::{fs, os::unix::fs::PermissionsExt};

        fs::create_dir(world.path("open")).unwrap();
        fs::set_permissions(world.path("open"), fs::Permissions::from_mode(0o777)).unwrap();
        let open = format!("open/{BAD}.jsonl");
        world.write(&open, &line("ann", json!(9)));
        let run = clean(world.good(&["user", "import", &open], ""));
        assert!(run.err.contains("the progress is not saved"), "{run:?}");
    }
    // Another name for the same id, another id for the same name.
    world.write(&file, &[line("other", json!(BAD)), line(BAD, json!(3))].join("\n"));
    for json in [&[][..], &["--json"]] {
        let run = clean(world.run(&[&["user", "import", &file, "--replace"][..], json].concat(), ""));
        assert_eq!(run.code, 1, "{run:?}");
    }
}

#[test]
fn a_configuration_does_not_reach_the_terminal() {
    let world = World::new();
    let key = serde_json::to_string(&format!("JWT_{BAD}")).unwrap().replace('\u{7f}', "\\u007F");
    world.config("[vars]\n", &format!("[vars]\n{key} = 1\n"));
    world.config("path = \"/api/*\"", "path = \"/a\u{202e}pi/*\"\nbad = \"\u{9b}\"");
    for json in [&[][..], &["--json"]] {
        clean(world.run(&[&["config", "check"][..], json].concat(), ""));
        clean(world.run(&[&["route", "test", "GET", "/a%E2%80%AEpi/x"][..], json].concat(), ""));
    }
}

/// Runs a command at a terminal where `typed` was typed, and returns what it shows there.
#[cfg(unix)]
fn on_terminal(mut command: std::process::Command, variables: &[(&str, &str)], typed: &str) -> String {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use std::{
        fs::File,
        io::{Read, Write},
    };

    let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&controller).unwrap();
    unlockpt(&controller).unwrap();
    let name = ptsname(&controller, Vec::new()).unwrap().into_string().unwrap();
    let terminal = File::options().read(true).write(true).open(name).unwrap();
    command.stdin(terminal.try_clone().unwrap()).stdout(terminal.try_clone().unwrap()).stderr(terminal);
    let mut controller = File::from(controller);
    controller.write_all(typed.as_bytes()).unwrap();
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "CI"] {
        command.env_remove(name);
    }
    command.env("TERM", "xterm-256color").envs(variables.iter().copied());
    let mut child = command.spawn().unwrap();
    // It holds the terminal open.
    drop(command);
    let reader = std::thread::spawn(move || {
        let (mut shown, mut part) = (Vec::new(), [0; 4096]);
        // The end of a terminal is an error (EIO) on Linux.
        while let Ok(length @ 1..) = controller.read(&mut part) {
            shown.extend(&part[..length]);
        }
        String::from_utf8(shown).unwrap().replace("\r\n", "\n")
    });
    child.wait().unwrap();
    reader.join().unwrap()
}

#[cfg(unix)]
#[test]
fn errors_are_red_and_warnings_yellow_on_a_terminal_alone() {
    const RED: &str = "\u{1b}[1m\u{1b}[31merror\u{1b}[0m: ";
    const YELLOW: &str = "\u{1b}[1m\u{1b}[33mwarning\u{1b}[0m: ";
    let world = World::new();
    let file = "b\u{1b}[31m.jsonl";
    let line = |name: &str, id: Value| json!({"username": name, "id": id, "hash": HASH}).to_string();
    world.write(file, &[line("Ann", 1.into()), line("ann", 2.into()), json!({BAD: 1}).to_string()].join("\n"));
    let cases: [(&[&str], &str, &str); 4] = [
        (&["user", "show", BAD], RED, "no user of this name"),
        (&["user", "frobnicate\u{1b}[31m"], RED, r"unrecognized subcommand 'frobnicate"),
        (&["user", "import", file, "--dry-run"], RED, "member "),
        (&["user", "import", file, "--dry-run"], YELLOW, "the name differs only in case"),
    ];
    for (args, label, text) in cases {
        let shown = on_terminal(world.command(args), &[], "");
        assert!(shown.contains(&format!("{label}{text}")), "{shown:?}");
        // No other control sequences: those of values are escaped.
        let plain = [RED, YELLOW].iter().fold(shown.clone(), |text, label| text.replace(label, ""));
        assert!(!plain.contains('\u{1b}'), "{shown:?}");
        for variables in [&[("NO_COLOR", "1")][..], &[("TERM", "dumb"), ("CI", "1")], &[("NO_COLOR", "no")]] {
            let shown = on_terminal(world.command(args), variables, "");
            assert!(!shown.contains('\u{1b}') && shown.contains(text), "{variables:?}: {shown:?}");
        }
        assert!(on_terminal(world.command(args), &[("NO_COLOR", "")], "").contains(label));
        // Without a terminal, even if colours are to be forced.
        let mut command = world.command(args);
        command.env("CLICOLOR_FORCE", "1");
        let run = world.finish(command, "");
        assert!(!(run.out + &run.err).contains('\u{1b}'));
        // JSON has none.
        let shown = on_terminal(world.command(&[args, &["--json"]].concat()), &[], "");
        assert!(!shown.contains('\u{1b}'), "{shown:?}");
    }
}

#[cfg(unix)]
#[test]
fn there_are_no_prompts_with_json() {
    let world = World::new();
    let gate = FakeGate::start(&world);
    let mut command = gate.command(&world, &["session", "end-everybody", "--json"]);
    command.env_remove("TOLLGATE_WRANGLER");
    let shown = on_terminal(command, &[], "yes\n");
    let failure: Value = serde_json::from_str(shown.lines().last().unwrap()).unwrap();
    assert!(failure["hint"].as_str().unwrap().contains("--yes"), "{shown}");
    assert_eq!(gate.commands(), [Value::Null; 0]);
}
