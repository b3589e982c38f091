//! Proof for an origin that a request came through the gate, and for whom: `X-Auth-Assertion`, a JWT that the gate
//! signs with a key of its own (`TOLLGATE_ASSERTION_KEY`).
//!
//! **What always holds:** an assertion is for one origin (`aud`), names the gate (`iss`), ends after a minute, and has
//! a `typ` of its own, with which no gate accepts it as a client's token (RFC 8725 §3.11, §3.12; `token/jws.rs`). Its
//! key must not be a key of clients' tokens.

use super::{
    gate::Principal,
    json::{self, Map, Value},
    time::{Duration, NumericDate, Timestamp},
    token::{ASSERTION_TYPE, KeySet, SignatureCache, Signed, sign},
};

/// The field with the assertion.
pub const ASSERTION_HEADER: &str = "x-auth-assertion";

/// How long an assertion is good.
const LIFETIME: Duration = Duration::seconds(60);
/// How long it is sent again for the same token and origin.
const REUSE: Duration = Duration::seconds(30);
/// Claims that `TOLLGATE_ASSERTION_CLAIMS` may not name.
pub(super) const OWN_CLAIMS: [&str; 7] = ["iss", "aud", "sub", "iat", "exp", "nbf", "jti"];

/// Makes assertions.
#[derive(Debug)]
pub struct Assertions {
    keys: KeySet,
    issuer: String,
    claims: Vec<String>,
    /// Those of requests without a token.
    anonymous: SignatureCache,
}

/// The same key. The clone has signed nothing yet.
impl Clone for Assertions {
    fn clone(&self) -> Self {
        Self::new(self.keys.clone(), self.issuer.clone(), self.claims.clone())
    }
}

/// An assertion, and until when it may be sent again.
pub struct Assertion {
    /// The compact form of the JWT.
    pub text: String,
    /// The first time at which it must not be sent again.
    pub until: Timestamp,
}

impl Assertions {
    /// `keys` has a private key, and no key of clients' tokens; `issuer` is `iss`; `claims` are copied from the
    /// client's token.
    #[must_use]
    pub fn new(keys: KeySet, issuer: String, claims: Vec<String>) -> Self {
        Self { keys, issuer, claims, anonymous: SignatureCache::default() }
    }

    /// The public keys with which origins verify assertions, as a JWK Set.
    #[must_use]
    pub fn jwks(&self, now: NumericDate) -> Value {
        self.keys.jwks(now)
    }

    /// The assertion for the origin `audience`: about the user whom the token names, or about a request without one.
    #[must_use]
    pub fn about(&self, principal: &Principal, audience: &str, now: Timestamp) -> Assertion {
        let cache = principal.token().map_or(&self.anonymous, |token| token.assertions());
        let subject = principal.identity().map(|identity| identity.id.to_string());
        let sign = || self.sign(principal, subject.as_deref(), audience, now);
        let Signed { text, at } = cache.get_or_sign(audience, subject.as_deref(), now, REUSE, sign);
        Assertion { text: text.to_string(), until: at.later(REUSE) }
    }

    fn sign(&self, principal: &Principal, subject: Option<&str>, audience: &str, now: Timestamp) -> String {
        let mut claims = Map::new();
        claims.insert("iss".into(), self.issuer.as_str().into());
        claims.insert("aud".into(), audience.into());
        if let Some(subject) = subject {
            claims.insert("sub".into(), subject.into());
        }
        let issued = now.numeric_date().seconds();
        claims.insert("iat".into(), issued.into());
        claims.insert("exp".into(), now.later(LIFETIME).numeric_date().seconds().into());
        if let Some(token) = principal.token().filter(|_| !self.claims.is_empty()) {
            let of_token = token.claims();
            let found = |name: &String| Some((name.clone(), json::find(&of_token, name)?.clone()));
            claims.extend(self.claims.iter().filter_map(found));
        }
        let mut header = Map::new();
        header.insert("typ".into(), ASSERTION_TYPE.into());
        self.keys.signing().map_or_else(String::new, |key| sign(key, &header, &claims))
    }
}

#[cfg(all(test, feature = "ecdsa"))]
mod tests {
    use super::*;
    use crate::{
        DefaultHandlers,
        rules::{
            config::Config,
            forward,
            gate::{Authorized, Decided, Decision, Gate},
            rejection::{Rejection, TokenRejection},
            request::Request,
            secret::Secret,
            token::{Algorithm, Key, check_signature},
        },
    };
    use serde_json::json;

    const SECRET: &str = "a secret of more than thirty-two bytes";
    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn gate(wire: &str) -> Gate {
        // RFC 7515 A.3.
        let key = json!({
            "kty": "EC", "crv": "P-256", "kid": "a1", "alg": "ES256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
        });
        let Value::Object(vars) = json!({
            "TOLLGATE_WIRE": wire, "JWT_SECRET_KEY": SECRET, "TOLLGATE_ASSERTION_KEY": key,
            "TOLLGATE_PUBLIC_URL": "https://gate.example.com", "TOLLGATE_ASSERTION_CLAIMS": ["role", "org.id"],
            "TOLLGATE_WEBSOCKET_PROTOCOL": "bearer", "ORIGIN": "https://app.example.com",
            "ORIGINS": [{"name": "orders", "url": "https://orders.example.com"}],
            "ROUTES": [
                {"path": "/app", "to": "origin"}, {"path": "/orders", "to": "orders"},
                {"path": "/open", "to": "orders", "auth": "none"}, {"path": "/maybe", "to": "orders", "auth": "optional"},
            ],
        }) else {
            unreachable!()
        };
        Gate::new(Config::read(&vars).config.unwrap(), DefaultHandlers)
    }

    /// A client's token, good in both dialects.
    fn token() -> String {
        let seconds = NOW.numeric_date().seconds();
        let claims = json!({
            "identity": "7", "sub": "7", "iat": seconds, "nbf": seconds, "exp": seconds + 600, "jti": "j", "type": "access",
            "fresh": false, "role": "admin", "org": {"id": 5},
        });
        sign(&key(), &Map::new(), claims.as_object().unwrap())
    }

    fn key() -> Key {
        Key::symmetric(Algorithm::Hs256, &Secret::new(SECRET.into()), None, false).unwrap()
    }

    fn decided<'g>(gate: &'g Gate, path: &str, headers: [(&str, &str); 3]) -> Result<Authorized<'g>, Rejection> {
        let request = Request { method: "GET", site: "https://gate.example.com", path, query: None, headers: &headers };
        match gate.decide(&request, NOW) {
            Decided::Now(Decision::Forward(authorized)) => Ok(authorized),
            Decided::Now(Decision::Reject(rejected)) => Err(rejected.rejection),
            _ => panic!("neither forwarded nor rejected"),
        }
    }

    fn passed<'g>(gate: &'g Gate, path: &str, token: Option<&str>) -> Authorized<'g> {
        let (name, value) = gate.config().token_field(token.unwrap_or_default());
        let name = if token.is_some() { name } else { "x".into() };
        decided(gate, path, [(&name, &value), ("", ""), ("", "")]).unwrap()
    }

    fn claims(gate: &Gate, assertion: &str) -> Value {
        let keys = KeySet::from_jwk_set(
            gate.config().assertions.as_ref().unwrap().jwks(NOW.numeric_date()).as_object().unwrap(),
        );
        let [header, payload, _] = assertion.split('.').collect::<Vec<_>>()[..] else { panic!() };
        let decoded = |part: &str| -> Value {
            use base64ct::{Base64UrlUnpadded, Encoding};
            serde_json::from_slice(&Base64UrlUnpadded::decode_vec(part).unwrap()).unwrap()
        };
        assert_eq!(decoded(header), json!({"typ": "tollgate+jwt", "alg": "ES256", "kid": "a1"}));
        assert_eq!(keys.unwrap().all().count(), 1);
        decoded(payload)
    }

    #[test]
    fn an_origin_gets_an_assertion_for_itself_and_again_for_half_a_minute() {
        let gate = gate("flask-jwt-extended");
        let token = token();
        let at = |authorized: &Authorized<'_>, seconds: i32| {
            forward::assertion(authorized, gate.config(), NOW.later(Duration::seconds(seconds))).unwrap().text
        };
        let authorized = passed(&gate, "/orders", Some(&token));
        let first = at(&authorized, 0);
        assert_eq!(
            claims(&gate, &first),
            json!({
                "iss": "https://gate.example.com", "aud": "orders", "sub": "7", "iat": 1_800_000_000_i64,
                "exp": 1_800_000_060_i64, "role": "admin", "org.id": 5,
            })
        );
        // The token is remembered from here on.
        let again = passed(&gate, "/orders", Some(&token));
        let kept = at(&again, 0);
        assert_eq!(at(&again, 29), kept);
        assert_eq!(at(&passed(&gate, "/orders", Some(&token)), 29), kept, "another request");
        assert_ne!(at(&again, 30), kept);
        assert_eq!(claims(&gate, &at(&passed(&gate, "/app", Some(&token)), 0))["aud"], "origin");
        for path in ["/open", "/maybe"] {
            let anonymous = passed(&gate, path, None);
            let minimal = json!({"iss": "https://gate.example.com", "aud": "orders", "iat": 1_800_000_000_i64, "exp": 1_800_000_060_i64});
            assert_eq!(claims(&gate, &at(&anonymous, 0)), minimal, "{path}");
        }
    }

    #[test]
    fn an_assertion_is_no_clients_token_whoever_signed_it() {
        for wire in ["flask-jwt", "flask-jwt-extended"] {
            let gate = gate(wire);
            let own = token();
            let authorized = passed(&gate, "/orders", Some(&own));
            let assertion = forward::assertion(&authorized, gate.config(), NOW).unwrap().text;
            let mut tokens = vec![assertion];
            // With the very claims of a good token, and the key of the gate.
            let key = key();
            let claims = authorized.principal().token().unwrap().claims();
            for typ in ["tollgate+jwt", "TOLLGATE+JWT", "application/tollgate+jwt", "Application/Tollgate+JWT"] {
                tokens.push(sign(&key, json!({"typ": typ}).as_object().unwrap(), &claims));
            }
            for token in &tokens {
                let (name, value) = gate.config().token_field(token);
                let outcome = decided(&gate, "/orders", [(&name, &value), ("", ""), ("", "")]);
                assert_eq!(outcome.unwrap_err(), Rejection::Token(TokenRejection::Assertion), "{wire} {token}");
                // A log-out, which takes expired tokens, refuses these too.
                assert_eq!(
                    gate.config().tokens.signed(token, None, NOW).unwrap_err(),
                    TokenRejection::Assertion,
                    "{wire} {token}"
                );
                let keys = gate.config().tokens.keys();
                assert_eq!(check_signature(token, keys, NOW.numeric_date()).unwrap_err(), TokenRejection::Assertion);
            }
            let plain = sign(&key, json!({"typ": "at+jwt"}).as_object().unwrap(), &claims);
            let (name, value) = gate.config().token_field(&plain);
            assert!(decided(&gate, "/orders", [(&name, &value), ("", ""), ("", "")]).is_ok(), "{wire}: another typ");
        }
    }

    #[test]
    fn a_handshake_may_have_its_token_in_a_subprotocol() {
        for wire in ["flask-jwt", "flask-jwt-extended"] {
            let gate = gate(wire);
            let token = token();
            let protocols = format!("chat.v1, bearer, {token}");
            let socket = [("upgrade", "websocket"), ("sec-websocket-protocol", &*protocols), ("", "")];
            let passed = decided(&gate, "/orders", socket).unwrap();
            assert_eq!(passed.principal().identity().unwrap().id.to_string(), "7", "{wire}");
            let refused = |headers| decided(&gate, "/orders", headers).unwrap_err().code();
            // Only in a handshake, only after the word, and never in place of the header field.
            assert_eq!(refused([("", ""), socket[1], ("", "")]), "token_missing", "{wire}");
            assert_eq!(refused([socket[0], ("sec-websocket-protocol", &token), ("", "")]), "token_missing", "{wire}");
            let (name, value) = gate.config().token_field("a.b.c");
            assert_ne!(refused([socket[0], socket[1], (&name, &value)]), "token_missing", "{wire}");
            let forged = format!("bearer, {token}x");
            assert_ne!(refused([socket[0], ("sec-websocket-protocol", &forged), ("", "")]), "token_missing", "{wire}");
        }
    }
}
