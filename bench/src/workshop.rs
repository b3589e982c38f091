//! Bundles the contenders, and starts each in a workerd of its own.

use crate::{
    contender::{Contender, Setting},
    objects, origin,
    process::Cores,
    server::Server,
    tokens::SECRET,
};
use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use serde_json::Value;
use std::{
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
};
use tollgate::rules::{account::object, revocation};

/// The repository's files, and how servers are started from them.
pub struct Workshop {
    /// The repository.
    pub root: PathBuf,
    /// The folder for everything that the benchmark makes, `bench` in Cargo's target folder.
    pub target: PathBuf,
    /// Which cores the servers run on.
    pub cores: Cores,
    origin: SocketAddr,
    /// The virtual environment of the Flask application, if there is one.
    pub flask: Option<PathBuf>,
    started: AtomicUsize,
}

impl Workshop {
    /// Finds the repository, starts the origin and divides the cores.
    pub fn new() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("bench/ lies in the repository")?.to_owned();
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from).join("bench");
        let cores = Cores::divide();
        Ok(Self { root, target, cores, origin: origin::start()?, flask: None, started: AtomicUsize::new(0) })
    }

    /// The binary of workerd: `node_modules/.bin/workerd` may be a script that starts it.
    pub fn workerd(&self) -> Result<PathBuf> {
        let packages = self.root.join("node_modules/@cloudflare");
        fs::read_dir(&packages)?
            .filter_map(|package| Some(package.ok()?.path().join("bin/workerd")))
            .find(|binary| binary.is_file())
            .with_context(|| format!("no workerd in {}: run `npm ci`", packages.display()))
    }

    /// A program of node_modules/.bin, which finds the Node of that folder first.
    pub fn npm(&self, name: &str) -> Result<Command> {
        let bin = self.root.join("node_modules/.bin");
        let mut command = Command::new(bin.join(name));
        let path = env::var_os("PATH").unwrap_or_default();
        command
            .current_dir(&self.root)
            .env("WRANGLER_SEND_METRICS", "false")
            .env("PATH", env::join_paths(std::iter::once(bin).chain(env::split_paths(&path)))?);
        Ok(command)
    }

    /// The modules of a contender or helper as they are uploaded, the entry first.
    pub fn modules(&self, name: &str) -> Result<Vec<PathBuf>> {
        modules(&self.target.join(name))
    }

    /// Makes the modules of everything that runs in workerd.
    pub fn prepare(&self) -> Result<()> {
        let contenders = self.root.join("bench/contenders");
        let glue = self.target.join("workers-rs-build");
        for &contender in Contender::value_variants().iter().filter(|contender| contender.is_bundled()) {
            let folder = fresh(&self.target.join(contender.to_string()))?;
            if contender == Contender::HashWasm {
                let module = folder.join("sha256.wasm");
                run(self.npm("node")?.arg(contenders.join("hash-wasm-module.mjs")).arg(module))?;
            }
            if contender == Contender::WorkersRs {
                fs::copy(glue.join("tollgate_bg.wasm"), folder.join("tollgate_bg.wasm"))?;
            }
            let platform = match contender {
                Contender::OpenSsl => "--platform=node",
                _ => "--conditions=workerd,worker,browser",
            };
            run(self
                .npm("esbuild")?
                .arg(contenders.join(format!("{contender}.mjs")))
                .args(["--bundle", "--format=esm", "--target=es2024", "--log-level=warning", platform])
                .args(["--external:cloudflare:*", "--external:node:*", "--external:*.wasm"])
                .arg(format!("--alias:glue={}", glue.display()))
                .arg(format!("--outfile={}", folder.join("entry.js").display())))?;
        }
        let folder = fresh(&self.target.join(Contender::Tollgate.to_string()))?;
        for file in modules(&self.root.join("target/deploy"))? {
            fs::copy(&file, folder.join(file.file_name().unwrap_or_default()))?;
        }
        let folder = fresh(&self.target.join(Contender::Package.to_string()))?;
        let config = contenders.join("package/wrangler.toml");
        run(self.npm("wrangler")?.args(["deploy", "--dry-run", "--config"]).arg(config).arg("--outdir").arg(folder))?;
        for helper in ["users", "orders", "cache"] {
            let folder = fresh(&self.target.join(helper))?;
            fs::copy(contenders.join(format!("{helper}.mjs")), folder.join("entry.js"))?;
        }
        Ok(())
    }

    /// Installs the Flask application in a virtual environment, or says on standard error why it can't be.
    pub fn prepare_flask(&mut self) {
        let venv = self.target.join("flask-venv");
        // A copy of the requirements in the environment shows that they are installed.
        let (mark, wanted) = (venv.join("requirements.txt"), self.root.join("bench/contenders/flask/requirements.txt"));
        let install = || -> Result<()> {
            if fs::read(&mark).ok() == Some(fs::read(&wanted)?) {
                return Ok(());
            }
            run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
            let mut pip = Command::new(venv.join("bin/python"));
            run(pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]).arg(&wanted))?;
            fs::copy(&wanted, &mark)?;
            Ok(())
        };
        match install() {
            Ok(()) => self.flask = Some(venv),
            Err(error) => eprintln!("      without Flask: {error:#}"),
        }
    }

    /// Starts a contender.
    pub fn start(&self, contender: Contender, setting: &Setting) -> Result<Server> {
        let start = || match contender {
            Contender::Flask => self.start_flask(),
            Contender::OpenSsl => {
                let mut node = self.cores.server(&self.root.join("node_modules/.bin/node"));
                node.arg(self.target.join("openssl/entry.js"));
                Server::start(node, None)
            }
            Contender::Hashlib => {
                let mut python = self.cores.server(Path::new("python3"));
                python.arg(self.root.join("bench/contenders/hashlib-openssl.py"));
                Server::start(python, None)
            }
            _ => self.start_workerd(contender, setting),
        };
        start().with_context(|| format!("starting {contender}"))
    }

    fn start_flask(&self) -> Result<Server> {
        let venv = self.flask.as_ref().context("it isn't installed")?;
        let mut gunicorn = self.cores.server(&venv.join("bin/gunicorn"));
        gunicorn
            .current_dir(self.root.join("bench/contenders/flask"))
            .env("JWT_SECRET_KEY", SECRET)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .arg("app:app");
        Server::start(gunicorn, None)
    }

    fn start_workerd(&self, contender: Contender, setting: &Setting) -> Result<Server> {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        // In memory if possible: workerd waits for the disk in the thread that serves everything, so the disk would be
        // measured in place of the gate. Cloudflare's storage is elsewhere.
        let memory = Path::new("/dev/shm");
        let storage = if memory.is_dir() { memory } else { &self.target };
        let storage = storage.join(format!("tollgate-bench-{}-{number}", std::process::id()));
        let objects = setting.revoked.map(|_| fresh(&storage)).transpose()?;
        let config = self.target.join(contender.to_string()).join(format!("config-{number}.capnp"));
        fs::write(&config, self.config(contender, setting, objects.as_deref())?)?;
        let mut workerd = self.cores.server(&self.workerd()?);
        workerd.args(["serve", "--control-fd=1"]).arg(&config);
        let server = Server::start(workerd, objects);
        let _ = fs::remove_file(config);
        let server = server?;
        objects::revoke(&server, setting.revoked.unwrap_or_default())?;
        Ok(server)
    }

    /// The configuration of workerd. Durable Objects, which store in the folder `objects`, are in a second worker of
    /// the same code: in production they mostly run on another machine than the gate.
    fn config(&self, contender: Contender, setting: &Setting, objects: Option<&Path>) -> Result<String> {
        let text = |name: &str, value: &str| format!("(name = {}, text = {})", quoted(name), quoted(value));
        let json = |name: &str, value: &str| format!("(name = {}, json = {})", quoted(name), quoted(value));
        let wrangler = fs::read_to_string(self.root.join("wrangler.toml"))?;
        let date = wrangler.lines().find(|line| line.starts_with("compatibility_date"));
        let date = date.and_then(|line| line.split('"').nth(1)).context("wrangler.toml has no compatibility_date")?;
        let worker = |name: &str, folder: &str, bindings: &[String], more: &str| -> Result<String> {
            let module = |path: &PathBuf| {
                let file = path.file_name().unwrap_or_default().to_string_lossy();
                let kind = if file.ends_with(".wasm") { "wasm" } else { "esModule" };
                format!("(name = {}, {kind} = embed {})", quoted(&file), quoted(&format!("../{folder}/{file}")))
            };
            let modules = self.modules(folder)?.iter().map(module).collect::<Vec<_>>().join(", ");
            let bindings = bindings.join(", ");
            Ok(format!(
                "(name = {name:?}, worker = (\
                 modules = [{modules}], compatibilityDate = {date:?}, bindings = [{bindings}]{more}))"
            ))
        };
        let mut bindings = vec![text("JWT_SECRET_KEY", SECRET), text("ORIGIN", &format!("http://{}", self.origin))];
        if contender.is_gate() {
            bindings.push(json("ROUTES", &setting.routes().to_string()));
            bindings.push("(name = \"USERS\", kvNamespace = \"users\")".to_owned());
            bindings.push("(name = \"APP\", service = \"app\")".to_owned());
        }
        bindings.extend(setting.vars.iter().map(|(name, value)| text(name, value)));
        // As one line, for capnp.
        let users: Value = serde_json::from_slice(&fs::read(self.root.join("tests/e2e/users.json"))?)?;
        let mut services = vec![
            worker("users", "users", &[json("RECORDS", &users.to_string())], "")?,
            "(name = \"internet\", network = (allow = [\"public\", \"private\"]))".to_owned(),
            format!("(name = \"app\", external = (address = \"{}\", http = ()))", self.origin),
        ];
        let (mut sockets, mut more) = (Vec::new(), "");
        if let Some(folder) = objects {
            let classes = [(object::BINDING, "Account"), (revocation::BINDING, "Revocations")];
            let bound = classes.map(|(binding, class)| {
                let namespace = format!("(className = \"{class}\", serviceName = \"objects\")");
                format!("(name = \"{binding}\", durableObjectNamespace = {namespace})")
            });
            bindings.extend(bound.clone());
            let classes = classes.map(|(binding, class)| {
                format!("(className = \"{class}\", uniqueKey = \"{binding}\", enableSql = true)")
            });
            let storage = format!(
                ", durableObjectNamespaces = [{}], durableObjectStorage = (localDisk = \"disk\")",
                classes.join(", ")
            );
            more = ", cacheApiOutbound = \"cache\"";
            services.extend([
                worker("objects", "tollgate", &bindings, &storage)?,
                worker("orders", "orders", &bound, "")?,
                worker("cache", "cache", &[], "")?,
                format!("(name = \"disk\", disk = (path = {}, writable = true))", quoted(&folder.to_string_lossy())),
            ]);
            sockets.push("orders");
        }
        services.push(worker("main", &contender.to_string(), &bindings, more)?);
        // The last socket, so that the others are known when workerd tells its port.
        sockets.push("main");
        let sockets = sockets.into_iter().map(|service| {
            format!("(name = {service:?}, address = \"127.0.0.1:0\", http = (), service = {service:?})")
        });
        Ok(format!(
            "using Workerd = import \"/workerd/workerd.capnp\";
const config :Workerd.Config = (
  services = [
    {}
  ],
  sockets = [{}],
);
",
            services.join(",\n    "),
            sockets.collect::<Vec<_>>().join(", ")
        ))
    }
}

/// A text in the syntax of capnp.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

/// The modules in a folder, the entry first.
fn modules(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut modules: Vec<PathBuf> = fs::read_dir(folder)
        .with_context(|| format!("{} isn't built", folder.display()))?
        .filter_map(|file| Some(file.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "js" || extension == "wasm"))
        .collect();
    modules.sort_by_key(|path| (!path.ends_with("entry.js"), path.clone()));
    ensure!(!modules.is_empty(), "{} has no modules", folder.display());
    Ok(modules)
}

/// An empty folder in place of what was there.
fn fresh(folder: &Path) -> Result<PathBuf> {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder)?;
    Ok(folder.to_owned())
}

/// Runs a program to its end and returns its standard output.
///
/// # Errors
/// If it fails, with all that it wrote.
pub fn run(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_owned();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{} can't be run", name.display()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} ended with {}: {text}{errors}", name.display(), output.status);
    Ok(text)
}
