//! Plays cases against the gate in real workerd, one for each configuration, with tokens made anew for the present
//! (`../shared/oracle/README.md` §4 ii). tests/e2e/replay.mjs starts the gates and sends the requests.

use crate::{
    app::{App, Users},
    replay::Player,
    transcript::{Case, Exchange, Request, Token},
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
    /// The configuration that runs.
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
        let hash = password::hash(&Secret::new("abcxyz".to_owned()), ITERATIONS, salt);
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

    fn configure(&mut self, case: &Case, app: &App) -> Result<(), String> {
        if self.running.as_ref() == Some(&case.config) {
            return Ok(());
        }
        let mut vars = app.vars.clone();
        vars.insert("TOLLGATE_PASSWORD_ITERATIONS".into(), ITERATIONS.into());
        let id = |number| if app.users == Users::Text { Id::Text("abc".into()) } else { Id::Int(number) };
        let records: Vec<(String, String)> = [(1, "user1"), (2, "user2")]
            .into_iter()
            .flat_map(|(number, name)| store::writes_for(&id(number), name, &self.hash))
            .collect();
        self.call::<bool>(&json!({"start": {"vars": vars, "records": records}}))?;
        self.running = Some(case.config.clone());
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
    fn issued(&mut self, case: &Case, app: &App) -> Result<String, String> {
        let credentials = json!({
            app.text("JWT_AUTH_USERNAME_KEY", "username"): "user1",
            app.text("JWT_AUTH_PASSWORD_KEY", "password"): "abcxyz",
        });
        let granted = self.send(&Request {
            method: "POST".into(),
            path: app.text("JWT_AUTH_URL_RULE", "/auth").into(),
            headers: vec![("Content-Type".into(), "application/json".into())],
            body: Some(credentials.to_string()),
        })?;
        let body: Value = serde_json::from_str(&granted.body).map_err(|_| format!("no log-in: {}", granted.body))?;
        let token = body["access_token"].as_str().ok_or_else(|| format!("no token: {body}"))?.to_owned();
        let recorded = case.literal_token.as_deref().unwrap_or_default();
        if let (Some(issued), Some(then)) = (issued_at(&token), issued_at(recorded)) {
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
        let app = App::read(&case.config)?;
        if let Some(reason) = out_of_reach(case, &app) {
            return Ok(Err(reason.into()));
        }
        self.configure(case, &app)?;
        #[allow(clippy::cast_possible_truncation)] // whole seconds
        let request = case.request_with(&match case.token_at(now() as i64)? {
            Token::None => case.literal_token.clone().unwrap_or_default(),
            Token::Made(token) => token,
            Token::Issued => self.issued(case, &app)?,
        });
        let now = now();
        let ours = self.send(&request)?;
        if ours.status == 501 {
            return Ok(Err("a method that workerd does not know".into()));
        }
        Ok(Ok(Exchange { case, request, ours, now: now.floor() }))
    }
}

/// Why a case can't be played against a server, if it can't.
fn out_of_reach(case: &Case, app: &App) -> Option<&'static str> {
    let fields = || case.request.headers.iter().map(|(_, value)| value);
    // A time written out in a payload is that of the recording, and the server's clock can't be set.
    let is_of_the_recording = |seconds: f64| (seconds - case.recorded_at).abs() < 86_400.0;
    let payload = case.token.as_ref().and_then(|token| token["raw_payload"].as_str()).unwrap_or_default();
    let mut numbers =
        payload.split(|c: char| !(c.is_ascii_digit() || ".e+".contains(c))).filter_map(|word| word.parse().ok());
    if app.is_hooked {
        Some("a hook of the library")
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

fn issued_at(token: &str) -> Option<f64> {
    let claims = Base64UrlUnpadded::decode_vec(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice::<Value>(&claims).ok()?["iat"].as_f64()
}
