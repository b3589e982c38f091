//! Questions of other workers, by RPC: whose a token is, and the end of tokens and sessions.

use super::{
    Application, Call, load, respond,
    tasks::{self, Progress},
};
use crate::rules::{
    gate::{Gate, Rejected},
    json::{self, Map},
};
use js_sys::Promise;
use std::future::Future;
use wasm_bindgen::prelude::*;

/// A call of another worker.
pub struct Asked<A> {
    /// The worker's bindings.
    pub env: JsValue,
    /// The runtime's execution context.
    pub ctx: JsValue,
    /// What the entry keeps of the call.
    pub progress: Progress,
    /// The application behind the gate.
    pub application: A,
    /// Whether it has code for rules with `to = "worker"`.
    pub has_inner: bool,
}

impl<A: Application> Asked<A> {
    /// A promise of the verdict on a token: under the rule with this pattern and method, or as an access token alone.
    pub fn verify(self, token: String, rule: Option<(String, String)>) -> Promise {
        self.promise(|gate, call, users| async move {
            let rule = match &rule {
                None => None,
                Some((path, method)) => Some(gate.rule_named(path, method).ok_or_else(|| no_rule(path, method))?),
            };
            let verified = gate.verify(&token, rule, &call, &users).await;
            Ok(respond::verdict_of(&call, verified))
        })
    }

    /// A promise of the claims of a token that is active, an access or a refresh token, as JSON (RFC 7662 §2.2); of
    /// `undefined` for any other token.
    pub fn introspect(self, token: String) -> Promise {
        self.promise(|gate, call, users| async move {
            match gate.introspect(&token, &call, &users).await {
                Ok(token) => Ok(json::to_ascii(&token.claims()).into()),
                Err(rejected) if gate.answer_to(&rejected).status >= 500 => Err(failure(gate, &rejected)),
                Err(_) => Ok(JsValue::UNDEFINED),
            }
        })
    }

    /// A promise that is settled when the end of the token, or of its session, is stored; rejected if nothing was
    /// ended.
    pub fn end_token(self, token: String) -> Promise {
        self.promise(|gate, call, _| async move {
            let ended = gate.end_token(&token, &call).await;
            ended.map(|_| JsValue::UNDEFINED).map_err(|rejected| failure(gate, &rejected))
        })
    }

    /// A promise of the answer to an operator's order, as JSON (docs/sessions.md); rejected if it was not carried out.
    pub fn order(self, order: String) -> Promise {
        self.promise(|gate, call, _| async move {
            if !gate.config().bindings.sessions {
                return Err(error("there are no sessions: bind ACCOUNTS and REVOCATIONS (docs/sessions.md)"));
            }
            let order = json::object(order.as_bytes()).map_err(|_| error("an order is a JSON object"))?;
            let answered = gate.order(&order, &call).await;
            answered.map(|answered| answered.answer.body.into()).map_err(|rejected| failure(gate, &rejected))
        })
    }

    /// A promise of what `answer` says, once the gate is made.
    fn promise<F: Future<Output = Result<JsValue, JsValue>>>(
        self,
        answer: impl FnOnce(&'static Gate, Call, A::Users) -> F + 'static,
    ) -> Promise {
        let Self { env, ctx, progress, application, has_inner } = self;
        tasks::sweep();
        tasks::promise(Some(progress.clone()), async move {
            let secrets = match load::InSecretsStore::awaited(&env) {
                None => Map::new(),
                Some(secrets) => {
                    secrets.read().await.map_err(|name| error(&format!("Secrets Store gives no {name}")))?
                }
            };
            let gate = load::gate(&env, secrets, || application.hooks(), has_inner, load::bindings(&env))
                .ok_or_else(|| error("the gate's configuration has problems: they are in its log"))?;
            let call = Call::begin(gate, env, ctx, Some(progress));
            let users = application.users(&call);
            answer(gate, call, users).await
        })
    }
}

fn no_rule(path: &str, method: &str) -> JsValue {
    error(&format!("no rule {path:?} for {method} looks at tokens: write the path as it stands in ROUTES"))
}

/// What was not done, for the worker that asked: code and status.
fn failure(gate: &Gate, rejected: &Rejected<'_>) -> JsValue {
    let status = gate.answer_to(rejected).status;
    error(&format!("{} ({status}): see docs/errors.md", rejected.rejection.code()))
}

fn error(text: &str) -> JsValue {
    js_sys::Error::new(text).into()
}
