//! Who the users are: the functions of Flask-JWT and Flask-JWT-Extended that may have to wait for a store.

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

/// Who the users are: Flask-JWT's `authentication_handler` and `identity_handler`.
///
/// [`SendUsers`] is the same for servers with threads, such as axum's: its futures can be sent to another thread.
/// Implement that one where you can; whatever implements it is `Users` too.
#[trait_variant::make(SendUsers: Send)]
pub trait Users {
    /// `authentication_handler`: the user of this name and password; `None` if there is no such user or the password is
    /// wrong.
    ///
    /// Take the same time for both, or the time tells which names exist: `password::check(None, …)` costs as much as a
    /// check of a stored hash.
    ///
    /// # Errors
    /// [`UsersError::Unavailable`] if it can't be told now (503), [`UsersError::Rejected`] to refuse in the
    /// application's own words.
    async fn authenticate(&self, credentials: &Credentials) -> Result<Option<Identity>, UsersError>;

    /// `identity_handler`: the user whom this token names; `None` if there is no such user (any more). Called where a
    /// rule has `user = "stored"`, and before a token is refreshed.
    ///
    /// # Errors
    /// As for [`Users::authenticate`].
    async fn identity(&self, token: &VerifiedToken) -> Result<Option<Identity>, UsersError>;

    /// Gives the user whom this token names a new password; `old`, if given, must be the present one. Called where
    /// there are sessions (docs/sessions.md), all of which end then.
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

/// Why a function of [`Users`] has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UsersError {
    /// The store can't be reached, or its answer can't be read.
    Unavailable,
    /// The application refuses in its own words.
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
