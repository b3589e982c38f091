//! Where a request comes from, through proxies that stand before the gate.
//!
//! **What always holds:** what a client says about its own address is believed only if a proxy that the operator trusts
//! has passed it on (`TOLLGATE_TRUSTED_PROXIES`), and then only the part that such proxies wrote: the addresses of
//! `X-Forwarded-For` from its end, up to the first that is not one of theirs.

use ipnet::IpNet;
use std::{
    fmt::Write as _,
    net::{IpAddr, SocketAddr},
};

/// Ranges of addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges(Vec<IpNet>);

impl Ranges {
    /// Reads ranges such as `192.0.2.0/24`, and single addresses.
    ///
    /// # Errors
    /// What to write instead, with the entry.
    pub(super) fn read(list: &[String]) -> Result<Self, String> {
        let range = |text: &String| {
            let range = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
            match range {
                Ok(IpNet::V6(range)) if range.addr().to_ipv4_mapped().is_some() => {
                    Err(format!("{text:?} is IPv4 in the form of IPv6, which no client has here: write it as IPv4"))
                }
                Ok(range) if range.prefix_len() == 0 => {
                    Err(format!("{text:?} is every address: write narrower ranges"))
                }
                Ok(range) => Ok(range),
                Err(_) => Err(format!(
                    "{text:?} is not a range of addresses: write one such as \"192.0.2.0/24\" or \"2001:db8::/32\""
                )),
            }
        };
        list.iter().map(range).collect::<Result<_, _>>().map(Self)
    }

    /// Whether an address is in one of them. An IPv4 address that is written as IPv6 counts as IPv4.
    #[must_use]
    pub fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|range| range.contains(&address))
    }
}

/// The address ranges of proxies before the gate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Ranges);

impl TrustedProxies {
    /// As [`Ranges::read`].
    pub(super) fn read(list: &[String]) -> Result<Self, String> {
        Ranges::read(list).map(Self)
    }

    /// Whether there are any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.0.is_empty()
    }

    fn contains(&self, address: IpAddr) -> bool {
        self.0.contain(address)
    }

    /// The address of the client. `peer` is who connected to Cloudflare, `forwarded_for` the request's
    /// `X-Forwarded-For`.
    #[must_use]
    pub fn client(&self, peer: IpAddr, forwarded_for: Option<&str>) -> IpAddr {
        let mut client = peer;
        for entry in forwarded_for.unwrap_or_default().rsplit(',') {
            if !self.contains(client) {
                break;
            }
            // A loopback address is the proxy's own, not a client's.
            let Some(before) = address(entry.trim()).filter(|address| !address.to_canonical().is_loopback()) else {
                break;
            };
            client = before;
        }
        client
    }

    /// `X-Forwarded-For` for the origin: the client's field goes on only if a trusted proxy has passed it on.
    #[must_use]
    pub fn forwarded_for(&self, peer: IpAddr, forwarded_for: Option<&str>) -> String {
        self.continued(peer, forwarded_for, peer.to_string())
    }

    /// `Forwarded` for the origin (RFC 7239 §4), under the same condition, and if every quoted string in the former
    /// value ends. `site` is the gate's scheme and host.
    #[must_use]
    pub fn forwarded(&self, peer: Option<IpAddr>, forwarded: Option<&str>, site: Option<&str>) -> String {
        let mut element = match peer {
            Some(IpAddr::V6(peer)) => format!("for=\"[{peer}]\""),
            Some(peer) => format!("for={peer}"),
            // RFC 7239 §6.2.
            None => "for=unknown".to_owned(),
        };
        if let Some((proto, host)) = site.and_then(|site| site.split_once("://")) {
            // A host with a port, or of IPv6, must be a quoted string (§4).
            let _ = write!(element, ";host=\"{host}\";proto={proto}");
        }
        match peer {
            Some(peer) => self.continued(peer, forwarded.filter(|former| is_closed(former)), element),
            None => element,
        }
    }

    fn continued(&self, peer: IpAddr, former: Option<&str>, own: String) -> String {
        match former.map(str::trim).filter(|former| !former.is_empty() && self.contains(peer)) {
            Some(former) => format!("{former}, {own}"),
            None => own,
        }
    }
}

/// Whether every quoted string of a field ends (RFC 9110 §5.6.4).
fn is_closed(field: &str) -> bool {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for c in field.chars() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ => {}
        }
    }
    !is_quoted && !is_escaped
}

/// An address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trusted(ranges: &[&str]) -> TrustedProxies {
        TrustedProxies::read(&ranges.iter().map(|&range| range.to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn only_what_trusted_proxies_wrote_is_believed() {
        let proxies = trusted(&["192.0.2.0/24", "2001:db8:1::/48", "198.51.100.7"]);
        for (peer, header, client, goes_on) in [
            ("192.0.2.9", Some("203.0.113.5"), "203.0.113.5", "203.0.113.5, 192.0.2.9"),
            ("192.0.2.9", Some("1.1.1.1, 203.0.113.5"), "203.0.113.5", "1.1.1.1, 203.0.113.5, 192.0.2.9"),
            ("192.0.2.9", Some("203.0.113.5, 192.0.2.8"), "203.0.113.5", "203.0.113.5, 192.0.2.8, 192.0.2.9"),
            ("192.0.2.9", Some("203.0.113.5:4711"), "203.0.113.5", "203.0.113.5:4711, 192.0.2.9"),
            ("2001:db8:1::5", Some("[2001:db8:2::1]:80"), "2001:db8:2::1", "[2001:db8:2::1]:80, 2001:db8:1::5"),
            ("::ffff:192.0.2.9", Some("203.0.113.5"), "203.0.113.5", "203.0.113.5, ::ffff:192.0.2.9"),
            ("198.51.100.7", Some("192.0.2.1, 192.0.2.2"), "192.0.2.1", "192.0.2.1, 192.0.2.2, 198.51.100.7"),
            ("192.0.2.9", Some("unknown, 192.0.2.8"), "192.0.2.8", "unknown, 192.0.2.8, 192.0.2.9"),
            ("192.0.2.9", Some("127.0.0.1"), "192.0.2.9", "127.0.0.1, 192.0.2.9"),
            ("192.0.2.9", Some("203.0.113.5, ::1"), "192.0.2.9", "203.0.113.5, ::1, 192.0.2.9"),
            ("192.0.2.9", Some("203.0.113.5, unknown"), "192.0.2.9", "203.0.113.5, unknown, 192.0.2.9"),
            ("192.0.2.9", Some("192.0.2.1, 192.0.2.2"), "192.0.2.1", "192.0.2.1, 192.0.2.2, 192.0.2.9"),
            ("192.0.2.9", None, "192.0.2.9", "192.0.2.9"),
            ("192.0.2.9", Some(""), "192.0.2.9", "192.0.2.9"),
            ("203.0.113.5", Some("10.0.0.1"), "203.0.113.5", "203.0.113.5"),
            ("198.51.100.8", Some("192.0.2.1"), "198.51.100.8", "198.51.100.8"),
        ] {
            let peer = peer.parse().unwrap();
            assert_eq!(proxies.client(peer, header).to_string(), client, "{peer} {header:?}");
            assert_eq!(proxies.forwarded_for(peer, header), goes_on, "{peer} {header:?}");
            assert_eq!(TrustedProxies::default().client(peer, header), peer);
            assert_eq!(TrustedProxies::default().forwarded_for(peer, header), peer.to_string());
        }
    }

    #[test]
    fn forwarded_is_written_as_rfc_7239_has_it() {
        let (proxies, site) = (trusted(&["192.0.2.0/24"]), Some("https://app.example.com:8443"));
        let at = |peer: &str, former| proxies.forwarded(peer.parse().ok(), former, site);
        let end = ";host=\"app.example.com:8443\";proto=https";
        assert_eq!(at("203.0.113.5", Some("for=1.1.1.1")), format!("for=203.0.113.5{end}"));
        assert_eq!(at("2001:db8::1", None), format!("for=\"[2001:db8::1]\"{end}"));
        assert_eq!(at("192.0.2.1", Some("for=1.1.1.1")), format!("for=1.1.1.1, for=192.0.2.1{end}"));
        assert_eq!(at("", Some("for=1.1.1.1")), format!("for=unknown{end}"));
        for open in ["for=1.1.1.1;by=\"", "by=\"a\\\"", "by=\"\\"] {
            assert_eq!(at("192.0.2.1", Some(open)), format!("for=192.0.2.1{end}"), "{open}");
        }
        let quoted = "for=\"[2001:db8::1]:80\";by=\"a, b\"";
        assert_eq!(at("192.0.2.1", Some(quoted)), format!("{quoted}, for=192.0.2.1{end}"));
        assert_eq!(proxies.forwarded("203.0.113.5".parse().ok(), None, None), "for=203.0.113.5");
    }

    #[test]
    fn a_range_is_one_and_not_everything() {
        for wrong in ["", "x", "192.0.2.0/33", "192.0.2", "0.0.0.0/0", "::/0", "192.0.2.0-9", "::ffff:192.0.2.0/120"] {
            assert!(TrustedProxies::read(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }
}
