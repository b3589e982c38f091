//! What the gate decides: the types that a host carries out.
//!
//! **What always holds:** an [`Authorized`] can only be made in this folder, with a [`Principal`] that says why the
//! request was let through.

use crate::rules::{
    answer::Answer,
    config::Location,
    cookie::Jar,
    identity::{Id, Identity},
    log::Event,
    rejection::Rejection,
    route::{Rule, Target},
    time::{Duration, Timestamp},
    token::{RejectedToken, SignedToken, VerifiedToken},
};
use std::sync::Arc;

/// Maximum time for a decision, everything that it waits for included; then 503. Whatever is held for an older one
/// belongs to a request that the runtime has cancelled.
pub const DECISION_TIMEOUT: Duration = Duration::seconds(60);

/// How far memory alone tells what is done with a request.
#[must_use]
pub enum Decided<'g, L> {
    /// This is done.
    Now(Decision<'g>),
    /// Something outside must be asked first.
    Later(L),
}

impl<'g, L> Decided<'g, L> {
    pub(super) fn map_later<M>(self, wrap: impl FnOnce(L) -> M) -> Decided<'g, M> {
        match self {
            Self::Now(decision) => Decided::Now(decision),
            Self::Later(waiting) => Decided::Later(wrap(waiting)),
        }
    }
}

/// What is done with a request.
#[must_use]
#[derive(Debug, PartialEq)]
pub enum Decision<'g> {
    /// It is rejected: [`super::Gate::answer_to`].
    Reject(Rejected<'g>),
    /// The gate itself answers it.
    Answer(Answered),
    /// The gate answers who the caller is: [`super::Gate::identity`].
    Identity(Authorized<'g>),
    /// It goes on to the static files.
    Assets(Authorized<'g>),
    /// It goes on to the origin.
    Forward(Authorized<'g>),
    /// It goes on to the code behind this gate, in an embedder's worker or server.
    Inner(Authorized<'g>),
}

impl<'g> Decision<'g> {
    /// Let through under a rule, with these cookies on the answer.
    pub(super) fn pass(rule: &'g Rule, principal: Principal, renewal: Jar) -> Self {
        let authorized = Authorized { rule, principal, renewal };
        match rule.to {
            Target::Origin => Self::Forward(authorized),
            Target::Assets => Self::Assets(authorized),
            Target::Worker => Self::Inner(authorized),
            Target::Identity => Self::Identity(authorized),
        }
    }
}

/// A rejection, and what its answer and log line need besides.
#[derive(Debug, PartialEq)]
pub struct Rejected<'g> {
    /// Why.
    pub rejection: Rejection,
    /// The pattern of the rule, or the name of the endpoint, if one was found.
    pub rule: Option<&'g str>,
    /// The token, if its signature was good: for Flask-JWT-Extended's loaders.
    pub signed: Option<SignedToken>,
    /// Cookies that go out with the rejection: a log-out removes them whatever else happens.
    pub jar: Jar,
}

impl<'g> Rejected<'g> {
    /// A rejection under a rule, or at an endpoint.
    #[must_use]
    pub const fn new(rejection: Rejection, rule: Option<&'g str>) -> Self {
        Self { rejection, rule, signed: None, jar: Jar::new() }
    }

    /// The same, under this rule or at this endpoint.
    pub(super) fn under(self, rule: &'g str) -> Self {
        Self { rule: Some(rule), ..self }
    }
}

impl<R: Into<Rejection>> From<R> for Rejected<'_> {
    fn from(rejection: R) -> Self {
        Self::new(rejection.into(), None)
    }
}

impl From<RejectedToken> for Rejected<'_> {
    fn from(RejectedToken { rejection, signed }: RejectedToken) -> Self {
        Self { signed, ..Self::new(rejection, None) }
    }
}

/// An answer of the gate's own.
#[derive(Debug, PartialEq)]
pub struct Answered {
    /// What is sent.
    pub answer: Answer,
    /// What happened, for the log.
    pub outcome: Outcome,
}

impl Answered {
    /// An answer that needs no line in the log.
    pub(super) fn plain(answer: Answer) -> Self {
        Self { answer, outcome: Outcome::Plain }
    }
}

/// What an answer of the gate's own stands for.
#[derive(Debug, PartialEq)]
pub enum Outcome {
    /// This user logged in.
    LoggedIn(Id),
    /// This user has a new password.
    PasswordChanged(Id),
    /// Nothing worth a line: OPTIONS, or an embedder's own `auth_request`.
    Plain,
}

/// Why a request is let through, and for whom.
#[derive(Clone, Debug, PartialEq)]
pub enum Principal {
    /// The rule has `auth = "none"`.
    Open,
    /// The rule has `auth = "optional"`, and there was no token.
    Anonymous,
    /// There was a good token.
    Verified {
        /// The token.
        token: VerifiedToken,
        /// The user.
        identity: Arc<Identity>,
        /// Where the token was found.
        location: Location,
    },
}

impl Principal {
    /// The user, if a token names one.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Verified { identity, .. } => Some(identity),
            Self::Open | Self::Anonymous => None,
        }
    }

    /// Where the token was found.
    #[must_use]
    pub fn location(&self) -> Option<Location> {
        match self {
            Self::Verified { location, .. } => Some(*location),
            Self::Open | Self::Anonymous => None,
        }
    }

    /// The token.
    #[must_use]
    pub fn token(&self) -> Option<&VerifiedToken> {
        match self {
            Self::Verified { token, .. } => Some(token),
            Self::Open | Self::Anonymous => None,
        }
    }
}

/// A request that is let through.
#[derive(Debug, PartialEq)]
pub struct Authorized<'g> {
    rule: &'g Rule,
    principal: Principal,
    renewal: Jar,
}

impl<'g> Authorized<'g> {
    /// The rule that lets it through.
    #[must_use]
    pub fn rule(&self) -> &'g Rule {
        self.rule
    }

    /// Why, and for whom.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The cookies that go out with the answer, whoever makes it: those of a new token, where the one that came in a
    /// cookie is about to expire.
    #[must_use]
    pub fn renewal(&self) -> &Jar {
        &self.renewal
    }

    /// When a WebSocket or event stream is to be closed (`close_at_expiry`): the token's `exp`.
    #[must_use]
    pub fn closes_at(&self) -> Option<Timestamp> {
        let expires = self.principal.token().filter(|_| self.rule.close_at_expiry)?.expires()?;
        Some(Timestamp::from_seconds(expires.seconds()))
    }

    /// The principal alone.
    #[must_use]
    pub fn into_principal(self) -> Principal {
        self.principal
    }

    /// For the log.
    #[must_use]
    pub fn event(&self) -> Event<'_> {
        Event::Passed { rule: &self.rule.path, subject: self.principal.identity().map(|identity| &identity.id) }
    }
}
