//! The cookies that the gate sends: whether they can be written, whether a browser keeps them, and whether it sends
//! them to the paths that need them.

use super::keys::Keys;
use crate::rules::{
    browser::{self, Dropped, SentCookie, Site, StoredCookie},
    config::{Bindings, FlaskJwtExtended, Location, Names, SameSite, diagnostics::Diagnostics, raw::RawConfig},
    cookie,
    json::{Map, Value},
    route::{Auth, Endpoint, Routes},
    time::Timestamp,
    token::{ClaimsBuilder, Freshness, Key, TokenType},
};

/// The options that set the name and path of a cookie; a diagnostic names one of them.
#[derive(Clone, Copy)]
struct CookieOptions {
    name: &'static str,
    path: &'static str,
}

/// A cookie that a log-in sends, with its options.
struct LoginCookie<'c> {
    cookie: SentCookie<'c>,
    options: CookieOptions,
}

const ACCESS: CookieOptions = CookieOptions { name: "JWT_ACCESS_COOKIE_NAME", path: "JWT_ACCESS_COOKIE_PATH" };
const ACCESS_CSRF: CookieOptions =
    CookieOptions { name: "JWT_ACCESS_CSRF_COOKIE_NAME", path: "JWT_ACCESS_CSRF_COOKIE_PATH" };
const REFRESH: CookieOptions = CookieOptions { name: "JWT_REFRESH_COOKIE_NAME", path: "JWT_REFRESH_COOKIE_PATH" };
const REFRESH_CSRF: CookieOptions =
    CookieOptions { name: "JWT_REFRESH_CSRF_COOKIE_NAME", path: "JWT_REFRESH_CSRF_COOKIE_PATH" };
const DEVICE: CookieOptions = CookieOptions { name: "TOLLGATE_DEVICE_COOKIE", path: "TOLLGATE_DEVICE_COOKIE" };

/// A CSRF value is a UUID.
const CSRF_BYTES: usize = 36;
/// A device cookie is about as long as a short token.
const DEVICE_BYTES: usize = 200;
/// A UUID, as the user id or session id of the tokens that are measured.
const SAMPLE_ID: &str = "00000000-0000-4000-8000-000000000000";

/// Every check of cookies. `public_url` is where browsers reach the gate, if that is known.
pub(in crate::rules::config) fn check(
    raw: &RawConfig,
    routes: &Routes,
    bindings: Bindings,
    keys: Option<&Keys>,
    public_url: Option<&str>,
    diagnostics: &mut Diagnostics<'_>,
) {
    let cookies = login_cookies(raw, bindings, keys);
    let is_well_formed = check_syntax(raw, diagnostics);
    if raw.is_flask_jwt_extended && raw.flask_jwt_extended.uses_cookies() {
        warn_unsafe(&raw.flask_jwt_extended, diagnostics);
    } else if raw.is_flask_jwt_extended && !raw.auth_url_rule.is_empty() {
        check_never_set(routes, diagnostics);
    }
    if !is_well_formed {
        return;
    }
    check_equal_names(&cookies, diagnostics);
    let (is_https, host) = public_url.and_then(|url| url.split_once("://")).map_or((None, None), |(scheme, rest)| {
        let host = rest.rsplit_once(':').filter(|(_, port)| !port.contains(']')).map_or(rest, |(host, _)| host);
        (Some(scheme == "https"), Some(host.trim_matches(['[', ']'])))
    });
    let is_own_machine = matches!(host, Some("localhost" | "127.0.0.1" | "::1"));
    for LoginCookie { cookie, options } in &cookies {
        let site = Site {
            host,
            is_secure: is_https.unwrap_or(cookie.secure) || is_own_machine,
            path: routes.login_path().unwrap_or("/"),
        };
        match browser::keep(cookie, &site) {
            Ok(stored) => {
                if raw.is_flask_jwt_extended {
                    check_paths(&raw.flask_jwt_extended, routes, &stored, *options, diagnostics);
                }
            }
            Err(dropped) => {
                report_dropped(dropped, cookie, *options, diagnostics);
                // Its path is checked all the same, without what the browser dropped it for.
                let kept = SentCookie { name: "", value_bytes: 0, domain: "", same_site: None, ..*cookie };
                if let (true, Ok(stored)) =
                    (raw.is_flask_jwt_extended, browser::keep(&kept, &Site { is_secure: true, ..site }))
                {
                    check_paths(&raw.flask_jwt_extended, routes, &stored, *options, diagnostics);
                }
            }
        }
    }
}

/// The cookies of a log-in. The same as [`cookie::Jar`] and [`cookie::of_device`] write.
fn login_cookies<'d>(raw: &'d RawConfig, bindings: Bindings, keys: Option<&Keys>) -> Vec<LoginCookie<'d>> {
    let mut all = Vec::new();
    let flask_jwt_extended = &raw.flask_jwt_extended;
    if raw.is_flask_jwt_extended && flask_jwt_extended.uses_cookies() {
        let kinds = [
            (TokenType::Access, &flask_jwt_extended.access, ACCESS, ACCESS_CSRF),
            (TokenType::Refresh, &flask_jwt_extended.refresh, REFRESH, REFRESH_CSRF),
        ];
        let is_issued = |token_type: TokenType| token_type == TokenType::Access || flask_jwt_extended.refresh_tokens;
        for (token_type, names, token, csrf) in kinds.into_iter().filter(|(token_type, ..)| is_issued(*token_type)) {
            let bytes = token_bytes(raw, bindings, token_type, keys.and_then(|keys| keys.key_set.signing()));
            let cookie = |name: &'d str, path: &'d str, value_bytes, http_only| SentCookie {
                name,
                value_bytes,
                domain: &raw.cookie_domain,
                path,
                secure: flask_jwt_extended.cookie_secure,
                http_only,
                same_site: flask_jwt_extended.cookie_same_site,
            };
            all.push(LoginCookie { cookie: cookie(&names.cookie, &names.cookie_path, bytes, true), options: token });
            if flask_jwt_extended.csrf_protect && flask_jwt_extended.csrf_in_cookies {
                let cookie = cookie(&names.csrf_cookie, &names.csrf_cookie_path, CSRF_BYTES, false);
                all.push(LoginCookie { cookie, options: csrf });
            }
        }
    }
    let name = raw.sessions.device_cookie.as_str();
    if bindings.sessions && !name.is_empty() {
        let path = if raw.auth_url_rule.is_empty() { "/" } else { &raw.auth_url_rule };
        // `Secure` follows the scheme of the request; https is the stricter case.
        let cookie = SentCookie {
            name,
            value_bytes: DEVICE_BYTES,
            domain: "",
            path,
            secure: true,
            http_only: true,
            same_site: Some(SameSite::Strict),
        };
        all.push(LoginCookie { cookie, options: DEVICE });
    }
    all
}

/// The length of a token that the gate issues, without an application's additional claims.
fn token_bytes(raw: &RawConfig, bindings: Bindings, token_type: TokenType, key: Option<&Key>) -> usize {
    let issue = ClaimsBuilder {
        token_type,
        fresh: match token_type {
            TokenType::Access => Freshness::Fresh,
            TokenType::Refresh => Freshness::NotFresh,
        },
        expires: raw.flask_jwt_extended.lifetime(token_type),
        identity_claim: &raw.policy.identity_claim,
        identity: SAMPLE_ID.into(),
        more: Map::new(),
        session: bindings.sessions.then(|| SAMPLE_ID.into()),
        csrf: None,
        now: Timestamp::from_seconds(2_000_000_000),
    };
    let (claims, _) = issue.claims(&raw.flask_jwt_extended, &[0; 96]);
    let base64 = |bytes: usize| (bytes * 4).div_ceil(3);
    let header =
        r#"{"alg":"HS256","typ":"JWT"}"#.len() + key.and_then(Key::id).map_or(0, |id| id.len() + r#","kid":"""#.len());
    let signature = key.map_or(32, Key::signature_bytes);
    base64(header) + 1 + base64(Value::from(claims).to_string().len()) + 1 + base64(signature)
}

/// Reports names and attributes that have no valid syntax; `false` if there is one.
fn check_syntax(raw: &RawConfig, diagnostics: &mut Diagnostics<'_>) -> bool {
    let mut is_good = true;
    let mut problem = |option: &str, text: &str| {
        is_good = false;
        diagnostics.problem(option, text);
    };
    const NO_NAME: &str = "no name of a cookie: write letters, digits, - and _";
    const NO_PATH: &str = "no path: write one such as \"/api\"";
    let device = &raw.sessions.device_cookie;
    if !device.is_empty() && !cookie::is_name(device) {
        problem(DEVICE.name, NO_NAME);
    }
    if raw.is_flask_jwt_extended {
        let kinds = [
            (&raw.flask_jwt_extended.access, ACCESS, ACCESS_CSRF),
            (&raw.flask_jwt_extended.refresh, REFRESH, REFRESH_CSRF),
        ];
        for (Names { cookie, cookie_path, csrf_cookie, csrf_cookie_path, .. }, token, csrf) in kinds {
            for (name, path, options) in [(cookie, cookie_path, token), (csrf_cookie, csrf_cookie_path, csrf)] {
                if !cookie::is_name(name) {
                    problem(options.name, NO_NAME);
                }
                if !cookie::is_attribute(path) {
                    problem(options.path, NO_PATH);
                }
            }
        }
        if !cookie::is_attribute(&raw.cookie_domain) {
            problem("JWT_COOKIE_DOMAIN", "no domain: write one such as \"example.com\"");
        }
    }
    is_good
}

/// Warns of settings that leave tokens in cookies open to attacks.
fn warn_unsafe(flask_jwt_extended: &FlaskJwtExtended, diagnostics: &mut Diagnostics<'_>) {
    if !flask_jwt_extended.cookie_secure {
        diagnostics.warn(
            "JWT_COOKIE_SECURE",
            "false, so a browser sends the tokens over http too: set it to true wherever there is https",
        );
    }
    if flask_jwt_extended.cookie_same_site.is_none() {
        diagnostics.warn("JWT_COOKIE_SAMESITE", "not set: \"Lax\" keeps other sites' forms from carrying the cookies");
    }
    let access = Some((ACCESS.name, &flask_jwt_extended.access));
    let refresh = Some((REFRESH.name, &flask_jwt_extended.refresh)).filter(|_| flask_jwt_extended.refresh_tokens);
    for (name, Names { cookie, cookie_path, .. }) in access.into_iter().chain(refresh) {
        // Browsers accept the prefix only with these attributes.
        let may_be =
            flask_jwt_extended.cookie_secure && flask_jwt_extended.cookie_domain.is_empty() && cookie_path == "/";
        if may_be && browser::Prefix::of(cookie).is_none() {
            diagnostics
                .warn(name, "begin it with \"__Host-\": then no other host of your domain can set or overwrite it");
        }
    }
    let unprotected: Vec<&str> = ["POST", "PUT", "PATCH", "DELETE"]
        .into_iter()
        .filter(|method| !flask_jwt_extended.needs_csrf(method))
        .collect();
    if flask_jwt_extended.csrf_protect && !unprotected.is_empty() {
        diagnostics.warn(
            "JWT_CSRF_METHODS",
            format!(
                "without {}: another site's page can act so in the name of whoever is logged in",
                unprotected.join(", ")
            ),
        );
    }
    if flask_jwt_extended.csrf_protect
        && !flask_jwt_extended.csrf_in_cookies
        && !flask_jwt_extended.csrf_in_body
        && !flask_jwt_extended.tokens_in_body()
    {
        diagnostics.warn(
            "JWT_CSRF_IN_COOKIES",
            "false, and the log-in's answer has no token either, so a page gets the CSRF value only if the origin tells it",
        );
    }
    if !flask_jwt_extended.csrf_protect {
        diagnostics
            .warn("JWT_COOKIE_CSRF_PROTECT", "false: another site's page can act in the name of whoever is logged in");
    }
    for (option, path) in [
        (ACCESS.path, &flask_jwt_extended.access.cookie_path),
        (ACCESS_CSRF.path, &flask_jwt_extended.access.csrf_cookie_path),
        (REFRESH.path, &flask_jwt_extended.refresh.cookie_path),
        (REFRESH_CSRF.path, &flask_jwt_extended.refresh.csrf_cookie_path),
    ] {
        if !path.is_empty() && !path.starts_with('/') {
            diagnostics.fault(
                option,
                "does not begin with /, so a browser takes the log-in's folder instead: write it with a / in front",
            );
        }
    }
}

/// Reports rules that accept tokens in cookies only, although no log-in sets a cookie.
fn check_never_set(routes: &Routes, diagnostics: &mut Diagnostics<'_>) {
    for rule in routes.rules().filter(|rule| rule.flask_jwt_extended.locations.as_deref() == Some(&[Location::Cookies]))
    {
        diagnostics.fault(
            &format!("ROUTES[{}].locations", rule.index),
            "cookies only, and no log-in sets a cookie: name \"cookies\" in JWT_TOKEN_LOCATION too",
        );
    }
}

/// Reports cookies of the same name: one overwrites the other, or is sent in its place.
fn check_equal_names(cookies: &[LoginCookie<'_>], diagnostics: &mut Diagnostics<'_>) {
    for (at, LoginCookie { cookie, options }) in cookies.iter().enumerate() {
        if let Some(earlier) = cookies[..at].iter().find(|earlier| earlier.cookie.name == cookie.name) {
            diagnostics.fault(
                options.name,
                format!(
                    "the same as {}, so one cookie takes the place of the other: give each its own name",
                    earlier.options.name
                ),
            );
        }
    }
}

/// Reports why a browser drops a cookie.
fn report_dropped(
    dropped: Dropped,
    cookie: &SentCookie<'_>,
    options: CookieOptions,
    diagnostics: &mut Diagnostics<'_>,
) {
    match dropped {
        Dropped::Prefix(prefix) => {
            let wants = match (prefix, options.name == DEVICE.name) {
                (browser::Prefix::Host | browser::Prefix::HostHttp, true) => {
                    "the path /, and this cookie has the log-in's: write another name"
                }
                (_, true) => "https: write another name",
                (browser::Prefix::Secure, false) => "JWT_COOKIE_SECURE = true",
                (browser::Prefix::Host, false) => "JWT_COOKIE_SECURE = true, the path / and no domain",
                (browser::Prefix::Http, false) => "JWT_COOKIE_SECURE = true, and never a CSRF value, which scripts read",
                (browser::Prefix::HostHttp, false) => {
                    "JWT_COOKIE_SECURE = true, the path / and no domain, and never a CSRF value, which scripts read"
                }
            };
            diagnostics.problem(options.name, format!("a browser keeps a {} cookie only with {wants}", prefix.text()));
        }
        Dropped::NoneWithoutSecure => {
            let text = "\"None\" is taken by browsers with JWT_COOKIE_SECURE = true only";
            diagnostics.problem_once("JWT_COOKIE_SAMESITE", text);
        }
        Dropped::SecureOverHttp if options.name != DEVICE.name => diagnostics.fault_once(
            "JWT_COOKIE_SECURE",
            "true, and TOLLGATE_PUBLIC_URL is http: a browser drops such cookies without https",
        ),
        Dropped::SecureOverHttp => {}
        Dropped::NotADomain => diagnostics.fault_once(
            "JWT_COOKIE_DOMAIN",
            "no host name, and a browser keeps no cookie for anything else: write the host alone, such as \"example.com\", without scheme, port, path or *",
        ),
        Dropped::PublicSuffix => diagnostics.fault_once(
            "JWT_COOKIE_DOMAIN",
            "a suffix that strangers' hosts share, so browsers drop the cookies: write a domain of your own, such as \"example.com\", or leave it out",
        ),
        Dropped::OtherHost => diagnostics.fault_once(
            "JWT_COOKIE_DOMAIN",
            "does not cover the host of TOLLGATE_PUBLIC_URL, so browsers drop the cookies: write that host or a domain above it, or leave it out",
        ),
        Dropped::TooLong { bytes } => diagnostics.fault(
            options.name,
            format!("{:?} with its token has about {bytes} bytes, and browsers drop cookies over {}: shorten JWT_ENCODE_AUDIENCE or JWT_ENCODE_ISSUER, or take shorter keys (EdDSA)", cookie.name, browser::MOST_PAIR_BYTES),
        ),
    }
}

/// Reports the paths that need this cookie and that a browser does not send it to.
fn check_paths(
    flask_jwt_extended: &FlaskJwtExtended,
    routes: &Routes,
    stored: &StoredCookie,
    options: CookieOptions,
    diagnostics: &mut Diagnostics<'_>,
) {
    let is_refresh = options.name == REFRESH.name;
    if !is_refresh && options.name != ACCESS.name {
        return;
    }
    let is_only_place = |locations: &[Location]| locations == [Location::Cookies];
    let mut missed: Vec<&str> = Vec::new();
    for (endpoint, path) in routes.endpoints() {
        let needs_it = match endpoint {
            Endpoint::Refresh => is_refresh,
            Endpoint::LogoutAll | Endpoint::Sessions | Endpoint::Session | Endpoint::Password => !is_refresh,
            // Either token ends the session, so the access token is needed only where the refresh token is not sent.
            Endpoint::Logout => {
                !is_refresh && !covers(flask_jwt_extended.refresh_tokens.then_some(&flask_jwt_extended.refresh), path)
            }
            Endpoint::Login | Endpoint::Keys | Endpoint::AssertionKeys | Endpoint::Admin => false,
        };
        // A refresh token is needed at its endpoint alone; an access token may be sent in a header as well.
        if needs_it && (is_refresh || is_only_place(&flask_jwt_extended.locations)) && !stored.is_sent_to_some(path) {
            missed.push(path);
        }
    }
    for rule in routes.rules().filter(|rule| rule.auth == Auth::Required) {
        let locations = rule.flask_jwt_extended.locations.as_ref().unwrap_or(&flask_jwt_extended.locations);
        if (rule.flask_jwt_extended.token_type == TokenType::Refresh) == is_refresh
            && is_only_place(locations)
            && !stored.is_sent_to_some(&rule.path)
        {
            missed.push(&rule.path);
        }
    }
    if !missed.is_empty() {
        let paths: Vec<String> = missed.iter().map(|path| format!("{path:?}")).collect();
        diagnostics.fault(
            options.path,
            format!("a browser never sends the cookie to {}, where a token is taken from cookies: write \"/\", or a start that they share, up to one of its slashes", paths.join(", ")),
        );
    }
}

/// Whether a browser sends the cookie of these names to this path.
fn covers(names: Option<&Names>, path: &str) -> bool {
    let Some(names) = names else { return false };
    let cookie = SentCookie {
        name: &names.cookie,
        value_bytes: 0,
        domain: "",
        path: &names.cookie_path,
        secure: true,
        http_only: true,
        same_site: None,
    };
    let site = Site { host: None, is_secure: true, path: "/" };
    // Without its name, so that a prefix of it does not drop the cookie.
    browser::keep(&SentCookie { name: "", ..cookie }, &site).is_ok_and(|stored| stored.is_sent_to_some(path))
}
