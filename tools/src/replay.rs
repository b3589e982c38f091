//! Replays recorded transcripts against the rules, with the recorded clock (`../shared/oracle/README.md` §1 and §4 i).

use crate::{app, differences};
use base64ct::{Base64UrlUnpadded, Encoding};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::borrow::Cow;
use tollgate::rules::{
    error::Refusal,
    gate::{Ask, Decision, Gate, Headers, Request},
    time::Timestamp,
    wire::{Answer, flask_jwt},
};

/// One recorded request and its answer.
#[derive(Deserialize)]
pub struct Case {
    /// `group/case`.
    pub name: String,
    /// What differs from the base configuration.
    pub config: Map<String, Value>,
    /// What was sent.
    pub request: Sent,
    /// The status.
    pub status: u16,
    /// The headers that matter.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
    /// The body as JSON.
    pub body_json: Option<Value>,
    /// What stands for `{T}`.
    pub literal_token: Option<String>,
    /// The clock.
    pub recorded_at: f64,
}

/// A request as sent.
#[derive(Deserialize)]
pub struct Sent {
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The header fields.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<String>,
}

/// What came of a file.
#[derive(Default)]
pub struct Tally {
    /// Cases answered as recorded.
    pub matched: usize,
    /// Cases that differ, with the rule that allows it.
    pub documented: Vec<(String, &'static str)>,
    /// Cases that differ without a rule, in words.
    pub mismatches: Vec<String>,
}

/// Replays a file.
///
/// # Errors
/// A line that can't be read, or a configuration with something unknown in it.
pub fn file(text: &str) -> Result<Tally, String> {
    let mut tally = Tally::default();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let case: Case = serde_json::from_str(line).map_err(|error| format!("line {}: {error}", number + 1))?;
        let ours = answer(&case).map_err(|error| format!("{}: {error}", case.name))?;
        let differences = compare(&case, &ours);
        if differences.is_empty() {
            tally.matched += 1;
        } else if let Some(row) = differences::allowing(&case, &ours) {
            tally.documented.push((case.name, row));
        } else {
            tally.mismatches.push(format!(
                "MISMATCH {}: {}\n  expected {} {:?}\n  got      {} {:?}",
                case.name,
                differences.join("; "),
                case.status,
                case.body,
                ours.status,
                ours.body
            ));
        }
    }
    Ok(tally)
}

struct Fields(Vec<(String, String)>);

impl Headers for Fields {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        // Servers join fields of one name with a comma and strip blanks around values.
        let values: Vec<&str> = self
            .0
            .iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim_matches([' ', '\t']))
            .collect();
        (!values.is_empty()).then(|| values.join(",").into())
    }
}

/// What the gate, with the application behind it, answers.
fn answer(case: &Case) -> Result<Answer, String> {
    let (gate, users) = app::gate(&case.config)?;
    let Some(gate) = gate else { return Ok(flask_jwt::refusal(&Refusal::Misconfigured)) };
    let put = |text: &str| text.replace("{T}", case.literal_token.as_deref().unwrap_or("{T}"));
    let target = put(&case.request.path);
    let (path, query) = target.split_once('?').map_or((target.as_str(), None), |(path, query)| (path, Some(query)));
    let fields = Fields(case.request.headers.iter().map(|(name, value)| (name.clone(), put(value))).collect());
    let request = Request { method: &case.request.method, path, query, headers: &fields };
    #[allow(clippy::cast_possible_truncation)] // whole milliseconds
    let now = Timestamp::from_millis((case.recorded_at * 1000.0) as i64);
    let body = case.request.body.as_deref().map(&put).unwrap_or_default();
    let mut answer = settle(&gate, users, gate.decide(&request, now), body.as_bytes(), now);
    if case.request.method == "HEAD" {
        answer.body.clear();
    }
    Ok(answer)
}

fn settle(gate: &Gate, users: app::Users, mut decision: Decision<'_>, body: &[u8], now: Timestamp) -> Answer {
    loop {
        decision = match decision {
            Decision::Refuse(refused) => return gate.answer(&refused.refusal),
            Decision::Answer(answered) => return answered.answer,
            Decision::Forward(passage) | Decision::Assets(passage) => {
                return app::origin(passage.admission().identity());
            }
            Decision::Ask(Ask::Body(question)) => question.answer(Ok(body.to_vec())),
            Decision::Ask(Ask::Authenticate(question)) => {
                let sent = question.credentials();
                let identity = app::authenticate(users, sent.username.expose(), sent.password.expose());
                question.answer(identity, now)
            }
            Decision::Ask(Ask::Identity(question)) => {
                let identity = app::identity(users, question.id());
                question.answer(identity)
            }
        };
    }
}

/// In what our answer differs from the recorded one, by README §4.
fn compare(case: &Case, ours: &Answer) -> Vec<String> {
    let mut differences = Vec::new();
    if case.status != ours.status {
        differences.push(format!("status {} for {}", ours.status, case.status));
    }
    for name in ["content-type", "www-authenticate", "allow", "set-cookie", "x-lock"] {
        let recorded =
            case.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str());
        let same = match (name, recorded, ours.header(name)) {
            ("allow", Some(recorded), Some(sent)) => methods(recorded) == methods(sent),
            (_, recorded, sent) => recorded == sent,
        };
        if !same {
            differences.push(format!("{name}: {:?} for {recorded:?}", ours.header(name)));
        }
    }
    let same_body = match (&case.body_json, serde_json::from_str::<Value>(&ours.body)) {
        (Some(recorded), Ok(sent)) => with_tokens_apart(recorded) == with_tokens_apart(&sent),
        _ => case.body == ours.body,
    };
    if !same_body {
        differences.push("body".into());
    }
    differences
}

fn methods(allow: &str) -> std::collections::BTreeSet<&str> {
    allow.split(',').map(str::trim).collect()
}

/// The members of an answer with each token replaced by its header and payload: signatures are checked by verifying,
/// and HMAC's are equal where those are. So the whole token must be equal if its members stand in the same order.
fn with_tokens_apart(body: &Value) -> Value {
    let mut body = body.clone();
    for name in ["access_token", "mytoken"] {
        let Some(token) = body.get(name).and_then(Value::as_str).map(str::to_owned) else { continue };
        let part = |at: usize| {
            let segment = token.split('.').nth(at)?;
            serde_json::from_slice::<Value>(&Base64UrlUnpadded::decode_vec(segment).ok()?).ok()
        };
        if let (Some(header), Some(payload)) = (part(0), part(1)) {
            body[name] = serde_json::json!([header, payload, token.rsplit('.').next()]);
        }
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDED: &str = include_str!("../../tests/transcripts/flask_jwt.jsonl");

    #[test]
    fn every_recorded_case_matches_or_differs_as_documented() {
        let tally = file(RECORDED).unwrap();
        assert!(tally.mismatches.is_empty(), "{}", tally.mismatches.join("\n"));
        assert_eq!(tally.matched + tally.documented.len(), RECORDED.lines().count());
    }

    #[test]
    fn a_wrong_answer_is_a_mismatch() {
        let changed = RECORDED.lines().next().unwrap().replace("\"status\": 200", "\"status\": 201");
        assert_eq!(file(&changed).unwrap().mismatches.len(), 1);
        let unknown = RECORDED.lines().next().unwrap().replace("\"config\": {}", "\"config\": {\"X\": 1}");
        assert!(file(&unknown).is_err());
    }
}
