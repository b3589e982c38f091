//! The thin adapter between workerd and the rules: wasm32 only.
//!
//! **What always holds:** it decides nothing. It turns a request into plain values, asks [`Gate::decide`], answers the
//! questions that come back (KV, body), and turns the decision into a response. Who it lets where is in the rules.

mod assets;
mod body;
mod load;
mod origin;
mod respond;
mod users;
mod view;

use crate::rules::{
    gate::{Ask, Decision, Gate},
    log::{Event, RequestInfo},
    time::Timestamp,
};
use std::{cell::Cell, future::Future, pin::Pin, task};
use view::View;
use wasm_bindgen::prelude::*;
use web_sys::Request;
use worker::Context;

/// A request on its way, with all that answering it may take.
#[derive(Clone)]
pub(crate) struct Call {
    gate: &'static Gate,
    request: Request,
    env: JsValue,
    /// The runtime's execution context, for what goes on behind the answer.
    ctx: JsValue,
    /// Number of the request in this instance.
    number: u32,
    began: Timestamp,
}

#[wasm_bindgen]
extern "C" {
    /// What the entry knows of a call.
    pub type Progress;
    #[wasm_bindgen(method, setter, js_name = inRust)]
    fn set_in_rust(this: &Progress, in_rust: bool);
    #[wasm_bindgen(method, setter)]
    fn set_polling(this: &Progress, polling: bool);
}

thread_local! {
    static CALLS: Cell<u32> = const { Cell::new(0) };
}

/// Handles one request: a `Response`, or a promise of one where something must be waited for.
#[wasm_bindgen]
pub fn handle(request: Request, env: JsValue, ctx: JsValue, progress: Progress) -> JsValue {
    #[cfg(feature = "fault-injection")]
    if let Some(answer) = faults::provoke(&request, &progress) {
        return answer;
    }
    let Some(gate) = load::gate(&env) else {
        return respond::misconfigured(&request).into();
    };
    let number = CALLS.with(|calls| calls.replace(calls.get().wrapping_add(1)));
    let call = Call { gate, request, env, ctx, number, began: now() };
    let view = View::read(&call.request);
    match gate.decide(&view.request(), call.began) {
        Decision::Refuse(refused) => respond::refuse(&call, &refused).into(),
        Decision::Answer(answered) => respond::answer(&call, &answered).into(),
        Decision::Forward(passage) => origin::forward(&call, &view, &passage),
        Decision::Assets(passage) => assets::serve(&call, &view, &passage),
        Decision::Ask(ask) => promise(progress, settle(call, view, ask)),
    }
}

/// Answers questions until the decision is made, then carries it out.
async fn settle(call: Call, view: View, mut ask: Ask<'static>) -> JsValue {
    loop {
        let decision = match ask {
            Ask::Body(question) => {
                let body = body::read(&call.request, question.limit()).await;
                question.answer(body)
            }
            Ask::Authenticate(question) => {
                let identity = users::authenticate(&call, question.credentials()).await;
                question.answer(identity, now())
            }
            Ask::Identity(question) => {
                let identity = users::identity(&call, question.id()).await;
                question.answer(identity)
            }
        };
        ask = match decision {
            Decision::Ask(next) => next,
            Decision::Refuse(refused) => return respond::refuse(&call, &refused).into(),
            Decision::Answer(answered) => return respond::answer(&call, &answered).into(),
            Decision::Forward(passage) => return origin::forward(&call, &view, &passage),
            Decision::Assets(passage) => return assets::serve(&call, &view, &passage),
        };
    }
}

/// What the entry answers for a request whose instance was lost.
#[wasm_bindgen]
pub fn broken() -> web_sys::Response {
    respond::broken()
}

impl Call {
    /// Writes a line to the log, if its level is wanted.
    fn log(&self, event: &Event<'_>) {
        let level = self.gate.config().log;
        if event.level() > level {
            return;
        }
        let duration_ms = now().as_millis() - self.began.as_millis();
        if let Some(line) = event.line(level, Some(RequestInfo { id: &self.id(), duration_ms })) {
            web_sys::console::log_1(&line.into());
        }
    }

    /// An id for the log and the answer: this instance's random beginning, and the number of the request.
    fn id(&self) -> String {
        format!("{}-{}", load::instance_id(), self.number)
    }

    /// Goes on with something after the answer was sent.
    fn behind(&self, future: impl Future<Output = ()> + 'static) {
        Context::new(self.ctx.clone().unchecked_into()).wait_until(future);
    }
}

fn now() -> Timestamp {
    #[allow(clippy::cast_possible_truncation)] // whole milliseconds, far below 2^53
    Timestamp::from_millis(js_sys::Date::now() as i64)
}

/// A promise of a future's value. The entry is told how long the answer depends on this instance, and when the future
/// runs: should it panic then, it was this request.
fn promise(progress: Progress, future: impl Future<Output = JsValue> + 'static) -> JsValue {
    struct Told<F> {
        progress: Progress,
        future: Pin<Box<F>>,
    }
    impl<F: Future> Future for Told<F> {
        type Output = F::Output;
        fn poll(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> task::Poll<F::Output> {
            self.progress.set_polling(true);
            let poll = self.future.as_mut().poll(context);
            self.progress.set_polling(false);
            if poll.is_ready() {
                self.progress.set_in_rust(false);
            }
            poll
        }
    }
    progress.set_in_rust(true);
    let told = Told { progress, future: Box::pin(future) };
    wasm_bindgen_futures::future_to_promise(async move { Ok(told.await) }).into()
}

/// Ways to break the instance, for tests/e2e/panic.test.mjs alone.
#[cfg(feature = "fault-injection")]
mod faults {
    use super::{Progress, now, promise};
    use wasm_bindgen::prelude::*;

    pub(super) fn provoke(request: &web_sys::Request, progress: &Progress) -> Option<JsValue> {
        let url = request.url();
        let progress = || AsRef::<JsValue>::as_ref(progress).clone().unchecked_into::<Progress>();
        match url.split_once("/__test/")?.1 {
            "panic" => panic!("on purpose, at {}", now().as_millis()),
            "panic-later" => Some(promise(progress(), async {
                worker::Delay::from(std::time::Duration::from_millis(50)).await;
                panic!("on purpose, while others wait")
            })),
            "wait" => Some(promise(progress(), async {
                worker::Delay::from(std::time::Duration::from_millis(300)).await;
                web_sys::Response::new_with_opt_str(Some("waited")).expect("a response").into()
            })),
            "out-of-memory" => loop {
                std::mem::forget(std::hint::black_box(Vec::<u8>::with_capacity(64 << 20)));
            },
            "stack-overflow" => Some(JsValue::from_f64(recurse(1) as f64)),
            _ => None,
        }
    }

    #[inline(never)]
    fn recurse(n: u64) -> u64 {
        let frame = std::hint::black_box([n; 64]);
        if n == 0 {
            return 0;
        }
        recurse(frame[0] + 1) + std::hint::black_box(&frame)[3]
    }
}
