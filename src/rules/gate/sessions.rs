//! Sessions: who asks whether a token was revoked, and the endpoints at which users see and end theirs.
//!
//! **What always holds:** an end is answered with 200 when the account's object has it and the register knows of it,
//! not before; or if there is nothing left to end. A token whose signature is good ends its session, an expired one
//! too.

use super::{Answered, AskFault, Decision, Gate, Outcome, Rejected, tokens::Search};
use crate::rules::{
    account::{Command, Reply, TokenLife},
    config::{FlaskJwtExtended, Location},
    cookie::Jar,
    credential::flask_jwt_extended::{Sought, seek},
    handlers::TokenParts,
    rejection::Rejection,
    request::Request,
    revocation::{Age, Delta, RevocationKeys, RevocationStatus},
    route::{Endpoint, FlaskJwtExtendedRule, Revocation, Rule},
    time::{TimeRange, Timestamp},
    token::{Failed, Signed, VerifiedToken},
    wire::flask_jwt_extended,
};
use std::sync::atomic::AtomicU64;

impl Gate {
    /// How long what was decided for a token at `now` holds for the same request without anybody being asked; `None` if
    /// not at all. Where there are revocations, until it is time to ask for new ones: one that comes in before, with a
    /// late answer to an earlier question, hits when the period is over, a third of the bound after the snapshot's age.
    #[must_use]
    pub fn good_while(&self, token: &VerifiedToken, now: Timestamp) -> Option<TimeRange> {
        let good = self.config.tokens.good_while(token)?;
        match &self.revocations {
            None => Some(good),
            Some(_) if self.judge(token, now) != RevocationStatus::Good => None,
            Some(snapshot) => Some(good.start.max(now)..good.end.min(snapshot.due().next())),
        }
    }

    /// Is it time to ask the register what is new, behind the answer to a request? Whoever is told so asks.
    #[must_use]
    pub fn wants_news(&self, now: Timestamp) -> bool {
        self.revocations.as_ref().is_some_and(|snapshot| snapshot.age(now) == Age::Due)
    }

    /// Somebody asks the register just now.
    pub fn asks_for_news(&self, now: Timestamp) {
        self.revocations.iter().for_each(|snapshot| snapshot.is_asked_for(now));
    }

    /// The number from which on the register is to be asked.
    #[must_use]
    pub fn known_revocations(&self) -> u64 {
        self.revocations.as_ref().map_or(0, |snapshot| snapshot.number())
    }

    /// Takes in what the register says.
    pub fn learn(&self, told: &Delta, now: Timestamp) {
        self.revocations.iter().for_each(|snapshot| snapshot.update(told, now));
    }

    /// By the snapshot. Of a token without marks (an application verifies it by its own means) nothing is known.
    pub(super) fn judge(&self, token: &VerifiedToken, now: Timestamp) -> RevocationStatus {
        match (&self.revocations, token.marks()) {
            (Some(snapshot), Some((marks, checked_generation))) => snapshot.judge(marks, checked_generation, now),
            _ => RevocationStatus::Good,
        }
    }

    /// By the snapshot, for an end of everybody alone: of all others the account's object is asked, which a request
    /// that is run again does not find changed by itself.
    fn judge_everybody(&self, token: &VerifiedToken, now: Timestamp) -> RevocationStatus {
        match (&self.revocations, token.marks()) {
            (Some(snapshot), Some((marks, _))) => {
                let marks = RevocationKeys { token: None, session: None, user: None, began: marks.began };
                snapshot.judge(&marks, &AtomicU64::new(0), now)
            }
            _ => RevocationStatus::Good,
        }
    }

    /// By the snapshot; if that is too old, the register is asked first. What is known last will do if `open`.
    pub(super) fn judged<'g>(
        &'g self,
        token: VerifiedToken,
        open: bool,
        now: Timestamp,
        then: impl FnOnce(&'g Self, VerifiedToken, RevocationStatus, Timestamp) -> Decision<'g> + Send + 'g,
    ) -> Decision<'g> {
        self.judged_by(Self::judge, token, open, now, then)
    }

    fn judged_by<'g>(
        &'g self,
        judge: fn(&Self, &VerifiedToken, Timestamp) -> RevocationStatus,
        token: VerifiedToken,
        open: bool,
        now: Timestamp,
        then: impl FnOnce(&'g Self, VerifiedToken, RevocationStatus, Timestamp) -> Decision<'g> + Send + 'g,
    ) -> Decision<'g> {
        match judge(self, &token, now) {
            RevocationStatus::Unknown => self.ask_revocations(now, move |gate, now| {
                let judgement = match (judge(gate, &token, now), &gate.revocations, token.marks()) {
                    (RevocationStatus::Unknown, Some(snapshot), Some((marks, checked_generation))) if open => {
                        snapshot.judge_by_what_is_known(marks, checked_generation)
                    }
                    (judgement, ..) => judgement,
                };
                then(gate, token, judgement, now)
            }),
            judgement => then(self, token, judgement, now),
        }
    }

    /// `revocation = "strict"`: the account's object is asked.
    pub(super) fn ask_whether_alive<'g>(
        &'g self,
        rule: &'g Rule,
        token: VerifiedToken,
        location: Location,
    ) -> Decision<'g> {
        let Some((object, command)) = self.is_alive(&token, false) else {
            return self.refuse_token(rule, Rejection::Revoked, token);
        };
        self.ask_account(object, command, move |gate, reply, now| match reply {
            Ok(Reply::Alive) => gate.identify(rule, token, location, now),
            Ok(_) => gate.refuse_token(rule, Rejection::Revoked, token),
            Err(_) if rule.revocation == (Revocation::Snapshot { open: true }) => {
                gate.identify(rule, token, location, now)
            }
            Err(fault) => Decision::Refuse(Rejected::new(fault.into(), Some(&rule.path))),
        })
    }

    /// The question whether a token is good; `None` where there are no sessions, or for a token that names nobody.
    /// `is_use`: does its session go on by this?
    pub(super) fn is_alive(&self, token: &VerifiedToken, is_use: bool) -> Option<(String, Command)> {
        let (marks, _) = token.marks()?;
        let (session, token_id) = token.session_and_id();
        Some((self.account_of(token)?, Command::Check { session, token_id, began: marks.began, is_use }))
    }

    /// `GET /auth/sessions`, `DELETE /auth/sessions/{id}`, `POST /auth/logout/all`, `POST /auth/password`: whose token
    /// is it, and does the account's object say that it is good?
    pub(super) fn decide_own_account<'g>(
        &'g self,
        endpoint: Endpoint,
        request: &Request<'_>,
        now: Timestamp,
    ) -> Decision<'g> {
        self.with_token(endpoint, request, None, now, move |gate, token, request, now| {
            gate.own_account(endpoint, token, request, now)
        })
    }

    /// The token that comes to an endpoint, wherever the dialect looks for it: a refresh token for a refresh, else an
    /// access token.
    pub(super) fn with_token<'g>(
        &'g self,
        endpoint: Endpoint,
        request: &Request<'_>,
        body: Option<&[u8]>,
        now: Timestamp,
        then: impl FnOnce(&'g Self, VerifiedToken, &Request<'_>, Timestamp) -> Decision<'g> + Send + 'g,
    ) -> Decision<'g> {
        let Some(config) = self.config.flask_jwt_extended() else {
            return match self.verified(&self.config.realm, request, now) {
                Ok(token) => then(self, token, request, now),
                Err(rejection) => refuse(endpoint, rejection.into()),
            };
        };
        let asked = FlaskJwtExtendedRule { refresh: endpoint == Endpoint::Refresh, ..FlaskJwtExtendedRule::default() };
        match self.search(config, &asked, request, body, now) {
            Search::Found(token, _) => then(self, token, request, now),
            Search::Failed(failed) => refuse(endpoint, failed),
            Search::Nowhere(places) => refuse(endpoint, Rejection::TokenNowhere(places).into()),
            Search::Body => self.ask_token_body(request, Some(endpoint.name()), move |gate, body, request, now| {
                gate.with_token(endpoint, request, Some(body), now, then)
            }),
        }
    }

    fn own_account<'g>(
        &'g self,
        endpoint: Endpoint,
        token: VerifiedToken,
        request: &Request<'_>,
        now: Timestamp,
    ) -> Decision<'g> {
        let Some((object, check)) = self.is_alive(&token, false) else {
            return refuse(endpoint, Failed::of(Rejection::Revoked, token));
        };
        let segment = request.path.rsplit('/').next().unwrap_or_default().to_owned();
        let visitor = self.visitor(request);
        let body_fault = super::login::check_body(request).err();
        let revoked = move |token| refuse(endpoint, Failed::of(Rejection::Revoked, token));
        self.judged_by(Self::judge_everybody, token, false, now, move |gate, token, judgement, _| match judgement {
            RevocationStatus::Good => gate.ask_account(object.clone(), check, move |gate, reply, now| match reply {
                Ok(Reply::Alive) => match endpoint {
                    Endpoint::Sessions => gate.list_sessions(object, &token),
                    Endpoint::Session => gate.end_session(object, &token, segment),
                    Endpoint::LogoutAll => gate.end_all(object),
                    _ => gate.change_password(object, token, visitor, body_fault, now),
                },
                Ok(_) => revoked(token),
                Err(fault) => refuse(endpoint, Rejection::from(fault).into()),
            }),
            RevocationStatus::Revoked => revoked(token),
            RevocationStatus::Unknown => refuse(endpoint, Rejection::StoreUnavailable.into()),
        })
    }

    fn list_sessions(&self, object: String, token: &VerifiedToken) -> Decision<'_> {
        let (current, _) = token.session_and_id();
        self.ask_account(object, Command::List, move |_, reply, _| match reply {
            Ok(Reply::Sessions { sessions }) => Decision::Answer(Answered {
                answer: flask_jwt_extended::sessions(&sessions, current.as_deref()),
                outcome: Outcome::Plain,
            }),
            reply => refuse(Endpoint::Sessions, unexpected(reply).into()),
        })
    }

    fn end_session(&self, object: String, token: &VerifiedToken, session: String) -> Decision<'_> {
        let (current, _) = token.session_and_id();
        let is_current = current.as_ref() == Some(&session);
        self.ask_account(object, Command::End { session }, move |gate, reply, _| match reply {
            Ok(Reply::Done) => gate.ended("session ended", is_current),
            Ok(Reply::Ended { .. }) => refuse(Endpoint::Session, Rejection::NoSuchSession.into()),
            reply => refuse(Endpoint::Session, unexpected(reply).into()),
        })
    }

    fn end_all(&self, object: String) -> Decision<'_> {
        self.ask_account(object, Command::EndAll { retire_password: false, version: None }, move |gate, reply, _| {
            match reply {
                Ok(Reply::Done) => gate.ended("all sessions ended", true),
                reply => refuse(Endpoint::LogoutAll, unexpected(reply).into()),
            }
        })
    }

    /// `POST /auth/logout`: ends the session of the token that comes with the request. The answer removes the cookies,
    /// unless it asks for another try, and says success only if something was ended: a token that can't be read or was
    /// not signed here is refused, since its session goes on (unlike RFC 7009 §2.2, which has one answer for both).
    pub(super) fn decide_logout<'g>(&'g self, request: &Request<'_>, now: Timestamp) -> Decision<'g> {
        self.find_to_end(request, None, now)
    }

    /// The token of each place. The cookie with the refresh token counts as much as that with the access token, and
    /// neither needs a CSRF value: another site could take the cookies away just as well.
    fn find_to_end<'g>(&'g self, request: &Request<'_>, body: Option<&[u8]>, now: Timestamp) -> Decision<'g> {
        let mut found = ToEnd::default();
        let Some(config) = self.config.flask_jwt_extended() else {
            match self.handlers.request(request, &self.config, &self.config.realm) {
                Ok(Some(token)) => found.add(self.to_end(&token, now), false),
                Ok(None) => found.refuse(Rejection::MissingToken { realm: self.config.realm.clone() }.into()),
                Err(rejection) => found.refuse(rejection.into()),
            }
            return self.logout(found, now);
        };
        let config = FlaskJwtExtended { csrf_protect: false, ..config.clone() };
        let mut absent = Vec::new();
        for (refresh, &location) in
            [false, true].iter().flat_map(|&refresh| config.locations.iter().map(move |at| (refresh, at)))
        {
            // A body is read only if there is nothing elsewhere.
            if location == Location::Json && found.has_any() {
                continue;
            }
            match seek(location, request, body, &config, refresh) {
                Ok(Sought::Found { token, .. }) => {
                    found.add(self.to_end(&token, now), location == Location::Cookies);
                }
                Ok(Sought::Body) => {
                    return self.ask_token_body(request, Some(Endpoint::Logout.name()), |gate, body, request, now| {
                        gate.find_to_end(request, Some(body), now)
                    });
                }
                Ok(Sought::Absent(place)) if !refresh => absent.push(place),
                Ok(Sought::Absent(_)) => {}
                Err(rejection) => found.refuse(rejection.into()),
            }
        }
        found.refuse(Rejection::TokenNowhere(absent).into());
        self.logout(found, now)
    }

    /// A token whose session may be ended: its signature is good, if nothing else is.
    fn to_end(&self, token: &str, now: Timestamp) -> Result<VerifiedToken, Failed> {
        let verified = match self.config.flask_jwt_extended() {
            Some(_) => self.verify_extended(token, None, now),
            None => self.handlers.decode(token, &self.config, now).map_err(Failed::from),
        };
        verified.or_else(|failed| match (failed.signed, self.signed(token, now)) {
            (Some(signed), _) | (None, Ok(signed)) => Ok(signed.into_token()),
            (None, Err(_)) => Err(failed.rejection.into()),
        })
    }

    fn signed(&self, token: &str, now: Timestamp) -> Result<Signed, Rejection> {
        let Self { config, handlers, .. } = self;
        if config.flask_jwt_extended().is_none() || !handlers.has_decode_key() {
            return config.tokens.signed(token, None, now);
        }
        let choose = |header: &_, payload: &_| handlers.decode_key(TokenParts { header, payload });
        config.tokens.signed(token, Some(&choose), now)
    }

    fn logout(&self, found: ToEnd, now: Timestamp) -> Decision<'_> {
        match found {
            ToEnd { tokens, .. } if !tokens.is_empty() && self.revocations.is_some() => {
                let ends: Vec<Option<End>> = tokens
                    .iter()
                    .filter(|token| !self.is_over(token, now))
                    .map(|token| self.end_of(token, now))
                    .collect();
                let is_all = ends.iter().all(Option::is_some);
                self.end_each(ends.into_iter().flatten().collect(), is_all)
            }
            // Without sessions the cookies are all that can be taken away.
            ToEnd { tokens, in_cookie: true, .. } if !tokens.is_empty() => {
                self.ended("cookies removed; the token in them is good until it expires", true)
            }
            ToEnd { tokens, .. } if !tokens.is_empty() => self.refuse_logout(Rejection::NotRevocable.into()),
            ToEnd { refused, .. } => self.refuse_logout(refused.unwrap_or_else(|| Rejection::Internal.into())),
        }
    }

    /// How long an entry of the token has to stand.
    fn life_of(&self, token: &VerifiedToken) -> TokenLife {
        let leeway = self.config.tokens.policy().leeway();
        token
            .expires()
            .map_or(TokenLife::Endless, |exp| TokenLife::Until(Timestamp::beginning_of(exp.next()).later(leeway)))
    }

    /// Is the token no good any more by itself? One of a session is not, as the session may go on.
    fn is_over(&self, token: &VerifiedToken, now: Timestamp) -> bool {
        let (session, _) = token.session_and_id();
        session.is_none() && matches!(self.life_of(token), TokenLife::Until(end) if end <= now)
    }

    /// How a token is ended; `None` if nothing can hit it: it has neither a session nor an id, or names no account.
    fn end_of(&self, token: &VerifiedToken, now: Timestamp) -> Option<End> {
        let object = self.account_of(token)?;
        let (session, token_id) = token.session_and_id();
        let revoke = token_id.map(|token_id| Command::Revoke { token_id, life: Some(self.life_of(token)) });
        let Some(session) = session else { return Some(End { object, command: revoke?, or: None }) };
        // The object may never have known a session of this id, which another issuer has made. A token that is void
        // has its entry.
        let or = revoke.filter(|_| self.judge(token, now) != RevocationStatus::Revoked);
        Some(End { object, command: Command::End { session }, or })
    }

    /// One after the other; `is_all`: there is no other token that can't be ended.
    fn end_each(&self, mut ends: Vec<End>, is_all: bool) -> Decision<'_> {
        match ends.pop() {
            Some(End { object, command, or }) => {
                let asked = command.clone();
                self.ask_account(object.clone(), command, move |gate, reply, _| match (reply, or) {
                    (Ok(Reply::Done), _) => {
                        // Other tokens of the same session have ended with it.
                        ends.retain(|end| end.object != object || end.command != asked);
                        gate.end_each(ends, is_all)
                    }
                    (Ok(Reply::Ended { .. }), Some(command)) => {
                        ends.push(End { object, command, or: None });
                        gate.end_each(ends, is_all)
                    }
                    (Ok(Reply::Ended { .. }), None) => gate.end_each(ends, is_all),
                    // It is to be asked again, and so with the same cookies.
                    (reply, _) => refuse(Endpoint::Logout, unexpected(reply).into()),
                })
            }
            None if !is_all => self.refuse_logout(Rejection::NotRevocable.into()),
            None => self.ended("logout successful", true),
        }
    }

    /// Refuses a log-out, and takes the cookies away all the same.
    fn refuse_logout(&self, Failed { rejection, signed }: Failed) -> Decision<'_> {
        let refused = Rejected::new(rejection, Some(Endpoint::Logout.name()));
        Decision::Refuse(Rejected { signed, jar: self.without_tokens(), ..refused })
    }

    /// The cookies that take those with tokens away.
    fn without_tokens(&self) -> Jar {
        let mut jar = Jar::new();
        if let Some(config) = self.config.flask_jwt_extended().filter(|config| config.uses_cookies()) {
            jar.unset(config, false);
            jar.unset(config, true);
        }
        jar
    }

    /// Says so; and takes the cookies away, if they are of what has ended.
    pub(super) fn ended(&self, message: &str, is_own: bool) -> Decision<'_> {
        let jar = if is_own { self.without_tokens() } else { Jar::new() };
        Decision::Answer(Answered { answer: flask_jwt_extended::message(message, &jar), outcome: Outcome::Plain })
    }
}

/// What ends a token: a command to an object; `or` another, if the object knows no such session.
struct End {
    object: String,
    command: Command,
    or: Option<Command>,
}

/// What a log-out found.
#[derive(Default)]
struct ToEnd {
    /// Tokens with a good signature.
    tokens: Vec<VerifiedToken>,
    /// Is one of them in a cookie?
    in_cookie: bool,
    /// Why the first of the others is refused; if there was no token at all, that it is missing.
    refused: Option<Failed>,
}

impl ToEnd {
    fn add(&mut self, token: Result<VerifiedToken, Failed>, in_cookie: bool) {
        match token {
            Ok(token) => {
                self.tokens.push(token);
                self.in_cookie |= in_cookie;
            }
            Err(failed) => self.refuse(failed),
        }
    }

    fn refuse(&mut self, failed: Failed) {
        self.refused.get_or_insert(failed);
    }

    fn has_any(&self) -> bool {
        !self.tokens.is_empty() || self.refused.is_some()
    }
}

pub(super) fn refuse<'g>(endpoint: Endpoint, Failed { rejection, signed }: Failed) -> Decision<'g> {
    Decision::Refuse(Rejected { signed, ..Rejected::new(rejection, Some(endpoint.name())) })
}

/// A reply that does not fit the command, or none.
pub(super) fn unexpected(reply: Result<Reply, AskFault>) -> Rejection {
    reply.map_or_else(Rejection::from, |_| Rejection::Internal)
}
