//! Every reason for rejecting a request, in families.
//!
//! **What always holds:** a rejection holds names, limits and fixed texts, never a value from a token, password or key,
//! except two that Flask-JWT-Extended sends to the client: the name of a critical extension, and the subject of a valid
//! token whose user is unknown. Each has a stable code ([`Rejection::code`]). The dialect words
//! [`CredentialRejection`], [`TokenRejection`] and [`LoginRejection`] ([`super::dialect`]); the other families
//! are worded here, once ([`Words`]). The log line is made in [`super::log`].

mod body;
mod credential;
mod internal;
mod login;
mod origin;
mod password;
mod permission;
mod route;
mod session;
mod token;
mod unavailable;
mod words;

pub use body::BodyRejection;
pub use credential::{Absent, CredentialRejection};
pub use internal::InternalRejection;
pub use login::LoginRejection;
pub use origin::OriginRejection;
pub use password::PasswordRejection;
pub use permission::PermissionRejection;
pub use route::{PathFault, RouteRejection};
pub use session::SessionRejection;
pub use token::{Malformed, TimeClaim, TokenRejection, Unencoded};
pub use unavailable::UnavailableRejection;
pub use words::Words;

/// Why a request is rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejection {
    /// The path or method is not served.
    Route(RouteRejection),
    /// No token was found.
    Credential(CredentialRejection),
    /// A token was found and is not accepted.
    Token(TokenRejection),
    /// The log-in failed.
    Login(LoginRejection),
    /// The request's body was not read or is malformed.
    Body(BodyRejection),
    /// A password: tried too often, or too weak to be set.
    Password(PasswordRejection),
    /// A session or token was not ended.
    Session(SessionRejection),
    /// The caller may not do this.
    Permission(PermissionRejection),
    /// The origin or the static files did not answer.
    Origin(OriginRejection),
    /// KV or an object did not answer.
    Unavailable(UnavailableRejection),
    /// The gate's configuration or code is at fault.
    Internal(InternalRejection),
    /// A function of the application rejected the request, in its own words.
    Custom(JwtError),
}

/// An application's own rejection: Flask-JWT's `JWTError`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwtError {
    /// The member `error`.
    pub error: String,
    /// The member `description`.
    pub description: String,
    /// The status, 400 to 599.
    pub status: u16,
    /// Headers to add.
    pub headers: Vec<(String, String)>,
}

impl JwtError {
    /// A rejection with status 401 and no headers, Flask-JWT's defaults.
    pub fn new(error: impl Into<String>, description: impl Into<String>) -> Self {
        Self { error: error.into(), description: description.into(), status: 401, headers: Vec::new() }
    }
}

impl Rejection {
    /// The stable code of this reason, for logs, metrics and tests. It stays the same when texts change.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Route(rejection) => rejection.code(),
            Self::Credential(rejection) => rejection.code(),
            Self::Token(rejection) => rejection.code(),
            Self::Login(rejection) => rejection.code(),
            Self::Body(rejection) => rejection.code(),
            Self::Password(rejection) => rejection.code(),
            Self::Session(rejection) => rejection.code(),
            Self::Permission(rejection) => rejection.code(),
            Self::Origin(rejection) => rejection.code(),
            Self::Unavailable(rejection) => rejection.code(),
            Self::Internal(rejection) => rejection.code(),
            Self::Custom(_) => "custom",
        }
    }

    /// The code for clients at an endpoint of an account: no finer than what both dialects' texts say.
    #[must_use]
    pub(super) const fn coarse_code(&self) -> &'static str {
        match self {
            Self::Token(rejection) => rejection.coarse_code(),
            Self::Internal(_) => InternalRejection::Bug.code(),
            _ => self.code(),
        }
    }

    /// Whether the rejection contains something of this one request. The answer to any other may be kept for more
    /// requests.
    #[must_use]
    pub const fn is_of_one_request(&self) -> bool {
        match self {
            Self::Route(rejection) => matches!(rejection, RouteRejection::MissingLastSlash { .. }),
            Self::Token(rejection) => {
                matches!(rejection, TokenRejection::CriticalExtension { .. } | TokenRejection::UserUnknown { .. })
            }
            Self::Password(_) | Self::Custom(_) => true,
            Self::Credential(_)
            | Self::Login(_)
            | Self::Body(_)
            | Self::Session(_)
            | Self::Permission(_)
            | Self::Origin(_)
            | Self::Unavailable(_)
            | Self::Internal(_) => false,
        }
    }

    /// Whether the rejection is about the token, its claims or the log-in: Flask-JWT passes it to `jwt_error_handler`
    /// as a `JWTError`, and Flask-JWT-Extended has a loader for it. The others are answers of Flask itself, or of the
    /// gate.
    #[must_use]
    pub const fn is_jwt_error(&self) -> bool {
        match self {
            Self::Credential(_)
            | Self::Token(_)
            | Self::Login(LoginRejection::BadCredentials)
            | Self::Permission(PermissionRejection::InsufficientPermissions)
            | Self::Custom(_) => true,
            Self::Login(LoginRejection::BodyNotDeclaredJson)
            | Self::Route(_)
            | Self::Body(_)
            | Self::Password(_)
            | Self::Session(_)
            | Self::Permission(_)
            | Self::Origin(_)
            | Self::Unavailable(_)
            | Self::Internal(_) => false,
        }
    }
}

macro_rules! family {
    ($($family:ident($rejection:ident)),*) => {
        $(impl From<$rejection> for Rejection {
            fn from(rejection: $rejection) -> Self {
                Self::$family(rejection)
            }
        })*
    };
}

family!(
    Route(RouteRejection),
    Credential(CredentialRejection),
    Token(TokenRejection),
    Login(LoginRejection),
    Body(BodyRejection),
    Password(PasswordRejection),
    Session(SessionRejection),
    Permission(PermissionRejection),
    Origin(OriginRejection),
    Unavailable(UnavailableRejection),
    Internal(InternalRejection)
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gates_own_rejections_are_no_jwt_errors() {
        assert!(Rejection::from(TokenRejection::Expired).is_jwt_error());
        assert!(Rejection::from(LoginRejection::BadCredentials).is_jwt_error());
        assert!(!Rejection::from(LoginRejection::BodyNotDeclaredJson).is_jwt_error());
        assert!(!Rejection::from(RouteRejection::NotFound).is_jwt_error());
    }
}
