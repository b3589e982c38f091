//! The rows for Flask-JWT.

use super::row::{MALFORMED, PYTHON_SPACES, Pair, Row, is_malformed, is_no_date};
use crate::{
    app::App,
    transcript::{Exchange, segment},
};
use serde_json::{Map, Value};
use tollgate::rules::{json, login};

/// Every row.
pub const ROWS: &[Row] = &[
    Row {
        name: "configuration-refused",
        allows: |p| refused(p, 500, "Internal Server Error") && is_refused_at_start(p),
    },
    Row {
        name: "error-page",
        allows: |p| {
            let error = match p.status() {
                308 => "Permanent Redirect",
                400 => "Bad Request",
                404 => "Not Found",
                405 => "Method Not Allowed",
                _ => return false,
            };
            p.recorded_page() && refused(p, p.status(), error)
        },
    },
    Row {
        name: "ambiguous-path",
        allows: |p| p.status() == 404 && refused(p, 400, "Bad Request") && describes(p, "The path "),
    },
    Row {
        name: "log-in-body",
        allows: |p| {
            is_login(p)
                && refused(p, 400, "Bad Request")
                && ((p.status() == 500 && describes(p, "The Content-Type "))
                    || (describes(p, "The body must ") && json::object(p.sent_body().as_bytes()).is_err()))
        },
    },
    Row {
        name: "log-in-content-type",
        allows: |p| {
            refused(p, 400, "Bad Request")
                && describes(p, "The Content-Type ")
                && p.exchange.request.joined("content-type").is_some_and(|value| value.contains(','))
        },
    },
    Row {
        name: "log-in-limits",
        allows: |p| {
            p.sent_body().len() > login::MAX_FIELD_BYTES
                && (refused(p, 400, "Bad Request")
                    && p.body["description"].as_str().is_some_and(|text| text.contains(" is longer than "))
                    || refused(p, 413, "Request Entity Too Large"))
        },
    },
    Row {
        name: "log-in-not-text",
        allows: |p| {
            refused(p, 401, "Bad Request")
                && describes(p, "Invalid credentials")
                && [p.text("JWT_AUTH_USERNAME_KEY", "username"), p.text("JWT_AUTH_PASSWORD_KEY", "password")]
                    .iter()
                    .any(|name| {
                        json::object(p.sent_body().as_bytes())
                            .is_ok_and(|body| body.get(*name).is_some_and(|value| !value.is_string()))
                    })
        },
    },
    Row {
        name: "log-in-record",
        allows: |p| p.status() == 500 && p.answered(200) && hook(p, "authentication_handler returns a dict"),
    },
    Row {
        name: "durations",
        allows: |p| {
            p.status() == 500
                && p.answered(200)
                && ["JWT_LEEWAY", "JWT_EXPIRATION_DELTA", "JWT_NOT_BEFORE_DELTA"].iter().any(|name| {
                    p.setting(name).is_some_and(|value| {
                        value.is_number() || value.as_str().is_some_and(|text| !text.starts_with("timedelta("))
                    })
                })
        },
    },
    Row {
        name: "url-options",
        allows: |p| {
            is_login(p) | p.exchange.request.path_alone().ends_with('/')
                && matches!(p.exchange.ours.status, 200 | 404 | 405)
                && p.setting("JWT_AUTH_URL_OPTIONS")
                    .and_then(Value::as_object)
                    .is_some_and(|options| options.keys().any(|name| !["methods", "endpoint"].contains(&name.as_str())))
        },
    },
    Row {
        name: "verify-claims",
        allows: |p| {
            let skipped = |name| {
                p.setting("JWT_VERIFY_CLAIMS")
                    .and_then(Value::as_array)
                    .is_some_and(|list| list.contains(&"signature".into()) && !list.contains(&Value::from(name)))
            };
            p.exchange.ours.status != 500
                && match p.recorded["description"].as_str() {
                    Some("Signature has expired") => skipped("exp"),
                    Some("The token is not yet valid (nbf)") => skipped("nbf"),
                    Some("Issued At claim (iat) cannot be in the future.") => skipped("iat"),
                    _ => false,
                }
        },
    },
    Row {
        name: "required-claims",
        allows: |p| {
            let Some(required) = p.setting("JWT_REQUIRED_CLAIMS") else { return false };
            // Python iterates over the characters of a string, so that nothing is required and no log-in succeeds.
            let ignored = |name: &str| required.is_string() || !["exp", "iat", "nbf"].contains(&name);
            let missing = p.body["description"]
                .as_str()
                .and_then(|text| text.strip_prefix("Token is missing the \"")?.strip_suffix("\" claim"));
            let login = is_login(p) && p.status() == 500;
            (refused(p, 401, "Invalid token") && missing.is_some_and(ignored))
                || (login && (refused(p, 500, "Internal Server Error") || (required.is_string() && p.answered(200))))
        },
    },
    Row {
        name: "blanks",
        allows: |p| {
            refused(p, 401, "Invalid JWT header")
                && p.exchange.request.values("authorization").any(|value| value.contains(PYTHON_SPACES))
        },
    },
    Row {
        name: "malformed-token",
        allows: |p| {
            refused(p, 401, "Invalid token")
                && MALFORMED.iter().any(|text| describes(p, text))
                && token(p).is_some_and(|token| is_malformed(&token))
        },
    },
    Row {
        name: "kid",
        allows: |p| {
            p.status() == 200
                && refused(p, 401, "Invalid token")
                && describes(p, "Key ID header parameter must be a string")
                && part(p, 0).is_some_and(|header| header.get("kid").is_some_and(|kid| !kid.is_string()))
        },
    },
    Row {
        name: "crit",
        allows: |p| {
            p.status() == 200
                && refused(p, 401, "Invalid token")
                && describes(p, "Unsupported critical extension")
                && part(p, 0).is_some_and(|header| header.contains_key("crit") || header.contains_key("b64"))
        },
    },
    Row {
        name: "times",
        allows: |p| {
            let claim = p.body["description"].as_str().and_then(|text| {
                text.strip_suffix(") must be an integer.")?.rsplit_once('(').map(|(_, claim)| claim.to_owned())
            });
            refused(p, 401, "Invalid token")
                && claim
                    .is_some_and(|claim| part(p, 1).is_some_and(|claims| claims.get(&claim).is_some_and(is_no_date)))
        },
    },
    Row {
        name: "identity",
        allows: |p| {
            refused(p, 401, "Invalid JWT")
                && describes(p, "User does not exist")
                && part(p, 1)
                    .is_some_and(|claims| !claims.get("identity").is_some_and(|id| id.is_i64() || id.is_string()))
        },
    },
    Row {
        name: "identity-function",
        allows: |p| p.status() == 500 && refused(p, 503, "Service Unavailable") && hook(p, "identity_handler not set"),
    },
    Row {
        name: "optional",
        allows: |p| {
            p.exchange.request.path_alone() == "/optional" && p.status() == 500 && p.exchange.ours.body == "None"
        },
    },
    Row {
        name: "realm",
        allows: |p| {
            let plain = |text: &str| text.replace('\\', "");
            let recorded = p.exchange.case.header("www-authenticate").unwrap_or_default();
            p.status() == p.exchange.ours.status
                && p.setting("JWT_DEFAULT_REALM")
                    .and_then(Value::as_str)
                    .is_some_and(|realm| realm.contains(['"', '\\']))
                && p.exchange.ours.header("www-authenticate").is_some_and(|ours| plain(ours) == plain(recorded))
        },
    },
    Row {
        name: "json-media-type",
        allows: |p| {
            p.setting("JSONIFY_MIMETYPE").is_some_and(|name| name.as_str() == p.exchange.case.header("content-type"))
                && p.exchange.ours.header("content-type") == Some("application/json")
                && p.status() == p.exchange.ours.status
                && (p.body == p.recorded || p.answered(200))
        },
    },
    Row {
        name: "decode-algorithms",
        allows: |p| {
            let algorithm = part(p, 0).and_then(|header| header.get("alg").cloned());
            p.status() == 401
                && p.recorded["description"] == "The specified alg value is not allowed"
                && p.setting("JWT_DECODE_ALGORITHMS")
                    .and_then(Value::as_array)
                    .is_some_and(|names| algorithm.is_some_and(|algorithm| names.contains(&algorithm)))
                && p.answered(200)
        },
    },
];

/// Whether the gate's answer is a rejection in Flask-JWT's form with this status and error; an answer to HEAD has no
/// body.
fn refused(p: &Pair<'_>, status: u16, error: &str) -> bool {
    p.answered(status)
        && p.exchange.ours.header("content-type") == Some("application/json")
        && (p.exchange.case.request.method == "HEAD"
            || (p.body["status_code"] == status && p.body["error"] == error && p.body["description"].is_string()))
}

/// Whether the gate's description begins like this; an answer to HEAD has none.
fn describes(p: &Pair<'_>, start: &str) -> bool {
    p.exchange.case.request.method == "HEAD"
        || p.body["description"].as_str().is_some_and(|text| text.starts_with(start))
}

fn is_login(p: &Pair<'_>) -> bool {
    p.exchange.request.path_alone() == p.text("JWT_AUTH_URL_RULE", "/auth")
}

fn hook(p: &Pair<'_>, words: &str) -> bool {
    p.setting("hook").is_some_and(|hook| hook == words)
}

/// Whether the gate rejects what this case sets, and nothing else.
fn is_refused_at_start(p: &Pair<'_>) -> bool {
    let is_set = |option: &str| {
        p.setting(option).is_some()
            || (option == "JWT_SECRET_KEY" && p.setting("SECRET_KEY").is_some())
            || (option == "JWT_PRIVATE_KEY" && p.setting("JWT_ALGORITHM").is_some())
            || (option == "JWT_AUTH_PASSWORD_KEY" && p.setting("JWT_AUTH_USERNAME_KEY").is_some())
    };
    !p.problems.is_empty() && p.problems.iter().all(|problem| is_set(&problem.option))
}

/// The token of the `Authorization` header, else of the query.
fn token(p: &Pair<'_>) -> Option<String> {
    let request = &p.exchange.request;
    let header =
        request.joined("authorization").and_then(|value| value.split([' ', '\t']).next_back().map(str::to_owned));
    header.or_else(|| request.path.split_once("token=").map(|(_, token)| token.to_owned()))
}

/// Header (0) or payload (1) of the token.
fn part(p: &Pair<'_>, at: usize) -> Option<Map<String, Value>> {
    segment(&token(p)?, at)?.as_object().cloned()
}

/// The name of the row that allows this difference, if one does.
///
/// # Errors
/// The recorded configuration has a member or value that is not known here.
pub fn allowing(exchange: &Exchange<'_>) -> Result<Option<&'static str>, String> {
    let problems = App::read(&exchange.case.config)?.gate().err().unwrap_or_default();
    let pair = Pair::new(exchange, problems);
    Ok(ROWS.iter().find(|row| (row.allows)(&pair)).map(|row| row.name))
}
