//! `POST /auth/password`: a user's new password.
//!
//! **What always holds:** who has only a token must prove more: the old password, or that the token comes from a log-in
//! just now (a fresh one, in the dialect that has such). What costs nothing comes first: a weak password is refused
//! before any limit is drawn on. Then each attempt counts, for the account and for its address. All sessions end; the
//! answer is that of a log-in.

use super::{
    Answered, Decision, Gate, Outcome,
    login::{Client, ClientInfo, Counted, LIMIT_SECONDS, Opening},
    sessions::{refuse, unexpected},
};
use crate::rules::{
    account::{Command, PasswordChange, Reply},
    identity::Identity,
    json,
    login::{self, MAX_BODY_BYTES},
    rejection::Rejection,
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
    fn read(body: &[u8]) -> Result<Self, Rejection> {
        let members = json::object(body).map_err(|_| Rejection::BodyNotAnObject)?;
        let new = login::field(&members, NEW)?
            .ok_or_else(|| Rejection::WeakPassword { text: format!("Write {NEW}, a text") })?;
        Ok(Self { old: login::field(&members, OLD)?, new })
    }
}

/// A change on its way.
struct Change {
    object: String,
    token: VerifiedToken,
    client: Client,
    address: Option<String>,
    wanted: Wanted,
    /// Once the account has counted the attempt.
    counted: Option<Counted>,
}

impl Gate {
    pub(super) fn change_password(
        &self,
        object: String,
        token: VerifiedToken,
        visitor: ClientInfo,
        body_fault: Option<Rejection>,
        now: Timestamp,
    ) -> Decision<'_> {
        if let Some(rejection) = body_fault {
            return refuse_change(rejection);
        }
        let is_fresh = token.session().is_some_and(|session| session.fresh.is_fresh(now));
        self.ask_body(MAX_BODY_BYTES, move |gate, body| {
            let wanted = match body.map_err(Rejection::from).and_then(|body| Wanted::read(&body)) {
                Err(rejection) => return refuse_change(rejection),
                Ok(Wanted { old: None, .. }) if !is_fresh => return refuse_change(Rejection::NotFresh),
                Ok(wanted) => wanted,
            };
            if let Err(fault) = gate.config.password_policy.judge(&wanted.new, "") {
                return refuse_change(Rejection::WeakPassword { text: fault.with_advice() });
            }
            let (client, address) = (visitor.client(), visitor.limited_address().cloned());
            gate.limit_change(Change { object, token, client, address, wanted, counted: None })
        })
    }

    /// Attempts from an address, as for log-ins; then those of the account, whether there is an old password to guess
    /// or not.
    fn limit_change(&self, change: Change) -> Decision<'_> {
        let Some(address) = change.address.clone() else { return self.count_change(change) };
        self.within_attempts(address, move |gate, is_room| match is_room {
            true => gate.count_change(change),
            false => refuse_change(Rejection::TooManyTries { retry_after: LIMIT_SECONDS }),
        })
    }

    fn count_change(&self, change: Change) -> Decision<'_> {
        let tried = Command::Attempt { devices: Vec::new() };
        self.ask_account(change.object.clone(), tried, move |gate, reply, _| match reply {
            Ok(Reply::Allowed { bucket }) => {
                gate.limit_hashing_of(Change { counted: Some((change.object.clone(), bucket)), ..change })
            }
            Ok(Reply::Wait { seconds }) => refuse_change(Rejection::TooManyTries { retry_after: seconds }),
            Ok(Reply::Busy) => refuse_change(Rejection::TooManyTries { retry_after: 1 }),
            reply => refuse_change(unexpected(reply)),
        })
    }

    fn limit_hashing_of(&self, change: Change) -> Decision<'_> {
        self.within_hashing(Some(change.object.clone()), move |gate, is_room| match is_room {
            true => gate.set_password(change),
            false => gate.not_tried(change.counted, Rejection::TooManyTries { retry_after: LIMIT_SECONDS }),
        })
    }

    /// The old password was not found wrong: the try does not count.
    fn not_tried(&self, counted: Option<Counted>, rejection: Rejection) -> Decision<'_> {
        self.tell(counted, |bucket| Command::Untried { bucket }, move |_| refuse_change(rejection))
    }

    fn set_password(&self, Change { object, token, client, wanted, counted, .. }: Change) -> Decision<'_> {
        let Some(identity) = token.named() else { return refuse_change(Rejection::Revoked) };
        let identity = Identity::clone(&identity);
        self.ask_password(token, wanted.old, wanted.new, move |gate, change, _| {
            let (command, version) = match change {
                Ok(PasswordChange::Prepared { proven, key, record }) => {
                    (Command::SetPassword { proven, key, record }, None)
                }
                Ok(PasswordChange::Stored { version }) => {
                    (Command::EndAll { retire_password: false, version: Some(version) }, Some(version))
                }
                // An attempt that did not lead to a change counts, or it could be made again and again.
                Ok(PasswordChange::NotOffered) => return gate.failed_change(counted, Rejection::NotFound),
                Ok(PasswordChange::Wrong) => return gate.failed_change(counted, Rejection::BadCredentials),
                Ok(PasswordChange::Weak(text)) => {
                    return gate.failed_change(counted, Rejection::WeakPassword { text });
                }
                Err(fault) => return gate.not_tried(counted, fault.into()),
            };
            gate.ask_account(object, command, move |gate, reply, _| {
                let version = match (reply, version) {
                    (Ok(Reply::Changed { version }), _) | (Ok(Reply::Done), Some(version)) => version,
                    // Somebody else has changed it meanwhile.
                    (Ok(Reply::Stale), _) => return refuse_change(Rejection::BadCredentials),
                    (reply, _) => return refuse_change(unexpected(reply)),
                };
                let identity = Identity { version, ..identity };
                let opening = Opening { identity, client, message: "password changed" };
                let right = |bucket| Command::Right { bucket, devices: Vec::new(), record: String::new() };
                gate.tell(counted, right, move |gate| gate.login_anew(opening))
            })
        })
    }

    fn failed_change(&self, counted: Option<Counted>, rejection: Rejection) -> Decision<'_> {
        self.tell(counted, |bucket| Command::Wrong { bucket }, |_| refuse_change(rejection))
    }

    fn login_anew(&self, opening: Opening) -> Decision<'_> {
        self.ask_random(move |gate, random, now| {
            gate.open(opening, *random, now, |_, answer, opening, _| {
                let outcome = Outcome::PasswordChanged(opening.identity.id);
                Decision::Answer(Answered { answer, outcome })
            })
        })
    }
}

fn refuse_change<'g>(rejection: Rejection) -> Decision<'g> {
    refuse(Endpoint::Password, rejection.into())
}
