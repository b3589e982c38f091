//! What is printed: results on standard output, as text or JSON; remarks and failures on standard error.
//!
//! **What always holds:** no other file prints (main.rs denies `clippy::print_stdout` and `clippy::print_stderr`), and no
//! unprintable character is printed. User names, user agents, claims and file names are written by others, and a terminal
//! interprets them: ESC and U+009B (CSI as one character) begin control sequences, U+202E reverses the rest of the line,
//! U+200B and tag characters are invisible. Text has such a character as `\u{9b}`; JSON has it as `\u009b`, which parses to
//! the same value.

use crate::failure::Failure;
use serde_json::{Value, json};
use std::{
    borrow::Cow,
    fmt::Write as _,
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
            print(&escape_json(&format!("{json:#}\n")));
        } else {
            print_text(text);
        }
    }

    /// Why a command failed, on standard error.
    pub fn failure(self, failure: &Failure) {
        if self.json {
            remark(&json_line(&json!({"error": failure.what, "hint": failure.hint, "exit": failure.exit as u8})));
        } else {
            // `what` is one line: a line break in it comes from a value (a file name, say), and escaping it keeps the
            // value from printing a line that looks like another message. Hints have line breaks; callers escape the
            // values in them.
            remark(&format!("error: {}\n hint: {}", visible(&failure.what), failure.hint));
        }
    }
}

/// Lines of text on standard output.
pub fn print_text(text: &str) {
    print(&format!("{}\n", lines(text.trim_end_matches('\n'))));
}

/// A value on a line of its own, as JSON, on standard output.
pub fn print_json_line(value: &Value) {
    print(&format!("{}\n", json_line(value)));
}

/// Lines of text on standard error: progress and warnings.
pub fn remark(text: &str) {
    // A closed standard error must not end the command before its result is printed.
    let _ = writeln!(std::io::stderr().lock(), "{}", lines(text));
}

/// A question on standard error, without a line break after it.
pub fn ask(question: &str) {
    let mut err = std::io::stderr().lock();
    let _ = write!(err, "{} ", visible(question)).and_then(|()| err.flush());
}

/// A value within a text, such as a name, with every unprintable character escaped. That includes tabs and line breaks, so
/// that a value can't begin another column or line.
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

/// JSON text with unprintable characters as `\uXXXX`, above U+FFFF as a surrogate pair (RFC 8259 §7). They can only be inside
/// strings, where serde_json has already escaped everything below U+0020; so a line break here is layout.
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
/// Decided by the standard library: `escape_debug` escapes the general categories Cc, Cf, Zl, Zp, Zs (except for the space),
/// Co, Cs and Cn. That is stricter than a terminal needs (it includes the no-break space and characters newer than the
/// compiler's Unicode version), but needs no crate with Unicode tables; a unit test checks it against the list of Cf. The
/// character is put after another one because `escape_debug` also escapes combining marks at the start of a text, and names
/// in Hindi or Thai contain them.
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
    let mut out = std::io::stdout().lock();
    if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        if error.kind() != ErrorKind::BrokenPipe {
            remark(&format!("error: standard output: {error}"));
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
