//! Is a new password known from a leak? Asked of Have I Been Pwned, or of what `TOLLGATE_PASSWORD_PWNED_URL` names.
//!
//! **What always holds:** only where `TOLLGATE_PASSWORD_PWNED` is set, and only what
//! [`crate::rules::password::pwned::Question`] lets out. What fails lets the password through with a line in the log: a
//! service that is down must not keep people from changing their passwords.

use super::Call;
use crate::rules::{log::Event, password::pwned, secret::Secret};

/// Whether this password is known from a leak; `false` too where nobody is to be asked, or nobody could tell.
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
