//! The gate itself: a configuration, an application's hooks, and a snapshot of the revocations.

use crate::{
    host::{Host, Unavailable},
    rules::{
        account::{Command, Lifetimes, Reply},
        config::Config,
        dialect::{self, Dialect, TokenLifetimes},
        hooks::Hooks,
        identity::Id,
        ids::{ObjectName, SessionId},
        revocation::Snapshot,
        time::{Duration, Timestamp},
        token::SignedToken,
    },
};

/// The gate. One serves all requests of an isolate or a server.
pub struct Gate {
    pub(super) config: Config,
    pub(super) dialect: Box<dyn Dialect>,
    /// `None` without sessions.
    pub(super) snapshot: Option<Snapshot>,
    /// Whether an application's functions may word rejections.
    pub(super) has_hooks: bool,
    /// Whether CORS is configured, for the endpoints or a rule.
    pub(super) has_cors: bool,
}

impl Gate {
    /// A gate of this configuration, with an application's own functions, or [`crate::DefaultHandlers`].
    pub fn new(config: Config, hooks: impl Into<Hooks>) -> Self {
        let snapshot = config.bindings.sessions.then(|| Snapshot::new(config.sessions.max_staleness));
        let hooks = hooks.into();
        let has_hooks = !hooks.is_default();
        let has_cors = config.cors.is_some() || config.routes.rules().any(|rule| rule.cors.is_some());
        Self { dialect: dialect::of(&config, hooks), config, snapshot, has_hooks, has_cors }
    }

    /// The configuration that the gate was made of.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The name of the object that holds a user's account, and the lifetimes that go with each command to it.
    #[must_use]
    pub fn account_of_user(&self, id: &Id) -> (ObjectName, Lifetimes) {
        (self.account_named(id), self.lifetimes())
    }

    pub(super) fn account_named(&self, id: &Id) -> ObjectName {
        ObjectName::of_account(id, self.config.tokens.policy().identity_is_text())
    }

    /// The object of the account that a token names; `None` if the token names nobody.
    pub(super) fn account_of(&self, token: &SignedToken) -> Option<ObjectName> {
        token.identity().map(|id| self.account_named(&id))
    }

    /// Sends a command to an object and waits for the reply.
    pub(super) async fn ask(
        &self,
        host: &impl Host,
        object: &ObjectName,
        command: Command,
    ) -> Result<Reply, Unavailable> {
        host.account(object, command, &self.lifetimes()).await
    }

    /// The configured lifetimes, as objects need them.
    pub(super) fn lifetimes(&self) -> Lifetimes {
        let sessions = &self.config.sessions;
        // A token without `exp` counts as one that lives as long as a session may.
        let longest = |life: Option<Duration>| life.unwrap_or(sessions.lifetime);
        let TokenLifetimes { access, refresh } = self.dialect.lifetimes(&self.config);
        let access = longest(access);
        let (idle, token) = match refresh.map(longest) {
            None => (access, access),
            // Without rotation no object is asked about a refresh token.
            Some(refresh) => {
                let idle = sessions.idle.min(refresh).max(access);
                (idle, if sessions.rotation { access } else { access.max(refresh) })
            }
        };
        // An entry of the revocation log outlives every token that it revokes, even if clocks differ by a minute.
        let token = token.plus(self.config.tokens.policy().leeway()).plus(Duration::seconds(60));
        Lifetimes { grace: sessions.grace, idle, session: sessions.lifetime, token }
    }

    /// When a session of this id ends at the latest, however often it is used; `None` if the id has no time in it.
    pub(super) fn latest_end(&self, session: &SessionId) -> Option<Timestamp> {
        session.began().map(|began| began.later(self.config.sessions.lifetime))
    }
}
