//! What is printed: results on standard output, as text or JSON; remarks and failures on standard error.

use crate::failure::Failure;
use serde_json::{Value, json};
use std::{
    borrow::Cow,
    io::{ErrorKind, Write},
};

/// How results are printed.
#[derive(Clone, Copy)]
pub struct Output {
    pub json: bool,
}

impl Output {
    /// One result: `text` for people, or `json` as a whole.
    pub fn result(self, text: &str, json: &Value) {
        if self.json {
            print(&format!("{json:#}\n"));
        } else {
            print(&format!(
                "{}\n",
                text.trim_end_matches('\n').split('\n').map(visible).collect::<Vec<_>>().join("\n")
            ));
        }
    }

    /// Why a command failed, on standard error.
    pub fn failure(self, failure: &Failure) {
        if self.json {
            eprintln!("{}", json!({"error": failure.what, "hint": failure.hint, "exit": failure.exit as u8}));
        } else {
            eprintln!("{failure}");
        }
    }
}

/// With control characters escaped: a name or claim must not steer the terminal. A tab stays.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| c.is_control()) {
        return text.into();
    }
    let escaped = |c: char| if c.is_control() && c != '\t' { c.escape_default().to_string() } else { c.into() };
    text.chars().map(escaped).collect::<String>().into()
}

/// Prints as it stands. A reader who has gone (`| head`) ends the command without a word.
pub fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        if error.kind() != ErrorKind::BrokenPipe {
            eprintln!("error: standard output: {error}");
        }
        std::process::exit(1);
    }
}

/// `12345` as `12,345`.
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number and its noun: `1 problem`, `2 problems`.
pub fn counted(number: usize, noun: &str) -> String {
    format!("{} {noun}{}", grouped(number), if number == 1 { "" } else { "s" })
}
