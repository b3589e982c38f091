//! The gate itself: a configuration, an application's hooks, and what is known of revocations.

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
    /// Where there are sessions.
    pub(super) snapshot: Option<Snapshot>,
}

impl Gate {
    /// A gate of this configuration, with an application's own functions; [`crate::DefaultHandlers`] for none.
    pub fn new(config: Config, hooks: impl Into<Hooks>) -> Self {
        let snapshot = config.bindings.sessions.then(|| Snapshot::new(config.sessions.max_staleness));
        Self { dialect: dialect::of(&config, hooks.into()), config, snapshot }
    }

    /// Its configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The object of a user's account, and how long things last there.
    #[must_use]
    pub fn account_of_user(&self, id: &Id) -> (ObjectName, Lifetimes) {
        (self.account_named(id), self.lifetimes())
    }

    pub(super) fn account_named(&self, id: &Id) -> ObjectName {
        ObjectName::of_account(id, self.config.tokens.policy().identity_is_text())
    }

    /// The object of the account that a token names.
    pub(super) fn account_of(&self, token: &SignedToken) -> Option<ObjectName> {
        token.identity().map(|id| self.account_named(&id))
    }

    /// Sends a command to an object.
    pub(super) async fn ask(
        &self,
        host: &impl Host,
        object: &ObjectName,
        command: Command,
    ) -> Result<Reply, Unavailable> {
        host.account(object, command, &self.lifetimes()).await
    }

    /// How long things last, for the objects.
    pub(super) fn lifetimes(&self) -> Lifetimes {
        let sessions = &self.config.sessions;
        // A token without `exp` is remembered for as long as its session may last.
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
        // An entry of the revocation log outlives every token that it hits, by all clocks.
        let token = token.plus(self.config.tokens.policy().leeway()).plus(Duration::seconds(60));
        Lifetimes { grace: sessions.grace, idle, session: sessions.lifetime, token }
    }

    /// The end of a session of this id, however often it is used.
    pub(super) fn latest_end(&self, session: &SessionId) -> Option<Timestamp> {
        session.began().map(|began| began.later(self.config.sessions.lifetime))
    }
}
