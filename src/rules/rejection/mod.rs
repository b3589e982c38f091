//! Every reason for not letting a request through, in families.
//!
//! **What always holds:** a rejection holds names, limits and fixed texts, never a value out of a token, a password or
//! a key, except two that Flask-JWT-Extended tells the client: the name of a critical extension, and the subject of a
//! valid token whose user is unknown. Each has a stable code ([`Rejection::code`]). What a client reads is worded by
//! the dialect for [`CredentialRejection`], [`TokenRejection`] and [`LoginRejection`] ([`super::wire`]); the families
//! that are the gate's own word themselves, once ([`Words`]). What the log says is [`super::log`]'s.

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

/// Why a request is not let through.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejection {
    /// The path or method.
    Route(RouteRejection),
    /// No token was found.
    Credential(CredentialRejection),
    /// A token was found and is not accepted.
    Token(TokenRejection),
    /// The log-in.
    Login(LoginRejection),
    /// The request's body.
    Body(BodyRejection),
    /// A password: tried too often, or too weak to be set.
    Password(PasswordRejection),
    /// A session that is to be ended.
    Session(SessionRejection),
    /// The caller may not do this.
    Permission(PermissionRejection),
    /// What lies behind the gate.
    Origin(OriginRejection),
    /// What the gate itself needs does not answer.
    Unavailable(UnavailableRejection),
    /// The gate itself is at fault.
    Internal(InternalRejection),
    /// The words of an application's own function.
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
    /// With status 401 and no headers, as Flask-JWT defaults them.
    pub fn new(error: impl Into<String>, description: impl Into<String>) -> Self {
        Self { error: error.into(), description: description.into(), status: 401, headers: Vec::new() }
    }
}

impl Rejection {
    /// A name for this reason that stays the same when texts change: for logs, metrics and tests.
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

    /// Whether it holds something that only this request said. Others are the same for many requests, and may be kept.
    #[must_use]
    pub const fn is_of_one_request(&self) -> bool {
        matches!(
            self,
            Self::Route(RouteRejection::MissingLastSlash { .. })
                | Self::Token(TokenRejection::CriticalExtension { .. } | TokenRejection::UserUnknown { .. })
                | Self::Password(_)
                | Self::Custom(_)
        )
    }

    /// Whether it is about the token or the log-in: a `JWTError` of Flask-JWT, which its `jwt_error_handler` gets, or
    /// one that Flask-JWT-Extended has a loader for. The others are answers of Flask itself, or of the gate.
    #[must_use]
    pub const fn is_jwt_error(&self) -> bool {
        match self {
            Self::Credential(_) | Self::Token(_) | Self::Login(LoginRejection::BadCredentials) | Self::Custom(_) => {
                true
            }
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
