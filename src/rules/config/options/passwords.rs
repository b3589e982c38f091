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
        .meaning(
            "What a new password hash costs. Older and foreign hashes are replaced at this cost after the next log-in \
             that proves them; one that costs more keeps its cost. Set it at least as high as the highest that you \
             import, or a log-in's time tells which users were imported.",
        ),
    OptionSpec::custom("TOLLGATE_PASSWORD_PEPPERS", |raw, value| {
        let table = as_object(value).ok_or("write a table, {\"k1\": \"…\"}, each key id once")?;
        Peppers::read(&table).map(|peppers| raw.peppers = Some(peppers))
    })
    .kind("secret table of key ids and base64")
    .unset("none")
    .secret()
    .meaning(
        "Peppers: without them a stolen store is worth nothing to who guesses passwords. `{\"k1\": \"…\"}`, 32 \
         random bytes or more each (`tollgate secret generate`), key ids of `a` to `z`, `0` to `9` and `-`. Keep \
         it in a secret (`npx wrangler secret put TOLLGATE_PASSWORD_PEPPERS`) and a copy somewhere safe: without \
         it nobody can log in any more. How to change one: docs/storage.md.",
    ),
    OptionSpec::optional_text("TOLLGATE_PASSWORD_PEPPER", |raw| &mut raw.pepper)
        .kind("key id, or empty for none")
        .unset("the only one there is")
        .meaning(
            "The pepper of TOLLGATE_PASSWORD_PEPPERS that new hashes are made with; needed where there are several. \
             Hashes with another, or with none, are replaced after the next log-in that proves them.",
        ),
    OptionSpec::number("TOLLGATE_PASSWORD_MIN_LENGTH", |raw| &mut raw.password_min_length)
        .kind("8 to 64")
        .default("15")
        .meaning(
            "How many characters a password must have where one is set; log-ins take what is stored. NIST SP \
             800-63B-4 asks for 15 where nothing but the password is asked for, and allows 8 beside a second factor.",
        ),
    OptionSpec::boolean("TOLLGATE_PASSWORD_COMMON", |raw| &mut raw.password_common).default("true").meaning(
        "Are the most common passwords refused where one is set? Some ten thousand, in any case; one in 438,000 \
         others is taken for one of them.",
    ),
    OptionSpec::boolean("TOLLGATE_PASSWORD_PWNED", |raw| &mut raw.pwned).default("false").meaning(
        "Is Have I Been Pwned asked whether a password is known from a leak, where one is set at the gate? Five \
         of forty digits of its SHA-1 go there, which a thousand others share. If there is no answer within two \
         seconds the password is taken, and the log says `pwned_check_failed`.",
    ),
    OptionSpec::optional_text("TOLLGATE_PASSWORD_PWNED_URL", |raw| &mut raw.pwned_url)
        .kind("URL without query")
        .unset(pwned::DEFAULT_URL)
        .meaning("Where it is asked: a mirror of its range API, say. The five digits are put behind it."),
]);
