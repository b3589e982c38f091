//! The world of one history: the true time, the queue of events, and all parts.

use crate::{
    broken::Rules,
    oracle::{Oracle, Rule, Violation},
    parts::{Centre, Isolate, LogObject, Object, Person},
    settings::Settings,
    store::Store,
};
use fastrand::Rng;
use std::{cmp::Ordering, collections::BinaryHeap};
use tollgate::Timestamp;

/// An event in the queue.
pub type Event = Box<dyn FnOnce(&mut World)>;

/// The true time at which each history begins, in milliseconds since 1970.
const BEGINNING: i64 = 1_800_000_000_000;

struct Due {
    at: i64,
    order: u64,
    event: Event,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    /// Reversed: the heap returns the greatest element first, and the earliest event is needed.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

/// The whole state of a history.
pub struct World {
    /// The rules, broken or not.
    pub rules: Rules,
    /// The true time, in milliseconds since the history began.
    pub now: i64,
    due: BinaryHeap<Due>,
    order: u64,
    /// The only source of randomness.
    pub random: Rng,
    /// Lifetimes, clock errors and fault rates.
    pub settings: Settings,
    /// Whether messages are lost and objects crash no more.
    pub is_calm: bool,
    /// The accounts' objects, and those of names.
    pub objects: Vec<Object>,
    /// The log's object.
    pub log: LogObject,
    /// The isolates.
    pub isolates: Vec<Isolate>,
    /// The data centres.
    pub centres: Vec<Centre>,
    /// KV.
    pub store: Store,
    /// The last value of an attribute.
    pub values: u64,
    /// The number of commands sent, from which their ids are made.
    pub commands: u64,
    /// Users' devices and thieves.
    pub people: Vec<Person>,
    /// The facts by which properties are checked.
    pub oracle: Oracle,
    trace: Option<Vec<String>>,
}

impl World {
    /// A world without objects, isolates and people.
    pub fn new(rules: Rules, mut random: Rng, settings: Settings, is_traced: bool, accounts: usize) -> Self {
        let skew = random.i64(-settings.skew..=settings.skew);
        Self {
            rules,
            now: 0,
            due: BinaryHeap::new(),
            order: 0,
            random,
            settings,
            is_calm: false,
            objects: Vec::new(),
            log: LogObject::new(rules.safeguards, skew),
            isolates: Vec::new(),
            centres: Vec::new(),
            store: Store::new(accounts),
            values: 0,
            commands: 0,
            people: Vec::new(),
            oracle: Oracle::new(settings, accounts),
            trace: is_traced.then(Vec::new),
        }
    }

    /// The time that a clock with this error shows. `skew` is in milliseconds.
    pub fn clock(&self, skew: i64) -> Timestamp {
        Timestamp::from_millis(BEGINNING + self.now + skew)
    }

    /// The true time at which a clock with this error shows `shown`.
    pub fn true_time(shown: Timestamp, skew: i64) -> i64 {
        shown.as_millis() - BEGINNING - skew
    }

    /// Draws the error of a clock, in milliseconds.
    pub fn skew(&mut self) -> i64 {
        self.random.i64(-self.settings.skew..=self.settings.skew)
    }

    /// Schedules an event. `delay` is in milliseconds.
    pub fn after(&mut self, delay: i64, event: impl FnOnce(&mut Self) + 'static) {
        self.order += 1;
        self.due.push(Due { at: self.now + delay, order: self.order, event: Box::new(event) });
    }

    /// Runs all events that are due by `time`, up to the first violation.
    pub fn run_until(&mut self, time: i64) {
        while self.oracle.violation.is_none() && self.due.peek().is_some_and(|due| due.at <= time) {
            let Some(due) = self.due.pop() else { break };
            self.now = due.at;
            (due.event)(self);
        }
        self.now = self.now.max(time);
    }

    /// `true` with this chance in percent.
    pub fn percent(&mut self, chance: u32) -> bool {
        chance > 0 && self.random.u32(..100) < chance
    }

    /// Draws the delay of a message in milliseconds; `None` if it is lost.
    pub fn message(&mut self) -> Option<i64> {
        if self.is_calm {
            return Some(self.random.i64(1..50));
        }
        let lost = self.settings.lost;
        if self.percent(lost) {
            return None;
        }
        // 70 of 100 messages take at most a tenth of the maximum.
        let slowest = if self.percent(70) { self.settings.slowest / 10 } else { self.settings.slowest };
        Some(self.random.i64(0..=slowest))
    }

    /// [`Self::message`] over a good connection, which loses nothing.
    pub fn good_message(&mut self) -> Option<i64> {
        Some(self.random.i64(0..=400))
    }

    /// Whether a message arrives twice.
    pub fn comes_twice(&mut self) -> bool {
        let twice = self.settings.twice;
        !self.is_calm && self.percent(twice)
    }

    /// Whether a step ends in a crash.
    pub fn crashes(&mut self) -> bool {
        !self.is_calm && self.settings.crashes > 0 && self.random.u32(..1000) < self.settings.crashes
    }

    /// Adds a line to the trace, with the true time.
    pub fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            let (seconds, millis) = (self.now / 1000, self.now % 1000);
            trace.push(format!("{seconds:>7}.{millis:03}  {}", line()));
        }
    }

    /// Records a violation.
    pub fn violated(&mut self, rule: Rule, what: impl Into<String>) {
        self.oracle.violated(rule, what);
    }

    /// The violation and the trace.
    pub fn outcome(self) -> (Option<Violation>, Vec<String>) {
        (self.oracle.violation, self.trace.unwrap_or_default())
    }
}
