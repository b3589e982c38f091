//! The hot path: a request in one crossing from JavaScript, a number back.
//!
//! **What always holds:** it decides nothing either. It puts the few parts that decisions mostly need before
//! [`Gate::decide`], and where the decision is to tell who somebody is and the entry has that answer already, the number
//! says which. All else goes on in [`super::reply`], with the decision that was made here. Whatever is kept here is
//! gone with the instance.

use super::{load, respond};
use crate::rules::{
    gate::{Decision, Gate, Passage},
    log::Level,
    request::{Headers, Request},
    time::Timestamp,
    token::Mark,
};
use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
};
use wasm_bindgen::JsValue;

/// A request of more bytes than this goes the slow way. Twice the longest token that is taken, and a long URL.
const BUFFER_BYTES: usize = 32 * 1024;

thread_local! {
    /// Where the entry writes a request: one place for all, so that nothing is allocated for it.
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; BUFFER_BYTES].into());
    /// Whose answers the entry has, by the token's room.
    static TOLD: RefCell<Vec<Option<Mark>>> = const { RefCell::new(Vec::new()) };
    /// The answer that the entry fetches next.
    static ANSWER: RefCell<String> = const { RefCell::new(String::new()) };
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
    let Some(gate) = load::loaded() else { return -1 };
    BUFFER.with_borrow(|buffer| {
        let Some(seen) = Seen::read(&buffer[..length]) else { return -1 };
        #[allow(clippy::cast_possible_truncation)] // whole milliseconds, far below 2^53
        let now = Timestamp::from_millis(now as i64);
        let decision = gate.decide(&seen.request(), now);
        if seen.is_not_enough.get() {
            return -1;
        }
        match &decision {
            Decision::Identity(passage) if seen.method == "GET" && gate.config().log < Level::Debug => {
                if let Some(number) = known(gate, passage) {
                    return number;
                }
            }
            _ => {}
        }
        let (method, url) = (seen.method.to_owned(), seen.url.to_owned());
        PENDING.set(Some(Pending { gate, decision, method, url, began: now }));
        -1
    })
}

/// The number of an answer that is the token's own.
fn known(gate: &Gate, passage: &Passage<'_>) -> Option<i32> {
    let token = passage.admission().token()?;
    // A token that is not kept has 0, and its answer is fetched each time.
    let number = token.room().map_or(0, |room| room + 1);
    let is_told = TOLD.with_borrow_mut(|told| {
        if told.len() <= number {
            told.resize(number + 1, None);
        }
        let is_told = number > 0 && told[number].as_ref().is_some_and(|mark| mark.is_of(token));
        if !is_told {
            told[number] = Some(token.mark());
        }
        is_told
    });
    #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)] // at most 65,537
    let number = number as i32;
    if is_told {
        return Some(number);
    }
    ANSWER.set(gate.identity(passage).body);
    Some(-2 - number)
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
