//! `tollgate config`: is wrangler.toml right, and what may stand in it.

use crate::{
    assets::{Bypass, bypasses},
    failure::{Exit, Failure},
    gate::SECRET as ADMIN_SECRET,
    kv::{Store, StoreArgs},
    output::{Output, counted, visible},
    wrangler_toml::{PEPPER, PEPPERS, Position, Selection, Unusable, WranglerToml, with_placeholder_key},
};
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use tollgate::rules::{
    account::object,
    config::{
        Config, Reading,
        options::{Family, TABLE, page},
    },
    password::{self, Check},
    revocation,
    route::{RULE_MEMBERS, Target},
    secret::Secret,
    store::{BINDING, LogInRecord},
};

#[derive(clap::Subcommand)]
pub enum Command {
    /// Tell every problem of wrangler.toml at once, with its place and what to write instead
    ///
    /// Reads [vars] as wrangler does (an environment has its own), secrets from .dev.vars beside the file, and the
    /// bindings that the gate needs. Warns of what is legal but unwise. Exit code 1 if there is a problem; warnings alone
    /// are good.
    #[command(
        after_help = "Examples:\n  tollgate config check\n  tollgate config check deploy/wrangler.toml --env production --json\n  tollgate config check --store --remote    (are the demo users there?)"
    )]
    Check {
        /// The same as --config FILE
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// Look into the store too: are the demo users there?
        #[arg(long)]
        store: bool,
        #[command(flatten)]
        place: StoreArgs,
    },
    /// Print the table of options, as docs/options.md has it
    #[command(after_help = "Example:\n  tollgate config options --json | jq '.options[].name'")]
    Options,
}

pub fn run(command: Command, output: Output) -> Result<Exit, Failure> {
    match command {
        Command::Check { file, store, mut place } => {
            if let Some(file) = file {
                place.selection.config = file;
            }
            check(store, &place, output)
        }
        Command::Options => {
            output.result(&page(), &table());
            Ok(Exit::Good)
        }
    }
}

/// Something to tell about the configuration.
struct Finding {
    position: Position,
    option: String,
    text: String,
}

#[derive(Default)]
struct Findings {
    problems: Vec<Finding>,
    warnings: Vec<Finding>,
}

impl Findings {
    fn problem(&mut self, position: Position, option: impl Into<String>, text: impl Into<String>) {
        self.problems.push(Finding { position, option: option.into(), text: text.into() });
    }

    fn warn(&mut self, position: Position, option: impl Into<String>, text: impl Into<String>) {
        self.warnings.push(Finding { position, option: option.into(), text: text.into() });
    }

    fn print(mut self, output: Output) -> Exit {
        for findings in [&mut self.problems, &mut self.warnings] {
            findings.sort_by(|a, b| {
                let key =
                    |finding: &Finding| (finding.position.file.clone(), finding.position.line, finding.position.column);
                key(a).cmp(&key(b))
            });
        }
        let mut text = String::new();
        for (kind, findings) in [("error", &self.problems), ("warning", &self.warnings)] {
            for Finding { position, option, text: what } in findings {
                // File and option names may hold line breaks.
                text += &format!("{}\n", visible(&format!("{position}: {kind}: {option}: {what}")));
            }
        }
        text += &format!("{}, {}\n", counted(self.problems.len(), "problem"), counted(self.warnings.len(), "warning"));
        let list = |findings: &[Finding]| -> Value {
            let one = |finding: &Finding| {
                json!({
                    "file": finding.position.file.to_string_lossy(), "line": finding.position.line,
                    "column": finding.position.column, "option": finding.option, "text": finding.text,
                })
            };
            findings.iter().map(one).collect()
        };
        output.result(&text, &json!({"problems": list(&self.problems), "warnings": list(&self.warnings)}));
        if self.problems.is_empty() { Exit::Good } else { Exit::Refused }
    }
}

fn check(look_into_store: bool, place: &StoreArgs, output: Output) -> Result<Exit, Failure> {
    let mut findings = Findings::default();
    let toml = match WranglerToml::read(&place.selection) {
        Ok(toml) => toml,
        Err(Unusable::Unreadable(failure)) => return Err(failure),
        Err(Unusable::Wrong(position, text)) => {
            findings.problem(position, file_name(&place.selection), text);
            return Ok(findings.print(output));
        }
    };
    let mut variables = toml.variables();
    check_secret(&toml, &mut findings);
    check_peppers(&toml, &mut variables, &mut findings);
    let Reading { config, warnings } = Config::read_with(&with_placeholder_key(variables), toml.services());
    for warning in warnings {
        findings.warn(toml.place_of(&warning.option), warning.option, warning.text);
    }
    match config {
        Ok(config) => {
            let assets = config.routes.rules().find(|rule| rule.to == Target::Assets);
            if let Some(rule) = assets {
                check_assets(&toml, rule.index, &mut findings);
                for Bypass { position, option, text } in bypasses(&toml, &config.routes) {
                    findings.problem(position, option, text);
                }
            } else if let Some((first, position)) = toml.assets("run_worker_first")
                && first != true
            {
                findings.problem(
                    position,
                    "assets.run_worker_first",
                    "no rule goes to the static files, but Cloudflare serves them before it runs the worker: write run_worker_first = true, or remove [assets]",
                );
            }
            if config.routes.rules().next().is_none() {
                findings.warn(
                    toml.place_of("ROUTES"),
                    "ROUTES",
                    "no rule at all, so everything but the log-in is refused with 404: write [[vars.ROUTES]]",
                );
            }
        }
        Err(problems) => {
            for problem in problems {
                findings.problem(toml.place_of(&problem.option), problem.option, problem.text);
            }
        }
    }
    check_users(&toml, &mut findings);
    check_services(&toml, &mut findings);
    check_cache(&toml, &mut findings);
    check_addresses(&toml, &mut findings);
    if toml.vars_are_no_table() {
        findings.problem(toml.scope_place(), "vars", "write a table: [vars]");
    }
    if toml.lacks_inherited_vars() {
        findings.warn(
            toml.scope_place(),
            "vars",
            "the [vars] at the top are not inherited: repeat them as [env.NAME.vars]",
        );
    }
    if look_into_store {
        check_demo_users(place, &mut findings)?;
    }
    Ok(findings.print(output))
}

/// Cloudflare's secrets can't be seen from here, so a missing key is no problem yet.
fn check_secret(toml: &WranglerToml, findings: &mut Findings) {
    const KEY: &str = "JWT_SECRET_KEY";
    let variables = toml.variables();
    for name in [KEY, "SECRET_KEY", PEPPERS, ADMIN_SECRET].into_iter().filter(|name| toml.is_plain(name)) {
        findings.warn(
            toml.place_of(name),
            name,
            format!("in the open for all who read this file: remove it here, put it into .dev.vars, and on Cloudflare `npx wrangler secret put {name}`"),
        );
    }
    if variables.contains_key(KEY) || variables.contains_key("SECRET_KEY") {
        return;
    }
    let (path, exists) = toml.dev_vars_file();
    let declared = toml.declared_secrets().is_some_and(|secrets| secrets.iter().any(|secret| secret == KEY));
    let text = format!(
        "not in {} ({}){}: `wrangler dev` answers 500 without it, so `echo \"JWT_SECRET_KEY=$(tollgate secret generate)\" >> {}`. On Cloudflare: `tollgate secret generate | npx wrangler secret put {KEY}`",
        path.display(),
        if exists { "which is there" } else { "which isn't there" },
        if declared { ", declared as a secret here" } else { "" },
        path.display()
    );
    findings.warn(toml.place_of(KEY), KEY, text);
}

/// A key id without its table: that may be a secret on Cloudflare, too.
fn check_peppers(toml: &WranglerToml, variables: &mut Map<String, Value>, findings: &mut Findings) {
    if variables.contains_key(PEPPERS) || variables.get(PEPPER).is_none_or(|id| id == "") {
        return;
    }
    variables.remove(PEPPER);
    let (path, _) = toml.dev_vars_file();
    let text = format!(
        "{PEPPERS} is not in {}: `wrangler dev` answers 500 without it. On Cloudflare it is a secret: docs/storage.md has how to make one",
        path.display()
    );
    findings.warn(toml.place_of(PEPPER), PEPPER, text);
}

fn check_users(toml: &WranglerToml, findings: &mut Findings) {
    match toml.kv_namespace(BINDING) {
        None => findings.problem(
            toml.scope_place(),
            "kv_namespaces",
            format!("no binding {BINDING:?}, where the users are: write [[kv_namespaces]] with binding = \"{BINDING}\" and the id that `npx wrangler kv namespace create {BINDING}` prints (environments inherit none)"),
        ),
        Some((id, position)) if id.trim_start_matches('0').len() < 8 => findings.warn(
            position,
            "kv_namespaces",
            format!("the id is a placeholder, good for the local store only: before a deployment `npx wrangler kv namespace create {BINDING}`, and write the id that it prints"),
        ),
        Some(_) => {}
    }
}

/// What the gate does without, since a binding is missing; and bindings that are half there.
fn check_services(toml: &WranglerToml, findings: &mut Findings) {
    let stock = [(object::BINDING, "Account"), (revocation::BINDING, "Revocations")];
    let found = stock.map(|(binding, _)| toml.durable_object(binding));
    let is_half = found.iter().flatten().count() == 1;
    for notice in toml.services().missing() {
        if !(is_half && notice.option.contains(object::BINDING)) {
            findings.warn(toml.scope_place(), notice.option, notice.text);
        }
    }
    if is_half
        && let Some(((lacking, class), _)) = stock.iter().zip(&found).find(|(_, found)| found.is_none())
        && let Some((_, position)) = found.iter().flatten().next()
    {
        findings.warn(
            position.clone(),
            *lacking,
            format!("no such binding, and sessions need both, so they are off: write [[durable_objects.bindings]] with name = \"{lacking}\" and class_name = \"{class}\" too"),
        );
    }
    let made = toml.migrated_classes();
    let is_lacking = |class: &&str| !made.contains(class);
    let lacking: Vec<&str> = found.iter().flatten().filter_map(|(class, _)| *class).filter(is_lacking).collect();
    if let Some((_, position)) = found.iter().flatten().next().filter(|_| !lacking.is_empty()) {
        findings.warn(
            position.clone(),
            "migrations",
            format!("no migration makes {}, so Cloudflare will refuse the deployment: add [[migrations]] with a tag of its own and new_sqlite_classes = {}", lacking.join(" and "), json!(lacking)),
        );
    }
}

/// What the gate decides on must be what the asset server serves.
fn check_assets(toml: &WranglerToml, rule: usize, findings: &mut Findings) {
    for (member, good, written, why) in [
        ("binding", json!("ASSETS"), "binding = \"ASSETS\"", "the gate finds the static files by this name"),
        ("run_worker_first", json!(true), "run_worker_first = true", "else files are served without asking the gate"),
        (
            "html_handling",
            json!("none"),
            "html_handling = \"none\"",
            "else the asset server reads other paths into the one that was decided on",
        ),
    ] {
        match toml.assets(member) {
            None => {
                return findings.problem(
                    toml.place_of(&format!("ROUTES[{rule}].to")),
                    format!("ROUTES[{rule}].to"),
                    "goes to the static files, and there is no [assets]: write directory = \"public\", binding = \"ASSETS\", run_worker_first = true, html_handling = \"none\" there",
                );
            }
            Some((value, position)) if value != good => {
                findings.problem(position, format!("assets.{member}"), format!("write {written}: {why}"));
            }
            Some(_) => {}
        }
    }
}

/// A cache in front of the worker answers without it.
fn check_cache(toml: &WranglerToml, findings: &mut Findings) {
    let mut tables = vec![vec!["cache"], vec!["previews", "cache"]];
    let exports = toml.inherited(&["exports"]);
    let exports = exports.as_ref().and_then(|(exports, _)| exports.as_object());
    tables.extend(exports.into_iter().flatten().map(|(name, _)| vec!["exports", name, "cache"]));
    for table in tables {
        let enabled = [&table[..], &["enabled"]].concat();
        if let Some((Value::Bool(true), position)) = toml.inherited(&enabled) {
            findings.problem(
                position,
                enabled.join("."),
                format!("Workers Cache answers before the worker runs, and its keys hold no identity: what it has stored for one user goes to every client without a check by the gate. Write enabled = false, or remove [{}]", table.join(".")),
            );
        }
    }
}

/// Addresses of the worker beside its routes. As in wrangler 4 (getSubdomainValues), workers_dev is on by default where there
/// are no routes, and Cloudflare's default for preview_urls follows it. Environments inherit all of these.
fn check_addresses(toml: &WranglerToml, findings: &mut Findings) {
    let is_route = |name: &str| toml.inherited(&[name]).filter(|(value, _)| *value != "");
    // `routes` takes precedence over `route`, even if it is inherited or empty.
    let has_routes = match is_route("routes") {
        Some((routes, _)) => routes.as_array().is_some_and(|routes| !routes.is_empty()),
        None => is_route("route").is_some(),
    };
    let flag = |name: &str| toml.inherited(&[name]).and_then(|(value, position)| Some((value.as_bool()?, position)));
    let (workers_dev, preview_urls) = (flag("workers_dev"), flag("preview_urls"));
    if let Some((true, position)) = workers_dev.clone().filter(|_| has_routes) {
        findings.warn(
            position,
            "workers_dev",
            "the gate is reachable at its workers.dev address too, where your zone's rules (firewall, rate limits, Access) don't apply: write workers_dev = false",
        );
    }
    let is_dev = workers_dev.as_ref().map_or(!has_routes, |(on, _)| *on);
    let (is_preview, why) = match &preview_urls {
        Some((on, _)) => (*on, ""),
        None => (is_dev, "on by default, as workers_dev is: "),
    };
    if is_preview {
        let position = preview_urls.or(workers_dev).map_or_else(|| toml.scope_place(), |(_, position)| position);
        findings.warn(
            position,
            "preview_urls",
            format!("{why}every uploaded version, with the rules that it had, is reachable at an address of its own, outside your routes and your zone's rules. Write preview_urls = false above the first table"),
        );
    }
}

fn check_demo_users(place: &StoreArgs, findings: &mut Findings) -> Result<(), Failure> {
    let store = Store::open(place)?;
    let hashing = store.passwords()?.hashing;
    let names = ["user1", "user2"];
    let found = store.get(&names.map(LogInRecord::key))?;
    let position = store.toml.kv_namespace(BINDING).map_or_else(|| store.toml.scope_place(), |(_, position)| position);
    for name in names {
        let record = found.get(&LogInRecord::key(name)).and_then(|text| LogInRecord::read(text.as_bytes()).ok());
        let known = record.is_some_and(|record| {
            let check = password::check(Some(record.hash()), &Secret::new("abcxyz".into()), &hashing);
            matches!(check, Ok(Check::Right | Check::RightButOutdated))
        });
        if known {
            findings.warn(
                position.clone(),
                BINDING,
                format!("the demo user {name} is in the {} with the password that everybody knows: tollgate user delete {name}", store.name()),
            );
        }
    }
    Ok(())
}

fn file_name(selection: &Selection) -> String {
    selection.config.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The table of options and of a rule's members.
fn table() -> Value {
    let family = |family| match family {
        Family::FlaskJwt => "flask-jwt",
        Family::FlaskJwtExtended => "flask-jwt-extended",
        Family::ExtendedOnly => "flask-jwt-extended only",
        Family::Tollgate => "tollgate",
        Family::Sessions => "tollgate, for sessions",
        Family::NeverRead => "without effect",
    };
    let options: Vec<Value> = TABLE
        .iter()
        .map(|option| {
            json!({
                "name": option.name, "family": family(option.family), "value": option.kind,
                "default": option.default, "meaning": option.meaning,
            })
        })
        .collect();
    let members: Vec<Value> = RULE_MEMBERS
        .iter()
        .map(|member| {
            json!({"name": member.name, "value": member.kind, "default": member.default, "meaning": member.meaning})
        })
        .collect();
    json!({"options": options, "rule": members})
}
