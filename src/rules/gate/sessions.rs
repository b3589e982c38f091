//! The endpoints of a user's own account: `GET /auth/sessions`, `DELETE /auth/sessions/{id}`,
//! `POST /auth/logout/all`, `POST /auth/password`.
//!
//! **What always holds:** the account's object is asked whether the token is revoked; the snapshot is not enough. The
//! end of a session is answered 200 after the object has stored it and the revocation log has it.

use super::{
    body::check_json,
    client_info::ClientInfo,
    core::Gate,
    decision::{Answered, Rejected},
    password::{self, PasswordRequest},
    revocation::{Scope, rejection_of},
    token_source::EndpointToken,
};
use crate::{
    host::Host,
    rules::{
        account::{Command, Reply, SessionSummary},
        answer::Answer,
        ids::{ObjectName, SessionId},
        json::json,
        rejection::{InternalRejection, Rejection, SessionRejection, TokenRejection},
        request::Request,
        route::Endpoint,
        time::Timestamp,
        token::{RejectedToken, SignedToken, TokenType},
    },
    users::Users,
};

/// A request about the caller's account, whose token was searched for.
pub struct AccountRequest<'g> {
    token: EndpointToken<'g>,
    wish: Wish,
}

/// What the user asks for.
enum Wish {
    List,
    End(SessionId),
    EndAll,
    ChangePassword {
        client: ClientInfo,
        /// Set if the body must not be read.
        body_fault: Option<Rejection>,
    },
}

impl AccountRequest<'_> {
    /// The endpoint of the request.
    pub(super) fn endpoint(&self) -> Endpoint {
        match self.wish {
            Wish::List => Endpoint::Sessions,
            Wish::End(_) => Endpoint::Session,
            Wish::EndAll => Endpoint::LogoutAll,
            Wish::ChangePassword { .. } => Endpoint::Password,
        }
    }
}

impl Gate {
    pub(super) fn begin_account<'g>(
        &'g self,
        endpoint: Endpoint,
        request: &Request<'_>,
        now: Timestamp,
    ) -> Result<AccountRequest<'g>, Rejected<'g>> {
        let token = self.endpoint_token(TokenType::Access, request, now)?;
        let wish = match endpoint {
            Endpoint::Sessions => Wish::List,
            Endpoint::Session => Wish::End(request.path.rsplit('/').next().unwrap_or_default().into()),
            Endpoint::LogoutAll => Wish::EndAll,
            _ => Wish::ChangePassword { client: self.client_info(request), body_fault: check_json(request).err() },
        };
        Ok(AccountRequest { token, wish })
    }
}

/// Checks the token with the account's object, then does what the user asks for.
pub(super) async fn own_account(
    gate: &Gate,
    AccountRequest { token, wish }: AccountRequest<'_>,
    host: &impl Host,
    users: &impl Users,
) -> Result<Answered, Rejected<'static>> {
    let token = token.read(gate, host).await?;
    let Some((object, check)) = gate.check_command(&token) else {
        return Err(RejectedToken::of(Rejection::Token(TokenRejection::Revoked), token).into());
    };
    let token = gate.unrevoked(token, Scope::Everybody, host).await?;
    match gate.ask(host, &object, check).await? {
        Reply::Alive => {}
        reply => return Err(RejectedToken::of(rejection_of(&reply), token).into()),
    }
    match wish {
        Wish::List => list(gate, &object, &token, host).await,
        Wish::End(session) => end(gate, &object, &token, session, host).await,
        Wish::EndAll => end_all(gate, &object, host).await,
        Wish::ChangePassword { client, body_fault } => {
            let request = PasswordRequest { object, token, client, body_fault };
            password::change(gate, request, host, users).await
        }
    }
}

async fn list(
    gate: &Gate,
    object: &ObjectName,
    token: &SignedToken,
    host: &impl Host,
) -> Result<Answered, Rejected<'static>> {
    match gate.ask(host, object, Command::List).await? {
        Reply::Sessions { sessions } => Ok(Answered::plain(listed(&sessions, token.session_id()))),
        _ => Err(Rejection::Internal(InternalRejection::Bug).into()),
    }
}

/// The answer that lists sessions; the one of the request's own token has `current`.
pub(super) fn listed(sessions: &[SessionSummary], current: Option<&SessionId>) -> Answer {
    let one = |session: &SessionSummary| {
        json!({
            "id": session.id,
            "created": session.created,
            "last_used": session.last_used,
            "user_agent": session.user_agent,
            "country": session.country,
            "current": Some(&session.id) == current,
        })
    };
    Answer::json(200, &json!({"sessions": sessions.iter().map(one).collect::<Vec<_>>()}))
}

async fn end(
    gate: &Gate,
    object: &ObjectName,
    token: &SignedToken,
    session: SessionId,
    host: &impl Host,
) -> Result<Answered, Rejected<'static>> {
    let is_current = token.session_id() == Some(&session);
    match gate.ask(host, object, Command::End { session }).await? {
        Reply::Done => Ok(gate.ended("session ended", is_current)),
        Reply::Ended { .. } => Err(Rejection::Session(SessionRejection::Unknown).into()),
        _ => Err(Rejection::Internal(InternalRejection::Bug).into()),
    }
}

async fn end_all(gate: &Gate, object: &ObjectName, host: &impl Host) -> Result<Answered, Rejected<'static>> {
    let command = Command::EndAll { retire_password: false, version: None, forget_attributes: false };
    match gate.ask(host, object, command).await? {
        Reply::Done => Ok(gate.ended("all sessions ended", true)),
        _ => Err(Rejection::Internal(InternalRejection::Bug).into()),
    }
}
