//! `cargo xtask simulate`: random histories of accounts, revocations and stale stores (the package
//! `tollgate-simulate`).

use crate::step::{Failure, Root, Step};
use std::process::Command;

/// The number of histories in `cargo xtask test`.
const HISTORIES: &str = "100000";
/// The seed of that run, always the same.
const SEED: &str = "1";

/// Runs the package `tollgate-simulate` with these arguments.
pub fn simulate(root: &Root, args: &[String]) -> Result<(), Failure> {
    match command(root, args).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(Failure::new("simulate", "it failed", "see above")),
        Err(error) => Err(Failure::new("simulate", error.to_string(), "can cargo be run?")),
    }
}

/// The step of `cargo xtask test`: histories with intact rules, then with each rule broken.
pub fn test(root: &Root) -> Result<(), Failure> {
    for (name, args) in [
        ("simulation", ["--histories", HISTORIES, "--seed", SEED]),
        ("simulation, with each rule broken", ["--break", "all", "--seed", SEED]),
    ] {
        let step = Step::begin(name);
        let hint = format!("cargo xtask simulate {} shows it alone", args.join(" "));
        let output = step.standard_output(&mut command(root, &args.map(str::to_owned)), &hint)?;
        step.done(output.lines().last().unwrap_or_default());
    }
    Ok(())
}

fn command(root: &Root, args: &[String]) -> Command {
    let mut command =
        root.cargo_command(["run", "--locked", "--quiet", "--profile", "load", "--package", "tollgate-simulate"]);
    command.arg("--").args(args);
    command
}
