//! The tokens in requests. They are minted natively, before a load begins.

use crate::clock::now;
use anyhow::{Context, Result, anyhow};
use hyper::header::HeaderValue;
use std::{
    collections::{BTreeMap, VecDeque},
    num::NonZero,
    panic::resume_unwind,
    sync::{Arc, Mutex, PoisonError},
    thread,
};
use tollgate::{
    json::{Map, Value},
    rules::{
        ids::SessionId,
        secret::Secret,
        time::Timestamp,
        token::{Algorithm, Key, KeyFault, sign},
    },
};

/// The secret of every contender: 64 bytes.
pub const SECRET: &str = "kB2xwq7yT4nLr9vEoZ5jHs0dXgCmPf8uKtYbQa3eNiWz6MRVlJ1UFhGSDcIpAO-_";
const FORGERS_SECRET: &str = "another secret of sixty-four bytes, which no gate here has got: ";

/// The private and the public key of the tests for an asymmetric algorithm.
pub const fn key_pair(algorithm: Algorithm) -> Option<[&'static str; 2]> {
    match algorithm {
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => None,
        Algorithm::EdDsa => {
            Some([include_str!("../../tests/keys/ed25519.pem"), include_str!("../../tests/keys/ed25519.pub.pem")])
        }
        Algorithm::Es256 => {
            Some([include_str!("../../tests/keys/p256.pem"), include_str!("../../tests/keys/p256.pub.pem")])
        }
        _ => Some([include_str!("../../tests/keys/rsa.pem"), include_str!("../../tests/keys/rsa.pub.pem")]),
    }
}

/// The variables of a contender with this key pair.
pub const fn variables(algorithm: Algorithm, pair: [&'static str; 2]) -> [(&'static str, &'static str); 3] {
    let [private, public] = pair;
    [("JWT_ALGORITHM", algorithm.name()), ("JWT_PRIVATE_KEY", private), ("JWT_PUBLIC_KEY", public)]
}

/// Which tokens the requests of a load have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// One token in all of them.
    Same,
    /// Each token once.
    Once,
    /// The tokens of a thousand users, drawn by Zipf's law.
    Zipf,
    /// Each token once, with a wrong signature.
    Forged,
    /// No token.
    None,
}

impl Use {
    /// Whether each request needs a token of its own.
    pub const fn is_used_up(self) -> bool {
        matches!(self, Self::Once | Self::Forged)
    }
}

/// Makes tokens, each with another identity than all before.
pub struct Mint {
    key: Key,
    forgers_key: Key,
    identity: u64,
    bytes: usize,
    now: Timestamp,
    has_sessions: bool,
    algorithm: Algorithm,
}

/// Tokens that took long to sign (with RSA 3 ms each), by algorithm and length: each round starts new servers, to which
/// those of the round before are new again.
static SIGNED_ONCE: Mutex<BTreeMap<(&str, usize), Vec<String>>> = Mutex::new(BTreeMap::new());

impl Mint {
    /// A mint of HS256 tokens of about `bytes` bytes; with another algorithm they are longer by their signature.
    /// `has_sessions`: tokens name a session, as those of a gate with Durable Objects do.
    pub fn new(bytes: usize, algorithm: Algorithm, has_sessions: bool) -> Result<Self> {
        let symmetric = |secret: &str| Key::symmetric(Algorithm::Hs256, &Secret::new(secret.to_owned()), None, false);
        let key = match key_pair(algorithm) {
            None => symmetric(SECRET),
            Some([text, _]) => Key::private(algorithm, &Secret::new(text.to_owned())),
        };
        let usable = |key: Result<Key, KeyFault>| key.map_err(|fault| anyhow!("{fault:?}"));
        let (key, forgers_key) = (usable(key)?, usable(symmetric(FORGERS_SECRET))?);
        Ok(Self { key, forgers_key, identity: 0, bytes, now: now(), has_sessions, algorithm })
    }

    /// The refresh token of an open session, in Flask-JWT-Extended's dialect.
    pub fn refresh_token(&self, user: &str, session: &str, token_id: &str) -> String {
        let mut claims = self.times();
        let texts = [("jti", token_id), ("sid", session), ("sub", user), ("type", "refresh")];
        claims.extend(texts.map(|(name, text)| (name.to_owned(), text.into())));
        claims.insert("fresh".into(), false.into());
        sign(&self.key, &Map::new(), &claims)
    }

    fn times(&self) -> Map<String, Value> {
        let now = self.now.as_millis() / 1000;
        let times = [("exp", now + 86_400), ("iat", now), ("nbf", now)];
        times.map(|(name, time)| (name.to_owned(), time.into())).into_iter().collect()
    }

    fn token(&mut self, is_forged: bool) -> String {
        self.identity += 1;
        self.token_of(self.identity, is_forged)
    }

    fn token_of(&self, identity: u64, is_forged: bool) -> String {
        let mut claims = self.times();
        claims.insert("identity".into(), identity.into());
        claims.insert("jti".into(), format!("{:032x}", identity.wrapping_mul(0x9E37_79B9_7F4A_7C15)).into());
        if self.has_sessions {
            let session = SessionId::new(self.now, &identity.to_string());
            claims.insert("sid".into(), session.as_str().into());
        }
        // The length so far: header, claims and signature in base64url, and two dots.
        let length = 36 + 1 + (serde_json::to_string(&claims).map_or(0, |text| text.len()) * 4).div_ceil(3) + 1 + 43;
        let missing = self.bytes.saturating_sub(length) * 3 / 4;
        if let Some(length) = missing.checked_sub(r#","scope":"""#.len()) {
            let scope: String = "read:orders write:orders ".chars().cycle().take(length).collect();
            claims.insert("scope".into(), scope.into());
        }
        sign(if is_forged { &self.forgers_key } else { &self.key }, &Map::new(), &claims)
    }

    /// Tokens for a load of at most `count` requests.
    pub fn tokens(&mut self, tokens: Use, count: usize) -> Vec<String> {
        let count = match tokens {
            Use::Same => 1,
            Use::Once | Use::Forged => count,
            Use::Zipf => USERS,
            Use::None => 0,
        };
        if tokens == Use::Once && key_pair(self.algorithm).is_some() && !self.has_sessions {
            return self.signed_once(count);
        }
        (0..count).map(|_| self.token(tokens == Use::Forged)).collect()
    }

    /// The next `count` tokens of [`SIGNED_ONCE`], of which missing ones are signed on all cores.
    fn signed_once(&mut self, count: usize) -> Vec<String> {
        let from = self.identity as usize;
        self.identity += count as u64;
        let mut all = SIGNED_ONCE.lock().unwrap_or_else(PoisonError::into_inner);
        let signed = all.entry((self.algorithm.name(), self.bytes)).or_default();
        let missing: Vec<u64> = (signed.len() as u64..self.identity).collect();
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let mint = &*self;
        let sign = |identities: &[u64]| -> Vec<String> {
            let one = |(number, identity): (usize, &u64)| {
                // A mark each few seconds shows that it goes on.
                if number % 1000 == 999 {
                    eprint!("·");
                }
                mint.token_of(identity + 1, false)
            };
            identities.iter().enumerate().map(one).collect()
        };
        thread::scope(|scope| {
            let parts = missing.chunks(missing.len().div_ceil(cores).max(1));
            let threads: Vec<_> = parts.map(|part| scope.spawn(|| sign(part))).collect();
            for thread in threads {
                signed.extend(thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
            }
        });
        signed[from..].iter().take(count).cloned().collect()
    }
}

/// Users from whom Zipf's law draws.
const USERS: usize = 1000;

/// `count` of `users` users, the n-th drawn with a weight of 1/n. The same in each call.
fn zipf(users: usize, count: usize) -> Vec<usize> {
    let add = |sum: &mut f64, rank: usize| {
        *sum += 1.0 / rank as f64;
        Some(*sum)
    };
    let cumulative: Vec<f64> = (1..=users).scan(0.0, add).collect();
    let mut random = fastrand::Rng::with_seed(1);
    let mut draw = || {
        let drawn = random.f64() * cumulative[users - 1];
        cumulative.partition_point(|&up_to| up_to <= drawn).min(users - 1)
    };
    (0..count).map(|_| draw()).collect()
}

/// The `Authorization` headers of a load, in the order of its requests.
#[derive(Clone, Default)]
pub struct Headers {
    headers: Arc<[HeaderValue]>,
    /// Indices in `headers`, in turn; all of them if empty.
    order: Arc<[usize]>,
    is_used_up: bool,
}

impl Headers {
    /// The headers with these tokens.
    pub fn new(tokens: Use, minted: &[String], prefix: &str) -> Result<Self> {
        let header = |token: &String| Ok(HeaderValue::try_from(format!("{prefix} {token}"))?);
        Ok(Self {
            headers: minted.iter().map(header).collect::<Result<_>>()?,
            order: if tokens == Use::Zipf { zipf(USERS, 1 << 16).into() } else { Arc::default() },
            is_used_up: tokens.is_used_up(),
        })
    }

    /// The header of the request with this number, if requests have one. Fails if all headers were used.
    pub fn get(&self, number: usize) -> Result<Option<&HeaderValue>, UsedUp> {
        if self.is_used_up {
            return self.headers.get(number).map(Some).ok_or(UsedUp);
        }
        let at = number.checked_rem(self.order.len()).map_or(number, |number| self.order[number]);
        Ok(at.checked_rem(self.headers.len()).map(|at| &self.headers[at]))
    }
}

/// All headers of a load were used.
#[derive(Debug, PartialEq, Eq)]
pub struct UsedUp;

/// The current refresh token of each open session. Requests take turns, so all sessions are refreshed equally often.
#[derive(Clone)]
pub struct Sessions(Arc<Mutex<VecDeque<HeaderValue>>>);

impl Sessions {
    /// Sessions with these refresh tokens.
    pub fn new(tokens: &[String]) -> Result<Self> {
        let tokens = tokens.iter().map(|token| bearer(token)).collect::<Result<_>>()?;
        Ok(Self(Arc::new(Mutex::new(tokens))))
    }

    /// Takes the header of the session that was refreshed longest ago, until [`Self::put`]. Fails if all are taken.
    pub fn take(&self) -> Result<HeaderValue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front().context("all sessions are in use")
    }

    /// Puts a session back with the refresh token of the answer, or with the old one if the answer has none.
    pub fn put(&self, old: HeaderValue, answer: &[u8]) -> Result<()> {
        let answer: Value = serde_json::from_slice(answer).context("an answer to a refresh")?;
        let next = answer.get("refresh_token").and_then(Value::as_str).map(bearer).transpose()?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(next.unwrap_or(old));
        Ok(())
    }
}

fn bearer(token: &str) -> Result<HeaderValue> {
    Ok(HeaderValue::try_from(format!("Bearer {token}"))?)
}

#[cfg(test)]
mod tests {
    use super::{Algorithm, Headers, Mint, Sessions, Use, UsedUp, zipf};
    use std::collections::HashSet;

    #[test]
    fn tokens_have_the_requested_length_and_are_different() {
        for (bytes, has_sessions) in [(250, false), (320, false), (320, true), (1024, false), (4096, false)] {
            let mut mint = Mint::new(bytes, Algorithm::Hs256, has_sessions).expect("a mint");
            let (one, other) = (mint.token(false), mint.token(true));
            assert!(one.len().abs_diff(bytes) <= 4, "{} for {bytes}", one.len());
            assert_ne!(one, other);
        }
    }

    #[test]
    fn tokens_that_take_long_are_signed_once_for_all_rounds() {
        let mint = || Mint::new(320, Algorithm::EdDsa, false).expect("a mint");
        let (mut one, mut other) = (mint(), mint());
        let (first, second) = (one.tokens(Use::Once, 3), one.tokens(Use::Once, 2));
        let all: HashSet<&String> = first.iter().chain(&second).collect();
        assert_eq!(all.len(), 5, "each is another");
        let again = other.tokens(Use::Once, 5);
        assert!(again.iter().eq(first.iter().chain(&second)), "and the next round gets them again");
    }

    #[test]
    fn the_first_user_is_drawn_about_twice_as_often_as_the_second() {
        let draws = zipf(1000, 100_000);
        let count = |user| draws.iter().filter(|&&drawn| drawn == user).count() as f64;
        assert!((1.8..2.2).contains(&(count(0) / count(1))));
        assert!(draws.iter().any(|&drawn| drawn > 900));
        assert_eq!(draws, zipf(1000, 100_000));
    }

    #[test]
    fn headers_are_used_up_or_repeat() {
        let tokens = ["a".to_owned(), "b".to_owned()];
        let once = Headers::new(Use::Once, &tokens, "JWT").expect("headers");
        assert_eq!(once.get(1).expect("there").expect("a header"), "JWT b");
        assert_eq!(once.get(2), Err(UsedUp));
        let same = Headers::new(Use::Same, &tokens[..1], "Bearer").expect("headers");
        assert_eq!(same.get(5).expect("there").expect("a header"), "Bearer a");
        assert_eq!(Headers::new(Use::None, &[], "JWT").expect("headers").get(3), Ok(None));
    }

    #[test]
    fn sessions_take_turns_and_continue_with_the_token_of_the_answer() {
        let sessions = Sessions::new(&["a".to_owned(), "b".to_owned()]).expect("headers");
        let (a, b) = (sessions.take().expect("one"), sessions.take().expect("another"));
        assert!(sessions.take().is_err());
        sessions.put(a, br#"{"access_token":"x","refresh_token":"c"}"#).expect("an answer");
        sessions.put(b, br#"{"access_token":"x"}"#).expect("an answer");
        assert_eq!(sessions.take().expect("one"), "Bearer c");
        assert_eq!(sessions.take().expect("another"), "Bearer b");
    }
}
