//! The records in KV: their keys, form and order of writes. docs/storage.md describes them for operators; a test
//! compares the keys.
//!
//! **What always holds:** a log-in reads one key ([`LoginRecord::key`]); looking up an identity reads another one
//! ([`Profile::key`]), whose record holds no hash. The profile is written before the log-in record and removed after
//! it, so that every prefix of the writes is harmless: a name without a log-in record cannot log in, and a log-in
//! record always has its profile. Records carry a format version; a record that can't be read ([`Unreadable`]) leads to
//! a rejection and is not overwritten.

use super::{
    identity::{Attributes, Id, Identity},
    json::{self, Map, Value},
    password::{self, PasswordHash},
    time::{Duration, Timestamp},
};
use base64ct::{Base64UrlUnpadded, Encoding};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The name of the KV namespace binding.
pub const BINDING: &str = "USERS";
/// The format version of records: the only one that is written or read.
pub const VERSION: u32 = 1;
/// KV's limit on keys, in bytes.
const MAX_KEY_BYTES: usize = 512;

/// The error for a record of another form or format version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

/// Whether a user may log in and be authorized.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The user may log in.
    #[default]
    Active,
    /// The user may not log in; the answer is the same as to a wrong password.
    Disabled,
}

/// Maps a name to id and hash. Read by log-ins and password changes only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoginRecord {
    v: u32,
    id: Value,
    hash: String,
    #[serde(default)]
    status: Status,
    /// The time when the password was set or the user disabled, in milliseconds since the Unix epoch; 0 if unknown.
    #[serde(default, skip_serializing_if = "is_zero")]
    version: Timestamp,
    /// Members that a newer version of Tollgate wrote: kept when the hash is replaced.
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl LoginRecord {
    /// `login:<name>`, the name in [`password::normal_form`]; `login-sha256:<hash>` if that is longer than KV allows.
    #[must_use]
    pub fn key(name: &str) -> String {
        let name = password::normal_form(name);
        let key = format!("login:{name}");
        if key.len() <= MAX_KEY_BYTES {
            return key;
        }
        format!("login-sha256:{}", Base64UrlUnpadded::encode_string(&Sha256::digest(name.as_bytes())))
    }

    /// A record of an active user, with version 0.
    #[must_use]
    pub fn new(id: &Id, hash: &PasswordHash) -> Self {
        Self {
            v: VERSION,
            id: id.to_json(),
            hash: hash.to_string(),
            status: Status::Active,
            version: Timestamp::from_millis(0),
            rest: Map::new(),
        }
    }

    /// Reads a record.
    ///
    /// # Errors
    /// If it is not JSON of this form and version.
    pub fn read(text: &[u8]) -> Result<Self, Unreadable> {
        let record: Self = serde_json::from_slice(text).map_err(|_| Unreadable)?;
        let is_valid = record.v == VERSION && Id::from_json(&record.id).is_some();
        if is_valid { Ok(record) } else { Err(Unreadable) }
    }

    /// The record as stored: JSON in ASCII.
    #[must_use]
    pub fn write(&self) -> String {
        json::to_ascii(self)
    }

    /// The user's id.
    ///
    /// # Panics
    /// Never: `read` and `new` accept only valid ids.
    #[must_use]
    pub fn id(&self) -> Id {
        Id::from_json(&self.id).expect("checked when the record was made")
    }

    /// The stored hash, in a spelling that [`PasswordHash::parse`] may know.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Whether the user may log in.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// The version of the password; a newer password has a later one. An account's object refuses a log-in with an
    /// older password than the newest it knows of.
    #[must_use]
    pub fn version(&self) -> Timestamp {
        self.version
    }

    /// The version for a record that replaces this one: `now`, or 1 ms after this version if that is later, as when the
    /// clock was set back.
    #[must_use]
    pub fn next_version(&self, now: Timestamp) -> Timestamp {
        std::cmp::max(now, Timestamp::from_millis(self.version.as_millis().saturating_add(1)))
    }

    /// The same record with another version.
    #[must_use]
    pub fn with_version(&self, version: Timestamp) -> Self {
        Self { version, ..self.clone() }
    }

    /// The record as a JSON object, for the account's object, which sets the version.
    #[must_use]
    pub fn to_json(&self) -> Map<String, Value> {
        serde_json::to_value(self).ok().and_then(|value| value.as_object().cloned()).unwrap_or_default()
    }

    /// The same record with a new hash of the same password.
    #[must_use]
    pub fn with_hash(&self, hash: &PasswordHash) -> Self {
        Self { hash: hash.to_string(), ..self.clone() }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde requires a reference
fn is_zero(version: &Timestamp) -> bool {
    version.as_millis() == 0
}

/// Maps an id to name and attributes. Read under rules with `user = "stored"` and before a refresh; holds no hash.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    v: u32,
    id: Value,
    name: String,
    #[serde(default)]
    status: Status,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    attributes: Map<String, Value>,
    /// The time when the attributes were last changed, in milliseconds since the Unix epoch; 0 if unknown.
    #[serde(default, skip_serializing_if = "is_zero")]
    version: Timestamp,
}

/// The attribute with the user's name, if the profile has no other of this name.
pub const USERNAME: &str = "username";
/// By how much the clock of who writes a profile may be ahead of the reader's.
const CLOCKS_DIFFER: Duration = Duration::seconds(3600);

impl Profile {
    /// `user:<id as JSON>`: `user:1` and `user:"1"` are different users. `user-sha256:<hash>` if that is longer than KV
    /// allows.
    #[must_use]
    pub fn key(id: &Id) -> String {
        let id = id.to_json().to_string();
        let key = format!("user:{id}");
        if key.len() <= MAX_KEY_BYTES {
            return key;
        }
        format!("user-sha256:{}", Base64UrlUnpadded::encode_string(&Sha256::digest(id.as_bytes())))
    }

    /// The profile of an active user without attributes.
    #[must_use]
    pub fn new(id: &Id, name: &str) -> Self {
        Self {
            v: VERSION,
            id: id.to_json(),
            name: password::normal_form(name).into_owned(),
            status: Status::Active,
            attributes: Map::new(),
            version: Timestamp::from_millis(0),
        }
    }

    /// Reads a profile.
    ///
    /// # Errors
    /// If it is not JSON of this form and version.
    pub fn read(text: &[u8]) -> Result<Self, Unreadable> {
        let profile: Self = serde_json::from_slice(text).map_err(|_| Unreadable)?;
        if profile.v == VERSION { Ok(profile) } else { Err(Unreadable) }
    }

    /// The record as stored: JSON in ASCII.
    #[must_use]
    pub fn write(&self) -> String {
        json::to_ascii(self)
    }

    /// The user's login name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The identity; `None` if the user is disabled or the profile has another id.
    #[must_use]
    pub fn identity(&self, id: &Id) -> Option<Identity> {
        let is_active = self.status == Status::Active && self.is_of(id);
        is_active.then(|| Identity::new(id.clone()).with_attributes(self.attributes()))
    }

    /// The profile, with version 0 if it has one of the future: no change could be later.
    #[must_use]
    pub fn known_by(self, now: Timestamp) -> Self {
        let is_known = self.version <= now.later(CLOCKS_DIFFER);
        Self { version: if is_known { self.version } else { Timestamp::from_millis(0) }, ..self }
    }

    /// Whether this is the profile of the user with this id.
    #[must_use]
    pub fn is_of(&self, id: &Id) -> bool {
        self.id == id.to_json()
    }

    /// The attributes, `username` among them, and their version.
    #[must_use]
    pub fn attributes(&self) -> Attributes {
        let mut values = Map::new();
        values.insert(USERNAME.into(), self.name.clone().into());
        values.extend(self.attributes.clone());
        Attributes { version: self.version, values }
    }
}

/// The writes (key and value) that add or replace a user, in the order in which they must be made.
#[must_use]
pub fn writes_for(id: &Id, name: &str, hash: &PasswordHash) -> [(String, String); 2] {
    [(Profile::key(id), Profile::new(id, name).write()), (LoginRecord::key(name), LoginRecord::new(id, hash).write())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::secret::Secret;

    fn a_hash() -> PasswordHash {
        password::hash(&Secret::new("abcxyz".into()), &password::Hashing::new(1_000), [7; 16])
    }

    #[test]
    fn records_survive_the_way_to_the_store_and_back() {
        for id in [Id::Int(1), Id::Text("1".into()), Id::Text("é\"".into())] {
            let [(profile_key, profile), (login_key, login)] = writes_for(&id, "us\u{e9}r", &a_hash());
            assert_eq!(profile_key, Profile::key(&id));
            assert_eq!(login_key, "login:us\u{e9}r");
            assert_eq!(LoginRecord::read(login.as_bytes()).unwrap().id(), id);
            let record = LoginRecord::read(login.as_bytes()).unwrap();
            assert_eq!(json::to_ascii(&record.to_json()), login, "by way of the account's object");
            let read = Profile::read(profile.as_bytes()).unwrap();
            assert_eq!(read.name(), "us\u{e9}r");
            assert_eq!(read.identity(&id).unwrap().attributes["username"], "us\u{e9}r");
            assert!(!profile.contains("pbkdf2"), "no hash outside the log-in record");
        }
    }

    #[test]
    fn keys_tell_types_apart_and_names_typed_differently_together() {
        assert_eq!(Profile::key(&Id::Int(1)), "user:1");
        assert_eq!(Profile::key(&Id::Text("1".into())), "user:\"1\"");
        assert_eq!(Profile::key(&Id::Text("ann \u{e9}".into())), "user:\"ann \u{e9}\"");
        assert_eq!(LoginRecord::key("us\u{e9}r"), LoginRecord::key("use\u{301}r"));
        assert_ne!(LoginRecord::key("user"), LoginRecord::key("User"), "names keep their case");
        for key in [LoginRecord::key(&"n".repeat(1024)), Profile::key(&Id::Text("i".repeat(4096)))] {
            assert!(key.len() <= MAX_KEY_BYTES && key.contains("-sha256:"), "{key}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_not_guessed() {
        for text in [
            "",
            "{}",
            "[]",
            r#"{"v":2,"id":1,"hash":"x"}"#,
            r#"{"v":1,"id":1.5,"hash":"x"}"#,
            r#"{"v":1,"id":1}"#,
            r#"{"v":1,"id":1,"hash":"x","status":"?"}"#,
        ] {
            assert_eq!(LoginRecord::read(text.as_bytes()), Err(Unreadable), "{text}");
            assert_eq!(Profile::read(text.as_bytes()), Err(Unreadable), "{text}");
        }
    }

    #[test]
    fn a_new_hash_keeps_all_else() {
        let old = LoginRecord::read(br#"{"v":1,"id":1,"hash":"old","status":"active","since":"2020"}"#).unwrap();
        let new = old.with_hash(&a_hash()).write();
        assert!(new.contains(r#""since":"2020""#) && new.contains("$pbkdf2-sha256$i=1000"), "{new}");
    }

    #[test]
    fn a_record_in_anothers_place_is_later_whatever_the_clock_says() {
        let at = |version| LoginRecord::new(&Id::Int(1), &a_hash()).with_version(Timestamp::from_millis(version));
        for (version, now, next) in [(0, 0, 1), (0, 7, 7), (6, 7, 7), (7, 7, 8), (9, 7, 10), (i64::MAX, 7, i64::MAX)] {
            let next_version = at(version).next_version(Timestamp::from_millis(now));
            assert_eq!(next_version.as_millis(), next, "{version}, {now}");
            let written = at(version).with_version(next_version).write();
            assert_eq!(LoginRecord::read(written.as_bytes()).unwrap().version(), next_version);
        }
        assert!(!at(0).write().contains("version"), "records of before are as they were");
    }

    #[test]
    fn a_disabled_or_foreign_profile_is_nobody() {
        let read = |text: &str| Profile::read(text.as_bytes()).unwrap().identity(&Id::Int(1));
        assert!(read(r#"{"v":1,"id":1,"name":"a"}"#).is_some());
        assert_eq!(read(r#"{"v":1,"id":1,"name":"a","status":"disabled"}"#), None);
        assert_eq!(read(r#"{"v":1,"id":"1","name":"a"}"#), None);
    }

    #[test]
    fn the_storage_page_names_every_key() {
        let page = include_str!("../../docs/storage.md");
        for key in ["`login:<name>`", "`login-sha256:<hash>`", "`user:<id>`", "`user-sha256:<hash>`"] {
            assert!(page.contains(key), "docs/storage.md lacks {key}");
        }
    }
}
