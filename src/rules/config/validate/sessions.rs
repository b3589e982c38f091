//! Sessions, revocations and the administrator's secret.

use crate::rules::{
    config::{Sessions, diagnostics::Diagnostics, raw::RawConfig},
    time::Duration,
};

/// The endpoint for administrators does not limit failed attempts.
const MIN_SECRET_BYTES: usize = 32;

pub(in crate::rules::config) fn check(raw: &RawConfig, diagnostics: &mut Diagnostics<'_>) {
    let Sessions { grace, idle, lifetime, max_staleness, admin_secret, .. } = &raw.sessions;
    if !(Duration::ZERO..=Duration::seconds(60)).contains(grace) {
        diagnostics.problem("TOLLGATE_REFRESH_GRACE", "write 0 to 60 seconds: a stolen token is good for as long");
    }
    for (name, span) in [("TOLLGATE_SESSION_IDLE", idle), ("TOLLGATE_SESSION_LIFETIME", lifetime)] {
        if *span < Duration::seconds(60) {
            diagnostics.problem(name, "write at least a minute, such as \"30d\"");
        }
    }
    if lifetime < idle {
        diagnostics
            .warn("TOLLGATE_SESSION_IDLE", "longer than TOLLGATE_SESSION_LIFETIME, which ends the session before");
    }
    if !(Duration::seconds(2)..=Duration::seconds(300)).contains(max_staleness) {
        diagnostics.problem("TOLLGATE_REVOCATION_BOUND", "write 2 to 300 seconds");
    }
    if admin_secret.as_ref().is_some_and(|secret| secret.expose().len() < MIN_SECRET_BYTES) {
        diagnostics.problem(
            "TOLLGATE_ADMIN_SECRET",
            "too short: write at least 32 random bytes, such as `tollgate secret generate` makes",
        );
    }
}
