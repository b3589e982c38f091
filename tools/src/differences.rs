//! The table of deliberate differences: a rule a row, with a predicate over the recorded answer and ours. What no row
//! allows is a mismatch. docs/differences.md is the same table in words; a test holds the two together.

use crate::replay::Case;
use serde_json::Value;
use tollgate::rules::wire::Answer;

/// A rule by which an answer may differ from the recorded one.
pub struct Row {
    /// Its name in docs/differences.md.
    pub name: &'static str,
    allows: fn(&Pair<'_>) -> bool,
}

struct Pair<'p> {
    case: &'p Case,
    ours: &'p Answer,
    body: Value,
}

impl Pair<'_> {
    /// Ours is a refusal in Flask-JWT's shape with this status and error.
    fn refused(&self, status: u16, error: &str) -> bool {
        self.ours.status == status
            && self.body["status_code"] == status
            && self.body["error"] == error
            && self.body["description"].is_string()
    }

    fn description(&self) -> &str {
        self.body["description"].as_str().unwrap_or_default()
    }

    fn recorded_description(&self) -> &str {
        self.case.body_json.as_ref().and_then(|body| body["description"].as_str()).unwrap_or_default()
    }

    fn recorded_html(&self) -> bool {
        self.case.body.starts_with("<!DOCTYPE HTML")
    }
}

const MALFORMED: [&str; 6] = [
    "Not enough segments",
    "Invalid header padding",
    "Invalid payload padding",
    "Invalid crypto padding",
    "Invalid header string: ",
    "Invalid payload string: ",
];

/// Every row.
pub const ROWS: &[Row] = &[
    Row {
        name: "configuration-refused",
        allows: |p| {
            p.refused(500, "Internal Server Error")
                && p.case.config.keys().any(|name| name.starts_with("JWT_") || name == "SECRET_KEY")
        },
    },
    Row {
        name: "html-error-page",
        allows: |p| {
            p.recorded_html()
                && matches!(p.case.status, 400 | 404 | 405)
                && p.ours.status == p.case.status
                && p.body["status_code"] == p.case.status
        },
    },
    Row {
        name: "log-in-body-400",
        allows: |p| p.case.request.method != "GET" && p.case.status == 500 && p.refused(400, "Bad Request"),
    },
    Row {
        name: "log-in-not-text-401",
        allows: |p| p.case.status == 500 && p.refused(401, "Bad Request") && p.description() == "Invalid credentials",
    },
    Row {
        name: "record-as-identity",
        allows: |p| {
            p.case.status == 500
                && p.ours.status == 200
                && p.case.config.get("hook").is_some_and(|hook| hook == "authentication_handler returns a dict")
        },
    },
    Row {
        name: "identity-not-an-id",
        allows: |p| {
            matches!(p.case.status, 200 | 500)
                && p.refused(401, "Invalid JWT")
                && p.description() == "User does not exist"
        },
    },
    Row {
        name: "identity-function-fails-503",
        allows: |p| p.case.status == 500 && p.refused(503, "Service Unavailable"),
    },
    Row {
        name: "malformed-token",
        allows: |p| {
            p.refused(401, "Invalid token")
                && MALFORMED.iter().any(|text| p.description().starts_with(text))
                && (matches!(p.case.status, 200 | 500)
                    || p.case.body_json.as_ref().is_some_and(|body| body["error"] == "Invalid token"))
        },
    },
    Row {
        name: "kid-must-be-text",
        allows: |p| {
            p.case.status == 200
                && p.refused(401, "Invalid token")
                && p.description() == "Key ID header parameter must be a string"
        },
    },
    Row {
        name: "crit-and-b64",
        allows: |p| {
            p.case.status == 200
                && p.refused(401, "Invalid token")
                && p.description() == "Unsupported critical extension"
        },
    },
    Row {
        name: "time-must-be-a-number-in-range",
        allows: |p| {
            p.refused(401, "Invalid token")
                && p.description().ends_with(") must be an integer.")
                && (matches!(p.case.status, 200 | 500) || p.recorded_description() == "Signature has expired")
        },
    },
    Row {
        name: "realm-escaped",
        allows: |p| {
            let recorded = p.case.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("www-authenticate"));
            let plain = |text: &str| text.replace('\\', "");
            p.case.status == p.ours.status
                && recorded.is_some_and(|(_, value)| {
                    value.contains(['\\', '"'])
                        && p.ours.header("www-authenticate").is_some_and(|ours| plain(ours) == plain(value))
                })
        },
    },
];

/// The row that allows this difference, if one does.
#[must_use]
pub fn allowing(case: &Case, ours: &Answer) -> Option<&'static str> {
    let pair = Pair { case, ours, body: serde_json::from_str(&ours.body).unwrap_or_default() };
    ROWS.iter().find(|row| (row.allows)(&pair)).map(|row| row.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_and_the_table_have_the_same_rows() {
        let page = include_str!("../../docs/differences.md");
        let named: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
        assert_eq!(named, ROWS.iter().map(|row| row.name).collect::<Vec<_>>());
    }

    #[test]
    fn each_row_is_needed_by_a_recorded_case() {
        let documented: Vec<_> = [
            include_str!("../../tests/transcripts/flask_jwt.jsonl"),
            include_str!("../../tests/transcripts/flask_jwt_more.jsonl"),
        ]
        .into_iter()
        .flat_map(|text| crate::replay::file(text).unwrap().documented)
        .collect();
        for row in ROWS {
            assert!(documented.iter().any(|(_, name)| *name == row.name), "no case needs {}", row.name);
        }
    }
}
