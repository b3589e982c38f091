//! Checks a password against leaked ones, with the range API of Have I Been Pwned.
//!
//! **What always holds:** only the first five of forty hexadecimal digits of the password's SHA-1 are sent, which about
//! a thousand leaked passwords share (k-anonymity); the rest is compared here. Parsing the answer never panics and is
//! bounded by [`MAX_ANSWER_BYTES`]. The request, with the answer's body, takes two seconds at most.

use super::normal_form;
use crate::{
    host::{Fetch, FetchError, Host},
    rules::{secret::Secret, time::Duration},
};
use sha1::{Digest, Sha1};

/// The default URL of the range API.
pub const DEFAULT_URL: &str = "https://api.pwnedpasswords.com/range";
/// Maximum length of an answer in bytes; padded answers have about 50 KB.
pub const MAX_ANSWER_BYTES: usize = 256 * 1024;
/// Maximum time of the request. The range API answers from the nearest data centre within a tenth of this.
const TIMEOUT: Duration = Duration::seconds(2);
const PREFIX: usize = 5;
const DIGITS: usize = 40;

/// Asks `api` whether this password is in a leak. Asks for padding, so that the answer's length reveals nothing.
///
/// # Errors
/// The code of the failure, for the log.
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

/// A query about one password.
pub struct Question {
    /// The password's SHA-1 in upper-case hexadecimal.
    digest: Secret<String>,
}

/// The error for an answer of another form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

impl Question {
    /// A query about a password, hashed in Normalization Form C.
    #[must_use]
    pub fn about(password: &Secret<String>) -> Self {
        let digest = Sha1::digest(normal_form(password.expose()).as_bytes());
        Self { digest: Secret::new(base16ct::upper::encode_string(&digest)) }
    }

    /// The URL to fetch: `api`, `/` and the five digits.
    #[must_use]
    pub fn url(&self, api: &str) -> String {
        format!("{}/{}", api.trim_end_matches('/'), &self.digest.expose()[..PREFIX])
    }

    /// Whether the answer lists the password. A line is the other 35 digits, `:` and the number of occurrences, which
    /// is 0 for padding.
    ///
    /// # Errors
    /// If a line has another form or the answer is longer than [`MAX_ANSWER_BYTES`], as an error page may be.
    pub fn is_in(&self, answer: &[u8]) -> Result<bool, Unreadable> {
        if answer.len() > MAX_ANSWER_BYTES {
            return Err(Unreadable);
        }
        let wanted = &self.digest.expose()[PREFIX..];
        let mut found = false;
        for line in std::str::from_utf8(answer).map_err(|_| Unreadable)?.lines().filter(|line| !line.is_empty()) {
            let (digits, count) = line.split_once(':').ok_or(Unreadable)?;
            let is_hash = digits.len() == DIGITS - PREFIX && digits.bytes().all(|b| b.is_ascii_hexdigit());
            if !is_hash || count.is_empty() || !count.bytes().all(|b| b.is_ascii_digit()) {
                return Err(Unreadable);
            }
            found |= digits.eq_ignore_ascii_case(wanted) && count.bytes().any(|digit| digit != b'0');
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        host::{BodyError, BodyUse, Fetched, Limit, Unavailable},
        rules::{
            account::{Command, Lifetimes, Reply},
            ids::ObjectName,
            password::{HashJob, Hashed},
            revocation::Delta,
            time::Timestamp,
        },
    };
    use futures_util::FutureExt;

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
        let mut answer: String = (0..2_000_u32).map(|at| format!("{at:035X}:{at}\r\n")).collect();
        assert_eq!(about("password").is_in(answer.as_bytes()), Ok(false));
        answer.extend(std::iter::repeat_n('\n', MAX_ANSWER_BYTES - answer.len()));
        assert_eq!(about("password").is_in(answer.as_bytes()), Ok(false));
        answer.push('\n');
        assert_eq!(about("password").is_in(answer.as_bytes()), Err(Unreadable));
    }

    /// A host that can only fetch.
    struct Api(Result<Fetched, FetchError>);

    impl Host for Api {
        async fn fetch(&self, request: Fetch) -> Result<Fetched, FetchError> {
            assert_eq!(request.url, "https://api.example/5BAA6");
            assert!(request.headers.contains(&("add-padding", "true".to_owned())));
            self.0.clone()
        }

        fn now(&self) -> Timestamp {
            unreachable!()
        }

        fn random(&self, _: &mut [u8]) {
            unreachable!()
        }

        async fn read_body(&self, _: BodyUse, _: usize) -> Result<Vec<u8>, BodyError> {
            unreachable!()
        }

        async fn within_limit(&self, _: Limit<'_>, _: &str) -> bool {
            unreachable!()
        }

        async fn account(&self, _: &ObjectName, _: Command, _: &Lifetimes) -> Result<Reply, Unavailable> {
            unreachable!()
        }

        async fn revocations(&self, _: u64) -> Result<Delta, Unavailable> {
            unreachable!()
        }

        async fn hash_password(&self, _: HashJob) -> Result<Hashed, Unavailable> {
            unreachable!()
        }

        async fn sleep(&self, _: Duration) {
            unreachable!()
        }
    }

    #[test]
    fn what_the_api_does_not_tell_is_an_error_and_no_verdict() {
        let answer = |status, body: &str| Ok(Fetched { status, body: body.into() });
        let (listed, other) = ("1E4C9B93F3F0682250B6CF8331B7EE68FD8:1", "0018A45C4D1DEF81644B54AB7F969B88D65:1");
        for (answer, known) in [
            (answer(200, listed), Ok(true)),
            (answer(200, other), Ok(false)),
            (answer(503, other), Err("status")),
            (answer(200, "<html>"), Err("unreadable")),
            (Err(FetchError::Unreachable), Err("unreachable")),
            (Err(FetchError::Timeout), Err("timeout")),
            (Err(FetchError::TooLong), Err("too_long")),
        ] {
            let host = Api(answer);
            let told = ask(&host, "https://api.example", &Secret::new("password".to_owned())).now_or_never();
            assert_eq!(told, Some(known), "{:?}", host.0);
        }
    }
}
