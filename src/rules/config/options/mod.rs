//! The one table of options. Reader, defaults and docs/options.md come from it.

use super::{
    Location, SameSite,
    read::{
        RawConfig, as_audience, as_bool, as_json, as_lifetime, as_list, as_list_or_nothing, as_object, as_seconds,
        as_text, as_text_or_nothing, as_whole_number,
    },
};
use crate::rules::{json::Value, password::Peppers, secret::Secret};

/// One option: its name, and how its value gets into a configuration. In a module for Wasm without what the
/// documentation says; but the `meaning` of what is [never read](Family::NeverRead) stands in a warning.
pub struct OptionSpec {
    /// The name of the variable or secret.
    pub name: &'static str,
    /// Whose option it is.
    pub family: Family,
    /// What kind of value it takes, in words.
    pub kind: &'static str,
    /// The default as one would write it, or in words if it is no literal.
    pub default: &'static str,
    /// What it does.
    pub meaning: &'static str,
    /// What of it must stay secret.
    pub secrecy: Secrecy,
    /// Puts a value into the draft. An error says what to write instead, without the value.
    pub(super) set: fn(&mut RawConfig, &Value) -> Result<(), String>,
}

/// What of an option's value must stay secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrecy {
    /// Nothing.
    Public,
    /// The value.
    Secret,
    /// Keys in it that are private or secrets; public keys need not.
    PrivateKeys,
}

impl OptionSpec {
    /// Does this value hold something that must stay secret?
    #[must_use]
    pub fn holds_secret(&self, value: &Value) -> bool {
        match self.secrecy {
            Secrecy::Public => false,
            // An empty value counts as unset.
            Secrecy::Secret => !value.is_null() && value != "",
            Secrecy::PrivateKeys => holds_private_key(value),
        }
    }
}

/// PEM, a JWK or a JWK Set, as text or table, with a private key or a secret in it (RFC 7518 §6). Any other text
/// with the name of a private member counts as a damaged private key.
fn holds_private_key(value: &Value) -> bool {
    const PRIVATE: [&str; 8] = ["d", "k", "p", "q", "dp", "dq", "qi", "oth"];
    match value {
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            Ok(inside) if !inside.is_string() => holds_private_key(&inside),
            _ => text.contains("PRIVATE KEY") || ["\"d\"", "\"k\""].iter().any(|member| text.contains(member)),
        },
        Value::Array(keys) => keys.iter().any(holds_private_key),
        Value::Object(key) => {
            PRIVATE.iter().any(|name| key.contains_key(*name))
                || key.values().any(|inside| (inside.is_array() || inside.is_object()) && holds_private_key(inside))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whose option it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Flask-JWT's, under its own name.
    FlaskJwt,
    /// Flask-JWT-Extended's, under its own name.
    FlaskJwtExtended,
    /// Documented by Flask-JWT but never read by it: named in a warning.
    NeverRead,
    /// Tollgate's.
    Tollgate,
    /// Flask-JWT-Extended's, and what Tollgate adds to its dialect.
    ExtendedOnly,
    /// Tollgate's, where the bindings for sessions are there.
    Sessions,
}

/// Every option.
pub const TABLE: &[OptionSpec] = &lean([
    OptionSpec {
        name: "JWT_SECRET_KEY",
        family: Family::FlaskJwt,
        kind: "secret text",
        default: "the value of SECRET_KEY",
        meaning: "The HMAC key that signs and verifies, where JWT_ALGORITHM is one of `HS…`. At least as long as the hash: 32 bytes for HS256, 48 for HS384, 64 for HS512. Keep it in a secret (`npx wrangler secret put JWT_SECRET_KEY`), never in `[vars]`.",
        secrecy: Secrecy::Secret,
        set: |raw, value| as_text(value).map(|text| raw.jwt_secret_key = Some(text)),
    },
    OptionSpec {
        name: "SECRET_KEY",
        family: Family::FlaskJwt,
        kind: "secret text",
        default: "none",
        meaning: "Flask's own secret: used where JWT_SECRET_KEY is not set.",
        secrecy: Secrecy::Secret,
        set: |raw, value| as_text(value).map(|text| raw.secret_key = Some(text)),
    },
    OptionSpec {
        name: "JWT_ALGORITHM",
        family: Family::FlaskJwt,
        kind: "`HS256`, `HS384`, `HS512`, `EdDSA`, `ES256`, `RS256`, `RS384`, `RS512`, `PS256`, `PS384` or `PS512`",
        default: "HS256",
        meaning: "The algorithm that tokens are signed with and accepted with. The `HS…` take JWT_SECRET_KEY, the others JWT_PRIVATE_KEY and JWT_PUBLIC_KEY. With JWT_KEYS the keys say it.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_text(value).map(|text| raw.algorithm = Some(text)),
    },
    OptionSpec {
        name: "JWT_LEEWAY",
        family: Family::FlaskJwt,
        kind: "duration",
        default: "10",
        meaning: "Tolerance between clocks, for `iat`, `nbf` and `exp`.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_seconds(value).map(|span| raw.leeway = span),
    },
    OptionSpec {
        name: "JWT_EXPIRATION_DELTA",
        family: Family::FlaskJwt,
        kind: "duration",
        default: "300",
        meaning: "How long a token lives: `exp` = `iat` + this.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_seconds(value).map(|span| raw.expiration_delta = span),
    },
    OptionSpec {
        name: "JWT_NOT_BEFORE_DELTA",
        family: Family::FlaskJwt,
        kind: "duration",
        default: "0",
        meaning: "When a token begins to be good: `nbf` = `iat` + this.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_seconds(value).map(|span| raw.not_before_delta = span),
    },
    OptionSpec {
        name: "JWT_VERIFY_CLAIMS",
        family: Family::FlaskJwt,
        kind: "list of `signature`, `exp`, `nbf`, `iat`",
        default: r#"["signature", "exp", "nbf", "iat"]"#,
        meaning: "Which checks are made. `signature` can't be left out.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_list(value).map(|list| raw.verify_claims = list),
    },
    OptionSpec {
        name: "JWT_REQUIRED_CLAIMS",
        family: Family::FlaskJwt,
        kind: "list of claim names",
        default: r#"["exp", "iat", "nbf"]"#,
        meaning: "Claims that a token must have.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_list(value).map(|list| raw.required_claims = list),
    },
    OptionSpec {
        name: "JWT_AUTH_URL_RULE",
        family: Family::FlaskJwt,
        kind: "path, or empty for no log-in endpoint",
        default: "/auth",
        meaning: "The path of the log-in endpoint.",
        secrecy: Secrecy::Public,
        set: |raw, value| match value {
            Value::Null => {
                raw.auth_url_rule = String::new();
                Ok(())
            }
            _ => as_text(value).map(|text| raw.auth_url_rule = text),
        },
    },
    OptionSpec {
        name: "JWT_AUTH_URL_OPTIONS",
        family: Family::FlaskJwt,
        kind: "table with `methods`",
        default: r#"{ methods = ["POST"] }"#,
        meaning: "The methods of the log-in endpoint. Set without `methods` it means GET, as in Flask.",
        secrecy: Secrecy::Public,
        set: |raw, value| {
            let value = as_json(value);
            raw.auth_url_options = Some(value.as_object().ok_or("write { methods = [\"POST\"] }")?.clone());
            Ok(())
        },
    },
    OptionSpec {
        name: "JWT_AUTH_USERNAME_KEY",
        family: Family::FlaskJwt,
        kind: "text",
        default: "username",
        meaning: "The member of the log-in body with the name.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_text(value).map(|text| raw.username_key = text),
    },
    OptionSpec {
        name: "JWT_AUTH_PASSWORD_KEY",
        family: Family::FlaskJwt,
        kind: "text",
        default: "password",
        meaning: "The member of the log-in body with the password.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_text(value).map(|text| raw.password_key = text),
    },
    OptionSpec {
        name: "JWT_AUTH_HEADER_PREFIX",
        family: Family::FlaskJwt,
        kind: "one word",
        default: "JWT",
        meaning: "The first word of the `Authorization` header, in any case. The challenge begins with `JWT` all the same, as Flask-JWT's does.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_text(value).map(|text| raw.header_prefix = text),
    },
    OptionSpec {
        name: "JWT_DEFAULT_REALM",
        family: Family::FlaskJwt,
        kind: "text",
        default: "Login Required",
        meaning: "The realm of the challenge. A route's `realm` wins over it.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_text(value).map(|text| raw.realm = text),
    },
    OptionSpec {
        name: "JWT_PRIVATE_KEY",
        family: Family::FlaskJwtExtended,
        kind: "secret text: PEM or JWK",
        default: "none",
        meaning: "The private key that signs, where JWT_ALGORITHM is none of `HS…`: PEM (PKCS#8, PKCS#1, SEC 1), without a passphrase, or a JWK. RSA has 2048 to 4096 bits. Keep it in a secret (`npx wrangler secret put JWT_PRIVATE_KEY < key.pem`).",
        secrecy: Secrecy::Secret,
        set: |raw, value| as_text(value).map(|text| raw.private_key = Some(text)),
    },
    OptionSpec {
        name: "JWT_PUBLIC_KEY",
        family: Family::FlaskJwtExtended,
        kind: "text: PEM or JWK",
        default: "the public half of JWT_PRIVATE_KEY",
        meaning: "The public key that verifies: PEM (SPKI, PKCS#1) or a JWK. Without JWT_PRIVATE_KEY the gate verifies another issuer's tokens, and JWT_AUTH_URL_RULE must be empty. No certificate, no private key.",
        secrecy: Secrecy::PrivateKeys,
        set: |raw, value| as_text(value).map(|text| raw.public_key = Some(text)),
    },
    OptionSpec {
        name: "JWT_DECODE_ALGORITHMS",
        family: Family::FlaskJwtExtended,
        kind: "list of algorithms",
        default: "the value of JWT_ALGORITHM",
        meaning: "Algorithms that are accepted beside JWT_ALGORITHM, which always is. Each has a key of its own: the `HS…` JWT_SECRET_KEY, the others JWT_PUBLIC_KEY or the public half of JWT_PRIVATE_KEY; without such a key it is a fault. So `[\"EdDSA\", \"HS256\"]` keeps old tokens good while the algorithm changes.",
        secrecy: Secrecy::Public,
        set: |raw, value| {
            // Python's None is the default.
            raw.decode_algorithms = if value.is_null() { Vec::new() } else { as_list(value)? };
            Ok(())
        },
    },
    OptionSpec {
        name: "JWT_AUTH_ENDPOINT",
        family: Family::NeverRead,
        kind: "–",
        default: "–",
        meaning: "Documented by Flask-JWT, never read by it: there are no endpoint names at the edge.",
        secrecy: Secrecy::Public,
        set: |_, _| Ok(()),
    },
    OptionSpec {
        name: "JWT_VERIFY",
        family: Family::NeverRead,
        kind: "–",
        default: "–",
        meaning: "Documented by Flask-JWT, never read by it. Nothing switches verification off; for a path without it write `auth = \"none\"` in its route.",
        secrecy: Secrecy::Public,
        set: |_, _| Ok(()),
    },
    OptionSpec {
        name: "JWT_VERIFY_EXPIRATION",
        family: Family::NeverRead,
        kind: "–",
        default: "–",
        meaning: "Documented by Flask-JWT, never read by it. Leave `exp` out of JWT_VERIFY_CLAIMS if you mean it.",
        secrecy: Secrecy::Public,
        set: |_, _| Ok(()),
    },
    OptionSpec {
        name: "TOLLGATE_WIRE",
        family: Family::Tollgate,
        kind: "`flask-jwt` or `flask-jwt-extended`",
        default: "flask-jwt",
        meaning: "Whose dialect is spoken: what tokens look like, where they are looked for, and in which words they are refused.",
        secrecy: Secrecy::Public,
        set: |raw, value| {
            raw.is_extended = match value.as_str() {
                Some("flask-jwt") => false,
                Some("flask-jwt-extended") => true,
                _ => return Err("write \"flask-jwt\" or \"flask-jwt-extended\"".into()),
            };
            Ok(())
        },
    },
    OptionSpec {
        name: "ROUTES",
        family: Family::Tollgate,
        kind: "list of tables, see below",
        default: "[]",
        meaning: "What is let through, for whom, and to where. What no rule names is refused with 404.",
        secrecy: Secrecy::Public,
        set: |raw, value| {
            let value = as_json(value);
            raw.routes = value.as_array().ok_or("write a list of tables: [[vars.ROUTES]]")?.clone();
            Ok(())
        },
    },
    OptionSpec {
        name: "JWT_KEYS",
        family: Family::Tollgate,
        kind: "JWK Set, as JSON text or table",
        default: "none",
        meaning: "Several keys, in place of JWT_PRIVATE_KEY and JWT_PUBLIC_KEY: `{\"keys\": [{\"kty\": …, \"kid\": \"2026-11\", \"alg\": \"EdDSA\", …}, …]}`. The first private key (or secret) signs, all verify; a token's `kid` says which. Each of several needs a `kid`. `not_after`, in seconds like `exp`, ends a key: later its tokens are refused; the key that signs has none. Keep it in a secret, unless all keys are public. A set of public keys alone, as providers publish it, may have keys that can't be used here: they are ignored with a warning. JWT_ALGORITHM is the algorithm of keys without `alg`.",
        secrecy: Secrecy::PrivateKeys,
        set: |raw, value| {
            // What is no object is told with the keys, as an empty one.
            raw.keys = Some(as_object(value).unwrap_or_default());
            Ok(())
        },
    },
    OptionSpec {
        name: "ORIGIN",
        family: Family::Tollgate,
        kind: "URL without query",
        default: "none",
        meaning: "Where `to = \"origin\"` forwards to; the request's path and query are put behind it.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_text(value).map(|text| raw.origin = text),
    },
    OptionSpec {
        name: "ORIGIN_TIMEOUT",
        family: Family::Tollgate,
        kind: "duration",
        default: "30",
        meaning: "How long the origin may take to take in the next part of a body and to begin its answer; then 504. A slow client and the body of an answer may take as long as they like.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_seconds(value).map(|span| raw.origin_timeout = span),
    },
    OptionSpec {
        name: "TOLLGATE_PUBLIC_URL",
        family: Family::Tollgate,
        kind: "URL without path and query",
        default: "the scheme and host of each request",
        meaning: "The address at which clients reach the gate. Sent to the origin as X-Forwarded-Host and X-Forwarded-Proto; a `Location` of the origin's own address is rewritten to it; a WebSocket handshake with a token in a cookie must have it as its `Origin`. Set it where the gate sees another host than its clients do.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_text(value).map(|text| raw.public_url = Some(text)),
    },
    OptionSpec {
        name: "TOLLGATE_KEEP_HEADERS",
        family: Family::Tollgate,
        kind: "list of header names",
        default: "[]",
        meaning: "Client header fields that go on to the origin although the gate drops them by default, since clients can write anything into them: `Forwarded`, `X-Forwarded-…`, `X-Real-IP`, `True-Client-IP` and others that claim an address; `X-Original-URL`, `X-Rewrite-URL`, `X-HTTP-Method-Override` and others that claim another path or method; `Remote-User`, `Cf-Access-…` and others that claim a user. Name one only if what stands before the gate overwrites it. An X-Forwarded field that is named here is not set by the gate.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_list(value).map(|list| raw.keep_headers = list),
    },
    OptionSpec {
        name: "TOLLGATE_JWKS_URL",
        family: Family::Tollgate,
        kind: "path, or empty for none",
        default: "/.well-known/jwks.json",
        meaning: "The path of the public keys (JWK Set, RFC 7517 §5), if there are any: others verify tokens with them.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_text(value).map(|text| raw.jwks_url = text),
    },
    OptionSpec {
        name: "TOLLGATE_FORWARD_TOKEN",
        family: Family::Tollgate,
        kind: "true or false",
        default: "true",
        meaning: "Is the client's token passed on to the origin? If not, the `Authorization` header stays behind (and the one that JWT_HEADER_NAME names); where cookies are read, both cookies with tokens do; where the query is read, the parameter does. All else goes on byte for byte, and so does a body with a token in it: it is the client's document, which may be signed or of any length. On routes with `auth = \"none\"` everything is passed on.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_bool(value).map(|on| raw.forward_token = on),
    },
    OptionSpec {
        name: "TOLLGATE_ALLOW_SHORT_KEY",
        family: Family::Tollgate,
        kind: "true or false",
        default: "false",
        meaning: "Takes a key shorter than its hash, for the move from Flask with an old short secret. A short key can be guessed from one token: change it soon.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_bool(value).map(|on| raw.allow_short_key = on),
    },
    OptionSpec {
        name: "TOLLGATE_PASSWORD_ITERATIONS",
        family: Family::Tollgate,
        kind: "100000 to 5000000",
        default: "600000",
        meaning: "What a new password hash costs. Older and foreign hashes are replaced at this cost after the next log-in that proves them; one that costs more keeps its cost. Set it at least as high as the highest that you import, or a log-in's time tells which users were imported.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_whole_number(value).map(|number| raw.password_iterations = number),
    },
    OptionSpec {
        name: "TOLLGATE_PASSWORD_PEPPERS",
        family: Family::Tollgate,
        kind: "secret table of key ids and base64",
        default: "none",
        meaning: "Peppers: without them a stolen store is worth nothing to who guesses passwords. `{\"k1\": \"…\"}`, 32 random bytes or more each (`tollgate secret generate`), key ids of `a` to `z`, `0` to `9` and `-`. Keep it in a secret (`npx wrangler secret put TOLLGATE_PASSWORD_PEPPERS`) and a copy somewhere safe: without it nobody can log in any more. How to change one: docs/storage.md.",
        secrecy: Secrecy::Secret,
        set: |raw, value| {
            let table = as_object(value).ok_or("write a table, {\"k1\": \"…\"}, each key id once")?;
            Peppers::read(&table).map(|peppers| raw.peppers = Some(peppers))
        },
    },
    OptionSpec {
        name: "TOLLGATE_PASSWORD_PEPPER",
        family: Family::Tollgate,
        kind: "key id, or empty for none",
        default: "the only one there is",
        meaning: "The pepper of TOLLGATE_PASSWORD_PEPPERS that new hashes are made with; needed where there are several. Hashes with another, or with none, are replaced after the next log-in that proves them.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_text(value).map(|text| raw.pepper = Some(text)),
    },
    OptionSpec {
        name: "TOLLGATE_PASSWORD_MIN_LENGTH",
        family: Family::Tollgate,
        kind: "8 to 64",
        default: "15",
        meaning: "How many characters a password must have where one is set; log-ins take what is stored. NIST SP 800-63B-4 asks for 15 where nothing but the password is asked for, and allows 8 beside a second factor.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_whole_number(value).map(|number| raw.password_min_length = number as usize),
    },
    OptionSpec {
        name: "TOLLGATE_PASSWORD_COMMON",
        family: Family::Tollgate,
        kind: "true or false",
        default: "true",
        meaning: "Are the most common passwords refused where one is set? Some ten thousand, in any case; one in 438,000 others is taken for one of them.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_bool(value).map(|on| raw.password_common = on),
    },
    OptionSpec {
        name: "TOLLGATE_PASSWORD_PWNED",
        family: Family::Tollgate,
        kind: "true or false",
        default: "false",
        meaning: "Is Have I Been Pwned asked whether a password is known from a leak, where one is set at the gate? Five of forty digits of its SHA-1 go there, which a thousand others share. If there is no answer within two seconds the password is taken, and the log says `pwned_check_failed`.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_bool(value).map(|on| raw.pwned = on),
    },
    OptionSpec {
        name: "TOLLGATE_PASSWORD_PWNED_URL",
        family: Family::Tollgate,
        kind: "URL without query",
        default: "https://api.pwnedpasswords.com/range",
        meaning: "Where it is asked: a mirror of its range API, say. The five digits are put behind it.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_text(value).map(|text| raw.pwned_url = Some(text)),
    },
    OptionSpec {
        name: "TOLLGATE_STORE_TIMEOUT",
        family: Family::Tollgate,
        kind: "duration",
        default: "5",
        meaning: "How long KV may take; then 503.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_seconds(value).map(|span| raw.store_timeout = span),
    },
    OptionSpec {
        name: "TOLLGATE_TOKEN_CACHE",
        family: Family::Tollgate,
        kind: "0 to 65534",
        default: "1024",
        meaning: "How many verified tokens each instance remembers, so that the next request with one costs no cryptography; their times are judged all the same. Where all rooms are taken, a token is remembered when it comes for the second time. Takes about twice the tokens' own length of memory, at most 18 KiB each; 21845 is the most for which an isolate has room. `0` remembers none.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_whole_number(value).map(|number| raw.token_cache = number),
    },
    OptionSpec {
        name: "TOLLGATE_LOG",
        family: Family::Tollgate,
        kind: "`off`, `error`, `info` or `debug`",
        default: "info",
        meaning: "`error`: only what an operator must see to. `info`: log-ins and refusals too. `debug`: passing requests too.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_text(value).map(|text| raw.log = text),
    },
    OptionSpec {
        name: "TOLLGATE_LOG_REFUSALS",
        family: Family::Tollgate,
        kind: "0 to 1000000",
        default: "100",
        meaning: "How many refusals for one reason each instance logs one by one in a second; for all reasons together it is three times as many, and the first for each. Those beyond are counted, and told by a line `refused_more` for each reason, with their `count`, when the second is over: a flood of forged tokens makes no flood of lines. `0` counts all.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_whole_number(value).map(|number| raw.log_refusals = number),
    },
    OptionSpec {
        name: "JWT_TOKEN_LOCATION",
        family: Family::ExtendedOnly,
        kind: "one or a list of `headers`, `cookies`, `query_string`, `json`",
        default: r#"["headers"]"#,
        meaning: "Where a token is looked for, in this order. A route's `locations` wins over it.",
        secrecy: Secrecy::Public,
        set: |raw, value| {
            as_list(value)
                .and_then(|list| Location::read_list(&list))
                .map(|list| raw.flask_jwt_extended.locations = list)
        },
    },
    OptionSpec {
        name: "TOLLGATE_TOKEN_BODY_LIMIT",
        family: Family::ExtendedOnly,
        kind: "bytes, 1024 to 1048576",
        default: "65536",
        meaning: "The longest body in which a token (`json` in JWT_TOKEN_LOCATION) or a CSRF value (JWT_CSRF_CHECK_FORM) is looked for; a longer one is refused with 413. A body is read only if the locations before it had no token and its media type fits. Bodies of 16 MiB together are read at once in an isolate (256 of 64 KiB, 16 of 1 MiB); beyond that the answer is 503.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_whole_number(value).map(|number| raw.token_body_limit = number as usize),
    },
    OptionSpec {
        name: "JWT_HEADER_NAME",
        family: Family::ExtendedOnly,
        kind: "name of a header",
        default: r#"Authorization"#,
        meaning: "The header with the token.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_text(value).map(|text| raw.flask_jwt_extended.header_name = text),
    },
    OptionSpec {
        name: "JWT_HEADER_TYPE",
        family: Family::ExtendedOnly,
        kind: "one word, or empty",
        default: r#"Bearer"#,
        meaning: "The first word of that header, in this very case; empty if the token stands there alone.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_text_or_nothing(value).map(|text| raw.flask_jwt_extended.header_type = text),
    },
    OptionSpec {
        name: "JWT_QUERY_STRING_NAME",
        family: Family::ExtendedOnly,
        kind: "text",
        default: r#"jwt"#,
        meaning: "The query parameter with the token. A token in a URL ends up in histories and logs: prefer a header.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_text(value).map(|text| raw.flask_jwt_extended.query_name = text),
    },
    OptionSpec {
        name: "JWT_QUERY_STRING_VALUE_PREFIX",
        family: Family::ExtendedOnly,
        kind: "text",
        default: r#""#,
        meaning: "What stands before the token in that parameter.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_text(value).map(|text| raw.flask_jwt_extended.query_prefix = text),
    },
    OptionSpec {
        name: "JWT_JSON_KEY",
        family: Family::ExtendedOnly,
        kind: "text",
        default: r#"access_token"#,
        meaning: "The member of a JSON body with an access token.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_text(value).map(|text| raw.flask_jwt_extended.access.json_key = text),
    },
    OptionSpec {
        name: "JWT_REFRESH_JSON_KEY",
        family: Family::ExtendedOnly,
        kind: "text",
        default: r#"refresh_token"#,
        meaning: "The member of a JSON body with a refresh token.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_text(value).map(|text| raw.flask_jwt_extended.refresh.json_key = text),
    },
    OptionSpec {
        name: "JWT_ACCESS_COOKIE_NAME",
        family: Family::ExtendedOnly,
        kind: "name of a cookie",
        default: r#"access_token_cookie"#,
        meaning: "The cookie with the access token.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_text(value).map(|text| raw.flask_jwt_extended.access.cookie = text),
    },
    OptionSpec {
        name: "JWT_ACCESS_COOKIE_PATH",
        family: Family::ExtendedOnly,
        kind: "path",
        default: r#"/"#,
        meaning: "Its `Path`.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_text_or_nothing(value).map(|text| raw.flask_jwt_extended.access.cookie_path = text),
    },
    OptionSpec {
        name: "JWT_ACCESS_CSRF_COOKIE_NAME",
        family: Family::ExtendedOnly,
        kind: "name of a cookie",
        default: r#"csrf_access_token"#,
        meaning: "The cookie that a page reads the CSRF value of the access token from.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_text(value).map(|text| raw.flask_jwt_extended.access.csrf_cookie = text),
    },
    OptionSpec {
        name: "JWT_ACCESS_CSRF_COOKIE_PATH",
        family: Family::ExtendedOnly,
        kind: "path",
        default: r#"/"#,
        meaning: "Its `Path`.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_text_or_nothing(value).map(|text| raw.flask_jwt_extended.access.csrf_cookie_path = text),
    },
    OptionSpec {
        name: "JWT_ACCESS_CSRF_HEADER_NAME",
        family: Family::ExtendedOnly,
        kind: "name of a header",
        default: r#"X-CSRF-TOKEN"#,
        meaning: "The header that a page sends the CSRF value of the access token in.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_text(value).map(|text| raw.flask_jwt_extended.access.csrf_header = text),
    },
    OptionSpec {
        name: "JWT_ACCESS_CSRF_FIELD_NAME",
        family: Family::ExtendedOnly,
        kind: "text",
        default: r#"csrf_token"#,
        meaning: "The form field for the same, with JWT_CSRF_CHECK_FORM.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_text(value).map(|text| raw.flask_jwt_extended.access.csrf_field = text),
    },
    OptionSpec {
        name: "JWT_REFRESH_COOKIE_NAME",
        family: Family::ExtendedOnly,
        kind: "name of a cookie",
        default: r#"refresh_token_cookie"#,
        meaning: "The cookie with the refresh token.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_text(value).map(|text| raw.flask_jwt_extended.refresh.cookie = text),
    },
    OptionSpec {
        name: "JWT_REFRESH_COOKIE_PATH",
        family: Family::ExtendedOnly,
        kind: "path",
        default: r#"/"#,
        meaning: "Its `Path`.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_text_or_nothing(value).map(|text| raw.flask_jwt_extended.refresh.cookie_path = text),
    },
    OptionSpec {
        name: "JWT_REFRESH_CSRF_COOKIE_NAME",
        family: Family::ExtendedOnly,
        kind: "name of a cookie",
        default: r#"csrf_refresh_token"#,
        meaning: "The cookie that a page reads the CSRF value of the refresh token from.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_text(value).map(|text| raw.flask_jwt_extended.refresh.csrf_cookie = text),
    },
    OptionSpec {
        name: "JWT_REFRESH_CSRF_COOKIE_PATH",
        family: Family::ExtendedOnly,
        kind: "path",
        default: r#"/"#,
        meaning: "Its `Path`.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_text_or_nothing(value).map(|text| raw.flask_jwt_extended.refresh.csrf_cookie_path = text),
    },
    OptionSpec {
        name: "JWT_REFRESH_CSRF_HEADER_NAME",
        family: Family::ExtendedOnly,
        kind: "name of a header",
        default: r#"X-CSRF-TOKEN"#,
        meaning: "The header that a page sends the CSRF value of the refresh token in.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_text(value).map(|text| raw.flask_jwt_extended.refresh.csrf_header = text),
    },
    OptionSpec {
        name: "JWT_REFRESH_CSRF_FIELD_NAME",
        family: Family::ExtendedOnly,
        kind: "text",
        default: r#"csrf_token"#,
        meaning: "The form field for the same, with JWT_CSRF_CHECK_FORM.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_text(value).map(|text| raw.flask_jwt_extended.refresh.csrf_field = text),
    },
    OptionSpec {
        name: "JWT_COOKIE_DOMAIN",
        family: Family::ExtendedOnly,
        kind: "domain",
        default: r#"none"#,
        meaning: "`Domain` of all cookies.",
        secrecy: Secrecy::Public,
        set: |raw, value| {
            as_text_or_nothing(value).map(|text| {
                // A port and a dot in front, which Flask takes away, mean nothing in a cookie (RFC 6265 §5.2.3).
                let domain = text.split(':').next().unwrap_or_default();
                raw.flask_jwt_extended.cookie_domain = domain.trim_start_matches('.').to_owned();
                raw.cookie_domain = text;
            })
        },
    },
    OptionSpec {
        name: "JWT_COOKIE_SECURE",
        family: Family::ExtendedOnly,
        kind: "true or false",
        default: r#"false"#,
        meaning: "`Secure` on all cookies: set it wherever there is https.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_bool(value).map(|on| raw.flask_jwt_extended.cookie_secure = on),
    },
    OptionSpec {
        name: "JWT_COOKIE_SAMESITE",
        family: Family::ExtendedOnly,
        kind: "`Strict`, `Lax` or `None`",
        default: r#"none"#,
        meaning: "`SameSite` of all cookies.",
        secrecy: Secrecy::Public,
        set: |raw, value| {
            as_text_or_nothing(value).and_then(|text| {
                raw.flask_jwt_extended.cookie_same_site = match text.as_str() {
                    "" => None,
                    text => Some(SameSite::from_name(text).ok_or("write \"Strict\", \"Lax\" or \"None\"")?),
                };
                Ok(())
            })
        },
    },
    OptionSpec {
        name: "JWT_SESSION_COOKIE",
        family: Family::ExtendedOnly,
        kind: "true or false",
        default: r#"true"#,
        meaning: "Do cookies end with the browser's session? Else they last a year.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_bool(value).map(|on| raw.flask_jwt_extended.session_cookie = on),
    },
    OptionSpec {
        name: "JWT_COOKIE_CSRF_PROTECT",
        family: Family::ExtendedOnly,
        kind: "true or false",
        default: r#"true"#,
        meaning: "Puts a CSRF value into each token, and asks for it beside a cookie where something changes.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_bool(value).map(|on| raw.flask_jwt_extended.csrf_protect = on),
    },
    OptionSpec {
        name: "JWT_CSRF_METHODS",
        family: Family::ExtendedOnly,
        kind: "list of methods",
        default: r#"["POST", "PUT", "PATCH", "DELETE"]"#,
        meaning: "The methods that change something. GET brings HEAD with it.",
        secrecy: Secrecy::Public,
        set: |raw, value| {
            let methods = as_list(value)?;
            if !methods.iter().all(|method| method.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-')) {
                return Err("write a list of methods such as [\"POST\", \"PUT\"]: other words protect nothing".into());
            }
            raw.flask_jwt_extended.csrf_methods = methods;
            Ok(())
        },
    },
    OptionSpec {
        name: "JWT_CSRF_IN_COOKIES",
        family: Family::ExtendedOnly,
        kind: "true or false",
        default: r#"true"#,
        meaning: "Are the cookies with the CSRF values set?",
        secrecy: Secrecy::Public,
        set: |raw, value| as_bool(value).map(|on| raw.flask_jwt_extended.csrf_in_cookies = on),
    },
    OptionSpec {
        name: "JWT_CSRF_CHECK_FORM",
        family: Family::ExtendedOnly,
        kind: "true or false",
        default: r#"false"#,
        meaning: "Is the CSRF value looked for in a form field, too?",
        secrecy: Secrecy::Public,
        set: |raw, value| as_bool(value).map(|on| raw.flask_jwt_extended.csrf_check_form = on),
    },
    OptionSpec {
        name: "JWT_ACCESS_TOKEN_EXPIRES",
        family: Family::ExtendedOnly,
        kind: "duration, or false for never",
        default: r#"900"#,
        meaning: "How long an access token lives.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_lifetime(value).map(|life| raw.flask_jwt_extended.access_expires = life),
    },
    OptionSpec {
        name: "JWT_REFRESH_TOKEN_EXPIRES",
        family: Family::ExtendedOnly,
        kind: "duration, or false for never",
        default: r#"30d"#,
        meaning: "How long a refresh token lives.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_lifetime(value).map(|life| raw.flask_jwt_extended.refresh_expires = life),
    },
    OptionSpec {
        name: "JWT_IDENTITY_CLAIM",
        family: Family::ExtendedOnly,
        kind: "name of a claim",
        default: r#"sub"#,
        meaning: "The claim that says who it is.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_text(value).map(|text| raw.policy.identity_claim = text),
    },
    OptionSpec {
        name: "JWT_VERIFY_SUB",
        family: Family::ExtendedOnly,
        kind: "true or false",
        default: r#"true"#,
        meaning: "Must `sub` be a text?",
        secrecy: Secrecy::Public,
        set: |raw, value| as_bool(value).map(|on| raw.policy.verify_sub = on),
    },
    OptionSpec {
        name: "JWT_ENCODE_NBF",
        family: Family::ExtendedOnly,
        kind: "true or false",
        default: r#"true"#,
        meaning: "Does a new token have `nbf`?",
        secrecy: Secrecy::Public,
        set: |raw, value| as_bool(value).map(|on| raw.flask_jwt_extended.encode_nbf = on),
    },
    OptionSpec {
        name: "JWT_ENCODE_AUDIENCE",
        family: Family::ExtendedOnly,
        kind: "text or list of texts",
        default: r#"none"#,
        meaning: "`aud` of new tokens.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_audience(value).map(|audience| raw.flask_jwt_extended.encode_audience = audience),
    },
    OptionSpec {
        name: "JWT_DECODE_AUDIENCE",
        family: Family::ExtendedOnly,
        kind: "text or list of texts",
        default: r#"none"#,
        meaning: "One of these must be in `aud`; without it `aud` is not looked at.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_list_or_nothing(value).map(|list| raw.policy.audiences = list),
    },
    OptionSpec {
        name: "JWT_ENCODE_ISSUER",
        family: Family::ExtendedOnly,
        kind: "text",
        default: r#"none"#,
        meaning: "`iss` of new tokens.",
        secrecy: Secrecy::Public,
        set: |raw, value| {
            as_text_or_nothing(value)
                .map(|text| raw.flask_jwt_extended.encode_issuer = Some(text).filter(|text| !text.is_empty()))
        },
    },
    OptionSpec {
        name: "JWT_DECODE_ISSUER",
        family: Family::ExtendedOnly,
        kind: "text or list of texts",
        default: r#"none"#,
        meaning: "`iss` must be one of these; without it `iss` is not looked at.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_list_or_nothing(value).map(|list| raw.policy.issuers = list),
    },
    OptionSpec {
        name: "JWT_DECODE_LEEWAY",
        family: Family::ExtendedOnly,
        kind: "duration",
        default: r#"0"#,
        meaning: "Tolerance between clocks, for `iat`, `nbf` and `exp`.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_seconds(value).map(|span| raw.policy.leeway = span),
    },
    OptionSpec {
        name: "JWT_ERROR_MESSAGE_KEY",
        family: Family::ExtendedOnly,
        kind: "text",
        default: r#"msg"#,
        meaning: "The member with the text of a refusal.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_text(value).map(|text| raw.flask_jwt_extended.error_message_key = text),
    },
    OptionSpec {
        name: "TOLLGATE_REFRESH_TOKENS",
        family: Family::ExtendedOnly,
        kind: "true or false",
        default: r#"true"#,
        meaning: "Does a log-in give a refresh token too, and is there an endpoint for it?",
        secrecy: Secrecy::Public,
        set: |raw, value| as_bool(value).map(|on| raw.flask_jwt_extended.refresh_tokens = on),
    },
    OptionSpec {
        name: "TOLLGATE_COOKIE_REFRESH_WITHIN",
        family: Family::ExtendedOnly,
        kind: "duration",
        default: "0",
        meaning: "Who comes with an access token in a cookie that has less than this left is sent a new one with the answer, whoever makes it. It is not fresh, and keeps the claims that were added. `0`: never.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_seconds(value).map(|span| raw.flask_jwt_extended.cookie_refresh_within = span),
    },
    OptionSpec {
        name: "TOLLGATE_REFRESH_URL",
        family: Family::ExtendedOnly,
        kind: "path, or empty for none",
        default: r#"/auth/refresh"#,
        meaning: "The path at which a refresh token is exchanged for an access token (POST).",
        secrecy: Secrecy::Public,
        set: |raw, value| as_text(value).map(|text| raw.refresh_url = text),
    },
    OptionSpec {
        name: "TOLLGATE_ME_URL",
        family: Family::ExtendedOnly,
        kind: "path, or empty for none",
        default: r#"/auth/me"#,
        meaning: "The path that tells who it is (GET): a rule with `to = \"identity\"`.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_text(value).map(|text| raw.me_url = text),
    },
    OptionSpec {
        name: "TOLLGATE_REFRESH_ROTATION",
        family: Family::Sessions,
        kind: "true or false",
        default: "true",
        meaning: "Is a refresh token good for one use? `/auth/refresh` then gives a new one with each access token, and a second use of a spent one ends the session. `false`: as Flask-JWT-Extended does it, a refresh token is good until it expires or its session is revoked.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_bool(value).map(|on| raw.sessions.rotation = on),
    },
    OptionSpec {
        name: "TOLLGATE_REFRESH_GRACE",
        family: Family::Sessions,
        kind: "duration, 0 to 60",
        default: "10",
        meaning: "So long after its use a spent refresh token is answered with the very same successor: a client whose answer was lost, or two tabs, are not logged out.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_seconds(value).map(|span| raw.sessions.grace = span),
    },
    OptionSpec {
        name: "TOLLGATE_SESSION_IDLE",
        family: Family::Sessions,
        kind: "duration",
        default: "30d",
        meaning: "A session ends when no refresh token of it was used for so long (and when its refresh token has expired).",
        secrecy: Secrecy::Public,
        set: |raw, value| as_seconds(value).map(|span| raw.sessions.idle = span),
    },
    OptionSpec {
        name: "TOLLGATE_SESSION_LIFETIME",
        family: Family::Sessions,
        kind: "duration",
        default: "90d",
        meaning: "A session ends so long after its log-in, however much it is used.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_seconds(value).map(|span| raw.sessions.lifetime = span),
    },
    OptionSpec {
        name: "TOLLGATE_REVOCATION_BOUND",
        family: Family::Sessions,
        kind: "duration, 2 to 300",
        default: "10",
        meaning: "A revoked token passes no longer than this after its revocation was acknowledged. Each isolate asks for news when a third of it has passed.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_seconds(value).map(|span| raw.sessions.max_staleness = span),
    },
    OptionSpec {
        name: "TOLLGATE_DEVICE_COOKIE",
        family: Family::Sessions,
        kind: "name of a cookie, or empty for none",
        default: "tollgate_device",
        meaning: "By this cookie a device that logged in before is known: strangers who guess at the password do not hold it up.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_text(value).map(|text| raw.sessions.device_cookie = text),
    },
    OptionSpec {
        name: "TOLLGATE_ADMIN_SECRET",
        family: Family::Sessions,
        kind: "secret text",
        default: "none",
        meaning: "With this secret (at least 32 bytes) operators end sessions: `tollgate session`. Without it there is no such endpoint.",
        secrecy: Secrecy::Secret,
        set: |raw, value| as_text(value).map(|text| raw.sessions.admin_secret = Some(Secret::new(text))),
    },
    OptionSpec {
        name: "TOLLGATE_SESSIONS_URL",
        family: Family::Sessions,
        kind: "path, or empty for none",
        default: "/auth/sessions",
        meaning: "The path at which users see their sessions (GET), and below it each of them, to end it (DELETE).",
        secrecy: Secrecy::Public,
        set: |raw, value| as_text(value).map(|text| raw.sessions_url = text),
    },
    OptionSpec {
        name: "TOLLGATE_LOGOUT_URL",
        family: Family::Sessions,
        kind: "path, or empty for none",
        default: "/auth/logout",
        meaning: "The path that ends the session of the token that comes with the request, and takes cookies away (POST and DELETE).",
        secrecy: Secrecy::Public,
        set: |raw, value| as_text(value).map(|text| raw.logout_url = text),
    },
    OptionSpec {
        name: "TOLLGATE_LOGOUT_ALL_URL",
        family: Family::Sessions,
        kind: "path, or empty for none",
        default: "/auth/logout/all",
        meaning: "The path that ends all of a user's sessions (POST).",
        secrecy: Secrecy::Public,
        set: |raw, value| as_text(value).map(|text| raw.logout_all_url = text),
    },
    OptionSpec {
        name: "TOLLGATE_PASSWORD_URL",
        family: Family::Sessions,
        kind: "path, or empty for none",
        default: "/auth/password",
        meaning: "The path at which users change their password (POST).",
        secrecy: Secrecy::Public,
        set: |raw, value| as_text(value).map(|text| raw.password_url = text),
    },
    OptionSpec {
        name: "TOLLGATE_ADMIN_URL",
        family: Family::Sessions,
        kind: "path",
        default: "/auth/admin",
        meaning: "The path for `tollgate session` (POST), where TOLLGATE_ADMIN_SECRET is set.",
        secrecy: Secrecy::Public,
        set: |raw, value| as_text(value).map(|text| raw.admin_url = text),
    },
]);

/// In the module the table is without what only the documentation says.
const fn lean<const N: usize>(mut table: [OptionSpec; N]) -> [OptionSpec; N] {
    let mut n = 0;
    while cfg!(target_arch = "wasm32") && n < N {
        (table[n].kind, table[n].default) = ("", "");
        if !matches!(table[n].family, Family::NeverRead) {
            table[n].meaning = "";
        }
        n += 1;
    }
    table
}

/// A name that is nobody's option, up to the first character that no name has: what follows may be a secret that was
/// meant to be a value.
#[must_use]
pub fn shown(name: &str) -> &str {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    &name[..name.find(|c| !is_name(c)).unwrap_or(name.len())]
}

/// The secret option that a name is likely to be meant for, if it is no option's: `JWT_SECRET`, `jwt_secret_key`.
#[must_use]
pub fn near_secret(name: &str) -> Option<&'static str> {
    const LEAST_LIKENESS: f64 = 0.93;
    if find(name).is_some() {
        return None;
    }
    let name = shown(name).to_ascii_uppercase();
    let likeness = |option: &&OptionSpec| strsim::jaro_winkler(&name, option.name);
    let nearest = TABLE.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    let is_near = likeness(&nearest) >= LEAST_LIKENESS && nearest.secrecy == Secrecy::Secret;
    is_near.then_some(nearest.name)
}

/// Finds an option by its exact name.
#[must_use]
pub fn find(name: &str) -> Option<&'static OptionSpec> {
    TABLE.iter().find(|option| option.name == name)
}

/// Is this the name of an option, or of something that was meant to be one?
#[must_use]
pub fn looks_like_ours(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    ["JWT_", "TOLLGATE_", "ORIGIN", "ROUTE"].iter().any(|start| name.starts_with(start))
        || TABLE.iter().any(|option| strsim::jaro_winkler(&name, option.name) > 0.95)
}

/// docs/options.md, whole.
#[must_use]
pub fn page() -> String {
    let mut page = String::from(concat!(
        "# Options\n\n",
        "<!-- Written by `cargo xtask docs`, from the table in src/rules/config/options.rs. -->\n\n",
        "Options are variables of the worker: `[vars]` in wrangler.toml, or secrets. Durations are seconds, as a number ",
        "or as text such as `\"90\"`, `\"250ms\"`, `\"5m\"`, `\"1h\"`, `\"7d\"`. Lists and tables may also be given as JSON text, ",
        "lists of words as words with commas.\n\nA value that is unsafe or impossible stops the gate: all of them are told ",
        "in the log at once (`config_problem`), and every request is answered with a plain 500 until they are mended. What ",
        "else will not work is told at start, too (`config_fault`), and fails `tollgate config check`: a cookie that browsers ",
        "drop, say. What is legal but unwise, or an unknown `JWT_…` or `TOLLGATE_…` name, is a warning (`config_warning`).\n",
    ));
    for (family, title) in [
        (Family::FlaskJwt, "Flask-JWT's, under their own names"),
        (Family::FlaskJwtExtended, "Flask-JWT-Extended's, for both dialects"),
        (Family::Tollgate, "Tollgate's"),
        (Family::ExtendedOnly, "Flask-JWT-Extended's, with `TOLLGATE_WIRE = \"flask-jwt-extended\"`"),
        (
            Family::Sessions,
            "Tollgate's, for sessions (with the bindings `ACCOUNTS` and `REVOCATIONS`: docs/sessions.md)",
        ),
        (Family::NeverRead, "Documented by Flask-JWT but without effect"),
    ] {
        page += &format!("\n## {title}\n\n| option | value | default | meaning |\n|---|---|---|---|\n");
        for option in TABLE.iter().filter(|option| option.family == family) {
            page +=
                &format!("| `{}` | {} | {} | {} |\n", option.name, option.kind, code(option.default), option.meaning);
        }
    }
    page += "\n## A rule in ROUTES\n\n| member | value | default | meaning |\n|---|---|---|---|\n";
    for member in crate::rules::route::RULE_MEMBERS {
        page += &format!("| `{}` | {} | {} | {} |\n", member.name, member.kind, code(member.default), member.meaning);
    }
    page += crate::rules::route::RULE_NOTES;
    page
}

fn code(text: &str) -> String {
    if text == "–" || text.starts_with("the ") || ["none", "required"].contains(&text) {
        text.to_owned()
    } else {
        format!("`{text}`")
    }
}
