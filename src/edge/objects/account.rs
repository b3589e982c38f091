//! Inside an account's object. Its class calls [`step`] for an order, and then, one after the other, [`deliver`] for
//! what others must be told.
//!
//! **What always holds:** all that a step changes is written in one transaction, with an alarm beside it if something
//! is left to tell; the runtime lets no reply out before it is on disk. Deliveries take turns, and each reads anew what
//! there is to tell: of two passwords the later one is in KV at last.

use super::{
    super::{delay, kv},
    Order, ask_object, now, unreadable,
};
use crate::rules::{
    account::{Account, Command, Context, Lifetimes, Pending, Rows, object},
    ids::ObjectName,
    revocation::{self, Entry},
    time::{Duration, Timestamp},
};
use futures_util::future::{Either, select};
use std::{future::Future, pin::pin};
use wasm_bindgen::prelude::*;
use worker::Env;

/// Maximum retry delay in seconds: the first retry comes after 1 s, and the delay doubles with each failure.
const LONGEST_BACKOFF: i32 = 300;
/// Longer nobody is waited for.
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

/// How long things last, for the alarm, which comes without an order: not one of the account's own rows.
const LIFETIMES: &str = "lifetimes";
/// How many deliveries in a row have failed: not one of the account's own rows either. No row for none.
const FAILURES: &str = "failures";

/// What an order came to.
#[wasm_bindgen]
pub struct Done {
    reply: String,
    is_left_to_tell: bool,
    promises_an_end: bool,
}

#[wasm_bindgen]
impl Done {
    /// What goes out.
    #[wasm_bindgen(getter)]
    pub fn reply(&self) -> String {
        self.reply.clone()
    }

    /// Is [`deliver`] to be called before that?
    #[wasm_bindgen(getter)]
    pub fn is_left_to_tell(&self) -> bool {
        self.is_left_to_tell
    }

    /// And must it be true, or nothing is acknowledged?
    #[wasm_bindgen(getter)]
    pub fn promises_an_end(&self) -> bool {
        self.promises_an_end
    }
}

/// Does what the object is told: `storage` is its own, `order` what the gate sent.
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

/// Tells the register and KV what they must know: has the register all of it? What is not taken is told again by the
/// alarm.
///
/// # Errors
/// If the state can't be read or written.
pub async fn deliver(storage: JsValue, env: JsValue) -> Result<bool, JsValue> {
    let env: Env = env.unchecked_into();
    let State { rows, lifetimes: Some(lifetimes), failures } = state(&storage)? else { return Ok(true) };
    let account = Account::read(&rows).map_err(|_| broken())?;
    let announcements = account.announcements().to_vec();
    let is_announced = announcements.is_empty() || within(announce(&env, &announcements)).await.is_ok();
    let told = if is_announced { announcements } else { Vec::new() };
    // While the register was told another command may have come.
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
    if !told.is_empty() || record.is_some() {
        run(&storage, &unnamed(), None, Command::Delivered { revocations: told, record }, &lifetimes)?;
    }
    Ok(is_announced)
}

/// Forgets what is over, and tells once more what could not be told.
///
/// # Errors
/// As for [`deliver`]; the runtime rings again.
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

/// What comes without an order (a delivery, an alarm) does not ask for the object's name.
fn unnamed() -> ObjectName {
    "".into()
}

/// What is stored.
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
    // An alarm that rang for nothing is set again, or what is left would wait for the next order.
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
    match select(pin!(work), pin!(delay(TIMEOUT))).await {
        Either::Left((done, _)) => done,
        Either::Right(((), _)) => Err(JsValue::from_str("it takes too long")),
    }
}

fn broken() -> JsValue {
    JsValue::from_str("a row can't be read")
}
