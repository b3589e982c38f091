//! The hot path: what can be decided out of method, URL and `Authorization`, in one crossing from JavaScript.
//!
//! **What always holds:** it decides nothing either. It puts the few parts that decisions mostly need before
//! [`Gate::decide`], and hands the answer to the entry ([`Outlet`]). An answer to who somebody is the entry keeps, if the
//! token came before: the very same request has the same answer for as long as [`is_still_good`] says so. All else goes on
//! in [`super::reply`], with the decision that was made here. This is for the stock handlers only, which look at nothing
//! more. Whatever is kept here and there is gone with the instance.

use super::{id_prefix, load, next_number, respond};
use crate::rules::{
    error::Refusal,
    gate::{Decision, Gate, Passage, Refused},
    log::{Event, Level, RequestInfo},
    request::{Headers, Request},
    route::Freshness,
    time::Timestamp,
    token::VerifiedToken,
};
use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
};
use wasm_bindgen::prelude::*;

/// A request of more bytes than this goes the slow way. Twice the longest token that is taken, and a long URL.
const BUFFER_BYTES: usize = 32 * 1024;

/// The answer to a longer request is not kept: its token is remembered all the same.
const KEPT_BYTES: usize = 2048;

/// As many refusals the entry knows, of all kinds and rules.
const REFUSALS: usize = 128;

#[wasm_bindgen]
extern "C" {
    /// The entry, as far as decisions speak to it.
    pub type Outlet;
    /// Answers who it is.
    #[wasm_bindgen(method)]
    fn identify(this: &Outlet, body: &str);
    /// Keeps that for the same request, in this room.
    #[wasm_bindgen(method)]
    fn keep(this: &Outlet, body: &str, room: usize);
    /// What is answered and logged under this number from now on: a request's number is to be put behind `id` in the line,
    /// if there is one.
    #[wasm_bindgen(method)]
    fn refusal(this: &Outlet, number: usize, init: JsValue, body: &str, id: &str, line: &str);
    /// Logs and answers that, for the request of this number.
    #[wasm_bindgen(method)]
    fn refuse(this: &Outlet, number: usize, request: u32);
}

thread_local! {
    static OUTLET: RefCell<Option<Outlet>> = const { RefCell::new(None) };
    /// Where the entry writes a request: one place for all, so that nothing is allocated for it.
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; BUFFER_BYTES].into());
    /// The tokens for which the entry keeps answers, by room.
    static KEPT: RefCell<Ring<VerifiedToken>> = const { RefCell::new(Ring::new()) };
    /// The refusals that the entry knows, by number, each under the pattern of its rule.
    static REFUSED: RefCell<Ring<(Refusal, Option<&'static str>)>> = const { RefCell::new(Ring::new()) };
    static PENDING: Cell<Option<Pending>> = const { Cell::new(None) };
}

/// A decision that [`super::reply`] is about to carry out.
pub(super) struct Pending {
    pub gate: &'static Gate,
    pub decision: Decision<'static>,
    pub method: String,
    pub url: String,
    pub began: Timestamp,
}

/// To be called once, before anything is decided here.
pub fn begin(outlet: Outlet) {
    OUTLET.set(Some(outlet));
}

/// Where the entry writes a request, and how much there is room for: `method`, a line feed, `url` and, if there is an
/// `Authorization` header, a line feed and its value.
#[must_use]
pub fn buffer() -> (usize, usize) {
    BUFFER.with_borrow_mut(|buffer| (buffer.as_mut_ptr() as usize, buffer.len()))
}

/// Is the answer that the entry keeps in this room good at `now` (milliseconds)?
#[must_use]
pub fn is_still_good(room: usize, now: f64) -> bool {
    let Some(gate) = load::stock() else { return false };
    KEPT.with_borrow(|tokens| tokens.0.get(room).is_some_and(|token| gate.is_still_good(token, timestamp(now))))
}

/// Decides upon the request in the buffer's first `length` bytes, at `now` (milliseconds). Has the entry the answer? If
/// not, [`super::reply`] goes on.
#[must_use]
pub fn decide(length: usize, now: f64) -> bool {
    PENDING.take();
    let Some(gate) = load::stock() else { return false };
    BUFFER.with_borrow(|buffer| {
        let Some(seen) = Seen::read(&buffer[..length]) else { return false };
        let began = timestamp(now);
        // One request in a while takes the slow way, and asks the register behind its answer.
        if gate.wants_news(began) {
            return false;
        }
        let decision = gate.decide(&seen.request(), began);
        if seen.is_not_enough.get() {
            return false;
        }
        let is_answered = match &decision {
            Decision::Identity(passage) => seen.method == "GET" && identify(gate, passage, length),
            Decision::Refuse(refused) => seen.method != "HEAD" && refuse(gate, refused),
            _ => false,
        };
        if !is_answered {
            let (method, url) = (seen.method.to_owned(), seen.url.to_owned());
            PENDING.set(Some(Pending { gate, decision, method, url, began }));
        }
        is_answered
    })
}

/// The answer is kept when the token comes for the second time: most of a flood of others never does.
fn identify(gate: &Gate, passage: &Passage<'_>, length: usize) -> bool {
    if gate.config().log >= Level::Debug {
        return false;
    }
    let body = gate.identity(passage).body;
    if let Some(token) = passage.admission().token()
        && token.is_remembered()
        && length <= KEPT_BYTES
        && passage.rule().extended.fresh == Freshness::Any
    {
        let room = KEPT.with_borrow_mut(|tokens| tokens.put(token.clone(), gate.config().tokens.rooms()));
        with_outlet(|outlet| outlet.keep(&body, room));
    }
    with_outlet(|outlet| outlet.identify(&body))
}

/// All but its id is the same for each refusal of a kind under a rule: 0.2 of a request's time less than to make it anew.
fn refuse(gate: &Gate, refused: &Refused<'static>) -> bool {
    if refused.refusal.is_of_one_request() {
        return false;
    }
    let number = REFUSED.with_borrow_mut(|known| {
        let is_it = |(refusal, rule): &_| *refusal == refused.refusal && *rule == refused.rule;
        known.0.iter().position(is_it).unwrap_or_else(|| {
            let number = known.put((refused.refusal.clone(), refused.rule), REFUSALS);
            let answer = gate.answer_to(refused);
            let event = Event::Refused { refusal: &refused.refusal, status: answer.status, rule: refused.rule };
            let id = id_prefix();
            let line = event.line(gate.config().log, Some(RequestInfo { id: &id, duration_ms: 0 }));
            let (init, line) = (respond::init_of(&answer), line.unwrap_or_default());
            with_outlet(|outlet| outlet.refusal(number, init, &answer.body, &id, &line));
            number
        })
    });
    with_outlet(|outlet| outlet.refuse(number, next_number()))
}

/// A number of rooms, given away in turn.
struct Ring<T>(Vec<T>, usize);

impl<T> Ring<T> {
    const fn new() -> Self {
        Self(Vec::new(), 0)
    }

    /// Puts one into the room that was given away longest ago, of so many.
    fn put(&mut self, one: T, rooms: usize) -> usize {
        let room = self.1;
        self.1 = (room + 1) % rooms;
        match self.0.get_mut(room) {
            Some(former) => *former = one,
            None => self.0.push(one),
        }
        room
    }
}

fn with_outlet(speak: impl FnOnce(&Outlet)) -> bool {
    OUTLET.with_borrow(|outlet| outlet.as_ref().map(speak)).is_some()
}

#[allow(clippy::cast_possible_truncation)] // whole milliseconds, far below 2^53
fn timestamp(milliseconds: f64) -> Timestamp {
    Timestamp::from_millis(milliseconds as i64)
}

/// Status and headers of every answer to who it is.
#[must_use]
pub fn identity_init() -> JsValue {
    respond::identity_init()
}

/// The decision that was made just before.
pub(super) fn pending() -> Option<Pending> {
    PENDING.take()
}

/// What the entry has written.
struct Seen<'b> {
    method: &'b str,
    url: &'b str,
    authorization: Option<&'b str>,
    /// Another header was asked for, so what was decided does not count.
    is_not_enough: Cell<bool>,
}

impl<'b> Seen<'b> {
    fn read(written: &'b [u8]) -> Option<Self> {
        let mut lines = std::str::from_utf8(written).ok()?.splitn(3, '\n');
        let (method, url) = (lines.next()?, lines.next()?);
        Some(Self { method, url, authorization: lines.next(), is_not_enough: Cell::new(false) })
    }

    fn request(&self) -> Request<'_> {
        super::view::request(self.method, self.url, self)
    }
}

impl Headers for Seen<'_> {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        if name == "authorization" {
            return self.authorization.map(Cow::Borrowed);
        }
        self.is_not_enough.set(true);
        None
    }
}
