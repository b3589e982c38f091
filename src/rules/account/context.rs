//! The circumstances of a command: object, time, lifetimes.

use super::Lifetimes;
use crate::rules::{
    ids::ObjectName,
    safeguards::{Intact, Safeguards},
    time::Timestamp,
};

/// The object, time and options of a command.
#[derive(Clone, Copy)]
pub struct Context<'a, S: Safeguards + ?Sized = Intact> {
    /// The object's name.
    pub name: &'a ObjectName,
    /// The configured lifetimes.
    pub lifetimes: &'a Lifetimes,
    /// The time by the object's clock.
    pub now: Timestamp,
    /// The decisions that the simulation can override.
    pub safeguards: &'a S,
}

impl<'a> Context<'a> {
    /// A context with [`Intact`] decisions.
    #[must_use]
    pub const fn new(name: &'a ObjectName, lifetimes: &'a Lifetimes, now: Timestamp) -> Self {
        Self { name, lifetimes, now, safeguards: &Intact }
    }
}

impl<S: Safeguards + ?Sized> Context<'_, S> {
    /// When every token that was issued at `issued` or before has expired, by any clock.
    pub(super) fn all_expired(&self, issued: Timestamp) -> Timestamp {
        issued.later(self.lifetimes.token).later(self.safeguards.revocation_margin())
    }

    /// The time of an event after `then`: `now`, or just after `then` if the clock was set back.
    pub(super) fn after(&self, then: Timestamp) -> Timestamp {
        self.safeguards.after(then, self.now)
    }
}
