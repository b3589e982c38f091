//! Options and members of rules that only one dialect has, where the other is spoken; and Flask-JWT-Extended's own.

use super::tokens;
use crate::rules::{
    config::{
        Bindings,
        diagnostics::Diagnostics,
        options::{self, Family},
        raw::RawConfig,
    },
    json::{Map, Value},
    time::Duration,
};

pub(in crate::rules::config) fn check(
    vars: &Map<String, Value>,
    raw: &RawConfig,
    bindings: Bindings,
    diagnostics: &mut Diagnostics<'_>,
) {
    for option in vars.keys().filter_map(|name| options::find(name)) {
        let other = match option.family {
            // A log-out deletes cookies without sessions, too.
            Family::Sessions if !bindings.sessions && option.name != "TOLLGATE_LOGOUT_URL" => {
                "only has an effect with the bindings ACCOUNTS and REVOCATIONS: docs/sessions.md"
            }
            Family::ExtendedOnly if !raw.is_flask_jwt_extended => {
                "only has an effect with TOLLGATE_WIRE = \"flask-jwt-extended\""
            }
            Family::FlaskJwt if raw.is_flask_jwt_extended && !is_common(option.name) => {
                "only has an effect with TOLLGATE_WIRE = \"flask-jwt\": see docs/options.md for the other dialect's"
            }
            _ => continue,
        };
        diagnostics.warn(option.name, other);
    }
    if !raw.is_flask_jwt_extended {
        // A problem and not a warning: a rule that requires a fresh token must not be served without that check.
        for (index, member) in raw.routes.iter().enumerate().flat_map(|(index, rule)| {
            let members = ["fresh", "refresh", "locations", "verify_type", "skip_revocation_check"];
            members.into_iter().filter(|member| !rule[*member].is_null()).map(move |member| (index, member))
        }) {
            diagnostics.problem(
                &format!("ROUTES[{index}].{member}"),
                "only has a meaning with TOLLGATE_WIRE = \"flask-jwt-extended\"",
            );
        }
        return;
    }
    let flask_jwt_extended = &raw.flask_jwt_extended;
    if flask_jwt_extended.header_type.contains([' ', '\t', ',']) {
        diagnostics.problem("JWT_HEADER_TYPE", "matches no header: write one word, such as \"Bearer\", or nothing");
    }
    if flask_jwt_extended.access_expires.is_none() {
        diagnostics.warn("JWT_ACCESS_TOKEN_EXPIRES", "tokens are good for ever");
    }
    if !raw.auth_url_rule.is_empty() {
        tokens::check_own_tokens(raw, diagnostics);
    }
    let within = flask_jwt_extended.cookie_refresh_within;
    if within < Duration::ZERO
        || flask_jwt_extended.access_expires.is_some_and(|life| within > Duration::ZERO && within >= life)
    {
        diagnostics.problem(
            "TOLLGATE_COOKIE_REFRESH_WITHIN",
            "write less than JWT_ACCESS_TOKEN_EXPIRES, half of it say: else each answer brings a new token",
        );
    }
}

/// Whether this option of Flask-JWT has an effect in the other dialect, too.
fn is_common(name: &str) -> bool {
    let login = ["JWT_AUTH_URL_RULE", "JWT_AUTH_URL_OPTIONS", "JWT_AUTH_USERNAME_KEY", "JWT_AUTH_PASSWORD_KEY"];
    ["JWT_SECRET_KEY", "SECRET_KEY", "JWT_ALGORITHM"].contains(&name) || login.contains(&name)
}
