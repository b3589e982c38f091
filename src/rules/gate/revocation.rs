//! Whether a token is revoked: by the snapshot in memory, or by a newer one if that is too old.
//!
//! **What always holds:** a snapshot accepts a revoked token for at most `TOLLGATE_REVOCATION_BOUND` after the
//! revocation was acknowledged. [`Gate::replayable`] decides what JavaScript may replay, and until when.

use super::{core::Gate, decision::Rejected};
use crate::{
    host::Host,
    rules::{
        account::{Command, Reply},
        identity::SeenAttributes,
        ids::ObjectName,
        rejection::{Rejection, TokenRejection, UnavailableRejection},
        revocation::{Age, Delta, RevocationKeys, RevocationStatus, Snapshot},
        time::{Duration, TimeRange, Timestamp},
        token::{RejectedToken, SignedToken, VerifiedToken},
    },
};
use std::sync::atomic::AtomicU64;

/// Poll interval and maximum polls while another request refreshes the snapshot.
const POLL_INTERVAL: Duration = Duration::millis(50);
const MAX_POLLS: u32 = 40;

/// Which entries of the snapshot count.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// All of them.
    All,
    /// Only the end of everybody's sessions. For all other revocations the account's object is asked: if a request is
    /// run again after it has ended its own session, the snapshot may have that end, and the object repeats its reply.
    Everybody,
}

impl Gate {
    /// The times in which JavaScript may replay the decision for this token, made at `now`, for the same request;
    /// `None` if never. The range lies within the token's own times. With sessions it ends when the next snapshot is
    /// due, a third of the bound after the present snapshot was made; a revocation that arrives before then counts from
    /// then on.
    #[must_use]
    pub fn replayable(&self, token: &VerifiedToken, now: Timestamp) -> Option<TimeRange> {
        let good = self.config.tokens.good_while(token)?;
        match &self.snapshot {
            None => Some(good),
            Some(_) if self.status(token, Scope::All, now) != RevocationStatus::Good => None,
            Some(snapshot) => Some(good.start.max(now)..good.end.min(snapshot.due().next())),
        }
    }

    /// Whether a newer snapshot is due. The caller then fetches one, without delaying an answer.
    #[must_use]
    pub fn is_refresh_due(&self, now: Timestamp) -> bool {
        self.snapshot.as_ref().is_some_and(|snapshot| snapshot.age(now) == Age::Due)
    }

    /// Records that the revocation log is asked at `now`.
    pub fn mark_refresh_requested(&self, now: Timestamp) {
        self.snapshot.iter().for_each(|snapshot| snapshot.mark_requested(now));
    }

    /// The number of the last known entry, after which the revocation log is asked; 0 without sessions.
    #[must_use]
    pub fn known_revocations(&self) -> u64 {
        self.snapshot.as_ref().map_or(0, Snapshot::number)
    }

    /// Adds an answer of the revocation log to the snapshot.
    pub fn update_revocations(&self, delta: &Delta, now: Timestamp) {
        self.snapshot.iter().for_each(|snapshot| snapshot.update(delta, now));
    }

    /// The token's status by the snapshot. A token that an application verifies itself is always good.
    pub(super) fn status(&self, token: &SignedToken, scope: Scope, now: Timestamp) -> RevocationStatus {
        match (&self.snapshot, token.revocation_keys()) {
            (Some(snapshot), Some((keys, checked_generation))) => match scope {
                Scope::All => snapshot.judge(keys, checked_generation, now),
                Scope::Everybody => {
                    let keys = RevocationKeys { token: None, session: None, user: None, claims: None, ..*keys };
                    snapshot.judge(&keys, &AtomicU64::new(0), now)
                }
            },
            _ => RevocationStatus::Good,
        }
    }

    /// The token's status by the snapshot, or by a newer one if that is too old. If no newer one is to be had and
    /// `open`, the old one decides.
    pub(super) async fn current_status(
        &self,
        token: &SignedToken,
        scope: Scope,
        open: bool,
        host: &impl Host,
    ) -> RevocationStatus {
        let status = self.status(token, scope, host.now());
        let (RevocationStatus::Unknown, Some(snapshot)) = (status, &self.snapshot) else { return status };
        refresh(snapshot, host).await;
        match (self.status(token, scope, host.now()), token.revocation_keys()) {
            (RevocationStatus::Unknown, Some((keys, checked_generation))) if open => {
                snapshot.judge_by_known(keys, checked_generation)
            }
            (status, _) => status,
        }
    }

    /// The token, if it is not revoked.
    ///
    /// # Errors
    /// [`TokenRejection::Revoked`], [`TokenRejection::ClaimsOutdated`]; [`UnavailableRejection::Store`] if no snapshot
    /// is young enough.
    pub(super) async fn unrevoked(
        &self,
        token: VerifiedToken,
        scope: Scope,
        host: &impl Host,
    ) -> Result<VerifiedToken, Rejected<'static>> {
        match self.current_status(&token, scope, false, host).await {
            RevocationStatus::Good => Ok(token),
            RevocationStatus::Revoked => Err(RejectedToken::of(TokenRejection::Revoked, token).into()),
            RevocationStatus::ClaimsOutdated => Err(RejectedToken::of(TokenRejection::ClaimsOutdated, token).into()),
            RevocationStatus::Unknown => Err(Rejection::Unavailable(UnavailableRejection::Store).into()),
        }
    }

    /// The command that asks the account's object whether a token is revoked; `None` without sessions, or if the token
    /// names no user.
    pub(super) fn check_command(&self, token: &SignedToken) -> Option<(ObjectName, Command)> {
        let (keys, _) = token.revocation_keys()?;
        let claims_version = keys.claims.map(|claims| claims.version);
        let (session, token_id) = (token.session_id().cloned(), token.token_id().cloned());
        let (is_use, attributes) = (false, None);
        let check = Command::Check { session, token_id, began: keys.began, is_use, claims_version, attributes };
        Some((self.account_of(token)?, check))
    }

    /// The same before the token's session gets a new token with claims of these attributes: that prolongs the session,
    /// and the claims of the present token do not count.
    pub(super) fn use_command(
        &self,
        token: &SignedToken,
        attributes: Option<SeenAttributes>,
    ) -> Option<(ObjectName, Command)> {
        let (object, mut check) = self.check_command(token)?;
        if let Command::Check { is_use, claims_version, attributes: shown, .. } = &mut check {
            (*is_use, *claims_version, *shown) = (true, None, attributes);
        }
        Some((object, check))
    }
}

/// The rejection of a token that the account's object does not find good.
pub(super) fn rejection_of(reply: &Reply) -> TokenRejection {
    match reply {
        Reply::Outdated => TokenRejection::ClaimsOutdated,
        _ => TokenRejection::Revoked,
    }
}

/// Brings a snapshot up to date. One request asks the log, and the others wait for it: a full log of 100,000 entries is
/// read once.
async fn refresh(snapshot: &Snapshot, host: &impl Host) {
    for _ in 0..MAX_POLLS {
        if !snapshot.is_requested(host.now()) {
            break;
        }
        host.sleep(POLL_INTERVAL).await;
        if snapshot.age(host.now()) != Age::TooOld {
            return;
        }
    }
    snapshot.mark_requested(host.now());
    match host.revocations(snapshot.number()).await {
        Ok(delta) => snapshot.update(&delta, host.now()),
        Err(_) => snapshot.mark_not_requested(),
    }
}
