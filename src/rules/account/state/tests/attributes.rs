//! Attributes: whose are newer, and what a change revokes.

use super::*;
use crate::rules::identity::Id;

fn attributes(version: i64, values: Value) -> Attributes {
    let Value::Object(values) = values else { panic!("an object") };
    Attributes { version: Timestamp::from_millis(version), values }
}

fn profile(version: i64, values: Value) -> Profile {
    Profile::new(&Id::Int(1), "ann").with_attributes(attributes(version, values))
}

fn set(profile: Profile, set: Value, without: &[&str]) -> Command {
    let Value::Object(set) = set else { panic!("an object") };
    let without = without.iter().map(|name| (*name).to_owned()).collect();
    Command::SetAttributes { key: "user:1".into(), profile, set, without, replaces: false }
}

fn opening(seen: Attributes) -> Command {
    Command::Open {
        version: Timestamp::from_millis(0),
        entropy: "x".into(),
        refresh: Some(link("a", at(0))),
        user_agent: String::new(),
        country: String::new(),
        attributes: Some(seen),
    }
}

impl Stored {
    /// Opens a session where KV shows these attributes; returns those that are newer.
    fn open_with(&mut self, seen: Attributes, now: Timestamp) -> (SessionId, Option<Attributes>) {
        match self.ask(opening(seen), now) {
            Reply::Opened { session, attributes } => (session, attributes),
            other => panic!("{other:?}"),
        }
    }

    fn set(&mut self, command: Command, now: Timestamp) -> Attributes {
        match self.ask(command, now) {
            Reply::AttributesSet { attributes } => attributes,
            other => panic!("{other:?}"),
        }
    }

    /// The profile that waits for KV.
    fn profile(&self) -> Option<Profile> {
        let records = Account::read(&self.rows).unwrap().records();
        let record = records.iter().find(|record| record.key == "user:1")?;
        Some(Profile::read(record.text.as_bytes()).unwrap())
    }

    fn check_claims(&mut self, session: &SessionId, version: i64) -> Reply {
        let (session, began) = (Some(session.clone()), session.began().unwrap());
        let claims_version = Some(Timestamp::from_millis(version));
        let command =
            Command::Check { session, token_id: None, began, is_use: false, claims_version, attributes: None };
        self.ask(command, at(50))
    }
}

#[test]
fn a_new_token_gets_the_newer_of_two_copies() {
    let mut account = Stored::default();
    let (session, newer) = account.open_with(attributes(5, json!({"role": "user"})), at(0));
    assert_eq!((newer, account.announced.len()), (None, 0), "the first that it sees");
    let (_, newer) = account.open_with(attributes(4, json!({"role": "old"})), at(1));
    assert_eq!(newer, Some(attributes(5, json!({"role": "user"}))));
    assert_eq!(account.announced, [], "an old copy changes nothing");
    let (_, newer) = account.open_with(attributes(5, json!({"role": "edited"})), at(2));
    assert_eq!(newer, None, "of one version the store's counts");

    // A rotation and a renewal learn and tell the same.
    let rotate = |seen, token: &str, next: &str| Command::Rotate {
        session: session.clone(),
        token_id: token.into(),
        successor: link(next, at(3)),
        attributes: Some(seen),
    };
    let Reply::Rotated { attributes: newer, .. } = account.ask(rotate(attributes(4, json!({})), "a", "b"), at(3))
    else {
        panic!("rotated")
    };
    assert_eq!(newer.unwrap().version.as_millis(), 5);
    let Reply::Rotated { attributes: newer, .. } =
        account.ask(rotate(attributes(7, json!({"role": "new"})), "b", "c"), at(4))
    else {
        panic!("rotated")
    };
    assert_eq!(newer, None);
    let claims = RevocationKey::claims(&name());
    assert_eq!(
        account.announced.iter().map(|entry| (entry.mark, entry.before.unwrap().as_millis())).collect::<Vec<_>>(),
        [(claims, 6)]
    );
    let renewal = Command::Check {
        session: Some(session.clone()),
        token_id: None,
        began: session.began().unwrap(),
        is_use: true,
        claims_version: None,
        attributes: Some(attributes(6, json!({}))),
    };
    assert_eq!(account.ask(renewal, at(5)), Reply::AliveWith { attributes: attributes(7, json!({"role": "new"})) });
    for (version, reply) in [(6, Reply::Outdated), (7, Reply::Alive), (8, Reply::Alive)] {
        assert_eq!(account.check_claims(&session, version), reply, "{version}");
    }
}

#[test]
fn a_refresh_that_learns_newer_attributes_waits_for_no_log_but_a_change_does() {
    let mut account = Stored::default();
    account.open_with(attributes(5, json!({})), at(0));
    let learns = opening(attributes(6, json!({"role": "x"})));
    assert!(!account.promises(learns.clone(), at(1)));
    account.ask(learns, at(1));
    let change = set(profile(6, json!({"role": "x"})), json!({"role": "x"}), &[]);
    assert!(account.promises(change.clone(), at(2)), "nothing changes, but the log does not have the last change");
    assert!(account.promises(set(profile(6, json!({"role": "x"})), json!({"role": "y"}), &[]), at(2)));
    let announced = std::mem::take(&mut account.announced);
    account.ask(Command::Delivered { revocations: announced, records: vec![] }, at(3));
    assert!(!account.promises(change, at(4)));
}

#[test]
fn a_change_is_one_of_what_the_object_knows_and_waits_for_the_store() {
    let mut account = Stored::default();
    let first =
        account.set(set(profile(0, json!({"role": "user", "team": "red"})), json!({"role": "admin"}), &[]), at(0));
    assert_eq!(first, attributes(at(0).as_millis(), json!({"username": "ann", "role": "admin", "team": "red"})));
    let written = account.profile().unwrap();
    assert_eq!((written.attributes(), written.name()), (first.clone(), "ann"));
    assert!(!written.write().contains("username"), "the name is in the profile already");
    assert_eq!(account.announced[0].before, Some(Timestamp::from_millis(at(0).as_millis() - 1)));
    assert_eq!(account.announced[0].until, at(0).later(lifetimes().token).later(REVOCATION_MARGIN));

    // The caller has read a copy of before: the first change stays.
    let stale = profile(0, json!({"role": "user", "team": "red"}));
    let second = account.set(set(stale, json!({"plan": {"seats": 5}}), &["team", "unknown"]), at(0));
    assert_eq!(
        second,
        attributes(at(1).as_millis(), json!({"username": "ann", "role": "admin", "plan": {"seats": 5}})),
        "later than the first, though the clock stands still"
    );
    // The same once more, as an operator's command repeats it: nothing changes.
    let rows = account.rows.clone();
    let current = account.profile().unwrap();
    assert_eq!(account.set(set(current.clone(), json!({"role": "admin"}), &[]), at(9)), second);
    assert_eq!(account.rows, rows);

    // KV was written without the object, and later: its copy counts.
    let elsewhere = current.with_attributes(attributes(at(100).as_millis(), json!({"role": "viewer"})));
    let third = account.set(set(elsewhere, json!({}), &[]), at(20));
    assert_eq!(third, attributes(at(100).as_millis(), json!({"username": "ann", "role": "viewer"})));

    let records = Account::read(&account.rows).unwrap().records();
    account.ask(Command::Delivered { revocations: vec![], records }, at(21));
    assert!(account.profile().is_none());
}

#[test]
fn a_user_who_is_replaced_keeps_no_attribute() {
    let mut account = Stored::default();
    let known = account.set(set(profile(0, json!({"role": "admin"})), json!({}), &[]), at(10));
    let replace = Command::SetAttributes {
        key: "user:1".into(),
        profile: profile(at(5).as_millis(), json!({"team": "red"})),
        set: Map::new(),
        without: Vec::new(),
        replaces: true,
    };
    let replaced = account.set(replace, at(6));
    assert!(replaced.version > known.version, "by any clock");
    assert_eq!(replaced.values, attributes(0, json!({"username": "ann", "team": "red"})).values);
    assert_eq!(account.profile().unwrap().attributes(), replaced);
}

#[test]
fn attributes_that_are_too_long_change_nothing() {
    let mut account = Stored::default();
    let around = r#"{"username":"ann","x":""}"#.len();
    let long = |length: usize| set(profile(0, json!({})), json!({"x": "y".repeat(length - around)}), &[]);
    let (rows, reply) = (account.rows.clone(), account.ask(long(MAX_ATTRIBUTES_BYTES + 1), at(0)));
    assert_eq!((reply, &account.rows), (Reply::TooLong, &rows));
    account.set(long(MAX_ATTRIBUTES_BYTES), at(0));
}

#[test]
fn nothing_of_a_deleted_user_stays_or_comes_back() {
    let mut account = Stored::default();
    account.set(set(profile(0, json!({"role": "admin"})), json!({"role": "x"}), &[]), at(0));
    let delete = Command::EndAll { retire_password: true, version: None, forget_attributes: true };
    account.ask(delete, at(1));
    assert!(account.profile().is_none(), "no profile is written after the deletion");
    let opening = |seen| Command::Open {
        version: at(2),
        entropy: "x".into(),
        refresh: None,
        user_agent: String::new(),
        country: String::new(),
        attributes: Some(seen),
    };
    // A user of the same id, while KV shows the old profile here, and the new one there.
    let Reply::Opened { attributes: newer, .. } =
        account.ask(opening(attributes(at(0).as_millis(), json!({"role": "x"}))), at(3))
    else {
        panic!("opened")
    };
    assert_eq!(newer.unwrap().values, Map::new());
    let Reply::Opened { attributes: newer, .. } =
        account.ask(opening(attributes(at(2).as_millis(), json!({"role": "new"}))), at(4))
    else {
        panic!("opened")
    };
    assert_eq!(newer, None);
}
