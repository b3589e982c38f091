//! A token in the subprotocols of a WebSocket handshake (`TOLLGATE_WEBSOCKET_PROTOCOL`): a page's script can set no
//! header field of a handshake, but it can name subprotocols.
//!
//! **What always holds:** the token is the entry after the option's word, as in `new WebSocket(url, ["bearer",
//! token])`; neither goes on to the origin. It is judged as a token in the header field that the dialect reads, and
//! only where that field is absent.

use super::{
    config::Config,
    request::{Headers, Request},
};
use std::borrow::Cow;

/// The field with the subprotocols (RFC 6455 §11.3.4).
pub const PROTOCOL_HEADER: &str = "sec-websocket-protocol";

/// The token after `word` in a list of subprotocols.
#[must_use]
pub fn token<'p>(protocols: &'p str, word: &str) -> Option<&'p str> {
    let mut entries = protocols.split(',').map(str::trim);
    entries.find(|entry| *entry == word)?;
    entries.next()
}

/// The list without `word` and without each token that follows it, wherever that token stands; empty if nothing is
/// left. `None` if it has no `word`.
#[must_use]
pub fn without_token(protocols: &str, word: &str) -> Option<String> {
    let entries: Vec<&str> = protocols.split(',').map(str::trim).collect();
    let is_word = |entry: &&str| *entry == word;
    let tokens: Vec<&str> = entries.windows(2).filter(|pair| pair[0] == word).map(|pair| pair[1]).collect();
    let others = || entries.iter().copied().filter(|entry| !is_word(entry) && !tokens.contains(entry));
    entries.iter().any(is_word).then(|| others().collect::<Vec<_>>().join(", "))
}

/// What goes on of a request that has a token in its subprotocols.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketFields {
    /// The other subprotocols; empty if there are none.
    pub protocols: String,
    /// Whether cookies go on. Any page can write a token of its own into a subprotocol, and the browser adds the
    /// cookies of its user: a handshake from another origin's page goes on without them.
    pub has_cookies: bool,
}

/// The request's subprotocols without the token among them. `None` if they hold no token, or the configuration does not
/// read tokens from them.
pub(super) fn protocols_without_token(request: &Request<'_>, config: &Config) -> Option<String> {
    let word = config.websocket_protocol.as_deref()?;
    without_token(&request.headers.get(PROTOCOL_HEADER)?, word)
}

/// The header fields of a handshake, with its token in the field where the dialect reads tokens.
pub(super) struct WithToken<'r> {
    headers: &'r dyn Headers,
    name: String,
    value: String,
}

impl<'r> WithToken<'r> {
    /// Those of a handshake with a token in its subprotocols and none in the field.
    pub(super) fn of(request: &Request<'r>, config: &Config) -> Option<Self> {
        let word = config.websocket_protocol.as_deref()?;
        let headers = request.headers;
        if headers.get(&config.token_header()).is_some() || !request.is_web_socket() {
            return None;
        }
        let (name, value) = config.token_field(token(&headers.get(PROTOCOL_HEADER)?, word)?);
        Some(Self { headers, name, value })
    }
}

impl Headers for WithToken<'_> {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        if name == self.name { Some(Cow::Borrowed(&self.value)) } else { self.headers.get(name) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_follows_the_word_and_both_stay_behind() {
        for (protocols, found, others) in [
            ("bearer, a.b.c", Some("a.b.c"), Some("")),
            ("bearer,a.b.c,chat.v1", Some("a.b.c"), Some("chat.v1")),
            ("chat.v1, bearer, a.b.c, chat.v2", Some("a.b.c"), Some("chat.v1, chat.v2")),
            ("bearer, a.b.c, bearer, d.e.f", Some("a.b.c"), Some("")),
            ("chat.v1, bearer", None, Some("chat.v1")),
            ("bearer, bearer, a.b.c", Some("bearer"), Some("")),
            ("bearer, a.b.c, a.b.c", Some("a.b.c"), Some("")),
            ("a.b.c, chat.v1, bearer, a.b.c", Some("a.b.c"), Some("chat.v1")),
            ("Bearer, a.b.c", None, None),
            ("chat.v1", None, None),
            ("", None, None),
        ] {
            assert_eq!(token(protocols, "bearer"), found, "{protocols}");
            assert_eq!(without_token(protocols, "bearer").as_deref(), others, "{protocols}");
        }
    }
}
