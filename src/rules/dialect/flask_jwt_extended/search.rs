//! The search for tokens: the places, their order, and what is judged during the search
//! (docs/compat/flask-jwt-extended.md#finding-the-token, steps 2 to 5).
//!
//! **What always holds:** a token that is found for a rule is valid and satisfies it. The search ends at the first
//! place that has a token or a malformed one. A search that must wait for the body copies what it needs of the request
//! first.

use super::{
    super::{BodySearch, Dialect, LogoutBody, Presented, Search, TokensToEnd},
    Spoken,
    find::{InBody, Searched, Sought, seek},
};
use crate::rules::{
    config::{Config, FlaskJwtExtended, Location},
    rejection::{Absent, CredentialRejection},
    request::Request,
    route::FlaskJwtExtendedRule,
    time::Timestamp,
    token::{RejectedToken, TokenType},
};

/// A search for one token under a rule.
struct TokenSearch<'g> {
    dialect: &'g Spoken,
    config: &'g Config,
    rule: &'g FlaskJwtExtendedRule,
    /// The places without a token.
    absent: Vec<Absent>,
}

/// A search that must wait for the body.
struct Waiting<'g> {
    search: TokenSearch<'g>,
    location: Location,
    in_body: InBody,
    /// What the request has in the remaining places.
    rest: Vec<(Location, Result<Sought, CredentialRejection>)>,
}

/// The outcome of looking at several places.
enum Looked<'g> {
    Done(Presented),
    InBody(Waiting<'g>),
}

/// Searches a request for the token that a rule asks for.
pub(super) fn search<'g>(
    dialect: &'g Spoken,
    rule: &'g FlaskJwtExtendedRule,
    request: &Request<'_>,
    config: &'g Config,
    now: Timestamp,
) -> Search<'g> {
    let options = &dialect.options;
    let locations: &[Location] = rule.locations.as_ref().unwrap_or(&options.locations);
    let look = |&location: &Location| (location, seek(location, request, options, rule.token_type));
    let search = TokenSearch { dialect, config, rule, absent: Vec::new() };
    match search.look(locations.iter().map(look), now) {
        Looked::Done(presented) => Search::Done(presented),
        Looked::InBody(waiting) => Search::InBody(Box::new(waiting)),
    }
}

impl<'g> TokenSearch<'g> {
    /// Looks at one place after another.
    fn look(
        mut self,
        mut places: impl Iterator<Item = (Location, Result<Sought, CredentialRejection>)>,
        now: Timestamp,
    ) -> Looked<'g> {
        while let Some((location, sought)) = places.next() {
            match sought {
                Ok(Sought::Known(Searched::Absent(place))) => self.absent.push(place),
                Ok(Sought::Known(Searched::Found { token, csrf })) => {
                    return Looked::Done(self.judged(&token, csrf.as_deref(), location, now));
                }
                Ok(Sought::InBody(in_body)) => {
                    return Looked::InBody(Waiting { search: self, location, in_body, rest: places.collect() });
                }
                Err(rejection) => return Looked::Done(Presented::Rejected(RejectedToken::unsigned(rejection))),
            }
        }
        Looked::Done(Presented::Missing(CredentialRejection::Nowhere(self.absent).into()))
    }

    /// Verifies and judges a token that was found.
    fn judged(&self, token: &str, csrf: Option<&str>, location: Location, now: Timestamp) -> Presented {
        let token = match self.dialect.verify(token, csrf, self.config, now) {
            Ok(token) => token,
            Err(rejected) => return Presented::Rejected(rejected.into()),
        };
        match self.dialect.judge_use(self.rule, &token, now) {
            Ok(()) => Presented::Token(token, location),
            Err(rejection) => Presented::Rejected(RejectedToken::of(rejection, token)),
        }
    }
}

impl BodySearch for Waiting<'_> {
    fn read(self: Box<Self>, body: &[u8], now: Timestamp) -> Presented {
        let mut waiting = *self;
        loop {
            let Waiting { mut search, location, in_body, rest } = waiting;
            match in_body.read(body) {
                Ok(Searched::Found { token, csrf }) => return search.judged(&token, csrf.as_deref(), location, now),
                Ok(Searched::Absent(place)) => search.absent.push(place),
                Err(rejection) => return Presented::Rejected(RejectedToken::unsigned(rejection)),
            }
            match search.look(rest.into_iter(), now) {
                Looked::Done(presented) => return presented,
                Looked::InBody(next) => waiting = next,
            }
        }
    }
}

/// A place, and what was found there of a token of this type.
type Place = (TokenType, Location, Result<Sought, CredentialRejection>);

/// A search for every token of a request.
struct AllTokens<'g> {
    dialect: &'g Spoken,
    config: &'g Config,
    /// The places without an access token.
    absent: Vec<Absent>,
}

/// An [`AllTokens`] search that must wait for the body.
struct AllWaiting<'g> {
    search: AllTokens<'g>,
    token_type: TokenType,
    in_body: InBody,
    rest: Vec<Place>,
}

/// Searches a request for every token that a log-out ends: access tokens, then refresh tokens.
pub(super) fn search_all<'g>(
    dialect: &'g Spoken,
    request: &Request<'_>,
    config: &'g Config,
    now: Timestamp,
) -> TokensToEnd<'g> {
    let options = FlaskJwtExtended { csrf_protect: false, ..FlaskJwtExtended::clone(&dialect.options) };
    let places = TokenType::ALL
        .into_iter()
        .flat_map(|token_type| options.locations.iter().map(move |&location| (token_type, location)));
    let places =
        places.map(|(token_type, location)| (token_type, location, seek(location, request, &options, token_type)));
    let mut found = TokensToEnd::default();
    let search = AllTokens { dialect, config, absent: Vec::new() };
    found.in_body = search.look(&mut found, places, now).map(|waiting| Box::new(waiting) as Box<dyn LogoutBody + 'g>);
    found
}

impl<'g> AllTokens<'g> {
    /// Looks at one place after another. A body is read only if no place before it has a token.
    fn look(
        mut self,
        found: &mut TokensToEnd<'_>,
        mut places: impl Iterator<Item = Place>,
        now: Timestamp,
    ) -> Option<AllWaiting<'g>> {
        while let Some((token_type, location, sought)) = places.next() {
            match sought {
                Ok(Sought::Known(searched)) => self.add(found, token_type, location, searched, now),
                Ok(Sought::InBody(_)) if found.has_any() => {}
                Ok(Sought::InBody(in_body)) => {
                    return Some(AllWaiting { search: self, token_type, in_body, rest: places.collect() });
                }
                Err(rejection) => found.reject(rejection),
            }
        }
        if found.signed.is_empty() {
            found.reject(CredentialRejection::Nowhere(self.absent));
        }
        None
    }

    fn add(
        &mut self,
        found: &mut TokensToEnd<'_>,
        token_type: TokenType,
        location: Location,
        searched: Searched,
        now: Timestamp,
    ) {
        match searched {
            Searched::Found { token, .. } => {
                found.add(self.dialect.signed(&token, self.config, now), location == Location::Cookies);
            }
            Searched::Absent(place) if token_type == TokenType::Access => self.absent.push(place),
            Searched::Absent(_) => {}
        }
    }
}

impl LogoutBody for AllWaiting<'_> {
    fn read(self: Box<Self>, found: &mut TokensToEnd<'_>, body: &[u8], now: Timestamp) {
        let mut next = Some(*self);
        while let Some(AllWaiting { mut search, token_type, in_body, rest }) = next.take() {
            match in_body.read(body) {
                Ok(searched) => search.add(found, token_type, Location::Json, searched, now),
                Err(rejection) => found.reject(rejection),
            }
            next = search.look(found, rest.into_iter(), now);
        }
    }
}
