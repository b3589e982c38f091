//! The options of sessions, revocations and guesses, read and judged.

use super::read::{Diagnostics, RawConfig};
use crate::rules::{secret::Secret, time::Duration};

/// What the gate is told of sessions. Has an effect where the bindings for them are there.
#[derive(Clone, Debug)]
pub struct Sessions {
    /// `TOLLGATE_REFRESH_ROTATION`: is a refresh token good for one use?
    pub rotation: bool,
    /// `TOLLGATE_REFRESH_GRACE`.
    pub grace: Duration,
    /// `TOLLGATE_SESSION_IDLE`.
    pub idle: Duration,
    /// `TOLLGATE_SESSION_LIFETIME`.
    pub lifetime: Duration,
    /// `TOLLGATE_REVOCATION_BOUND`.
    pub max_staleness: Duration,
    /// `TOLLGATE_DEVICE_COOKIE`; empty for none.
    pub device_cookie: String,
    /// `TOLLGATE_ADMIN_SECRET`: without it there is no such endpoint.
    pub admin_secret: Option<Secret<String>>,
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            rotation: true,
            grace: Duration::seconds(10),
            idle: Duration::seconds(30 * 86_400),
            lifetime: Duration::seconds(90 * 86_400),
            max_staleness: Duration::seconds(10),
            device_cookie: "tollgate_device".into(),
            admin_secret: None,
        }
    }
}

/// An administrator's secret is guessed at without a limit.
const LEAST_SECRET_BYTES: usize = 32;

pub(super) fn check(raw: &RawConfig, notices: &mut Diagnostics<'_>) {
    let Sessions { grace, idle, lifetime, max_staleness, admin_secret, .. } = &raw.sessions;
    if !(Duration::ZERO..=Duration::seconds(60)).contains(grace) {
        notices.problem("TOLLGATE_REFRESH_GRACE", "write 0 to 60 seconds: a stolen token is good for as long");
    }
    for (name, span) in [("TOLLGATE_SESSION_IDLE", idle), ("TOLLGATE_SESSION_LIFETIME", lifetime)] {
        if *span < Duration::seconds(60) {
            notices.problem(name, "write at least a minute, such as \"30d\"");
        }
    }
    if lifetime < idle {
        notices.warn("TOLLGATE_SESSION_IDLE", "longer than TOLLGATE_SESSION_LIFETIME, which ends the session before");
    }
    if !(Duration::seconds(2)..=Duration::seconds(300)).contains(max_staleness) {
        notices.problem("TOLLGATE_REVOCATION_BOUND", "write 2 to 300 seconds");
    }
    if admin_secret.as_ref().is_some_and(|secret| secret.expose().len() < LEAST_SECRET_BYTES) {
        notices.problem(
            "TOLLGATE_ADMIN_SECRET",
            "too short: write at least 32 random bytes, such as `tollgate secret generate` makes",
        );
    }
}
