//! The gate's endpoint for operators, where sessions are ended.
//!
//! **What always holds:** the secret is sent only to the named address (no redirect is followed), over TLS unless the
//! gate is on this machine; it is never an argument or part of a message. Commands about users of the local store go to
//! a local gate only, since the same ids elsewhere belong to other people.

use crate::{
    failure::Failure,
    kv::StoreArgs,
    output::remark,
    system::{self, Post, PostError},
    wrangler_config::{Selection, WranglerConfig},
};
use serde_json::{Map, Value, json};
use std::time::Duration;
use tollgate::rules::{
    account::SessionSummary,
    config::options,
    identity::Id,
    rejection::{PermissionRejection, Rejection, SessionRejection},
    secret::Secret,
    time::Timestamp,
};
use url::{Host, Url};

/// The option that names the gate.
#[derive(clap::Args)]
pub struct GateArgs {
    /// Address of the gate that keeps the sessions: https://app.example.com, or http://localhost:8787 for `wrangler dev`.
    /// Its secret is read from TOLLGATE_ADMIN_SECRET in the environment; for a local gate also from .dev.vars
    #[arg(long, value_name = "URL", env = "TOLLGATE_GATE", hide_env_values = true)]
    gate: Option<String>,
}

/// The options that choose the gate and the store.
#[derive(clap::Args)]
pub struct Place {
    #[command(flatten)]
    pub gate: GateArgs,
    #[command(flatten)]
    pub store: StoreArgs,
}

/// The variable with the secret, for the gate and for this command.
pub const SECRET: &str = "TOLLGATE_ADMIN_SECRET";
const PATH: &str = "TOLLGATE_ADMIN_URL";
/// Maximum time for an answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum size of an answer. A hundred sessions need a fraction of it.
const MAX_ANSWER_BYTES: u64 = 1 << 20;

/// A change of a user's attributes.
pub enum Change<'a> {
    /// Some are set, and some removed.
    Some { set: Map<String, Value>, without: &'a [String] },
    /// They are those of the profile that was just written.
    Replaced,
}

/// What the gate answers to a [`Change`].
#[derive(serde::Deserialize)]
pub struct Changed {
    /// All attributes, `username` among them.
    pub attributes: Map<String, Value>,
    /// Their version.
    pub version: Timestamp,
    /// Whether tokens with claims of other values are revoked.
    pub revokes: bool,
}

/// A gate that takes commands.
pub struct Gate {
    address: String,
    endpoint: Url,
    secret: Secret<String>,
    timeout: Duration,
    is_local: bool,
}

impl Gate {
    /// The gate that is named, if one is. Prints its address on standard error. Sends nothing.
    pub fn find(args: &GateArgs, selection: &Selection) -> Result<Option<Self>, Failure> {
        let Some(address) = args.gate.as_deref().filter(|address| !address.is_empty()) else { return Ok(None) };
        let (mut endpoint, is_local) = parse(address)?;
        let address = endpoint.as_str().trim_end_matches('/').to_owned();
        let toml = WranglerConfig::read_or_empty(selection)?;
        let default = options::find(PATH).map(|option| option.default).unwrap_or_default();
        endpoint.set_path(toml.variables().get(PATH).and_then(Value::as_str).unwrap_or(default));
        let secret = secret(&toml, is_local)?;
        remark(&format!("gate: {address}"));
        Ok(Some(Self { address, endpoint, secret, timeout: TIMEOUT, is_local }))
    }

    /// The gate that is named.
    ///
    /// # Errors
    /// No gate is named, or as for [`Self::find`].
    pub fn open(args: &GateArgs, selection: &Selection) -> Result<Self, Failure> {
        Self::find(args, selection)?.ok_or_else(|| {
            Failure::usage(
                "no gate is named",
                "add --gate https://app.example.com, or `export TOLLGATE_GATE=…`; for the local gate: --gate http://localhost:8787",
            )
        })
    }

    /// Fails if the store is local and the gate is not: the same id there belongs to another user.
    pub fn check_store(&self, store: &StoreArgs) -> Result<(), Failure> {
        if self.is_local || store.is_remote() {
            return Ok(());
        }
        Err(Failure::usage(
            format!("{} is not the gate of the local store; nothing was done", self.address),
            "for the store on Cloudflare add --remote; for the local gate: --gate http://localhost:8787; for no gate: --gate ''",
        ))
    }

    /// The address as it was named, without a path.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A user's sessions, the most recent first.
    pub fn sessions(&self, user: &Id) -> Result<Vec<SessionSummary>, Failure> {
        let mut answer = self.send(&json!({"do": "list", "user": user.to_json()}))?;
        serde_json::from_value(answer["sessions"].take()).map_err(|_| self.unknown_answer())
    }

    /// Ends one of a user's sessions.
    pub fn end(&self, user: &Id, session: &str) -> Result<(), Failure> {
        self.execute(&json!({"do": "end", "user": user.to_json(), "session": session}))
    }

    /// Ends all of a user's sessions. With `version`, also rejects log-ins with records older than that version; with
    /// `retire_password`, with every record written before now; with `forget_attributes`, forgets the attributes.
    pub fn end_all(
        &self,
        user: &Id,
        retire_password: bool,
        version: Option<Timestamp>,
        forget_attributes: bool,
    ) -> Result<(), Failure> {
        let what = if retire_password { "retire-password" } else { "end-all" };
        let mut command = json!({"do": what, "user": user.to_json()});
        if let Some(version) = version {
            command["version"] = version.as_millis().into();
        }
        if forget_attributes {
            command["forget_attributes"] = true.into();
        }
        self.execute(&command)
    }

    /// Changes a user's attributes, or replaces them by those of the profile. The caller copies them into the store.
    pub fn set_attributes(&self, user: &Id, profile: &str, change: &Change) -> Result<Changed, Failure> {
        let (set, without, replaces) = match change {
            Change::Some { set, without } => (set.clone(), *without, false),
            Change::Replaced => (Map::new(), [].as_slice(), true),
        };
        let profile: Value = serde_json::from_str(profile).unwrap_or_default();
        let order = json!({
            "do": "set-attributes", "user": user.to_json(), "profile": profile, "set": set, "without": without,
            "replaces": replaces,
        });
        serde_json::from_value(self.send(&order)?).map_err(|_| self.unknown_answer())
    }

    /// Revokes one token.
    pub fn revoke(&self, user: &Id, token_id: &str) -> Result<(), Failure> {
        self.execute(&json!({"do": "revoke", "user": user.to_json(), "token_id": token_id}))
    }

    /// Ends every session of every user.
    pub fn end_everybody(&self) -> Result<(), Failure> {
        self.execute(&json!({"do": "end-everybody"}))
    }

    fn execute(&self, command: &Value) -> Result<(), Failure> {
        let answer = self.send(command)?;
        if answer["msg"] == "done" { Ok(()) } else { Err(self.unknown_answer()) }
    }

    fn send(&self, command: &Value) -> Result<Value, Failure> {
        let answer = system::post(Post {
            url: &self.endpoint,
            secret: &self.secret,
            body: command.to_string(),
            timeout: self.timeout,
            max_bytes: MAX_ANSWER_BYTES,
            uses_proxy: !self.is_local,
        });
        let (status, body) = answer.map_err(|error| self.not_reached(error))?;
        match status {
            200 => serde_json::from_slice(&body).map_err(|_| self.unknown_answer()),
            _ => Err(self.rejected(status, &body)),
        }
    }

    fn not_reached(&self, error: PostError) -> Failure {
        let why = match error {
            PostError::Timeout => format!("no answer within {} s", self.timeout.as_secs_f32()),
            PostError::Other(why) => why,
        };
        Failure::store(
            format!("the gate at {} can't be reached: {why}", self.address),
            "check the address and that the gate runs, then run the command again; repeating it is safe",
        )
    }

    /// The failure for a status other than 200. The gate's own rejections have a code; the same status without one
    /// comes from something else at this path.
    fn rejected(&self, status: u16, body: &[u8]) -> Failure {
        let endpoint = &self.endpoint;
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let is = |rejection: Rejection| body["code"].as_str() == Some(rejection.code());
        match status {
            401 if is(Rejection::Permission(PermissionRejection::NotTheOperator)) => Failure::rejected(
                format!("the gate at {} rejected the {SECRET}", self.address),
                format!(
                    "set {SECRET} to the gate's secret; to give the gate a new one: `tollgate secret generate | npx wrangler secret put {SECRET}`"
                ),
            ),
            404 if is(Rejection::Session(SessionRejection::Unknown)) => Failure::rejected(
                "no such session, or it has ended already",
                "`tollgate session list` shows the sessions",
            ),
            400 if is(Rejection::Permission(PermissionRejection::AttributesTooLong)) => Failure::rejected(
                "the user's attributes would be longer than 16 KiB or deeper than 32 levels, or the claims made of them (TOLLGATE_CLAIMS) longer than 2 KiB",
                "nothing was changed; shorten them, or remove some with --without",
            ),
            409 if is(Rejection::Permission(PermissionRejection::UserDeleted)) => Failure::rejected(
                "the user was deleted; the store may show it for a minute",
                "nothing was changed; for a new user: tollgate user add NAME",
            ),
            413 => Failure::rejected(
                format!("the command is too long for the gate at {} (status 413)", self.address),
                "nothing was changed; a user's attributes have at most 16 KiB",
            ),
            400 if is(Rejection::Permission(PermissionRejection::BadCommand)) => Failure::rejected(
                format!("the gate at {} does not know this command", self.address),
                "gate and command have different versions: deploy the gate again",
            ),
            401 | 403 | 404 | 405 => {
                let restart = if self.is_local { ". `wrangler dev` reads .dev.vars only when it starts" } else { "" };
                Failure::rejected(
                    format!("no endpoint for operators at {endpoint} (status {status})"),
                    format!(
                        "check the address; the endpoint is at {PATH}, if the gate has {SECRET} and the bindings ACCOUNTS and REVOCATIONS (`tollgate config check`){restart}"
                    ),
                )
            }
            300..=399 => Failure::rejected(
                format!("{endpoint} redirects (status {status}), and the secret is not sent to another address"),
                "name the gate's own address, as users reach it",
            ),
            500 => Failure::rejected(
                format!("the gate at {} failed (status 500)", self.address),
                "its log (`npx wrangler tail`) and `tollgate config check` have the reason",
            ),
            429 | 501..=599 => Failure::store(
                format!("the gate at {} is unavailable (status {status})", self.address),
                "run the command again in a few seconds; repeating it is safe",
            ),
            _ => self.unknown_answer(),
        }
    }

    fn unknown_answer(&self) -> Failure {
        Failure::rejected(
            format!("the answer of {} is not that of a gate's endpoint for operators", self.endpoint),
            format!("check the address, and that {PATH} is the same here and at the gate"),
        )
    }
}

/// Parses an address. Returns it, and whether it is on this machine.
fn parse(address: &str) -> Result<(Url, bool), Failure> {
    let wrong = |what: &str, hint: &str| Err(Failure::usage(format!("the gate's address: {what}"), hint));
    let example = "write it as in --gate https://app.example.com";
    let Ok(url) = Url::parse(address) else { return wrong("not a URL", example) };
    let is_local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => return wrong("no host in it", example),
    };
    match url.scheme() {
        "https" => {}
        "http" if is_local => {}
        "http" => return wrong("plain http would reveal the secret on the network", "write https://"),
        _ => return wrong("neither https nor http", example),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return wrong("a name or password in it", "remove it: the secret is TOLLGATE_ADMIN_SECRET in the environment");
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return wrong(
            "it has a path, query or fragment",
            "remove it: the path is TOLLGATE_ADMIN_URL in your wrangler.toml",
        );
    }
    Ok((url, is_local))
}

/// The secret from the environment; for a local gate else from `.dev.vars`, which belongs to this machine.
fn secret(toml: &WranglerConfig, is_local: bool) -> Result<Secret<String>, Failure> {
    let variables = if is_local { toml.variables() } else { toml.plain_variables() };
    let configured = variables.get(SECRET).and_then(Value::as_str).map(str::to_owned);
    let found = std::env::var(SECRET).ok().filter(|secret| !secret.is_empty()).or(configured);
    let secret = found.ok_or_else(|| {
        let (path, _) = toml.secrets_file();
        let nor = if is_local { format!(", nor in {}", path.display()) } else { String::new() };
        let give = if is_local {
            format!("`echo \"{SECRET}=$(tollgate secret generate)\" >> {}`, and start `wrangler dev` again", path.display())
        } else {
            format!("`tollgate secret generate | npx wrangler secret put {SECRET}`")
        };
        Failure::usage(
            format!("no {SECRET} in the environment{nor}; nothing was done"),
            format!("`read -rs {SECRET}; export {SECRET}` reads the gate's secret without showing it; to give the gate one: {give}"),
        )
    })?;
    let is_sendable = !secret.is_empty() && secret.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
    if is_sendable {
        return Ok(Secret::new(secret));
    }
    Err(Failure::usage(
        format!("{SECRET} can't be sent: it has characters other than visible ASCII"),
        "give the gate a secret of visible ASCII: `tollgate secret generate`",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn an_address_needs_tls_unless_it_is_this_machine() {
        for (address, is_local) in [
            ("https://app.example.com", Some(false)),
            ("https://app.example.com:8443/", Some(false)),
            ("http://localhost:8787", Some(true)),
            ("http://127.0.0.1:8787", Some(true)),
            ("http://[::1]:8787", Some(true)),
            ("https://localhost", Some(true)),
            ("http://app.example.com", None),
            ("http://localhost.example.com", None),
            ("http://127.0.0.1.example.com", None),
            ("http://10.0.0.1", None),
            ("app.example.com", None),
            ("localhost:8787", None),
            ("ftp://localhost", None),
            ("https://ann@app.example.com", None),
            ("https://:x@app.example.com", None),
            ("https://app.example.com/auth/admin", None),
            ("https://app.example.com?x", None),
            ("https://app.example.com#x", None),
            ("", None),
        ] {
            assert_eq!(parse(address).ok().map(|(_, is_local)| is_local), is_local, "{address}");
        }
    }

    #[test]
    fn a_gate_that_does_not_answer_times_out() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let gate = Gate {
            endpoint: Url::parse(&address).unwrap(),
            address,
            secret: Secret::new("x".into()),
            timeout: Duration::from_millis(200),
            is_local: true,
        };
        let failure = gate.end_everybody().unwrap_err();
        assert!(failure.what.ends_with("can't be reached: no answer within 0.2 s"), "{failure:?}");
    }
}
