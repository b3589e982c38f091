//! Rules and endpoints.

use crate::rules::{
    config::{Bindings, diagnostics::Diagnostics, raw::RawConfig, validate::keys::Keys},
    cors::Cors,
    json::{Value, json},
    route::{Endpoint, Requirement, Routes, Rule, Target, Test},
};
use std::borrow::Cow;

/// The rules and endpoints; `None` if there are problems. `serves_inner`: see
/// [`crate::rules::config::Environment`]. `origins`: the names in `ORIGINS`.
pub(in crate::rules::config) fn routes(
    raw: &RawConfig,
    bindings: Bindings,
    keys: Option<&Keys>,
    serves_inner: Option<bool>,
    origins: &[&str],
    diagnostics: &mut Diagnostics<'_>,
) -> Option<Routes> {
    // Flask's default for a rule without `methods`.
    let methods = raw.auth_url_options.get("methods").cloned().unwrap_or_else(|| Value::from(vec!["GET"]));
    let mut endpoints = Vec::new();
    if !raw.auth_url_rule.is_empty() {
        endpoints.push((Endpoint::Login, raw.auth_url_rule.as_str(), methods));
    }
    if keys.is_some_and(|keys| keys.publishes) && !raw.jwks_url.is_empty() {
        endpoints.push((Endpoint::Keys, raw.jwks_url.as_str(), Value::from(vec!["GET"])));
    }
    let asserts = raw.assertion_key.is_some() || diagnostics.is_declared("TOLLGATE_ASSERTION_KEY");
    if asserts && !raw.assertion_jwks_url.is_empty() {
        endpoints.push((Endpoint::AssertionKeys, raw.assertion_jwks_url.as_str(), Value::from(vec!["GET"])));
    }
    // Without a signing key no tokens are issued.
    let signs = keys.is_some_and(|keys| keys.signs);
    let session = format!("{}/{{session}}", raw.sessions_url.trim_end_matches('/'));
    let refreshes = raw.is_flask_jwt_extended && signs && raw.flask_jwt_extended.refresh_tokens;
    let sessions = bindings.sessions;
    let has_admin = raw.sessions.admin_secret.is_some() || diagnostics.is_declared("TOLLGATE_ADMIN_SECRET");
    for (is_there, endpoint, path, methods) in [
        (refreshes, Endpoint::Refresh, &raw.refresh_url, &["POST"][..]),
        (raw.is_flask_jwt_extended || sessions, Endpoint::Logout, &raw.logout_url, &["POST", "DELETE"]),
        (sessions, Endpoint::LogoutAll, &raw.logout_all_url, &["POST"]),
        (sessions, Endpoint::Sessions, &raw.sessions_url, &["GET"]),
        (sessions && !raw.sessions_url.is_empty(), Endpoint::Session, &session, &["DELETE"]),
        (sessions && signs, Endpoint::Password, &raw.password_url, &["POST"]),
        (sessions && has_admin, Endpoint::Admin, &raw.admin_url, &["POST"]),
    ] {
        if is_there && !path.is_empty() {
            endpoints.push((endpoint, path, Value::from(methods.to_vec())));
        }
    }
    let mut rules = Cow::Borrowed(&raw.routes);
    if raw.is_flask_jwt_extended {
        let has_me = raw.routes.iter().any(|rule| rule["path"].as_str() == Some(&raw.me_url));
        if !raw.me_url.is_empty() && !has_me {
            let mut rule = json!({"path": raw.me_url, "to": "identity", "user": "stored"});
            // The check of TOLLGATE_CORS reports a wrong table.
            if let Some(cors) = raw.cors.as_ref().filter(|cors| Cors::read(cors).is_ok()) {
                rule["cors"] = cors.clone();
            }
            rules.to_mut().push(rule);
        }
    }
    match Routes::read(&endpoints, &rules, origins) {
        Ok((routes, warnings)) => {
            diagnostics.warnings.extend(warnings);
            if let Some(inner) = routes.rules().find(|rule| rule.to == Target::Worker)
                && serves_inner == Some(false)
            {
                diagnostics.problem(
                    &format!("ROUTES[{}].to", inner.index),
                    "\"worker\" is for code of your own behind the gate, and there is none here: give tollgate() a fetch, or write \"origin\", \"assets\" or \"identity\"",
                );
            }
            Some(routes)
        }
        Err(mut problems) => {
            // The rule of TOLLGATE_ME_URL was appended above, so ROUTES has no such entry to name.
            let of_me = format!("ROUTES[{}]", raw.routes.len());
            for problem in problems.iter_mut().filter(|problem| problem.option.split('.').next() == Some(&*of_me)) {
                problem.option = "TOLLGATE_ME_URL".into();
            }
            diagnostics.problems.extend(problems);
            None
        }
    }
}

/// Conditions in `require` that no token meets which this gate accepts.
pub(in crate::rules::config) fn check_requirements(
    raw: &RawConfig,
    routes: &Routes,
    diagnostics: &mut Diagnostics<'_>,
) {
    for rule in routes.rules() {
        let names = rule.require.iter().flat_map(Requirement::claims);
        for claim in names.filter(|claim| !raw.auth_url_rule.is_empty() && !is_made_here(raw, claim)) {
            diagnostics.warn(
                &format!("ROUTES[{}].require", rule.index),
                format!(
                    "no token of a log-in here has the claim {claim}, unless code of your own adds it: write TOLLGATE_CLAIMS = {{ {claim:?} = \"attributes.{claim}\" }}, or leave it as it is if another issuer makes the tokens"
                ),
            );
        }
        for (claim, test) in rule.require.iter().flat_map(Requirement::conditions) {
            let Some(known) = Known::of(top_level(claim), raw, rule) else { continue };
            if let Some(what) = known.never(test) {
                diagnostics.problem(
                    &format!("ROUTES[{}].require", rule.index),
                    format!("{claim} is never {what}, so no request passes: it {}", known.why),
                );
            }
        }
    }
}

/// The claim, if a JSON Pointer names one at the top: `/type` is `type`.
fn top_level(claim: &str) -> &str {
    claim.strip_prefix('/').filter(|rest| !rest.contains(['/', '~'])).unwrap_or(claim)
}

/// What a claim is in each token that the gate accepts, whoever signed it.
struct Known<'c> {
    values: Values<'c>,
    /// Whether it may be a list of such values too.
    may_be_list: bool,
    why: &'static str,
}

enum Values<'c> {
    /// It is in no token.
    None,
    Numbers,
    Texts,
    Ids,
    /// These texts.
    OneOf(Vec<&'c str>),
}

impl<'c> Known<'c> {
    /// `None` if it may be anything.
    fn of(claim: &str, raw: &'c RawConfig, rule: &Rule) -> Option<Self> {
        let known = |values, why| Some(Self { values, may_be_list: false, why });
        let texts = |list: &'c Option<Vec<String>>| {
            list.as_ref().map(|list| Values::OneOf(list.iter().map(String::as_str).collect()))
        };
        match (claim, raw.is_flask_jwt_extended) {
            ("exp" | "iat" | "nbf", _) => known(Values::Numbers, "is a time, in seconds"),
            ("identity", false) => known(Values::Ids, "is a user's id"),
            ("aud", false) => known(Values::None, "is in no token of Flask-JWT's dialect"),
            ("sub", true) if raw.policy.verify_sub => known(Values::Texts, "is a text (JWT_VERIFY_SUB)"),
            ("jti", true) => known(Values::Texts, "is a text"),
            ("type", true) if rule.flask_jwt_extended.verify_type => known(
                Values::OneOf(vec![rule.flask_jwt_extended.token_type.name()]),
                "is decided by the member refresh",
            ),
            ("iss", true) => known(texts(&raw.policy.issuers)?, "is one of JWT_DECODE_ISSUER"),
            // RFC 7519 §4.1.3.
            ("aud", true) => Some(Self {
                values: texts(&raw.policy.audiences)?,
                may_be_list: true,
                why: "is one of JWT_DECODE_AUDIENCE, or a list with one",
            }),
            _ => None,
        }
    }

    /// What this condition wants, if the claim is never so.
    fn never(&self, test: &Test) -> Option<String> {
        let may_be = |value: &Value| match &self.values {
            Values::None => false,
            Values::Numbers => value.is_number(),
            Values::Texts => value.is_string(),
            Values::Ids => value.is_string() || value.is_number(),
            Values::OneOf(texts) => value.as_str().is_some_and(|value| texts.contains(&value)),
        };
        match (test, &self.values) {
            (Test::Is(values), _) => values.iter().find(|value| !may_be(value)).map(Value::to_string),
            (Test::IsNot(_), Values::None) => Some("there".into()),
            (Test::IsNot(values), Values::OneOf(texts)) => {
                texts.iter().all(|text| values.iter().any(|value| value == text)).then(|| "another".into())
            }
            (Test::IsNot(_), _) => None,
            (Test::Has(_) | Test::Scope(_), _) => (!self.may_be_list).then(|| "a list".into()),
        }
    }
}

/// Whether the gate's own tokens may have this claim: of the dialect, or from attributes.
fn is_made_here(raw: &RawConfig, claim: &str) -> bool {
    let of_dialect: &[&str] = match raw.is_flask_jwt_extended {
        true => &["fresh", "iat", "jti", "type", "nbf", "csrf", "aud", "iss", "exp", "sid"],
        false => &["exp", "iat", "nbf", "identity", "sid"],
    };
    let is_identity = |name: &str| raw.is_flask_jwt_extended && name == raw.policy.identity_claim;
    let first = claim.strip_prefix('/').map_or_else(|| claim.split('.').next(), |pointer| pointer.split('/').next());
    [Some(claim), first].into_iter().flatten().any(|name| {
        of_dialect.contains(&name) || is_identity(name) || raw.attribute_claims.names().any(|known| known == name)
    })
}

/// Members of a rule that have no effect beside its others: the operator expects a check that is not made.
pub(in crate::rules::config) fn check_idle_members(
    raw: &RawConfig,
    bindings: Bindings,
    diagnostics: &mut Diagnostics<'_>,
) {
    for (index, rule) in raw.routes.iter().enumerate() {
        let option = |member: &str| format!("ROUTES[{index}].{member}");
        if rule["auth"] == "none" {
            let asks = |member: &str| match &rule[member] {
                Value::Null | Value::Bool(false) => false,
                value => member != "user" || value != "token",
            };
            let members = ["fresh", "refresh", "user", "revocation", "locations", "realm"];
            for member in members.into_iter().filter(|&member| asks(member)) {
                diagnostics.fault(
                    &option(member),
                    "no effect beside auth = \"none\", where the gate looks at no token: remove one of the two",
                );
            }
        } else if rule["revocation"] == "strict" && !bindings.sessions {
            diagnostics.fault(
                &option("revocation"),
                "no effect without the bindings ACCOUNTS and REVOCATIONS: nobody can be asked whether a token was revoked (docs/sessions.md)",
            );
        }
        if rule["fresh"] == true && rule["refresh"] == true {
            diagnostics.fault(&option("fresh"), "no refresh token is fresh, so nobody passes: remove one of the two");
        }
    }
}

/// Whether the rate limiters that rules name are bound.
pub(in crate::rules::config) fn check_limiters(
    routes: &Routes,
    has_limiter: &dyn Fn(&str) -> bool,
    diagnostics: &mut Diagnostics<'_>,
) {
    for rule in routes.rules() {
        if let Some(limiter) = rule.rate.as_deref().filter(|limiter| !has_limiter(limiter)) {
            let text = format!(
                "no rate limiter is bound as {limiter}: add an entry to ratelimits with name = \"{limiter}\", a namespace_id and simple = {{ limit = 100, period = 60 }}"
            );
            diagnostics.problem(&format!("ROUTES[{}].rate", rule.index), text);
        }
    }
}
