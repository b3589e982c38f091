//! Predicts whether a browser stores a cookie, and which requests will carry it.
//!
//! Follows RFC 6265bis (draft-ietf-httpbis-rfc6265bis-22), sections 5.6 and 5.7, with the length limits and prefixes
//! that browsers apply. The configuration reader uses it to report a cookie that no browser would store before anybody
//! logs in.
//!
//! **What always holds:** a dropped cookie has a reason that an operator can act on. Where a rule depends on something
//! unknown ([`Site::host`] without a value), the cookie is kept.
//!
//! **What it does not do:** parse `Set-Cookie`: it judges cookies that [`super::cookie`] writes. It does not have the
//! whole list of public suffixes, only `PUBLIC_SUFFIXES`.

use super::config::SameSite;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Maximum length of name and value together, in bytes (RFC 6265bis §5.6, step 5).
pub const MOST_PAIR_BYTES: usize = 4096;
/// Maximum length of an attribute's value, in bytes; a longer attribute is ignored (RFC 6265bis §5.6, step 6 of the
/// attributes).
pub const MOST_ATTRIBUTE_BYTES: usize = 1024;

/// The public suffixes (publicsuffix.org) under which Cloudflare serves workers. Names without a dot count as public
/// suffixes too.
const PUBLIC_SUFFIXES: [&str; 2] = ["workers.dev", "pages.dev"];

/// An origin as browsers write it (RFC 6454 §6.2): scheme, host, and a port if it is not the scheme's default; `None`
/// for anything else than an origin.
pub(super) fn serialised(text: &str) -> Option<String> {
    let uri: http::Uri = text.parse().ok()?;
    let (scheme, authority) = (uri.scheme_str()?.to_ascii_lowercase(), uri.authority()?);
    let is_whole = uri.path().is_empty() || (uri.path() == "/" && !text.ends_with('/'));
    if !is_whole || uri.query().is_some() || text.contains(['#', '@']) {
        return None;
    }
    let written = uri.host()?.to_ascii_lowercase();
    let address = written.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host = match address {
        Some(address) => format!("[{}]", address.parse::<Ipv6Addr>().ok()?),
        None => written.clone(),
    };
    // A host that ends with a number is an IPv4 address, or none (WHATWG URL, "ends in a number checker").
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_number = last.parse::<u64>().is_ok()
        || last.strip_prefix("0x").is_some_and(|hex| u64::from_str_radix(hex, 16).is_ok() || hex.is_empty());
    if is_number && host.parse::<Ipv4Addr>().is_err() {
        return None;
    }
    // No page has these schemes, and no browser writes an empty label.
    if ["file", "ws", "wss"].contains(&scheme.as_str())
        || (!host.starts_with('[') && host.split('.').any(str::is_empty))
    {
        return None;
    }
    let default_port = match scheme.as_str() {
        "https" => Some(443),
        "http" => Some(80),
        _ => None,
    };
    // The crate `http` parses the port only in `port_u16`.
    let rest = &authority.as_str()[written.len()..];
    let port = match rest.strip_prefix(':') {
        None if rest.is_empty() => None,
        None => return None,
        Some(port) => Some(port.parse::<u16>().ok().filter(|port| *port > 0)?),
    };
    let port = port.filter(|port| Some(*port) != default_port).map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{scheme}://{host}{port}"))
}

/// Whether unrelated parties have names under this one, as far as is known here. `host` may have a port.
#[must_use]
pub fn is_public_suffix(host: &str) -> bool {
    let host = host.trim_start_matches('.').split(':').next().unwrap_or_default();
    !host.contains('.') || PUBLIC_SUFFIXES.contains(&host)
}

/// Whether requests from a page of one origin to another may count as of the same site (HTML, "schemefully same site"):
/// the schemes are equal, and the hosts or the domains that they are registered under. Unknown public suffixes count as
/// registered.
#[must_use]
pub fn may_be_same_site(one: &str, other: &str) -> bool {
    let site = |origin: &str| -> Option<(String, String)> {
        let uri: http::Uri = origin.parse().ok()?;
        let host = uri.host()?.to_ascii_lowercase();
        if host.parse::<IpAddr>().is_ok() || host.starts_with('[') {
            return Some((uri.scheme_str()?.to_owned(), host));
        }
        let labels: Vec<&str> = host.split('.').collect();
        let last = |count: usize| labels[labels.len().saturating_sub(count)..].join(".");
        let is_public = PUBLIC_SUFFIXES.contains(&last(2).as_str());
        Some((uri.scheme_str()?.to_owned(), last(if is_public { 3 } else { 2 })))
    };
    site(one).is_some_and(|one| Some(one) == site(other))
}

/// A cookie as a server sends it.
#[derive(Clone, Copy, Debug)]
pub struct SentCookie<'c> {
    /// The name.
    pub name: &'c str,
    /// The length of the value, in bytes.
    pub value_bytes: usize,
    /// `Domain`; empty if unset.
    pub domain: &'c str,
    /// `Path`; empty if unset.
    pub path: &'c str,
    /// `Secure`.
    pub secure: bool,
    /// `HttpOnly`.
    pub http_only: bool,
    /// `SameSite`; `None` if unset.
    pub same_site: Option<SameSite>,
}

/// The response that sets the cookie.
#[derive(Clone, Copy, Debug)]
pub struct Site<'s> {
    /// The host, in lower case, without a port; `None` if unknown.
    pub host: Option<&'s str>,
    /// Whether the host is reached by https or is the local machine.
    pub is_secure: bool,
    /// The path of the request.
    pub path: &'s str,
}

/// The reason why a browser drops a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// Name and value are longer than [`MOST_PAIR_BYTES`].
    TooLong {
        /// The length of name and value together.
        bytes: usize,
    },
    /// `Domain` is not a host name: it has a port, a scheme, a path or a wildcard.
    NotADomain,
    /// `Domain` is a public suffix: unrelated parties have names under it.
    PublicSuffix,
    /// `Domain` does not cover the host that sends the cookie.
    OtherHost,
    /// `Secure` is set but the connection is not https.
    SecureOverHttp,
    /// `SameSite=None` without `Secure`.
    NoneWithoutSecure,
    /// The name begins with a prefix whose requirements the cookie does not meet.
    Prefix(Prefix),
}

/// A name prefix for which browsers require attributes (RFC 6265bis §4.1.3). Matched in upper and lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefix {
    /// `__Secure-` requires `Secure`.
    Secure,
    /// `__Host-` requires `Secure`, `Path=/` and no `Domain`.
    Host,
    /// `__Http-` requires `Secure` and `HttpOnly`.
    Http,
    /// `__Host-Http-` requires what `__Host-` and `__Http-` require.
    HostHttp,
}

impl Prefix {
    /// The longest prefix that the name begins with; `None` if there is none.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        [Self::HostHttp, Self::Host, Self::Http, Self::Secure].into_iter().find(|prefix| {
            let text = prefix.text();
            name.get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text))
        })
    }

    /// The prefix in its usual spelling.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Secure => "__Secure-",
            Self::Host => "__Host-",
            Self::Http => "__Http-",
            Self::HostHttp => "__Host-Http-",
        }
    }

    fn is_satisfied_by(self, cookie: &SentCookie<'_>) -> bool {
        let is_bound_to_host = cookie.domain.is_empty() && cookie.path == "/";
        cookie.secure
            && match self {
                Self::Secure => true,
                Self::Host => is_bound_to_host,
                Self::Http => cookie.http_only,
                Self::HostHttp => is_bound_to_host && cookie.http_only,
            }
    }
}

/// A cookie that a browser has stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCookie {
    path: String,
}

impl StoredCookie {
    /// Whether a request for this path carries the cookie (RFC 6265bis §5.1.4).
    #[must_use]
    pub fn is_sent_to(&self, path: &str) -> bool {
        let rest = path.strip_prefix(&self.path);
        rest.is_some_and(|rest| rest.is_empty() || self.path.ends_with('/') || rest.starts_with('/'))
    }

    /// Whether a request for at least one path of this `ROUTES` pattern carries the cookie.
    #[must_use]
    pub fn is_sent_to_some(&self, pattern: &str) -> bool {
        // A slash at the end of the cookie's path needs a further segment in the pattern.
        let required: Vec<&str> = self.path.trim_start_matches('/').split('/').collect();
        let mut segments = pattern.trim_start_matches('/').split('/');
        for (at, segment) in required.iter().enumerate() {
            let is_last_and_empty = segment.is_empty() && at + 1 == required.len();
            match segments.next() {
                Some("*") => return true,
                Some(_) if is_last_and_empty => return true,
                Some(own) if own == *segment || own.starts_with('{') => {}
                Some(_) | None => return false,
            }
        }
        true
    }
}

/// Stores a cookie from this site, as a browser would.
///
/// # Errors
/// The reason why a browser drops it.
pub fn keep(cookie: &SentCookie<'_>, site: &Site<'_>) -> Result<StoredCookie, Dropped> {
    let bytes = cookie.name.len() + cookie.value_bytes;
    if bytes > MOST_PAIR_BYTES {
        return Err(Dropped::TooLong { bytes });
    }
    // A browser ignores an attribute that is too long.
    let is_read = |text: &'_ str| text.len() <= MOST_ATTRIBUTE_BYTES;
    let domain = cookie.domain.strip_prefix('.').unwrap_or(cookie.domain).to_ascii_lowercase();
    if is_read(cookie.domain) && !domain.is_empty() {
        check_domain(&domain, site.host)?;
    }
    if cookie.secure && !site.is_secure {
        return Err(Dropped::SecureOverHttp);
    }
    if cookie.same_site == Some(SameSite::None) && !cookie.secure {
        return Err(Dropped::NoneWithoutSecure);
    }
    if let Some(prefix) = Prefix::of(cookie.name).filter(|prefix| !prefix.is_satisfied_by(cookie)) {
        return Err(Dropped::Prefix(prefix));
    }
    let path = if cookie.path.starts_with('/') && is_read(cookie.path) { cookie.path } else { default_path(site.path) };
    Ok(StoredCookie { path: path.to_owned() })
}

/// Checks `Domain` (RFC 6265bis §5.7, steps 8 to 10).
fn check_domain(domain: &str, host: Option<&str>) -> Result<(), Dropped> {
    let is_address = |text: &str| text.parse::<IpAddr>().is_ok();
    let is_label =
        |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if !is_address(domain) && !domain.split('.').all(is_label) {
        return Err(Dropped::NotADomain);
    }
    if host == Some(domain) {
        return Ok(());
    }
    // `localhost` has no dot but is not a public suffix.
    let is_suffix = (!domain.contains('.') && domain != "localhost") || PUBLIC_SUFFIXES.contains(&domain);
    if is_suffix && !is_address(domain) {
        return Err(Dropped::PublicSuffix);
    }
    let covers = |host: &str| !is_address(host) && host.strip_suffix(domain).is_some_and(|start| start.ends_with('.'));
    if host.is_some_and(|host| !covers(host)) { Err(Dropped::OtherHost) } else { Ok(()) }
}

/// The default path of a cookie without `Path`: the request's path up to its last slash (RFC 6265bis §5.1.4).
fn default_path(request: &str) -> &str {
    match request.rsplit_once('/') {
        Some((start, _)) if start.starts_with('/') => start,
        _ => "/",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COOKIE: SentCookie<'static> = SentCookie {
        name: "a",
        value_bytes: 300,
        domain: "",
        path: "/",
        secure: true,
        http_only: true,
        same_site: Some(SameSite::Lax),
    };
    const SITE: Site<'static> = Site { host: Some("app.example.com"), is_secure: true, path: "/auth" };

    /// tests/e2e/browser.test.mjs sends the same cookies to Chromium.
    #[test]
    fn the_table_that_chromium_agrees_with() {
        let all: serde_json::Value = serde_json::from_str(include_str!("../../tests/browser-cookies.json")).unwrap();
        for case in all.as_array().unwrap() {
            let text = |name: &str| case[name].as_str();
            let secure = case["secure"] == true;
            let host = text("host").unwrap();
            let cookie = SentCookie {
                name: text("name").unwrap(),
                value_bytes: case["value_bytes"].as_u64().unwrap_or(1) as usize,
                domain: text("domain").unwrap_or_default(),
                path: text("path").unwrap_or("/"),
                secure,
                http_only: false,
                same_site: text("same_site").and_then(SameSite::from_name),
            };
            let is_secure = ["localhost", "127.0.0.1"].contains(&host);
            let stored = keep(&cookie, &Site { host: Some(host), is_secure, path: "/auth/login" });
            assert_eq!(stored.is_ok(), case["kept"] == true, "{case}: {stored:?}");
            for (member, is_sent) in [("sent", true), ("not_sent", false)] {
                for path in case[member].as_array().into_iter().flatten().filter_map(serde_json::Value::as_str) {
                    assert_eq!(stored.as_ref().unwrap().is_sent_to(path), is_sent, "{case} {path}");
                }
            }
        }
    }

    #[test]
    fn a_prefix_promises_in_any_case() {
        let plain = SentCookie { secure: false, ..COOKIE };
        let deep = SentCookie { path: "/api", ..COOKIE };
        let wide = SentCookie { domain: "example.com", ..COOKIE };
        let seen = SentCookie { http_only: false, ..COOKIE };
        for (name, cookie, dropped) in [
            ("__Secure-a", plain, Some(Prefix::Secure)),
            ("__SECURE-a", plain, Some(Prefix::Secure)),
            ("__secure-a", deep, None),
            ("__Host-a", COOKIE, None),
            ("__host-a", plain, Some(Prefix::Host)),
            ("__hOST-a", deep, Some(Prefix::Host)),
            ("__Host-a", wide, Some(Prefix::Host)),
            ("__Host-a", SentCookie { path: "", ..COOKIE }, Some(Prefix::Host)),
            ("__Http-a", seen, Some(Prefix::Http)),
            ("__Http-a", wide, None),
            ("__host-http-a", seen, Some(Prefix::HostHttp)),
            ("__Host-Http-a", deep, Some(Prefix::HostHttp)),
            ("_Host-a", plain, None),
            ("__Hosta", plain, None),
            ("é", plain, None),
        ] {
            let kept = keep(&SentCookie { name, ..cookie }, &SITE);
            assert_eq!(kept.err(), dropped.map(Dropped::Prefix), "{name} {cookie:?}");
        }
    }

    #[test]
    fn a_domain_covers_the_host_or_the_cookie_is_dropped() {
        let app = Some("app.example.com");
        for (domain, host, dropped) in [
            ("example.com", app, None),
            (".Example.COM", app, None),
            ("app.example.com", app, None),
            ("example.com", None, None),
            ("other.example.com", app, Some(Dropped::OtherHost)),
            ("ample.com", app, Some(Dropped::OtherHost)),
            ("localhost:8080", None, Some(Dropped::NotADomain)),
            ("https://example.com", None, Some(Dropped::NotADomain)),
            ("*.example.com", None, Some(Dropped::NotADomain)),
            ("..example.com", None, Some(Dropped::NotADomain)),
            ("example.com/", None, Some(Dropped::NotADomain)),
            ("example..com", None, Some(Dropped::NotADomain)),
            ("example.com.", app, Some(Dropped::NotADomain)),
            ("com", None, Some(Dropped::PublicSuffix)),
            ("workers.dev", Some("gate.me.workers.dev"), Some(Dropped::PublicSuffix)),
            ("me.workers.dev", Some("gate.me.workers.dev"), None),
            ("localhost", Some("localhost"), None),
            ("localhost", app, Some(Dropped::OtherHost)),
            ("localhost", None, None),
            ("127.0.0.1", Some("127.0.0.1"), None),
            ("0.0.1", Some("127.0.0.1"), Some(Dropped::OtherHost)),
            ("", app, None),
        ] {
            let kept = keep(&SentCookie { domain, ..COOKIE }, &Site { host, ..SITE });
            assert_eq!(kept.err(), dropped, "{domain} for {host:?}");
        }
    }

    #[test]
    fn length_scheme_and_same_site_count() {
        let kept = |cookie: SentCookie<'_>, is_secure| keep(&cookie, &Site { is_secure, ..SITE }).err();
        assert_eq!(kept(SentCookie { value_bytes: 4095, ..COOKIE }, true), None);
        assert_eq!(kept(SentCookie { value_bytes: 4096, ..COOKIE }, true), Some(Dropped::TooLong { bytes: 4097 }));
        assert_eq!(kept(COOKIE, false), Some(Dropped::SecureOverHttp));
        assert_eq!(kept(SentCookie { secure: false, ..COOKIE }, false), None);
        let none = SentCookie { same_site: Some(SameSite::None), ..COOKIE };
        assert_eq!(kept(none, true), None);
        assert_eq!(kept(SentCookie { secure: false, ..none }, true), Some(Dropped::NoneWithoutSecure));
        let long = "x".repeat(1025);
        assert_eq!(kept(SentCookie { domain: &long, ..COOKIE }, true), None, "ignored");
    }

    #[test]
    fn a_path_says_which_requests_carry_the_cookie() {
        let long = format!("/{}", "x".repeat(1024));
        for (path, sent, not_sent) in [
            ("/", &["/", "/a", "/a/b"][..], &[][..]),
            ("/api", &["/api", "/api/", "/api/x"], &["/", "/apix", "/API"]),
            ("/api/", &["/api/", "/api/x"], &["/api", "/apix/"]),
            // Without a path, or with a relative one, the request's path up to its last slash is used.
            ("", &["/auth", "/auth/refresh"], &["/", "/api"]),
            ("api", &["/auth/x"], &["/api"]),
            (&long, &["/auth/x"], &["/"]),
        ] {
            let stored = keep(&SentCookie { path, ..COOKIE }, &Site { path: "/auth/login", ..SITE }).unwrap();
            for request in sent {
                assert!(stored.is_sent_to(request) && stored.is_sent_to_some(request), "{path} {request}");
            }
            for request in not_sent {
                assert!(!stored.is_sent_to(request) && !stored.is_sent_to_some(request), "{path} {request}");
            }
        }
        for (path, pattern, some) in [
            ("/api", "/*", true),
            ("/api", "/api/*", true),
            ("/api", "/{any}", true),
            ("/api", "/{any}/x", true),
            ("/api/v1", "/api/{id}/x", true),
            ("/api/v1", "/api", false),
            ("/api/v1", "/api/v2/*", false),
            ("/api/", "/api", false),
            ("/api/", "/api/*", true),
            ("/api", "/other/*", false),
            ("/", "/a/b", true),
        ] {
            let stored = keep(&SentCookie { path, ..COOKIE }, &SITE).unwrap();
            assert_eq!(stored.is_sent_to_some(pattern), some, "{path} {pattern}");
        }
    }
}
