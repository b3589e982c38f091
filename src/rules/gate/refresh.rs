//! `POST /auth/refresh`: a new access token, not fresh, for a refresh token; with rotation, a new refresh token too.
//!
//! **What always holds:** the user is looked up: a deleted or disabled user gets no new token. With rotation the
//! account's object decides, and the tokens are made of the randomness in its reply, so that a retry gets the same
//! tokens.

use super::{
    core::Gate,
    decision::{Answered, Rejected},
    grant::{draw, random_of, refresh_token, with_newer},
    revocation::Scope,
    token_source::EndpointToken,
};
use crate::{
    host::Host,
    rules::{
        account::{Command, Reply},
        dialect::Grant,
        identity::Identity,
        ids::SessionId,
        rejection::{InternalRejection, Rejection, TokenRejection},
        request::Request,
        time::Timestamp,
        token::{Freshness, Random, RejectedToken, TokenType, VerifiedToken},
    },
    users::Users,
};

/// A refresh whose token was searched for.
pub struct RefreshRequest<'g>(EndpointToken<'g>);

impl Gate {
    pub(super) fn begin_refresh<'g>(
        &'g self,
        request: &Request<'_>,
        now: Timestamp,
    ) -> Result<RefreshRequest<'g>, Rejected<'g>> {
        self.endpoint_token(TokenType::Refresh, request, now).map(RefreshRequest)
    }
}

/// A refresh, from the token to the grant.
pub(super) async fn refresh(
    gate: &Gate,
    RefreshRequest(token): RefreshRequest<'_>,
    host: &impl Host,
    users: &impl Users,
) -> Result<Answered, Rejected<'static>> {
    let token = gate.unrevoked(token.read(gate, host).await?, Scope::All, host).await?;
    let Some(identity) = users.identity(&token).await? else {
        return Err(RejectedToken::of(Gate::nobody(&token), token).into());
    };
    if gate.snapshot.is_some() && gate.config.sessions.rotation {
        rotate(gate, &identity, token, host).await
    } else {
        refresh_without_rotation(gate, &identity, token, host).await
    }
}

/// As Flask-JWT-Extended refreshes. With sessions, the account's object must confirm that the session is open.
async fn refresh_without_rotation(
    gate: &Gate,
    identity: &Identity,
    token: VerifiedToken,
    host: &impl Host,
) -> Result<Answered, Rejected<'static>> {
    let Some((object, command)) = gate.use_command(&token, gate.attributes_of(identity, host.now())?) else {
        return refreshed(gate, identity, None, None, false, &draw(host), host.now());
    };
    let newer = match gate.ask(host, &object, command).await? {
        Reply::Alive => None,
        Reply::AliveWith { attributes } => Some(attributes),
        _ => return Err(RejectedToken::of(Rejection::Token(TokenRejection::Revoked), token).into()),
    };
    let session = token.session_id();
    let until = session.and_then(|session| gate.latest_end(session));
    refreshed(gate, &with_newer(identity, newer), session, until, false, &draw(host), host.now())
}

/// Spends the refresh token and answers with its successor.
async fn rotate(
    gate: &Gate,
    identity: &Identity,
    token: VerifiedToken,
    host: &impl Host,
) -> Result<Answered, Rejected<'static>> {
    let successor = refresh_token(&draw(host), host.now());
    let (Some(session), Some(token_id), Some(object)) =
        (token.session_id().cloned(), token.token_id().cloned(), gate.account_of(&token))
    else {
        // The token was issued before sessions were configured.
        return Err(RejectedToken::of(Rejection::Token(TokenRejection::Revoked), token).into());
    };
    let attributes = gate.attributes_of(identity, host.now())?;
    let command = Command::Rotate { session: session.clone(), token_id, successor, attributes };
    match gate.ask(host, &object, command).await? {
        Reply::Rotated { successor, until, attributes } => {
            let random = random_of(&successor).ok_or(Rejection::Internal(InternalRejection::Bug))?;
            let identity = &with_newer(identity, attributes);
            refreshed(gate, identity, Some(&session), Some(until), true, &random, successor.issued_at)
        }
        Reply::Ended { reused: true } => {
            Err(RejectedToken::of(Rejection::Token(TokenRejection::RefreshReused), token).into())
        }
        Reply::Ended { reused: false } => {
            Err(RejectedToken::of(Rejection::Token(TokenRejection::Revoked), token).into())
        }
        _ => Err(Rejection::Internal(InternalRejection::Bug).into()),
    }
}

fn refreshed(
    gate: &Gate,
    identity: &Identity,
    session: Option<&SessionId>,
    until: Option<Timestamp>,
    with_refresh_token: bool,
    random: &Random,
    now: Timestamp,
) -> Result<Answered, Rejected<'static>> {
    let message = "token refreshed";
    let fresh = Freshness::NotFresh;
    let grant = Grant { identity, fresh, with_refresh_token, message, session, until, random, now };
    Ok(Answered::plain(gate.grant(&grant)?))
}
