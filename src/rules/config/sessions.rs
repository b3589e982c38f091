//! The options of sessions, revocations and guesses, read and judged.

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

impl Sessions {
    /// No option set, and no default applied.
    pub(super) const UNSET: Self = Self {
        rotation: false,
        grace: Duration::ZERO,
        idle: Duration::ZERO,
        lifetime: Duration::ZERO,
        max_staleness: Duration::ZERO,
        device_cookie: String::new(),
        admin_secret: None,
    };
}
