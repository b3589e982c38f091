//! The hot path: what can be decided out of method, URL and `Authorization`, in one crossing from JavaScript.
//!
//! **What always holds:** it decides nothing either. It puts the few parts that decisions mostly need before
//! [`Gate::decide`], and hands the answer to the entry. What the same request would be told again the entry may keep
//! ([`HotCallbacks`]), for a period that the rules name. All else goes on in [`super::reply`], with the decision that
//! was made here. This is for the stock handlers only, which look at nothing more. Whatever is kept here and there is
//! gone with the instance.

use super::{id_prefix, load, log, next_number, origin, respond};
use crate::rules::{
    config::Location,
    forward::{Filter, HeldBack, identity_headers},
    gate::{Authorized, Continuation, Decided, Decision, Gate, Principal, Rejected},
    log::{Event, Level, RequestInfo},
    rejection::Rejection,
    request::{Headers, Request},
    route::RequiredFreshness,
    time::Timestamp,
};
use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
};
use wasm_bindgen::prelude::*;

/// A request of more letters than this goes the slow way. Twice the longest token that is taken, and a long URL.
const BUFFER_BYTES: usize = 32 * 1024;

/// The answer to a longer request is not kept: its token is remembered all the same.
const KEPT_BYTES: usize = 2048;

/// As many refusals the entry knows, of all kinds and rules.
const REFUSALS: usize = 128;

/// What [`decide`] says if it is not the length of an identity.
mod verdict {
    /// The entry has the response: a refusal.
    pub const REFUSED: i32 = 0;
    /// [`super::super::reply`] goes on.
    pub const GO_ON: i32 = -1;
    /// On to the origin under the first rule; the next number is the second's, and so on.
    pub const FORWARD: i32 = -2;
}

#[wasm_bindgen]
extern "C" {
    /// The entry, as far as decisions speak to it.
    pub type HotCallbacks;
    /// Keeps what is said next for the same request, from then until then (milliseconds), and as many others.
    #[wasm_bindgen(method)]
    fn keep(this: &HotCallbacks, from: f64, until: f64, capacity: usize);
    /// The header fields that tell an origin whose the token is, one a line; to be kept for the token with as many
    /// others.
    #[wasm_bindgen(method, js_name = setIdentityHeaders)]
    fn set_identity_headers(this: &HotCallbacks, fields: &str, capacity: usize);
    /// What is answered and logged under this number from now on: a request's number is to be put behind `id` in the
    /// line, if there is one.
    #[wasm_bindgen(method, js_name = setRejection)]
    fn set_rejection(this: &HotCallbacks, number: usize, init: JsValue, body: &str, id: &str, line: &str);
    /// Answers that, for the request of this number, and logs it if it is to be.
    #[wasm_bindgen(method)]
    fn reject(this: &HotCallbacks, number: usize, request: u32, is_logged: bool);
}

thread_local! {
    static CALLBACKS: RefCell<Option<HotCallbacks>> = const { RefCell::new(None) };
    /// Where the entry writes a request, and reads an identity: one place for all, so that nothing is allocated for it.
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; BUFFER_BYTES].into());
    /// The refusals that the entry knows, by number: each under the pattern of its rule, with its status.
    static REFUSED: RefCell<Ring<(Rejection, Option<&'static str>, u16)>> = const { RefCell::new(Ring::new()) };
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

/// To be called once, before anything is decided here.
pub fn begin(callbacks: HotCallbacks) {
    CALLBACKS.set(Some(callbacks));
}

/// Where the entry writes a request, and how much there is room for: method, URL and, if there is one, the value of
/// `Authorization`, one behind the other.
#[must_use]
pub fn buffer() -> (usize, usize) {
    BUFFER.with_borrow_mut(|buffer| (buffer.as_mut_ptr() as usize, buffer.len()))
}

/// Decides the request in the buffer; `method`, `url` and `authorization` are the byte lengths of its parts. `now` is
/// in milliseconds. `has_identity_headers`: does the entry know what to tell an origin of the token?
///
/// Returns how many bytes of the buffer are the answer to who it is; or 0 if the entry has the response already; or -1
/// if [`super::reply`] goes on; or -2 for the first rule, -3 for the second and so on: forward it under that rule.
#[must_use]
pub fn decide(method: usize, url: usize, authorization: Option<usize>, now: f64, has_identity_headers: bool) -> i32 {
    // What nobody carried out is another request's.
    PENDING.take();
    let Some(gate) = load::stock() else { return verdict::GO_ON };
    let began = timestamp(now);
    // One request in a while takes the slow way, and asks the register behind its answer.
    if gate.is_refresh_due(began) {
        return verdict::GO_ON;
    }
    BUFFER.with_borrow_mut(|buffer| {
        let Some(request) = BufferedRequest::read(buffer, method, url, authorization) else { return verdict::GO_ON };
        let decided = gate.decide(&request.request(), began);
        if request.is_not_enough.get() {
            return verdict::GO_ON;
        }
        let is_answered = match &decided {
            Decided::Now(Decision::Identity(passage)) if request.method == "GET" && is_unlogged(gate) => {
                keep(gate, passage, &request, began);
                return identify(gate, passage, buffer);
            }
            Decided::Now(Decision::Forward(passage))
                if is_unlogged(gate) && knows_identity_headers(gate, passage, &request, has_identity_headers) =>
            {
                keep(gate, passage, &request, began);
                return i32::try_from(passage.rule().index).map_or(verdict::GO_ON, |index| verdict::FORWARD - index);
            }
            Decided::Now(Decision::Reject(rejected)) => request.method != "HEAD" && refuse(gate, rejected, began),
            _ => false,
        };
        if is_answered {
            return verdict::REFUSED;
        }
        let (method, url) = (request.method.to_owned(), request.url.to_owned());
        PENDING.set(Some(Box::new(Pending { gate, decided, method, url, began })));
        verdict::GO_ON
    })
}

/// Does the log leave out what passes?
fn is_unlogged(gate: &Gate) -> bool {
    gate.config().log < Level::Debug
}

/// Writes into the buffer who it is.
fn identify(gate: &Gate, passage: &Authorized<'_>, buffer: &mut [u8]) -> i32 {
    let text = gate.identity_body(passage);
    let Some(place) = buffer.get_mut(..text.len()) else { return verdict::GO_ON };
    place.copy_from_slice(text.as_bytes());
    i32::try_from(text.len()).unwrap_or(verdict::GO_ON)
}

/// The entry may keep what it is told of this next, if that is worth it and can be said for any time.
fn keep(gate: &Gate, passage: &Authorized<'_>, request: &BufferedRequest<'_>, now: Timestamp) {
    if request.is_worth_keeping(passage)
        && let Some(token) = passage.principal().token()
        && passage.rule().flask_jwt_extended.fresh == RequiredFreshness::Any
        && let Some(good) = gate.replayable(token, now)
    {
        let [from, until] = [good.start, good.end].map(milliseconds);
        with_callbacks(|callbacks| callbacks.keep(from, until, gate.config().tokens.capacity()));
    }
}

/// Does the entry know all that it must to forward this? If the token is new to it, it is told. What it knows it keeps
/// by `Authorization`: so only for a token that stood there.
fn knows_identity_headers(
    gate: &Gate,
    passage: &Authorized<'_>,
    request: &BufferedRequest<'_>,
    has_identity_headers: bool,
) -> bool {
    let config = gate.config();
    let Principal::Verified { location: Location::Headers, .. } = passage.principal() else { return false };
    let is_plain = passage.renewal().is_empty() && !passage.rule().close_at_expiry;
    if !is_plain || HeldBack::new(passage, config) != HeldBack::default() {
        return false;
    }
    if !has_identity_headers {
        let fields = origin::lines(&identity_headers(passage.principal()));
        let capacity = if request.is_worth_keeping(passage) { config.tokens.capacity() } else { 0 };
        with_callbacks(|callbacks| callbacks.set_identity_headers(&fields, capacity));
    }
    true
}

/// Does a header field of a request with a token go on to the origin ([`Filter::goes_on`])? `None` if that can't be
/// told without the others.
#[must_use]
pub fn goes_on(name: &str, value: Option<&str>) -> Option<bool> {
    Filter::for_tokens(load::stock()?.config()).goes_on(name, value)
}

/// The origin, for [`verdict::FORWARD`]: see [`origin::sender`].
#[must_use]
pub fn sender() -> JsValue {
    load::stock().map_or(JsValue::UNDEFINED, |gate| origin::sender(gate.config()))
}

/// All but its id is the same for each refusal of a kind under a rule: 0.2 of a request's time less than to make it
/// anew.
fn refuse(gate: &Gate, refused: &Rejected<'static>, now: Timestamp) -> bool {
    if refused.rejection.is_of_one_request() {
        return false;
    }
    let event = |status| Event::Refused { rejection: &refused.rejection, status, rule: refused.rule };
    let (number, status) = REFUSED.with_borrow_mut(|known| {
        let is_it = |(rejection, rule, _): &_| *rejection == refused.rejection && *rule == refused.rule;
        let number = known.0.iter().position(is_it).unwrap_or_else(|| {
            let answer = gate.answer_to(refused);
            let number = known.put((refused.rejection.clone(), refused.rule, answer.status), REFUSALS);
            let id = id_prefix();
            let line = event(answer.status).line(gate.config().log, Some(RequestInfo { id: &id, duration_ms: 0 }));
            let (init, line) = (respond::init_of(&answer), line.unwrap_or_default());
            with_callbacks(|callbacks| callbacks.set_rejection(number, init, &answer.body, &id, &line));
            number
        });
        (number, known.0[number].2)
    });
    let is_logged = log::is_written(gate.config(), &event(status), now);
    with_callbacks(|callbacks| callbacks.reject(number, next_number(), is_logged))
}

/// A number of rooms, given away in turn.
struct Ring<T>(Vec<T>, usize);

impl<T> Ring<T> {
    const fn new() -> Self {
        Self(Vec::new(), 0)
    }

    /// Puts one into the room that was given away longest ago, of so many.
    fn put(&mut self, one: T, capacity: usize) -> usize {
        let room = self.1;
        self.1 = (room + 1) % capacity;
        match self.0.get_mut(room) {
            Some(former) => *former = one,
            None => self.0.push(one),
        }
        room
    }
}

fn with_callbacks(speak: impl FnOnce(&HotCallbacks)) -> bool {
    CALLBACKS.with_borrow(|callbacks| callbacks.as_ref().map(speak)).is_some()
}

#[allow(clippy::cast_possible_truncation)] // whole milliseconds, far below 2^53
fn timestamp(milliseconds: f64) -> Timestamp {
    Timestamp::from_millis(milliseconds as i64)
}

#[allow(clippy::cast_precision_loss)] // far below 2^53, but for the earliest and the latest
pub(super) fn milliseconds(timestamp: Timestamp) -> f64 {
    timestamp.as_millis() as f64
}

/// Status and headers of every answer to who it is.
#[must_use]
pub fn identity_init() -> JsValue {
    respond::identity_init()
}

/// The decision that was made just before.
pub(super) fn pending() -> Option<Box<Pending>> {
    PENDING.take()
}

/// What the entry has written.
struct BufferedRequest<'b> {
    method: &'b str,
    url: &'b str,
    authorization: Option<&'b str>,
    /// Another header was asked for, so what was decided does not count.
    is_not_enough: Cell<bool>,
}

impl<'b> BufferedRequest<'b> {
    fn read(buffer: &'b [u8], method: usize, url: usize, authorization: Option<usize>) -> Option<Self> {
        let text = std::str::from_utf8(buffer.get(..method + url + authorization.unwrap_or_default())?).ok()?;
        let (method, rest) = text.split_at_checked(method)?;
        let (url, rest) = rest.split_at_checked(url)?;
        Some(Self { method, url, authorization: authorization.map(|_| rest), is_not_enough: Cell::new(false) })
    }

    /// Is what is told of this request's token kept? When it comes for the second time: most of a flood of others never
    /// does. And in its usual spelling, so that one token has no more rooms than there are cases of its scheme.
    fn is_worth_keeping(&self, passage: &Authorized<'_>) -> bool {
        let Some(token) = passage.principal().token().filter(|token| token.is_remembered()) else { return false };
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
