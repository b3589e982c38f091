//! The functions that Flask-JWT leaves to an application, what else a gate may ask, and how its questions are put.

use crate::rules::{
    account::{Command, Lifetimes, PasswordChange, Reply},
    gate::{Ask, AskFault, BodyFault, Decision, Limit},
    identity::Identity,
    login::Credentials,
    request::Request,
    revocation::Delta,
    secret::Secret,
    time::{Duration, Timestamp},
    token::{Random, VerifiedToken},
};

/// Who the users are: Flask-JWT's `authentication_handler` and `identity_handler`.
///
/// [`SendUsers`] is the same for servers with threads, such as axum's: its futures can be sent. Implement that one
/// where you can; whatever implements it is `Users` too.
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

    /// A new password for whom this token names; the old one must be right, if it is given. Asked where there are
    /// sessions (docs/sessions.md), all of which end then.
    ///
    /// # Errors
    /// As for [`Users::authenticate`].
    #[allow(unused_variables)]
    fn set_password(
        &self,
        token: &VerifiedToken,
        old: Option<&Secret<String>>,
        new: &Secret<String>,
    ) -> impl Future<Output = Result<PasswordChange, AskFault>> {
        async { Ok(PasswordChange::NotOffered) }
    }
}

/// What else a gate asks, where its configuration has [`crate::rules::config::Bindings`].
#[trait_variant::make(SendObjects: Send)]
pub trait Objects {
    /// Asks the object of this name.
    ///
    /// # Errors
    /// [`AskFault::Unavailable`] if it can't be reached, or does not acknowledge.
    async fn account(&self, object: &str, command: &Command, lifetimes: &Lifetimes) -> Result<Reply, AskFault>;

    /// Waits.
    async fn pause(&self, span: Duration);

    /// Is there room for one more?
    async fn limit(&self, limit: Limit, key: &str) -> bool;

    /// What has been revoked since this number?
    ///
    /// # Errors
    /// [`AskFault::Unavailable`] if the register can't be reached.
    async fn revocations(&self, since: u64) -> Result<Delta, AskFault>;
}

/// For a gate without sessions, which never asks.
#[derive(Clone, Copy, Debug)]
pub struct NoObjects;

impl SendObjects for NoObjects {
    async fn account(&self, _: &str, _: &Command, _: &Lifetimes) -> Result<Reply, AskFault> {
        Err(AskFault::Unavailable)
    }

    async fn pause(&self, _: Duration) {}

    async fn limit(&self, _: Limit, _: &str) -> bool {
        false
    }

    async fn revocations(&self, _: u64) -> Result<Delta, AskFault> {
        Err(AskFault::Unavailable)
    }
}

/// Answers a question about this request: of the body with `read` (which is given the most bytes it may have, and must
/// leave the body to whoever comes after), of users with `users`, of sessions with `objects`.
pub async fn answer<'g, 'r>(
    ask: Ask<'g>,
    request: impl FnOnce() -> Request<'r>,
    users: &impl Users,
    objects: &impl Objects,
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
        Ask::Account(question) => {
            let reply = objects.account(question.object(), question.command(), question.lifetimes()).await;
            question.answer(reply, now())
        }
        Ask::Pause(question) => {
            objects.pause(question.span()).await;
            question.answer(now())
        }
        Ask::Limit(question) => {
            let is_room = objects.limit(question.limit(), question.key()).await;
            question.answer(is_room)
        }
        Ask::Revocations(question) => {
            let told = objects.revocations(question.since()).await;
            question.answer(told, now())
        }
        Ask::Password(question) => {
            let change = users.set_password(question.token(), question.old(), question.new_password()).await;
            question.answer(change, now())
        }
    }
}
