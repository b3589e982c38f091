//! The two libraries whose tokens, requests and answers the gate speaks: one folder each, behind one trait.
//!
//! **What always holds:** the dialect is chosen once, when a gate is made ([`of`]). Neither folder knows the other, and
//! nothing outside this folder asks which of the two is spoken to find, judge, issue or word anything.

mod choice;
pub mod flask_jwt;
pub mod flask_jwt_extended;
pub mod wording;

pub(super) use choice::of;
pub use choice::wording;
pub use flask_jwt::FlaskJwt;
pub use wording::Wording;

use super::{
    answer::Answer,
    config::{Config, Location},
    cookie::Jar,
    gate::{Principal, Rejected},
    identity::{Id, Identity},
    ids::SessionId,
    rejection::{InternalRejection, Rejection, TokenRejection},
    request::Request,
    route::{FlaskJwtExtendedRule, Rule},
    time::{Duration, Timestamp},
    token::{Freshness, Random, RejectedToken, SignedToken, TokenSpec, VerifiedToken},
};

/// What the two libraries do differently.
pub(super) trait Dialect: Send + Sync {
    // Finding and judging tokens.

    /// Searches a request for a token.
    fn search<'g>(
        &'g self,
        wanted: Wanted<'g>,
        request: &Request<'_>,
        config: &'g Config,
        now: Timestamp,
    ) -> Search<'g>;

    /// Searches a request for every token that a log-out ends. A cookie needs no CSRF value here: another site could
    /// take the cookies away just as well.
    fn search_all<'g>(&'g self, request: &Request<'_>, config: &'g Config, now: Timestamp) -> TokensToEnd<'g>;

    // Issuing tokens.

    /// The id by which tokens name a user; `None` if the application gives one that is not an id.
    fn user_id(&self, identity: &Identity, config: &Config) -> Option<Id>;

    /// Whether there is an endpoint that takes refresh tokens.
    fn has_refresh_endpoint(&self) -> bool;

    /// Whether log-ins issue refresh tokens.
    fn issues_refresh_tokens(&self) -> bool;

    /// The answer with new tokens.
    ///
    /// # Errors
    /// [`InternalRejection::Misconfigured`] if no key signs, or the application's claims lack a required one.
    fn grant(&self, grant: &Grant<'_>, config: &Config) -> Result<Answer, Rejection>;

    /// A new token, and its CSRF value if it has one.
    ///
    /// # Errors
    /// [`InternalRejection::Misconfigured`] if no key signs, or the dialect has no such tokens.
    fn create_token(
        &self,
        _identity: &Identity,
        _spec: TokenSpec,
        _config: &Config,
        _random: &Random,
        _now: Timestamp,
    ) -> Result<(String, Option<String>), Rejection> {
        Err(InternalRejection::Misconfigured.into())
    }

    /// How long tokens live at most.
    fn lifetimes(&self, config: &Config) -> TokenLifetimes;

    // Cookies with tokens.

    /// Whether the cookie that a token came in is about to expire, so that the answer gets new ones.
    fn is_renewal_due(&self, _rule: &Rule, _token: &VerifiedToken, _location: Location, _now: Timestamp) -> bool {
        false
    }

    /// The cookies of a new token in place of one that is about to expire; none if it can't be made. `until`: when the
    /// session ends at the latest.
    fn renewed_cookies(
        &self,
        _identity: &Identity,
        _token: &VerifiedToken,
        _session: Option<(&SessionId, Option<Timestamp>)>,
        _config: &Config,
        _random: &Random,
        _now: Timestamp,
    ) -> Jar {
        Jar::new()
    }

    /// The cookies that remove those with tokens.
    fn removed_cookies(&self) -> Jar {
        Jar::new()
    }

    // Answers.

    /// The application's own answer in place of a log-in.
    fn answer_login(&self, _request: &Request<'_>) -> Option<Answer> {
        None
    }

    /// The answer to a rejection.
    fn answer(&self, rejected: &Rejected<'_>) -> Answer;

    /// The body that says who the caller is.
    fn identity_body(&self, principal: &Principal) -> String;
}

/// What kind of token is searched for, and the realm of the challenge if there is none.
#[derive(Clone, Copy)]
pub struct Wanted<'g> {
    /// What a rule of Flask-JWT-Extended asks for.
    pub(super) rule: &'g FlaskJwtExtendedRule,
    /// Flask-JWT's realm.
    pub(super) realm: &'g str,
}

/// The outcome of a search.
pub(super) enum Search<'g> {
    /// It is over.
    Done(Presented),
    /// The token may be in the body.
    InBody(Box<dyn BodySearch + 'g>),
}

/// A search that goes on when the body is there. It owns what it needs of the request.
pub(super) trait BodySearch: Send + Sync {
    /// Goes on.
    fn read(self: Box<Self>, body: &[u8], now: Timestamp) -> Presented;
}

/// What the client presented.
pub(super) enum Presented {
    /// A token that is valid and of the type that was asked for. It may have been revoked.
    Token(VerifiedToken, Location),
    /// No token, and how that is rejected.
    Missing(Rejection),
    /// A token that is not accepted.
    Rejected(RejectedToken),
}

/// The tokens that a log-out found.
#[derive(Default)]
pub(super) struct TokensToEnd<'g> {
    /// Those with a valid signature.
    pub signed: Vec<SignedToken>,
    /// Whether one of them is in a cookie.
    pub in_cookie: bool,
    /// Why the first of the others is rejected; if there was no token at all, that it is missing.
    pub rejected: Option<RejectedToken>,
    /// What is still to be searched for in the body.
    pub in_body: Option<Box<dyn LogoutBody + 'g>>,
}

/// The part of a log-out's search that goes on when the body is there.
pub(super) trait LogoutBody: Send + Sync {
    /// Goes on, and adds the tokens that it finds.
    fn read(self: Box<Self>, found: &mut TokensToEnd<'_>, body: &[u8], now: Timestamp);
}

impl TokensToEnd<'_> {
    fn add(&mut self, token: Result<SignedToken, RejectedToken>, in_cookie: bool) {
        match token {
            Ok(token) => {
                self.signed.push(token);
                self.in_cookie |= in_cookie;
            }
            Err(rejected) => drop(self.rejected.get_or_insert(rejected)),
        }
    }

    fn reject(&mut self, rejection: impl Into<Rejection>) {
        self.rejected.get_or_insert_with(|| RejectedToken::unsigned(rejection));
    }

    fn has_any(&self) -> bool {
        !self.signed.is_empty() || self.rejected.is_some()
    }
}

/// What new tokens are made of.
pub(super) struct Grant<'i> {
    /// Whose tokens.
    pub identity: &'i Identity,
    /// The claim `fresh` of the access token.
    pub fresh: Freshness,
    /// Whether there is a refresh token too.
    pub with_refresh_token: bool,
    /// The text of an answer without a token in it.
    pub message: &'i str,
    /// The session, where there are any.
    pub session: Option<&'i SessionId>,
    /// No token lives longer.
    pub until: Option<Timestamp>,
    /// Randomness for ids and CSRF values.
    pub random: &'i Random,
    /// When they are issued.
    pub now: Timestamp,
}

impl<'i> Grant<'i> {
    /// After a log-in.
    pub(super) fn fresh(identity: &'i Identity, message: &'i str, random: &'i Random, now: Timestamp) -> Self {
        let fresh = Freshness::Fresh;
        Self { identity, fresh, with_refresh_token: true, message, session: None, until: None, random, now }
    }
}

/// How long tokens live at most; `None` for ever.
pub(super) struct TokenLifetimes {
    /// Access tokens.
    pub access: Option<Duration>,
    /// Refresh tokens; `None` if none are issued.
    pub refresh: Option<Option<Duration>>,
}

/// A token whose session may be ended: its signature is valid, if nothing else is. `read` reads it by its signature
/// alone.
fn signed(
    verified: Result<VerifiedToken, RejectedToken>,
    read: impl FnOnce() -> Result<SignedToken, TokenRejection>,
) -> Result<SignedToken, RejectedToken> {
    match verified {
        Ok(token) => Ok(token.into_signed()),
        Err(RejectedToken { signed: Some(signed), .. }) => Ok(signed),
        Err(rejected) => read().map_err(|_| rejected),
    }
}
