//! A user, as stored in two records (docs/storage.md).
//!
//! **What always holds:** a hash is stored unchanged, since its form names the library that made it; the gate can read
//! what is written here.

use crate::{failure::Failure, gate::Changed, output::json_line};
use serde_json::json;
use tollgate::rules::{
    identity::Id,
    json::{self, Map, Value},
    login::MAX_FIELD_BYTES,
    store::{LoginRecord, Profile, Status, USERNAME, VERSION},
    time::Timestamp,
};

/// All that is stored about a user.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    pub name: String,
    pub id: Id,
    pub hash: String,
    pub status: Status,
    pub attributes: Map<String, Value>,
    /// [`LoginRecord::version`]. Not exported: an imported user is new in the other store.
    pub version: Timestamp,
    /// The profile's version, 0 if it has none. Not exported either.
    pub attributes_version: Timestamp,
}

impl User {
    /// The profile's key and value. Written first, removed last.
    pub fn profile(&self) -> (String, String) {
        let mut profile = Map::new();
        profile.insert("v".into(), VERSION.into());
        profile.insert("id".into(), self.id.to_json());
        profile.insert("name".into(), self.name.clone().into());
        profile.insert("status".into(), shown_status(self.status).into());
        if !self.attributes.is_empty() {
            profile.insert("attributes".into(), self.attributes.clone().into());
        }
        if self.attributes_version.as_millis() != 0 {
            profile.insert(VERSION_MEMBER.into(), self.attributes_version.as_millis().into());
        }
        (Profile::key(&self.id), json::to_ascii(&profile))
    }

    /// The log-in record's key and value. Written last, removed first.
    pub fn login(&self) -> (String, String) {
        let status = shown_status(self.status);
        let mut record = json!({"v": VERSION, "id": self.id.to_json(), "hash": self.hash, "status": status});
        if self.version.as_millis() != 0 {
            record["version"] = self.version.as_millis().into();
        }
        (LoginRecord::key(&self.name), json::to_ascii(&record))
    }

    /// Reads a user from both records. `name` is used if there is no profile.
    pub fn read(name: &str, login: &LoginRecord, profile: Option<&str>) -> Self {
        let profile = profile.map(members).unwrap_or_default();
        Self {
            name: profile.get("name").and_then(Value::as_str).unwrap_or(name).to_owned(),
            id: login.id(),
            hash: login.hash().to_owned(),
            status: login.status(),
            attributes: profile.get("attributes").and_then(Value::as_object).cloned().unwrap_or_default(),
            version: login.version(),
            attributes_version: version_of(&profile),
        }
    }

    /// Takes over the attributes that the gate has.
    pub fn take(&mut self, changed: &Changed) {
        self.attributes = changed.attributes.clone();
        // The gate's have the name too.
        if self.attributes.get(USERNAME).and_then(Value::as_str) == Some(&self.name) {
            self.attributes.shift_remove(USERNAME);
        }
        self.attributes_version = changed.version;
    }

    /// The form of `export` and `import`.
    pub fn to_json(&self) -> Value {
        let mut line = Map::new();
        line.insert("username".into(), self.name.clone().into());
        line.insert("id".into(), self.id.to_json());
        line.insert("hash".into(), self.hash.clone().into());
        line.insert("status".into(), shown_status(self.status).into());
        if !self.attributes.is_empty() {
            line.insert("attributes".into(), self.attributes.clone().into());
        }
        line.into()
    }
}

/// The record with another status and no other change.
pub fn with_status(record: &str, status: Status) -> String {
    let mut record = members(record);
    record.insert("status".into(), shown_status(status).into());
    json::to_ascii(&record)
}

/// The profile with this user's attributes and their version, and no other change.
pub fn with_attributes(profile: &str, user: &User) -> String {
    let mut profile = members(profile);
    profile.insert(VERSION_MEMBER.into(), user.attributes_version.as_millis().into());
    if user.attributes.is_empty() {
        profile.shift_remove("attributes");
    } else {
        profile.insert("attributes".into(), user.attributes.clone().into());
    }
    json::to_ascii(&profile)
}

/// The version of the attributes in place of those of a stored profile: the same if they do not change, else `now`, or
/// just after the stored one if that is later.
pub fn attributes_version(stored: Option<&str>, attributes: &Map<String, Value>, now: Timestamp) -> Timestamp {
    let Some(stored) = stored.map(members) else { return now };
    let version = version_of(&stored);
    let is_same = stored.get("attributes").and_then(Value::as_object).unwrap_or(&Map::new()) == attributes;
    if is_same { version } else { now.max(version.next()) }
}

fn version_of(profile: &Map<String, Value>) -> Timestamp {
    Timestamp::from_millis(profile.get(VERSION_MEMBER).and_then(Value::as_i64).unwrap_or_default())
}

/// The member of a profile with the version of its attributes.
const VERSION_MEMBER: &str = "version";

/// The name in a profile.
pub fn profile_name(profile: &str) -> Option<String> {
    members(profile).get("name")?.as_str().map(str::to_owned)
}

/// Reads a log-in record.
///
/// # Errors
/// The record can't be read.
pub fn login(text: &str) -> Result<LoginRecord, Failure> {
    LoginRecord::read(text.as_bytes()).map_err(|_| {
        Failure::rejected(
            "the user's record can't be read: it is damaged, or of a newer version of Tollgate",
            "it was not changed; to replace it: tollgate user add NAME --replace",
        )
    })
}

/// Checks a user name. The error says what is wrong.
pub fn check_name(name: &str) -> Result<(), String> {
    match name.len() {
        0 => Err("the name is empty".into()),
        1..=MAX_FIELD_BYTES => Ok(()),
        _ => Err(format!("the name is longer than {MAX_FIELD_BYTES} bytes, the limit at log-in")),
    }
}

/// An id from the command line: a JSON integer or string as such, anything else as a string.
pub fn id_from_text(text: &str) -> Id {
    serde_json::from_str(text).ok().as_ref().and_then(Id::from_json).unwrap_or_else(|| Id::Text(text.to_owned()))
}

/// An id as JSON, which shows its type: `7`, `"7"`.
pub fn shown_id(id: &Id) -> String {
    json_line(&id.to_json())
}

/// `active` or `disabled`.
pub fn shown_status(status: Status) -> &'static str {
    match status {
        Status::Active => "active",
        Status::Disabled => "disabled",
    }
}

fn members(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_the_gate_reads() {
        let hash = "pbkdf2_sha256$30000$hQ8sGm2DkLpR$SIQ/vgm8gDBBcK7iZPoaZj1ys5dYa0yQi1Sa2gMCcN8=";
        for (id, status, version) in [(Id::Int(7), Status::Active, 0), (Id::Text("7".into()), Status::Disabled, 9)] {
            let user = User {
                name: "us\u{e9}r".into(),
                id: id.clone(),
                hash: hash.into(),
                status,
                attributes: members(r#"{"role":"admin"}"#),
                version: Timestamp::from_millis(version),
                attributes_version: Timestamp::from_millis(version),
            };
            let ((profile_key, profile), (login_key, record)) = (user.profile(), user.login());
            assert_eq!((profile_key, login_key), (Profile::key(&id), "login:us\u{e9}r".into()));
            let record = LoginRecord::read(record.as_bytes()).unwrap();
            assert_eq!((record.id(), record.hash(), record.status()), (id.clone(), hash, status));
            let identity = Profile::read(profile.as_bytes()).unwrap().identity(&id);
            assert_eq!(identity.is_some(), status == Status::Active);
            assert_eq!(User::read("", &record, Some(&profile)), user);
        }
    }

    #[test]
    fn an_id_keeps_the_type_it_is_typed_with() {
        for (text, id) in [
            ("7", Id::Int(7)),
            ("-7", Id::Int(-7)),
            ("\"7\"", Id::Text("7".into())),
            ("007", Id::Text("007".into())),
            ("7.0", Id::Text("7.0".into())),
            ("true", Id::Text("true".into())),
            ("abc", Id::Text("abc".into())),
        ] {
            assert_eq!(id_from_text(text), id, "{text}");
        }
    }

    #[test]
    fn other_attributes_have_a_later_version_and_the_same_ones_the_same() {
        let now = Timestamp::from_millis(100);
        let one = members(r#"{"role":"admin"}"#);
        for (stored, attributes, version) in [
            (None, &one, 100),
            (Some(r#"{"attributes":{"role":"admin"},"version":7}"#), &one, 7),
            (Some(r#"{"attributes":{"role":"admin"}}"#), &one, 0),
            (Some(r#"{"attributes":{"role":"user"},"version":7}"#), &one, 100),
            (Some(r#"{"attributes":{"role":"user"},"version":200}"#), &one, 201),
            (Some(r#"{"version":7}"#), &Map::new(), 7),
        ] {
            assert_eq!(attributes_version(stored, attributes, now).as_millis(), version, "{stored:?}");
        }
        let stored = r#"{"v":1,"id":1,"name":"a","since":"2020"}"#;
        let login = LoginRecord::read(br#"{"v":1,"id":1,"hash":"x"}"#).unwrap();
        let mut user = User::read("a", &login, Some(stored));
        (user.attributes, user.attributes_version) = (one, now);
        assert_eq!(
            members(&with_attributes(stored, &user)),
            members(r#"{"v":1,"id":1,"name":"a","since":"2020","version":100,"attributes":{"role":"admin"}}"#)
        );
    }

    #[test]
    fn a_status_is_changed_and_nothing_else() {
        assert_eq!(
            with_status(r#"{"v":1,"id":1,"hash":"x","status":"active","since":"2020"}"#, Status::Disabled),
            r#"{"v":1,"id":1,"hash":"x","status":"disabled","since":"2020"}"#
        );
    }
}
