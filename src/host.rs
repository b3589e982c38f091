//! The host: the I/O, clock and randomness that the gate's protocols need.
//!
//! **What always holds:** the rules do no other I/O, except through [`crate::Users`]. In workerd the host consists of
//! the worker's bindings, under axum of the application's stores, in tests of tables in memory; the protocols in
//! [`crate::rules::gate`] are the same on all of them.
//!
//! **What it does not do:** it makes no decision.

use crate::rules::{
    account::{Command, Lifetimes, Reply},
    ids::ObjectName,
    password::{HashJob, Hashed},
    rejection::{BodyRejection, Rejection, UnavailableRejection},
    revocation::Delta,
    time::{Duration, Timestamp},
};

/// The host of one request.
///
/// [`SendHost`] is the same trait with futures that are [`Send`], for servers with threads such as axum's. Implement it
/// where you can: every `SendHost` is a `Host`.
#[trait_variant::make(SendHost: Send)]
pub trait Host {
    /// The current time. It may go back, if the clock is set.
    fn now(&self) -> Timestamp;

    /// Fills `bytes` (at most 96) from a cryptographically secure generator. A request that is run again after its
    /// instance was lost gets the same bytes, call by call.
    fn random(&self, bytes: &mut [u8]);

    /// Reads the whole body of the request, of at most `limit` bytes. A body may be read once for each [`BodyUse`] and
    /// must have the same bytes each time. The origin or the application behind the gate must still be able to read it.
    ///
    /// # Errors
    /// [`BodyError`], the reason why the body could not be read; no part of it was used.
    async fn read_body(&self, used_for: BodyUse, limit: usize) -> Result<Vec<u8>, BodyError>;

    /// Counts one use of a rate limiter under this key; `false` if the limit is exceeded. Returns `true` if the limiter
    /// cannot be reached, since it is never the only defence.
    async fn within_limit(&self, limit: Limit<'_>, key: &str) -> bool;

    /// Sends a command to the object of this name and waits for the reply. The host gives the command an id, so that it
    /// is done once, even if the request is run again.
    ///
    /// # Errors
    /// If there is no reply; the command may have been done.
    async fn account(&self, object: &ObjectName, command: Command, lifetimes: &Lifetimes)
    -> Result<Reply, Unavailable>;

    /// The revocations after [`Delta::number`] `since`. Idempotent.
    ///
    /// # Errors
    /// If the revocation log cannot be reached.
    async fn revocations(&self, since: u64) -> Result<Delta, Unavailable>;

    /// Runs a [`HashJob`], which takes about a third of a second of CPU time for 600,000 iterations. A server with
    /// threads runs it where it blocks no other request.
    ///
    /// # Errors
    /// If the job could not be run.
    async fn hash_password(&self, job: HashJob) -> Result<Hashed, Unavailable>;

    /// Sends a request to another server. Redirects are not followed and nothing is cached.
    ///
    /// # Errors
    /// [`FetchError`], the reason why there is no answer. The other server may have acted on the request.
    async fn fetch(&self, request: Fetch) -> Result<Fetched, FetchError>;

    /// Waits for at least this duration.
    async fn sleep(&self, duration: Duration);
}

/// The error of a store or service that could not be reached, did not answer in time, or gave an answer that can't be
/// read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable;

/// The purpose for which a body is read. A host may limit the memory of all bodies, separately for each purpose, so
/// that neither exhausts the other's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyUse {
    /// The gate answers the request.
    Endpoint,
    /// The body may hold a token or a CSRF value; the request may be forwarded.
    Token,
}

/// The reason why a body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// The body is longer than the limit.
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The host is reading as many bodies as its memory allows.
    TooMany,
    /// The body ended early.
    Interrupted,
    /// The body did not arrive in time.
    TooSlow,
}

/// A rate limiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit<'b> {
    /// Log-ins and password changes, by address, device or user.
    Address,
    /// Passwords hashed, for the whole gate.
    Hashing,
    /// Requests under the rules whose `rate` is this binding, by user or address.
    Requests(&'b str),
}

/// A request to another server.
#[derive(Clone, Debug)]
pub struct Fetch {
    /// The absolute URL of a GET request.
    pub url: String,
    /// Header fields, names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// Maximum wait for the whole answer, body included.
    pub timeout: Duration,
    /// Maximum length of the answer's body, in bytes.
    pub max_bytes: usize,
}

/// The answer of another server.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The status code.
    pub status: u16,
    /// The whole body.
    pub body: Vec<u8>,
}

/// The reason why another server gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchError {
    /// The server could not be reached, or the connection broke.
    Unreachable,
    /// The answer took longer than [`Fetch::timeout`].
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
