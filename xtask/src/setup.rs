//! What a fresh machine lacks: the Wasm target, and the npm tools at their pinned versions.

use crate::step::{Failure, Root, Step, newer_than};
use std::{fs, process::Command};

const NPM_MARK: &str = "node_modules/.tollgate-set-up";

/// Sets up what is missing; quick if nothing is.
pub fn set_up(root: &Root) -> Result<(), Failure> {
    wasm_target(root)?;
    npm_tools(root)
}

/// The standard library for wasm32.
pub fn wasm_target(root: &Root) -> Result<(), Failure> {
    let name = "wasm target";
    let libdir = Command::new("rustc")
        .current_dir(root)
        .args(["--print", "target-libdir", "--target", "wasm32-unknown-unknown"])
        .output()
        .map_err(|error| {
            Failure::new(name, format!("rustc can't be run: {error}"), "install Rust: https://rustup.rs")
        })?;
    let libdir = String::from_utf8_lossy(&libdir.stdout).trim().to_owned();
    if fs::read_dir(libdir).is_ok_and(|mut files| files.next().is_some()) {
        return Ok(());
    }
    let step = Step::begin(format!("{name} (about 5 s)"));
    step.run(
        Command::new("rustup").current_dir(root).args(["target", "add", "wasm32-unknown-unknown"]),
        "install Rust with rustup (https://rustup.rs), or add the target in your system's own way",
    )?;
    step.done("");
    Ok(())
}

/// wrangler and the Node it needs, in node_modules.
pub fn npm_tools(root: &Root) -> Result<(), Failure> {
    let mark = root.join(NPM_MARK);
    if newer_than(&mark, &root.join("package-lock.json")) {
        return Ok(());
    }
    let step = Step::begin("npm tools: wrangler, workerd, Node (about 15 s)");
    step.run(
        Command::new("npm").current_dir(root).args(["ci", "--no-audit", "--no-fund", "--loglevel", "error"]),
        "is Node 18 or newer there, with npm? Is the npm registry reached? See what npm said above",
    )?;
    fs::write(mark, "").map_err(|error| step.fail(error.to_string(), "is the folder writable?"))?;
    step.done("");
    Ok(())
}
