//! The client of a request, as far as the request tells.

use super::core::Gate;
use crate::rules::{cookie, request::Request};
use std::net::IpAddr;

/// A longer `User-Agent` is cut to this many characters.
const MAX_AGENT_CHARS: usize = 512;

/// What a log-in or a password change takes of the request about its client.
pub struct ClientInfo {
    /// Of an IPv6 address the first 64 bits, which one customer has.
    pub(super) address: Option<String>,
    /// The request comes from the machine itself, which is so in development only.
    is_local: bool,
    /// The value of the device's cookie, which may prove something ([`crate::rules::device::DeviceKey::find`]).
    pub(super) device_cookie: String,
    pub(super) user_agent: String,
    /// Two letters, from Cloudflare.
    pub(super) country: String,
    pub(super) is_https: bool,
    /// A browser keeps a cookie. Other clients are told nothing that Flask's libraries would not tell.
    pub(super) is_browser: bool,
}

impl ClientInfo {
    fn read(request: &Request<'_>, cookie_name: &str) -> Self {
        let header = |name| request.headers.get(name).unwrap_or_default();
        let text = |name| header(name).chars().take(MAX_AGENT_CHARS).collect();
        let address: Option<IpAddr> = header("cf-connecting-ip").trim().parse().ok();
        Self {
            address: address.map(network),
            is_local: address.is_some_and(|address| address.is_loopback()),
            device_cookie: cookie::value(&header("cookie"), cookie_name)
                .filter(|_| !cookie_name.is_empty())
                .unwrap_or_default(),
            user_agent: text("user-agent"),
            country: text("cf-ipcountry"),
            is_browser: request.headers.get("sec-fetch-site").is_some(),
            // What Cloudflare says of the connection that it took the request from.
            is_https: header("cf-visitor").contains("\"https\""),
        }
    }

    /// The address, where limits by address hold: not on the machine itself.
    pub(super) fn limited_address(&self) -> Option<&str> {
        self.address.as_deref().filter(|_| !self.is_local)
    }
}

/// The network of one customer: an IPv4 address, or the first 64 bits of an IPv6 address.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

impl Gate {
    pub(super) fn client_info(&self, request: &Request<'_>) -> ClientInfo {
        ClientInfo::read(request, &self.config.sessions.device_cookie)
    }
}
