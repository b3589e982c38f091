//! Pins the spelling of stored data and of messages between versions of the worker: names change in Rust only.
//!
//! `tests/pinned/written-by-fa6c1fe.json` was written by the code of commit fa6c1fe: KV records, object names, the
//! orders, replies and rows of an account's object, and the rows and messages of the revocation log. The current
//! version must read all of it, and must write KV records, object names and entries of the revocation log with the same
//! bytes. `tests/pinned/names-of-fa6c1fe.json` has the names in its log.

use serde_json::{Value, json};
use tollgate::rules::{
    account::{Account, Command, Context, Lifetimes, Reply, Rows, object},
    config::FlaskJwtExtended,
    cookie::{self, Jar},
    device::{self, DeviceKey, RecordId},
    identity::Id,
    ids::{ObjectName, SessionId, sha256_base64url},
    password::{self, Hashing},
    revocation::{self, Ask, Delta, Entry, RevocationKey, RevocationLog},
    secret::Secret,
    store::{self, LoginRecord, Profile},
    time::{Duration, Timestamp},
    token::TokenType,
};

fn pinned() -> Value {
    serde_json::from_str(include_str!("pinned/written-by-fa6c1fe.json")).expect("JSON")
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000 + millis)
}

const LIFETIMES: Lifetimes = Lifetimes {
    grace: Duration::seconds(10),
    idle: Duration::seconds(1000),
    session: Duration::seconds(5000),
    token: Duration::seconds(100),
};

#[test]
fn kv_records_and_their_keys_are_written_alike() {
    let pinned = &pinned()["kv"];
    let salt = [7; password::SALT_BYTES];
    let hash = password::hash(&Secret::new("abcxyz".to_owned()), &Hashing::new(100_000), salt);
    for (name, id, user) in [("number", Id::Int(7), "us\u{e9}r"), ("text", Id::Text("7".into()), "user name")] {
        let written: Vec<Value> =
            store::writes_for(&id, user, &hash).into_iter().map(|(key, value)| [key, value].to_vec().into()).collect();
        assert_eq!(Value::from(written), pinned[name], "{name}");
        let record = |at: usize| pinned[name][at][1].as_str().expect("a text").as_bytes();
        let profile = Profile::read(record(0)).expect("a profile");
        assert!(profile.identity(&id).is_some());
        let login = LoginRecord::read(record(1)).expect("a log-in record");
        assert_eq!((login.id(), login.version()), (id, Timestamp::from_millis(0)));
    }
    let long = "n".repeat(600);
    assert_eq!(LoginRecord::key(&long), pinned["long_name_key"]);
    assert_eq!(Profile::key(&Id::Text(long)), pinned["long_id_key"]);
}

/// Operators alert on these names: one that is removed or changes its meaning needs a note in CHANGELOG.md.
#[test]
fn codes_of_refusals_and_events_of_the_log_keep_their_names() {
    let pinned: Value = serde_json::from_str(include_str!("pinned/names-of-fa6c1fe.json")).expect("JSON");
    // Written from the code, and compared with it by the tests of the package that writes it.
    let page = include_str!("../docs/errors.md");
    let names = |kind: &str| -> Vec<String> { serde_json::from_value(pinned[kind].clone()).expect("texts") };
    let rows = [names("codes"), names("events")].concat();
    let gone: Vec<&String> = rows.iter().filter(|name| !page.contains(&format!("\n| `{name}` | "))).collect();
    assert_eq!(gone, Vec::<&String>::new());
    let row = page.lines().find(|line| line.starts_with("| `record_unusable` ")).expect("its row");
    assert!(names("record_unusable").iter().all(|reason| row.contains(&format!("`{reason}`"))), "{row}");
}

#[test]
fn objects_have_their_names() {
    let pinned = &pinned()["object_names"];
    for (name, today) in [
        ("name", ObjectName::of_login_name(" Ann ").to_string()),
        ("account_number", ObjectName::of_account(&Id::Int(7), false).to_string()),
        ("account_text", ObjectName::of_account(&Id::Text("7".into()), false).to_string()),
        ("account_any", ObjectName::of_account(&Id::Int(7), true).to_string()),
        ("everybody", ObjectName::everybody().to_string()),
        ("register", revocation::OBJECT.to_owned()),
        ("hash", sha256_base64url("192.0.2.7")),
        ("session_id", SessionId::new(at(0), "entropy").to_string()),
    ] {
        assert_eq!(pinned[name], today, "{name}");
    }
    assert_eq!(pinned["bindings"], serde_json::json!([object::BINDING, revocation::BINDING]));
}

/// The current version reads the rows of an object of fa6c1fe, and understands each message that it was sent.
#[test]
fn an_account_of_before_is_read_and_its_messages_are_understood() {
    let pinned = &pinned()["account"];
    let read = |name: &str| -> Rows { serde_json::from_value(pinned[name].clone()).expect("rows") };
    let (with_record, at_the_end) = (read("rows"), read("rows_at_the_end"));
    for (rows, keys) in [(&with_record, &["account", "guesses", "record", "session/"][..]), (&at_the_end, &["account"])]
    {
        let account = Account::read(rows).expect("readable");
        for key in keys {
            assert!(rows.keys().any(|known| known.starts_with(key)), "{key}");
            assert!(account.rows().keys().any(|known| known.starts_with(key)), "{key} is written on");
        }
    }
    // Pending revocations are delivered.
    let step = object::step(&with_record, None, Command::Tidy, &Context::new(&"user:1".into(), &LIFETIMES, at(900)))
        .expect("readable");
    assert_eq!(step.record.map(|record| record.key).as_deref(), Some("login:ann"));
    assert_eq!(step.announcements.len(), 2, "a session and a token");
    // Each message gets the same reply as then.
    let mut rows = Rows::new();
    for entry in pinned["history"].as_array().expect("a list") {
        let command: Command = serde_json::from_value(entry["command"].clone()).expect("a command");
        let now = Timestamp::from_millis(entry["now"].as_i64().expect("a time"));
        let step =
            object::step(&rows, None, command, &Context::new(&"user:1".into(), &LIFETIMES, now)).expect("readable");
        let reply: Reply = serde_json::from_value(entry["reply"].clone()).expect("a reply");
        assert_eq!(step.reply, reply, "{entry}");
        assert_eq!(serde_json::to_value(&step.reply).expect("JSON"), entry["reply"]);
        assert_eq!(serde_json::to_value(&step.announcements).expect("JSON"), entry["announcements"], "{entry}");
        assert_eq!(serde_json::to_value(&step.record).expect("JSON"), entry["record"], "{entry}");
        for (key, value) in step.changes {
            match value {
                Some(value) => rows.insert(key, value),
                None => rows.remove(&key),
            };
        }
    }
    // Tokens that were revoked then are revoked now.
    let check = Command::Check {
        session: None,
        token_id: Some("x".into()),
        began: at(100),
        is_use: true,
        claims_version: None,
        attributes: None,
    };
    let step = object::step(&at_the_end, None, check, &Context::new(&"user:1".into(), &LIFETIMES, at(1300)))
        .expect("readable");
    assert_eq!(step.reply, Reply::Ended { reused: false });
}

#[test]
fn the_register_keeps_its_rows_and_messages() {
    let pinned = &pinned()["register"];
    let stored: Vec<(u64, Entry)> = serde_json::from_value(pinned["rows"].clone()).expect("entries");
    let register = RevocationLog::read(stored.clone());
    assert_eq!(serde_json::to_value(register.since(0, at(1))).expect("JSON"), pinned["told"]);
    let marks: Vec<RevocationKey> = stored.iter().map(|(_, entry)| entry.mark).collect();
    let expected = [
        RevocationKey::token(&"void".into()),
        RevocationKey::session(&"s".into()),
        RevocationKey::user(&"user:1".into()),
        RevocationKey::everybody(),
    ];
    assert_eq!(marks, expected);
    assert_eq!(serde_json::to_value(&stored).expect("JSON"), pinned["rows"]);
    let _: Delta = serde_json::from_value(pinned["told"].clone()).expect("a message");
    for order in pinned["orders"].as_array().expect("a list") {
        let ask: Ask = serde_json::from_value(order.clone()).expect("an order");
        assert_eq!(serde_json::to_value(&ask).expect("JSON"), *order);
    }
}

/// Attributes in an account's object and claims in the register, as commit 3dbdf75 wrote them.
#[test]
fn attributes_and_voided_claims_keep_their_spelling() {
    let mut rows = Rows::new();
    let history = [
        json!({"open": {
            "version": 0, "entropy": "e", "refresh": null, "user_agent": "", "country": "",
            "attributes": {"version": 5, "values": {"role": "admin"}, "claims": ["role"]},
        }}),
        json!({"set-attributes": {
            "found": {"version": 5, "values": {"role": "admin"}}, "set": {"role": "viewer"}, "without": ["age"],
            "claims": ["role"], "max_claim_bytes": 2000, "replaces": false,
        }}),
    ];
    let mut told = Vec::new();
    for command in history {
        let command: Command = serde_json::from_value(command).expect("a command");
        let object: ObjectName = "user:1".into();
        let context = Context::new(&object, &LIFETIMES, at(1000));
        let step = object::step(&rows, None, command, &context).expect("readable");
        told.push(json!([step.reply, step.announcements]));
        for (key, value) in step.changes {
            match value {
                Some(value) => rows.insert(key, value),
                None => rows.remove(&key),
            };
        }
    }
    let expected = json!([
        [{"opened": {"session": "01a3185c-53e8-7f79-bb7b-435b05321651"}}, []],
        [
            {"attributes-set": {"attributes": {"version": 1_800_000_001_000_i64, "values": {"role": "viewer"}}, "revokes": true}},
            [{"mark": "7ef1b0d229823e52", "before": 1_800_000_000_999_i64, "until": 1_800_000_111_000_i64}],
        ],
    ]);
    assert_eq!(json!(told), expected);
    let row = r#"{"version":1800000001000,"values":{"role":"viewer"},"claims_since":1800000001000}"#;
    assert_eq!(rows.get("attributes").map(String::as_str), Some(row));
    assert_eq!(json!(RevocationKey::claims(&"user:1".into())), "7ef1b0d229823e52");
    // A profile without a version, as fa6c1fe wrote it.
    let profile =
        Profile::read(br#"{"v": 1, "id": 1, "name": "ann", "attributes": {"role": "x"}}"#).expect("a profile");
    assert_eq!(profile.attributes().version, Timestamp::from_millis(0));
}

/// Cookies that browsers hold: names, attributes, and the form of the device cookie. (Version 0.1.0 wrote these;
/// fa6c1fe had no device cookie.)
#[test]
fn cookies_keep_their_names_and_are_read() {
    let (options, now) = (FlaskJwtExtended::default(), at(0));
    let mut jar = Jar::new();
    jar.set(&options, TokenType::Access, "TOKEN", Some("CSRF"), now);
    jar.set(&options, TokenType::Refresh, "TOKEN", Some("CSRF"), now);
    let lines: Vec<&str> = jar.iter().collect();
    assert_eq!(
        lines,
        [
            "access_token_cookie=TOKEN; HttpOnly; Path=/",
            "csrf_access_token=CSRF; Path=/",
            "refresh_token_cookie=TOKEN; HttpOnly; Path=/",
            "csrf_refresh_token=CSRF; Path=/",
        ]
    );
    const COOKIE: &str = "secret.1807776000.dvVu_GNqZZuAlDdpUbmkGKAcAPH0qTJPOuvn4KYOz-4";
    let key = DeviceKey::derive(&Secret::new("a secret of more than thirty-two bytes".into()));
    let record = RecordId::of_name("ann");
    assert_eq!(key.issue("", &record, "secret", now), COOKIE);
    let device = key.find(COOKIE, &record, now).expect("known");
    assert_eq!(device.secret(), "secret");
    assert_eq!(
        cookie::of_device("tollgate_device", "VALUE", "/auth", true, device::KNOWN_FOR),
        "tollgate_device=VALUE; Max-Age=7776000; Secure; HttpOnly; Path=/auth; SameSite=Strict"
    );
}
