//! The two functions that Flask-JWT leaves to an application, and how the gate's questions are put to them.

use crate::rules::{
    gate::{Ask, AskFault, BodyFault, Decision},
    identity::Identity,
    login::Credentials,
    request::Request,
    time::Timestamp,
    token::{Random, VerifiedToken},
};

/// Who the users are: Flask-JWT's `authentication_handler` and `identity_handler`.
///
/// [`SendUsers`] is the same for servers with threads, such as axum's: its futures can be sent. Implement that one where
/// you can; whatever implements it is `Users` too.
#[trait_variant::make(SendUsers: Send)]
pub trait Users {
    /// `authentication_handler`: whose name and password are these? `None` for nobody's.
    ///
    /// Take the same time for an unknown name as for a wrong password, or the time tells which names exist.
    ///
    /// # Errors
    /// [`AskFault::Unavailable`] if it can't be told now (503), [`AskFault::Refused`] to refuse in words of your own.
    async fn authenticate(&self, credentials: &Credentials) -> Result<Option<Identity>, AskFault>;

    /// `identity_handler`: whom does this token name? `None` for nobody (any more). Asked where a rule has
    /// `user = "stored"`.
    ///
    /// # Errors
    /// As for [`Users::authenticate`].
    async fn identity(&self, token: &VerifiedToken) -> Result<Option<Identity>, AskFault>;
}

/// Answers a question about this request: of the body with `read` (which is given the most bytes it may have, and must
/// leave the body to whoever comes after), of users with `users`.
pub async fn answer<'g, 'r>(
    ask: Ask<'g>,
    request: impl FnOnce() -> Request<'r>,
    users: &impl Users,
    read: impl AsyncFnOnce(usize) -> Result<Vec<u8>, BodyFault>,
    random: impl FnOnce() -> Random,
    now: impl FnOnce() -> Timestamp,
) -> Decision<'g> {
    match ask {
        Ask::Body(question) => {
            let body = read(question.limit()).await;
            question.answer(body)
        }
        Ask::TokenBody(question) => {
            let body = read(question.limit()).await;
            question.answer(body.as_deref().map_err(|fault| *fault), &request(), now())
        }
        Ask::Authenticate(question) => {
            let identity = users.authenticate(question.credentials()).await;
            question.answer(identity, now())
        }
        Ask::Identity(question) => {
            let identity = users.identity(question.token()).await;
            question.answer(identity, now())
        }
        Ask::Random(question) => question.answer(&random(), now()),
    }
}
