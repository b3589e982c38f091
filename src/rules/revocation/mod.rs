//! Revocation of tokens before they expire, without I/O for tokens that are not revoked.
//!
//! **What always holds:** a revocation is in the one [`RevocationLog`] before it is acknowledged. Each isolate holds a
//! [`Snapshot`] of the log and judges tokens by it. A snapshot knows its age, and judges nothing when it is older than
//! `TOLLGATE_REVOCATION_BOUND`; so a revoked token passes for at most that long. An entry is kept until the last token
//! that it covers has expired.

mod log;
mod snapshot;

pub use log::{Ask, Delta, RevocationLog};
pub use snapshot::{Age, RevocationStatus, Snapshot};

use super::{
    ids::{ObjectName, SessionId, TokenId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The name of the Durable Object's binding.
pub const BINDING: &str = "REVOCATIONS";
/// The name of the one object.
pub const OBJECT: &str = "all";

/// The key of a revocation: a token, session or user, as 64 bits of a SHA-256. The chance that two of 100,000 keys are
/// equal is one in 3 × 10⁹.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RevocationKey(u64);

impl RevocationKey {
    /// The key of the token with this `jti`.
    #[must_use]
    pub fn token(id: &TokenId) -> Self {
        Self::of("token", id.as_str())
    }

    /// The key of all tokens of this session.
    #[must_use]
    pub fn session(id: &SessionId) -> Self {
        Self::of("session", id.as_str())
    }

    /// The key of all tokens of the account whose object has this name.
    #[must_use]
    pub fn user(object: &ObjectName) -> Self {
        Self::of("user", object.as_str())
    }

    /// The key of all access tokens of this account with claims of an earlier version of its attributes.
    #[must_use]
    pub fn claims(object: &ObjectName) -> Self {
        Self::of("claims", object.as_str())
    }

    /// The key of all tokens of all accounts.
    #[must_use]
    pub fn everybody() -> Self {
        Self::user(&ObjectName::everybody())
    }

    fn of(kind: &str, id: &str) -> Self {
        let digest = Sha256::new().chain_update(kind).chain_update([0]).chain_update(id).finalize();
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        Self(u64::from_be_bytes(first))
    }
}

/// As 16 hexadecimal digits, since a number in JSON has only 53 exact bits.
impl Serialize for RevocationKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:016x}", self.0))
    }
}

impl<'de> Deserialize<'de> for RevocationKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        u64::from_str_radix(&text, 16).map(Self).map_err(|_| serde::de::Error::custom("no mark"))
    }
}

/// One revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The key of what is revoked.
    pub mark: RevocationKey,
    /// Covers only tokens whose session began (or which were issued) at or before this time; `None` for all. Under
    /// [`RevocationKey::claims`]: whose claims have this version or an earlier one.
    pub before: Option<Timestamp>,
    /// When every token that it covers has expired.
    pub until: Timestamp,
}

impl Entry {
    /// One entry that covers everything that these two cover. Both have the same key.
    #[must_use]
    pub fn merged(&self, other: &Self) -> Self {
        let before = self.before.zip(other.before).map(|(one, two)| one.max(two));
        Self { mark: self.mark, before, until: self.until.max(other.until) }
    }
}

/// The keys by which a token can be revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevocationKeys {
    /// From its `jti`, if it has one.
    pub token: Option<RevocationKey>,
    /// From its `sid`, if it has one.
    pub session: Option<RevocationKey>,
    /// From the user that it names.
    pub user: Option<RevocationKey>,
    /// When its session began, or else when it was issued, rounded down to the second: a revocation in the same second
    /// covers it.
    pub began: Timestamp,
    /// Of an access token whose claims are made of attributes.
    pub claims: Option<ClaimsKey>,
}

/// The key by which a token is revoked when the attributes are changed that its claims were made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimsKey {
    /// From the user that it names.
    pub key: RevocationKey,
    /// The version of the attributes, from its `cv`; or else the time when it was issued.
    pub version: Timestamp,
}

#[cfg(test)]
mod tests;
