//! The gate's endpoint for operators, where sessions are ended.
//!
//! **What always holds:** the secret goes to the address that was named and nowhere else (no redirect is followed),
//! over TLS unless the gate is on this machine; it is no argument and part of no message. The users of the local store
//! are spoken of to a local gate only: elsewhere the same ids are other people.

use crate::{
    failure::Failure,
    kv::StoreArgs,
    output::remark,
    wrangler_config::{Selection, WranglerConfig},
};
use serde_json::{Value, json};
use std::time::Duration;
use tollgate::rules::{
    account::SessionSummary,
    config::options,
    identity::Id,
    rejection::{PermissionRejection, Rejection, SessionRejection},
    secret::Secret,
    time::Timestamp,
};
use ureq::{Agent, http::HeaderValue};
use url::{Host, Url};

/// Which gate.
#[derive(clap::Args)]
pub struct GateArgs {
    /// The gate's address, to end sessions there: https://app.example.com, or http://localhost:8787 for the local one.
    /// Its secret is TOLLGATE_ADMIN_SECRET in the environment; of the local one, else in .dev.vars
    #[arg(long, value_name = "URL", env = "TOLLGATE_GATE", hide_env_values = true)]
    gate: Option<String>,
}

/// The secret's name, for the gate and for this command.
pub const SECRET: &str = "TOLLGATE_ADMIN_SECRET";
const PATH: &str = "TOLLGATE_ADMIN_URL";
/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// A hundred sessions are a fraction of it.
const MOST_BYTES: u64 = 1 << 20;

/// A gate that can be told.
pub struct Gate {
    address: String,
    endpoint: Url,
    secret: Secret<String>,
    patience: Duration,
    is_local: bool,
}

impl Gate {
    /// The gate that was named, if one was, told on standard error. Nothing is asked of it yet.
    pub fn find(args: &GateArgs, selection: &Selection) -> Result<Option<Self>, Failure> {
        let Some(address) = args.gate.as_deref().filter(|address| !address.is_empty()) else { return Ok(None) };
        let (mut endpoint, is_local) = parse(address)?;
        let address = endpoint.as_str().trim_end_matches('/').to_owned();
        let toml = WranglerConfig::read_or_empty(selection)?;
        let default = options::find(PATH).map(|option| option.default).unwrap_or_default();
        endpoint.set_path(toml.variables().get(PATH).and_then(Value::as_str).unwrap_or(default));
        let secret = secret(&toml, is_local)?;
        remark(&format!("gate: {address}"));
        Ok(Some(Self { address, endpoint, secret, patience: TIMEOUT, is_local }))
    }

    /// The same; there must be one.
    pub fn open(args: &GateArgs, selection: &Selection) -> Result<Self, Failure> {
        Self::find(args, selection)?.ok_or_else(|| {
            Failure::usage(
                "no gate is named",
                "add --gate https://app.example.com, or `export TOLLGATE_GATE=…`; the local one: --gate http://localhost:8787",
            )
        })
    }

    /// Is it the gate of this store? Else a user's id there is somebody else's.
    pub fn must_fit(&self, store: &StoreArgs) -> Result<(), Failure> {
        if self.is_local || store.is_remote() {
            return Ok(());
        }
        Err(Failure::usage(
            format!("{} is not the gate of the local store; nothing was done", self.address),
            "--remote for the store on Cloudflare; the local gate: --gate http://localhost:8787; none: --gate ''",
        ))
    }

    /// As it was named.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A user's sessions, the latest first.
    pub fn sessions(&self, user: &Id) -> Result<Vec<SessionSummary>, Failure> {
        let mut answer = self.tell(&json!({"do": "list", "user": user.to_json()}))?;
        serde_json::from_value(answer["sessions"].take()).map_err(|_| self.not_understood())
    }

    /// Ends one of them.
    pub fn end(&self, user: &Id, session: &str) -> Result<(), Failure> {
        self.order(&json!({"do": "end", "user": user.to_json(), "session": session}))
    }

    /// Ends all of them. `version`: and refuses log-ins by every record that is older than this one, which was just
    /// written; `retire_password`: by every record of before.
    pub fn end_all(&self, user: &Id, retire_password: bool, version: Option<Timestamp>) -> Result<(), Failure> {
        let what = if retire_password { "retire-password" } else { "end-all" };
        let mut order = json!({"do": what, "user": user.to_json()});
        if let Some(version) = version {
            order["version"] = version.as_millis().into();
        }
        self.order(&order)
    }

    /// Makes one token void.
    pub fn revoke(&self, user: &Id, token_id: &str) -> Result<(), Failure> {
        self.order(&json!({"do": "revoke", "user": user.to_json(), "token_id": token_id}))
    }

    /// Ends every session of every user.
    pub fn end_everybody(&self) -> Result<(), Failure> {
        self.order(&json!({"do": "end-everybody"}))
    }

    fn order(&self, order: &Value) -> Result<(), Failure> {
        let answer = self.tell(order)?;
        if answer["msg"] == "done" { Ok(()) } else { Err(self.not_understood()) }
    }

    fn tell(&self, order: &Value) -> Result<Value, Failure> {
        let config = Agent::config_builder()
            .timeout_global(Some(self.patience))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent("tollgate");
        // A proxy for the world outside can't reach this machine.
        let config = if self.is_local { config.proxy(None) } else { config };
        let mut bearer =
            HeaderValue::from_str(&format!("Bearer {}", self.secret.expose())).map_err(|_| unsendable())?;
        bearer.set_sensitive(true);
        let answer = config
            .build()
            .new_agent()
            .post(self.endpoint.as_str())
            .header("authorization", bearer)
            .header("content-type", "application/json")
            .send(order.to_string());
        let read = answer.and_then(|mut answer| {
            let body = answer.body_mut().with_config().limit(MOST_BYTES).read_to_vec()?;
            Ok((answer.status().as_u16(), body))
        });
        let (status, body) = read.map_err(|error| self.not_reached(&error))?;
        match status {
            200 => serde_json::from_slice(&body).map_err(|_| self.not_understood()),
            _ => Err(self.refused(status, &body)),
        }
    }

    fn not_reached(&self, error: &ureq::Error) -> Failure {
        let why = match error {
            ureq::Error::Timeout(_) => format!("no answer within {} s", self.patience.as_secs_f32()),
            ureq::Error::Io(error) => error.to_string(),
            error => error.to_string(),
        };
        Failure::store(
            format!("the gate at {} can't be reached: {why}", self.address),
            "is the address right, and does the gate run? Then run it again: what is done twice does no harm",
        )
    }

    /// What a status means here. The gate's own rejections are known by their code; the same status without one comes
    /// from something else at this path.
    fn refused(&self, status: u16, body: &[u8]) -> Failure {
        let endpoint = &self.endpoint;
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let is = |rejection: Rejection| body["code"].as_str() == Some(rejection.code());
        match status {
            401 if is(Rejection::Permission(PermissionRejection::NotTheOperator)) => Failure::refused(
                format!("the gate at {} has another {SECRET}", self.address),
                format!(
                    "set {SECRET} here to what the gate has; to give the gate a new one: `tollgate secret generate | npx wrangler secret put {SECRET}`"
                ),
            ),
            404 if is(Rejection::Session(SessionRejection::Unknown)) => {
                Failure::refused("there is no such session (any more)", "`tollgate session list` tells which there are")
            }
            400 if is(Rejection::Permission(PermissionRejection::BadCommand)) => Failure::refused(
                format!("the gate at {} does not know this command", self.address),
                "it is of another version than this command: deploy it anew",
            ),
            401 | 403 | 404 | 405 => Failure::refused(
                format!("there is no endpoint for operators at {endpoint} (status {status})"),
                format!(
                    "it is there where the gate has {SECRET} and the bindings ACCOUNTS and REVOCATIONS (`tollgate config check`), at {PATH}; is it the right address?"
                ),
            ),
            300..=399 => Failure::refused(
                format!("{endpoint} sends elsewhere (status {status}), and the secret does not go along"),
                "name the gate's own address, as users reach it",
            ),
            500 => Failure::refused(
                format!("the gate at {} failed (status 500)", self.address),
                "its log (`npx wrangler tail`) and `tollgate config check` tell why",
            ),
            429 | 501..=599 => Failure::store(
                format!("the gate at {} can't do it just now (status {status})", self.address),
                "run it again in a few seconds: what is done twice does no harm",
            ),
            _ => self.not_understood(),
        }
    }

    fn not_understood(&self) -> Failure {
        Failure::refused(
            format!("the answer of {} is not one of a gate's endpoint for operators", self.endpoint),
            format!("is it the right address, and {PATH} the same here as at the gate?"),
        )
    }
}

/// The address, and is it on this machine?
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
        "http" => return wrong("over plain http everybody on the way sees the secret", "write https://"),
        _ => return wrong("neither https nor http", example),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return wrong(
            "a name or password in it",
            "leave it out: the secret is TOLLGATE_ADMIN_SECRET in the environment",
        );
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return wrong("more than an address", "leave the path out: it is TOLLGATE_ADMIN_URL of your wrangler.toml");
    }
    Ok((url, is_local))
}

/// From the environment; for the local gate else from `.dev.vars`, which are this machine's.
fn secret(toml: &WranglerConfig, is_local: bool) -> Result<Secret<String>, Failure> {
    let told = if is_local { toml.variables() } else { toml.plain_variables() };
    let told = told.get(SECRET).and_then(Value::as_str).map(str::to_owned);
    let found = std::env::var(SECRET).ok().filter(|secret| !secret.is_empty()).or(told);
    let secret = found.ok_or_else(|| {
        let (path, _) = toml.secrets_file();
        let nor = if is_local { format!(", nor in {}", path.display()) } else { String::new() };
        Failure::usage(
            format!("no {SECRET} in the environment{nor}; nothing was done"),
            format!("`read -rs {SECRET}; export {SECRET}` takes the gate's in, unseen; to give the gate one: `tollgate secret generate | npx wrangler secret put {SECRET}`"),
        )
    })?;
    let is_sendable = !secret.is_empty() && HeaderValue::from_str(&secret).is_ok();
    if is_sendable { Ok(Secret::new(secret)) } else { Err(unsendable()) }
}

fn unsendable() -> Failure {
    Failure::usage(
        format!("{SECRET} can't be sent: it has other characters than visible ASCII"),
        "give the gate one that can: `tollgate secret generate`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn an_address_is_of_tls_unless_it_is_this_machine() {
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
    fn a_gate_that_does_not_answer_is_not_waited_for_for_long() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let gate = Gate {
            endpoint: Url::parse(&address).unwrap(),
            address,
            secret: Secret::new("x".into()),
            patience: Duration::from_millis(200),
            is_local: true,
        };
        let failure = gate.end_everybody().unwrap_err();
        assert!(failure.what.ends_with("can't be reached: no answer within 0.2 s"), "{failure:?}");
    }
}
