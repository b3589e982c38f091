//! Set-up of a machine: the Wasm targets, and the npm tools at their pinned versions.

use crate::step::{Failure, Root, Step, newer_than};
use std::{fs, process::Command};

const NPM_MARK: &str = "node_modules/.tollgate-set-up";

/// Rust's target for the worker.
pub const WORKER: &str = "wasm32-unknown-unknown";
/// Rust's target for the command in Node.
pub const COMMAND: &str = "wasm32-wasip1";

/// Installs what is missing to build and run the worker.
pub fn set_up(root: &Root) -> Result<(), Failure> {
    wasm_target(root, WORKER)?;
    npm_tools(root)
}

/// Installs the standard library for a target if it is missing.
pub fn wasm_target(root: &Root, target: &str) -> Result<(), Failure> {
    let name = format!("target {target}");
    let libdir = Command::new("rustc")
        .current_dir(root)
        .args(["--print", "target-libdir", "--target", target])
        .output()
        .map_err(|error| {
            Failure::new(&name, format!("rustc can't be run: {error}"), "install Rust: https://rustup.rs")
        })?;
    let libdir = String::from_utf8_lossy(&libdir.stdout).trim().to_owned();
    if fs::read_dir(libdir).is_ok_and(|mut files| files.next().is_some()) {
        return Ok(());
    }
    let step = Step::begin(format!("{name} (about 5 s)"));
    step.run(
        Command::new("rustup").current_dir(root).args(["target", "add", target]),
        "install Rust with rustup (https://rustup.rs), or add the target in your system's own way",
    )?;
    step.done("");
    Ok(())
}

/// Installs wrangler and the Node that it needs in node_modules, if package-lock.json has changed.
pub fn npm_tools(root: &Root) -> Result<(), Failure> {
    let mark = root.join(NPM_MARK);
    if newer_than(&mark, &root.join("package-lock.json")) {
        return Ok(());
    }
    let step = Step::begin("npm tools: wrangler, workerd, Node (about 15 s)");
    step.run(
        Command::new("npm").current_dir(root).args(["ci", "--no-audit", "--no-fund", "--loglevel", "error"]),
        "is Node 18 or newer installed, with npm? Can the npm registry be reached? npm's output is above",
    )?;
    fs::write(mark, "").map_err(|error| step.fail(error.to_string(), "is the folder writable?"))?;
    step.done("");
    Ok(())
}

/// A browser for the test of the first page: an installed one, or Debian's, or the one that playwright downloads.
pub fn browser(root: &Root) -> Result<(), Failure> {
    const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];
    let is_there = || {
        let paths = std::env::var_os("PATH").unwrap_or_default();
        std::env::var_os("CHROMIUM").is_some()
            || std::env::split_paths(&paths).any(|folder| NAMES.iter().any(|name| folder.join(name).is_file()))
    };
    if is_there() {
        return Ok(());
    }
    let step = Step::begin("a browser (about 1 min)");
    if !from_debian("chromium") {
        let hint = "install Chromium, or set CHROMIUM to its path";
        step.run(root.npm_command("playwright-core").args(["install", "chromium-headless-shell"]), hint)?;
    }
    step.done("");
    Ok(())
}

/// Installs pip, for the test with PyJWT, if it is missing.
pub fn pip() -> Result<(), Failure> {
    let is_there = || {
        let pip = Command::new("python3").args(["-m", "pip", "--version"]).output();
        pip.is_ok_and(|output| output.status.success())
    };
    if is_there() {
        return Ok(());
    }
    let step = Step::begin("pip (about 20 s)");
    if !from_debian("python3-pip") {
        return Err(step.fail("there is no python3 with pip", "install Python 3 with pip"));
    }
    step.done("");
    Ok(())
}

/// Installs a package with apt-get. Returns `false` if that is not Debian's or needs more rights.
fn from_debian(package: &str) -> bool {
    let apt = |args: &[&str]| {
        let mut command = Command::new("apt-get");
        let status = command.env("DEBIAN_FRONTEND", "noninteractive").args(args).stdout(std::io::stderr()).status();
        status.is_ok_and(|status| status.success())
    };
    apt(&["update", "-qq"]) && apt(&["install", "-y", "-qq", "--no-install-recommends", package])
}
