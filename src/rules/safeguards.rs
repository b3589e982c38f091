//! The decisions on which sessions, throttling and revocation rest, one method each.
//!
//! **What always holds:** the product runs [`Intact`], which is zero-sized and overrides nothing. The simulation
//! (`simulate/`) overrides one method at a time and must notice each time. A decision belongs here if a mistake in
//! it harms somebody, and a test of one step can't show that.

use super::{
    account::{Bucket, DeviceId, MAX_REFRESH_TOKENS, MAX_SESSIONS, REVOCATION_MARGIN},
    revocation::{Entry, RevocationKeys},
    time::{Duration, Timestamp},
};

/// What a revocation is announced for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A session was ended: by its user, by an operator, or because a refresh token was used again.
    SessionEnded,
    /// A session expired. Its last access token may live longer.
    SessionExpired,
    /// Every session of an account was ended.
    AllEnded,
    /// One token was revoked.
    TokenRevoked,
    /// The attributes were changed that claims are made of.
    AttributesChanged,
}

/// What [`super::account::Command::Check`] compares a token with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// The open sessions.
    Sessions,
    /// The tokens that were revoked by their id.
    Tokens,
    /// The moment at which all sessions were last ended.
    AllEnded,
    /// The version of the attributes.
    Claims,
}

/// The rules of sessions, throttling and revocation that a simulation can override. Each provided method is what the
/// product does.
pub trait Safeguards: Sync {
    // Passwords.

    /// Whether to refuse a log-in by a record of `version`, when a change to `known` has been seen.
    fn is_record_stale(&self, version: Timestamp, known: Timestamp) -> bool {
        version < known
    }

    /// Whether to refuse a change of password that was proven against `version`, when a change to `known` has been
    /// seen.
    fn is_proof_stale(&self, version: Timestamp, known: Timestamp) -> bool {
        version < known
    }

    /// Whether a change of password ends every session.
    fn password_change_ends_sessions(&self) -> bool {
        true
    }

    /// Whether a log-in by a record that was changed elsewhere ends every earlier session.
    fn newer_record_ends_sessions(&self) -> bool {
        true
    }

    /// Whether an end of all sessions can also make the present password stop counting.
    fn retires_password(&self) -> bool {
        true
    }

    /// Whether to drop a rehashed record when the password has changed meanwhile.
    fn drops_outdated_rehash(&self) -> bool {
        true
    }

    /// Whether the pending record is in KV now. `is_same`: the record just delivered is the pending one.
    fn is_delivered(&self, is_same: bool) -> bool {
        is_same
    }

    // Sessions.

    /// Maximum number of sessions of an account.
    fn max_sessions(&self) -> usize {
        MAX_SESSIONS
    }

    /// Maximum number of refresh tokens that a session keeps.
    fn max_refresh_tokens(&self) -> usize {
        MAX_REFRESH_TOKENS
    }

    /// When a session ends: the earlier of the end by disuse and the end by age.
    fn session_end(&self, by_disuse: Timestamp, by_age: Timestamp) -> Timestamp {
        by_disuse.min(by_age)
    }

    /// Whether the grace of a refresh token that was spent at `spent_at` is over.
    fn is_grace_over(&self, spent_at: Timestamp, grace: Duration, now: Timestamp) -> bool {
        spent_at.later(grace) < now
    }

    /// Whether a spent refresh token may be retried within the grace.
    fn allows_retry(&self) -> bool {
        true
    }

    /// Whether a refresh token gets a new successor, given whether it is the latest of its session.
    fn makes_successor(&self, is_latest: bool) -> bool {
        is_latest
    }

    /// Whether the reuse of a spent refresh token ends its session.
    fn reuse_ends_session(&self) -> bool {
        true
    }

    /// Whether to refuse a refresh token that was revoked by its id.
    fn refuses_revoked_refresh_token(&self) -> bool {
        true
    }

    /// Whether [`super::account::Command::Check`] compares a token with this.
    fn checks(&self, _: Checked) -> bool {
        true
    }

    /// The time for something that happens after `then`: `now`, or the millisecond after `then` if the clock was set
    /// back.
    fn after(&self, then: Timestamp, now: Timestamp) -> Timestamp {
        now.max(then.next())
    }

    /// Whether an end of all sessions also covers sessions that began by a clock ahead of this one.
    fn end_of_all_covers_later_clocks(&self) -> bool {
        true
    }

    /// Whether the reply to a command is given again when the command is repeated.
    fn repeats_replies(&self) -> bool {
        true
    }

    // Attributes.

    /// Whether a new token gets the known attributes instead of those that the store shows.
    fn are_attributes_stale(&self, seen: Timestamp, known: Timestamp) -> bool {
        seen < known
    }

    /// Whether a change is one of the known attributes, instead of those that the caller has read in the store.
    fn changes_known_attributes(&self) -> bool {
        true
    }

    /// Whether sessions go on when attributes change.
    fn attribute_change_keeps_sessions(&self) -> bool {
        true
    }

    // Announcing revocations.

    /// How much longer than a token's lifetime its revocation is kept: clocks differ.
    fn revocation_margin(&self) -> Duration {
        REVOCATION_MARGIN
    }

    /// Whether to announce a revocation.
    fn announces(&self, _: Cause) -> bool {
        true
    }

    /// Until when an account remembers a revoked token. `by_lifetime`: when every access
    /// token that was issued until now has expired.
    fn remembered_until(&self, until: Timestamp, _by_lifetime: Timestamp) -> Timestamp {
        until
    }

    /// Whether an account may forget a revoked token that it keeps until `until`.
    fn is_revoked_token_over(&self, until: Timestamp, now: Timestamp) -> bool {
        until <= now
    }

    /// Whether a reply waits until the revocation log has what it promises. `ends`: this command revoked something.
    /// `repeats_end`: an earlier command did, and the log does not have it yet.
    fn promises_an_end(&self, ends: bool, repeats_end: bool) -> bool {
        ends || repeats_end
    }

    // The revocation log and its snapshots.

    /// The number of a new entry of the log: greater than any before, also after all entries were forgotten.
    fn next_number(&self, last: u64, clock: u64) -> u64 {
        clock.max(last + 1)
    }

    /// The entry that covers whatever one of these two covers.
    fn merged(&self, one: &Entry, other: &Entry) -> Entry {
        one.merged(other)
    }

    /// Whether the log may forget an entry.
    fn is_log_entry_over(&self, entry: &Entry, now: Timestamp) -> bool {
        entry.until <= now
    }

    /// Whether a snapshot may forget an entry.
    fn is_snapshot_entry_over(&self, entry: &Entry, now: Timestamp) -> bool {
        entry.until <= now
    }

    /// Whether a snapshot is too old to judge by.
    fn is_too_old(&self, age_ms: i64, max_staleness_ms: i64) -> bool {
        age_ms > max_staleness_ms
    }

    /// Whether a route that stays open when its snapshot is too old refuses what the snapshot knows to be revoked.
    fn refuses_known_when_stale(&self) -> bool {
        true
    }

    /// Whether a snapshot keeps its entries when an older delta arrives.
    fn keeps_entries(&self) -> bool {
        true
    }

    /// Whether a snapshot follows a log whose numbers started again.
    fn follows_restarted_log(&self) -> bool {
        true
    }

    /// The time of a snapshot after a delta that was true at `as_of` and arrived at `now`.
    fn snapshot_time(&self, as_of: Timestamp, _now: Timestamp) -> Timestamp {
        as_of
    }

    /// Whether a token that was found good under `checked` is good under `generation` without another look.
    fn is_known_good(&self, checked: u64, generation: u64) -> bool {
        checked == generation
    }

    /// Whether an entry covers a token whose session began, or which was issued, at `began`.
    fn covers(&self, entry: &Entry, began: Timestamp) -> bool {
        entry.before.is_none_or(|before| began <= before)
    }

    /// Whether an entry covers a token whose claims were made of attributes of this version.
    fn covers_claims(&self, entry: &Entry, version: Timestamp) -> bool {
        entry.before.is_none_or(|before| version <= before)
    }

    /// The keys by which a token is looked up.
    fn looked_up(&self, keys: &RevocationKeys) -> RevocationKeys {
        *keys
    }

    // Throttling.

    /// Whether attempts are limited.
    fn limits_attempts(&self) -> bool {
        true
    }

    /// Seconds after which one failed attempt is forgiven.
    fn forgiven_after(&self, seconds: u32) -> u32 {
        seconds
    }

    /// Whether taking back one attempt leaves the others of its bucket counted.
    fn takes_back_one_attempt(&self) -> bool {
        true
    }

    /// Whether a known device has a bucket of its own, instead of the strangers'.
    fn knows_devices(&self) -> bool {
        true
    }

    /// The bucket for a client that has shown these devices, none of which is known.
    fn bucket_of_unknown(&self, _shown: &[DeviceId]) -> Bucket {
        Bucket::Strangers
    }

    /// Whether the attempts of a known device are limited.
    fn limits_known_devices(&self) -> bool {
        true
    }

    /// Whether a client at a known address waits when that address has no attempts left.
    fn known_address_waits(&self) -> bool {
        true
    }

    /// Whether a log-in forgives every failure of its bucket: only where nobody else shares the bucket.
    fn login_clears(&self, bucket: &Bucket) -> bool {
        matches!(bucket, Bucket::Device(DeviceId::Cookie(_)))
    }

    /// Whether a known device of `record` may be dropped for a new device of `other`: only if both are of one record.
    fn may_drop_for(&self, record: &str, other: &str) -> bool {
        record == other
    }
}

/// The rules as the product runs them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Intact;

impl Safeguards for Intact {}
