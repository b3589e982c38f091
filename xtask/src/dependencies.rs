//! Steps of `cargo xtask test` about what the repository depends on: licences, duplicates, sources, known
//! vulnerabilities, and the oldest Rust that compiles it.

use crate::{
    step::{Failure, Root, Step},
    tools::DENY,
};
use std::process::Command;

/// Licences, duplicates, wildcards and sources, by deny.toml.
pub fn dependencies(root: &Root) -> Result<u32, Failure> {
    let mut deny = DENY.command(root)?;
    let step = Step::begin("dependencies: licences, duplicates, sources");
    let hint = "choose another crate, or allow it in deny.toml with the reason";
    step.output(deny.args(["--locked", "--workspace", "check", "licenses", "bans", "sources"]), hint)?;
    step.done("");
    Ok(0)
}

/// Known vulnerabilities of the dependencies, where the database can be fetched.
pub fn advisories(root: &Root) -> Result<u32, Failure> {
    let mut fetch = DENY.command(root)?;
    let step = Step::begin("advisories");
    let fetched = fetch.args(["--locked", "fetch", "db"]).output();
    if !fetched.is_ok_and(|output| output.status.success()) {
        step.not_run(
            "the database (github.com/RustSec/advisory-db) can't be reached: whether dependencies have known \
             vulnerabilities, are unmaintained or were withdrawn is not checked",
        );
        return Ok(0);
    }
    let mut check = DENY.command(root)?;
    let args = ["--locked", "--workspace", "check", "--disable-fetch", "advisories"];
    step.output(check.args(args), "cargo update, or another crate; deny.toml has what is accepted, with the reason")?;
    step.done("none");
    Ok(0)
}

/// `rust-version` in Cargo.toml: no dependency asks for more, and the library and the command compile with it.
///
/// That no newer function of the standard library is called is what clippy's `incompatible_msrv` looks after.
pub fn rust_version(root: &Root) -> Result<u32, Failure> {
    let step = Step::begin("rust-version: dependencies");
    let hint = "is Cargo.lock up to date?";
    let text = step
        .standard_output(&mut root.cargo_command(["metadata", "--locked", "--quiet", "--format-version", "1"]), hint)?;
    let metadata: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| step.fail(error.to_string(), hint))?;
    let packages = metadata["packages"].as_array().cloned().unwrap_or_default();
    let declared = |package: &serde_json::Value| package["rust_version"].as_str().map(str::to_owned);
    let ours = packages.iter().find(|package| package["name"] == "tollgate").and_then(declared);
    let ours = ours.ok_or_else(|| step.fail("tollgate has none", "Cargo.toml: [workspace.package]"))?;
    let newer: Vec<String> = packages
        .iter()
        .filter_map(|package| Some((declared(package)?, package)))
        .filter(|(version, _)| numbers(version) > numbers(&ours))
        .map(|(version, package)| format!("{} {} needs {version}", package["name"], package["version"]))
        .collect();
    if !newer.is_empty() {
        let hint = "raise rust-version in Cargo.toml, or take an older version of the dependency";
        return Err(step.fail(format!("rust-version is {ours}: {}", newer.join(", ")), hint));
    }
    step.done(&format!("none of {} packages needs more than {ours}", packages.len()));

    let step = Step::begin(format!("rust-version: cargo check with Rust {ours}"));
    let Some(toolchain) = toolchain(&ours) else {
        step.not_run(&format!(
            "Rust {ours} is not installed (`rustup toolchain install {ours}`): whether it compiles the library and \
             the command is not checked"
        ));
        return Ok(0);
    };
    // A folder of its own, so that the two toolchains don't undo each other's work.
    let check = ["check", "--locked", "--quiet", "--package", "tollgate", "--package", "tollgate-cli", "--target-dir"];
    let mut command = Command::new("rustup");
    command.current_dir(root).args(["run", &toolchain, "cargo"]).args(check).arg(root.target().join("rust-version"));
    // Set by the cargo that runs this, for its own toolchain.
    command.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO").env_remove("RUSTC");
    step.run(&mut command, "do without what is newer, or raise rust-version in Cargo.toml")?;
    step.done("");
    Ok(0)
}

/// The toolchain of this version, `1.91` or `1.91.N`, as rustup names it.
fn toolchain(version: &str) -> Option<String> {
    let output = Command::new("rustup").args(["toolchain", "list", "--quiet"]).output().ok()?;
    let list = String::from_utf8_lossy(&output.stdout).into_owned();
    let is_it = |name: &&str| {
        let number = name.split('-').next().unwrap_or_default();
        number == version || number.strip_prefix(version).is_some_and(|rest| rest.starts_with('.'))
    };
    list.lines().filter_map(|line| line.split_whitespace().next()).find(is_it).map(str::to_owned)
}

/// `1.91` is `[1, 91, 0]`.
fn numbers(version: &str) -> [u32; 3] {
    let mut numbers = version.split('.').map_while(|number| number.parse().ok());
    std::array::from_fn(|_| numbers.next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert!(numbers("1.100") > numbers("1.91"));
        assert!(numbers("1.91.1") > numbers("1.91"));
        assert!(numbers("1.89.0") < numbers("1.91"));
        assert_eq!(numbers("1.91.0"), numbers("1.91"));
    }
}
