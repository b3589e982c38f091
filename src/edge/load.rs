//! The gate of this instance: read from the worker's variables at the first request, then kept.

use crate::rules::{
    config::{Bindings, Config, Environment, Loaded, Secrets, options},
    diagnostic::Diagnostic,
    gate::Gate,
    hooks::Hooks,
    json::{Map, Value},
    log::{Event, Level},
};
use base64ct::{Base64UrlUnpadded, Encoding};
use std::cell::{Cell, OnceCell};
use wasm_bindgen::prelude::*;

thread_local! {
    static GATE: OnceCell<Option<&'static Gate>> = const { OnceCell::new() };
    /// The gate, if no application has replaced anything.
    static STOCK: Cell<Option<&'static Gate>> = const { Cell::new(None) };
    static INSTANCE: OnceCell<String> = const { OnceCell::new() };
}

/// The gate, `None` if the configuration is wrong. Its problems and warnings are logged once.
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
            let gate = read(&variables, hooks, has_inner, bindings);
            STOCK.set(gate.filter(|_| is_stock));
            gate
        })
    })
}

/// The gate, if [`gate`] has made it and what it decides depends on nothing but the request, the keys and the time.
pub(super) fn stock() -> Option<&'static Gate> {
    STOCK.get()
}

/// The gate, if [`gate`] has made it.
pub(super) fn loaded() -> Option<&'static Gate> {
    GATE.with(|gate| gate.get().copied().flatten())
}

fn read(variables: &Variables, hooks: Hooks, has_inner: bool, bindings: Bindings) -> Option<&'static Gate> {
    let Variables { vars, secrets_store } = variables;
    let environment =
        Environment { vars, bindings, secrets_store, secrets: Secrets::Visible, serves_inner: Some(has_inner) };
    let Loaded { config, faults, mut warnings, unseen: _ } = Config::read_from(environment);
    warnings.extend(bindings.missing());
    // A wrong configuration is told whatever it says of the log's level.
    let level = config.as_ref().map_or(Level::Info, |config| config.log);
    let tell = |event: fn(&Diagnostic) -> Event<'_>, notices: &[Diagnostic]| {
        for notice in notices {
            if let Some(line) = event(notice).line(level, None) {
                super::log::write(&line);
            }
        }
    };
    tell(|notice| Event::Warning(notice), &warnings);
    tell(|notice| Event::Fault(notice), &faults);
    match config {
        // It lives as long as the instance, whose memory goes as a whole; so decisions can be kept across a wait.
        Ok(config) => Some(Box::leak(Box::new(Gate::new(config, hooks)))),
        Err(problems) => {
            tell(|notice| Event::Problem(notice), &problems);
            None
        }
    }
}

/// What a worker is given that has an option's name.
struct Variables {
    vars: Map<String, Value>,
    /// Bound to Secrets Store.
    secrets_store: Vec<String>,
}

impl Variables {
    /// The variables and secrets that are options, as JSON. Other bindings are not touched.
    fn of(env: &JsValue) -> Self {
        let mut all = Self { vars: Map::new(), secrets_store: Vec::new() };
        let names = js_sys::Object::keys(env.unchecked_ref::<js_sys::Object>());
        for name in names.iter().filter_map(|name| name.as_string()).filter(|name| options::looks_like_ours(name)) {
            let Ok(value) = js_sys::Reflect::get(env, &name.as_str().into()) else { continue };
            // A variable is plain data; a secret of Secrets Store is an object with a method that gives a promise.
            let is_binding =
                value.is_object() && js_sys::Reflect::get(&value, &"get".into()).is_ok_and(|get| get.is_function());
            if is_binding {
                all.secrets_store.push(name);
                continue;
            }
            let text = js_sys::JSON::stringify(&value).ok().and_then(|text| text.as_string());
            let value = text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or(Value::Null);
            all.vars.insert(name, value);
        }
        all
    }
}

/// Which bindings the worker has.
pub(super) fn bindings(env: &JsValue) -> Bindings {
    Bindings::of(|name| js_sys::Reflect::has(env, &name.into()).unwrap_or_default())
}

/// Random, once an instance: the beginning of its request ids.
pub(super) fn instance_id() -> String {
    INSTANCE.with(|id| id.get_or_init(|| Base64UrlUnpadded::encode_string(&random::<9>())).clone())
}

/// Random bytes from the runtime's generator.
pub(super) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}

/// Fills with random bytes from the runtime's generator.
pub(super) fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the runtime has randomness while it handles a request");
}
