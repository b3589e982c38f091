//! What can be said of a body before it is read.

use crate::rules::{
    login,
    rejection::{BodyRejection, LoginRejection, Rejection},
    request::Request,
};

/// Whether the request declares a longer body than this. A number that is too large for any machine is longer.
pub(super) fn declares_more(request: &Request<'_>, limit: usize) -> bool {
    let length = request.headers.get("content-length").unwrap_or_default();
    let length = length.trim();
    let is_number = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
    is_number && length.parse::<usize>().map_or(true, |length| length > limit)
}

/// A body that an endpoint reads must be declared as JSON, and not as too long.
pub(super) fn check_json(request: &Request<'_>) -> Result<(), Rejection> {
    if !login::is_json(request.headers.get("content-type").as_deref()) {
        return Err(Rejection::Login(LoginRejection::BodyNotDeclaredJson));
    }
    if declares_more(request, login::MAX_BODY_BYTES) {
        return Err(Rejection::Body(BodyRejection::TooLarge { limit: Some(login::MAX_BODY_BYTES) }));
    }
    Ok(())
}
