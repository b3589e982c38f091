//! Decides what an origin receives: the client's header fields, the token, and the gate's identity headers; and how the
//! origin's answer may be cached.
//!
//! **What always holds:** a client's identity header is removed in every spelling (case, and `_`, `.` or any other mark
//! for `-`: CGI and PHP read them all as one). The gate's own are set afterwards, so an origin may trust them. This
//! holds on every route, including those without a token (oauth2-proxy#624). A value cannot break out of its header:
//! the subject is percent-encoded, the claims are base64url.

use super::{
    assertion::Assertion,
    config::{Config, Location},
    cookie,
    gate::{Authorized, Principal},
    header::{ClaimHeader, is_imitation, plain, plain_char},
    origin::{FORWARDED_PREFIX_HEADER, Origin},
    request::Request,
    route::{Auth, Rule},
    time::Timestamp,
};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use std::borrow::Cow;

/// The user's id: an integer in decimal, a string percent-encoded.
pub const SUBJECT_HEADER: &str = "x-auth-subject";
/// The token's payload as signed: base64url of the JSON object of claims. Distinguishes the ids `1` and `"1"`.
pub const CLAIMS_HEADER: &str = "x-auth-claims";
/// The token's location, in the words of `JWT_TOKEN_LOCATION`. Unset if it was in a header.
pub const LOCATION_HEADER: &str = "x-auth-location";
/// Prefix of the header fields that only the gate may set.
const IDENTITY_PREFIX: &str = "x-auth-";
const AUTHORIZATION: &str = "authorization";

/// The ASCII characters that are percent-encoded in a subject: controls, space and `%`.
const SUBJECT_ESCAPES: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

/// Hop-by-hop fields: RFC 9110 §7.6.1 and older ones. `Upgrade` is decided separately, since a WebSocket needs it.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "http2-settings",
];

/// Client header fields that some origins trust for a request's source, host, path, method or user. They are removed,
/// since a client can set them to anything. Names are in the form that [`plain`] returns; a name that ends with `-` is
/// a prefix (`x-forwarded-` covers `x-forwarded-user` and `x-forwarded-client-cert`).
const SPOOFABLE: [&str; 76] = [
    // Addresses.
    "forwarded",
    "x-forwarded",
    "x-forwarded-",
    "http-x-forwarded-",
    "x-real-ip",
    "true-client-ip",
    "client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-originating-ip",
    "fastly-client-ip",
    "proxy-client-ip",
    "wl-proxy-client-ip",
    "x-envoy-external-address",
    "x-forwardedfor",
    "x-azure-clientip",
    "x-azure-socketip",
    "x-appengine-",
    // Hosts, schemes, paths and methods.
    "x-host",
    "x-original-",
    "x-rewrite-",
    "x-envoy-original-",
    "x-http-host-override",
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "x-scheme",
    "x-url-scheme",
    "front-end-https",
    "script-name",
    "x-script-name",
    "path-info",
    "x-path-info",
    "x-proto",
    "x-https",
    "x-http-path-override",
    "x-waws-unencoded-url",
    // Fields that choose the file sent, or skip checks.
    "x-sendfile-type",
    "x-accel-",
    "x-middleware-subrequest",
    // `HTTP_PROXY` in CGI, which many clients use as their proxy.
    "proxy",
    // Users, and the certificates that name them.
    "remote-",
    "x-remote-",
    "x-webauth-",
    "x-authenticated-user",
    "x-authenticated-userid",
    "x-authenticated-groups",
    "x-proxy-user",
    "x-user",
    "x-user-id",
    "x-userid",
    "x-username",
    "x-ms-client-principal",
    "x-ms-client-principal-",
    "x-goog-authenticated-user-",
    "x-amzn-oidc-",
    "x-ms-token-",
    "x-goog-iap-jwt-assertion",
    "x-endpoint-api-userinfo",
    "x-apigateway-api-userinfo",
    "x-consumer-",
    "x-credential-identifier",
    "x-authentik-",
    "x-pomerium-",
    "tailscale-",
    "oidc-claim-",
    "auth-user",
    "cf-access-",
    "x-client-cert",
    "x-client-dn",
    "x-client-verify",
    "x-ssl-",
    "ssl-client-",
    "x-arr-clientcert",
    "x-arr-ssl",
    "tls-client-",
];
/// Fields that the runtime sets. In another spelling they come from the client, and some origins read them as the
/// runtime's.
const RUNTIME_PREFIX: &str = "cf-";

/// The code of a rejection, for clients (`TOLLGATE_ERROR_CODES`).
pub const ERROR_CODE_HEADER: &str = "x-auth-error";

/// The client's address, set for the origin if the gate knows it.
pub const FORWARDED_FOR_HEADER: &str = "x-forwarded-for";
/// The host of the gate's URL, with its port if it is not the default, set for the origin if the gate knows it.
pub const FORWARDED_HOST_HEADER: &str = "x-forwarded-host";
/// The scheme of the gate's URL, set for the origin if the gate knows it.
pub const FORWARDED_PROTO_HEADER: &str = "x-forwarded-proto";

/// RFC 7239.
pub const FORWARDED_HEADER: &str = "forwarded";

/// The fields above, with the bits by which src/edge/js/fetch.mjs knows those that the gate sets.
const FORWARDED_FIELDS: [(&str, u32); 4] =
    [(FORWARDED_FOR_HEADER, 1), (FORWARDED_HOST_HEADER, 2), (FORWARDED_PROTO_HEADER, 4), (FORWARDED_PREFIX_HEADER, 8)];

/// Whether this field, in lower case, is for one hop only.
pub(super) fn is_hop_by_hop(name: &str) -> bool {
    HOP_BY_HOP.contains(&name)
}

/// Decides which of a client's header fields are forwarded.
pub struct Filter<'f> {
    /// The value of `Connection`, which names further hop-by-hop fields.
    pub connection: Option<&'f str>,
    /// The name of the header field with the token.
    pub token_header: &'f str,
    /// Whether that field and `Authorization` are forwarded.
    pub forward_token: bool,
    /// `TOLLGATE_KEEP_HEADERS`: fields that are forwarded although they are spoofable.
    pub keep: &'f [String],
    /// `TOLLGATE_CLAIM_HEADERS`: fields that only the gate may set.
    pub claims: &'f [ClaimHeader],
    /// The origins, whose own fields only the gate may set.
    pub origins: &'f [Origin],
}

impl<'f> Filter<'f> {
    /// The filter for one authorized request; `connection` is its `Connection` field.
    #[must_use]
    pub fn new(authorized: &Authorized<'_>, connection: Option<&'f str>, config: &'f Config) -> Self {
        Self { connection, forward_token: forwards_token(config, authorized.rule()), ..Self::for_tokens(config) }
    }

    /// The filter for any request with a token, without its `Connection` field.
    #[must_use]
    pub fn for_tokens(config: &'f Config) -> Self {
        let token_header =
            config.flask_jwt_extended().map_or(AUTHORIZATION, |flask_jwt_extended| &flask_jwt_extended.header_name);
        Self {
            connection: None,
            token_header,
            forward_token: config.forward_token,
            keep: &config.keep_headers,
            claims: &config.claim_headers,
            origins: &config.origins,
        }
    }

    /// Whether a header field is forwarded; `None` if that depends on other fields. `value` is read for `Connection`
    /// only, and a missing value gives `None`. `name` in lower case.
    #[must_use]
    pub fn goes_on(&self, name: &str, value: Option<&str>) -> Option<bool> {
        let is_hop_only = |word: &str| {
            word.eq_ignore_ascii_case("close") || HOP_BY_HOP.iter().any(|hop| word.eq_ignore_ascii_case(hop))
        };
        match name {
            "upgrade" => None,
            "connection" if !value?.split(',').map(str::trim).all(is_hop_only) => None,
            _ => Some(!self.withholds(name)),
        }
    }

    /// Whether only the gate may set this header field. `name` in any spelling.
    #[must_use]
    pub fn is_the_gates(name: &str) -> bool {
        plain(name).starts_with(IDENTITY_PREFIX)
    }

    /// Whether origins may trust this client field for a source, host, path, method or user. `name` in any case, with
    /// any mark for `-`.
    #[must_use]
    pub fn is_spoofable(name: &str) -> bool {
        let plain = plain(name);
        let is_listed = |known: &&str| if known.ends_with('-') { plain.starts_with(*known) } else { plain == **known };
        let is_misspelt = plain.starts_with(RUNTIME_PREFIX) && !name.eq_ignore_ascii_case(&plain);
        is_misspelt || SPOOFABLE.iter().any(is_listed)
    }

    /// Whether `TOLLGATE_KEEP_HEADERS` names this field.
    #[must_use]
    pub fn keeps(&self, name: &str) -> bool {
        self.keep.iter().any(|kept| kept.eq_ignore_ascii_case(name))
    }

    /// Whether this client field is not forwarded. `name` in any case.
    #[must_use]
    pub fn withholds(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        let plain = plain(&name);
        plain.starts_with(IDENTITY_PREFIX)
            || self.is_configured(&name)
            || HOP_BY_HOP.contains(&name.as_str())
            // The origin's URL sets the host: Cloudflare allows no other, and under axum the result must be the same.
            || name == "host"
            || self.is_a_token(&name, &plain)
            || (Self::is_spoofable(&name) && !self.keeps(&name))
            || (name == "upgrade" && !self.is_upgrade())
            || (name != "upgrade" && self.connection_names(&name))
    }

    /// Whether only the gate may set this field by its configuration: a claim is in it, or it is an origin's own.
    #[must_use]
    pub fn is_configured(&self, name: &str) -> bool {
        self.claims.iter().any(|known| known.is_imitated_by(name))
            || self.origins.iter().any(|origin| origin.has_field_like(name))
    }

    /// Whether this is one of the `X-Forwarded-…` fields that the gate sets, in any spelling.
    #[must_use]
    pub fn is_forwarded_field(name: &str) -> bool {
        FORWARDED_FIELDS.iter().any(|(known, _)| is_imitation(name, known))
    }

    /// A field with the token's name, in any spelling an origin may normalise to it. A spelling other than the exact
    /// one is always withheld: the gate has not verified it.
    fn is_a_token(&self, name: &str, plain: &str) -> bool {
        let looks_like = |header: &str| {
            plain.len() == header.len()
                && plain.chars().zip(header.chars()).all(|(one, other)| one == plain_char(other))
                && (!self.forward_token || !name.eq_ignore_ascii_case(header))
        };
        looks_like(AUTHORIZATION) || looks_like(self.token_header)
    }

    fn connection_names(&self, name: &str) -> bool {
        self.connection.unwrap_or_default().split(',').any(|word| word.trim().eq_ignore_ascii_case(name))
    }

    fn is_upgrade(&self) -> bool {
        self.connection_names("upgrade")
    }
}

fn forwards_token(config: &Config, rule: &Rule) -> bool {
    // An answer from a shared cache must not depend on a token.
    (config.forward_token || rule.auth == Auth::None) && !rule.cache
}

/// Cookies and query parameter that are removed under `TOLLGATE_FORWARD_TOKEN = false`: every place where the gate
/// looks for a token, whether or not it found one there. The body is forwarded unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeldBack<'h> {
    cookies: Vec<&'h str>,
    parameter: Option<&'h str>,
}

impl<'h> HeldBack<'h> {
    /// The cookies and the parameter to remove from an authorized request.
    #[must_use]
    pub fn new(authorized: &Authorized<'_>, config: &'h Config) -> Self {
        Self::under(authorized.rule(), config)
    }

    fn under(rule: &Rule, config: &'h Config) -> Self {
        let Some(flask_jwt_extended) = config.flask_jwt_extended().filter(|_| !forwards_token(config, rule)) else {
            return Self::default();
        };
        // The rule's own locations and the default ones, where clients may send the token anyway.
        let of_rule = rule.flask_jwt_extended.locations.as_deref().unwrap_or_default();
        let is_searched = |location| flask_jwt_extended.locations.contains(&location) || of_rule.contains(&location);
        let cookies: &[&str] = &[&flask_jwt_extended.access.cookie, &flask_jwt_extended.refresh.cookie];
        Self {
            cookies: if is_searched(Location::Cookies) { cookies.to_vec() } else { Vec::new() },
            parameter: is_searched(Location::QueryString).then_some(&flask_jwt_extended.query_name),
        }
    }

    /// Whether cookies are to be removed.
    #[must_use]
    pub fn has_cookies(&self) -> bool {
        !self.cookies.is_empty()
    }

    /// The `Cookie` header without token cookies; `None` if it is unchanged, `Some("")` if nothing is left.
    #[must_use]
    pub fn without_cookies(&self, header: &str) -> Option<String> {
        cookie::without(header, &self.cookies)
    }

    /// Path and query without the token parameter. Other parameters stay byte for byte.
    #[must_use]
    pub fn without_parameter<'u>(&self, path_and_query: &'u str) -> Cow<'u, str> {
        let Some((name, (path, query))) = self.parameter.zip(path_and_query.split_once('?')) else {
            return path_and_query.into();
        };
        let is_token = |pair: &&str| form_urlencoded::parse(pair.as_bytes()).any(|(known, _)| known == name);
        if !query.split('&').any(|pair| is_token(&pair)) {
            return path_and_query.into();
        }
        let others: Vec<&str> = query.split('&').filter(|pair| !is_token(pair)).collect();
        if others.is_empty() { path.into() } else { format!("{path}?{}", others.join("&")).into() }
    }
}

/// Rules for caching the answer to a request, as bits for src/edge/js/fetch.mjs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CachePolicy(u32);

impl CachePolicy {
    /// The rule looks for tokens, so the answer belongs to one user: Cloudflare's cache is bypassed, and only a private
    /// cache may store the answer.
    pub const LOOKS_AT_TOKENS: u32 = 1;
    /// The token was in `Authorization`: RFC 9111 §3.5 then forbids shared caches to store the answer, unless it allows
    /// that explicitly.
    pub const IN_AUTHORIZATION: u32 = 2;
    /// The rule has `auth = "optional"`: the answer depends on whether there was a token.
    pub const OPTIONAL: u32 = 4;
    /// The rule has `cache = true`: Cloudflare's cache may answer.
    pub const MAY_CACHE: u32 = 8;

    /// `TOLLGATE_ERROR_CODES`: an [`ERROR_CODE_HEADER`] of the origin is removed.
    pub const OWN_ERROR_CODES: u32 = 16;

    /// The policy for an answer under `rule`, with the token found at `location`.
    #[must_use]
    pub fn new(rule: &Rule, location: Option<Location>, config: &Config) -> Self {
        let is_in_authorization = location == Some(Location::Headers) && config.token_header() == AUTHORIZATION;
        let bits = [
            (rule.looks_at_tokens(), Self::LOOKS_AT_TOKENS),
            (is_in_authorization, Self::IN_AUTHORIZATION),
            (rule.auth == Auth::Optional, Self::OPTIONAL),
            (rule.cache, Self::MAY_CACHE),
            (config.error_codes, Self::OWN_ERROR_CODES),
        ];
        Self(bits.into_iter().filter(|(is_set, _)| *is_set).map(|(_, bit)| bit).sum())
    }

    /// The policy as bits.
    #[must_use]
    pub fn bits(self) -> u32 {
        self.0
    }
}

/// Fields that some caches obey in place of `Cache-Control` (RFC 9213, and its predecessors).
pub const TARGETED_CACHE_CONTROL: [&str; 3] =
    ["cdn-cache-control", "cloudflare-cdn-cache-control", "surrogate-control"];

/// The value of `Vary` for answers under `auth = "optional"`: the request fields where a token may be.
#[must_use]
pub fn vary(config: &Config) -> String {
    match config.token_header().as_str() {
        AUTHORIZATION => "Authorization, Cookie".into(),
        other => format!("Authorization, Cookie, {other}"),
    }
}

/// The `X-Forwarded-…` fields that the gate sets, as bits for src/edge/js/fetch.mjs: For 1, Host 2, Proto 4, Prefix 8.
/// Fields in `TOLLGATE_KEEP_HEADERS` are left to the client.
#[must_use]
pub fn forwarded_fields(config: &Config) -> u32 {
    let filter = Filter::for_tokens(config);
    FORWARDED_FIELDS
        .into_iter()
        .filter(|(name, _)| !filter.keeps(name))
        // [`proxied_fields`] has it.
        .filter(|(name, _)| config.trusted_proxies.is_empty() || *name != FORWARDED_FOR_HEADER)
        .map(|(_, bit)| bit)
        .sum()
}

/// Fields about the way of a request for which its header fields must be read: `X-Forwarded-For` behind
/// `TOLLGATE_TRUSTED_PROXIES`, and `Forwarded`.
#[must_use]
pub fn proxied_fields(request: &Request<'_>, rule: &Rule, config: &Config) -> Vec<(Cow<'static, str>, String)> {
    let filter = Filter::for_tokens(config);
    let peer = request.peer();
    let former = |name| request.headers.get(name);
    let mut fields = Vec::new();
    if let Some(peer) = peer.filter(|_| !config.trusted_proxies.is_empty() && !filter.keeps(FORWARDED_FOR_HEADER)) {
        let value = config.trusted_proxies.forwarded_for(peer, former(FORWARDED_FOR_HEADER).as_deref());
        fields.push((FORWARDED_FOR_HEADER.into(), value));
    }
    if config.forwarded && !filter.keeps(FORWARDED_HEADER) {
        // As for X-Forwarded-Host: an answer for everybody must not depend on one visitor's address.
        let site = config.public_url.as_deref().or(Some(request.site).filter(|_| !rule.cache));
        fields.push((
            FORWARDED_HEADER.into(),
            config.trusted_proxies.forwarded(peer, former(FORWARDED_HEADER).as_deref(), site),
        ));
    }
    fields
}

/// Whether [`proxied_fields`] has any fields.
#[must_use]
pub fn has_proxied_fields(config: &Config) -> bool {
    config.forwarded || !config.trusted_proxies.is_empty()
}

/// The assertion for the origin, and until when it may be sent again; `None` without `TOLLGATE_ASSERTION_KEY`.
#[must_use]
pub fn assertion(authorized: &Authorized<'_>, config: &Config, now: Timestamp) -> Option<Assertion> {
    let audience = &authorized.rule().forwarding()?.origin;
    Some(config.assertions.as_ref()?.about(authorized.principal(), audience, now))
}

/// The identity headers for the origin; none without a token.
#[must_use]
pub fn identity_headers(principal: &Principal, config: &Config) -> Vec<(Cow<'static, str>, String)> {
    match principal {
        Principal::Verified { token, identity, location } => {
            let mut headers = vec![
                (SUBJECT_HEADER.into(), utf8_percent_encode(&identity.id.to_string(), SUBJECT_ESCAPES).to_string()),
                (CLAIMS_HEADER.into(), token.payload().to_owned()),
            ];
            if *location != Location::Headers {
                headers.push((LOCATION_HEADER.into(), location.name().to_owned()));
            }
            if !config.claim_headers.is_empty() {
                let claims = token.claims();
                let found = |header: &ClaimHeader| Some((header.name.clone().into(), header.value(&claims)?));
                headers.extend(config.claim_headers.iter().filter_map(found));
            }
            headers
        }
        Principal::Anonymous | Principal::Open => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{
        config::Location,
        identity::{Id, Identity},
        json::{Map, Value},
        token::VerifiedToken,
    };
    use serde_json::json;
    use std::sync::Arc;

    #[test]
    fn identity_and_hop_by_hop_headers_stay_behind_in_every_spelling() {
        let kept = Filter {
            connection: None,
            token_header: AUTHORIZATION,
            forward_token: false,
            keep: &[],
            claims: &[],
            origins: &[],
        };
        let filter = Filter { connection: Some("keep-alive, X-Secret-Hop"), forward_token: true, ..kept };
        for name in [
            "X-Auth-Subject",
            "x-auth-subject",
            "X_Auth_Subject",
            "x-AUTH_claims",
            "X_AUTH-Roles",
            "x.auth.subject",
            "x-auth.subject",
            "x~auth~subject",
            "X!Auth-Subject",
            "x-auth'subject",
            "Connection",
            "keep-alive",
            "TE",
            "Transfer-Encoding",
            "Upgrade",
            "X-Secret-Hop",
            "Proxy-Authorization",
            "Host",
        ] {
            assert!(filter.withholds(name), "{name}");
        }
        for name in ["Accept", "Cookie", "X-Author", "Authorization", "Content-Type", "X-Authenticated"] {
            assert!(!filter.withholds(name), "{name}");
        }
        assert!(kept.withholds("Authorization"));
        assert!(!Filter { connection: Some("Upgrade"), ..kept }.withholds("upgrade"), "a WebSocket");
    }

    #[test]
    fn what_a_client_claims_about_itself_stays_behind_unless_it_is_named() {
        let filter = Filter {
            connection: None,
            token_header: AUTHORIZATION,
            forward_token: true,
            keep: &[],
            claims: &[],
            origins: &[],
        };
        let claims = [
            "X-Forwarded-For",
            "x_forwarded_for",
            "X.Forwarded.Host",
            "X-Forwarded-User",
            "X-FORWARDED-ANYTHING",
            "Forwarded",
            "X-Real-IP",
            "X_Real_Ip",
            "True-Client-IP",
            "X-Original-URL",
            "x_rewrite~url",
            "X-HTTP-Method-Override",
            "X_HTTP_METHOD_OVERRIDE",
            "Remote-User",
            "REMOTE_USER",
            "Remote-Groups",
            "X-Remote-Extra-Scopes",
            "Script_Name",
            "Proxy",
            "CF_Connecting_IP",
            "cf.connecting-ip",
            "Cf_IPCountry",
            "X-MS-Client-Principal-Id",
            "Cf-Access-Authenticated-User-Email",
            "cf-access-jwt-assertion",
            "X-Consumer-Username",
            "OIDC_CLAIM_sub",
            "X-AppEngine-User-IP",
            "X-Middleware-Subrequest",
            "X-Sendfile-Type",
            "X_Accel_Mapping",
        ];
        for name in claims {
            assert!(Filter::is_spoofable(name) && filter.withholds(name), "{name}");
            assert_eq!(filter.goes_on(&name.to_ascii_lowercase(), None), Some(false), "{name}");
        }
        for name in [
            "X-Request-Id",
            "CF-Connecting-IP",
            "X-Forward",
            "Via",
            "User-Agent",
            "X-Real",
            "Origin",
            "CF-IPCountry",
            "cf-ray",
        ] {
            assert!(!Filter::is_spoofable(name) && !filter.withholds(name), "{name}");
        }
        let keep = ["x-http-method-override".to_owned(), "X-Forwarded-For".to_owned()];
        let filter = Filter { keep: &keep, ..filter };
        assert!(!filter.withholds("X-HTTP-Method-Override") && !filter.withholds("x-forwarded-for"));
        assert!(filter.withholds("X_HTTP_Method_Override"), "in another spelling it is another field");
        assert!(filter.withholds("X-Forwarded-Host"));
        let config = config(&json!({"TOLLGATE_KEEP_HEADERS": "X-Forwarded-For"}));
        assert_eq!((forwarded_fields(&config), forwarded_fields(&self::config(&json!({})))), (14, 15));
    }

    #[test]
    fn only_an_open_rule_that_says_so_is_cached() {
        let routes = json!([
            {"path": "/required", "to": "origin"},
            {"path": "/optional", "to": "origin", "auth": "optional"},
            {"path": "/open", "to": "origin", "auth": "none"},
            {"path": "/cached", "to": "origin", "auth": "none", "cache": true},
        ]);
        let bits = |config: &Config, location: Option<Location>| -> Vec<u32> {
            let rules = config.routes.rules().filter(|rule| rule.path != "/auth/me");
            rules.map(|rule| CachePolicy::new(rule, location, config).bits()).collect()
        };
        let own = config(&json!({"ROUTES": routes}));
        assert_eq!(bits(&own, Some(Location::Headers)), [3, 7, 2, 10]);
        assert_eq!(bits(&own, Some(Location::Cookies)), [1, 5, 0, 8]);
        assert_eq!(bits(&own, None), [1, 5, 0, 8]);
        let other = config(&json!({"ROUTES": routes, "JWT_HEADER_NAME": "X-Token"}));
        assert_eq!(bits(&other, Some(Location::Headers)), [1, 5, 0, 8], "RFC 9111 knows Authorization alone");
        assert_eq!(
            (vary(&own).as_str(), vary(&other).as_str()),
            ("Authorization, Cookie", "Authorization, Cookie, x-token")
        );
    }

    #[test]
    fn a_header_alone_says_no_more_than_with_the_others() {
        let config = config(&json!({}));
        let filter = Filter::for_tokens(&config);
        for (name, value, outcome) in [
            ("accept", None, Some(true)),
            ("x_auth-subject", None, Some(false)),
            ("authorization", None, Some(false)),
            ("te", None, Some(false)),
            ("upgrade", None, None),
            ("connection", Some("keep-alive"), Some(false)),
            ("connection", Some("Keep-Alive , close,TE"), Some(false)),
            ("connection", Some("keep-alive, x-mine"), None),
            ("connection", Some("Upgrade"), None),
            ("connection", Some(""), None),
            ("connection", None, None),
        ] {
            assert_eq!(filter.goes_on(name, value), outcome, "{name}: {value:?}");
        }
    }

    #[test]
    fn a_header_of_ones_own_for_the_token_is_held_to_the_same() {
        let kept = Filter {
            connection: None,
            token_header: "X-Token",
            forward_token: false,
            keep: &[],
            claims: &[],
            origins: &[],
        };
        let passed = Filter { forward_token: true, ..kept };
        for (name, when_kept, when_passed) in [
            ("X-Token", true, false),
            ("x-token", true, false),
            ("X_Token", true, true),
            ("x.token", true, true),
            ("Authorization", true, false),
            ("X-Tokens", false, false),
        ] {
            assert_eq!((kept.withholds(name), passed.withholds(name)), (when_kept, when_passed), "{name}");
        }
    }

    fn config(more: &Value) -> Config {
        let mut vars = json!({
            "TOLLGATE_WIRE": "flask-jwt-extended",
            "JWT_SECRET_KEY": "a secret of more than thirty-two bytes",
            "JWT_REFRESH_COOKIE_NAME": "r",
            "TOLLGATE_FORWARD_TOKEN": false,
            "ORIGIN": "http://127.0.0.1:5000",
            "ROUTES": [{"path": "/a", "to": "origin"}],
        });
        vars.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Config::read(vars.as_object().unwrap()).config.unwrap()
    }

    fn held_back(config: &Config) -> HeldBack<'_> {
        HeldBack::under(config.routes.rules().next().unwrap(), config)
    }

    #[test]
    fn a_token_is_held_back_in_all_places_where_it_is_looked_for() {
        let cookies = vec!["access_token_cookie", "r"];
        let in_cookies = HeldBack { cookies: cookies.clone(), parameter: None };
        let in_query = HeldBack { cookies: Vec::new(), parameter: Some("jwt") };
        let route = |more: Value| {
            let mut rule = json!({"path": "/a", "to": "origin"});
            rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!([rule])
        };
        for (more, held) in [
            (json!({}), HeldBack::default()),
            (json!({"JWT_TOKEN_LOCATION": "cookies"}), in_cookies.clone()),
            (json!({"JWT_TOKEN_LOCATION": "query_string"}), in_query),
            (json!({"ROUTES": route(json!({"locations": ["cookies", "json"]}))}), in_cookies.clone()),
            (
                json!({"JWT_TOKEN_LOCATION": ["headers", "cookies"], "JWT_QUERY_STRING_NAME": "t",
                    "ROUTES": route(json!({"locations": ["query_string"]}))}),
                HeldBack { cookies, parameter: Some("t") },
            ),
            (json!({"JWT_TOKEN_LOCATION": "cookies", "ROUTES": route(json!({"auth": "optional"}))}), in_cookies),
            (json!({"JWT_TOKEN_LOCATION": "cookies", "ROUTES": route(json!({"auth": "none"}))}), HeldBack::default()),
            (json!({"JWT_TOKEN_LOCATION": "cookies", "TOLLGATE_FORWARD_TOKEN": true}), HeldBack::default()),
        ] {
            assert_eq!(held_back(&config(&more)), held, "{more}");
        }
        assert_eq!(held_back(&config(&json!({"TOLLGATE_WIRE": "flask-jwt"}))), HeldBack::default());
    }

    #[test]
    fn a_token_leaves_the_url_and_the_cookies_and_nothing_else_changes() {
        let config = config(&json!({"JWT_TOKEN_LOCATION": ["cookies", "query_string"]}));
        let held = held_back(&config);
        for (from, to) in [
            ("/a", "/a"),
            ("/a?", "/a?"),
            ("/a?jwt=T", "/a"),
            ("/a?b=%20+&jwt=T&&c", "/a?b=%20+&&c"),
            ("/a?jwt=T&b=1&jwt=U", "/a?b=1"),
            ("/a?%6Awt=T&b=jwt", "/a?b=jwt"),
            ("/a?jwt", "/a"),
            ("/a?JWT=T&jwt2=T&b=1;jwt=T", "/a?JWT=T&jwt2=T&b=1;jwt=T"),
            ("/jwt=T?b=?jwt=T", "/jwt=T?b=?jwt=T"),
        ] {
            assert_eq!(held.without_parameter(from), to);
        }
        assert!(held.has_cookies() && !HeldBack::default().has_cookies());
        assert_eq!(
            held.without_cookies("a=1; access_token_cookie=T; r=U; csrf_access_token=C").unwrap(),
            "a=1; csrf_access_token=C"
        );
        assert_eq!(held.without_cookies("a=1"), None);
    }

    #[test]
    fn a_subject_cannot_break_a_header() {
        for (id, sent) in [
            (Id::Int(-7), "-7"),
            (Id::Text("abc".into()), "abc"),
            (Id::Text("a\r\nX-Auth-Roles: admin".into()), "a%0D%0AX-Auth-Roles:%20admin"),
            (Id::Text("é 100%".into()), "%C3%A9%20100%25"),
        ] {
            let headers = identity_headers(&admitted(id, Location::Headers), &Config::for_tests());
            assert_eq!(headers[0], (SUBJECT_HEADER.into(), sent.to_owned()));
        }
        assert_eq!(identity_headers(&Principal::Anonymous, &Config::for_tests()), []);
    }

    #[test]
    fn a_place_other_than_a_header_is_told() {
        for (location, told) in [
            (Location::Headers, None),
            (Location::Cookies, Some("cookies")),
            (Location::QueryString, Some("query_string")),
            (Location::Json, Some("json")),
        ] {
            let headers = identity_headers(&admitted(Id::Int(1), location), &Config::for_tests());
            let found = headers.iter().find(|(name, _)| *name == LOCATION_HEADER).map(|(_, value)| value.as_str());
            assert_eq!(found, told);
        }
    }

    fn admitted(id: Id, location: Location) -> Principal {
        Principal::Verified {
            token: VerifiedToken::assert_verified(&Map::new()),
            identity: Arc::new(Identity::new(id)),
            location,
        }
    }
}
