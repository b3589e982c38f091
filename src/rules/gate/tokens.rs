//! Flask-JWT-Extended's order of checks (docs/compat/flask-jwt-extended.md#order-of-checks), and its endpoints.

use super::{
    Answered, Decision, Gate, Outcome, Principal, Rejected,
    login::{Grant, capped, link, random_of},
    pass, pass_with,
    sessions::refuse,
};
use crate::rules::{
    account::{Command, Reply},
    config::{FlaskJwtExtended, Location},
    cookie::Jar,
    credential::flask_jwt_extended::{Sought, seek},
    handlers::TokenParts,
    identity::Identity,
    json::{Map, Value},
    rejection::{Absent, Rejection},
    request::Request,
    revocation::RevocationStatus,
    route::{Auth, Endpoint, FlaskJwtExtendedRule, Invalid, RequiredFreshness, Rule},
    time::{Duration, Timestamp},
    token::{self, ClaimsBuilder, Failed, Freshness, Random, SessionClaims, VerifiedToken},
    wire::Answer,
};
use std::sync::Arc;

/// What came of the search for a token.
pub(super) enum Search {
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
        config: &'g FlaskJwtExtended,
        rule: &'g Rule,
        request: &Request<'_>,
        body: Option<&[u8]>,
        now: Timestamp,
    ) -> Decision<'g> {
        let failed = match self.search(config, &rule.flask_jwt_extended, request, body, now) {
            Search::Body => {
                return self.ask_token_body(request, Some(&rule.path), move |gate, body, request, now| {
                    gate.decide_extended(config, rule, request, Some(body), now)
                });
            }
            Search::Nowhere(_) if rule.auth == Auth::Optional => return pass(rule, Principal::Anonymous),
            Search::Nowhere(places) => Rejection::TokenNowhere(places).into(),
            Search::Failed(failed) => failed,
            // A browser sends cookies with a handshake from any page, and has no CORS check for what that page reads.
            Search::Found(_, Location::Cookies) if request.is_web_socket() && !self.is_from_own_page(request) => {
                return Decision::Refuse(Rejected::new(Rejection::ForeignSocket, Some(&rule.path)));
            }
            Search::Found(token, location) => return self.unless_revoked(rule, token, location, now),
        };
        if rule.auth == Auth::Optional && rule.invalid == Invalid::Anonymous {
            return pass(rule, Principal::Anonymous);
        }
        Decision::Refuse(Rejected { signed: failed.signed, ..Rejected::new(failed.rejection, Some(&rule.path)) })
    }

    /// Does the request come from a page of the gate's own origin (RFC 6454 §7)?
    fn is_from_own_page(&self, request: &Request<'_>) -> bool {
        let own = self.config.public_url.as_deref().unwrap_or(request.site);
        let sent = request.headers.get("origin").unwrap_or_default();
        // A server that does not know its scheme compares hosts alone.
        let sent = if own.contains("://") { &*sent } else { sent.split_once("://").map_or("", |(_, host)| host) };
        !own.is_empty() && sent.eq_ignore_ascii_case(own)
    }

    /// In each place in turn; anything but "nothing here" ends the search
    /// (docs/compat/flask-jwt-extended.md#finding-the-token, steps 2 to 5).
    pub(super) fn search(
        &self,
        config: &FlaskJwtExtended,
        asked: &FlaskJwtExtendedRule,
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
                        Err(rejection) => Search::Failed(Failed::of(rejection, token)),
                    };
                }
                Ok(Sought::Absent(place)) => absent.push(place),
                Ok(Sought::Body) => return Search::Body,
                Err(rejection) => return Search::Failed(rejection.into()),
            }
        }
        Search::Nowhere(absent)
    }

    pub(super) fn verify_extended(
        &self,
        token: &str,
        csrf: Option<&str>,
        now: Timestamp,
    ) -> Result<VerifiedToken, Failed> {
        let Self { config, handlers, .. } = self;
        if !handlers.has_decode_key() {
            return config.tokens.verify_with(token, csrf, None, now);
        }
        let choose = |header: &_, payload: &_| handlers.decode_key(TokenParts { header, payload });
        config.tokens.verify_with(token, csrf, Some(&choose), now)
    }

    /// Type, freshness, blocklist, verification, in this order (docs/compat/flask-jwt-extended.md#judging-the-token,
    /// steps 1 to 4).
    fn judge_session(
        &self,
        asked: &FlaskJwtExtendedRule,
        token: &VerifiedToken,
        now: Timestamp,
    ) -> Result<(), Rejection> {
        let session = token.session().ok_or(Rejection::Internal)?;
        if asked.verify_type && session.refresh != asked.refresh {
            return Err(Rejection::WrongType { refresh: asked.refresh });
        }
        let is_fresh = session.fresh.is_fresh(now);
        let is_recent = |span| session.issued_at.is_some_and(|iat| !iat.is_before(now.numeric_date(), span));
        match asked.fresh {
            RequiredFreshness::Any => {}
            RequiredFreshness::Fresh if is_fresh => {}
            RequiredFreshness::Within(span) if is_fresh && is_recent(span) => {}
            RequiredFreshness::Fresh | RequiredFreshness::Within(_) => return Err(Rejection::NotFresh),
        }
        if self.handlers.looks_at_no_claims() {
            return Ok(());
        }
        let (header, payload) = (token.header(), token.claims_with_defaults());
        let parts = TokenParts { header: &header, payload: &payload };
        if !asked.skip_revocation_check && self.handlers.token_in_blocklist(parts) {
            return Err(Rejection::Revoked);
        }
        if !self.handlers.token_verification(parts) {
            return Err(Rejection::ClaimsRejected);
        }
        Ok(())
    }

    /// Lets through; with new cookies, where the token came in one and is about to expire
    /// (docs/compat/flask-jwt-extended.md#implicit-refresh).
    pub(super) fn admit_extended<'g>(
        &'g self,
        config: &'g FlaskJwtExtended,
        rule: &'g Rule,
        identity: Option<Arc<Identity>>,
        token: VerifiedToken,
        location: Location,
        now: Timestamp,
    ) -> Decision<'g> {
        let is_due = location == Location::Cookies
            && !rule.flask_jwt_extended.refresh
            && token.expires().is_some_and(|exp| exp.is_before(now.plus(config.cookie_refresh_within), Duration::ZERO));
        match identity {
            Some(identity) if is_due => self.renew(rule, identity, token),
            identity => self.admit(rule, identity, token, location),
        }
    }

    /// Lets through with the cookies of a new token; where there are sessions, if the account says that this one goes
    /// on.
    fn renew<'g>(&'g self, rule: &'g Rule, identity: Arc<Identity>, token: VerifiedToken) -> Decision<'g> {
        let renewed = move |gate: &'g Self, identity: Arc<Identity>, token: VerifiedToken| {
            gate.ask_random(move |gate, random, now| {
                let jar = gate.renewed(&identity, &token, random, now);
                pass_with(rule, Principal::Verified { token, identity, location: Location::Cookies }, jar)
            })
        };
        match self.is_alive(&token, true) {
            None => renewed(self, identity, token),
            Some((object, command)) => self.ask_account(object, command, move |gate, reply, _| match reply {
                Ok(Reply::Alive) => renewed(gate, identity, token),
                Ok(_) => gate.refuse_token(rule, Rejection::Revoked, token),
                // The request is good without a new token too.
                Err(_) => pass(rule, Principal::Verified { token, identity, location: Location::Cookies }),
            }),
        }
    }

    /// The cookies of a new token in place of one that is about to expire; none if it can't be made.
    fn renewed(&self, identity: &Identity, token: &VerifiedToken, random: &Random, now: Timestamp) -> Jar {
        let mut jar = Jar::new();
        let Some(config) = self.config.flask_jwt_extended() else { return jar };
        let (session, _) = token.session_and_id();
        let until = session.as_deref().and_then(|session| self.ends_at_last(session));
        let expires =
            until.filter(|_| self.revocations.is_some()).map(|until| capped(config.access_expires, now, until));
        let session = session.filter(|_| self.revocations.is_some());
        // Requests that are under way carry the CSRF value of before.
        let csrf = token.session().and_then(SessionClaims::csrf).map(str::to_owned);
        let new = TokenSpec { claims: added(token), expires, session, csrf, ..TokenSpec::default() };
        if let Ok((token, csrf)) = self.create_token(identity, new, random, now) {
            jar.set(config, false, &token, csrf.as_deref(), now);
        }
        jar
    }

    /// `POST /auth/refresh`: a new access token, not fresh, for a refresh token; where refresh tokens rotate, a new one
    /// of those too.
    pub(super) fn decide_refresh<'g>(&'g self, request: &Request<'_>, now: Timestamp) -> Decision<'g> {
        if self.config.flask_jwt_extended().is_none() {
            return refuse_refresh(Rejection::NotFound.into());
        }
        self.with_token(Endpoint::Refresh, request, None, now, |gate, token, _, now| {
            gate.judged(token, false, now, |gate, token, judgement, _| match judgement {
                RevocationStatus::Good => gate.refresh(token),
                RevocationStatus::Revoked => refuse_refresh(Failed::of(Rejection::Revoked, token)),
                RevocationStatus::Unknown => refuse_refresh(Rejection::StoreUnavailable.into()),
            })
        })
    }

    /// The user is looked up: who was deleted or disabled gets no new token.
    fn refresh(&self, token: VerifiedToken) -> Decision<'_> {
        self.ask_identity(token, |gate, token, identity, _| match identity {
            Ok(Some(identity)) if gate.revocations.is_some() && gate.config.sessions.rotation => {
                gate.rotate(identity, token)
            }
            Ok(Some(identity)) => gate.refresh_without_rotation(identity, token),
            Ok(None) => refuse_refresh(Failed::of(gate.nobody(&token), token)),
            Err(fault) => refuse_refresh(Rejection::from(fault).into()),
        })
    }

    /// Flask-JWT-Extended's own way; where there are sessions, if the account says that this one goes on.
    fn refresh_without_rotation(&self, identity: Identity, token: VerifiedToken) -> Decision<'_> {
        let Some((object, command)) = self.is_alive(&token, true) else {
            return self.ask_random(move |gate, random, now| gate.refreshed(&identity, None, None, false, random, now));
        };
        self.ask_account(object, command, move |gate, reply, _| match reply {
            Ok(Reply::Alive) => gate.ask_random(move |gate, random, now| {
                let (session, _) = token.session_and_id();
                let until = session.as_deref().and_then(|session| gate.ends_at_last(session));
                gate.refreshed(&identity, session.as_deref(), until, false, random, now)
            }),
            Ok(_) => refuse_refresh(Failed::of(Rejection::Revoked, token)),
            Err(fault) => refuse_refresh(Rejection::from(fault).into()),
        })
    }

    /// The account's object decides: the tokens are made of what it says, so that a retry gets the very same.
    fn rotate(&self, identity: Identity, token: VerifiedToken) -> Decision<'_> {
        self.ask_random(move |gate, random, now| {
            let refused = |rejection, token| refuse_refresh(Failed::of(rejection, token));
            let ((Some(session), Some(token_id)), Some(object)) = (token.session_and_id(), gate.account_of(&token))
            else {
                // From before there were sessions.
                return refused(Rejection::Revoked, token);
            };
            let command = Command::Rotate { session: session.clone(), token_id, successor: link(random, now) };
            gate.ask_account(object, command, move |gate, reply, _| match reply {
                Ok(Reply::Rotated { successor, until }) => match random_of(&successor) {
                    Some(random) => {
                        let at = successor.issued_at;
                        gate.refreshed(&identity, Some(&session), Some(until), true, &random, at)
                    }
                    None => refuse_refresh(Rejection::Internal.into()),
                },
                Ok(Reply::Ended { reused: true }) => refused(Rejection::RefreshReused, token),
                Ok(Reply::Ended { reused: false }) => refused(Rejection::Revoked, token),
                Ok(_) => refuse_refresh(Rejection::Internal.into()),
                Err(fault) => refuse_refresh(Rejection::from(fault).into()),
            })
        })
    }

    fn refreshed<'g>(
        &'g self,
        identity: &Identity,
        session: Option<&str>,
        until: Option<Timestamp>,
        refresh: bool,
        random: &Random,
        now: Timestamp,
    ) -> Decision<'g> {
        let message = "token refreshed";
        let grant = Grant { identity, fresh: Freshness::NotFresh, refresh, message, session, until, random, now };
        answered(self.grant(&grant), Endpoint::Refresh)
    }

    /// A new token, and its CSRF value if it has one: `create_access_token`, `create_refresh_token`.
    ///
    /// # Errors
    /// [`Rejection::Misconfigured`] in the other dialect, and without a key that signs.
    pub fn create_token(
        &self,
        identity: &Identity,
        new: TokenSpec,
        random: &Random,
        now: Timestamp,
    ) -> Result<(String, Option<String>), Rejection> {
        let config = self.config.flask_jwt_extended().ok_or(Rejection::Misconfigured)?;
        let handlers = &self.handlers;
        let mut more = new.claims;
        more.extend(handlers.additional_claims(identity));
        let usual = if new.refresh { config.refresh_expires } else { config.access_expires };
        let issue = ClaimsBuilder {
            refresh: new.refresh,
            fresh: if new.refresh { Freshness::NotFresh } else { new.fresh },
            expires: new.expires.unwrap_or(usual),
            identity_claim: self.config.tokens.policy().identity_claim(),
            identity: handlers.user_identity(identity, &self.config),
            more,
            session: new.session,
            csrf: new.csrf,
            now,
        };
        let (claims, csrf) = issue.claims(config, random);
        // A gate without a key that signs has no such endpoint, unless an application's own function says otherwise.
        let key = handlers.encode_key(identity, &self.config).ok_or(Rejection::Misconfigured)?;
        Ok((token::sign_sorted(key, &handlers.additional_headers(identity), &claims), csrf))
    }
}

/// What kind of token is made.
#[derive(Default)]
pub struct TokenSpec {
    /// A refresh token?
    pub refresh: bool,
    /// Of an access token: the claim `fresh`.
    pub fresh: Freshness,
    /// How long it lives, `Some(None)` for ever, if not as long as the configuration says.
    pub expires: Option<Option<Duration>>,
    /// More claims. Those of `additional_claims` come on top.
    pub claims: Map<String, Value>,
    /// The id of its session, where there are any (docs/sessions.md).
    pub session: Option<String>,
    /// Its CSRF value, if it is to be that of another token.
    pub csrf: Option<String>,
}

fn refuse_refresh<'g>(failed: Failed) -> Decision<'g> {
    refuse(Endpoint::Refresh, failed)
}

pub(super) fn answered<'g>(answer: Result<Answer, Rejection>, endpoint: Endpoint) -> Decision<'g> {
    match answer {
        Ok(answer) => Decision::Answer(Answered { answer, outcome: Outcome::Plain }),
        Err(rejection) => Decision::Refuse(Rejected::new(rejection, Some(endpoint.name()))),
    }
}

/// The claims of a token that its successor has too: those that an application added.
fn added(token: &VerifiedToken) -> Map<String, Value> {
    let own = ["fresh", "iat", "jti", "type", "nbf", "csrf", "aud", "iss", "exp"];
    token.claims().into_iter().filter(|(name, _)| !own.contains(&name.as_str())).collect()
}
