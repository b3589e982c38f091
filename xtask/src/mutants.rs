//! `cargo xtask mutants`: changes src/rules in one place after the other and runs the tests, which must fail. What none
//! of them notices survives: write a test for it, or accept it in .cargo/mutants.toml with the reason.

use crate::{
    step::{Failure, Root},
    tools::MUTANTS,
};

/// What is mutated when no path is given.
const RULES: &str = "src/rules";

/// Mutates these files and folders; with `--simulate` the simulation's histories are a part of the suite.
pub fn mutants(root: &Root, args: &[String]) -> Result<(), Failure> {
    let fail = |what: String, hint: &str| Failure::new("mutants", what, hint);
    let (options, mut paths): (Vec<&str>, Vec<&str>) =
        args.iter().map(String::as_str).partition(|arg| arg.starts_with('-'));
    if let Some(unknown) = options.iter().find(|option| **option != "--simulate") {
        return Err(fail(format!("no option {unknown}"), "mutants [--simulate] [PATH…]"));
    }
    if paths.is_empty() {
        paths.push(RULES);
    }
    let mut files = Vec::new();
    for path in paths {
        if !path.starts_with(RULES) || !root.join(path).exists() {
            return Err(fail(
                format!("{path} is no file or folder of {RULES}"),
                "name it from the root of the repository",
            ));
        }
        files.push(if root.join(path).is_dir() { format!("{path}/**/*.rs") } else { path.to_owned() });
    }
    let round = |options: &[&str]| {
        let mut command = MUTANTS.command(root)?;
        command.arg("mutants").arg("--output").arg(root.target()).args(options);
        command.args(files.iter().flat_map(|file| ["--file", file]));
        let run = command.status().map_err(|error| fail(error.to_string(), "can cargo-mutants be run?"))?;
        match run.code() {
            // 3: some ended in no time that was given, and all others were noticed. That is noticed too.
            Some(0 | 3) => Ok(true),
            Some(2) => Ok(false),
            _ => Err(fail(format!("cargo-mutants ended with {run}"), "see above, and target/mutants.out/log")),
        }
    };
    // The unit tests take a tenth of the whole suite's time and notice most. What they miss is tried again.
    if round(&["--cargo-arg=--lib"])? {
        return Ok(());
    }
    println!("the mutants that the unit tests missed, with the whole suite:");
    let whole =
        ["--iterate", "--cargo-arg=--package=conformance", "--cargo-arg=--lib", "--cargo-arg=--test=properties"];
    // The broken rules take a minute, and say nothing of the others.
    let simulation = ["--cargo-arg=--package=tollgate-simulate", "--", "--", "--skip", "broken_rules_are_found"];
    let simulation = if options.is_empty() { &[][..] } else { &simulation };
    if round(&[&whole[..], simulation].concat())? {
        return Ok(());
    }
    Err(fail(
        "the mutants listed as MISSED survived".into(),
        "write a test that fails for each, or accept it in .cargo/mutants.toml with the reason",
    ))
}
