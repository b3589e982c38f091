//! The questions: what a decision waits for, and how it goes on with the answer.
//!
//! **What always holds:** each can be answered once, and only by what it asks for. How it goes on was said where it was
//! asked, so the way of a request reads from top to bottom there.

use super::{Decision, Gate, Rejected, login::declares_more};
use crate::rules::{
    account::{Command, Lifetimes, PasswordChange, Reply},
    identity::{Id, Identity},
    login::Credentials,
    rejection::{JwtError, Rejection},
    request::Request,
    revocation::{Age, Delta, Snapshot},
    secret::Secret,
    time::{Duration, Timestamp},
    token::{Random, VerifiedToken},
};

/// Poll interval and maximum polls while another request refreshes the snapshot.
const POLL_INTERVAL: Duration = Duration::A_MOMENT;
const MOST_MOMENTS: u32 = 40;

/// How a decision goes on with an answer.
type Then<'g, A> = Box<dyn FnOnce(&'g Gate, A, Timestamp) -> Decision<'g> + Send + 'g>;
/// The same, with what was borrowed for it.
type ThenOfBody<'g> = Box<dyn FnOnce(&'g Gate, Result<Vec<u8>, BodyFault>) -> Decision<'g> + Send + 'g>;
type ThenOfRandom<'g> = Box<dyn FnOnce(&'g Gate, &Random, Timestamp) -> Decision<'g> + Send + 'g>;

/// What a decision waits for.
pub enum Ask<'g> {
    /// The body of a log-in, or of another request that the gate answers itself.
    Body(AskBody<'g>),
    /// Are these a user's name and password? Flask-JWT's `authentication_handler`.
    Authenticate(AskAuthenticate<'g>),
    /// Who is it that this token names? Flask-JWT's `identity_handler`.
    Identity(AskIdentity<'g>),
    /// The body of a request that may have a token or a CSRF value in it.
    TokenBody(AskTokenBody<'g>),
    /// Random bytes, for new tokens.
    Random(AskRandom<'g>),
    /// Something that only one object knows.
    Account(AskAccount<'g>),
    /// Wait a moment.
    Pause(AskPause<'g>),
    /// Has there been too much of this lately?
    Limit(AskLimit<'g>),
    /// What has been revoked since?
    Revocations(AskRevocations<'g>),
    /// A new password for a user.
    Password(AskPassword<'g>),
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AskFault {
    /// The store or service can't be reached, or its answer can't be read.
    Unavailable,
    /// The embedder's function refuses in its own words.
    Rejected(JwtError),
}

/// Why a body could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFault {
    /// Longer than was asked for.
    TooLarge {
        /// How many bytes were asked for.
        limit: usize,
    },
    /// As many bodies as are held at once are being read.
    TooMany,
    /// It stopped before its end.
    Interrupted,
    /// It did not come in time.
    TooSlow,
}

/// The body of a request that the gate answers itself, please.
pub struct AskBody<'g> {
    gate: &'g Gate,
    limit: usize,
    then: ThenOfBody<'g>,
}

impl<'g> AskBody<'g> {
    /// No more bytes than this; reading stops there with [`BodyFault::TooLarge`].
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Goes on with the body.
    pub fn answer(self, body: Result<Vec<u8>, BodyFault>) -> Decision<'g> {
        (self.then)(self.gate, body)
    }
}

/// Are these a user's name and password?
pub struct AskAuthenticate<'g> {
    gate: &'g Gate,
    credentials: Credentials,
    then: Then<'g, Result<Option<Identity>, AskFault>>,
}

impl<'g> AskAuthenticate<'g> {
    /// What was sent.
    #[must_use]
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Goes on with who it is, `None` for nobody.
    pub fn answer(self, identity: Result<Option<Identity>, AskFault>, now: Timestamp) -> Decision<'g> {
        (self.then)(self.gate, identity, now)
    }
}

type OfIdentity<'g> =
    dyn FnOnce(&'g Gate, VerifiedToken, Result<Option<Identity>, AskFault>, Timestamp) -> Decision<'g> + Send + 'g;

/// Who is it that this token names?
pub struct AskIdentity<'g> {
    gate: &'g Gate,
    token: VerifiedToken,
    then: Box<OfIdentity<'g>>,
}

impl<'g> AskIdentity<'g> {
    /// The token; its claims are what Flask-JWT hands to an `identity_handler`.
    #[must_use]
    pub fn token(&self) -> &VerifiedToken {
        &self.token
    }

    /// The id in the claim that names somebody, if it is one.
    #[must_use]
    pub fn id(&self) -> Option<Id> {
        self.token.identity()
    }

    /// Goes on with who it is, `None` for nobody.
    pub fn answer(self, identity: Result<Option<Identity>, AskFault>, now: Timestamp) -> Decision<'g> {
        (self.then)(self.gate, self.token, identity, now)
    }
}

type OfTokenBody<'g> =
    dyn for<'b, 'r> FnOnce(&'g Gate, Result<&'b [u8], BodyFault>, &Request<'r>, Timestamp) -> Decision<'g> + Send + 'g;

/// The body of a request, please: it may have a token or a CSRF value in it. What is let through must still have it.
pub struct AskTokenBody<'g> {
    gate: &'g Gate,
    limit: usize,
    then: Box<OfTokenBody<'g>>,
}

impl<'g> AskTokenBody<'g> {
    /// No more bytes than this; reading stops there with [`BodyFault::TooLarge`].
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Goes on with the body of this request.
    pub fn answer(self, body: Result<&[u8], BodyFault>, request: &Request<'_>, now: Timestamp) -> Decision<'g> {
        (self.then)(self.gate, body, request, now)
    }
}

/// Random bytes for new tokens, please.
pub struct AskRandom<'g> {
    gate: &'g Gate,
    then: ThenOfRandom<'g>,
}

impl<'g> AskRandom<'g> {
    /// Goes on with bytes that nobody can guess.
    pub fn answer(self, random: &Random, now: Timestamp) -> Decision<'g> {
        (self.then)(self.gate, random, now)
    }
}

/// Something that only one object knows: what it is to do, and its name.
pub struct AskAccount<'g> {
    gate: &'g Gate,
    object: String,
    command: Command,
    lifetimes: Lifetimes,
    then: Then<'g, Result<Reply, AskFault>>,
}

impl<'g> AskAccount<'g> {
    /// The object's name.
    #[must_use]
    pub fn object(&self) -> &str {
        &self.object
    }

    /// What it is to do.
    #[must_use]
    pub fn command(&self) -> &Command {
        &self.command
    }

    /// How long things last there.
    #[must_use]
    pub fn lifetimes(&self) -> &Lifetimes {
        &self.lifetimes
    }

    /// Goes on with what it says.
    pub fn answer(self, reply: Result<Reply, AskFault>, now: Timestamp) -> Decision<'g> {
        (self.then)(self.gate, reply, now)
    }
}

/// What there can be too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Log-ins from one address.
    Address,
    /// Hashed passwords, of the whole gate.
    Hashing,
}

/// Has there been too much of this lately?
pub struct AskLimit<'g> {
    gate: &'g Gate,
    limit: Limit,
    key: String,
    then: Box<dyn FnOnce(&'g Gate, bool) -> Decision<'g> + Send + 'g>,
}

impl<'g> AskLimit<'g> {
    /// Of what.
    #[must_use]
    pub fn limit(&self) -> Limit {
        self.limit
    }

    /// Whose share of it.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Goes on: is there room for one more?
    pub fn answer(self, is_room: bool) -> Decision<'g> {
        (self.then)(self.gate, is_room)
    }
}

/// Wait a moment.
pub struct AskPause<'g> {
    gate: &'g Gate,
    span: Duration,
    then: Box<dyn FnOnce(&'g Gate, Timestamp) -> Decision<'g> + Send + 'g>,
}

impl<'g> AskPause<'g> {
    /// How long.
    #[must_use]
    pub fn span(&self) -> Duration {
        self.span
    }

    /// Goes on.
    pub fn answer(self, now: Timestamp) -> Decision<'g> {
        (self.then)(self.gate, now)
    }
}

/// What has been revoked since?
pub struct AskRevocations<'g> {
    gate: &'g Gate,
    then: Box<dyn FnOnce(&'g Gate, Timestamp) -> Decision<'g> + Send + 'g>,
}

impl<'g> AskRevocations<'g> {
    /// Since this [`Delta::number`].
    #[must_use]
    pub fn since(&self) -> u64 {
        self.gate.known_revocations()
    }

    /// Goes on with what the register says, an error if it can't be reached.
    pub fn answer(self, told: Result<Delta, AskFault>, now: Timestamp) -> Decision<'g> {
        match told {
            Ok(told) => self.gate.learn(&told, now),
            Err(_) => self.gate.revocations.iter().for_each(Snapshot::is_not_asked_for),
        }
        (self.then)(self.gate, now)
    }
}

/// A new password for a user, please: [`crate::Users::set_password`].
pub struct AskPassword<'g> {
    gate: &'g Gate,
    token: VerifiedToken,
    old: Option<Secret<String>>,
    new: Secret<String>,
    then: Then<'g, Result<PasswordChange, AskFault>>,
}

impl<'g> AskPassword<'g> {
    /// Whose.
    #[must_use]
    pub fn token(&self) -> &VerifiedToken {
        &self.token
    }

    /// The one that must be right, if one must.
    #[must_use]
    pub fn old(&self) -> Option<&Secret<String>> {
        self.old.as_ref()
    }

    /// The one to be.
    #[must_use]
    pub fn new_password(&self) -> &Secret<String> {
        &self.new
    }

    /// Goes on with what became of it.
    pub fn answer(self, change: Result<PasswordChange, AskFault>, now: Timestamp) -> Decision<'g> {
        (self.then)(self.gate, change, now)
    }
}

impl Gate {
    pub(super) fn ask_body<'g>(
        &'g self,
        limit: usize,
        then: impl FnOnce(&'g Gate, Result<Vec<u8>, BodyFault>) -> Decision<'g> + Send + 'g,
    ) -> Decision<'g> {
        Decision::Ask(Ask::Body(AskBody { gate: self, limit, then: Box::new(then) }))
    }

    pub(super) fn ask_authenticate<'g>(
        &'g self,
        credentials: Credentials,
        then: impl FnOnce(&'g Gate, Result<Option<Identity>, AskFault>, Timestamp) -> Decision<'g> + Send + 'g,
    ) -> Decision<'g> {
        Decision::Ask(Ask::Authenticate(AskAuthenticate { gate: self, credentials, then: Box::new(then) }))
    }

    pub(super) fn ask_identity<'g>(
        &'g self,
        token: VerifiedToken,
        then: impl FnOnce(&'g Gate, VerifiedToken, Result<Option<Identity>, AskFault>, Timestamp) -> Decision<'g>
        + Send
        + 'g,
    ) -> Decision<'g> {
        Decision::Ask(Ask::Identity(AskIdentity { gate: self, token, then: Box::new(then) }))
    }

    /// Reads a body that may hold a token, at most `TOLLGATE_TOKEN_BODY_LIMIT` bytes of it; one that declares more is
    /// refused without being read. `rule` is what the log says of a refusal.
    pub(super) fn ask_token_body<'g>(
        &'g self,
        request: &Request<'_>,
        rule: Option<&'g str>,
        then: impl for<'b, 'r> FnOnce(&'g Gate, &'b [u8], &Request<'r>, Timestamp) -> Decision<'g> + Send + 'g,
    ) -> Decision<'g> {
        let limit = self.config.token_body_limit;
        let refused = move |fault: BodyFault| Decision::Refuse(Rejected::new(fault.into(), rule));
        if declares_more(request, limit) {
            return refused(BodyFault::TooLarge { limit });
        }
        let then = move |gate: &'g Gate, body: Result<&[u8], BodyFault>, request: &Request<'_>, now| match body {
            Ok(body) => then(gate, body, request, now),
            Err(fault) => refused(fault),
        };
        Decision::Ask(Ask::TokenBody(AskTokenBody { gate: self, limit, then: Box::new(then) }))
    }

    pub(super) fn ask_random<'g>(
        &'g self,
        then: impl FnOnce(&'g Gate, &Random, Timestamp) -> Decision<'g> + Send + 'g,
    ) -> Decision<'g> {
        Decision::Ask(Ask::Random(AskRandom { gate: self, then: Box::new(then) }))
    }

    pub(super) fn ask_account<'g>(
        &'g self,
        object: String,
        command: Command,
        then: impl FnOnce(&'g Gate, Result<Reply, AskFault>, Timestamp) -> Decision<'g> + Send + 'g,
    ) -> Decision<'g> {
        let lifetimes = self.lifetimes();
        Decision::Ask(Ask::Account(AskAccount { gate: self, object, command, lifetimes, then: Box::new(then) }))
    }

    pub(super) fn ask_pause<'g>(
        &'g self,
        span: Duration,
        then: impl FnOnce(&'g Gate, Timestamp) -> Decision<'g> + Send + 'g,
    ) -> Decision<'g> {
        Decision::Ask(Ask::Pause(AskPause { gate: self, span, then: Box::new(then) }))
    }

    pub(super) fn ask_limit<'g>(
        &'g self,
        limit: Limit,
        key: String,
        then: impl FnOnce(&'g Gate, bool) -> Decision<'g> + Send + 'g,
    ) -> Decision<'g> {
        Decision::Ask(Ask::Limit(AskLimit { gate: self, limit, key, then: Box::new(then) }))
    }

    pub(super) fn ask_revocations<'g>(
        &'g self,
        now: Timestamp,
        then: impl FnOnce(&'g Gate, Timestamp) -> Decision<'g> + Send + 'g,
    ) -> Decision<'g> {
        self.ask_revocations_unless_asked(Box::new(then), MOST_MOMENTS, now)
    }

    /// One request asks for all that wait: a hundred thousand revocations need not be read by each.
    fn ask_revocations_unless_asked<'g>(
        &'g self,
        then: Box<dyn FnOnce(&'g Gate, Timestamp) -> Decision<'g> + Send + 'g>,
        moments: u32,
        now: Timestamp,
    ) -> Decision<'g> {
        let Some(snapshot) = &self.revocations else { return then(self, now) };
        if moments > 0 && snapshot.is_being_asked(now) {
            return self.ask_pause(POLL_INTERVAL, move |gate, now| match snapshot.age(now) {
                Age::TooOld => gate.ask_revocations_unless_asked(then, moments - 1, now),
                Age::Due | Age::Fresh => then(gate, now),
            });
        }
        snapshot.is_asked_for(now);
        Decision::Ask(Ask::Revocations(AskRevocations { gate: self, then }))
    }

    pub(super) fn ask_password<'g>(
        &'g self,
        token: VerifiedToken,
        old: Option<Secret<String>>,
        new: Secret<String>,
        then: impl FnOnce(&'g Gate, Result<PasswordChange, AskFault>, Timestamp) -> Decision<'g> + Send + 'g,
    ) -> Decision<'g> {
        Decision::Ask(Ask::Password(AskPassword { gate: self, token, old, new, then: Box::new(then) }))
    }
}

impl From<BodyFault> for Rejection {
    fn from(fault: BodyFault) -> Self {
        match fault {
            BodyFault::TooLarge { limit } => Self::BodyTooLarge { limit: Some(limit) },
            BodyFault::TooMany => Self::TooManyBodies,
            BodyFault::Interrupted => Self::BodyInterrupted,
            BodyFault::TooSlow => Self::BodyTooSlow,
        }
    }
}

impl From<AskFault> for Rejection {
    fn from(fault: AskFault) -> Self {
        match fault {
            AskFault::Unavailable => Self::StoreUnavailable,
            AskFault::Rejected(error) => Self::Custom(error),
        }
    }
}
