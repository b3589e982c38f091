//! `--help` of every command, and what clap itself refuses.

use super::world::{World, file, same};
use snapbox::{Redactions, str};

const COMMANDS: [&[&str]; 33] = [
    &[],
    &["user"],
    &["user", "add"],
    &["user", "show"],
    &["user", "list"],
    &["user", "set"],
    &["user", "set-password"],
    &["user", "disable"],
    &["user", "enable"],
    &["user", "delete"],
    &["user", "export"],
    &["user", "import"],
    &["session"],
    &["session", "list"],
    &["session", "end"],
    &["session", "end-all"],
    &["session", "revoke-token"],
    &["session", "end-everybody"],
    &["config"],
    &["config", "check"],
    &["config", "options"],
    &["route"],
    &["route", "test"],
    &["token"],
    &["token", "mint"],
    &["token", "inspect"],
    &["key"],
    &["key", "generate"],
    &["secret"],
    &["secret", "generate"],
    &["password"],
    &["password", "hash"],
    &["password", "check"],
];

#[test]
fn every_command_explains_itself() {
    let world = World::new();
    for command in COMMANDS.into_iter().chain([&["completions"][..]]) {
        let args: Vec<&str> = command.iter().copied().chain(["--help"]).collect();
        let run = world.good(&args, "");
        let is_group = run.out.contains("\nCommands:");
        assert!(is_group || run.out.contains("Example"), "{command:?} has no example");
        let name = if command.is_empty() { "tollgate".into() } else { command.join("-") };
        same(run.out, file(&format!("help-{name}.txt")), &Redactions::new());
    }
}

/// No command that `--help` lists is left out above.
#[test]
fn every_command_is_listed_above() {
    let world = World::new();
    for group in COMMANDS.iter().filter(|command| command.len() < 2) {
        let args: Vec<&str> = group.iter().copied().chain(["--help"]).collect();
        let help = world.good(&args, "").out;
        let listed = help.split_once("\nCommands:\n").map_or("", |(_, list)| list).split("\n\n").next().unwrap();
        for name in listed.lines().filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next()) {
            let known =
                COMMANDS.iter().any(|command| command.starts_with(group) && command.get(group.len()) == Some(&name));
            assert!(known || ["help", "completions"].contains(&name), "{group:?} {name}");
        }
    }
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let world = World::new();
    for args in [
        &["frobnicate"][..],
        &["user", "add"],
        &["user", "add", "a", "--local", "--remote"],
        &["user", "add", "a", "--password", "x"],
        &["user", "add", "a", "--attribute", "x"],
        &["token", "mint", "--id", "1", "--claim", "role=admin"],
        &["token", "mint", "--id", "1", "--expires", "soon"],
        &["secret", "generate", "--bytes", "8"],
        &["config", "check", "nowhere.toml"],
        &["route", "test", "GET", "api"],
        &["password", "check", "abcxyz"],
        &["user", "import", "nowhere.jsonl"],
    ] {
        let run = world.run(args, "");
        assert!(run.code == 2 && run.out.is_empty() && run.err.starts_with("error:"), "{args:?}: {run:?}");
    }
    // Natively, and as WASI numbers its errors.
    for code in ["(os error 2)", "(os error 44)"] {
        world.redact("[NOT_FOUND]", code);
    }
    world.run(&["config", "check", "nowhere.toml"], "").is(str![[r#"
exit 2
--- stderr
error: nowhere.toml: No such file or directory [NOT_FOUND]
 hint: run the command in the folder of your wrangler.toml (or wrangler.jsonc), or name the file: --config FILE

"#]]);
    world.run(&["token", "mint", "--id", "1", "--claim", "role=admin"], "").is(str![[r#"
exit 2
--- stderr
error: invalid value 'role=admin' for '--claim <NAME=JSON>': the value is not JSON; a string needs its own quotes: --claim 'role="…"'

For more information, try '--help'.

"#]]);
}

#[test]
fn completions_are_made_for_each_shell() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(world.good(&["completions", shell], "").out.contains("set-password"), "{shell}");
    }
}
