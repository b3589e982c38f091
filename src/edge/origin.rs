//! On to the origin: the request as it came but for its headers, and its answer as it is.
//!
//! **What always holds:** bodies stream through in both directions, redirects are handed back, a WebSocket's response
//! is the origin's own. What waits here waits in the runtime's promises, not in Rust, so a panic elsewhere in the
//! instance does not touch a forwarded request.

use super::{Call, load, view::View};
use crate::rules::{
    config::Config,
    error::Refusal,
    forward::{self, Filter, HeldBack},
    gate::Passage,
    request::Headers as _,
    time::Timestamp,
};
use wasm_bindgen::prelude::*;

#[wasm_bindgen(inline_js = r#"
// The names of the request's header fields, one a line.
export function names(request) {
  return [...request.headers.keys()].join("\n");
}

// Sends the request to a place at the origin.
export function senderTo(origin, milliseconds, failed) {
  return (place, request, headers, ...which) => fetchWithin(`${origin}${place}`, request, headers, milliseconds, failed, which);
}

// The same with the headers still to be made.
export function send(url, request, withheld, added, milliseconds, failed, ...which) {
  const headers = new Headers(request.headers);
  if (withheld) for (const name of withheld.split("\n")) headers.delete(name);
  if (added) for (const line of added.split("\n")) {
    const at = line.indexOf(":");
    headers.set(line.slice(0, at), line.slice(at + 1));
  }
  return fetchWithin(url, request, headers, milliseconds, failed, which);
}

// The origin's response, or what `failed` makes of `late` and `which` if there is none in time. The origin's time runs
// while it takes in a part of the body and until its headers come; not while the client is slow, nor while the answer's
// body comes. What is not waited for any more the runtime ends with the request, a timer too (an AbortController for it:
// 0.13 of a forwarded request's time; to clear the timer: 0.01).
function fetchWithin(url, request, headers, milliseconds, failed, which) {
  return new Promise((resolve, reject) => {
    let timer, answered = false;
    const settle = (make) => {
      if (answered) return;
      answered = true;
      try { resolve(make()); } catch (error) { reject(error); }
    };
    const stop = () => clearTimeout(timer);
    const run = () => { stop(); if (!answered) timer = setTimeout(settle, milliseconds, () => failed(true, ...which)); };
    const init = { headers, redirect: "manual" };
    let target = url;
    if (request.method === "GET" || request.method === "HEAD") {
      if (request.body) target = new Request(url, request); // they may have a body only as a request's own
      else init.method = request.method;
    } else {
      init.method = request.method;
      init.body = request.body && unhurried(request, run, stop);
    }
    run();
    fetch(target, init).then((response) => settle(() => response), () => settle(() => failed(false, ...which)));
  });
}

// The request's body, part by part as the origin takes them in, with its length if the client has told it.
function unhurried(request, run, stop) {
  const length = request.headers.get("content-length");
  const { readable, writable } = length === null ? new IdentityTransformStream() : new FixedLengthStream(Number(length));
  const reader = request.body.getReader({ mode: "byob" });
  const writer = writable.getWriter();
  const pump = async () => {
    // One buffer for all parts: with a new one each, 50 MiB took 32 MiB more memory. By default parts are of 4 KiB.
    for (let space = new Uint8Array(65536); ;) {
      stop();
      const part = await reader.read(space);
      run();
      if (part.done) return writer.close();
      await writer.write(part.value);
      space = new Uint8Array(part.value.buffer);
    }
  };
  pump().catch((error) => Promise.allSettled([reader.cancel(error), writer.abort(error)]));
  return readable;
}
"#)]
extern "C" {
    fn names(request: &web_sys::Request) -> String;
    #[wasm_bindgen(js_name = senderTo)]
    fn sender_to(origin: &str, milliseconds: f64, failed: &JsValue) -> JsValue;
    fn send(
        url: &str,
        request: &web_sys::Request,
        withheld: &str,
        added: &str,
        milliseconds: f64,
        failed: &JsValue,
        head: bool,
        began: f64,
        rule: usize,
        number: u32,
    ) -> JsValue;
}

/// Late? For HEAD? Begun when, under which rule? The request's number, if it has one yet.
type Failed = dyn Fn(bool, bool, f64, usize, Option<u32>) -> JsValue;

thread_local! {
    /// One for all requests: a closure for each costs 0.03 of a forwarded request's time.
    static FAILED: JsValue = Closure::<Failed>::new(failed).into_js_value();
}

fn failed(late: bool, head: bool, began: f64, rule: usize, number: Option<u32>) -> JsValue {
    let refusal = if late { Refusal::OriginTimeout } else { Refusal::OriginUnreachable };
    let Some(gate) = load::loaded() else { return super::broken().into() };
    #[allow(clippy::cast_possible_truncation)] // it was one
    let began = Timestamp::from_millis(began as i64);
    let number = number.unwrap_or_else(super::next_number);
    let call = Call { gate, env: JsValue::UNDEFINED, ctx: JsValue::UNDEFINED, number, began };
    let rule = gate.config().routes.rules().find(|known| known.index == rule).map_or("", |rule| &rule.path);
    call.refuse(head, refusal, rule).into()
}

pub(super) fn forward(call: &Call, view: &View, passage: &Passage<'_>) -> JsValue {
    call.log(&passage.event());
    let config = call.gate.config();
    let held_back = HeldBack::new(passage, config);
    let path_and_query = held_back.without_parameter(view.path_and_query());
    let url = format!("{}{path_and_query}", config.origin.as_deref().unwrap_or_default());
    let mut withheld = withheld(view, passage, config);
    let mut added = forward::identity_headers(passage.admission());
    let cookies = if held_back.has_cookies() { view.get("cookie") } else { None };
    match cookies.and_then(|cookies| held_back.without_cookies(&cookies)) {
        Some(none) if none.is_empty() => {
            withheld += if withheld.is_empty() { "cookie" } else { "\ncookie" };
        }
        Some(others) => added.push(("cookie", others)),
        None => {}
    }
    FAILED.with(|failed| {
        send(
            &url,
            view.raw(),
            &withheld,
            &lines(&added),
            patience(config),
            failed,
            view.is_head(),
            super::hot::milliseconds(call.began),
            passage.rule().index,
            call.number,
        )
    })
}

/// A function of JavaScript that sends what the hot path forwards: a path with its query, the request, the headers, and what
/// a refusal must know if the origin fails ([`Failed`], but for the first).
pub(super) fn sender(config: &Config) -> JsValue {
    FAILED.with(|failed| sender_to(config.origin.as_deref().unwrap_or_default(), patience(config), failed))
}

/// Header fields, one a line.
pub(super) fn lines(fields: &[(&'static str, String)]) -> String {
    fields.iter().map(|(name, value)| format!("{name}:{value}")).collect::<Vec<_>>().join("\n")
}

#[allow(clippy::cast_precision_loss)] // milliseconds, far below 2^53
fn patience(config: &Config) -> f64 {
    config.origin_timeout.as_millis() as f64
}

/// The client's headers that stay behind, one a line.
fn withheld(view: &View, passage: &Passage<'_>, config: &Config) -> String {
    // One crossing for all the names; their values stay where they are.
    let names = names(view.raw());
    let connection = names.lines().any(|name| name == "connection").then(|| view.get("connection")).flatten();
    let filter = Filter::new(passage, connection.as_deref(), config);
    names.lines().filter(|name| filter.withholds(name)).collect::<Vec<_>>().join("\n")
}
