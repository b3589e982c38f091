//! Parses request paths and checks the patterns of rules.
//!
//! The runtime has parsed the URL by the WHATWG URL standard: dot segments are resolved, backslashes are slashes, tabs
//! are removed. A path that an origin could still read differently is refused here (bad escapes, escaped separators,
//! `//`, control characters, double escapes). Differences that only a lenient origin ignores (case, `;` parameters, a
//! trailing slash) are not refused; [`super::Routes::find`] looks up that reading as well.

use super::super::rejection::PathFault;
use percent_encoding::percent_decode_str;
use std::borrow::Cow;

/// A percent-decoded path.
pub(super) struct RequestPath<'p> {
    decoded: Cow<'p, str>,
    /// Whether no origin can read it differently, except for a trailing slash.
    plain: bool,
}

impl<'p> RequestPath<'p> {
    pub(super) fn read(raw: &'p str) -> Result<Self, PathFault> {
        // Most paths are plain and need no copy (0.02 of a request's time on the hot path).
        let is_plain = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'/');
        if raw.bytes().all(is_plain) && !raw.as_bytes().windows(2).any(|two| two == b"//") {
            return Ok(Self { decoded: Cow::Borrowed(raw), plain: true });
        }
        check_escapes(raw.as_bytes())?;
        let decoded = percent_decode_str(raw).decode_utf8().map_err(|_| PathFault::BadEscape)?;
        if decoded.chars().any(char::is_control) {
            return Err(PathFault::ControlCharacter);
        }
        if decoded.as_bytes().windows(3).any(is_escape) {
            return Err(PathFault::DoubleEscape);
        }
        // Some origins cut a segment at `;` before they resolve dot segments, or trim spaces and dots at its end: they
        // read `/..;x/` and `/.. /` as `/../`.
        let is_dots = |segment: &str| {
            let segment = without_parameters(segment);
            !segment.is_empty() && segment.chars().all(|c| matches!(c, '.' | ' '))
        };
        if decoded.contains('\\') || decoded.split('/').any(is_dots) {
            return Err(PathFault::HiddenSeparator);
        }
        if decoded.contains("//") || decoded.contains("/;") {
            return Err(PathFault::EmptySegment);
        }
        Ok(Self { decoded, plain: false })
    }

    pub(super) fn decoded(&self) -> &str {
        &self.decoded
    }

    /// The path as a lenient origin reads it: in lower case, without `;` parameters, without dots and spaces at the end
    /// of a segment, and without a trailing slash.
    pub(super) fn normalized(&self) -> Cow<'_, str> {
        if self.plain {
            return Cow::Borrowed(without_last_slash(&self.decoded));
        }
        let segments: Vec<&str> = self.decoded().split('/').map(without_parameters).collect();
        fold(&segments.join("/")).into()
    }
}

/// A path or pattern in lower case, without dots and spaces at the end of segments, and without a trailing slash.
pub(super) fn fold(text: &str) -> String {
    let lower = text.to_lowercase();
    let segments: Vec<&str> = lower.split('/').map(|segment| segment.trim_end_matches(['.', ' '])).collect();
    without_last_slash(&segments.join("/")).to_owned()
}

fn without_last_slash(path: &str) -> &str {
    match path.trim_end_matches('/') {
        "" => "/",
        trimmed => trimmed,
    }
}

fn without_parameters(segment: &str) -> &str {
    segment.split(';').next().unwrap_or_default()
}

/// Whether these three bytes are a percent escape.
fn is_escape(bytes: &[u8]) -> bool {
    matches!(bytes, [b'%', one, two] if one.is_ascii_hexdigit() && two.is_ascii_hexdigit())
}

fn check_escapes(raw: &[u8]) -> Result<(), PathFault> {
    for at in raw.iter().enumerate().filter(|(_, byte)| **byte == b'%').map(|(at, _)| at) {
        match raw.get(at..at + 3) {
            Some([_, b'2', b'f' | b'F'] | [_, b'5', b'c' | b'C']) => return Err(PathFault::HiddenSeparator),
            Some(escape) if is_escape(escape) => {}
            _ => return Err(PathFault::BadEscape),
        }
    }
    Ok(())
}

/// Returns what to write instead of a variable in another router's syntax: `<string:name>` (Flask), `:name` (Express,
/// Rails), `{name:int}` (Starlette), `{*name}` (ASP.NET), `[name]` (Next.js), `*name`, or a regular expression. Taken
/// literally, such a pattern would match no request, and a wider rule would apply to the paths it was meant for.
fn written_for_another_router(segment: &str) -> Option<String> {
    let inside = |start: char, end: char| segment.strip_prefix(start)?.strip_suffix(end);
    let one = |name: &str| format!("write {{{}}}", Some(word(name)).filter(|word| !word.is_empty()).unwrap_or("name"));
    let rest = || String::from("write * as the last segment");
    if let Some(variable) = inside('<', '>') {
        let (converter, name) = variable.split_once(':').unwrap_or(("", variable));
        return Some(if converter == "path" { rest() } else { one(name) });
    }
    if let Some(name) = segment.strip_prefix(':') {
        let is_rest = name.ends_with(['*', '+']);
        return Some(if is_rest { rest() } else { one(name) });
    }
    if let Some(variable) = inside('{', '}') {
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
        if variable.starts_with('*') || [":path", ":.*", "..."].iter().any(|end| variable.ends_with(end)) {
            return Some(rest());
        }
        return (!variable.is_empty() && !variable.chars().all(is_name)).then(|| one(variable));
    }
    if let Some(variable) = inside('[', ']') {
        return Some(if variable.contains("...") { rest() } else { one(variable) });
    }
    if segment.starts_with("*.") {
        return Some(String::from(
            "write each file's path, or put the files into a folder and write * as the last segment",
        ));
    }
    if segment == "**" || (segment.starts_with('*') && segment.len() > 1) || ["$", "+", "#"].contains(&segment) {
        return Some(rest());
    }
    let types = ["int", "integer", "str", "string", "float", "uuid", "path", "slug", "number"];
    if let Some((name, kind)) = segment.split_once(':')
        && types.contains(&kind)
    {
        return Some(one(name));
    }
    // These characters are not allowed in a path (RFC 3986 §3.3), so this is a regular expression.
    if segment.contains(['<', '>', '[', ']', '|', '^', '"', '`'])
        || [".*", "(?", ".+"].iter().any(|regex| segment.contains(regex))
    {
        return Some(String::from("write {name} for a whole segment, and * as the last one for all below"));
    }
    None
}

/// The first word of a text.
fn word(text: &str) -> &str {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let text = text.trim_start_matches(|c| !is_word(c));
    &text[..text.find(|c| !is_word(c)).unwrap_or(text.len())]
}

/// Checks a pattern. The error says what to write instead.
pub(super) fn check_pattern(pattern: &str) -> Result<(), String> {
    if !pattern.starts_with('/') {
        return Err("write a path that begins with /".into());
    }
    let is_blank =
        |c: char| (c.is_whitespace() && c != ' ') || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}');
    if pattern.contains(is_blank) || pattern.split('/').any(|segment| segment.trim() != segment) {
        return Err("has blanks at the end of a segment, or characters that are not seen: remove them".into());
    }
    if let Some(instead) = pattern[1..].split('/').find_map(written_for_another_router) {
        return Err(format!("a pattern of another router: {instead}"));
    }
    if pattern.contains(['?', '#', '%', '\\', ';']) || pattern.chars().any(char::is_control) {
        return Err("write the path as it is meant, without escapes, query, backslashes or ;".into());
    }
    let segments: Vec<&str> = pattern[1..].split('/').collect();
    let last = segments.len() - 1;
    for (at, segment) in segments.iter().enumerate() {
        let is_name = segment.len() > 2
            && segment.starts_with('{')
            && segment.ends_with('}')
            && !segment[1..segment.len() - 1].contains(['{', '}', '*']);
        match *segment {
            "" if at != last => return Err("an empty segment (//) matches nothing: remove it".into()),
            "." | ".." => return Err("a dot segment matches nothing: remove it".into()),
            "*" if at != last => {
                return Err("* may only be the last segment; write {name} for one segment in between".into());
            }
            "*" => {}
            _ if !is_name && segment.contains(['{', '}', '*']) => {
                return Err("write {name} for a whole segment, and * only as the last one".into());
            }
            _ => {}
        }
    }
    Ok(())
}
