//! Reading a body, no further than to a limit, and no longer.

use crate::rules::gate::BodyFault;
use futures_util::future::{Either, select};
use js_sys::{Reflect, Uint8Array};
use std::{pin::pin, time::Duration};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{ReadableStreamDefaultReader, Request};
use worker::Delay;

/// Of a body that is too long as much more is taken in and thrown away: a client that is hung up on while it sends may
/// never see why.
const COURTESY: usize = 256 * 1024;

/// A body of a few kilobytes is here by then, from anywhere.
const PATIENCE: Duration = Duration::from_secs(20);

/// The body, whole and in time.
pub(super) async fn read(request: &Request, limit: usize) -> Result<Vec<u8>, BodyFault> {
    match select(pin!(whole(request, limit)), pin!(Delay::from(PATIENCE))).await {
        Either::Left((body, _)) => body,
        Either::Right(((), _)) => Err(BodyFault::TooSlow),
    }
}

/// The body, whole. It is read from a copy of the request, so that the entry can run the request again.
async fn whole(request: &Request, limit: usize) -> Result<Vec<u8>, BodyFault> {
    let copy = request.clone().map_err(|_| BodyFault::Interrupted)?;
    let Some(stream) = copy.body() else { return Ok(Vec::new()) };
    let reader: ReadableStreamDefaultReader = stream.get_reader().unchecked_into();
    let mut body = Vec::new();
    let mut length = 0;
    loop {
        let part = JsFuture::from(reader.read()).await.map_err(|_| BodyFault::Interrupted)?;
        let value = Reflect::get(&part, &"value".into()).unwrap_or(JsValue::UNDEFINED);
        if value.is_undefined() {
            return if length > limit { Err(BodyFault::TooLarge) } else { Ok(body) };
        }
        let chunk: Uint8Array = value.unchecked_into();
        length += chunk.length() as usize;
        if length > limit + COURTESY {
            let _ = reader.cancel();
            return Err(BodyFault::TooLarge);
        }
        if length <= limit {
            body.extend(chunk.to_vec());
        }
    }
}
