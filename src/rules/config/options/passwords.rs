//! Hashing of passwords, and which passwords are accepted.

use super::{Family, OptionSpec};
use crate::rules::{
    config::value::as_object,
    password::{Peppers, pwned},
};

pub(super) const TOLLGATE: &[OptionSpec] = &Family::Tollgate.options([
    OptionSpec::number("TOLLGATE_PASSWORD_ITERATIONS", |raw| &mut raw.password_iterations)
        .kind("100000 to 5000000")
        .default("600000")
        .schema(r##"{"anyOf": [{"type": "integer", "minimum": 100000, "maximum": 5000000}, {"$ref": "#/definitions/digits"}]}"##)
    .meaning(
            "Iterations of a new password hash. Older and foreign hashes are replaced by one with as many after the \
             next successful log-in; a hash with more keeps its own. Set it at least as high as the highest that you \
             import, or a log-in's time tells which users were imported.",
        ),
    OptionSpec::list("TOLLGATE_PASSWORD_KINDS", |raw| &mut raw.password_kinds)
        .kind("list of methods")
        .unset("none")
        .meaning(
            "The functions of imported hashes, as Werkzeug writes them: `scrypt:32768:8:1`, `pbkdf2:sha512:1000000`, \
             for Django's and passlib's too. Every log-in then takes as long as one with the costliest of them, or its \
             time tells which users were imported. `tollgate user import` says what to write. A replaced hash keeps \
             the cost, so remove a kind only for a TOLLGATE_PASSWORD_ITERATIONS as high.",
        ),
    OptionSpec::custom("TOLLGATE_PASSWORD_PEPPERS", |raw, value| {
        let table = as_object(value).ok_or("write a table, {\"k1\": \"…\"}, each key id once")?;
        Peppers::read(&table).map(|peppers| raw.peppers = Some(peppers))
    })
    .kind("secret table of key ids and base64")
    .unset("none")
    .secret()
    .schema(r##"{"type": ["object", "string"]}"##)
    .meaning(
        "Peppers: whoever steals the store cannot check guesses of passwords without them. `{\"k1\": \"…\"}`, 32 \
         random bytes or more each (`tollgate secret generate`), key ids of `a` to `z`, `0` to `9` and `-`. Keep them \
         in a secret (`npx wrangler secret put TOLLGATE_PASSWORD_PEPPERS`) and a copy somewhere safe: without them \
         nobody can log in any more. How to change one: docs/storage.md.",
    ),
    OptionSpec::optional_text("TOLLGATE_PASSWORD_PEPPER", |raw| &mut raw.pepper)
        .kind("key id, or empty for none")
        .unset("the only one there is")
        .meaning(
            "The pepper of TOLLGATE_PASSWORD_PEPPERS that new hashes are made with; needed where there are several. \
             Hashes with another, or with none, are replaced after the next successful log-in.",
        ),
    OptionSpec::number("TOLLGATE_PASSWORD_MIN_LENGTH", |raw| &mut raw.password_min_length)
        .kind("8 to 64")
        .default("15")
        .schema(r##"{"anyOf": [{"type": "integer", "minimum": 8, "maximum": 64}, {"$ref": "#/definitions/digits"}]}"##)
    .meaning(
            "How many characters a password must have where one is set; log-ins take what is stored. NIST SP \
             800-63B-4 asks for 15 where nothing but the password is asked for, and allows 8 beside a second factor.",
        ),
    OptionSpec::boolean("TOLLGATE_PASSWORD_COMMON", |raw| &mut raw.password_common).default("true").meaning(
        "Whether the most common passwords are refused when a password is set: about ten thousand, in any letter case. One \
         in 438,000 other passwords is refused by mistake.",
    ),
    OptionSpec::boolean("TOLLGATE_PASSWORD_PWNED", |raw| &mut raw.pwned).default("false").meaning(
        "Whether a password that is set at the gate is looked up in Have I Been Pwned, a list of leaked passwords. \
         Five of the forty digits of its SHA-1 are sent, which a thousand others share. Without an answer within two \
         seconds the password is accepted and `pwned_check_failed` is logged.",
    ),
    OptionSpec::optional_text("TOLLGATE_PASSWORD_PWNED_URL", |raw| &mut raw.pwned_url)
        .kind("URL without query")
        .unset(pwned::DEFAULT_URL)
        .schema(r##"{"$ref": "#/definitions/url"}"##)
    .meaning("The address of its range API, for example a mirror. The five digits are appended to it."),
]);
