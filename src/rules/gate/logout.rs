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
        config::{FlaskJwtExtended, Location},
        cookie::Jar,
        credential::flask_jwt_extended::{InBody, Searched, Sought, seek},
        handlers::TokenParts,
        ids::ObjectName,
        rejection::{Absent, CredentialRejection, InternalRejection, Rejection, SessionRejection, TokenRejection},
        request::Request,
        revocation::RevocationStatus,
        time::Timestamp,
        token::{RejectedToken, SignedToken, TokenType},
        wire::flask_jwt_extended,
    },
};

/// What a log-out found in its request.
#[derive(Default)]
pub struct LogoutRequest {
    /// Tokens with a good signature.
    tokens: Vec<SignedToken>,
    /// One of them is in a cookie.
    in_cookie: bool,
    /// Why the first of the others is refused; if there was no token at all, that it is missing.
    rejected: Option<RejectedToken>,
    /// Where there was no access token.
    absent: Vec<Absent>,
    /// What is searched for in the body, and the places after it.
    in_body: Option<(TokenType, InBody, Vec<Place>)>,
    /// The body is declared too long to be read.
    body_too_long: Option<Rejection>,
}

/// A place, and what it says of a token of this type.
type Place = (TokenType, Location, Result<Sought, CredentialRejection>);

/// What ends a token: a command to an object; `or` another, if the object knows no such session.
struct End {
    object: ObjectName,
    command: Command,
    or: Option<Command>,
}

impl LogoutRequest {
    fn add(&mut self, token: Result<SignedToken, RejectedToken>, in_cookie: bool) {
        match token {
            Ok(token) => {
                self.tokens.push(token);
                self.in_cookie |= in_cookie;
            }
            Err(rejected) => drop(self.rejected.get_or_insert(rejected)),
        }
    }

    fn reject(&mut self, rejection: impl Into<Rejection>) {
        self.rejected.get_or_insert_with(|| RejectedToken::unsigned(rejection));
    }

    fn has_any(&self) -> bool {
        !self.tokens.is_empty() || self.rejected.is_some()
    }
}

impl Gate {
    /// Looks for the tokens. The cookie with the refresh token counts as much as that with the access token, and
    /// neither needs a CSRF value: another site could take the cookies away just as well.
    pub(super) fn begin_logout(&self, request: &Request<'_>, now: Timestamp) -> LogoutRequest {
        let mut found = LogoutRequest::default();
        let Some(config) = self.config.flask_jwt_extended() else {
            match self.handlers.request(request, &self.config, &self.config.realm) {
                Ok(Some(token)) => found.add(self.token_to_end(&token, now), false),
                Ok(None) => found
                    .reject(Rejection::Credential(CredentialRejection::Missing { realm: self.config.realm.clone() })),
                Err(rejection) => found.reject(rejection),
            }
            return found;
        };
        let config = FlaskJwtExtended { csrf_protect: false, ..config.clone() };
        let places = TokenType::ALL
            .into_iter()
            .flat_map(|token_type| config.locations.iter().map(move |&location| (token_type, location)));
        let places =
            places.map(|(token_type, location)| (token_type, location, seek(location, request, &config, token_type)));
        self.look_at_places(&mut found, places, now);
        if found.in_body.is_some() {
            found.body_too_long = self.check_token_body(request).err();
        }
        found
    }

    /// Looks at one place after the other. A body is read only if there is nothing before it.
    fn look_at_places(&self, found: &mut LogoutRequest, mut places: impl Iterator<Item = Place>, now: Timestamp) {
        while let Some((token_type, location, sought)) = places.next() {
            match sought {
                Ok(Sought::Known(searched)) => self.look_at(found, token_type, location, searched, now),
                Ok(Sought::InBody(_)) if found.has_any() => {}
                Ok(Sought::InBody(in_body)) => {
                    found.in_body = Some((token_type, in_body, places.collect()));
                    return;
                }
                // A JSON body is not looked at where there is anything else.
                Err(rejection) => found.reject(rejection),
            }
        }
    }

    fn look_at(
        &self,
        found: &mut LogoutRequest,
        token_type: TokenType,
        location: Location,
        searched: Searched,
        now: Timestamp,
    ) {
        match searched {
            Searched::Found { token, .. } => {
                found.add(self.token_to_end(&token, now), location == Location::Cookies);
            }
            Searched::Absent(place) if token_type == TokenType::Access => found.absent.push(place),
            Searched::Absent(_) => {}
        }
    }

    /// A token whose session may be ended: its signature is good, if nothing else is.
    fn token_to_end(&self, token: &str, now: Timestamp) -> Result<SignedToken, RejectedToken> {
        let verified = match self.config.flask_jwt_extended() {
            Some(_) => self.verify_flask_jwt_extended(token, None, now).map_err(RejectedToken::from),
            None => self.handlers.decode(token, &self.config, now).map_err(RejectedToken::unsigned),
        };
        match verified {
            Ok(token) => Ok(token.into_signed()),
            Err(RejectedToken { signed: Some(signed), .. }) => Ok(signed),
            Err(rejected) => self.signed(token, now).map_err(|_| rejected),
        }
    }

    fn signed(&self, token: &str, now: Timestamp) -> Result<SignedToken, TokenRejection> {
        let Self { config, handlers, .. } = self;
        if config.flask_jwt_extended().is_none() || !handlers.has_decode_key() {
            return config.tokens.signed(token, None, now);
        }
        let choose = |header: &_, payload: &_| handlers.decode_key(TokenParts { header, payload });
        config.tokens.signed(token, Some(&choose), now)
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
        Rejected { jar: self.removed_cookies(), ..Rejected::from(rejected) }
    }

    /// The cookies that remove those with tokens.
    fn removed_cookies(&self) -> Jar {
        let mut jar = Jar::new();
        if let Some(config) = self.config.flask_jwt_extended().filter(|config| config.uses_cookies()) {
            TokenType::ALL.into_iter().for_each(|token_type| jar.unset(config, token_type));
        }
        jar
    }

    /// Says that something has ended; and removes the cookies, if they are of what has ended.
    pub(super) fn ended(&self, message: &str, is_own: bool) -> Answered {
        let jar = if is_own { self.removed_cookies() } else { Jar::new() };
        Answered::plain(flask_jwt_extended::message(message, &jar))
    }
}

/// A log-out.
pub(super) async fn logout(
    gate: &Gate,
    mut found: LogoutRequest,
    host: &impl Host,
) -> Result<Answered, Rejected<'static>> {
    if let Some(rejection) = found.body_too_long.take() {
        return Err(rejection.into());
    }
    if found.in_body.is_some() {
        let body = gate.token_body(host).await?;
        while let Some((token_type, in_body, rest)) = found.in_body.take() {
            match in_body.read(&body) {
                Ok(searched) => gate.look_at(&mut found, token_type, Location::Json, searched, host.now()),
                Err(rejection) => found.reject(rejection),
            }
            gate.look_at_places(&mut found, rest.into_iter(), host.now());
        }
    }
    let LogoutRequest { tokens, in_cookie, rejected, absent, .. } = found;
    if tokens.is_empty() {
        return Err(gate
            .reject_logout(rejected.unwrap_or_else(|| RejectedToken::unsigned(CredentialRejection::Nowhere(absent)))));
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
