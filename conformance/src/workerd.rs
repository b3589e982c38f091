//! Plays cases against gates in a real workerd, one gate for each configuration, with tokens made for the current time
//! (docs/compat/transcripts.md#against-workerd). tests/e2e/replay.mjs starts the gates and sends the requests.

use crate::{
    app::{App, Users},
    flask_jwt_extended,
    player::{Played, Player},
    transcript::{Case, Exchange, Library, Request, Token, segment},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tollgate::rules::{answer::Answer, identity::Id, json, password, secret::Secret, store, time::Timestamp};

/// The minimum, since the cost of hashes is not under test.
const ITERATIONS: u32 = password::LEAST_ITERATIONS;
/// Gates that run at once, all in one workerd: one workerd for each takes three times as long.
const GATES: usize = 64;
/// Age in seconds from which a recorded token's replacement is aged too. A younger one is used as soon as it is issued.
const AGED: f64 = 2.0;

/// Gates in workerd.
pub struct Workerd {
    runner: Child,
    /// Standard input of the runner, which ends with its workerd when this is closed. `None` only in `drop`.
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    hash: password::PasswordHash,
    /// The last log-in: gate, time in seconds since 1970, answer.
    granted: Option<(usize, f64, Answer)>,
}

#[derive(Deserialize)]
struct Received {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Workerd {
    /// Starts the runner, which needs what `cargo xtask replay --workerd` builds.
    ///
    /// # Errors
    /// The runner can't be started.
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
        Ok(Self { runner, to, from: BufReader::new(from), hash, granted: None })
    }

    /// Sends one line to the runner and reads its answer.
    fn call<A: for<'a> Deserialize<'a>>(&mut self, request: &Value) -> Result<A, String> {
        let to = self.to.as_mut().expect("open until dropped");
        // In ASCII: Node's readline takes U+2028 for the end of a line.
        writeln!(to, "{}", json::to_ascii(request)).and_then(|()| to.flush()).map_err(|error| error.to_string())?;
        let mut line = String::new();
        self.from.read_line(&mut line).map_err(|error| error.to_string())?;
        serde_json::from_str(&line).map_err(|error| format!("tests/e2e/replay.mjs answered {line:?}: {error}"))
    }

    /// Starts gates in place of the running ones.
    fn run(&mut self, settings: &[&Setting]) -> Result<(), String> {
        let gate = |setting: &&Setting| {
            let mut vars = setting.vars.clone();
            vars.insert("TOLLGATE_PASSWORD_ITERATIONS".into(), ITERATIONS.into());
            let records: Vec<(String, String)> =
                setting.users.iter().flat_map(|(id, name)| store::writes_for(id, name, &self.hash)).collect();
            json!({"vars": vars, "records": records})
        };
        let gates: Vec<Value> = settings.iter().map(gate).collect();
        self.granted = None;
        self.call::<bool>(&json!({"start": gates})).map(drop)
    }

    /// The answers of gates with these variables, one for each request.
    ///
    /// # Errors
    /// The runner fails.
    pub fn answers(&mut self, asked: &[(Map<String, Value>, Request)]) -> Result<Vec<Answer>, String> {
        let mut distinct: Vec<&Map<String, Value>> = Vec::new();
        for (vars, _) in asked {
            if !distinct.contains(&vars) {
                distinct.push(vars);
            }
        }
        let mut answers: BTreeMap<usize, Answer> = BTreeMap::new();
        for part in distinct.chunks(GATES) {
            let gates: Vec<Value> = part.iter().map(|vars| json!({"vars": vars, "records": []})).collect();
            self.call::<bool>(&json!({"start": gates}))?;
            for (at, (vars, request)) in asked.iter().enumerate() {
                if let Some(gate) = part.iter().position(|known| *known == vars) {
                    answers.insert(at, self.send(gate, request)?);
                }
            }
        }
        Ok(answers.into_values().collect())
    }

    fn send(&mut self, gate: usize, request: &Request) -> Result<Answer, String> {
        let received: Received = self.call(&json!({"gate": gate, "send": request}))?;
        Ok(Answer {
            status: received.status,
            headers: received.headers.into_iter().map(|(name, value)| (name.into(), value)).collect(),
            body: received.body,
        })
    }

    /// Plays a part of a file, whose gates run at once. Returns each result with its position in the file.
    fn play_part<'c>(&mut self, part: &[Turn<'c>]) -> Result<Vec<(usize, Played<'c>)>, String> {
        let settings = distinct(part);
        self.run(&settings)?;
        let gate = |turn: &Turn<'_>| settings.iter().position(|setting| setting.is_like(&turn.setting));
        let gates: Vec<usize> = part.iter().filter_map(gate).collect();
        let turns = || part.iter().zip(&gates);
        // Tokens that must age are issued first and used last, so that they age while the others are played.
        let mut aging = BTreeMap::new();
        for (turn, gate) in turns().filter(|(turn, _)| turn.must_age()) {
            aging.insert(turn.at, self.issued(*gate, turn).map_err(|error| turn.named(&error))?);
        }
        let (late, early): (Vec<_>, Vec<_>) = turns().partition(|(turn, _)| turn.must_age());
        let mut played = Vec::new();
        for (turn, gate) in early.into_iter().chain(late) {
            let outcome = self.play_one(*gate, turn, aging.remove(&turn.at));
            played.push((turn.at, outcome.map_err(|error| turn.named(&error))?));
        }
        Ok(played)
    }

    fn play_one<'c>(&mut self, gate: usize, turn: &Turn<'c>, aged: Option<String>) -> Result<Played<'c>, String> {
        let case = turn.case;
        turn.wait_for_time_left();
        #[allow(clippy::cast_possible_truncation)] // whole seconds
        let request = match (aged, case.token_at(now() as i64)?) {
            (Some(token), _) => {
                let issued_at = claims(&token).and_then(|claims| claims["iat"].as_f64()).unwrap_or_default();
                // Half a second more, because the gate's times are whole seconds.
                let ready = issued_at + turn.age().unwrap_or_default() + 0.5;
                std::thread::sleep(Duration::from_secs_f64((ready - now()).clamp(0.0, 60.0)));
                turn.request_with(&token)
            }
            (None, Token::None) => case.request_with(case.literal_token.as_deref().unwrap_or_default()),
            (None, Token::Made(token)) => case.request_with(&token),
            (None, Token::Issued) => turn.request_with(&self.issued(gate, turn)?),
        };
        let now = now();
        let ours = self.send(gate, &request)?;
        if ours.status == 501 {
            return Ok(Err("a method that workerd does not support".into()));
        }
        Ok(Ok(Exchange { case, request, ours, now: now.floor() }))
    }

    /// A token that the gate issues, of the recorded type and freshness.
    fn issued(&mut self, gate: usize, turn: &Turn<'_>) -> Result<String, String> {
        if let Some((app, algorithm, key)) = &turn.setting.elsewhere {
            let token = app.issued_elsewhere(algorithm, key.as_deref(), timestamp());
            return token.ok_or_else(|| format!("no gate with this {algorithm} key"));
        }
        let recorded = turn.recorded();
        let granted = self.login(gate, &turn.setting)?;
        if recorded["type"] == "refresh" {
            return token_in(&granted, true);
        }
        // A log-in issues a fresh token, a refresh one that is not fresh.
        if recorded["fresh"] != false {
            return token_in(&granted, false);
        }
        let refresh = token_in(&granted, true)?;
        let csrf = claims(&refresh).unwrap_or_default()["csrf"].as_str().unwrap_or_default().to_owned();
        let request = Request {
            method: "POST".into(),
            path: "/refresh".into(),
            headers: vec![
                ("Authorization".into(), format!("Bearer {refresh}")),
                ("Cookie".into(), format!("refresh_token_cookie={refresh}")),
                ("X-CSRF-TOKEN".into(), csrf),
            ],
            body: None,
        };
        token_in(&self.send(gate, &request)?, false)
    }

    /// The answer to a log-in, at most a second old: a log-in takes a tenth of a second.
    fn login(&mut self, gate: usize, setting: &Setting) -> Result<Answer, String> {
        match &self.granted {
            Some((known, at, answer)) if *known == gate && now() - at < AGED / 2.0 => return Ok(answer.clone()),
            _ => {}
        }
        let [path, name_key, password_key] = &setting.login;
        let request = Request {
            method: "POST".into(),
            path: path.clone(),
            headers: vec![("Content-Type".into(), "application/json".into())],
            body: Some(json!({name_key: "user1", password_key: "abcxyz"}).to_string()),
        };
        let answer = self.send(gate, &request)?;
        self.granted = Some((gate, now(), answer.clone()));
        Ok(answer)
    }
}

/// The token in an answer's body, else in its cookies, of which the first has the access token.
fn token_in(granted: &Answer, refresh: bool) -> Result<String, String> {
    let body: Value = serde_json::from_str(&granted.body).map_err(|_| format!("no log-in: {}", granted.body))?;
    let cookies = granted.headers.iter().filter(|(name, _)| name == "set-cookie");
    let values = cookies.filter_map(|(_, cookie)| cookie.split(';').next()?.split_once('='));
    let mut tokens = values.map(|(_, value)| value).filter(|value| claims(value).is_some());
    let token = body[if refresh { "refresh_token" } else { "access_token" }].as_str();
    let token = token.or_else(|| tokens.nth(usize::from(refresh)));
    Ok(token.ok_or_else(|| format!("no token: {body}"))?.to_owned())
}

/// The settings, one of those that can share a gate.
fn distinct<'t>(turns: &'t [Turn<'_>]) -> Vec<&'t Setting> {
    let mut settings: Vec<&Setting> = Vec::new();
    for Turn { setting, .. } in turns {
        if !settings.iter().any(|known| known.is_like(setting)) {
            settings.push(setting);
        }
    }
    settings
}

/// The turns in parts, each as long as [`GATES`] gates allow.
fn parts<'t, 'c>(turns: &'t [Turn<'c>]) -> Vec<&'t [Turn<'c>]> {
    let (mut parts, mut begin, mut settings) = (Vec::new(), 0, Vec::<&Setting>::new());
    for (at, Turn { setting, .. }) in turns.iter().enumerate() {
        if settings.iter().any(|known| known.is_like(setting)) {
            continue;
        }
        if settings.len() == GATES {
            parts.push(&turns[begin..at]);
            (begin, settings) = (at, Vec::new());
        }
        settings.push(setting);
    }
    parts.push(&turns[begin..]);
    parts
}

impl Player for Workerd {
    const TOLERANCE: f64 = 2.0;

    fn play<'c>(&mut self, cases: &'c [Case]) -> Result<Vec<Played<'c>>, String> {
        let (mut turns, mut played) = (Vec::new(), BTreeMap::new());
        for (at, case) in cases.iter().enumerate() {
            let setting = Setting::of(case, cases).map_err(|error| format!("{}: {error}", case.name))?;
            match out_of_reach(case, &setting) {
                Some(reason) => drop(played.insert(at, Err(reason.into()))),
                None => turns.push(Turn { at, case, setting }),
            }
        }
        // Those that must age come first, in one part, so that they age at the same time.
        turns.sort_by_key(|turn| !turn.must_age());
        for part in parts(&turns) {
            played.extend(self.play_part(part)?);
        }
        Ok(played.into_values().collect())
    }
}

/// A case, with its position in the file and its gate's settings.
struct Turn<'c> {
    at: usize,
    case: &'c Case,
    setting: Setting,
}

impl Turn<'_> {
    fn named(&self, error: &str) -> String {
        format!("{}: {error}", self.case.name)
    }

    /// The claims of the recorded token; `null` without one.
    fn recorded(&self) -> Value {
        self.case.literal_token.as_deref().and_then(claims).unwrap_or_default()
    }

    /// The age of the recorded token in seconds, if the server had issued it.
    fn age(&self) -> Option<f64> {
        let is_issued = self.case.token.as_ref().is_some_and(Value::is_string);
        self.recorded()["iat"].as_f64().filter(|_| is_issued).map(|iat| self.case.recorded_at - iat)
    }

    /// Whether the answer depends on the token's age: one of its times has passed since it was issued, or the answer
    /// holds them.
    fn must_age(&self) -> bool {
        let recorded = self.recorded();
        let has_come = |age| {
            let times = ["nbf", "exp", "fresh"].into_iter().filter_map(|name| recorded[name].as_f64());
            let mut ages = times.map(|time| time - self.case.recorded_at + age);
            self.case.request.path_alone() == "/claims" || ages.any(|at| at > 0.0 && at <= age)
        };
        self.age().is_some_and(|age| age >= AGED && has_come(age))
    }

    /// Waits for the next second if this one is nearly over. A token's times are whole seconds, so it must be verified
    /// in the second in which it is made; early in it, where the configuration has fractions of seconds.
    fn wait_for_time_left(&self) {
        let has_parts = self.setting.vars.values().any(|value| value.as_f64().is_some_and(|it| it.fract() != 0.0));
        let passed = now().fract();
        if passed > if has_parts { 0.3 } else { 0.9 } {
            std::thread::sleep(Duration::from_secs_f64(1.0 - passed));
        }
    }

    /// The request with this token in place of the recorded one, and its CSRF value too.
    fn request_with(&self, token: &str) -> Request {
        let damaged = if self.case.name.ends_with("/bad_sig") { damaged(token) } else { token.to_owned() };
        let mut request = self.case.request_with(&damaged);
        let csrf = |claims: &Value| claims["csrf"].as_str().map(str::to_owned);
        if let (Some(then), Some(now)) = (csrf(&self.recorded()), claims(token).as_ref().and_then(csrf)) {
            request.headers.iter_mut().for_each(|(_, value)| *value = value.replace(&then, &now));
            request.body = request.body.map(|body| body.replace(&then, &now));
        }
        request
    }
}

/// The gate that a case needs.
struct Setting {
    vars: Map<String, Value>,
    users: Vec<(Id, String)>,
    /// Path of the log-in, and the names of its body's members.
    login: [String; 3],
    is_hooked: bool,
    /// Application, algorithm and key of the gate that issues the token, if it is another one.
    elsewhere: Option<(flask_jwt_extended::App, String, Option<String>)>,
}

impl Setting {
    /// Whether both can share a gate.
    fn is_like(&self, other: &Self) -> bool {
        self.vars == other.vars && self.users == other.users
    }

    /// Settings for a case; other cases of its file hold the recorded server's private keys.
    fn of(case: &Case, file: &[Case]) -> Result<Self, String> {
        let text = |text: &str| text.to_owned();
        Ok(match case.library {
            Library::FlaskJwt => {
                let app = App::read(&case.config)?;
                let id = |number| if app.users == Users::Text { Id::Text("abc".into()) } else { Id::Int(number) };
                Self {
                    users: vec![(id(1), text("user1")), (id(2), text("user2"))],
                    login: [
                        text(app.text("JWT_AUTH_URL_RULE", "/auth")),
                        text(app.text("JWT_AUTH_USERNAME_KEY", "username")),
                        text(app.text("JWT_AUTH_PASSWORD_KEY", "password")),
                    ],
                    is_hooked: app.is_hooked,
                    vars: app.vars,
                    elsewhere: None,
                }
            }
            Library::FlaskJwtExtended => {
                let is_issued = case.token.as_ref().is_some_and(Value::is_string);
                let app = flask_jwt_extended::App::read(&case.config)?;
                let app = if is_issued { app.issuing(&case.request) } else { app.serving(&case.request) };
                Self {
                    users: refreshing(file),
                    login: [text("/login"), text("username"), text("password")],
                    is_hooked: app.is_hooked,
                    vars: app.vars.clone(),
                    elsewhere: if is_issued { elsewhere(case, app, file) } else { None },
                }
            }
        })
    }
}

/// `user1`, and every user who refreshes a token: the recorded application accepted any user.
fn refreshing(file: &[Case]) -> Vec<(Id, String)> {
    let mut users = vec![(Id::Text("user1".into()), "user1".to_owned())];
    for case in file.iter().filter(|case| case.request.path_alone() == "/refresh" && case.status == 200) {
        let claim = case.config.get("JWT_IDENTITY_CLAIM").and_then(Value::as_str).unwrap_or("sub");
        let claims = case.literal_token.as_deref().and_then(claims).unwrap_or_default();
        if let Some(id) = Id::from_json(&claims[claim]).filter(|id| users.iter().all(|(known, _)| known != id)) {
            let name = id.to_string();
            users.push((id, name));
        }
    }
    users
}

/// The gate that issued the token, if this one only verifies or signs with another algorithm.
fn elsewhere(
    case: &Case,
    app: flask_jwt_extended::App,
    file: &[Case],
) -> Option<(flask_jwt_extended::App, String, Option<String>)> {
    let algorithm = segment(case.literal_token.as_deref()?, 0)?["alg"].as_str()?.to_owned();
    if app.has_public_key_only() {
        let keys = file.iter().filter(|other| other.config.get("JWT_ALGORITHM") == case.config.get("JWT_ALGORITHM"));
        let mut keys = keys.filter_map(|other| other.config.get("JWT_PUBLIC_KEY")?.as_str());
        let key = keys.find(|key| key.contains("PRIVATE KEY"))?.to_owned();
        Some((app, algorithm, Some(key)))
    } else {
        let usual = app.vars.get("JWT_ALGORITHM").and_then(Value::as_str).unwrap_or("HS256");
        (usual != algorithm).then_some((app, algorithm, None))
    }
}

/// The token with another first character of its signature.
fn damaged(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap_or((token, ""));
    let (first, rest) = signature.split_at(signature.len().min(1));
    format!("{signed}.{}{rest}", if first == "A" { "B" } else { "A" })
}

/// The reason why a case can't be played against a server, if there is one.
fn out_of_reach(case: &Case, setting: &Setting) -> Option<&'static str> {
    let fields = || case.request.headers.iter().map(|(_, value)| value);
    // A number in a raw payload that is a time of the recording, while the server's clock can't be set.
    let is_of_the_recording = |seconds: f64| (seconds - case.recorded_at).abs() < 86_400.0;
    let payload = case.token.as_ref().and_then(|token| token["raw_payload"].as_str()).unwrap_or_default();
    let mut numbers =
        payload.split(|c: char| !(c.is_ascii_digit() || ".e+".contains(c))).filter_map(|word| word.parse().ok());
    if setting.is_hooked {
        Some("a hook of the library")
    } else if case.library == Library::FlaskJwtExtended
        && flask_jwt_extended::IN_ITSELF.contains(&case.request.path_alone())
    {
        Some("the application makes tokens or cookies itself here: played natively, with the library")
    } else if has_byte_scheme(case) {
        Some("a scheme with other bytes than ASCII, which workerd reads as UTF-8")
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

/// Whether bytes that are not ASCII are compared with the configured scheme.
fn has_byte_scheme(case: &Case) -> bool {
    let text = |name| case.config.get(name).and_then(Value::as_str);
    let mut values = case.request.values(text("JWT_HEADER_NAME").unwrap_or("Authorization"));
    text("JWT_HEADER_TYPE").is_some_and(|scheme| !scheme.is_ascii()) && values.any(|value| !value.is_ascii())
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

fn timestamp() -> Timestamp {
    #[allow(clippy::cast_possible_truncation)] // whole milliseconds
    Timestamp::from_millis((now() * 1000.0) as i64)
}

fn claims(token: &str) -> Option<Value> {
    segment(token, 1)
}
