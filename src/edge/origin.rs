//! On to the origin: the request as it came but for its headers, and its answer as it is.
//!
//! **What always holds:** bodies stream through in both directions, redirects are handed back, a WebSocket's response
//! is the origin's own. What waits here waits in the runtime's promises, not in Rust, so a panic elsewhere in the
//! instance does not touch a forwarded request.

use super::{Call, view::View};
use crate::rules::{
    error::Refusal,
    forward::{self, Filter},
    gate::Passage,
};
use wasm_bindgen::prelude::*;
use web_sys::Headers;

#[wasm_bindgen(inline_js = r#"
// The origin's response; `failed(late)` makes ours if there is none in time. The origin's time runs while it takes in a
// part of the body and until its headers come; not while the client is slow, nor while the answer's body comes.
export function fetchWithin(url, request, headers, milliseconds, failed) {
  const controller = new AbortController();
  const init = { headers, redirect: "manual", signal: controller.signal };
  let late = false, answered = false, timer;
  const stop = () => clearTimeout(timer);
  const run = () => { stop(); if (!answered) timer = setTimeout(() => { late = true; controller.abort(); }, milliseconds); };
  let target = url;
  if (request.method === "GET" || request.method === "HEAD") {
    if (request.body) target = new Request(url, request); // they may have a body only as a request's own
    else init.method = request.method;
  } else {
    init.method = request.method;
    init.body = request.body && unhurried(request, run, stop);
  }
  run();
  const settled = () => { answered = true; stop(); };
  return fetch(target, init).then((response) => { settled(); return response; }, () => { settled(); return failed(late); });
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
    #[wasm_bindgen(js_name = fetchWithin)]
    fn fetch_within(
        url: &str,
        request: &web_sys::Request,
        headers: &Headers,
        milliseconds: f64,
        failed: JsValue,
    ) -> JsValue;
}

pub(super) fn forward(call: &Call, view: &View, passage: &Passage<'_>) -> JsValue {
    call.log(&passage.event());
    let config = call.gate.config();
    let url = format!("{}{}", config.origin.as_deref().unwrap_or_default(), view.path_and_query());
    let failed = {
        let (call, head, rule) = (call.clone(), view.is_head(), passage.rule().path.clone());
        Closure::once_into_js(move |late: bool| {
            call.refuse(head, if late { Refusal::OriginTimeout } else { Refusal::OriginUnreachable }, &rule)
        })
    };
    #[allow(clippy::cast_precision_loss)] // at most ten minutes
    let patience = config.origin_timeout.as_millis() as f64;
    fetch_within(&url, view.raw(), &headers(view, passage, config.forward_token), patience, failed)
}

fn headers(view: &View, passage: &Passage<'_>, forward_token: bool) -> Headers {
    let sent = Headers::new_with_headers(&view.headers()).expect("a copy of good headers");
    let connection = sent.get("connection").ok().flatten();
    let filter = Filter::new(passage, connection.as_deref(), forward_token);
    let names: Vec<String> = js_sys::Array::from(&sent.keys()).iter().filter_map(|name| name.as_string()).collect();
    for name in names.iter().filter(|name| filter.withholds(name)) {
        let _ = sent.delete(name);
    }
    for (name, value) in forward::identity_headers(passage.admission()) {
        sent.set(name, &value).expect("visible ASCII");
    }
    sent
}
