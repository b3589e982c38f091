//! The origin, and what is forwarded to it.

use super::{Family, OptionSpec};
use crate::rules::{
    config::value::{as_json, as_list, as_object},
    header::ClaimHeader,
    json::Value,
    proxies::TrustedProxies,
};

pub(super) const TOLLGATE: &[OptionSpec] = &Family::Tollgate.options([
    OptionSpec::text("ORIGIN", |raw| &mut raw.origin)
        .kind("URL without query")
        .unset("none")
        .schema(r##"{"$ref": "#/definitions/url-or-none"}"##)
    .meaning("Where `to = \"origin\"` forwards to; the request's path and query are put behind it."),
    OptionSpec::custom("ORIGINS", |raw, value| {
        let value = as_json(value);
        raw.origins = value.as_array().ok_or("write a list of tables: [[vars.ORIGINS]]")?.clone();
        Ok(())
    })
    .kind("list of tables")
    .default("[]")
    .schema(r##"{"anyOf": [{"type": "array", "items": {"$ref": "#/definitions/origin"}}, {"$ref": "#/definitions/json-list"}]}"##)
    .meaning(
        "More origins, for rules with `to = \"orders\"`: `name`; `url`, or `service`, the name of a binding that can \
             fetch, or both; `prefix`, a path that is put before each request's; `timeout` (default `ORIGIN_TIMEOUT`); \
             `headers`, fields that it gets with each request, whose value is a text or `{ secret = \"NAME\" }`; `host`, \
             `origin` for the host of its URL or, with `service` alone, `client` for the client's. \
             [gateway.md](gateway.md#several-origins)",
    ),
    OptionSpec::duration("ORIGIN_TIMEOUT", |raw| &mut raw.origin_timeout).default("30").schema(r##"{"allOf": [{"$ref": "#/definitions/positive-duration"}, {"maximum": 600}]}"##)
    .meaning(
        "How long the origin may take to take in the next part of a body and to begin its answer; then 504. A \
         slow client and the body of an answer may take as long as they like.",
    ),
    OptionSpec::optional_text("TOLLGATE_PUBLIC_URL", |raw| &mut raw.public_url)
        .kind("URL without path and query")
        .unset("the scheme and host of each request")
        .schema(r##"{"$ref": "#/definitions/url-or-none"}"##)
    .meaning(
            "The address at which clients reach the gate. Sent to the origin as X-Forwarded-Host and \
             X-Forwarded-Proto; a `Location` of the origin's own address is rewritten to it; a WebSocket handshake \
             with a token in a cookie must have it as its `Origin`. Set it where the gate sees another host than its \
             clients do.",
        ),
    OptionSpec::list("TOLLGATE_KEEP_HEADERS", |raw| &mut raw.keep_headers)
        .kind("list of header names")
        .default("[]")
        .schema(r##"{"$ref": "#/definitions/token-list"}"##)
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
    OptionSpec::custom("TOLLGATE_TRUSTED_PROXIES", |raw, value| {
        raw.trusted_proxies = TrustedProxies::read(&as_list(value)?)?;
        Ok(())
    })
    .kind("list of address ranges")
    .default("[]")
    .schema(r##"{"anyOf": [{"$ref": "#/definitions/address-list"}, {"enum": [[], "", "[]"]}]}"##)
    .meaning(
        "Proxies that stand before the gate, such as `[\"192.0.2.0/24\"]`. What reaches Cloudflare from one of them goes \
         on with its `X-Forwarded-For` (and `Forwarded`), to which the gate adds; and the client's address, by which \
         attempts are counted, is the last one in it that is not of such a proxy. From all others these fields are \
         replaced. Cloudflare's own addresses do not belong here.",
    ),
    OptionSpec::boolean("TOLLGATE_FORWARDED", |raw| &mut raw.forwarded).default("false").meaning(
        "Whether the origin gets `Forwarded` (RFC 7239) beside the `X-Forwarded-…` fields: \
         `for=203.0.113.5;host=\"app.example.com\";proto=https`.",
    ),
    OptionSpec::text("TOLLGATE_WEBSOCKET_PROTOCOL", |raw| &mut raw.websocket_protocol)
        .kind("word, or empty for none")
        .default("")
        .schema(r##"{"$ref": "#/definitions/token-or-none"}"##)
    .meaning(
            "A token may come in the subprotocols of a WebSocket handshake, after this word: with `bearer`, a page writes \
             `new WebSocket(url, [\"bearer\", token])`. It counts as a token in the header, where that is absent. Neither \
             word nor token goes on to the origin; if that chooses no other subprotocol, the answer names the word.",
        ),
    OptionSpec::custom("TOLLGATE_ASSERTION_KEY", |raw, value| {
        // Another type is read as an empty set, which the check of the key reports.
        raw.assertion_key = Some(as_object(value).unwrap_or_default()).filter(|_| value != "");
        Ok(())
    })
    .kind("secret: JWK or JWK Set")
    .unset("none")
    .secret()
    .schema(r##"{"type": ["object", "string"]}"##)
    .meaning(
        "The private key for `X-Auth-Assertion`, a JWT by which each origin can verify that a request came through the \
         gate, and for whom: [gateway.md](gateway.md#proof-for-the-origin). EdDSA, ES256, RS… or PS…, and not a key of \
         clients' tokens: `tollgate key generate --algorithm ES256` (keep a copy: a change of the key needs it). Only requests to origins have \
         one. In \
         a set the first private key signs, and the public half of each is published. Needs TOLLGATE_PUBLIC_URL.",
    ),
    OptionSpec::list("TOLLGATE_ASSERTION_CLAIMS", |raw| &mut raw.assertion_claims)
        .kind("list of claims")
        .default("[]")
        .meaning(
            "Claims of the client's token that an assertion repeats, each under the name that stands here, which is read as \
             in TOLLGATE_CLAIM_HEADERS. They travel beside the token and X-Auth-Claims: servers take 8 to 16 KiB of \
             header fields.",
        ),
    OptionSpec::text("TOLLGATE_ASSERTION_JWKS_URL", |raw| &mut raw.assertion_jwks_url)
        .kind("path, or empty for none")
        .default("/.well-known/assertion-jwks.json")
        .schema(r##"{"$ref": "#/definitions/path-or-none"}"##)
    .meaning("The path of the public keys of assertions (JWK Set), where there is a TOLLGATE_ASSERTION_KEY."),
    OptionSpec::custom("TOLLGATE_CLAIM_HEADERS", |raw, value| {
        let value = as_json(value);
        let instead = "write a table of header fields and claims, such as { \"X-User-Role\" = \"role\" }";
        let table = value.as_object().ok_or(instead)?;
        let one = |(name, claim): (&String, &Value)| {
            let claim = claim.as_str().filter(|claim| !claim.is_empty())?.to_owned();
            Some(ClaimHeader { name: name.to_ascii_lowercase(), claim })
        };
        raw.claim_headers = table.iter().map(one).collect::<Option<_>>().ok_or(instead)?;
        Ok(())
    })
    .kind("table of header fields and claims")
    .default("{}")
    .schema(r##"{"anyOf": [{"type": "object", "propertyNames": {"$ref": "#/definitions/token"}, "additionalProperties": {"$ref": "#/definitions/filled"}}, {"$ref": "#/definitions/json-object"}]}"##)
    .meaning(
        "Claims that the origin gets in header fields of their own, such as `{ \"X-User-Role\" = \"role\" }`. A claim is \
         named by its member, by a path with dots (`org.id`), or by a JSON Pointer (`/org/id`). Text is percent-encoded \
         where a header can't carry it, entries of a list stand between commas, an object is JSON; without the claim \
         there is no field. A client's field of that name, in any spelling, is removed on every route.",
    ),
    OptionSpec::custom("TOLLGATE_CORS", |raw, value| {
        raw.cors = Some(as_json(value).into_owned());
        Ok(())
    })
    .kind("table")
    .unset("none")
    .schema(r##"{"anyOf": [{"$ref": "#/definitions/cors"}, {"$ref": "#/definitions/json-object"}]}"##)
    .meaning(
        "Which pages of other origins may read the answers of the gate's endpoints (log-in, refresh, log-out, `/auth/me`, \
         sessions, password, keys; never `/auth/admin`): `origins`, a list of origins such as `https://app.example.com` or \
         `https://*.example.com` (one label), or `*`; `credentials`, whether pages may send cookies; `headers`, \
         request header fields that they may set beside those that the gate reads; `expose`, the header fields of \
         answers that they may read (default `Retry-After`, `WWW-Authenticate`, `X-Auth-Error`, `X-Request-Id`); \
         `max_age`, how long browsers keep the answer to a preflight (default `10m`). Rules have their own: member \
         `cors`. [gateway.md](gateway.md#pages-of-other-origins)",
    ),
    OptionSpec::boolean("TOLLGATE_ERROR_CODES", |raw| &mut raw.error_codes).default("false").meaning(
        "Whether rejections carry their stable code ([errors.md](errors.md)) in `X-Auth-Error`, for clients that are \
         programs. Texts stay as they are. At the log-in and the other endpoints of an account the code is no finer \
         than the text. An `X-Auth-Error` of the origin is removed.",
    ),
]);
