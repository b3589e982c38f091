//! JavaScript promises as futures.
//!
//! **What always holds:** such a future can be dropped at any time and frees all its memory. (wasm-bindgen's `JsFuture`
//! leaks four allocations if its promise never settles, and promises of a cancelled request never do.) The promise's
//! callbacks hold only a number; the waker is in a table here, under that number.

use js_sys::Promise;
use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};
use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/edge/js/promise.mjs")]
extern "C" {
    fn watch(promise: &JsValue, number: u32, settle: &JsValue);
}

/// The state of a watched promise.
enum Slot {
    Pending(Waker),
    Settled(Result<JsValue, JsValue>),
}

thread_local! {
    static NEXT: Cell<u32> = const { Cell::new(0) };
    static SLOTS: RefCell<HashMap<u32, Slot>> = RefCell::new(HashMap::new());
    /// Shared by all promises.
    static SETTLE: JsValue = Closure::<dyn Fn(u32, bool, JsValue)>::new(settle).into_js_value();
}

fn settle(number: u32, is_fulfilled: bool, value: JsValue) {
    let outcome = if is_fulfilled { Ok(value) } else { Err(value) };
    let waker = SLOTS.with_borrow_mut(|slots| match slots.get_mut(&number) {
        // The future was dropped meanwhile.
        None => None,
        Some(slot) => match std::mem::replace(slot, Slot::Settled(outcome)) {
            Slot::Pending(waker) => Some(waker),
            Slot::Settled(_) => None,
        },
    });
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// A future of the value of a promise, a thenable or a plain value. The error is the reason the promise was rejected
/// with.
pub(super) struct Settled {
    promise: JsValue,
    number: Option<u32>,
}

impl From<JsValue> for Settled {
    fn from(promise: JsValue) -> Self {
        Self { promise, number: None }
    }
}

impl From<Promise> for Settled {
    fn from(promise: Promise) -> Self {
        JsValue::from(promise).into()
    }
}

impl Future for Settled {
    type Output = Result<JsValue, JsValue>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(number) = self.number else {
            let number = NEXT.with(|next| next.replace(next.get().wrapping_add(1)));
            SLOTS.with_borrow_mut(|slots| slots.insert(number, Slot::Pending(context.waker().clone())));
            self.number = Some(number);
            SETTLE.with(|settle| watch(&self.promise, number, settle));
            return Poll::Pending;
        };
        SLOTS.with_borrow_mut(|slots| match slots.remove(&number) {
            Some(Slot::Settled(outcome)) => Poll::Ready(outcome),
            Some(Slot::Pending(_)) | None => {
                slots.insert(number, Slot::Pending(context.waker().clone()));
                Poll::Pending
            }
        })
    }
}

impl Drop for Settled {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            SLOTS.with_borrow_mut(|slots| slots.remove(&number));
        }
    }
}
