//! `tollgate`: the operators' command. Here is only what the command line looks like; each group of commands has a file
//! of its own.

// Everything is printed by output.rs, which escapes what could control the terminal.
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
mod token;
mod trust;
mod user;
mod wrangler_config;

use clap::{CommandFactory, Parser, Subcommand};
use failure::{Exit, Failure};
use output::Output;
use std::process::ExitCode;

/// Users, sessions, configuration, routes, tokens and keys of a Tollgate
///
/// Run it where your wrangler.toml is. Users live in the KV namespace USERS, which is read and written through
/// wrangler: the local store unless you say --remote, and never without saying which. Sessions live at the gate, which
/// is called over HTTP: --gate, or TOLLGATE_GATE in the environment.
#[derive(Parser)]
#[command(name = "tollgate", version, propagate_version = true, after_help = EXIT_CODES)]
struct Cli {
    /// Print JSON instead of text
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    group: Group,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done, or found good
  1  refused, or found bad: a name that is taken, a wrong configuration, a token that is no good
  2  wrong usage: an argument or a file that can't be read
  3  the store or the gate can't be reached, or wrangler failed

Examples:
  tollgate config check
  tollgate user add alice --id 7
  tollgate session list alice
  tollgate route test GET /api/orders";

#[derive(Subcommand)]
enum Group {
    /// The users in the store
    #[command(subcommand)]
    User(user::Command),
    /// List and end sessions
    #[command(subcommand)]
    Session(session::Command),
    /// wrangler.toml: is it right? Which options are there?
    #[command(subcommand)]
    Config(config::Command),
    /// What becomes of a request
    #[command(subcommand)]
    Route(route::Command),
    /// Make a token, take one apart
    #[command(subcommand)]
    Token(token::Command),
    /// Make a key pair for JWT_PRIVATE_KEY or JWT_KEYS
    #[command(subcommand)]
    Key(key::Command),
    /// A random key for JWT_SECRET_KEY
    #[command(subcommand)]
    Secret(secret::Command),
    /// Hashes of passwords
    #[command(subcommand)]
    Password(password::Command),
    /// A script that completes this command in your shell
    #[command(
        after_help = "Example:\n  tollgate completions bash > ~/.local/share/bash-completion/completions/tollgate"
    )]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

fn main() -> ExitCode {
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
            Ok(Exit::Good)
        }
    }
}
