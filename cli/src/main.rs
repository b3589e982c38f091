//! `tollgate`: the operators' command. This file has the command line; each group of commands has its own file.

// Everything is printed by output.rs, which escapes control characters.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod assets;
mod clock;
mod config;
mod failure;
mod gate;
mod hash_kind;
mod import;
mod key;
mod kv;
mod output;
mod password;
mod prompt;
mod record;
mod route;
mod secret;
mod session;
mod system;
mod token;
mod trust;
mod user;
mod wrangler_config;

use clap::{CommandFactory, Parser, Subcommand};
use failure::{Exit, Failure};
use output::Output;
use std::process::ExitCode;

/// Manage users, sessions, configuration, routes, tokens and keys of a Tollgate
///
/// Run it in the folder of your wrangler.toml. Users are stored in the KV namespace USERS, which is read and written
/// through wrangler: by default the local store of `wrangler dev`, with --remote the one on Cloudflare. Each command
/// prints which store it uses. Sessions are kept by the running gate, which is called over HTTP: name it with --gate or
/// TOLLGATE_GATE.
#[derive(Parser)]
#[command(name = "tollgate", version, propagate_version = true, after_help = EXIT_CODES)]
struct Cli {
    /// Print JSON; messages on standard error become one JSON object per line
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    group: Group,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  success
  1  rejected or invalid: a name that is taken, an invalid configuration, an expired token
  2  wrong usage: an invalid argument, a file that can't be read
  3  the store or the gate can't be reached, or wrangler failed

Examples:
  tollgate config check
  tollgate user add alice --id 7
  tollgate session list alice
  tollgate route test GET /api/orders";

#[derive(Subcommand)]
enum Group {
    /// Add, list, change and remove users
    #[command(subcommand)]
    User(user::Command),
    /// List and end sessions
    #[command(subcommand)]
    Session(session::Command),
    /// Check wrangler.toml, list the options
    #[command(subcommand)]
    Config(config::Command),
    /// Show how the gate decides a request
    #[command(subcommand)]
    Route(route::Command),
    /// Make and inspect tokens
    #[command(subcommand)]
    Token(token::Command),
    /// Generate a key for JWT_PRIVATE_KEY or JWT_KEYS
    #[command(subcommand)]
    Key(key::Command),
    /// Generate a random secret for JWT_SECRET_KEY
    #[command(subcommand)]
    Secret(secret::Command),
    /// Make and check password hashes
    #[command(subcommand)]
    Password(password::Command),
    /// Print a shell completion script
    #[command(
        after_help = "Example:\n  tollgate completions bash > ~/.local/share/bash-completion/completions/tollgate"
    )]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

fn main() -> ExitCode {
    if let Err(error) = system::begin() {
        output::warning(&format!("the present folder can't be used: {error}"));
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            let json = std::env::args_os().take_while(|arg| arg != "--").any(|arg| arg == "--json");
            output::usage_error(&error, json);
            return Exit::Usage.into();
        }
        Err(help) => help.exit(),
    };
    output::set_json(cli.json);
    let output = Output { json: cli.json };
    match run(cli.group, output) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            output.failure(&failure);
            failure.exit.into()
        }
    }
}

fn run(group: Group, output: Output) -> Result<Exit, Failure> {
    match group {
        Group::User(command) => user::run(command, output),
        Group::Session(command) => session::run(command, output),
        Group::Config(command) => config::run(command, output),
        Group::Route(command) => route::run(command, output),
        Group::Token(command) => token::run(command, output),
        Group::Key(command) => key::run(command),
        Group::Secret(command) => secret::run(command, output),
        Group::Password(command) => password::run(command, output),
        Group::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "tollgate", &mut script);
            output::print_text(&String::from_utf8_lossy(&script));
            Ok(Exit::Success)
        }
    }
}
