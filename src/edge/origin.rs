//! On to the origin: the request as it came but for its headers, and its answer as it is.
//!
//! **What always holds:** bodies stream through in both directions, redirects are handed back, a WebSocket's response
//! is the origin's own. What waits here waits in the runtime's promises, not in Rust, so a panic elsewhere in the
//! instance does not touch a forwarded request.

use super::{Call, respond, view::View};
use crate::rules::{
    error::Refusal,
    forward::{self, Filter},
    gate::{Passage, Refused},
};
use wasm_bindgen::prelude::*;
use web_sys::{Headers, RequestInit, RequestRedirect};

#[wasm_bindgen(inline_js = r#"
// The origin's response; `failed(timedOut)` makes ours if there is none in time. The timer ends with the headers, so a
// body may take as long as it likes.
export function fetchWithin(url, init, milliseconds, failed) {
  const controller = new AbortController();
  init.signal = controller.signal;
  let late = false;
  const timer = setTimeout(() => { late = true; controller.abort(); }, milliseconds);
  return fetch(url, init).then(
    (response) => { clearTimeout(timer); return response; },
    () => { clearTimeout(timer); return failed(late); },
  );
}
"#)]
extern "C" {
    #[wasm_bindgen(js_name = fetchWithin)]
    fn fetch_within(url: &str, init: &RequestInit, milliseconds: f64, failed: JsValue) -> JsValue;
}

pub(super) fn forward(call: &Call, view: &View, passage: &Passage<'_>) -> JsValue {
    call.log(&passage.event());
    let config = call.gate.config();
    let url = format!("{}{}", config.origin.as_deref().unwrap_or_default(), view.path_and_query());
    let init = RequestInit::new();
    init.set_method(view.method());
    init.set_headers(&headers(view, passage, config.forward_token));
    init.set_redirect(RequestRedirect::Manual);
    if let Some(body) = call.request.body() {
        init.set_body(&body);
    }
    let failed = {
        let (call, rule) = (call.clone(), passage.rule().path.clone());
        Closure::once_into_js(move |late: bool| {
            let refusal = if late { Refusal::OriginTimeout } else { Refusal::OriginUnreachable };
            respond::refuse(&call, &Refused { refusal, rule: Some(&rule) })
        })
    };
    #[allow(clippy::cast_precision_loss)] // at most ten minutes
    fetch_within(&url, &init, config.origin_timeout.as_millis() as f64, failed)
}

fn headers(view: &View, passage: &Passage<'_>, forward_token: bool) -> Headers {
    let sent = Headers::new_with_headers(view.headers()).expect("a copy of good headers");
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
