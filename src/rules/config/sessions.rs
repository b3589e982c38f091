//! The options of sessions, revocations and known devices.

use crate::rules::{secret::Secret, time::Duration};

/// The options of sessions. They have an effect only with the bindings for sessions.
#[derive(Clone, Debug)]
pub struct Sessions {
    /// `TOLLGATE_REFRESH_ROTATION`: whether a refresh token can be used only once.
    pub rotation: bool,
    /// `TOLLGATE_REFRESH_GRACE`.
    pub grace: Duration,
    /// `TOLLGATE_SESSION_IDLE`.
    pub idle: Duration,
    /// `TOLLGATE_SESSION_LIFETIME`.
    pub lifetime: Duration,
    /// `TOLLGATE_REVOCATION_BOUND`.
    pub max_staleness: Duration,
    /// `TOLLGATE_DEVICE_COOKIE`; empty for no cookie.
    pub device_cookie: String,
    /// `TOLLGATE_ADMIN_SECRET`; without it there is no endpoint for administrators.
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
