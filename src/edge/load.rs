//! Makes the gate of this instance from the worker's variables at the first request, and keeps it.

use super::log;
use crate::rules::{
    config::{Bindings, Config, Environment, Loaded, Secrets, options, secret_names},
    diagnostic::Diagnostic,
    gate::Gate,
    hooks::Hooks,
    json::{Map, Value},
    log::{Event, Level},
};
use std::cell::{Cell, OnceCell};
use wasm_bindgen::prelude::*;

thread_local! {
    static GATE: OnceCell<Option<&'static Gate>> = const { OnceCell::new() };
    /// The gate, if its handlers are [`DefaultHandlers`].
    static STOCK: Cell<Option<&'static Gate>> = const { Cell::new(None) };
}

/// The gate; `None` if the configuration has problems. Problems, faults and warnings are logged once, when the
/// configuration is read.
pub(super) fn gate(
    env: &JsValue,
    hooks: impl FnOnce() -> Hooks,
    has_inner: bool,
    bindings: Bindings,
) -> Option<&'static Gate> {
    GATE.with(|gate| {
        *gate.get_or_init(|| {
            let hooks = hooks();
            let is_stock = hooks.is_default();
            let variables = Variables::of(env);
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

/// The worker's bindings that are named like an option.
struct Variables {
    vars: Map<String, Value>,
    /// Names of bindings to Secrets Store.
    secrets_store: Vec<String>,
}

impl Variables {
    /// Reads the variables and secrets that are named like an option, or in `ORIGINS`, as JSON. Other bindings are not
    /// read.
    fn of(env: &JsValue) -> Self {
        let mut all = Self { vars: Map::new(), secrets_store: Vec::new() };
        let names = js_sys::Object::keys(env.unchecked_ref::<js_sys::Object>());
        for name in names.iter().filter_map(|name| name.as_string()).filter(|name| options::looks_like_ours(name)) {
            let Ok(value) = js_sys::Reflect::get(env, &name.as_str().into()) else { continue };
            // A variable is plain data; a Secrets Store binding is an object with an asynchronous method `get`.
            let is_binding =
                value.is_object() && js_sys::Reflect::get(&value, &"get".into()).is_ok_and(|get| get.is_function());
            if is_binding {
                all.secrets_store.push(name);
                continue;
            }
            all.vars.insert(name, as_json(&value));
        }
        for name in secret_names(&all.vars) {
            if let Ok(value) = js_sys::Reflect::get(env, &name.as_str().into())
                && value.is_string()
            {
                all.vars.insert(name, as_json(&value));
            }
        }
        all
    }
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
