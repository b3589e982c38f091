//! The Durable Objects: how a gate calls them ([`super`]), and what runs inside them ([`account`], [`register`]).
//!
//! **What always holds:** an object makes no decision. Its rules are in [`crate::rules::account`] and
//! [`crate::rules::revocation`]; these files store its state and deliver its messages. A worker's entry exports one
//! class for each, whose methods call [`account::step`], [`account::deliver`], [`account::alarm`] and
//! [`register::ask`]: see `worker/js/objects.mjs`.

pub mod account;
pub mod register;

use super::{call::Call, clock::now, promise::Settled};
use crate::{
    host::Unavailable,
    rules::{
        account::{Command, Lifetimes, Reply, object},
        ids::ObjectName,
        log::Event,
        revocation::{self, Delta},
    },
};
use futures_util::TryFutureExt;
use js_sys::Promise;
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;
use worker::Env;

// The data centre's cache stands in front of the revocation log: each data centre asks the log now and then, not each
// isolate.
#[wasm_bindgen(module = "/src/edge/js/objects.mjs")]
extern "C" {
    fn find(url: &str) -> Promise;
    fn keep(url: &str, text: &str, seconds: u32) -> Promise;
}

#[wasm_bindgen]
extern "C" {
    /// The namespace binding of a class.
    type Namespace;
    #[wasm_bindgen(method, catch, js_name = getByName)]
    fn get_by_name(this: &Namespace, name: &str) -> Result<Remote, JsValue>;
    #[wasm_bindgen(method, catch, js_name = idFromName)]
    fn id_from_name(this: &Namespace, name: &str) -> Result<js_sys::Object, JsValue>;
    /// A stub of an object.
    type Remote;
    /// Sends an order; returns a promise of the reply.
    #[wasm_bindgen(method, catch)]
    fn ask(this: &Remote, order: &str) -> Result<JsValue, JsValue>;
}

/// The message to an account's object.
#[derive(Serialize, Deserialize)]
struct Order {
    name: ObjectName,
    /// The command's id: the object does a command once for each id. Gates of earlier versions send none.
    #[serde(default)]
    id: Option<String>,
    command: Command,
    lifetimes: Lifetimes,
}

/// Sends a command to the object of this name. A request that is run again gets the reply of its first run.
///
/// # Errors
/// If there is no reply within `TOLLGATE_STORE_TIMEOUT`; the command may have been done.
pub(super) async fn send_command(
    call: &Call,
    object: &ObjectName,
    command: Command,
    lifetimes: &Lifetimes,
) -> Result<Reply, Unavailable> {
    let id = call.command_id();
    // Background work draws ids too: when a request is run again, this id may belong to another command, hence kind and
    // object.
    let kept_as = format!("{id} {} {object}", command.kind().unwrap_or_default());
    if let Some(reply) = call.kept(&kept_as) {
        return Ok(reply);
    }
    let order = Order { name: object.clone(), id: Some(id.clone()), command, lifetimes: *lifetimes };
    let order = serde_json::to_string(&order).map_err(|_| Unavailable)?;
    let env = call.env();
    let answer = ask_object(&env, object::BINDING, object.as_str(), &order);
    let reply = call.within_timeout(answer.map_err(|_| Unavailable)).await;
    let reply = reply.and_then(|reply| serde_json::from_str::<Reply>(&reply).map_err(|_| Unavailable));
    match &reply {
        Ok(reply) => call.keep(&kept_as, reply),
        Err(_) => call.log(&Event::Unreachable(object::BINDING)),
    }
    reply
}

/// Fetches a newer snapshot of the revocations, after the answer to a request.
pub(super) fn refresh_snapshot(call: &Call) {
    let call = call.clone();
    call.gate.mark_refresh_requested(now());
    call.clone().wait_until(async move {
        if let Ok(delta) = revocations(&call, call.gate.known_revocations()).await {
            call.gate.update_revocations(&delta, now());
        }
    });
}

/// The revocations after [`Delta::number`] `since`: from the data centre's cache, or from the revocation log.
///
/// # Errors
/// If there is no answer within `TOLLGATE_STORE_TIMEOUT`, once for the cache and once for the log.
pub(super) async fn revocations(call: &Call, since: u64) -> Result<Delta, Unavailable> {
    let env = call.env();
    // Other gates may share the cache; the object's id keeps their entries apart.
    let id = namespace(&env, revocation::BINDING).and_then(|namespace| namespace.id_from_name(revocation::OBJECT));
    let id = id.map_err(|_| Unavailable)?.to_string();
    let url = format!("https://{id}.tollgate.invalid/since/{since}");
    let kept = call.within_timeout(Settled::from(find(&url)).map_err(|_| Unavailable)).await;
    if let Ok(kept) = kept
        && let Some(delta) = kept.as_string().and_then(|text| serde_json::from_str::<Delta>(&text).ok())
        && is_young(call, &delta)
    {
        return Ok(delta);
    }
    let order = serde_json::to_string(&revocation::Ask::Since { number: since }).map_err(|_| Unavailable)?;
    let answer = ask_object(&env, revocation::BINDING, revocation::OBJECT, &order);
    let text = call.within_timeout(answer.map_err(|_| Unavailable)).await;
    let delta = text.and_then(|text| {
        let delta = serde_json::from_str::<Delta>(&text).map_err(|_| Unavailable)?;
        let seconds = u32::try_from(call.config().sessions.max_staleness.as_millis() / 5000).unwrap_or_default().max(1);
        // If the cache keeps nothing, the next isolate asks the log.
        let kept = keep(&url, &text, seconds);
        call.wait_until(async move { drop(Settled::from(kept).await) });
        Ok(delta)
    });
    if delta.is_err() {
        call.log(&Event::Unreachable(revocation::BINDING));
    }
    delta
}

/// Whether a cached delta is younger than half of the maximum staleness. A cache may keep it for longer than its
/// `max-age`; such a delta is not used.
fn is_young(call: &Call, delta: &Delta) -> bool {
    let age = now().as_millis() - delta.as_of.as_millis();
    age < call.config().sessions.max_staleness.as_millis() / 2
}

/// Sends an order to the object of this name and waits for the reply. Retries once if the object was reset meanwhile,
/// as every deployment resets all objects. Orders can be repeated: commands have ids, and orders to the revocation log
/// are idempotent.
async fn ask_object(env: &Env, binding: &str, name: &str, order: &str) -> Result<String, JsValue> {
    match ask_object_once(env, binding, name, order).await {
        Err(error) if is_worth_a_retry(&error) => ask_object_once(env, binding, name, order).await,
        reply => reply,
    }
}

/// One attempt, with a new stub: a stub that has failed once keeps failing.
async fn ask_object_once(env: &Env, binding: &str, name: &str, order: &str) -> Result<String, JsValue> {
    let reply = Settled::from(namespace(env, binding)?.get_by_name(name)?.ask(order)?).await?;
    reply.as_string().ok_or(JsValue::NULL)
}

fn namespace(env: &Env, binding: &str) -> Result<Namespace, JsValue> {
    js_sys::Reflect::get(env, &binding.into()).map(JsCast::unchecked_into)
}

/// Whether the runtime reports that the object was reset or that a retry may succeed, and not that the object is
/// overloaded.
fn is_worth_a_retry(error: &JsValue) -> bool {
    let is = |name: &str| js_sys::Reflect::get(error, &name.into()).is_ok_and(|value| value.is_truthy());
    (is("retryable") || is("durableObjectReset")) && !is("overloaded")
}

fn unreadable(error: serde_json::Error) -> JsValue {
    JsValue::from_str(&error.to_string())
}
