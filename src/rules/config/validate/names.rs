//! Names of header fields, claims and members that an operator chooses. A name that already has another meaning is a
//! fault: the gate runs, and the token is not found or is overwritten.

use crate::rules::{
    config::{Bindings, diagnostics::Diagnostics, raw::RawConfig},
    forward::Filter,
    header::plain,
};

/// Header fields that have another meaning in every request, or that a page's script cannot set (Fetch, "forbidden
/// request-header").
const TAKEN: [&str; 29] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "access-control-request-headers",
    "access-control-request-method",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "cookie2",
    "date",
    "dnt",
    "expect",
    "host",
    "keep-alive",
    "origin",
    "range",
    "referer",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-request-id",
];
/// Prefixes of such fields: of browsers, proxies, the runtime, WebSocket handshakes and conditional requests.
const TAKEN_PREFIXES: [&str; 5] = ["sec-", "proxy-", "cf-", "if-", "access-control-"];

/// Why a field cannot carry a token or a CSRF value; `None` if it can.
fn why_taken(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    if Filter::is_the_gates(&name) {
        return Some("the gate's own field, in which it tells the origin who it is");
    }
    if TAKEN.contains(&name.as_str()) || TAKEN_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        return Some("a field with a meaning of its own in HTTP, or one that a page's script can't set");
    }
    Filter::is_spoofable(&name)
        .then_some("a field that the gate removes on the way to the origin (TOLLGATE_KEEP_HEADERS)")
}

/// `TOLLGATE_CLAIM_HEADERS`: a name that something else has, or that two claims have for an origin, would hide one.
fn check_claim_headers(raw: &RawConfig, diagnostics: &mut Diagnostics<'_>) {
    const OPTION: &str = "TOLLGATE_CLAIM_HEADERS";
    let dialect = &raw.flask_jwt_extended;
    let tokens = ["authorization", &dialect.header_name, &dialect.access.csrf_header, &dialect.refresh.csrf_header];
    for (at, header) in raw.claim_headers.iter().enumerate() {
        let name = header.name.as_str();
        // As an origin may read it, and as it is removed from a client's request.
        let is_taken = TAKEN.iter().any(|known| header.is_imitated_by(known))
            || TAKEN_PREFIXES.iter().any(|prefix| plain(name).starts_with(prefix));
        let text = if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
            "not a header field's name: use ASCII letters, digits and hyphens"
        } else if Filter::is_the_gates(name) || Filter::is_forwarded_field(name) {
            "the gate's own field: write another name, such as \"X-User-Role\""
        } else if is_taken || tokens.iter().any(|known| header.is_imitated_by(known)) {
            "a field with another meaning: write another name, such as \"X-User-Role\""
        } else if raw.keep_headers.iter().any(|known| header.is_imitated_by(known)) {
            "in TOLLGATE_KEEP_HEADERS too, which lets clients set it: remove one of the two"
        } else if raw.claim_headers[..at].iter().any(|other| header.is_imitated_by(&other.name)) {
            "there twice, for an origin that does not tell its spellings apart: give each claim a name of its own"
        } else {
            continue;
        };
        diagnostics.problem(OPTION, format!("{name:?} is {text}"));
    }
}

/// `TOLLGATE_CLAIMS`: a claim that the dialect or the gate sets itself would be lost, or overwritten.
fn check_attribute_claims(raw: &RawConfig, bindings: Bindings, diagnostics: &mut Diagnostics<'_>) {
    const OWN: [&str; 13] =
        ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "identity", "type", "fresh", "csrf", "sid", "cv"];
    let identity = raw.policy.identity_claim.as_str();
    for name in raw.attribute_claims.names() {
        if OWN.contains(&name) || (raw.is_flask_jwt_extended && name == identity) {
            let text = format!("{name:?} says something else in each token: write another name");
            diagnostics.problem("TOLLGATE_CLAIMS", text);
        }
    }
    if !raw.attribute_claims.is_empty() && !bindings.sessions {
        diagnostics.warn(
            "TOLLGATE_CLAIMS",
            "without the bindings ACCOUNTS and REVOCATIONS a changed attribute takes effect when KV shows it everywhere, within about a minute, and the tokens that were issued before have expired (docs/authorization.md)",
        );
    }
}

pub(in crate::rules::config) fn check(raw: &RawConfig, bindings: Bindings, diagnostics: &mut Diagnostics<'_>) {
    check_claim_headers(raw, diagnostics);
    check_attribute_claims(raw, bindings, diagnostics);
    if !raw.is_flask_jwt_extended {
        return;
    }
    let flask_jwt_extended = &raw.flask_jwt_extended;
    let fields = [
        ("JWT_HEADER_NAME", &flask_jwt_extended.header_name, "Authorization"),
        ("JWT_ACCESS_CSRF_HEADER_NAME", &flask_jwt_extended.access.csrf_header, "X-CSRF-TOKEN"),
        ("JWT_REFRESH_CSRF_HEADER_NAME", &flask_jwt_extended.refresh.csrf_header, "X-CSRF-TOKEN"),
    ];
    for (option, name, default) in fields {
        if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
            diagnostics.problem(option, "no name of a header: write letters, digits and hyphens");
        } else if let Some(why) =
            why_taken(name).filter(|_| !raw.keep_headers.iter().any(|kept| kept.eq_ignore_ascii_case(name)))
        {
            diagnostics.fault(option, format!("{name:?} is {why}: write another name, such as {default:?}"));
        } else if option != "JWT_HEADER_NAME"
            && ["authorization", flask_jwt_extended.header_name.to_ascii_lowercase().as_str()]
                .contains(&name.to_ascii_lowercase().as_str())
        {
            diagnostics
                .fault(option, format!("{name:?} is the field of the token: write another name, such as {default:?}"));
        }
    }
    let claim = raw.policy.identity_claim.as_str();
    if claim.is_empty() {
        diagnostics.problem("JWT_IDENTITY_CLAIM", "empty: give it the name of a claim");
    } else if ["exp", "nbf", "iat", "jti", "type", "fresh", "csrf", "aud", "iss"].contains(&claim)
        || (claim == "sid" && bindings.sessions)
    {
        diagnostics.fault(
            "JWT_IDENTITY_CLAIM",
            format!("{claim:?} says something else in each token, so that one overwrites the other: write \"sub\", or a name of your own"),
        );
    }
    for (option, text) in [
        ("JWT_QUERY_STRING_NAME", &flask_jwt_extended.query_name),
        ("JWT_JSON_KEY", &flask_jwt_extended.access.json_key),
        ("JWT_REFRESH_JSON_KEY", &flask_jwt_extended.refresh.json_key),
        ("JWT_ERROR_MESSAGE_KEY", &flask_jwt_extended.error_message_key),
    ] {
        if text.is_empty() {
            diagnostics.fault(option, "empty: give it a name");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_means_something_else_carries_no_token() {
        for name in [
            "Cookie",
            "HOST",
            "content-type",
            "X-Auth-Subject",
            "x_auth_claims",
            "X-Request-Id",
            "Sec-Fetch-Site",
            "Proxy-Authorization",
            "CF-Connecting-IP",
            "X-Forwarded-For",
            "X-Forwarded-User",
            "Upgrade",
        ] {
            assert!(why_taken(name).is_some(), "{name}");
        }
        for name in ["Authorization", "X-Token", "X-CSRF-TOKEN", "X-Access-Token", "Authentication"] {
            assert_eq!(why_taken(name), None, "{name}");
        }
    }
}
