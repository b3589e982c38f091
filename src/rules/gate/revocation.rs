//! Whether a token is revoked: by the snapshot in memory, and when that is too old, by a newer one.
//!
//! **What always holds:** a token passes by a snapshot no longer than `TOLLGATE_REVOCATION_BOUND` after its revocation
//! was acknowledged. What JavaScript may replay, and until when, is said here: [`Gate::replayable`].

use super::{core::Gate, decision::Rejected};
use crate::{
    host::Host,
    rules::{
        account::Command,
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

/// Which revocations count.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// All of them.
    All,
    /// An end of everybody alone. Of all others the account's object is asked, which a request that is run again does
    /// not find changed by itself.
    Everybody,
}

impl Gate {
    /// How long the decision for this token, made at `now`, may be replayed for the same request without the rules;
    /// `None` if not at all. It ends with the token's own times, and where there are revocations when a newer snapshot
    /// is due: a revocation that comes in before, with a late answer to an earlier question, hits when that time is
    /// over, a third of the bound after the snapshot's age.
    #[must_use]
    pub fn replayable(&self, token: &VerifiedToken, now: Timestamp) -> Option<TimeRange> {
        let good = self.config.tokens.good_while(token)?;
        match &self.snapshot {
            None => Some(good),
            Some(_) if self.status(token, Scope::All, now) != RevocationStatus::Good => None,
            Some(snapshot) => Some(good.start.max(now)..good.end.min(snapshot.due().next())),
        }
    }

    /// Whether a newer snapshot is due. Whoever is told so fetches one, behind the answer to a request.
    #[must_use]
    pub fn is_refresh_due(&self, now: Timestamp) -> bool {
        self.snapshot.as_ref().is_some_and(|snapshot| snapshot.age(now) == Age::Due)
    }

    /// Notes that the revocation log is being asked now.
    pub fn mark_refresh_requested(&self, now: Timestamp) {
        self.snapshot.iter().for_each(|snapshot| snapshot.mark_requested(now));
    }

    /// The number from which on the revocation log is to be asked.
    #[must_use]
    pub fn known_revocations(&self) -> u64 {
        self.snapshot.as_ref().map_or(0, Snapshot::number)
    }

    /// Takes in what the revocation log says.
    pub fn update_revocations(&self, delta: &Delta, now: Timestamp) {
        self.snapshot.iter().for_each(|snapshot| snapshot.update(delta, now));
    }

    /// By the snapshot. Of a token that an application verifies by its own means nothing is known.
    pub(super) fn status(&self, token: &SignedToken, scope: Scope, now: Timestamp) -> RevocationStatus {
        match (&self.snapshot, token.revocation_keys()) {
            (Some(snapshot), Some((keys, checked_generation))) => match scope {
                Scope::All => snapshot.judge(keys, checked_generation, now),
                Scope::Everybody => {
                    let keys = RevocationKeys { token: None, session: None, user: None, began: keys.began };
                    snapshot.judge(&keys, &AtomicU64::new(0), now)
                }
            },
            _ => RevocationStatus::Good,
        }
    }

    /// By the snapshot; if that is too old, by a newer one. Where `open`, the old one will do if there is no newer one.
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
    pub(super) async fn unrevoked(
        &self,
        token: VerifiedToken,
        scope: Scope,
        host: &impl Host,
    ) -> Result<VerifiedToken, Rejected<'static>> {
        match self.current_status(&token, scope, false, host).await {
            RevocationStatus::Good => Ok(token),
            RevocationStatus::Revoked => {
                Err(RejectedToken::of(Rejection::Token(TokenRejection::Revoked), token).into())
            }
            RevocationStatus::Unknown => Err(Rejection::Unavailable(UnavailableRejection::Store).into()),
        }
    }

    /// The command that asks the account's object whether a token is good; `None` where there are no sessions, or for a
    /// token that names nobody. `is_use`: its session is in use, and goes on by this.
    pub(super) fn check_command(&self, token: &SignedToken, is_use: bool) -> Option<(ObjectName, Command)> {
        let (keys, _) = token.revocation_keys()?;
        let (session, token_id) = (token.session_id().cloned(), token.token_id().cloned());
        Some((self.account_of(token)?, Command::Check { session, token_id, began: keys.began, is_use }))
    }
}

/// Brings a snapshot up to date. One request asks for all that wait: a hundred thousand revocations need not be read by
/// each.
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
