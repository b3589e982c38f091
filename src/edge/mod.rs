//! The thin adapter between workerd and the rules: wasm32 only.
//!
//! **What always holds:** it decides nothing. It turns a request into plain values, asks [`Gate::decide`] and, with its
//! bindings as the host, [`Gate::resume`], and turns the decision into a response. Who it lets where is in the rules.
//! There is one gate a worker, made at its first request.
//!
//! ```ignore
//! #[event(fetch)]
//! async fn fetch(request: Request, env: Env, context: Context) -> Result<Response> {
//!     tollgate::edge::serve(request, env, context, tollgate::DefaultHandlers).await
//! }
//! ```

// The host in workerd: clock and randomness are its own.
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

/// An application: its users for each request, and its own functions.
pub trait Application: 'static {
    /// Who the users are. [`KvUsers`] for those in KV.
    type Users: Users + 'static;

    /// The users, for one request: `call` has the bindings.
    fn users(&self, call: &Call) -> Self::Users;

    /// Its own handlers or loaders: asked once, when the gate is made.
    fn hooks(&self) -> Hooks {
        Hooks::default()
    }
}

impl Application for DefaultHandlers {
    type Users = KvUsers;

    fn users(&self, call: &Call) -> KvUsers {
        KvUsers::new(call)
    }
}

/// A request on its way: the gate, the worker's bindings, and the log.
#[derive(Clone)]
pub struct Call {
    gate: &'static Gate,
    env: JsValue,
    /// The runtime's execution context, for what goes on behind the answer.
    ctx: JsValue,
    /// The request itself, once it is known.
    request: Option<web_sys::Request>,
    /// Number of the request in this instance.
    number: u32,
    began: Timestamp,
    /// What the entry keeps of it, if there is one that runs requests again.
    progress: Option<Progress>,
    steps: Rc<Steps>,
}

/// How far a request has come: whatever is numbered here is the same if the request is run again.
#[derive(Default)]
struct Steps {
    draws: Cell<u32>,
    commands: Cell<u32>,
    id: OnceCell<String>,
}

/// What came of a request.
pub enum Outcome {
    /// A `Response`, or the runtime's own promise of one, which does not depend on this instance.
    Response(JsValue),
    /// It is let through to the worker's own code (`to = "worker"`). These cookies go out with its answer.
    Inner(Principal, Jar),
}

/// When a request's outcome is known.
pub enum Reply {
    /// At once.
    Ready(Outcome),
    /// After something was waited for.
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

/// Answers a request. A rule with `to = "worker"` is a wrong configuration here: see [`serve_with`].
///
/// # Errors
/// None of its own: what fails is an answer.
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

/// Answers a request; what is let through under a rule with `to = "worker"` is answered by `inner`, a `Router` say.
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

/// Answers a request without a promise where nothing must be waited for: what the stock worker's entry calls. Goes on
/// from [`hot::decide`] if that was called for this request just before, and said so. `progress` is what the entry
/// keeps of the request, which it may run again.
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

/// Goes on until the decision is made, then carries it out; or refuses when that takes too long.
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

/// A layer for axum's router in a worker, with the gate of the worker's variables and the users in KV. `None` if the
/// configuration is wrong; the log says why.
#[cfg(feature = "axum")]
#[must_use]
pub fn layer(env: &Env, context: &Context, hooks: impl Into<Hooks>) -> Option<crate::axum::GateLayer<KvUsers>> {
    let env = AsRef::<JsValue>::as_ref(env).clone();
    let context = AsRef::<JsValue>::as_ref(context.as_ref()).clone();
    // What asks the objects is the gate in front of a worker, not a layer.
    let gate = load::gate(&env, || hooks.into(), true, crate::rules::config::Bindings::default())?;
    Some(crate::axum::GateLayer::of(gate, KvUsers::new(&Call::begin(gate, env, context, None))))
}

/// No longer than `TOLLGATE_STORE_TIMEOUT`.
async fn with_timeout<T>(
    config: &Config,
    answer: impl Future<Output = Result<T, Unavailable>>,
) -> Result<T, Unavailable> {
    match select(pin!(answer), pin!(delay(config.store_timeout))).await {
        Either::Left((answer, _)) => answer,
        Either::Right(((), _)) => Err(Unavailable),
    }
}

/// Waits.
fn delay(duration: Duration) -> worker::Delay {
    std::time::Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or_default()).into()
}

/// One plain 500, for a request that a panic or an exception has cost its answer; the log says which exception it was,
/// but not its message, which may hold what the client sent.
#[must_use]
pub fn broken(error: &JsValue) -> web_sys::Response {
    let (name, at) = described(error);
    let level = load::loaded().map_or(Level::Info, |gate| gate.config().log);
    if let Some(line) = (Event::Exception { name: &name, at: &at }).line(level, None) {
        log::write(&line);
    }
    respond::broken()
}

/// The kind of an exception of JavaScript, and the functions that it came from.
fn described(error: &JsValue) -> (String, String) {
    let text = |name: &str| js_sys::Reflect::get(error, &name.into()).ok().and_then(|value| value.as_string());
    let stack = text("stack").unwrap_or_default();
    let frames = stack.lines().filter_map(|line| line.trim_start().strip_prefix("at ")).take(EXCEPTION_FRAMES);
    (text("name").unwrap_or_else(|| "no error".into()), frames.collect::<Vec<_>>().join(" < "))
}

/// How many functions the log names of an exception.
const EXCEPTION_FRAMES: usize = 5;

impl Call {
    fn begin(gate: &'static Gate, env: JsValue, ctx: JsValue, progress: Option<Progress>) -> Self {
        Self { gate, env, ctx, request: None, number: next_number(), began: now(), progress, steps: Rc::default() }
    }

    /// What the request has learnt under this key when it ran before: it must not be judged by its own effects.
    fn kept<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        serde_json::from_str(&self.progress.as_ref()?.kept(key)?).ok()
    }

    /// Keeps what was learnt, in case the request is run again.
    fn keep<T: Serialize>(&self, key: &str, learnt: &T) {
        if let (Some(progress), Ok(text)) = (&self.progress, serde_json::to_string(learnt)) {
            progress.keep(key, &text);
        }
    }

    /// The id of the next command to an object; the same one if the request is run again.
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

    /// Goes on with something after the answer was sent.
    pub fn wait_until(&self, future: impl Future<Output = ()> + 'static) {
        let promise = tasks::promise(None, async {
            future.await;
            Ok(JsValue::UNDEFINED)
        });
        self.ctx.unchecked_ref::<ExecutionContext>().wait_until(&promise);
    }

    /// Writes a line to the log, if its level is wanted and it is not only counted.
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

    /// For the log and the answer.
    fn id(&self) -> String {
        format!("{}{}", id_prefix(), self.number)
    }

    /// Answers a request that an exception of JavaScript has cost its answer.
    fn failed(&self, head: bool, error: &JsValue, rule: &Rule) -> JsValue {
        let (name, at) = described(error);
        self.log(&Event::Exception { name: &name, at: &at });
        self.refuse(head, Rejection::Internal(InternalRejection::Bug), &rule.path).into()
    }

    /// Refuses what was let through already: the origin or the asset server fails.
    fn refuse(&self, head: bool, rejection: Rejection, rule: &str) -> web_sys::Response {
        respond::reject(self, head, &Rejected::new(rejection, Some(rule)))
    }
}

/// What the ids of this instance's requests begin with; a request's number follows.
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
