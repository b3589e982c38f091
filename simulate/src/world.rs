//! The world of one history: a clock that nobody in it sees truly, what will happen, and everybody in it.

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

/// What happens at a time.
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
    /// The earliest is the greatest: a heap gives that first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

/// All there is.
pub struct World {
    /// The rules, broken or not.
    pub rules: Rules,
    /// The true time, in milliseconds since the beginning.
    pub now: i64,
    due: BinaryHeap<Due>,
    order: u64,
    /// All chance comes from here.
    pub random: Rng,
    /// The options and the weather.
    pub settings: Settings,
    /// No more messages are lost, nothing crashes any more.
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
    /// How many commands were sent: their ids.
    pub commands: u64,
    /// Users, thieves, and what they hold.
    pub people: Vec<Person>,
    /// The facts, and what must hold.
    pub oracle: Oracle,
    trace: Option<Vec<String>>,
}

impl World {
    /// A world with nothing in it yet but its weather.
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
            commands: 0,
            people: Vec::new(),
            oracle: Oracle::new(settings, accounts),
            trace: is_traced.then(Vec::new),
        }
    }

    /// What a clock shows that is off by so much.
    pub fn clock(&self, skew: i64) -> Timestamp {
        Timestamp::from_millis(BEGINNING + self.now + skew)
    }

    /// The true time of what such a clock shows.
    pub fn true_time(shown: Timestamp, skew: i64) -> i64 {
        shown.as_millis() - BEGINNING - skew
    }

    /// A clock's error.
    pub fn skew(&mut self) -> i64 {
        self.random.i64(-self.settings.skew..=self.settings.skew)
    }

    /// Something will happen.
    pub fn after(&mut self, delay: i64, event: impl FnOnce(&mut Self) + 'static) {
        self.order += 1;
        self.due.push(Due { at: self.now + delay, order: self.order, event: Box::new(event) });
    }

    /// Lets everything happen that is due by then, up to the first violation.
    pub fn run_until(&mut self, time: i64) {
        while self.oracle.violation.is_none() && self.due.peek().is_some_and(|due| due.at <= time) {
            let Some(due) = self.due.pop() else { break };
            self.now = due.at;
            (due.event)(self);
        }
        self.now = self.now.max(time);
    }

    /// So many of a hundred.
    pub fn percent(&mut self, chance: u32) -> bool {
        chance > 0 && self.random.u32(..100) < chance
    }

    /// How long a message is on its way; `None` if it is lost.
    pub fn message(&mut self) -> Option<i64> {
        if self.is_calm {
            return Some(self.random.i64(1..50));
        }
        let lost = self.settings.lost;
        if self.percent(lost) {
            return None;
        }
        // Most are quick, some are not.
        let slowest = if self.percent(70) { self.settings.slowest / 10 } else { self.settings.slowest };
        Some(self.random.i64(0..=slowest))
    }

    /// The same for a good connection.
    pub fn good_message(&mut self) -> Option<i64> {
        Some(self.random.i64(0..=400))
    }

    /// Does a message come twice?
    pub fn comes_twice(&mut self) -> bool {
        let twice = self.settings.twice;
        !self.is_calm && self.percent(twice)
    }

    /// Does a step end in a crash?
    pub fn crashes(&mut self) -> bool {
        !self.is_calm && self.settings.crashes > 0 && self.random.u32(..1000) < self.settings.crashes
    }

    /// A line of the trace.
    pub fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            let (seconds, millis) = (self.now / 1000, self.now % 1000);
            trace.push(format!("{seconds:>7}.{millis:03}  {}", line()));
        }
    }

    /// A rule did not hold.
    pub fn violated(&mut self, rule: Rule, what: impl Into<String>) {
        self.oracle.violated(rule, what);
    }

    /// What came of it.
    pub fn outcome(self) -> (Option<Violation>, Vec<String>) {
        (self.oracle.violation, self.trace.unwrap_or_default())
    }
}
