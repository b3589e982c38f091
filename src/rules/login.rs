//! The rules of a log-in, `POST /auth`: reads the credentials and judges the stored record
//! (docs/compat/flask-jwt.md#log-in).
//!
//! **What always holds:** an unknown user, a wrong password, a disabled user and an unusable stored hash get the same
//! answer and take the same time. Reading the body and judging the record are pure; the caller reads the store in
//! between.

use super::{
    config::Config,
    identity::Identity,
    json::{self, Map, Value},
    password::{Check, HashFault, Hashing, MAX_PASSWORD_BYTES},
    rejection::{BodyRejection, LoginRejection, Rejection},
    secret::Secret,
    store::{LoginRecord, Status},
};

/// Maximum length of the body in bytes; a longer one is refused with 413.
pub const MAX_BODY_BYTES: usize = 16 * 1024;
/// Maximum length of a name or password in bytes; a longer one is refused with 400.
pub const MAX_FIELD_BYTES: usize = MAX_PASSWORD_BYTES;

/// A name and a password, as sent.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The name as sent. A [`Secret`], since users type passwords into name fields.
    pub username: Secret<String>,
    /// The password as sent.
    pub password: Secret<String>,
}

/// Whether the media type is `application/json` or `application/…+json`, in any case and with any parameters, as in
/// Werkzeug's `is_json`.
#[must_use]
pub fn is_json(content_type: Option<&str>) -> bool {
    let media_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media_type == "application/json" || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}

/// Reads the body of a log-in. Under Flask-JWT's dialect it must have no other members than name and password; under
/// Flask-JWT-Extended's other members are ignored, as in that library's documentation.
///
/// # Errors
/// The first rejection of docs/compat/flask-jwt.md#log-in, rows 4 to 6, that applies; [`BodyRejection::FieldTooLong`]
/// for a longer field than [`MAX_FIELD_BYTES`].
pub fn read_credentials(body: &[u8], config: &Config) -> Result<Credentials, Rejection> {
    let members = json::object(body).map_err(|_| Rejection::Body(BodyRejection::NotAnObject))?;
    let username = field(&members, &config.username_key)?;
    let password = field(&members, &config.password_key)?;
    match (username, password) {
        (Some(username), Some(password)) if members.len() == 2 || config.flask_jwt_extended().is_some() => {
            Ok(Credentials { username, password })
        }
        _ => Err(Rejection::Login(LoginRejection::BadCredentials)),
    }
}

/// A member's text; `None` if it is missing, empty or not a string.
pub(super) fn field(members: &Map<String, Value>, name: &str) -> Result<Option<Secret<String>>, Rejection> {
    match members.get(name) {
        Some(Value::String(text)) if text.len() > MAX_FIELD_BYTES => {
            Err(Rejection::Body(BodyRejection::FieldTooLong { field: name.to_owned(), limit: MAX_FIELD_BYTES }))
        }
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(Secret::new(text.clone()))),
        _ => Ok(None),
    }
}

/// The outcome of a log-in.
#[derive(Debug)]
pub struct Verdict {
    /// The user, if the password is right and the user active.
    pub identity: Option<Identity>,
    /// Whether the stored hash should be replaced: [`renewal`].
    pub outdated: bool,
    /// The reason why the stored hash could not be used, for the log.
    pub fault: Option<HashFault>,
}

/// Judges a log-in by the record of its name (`None` if there is none) and the outcome of checking the password against
/// its hash.
#[must_use]
pub fn judge(record: Option<&LoginRecord>, checked: Result<Check, HashFault>) -> Verdict {
    let rejected = |fault| Verdict { identity: None, outdated: false, fault };
    match checked {
        Err(fault) => rejected(Some(fault)),
        Ok(Check::Wrong) => rejected(None),
        Ok(right @ (Check::Right | Check::RightButOutdated)) => match record {
            Some(record) if record.status() == Status::Active => Verdict {
                identity: Some(Identity { version: record.version(), ..Identity::new(record.id()) }),
                outdated: right == Check::RightButOutdated,
                fault: None,
            },
            _ => rejected(None),
        },
    }
}

/// Parameters for the new hash of the record `proven`, whose password was just checked: the configured pepper and cost,
/// or the record's cost if that is higher. `None` if `present`, the record now in the store, differs from `proven`: it
/// was changed meanwhile, and the change must stay.
///
/// KV has no compare-and-set, and a read may be stale: docs/storage.md describes the remaining race and how a password
/// change closes it.
#[must_use]
pub fn renewal(proven: &LoginRecord, present: Option<&LoginRecord>, hashing: &Hashing) -> Option<Hashing> {
    (present == Some(proven)).then(|| hashing.no_cheaper_than(proven.hash()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::config::DialectConfig;
    use crate::rules::{identity::Id, password, time::Timestamp};

    fn judge_password(record: Option<&LoginRecord>, password: &Secret<String>, hashing: &Hashing) -> Verdict {
        judge(record, password::check(record.map(LoginRecord::hash), password, hashing))
    }

    fn renew(
        proven: &LoginRecord,
        present: Option<&LoginRecord>,
        password: &Secret<String>,
        hashing: &Hashing,
        salt: [u8; password::SALT_BYTES],
    ) -> Option<LoginRecord> {
        let hashing = renewal(proven, present, hashing)?;
        Some(proven.with_hash(&password::hash(password, &hashing, salt)))
    }

    fn read(body: &str) -> Result<(String, String), Rejection> {
        read_credentials(body.as_bytes(), &Config::for_tests())
            .map(|read| (read.username.expose().clone(), read.password.expose().clone()))
    }

    #[test]
    fn the_body_is_judged_in_flask_jwts_order() {
        let longest = "x".repeat(MAX_FIELD_BYTES);
        let long = format!("{longest}x");
        for (body, outcome) in [
            (format!(r#"{{"username":"{longest}","password":"{longest}"}}"#), Ok((longest.clone(), longest.clone()))),
            (r#"{"username":"a","password":"b"}"#.to_owned(), Ok(("a".to_owned(), "b".to_owned()))),
            (r#"{"password":" ","username":" "}"#.into(), Ok((" ".into(), " ".into()))),
            (String::new(), Err(Rejection::Body(BodyRejection::NotAnObject))),
            ("{".into(), Err(Rejection::Body(BodyRejection::NotAnObject))),
            ("[]".into(), Err(Rejection::Body(BodyRejection::NotAnObject))),
            ("null".into(), Err(Rejection::Body(BodyRejection::NotAnObject))),
            (
                r#"{"username":"a","username":"a","password":"b"}"#.into(),
                Err(Rejection::Body(BodyRejection::NotAnObject)),
            ),
            (format!("{}{}", "[".repeat(9000), "]".repeat(9000)), Err(Rejection::Body(BodyRejection::NotAnObject))),
            ("{}".into(), Err(Rejection::Login(LoginRejection::BadCredentials))),
            (r#"{"username":"a"}"#.into(), Err(Rejection::Login(LoginRejection::BadCredentials))),
            (r#"{"username":"a","password":""}"#.into(), Err(Rejection::Login(LoginRejection::BadCredentials))),
            (r#"{"username":"a","password":null}"#.into(), Err(Rejection::Login(LoginRejection::BadCredentials))),
            (r#"{"username":"a","password":123}"#.into(), Err(Rejection::Login(LoginRejection::BadCredentials))),
            (r#"{"username":["a"],"password":"b"}"#.into(), Err(Rejection::Login(LoginRejection::BadCredentials))),
            (r#"{"username":"a","password":"b","x":1}"#.into(), Err(Rejection::Login(LoginRejection::BadCredentials))),
            (r#"{"Username":"a","password":"b"}"#.into(), Err(Rejection::Login(LoginRejection::BadCredentials))),
            (
                format!(r#"{{"username":"{long}","password":"b"}}"#),
                Err(Rejection::Body(BodyRejection::FieldTooLong { field: "username".into(), limit: 1024 })),
            ),
            (
                format!(r#"{{"username":"a","password":"{long}"}}"#),
                Err(Rejection::Body(BodyRejection::FieldTooLong { field: "password".into(), limit: 1024 })),
            ),
        ] {
            assert_eq!(read(&body), outcome, "{body}");
        }
    }

    #[test]
    fn the_longest_name_and_password_fit_in_a_body_in_any_spelling() {
        let escaped = "\\u0061".repeat(MAX_FIELD_BYTES);
        let body = format!(r#"{{"username":"{escaped}","password":"{escaped}"}}"#);
        assert!(body.len() < MAX_BODY_BYTES && body.len() > MAX_BODY_BYTES / 2, "{}", body.len());
        assert_eq!(read(&body).map(|(name, _)| name.len()), Ok(MAX_FIELD_BYTES));
    }

    #[test]
    fn flask_jwt_extended_looks_at_no_other_members() {
        let config =
            Config { dialect: DialectConfig::FlaskJwtExtended(std::sync::Arc::default()), ..Config::for_tests() };
        let read = |body: &str| read_credentials(body.as_bytes(), &config).is_ok();
        assert!(read(r#"{"username":"a","password":"b","x":1}"#));
        assert!(!read(r#"{"username":"a","x":1}"#));
    }

    #[test]
    fn json_is_told_by_its_media_type() {
        for yes in
            ["application/json", "Application/JSON; charset=latin1", "application/vnd.api+json", "application/json;"]
        {
            assert!(is_json(Some(yes)), "{yes}");
        }
        for no in [
            "",
            "text/json",
            "application/x-www-form-urlencoded",
            "application/jsonp",
            "json",
            "text/plain; application/json",
        ] {
            assert!(!is_json(Some(no)), "{no}");
        }
        assert!(!is_json(None));
    }

    #[test]
    fn only_the_right_password_of_an_active_user_gets_in() {
        let password = |text: &str| Secret::new(text.to_owned());
        let record = LoginRecord::new(&Id::Int(1), &password::hash(&password("abcxyz"), &Hashing::new(1_000), [7; 16]));
        let judge = |record: Option<&LoginRecord>, text: &str| {
            judge_password(record, &password(text), &Hashing::new(1_000)).identity
        };
        assert_eq!(judge(Some(&record), "abcxyz"), Some(Identity::new(Id::Int(1))));
        let version = Timestamp::from_millis(7);
        let changed = Identity { version, ..Identity::new(Id::Int(1)) };
        assert_eq!(judge(Some(&record.with_version(version)), "abcxyz"), Some(changed), "with the record's version");
        assert_eq!(judge(Some(&record), "abcxy"), None);
        assert_eq!(judge(None, "abcxyz"), None);
        let disabled = LoginRecord::read(record.write().replace("active", "disabled").as_bytes()).unwrap();
        assert_eq!(judge(Some(&disabled), "abcxyz"), None);
        let broken = LoginRecord::read(br#"{"v":1,"id":1,"hash":"abcxyz"}"#).unwrap();
        assert_eq!(judge(Some(&broken), "abcxyz"), None);
    }

    #[test]
    fn a_renewed_hash_never_undoes_a_change_that_is_seen() {
        let password = Secret::new("abcxyz".to_owned());
        let at = |hashing, salt| LoginRecord::new(&Id::Int(1), &password::hash(&password, hashing, [salt; 16]));
        let (old, today) = (Hashing::new(1_000), Hashing::new(2_000));
        let proven = at(&old, 7);
        let renewed = renew(&proven, Some(&proven), &password, &today, [9; 16]).unwrap();
        assert!(renewed.hash().contains("i=2000"));
        assert!(judge_password(Some(&renewed), &password, &today).identity.is_some());
        assert!(!judge_password(Some(&renewed), &password, &today).outdated);
        assert_eq!(renew(&proven, Some(&at(&old, 8)), &password, &today, [9; 16]), None, "changed meanwhile");
        assert_eq!(renew(&proven, None, &password, &today, [9; 16]), None, "deleted meanwhile");
    }

    #[test]
    fn a_renewed_hash_is_never_cheaper_than_the_stored_one() {
        let password = Secret::new("abcxyz".to_owned());
        let werkzeug =
            "pbkdf2:sha256:50000$9SP6Nwo5LaL4ddL8$3bf60202d9430337403783c9b41f693150ad926c2c4796023de1e049b6b349c9";
        let record = format!(r#"{{"v":1,"id":1,"hash":"{werkzeug}"}}"#);
        let stored = LoginRecord::read(record.as_bytes()).unwrap();
        for (today, cost) in [(2_000, 50_000), (49_999, 50_000), (50_001, 50_001)] {
            let today = Hashing::new(today);
            assert!(judge_password(Some(&stored), &password, &today).outdated);
            let renewed = renew(&stored, Some(&stored), &password, &today, [9; 16]).unwrap();
            assert!(renewed.hash().contains(&format!("i={cost},")), "{}", renewed.hash());
            let verdict = judge_password(Some(&renewed), &password, &today);
            assert!(verdict.identity.is_some() && !verdict.outdated);
        }
    }
}
