//! A request as the rules read it: plain, borrowed values.

use std::{borrow::Cow, net::IpAddr};

/// The header fields of a request.
pub trait Headers {
    /// A field's value, `name` in lower case. Several fields of one name are joined by commas (RFC 9110 §5.3).
    fn get(&self, name: &str) -> Option<Cow<'_, str>>;
}

/// An array of fields, names in lower case.
impl<const N: usize> Headers for [(&str, &str); N] {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        self.iter().find(|(known, _)| *known == name).map(|&(_, value)| value.into())
    }
}

/// A request without its body, which the host reads where it is needed ([`crate::Host::read_body`]).
#[derive(Clone, Copy)]
pub struct Request<'r> {
    /// The method, as sent (methods are case-sensitive: RFC 9110 §9.1).
    pub method: &'r str,
    /// Scheme and host of the URL as a serialised origin (RFC 6454 §6.2), such as `https://app.example.com`; the host
    /// alone if the scheme is unknown, empty if both are.
    pub site: &'r str,
    /// The path as in the URL, still percent-encoded.
    pub path: &'r str,
    /// The query without its `?`.
    pub query: Option<&'r str>,
    /// The header fields.
    pub headers: &'r dyn Headers,
}

impl Request<'_> {
    /// The address that connected to Cloudflare, as the runtime sets it (`CF-Connecting-IP`); `None` if it is not
    /// known.
    #[must_use]
    pub fn peer(&self) -> Option<IpAddr> {
        self.headers.get("cf-connecting-ip")?.trim().parse().ok()
    }

    /// Whether this is a WebSocket handshake: `Upgrade` names `websocket` (RFC 6455 §4.2.1).
    #[must_use]
    pub fn is_web_socket(&self) -> bool {
        let upgrade = self.headers.get("upgrade").unwrap_or_default();
        upgrade.split(',').any(|protocol| protocol.trim().eq_ignore_ascii_case("websocket"))
    }
}
