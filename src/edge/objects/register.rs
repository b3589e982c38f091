//! Inside the register of revocations.

use super::{now, unreadable};
use crate::rules::{
    revocation::{Ask, Entry, RevocationLog},
    time::{Duration, Timestamp},
};
use std::cell::RefCell;
use wasm_bindgen::prelude::*;

/// What is over is forgotten so often.
const FORGETS: Duration = Duration::seconds(60);

#[wasm_bindgen(module = "/src/edge/js/objects.mjs")]
extern "C" {
    #[wasm_bindgen(catch)]
    fn entries(storage: &JsValue) -> Result<String, JsValue>;
    #[wasm_bindgen(catch)]
    fn change(storage: &JsValue, changes: &str) -> Result<(), JsValue>;
}

/// What is stored, held in memory: a hundred thousand rows can't be read for each question.
struct Held {
    register: RevocationLog,
    forgot: Timestamp,
}

thread_local! {
    static HELD: RefCell<Option<Held>> = const { RefCell::new(None) };
}

/// Does what the register is told. `is_first`: is it the first order to this object since it was started? Then what
/// this instance holds may be of an earlier one.
///
/// # Errors
/// If the state can't be read or written: nothing is acknowledged then.
pub fn ask(storage: &JsValue, is_first: bool, order: &str) -> Result<String, JsValue> {
    let order: Ask = serde_json::from_str(order).map_err(unreadable)?;
    // Taken out while it is worked on: should anything fail, the next order reads it anew.
    let held = HELD.take().filter(|_| !is_first);
    let mut held = match held {
        Some(held) => held,
        None => {
            let stored: Vec<(u64, Entry)> = serde_json::from_str(&entries(storage)?).map_err(unreadable)?;
            Held { register: RevocationLog::read(stored), forgot: Timestamp::default() }
        }
    };
    let now = now();
    let mut changes: Vec<(u64, Option<Entry>)> = Vec::new();
    if held.forgot.later(FORGETS) < now {
        changes.extend(held.register.forget(now).into_iter().map(|number| (number, None)));
        held.forgot = now;
    }
    let reply = match order {
        Ask::Revoke { entries } => {
            for entry in entries {
                if let Some((number, entry, former)) = held.register.revoke(entry, now) {
                    changes.extend(former.map(|former| (former, None)));
                    changes.push((number, Some(entry)));
                }
            }
            String::from("null")
        }
        Ask::Since { number } => serde_json::to_string(&held.register.since(number, now)).map_err(unreadable)?,
    };
    if !changes.is_empty() {
        change(storage, &serde_json::to_string(&changes).map_err(unreadable)?)?;
    }
    HELD.set(Some(held));
    Ok(reply)
}
