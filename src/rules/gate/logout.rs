//! `POST /auth/logout`: ends the session of each token that comes with the request.
//!
//! **What always holds:** a log-out is answered 200 after the account's object has stored it and the revocation log has
//! it, or if all tokens have expired. A token with a valid signature ends its session, even if it has expired. The
//! answer removes the cookies, unless it asks for a retry. A token that can't be read or was not signed here is
//! refused, since its session stays open (RFC 7009 §2.2 would answer 200).

use super::{
    core::Gate,
    decision::{Answered, Rejected},
    revocation::Scope,
};
use crate::{
    host::Host,
    rules::{
        account::{Command, Reply, TokenLife},
        answer::Answer,
        cookie::Jar,
        dialect::TokensToEnd,
        ids::ObjectName,
        rejection::{CredentialRejection, InternalRejection, Rejection, SessionRejection},
        request::Request,
        revocation::RevocationStatus,
        time::Timestamp,
        token::{RejectedToken, SignedToken},
    },
};

/// A log-out whose tokens were searched for.
pub struct LogoutRequest<'g> {
    found: TokensToEnd<'g>,
    /// Set if the body must be searched, but is declared too long.
    body_too_long: Option<Rejection>,
}

/// The command that ends a token; `or` is sent if the object knows no such session.
struct End {
    object: ObjectName,
    command: Command,
    or: Option<Command>,
}

impl Gate {
    /// Searches the request for every token.
    pub(super) fn begin_logout<'g>(&'g self, request: &Request<'_>, now: Timestamp) -> LogoutRequest<'g> {
        let found = self.dialect.search_all(request, &self.config, now);
        let body_too_long = found.in_body.as_ref().and_then(|_| self.check_token_body(request).err());
        LogoutRequest { found, body_too_long }
    }

    /// How long a revocation of the token must be kept.
    fn life_of(&self, token: &SignedToken) -> TokenLife {
        let leeway = self.config.tokens.policy().leeway();
        token
            .expires()
            .map_or(TokenLife::Endless, |exp| TokenLife::Until(Timestamp::beginning_of(exp.next()).later(leeway)))
    }

    /// Whether the token has expired and there is nothing to end. A token of a session never is: the session may be
    /// open.
    fn is_over(&self, token: &SignedToken, now: Timestamp) -> bool {
        token.session_id().is_none() && matches!(self.life_of(token), TokenLife::Until(end) if end <= now)
    }

    /// How a token is ended; `None` if it can't be: it has neither a session nor an id, or names no account.
    fn end_of(&self, token: &SignedToken, now: Timestamp) -> Option<End> {
        let object = self.account_of(token)?;
        let life = Some(self.life_of(token));
        let revoke = token.token_id().map(|id| Command::Revoke { token_id: id.clone(), life });
        let Some(session) = token.session_id() else { return Some(End { object, command: revoke?, or: None }) };
        // Another issuer may have made a session id that the object does not know. A revoked token needs no second
        // entry.
        let or = revoke.filter(|_| self.status(token, Scope::All, now) != RevocationStatus::Revoked);
        Some(End { object, command: Command::End { session: session.clone() }, or })
    }

    /// Rejects a log-out, but removes the cookies.
    fn reject_logout(&self, rejected: RejectedToken) -> Rejected<'static> {
        Rejected { jar: self.dialect.removed_cookies(), ..Rejected::from(rejected) }
    }

    /// The answer that something was ended. It removes the cookies if `is_own`: the request's own session has ended.
    pub(super) fn ended(&self, message: &str, is_own: bool) -> Answered {
        let jar = if is_own { self.dialect.removed_cookies() } else { Jar::new() };
        Answered::plain(Answer::message(message).with_cookies(&jar))
    }
}

/// A log-out.
pub(super) async fn logout(
    gate: &Gate,
    LogoutRequest { mut found, body_too_long }: LogoutRequest<'_>,
    host: &impl Host,
) -> Result<Answered, Rejected<'static>> {
    if let Some(rejection) = body_too_long {
        return Err(rejection.into());
    }
    if let Some(in_body) = found.in_body.take() {
        let body = gate.token_body(host).await?;
        in_body.read(&mut found, &body, host.now());
    }
    let TokensToEnd { signed: tokens, in_cookie, rejected, .. } = found;
    if tokens.is_empty() {
        let missing = || RejectedToken::unsigned(CredentialRejection::Nowhere(Vec::new()));
        return Err(gate.reject_logout(rejected.unwrap_or_else(missing)));
    }
    // Without sessions only the cookies can be removed.
    if gate.snapshot.is_none() && in_cookie {
        return Ok(gate.ended("cookies removed; the token in them is good until it expires", true));
    }
    end(gate, &tokens, host).await
}

/// Ends the tokens one after another.
pub(super) async fn end(gate: &Gate, tokens: &[SignedToken], host: &impl Host) -> Result<Answered, Rejected<'static>> {
    if gate.snapshot.is_none() {
        return Err(gate.reject_logout(RejectedToken::unsigned(SessionRejection::NotRevocable)));
    }
    let now = host.now();
    let ends: Vec<Option<End>> =
        tokens.iter().filter(|token| !gate.is_over(token, now)).map(|token| gate.end_of(token, now)).collect();
    let is_all = ends.iter().all(Option::is_some);
    let mut ends: Vec<End> = ends.into_iter().flatten().collect();
    while let Some(End { object, command, or }) = ends.pop() {
        // An error here keeps the cookies, so that the log-out can be retried.
        match (gate.ask(host, &object, command.clone()).await?, or) {
            // This command has ended other tokens of the same session too.
            (Reply::Done, _) => ends.retain(|end| end.object != object || end.command != command),
            (Reply::Ended { .. }, Some(command)) => ends.push(End { object, command, or: None }),
            (Reply::Ended { .. }, None) => {}
            _ => return Err(Rejection::Internal(InternalRejection::Bug).into()),
        }
    }
    if is_all {
        Ok(gate.ended("logout successful", true))
    } else {
        Err(gate.reject_logout(RejectedToken::unsigned(SessionRejection::NotRevocable)))
    }
}
