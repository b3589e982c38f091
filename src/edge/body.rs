//! Reads request bodies: with a limit for each body, a timeout, and a limit for all bodies that an instance holds at
//! once.

use super::{clock, promise::Settled};
use crate::{
    host::{BodyError, BodyUse},
    rules::time::Duration,
};
use js_sys::Uint8Array;
use std::{cell::Cell, thread::LocalKey};
use wasm_bindgen::prelude::*;
use web_sys::Request;

/// Bytes beyond the limit that are read and discarded, so that the client gets to read the 413.
const COURTESY: usize = 64 * 1024;

/// Maximum time for reading a body: enough for 64 KiB over any connection in use.
const TIMEOUT: Duration = Duration::seconds(20);

/// Maximum total bytes of the bodies that are being read, for each [`BodyUse`]: an isolate has 128 MB. With the default
/// limits 1,024 log-ins and 256 bodies with tokens are read at once, and neither use can exhaust the other's memory.
const MOST_BYTES: usize = 16 * 1024 * 1024;

thread_local! {
    /// Bytes reserved for log-ins and other bodies that the gate itself answers.
    static ENDPOINTS: Cell<usize> = const { Cell::new(0) };
    /// Bytes reserved for bodies that may hold a token.
    static TOKENS: Cell<usize> = const { Cell::new(0) };
}

#[wasm_bindgen(module = "/src/edge/js/body.mjs")]
extern "C" {
    #[wasm_bindgen(js_name = readBody)]
    fn read_body(request: &Request, limit: usize, courtesy: usize) -> js_sys::Promise;
}

/// Memory reserved for a body while it is being read; released when this is dropped, as it is when the request is
/// cancelled.
struct Reserved {
    pool: &'static LocalKey<Cell<usize>>,
    bytes: usize,
}

impl Reserved {
    fn reserve(used_for: BodyUse, bytes: usize) -> Option<Self> {
        let pool = match used_for {
            BodyUse::Endpoint => &ENDPOINTS,
            BodyUse::Token => &TOKENS,
        };
        let reserved = pool.get() + bytes;
        (reserved <= MOST_BYTES).then(|| {
            pool.set(reserved);
            Self { pool, bytes }
        })
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.pool.set(self.pool.get() - self.bytes);
    }
}

/// Reads the whole body, of `limit` bytes at most, within [`TIMEOUT`].
pub(super) async fn read(used_for: BodyUse, request: &Request, limit: usize) -> Result<Vec<u8>, BodyError> {
    let _reserved = Reserved::reserve(used_for, limit).ok_or(BodyError::TooMany)?;
    let body = Settled::from(read_body(request, limit, COURTESY));
    let body = clock::within(TIMEOUT, body).await.ok_or(BodyError::TooSlow)?.unwrap_or_default();
    match body.dyn_into::<Uint8Array>() {
        Ok(bytes) => Ok(bytes.to_vec()),
        Err(error) if error == "too_large" => Err(BodyError::TooLarge { limit }),
        Err(_) => Err(BodyError::Interrupted),
    }
}
