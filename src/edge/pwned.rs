//! Is a new password known from a leak? Asked of Have I Been Pwned, or of what `TOLLGATE_PASSWORD_PWNED_URL` names.
//!
//! **What always holds:** only where `TOLLGATE_PASSWORD_PWNED` is set, and only what [`Question`] lets out. It waits
//! two seconds at most, with the answer's body, and reads no further than to a limit. What fails lets the password
//! through with a line in the log: a service that is down must not keep people from changing their passwords.

use super::{Call, promise::Settled};
use crate::rules::{
    log::Event,
    password::pwned::{MAX_ANSWER_BYTES, Question},
    secret::Secret,
};
use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;

/// In milliseconds. The range API answers from the nearest data centre, within a tenth of this.
const TIMEOUT: u32 = 2_000;

#[wasm_bindgen(module = "/src/edge/js/fetch.mjs")]
extern "C" {
    #[wasm_bindgen(js_name = answerOf)]
    fn answer_of(url: &str, milliseconds: u32, limit: usize) -> js_sys::Promise;
}

/// Is this password known from a leak? `false` too where nobody is to be asked, or nobody could tell.
///
/// Call it before a password is set, after [`crate::rules::password::PasswordPolicy::judge`], and refuse with
/// [`crate::rules::password::PasswordFault::Leaked`].
pub async fn is_known(call: &Call, password: &Secret<String>) -> bool {
    let Some(api) = &call.config().pwned_url else { return false };
    let question = Question::about(password);
    let answer = Settled::from(answer_of(&question.url(api), TIMEOUT, MAX_ANSWER_BYTES)).await.unwrap_or_default();
    let verdict = match answer.dyn_into::<Uint8Array>() {
        Ok(bytes) => question.is_in(&bytes.to_vec()).map_err(|_| "unreadable".to_owned()),
        Err(reason) => Err(reason.as_string().unwrap_or_default()),
    };
    verdict.unwrap_or_else(|reason| {
        call.log(&Event::PwnedCheckFailed { reason: &reason });
        false
    })
}
