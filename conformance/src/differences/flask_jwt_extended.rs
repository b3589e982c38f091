//! The rows for Flask-JWT-Extended.

use crate::{
    flask_jwt_extended::{App, makes_tokens},
    transcript::Exchange,
};
use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::Value;
use tollgate::rules::{diagnostic::Diagnostic, json};

/// A rule by which an answer may differ from the recorded one.
pub struct Row {
    /// Its name in docs/differences.md.
    pub name: &'static str,
    allows: fn(&Pair<'_>) -> bool,
}

/// What a row looks at.
struct Pair<'p> {
    exchange: &'p Exchange<'p>,
    /// Why the gate refuses the configuration, if it does.
    problems: Vec<Diagnostic>,
    /// Our body.
    body: Value,
}

/// Every row.
pub const ROWS: &[Row] = &[
    Row {
        name: "ext-configuration",
        allows: |p| {
            p.exchange.ours.status == 500
                && p.body["description"] == "The request could not be answered"
                && !p.problems.is_empty()
                && p.problems.iter().all(|problem| p.is_wrong(&problem.option))
        },
    },
    Row {
        name: "ext-error-page",
        allows: |p| {
            [400, 404, 405, 413, 415].contains(&p.status())
                && p.exchange.ours.status == p.status()
                && p.recorded_page()
                && p.says("")
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
                && p.refused(401, "Fresh token required")
                && p.part(1).is_some_and(|claims| !(claims["fresh"].is_boolean() || claims["fresh"].is_number()))
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
                && json::object(p.exchange.request.body.as_deref().unwrap_or_default().as_bytes()).is_err()
        },
    },
    Row {
        name: "ext-location-set",
        allows: |p| p.status() == 500 && p.says("Missing JWT in ") && p.setting_starts("JWT_TOKEN_LOCATION", "set("),
    },
    Row {
        name: "ext-unknown-kid",
        allows: |p| p.status() == 500 && p.refused(422, "Signature verification failed") && p.has_key_loader(),
    },
    Row {
        name: "ext-blanks",
        allows: |p| {
            const PYTHONS: [char; 8] = ['\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{1f}', '\u{85}', '\u{a0}'];
            p.status() == 200
                && [401, 422].contains(&p.exchange.ours.status)
                && p.exchange.request.values(p.text("JWT_HEADER_NAME", "Authorization")).any(|it| it.contains(PYTHONS))
        },
    },
    Row { name: "ext-commas", allows: |p| p.status() == 500 && p.refused(401, "Missing ") && p.sent_commas_only() },
    Row {
        name: "ext-field-blanks",
        allows: |p| {
            let is_wide = |value: &str| value.trim_matches([' ', '\t']) != value;
            p.status() == 401
                && p.recorded_text() == "CSRF double submit tokens do not match"
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
                && p.refused(401, "CSRF double submit tokens do not match")
                && (p.part(1).is_some_and(is_odd)
                    || request.values(p.text("JWT_ACCESS_CSRF_HEADER_NAME", "X-CSRF-TOKEN")).any(|it| !it.is_ascii())
                    || p.sent_body().contains('%'))
        },
    },
    Row {
        name: "ext-form",
        allows: |p| {
            p.status() == 200
                && p.refused(401, "Missing CSRF token")
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
                && (p.sent_commas_only()
                    || p.setting_starts("JWT_TOKEN_LOCATION", "set(")
                    || (p.exchange.request.joined("content-type").is_some()
                        && json::object(p.sent_body().as_bytes()).is_err()))
        },
    },
    Row {
        name: "ext-malformed-token",
        allows: |p| {
            p.exchange.ours.status == 422
                && super::MALFORMED.iter().any(|text| p.says(text))
                && p.sent_token().is_some_and(|token| is_malformed(&token))
        },
    },
    Row {
        name: "ext-token-length",
        allows: |p| {
            p.refused(422, "Token is longer than ")
                && p.sent_token().is_some_and(|token| token.len() > tollgate::rules::token::MAX_TOKEN_BYTES)
        },
    },
    Row {
        name: "ext-crit",
        allows: |p| {
            let header = p.part(0).unwrap_or_default();
            let is_long = |entry: &Value| entry.as_str().is_some_and(|name| name.len() > 64);
            p.refused(422, "Unsupported critical extension: ")
                && (p.status() == 200 && header.get("b64").is_some_and(|b64| !b64.is_boolean())
                    || p.recorded_text().starts_with("Unsupported critical extension: ")
                        && header["crit"].as_array().is_some_and(|list| list.iter().any(is_long)))
        },
    },
    Row {
        name: "ext-times",
        allows: |p| {
            let claim = p.message().strip_suffix(") must be an integer.").and_then(|text| text.rsplit_once('('));
            p.exchange.ours.status == 422
                && claim
                    .is_some_and(|(_, claim)| p.part(1).is_some_and(|claims| claims.get(claim).is_some_and(is_no_date)))
        },
    },
    Row {
        name: "ext-identity",
        allows: |p| {
            p.status() == 200
                && p.refused(401, "Error loading the user")
                && p.part(1).is_some_and(|claims| {
                    let id = &claims[p.text("JWT_IDENTITY_CLAIM", "sub")];
                    !(id.is_i64() || id.is_string())
                })
        },
    },
    Row {
        name: "ext-subject-text",
        allows: |p| {
            let subject = |body: &Value| Some(payload(body["token"].as_str()?)?["sub"].clone());
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
            p.is_login()
                && p.refused(400, "The body must be one JSON object")
                && json::object(p.sent_body().as_bytes()).is_err()
        },
    },
    Row {
        name: "ext-log-in-limits",
        allows: |p| p.is_login() && p.exchange.ours.status == 400 && p.message().contains(" is longer than "),
    },
    Row {
        name: "ext-log-in-message",
        allows: |p| {
            p.is_login()
                && p.status() == 401
                && p.refused(401, "Bad username or password")
                && p.setting("JWT_ERROR_MESSAGE_KEY").is_some()
        },
    },
];

impl Pair<'_> {
    fn status(&self) -> u16 {
        self.exchange.case.status
    }

    /// Ours is a refusal in Flask-JWT-Extended's shape whose text begins so. HEAD shows none.
    fn says(&self, start: &str) -> bool {
        let is_refusal = self.body[self.message_key()].is_string();
        self.exchange.request.method == "HEAD" || (is_refusal && self.message().starts_with(start))
    }

    fn message_key(&self) -> &str {
        self.text("JWT_ERROR_MESSAGE_KEY", "msg")
    }

    /// The text of our refusal.
    fn message(&self) -> &str {
        self.body[self.message_key()].as_str().unwrap_or_default()
    }

    /// The text of the recorded one.
    fn recorded_text(&self) -> &str {
        let body = self.exchange.case.body_json.as_ref();
        body.and_then(|body| body[self.message_key()].as_str()).unwrap_or_default()
    }

    fn setting(&self, name: &str) -> Option<&Value> {
        self.exchange.case.config.get(name)
    }

    /// A setting, or the default for it.
    fn text<'a>(&'a self, name: &str, default: &'a str) -> &'a str {
        self.setting(name).and_then(Value::as_str).unwrap_or(default)
    }

    fn sent_body(&self) -> &str {
        self.exchange.request.body.as_deref().unwrap_or_default()
    }

    fn is_login(&self) -> bool {
        self.exchange.request.path_alone() == "/login"
    }

    /// Is there nothing in the header but commas and blanks, and more than a comma?
    fn sent_commas_only(&self) -> bool {
        let value = self.exchange.request.joined(self.text("JWT_HEADER_NAME", "Authorization")).unwrap_or_default();
        value.contains(',') && value.contains([' ', '\t']) && value.trim_matches([',', ' ', '\t']).is_empty()
    }

    /// The token of the header, of the query or of the cookie, as it came.
    fn sent_token(&self) -> Option<String> {
        let request = &self.exchange.request;
        let last = |text: &str, before: &str| text.rsplit_once(before).map(|(_, token)| token.to_owned());
        request
            .joined("authorization")
            .and_then(|value| last(&value, " "))
            .or_else(|| last(&request.path, "jwt="))
            .or_else(|| last(&request.joined("cookie")?, "token_cookie="))
            .or_else(|| self.exchange.case.literal_token.clone())
    }

    fn refused(&self, status: u16, text: &str) -> bool {
        self.exchange.ours.status == status && self.says(text)
    }

    fn recorded_page(&self) -> bool {
        self.exchange.case.header("content-type").is_some_and(|kind| kind.starts_with("text/html"))
    }

    fn setting_starts(&self, name: &str, start: &str) -> bool {
        self.exchange.case.config.get(name).and_then(Value::as_str).is_some_and(|text| text.starts_with(start))
    }

    fn has_key_loader(&self) -> bool {
        self.setting_starts("loader", "encode_key_loader")
    }

    /// Is what this case says for an option, or asks for, what no gate takes? By what is written, not by how the gate
    /// reads it: a good value that is refused is a mismatch.
    fn is_wrong(&self, option: &str) -> bool {
        const ALGORITHMS: [&str; 11] =
            ["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "EdDSA"];
        const LOCATIONS: [&str; 4] = ["headers", "cookies", "query_string", "json"];
        let words = |value: &Value| match value {
            Value::Array(words) => words.iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>(),
            value => value.as_str().map(str::to_owned).into_iter().collect(),
        };
        let knows = |known: &[&str], value: &Value| words(value).iter().all(|word| known.contains(&word.as_str()));
        let has_blank = |value: &Value| value.as_str().is_none_or(|text| text.contains(' '));
        let is_secure = self.setting("JWT_COOKIE_SECURE") == Some(&Value::Bool(true));
        let algorithm = self.text("JWT_ALGORITHM", "HS256");
        if option.ends_with(".locations") {
            return self.exchange.request.path_alone() == "/loc_invalid";
        }
        if option == "JWT_PRIVATE_KEY" {
            // Neither key, or a public one alone, which signs nothing.
            let signs = self.setting("JWT_PRIVATE_KEY").is_some() || algorithm.starts_with("HS");
            let verifies = self.setting("JWT_PUBLIC_KEY").is_some();
            return !signs && (!verifies || makes_tokens(&self.exchange.request));
        }
        self.setting(option).is_some_and(|value| match option {
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
            "JWT_ACCESS_COOKIE_NAME" => has_blank(value) || (self.text(option, "").starts_with("__") && !is_secure),
            "JWT_ACCESS_COOKIE_PATH" | "JWT_COOKIE_DOMAIN" => has_blank(value) || !self.text(option, "").is_ascii(),
            "JWT_COOKIE_SAMESITE" => match self.text(option, "").to_ascii_lowercase().as_str() {
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
            // A private key in its place, or one of another kind: P-256 always begins so.
            "JWT_PUBLIC_KEY" => {
                let pem = self.text(option, "");
                pem.contains("PRIVATE KEY") || (algorithm == "ES256" && !pem.contains("\nMFkwEw"))
            }
            _ => false,
        })
    }

    /// Header (0) or payload (1) of the token that was sent.
    fn part(&self, at: usize) -> Option<Value> {
        let token = self.exchange.case.literal_token.as_deref()?;
        serde_json::from_slice(&Base64UrlUnpadded::decode_vec(token.split('.').nth(at)?).ok()?).ok()
    }
}

fn payload(token: &str) -> Option<Value> {
    serde_json::from_slice(&Base64UrlUnpadded::decode_vec(token.split('.').nth(1)?).ok()?).ok()
}

/// The same as for Flask-JWT, and digits beyond 2⁵³ that a fraction would round.
fn is_no_date(value: &Value) -> bool {
    let digits = value.as_str().and_then(|text| text.parse::<u64>().ok());
    super::is_no_date(value) || digits.is_some_and(|seconds| seconds > 1 << 53)
}

/// Not three segments of canonical base64url, the first two of strict JSON objects.
fn is_malformed(token: &str) -> bool {
    let parts: Vec<_> = token.split('.').map(Base64UrlUnpadded::decode_vec).collect();
    let [Ok(header), Ok(payload), Ok(_)] = &parts[..] else { return true };
    json::object(header).is_err() || json::object(payload).is_err()
}

/// The row that allows this difference, if one does.
///
/// # Errors
/// A configuration with something unknown in it.
pub fn allowing(exchange: &Exchange<'_>) -> Result<Option<&'static str>, String> {
    let problems = App::read(&exchange.case.config)?.serving(&exchange.case.request).gate().err().unwrap_or_default();
    let body = serde_json::from_str(&exchange.ours.body).unwrap_or_default();
    let pair = Pair { exchange, problems, body };
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
            let pair = Pair { exchange: &exchange, problems: Vec::new(), body: Value::Null };
            assert_eq!(pair.is_wrong(option), wrong, "{option} of {config}");
        }
    }
}
