//! wrangler's configuration and the local secrets beside it, read as wrangler reads them, with the position of each
//! value.
//!
//! **What always holds:** vars, KV namespaces and secrets of Secrets Store are not inherited by environments; assets,
//! cache, routes and addresses are. A local secret overrides a var of the same name. Values are never part of an error.

mod document;
mod dotenv;

use crate::failure::Failure;
use document::Node;
use dotenv::{LocalSecrets, LocalVar};
use jiff::civil::{Date, date};
use std::{
    fmt,
    path::{Path, PathBuf},
};
use tollgate::rules::{
    config::{Bindings, Config, Environment, Loaded, Secrets, options},
    json::{Map, Value},
    password::{Hashing, PasswordPolicy},
};

/// The key of the compatibility date.
pub const COMPATIBILITY_DATE: &str = "compatibility_date";
/// From this date `nodejs_compat` is the default.
pub const NODE_DATE: Date = date(2026, 8, 4);

/// The options that choose the configuration.
#[derive(clap::Args, Clone)]
pub struct Selection {
    /// Configuration file [default: the first of wrangler.json, wrangler.jsonc and wrangler.toml in this folder]
    #[arg(long, short, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Environment of the configuration, as in wrangler's --env
    #[arg(long, short, value_name = "NAME", env = "CLOUDFLARE_ENV", hide_env_values = true)]
    env: Option<String>,
}

/// In the order in which wrangler looks for them.
const NAMES: [&str; 3] = ["wrangler.json", "wrangler.jsonc", "wrangler.toml"];

impl Selection {
    /// The chosen environment. As for wrangler, an empty name means none.
    pub fn env(&self) -> Option<&str> {
        self.env.as_deref().filter(|env| !env.is_empty())
    }

    /// The chosen file.
    pub fn path(&self) -> PathBuf {
        let first_here = || NAMES.iter().map(Path::new).find(|path| path.exists());
        self.config.clone().unwrap_or_else(|| first_here().unwrap_or(Path::new("wrangler.toml")).to_owned())
    }
}

/// A position in a file, with line and column from 1. Line 0 is for values that are not in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    pub file: PathBuf,
    pub line: usize,
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}", self.file.display()),
            line => write!(f, "{}:{line}:{}", self.file.display(), self.column),
        }
    }
}

/// Why there is no usable configuration.
pub enum ReadError {
    /// The file can't be read.
    Unreadable(Failure),
    /// The file is neither TOML nor JSON, or lacks the environment.
    Invalid(Position, String),
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Unreadable(failure) => failure,
            ReadError::Invalid(position, text) => {
                Self::rejected(format!("{position}: {text}"), "`tollgate config check` lists all problems")
            }
        }
    }
}

/// The configuration file with the local secrets beside it.
pub struct WranglerConfig {
    path: PathBuf,
    text: String,
    env: Option<String>,
    root: Node,
    local: LocalSecrets,
}

/// Which values of an option apply.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// Those of `wrangler dev`: local ones override vars.
    Local,
    /// Those of a deployment: `[vars]` only. Its secrets can't be read; names of local ones show which exist.
    Deployed,
}

impl WranglerConfig {
    /// Reads the configuration and the local secrets.
    ///
    /// # Errors
    /// A file can't be read, the configuration is not valid TOML or JSON, or the environment does not exist.
    pub fn read(selection: &Selection) -> Result<Self, ReadError> {
        let path = selection.path();
        let text = std::fs::read_to_string(&path).map_err(|error| {
            let hint = match error.kind() {
                std::io::ErrorKind::InvalidData => "save it as UTF-8",
                _ => "run the command in the folder of your wrangler.toml (or wrangler.jsonc), or name the file: --config FILE",
            };
            ReadError::Unreadable(Failure::usage(format!("{}: {error}", path.display()), hint))
        })?;
        let root = Node::read(&path, &text)
            .map_err(|malformed| ReadError::Invalid(position(&path, &text, malformed.at), malformed.text))?;
        let mut file =
            Self { local: LocalSecrets::none(&path), path, text, env: selection.env().map(str::to_owned), root };
        file.local =
            LocalSecrets::read(&file.path, file.env.as_deref(), reads_dot_env()).map_err(ReadError::Unreadable)?;
        file.add_process_environment();
        match (&file.env, file.scope()) {
            (Some(env), None) => {
                let known = file.root.get("env").map(Node::members).unwrap_or_default();
                let known: Vec<&str> = known.iter().map(document::Member::name).collect();
                let text = format!(
                    "there is no environment {env:?} here{}: add it ({}), or remove --env",
                    if known.is_empty() { String::new() } else { format!(", only {}", known.join(", ")) },
                    file.heading(&["env", env])
                );
                Err(ReadError::Invalid(file.at(0), text))
            }
            _ => Ok(file),
        }
    }

    /// As [`Self::read`], but an empty configuration if there is none and none was named.
    pub fn read_or_empty(selection: &Selection) -> Result<Self, Failure> {
        let path = selection.path();
        let is_default = selection.env().is_none() && selection.config.is_none();
        if !is_default || path.exists() {
            return Ok(Self::read(selection)?);
        }
        let root = Node::read(&path, "")
            .map_err(|_| Failure::usage("no configuration in this folder", "name one: --config FILE"))?;
        Ok(Self { local: LocalSecrets::none(&path), path, text: String::new(), env: None, root })
    }

    /// Adds options from the process environment, which override others, as wrangler does without a `.dev.vars` if
    /// secrets are declared or CLOUDFLARE_INCLUDE_PROCESS_ENV is true.
    fn add_process_environment(&mut self) {
        let is_requested =
            std::env::var("CLOUDFLARE_INCLUDE_PROCESS_ENV").is_ok_and(|on| on.eq_ignore_ascii_case("true"));
        let has_dev_vars = self.local.exists && is_dev_vars(&self.local.file);
        if has_dev_vars || !reads_dot_env() || !(is_requested || self.declared_secrets().is_some()) {
            return;
        }
        for option in options::TABLE {
            if let Ok(value) = std::env::var(option.name) {
                self.local.vars.retain(|var| var.name != option.name);
                let file = PathBuf::from("the environment");
                self.local.vars.push(LocalVar { name: option.name.to_owned(), value, file, line: 0 });
            }
        }
    }

    /// Vars and secrets of a gate in `wrangler dev`.
    pub fn variables(&self) -> Map<String, Value> {
        self.variables_of(View::Local)
    }

    /// Vars and secrets of a gate in a view, as far as they can be read here.
    pub fn variables_of(&self, view: View) -> Map<String, Value> {
        let mut all = self.plain_variables();
        if view == View::Deployed {
            return all;
        }
        let declared = self.declared_secrets();
        for var in &self.local.vars {
            let is_declared = declared.as_ref().is_none_or(|declared| declared.contains(&var.name));
            if is_declared || all.contains_key(&var.name) {
                all.insert(var.name.clone(), var.value.clone().into());
            }
        }
        all
    }

    /// The gate's reading of the configuration, without the secrets on Cloudflare.
    pub fn load(&self, view: View) -> Loaded {
        let mut declared = self.declared_secrets().unwrap_or_default();
        if view == View::Deployed {
            // A local value may be a secret there, with another value.
            declared.extend(self.local.vars.iter().map(|var| var.name.clone()));
        }
        declared.extend(self.secrets_store().into_iter().map(|(name, _)| name));
        Config::read_from(Environment {
            vars: &self.variables_of(view),
            bindings: self.bindings(),
            secrets_store: &[],
            secrets: Secrets::MayBeElsewhere(&declared),
            // The stock worker has none.
            serves_inner: self.is_stock().then_some(false),
            has_binding: &|name| self.fetchers().iter().any(|(binding, ..)| binding == name),
            has_limiter: &|name| self.limiters().any(|limiter| limiter == name),
        })
    }

    /// Whether this is the stock worker: by its `main`, or because that exports the npm package's.
    pub fn is_stock(&self) -> bool {
        let main = self.inherited(&["main"]);
        let Some(main) = main.as_ref().and_then(|(main, _)| main.as_str()) else { return false };
        let exports_it = || {
            let text = std::fs::read_to_string(self.path().with_file_name(main)).unwrap_or_default();
            text.contains("default") && ["\"tollgate/worker\"", "'tollgate/worker'"].iter().any(|it| text.contains(it))
        };
        main.ends_with("worker/entry.mjs") || exports_it()
    }

    /// Names that are bound to Secrets Store, with their positions.
    pub fn secrets_store(&self) -> Vec<(String, Position)> {
        let bindings = self.scope().and_then(|scope| scope.get("secrets_store_secrets"));
        let elements = bindings.map(Node::elements).unwrap_or_default();
        let named = |node: &Node| {
            let member = node.member("binding")?;
            Some((member.node().as_str()?.to_owned(), self.at(member.key_at())))
        };
        elements.iter().filter_map(named).collect()
    }

    /// The worker's bindings other than the store.
    pub fn bindings(&self) -> Bindings {
        let objects = self.scope().and_then(|scope| scope.get("durable_objects")?.get("bindings"));
        let objects = objects.into_iter().flat_map(Node::elements).filter_map(|node| node.text("name"));
        let names: Vec<&str> = objects.chain(self.limiters()).collect();
        Bindings::of(|name| names.contains(&name))
    }

    /// What wrangler refuses about the rate limiters: positions and texts.
    pub fn limiter_faults(&self) -> Vec<(Position, String)> {
        let limiters = self.scope().and_then(|scope| scope.get("ratelimits")).map(Node::elements).unwrap_or_default();
        let mut faults = Vec::new();
        for (index, limiter) in limiters.iter().enumerate() {
            let name = limiter.text("name").unwrap_or("a limiter without a name");
            let mut fault = |at: usize, text: String| faults.push((self.at(at), format!("{name}: {text}")));
            let period = limiter.get("simple").and_then(|simple| simple.get("period"));
            if !period.is_some_and(|period| [Some(10), Some(60)].contains(&period.to_json().as_i64())) {
                let at = period.map_or(limiter.at(), Node::at);
                fault(at, "write simple = { limit = …, period = 10 } or period = 60: Cloudflare has no other".into());
            }
            match limiter.get("namespace_id") {
                None => fault(limiter.at(), "write a namespace_id: a number of your own, in quotes".into()),
                Some(id) if limiters[..index].iter().any(|other| other.text("namespace_id") == id.as_str()) => {
                    fault(
                        id.at(),
                        "another limiter has this namespace_id, so they share their counts: write a number of its own"
                            .into(),
                    );
                }
                Some(_) => {}
            }
        }
        faults
    }

    /// The names of the rate limiters.
    fn limiters(&self) -> impl Iterator<Item = &str> {
        let limits = self.scope().and_then(|scope| scope.get("ratelimits"));
        limits.into_iter().flat_map(Node::elements).filter_map(|node| node.text("name"))
    }

    /// The bindings that can fetch, with the service that they name and their positions.
    pub fn fetchers(&self) -> Vec<(String, Option<String>, Position)> {
        let tables = ["services", "mtls_certificates", "vpc_services", "vpc_networks"];
        let bindings = tables.iter().filter_map(|table| self.scope()?.get(table)).flat_map(Node::elements);
        let named = |node: &Node| {
            let member = node.member("binding")?;
            let service = node.text("service").map(str::to_owned);
            Some((member.node().as_str()?.to_owned(), service, self.at(member.key_at())))
        };
        bindings.filter_map(named).collect()
    }

    /// The path of a worker's configuration in a folder beside this one's or below it, by the worker's name, if it
    /// passes a test.
    pub fn neighbour(&self, name: &str, test: impl Fn(&Self) -> bool) -> Option<PathBuf> {
        let folder = std::path::absolute(&self.path).ok()?.parent()?.to_owned();
        let folders =
            [Some(folder.as_path()), folder.parent()].into_iter().flatten().filter_map(|folder| folder.read_dir().ok());
        let files = folders.flatten().flatten().flat_map(|entry| NAMES.map(|name| entry.path().join(name)));
        files.filter(|path| path.is_file()).find(|path| {
            let selection = Selection { config: Some(path.clone()), env: None };
            Self::read(&selection).is_ok_and(|other| other.root.text("name") == Some(name) && test(&other))
        })
    }

    /// A Durable Object's binding: its class, if that is in this worker, and its position.
    pub fn durable_object(&self, binding: &str) -> Option<(Option<&str>, Position)> {
        let bindings = self.scope()?.get("durable_objects")?.get("bindings")?;
        let node = bindings.elements().iter().find(|node| node.text("name") == Some(binding))?;
        let class = node.text("class_name").filter(|_| node.member("script_name").is_none());
        Some((class, self.at(node.member("name").map_or(0, document::Member::key_at))))
    }

    /// The Durable Object classes that the migrations create, by their final names. Environments inherit migrations.
    pub fn migrated_classes(&self) -> Vec<&str> {
        let migrations = self.scope().and_then(|scope| scope.get("migrations")).or_else(|| self.root.get("migrations"));
        let mut classes = Vec::new();
        for migration in migrations.map(Node::elements).unwrap_or_default() {
            let list = |name: &str| migration.get(name).map(Node::elements).unwrap_or_default();
            classes.extend(list("new_sqlite_classes").iter().filter_map(Node::as_str));
            classes.extend(list("renamed_classes").iter().filter_map(|renaming| renaming.text("to")));
        }
        classes
    }

    /// The gate's configuration in `wrangler dev`.
    ///
    /// # Errors
    /// It is invalid, or a key is not on this machine.
    pub fn gate_config(&self) -> Result<Config, Failure> {
        let Loaded { config, unseen, .. } = self.load(View::Local);
        let config = config.map_err(|problems| {
            let first = problems.first().map(ToString::to_string).unwrap_or_default();
            Failure::rejected(
                format!("{}: {first}", self.path.display()),
                "`tollgate config check` lists all problems with their places",
            )
        })?;
        match unseen.iter().find(|option| **option != PEPPERS) {
            Some(option) => Err(self.unseen_key(option)),
            None => Ok(config),
        }
    }

    /// The failure for a key that is not on this machine.
    pub fn unseen_key(&self, option: &str) -> Failure {
        let (path, _) = self.secrets_file();
        Failure::rejected(
            format!("no {option} in {} (a secret on Cloudflare can't be read back)", path.display()),
            format!("{}; or write the existing key there", self.how_to_make(option)),
        )
    }

    /// How to set a key for `wrangler dev`: a shell command, or a sentence for another issuer's key.
    pub fn how_to_make(&self, option: &str) -> String {
        let (path, _) = self.secrets_file();
        let path = path.display();
        match option {
            "JWT_PRIVATE_KEY" => format!(
                "echo \"JWT_PRIVATE_KEY='$(tollgate key generate --algorithm {})'\" >> {path}",
                self.algorithm()
            ),
            "JWT_KEYS" if self.only_verifies() => {
                format!("set JWT_KEYS to the issuer's JWK Set in vars or {path}")
            }
            "JWT_KEYS" => {
                format!("echo \"JWT_KEYS='$(tollgate key generate --set)'\" >> {path}")
            }
            "JWT_PUBLIC_KEY" => format!(
                "set JWT_PUBLIC_KEY to the issuer's public key (PEM or JWK), or JWT_KEYS to its JWK Set, in vars or {path}"
            ),
            _ => format!("echo \"{option}=$(tollgate secret generate)\" >> {path}"),
        }
    }

    /// Whether there is no log-in, because another issuer makes the tokens.
    pub fn only_verifies(&self) -> bool {
        self.variables().get("JWT_AUTH_URL_RULE").is_some_and(|rule| rule == "" || rule.is_null())
    }

    /// `JWT_ALGORITHM` as written, or its default.
    pub fn algorithm(&self) -> String {
        self.variables().get("JWT_ALGORITHM").and_then(Value::as_str).unwrap_or("HS256").to_owned()
    }

    /// The password options, even if the rest of the configuration is invalid or its secrets are elsewhere.
    ///
    /// Peppers come from the environment, else from the local secrets. For the store on Cloudflare they come from the
    /// environment only: a hash with a local pepper would not be valid there.
    ///
    /// # Errors
    /// A password option is invalid.
    pub fn passwords(&self, remote: bool) -> Result<Passwords, Failure> {
        let mut options = Map::new();
        let all = self.variables();
        options.extend(all.iter().filter(|(name, _)| name.starts_with("TOLLGATE_PASSWORD_")).map(copied));
        if remote {
            options.retain(|name, _| !PEPPER_OPTIONS.contains(&name.as_str()));
            let plain = self.plain_variables();
            options.extend(plain.iter().filter(|(name, _)| PEPPER_OPTIONS.contains(&name.as_str())).map(copied));
        }
        for name in PEPPER_OPTIONS {
            if let Ok(value) = std::env::var(name) {
                options.insert(name.into(), value.into());
            }
        }
        let Loaded { config, unseen, .. } = Config::read_from(Environment {
            vars: &options,
            bindings: Bindings::default(),
            secrets_store: &[],
            secrets: Secrets::MayBeElsewhere(&[]),
            serves_inner: None,
            has_binding: &|_| true,
            has_limiter: &|_| true,
        });
        let config = config.map_err(|problems| {
            let first = problems.first().map(ToString::to_string).unwrap_or_default();
            let option = problems.first().map_or("", |problem| problem.option.as_str());
            let place = match std::env::var_os(option) {
                Some(_) if PEPPER_OPTIONS.contains(&option) => "the environment".into(),
                _ => self.place_of(option).to_string(),
            };
            Failure::rejected(
                format!("{place}: {first}"),
                "`tollgate config check` lists all problems of the files with their places",
            )
        })?;
        // The peppers may be a secret on Cloudflare; the id of the current pepper is a var.
        let unseen = unseen.contains(&PEPPERS).then(|| options.get(PEPPER)?.as_str().map(str::to_owned)).flatten();
        let known = config.hashing.peppers.current().map(|pepper| pepper.id().as_str().to_owned());
        Ok(Passwords { policy: config.password_policy, key_id: known.or(unseen), hashing: config.hashing })
    }

    /// The members of `[vars]`.
    pub fn plain_variables(&self) -> Map<String, Value> {
        let members = self.vars().map(Node::members).unwrap_or_default();
        members.iter().map(|member| (member.name().to_owned(), member.node().to_json())).collect()
    }

    /// The id of the KV namespace with this binding, empty if it has none, and its position.
    pub fn kv_namespace(&self, binding: &str) -> Option<(String, Position)> {
        let namespaces = self.scope()?.get("kv_namespaces")?;
        let node = namespaces.elements().iter().find(|node| node.text("binding") == Some(binding))?;
        let at = node.member("id").or_else(|| node.member("binding")).map_or(node.at(), document::Member::key_at);
        Some((node.text("id").unwrap_or_default().to_owned(), self.at(at)))
    }

    /// A member of `[assets]` as JSON, and the position of it or of its table. `None` without such a table.
    pub fn assets(&self, member: &str) -> Option<(Value, Position)> {
        let tables = [self.scope(), Some(&self.root)].into_iter().flatten();
        let table = tables.filter_map(|scope| scope.member("assets")).find(|table| table.node().is_table())?;
        let found = table.node().member(member);
        let at = found.map_or(table.heading_at(), document::Member::key_at);
        Some((found.map_or(Value::Null, |found| found.node().to_json()), self.at(at)))
    }

    /// A member that environments inherit, such as `["cache", "enabled"]`, as JSON, and its position. As in wrangler,
    /// an environment that has the first member inherits nothing of the top level's.
    pub fn inherited(&self, path: &[&str]) -> Option<(Value, Position)> {
        let (first, rest) = path.split_first()?;
        let mut found = [self.scope(), Some(&self.root)].into_iter().flatten().find_map(|scope| scope.member(first))?;
        let mut at = found.heading_at();
        for name in rest {
            found = found.node().member(name)?;
            at = found.key_at();
        }
        Some((found.node().to_json(), self.at(at)))
    }

    /// The position of an option, such as `JWT_LEEWAY` or `ROUTES[2].path`, for `wrangler dev`. If it is not written,
    /// the position of the table it belongs in.
    pub fn place_of(&self, option: &str) -> Position {
        self.place_in(View::Local, option)
    }

    /// As [`Self::place_of`], in a view.
    pub fn place_in(&self, view: View, option: &str) -> Position {
        let (name, rest) = option.split_once('[').map_or((option, ""), |(name, rest)| (name, rest));
        if let Some((_, place)) = self.secrets_store().into_iter().find(|(bound, _)| bound == name) {
            return place;
        }
        if let Some(var) = self.local.get(name).filter(|_| view == View::Local) {
            return Position { file: var.file.clone(), line: var.line, column: 1 };
        }
        self.plain_place_of(name, rest)
    }

    /// All members of every `[vars]` of the file, with their positions: those of other environments and duplicates too.
    pub fn all_plain_variables(&self) -> Vec<(&str, Value, Position)> {
        let environments = self.root.get("env").map(Node::members).unwrap_or_default();
        let scopes = std::iter::once(&self.root).chain(environments.iter().map(document::Member::node));
        let vars = scopes.flat_map(Node::members).filter(|member| member.name() == "vars");
        vars.flat_map(|vars| vars.node().members())
            .map(|member| (member.name(), member.node().to_json(), self.at(member.key_at())))
            .collect()
    }

    /// Options outside `[vars]`, which the gate does not read.
    pub fn misplaced_options(&self) -> Vec<(&str, Position)> {
        let scopes = [Some(&self.root), self.scope()].into_iter().flatten();
        let mut found: Vec<(&str, Position)> = Vec::new();
        for member in scopes.flat_map(Node::members) {
            let place = (member.name(), self.at(member.heading_at()));
            if options::find(member.name()).is_some() && !found.contains(&place) {
                found.push(place);
            }
        }
        found
    }

    /// Duplicate members of a table in a JSON file. Only the last one is read.
    pub fn doubled_members(&self) -> Vec<(&str, Position)> {
        let mut found = Vec::new();
        let mut open = vec![&self.root];
        while let Some(node) = open.pop() {
            let members = node.members();
            for (at, member) in members.iter().enumerate() {
                if members[at + 1..].iter().any(|later| later.name() == member.name()) {
                    found.push((member.name(), self.at(member.key_at())));
                }
                open.push(member.node());
            }
            open.extend(node.elements());
        }
        found
    }

    /// Whether this name has a local value.
    pub fn is_local(&self, name: &str) -> bool {
        self.local.get(name).is_some()
    }

    /// The environment's name, empty for the top level.
    pub fn env_name(&self) -> &str {
        self.env.as_deref().unwrap_or_default()
    }

    /// The argument for wrangler that chooses this environment: ` --env NAME`, or an empty text.
    pub fn env_argument(&self) -> String {
        self.env.as_ref().map_or_else(String::new, |env| format!(" --env {env}"))
    }

    fn plain_place_of(&self, name: &str, rest: &str) -> Position {
        let Some(vars) = self.vars() else { return self.scope_place() };
        let Some(member) = vars.member(name) else {
            let heading = self.scope().and_then(|scope| scope.member("vars"));
            return self.at(heading.map_or(0, document::Member::heading_at));
        };
        let mut at = member.key_at();
        if let Some((index, inside)) = rest.split_once(']')
            && let Some(rule) = index.parse().ok().and_then(|index: usize| member.node().elements().get(index))
        {
            at = rule.member(inside.trim_start_matches('.')).map_or(rule.at(), document::Member::key_at);
        }
        self.at(at)
    }

    /// The names in `[secrets] required`. `None` without such a list. Environments do not inherit it.
    pub fn declared_secrets(&self) -> Option<Vec<String>> {
        let secrets = self.scope()?.get("secrets")?;
        let required = secrets.get("required")?;
        Some(required.elements().iter().filter_map(Node::as_str).map(str::to_owned).collect())
    }

    /// The file of local secrets, and whether it exists.
    pub fn secrets_file(&self) -> (&Path, bool) {
        (&self.local.file, self.local.exists)
    }

    /// Options in an `.env` that wrangler does not read because there is a `.dev.vars`.
    pub fn ignored_secrets(&self) -> Vec<(&str, Position)> {
        let place = |var: &LocalVar| Position { file: var.file.clone(), line: var.line, column: 1 };
        let is_lost = |var: &&LocalVar| options::find(&var.name).is_some() && self.local.get(&var.name).is_none();
        self.local.ignored.iter().filter(is_lost).map(|var| (var.name.as_str(), place(var))).collect()
    }

    /// Other configuration files in this folder, which wrangler does not read.
    pub fn hidden_files(&self, selection: &Selection) -> Vec<PathBuf> {
        if selection.config.is_some() {
            return Vec::new();
        }
        NAMES.iter().map(PathBuf::from).filter(|path| *path != self.path && path.exists()).collect()
    }

    /// The position of the environment, or of the file.
    pub fn scope_place(&self) -> Position {
        let member = self.env.as_ref().and_then(|env| self.root.get("env")?.member(env));
        self.at(member.map_or(0, document::Member::heading_at))
    }

    /// Whether `vars` is not a table.
    pub fn vars_are_no_table(&self) -> bool {
        self.vars().is_none() && self.scope().is_some_and(|scope| scope.member("vars").is_some())
    }

    /// Whether there are top-level vars and the chosen environment has none.
    pub fn lacks_inherited_vars(&self) -> bool {
        self.env.is_some() && self.vars().is_none() && self.root.member("vars").is_some()
    }

    /// Whether this is one of the compatibility flags.
    pub fn has_flag(&self, flag: &str) -> bool {
        self.inherited(&["compatibility_flags"])
            .is_some_and(|(flags, _)| flags.as_array().is_some_and(|flags| flags.iter().any(|known| known == flag)))
    }

    /// The compatibility date. wrangler takes YYYY-MM-DD only, jiff other forms of ISO 8601 too.
    pub fn compatibility_date(&self) -> Option<Date> {
        let (written, _) = self.inherited(&[COMPATIBILITY_DATE])?;
        written.as_str().and_then(|text| text.parse::<Date>().ok().filter(|date| date.to_string() == text))
    }

    /// Whether the worker's runtime has `node:crypto`.
    pub fn has_node_crypto(&self) -> bool {
        /// From this date the flag brings the modules of Node as they are used here.
        const MIN_DATE: Date = date(2024, 9, 23);
        let is_from = |first: Date| self.compatibility_date().is_some_and(|date| date >= first);
        !self.has_flag("no_nodejs_compat_v2")
            && (is_from(NODE_DATE)
                || self.has_flag("nodejs_compat_v2")
                || (is_from(MIN_DATE) && self.has_flag("nodejs_compat")))
    }

    /// Options of the top-level `[vars]` that the chosen environment's `[vars]` lacks.
    pub fn lost_options(&self) -> Vec<&str> {
        let (Some(_), Some(own)) = (&self.env, self.vars()) else { return Vec::new() };
        let top = self.root.get("vars").map(Node::members).unwrap_or_default();
        let is_lost = |name: &&str| options::find(name).is_some() && own.member(name).is_none();
        top.iter().map(document::Member::name).filter(is_lost).collect()
    }

    /// The path of the configuration file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A table in the notation of this file: `[vars]`, or `"vars": {…}`.
    pub fn heading(&self, path: &[&str]) -> String {
        if document::is_json(&self.path) {
            let open: Vec<String> = path.iter().map(|name| format!("{name:?}: ")).collect();
            format!("{}{{…}}{}", open.join("{"), "}".repeat(path.len() - 1))
        } else {
            format!("[{}]", path.join("."))
        }
    }

    /// An element of a list in the notation of this file: `[[name]]`, or `"name": [{…}]`.
    pub fn list_heading(&self, name: &str) -> String {
        match (&self.env, document::is_json(&self.path)) {
            (_, true) => {
                let (tables, list) = name.rsplit_once('.').map_or((Vec::new(), name), |(tables, list)| {
                    (tables.split('.').map(|table| format!("{table:?}: {{")).collect(), list)
                });
                format!("{}{list:?}: [{{…}}]{}", tables.concat(), "}".repeat(tables.len()))
            }
            (None, false) => format!("[[{name}]]"),
            (Some(env), false) => format!("[[env.{env}.{name}]]"),
        }
    }

    /// A rule in the notation of this file.
    pub fn rule_heading(&self) -> String {
        self.list_heading(if document::is_json(&self.path) { "ROUTES" } else { "vars.ROUTES" })
    }

    fn scope(&self) -> Option<&Node> {
        match &self.env {
            None => Some(&self.root),
            Some(env) => self.root.get("env")?.get(env).filter(|scope| scope.is_table()),
        }
    }

    fn vars(&self) -> Option<&Node> {
        self.scope()?.get("vars").filter(|vars| vars.is_table())
    }

    fn at(&self, offset: usize) -> Position {
        position(&self.path, &self.text, offset)
    }
}

fn reads_dot_env() -> bool {
    !std::env::var("CLOUDFLARE_LOAD_DEV_VARS_FROM_DOT_ENV").is_ok_and(|on| on.eq_ignore_ascii_case("false"))
}

fn is_dev_vars(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".dev.vars"))
}

/// The option with the peppers.
pub const PEPPERS: &str = "TOLLGATE_PASSWORD_PEPPERS";
/// The option with the key id of the current pepper.
pub const PEPPER: &str = "TOLLGATE_PASSWORD_PEPPER";
const PEPPER_OPTIONS: [&str; 2] = [PEPPERS, PEPPER];

/// The password options of a gate.
pub struct Passwords {
    pub policy: PasswordPolicy,
    pub hashing: Hashing,
    /// Key id of the current pepper, if it is known here. The pepper itself may not be.
    pub key_id: Option<String>,
}

fn copied((name, value): (&String, &Value)) -> (String, Value) {
    (name.clone(), value.clone())
}

fn position(path: &Path, text: &str, offset: usize) -> Position {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    Position {
        file: path.to_owned(),
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
    }
}
