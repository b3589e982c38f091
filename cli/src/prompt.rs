//! Passwords and tokens come in here: hidden at a terminal, else from standard input; never from an argument, which
//! other users of the machine and the shell's history would see.

use crate::{failure::Failure, output};
use std::io::{BufRead, IsTerminal, Read, stdin};
use tollgate::rules::{login::MAX_FIELD_BYTES, secret::Secret};

/// A password to set: typed twice at a terminal, else the first line of standard input.
pub fn new_password() -> Result<Secret<String>, Failure> {
    let password = password("Password: ")?;
    if stdin().is_terminal() {
        let again = hidden("Once more: ")?;
        if again.expose() != password.expose() {
            return Err(Failure::refused("the two passwords differ", "run it again; nothing was changed"));
        }
    }
    Ok(password)
}

/// A password to try: typed once at a terminal, else the first line of standard input.
pub fn password(prompt: &str) -> Result<Secret<String>, Failure> {
    let password = if stdin().is_terminal() { hidden(prompt)? } else { first_line()? };
    match password.expose().len() {
        0 => Err(Failure::usage("the password is empty", "type one, or pipe it in: its first line counts")),
        1..=MAX_FIELD_BYTES => Ok(password),
        _ => Err(Failure::usage(
            format!("the password is longer than {MAX_FIELD_BYTES} bytes, which no log-in takes"),
            "take a shorter one",
        )),
    }
}

/// Asks at the terminal, and returns whether `yes` was typed. With `--json` nobody is asked: the question would be a
/// line of text among the JSON.
pub fn confirm(question: &str) -> Result<bool, Failure> {
    let reason = match stdin().is_terminal() {
        _ if output::is_json() => "this needs a confirmation, and with --json nobody is asked",
        false => "there is nobody to ask: no terminal",
        true => {
            output::ask(&format!("{question} Type yes:"));
            let mut line = String::new();
            stdin().lock().take(1 << 10).read_line(&mut line).map_err(unreadable)?;
            return Ok(line.trim() == "yes");
        }
    };
    Err(Failure::usage(reason, "add --yes if you mean it; nothing was done"))
}

/// All of standard input without white space around it: a token.
pub fn token() -> Result<String, Failure> {
    if stdin().is_terminal() {
        return Ok(hidden("Token: ")?.expose().trim().to_owned());
    }
    let mut bytes = Vec::new();
    // No token that the gate would look at is nearly as long.
    stdin().lock().take(1 << 20).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}

fn hidden(prompt: &str) -> Result<Secret<String>, Failure> {
    rpassword::prompt_password(prompt).map(Secret::new).map_err(unreadable)
}

fn first_line() -> Result<Secret<String>, Failure> {
    let mut line = String::new();
    stdin().lock().take(1 << 20).read_line(&mut line).map_err(unreadable)?;
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    Ok(Secret::new(line))
}

fn unreadable(error: std::io::Error) -> Failure {
    Failure::usage(format!("standard input can't be read: {error}"), "pipe in UTF-8 text, or run it at a terminal")
}
