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
mod call;
mod clock;
mod host;
pub mod hot;
pub mod javascript;
mod kv;
mod load;
mod log;
pub mod objects;
mod origin;
pub mod passwords;
mod promise;
pub mod pwned;
pub mod questions;
mod random;
mod request_id;
mod respond;
pub mod tasks;
mod users;
mod view;

pub use call::Call;
pub use respond::broken;
pub use users::KvUsers;

use crate::{
    Users,
    rules::{
        cookie::Jar,
        cors::{CorsFields, is_replaced},
        forward::{Filter, TARGETED_CACHE_CONTROL},
        gate::{Continuation, DECISION_TIMEOUT, Decided, Decision, Principal, Rejected},
        hooks::{DefaultHandlers, Hooks},
        json::Map,
        rejection::{Rejection, UnavailableRejection},
        socket::PROTOCOL_HEADER,
    },
};
use hot::Pending;
use promise::Settled;
use std::{future::Future, pin::Pin};
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

/// The outcome of a request.
pub enum Outcome {
    /// A `Response`, or the runtime's own promise of one, which does not depend on this instance.
    Response(JsValue),
    /// The request is authorized for the worker's own code (`to = "worker"`). The additions go out with its answer.
    Inner(Principal, Additions),
}

/// What is added to the answer of a worker's own code.
#[derive(Default)]
pub struct Additions {
    /// Cookies of a new token.
    pub cookies: Jar,
    /// The CORS fields.
    pub cors: Option<CorsFields>,
}

impl Additions {
    /// Adds them to an answer.
    ///
    /// # Errors
    /// If the runtime refuses a header field.
    pub fn add_to(&self, response: &mut worker::Response) -> worker::Result<()> {
        if self.cookies.is_empty() && self.cors.is_none() {
            return Ok(());
        }
        // Those of a fetched response can't be changed; a copy can.
        let own = response.headers().clone();
        *response.headers_mut() = own;
        let headers = response.headers_mut();
        let theirs = headers.get_all("set-cookie")?;
        if !self.cookies.is_empty() && !self.cookies.is_among(theirs.iter().map(String::as_str)) {
            for cookie in self.cookies.iter() {
                headers.append("set-cookie", cookie)?;
            }
            headers.set("cache-control", "no-store")?;
            for targeted in TARGETED_CACHE_CONTROL {
                headers.delete(targeted)?;
            }
        }
        if let Some(cors) = &self.cors {
            let replaced: Vec<String> = headers.keys().filter(|name| is_replaced(name)).collect();
            for name in replaced {
                headers.delete(&name)?;
            }
            for (name, value) in cors.iter() {
                headers.append(name, value)?;
            }
        }
        Ok(())
    }
}

/// An outcome, or a future of it.
pub enum Reply {
    /// The outcome was known without waiting.
    Ready(Outcome),
    /// The outcome is known after a wait.
    Waiting(Pin<Box<dyn Future<Output = Outcome>>>),
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
        Outcome::Inner(principal, additions) => {
            let mut response = inner(without_the_gates_fields(request)?, env, context, principal).await?;
            additions.add_to(&mut response)?;
            Ok(response)
        }
    }
}

/// The request without the header fields that only the gate may set: a worker's own code may pass it on.
fn without_the_gates_fields(request: worker::Request) -> worker::Result<worker::Request> {
    let Some(gate) = load::loaded() else { return Ok(request) };
    let filter = Filter::for_tokens(gate.config());
    let is_the_gates = |name: &String| Filter::is_the_gates(name) || filter.is_configured(name);
    let mut names: Vec<String> = request.headers().keys().filter(is_the_gates).collect();
    let fields = gate.socket_fields(&View::read(Clone::clone(request.inner())).request());
    if fields.as_ref().is_some_and(|fields| !fields.has_cookies) {
        names.push("cookie".into());
    }
    if names.is_empty() && fields.is_none() {
        return Ok(request);
    }
    let mut own = request.clone_mut()?;
    for name in names {
        own.headers_mut()?.delete(&name)?;
    }
    match fields.map(|fields| fields.protocols) {
        None => {}
        Some(none) if none.is_empty() => own.headers_mut()?.delete(PROTOCOL_HEADER)?,
        Some(others) => own.headers_mut()?.set(PROTOCOL_HEADER, &others)?,
    }
    Ok(own)
}

/// What a worker's own code in JavaScript gets of an [`Outcome::Inner`]: the request without the header fields that
/// only the gate may set, who the caller is, and what is added to the answer.
///
/// # Errors
/// If the runtime refuses to change the request's header fields.
pub fn inner(request: web_sys::Request, principal: &Principal, additions: &Additions) -> Result<JsValue, JsValue> {
    let request = without_the_gates_fields(request.into()).map_err(JsValue::from)?;
    let request = Clone::clone(request.inner());
    Ok(respond::inner(request, principal, &additions.cookies, additions.cors.as_ref()))
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
/// `has_inner`: whether there is code behind the gate, for rules with `to = "worker"`.
/// `progress` is what the entry keeps of the request, so that it can run the request again.
pub fn reply<A: Application>(
    request: web_sys::Request,
    env: JsValue,
    ctx: JsValue,
    application: A,
    is_decided: bool,
    has_inner: bool,
    progress: Progress,
) -> Reply {
    match hot::pending().filter(|_| is_decided).map(|pending| *pending) {
        Some(Pending { gate, decided, method, url, began }) => {
            let call = Call { began, ..Call::begin(gate, env, ctx, Some(progress)) };
            proceed(call, View::of(request, method, url), decided, None, &application)
        }
        None => begin(request, env, ctx, application, has_inner, Some(progress)),
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
    if let Some(secrets) = load::InSecretsStore::awaited(&env) {
        return Reply::Waiting(Box::pin(async move {
            match secrets.read().await {
                Ok(values) => {
                    load::gate(&env, values, || application.hooks(), has_inner, load::bindings(&env));
                }
                Err(name) => return Outcome::Response(respond::without_secret(&request, &name).into()),
            }
            match begin(request, env, ctx, application, has_inner, progress) {
                Reply::Ready(outcome) => outcome,
                Reply::Waiting(future) => future.await,
            }
        }));
    }
    let bindings = load::bindings(&env);
    let Some(gate) = load::gate(&env, Map::new(), || application.hooks(), has_inner, bindings) else {
        return Reply::Ready(Outcome::Response(respond::misconfigured(&request).into()));
    };
    let call = Call::begin(gate, env, ctx, progress);
    if gate.is_refresh_due(call.began) {
        objects::refresh_snapshot(&call);
    }
    let view = View::read(request);
    let cors = gate.cors(&view.request());
    let decided = gate.decide(&view.request(), call.began);
    proceed(call, view, decided, cors, &application)
}

fn proceed<A: Application>(
    call: Call,
    view: View,
    decided: Decided<'static, Continuation<'static>>,
    cors: Option<CorsFields>,
    application: &A,
) -> Reply {
    match decided {
        Decided::Now(decision) => Reply::Ready(carry_out(&call, &view, decision, cors)),
        Decided::Later(continuation) => {
            let call = Call { request: Some(Clone::clone(view.raw())), ..call };
            let users = application.users(&call);
            Reply::Waiting(Box::pin(settle(call, view, continuation, cors, users)))
        }
    }
}

/// Waits for the decision and carries it out; rejects the request after [`DECISION_TIMEOUT`].
async fn settle(
    call: Call,
    view: View,
    continuation: Continuation<'static>,
    cors: Option<CorsFields>,
    users: impl Users,
) -> Outcome {
    let decided = clock::within(DECISION_TIMEOUT, call.gate.resume(continuation, &call, &users)).await;
    let decision = decided.unwrap_or_else(|| {
        Decision::Reject(Rejected::new(Rejection::Unavailable(UnavailableRejection::DecisionTimeout), None))
    });
    carry_out(&call, &view, decision, cors)
}

fn carry_out(call: &Call, view: &View, decision: Decision<'static>, cors: Option<CorsFields>) -> Outcome {
    let response = match decision {
        Decision::Reject(rejected) => respond::reject(call, view.is_head(), &rejected).into(),
        Decision::Answer(answered) => respond::answer(call, view.is_head(), &answered).into(),
        Decision::Identity(authorized) => respond::identity(call, view.is_head(), &authorized).into(),
        Decision::Forward(authorized) => {
            respond::renewing(origin::forward(call, view, &authorized), authorized.renewal())
        }
        Decision::Assets(authorized) => respond::renewing(assets::serve(call, view, &authorized), authorized.renewal()),
        Decision::Inner(authorized) => {
            call.log(&authorized.event());
            let additions = Additions { cookies: authorized.renewal().clone(), cors };
            return Outcome::Inner(authorized.into_principal(), additions);
        }
    };
    Outcome::Response(respond::dress(response, cors.as_ref()))
}

/// A layer for axum's router in a worker, with the gate that the worker's variables configure and the users in KV.
/// `None` if the configuration has problems; they are in the log.
#[cfg(feature = "axum")]
#[must_use]
pub fn layer(env: &Env, context: &Context, hooks: impl Into<Hooks>) -> Option<crate::axum::GateLayer<KvUsers>> {
    let env = AsRef::<JsValue>::as_ref(env).clone();
    let context = AsRef::<JsValue>::as_ref(context.as_ref()).clone();
    // The layer does not call the Durable Objects, so its gate is read without bindings for them.
    let bindings = crate::rules::config::Bindings::default();
    let gate = load::gate(&env, Map::new(), || hooks.into(), true, bindings)?;
    Some(crate::axum::GateLayer::of(gate, KvUsers::new(&Call::begin(gate, env, context, None))))
}
