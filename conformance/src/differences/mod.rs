//! The table of deliberate differences: a rule a row, with a predicate over what was sent, the recorded answer and
//! ours. What no row allows is a mismatch. docs/differences.md is the same table in words; a test holds the two
//! together.

pub mod flask_jwt_extended;

use crate::{
    app::App,
    transcript::{Exchange, Library},
};
use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::Value;
use tollgate::rules::{diagnostic::Diagnostic, json, login};

/// A rule by which an answer may differ from the recorded one.
pub struct Row {
    /// Its name in docs/differences.md.
    pub name: &'static str,
    allows: fn(&Pair<'_>) -> bool,
}

/// What a row looks at.
struct Pair<'p> {
    exchange: &'p Exchange<'p>,
    app: App,
    /// Why the gate refuses the configuration, if it does.
    problems: Vec<Diagnostic>,
    /// Our body, and the recorded one.
    body: Value,
    recorded: Value,
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
        allows: |p| p.refused(500, "Internal Server Error") && p.is_refused_at_start(),
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
            p.recorded_page() && p.refused(p.status(), error)
        },
    },
    Row {
        name: "ambiguous-path",
        allows: |p| p.status() == 404 && p.refused(400, "Bad Request") && p.description("The path "),
    },
    Row {
        name: "log-in-body",
        allows: |p| {
            p.app.is_login(&p.exchange.request)
                && p.refused(400, "Bad Request")
                && ((p.status() == 500 && p.description("The Content-Type "))
                    || (p.description("The body must ") && json::object(p.sent_body().as_bytes()).is_err()))
        },
    },
    Row {
        name: "log-in-content-type",
        allows: |p| {
            p.refused(400, "Bad Request")
                && p.description("The Content-Type ")
                && p.exchange.request.joined("content-type").is_some_and(|value| value.contains(','))
        },
    },
    Row {
        name: "log-in-limits",
        allows: |p| {
            p.sent_body().len() > login::MAX_FIELD_BYTES
                && (p.refused(400, "Bad Request")
                    && p.body["description"].as_str().is_some_and(|text| text.contains(" is longer than "))
                    || p.refused(413, "Request Entity Too Large"))
        },
    },
    Row {
        name: "log-in-not-text",
        allows: |p| {
            p.refused(401, "Bad Request")
                && p.description("Invalid credentials")
                && [p.app.text("JWT_AUTH_USERNAME_KEY", "username"), p.app.text("JWT_AUTH_PASSWORD_KEY", "password")]
                    .iter()
                    .any(|name| {
                        json::object(p.sent_body().as_bytes())
                            .is_ok_and(|body| body.get(*name).is_some_and(|value| !value.is_string()))
                    })
        },
    },
    Row {
        name: "log-in-record",
        allows: |p| p.status() == 500 && p.answered(200) && p.hook("authentication_handler returns a dict"),
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
            p.app.is_login(&p.exchange.request) | p.exchange.request.path_alone().ends_with('/')
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
            // A plain text is a list of letters to Python, so that nothing is required and no log-in succeeds.
            let ignored = |name: &str| required.is_string() || !["exp", "iat", "nbf"].contains(&name);
            let missing = p.body["description"]
                .as_str()
                .and_then(|text| text.strip_prefix("Token is missing the \"")?.strip_suffix("\" claim"));
            let login = p.app.is_login(&p.exchange.request) && p.status() == 500;
            (p.refused(401, "Invalid token") && missing.is_some_and(ignored))
                || (login && (p.refused(500, "Internal Server Error") || (required.is_string() && p.answered(200))))
        },
    },
    Row {
        name: "blanks",
        allows: |p| {
            const PYTHONS: [char; 8] = ['\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{1f}', '\u{85}', '\u{a0}'];
            p.refused(401, "Invalid JWT header")
                && p.exchange.request.values("authorization").any(|value| value.contains(PYTHONS))
        },
    },
    Row {
        name: "malformed-token",
        allows: |p| {
            p.refused(401, "Invalid token")
                && MALFORMED.iter().any(|text| p.description(text))
                && p.token_is_malformed()
        },
    },
    Row {
        name: "kid",
        allows: |p| {
            p.status() == 200
                && p.refused(401, "Invalid token")
                && p.description("Key ID header parameter must be a string")
                && p.part(0).is_some_and(|header| header.get("kid").is_some_and(|kid| !kid.is_string()))
        },
    },
    Row {
        name: "crit",
        allows: |p| {
            p.status() == 200
                && p.refused(401, "Invalid token")
                && p.description("Unsupported critical extension")
                && p.part(0).is_some_and(|header| header.contains_key("crit") || header.contains_key("b64"))
        },
    },
    Row {
        name: "times",
        allows: |p| {
            let claim = p.body["description"].as_str().and_then(|text| {
                text.strip_suffix(") must be an integer.")?.rsplit_once('(').map(|(_, claim)| claim.to_owned())
            });
            p.refused(401, "Invalid token")
                && claim.is_some_and(|claim| p.part(1).is_some_and(|claims| claims.get(&claim).is_some_and(is_no_date)))
        },
    },
    Row {
        name: "identity",
        allows: |p| {
            p.refused(401, "Invalid JWT")
                && p.description("User does not exist")
                && p.part(1)
                    .is_some_and(|claims| !claims.get("identity").is_some_and(|id| id.is_i64() || id.is_string()))
        },
    },
    Row {
        name: "identity-function",
        allows: |p| p.status() == 500 && p.refused(503, "Service Unavailable") && p.hook("identity_handler not set"),
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
            let algorithm = p.part(0).and_then(|header| header.get("alg").cloned());
            p.status() == 401
                && p.recorded["description"] == "The specified alg value is not allowed"
                && p.setting("JWT_DECODE_ALGORITHMS")
                    .and_then(Value::as_array)
                    .is_some_and(|names| algorithm.is_some_and(|algorithm| names.contains(&algorithm)))
                && p.answered(200)
        },
    },
];

impl Pair<'_> {
    fn status(&self) -> u16 {
        self.exchange.case.status
    }

    fn answered(&self, status: u16) -> bool {
        self.exchange.ours.status == status
    }

    /// Ours is a refusal in Flask-JWT's shape with this status and error. HEAD shows no body.
    fn refused(&self, status: u16, error: &str) -> bool {
        self.answered(status)
            && self.exchange.ours.header("content-type") == Some("application/json")
            && (self.exchange.case.request.method == "HEAD"
                || (self.body["status_code"] == status
                    && self.body["error"] == error
                    && self.body["description"].is_string()))
    }

    /// Does our description begin so? HEAD shows none.
    fn description(&self, start: &str) -> bool {
        self.exchange.case.request.method == "HEAD"
            || self.body["description"].as_str().is_some_and(|text| text.starts_with(start))
    }

    /// The real one answered with a page of its own or none, not with JSON.
    fn recorded_page(&self) -> bool {
        self.exchange.case.header("content-type").is_some_and(|kind| kind.starts_with("text/html"))
    }

    fn setting(&self, name: &str) -> Option<&Value> {
        self.exchange.case.config.get(name)
    }

    fn hook(&self, words: &str) -> bool {
        self.setting("hook").is_some_and(|hook| hook == words)
    }

    /// The gate refuses what this case sets, and nothing else.
    fn is_refused_at_start(&self) -> bool {
        let is_set = |option: &str| {
            self.setting(option).is_some()
                || (option == "JWT_SECRET_KEY" && self.setting("SECRET_KEY").is_some())
                || (option == "JWT_PRIVATE_KEY" && self.setting("JWT_ALGORITHM").is_some())
                || (option == "JWT_AUTH_PASSWORD_KEY" && self.setting("JWT_AUTH_USERNAME_KEY").is_some())
        };
        !self.problems.is_empty() && self.problems.iter().all(|problem| is_set(&problem.option))
    }

    fn sent_body(&self) -> &str {
        self.exchange.request.body.as_deref().unwrap_or_default()
    }

    /// The token of the `Authorization` header, or of the query.
    fn token(&self) -> Option<String> {
        let request = &self.exchange.request;
        let header =
            request.joined("authorization").and_then(|value| value.split([' ', '\t']).next_back().map(str::to_owned));
        header.or_else(|| request.path.split_once("token=").map(|(_, token)| token.to_owned()))
    }

    /// Header (0) or payload (1) of the token, decoded strictly; members as the recorded one read them.
    fn part(&self, at: usize) -> Option<serde_json::Map<String, Value>> {
        let token = self.token()?;
        serde_json::from_slice(&Base64UrlUnpadded::decode_vec(token.split('.').nth(at)?).ok()?).ok()
    }

    /// Not three segments of canonical base64url, the first two of strict JSON objects.
    fn token_is_malformed(&self) -> bool {
        let Some(token) = self.token() else { return false };
        let parts: Vec<_> = token.split('.').map(Base64UrlUnpadded::decode_vec).collect();
        let [Ok(header), Ok(payload), Ok(_)] = &parts[..] else { return true };
        json::object(header).is_err() || json::object(payload).is_err()
    }
}

/// Anything but a number, or plain digits, within ±2⁵³.
fn is_no_date(value: &Value) -> bool {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    };
    !number.is_some_and(|number| number.abs() <= 9_007_199_254_740_992.0)
        // Two to the power of 53 plus one is no other fraction.
        || value.as_i64().is_some_and(|number| number.unsigned_abs() > 1 << 53)
}

/// The row that allows this difference, if one does.
///
/// # Errors
/// A configuration with something unknown in it.
pub fn allowing(exchange: &Exchange<'_>) -> Result<Option<&'static str>, String> {
    if exchange.case.library == Library::FlaskJwtExtended {
        return flask_jwt_extended::allowing(exchange);
    }
    let app = App::read(&exchange.case.config)?;
    let pair = Pair {
        exchange,
        problems: app.gate().err().unwrap_or_default(),
        app,
        body: serde_json::from_str(&exchange.ours.body).unwrap_or_default(),
        recorded: exchange.case.body_json.clone().unwrap_or_default(),
    };
    Ok(ROWS.iter().find(|row| (row.allows)(&pair)).map(|row| row.name))
}

/// The names of all rows, of both libraries.
pub fn names() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|row| row.name).chain(flask_jwt_extended::ROWS.iter().map(|row| row.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_and_the_table_have_the_same_rows() {
        let page = include_str!("../../../docs/differences.md");
        let named: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
        assert_eq!(named, names().collect::<Vec<_>>());
    }
}
