//! What needs the rules natively. `cargo xtask` calls it.

use std::{path::Path, process::ExitCode};
use tollgate::rules::{config::options, identity::Id, password, secret::Secret, store};
use tools::{
    native::Native,
    replay::{self, Player},
    workerd::Workerd,
};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("demo-users") => {
            println!("{}", demo_users());
            ExitCode::SUCCESS
        }
        Some("docs") => {
            match std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/options.md"), options::page()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    eprintln!("error: docs/options.md: {error}");
                    ExitCode::FAILURE
                }
            }
        }
        Some("replay") if args.len() > 1 => replay(&args[1..]),
        _ => {
            eprintln!("error: tools demo-users | docs | replay [--workerd] FILE…");
            ExitCode::from(2)
        }
    }
}

/// `user1` and `user2`, password `abcxyz`, ids 1 and 2: what `wrangler kv bulk put` takes, in the order of the writes.
fn demo_users() -> String {
    let mut all = Vec::new();
    for (id, name) in [(1, "user1"), (2, "user2")] {
        let mut salt = [0; password::SALT_BYTES];
        getrandom::fill(&mut salt).expect("randomness");
        let hash = password::hash(&Secret::new("abcxyz".to_owned()), password::DEFAULT_ITERATIONS, salt);
        for (key, value) in store::writes_for(&Id::Int(id), name, &hash) {
            all.push(serde_json::json!({"key": key, "value": value}));
        }
    }
    serde_json::Value::from(all).to_string()
}

/// Replays files; fails if a case differs in a way that no row of the table of differences allows.
fn replay(args: &[String]) -> ExitCode {
    let (options, files): (Vec<&String>, Vec<&String>) = args.iter().partition(|arg| arg.starts_with("--"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let outcome = match options.iter().map(|option| option.as_str()).collect::<Vec<_>>()[..] {
        [] => all(&files, &mut Native),
        ["--workerd"] => Workerd::start(&root).and_then(|mut workerd| all(&files, &mut workerd)),
        _ => Err("the only option is --workerd".into()),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Were all files free of mismatches?
fn all<P: Player>(files: &[&String], player: &mut P) -> Result<bool, String> {
    let mut good = true;
    for file in files {
        let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
        let tally = replay::file(&text, player).map_err(|error| format!("{file}: {error}"))?;
        for (name, reason) in &tally.left_out {
            println!("LEFT OUT {name}: {reason}");
        }
        for mismatch in &tally.mismatches {
            println!("{mismatch}");
        }
        println!("{file}: {tally}");
        good &= tally.mismatches.is_empty();
    }
    Ok(good)
}
