//! Runs inside an account's Durable Object. Its class calls [`step`] for each order, then [`deliver`], one delivery at
//! a time, to send revocations to the log and records to KV.
//!
//! **What always holds:** a step writes all its changes in one transaction, and sets an alarm if anything is left to
//! deliver; the runtime holds the reply back until the changes are on disk. Deliveries run one after the other, and
//! each reads afresh what is pending: of two password changes the later one ends up in KV.

use super::{
    super::{
        clock::{self, now},
        kv,
    },
    Order, ask_object, unreadable,
};
use crate::rules::{
    account::{Account, Command, Context, Lifetimes, Pending, Rows, object},
    ids::ObjectName,
    revocation::{self, Entry},
    time::{Duration, Timestamp},
};
use std::future::Future;
use wasm_bindgen::prelude::*;
use worker::Env;

/// Maximum retry delay in seconds: the first retry comes after 1 s, and the delay doubles with each failure.
const LONGEST_BACKOFF: i32 = 300;
/// Maximum wait for the revocation log, and for KV.
const TIMEOUT: Duration = Duration::seconds(4);

#[wasm_bindgen(module = "/src/edge/js/objects.mjs")]
extern "C" {
    #[wasm_bindgen(catch)]
    fn read(storage: &JsValue) -> Result<String, JsValue>;
    #[wasm_bindgen(catch)]
    fn write(storage: &JsValue, changes: &str, wake: Option<f64>) -> Result<(), JsValue>;
    #[wasm_bindgen(catch)]
    fn rang(storage: &JsValue) -> Result<(), JsValue>;
    #[wasm_bindgen(catch)]
    fn clear(storage: &JsValue) -> Result<(), JsValue>;
}

/// Row with the configured lifetimes, for the alarm, which comes without an order. Not one of the account's own rows.
const LIFETIMES: &str = "lifetimes";
/// Row with the number of consecutive failed deliveries; absent for 0. Not one of the account's own rows.
const FAILURES: &str = "failures";

/// The result of an order.
#[wasm_bindgen]
pub struct Done {
    reply: String,
    is_left_to_tell: bool,
    promises_an_end: bool,
}

#[wasm_bindgen]
impl Done {
    /// The reply to the gate, as JSON.
    #[wasm_bindgen(getter)]
    pub fn reply(&self) -> String {
        self.reply.clone()
    }

    /// Whether [`deliver`] must be called before the reply is sent.
    #[wasm_bindgen(getter)]
    pub fn is_left_to_tell(&self) -> bool {
        self.is_left_to_tell
    }

    /// Whether the reply may only be sent if [`deliver`] returned `true`: it promises that tokens are revoked.
    #[wasm_bindgen(getter)]
    pub fn promises_an_end(&self) -> bool {
        self.promises_an_end
    }
}

/// Carries out an order of the gate, `order`, in the object with this `storage`.
///
/// # Errors
/// If the state can't be read or written: nothing is acknowledged then.
pub fn step(storage: &JsValue, order: &str) -> Result<Done, JsValue> {
    let Order { name, id, command, lifetimes } = serde_json::from_str(order).map_err(unreadable)?;
    let step = run(storage, &name, id.as_deref(), command, &lifetimes)?;
    Ok(Done {
        reply: serde_json::to_string(&step.reply).map_err(unreadable)?,
        is_left_to_tell: step.is_left_to_tell(),
        promises_an_end: step.promises_an_end,
    })
}

/// Sends pending revocations to the revocation log and the pending record to KV. Returns whether the log has all
/// revocations. The alarm repeats what failed.
///
/// # Errors
/// If the state can't be read or written.
pub async fn deliver(storage: JsValue, env: JsValue) -> Result<bool, JsValue> {
    let env: Env = env.unchecked_into();
    let State { rows, lifetimes: Some(lifetimes), failures } = state(&storage)? else { return Ok(true) };
    let account = Account::read(&rows).map_err(|_| broken())?;
    let announcements = account.announcements().to_vec();
    let is_announced = announcements.is_empty() || within(announce(&env, &announcements)).await.is_ok();
    let delivered = if is_announced { announcements } else { Vec::new() };
    // Another command may have come while the log was asked.
    let account = Account::read(&state(&storage)?.rows).map_err(|_| broken())?;
    let record = match account.record() {
        Some(record) if within(put(&env, record)).await.is_ok() => Some(record.clone()),
        _ => None,
    };
    let has_failed = !is_announced || (account.record().is_some() && record.is_none());
    let now_failed = if has_failed { failures.saturating_add(1) } else { 0 };
    if now_failed != failures {
        let row = (FAILURES, (now_failed > 0).then(|| now_failed.to_string()));
        write(&storage, &serde_json::to_string(&[row]).map_err(unreadable)?, None)?;
    }
    if !delivered.is_empty() || record.is_some() {
        run(&storage, &unnamed(), None, Command::Delivered { revocations: delivered, record }, &lifetimes)?;
    }
    Ok(is_announced)
}

/// Deletes what has expired, and repeats failed deliveries.
///
/// # Errors
/// As for [`deliver`]; the runtime then repeats the alarm.
pub async fn alarm(storage: JsValue, env: JsValue) -> Result<(), JsValue> {
    rang(&storage)?;
    if let Some(lifetimes) = state(&storage)?.lifetimes {
        run(&storage, &unnamed(), None, Command::Tidy, &lifetimes)?;
        deliver(storage.clone(), env).await?;
        if state(&storage)?.rows.is_empty() {
            clear(&storage)?;
        }
    }
    Ok(())
}

/// The name for commands that come without an order (delivery, alarm), which do not read it.
fn unnamed() -> ObjectName {
    "".into()
}

/// The stored state.
struct State {
    /// The account's own rows.
    rows: Rows,
    lifetimes: Option<Lifetimes>,
    failures: u32,
}

fn state(storage: &JsValue) -> Result<State, JsValue> {
    let mut rows: Rows = serde_json::from_str(&read(storage)?).map_err(unreadable)?;
    let lifetimes = rows.remove(LIFETIMES).and_then(|text| serde_json::from_str(&text).ok());
    let failures = rows.remove(FAILURES).and_then(|text| text.parse().ok()).unwrap_or_default();
    Ok(State { rows, lifetimes, failures })
}

fn run(
    storage: &JsValue,
    name: &ObjectName,
    id: Option<&str>,
    command: Command,
    lifetimes: &Lifetimes,
) -> Result<object::Step, JsValue> {
    let State { rows, lifetimes: known, failures } = state(storage)?;
    let rings_again = matches!(command, Command::Tidy | Command::Delivered { .. });
    let step = object::step(&rows, id, command, &Context::new(name, lifetimes, now())).map_err(|_| broken())?;
    let mut changes = step.changes.clone();
    if !changes.is_empty() && known.as_ref() != Some(lifetimes) {
        changes.push((LIFETIMES.into(), serde_json::to_string(lifetimes).ok()));
    }
    let wake = if step.is_left_to_tell() { Some(now().later(backoff(failures))) } else { step.wake };
    // After an alarm the next one must be set even if nothing changed; else what is left waits for the next order.
    if !changes.is_empty() || rings_again {
        #[allow(clippy::cast_precision_loss)] // milliseconds of our time are below 2^53
        let wake = wake.map(|at: Timestamp| at.as_millis() as f64);
        write(storage, &serde_json::to_string(&changes).map_err(unreadable)?, wake)?;
    }
    Ok(step)
}

/// Delay before the next delivery after `failures` failed ones in a row.
fn backoff(failures: u32) -> Duration {
    let seconds = 1_i32.checked_shl(failures.min(30)).unwrap_or(LONGEST_BACKOFF);
    Duration::seconds(seconds.min(LONGEST_BACKOFF))
}

async fn announce(env: &Env, entries: &[Entry]) -> Result<(), JsValue> {
    let order = serde_json::to_string(&revocation::Ask::Revoke { entries: entries.to_vec() }).map_err(unreadable)?;
    ask_object(env, revocation::BINDING, revocation::OBJECT, &order).await.map(drop)
}

async fn put(env: &Env, record: &Pending) -> Result<(), JsValue> {
    kv::put(env, &record.key, &record.text).await
}

async fn within(work: impl Future<Output = Result<(), JsValue>>) -> Result<(), JsValue> {
    clock::within(TIMEOUT, work).await.unwrap_or_else(|| Err(JsValue::from_str("it takes too long")))
}

fn broken() -> JsValue {
    JsValue::from_str("a row can't be read")
}
