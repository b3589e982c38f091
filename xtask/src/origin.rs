//! The application behind the gate: the demonstration's (examples/origin/app.mjs), or the developer's own.

use crate::{
    server::Server,
    step::{Failure, Root},
};
use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::Stdio,
    time::Duration,
};

/// The port of the demonstration's application, as in `ORIGIN` of the stock wrangler.toml.
pub const PORT: u16 = 5000;

/// What a request to the origin reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The demonstration's application.
    Demo,
    /// Another program that listens on the port: the developer's own.
    Own,
    /// Nothing: the demonstration's application ended at once.
    Nothing,
    /// An address other than the stock one, in ORIGIN.
    Elsewhere,
}

/// The origin at the start. Dropping this ends the demonstration's application.
pub struct App {
    origin: Origin,
    demo: Option<Server>,
}

impl App {
    /// Starts the demonstration's application if ORIGIN is its address and nothing listens there.
    pub fn start(root: &Root) -> Result<Self, Failure> {
        if !is_stock_origin(root) {
            return Ok(Self { origin: Origin::Elsewhere, demo: None });
        }
        if is_taken() {
            return Ok(Self { origin: Origin::Own, demo: None });
        }
        let started = root
            .npm_command("node")
            .arg("examples/origin/app.mjs")
            .env("PORT", PORT.to_string())
            .stdin(Stdio::null())
            .stdout(std::io::stderr())
            .spawn();
        let demo = started.map_err(|error| {
            Failure::new("the demonstration's application", error.to_string(), "`npm ci` installs Node again")
        })?;
        Ok(Self { origin: Origin::Demo, demo: Some(Server(demo)) })
    }

    /// What a request to the origin reaches now.
    pub fn origin(&mut self) -> Origin {
        let ended = self.demo.as_mut().is_some_and(|demo| !demo.is_running());
        match (ended, is_taken()) {
            (false, _) => self.origin,
            // Another program has taken the port first, or Node failed.
            (true, true) => Origin::Own,
            (true, false) => Origin::Nothing,
        }
    }
}

/// Whether a program listens on the port. Checked by connecting and by binding: macOS allows binding 127.0.0.1 while
/// another program listens on all addresses.
fn is_taken() -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
    TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok() || TcpListener::bind(address).is_err()
}

/// Whether requests go to the port of the demonstration's application.
pub fn is_stock_origin(root: &Root) -> bool {
    let read = |name| fs::read_to_string(root.join(name)).unwrap_or_default();
    names_stock_origin(&read("wrangler.toml"), &read(".dev.vars"))
}

/// The value under `[vars]`, unless `.dev.vars` has another.
fn names_stock_origin(wrangler_toml: &str, dev_vars: &str) -> bool {
    let value = |line: &str| {
        let (name, value) = line.split_once('=')?;
        (name.trim().trim_start_matches("export ").trim() == "ORIGIN").then(|| value.trim().to_owned())
    };
    let vars = wrangler_toml.lines().skip_while(|line| line.trim() != "[vars]").skip(1);
    let toml = vars.take_while(|line| !line.trim_start().starts_with('[')).find_map(value);
    let value = dev_vars.lines().filter_map(value).next_back().or(toml).unwrap_or_default();
    let text = value.trim_start_matches(['"', '\'']);
    let rest = text.strip_prefix(&format!("http://127.0.0.1:{PORT}"));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['"', '\'', '/', ' ']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stock_configuration_names_the_demonstrations_application() {
        let stock = include_str!("../../wrangler.toml");
        assert!(names_stock_origin(stock, ""));
        assert!(names_stock_origin(stock, "JWT_SECRET_KEY=x\n# ORIGIN=https://app.example.com\n"));
        assert!(!names_stock_origin(stock, "ORIGIN=https://app.example.com\n"));
        assert!(names_stock_origin(&stock.replace(":5000", ":8000"), "export ORIGIN='http://127.0.0.1:5000'\n"));
    }

    #[test]
    fn another_origin_is_another() {
        for (line, is_stock) in [
            ("ORIGIN = 'http://127.0.0.1:5000/' # Flask", true),
            ("ORIGIN = \"http://127.0.0.1:50001\"", false),
            ("ORIGIN = \"http://127.0.0.1:8000\"", false),
            ("# ORIGIN = \"http://127.0.0.1:5000\"", false),
            ("[env.staging.vars]\nORIGIN = \"http://127.0.0.1:5000\"", false),
        ] {
            assert_eq!(names_stock_origin(&format!("[vars]\n{line}\n"), ""), is_stock, "{line}");
        }
    }
}
