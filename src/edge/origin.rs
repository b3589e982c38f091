//! Forwards requests to an origin. Only the path (`strip` and `prefix`), header fields, cookies and query parameters
//! change, as [`crate::rules::forward`] and [`crate::rules::origin`] decide.
//!
//! **What always holds:** bodies stream in both directions, redirects go to the client, a WebSocket's response is the
//! origin's own but for its subprotocol, cookies, `X-Auth-Error` and `close_at_expiry`. A forwarded request waits in a
//! promise of the runtime, not in a Rust future, so a panic elsewhere in the instance does not end it.

use super::{
    call::Call,
    clock::{self, milliseconds},
    load, request_id, respond,
    view::View,
};
use crate::rules::{
    assertion::ASSERTION_HEADER,
    config::{Config, Location},
    forward::{self, CachePolicy, Filter, HeldBack},
    gate::Authorized,
    json::{self, Value, json},
    rejection::{BodyRejection, OriginRejection, Rejection},
    request::Headers as _,
    socket::PROTOCOL_HEADER,
};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use std::{borrow::Cow, cell::OnceCell};
use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/edge/js/fetch.mjs")]
extern "C" {
    fn names(request: &web_sys::Request) -> String;
    #[wasm_bindgen(js_name = makeSender)]
    fn make_sender(env: &JsValue, destinations: &str, site: &str, vary: &str, sets: u32, failed: &JsValue) -> JsValue;
    #[wasm_bindgen(catch)]
    fn send(
        sender: &JsValue,
        path_and_query: &str,
        request: &web_sys::Request,
        withheld: &str,
        added: &str,
        head: bool,
        began: f64,
        rule: usize,
        number: u32,
        policy: u32,
        closes_at: f64,
        protocol: &str,
    ) -> Result<JsValue, JsValue>;
}

/// Reasons why the origin gave no answer, numbered as in src/edge/js/fetch.mjs.
const LATE: u32 = 0;
const TOO_LONG: u32 = 2;

/// Arguments: reason, whether the method is HEAD, when the request began (milliseconds), index of the rule, and the
/// request's number if it has one.
type Failed = dyn Fn(u32, bool, f64, usize, Option<u32>) -> JsValue;

thread_local! {
    /// Shared by all requests: a closure for each costs 0.03 of a forwarded request's time.
    static FAILED: JsValue = Closure::<Failed>::new(failed).into_js_value();
    /// The function that sends to the origin, made when the first request is forwarded.
    static SENDER: OnceCell<JsValue> = const { OnceCell::new() };
}

fn failed(reason: u32, head: bool, began: f64, rule: usize, number: Option<u32>) -> JsValue {
    let rejection = match reason {
        LATE => Rejection::Origin(OriginRejection::Timeout),
        TOO_LONG => Rejection::Body(BodyRejection::TooLarge { limit: None }),
        _ => Rejection::Origin(OriginRejection::Unreachable),
    };
    let Some(gate) = load::loaded() else { return respond::broken(&JsValue::UNDEFINED).into() };
    let began = clock::timestamp(began);
    let number = number.unwrap_or_else(request_id::next_number);
    let call = Call { number, began, ..Call::begin(gate, JsValue::UNDEFINED, JsValue::UNDEFINED, None) };
    let rule = gate.config().routes.rules().find(|known| known.index == rule).map_or("", |rule| &rule.path);
    respond::refuse(&call, head, rejection, rule).into()
}

pub(super) fn forward(call: &Call, view: &View, authorized: &Authorized<'_>) -> JsValue {
    call.log(&authorized.event());
    let config = call.gate.config();
    let held_back = HeldBack::new(authorized, config);
    let path_and_query = held_back.without_parameter(view.path_and_query());
    let mut withheld = withheld(view, authorized, config);
    let mut added = forward::identity_headers(authorized.principal(), config);
    let cookies = if held_back.has_cookies() { view.get("cookie") } else { None };
    if let Some(others) = cookies.and_then(|cookies| held_back.without_cookies(&cookies)) {
        set_or_withhold("cookie", others, &mut added, &mut withheld);
    }
    if forward::has_proxied_fields(config) {
        added.extend(forward::proxied_fields(&view.request(), authorized.rule(), config));
    }
    if let Some(assertion) = forward::assertion(authorized, config, call.began) {
        added.push((ASSERTION_HEADER.into(), assertion.text));
    }
    // A subprotocol that the gate must choose if the origin chooses none: browsers end a handshake otherwise.
    let (mut protocol, mut location) = ("", authorized.principal().location());
    if let Some(fields) = call.gate.socket_fields(&view.request()) {
        protocol = config.websocket_protocol.as_deref().unwrap_or_default();
        location = location.filter(|_| view.get(&config.token_header()).is_some());
        set_or_withhold(PROTOCOL_HEADER, fields.protocols, &mut added, &mut withheld);
        if !fields.has_cookies {
            added.retain(|(name, _)| name != "cookie");
            set_or_withhold("cookie", String::new(), &mut added, &mut withheld);
        }
    }
    let sent = send(
        &sender(config, &call.env),
        &path_and_query,
        view.raw(),
        &withheld,
        &lines(&added),
        view.is_head(),
        milliseconds(call.began),
        authorized.rule().index,
        call.number,
        CachePolicy::new(authorized.rule(), location, config).bits(),
        authorized.closes_at().map_or(0.0, milliseconds),
        protocol,
    );
    // For example, a field that JavaScript's `Headers` refuses.
    sent.unwrap_or_else(|error| respond::failed(call, view.is_head(), &error, authorized.rule()).into())
}

/// Sends a field with another value, or not at all if nothing is left of it.
fn set_or_withhold(
    name: &'static str,
    value: String,
    added: &mut Vec<(Cow<'static, str>, String)>,
    withheld: &mut String,
) {
    if value.is_empty() {
        let separator = if withheld.is_empty() { "" } else { "\n" };
        withheld.extend([separator, name]);
    } else {
        added.push((name.into(), value));
    }
}

/// The JavaScript function that sends requests to the origins. It takes the arguments of [`Failed`], except the first,
/// and passes them on if an origin fails.
pub(super) fn sender(config: &Config, env: &JsValue) -> JsValue {
    SENDER.with(|sender| sender.get_or_init(|| FAILED.with(|failed| sender_to(config, env, failed))).clone())
}

fn sender_to(config: &Config, env: &JsValue, failed: &JsValue) -> JsValue {
    let mut destinations = Vec::new();
    for rule in config.routes.rules() {
        destinations.resize(destinations.len().max(rule.index + 1), Value::Null);
        let Some((forwarding, origin)) = rule.forwarding().and_then(|to| Some((to, config.origin(to)?))) else {
            continue;
        };
        let headers = origin.headers.iter().map(|header| json!([header.name, header.value.expose()]));
        destinations[rule.index] = json!({
            "site": origin.site(),
            "binding": origin.binding(),
            "timeoutMs": clock::duration_ms(origin.timeout),
            "headers": headers.collect::<Vec<_>>(),
            "strip": in_url(&forwarding.strip),
            "prefix": in_url(&origin.prefix),
            // The hot path forwards only requests with a token in a header.
            "policy": CachePolicy::new(rule, Some(Location::Headers), config).bits(),
        });
    }
    make_sender(
        env,
        &json::to_ascii(&destinations),
        config.public_url.as_deref().unwrap_or_default(),
        &forward::vary(config),
        forward::forwarded_fields(config),
        failed,
    )
}

/// A path of the configuration as it is in URLs (WHATWG URL, "path percent-encode set"). Escapes stay.
fn in_url(path: &str) -> String {
    const SET: &AsciiSet =
        &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>').add(b'?').add(b'^').add(b'`').add(b'{').add(b'}');
    utf8_percent_encode(path, SET).to_string()
}

/// Serialises header fields, one a line.
pub(super) fn lines(fields: &[(impl AsRef<str>, String)]) -> String {
    fields.iter().map(|(name, value)| format!("{}:{value}", name.as_ref())).collect::<Vec<_>>().join("\n")
}

/// Names of the client's header fields that are not forwarded, one a line.
fn withheld(view: &View, authorized: &Authorized<'_>, config: &Config) -> String {
    // One call to JavaScript gets all the names; the values stay there.
    let names = names(view.raw());
    let connection = names.lines().any(|name| name == "connection").then(|| view.get("connection")).flatten();
    let filter = Filter::new(authorized, connection.as_deref(), config);
    names.lines().filter(|name| filter.withholds(name)).collect::<Vec<_>>().join("\n")
}
