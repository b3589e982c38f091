//! Responses out of decisions, and the log line that goes with each.

use super::Call;
use crate::rules::{
    cookie::Jar,
    error::Refusal,
    gate::{Answered, Outcome, Passage, Refused},
    log::Event,
    wire::{Answer, flask_jwt},
};
use wasm_bindgen::prelude::*;
use web_sys::Response;

// One crossing for a whole answer: with web_sys each header is one of its own.
#[wasm_bindgen(inline_js = r#"
export function init(status, headers) {
  const fields = new Headers();
  for (const line of headers.split("\n")) {
    const at = line.indexOf(":");
    // A value that no header can carry (an embedder's own) is left out rather than let the answer fail.
    try { fields.append(line.slice(0, at), line.slice(at + 1)); } catch {}
  }
  return { status, headers: fields };
}
export function respond(status, headers, body) {
  return new Response(body, init(status, headers));
}
// An answer that somebody else makes, with cookies for a new token. Not if it sets or removes them itself: who has just
// logged out would be logged in again. Nobody may keep it for others.
export async function renew(promise, cookies) {
  const answer = await promise;
  const name = (cookie) => cookie.slice(0, cookie.indexOf("="));
  const theirs = new Set(answer.headers.getSetCookie().map(name));
  const ours = cookies.split("\n");
  if (answer.webSocket || ours.some((cookie) => theirs.has(name(cookie)))) return answer;
  const own = new Response(answer.body, answer);
  for (const cookie of ours) own.headers.append("set-cookie", cookie);
  own.headers.set("cache-control", "no-store");
  return own;
}
"#)]
extern "C" {
    fn renew(promise: JsValue, cookies: &str) -> js_sys::Promise;
    fn init(status: u16, headers: &str) -> JsValue;
    fn respond(status: u16, headers: &str, body: Option<&str>) -> Response;
}

pub(super) fn refuse(call: &Call, head: bool, refused: &Refused<'_>) -> Response {
    let answer = call.gate.answer_to(refused);
    call.log(&Event::Refused { refusal: &refused.refusal, status: answer.status, rule: refused.rule });
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
pub(super) fn identity(call: &Call, head: bool, passage: &Passage<'_>) -> Response {
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
    init_of(&flask_jwt::identity(None))
}

/// An answer's status and headers.
pub(super) fn init_of(answer: &Answer) -> JsValue {
    init(answer.status, &lines(answer))
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
    let body = (!head && !answer.body.is_empty()).then_some(answer.body.as_str());
    respond(answer.status, &lines(answer), body)
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
