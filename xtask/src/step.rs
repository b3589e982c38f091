//! Steps of long work: each prints its name and duration; a failure names the step and what to do.

use std::{
    ffi::OsStr,
    fmt,
    ops::Deref,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, PoisonError},
    time::Instant,
};

/// What was not checked in this run, and why: [`Step::not_run`].
static NOT_RUN: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// The repository.
pub struct Root(PathBuf);

impl Root {
    /// The folder that contains xtask.
    pub fn find() -> Self {
        Self(Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the repository").to_owned())
    }

    /// The cargo that runs this program.
    pub fn cargo(&self) -> PathBuf {
        std::env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from)
    }

    /// Cargo's target folder.
    pub fn target(&self) -> PathBuf {
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| self.join("target"), PathBuf::from)
    }

    /// A program of node_modules/.bin.
    pub fn npm_bin(&self, name: &str) -> PathBuf {
        self.join("node_modules/.bin").join(name)
    }

    /// A cargo command in the repository.
    pub fn cargo_command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(self.cargo());
        command.current_dir(self).args(args);
        command
    }

    /// A command that runs a program of node_modules/.bin with the Node in that folder.
    pub fn npm_command(&self, name: &str) -> Command {
        let mut path = vec![self.join("node_modules/.bin")];
        path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
        let mut command = Command::new(self.npm_bin(name));
        command
            .current_dir(self)
            .env("PATH", std::env::join_paths(path).expect("paths without separators"))
            .env("WRANGLER_SEND_METRICS", "false")
            .env("NO_UPDATE_NOTIFIER", "1");
        command
    }
}

impl Deref for Root {
    type Target = Path;
    fn deref(&self) -> &Path {
        &self.0
    }
}

impl AsRef<Path> for Root {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

/// A failure: the step, what happened, and what to do.
pub struct Failure {
    step: String,
    what: String,
    hint: String,
}

impl Failure {
    pub fn new(step: impl Into<String>, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { step: step.into(), what: what.into(), hint: hint.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}: {}\n hint: {}", self.step, self.what.trim_end(), self.hint)
    }
}

/// A step that takes seconds or more.
pub struct Step {
    name: String,
    began: Instant,
}

impl Step {
    pub fn begin(name: impl Into<String>) -> Self {
        let name = name.into();
        eprintln!("  ... {name}");
        Self { name, began: Instant::now() }
    }

    /// Runs a command to its end, and shows its output.
    pub fn run(&self, command: &mut Command, hint: &str) -> Result<(), Failure> {
        // Standard output is for results; the output of tools goes to standard error.
        let status = command.stdin(Stdio::null()).stdout(std::io::stderr()).status();
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(self.fail(format!("{} ended with {status}", program(command)), hint)),
            Err(error) => Err(self.fail(format!("{} can't be run: {error}", program(command)), hint)),
        }
    }

    /// Runs a command to its end and returns its output, which is shown only if the command fails.
    pub fn output(&self, command: &mut Command, hint: &str) -> Result<String, Failure> {
        let output = command.stdin(Stdio::null()).stderr(Stdio::piped()).output();
        match output {
            Ok(output) if output.status.success() => {
                let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
                text.push_str(&String::from_utf8_lossy(&output.stderr));
                Ok(text)
            }
            Ok(output) => {
                eprint!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
                Err(self.fail(format!("{} ended with {}", program(command), output.status), hint))
            }
            Err(error) => Err(self.fail(format!("{} can't be run: {error}", program(command)), hint)),
        }
    }

    /// Runs a command to its end and returns its standard output; its standard error is shown.
    pub fn standard_output(&self, command: &mut Command, hint: &str) -> Result<String, Failure> {
        let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
        match output {
            Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            Ok(output) => {
                eprint!("{}", String::from_utf8_lossy(&output.stdout));
                Err(self.fail(format!("{} ended with {}", program(command), output.status), hint))
            }
            Err(error) => Err(self.fail(format!("{} can't be run: {error}", program(command)), hint)),
        }
    }

    pub fn fail(&self, what: impl Into<String>, hint: impl Into<String>) -> Failure {
        Failure::new(self.name.clone(), what, hint)
    }

    pub fn done(self, remark: &str) {
        let remark = if remark.is_empty() { String::new() } else { format!(": {remark}") };
        eprintln!("   ok {} ({:.1} s){remark}", self.name, self.began.elapsed().as_secs_f64());
    }

    /// Ends a step that lacks something outside the repository: neither passed nor failed.
    pub fn not_run(self, why: &str) {
        eprintln!("   -- {}: NOT RUN: {why}", self.name);
        NOT_RUN.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{}: {why}", self.name));
    }
}

/// The steps that were not run so far, each with the reason.
pub fn not_run() -> Vec<String> {
    NOT_RUN.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn program(command: &Command) -> String {
    Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Whether `made` exists and is not older than `from`.
pub fn newer_than(made: &Path, from: &Path) -> bool {
    let time = |path: &Path| path.metadata().and_then(|meta| meta.modified());
    matches!((time(made), time(from)), (Ok(made), Ok(from)) if made >= from)
}
