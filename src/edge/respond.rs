//! Turns decisions into responses and logs each.

use super::{call::Call, load, log};
use crate::rules::{
    answer::Answer,
    cookie::Jar,
    cors::CorsFields,
    dialect::{FlaskJwt, wording},
    gate::{Answered, Authorized, Outcome, Principal, Rejected},
    json,
    log::{Event, Level},
    rejection::{InternalRejection, Rejection, UnavailableRejection},
    route::Rule,
};
use wasm_bindgen::prelude::*;
use web_sys::Response;

/// Maximum number of stack frames in a log line.
const EXCEPTION_FRAMES: usize = 5;

#[wasm_bindgen(module = "/src/edge/js/respond.mjs")]
extern "C" {
    fn renew(promise: JsValue, cookies: &str) -> js_sys::Promise;
    #[wasm_bindgen(js_name = withCors)]
    fn with_cors(promise: JsValue, fields: &str) -> js_sys::Promise;
    fn init(status: u16, headers: &str) -> JsValue;
    fn verdict(auth: Option<String>, code: &str, response: Option<Response>) -> JsValue;
    #[wasm_bindgen(js_name = inner)]
    fn inner_of(request: web_sys::Request, auth: &str, cookies: Option<String>, cors: Option<String>) -> JsValue;
    #[wasm_bindgen(catch)]
    fn respond(status: u16, headers: &str, body: Option<&str>) -> Result<Response, JsValue>;
}

pub(super) fn reject(call: &Call, head: bool, rejected: &Rejected<'_>) -> Response {
    let answer = call.gate.answer_to(rejected);
    call.log(&Event::Refused { rejection: &rejected.rejection, status: answer.status, rule: rejected.rule });
    response(&answer.with("x-request-id", call.id()), head)
}

pub(super) fn answer(call: &Call, head: bool, answered: &Answered) -> Response {
    match &answered.outcome {
        Outcome::LoggedIn(id) => call.log(&Event::LoggedIn(id)),
        Outcome::PasswordChanged(id) => call.log(&Event::PasswordChanged(id)),
        Outcome::Plain => {}
    }
    response(&answered.answer, head)
}

/// The identity answer.
pub(super) fn identity(call: &Call, head: bool, authorized: &Authorized<'_>) -> Response {
    call.log(&authorized.event());
    response(&call.gate.identity(authorized), head)
}

/// Adds cookies to a response, or to the promise of one, of the origin or the asset server.
pub(super) fn renewing(response: JsValue, renewal: &Jar) -> JsValue {
    if renewal.is_empty() {
        return response;
    }
    renew(response, &cookie_lines(renewal)).into()
}

fn cookie_lines(jar: &Jar) -> String {
    jar.iter().collect::<Vec<_>>().join("\n")
}

fn cors_lines(cors: &CorsFields) -> String {
    cors.iter().map(|(name, value)| format!("{name}:{value}")).collect::<Vec<_>>().join("\n")
}

/// The request of an [`super::Outcome::Inner`] with what JavaScript needs to answer it.
pub(super) fn inner(
    request: web_sys::Request,
    principal: &Principal,
    cookies: &Jar,
    cors: Option<&CorsFields>,
) -> JsValue {
    let cookies = (!cookies.is_empty()).then(|| cookie_lines(cookies));
    inner_of(request, &json::to_ascii(&principal.to_json()), cookies, cors.map(cors_lines))
}

/// What another worker gets to know of a token: whose it is, or why not, with the answer that a client would get.
pub(super) fn verdict_of(call: &Call, verified: Result<Principal, Rejected<'_>>) -> JsValue {
    match verified {
        Ok(principal) => verdict(Some(json::to_ascii(&principal.to_json())), "", None),
        Err(rejected) => verdict(None, rejected.rejection.code(), Some(reject(call, false, &rejected))),
    }
}

/// Adds what CORS says to a response, or to the promise of one.
pub(super) fn dress(response: JsValue, cors: Option<&CorsFields>) -> JsValue {
    let Some(cors) = cors else { return response };
    with_cors(response, &cors_lines(cors)).into()
}

/// Status and headers of every identity answer.
pub(super) fn identity_init() -> JsValue {
    init_of(&Answer::json(200, &()))
}

/// An answer's status and headers.
pub(super) fn init_of(answer: &Answer) -> JsValue {
    init(answer.status, &lines(answer))
}

/// A plain 500. The configuration's problems were logged when it was read.
pub(super) fn misconfigured(request: &web_sys::Request) -> Response {
    response(&wording::rejection(&InternalRejection::Misconfigured.into(), &FlaskJwt), request.method() == "HEAD")
}

/// A 503: Secrets Store gives no value for this option.
pub(super) fn without_secret(request: &web_sys::Request, name: &str) -> Response {
    if let Some(line) = Event::Unreachable(name).line(Level::Info, None) {
        log::write(&line);
    }
    response(&wording::rejection(&UnavailableRejection::Store.into(), &FlaskJwt), request.method() == "HEAD")
}

/// Rejects a request that was authorized: the origin or the asset server has failed.
pub(super) fn refuse(call: &Call, head: bool, rejection: Rejection, rule: &str) -> Response {
    reject(call, head, &Rejected::new(rejection, Some(rule)))
}

/// Logs a JavaScript exception: its name and stack frames, but not its message, which may hold what the client sent.
pub(super) fn log_exception(call: &Call, error: &JsValue) {
    let (name, at) = described(error);
    call.log(&Event::Exception { name: &name, at: &at });
}

/// Logs a JavaScript exception and answers 500.
pub(super) fn failed(call: &Call, head: bool, error: &JsValue, rule: &Rule) -> Response {
    log_exception(call, error);
    refuse(call, head, Rejection::Internal(InternalRejection::Bug), &rule.path)
}

/// Answers 500 to a request whose handling ended in a panic or an exception, which it logs as [`log_exception`] does.
#[must_use]
pub fn broken(error: &JsValue) -> Response {
    let (name, at) = described(error);
    let level = load::loaded().map_or(Level::Info, |gate| gate.config().log);
    if let Some(line) = (Event::Exception { name: &name, at: &at }).line(level, None) {
        log::write(&line);
    }
    response(&wording::rejection(&InternalRejection::Bug.into(), &FlaskJwt), false)
}

/// Name and topmost [`EXCEPTION_FRAMES`] stack frames of a JavaScript exception.
fn described(error: &JsValue) -> (String, String) {
    let text = |name: &str| js_sys::Reflect::get(error, &name.into()).ok().and_then(|value| value.as_string());
    let stack = text("stack").unwrap_or_default();
    // It begins with the message, which may have lines that look like frames.
    let stack = text("message").and_then(|message| Some(stack.split_once(&message)?.1.to_owned())).unwrap_or(stack);
    let frames = stack.lines().filter_map(|line| line.trim_start().strip_prefix("at ")).take(EXCEPTION_FRAMES);
    (text("name").unwrap_or_else(|| "no error".into()), frames.collect::<Vec<_>>().join(" < "))
}

fn response(answer: &Answer, head: bool) -> Response {
    let body = (!head && !answer.body.is_empty()).then_some(answer.body.as_str());
    // An application may choose a status that `Response` refuses, 999 for example.
    respond(answer.status, &lines(answer), body).unwrap_or_else(|error| broken(&error))
}

/// Serialises header fields, one a line. A field with a line feed, or with a colon in its name, is left out: it would
/// be read as another field (header injection).
fn lines(answer: &Answer) -> String {
    let mut lines = String::with_capacity(128);
    for (name, value) in &answer.headers {
        if !name.contains(['\n', ':']) && !value.contains('\n') {
            lines.extend([if lines.is_empty() { "" } else { "\n" }, name, ":", value]);
        }
    }
    lines
}
