//! The adapter between workerd and the rules: wasm32 only.
//!
//! **What always holds:** it makes no decision. It turns a request into plain values, calls [`Gate::decide`] and, with
//! the worker's bindings as the host, [`Gate::resume`], and turns the decision into a response. An instance of a worker
//! has one gate, made at its first request.
//!
//! ```ignore
//! #[event(fetch)]
//! async fn fetch(request: Request, env: Env, context: Context) -> Result<Response> {
//!     tollgate::edge::serve(request, env, context, tollgate::DefaultHandlers).await
//! }
//! ```

// This module is the host in workerd, which provides clock and randomness.
#![allow(clippy::disallowed_methods)]

mod assets;
mod body;
mod host;
pub mod hot;
mod kv;
mod load;
mod log;
pub mod objects;
mod origin;
mod promise;
pub mod pwned;
mod respond;
pub mod tasks;
mod users;
mod view;

pub use users::KvUsers;

use crate::{
    Unavailable, Users,
    rules::{
        config::Config,
        cookie::Jar,
        gate::{Continuation, DECISION_TIMEOUT, Decided, Decision, Gate, Principal, Rejected},
        hooks::{DefaultHandlers, Hooks},
        log::{Event, Level, RequestInfo},
        rejection::{InternalRejection, Rejection, UnavailableRejection},
        route::Rule,
        time::{Duration, Timestamp},
    },
};
use base64ct::{Base64UrlUnpadded, Encoding};
use futures_util::future::{Either, select};
use hot::Pending;
use promise::Settled;
use serde::{Serialize, de::DeserializeOwned};
use std::{
    cell::{Cell, OnceCell},
    future::Future,
    pin::{Pin, pin},
    rc::Rc,
};
use tasks::Progress;
use view::View;
use wasm_bindgen::prelude::*;
use worker::{Context, Env};

/// An application: its store of users, and its own functions.
pub trait Application: 'static {
    /// The store of users: [`KvUsers`] for KV.
    type Users: Users + 'static;

    /// The store of users for one request. `call` has the bindings.
    fn users(&self, call: &Call) -> Self::Users;

    /// Its own handlers or loaders: asked once, when the gate is made.
    fn hooks(&self) -> Hooks;
}

impl Application for DefaultHandlers {
    type Users = KvUsers;

    fn users(&self, call: &Call) -> KvUsers {
        KvUsers::new(call)
    }

    fn hooks(&self) -> Hooks {
        Hooks::default()
    }
}

/// The context of one request: the gate, the worker's bindings and the log.
#[derive(Clone)]
pub struct Call {
    gate: &'static Gate,
    env: JsValue,
    /// The runtime's execution context, for work that continues after the answer.
    ctx: JsValue,
    /// The request, if its body may be read.
    request: Option<web_sys::Request>,
    /// Number of the request in this instance.
    number: u32,
    began: Timestamp,
    /// The state that the entry keeps, if the entry can run requests again.
    progress: Option<Progress>,
    steps: Rc<Steps>,
}

/// Counts the random draws and the commands of a request. If the request is run again, equal numbers get equal values.
#[derive(Default)]
struct Steps {
    draws: Cell<u32>,
    commands: Cell<u32>,
    id: OnceCell<String>,
}

/// The outcome of a request.
pub enum Outcome {
    /// A `Response`, or the runtime's own promise of one, which does not depend on this instance.
    Response(JsValue),
    /// The request is authorized for the worker's own code (`to = "worker"`). The cookies go out with its answer.
    Inner(Principal, Jar),
}

/// An outcome, or a future of it.
pub enum Reply {
    /// The outcome was known without waiting.
    Ready(Outcome),
    /// The outcome is known after a wait.
    Waiting(Pin<Box<dyn Future<Output = Outcome>>>),
}

#[wasm_bindgen]
extern "C" {
    /// The runtime's execution context of a request.
    type ExecutionContext;
    #[wasm_bindgen(method, js_name = waitUntil)]
    fn wait_until(this: &ExecutionContext, promise: &js_sys::Promise);
}

thread_local! {
    static CALLS: Cell<u32> = const { Cell::new(0) };
}

/// Answers a request. A rule with `to = "worker"` is a configuration error here: see [`serve_with`].
///
/// # Errors
/// If the runtime rejects the promise of a response. Every failure of the gate is a response.
pub async fn serve<A: Application>(
    request: worker::Request,
    env: Env,
    context: Context,
    application: A,
) -> worker::Result<worker::Response> {
    match settled(&request, &env, &context, application, false).await {
        Outcome::Response(response) => to_worker(response).await,
        Outcome::Inner(..) => Ok(broken(&JsValue::UNDEFINED).into()),
    }
}

/// Answers a request. Requests authorized under a rule with `to = "worker"` are answered by `inner`, for example a
/// `Router`.
///
/// # Errors
/// Those of `inner`.
pub async fn serve_with<A: Application>(
    request: worker::Request,
    env: Env,
    context: Context,
    application: A,
    inner: impl AsyncFnOnce(worker::Request, Env, Context, Principal) -> worker::Result<worker::Response>,
) -> worker::Result<worker::Response> {
    match settled(&request, &env, &context, application, true).await {
        Outcome::Response(response) => to_worker(response).await,
        Outcome::Inner(principal, renewal) => {
            let mut response = inner(request, env, context, principal).await?;
            for cookie in renewal.iter() {
                response.headers_mut().append("set-cookie", cookie)?;
            }
            Ok(response)
        }
    }
}

async fn settled<A: Application>(
    request: &worker::Request,
    env: &Env,
    context: &Context,
    application: A,
    has_inner: bool,
) -> Outcome {
    let context = AsRef::<JsValue>::as_ref(context.as_ref()).clone();
    let env = AsRef::<JsValue>::as_ref(env).clone();
    match begin(Clone::clone(request.inner()), env, context, application, has_inner, None) {
        Reply::Ready(outcome) => outcome,
        Reply::Waiting(future) => future.await,
    }
}

async fn to_worker(response: JsValue) -> worker::Result<worker::Response> {
    let response = match response.dyn_into::<js_sys::Promise>() {
        Ok(promise) => Settled::from(promise).await?,
        Err(response) => response,
    };
    Ok(response.unchecked_into::<web_sys::Response>().into())
}

/// Answers a request, without a promise if nothing must be waited for. The stock worker's entry calls this.
/// `is_decided`: whether [`hot::decide`] was just called for this request and returned -1; then its decision is used.
/// `progress` is what the entry keeps of the request, so that it can run the request again.
pub fn reply<A: Application>(
    request: web_sys::Request,
    env: JsValue,
    ctx: JsValue,
    application: A,
    is_decided: bool,
    progress: Progress,
) -> Reply {
    match hot::pending().filter(|_| is_decided).map(|pending| *pending) {
        Some(Pending { gate, decided, method, url, began }) => {
            let call = Call { began, ..Call::begin(gate, env, ctx, Some(progress)) };
            proceed(call, View::of(request, method, url), decided, &application)
        }
        None => begin(request, env, ctx, application, false, Some(progress)),
    }
}

fn begin<A: Application>(
    request: web_sys::Request,
    env: JsValue,
    ctx: JsValue,
    application: A,
    has_inner: bool,
    progress: Option<Progress>,
) -> Reply {
    let Some(gate) = load::gate(&env, || application.hooks(), has_inner, load::bindings(&env)) else {
        return Reply::Ready(Outcome::Response(respond::misconfigured(&request).into()));
    };
    let call = Call::begin(gate, env, ctx, progress);
    if gate.is_refresh_due(call.began) {
        objects::refresh_snapshot(&call);
    }
    let view = View::read(request);
    let decided = gate.decide(&view.request(), call.began);
    proceed(call, view, decided, &application)
}

fn proceed<A: Application>(
    call: Call,
    view: View,
    decided: Decided<'static, Continuation<'static>>,
    application: &A,
) -> Reply {
    match decided {
        Decided::Now(decision) => Reply::Ready(carry_out(&call, &view, decision)),
        Decided::Later(continuation) => {
            let call = Call { request: Some(Clone::clone(view.raw())), ..call };
            let users = application.users(&call);
            Reply::Waiting(Box::pin(settle(call, view, continuation, users)))
        }
    }
}

/// Waits for the decision and carries it out; rejects the request after [`DECISION_TIMEOUT`].
async fn settle(call: Call, view: View, continuation: Continuation<'static>, users: impl Users) -> Outcome {
    let decision =
        match select(pin!(call.gate.resume(continuation, &call, &users)), pin!(delay(DECISION_TIMEOUT))).await {
            Either::Left((decision, _)) => decision,
            Either::Right(((), _)) => {
                Decision::Reject(Rejected::new(Rejection::Unavailable(UnavailableRejection::DecisionTimeout), None))
            }
        };
    carry_out(&call, &view, decision)
}

fn carry_out(call: &Call, view: &View, decision: Decision<'static>) -> Outcome {
    Outcome::Response(match decision {
        Decision::Reject(rejected) => respond::reject(call, view.is_head(), &rejected).into(),
        Decision::Answer(answered) => respond::answer(call, view.is_head(), &answered).into(),
        Decision::Identity(authorized) => respond::identity(call, view.is_head(), &authorized).into(),
        Decision::Forward(authorized) => {
            respond::renewing(origin::forward(call, view, &authorized), authorized.renewal())
        }
        Decision::Assets(authorized) => respond::renewing(assets::serve(call, view, &authorized), authorized.renewal()),
        Decision::Inner(authorized) => {
            call.log(&authorized.event());
            let renewal = authorized.renewal().clone();
            return Outcome::Inner(authorized.into_principal(), renewal);
        }
    })
}

/// A layer for axum's router in a worker, with the gate that the worker's variables configure and the users in KV.
/// `None` if the configuration has problems; they are in the log.
#[cfg(feature = "axum")]
#[must_use]
pub fn layer(env: &Env, context: &Context, hooks: impl Into<Hooks>) -> Option<crate::axum::GateLayer<KvUsers>> {
    let env = AsRef::<JsValue>::as_ref(env).clone();
    let context = AsRef::<JsValue>::as_ref(context.as_ref()).clone();
    // The layer does not call the Durable Objects, so its gate is read without bindings for them.
    let gate = load::gate(&env, || hooks.into(), true, crate::rules::config::Bindings::default())?;
    Some(crate::axum::GateLayer::of(gate, KvUsers::new(&Call::begin(gate, env, context, None))))
}

/// Waits for `answer`, but no longer than `TOLLGATE_STORE_TIMEOUT`.
async fn with_timeout<T>(
    config: &Config,
    answer: impl Future<Output = Result<T, Unavailable>>,
) -> Result<T, Unavailable> {
    match select(pin!(answer), pin!(delay(config.store_timeout))).await {
        Either::Left((answer, _)) => answer,
        Either::Right(((), _)) => Err(Unavailable),
    }
}

/// A future that is ready after `duration`.
fn delay(duration: Duration) -> worker::Delay {
    std::time::Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or_default()).into()
}

/// Answers 500 to a request whose handling ended in a panic or an exception. Logs the exception's name and stack
/// frames, but not its message, which may hold what the client sent.
#[must_use]
pub fn broken(error: &JsValue) -> web_sys::Response {
    let (name, at) = described(error);
    let level = load::loaded().map_or(Level::Info, |gate| gate.config().log);
    if let Some(line) = (Event::Exception { name: &name, at: &at }).line(level, None) {
        log::write(&line);
    }
    respond::broken()
}

/// Name and topmost [`EXCEPTION_FRAMES`] stack frames of a JavaScript exception.
fn described(error: &JsValue) -> (String, String) {
    let text = |name: &str| js_sys::Reflect::get(error, &name.into()).ok().and_then(|value| value.as_string());
    let stack = text("stack").unwrap_or_default();
    let frames = stack.lines().filter_map(|line| line.trim_start().strip_prefix("at ")).take(EXCEPTION_FRAMES);
    (text("name").unwrap_or_else(|| "no error".into()), frames.collect::<Vec<_>>().join(" < "))
}

/// Maximum number of stack frames in a log line.
const EXCEPTION_FRAMES: usize = 5;

impl Call {
    fn begin(gate: &'static Gate, env: JsValue, ctx: JsValue, progress: Option<Progress>) -> Self {
        Self { gate, env, ctx, request: None, number: next_number(), began: now(), progress, steps: Rc::default() }
    }

    /// The value that an earlier run of this request kept under this key: a second run must not be judged by the
    /// effects of the first.
    fn kept<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        serde_json::from_str(&self.progress.as_ref()?.kept(key)?).ok()
    }

    /// Keeps a value under this key, in case the request is run again.
    fn keep<T: Serialize>(&self, key: &str, value: &T) {
        if let (Some(progress), Ok(text)) = (&self.progress, serde_json::to_string(value)) {
            progress.keep(key, &text);
        }
    }

    /// The id of the next command to an object; the same id if the request is run again.
    fn command_id(&self) -> String {
        let number = self.steps.commands.replace(self.steps.commands.get() + 1);
        let id = self.steps.id.get_or_init(|| match &self.progress {
            Some(progress) => progress.id(),
            None => Base64UrlUnpadded::encode_string(&load::random::<16>()),
        });
        format!("{id}-{number}")
    }

    /// The worker's bindings.
    #[must_use]
    pub fn env(&self) -> Env {
        self.env.clone().unchecked_into()
    }

    /// The gate's configuration.
    #[must_use]
    pub fn config(&self) -> &'static Config {
        self.gate.config()
    }

    /// Continues `future` after the answer was sent, for as long as the runtime allows.
    pub fn wait_until(&self, future: impl Future<Output = ()> + 'static) {
        let promise = tasks::promise(None, async {
            future.await;
            Ok(JsValue::UNDEFINED)
        });
        self.ctx.unchecked_ref::<ExecutionContext>().wait_until(&promise);
    }

    /// Logs an event, unless its level is off or it is only counted.
    fn log(&self, event: &Event<'_>) {
        let config = self.config();
        if event.level() > config.log {
            return;
        }
        let now = now();
        if !log::is_written(config, event, now) {
            return;
        }
        let duration_ms = now.as_millis() - self.began.as_millis();
        if let Some(line) = event.line(config.log, Some(RequestInfo { id: &self.id(), duration_ms })) {
            log::write(&line);
        }
    }

    /// The request id, for the log and for `X-Request-Id`.
    fn id(&self) -> String {
        format!("{}{}", id_prefix(), self.number)
    }

    /// Logs a JavaScript exception and answers 500.
    fn failed(&self, head: bool, error: &JsValue, rule: &Rule) -> JsValue {
        let (name, at) = described(error);
        self.log(&Event::Exception { name: &name, at: &at });
        self.refuse(head, Rejection::Internal(InternalRejection::Bug), &rule.path).into()
    }

    /// Rejects a request that was authorized: the origin or the asset server has failed.
    fn refuse(&self, head: bool, rejection: Rejection, rule: &str) -> web_sys::Response {
        respond::reject(self, head, &Rejected::new(rejection, Some(rule)))
    }
}

/// Prefix of this instance's request ids; a request's number follows.
fn id_prefix() -> String {
    format!("{}-", load::instance_id())
}

fn next_number() -> u32 {
    CALLS.with(|calls| calls.replace(calls.get().wrapping_add(1)))
}

fn now() -> Timestamp {
    #[allow(clippy::cast_possible_truncation)] // whole milliseconds, far below 2^53
    Timestamp::from_millis(js_sys::Date::now() as i64)
}
