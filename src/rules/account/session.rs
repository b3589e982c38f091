//! A session and the chain of its refresh tokens (a "family": RFC 9700 §4.14.2).
//!
//! **What always holds:** each token can be spent once, which makes one successor. Within the grace after that the same
//! successor is returned again (for a lost answer or a second tab). A use after that is refused, and the caller ends
//! the session.

use super::{Context, RefreshToken, SessionSummary};
use crate::rules::{
    ids::{SessionId, TokenId},
    safeguards::Safeguards,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// Maximum characters kept of a `User-Agent`.
const MAX_USER_AGENT: usize = 200;

/// A refresh token, spent or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct SpentToken {
    link: RefreshToken,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spent_at: Option<Timestamp>,
}

/// An open session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    created: Timestamp,
    last_used: Timestamp,
    user_agent: String,
    country: String,
    /// In the order of issue; the last one is not spent. Empty without rotation.
    links: Vec<SpentToken>,
}

impl Session {
    pub(super) fn new(first: Option<RefreshToken>, user_agent: String, country: String, now: Timestamp) -> Self {
        let links = first.into_iter().map(|link| SpentToken { link, spent_at: None }).collect();
        let user_agent = user_agent.chars().take(MAX_USER_AGENT).collect();
        Self { created: now, last_used: now, user_agent, country: country.chars().take(2).collect(), links }
    }

    /// Spends a token and returns its successor; `None` if the grace after its first use is over, or if it is unknown.
    pub(super) fn rotate<S: Safeguards + ?Sized>(
        &mut self,
        token_id: &TokenId,
        successor: RefreshToken,
        context: &Context<'_, S>,
    ) -> Option<&RefreshToken> {
        let (now, safeguards) = (context.now, context.safeguards);
        let is_over = |kept: &SpentToken| {
            kept.spent_at.is_some_and(|at| safeguards.is_grace_over(at, context.lifetimes.grace, now))
        };
        let over = self.links.iter().take_while(|kept| is_over(kept)).count();
        self.links.drain(..over);
        // A session that was opened without rotation has no tokens: the first that is used counts as its own.
        if self.links.is_empty() {
            let link = RefreshToken { token_id: token_id.clone(), seed: String::new(), issued_at: self.created };
            self.links.push(SpentToken { link, spent_at: None });
        }
        let at = self.links.iter().position(|kept| kept.link.token_id == *token_id)?;
        if self.links[at].spent_at.is_some() && !safeguards.allows_retry() {
            return None;
        }
        if safeguards.makes_successor(at + 1 == self.links.len()) {
            if self.links.len() >= safeguards.max_refresh_tokens() {
                self.links.remove(0);
            }
            if let Some(last) = self.links.last_mut() {
                last.spent_at = Some(now);
            }
            self.links.push(SpentToken { link: successor, spent_at: None });
            self.touch(now);
            return self.links.last().map(|kept| &kept.link);
        }
        self.links.get(at + 1).map(|kept| &kept.link)
    }

    /// Records a use, which prolongs the session.
    pub(super) fn touch(&mut self, now: Timestamp) {
        self.last_used = self.last_used.max(now);
    }

    pub(super) fn created(&self) -> Timestamp {
        self.created
    }

    pub(super) fn last_used(&self) -> Timestamp {
        self.last_used
    }

    /// When the session ends if it is not used again.
    pub(super) fn end<S: Safeguards + ?Sized>(&self, context: &Context<'_, S>) -> Timestamp {
        let by_disuse = self.last_used.later(context.lifetimes.idle);
        context.safeguards.session_end(by_disuse, self.end_by_age(context))
    }

    /// When the session ends at the latest, however often it is used.
    pub(super) fn end_by_age<S: Safeguards + ?Sized>(&self, context: &Context<'_, S>) -> Timestamp {
        self.created.later(context.lifetimes.session)
    }

    pub(super) fn summary(&self, id: &SessionId) -> SessionSummary {
        SessionSummary {
            id: id.clone(),
            created: self.created.numeric_date().seconds(),
            last_used: self.last_used.numeric_date().seconds(),
            user_agent: self.user_agent.clone(),
            country: self.country.clone(),
        }
    }
}
