//! On to the origin: the request as it came but for its headers, and its answer as it is.
//!
//! **What always holds:** bodies stream through in both directions, redirects are handed back, a WebSocket's response
//! is the origin's own. What waits here waits in the runtime's promises, not in Rust, so a panic elsewhere in the
//! instance does not touch a forwarded request.

use super::{Call, load, view::View};
use crate::rules::{
    config::{Config, Location},
    forward::{self, CachePolicy, Filter, HeldBack},
    gate::Authorized,
    rejection::{BodyRejection, OriginRejection, Rejection},
    request::Headers as _,
    time::Timestamp,
};
use std::cell::OnceCell;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/edge/js/fetch.mjs")]
extern "C" {
    fn names(request: &web_sys::Request) -> String;
    #[wasm_bindgen(js_name = makeSender)]
    fn make_sender(
        base: &str,
        site: &str,
        milliseconds: f64,
        vary: &str,
        sets: u32,
        policies: Vec<u32>,
        failed: &JsValue,
    ) -> JsValue;
    #[wasm_bindgen(catch)]
    fn send(
        sender: &JsValue,
        place: &str,
        request: &web_sys::Request,
        withheld: &str,
        added: &str,
        head: bool,
        began: f64,
        rule: usize,
        number: u32,
        policy: u32,
        closes_at: f64,
    ) -> Result<JsValue, JsValue>;
}

/// Why there is no answer of the origin: the numbers of `fetch.mjs`.
const LATE: u32 = 0;
const TOO_LONG: u32 = 2;

/// Why, for HEAD or not, when the request began, under which rule, and the request's number if it has one yet.
type Failed = dyn Fn(u32, bool, f64, usize, Option<u32>) -> JsValue;

thread_local! {
    /// One for all requests: a closure for each costs 0.03 of a forwarded request's time.
    static FAILED: JsValue = Closure::<Failed>::new(failed).into_js_value();
    /// What sends to the origin; made with the first request that is forwarded.
    static SENDER: OnceCell<JsValue> = const { OnceCell::new() };
}

fn failed(why: u32, head: bool, began: f64, rule: usize, number: Option<u32>) -> JsValue {
    let rejection = match why {
        LATE => Rejection::Origin(OriginRejection::Timeout),
        TOO_LONG => Rejection::Body(BodyRejection::TooLarge { limit: None }),
        _ => Rejection::Origin(OriginRejection::Unreachable),
    };
    let Some(gate) = load::loaded() else { return super::broken(&JsValue::UNDEFINED).into() };
    #[allow(clippy::cast_possible_truncation)] // it was one
    let began = Timestamp::from_millis(began as i64);
    let number = number.unwrap_or_else(super::next_number);
    let call = Call { number, began, ..Call::begin(gate, JsValue::UNDEFINED, JsValue::UNDEFINED, None) };
    let rule = gate.config().routes.rules().find(|known| known.index == rule).map_or("", |rule| &rule.path);
    call.refuse(head, rejection, rule).into()
}

pub(super) fn forward(call: &Call, view: &View, passage: &Authorized<'_>) -> JsValue {
    call.log(&passage.event());
    let config = call.gate.config();
    let held_back = HeldBack::new(passage, config);
    let path_and_query = held_back.without_parameter(view.path_and_query());
    let mut withheld = withheld(view, passage, config);
    let mut added = forward::identity_headers(passage.principal());
    let cookies = if held_back.has_cookies() { view.get("cookie") } else { None };
    match cookies.and_then(|cookies| held_back.without_cookies(&cookies)) {
        Some(none) if none.is_empty() => {
            withheld += if withheld.is_empty() { "cookie" } else { "\ncookie" };
        }
        Some(others) => added.push(("cookie", others)),
        None => {}
    }
    let sent = send(
        &sender(config),
        &path_and_query,
        view.raw(),
        &withheld,
        &lines(&added),
        view.is_head(),
        super::hot::milliseconds(call.began),
        passage.rule().index,
        call.number,
        CachePolicy::new(passage.rule(), passage.principal().location(), config).bits(),
        passage.closes_at().map_or(0.0, super::hot::milliseconds),
    );
    // A field that JavaScript's `Headers` does not take, say.
    sent.unwrap_or_else(|error| call.failed(view.is_head(), &error, passage.rule()))
}

/// A function of JavaScript that sends to the origin what is forwarded, with a policy for each rule: what it must know
/// if the origin fails are the arguments of [`Failed`] but the first.
pub(super) fn sender(config: &Config) -> JsValue {
    SENDER.with(|sender| sender.get_or_init(|| FAILED.with(|failed| sender_to(config, failed))).clone())
}

fn sender_to(config: &Config, failed: &JsValue) -> JsValue {
    let mut policies = Vec::new();
    for rule in config.routes.rules() {
        policies.resize(policies.len().max(rule.index + 1), 0);
        // What is forwarded from the hot path has a token in a header.
        policies[rule.index] = CachePolicy::new(rule, Some(Location::Headers), config).bits();
    }
    make_sender(
        config.origin.as_deref().unwrap_or_default(),
        config.public_url.as_deref().unwrap_or_default(),
        patience(config),
        &forward::vary(config),
        forward::forwarded_fields(config),
        policies,
        failed,
    )
}

/// Header fields, one a line.
pub(super) fn lines(fields: &[(&'static str, String)]) -> String {
    fields.iter().map(|(name, value)| format!("{name}:{value}")).collect::<Vec<_>>().join("\n")
}

#[allow(clippy::cast_precision_loss)] // milliseconds, far below 2^53
fn patience(config: &Config) -> f64 {
    config.origin_timeout.as_millis() as f64
}

/// The client's headers that stay behind, one a line.
fn withheld(view: &View, passage: &Authorized<'_>, config: &Config) -> String {
    // One crossing for all the names; their values stay where they are.
    let names = names(view.raw());
    let connection = names.lines().any(|name| name == "connection").then(|| view.get("connection")).flatten();
    let filter = Filter::new(passage, connection.as_deref(), config);
    names.lines().filter(|name| filter.withholds(name)).collect::<Vec<_>>().join("\n")
}
