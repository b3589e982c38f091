//! Rejections of a log-in, worded by each dialect.

/// Why a log-in fails (docs/compat/flask-jwt.md#log-in).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoginRejection {
    /// The body's media type is not JSON.
    BodyNotDeclaredJson,
    /// Name and password are not those of a user; or members are missing, empty, not strings, or too many.
    BadCredentials,
}

impl LoginRejection {
    pub(in crate::rules) const fn code(&self) -> &'static str {
        match self {
            Self::BodyNotDeclaredJson => "body_media_type",
            Self::BadCredentials => "bad_credentials",
        }
    }
}
