//! Inside an account's object. Its class calls [`step`] for an order, and then, one after the other, [`deliver`] for what
//! others must be told.
//!
//! **What always holds:** all that a step changes is written in one transaction, with an alarm beside it if something is left
//! to tell; the runtime lets no reply out before it is on disk. Deliveries take turns, and each reads anew what there is to
//! tell: of two passwords the later one is in KV at last.

use super::{Order, ask_object, now, unreadable};
use crate::rules::{
    account::{Account, Command, Lifetimes, Pending, Rows, object},
    revocation::{self, Entry},
    store,
    time::{Span, Timestamp},
};
use futures_util::future::{Either, select};
use std::{future::Future, pin::pin, time::Duration};
use wasm_bindgen::prelude::*;
use worker::{Delay, Env, kv::KvStore};

/// What could not be delivered is tried again after this.
const AGAIN: Span = Span::seconds(1);
/// Longer nobody is waited for.
const PATIENCE: Duration = Duration::from_secs(4);

#[wasm_bindgen(inline_js = r#"
export function read(storage) {
  storage.sql.exec("CREATE TABLE IF NOT EXISTS rows (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID");
  return JSON.stringify(Object.fromEntries(storage.sql.exec("SELECT key, value FROM rows").raw()));
}
// An alarm is set once, as long as it comes early enough: to set it is to write.
const alarms = new WeakMap();
export function write(storage, changes, wake) {
  storage.transactionSync(() => {
    for (const [key, value] of JSON.parse(changes)) {
      if (value === null) storage.sql.exec("DELETE FROM rows WHERE key = ?", key);
      else storage.sql.exec("INSERT OR REPLACE INTO rows VALUES (?, ?)", key, value);
    }
  });
  if (wake !== undefined && !(alarms.get(storage) <= wake)) {
    alarms.set(storage, wake);
    storage.setAlarm(wake); // in the same turn, so together with the rows
  }
}
export function rang(storage) { alarms.delete(storage); }
export function clear(storage) { storage.deleteAll(); }
"#)]
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
    let Order { name, command, lifetimes } = serde_json::from_str(order).map_err(unreadable)?;
    let step = run(storage, &name, command, &lifetimes)?;
    Ok(Done {
        reply: serde_json::to_string(&step.reply).map_err(unreadable)?,
        is_left_to_tell: step.is_left_to_tell(),
        promises_an_end: step.promises_an_end,
    })
}

/// Tells the register and KV what they must know: has the register all of it? What is not taken is told again by the alarm.
///
/// # Errors
/// If the state can't be read or written.
pub async fn deliver(storage: JsValue, env: JsValue) -> Result<bool, JsValue> {
    let env: Env = env.unchecked_into();
    let (rows, Some(lifetimes)) = state(&storage)? else { return Ok(true) };
    let account = Account::read(&rows).map_err(|_| broken())?;
    let announcements = account.announcements().to_vec();
    let is_announced = announcements.is_empty() || within(announce(&env, &announcements)).await.is_ok();
    let told = if is_announced { announcements } else { Vec::new() };
    // While the register was told another command may have come.
    let account = Account::read(&state(&storage)?.0).map_err(|_| broken())?;
    let record = match account.record() {
        Some(record) if within(put(&env, record)).await.is_ok() => Some(record.clone()),
        _ => None,
    };
    if !told.is_empty() || record.is_some() {
        run(&storage, "", Command::Delivered { revocations: told, record }, &lifetimes)?;
    }
    Ok(is_announced)
}

/// Forgets what is over, and tells once more what could not be told.
///
/// # Errors
/// As for [`deliver`]; the runtime rings again.
pub async fn alarm(storage: JsValue, env: JsValue) -> Result<(), JsValue> {
    rang(&storage)?;
    if let (_, Some(lifetimes)) = state(&storage)? {
        run(&storage, "", Command::Tidy, &lifetimes)?;
        deliver(storage.clone(), env).await?;
        if state(&storage)?.0.is_empty() {
            clear(&storage)?;
        }
    }
    Ok(())
}

fn state(storage: &JsValue) -> Result<(Rows, Option<Lifetimes>), JsValue> {
    let mut rows: Rows = serde_json::from_str(&read(storage)?).map_err(unreadable)?;
    let lifetimes = rows.remove(LIFETIMES).and_then(|text| serde_json::from_str(&text).ok());
    Ok((rows, lifetimes))
}

fn run(storage: &JsValue, name: &str, command: Command, lifetimes: &Lifetimes) -> Result<object::Step, JsValue> {
    let (rows, known) = state(storage)?;
    let rings_again = matches!(command, Command::Tidy | Command::Delivered { .. });
    let step = object::step(&rows, name, command, lifetimes, now()).map_err(|_| broken())?;
    let mut changes = step.changes.clone();
    if !changes.is_empty() && known.as_ref() != Some(lifetimes) {
        changes.push((LIFETIMES.into(), serde_json::to_string(lifetimes).ok()));
    }
    let wake = if step.is_left_to_tell() { Some(now().later(AGAIN)) } else { step.wake };
    // An alarm that rang for nothing is set again, or what is left would wait for the next order.
    if !changes.is_empty() || rings_again {
        #[allow(clippy::cast_precision_loss)] // milliseconds of our time are below 2^53
        let wake = wake.map(|at: Timestamp| at.as_millis() as f64);
        write(storage, &serde_json::to_string(&changes).map_err(unreadable)?, wake)?;
    }
    Ok(step)
}

async fn announce(env: &Env, entries: &[Entry]) -> Result<(), JsValue> {
    let order = serde_json::to_string(&revocation::Ask::Revoke { entries: entries.to_vec() }).map_err(unreadable)?;
    ask_object(env, revocation::BINDING, revocation::OBJECT, &order).await.map(drop)
}

async fn put(env: &Env, record: &Pending) -> Result<(), JsValue> {
    let store = KvStore::from_this(env, store::BINDING).map_err(JsValue::from)?;
    let put = store.put(&record.key, record.text.as_str()).map_err(JsValue::from)?;
    put.execute().await.map_err(JsValue::from)
}

async fn within(work: impl Future<Output = Result<(), JsValue>>) -> Result<(), JsValue> {
    match select(pin!(work), pin!(Delay::from(PATIENCE))).await {
        Either::Left((done, _)) => done,
        Either::Right(((), _)) => Err(JsValue::from_str("it takes too long")),
    }
}

fn broken() -> JsValue {
    JsValue::from_str("a row can't be read")
}
