//! Flask-JWT-Extended's order of checks (facts: Flask-JWT-Extended 3), and its endpoints.

use super::{
    Admission, Answered, Ask, AskIdentity, BodyFault, Decision, Gate, Outcome, Purpose, Refused, pass, pass_with,
};
use crate::rules::{
    config::{Extended, Location},
    cookie::Jar,
    credential::extended::{MAX_BODY_BYTES, Sought, seek},
    error::{Absent, Refusal},
    handlers::TokenParts,
    identity::Identity,
    json::{Map, Value},
    request::Request,
    route::{Auth, Endpoint, ExtendedRule, Freshness, Invalid, Rule, UserFrom},
    time::{Span, Timestamp},
    token::{self, Failed, Fresh, Issue, Random, Signed, VerifiedToken},
    wire::{Answer, flask_jwt_extended},
};
use std::sync::Arc;

/// What came of the search for a token.
enum Search {
    /// It is good for what it is asked for.
    Found(VerifiedToken, Location),
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
                return Decision::Ask(Ask::TokenBody(AskTokenBody { gate: self, config, purpose: Asker::Rule(rule) }));
            }
            Search::Nowhere(_) if rule.auth == Auth::Optional => return pass(rule, Admission::Anonymous),
            Search::Nowhere(places) => Refusal::TokenNowhere(places).into(),
            Search::Failed(failed) => failed,
            Search::Found(token, location) => match rule.user {
                UserFrom::Stored => {
                    let purpose = Purpose::Rule(rule, location);
                    return Decision::Ask(Ask::Identity(AskIdentity { gate: self, purpose, token }));
                }
                UserFrom::Token => return self.admit_extended(config, rule, token.named(), token, location, now),
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
                    let token = match self.verify_extended(&token, csrf.as_deref(), now) {
                        Ok(token) => token,
                        Err(failed) => return Search::Failed(failed),
                    };
                    return match self.judge_session(asked, &token, now) {
                        Ok(()) => Search::Found(token, location),
                        Err(refusal) => Search::Failed(Failed { refusal, signed: Some(Signed::new(token)) }),
                    };
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

    /// Lets through; with new cookies, where the token came in one and is about to expire (facts 12: "refresh, browsers with
    /// cookies").
    pub(super) fn admit_extended<'g>(
        &'g self,
        config: &'g Extended,
        rule: &'g Rule,
        identity: Option<Arc<Identity>>,
        token: VerifiedToken,
        location: Location,
        now: Timestamp,
    ) -> Decision<'g> {
        let is_due = location == Location::Cookies
            && !rule.extended.refresh
            && token.expires().is_some_and(|exp| exp.is_before(now.plus(config.cookie_refresh_within), Span::ZERO));
        match identity {
            Some(identity) if is_due => {
                let purpose = For::Renewal { rule, token, identity };
                Decision::Ask(Ask::Random(AskRandom { gate: self, config, purpose }))
            }
            identity => self.admit(rule, identity, token, location),
        }
    }

    /// `POST /auth/refresh`: a new access token, not fresh, for a refresh token.
    pub(super) fn decide_refresh<'g>(&'g self, request: &Request<'_>, now: Timestamp) -> Decision<'g> {
        match self.config.extended() {
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
            Search::Body => Decision::Ask(Ask::TokenBody(AskTokenBody { gate: self, config, purpose: Asker::Refresh })),
            Search::Nowhere(places) => refuse_refresh(Refusal::TokenNowhere(places).into()),
            Search::Failed(failed) => refuse_refresh(failed),
            Search::Found(token, _) => {
                Decision::Ask(Ask::Identity(AskIdentity { gate: self, purpose: Purpose::Refresh, token }))
            }
        }
    }

    /// The user is looked up: who was deleted or disabled gets no new token.
    pub(super) fn refresh(&self, identity: Option<Identity>, token: VerifiedToken) -> Decision<'_> {
        match (identity, self.config.extended()) {
            (Some(identity), Some(config)) => {
                Decision::Ask(Ask::Random(AskRandom { gate: self, config, purpose: For::Refresh(identity) }))
            }
            _ => refuse_refresh(Failed { refusal: self.nobody(&token), signed: Some(Signed::new(token)) }),
        }
    }

    /// `POST /auth/logout`: takes the cookies away, as the documentation's example does; a token elsewhere the client
    /// forgets.
    pub(super) fn log_out(&self) -> Decision<'_> {
        let Some(config) = self.config.extended() else { return refuse_refresh(Refusal::NotFound.into()) };
        let mut jar = Jar::new();
        if config.uses_cookies() {
            jar.unset(config, false);
            jar.unset(config, true);
        }
        let answer = flask_jwt_extended::message("logout successful", &jar);
        Decision::Answer(Answered { answer, outcome: Outcome::Plain })
    }

    /// A new token, and its CSRF value if it has one: `create_access_token`, `create_refresh_token`.
    ///
    /// # Errors
    /// [`Refusal::Misconfigured`] in the other dialect, and without a key that signs.
    pub fn create_token(
        &self,
        identity: &Identity,
        new: New,
        random: &Random,
        now: Timestamp,
    ) -> Result<(String, Option<String>), Refusal> {
        let config = self.config.extended().ok_or(Refusal::Misconfigured)?;
        let handlers = &self.handlers;
        let mut more = new.claims;
        more.extend(handlers.additional_claims(identity));
        let usual = if new.refresh { config.refresh_expires } else { config.access_expires };
        let issue = Issue {
            refresh: new.refresh,
            fresh: if new.refresh { Fresh::No } else { new.fresh },
            expires: new.expires.unwrap_or(usual),
            identity_claim: self.config.tokens.policy().identity_claim(),
            identity: handlers.user_identity(identity, &self.config),
            more,
            now,
        };
        let (claims, csrf) = issue.claims(config, random);
        // A gate without a key that signs has no such endpoint, unless an application's own function says otherwise.
        let key = handlers.encode_key(identity, &self.config).ok_or(Refusal::Misconfigured)?;
        Ok((token::sign_sorted(key, &handlers.additional_headers(identity), &claims), csrf))
    }
}

/// What kind of token is made.
#[derive(Default)]
pub struct New {
    /// A refresh token?
    pub refresh: bool,
    /// Of an access token: the claim `fresh`.
    pub fresh: Fresh,
    /// How long it lives, `Some(None)` for ever, if not as long as the configuration says.
    pub expires: Option<Option<Span>>,
    /// More claims. Those of `additional_claims` come on top.
    pub claims: Map<String, Value>,
}

fn refuse_refresh<'g>(Failed { refusal, signed }: Failed) -> Decision<'g> {
    Decision::Refuse(Refused { refusal, rule: Some(Endpoint::Refresh.name()), signed })
}

/// Who wants the body.
enum Asker<'g> {
    Rule(&'g Rule),
    Refresh,
}

/// The body of a request, please: it may have a token or a CSRF value in it. What is let through must still have it.
pub struct AskTokenBody<'g> {
    gate: &'g Gate,
    config: &'g Extended,
    purpose: Asker<'g>,
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
            (Ok(body), Asker::Rule(rule)) => gate.decide_extended(config, rule, request, Some(body), now),
            (Ok(body), Asker::Refresh) => gate.refresh_with(config, request, Some(body), now),
            (Err(fault), Asker::Rule(rule)) => Decision::Refuse(Refused::new(fault.into(), Some(&rule.path))),
            (Err(fault), Asker::Refresh) => refuse_refresh(Refusal::from(fault).into()),
        }
    }
}

/// What new tokens are for.
enum For<'g> {
    LogIn(Identity),
    Refresh(Identity),
    /// A cookie's token is about to expire.
    Renewal {
        rule: &'g Rule,
        token: VerifiedToken,
        identity: Arc<Identity>,
    },
}

/// Random bytes for new tokens, please.
pub struct AskRandom<'g> {
    gate: &'g Gate,
    config: &'g Extended,
    purpose: For<'g>,
}

impl<'g> AskRandom<'g> {
    pub(super) fn log_in(gate: &'g Gate, config: &'g Extended, identity: Identity) -> Self {
        Self { gate, config, purpose: For::LogIn(identity) }
    }

    /// Goes on with bytes that nobody can guess.
    pub fn answer(self, random: &Random, now: Timestamp) -> Decision<'g> {
        let Self { gate, config, purpose } = self;
        match purpose {
            For::LogIn(identity) => {
                let answer = gate.grant(config, &identity, true, random, now);
                answered(answer, Endpoint::LogIn, Outcome::LoggedIn(identity.id))
            }
            For::Refresh(identity) => {
                let answer = gate.grant(config, &identity, false, random, now);
                answered(answer, Endpoint::Refresh, Outcome::Plain)
            }
            For::Renewal { rule, token, identity } => {
                let new = New { claims: added(&token), ..New::default() };
                let mut jar = Jar::new();
                // The request is good without a new token too.
                if let Ok((token, csrf)) = gate.create_token(&identity, new, random, now) {
                    jar.set(config, false, &token, csrf.as_deref(), now);
                }
                pass_with(rule, Admission::Verified { token, identity, location: Location::Cookies }, jar)
            }
        }
    }
}

impl Gate {
    /// The tokens of a log-in or a refresh.
    fn grant(
        &self,
        config: &Extended,
        identity: &Identity,
        is_log_in: bool,
        random: &Random,
        now: Timestamp,
    ) -> Result<Answer, Refusal> {
        let mut jar = Jar::new();
        let mut issue = |refresh, fresh| {
            let (token, csrf) = self.create_token(identity, New { refresh, fresh, ..New::default() }, random, now)?;
            if config.uses_cookies() {
                jar.set(config, refresh, &token, csrf.as_deref(), now);
            }
            Ok::<_, Refusal>(token)
        };
        let access = issue(false, if is_log_in { Fresh::Yes } else { Fresh::No })?;
        let refresh = (is_log_in && config.refresh_tokens).then(|| issue(true, Fresh::No)).transpose()?;
        let message = if is_log_in { "login successful" } else { "token refreshed" };
        Ok(flask_jwt_extended::grant(&access, refresh.as_deref(), message, config, &jar))
    }
}

fn answered<'g>(answer: Result<Answer, Refusal>, endpoint: Endpoint, outcome: Outcome) -> Decision<'g> {
    match answer {
        Ok(answer) => Decision::Answer(Answered { answer, outcome }),
        Err(refusal) => Decision::Refuse(Refused::new(refusal, Some(endpoint.name()))),
    }
}

/// The claims of a token that its successor has too: those that an application added.
fn added(token: &VerifiedToken) -> Map<String, Value> {
    let own = ["fresh", "iat", "jti", "type", "nbf", "csrf", "aud", "iss", "exp"];
    token.claims().into_iter().filter(|(name, _)| !own.contains(&name.as_str())).collect()
}
