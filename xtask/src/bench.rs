//! `cargo xtask bench`: builds the contenders, then runs the package `bench`, which measures them.

use crate::{
    build::{self, Flavour},
    setup,
    step::{Failure, Root},
};
use std::process::Command;

/// Builds Tollgate and the contender on workers-rs, and runs the benchmark with the arguments.
pub fn bench(root: &Root, args: &[String]) -> Result<(), Failure> {
    if !args.iter().any(|arg| arg == "--help" || arg == "-h") {
        setup::set_up(root)?;
        build::deployable(root)?;
        build::build(root, Flavour::WorkersRs)?;
    }
    // In the caller's folder, so that relative paths in the arguments are relative to that folder.
    let mut command = Command::new(root.cargo());
    command
        .args(["run", "--locked", "--quiet", "--profile", "load", "--package", "bench", "--manifest-path"])
        .arg(root.join("Cargo.toml"))
        .arg("--")
        .args(args);
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(Failure::new("bench", "a part of it failed", "see above")),
        Err(error) => Err(Failure::new("bench", error.to_string(), "can cargo be run?")),
    }
}
