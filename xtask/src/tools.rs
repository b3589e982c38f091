//! Cargo's own tools that steps need: the one on PATH, else a pinned one, installed below target/tools.

use crate::step::{Failure, Root, Step};
use std::{path::PathBuf, process::Command};

/// A program `cargo-…` of crates.io.
pub struct Tool {
    name: &'static str,
    /// What is installed where PATH has none.
    version: &'static str,
    /// To install it, on two cores.
    usual: &'static str,
}

/// Judges the dependencies by deny.toml.
pub const DENY: Tool = Tool { name: "cargo-deny", version: "0.20.2", usual: "3 min" };
/// Changes the rules to see whether a test notices.
pub const MUTANTS: Tool = Tool { name: "cargo-mutants", version: "27.1.0", usual: "1 min" };

impl Tool {
    /// The program, which is installed first if need be.
    ///
    /// # Errors
    /// If it can't be installed.
    pub fn find(&self, root: &Root) -> Result<PathBuf, Failure> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let file = format!("{}{}", self.name, std::env::consts::EXE_SUFFIX);
        if let Some(found) = std::env::split_paths(&path).map(|folder| folder.join(&file)).find(|file| file.is_file()) {
            return Ok(found);
        }
        // The version is in the folder's name: a new one is installed beside it.
        let package = format!("{}@{}", self.name, self.version);
        let folder = root.target().join("tools").join(&package);
        let found = folder.join("bin").join(&file);
        if !found.is_file() {
            let step = Step::begin(format!("{package}, installed in target/tools (about {})", self.usual));
            // Unoptimised: it runs for seconds, and optimising takes minutes.
            let mut install = root.cargo_command(["install", "--locked", "--quiet", "--profile", "dev", &package]);
            let hint = format!("is crates.io reached? `cargo install --locked {package}` puts it on PATH for good");
            install.arg("--root").arg(folder).env_remove("CARGO_TARGET_DIR").env("CARGO_PROFILE_DEV_DEBUG", "0");
            step.run(&mut install, &hint)?;
            step.done("");
        }
        Ok(found)
    }

    /// The program, run in the repository.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub fn command(&self, root: &Root) -> Result<Command, Failure> {
        let mut command = Command::new(self.find(root)?);
        command.current_dir(root);
        Ok(command)
    }
}
