//! Peppers: secret keys of the password hashes. They are configured as secrets and never in the store, so that a stolen
//! store does not allow guessing.
//!
//! **What always holds:** a hash contains the key id of its pepper, so several peppers can be valid at once; this is
//! how a pepper is replaced (docs/storage.md). The input of PBKDF2 is HMAC-SHA256 of the password, keyed with the
//! pepper.

use crate::rules::json::{Map, Value};
use base64ct::{Base64, Base64Unpadded, Base64Url, Base64UrlUnpadded, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;
use zeroize::Zeroizing;

/// Minimum length of a pepper in bytes: the output length of HMAC-SHA256 (RFC 2104 §3).
const LEAST_BYTES: usize = 32;
const MAX_ID_BYTES: usize = 16;

/// The key id of a pepper, which is not secret: 1 to 16 of `a` to `z`, `0` to `9` and `-`, all of which are valid in a
/// PHC string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyId(String);

impl KeyId {
    /// Parses a key id; `None` if it has another form.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let is_allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        ((1..=MAX_ID_BYTES).contains(&text.len()) && text.bytes().all(is_allowed)).then(|| Self(text.to_owned()))
    }

    /// The key id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A pepper: the state of HMAC after the key, wiped on drop.
#[derive(Clone)]
pub struct Pepper {
    id: KeyId,
    key: Hmac<Sha256>,
}

impl Pepper {
    /// Its key id.
    #[must_use]
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// HMAC-SHA256 of the password, which is hashed in its place.
    pub(super) fn apply(&self, password: &[u8]) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.key.clone().chain_update(password).finalize().into_bytes().into())
    }

    /// Reads the bytes from base64 or base64url, padded or not.
    fn read(id: &str, bytes: &Value) -> Result<Self, String> {
        let id = KeyId::new(id)
            .ok_or_else(|| format!("write key ids of 1 to {MAX_ID_BYTES} of a to z, 0 to 9 and -, such as \"k1\""))?;
        let text = bytes.as_str().unwrap_or_default();
        let bytes =
            [Base64UrlUnpadded::decode_vec, Base64Unpadded::decode_vec, Base64Url::decode_vec, Base64::decode_vec]
                .into_iter()
                .find_map(|decode| decode(text).ok())
                .map(Zeroizing::new)
                .filter(|bytes| bytes.len() >= LEAST_BYTES)
                .ok_or_else(|| {
                    let id = id.as_str();
                    format!("{id:?}: write {LEAST_BYTES} random bytes or more in base64: `tollgate secret generate`")
                })?;
        let key = Hmac::new_from_slice(&bytes).expect("HMAC takes a key of any length");
        Ok(Self { id, key })
    }
}

/// All configured peppers, and the one for new hashes.
#[derive(Clone, Default)]
pub struct Peppers {
    all: Vec<Pepper>,
    /// Index of the pepper for new hashes.
    current: Option<usize>,
}

impl Peppers {
    /// Reads a table from key id to bytes in base64. A single pepper is used for new hashes; of several, none is until
    /// [`Self::using`] is called.
    ///
    /// # Errors
    /// A text for the operator: what to write instead.
    pub fn read(table: &Map<String, Value>) -> Result<Self, String> {
        let all = table.iter().map(|(id, bytes)| Pepper::read(id, bytes)).collect::<Result<Vec<_>, _>>()?;
        if all.is_empty() {
            return Err("an empty table: leave it out, or write {\"k1\": \"…\"}".into());
        }
        let current = (all.len() == 1).then_some(0);
        Ok(Self { all, current })
    }

    /// The same, with the pepper of this key id for new hashes; with no pepper for new hashes if `id` is empty. `None`
    /// if the key id is unknown.
    #[must_use]
    pub fn using(self, id: &str) -> Option<Self> {
        if id.is_empty() {
            return Some(Self { current: None, ..self });
        }
        let current = self.all.iter().position(|pepper| pepper.id.as_str() == id)?;
        Some(Self { current: Some(current), ..self })
    }

    /// The pepper for new hashes, if any.
    #[must_use]
    pub fn current(&self) -> Option<&Pepper> {
        self.all.get(self.current?)
    }

    /// The key ids, in the table's order.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|pepper| pepper.id.as_str())
    }

    /// The number of peppers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are no peppers.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The pepper of this key id.
    pub(super) fn find(&self, id: &KeyId) -> Option<&Pepper> {
        self.all.iter().find(|pepper| pepper.id == *id)
    }
}

/// Prints the key ids only.
impl fmt::Debug for Peppers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<&str> = self.ids().collect();
        let current = self.current().map(|pepper| pepper.id.as_str());
        f.debug_struct("Peppers").field("ids", &ids).field("current", &current).finish_non_exhaustive()
    }
}
