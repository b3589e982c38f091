//! The stock worker: the library with Flask-JWT's own handlers and the users in KV, behind `worker/entry.mjs`.
#![cfg(target_arch = "wasm32")]

#[cfg(feature = "fault-injection")]
mod faults;

use js_sys::Promise;
use tollgate::{
    DefaultHandlers,
    edge::{
        self, Outcome, Reply,
        tasks::{self, Progress},
    },
};
use wasm_bindgen::prelude::*;
use web_sys::{Request, Response};

/// Handles one request: a `Response`, or a promise of one where something must be waited for. `is_decided`: was
/// [`decide`] just called for it, and said that this goes on?
#[wasm_bindgen]
pub fn handle(request: Request, env: JsValue, ctx: JsValue, progress: Progress, is_decided: bool) -> JsValue {
    tasks::sweep();
    #[cfg(feature = "fault-injection")]
    if let Some(answer) = faults::provoke(&request, &progress) {
        return answer;
    }
    match edge::reply(request, env, ctx, DefaultHandlers, is_decided, progress.clone()) {
        Reply::Ready(outcome) => response(outcome),
        Reply::Waiting(future) => tasks::promise(Some(progress), async { Ok(response(future.await)) }).into(),
    }
}

/// See [`edge::tasks::drop_task`].
#[wasm_bindgen]
pub fn drop_task(number: u32) {
    tasks::drop_task(number);
}

/// Where the entry writes a request before it calls [`decide`]: the buffer itself, a view of this instance's memory
/// that must be made anew when the memory has grown.
#[wasm_bindgen]
pub fn buffer() -> js_sys::Uint8Array {
    let (at, length) = edge::hot::buffer();
    let memory: js_sys::WebAssembly::Memory = wasm_bindgen::memory().unchecked_into();
    #[allow(clippy::cast_possible_truncation)] // addresses have 32 bits here
    js_sys::Uint8Array::new_with_byte_offset_and_length(&memory.buffer(), at as u32, length as u32)
}

/// See [`edge::hot::begin`].
#[wasm_bindgen]
pub fn begin(callbacks: edge::hot::HotCallbacks) {
    edge::hot::begin(callbacks);
}

/// See [`edge::hot::decide`].
#[wasm_bindgen]
pub fn decide(method: usize, url: usize, authorization: Option<usize>, now: f64, has_identity_headers: bool) -> i32 {
    edge::hot::decide(method, url, authorization, now, has_identity_headers)
}

/// See [`edge::hot::goes_on`].
#[wasm_bindgen]
pub fn goes_on(name: &str, value: Option<String>) -> Option<bool> {
    edge::hot::goes_on(name, value.as_deref())
}

/// See [`edge::hot::sender`].
#[wasm_bindgen]
pub fn sender() -> JsValue {
    edge::hot::sender()
}

/// See [`edge::hot::identity_init`].
#[wasm_bindgen]
pub fn identity_init() -> JsValue {
    edge::hot::identity_init()
}

/// See [`edge::objects::account::step`].
#[wasm_bindgen]
pub fn step_account(storage: JsValue, order: &str) -> Result<edge::objects::account::Done, JsValue> {
    edge::objects::account::step(&storage, order)
}

/// See [`edge::objects::account::deliver`].
#[wasm_bindgen]
pub fn deliver_account(storage: JsValue, env: JsValue, progress: Progress) -> Promise {
    tasks::sweep();
    let delivered = edge::objects::account::deliver(storage, env);
    tasks::promise(Some(progress), async { delivered.await.map(JsValue::from) })
}

/// See [`edge::objects::account::alarm`].
#[wasm_bindgen]
pub fn wake_account(storage: JsValue, env: JsValue, progress: Progress) -> Promise {
    tasks::sweep();
    let woken = edge::objects::account::alarm(storage, env);
    tasks::promise(Some(progress), async { woken.await.map(|()| JsValue::UNDEFINED) })
}

/// See [`edge::objects::register::ask`].
#[wasm_bindgen]
pub fn ask_register(storage: JsValue, is_first: bool, order: &str) -> Result<String, JsValue> {
    edge::objects::register::ask(&storage, is_first, order)
}

/// What the entry answers for a request that an exception, or the loss of its instance, has cost its answer.
#[wasm_bindgen]
pub fn broken(error: JsValue) -> Response {
    edge::broken(&error)
}

/// There is no code of its own behind this gate, and no configuration that asks for it gets so far.
fn response(outcome: Outcome) -> JsValue {
    match outcome {
        Outcome::Response(response) => response,
        Outcome::Inner(..) => edge::broken(&JsValue::UNDEFINED).into(),
    }
}
