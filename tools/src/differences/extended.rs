//! The rows for Flask-JWT-Extended.

use crate::{
    extended::{App, makes_tokens},
    transcript::Exchange,
};
use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::Value;
use tollgate::rules::{json, notice::Notice};

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
    problems: Vec<Notice>,
    /// Our body.
    body: Value,
}

/// Every row.
pub const ROWS: &[Row] = &[
    Row {
        name: "ext-configuration",
        allows: |p| p.exchange.ours.status == 500 && !p.problems.is_empty() && p.problems.iter().all(|it| p.is_set(it)),
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
            p.is_log_in()
                && p.refused(400, "The body must be one JSON object")
                && json::object(p.sent_body().as_bytes()).is_err()
        },
    },
    Row {
        name: "ext-log-in-limits",
        allows: |p| p.is_log_in() && p.exchange.ours.status == 400 && p.message().contains(" is longer than "),
    },
    Row {
        name: "ext-log-in-message",
        allows: |p| {
            p.is_log_in()
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

    fn is_log_in(&self) -> bool {
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

    /// Is the problem about something that this case sets, or asks for?
    fn is_set(&self, problem: &Notice) -> bool {
        let config = &self.exchange.case.config;
        let is_key = ["JWT_SECRET_KEY", "JWT_PRIVATE_KEY", "JWT_PUBLIC_KEY"].contains(&problem.option.as_str());
        config.contains_key(&problem.option)
            || (is_key
                && ["JWT_SECRET_KEY", "keys", "JWT_DECODE_ALGORITHMS"].iter().any(|name| config.contains_key(*name)))
            // A public key alone signs nothing.
            || (problem.option == "JWT_PRIVATE_KEY"
                && config.contains_key("JWT_PUBLIC_KEY")
                && makes_tokens(&self.exchange.request))
            || (problem.option.ends_with(".locations") && self.exchange.request.path_alone() == "/loc_invalid")
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
