//! Checks of a body before it is read.

use crate::rules::{
    login,
    rejection::{BodyRejection, LoginRejection, Rejection},
    request::Request,
};

/// Whether `Content-Length` is above `limit` bytes. A number that does not fit in a `usize` is.
pub(super) fn declares_more(request: &Request<'_>, limit: usize) -> bool {
    let length = request.headers.get("content-length").unwrap_or_default();
    let length = length.trim();
    let is_number = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
    is_number && length.parse::<usize>().map_or(true, |length| length > limit)
}

/// [`check_json_within`] [`login::MAX_BODY_BYTES`].
pub(super) fn check_json(request: &Request<'_>) -> Result<(), Rejection> {
    check_json_within(request, login::MAX_BODY_BYTES)
}

/// Checks that the body is declared as JSON and not longer than `limit` bytes.
///
/// # Errors
/// [`LoginRejection::BodyNotDeclaredJson`], then [`BodyRejection::TooLarge`].
pub(super) fn check_json_within(request: &Request<'_>, limit: usize) -> Result<(), Rejection> {
    if !login::is_json(request.headers.get("content-type").as_deref()) {
        return Err(Rejection::Login(LoginRejection::BodyNotDeclaredJson));
    }
    if declares_more(request, limit) {
        return Err(Rejection::Body(BodyRejection::TooLarge { limit: Some(limit) }));
    }
    Ok(())
}
