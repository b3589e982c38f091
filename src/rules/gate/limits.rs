//! The rate limits that log-ins and password changes share, and the counting of attempts.
//!
//! **What always holds:** an attempt is counted before anything is looked up. One of which no outcome is reported
//! counts as wrong after half a minute.

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
/// Whose share of hashing an attempt takes: that of users who logged in before, or that of everybody else.
const KNOWN: &str = "known";
const STRANGERS: &str = "strangers";

/// Too many, for as long as a rate limiter of the runtime counts.
pub(super) const TOO_MANY: Rejection =
    Rejection::Password(PasswordRejection::TooManyAttempts { retry_after: LIMIT_SECONDS });

/// An attempt that an object has counted.
pub(super) struct Counted {
    pub(super) object: ObjectName,
    pub(super) bucket: Bucket,
}

impl Counted {
    /// Nothing was learnt of the password: the attempt does not count.
    pub(super) async fn give_back(self, gate: &Gate, host: &impl Host) {
        self.report(gate, host, |bucket| Command::Untried { bucket }).await;
    }

    /// The password was wrong.
    pub(super) async fn fail(self, gate: &Gate, host: &impl Host) {
        self.report(gate, host, |bucket| Command::Wrong { bucket }).await;
    }

    /// Tells the object what came of the attempt. Whether it hears of it or not changes nothing for the client.
    pub(super) async fn report(self, gate: &Gate, host: &impl Host, outcome: impl FnOnce(Bucket) -> Command) {
        drop(gate.ask(host, &self.object, outcome(self.bucket)).await);
    }
}

impl Gate {
    /// Whether the limiter of log-ins allows one more under this key. Always, if there is no such limiter.
    pub(super) async fn is_within_attempts(&self, key: &str, host: &impl Host) -> bool {
        !self.config.bindings.address_limit || host.within_limit(Limit::Address, key).await
    }

    /// Whether one more password may be hashed. For a user who is known, the user's own limit counts too. Always, if
    /// there are no such limits.
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
