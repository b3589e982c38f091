//! The context of one request.

use super::{
    clock, log, random, request_id,
    tasks::{self, Progress},
};
use crate::{
    host::Unavailable,
    rules::{
        config::Config,
        gate::Gate,
        log::{Event, RequestInfo},
        time::Timestamp,
    },
};
use base64ct::{Base64UrlUnpadded, Encoding};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    cell::{Cell, OnceCell},
    future::Future,
    rc::Rc,
};
use wasm_bindgen::prelude::*;
use worker::Env;

/// The context of one request: the gate, the worker's bindings and the log.
#[derive(Clone)]
pub struct Call {
    pub(super) gate: &'static Gate,
    pub(super) env: JsValue,
    /// The runtime's execution context, for work that continues after the answer.
    pub(super) ctx: JsValue,
    /// The request, if its body may be read.
    pub(super) request: Option<web_sys::Request>,
    /// Number of the request in this instance.
    pub(super) number: u32,
    pub(super) began: Timestamp,
    /// The state that the entry keeps, if the entry can run requests again.
    pub(super) progress: Option<Progress>,
    pub(super) steps: Rc<Steps>,
}

/// Counts the random draws and the commands of a request. If the request is run again, equal numbers get equal values.
#[derive(Default)]
pub(super) struct Steps {
    pub(super) draws: Cell<u32>,
    commands: Cell<u32>,
    id: OnceCell<String>,
}

#[wasm_bindgen]
extern "C" {
    /// The runtime's execution context of a request.
    type ExecutionContext;
    #[wasm_bindgen(method, js_name = waitUntil)]
    fn wait_until(this: &ExecutionContext, promise: &js_sys::Promise);
}

impl Call {
    pub(super) fn begin(gate: &'static Gate, env: JsValue, ctx: JsValue, progress: Option<Progress>) -> Self {
        Self {
            gate,
            env,
            ctx,
            request: None,
            number: request_id::next_number(),
            began: clock::now(),
            progress,
            steps: Rc::default(),
        }
    }

    /// The value that an earlier run of this request kept under this key: a second run must not be judged by the
    /// effects of the first.
    pub(super) fn kept<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        serde_json::from_str(&self.progress.as_ref()?.kept(key)?).ok()
    }

    /// Keeps a value under this key, in case the request is run again.
    pub(super) fn keep<T: Serialize>(&self, key: &str, value: &T) {
        if let (Some(progress), Ok(text)) = (&self.progress, serde_json::to_string(value)) {
            progress.keep(key, &text);
        }
    }

    /// The id of the next command to an object; the same id if the request is run again.
    pub(super) fn command_id(&self) -> String {
        let number = self.steps.commands.replace(self.steps.commands.get() + 1);
        let id = self.steps.id.get_or_init(|| match &self.progress {
            Some(progress) => progress.id(),
            None => Base64UrlUnpadded::encode_string(&random::array::<16>()),
        });
        format!("{id}-{number}")
    }

    /// The worker's bindings.
    #[must_use]
    pub fn env(&self) -> Env {
        self.env.clone().unchecked_into()
    }

    /// The gate's configuration.
    #[must_use]
    pub fn config(&self) -> &'static Config {
        self.gate.config()
    }

    /// Continues `future` after the answer was sent, for as long as the runtime allows.
    pub fn wait_until(&self, future: impl Future<Output = ()> + 'static) {
        let promise = tasks::promise(None, async {
            future.await;
            Ok(JsValue::UNDEFINED)
        });
        self.ctx.unchecked_ref::<ExecutionContext>().wait_until(&promise);
    }

    /// Waits for `answer`, but no longer than `TOLLGATE_STORE_TIMEOUT`.
    pub(super) async fn within_timeout<T>(
        &self,
        answer: impl Future<Output = Result<T, Unavailable>>,
    ) -> Result<T, Unavailable> {
        clock::within(self.config().store_timeout, answer).await.unwrap_or(Err(Unavailable))
    }

    /// Logs an event, unless its level is off or it is only counted.
    pub(super) fn log(&self, event: &Event<'_>) {
        let config = self.config();
        if event.level() > config.log {
            return;
        }
        let now = clock::now();
        if !log::is_written(config, event, now) {
            return;
        }
        let duration_ms = now.as_millis() - self.began.as_millis();
        if let Some(line) = event.line(config.log, Some(RequestInfo { id: &self.id(), duration_ms })) {
            log::write(&line);
        }
    }

    /// The request id, for the log and for `X-Request-Id`.
    pub(super) fn id(&self) -> String {
        format!("{}{}", request_id::prefix(), self.number)
    }
}
