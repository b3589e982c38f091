//! The origins that `ORIGINS` names.

use super::origin::read_url;
use crate::rules::{
    config::{
        diagnostics::Diagnostics,
        options,
        raw::RawConfig,
        value::{as_json, as_seconds},
    },
    diagnostic::did_you_mean,
    forward::{self, FORWARDED_HEADER, Filter},
    header::is_imitation,
    json::{Map, Value},
    origin::{Address, Origin, OriginHeader, UNNAMED},
    secret::Secret,
    time::Duration,
};

const OPTION: &str = "ORIGINS";
const MEMBERS: [&str; 7] = ["name", "url", "service", "prefix", "timeout", "headers", "host"];
/// Values of `to` that are not names of origins.
const RESERVED: [&str; 4] = ["identity", "assets", UNNAMED, "worker"];
/// Fields that say how a message is sent, or that belong to the client's request; names as in [`is_imitation`].
const NOT_FOR_ORIGINS: [&str; 8] =
    ["host", "content-length", "content-type", "content-encoding", "cookie", "upgrade", "origin", "range"];

/// The names of the secrets whose values header fields in `ORIGINS` get.
#[must_use]
pub fn secret_names(vars: &Map<String, Value>) -> Vec<String> {
    let origins = vars.get(OPTION).map(as_json);
    let headers = origins
        .iter()
        .flat_map(|origins| origins.as_array())
        .flatten()
        .filter_map(|origin| origin["headers"].as_object());
    let secrets = headers.flat_map(Map::values).filter_map(|value| value["secret"].as_str());
    secrets.map(str::to_owned).collect()
}

/// The names of the bindings that origins in `ORIGINS` are reached through.
#[must_use]
pub fn service_names(vars: &Map<String, Value>) -> Vec<String> {
    let origins = vars.get(OPTION).map(as_json);
    let origins = origins.iter().flat_map(|origins| origins.as_array()).flatten();
    origins.filter_map(|origin| origin["service"].as_str()).map(str::to_owned).collect()
}

/// The origins, without those that have a problem. `has_binding` says whether the worker has a binding of this name.
pub(in crate::rules::config) fn origins(
    raw: &RawConfig,
    vars: &Map<String, Value>,
    has_binding: &dyn Fn(&str) -> bool,
    diagnostics: &mut Diagnostics<'_>,
) -> Vec<Origin> {
    let mut origins: Vec<Origin> = Vec::new();
    for (index, value) in raw.origins.iter().enumerate() {
        let mut reader =
            Reader { raw, vars, has_binding, option: format!("{OPTION}[{index}]"), diagnostics: &mut *diagnostics };
        let Some(origin) = reader.origin(value) else { continue };
        if origins.iter().any(|other| other.name == origin.name) {
            reader.problem("name", "an earlier origin has it too: write another name");
        } else {
            origins.push(origin);
        }
    }
    origins
}

/// Reads one entry.
struct Reader<'r, 'e> {
    raw: &'r RawConfig,
    vars: &'r Map<String, Value>,
    has_binding: &'r dyn Fn(&str) -> bool,
    /// The entry as diagnostics name it: `ORIGINS[0]`.
    option: String,
    diagnostics: &'r mut Diagnostics<'e>,
}

impl Reader<'_, '_> {
    fn problem(&mut self, member: &str, text: impl Into<String>) {
        self.diagnostics.problem(&format!("{}.{member}", self.option), text);
    }

    /// `None` after a problem.
    fn origin(&mut self, value: &Value) -> Option<Origin> {
        let Some(table) = value.as_object() else {
            self.diagnostics.problem(&self.option, "write a table: [[vars.ORIGINS]]");
            return None;
        };
        for name in table.keys().filter(|name| !MEMBERS.contains(&name.as_str())) {
            let shown = options::shown(name);
            self.problem(shown, format!("no such member{}", did_you_mean(name, MEMBERS.into_iter())));
        }
        let name = self.name(table);
        let address = self.address(table);
        let prefix = self.prefix(table);
        let timeout = self.timeout(table);
        let headers = self.headers(table);
        let (address, path) = address?;
        Some(Origin { name: name?, address, prefix: path + &prefix?, timeout: timeout?, headers: headers? })
    }

    fn name(&mut self, table: &Map<String, Value>) -> Option<String> {
        let is_name = |text: &&str| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        };
        match table.get("name").and_then(Value::as_str).filter(is_name) {
            Some(name) if RESERVED.contains(&name) => {
                self.problem("name", format!("{name:?} has another meaning in rules: write another name"));
                None
            }
            Some(name) => Some(name.to_owned()),
            None => {
                self.problem("name", "write a name for rules, such as \"orders\": ASCII letters, digits, - _ and .");
                None
            }
        }
    }

    /// How it is reached, and the path of its URL.
    fn address(&mut self, table: &Map<String, Value>) -> Option<(Address, String)> {
        let text = |member: &str| table.get(member).map(|value| value.as_str().unwrap_or_default());
        let (url, service, host) = (text("url"), text("service"), text("host"));
        if url.is_none() && service.is_none() {
            self.problem(
                "url",
                "missing: write where it is, such as \"https://orders.example.com\", or its binding as service",
            );
            return None;
        }
        if let Some(binding) = service
            && !(self.has_binding)(binding)
        {
            let shown = options::shown(binding);
            self.problem(
                "service",
                format!("no binding {shown:?}: add an entry to services with this binding, or write another"),
            );
            return None;
        }
        let site_and_path = match url {
            None => None,
            Some(url) => {
                let option = format!("{}.url", self.option);
                let danger = "identities and tokens travel in the open";
                Some(read_url(&option, url, "https://orders.example.com", danger, self.diagnostics)?)
            }
        };
        let text = match (service.map(str::to_owned), site_and_path, host) {
            (Some(binding), None, None | Some("client")) => {
                return Some((Address::Service { binding, site: None }, String::new()));
            }
            (Some(binding), Some((site, path)), None | Some("origin")) => {
                return Some((Address::Service { binding, site: Some(site) }, path));
            }
            (None, Some((site, path)), None | Some("origin")) => return Some((Address::Network(site), path)),
            (_, None, Some("origin")) => "without url the service has no host of its own: write url too, or \"client\"",
            (Some(_), Some(_), Some("client")) => "url has the host already: remove one of the two",
            (None, _, Some("client")) => {
                "only with service alone: a request through the network has the host of its URL, and the runtime lets no worker change that. The client's is in X-Forwarded-Host"
            }
            (_, _, Some(_)) | (None, None, None) => "write \"origin\" or \"client\"",
        };
        self.problem("host", text);
        None
    }

    fn prefix(&mut self, table: &Map<String, Value>) -> Option<String> {
        let Some(value) = table.get("prefix") else { return Some(String::new()) };
        let is_good = |text: &&str| {
            let path = text.parse::<http::uri::PathAndQuery>();
            text.starts_with('/')
                && !text.ends_with('/')
                && !text.contains(['*', '{', '?', '#', '%'])
                && !text.split('/').skip(1).any(|segment| matches!(segment, "" | "." | ".."))
                && path.is_ok()
        };
        match value.as_str().filter(is_good) {
            Some(prefix) => Some(prefix.to_owned()),
            None => {
                self.problem("prefix", "write a path that is put before each request's, such as \"/v2\": no slash at its end, no variables, no escapes");
                None
            }
        }
    }

    fn timeout(&mut self, table: &Map<String, Value>) -> Option<Duration> {
        let timeout = table.get("timeout").map_or(Ok(self.raw.origin_timeout), as_seconds);
        match timeout {
            Ok(timeout) if timeout > Duration::ZERO && timeout <= Duration::seconds(600) => Some(timeout),
            // ORIGIN_TIMEOUT has its own check.
            Ok(timeout) if !table.contains_key("timeout") => Some(timeout),
            Ok(_) | Err(_) => {
                self.problem("timeout", "write more than 0 and at most 10 minutes, such as \"10s\"");
                None
            }
        }
    }

    fn headers(&mut self, table: &Map<String, Value>) -> Option<Vec<OriginHeader>> {
        let Some(value) = table.get("headers") else { return Some(Vec::new()) };
        let Some(fields) = value.as_object() else {
            self.problem("headers", "write a table, such as { \"X-Gate-Key\" = { secret = \"ORDERS_KEY\" } }");
            return None;
        };
        let mut headers: Vec<OriginHeader> = Vec::new();
        let mut is_good = true;
        for (name, value) in fields {
            let text = if let Some(text) = self.why_not(name) {
                text.to_owned()
            } else if headers.iter().any(|other| is_imitation(name, &other.name)) {
                "set twice: some origins read both spellings as one field".into()
            } else {
                match self.field(value) {
                    Ok((secret, value)) => {
                        headers.push(OriginHeader {
                            name: name.to_ascii_lowercase(),
                            secret,
                            value: Secret::new(value),
                        });
                        continue;
                    }
                    Err(text) => text,
                }
            };
            is_good = false;
            self.problem("headers", format!("{name:?}: {text}"));
        }
        is_good.then_some(headers)
    }

    /// Why a field can't be set for an origin; `None` if it can.
    fn why_not(&self, name: &str) -> Option<&'static str> {
        let is = |known: &&str| is_imitation(name, known);
        let lower = name.to_ascii_lowercase();
        let text = if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
            "not a header field's name: use ASCII letters, digits and hyphens"
        } else if Filter::is_the_gates(name) || Filter::is_forwarded_field(name) || is(&FORWARDED_HEADER) {
            "the gate's own field: write another name"
        } else if self.raw.claim_headers.iter().any(|header| header.is_imitated_by(name)) {
            "in TOLLGATE_CLAIM_HEADERS too: write another name"
        } else if self.raw.keep_headers.iter().any(|kept| is_imitation(name, kept)) {
            "in TOLLGATE_KEEP_HEADERS too, which lets clients set it: remove one of the two"
        } else if NOT_FOR_ORIGINS.iter().any(is)
            || forward::is_hop_by_hop(&lower)
            || lower.starts_with("sec-")
            || (lower.starts_with("cf-") && !lower.starts_with("cf-access-"))
        {
            "a field with another meaning: write another name"
        } else {
            return None;
        };
        Some(text)
    }

    /// A field's value, and the secret that it comes from.
    fn field(&mut self, value: &Value) -> Result<(Option<String>, String), String> {
        let is_value = |text: &str| {
            !text.is_empty() && text.trim() == text && http::HeaderValue::from_str(text).is_ok() && text.is_ascii()
        };
        if let Some(text) = value.as_str() {
            return if is_value(text) {
                Ok((None, text.to_owned()))
            } else {
                Err("can't stand in a header: write visible ASCII characters".into())
            };
        }
        let named = value.as_object().filter(|table| table.len() == 1).and_then(|table| table.get("secret")?.as_str());
        let secret = named.ok_or("write a text, or { secret = \"NAME\" } for the value of a secret")?;
        if options::find(secret).is_some() {
            return Err(format!("{secret} is an option of the gate: give the origin a secret of its own"));
        }
        match self.vars.get(secret).and_then(Value::as_str) {
            Some(text) if is_value(text) => Ok((Some(secret.to_owned()), text.to_owned())),
            Some(_) => Err(format!(
                "the secret {secret} can't stand in a header: give it visible ASCII characters, without a line feed at the end"
            )),
            None if self.diagnostics.may_be_elsewhere() => {
                if !self.diagnostics.is_declared(secret) {
                    self.diagnostics.warn(&format!("{}.headers", self.option), format!("the secret {secret} is not here: without it the gate answers 500. On Cloudflare: `npx wrangler secret put {secret}`"));
                }
                Ok((Some(secret.to_owned()), String::new()))
            }
            None => Err(format!(
                "there is no secret {secret}: `npx wrangler secret put {secret}`; for `wrangler dev`, write it into .dev.vars"
            )),
        }
    }
}
