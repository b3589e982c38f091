//! As much of a request as the rules read: plain values, borrowed.

use std::borrow::Cow;

/// The header fields of a request.
pub trait Headers {
    /// A field's value, `name` in lower case; several fields of one name joined by commas.
    fn get(&self, name: &str) -> Option<Cow<'_, str>>;
}

/// A list of fields, names in lower case.
impl<const N: usize> Headers for [(&str, &str); N] {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        self.iter().find(|(known, _)| *known == name).map(|&(_, value)| value.into())
    }
}

/// As much of a request as a decision needs. The body is asked for where it is needed.
#[derive(Clone, Copy)]
pub struct Request<'r> {
    /// The method, in capitals as sent.
    pub method: &'r str,
    /// Scheme and host of the URL as browsers write an origin (RFC 6454 §6.2), such as `https://app.example.com`; the host alone
    /// if the scheme is not known, empty if neither is.
    pub site: &'r str,
    /// The path as it stands in the URL, escapes and all.
    pub path: &'r str,
    /// The query without its `?`.
    pub query: Option<&'r str>,
    /// The header fields.
    pub headers: &'r dyn Headers,
}

impl Request<'_> {
    /// Is it the handshake of a WebSocket (RFC 6455 §4.2.1)?
    #[must_use]
    pub fn is_web_socket(&self) -> bool {
        let upgrade = self.headers.get("upgrade").unwrap_or_default();
        upgrade.split(',').any(|protocol| protocol.trim().eq_ignore_ascii_case("websocket"))
    }
}
