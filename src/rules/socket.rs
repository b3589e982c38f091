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

/// The list without every `word` and what follows it; empty if nothing is left. `None` if it has no `word`.
#[must_use]
pub fn without_token(protocols: &str, word: &str) -> Option<String> {
    let (mut others, mut has_word) = (Vec::new(), false);
    let mut entries = protocols.split(',').map(str::trim);
    while let Some(entry) = entries.next() {
        if entry == word {
            has_word = true;
            entries.next();
        } else {
            others.push(entry);
        }
    }
    has_word.then(|| others.join(", "))
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
        if config.websocket_protocol.is_empty() {
            return None;
        }
        let headers = request.headers;
        let (name, _) = config.token_field("");
        if headers.get(&name).is_some() || !request.is_web_socket() {
            return None;
        }
        let (name, value) = config.token_field(token(&headers.get(PROTOCOL_HEADER)?, &config.websocket_protocol)?);
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
            ("bearer, bearer, a.b.c", Some("bearer"), Some("a.b.c")),
            ("Bearer, a.b.c", None, None),
            ("chat.v1", None, None),
            ("", None, None),
        ] {
            assert_eq!(token(protocols, "bearer"), found, "{protocols}");
            assert_eq!(without_token(protocols, "bearer").as_deref(), others, "{protocols}");
        }
    }
}
