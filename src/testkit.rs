//! Tokens, requests and a host in memory for an application's tests.
//!
//! ```
//! use tollgate::{DefaultHandlers, testkit::Kit};
//!
//! let kit = Kit::new(&[("ROUTES", r#"[{"path": "/protected", "to": "identity"}]"#)], DefaultHandlers);
//! assert_eq!(kit.get("/protected").bearing(&kit.token(1)).status(), 200);
//! assert_eq!(kit.get("/protected").bearing(&kit.expired(1)).status(), 401);
//! assert_eq!(kit.get("/protected").bearing(&kit.forged(1)).status(), 401);
//! assert_eq!(kit.get("/protected").status(), 401);
//! ```

// This module is the host in tests, which provides randomness.
#![allow(clippy::disallowed_methods)]

use crate::{
    accounts::{AccountStore, MemoryAccounts},
    host::{BodyError, BodyUse, Fetch, FetchError, Fetched, Limit, SendHost, Unavailable},
    rules::{
        account::{Command, Lifetimes, Reply},
        answer::Answer,
        config::Config,
        gate::{Continuation, Decided, Decision, Gate},
        hooks::Hooks,
        ids::ObjectName,
        json::{Map, Value},
        password::{HashJob, Hashed},
        request::{Headers, Request},
        revocation::Delta,
        secret::Secret,
        time::{Duration, Timestamp},
        token::{self, Algorithm, Key},
    },
    users::Users,
};
use futures_util::FutureExt;
use std::{
    borrow::Cow,
    sync::atomic::{AtomicU32, Ordering},
};

const SECRET: &str = "the secret of Tollgate's test kit, which everybody knows";
const OTHER_SECRET: &str = "another secret, which is not that of the gate in the kit";

/// A gate at a fixed time, with functions that make tokens and requests for it.
pub struct Kit {
    /// The gate.
    pub gate: Gate,
    /// The current time, for decisions and tokens.
    pub now: Timestamp,
}

impl Kit {
    /// A gate with these variables (texts, as in wrangler.toml) and a secret of the kit.
    ///
    /// # Panics
    /// If the configuration has problems; the message lists all of them.
    #[must_use]
    pub fn new(vars: &[(&str, &str)], hooks: impl Into<Hooks>) -> Self {
        let mut all = Map::new();
        all.insert("JWT_SECRET_KEY".into(), SECRET.into());
        all.extend(vars.iter().map(|&(name, value)| (name.into(), value.into())));
        match Config::read(&all).config {
            Ok(config) => Self { gate: Gate::new(config, hooks), now: Timestamp::from_seconds(1_800_000_000) },
            Err(problems) => panic!("{}", problems.iter().map(|problem| format!("\n{problem}")).collect::<String>()),
        }
    }

    /// A valid token of this user.
    pub fn token(&self, identity: impl Into<Value>) -> String {
        self.token_with(&Map::from_iter([("identity".into(), identity.into())]))
    }

    /// A valid token with these claims, which may replace `exp`, `iat` and `nbf`.
    ///
    /// # Panics
    /// If the gate has public keys only.
    #[must_use]
    pub fn token_with(&self, claims: &Map<String, Value>) -> String {
        self.signed(self.signing(), 0, claims)
    }

    /// A token of this user that expired an hour ago.
    pub fn expired(&self, identity: impl Into<Value>) -> String {
        let claims = Map::from_iter([("identity".into(), identity.into())]);
        self.signed(self.signing(), -3600 - 300, &claims)
    }

    /// A token of this user, signed with another secret than the gate's.
    ///
    /// # Panics
    /// Never: that secret is long enough.
    pub fn forged(&self, identity: impl Into<Value>) -> String {
        let secret = Secret::new(OTHER_SECRET.to_owned());
        let key = Key::symmetric(Algorithm::Hs256, &secret, None, false).expect("a long secret");
        self.signed(&key, 0, &Map::from_iter([("identity".into(), identity.into())]))
    }

    fn signing(&self) -> &Key {
        self.gate.config().tokens.keys().signing().expect("a key that signs")
    }

    fn signed(&self, key: &Key, shift: i64, claims: &Map<String, Value>) -> String {
        let now = self.now.numeric_date().seconds() + shift;
        let mut all: Map<String, Value> = [("exp", now + 300), ("iat", now), ("nbf", now)]
            .map(|(name, time)| (name.to_owned(), time.into()))
            .into_iter()
            .collect();
        all.extend(claims.clone());
        token::sign(key, &Map::new(), &all)
    }

    /// A GET request.
    #[must_use]
    pub fn get<'k>(&'k self, path: &'k str) -> TestRequest<'k> {
        self.request("GET", path)
    }

    /// A request with this method. `path` may have a query.
    #[must_use]
    pub fn request<'k>(&'k self, method: &'k str, path: &'k str) -> TestRequest<'k> {
        TestRequest { kit: self, method, path, headers: Vec::new() }
    }
}

/// A host in memory, at a fixed time. Its futures are ready at once; it has no rate limits, and fetches fail.
pub struct TestHost {
    /// The current time.
    pub now: Timestamp,
    /// The result of reading the body.
    pub body: Result<Vec<u8>, BodyError>,
    /// Sessions and revocations, for a configuration with sessions.
    pub accounts: MemoryAccounts,
}

/// The next command id, unique across hosts.
static COMMANDS: AtomicU32 = AtomicU32::new(0);

impl TestHost {
    /// The host of a request with this body, with accounts of its own.
    #[must_use]
    pub fn new(now: Timestamp, body: &[u8]) -> Self {
        Self { now, body: Ok(body.to_vec()), accounts: MemoryAccounts::default() }
    }

    /// The gate's final decision on a request.
    ///
    /// # Panics
    /// If a future of `users` is not ready at once.
    pub fn decide<'g>(&self, gate: &'g Gate, request: &Request<'_>, users: &impl Users) -> Decision<'g> {
        match gate.decide(request, self.now) {
            Decided::Now(decision) => decision,
            Decided::Later(continuation) => {
                gate.resume(continuation, self, users).now_or_never().expect("users that never wait")
            }
        }
    }
}

impl SendHost for TestHost {
    fn now(&self) -> Timestamp {
        self.now
    }

    fn random(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the system has randomness");
    }

    async fn read_body(&self, _: BodyUse, limit: usize) -> Result<Vec<u8>, BodyError> {
        self.body
            .clone()
            .and_then(|body| if body.len() > limit { Err(BodyError::TooLarge { limit }) } else { Ok(body) })
    }

    async fn within_limit(&self, _: Limit<'_>, _: &str) -> bool {
        true
    }

    async fn account(
        &self,
        object: &ObjectName,
        command: Command,
        lifetimes: &Lifetimes,
    ) -> Result<Reply, Unavailable> {
        // Hosts may share accounts, which do a command once for each id.
        let id = COMMANDS.fetch_add(1, Ordering::Relaxed).to_string();
        self.accounts.account(object, &id, command, lifetimes, self.now).await
    }

    async fn revocations(&self, since: u64) -> Result<Delta, Unavailable> {
        self.accounts.revocations(since, self.now).await
    }

    async fn hash_password(&self, job: HashJob) -> Result<Hashed, Unavailable> {
        Ok(job.run())
    }

    async fn fetch(&self, _: Fetch) -> Result<Fetched, FetchError> {
        Err(FetchError::Unreachable)
    }

    async fn sleep(&self, _: Duration) {}
}

/// A request to the kit's gate.
pub struct TestRequest<'k> {
    kit: &'k Kit,
    method: &'k str,
    path: &'k str,
    headers: Vec<(String, String)>,
}

impl<'k> TestRequest<'k> {
    /// Adds an `Authorization` header with this token.
    #[must_use]
    pub fn bearing(self, token: &str) -> Self {
        let prefix = self.kit.gate.config().header_prefix.clone();
        self.header("authorization", &format!("{prefix} {token}"))
    }

    /// Adds a header field; `name` in lower case.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The gate's decision, as far as it can be made without a host.
    pub fn decide(&self) -> Decided<'k, Continuation<'k>> {
        let (path, query) = self.path.split_once('?').map_or((self.path, None), |(path, query)| (path, Some(query)));
        self.kit.gate.decide(&Request { method: self.method, site: "", path, query, headers: self }, self.kit.now)
    }

    /// The gate's own answer; `None` if it authorizes the request or needs a host first.
    #[must_use]
    pub fn answer(&self) -> Option<Answer> {
        let Decided::Now(decision) = self.decide() else { return None };
        match decision {
            Decision::Reject(rejected) => Some(self.kit.gate.answer_to(&rejected)),
            Decision::Answer(answered) => Some(answered.answer),
            Decision::Identity(authorized) => Some(self.kit.gate.identity(&authorized)),
            Decision::Assets(_) | Decision::Forward(_) | Decision::Inner(_) => None,
        }
    }

    /// The status of the gate's own answer; 200 if it authorizes the request.
    ///
    /// # Panics
    /// If the decision needs a host: use [`Self::decide`] and [`Gate::resume`] then.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self.decide() {
            Decided::Later(_) => panic!("{} {} needs a host: use decide() and Gate::resume", self.method, self.path),
            Decided::Now(_) => self.answer().map_or(200, |answer| answer.status),
        }
    }
}

impl Headers for TestRequest<'_> {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str().into())
    }
}
