//! `tollgate config`: checks wrangler.toml, lists the options.

use crate::{
    assets::{Bypass, bypasses, exposed_files},
    failure::{Exit, Failure},
    kv::{Store, StoreArgs},
    output::{self, Output, counted},
    password::{is_scrypt, undeclared_kinds},
    wrangler_config::{
        COMPATIBILITY_DATE as DATE, NODE_DATE, PEPPER, PEPPERS, Position, ReadError, Selection, View, WranglerConfig,
    },
};
use jiff::civil::{Date, date};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tollgate::rules::{
    account::object,
    browser::{self, Dropped, SentCookie, Site},
    config::{
        Config, Loaded,
        options::{self, Family, Secrecy, TABLE, page},
        secret_names,
    },
    origin::UNNAMED,
    password::{self, Check, Hashing, Kdf},
    revocation,
    route::{RULE_MEMBERS, Rule, Target, UserFrom},
    secret::Secret,
    store::{BINDING, LoginRecord},
    token::Algorithm,
};

#[derive(clap::Subcommand)]
pub enum Command {
    /// List all problems of wrangler.toml, with their places and corrections
    ///
    /// Reads wrangler.toml, wrangler.jsonc or wrangler.json as wrangler does, and secrets from .dev.vars, else .env,
    /// beside it. Checks options, rules, bindings and static files, both for `wrangler dev` and for a deployment. Exit
    /// code 1 if there is a problem, 0 if there are only warnings.
    #[command(
        after_help = "Examples:\n  tollgate config check\n  tollgate config check deploy/wrangler.toml --env production --json\n  tollgate config check --store --remote    (also look into the store)"
    )]
    Check {
        /// Same as --config FILE
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// Also read the store, and warn of the demo users and of hashes that take longer than a new one
        #[arg(long)]
        store: bool,
        #[command(flatten)]
        place: StoreArgs,
    },
    /// Print the table of options, which is docs/options.md
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
            Ok(Exit::Success)
        }
    }
}

/// A problem or warning about the configuration.
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
    /// It answers 500 to every request.
    StopsTheGate,
    /// It runs, but something does not work.
    FailsTheCheck,
    /// It works, but something else is better.
    Warns,
}

impl Severity {
    /// The member `level` of `--json`.
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
    /// Adds a finding, unless it was added for the other view already.
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
            let which = match (stops, problems.len()) {
                (1, 1) => "this problem".to_owned(),
                (stops, all) if stops == all => "these problems".to_owned(),
                (stops, _) => format!("{stops} of these problems"),
            };
            summary += &format!("\nbecause of {which} the gate answers 500 to every request");
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
        if problems.is_empty() { Exit::Success } else { Exit::Rejected }
    }
}

fn check(look_into_store: bool, place: &StoreArgs, output: Output) -> Result<Exit, Failure> {
    let mut findings = Findings::default();
    let toml = match WranglerConfig::read(&place.selection) {
        Ok(toml) => toml,
        Err(ReadError::Unreadable(failure)) => return Err(failure),
        Err(ReadError::Invalid(position, text)) => {
            findings.problem(position, file_name(&place.selection), text);
            return Ok(findings.print(output));
        }
    };
    check_secrets(&toml, &mut findings);
    // Either view can have problems that the other hides.
    let local = check_view(&toml, View::Local, &mut findings);
    let deployed = check_view(&toml, View::Deployed, &mut findings);
    check_unseen(&toml, &local.unseen, &deployed.unseen, &mut findings);
    check_urls(&toml, deployed.config.as_ref().ok(), &mut findings);
    check_cookie_domain(&toml, &mut findings);
    check_inherited(&toml, &mut findings);
    check_users(&toml, local.config.as_ref().ok(), &mut findings);
    check_services(&toml, &mut findings);
    for (position, text) in toml.limiter_faults() {
        findings.problem(position, "ratelimits", text);
    }
    check_cache(&toml, &mut findings);
    check_cached_services(&toml, &mut findings);
    check_addresses(&toml, &mut findings);
    check_runtime(&toml, &mut findings);
    check_crypto(&toml, [(View::Local, &local), (View::Deployed, &deployed)], &mut findings);
    check_files(&toml, &place.selection, &mut findings);
    if look_into_store {
        check_store(place, &mut findings)?;
    }
    Ok(findings.print(output))
}

/// Problems that the gate itself finds in a view, and problems of rules with static files.
fn check_view(toml: &WranglerConfig, view: View, findings: &mut Findings) -> Loaded {
    let loaded = toml.load(view);
    let problems = loaded.config.as_ref().err().into_iter().flatten();
    for (severity, diagnostics) in [
        (Severity::StopsTheGate, problems.collect::<Vec<_>>()),
        (Severity::FailsTheCheck, loaded.faults.iter().collect()),
        (Severity::Warns, loaded.warnings.iter().collect()),
    ] {
        for diagnostic in diagnostics {
            let position = toml.place_in(view, &diagnostic.option);
            findings.add(severity, position, &*diagnostic.option, &*diagnostic.text);
        }
    }
    let Ok(config) = &loaded.config else { return loaded };
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
            format!("Cloudflare serves the static files before it runs the worker, and no rule goes to them: write run_worker_first = true, or remove {}", toml.heading(&["assets"])),
        );
    }
    // The rule that the gate adds for TOLLGATE_ME_URL does not count.
    let is_written = toml.variables_of(view).get("ROUTES").is_some_and(|routes| {
        let inside = routes.as_str().and_then(|text| serde_json::from_str(text).ok());
        inside.as_ref().unwrap_or(routes) != &json!([])
    });
    if !is_written {
        findings.warn(
            toml.place_in(view, "ROUTES"),
            "ROUTES",
            format!("no rules, so the gate answers 404 to everything except the log-in: add {}", toml.rule_heading()),
        );
    }
    loaded
}

/// Secrets in `[vars]` of any environment, which everybody with the file can read, and secrets that wrangler does not
/// read.
fn check_secrets(toml: &WranglerConfig, findings: &mut Findings) {
    let (path, _) = toml.secrets_file();
    let of_origins = secret_names(&toml.variables());
    for (name, value, position) in toml.all_plain_variables() {
        // Includes misspelt names of secrets, and private keys under any name.
        let near = options::near_secret(name);
        let is_secret = match options::find(name) {
            Some(option) => option.holds_secret(&value),
            None => {
                of_origins.iter().any(|secret| secret == name)
                    || near.is_some()
                    || value.as_str().is_some_and(|text| text.contains("PRIVATE KEY-----"))
            }
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
                "a secret that everybody with this file can read: remove it here and set it as {belongs} in {} (keep that out of git, and restart `wrangler dev`); on Cloudflare: `npx wrangler secret put {belongs}{}`. If this file was ever shared, generate a new secret",
                path.display(),
                toml.env_argument()
            ),
        );
    }
    for (name, position) in toml.ignored_secrets() {
        findings.warn(
            position,
            name,
            format!("not read: wrangler ignores .env because there is a {}. Move it there", path.display()),
        );
    }
}

/// Missing keys. They are warnings, because they may be secrets on Cloudflare, which can't be read here.
fn check_unseen(toml: &WranglerConfig, local: &[&str], deployed: &[&str], findings: &mut Findings) {
    let (path, exists) = toml.secrets_file();
    let declared = toml.declared_secrets();
    let is_declared = |option: &str| declared.iter().flatten().any(|name| name == option);
    let is_bound = |option: &str| toml.secrets_store().iter().any(|(name, _)| name == option);
    let put = |option: &str| format!("npx wrangler secret put {option}{}", toml.env_argument());
    for &option in local.iter().filter(|option| !is_bound(option)) {
        // If the table of peppers is in no file, the position is that of the current key id.
        let position = toml.place_of(if option == PEPPERS { PEPPER } else { option });
        if toml.is_local(option) {
            // It is set here, but wrangler does not read it; or its value is invalid and has its own finding.
            if declared.is_some() && !is_declared(option) {
                let text = format!(
                    "in {}, but not in [secrets] required, so wrangler does not read it: add it there",
                    path.display()
                );
                findings.problem(position, option, text);
            }
            continue;
        }
        let text = format!(
            "not in {} ({}){}: without it `wrangler dev` answers 500. To fix: {}, then restart `wrangler dev`. On Cloudflare: {}{}",
            path.display(),
            if exists { "which exists" } else { "which does not exist" },
            if is_declared(option) { ", declared as a secret here" } else { "" },
            match option {
                PEPPERS => "generate one as in docs/storage.md".to_owned(),
                _ if toml.how_to_make(option).starts_with("set") => toml.how_to_make(option),
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
                ". If another issuer makes the tokens, write JWT_AUTH_URL_RULE = \"\" and the issuer's JWT_PUBLIC_KEY or JWT_KEYS instead"
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
            format!("a deployment needs it, but `wrangler dev` does not: if {} sets an option such as JWT_ALGORITHM, write that in {} too", path.display(), toml.heading(&["vars"])),
        );
    }
}

/// Addresses that a worker on Cloudflare can't reach. `config` is the gate's configuration, if it is valid.
fn check_urls(toml: &WranglerConfig, config: Option<&Config>, findings: &mut Findings) {
    let vars = toml.variables_of(View::Deployed);
    let text = |name: &str| vars.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let goes_to_origin = config.is_none_or(|config| {
        config.routes.rules().filter_map(Rule::forwarding).any(|forwarding| forwarding.origin == UNNAMED)
    });
    let is_placeholder = toml.kv_namespace(BINDING).is_none_or(|(id, _)| is_placeholder(&id));
    let mut urls = vec![
        ("ORIGIN".to_owned(), text("ORIGIN").filter(|_| goes_to_origin), "the app's public address"),
        ("TOLLGATE_PUBLIC_URL".into(), text("TOLLGATE_PUBLIC_URL"), "the address at which clients reach the gate"),
        ("TOLLGATE_PASSWORD_PWNED_URL".into(), text("TOLLGATE_PASSWORD_PWNED_URL"), "a public address, or remove it"),
    ];
    let origins = vars.get("ORIGINS").map(|origins| {
        let inside = origins.as_str().and_then(|text| serde_json::from_str(text).ok());
        inside.unwrap_or_else(|| origins.clone())
    });
    let listed = origins.iter().flat_map(Value::as_array).flatten().enumerate();
    urls.extend(listed.filter(|(_, origin)| origin.get("service").is_none()).map(|(index, origin)| {
        (format!("ORIGINS[{index}].url"), origin["url"].as_str(), "the application's public address")
    }));
    for (option, url, what) in &urls {
        let (option, is_origin) = (option.as_str(), option.starts_with("ORIGIN"));
        let Some(url) = url.and_then(|url| url::Url::parse(url).ok()) else { continue };
        let position = toml.place_in(View::Deployed, option);
        if is_local(&url) {
            let (path, _) = toml.secrets_file();
            let who = if option == "TOLLGATE_PUBLIC_URL" { "clients elsewhere" } else { "a worker on Cloudflare" };
            let text = format!(
                "an address of this machine or network, which {who} can't reach: before a deployment write {what} here, and this one in {} for `wrangler dev`",
                path.display()
            );
            // Only a warning while the KV id is a placeholder: nothing is deployed yet.
            let severity = if is_placeholder { Severity::Warns } else { Severity::FailsTheCheck };
            findings.add(severity, position, option, text);
        } else if option != "TOLLGATE_PUBLIC_URL" && !matches!(url.host(), Some(url::Host::Domain(_))) {
            findings.problem(
                position,
                option,
                "an IP address, from which a worker on Cloudflare can't fetch (error 1003): write a host name for it",
            );
        } else if is_origin && custom_domains(toml).iter().any(|domain| url.domain() == Some(domain)) {
            findings.problem(
                position,
                option,
                "the gate's own custom domain (routes), so the gate would send requests to itself: write the address of the application behind it",
            );
        } else if is_origin && is_workers_dev(&url) && !toml.has_flag("global_fetch_strictly_public") {
            findings.problem(
                position,
                option,
                "a worker's address at workers.dev, from which other workers of the same account can't fetch (error 1042): give that worker a custom domain and write that, or set compatibility_flags = [\"global_fetch_strictly_public\"]",
            );
        }
    }
}

/// Cookies for a domain that does not cover the custom domains, where browsers reach the gate unless
/// TOLLGATE_PUBLIC_URL is set.
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
            format!("does not cover {} (routes), so browsers drop the cookies: write that host or a parent domain, or remove the option", hosts.join(", ")),
        );
    }
}

/// Top-level options that an environment does not repeat, and so has the defaults of.
fn check_inherited(toml: &WranglerConfig, findings: &mut Findings) {
    let lost = toml.lost_options();
    if !lost.is_empty() {
        findings.warn(
            toml.scope_place(),
            "vars",
            format!(
                "environments inherit no vars, so {} {} the default here: repeat the options you need",
                lost.join(", "),
                if lost.len() == 1 { "has" } else { "have" }
            ),
        );
    }
}

/// The custom domains of the worker.
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

/// Whether an id is not one of Cloudflare's, which are 32 hexadecimal digits.
fn is_placeholder(id: &str) -> bool {
    id.len() != 32 || !id.bytes().all(|b| b.is_ascii_hexdigit()) || id.trim_start_matches('0').len() < 8
}

/// What the gate needs of the runtime: fetches that bypass the cache, and a signal when a client disconnects.
fn check_runtime(toml: &WranglerConfig, findings: &mut Findings) {
    /// From this date `fetch` accepts `cache: "no-store"`, which each request to an origin has.
    const MIN_DATE: Date = date(2024, 11, 11);
    const SIGNAL: &str = "enable_request_signal";
    let found = toml.inherited(&[DATE]);
    let is_written = found.as_ref().is_some_and(|(date, _)| date.as_str().is_some());
    let is_late = toml.compatibility_date().is_some_and(|date| date >= MIN_DATE);
    // Before that date a flag turns it on, and since then another turns it off.
    if toml.has_flag("cache_option_disabled") || !(is_late || is_written && toml.has_flag("cache_option_enabled")) {
        let position = found.as_ref().map_or_else(|| toml.scope_place(), |(_, position)| position.clone());
        findings.problem(
            position,
            DATE,
            format!("missing, not a date such as \"2026-11-01\", or before {MIN_DATE} (or the flag cache_option_disabled is set): the runtime rejects fetches that bypass its cache, so no request reaches the origin. Write today's date"),
        );
    }
    if !toml.has_flag(SIGNAL) {
        let flags =
            toml.inherited(&["compatibility_flags"]).map_or_else(|| toml.scope_place(), |(_, position)| position);
        findings.warn(
            flags,
            "compatibility_flags",
            format!("without {SIGNAL:?} the gate does not learn that a client has disconnected, and frees the request's resources only after 70 seconds: write compatibility_flags = [{SIGNAL:?}]"),
        );
    }
}

/// Keys other than secrets and hashes of scrypt take `node:crypto`, unless the worker is built without it.
fn check_crypto(toml: &WranglerConfig, views: [(View, &Loaded); 2], findings: &mut Findings) {
    let is_needed = |(view, loaded): (View, &Loaded)| {
        let named = toml.variables_of(view).get("JWT_ALGORITHM").and_then(Value::as_str).map(str::to_owned);
        let named = named.and_then(|name| Algorithm::from_name(&name)).is_some_and(|named| !named.is_symmetric());
        let has = |config: &Config| {
            let has_scrypt = config.hashing.kinds.iter().any(|kind| matches!(kind, Kdf::Scrypt { .. }));
            has_scrypt || config.tokens.keys().has_public_keys()
        };
        named || loaded.config.as_ref().is_ok_and(has)
    };
    if !toml.has_node_crypto() && views.into_iter().any(is_needed) {
        lacks_node_crypto(toml, "the gate's keys or declared password hashes need", findings);
    }
}

fn lacks_node_crypto(toml: &WranglerConfig, who: &str, findings: &mut Findings) {
    let severity = if toml.is_stock() { Severity::FailsTheCheck } else { Severity::Warns };
    let position = toml.inherited(&["compatibility_flags"]).or_else(|| toml.inherited(&[DATE]));
    let position = position.map_or_else(|| toml.scope_place(), |(_, position)| position);
    findings.add(
        severity,
        position,
        "compatibility_flags",
        format!("without \"nodejs_compat\" the runtime has no node:crypto, which {who}: write a compatibility_date from {NODE_DATE} on and no \"no_nodejs_compat_v2\", or add \"nodejs_compat\"; or build the worker with the feature rust-crypto"),
    );
}

/// The structure of the file, and other files in its folder and among the static files.
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
                "environments do not inherit top-level vars: repeat them as {}",
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
            format!("{} is among the static files, which wrangler uploads: move the static files to a separate folder, or list it in .assetsignore", file.display()),
        );
    }
    for (name, position) in toml.misplaced_options() {
        let heading = if name == "ROUTES" { toml.rule_heading() } else { toml.heading(&["vars"]) };
        findings.problem(
            position,
            name,
            format!("outside vars, where the gate does not read it: write it under {heading}"),
        );
    }
    for (name, position) in toml.doubled_members() {
        findings.problem(
            position,
            options::shown(name),
            "a duplicate in this table, of which only the last is read: remove this one",
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
            format!("wrangler reads this file and ignores {}: remove one of the two", path.display()),
        );
    }
}

/// The binding of the store. `config` is the gate's configuration, if it is valid.
fn check_users(toml: &WranglerConfig, config: Option<&Config>, findings: &mut Findings) {
    let make = format!("`npx wrangler kv namespace create {BINDING}`");
    let needs_store = config.is_none_or(|config| {
        config.routes.login_path().is_some() || config.routes.rules().any(|rule| rule.user == UserFrom::Stored)
    });
    match toml.kv_namespace(BINDING) {
        None if !needs_store => {}
        None => {
            let has_own_code = toml.inherited(&["main"]).is_some() && !toml.is_stock();
            let (severity, own) = match has_own_code {
                true => (Severity::Warns, ". A worker with users of its own needs none"),
                false => (Severity::FailsTheCheck, ""),
            };
            findings.add(
                severity,
                toml.scope_place(),
                "kv_namespaces",
                format!("no binding {BINDING:?} for the users: add {} with binding = \"{BINDING}\" (environments do not inherit it){own}", toml.list_heading("kv_namespaces")),
            );
        }
        // wrangler creates the namespace at the first deployment, and writes its id there.
        Some((id, _)) if id.is_empty() => {}
        Some((id, position)) if is_placeholder(&id) => findings.warn(
            position,
            "kv_namespaces",
            format!("the id is a placeholder, which works for the local store only: before a deployment run {make} and write the id that it prints"),
        ),
        Some(_) => {}
    }
}

/// Features that are off because a binding is missing, and incomplete bindings.
fn check_services(toml: &WranglerConfig, findings: &mut Findings) {
    let stock = [(object::BINDING, "Account"), (revocation::BINDING, "Revocations")];
    let found = stock.map(|(binding, _)| toml.durable_object(binding));
    let is_half = found.iter().flatten().count() == 1;
    for diagnostic in toml.bindings().missing() {
        if !(is_half && diagnostic.option.contains(object::BINDING)) {
            findings.warn(toml.scope_place(), diagnostic.option, diagnostic.text);
        }
    }
    if is_half
        && let Some(((lacking, class), _)) = stock.iter().zip(&found).find(|(_, found)| found.is_none())
        && let Some((_, position)) = found.iter().flatten().next()
    {
        findings.warn(
            position.clone(),
            *lacking,
            format!("no such binding; sessions need both, so they are off: add {} with name = \"{lacking}\" and class_name = \"{class}\"", toml.list_heading("durable_objects.bindings")),
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
            format!("no migration creates {}, so Cloudflare will reject the deployment: add {} with a new tag and new_sqlite_classes = {}", lacking.join(" and "), toml.list_heading("migrations"), json!(lacking)),
        );
    }
}

/// Settings of the asset server with which it would serve other files than the gate decides on.
fn check_assets(toml: &WranglerConfig, rule: usize, findings: &mut Findings) {
    for (member, good, written, why) in [
        ("binding", json!("ASSETS"), "binding = \"ASSETS\"", "the gate uses this name"),
        (
            "run_worker_first",
            json!(true),
            "run_worker_first = true",
            "otherwise files are served without a check by the gate",
        ),
        (
            "html_handling",
            json!("none"),
            "html_handling = \"none\"",
            "otherwise the asset server maps the path to another one than the gate decided on",
        ),
    ] {
        match toml.assets(member) {
            None => {
                return findings.problem(
                    toml.place_of(&format!("ROUTES[{rule}].to")),
                    format!("ROUTES[{rule}].to"),
                    format!("goes to the static files, but there is no {assets}: add it with directory = \"public\", binding = \"ASSETS\", run_worker_first = true, html_handling = \"none\"", assets = toml.heading(&["assets"])),
                );
            }
            Some((value, position)) if value != good => {
                findings.problem(position, format!("assets.{member}"), format!("write {written}: {why}"));
            }
            Some(_) => {}
        }
    }
}

/// A cache that answers before the worker runs.
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
                format!("Workers Cache answers before the worker runs, and its keys do not include the identity: a response that is stored for one user goes to every client without a check by the gate. Write enabled = false, or remove [{}]", table.join(".")),
            );
        }
    }
}

/// Services behind the gate whose own cache answers before they run. Their configurations are looked for in the folders
/// beside this one.
fn check_cached_services(toml: &WranglerConfig, findings: &mut Findings) {
    let used = toml.variables_of(View::Deployed).get("ORIGINS").map(ToString::to_string).unwrap_or_default();
    for (binding, service, position) in toml.fetchers() {
        let Some(service) = service.filter(|_| used.contains(&binding)) else { continue };
        let Some(path) =
            toml.neighbour(&service, |other| other.inherited(&["cache", "enabled"]).is_some_and(|(on, _)| on == true))
        else {
            continue;
        };
        findings.problem(
            position,
            binding,
            format!("{} turns Workers Cache on for this service: it answers by path before the service runs, and its keys do not include the identity that the gate sends, so one user gets the answer that was made for another. Write enabled = false there", path.display()),
        );
    }
}

/// Addresses of the worker other than its routes. As in wrangler 4 (getSubdomainValues), workers_dev is on by default
/// where there are no routes, and Cloudflare's default for preview_urls follows it. Environments inherit all of these.
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
            "the gate is also reachable at its workers.dev address, where your zone's rules (firewall, rate limits, Access) don't apply: write workers_dev = false",
        );
    }
    let is_dev = workers_dev.as_ref().map_or(!has_routes, |(on, _)| *on);
    let (is_preview, why) = match &preview_urls {
        Some((on, _)) => (*on, ""),
        None => (is_dev, "on by default, like workers_dev: "),
    };
    if is_preview {
        let position = preview_urls.or(workers_dev).map_or_else(|| toml.scope_place(), |(_, position)| position);
        findings.warn(
            position,
            "preview_urls",
            format!("{why}every uploaded version, with the rules it had then, is reachable at its own address, where your zone's rules don't apply: write preview_urls = false above the first table"),
        );
    }
}

/// How many of the stored users are looked at: as many as wrangler reads at once.
const MAX_USERS: usize = 100;

/// Demo users in the store, and hashes that take longer than is configured.
fn check_store(place: &StoreArgs, findings: &mut Findings) -> Result<(), Failure> {
    let store = Store::open(place)?;
    let hashing = store.passwords()?.hashing;
    check_demo_users(&store, &hashing, findings)?;
    let keys: Vec<String> = store.keys("login")?.into_iter().take(MAX_USERS).collect();
    let found = store.get(&keys)?;
    let hashes: Vec<String> =
        found.values().filter_map(|text| Some(LoginRecord::read(text.as_bytes()).ok()?.hash().to_owned())).collect();
    if hashes.iter().any(|hash| is_scrypt(hash)) && !store.toml.has_node_crypto() {
        lacks_node_crypto(&store.toml, "hashes in the store (scrypt) need", findings);
    }
    if let Some(kinds) = undeclared_kinds(hashes.iter().map(String::as_str), &hashing) {
        findings.warn(
            store.toml.place_in(View::Deployed, "TOLLGATE_PASSWORD_KINDS"),
            "TOLLGATE_PASSWORD_KINDS",
            format!("the {} has hashes that take longer to check than a new one, so the duration of a log-in reveals which users were imported: write [{kinds}]", store.name()),
        );
    }
    Ok(())
}

fn check_demo_users(store: &Store, hashing: &Hashing, findings: &mut Findings) -> Result<(), Failure> {
    let names = ["user1", "user2"];
    let found = store.get(&names.map(LoginRecord::key))?;
    let position = store.toml.kv_namespace(BINDING).map_or_else(|| store.toml.scope_place(), |(_, position)| position);
    for name in names {
        let record = found.get(&LoginRecord::key(name)).and_then(|text| LoginRecord::read(text.as_bytes()).ok());
        let known = record.is_some_and(|record| {
            let check = password::check(Some(record.hash()), &Secret::new("abcxyz".into()), hashing);
            matches!(check, Ok(Check::Right | Check::RightButOutdated))
        });
        if known {
            findings.warn(
                position.clone(),
                BINDING,
                format!(
                    "the demo user {name} is in the {} with its published password: run `tollgate user delete {name}`",
                    store.name()
                ),
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

/// The table of options and the members of a rule, as JSON.
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
