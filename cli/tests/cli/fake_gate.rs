//! A stand-in for the gate's endpoint for operators: checks the secret, keeps each command, answers as the gate does.

use super::world::World;
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::Command,
    sync::{Arc, Mutex},
};
use tollgate::rules::{
    config::FlaskJwtExtended,
    dialect::wording,
    rejection::{PermissionRejection, Rejection},
};

/// The operators' secret at every fake gate.
pub const ADMIN: &str = "an operator's secret of more than thirty-two bytes";

pub struct FakeGate {
    pub address: String,
    received: Arc<Mutex<Vec<Received>>>,
}

/// A command, and the number of writes to the store before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Received {
    pub command: Value,
    pub writes: usize,
}

/// Status, further header lines, body.
pub type Answer = (u16, &'static str, String);

impl FakeGate {
    /// A gate that obeys every command.
    pub fn start(world: &World) -> Self {
        Self::answering(world, obey)
    }

    /// A gate that answers whoever has the secret with `answer`.
    pub fn answering(world: &World, answer: fn(&Value) -> Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        world.redact("[GATE]", &address);
        let (received, store) = (Arc::new(Mutex::new(Vec::new())), world.path("store"));
        let kept = received.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                serve(&stream.unwrap(), &store, answer, &kept);
            }
        });
        Self { address, received }
    }

    /// The command with this gate and its secret in the environment.
    pub fn command(&self, world: &World, args: &[&str]) -> Command {
        let mut command = world.command(args);
        command.env("TOLLGATE_GATE", &self.address).env("TOLLGATE_ADMIN_SECRET", ADMIN);
        command
    }

    /// What it received since the last call.
    pub fn received(&self) -> Vec<Received> {
        std::mem::take(&mut self.received.lock().unwrap())
    }

    /// The commands among it.
    pub fn commands(&self) -> Vec<Value> {
        self.received().into_iter().map(|received| received.command).collect()
    }
}

fn obey(command: &Value) -> Answer {
    let session = |id: &str, last_used: i64, country: &str, user_agent: &str| {
        json!({
            "id": id, "created": 1_795_600_000, "last_used": last_used, "user_agent": user_agent, "country": country,
            "current": false,
        })
    };
    let body = match command["do"].as_str().unwrap() {
        // As the gate does: of the profile's attributes and the change.
        "set-attributes" => {
            let mut attributes = command["profile"]["attributes"].as_object().cloned().unwrap_or_default();
            attributes.retain(|name, _| !command["without"].as_array().unwrap().contains(&json!(name)));
            attributes.extend(command["set"].as_object().unwrap().clone());
            attributes.insert("username".into(), command["profile"]["name"].clone());
            json!({"attributes": attributes, "version": 1_795_600_000_000_i64, "revokes": true})
        }
        "list" if command["user"] == 8 => json!({"sessions": []}),
        "list" => json!({"sessions": [
            session("019abc3e-7a00-7000-8000-000000000002", 1_795_603_600, "CH", "Mozilla/5.0 (\u{1b}[31mX11)"),
            session("019abc3e-7a00-7000-8000-000000000001", 1_795_600_000, "", "curl/8.1\n"),
        ]}),
        _ => json!({"msg": "done"}),
    };
    (200, "", body.to_string())
}

/// A rejection with its code, as the gate answers it.
pub fn reject(status: u16, rejection: &Rejection) -> Answer {
    let words = wording::words(rejection, &FlaskJwtExtended::default()).expect("its own");
    (status, "", json!({"msg": words.text, "code": rejection.code()}).to_string())
}

fn serve(stream: &TcpStream, store: &Path, answer: fn(&Value) -> Answer, received: &Mutex<Vec<Received>>) {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
            break;
        }
        lines.push(line.trim_end().to_owned());
    }
    let header = |name: &str| {
        let named = |line: &&String| line.split_once(':').is_some_and(|(known, _)| known.eq_ignore_ascii_case(name));
        lines.iter().skip(1).find(named).map(|line| line.split_once(':').unwrap().1.trim().to_owned())
    };
    let mut body = vec![0; header("content-length").map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body).unwrap();
    let (status, more, body) = if lines[0] != "POST /auth/admin HTTP/1.1" {
        (404, "", json!({"msg": "Not Found"}).to_string())
    } else if header("authorization") != Some(format!("Bearer {ADMIN}")) {
        reject(401, &Rejection::Permission(PermissionRejection::NotTheOperator))
    } else {
        assert_eq!(header("content-type").as_deref(), Some("application/json"));
        let command: Value = serde_json::from_slice(&body).unwrap();
        let answer = answer(&command);
        let writes = std::fs::read_to_string(store).unwrap_or_default().lines().count();
        received.lock().unwrap().push(Received { command, writes });
        answer
    };
    let length = body.len();
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n{more}\r\n");
    let mut stream = stream;
    let _ = stream.write_all((head + &body).as_bytes());
}
