//! Fuzzes the rules that parse texts of clients and of the store.
//!
//! **What always holds:** nothing panics. An accepted token has the signature that `hmac` computes here, and its only
//! base64url spelling. Without a token only open paths are authorized. A log-in takes only those credentials from a
//! body that another JSON reader finds there. A record that was read is written back unchanged.
//!
//! The first byte of an input selects the parser: see [`read`]. Password hashes are not computed: that is too slow.

#![no_main]

use base64ct::{Base64UrlUnpadded, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};
use sha2::Sha256;
use std::borrow::Cow;
use tollgate::rules::{
    config::Config,
    gate::{Authorized, Continuation, Decided, Decision, Gate, Rejected},
    hooks::DefaultHandlers,
    login,
    password::PasswordHash,
    request::{Headers, Request},
    route::{Auth, Target},
    store::{LoginRecord, Profile},
    time::Timestamp,
};

const SECRET: &str = "a secret of more than thirty-two bytes";
const NOW: i64 = 1_800_000_000;

thread_local! {
    static GATE: Gate = gate();
}

fuzz_target!(|input: &[u8]| {
    if let Some((&kind, rest)) = input.split_first() {
        GATE.with(|gate| read(gate, kind, rest));
    }
});

/// Runs the parser that `kind` selects. In the corpus `kind` is a digit.
fn read(gate: &Gate, kind: u8, rest: &[u8]) {
    match kind % 7 {
        0 => read_authorization(gate, &String::from_utf8_lossy(rest)),
        1 => read_token(gate, &String::from_utf8_lossy(rest)),
        2 => read_signed(gate, rest),
        3 => read_body(gate, rest),
        4 => read_target(gate, &String::from_utf8_lossy(rest)),
        5 => read_records(rest),
        _ => read_stored_hash(&String::from_utf8_lossy(rest)),
    }
}

fn gate() -> Gate {
    let routes = json!([
        {"path": "/protected", "to": "identity"},
        {"path": "/*", "auth": "none", "to": "assets"},
        {"path": "/members/*", "to": "assets"},
        {"path": "/api/*", "methods": ["*"], "to": "origin"},
    ]);
    let Value::Object(vars) = json!({"JWT_SECRET_KEY": SECRET, "ORIGIN": "https://app.example.com", "ROUTES": routes})
    else {
        unreachable!()
    };
    Gate::new(Config::read(&vars).config.expect("a good configuration"), DefaultHandlers)
}

/// A request's header fields.
struct Fields<'f>(&'f [(&'f str, &'f str)]);

impl Headers for Fields<'_> {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        self.0.iter().find(|(known, _)| *known == name).map(|&(_, value)| value.into())
    }
}

fn decide<'g>(gate: &'g Gate, method: &str, target: &str, fields: &[(&str, &str)]) -> Decided<'g, Continuation<'g>> {
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    gate.decide(&Request { method, site: "", path, query, headers: &Fields(fields) }, Timestamp::from_seconds(NOW))
}

/// An `Authorization` header under a rule that requires a token.
fn read_authorization(gate: &Gate, authorization: &str) {
    match decide(gate, "POST", "/api/x", &[("authorization", authorization)]) {
        Decided::Now(Decision::Forward(authorized)) => {
            let token = authorization.split([' ', '\t']).rfind(|word| !word.is_empty()).expect("a token");
            assert_genuine(token);
            assert!(authorized.principal().identity().is_some());
        }
        Decided::Now(Decision::Reject(rejected)) => {
            assert!((400..=599).contains(&gate.answer_to(&rejected).status));
        }
        _ => panic!("neither forwarded nor rejected"),
    }
}

fn read_token(gate: &Gate, text: &str) {
    let config = gate.config();
    if config.tokens.verify(text, Timestamp::from_seconds(NOW)).is_ok() {
        assert_genuine(text);
    }
}

/// A JOSE header and a payload, separated by a line feed. They are signed here, so that the fuzzer reaches the checks
/// after the signature.
fn read_signed(gate: &Gate, parts: &[u8]) {
    let (header, payload) = parts.split_at(parts.iter().position(|&byte| byte == b'\n').unwrap_or(parts.len()));
    let payload = payload.strip_prefix(b"\n").unwrap_or_default();
    let signing_input = [header, payload].map(Base64UrlUnpadded::encode_string).join(".");
    let signature = Base64UrlUnpadded::encode_string(&mac(&signing_input).finalize().into_bytes());
    let text = format!("{signing_input}.{signature}");
    let config = gate.config();
    let Ok(verified) = config.tokens.verify(&text, Timestamp::from_seconds(NOW)) else { return };
    assert_genuine(&text);
    let claims: Map<String, Value> = serde_json::from_slice(payload).expect("JSON to another reader too");
    assert_eq!(verified.claims(), claims);
    assert!(!claims.contains_key("aud"), "no audience is this gate's");
    let time = |name: &str| claims[name].as_i64();
    assert!(time("exp").is_none_or(|exp| exp >= NOW - 10));
    assert!(time("nbf").is_none_or(|nbf| nbf <= NOW + 10));
    assert!(time("iat").is_none_or(|iat| iat <= NOW + 10));
}

/// The body of a log-in.
fn read_body(gate: &Gate, body: &[u8]) {
    let decided = decide(gate, "POST", "/auth", &[("content-type", "application/json")]);
    assert!(matches!(decided, Decided::Later(_)), "a log-in reads its body");
    match login::read_credentials(body, gate.config()) {
        Ok(sent) => {
            let members: Map<String, Value> = serde_json::from_slice(body).expect("JSON to another reader too");
            for (name, text) in [("username", sent.username.expose()), ("password", sent.password.expose())] {
                assert_eq!(members[name].as_str(), Some(text.as_str()), "{name}");
                assert!((1..=login::MAX_FIELD_BYTES).contains(&text.len()), "{name}");
            }
            let _ = LoginRecord::key(sent.username.expose());
        }
        Err(rejection) => {
            assert!((400..=499).contains(&gate.answer_to(&Rejected::new(rejection, None)).status));
        }
    }
}

/// Path and query, without a token.
fn read_target(gate: &Gate, target: &str) {
    let decided = decide(gate, "GET", target, &[]);
    let Decided::Now(Decision::Assets(authorized) | Decision::Forward(authorized)) = decided else { return };
    assert_open(&authorized, target.split('?').next().unwrap_or_default());
}

/// Asserts that a path authorized without a token is an open one, also for an origin that ignores case, parameters and
/// empty segments.
fn assert_open(authorized: &Authorized<'_>, path: &str) {
    assert_eq!((authorized.rule().auth, &authorized.rule().to), (Auth::None, &Target::Assets));
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8().expect("UTF-8").to_lowercase();
    let segments: Vec<&str> = decoded
        .split('/')
        .map(|segment| segment.split(';').next().unwrap_or_default())
        .filter(|segment| !matches!(*segment, "" | "."))
        .collect();
    assert!(!segments.contains(&".."), "{segments:?}");
    assert!(!matches!(segments[..], ["members" | "api", ..] | ["protected" | "auth"]), "{segments:?}");
}

/// Records in KV.
fn read_records(text: &[u8]) {
    if let Ok(record) = LoginRecord::read(text) {
        assert_eq!(LoginRecord::read(record.write().as_bytes()).as_ref(), Ok(&record));
        let id = record.id();
        let _ = (Profile::key(&id), PasswordHash::parse(record.hash()), record.status());
    }
    if let Ok(profile) = Profile::read(text) {
        assert_eq!(Profile::read(profile.write().as_bytes()).as_ref(), Ok(&profile));
    }
}

fn read_stored_hash(text: &str) {
    let Ok(hash) = PasswordHash::parse(text) else { return };
    if text.starts_with("$pbkdf2-sha256$i=") {
        assert_eq!(PasswordHash::parse(&hash.to_string()).as_ref(), Ok(&hash));
    }
}

/// Asserts that the token is signed with the secret and in its only spelling.
fn assert_genuine(text: &str) {
    let parts: Vec<&str> = text.split('.').collect();
    let [header, payload, signature] = parts[..] else { panic!("not three parts") };
    let [header, _, signature] = [header, payload, signature].map(|part| {
        let decoded = Base64UrlUnpadded::decode_vec(part).expect("base64url");
        assert_eq!(Base64UrlUnpadded::encode_string(&decoded), part, "one spelling");
        decoded
    });
    let header: Map<String, Value> = serde_json::from_slice(&header).expect("JSON to another reader too");
    assert_eq!(header["alg"], "HS256");
    let signing_input = text.rsplit_once('.').expect("three parts").0;
    mac(signing_input).verify_slice(&signature).expect("signed with the secret");
}

fn mac(signing_input: &str) -> Hmac<Sha256> {
    let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length");
    mac.chain_update(signing_input)
}
