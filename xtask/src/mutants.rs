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
    let mut command = MUTANTS.command(root)?;
    command.arg("mutants").arg("--output").arg(root.target());
    for path in paths {
        if !path.starts_with(RULES) || !root.join(path).exists() {
            return Err(fail(
                format!("{path} is no file or folder of {RULES}"),
                "name it from the root of the repository",
            ));
        }
        command.arg("--file").arg(if root.join(path).is_dir() { format!("{path}/**/*.rs") } else { path.to_owned() });
    }
    if !options.is_empty() {
        // The broken rules take a minute, and say nothing of the others.
        command.args(["--cargo-arg=--package=tollgate-simulate", "--", "--", "--skip", "broken_rules_are_found"]);
    }
    match command.status() {
        // 3: some ended in no time that was given, and all others were noticed. That is noticed too.
        Ok(status) if matches!(status.code(), Some(0 | 3)) => Ok(()),
        Ok(status) if status.code() == Some(2) => Err(fail(
            "the mutants listed as MISSED survived".into(),
            "write a test that fails for each, or accept it in .cargo/mutants.toml with the reason",
        )),
        Ok(status) => Err(fail(format!("cargo-mutants ended with {status}"), "see above, and target/mutants.out/log")),
        Err(error) => Err(fail(error.to_string(), "can cargo-mutants be run?")),
    }
}
