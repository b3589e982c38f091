//! `POST /auth/password`: a user's new password.
//!
//! **What always holds:** who has only a token must prove more: the old password, or that the token comes from a log-in
//! just now (a fresh one, in the dialect that has such). Tries of the old password are counted. All sessions end; the
//! answer is that of a log-in.

use super::{
    Answered, Decision, Gate, Limit, Outcome,
    log_in::{LIMIT_SECONDS, Opening, Visitor},
    sessions::{refuse, unexpected},
};
use crate::rules::{
    account::{Command, Lane, PasswordChange, Reply},
    error::Refusal,
    identity::Identity,
    json,
    login::{self, MAX_BODY_BYTES},
    route::Endpoint,
    secret::Secret,
    time::Timestamp,
    token::VerifiedToken,
};

const OLD: &str = "old_password";
const NEW: &str = "new_password";

/// What is in the body.
struct Wanted {
    old: Option<Secret<String>>,
    new: Secret<String>,
}

impl Wanted {
    fn read(body: &[u8]) -> Result<Self, Refusal> {
        let members = json::object(body).map_err(|_| Refusal::BodyNotAnObject)?;
        let new = login::field(&members, NEW)?
            .ok_or_else(|| Refusal::WeakPassword { text: format!("Write {NEW}, a text") })?;
        Ok(Self { old: login::field(&members, OLD)?, new })
    }
}

impl Gate {
    pub(super) fn change_password(
        &self,
        object: String,
        token: VerifiedToken,
        visitor: Visitor,
        body_fault: Option<Refusal>,
        now: Timestamp,
    ) -> Decision<'_> {
        if let Some(refusal) = body_fault {
            return refuse(Endpoint::Password, refusal.into());
        }
        let is_fresh = token.session().is_some_and(|session| session.fresh.is_fresh(now));
        self.ask_body(MAX_BODY_BYTES, move |gate, body| {
            match body.map_err(Refusal::from).and_then(|body| Wanted::read(&body)) {
                Err(refusal) => refuse(Endpoint::Password, refusal.into()),
                Ok(Wanted { old: None, .. }) if !is_fresh => refuse(Endpoint::Password, Refusal::NotFresh.into()),
                Ok(Wanted { old: None, new }) => gate.set_password(object, token, visitor, None, new),
                Ok(Wanted { old: Some(old), new }) => {
                    let tried = Command::Try { devices: Vec::new() };
                    gate.ask_account(object.clone(), tried, move |gate, reply, _| match reply {
                        Ok(Reply::Go { .. }) => gate.set_password(object, token, visitor, Some(old), new),
                        Ok(Reply::Wait { seconds }) => {
                            refuse(Endpoint::Password, Refusal::TooManyTries { retry_after: seconds }.into())
                        }
                        Ok(Reply::Busy) => refuse(Endpoint::Password, Refusal::TooManyTries { retry_after: 1 }.into()),
                        reply => refuse(Endpoint::Password, unexpected(reply).into()),
                    })
                }
            }
        })
    }

    fn set_password(
        &self,
        object: String,
        token: VerifiedToken,
        visitor: Visitor,
        old: Option<Secret<String>>,
        new: Secret<String>,
    ) -> Decision<'_> {
        if !self.config.services.hashing_limit {
            return self.set_password_now(object, token, visitor, old, new);
        }
        self.ask_limit(Limit::Hashing, "known".into(), move |gate, is_room| match is_room {
            true => gate.set_password_now(object, token, visitor, old, new),
            false => gate.not_tried(object, old.is_some(), Refusal::TooManyTries { retry_after: LIMIT_SECONDS }),
        })
    }

    /// The old password was not found wrong: the try does not count.
    fn not_tried(&self, object: String, was_tried: bool, refusal: Refusal) -> Decision<'_> {
        if !was_tried {
            return refuse(Endpoint::Password, refusal.into());
        }
        let untried = Command::Untried { lane: Lane::Strangers };
        self.ask_account(object, untried, move |_, _, _| refuse(Endpoint::Password, refusal.into()))
    }

    fn set_password_now(
        &self,
        object: String,
        token: VerifiedToken,
        visitor: Visitor,
        old: Option<Secret<String>>,
        new: Secret<String>,
    ) -> Decision<'_> {
        let Some(identity) = token.named() else { return refuse(Endpoint::Password, Refusal::Revoked.into()) };
        let identity = Identity::clone(&identity);
        let was_tried = old.is_some();
        self.ask_password(token, old, new, move |gate, change, _| {
            let (command, version) = match change {
                Ok(PasswordChange::Prepared { proven, key, record }) => {
                    (Command::SetPassword { proven, key, record }, None)
                }
                Ok(PasswordChange::Stored { version }) => {
                    (Command::EndAll { retire_password: false, version: Some(version) }, Some(version))
                }
                Ok(PasswordChange::NotOffered) => return gate.not_tried(object, was_tried, Refusal::NotFound),
                Ok(PasswordChange::Wrong) => return gate.wrong_password(object, was_tried),
                Ok(PasswordChange::Weak(text)) => {
                    return gate.not_tried(object, was_tried, Refusal::WeakPassword { text });
                }
                Err(fault) => return gate.not_tried(object, was_tried, fault.into()),
            };
            gate.ask_account(object.clone(), command, move |gate, reply, _| {
                let version = match (reply, version) {
                    (Ok(Reply::Changed { version }), _) | (Ok(Reply::Done), Some(version)) => version,
                    // Somebody else has changed it meanwhile.
                    (Ok(Reply::Stale), _) => return refuse(Endpoint::Password, Refusal::BadCredentials.into()),
                    (reply, _) => return refuse(Endpoint::Password, unexpected(reply).into()),
                };
                let opening =
                    Opening { identity: Identity { version, ..identity }, visitor, message: "password changed" };
                if !was_tried {
                    return gate.log_in_anew(opening);
                }
                let right = Command::Right { lane: Lane::Strangers, devices: Vec::new() };
                gate.ask_account(object, right, move |gate, _, _| gate.log_in_anew(opening))
            })
        })
    }

    fn wrong_password(&self, object: String, was_tried: bool) -> Decision<'_> {
        let refused = || refuse(Endpoint::Password, Refusal::BadCredentials.into());
        if !was_tried {
            return refused();
        }
        self.ask_account(object, Command::Wrong { lane: Lane::Strangers }, move |_, _, _| refused())
    }

    fn log_in_anew(&self, opening: Opening) -> Decision<'_> {
        self.ask_random(move |gate, random, now| {
            gate.open(opening, *random, now, |_, answer, opening, _| {
                let outcome = Outcome::PasswordChanged(opening.identity.id);
                Decision::Answer(Answered { answer, outcome })
            })
        })
    }
}
