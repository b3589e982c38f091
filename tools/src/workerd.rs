//! Plays cases against the gate in real workerd, one for each configuration, with tokens made anew for the present
//! (`../shared/oracle/README.md` §4 ii). tests/e2e/replay.mjs starts the gates and sends the requests.

use crate::{
    app::{App, Users},
    extended,
    replay::Player,
    transcript::{Case, Exchange, Library, Request, Token},
};
use base64ct::{Base64UrlUnpadded, Encoding};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tollgate::rules::{identity::Id, password, secret::Secret, store, wire::Answer};

/// The floor: what a hash costs is not what is tried here.
const ITERATIONS: u32 = password::LEAST_ITERATIONS;

/// Gates in workerd.
pub struct Workerd {
    runner: Child,
    /// Closing it ends the runner, which ends its workerd.
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    /// The variables of the gate that runs.
    running: Option<Map<String, Value>>,
    hash: password::PasswordHash,
}

#[derive(Deserialize)]
struct Received {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Workerd {
    /// Starts the runner. `cargo xtask replay --workerd` has built what it needs.
    ///
    /// # Errors
    /// If it can't be run.
    pub fn start(root: &Path) -> Result<Self, String> {
        let mut runner = Command::new(root.join("node_modules/.bin/node"))
            .arg(root.join("tests/e2e/replay.mjs"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("tests/e2e/replay.mjs can't be run: {error}"))?;
        let (to, from) = (runner.stdin.take(), runner.stdout.take().expect("piped"));
        let mut salt = [0; password::SALT_BYTES];
        getrandom::fill(&mut salt).map_err(|error| error.to_string())?;
        let hash = password::hash(&Secret::new("abcxyz".to_owned()), &password::Hashing::new(ITERATIONS), salt);
        Ok(Self { runner, to, from: BufReader::new(from), running: None, hash })
    }

    /// One line to the runner, one back.
    fn call<A: for<'a> Deserialize<'a>>(&mut self, question: &Value) -> Result<A, String> {
        let to = self.to.as_mut().expect("open until dropped");
        writeln!(to, "{question}").and_then(|()| to.flush()).map_err(|error| error.to_string())?;
        let mut line = String::new();
        self.from.read_line(&mut line).map_err(|error| error.to_string())?;
        serde_json::from_str(&line).map_err(|error| format!("tests/e2e/replay.mjs said {line:?}: {error}"))
    }

    fn configure(&mut self, setting: &Setting) -> Result<(), String> {
        if self.running.as_ref() == Some(&setting.vars) {
            return Ok(());
        }
        let mut vars = setting.vars.clone();
        vars.insert("TOLLGATE_PASSWORD_ITERATIONS".into(), ITERATIONS.into());
        let records: Vec<(String, String)> =
            setting.users.iter().flat_map(|(id, name)| store::writes_for(id, name, &self.hash)).collect();
        self.call::<bool>(&json!({"start": {"vars": vars, "records": records}}))?;
        self.running = Some(setting.vars.clone());
        Ok(())
    }

    fn send(&mut self, request: &Request) -> Result<Answer, String> {
        let received: Received = self.call(&json!({"send": request}))?;
        Ok(Answer {
            status: received.status,
            headers: received.headers.into_iter().map(|(name, value)| (name.into(), value)).collect(),
            body: received.body,
        })
    }

    /// A token that the gate issues, aged as long as the recorded one was.
    fn issued(&mut self, case: &Case, setting: &Setting) -> Result<String, String> {
        let [path, name_key, password_key] = &setting.log_in;
        let granted = self.send(&Request {
            method: "POST".into(),
            path: path.clone(),
            headers: vec![("Content-Type".into(), "application/json".into())],
            body: Some(json!({name_key: "user1", password_key: "abcxyz"}).to_string()),
        })?;
        let body: Value = serde_json::from_str(&granted.body).map_err(|_| format!("no log-in: {}", granted.body))?;
        let recorded = claims(case.literal_token.as_deref().unwrap_or_default());
        let is_refresh = recorded.as_ref().is_some_and(|claims| claims["type"] == "refresh");
        // Where only cookies are read, they have the tokens: the access token first.
        let cookies = granted.headers.iter().filter(|(name, _)| name == "set-cookie");
        let values = cookies.filter_map(|(_, cookie)| cookie.split(';').next()?.split_once('='));
        let mut tokens = values.map(|(_, value)| value).filter(|value| claims(value).is_some());
        let token = body[if is_refresh { "refresh_token" } else { "access_token" }].as_str();
        let token = token.or_else(|| tokens.nth(usize::from(is_refresh)));
        let token = token.ok_or_else(|| format!("no token: {body}"))?.to_owned();
        let issued_at = |claims: Option<Value>| claims?["iat"].as_f64();
        if let (Some(issued), Some(then)) = (issued_at(claims(&token)), issued_at(recorded)) {
            // Half a second more: the gate reads whole seconds.
            let aged = issued + case.recorded_at - then + 0.5;
            std::thread::sleep(Duration::from_secs_f64((aged - now()).clamp(0.0, 60.0)));
        }
        Ok(token)
    }
}

impl Player for Workerd {
    const TOLERANCE: f64 = 2.0;

    fn play<'c>(&mut self, case: &'c Case) -> Result<Result<Exchange<'c>, String>, String> {
        let setting = Setting::of(case)?;
        if let Some(reason) = out_of_reach(case, &setting) {
            return Ok(Err(reason.into()));
        }
        self.configure(&setting)?;
        #[allow(clippy::cast_possible_truncation)] // whole seconds
        let request = case.request_with(&match case.token_at(now() as i64)? {
            Token::None => case.literal_token.clone().unwrap_or_default(),
            Token::Made(token) => token,
            Token::Issued if case.name.ends_with("/bad_sig") => damaged(&self.issued(case, &setting)?),
            Token::Issued => self.issued(case, &setting)?,
        });
        let now = now();
        let ours = self.send(&request)?;
        if ours.status == 501 {
            return Ok(Err("a method that workerd does not know".into()));
        }
        Ok(Ok(Exchange { case, request, ours, now: now.floor() }))
    }
}

/// What a case asks of a gate.
struct Setting {
    vars: Map<String, Value>,
    users: Vec<(Id, &'static str)>,
    /// The path of the log-in, and the members of its body.
    log_in: [String; 3],
    is_hooked: bool,
}

impl Setting {
    fn of(case: &Case) -> Result<Self, String> {
        let text = |text: &str| text.to_owned();
        Ok(match case.library {
            Library::FlaskJwt => {
                let app = App::read(&case.config)?;
                let id = |number| if app.users == Users::Text { Id::Text("abc".into()) } else { Id::Int(number) };
                Self {
                    users: vec![(id(1), "user1"), (id(2), "user2")],
                    log_in: [
                        text(app.text("JWT_AUTH_URL_RULE", "/auth")),
                        text(app.text("JWT_AUTH_USERNAME_KEY", "username")),
                        text(app.text("JWT_AUTH_PASSWORD_KEY", "password")),
                    ],
                    is_hooked: app.is_hooked,
                    vars: app.vars,
                }
            }
            Library::Extended => {
                let app = extended::App::read(&case.config)?.issuing(&case.request);
                Self {
                    users: vec![(Id::Text("user1".into()), "user1")],
                    log_in: [text("/login"), text("username"), text("password")],
                    is_hooked: app.is_hooked,
                    vars: app.vars,
                }
            }
        })
    }
}

/// With another first letter of its signature.
fn damaged(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap_or((token, ""));
    let (first, rest) = signature.split_at(signature.len().min(1));
    format!("{signed}.{}{rest}", if first == "A" { "B" } else { "A" })
}

/// Why a case can't be played against a server, if it can't.
fn out_of_reach(case: &Case, setting: &Setting) -> Option<&'static str> {
    let fields = || case.request.headers.iter().map(|(_, value)| value);
    // A time written out in a payload is that of the recording, and the server's clock can't be set.
    let is_of_the_recording = |seconds: f64| (seconds - case.recorded_at).abs() < 86_400.0;
    let payload = case.token.as_ref().and_then(|token| token["raw_payload"].as_str()).unwrap_or_default();
    let mut numbers =
        payload.split(|c: char| !(c.is_ascii_digit() || ".e+".contains(c))).filter_map(|word| word.parse().ok());
    if setting.is_hooked {
        Some("a hook of the library")
    } else if case.library == Library::Extended && extended::IN_ITSELF.contains(&case.request.path_alone()) {
        Some("the application makes tokens or cookies itself here: played natively, with the library")
    } else if fields().any(|value| value.bytes().any(|b| b.is_ascii_control() && b != b'\t')) {
        Some("a control character in a header, which HTTP can't carry")
    } else if case.request.headers.len() > 1 && fields().any(String::is_empty) {
        Some("an empty header line beside another, which workerd drops")
    } else if case.request.path_alone().split('/').any(|segment| segment == "." || segment == "..") {
        Some("a dot segment, which is resolved before any worker sees it")
    } else if numbers.any(is_of_the_recording) {
        Some("a time of the recording, written out in the payload")
    } else {
        None
    }
}

impl Drop for Workerd {
    fn drop(&mut self) {
        drop(self.to.take());
        let _ = self.runner.wait();
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

fn claims(token: &str) -> Option<Value> {
    serde_json::from_slice(&Base64UrlUnpadded::decode_vec(token.split('.').nth(1)?).ok()?).ok()
}
