//! Makes the gate of this instance from the worker's variables at the first request, and keeps it.
//!
//! Values in Secrets Store are awaited before that. Each request that comes meanwhile asks for them itself, since a
//! promise belongs to the request that it was made for; if one is not to be had, the next request asks again.

use super::{clock, log, promise::Settled};
use crate::rules::{
    config::{Bindings, Config, Environment, Loaded, Secrets, options, secret_names, service_names},
    diagnostic::Diagnostic,
    gate::Gate,
    hooks::Hooks,
    json::{Map, Value},
    log::{Event, Level},
    time::Duration,
};
use futures_util::future::try_join_all;
use std::cell::{Cell, OnceCell};
use wasm_bindgen::prelude::*;

/// How long Secrets Store may take to answer: the default of `TOLLGATE_STORE_TIMEOUT`, which is not read by then.
const SECRETS_TIMEOUT: Duration = Duration::seconds(5);

thread_local! {
    static GATE: OnceCell<Option<&'static Gate>> = const { OnceCell::new() };
    /// The gate, if its handlers are [`DefaultHandlers`].
    static STOCK: Cell<Option<&'static Gate>> = const { Cell::new(None) };
}

/// The gate; `None` if the configuration has problems. Problems, faults and warnings are logged once, when the
/// configuration is read. `secrets`: the values that [`InSecretsStore`] has read.
pub(super) fn gate(
    env: &JsValue,
    secrets: Map<String, Value>,
    hooks: impl FnOnce() -> Hooks,
    has_inner: bool,
    bindings: Bindings,
) -> Option<&'static Gate> {
    GATE.with(|gate| {
        *gate.get_or_init(|| {
            let hooks = hooks();
            let is_stock = hooks.is_default();
            let variables = Variables::of(env).with(secrets);
            let gate = read(&variables, env, hooks, has_inner, bindings);
            STOCK.set(gate.filter(|_| is_stock));
            gate
        })
    })
}

/// The gate, if [`gate`] has made it with [`DefaultHandlers`]: then decisions depend on the request, the configuration,
/// the revocations and the time only.
pub(super) fn stock() -> Option<&'static Gate> {
    STOCK.get()
}

/// The gate, if [`gate`] has made it.
pub(super) fn loaded() -> Option<&'static Gate> {
    GATE.with(|gate| gate.get().copied().flatten())
}

fn read(
    variables: &Variables,
    env: &JsValue,
    hooks: Hooks,
    has_inner: bool,
    bindings: Bindings,
) -> Option<&'static Gate> {
    let Variables { vars, secrets_store } = variables;
    let environment = Environment {
        vars,
        bindings,
        secrets_store,
        secrets: Secrets::Visible,
        serves_inner: Some(has_inner),
        has_binding: &|name| has_function(env, name, "fetch"),
        has_limiter: &|name| has_function(env, name, "limit"),
    };
    let Loaded { config, faults, mut warnings, unseen: _ } = Config::read_from(environment);
    warnings.extend(bindings.missing());
    // Problems are logged whatever log level the rejected configuration sets.
    let level = config.as_ref().map_or(Level::Info, |config| config.log);
    let log = |event: fn(&Diagnostic) -> Event<'_>, diagnostics: &[Diagnostic]| {
        for diagnostic in diagnostics {
            if let Some(line) = event(diagnostic).line(level, None) {
                log::write(&line);
            }
        }
    };
    log(|warning| Event::Warning(warning), &warnings);
    log(|fault| Event::Fault(fault), &faults);
    match config {
        // Leaked: the gate is used until the instance ends, and decisions that borrow it can be held across an await.
        Ok(config) => Some(Box::leak(Box::new(Gate::new(config, hooks)))),
        Err(problems) => {
            log(|problem| Event::Problem(problem), &problems);
            None
        }
    }
}

/// Bindings to Secrets Store that are named like an option, or that `ORIGINS` names: each with its name.
pub(super) struct InSecretsStore(Vec<(String, SecretBinding)>);

#[wasm_bindgen]
extern "C" {
    /// A binding to Secrets Store.
    type SecretBinding;
    #[wasm_bindgen(method, catch)]
    fn get(this: &SecretBinding) -> Result<js_sys::Promise, JsValue>;
}

impl InSecretsStore {
    /// What the gate waits for before it is made; `None` if nothing, or if it is made.
    pub(super) fn awaited(env: &JsValue) -> Option<Self> {
        if GATE.with(|gate| gate.get().is_some()) {
            return None;
        }
        let names = Variables::of(env).secrets_store;
        let bindings = names.into_iter().map(|name| {
            let binding = js_sys::Reflect::get(env, &name.as_str().into()).unwrap_or_default();
            (name, binding.unchecked_into())
        });
        Some(Self(bindings.collect())).filter(|all| !all.0.is_empty())
    }

    /// Their values.
    ///
    /// # Errors
    /// The name of one that has none, or gives none in time.
    pub(super) async fn read(self) -> Result<Map<String, Value>, String> {
        let one = |(name, binding): (String, SecretBinding)| async move {
            let value = async { Settled::from(binding.get()?).await };
            match clock::within(SECRETS_TIMEOUT, value).await {
                Some(Ok(value)) if value.is_string() => Ok((name, as_json(&value))),
                _ => Err(name),
            }
        };
        try_join_all(self.0.into_iter().map(one)).await.map(|values| values.into_iter().collect())
    }
}

/// The worker's bindings that are named like an option.
struct Variables {
    vars: Map<String, Value>,
    /// Names of bindings to Secrets Store.
    secrets_store: Vec<String>,
}

impl Variables {
    /// The same, with these values of bindings to Secrets Store.
    fn with(mut self, secrets: Map<String, Value>) -> Self {
        self.secrets_store.retain(|name| !secrets.contains_key(name));
        self.vars.extend(secrets);
        self
    }

    /// Reads the variables and secrets that are named like an option, or in `ORIGINS`, as JSON. Other bindings are not
    /// read.
    fn of(env: &JsValue) -> Self {
        let mut all = Self { vars: Map::new(), secrets_store: Vec::new() };
        let names = js_sys::Object::keys(env.unchecked_ref::<js_sys::Object>());
        for name in names.iter().filter_map(|name| name.as_string()).filter(|name| options::looks_like_ours(name)) {
            let Ok(value) = js_sys::Reflect::get(env, &name.as_str().into()) else { continue };
            if is_secret_binding(&value) {
                // Other bindings have a method `get` too, services, namespaces of KV and of objects.
                if options::find(&name).is_none() {
                    continue;
                }
                all.secrets_store.push(name);
                continue;
            }
            all.vars.insert(name, as_json(&value));
        }
        let services = service_names(&all.vars);
        for name in secret_names(&all.vars).into_iter().filter(|name| !services.contains(name)) {
            match js_sys::Reflect::get(env, &name.as_str().into()) {
                Ok(value) if value.is_string() => drop(all.vars.insert(name, as_json(&value))),
                Ok(value) if is_secret_binding(&value) => all.secrets_store.push(name),
                Ok(_) | Err(_) => {}
            }
        }
        all
    }
}

/// A variable is plain data; a binding to Secrets Store is an object with an asynchronous method `get`.
fn is_secret_binding(value: &JsValue) -> bool {
    value.is_object() && js_sys::Reflect::get(value, &"get".into()).is_ok_and(|get| get.is_function())
}

fn as_json(value: &JsValue) -> Value {
    let text = js_sys::JSON::stringify(value).ok().and_then(|text| text.as_string());
    text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or(Value::Null)
}

/// The bindings that the worker has.
pub(super) fn bindings(env: &JsValue) -> Bindings {
    Bindings::of(|name| has(env, name))
}

/// Whether a binding of the worker has a function of this name.
fn has_function(env: &JsValue, name: &str, function: &str) -> bool {
    let is_own = js_sys::Object::keys(env.unchecked_ref::<js_sys::Object>()).includes(&name.into(), 0);
    let binding = js_sys::Reflect::get(env, &name.into()).unwrap_or_default();
    is_own && js_sys::Reflect::get(&binding, &function.into()).is_ok_and(|function| function.is_function())
}

fn has(env: &JsValue, name: &str) -> bool {
    js_sys::Reflect::has(env, &name.into()).unwrap_or_default()
}
