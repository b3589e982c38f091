//! CORS: of the endpoints, and beside cookies.

use crate::rules::{
    browser,
    config::{Location, SameSite, diagnostics::Diagnostics, raw::RawConfig},
    cors::Cors,
    route::{Endpoint, Routes},
};

const OPTION: &str = "TOLLGATE_CORS";

/// `TOLLGATE_CORS`; `None` if it is unset or there is a problem. `public_url` is where browsers reach the gate, if that
/// is known.
pub(in crate::rules::config) fn cors(
    raw: &RawConfig,
    routes: Option<&Routes>,
    public_url: Option<&str>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<Cors> {
    let cors = raw.cors.as_ref().and_then(|value| match Cors::read(value) {
        Ok(cors) => Some(cors),
        Err(wrong) => {
            for (member, text) in wrong {
                let option = if member.is_empty() { OPTION.to_owned() } else { format!("{OPTION}.{member}") };
                diagnostics.problem(&option, text);
            }
            None
        }
    });
    let Some(routes) = routes else { return cors };
    if let Some(cors) = &cors {
        let mut endpoints = routes.endpoints().filter(|(endpoint, _)| *endpoint != Endpoint::Admin);
        if let Some((_, path)) = endpoints.find(|(_, path)| routes.lists_options(path)) {
            diagnostics
                .problem(OPTION, format!("the gate answers preflights, and OPTIONS is listed for {path}: {}", INSTEAD));
        }
        check_cookies(OPTION, cors, raw.flask_jwt_extended.uses_cookies(), raw, public_url, diagnostics);
    }
    for rule in routes.rules() {
        let Some(cors) = &rule.cors else { continue };
        // TOLLGATE_ME_URL has no entry in ROUTES, and the table of the endpoints.
        if rule.index >= raw.routes.len() {
            continue;
        }
        let option = format!("ROUTES[{}].cors", rule.index);
        if routes.lists_options(&rule.path) {
            diagnostics.problem(
                &option,
                format!("the gate answers preflights, and OPTIONS is listed for this path: {}", INSTEAD),
            );
        }
        let locations = rule.flask_jwt_extended.locations.as_ref().unwrap_or(&raw.flask_jwt_extended.locations);
        let reads_cookies = rule.looks_at_tokens() && locations.contains(&Location::Cookies);
        check_cookies(&option, cors, reads_cookies, raw, public_url, diagnostics);
    }
    cors
}

const INSTEAD: &str = "remove it from methods, or remove cors";

/// Cookies that a browser does not send to another site, where pages of one are promised that they can.
fn check_cookies(
    option: &str,
    cors: &Cors,
    reads_cookies: bool,
    raw: &RawConfig,
    public_url: Option<&str>,
    diagnostics: &mut Diagnostics<'_>,
) {
    let dialect = &raw.flask_jwt_extended;
    if !cors.credentials || !raw.is_flask_jwt_extended || !reads_cookies {
        return;
    }
    let option = format!("{option}.credentials");
    if dialect.csrf_protect && !dialect.csrf_in_body && (raw.cookie_domain.is_empty() || !dialect.csrf_in_cookies) {
        diagnostics.fault(
            &option,
            "a page of another host can't read the CSRF cookies, so it can't write: set TOLLGATE_CSRF_IN_BODY = true, or a JWT_COOKIE_DOMAIN that covers both hosts",
        );
    }
    if dialect.cookie_same_site == Some(SameSite::None) && dialect.cookie_secure {
        return;
    }
    let Some(public_url) = public_url else {
        diagnostics.warn(
            &option,
            "browsers send these cookies to pages of the gate's own site only: set TOLLGATE_PUBLIC_URL, so that this can be checked, or JWT_COOKIE_SAMESITE = \"None\" with JWT_COOKIE_SECURE = true",
        );
        return;
    };
    if let Some(origin) = cors.examples().find(|origin| !browser::may_be_same_site(origin, public_url)) {
        diagnostics.problem(
            &option,
            format!("{origin} is of another site than {public_url}, and browsers send cookies there only with JWT_COOKIE_SAMESITE = \"None\" and JWT_COOKIE_SECURE = true: set both, or remove credentials"),
        );
    }
}
