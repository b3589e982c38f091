//! Tokens: signed, taken apart, verified and remembered.

use super::{
    super::{identity::Id, time::NumericDate},
    *,
};
use crate::rules::{
    rejection::{Malformed, TimeClaim, TokenRejection, Unencoded},
    secret::Secret,
    time::Duration,
};
use serde_json::json;

const NOW: i64 = 1_800_000_000;

fn key(algorithm: Algorithm, secret: &str, id: Option<&str>) -> Key {
    Key::symmetric(algorithm, &Secret::new(secret.to_owned()), id.map(str::to_owned), true).unwrap()
}

fn ring() -> KeySet {
    KeySet::new(key(Algorithm::Hs256, "a secret of more than thirty-two bytes", None), [])
}

fn policy() -> ClaimsPolicy {
    ClaimsPolicy {
        required: ["exp", "iat", "nbf"].map(str::to_owned).to_vec(),
        checks: TimeChecks { exp: true, nbf: true, iat: true },
        leeway: Duration::seconds(10),
    }
}

fn members(value: Value) -> Map<String, Value> {
    let Value::Object(members) = value else { panic!("an object") };
    members
}

fn good_claims() -> Map<String, Value> {
    members(json!({"exp": NOW + 300, "iat": NOW, "nbf": NOW, "identity": 1}))
}

fn check(token: &str) -> Result<VerifiedToken, TokenRejection> {
    verify(token, &ring(), &policy(), Timestamp::from_seconds(NOW))
}

/// Signs header and payload as they stand.
fn raw(header: &str, payload: &str) -> String {
    let mut token = format!(
        "{}.{}",
        Base64UrlUnpadded::encode_string(header.as_bytes()),
        Base64UrlUnpadded::encode_string(payload.as_bytes())
    );
    let signature = ring().signing().unwrap().sign(token.as_bytes());
    token.push('.');
    token.push_str(&Base64UrlUnpadded::encode_string(&signature));
    token
}

const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

#[test]
fn what_is_signed_is_verified_with_each_algorithm() {
    for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| algorithm.is_symmetric()) {
        let keys = KeySet::new(key(algorithm, &"k".repeat(64), None), []);
        let token = sign(keys.signing().unwrap(), &Map::new(), &good_claims());
        let verified = verify(&token, &keys, &policy(), Timestamp::from_seconds(NOW)).unwrap();
        assert_eq!(verified.claims(), good_claims(), "{}", algorithm.name());
        let other = KeySet::new(key(algorithm, &"j".repeat(64), None), []);
        assert_eq!(verify(&token, &other, &policy(), Timestamp::from_seconds(NOW)), Err(TokenRejection::BadSignature));
    }
}

#[test]
fn the_members_stand_in_flask_jwts_order() {
    let token = sign(&key(Algorithm::Hs256, "super-secret", None), &Map::new(), &good_claims());
    let mut parts = token.split('.').map(|part| Base64UrlUnpadded::decode_vec(part).unwrap());
    assert_eq!(parts.next().unwrap(), br#"{"typ":"JWT","alg":"HS256"}"#);
    assert_eq!(
        parts.next().unwrap(),
        format!(r#"{{"exp":{},"iat":{NOW},"nbf":{NOW},"identity":1}}"#, NOW + 300).as_bytes()
    );
}

#[test]
fn times_are_judged_at_their_boundaries() {
    for (claim, offset, outcome) in [
        ("exp", -11, Err(TokenRejection::Expired)),
        ("exp", -10, Ok(())),
        ("exp", -9, Ok(())),
        ("nbf", 11, Err(TokenRejection::NotYetValid)),
        ("nbf", 10, Ok(())),
        ("iat", 11, Err(TokenRejection::IssuedInTheFuture)),
        ("iat", 10, Ok(())),
    ] {
        let mut claims = good_claims();
        claims.insert(claim.into(), (NOW + offset).into());
        let token = sign(ring().signing().unwrap(), &Map::new(), &claims);
        assert_eq!(check(&token).map(drop), outcome, "{claim} {offset}");
    }
}

#[test]
fn what_counts_as_a_time() {
    let refused = Err(TokenRejection::NotANumericDate(TimeClaim::Exp));
    for (exp, outcome) in [
        ("99999999999", Ok(())),
        ("99999999999.5", Ok(())),
        ("\"99999999999\"", Ok(())),
        ("9007199254740992", Ok(())),
        ("9007199254740993", refused.clone()),
        ("1e300", refused.clone()),
        ("\"+5\"", refused.clone()),
        ("\" 99999999999\"", refused.clone()),
        ("\"9_9\"", refused.clone()),
        ("\"\"", refused.clone()),
        ("\"99999999999999999999999\"", refused.clone()),
        ("\"soon\"", refused.clone()),
        ("true", refused.clone()),
        ("[1]", refused.clone()),
        ("{}", refused.clone()),
        ("null", Err(TokenRejection::MissingClaim("exp".into()))),
        ("1e400", Err(TokenRejection::Malformed(Malformed::PayloadNotJson))),
        ("NaN", Err(TokenRejection::Malformed(Malformed::PayloadNotJson))),
        ("0.9", Err(TokenRejection::Expired)),
    ] {
        let token = raw(HEADER, &format!(r#"{{"iat":{NOW},"nbf":{NOW},"exp":{exp}}}"#));
        assert_eq!(check(&token).map(drop), outcome, "{exp}");
    }
}

#[test]
fn checks_come_in_flask_jwts_order() {
    let with = |change: Value| {
        let mut claims = good_claims();
        claims.extend(members(change));
        claims.retain(|_, value| value != &json!("absent"));
        check(&sign(ring().signing().unwrap(), &Map::new(), &claims)).unwrap_err()
    };
    let missing = |name: &str| TokenRejection::MissingClaim(name.into());
    for (change, rejection) in [
        (json!({"exp": "absent", "iat": "absent", "nbf": "absent"}), missing("exp")),
        (json!({"iat": "absent", "nbf": "absent", "exp": "soon"}), missing("iat")),
        (json!({"nbf": null}), missing("nbf")),
        (json!({"exp": NOW - 60, "iat": NOW + 60, "nbf": NOW + 60}), TokenRejection::IssuedInTheFuture),
        (json!({"exp": NOW - 60, "nbf": NOW + 60}), TokenRejection::NotYetValid),
        (json!({"exp": NOW - 60, "aud": "x"}), TokenRejection::Expired),
        (json!({"aud": "x"}), TokenRejection::InvalidAudience),
        (json!({"aud": ""}), TokenRejection::InvalidAudience),
        (json!({"aud": []}), TokenRejection::InvalidAudience),
        (json!({"aud": ["x"]}), TokenRejection::InvalidAudience),
        (json!({"aud": [1]}), TokenRejection::InvalidClaimFormat),
        (json!({"aud": null}), TokenRejection::InvalidClaimFormat),
    ] {
        assert_eq!(with(change.clone()), rejection, "{change}");
    }
}

#[test]
fn a_claim_that_is_not_required_may_be_absent_but_not_wrong() {
    let lax = ClaimsPolicy { required: vec![], ..policy() };
    let by = |policy: &ClaimsPolicy, claims: Value| {
        policy.judge(|name| claims.get(name), Timestamp::from_seconds(NOW).numeric_date()).map(drop)
    };
    let judge = |claims| by(&lax, claims);
    assert!(judge(json!({})).is_ok());
    assert_eq!(judge(json!({"exp": NOW - 60})), Err(TokenRejection::Expired));
    assert_eq!(judge(json!({"nbf": null})), Err(TokenRejection::NotANumericDate(TimeClaim::Nbf)));
    let unverified = ClaimsPolicy { checks: TimeChecks { exp: false, nbf: true, iat: true }, ..policy() };
    assert!(by(&unverified, json!({"exp": 1, "iat": 1, "nbf": 1})).is_ok());
    let role = ClaimsPolicy { required: vec!["role".into()], ..policy() };
    assert_eq!(by(&role, good_claims().into()), Err(TokenRejection::MissingClaim("role".into())));
}

#[test]
fn malformed_tokens_are_told_by_the_part_that_breaks() {
    let good = sign(ring().signing().unwrap(), &Map::new(), &good_claims());
    let malformed = |part| Err(TokenRejection::Malformed(part));
    for (token, outcome) in [
        (String::new(), malformed(Malformed::NotEnoughSegments)),
        ("xxx.yyy".into(), malformed(Malformed::NotEnoughSegments)),
        ("ééé".into(), malformed(Malformed::NotEnoughSegments)),
        ("a.b.c".into(), malformed(Malformed::HeaderEncoding)),
        ("..".into(), malformed(Malformed::HeaderNotJson)),
        (good.clone() + ".abcd", malformed(Malformed::PayloadEncoding)),
        (good.clone() + "=", malformed(Malformed::SignatureEncoding)),
        (good.clone() + "!", malformed(Malformed::SignatureEncoding)),
        (good.replacen('.', "=.", 1), malformed(Malformed::HeaderEncoding)),
        (good.replacen('.', ".=", 1), malformed(Malformed::PayloadEncoding)),
        (raw("[1]", "{}"), malformed(Malformed::HeaderNotAnObject)),
        (raw("notjson", "{}"), malformed(Malformed::HeaderNotJson)),
        (raw(r#"{"alg":"HS256","alg":"HS256"}"#, "{}"), malformed(Malformed::HeaderNotJson)),
        (raw(HEADER, "[1]"), malformed(Malformed::PayloadNotAnObject)),
        (raw(HEADER, r#"{"identity":1,"identity":2}"#), malformed(Malformed::PayloadNotJson)),
        (raw(HEADER, "x"), malformed(Malformed::PayloadNotJson)),
        ("x".repeat(MAX_TOKEN_BYTES + 1), Err(TokenRejection::TooLong)),
    ] {
        assert_eq!(check(&token).map(drop), outcome, "{token}");
    }
}

#[test]
fn the_unused_bits_of_the_last_character_must_be_zero() {
    let good = sign(ring().signing().unwrap(), &Map::new(), &good_claims());
    let (rest, last) = good.split_at(good.len() - 1);
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let at = alphabet.find(last).unwrap();
    for low in 1..4 {
        let twin = format!("{rest}{}", alphabet.as_bytes()[at + low] as char);
        assert_eq!(check(&twin), Err(TokenRejection::Malformed(Malformed::SignatureEncoding)));
    }
}

#[test]
fn the_algorithm_is_the_keys_and_the_signature_comes_before_the_claims() {
    let good = format!(r#"{{"exp":{},"iat":{NOW},"nbf":{NOW}}}"#, NOW + 300);
    for header in [
        r#"{"typ":"JWT"}"#,
        r#"{"alg":"none"}"#,
        r#"{"alg":"None"}"#,
        r#"{"alg":"hs256"}"#,
        r#"{"alg":"HS512"}"#,
        r#"{"alg":"RS256"}"#,
        r#"{"alg":null}"#,
        r#"{"alg":["HS256"]}"#,
    ] {
        assert_eq!(check(&raw(header, &good)), Err(TokenRejection::AlgorithmNotAllowed), "{header}");
    }
    let forged = raw(HEADER, r#"{"exp":1}"#).rsplit_once('.').unwrap().0.to_owned();
    for signature in ["", "AAAA", &"A".repeat(43)] {
        assert_eq!(check(&format!("{forged}.{signature}")), Err(TokenRejection::BadSignature), "{signature}");
    }
}

#[test]
fn a_header_that_asks_for_more_is_refused_but_unknown_members_are_not() {
    let good = format!(r#"{{"exp":{},"iat":{NOW},"nbf":{NOW}}}"#, NOW + 300);
    for (header, outcome) in [
        (r#"{"alg":"HS256","typ":"at+jwt"}"#, Ok(())),
        (r#"{"alg":"HS256"}"#, Ok(())),
        (r#"{"alg":"HS256","cty":"JWT","jku":"https://evil.example","x5u":1,"kid":"unknown"}"#, Ok(())),
        (r#"{"alg":"HS256","kid":7}"#, Err(TokenRejection::KeyIdNotAString)),
        (r#"{"alg":"HS256","kid":null}"#, Err(TokenRejection::KeyIdNotAString)),
        (r#"{"alg":"HS256","crit":["x"],"x":1}"#, Err(TokenRejection::CriticalExtension { name: "x".into() })),
        (r#"{"alg":"HS256","crit":["alg"]}"#, Err(TokenRejection::CriticalExtension { name: "alg".into() })),
        (r#"{"alg":"HS256","crit":[]}"#, Err(TokenRejection::CriticalEmpty)),
        (r#"{"alg":"HS256","b64":false}"#, Err(TokenRejection::UnencodedPayload(Unencoded::NotCritical))),
    ] {
        assert_eq!(check(&raw(header, &good)).map(drop), outcome, "{header}");
    }
}

/// `b64` (RFC 7797), `crit` and a missing `alg`, as both libraries tell them.
#[test]
fn a_header_that_changes_what_is_signed_is_told_by_what_it_changes() {
    let extended = Verifier::new(ring(), Policy::FlaskJwtExtended(FlaskJwtExtendedPolicy::default()), 0);
    let payload = json!({"exp": NOW + 300, "iat": NOW, "nbf": NOW, "identity": 1, "sub": "1"}).to_string();
    let unencoded = |why| Err(TokenRejection::UnencodedPayload(why));
    for (header, flask_jwt, flask_jwt_extended) in [
        (r#"{"alg":"HS256"}"#, Ok(()), Ok(())),
        (r#"{"alg":"HS256","b64":true}"#, Ok(()), Ok(())),
        (r#"{"alg":"HS256","b64":false}"#, unencoded(Unencoded::NotCritical), unencoded(Unencoded::PayloadPresent)),
        (
            r#"{"alg":"HS256","b64":false,"crit":["b64"]}"#,
            unencoded(Unencoded::Detached),
            unencoded(Unencoded::PayloadPresent),
        ),
        (
            r#"{"alg":"HS256","crit":["b64"]}"#,
            Err(TokenRejection::CriticalMissing),
            Err(TokenRejection::CriticalMissing),
        ),
        (r#"{"typ":"JWT"}"#, Err(TokenRejection::AlgorithmNotAllowed), Err(TokenRejection::AlgorithmMissing)),
    ] {
        let token = raw(header, &payload);
        assert_eq!(check(&token).map(drop), flask_jwt, "{header}");
        assert_eq!(extended.verify(&token, Timestamp::from_seconds(NOW)).map(drop), flask_jwt_extended, "{header}");
    }
    let detached = raw(r#"{"alg":"HS256","b64":false,"crit":["b64"]}"#, "");
    let told = extended.verify(&detached, Timestamp::from_seconds(NOW)).map(drop);
    assert_eq!(told, unencoded(Unencoded::Detached));
}

#[test]
fn a_token_does_not_bring_its_own_key() {
    let secret = "another secret of more than thirty-two bytes";
    let other = key(Algorithm::Hs256, secret, None);
    let jwk = json!({"kty": "oct", "k": Base64UrlUnpadded::encode_string(secret.as_bytes())});
    for header in [
        json!({"alg": "HS256", "jwk": jwk}),
        json!({"alg": "HS256", "jwk": jwk, "kid": "own"}),
        json!({"alg": "HS256", "jku": "data:application/json,{}", "x5c": ["AAAA"]}),
    ] {
        let claims = Value::Object(good_claims());
        let parts = [&header, &claims].map(|part| Base64UrlUnpadded::encode_string(part.to_string().as_bytes()));
        let signature = other.sign(parts.join(".").as_bytes());
        let token = format!("{}.{}", parts.join("."), Base64UrlUnpadded::encode_string(&signature));
        assert_eq!(check(&token), Err(TokenRejection::BadSignature), "{header}");
    }
}

#[test]
fn a_ring_chooses_by_id_and_never_crosses_algorithms() {
    let keys = KeySet::new(
        key(Algorithm::Hs256, &"new".repeat(20), Some("new")),
        [
            key(Algorithm::Hs256, &"old".repeat(20), Some("old")).into(),
            key(Algorithm::Hs512, &"big".repeat(30), Some("big")).into(),
        ],
    );
    let now = NumericDate::new(NOW).unwrap();
    let found = |alg, kid| keys.for_token_at(Some(alg), kid, now).ok().and_then(VerifyingKey::id);
    assert_eq!(found("HS256", Some("old")), Some("old"));
    assert_eq!(found("HS256", Some("OLD")), None, "case counts");
    assert_eq!(found("HS512", Some("old")), None, "the id binds, and with it the algorithm");
    assert_eq!(found("HS512", Some("big")), Some("big"));
    assert_eq!(found("HS256", None), Some("new"), "the signing key");
    assert_eq!(found("HS512", None), None);
    assert_eq!(found("HS256", Some("unknown")), None, "every key has an id, so an unknown one means none");
    let token = sign(keys.signing().unwrap(), &Map::new(), &good_claims());
    assert!(verify(&token, &keys, &policy(), Timestamp::from_seconds(NOW)).is_ok());
}

fn remembering(tokens: usize) -> Verifier {
    Verifier::new(ring(), policy(), tokens)
}

fn signed(claims: Value) -> String {
    sign(ring().signing().unwrap(), &Map::new(), &members(claims))
}

#[test]
fn a_token_that_is_remembered_is_judged_by_the_time_it_is_now() {
    let verifier = remembering(64);
    let token = signed(json!({"exp": NOW + 300, "iat": NOW, "nbf": NOW + 20, "identity": 1}));
    let at = |seconds| verifier.verify(&token, Timestamp::from_seconds(seconds)).map(|_| ());
    for _ in 0..2 {
        assert_eq!(at(NOW + 9), Err(TokenRejection::NotYetValid));
        assert_eq!(at(NOW + 10), Ok(()));
        assert_eq!(at(NOW + 310), Ok(()), "exp plus leeway");
        assert_eq!(at(NOW + 311), Err(TokenRejection::Expired), "never past exp plus leeway");
        assert_eq!(at(NOW - 11), Err(TokenRejection::IssuedInTheFuture), "a clock that went back");
    }
    let unremembered = remembering(0);
    for seconds in [NOW - 11, NOW + 9, NOW + 10, NOW + 310, NOW + 311] {
        let alike = unremembered.verify(&token, Timestamp::from_seconds(seconds)).map(|_| ());
        assert_eq!(at(seconds), alike, "remembered or not, it is the same at {seconds}");
    }
}

#[test]
fn a_second_look_finds_what_the_first_found() {
    let verifier = remembering(64);
    let token = signed(json!({"exp": NOW + 300, "iat": NOW, "nbf": NOW, "identity": "é", "role": ["a", 1.50]}));
    let now = Timestamp::from_seconds(NOW);
    let (first, second) = (verifier.verify(&token, now).unwrap(), verifier.verify(&token, now).unwrap());
    assert!(first.is_same(&second), "it was not verified again");
    assert_eq!((first.is_remembered(), second.is_remembered()), (false, true));
    let other = signed(json!({"exp": NOW + 300, "iat": NOW, "nbf": NOW, "identity": "e"}));
    assert!(first.is_written(&token) && !first.is_written(&other));
    assert!(first == second && first != verifier.verify(&other, now).unwrap());
    assert_eq!(second.claims(), first.claims());
    assert_eq!(second.payload(), token.split('.').nth(1).unwrap());
    assert_eq!(second.identity(), Some(Id::Text("é".into())));
    assert!(!first.is_same(&remembering(64).verify(&token, now).unwrap()));
    assert!(!format!("{verifier:?} {second:?}").contains(&token[..20]), "nothing prints a token");
}

#[test]
fn a_verifier_that_remembers_nothing_verifies_all_the_same() {
    let verifier = remembering(0);
    let token = sign(ring().signing().unwrap(), &Map::new(), &good_claims());
    let now = Timestamp::from_seconds(NOW);
    let first = verifier.verify(&token, now).unwrap();
    assert_eq!(verifier.capacity(), 0);
    assert!(!first.is_same(&verifier.verify(&token, now).unwrap()));
}

#[test]
fn the_longest_token_is_remembered_and_a_longer_one_refused() {
    let verifier = remembering(2);
    let of = |filler: usize| signed(json!({"exp": NOW + 300, "iat": NOW, "nbf": NOW, "filler": "x".repeat(filler)}));
    let longest = (0..MAX_TOKEN_BYTES).rev().map(of).find(|token| token.len() <= MAX_TOKEN_BYTES).unwrap();
    assert!(longest.len() > MAX_TOKEN_BYTES - 4);
    let now = Timestamp::from_seconds(NOW);
    let first = verifier.verify(&longest, now).unwrap();
    assert!(first.is_same(&verifier.verify(&longest, now).unwrap()));
    assert_eq!(verifier.verify(&of(MAX_TOKEN_BYTES), now), Err(TokenRejection::TooLong));
    // The largest cookie that every browser keeps (RFC 6265 §6.1) has 4096 bytes.
    let in_cookie = of(3100);
    assert!(in_cookie.len() > 4096 && verifier.verify(&in_cookie, now).is_ok());
}

#[test]
fn no_flood_takes_more_rooms_than_there_are_and_a_forged_one_takes_none() {
    let verifier = remembering(16);
    let now = Timestamp::from_seconds(NOW);
    let mine = sign(ring().signing().unwrap(), &Map::new(), &good_claims());
    let first = verifier.verify(&mine, now).unwrap();
    let forger = KeySet::new(key(Algorithm::Hs256, "another secret of thirty-two bytes or more", None), []);
    for number in 0..2000 {
        let claims = members(json!({"exp": NOW + 300, "iat": NOW, "nbf": NOW, "identity": number}));
        let forged = sign(forger.signing().unwrap(), &Map::new(), &claims);
        assert_eq!(verifier.verify(&forged, now), Err(TokenRejection::BadSignature));
    }
    assert!(first.is_same(&verifier.verify(&mine, now).unwrap()), "forged tokens drive nobody out");
    let tokens: Vec<String> =
        (0..2000).map(|number| signed(json!({"exp": NOW + 300, "iat": NOW, "nbf": NOW, "identity": number}))).collect();
    let seen: Vec<VerifiedToken> = tokens.iter().map(|token| verifier.verify(token, now).unwrap()).collect();
    let still = seen.iter().filter(|token| verifier.remembers(token)).count();
    assert_eq!((still, verifier.capacity()), (16, 16));
    assert!(first.is_same(&verifier.verify(&mine, now).unwrap()), "nor do good ones that come once");
    tokens.iter().flat_map(|token| [token; 3]).for_each(|token| drop(verifier.verify(token, now)));
    assert!(!verifier.remembers(&first));
    assert_eq!(verifier.verify(&mine, now).unwrap().claims(), good_claims(), "driven out, it is verified again");
}

#[test]
fn two_tokens_of_one_set_do_not_drive_each_other_out() {
    let verifier = remembering(2);
    let now = Timestamp::from_seconds(NOW);
    let tokens = [1, 2].map(|id| signed(json!({"exp": NOW + 300, "iat": NOW, "nbf": NOW, "identity": id})));
    let firsts = tokens.each_ref().map(|token| verifier.verify(token, now).unwrap());
    for _ in 0..3 {
        for (token, first) in tokens.iter().zip(&firsts) {
            assert!(first.is_same(&verifier.verify(token, now).unwrap()));
        }
    }
    // A third takes the room of the one that was asked for longest ago, when it comes for the second time.
    let others = [3, 4].map(|id| signed(json!({"exp": NOW + 300, "iat": NOW, "nbf": NOW, "identity": id})));
    for other in others.iter().chain(&others) {
        verifier.verify(other, now).unwrap();
        assert!(firsts.iter().all(|first| verifier.remembers(first)), "not the first time, nor by turns");
    }
    verifier.verify(&tokens[0], now).unwrap();
    let again = verifier.verify(&others[1], now).unwrap();
    assert!(again.is_same(&verifier.verify(&others[1], now).unwrap()), "the second time in a row it finds room");
    assert!(firsts[0].is_same(&verifier.verify(&tokens[0], now).unwrap()));
    assert!(!firsts[1].is_same(&verifier.verify(&tokens[1], now).unwrap()));
}

#[test]
fn a_remembered_signature_vouches_for_no_other_token() {
    let verifier = remembering(2);
    let now = Timestamp::from_seconds(NOW);
    let tokens = [1, 2, 1000].map(|id| signed(json!({"exp": NOW + 300, "iat": NOW, "nbf": NOW, "identity": id})));
    let known = verifier.verify(&tokens[0], now).unwrap();
    assert!(verifier.remembers(&known));
    let [(_, signature), (other, _), (longer, _)] = tokens.each_ref().map(|token| token.rsplit_once('.').unwrap());
    // Another payload, a longer one, and a signature of which only the end is the same.
    let bent = format!("{}{}", if signature.starts_with('A') { "B" } else { "A" }, &signature[1..]);
    for forged in [format!("{other}.{signature}"), format!("{longer}.{signature}"), tokens[0].replace(signature, &bent)]
    {
        assert_eq!(verifier.verify(&forged, now), Err(TokenRejection::BadSignature), "{forged}");
    }
    assert!(known.is_same(&verifier.verify(&tokens[0], now).unwrap()));
}

/// As a log-out reads a token with an application's own `decode_key_loader`.
#[test]
fn a_chosen_key_vouches_for_its_algorithm_alone() {
    let verifier = Verifier::new(ring(), Policy::FlaskJwtExtended(FlaskJwtExtendedPolicy::default()), 0);
    let (secret, now) = ("another secret of more than thirty-two bytes", Timestamp::from_seconds(NOW));
    let [chosen, other] = [Algorithm::Hs256, Algorithm::Hs384].map(|algorithm| key(algorithm, secret, None));
    let public = VerifyingKey::from(chosen.clone());
    let choose = |_: &Map<String, Value>, _: &Map<String, Value>| Some(&public);
    let signed = |key: &Key| verifier.signed(&sign(key, &Map::new(), &good_claims()), Some(&choose), now).map(drop);
    assert_eq!(signed(&chosen), Ok(()));
    assert!(signed(&other).is_err());
}

#[test]
fn a_header_that_was_read_before_stands_for_no_other() {
    let verifier = remembering(64);
    let now = Timestamp::from_seconds(NOW);
    assert!(verifier.verify(&signed(good_claims().into()), now).is_ok());
    let payload = Value::Object(good_claims()).to_string();
    for header in [r#"{"alg":"HS512"}"#, r#"{"alg":"HS256","crit":["x"]}"#, r#"{"alg":"HS256","kid":1}"#] {
        let token = raw(header, &payload);
        let told = verifier.verify(&token, now).map(drop);
        assert!(told.is_err() && told == check(&token).map(drop), "{header}: {told:?}");
    }
}

#[test]
fn what_one_key_has_vouched_for_another_does_not_know() {
    let token = sign(ring().signing().unwrap(), &Map::new(), &good_claims());
    let now = Timestamp::from_seconds(NOW);
    assert!(remembering(64).verify(&token, now).is_ok());
    let others = KeySet::new(key(Algorithm::Hs256, "another secret of thirty-two bytes or more", None), []);
    assert_eq!(Verifier::new(others, policy(), 64).verify(&token, now), Err(TokenRejection::BadSignature));
}

/// Segments are read by another library than keys: it is as strict, and says the same.
#[test]
fn segments_are_canonical_base64url() {
    let read = |text: &str| jws::decode(text, Malformed::PayloadEncoding).ok();
    let letters: Vec<char> = (0..128u8).map(char::from).collect();
    for one in &letters {
        for other in &letters {
            for text in [
                format!("{one}{other}"),
                format!("AB{one}{other}"),
                format!("A{one}{other}"),
                format!("{one}AAA{other}"),
            ] {
                assert_eq!(read(&text), Base64UrlUnpadded::decode_vec(&text).ok(), "{text:?}");
            }
        }
    }
    for text in ["", "A", "AA=", "AA==", "AAA=", "AA\n", "AAAAAAAAA", "A\u{e9}", "AB"] {
        assert_eq!(read(text), Base64UrlUnpadded::decode_vec(text).ok(), "{text:?}");
    }
    assert_eq!(read("_-8"), Some(vec![0xff, 0xef]));
    assert_eq!(read("_-9"), None, "bits that nobody uses are zero");
}
