//! `cargo xtask dev`: from nothing to a running gate, with two demo users and a small application behind it.

use crate::{
    build::{self, Flavour},
    demo::{self, Store},
    origin::{self, App, Origin},
    server::Server,
    setup,
    step::{Failure, Root, Step},
};
use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

const DEFAULT_PORT: u16 = 8787;
/// The password of the demo users.
const PASSWORD: &str = "abcxyz";

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
    if options.port == origin::PORT && origin::is_stock_origin(root) {
        return Err(Failure::new(
            "dev",
            format!("port {} is the application's, as ORIGIN says: the gate would call itself", options.port),
            "take another: cargo xtask dev --port 8788",
        ));
    }
    // In parallel: npm waits for the network, cargo for the compiler.
    std::thread::scope(|scope| {
        let npm_tools = scope.spawn(|| setup::npm_tools(root));
        let built = setup::wasm_target(root, setup::WORKER).and_then(|()| build::build(root, Flavour::Dev));
        npm_tools.join().expect("set-up does not panic").and(built)
    })?;
    secret(root)?;
    let store = if options.once {
        // A temporary store: the three calls neither depend on the developer's users nor change them.
        Store::empty(root, root.target().join(format!("dev-once-{}", options.port)))?
    } else {
        Store::of_developer(root)
    };
    let seeded = store.seed()?;
    let ended = end_requested();
    let app = if options.once { None } else { Some(App::start(root)?) };
    let step = Step::begin("wrangler dev (about 5 s)");
    let mut server = Server(
        root.npm_command("wrangler")
            .args(["dev", "--ip", "127.0.0.1", "--port", &options.port.to_string()])
            .arg("--show-interactive-dev-session=false")
            .args(store.options())
            .stdin(Stdio::null())
            .stdout(std::io::stderr())
            .spawn()
            .map_err(|error| {
                step.fail(format!("wrangler can't be run: {error}"), "remove node_modules and try again")
            })?,
    );
    let (opened, records) = std::thread::scope(|scope| {
        let records = scope.spawn(|| match seeded {
            None if !options.once => store.demo_records().ok(),
            seeded => seeded,
        });
        (wait_until_open(&step, &mut server, options.port, &ended), records.join().expect("reading does not panic"))
    });
    if !opened? {
        return Ok(());
    }
    step.done("");
    let Some(mut app) = app else {
        three_calls(options.port)?;
        drop(server);
        return store.remove();
    };
    // If the store could not be read, no user is announced.
    let known = demo::known(&records.unwrap_or_default());
    println!("\n{}", greeting(options.port, &known, app.origin()));
    while !ended.load(Ordering::Relaxed) && matches!(server.0.try_wait(), Ok(None)) {
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// Waits for the gate's first answer. Returns `false` if the process is to end before.
fn wait_until_open(step: &Step, server: &mut Server, port: u16, ended: &AtomicBool) -> Result<bool, Failure> {
    let began = Instant::now();
    while call(port, "OPTIONS", "/auth", None, None).is_err() {
        if ended.load(Ordering::Relaxed) {
            return Ok(false);
        }
        if let Ok(Some(status)) = server.0.try_wait() {
            return Err(step.fail(format!("wrangler ended with {status}"), "its output is above"));
        }
        if began.elapsed() > Duration::from_secs(90) {
            return Err(step.fail("no answer after 90 s", "wrangler's output is above"));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(true)
}

/// A flag that Ctrl-C or a signal sets; the process then ends wrangler and itself.
fn end_requested() -> Arc<AtomicBool> {
    let ended = Arc::new(AtomicBool::new(false));
    let requested = Arc::clone(&ended);
    // This fails only if a handler is set already, and it is called once.
    let _ = ctrlc::set_handler(move || requested.store(true, Ordering::Relaxed));
    ended
}

/// The text that is printed when the gate answers. `known` are the demo users that can log in.
fn greeting(port: u16, known: &[&str], origin: Origin) -> String {
    let (users, name, password) = match known {
        [] => {
            let add = "Add a user who can log in: cargo xtask tollgate user add NAME";
            (format!("http://127.0.0.1:{port}/\n{add}"), "NAME", "PASSWORD")
        }
        [name, ..] => {
            (format!("http://127.0.0.1:{port}/ ({}, password {PASSWORD})", known.join(" or ")), *name, PASSWORD)
        }
    };
    let app = format!("http://127.0.0.1:{}", origin::PORT);
    let app = match origin {
        Origin::Demo => format!(
            "Behind it, for /api/*: a demonstration application (examples/origin/app.mjs) on {app}, which ends with the gate.\n\
             To use your own, start it on that port first."
        ),
        Origin::Own => format!("Behind it, for /api/*: what listens on {app} already, your own application."),
        Origin::Nothing => format!(
            "Behind it, for /api/*: nothing. examples/origin/app.mjs ended, see above; start your application on {app}."
        ),
        Origin::Elsewhere => "Behind it: your application at the address in ORIGIN.".into(),
    };
    let login = format!(
        "curl -s -H 'Content-Type: application/json' -d '{{\"username\":\"{name}\",\"password\":\"{password}\"}}' http://127.0.0.1:{port}/auth"
    );
    let with_token = format!("curl -i -H \"Authorization: JWT $({login} | sed 's/.*:\"\\(.*\\)\".*/\\1/')\"");
    format!(
        "The gate is open: {users}\n{app}\n\n\
         Log in, be refused without a token, reach /protected with it:\n\n\
         {login}\n\n\
         curl -i http://127.0.0.1:{port}/protected\n\n\
         {with_token} http://127.0.0.1:{port}/protected\n\n\
         Edits in src/, worker/ and wrangler.toml are served again by themselves. Ctrl-C ends it."
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

/// The file for a random key; `None` if `.dev.vars` exists or another file has a key. Creating a `.dev.vars` would hide
/// an existing `.env` from wrangler, so the key then goes into `.env.local`, which wrangler reads too.
fn file_for_key(read: impl Fn(&str) -> Option<String>) -> Option<&'static str> {
    if read(".dev.vars").is_some() {
        return None;
    }
    let texts: Vec<String> = [".env", ".env.local"].into_iter().filter_map(read).collect();
    let has_key = |line: &str| {
        let line = line.trim_start();
        let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
        let name = line.split(['=', ':']).next().unwrap_or_default().trim();
        ["JWT_SECRET_KEY", "SECRET_KEY", "JWT_PRIVATE_KEY", "JWT_KEYS"].contains(&name)
    };
    if texts.iter().flat_map(|text| text.lines()).any(has_key) {
        return None;
    }
    Some(if texts.is_empty() { ".dev.vars" } else { ".env.local" })
}

/// A random key for `wrangler dev`, unless there is one.
fn secret(root: &Root) -> Result<(), Failure> {
    let Some(name) = file_for_key(|name| fs::read_to_string(root.join(name)).ok()) else { return Ok(()) };
    let step = Step::begin(format!("a random JWT_SECRET_KEY in {name}"));
    let mut bytes = [0; 48];
    getrandom::fill(&mut bytes).map_err(|error| step.fail(error.to_string(), "is there a source of randomness?"))?;
    let key: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut options = fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600); // readable by the owner only
    // A line break first: the last line of the file may lack one.
    let written = options.open(root.join(name)).and_then(|mut file| write!(file, "\nJWT_SECRET_KEY={key}\n"));
    written.map_err(|error| step.fail(error.to_string(), "is the folder writable?"))?;
    step.done("");
    Ok(())
}

/// Logs in, is refused without a token, and passes with it. Prints the answers; an unexpected one is an error.
fn three_calls(port: u16) -> Result<(), Failure> {
    let wrong = |what: &str, answer: &str| {
        Failure::new(
            "dev --once",
            format!("{what}; the answer was:\n{answer}"),
            "see what the gate logged above; `cargo xtask tollgate config check` reads wrangler.toml and .dev.vars",
        )
    };
    let send = |method: &str, path: &str, token: Option<&str>, body: Option<&str>| -> Result<String, Failure> {
        println!("> {method} {path}{}", if token.is_some() { " with the token" } else { "" });
        let answer =
            call(port, method, path, token, body).map_err(|error| wrong(&format!("no answer: {error}"), ""))?;
        println!("{}\n", answer.trim_end());
        Ok(answer)
    };
    let body = format!(r#"{{"username":"user1","password":"{PASSWORD}"}}"#);
    let granted = send("POST", "/auth", None, Some(&body))?;
    let token = granted.split_once("\"access_token\":\"").and_then(|(_, rest)| rest.split('"').next());
    let Some(token) = token.filter(|_| granted.starts_with("HTTP/1.1 200")) else {
        return Err(wrong("the log-in gave no token", &granted));
    };
    let refused = send("GET", "/protected", None, None)?;
    if !refused.starts_with("HTTP/1.1 401")
        || !refused.to_ascii_lowercase().contains("www-authenticate: jwt realm=\"login required\"")
    {
        return Err(wrong("/protected without a token was not refused with a challenge", &refused));
    }
    let passed = send("GET", "/protected", Some(token), None)?;
    if !passed.starts_with("HTTP/1.1 200") || !passed.contains(r#""identity":"demo-1""#) {
        return Err(wrong("/protected with the token did not say who it is", &passed));
    }
    println!("All three were right.");
    Ok(())
}

/// Sends one request on a new connection. Returns the whole answer as text.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_where_wrangler_reads_it_and_hides_nothing() {
        for (files, expected) in [
            (&[][..], Some(".dev.vars")),
            (&[(".dev.vars", "")], None),
            (&[(".env", "A=1\n")], Some(".env.local")),
            (&[(".env", "A=1\n"), (".env.local", "B=1")], Some(".env.local")),
            (&[(".env", "export JWT_SECRET_KEY=x\n")], None),
            (&[(".env", "A=1\n"), (".env.local", " JWT_KEYS = 'x'\n")], None),
            (&[(".env", "# JWT_SECRET_KEY=x\nMY_SECRET_KEY=x\n")], Some(".env.local")),
        ] {
            let read = |name: &str| files.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned());
            assert_eq!(file_for_key(read), expected, "{files:?}");
        }
    }

    #[test]
    fn only_demo_users_that_can_login_are_announced() {
        let both = greeting(8787, &["user1", "user2"], Origin::Demo);
        assert!(both.starts_with("The gate is open: http://127.0.0.1:8787/ (user1 or user2, password abcxyz)\n"));
        assert!(both.contains(r#"-d '{"username":"user1","password":"abcxyz"}' http://127.0.0.1:8787/auth"#));

        let one = greeting(8788, &["user2"], Origin::Demo);
        assert!(one.starts_with("The gate is open: http://127.0.0.1:8788/ (user2, password abcxyz)\n"));
        assert_eq!(one.matches(r#""username":"user2","password":"abcxyz""#).count(), 2);
        assert!(!one.contains("user1"));

        let none = greeting(8787, &[], Origin::Demo);
        assert!(none.starts_with("The gate is open: http://127.0.0.1:8787/\n"));
        assert!(none.contains("cargo xtask tollgate user add NAME"));
        assert_eq!(none.matches(r#""username":"NAME","password":"PASSWORD""#).count(), 2);
        assert!(!none.contains("user1") && !none.contains(PASSWORD));
    }

    #[test]
    fn the_token_in_the_third_line_comes_from_the_first() {
        let text = greeting(8787, &["user1"], Origin::Own);
        assert!(text.contains(r#"/auth | sed 's/.*:"\(.*\)".*/\1/')" http://127.0.0.1:8787/protected"#), "{text}");
    }

    #[test]
    fn what_is_behind_the_gate_is_said() {
        for (origin, said) in [
            (Origin::Demo, "a demonstration application (examples/origin/app.mjs) on http://127.0.0.1:5000"),
            (Origin::Own, "what listens on http://127.0.0.1:5000 already, your own application"),
            (Origin::Nothing, "start your application on http://127.0.0.1:5000"),
            (Origin::Elsewhere, "the address in ORIGIN"),
        ] {
            assert!(greeting(8787, &[], origin).contains(said));
        }
    }
}
