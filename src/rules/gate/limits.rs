//! The rate limits that log-ins and password changes share, and the counting of attempts.
//!
//! **What always holds:** an attempt is counted before anything is looked up. An attempt without a reported outcome
//! counts as failed after 30 seconds.

use super::core::Gate;
use crate::{
    host::{Host, Limit},
    rules::{
        account::{Bucket, Command},
        ids::ObjectName,
        rejection::{PasswordRejection, Rejection},
    },
};

/// `Retry-After` for a rate limiter of the runtime: its period in seconds.
pub(super) const LIMIT_SECONDS: u32 = 60;
/// Keys of the hashing limiter: for devices that logged in before, and for everybody else.
const KNOWN: &str = "known";
const STRANGERS: &str = "strangers";

/// The rejection by a rate limiter of the runtime.
pub(super) const TOO_MANY: Rejection =
    Rejection::Password(PasswordRejection::TooManyAttempts { retry_after: LIMIT_SECONDS });

/// An attempt that an object has counted.
pub(super) struct Counted {
    pub(super) object: ObjectName,
    pub(super) bucket: Bucket,
}

impl Counted {
    /// The password was not checked: the attempt does not count.
    pub(super) async fn give_back(self, gate: &Gate, host: &impl Host) {
        self.report(gate, host, |bucket| Command::Untried { bucket }).await;
    }

    /// The password was wrong: the attempt counts as failed.
    pub(super) async fn fail(self, gate: &Gate, host: &impl Host) {
        self.report(gate, host, |bucket| Command::Wrong { bucket }).await;
    }

    /// Reports the outcome to the object. If the object can't be reached, the client's answer is the same.
    pub(super) async fn report(self, gate: &Gate, host: &impl Host, outcome: impl FnOnce(Bucket) -> Command) {
        drop(gate.ask(host, &self.object, outcome(self.bucket)).await);
    }
}

impl Gate {
    /// Whether the limiter of log-ins allows one more attempt under this key; `true` without such a limiter.
    pub(super) async fn is_within_attempts(&self, key: &str, host: &impl Host) -> bool {
        !self.config.bindings.address_limit || host.within_limit(Limit::Address, key).await
    }

    /// Whether the limiter of hashing allows one more hash; `true` without such a limiter. `user` is the key of a known
    /// user's own limit, which must allow it too.
    pub(super) async fn is_within_hashing(&self, user: Option<&str>, host: &impl Host) -> bool {
        if !self.config.bindings.hashing_limit {
            return true;
        }
        match user {
            None => host.within_limit(Limit::Hashing, STRANGERS).await,
            Some(user) => self.is_within_attempts(user, host).await && host.within_limit(Limit::Hashing, KNOWN).await,
        }
    }
}
