//! The names of sessions, tokens and objects, as types: each is made in one place and can't take another's.
//!
//! **What always holds:** in JSON each is a plain text, as it was before it had a type (tests/pinned.rs). A session's
//! id that the gate made says when the session began. An object's name tells nothing of a name or an address that was
//! typed: it has their hash.

use super::{identity::Id, store::LoginRecord, time::Timestamp};
use base64ct::{Base64UrlUnpadded, Encoding};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use uuid::{Builder, Uuid};

/// A text that names one kind of thing.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Box<str>);

        impl $name {
            /// As text.
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
    /// A session's id, the claim `sid`. One that the gate made is a UUID of version 7 (RFC 9562 §5.7); a token of
    /// another issuer may have any text.
    SessionId
}

name! {
    /// A token's id, the claim `jti` (RFC 7519 §4.1.7).
    TokenId
}

name! {
    /// The name of a Durable Object of the class `Account`: of an account, of a name that is tried in log-ins, or of an
    /// address.
    ObjectName
}

impl SessionId {
    /// The id of a session that begins at this time.
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

    /// When the session began; `None` if the gate did not make this id.
    #[must_use]
    pub fn began(&self) -> Option<Timestamp> {
        let id = Uuid::try_parse(&self.0).ok().filter(|id| id.get_version_num() == 7)?;
        let (seconds, nanoseconds) = id.get_timestamp()?.to_unix();
        let millis = i64::try_from(seconds).ok()?.checked_mul(1000)? + i64::from(nanoseconds / 1_000_000);
        Some(Timestamp::from_millis(millis))
    }
}

impl ObjectName {
    /// The object that counts attempts for this name, whether anybody has it or not. By its hash: people type passwords
    /// into name fields. Whatever its capitals and the blanks around it: an application may have one user for all of
    /// them.
    #[must_use]
    pub fn of_login_name(name: &str) -> Self {
        format!("name:{}", sha256_base64url(&LoginRecord::key(&name.trim().to_lowercase()))).into()
    }

    /// The object that counts failures from this address, by its hash.
    #[must_use]
    pub fn of_address(address: &str) -> Self {
        format!("address:{}", sha256_base64url(address)).into()
    }

    /// The object of the account that tokens name so. `is_text`: every token names its user by a text, so that user `1`
    /// and user `"1"` can't be told apart.
    #[must_use]
    pub fn of_account(id: &Id, is_text: bool) -> Self {
        let id = if is_text { Id::Text(id.to_string()).to_json() } else { id.to_json() };
        format!("user:{id}").into()
    }

    /// The object that stands for every account: ending all its sessions ends everybody's.
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
