//! Flask-JWT-Extended's order of checks (facts: Flask-JWT-Extended 3), and its endpoints.

use super::{Admission, Answered, Ask, AskIdentity, BodyFault, Decision, Gate, Outcome, Purpose, Refused, pass};
use crate::rules::{
    config::{Config, Dialect, Extended, Location},
    cookie::Jar,
    credential::extended::{MAX_BODY_BYTES, Sought, seek},
    error::{Absent, Refusal},
    handlers::TokenParts,
    identity::Identity,
    request::Request,
    route::{Auth, Endpoint, ExtendedRule, Freshness, Invalid, Rule, UserFrom},
    time::Timestamp,
    token::{self, Failed, Issue, Random, Signed, VerifiedToken},
    wire::flask_jwt_extended,
};

/// What came of the search for a token.
enum Search {
    Found(VerifiedToken),
    Nowhere(Vec<Absent>),
    Failed(Failed),
    /// Only the body can tell.
    Body,
}

impl Gate {
    pub(super) fn decide_extended<'g>(
        &'g self,
        config: &'g Extended,
        rule: &'g Rule,
        request: &Request<'_>,
        body: Option<&[u8]>,
        now: Timestamp,
    ) -> Decision<'g> {
        let failed = match self.search(config, &rule.extended, request, body, now) {
            Search::Body => {
                return Decision::Ask(Ask::TokenBody(AskTokenBody {
                    gate: self,
                    config,
                    purpose: Purpose::Rule(rule),
                }));
            }
            Search::Nowhere(_) if rule.auth == Auth::Optional => return pass(rule, Admission::Anonymous),
            Search::Nowhere(places) => Refusal::TokenNowhere(places).into(),
            Search::Failed(failed) => failed,
            Search::Found(token) => match self.judge_session(&rule.extended, &token, now) {
                Err(refusal) => Failed { refusal, signed: Some(Signed::new(token)) },
                Ok(()) => match rule.user {
                    UserFrom::Stored => {
                        let purpose = Purpose::Rule(rule);
                        return Decision::Ask(Ask::Identity(AskIdentity { gate: self, purpose, token }));
                    }
                    UserFrom::Token => return self.admit(rule, token.named(), token),
                },
            },
        };
        if rule.auth == Auth::Optional && rule.invalid == Invalid::Anonymous {
            return pass(rule, Admission::Anonymous);
        }
        Decision::Refuse(Refused { refusal: failed.refusal, rule: Some(&rule.path), signed: failed.signed })
    }

    /// In each place in turn; anything but "nothing here" ends the search (facts 3.1).
    fn search(
        &self,
        config: &Extended,
        asked: &ExtendedRule,
        request: &Request<'_>,
        body: Option<&[u8]>,
        now: Timestamp,
    ) -> Search {
        let locations: &[Location] = asked.locations.as_ref().unwrap_or(&config.locations);
        let mut absent = Vec::new();
        for &location in locations {
            match seek(location, request, body, config, asked.refresh) {
                Ok(Sought::Found { token, csrf }) => {
                    return self
                        .verify_extended(&token, csrf.as_deref(), now)
                        .map_or_else(Search::Failed, Search::Found);
                }
                Ok(Sought::Absent(place)) => absent.push(place),
                Ok(Sought::Body) => return Search::Body,
                Err(refusal) => return Search::Failed(refusal.into()),
            }
        }
        Search::Nowhere(absent)
    }

    fn verify_extended(&self, token: &str, csrf: Option<&str>, now: Timestamp) -> Result<VerifiedToken, Failed> {
        let Self { config, handlers } = self;
        if !handlers.has_decode_key() {
            return config.tokens.verify_with(token, csrf, None, now);
        }
        let choose = |header: &_, payload: &_| handlers.decode_key(TokenParts { header, payload });
        config.tokens.verify_with(token, csrf, Some(&choose), now)
    }

    /// Type, freshness, blocklist, verification, in this order (facts 3.4).
    fn judge_session(&self, asked: &ExtendedRule, token: &VerifiedToken, now: Timestamp) -> Result<(), Refusal> {
        let session = token.session().ok_or(Refusal::Internal)?;
        if asked.verify_type && session.refresh != asked.refresh {
            return Err(Refusal::WrongType { refresh: asked.refresh });
        }
        let is_fresh = session.fresh.is_fresh(now);
        let is_recent = |span| session.issued_at.is_some_and(|iat| !iat.is_before(now.numeric_date(), span));
        match asked.fresh {
            Freshness::Any => {}
            Freshness::Fresh if is_fresh => {}
            Freshness::Within(span) if is_fresh && is_recent(span) => {}
            Freshness::Fresh | Freshness::Within(_) => return Err(Refusal::NotFresh),
        }
        if self.handlers.looks_at_no_claims() {
            return Ok(());
        }
        let (header, payload) = (token.header(), token.claims_with_defaults());
        let parts = TokenParts { header: &header, payload: &payload };
        if !asked.skip_revocation_check && self.handlers.token_in_blocklist(parts) {
            return Err(Refusal::Revoked);
        }
        if !self.handlers.token_verification(parts) {
            return Err(Refusal::ClaimsRejected);
        }
        Ok(())
    }

    /// `POST /auth/refresh`: a new access token, not fresh, for a refresh token.
    pub(super) fn decide_refresh<'g>(&'g self, request: &Request<'_>, now: Timestamp) -> Decision<'g> {
        match extended(&self.config) {
            Some(config) => self.refresh_with(config, request, None, now),
            None => refuse_refresh(Refusal::NotFound.into()),
        }
    }

    fn refresh_with<'g>(
        &'g self,
        config: &'g Extended,
        request: &Request<'_>,
        body: Option<&[u8]>,
        now: Timestamp,
    ) -> Decision<'g> {
        let asked = ExtendedRule { refresh: true, ..ExtendedRule::default() };
        match self.search(config, &asked, request, body, now) {
            Search::Body => {
                Decision::Ask(Ask::TokenBody(AskTokenBody { gate: self, config, purpose: Purpose::Refresh }))
            }
            Search::Nowhere(places) => refuse_refresh(Refusal::TokenNowhere(places).into()),
            Search::Failed(failed) => refuse_refresh(failed),
            Search::Found(token) => match self.judge_session(&asked, &token, now) {
                Err(refusal) => refuse_refresh(Failed { refusal, signed: Some(Signed::new(token)) }),
                Ok(()) => Decision::Ask(Ask::Identity(AskIdentity { gate: self, purpose: Purpose::Refresh, token })),
            },
        }
    }

    /// The user is looked up: who was deleted or disabled gets no new token.
    pub(super) fn refresh(&self, identity: Option<Identity>, token: VerifiedToken) -> Decision<'_> {
        match (identity, extended(&self.config)) {
            (Some(identity), Some(config)) => {
                Decision::Ask(Ask::Random(AskRandom { gate: self, config, identity, is_log_in: false }))
            }
            _ => refuse_refresh(Failed { refusal: self.nobody(&token), signed: Some(Signed::new(token)) }),
        }
    }

    /// `POST /auth/logout`: takes the cookies away, as the documentation's example does; a token elsewhere the client
    /// forgets.
    pub(super) fn log_out(&self) -> Decision<'_> {
        let Some(config) = extended(&self.config) else { return refuse_refresh(Refusal::NotFound.into()) };
        let mut jar = Jar::new();
        if config.uses_cookies() {
            jar.unset(config, false);
            jar.unset(config, true);
        }
        let answer = flask_jwt_extended::message("logout successful", &jar);
        Decision::Answer(Answered { answer, outcome: Outcome::Plain })
    }

    /// A new token, and its CSRF value.
    fn issue(
        &self,
        config: &Extended,
        identity: &Identity,
        (refresh, fresh): (bool, bool),
        random: &Random,
        now: Timestamp,
    ) -> Result<(String, Option<String>), Refusal> {
        let handlers = &self.handlers;
        let issue = Issue {
            refresh,
            fresh,
            identity_claim: self.config.tokens.policy().identity_claim(),
            identity: handlers.user_identity(identity),
            more: handlers.additional_claims(identity),
            now,
        };
        let (claims, csrf) = issue.claims(config, random);
        // A gate without a key that signs has no such endpoint, unless an application's own function says otherwise.
        let key = handlers.encode_key(identity, &self.config).ok_or(Refusal::Misconfigured)?;
        Ok((token::sign_sorted(key, &handlers.additional_headers(identity), &claims), csrf))
    }
}

fn extended(config: &Config) -> Option<&Extended> {
    match &config.dialect {
        Dialect::Extended(extended) => Some(extended),
        Dialect::FlaskJwt => None,
    }
}

fn refuse_refresh<'g>(Failed { refusal, signed }: Failed) -> Decision<'g> {
    Decision::Refuse(Refused { refusal, rule: Some(Endpoint::Refresh.name()), signed })
}

/// The body of a request, please: it may have a token or a CSRF value in it. What is let through must still have it.
pub struct AskTokenBody<'g> {
    gate: &'g Gate,
    config: &'g Extended,
    purpose: Purpose<'g>,
}

impl<'g> AskTokenBody<'g> {
    /// No more bytes than this; reading stops there with [`BodyFault::TooLarge`].
    #[must_use]
    pub fn limit(&self) -> usize {
        MAX_BODY_BYTES
    }

    /// Goes on with the body of this request.
    pub fn answer(self, body: Result<&[u8], BodyFault>, request: &Request<'_>, now: Timestamp) -> Decision<'g> {
        let Self { gate, config, purpose } = self;
        match (body, purpose) {
            (Ok(body), Purpose::Rule(rule)) => gate.decide_extended(config, rule, request, Some(body), now),
            (Ok(body), Purpose::Refresh) => gate.refresh_with(config, request, Some(body), now),
            (Err(fault), Purpose::Rule(rule)) => Decision::Refuse(Refused::new(fault.into(), Some(&rule.path))),
            (Err(fault), Purpose::Refresh) => refuse_refresh(Refusal::from(fault).into()),
        }
    }
}

/// Random bytes for new tokens, please.
pub struct AskRandom<'g> {
    gate: &'g Gate,
    config: &'g Extended,
    identity: Identity,
    is_log_in: bool,
}

impl<'g> AskRandom<'g> {
    pub(super) fn log_in(gate: &'g Gate, config: &'g Extended, identity: Identity) -> Self {
        Self { gate, config, identity, is_log_in: true }
    }

    /// Goes on with bytes that nobody can guess.
    pub fn answer(self, random: &Random, now: Timestamp) -> Decision<'g> {
        let Self { gate, config, identity, is_log_in } = self;
        let issue = |refresh, fresh| gate.issue(config, &identity, (refresh, fresh), random, now);
        let refresh = (is_log_in && config.refresh_tokens).then(|| issue(true, false)).transpose();
        let ((access, csrf), refresh) = match (issue(false, is_log_in), refresh) {
            (Ok(access), Ok(refresh)) => (access, refresh),
            (Err(refusal), _) | (_, Err(refusal)) => {
                let endpoint = if is_log_in { Endpoint::LogIn } else { Endpoint::Refresh };
                return Decision::Refuse(Refused::new(refusal, Some(endpoint.name())));
            }
        };
        let mut jar = Jar::new();
        if config.uses_cookies() {
            jar.set(config, false, &access, csrf.as_deref(), now);
            if let Some((refresh, csrf)) = &refresh {
                jar.set(config, true, refresh, csrf.as_deref(), now);
            }
        }
        let refresh = refresh.as_ref().map(|(token, _)| token.as_str());
        let (message, outcome) = if is_log_in {
            ("login successful", Outcome::LoggedIn(identity.id))
        } else {
            ("token refreshed", Outcome::Plain)
        };
        let answer = flask_jwt_extended::grant(&access, refresh, message, config, &jar);
        Decision::Answer(Answered { answer, outcome })
    }
}
