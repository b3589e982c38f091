//! The revocation log and its snapshots.

use super::*;
use crate::rules::time::Duration;
use std::sync::atomic::AtomicU64;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_800_000_000 + seconds)
}

fn entry(name: &str, before: Option<i64>, until: i64) -> Entry {
    Entry { mark: RevocationKey::session(&name.into()), before: before.map(at), until: at(until) }
}

fn marks(session: &str, began: i64) -> RevocationKeys {
    RevocationKeys {
        token: None,
        session: Some(RevocationKey::session(&session.into())),
        user: Some(RevocationKey::user(&"user:1".into())),
        began: at(began),
        claims: None,
    }
}

fn holding(entries: &[Entry]) -> (RevocationLog, Snapshot) {
    let mut register = RevocationLog::default();
    for entry in entries {
        register.revoke(*entry, at(0));
    }
    let snapshot = Snapshot::new(Duration::seconds(10));
    snapshot.update(&register.since(0, at(0)), at(0));
    (register, snapshot)
}

#[test]
fn a_snapshot_judges_by_token_session_user_and_everybody() {
    let token = RevocationKeys {
        token: Some(RevocationKey::token(&"t".into())),
        session: Some(RevocationKey::session(&"s".into())),
        user: Some(RevocationKey::user(&"u".into())),
        began: at(0),
        claims: None,
    };
    for mark in [
        RevocationKey::token(&"t".into()),
        RevocationKey::session(&"s".into()),
        RevocationKey::user(&"u".into()),
        RevocationKey::everybody(),
    ] {
        let (_, snapshot) = holding(&[Entry { mark, before: None, until: at(100) }]);
        assert_eq!(snapshot.judge(&token, &AtomicU64::new(0), at(1)), RevocationStatus::Revoked);
    }
    for mark in
        [RevocationKey::token(&"s".into()), RevocationKey::session(&"t".into()), RevocationKey::user(&"".into())]
    {
        let (_, snapshot) = holding(&[Entry { mark, before: None, until: at(100) }]);
        assert_eq!(snapshot.judge(&token, &AtomicU64::new(0), at(1)), RevocationStatus::Good);
    }
}

#[test]
fn claims_of_an_earlier_version_are_out_of_date_and_an_end_comes_first() {
    let claims = RevocationKey::claims(&"user:1".into());
    let entry = Entry { mark: claims, before: Some(at(5)), until: at(100) };
    let ended = Entry { mark: RevocationKey::user(&"user:1".into()), ..entry };
    let judge = |entries: &[Entry], version: Option<i64>| {
        let claims = version.map(|version| ClaimsKey { key: claims, version: at(version) });
        let (_, snapshot) = holding(entries);
        snapshot.judge(&RevocationKeys { claims, ..marks("s", 3) }, &AtomicU64::new(0), at(7))
    };
    for (version, status) in [
        (Some(4), RevocationStatus::ClaimsOutdated),
        (Some(5), RevocationStatus::ClaimsOutdated),
        (Some(6), RevocationStatus::Good),
        (None, RevocationStatus::Good),
    ] {
        assert_eq!(judge(&[entry], version), status, "{version:?}");
    }
    assert_eq!(judge(&[entry, ended], Some(4)), RevocationStatus::Revoked);
    // In a second look too: what is out of date is not remembered as good.
    let (_, snapshot) = holding(&[entry]);
    let (seen, keys) = (AtomicU64::new(0), ClaimsKey { key: claims, version: at(4) });
    for _ in 0..2 {
        let status = snapshot.judge(&RevocationKeys { claims: Some(keys), ..marks("s", 3) }, &seen, at(7));
        assert_eq!(status, RevocationStatus::ClaimsOutdated);
    }
}

#[test]
fn what_began_later_is_good() {
    let (_, snapshot) = holding(&[entry("s", Some(5), 100)]);
    for (began, judgement) in
        [(4, RevocationStatus::Revoked), (5, RevocationStatus::Revoked), (6, RevocationStatus::Good)]
    {
        assert_eq!(snapshot.judge(&marks("s", began), &AtomicU64::new(0), at(7)), judgement, "{began}");
    }
}

#[test]
fn a_snapshot_older_than_its_bound_judges_nothing() {
    let (register, snapshot) = holding(&[]);
    let judge = |now| snapshot.judge(&marks("s", 0), &AtomicU64::new(0), at(now));
    assert_eq!(
        (judge(0), judge(10), judge(11)),
        (RevocationStatus::Good, RevocationStatus::Good, RevocationStatus::Unknown)
    );
    assert_eq!((snapshot.age(at(3)), snapshot.age(at(4)), snapshot.age(at(11))), (Age::Fresh, Age::Due, Age::TooOld));
    snapshot.mark_requested(at(4));
    assert_eq!((snapshot.age(at(5)), snapshot.age(at(6))), (Age::Fresh, Age::Due), "one asks, the others go on");
    snapshot.update(&register.since(snapshot.number(), at(11)), at(11));
    assert_eq!(judge(21), RevocationStatus::Good);
    assert_eq!(Snapshot::new(Duration::seconds(10)).age(at(0)), Age::TooOld, "before the first");
}

#[test]
fn a_token_that_was_good_is_looked_at_again_when_something_is_new() {
    let (mut register, snapshot) = holding(&[]);
    let seen = AtomicU64::new(0);
    assert_eq!(snapshot.judge(&marks("s", 0), &seen, at(1)), RevocationStatus::Good);
    register.revoke(entry("other", None, 100), at(1));
    snapshot.update(&register.since(snapshot.number(), at(1)), at(1));
    assert_eq!(snapshot.judge(&marks("s", 0), &seen, at(1)), RevocationStatus::Good);
    register.revoke(entry("s", None, 100), at(2));
    snapshot.update(&register.since(snapshot.number(), at(2)), at(2));
    assert_eq!(snapshot.judge(&marks("s", 0), &seen, at(2)), RevocationStatus::Revoked);
}

#[test]
fn old_answers_and_answers_with_a_hole_before_them_forget_nothing() {
    let (mut register, snapshot) = holding(&[]);
    let nothing = register.since(0, at(0));
    register.revoke(entry("s", None, 100), at(1));
    let something = register.since(0, at(1));
    snapshot.update(&something, at(2));
    snapshot.update(&nothing, at(3));
    assert_eq!(snapshot.judge(&marks("s", 0), &AtomicU64::new(0), at(3)), RevocationStatus::Revoked);
    register.revoke(entry("t", None, 100), at(4));
    let after = register.since(something.number, at(4));
    let late = Snapshot::new(Duration::seconds(10));
    late.update(&after, at(4));
    assert_eq!(
        late.judge(&marks("x", 0), &AtomicU64::new(0), at(4)),
        RevocationStatus::Unknown,
        "what came before is missing"
    );
}

#[test]
fn a_register_that_begins_anew_takes_nothing_back() {
    let (_, snapshot) = holding(&[entry("s", None, 100)]);
    let empty = RevocationLog::default();
    let told = empty.since(snapshot.number(), at(5));
    assert_eq!((told.since, told.number), (0, 0));
    snapshot.update(&told, at(5));
    assert_eq!(snapshot.judge(&marks("s", 0), &AtomicU64::new(0), at(15)), RevocationStatus::Revoked);
}

#[test]
fn a_register_keeps_the_wider_of_two_and_forgets_what_is_over() {
    let mut register = RevocationLog::default();
    let (one, _, _) = register.revoke(entry("s", Some(5), 50), at(0)).unwrap();
    assert_eq!(register.revoke(entry("s", Some(4), 40), at(1)), None, "nothing new");
    let (two, merged, former) = register.revoke(entry("s", None, 40), at(1)).unwrap();
    assert_eq!((merged, former), (entry("s", None, 50), Some(one)));
    assert!(two > one);
    assert_eq!(register.since(one, at(2)).entries, [entry("s", None, 50)]);
    assert_eq!(register.since(two, at(2)).entries, []);
    assert!(register.forget(at(49)).is_empty());
    assert_eq!((register.len(), register.is_empty()), (1, false));
    assert_eq!(register.since(0, at(50)).entries, [], "what is over is not sent");
    assert_eq!(register.forget(at(50)), [two]);
    assert_eq!((register.len(), register.is_empty()), (0, true));
    let (three, _, _) = register.revoke(entry("s", None, 60), Timestamp::from_millis(0)).unwrap();
    assert!(three > two, "a clock that was set back");
    let again = RevocationLog::read([(three, entry("s", None, 60))]);
    assert_eq!(again.since(0, at(2)), register.since(0, at(2)));
}

/// `at(0)`, and so many milliseconds.
fn later(millis: i64) -> Timestamp {
    Timestamp::from_millis(at(0).as_millis() + millis)
}

#[test]
fn an_old_snapshot_still_refuses_what_it_knows_to_be_revoked() {
    let (_, snapshot) = holding(&[entry("ended", None, 100), entry("changed", Some(5), 100)]);
    let seen = AtomicU64::new(0);
    let judge = |session, began| snapshot.judge_by_known(&marks(session, began), &seen);
    assert_eq!(snapshot.judge(&marks("ended", 0), &seen, at(50)), RevocationStatus::Unknown);
    for (session, began, status) in [
        ("ended", 0, RevocationStatus::Revoked),
        ("changed", 5, RevocationStatus::Revoked),
        ("changed", 6, RevocationStatus::Good),
        ("other", 0, RevocationStatus::Good),
    ] {
        seen.store(0, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(judge(session, began), status, "{session}, {began}");
    }
    let first = Snapshot::new(Duration::seconds(10));
    assert_eq!(first.judge_by_known(&marks("ended", 0), &seen), RevocationStatus::Good, "nothing is known yet");
}

#[test]
fn the_ages_of_a_snapshot_end_at_a_third_at_a_tenth_and_at_the_bound() {
    let (_, snapshot) = holding(&[]);
    assert_eq!(snapshot.due(), later(3333));
    assert_eq!((snapshot.age(later(3333)), snapshot.age(later(3334))), (Age::Fresh, Age::Due));
    assert_eq!((snapshot.age(later(10_000)), snapshot.age(later(10_001))), (Age::Due, Age::TooOld));
    assert!(!snapshot.is_requested(later(4000)));
    snapshot.mark_requested(later(4000));
    assert!(snapshot.is_requested(later(5000)) && !snapshot.is_requested(later(5001)));
    assert_eq!((snapshot.age(later(5000)), snapshot.age(later(5001))), (Age::Fresh, Age::Due));
    snapshot.mark_not_requested();
    assert_eq!(snapshot.age(later(4000)), Age::Due);
}

#[test]
fn an_update_follows_on_what_is_known_and_drops_what_is_over() {
    let (mut register, snapshot) = holding(&[entry("s", None, 10)]);
    let number = snapshot.number();
    assert_eq!((number, snapshot.len()), (register.since(0, at(0)).number, 1));
    let seen = AtomicU64::new(0);
    assert_eq!(snapshot.judge(&marks("t", 0), &seen, at(0)), RevocationStatus::Good);
    let generation = seen.swap(0, std::sync::atomic::Ordering::Relaxed);
    let generation_now = || {
        let seen = AtomicU64::new(0);
        assert_eq!(snapshot.judge_by_known(&marks("t", 0), &seen), RevocationStatus::Good);
        seen.into_inner()
    };

    // Nothing new since, and the same once more: it is younger, and no token is looked at again.
    snapshot.update(&register.since(number, at(4)), at(4));
    snapshot.update(&register.since(0, at(5)), at(5));
    assert_eq!((snapshot.due(), snapshot.number(), generation_now()), (later(8333), number, generation));

    // An entry is held until its time is up.
    snapshot.update(&register.since(number, at(9)), at(9));
    assert_eq!((snapshot.len(), snapshot.is_empty()), (1, false));
    snapshot.update(&register.since(number, at(10)), at(10));
    assert!(snapshot.is_empty());

    // A new one counts; what lies behind a hole does not.
    register.revoke(entry("t", None, 100), at(10));
    snapshot.update(&register.since(number, at(11)), at(11));
    assert_eq!((snapshot.len(), snapshot.number() > number), (1, true));
    assert_eq!(snapshot.judge(&marks("t", 0), &AtomicU64::new(generation), at(11)), RevocationStatus::Revoked);
    let hole = Delta { since: snapshot.number() + 1, number: snapshot.number() + 2, as_of: at(12), entries: vec![] };
    snapshot.update(&hole, at(12));
    assert_eq!(snapshot.due(), later(11_000 + 3333));
}

#[test]
fn a_register_that_begins_anew_is_followed_if_its_answer_is_younger() {
    let (register, snapshot) = holding(&[entry("s", None, 100)]);
    let number = register.since(0, at(0)).number;
    let anew = |since, as_of| Delta { since, number: 1, as_of, entries: vec![] };
    for not_followed in [anew(0, at(0)), anew(1, at(1))] {
        snapshot.update(&not_followed, at(1));
        assert_eq!((snapshot.number(), snapshot.due()), (number, later(3333)), "{not_followed:?}");
    }
    snapshot.update(&anew(0, later(1)), at(1));
    assert_eq!((snapshot.number(), snapshot.due()), (1, later(3334)));
    assert_eq!(snapshot.len(), 1, "nothing is taken back");
}

#[test]
fn marks_are_sixteen_digits() {
    let entry = entry("s", Some(1), 2);
    let text = serde_json::to_string(&entry).unwrap();
    assert_eq!(serde_json::from_str::<Entry>(&text).unwrap(), entry);
    assert!(text.contains("\":\"") && RevocationKey::session(&"s".into()) != RevocationKey::token(&"s".into()));
    assert!(serde_json::from_str::<RevocationKey>("\"x\"").is_err());
}
