//! Is a password known from a leak? What is asked of Have I Been Pwned (its range API), and what the answer says.
//!
//! **What always holds:** five of forty hexadecimal digits of the password's SHA-1 are all that goes out, which about a
//! thousand leaked passwords share (k-anonymity). Whether one of them is this one is found here. Reading the answer
//! is total and bounded. The question waits two seconds at most, with the answer's body.

use super::normal_form;
use crate::{
    host::{Fetch, FetchError, Host},
    rules::{secret::Secret, time::Duration},
};
use sha1::{Digest, Sha1};

/// Where the range API is.
pub const DEFAULT_URL: &str = "https://api.pwnedpasswords.com/range";
/// A longer answer is not read: with padding they are of 50 KB.
pub const MAX_ANSWER_BYTES: usize = 256 * 1024;
/// The range API answers from the nearest data centre, within a tenth of this.
const TIMEOUT: Duration = Duration::seconds(2);
const PREFIX: usize = 5;
const DIGITS: usize = 40;

/// Asks `api` whether this password is known from a leak. Padded, so that the answer's length says nothing.
///
/// # Errors
/// Why nobody could tell, as the log has it.
pub async fn ask(host: &impl Host, api: &str, password: &Secret<String>) -> Result<bool, &'static str> {
    let question = Question::about(password);
    let headers = vec![("add-padding", "true".to_owned()), ("user-agent", "tollgate".to_owned())];
    let request = Fetch { url: question.url(api), headers, timeout: TIMEOUT, max_bytes: MAX_ANSWER_BYTES };
    let answer = host.fetch(request).await.map_err(|error| match error {
        FetchError::Unreachable => "unreachable",
        FetchError::Timeout => "timeout",
        FetchError::TooLong => "too_long",
    })?;
    if answer.status != 200 {
        return Err("status");
    }
    question.is_in(&answer.body).map_err(|_| "unreadable")
}

/// A password, as it is asked for.
pub struct Question {
    /// Its SHA-1 in capital hexadecimal digits.
    digest: Secret<String>,
}

/// The answer is not of the form known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

impl Question {
    /// About a password, in Normalization Form C.
    #[must_use]
    pub fn about(password: &Secret<String>) -> Self {
        let digest = Sha1::digest(normal_form(password.expose()).as_bytes());
        Self { digest: Secret::new(base16ct::upper::encode_string(&digest)) }
    }

    /// The URL to ask, with the five digits at its end.
    #[must_use]
    pub fn url(&self, api: &str) -> String {
        format!("{}/{}", api.trim_end_matches('/'), &self.digest.expose()[..PREFIX])
    }

    /// Is the password among the lines of the answer? A line is the other digits, `:` and how often it was seen;
    /// padding has a zero there.
    ///
    /// # Errors
    /// If a line is none, or the answer is too long: an error page, say.
    pub fn is_in(&self, answer: &[u8]) -> Result<bool, Unreadable> {
        if answer.len() > MAX_ANSWER_BYTES {
            return Err(Unreadable);
        }
        let mine = &self.digest.expose()[PREFIX..];
        let mut found = false;
        for line in std::str::from_utf8(answer).map_err(|_| Unreadable)?.lines().filter(|line| !line.is_empty()) {
            let (digits, count) = line.split_once(':').ok_or(Unreadable)?;
            let good = digits.len() == DIGITS - PREFIX && digits.bytes().all(|b| b.is_ascii_hexdigit());
            if !good || count.is_empty() || !count.bytes().all(|b| b.is_ascii_digit()) {
                return Err(Unreadable);
            }
            found |= digits.eq_ignore_ascii_case(mine) && count.bytes().any(|digit| digit != b'0');
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(password: &str) -> Question {
        Question::about(&Secret::new(password.to_owned()))
    }

    /// SHA-1 of "password" (Python's hashlib): 5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8.
    #[test]
    fn only_five_digits_go_out() {
        let question = about("password");
        assert_eq!(question.url(DEFAULT_URL), "https://api.pwnedpasswords.com/range/5BAA6");
        assert_eq!(question.url("http://127.0.0.1:1234/x/"), "http://127.0.0.1:1234/x/5BAA6");
        assert_eq!(about("cafe\u{301}").url("a"), about("caf\u{e9}").url("a"));
    }

    #[test]
    fn the_answer_tells_whether_it_is_known() {
        const MINE: &str = "1E4C9B93F3F0682250B6CF8331B7EE68FD8";
        const OTHER: &str = "0018A45C4D1DEF81644B54AB7F969B88D65";
        for (answer, known) in [
            (format!("{OTHER}:1\r\n{MINE}:9659365\r\n"), Ok(true)),
            (format!("{MINE}:1"), Ok(true)),
            (format!("{}:10\n", MINE.to_lowercase()), Ok(true)),
            (format!("{OTHER}:1\r\n{MINE}:0\r\n"), Ok(false)),
            (format!("{MINE}:00\n"), Ok(false)),
            (format!("{OTHER}:3"), Ok(false)),
            (String::new(), Ok(false)),
            ("\r\n\r\n".into(), Ok(false)),
            (format!("{MINE}:1\n<html>"), Err(Unreadable)),
            (MINE.into(), Err(Unreadable)),
            (format!("{MINE}:"), Err(Unreadable)),
            (format!("{MINE}:-1"), Err(Unreadable)),
            (format!("{MINE}:1:1"), Err(Unreadable)),
            (format!("{MINE}0:1"), Err(Unreadable)),
            (format!("{}:1", "\u{e9}".repeat(17) + "0"), Err(Unreadable)),
            (format!("{OTHER}:1\n").repeat(MAX_ANSWER_BYTES / 38 + 1), Err(Unreadable)),
        ] {
            assert_eq!(about("password").is_in(answer.as_bytes()), known, "{:.80}", answer);
        }
        assert_eq!(about("password").is_in(b"\xff"), Err(Unreadable));
    }

    #[test]
    fn an_answer_as_long_as_they_come_is_read() {
        let answer: String = (0..2_000_u32).map(|at| format!("{at:035X}:{at}\r\n")).collect();
        assert_eq!(about("password").is_in(answer.as_bytes()), Ok(false));
    }
}
