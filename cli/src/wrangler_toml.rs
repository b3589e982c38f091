//! wrangler.toml and `.dev.vars`, read as wrangler reads them, with the place of everything that is written there.
//!
//! **What always holds:** vars and KV namespaces are not inherited by environments, assets, cache, routes and addresses
//! are; `.dev.vars.NAME` stands in for `.dev.vars`; what is there wins over a var of the same name. Values are never part of an error.

use crate::failure::Failure;
use std::{
    fmt,
    ops::Range,
    path::{Path, PathBuf},
};
use tollgate::rules::{
    config::{Config, Reading, Services},
    json::{Map, Value},
    password::{Hashing, PasswordPolicy},
};
use toml_edit::{Document, Item, TableLike};

/// Which configuration.
#[derive(clap::Args, Clone)]
pub struct Selection {
    /// The configuration file
    #[arg(long, short, value_name = "FILE", default_value = "wrangler.toml")]
    pub config: PathBuf,
    /// The environment in it, as wrangler's --env
    #[arg(long, short, value_name = "NAME")]
    pub env: Option<String>,
}

/// Where something is written: line and column count from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    pub file: PathBuf,
    pub line: usize,
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}

/// Why the file can't be used at all.
pub enum Unusable {
    /// It can't be read.
    Unreadable(Failure),
    /// It is not TOML, or lacks the environment.
    Wrong(Position, String),
}

impl From<Unusable> for Failure {
    fn from(unusable: Unusable) -> Self {
        match unusable {
            Unusable::Unreadable(failure) => failure,
            Unusable::Wrong(position, text) => {
                Self::refused(format!("{position}: {text}"), "`tollgate config check` tells all that is wrong")
            }
        }
    }
}

/// The file, with the secrets beside it.
pub struct WranglerToml {
    path: PathBuf,
    env: Option<String>,
    document: Document<String>,
    dev_vars_path: PathBuf,
    dev_vars: Option<Vec<DevVar>>,
}

/// A line of `.dev.vars`.
struct DevVar {
    name: String,
    value: String,
    line: usize,
}

impl WranglerToml {
    pub fn read(selection: &Selection) -> Result<Self, Unusable> {
        let path = selection.config.clone();
        let text = std::fs::read_to_string(&path).map_err(|error| {
            Unusable::Unreadable(Failure::usage(
                format!("{}: {error}", path.display()),
                "run it where your wrangler.toml is, or name it: --config FILE",
            ))
        })?;
        let document = Document::parse(text.clone()).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            Unusable::Wrong(position(&path, &text, at), format!("not TOML: {}", error.message().trim()))
        })?;
        let (dev_vars_path, dev_vars) = dev_vars(&path, selection.env.as_deref()).map_err(Unusable::Unreadable)?;
        let file = Self { path, env: selection.env.clone(), document, dev_vars_path, dev_vars };
        match (&file.env, file.scope()) {
            (Some(env), None) => {
                let text = format!("there is no [env.{env}] here: write it, or leave --env out");
                Err(Unusable::Wrong(file.at(0), text))
            }
            _ => Ok(file),
        }
    }

    /// The same; an empty file where there is none and none was named.
    pub fn read_or_empty(selection: &Selection) -> Result<Self, Failure> {
        let is_default = selection.env.is_none() && selection.config == Path::new("wrangler.toml");
        if !is_default || selection.config.exists() {
            return Ok(Self::read(selection)?);
        }
        let document = Document::parse(String::new()).expect("nothing is TOML");
        let path = selection.config.clone();
        Ok(Self { dev_vars_path: path.with_file_name(".dev.vars"), path, env: None, document, dev_vars: None })
    }

    /// What the gate would be told: vars and secrets that are options.
    pub fn variables(&self) -> Map<String, Value> {
        let mut all = self.plain_variables();
        let secrets = self.declared_secrets();
        for var in self.dev_vars.iter().flatten() {
            let is_read = secrets.as_ref().is_none_or(|secrets| secrets.contains(&var.name));
            if is_read || all.contains_key(&var.name) {
                all.insert(var.name.clone(), var.value.clone().into());
            }
        }
        all
    }

    /// Which bindings the worker has beside the store.
    pub fn services(&self) -> Services {
        let objects = self.scope().and_then(|scope| scope.get("durable_objects")?.as_table_like()?.get("bindings"));
        let limits = self.scope().and_then(|scope| scope.get("ratelimits"));
        let names: Vec<&str> =
            objects.into_iter().chain(limits).flat_map(tables).filter_map(|table| text_of(table, "name")).collect();
        Services::of(|name| names.contains(&name))
    }

    /// A Durable Object's binding: its class, if that is one of this worker's, and where it is written.
    pub fn durable_object(&self, binding: &str) -> Option<(Option<&str>, Position)> {
        let bindings = self.scope()?.get("durable_objects")?.as_table_like()?.get("bindings")?;
        let table = tables(bindings).into_iter().find(|table| text_of(*table, "name") == Some(binding))?;
        let class = text_of(table, "class_name").filter(|_| !table.contains_key("script_name"));
        Some((class, self.at(key_span(table, "name").map_or(0, |span| span.start))))
    }

    /// The classes of Durable Objects that the migrations make, with their last names. Environments inherit them.
    pub fn migrated_classes(&self) -> Vec<&str> {
        let root: &dyn TableLike = self.document.as_table();
        let migrations = self.scope().and_then(|scope| scope.get("migrations")).or_else(|| root.get("migrations"));
        let mut classes = Vec::new();
        for migration in migrations.map(tables).unwrap_or_default() {
            let made = migration.get("new_sqlite_classes").and_then(Item::as_array);
            classes.extend(made.into_iter().flatten().filter_map(|class| class.as_str()));
            let renamed = migration.get("renamed_classes").map(tables).unwrap_or_default();
            classes.extend(renamed.into_iter().filter_map(|renaming| text_of(renaming, "to")));
        }
        classes
    }

    /// The gate's configuration, or why there is none.
    pub fn gate_config(&self) -> Result<Config, Failure> {
        let Reading { config, .. } = Config::read_with(&self.variables(), self.services());
        config.map_err(|problems| {
            let first = problems.first().map(ToString::to_string).unwrap_or_default();
            Failure::refused(
                format!("{}: {first}", self.path.display()),
                "`tollgate config check` tells all that is wrong, with its place",
            )
        })
    }

    /// What the gate is told about passwords, even if the rest of the configuration is wrong or its secrets are elsewhere.
    ///
    /// Peppers come from the environment, else from `.dev.vars`; for the store on Cloudflare from the environment alone,
    /// since the ones in `.dev.vars` are those of this machine, and a hash made with them would let nobody in there.
    pub fn passwords(&self, remote: bool) -> Result<Passwords, Failure> {
        let mut told = with_placeholder_key(Map::new());
        let all = self.variables();
        told.extend(all.iter().filter(|(name, _)| name.starts_with("TOLLGATE_PASSWORD_")).map(copied));
        if remote {
            told.retain(|name, _| !PEPPER_OPTIONS.contains(&name.as_str()));
            let plain = self.plain_variables();
            told.extend(plain.iter().filter(|(name, _)| PEPPER_OPTIONS.contains(&name.as_str())).map(copied));
        }
        for name in PEPPER_OPTIONS {
            if let Ok(value) = std::env::var(name) {
                told.insert(name.into(), value.into());
            }
        }
        let mut key_id = None;
        if !told.contains_key(PEPPERS) {
            // The secret may well be on Cloudflare; its key id is none.
            let id = told.remove(PEPPER).and_then(|id| id.as_str().map(str::to_owned));
            key_id = id.filter(|id| !id.is_empty());
        }
        let Reading { config, .. } = Config::read(&told);
        let config = config.map_err(|problems| {
            let first = problems.first().map(ToString::to_string).unwrap_or_default();
            let option = problems.first().map_or("", |problem| problem.option.as_str());
            let place = match std::env::var_os(option) {
                Some(_) if PEPPER_OPTIONS.contains(&option) => "the environment".into(),
                _ => self.place_of(option).to_string(),
            };
            Failure::refused(
                format!("{place}: {first}"),
                "`tollgate config check` tells all that is wrong in the files, with its place",
            )
        })?;
        let known = config.hashing.peppers.current().map(|pepper| pepper.id().as_str().to_owned());
        Ok(Passwords { policy: config.password_policy, key_id: known.or(key_id), hashing: config.hashing })
    }

    /// What stands in `[vars]`.
    pub fn plain_variables(&self) -> Map<String, Value> {
        self.vars().into_iter().flat_map(TableLike::iter).map(|(name, item)| (name.to_owned(), to_json(item))).collect()
    }

    /// The id of the KV namespace with this binding, empty if none is written there.
    pub fn kv_namespace(&self, binding: &str) -> Option<(String, Position)> {
        let namespaces = self.scope()?.get("kv_namespaces")?;
        tables(namespaces).into_iter().find(|table| text_of(*table, "binding") == Some(binding)).map(|table| {
            let at = key_span(table, "id").or_else(|| key_span(table, "binding"));
            (text_of(table, "id").unwrap_or_default().to_owned(), self.at(at.map_or(0, |span| span.start)))
        })
    }

    /// A member of `[assets]`, as JSON, and where it or its table is written. `None` if there is no such table.
    pub fn assets(&self, member: &str) -> Option<(Value, Position)> {
        let root: &dyn TableLike = self.document.as_table();
        let (table, span) = [self.scope(), Some(root)]
            .into_iter()
            .flatten()
            .find_map(|scope| Some((scope.get("assets")?.as_table_like()?, span_of(scope, "assets"))))?;
        let at = key_span(table, member).or(span).map_or(0, |span| span.start);
        Some((table.get(member).map_or(Value::Null, to_json), self.at(at)))
    }

    /// A member that environments inherit, such as `["cache", "enabled"]`, as JSON, and where it is written. As in wrangler,
    /// an environment that has the first member has its own, with nothing of the one at the top.
    pub fn inherited(&self, path: &[&str]) -> Option<(Value, Position)> {
        let (first, rest) = path.split_first()?;
        let root: &dyn TableLike = self.document.as_table();
        let table = [self.scope(), Some(root)].into_iter().flatten().find(|scope| scope.contains_key(first))?;
        let (mut item, mut span) = (table.get(first)?, span_of(table, first));
        for name in rest {
            let table = item.as_table_like()?;
            (item, span) = (table.get(name)?, key_span(table, name));
        }
        Some((to_json(item), self.at(span.map_or(0, |span| span.start))))
    }

    /// Where an option stands: `JWT_LEEWAY`, `ROUTES[2].path`. Where it would stand, if it does not.
    pub fn place_of(&self, option: &str) -> Position {
        let (name, rest) = option.split_once('[').map_or((option, ""), |(name, rest)| (name, rest));
        if let Some(var) = self.dev_vars.iter().flatten().find(|var| var.name == name) {
            return Position { file: self.dev_vars_path.clone(), line: var.line, column: 1 };
        }
        let Some(vars) = self.vars() else { return self.scope_place() };
        let Some(item) = vars.get(name) else {
            let span = self.scope().and_then(|scope| span_of(scope, "vars"));
            return self.at(span.map_or(0, |span| span.start));
        };
        let mut span = key_span(vars, name).or_else(|| item.span());
        if let Some((index, member)) = rest.split_once(']')
            && let Some((rule, rule_span)) = index.parse().ok().and_then(|index| nth(item, index))
        {
            let member_span = rule.and_then(|rule| key_span(rule, member.trim_start_matches('.')));
            span = member_span.or(rule_span).or(span);
        }
        self.at(span.map_or(0, |span| span.start))
    }

    /// Is this name in `[vars]`, where everybody who has the repository reads it?
    pub fn is_plain(&self, name: &str) -> bool {
        self.vars().is_some_and(|vars| vars.contains_key(name))
            && !self.dev_vars.iter().flatten().any(|var| var.name == name)
    }

    /// The names under `[secrets] required`, if the file has such a list.
    pub fn declared_secrets(&self) -> Option<Vec<String>> {
        let root: &dyn TableLike = self.document.as_table();
        let secrets = self.scope().and_then(|scope| scope.get("secrets")).or_else(|| root.get("secrets"))?;
        let required = secrets.as_table_like()?.get("required")?.as_array()?;
        Some(required.iter().filter_map(|name| name.as_str()).map(str::to_owned).collect())
    }

    /// The file of local secrets, and whether it is there.
    pub fn dev_vars_file(&self) -> (&Path, bool) {
        (&self.dev_vars_path, self.dev_vars.is_some())
    }

    /// Where the environment begins, or the file.
    pub fn scope_place(&self) -> Position {
        let envs = self.document.get("env").and_then(Item::as_table_like);
        let span = self.env.as_ref().zip(envs).and_then(|(env, envs)| span_of(envs, env));
        self.at(span.map_or(0, |span| span.start))
    }

    /// Are the vars something else than a table?
    pub fn vars_are_no_table(&self) -> bool {
        self.vars().is_none() && self.scope().is_some_and(|scope| scope.contains_key("vars"))
    }

    /// Are there vars at the top that the chosen environment does not get?
    pub fn lacks_inherited_vars(&self) -> bool {
        self.env.is_some() && self.vars().is_none() && self.document.get("vars").is_some()
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn scope(&self) -> Option<&dyn TableLike> {
        match &self.env {
            None => Some(self.document.as_table()),
            Some(env) => self.document.get("env")?.as_table_like()?.get(env)?.as_table_like(),
        }
    }

    fn vars(&self) -> Option<&dyn TableLike> {
        self.scope()?.get("vars")?.as_table_like()
    }

    fn at(&self, offset: usize) -> Position {
        position(&self.path, self.document.raw(), offset)
    }
}

/// The two options about peppers.
pub const PEPPERS: &str = "TOLLGATE_PASSWORD_PEPPERS";
pub const PEPPER: &str = "TOLLGATE_PASSWORD_PEPPER";
const PEPPER_OPTIONS: [&str; 2] = [PEPPERS, PEPPER];

/// What the gate is told about passwords.
pub struct Passwords {
    pub policy: PasswordPolicy,
    pub hashing: Hashing,
    /// The pepper that the gate makes new hashes with, as far as it is known here; its bytes may not be.
    pub key_id: Option<String>,
}

fn copied((name, value): (&String, &Value)) -> (String, Value) {
    (name.clone(), value.clone())
}

/// The same variables with a key to go on with where there is none, so that everything else can be read.
pub fn with_placeholder_key(mut variables: Map<String, Value>) -> Map<String, Value> {
    let has_key = ["JWT_SECRET_KEY", "SECRET_KEY"].iter().any(|name| variables.contains_key(*name));
    if !has_key {
        variables.insert("JWT_SECRET_KEY".into(), "-".repeat(64).into());
    }
    variables
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

/// The tables of `[[name]]` or of an array of inline tables.
fn tables(item: &Item) -> Vec<&dyn TableLike> {
    if let Some(array) = item.as_array_of_tables() {
        return array.iter().map(|table| table as &dyn TableLike).collect();
    }
    let values = item.as_array().into_iter().flatten();
    values.filter_map(|value| value.as_inline_table()).map(|table| table as &dyn TableLike).collect()
}

/// A table if it is one, and where it stands.
type Element<'i> = (Option<&'i dyn TableLike>, Option<Range<usize>>);

/// An element of an array.
fn nth(item: &Item, index: usize) -> Option<Element<'_>> {
    if let Some(table) = item.as_array_of_tables().and_then(|array| array.get(index)) {
        return Some((Some(table), table.span()));
    }
    let value = item.as_array()?.get(index)?;
    Some((value.as_inline_table().map(|table| table as &dyn TableLike), value.span()))
}

fn key_span(table: &dyn TableLike, name: &str) -> Option<Range<usize>> {
    table.get_key_value(name)?.0.span()
}

/// Where a member's table is headed, or its key.
fn span_of(table: &dyn TableLike, name: &str) -> Option<Range<usize>> {
    let (key, item) = table.get_key_value(name)?;
    item.as_table().and_then(toml_edit::Table::span).or_else(|| key.span())
}

fn text_of<'t>(table: &'t dyn TableLike, name: &str) -> Option<&'t str> {
    table.get(name)?.as_str()
}

/// As wrangler hands TOML on: a date becomes a text.
fn to_json(item: &Item) -> Value {
    if let Some(array) = item.as_array_of_tables() {
        return array.iter().map(|table| table_to_json(table)).collect();
    }
    if let Some(table) = item.as_table_like() {
        return table_to_json(table);
    }
    item.as_value().map_or(Value::Null, value_to_json)
}

fn table_to_json(table: &dyn TableLike) -> Value {
    table.iter().map(|(name, item)| (name.to_owned(), to_json(item))).collect::<Map<_, _>>().into()
}

fn value_to_json(value: &toml_edit::Value) -> Value {
    use toml_edit::Value as Toml;
    match value {
        Toml::String(text) => text.value().clone().into(),
        Toml::Integer(number) => (*number.value()).into(),
        Toml::Float(number) => (*number.value()).into(),
        Toml::Boolean(on) => (*on.value()).into(),
        Toml::Datetime(date) => date.value().to_string().into(),
        Toml::Array(array) => array.iter().map(value_to_json).collect(),
        Toml::InlineTable(table) => table_to_json(table),
    }
}

/// `.dev.vars.NAME` if it is there, else `.dev.vars`, beside the configuration.
fn dev_vars(config: &Path, env: Option<&str>) -> Result<(PathBuf, Option<Vec<DevVar>>), Failure> {
    let plain = config.with_file_name(".dev.vars");
    let of_env = env.map(|env| config.with_file_name(format!(".dev.vars.{env}")));
    let path = of_env.filter(|path| path.exists()).unwrap_or(plain);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok((path, Some(read_dev_vars(&text)))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok((path, None)),
        Err(error) => {
            Err(Failure::usage(format!("{}: {error}", path.display()), "make it a text file of NAME=value lines"))
        }
    }
}

/// What dotenv, which wrangler uses, makes of the text: `NAME=value`, perhaps after `export`; a value in quotes may go
/// over several lines, one without ends at `#`. The last line of a name counts.
fn read_dev_vars(text: &str) -> Vec<DevVar> {
    let mut all: Vec<DevVar> = Vec::new();
    let mut rest = text;
    let mut line = 1;
    while !rest.is_empty() {
        let (first, after) = rest.split_once('\n').unwrap_or((rest, ""));
        let mut taken = rest.len() - after.len();
        let entry = first.trim_start();
        let entry = entry.strip_prefix("export ").unwrap_or(entry);
        if let Some((name, value)) = entry.split_once('=')
            && !entry.starts_with('#')
        {
            let value = value.trim_start();
            let start = value.as_ptr() as usize - rest.as_ptr() as usize;
            let quoted = value.chars().next().filter(|quote| matches!(quote, '"' | '\'' | '`')).and_then(|quote| {
                let inside = &rest[start + 1..];
                inside.find(quote).map(|end| (quote, &inside[..end], start + 1 + end + 1))
            });
            let value = match quoted {
                Some((quote, inside, end)) => {
                    taken = end + rest[end..].find('\n').map_or(rest.len() - end, |at| at + 1);
                    if quote == '"' { inside.replace("\\n", "\n").replace("\\r", "\r") } else { inside.to_owned() }
                }
                None => value.split('#').next().unwrap_or_default().trim().to_owned(),
            };
            let name = name.trim().to_owned();
            all.retain(|var| var.name != name);
            all.push(DevVar { name, value, line });
        }
        line += rest[..taken].matches('\n').count();
        rest = &rest[taken..];
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dev_vars_are_read_as_dotenv_reads_them() {
        let text = "# a comment\nA=1\nexport B = two words # not this\nC=\"x # y\\nz\"\nD='a\nb'\nE=\nA=last\n=\nF";
        let read: Vec<(String, String, usize)> =
            read_dev_vars(text).into_iter().map(|var| (var.name, var.value, var.line)).collect();
        let expected = [("B", "two words", 3), ("C", "x # y\nz", 4), ("D", "a\nb", 5), ("E", "", 7), ("A", "last", 8)];
        let expected: Vec<_> = expected.map(|(name, value, line)| (name.to_owned(), value.to_owned(), line)).into();
        assert_eq!(read[..5], expected);
    }
}
