//! Attributes: whose are newer, and what a change revokes.

use super::*;
fn attributes(version: i64, values: Value) -> Attributes {
    let Value::Object(values) = values else { panic!("an object") };
    Attributes { version: Timestamp::from_millis(version), values }
}

/// As a gate shows them, which makes a claim of `role`.
fn seen(attributes: Attributes) -> SeenAttributes {
    let Attributes { version, values } = attributes;
    SeenAttributes { version, values, claims: vec!["role".into()] }
}

fn set(found: Attributes, set: Value, without: &[&str]) -> Command {
    let Value::Object(set) = set else { panic!("an object") };
    let without = without.iter().map(|name| (*name).to_owned()).collect();
    let (claims, max_claim_bytes, replaces) = (vec!["role".into()], 100, false);
    Command::SetAttributes { found, set, without, claims, max_claim_bytes, replaces }
}

fn opening(attributes: Attributes) -> Command {
    Command::Open {
        version: Timestamp::from_millis(0),
        entropy: "x".into(),
        refresh: Some(link("a", at(0))),
        user_agent: String::new(),
        country: String::new(),
        attributes: Some(seen(attributes)),
    }
}

impl Stored {
    /// Opens a session where KV shows these attributes; returns those that are newer.
    fn open_with(&mut self, attributes: Attributes, now: Timestamp) -> (SessionId, Option<Attributes>) {
        match self.ask(opening(attributes), now) {
            Reply::Opened { session, attributes } => (session, attributes),
            other => panic!("{other:?}"),
        }
    }

    fn set(&mut self, command: Command, now: Timestamp) -> Attributes {
        match self.ask(command, now) {
            Reply::AttributesSet { attributes, .. } => attributes,
            other => panic!("{other:?}"),
        }
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

    // A rotation and a renewal adopt and return attributes in the same way.
    let rotate = |attributes, token: &str, next: &str| Command::Rotate {
        session: session.clone(),
        token_id: token.into(),
        successor: link(next, at(3)),
        attributes: Some(seen(attributes)),
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
        attributes: Some(seen(attributes(6, json!({})))),
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
    let change = set(attributes(6, json!({"role": "x"})), json!({"role": "x"}), &[]);
    assert!(account.promises(change.clone(), at(2)), "nothing changes, but the log does not have the last change");
    assert!(account.promises(set(attributes(6, json!({"role": "x"})), json!({"role": "y"}), &[]), at(2)));
    let announced = std::mem::take(&mut account.announced);
    account.ask(Command::Delivered { revocations: announced, record: None }, at(3));
    assert!(!account.promises(change, at(4)));
}

#[test]
fn a_change_is_one_of_what_the_object_knows() {
    let mut account = Stored::default();
    let stored = || attributes(0, json!({"role": "user", "team": "red"}));
    let first = account.set(set(stored(), json!({"role": "admin"}), &[]), at(0));
    assert_eq!(first, attributes(at(0).as_millis(), json!({"role": "admin", "team": "red"})));
    assert_eq!(account.announced[0].before, Some(Timestamp::from_millis(at(0).as_millis() - 1)));
    assert_eq!(account.announced[0].until, at(0).later(lifetimes().token).later(REVOCATION_MARGIN));

    // The caller has read an earlier copy: the first change stays.
    let second = account.set(set(stored(), json!({"plan": {"seats": 5}}), &["team", "unknown"]), at(0));
    assert_eq!(
        second,
        attributes(at(1).as_millis(), json!({"role": "admin", "plan": {"seats": 5}})),
        "later than the first, though the clock stands still"
    );
    // The same once more, as an operator's command repeats it: nothing changes.
    let rows = account.rows.clone();
    for found in [stored(), second.clone()] {
        assert_eq!(account.set(set(found, json!({"role": "admin"}), &[]), at(9)), second);
        assert_eq!(account.rows, rows);
    }

    // KV was written without the object, and later: its copy counts.
    let elsewhere = attributes(at(100).as_millis(), json!({"role": "viewer"}));
    assert_eq!(account.set(set(elsewhere.clone(), json!({}), &[]), at(20)), elsewhere);
}

#[test]
fn a_user_who_is_replaced_keeps_no_attribute() {
    let mut account = Stored::default();
    let known = account.set(set(attributes(0, json!({"role": "admin"})), json!({}), &[]), at(10));
    let replace = Command::SetAttributes {
        found: attributes(at(5).as_millis(), json!({"team": "red"})),
        set: Map::new(),
        without: Vec::new(),
        claims: vec!["role".into()],
        max_claim_bytes: 100,
        replaces: true,
    };
    let replaced = account.set(replace, at(6));
    assert!(replaced.version > known.version, "by any clock");
    assert_eq!(replaced.values, attributes(0, json!({"team": "red"})).values);
}

#[test]
fn attributes_that_are_too_long_or_too_deep_change_nothing() {
    let nested = |depth: usize| (0..depth).fold(json!(1), |inner, _| json!([inner]));
    let around = r#"{"x":""}"#.len();
    let long = |length: usize| json!({"x": "y".repeat(length - around)});
    // Of a role 98 characters and the quotes are within the 100 bytes for claims.
    for (good, bad) in [
        (long(16 * 1024), long(16 * 1024 + 1)),
        (json!({"x": nested(31)}), json!({"x": nested(32)})),
        (json!({"role": "r".repeat(98)}), json!({"role": "r".repeat(99)})),
    ] {
        let mut account = Stored::default();
        let rows = account.rows.clone();
        assert_eq!(account.ask(set(attributes(0, json!({})), bad.clone(), &[]), at(0)), Reply::TooLong);
        assert_eq!(account.rows, rows);
        account.set(set(attributes(0, json!({})), good, &[]), at(0));
        if bad.get("role").is_none() {
            // A store that has them: they are not taken over, and the object stays readable.
            let (_, newer) = account.open_with(attributes(at(5).as_millis(), bad), at(6));
            assert_eq!(newer, None);
            account.open_with(attributes(4, json!({})), at(7));
        }
    }
}

#[test]
fn nothing_of_a_deleted_user_stays_or_comes_back() {
    let known =
        |account: &mut Stored| drop(account.set(set(attributes(5, json!({"role": "x"})), json!({}), &[]), at(0)));
    let unknown = |_: &mut Stored| ();
    for before in [&known as &dyn Fn(&mut Stored), &unknown] {
        let mut account = Stored::default();
        before(&mut account);
        account.ask(Command::EndAll { retire_password: true, version: None, forget_attributes: true }, at(1));
        // The store shows the old profile for a minute: it is not changed back to life.
        for found in [attributes(5, json!({"role": "x"})), attributes(0, json!({"role": "x"}))] {
            assert_eq!(account.ask(set(found, json!({"team": "red"}), &[]), at(2)), Reply::Stale);
        }
        assert!(!format!("{:?}", account.rows).contains('x'), "{:?}", account.rows);
        let opening = |values| Command::Open {
            version: at(2),
            entropy: "x".into(),
            refresh: None,
            user_agent: String::new(),
            country: String::new(),
            attributes: Some(seen(values)),
        };
        // A user of the same id, while KV shows the old profile here, and the new one there.
        for old in [attributes(5, json!({"role": "x"})), attributes(0, json!({"role": "x"}))] {
            let Reply::Opened { attributes: newer, .. } = account.ask(opening(old), at(3)) else { panic!("opened") };
            assert_eq!(newer.unwrap().values, Map::new());
        }
        let new = attributes(at(2).as_millis(), json!({"role": "new"}));
        let Reply::Opened { attributes: newer, .. } = account.ask(opening(new.clone()), at(4)) else {
            panic!("opened")
        };
        assert_eq!(newer, None);
        assert_eq!(account.set(set(new.clone(), json!({}), &[]), at(5)), new);
    }
}

#[test]
fn a_change_of_what_no_claim_is_made_of_voids_no_token() {
    let mut account = Stored::default();
    let (session, _) = account.open_with(attributes(5, json!({"role": "user", "nickname": "a"})), at(0));
    let stored = || attributes(5, json!({"role": "user", "nickname": "a"}));
    let revokes = |account: &mut Stored, command| match account.ask(command, at(1)) {
        Reply::AttributesSet { revokes, .. } => revokes,
        other => panic!("{other:?}"),
    };
    assert!(!revokes(&mut account, set(stored(), json!({"nickname": "b"}), &[])));
    assert_eq!((account.announced.len(), account.check_claims(&session, 5)), (0, Reply::Alive));
    let (_, newer) = account.open_with(attributes(5, json!({"role": "user", "nickname": "a"})), at(2));
    assert_eq!(newer.unwrap().values["nickname"], "b", "new tokens are made of all of it");
    // The role was changed, once: said of this version, however often the order comes.
    for _ in 0..2 {
        assert!(revokes(&mut account, set(stored(), json!({"role": "admin"}), &[])));
        assert_eq!((account.announced.len(), account.check_claims(&session, 5)), (1, Reply::Outdated));
    }
    assert!(!revokes(&mut account, set(stored(), json!({}), &["nickname"])));
    // A gate that makes no claims revokes nothing.
    let unclaimed = Command::SetAttributes {
        found: stored(),
        set: json!({"role": "x"}).as_object().unwrap().clone(),
        without: vec![],
        claims: vec![],
        max_claim_bytes: 0,
        replaces: false,
    };
    let before = account.announced.clone();
    assert!(!revokes(&mut account, unclaimed));
    assert_eq!(account.announced, before);
    // The same for what was written elsewhere.
    let mut other = Stored::default();
    let (session, _) = other.open_with(attributes(5, json!({"role": "user"})), at(0));
    other.open_with(attributes(6, json!({"role": "user", "team": "red"})), at(1));
    assert_eq!((other.announced.len(), other.check_claims(&session, 5)), (0, Reply::Alive));
    other.open_with(attributes(7, json!({"role": "admin", "team": "red"})), at(2));
    assert_eq!((other.announced.len(), other.check_claims(&session, 5)), (1, Reply::Outdated));
}
