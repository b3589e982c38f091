//! The two Flask libraries with which the gate is compatible: one folder each, behind one trait.
//!
//! **What always holds:** the dialect is chosen once, when a gate is made (`choice.rs`). Neither folder imports the
//! other, and code outside this folder does not branch on the dialect to find, judge, issue or word anything.

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

/// What the two libraries do differently. A method with a body is one that only one of them overrides.
pub(super) trait Dialect: Send + Sync {
    // Finding and judging tokens.

    /// Searches a request for a token, verifies it, and judges it by the rule.
    fn search<'g>(
        &'g self,
        wanted: Wanted<'g>,
        request: &Request<'_>,
        config: &'g Config,
        now: Timestamp,
    ) -> Search<'g>;

    /// Verifies a token that came without a request, and judges it by the rule.
    fn judge(&self, token: &str, wanted: Wanted<'_>, config: &Config, now: Timestamp) -> Presented;

    /// Reads a token that is to be ended: its signature must be valid, its claims need not be.
    fn signed(&self, token: &str, config: &Config, now: Timestamp) -> Result<SignedToken, RejectedToken>;

    /// Searches a request for every token that a log-out ends. A cookie needs no CSRF value here: a forged log-out does
    /// no more than end the session.
    fn search_all<'g>(&'g self, request: &Request<'_>, config: &'g Config, now: Timestamp) -> TokensToEnd<'g>;

    // Issuing tokens.

    /// The id by which tokens name a user; `None` if the application's loader returns a value that is no id.
    fn user_id(&self, identity: &Identity, config: &Config) -> Option<Id>;

    /// Whether log-ins issue refresh tokens.
    fn issues_refresh_tokens(&self) -> bool;

    /// Whether a new access token of this user can have the claims that are made of attributes. Asked before something
    /// is done that can't be taken back.
    ///
    /// # Errors
    /// [`InternalRejection::ClaimsTooLong`]; in the dialect with cookies also those of [`Self::grant`].
    fn check_claims(&self, identity: &Identity, config: &Config, now: Timestamp) -> Result<(), Rejection>;

    /// Issues new tokens, and makes the answer that has them.
    ///
    /// # Errors
    /// [`InternalRejection::Misconfigured`] if no key can sign, or the application's claims lack a required one.
    fn grant(&self, grant: &Grant<'_>, config: &Config) -> Result<Answer, Rejection>;

    /// Issues one token; returns it, and its CSRF value if it has one.
    ///
    /// # Errors
    /// [`InternalRejection::Misconfigured`] if no key signs, or the dialect has no such function.
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

    /// The maximum lifetimes of tokens.
    fn lifetimes(&self, config: &Config) -> TokenLifetimes;

    // Cookies with tokens.

    /// Whether the answer must renew the cookie that a token came in, because it is about to expire.
    fn is_renewal_due(&self, _rule: &Rule, _token: &VerifiedToken, _location: Location, _now: Timestamp) -> bool {
        false
    }

    /// Whether answers renew the cookie that this token came in.
    fn is_renewed(&self, _rule: &Rule, _location: Location) -> bool {
        false
    }

    /// A new access token in place of one that came in a cookie, and its cookies; `None` if no token can be made.
    /// `session`: its id, and the latest time at which it ends.
    fn renewed(
        &self,
        _identity: &Identity,
        _token: &VerifiedToken,
        _session: Option<(&SessionId, Option<Timestamp>)>,
        _config: &Config,
        _random: &Random,
        _now: Timestamp,
    ) -> Option<(String, Jar)> {
        None
    }

    /// The cookies that remove those with tokens.
    fn removed_cookies(&self) -> Jar {
        Jar::new()
    }

    // Answers.

    /// An application's own answer in place of a log-in; `None` if it has none.
    fn answer_login(&self, _request: &Request<'_>) -> Option<Answer> {
        None
    }

    /// The answer to a rejection.
    fn answer(&self, rejected: &Rejected<'_>) -> Answer;

    /// The body that says who the caller is.
    fn identity_body(&self, principal: &Principal) -> String;
}

/// A rule's requirements for a token, and the realm of the challenge.
#[derive(Clone, Copy)]
pub struct Wanted<'g> {
    /// The rule's options of Flask-JWT-Extended: token type, freshness, locations.
    pub(super) rule: &'g FlaskJwtExtendedRule,
    /// The realm of Flask-JWT's challenge.
    pub(super) realm: &'g str,
}

/// The outcome of a search.
pub(super) enum Search<'g> {
    /// The search is complete.
    Done(Presented),
    /// The token may be in the body, which must be read first.
    InBody(Box<dyn BodySearch + 'g>),
}

/// A search that needs the body. It owns what it needs of the request.
pub(super) trait BodySearch: Send + Sync {
    /// Completes the search.
    fn read(self: Box<Self>, body: &[u8], now: Timestamp) -> Presented;
}

/// What the client presented.
pub(super) enum Presented {
    /// A valid token that satisfies the rule. It may have been revoked.
    Token(VerifiedToken, Location),
    /// No token; the rejection says so.
    Missing(Rejection),
    /// A token that is not accepted.
    Rejected(RejectedToken),
}

/// The tokens that a log-out found.
#[derive(Default)]
pub(super) struct TokensToEnd<'g> {
    /// Tokens with a valid signature.
    pub signed: Vec<SignedToken>,
    /// Whether one of `signed` came in a cookie.
    pub in_cookie: bool,
    /// The rejection of the first token without a valid signature, or of the request if it has no token.
    pub rejected: Option<RejectedToken>,
    /// The rest of the search, if it needs the body.
    pub in_body: Option<Box<dyn LogoutBody + 'g>>,
}

/// The part of a log-out's search that needs the body.
pub(super) trait LogoutBody: Send + Sync {
    /// Completes the search, and adds the tokens that it finds.
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

/// The contents of new tokens.
pub(super) struct Grant<'i> {
    /// The user.
    pub identity: &'i Identity,
    /// The claim `fresh` of the access token.
    pub fresh: Freshness,
    /// Whether there is a refresh token too.
    pub with_refresh_token: bool,
    /// The text of an answer whose tokens are in cookies.
    pub message: &'i str,
    /// The session; `None` without sessions.
    pub session: Option<&'i SessionId>,
    /// The latest `exp`: the end of the session. `None` if there is no such limit.
    pub until: Option<Timestamp>,
    /// Randomness for ids and CSRF values.
    pub random: &'i Random,
    /// When they are issued.
    pub now: Timestamp,
}

impl<'i> Grant<'i> {
    /// The grant after a log-in.
    pub(super) fn after_login(identity: &'i Identity, message: &'i str, random: &'i Random, now: Timestamp) -> Self {
        let fresh = Freshness::Fresh;
        Self { identity, fresh, with_refresh_token: true, message, session: None, until: None, random, now }
    }
}

/// The maximum lifetimes of tokens; `None` for tokens without `exp`.
pub(super) struct TokenLifetimes {
    /// Access tokens.
    pub access: Option<Duration>,
    /// Refresh tokens. The outer `None`: none are issued; the inner: they have no `exp`.
    pub refresh: Option<Option<Duration>>,
}

/// The token for a log-out. A token that fails verification for another reason than its signature still ends its
/// session: `read` checks the signature alone. If that fails too, the first rejection stands.
fn signed_at_least(
    verified: Result<VerifiedToken, RejectedToken>,
    read: impl FnOnce() -> Result<SignedToken, TokenRejection>,
) -> Result<SignedToken, RejectedToken> {
    match verified {
        Ok(token) => Ok(token.into_signed()),
        Err(RejectedToken { signed: Some(signed), .. }) => Ok(signed),
        Err(rejected) => read().map_err(|_| rejected),
    }
}
