//! Futures that run for a request, and their end when the request is cancelled.
//!
//! **What always holds:** when a client cancels its request, the runtime drops the request's promises without settling
//! them. A future that waits for such a promise would never be dropped, nor would its memory. Each future is therefore
//! registered here: the entry drops it when it learns of the cancellation ([`drop_task`]), and a later request drops
//! futures older than any decision can be ([`sweep`]).

use super::clock::now;
use crate::rules::{
    gate::DECISION_TIMEOUT,
    time::{Duration, Timestamp},
};
use futures_util::future::{AbortHandle, Abortable};
use js_sys::{Promise, Uint8Array};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    task,
};
use wasm_bindgen::prelude::*;

/// Time between the decision's own timeout ([`DECISION_TIMEOUT`]) and the forced drop.
const MARGIN: Duration = Duration::seconds(10);

#[wasm_bindgen]
extern "C" {
    /// The state that the entry keeps of a request, or of an order to an object. It outlives the Wasm instance.
    #[derive(Clone)]
    pub type Progress;
    /// Records that the future with this number has begun.
    #[wasm_bindgen(method)]
    fn begin(this: &Progress, task: u32);
    /// Records that the future has ended: the answer no longer depends on this instance.
    #[wasm_bindgen(method)]
    fn end(this: &Progress);
    /// Records whether this future is being polled.
    #[wasm_bindgen(method, setter)]
    fn set_polling(this: &Progress, polling: bool);
    /// A random id of the request, the same if it is run again.
    #[wasm_bindgen(method, getter)]
    pub(super) fn id(this: &Progress) -> String;
    /// Random bytes for draw `number`, the same if the request is run again.
    #[wasm_bindgen(method)]
    pub(super) fn random(this: &Progress, number: u32) -> Uint8Array;
    /// The text that an earlier run of the request kept under this key.
    #[wasm_bindgen(method)]
    pub(super) fn kept(this: &Progress, key: &str) -> Option<String>;
    /// Keeps a text under this key, in case the request is run again.
    #[wasm_bindgen(method)]
    pub(super) fn keep(this: &Progress, key: &str, text: &str);
}

/// A registered future.
struct Task {
    handle: AbortHandle,
    began: Timestamp,
}

thread_local! {
    static NEXT: Cell<u32> = const { Cell::new(0) };
    /// Keyed by number, that is in the order in which the futures began.
    static TASKS: RefCell<BTreeMap<u32, Task>> = const { RefCell::new(BTreeMap::new()) };
}

/// A promise of a future's value. `progress` records when the future begins, is polled and ends.
pub fn promise(
    progress: Option<Progress>,
    future: impl Future<Output = Result<JsValue, JsValue>> + 'static,
) -> Promise {
    let number = NEXT.with(|next| next.replace(next.get().wrapping_add(1)));
    let (handle, registration) = AbortHandle::new_pair();
    TASKS.with_borrow_mut(|tasks| tasks.insert(number, Task { handle, began: now() }));
    if let Some(progress) = &progress {
        progress.begin(number);
    }
    let observed = Observed { number, progress, future: Abortable::new(Box::pin(future), registration) };
    wasm_bindgen_futures::future_to_promise(observed)
}

/// Drops a future with all that it holds; its promise resolves to `undefined`.
pub fn drop_task(number: u32) {
    if let Some(task) = TASKS.with_borrow_mut(|tasks| tasks.remove(&number)) {
        task.handle.abort();
    }
}

/// Drops every future that is older than a decision can be: [`DECISION_TIMEOUT`] and 10 s.
pub fn sweep() {
    let now = now();
    let is_old = |task: &Task| task.began.later(DECISION_TIMEOUT).later(MARGIN) < now;
    while let Some(number) =
        TASKS.with_borrow(|tasks| tasks.first_key_value().filter(|(_, task)| is_old(task)).map(|(number, _)| *number))
    {
        drop_task(number);
    }
}

/// The number of registered futures, for tests.
#[must_use]
pub fn count() -> usize {
    TASKS.with_borrow(BTreeMap::len)
}

struct Observed<F> {
    number: u32,
    progress: Option<Progress>,
    future: Abortable<Pin<Box<F>>>,
}

impl<F: Future<Output = Result<JsValue, JsValue>>> Future for Observed<F> {
    type Output = Result<JsValue, JsValue>;

    fn poll(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> task::Poll<Self::Output> {
        if let Some(progress) = &self.progress {
            progress.set_polling(true);
        }
        let poll = Pin::new(&mut self.future).poll(context);
        if let Some(progress) = &self.progress {
            progress.set_polling(false);
        }
        let task::Poll::Ready(outcome) = poll else { return task::Poll::Pending };
        TASKS.with_borrow_mut(|tasks| tasks.remove(&self.number));
        if let Some(progress) = &self.progress {
            progress.end();
        }
        // The value of a dropped future is not used.
        task::Poll::Ready(outcome.unwrap_or(Ok(JsValue::UNDEFINED)))
    }
}
