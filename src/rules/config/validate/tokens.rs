//! Claims and lifetimes of tokens.

use crate::rules::{
    config::{FlaskJwtExtended, diagnostics::Diagnostics, raw::RawConfig},
    json::Value,
    time::Duration,
    token::{ClaimsPolicy, Policy, TimeChecks},
};

/// The requirements that decoded tokens must meet, in the configured dialect.
pub(in crate::rules::config) fn policy(raw: &RawConfig, diagnostics: &mut Diagnostics<'_>) -> Policy {
    if raw.is_flask_jwt_extended {
        Policy::FlaskJwtExtended(raw.policy.clone())
    } else {
        Policy::FlaskJwt(claims(raw, diagnostics))
    }
}

fn claims(raw: &RawConfig, diagnostics: &mut Diagnostics<'_>) -> ClaimsPolicy {
    let verifies = |name: &str| raw.verify_claims.iter().any(|claim| claim == name);
    if !verifies("signature") {
        diagnostics.problem("JWT_VERIFY_CLAIMS", "\"signature\" can't be left out: an unverified token is anybody's. For a path without a token write auth = \"none\" in its route");
    }
    for claim in &raw.verify_claims {
        if !["signature", "exp", "nbf", "iat"].contains(&claim.as_str()) {
            diagnostics.warn(
                "JWT_VERIFY_CLAIMS",
                format!("{claim:?} has no effect; the list may have signature, exp, nbf and iat"),
            );
        }
    }
    if !verifies("exp") {
        diagnostics.warn("JWT_VERIFY_CLAIMS", "without \"exp\" a token is good for ever");
    }
    for claim in raw.required_claims.iter().filter(|claim| !is_issued(claim)) {
        if !raw.auth_url_rule.is_empty() {
            diagnostics.fault("JWT_REQUIRED_CLAIMS", format!("{claim:?} is not in the tokens that the log-in here makes, so log-ins are answered 500. Leave it out, or set JWT_AUTH_URL_RULE = \"\" if another issuer makes the tokens"));
        }
    }
    ClaimsPolicy {
        required: raw.required_claims.clone(),
        checks: TimeChecks { exp: verifies("exp"), nbf: verifies("nbf"), iat: verifies("iat") },
        leeway: raw.leeway,
    }
}

/// Whether the default log-in puts this claim into its tokens (docs/compat/flask-jwt.md#payload).
fn is_issued(claim: &str) -> bool {
    ["exp", "iat", "nbf", "identity"].contains(&claim)
}

/// Whether the gate accepts the audience and issuer of the tokens that it issues.
pub(super) fn check_own_tokens(raw: &RawConfig, diagnostics: &mut Diagnostics<'_>) {
    let FlaskJwtExtended { encode_audience, encode_issuer, .. } = &raw.flask_jwt_extended;
    let audiences: Vec<&str> = match encode_audience {
        Some(Value::String(one)) => vec![one],
        Some(list) => list.as_array().into_iter().flatten().filter_map(Value::as_str).collect(),
        None => Vec::new(),
    };
    let is_accepted = |accepted: &Option<Vec<String>>, own: &[&str]| {
        accepted.as_ref().is_none_or(|accepted| own.iter().any(|own| accepted.iter().any(|known| known == own)))
    };
    if !is_accepted(&raw.policy.audiences, &audiences) {
        diagnostics.fault(
            "JWT_DECODE_AUDIENCE",
            "none of these is in JWT_ENCODE_AUDIENCE, so every token that a log-in gives is refused: write one of them there too",
        );
    }
    if !is_accepted(&raw.policy.issuers, &encode_issuer.iter().map(String::as_str).collect::<Vec<_>>()) {
        diagnostics.fault(
            "JWT_DECODE_ISSUER",
            "JWT_ENCODE_ISSUER is none of these, so every token that a log-in gives is refused: write one of them there too",
        );
    }
}

/// Lifetimes and leeway. A token that nobody accepts is a fault and not a problem: an application may issue its own.
pub(in crate::rules::config) fn check_times(raw: &RawConfig, diagnostics: &mut Diagnostics<'_>) {
    let (leeway, leeway_option) =
        if raw.is_flask_jwt_extended { (raw.policy.leeway, "JWT_DECODE_LEEWAY") } else { (raw.leeway, "JWT_LEEWAY") };
    if leeway < Duration::ZERO {
        diagnostics.fault(leeway_option, "negative, so a token is refused until it is that old: write 0 or more");
    }
    if leeway > Duration::seconds(300) {
        diagnostics.warn(leeway_option, "more than five minutes: tokens live that much longer than they say");
    }
    if raw.is_flask_jwt_extended {
        let FlaskJwtExtended { access_expires, refresh_expires, .. } = &raw.flask_jwt_extended;
        for (option, life) in
            [("JWT_ACCESS_TOKEN_EXPIRES", access_expires), ("JWT_REFRESH_TOKEN_EXPIRES", refresh_expires)]
        {
            if life.is_some_and(|life| life < Duration::ZERO) {
                diagnostics
                    .fault(option, "negative, so each token is issued expired: write a duration such as \"15m\"");
            }
        }
        return;
    }
    let (life, not_before) = (raw.expiration_delta, raw.not_before_delta);
    if life < Duration::ZERO {
        diagnostics.fault(
            "JWT_EXPIRATION_DELTA",
            "negative, so each token is issued expired: write a duration such as \"5m\"",
        );
    } else if life == Duration::ZERO {
        diagnostics.warn("JWT_EXPIRATION_DELTA", "0, so a token is good for the leeway only");
    } else if not_before >= life {
        diagnostics.fault(
            "JWT_NOT_BEFORE_DELTA",
            "not less than JWT_EXPIRATION_DELTA, so a token has expired before it is good: write 0",
        );
    }
    if life > Duration::seconds(86_400) {
        diagnostics.warn("JWT_EXPIRATION_DELTA", "more than a day: a stolen token stays good as long");
    }
}
