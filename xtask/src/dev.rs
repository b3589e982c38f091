//! `cargo xtask dev`: from nothing to a running gate with two demo users.

use crate::{
    build::{self, Flavour},
    setup,
    step::{Failure, Root, Step},
};
use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

const DEFAULT_PORT: u16 = 8787;
const SEED_MARK: &str = ".wrangler/tollgate-demo-users";

struct Options {
    port: u16,
    once: bool,
}

/// Sets up, builds, seeds, serves.
pub fn dev(root: &Root, args: &[String]) -> Result<(), Failure> {
    let options = options(args)?;
    if TcpListener::bind(("127.0.0.1", options.port)).is_err() {
        return Err(Failure::new(
            "dev",
            format!("port {} is in use", options.port),
            "end what uses it, or take another: cargo xtask dev --port 8788",
        ));
    }
    // At the same time: one waits for the network, the other for the compiler.
    std::thread::scope(|scope| {
        let npm_tools = scope.spawn(|| setup::npm_tools(root));
        let built = setup::wasm_target(root).and_then(|()| build::build(root, Flavour::Dev));
        npm_tools.join().expect("set-up does not panic").and(built)
    })?;
    secret(root)?;
    demo_users(root)?;
    let ended = told_to_end();
    let step = Step::begin("wrangler dev (about 5 s)");
    let mut server = Server(
        root.npm_command("wrangler")
            .args([
                "dev",
                "--ip",
                "127.0.0.1",
                "--port",
                &options.port.to_string(),
                "--show-interactive-dev-session=false",
            ])
            .stdin(Stdio::null())
            .stdout(std::io::stderr())
            .spawn()
            .map_err(|error| {
                step.fail(format!("wrangler can't be run: {error}"), "remove node_modules and try again")
            })?,
    );
    let began = Instant::now();
    while call(options.port, "OPTIONS", "/auth", None, None).is_err() {
        if ended.load(Ordering::Relaxed) {
            return Ok(());
        }
        if let Ok(Some(status)) = server.0.try_wait() {
            return Err(step.fail(format!("wrangler ended with {status}"), "see what it said above"));
        }
        if began.elapsed() > Duration::from_secs(90) {
            return Err(step.fail("no answer after 90 s", "see what wrangler said above"));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    step.done("");
    if options.once {
        return three_calls(options.port);
    }
    let port = options.port;
    println!(
        "\nThe gate is open: http://127.0.0.1:{port}/ (user1 or user2, password abcxyz)\n\nLog in, be refused without a token, reach /protected with it:\n"
    );
    println!("{}\n", log_in_line(port));
    println!("curl -i http://127.0.0.1:{port}/protected\n");
    println!(
        "curl -i -H \"Authorization: JWT $({} | sed 's/.*:\"\\(.*\\)\".*/\\1/')\" http://127.0.0.1:{port}/protected\n",
        log_in_line(port)
    );
    println!("Edits in src/, worker/ and wrangler.toml are served again by themselves. Ctrl-C ends it.");
    while !ended.load(Ordering::Relaxed) && matches!(server.0.try_wait(), Ok(None)) {
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// Becomes true when we are told to end, by Ctrl-C or a signal; wrangler is then ended with us.
fn told_to_end() -> Arc<AtomicBool> {
    let ended = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&ended);
    // A second handler can't be there: this is called once.
    let _ = ctrlc::set_handler(move || told.store(true, Ordering::Relaxed));
    ended
}

fn log_in_line(port: u16) -> String {
    format!(
        "curl -s -H 'Content-Type: application/json' -d '{{\"username\":\"user1\",\"password\":\"abcxyz\"}}' http://127.0.0.1:{port}/auth"
    )
}

fn options(args: &[String]) -> Result<Options, Failure> {
    let mut options = Options { port: DEFAULT_PORT, once: false };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--once" => options.once = true,
            "--port" => {
                options.port = args
                    .next()
                    .and_then(|port| port.parse().ok())
                    .ok_or_else(|| Failure::new("dev", "--port needs a number", "cargo xtask dev --port 8788"))?;
            }
            other => return Err(Failure::new("dev", format!("no option {other:?}"), "there are --port N and --once")),
        }
    }
    Ok(options)
}

/// `.dev.vars` with a random key, unless there is one.
fn secret(root: &Root) -> Result<(), Failure> {
    let path = root.join(".dev.vars");
    if path.exists() {
        return Ok(());
    }
    let step = Step::begin("a random JWT_SECRET_KEY in .dev.vars");
    let mut bytes = [0; 48];
    getrandom::fill(&mut bytes).map_err(|error| step.fail(error.to_string(), "is there a source of randomness?"))?;
    let key: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600); // nobody else's to read
    let written = options.open(path).and_then(|mut file| writeln!(file, "JWT_SECRET_KEY={key}"));
    written.map_err(|error| step.fail(error.to_string(), "is the folder writable?"))?;
    step.done("");
    Ok(())
}

/// The demo users, in the store that `wrangler dev` reads.
fn demo_users(root: &Root) -> Result<(), Failure> {
    let mark = root.join(SEED_MARK);
    if mark.exists() && root.join(".wrangler/state").exists() {
        return Ok(());
    }
    let step = Step::begin("two demo users in the local store");
    let hint = "remove the folder .wrangler and try again";
    // Made once by `cargo run -p tools -- demo-users`: to compile the rules natively for it would take a newcomer 40 s.
    let bulk = root.join("xtask/demo-users.json");
    step.run(
        root.npm_command("wrangler").args(["kv", "bulk", "put", "--binding", "USERS", "--local"]).arg(&bulk),
        hint,
    )?;
    fs::write(mark, "").map_err(|error| step.fail(error.to_string(), hint))?;
    step.done("");
    Ok(())
}

/// Log in, be refused, pass: printed, and right or an error.
fn three_calls(port: u16) -> Result<(), Failure> {
    let wrong = |what: &str, answer: &str| {
        Failure::new(
            "dev --once",
            format!("{what}; the answer was:\n{answer}"),
            "is .dev.vars whole? Remove .wrangler to seed the users again",
        )
    };
    let told = |method: &str, path: &str, token: Option<&str>, body: Option<&str>| -> Result<String, Failure> {
        println!("> {method} {path}{}", if token.is_some() { " with the token" } else { "" });
        let answer =
            call(port, method, path, token, body).map_err(|error| wrong(&format!("no answer: {error}"), ""))?;
        println!("{}\n", answer.trim_end());
        Ok(answer)
    };
    let body = r#"{"username":"user1","password":"abcxyz"}"#;
    let granted = told("POST", "/auth", None, Some(body))?;
    let token = granted.split_once("\"access_token\":\"").and_then(|(_, rest)| rest.split('"').next());
    let Some(token) = token.filter(|_| granted.starts_with("HTTP/1.1 200")) else {
        return Err(wrong("the log-in gave no token", &granted));
    };
    let refused = told("GET", "/protected", None, None)?;
    if !refused.starts_with("HTTP/1.1 401")
        || !refused.to_ascii_lowercase().contains("www-authenticate: jwt realm=\"login required\"")
    {
        return Err(wrong("/protected without a token was not refused with a challenge", &refused));
    }
    let passed = told("GET", "/protected", Some(token), None)?;
    if !passed.starts_with("HTTP/1.1 200") || !passed.contains("\"identity\":1") {
        return Err(wrong("/protected with the token did not say who it is", &passed));
    }
    println!("All three were right.");
    Ok(())
}

/// One request on a connection of its own; the whole answer as text.
pub fn call(port: u16, method: &str, path: &str, token: Option<&str>, body: Option<&str>) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let authorization = token.map_or_else(String::new, |token| format!("Authorization: JWT {token}\r\n"));
    let body = body.unwrap_or_default();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n{authorization}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    if answer.is_empty() {
        Err(std::io::ErrorKind::UnexpectedEof.into())
    } else {
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }
}

/// wrangler, ended with what it started when this goes out of scope.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // SIGINT lets wrangler end workerd; killing it would leave workerd behind.
        let ended =
            Command::new("kill").args(["-INT", &self.0.id().to_string()]).status().is_ok_and(|status| status.success());
        let began = Instant::now();
        while ended && began.elapsed() < Duration::from_secs(10) {
            if matches!(self.0.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
