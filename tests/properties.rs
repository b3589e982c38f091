//! Property tests of the rules, through the public API.
//!
//! **What always holds:** a token with one character changed, removed or inserted is refused; no input of a client, a
//! store or an operator makes the rules panic; a path that is not open needs a token in every spelling; no spelling of
//! a client's identity header is forwarded.

use percent_encoding::percent_decode_str;
use proptest::{
    collection::vec,
    prelude::*,
    sample::{select, subsequence},
    test_runner::TestCaseResult,
};
use serde_json::json;
use std::borrow::Cow;
use tollgate::rules::{
    config::{Config, options},
    cookie,
    dialect::flask_jwt::find,
    forward::Filter,
    gate::{Continuation, Decided, Decision, Gate},
    hooks::DefaultHandlers,
    json::{self, Map, Value},
    login,
    password::{self, PasswordPolicy, pwned::Question},
    rejection::TokenRejection,
    request::{Headers, Request},
    route::{Auth, Endpoint, Found, Routes},
    secret::Secret,
    time::{Duration, Timestamp},
    token::{
        self, Algorithm, ClaimsPolicy, FlaskJwtExtendedPolicy, Key, KeySet, Policy, TimeChecks, VerifiedToken, Verifier,
    },
};
use tollgate::{Credentials, Identity, SendUsers, UsersError, host::BodyError, testkit::TestHost};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn members(value: Value) -> Map<String, Value> {
    let Value::Object(members) = value else { panic!("an object") };
    members
}

const SYMMETRIC: [Algorithm; 3] = [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512];

fn ring(algorithm: Algorithm, secret: &str) -> KeySet {
    KeySet::new(Key::symmetric(algorithm, &Secret::new(secret.to_owned()), None, true).unwrap(), [])
}

fn policy() -> ClaimsPolicy {
    ClaimsPolicy {
        required: ["exp", "iat", "nbf"].map(str::to_owned).to_vec(),
        checks: TimeChecks { exp: true, nbf: true, iat: true },
        leeway: Duration::seconds(10),
    }
}

fn verify(text: &str, keys: &KeySet) -> Result<VerifiedToken, TokenRejection> {
    token::verify(text, keys, &policy(), NOW)
}

/// Claims that are valid at `NOW`, and `others`.
fn good_claims(others: Map<String, Value>) -> Map<String, Value> {
    let now = NOW.numeric_date().seconds();
    let times = members(json!({"exp": now + 300, "iat": now, "nbf": now}));
    times
        .into_iter()
        .chain(others.into_iter().filter(|(name, _)| !["exp", "iat", "nbf", "aud"].contains(&&**name)))
        .collect()
}

/// A store without users.
struct Nobody;

impl SendUsers for Nobody {
    async fn authenticate(&self, _: &Credentials) -> Result<Option<Identity>, UsersError> {
        Ok(None)
    }

    async fn identity(&self, _: &VerifiedToken) -> Result<Option<Identity>, UsersError> {
        Ok(None)
    }
}

fn gate() -> Gate {
    let vars = json!({
        "JWT_SECRET_KEY": "a secret of more than thirty-two bytes",
        "ORIGIN": "https://app.example.com",
        "ROUTES": [
            {"path": "/protected", "to": "identity", "user": "stored"},
            {"path": "/*", "auth": "none", "to": "assets"},
            {"path": "/members/*", "to": "assets"},
            {"path": "/api/*", "methods": ["*"], "to": "origin"},
        ],
    });
    Gate::new(Config::read(&members(vars)).config.expect("good"), DefaultHandlers)
}

struct Fields<'f>(&'f [(&'f str, &'f str)]);

impl Headers for Fields<'_> {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        self.0.iter().find(|(known, _)| *known == name).map(|&(_, value)| value.into())
    }
}

/// Any text; more often one made of the words that its parser looks for.
fn text(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        vec(prop_oneof![3 => select(words).prop_map(str::to_owned), 1 => ".{0,3}"], 0..12)
            .prop_map(|words| words.concat())
    ]
}

/// JSON of bounded depth, with such texts in it.
fn json_of(words: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        select(words).prop_map(Value::from),
        text(words).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((text(words), inner), 0..6).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn object_of(words: &'static [&'static str]) -> impl Strategy<Value = Map<String, Value>> {
    vec((text(words), json_of(words)), 0..6).prop_map(|members| members.into_iter().collect())
}

const CLAIM_WORDS: &[&str] =
    &["identity", "exp", "iat", "nbf", "aud", "alg", "HS256", "crit", "b64", "kid", "é", "\"", "\\", "1"];

#[test]
fn every_single_change_of_a_character_is_refused() {
    for algorithm in SYMMETRIC {
        let keys = ring(algorithm, "a secret of more than thirty-two bytes");
        let token = token::sign(keys.signing().unwrap(), &Map::new(), &good_claims(Map::new()));
        assert!(verify(&token, &keys).is_ok());
        // One set in the cache, so that every text is compared with the cached token.
        let remembering = Verifier::new(ring(algorithm, "a secret of more than thirty-two bytes"), policy(), 2);
        let first = remembering.verify(&token, NOW).unwrap();
        for at in 0..=token.len() {
            let (before, rest) = token.split_at(at);
            let refused = |changed: String| {
                assert!(verify(&changed, &keys).is_err(), "{changed}");
                assert!(remembering.verify(&changed, NOW).is_err(), "remembered: {changed}");
            };
            let ascii = (0..128u8).map(char::from);
            ascii.clone().for_each(|put_in| refused(format!("{before}{put_in}{rest}")));
            let Some(there) = rest.chars().next() else { continue };
            let after = &rest[1..];
            refused(format!("{before}{after}"));
            ascii.filter(|&other| other != there).for_each(|other| refused(format!("{before}{other}{after}")));
        }
        assert!(first.is_same(&remembering.verify(&token, NOW).unwrap()), "it was there all the time");
    }
}

proptest! {
    /// A verifier with a cache gives the same answer as one without, whatever it verified before and when.
    #[test]
    fn what_is_remembered_changes_no_answer(
        capacity in 0..6usize,
        tokens in vec((-400..400i64, -400..400i64, -400..400i64, 0..3u8), 1..6),
        visits in vec((0..6usize, -500..500i64), 1..40),
    ) {
        let keys = || ring(Algorithm::Hs256, "a secret of more than thirty-two bytes");
        let foreign = ring(Algorithm::Hs256, "a secret that is somebody else's");
        let tokens: Vec<String> = tokens
            .into_iter()
            .map(|(exp, iat, nbf, fault)| {
                let at = |seconds: i64| Value::from(NOW.numeric_date().seconds() + seconds);
                let mut claims = Map::from_iter([("exp", at(exp)), ("iat", at(iat)), ("nbf", at(nbf))].map(|(name, value)| (name.to_owned(), value)));
                if fault == 1 {
                    claims.insert("aud".into(), "me".into());
                }
                let signer = if fault == 2 { &foreign } else { &keys() };
                token::sign(signer.signing().unwrap(), &Map::new(), &claims)
            })
            .collect();
        let remembering = Verifier::new(keys(), policy(), capacity);
        for (which, seconds) in visits {
            let (token, now) = (&tokens[which % tokens.len()], Timestamp::from_millis(NOW.as_millis() + seconds * 1000));
            prop_assert_eq!(remembering.verify(token, now), token::verify(token, &keys(), &policy(), now));
        }
    }

    /// The time range of a token is exact to the millisecond, in both dialects.
    #[test]
    fn a_token_is_good_in_its_period_and_at_no_other_time(
        exp in proptest::option::of(-400..400i64),
        iat in proptest::option::of(-400..400i64),
        nbf in proptest::option::of(-400..400i64),
        leeway in -3000..100_000i64,
        flask_jwt_extended in any::<bool>(),
        times in vec(-510_000..510_000i64, 1..40),
    ) {
        let leeway = Duration::from_millis(leeway).unwrap();
        let policy = match flask_jwt_extended {
            true => Policy::FlaskJwtExtended(FlaskJwtExtendedPolicy { leeway, verify_sub: false, ..FlaskJwtExtendedPolicy::default() }),
            false => Policy::FlaskJwt(ClaimsPolicy { required: Vec::new(), leeway, ..policy() }),
        };
        let mut claims = Map::from_iter([("sub".to_owned(), Value::from("ann"))]);
        for (name, time) in [("exp", exp), ("iat", iat), ("nbf", nbf)] {
            claims.extend(time.map(|seconds| (name.to_owned(), Value::from(NOW.numeric_date().seconds() + seconds))));
        }
        let keys = ring(Algorithm::Hs256, "a secret of more than thirty-two bytes");
        let token = token::sign(keys.signing().unwrap(), &Map::new(), &claims);
        let verifier = Verifier::new(keys, policy, 2);
        let at = |millis: i64| Timestamp::from_millis(NOW.as_millis() + millis);
        let edges = |leeway: i64| [exp, iat, nbf].into_iter().flatten().flat_map(move |seconds| {
            [-leeway, leeway].into_iter().flat_map(move |leeway| [-1001, -1000, -1, 0, 1, 999, 1000, 1001].map(|more| seconds * 1000 + leeway + more))
        });
        let moments: Vec<Timestamp> = times.into_iter().chain(edges(leeway.as_millis())).map(at).collect();
        let Some(known) = moments.iter().find_map(|&now| verifier.verify(&token, now).ok()) else { return Ok(()) };
        let good = verifier.good_while(&known).unwrap();
        for now in moments {
            prop_assert_eq!(good.contains(&now), verifier.verify(&token, now).is_ok(), "{:?} {:?}", good, now);
        }
    }
}

proptest! {
    #[test]
    fn what_is_signed_comes_back_and_only_with_its_own_key_and_algorithm(
        claims in object_of(CLAIM_WORDS).prop_map(good_claims),
        secret in "[ -~]{1,100}",
        suffix in "[ -~]{1,9}",
    ) {
        for algorithm in SYMMETRIC {
            let keys = ring(algorithm, &secret);
            let token = token::sign(keys.signing().unwrap(), &Map::new(), &claims);
            if token.len() > token::MAX_TOKEN_BYTES {
                prop_assert_eq!(verify(&token, &keys), Err(TokenRejection::TooLong));
                continue;
            }
            let verified = verify(&token, &keys).unwrap();
            prop_assert_eq!(verified.claims(), claims.clone());
            prop_assert_eq!(verify(&token, &ring(algorithm, &format!("{secret}{suffix}"))), Err(TokenRejection::BadSignature));
            for another in SYMMETRIC.into_iter().filter(|&another| another != algorithm) {
                prop_assert_eq!(verify(&token, &ring(another, &secret)), Err(TokenRejection::AlgorithmNotAllowed));
            }
        }
    }

    #[test]
    fn no_text_is_a_token_by_chance(text in text(&[".", "e30", "eyJhbGciOiJIUzI1NiJ9", "AAAA", "=", "JWT", " "])) {
        prop_assert!(verify(&text, &ring(Algorithm::Hs256, "secret")).is_err());
        if let Ok(token) = find::from_authorization(Some(text.as_str().into()), "JWT", "realm") {
            prop_assert!(!token.is_empty() && !token.contains([' ', '\t']) && text.contains(&*token));
        }
    }

    #[test]
    fn whatever_is_signed_is_judged(extra in object_of(CLAIM_WORDS), claims in object_of(CLAIM_WORDS)) {
        let keys = ring(Algorithm::Hs256, "secret");
        for claims in [good_claims(claims.clone()), claims] {
            let judged = verify(&token::sign(keys.signing().unwrap(), &extra, &claims), &keys);
            prop_assert!(judged.is_err() || (!extra.contains_key("crit") && !claims.contains_key("aud")));
        }
    }

    #[test]
    fn any_bytes_are_an_object_or_are_not(
        bytes in vec(any::<u8>(), 0..64),
        text in text(&["{", "}", "\"a\":", ",", "1", "[", "]"]),
    ) {
        for text in [&bytes[..], text.as_bytes()] {
            if let Ok(read) = json::object(text) {
                prop_assert_eq!(serde_json::from_slice::<Map<String, Value>>(text).unwrap(), read);
            }
        }
    }

    #[test]
    fn what_is_written_is_read_again(object in object_of(CLAIM_WORDS)) {
        let written = json::to_ascii(&object);
        prop_assert!(written.is_ascii());
        prop_assert_eq!(json::object(written.as_bytes()), Ok(object));
    }

    #[test]
    fn a_login_asks_for_nobody_but_whom_the_body_names(
        body in prop_oneof![
            vec(any::<u8>(), 0..64),
            object_of(&["username", "password", "é", ""]).prop_map(|object| json::to_ascii(&object).into_bytes()),
        ],
    ) {
        let gate = gate();
        if let Ok(read) = login::read_credentials(&body, gate.config()) {
            let sent: Map<String, Value> = serde_json::from_slice(&body).unwrap();
            prop_assert_eq!(sent.len(), 2);
            prop_assert_eq!(sent["username"].as_str(), Some(read.username.expose().as_str()));
            prop_assert_eq!(sent["password"].as_str(), Some(read.password.expose().as_str()));
        }
    }

    #[test]
    fn without_a_good_token_only_what_is_open_passes(
        method in text(&["GET", "HEAD", "POST", "OPTIONS", "DELETE"]),
        path in text(&["/", "members", "api", "protected", "auth", "%2f", "%", "25", ";", "..", "é", "*", "{x}"]),
        query in proptest::option::of(any::<String>()),
        authorization in text(&["JWT", " ", ".", "e30", ","]),
        content_type in text(&["application/json", ";", "text/"]),
        content_length in text(&["1", "99999", "-"]),
    ) {
        let gate = gate();
        let fields = [
            ("authorization", authorization.as_str()),
            ("content-type", &content_type),
            ("content-length", &content_length),
        ];
        for path in [format!("/{path}"), path] {
            let request = Request { method: &method, site: "", path: &path, query: query.as_deref(), headers: &Fields(&fields) };
            let mut host = TestHost::new(NOW, b"");
            host.body = Err(BodyError::Interrupted);
            match gate.decide(&request, NOW) {
                Decided::Later(Continuation::Login(_)) => {
                    let decision = host.decide(&gate, &request, &Nobody);
                    prop_assert!(matches!(decision, Decision::Reject(_)), "{:?}", decision);
                }
                Decided::Later(_) => prop_assert!(false, "something is asked without a token"),
                Decided::Now(Decision::Assets(passed) | Decision::Forward(passed) | Decision::Inner(passed)) => {
                    prop_assert_eq!(passed.rule().auth, Auth::None);
                }
                Decided::Now(Decision::Reject(rejected)) => prop_assert!(gate.answer_to(&rejected).status >= 300),
                Decided::Now(Decision::Answer(_) | Decision::Identity(_)) => {}
            }
        }
    }

    #[test]
    fn a_protected_path_is_guarded_in_every_spelling(path in spelling(
        &["/", "/.", "/x/..", "%2f", "/%2e", "/%2e%2e", "\\", "%5c", "%00", "%", "%25", " ", "é"],
        &["/", "/.", "/x/..", ";", ";x=1", "%3b", "/;x", "/.;x", "/x/..;x", "%2f", "/%2e", "\\", "%00", "%25", " "],
    )) {
        is_guarded(&path)?;
    }

    #[test]
    fn a_protected_path_is_guarded_behind_segments_of_parameters_only(
        path in spelling(&["/;x", "/.;x", "/x/..;x", "/%3b", "/%2e;"], &["", "/", ";x"]),
    ) {
        is_guarded(&path)?;
    }

    #[test]
    fn no_escape_is_left_in_a_path_that_passes(
        path in vec(select(&["/", "%25", "%32", "%35", "%36", "%64", "%2", "2", "5", "6", "d", "m"][..]), 0..8),
    ) {
        let path = format!("/{}", path.concat());
        if passes(&path) {
            let once = percent_decode_str(&path).decode_utf8().unwrap();
            let twice = percent_decode_str(&once).decode_utf8_lossy();
            prop_assert_eq!(&once, &twice);
        }
    }

    #[test]
    fn a_stored_hash_is_checked_or_refused(
        start in select(
            &["$pbkdf2-sha256$i=", "$pbkdf2-sha256$l=32,i=", "$pbkdf2-sha256$", "pbkdf2_sha256$", "pbkdf2:sha256:"][..],
        ),
        // Counts in between would take a second each.
        iterations in prop_oneof![
            (0..1100u64).prop_map(|n| n.to_string()),
            (5_000_001..u64::MAX).prop_map(|n| n.to_string()),
            "[-0-9a-z=,]{0,3}",
        ],
        rest in prop_oneof![
            Just(",l=32$AAECAwQFBgcICQoLDA0ODw$xYyWrTM2tCBat8E4dOBxs3zhTtlVhedc/87e39xoeJo".to_owned()),
            Just(",l=32,keyid=k1$AAECAwQFBgcICQoLDA0ODw$xYyWrTM2tCBat8E4dOBxs3zhTtlVhedc/87e39xoeJo".to_owned()),
            Just("$AAECAwQFBgcICQoLDA0ODw$xYyWrTM2tCBat8E4dOBxs3zhTtlVhedc/87e39xoeJo".to_owned()),
            "[$,=a-zA-Z0-9+/.-]{0,80}",
            text(&["$", ",", "=", "l=32", "AAAA"]),
        ],
        password in any::<String>(),
    ) {
        let stored = format!("{start}{iterations}{rest}");
        let check = password::check(Some(&stored), &Secret::new(password), &password::Hashing::new(1));
        prop_assert_ne!(check, Ok(password::Check::Right));
    }

    #[test]
    fn any_answer_about_leaks_is_read_or_refused(
        password in any::<String>(),
        answer in prop_oneof![
            vec(any::<u8>(), 0..200),
            text(&["0018A45C4D1DEF81644B54AB7F969B88D65", ":", "0", "12", "\r\n", "<", "\u{e9}"]).prop_map(String::into_bytes),
        ],
    ) {
        prop_assert_ne!(Question::about(&Secret::new(password)).is_in(&answer), Ok(true));
    }

    #[test]
    fn a_password_that_may_be_set_is_long_enough_and_can_login(
        password in ".{0,100}",
        name in any::<String>(),
        min_length in 8..=64_usize,
    ) {
        let policy = PasswordPolicy { min_length, refuses_common: true };
        if policy.judge(&Secret::new(password.clone()), &name).is_ok() {
            prop_assert!(password::normal_form(&password).chars().count() >= min_length && password != name);
            prop_assert!(password.len() <= login::MAX_FIELD_BYTES);
        }
    }

    #[test]
    fn any_variables_are_a_configuration_or_a_problem(vars in vec((option_name(), json_of(OPTION_WORDS)), 0..4)) {
        let secret = ("SECRET_KEY".to_owned(), "a secret of more than thirty-two bytes".into());
        let vars: Map<String, Value> = std::iter::once(secret).chain(vars).collect();
        match Config::read(&vars).config {
            Ok(config) => drop(config.routes.find("GET", "/x")),
            Err(problems) => prop_assert!(!problems.is_empty()),
        }
    }

    #[test]
    fn any_rules_are_routes_or_a_problem(
        rules in vec(vec((select(RULE_MEMBERS), json_of(RULE_WORDS)), 1..5), 0..4),
        path in text(RULE_WORDS),
    ) {
        let rule = |rule: Vec<(&str, Value)>| rule.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let rules = rules.into_iter().map(rule);
        match Routes::read(&[(Endpoint::Login, "/auth", json!(["POST"]))], &rules.map(Value::Object).collect::<Vec<_>>(), &[]) {
            Ok((routes, _)) => drop(routes.find("GET", &path)),
            Err(problems) => prop_assert!(!problems.is_empty()),
        }
    }

    #[test]
    fn an_open_path_is_open_to_a_careless_reader_too(
        patterns in subsequence(PATTERNS, 2..6),
        auths in vec(select(&["required", "none"][..]), 6),
        path in vec(select(&["/a", "/A", "/%61", "/%41;x", "/b", "/B%3b", "/*", "/{x}", ".", "%20"][..]), 1..4),
        end in select(&["", "/", "/;"][..]),
    ) {
        let rule = |(path, auth)| json!({"path": path, "auth": auth, "to": "origin"});
        let rules: Vec<Value> = patterns.into_iter().zip(auths).map(rule).collect();
        let Ok((routes, _)) = Routes::read(&[], &rules, &[]) else { return Ok(()) };
        let is_open = |path: &str| match routes.find("GET", path) {
            Ok(Found::Rule(rule)) => Some(rule.auth == Auth::None),
            _ => None,
        };
        let path = path.concat() + end;
        if is_open(&path) == Some(true) {
            let read = format!("/{}", lenient_path(&path).join("/"));
            prop_assert_ne!(is_open(&read), Some(false), "{} of {}", read, path);
        }
    }

    #[test]
    fn an_identity_header_never_gets_through(
        name in "[xX][-_.!~+'%][aA][uU][tT][hH][-_.!~+'%][!-~]{0,20}",
        connection in proptest::option::of(any::<String>()),
        forward_token in any::<bool>(),
    ) {
        let filter = Filter { connection: connection.as_deref(), token_header: "authorization", forward_token, keep: &[], claims: &[], origins: &[] };
        prop_assert!(filter.withholds(&name));
    }

    #[test]
    fn a_cookie_that_is_taken_out_is_not_there_any_more_and_others_are(pieces in vec(select(COOKIE_PIECES), 0..12)) {
        let header = pieces.concat();
        let left = cookie::without(&header, &["a", "b"]);
        let left = left.as_deref().unwrap_or(&header);
        prop_assert_eq!(cookie::value(left, "a").or(cookie::value(left, "b")), None, "{} of {}", left, header);
        prop_assert_eq!(cookie::value(left, "x"), cookie::value(&header, "x"), "{} of {}", left, header);
    }
}

const COOKIE_PIECES: &[&str] = &["a", "b", "x", "=", "=", "1", "\"", "\\", ";", "; ", ",", " ", "\t", "é"];
const OPTION_WORDS: &[&str] = &[
    "exp", "methods", "POST", "path", "/x", "[", "]", "{", "}", "\"", ",", "1", "h", "-", ".", "https://", "@", "HS256",
];
const RULE_MEMBERS: &[&str] =
    &["path", "to", "auth", "methods", "invalid", "user", "realm", "require", "countries", "addresses", "rate", "x"];
const RULE_WORDS: &[&str] =
    &["/", "a", "A", "*", "{x}", ";", "origin", "assets", "identity", "optional", "none", "stored"];
const PATTERNS: &[&str] = &["/*", "/a", "/a/*", "/A/b", "/a/{x}/a", "/b/", "/b/*", "/{x}", "/{x}/*", "/{x}/a"];

fn option_name() -> impl Strategy<Value = String> {
    let names: Vec<&str> = options::TABLE.iter().map(|option| option.name).collect();
    select(names).prop_map(str::to_owned)
}

/// Spellings of `/members/secret`: with letters in upper case or escaped, and with other text before and after
/// segments.
fn spelling(before: &'static [&'static str], after: &'static [&'static str]) -> impl Strategy<Value = String> {
    let clutter = |of| vec(select(of), 0..3).prop_map(|pieces: Vec<&str>| pieces.concat());
    let letters = |word: &str| {
        let letter = |c: char| {
            let (lower, upper) =
                (format!("%{:02x}", u32::from(c)), format!("%{:02X}", u32::from(c.to_ascii_uppercase())));
            let capital = c.to_ascii_uppercase().to_string();
            prop_oneof![12 => Just(c.to_string()), 2 => Just(capital), 1 => Just(lower), 1 => Just(upper)]
        };
        word.chars().map(letter).collect::<Vec<_>>().prop_map(|letters| letters.concat())
    };
    (clutter(before), letters("members"), clutter(after), letters("secret"), clutter(after))
        .prop_map(|(before, members, between, secret, after)| format!("{before}/{members}{between}/{secret}{after}"))
}

/// Asserts that no path is authorized without a token which an origin could read as one below `/members/`.
fn is_guarded(path: &str) -> TestCaseResult {
    let segments = lenient_path(path);
    prop_assert!(segments.first().is_none_or(|first| first != "members") || !passes(path), "{}", path);
    Ok(())
}

/// Whether the path is authorized without a token.
fn passes(path: &str) -> bool {
    let gate = gate();
    let request = Request { method: "GET", site: "", path, query: None, headers: &Fields(&[]) };
    matches!(gate.decide(&request, NOW), Decided::Now(Decision::Assets(_) | Decision::Forward(_) | Decision::Inner(_)))
}

/// The segments as read by an origin that decodes once and ignores case, parameters, dot segments, empty segments, and
/// dots and spaces at the end of a segment.
fn lenient_path(path: &str) -> Vec<String> {
    let decoded = percent_decode_str(path).decode_utf8_lossy().to_lowercase().replace('\\', "/");
    let mut segments = Vec::new();
    for segment in decoded.split('/').map(|segment| segment.split(';').next().unwrap_or_default()) {
        match (segment.trim(), segment.trim_end_matches(['.', ' '])) {
            ("..", _) => drop(segments.pop()),
            (_, "") => {}
            (_, name) => segments.push(name.to_owned()),
        }
    }
    segments
}
