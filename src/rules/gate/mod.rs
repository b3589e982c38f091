//! Decides every request. The order of checks is the order of these files.
//!
//! **What always holds:** [`Gate::decide`] is synchronous and total. What it cannot tell from memory it returns as a
//! question ([`Ask`]); whoever has the answer hands it to the question, which decides further. So the whole protocol,
//! the slow ways included, runs natively in tests. A [`Authorized`] can only be made here, with an [`Principal`] that
//! says why it was let through.

mod admin;
mod ask;
mod login;
mod password;
mod sessions;
mod tokens;

pub use ask::{
    Ask, AskAccount, AskAuthenticate, AskBody, AskFault, AskIdentity, AskLimit, AskPassword, AskPause, AskRandom,
    AskRevocations, AskTokenBody, BodyFault, Limit,
};
pub use tokens::TokenSpec;

use super::{
    config::{Config, Dialect, Location},
    cookie::Jar,
    handlers::{Handlers, TokenParts},
    identity::{Id, Identity},
    log::Event,
    rejection::Rejection,
    request::Request,
    revocation::{RevocationStatus, Snapshot},
    route::{Auth, Endpoint, Found, Invalid, Revocation, Rule, Target, UserFrom},
    time::{Duration, Timestamp},
    token::{MAX_TOKEN_BYTES, Signed, VerifiedToken},
    wire::{Answer, flask_jwt, flask_jwt_extended},
};
use std::sync::Arc;

/// The longest time that a decision takes, all its questions included; then 503. Whatever is held for an older one is
/// of a request that the runtime has cancelled.
pub const DECISION_TIMEOUT: Duration = Duration::seconds(60);

/// What becomes of a request.
#[must_use]
pub enum Decision<'g> {
    /// Not let through.
    Refuse(Rejected<'g>),
    /// Answered by the gate itself.
    Answer(Answered),
    /// Told who it is: [`Gate::identity`].
    Identity(Authorized<'g>),
    /// On to the static files.
    Assets(Authorized<'g>),
    /// On to the origin.
    Forward(Authorized<'g>),
    /// On to the code behind this gate, in a worker or server of one's own.
    Inner(Authorized<'g>),
    /// Somebody must be asked first.
    Ask(Ask<'g>),
}

/// A refusal and the rule under which it was made.
#[derive(Debug, PartialEq)]
pub struct Rejected<'g> {
    /// Why.
    pub rejection: Rejection,
    /// The pattern of the rule, if one held.
    pub rule: Option<&'g str>,
    /// The token, if its signature was good: for Flask-JWT-Extended's loaders.
    pub signed: Option<Signed>,
    /// Cookies that go out with the refusal: a log-out takes them away whatever else it comes to.
    pub jar: Jar,
}

impl<'g> Rejected<'g> {
    /// A refusal under a rule.
    #[must_use]
    pub const fn new(rejection: Rejection, rule: Option<&'g str>) -> Self {
        Self { rejection, rule, signed: None, jar: Jar::new() }
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

/// What an answer of the gate's own stands for.
#[derive(Debug, PartialEq)]
pub enum Outcome {
    /// Somebody logged in.
    LoggedIn(Id),
    /// Somebody has a new password.
    PasswordChanged(Id),
    /// Nothing worth a line: OPTIONS, or an embedder's own `auth_request`.
    Plain,
}

/// Why a request is let through.
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
        /// Whose it is.
        identity: Arc<Identity>,
        /// Where it was found.
        location: Location,
    },
}

impl Principal {
    /// Who it is.
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

    /// The token that says so.
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
    /// Under which rule.
    #[must_use]
    pub fn rule(&self) -> &'g Rule {
        self.rule
    }

    /// Why.
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

    /// Why, to keep.
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

/// The gate: a configuration and what an application replaced.
pub struct Gate {
    config: Config,
    handlers: Box<dyn Handlers>,
    /// Where there are sessions.
    revocations: Option<Snapshot>,
}

impl Gate {
    /// A gate.
    pub fn new(config: Config, handlers: impl Handlers) -> Self {
        let revocations = config.bindings.sessions.then(|| Snapshot::new(config.sessions.max_staleness));
        Self { config, handlers: Box::new(handlers), revocations }
    }

    /// Its configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What becomes of a request. The order of checks is here and in what is called from here, top down.
    pub fn decide<'g>(&'g self, request: &Request<'_>, now: Timestamp) -> Decision<'g> {
        match self.config.routes.find(request.method, request.path) {
            Ok(Found::Rule(rule)) => self.decide_rule(rule, request, now),
            Ok(Found::Endpoint(Endpoint::Login)) => self.decide_login(request, now),
            Ok(Found::Endpoint(Endpoint::Refresh)) => self.decide_refresh(request, now),
            Ok(Found::Endpoint(Endpoint::Logout)) => self.decide_logout(request, now),
            Ok(Found::Endpoint(Endpoint::Admin)) => self.decide_admin(request, now),
            Ok(Found::Endpoint(
                endpoint @ (Endpoint::Sessions | Endpoint::Session | Endpoint::LogoutAll | Endpoint::Password),
            )) => self.decide_own_account(endpoint, request, now),
            Ok(Found::Endpoint(Endpoint::Keys)) => {
                let answer = Answer::keys(&self.config.tokens.keys().jwks(now.numeric_date()));
                Decision::Answer(Answered { answer, outcome: Outcome::Plain })
            }
            Ok(Found::Options(allow)) => {
                Decision::Answer(Answered { answer: flask_jwt::options(allow), outcome: Outcome::Plain })
            }
            Err(Rejection::MissingLastSlash { mut location }) => {
                location.extend(request.query.iter().flat_map(|query| ["?", query]));
                refuse_login(Rejection::MissingLastSlash { location })
            }
            Err(rejection) => Decision::Refuse(Rejected::new(rejection, None)),
        }
    }

    fn decide_rule<'g>(&'g self, rule: &'g Rule, request: &Request<'_>, now: Timestamp) -> Decision<'g> {
        // A rule that names OPTIONS lets an origin answer preflights, which never carry a token (Fetch §4.8).
        if rule.auth == Auth::None || request.method == "OPTIONS" {
            return pass(rule, Principal::Open);
        }
        if let Some(config) = self.config.flask_jwt_extended() {
            return self.decide_extended(config, rule, request, None, now);
        }
        let realm = rule.realm.as_deref().unwrap_or(&self.config.realm);
        match (self.verified(realm, request, now), rule.auth, rule.invalid) {
            (Ok(token), ..) => self.unless_revoked(rule, token, Location::Headers, now),
            (Err(Rejection::MissingToken { .. }), Auth::Optional, _) | (Err(_), Auth::Optional, Invalid::Anonymous) => {
                pass(rule, Principal::Anonymous)
            }
            (Err(rejection), ..) => refuse(rule, rejection),
        }
    }

    /// A token that is good in itself: was it revoked, and who is it?
    fn unless_revoked<'g>(
        &'g self,
        rule: &'g Rule,
        token: VerifiedToken,
        location: Location,
        now: Timestamp,
    ) -> Decision<'g> {
        if self.revocations.is_none() || rule.flask_jwt_extended.skip_revocation_check {
            return self.identify(rule, token, location, now);
        }
        let open = rule.revocation == Revocation::Snapshot { open: true };
        self.judged(token, open, now, move |gate, token, judgement, now| match (judgement, rule.revocation) {
            (RevocationStatus::Revoked, _) => gate.refuse_token(rule, Rejection::Revoked, token),
            (RevocationStatus::Unknown, _) => refuse(rule, Rejection::StoreUnavailable),
            // The snapshot alone knows of an end of everybody. The account remembers for ever what the register
            // forgets: a token without `exp` is good for ever if it is not asked about.
            (RevocationStatus::Good, Revocation::Strict) => gate.ask_whether_alive(rule, token, location),
            (RevocationStatus::Good, _) if token.expires().is_none() && gate.is_alive(&token, false).is_some() => {
                gate.ask_whether_alive(rule, token, location)
            }
            (RevocationStatus::Good, Revocation::Snapshot { .. }) => gate.identify(rule, token, location, now),
        })
    }

    /// Looks the user up, if the rule says so, and lets through.
    fn identify<'g>(
        &'g self,
        rule: &'g Rule,
        token: VerifiedToken,
        location: Location,
        now: Timestamp,
    ) -> Decision<'g> {
        if rule.user == UserFrom::Stored {
            return self.ask_identity(token, move |gate, token, identity, now| match identity {
                Ok(identity) => gate.admitted(rule, identity.map(Arc::new), token, location, now),
                Err(fault) => refuse(rule, fault.into()),
            });
        }
        self.admitted(rule, token.named(), token, location, now)
    }

    fn admitted<'g>(
        &'g self,
        rule: &'g Rule,
        identity: Option<Arc<Identity>>,
        token: VerifiedToken,
        location: Location,
        now: Timestamp,
    ) -> Decision<'g> {
        match self.config.flask_jwt_extended() {
            None => self.admit(rule, identity, token, location),
            Some(config) => self.admit_extended(config, rule, identity, token, location, now),
        }
    }

    /// A token that is refused under a rule.
    fn refuse_token<'g>(&'g self, rule: &'g Rule, rejection: Rejection, token: VerifiedToken) -> Decision<'g> {
        if rule.auth == Auth::Optional && rule.invalid == Invalid::Anonymous {
            return pass(rule, Principal::Anonymous);
        }
        Decision::Refuse(Rejected { signed: Some(Signed::new(token)), ..Rejected::new(rejection, Some(&rule.path)) })
    }

    fn admit<'g>(
        &'g self,
        rule: &'g Rule,
        identity: Option<Arc<Identity>>,
        token: VerifiedToken,
        location: Location,
    ) -> Decision<'g> {
        match identity {
            Some(identity) => pass(rule, Principal::Verified { token, identity, location }),
            None => self.refuse_token(rule, self.nobody(&token), token),
        }
    }

    /// Nobody is who a good token names.
    fn nobody(&self, token: &VerifiedToken) -> Rejection {
        match self.config.dialect {
            Dialect::FlaskJwt => Rejection::NoSuchUser,
            Dialect::FlaskJwtExtended(_) => {
                Rejection::UserNotLoaded { subject: token.identity().map(|id| id.to_string()).unwrap_or_default() }
            }
        }
    }

    fn verified(&self, realm: &str, request: &Request<'_>, now: Timestamp) -> Result<VerifiedToken, Rejection> {
        let token = self.handlers.request(request, &self.config, realm)?;
        let token = token.ok_or_else(|| Rejection::MissingToken { realm: realm.to_owned() })?;
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Rejection::TokenTooLong);
        }
        self.handlers.decode(&token, &self.config, now)
    }

    /// The answer to who it is.
    #[must_use]
    pub fn identity(&self, passage: &Authorized<'_>) -> Answer {
        match &self.config.dialect {
            Dialect::FlaskJwt => flask_jwt::identity(passage.principal.identity()),
            Dialect::FlaskJwtExtended(_) => {
                let named = passage.principal.token().and_then(VerifiedToken::identity);
                flask_jwt_extended::identity(named.as_ref(), passage.principal.identity(), &passage.renewal)
            }
        }
    }

    /// The body of that: all that tells two of these answers apart, unless there are cookies to renew.
    #[must_use]
    pub fn identity_text(&self, passage: &Authorized<'_>) -> String {
        match &self.config.dialect {
            Dialect::FlaskJwt => flask_jwt::identity_text(passage.principal.identity()),
            Dialect::FlaskJwtExtended(_) => {
                let named = passage.principal.token().and_then(VerifiedToken::identity);
                flask_jwt_extended::identity_text(named.as_ref(), passage.principal.identity())
            }
        }
    }

    /// How a refusal is answered, if nothing is known of a token.
    #[must_use]
    pub fn answer(&self, rejection: &Rejection) -> Answer {
        self.answer_to(&Rejected::new(rejection.clone(), None))
    }

    /// How a refusal is answered.
    #[must_use]
    pub fn answer_to(&self, refused: &Rejected<'_>) -> Answer {
        refused.jar.iter().fold(self.words(refused), |answer, cookie| answer.with("set-cookie", cookie))
    }

    fn words(&self, refused: &Rejected<'_>) -> Answer {
        match &self.config.dialect {
            Dialect::FlaskJwt if refused.rejection.is_jwt_error() => self.handlers.error(&refused.rejection),
            Dialect::FlaskJwt => flask_jwt::rejection(&refused.rejection),
            Dialect::FlaskJwtExtended(config) => {
                self.own_words(refused).unwrap_or_else(|| flask_jwt_extended::rejection(&refused.rejection, config))
            }
        }
    }

    /// What the application's own loader says, if it says anything (docs/compat/flask-jwt-extended.md#errors).
    fn own_words(&self, refused: &Rejected<'_>) -> Option<Answer> {
        let (header, payload) =
            refused.signed.as_ref().map(|token| (token.header(), token.claims())).unwrap_or_default();
        let token = TokenParts { header: &header, payload: &payload };
        match &refused.rejection {
            Rejection::Expired => self.handlers.expired_token(token),
            Rejection::NotFresh => self.handlers.needs_fresh_token(token),
            Rejection::Revoked | Rejection::RefreshReused => self.handlers.revoked_token(token),
            Rejection::ClaimsRejected => self.handlers.token_verification_failed(token),
            Rejection::UserNotLoaded { .. } => self.handlers.user_lookup_error(token),
            Rejection::BadCredentials | Rejection::Custom(_) => None,
            rejection if rejection.is_jwt_error() => {
                let text = flask_jwt_extended::text(rejection);
                let is_unauthorized =
                    matches!(rejection, Rejection::TokenNowhere(_) | Rejection::CsrfMissing | Rejection::CsrfMismatch);
                if is_unauthorized { self.handlers.unauthorized(&text) } else { self.handlers.invalid_token(&text) }
            }
            _ => None,
        }
    }
}

fn pass(rule: &Rule, principal: Principal) -> Decision<'_> {
    pass_with(rule, principal, Jar::new())
}

fn pass_with(rule: &Rule, principal: Principal, renewal: Jar) -> Decision<'_> {
    let passage = Authorized { rule, principal, renewal };
    match rule.to {
        Target::Origin => Decision::Forward(passage),
        Target::Assets => Decision::Assets(passage),
        Target::Worker => Decision::Inner(passage),
        Target::Identity => Decision::Identity(passage),
    }
}

fn refuse(rule: &Rule, rejection: Rejection) -> Decision<'_> {
    Decision::Refuse(Rejected::new(rejection, Some(&rule.path)))
}

fn refuse_login<'g>(rejection: Rejection) -> Decision<'g> {
    Decision::Refuse(Rejected::new(rejection, Some(Endpoint::Login.name())))
}

#[cfg(test)]
mod tests;
