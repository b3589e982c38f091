//! The hot path: a request in one crossing from JavaScript, a number back.
//!
//! **What always holds:** it decides nothing either. It puts the few parts that decisions mostly need before
//! [`Gate::decide`]. Where that was to tell who somebody is, and the very same request comes again with a token that is
//! still good, the answer is the same, and the entry has it: the number says which. (An application's own handlers may
//! look at more than that; for them nothing is decided here.) All else goes on in
//! [`super::reply`], with the decision that was made here. Whatever is kept here is gone with the instance.

use super::{load, respond};
use crate::rules::{
    gate::{Decision, Gate, Passage},
    log::Level,
    pair::Pair,
    request::{Headers, Request},
    time::Timestamp,
    token::{VerifiedToken, is_same},
};
use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
};
use wasm_bindgen::JsValue;

/// A request of more bytes than this goes the slow way. Twice the longest token that is taken, and a long URL.
const BUFFER_BYTES: usize = 32 * 1024;

/// A longer request is not kept: its token is remembered all the same, so that only the way to it is longer.
const KEPT_BYTES: usize = 2048;

thread_local! {
    /// Where the entry writes a request: one place for all, so that nothing is allocated for it.
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; BUFFER_BYTES].into());
    /// Requests whose answers the entry has under the same numbers: 0.05 of a request's time less than to decide again.
    static TOLD: RefCell<Vec<Pair<Told>>> = const { RefCell::new(Vec::new()) };
    /// The answer that the entry fetches next.
    static ANSWER: RefCell<String> = const { RefCell::new(String::new()) };
    static PENDING: Cell<Option<Pending>> = const { Cell::new(None) };
}

/// A request that was told who it is.
struct Told {
    written: Box<[u8]>,
    token: VerifiedToken,
}

/// A decision that [`super::reply`] is about to carry out.
pub(super) struct Pending {
    pub gate: &'static Gate,
    pub decision: Decision<'static>,
    pub method: String,
    pub url: String,
    pub began: Timestamp,
}

/// Where the entry writes a request, and how much there is room for: `method`, a line feed, `url` and, if there is an
/// `Authorization` header, a line feed and its value.
#[must_use]
pub fn buffer() -> (usize, usize) {
    BUFFER.with_borrow_mut(|buffer| (buffer.as_mut_ptr() as usize, buffer.len()))
}

/// What becomes of the request in the buffer's first `length` bytes, at `now` (milliseconds): 0 and above the entry's
/// answer of that number; below -1 the same for the number -2 - n, which the entry must fetch first ([`answer`]); -1 all
/// else ([`super::reply`]).
#[must_use]
pub fn decide(length: usize, now: f64) -> i32 {
    PENDING.take();
    let Some(gate) = load::stock() else { return -1 };
    #[allow(clippy::cast_possible_truncation)] // whole milliseconds, far below 2^53
    let now = Timestamp::from_millis(now as i64);
    BUFFER.with_borrow(|buffer| {
        let written = &buffer[..length];
        let pair = pair(gate, written);
        if let Some(number) = told(gate, pair, written, now) {
            return number;
        }
        let Some(seen) = Seen::read(written) else { return -1 };
        let decision = gate.decide(&seen.request(), now);
        if seen.is_not_enough.get() {
            return -1;
        }
        match &decision {
            Decision::Identity(passage) if seen.method == "GET" && gate.config().log < Level::Debug => {
                -2 - tell(gate, pair, written, passage)
            }
            _ => {
                let (method, url) = (seen.method.to_owned(), seen.url.to_owned());
                PENDING.set(Some(Pending { gate, decision, method, url, began: now }));
                -1
            }
        }
    })
}

/// In which pair a request is kept, if it is: by the end of its token's signature.
fn pair(gate: &Gate, written: &[u8]) -> usize {
    let end = written.last_chunk::<8>().map_or(0, |end| u64::from_le_bytes(*end));
    // Fibonacci hashing: the multiplication spreads the letters' few bits over the upper ones.
    let spread = end.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    let pairs = (gate.config().tokens.rooms() / 2).max(1);
    #[allow(clippy::cast_possible_truncation)] // less than the number of pairs
    let pair = (spread % pairs as u64) as usize;
    pair
}

#[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)] // at most 65,534 rooms
fn number(pair: usize, room: usize) -> i32 {
    (pair * 2 + room) as i32
}

/// Was this very request told who it is, with a token that is good now too? Then the number of the answer.
fn told(gate: &Gate, pair: usize, written: &[u8], now: Timestamp) -> Option<i32> {
    TOLD.with_borrow_mut(|pairs| {
        let signature_at = written.iter().rposition(|byte| *byte == b'.').unwrap_or(0);
        let (room, told) = pairs.get_mut(pair)?.find(|told| is_same(&told.written, written, signature_at))?;
        gate.config().tokens.is_still_good(&told.token, now).then(|| number(pair, room))
    })
}

/// Keeps the request, if anything is to be remembered, and its answer until the entry fetches it under this number.
fn tell(gate: &Gate, pair: usize, written: &[u8], passage: &Passage<'_>) -> i32 {
    ANSWER.set(gate.identity(passage).body);
    let pairs = gate.config().tokens.rooms() / 2;
    TOLD.with_borrow_mut(|told| {
        if told.len() < pairs {
            told.resize_with(pairs, Pair::default);
        }
        let token = passage.admission().token().filter(|_| written.len() <= KEPT_BYTES);
        let (Some(token), Some(rooms)) = (token, told.get_mut(pair)) else {
            // Not kept: a number that no request has for good.
            return number(pairs, 0);
        };
        // The entry's answer of this number is another one from now on, whatever was there.
        number(pair, rooms.put(Told { written: written.into(), token: token.clone() }))
    })
}

/// The answer that [`decide`] has just given a number.
#[must_use]
pub fn answer() -> String {
    ANSWER.take()
}

/// Status and headers of all those answers.
#[must_use]
pub fn init() -> JsValue {
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
