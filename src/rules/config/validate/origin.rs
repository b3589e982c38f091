//! The origin, the gate's own address, and the headers that are forwarded.

use crate::rules::{
    browser,
    config::{Location, diagnostics::Diagnostics, raw::RawConfig},
    forward::{FORWARDED_FOR_HEADER, FORWARDED_HEADER, Filter},
    origin::{Address, Origin, UNNAMED},
    route::{Routes, Rule},
};
use percent_encoding::percent_decode_str;

/// The origin at `ORIGIN`; `None` if it is unset or there is a problem.
pub(in crate::rules::config) fn origin(
    raw: &RawConfig,
    routes: Option<&Routes>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<Origin> {
    let mut used = routes.into_iter().flat_map(Routes::rules).filter_map(Rule::forwarding);
    if raw.origin.is_empty() {
        // ORIGIN may be a secret that cannot be seen here.
        if used.any(|forwarding| forwarding.origin == UNNAMED) && !diagnostics.is_declared("ORIGIN") {
            diagnostics.problem(
                "ORIGIN",
                "not set, and a rule in ROUTES has to = \"origin\": write the URL of what lies behind the gate",
            );
        }
        return None;
    }
    let danger = "identities and tokens travel in the open";
    let (site, prefix) = read_url("ORIGIN", &raw.origin, "https://app.example.com", danger, diagnostics)?;
    Some(Origin {
        name: UNNAMED.to_owned(),
        address: Address::Network(site),
        prefix,
        timeout: raw.origin_timeout,
        headers: Vec::new(),
    })
}

/// Warns of origins in `ORIGINS` that no rule names.
pub(in crate::rules::config) fn check_unused(routes: &Routes, origins: &[Origin], diagnostics: &mut Diagnostics<'_>) {
    for origin in origins.iter().filter(|origin| origin.name != UNNAMED) {
        let is_used = |rule: &Rule| rule.forwarding().is_some_and(|forwarding| forwarding.origin == origin.name);
        if !routes.rules().any(is_used) {
            diagnostics
                .warn("ORIGINS", format!("no rule goes to {:?}: write to = {:?} in one", origin.name, origin.name));
        }
    }
}

/// `TOLLGATE_PUBLIC_URL`, as browsers write an origin (RFC 6454 §6.2): scheme, host, and a port if it is not the
/// default.
pub(in crate::rules::config) fn public_url(raw: &RawConfig, diagnostics: &mut Diagnostics<'_>) -> Option<String> {
    const OPTION: &str = "TOLLGATE_PUBLIC_URL";
    let url = raw.public_url.as_deref().filter(|url| !url.is_empty())?;
    let (site, _) = read_url(OPTION, url, "https://app.example.com", "tokens travel in the open", diagnostics)?;
    let uri: http::Uri = url.parse().ok()?;
    if uri.path() != "/" {
        diagnostics.problem(OPTION, "has a path: write scheme and host alone, such as \"https://app.example.com\"");
        return None;
    }
    Some(site)
}

/// Proxies whose fields are not continued.
pub(in crate::rules::config) fn check_proxies(raw: &RawConfig, diagnostics: &mut Diagnostics<'_>) {
    let keeps = |name: &str| raw.keep_headers.iter().any(|kept| kept.eq_ignore_ascii_case(name));
    if !raw.trusted_proxies.is_empty() && keeps(FORWARDED_FOR_HEADER) {
        diagnostics.fault(
            "TOLLGATE_KEEP_HEADERS",
            "keeps X-Forwarded-For as every client sends it, trusted or not: remove it beside TOLLGATE_TRUSTED_PROXIES",
        );
    }
    if raw.forwarded && keeps(FORWARDED_HEADER) {
        diagnostics
            .fault("TOLLGATE_KEEP_HEADERS", "keeps Forwarded as clients send it: remove it beside TOLLGATE_FORWARDED");
    }
}

/// The word before a token in a WebSocket's subprotocols. Such a token counts as one in the header.
pub(in crate::rules::config) fn check_websocket_protocol(
    raw: &RawConfig,
    routes: Option<&Routes>,
    diagnostics: &mut Diagnostics<'_>,
) {
    const OPTION: &str = "TOLLGATE_WEBSOCKET_PROTOCOL";
    let word = raw.websocket_protocol.as_str();
    if word.is_empty() {
        return;
    }
    // A subprotocol is a token of RFC 9110, as a header field's name is.
    if http::HeaderName::from_bytes(word.as_bytes()).is_err() {
        diagnostics.problem(OPTION, "not a subprotocol's name: write a word such as \"bearer\"");
    }
    let locations = |rule: &'_ Rule| rule.flask_jwt_extended.locations.clone().unwrap_or_default();
    if raw.is_flask_jwt_extended
        && !raw.flask_jwt_extended.locations.contains(&Location::Headers)
        && !routes.into_iter().flat_map(Routes::rules).any(|rule| locations(rule).contains(&Location::Headers))
    {
        diagnostics.fault(
            OPTION,
            "no effect: such a token counts as one in the header, which JWT_TOKEN_LOCATION does not list",
        );
    }
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

/// Reads a URL to which paths can be appended: scheme and host as browsers write them, so that one address has one
/// spelling, and its path without a slash at the end. `None` if there is a problem. Plain http to another host is a
/// warning that names the `danger`.
pub(super) fn read_url(
    option: &str,
    url: &str,
    example: &str,
    danger: &str,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<(String, String)> {
    let uri = url.parse::<http::Uri>().ok();
    let good = uri.as_ref().filter(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.query().is_none()
            && !url.contains(['#', '?'])
            && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
            && uri.host().is_some_and(|host| !host.ends_with('.'))
    });
    let Some(uri) = good else {
        diagnostics.problem(option, format!("write a URL such as {example:?}, without user, query or fragment"));
        return None;
    };
    let is_plain = |segment: &str| {
        let decoded = percent_decode_str(segment).decode_utf8_lossy();
        !matches!(&*decoded, "" | "." | "..") && !decoded.contains(['/', '\\'])
    };
    // One slash at the beginning, any number at the end.
    let path = uri.path().trim_end_matches('/');
    if !path.split('/').skip(1).all(is_plain) {
        diagnostics.problem(
            option,
            "has empty segments, dot segments or escaped slashes in its path: write it as the server reads it",
        );
        return None;
    }
    // The crate `http` parses the port only in `port_u16`.
    let port = uri.authority().and_then(|authority| authority.as_str().rsplit_once(':')).map(|(_, port)| port);
    let has_port = port.is_some_and(|port| !port.contains(']'));
    if has_port && uri.port_u16().is_none_or(|port| port == 0) {
        diagnostics.problem(option, "has no such port: write 1 to 65535, or none");
        return None;
    }
    let authority = uri.authority().map_or("", http::uri::Authority::as_str);
    let Some(site) = browser::serialised(&format!("{}://{authority}", uri.scheme_str().unwrap_or_default())) else {
        diagnostics.problem(option, "no host as browsers know it: write a name in ASCII (punycode beyond that), 127.0.0.1 in four parts, or [::1]");
        return None;
    };
    let local = ["127.0.0.1", "localhost", "[::1]"].contains(&uri.host().unwrap_or_default());
    if uri.scheme_str() == Some("http") && !local {
        diagnostics.warn(option, format!("http, so {danger}: write https"));
    }
    Some((site, path.to_owned()))
}
