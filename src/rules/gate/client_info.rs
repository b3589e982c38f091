//! The client of a request, as its header fields describe it.

use super::core::Gate;
use crate::rules::{cookie, forward::FORWARDED_FOR_HEADER, proxies::TrustedProxies, request::Request};
use std::net::IpAddr;

/// The country of who connected to Cloudflare, as the runtime sets it.
pub(super) const COUNTRY_HEADER: &str = "cf-ipcountry";

/// A longer `User-Agent` is cut to this many characters.
const MAX_AGENT_CHARS: usize = 512;

/// The client of a log-in or a password change.
pub struct ClientInfo {
    /// The address; of an IPv6 address only the first 64 bits, which one customer has.
    pub(super) address: Option<String>,
    /// Whether the address is a loopback address, as in development.
    is_local: bool,
    /// The value of the device's cookie, not verified yet ([`crate::rules::device::DeviceKey::find`]).
    pub(super) device_cookie: String,
    pub(super) user_agent: String,
    /// The two letters that Cloudflare sends, or empty.
    pub(super) country: String,
    pub(super) is_https: bool,
    /// Whether the client is a browser: only browsers get the device's cookie, which Flask's libraries do not send.
    pub(super) is_browser: bool,
}

impl ClientInfo {
    fn read(request: &Request<'_>, cookie_name: &str, proxies: &TrustedProxies) -> Self {
        let header = |name| request.headers.get(name).unwrap_or_default();
        let text = |name| header(name).chars().take(MAX_AGENT_CHARS).collect();
        let (peer, address) = addresses(request, proxies);
        Self {
            address: address.map(network),
            // By the peer: a forwarded loopback address proves nothing.
            is_local: peer.is_some_and(|peer| peer.is_loopback()),
            device_cookie: cookie::value(&header("cookie"), cookie_name)
                .filter(|_| !cookie_name.is_empty())
                .unwrap_or_default(),
            user_agent: text("user-agent"),
            country: text(COUNTRY_HEADER),
            is_browser: request.headers.get("sec-fetch-site").is_some(),
            // How the client reached Cloudflare.
            is_https: header("cf-visitor").contains("\"https\""),
        }
    }

    /// The address that limits count; `None` without an address, and for a loopback address.
    pub(super) fn limited_address(&self) -> Option<&str> {
        self.address.as_deref().filter(|_| !self.is_local)
    }
}

/// The address of who connected to Cloudflare, and that of the client, which differs behind trusted proxies; `None` if
/// the runtime does not say.
pub(super) fn addresses(request: &Request<'_>, proxies: &TrustedProxies) -> (Option<IpAddr>, Option<IpAddr>) {
    let peer = request.peer();
    (peer, peer.map(|peer| proxies.client(peer, request.headers.get(FORWARDED_FOR_HEADER).as_deref())))
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
        ClientInfo::read(request, &self.config.sessions.device_cookie, &self.config.trusted_proxies)
    }
}
