//! The store, through wrangler.
//!
//! **What always holds:** whoever opens it is told on standard error which store it is. Keys and values go to wrangler
//! in files that only this user can read, never as arguments, which everybody on the machine can; wrangler's own log
//! lies beside them, and all are removed at the end. No wrangler is run that other users of the machine could have
//! placed in a folder above the project. Order is the caller's: what one call puts may arrive in any order.

use crate::{
    failure::Failure,
    output::{remark, visible},
    trust,
    wrangler_config::{Passwords, Selection, WranglerConfig},
};
use serde::Serialize;
use serde_json::Value;
use std::{
    collections::HashMap,
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use tempfile::TempDir;
use tollgate::rules::store::BINDING;

/// Which store.
#[derive(clap::Args)]
pub struct StoreArgs {
    /// The local store of `wrangler dev` (what is meant if you say nothing)
    #[arg(long, conflicts_with = "remote")]
    local: bool,
    /// The store on Cloudflare
    #[arg(long)]
    remote: bool,
    #[command(flatten)]
    pub selection: Selection,
    /// The folder of the local store, as wrangler's --persist-to
    #[arg(long, value_name = "DIR", conflicts_with = "remote")]
    persist_to: Option<PathBuf>,
}

impl StoreArgs {
    /// Is it the one on Cloudflare?
    pub fn is_remote(&self) -> bool {
        self.remote
    }

    /// What the gate of this store is told about passwords, before it is opened.
    pub fn passwords(&self) -> Result<Passwords, Failure> {
        WranglerConfig::read(&self.selection)?.passwords(self.remote)
    }
}

/// A program to run in wrangler's place: for tests, and for those who keep it elsewhere.
const PROGRAM_VARIABLE: &str = "TOLLGATE_WRANGLER";
/// Cloudflare takes no more pairs in one bulk call.
pub const MOST_PAIRS: usize = 10_000;
/// Cloudflare gives no more values in one bulk call.
const MOST_READS_REMOTE: usize = 100;

/// As wrangler takes it.
#[derive(Serialize)]
struct Pair<'p> {
    key: &'p str,
    value: &'p str,
}

/// The namespace `USERS`.
pub struct Store {
    wrangler: Wrangler,
    common_args: Vec<OsString>,
    remote: bool,
    name: String,
    files: TempDir,
    /// The configuration beside it.
    pub toml: WranglerConfig,
}

impl Store {
    /// Finds wrangler and says which store it will be. Nothing is asked of the store yet.
    pub fn open(args: &StoreArgs) -> Result<Self, Failure> {
        let toml = WranglerConfig::read(&args.selection)?;
        let config = toml.path().to_owned();
        let Some((id, _)) = toml.kv_namespace(BINDING) else {
            return Err(Failure::refused(
                format!("{}: no KV namespace with binding {BINDING:?}", toml.scope_place()),
                format!("write [[kv_namespaces]] with binding = {BINDING:?} there, in the environment that you mean"),
            ));
        };
        let mut name = if args.remote {
            format!("REMOTE store of {} (namespace {id})", shown(&config))
        } else {
            format!("local store of {}", shown(&config))
        };
        let mut common_args: Vec<OsString> = vec!["--binding".into(), BINDING.into()];
        common_args.push(if args.remote { "--remote" } else { "--local" }.into());
        common_args.extend(["--config".into(), config.clone().into_os_string()]);
        if let Some(env) = args.selection.env() {
            name += &format!(", environment {env}");
            common_args.extend(["--env".into(), env.into()]);
        }
        if let Some(dir) = &args.persist_to {
            name += &format!(", in {}", dir.display());
            common_args.extend(["--persist-to".into(), dir.into()]);
        }
        let files = tempfile::Builder::new().prefix("tollgate-").tempdir().map_err(|error| {
            Failure::usage(format!("no folder for temporary files: {error}"), "set TMPDIR to one that is writable")
        })?;
        let wrangler = Wrangler::find(&config)?;
        // The name is part of messages, where a line break in a path must not begin a line.
        let name = visible(&name).into_owned();
        remark(&format!("store: {name}"));
        Ok(Self { wrangler, common_args, remote: args.remote, name, files, toml })
    }

    /// What the gate of this store is told about passwords.
    pub fn passwords(&self) -> Result<Passwords, Failure> {
        self.toml.passwords(self.remote)
    }

    /// In words, as it was told.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The values of those keys that have one.
    pub fn get(&self, keys: &[String]) -> Result<HashMap<String, String>, Failure> {
        let mut values = HashMap::new();
        for part in keys.chunks(if self.remote { MOST_READS_REMOTE } else { MOST_PAIRS }) {
            let answer = self.bulk("get", part, &[])?;
            let Ok(Value::Object(found)) = serde_json::from_str(from_first(&answer, '{')) else {
                return Err(self.not_understood("kv bulk get"));
            };
            for (key, value) in found {
                // The local store gives { "value": … }, Cloudflare the value itself.
                let value = match value {
                    Value::Object(mut entry) => entry.remove("value").unwrap_or_default(),
                    value => value,
                };
                match value {
                    Value::String(text) => _ = values.insert(key, text),
                    Value::Null => {}
                    _ => return Err(self.not_understood("kv bulk get")),
                }
            }
        }
        Ok(values)
    }

    /// One value.
    pub fn get_one(&self, key: &str) -> Result<Option<String>, Failure> {
        Ok(self.get(&[key.to_owned()])?.remove(key))
    }

    /// Writes pairs, in no order that one can rely on.
    pub fn put(&self, pairs: &[(String, String)]) -> Result<(), Failure> {
        for part in pairs.chunks(MOST_PAIRS) {
            let pairs: Vec<Pair<'_>> = part.iter().map(|(key, value)| Pair { key, value }).collect();
            self.bulk("put", &pairs, &[])?;
        }
        Ok(())
    }

    /// Writes one pair.
    pub fn put_one(&self, (key, value): (String, String)) -> Result<(), Failure> {
        self.put(&[(key, value)])
    }

    /// Removes a key, whether it is there or not.
    pub fn delete(&self, key: &str) -> Result<(), Failure> {
        self.bulk("delete", &[key], &["--force"]).map(drop)
    }

    /// Every key that begins so; with an empty prefix every key.
    pub fn keys(&self, prefix: &str) -> Result<Vec<String>, Failure> {
        let mut args: Vec<OsString> = ["kv", "key", "list"].map(OsString::from).into();
        if !prefix.is_empty() {
            args.extend(["--prefix".into(), prefix.into()]);
        }
        let answer = self.call(&args)?;
        let Ok(Value::Array(list)) = serde_json::from_str(from_first(&answer, '[')) else {
            return Err(self.not_understood("kv key list"));
        };
        Ok(list.iter().filter_map(|entry| entry.get("name")?.as_str()).map(str::to_owned).collect())
    }

    fn bulk<T: Serialize + ?Sized>(&self, verb: &str, content: &T, more: &[&str]) -> Result<String, Failure> {
        // In the folder, which is this user's alone (mode 0700).
        let file = self.files.path().join("bulk.json");
        std::fs::write(&file, serde_json::to_vec(content).unwrap_or_default()).map_err(|error| {
            Failure::usage(format!("{}: {error}", file.display()), "is there room on the disk? TMPDIR names another")
        })?;
        let mut args: Vec<OsString> = vec!["kv".into(), "bulk".into(), verb.into(), file.into_os_string()];
        args.extend(more.iter().map(OsString::from));
        self.call(&args)
    }

    /// Runs wrangler to its end; what it printed.
    fn call(&self, args: &[OsString]) -> Result<String, Failure> {
        let mut command = Command::new(&self.wrangler.program);
        command
            .args(&self.wrangler.first_args)
            .args(args)
            .args(&self.common_args)
            .envs([("WRANGLER_SEND_METRICS", "false"), ("NO_UPDATE_NOTIFIER", "1"), ("NO_COLOR", "1")])
            .envs([("WRANGLER_HIDE_BANNER", "true"), ("FORCE_COLOR", "0")])
            .env("WRANGLER_LOG_PATH", self.files.path().join("wrangler.log"))
            .stdin(Stdio::null());
        if let Some(path) = &self.wrangler.search_path {
            command.env("PATH", path);
        }
        let output = command.output().map_err(|error| {
            Failure::store(
                format!("wrangler can't be run ({}): {error}", Path::new(&self.wrangler.program).display()),
                "`npm ci` installs it; Node must be there too",
            )
        })?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = [output.stderr, output.stdout].map(|text| String::from_utf8_lossy(&text).into_owned());
        let reason = reason(&said.concat()).unwrap_or_else(|| format!("it ended with {}", output.status));
        Err(Failure::store(
            format!("{}: wrangler failed: {reason}", self.name),
            if self.remote {
                "is `npx wrangler login` done, and the namespace's id in the configuration right? Then run it again"
            } else {
                "does `npx wrangler kv key list --binding USERS --local` work here? Then run it again"
            },
        ))
    }

    fn not_understood(&self, what: &str) -> Failure {
        Failure::store(
            format!("{}: the answer of `wrangler {what}` is not of the form known here", self.name),
            "take the version of wrangler that package.json names",
        )
    }
}

/// How wrangler is run.
struct Wrangler {
    program: OsString,
    first_args: Vec<OsString>,
    /// `PATH` for it, where it is another one.
    search_path: Option<OsString>,
}

impl Wrangler {
    fn new(program: impl Into<OsString>) -> Self {
        Self { program: program.into(), first_args: Vec::new(), search_path: None }
    }

    /// The program that `TOLLGATE_WRANGLER` names, that of the nearest node_modules (with the Node that lies beside
    /// it), or else npx.
    ///
    /// # Errors
    /// The nearest one lies in a folder in which other users could have placed it. Then npx is not run either: it looks
    /// in the same folders.
    fn find(config: &Path) -> Result<Self, Failure> {
        if let Some(program) = std::env::var_os(PROGRAM_VARIABLE).filter(|program| !program.is_empty()) {
            return Ok(Self::new(program));
        }
        let starts = [config.parent().map(Path::to_owned), std::env::current_dir().ok()];
        // Canonical paths on Windows (`\\?\C:\…`) can't be run by cmd.exe.
        let whole = |path: PathBuf| if cfg!(windows) { std::path::absolute(path) } else { path.canonicalize() }.ok();
        let starts: Vec<PathBuf> = starts.into_iter().flatten().filter_map(whole).collect();
        let name = if cfg!(windows) { "wrangler.cmd" } else { "wrangler" };
        for start in &starts {
            for folder in start.ancestors() {
                let bin = folder.join("node_modules").join(".bin");
                let program = bin.join(name);
                if !program.exists() {
                    continue;
                }
                if folder != start && !is_trusted(folder, &bin, &program, start) {
                    return Err(untrusted(&program));
                }
                let inherited = std::env::var_os("PATH").unwrap_or_default();
                let path = std::iter::once(bin).chain(std::env::split_paths(&inherited));
                return Ok(Self { search_path: std::env::join_paths(path).ok(), ..Self::new(program) });
            }
        }
        // npx takes the nearest folder above with one of these as its project: its packages, and its .npmrc, which
        // names the registry.
        if let Some(start) = starts.last() {
            let project = start
                .ancestors()
                .find(|folder| ["package.json", "node_modules"].iter().any(|name| folder.join(name).exists()));
            if let Some(folder) = project.filter(|folder| *folder != start)
                && !trust::is_at_least_as_private(&[folder], start)
            {
                return Err(untrusted(folder));
            }
        }
        let npx = if cfg!(windows) { "npx.cmd" } else { "npx" };
        Ok(Self { first_args: vec!["wrangler".into()], ..Self::new(npx) })
    }
}

/// Whether a program of a folder above `start` was placed there by somebody who could have placed one in `start` too.
/// What counts is who may write into each folder on the way, and into the file that is run, behind symbolic links.
fn is_trusted(folder: &Path, bin: &Path, program: &Path, start: &Path) -> bool {
    let Ok(target) = program.canonicalize() else { return false };
    let modules = folder.join("node_modules");
    let mut paths = vec![folder, &modules, bin, &target];
    // From the file up to its node_modules; the folder above that is the first of the list, unless a link leads
    // elsewhere.
    let around = target.ancestors().skip(1);
    let mut is_last = false;
    paths.extend(around.take_while(|path| !std::mem::replace(&mut is_last, path.ends_with("node_modules"))));
    trust::is_at_least_as_private(&paths, start)
}

fn untrusted(path: &Path) -> Failure {
    Failure::store(
        format!(
            "wrangler is not run: other users of this machine can write to {} or to a folder on its path",
            path.display()
        ),
        format!(
            "install wrangler in the project, beside wrangler.toml: `npm install --save-dev wrangler`, after `npm init --yes` if it has no package.json; or name a program: {PROGRAM_VARIABLE}=PROGRAM"
        ),
    )
}

/// `./wrangler.toml` for a bare name, so that it is seen that a file is meant.
fn shown(path: &Path) -> String {
    let bare = path.parent().is_some_and(|parent| parent.as_os_str().is_empty());
    format!("{}{}", if bare { "./" } else { "" }, path.display())
}

/// Something may be printed before the JSON.
fn from_first(text: &str, bracket: char) -> &str {
    text.find(bracket).map_or("", |at| &text[at..])
}

/// What wrangler gives as its error, in one line.
fn reason(said: &str) -> Option<String> {
    let plain = without_colours(said);
    let error = plain.lines().find_map(|line| line.split_once("[ERROR]").map(|(_, error)| error.trim().to_owned()));
    error.or_else(|| plain.lines().map(str::trim).rfind(|line| !line.is_empty()).map(str::to_owned))
}

/// Without terminal escapes (`ESC [ … m`).
fn without_colours(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        plain.push_str(before);
        rest = after.split_once('m').map_or("", |(_, rest)| rest);
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wranglers_error_is_found_among_its_colours() {
        let said = "\u{1b}[31m✘ \u{1b}[41;31m[\u{1b}[41;97mERROR\u{1b}[41;31m]\u{1b}[0m \u{1b}[1mNo KV namespace.\u{1b}[0m\n\n\n🪵  Logs were written\n";
        assert_eq!(reason(said).as_deref(), Some("No KV namespace."));
        assert_eq!(reason("\nnot found\n\n").as_deref(), Some("not found"));
        assert_eq!(reason("\n"), None);
    }
}
