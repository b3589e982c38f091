//! The store, through wrangler.
//!
//! **What always holds:** opening a store prints which one it is on standard error. Keys and values are passed to
//! wrangler in files that only this user can read, never as arguments, which everybody on the machine can read;
//! wrangler's log is beside them, and all are removed at the end. No wrangler is run that other users of the machine
//! could have placed in a folder above the project. Pairs of one call may be written in any order.

use crate::{
    failure::Failure,
    output::{remark, visible},
    system::{self, PrivateFolder, Program},
    trust,
    wrangler_config::{Passwords, Selection, WranglerConfig},
};
use serde::Serialize;
use serde_json::Value;
use std::{
    collections::HashMap,
    ffi::OsString,
    path::{Path, PathBuf},
};
use tollgate::rules::store::BINDING;

/// The options that choose the store.
#[derive(clap::Args)]
pub struct StoreArgs {
    /// Use the local store of `wrangler dev` (default)
    #[arg(long, conflicts_with = "remote")]
    local: bool,
    /// Use the store on Cloudflare
    #[arg(long)]
    remote: bool,
    #[command(flatten)]
    pub selection: Selection,
    /// Folder of the local store, as in wrangler's --persist-to
    #[arg(long, value_name = "DIR", conflicts_with = "remote")]
    persist_to: Option<PathBuf>,
}

impl StoreArgs {
    /// Whether it is the store on Cloudflare.
    pub fn is_remote(&self) -> bool {
        self.remote
    }

    /// The password options of this store's gate, without opening the store.
    pub fn passwords(&self) -> Result<Passwords, Failure> {
        WranglerConfig::read(&self.selection)?.passwords(self.remote)
    }
}

/// Names a program to run in place of wrangler, for tests and for installations elsewhere.
const PROGRAM_VARIABLE: &str = "TOLLGATE_WRANGLER";
/// Cloudflare's limit of pairs in one bulk write.
pub const MAX_PAIRS: usize = 10_000;
/// Cloudflare's limit of values in one bulk read.
const MAX_READS_REMOTE: usize = 100;

/// A pair in wrangler's form.
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
    files: PrivateFolder,
    /// The configuration that names the store.
    pub toml: WranglerConfig,
}

impl Store {
    /// Finds wrangler and prints which store will be used. Does not access the store.
    pub fn open(args: &StoreArgs) -> Result<Self, Failure> {
        let toml = WranglerConfig::read(&args.selection)?;
        let config = toml.path().to_owned();
        let Some((id, _)) = toml.kv_namespace(BINDING) else {
            return Err(Failure::rejected(
                format!("{}: no KV namespace with binding {BINDING:?}", toml.scope_place()),
                format!(
                    "add {} with binding = {BINDING:?}, or choose another environment with --env",
                    toml.list_heading("kv_namespaces")
                ),
            ));
        };
        let mut name = if args.remote {
            let namespace = if id.is_empty() { "that of the deployed worker" } else { &id };
            format!("REMOTE store of {} (namespace {namespace})", shown(&config))
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
        let files = PrivateFolder::new().map_err(|error| {
            Failure::usage(format!("no temporary folder: {error}"), "set TMPDIR to a folder that is writable")
        })?;
        let wrangler = Wrangler::find(&config)?;
        // The name is part of messages, where a line break in a path must not begin a line.
        let name = visible(&name).into_owned();
        remark(&format!("store: {name}"));
        Ok(Self { wrangler, common_args, remote: args.remote, name, files, toml })
    }

    /// The password options of this store's gate.
    pub fn passwords(&self) -> Result<Passwords, Failure> {
        self.toml.passwords(self.remote)
    }

    /// The store's name in messages, escaped.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The values of the keys that exist.
    pub fn get(&self, keys: &[String]) -> Result<HashMap<String, String>, Failure> {
        let mut values = HashMap::new();
        for part in keys.chunks(if self.remote { MAX_READS_REMOTE } else { MAX_PAIRS }) {
            let answer = self.bulk("get", part, &[])?;
            let Ok(Value::Object(found)) = serde_json::from_str(from_first(&answer, '{')) else {
                return Err(self.unknown_output("kv bulk get"));
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
                    _ => return Err(self.unknown_output("kv bulk get")),
                }
            }
        }
        Ok(values)
    }

    /// One value.
    pub fn get_one(&self, key: &str) -> Result<Option<String>, Failure> {
        Ok(self.get(&[key.to_owned()])?.remove(key))
    }

    /// Writes pairs, in unspecified order.
    pub fn put(&self, pairs: &[(String, String)]) -> Result<(), Failure> {
        for part in pairs.chunks(MAX_PAIRS) {
            let pairs: Vec<Pair<'_>> = part.iter().map(|(key, value)| Pair { key, value }).collect();
            self.bulk("put", &pairs, &[])?;
        }
        Ok(())
    }

    /// Writes one pair.
    pub fn put_one(&self, (key, value): (String, String)) -> Result<(), Failure> {
        self.put(&[(key, value)])
    }

    /// Removes a key. Succeeds if there is none.
    pub fn delete(&self, key: &str) -> Result<(), Failure> {
        self.bulk("delete", &[key], &["--force"]).map(drop)
    }

    /// Every key with the prefix.
    pub fn keys(&self, prefix: &str) -> Result<Vec<String>, Failure> {
        let mut args: Vec<OsString> = ["kv", "key", "list"].map(OsString::from).into();
        if !prefix.is_empty() {
            args.extend(["--prefix".into(), prefix.into()]);
        }
        let answer = self.call(&args)?;
        let Ok(Value::Array(list)) = serde_json::from_str(from_first(&answer, '[')) else {
            return Err(self.unknown_output("kv key list"));
        };
        Ok(list.iter().filter_map(|entry| entry.get("name")?.as_str()).map(str::to_owned).collect())
    }

    fn bulk<T: Serialize + ?Sized>(&self, verb: &str, content: &T, more: &[&str]) -> Result<String, Failure> {
        // In the folder, which is this user's alone (mode 0700).
        let file = self.files.path().join("bulk.json");
        std::fs::write(&file, serde_json::to_vec(content).unwrap_or_default()).map_err(|error| {
            Failure::usage(
                format!("{}: {error}", file.display()),
                "check that the disk is not full; TMPDIR chooses another folder",
            )
        })?;
        let mut args: Vec<OsString> = vec!["kv".into(), "bulk".into(), verb.into(), file.into_os_string()];
        args.extend(more.iter().map(OsString::from));
        self.call(&args)
    }

    /// Runs wrangler and returns its standard output.
    fn call(&self, args: &[OsString]) -> Result<String, Failure> {
        let output = system::run(Program {
            path: self.wrangler.program.clone(),
            args: [&self.wrangler.first_args, args, &self.common_args].concat(),
            env: vec![
                ("WRANGLER_SEND_METRICS", "false".into()),
                ("NO_UPDATE_NOTIFIER", "1".into()),
                ("NO_COLOR", "1".into()),
                ("WRANGLER_HIDE_BANNER", "true".into()),
                // The user may have set it to "error", and wrangler would print no keys.
                ("WRANGLER_LOG", "log".into()),
                ("FORCE_COLOR", "0".into()),
                ("WRANGLER_LOG_PATH", self.files.path().join("wrangler.log").into()),
            ],
            first_folder: self.wrangler.bin.clone(),
        })
        .map_err(|error| {
            Failure::store(
                format!("wrangler can't be run ({}): {error}", Path::new(&self.wrangler.program).display()),
                "install it with `npm ci`; it needs Node",
            )
        })?;
        if output.is_success {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let printed = [output.stderr, output.stdout].map(|text| String::from_utf8_lossy(&text).into_owned());
        let reason = reason(&printed.concat()).unwrap_or_else(|| format!("it ended with {}", output.status));
        Err(Failure::store(
            format!("{}: wrangler failed: {reason}", self.name),
            if self.remote {
                "check that `npx wrangler login` was run and that the namespace's id in the configuration is right, then run the command again"
            } else {
                "check that `npx wrangler kv key list --binding USERS --local` works here, then run the command again"
            },
        ))
    }

    fn unknown_output(&self, what: &str) -> Failure {
        Failure::store(
            format!("{}: the output of `wrangler {what}` has an unknown form", self.name),
            "install the version of wrangler that package.json names",
        )
    }
}

/// The command that runs wrangler.
struct Wrangler {
    program: OsString,
    first_args: Vec<OsString>,
    /// The folder of the program, which has Node too.
    bin: Option<PathBuf>,
}

impl Wrangler {
    fn new(program: impl Into<OsString>) -> Self {
        Self { program: program.into(), first_args: Vec::new(), bin: None }
    }

    /// The program named by `TOLLGATE_WRANGLER`, else that of the nearest node_modules (with the Node beside it), else
    /// npx.
    ///
    /// # Errors
    /// Other users could have placed the nearest one. Then npx is not run either, since it searches the same folders.
    fn find(config: &Path) -> Result<Self, Failure> {
        if let Some(program) = std::env::var_os(PROGRAM_VARIABLE).filter(|program| !program.is_empty()) {
            return Ok(Self::new(program));
        }
        let starts = [config.parent().map(Path::to_owned), std::env::current_dir().ok()];
        // Canonical paths on Windows (`\\?\C:\…`) can't be run by cmd.exe.
        let whole =
            |path: PathBuf| if cfg!(windows) { std::path::absolute(path) } else { system::canonicalize(&path) }.ok();
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
                return Ok(Self { bin: Some(bin), ..Self::new(program) });
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

/// Whether everybody who could have placed the program in a folder above `start` could write into `start` too.
/// Considers each folder on the path and the file that is run, with symbolic links resolved.
fn is_trusted(folder: &Path, bin: &Path, program: &Path, start: &Path) -> bool {
    let Ok(target) = system::canonicalize(program) else { return false };
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
            "install wrangler beside wrangler.toml: `npm install --save-dev wrangler` (after `npm init --yes` if there is no package.json); or name a program: {PROGRAM_VARIABLE}=PROGRAM"
        ),
    )
}

/// A path as shown: `./wrangler.toml` for a bare name, so that it is recognized as a file.
fn shown(path: &Path) -> String {
    let bare = path.parent().is_some_and(|parent| parent.as_os_str().is_empty());
    format!("{}{}", if bare { "./" } else { "" }, path.display())
}

/// The text from the first bracket on, since wrangler may print notes before the JSON.
fn from_first(text: &str, bracket: char) -> &str {
    text.find(bracket).map_or("", |at| &text[at..])
}

/// wrangler's error message in one line: what follows `[ERROR]`, else the last line.
fn reason(printed: &str) -> Option<String> {
    let plain = without_colours(printed);
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
