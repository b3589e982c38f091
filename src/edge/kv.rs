//! Reads and writes the KV namespace `USERS`.

use super::promise::Settled;
use crate::rules::store::BINDING;
use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    type Namespace;
    #[wasm_bindgen(method, catch)]
    fn get(this: &Namespace, key: &str, kind: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn put(this: &Namespace, key: &str, value: &str) -> Result<JsValue, JsValue>;
}

fn namespace(env: &JsValue) -> Result<Namespace, JsValue> {
    Reflect::get(env, &BINDING.into()).map(JsCast::unchecked_into)
}

/// The value under a key; `None` if there is none. The error is the runtime's exception.
pub(super) async fn get(env: &JsValue, key: &str) -> Result<Option<Vec<u8>>, JsValue> {
    let value = Settled::from(namespace(env)?.get(key, "arrayBuffer")?).await?;
    Ok((!value.is_null()).then(|| Uint8Array::new(&value).to_vec()))
}

/// Writes a value. The error is the runtime's exception.
pub(super) async fn put(env: &JsValue, key: &str, value: &str) -> Result<(), JsValue> {
    Settled::from(namespace(env)?.put(key, value)?).await.map(drop)
}
