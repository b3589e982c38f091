//! Rules that can be broken on purpose, one at a time, to see that the simulation finds it (`cargo xtask simulate
//! --break NAME`). Without the feature `mutants` none ever is, and the compiler leaves no trace of it.

/// A rule that can be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mutant {
    /// A log-in is good by a record that is older than the last change of the password.
    StalePassword,
    /// A change of the password ends no session.
    SessionsSurvivePassword,
    /// A spent refresh token is refused, but its family goes on.
    ReuseForgiven,
    /// A spent refresh token is good for ever.
    GraceNeverEnds,
    /// A retry within the grace counts as reuse.
    NoGrace,
    /// A retry gets a successor of its own.
    RetryMakesAnother,
    /// The end of a session is not told to the register.
    EndNotAnnounced,
    /// What must be announced is forgotten when it was told, whether it came through or not.
    AnnouncedOnce,
    /// An end is acknowledged before the register has it.
    AcknowledgedEarly,
    /// A reply goes out before the state is written.
    RepliedEarly,
    /// The register forgets an entry before the tokens that it hits have expired.
    ForgottenEarly,
    /// An isolate judges by a snapshot of any age.
    StaleSnapshot,
    /// A token that was found good once is good whatever is revoked afterwards.
    GoodForEver,
    /// An old answer of the register takes the place of a newer one.
    SnapshotGoesBack,
    /// The owner's log-in gives strangers their first tries again.
    LogInClearsStrangers,
    /// A known device waits with the strangers.
    NoLaneOfItsOwn,
    /// Tries are counted, but never wait.
    GuessesUnlimited,
}

impl Mutant {
    /// Every one.
    pub const ALL: [Self; 17] = [
        Self::StalePassword,
        Self::SessionsSurvivePassword,
        Self::ReuseForgiven,
        Self::GraceNeverEnds,
        Self::NoGrace,
        Self::RetryMakesAnother,
        Self::EndNotAnnounced,
        Self::AnnouncedOnce,
        Self::AcknowledgedEarly,
        Self::RepliedEarly,
        Self::ForgottenEarly,
        Self::StaleSnapshot,
        Self::GoodForEver,
        Self::SnapshotGoesBack,
        Self::LogInClearsStrangers,
        Self::NoLaneOfItsOwn,
        Self::GuessesUnlimited,
    ];

    /// Is this rule broken, in this thread?
    #[cfg(feature = "mutants")]
    #[must_use]
    pub fn is_on(self) -> bool {
        BROKEN.get() == Some(self)
    }

    /// No.
    #[cfg(not(feature = "mutants"))]
    #[must_use]
    pub(crate) const fn is_on(self) -> bool {
        false
    }
}

#[cfg(feature = "mutants")]
thread_local! {
    static BROKEN: std::cell::Cell<Option<Mutant>> = const { std::cell::Cell::new(None) };
}

/// Breaks one rule, or none, in this thread.
#[cfg(feature = "mutants")]
pub fn break_rule(mutant: Option<Mutant>) {
    BROKEN.set(mutant);
}
