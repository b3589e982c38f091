//! Implements [`Host`] in workerd with the worker's bindings.
//!
//! **What always holds:** a request that is run again after its instance was lost gets the random bytes, command ids
//! and replies of its first run. Every future here can be dropped at any time.

use super::{
    body,
    call::Call,
    clock::{self, duration_ms},
    objects, origin,
    promise::Settled,
    random,
};
use crate::{
    host::{BodyError, BodyUse, Fetch, FetchError, Fetched, Host, Limit, Unavailable},
    rules::{
        account::{Command, Lifetimes, Reply},
        config::{ADDRESS_LIMIT, HASHING_LIMIT},
        ids::ObjectName,
        log::Event,
        password::{HashJob, Hashed},
        revocation::Delta,
        time::{Duration, Timestamp},
    },
};
use futures_util::TryFutureExt;
use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/edge/js/fetch.mjs")]
extern "C" {
    #[wasm_bindgen(js_name = fetchWhole)]
    fn fetch_whole(url: &str, headers: &str, milliseconds: f64, limit: usize) -> js_sys::Promise;
}

#[wasm_bindgen]
extern "C" {
    /// A rate limiter binding of the runtime.
    type Limiter;
    #[wasm_bindgen(method, catch)]
    fn limit(this: &Limiter, key: &JsValue) -> Result<JsValue, JsValue>;
}

impl Host for Call {
    fn now(&self) -> Timestamp {
        clock::now()
    }

    fn random(&self, bytes: &mut [u8]) {
        let number = self.steps.draws.replace(self.steps.draws.get() + 1);
        match &self.progress {
            None => random::fill(bytes),
            #[allow(clippy::cast_possible_truncation)] // at most 96
            Some(progress) => progress.random(number).slice(0, bytes.len() as u32).copy_to(bytes),
        }
    }

    async fn read_body(&self, used_for: BodyUse, limit: usize) -> Result<Vec<u8>, BodyError> {
        match &self.request {
            Some(request) => body::read(used_for, request, limit).await,
            None => Err(BodyError::Interrupted),
        }
    }

    /// The runtime's limiters count per data centre and approximately.
    async fn within_limit(&self, limit: Limit<'_>, key: &str) -> bool {
        let binding = match limit {
            Limit::Address => ADDRESS_LIMIT,
            Limit::Hashing => HASHING_LIMIT,
            Limit::Requests(binding) => binding,
        };
        let allowed = async {
            let options = js_sys::Object::new();
            Reflect::set(&options, &"key".into(), &key.into())?;
            let limiter: Limiter = Reflect::get(&self.env, &binding.into())?.unchecked_into();
            let outcome = Settled::from(limiter.limit(&options)?).await?;
            Ok::<_, JsValue>(Reflect::get(&outcome, &"success".into())?.is_truthy())
        };
        self.within_timeout(allowed.map_err(|_| Unavailable)).await.unwrap_or_else(|_| {
            self.log(&Event::Unreachable(binding));
            true
        })
    }

    async fn account(
        &self,
        object: &ObjectName,
        command: Command,
        lifetimes: &Lifetimes,
    ) -> Result<Reply, Unavailable> {
        objects::send_command(self, object, command, lifetimes).await
    }

    async fn revocations(&self, since: u64) -> Result<Delta, Unavailable> {
        objects::revocations(self, since).await
    }

    /// Blocks: an isolate has one thread.
    async fn hash_password(&self, job: HashJob) -> Result<Hashed, Unavailable> {
        Ok(job.run())
    }

    async fn fetch(&self, request: Fetch) -> Result<Fetched, FetchError> {
        let Fetch { url, headers, timeout, max_bytes } = request;
        let answer = fetch_whole(&url, &origin::lines(&headers), duration_ms(timeout), max_bytes);
        let answer = Settled::from(answer).await.map_err(|_| FetchError::Unreachable)?;
        let member = |name: &str| Reflect::get(&answer, &name.into()).unwrap_or_default();
        match (answer.as_string().as_deref(), member("status").as_f64()) {
            (Some("timeout"), _) => Err(FetchError::Timeout),
            (Some("too_long"), _) => Err(FetchError::TooLong),
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // an HTTP status is at most 999
            (None, Some(status)) => {
                Ok(Fetched { status: status as u16, body: Uint8Array::new(&member("body")).to_vec() })
            }
            _ => Err(FetchError::Unreachable),
        }
    }

    async fn sleep(&self, duration: Duration) {
        clock::delay(duration).await;
    }
}
