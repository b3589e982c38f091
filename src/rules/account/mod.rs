//! One account as a state machine: its sessions and the refresh tokens that carry them on, how often its password may
//! be guessed, and which version of the password counts.
//!
//! **What always holds:** it knows no I/O and no clock. A [`Command`] changes the state and gives a [`Reply`]; whoever
//! stores it writes [`Account::rows`] in one transaction before the reply goes out, so an order of commands is an order
//! of states, and a crash loses nothing that was acknowledged. No token is stored that could be used: ids, and the
//! randomness that a token is made of together with a key that is not here.
//!
//! Each account has an object of its own, and so has each name that is tried in a log-in and each address from which
//! one fails ([`object`]): a name that no user has is guessed at under the same rules.

mod login_throttle;
pub mod object;
mod session;

pub use login_throttle::{
    Bucket, DeviceId, FREE_FAILURES_BY_ADDRESS, LONGEST_BY_ADDRESS, LoginThrottle, MOST_FAILURES_A_DAY_BY_ADDRESS,
    MOST_GUESSES_A_DAY, Wait,
};
pub use session::{RefreshToken, Session};

use super::{
    ids::{ObjectName, SessionId, TokenId},
    json::{Map, Value},
    revocation::{Entry, RevocationKey},
    time::{Duration, Timestamp},
};
use crate::mutant::Mutant;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// As many sessions an account has at once; one more ends the one that was not used for longest.
pub const MOST_SESSIONS: usize = 100;
/// As many refused tokens an account remembers one by one.
const MOST_REVOKED: usize = 1000;
/// A revocation is remembered for so much longer than a token lives: the clocks of whoever issued it, ended it and
/// judges it differ, and of a token's last second all is good.
const MARGIN: Duration = Duration::seconds(10);

/// How long things last. Comes with each command, so that an object needs no configuration of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifetimes {
    /// `TOLLGATE_REFRESH_GRACE`: so long after a refresh token was spent a retry gets its successor once more.
    pub grace: Duration,
    /// A session ends when it was not used for so long: `TOLLGATE_SESSION_IDLE`, and no longer than its tokens live.
    pub idle: Duration,
    /// `TOLLGATE_SESSION_LIFETIME`: a session ends so long after its log-in.
    pub session: Duration,
    /// Maximum lifetime, plus leeway, of tokens verified without a lookup. Revocations are kept this long.
    pub token: Duration,
}

impl Lifetimes {
    /// From then on no token is good that was issued at this time.
    fn none_lives(&self, issued: Timestamp) -> Timestamp {
        let margin = if Mutant::NoMargin.is_on() { Duration::ZERO } else { MARGIN };
        issued.later(self.token).later(margin)
    }
}

/// What an account is asked to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// May a password be tried, from one of these devices?
    #[serde(rename = "try")]
    Attempt {
        /// Those that the request shows.
        devices: Vec<DeviceId>,
    },
    /// The password that was tried under [`Reply::Allowed`] was right.
    Right {
        /// The bucket that was said there.
        #[serde(rename = "lane")]
        bucket: Bucket,
        /// These devices may try on their own from now on.
        devices: Vec<DeviceId>,
        /// The record that was proven ([`super::device::RecordId`]): how many devices are known is limited for each.
        #[serde(default)]
        record: String,
    },
    /// It was wrong. Should this not come, it counts as wrong after half a minute.
    Wrong {
        /// The bucket that was said there.
        #[serde(rename = "lane")]
        bucket: Bucket,
    },
    /// It was not tried after all.
    Untried {
        /// The bucket that was said there.
        #[serde(rename = "lane")]
        bucket: Bucket,
    },
    /// May a password be tried from this address ([`ObjectName::of_address`])? Of an address that has failed too often
    /// one attempt is allowed at a time: it takes the place of the next, whatever comes of it.
    CheckAddress,
    /// A password that was tried from this address was wrong.
    AddressFailed,
    /// Opens a session: somebody has logged in.
    Open {
        /// [`super::store::LoginRecord::version`] of the record that the password was checked against.
        version: Timestamp,
        /// The id that the session is to have, unless the account's time runs ahead: [`Reply::Opened`] says which.
        entropy: String,
        /// The first refresh token, if there are any.
        refresh: Option<RefreshToken>,
        /// `User-Agent`.
        user_agent: String,
        /// Two letters, from the runtime.
        country: String,
    },
    /// Spends a refresh token.
    Rotate {
        /// Its session.
        session: SessionId,
        /// Its id.
        token_id: TokenId,
        /// What its successor would be.
        successor: RefreshToken,
    },
    /// Is a token good? For routes with `revocation = "strict"`.
    Check {
        /// Its session, if it has one.
        session: Option<SessionId>,
        /// Its id, if it has one.
        token_id: Option<TokenId>,
        /// When its session began; of a token without one, when it was issued.
        began: Timestamp,
        /// Does its session go on by this?
        is_use: bool,
    },
    /// Which sessions are there?
    List,
    /// Ends a session.
    End {
        /// Which.
        session: SessionId,
    },
    /// Ends every session, and makes every token void that was issued before.
    EndAll {
        /// Does the password of now not count any more (the user is disabled or deleted)?
        retire_password: bool,
        /// Of the log-in record that was written before this: none of an earlier version counts.
        #[serde(default)]
        version: Option<Timestamp>,
    },
    /// Makes one token void.
    Revoke {
        /// Its id.
        token_id: TokenId,
        /// Until when it would be good; `None` if that is not known, as for an operator who has the id alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        life: Option<TokenLife>,
    },
    /// Another password: ends every session.
    SetPassword {
        /// The version that the old one was checked against, or that is known.
        proven: Timestamp,
        /// The key of the log-in record.
        key: String,
        /// The log-in record, whose version is set here.
        record: Map<String, Value>,
    },
    /// The same password, hashed anew.
    Rehash {
        /// The version that the password was checked against.
        proven: Timestamp,
        /// The key of the log-in record.
        key: String,
        /// The log-in record.
        record: Map<String, Value>,
    },
    /// Those that wait have been handed over: [`Account::announcements`] and [`Account::record`].
    Delivered {
        /// These revocations.
        revocations: Vec<Entry>,
        /// This record.
        record: Option<Pending>,
    },
    /// Time has passed.
    Tidy,
}

/// Until when a token is good by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenLife {
    /// Until then, leeway included.
    Until(Timestamp),
    /// For ever: it has no `exp`.
    Endless,
}

/// The end of what never ends: the last moment that ECMAScript's clock can show (ECMA-262 §21.4.1.1), a number that
/// JSON carries unchanged.
const NEVER: Timestamp = Timestamp::from_millis(8_640_000_000_000_000);

impl Command {
    /// A word for a command that changes something, by which a repetition is known; `None` if it may be done again.
    #[must_use]
    pub(crate) fn kind(&self) -> Option<&'static str> {
        match self {
            Self::Attempt { .. } => Some("try"),
            Self::Right { .. } => Some("right"),
            Self::Wrong { .. } => Some("wrong"),
            Self::Untried { .. } => Some("untried"),
            Self::CheckAddress => Some("check-address"),
            Self::AddressFailed => Some("address-failed"),
            Self::Open { .. } => Some("open"),
            Self::Rotate { .. } => Some("rotate"),
            Self::End { .. } => Some("end"),
            Self::EndAll { .. } => Some("end-all"),
            Self::Revoke { .. } => Some("revoke"),
            Self::SetPassword { .. } => Some("set-password"),
            Self::Rehash { .. } => Some("rehash"),
            Self::Check { .. } | Self::List | Self::Delivered { .. } | Self::Tidy => None,
        }
    }
}

impl Reply {
    /// Does it say that something was done, which a repetition must not do again?
    const fn is_done(&self) -> bool {
        match self {
            Self::Done
            | Self::Allowed { .. }
            | Self::Opened { .. }
            | Self::Rotated { .. }
            | Self::Ended { reused: true }
            | Self::Changed { .. } => true,
            Self::Busy
            | Self::Wait { .. }
            | Self::Stale
            | Self::Ended { reused: false }
            | Self::Alive
            | Self::Sessions { .. } => false,
        }
    }
}

/// What an account says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// Done.
    Done,
    /// Try it.
    #[serde(rename = "go")]
    Allowed {
        /// To be told with [`Command::Right`] or [`Command::Untried`].
        #[serde(rename = "lane")]
        bucket: Bucket,
    },
    /// In a moment: others are under way.
    Busy,
    /// Not before so many seconds have passed.
    Wait {
        /// At least 1.
        seconds: u32,
    },
    /// The session is open.
    Opened {
        /// Its id ([`SessionId::began`]).
        session: SessionId,
    },
    /// The record that the password was checked against is out of date.
    Stale,
    /// The refresh token's successor: made now, or the one that was made when it was spent.
    Rotated {
        /// What it is made of.
        successor: RefreshToken,
        /// When the session ends at the latest.
        until: Timestamp,
    },
    /// There is no such session any more, or this just ended it; or the token is void.
    Ended {
        /// Was a spent refresh token used again: is it stolen?
        reused: bool,
    },
    /// The token is good.
    Alive,
    /// The sessions, the latest first.
    Sessions {
        /// What is told of each.
        sessions: Vec<SessionSummary>,
    },
    /// The new password counts.
    Changed {
        /// The version of its record.
        version: Timestamp,
    },
}

/// A session, as it is told to whom it belongs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionSummary {
    /// Its id.
    pub id: SessionId,
    /// When it was opened, in seconds since 1970.
    pub created: i64,
    /// When a refresh token was last used, in seconds since 1970.
    pub last_used: i64,
    /// `User-Agent` of the log-in.
    pub user_agent: String,
    /// Where the log-in came from: two letters, or empty.
    pub country: String,
}

/// A log-in record on its way to KV.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Its key.
    pub key: String,
    /// Its text.
    pub text: String,
}

/// What became of a new password: [`crate::Users::set_password`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum PasswordChange {
    /// Passwords are not changed here.
    NotOffered,
    /// The old one is wrong, or there is no such user any more.
    Wrong,
    /// The new one is too weak: why, for whom it is to be.
    Weak(String),
    /// It is good; the account's object is to store this log-in record ([`Command::SetPassword`]).
    Prepared {
        /// The version of the record in whose place it comes.
        proven: Timestamp,
        /// The record's key.
        key: String,
        /// The record, but for its version.
        record: Map<String, Value>,
    },
    /// The application has stored it.
    Stored {
        /// [`super::identity::Identity::version`] of whoever logs in with it.
        version: Timestamp,
    },
}

/// What one object stores: key and value, both text.
pub type Rows = BTreeMap<String, String>;

/// A row that can't be read: it is of a newer version, or broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

/// The state of one account, or of one name that is tried.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Account {
    core: Core,
    login_throttle: LoginThrottle,
    sessions: BTreeMap<SessionId, Session>,
    pending: Option<Pending>,
    replies: Vec<PastReply>,
}

/// What was replied to a command: it is given again if the command comes again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct PastReply {
    /// The command's id.
    id: String,
    /// [`Command::kind`].
    kind: String,
    at: Timestamp,
    reply: Reply,
}

/// What is stored in one row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Core {
    /// Log-in records of an earlier version than this don't count.
    version: Timestamp,
    /// Sessions and tokens that began by then are void.
    ended: Timestamp,
    /// Token ids that are void, and until when that must be known.
    revoked: BTreeMap<TokenId, Timestamp>,
    /// Revocations that not everybody may know yet.
    announcements: Vec<Entry>,
}

impl Default for Core {
    fn default() -> Self {
        let never = Timestamp::from_millis(0);
        Self { version: never, ended: never, revoked: BTreeMap::new(), announcements: Vec::new() }
    }
}

const CORE: &str = "account";
const THROTTLE: &str = "guesses";
const PENDING: &str = "record";
const REPLIES: &str = "replies";
const SESSION: &str = "session/";
/// How long a reply is kept: a request that is run again comes within a decision's time
/// ([`super::gate::DECISION_TIMEOUT`]).
const REPLY_KEPT_FOR: Duration = Duration::seconds(120);
/// At most this many replies are kept; older ones are dropped first.
const MAX_REPLIES: usize = 64;

impl Account {
    /// From what [`Account::rows`] gave.
    ///
    /// # Errors
    /// If a row can't be read: nothing is decided upon half of what is stored.
    pub fn read(rows: &Rows) -> Result<Self, Unreadable> {
        let mut account = Self::default();
        for (key, value) in rows {
            match key.as_str() {
                CORE => account.core = row(value)?,
                THROTTLE => account.login_throttle = row(value)?,
                PENDING => account.pending = Some(row(value)?),
                REPLIES => account.replies = row(value)?,
                _ => {
                    let session = key.strip_prefix(SESSION).ok_or(Unreadable)?;
                    account.sessions.insert(session.into(), row(value)?);
                }
            }
        }
        Ok(account)
    }

    /// What is to be stored.
    #[must_use]
    pub fn rows(&self) -> Rows {
        let mut rows = Rows::new();
        let mut put = |key: String, value: Option<String>| rows.extend(value.map(|value| (key, value)));
        put(CORE.into(), (self.core != Core::default()).then(|| text(&self.core)));
        put(THROTTLE.into(), (self.login_throttle != LoginThrottle::default()).then(|| text(&self.login_throttle)));
        put(PENDING.into(), self.pending.as_ref().map(text));
        put(REPLIES.into(), (!self.replies.is_empty()).then(|| text(&self.replies)));
        for (id, session) in &self.sessions {
            put(format!("{SESSION}{id}"), Some(text(session)));
        }
        rows
    }

    /// The reply to a command that was done before, under this id.
    #[must_use]
    pub fn past_reply(&self, id: &str, command: &Command) -> Option<&Reply> {
        let kind = command.kind().filter(|_| !Mutant::RepeatsAreDone.is_on())?;
        self.replies.iter().find(|past| past.id == id && past.kind == kind).map(|past| &past.reply)
    }

    /// Does a command, and keeps the reply for a repetition under the same id.
    pub fn answer_once(
        &mut self,
        name: &ObjectName,
        id: &str,
        command: Command,
        lifetimes: &Lifetimes,
        now: Timestamp,
    ) -> Reply {
        let kind = command.kind();
        let before = self.clone();
        let reply = self.answer(name, command, lifetimes, now);
        // What changed nothing may be done again; but a reply with something in it must be the same each time.
        let is_void = reply == Reply::Done && *self == before;
        if let Some(kind) = kind.filter(|_| reply.is_done() && !is_void) {
            if self.replies.len() >= MAX_REPLIES {
                self.replies.remove(0);
            }
            self.replies.push(PastReply { id: id.to_owned(), kind: kind.to_owned(), at: now, reply: reply.clone() });
        }
        reply
    }

    /// Does a command, for the object of this name.
    pub fn answer(&mut self, name: &ObjectName, command: Command, lifetimes: &Lifetimes, now: Timestamp) -> Reply {
        self.tidy(lifetimes, now);
        match command {
            Command::Attempt { devices } => match self.login_throttle.take(&devices, now) {
                Ok(bucket) => Reply::Allowed { bucket },
                Err(Wait::Busy) => Reply::Busy,
                Err(Wait::Seconds(seconds)) => Reply::Wait { seconds },
            },
            Command::Wrong { bucket } => {
                self.login_throttle.was_wrong(&bucket);
                Reply::Done
            }
            Command::Right { bucket, devices, record } => {
                self.login_throttle.was_right(&bucket, devices, &record, now);
                Reply::Done
            }
            Command::Untried { bucket } => {
                self.login_throttle.give_back(&bucket);
                Reply::Done
            }
            Command::CheckAddress => match self.login_throttle.check_address(now) {
                Ok(()) => Reply::Done,
                Err(Wait::Busy) => Reply::Busy,
                Err(Wait::Seconds(seconds)) => Reply::Wait { seconds },
            },
            Command::AddressFailed => {
                self.login_throttle.address_failed(now);
                Reply::Done
            }
            Command::Open { version, entropy, refresh, user_agent, country } => {
                if version < self.core.version && !Mutant::StalePassword.is_on() {
                    return Reply::Stale;
                }
                if version > self.core.version {
                    // The password was changed elsewhere, by an operator's command say.
                    let may_have_sessions = self.core.version.as_millis() > 0 || !self.sessions.is_empty();
                    if may_have_sessions && !Mutant::NewerRecordEndsNothing.is_on() {
                        self.end_all(name, lifetimes, now);
                    }
                    self.retire(version);
                }
                self.open(&entropy, refresh, user_agent, country, lifetimes, now)
            }
            Command::Rotate { session, token_id, successor } => {
                self.rotate(&session, &token_id, successor, lifetimes, now)
            }
            Command::Check { session, token_id, began, is_use } => {
                let is_open = session.as_ref().is_none_or(|session| self.sessions.contains_key(session));
                let is_void = token_id.is_some_and(|id| self.is_void(&id)) && !Mutant::CheckForgetsTokens.is_on();
                let is_open = is_open || Mutant::CheckForgetsSessions.is_on();
                let began_later = began > self.core.ended || Mutant::CheckForgetsEnds.is_on();
                if !is_open || is_void || !began_later {
                    return Reply::Ended { reused: false };
                }
                if let Some(session) = session.and_then(|session| self.sessions.get_mut(&session)).filter(|_| is_use) {
                    session.is_used(now);
                }
                Reply::Alive
            }
            Command::List => Reply::Sessions { sessions: self.told() },
            Command::End { session } => {
                if self.sessions.contains_key(&session) {
                    self.end(&session, lifetimes, now);
                    Reply::Done
                } else {
                    Reply::Ended { reused: false }
                }
            }
            Command::EndAll { retire_password, version } => {
                self.end_all(name, lifetimes, now);
                let version = version.or_else(|| retire_password.then(|| later(self.core.version, now)));
                if let Some(version) = version.filter(|_| !Mutant::RetiredPassword.is_on()) {
                    self.retire(version);
                }
                Reply::Done
            }
            Command::Revoke { token_id, life } => {
                // The register keeps it for as long as a token with `exp` can live; this account for as long as any
                // can, and is asked about each token without.
                let (until, kept) = match life {
                    Some(TokenLife::Until(end)) => (end.later(MARGIN), end.later(MARGIN)),
                    None | Some(TokenLife::Endless) => (lifetimes.none_lives(now), NEVER),
                };
                let kept = if Mutant::VoidTokenComesBack.is_on() { lifetimes.none_lives(now) } else { kept };
                // Void already, or no good any more.
                if self.core.revoked.get(&token_id).is_some_and(|known| *known >= kept) || kept <= now {
                    return Reply::Done;
                }
                if !Mutant::VoidNotAnnounced.is_on() {
                    self.announce(Entry { mark: RevocationKey::token(&token_id), before: None, until });
                }
                if self.core.revoked.len() >= MOST_REVOKED {
                    // The list is full. An entry for a token that expires can go: the register keeps it until then. An
                    // entry for a token without `exp` must stay, since only this account keeps it for ever. If all are
                    // such, every token issued until now becomes void, which covers them all.
                    let first =
                        self.core.revoked.iter().filter(|(_, until)| **until < NEVER).min_by_key(|(_, until)| **until);
                    match first.map(|(id, _)| id.clone()) {
                        Some(first) => drop(self.core.revoked.remove(&first)),
                        None if kept < NEVER => return Reply::Done,
                        None => {
                            self.end_all(name, lifetimes, now);
                            self.core.revoked.clear();
                            return Reply::Done;
                        }
                    }
                }
                self.core.revoked.insert(token_id, kept);
                Reply::Done
            }
            Command::SetPassword { proven, key, mut record } => {
                if proven < self.core.version && !Mutant::StaleProof.is_on() {
                    return Reply::Stale;
                }
                if !Mutant::SessionsSurvivePassword.is_on() {
                    self.end_all(name, lifetimes, now);
                }
                let version = later(std::cmp::max(self.core.version, proven), now);
                self.core.version = version;
                record.insert("version".into(), version.as_millis().into());
                self.pending = Some(Pending { key, text: super::json::to_ascii(&record) });
                Reply::Changed { version }
            }
            Command::Rehash { proven, key, record } => {
                // A change that is on its way stays.
                let is_old = proven != self.core.version || self.pending.is_some();
                if is_old && !Mutant::RehashUndoes.is_on() {
                    return Reply::Stale;
                }
                self.pending = Some(Pending { key, text: super::json::to_ascii(&record) });
                Reply::Done
            }
            Command::Delivered { revocations, record } => {
                self.core.announcements.retain(|entry| !revocations.contains(entry) && !Mutant::AnnouncedOnce.is_on());
                if self.pending == record || Mutant::AnyDeliveryClears.is_on() {
                    self.pending = None;
                }
                Reply::Done
            }
            Command::Tidy => Reply::Done,
        }
    }

    /// Revocations that the register must be told before they are acknowledged, and again until it has them.
    #[must_use]
    pub fn announcements(&self) -> &[Entry] {
        &self.core.announcements
    }

    /// The record that KV must be told, until it has it.
    #[must_use]
    pub fn record(&self) -> Option<&Pending> {
        self.pending.as_ref()
    }

    /// When there is something to forget, and so to call [`Command::Tidy`].
    #[must_use]
    pub fn next_tidy(&self, lifetimes: &Lifetimes) -> Option<Timestamp> {
        let sessions = self.sessions.values().map(|session| session.ends(lifetimes));
        let revoked = self.core.revoked.values().copied().filter(|until| *until < NEVER);
        let next = sessions.chain(revoked).chain(self.login_throttle.forgotten()).min();
        // Replies go with whatever is forgotten next; for them alone the object is woken only if there is nothing else.
        next.or_else(|| self.replies.last().map(|past| past.at.later(REPLY_KEPT_FOR)))
    }

    #[allow(clippy::too_many_arguments)] // those of Command::Open
    fn open(
        &mut self,
        entropy: &str,
        refresh: Option<RefreshToken>,
        user_agent: String,
        country: String,
        lifetimes: &Lifetimes,
        now: Timestamp,
    ) -> Reply {
        // Whatever the clock says: a new session begins after the last end of all.
        let began = later(self.core.ended, now);
        let session = SessionId::new(began, entropy);
        while self.sessions.len() >= MOST_SESSIONS && !Mutant::SessionsUnlimited.is_on() {
            let oldest = self.sessions.iter().min_by_key(|(_, session)| session.last_used()).map(|(id, _)| id.clone());
            oldest.iter().for_each(|oldest| self.end(oldest, lifetimes, now));
        }
        self.sessions.insert(session.clone(), Session::new(refresh, user_agent, country, began));
        Reply::Opened { session }
    }

    fn rotate(
        &mut self,
        session: &SessionId,
        token_id: &TokenId,
        successor: RefreshToken,
        lifetimes: &Lifetimes,
        now: Timestamp,
    ) -> Reply {
        if self.is_void(token_id) && !Mutant::VoidTokenRotates.is_on() {
            return Reply::Ended { reused: false };
        }
        let Some(open) = self.sessions.get_mut(session) else { return Reply::Ended { reused: false } };
        match open.rotate(token_id, successor, lifetimes.grace, now) {
            Some(successor) => Reply::Rotated { successor: successor.clone(), until: open.ends_at_last(lifetimes) },
            None => {
                if !Mutant::ReuseForgiven.is_on() {
                    self.end(session, lifetimes, now);
                }
                Reply::Ended { reused: true }
            }
        }
    }

    fn is_void(&self, token_id: &TokenId) -> bool {
        self.core.revoked.contains_key(token_id)
    }

    fn told(&self) -> Vec<SessionSummary> {
        let mut told: Vec<SessionSummary> = self.sessions.iter().map(|(id, session)| session.told(id)).collect();
        told.sort_by(|one, two| (two.last_used, &two.id).cmp(&(one.last_used, &one.id)));
        told
    }

    fn end(&mut self, session: &SessionId, lifetimes: &Lifetimes, now: Timestamp) {
        self.sessions.remove(session);
        if !Mutant::EndNotAnnounced.is_on() {
            self.announce(Entry {
                mark: RevocationKey::session(session),
                before: None,
                until: lifetimes.none_lives(now),
            });
        }
    }

    fn end_all(&mut self, name: &ObjectName, lifetimes: &Lifetimes, now: Timestamp) {
        // A session may have begun by a clock that was ahead of this one: the object has moved since.
        let began = self.sessions.values().map(Session::created).filter(|_| !Mutant::EndsByTheClock.is_on()).max();
        let ended = began.into_iter().fold(later(self.core.ended, now), Timestamp::max);
        self.sessions.clear();
        self.core.ended = ended;
        if !Mutant::AllForgotten.is_on() {
            // Of everybody's end no account's object knows: the register must, for tokens without `exp` too.
            let until = if *name == ObjectName::everybody() { NEVER } else { lifetimes.none_lives(ended) };
            self.announce(Entry { mark: RevocationKey::user(name), before: Some(ended), until });
        }
    }

    fn announce(&mut self, entry: Entry) {
        let announcements = &mut self.core.announcements;
        match announcements.iter_mut().find(|waiting| waiting.mark == entry.mark) {
            Some(waiting) => *waiting = waiting.merged(&entry),
            None => announcements.push(entry),
        }
    }

    /// No record of an earlier version counts any more, one that is still on its way to KV among them.
    fn retire(&mut self, version: Timestamp) {
        if version > self.core.version {
            self.core.version = version;
            self.pending = None;
        }
    }

    /// Forgets what is over.
    fn tidy(&mut self, lifetimes: &Lifetimes, now: Timestamp) {
        let over = self.sessions.extract_if(.., |_, session| session.ends(lifetimes) <= now);
        for (id, session) in over.collect::<Vec<_>>() {
            // An access token that lives longer than its session would outlast a log-out that finds no session any
            // more.
            let until = lifetimes.none_lives(session.last_used());
            if until > now && !Mutant::RunsOutInSilence.is_on() {
                self.announce(Entry { mark: RevocationKey::session(&id), before: None, until });
            }
        }
        self.core.revoked.retain(|_, until| *until > now || Mutant::RevokedForEver.is_on());
        self.login_throttle.forget(now);
        self.replies.retain(|past| past.at.later(REPLY_KEPT_FOR) > now);
    }
}

/// `now`, or just after `then` if the clock is behind that.
fn later(then: Timestamp, now: Timestamp) -> Timestamp {
    if Mutant::ClockSetBack.is_on() {
        return now;
    }
    std::cmp::max(now, Timestamp::from_millis(then.as_millis().saturating_add(1)))
}

fn row<T: serde::de::DeserializeOwned>(value: &str) -> Result<T, Unreadable> {
    serde_json::from_str(value).map_err(|_| Unreadable)
}

fn text<T: Serialize>(value: &T) -> String {
    super::json::to_ascii(value)
}

#[cfg(test)]
mod tests;
