//! The origin, the gate's own address, and the headers that are forwarded.

use crate::rules::{
    config::{diagnostics::Diagnostics, raw::RawConfig},
    forward::Filter,
    route::{Routes, Target},
};

/// `ORIGIN` without a slash at its end; `None` if it is unset or there is a problem.
pub(in crate::rules::config) fn origin(
    raw: &RawConfig,
    routes: Option<&Routes>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<String> {
    let used = routes.is_some_and(|routes| routes.rules().any(|rule| rule.to == Target::Origin));
    if raw.origin.is_empty() {
        // ORIGIN may be a secret that cannot be seen here.
        if used && !diagnostics.is_declared("ORIGIN") {
            diagnostics.problem(
                "ORIGIN",
                "not set, and a rule in ROUTES has to = \"origin\": write the URL of what lies behind the gate",
            );
        }
        return None;
    }
    check_url(
        "ORIGIN",
        &raw.origin,
        "https://app.example.com",
        "identities and tokens travel in the open",
        diagnostics,
    )?;
    Some(raw.origin.trim_end_matches('/').to_owned())
}

/// `TOLLGATE_PUBLIC_URL`, as browsers write an origin (RFC 6454 §6.2): scheme, host, and a port if it is not the
/// default.
pub(in crate::rules::config) fn public_url(raw: &RawConfig, diagnostics: &mut Diagnostics<'_>) -> Option<String> {
    const OPTION: &str = "TOLLGATE_PUBLIC_URL";
    let url = raw.public_url.as_deref().filter(|url| !url.is_empty())?;
    check_url(OPTION, url, "https://app.example.com", "tokens travel in the open", diagnostics)?;
    let uri: http::Uri = url.parse().ok()?;
    if uri.path() != "/" {
        diagnostics.problem(OPTION, "has a path: write scheme and host alone, such as \"https://app.example.com\"");
        return None;
    }
    let (scheme, host) = (uri.scheme_str()?, uri.host()?.to_ascii_lowercase());
    let default_port = if scheme == "https" { 443 } else { 80 };
    let port = uri.port_u16().filter(|port| *port != default_port).map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{scheme}://{host}{port}"))
}

pub(in crate::rules::config) fn check_keep_headers(raw: &RawConfig, diagnostics: &mut Diagnostics<'_>) {
    for name in &raw.keep_headers {
        if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
            diagnostics
                .problem("TOLLGATE_KEEP_HEADERS", "write names of header fields, such as [\"X-HTTP-Method-Override\"]");
        } else if !Filter::is_spoofable(name) {
            diagnostics.warn(
                "TOLLGATE_KEEP_HEADERS",
                format!("{name}: no effect: not among the fields that this option keeps"),
            );
        }
    }
}

/// Whether paths can be appended to this URL; `None` if not. Plain http to another host is a warning that names the
/// `danger`.
pub(super) fn check_url(
    option: &str,
    url: &str,
    example: &str,
    danger: &str,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<()> {
    let uri = url.parse::<http::Uri>().ok();
    let good = uri.as_ref().filter(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.query().is_none()
            && !url.contains(['#', '?'])
            && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
    });
    let Some(uri) = good else {
        diagnostics.problem(option, format!("write a URL such as {example:?}, without user, query or fragment"));
        return None;
    };
    // The crate `http` parses the port only in `port_u16`.
    let port = uri.authority().and_then(|authority| authority.as_str().rsplit_once(':')).map(|(_, port)| port);
    let has_port = port.is_some_and(|port| !port.contains(']'));
    if has_port && uri.port_u16().is_none_or(|port| port == 0) {
        diagnostics.problem(option, "has no such port: write 1 to 65535, or none");
        return None;
    }
    let local = ["127.0.0.1", "localhost", "[::1]"].contains(&uri.host().unwrap_or_default());
    if uri.scheme_str() == Some("http") && !local {
        diagnostics.warn(option, format!("http, so {danger}: write https"));
    }
    Some(())
}
