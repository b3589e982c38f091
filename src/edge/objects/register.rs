//! Runs inside the Durable Object of the revocation log.

use super::{super::clock::now, unreadable};
use crate::rules::{
    revocation::{Ask, Entry, RevocationLog},
    time::{Duration, Timestamp},
};
use std::cell::RefCell;
use wasm_bindgen::prelude::*;

/// How often expired revocations are deleted.
const CLEANUP_INTERVAL: Duration = Duration::seconds(60);

#[wasm_bindgen(module = "/src/edge/js/objects.mjs")]
extern "C" {
    #[wasm_bindgen(catch)]
    fn entries(storage: &JsValue) -> Result<String, JsValue>;
    #[wasm_bindgen(catch)]
    fn change(storage: &JsValue, changes: &str) -> Result<(), JsValue>;
}

/// The stored log, held in memory: reading 100,000 rows for each order is too slow.
struct Held {
    log: RevocationLog,
    cleaned: Timestamp,
}

thread_local! {
    static HELD: RefCell<Option<Held>> = const { RefCell::new(None) };
}

/// Carries out an order and returns the reply, as JSON. `is_first`: whether this is the first order since the object
/// was started; then what the Wasm instance holds may be from an earlier object and is dropped.
///
/// # Errors
/// If the state can't be read or written: nothing is acknowledged then.
pub fn ask(storage: &JsValue, is_first: bool, order: &str) -> Result<String, JsValue> {
    let order: Ask = serde_json::from_str(order).map_err(unreadable)?;
    // Taken out while the order runs: if anything fails, the next order reads the rows again.
    let held = HELD.take().filter(|_| !is_first);
    let mut held = match held {
        Some(held) => held,
        None => {
            let stored: Vec<(u64, Entry)> = serde_json::from_str(&entries(storage)?).map_err(unreadable)?;
            Held { log: RevocationLog::read(stored), cleaned: Timestamp::default() }
        }
    };
    let now = now();
    let mut changes: Vec<(u64, Option<Entry>)> = Vec::new();
    if held.cleaned.later(CLEANUP_INTERVAL) < now {
        changes.extend(held.log.forget(now).into_iter().map(|number| (number, None)));
        held.cleaned = now;
    }
    let reply = match order {
        Ask::Revoke { entries } => {
            for entry in entries {
                if let Some((number, entry, former)) = held.log.revoke(entry, now) {
                    changes.extend(former.map(|former| (former, None)));
                    changes.push((number, Some(entry)));
                }
            }
            String::from("null")
        }
        Ask::Since { number } => serde_json::to_string(&held.log.since(number, now)).map_err(unreadable)?,
    };
    if !changes.is_empty() {
        change(storage, &serde_json::to_string(&changes).map_err(unreadable)?)?;
    }
    HELD.set(Some(held));
    Ok(reply)
}
