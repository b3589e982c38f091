//! Turns decisions into responses and logs each.

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
    renew(response, &renewal.iter().collect::<Vec<_>>().join("\n")).into()
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

/// A plain 500. The caller or the panic hook logs the reason.
pub(super) fn broken() -> Response {
    response(&wording::rejection(&InternalRejection::Bug.into(), &FlaskJwt), false)
}

fn response(answer: &Answer, head: bool) -> Response {
    let body = (!head && !answer.body.is_empty()).then_some(answer.body.as_str());
    // An application may choose a status that `Response` refuses, 999 for example.
    respond(answer.status, &lines(answer), body).unwrap_or_else(|error| super::broken(&error))
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
