//! CORS: of the endpoints, and beside cookies.

use crate::rules::{
    browser,
    config::{SameSite, diagnostics::Diagnostics, raw::RawConfig},
    cors::Cors,
    route::Routes,
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
    if let Some(cors) = &cors {
        check_cookies(OPTION, cors, raw, public_url, diagnostics);
    }
    for rule in routes.into_iter().flat_map(Routes::rules) {
        if let Some(cors) = &rule.cors {
            check_cookies(&format!("ROUTES[{}].cors", rule.index), cors, raw, public_url, diagnostics);
        }
    }
    cors
}

/// Cookies that a browser does not send to another site, where pages of one are promised that they can.
fn check_cookies(
    option: &str,
    cors: &Cors,
    raw: &RawConfig,
    public_url: Option<&str>,
    diagnostics: &mut Diagnostics<'_>,
) {
    let dialect = &raw.flask_jwt_extended;
    let crosses_sites = dialect.cookie_same_site == Some(SameSite::None) && dialect.cookie_secure;
    if !cors.credentials || !raw.is_flask_jwt_extended || !dialect.uses_cookies() || crosses_sites {
        return;
    }
    let option = format!("{option}.credentials");
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
