//! A session and the chain of its refresh tokens (a "family": RFC 9700 §4.14.2).
//!
//! **What always holds:** each token is good for one use, which makes one successor. Within the grace after that use
//! the same successor is given again (a lost answer, two tabs); later, a second use is refused, and the caller ends the
//! family.

use super::{
    super::{
        ids::{SessionId, TokenId},
        time::Duration,
    },
    Lifetimes, SessionSummary, Timestamp,
};
use crate::mutant::Mutant;
use serde::{Deserialize, Serialize};

/// As many spent tokens are kept within the grace. A client that spends more in ten seconds has no bad connection.
const MOST_LINKS: usize = 32;
/// More of a `User-Agent` is not kept, in characters.
const MOST_AGENT: usize = 200;

/// A refresh token: its id, and what it is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshToken {
    /// Its id, the claim `jti`.
    pub token_id: TokenId,
    /// The randomness of it and of the access token beside it.
    pub seed: String,
    /// When it is issued.
    pub issued_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct SpentToken {
    link: RefreshToken,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spent_at: Option<Timestamp>,
}

/// A session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    created: Timestamp,
    last_used: Timestamp,
    user_agent: String,
    country: String,
    /// In the order in which they were made: the last is the one to be used next. None without refresh tokens.
    links: Vec<SpentToken>,
}

impl Session {
    pub(super) fn new(first: Option<RefreshToken>, user_agent: String, country: String, now: Timestamp) -> Self {
        let links = first.into_iter().map(|link| SpentToken { link, spent_at: None }).collect();
        let user_agent = user_agent.chars().take(MOST_AGENT).collect();
        Self { created: now, last_used: now, user_agent, country: country.chars().take(2).collect(), links }
    }

    /// Spends a token: its successor, `None` if it was spent too long ago, or never was one.
    pub(super) fn rotate(
        &mut self,
        token_id: &TokenId,
        successor: RefreshToken,
        grace: Duration,
        now: Timestamp,
    ) -> Option<&RefreshToken> {
        let is_over = |kept: &SpentToken| kept.spent_at.is_some_and(|at| at.later(grace) < now);
        if !Mutant::GraceNeverEnds.is_on() {
            let over = self.links.iter().take_while(|kept| is_over(kept)).count();
            self.links.drain(..over);
        }
        // Its refresh token was not good for one use only when the session was opened.
        if self.links.is_empty() {
            let link = RefreshToken { token_id: token_id.clone(), seed: String::new(), issued_at: self.created };
            self.links.push(SpentToken { link, spent_at: None });
        }
        let at = self.links.iter().position(|kept| kept.link.token_id == *token_id)?;
        if Mutant::NoGrace.is_on() && self.links[at].spent_at.is_some() {
            return None;
        }
        if at + 1 == self.links.len() || Mutant::RetryMakesAnother.is_on() {
            if self.links.len() >= MOST_LINKS && !Mutant::LinksUnlimited.is_on() {
                self.links.remove(0);
            }
            if let Some(last) = self.links.last_mut() {
                last.spent_at = Some(now);
            }
            self.links.push(SpentToken { link: successor, spent_at: None });
            self.is_used(now);
            return self.links.last().map(|kept| &kept.link);
        }
        self.links.get(at + 1).map(|kept| &kept.link)
    }

    pub(super) fn is_used(&mut self, now: Timestamp) {
        self.last_used = self.last_used.max(now);
    }

    pub(super) fn created(&self) -> Timestamp {
        self.created
    }

    pub(super) fn last_used(&self) -> Timestamp {
        self.last_used
    }

    /// When it is over unless it is used before.
    pub(super) fn ends(&self, lifetimes: &Lifetimes) -> Timestamp {
        if Mutant::IdleNeverEnds.is_on() {
            return self.ends_at_last(lifetimes);
        }
        if Mutant::NeverEndsAtLast.is_on() {
            return self.last_used.later(lifetimes.idle);
        }
        std::cmp::min(self.last_used.later(lifetimes.idle), self.ends_at_last(lifetimes))
    }

    /// When it is over however often it is used.
    pub(super) fn ends_at_last(&self, lifetimes: &Lifetimes) -> Timestamp {
        self.created.later(lifetimes.session)
    }

    pub(super) fn told(&self, id: &SessionId) -> SessionSummary {
        SessionSummary {
            id: id.clone(),
            created: self.created.numeric_date().seconds(),
            last_used: self.last_used.numeric_date().seconds(),
            user_agent: self.user_agent.clone(),
            country: self.country.clone(),
        }
    }
}
