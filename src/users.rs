//! The application's users: those callbacks of Flask-JWT and Flask-JWT-Extended that may wait for a store.

use crate::{
    host::Unavailable,
    rules::{
        account::PasswordChange,
        identity::Identity,
        login::Credentials,
        rejection::{JwtError, Rejection, UnavailableRejection},
        secret::Secret,
        token::VerifiedToken,
    },
};

/// The application's users: Flask-JWT's `authentication_handler` and `identity_handler`.
///
/// [`SendUsers`] is the same trait with futures that are [`Send`], for servers with threads such as axum's. Implement
/// it where you can: every `SendUsers` is a `Users`.
///
/// ```
/// use tollgate::{
///     Credentials, Id, Identity, SendUsers, UsersError, VerifiedToken,
///     password::{self, Check, Hashing},
/// };
///
/// /// One user, with a hash that `tollgate password hash` made.
/// struct Ann(String);
///
/// impl SendUsers for Ann {
///     async fn authenticate(&self, credentials: &Credentials) -> Result<Option<Identity>, UsersError> {
///         let stored = (*credentials.username.expose() == "ann").then_some(self.0.as_str());
///         // Blocks for a third of a second: on a server run it on a thread for blocking work.
///         match password::check(stored, &credentials.password, &Hashing::default()) {
///             Ok(Check::Right | Check::RightButOutdated) => Ok(Some(Identity::new(Id::Int(7)))),
///             Ok(Check::Wrong) => Ok(None),
///             Err(_) => Err(UsersError::Unavailable),
///         }
///     }
///
///     async fn identity(&self, token: &VerifiedToken) -> Result<Option<Identity>, UsersError> {
///         Ok(token.identity().filter(|id| *id == Id::Int(7)).map(Identity::new))
///     }
/// }
/// ```
#[trait_variant::make(SendUsers: Send)]
pub trait Users {
    /// `authentication_handler`: the user of this name and password; `None` if there is no such user or the password is
    /// wrong.
    ///
    /// Take the same time for both, or response times reveal which names exist: `password::check(None, …)` costs as
    /// much as checking a stored hash.
    ///
    /// # Errors
    /// [`UsersError::Unavailable`] if the store can't answer now (503); [`UsersError::Rejected`] to refuse with the
    /// application's own text.
    async fn authenticate(&self, credentials: &Credentials) -> Result<Option<Identity>, UsersError>;

    /// `identity_handler`: the user whom this token names; `None` if there is no such user or the user is disabled.
    /// Called under rules with `user = "stored"`, and before a token is refreshed.
    ///
    /// # Errors
    /// As for [`Users::authenticate`].
    async fn identity(&self, token: &VerifiedToken) -> Result<Option<Identity>, UsersError>;

    /// Sets a new password for the user whom this token names; `old`, if given, must be the current password. Called
    /// only where there are sessions (docs/sessions.md); all of the user's sessions end after a change. The default
    /// offers no password change.
    ///
    /// # Errors
    /// As for [`Users::authenticate`].
    #[allow(unused_variables)]
    fn set_password(
        &self,
        token: &VerifiedToken,
        old: Option<&Secret<String>>,
        new: &Secret<String>,
    ) -> impl Future<Output = Result<PasswordChange, UsersError>> {
        async { Ok(PasswordChange::NotOffered) }
    }
}

/// The error of a function of [`Users`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UsersError {
    /// The store can't be reached, or its answer can't be read.
    Unavailable,
    /// The application refuses with its own text.
    Rejected(JwtError),
}

impl From<Unavailable> for UsersError {
    fn from(_: Unavailable) -> Self {
        Self::Unavailable
    }
}

impl From<UsersError> for Rejection {
    fn from(error: UsersError) -> Self {
        match error {
            UsersError::Unavailable => UnavailableRejection::Store.into(),
            UsersError::Rejected(error) => Self::Custom(error),
        }
    }
}
