//! What the gate's protocols need from their surroundings, in the protocols' own terms.
//!
//! **What always holds:** the rules call nothing else. In workerd a host is made of bindings, under axum of the
//! application's own stores, in tests of a table in memory; the protocols in [`crate::rules::gate`] are the same for
//! all of them.
//!
//! **What it does not do:** it makes no decision. Who the users are is asked of [`crate::Users`].

use crate::rules::{
    account::{Command, Lifetimes, Reply},
    ids::ObjectName,
    password::{HashJob, Hashed},
    rejection::{BodyRejection, Rejection, UnavailableRejection},
    revocation::Delta,
    time::{Duration, Timestamp},
};

/// The surroundings of one request.
///
/// [`SendHost`] is the same for servers with threads, such as axum's: its futures can be sent to another thread.
/// Implement that one where you can; whatever implements it is a `Host` too.
#[trait_variant::make(SendHost: Send)]
pub trait Host {
    /// The time of the clock, which may be set back.
    fn now(&self) -> Timestamp;

    /// Fills `bytes` (96 at most) from a generator fit for cryptography. A request that is run again after its instance
    /// was lost gets the bytes of before, call by call.
    fn random(&self, bytes: &mut [u8]);

    /// The whole body of the request, of `limit` bytes at most. A request may be read once for each use: both times it
    /// has the same bytes. Whoever the request is handed on to must still be able to read the body.
    ///
    /// # Errors
    /// Why there is no body; nothing of it was used then.
    async fn read_body(&self, used_for: BodyUse, limit: usize) -> Result<Vec<u8>, BodyError>;

    /// Counts one more use of a rate limiter, under this key; `false` if there were too many. A limiter that cannot be
    /// reached allows: it is never the only defence.
    async fn within_limit(&self, limit: Limit, key: &str) -> bool;

    /// Sends a command to the object of this name and waits for its reply. The host gives the command an id: it is done
    /// once, also when the request is run again.
    ///
    /// # Errors
    /// If there is no reply. The command may have been done.
    async fn account(&self, object: &ObjectName, command: Command, lifetimes: &Lifetimes)
    -> Result<Reply, Unavailable>;

    /// What was revoked after this [`Delta::number`]. Idempotent.
    ///
    /// # Errors
    /// If the revocation log cannot be reached.
    async fn revocations(&self, since: u64) -> Result<Delta, Unavailable>;

    /// Computes a password's hash: 600,000 rounds take a third of a second of CPU time. A server with threads does this
    /// where it holds up no other request.
    ///
    /// # Errors
    /// If nothing was computed.
    async fn hash_password(&self, job: HashJob) -> Result<Hashed, Unavailable>;

    /// Sends a request to another server. Redirects are not followed and nothing is cached.
    ///
    /// # Errors
    /// Why there is no answer. The other server may have acted on the request.
    async fn fetch(&self, request: Fetch) -> Result<Fetched, FetchError>;

    /// Waits at least this long.
    async fn sleep(&self, duration: Duration);
}

/// Something outside could not be reached, did not answer in time, or answered what cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable;

/// What a body is read for: each kind has memory of its own, so that neither keeps the other out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyUse {
    /// The gate itself answers the request.
    Endpoint,
    /// The body may hold a token or a CSRF value; the request may be handed on.
    Token,
}

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// It is longer than the limit.
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// As many bodies as are held at once are being read.
    TooMany,
    /// It stopped before its end.
    Interrupted,
    /// It did not come in time.
    TooSlow,
}

/// A rate limiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Log-ins, by address, device or user.
    Address,
    /// Passwords hashed by the whole gate.
    Hashing,
}

/// A request to another server.
#[derive(Clone, Debug)]
pub struct Fetch {
    /// The absolute URL of a GET request.
    pub url: String,
    /// Header fields, names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The longest wait for the whole answer, its body included.
    pub timeout: Duration,
    /// The longest body that is read, in bytes.
    pub max_bytes: usize,
}

/// An answer of another server.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The status code.
    pub status: u16,
    /// The whole body.
    pub body: Vec<u8>,
}

/// Why another server gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchError {
    /// It could not be reached, or the connection broke.
    Unreachable,
    /// It took too long.
    Timeout,
    /// The body is longer than [`Fetch::max_bytes`].
    TooLong,
}

impl From<BodyError> for Rejection {
    fn from(error: BodyError) -> Self {
        BodyRejection::from(error).into()
    }
}

impl From<BodyError> for BodyRejection {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge { limit } => Self::TooLarge { limit: Some(limit) },
            BodyError::TooMany => Self::TooMany,
            BodyError::Interrupted => Self::Interrupted,
            BodyError::TooSlow => Self::TooSlow,
        }
    }
}

impl From<Unavailable> for Rejection {
    fn from(_: Unavailable) -> Self {
        UnavailableRejection::Store.into()
    }
}
