//! The origin, and what is forwarded to it.

use super::{Family, OptionSpec};

pub(super) const TOLLGATE: &[OptionSpec] = &Family::Tollgate.options([
    OptionSpec::text("ORIGIN", |raw| &mut raw.origin)
        .kind("URL without query")
        .unset("none")
        .meaning("Where `to = \"origin\"` forwards to; the request's path and query are put behind it."),
    OptionSpec::duration("ORIGIN_TIMEOUT", |raw| &mut raw.origin_timeout).default("30").meaning(
        "How long the origin may take to take in the next part of a body and to begin its answer; then 504. A \
         slow client and the body of an answer may take as long as they like.",
    ),
    OptionSpec::optional_text("TOLLGATE_PUBLIC_URL", |raw| &mut raw.public_url)
        .kind("URL without path and query")
        .unset("the scheme and host of each request")
        .meaning(
            "The address at which clients reach the gate. Sent to the origin as X-Forwarded-Host and \
             X-Forwarded-Proto; a `Location` of the origin's own address is rewritten to it; a WebSocket handshake \
             with a token in a cookie must have it as its `Origin`. Set it where the gate sees another host than its \
             clients do.",
        ),
    OptionSpec::list("TOLLGATE_KEEP_HEADERS", |raw| &mut raw.keep_headers)
        .kind("list of header names")
        .default("[]")
        .meaning(
            "Client header fields that go on to the origin although the gate drops them by default, since clients can \
             write anything into them: `Forwarded`, `X-Forwarded-…`, `X-Real-IP`, `True-Client-IP` and others that \
             claim an address; `X-Original-URL`, `X-Rewrite-URL`, `X-HTTP-Method-Override` and others that claim \
             another path or method; `Remote-User`, `Cf-Access-…` and others that claim a user. Name one only if what \
             stands before the gate overwrites it. An X-Forwarded field that is named here is not set by the gate.",
        ),
    OptionSpec::boolean("TOLLGATE_FORWARD_TOKEN", |raw| &mut raw.forward_token).default("true").meaning(
        "Whether the client's token is forwarded to the origin. If not, the gate removes the `Authorization` header \
         (and the one that JWT_HEADER_NAME names); where cookies are read, both cookies with tokens; where the query \
         is read, the parameter. All else is forwarded byte for byte, and so is a body with a token in it: it is the \
         client's document, which may be signed or of any length. On routes with `auth = \"none\"` everything is \
         forwarded.",
    ),
]);
