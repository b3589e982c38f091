//! Chores that need the rules natively, as commands that `cargo xtask` calls.

use conformance::{
    common_passwords,
    engines::{self, Outcome},
    errors, jsonc,
    native::Native,
    player::Player,
    replay, tidy, typescript, vectors,
    workerd::Workerd,
};
use std::{path::Path, process::ExitCode};
use tollgate::rules::{
    config::options,
    identity::Id,
    password::{self, Hashing},
    secret::Secret,
    store,
};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("demo-users") => {
            println!("{:#}", demo_users());
            ExitCode::SUCCESS
        }
        Some("docs") => match write_docs(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::FAILURE
            }
        },
        Some("common-passwords") if [1, 3].contains(&args.len()) => {
            let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
            match common_passwords::write(&root, args.get(1..3)) {
                Ok(summary) => {
                    println!("{summary}");
                    ExitCode::SUCCESS
                }
                Err(error) => {
                    eprintln!("error: {error}");
                    ExitCode::FAILURE
                }
            }
        }
        Some("replay") if args.len() > 1 => replay(&args[1..]),
        Some("tidy") if args.len() == 1 => tidy(),
        Some("vectors") if args.len() == 2 => vectors(Path::new(&args[1])),
        Some("vectors") if args.len() == 3 && args[1] == "--workerd" => engines(Path::new(&args[2])),
        _ => {
            eprintln!(
                "error: conformance demo-users | docs | common-passwords [DJANGO BURNETT] | replay [--workerd] FILE… | tidy | vectors [--workerd] DIR"
            );
            ExitCode::from(2)
        }
    }
}

/// `user1` and `user2`, password `abcxyz`, in the form of `wrangler kv bulk put` and in the order of the writes:
/// xtask/demo-users.json. The ids are strings, because imported users of a Flask application have the ids 1 and 2.
fn demo_users() -> serde_json::Value {
    let mut all = Vec::new();
    for (id, name) in [("demo-1", "user1"), ("demo-2", "user2")] {
        let mut salt = [0; password::SALT_BYTES];
        getrandom::fill(&mut salt).expect("randomness");
        let hash = password::hash(&Secret::new("abcxyz".to_owned()), &Hashing::default(), salt);
        for (key, value) in store::writes_for(&Id::Text(id.to_owned()), name, &hash) {
            all.push(serde_json::json!({"key": key, "value": value}));
        }
    }
    all.into()
}

/// Replays files. Fails if a case differs in a way that no row of the table of differences allows.
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

/// Prints every finding of [`tidy::look`]. Fails if there is one.
fn tidy() -> ExitCode {
    match tidy::look(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")) {
        Ok(found) if found.is_empty() => ExitCode::SUCCESS,
        Ok(found) => {
            found.iter().for_each(|line| println!("{line}"));
            eprintln!("error: {} findings\n hint: each line says what to write", found.len());
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the test vectors of a folder. Fails if one is wrong or none is found.
fn vectors(folder: &Path) -> ExitCode {
    let tallies = match vectors::folder(folder) {
        Ok(tallies) if tallies.is_empty() => Err(format!("{}: no file with known test vectors", folder.display())),
        other => other,
    };
    match tallies {
        Ok(tallies) => {
            for (name, tally) in &tallies {
                println!("{name}: {tally}");
                for wrong in &tally.wrong {
                    println!("  WRONG {wrong}");
                }
            }
            let sum =
                |count: fn(&vectors::Tally) -> usize| tallies.iter().map(|(_, tally)| count(tally)).sum::<usize>();
            let documented = sum(|tally| tally.documented.values().sum());
            let (right, wrong) = (sum(|tally| tally.right), sum(|tally| tally.wrong.len()));
            println!("{right} right, {documented} refused for a documented reason, {wrong} wrong");
            if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Holds the engine of workerd against the one in Rust. Fails if an answer differs or no signature was right.
fn engines(folder: &Path) -> ExitCode {
    match engines::compare(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), folder) {
        Ok(Outcome { same, signed, different }) => {
            different.iter().for_each(|line| println!("DIFFERENT {line}"));
            println!("{same} the same, of them {signed} with a right signature, {} different", different.len());
            if different.is_empty() && signed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Replays files and prints the results. `false` if there is a mismatch.
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

/// Writes what the documentation has from the code, and the configurations in both forms.
fn write_docs(root: &Path) -> Result<(), String> {
    let write =
        |name: &str, text: String| std::fs::write(root.join(name), text).map_err(|error| format!("{name}: {error}"));
    write("docs/options.md", options::page())?;
    write("docs/errors.md", errors::page())?;
    write("worker/wrangler.schema.json", options::schema_text())?;
    let read = |name: &str| std::fs::read_to_string(root.join(name)).map_err(|error| format!("{name}: {error}"));
    write("docs/typescript.md", typescript::page(read)?)?;
    for page in jsonc::PAGES {
        let text = read(page)?;
        write(page, jsonc::with_jsonc(&text).map_err(|error| format!("{page}: {error}"))?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use tollgate::rules::{login, store::LoginRecord};

    /// Asserts that the records of a file are as the current version writes them, for users with these ids and the
    /// password `abcxyz`.
    fn assert_current(file: &str, ids: [Id; 2]) {
        let kept: Vec<serde_json::Value> = serde_json::from_str(file).unwrap();
        assert_eq!(kept.len(), 4);
        for ((id, name), pair) in ids.iter().zip(["user1", "user2"]).zip(kept.chunks(2)) {
            let record = LoginRecord::read(pair[1]["value"].as_str().unwrap().as_bytes()).unwrap();
            let hash = password::PasswordHash::parse(record.hash()).unwrap();
            let writes = store::writes_for(id, name, &hash);
            let writes: Vec<_> = writes.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
            assert_eq!(pair, writes);
            let password = Secret::new("abcxyz".to_owned());
            let checked = password::check(Some(record.hash()), &password, &Hashing::default());
            let verdict = login::judge(Some(&record), checked);
            assert!(!verdict.outdated);
            assert_eq!(&verdict.identity.unwrap().id, id);
        }
    }

    #[test]
    fn demo_users_have_text_ids_current_records_and_the_known_password() {
        let ids = ["demo-1", "demo-2"].map(|id| Id::Text(id.to_owned()));
        assert_current(include_str!("../../xtask/demo-users.json"), ids.clone());
        assert_current(&demo_users().to_string(), ids);
    }

    #[test]
    fn users_of_the_end_to_end_tests_have_ids_1_and_2() {
        assert_current(include_str!("../../tests/e2e/users.json"), [1, 2].map(Id::Int));
    }
}
