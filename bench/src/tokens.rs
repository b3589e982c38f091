//! The tokens that requests carry, minted natively before they are needed.

use anyhow::{Context, Result, anyhow};
use hyper::header::HeaderValue;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
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

/// The secret that every contender has: 64 bytes.
pub const SECRET: &str = "kB2xwq7yT4nLr9vEoZ5jHs0dXgCmPf8uKtYbQa3eNiWz6MRVlJ1UFhGSDcIpAO-_";
const FORGERS_SECRET: &str = "another secret of sixty-four bytes, which no gate here has got: ";

/// The private key of an algorithm with a pair: one of the tests.
pub const fn private_key(algorithm: Algorithm) -> Option<&'static str> {
    match algorithm {
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => None,
        Algorithm::EdDsa => Some(include_str!("../../tests/keys/ed25519.pem")),
        Algorithm::Es256 => Some(include_str!("../../tests/keys/p256.pem")),
        _ => Some(include_str!("../../tests/keys/rsa.pem")),
    }
}

/// How tokens come and go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// One token, seen before.
    Same,
    /// Each once.
    Once,
    /// Those of a thousand users, drawn by a Zipf law.
    Zipf,
    /// Each once, with a bad signature.
    Forged,
    /// No token.
    None,
}

impl Use {
    /// Is a token gone when it was used?
    pub const fn is_used_up(self) -> bool {
        matches!(self, Self::Once | Self::Forged)
    }
}

/// Makes tokens, each with another identity than all before it.
pub struct Mint {
    key: Key,
    forgers: Key,
    next: u64,
    bytes: usize,
    now: u64,
    with_sessions: bool,
}

impl Mint {
    /// A mint whose tokens have about `bytes` bytes (with a key pair, more).
    ///
    /// # Errors
    /// If the clock stands before 1970.
    pub fn new(bytes: usize, algorithm: Algorithm) -> Result<Self> {
        let symmetric = |secret: &str| Key::symmetric(Algorithm::Hs256, &Secret::new(secret.to_owned()), None, false);
        let key = match private_key(algorithm) {
            None => symmetric(SECRET),
            Some(text) => Key::private(algorithm, &Secret::new(text.to_owned())),
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock")?.as_secs();
        let sound = |key: Result<Key, KeyFault>| key.map_err(|fault| anyhow!("{fault:?}"));
        Ok(Self {
            key: sound(key)?,
            forgers: sound(symmetric(FORGERS_SECRET))?,
            next: 0,
            bytes,
            now,
            with_sessions: false,
        })
    }

    /// Its tokens name a session, as those of a gate with objects do.
    pub fn with_sessions(self) -> Self {
        Self { with_sessions: true, ..self }
    }

    /// The refresh token of an open session, in Flask-JWT-Extended's dialect.
    pub fn refresh_token(&self, user: &str, session: &str, token_id: &str) -> String {
        let mut claims = Map::new();
        claims.insert("exp".into(), (self.now + 86_400).into());
        claims.insert("fresh".into(), false.into());
        for (name, time) in [("iat", self.now), ("nbf", self.now)] {
            claims.insert(name.into(), time.into());
        }
        for (name, text) in [("jti", token_id), ("sid", session), ("sub", user), ("type", "refresh")] {
            claims.insert(name.into(), text.into());
        }
        sign(&self.key, &Map::new(), &claims)
    }

    /// One token.
    pub fn token(&mut self, forged: bool) -> String {
        self.next += 1;
        let mut claims = Map::new();
        claims.insert("exp".into(), (self.now + 86_400).into());
        claims.insert("iat".into(), self.now.into());
        claims.insert("nbf".into(), self.now.into());
        claims.insert("identity".into(), self.next.into());
        claims.insert("jti".into(), format!("{:032x}", self.next.wrapping_mul(0x9E37_79B9_7F4A_7C15)).into());
        if self.with_sessions {
            let began = Timestamp::from_seconds(i64::try_from(self.now).unwrap_or_default());
            claims.insert("sid".into(), SessionId::new(began, &self.next.to_string()).as_str().into());
        }
        // What is there so far, in base64, with header and signature.
        let have = 36 + 1 + (serde_json::to_string(&claims).map_or(0, |text| text.len()) * 4).div_ceil(3) + 1 + 43;
        let lacking = self.bytes.saturating_sub(have) * 3 / 4;
        if let Some(length) = lacking.checked_sub(r#","scope":"""#.len()) {
            let scope: String = "read:orders write:orders ".chars().cycle().take(length).collect();
            claims.insert("scope".into(), Value::String(scope));
        }
        sign(if forged { &self.forgers } else { &self.key }, &Map::new(), &claims)
    }

    /// Tokens for a use; `count` of them where they are used up.
    pub fn tokens(&mut self, how: Use, count: usize) -> Vec<String> {
        let count = match how {
            Use::Same => 1,
            Use::Once | Use::Forged => count,
            Use::Zipf => USERS,
            Use::None => 0,
        };
        (0..count).map(|_| self.token(how == Use::Forged)).collect()
    }
}

/// How many users there are in a draw by Zipf's law.
const USERS: usize = 1000;

/// `count` draws out of `users`, the n-th of whom is drawn with a weight of 1/n. The same ones every time.
pub fn zipf(users: usize, count: usize) -> Vec<u16> {
    let mut sum = 0.0;
    let cumulative: Vec<f64> = (1..=users)
        .map(|rank| {
            sum += 1.0 / rank as f64;
            sum
        })
        .collect();
    let mut random = fastrand::Rng::with_seed(1);
    (0..count)
        .map(|_| {
            let drawn = random.f64() * sum;
            let user = cumulative.partition_point(|&up_to| up_to <= drawn).min(users - 1);
            u16::try_from(user).expect("fewer users than 65,536")
        })
        .collect()
}

/// The `Authorization` headers of a load, in the order of its requests.
#[derive(Clone, Default)]
pub struct Supply {
    headers: Arc<[HeaderValue]>,
    order: Option<Arc<[u16]>>,
    once: bool,
}

impl Supply {
    /// Of these tokens.
    ///
    /// # Errors
    /// If one can't be in a header.
    pub fn new(how: Use, tokens: &[String], prefix: &str) -> Result<Self> {
        let header = |token: &String| HeaderValue::try_from(format!("{prefix} {token}"));
        Ok(Self {
            headers: tokens.iter().map(header).collect::<std::result::Result<_, _>>()?,
            order: (how == Use::Zipf).then(|| zipf(USERS, 1 << 16).into()),
            once: how.is_used_up(),
        })
    }

    /// The header of the request with this number, if there is any. `Err` if all were used up.
    pub fn get(&self, number: usize) -> Result<Option<&HeaderValue>, UsedUp> {
        if self.headers.is_empty() && !self.once {
            return Ok(None);
        }
        let at = match &self.order {
            Some(order) => order[number % order.len()].into(),
            None if self.once => number,
            None => number % self.headers.len(),
        };
        self.headers.get(at).map(Some).ok_or(UsedUp)
    }
}

/// Open sessions, each with the refresh token that it has now. Requests take one after the other, so that each session
/// goes on about as often as the others.
#[derive(Clone)]
pub struct Wheel(Arc<Mutex<VecDeque<HeaderValue>>>);

impl Wheel {
    /// Of these refresh tokens.
    ///
    /// # Errors
    /// If one can't be in a header.
    pub fn new(tokens: &[String]) -> Result<Self> {
        let tokens = tokens.iter().map(|token| bearer(token)).collect::<Result<_>>()?;
        Ok(Self(Arc::new(Mutex::new(tokens))))
    }

    /// The session that was used longest ago; nobody else has it meanwhile.
    ///
    /// # Errors
    /// If all are in use.
    pub fn take(&self) -> Result<HeaderValue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front().context("all sessions are in use")
    }

    /// Puts it back, with the refresh token that its answer has; without one in it the old one is still good.
    ///
    /// # Errors
    /// If the answer is no JSON.
    pub fn put(&self, token: HeaderValue, answer: &[u8]) -> Result<()> {
        let answer: Value = serde_json::from_slice(answer).context("an answer to a refresh")?;
        let next = answer.get("refresh_token").and_then(Value::as_str).map(bearer).transpose()?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(next.unwrap_or(token));
        Ok(())
    }
}

fn bearer(token: &str) -> Result<HeaderValue> {
    Ok(HeaderValue::try_from(format!("Bearer {token}"))?)
}

/// All tokens were used.
#[derive(Debug, PartialEq, Eq)]
pub struct UsedUp;

#[cfg(test)]
mod tests {
    use super::{Algorithm, Mint, Supply, Use, UsedUp, Wheel, zipf};

    #[test]
    fn tokens_are_as_long_as_asked_for_and_all_different() {
        for bytes in [250, 320, 1024, 4096] {
            let mut mint = Mint::new(bytes, Algorithm::Hs256).expect("a mint");
            let (one, other) = (mint.token(false), mint.token(true));
            assert!(one.len().abs_diff(bytes) <= 4, "{} for {bytes}", one.len());
            assert_ne!(one, other);
        }
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
    fn supplies_end_or_go_round() {
        let tokens = ["a".to_owned(), "b".to_owned()];
        let once = Supply::new(Use::Once, &tokens, "JWT").expect("headers");
        assert_eq!(once.get(1).expect("there").expect("a header"), "JWT b");
        assert_eq!(once.get(2), Err(UsedUp));
        let same = Supply::new(Use::Same, &tokens[..1], "Bearer").expect("headers");
        assert_eq!(same.get(5).expect("there").expect("a header"), "Bearer a");
        assert_eq!(Supply::new(Use::None, &[], "JWT").expect("headers").get(3), Ok(None));
    }

    #[test]
    fn sessions_take_turns_and_go_on_with_the_token_of_their_answer() {
        let sessions = Wheel::new(&["a".to_owned(), "b".to_owned()]).expect("headers");
        let (a, b) = (sessions.take().expect("one"), sessions.take().expect("another"));
        assert!(sessions.take().is_err());
        sessions.put(a, br#"{"access_token":"x","refresh_token":"c"}"#).expect("an answer");
        sessions.put(b, br#"{"access_token":"x"}"#).expect("an answer");
        assert_eq!(sessions.take().expect("one"), "Bearer c");
        assert_eq!(sessions.take().expect("another"), "Bearer b");
    }

    #[test]
    fn tokens_of_sessions_have_a_version_7_uuid() {
        let token = Mint::new(320, Algorithm::Hs256).expect("a mint").with_sessions().token(false);
        assert!(token.len().abs_diff(320) <= 4, "{}", token.len());
    }
}
