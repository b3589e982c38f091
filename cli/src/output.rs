//! Printing: results on standard output as text or JSON; remarks, warnings and failures on standard error.
//!
//! **What always holds:** with `--json` every line on standard error is one JSON object, and standard output is JSON.
//! No other file prints (main.rs denies `clippy::print_stdout` and `clippy::print_stderr`), and no unprintable
//! character is printed. User names, user agents, claims and file names are written by others, and a terminal
//! interprets them: ESC and U+009B (CSI as one character) begin control sequences, U+202E reverses the rest of the
//! line, U+200B and tag characters are invisible. Text has such a character as `\u{9b}`; JSON has it as `\u009b`, which
//! parses to the same value. Colours are added to text that is escaped already, so a value can't bring control
//! sequences of its own.

use crate::failure::Failure;
use anstream::{
    AutoStream, ColorChoice,
    stream::{AsLockedWrite, RawStream},
};
use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};
use std::{
    borrow::Cow,
    fmt::Write as _,
    io::{ErrorKind, Write},
    sync::atomic::{AtomicBool, Ordering},
};

/// Whether `--json` was given. Global, because functions that print no result also print remarks.
static JSON: AtomicBool = AtomicBool::new(false);

/// Chooses JSON or text for the whole process. Called once, before anything is printed.
pub fn set_json(json: bool) {
    JSON.store(json, Ordering::Relaxed);
}

/// Whether `--json` was given.
pub fn is_json() -> bool {
    JSON.load(Ordering::Relaxed)
}

/// How serious a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Error,
    Warning,
}

impl Severity {
    /// The word that begins a message, in colour if the stream shows colours.
    fn label(self, is_coloured: bool) -> String {
        let (word, colour) = match self {
            Self::Error => ("error", AnsiColor::Red),
            Self::Warning => ("warning", AnsiColor::Yellow),
        };
        let style = if is_coloured { colour.on_default().bold() } else { Style::new() };
        format!("{style}{word}{style:#}")
    }
}

/// One finding about a place in a file. Printed as one line.
pub struct Finding {
    /// File and line.
    pub place: String,
    pub severity: Severity,
    pub text: String,
}

/// How results are printed.
#[derive(Clone, Copy)]
pub struct Output {
    pub json: bool,
}

impl Output {
    /// Prints one result: `text`, or `json` with `--json`.
    pub fn result(self, text: &str, json: &Value) {
        if self.json {
            print(&escape_json(&format!("{json:#}\n")));
        } else {
            print_text(text);
        }
    }

    /// Prints findings and a summary, or `json` with `--json`. Escapes places and texts, since file names can hold line
    /// breaks.
    pub fn findings(self, findings: impl IntoIterator<Item = Finding>, summary: &str, json: &Value) {
        if self.json {
            return self.result("", json);
        }
        let is_coloured = takes_colour(&std::io::stdout());
        let mut text = String::new();
        for Finding { place, severity, text: what } in findings {
            let label = severity.label(is_coloured);
            text += &format!("{}: {label}: {}\n", visible(&place), visible(&runnable(&what)));
        }
        text += &lines(summary.trim_end_matches('\n'));
        print(&format!("{text}\n"));
    }

    /// Prints a failure on standard error.
    pub fn failure(self, failure: &Failure) {
        let Failure { exit, what, hint } = failure;
        if self.json {
            return print_error(&json_line(&json!({"error": what, "hint": hint, "exit": *exit as u8})));
        }
        // `what` is one line: a line break in it comes from a value (a file name, say), and escaping it keeps the value
        // from printing a line that looks like another message. Hints have line breaks; callers escape the values in
        // them.
        print_labelled(Severity::Error, &format!("{}\n hint: {}", visible(what), lines(hint)));
    }
}

/// Prints a command line that clap rejects on standard error.
///
/// clap's message repeats the wrong argument, so it is rendered without clap's colours and escaped.
pub fn usage_error(error: &clap::Error, json: bool) {
    let text = error.render().to_string();
    let text = text.trim_end();
    if !json {
        return match text.strip_prefix("error: ") {
            Some(text) => print_labelled(Severity::Error, &lines(text)),
            None => print_error(&lines(text)),
        };
    }
    let (what, hint) = match error.kind() {
        clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            ("a command is missing".to_owned(), usage_line(text))
        }
        _ => {
            // The message and clap's tips are paragraphs, with `Usage:` and a reference to --help behind them.
            let text = text.strip_prefix("error: ").unwrap_or(text);
            let is_message = |part: &&str| !part.starts_with("Usage:") && !part.starts_with("For more information");
            let (tips, message): (Vec<&str>, Vec<&str>) =
                text.split("\n\n").filter(is_message).partition(|part| part.trim_start().starts_with("tip:"));
            let one_line = |parts: &[&str]| {
                parts.iter().flat_map(|part| part.lines()).map(str::trim).collect::<Vec<_>>().join(" ")
            };
            let tips = one_line(&tips);
            let tips = tips.trim_start_matches("tip:").trim_start();
            let hints: Vec<String> =
                [tips.to_owned(), usage_line(text)].into_iter().filter(|hint| !hint.is_empty()).collect();
            (one_line(&message), hints.join("; "))
        }
    };
    let hint = if hint.is_empty() { "`tollgate --help` describes the commands".to_owned() } else { hint };
    print_error(&json_line(&json!({"error": what, "hint": hint, "exit": crate::failure::Exit::Usage as u8})));
}

/// `usage: tollgate …`, or an empty text if clap's message has no usage.
fn usage_line(text: &str) -> String {
    let usage = text.lines().find_map(|line| line.trim().strip_prefix("Usage: "));
    usage.map_or_else(String::new, |usage| format!("usage: {usage}"))
}

/// Prints lines of text on standard output.
pub fn print_text(text: &str) {
    print(&format!("{}\n", lines(text.trim_end_matches('\n'))));
}

/// Prints a value as one line of JSON on standard output.
pub fn print_json_line(value: &Value) {
    print(&format!("{}\n", json_line(value)));
}

/// Prints progress or a note on standard error; `{"remark": …}` with `--json`.
pub fn remark(text: &str) {
    if is_json() {
        print_error(&json_line(&json!({"remark": text.trim()})));
    } else {
        print_error(&lines(text));
    }
}

/// Prints a warning on standard error; `{"warning": …}` with `--json`.
pub fn warning(text: &str) {
    if is_json() {
        print_error(&json_line(&json!({"warning": text.trim()})));
    } else {
        print_labelled(Severity::Warning, &lines(text));
    }
}

/// Prints a message behind its severity. The text must be escaped.
fn print_labelled(severity: Severity, escaped: &str) {
    print_error(&format!("{}: {escaped}", severity.label(takes_colour(&std::io::stderr()))));
}

/// Prints a line on standard error. The text must be escaped.
fn print_error(escaped: &str) {
    // A closed standard error must not end the command before its result is printed.
    let _ = write(std::io::stderr(), &format!("{}\n", runnable(escaped)));
}

/// The text with commands that run as they stand there: in an npm project this one is `npx tollgate`.
fn runnable(text: &str) -> Cow<'_, str> {
    // npx sets the variable.
    match std::env::var_os("npm_command") {
        Some(command) if command == "exec" => {
            text.replace("`tollgate ", "`npx tollgate ").replace("$(tollgate ", "$(npx tollgate ").into()
        }
        _ => text.into(),
    }
}

/// Whether a stream is a terminal on which colours are shown and wanted. `NO_COLOR` (not empty), `CLICOLOR=0` and
/// `TERM=dumb` turn them off; nothing turns them on for a file or a pipe.
fn takes_colour(stream: &impl RawStream) -> bool {
    stream.is_terminal()
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
        && AutoStream::choice(stream) != ColorChoice::Never
}

/// Writes and flushes. Colours work on the terminals of every system.
fn write(stream: impl RawStream + AsLockedWrite + 'static, text: &str) -> std::io::Result<()> {
    let mut stream: Box<dyn Write> = match takes_colour(&stream) {
        true => Box::new(AutoStream::new(stream, ColorChoice::Always)),
        false => Box::new(stream),
    };
    stream.write_all(text.as_bytes())?;
    stream.flush()
}

/// Prints a question on standard error, without a line break.
pub fn ask(question: &str) {
    let mut err = std::io::stderr().lock();
    let _ = write!(err, "{} ", visible(question)).and_then(|()| err.flush());
}

/// A value for use in a text, with every unprintable character escaped. That includes tabs and line breaks, so that a
/// value can't begin another column or line.
pub fn visible(text: &str) -> Cow<'_, str> {
    escape(text, is_visible, |escaped, c| _ = write!(escaped, "{}", c.escape_default()))
}

/// A value as JSON on one line, with unprintable characters escaped.
pub fn json_line(value: &Value) -> String {
    escape_json(&value.to_string()).into_owned()
}

/// Text with unprintable characters escaped, except for line breaks and tabs, which are layout.
fn lines(text: &str) -> Cow<'_, str> {
    escape(
        text,
        |c| is_visible(c) || matches!(c, '\n' | '\t'),
        |escaped, c| _ = write!(escaped, "{}", c.escape_default()),
    )
}

/// JSON text with unprintable characters as `\uXXXX`, above U+FFFF as a surrogate pair (RFC 8259 §7). They can only be
/// inside strings, where serde_json has already escaped everything below U+0020; so a line break here is layout.
fn escape_json(json: &str) -> Cow<'_, str> {
    escape(
        json,
        |c| is_visible(c) || c == '\n',
        |escaped, c| {
            for unit in c.encode_utf16(&mut [0; 2]) {
                _ = write!(escaped, "\\u{unit:04x}");
            }
        },
    )
}

fn escape(text: &str, is_kept: impl Fn(char) -> bool, write: impl Fn(&mut String, char)) -> Cow<'_, str> {
    if text.chars().all(&is_kept) {
        return text.into();
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_kept(c) { escaped.push(c) } else { write(&mut escaped, c) }
    }
    escaped.into()
}

/// Whether the character is printable.
///
/// Decided by the standard library: `escape_debug` escapes the general categories Cc, Cf, Zl, Zp, Zs (except for the
/// space), Co, Cs and Cn. That is stricter than a terminal needs (it includes the no-break space and characters newer
/// than the compiler's Unicode version), but needs no crate with Unicode tables; a unit test checks it against the list
/// of Cf. The character is put after another one because `escape_debug` also escapes combining marks at the start of a
/// text, and names in Hindi or Thai contain them.
fn is_visible(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    let mut text = [b'a'; 5];
    let length = c.encode_utf8(&mut text[1..]).len();
    let text = std::str::from_utf8(&text[..=length]).unwrap_or_default();
    text.escape_debug().eq(text.chars())
}

/// Writes to standard output. If its reader has ended (`| head`), the command ends without a message.
fn print(text: &str) {
    if let Err(error) = write(std::io::stdout(), text) {
        if error.kind() != ErrorKind::BrokenPipe {
            let failure = Failure::rejected(
                format!("standard output can't be written: {error}"),
                "check that the disk is not full; changes that were made before this error remain",
            );
            Output { json: is_json() }.failure(&failure);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The categories Cf, Zl and Zp of Unicode 14, and the C0 and C1 controls with DEL.
    const NOT_PRINTED: [(u32, u32); 24] = [
        (0, 0x1f),
        (0x7f, 0x9f),
        (0xad, 0xad),
        (0x600, 0x605),
        (0x61c, 0x61c),
        (0x6dd, 0x6dd),
        (0x70f, 0x70f),
        (0x890, 0x891),
        (0x8e2, 0x8e2),
        (0x180e, 0x180e),
        (0x200b, 0x200f),
        (0x2028, 0x202e),
        (0x2060, 0x2064),
        (0x2066, 0x206f),
        (0xfeff, 0xfeff),
        (0xfff9, 0xfffb),
        (0x110bd, 0x110bd),
        (0x110cd, 0x110cd),
        (0x13430, 0x13438),
        (0x1bca0, 0x1bca3),
        (0x1d173, 0x1d17a),
        (0xe0001, 0xe0001),
        (0xe0020, 0xe007f),
        (0xf0000, 0xffffd),
    ];

    #[test]
    fn unprintable_characters_are_escaped_and_json_keeps_the_value() {
        for c in NOT_PRINTED.into_iter().flat_map(|(first, last)| first..=last).filter_map(char::from_u32) {
            let text = format!("a{c}b");
            let shown = visible(&text);
            assert!(shown.is_ascii() && !shown.chars().any(char::is_control), "{shown:?}");
            let value = json!({ text.as_str(): [text] });
            for json in [json_line(&value), escape_json(&format!("{value:#}")).into_owned()] {
                let controls = |c: char| c.is_control() && c != '\n';
                assert!(json.is_ascii() && !json.chars().any(controls), "{json:?}");
                assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), value);
            }
        }
        assert_eq!(visible("a\u{9b}\u{202e}\n\t\u{e0001}"), "a\\u{9b}\\u{202e}\\n\\t\\u{e0001}");
        assert_eq!(json_line(&json!("\u{9b}\u{e0001}\n")), r#""\u009b\udb40\udc01\n""#);
        assert_eq!(lines("a\tb\u{1b}\nc\r"), "a\tb\\u{1b}\nc\\r");
    }

    #[test]
    fn printable_characters_are_unchanged() {
        for text in [
            "~ a\"b\\c'",
            "us\u{e9}r \u{2026} \u{2192}",
            "\u{65e5}\u{672c}",
            "e\u{301}",
            "\u{939}\u{93f}\u{928}\u{94d}\u{926}\u{940}",
            "\u{1f600}\u{2764}\u{fe0f}",
        ] {
            assert!(matches!(visible(text), Cow::Borrowed(_)), "{text}");
            assert_eq!(json_line(&json!(text)), json!(text).to_string());
        }
    }
}
