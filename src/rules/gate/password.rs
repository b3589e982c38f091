//! `POST /auth/password`: a user's new password.
//!
//! **What always holds:** a token alone is not enough: the request must have the old password, or the token must be
//! fresh (in Flask-JWT-Extended's dialect). A weak new password is refused before the attempt counts. Then each attempt
//! counts, for the account and for its address. All sessions end; the answer is that of a log-in.

use super::{
    client_info::ClientInfo,
    core::Gate,
    decision::{Answered, Outcome, Rejected},
    grant::draw,
    limits::{Counted, TOO_MANY},
};
use crate::{
    host::{BodyUse, Host},
    rules::{
        account::{Command, PasswordChange, Reply},
        identity::Identity,
        ids::ObjectName,
        json,
        login::{self, MAX_BODY_BYTES},
        rejection::{
            BodyRejection, InternalRejection, LoginRejection, PasswordRejection, Rejection, RouteRejection,
            TokenRejection,
        },
        secret::Secret,
        token::VerifiedToken,
    },
    users::Users,
};
use std::sync::Arc;

const OLD: &str = "old_password";
const NEW: &str = "new_password";
/// The text of an answer whose tokens are in cookies.
const MESSAGE: &str = "password changed";

/// The members of the body.
struct Wanted {
    old: Option<Secret<String>>,
    new: Secret<String>,
}

impl Wanted {
    fn read(body: &[u8]) -> Result<Self, Rejection> {
        let members = json::object(body).map_err(|_| Rejection::Body(BodyRejection::NotAnObject))?;
        let new = login::field(&members, NEW)?
            .ok_or_else(|| Rejection::Password(PasswordRejection::Weak { text: format!("Write {NEW}, a text") }))?;
        Ok(Self { old: login::field(&members, OLD)?, new })
    }
}

/// A password change whose token the account's object has accepted.
pub(super) struct PasswordRequest {
    pub(super) object: ObjectName,
    pub(super) token: VerifiedToken,
    pub(super) client: ClientInfo,
    /// Set if the body must not be read.
    pub(super) body_fault: Option<Rejection>,
}

/// A password change, from the body to the grant.
pub(super) async fn change(
    gate: &Gate,
    request: PasswordRequest,
    host: &impl Host,
    users: &impl Users,
) -> Result<Answered, Rejected<'static>> {
    let PasswordRequest { object, token, client, body_fault } = request;
    if let Some(rejection) = body_fault {
        return Err(rejection.into());
    }
    let is_fresh = token.session_claims().is_some_and(|claims| claims.fresh.is_fresh(host.now()));
    let wanted = Wanted::read(&host.read_body(BodyUse::Endpoint, MAX_BODY_BYTES).await?)?;
    if wanted.old.is_none() && !is_fresh {
        return Err(Rejection::Token(TokenRejection::NotFresh).into());
    }
    if let Err(fault) = gate.config.password_policy.judge(&wanted.new, "") {
        return Err(Rejection::Password(PasswordRejection::Weak { text: fault.with_advice() }).into());
    }

    // The claims of the new token are made of attributes, which are not in the present one.
    let identity = match gate.config.attribute_claims.is_empty() {
        true => token.named(),
        false => users.identity(&token).await?.map(Arc::new),
    };
    let Some(identity) = identity else { return Err(Rejection::Token(TokenRejection::Revoked).into()) };
    // Tokens that can't be issued then are no reason to lose the password and the sessions.
    gate.attributes_of(&identity, host.now())?;

    // The limit of the address, as for log-ins; then that of the account, which also counts changes without an old
    // password.
    if let Some(address) = client.limited_address()
        && !gate.is_within_attempts(address, host).await
    {
        return Err(TOO_MANY.into());
    }
    let counted = count_attempt(gate, &object, host).await?;
    if !gate.is_within_hashing(Some(object.as_str()), host).await {
        counted.give_back(gate, host).await;
        return Err(TOO_MANY.into());
    }

    let changed = users.set_password(&token, wanted.old.as_ref(), &wanted.new).await;
    // The passwords are wiped before the objects are asked.
    drop(wanted);
    let (command, version) = match changed {
        Ok(PasswordChange::Prepared { proven, key, record }) => (Command::SetPassword { proven, key, record }, None),
        Ok(PasswordChange::Stored { version }) => (
            Command::EndAll { retire_password: false, version: Some(version), forget_attributes: false },
            Some(version),
        ),
        // A failed attempt counts, or passwords could be tried without limit.
        Ok(PasswordChange::NotOffered) => {
            return fail(gate, counted, Rejection::Route(RouteRejection::NotFound), host).await;
        }
        Ok(PasswordChange::Wrong) => {
            return fail(gate, counted, Rejection::Login(LoginRejection::BadCredentials), host).await;
        }
        Ok(PasswordChange::Weak(text)) => {
            return fail(gate, counted, Rejection::Password(PasswordRejection::Weak { text }), host).await;
        }
        Err(error) => {
            // The old password was not checked.
            counted.give_back(gate, host).await;
            return Err(error.into());
        }
    };
    let version = match (gate.ask(host, &object, command).await?, version) {
        (Reply::Changed { version }, _) | (Reply::Done, Some(version)) => version,
        // The password was changed by another request in the meantime.
        (Reply::Stale, _) => return Err(Rejection::Login(LoginRejection::BadCredentials).into()),
        _ => return Err(Rejection::Internal(InternalRejection::Bug).into()),
    };
    counted.report(gate, host, |bucket| Command::Right { bucket, devices: Vec::new(), record: String::new() }).await;
    let identity = Identity { version, ..Identity::clone(&identity) };
    let answer = gate.open_session(&identity, &client, MESSAGE, &draw(host), host).await?;
    Ok(Answered { answer, outcome: Outcome::PasswordChanged(identity.id) })
}

/// Counts the attempt in the account's object.
async fn count_attempt(gate: &Gate, object: &ObjectName, host: &impl Host) -> Result<Counted, Rejection> {
    match gate.ask(host, object, Command::Attempt { devices: Vec::new() }).await? {
        Reply::Allowed { bucket } => Ok(Counted { object: object.clone(), bucket }),
        Reply::Wait { seconds } => {
            Err(Rejection::Password(PasswordRejection::TooManyAttempts { retry_after: seconds }))
        }
        Reply::Busy => Err(Rejection::Password(PasswordRejection::TooManyAttempts { retry_after: 1 })),
        _ => Err(Rejection::Internal(InternalRejection::Bug)),
    }
}

async fn fail(
    gate: &Gate,
    counted: Counted,
    rejection: Rejection,
    host: &impl Host,
) -> Result<Answered, Rejected<'static>> {
    counted.fail(gate, host).await;
    Err(rejection.into())
}
