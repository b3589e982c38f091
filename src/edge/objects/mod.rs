//! The objects: how a gate asks them, and what they do inside.
//!
//! **What always holds:** an object decides nothing. Its rules are [`crate::rules::account`] and
//! [`crate::rules::revocation`]; here is how its state is stored and whom it must tell. A worker's entry makes one
//! class of each, whose methods call [`account::step`], [`account::deliver`], [`account::alarm`] and [`register::ask`]:
//! see `worker/js/objects.mjs`.

pub mod account;
pub mod register;

use super::{Call, now, promise::Settled, with_timeout};
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

// The data centre's cache stands before the register, so that it is asked once in a while by each of them, not by each
// isolate. One crossing each.
#[wasm_bindgen(module = "/src/edge/js/objects.mjs")]
extern "C" {
    fn find(url: &str) -> Promise;
    fn keep(url: &str, text: &str, seconds: u32) -> Promise;
}

#[wasm_bindgen]
extern "C" {
    /// The objects of a class.
    type Namespace;
    #[wasm_bindgen(method, catch, js_name = getByName)]
    fn get_by_name(this: &Namespace, name: &str) -> Result<Remote, JsValue>;
    #[wasm_bindgen(method, catch, js_name = idFromName)]
    fn id_from_name(this: &Namespace, name: &str) -> Result<js_sys::Object, JsValue>;
    /// An object, elsewhere.
    type Remote;
    /// What its class has: an order, and a promise of the reply.
    #[wasm_bindgen(method, catch)]
    fn ask(this: &Remote, order: &str) -> Result<JsValue, JsValue>;
}

/// What an account's object is sent.
#[derive(Serialize, Deserialize)]
struct Order {
    name: ObjectName,
    /// Of the command: under the same id it is done once. A gate of an earlier version sends none.
    #[serde(default)]
    id: Option<String>,
    command: Command,
    lifetimes: Lifetimes,
}

/// Sends a command to the object of this name.
pub(super) async fn send_command(
    call: &Call,
    object: &ObjectName,
    command: Command,
    lifetimes: &Lifetimes,
) -> Result<Reply, Unavailable> {
    let id = call.command_id();
    // Work in the background draws ids as well: when a request is run again, another command may have this one.
    let kept_as = format!("{id} {} {object}", command.kind().unwrap_or_default());
    if let Some(reply) = call.kept(&kept_as) {
        return Ok(reply);
    }
    let order = Order { name: object.clone(), id: Some(id.clone()), command, lifetimes: *lifetimes };
    let order = serde_json::to_string(&order).map_err(|_| Unavailable)?;
    let env = call.env();
    let asked = ask_object(&env, object::BINDING, object.as_str(), &order);
    let reply = with_timeout(call.config(), asked.map_err(|_| Unavailable)).await;
    let reply = reply.and_then(|reply| serde_json::from_str::<Reply>(&reply).map_err(|_| Unavailable));
    match &reply {
        Ok(reply) => call.keep(&kept_as, reply),
        Err(_) => call.log(&Event::Unreachable(object::BINDING)),
    }
    reply
}

/// Fetches a newer snapshot, behind the answer to a request.
pub(super) fn refresh_snapshot(call: &Call) {
    let call = call.clone();
    call.gate.mark_refresh_requested(now());
    call.clone().wait_until(async move {
        if let Ok(delta) = revocations(&call, call.gate.known_revocations()).await {
            call.gate.update_revocations(&delta, now());
        }
    });
}

/// What has been revoked since this number: out of the data centre's cache, or from the register.
pub(super) async fn revocations(call: &Call, since: u64) -> Result<Delta, Unavailable> {
    let env = call.env();
    // Other gates may share the cache, but not the object's id.
    let id = namespace(&env, revocation::BINDING).and_then(|namespace| namespace.id_from_name(revocation::OBJECT));
    let id = id.map_err(|_| Unavailable)?.to_string();
    let url = format!("https://{id}.tollgate.invalid/since/{since}");
    let kept = with_timeout(call.config(), Settled::from(find(&url)).map_err(|_| Unavailable)).await;
    if let Ok(kept) = kept
        && let Some(told) = kept.as_string().and_then(|text| serde_json::from_str::<Delta>(&text).ok())
        && is_young(call, &told)
    {
        return Ok(told);
    }
    let order = serde_json::to_string(&revocation::Ask::Since { number: since }).map_err(|_| Unavailable)?;
    let asked = ask_object(&env, revocation::BINDING, revocation::OBJECT, &order);
    let text = with_timeout(call.config(), asked.map_err(|_| Unavailable)).await;
    let told = text.and_then(|text| {
        let told = serde_json::from_str::<Delta>(&text).map_err(|_| Unavailable)?;
        let seconds = u32::try_from(call.config().sessions.max_staleness.as_millis() / 5000).unwrap_or_default().max(1);
        // Should it not be kept, the next one asks the register.
        let kept = keep(&url, &text, seconds);
        call.wait_until(async move { drop(Settled::from(kept).await) });
        Ok(told)
    });
    if told.is_err() {
        call.log(&Event::Unreachable(revocation::BINDING));
    }
    told
}

/// Of what a cache holds for longer than it was told to, nothing is believed.
fn is_young(call: &Call, told: &Delta) -> bool {
    let age = now().as_millis() - told.as_of.as_millis();
    age < call.config().sessions.max_staleness.as_millis() / 2
}

/// Sends an order to the object of this name, and waits for the reply. Once more if the object was reset meanwhile, as
/// every deployment does to all of them: an order can be repeated, since commands have ids and the register's are
/// idempotent.
async fn ask_object(env: &Env, binding: &str, name: &str, order: &str) -> Result<String, JsValue> {
    match ask_object_once(env, binding, name, order).await {
        Err(error) if is_worth_a_retry(&error) => ask_object_once(env, binding, name, order).await,
        reply => reply,
    }
}

/// One attempt, with a stub of its own: one that has failed once fails always.
async fn ask_object_once(env: &Env, binding: &str, name: &str, order: &str) -> Result<String, JsValue> {
    let reply = Settled::from(namespace(env, binding)?.get_by_name(name)?.ask(order)?).await?;
    reply.as_string().ok_or(JsValue::NULL)
}

fn namespace(env: &Env, binding: &str) -> Result<Namespace, JsValue> {
    js_sys::Reflect::get(env, &binding.into()).map(JsCast::unchecked_into)
}

/// Does the runtime say that the object was reset, or that another attempt may succeed, and not that it is overloaded?
fn is_worth_a_retry(error: &JsValue) -> bool {
    let is = |name: &str| js_sys::Reflect::get(error, &name.into()).is_ok_and(|value| value.is_truthy());
    (is("retryable") || is("durableObjectReset")) && !is("overloaded")
}

fn unreadable(error: serde_json::Error) -> JsValue {
    JsValue::from_str(&error.to_string())
}
