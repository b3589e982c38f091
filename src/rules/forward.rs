//! What is sent on to an origin: which of the client's headers, and who the gate says it is.
//!
//! **What always holds:** whatever spelling a client gives an identity header (case, `_`, `.` or any other mark for `-`:
//! CGI and PHP read them all as one), it does not arrive;
//! ours are set afterwards, so an origin may trust them. This holds on every route, those without a token too
//! (oauth2-proxy#624). Values can't break a header: the subject is percent-encoded, the claims are base64url.

use super::{
    config::Config,
    gate::{Admission, Passage},
    route::Auth,
};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// The id of the user: an integer as it is, a text percent-encoded.
pub const SUBJECT_HEADER: &str = "x-auth-subject";
/// The token's claims, as signed: base64url of a JSON object. Tells `1` from `"1"`.
pub const CLAIMS_HEADER: &str = "x-auth-claims";
/// All headers of this beginning are the gate's.
const IDENTITY_PREFIX: &str = "x-auth-";
const AUTHORIZATION: &str = "authorization";

/// What may stand in a subject as it is: visible ASCII but the escape itself.
const SUBJECT_ESCAPES: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

/// RFC 9110 §7.6.1, with the older ones. `Upgrade` is decided on its own: a WebSocket needs it.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "http2-settings",
];

/// What the client's headers are held against, once a request.
pub struct Filter<'f> {
    /// The `Connection` header: names more headers that are for this hop only.
    pub connection: Option<&'f str>,
    /// The header with the token.
    pub token_header: &'f str,
    /// Is it passed on, and `Authorization`?
    pub forward_token: bool,
}

impl<'f> Filter<'f> {
    /// For a passage under `TOLLGATE_FORWARD_TOKEN`.
    #[must_use]
    pub fn new(passage: &Passage<'_>, connection: Option<&'f str>, config: &'f Config) -> Self {
        let token_header = config.extended().map_or(AUTHORIZATION, |extended| &extended.header_name);
        let forward_token = config.forward_token || passage.rule().auth == Auth::None;
        Self { connection, token_header, forward_token }
    }

    /// Is this header one that only the gate may set? `name` in any case.
    #[must_use]
    pub fn is_the_gates(name: &str) -> bool {
        plain(name).starts_with(IDENTITY_PREFIX)
    }

    /// Does this header of the client stay behind? `name` in any case.
    #[must_use]
    pub fn withholds(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        let plain = plain(&name);
        plain.starts_with(IDENTITY_PREFIX)
            || HOP_BY_HOP.contains(&name.as_str())
            // The origin's own, from its URL: on Cloudflare a worker has no say in it, and here it must be the same.
            || name == "host"
            || self.is_a_token(&name, &plain)
            || (name == "upgrade" && !self.is_upgrade())
            || (name != "upgrade" && self.connection_names(&name))
    }

    /// In another spelling it is not the header that the gate has judged, but an origin may read it so.
    fn is_a_token(&self, name: &str, plain: &str) -> bool {
        let looks_like = |header: &str| {
            plain.len() == header.len()
                && plain.chars().zip(header.chars()).all(|(one, other)| one == plain_char(other))
                && (!self.forward_token || !name.eq_ignore_ascii_case(header))
        };
        looks_like(AUTHORIZATION) || looks_like(self.token_header)
    }

    fn connection_names(&self, name: &str) -> bool {
        self.connection.unwrap_or_default().split(',').any(|word| word.trim().eq_ignore_ascii_case(name))
    }

    fn is_upgrade(&self) -> bool {
        self.connection_names("upgrade")
    }
}

/// A header's name as the most careless origin reads it: in lower case, all but letters and digits one mark.
fn plain(name: &str) -> String {
    name.chars().map(plain_char).collect()
}

fn plain_char(c: char) -> char {
    if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }
}

/// The headers that say who it is.
#[must_use]
pub fn identity_headers(admission: &Admission) -> Vec<(&'static str, String)> {
    match admission {
        Admission::Verified { token, identity, .. } => vec![
            (SUBJECT_HEADER, utf8_percent_encode(&identity.id.to_string(), SUBJECT_ESCAPES).to_string()),
            (CLAIMS_HEADER, token.payload().to_owned()),
        ],
        Admission::Anonymous | Admission::Open => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{
        config::Location,
        identity::{Id, Identity},
        json::Map,
        token::VerifiedToken,
    };
    use std::sync::Arc;

    #[test]
    fn identity_and_hop_by_hop_headers_stay_behind_in_every_spelling() {
        let kept = Filter { connection: None, token_header: AUTHORIZATION, forward_token: false };
        let filter = Filter { connection: Some("keep-alive, X-Secret-Hop"), forward_token: true, ..kept };
        for name in [
            "X-Auth-Subject",
            "x-auth-subject",
            "X_Auth_Subject",
            "x-AUTH_claims",
            "X_AUTH-Roles",
            "x.auth.subject",
            "x-auth.subject",
            "x~auth~subject",
            "X!Auth-Subject",
            "x-auth'subject",
            "Connection",
            "keep-alive",
            "TE",
            "Transfer-Encoding",
            "Upgrade",
            "X-Secret-Hop",
            "Proxy-Authorization",
            "Host",
        ] {
            assert!(filter.withholds(name), "{name}");
        }
        for name in ["Accept", "Cookie", "X-Author", "Authorization", "Content-Type", "X-Authenticated"] {
            assert!(!filter.withholds(name), "{name}");
        }
        assert!(kept.withholds("Authorization"));
        assert!(!Filter { connection: Some("Upgrade"), ..kept }.withholds("upgrade"), "a WebSocket");
    }

    #[test]
    fn a_header_of_ones_own_for_the_token_is_held_to_the_same() {
        let kept = Filter { connection: None, token_header: "X-Token", forward_token: false };
        let passed = Filter { forward_token: true, ..kept };
        for (name, when_kept, when_passed) in [
            ("X-Token", true, false),
            ("x-token", true, false),
            ("X_Token", true, true),
            ("x.token", true, true),
            ("Authorization", true, false),
            ("X-Tokens", false, false),
        ] {
            assert_eq!((kept.withholds(name), passed.withholds(name)), (when_kept, when_passed), "{name}");
        }
    }

    #[test]
    fn a_subject_cannot_break_a_header() {
        for (id, sent) in [
            (Id::Int(-7), "-7"),
            (Id::Text("abc".into()), "abc"),
            (Id::Text("a\r\nX-Auth-Roles: admin".into()), "a%0D%0AX-Auth-Roles:%20admin"),
            (Id::Text("é 100%".into()), "%C3%A9%20100%25"),
        ] {
            let admission = Admission::Verified {
                token: VerifiedToken::assert_verified(&Map::new()),
                identity: Arc::new(Identity::new(id)),
                location: Location::Headers,
            };
            assert_eq!(identity_headers(&admission)[0], (SUBJECT_HEADER, sent.to_owned()));
        }
        assert_eq!(identity_headers(&Admission::Anonymous), []);
    }
}
