//! `POST /auth/logout`: ends the session of each token that comes with the request.
//!
//! **What always holds:** a log-out is answered with 200 when the account's object has it and the revocation log knows
//! of it, not before; or if there is nothing left to end. A token whose signature is good ends its session, an expired
//! one too. The answer removes the cookies, unless it asks for another try, and says success only if something was
//! ended: a token that can't be read or was not signed here is refused, since its session goes on (unlike RFC 7009
//! §2.2, which has one answer for both).

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

/// A log-out whose tokens were looked for.
pub struct LogoutRequest<'g> {
    found: TokensToEnd<'g>,
    /// The body is declared too long to be read.
    body_too_long: Option<Rejection>,
}

/// What ends a token: a command to an object; `or` another, if the object knows no such session.
struct End {
    object: ObjectName,
    command: Command,
    or: Option<Command>,
}

impl Gate {
    /// Looks for the tokens.
    pub(super) fn begin_logout<'g>(&'g self, request: &Request<'_>, now: Timestamp) -> LogoutRequest<'g> {
        let found = self.dialect.search_all(request, &self.config, now);
        let body_too_long = found.in_body.as_ref().and_then(|_| self.check_token_body(request).err());
        LogoutRequest { found, body_too_long }
    }

    /// How long an entry of the token has to stand.
    fn life_of(&self, token: &SignedToken) -> TokenLife {
        let leeway = self.config.tokens.policy().leeway();
        token
            .expires()
            .map_or(TokenLife::Endless, |exp| TokenLife::Until(Timestamp::beginning_of(exp.next()).later(leeway)))
    }

    /// Whether the token is no good any more by itself. One of a session never is: the session may go on.
    fn is_over(&self, token: &SignedToken, now: Timestamp) -> bool {
        token.session_id().is_none() && matches!(self.life_of(token), TokenLife::Until(end) if end <= now)
    }

    /// How a token is ended; `None` if nothing can hit it: it has neither a session nor an id, or names no account.
    fn end_of(&self, token: &SignedToken, now: Timestamp) -> Option<End> {
        let object = self.account_of(token)?;
        let life = Some(self.life_of(token));
        let revoke = token.token_id().map(|id| Command::Revoke { token_id: id.clone(), life });
        let Some(session) = token.session_id() else { return Some(End { object, command: revoke?, or: None }) };
        // The object may never have known a session of this id, which another issuer has made. A token that is void has
        // its entry.
        let or = revoke.filter(|_| self.status(token, Scope::All, now) != RevocationStatus::Revoked);
        Some(End { object, command: Command::End { session: session.clone() }, or })
    }

    /// Rejects a log-out, and removes the cookies all the same.
    fn reject_logout(&self, rejected: RejectedToken) -> Rejected<'static> {
        Rejected { jar: self.dialect.removed_cookies(), ..Rejected::from(rejected) }
    }

    /// Says that something has ended; and removes the cookies, if they are of what has ended.
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
    if gate.snapshot.is_some() {
        return end_each(gate, &tokens, host).await;
    }
    // Without sessions the cookies are all that can be taken away.
    if in_cookie {
        Ok(gate.ended("cookies removed; the token in them is good until it expires", true))
    } else {
        Err(gate.reject_logout(RejectedToken::unsigned(SessionRejection::NotRevocable)))
    }
}

/// Ends the tokens one after the other.
async fn end_each(gate: &Gate, tokens: &[SignedToken], host: &impl Host) -> Result<Answered, Rejected<'static>> {
    let now = host.now();
    let ends: Vec<Option<End>> =
        tokens.iter().filter(|token| !gate.is_over(token, now)).map(|token| gate.end_of(token, now)).collect();
    let is_all = ends.iter().all(Option::is_some);
    let mut ends: Vec<End> = ends.into_iter().flatten().collect();
    while let Some(End { object, command, or }) = ends.pop() {
        // Where the log-out is to be tried again, it is with the same cookies.
        match (gate.ask(host, &object, command.clone()).await?, or) {
            // Other tokens of the same session have ended with it.
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
