//! The stock worker: the library with the default handlers and the users in KV, called by `worker/entry.mjs`.
#![cfg(target_arch = "wasm32")]

#[cfg(feature = "fault-injection")]
mod faults;

use js_sys::Promise;
use tollgate::edge::{
    self, Outcome, Reply,
    javascript::JsApplication,
    questions::Asked,
    tasks::{self, Progress},
};
use wasm_bindgen::prelude::*;
use web_sys::{Request, Response};

/// Handles a request; returns a `Response`, or a promise of one if the answer must wait. `is_decided`: whether
/// [`decide`] was just called for this request and returned -1. If the application has code for rules with
/// `to = "worker"`, it gets what [`edge::inner`] returns in a response's place.
#[wasm_bindgen]
pub fn handle(
    request: Request,
    env: JsValue,
    ctx: JsValue,
    progress: Progress,
    is_decided: bool,
    application: JsApplication,
) -> JsValue {
    tasks::sweep();
    #[cfg(feature = "fault-injection")]
    if let Some(answer) = faults::provoke(&request, &progress) {
        return answer;
    }
    let has_inner = application.has_inner();
    let inner = has_inner.then(|| Clone::clone(&request));
    match edge::reply(request, env, ctx, application, is_decided, has_inner, progress.clone()) {
        Reply::Ready(outcome) => answer(outcome, inner),
        Reply::Waiting(future) => tasks::promise(Some(progress), async { Ok(answer(future.await, inner)) }).into(),
    }
}

/// See [`Asked::verify`]. `rule` and `method` go together.
#[wasm_bindgen]
pub fn verify_token(
    token: String,
    rule: Option<String>,
    method: Option<String>,
    env: JsValue,
    ctx: JsValue,
    progress: Progress,
    application: JsApplication,
) -> Promise {
    asked(env, ctx, progress, application).verify(token, rule.zip(method))
}

/// See [`Asked::introspect`].
#[wasm_bindgen]
pub fn introspect(
    token: String,
    env: JsValue,
    ctx: JsValue,
    progress: Progress,
    application: JsApplication,
) -> Promise {
    asked(env, ctx, progress, application).introspect(token)
}

/// See [`Asked::end_token`].
#[wasm_bindgen]
pub fn end_token(token: String, env: JsValue, ctx: JsValue, progress: Progress, application: JsApplication) -> Promise {
    asked(env, ctx, progress, application).end_token(token)
}

/// See [`Asked::order`].
#[wasm_bindgen]
pub fn order(order: String, env: JsValue, ctx: JsValue, progress: Progress, application: JsApplication) -> Promise {
    asked(env, ctx, progress, application).order(order)
}

fn asked(env: JsValue, ctx: JsValue, progress: Progress, application: JsApplication) -> Asked<JsApplication> {
    Asked { env, ctx, progress, has_inner: application.has_inner(), application }
}

/// See [`edge::passwords::check`].
#[wasm_bindgen]
pub fn check_password(stored: Option<String>, password: String) -> Result<bool, JsValue> {
    edge::passwords::check(stored.as_deref(), password)
}

/// See [`edge::passwords::hash`].
#[wasm_bindgen]
pub fn hash_password(password: String) -> Result<String, JsValue> {
    edge::passwords::hash(password)
}

/// See [`edge::tasks::drop_task`].
#[wasm_bindgen]
pub fn drop_task(number: u32) {
    tasks::drop_task(number);
}

/// The buffer where the entry writes a request before it calls [`decide`]: a view of this instance's memory, which
/// becomes invalid when the memory grows.
#[wasm_bindgen]
pub fn buffer() -> js_sys::Uint8Array {
    let (at, length) = edge::hot::buffer();
    let memory: js_sys::WebAssembly::Memory = wasm_bindgen::memory().unchecked_into();
    #[allow(clippy::cast_possible_truncation)] // addresses have 32 bits in wasm32
    js_sys::Uint8Array::new_with_byte_offset_and_length(&memory.buffer(), at as u32, length as u32)
}

/// See [`edge::hot::begin`].
#[wasm_bindgen]
pub fn begin(callbacks: edge::hot::HotCallbacks) {
    edge::hot::begin(callbacks);
}

/// See [`edge::hot::decide`].
#[wasm_bindgen]
pub fn decide(method: usize, url: usize, authorization: Option<usize>, now: f64, audience: i32) -> i32 {
    edge::hot::decide(method, url, authorization, now, audience)
}

/// See [`edge::hot::goes_on`].
#[wasm_bindgen]
pub fn goes_on(name: &str, value: Option<String>) -> Option<bool> {
    edge::hot::goes_on(name, value.as_deref())
}

/// See [`edge::hot::is_the_clients`].
#[wasm_bindgen]
pub fn is_the_clients(name: &str) -> bool {
    edge::hot::is_the_clients(name)
}

/// See [`edge::hot::sender`].
#[wasm_bindgen]
pub fn sender(env: &JsValue) -> JsValue {
    edge::hot::sender(env)
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

/// Answers 500 to a request whose handling ended in an exception or the loss of its instance: see [`edge::broken`].
#[wasm_bindgen]
pub fn broken(error: JsValue) -> Response {
    edge::broken(&error)
}

/// The response of an outcome; or what code behind the gate needs, which gets this request.
fn answer(outcome: Outcome, request: Option<Request>) -> JsValue {
    match (outcome, request) {
        (Outcome::Response(response), _) => response,
        (Outcome::Inner(principal, additions), Some(request)) => {
            edge::inner(request, &principal, &additions).unwrap_or_else(|error| edge::broken(&error).into())
        }
        // Without such code `to = "worker"` is a problem of the configuration.
        (Outcome::Inner(..), None) => edge::broken(&JsValue::UNDEFINED).into(),
    }
}
