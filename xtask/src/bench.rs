//! `cargo xtask bench`: builds what is measured, then lets the package `bench` measure it.

use crate::{
    build::{self, Flavour},
    setup,
    step::{Failure, Root},
};
use std::process::Command;

/// Builds the contenders and passes the arguments on.
pub fn bench(root: &Root, args: &[String]) -> Result<(), Failure> {
    if !args.iter().any(|arg| arg == "--help" || arg == "-h") {
        setup::set_up(root)?;
        build::deployable(root)?;
        build::build(root, Flavour::WorkersRs)?;
    }
    // Not in the repository's folder: files are named from where the caller stands.
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
