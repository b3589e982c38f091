//! Which attempts are counted together.

use crate::rules::{device::RecordId, ids::sha256_base64url};
use serde::{Deserialize, Serialize};

/// How a device is identified.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceId {
    /// By a secret in its cookie: the SHA-256 of record and secret, base64url ([`DeviceId::cookie`]).
    Cookie(String),
    /// By its address, for clients without cookies: the SHA-256 of record and address, base64url
    /// ([`DeviceId::address`]).
    Address(String),
}

impl DeviceId {
    /// The id of a device that got this secret when it logged in to this record.
    #[must_use]
    pub fn cookie(record: &RecordId, secret: &str) -> Self {
        Self::Cookie(bound(record, secret))
    }

    /// The id that all clients at this address share for this record, unless they send a cookie.
    #[must_use]
    pub fn address(record: &RecordId, address: &str) -> Self {
        Self::Address(bound(record, address))
    }
}

/// Unambiguous, since neither a record's id nor a secret or address contains a line feed.
fn bound(record: &RecordId, secret: &str) -> String {
    sha256_base64url(&format!("{}\n{secret}", record.as_str()))
}

/// Attempts that are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bucket {
    /// Attempts of all unknown devices.
    Strangers,
    /// Attempts of one known device.
    Device(DeviceId),
}
