//! Checks a new password against leaked passwords: with Have I Been Pwned, or the service at
//! `TOLLGATE_PASSWORD_PWNED_URL`.
//!
//! **What always holds:** the service is asked only where `TOLLGATE_PASSWORD_PWNED` is set, and gets only what
//! [`crate::rules::password::pwned::Question`] reveals. If the check fails, the password is accepted and the failure
//! logged: a service that is down must not keep users from changing their passwords.

use super::call::Call;
use crate::rules::{log::Event, password::pwned, secret::Secret};

/// Whether this password is in a leak; `false` also if the check is off or fails.
///
/// Call it before a password is set, after [`crate::rules::password::PasswordPolicy::judge`], and refuse with
/// [`crate::rules::password::PasswordFault::Leaked`].
pub async fn is_known(call: &Call, password: &Secret<String>) -> bool {
    let Some(api) = &call.config().pwned_url else { return false };
    pwned::ask(call, api, password).await.unwrap_or_else(|reason| {
        call.log(&Event::PwnedCheckFailed { reason });
        false
    })
}
