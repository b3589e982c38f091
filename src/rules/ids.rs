//! Ids of sessions and tokens and names of Durable Objects, as types that cannot be confused.
//!
//! **What always holds:** in JSON each is a plain string (tests/pinned.rs). A session id made by the gate contains the
//! time when the session began. An object's name contains only the hash of a login name or address.

use super::{identity::Id, store::LoginRecord, time::Timestamp};
use base64ct::{Base64UrlUnpadded, Encoding};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use uuid::{Builder, Uuid};

/// Defines a string type for one kind of name.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Box<str>);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }
    };
}

name! {
    /// A session's id, the claim `sid`. The gate makes UUIDs of version 7 (RFC 9562 §5.7); tokens of other issuers may
    /// have any text.
    SessionId
}

name! {
    /// A token's id, the claim `jti` (RFC 7519 §4.1.7).
    TokenId
}

name! {
    /// The name of a Durable Object of the class `Account`, which stands for an account, a login name or an address.
    ObjectName
}

impl SessionId {
    /// The id of a session that begins at this time. The random part is derived from `entropy`, so equal arguments give
    /// equal ids.
    #[must_use]
    pub fn new(began: Timestamp, entropy: &str) -> Self {
        let digest = Sha256::digest(entropy.as_bytes());
        let mut random = [0; 10];
        random.copy_from_slice(&digest[..10]);
        Builder::from_unix_timestamp_millis(u64::try_from(began.as_millis()).unwrap_or_default(), &random)
            .into_uuid()
            .to_string()
            .into()
    }

    /// The time when the session began; `None` if the gate did not make this id.
    #[must_use]
    pub fn began(&self) -> Option<Timestamp> {
        let id = Uuid::try_parse(&self.0).ok().filter(|id| id.get_version_num() == 7)?;
        let (seconds, nanoseconds) = id.get_timestamp()?.to_unix();
        let millis = i64::try_from(seconds).ok()?.checked_mul(1000)? + i64::from(nanoseconds / 1_000_000);
        Some(Timestamp::from_millis(millis))
    }
}

impl ObjectName {
    /// The object that counts attempts for this login name, whether or not it exists. The name is hashed, since people
    /// type passwords into name fields. Case and surrounding white space are ignored, since an application may treat
    /// all spellings as one user.
    #[must_use]
    pub fn of_login_name(name: &str) -> Self {
        format!("name:{}", sha256_base64url(&LoginRecord::key(&name.trim().to_lowercase()))).into()
    }

    /// The object that counts failures from this IP address, which is hashed.
    #[must_use]
    pub fn of_address(address: &str) -> Self {
        format!("address:{}", sha256_base64url(address)).into()
    }

    /// The object of the account with this id. `is_text`: whether tokens hold every identity as text, so that `1` and
    /// `"1"` are one account.
    #[must_use]
    pub fn of_account(id: &Id, is_text: bool) -> Self {
        let id = if is_text { Id::Text(id.to_string()).to_json() } else { id.to_json() };
        format!("user:{id}").into()
    }

    /// The object that stands for all accounts: ending all of its sessions ends the sessions of every user.
    #[must_use]
    pub fn everybody() -> Self {
        "everybody".into()
    }
}

/// SHA-256 in base64url without padding.
#[must_use]
pub fn sha256_base64url(text: &str) -> String {
    Base64UrlUnpadded::encode_string(&Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_account_name_or_address_has_one_object() {
        let one = Id::Int(1);
        let text = Id::Text("1".into());
        assert_eq!(ObjectName::of_account(&one, false).as_str(), "user:1");
        assert_eq!(ObjectName::of_account(&text, false).as_str(), "user:\"1\"");
        assert_eq!(ObjectName::of_account(&one, true), ObjectName::of_account(&text, true));
        let spelled = ["\u{e9}", "e\u{301}"].map(ObjectName::of_login_name);
        assert_eq!(spelled[0], spelled[1], "one name in two spellings");
        assert_eq!(ObjectName::of_login_name(" Ann"), ObjectName::of_login_name("ann"));
        assert!(!ObjectName::of_login_name("hunter2").as_str().contains("hunter2"));
    }

    #[test]
    fn a_session_id_of_the_gate_says_when_the_session_began() {
        let at = Timestamp::from_millis(1_800_000_123_456);
        let id = SessionId::new(at, "x");
        assert_eq!(id.began(), Some(at));
        assert_ne!(id, SessionId::new(at, "y"));
        for other in ["", "s", "00010203-0405-4607-8809-0a0b0c0d0e0f"] {
            assert_eq!(SessionId::from(other).began(), None, "{other}");
        }
    }
}
