//! The hot path: decides a request from its method, URL and `Authorization` in one call from JavaScript.
//!
//! **What always holds:** it lets nobody through that [`Gate::decide`] does not: it passes those three parts to it and
//! hands the decision to JavaScript (worker/js/hot.mjs). It says which decisions JavaScript may keep ([`HotCallbacks`])
//! and replay for the same request; [`Gate::replayable`] says for which time range. Every other request continues in
//! [`super::reply`] with the decision that was made here. Only a gate with [`DefaultHandlers`](crate::DefaultHandlers)
//! is served: other handlers may read other parts of a request. What is kept here and in JavaScript is lost with the
//! instance.

use super::{
    clock::{milliseconds, timestamp},
    load, log, origin, request_id, respond,
};
use crate::rules::{
    assertion::ASSERTION_HEADER,
    config::Location,
    forward::{self, Filter, HeldBack, identity_headers},
    gate::{Authorized, Continuation, Decided, Decision, Gate, Principal, Rejected},
    json,
    log::{Event, Level, RequestInfo},
    rejection::Rejection,
    request::{Headers, Request},
    route::RequiredFreshness,
    socket::PROTOCOL_HEADER,
    time::Timestamp,
};
use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
};
use wasm_bindgen::prelude::*;

/// Size of the request buffer. A longer request continues in [`super::reply`]. Enough for twice the longest accepted
/// token and a long URL.
const BUFFER_BYTES: usize = 32 * 1024;

/// It keeps no decision on a request longer than this. The verifier's cache still has its token.
const KEPT_BYTES: usize = 2048;

/// Maximum number of rejections whose response JavaScript keeps, one for each kind and rule.
const MAX_REJECTIONS: usize = 128;

/// The return values of [`decide`] that are not the length of an identity.
mod verdict {
    /// The entry has built the response, a rejection.
    pub const REJECTED: i32 = 0;
    /// [`super::super::reply`] continues.
    pub const GO_ON: i32 = -1;
    /// Forward to the origin under the rule with index 0; `FORWARD - i` stands for index `i`.
    pub const FORWARD: i32 = -2;
    /// The worker's own code answers: `INNER + n` if `n` bytes of the buffer say who the caller is.
    pub const INNER: i32 = 1 << 16;
}

// So the length of an identity is no such verdict.
const _: () = assert!(BUFFER_BYTES < verdict::INNER as usize);

#[wasm_bindgen]
extern "C" {
    /// The functions of JavaScript that decisions call.
    pub type HotCallbacks;
    /// Lets JavaScript keep the decision that the running [`decide`] is about to return, and replay it for the same
    /// request, from `from` until `until` (milliseconds). It keeps at most `capacity` decisions.
    #[wasm_bindgen(method)]
    fn keep(this: &HotCallbacks, from: f64, until: f64, capacity: usize, audience: i32);
    /// Sets the identity header fields that are sent to the origin, one a line. It keeps those of at most
    /// `capacity` tokens, and uses them for this audience until then (milliseconds).
    #[wasm_bindgen(method, js_name = setIdentityHeaders)]
    fn set_identity_headers(this: &HotCallbacks, fields: &str, capacity: usize, audience: i32, until: f64);
    /// Sets the response and the log line of rejection `number`. The entry appends the request's number to `id` in
    /// `line`; an empty `line` is not logged.
    #[wasm_bindgen(method, js_name = setRejection)]
    fn set_rejection(this: &HotCallbacks, number: usize, init: JsValue, body: &str, id: &str, line: &str);
    /// Answers request `request` with rejection `number`, and logs it if `is_logged`.
    #[wasm_bindgen(method)]
    fn reject(this: &HotCallbacks, number: usize, request: u32, is_logged: bool);
}

thread_local! {
    static CALLBACKS: RefCell<Option<HotCallbacks>> = const { RefCell::new(None) };
    /// Where JavaScript writes a request and reads an identity. Shared by all requests, so that none allocates.
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; BUFFER_BYTES].into());
    /// The rejections that JavaScript knows, by number, each with the path pattern of its rule and its status.
    static REJECTIONS: RefCell<Ring<(Rejection, Option<&'static str>, u16)>> = const { RefCell::new(Ring::new()) };
    static PENDING: Cell<Option<Box<Pending>>> = const { Cell::new(None) };
}

/// A decision that [`super::reply`] is about to carry out.
pub(super) struct Pending {
    pub gate: &'static Gate,
    pub decided: Decided<'static, Continuation<'static>>,
    pub method: String,
    pub url: String,
    pub began: Timestamp,
}

/// Sets JavaScript's callbacks. Call it once, before [`decide`].
pub fn begin(callbacks: HotCallbacks) {
    CALLBACKS.set(Some(callbacks));
}

/// Address and size in bytes of the buffer where JavaScript writes a request: method, URL and, if present, the value of
/// `Authorization`, concatenated.
#[must_use]
pub fn buffer() -> (usize, usize) {
    BUFFER.with_borrow_mut(|buffer| (buffer.as_mut_ptr() as usize, buffer.len()))
}

/// Decides the request in the buffer; `method`, `url` and `authorization` are the byte lengths of its parts. `now` is
/// in milliseconds since the Unix epoch. `audience`: that for which JavaScript has the identity headers of the token,
/// or -1 without them.
///
/// Returns the length in bytes of the identity answer in the buffer; or 0 if JavaScript has built the response already;
/// or -1 if [`super::reply`] must continue; or -2 - i if the request is to be forwarded under the rule with index i; or
/// 65,536 + n if the worker's own code answers, and n bytes of the buffer are [`Principal::to_json`].
#[must_use]
pub fn decide(method: usize, url: usize, authorization: Option<usize>, now: f64, audience: i32) -> i32 {
    // A decision that was not carried out belongs to an earlier request.
    PENDING.take();
    let Some(gate) = load::stock() else { return verdict::GO_ON };
    let began = timestamp(now);
    // `reply` refreshes the snapshot after its answer; few requests find it due.
    if gate.is_refresh_due(began) {
        return verdict::GO_ON;
    }
    BUFFER.with_borrow_mut(|buffer| {
        let Some(request) = BufferedRequest::read(buffer, method, url, authorization) else { return verdict::GO_ON };
        // What CORS says depends on more than what is kept here.
        if gate.has_cors_at(&request.request()) {
            return verdict::GO_ON;
        }
        let decided = gate.decide(&request.request(), began);
        if request.is_not_enough.get() {
            return verdict::GO_ON;
        }
        let is_answered = match &decided {
            Decided::Now(Decision::Identity(authorized)) if request.method == "GET" && is_unlogged(gate) => {
                keep(gate, authorized, &request, began);
                return write(&gate.identity_body(authorized), buffer).unwrap_or(verdict::GO_ON);
            }
            // A renewed token is for the answer: `reply` adds it.
            Decided::Now(Decision::Inner(authorized)) if is_unlogged(gate) && authorized.renewal().is_empty() => {
                keep(gate, authorized, &request, began);
                let auth = json::to_ascii(&authorized.principal().to_json());
                return write(&auth, buffer).map_or(verdict::GO_ON, |length| verdict::INNER + length);
            }
            Decided::Now(Decision::Forward(authorized))
                if is_unlogged(gate) && knows_identity_headers(gate, authorized, &request, audience, began) =>
            {
                keep(gate, authorized, &request, began);
                return i32::try_from(authorized.rule().index).map_or(verdict::GO_ON, |index| verdict::FORWARD - index);
            }
            Decided::Now(Decision::Reject(rejected)) => request.method != "HEAD" && reject(gate, rejected, began),
            _ => false,
        };
        if is_answered {
            return verdict::REJECTED;
        }
        let (method, url) = (request.method.to_owned(), request.url.to_owned());
        PENDING.set(Some(Box::new(Pending { gate, decided, method, url, began })));
        verdict::GO_ON
    })
}

/// Whether the log leaves out authorized requests.
fn is_unlogged(gate: &Gate) -> bool {
    gate.config().log < Level::Debug
}

/// Writes a text into the buffer and returns its length, if it fits.
fn write(text: &str, buffer: &mut [u8]) -> Option<i32> {
    buffer.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
    i32::try_from(text.len()).ok()
}

/// Lets JavaScript keep the decision, if it is worth keeping and may be replayed for any time.
fn keep(gate: &Gate, authorized: &Authorized<'_>, request: &BufferedRequest<'_>, now: Timestamp) {
    if request.is_worth_keeping(authorized)
        && let Some(token) = authorized.principal().token()
        && authorized.rule().flask_jwt_extended.fresh == RequiredFreshness::Any
        && let Some(range) = gate.replayable(token, now)
    {
        let [from, until] = [range.start, range.end].map(milliseconds);
        let audience = audience_of(gate, authorized);
        with_callbacks(|callbacks| callbacks.keep(from, until, gate.config().tokens.capacity(), audience));
    }
}

/// Whether JavaScript can forward the request with identity headers that it has or gets here. It keeps them by
/// `Authorization`, so only for a token in that header; and only if no cookie is renewed, no token is held back and the
/// connection need not be closed at expiry.
fn knows_identity_headers(
    gate: &Gate,
    authorized: &Authorized<'_>,
    request: &BufferedRequest<'_>,
    known: i32,
    now: Timestamp,
) -> bool {
    let config = gate.config();
    if forward::has_proxied_fields(config) {
        return false;
    }
    let Principal::Verified { location: Location::Headers, .. } = authorized.principal() else { return false };
    let is_plain = authorized.renewal().is_empty() && !authorized.rule().close_at_expiry;
    if !is_plain || HeldBack::new(authorized, config) != HeldBack::default() {
        return false;
    }
    let audience = audience_of(gate, authorized);
    if known != audience {
        let mut fields = identity_headers(authorized.principal(), config);
        let mut until = f64::INFINITY;
        if let Some(assertion) = forward::assertion(authorized, config, now) {
            until = milliseconds(assertion.until);
            fields.push((ASSERTION_HEADER.into(), assertion.text));
        }
        let fields = origin::lines(&fields);
        let capacity = if request.is_worth_keeping(authorized) { config.tokens.capacity() } else { 0 };
        with_callbacks(|callbacks| callbacks.set_identity_headers(&fields, capacity, audience, until));
    }
    true
}

/// Which requests of a token get the same identity headers: all, or with assertions those to the same origin.
fn audience_of(gate: &Gate, authorized: &Authorized<'_>) -> i32 {
    let config = gate.config();
    let Some(forwarding) = authorized.rule().forwarding().filter(|_| config.assertions.is_some()) else { return 0 };
    let position = config.origins.iter().position(|origin| origin.name == forwarding.origin);
    position.and_then(|position| i32::try_from(position).ok()).map_or(0, |position| position + 1)
}

/// Whether a header field of a request with a token is forwarded to the origin ([`Filter::goes_on`]). `None` if that
/// depends on other fields.
#[must_use]
pub fn goes_on(name: &str, value: Option<&str>) -> Option<bool> {
    let config = load::stock()?.config();
    // A token may be in it.
    if name == PROTOCOL_HEADER && config.websocket_protocol.is_some() {
        return None;
    }
    Filter::for_tokens(config).goes_on(name, value)
}

/// Whether a worker's own code gets this header field as the client has sent it. `false` also if that depends on other
/// fields: what must go is removed in Rust.
#[must_use]
pub fn is_the_clients(name: &str) -> bool {
    load::stock().is_some_and(|gate| {
        let config = gate.config();
        let has_token = config.websocket_protocol.is_some() && [PROTOCOL_HEADER, "upgrade"].contains(&name);
        !has_token && !Filter::is_the_gates(name) && !Filter::for_tokens(config).is_configured(name)
    })
}

/// The JavaScript function that forwards to the origin what [`decide`] answers with -2 or less.
#[must_use]
pub fn sender(env: &JsValue) -> JsValue {
    load::stock().map_or(JsValue::UNDEFINED, |gate| origin::sender(gate.config(), env))
}

/// Lets JavaScript answer with a rejection; returns whether it did. Two rejections of one kind under one rule differ in
/// the request id only, so JavaScript keeps the response: building it again costs 0.2 of a request's time.
fn reject(gate: &Gate, rejected: &Rejected<'static>, now: Timestamp) -> bool {
    if rejected.rejection.is_of_one_request() {
        return false;
    }
    let event = |status| Event::Refused { rejection: &rejected.rejection, status, rule: rejected.rule };
    let (number, status) = REJECTIONS.with_borrow_mut(|known| {
        let is_same = |(rejection, rule, _): &_| *rejection == rejected.rejection && *rule == rejected.rule;
        let number = known.0.iter().position(is_same).unwrap_or_else(|| {
            let answer = gate.answer_to(rejected);
            let number = known.put((rejected.rejection.clone(), rejected.rule, answer.status), MAX_REJECTIONS);
            let id = request_id::prefix();
            let line = event(answer.status).line(gate.config().log, Some(RequestInfo { id: &id, duration_ms: 0 }));
            let (init, line) = (respond::init_of(&answer), line.unwrap_or_default());
            with_callbacks(|callbacks| callbacks.set_rejection(number, init, &answer.body, &id, &line));
            number
        });
        (number, known.0[number].2)
    });
    let is_logged = log::is_written(gate.config(), &event(status), now);
    with_callbacks(|callbacks| callbacks.reject(number, request_id::next_number(), is_logged))
}

/// A ring buffer that keeps the position of each entry until it is overwritten.
struct Ring<T>(Vec<T>, usize);

impl<T> Ring<T> {
    const fn new() -> Self {
        Self(Vec::new(), 0)
    }

    /// Puts an entry in place of the oldest one once there are `capacity`, and returns its position.
    fn put(&mut self, entry: T, capacity: usize) -> usize {
        let position = self.1;
        self.1 = (position + 1) % capacity;
        match self.0.get_mut(position) {
            Some(former) => *former = entry,
            None => self.0.push(entry),
        }
        position
    }
}

fn with_callbacks(call: impl FnOnce(&HotCallbacks)) -> bool {
    CALLBACKS.with_borrow(|callbacks| callbacks.as_ref().map(call)).is_some()
}

/// Status and headers of every identity answer.
#[must_use]
pub fn identity_init() -> JsValue {
    respond::identity_init()
}

/// Takes the decision of the last call of [`decide`].
pub(super) fn pending() -> Option<Box<Pending>> {
    PENDING.take()
}

/// The request that JavaScript has written into the buffer.
struct BufferedRequest<'b> {
    method: &'b str,
    url: &'b str,
    authorization: Option<&'b str>,
    /// Set when another header field was read: the decision is void then.
    is_not_enough: Cell<bool>,
}

impl<'b> BufferedRequest<'b> {
    fn read(buffer: &'b [u8], method: usize, url: usize, authorization: Option<usize>) -> Option<Self> {
        let text = std::str::from_utf8(buffer.get(..method + url + authorization.unwrap_or_default())?).ok()?;
        let (method, rest) = text.split_at_checked(method)?;
        let (url, rest) = rest.split_at_checked(url)?;
        Some(Self { method, url, authorization: authorization.map(|_| rest), is_not_enough: Cell::new(false) })
    }

    /// Whether JavaScript may keep what it gets for this request's token: from the token's second use on, since most
    /// tokens of a flood never come twice; and only in its canonical spelling, so that one token takes no more entries
    /// than its scheme has spellings in upper and lower case.
    fn is_worth_keeping(&self, authorized: &Authorized<'_>) -> bool {
        let Some(token) = authorized.principal().token().filter(|token| token.is_remembered()) else { return false };
        let (Some(authorization), length) = (self.authorization, self.method.len() + self.url.len()) else {
            return false;
        };
        length + authorization.len() <= KEPT_BYTES
            && authorization.split_once(' ').is_some_and(|(_, rest)| token.is_written(rest))
    }

    fn request(&self) -> Request<'_> {
        super::view::request(self.method, self.url, self)
    }
}

impl Headers for BufferedRequest<'_> {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        if name == "authorization" {
            return self.authorization.map(Cow::Borrowed);
        }
        self.is_not_enough.set(true);
        None
    }
}
