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
    request::{Headers, Request},
    time::Timestamp,
    token::VerifiedToken,
};
use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
};
use subtle::ConstantTimeEq;
use wasm_bindgen::JsValue;

/// A request of more bytes than this goes the slow way. Twice the longest token that is taken, and a long URL.
const BUFFER_BYTES: usize = 32 * 1024;

/// A longer request is not kept: its token is remembered all the same, so that only the way to it is longer.
const KEPT_BYTES: usize = 2048;

thread_local! {
    /// Where the entry writes a request: one place for all, so that nothing is allocated for it.
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; BUFFER_BYTES].into());
    /// Requests whose answers the entry has under the same numbers: 0.05 of a request's time less than to decide again.
    static TOLD: RefCell<Vec<Option<Told>>> = const { RefCell::new(Vec::new()) };
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
        let number = number(gate, written);
        if is_told(gate, number, written, now) {
            return number.into();
        }
        let Some(seen) = Seen::read(written) else { return -1 };
        let decision = gate.decide(&seen.request(), now);
        if seen.is_not_enough.get() {
            return -1;
        }
        match &decision {
            Decision::Identity(passage) if seen.method == "GET" && gate.config().log < Level::Debug => {
                tell(gate, number, written, passage);
                -2 - i32::from(number)
            }
            _ => {
                let (method, url) = (seen.method.to_owned(), seen.url.to_owned());
                PENDING.set(Some(Pending { gate, decision, method, url, began: now }));
                -1
            }
        }
    })
}

/// Under which number a request is kept, if it is: by the end of its token's signature.
fn number(gate: &Gate, written: &[u8]) -> u16 {
    let end = written.last_chunk::<8>().map_or(0, |end| u64::from_le_bytes(*end));
    // Fibonacci hashing: the multiplication spreads the letters' few bits over the upper ones.
    let spread = end.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    #[allow(clippy::cast_possible_truncation)] // less than the number of rooms, which has 16 bits
    let number = (spread % gate.config().tokens.rooms().max(1) as u64) as u16;
    number
}

/// Was this very request told who it is, with a token that is good now too? How much of a guessed signature is right
/// can't be told by the time.
fn is_told(gate: &Gate, number: u16, written: &[u8], now: Timestamp) -> bool {
    TOLD.with_borrow(|told| {
        let Some(Some(told)) = told.get(usize::from(number)) else { return false };
        let signature_at = written.iter().rposition(|byte| *byte == b'.').unwrap_or(0);
        told.written.len() == written.len()
            && bool::from(told.written[signature_at..].ct_eq(&written[signature_at..]))
            && *told.written == *written
            && gate.config().tokens.is_still_good(&told.token, now)
    })
}

/// Keeps the request, if anything is to be remembered, and its answer until the entry fetches it.
fn tell(gate: &Gate, number: u16, written: &[u8], passage: &Passage<'_>) {
    ANSWER.set(gate.identity(passage).body);
    let rooms = gate.config().tokens.rooms();
    TOLD.with_borrow_mut(|told| {
        if told.len() < rooms {
            told.resize_with(rooms, || None);
        }
        // The entry's answer of this number is another one from now on, whatever was there.
        if let Some(told) = told.get_mut(usize::from(number)) {
            let token = passage.admission().token().filter(|_| written.len() <= KEPT_BYTES);
            *told = token.map(|token| Told { written: written.into(), token: token.clone() });
        }
    });
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
