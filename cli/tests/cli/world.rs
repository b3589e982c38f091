//! A folder with a configuration and a store, and the command run in it.

use snapbox::{Assert, Data, IntoData, Redactions, assert::DEFAULT_ACTION_ENV};
use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Mutex,
};

/// The key in `.dev.vars` of every world.
pub const KEY: &str = "a secret of more than thirty-two bytes";

/// A password hash of Tollgate's own, with 100,000 iterations.
pub const HASH: &str =
    "$pbkdf2-sha256$i=100000,l=32$AAECAwQFBgcICQoLDA0ODw$xYyWrTM2tCBat8E4dOBxs3zhTtlVhedc/87e39xoeJo";

const CONFIG: &str = r#"compatibility_flags = ["enable_request_signal"]
main = "worker/entry.mjs"
compatibility_date = "2026-11-01"
preview_urls = false
[[kv_namespaces]]
binding = "USERS"
id = "0123456789abcdef0123456789abcdef"

[assets]
directory = "public"
binding = "ASSETS"
run_worker_first = true
html_handling = "none"

[vars]
ORIGIN = "https://app.example.com"
# So that tests are quick.
TOLLGATE_PASSWORD_ITERATIONS = 100000

[[vars.ROUTES]]
path = "/protected"
to = "identity"
user = "stored"

[[vars.ROUTES]]
path = "/*"
auth = "none"
to = "assets"

[[vars.ROUTES]]
path = "/api/*"
methods = ["GET", "POST"]
to = "origin"

[[durable_objects.bindings]]
name = "ACCOUNTS"
class_name = "Account"

[[durable_objects.bindings]]
name = "REVOCATIONS"
class_name = "Revocations"

[[migrations]]
tag = "v1"
new_sqlite_classes = ["Account", "Revocations"]

[[ratelimits]]
name = "LOGINS_BY_ADDRESS"
namespace_id = "1001"
simple = { limit = 30, period = 60 }

[[ratelimits]]
name = "HASHING"
namespace_id = "1002"
simple = { limit = 600, period = 60 }
"#;

pub struct World {
    folder: tempfile::TempDir,
    redactions: Mutex<Redactions>,
}

/// The result of a run.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub out: String,
    pub err: String,
    redactions: Redactions,
}

impl Run {
    /// Compares exit code, standard output and standard error; a stream that is not in `expected` must be empty.
    /// `SNAPSHOTS=overwrite` writes what the run printed into the test.
    #[track_caller]
    pub fn is(&self, expected: impl IntoData) {
        let mut text = format!("exit {}\n", self.code);
        for (name, stream) in
            [("stdout", &self.out), ("stderr", &self.err)].into_iter().filter(|(_, it)| !it.is_empty())
        {
            text += &format!("--- {name}\n{stream}");
        }
        same(text, expected, &self.redactions);
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl World {
    pub fn new() -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap(), redactions: Mutex::default() };
        world.write("wrangler.toml", CONFIG);
        world.write(".dev.vars", &format!("JWT_SECRET_KEY={KEY}\n"));
        world
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: &str) {
        std::fs::write(self.path(name), content).unwrap();
    }

    /// Compares as if runs from now on printed `placeholder` in place of `text`.
    pub fn redact(&self, placeholder: &'static str, text: &str) {
        self.redactions.lock().unwrap().insert(placeholder, text.to_owned()).unwrap();
    }

    /// Replaces a text of the configuration.
    pub fn config(&self, from: &str, to: &str) {
        let config = std::fs::read_to_string(self.path("wrangler.toml")).unwrap();
        assert!(config.contains(from), "{from}");
        self.write("wrangler.toml", &config.replace(from, to));
    }

    /// The command, to be run in this folder.
    pub fn command(&self, args: &[&str]) -> Command {
        let exe = Path::new(env!("CARGO_BIN_EXE_tollgate"));
        let fake = exe.with_file_name("examples").join(format!("fake_wrangler{}", std::env::consts::EXE_SUFFIX));
        assert!(fake.exists(), "{} is not built: run `cargo test -p tollgate-cli` as a whole", fake.display());
        // The command of the npm package, if it is named (docs/decisions/019-npm-package.md).
        let mut command = match std::env::var_os("TOLLGATE_NODE_COMMAND") {
            Some(program) => {
                let mut node = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../node_modules/.bin/node"));
                node.arg(program);
                node
            }
            None => Command::new(exe),
        };
        command
            .args(args)
            .current_dir(self.folder.path())
            .env("TOLLGATE_WRANGLER", fake)
            .env("FAKE_WRANGLER_STORE", self.path("store"))
            .env("COLUMNS", "100")
            .env_remove("NO_COLOR")
            .env_remove("TOLLGATE_GATE")
            .env_remove("npm_command")
            .env_remove("CLOUDFLARE_ENV")
            .env_remove("TOLLGATE_ADMIN_SECRET")
            .env_remove("TOLLGATE_PASSWORD_PEPPERS")
            .env_remove("TOLLGATE_PASSWORD_PEPPER")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub fn run(&self, args: &[&str], input: &str) -> Run {
        self.finish(self.command(args), input)
    }

    pub fn finish(&self, mut command: Command, input: &str) -> Run {
        let mut child = command.spawn().unwrap();
        // A command that reads nothing may have ended already.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        Run {
            code: output.status.code().expect("not killed"),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
            redactions: self.redactions.lock().unwrap().clone(),
        }
    }

    /// Runs the command, which must succeed.
    pub fn good(&self, args: &[&str], input: &str) -> Run {
        let run = self.run(args, input);
        assert_eq!(run.code, 0, "{args:?}: {run:?}");
        run
    }

    /// Writes to the store directly.
    pub fn put(&self, key: &str, value: &str) {
        let mut store = std::fs::OpenOptions::new().create(true).append(true).open(self.path("store")).unwrap();
        store.write_all(format!("{}\n", serde_json::json!([key, value])).as_bytes()).unwrap();
    }

    /// The record under a key, which must be there.
    pub fn value(&self, key: &str) -> serde_json::Value {
        serde_json::from_str(self.store().get(key).unwrap_or_else(|| panic!("no {key}"))).unwrap()
    }

    /// The password hash in a user's log-in record.
    pub fn hash(&self, name: &str) -> String {
        self.value(&format!("login:{name}"))["hash"].as_str().unwrap().to_owned()
    }

    /// The keys of the store with their values.
    pub fn store(&self) -> BTreeMap<String, String> {
        let mut values = BTreeMap::new();
        for line in std::fs::read_to_string(self.path("store")).unwrap_or_default().lines() {
            match serde_json::from_str::<(String, Option<String>)>(line).unwrap() {
                (key, Some(value)) => _ = values.insert(key, value),
                (key, None) => _ = values.remove(&key),
            }
        }
        values
    }

    /// The keys of all writes in order, with `-` before a removed one.
    pub fn writes(&self) -> Vec<String> {
        let line = |line: &str| {
            let (key, value) = serde_json::from_str::<(String, Option<String>)>(line).unwrap();
            if value.is_some() { key } else { format!("-{key}") }
        };
        std::fs::read_to_string(self.path("store")).unwrap_or_default().lines().map(line).collect()
    }

    /// The calls of wrangler since the last call of this.
    pub fn calls(&self) -> Vec<String> {
        let path = self.path("store.calls");
        let calls = std::fs::read_to_string(&path).unwrap_or_default();
        let _ = std::fs::remove_file(path);
        calls.lines().map(str::to_owned).collect()
    }
}

/// The time in milliseconds since 1970.
pub fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// `tests/snapshots/NAME`, for texts that are too long for a test.
pub fn file(name: &str) -> Data {
    Data::read_from(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots").join(name), None)
}

#[track_caller]
pub fn same(text: String, expected: impl IntoData, redactions: &Redactions) {
    // Paths are not normalized: a backslash is part of an escape here.
    let assert = Assert::new().action_env(DEFAULT_ACTION_ENV).normalize_paths(false).redact_with(redactions.clone());
    assert.eq(text, expected);
}
