//! Which tokens are void before they expire, at no cost to those that are good.
//!
//! **What always holds:** one register ([`RevocationLog`]) takes every revocation down before it is acknowledged. Each
//! isolate holds a [`Snapshot`] of it and judges by that without asking anybody; the snapshot says how old it is, and
//! one that is older than the bound judges nothing. So a token that was revoked passes for no longer than the bound
//! (`TOLLGATE_REVOCATION_BOUND`). An entry is kept until the last token that it could hit has expired.

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

/// The Durable Object's binding.
pub const BINDING: &str = "REVOCATIONS";
/// The one object's name.
pub const OBJECT: &str = "all";

/// What a revocation hits: a token, a session or a user, by 64 bits of its SHA-256. Two of a hundred thousand are the
/// same with a chance of one in three thousand million.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RevocationKey(u64);

impl RevocationKey {
    /// The token of this `jti`.
    #[must_use]
    pub fn token(id: &TokenId) -> Self {
        Self::of("token", id.as_str())
    }

    /// The tokens of this session.
    #[must_use]
    pub fn session(id: &SessionId) -> Self {
        Self::of("session", id.as_str())
    }

    /// The tokens of the account whose object has this name.
    #[must_use]
    pub fn user(object: &ObjectName) -> Self {
        Self::of("user", object.as_str())
    }

    /// The tokens of everybody.
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

/// As 16 hexadecimal digits: a number in JSON has 53 bits.
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
    /// What it hits.
    pub mark: RevocationKey,
    /// Only what began by then; `None` for all.
    pub before: Option<Timestamp>,
    /// No token that it hits lives longer.
    pub until: Timestamp,
}

impl Entry {
    /// The one entry that hits whatever one of these two hits, both of one mark.
    #[must_use]
    pub fn merged(&self, other: &Self) -> Self {
        let before = self.before.zip(other.before).map(|(one, two)| one.max(two));
        Self { mark: self.mark, before, until: self.until.max(other.until) }
    }
}

/// What revocations can hit a token by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevocationKeys {
    /// Its `jti`.
    pub token: Option<RevocationKey>,
    /// Its `sid`.
    pub session: Option<RevocationKey>,
    /// Whom it names.
    pub user: Option<RevocationKey>,
    /// When its session began, or when it was issued: the whole second, so that one of the same second is hit.
    pub began: Timestamp,
}

#[cfg(test)]
mod tests;
