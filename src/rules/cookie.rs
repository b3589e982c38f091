//! Reads `Cookie` and writes `Set-Cookie` as Werkzeug under Flask-JWT-Extended does
//! (docs/compat/flask-jwt-extended.md#cookie and #cookies).
//!
//! **What always holds:** names, paths and domains come from the configuration, which checks them ([`is_name`],
//! [`is_attribute`]); values are tokens or ids, which contain no separator.

use super::{
    config::{FlaskJwtExtended, Names},
    time::{Duration, Timestamp},
    token::TokenType,
};
use std::{borrow::Cow, time::SystemTime};

/// `Max-Age` under `JWT_SESSION_COOKIE = false`, in seconds: Flask-JWT-Extended's value.
const LASTING_SECONDS: u64 = 31_540_000;

/// The value of the first cookie with this name, unquoted. `None` if there is no such cookie or its value is empty.
#[must_use]
pub fn value(header: &str, name: &str) -> Option<String> {
    let mut rest = Some(header);
    while let Some(text) = rest {
        let Some((pair, after)) = first(text) else {
            // Not a cookie; continue after the next semicolon.
            rest = text.split_once(';').map(|(_, after)| after);
            continue;
        };
        if pair.0 == name {
            return Some(unescaped(pair.1).into_owned()).filter(|value| !value.is_empty());
        }
        rest = after;
    }
    None
}

/// The header without the cookies of these names; `None` if it has none of them. Other cookies stay byte for byte. A
/// piece that is not a valid cookie is removed too if it contains one of the names, since another server may parse it
/// as that cookie.
#[must_use]
pub fn without(header: &str, names: &[&str]) -> Option<String> {
    let (mut kept, mut is_unchanged) = (String::new(), true);
    let mut rest = Some(header);
    while let Some(text) = rest {
        let is_removed;
        (is_removed, rest) = match first(text) {
            Some(((name, _), after)) => (names.contains(&name), after),
            None => {
                let (junk, after) = text.split_once(';').map_or((text, None), |(junk, after)| (junk, Some(after)));
                (names.iter().any(|name| junk.contains(name)), after)
            }
        };
        // Includes the semicolon after it.
        let piece = &text[..text.len() - rest.map_or(0, str::len)];
        if is_removed { is_unchanged = false } else { kept += piece }
    }
    let edges = [' ', '\t', ';'];
    (!is_unchanged).then(|| kept.trim_start_matches([' ', '\t']).trim_end_matches(edges).to_owned())
}

/// Splits off the first cookie of a text, as Werkzeug 3.1 does (more leniently than RFC 6265 §4.1.1): a name,
/// optionally `=` and a value, quoted or without spaces, then a semicolon or the end. Returns name, value with its
/// quotes, and the rest; `None` if the text begins with no cookie.
fn first(text: &str) -> Option<((&str, &str), Option<&str>)> {
    const BLANKS: [char; 2] = [' ', '\t'];
    let text = text.trim_start_matches(BLANKS);
    let (name, rest) = text.split_at(text.find([' ', '\t', '=', '"', ';']).unwrap_or(text.len()));
    if name.is_empty() {
        return None;
    }
    let rest = rest.trim_start_matches(BLANKS);
    let (value, rest) = match rest.strip_prefix('=').map(|rest| rest.trim_start_matches(BLANKS)) {
        None => ("", rest),
        Some(rest) if rest.starts_with('"') => rest.split_at(quoted(rest)?),
        Some(rest) => rest.split_at(rest.find([' ', '\t', '"', ';']).unwrap_or(rest.len())),
    };
    let rest = rest.trim_start_matches(BLANKS);
    match rest.strip_prefix(';') {
        Some(after) => Some(((name, value), Some(after))),
        None => rest.is_empty().then_some(((name, value), None)),
    }
}

/// The length in bytes of the quoted string that `text` begins with, including both quotes.
fn quoted(text: &str) -> Option<usize> {
    let mut is_escaped = true; // the opening quote does not end the string
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// Removes quotes and escapes: `\ooo` is a byte in octal; `\` before any other character stands for that character.
fn unescaped(value: &str) -> Cow<'_, str> {
    let Some(inside) = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) else { return value.into() };
    if !inside.contains('\\') {
        return inside.into();
    }
    let (mut bytes, mut rest) = (Vec::with_capacity(inside.len()), inside.as_bytes());
    while let [byte, after @ ..] = rest {
        (rest, _) = match (byte, after) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..]) => {
                (after, bytes.push(((a - b'0') * 8 + (b - b'0')) * 8 + (c - b'0')))
            }
            (b'\\', [escaped, after @ ..]) => (after, bytes.push(*escaped)),
            _ => (after, bytes.push(*byte)),
        };
    }
    String::from_utf8_lossy(&bytes).into_owned().into()
}

/// Whether this can be a cookie's name (RFC 6265 §4.1.1).
#[must_use]
pub fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// Whether this can be the value of a cookie's attribute: visible ASCII without `;`, `,`, `"` and `\`.
#[must_use]
pub fn is_attribute(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_graphic() && !b";,\"\\".contains(&b))
}

/// A `Set-Cookie` value for a device cookie (see [`super::device`]), sent to `path` for `life`. `HttpOnly` and
/// `SameSite=Strict`, and `Secure` if `is_https`.
#[must_use]
pub fn of_device(name: &str, value: &str, path: &str, is_https: bool, life: Duration) -> String {
    let secure = if is_https { "; Secure" } else { "" };
    let seconds = life.as_millis() / 1000;
    format!("{name}={value}; Max-Age={seconds}{secure}; HttpOnly; Path={path}; SameSite=Strict")
}

/// The cookies that go out with one answer, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Jar(Vec<String>);

impl Jar {
    /// An empty jar.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Whether there are no cookies.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of these values of `Set-Cookie` sets or removes a cookie of the jar. Then an answer keeps its own: a
    /// user who has just logged out would be logged in again.
    pub fn is_among<'c>(&self, mut set_cookies: impl Iterator<Item = &'c str>) -> bool {
        let name = |cookie: &str| cookie.split('=').next().unwrap_or_default().trim().to_owned();
        let own: Vec<String> = self.iter().map(name).collect();
        set_cookies.any(|cookie| own.contains(&name(cookie)))
    }

    /// The values for `Set-Cookie`, one a cookie.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Adds a token's cookie and the cookie with its CSRF value: `set_access_cookies`, `set_refresh_cookies`.
    pub fn set(
        &mut self,
        config: &FlaskJwtExtended,
        token_type: TokenType,
        token: &str,
        csrf: Option<&str>,
        now: Timestamp,
    ) {
        let names = config.names(token_type);
        let life = (!config.session_cookie).then(|| Life::lasting(now));
        self.push(config, &names.cookie, token, life.as_ref(), true, &names.cookie_path);
        if let Some(csrf) = csrf.filter(|_| config.csrf_protect && config.csrf_in_cookies) {
            self.push(config, &names.csrf_cookie, csrf, life.as_ref(), false, &names.csrf_cookie_path);
        }
    }

    /// Adds cookies that delete both: `unset_access_cookies`, `unset_refresh_cookies`.
    pub fn unset(&mut self, config: &FlaskJwtExtended, token_type: TokenType) {
        let Names { cookie, cookie_path, csrf_cookie, csrf_cookie_path, .. } = config.names(token_type);
        self.push(config, cookie, "", Some(&Life::over()), true, cookie_path);
        if config.csrf_protect && config.csrf_in_cookies {
            self.push(config, csrf_cookie, "", Some(&Life::over()), false, csrf_cookie_path);
        }
    }

    fn push(
        &mut self,
        config: &FlaskJwtExtended,
        name: &str,
        value: &str,
        life: Option<&Life>,
        http_only: bool,
        path: &str,
    ) {
        let text = |value: &str| Some(value.to_owned()).filter(|value| !value.is_empty());
        let flag = |on: bool| on.then(String::new);
        let attributes = [
            ("Domain", text(&config.cookie_domain)),
            ("Expires", life.map(|life| httpdate::fmt_http_date(life.expires))),
            ("Max-Age", life.and_then(|life| life.max_age).map(|seconds| seconds.to_string())),
            ("Secure", flag(config.cookie_secure)),
            ("HttpOnly", flag(http_only)),
            ("Path", text(path)),
            ("SameSite", config.cookie_same_site.map(|same_site| same_site.name().to_owned())),
        ];
        let mut cookie = format!("{name}={value}");
        for (name, value) in attributes {
            match value.as_deref() {
                None => {}
                Some("") => cookie.extend(["; ", name]),
                Some(value) => cookie.extend(["; ", name, "=", value]),
            }
        }
        self.0.push(cookie);
    }
}

struct Life {
    expires: SystemTime,
    max_age: Option<u64>,
}

impl Life {
    fn lasting(now: Timestamp) -> Self {
        let seconds = now.numeric_date().seconds().try_into().unwrap_or(0) + LASTING_SECONDS;
        Self {
            expires: SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds),
            max_age: Some(LASTING_SECONDS),
        }
    }

    fn over() -> Self {
        Self { expires: SystemTime::UNIX_EPOCH, max_age: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::config::SameSite;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_537_261);

    fn sent(jar: &Jar) -> Vec<&str> {
        jar.iter().collect()
    }

    #[test]
    fn an_answer_that_sets_the_same_cookie_keeps_its_own() {
        let jar = Jar(vec!["access_token_cookie=T; Path=/".into(), "csrf_access_token=U".into()]);
        for (theirs, is_among) in [
            (&["access_token_cookie=; Max-Age=0"][..], true),
            (&["a=1", "csrf_access_token=V"], true),
            (&["a=1", "access_token_cookie2=x"], false),
            (&[], false),
        ] {
            assert_eq!(jar.is_among(theirs.iter().copied()), is_among, "{theirs:?}");
        }
        assert!(!Jar::new().is_among(["a=1"].into_iter()));
    }

    #[test]
    fn a_cookie_is_found_by_its_exact_name() {
        for (header, found) in [
            ("a=1", Some("1")),
            ("b=2; a=1", Some("1")),
            ("a=1; a=2", Some("1")),
            ("a=\"1\"", Some("1")),
            ("A=1", None),
            ("a=", None),
            ("a=\"\"", None),
            ("", None),
            ("ab=1", None),
            (";;=;a=1", Some("1")),
            ("a = 1 ;b=2", Some("1")),
            ("x y=1; a=1", Some("1")),
            ("x=\"b;c\"; a=1", Some("1")),
            ("a=1,b=2", Some("1,b=2")),
            ("a=\"\\061\\\"\"", Some("1\"")),
            ("a=\"\\303\\251\\377\"", Some("\u{e9}\u{fffd}")),
            ("a=\"\\400\\18\"", Some("40018")),
            // Not valid cookies.
            ("a=\"1", None),
            ("a=1\"", None),
            ("a=1 2", None),
            ("a=\"1\"2", None),
            ("a=1 2; a=3", Some("3")),
        ] {
            assert_eq!(value(header, "a").as_deref(), found, "{header}");
        }
    }

    #[test]
    fn cookies_are_taken_out_and_the_others_stay_byte_for_byte() {
        for (header, left) in [
            ("a=1", Some("")),
            ("a=1;", Some("")),
            ("a=1; x=2", Some("x=2")),
            ("x=2; a=1", Some("x=2")),
            ("x=2;a=1;y=\"; \\\"a=\";z", Some("x=2;y=\"; \\\"a=\";z")),
            (" x = 2 ;  b=1; y=%20é,", Some("x = 2 ; y=%20é,")),
            ("a=1; x=2; b=3; a=4", Some("x=2")),
            ("a=\"1; x=2\"; y=3", Some("y=3")),
            ("a; x=1", Some("x=1")),
            // Not valid cookies, but other servers may parse them: two fields joined by a comma, a quote without an
            // end.
            ("a=1, x=2; y=3", Some("y=3")),
            ("x=2, a=1", Some("")),
            ("y=3; a=\"1", Some("y=3")),
            ("x y; z=1; a=1", Some("x y; z=1")),
            ("x=2; aa=1; A=3", None),
            ("x=a", None),
            ("x=2;;  ", None),
            ("", None),
        ] {
            assert_eq!(without(header, &["a", "b"]).as_deref(), left, "{header}");
        }
    }

    #[test]
    fn cookies_are_written_as_recorded() {
        let mut jar = Jar::new();
        assert!(jar.is_empty());
        jar.set(&FlaskJwtExtended::default(), TokenType::Access, "T", Some("C"), NOW);
        assert!(!jar.is_empty());
        assert_eq!(sent(&jar), ["access_token_cookie=T; HttpOnly; Path=/", "csrf_access_token=C; Path=/"]);
        for options in [
            FlaskJwtExtended { csrf_protect: false, ..FlaskJwtExtended::default() },
            FlaskJwtExtended { csrf_in_cookies: false, ..FlaskJwtExtended::default() },
        ] {
            let mut jar = Jar::new();
            jar.set(&options, TokenType::Access, "T", Some("C"), NOW);
            assert_eq!(sent(&jar), ["access_token_cookie=T; HttpOnly; Path=/"]);
        }
        let all = FlaskJwtExtended {
            cookie_domain: "test.com".into(),
            cookie_secure: true,
            cookie_same_site: Some(SameSite::Strict),
            session_cookie: false,
            ..FlaskJwtExtended::default()
        };
        let mut jar = Jar::new();
        jar.set(&all, TokenType::Refresh, "T", Some("C"), NOW);
        let life = "Expires=Wed, 24 Nov 2027 17:27:41 GMT; Max-Age=31540000";
        assert_eq!(
            sent(&jar),
            [
                format!("refresh_token_cookie=T; Domain=test.com; {life}; Secure; HttpOnly; Path=/; SameSite=Strict"),
                format!("csrf_refresh_token=C; Domain=test.com; {life}; Secure; Path=/; SameSite=Strict"),
            ]
        );
    }

    #[test]
    fn cookies_are_taken_away_as_recorded() {
        let mut jar = Jar::new();
        jar.unset(&FlaskJwtExtended::default(), TokenType::Access);
        let over = "Expires=Thu, 01 Jan 1970 00:00:00 GMT";
        assert_eq!(
            sent(&jar),
            [format!("access_token_cookie=; {over}; HttpOnly; Path=/"), format!("csrf_access_token=; {over}; Path=/")]
        );
        let mut jar = Jar::new();
        jar.unset(&FlaskJwtExtended { csrf_protect: false, ..FlaskJwtExtended::default() }, TokenType::Refresh);
        assert_eq!(sent(&jar), [format!("refresh_token_cookie=; {over}; HttpOnly; Path=/")]);
    }
}
