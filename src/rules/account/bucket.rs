//! Which attempts are counted together.

use crate::rules::{device::RecordId, ids::sha256_base64url};
use serde::{Deserialize, Serialize};

/// How a device is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceId {
    /// By the SHA-256 of a record and of a secret in a cookie: [`DeviceId::cookie`].
    Cookie(String),
    /// By the SHA-256 of a record and of an address, for clients without cookies: [`DeviceId::address`].
    Address(String),
}

impl DeviceId {
    /// A device that was given this secret when it logged in as this record.
    #[must_use]
    pub fn cookie(record: &RecordId, secret: &str) -> Self {
        Self::Cookie(bound(record, secret))
    }

    /// All clients at this address that are not known otherwise, for this record.
    #[must_use]
    pub fn address(record: &RecordId, address: &str) -> Self {
        Self::Address(bound(record, address))
    }
}

/// Neither a record's id nor a secret or address has a line feed in it.
fn bound(record: &RecordId, secret: &str) -> String {
    sha256_base64url(&format!("{}\n{secret}", record.as_str()))
}

/// Whose tries are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bucket {
    /// Those of all devices that are not known.
    Strangers,
    /// Those of one that is.
    Device(DeviceId),
}
