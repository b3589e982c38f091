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
    LoginClearsStrangers,
    /// A known device waits with the strangers.
    NoLaneOfItsOwn,
    /// Tries are counted, but never wait.
    GuessesUnlimited,
    /// A refresh token that was revoked by its id is good for another.
    VoidTokenRotates,
    /// A strict check does not look at what was revoked by its id.
    CheckForgetsTokens,
    /// A session that ran out is not told to the register, though its access tokens may live on.
    RunsOutInSilence,
    /// A refresh token that was revoked by its id is void for no longer than an access token lives.
    VoidTokenComesBack,
    /// KV is told what was wanted before the register was told, whatever came in between.
    OldRecordWritten,
    /// A revocation is remembered for as long as a token lives by one clock, not a moment longer.
    NoMargin,
    /// Who asks for an end a second time is told that it is made, whether the register has it or not.
    SecondEndPromisesNothing,
    /// A session is never idle for too long.
    IdleNeverEnds,
    /// A session that is used never ends.
    NeverEndsAtLast,
    /// A password is changed by whoever knows one of before.
    StaleProof,
    /// Who is disabled may still log in.
    RetiredPassword,
    /// A password that was changed elsewhere ends no session.
    NewerRecordEndsNothing,
    /// A password that is hashed anew takes the place of one that was changed.
    RehashUndoes,
    /// Whatever was written to KV, nothing waits any more.
    AnyDeliveryClears,
    /// What ends or begins does so by the clock, also when that was set back.
    ClockSetBack,
    /// A strict check looks at times only.
    CheckForgetsSessions,
    /// A strict check does not look at when everything was ended.
    CheckForgetsEnds,
    /// The end of all is not told to the register.
    AllForgotten,
    /// A token that is made void is not told to the register.
    VoidNotAnnounced,
    /// An account has as many sessions as anybody likes.
    SessionsUnlimited,
    /// A session keeps every token of the grace.
    LinksUnlimited,
    /// An account never forgets a void token.
    RevokedForEver,
    /// The register numbers its entries from one, also after it forgot everything.
    NumbersByCount,
    /// Of two entries of one mark the later one counts.
    NarrowerEntry,
    /// An isolate never believes a register whose numbers are lower.
    BeginsAnewUnseen,
    /// A snapshot is as young as its arrival.
    YoungByArrival,
    /// A snapshot never forgets.
    SnapshotKeepsAll,
    /// The register never forgets.
    RegisterKeepsAll,
    /// The end of all hits whatever begins later, too.
    BeforeIgnored,
    /// An isolate does not look at whose token it is.
    UsersNotJudged,
    /// An isolate does not look at a token's own id.
    TokensNotJudged,
    /// A try is forgiven within a minute.
    ForgivenByTheMinute,
    /// A try that was none gives all back.
    UntriedForgivesAll,
    /// A device that was never seen has a bucket of its own.
    EveryoneHasALane,
    /// A known device never waits.
    DeviceUnlimited,
    /// All is ended by the clock, also what began by one that was ahead.
    EndsByTheClock,
    /// A device is known for every name that differs in capitals only.
    TwinsShareDevices,
    /// The owner's log-in gives everybody at the owner's address their first tries again.
    LoginClearsAddresses,
    /// Who has no try left at a known address goes on among the strangers.
    AddressesFallThrough,
    /// A command that comes twice is done twice.
    RepeatsAreDone,
    /// The devices of a name that differs in capitals only push out the owner's.
    TwinsPushOut,
}

impl Mutant {
    /// Every one.
    pub const ALL: [Self; 58] = [
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
        Self::LoginClearsStrangers,
        Self::NoLaneOfItsOwn,
        Self::GuessesUnlimited,
        Self::VoidTokenRotates,
        Self::CheckForgetsTokens,
        Self::RunsOutInSilence,
        Self::VoidTokenComesBack,
        Self::OldRecordWritten,
        Self::NoMargin,
        Self::SecondEndPromisesNothing,
        Self::IdleNeverEnds,
        Self::NeverEndsAtLast,
        Self::StaleProof,
        Self::RetiredPassword,
        Self::NewerRecordEndsNothing,
        Self::RehashUndoes,
        Self::AnyDeliveryClears,
        Self::ClockSetBack,
        Self::CheckForgetsSessions,
        Self::CheckForgetsEnds,
        Self::AllForgotten,
        Self::VoidNotAnnounced,
        Self::SessionsUnlimited,
        Self::LinksUnlimited,
        Self::RevokedForEver,
        Self::NumbersByCount,
        Self::NarrowerEntry,
        Self::BeginsAnewUnseen,
        Self::YoungByArrival,
        Self::SnapshotKeepsAll,
        Self::RegisterKeepsAll,
        Self::BeforeIgnored,
        Self::UsersNotJudged,
        Self::TokensNotJudged,
        Self::ForgivenByTheMinute,
        Self::UntriedForgivesAll,
        Self::EveryoneHasALane,
        Self::DeviceUnlimited,
        Self::EndsByTheClock,
        Self::TwinsShareDevices,
        Self::LoginClearsAddresses,
        Self::AddressesFallThrough,
        Self::RepeatsAreDone,
        Self::TwinsPushOut,
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
