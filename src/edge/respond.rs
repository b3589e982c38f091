//! Responses out of decisions, and the log line that goes with each.

use super::Call;
use crate::rules::{
    error::Refusal,
    gate::{Answered, Outcome, Refused},
    log::Event,
    wire::{Answer, flask_jwt},
};
use web_sys::{Headers, Response, ResponseInit};

pub(super) fn refuse(call: &Call, head: bool, refused: &Refused<'_>) -> Response {
    let answer = call.gate.answer(&refused.refusal);
    call.log(&Event::Refused { refusal: &refused.refusal, status: answer.status, rule: refused.rule });
    response(&answer.with("x-request-id", call.id()), head)
}

pub(super) fn answer(call: &Call, head: bool, answered: &Answered<'_>) -> Response {
    match &answered.outcome {
        Outcome::LoggedIn(id) => call.log(&Event::LoggedIn(id)),
        Outcome::Passed(rule, subject) => call.log(&Event::Passed { rule, subject: subject.as_ref() }),
        Outcome::Plain => {}
    }
    response(&answered.answer, head)
}

/// One plain 500; the log has said why when the configuration was read.
pub(super) fn misconfigured(request: &web_sys::Request) -> Response {
    response(&flask_jwt::refusal(&Refusal::Misconfigured), request.method() == "HEAD")
}

/// One plain 500; the panic hook has written the reason to the log.
pub(super) fn broken() -> Response {
    response(&flask_jwt::refusal(&Refusal::Internal), false)
}

fn response(answer: &Answer, head: bool) -> Response {
    let headers = Headers::new().expect("empty headers");
    for (name, value) in &answer.headers {
        // A value that no header can carry (an embedder's own) is left out rather than let the answer fail.
        let _ = headers.append(name, value);
    }
    let init = ResponseInit::new();
    init.set_status(answer.status);
    init.set_headers(&headers);
    let body = (!head && !answer.body.is_empty()).then_some(answer.body.as_str());
    Response::new_with_opt_str_and_init(body, &init).expect("a status between 200 and 599")
}
