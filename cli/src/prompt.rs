//! Reads passwords and tokens: hidden at a terminal, else from standard input. Never from an argument, which other
//! users of the machine and the shell's history would see.

use crate::{failure::Failure, output, system};
use std::io::{BufRead, IsTerminal, Read, stdin};
use tollgate::rules::{login::MAX_FIELD_BYTES, secret::Secret};

/// A password to set: typed twice at a terminal, else the first line of standard input.
pub fn new_password() -> Result<Secret<String>, Failure> {
    let password = password("Password: ")?;
    if stdin().is_terminal() {
        let again = hidden("Once more: ")?;
        if again.expose() != password.expose() {
            return Err(Failure::rejected("the two passwords differ", "run the command again; nothing was changed"));
        }
    }
    Ok(password)
}

/// A password to try: typed once at a terminal, else the first line of standard input.
pub fn password(prompt: &str) -> Result<Secret<String>, Failure> {
    let password = if stdin().is_terminal() { hidden(prompt)? } else { first_line()? };
    match password.expose().len() {
        0 => Err(Failure::usage("the password is empty", "type one, or write it as the first line of standard input")),
        1..=MAX_FIELD_BYTES => Ok(password),
        _ => Err(Failure::usage(
            format!("the password is longer than {MAX_FIELD_BYTES} bytes, the limit at log-in"),
            "choose a shorter one",
        )),
    }
}

/// Asks at the terminal, and returns whether `yes` was typed. Fails with `--json`, since the question would be a line
/// of text among the JSON, and without a terminal.
pub fn confirm(question: &str) -> Result<bool, Failure> {
    let reason = match stdin().is_terminal() {
        _ if output::is_json() => "confirmation is needed, and --json turns prompts off",
        false => "confirmation is needed, and standard input is not a terminal",
        true => {
            output::ask(&format!("{question} Type yes:"));
            let mut line = String::new();
            stdin().lock().take(1 << 10).read_line(&mut line).map_err(unreadable)?;
            return Ok(line.trim() == "yes");
        }
    };
    Err(Failure::usage(reason, "nothing was done; confirm with --yes"))
}

/// All of standard input without white space around it: a token.
pub fn token() -> Result<String, Failure> {
    if stdin().is_terminal() {
        return Ok(hidden("Token: ")?.expose().trim().to_owned());
    }
    let mut bytes = Vec::new();
    // Far longer than any token that the gate reads.
    stdin().lock().take(1 << 20).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}

fn hidden(prompt: &str) -> Result<Secret<String>, Failure> {
    system::hidden_line(prompt).map(Secret::new).map_err(unreadable)
}

fn first_line() -> Result<Secret<String>, Failure> {
    let mut line = String::new();
    stdin().lock().take(1 << 20).read_line(&mut line).map_err(unreadable)?;
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    Ok(Secret::new(line))
}

fn unreadable(error: std::io::Error) -> Failure {
    Failure::usage(
        format!("standard input can't be read: {error}"),
        "pipe in UTF-8 text, or run the command at a terminal",
    )
}
