//! What a command is carried out under.

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
    /// The options that concern an account.
    pub lifetimes: &'a Lifetimes,
    /// The object's clock.
    pub now: Timestamp,
    /// The rules.
    pub safeguards: &'a S,
}

impl<'a> Context<'a> {
    /// With the rules as they are.
    #[must_use]
    pub const fn new(name: &'a ObjectName, lifetimes: &'a Lifetimes, now: Timestamp) -> Self {
        Self { name, lifetimes, now, safeguards: &Intact }
    }
}

impl<S: Safeguards + ?Sized> Context<'_, S> {
    /// When every token that was issued at `issued` has expired.
    pub(super) fn all_expired(&self, issued: Timestamp) -> Timestamp {
        issued.later(self.lifetimes.token).later(self.safeguards.revocation_margin())
    }

    /// The time of something that happens after `then`: now, also when the clock was set back since.
    pub(super) fn after(&self, then: Timestamp) -> Timestamp {
        self.safeguards.after(then, self.now)
    }
}
