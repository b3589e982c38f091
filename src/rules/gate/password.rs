//! `POST /auth/password`: a user's new password.
//!
//! **What always holds:** who has only a token must prove more: the old password, or that the token comes from a log-in
//! just now (a fresh one, in the dialect that has such). Tries of the old password are counted. All sessions end; the
//! answer is that of a log-in.

use super::{
    Answered, Decision, Gate, Outcome,
    log_in::{Counted, KNOWN, LIMIT_SECONDS, Opening, Visitor},
    sessions::{refuse, unexpected},
};
use crate::rules::{
    account::{Command, PasswordChange, Reply},
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

/// A change on its way.
struct Change {
    object: String,
    token: VerifiedToken,
    visitor: Visitor,
    wanted: Wanted,
    /// If the old password is tried.
    counted: Option<Counted>,
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
            return refuse_change(refusal);
        }
        let is_fresh = token.session().is_some_and(|session| session.fresh.is_fresh(now));
        self.ask_body(MAX_BODY_BYTES, move |gate, body| {
            let wanted = match body.map_err(Refusal::from).and_then(|body| Wanted::read(&body)) {
                Err(refusal) => return refuse_change(refusal),
                Ok(Wanted { old: None, .. }) if !is_fresh => return refuse_change(Refusal::NotFresh),
                Ok(wanted) => wanted,
            };
            let change = Change { object, token, visitor, wanted, counted: None };
            if change.wanted.old.is_none() {
                return gate.limit_change(change);
            }
            let tried = Command::Try { devices: Vec::new() };
            gate.ask_account(change.object.clone(), tried, move |gate, reply, _| match reply {
                Ok(Reply::Go { lane }) => {
                    gate.limit_change(Change { counted: Some((change.object.clone(), lane)), ..change })
                }
                Ok(Reply::Wait { seconds }) => refuse_change(Refusal::TooManyTries { retry_after: seconds }),
                Ok(Reply::Busy) => refuse_change(Refusal::TooManyTries { retry_after: 1 }),
                reply => refuse_change(unexpected(reply)),
            })
        })
    }

    fn limit_change(&self, change: Change) -> Decision<'_> {
        self.within_hashing(KNOWN, move |gate, is_room| match is_room {
            true => gate.set_password(change),
            false => gate.not_tried(change.counted, Refusal::TooManyTries { retry_after: LIMIT_SECONDS }),
        })
    }

    /// The old password was not found wrong: the try does not count.
    fn not_tried(&self, counted: Option<Counted>, refusal: Refusal) -> Decision<'_> {
        self.tell(counted, |lane| Command::Untried { lane }, move |_| refuse_change(refusal))
    }

    fn set_password(&self, Change { object, token, visitor, wanted, counted }: Change) -> Decision<'_> {
        let Some(identity) = token.named() else { return refuse_change(Refusal::Revoked) };
        let identity = Identity::clone(&identity);
        self.ask_password(token, wanted.old, wanted.new, move |gate, change, _| {
            let (command, version) = match change {
                Ok(PasswordChange::Prepared { proven, key, record }) => {
                    (Command::SetPassword { proven, key, record }, None)
                }
                Ok(PasswordChange::Stored { version }) => {
                    (Command::EndAll { retire_password: false, version: Some(version) }, Some(version))
                }
                Ok(PasswordChange::NotOffered) => return gate.not_tried(counted, Refusal::NotFound),
                Ok(PasswordChange::Wrong) => {
                    let refused = |_| refuse_change(Refusal::BadCredentials);
                    return gate.tell(counted, |lane| Command::Wrong { lane }, refused);
                }
                Ok(PasswordChange::Weak(text)) => return gate.not_tried(counted, Refusal::WeakPassword { text }),
                Err(fault) => return gate.not_tried(counted, fault.into()),
            };
            gate.ask_account(object, command, move |gate, reply, _| {
                let version = match (reply, version) {
                    (Ok(Reply::Changed { version }), _) | (Ok(Reply::Done), Some(version)) => version,
                    // Somebody else has changed it meanwhile.
                    (Ok(Reply::Stale), _) => return refuse_change(Refusal::BadCredentials),
                    (reply, _) => return refuse_change(unexpected(reply)),
                };
                let identity = Identity { version, ..identity };
                let opening = Opening { identity, visitor, message: "password changed" };
                let right = |lane| Command::Right { lane, devices: Vec::new() };
                gate.tell(counted, right, move |gate| gate.log_in_anew(opening))
            })
        })
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

fn refuse_change<'g>(refusal: Refusal) -> Decision<'g> {
    refuse(Endpoint::Password, refusal.into())
}
