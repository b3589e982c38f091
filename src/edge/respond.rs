//! Responses out of decisions, and the log line that goes with each.

use super::Call;
use crate::rules::{
    answer::Answer,
    cookie::Jar,
    dialect::{FlaskJwt, wording},
    gate::{Answered, Authorized, Outcome, Rejected},
    log::Event,
    rejection::InternalRejection,
};
use wasm_bindgen::prelude::*;
use web_sys::Response;

#[wasm_bindgen(module = "/src/edge/js/respond.mjs")]
extern "C" {
    fn renew(promise: JsValue, cookies: &str) -> js_sys::Promise;
    fn init(status: u16, headers: &str) -> JsValue;
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

/// Tells who it is.
pub(super) fn identity(call: &Call, head: bool, passage: &Authorized<'_>) -> Response {
    call.log(&passage.event());
    response(&call.gate.identity(passage), head)
}

/// The response, or promise of one, that somebody else makes: with these cookies.
pub(super) fn renewing(response: JsValue, renewal: &Jar) -> JsValue {
    if renewal.is_empty() {
        return response;
    }
    renew(response, &renewal.iter().collect::<Vec<_>>().join("\n")).into()
}

/// Status and headers of every answer to who it is.
pub(super) fn identity_init() -> JsValue {
    init_of(&Answer::json(200, &()))
}

/// An answer's status and headers.
pub(super) fn init_of(answer: &Answer) -> JsValue {
    init(answer.status, &lines(answer))
}

/// One plain 500; the log has said why when the configuration was read.
pub(super) fn misconfigured(request: &web_sys::Request) -> Response {
    response(&wording::rejection(&InternalRejection::Misconfigured.into(), &FlaskJwt), request.method() == "HEAD")
}

/// One plain 500; the panic hook has written the reason to the log.
pub(super) fn broken() -> Response {
    response(&wording::rejection(&InternalRejection::Bug.into(), &FlaskJwt), false)
}

fn response(answer: &Answer, head: bool) -> Response {
    let body = (!head && !answer.body.is_empty()).then_some(answer.body.as_str());
    // Of a status that an application has made up, 999 say, there is no Response.
    respond(answer.status, &lines(answer), body).unwrap_or_else(|error| super::broken(&error))
}

/// The header fields, one a line. A line feed in one would begin another, so such a field is left out.
fn lines(answer: &Answer) -> String {
    let mut lines = String::with_capacity(128);
    for (name, value) in &answer.headers {
        if !name.contains(['\n', ':']) && !value.contains('\n') {
            lines.extend([if lines.is_empty() { "" } else { "\n" }, name, ":", value]);
        }
    }
    lines
}
