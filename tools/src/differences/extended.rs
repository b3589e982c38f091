//! The rows for Flask-JWT-Extended.

use crate::{extended::App, transcript::Exchange};
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
];

impl Pair<'_> {
    fn status(&self) -> u16 {
        self.exchange.case.status
    }

    /// Ours is a refusal in Flask-JWT-Extended's shape whose text begins so. HEAD shows none.
    fn says(&self, start: &str) -> bool {
        let key = self.exchange.case.config.get("JWT_ERROR_MESSAGE_KEY").and_then(Value::as_str).unwrap_or("msg");
        self.exchange.request.method == "HEAD" || self.body[key].as_str().is_some_and(|text| text.starts_with(start))
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
            || (problem.option.ends_with(".locations") && self.exchange.request.path_alone() == "/loc_invalid")
    }

    /// Header (0) or payload (1) of the token that was sent.
    fn part(&self, at: usize) -> Option<Value> {
        let token = self.exchange.case.literal_token.as_deref()?;
        serde_json::from_slice(&Base64UrlUnpadded::decode_vec(token.split('.').nth(at)?).ok()?).ok()
    }
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
