//! What the gate decides: the types that a host carries out.
//!
//! **What always holds:** an [`Authorized`] can only be made in this folder, with a [`Principal`] that says why the
//! request was let through.

use crate::rules::{
    answer::Answer,
    config::Location,
    cookie::Jar,
    identity::{Id, Identity},
    json::{Map, Value},
    log::Event,
    rejection::Rejection,
    route::{Rule, Target},
    time::Timestamp,
    token::{RejectedToken, SignedToken, VerifiedToken},
};
use std::sync::Arc;

/// The outcome of [`super::Gate::decide`].
#[must_use]
pub enum Decided<'g, L> {
    /// The decision.
    Now(Decision<'g>),
    /// What the host or the users must be asked before a decision.
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
    /// The request is rejected: [`super::Gate::answer_to`] makes the answer.
    Reject(Rejected<'g>),
    /// The gate answers the request itself.
    Answer(Answered),
    /// The gate answers who the caller is: [`super::Gate::identity`] makes the answer.
    Identity(Authorized<'g>),
    /// The request is answered by the static files.
    Assets(Authorized<'g>),
    /// The request is forwarded to the origin.
    Forward(Authorized<'g>),
    /// The request is passed to the code behind the gate, in an embedder's worker or server.
    Inner(Authorized<'g>),
}

impl<'g> Decision<'g> {
    /// Lets a request through under a rule. `renewal` are cookies for the answer.
    pub(super) fn pass(rule: &'g Rule, principal: Principal, renewal: Jar) -> Self {
        let authorized = Authorized { rule, principal, renewal };
        match &rule.to {
            Target::Origin(_) => Self::Forward(authorized),
            Target::Assets => Self::Assets(authorized),
            Target::Worker => Self::Inner(authorized),
            Target::Identity => Self::Identity(authorized),
        }
    }
}

impl Decision<'_> {
    /// For whom the request is let through; `None` if it is not.
    pub(super) fn principal(&self) -> Option<&Principal> {
        match self {
            Self::Reject(_) | Self::Answer(_) => None,
            Self::Identity(authorized)
            | Self::Assets(authorized)
            | Self::Forward(authorized)
            | Self::Inner(authorized) => Some(&authorized.principal),
        }
    }
}

/// A rejection, with what its answer and log line need.
#[derive(Debug, PartialEq)]
pub struct Rejected<'g> {
    /// The reason.
    pub rejection: Rejection,
    /// The pattern of the rule, or the name of the endpoint, if one was found.
    pub rule: Option<&'g str>,
    /// The token, if its signature is valid: for Flask-JWT-Extended's loaders.
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

    /// This rejection under a rule, or at an endpoint.
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

/// A request that the gate answers itself.
#[derive(Debug, PartialEq)]
pub struct Answered {
    /// The answer.
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

/// What happened at one of the gate's own endpoints, for the log.
#[derive(Debug, PartialEq)]
pub enum Outcome {
    /// This user logged in.
    LoggedIn(Id),
    /// This user has a new password.
    PasswordChanged(Id),
    /// Nothing is logged: OPTIONS, public keys, sessions, or an embedder's own `auth_request`.
    Plain,
}

/// Why a request is let through, and for whom.
#[derive(Clone, Debug, PartialEq)]
pub enum Principal {
    /// The rule has `auth = "none"`.
    Open,
    /// The rule has `auth = "optional"`, and there was no token.
    Anonymous,
    /// The token is valid and not revoked.
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
    /// The user that the token names; `None` without a token.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Verified { identity, .. } => Some(identity),
            Self::Open | Self::Anonymous => None,
        }
    }

    /// Where the token was found; `None` without a token.
    #[must_use]
    pub fn location(&self) -> Option<Location> {
        match self {
            Self::Verified { location, .. } => Some(*location),
            Self::Open | Self::Anonymous => None,
        }
    }

    /// For a worker's own code in JavaScript: `principal` (`verified`, `anonymous` or `open`) and, with a token,
    /// `subject`, `claims`, `session` if the token has one, and `user`, the attributes of a user who was looked up.
    #[must_use]
    pub fn to_json(&self) -> Map<String, Value> {
        let mut members = Map::new();
        let mut put = |name: &str, value: Value| drop(members.insert(name.to_owned(), value));
        match self {
            Self::Open => put("principal", "open".into()),
            Self::Anonymous => put("principal", "anonymous".into()),
            Self::Verified { token, identity, .. } => {
                put("principal", "verified".into());
                put("subject", identity.id.to_json());
                put("claims", token.claims().into());
                token.session_id().iter().for_each(|session| put("session", session.as_str().into()));
                put("user", identity.attributes.clone().into());
            }
        }
        members
    }

    /// The token; `None` if the request was let through without one.
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

    /// Why the request is let through, and for whom.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Cookies that the answer must carry, whoever makes it: those of a new token, if the token that came in a cookie
    /// is about to expire.
    #[must_use]
    pub fn renewal(&self) -> &Jar {
        &self.renewal
    }

    /// When a WebSocket or event stream must be closed: the token's `exp`, if the rule has `close_at_expiry`.
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

    /// The event that the log gets.
    #[must_use]
    pub fn event(&self) -> Event<'_> {
        Event::Passed { rule: &self.rule.path, subject: self.principal.identity().map(|identity| &identity.id) }
    }
}
