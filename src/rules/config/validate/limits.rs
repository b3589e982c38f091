//! Ranges of numbers: costs, sizes and timeouts.

use crate::rules::{
    config::{diagnostics::Diagnostics, raw::RawConfig},
    password,
    time::DECISION_TIMEOUT,
    time::Duration,
};

/// The most tokens of 1 KiB that fit into half of an isolate's memory (128 MiB): each takes twice its length in the
/// cache (docs/options.md) and once in the entry.
const MAX_CACHED_TOKENS: u32 = 64 * 1024 / 3;

pub(in crate::rules::config) fn check(raw: &RawConfig, diagnostics: &mut Diagnostics<'_>) {
    let (least, most) = (password::LEAST_ITERATIONS, password::MOST_ITERATIONS);
    if !(least..=most).contains(&raw.password_iterations) {
        diagnostics.problem("TOLLGATE_PASSWORD_ITERATIONS", format!("write {least} to {most}; OWASP asks for 600000"));
    }
    let (least, most) = (password::LEAST_MIN_LENGTH, password::MOST_MIN_LENGTH);
    if !(least..=most).contains(&(raw.password_min_length as usize)) {
        diagnostics.problem(
            "TOLLGATE_PASSWORD_MIN_LENGTH",
            format!("write {least} to {most}; 15 where nothing but the password is asked for (NIST SP 800-63B-4)"),
        );
    }
    if raw.token_cache > 65_534 {
        diagnostics.problem("TOLLGATE_TOKEN_CACHE", "write 0 to 65534");
    } else if raw.token_cache > MAX_CACHED_TOKENS {
        diagnostics.fault(
            "TOLLGATE_TOKEN_CACHE",
            format!("more than an isolate has room for beside its other work: tokens of 1 KiB take 3 KiB each, and all of it has 128 MiB. Write at most {MAX_CACHED_TOKENS}"),
        );
    }
    if !(1024..=1024 * 1024).contains(&raw.token_body_limit) {
        diagnostics.problem("TOLLGATE_TOKEN_BODY_LIMIT", "write 1024 to 1048576 (bytes)");
    }
    if raw.log_refusals > 1_000_000 {
        diagnostics.problem("TOLLGATE_LOG_REFUSALS", "write 0 to 1000000");
    }
    let range = Duration::seconds(0)..=Duration::seconds(600);
    for (name, span) in [("ORIGIN_TIMEOUT", raw.origin_timeout), ("TOLLGATE_STORE_TIMEOUT", raw.store_timeout)] {
        if span == Duration::ZERO || !range.contains(&span) {
            diagnostics.problem(name, "write more than 0 and at most 10 minutes");
        }
    }
    if raw.store_timeout > DECISION_TIMEOUT {
        diagnostics.warn("TOLLGATE_STORE_TIMEOUT", "no effect beyond a minute, after which every decision ends");
    }
}
