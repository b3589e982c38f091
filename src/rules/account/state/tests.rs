//! Sequences of commands: sessions, revocations and attempts.

mod attributes;

use super::*;
use crate::rules::{
    account::{
        Bucket, DeviceId, FREE_FAILURES_BY_ADDRESS, LONGEST_BY_ADDRESS, Lifetimes, MAX_SESSIONS,
        MOST_FAILURES_A_DAY_BY_ADDRESS, MOST_GUESSES_A_DAY, REVOCATION_MARGIN, object,
    },
    device::RecordId,
    json::json,
};

fn name() -> ObjectName {
    "user:1".into()
}

fn lifetimes() -> Lifetimes {
    Lifetimes {
        grace: Duration::seconds(10),
        idle: Duration::seconds(1000),
        session: Duration::seconds(5000),
        token: Duration::seconds(100),
    }
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000 + millis)
}

/// An account that is stored and read again after each command, as in its object.
#[derive(Default)]
struct Stored {
    rows: Rows,
    announced: Vec<Entry>,
}

impl Stored {
    fn ask(&mut self, command: Command, now: Timestamp) -> Reply {
        let step = object::step(&self.rows, None, command, &Context::new(&name(), &lifetimes(), now)).unwrap();
        for (key, value) in step.changes {
            match value {
                Some(value) => self.rows.insert(key, value),
                None => self.rows.remove(&key),
            };
        }
        self.announced = step.announcements;
        step.reply
    }

    fn open(&mut self, version: i64, refresh: Option<&str>, now: Timestamp) -> Result<SessionId, Reply> {
        let command = Command::Open {
            version: Timestamp::from_millis(version),
            entropy: now.as_millis().to_string(),
            refresh: refresh.map(|id| link(id, now)),
            user_agent: "curl".into(),
            country: "CH".into(),
            attributes: None,
        };
        match self.ask(command, now) {
            Reply::Opened { session, .. } => Ok(session),
            other => Err(other),
        }
    }

    fn rotate(&mut self, session: &SessionId, from: &str, to: &str, now: Timestamp) -> Result<TokenId, Reply> {
        let command = Command::Rotate {
            session: session.clone(),
            token_id: from.into(),
            successor: link(to, now),
            attributes: None,
        };
        match self.ask(command, now) {
            Reply::Rotated { successor, .. } => Ok(successor.token_id),
            other => Err(other),
        }
    }

    fn ask_as(&mut self, id: &str, command: Command, now: Timestamp) -> Reply {
        let step = object::step(&self.rows, Some(id), command, &Context::new(&name(), &lifetimes(), now)).unwrap();
        for (key, value) in step.changes {
            match value {
                Some(value) => self.rows.insert(key, value),
                None => self.rows.remove(&key),
            };
        }
        step.reply
    }

    /// Whether the reply promises that the log has an end.
    fn promises(&mut self, command: Command, now: Timestamp) -> bool {
        object::step(&self.rows, None, command, &Context::new(&name(), &lifetimes(), now)).unwrap().promises_an_end
    }

    fn check(&mut self, session: &SessionId, now: Timestamp) -> Reply {
        let began = session.began().unwrap();
        self.ask(
            Command::Check {
                session: Some(session.clone()),
                token_id: None,
                began,
                is_use: false,
                claims_version: None,
                attributes: None,
            },
            now,
        )
    }
}

fn link(id: &str, now: Timestamp) -> RefreshToken {
    RefreshToken { token_id: id.into(), seed: format!("seed of {id}"), issued_at: now }
}

const ENDED: Reply = Reply::Ended { reused: false };
const REUSED: Reply = Reply::Ended { reused: true };

#[test]
fn a_refresh_token_is_good_for_one_use_and_a_retry_gets_the_same_successor() {
    let mut account = Stored::default();
    let session = account.open(0, Some("a"), at(0)).unwrap();
    assert_eq!(account.rotate(&session, "a", "b", at(1000)), Ok("b".into()));
    assert_eq!(account.rotate(&session, "a", "other", at(1001)), Ok("b".into()), "a retry");
    assert_eq!(account.rotate(&session, "b", "c", at(2000)), Ok("c".into()));
    assert_eq!(account.rotate(&session, "a", "other", at(11_000)), Ok("b".into()), "the grace's last millisecond");
    assert_eq!(account.rotate(&session, "b", "other", at(11_500)), Ok("c".into()));
    assert_eq!(account.check(&session, at(11_500)), Reply::Alive);
    assert_eq!(account.rotate(&session, "a", "other", at(11_501)), Err(REUSED));
    assert_eq!(account.rotate(&session, "c", "d", at(11_502)), Err(ENDED), "the family is over");
    assert_eq!(account.check(&session, at(11_502)), ENDED);
    assert_eq!(
        account.announced.iter().map(|entry| entry.mark).collect::<Vec<_>>(),
        [RevocationKey::session(&session)]
    );
}

#[test]
fn a_token_that_never_was_ends_the_family_too() {
    let mut account = Stored::default();
    let session = account.open(0, Some("a"), at(0)).unwrap();
    assert_eq!(account.rotate(&session, "x", "y", at(1)), Err(REUSED));
    assert_eq!(account.rotate(&session, "a", "b", at(2)), Err(ENDED));
    assert_eq!(account.rotate(&"no session".into(), "a", "b", at(2)), Err(ENDED));
}

#[test]
fn a_session_ends_when_it_is_idle_and_at_last() {
    let mut account = Stored::default();
    let session = account.open(0, Some("0"), at(0)).unwrap();
    for use_ in 1..=5 {
        let (from, to) = ((use_ - 1).to_string(), use_.to_string());
        assert_eq!(account.rotate(&session, &from, &to, at(use_ * 999_000)), Ok(to.as_str().into()));
    }
    assert_eq!(account.check(&session, at(4_999_999)), Reply::Alive);
    assert_eq!(account.check(&session, at(5_000_000)), ENDED);
    let session = account.open(0, Some("a"), at(6_000_000)).unwrap();
    assert_eq!(account.rotate(&session, "a", "b", at(7_000_000)), Err(ENDED), "idle");
}

#[test]
fn an_end_is_announced_until_it_was_told_and_stays() {
    let mut account = Stored::default();
    let one = account.open(0, Some("a"), at(0)).unwrap();
    let two = account.open(0, None, at(1)).unwrap();
    assert_eq!(account.ask(Command::End { session: one.clone() }, at(2)), Reply::Done);
    assert_eq!(account.ask(Command::End { session: one.clone() }, at(3)), ENDED, "it is not there any more");
    let waiting = account.announced.clone();
    assert_eq!(
        waiting,
        [Entry {
            mark: RevocationKey::session(&one),
            before: None,
            until: at(2).later(lifetimes().token).later(REVOCATION_MARGIN)
        }]
    );
    assert_eq!(account.ask(Command::Tidy, at(4)), Reply::Done);
    assert_eq!(account.announced, waiting, "still not told");
    account.ask(Command::Delivered { revocations: waiting, record: None }, at(5));
    assert_eq!(account.announced, []);
    assert_eq!((account.check(&one, at(6)), account.check(&two, at(6))), (ENDED, Reply::Alive));
}

#[test]
fn who_asks_for_an_end_again_is_promised_it_as_well() {
    let mut account = Stored::default();
    let one = account.open(0, Some("a"), at(0)).unwrap();
    let end = Command::End { session: one };
    assert!(account.promises(end.clone(), at(1)));
    account.ask(end.clone(), at(1));
    assert!(account.promises(end.clone(), at(2)), "the register could not be told the first time");
    assert!(!account.promises(Command::List, at(2)) && !account.promises(Command::Tidy, at(2)));
    let revocations = account.announced.clone();
    account.ask(Command::Delivered { revocations, record: None }, at(3));
    assert!(!account.promises(end, at(4)));
}

#[test]
fn a_session_that_runs_out_takes_its_access_tokens_along() {
    let brief = Lifetimes { idle: Duration::seconds(50), ..lifetimes() };
    let mut account = Account::default();
    let open = Command::Open {
        version: at(0),
        entropy: String::new(),
        refresh: None,
        user_agent: String::new(),
        country: String::new(),
        attributes: None,
    };
    let Reply::Opened { session, .. } = account.answer(open.clone(), &Context::new(&name(), &brief, at(0))) else {
        panic!("opened")
    };
    account.answer(Command::Tidy, &Context::new(&name(), &brief, at(49_999)));
    assert_eq!(account.announcements(), []);
    account.answer(Command::Tidy, &Context::new(&name(), &brief, at(50_000)));
    let until = at(100_000).later(REVOCATION_MARGIN);
    assert_eq!(account.announcements(), [Entry { mark: RevocationKey::session(&session), before: None, until }]);
    // A session that was idle for longer than its tokens live has no valid token.
    let mut account = Account::default();
    account.answer(open.clone(), &Context::new(&name(), &lifetimes(), at(0)));
    account.answer(Command::Tidy, &Context::new(&name(), &lifetimes(), at(1_000_000)));
    assert_eq!(account.announcements(), []);
    // Nor has one whose tokens expire in this moment.
    let idle = lifetimes().token.plus(REVOCATION_MARGIN);
    let as_long = Lifetimes { idle, ..lifetimes() };
    let mut account = Account::default();
    account.answer(open, &Context::new(&name(), &as_long, at(0)));
    account.answer(Command::Tidy, &Context::new(&name(), &as_long, at(idle.as_millis())));
    assert_eq!((account.announcements(), account.summaries().len()), (&[][..], 0));
}

#[test]
fn a_refresh_token_that_was_revoked_is_good_for_nothing_while_its_session_lasts() {
    let mut account = Stored::default();
    let session = account.open(0, Some("a"), at(0)).unwrap();
    account.ask(Command::Revoke { token_id: "a".into(), life: None }, at(1));
    assert_eq!(account.rotate(&session, "a", "b", at(2)), Err(ENDED));
    assert_eq!(account.rotate(&session, "a", "b", at(999_999)), Err(ENDED), "longer than an access token lives");
    assert_eq!(account.check(&session, at(999_999)), Reply::Alive);
}

#[test]
fn an_end_of_all_hits_what_began_by_a_clock_that_was_ahead() {
    let mut account = Stored::default();
    let one = account.open(0, Some("a"), at(300)).unwrap();
    account.ask(Command::EndAll { retire_password: false, version: None, forget_attributes: false }, at(100));
    let [entry] = account.announced[..] else { panic!("one entry") };
    assert_eq!(entry.before, one.began());
    let two = account.open(0, Some("b"), at(101)).unwrap();
    assert!(two.began() > one.began());
}

#[test]
fn an_end_of_all_hits_what_began_by_then_and_nothing_later() {
    let mut account = Stored::default();
    let one = account.open(0, Some("a"), at(0)).unwrap();
    account.ask(Command::EndAll { retire_password: false, version: None, forget_attributes: false }, at(0));
    // In the same millisecond, and with a clock that was set back.
    for now in [at(0), at(-5)] {
        let two = account.open(0, Some("b"), now).unwrap();
        assert_eq!((account.check(&one, now), account.check(&two, now)), (ENDED, Reply::Alive));
        let [entry] = account.announced[..] else { panic!("one entry") };
        assert_eq!((entry.mark, entry.before), (RevocationKey::user(&name()), Some(at(0))));
        assert!(one.began().unwrap() <= at(0) && two.began().unwrap() > at(0));
    }
    let without_session = |began| Command::Check {
        session: None,
        token_id: None,
        began,
        is_use: false,
        claims_version: None,
        attributes: None,
    };
    assert_eq!(account.ask(without_session(at(0)), at(9)), ENDED);
    assert_eq!(account.ask(without_session(at(1)), at(9)), Reply::Alive);
}

#[test]
fn a_password_of_before_opens_nothing() {
    let mut account = Stored::default();
    let before = account.open(0, Some("a"), at(0)).unwrap();
    let set = |proven| Command::SetPassword {
        proven: Timestamp::from_millis(proven),
        key: "login:user1".into(),
        record: json!({"v": 1, "id": 1, "hash": "new"}).as_object().unwrap().clone(),
    };
    let Reply::Changed { version } = account.ask(set(0), at(10)) else { panic!("changed") };
    assert_eq!(version, at(10));
    assert_eq!(account.check(&before, at(11)), ENDED);
    assert_eq!(account.open(0, None, at(11)), Err(Reply::Stale), "by a record out of a far cache");
    assert!(account.open(version.as_millis(), None, at(11)).is_ok());
    assert_eq!(account.ask(set(0), at(12)), Reply::Stale, "two changes at once: one of them");
    assert!(account.open(at(20).as_millis(), None, at(21)).is_ok(), "an operator has changed it");
    assert_eq!(account.open(version.as_millis(), None, at(22)), Err(Reply::Stale));
    // An operator has changed the record, and reports its version before anybody logs in with it.
    account.ask(Command::EndAll { retire_password: false, version: Some(at(25)), forget_attributes: false }, at(29));
    assert_eq!(account.open(at(20).as_millis(), None, at(29)), Err(Reply::Stale));
    assert!(account.open(at(25).as_millis(), None, at(29)).is_ok());
    account.ask(Command::EndAll { retire_password: false, version: Some(at(3)), forget_attributes: false }, at(29));
    assert!(account.open(at(25).as_millis(), None, at(29)).is_ok(), "an old word takes nothing back");
    account.ask(Command::EndAll { retire_password: true, version: None, forget_attributes: false }, at(30));
    assert_eq!(account.open(at(20).as_millis(), None, at(31)), Err(Reply::Stale), "disabled");
}

#[test]
fn a_record_that_was_changed_elsewhere_ends_what_began_before() {
    // The first change that the object hears of, and a later one.
    for version in [0, 10] {
        let mut account = Stored::default();
        let before = account.open(version, Some("a"), at(0)).unwrap();
        let now = account.open(20, None, at(1)).unwrap();
        assert_eq!((account.check(&before, at(2)), account.check(&now, at(2))), (ENDED, Reply::Alive), "{version}");
    }
    // Without an open session: its tokens may be good for longer.
    let mut account = Stored::default();
    let ended = account.open(10, None, at(0)).unwrap();
    account.ask(Command::End { session: ended }, at(1));
    account.open(20, None, at(2)).unwrap();
    assert_eq!(account.announced.last().unwrap().mark, RevocationKey::user(&name()));
    // A new account has nothing to end.
    let mut account = Stored::default();
    account.open(20, None, at(0)).unwrap();
    assert_eq!(account.announced, []);
}

#[test]
fn a_report_of_the_present_version_drops_no_record_on_its_way() {
    let mut account = Stored::default();
    let set = Command::SetPassword { proven: Timestamp::from_millis(0), key: "k".into(), record: Map::new() };
    let Reply::Changed { version } = account.ask(set, at(0)) else { panic!("changed") };
    account.ask(Command::EndAll { retire_password: false, version: Some(version), forget_attributes: false }, at(1));
    assert!(Account::read(&account.rows).unwrap().record().is_some());
}

#[test]
fn the_record_waits_until_the_store_has_it_and_no_rehash_undoes_a_change() {
    let mut account = Stored::default();
    let record = json!({"v": 1, "id": 1, "hash": "new"}).as_object().unwrap().clone();
    let zero = Timestamp::from_millis(0);
    let rehash = |proven| Command::Rehash { proven, key: "k".into(), record: record.clone() };
    let read = |account: &Stored| Account::read(&account.rows).unwrap().record().cloned();
    account.ask(Command::SetPassword { proven: zero, key: "k".into(), record: record.clone() }, at(0));
    let pending = read(&account).unwrap();
    assert_eq!(pending.text, format!(r#"{{"v":1,"id":1,"hash":"new","version":{}}}"#, at(0).as_millis()));
    assert_eq!(account.ask(rehash(zero), at(1)), Reply::Stale);
    assert_eq!(account.ask(rehash(at(0)), at(1)), Reply::Stale, "the change is on its way");
    let other = Some(Pending { key: "k".into(), text: "{}".into() });
    account.ask(Command::Delivered { revocations: vec![], record: other }, at(2));
    assert_eq!(read(&account), Some(pending.clone()), "something else was delivered");
    account.ask(Command::Delivered { revocations: vec![], record: Some(pending) }, at(2));
    assert_eq!(read(&account), None);
    assert_eq!(account.ask(rehash(at(0)), at(3)), Reply::Done);
}

#[test]
fn one_more_session_than_there_may_be_ends_the_one_unused_longest() {
    let mut account = Stored::default();
    let sessions: Vec<SessionId> =
        (0..=MAX_SESSIONS as i64).map(|n| account.open(0, Some(&n.to_string()), at(n)).unwrap()).collect();
    assert_eq!(account.check(&sessions[0], at(200)), ENDED);
    assert_eq!(account.check(&sessions[1], at(200)), Reply::Alive);
    let Reply::Sessions { sessions: told } = account.ask(Command::List, at(200)) else { panic!("sessions") };
    assert_eq!(told.len(), MAX_SESSIONS);
    assert_eq!((told[0].id.as_str(), told[0].country.as_str()), (sessions[MAX_SESSIONS].as_str(), "CH"));
}

fn try_as(account: &mut Stored, devices: &[DeviceId], now: Timestamp) -> Reply {
    account.ask(Command::Attempt { devices: devices.to_vec() }, now)
}

/// A failed attempt.
fn guess(account: &mut Stored, devices: &[DeviceId], now: Timestamp) -> Reply {
    let reply = try_as(account, devices, now);
    if let Reply::Allowed { bucket } = &reply {
        account.ask(Command::Wrong { bucket: bucket.clone() }, now);
    }
    reply
}

#[test]
fn strangers_wait_longer_and_longer_and_never_get_more_than_is_said() {
    let most = MOST_GUESSES_A_DAY as usize;
    // One after another; as many at once as allowed; and at once again whenever enough failures are forgiven.
    for (at_once, rest) in [(1, 0), (50, 0), (50, 3 * 3600), (50, 5 * 3600), (3, 900)] {
        let mut account = Stored::default();
        let (mut now, mut made, mut waits) = (at(0), Vec::new(), Vec::new());
        while now < at(3 * 86_400_000) {
            let replies: Vec<Reply> = (0..at_once).map(|_| try_as(&mut account, &[], now)).collect();
            let buckets: Vec<Bucket> = replies
                .iter()
                .filter_map(|reply| if let Reply::Allowed { bucket } = reply { Some(bucket.clone()) } else { None })
                .collect();
            made.extend(buckets.iter().map(|_| now));
            buckets.into_iter().for_each(|bucket| drop(account.ask(Command::Wrong { bucket }, now)));
            match replies.last() {
                Some(Reply::Wait { seconds }) => {
                    waits.push(*seconds);
                    now = now.later(Duration::seconds((*seconds).max(rest) as i32));
                }
                _ => now = now.later(Duration::seconds(0)),
            }
        }
        if at_once == 1 {
            assert_eq!(waits[..11], [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900]);
        }
        for (first, &from) in made.iter().enumerate() {
            let day = made[first..].iter().filter(|time| **time < from.later(Duration::seconds(86_400))).count();
            assert!(day <= most, "{day} in a day, {at_once} at once, after {rest} s of rest");
        }
    }
}

#[test]
fn many_right_ones_at_once_only_wait_a_moment() {
    let mut account = Stored::default();
    let (mut under_way, mut done, mut busy) = (Vec::new(), 0, 0);
    while done < 200 {
        match try_as(&mut account, &[], at(done)) {
            Reply::Allowed { bucket } => under_way.push(bucket),
            Reply::Busy => {
                busy += 1;
                let bucket = under_way.pop().unwrap();
                account.ask(Command::Right { bucket, devices: vec![], record: String::new() }, at(done));
                done += 1;
            }
            other => panic!("{other:?}"),
        }
        assert!(under_way.len() <= 20);
    }
    assert!(busy > 0);
}

#[test]
fn a_try_of_which_nothing_is_heard_was_wrong() {
    let mut account = Stored::default();
    while let Reply::Allowed { .. } = try_as(&mut account, &[], at(0)) {}
    assert_eq!(try_as(&mut account, &[], at(29_999)), Reply::Busy);
    assert_eq!(try_as(&mut account, &[], at(30_000)), Reply::Wait { seconds: 870 });
    // An outcome that arrives after the attempt was given up does not count again.
    account.ask(Command::Wrong { bucket: Bucket::Strangers }, at(30_000));
    assert_eq!(try_as(&mut account, &[], at(900_000)), Reply::Allowed { bucket: Bucket::Strangers });
}

#[test]
fn a_device_that_logged_in_before_does_not_wait_for_strangers() {
    let mut account = Stored::default();
    let own = DeviceId::Cookie("own".into());
    assert_eq!(try_as(&mut account, std::slice::from_ref(&own), at(0)), Reply::Allowed { bucket: Bucket::Strangers });
    account.ask(Command::Right { bucket: Bucket::Strangers, devices: vec![own.clone()], record: String::new() }, at(1));
    while guess(&mut account, &[], at(2)) == (Reply::Allowed { bucket: Bucket::Strangers }) {}
    assert_eq!(guess(&mut account, &[DeviceId::Cookie("other".into())], at(3)), Reply::Wait { seconds: 1 });
    let bucket = Bucket::Device(own.clone());
    assert_eq!(try_as(&mut account, std::slice::from_ref(&own), at(3)), Reply::Allowed { bucket: bucket.clone() });
    account.ask(Command::Right { bucket: bucket.clone(), devices: vec![], record: String::new() }, at(4));
    // The owner's log-ins give strangers no more attempts.
    assert_eq!(guess(&mut account, &[], at(5)), Reply::Wait { seconds: 1 });
    // A stolen cookie allows no more attempts than strangers have.
    let is_go = |reply| matches!(reply, Reply::Allowed { .. });
    let tries = (0..100).filter(|_| is_go(guess(&mut account, std::slice::from_ref(&own), at(6)))).count();
    assert_eq!(tries, 5);
}

#[test]
fn a_browser_without_attempts_left_has_a_strangers_and_an_address_has_not() {
    for (device, then) in [
        (DeviceId::Cookie("own".into()), Reply::Allowed { bucket: Bucket::Strangers }),
        (DeviceId::Address("own".into()), Reply::Wait { seconds: 1 }),
    ] {
        let mut account = Stored::default();
        let devices = std::slice::from_ref(&device);
        assert_eq!(try_as(&mut account, devices, at(0)), Reply::Allowed { bucket: Bucket::Strangers });
        let right = Command::Right { bucket: Bucket::Strangers, devices: devices.to_vec(), record: String::new() };
        account.ask(right, at(1));
        let own = Reply::Allowed { bucket: Bucket::Device(device.clone()) };
        let replies: Vec<Reply> = (0..6).map(|_| guess(&mut account, devices, at(2))).collect();
        assert!(replies[..5].iter().all(|reply| *reply == own), "{replies:?}");
        assert_eq!(replies[5], then);
    }
}

#[test]
fn clients_that_keep_no_cookie_push_out_no_browser() {
    let mut account = Stored::default();
    let browser = DeviceId::Cookie("browser".into());
    let login = |account: &mut Stored, shown: &[DeviceId], new: &str, now| {
        let Reply::Allowed { bucket } = try_as(account, shown, now) else { panic!("go") };
        account.ask(
            Command::Right {
                bucket: bucket.clone(),
                devices: vec![DeviceId::Cookie(new.into())],
                record: String::new(),
            },
            now,
        );
        bucket
    };
    login(&mut account, &[], "browser", at(0));
    login(&mut account, std::slice::from_ref(&browser), "browser", at(1));
    for n in 0..100 {
        login(&mut account, &[], &n.to_string(), at(2 + n));
    }
    assert_eq!(
        login(&mut account, std::slice::from_ref(&browser), "browser", at(200)),
        Bucket::Device(browser.clone())
    );
    let latest = DeviceId::Cookie("99".into());
    assert_eq!(login(&mut account, std::slice::from_ref(&latest), "99", at(201)), Bucket::Device(latest));
}

#[test]
fn a_name_that_nobody_has_leaves_nothing_behind() {
    let mut account = Stored::default();
    for _ in 0..50 {
        try_as(&mut account, &[], at(0));
    }
    let wake = Account::read(&account.rows).unwrap().next_tidy(&Context::new(&name(), &lifetimes(), at(0))).unwrap();
    assert!(wake > at(0) && wake <= at(86_400_000));
    account.ask(Command::Tidy, wake);
    assert_eq!(account.rows, Rows::new());
}

#[test]
fn a_row_that_cannot_be_read_stops_everything() {
    for (key, value) in [("account", "{}"), ("session/x", "[]"), ("other", "{}"), ("guesses", "x")] {
        let rows = Rows::from([(key.to_owned(), value.to_owned())]);
        assert_eq!(Account::read(&rows), Err(Unreadable), "{key}");
    }
}

#[test]
fn a_command_that_comes_again_is_done_once_and_gets_the_same_reply() {
    let zero = Timestamp::from_millis(0);
    let open = || Command::Open {
        version: zero,
        entropy: "x".into(),
        refresh: Some(link("a", at(0))),
        user_agent: String::new(),
        country: String::new(),
        attributes: None,
    };
    let mut account = Stored::default();
    let opened = account.ask_as("1", open(), at(0));
    let Reply::Opened { session, .. } = &opened else { panic!("opened") };
    let number = |account: &mut Stored| match account.ask(Command::List, at(1)) {
        Reply::Sessions { sessions } => sessions.len(),
        other => panic!("{other:?}"),
    };
    assert_eq!((account.ask_as("1", open(), at(500)), number(&mut account)), (opened.clone(), 1));
    assert_ne!(account.ask_as("2", open(), at(501)), opened, "another command");
    let rotate = |to: &str| Command::Rotate {
        session: session.clone(),
        token_id: "a".into(),
        successor: link(to, at(600)),
        attributes: None,
    };
    let rotated = account.ask_as("3", rotate("b"), at(600));
    // Long after the grace.
    assert_eq!(account.ask_as("3", rotate("c"), at(100_000)), rotated);
    assert_eq!(account.check(session, at(100_001)), Reply::Alive);
    let set = || Command::SetPassword { proven: zero, key: "k".into(), record: Map::new() };
    let changed = account.ask_as("4", set(), at(100_002));
    assert!(matches!(changed, Reply::Changed { .. }));
    assert_eq!(account.ask_as("4", set(), at(100_003)), changed);
    assert_eq!(account.ask_as("5", set(), at(100_004)), Reply::Stale);
    // Each attempt counts once, and so does its outcome.
    let mut name = Stored::default();
    for guess in 0..5 {
        for _ in 0..3 {
            assert_eq!(
                name.ask_as(&format!("try {guess}"), Command::Attempt { devices: vec![] }, at(0)),
                Reply::Allowed { bucket: Bucket::Strangers }
            );
        }
        for _ in 0..3 {
            assert_eq!(
                name.ask_as(&format!("wrong {guess}"), Command::Wrong { bucket: Bucket::Strangers }, at(0)),
                Reply::Done
            );
        }
    }
    assert_eq!(try_as(&mut name, &[], at(0)), Reply::Wait { seconds: 1 });
    // An end that the log may not have yet is promised again.
    let mut account = Stored::default();
    let session = account.open(0, None, at(0)).unwrap();
    account.ask_as("1", Command::End { session: session.clone() }, at(1));
    let again = object::step(
        &account.rows,
        Some("1"),
        Command::End { session },
        &Context::new(&"user:1".into(), &lifetimes(), at(2)),
    )
    .unwrap();
    assert_eq!((again.reply, again.promises_an_end), (Reply::Done, true));
}

#[test]
fn a_kept_reply_answers_no_other_command_of_the_same_request() {
    let mut name = Stored::default();
    let bucket = Bucket::Strangers;
    assert_eq!(
        name.ask_as("1", Command::Attempt { devices: vec![] }, at(0)),
        Reply::Allowed { bucket: bucket.clone() }
    );
    assert_eq!(name.ask_as("1", Command::Wrong { bucket }, at(1)), Reply::Done);
}

#[test]
fn a_refused_command_may_be_repeated() {
    let mut name = Stored::default();
    while let Reply::Allowed { .. } = guess(&mut name, &[], at(0)) {}
    let attempt = || Command::Attempt { devices: vec![] };
    let rows = name.rows.clone();
    assert_eq!(name.ask_as("1", attempt(), at(1)), Reply::Wait { seconds: 1 });
    assert_eq!(name.rows, rows, "nothing is written for it");
    assert_eq!(name.ask_as("1", attempt(), at(1001)), Reply::Allowed { bucket: Bucket::Strangers });
}

#[test]
fn an_object_is_left_to_tell_while_log_or_store_lacks_something() {
    let step = |account: &mut Stored, command: Command| {
        let step = object::step(&account.rows, None, command.clone(), &Context::new(&name(), &lifetimes(), at(1)));
        account.ask(command, at(1));
        step.unwrap()
    };
    let mut account = Stored::default();
    let session = account.open(0, None, at(0)).unwrap();
    assert!(!step(&mut account, Command::List).is_left_to_tell());
    let ended = step(&mut account, Command::End { session });
    assert!(ended.is_left_to_tell(), "a revocation");
    let rehash = Command::Rehash { proven: Timestamp::from_millis(0), key: "k".into(), record: Map::new() };
    let rehashed = step(&mut account, rehash);
    let delivered = Command::Delivered { revocations: rehashed.announcements, record: None };
    assert!(step(&mut account, delivered).is_left_to_tell(), "a record");
    let delivered = Command::Delivered { revocations: vec![], record: rehashed.record };
    assert!(!step(&mut account, delivered).is_left_to_tell());
}

#[test]
fn an_address_is_asked_once_for_each_command() {
    let mut address = Stored::default();
    let rows = address.rows.clone();
    assert_eq!(address.ask_as("first", Command::CheckAddress, at(0)), Reply::Done);
    assert_eq!(address.rows, rows, "what changes nothing is not written");
    (0..50).for_each(|n| drop(address.ask_as(&n.to_string(), Command::AddressFailed, at(n))));
    for (id, reply) in [("a", Reply::Done), ("a", Reply::Done), ("b", Reply::Wait { seconds: 1 })] {
        assert_eq!(address.ask_as(id, Command::CheckAddress, at(5000)), reply, "{id}");
    }
}

#[test]
fn no_token_without_an_end_comes_back_when_there_are_too_many() {
    let mut account = Stored::default();
    let revoke = |id: &str, life| Command::Revoke { token_id: id.into(), life: Some(life) };
    let check = |id: &str, began| Command::Check {
        session: None,
        token_id: Some(id.into()),
        began,
        is_use: false,
        claims_version: None,
        attributes: None,
    };
    (0..1000).for_each(|n| drop(account.ask(revoke(&format!("m{n:04}"), TokenLife::Endless), at(n))));
    // A token with `exp` is in the log, and takes the place of none.
    account.ask(revoke("short", TokenLife::Until(at(60_000))), at(2000));
    for id in ["m0000", "m0999"] {
        assert_eq!(account.ask(check(id, at(1)), at(2001)), Reply::Ended { reused: false }, "{id}");
    }
    assert_eq!(account.ask(check("other", at(1)), at(2002)), Reply::Alive);
    // One more, and every token that was issued until then is revoked.
    account.ask(revoke("a-newest", TokenLife::Endless), at(3000));
    for id in ["m0000", "m0999", "a-newest", "other"] {
        assert_eq!(account.ask(check(id, at(1)), at(100_000_000)), Reply::Ended { reused: false }, "{id}");
    }
    assert_eq!(account.ask(check("later", at(3001)), at(100_000_000)), Reply::Alive);
    // An entry for a token that expires is dropped first.
    let mut account = Stored::default();
    account.ask(revoke("short", TokenLife::Until(at(9_000_000))), at(0));
    (0..1000).for_each(|n| drop(account.ask(revoke(&format!("m{n:04}"), TokenLife::Endless), at(n))));
    assert_eq!(account.ask(check("other", at(1)), at(2002)), Reply::Alive, "nothing else has ended");
}

#[test]
fn past_replies_are_few_and_pass_away() {
    let mut account = Stored::default();
    for n in 0..1000 {
        account.ask_as(&n.to_string(), Command::AddressFailed, at(n));
        account.ask_as(&format!("read {n}"), Command::List, at(n));
    }
    assert_eq!(Account::read(&account.rows).unwrap().replies.len(), MAX_REPLIES);
    assert!(account.rows[REPLIES].len() < 8000, "{}", account.rows[REPLIES].len());
    // Two minutes later none is left. The alarm is set for that only if nothing else expires.
    let mut account = Stored::default();
    account.ask_as("1", Command::Attempt { devices: vec![] }, at(0));
    account.ask_as("2", Command::Untried { bucket: Bucket::Strangers }, at(1));
    let wake = Account::read(&account.rows).unwrap().next_tidy(&Context::new(&name(), &lifetimes(), at(0))).unwrap();
    account.ask(Command::Tidy, std::cmp::max(wake, at(120_001)));
    assert!(!account.rows.contains_key(REPLIES), "{:?}", account.rows);
}

#[test]
fn an_object_that_only_keeps_a_reply_is_woken_once_for_it() {
    let mut account = Stored::default();
    let session = account.open(0, None, at(0)).unwrap();
    account.ask_as("1", Command::End { session }, at(1));
    let wake =
        |account: &Stored| Account::read(&account.rows).unwrap().next_tidy(&Context::new(&name(), &lifetimes(), at(1)));
    let due = wake(&account).unwrap();
    assert_eq!(due, at(120_001));
    account.ask(Command::Tidy, due);
    assert_eq!(wake(&account), None);
}

#[test]
fn an_object_is_woken_for_a_revoked_token_only_if_it_is_dropped_then() {
    let mut account = Stored::default();
    let wake =
        |account: &Stored| Account::read(&account.rows).unwrap().next_tidy(&Context::new(&name(), &lifetimes(), at(0)));
    account.ask(Command::Revoke { token_id: "endless".into(), life: Some(TokenLife::Endless) }, at(0));
    assert_eq!(wake(&account), None);
    account.ask(Command::Revoke { token_id: "brief".into(), life: Some(TokenLife::Until(at(60_000))) }, at(0));
    let due = at(60_000).later(REVOCATION_MARGIN);
    assert_eq!(wake(&account), Some(due));
    account.ask(Command::Tidy, due);
    assert_eq!(wake(&account), None);
}

#[test]
fn an_address_has_so_many_failures_in_any_day() {
    // One at a time, or as many at once as the limiter of attempts allows in a minute; as soon as allowed, and after
    // each pause.
    for (at_once, rest) in [(1, 0), (1, 60), (1, 600), (1, 20_000), (120, 0), (120, 60), (120, 3600), (120, 8 * 3600)] {
        let (mut address, mut now, mut made) = (LoginThrottle::default(), at(0), Vec::new());
        while now < at(3 * 86_400_000) {
            let allowed = (0..at_once).take_while(|_| address.check_address(now).is_ok()).count();
            (0..allowed).for_each(|_| address.record_address_failure(now));
            made.extend(std::iter::repeat_n(now, allowed));
            match address.check_address(now) {
                Ok(()) => {}
                Err(Wait::Seconds(seconds)) => {
                    assert!(seconds <= LONGEST_BY_ADDRESS);
                    now = now.later(Duration::seconds((seconds as i32).max(rest)));
                }
                Err(Wait::Busy) => panic!("busy"),
            }
        }
        let most = MOST_FAILURES_A_DAY_BY_ADDRESS as usize + at_once - 1;
        for (first, &from) in made.iter().enumerate() {
            let day = made[first..].iter().filter(|time| **time < from.later(Duration::seconds(86_400))).count();
            assert!(day <= most, "{day} in a day, {at_once} at once, after {rest} s of rest");
        }
    }
}

#[test]
fn at_an_address_that_is_known_as_many_are_free_as_elsewhere() {
    let record = RecordId::of_name("ann");
    let (home, own) = (DeviceId::address(&record, "192.0.2.1"), DeviceId::cookie(&record, "own"));
    let mut account = Stored::default();
    try_as(&mut account, &[], at(0));
    account.ask(
        Command::Right { bucket: Bucket::Strangers, devices: vec![home.clone(), own.clone()], record: String::new() },
        at(1),
    );
    let number = |account: &mut Stored, shown: &[DeviceId]| {
        (0..300).take_while(|_| matches!(guess(account, shown, at(2)), Reply::Allowed { .. })).count()
    };
    assert_eq!(number(&mut account, std::slice::from_ref(&home)), 5);
    // Neither the owner's cookie nor strangers elsewhere are affected.
    assert_eq!(
        try_as(&mut account, &[own.clone(), home.clone()], at(3)),
        Reply::Allowed { bucket: Bucket::Device(own.clone()) }
    );
    account
        .ask(Command::Right { bucket: Bucket::Device(own), devices: vec![home.clone()], record: String::new() }, at(4));
    assert_eq!(number(&mut account, std::slice::from_ref(&home)), 0, "the owner's log-in forgives nothing there");
    assert_eq!(number(&mut account, &[]), 5);
    assert_ne!(DeviceId::cookie(&record, "own"), DeviceId::cookie(&RecordId::of_name("ANN"), "own"));
    assert_ne!(home, DeviceId::address(&RecordId::of_name("ANN"), "192.0.2.1"));
}

#[test]
fn in_the_long_run_a_name_is_guessed_at_96_times_a_day() {
    let (mut account, mut now, mut made) = (Stored::default(), at(0), Vec::new());
    while now < at(20 * 86_400_000) {
        match guess(&mut account, &[], now) {
            Reply::Allowed { .. } => made.push(now),
            Reply::Wait { seconds } => now = now.later(Duration::seconds(seconds as i32)),
            other => panic!("{other:?}"),
        }
    }
    let later = made.iter().filter(|time| **time >= at(10 * 86_400_000)).count();
    assert!((950..=960).contains(&later), "{later} in ten days");
}

#[test]
fn the_documents_and_the_stock_configuration_say_these_numbers() {
    let file = |name: &str| std::fs::read_to_string(format!("{}/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let in_one_line = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (sessions, security) = (in_one_line(file("docs/sessions.md")), in_one_line(file("SECURITY.md")));
    let days = crate::rules::device::KNOWN_FOR.as_millis() / 86_400_000;
    assert_eq!((MOST_GUESSES_A_DAY, MOST_FAILURES_A_DAY_BY_ADDRESS, days), (121, 1496, 90));
    assert_eq!((FREE_FAILURES_BY_ADDRESS, LONGEST_BY_ADDRESS), (50, 60));
    for said in [
        "`LOGINS_BY_ADDRESS`, 120 a minute",
        "a class of 35 logs in",
        "50 are free, then each waits twice as long",
        "at most 1,496 in any day",
        "Five wrong tries are free and twenty may be under way at once",
        "at most 121 guesses at a name in any day",
        "in the long run 96 a day",
        "`HASHING`, 6,000 a minute",
        "90 days, up to four users of one browser",
        "for each of the last four addresses",
    ] {
        assert!(sessions.contains(said), "docs/sessions.md: {said}");
    }
    for said in [
        "by name (121 a day",
        "121 tries a day more, for each of the last four addresses",
        "25 in a row without a wait, 121 a day at most",
    ] {
        assert!(security.contains(said), "SECURITY.md: {said}");
    }
    let stock = in_one_line(file("wrangler.toml"));
    for said in [
        r#"name = "LOGINS_BY_ADDRESS" namespace_id = "1001" simple = { limit = 120, period = 60 }"#,
        r#"name = "HASHING" namespace_id = "1002" simple = { limit = 6000, period = 60 }"#,
    ] {
        assert!(stock.contains(said), "wrangler.toml: {said}");
    }
}

#[test]
fn so_many_devices_are_known() {
    let record = RecordId::of_name("ann");
    let mut account = Stored::default();
    for n in 0..6 {
        try_as(&mut account, &[], at(n));
        let devices = vec![DeviceId::address(&record, &n.to_string())];
        account.ask(Command::Right { bucket: Bucket::Strangers, devices, record: String::new() }, at(n));
    }
    let mut is_known = |n: i32| match try_as(&mut account, &[DeviceId::address(&record, &n.to_string())], at(100)) {
        Reply::Allowed { bucket } => bucket != Bucket::Strangers,
        other => panic!("{other:?}"),
    };
    assert_eq!([0, 1, 2, 3, 4, 5].map(&mut is_known), [false, false, true, true, true, true]);
}

#[test]
fn a_name_that_differs_in_capitals_pushes_out_no_device() {
    let (ann, twin) = (RecordId::of_name("ann"), RecordId::of_name("ANN"));
    let login = |account: &mut Stored, record: &RecordId, device: DeviceId, now| {
        let Reply::Allowed { bucket } = try_as(account, std::slice::from_ref(&device), now) else { panic!("go") };
        let (devices, record) = (vec![device], record.as_str().to_owned());
        account.ask(Command::Right { bucket: bucket.clone(), devices, record }, now);
        bucket
    };
    let mut account = Stored::default();
    let (own, home) = (DeviceId::cookie(&ann, "own"), DeviceId::address(&ann, "home"));
    for device in [&own, &own, &home] {
        login(&mut account, &ann, device.clone(), at(0));
    }
    for n in 0..40 {
        for _ in 0..2 {
            login(&mut account, &twin, DeviceId::cookie(&twin, &n.to_string()), at(1 + i64::from(n)));
        }
        login(&mut account, &twin, DeviceId::address(&twin, &n.to_string()), at(1 + i64::from(n)));
    }
    for device in [own, home] {
        assert_eq!(login(&mut account, &ann, device.clone(), at(100)), Bucket::Device(device));
    }
    // All records together have a limit too; the record with most devices loses one.
    for n in 0..100 {
        let record = RecordId::of_name(&format!("record {n}"));
        login(&mut account, &record, DeviceId::cookie(&record, "x"), at(200));
    }
    let known = Account::read(&account.rows).unwrap();
    assert!(format!("{:?}", known.login_throttle).matches("has_returned").count() <= 64);
}
