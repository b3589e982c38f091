//! `tollgate config`: is wrangler.toml right, and what may stand in it.

use crate::{
    assets::{Bypass, bypasses, exposed_files},
    failure::{Exit, Failure},
    kv::{Store, StoreArgs},
    output::{self, Output, counted},
    wrangler_config::{PEPPER, PEPPERS, Position, Selection, Unusable, View, WranglerConfig},
};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tollgate::rules::{
    account::object,
    browser::{self, Dropped, SentCookie, Site},
    config::{
        Config, Loaded,
        options::{self, Family, Secrecy, TABLE, page},
    },
    password::{self, Check},
    revocation,
    route::{RULE_MEMBERS, Target, UserFrom},
    secret::Secret,
    store::{BINDING, LoginRecord},
};

#[derive(clap::Subcommand)]
pub enum Command {
    /// Tell every problem of wrangler.toml at once, with its place and what to write instead
    ///
    /// Reads wrangler.toml, wrangler.jsonc or wrangler.json as wrangler does (an environment has vars of its own),
    /// secrets from .dev.vars or else .env beside the file, and the bindings that the gate needs. Judges what `wrangler
    /// dev` would have and what a deployment would have. Warns of what is legal but unwise. Exit code 1 if there is a
    /// problem; warnings alone are good.
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
                place.selection.config = Some(file);
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
#[derive(PartialEq, Eq)]
struct Finding {
    severity: Severity,
    position: Position,
    option: String,
    text: String,
}

/// How a finding affects a running gate.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Severity {
    /// It answers 500 to everything.
    StopsTheGate,
    /// It serves, and something will not work.
    FailsTheCheck,
    /// It works; there is something better.
    Warns,
}

impl Severity {
    /// As `--json` has it.
    const fn name(self) -> &'static str {
        match self {
            Self::StopsTheGate => "stops_the_gate",
            Self::FailsTheCheck => "fails_the_check",
            Self::Warns => "warns",
        }
    }
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    /// Adds a finding once, even if both `wrangler dev` and a deployment have it.
    fn add(&mut self, severity: Severity, position: Position, option: impl Into<String>, text: impl Into<String>) {
        let finding = Finding { severity, position, option: option.into(), text: text.into() };
        if !self.0.contains(&finding) {
            self.0.push(finding);
        }
    }

    fn problem(&mut self, position: Position, option: impl Into<String>, text: impl Into<String>) {
        self.add(Severity::FailsTheCheck, position, option, text);
    }

    fn warn(&mut self, position: Position, option: impl Into<String>, text: impl Into<String>) {
        self.add(Severity::Warns, position, option, text);
    }

    fn print(mut self, output: Output) -> Exit {
        self.0.sort_by(|a, b| {
            let key =
                |finding: &Finding| (finding.position.file.clone(), finding.position.line, finding.position.column);
            key(a).cmp(&key(b))
        });
        let (warnings, problems): (Vec<Finding>, Vec<Finding>) =
            self.0.into_iter().partition(|finding| finding.severity == Severity::Warns);
        let line = |severity| {
            move |finding: &Finding| output::Finding {
                place: finding.position.to_string(),
                severity,
                text: format!("{}: {}", finding.option, finding.text),
            }
        };
        let lines = problems
            .iter()
            .map(line(output::Severity::Error))
            .chain(warnings.iter().map(line(output::Severity::Warning)))
            .collect::<Vec<_>>();
        let mut summary = format!("{}, {}", counted(problems.len(), "problem"), counted(warnings.len(), "warning"));
        let stops = problems.iter().filter(|problem| problem.severity == Severity::StopsTheGate).count();
        if stops > 0 {
            let which = if stops == problems.len() { "as it is,".to_owned() } else { format!("for {stops} of them") };
            summary += &format!("\n{which} the gate answers 500 to everything");
        }
        let list = |findings: &[Finding]| -> Value {
            let one = |finding: &Finding| {
                json!({
                    "file": finding.position.file.to_string_lossy(), "line": finding.position.line,
                    "column": finding.position.column, "option": finding.option, "level": finding.severity.name(),
                    "text": finding.text,
                })
            };
            findings.iter().map(one).collect()
        };
        output.findings(lines, &summary, &json!({"problems": list(&problems), "warnings": list(&warnings)}));
        if problems.is_empty() { Exit::Good } else { Exit::Refused }
    }
}

fn check(look_into_store: bool, place: &StoreArgs, output: Output) -> Result<Exit, Failure> {
    let mut findings = Findings::default();
    let toml = match WranglerConfig::read(&place.selection) {
        Ok(toml) => toml,
        Err(Unusable::Unreadable(failure)) => return Err(failure),
        Err(Unusable::Wrong(position, text)) => {
            findings.problem(position, file_name(&place.selection), text);
            return Ok(findings.print(output));
        }
    };
    check_secrets(&toml, &mut findings);
    // A local value may hide what a deployment has, and the reverse.
    let local = check_reading(&toml, View::Local, &mut findings);
    let deployed = check_reading(&toml, View::Deployed, &mut findings);
    check_unseen(&toml, &local.unseen, &deployed.unseen, &mut findings);
    check_urls(&toml, deployed.config.as_ref().ok(), &mut findings);
    check_cookie_domain(&toml, &mut findings);
    check_inherited(&toml, &mut findings);
    check_users(&toml, local.config.as_ref().ok(), &mut findings);
    check_services(&toml, &mut findings);
    check_cache(&toml, &mut findings);
    check_addresses(&toml, &mut findings);
    check_runtime(&toml, &mut findings);
    check_files(&toml, &place.selection, &mut findings);
    if look_into_store {
        check_demo_users(place, &mut findings)?;
    }
    Ok(findings.print(output))
}

/// What the gate itself finds, and what its rules need of the static files.
fn check_reading(toml: &WranglerConfig, view: View, findings: &mut Findings) -> Loaded {
    let reading = toml.reading(view);
    let problems = reading.config.as_ref().err().into_iter().flatten();
    for (severity, notices) in [
        (Severity::StopsTheGate, problems.collect::<Vec<_>>()),
        (Severity::FailsTheCheck, reading.faults.iter().collect()),
        (Severity::Warns, reading.warnings.iter().collect()),
    ] {
        for notice in notices {
            findings.add(severity, toml.place_in(view, &notice.option), &*notice.option, &*notice.text);
        }
    }
    let Ok(config) = &reading.config else { return reading };
    let assets = config.routes.rules().find(|rule| rule.to == Target::Assets);
    if let Some(rule) = assets {
        check_assets(toml, rule.index, findings);
        for Bypass { position, option, text } in bypasses(toml, &config.routes) {
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
    // The rule for TOLLGATE_ME_URL is not the operator's.
    let is_written = toml.variables_of(view).get("ROUTES").is_some_and(|routes| {
        let inside = routes.as_str().and_then(|text| serde_json::from_str(text).ok());
        inside.as_ref().unwrap_or(routes) != &json!([])
    });
    if !is_written {
        findings.warn(
            toml.place_in(view, "ROUTES"),
            "ROUTES",
            format!("no rule at all, so everything but the log-in is refused with 404: write {}", toml.rule_heading()),
        );
    }
    reading
}

/// Secrets that everybody reads who has the file, whichever environment they are for, and secrets that wrangler does
/// not read.
fn check_secrets(toml: &WranglerConfig, findings: &mut Findings) {
    let (path, _) = toml.secrets_file();
    for (name, value, position) in toml.all_plain_variables() {
        // A name that is meant to be that of a secret, and a private key under whatever name, count too.
        let near = options::near_secret(name);
        let is_secret = match options::find(name) {
            Some(option) => option.holds_secret(&value),
            None => near.is_some() || value.as_str().is_some_and(|text| text.contains("PRIVATE KEY-----")),
        };
        if !is_secret {
            continue;
        }
        let belongs = match (name, near) {
            ("JWT_PUBLIC_KEY", _) => "JWT_PRIVATE_KEY",
            (_, Some(near)) => near,
            _ => options::shown(name),
        };
        findings.problem(
            position,
            options::shown(name),
            format!(
                "in the open for all who read this file: remove it here, put it into {} as {belongs} (not into git; `wrangler dev` reads it when it starts), and on Cloudflare `npx wrangler secret put {belongs}{}`. Take a new one if this file was ever shared",
                path.display(),
                toml.env_argument()
            ),
        );
    }
    for (name, position) in toml.ignored_secrets() {
        findings.warn(
            position,
            name,
            format!("not read: wrangler reads no .env where there is a {}. Move it there", path.display()),
        );
    }
}

/// Keys that the gate needs. Cloudflare's secrets can't be seen from here, so one that is missing is no problem yet.
fn check_unseen(toml: &WranglerConfig, local: &[&str], deployed: &[&str], findings: &mut Findings) {
    let (path, exists) = toml.secrets_file();
    let declared = toml.declared_secrets();
    let is_declared = |option: &str| declared.iter().flatten().any(|name| name == option);
    let is_bound = |option: &str| toml.secrets_store().iter().any(|(name, _)| name == option);
    let put = |option: &str| format!("npx wrangler secret put {option}{}", toml.env_argument());
    for &option in local.iter().filter(|option| !is_bound(option)) {
        // Its key id is what is written, if the table is in no file.
        let position = toml.place_of(if option == PEPPERS { PEPPER } else { option });
        if toml.is_local(option) {
            // It is set here: either wrangler does not read it, or its value is unusable and has its own finding.
            if declared.is_some() && !is_declared(option) {
                let text = format!(
                    "in {}, and not among [secrets] required, so wrangler does not read it: name it there",
                    path.display()
                );
                findings.problem(position, option, text);
            }
            continue;
        }
        let text = format!(
            "not in {} ({}){}: `wrangler dev` answers 500 without it. {}, then start `wrangler dev` anew. On Cloudflare: {}{}",
            path.display(),
            if exists { "which is there" } else { "which isn't there" },
            if is_declared(option) { ", declared as a secret here" } else { "" },
            match option {
                PEPPERS => "docs/storage.md has how to make one".to_owned(),
                _ if toml.how_to_make(option).starts_with("write") => toml.how_to_make(option),
                _ => format!("`{}`", toml.how_to_make(option)),
            },
            match option {
                "JWT_PRIVATE_KEY" =>
                    format!("`tollgate key generate --algorithm {} | {}`", toml.algorithm(), put(option)),
                "JWT_KEYS" if !toml.only_verifies() => format!("`tollgate key generate --set | {}`", put(option)),
                PEPPERS | "JWT_PUBLIC_KEY" | "JWT_KEYS" => format!("`{}`", put(option)),
                _ => format!("`tollgate secret generate | {}`", put(option)),
            },
            if option == "JWT_PRIVATE_KEY" {
                ". If another issuer makes the tokens, write JWT_AUTH_URL_RULE = \"\" and its JWT_PUBLIC_KEY or JWT_KEYS instead"
            } else {
                ""
            },
        );
        findings.warn(position, option, text);
    }
    for &option in
        deployed.iter().filter(|option| !local.contains(option) && !toml.is_local(option) && !is_declared(option))
    {
        findings.warn(
            toml.place_in(View::Deployed, option),
            option,
            format!("a deployment needs it, and `wrangler dev` does not: does an option such as JWT_ALGORITHM stand in {} alone? Then write it under [vars] too", path.display()),
        );
    }
}

/// Addresses that a worker on Cloudflare can't reach.
/// `config`: the gate's, if there is one; else what is written counts.
fn check_urls(toml: &WranglerConfig, config: Option<&Config>, findings: &mut Findings) {
    let vars = toml.variables_of(View::Deployed);
    let text = |name: &str| vars.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let goes_to_origin = config.is_none_or(|config| config.routes.rules().any(|rule| rule.to == Target::Origin));
    let is_placeholder = toml.kv_namespace(BINDING).is_none_or(|(id, _)| is_placeholder(&id));
    for (option, url, what) in [
        ("ORIGIN", text("ORIGIN").filter(|_| goes_to_origin), "the app's public address"),
        ("TOLLGATE_PUBLIC_URL", text("TOLLGATE_PUBLIC_URL"), "the address at which clients reach the gate"),
        ("TOLLGATE_PASSWORD_PWNED_URL", text("TOLLGATE_PASSWORD_PWNED_URL"), "a public address, or leave it out"),
    ] {
        let Some(url) = url.and_then(|url| url::Url::parse(url).ok()) else { continue };
        let position = toml.place_in(View::Deployed, option);
        if is_local(&url) {
            let (path, _) = toml.secrets_file();
            let who = if option == "TOLLGATE_PUBLIC_URL" { "clients elsewhere" } else { "a worker on Cloudflare" };
            let text = format!(
                "an address of this machine or network, which {who} can't reach: before a deployment write {what}, and keep this one in {} for `wrangler dev`",
                path.display()
            );
            // Only a warning while the KV id is a placeholder: nothing is deployed yet.
            let severity = if is_placeholder { Severity::Warns } else { Severity::FailsTheCheck };
            findings.add(severity, position, option, text);
        } else if option != "TOLLGATE_PUBLIC_URL" && !matches!(url.host(), Some(url::Host::Domain(_))) {
            findings.problem(
                position,
                option,
                "an IP address, from which a worker on Cloudflare can't fetch (error 1003): write a host name that leads there",
            );
        } else if option == "ORIGIN" && custom_domains(toml).iter().any(|domain| url.domain() == Some(domain)) {
            findings.problem(
                position,
                option,
                "the gate's own custom domain (routes), so the gate would ask itself: write the address of the application behind it",
            );
        } else if option == "ORIGIN" && is_workers_dev(&url) && !toml.has_flag("global_fetch_strictly_public") {
            findings.problem(
                position,
                option,
                "a worker's address at workers.dev, which other workers of the same account can't fetch (error 1042): give that worker a custom domain and write that, or set compatibility_flags = [\"global_fetch_strictly_public\"]",
            );
        }
    }
}

/// A custom domain is where browsers reach the gate, if TOLLGATE_PUBLIC_URL says nothing else.
fn check_cookie_domain(toml: &WranglerConfig, findings: &mut Findings) {
    let vars = toml.variables_of(View::Deployed);
    let text = |name: &str| vars.get(name).and_then(Value::as_str).unwrap_or_default();
    let domain = text("JWT_COOKIE_DOMAIN");
    let hosts = custom_domains(toml);
    if domain.is_empty() || !text("TOLLGATE_PUBLIC_URL").is_empty() || hosts.is_empty() {
        return;
    }
    let is_kept = |host: &String| {
        let cookie =
            SentCookie { name: "a", value_bytes: 0, domain, path: "/", secure: true, http_only: true, same_site: None };
        browser::keep(&cookie, &Site { host: Some(host), is_secure: true, path: "/" }) != Err(Dropped::OtherHost)
    };
    if !hosts.iter().any(is_kept) {
        findings.problem(
            toml.place_in(View::Deployed, "JWT_COOKIE_DOMAIN"),
            "JWT_COOKIE_DOMAIN",
            format!("does not cover {} (routes), so browsers drop the cookies: write that host or a domain above it, or leave it out", hosts.join(", ")),
        );
    }
}

/// Options that an environment does not get from the top: they are the defaults there.
fn check_inherited(toml: &WranglerConfig, findings: &mut Findings) {
    let lost = toml.lost_options();
    if !lost.is_empty() {
        findings.warn(
            toml.scope_place(),
            "vars",
            format!(
                "environments inherit no vars, so {} {} the default here: repeat what is meant",
                lost.join(", "),
                if lost.len() == 1 { "has" } else { "have" }
            ),
        );
    }
}

/// Hosts of which the worker is the origin.
fn custom_domains(toml: &WranglerConfig) -> Vec<String> {
    let routes = toml.inherited(&["routes"]).map(|(routes, _)| routes);
    let routes = routes.as_ref().and_then(Value::as_array).into_iter().flatten();
    let custom = routes.filter(|route| route["custom_domain"] == true);
    custom.filter_map(|route| route["pattern"].as_str()).map(str::to_ascii_lowercase).collect()
}

fn is_workers_dev(url: &url::Url) -> bool {
    url.domain().is_some_and(|domain| domain == "workers.dev" || domain.ends_with(".workers.dev"))
}

/// Loopback, private and link-local addresses (RFC 1918, 4193, 3927), and names that no public DNS has (RFC 6761, 6762,
/// 8375).
fn is_local(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => is_local_address(ip),
        Some(url::Host::Ipv6(ip)) => {
            ip.to_ipv4_mapped().is_some_and(is_local_address)
                || ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
        }
        Some(url::Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            let ends = [".localhost", ".local", ".internal", ".home.arpa", ".lan", ".test", ".invalid"];
            !name.contains('.') || ends.iter().any(|end| name.ends_with(end))
        }
        None => false,
    }
}

fn is_local_address(ip: std::net::Ipv4Addr) -> bool {
    let [first, second, ..] = ip.octets();
    // RFC 6598: shared by a carrier's customers.
    let is_shared = first == 100 && (64..128).contains(&second);
    ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified() || is_shared
}

/// An id that was never made by Cloudflare, whose ids are 32 hexadecimal digits.
fn is_placeholder(id: &str) -> bool {
    id.len() != 32 || !id.bytes().all(|b| b.is_ascii_hexdigit()) || id.trim_start_matches('0').len() < 8
}

/// What the gate needs of the runtime: fetches that bypass caches, and to learn that a client has gone.
fn check_runtime(toml: &WranglerConfig, findings: &mut Findings) {
    const DATE: &str = "compatibility_date";
    /// Since then `fetch` takes `cache: "no-store"`, with which each request to an origin is made.
    const LEAST_DATE: &str = "2024-11-11";
    const SIGNAL: &str = "enable_request_signal";
    let date = toml.inherited(&[DATE]);
    let written = date.as_ref().and_then(|(date, _)| date.as_str());
    // Each has a flag before it is the default, and one to be without it afterwards.
    let is_date = |date: &str| {
        date.len() == 10
            && date.char_indices().all(|(at, c)| if [4, 7].contains(&at) { c == '-' } else { c.is_ascii_digit() })
    };
    let is_late = written.is_some_and(|date| is_date(date) && date >= LEAST_DATE);
    if toml.has_flag("cache_option_disabled")
        || !(is_late || written.is_some() && toml.has_flag("cache_option_enabled"))
    {
        let position = date.as_ref().map_or_else(|| toml.scope_place(), |(_, position)| position.clone());
        findings.problem(
            position,
            DATE,
            format!("missing, no date such as \"2026-11-01\", or before {LEAST_DATE} (or with cache_option_disabled), so the runtime refuses every fetch that bypasses its cache, and nothing reaches the origin: write today's date"),
        );
    }
    if !toml.has_flag(SIGNAL) {
        let flags =
            toml.inherited(&["compatibility_flags"]).map_or_else(|| toml.scope_place(), |(_, position)| position);
        findings.warn(
            flags,
            "compatibility_flags",
            format!("without {SIGNAL:?} the gate is not told that a client has gone, and frees what its request holds after 70 seconds only: write compatibility_flags = [{SIGNAL:?}]"),
        );
    }
}

/// The shape of the file, and other files that wrangler leaves aside.
fn check_files(toml: &WranglerConfig, selection: &Selection, findings: &mut Findings) {
    if toml.vars_are_no_table() {
        findings.add(
            Severity::StopsTheGate,
            toml.scope_place(),
            "vars",
            format!("write a table: {}", toml.heading(&["vars"])),
        );
    }
    if toml.lacks_inherited_vars() {
        findings.warn(
            toml.scope_place(),
            "vars",
            format!(
                "the vars at the top are not inherited: repeat them as {}",
                toml.heading(&["env", toml.env_name(), "vars"])
            ),
        );
    }
    for file in exposed_files(toml) {
        let position =
            toml.inherited(&["assets", "directory"]).map_or_else(|| toml.scope_place(), |(_, position)| position);
        findings.problem(
            position,
            "assets.directory",
            format!("{} lies among the static files, and wrangler uploads them all: move the files to a folder of their own, or name it in .assetsignore", file.display()),
        );
    }
    for (name, position) in toml.misplaced_options() {
        let heading = if name == "ROUTES" { toml.rule_heading() } else { toml.heading(&["vars"]) };
        findings.problem(
            position,
            name,
            format!("stands outside vars, where the gate does not see it: write it under {heading}"),
        );
    }
    for (name, position) in toml.doubled_members() {
        findings.problem(
            position,
            options::shown(name),
            "written twice in this table, and only the last one is read: remove this one",
        );
    }
    if toml.inherited(&["main"]).is_none() {
        findings.problem(
            toml.scope_place(),
            "main",
            "missing, so there is no worker to run: write main = \"worker/entry.mjs\", or your own",
        );
    }
    for path in toml.hidden_files(selection) {
        findings.warn(
            toml.scope_place(),
            file_name_of(toml.path()),
            format!("wrangler reads this file and not {}, which is here too: remove one of the two", path.display()),
        );
    }
}

/// `config`: the gate's, if there is one.
fn check_users(toml: &WranglerConfig, config: Option<&Config>, findings: &mut Findings) {
    let make = format!("`npx wrangler kv namespace create {BINDING}`");
    let asks_store = config.is_none_or(|config| {
        config.routes.login_path().is_some() || config.routes.rules().any(|rule| rule.user == UserFrom::Stored)
    });
    match toml.kv_namespace(BINDING) {
        None if !asks_store => {}
        None => findings.problem(
            toml.scope_place(),
            "kv_namespaces",
            format!("no binding {BINDING:?}, where the users are: write {} with binding = \"{BINDING}\" and the id that {make} prints (environments inherit none)", toml.list_heading("kv_namespaces")),
        ),
        Some((id, position)) if id.is_empty() => findings.warn(
            position,
            "kv_namespaces",
            format!("no id, so wrangler makes a new, empty namespace at the first deployment: {make}, and write the id that it prints"),
        ),
        Some((id, position)) if is_placeholder(&id) => findings.warn(
            position,
            "kv_namespaces",
            format!("the id is a placeholder, good for the local store only: before a deployment {make}, and write the id that it prints"),
        ),
        Some(_) => {}
    }
}

/// What the gate does without, since a binding is missing; and bindings that are half there.
fn check_services(toml: &WranglerConfig, findings: &mut Findings) {
    let stock = [(object::BINDING, "Account"), (revocation::BINDING, "Revocations")];
    let found = stock.map(|(binding, _)| toml.durable_object(binding));
    let is_half = found.iter().flatten().count() == 1;
    for notice in toml.bindings().missing() {
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
    for ((binding, expected), found) in stock.iter().zip(&found).filter(|_| toml.is_stock()) {
        if let Some((Some(class), position)) = found
            && class != expected
        {
            let text =
                format!("the stock worker has no class {class:?} for this binding: write class_name = {expected:?}");
            findings.problem(position.clone(), *binding, text);
            return;
        }
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
fn check_assets(toml: &WranglerConfig, rule: usize, findings: &mut Findings) {
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
fn check_cache(toml: &WranglerConfig, findings: &mut Findings) {
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

/// Addresses of the worker beside its routes. As in wrangler 4 (getSubdomainValues), workers_dev is on by default where
/// there are no routes, and Cloudflare's default for preview_urls follows it. Environments inherit all of these.
fn check_addresses(toml: &WranglerConfig, findings: &mut Findings) {
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
    let found = store.get(&names.map(LoginRecord::key))?;
    let position = store.toml.kv_namespace(BINDING).map_or_else(|| store.toml.scope_place(), |(_, position)| position);
    for name in names {
        let record = found.get(&LoginRecord::key(name)).and_then(|text| LoginRecord::read(text.as_bytes()).ok());
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
    file_name_of(&selection.path())
}

fn file_name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
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
                "default": option.default, "meaning": option.meaning, "secret": option.secrecy == Secrecy::Secret,
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
