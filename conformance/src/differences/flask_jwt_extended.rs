//! The rows for Flask-JWT-Extended.

use super::row::{self, MALFORMED, PYTHON_SPACES, Pair, Row, is_malformed};
use crate::{
    flask_jwt_extended::{App, makes_tokens},
    transcript::{Exchange, segment},
};
use serde_json::Value;
use tollgate::rules::json;

/// Every row.
pub const ROWS: &[Row] = &[
    Row {
        name: "ext-configuration",
        allows: |p| {
            p.exchange.ours.status == 500
                && p.body["description"] == "The request could not be answered"
                && !p.problems.is_empty()
                && p.problems.iter().all(|problem| is_wrong(p, &problem.option))
        },
    },
    Row {
        name: "ext-error-page",
        allows: |p| {
            [400, 404, 405, 413, 415].contains(&p.status())
                && p.exchange.ours.status == p.status()
                && p.recorded_page()
                && says(p, "")
        },
    },
    Row {
        name: "ext-application",
        allows: |p| {
            let path = p.exchange.request.path_alone();
            p.status() == 500 && p.exchange.ours.status == 500 && ["/unprotected_get_jwt", "/user"].contains(&path)
        },
    },
    Row {
        name: "ext-fresh",
        allows: |p| {
            p.status() == 500
                && refused(p, 401, "Fresh token required")
                && part(p, 1).is_some_and(|claims| !(claims["fresh"].is_boolean() || claims["fresh"].is_number()))
        },
    },
    Row {
        name: "ext-head",
        allows: |p| p.exchange.request.method == "HEAD" && p.status() == 200 && p.exchange.ours.status == 401,
    },
    Row {
        name: "ext-json-body",
        allows: |p| {
            p.status() == 500
                && p.exchange.ours.status == 401
                && p.body.to_string().contains("key in json data.")
                && json::object(p.sent_body().as_bytes()).is_err()
        },
    },
    Row {
        name: "ext-location-set",
        allows: |p| p.status() == 500 && says(p, "Missing JWT in ") && setting_starts(p, "JWT_TOKEN_LOCATION", "set("),
    },
    Row {
        name: "ext-unknown-kid",
        allows: |p| p.status() == 500 && refused(p, 422, "Signature verification failed") && has_key_loader(p),
    },
    Row {
        name: "ext-blanks",
        allows: |p| {
            p.status() == 200
                && [401, 422].contains(&p.exchange.ours.status)
                && p.exchange
                    .request
                    .values(p.text("JWT_HEADER_NAME", "Authorization"))
                    .any(|it| it.contains(PYTHON_SPACES))
        },
    },
    Row { name: "ext-commas", allows: |p| p.status() == 500 && refused(p, 401, "Missing ") && sent_commas_only(p) },
    Row {
        name: "ext-field-blanks",
        allows: |p| {
            let is_wide = |value: &str| value.trim_matches([' ', '\t']) != value;
            p.status() == 401
                && recorded_text(p) == "CSRF double submit tokens do not match"
                && p.exchange.ours.status == 200
                && p.exchange.request.headers.iter().any(|(_, value)| is_wide(value))
        },
    },
    Row {
        name: "ext-csrf",
        allows: |p| {
            let request = &p.exchange.request;
            let is_odd = |claims: Value| claims["csrf"].as_str().is_none_or(|value| !value.is_ascii());
            p.status() == 500
                && refused(p, 401, "CSRF double submit tokens do not match")
                && (part(p, 1).is_some_and(is_odd)
                    || request.values(p.text("JWT_ACCESS_CSRF_HEADER_NAME", "X-CSRF-TOKEN")).any(|it| !it.is_ascii())
                    || p.sent_body().contains('%'))
        },
    },
    Row {
        name: "ext-form",
        allows: |p| {
            p.status() == 200
                && refused(p, 401, "Missing CSRF token")
                && p.exchange.request.joined("content-type").is_some_and(|kind| kind.starts_with("multipart/"))
                && !(p.sent_body().contains("\r\n") && p.sent_body().contains("; name="))
        },
    },
    Row {
        name: "ext-json-strict",
        allows: |p| {
            [200, 401, 422].contains(&p.status())
                && p.exchange.ours.status == 401
                && p.body.to_string().contains("key in json data.")
                && json::object(p.sent_body().as_bytes()).is_err()
        },
    },
    Row {
        name: "ext-optional",
        allows: |p| {
            p.status() == 500
                && p.exchange.request.path_alone() == "/optional"
                && p.exchange.ours.status == 200
                && p.body["jwt"] == false
                && (sent_commas_only(p)
                    || setting_starts(p, "JWT_TOKEN_LOCATION", "set(")
                    || (p.exchange.request.joined("content-type").is_some()
                        && json::object(p.sent_body().as_bytes()).is_err()))
        },
    },
    Row {
        name: "ext-malformed-token",
        allows: |p| {
            p.exchange.ours.status == 422
                && MALFORMED.iter().any(|text| says(p, text))
                && sent_token(p).is_some_and(|token| is_malformed(&token))
        },
    },
    Row {
        name: "ext-token-length",
        allows: |p| {
            refused(p, 422, "Token is longer than ")
                && sent_token(p).is_some_and(|token| token.len() > tollgate::rules::token::MAX_TOKEN_BYTES)
        },
    },
    Row {
        name: "ext-crit",
        allows: |p| {
            let header = part(p, 0).unwrap_or_default();
            let is_long = |entry: &Value| entry.as_str().is_some_and(|name| name.len() > 64);
            refused(p, 422, "Unsupported critical extension: ")
                && (p.status() == 200 && header.get("b64").is_some_and(|b64| !b64.is_boolean())
                    || recorded_text(p).starts_with("Unsupported critical extension: ")
                        && header["crit"].as_array().is_some_and(|list| list.iter().any(is_long)))
        },
    },
    Row {
        name: "ext-times",
        allows: |p| {
            let claim = message(p).strip_suffix(") must be an integer.").and_then(|text| text.rsplit_once('('));
            p.exchange.ours.status == 422
                && claim.is_some_and(|(_, claim)| {
                    part(p, 1).is_some_and(|claims| claims.get(claim).is_some_and(is_no_date))
                })
        },
    },
    Row {
        name: "ext-identity",
        allows: |p| {
            p.status() == 200
                && refused(p, 401, "Error loading the user")
                && part(p, 1).is_some_and(|claims| {
                    let id = &claims[p.text("JWT_IDENTITY_CLAIM", "sub")];
                    !(id.is_i64() || id.is_string())
                })
        },
    },
    Row {
        name: "ext-subject-text",
        allows: |p| {
            let subject = |body: &Value| Some(segment(body["token"].as_str()?, 1)?["sub"].clone());
            let recorded = p.exchange.case.body_json.as_ref().and_then(subject);
            p.exchange.request.path_alone() == "/mint"
                && p.exchange.ours.status == 200
                && recorded
                    .is_some_and(|id| id.is_i64() && subject(&p.body).is_some_and(|sub| sub == id.to_string().as_str()))
        },
    },
    Row {
        name: "ext-durations",
        allows: |p| {
            let is_none =
                |value: &Value| value.is_f64() || value.as_str().is_some_and(|text| !text.starts_with("timedelta("));
            p.status() == 500
                && p.exchange.ours.status != 500
                && ["JWT_DECODE_LEEWAY", "JWT_ACCESS_TOKEN_EXPIRES", "JWT_REFRESH_TOKEN_EXPIRES"]
                    .iter()
                    .any(|name| p.setting(name).is_some_and(is_none))
        },
    },
    Row {
        name: "ext-empty-option",
        allows: |p| {
            let is_empty = |name: &str| p.setting(name).is_some_and(|value| value == "");
            let loses = |attribute: &str| {
                let ends = format!("; {attribute}=");
                p.exchange
                    .case
                    .headers
                    .iter()
                    .any(|(_, value)| value.ends_with(&ends) || value.contains(&(ends.clone() + ";")))
            };
            p.exchange.ours.status == 200
                && ((p.status() == 500 && is_empty("JWT_COOKIE_SAMESITE"))
                    || (loses("Domain") && is_empty("JWT_COOKIE_DOMAIN"))
                    || (loses("Path") && is_empty("JWT_ACCESS_COOKIE_PATH")))
        },
    },
    Row {
        name: "ext-own-token",
        allows: |p| {
            [401, 422].contains(&p.status())
                && p.exchange.ours.status == 200
                && p.exchange.request.path_alone().starts_with("/set_")
        },
    },
    Row {
        name: "ext-log-in-cookies",
        allows: |p| {
            p.status() == 200
                && p.exchange.ours.status == 200
                && ["/login", "/refresh"].contains(&p.exchange.request.path_alone())
                && p.setting("JWT_TOKEN_LOCATION").is_some_and(|places| places.to_string().contains("cookies"))
                && p.exchange.case.header("set-cookie").is_none()
                && p.exchange.ours.header("set-cookie").is_some()
        },
    },
    Row {
        name: "ext-log-in-body",
        allows: |p| {
            is_login(p)
                && refused(p, 400, "The body must be one JSON object")
                && json::object(p.sent_body().as_bytes()).is_err()
        },
    },
    Row {
        name: "ext-log-in-limits",
        allows: |p| is_login(p) && p.exchange.ours.status == 400 && message(p).contains(" is longer than "),
    },
    Row {
        name: "ext-log-in-message",
        allows: |p| {
            is_login(p)
                && p.status() == 401
                && refused(p, 401, "Bad username or password")
                && p.setting("JWT_ERROR_MESSAGE_KEY").is_some()
        },
    },
];

/// Whether the gate's answer is a rejection in Flask-JWT-Extended's form whose text begins like this; an answer to HEAD
/// has none.
fn says(p: &Pair<'_>, start: &str) -> bool {
    let is_refusal = p.body[message_key(p)].is_string();
    p.exchange.request.method == "HEAD" || (is_refusal && message(p).starts_with(start))
}

fn message_key<'p>(p: &'p Pair<'_>) -> &'p str {
    p.text("JWT_ERROR_MESSAGE_KEY", "msg")
}

/// The text of the gate's rejection.
fn message<'p>(p: &'p Pair<'_>) -> &'p str {
    p.body[message_key(p)].as_str().unwrap_or_default()
}

/// The text of the recorded rejection.
fn recorded_text<'p>(p: &'p Pair<'_>) -> &'p str {
    p.recorded[message_key(p)].as_str().unwrap_or_default()
}

fn is_login(p: &Pair<'_>) -> bool {
    p.exchange.request.path_alone() == "/login"
}

/// Whether the header holds commas and blanks only, at least one of each.
fn sent_commas_only(p: &Pair<'_>) -> bool {
    let value = p.exchange.request.joined(p.text("JWT_HEADER_NAME", "Authorization")).unwrap_or_default();
    value.contains(',') && value.contains([' ', '\t']) && value.trim_matches([',', ' ', '\t']).is_empty()
}

/// The token of the header, of the query or of the cookie, as it came.
fn sent_token(p: &Pair<'_>) -> Option<String> {
    let request = &p.exchange.request;
    let last = |text: &str, before: &str| text.rsplit_once(before).map(|(_, token)| token.to_owned());
    request
        .joined("authorization")
        .and_then(|value| last(&value, " "))
        .or_else(|| last(&request.path, "jwt="))
        .or_else(|| last(&request.joined("cookie")?, "token_cookie="))
        .or_else(|| p.exchange.case.literal_token.clone())
}

fn refused(p: &Pair<'_>, status: u16, text: &str) -> bool {
    p.exchange.ours.status == status && says(p, text)
}

fn setting_starts(p: &Pair<'_>, name: &str, start: &str) -> bool {
    p.exchange.case.config.get(name).and_then(Value::as_str).is_some_and(|text| text.starts_with(start))
}

fn has_key_loader(p: &Pair<'_>) -> bool {
    setting_starts(p, "loader", "encode_key_loader")
}

/// Whether the case sets an option to, or requests, what no gate accepts. Decided by what is written, not by how the
/// gate reads it, so that a valid value that the gate rejects is a mismatch.
fn is_wrong(p: &Pair<'_>, option: &str) -> bool {
    const ALGORITHMS: [&str; 11] =
        ["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "EdDSA"];
    const LOCATIONS: [&str; 4] = ["headers", "cookies", "query_string", "json"];
    let words = |value: &Value| match value {
        Value::Array(words) => words.iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>(),
        value => value.as_str().map(str::to_owned).into_iter().collect(),
    };
    let knows = |known: &[&str], value: &Value| words(value).iter().all(|word| known.contains(&word.as_str()));
    let has_blank = |value: &Value| value.as_str().is_none_or(|text| text.contains(' '));
    let is_secure = p.setting("JWT_COOKIE_SECURE") == Some(&Value::Bool(true));
    let algorithm = p.text("JWT_ALGORITHM", "HS256");
    if option.ends_with(".locations") {
        return p.exchange.request.path_alone() == "/loc_invalid";
    }
    if option == "JWT_PRIVATE_KEY" {
        // Neither key, or a public one alone, which signs nothing.
        let signs = p.setting("JWT_PRIVATE_KEY").is_some() || algorithm.starts_with("HS");
        let verifies = p.setting("JWT_PUBLIC_KEY").is_some();
        return !signs && (!verifies || makes_tokens(&p.exchange.request));
    }
    p.setting(option).is_some_and(|value| match option {
        "JWT_COOKIE_SECURE"
        | "JWT_SESSION_COOKIE"
        | "JWT_COOKIE_CSRF_PROTECT"
        | "JWT_CSRF_IN_COOKIES"
        | "JWT_CSRF_CHECK_FORM"
        | "JWT_VERIFY_SUB"
        | "JWT_ENCODE_NBF" => !value.is_boolean(),
        "JWT_QUERY_STRING_NAME"
        | "JWT_QUERY_STRING_VALUE_PREFIX"
        | "JWT_JSON_KEY"
        | "JWT_ACCESS_CSRF_HEADER_NAME"
        | "JWT_ACCESS_CSRF_COOKIE_NAME"
        | "JWT_IDENTITY_CLAIM"
        | "JWT_ERROR_MESSAGE_KEY"
        | "JWT_ENCODE_ISSUER" => !value.is_string(),
        "JWT_HEADER_NAME" | "JWT_SECRET_KEY" => value.as_str().is_none_or(str::is_empty),
        "JWT_HEADER_TYPE" | "JWT_CSRF_METHODS" => has_blank(value),
        "JWT_ACCESS_COOKIE_NAME" => has_blank(value) || (p.text(option, "").starts_with("__") && !is_secure),
        "JWT_ACCESS_COOKIE_PATH" | "JWT_COOKIE_DOMAIN" => has_blank(value) || !p.text(option, "").is_ascii(),
        "JWT_COOKIE_SAMESITE" => match p.text(option, "").to_ascii_lowercase().as_str() {
            "strict" | "lax" => false,
            "none" => !is_secure,
            _ => true,
        },
        "JWT_TOKEN_LOCATION" => words(value).is_empty() || !knows(&LOCATIONS, value),
        "JWT_ALGORITHM" | "JWT_DECODE_ALGORITHMS" => words(value).is_empty() || !knows(&ALGORITHMS, value),
        "JWT_DECODE_AUDIENCE" | "JWT_DECODE_ISSUER" => value.is_number(),
        "JWT_DECODE_LEEWAY" => value.is_null() || value.is_boolean(),
        "JWT_ACCESS_TOKEN_EXPIRES" | "JWT_REFRESH_TOKEN_EXPIRES" => {
            value.is_null() || *value == true || *value == 0 || *value == "timedelta(0)"
        }
        // A private key in its place, or one of another curve: the DER of every P-256 key begins like this.
        "JWT_PUBLIC_KEY" => {
            let pem = p.text(option, "");
            pem.contains("PRIVATE KEY") || (algorithm == "ES256" && !pem.contains("\nMFkwEw"))
        }
        _ => false,
    })
}

/// Header (0) or payload (1) of the token that was sent.
fn part(p: &Pair<'_>, at: usize) -> Option<Value> {
    segment(p.exchange.case.literal_token.as_deref()?, at)
}

/// As [`row::is_no_date`], and digits beyond 2⁵³, which a double rounds.
fn is_no_date(value: &Value) -> bool {
    let digits = value.as_str().and_then(|text| text.parse::<u64>().ok());
    row::is_no_date(value) || digits.is_some_and(|seconds| seconds > 1 << 53)
}

/// The name of the row that allows this difference, if one does.
///
/// # Errors
/// The recorded configuration has a member or value that is not known here.
pub fn allowing(exchange: &Exchange<'_>) -> Result<Option<&'static str>, String> {
    let problems = App::read(&exchange.case.config)?.serving(&exchange.case.request).gate().err().unwrap_or_default();
    let pair = Pair::new(exchange, problems);
    Ok(ROWS.iter().find(|row| (row.allows)(&pair)).map(|row| row.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::Case;
    use serde_json::json;
    use tollgate::rules::answer::Answer;

    #[test]
    fn only_what_no_gate_takes_is_a_wrong_configuration() {
        let line = include_str!("../../../tests/transcripts/flask_jwt_extended.jsonl").lines().next().unwrap();
        let mut case: Case = serde_json::from_str(line).unwrap();
        for (option, config, wrong) in [
            ("JWT_VERIFY_SUB", json!({"JWT_VERIFY_SUB": 1}), true),
            ("JWT_VERIFY_SUB", json!({"JWT_VERIFY_SUB": false}), false),
            ("JWT_VERIFY_SUB", json!({}), false),
            ("JWT_JSON_KEY", json!({"JWT_JSON_KEY": "a b"}), false),
            ("JWT_HEADER_TYPE", json!({"JWT_HEADER_TYPE": "JWT"}), false),
            ("JWT_HEADER_TYPE", json!({"JWT_HEADER_TYPE": "a b"}), true),
            ("JWT_COOKIE_SAMESITE", json!({"JWT_COOKIE_SAMESITE": "None"}), true),
            ("JWT_COOKIE_SAMESITE", json!({"JWT_COOKIE_SAMESITE": "None", "JWT_COOKIE_SECURE": true}), false),
            ("JWT_ACCESS_COOKIE_NAME", json!({"JWT_ACCESS_COOKIE_NAME": "a"}), false),
            ("JWT_TOKEN_LOCATION", json!({"JWT_TOKEN_LOCATION": ["json", "cookies"]}), false),
            ("JWT_TOKEN_LOCATION", json!({"JWT_TOKEN_LOCATION": []}), true),
            ("JWT_DECODE_ALGORITHMS", json!({"JWT_DECODE_ALGORITHMS": ["HS256", "RS256"]}), false),
            ("JWT_ACCESS_TOKEN_EXPIRES", json!({"JWT_ACCESS_TOKEN_EXPIRES": 30}), false),
            ("JWT_DECODE_LEEWAY", json!({"JWT_DECODE_LEEWAY": "timedelta(0)"}), false),
            ("JWT_PRIVATE_KEY", json!({"JWT_ALGORITHM": "RS256"}), true),
            ("JWT_PRIVATE_KEY", json!({"JWT_ALGORITHM": "RS256", "JWT_PRIVATE_KEY": "pem"}), false),
            ("JWT_PRIVATE_KEY", json!({}), false),
            ("JWT_PUBLIC_KEY", json!({"JWT_ALGORITHM": "ES256", "JWT_PUBLIC_KEY": "-\nMFkwEwYH"}), false),
            ("ROUTES[0].locations", json!({}), false),
            ("ROUTES", json!({"JWT_VERIFY_SUB": 1}), false),
        ] {
            case.config = config.as_object().unwrap().clone();
            let ours = Answer { status: 500, headers: Vec::new(), body: String::new() };
            let exchange = Exchange { case: &case, request: case.request_with(""), ours, now: 0.0 };
            let pair = Pair::new(&exchange, Vec::new());
            assert_eq!(is_wrong(&pair, option), wrong, "{option} of {config}");
        }
    }
}
