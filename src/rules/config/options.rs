//! The one table of options. Reader, defaults and docs/options.md come from it.

use super::read::{Draft, as_bool, as_json, as_list, as_object, as_seconds, as_text, as_whole_number};
use crate::rules::json::Value;

/// One option: its name, and how its value gets into a configuration.
pub struct Option_ {
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
    /// Puts a value into the draft. An error says what to write instead, without the value.
    pub(super) set: fn(&mut Draft, &Value) -> Result<(), String>,
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
}

/// Every option.
pub const TABLE: &[Option_] = &[
    Option_ {
        name: "JWT_SECRET_KEY",
        family: Family::FlaskJwt,
        kind: "secret text",
        default: "the value of SECRET_KEY",
        meaning: "The HMAC key that signs and verifies, where JWT_ALGORITHM is one of `HS…`. At least as long as the hash: 32 bytes for HS256, 48 for HS384, 64 for HS512. Keep it in a secret (`npx wrangler secret put JWT_SECRET_KEY`), never in `[vars]`.",
        set: |draft, value| as_text(value).map(|text| draft.jwt_secret_key = Some(text)),
    },
    Option_ {
        name: "SECRET_KEY",
        family: Family::FlaskJwt,
        kind: "secret text",
        default: "none",
        meaning: "Flask's own secret: used where JWT_SECRET_KEY is not set.",
        set: |draft, value| as_text(value).map(|text| draft.secret_key = Some(text)),
    },
    Option_ {
        name: "JWT_ALGORITHM",
        family: Family::FlaskJwt,
        kind: "`HS256`, `HS384`, `HS512`, `EdDSA`, `ES256`, `RS256`, `RS384`, `RS512`, `PS256`, `PS384` or `PS512`",
        default: "HS256",
        meaning: "The algorithm that tokens are signed with and accepted with. The `HS…` take JWT_SECRET_KEY, the others JWT_PRIVATE_KEY and JWT_PUBLIC_KEY. With JWT_KEYS the keys say it.",
        set: |draft, value| as_text(value).map(|text| draft.algorithm = Some(text)),
    },
    Option_ {
        name: "JWT_LEEWAY",
        family: Family::FlaskJwt,
        kind: "duration",
        default: "10",
        meaning: "Tolerance between clocks, for `iat`, `nbf` and `exp`.",
        set: |draft, value| as_seconds(value).map(|span| draft.leeway = span),
    },
    Option_ {
        name: "JWT_EXPIRATION_DELTA",
        family: Family::FlaskJwt,
        kind: "duration",
        default: "300",
        meaning: "How long a token lives: `exp` = `iat` + this.",
        set: |draft, value| as_seconds(value).map(|span| draft.expiration_delta = span),
    },
    Option_ {
        name: "JWT_NOT_BEFORE_DELTA",
        family: Family::FlaskJwt,
        kind: "duration",
        default: "0",
        meaning: "When a token begins to be good: `nbf` = `iat` + this.",
        set: |draft, value| as_seconds(value).map(|span| draft.not_before_delta = span),
    },
    Option_ {
        name: "JWT_VERIFY_CLAIMS",
        family: Family::FlaskJwt,
        kind: "list of `signature`, `exp`, `nbf`, `iat`",
        default: r#"["signature", "exp", "nbf", "iat"]"#,
        meaning: "Which checks are made. `signature` can't be left out.",
        set: |draft, value| as_list(value).map(|list| draft.verify_claims = list),
    },
    Option_ {
        name: "JWT_REQUIRED_CLAIMS",
        family: Family::FlaskJwt,
        kind: "list of claim names",
        default: r#"["exp", "iat", "nbf"]"#,
        meaning: "Claims that a token must have.",
        set: |draft, value| as_list(value).map(|list| draft.required_claims = list),
    },
    Option_ {
        name: "JWT_AUTH_URL_RULE",
        family: Family::FlaskJwt,
        kind: "path, or empty for no log-in endpoint",
        default: "/auth",
        meaning: "The path of the log-in endpoint.",
        set: |draft, value| match value {
            Value::Null => {
                draft.auth_url_rule = String::new();
                Ok(())
            }
            _ => as_text(value).map(|text| draft.auth_url_rule = text),
        },
    },
    Option_ {
        name: "JWT_AUTH_URL_OPTIONS",
        family: Family::FlaskJwt,
        kind: "table with `methods`",
        default: r#"{ methods = ["POST"] }"#,
        meaning: "The methods of the log-in endpoint. Set without `methods` it means GET, as in Flask.",
        set: |draft, value| {
            let value = as_json(value);
            draft.auth_url_options = Some(value.as_object().ok_or("write { methods = [\"POST\"] }")?.clone());
            Ok(())
        },
    },
    Option_ {
        name: "JWT_AUTH_USERNAME_KEY",
        family: Family::FlaskJwt,
        kind: "text",
        default: "username",
        meaning: "The member of the log-in body with the name.",
        set: |draft, value| as_text(value).map(|text| draft.username_key = text),
    },
    Option_ {
        name: "JWT_AUTH_PASSWORD_KEY",
        family: Family::FlaskJwt,
        kind: "text",
        default: "password",
        meaning: "The member of the log-in body with the password.",
        set: |draft, value| as_text(value).map(|text| draft.password_key = text),
    },
    Option_ {
        name: "JWT_AUTH_HEADER_PREFIX",
        family: Family::FlaskJwt,
        kind: "one word",
        default: "JWT",
        meaning: "The first word of the `Authorization` header, in any case. The challenge begins with `JWT` all the same, as Flask-JWT's does.",
        set: |draft, value| as_text(value).map(|text| draft.header_prefix = text),
    },
    Option_ {
        name: "JWT_DEFAULT_REALM",
        family: Family::FlaskJwt,
        kind: "text",
        default: "Login Required",
        meaning: "The realm of the challenge. A route's `realm` wins over it.",
        set: |draft, value| as_text(value).map(|text| draft.realm = text),
    },
    Option_ {
        name: "JWT_PRIVATE_KEY",
        family: Family::FlaskJwtExtended,
        kind: "secret text: PEM or JWK",
        default: "none",
        meaning: "The private key that signs, where JWT_ALGORITHM is none of `HS…`: PEM (PKCS#8, PKCS#1, SEC 1), without a passphrase, or a JWK. RSA has 2048 to 4096 bits. Keep it in a secret (`npx wrangler secret put JWT_PRIVATE_KEY < key.pem`).",
        set: |draft, value| as_text(value).map(|text| draft.private_key = Some(text)),
    },
    Option_ {
        name: "JWT_PUBLIC_KEY",
        family: Family::FlaskJwtExtended,
        kind: "text: PEM or JWK",
        default: "the public half of JWT_PRIVATE_KEY",
        meaning: "The public key that verifies: PEM (SPKI, PKCS#1) or a JWK. Without JWT_PRIVATE_KEY the gate verifies another issuer's tokens, and JWT_AUTH_URL_RULE must be empty. No certificate, no private key.",
        set: |draft, value| as_text(value).map(|text| draft.public_key = Some(text)),
    },
    Option_ {
        name: "JWT_DECODE_ALGORITHMS",
        family: Family::FlaskJwtExtended,
        kind: "list of algorithms",
        default: "the value of JWT_ALGORITHM",
        meaning: "Algorithms that are accepted beside JWT_ALGORITHM, which always is. Each has a key of its own: the `HS…` JWT_SECRET_KEY, the others JWT_PUBLIC_KEY or the public half of JWT_PRIVATE_KEY; without such a key it is a fault. So `[\"EdDSA\", \"HS256\"]` keeps old tokens good while the algorithm changes.",
        set: |draft, value| as_list(value).map(|list| draft.decode_algorithms = list),
    },
    Option_ {
        name: "JWT_AUTH_ENDPOINT",
        family: Family::NeverRead,
        kind: "–",
        default: "–",
        meaning: "Documented by Flask-JWT, never read by it: there are no endpoint names at the edge.",
        set: |_, _| Ok(()),
    },
    Option_ {
        name: "JWT_VERIFY",
        family: Family::NeverRead,
        kind: "–",
        default: "–",
        meaning: "Documented by Flask-JWT, never read by it. Nothing switches verification off; for a path without it write `auth = \"none\"` in its route.",
        set: |_, _| Ok(()),
    },
    Option_ {
        name: "JWT_VERIFY_EXPIRATION",
        family: Family::NeverRead,
        kind: "–",
        default: "–",
        meaning: "Documented by Flask-JWT, never read by it. Leave `exp` out of JWT_VERIFY_CLAIMS if you mean it.",
        set: |_, _| Ok(()),
    },
    Option_ {
        name: "ROUTES",
        family: Family::Tollgate,
        kind: "list of tables, see below",
        default: "[]",
        meaning: "What is let through, for whom, and to where. What no rule names is refused with 404.",
        set: |draft, value| {
            let value = as_json(value);
            draft.routes = value.as_array().ok_or("write a list of tables: [[vars.ROUTES]]")?.clone();
            Ok(())
        },
    },
    Option_ {
        name: "JWT_KEYS",
        family: Family::Tollgate,
        kind: "JWK Set, as JSON text or table",
        default: "none",
        meaning: "Several keys, in place of JWT_PRIVATE_KEY and JWT_PUBLIC_KEY: `{\"keys\": [{\"kty\": …, \"kid\": \"2026-11\", \"alg\": \"EdDSA\", …}, …]}`. The first private key (or secret) signs, all verify; a token's `kid` says which. Each of several needs a `kid`. `not_after`, in seconds like `exp`, ends a key: later its tokens are refused; the key that signs has none. Keep it in a secret.",
        set: |draft, value| {
            // What is no object is told with the keys, as an empty one.
            draft.keys = Some(as_object(value).unwrap_or_default());
            Ok(())
        },
    },
    Option_ {
        name: "ORIGIN",
        family: Family::Tollgate,
        kind: "URL without query",
        default: "none",
        meaning: "Where `to = \"origin\"` forwards to; the request's path and query are put behind it.",
        set: |draft, value| as_text(value).map(|text| draft.origin = text),
    },
    Option_ {
        name: "ORIGIN_TIMEOUT",
        family: Family::Tollgate,
        kind: "duration",
        default: "30",
        meaning: "How long the origin may take to take in the next part of a body and to begin its answer; then 504. A slow client and the body of an answer may take as long as they like.",
        set: |draft, value| as_seconds(value).map(|span| draft.origin_timeout = span),
    },
    Option_ {
        name: "TOLLGATE_FORWARD_TOKEN",
        family: Family::Tollgate,
        kind: "true or false",
        default: "true",
        meaning: "Is the client's `Authorization` header passed on to the origin? (On routes with `auth = \"none\"` it always is.)",
        set: |draft, value| as_bool(value).map(|on| draft.forward_token = on),
    },
    Option_ {
        name: "TOLLGATE_ALLOW_SHORT_KEY",
        family: Family::Tollgate,
        kind: "true or false",
        default: "false",
        meaning: "Takes a key shorter than its hash, for the move from Flask with an old short secret. A short key can be guessed from one token: change it soon.",
        set: |draft, value| as_bool(value).map(|on| draft.allow_short_key = on),
    },
    Option_ {
        name: "TOLLGATE_PASSWORD_ITERATIONS",
        family: Family::Tollgate,
        kind: "100000 to 5000000",
        default: "600000",
        meaning: "What a new password hash costs. Older and foreign hashes are made anew at this cost after the next log-in that proves them. Set it at least as high as the highest that you import, or a log-in's time tells which users were imported.",
        set: |draft, value| as_whole_number(value).map(|number| draft.password_iterations = number),
    },
    Option_ {
        name: "TOLLGATE_STORE_TIMEOUT",
        family: Family::Tollgate,
        kind: "duration",
        default: "5",
        meaning: "How long KV may take; then 503.",
        set: |draft, value| as_seconds(value).map(|span| draft.store_timeout = span),
    },
    Option_ {
        name: "TOLLGATE_TOKEN_CACHE",
        family: Family::Tollgate,
        kind: "0 to 65534",
        default: "1024",
        meaning: "How many verified tokens each instance remembers, so that the next request with one costs no cryptography; their times are judged all the same. Takes about twice the tokens' own length of memory, at most 18 KiB each. `0` remembers none.",
        set: |draft, value| as_whole_number(value).map(|number| draft.token_cache = number),
    },
    Option_ {
        name: "TOLLGATE_LOG",
        family: Family::Tollgate,
        kind: "`off`, `error`, `info` or `debug`",
        default: "info",
        meaning: "`error`: only what an operator must see to. `info`: log-ins and refusals too. `debug`: passing requests too.",
        set: |draft, value| as_text(value).map(|text| draft.log = text),
    },
];

/// Finds an option by its exact name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Option_> {
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
        "lists of words as words with commas. A wrong value is reported in the log, all of them at once, and every ",
        "request is answered with a plain 500 until it is mended. An unknown `JWT_…` or `TOLLGATE_…` name is named in ",
        "a warning.\n",
    ));
    for (family, title) in [
        (Family::FlaskJwt, "Flask-JWT's, under their own names"),
        (Family::FlaskJwtExtended, "Flask-JWT-Extended's, under their own names"),
        (Family::Tollgate, "Tollgate's"),
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
