//! Inside an account's object.

use super::{Order, ask_object, now};
use crate::rules::{
    account::{Command, Lifetimes, Pending, Rows, object, object::Step},
    revocation::{self, Entry},
    store,
    time::{Span, Timestamp},
};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use worker::{Env, kv::KvStore};

/// What could not be delivered is tried again after this.
const AGAIN: Span = Span::seconds(1);

// All that a step changes is written in one transaction; the runtime lets no reply out before it is on disk.
#[wasm_bindgen(inline_js = r#"
export function read(storage) {
  storage.sql.exec("CREATE TABLE IF NOT EXISTS rows (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID");
  return JSON.stringify(Object.fromEntries(storage.sql.exec("SELECT key, value FROM rows").raw()));
}
export function write(storage, changes) {
  storage.transactionSync(() => {
    for (const [key, value] of JSON.parse(changes)) {
      if (value === null) storage.sql.exec("DELETE FROM rows WHERE key = ?", key);
      else storage.sql.exec("INSERT OR REPLACE INTO rows VALUES (?, ?)", key, value);
    }
  });
}
export async function wake(storage, at) {
  const set = await storage.getAlarm();
  if (set === null || set > at) await storage.setAlarm(at);
}
export const clear = (storage) => storage.deleteAll();
"#)]
extern "C" {
    #[wasm_bindgen(catch)]
    fn read(storage: &JsValue) -> Result<String, JsValue>;
    #[wasm_bindgen(catch)]
    fn write(storage: &JsValue, changes: &str) -> Result<(), JsValue>;
    #[wasm_bindgen(catch)]
    fn wake(storage: &JsValue, at: f64) -> Result<js_sys::Promise, JsValue>;
    #[wasm_bindgen(catch)]
    fn clear(storage: &JsValue) -> Result<js_sys::Promise, JsValue>;
}

/// How long things last, for the alarm, which comes without an order: not one of the account's own rows.
const LIFETIMES: &str = "lifetimes";

/// Does what the object is told: `storage` is its own, `order` what the gate sent.
///
/// # Errors
/// If the state can't be read or written, or an end could not be announced: nothing is acknowledged then.
pub async fn ask(storage: JsValue, env: JsValue, order: String) -> Result<String, JsValue> {
    let Order { name, command, lifetimes } = serde_json::from_str(&order).map_err(unreadable)?;
    let object = Object { storage, env: env.unchecked_into(), name };
    let step = object.step(command, &lifetimes)?;
    let is_delivered = object.deliver(&step, &lifetimes).await;
    if step.promises_an_end && !is_delivered {
        return Err(JsValue::from_str("the register can't be reached"));
    }
    serde_json::to_string(&step.reply).map_err(unreadable)
}

/// Tells once more what could not be told, and forgets what is over.
///
/// # Errors
/// As for [`ask`]; the runtime tries again.
pub async fn alarm(storage: JsValue, env: JsValue) -> Result<(), JsValue> {
    let object = Object { storage, env: env.unchecked_into(), name: String::new() };
    let (_, lifetimes) = object.state()?;
    if let Some(lifetimes) = lifetimes {
        let step = object.step(Command::Tidy, &lifetimes)?;
        object.deliver(&step, &lifetimes).await;
        if object.state()?.0.is_empty() {
            JsFuture::from(clear(&object.storage)?).await?;
        }
    }
    Ok(())
}

struct Object {
    storage: JsValue,
    env: Env,
    name: String,
}

impl Object {
    fn state(&self) -> Result<(Rows, Option<Lifetimes>), JsValue> {
        let mut rows: Rows = serde_json::from_str(&read(&self.storage)?).map_err(unreadable)?;
        let lifetimes = rows.remove(LIFETIMES).and_then(|text| serde_json::from_str(&text).ok());
        Ok((rows, lifetimes))
    }

    fn step(&self, command: Command, lifetimes: &Lifetimes) -> Result<Step, JsValue> {
        let (rows, known) = self.state()?;
        let step = object::step(&rows, &self.name, command, lifetimes, now())
            .map_err(|_| JsValue::from_str("a row can't be read"))?;
        let mut changes = step.changes.clone();
        if !changes.is_empty() && known.as_ref() != Some(lifetimes) {
            changes.push((LIFETIMES.into(), serde_json::to_string(lifetimes).ok()));
        }
        if !changes.is_empty() {
            write(&self.storage, &serde_json::to_string(&changes).map_err(unreadable)?)?;
        }
        Ok(step)
    }

    /// Tells the register and KV what they must know; what they don't take is told again by the alarm. True if there is
    /// nothing left to tell the register.
    async fn deliver(&self, step: &Step, lifetimes: &Lifetimes) -> bool {
        let revocations = match step.announcements.is_empty() || self.announce(&step.announcements).await.is_ok() {
            true => step.announcements.clone(),
            false => Vec::new(),
        };
        let record = match &step.record {
            Some(record) if self.put(record).await.is_ok() => Some(record.clone()),
            _ => None,
        };
        let is_announced = revocations.len() == step.announcements.len();
        let mut is_all_told = is_announced && record == step.record;
        if !revocations.is_empty() || record.is_some() {
            is_all_told &= self.step(Command::Delivered { revocations, record }, lifetimes).is_ok();
        }
        let wake_at = if is_all_told { step.wake } else { Some(now().later(AGAIN)) };
        self.wake(wake_at).await;
        is_announced
    }

    async fn announce(&self, entries: &[Entry]) -> Result<(), JsValue> {
        let order =
            serde_json::to_string(&revocation::Ask::Revoke { entries: entries.to_vec() }).map_err(unreadable)?;
        ask_object(&self.env, revocation::BINDING, revocation::OBJECT, &order).await.map(drop)
    }

    async fn put(&self, record: &Pending) -> Result<(), JsValue> {
        let store = KvStore::from_this(&self.env, store::BINDING).map_err(JsValue::from)?;
        let put = store.put(&record.key, record.text.as_str()).map_err(JsValue::from)?;
        put.execute().await.map_err(JsValue::from)
    }

    /// Should the alarm fail to be set, the next order sets it.
    async fn wake(&self, at: Option<Timestamp>) {
        if let Some(at) = at {
            #[allow(clippy::cast_precision_loss)] // milliseconds of our time are below 2^53
            let set = wake(&self.storage, at.as_millis() as f64);
            if let Ok(set) = set {
                let _ = JsFuture::from(set).await;
            }
        }
    }
}

fn unreadable(error: serde_json::Error) -> JsValue {
    JsValue::from_str(&error.to_string())
}
