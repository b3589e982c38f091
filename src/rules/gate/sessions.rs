//! Sessions: who asks whether a token was revoked, and the endpoints at which users see and end theirs.
//!
//! **What always holds:** an end is answered with 200 when the account's object has it and the register knows of it, not
//! before. Whoever logs out is logged out, whatever else is wrong with the token: an expired one ends its session too.

use super::{Answered, AskFault, Decision, Gate, Outcome, Refused, extended::Search};
use crate::rules::{
    account::{Command, Reply},
    config::{Extended, Location},
    cookie::Jar,
    credential::extended::{MAX_BODY_BYTES, Sought, seek},
    error::Refusal,
    request::Request,
    revocation::{Age, Judgement, Told},
    route::{Endpoint, ExtendedRule, Rule},
    time::{Period, Timestamp},
    token::{Failed, Signed, VerifiedToken},
    wire::flask_jwt_extended,
};

impl Gate {
    /// How long what was decided for a token at `now` holds for the same request without anybody being asked; `None` if
    /// not at all. Where there are revocations, until it is time to ask for new ones: one that comes in before, with a late
    /// answer to an earlier question, hits when the period is over, a third of the bound after the snapshot's age.
    #[must_use]
    pub fn good_while(&self, token: &VerifiedToken, now: Timestamp) -> Option<Period> {
        let good = self.config.tokens.good_while(token)?;
        match &self.revocations {
            None => Some(good),
            Some(_) if self.judge(token, now) != Judgement::Good => None,
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
    pub fn learn(&self, told: &Told, now: Timestamp) {
        self.revocations.iter().for_each(|snapshot| snapshot.update(told, now));
    }

    /// By the snapshot. Of a token without marks (an application verifies it by its own means) nothing is known.
    pub(super) fn judge(&self, token: &VerifiedToken, now: Timestamp) -> Judgement {
        match (&self.revocations, token.marks()) {
            (Some(snapshot), Some((marks, good_under))) => snapshot.judge(marks, good_under, now),
            _ => Judgement::Good,
        }
    }

    /// By the snapshot; if that is too old, the register is asked first. What is known last will do if `open`.
    pub(super) fn judged<'g>(
        &'g self,
        token: VerifiedToken,
        open: bool,
        now: Timestamp,
        then: impl FnOnce(&'g Self, VerifiedToken, Judgement, Timestamp) -> Decision<'g> + Send + 'g,
    ) -> Decision<'g> {
        match self.judge(&token, now) {
            Judgement::Unknown => self.ask_revocations(now, move |gate, now| {
                let judgement = match (gate.judge(&token, now), &gate.revocations, token.marks()) {
                    (Judgement::Unknown, Some(snapshot), Some((marks, good_under))) if open => {
                        snapshot.judge_by_what_is_known(marks, good_under)
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
            return self.refuse_token(rule, Refusal::Revoked, token);
        };
        self.ask_account(object, command, move |gate, reply, now| match reply {
            Ok(Reply::Alive) => gate.identify(rule, token, location, now),
            Ok(_) => gate.refuse_token(rule, Refusal::Revoked, token),
            Err(fault) => Decision::Refuse(Refused::new(fault.into(), Some(&rule.path))),
        })
    }

    /// The question whether a token is good; `None` where there are no sessions, or for a token that names nobody.
    /// `is_use`: does its session go on by this?
    pub(super) fn is_alive(&self, token: &VerifiedToken, is_use: bool) -> Option<(String, Command)> {
        let (marks, _) = token.marks()?;
        let (session, token_id) = token.session_and_id();
        Some((self.account_of(token)?, Command::Check { session, token_id, began: marks.began, is_use }))
    }

    /// `GET /auth/sessions`, `DELETE /auth/sessions/{id}`, `POST /auth/logout/all`, `POST /auth/password`: whose token is
    /// it, and does the account's object say that it is good?
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

    /// The token that comes to an endpoint, wherever the dialect looks for it: a refresh token for a refresh, else an access
    /// token.
    pub(super) fn with_token<'g>(
        &'g self,
        endpoint: Endpoint,
        request: &Request<'_>,
        body: Option<&[u8]>,
        now: Timestamp,
        then: impl FnOnce(&'g Self, VerifiedToken, &Request<'_>, Timestamp) -> Decision<'g> + Send + 'g,
    ) -> Decision<'g> {
        let Some(config) = self.config.extended() else {
            return match self.verified(&self.config.realm, request, now) {
                Ok(token) => then(self, token, request, now),
                Err(refusal) => refuse(endpoint, refusal.into()),
            };
        };
        let asked = ExtendedRule { refresh: endpoint == Endpoint::Refresh, ..ExtendedRule::default() };
        match self.search(config, &asked, request, body, now) {
            Search::Found(token, _) => then(self, token, request, now),
            Search::Failed(failed) => refuse(endpoint, failed),
            Search::Nowhere(places) => refuse(endpoint, Refusal::TokenNowhere(places).into()),
            Search::Body => self.ask_token_body(MAX_BODY_BYTES, move |gate, body, request, now| match body {
                Ok(body) => gate.with_token(endpoint, request, Some(body), now, then),
                Err(fault) => refuse(endpoint, Refusal::from(fault).into()),
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
            return refuse(endpoint, Failed::of(Refusal::Revoked, token));
        };
        let segment = request.path.rsplit('/').next().unwrap_or_default().to_owned();
        let visitor = self.visitor(request);
        let body_fault = super::log_in::check_body(request).err();
        let revoked = move |token| refuse(endpoint, Failed::of(Refusal::Revoked, token));
        // The snapshot alone knows of an end of everybody.
        self.judged(token, false, now, move |gate, token, judgement, _| match judgement {
            Judgement::Good => gate.ask_account(object.clone(), check, move |gate, reply, now| match reply {
                Ok(Reply::Alive) => match endpoint {
                    Endpoint::Sessions => gate.list_sessions(object, &token),
                    Endpoint::Session => gate.end_session(object, &token, segment),
                    Endpoint::LogOutAll => gate.end_all(object),
                    _ => gate.change_password(object, token, visitor, body_fault, now),
                },
                Ok(_) => revoked(token),
                Err(fault) => refuse(endpoint, Refusal::from(fault).into()),
            }),
            Judgement::Revoked => revoked(token),
            Judgement::Unknown => refuse(endpoint, Refusal::StoreUnavailable.into()),
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
            Ok(Reply::Ended { .. }) => refuse(Endpoint::Session, Refusal::NoSuchSession.into()),
            reply => refuse(Endpoint::Session, unexpected(reply).into()),
        })
    }

    fn end_all(&self, object: String) -> Decision<'_> {
        self.ask_account(object, Command::EndAll { retire_password: false, version: None }, move |gate, reply, _| {
            match reply {
                Ok(Reply::Done) => gate.ended("all sessions ended", true),
                reply => refuse(Endpoint::LogOutAll, unexpected(reply).into()),
            }
        })
    }

    /// `POST /auth/logout`: ends the session of the token that comes with the request, and takes cookies away. Without
    /// sessions, as Flask-JWT-Extended's documentation does it: a token elsewhere the client forgets.
    pub(super) fn decide_log_out<'g>(&'g self, request: &Request<'_>, now: Timestamp) -> Decision<'g> {
        if self.revocations.is_none() {
            return self.ended("logout successful", true);
        }
        match self.config.extended() {
            None => {
                let found = self.handlers.request(request, &self.config, &self.config.realm).ok().flatten();
                self.log_out(found.and_then(|token| self.to_end(&token, now)).into_iter().collect())
            }
            Some(config) => self.log_out_extended(config, request, None, now),
        }
    }

    /// The cookie with the refresh token counts as much as that with the access token, and neither needs a CSRF value:
    /// another site could take the cookies away just as well.
    fn log_out_extended<'g>(
        &'g self,
        config: &'g Extended,
        request: &Request<'_>,
        body: Option<&[u8]>,
        now: Timestamp,
    ) -> Decision<'g> {
        let config = Extended { csrf_protect: false, ..config.clone() };
        let mut tokens: Vec<VerifiedToken> = Vec::new();
        for (refresh, &location) in
            [false, true].iter().flat_map(|&refresh| config.locations.iter().map(move |at| (refresh, at)))
        {
            match seek(location, request, body, &config, refresh) {
                Ok(Sought::Found { token, .. }) => {
                    tokens.extend(self.to_end(&token, now));
                }
                Ok(Sought::Body) => {
                    return self.ask_token_body(MAX_BODY_BYTES, move |gate, body, request, now| {
                        match (body, gate.config.extended()) {
                            (Ok(body), Some(config)) => gate.log_out_extended(config, request, Some(body), now),
                            (Err(fault), _) => refuse(Endpoint::LogOut, Refusal::from(fault).into()),
                            (Ok(_), None) => refuse(Endpoint::LogOut, Refusal::Internal.into()),
                        }
                    });
                }
                Ok(Sought::Absent(_)) | Err(_) => {}
            }
        }
        // Those of one session count once.
        tokens.dedup_by_key(|token| {
            let (session, token_id) = token.session_and_id();
            session.or(token_id)
        });
        self.log_out(tokens)
    }

    /// A token whose session may be ended: its signature is good, if nothing else is.
    fn to_end(&self, token: &str, now: Timestamp) -> Option<VerifiedToken> {
        let verified = match self.config.extended() {
            Some(_) => self.verify_extended(token, None, now),
            None => match self.handlers.decode(token, &self.config, now) {
                Ok(token) => Ok(token),
                Err(_) => self.config.tokens.verify_with(token, None, None, now),
            },
        };
        verified.map_or_else(|Failed { signed, .. }| signed.map(Signed::into_token), Some)
    }

    /// One after the other.
    fn log_out(&self, mut tokens: Vec<VerifiedToken>) -> Decision<'_> {
        let Some(token) = tokens.pop() else {
            // There is nothing to end, or it has ended: nothing that the client could do about it (RFC 7009 §2.2).
            return self.ended("logout successful", true);
        };
        let command = match token.session_and_id() {
            (Some(session), _) => Command::End { session },
            (None, Some(token_id)) => Command::Revoke { token_id },
            (None, None) => return self.log_out(tokens),
        };
        let Some(object) = self.account_of(&token) else { return self.log_out(tokens) };
        self.ask_account(object, command, move |gate, reply, _| match reply {
            Ok(Reply::Done | Reply::Ended { .. }) => gate.log_out(tokens),
            reply => refuse(Endpoint::LogOut, unexpected(reply).into()),
        })
    }

    /// Says so; and takes the cookies away, if they are of what has ended.
    pub(super) fn ended(&self, message: &str, is_own: bool) -> Decision<'_> {
        let mut jar = Jar::new();
        if let Some(config) = self.config.extended().filter(|config| is_own && config.uses_cookies()) {
            jar.unset(config, false);
            jar.unset(config, true);
        }
        Decision::Answer(Answered { answer: flask_jwt_extended::message(message, &jar), outcome: Outcome::Plain })
    }
}

pub(super) fn refuse<'g>(endpoint: Endpoint, Failed { refusal, signed }: Failed) -> Decision<'g> {
    Decision::Refuse(Refused { refusal, rule: Some(endpoint.name()), signed })
}

/// A reply that does not fit the command, or none.
pub(super) fn unexpected(reply: Result<Reply, AskFault>) -> Refusal {
    reply.map_or_else(Refusal::from, |_| Refusal::Internal)
}
