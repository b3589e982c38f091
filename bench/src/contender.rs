//! Who is measured: bundles them, and starts each in a workerd of its own.

use crate::{
    process::Cores,
    server::Server,
    tokens::{SECRET, Use},
};
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::{
    env, fmt, fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
};
use tollgate::rules::{account::object, revocation};

/// What is measured, and what it is measured against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contender {
    /// JavaScript that answers and verifies nothing.
    Floor,
    /// JavaScript that forwards and verifies nothing.
    FloorForward,
    /// hono without a gate.
    Hono,
    /// hono with its middleware for JWT.
    HonoJwt,
    /// jose's `jwtVerify`.
    Jose,
    /// workers-rs with jwt-compact.
    WorkersRs,
    /// This repository's worker, as it is deployed.
    Tollgate,
    /// Flask-JWT-Extended under gunicorn: not in workerd.
    Flask,
    /// PBKDF2 of `@noble/hashes`.
    Noble,
    /// PBKDF2 of `hash-wasm`.
    HashWasm,
    /// PBKDF2 of OpenSSL in Node: not in workerd.
    OpenSsl,
    /// PBKDF2 of OpenSSL through Python's hashlib, as a Flask app has it: not in workerd.
    Hashlib,
}

impl Contender {
    /// Those that answer `/protected` in workerd.
    pub const PROTECTED: [Self; 6] =
        [Self::Floor, Self::Hono, Self::HonoJwt, Self::Jose, Self::WorkersRs, Self::Tollgate];

    /// All that is bundled.
    const BUNDLED: [Self; 9] = [
        Self::Floor,
        Self::FloorForward,
        Self::Hono,
        Self::HonoJwt,
        Self::Jose,
        Self::WorkersRs,
        Self::Noble,
        Self::HashWasm,
        Self::OpenSsl,
    ];

    /// Its name in rows and of its files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::FloorForward => "floor-forward",
            Self::Hono => "hono",
            Self::HonoJwt => "hono-jwt",
            Self::Jose => "jose",
            Self::WorkersRs => "workers-rs",
            Self::Tollgate => "tollgate",
            Self::Flask => "flask",
            Self::Noble => "noble",
            Self::HashWasm => "hash-wasm",
            Self::OpenSsl => "openssl",
            Self::Hashlib => "hashlib",
        }
    }

    /// The word before the token.
    pub const fn prefix(self) -> &'static str {
        if matches!(self, Self::Tollgate) { "JWT" } else { "Bearer" }
    }

    /// The only right status of an answer.
    pub const fn status(self, tokens: Use) -> u16 {
        match (self, tokens) {
            (_, Use::Same | Use::Once | Use::Zipf) | (Self::Floor, Use::Forged) | (Self::Hono, _) => 200,
            (Self::Flask, Use::Forged) => 422,
            (_, Use::Forged | Use::None) => 401,
        }
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How Tollgate is configured; the others have nothing to set.
#[derive(Clone, Debug, Default)]
pub struct Setting {
    /// Variables over the usual ones.
    pub vars: Vec<(&'static str, String)>,
    /// So many rules in place of the usual two.
    pub rules: Option<usize>,
    /// Does it have its Durable Objects, and so sessions?
    pub has_objects: bool,
}

/// The path that the last of many rules is for.
pub const LAST_RULE: &str = "/v2/acme/last";

impl Setting {
    /// One variable.
    pub fn var(name: &'static str, value: &str) -> Self {
        Self { vars: vec![(name, value.to_owned())], ..Self::default() }
    }

    fn routes(&self) -> Value {
        let Some(count) = self.rules else {
            return json!([
                {"path": "/protected", "to": "identity"},
                {"path": "/api/*", "methods": ["*"], "to": "origin"},
            ]);
        };
        let rule = |number| match number % 4 {
            0 => format!("/v1/area{number}/list"),
            1 => format!("/files{number}/*"),
            2 => format!("/v2/{{tenant}}/things{number}"),
            _ => format!("/v3/{{tenant}}/area{number}/{{item}}"),
        };
        let paths = (1..count).map(rule).chain(["/v2/{tenant}/last".to_owned()]);
        paths.map(|path| json!({"path": path, "to": "identity"})).collect()
    }
}

/// Where everything lies, and how it is started.
pub struct Workshop {
    root: PathBuf,
    target: PathBuf,
    cores: Cores,
    origin: SocketAddr,
    flask: Option<PathBuf>,
    started: AtomicUsize,
}

impl Workshop {
    /// Finds the repository and divides the cores.
    ///
    /// # Errors
    /// If the origin can't be started.
    pub fn new() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("bench/ lies in the repository")?.to_owned();
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from).join("bench");
        let cores = Cores::divide();
        Ok(Self { root, target, cores, origin: crate::origin::start()?, flask: None, started: AtomicUsize::new(0) })
    }

    /// The repository.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the benchmark keeps what it makes.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Are servers kept apart from the load?
    pub const fn cores_are_divided(&self) -> bool {
        self.cores.are_divided()
    }

    /// workerd's own binary: `node_modules/.bin/workerd` may be a script.
    ///
    /// # Errors
    /// If it isn't installed.
    pub fn workerd(&self) -> Result<PathBuf> {
        let packages = self.root.join("node_modules/@cloudflare");
        fs::read_dir(&packages)?
            .filter_map(|package| Some(package.ok()?.path().join("bin/workerd")))
            .find(|binary| binary.is_file())
            .with_context(|| format!("no workerd in {}: npm ci", packages.display()))
    }

    /// A program of node_modules/.bin, run with the Node that lies there.
    pub fn npm(&self, name: &str) -> Command {
        let bin = self.root.join("node_modules/.bin");
        let mut paths = vec![bin.clone()];
        paths.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
        let mut command = Command::new(bin.join(name));
        command.current_dir(&self.root).env("WRANGLER_SEND_METRICS", "false").stdin(Stdio::null());
        if let Ok(paths) = env::join_paths(paths) {
            command.env("PATH", paths);
        }
        command
    }

    /// The folder of a contender's modules.
    pub fn folder(&self, contender: Contender) -> PathBuf {
        self.target.join(contender.name())
    }

    /// Makes all modules that run in workerd.
    ///
    /// # Errors
    /// If a tool fails.
    pub fn prepare(&self) -> Result<()> {
        for contender in Contender::BUNDLED {
            let folder = fresh(&self.folder(contender))?;
            if contender == Contender::HashWasm {
                let module = folder.join("sha256.wasm");
                run(self.npm("node").arg("bench/contenders/hash-wasm-module.mjs").arg(module))?;
            }
            let glue = self.target.join("workers-rs-build");
            if contender == Contender::WorkersRs {
                fs::copy(glue.join("tollgate_bg.wasm"), folder.join("tollgate_bg.wasm"))?;
            }
            let mut esbuild = self.npm("esbuild");
            esbuild
                .arg(format!("bench/contenders/{contender}.mjs"))
                .args(["--bundle", "--format=esm", "--target=es2024", "--log-level=warning"])
                .args(["--external:cloudflare:*", "--external:node:*", "--external:*.wasm"])
                .arg(if contender == Contender::OpenSsl {
                    "--platform=node"
                } else {
                    "--conditions=workerd,worker,browser"
                })
                .arg(format!("--alias:glue={}", glue.display()))
                .arg(format!("--outfile={}", folder.join("entry.js").display()));
            run(&mut esbuild)?;
        }
        let folder = fresh(&self.folder(Contender::Tollgate))?;
        for file in modules(&self.root.join("target/deploy"))? {
            fs::copy(&file, folder.join(file.file_name().unwrap_or_default()))?;
        }
        for helper in ["users", "orders", "cache"] {
            let folder = fresh(&self.target.join(helper))?;
            fs::copy(self.root.join(format!("bench/contenders/{helper}.mjs")), folder.join("entry.js"))?;
        }
        Ok(())
    }

    /// Makes the Flask application's virtual environment; says why not where it can't be made.
    pub fn prepare_flask(&mut self) {
        let venv = self.target.join("flask-venv");
        let (mark, wanted) = (venv.join("requirements.txt"), self.root.join("bench/contenders/flask/requirements.txt"));
        let make = || -> Result<()> {
            if fs::read(&mark).ok() == Some(fs::read(&wanted)?) {
                return Ok(());
            }
            let _ = fs::remove_dir_all(&venv);
            run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
            let mut pip = Command::new(venv.join("bin/python"));
            run(pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]).arg(&wanted))?;
            fs::copy(&wanted, &mark)?;
            Ok(())
        };
        match make() {
            Ok(()) => self.flask = Some(venv),
            Err(error) => eprintln!("      without Flask: {error:#}"),
        }
    }

    /// Is the Flask application there?
    pub const fn has_flask(&self) -> bool {
        self.flask.is_some()
    }

    /// Starts a contender.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start(&self, contender: Contender, setting: &Setting) -> Result<Server> {
        let server = match contender {
            Contender::Flask => self.start_flask(),
            Contender::OpenSsl => {
                let mut node = self.cores.server(&self.npm_binary("node"));
                Server::start({
                    node.arg(self.folder(contender).join("entry.js"));
                    node
                })
            }
            Contender::Hashlib => {
                let mut python = self.cores.server(Path::new("python3"));
                Server::start({
                    python.arg(self.root.join("bench/contenders/hashlib-openssl.py"));
                    python
                })
            }
            _ => {
                let number = self.started.fetch_add(1, Ordering::Relaxed);
                let config = self.folder(contender).join(format!("config-{number}.capnp"));
                let objects = match setting.has_objects {
                    true => Some(fresh(&self.objects_folder(number))?),
                    false => None,
                };
                fs::write(&config, self.config(contender, setting, objects.as_deref())?)?;
                let mut workerd = self.cores.server(&self.workerd()?);
                workerd.args(["serve", "--control-fd=1"]).arg(&config);
                let server = match objects {
                    Some(folder) => Server::start_with_objects(workerd, folder),
                    None => Server::start(workerd),
                };
                let _ = fs::remove_file(config);
                server
            }
        };
        server.with_context(|| format!("starting {contender}"))
    }

    /// Where objects store: in memory if there is such a folder. workerd waits for the disk in the thread that serves
    /// everything, which would be measured in place of the gate; Cloudflare's storage is elsewhere.
    fn objects_folder(&self, number: usize) -> PathBuf {
        let memory = Path::new("/dev/shm");
        match memory.is_dir() {
            true => memory.join(format!("tollgate-bench-{}-{number}", std::process::id())),
            false => self.target.join(format!("objects-{number}")),
        }
    }

    fn npm_binary(&self, name: &str) -> PathBuf {
        self.root.join("node_modules/.bin").join(name)
    }

    fn start_flask(&self) -> Result<Server> {
        let Some(venv) = &self.flask else { bail!("it isn't installed") };
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let mut gunicorn = self.cores.server(&venv.join("bin/gunicorn"));
        gunicorn
            .current_dir(self.root.join("bench/contenders/flask"))
            .env("JWT_SECRET_KEY", SECRET)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            // Threads, because gunicorn's plain workers keep no connection.
            .args(["--workers", "3", "--threads", "8", "--keep-alive", "60", "--log-level", "warning", "--bind"])
            .arg(format!("127.0.0.1:{port}"))
            .arg("app:app");
        Server::start_at(gunicorn, port)
    }

    /// workerd's configuration. The objects are in a worker of their own, of the same code, as they are mostly
    /// elsewhere in production; what they store lies in the folder `objects`.
    fn config(&self, contender: Contender, setting: &Setting, objects: Option<&Path>) -> Result<String> {
        let text = |name: &str, value: &str| format!("(name = {}, text = {})", quoted(name), quoted(value));
        let mut bindings = vec![text("JWT_SECRET_KEY", SECRET), text("ORIGIN", &format!("http://{}", self.origin))];
        if contender == Contender::Tollgate {
            bindings.push(format!("(name = \"ROUTES\", json = {})", quoted(&setting.routes().to_string())));
            bindings.push("(name = \"USERS\", kvNamespace = \"users\")".to_owned());
            bindings.extend(setting.vars.iter().map(|(name, value)| text(name, value)));
        }
        let classes = [(object::BINDING, "Account"), (revocation::BINDING, "Revocations")];
        let bound = classes.map(|(binding, class)| {
            format!(
                "(name = \"{binding}\", durableObjectNamespace = (className = \"{class}\", serviceName = \"objects\"))"
            )
        });
        if objects.is_some() {
            bindings.extend(bound.clone());
        }
        let modules = modules(&self.folder(contender))?
            .iter()
            .map(|path| {
                let name = quoted(&path.file_name().unwrap_or_default().to_string_lossy());
                let kind =
                    if path.extension().is_some_and(|extension| extension == "wasm") { "wasm" } else { "esModule" };
                format!("(name = {name}, {kind} = embed {name})")
            })
            .collect::<Vec<_>>()
            .join(",\n    ");
        let records = fs::read_to_string(self.root.join("tests/e2e/users.json"))?;
        let records: Value = serde_json::from_str(&records)?;
        let date = self.compatibility_date()?;
        let bindings = bindings.join(",\n    ");
        let helper = |name: &str, bindings: &str| {
            format!(
                "const {name} :Workerd.Worker = (
  modules = [(name = \"entry.js\", esModule = embed \"../{name}/entry.js\")],
  compatibilityDate = \"{date}\",
  bindings = [{bindings}],
);
"
            )
        };
        let mut services = String::new();
        let mut workers = helper("users", &format!("(name = \"RECORDS\", json = {})", quoted(&records.to_string())));
        let (mut socket, mut cache) = ("", "");
        if let Some(folder) = objects {
            services = format!(
                "
    (name = \"objects\", worker = .objects),
    (name = \"orders\", worker = .orders),
    (name = \"cache\", worker = .cache),
    (name = \"disk\", disk = (path = {}, writable = true)),",
                quoted(&folder.to_string_lossy())
            );
            socket = "
    (name = \"orders\", address = \"127.0.0.1:0\", http = (), service = \"orders\"),";
            cache = "
  cacheApiOutbound = \"cache\",";
            let namespaces = classes.map(|(binding, class)| {
                format!("(className = \"{class}\", uniqueKey = \"{binding}\", enableSql = true)")
            });
            workers.push_str(&helper("orders", &bound.join(", ")));
            workers.push_str(&helper("cache", ""));
            workers.push_str(&format!(
                "const objects :Workerd.Worker = (
  modules = [
    {modules}
  ],
  compatibilityDate = \"{date}\",
  bindings = [
    {bindings}
  ],
  durableObjectNamespaces = [{}],
  durableObjectStorage = (localDisk = \"disk\"),
  globalOutbound = \"internet\",
);
",
                namespaces.join(", ")
            ));
        }
        Ok(format!(
            "using Workerd = import \"/workerd/workerd.capnp\";
const config :Workerd.Config = (
  services = [
    (name = \"main\", worker = .main),
    (name = \"users\", worker = .users),{services}
    (name = \"internet\", network = (allow = [\"public\", \"private\"])),
  ],
  sockets = [{socket}
    (name = \"http\", address = \"127.0.0.1:0\", http = (), service = \"main\"),
  ],
);
const main :Workerd.Worker = (
  modules = [
    {modules}
  ],
  compatibilityDate = \"{date}\",
  bindings = [
    {bindings}
  ],
  globalOutbound = \"internet\",{cache}
);
{workers}"
        ))
    }

    /// That of wrangler.toml.
    fn compatibility_date(&self) -> Result<String> {
        let text = fs::read_to_string(self.root.join("wrangler.toml"))?;
        let date = text.lines().find_map(|line| line.strip_prefix("compatibility_date = \"")?.strip_suffix('"'));
        Ok(date.context("wrangler.toml has no compatibility_date")?.to_owned())
    }
}

/// A text as capnp reads it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

/// The modules in a folder, the entry first.
///
/// # Errors
/// If there is no entry.
pub fn modules(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut modules: Vec<PathBuf> = fs::read_dir(folder)
        .with_context(|| format!("{} isn't built", folder.display()))?
        .filter_map(|file| Some(file.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "js" || extension == "wasm"))
        .collect();
    modules.sort_by_key(|path| (!path.ends_with("entry.js"), path.clone()));
    ensure!(!modules.is_empty(), "{} has no modules", folder.display());
    Ok(modules)
}

fn fresh(folder: &Path) -> Result<PathBuf> {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder)?;
    Ok(folder.to_owned())
}

/// Runs a tool to its end; what it wrote is told if it fails.
///
/// # Errors
/// If it fails.
pub fn run(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_owned();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{} can't be run", name.display()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        output.status.success(),
        "{} ended with {}: {text}{}",
        name.display(),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(text)
}
