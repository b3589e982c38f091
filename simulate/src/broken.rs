//! Broken rules: with any of these a run must find a violation.

use std::fmt;
use tollgate::rules::{
    account::{Bucket, DeviceId},
    revocation::{Entry, RevocationKeys},
    safeguards::{Cause, Checked, Intact, Safeguards},
    time::{Duration, Timestamp},
};

/// A fault of the simulated gate or object, outside the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A reply goes out before the state is written.
    RepliesBeforeWrite,
    /// An announcement counts as delivered whether the log took it or not.
    AnnouncesOnce,
    /// KV gets the record of the step that began the delivery, not the latest one.
    WritesOldRecord,
    /// A device is known for every name that differs only in case.
    SharesDevices,
}

/// The rules that a history is played by.
#[derive(Clone, Copy)]
pub struct Rules {
    /// The name of the broken rule; `None` if all are intact.
    pub name: Option<&'static str>,
    /// The decisions of the rules.
    pub safeguards: &'static dyn Safeguards,
    /// A fault outside the rules.
    pub fault: Option<Fault>,
}

impl Rules {
    /// Intact rules.
    pub const INTACT: Self = Self { name: None, safeguards: &Intact, fault: None };

    const fn broken(name: &'static str, safeguards: &'static dyn Safeguards) -> Self {
        Self { name: Some(name), safeguards, fault: None }
    }

    const fn faulty(name: &'static str, fault: Fault) -> Self {
        Self { name: Some(name), safeguards: &Intact, fault: Some(fault) }
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name.unwrap_or("intact"))
    }
}

/// Defines one type for each broken rule, and the list of all.
macro_rules! broken {
    ($($(#[$doc:meta])* $name:ident { $($method:tt)* })*) => {
        $($(#[$doc])* struct $name;
        impl Safeguards for $name { $($method)* })*

        /// Every broken rule.
        pub const BROKEN: &[Rules] = &[
            $(Rules::broken(stringify!($name), &$name),)*
            Rules::faulty("RepliedEarly", Fault::RepliesBeforeWrite),
            Rules::faulty("AnnouncedOnce", Fault::AnnouncesOnce),
            Rules::faulty("OldRecordWritten", Fault::WritesOldRecord),
            Rules::faulty("TwinsShareDevices", Fault::SharesDevices),
        ];
    };
}

broken! {
    /// A log-in succeeds by a record that is older than the last change of password.
    StalePassword {
        fn is_record_stale(&self, _: Timestamp, _: Timestamp) -> bool { false }
    }
    /// A password is changed by somebody who knows an earlier one.
    StaleProof {
        fn is_proof_stale(&self, _: Timestamp, _: Timestamp) -> bool { false }
    }
    /// A change of password ends no session.
    SessionsSurvivePassword {
        fn password_change_ends_sessions(&self) -> bool { false }
    }
    /// A password that was changed elsewhere ends no session.
    NewerRecordEndsNothing {
        fn newer_record_ends_sessions(&self) -> bool { false }
    }
    /// A disabled user can still log in.
    RetiredPassword {
        fn retires_password(&self) -> bool { false }
    }
    /// A rehashed password replaces one that was changed meanwhile.
    RehashUndoes {
        fn drops_outdated_rehash(&self) -> bool { false }
    }
    /// A write of any record to KV counts as delivery of the waiting one.
    AnyDeliveryClears {
        fn is_delivered(&self, _: bool) -> bool { true }
    }
    /// An account has any number of sessions.
    SessionsUnlimited {
        fn max_sessions(&self) -> usize { usize::MAX }
    }
    /// A session keeps every token that was spent within the grace.
    LinksUnlimited {
        fn max_refresh_tokens(&self) -> usize { usize::MAX }
    }
    /// An unused session does not end.
    IdleNeverEnds {
        fn session_end(&self, _: Timestamp, by_age: Timestamp) -> Timestamp { by_age }
    }
    /// A session that is used never ends.
    NeverEndsAtLast {
        fn session_end(&self, by_disuse: Timestamp, _: Timestamp) -> Timestamp { by_disuse }
    }
    /// A spent refresh token gets its successor at any time.
    GraceNeverEnds {
        fn is_grace_over(&self, _: Timestamp, _: Duration, _: Timestamp) -> bool { false }
    }
    /// A retry within the grace counts as reuse.
    NoGrace {
        fn allows_retry(&self) -> bool { false }
    }
    /// A retry gets a successor of its own.
    RetryMakesAnother {
        fn makes_successor(&self, _: bool) -> bool { true }
    }
    /// A spent refresh token is refused, but its session stays open.
    ReuseForgiven {
        fn reuse_ends_session(&self) -> bool { false }
    }
    /// A refresh token that was revoked by its id can be spent.
    VoidTokenRotates {
        fn refuses_revoked_refresh_token(&self) -> bool { false }
    }
    /// A strict check ignores tokens that were revoked by their id.
    CheckForgetsTokens {
        fn checks(&self, what: Checked) -> bool { what != Checked::Tokens }
    }
    /// A strict check ignores whether the session is open.
    CheckForgetsSessions {
        fn checks(&self, what: Checked) -> bool { what != Checked::Sessions }
    }
    /// A strict check ignores when all sessions were ended.
    CheckForgetsEnds {
        fn checks(&self, what: Checked) -> bool { what != Checked::AllEnded }
    }
    /// Ends and beginnings have the time of the clock, even if it was set back.
    ClockSetBack {
        fn after(&self, _: Timestamp, now: Timestamp) -> Timestamp { now }
    }
    /// The end of all sessions does not cover sessions that began by a clock that was ahead.
    EndsByTheClock {
        fn end_of_all_covers_later_clocks(&self) -> bool { false }
    }
    /// A repeated command is carried out again.
    RepeatsAreDone {
        fn repeats_replies(&self) -> bool { false }
    }
    /// A revocation is kept for as long as a token lives by one clock, without margin.
    NoMargin {
        fn revocation_margin(&self) -> Duration { Duration::ZERO }
    }
    /// The end of a session is not announced.
    EndNotAnnounced {
        fn announces(&self, cause: Cause) -> bool { cause != Cause::SessionEnded }
    }
    /// The expiry of a session is not announced, though its access tokens may live on.
    RunsOutInSilence {
        fn announces(&self, cause: Cause) -> bool { cause != Cause::SessionExpired }
    }
    /// The end of all sessions is not announced.
    AllForgotten {
        fn announces(&self, cause: Cause) -> bool { cause != Cause::AllEnded }
    }
    /// The revocation of a token is not announced.
    VoidNotAnnounced {
        fn announces(&self, cause: Cause) -> bool { cause != Cause::TokenRevoked }
    }
    /// A revoked refresh token is remembered no longer than an access token lives.
    VoidTokenComesBack {
        fn remembered_until(&self, _: Timestamp, by_lifetime: Timestamp) -> Timestamp { by_lifetime }
    }
    /// An account never forgets a revoked token.
    RevokedForEver {
        fn is_revoked_token_over(&self, _: Timestamp, _: Timestamp) -> bool { false }
    }
    /// An end is acknowledged before the log has it.
    AcknowledgedEarly {
        fn promises_an_end(&self, _: bool, _: bool) -> bool { false }
    }
    /// An end that is asked for again is acknowledged, whether the log has it or not.
    SecondEndPromisesNothing {
        fn promises_an_end(&self, ends: bool, _: bool) -> bool { ends }
    }
    /// The log numbers its entries by count, and starts again at one when it is empty.
    NumbersByCount {
        fn next_number(&self, last: u64, _: u64) -> u64 { last + 1 }
    }
    /// Of two entries of one key the later one counts.
    NarrowerEntry {
        fn merged(&self, _: &Entry, other: &Entry) -> Entry { *other }
    }
    /// The log never forgets.
    RegisterKeepsAll {
        fn is_log_entry_over(&self, _: &Entry, _: Timestamp) -> bool { false }
    }
    /// The log forgets an entry before the tokens that it covers have expired.
    ForgottenEarly {
        fn is_log_entry_over(&self, _: &Entry, _: Timestamp) -> bool { true }
    }
    /// A snapshot never forgets.
    SnapshotKeepsAll {
        fn is_snapshot_entry_over(&self, _: &Entry, _: Timestamp) -> bool { false }
    }
    /// An isolate judges by a snapshot of any age.
    StaleSnapshot {
        fn is_too_old(&self, _: i64, _: i64) -> bool { false }
    }
    /// A route that stays open lets every token pass.
    OpenToEveryone {
        fn refuses_known_when_stale(&self) -> bool { false }
    }
    /// An old delta replaces a newer one.
    SnapshotGoesBack {
        fn keeps_entries(&self) -> bool { false }
    }
    /// An isolate never follows a log whose numbers are lower.
    BeginsAnewUnseen {
        fn follows_restarted_log(&self) -> bool { false }
    }
    /// The age of a snapshot counts from its arrival.
    YoungByArrival {
        fn snapshot_time(&self, _: Timestamp, now: Timestamp) -> Timestamp { now }
    }
    /// A token that was judged good once stays good after later revocations.
    GoodForEver {
        fn is_known_good(&self, checked: u64, _: u64) -> bool { checked > 0 }
    }
    /// The end of all sessions covers later sessions too.
    BeforeIgnored {
        fn covers(&self, _: &Entry, _: Timestamp) -> bool { true }
    }
    /// An isolate does not look up a token's user.
    UsersNotJudged {
        fn looked_up(&self, keys: &RevocationKeys) -> RevocationKeys { RevocationKeys { user: None, ..*keys } }
    }
    /// An isolate does not look up a token's own id.
    TokensNotJudged {
        fn looked_up(&self, keys: &RevocationKeys) -> RevocationKeys { RevocationKeys { token: None, ..*keys } }
    }
    /// A new token gets the attributes that the store shows, however old they are.
    StaleAttributes {
        fn are_attributes_stale(&self, _: Timestamp, _: Timestamp) -> bool { false }
    }
    /// An attribute is changed in the copy that the caller has read, however old it is.
    ChangesTheCopy {
        fn changes_known_attributes(&self) -> bool { false }
    }
    /// The change of an attribute is not announced.
    ChangeNotAnnounced {
        fn announces(&self, cause: Cause) -> bool { cause != Cause::AttributesChanged }
    }
    /// A strict check ignores the version of the claims.
    CheckForgetsClaims {
        fn checks(&self, what: Checked) -> bool { what != Checked::Claims }
    }
    /// An isolate does not look up the version of a token's claims.
    ClaimsNotJudged {
        fn looked_up(&self, keys: &RevocationKeys) -> RevocationKeys { RevocationKeys { claims: None, ..*keys } }
    }
    /// The change of an attribute ends the sessions.
    ChangeEndsSessions {
        fn attribute_change_keeps_sessions(&self) -> bool { false }
    }
    /// The change of an attribute covers tokens with the new claims too.
    NewClaimsRefused {
        fn covers_claims(&self, _: &Entry, _: Timestamp) -> bool { true }
    }
    /// No number of failures costs a wait.
    GuessesUnlimited {
        fn limits_attempts(&self) -> bool { false }
    }
    /// An attempt is forgiven within a minute.
    ForgivenByTheMinute {
        fn forgiven_after(&self, _: u32) -> u32 { 60 }
    }
    /// An attempt whose password was not checked clears its bucket.
    UntriedForgivesAll {
        fn takes_back_one_attempt(&self) -> bool { false }
    }
    /// A known device shares the strangers' bucket.
    NoLaneOfItsOwn {
        fn knows_devices(&self) -> bool { false }
    }
    /// An unknown device has a bucket of its own.
    EveryoneHasALane {
        fn bucket_of_unknown(&self, shown: &[DeviceId]) -> Bucket {
            shown.first().map_or(Bucket::Strangers, |device| Bucket::Device(device.clone()))
        }
    }
    /// A known device never waits.
    DeviceUnlimited {
        fn limits_known_devices(&self) -> bool { false }
    }
    /// A client at a known address without attempts left uses the strangers' bucket.
    AddressesFallThrough {
        fn known_address_waits(&self) -> bool { false }
    }
    /// The owner's log-in gives strangers their first attempts again.
    LoginClearsStrangers {
        fn login_clears(&self, bucket: &Bucket) -> bool {
            matches!(bucket, Bucket::Strangers | Bucket::Device(DeviceId::Cookie(_)))
        }
    }
    /// The owner's log-in gives everybody at the owner's address their first attempts again.
    LoginClearsAddresses {
        fn login_clears(&self, bucket: &Bucket) -> bool { matches!(bucket, Bucket::Device(_)) }
    }
    /// The devices of a name that differs only in case push out the owner's.
    TwinsPushOut {
        fn may_drop_for(&self, _: &str, _: &str) -> bool { true }
    }
}
