//! Holds the gate in workerd, whose engine is the runtime's cryptography, against the rules in this process, whose
//! engine is the Rust crates: the keys and tokens of public test vectors must get the same answers from both.

use crate::{
    transcript::Request,
    vectors::{self, Pair},
    workerd::Workerd,
};
use serde_json::{Map, Value, json};
use std::{
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};
use tollgate::rules::{
    answer::Answer,
    config::Config,
    dialect::{FlaskJwt, wording},
    gate::{Decided, Decision, Gate},
    hooks::DefaultHandlers,
    rejection::InternalRejection,
    request,
    time::Timestamp,
};

const PATH: &str = "/protected";

/// The result of a comparison.
pub struct Outcome {
    /// Pairs with the same answer from both.
    pub same: usize,
    /// The same answer, and it says that the signature was right.
    pub signed: usize,
    /// Different answers, described.
    pub different: Vec<String>,
}

/// Asks both about every pair in a folder of test vectors.
///
/// # Errors
/// A file can't be read, or workerd can't be asked.
pub fn compare(root: &Path, folder: &Path) -> Result<Outcome, String> {
    let pairs: Vec<Pair> = vectors::pairs(folder)?.into_iter().filter(|pair| is_field_value(&pair.token)).collect();
    let asked: Vec<(Map<String, Value>, Request)> = pairs.iter().map(|pair| (vars(pair), request(pair))).collect();
    let answers = Workerd::start(root)?.answers(&asked)?;
    let mut outcome = Outcome { same: 0, signed: 0, different: Vec::new() };
    for ((pair, (vars, _)), theirs) in pairs.iter().zip(&asked).zip(&answers) {
        let own = natively(vars, pair)?;
        if (own.status, &own.body) == (theirs.status, &theirs.body) {
            outcome.same += 1;
            outcome.signed += usize::from(own.status == 200 || is_about_claims(&own.body));
        } else {
            let [own, theirs] = [&own, theirs].map(|answer| format!("{} {}", answer.status, answer.body.trim_end()));
            outcome.different.push(format!("{}: natively {own}, in workerd {theirs}", pair.name));
        }
    }
    Ok(outcome)
}

/// Whether it can be sent in a header field.
fn is_field_value(token: &str) -> bool {
    token.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether an answer says that the signature was right: Flask-JWT judges the claims after it.
fn is_about_claims(body: &str) -> bool {
    ["Invalid payload string", "Token is missing the", "Signature has expired"].iter().any(|text| body.contains(text))
}

fn vars(pair: &Pair) -> Map<String, Value> {
    let vars = json!({
        "JWT_KEYS": pair.keys,
        "JWT_AUTH_URL_RULE": "",
        "ROUTES": [{"path": PATH, "to": "identity"}],
    });
    vars.as_object().cloned().unwrap_or_default()
}

fn request(pair: &Pair) -> Request {
    let headers = vec![("Authorization".into(), format!("JWT {}", pair.token))];
    Request { method: "GET".into(), path: PATH.into(), headers, body: None }
}

fn natively(vars: &Map<String, Value>, pair: &Pair) -> Result<Answer, String> {
    let Ok(config) = Config::read(vars).config else {
        return Ok(wording::rejection(&InternalRejection::Misconfigured.into(), &FlaskJwt));
    };
    let gate = Gate::new(config, DefaultHandlers);
    let authorization = format!("JWT {}", pair.token);
    let headers = [("authorization", authorization.as_str())];
    let request = request::Request { method: "GET", site: "", path: PATH, query: None, headers: &headers };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| error.to_string())?;
    let now = Timestamp::from_seconds(i64::try_from(now.as_secs()).map_err(|error| error.to_string())?);
    match gate.decide(&request, now) {
        Decided::Now(Decision::Reject(rejected)) => Ok(gate.answer_to(&rejected)),
        Decided::Now(Decision::Identity(authorized)) => Ok(gate.identity(&authorized)),
        Decided::Now(_) | Decided::Later(_) => Err(format!("{}: neither rejected nor answered", pair.name)),
    }
}
