//! The log-in endpoint and the challenge.

use crate::rules::{
    config::{diagnostics::Diagnostics, raw::RawConfig},
    route,
};

pub(in crate::rules::config) fn check(raw: &RawConfig, diagnostics: &mut Diagnostics<'_>) {
    if raw.username_key == raw.password_key {
        diagnostics.problem(
            "JWT_AUTH_PASSWORD_KEY",
            "the same as JWT_AUTH_USERNAME_KEY, so that no log-in could succeed: give the two different names",
        );
    }
    for (name, key) in [("JWT_AUTH_USERNAME_KEY", &raw.username_key), ("JWT_AUTH_PASSWORD_KEY", &raw.password_key)] {
        if key.is_empty() {
            diagnostics.problem(name, "empty: give it the name of a member");
        }
    }
    if !raw.auth_url_options.contains_key("methods") {
        diagnostics.warn(
            "JWT_AUTH_URL_OPTIONS",
            "without methods the log-in endpoint answers GET only, as in Flask; write { methods = [\"POST\"] }",
        );
    }
    // `endpoint` names a view in Flask. There are no views here, so ignoring it is harmless.
    for member in raw.auth_url_options.keys() {
        if !["methods", "endpoint"].contains(&member.as_str()) {
            diagnostics.warn("JWT_AUTH_URL_OPTIONS", format!("{member:?} has no effect; only methods has"));
        }
    }
    check_header(raw, diagnostics);
}

fn check_header(raw: &RawConfig, diagnostics: &mut Diagnostics<'_>) {
    // RFC 9110 §11.1: a scheme is a token.
    let is_token = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
    };
    if !is_token(&raw.header_prefix) {
        diagnostics
            .problem("JWT_AUTH_HEADER_PREFIX", "matches no header: write one word, such as \"JWT\" or \"Bearer\"");
    }
    if !route::is_realm(&raw.realm) {
        diagnostics.problem(
            "JWT_DEFAULT_REALM",
            "can't stand in a header: leave out control characters and letters beyond ASCII",
        );
    }
}
