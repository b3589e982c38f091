//! The properties that must hold, judged by deeds, replies and true times. The oracle never sees the state of the
//! rules.
//!
//! Each deed is reported twice: to [`Oracle::written`] when its outcome is stored, in the order of the object's
//! decisions, and to [`Oracle::acknowledged`] when the reply leaves the object. An end counts for refresh tokens and
//! strict checks from the first time on; for access tokens the bound starts at the second.

use crate::{
    attributes::{AttributeFacts, Change},
    settings::Settings,
};
use std::{collections::HashMap, fmt, sync::atomic::AtomicU64};
use tollgate::{
    Timestamp,
    rules::{
        account::{MAX_SESSIONS, Reply},
        identity::Attributes,
        ids::{ObjectName, SessionId, TokenId},
        revocation::{ClaimsKey, RevocationKey, RevocationKeys},
    },
};

/// An index of [`Oracle::sessions`].
pub type SessionNo = usize;
/// An index of [`Oracle::tokens`].
pub type TokenNo = usize;
/// An index of [`Oracle::records`].
pub type RecordNo = usize;
/// An index of [`Oracle::profiles`].
pub type ProfileNo = usize;

/// With this many uses within one grace, a session may have dropped the token that is used.
const MANY_LINKS: usize = 31;

/// A property that must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A spent refresh token never yields a second chain.
    OneChain,
    /// A revoked token does not pass after the bound.
    Bound,
    /// A route that stays open still refuses what its isolate knows to be revoked.
    StaysRefused,
    /// An acknowledged end is never undone.
    EndStays,
    /// Nobody is logged out or refused without a reason.
    StaysIn,
    /// After a change of the password the old one opens nothing.
    OldPassword,
    /// Sessions end after their idle time and after their lifetime.
    Lifetime,
    /// The number of guesses at a password in a day is limited.
    LoginThrottle,
    /// No change of an attribute is lost, or undone by a stale store.
    AttributesKept,
    /// What was acknowledged is kept.
    Kept,
    /// What is stored stays small.
    Bounded,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OneChain => "a spent refresh token never yields a second chain",
            Self::Bound => "a revoked token never passes after the bound",
            Self::StaysRefused => "a route that stays open refuses what is known to be revoked",
            Self::EndStays => "an acknowledged end is never undone",
            Self::StaysIn => "nobody is logged out or kept out without a reason",
            Self::OldPassword => "an old password opens nothing",
            Self::Lifetime => "a session ends after its idle time and after its lifetime",
            Self::LoginThrottle => "the number of guesses at a password in a day is limited",
            Self::AttributesKept => "no change of an attribute is lost",
            Self::Kept => "what was acknowledged is kept",
            Self::Bounded => "what is stored stays small",
        })
    }
}

/// A property that did not hold.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The property.
    pub rule: Rule,
    /// What happened.
    pub what: String,
}

/// A command to an account's object, with numbers in place of ids.
#[derive(Clone, Copy, Debug)]
pub enum Deed {
    /// Opens a session.
    Open { record: RecordNo, refresh: Option<TokenNo>, issued: Timestamp, profile: ProfileNo },
    /// Spends a refresh token.
    Rotate { session: SessionNo, token: TokenNo, successor: TokenNo, issued: Timestamp, profile: ProfileNo },
    /// Asks whether an access token is revoked.
    Check { session: Option<SessionNo>, token: TokenNo },
    /// Lists the sessions.
    List,
    /// Ends a session.
    End { session: SessionNo },
    /// Ends all sessions.
    EndAll { retire: bool },
    /// Changes an attribute.
    SetAttribute { profile: ProfileNo, attribute: usize, value: u64 },
    /// Revokes a token.
    Revoke { token: TokenNo },
    /// Changes the password.
    SetPassword { proven: RecordNo, record: RecordNo },
    /// Stores a new hash of the password.
    Rehash { proven: RecordNo, record: RecordNo },
    /// Drops what has expired.
    Tidy,
}

/// When the end of something was stored, and when it was acknowledged.
#[derive(Clone, Copy, Debug, Default)]
pub struct Over {
    written: Option<i64>,
    acknowledged: Option<i64>,
}

impl Over {
    fn write(&mut self, now: i64) {
        self.written.get_or_insert(now);
    }

    fn acknowledge(&mut self, now: i64) {
        self.write(now);
        self.acknowledged.get_or_insert(now);
    }
}

/// A session.
pub struct Session {
    /// The account.
    pub account: usize,
    /// The session's id.
    pub id: SessionId,
    began: Timestamp,
    opened: i64,
    used: i64,
    /// The refresh token that is to be used next.
    pub current: Option<TokenNo>,
    spent: Vec<i64>,
    over: Over,
    reused: bool,
    /// Whether a thief has a copy of a refresh token.
    pub stolen: bool,
    /// Whether it may have been ended to make room.
    crowded_out: bool,
}

/// A token, of either kind.
pub struct Token {
    /// Its `jti`.
    pub id: TokenId,
    /// Its session, once that is known.
    pub session: Option<SessionNo>,
    /// When it was issued, by the issuer's clock.
    pub issued: Timestamp,
    /// The last second of its lifetime, without leeway.
    pub expires: i64,
    /// For a token without a session: its account, and the true time at which it was issued.
    pub issued_without: Option<(usize, i64)>,
    /// Of an access token of a session: what its claims are made of.
    pub claims: Option<Attributes>,
    successor: Option<TokenNo>,
    /// The access token beside a refresh token.
    pub beside: Option<TokenNo>,
    spent: i64,
    void: Over,
    /// Its revocation keys, once they were needed.
    pub keys: Option<RevocationKeys>,
    /// For each isolate the generation in which it was last found not revoked.
    pub checked_generation: Vec<AtomicU64>,
}

impl Token {
    /// The version of the attributes that its claims are made of; for a token without such claims when it was issued.
    pub fn claims_version(&self) -> Timestamp {
        let issued = Timestamp::from_seconds(self.issued.numeric_date().seconds());
        self.claims.as_ref().map_or(issued, |claims| claims.version)
    }
}

/// A log-in record.
#[derive(Clone, Copy)]
pub struct Record {
    /// The account.
    pub account: usize,
    /// The number of the password.
    pub password: u32,
    /// Its version, once it has one.
    pub version: Option<Timestamp>,
}

#[derive(Clone, Default)]
struct Facts {
    /// The newest version that the object knows, in milliseconds.
    newest: i64,
    /// Passwords that must not open a session any more.
    dead: Vec<u32>,
    /// The record of the last change that was written.
    wanted: Option<RecordNo>,
    /// When all sessions were last ended.
    ended: Option<i64>,
    /// Whether an operator has written to the store without the object.
    interfered: bool,
}

/// What [`Oracle::acknowledged`] needs of [`Oracle::written`].
pub struct Receipt {
    at: i64,
    sessions: usize,
    tokens: usize,
    ended: Vec<SessionNo>,
    /// The place of a change of an attribute among all of them.
    place: usize,
}

/// The facts, and the first violation.
pub struct Oracle {
    settings: Settings,
    /// Every session there was.
    pub sessions: Vec<Session>,
    /// Every token there was.
    pub tokens: Vec<Token>,
    /// Every record there was.
    pub records: Vec<Record>,
    /// What was read of profiles.
    pub profiles: Vec<Attributes>,
    /// What is known of each account's attributes.
    pub attributes: Vec<AttributeFacts>,
    accounts: Vec<Facts>,
    by_id: HashMap<SessionId, SessionNo>,
    /// True times at which a decision changes.
    pub moments: Vec<i64>,
    /// The first violation.
    pub violation: Option<Violation>,
}

impl Oracle {
    /// An oracle without facts.
    pub fn new(settings: Settings, accounts: usize) -> Self {
        Self {
            settings,
            sessions: Vec::new(),
            tokens: Vec::new(),
            records: Vec::new(),
            profiles: Vec::new(),
            attributes: (0..accounts).map(|_| AttributeFacts::default()).collect(),
            accounts: vec![Facts::default(); accounts],
            by_id: HashMap::new(),
            moments: Vec::new(),
            violation: None,
        }
    }

    /// Records a violation, if it is the first.
    pub fn violated(&mut self, rule: Rule, what: impl Into<String>) {
        self.violation.get_or_insert_with(|| Violation { rule, what: what.into() });
    }

    fn must(&mut self, holds: bool, rule: Rule, what: impl FnOnce() -> String) {
        if !holds {
            self.violated(rule, what());
        }
    }

    /// Adds a token. `life` is in milliseconds.
    pub fn token(&mut self, kind: char, issued: Timestamp, life: i64) -> TokenNo {
        let number = self.tokens.len();
        self.tokens.push(Token {
            id: format!("{kind}{number}").into(),
            session: None,
            issued,
            expires: (issued.as_millis() + life).div_euclid(1000),
            issued_without: None,
            claims: None,
            successor: None,
            beside: None,
            spent: 0,
            void: Over::default(),
            keys: None,
            checked_generation: Vec::new(),
        });
        number
    }

    /// The number of a token of this id.
    pub fn token_no(id: &TokenId) -> TokenNo {
        id.as_str()[1..].parse().expect("an id of ours")
    }

    /// Adds a record.
    pub fn record(&mut self, account: usize, password: u32, version: Option<Timestamp>) -> RecordNo {
        self.records.push(Record { account, password, version });
        self.records.len() - 1
    }

    /// The revocation keys of an access token.
    pub fn keys(&mut self, token: TokenNo, object: &ObjectName) -> RevocationKeys {
        if let Some(keys) = self.tokens[token].keys {
            return keys;
        }
        let session = self.tokens[token].session.map(|session| &self.sessions[session]);
        let whole_second = Timestamp::from_seconds(self.tokens[token].issued.numeric_date().seconds());
        let keys = RevocationKeys {
            token: Some(RevocationKey::token(&self.tokens[token].id)),
            session: session.map(|session| RevocationKey::session(&session.id)),
            user: Some(RevocationKey::user(object)),
            began: session.map_or(whole_second, |session| session.began),
            claims: Some(ClaimsKey {
                key: RevocationKey::claims(object),
                version: self.tokens[token].claims_version(),
            }),
        };
        self.tokens[token].keys = Some(keys);
        keys
    }

    /// The account of an access token.
    pub fn account_of(&self, token: TokenNo) -> usize {
        let it = &self.tokens[token];
        let without = it.issued_without.map(|(account, _)| account);
        it.session.map(|session| self.sessions[session].account).or(without).unwrap_or_default()
    }

    /// The session of this id.
    pub fn session_no(&self, id: &SessionId) -> Option<SessionNo> {
        self.by_id.get(id).copied()
    }

    /// Whether a session must be open, whatever the clocks.
    pub fn is_surely_on(&self, session: SessionNo, now: i64) -> bool {
        let it = &self.sessions[session];
        it.over.written.is_none() && !it.crowded_out && now < self.ends(session) - self.settings.slack()
    }

    /// Whether a session must have ended, whatever the clocks.
    fn is_surely_over(&self, session: SessionNo, now: i64) -> bool {
        let it = &self.sessions[session];
        it.over.written.is_some() || now > self.ends(session) + self.settings.slack()
    }

    fn ends(&self, session: SessionNo) -> i64 {
        let it = &self.sessions[session];
        (it.used + self.settings.idle).min(it.opened + self.settings.session)
    }

    /// Whether an isolate or object may refuse this access token.
    fn may_be_refused(&self, token: TokenNo, now: i64) -> bool {
        // One that was issued in the same second as the end of all, or so soon before that clocks don't agree.
        let is_doubtful = self.tokens[token].issued_without.is_some_and(|(account, at)| {
            self.accounts[account].ended.is_some_and(|ended| at < ended + 1000 + self.settings.slack())
        });
        is_doubtful
            || self.tokens[token].void.written.is_some()
            || self.tokens[token].session.is_some_and(|session| !self.is_surely_on(session, now))
    }

    /// The record that the store must have in the end; `None` if an operator has interfered.
    pub fn wanted(&self, account: usize) -> Option<RecordNo> {
        let facts = &self.accounts[account];
        facts.wanted.filter(|_| !facts.interfered)
    }

    /// An operator writes to the store without the object.
    pub fn interferes(&mut self, account: usize) {
        self.accounts[account].interfered = true;
    }

    /// The outcome of a deed is stored. `clock` is the time by the object's clock.
    pub fn written(&mut self, now: i64, account: usize, deed: Deed, reply: &Reply, clock: Timestamp) -> Receipt {
        let mut receipt =
            Receipt { at: now, sessions: self.sessions.len(), tokens: self.tokens.len(), ended: Vec::new(), place: 0 };
        match (deed, reply) {
            (Deed::Open { record, refresh, profile, .. }, Reply::Opened { session, .. }) => {
                self.attributes_seen(account, profile);
                receipt.ended = self.opened(now, account, record, refresh, session);
            }
            (Deed::Open { record, .. }, Reply::Stale) => {
                let version = self.version(record);
                self.must(version < self.accounts[account].newest, Rule::Kept, || {
                    format!("record {record} of version {version} is the newest, but opens nothing")
                });
            }
            (Deed::SetAttribute { attribute, value, .. }, Reply::AttributesSet { attributes, .. }) => {
                receipt.place = self.attributes_changed(account, attribute, value, attributes);
            }
            (Deed::Rotate { session, token, profile, .. }, Reply::Rotated { successor, .. }) => {
                self.attributes_seen(account, profile);
                self.rotated(now, session, token, Self::token_no(&successor.token_id));
            }
            (Deed::Rotate { session, token, .. }, Reply::Ended { reused }) => {
                self.refused(now, session, token, *reused);
            }
            (Deed::Check { session, token }, Reply::Alive) => {
                let void = self.tokens[token].void.written.is_some();
                let is_over = session.is_some_and(|session| self.sessions[session].over.written.is_some());
                self.must(!void && !is_over, Rule::EndStays, || {
                    format!("a strict check finds token {token} of session {session:?} alive after its end")
                });
                let is_late = session.is_some_and(|session| self.is_surely_over(session, now));
                self.must(!is_late, Rule::Lifetime, || format!("session {session:?} is alive after its time"));
                let is_outdated = self.is_outdated(token);
                self.must(!is_outdated, Rule::EndStays, || {
                    format!("a strict check passes old claims of token {token}")
                });
            }
            (Deed::Check { token, .. }, Reply::Outdated) => self.found_outdated(token),
            (Deed::Check { session, token }, Reply::Ended { .. }) => {
                self.must(self.may_be_refused(token, now), Rule::StaysIn, || {
                    format!("a strict check refuses token {token} of session {session:?} without a reason")
                });
            }
            (Deed::List, Reply::Sessions { sessions }) => {
                let told: Vec<SessionNo> = sessions.iter().filter_map(|told| self.session_no(&told.id)).collect();
                for &session in &told {
                    self.must(!self.is_surely_over(session, now), Rule::EndStays, || {
                        format!("session {session} is listed after its end")
                    });
                }
                for session in 0..self.sessions.len() {
                    let missing = self.sessions[session].account == account
                        && self.is_surely_on(session, now)
                        && !told.contains(&session);
                    self.must(!missing, Rule::Kept, || format!("session {session} is not listed"));
                }
                self.must(told.len() <= MAX_SESSIONS, Rule::Bounded, || format!("{} sessions", told.len()));
            }
            (Deed::End { session }, Reply::Done) => {
                self.must(self.sessions[session].over.written.is_none(), Rule::EndStays, || {
                    format!("session {session} is there to be ended a second time")
                });
                self.sessions[session].over.write(now);
            }
            (Deed::End { session }, Reply::Ended { .. }) => {
                self.must(!self.is_surely_on(session, now), Rule::Kept, || format!("session {session} is lost"));
                self.sessions[session].over.write(now);
            }
            (Deed::EndAll { retire }, Reply::Done) => {
                self.all_over(now, account);
                if retire {
                    let version = clock.as_millis().max(self.accounts[account].newest + 1);
                    self.passwords_before_are_dead(account, version);
                    self.accounts[account].wanted = None;
                }
            }
            (Deed::Revoke { token }, Reply::Done) => self.tokens[token].void.write(now),
            (Deed::SetPassword { proven, record }, Reply::Changed { version }) => {
                let known = self.version(proven);
                self.must(known >= self.accounts[account].newest, Rule::OldPassword, || {
                    format!("the password is changed by record {proven}, which is out of date")
                });
                self.all_over(now, account);
                self.records[record].version = Some(*version);
                self.passwords_before_are_dead(account, version.as_millis());
                self.accounts[account].wanted = Some(record);
            }
            (Deed::SetPassword { proven: record, .. }, Reply::Stale) => {
                let version = self.version(record);
                self.must(version < self.accounts[account].newest, Rule::Kept, || {
                    format!("record {record} is the newest, but proves nothing")
                });
            }
            (Deed::Rehash { .. }, Reply::Done | Reply::Stale) | (Deed::Tidy, Reply::Done) => {}
            (deed, reply) => self.violated(Rule::Kept, format!("{deed:?} is answered by {reply:?}")),
        }
        receipt
    }

    /// The reply leaves the object.
    pub fn acknowledged(&mut self, now: i64, account: usize, deed: Deed, reply: &Reply, receipt: Receipt) {
        let bound = now + self.settings.bound;
        match (deed, reply) {
            (Deed::End { session }, Reply::Done | Reply::Ended { .. }) => {
                self.sessions[session].over.acknowledge(now);
                self.moments.push(bound);
            }
            (Deed::EndAll { .. }, Reply::Done) | (Deed::SetPassword { .. }, Reply::Changed { .. }) => {
                let before = self.sessions[..receipt.sessions].iter_mut();
                before.filter(|session| session.account == account).for_each(|session| session.over.acknowledge(now));
                for token in 0..receipt.tokens {
                    if self.was_before(token, account, receipt.at) {
                        self.tokens[token].void.acknowledge(now);
                    }
                }
                self.moments.push(bound);
            }
            (Deed::Open { .. }, Reply::Opened { .. }) => {
                // A log-in by a newer record promises only what it ended itself.
                for &session in &receipt.ended {
                    self.sessions[session].over.acknowledge(now);
                }
            }
            (Deed::SetAttribute { attribute, .. }, Reply::AttributesSet { .. }) => {
                self.attributes_acknowledged(now, account, attribute, receipt.place);
                self.moments.push(bound);
            }
            (Deed::Revoke { token }, Reply::Done) => {
                self.tokens[token].void.acknowledge(now);
                self.moments.push(bound);
            }
            _ => {}
        }
    }

    fn version(&self, record: RecordNo) -> i64 {
        self.records[record].version.map_or(0, Timestamp::as_millis)
    }

    fn opened(
        &mut self,
        now: i64,
        account: usize,
        record: RecordNo,
        refresh: Option<TokenNo>,
        id: &SessionId,
    ) -> Vec<SessionNo> {
        let password = self.records[record].password;
        self.must(!self.accounts[account].dead.contains(&password), Rule::OldPassword, || {
            format!("password {password} opens a session after it was changed")
        });
        let version = self.version(record);
        let mut ended = Vec::new();
        if version > self.accounts[account].newest {
            ended.extend(
                (0..self.sessions.len())
                    .filter(|&session| self.sessions[session].account == account && self.is_surely_on(session, now)),
            );
            self.sessions_over(now, account);
            self.passwords_before_are_dead(account, version);
        }
        let began = id.began().expect("an id of ours");
        let session = self.sessions.len();
        self.sessions.push(Session {
            account,
            id: id.clone(),
            began,
            opened: now,
            used: now,
            current: refresh,
            spent: Vec::new(),
            over: Over::default(),
            reused: false,
            stolen: false,
            crowded_out: false,
        });
        self.by_id.insert(id.to_owned(), session);
        self.moments.extend([now + self.settings.idle, now + self.settings.session]);
        if let Some(refresh) = refresh {
            self.tokens[refresh].session = Some(session);
        }
        let live: Vec<SessionNo> = (0..=session)
            .filter(|&other| self.sessions[other].account == account && self.sessions[other].over.written.is_none())
            .collect();
        if live.len() > MAX_SESSIONS {
            live[..live.len() - MAX_SESSIONS / 2].iter().for_each(|&old| self.sessions[old].crowded_out = true);
        }
        ended
    }

    fn rotated(&mut self, now: i64, session: SessionNo, token: TokenNo, successor: TokenNo) {
        let it = &self.sessions[session];
        let (is_over, reused, is_current) = (it.over.written.is_some(), it.reused, it.current == Some(token));
        self.must(!reused, Rule::OneChain, || format!("session {session} goes on after a spent token was used again"));
        self.must(!is_over, Rule::EndStays, || format!("session {session} goes on after its end"));
        let is_void = self.tokens[token].void.written.is_some();
        self.must(!is_void, Rule::EndStays, || format!("token {token} was revoked, but is good for another"));
        self.must(!self.is_surely_over(session, now), Rule::Lifetime, || {
            format!("session {session} goes on after its time")
        });
        match self.tokens[token].successor {
            Some(former) => {
                let spent = self.tokens[token].spent;
                self.must(former == successor, Rule::OneChain, || {
                    format!("token {token} has two successors, {former} and {successor}")
                });
                let late = now > spent + self.settings.grace + self.settings.slack();
                self.must(!late, Rule::OneChain, || format!("token {token} is good again after the grace"));
            }
            None => {
                self.must(is_current, Rule::OneChain, || format!("token {token} is none of session {session}'s chain"));
                (self.tokens[token].successor, self.tokens[token].spent) = (Some(successor), now);
                self.tokens[successor].session = Some(session);
                let it = &mut self.sessions[session];
                (it.current, it.used) = (Some(successor), now);
                it.spent.push(now);
                self.moments.extend([now + self.settings.grace, now + self.settings.idle]);
            }
        }
    }

    fn refused(&mut self, now: i64, session: SessionNo, token: TokenNo, reused: bool) {
        let is_void = self.tokens[token].void.written.is_some();
        if !reused {
            self.must(is_void || !self.is_surely_on(session, now), Rule::StaysIn, || {
                format!("token {token} of session {session} is refused without a reason")
            });
            return;
        }
        let (it, facts) = (&self.sessions[session], &self.tokens[token]);
        let since = now - self.settings.grace - self.settings.slack();
        let many = it.spent.iter().filter(|at| **at >= since).count() >= MANY_LINKS;
        let is_spent = facts.successor.is_some() && now >= facts.spent + self.settings.grace - self.settings.slack();
        let is_foreign = facts.successor.is_none() && it.current != Some(token);
        self.must(is_spent || is_foreign || many || it.crowded_out, Rule::StaysIn, || {
            format!("token {token} of session {session} counts as stolen without a reason")
        });
        self.sessions[session].reused = true;
        self.sessions[session].over.write(now);
    }

    fn sessions_over(&mut self, now: i64, account: usize) {
        self.accounts[account].ended = Some(now);
        let mine = self.sessions.iter_mut().filter(|session| session.account == account);
        mine.for_each(|session| session.over.write(now));
    }

    fn all_over(&mut self, now: i64, account: usize) {
        self.sessions_over(now, account);
        for token in 0..self.tokens.len() {
            if self.was_before(token, account, now) {
                self.tokens[token].void.write(now);
            }
        }
    }

    /// Whether a token without a session was issued before `then`, by any clock.
    fn was_before(&self, token: TokenNo, account: usize, then: i64) -> bool {
        self.tokens[token].issued_without.is_some_and(|(of, at)| of == account && at < then - self.settings.slack())
    }

    fn passwords_before_are_dead(&mut self, account: usize, version: i64) {
        let facts = &mut self.accounts[account];
        facts.newest = version;
        let mine = self.records.iter().filter(|record| record.account == account);
        let old = mine.filter(|record| record.version.is_some_and(|its| its.as_millis() < version));
        facts.dead.extend(old.map(|record| record.password));
    }

    /// An isolate lets an access token pass.
    pub fn passed(&mut self, now: i64, token: TokenNo) {
        let session = self.tokens[token].session.and_then(|session| self.sessions[session].over.acknowledged);
        let ended = [session, self.tokens[token].void.acknowledged].into_iter().flatten().min();
        let late = ended.map(|at| now - at - self.settings.bound);
        if let Some(late) = late.filter(|late| *late > self.settings.slack()) {
            self.violated(Rule::Bound, format!("token {token} passes {late} ms after the bound"));
        }
        let late = self.outdated_for(now, token).map(|since| since - self.settings.bound);
        if let Some(late) = late.filter(|late| *late > self.settings.slack()) {
            self.violated(Rule::Bound, format!("token {token} passes with old claims {late} ms after the bound"));
        }
    }

    /// An isolate finds an access token revoked.
    pub fn found_revoked(&mut self, now: i64, token: TokenNo) {
        self.must(self.may_be_refused(token, now), Rule::StaysIn, || {
            format!("token {token} is taken for revoked without a reason")
        });
    }

    /// A device with a good connection learns that its session has ended.
    pub fn is_logged_out(&mut self, session: SessionNo) {
        let it = &self.sessions[session];
        self.must(!it.reused || it.stolen || it.crowded_out, Rule::StaysIn, || {
            format!("rotation logs a user with a good connection out of session {session}")
        });
    }
}

/// Attributes that become claims.
impl Oracle {
    /// A deed shows the object the attributes of the store.
    fn attributes_seen(&mut self, account: usize, profile: ProfileNo) {
        let version = self.profiles[profile].version.as_millis();
        let facts = &mut self.attributes[account];
        facts.newest = facts.newest.max(version);
    }

    /// A change is stored. Returns its place among the changes of the attribute.
    fn attributes_changed(&mut self, account: usize, attribute: usize, value: u64, all: &Attributes) -> usize {
        let facts = &mut self.attributes[account];
        facts.newest = facts.newest.max(all.version.as_millis());
        facts.changes[attribute].push(Change { value, acknowledged: None });
        let (place, lost) = (facts.changes[attribute].len() - 1, facts.lost(all));
        if let Some(lost) = lost.filter(|_| !self.attributes[account].interfered) {
            self.violated(Rule::AttributesKept, format!("a change of a{attribute} undoes one of a{lost}"));
        }
        place
    }

    /// The change at this place is acknowledged.
    fn attributes_acknowledged(&mut self, now: i64, account: usize, attribute: usize, place: usize) {
        if let Some(change) = self.attributes[account].changes[attribute].get_mut(place) {
            change.acknowledged.get_or_insert(now);
        }
    }

    /// For how long a token's claims have been out of date, in milliseconds; `None` if they are not.
    fn outdated_for(&self, now: i64, token: TokenNo) -> Option<i64> {
        let facts = &self.attributes[self.account_of(token)];
        let claims = self.tokens[token].claims.as_ref().filter(|_| !facts.interfered)?;
        facts.outdated_since(claims).map(|since| now - since)
    }

    /// Whether there was a change after the version of a token's claims.
    fn is_outdated(&self, token: TokenNo) -> bool {
        let version = self.tokens[token].claims_version().as_millis();
        version < self.attributes[self.account_of(token)].newest
    }

    /// An isolate finds a token's claims out of date.
    pub fn found_outdated(&mut self, token: TokenNo) {
        if !self.is_outdated(token) {
            self.violated(Rule::StaysIn, format!("the claims of token {token} are refused, and no others are newer"));
        }
    }

    /// In the end a new token has these attributes.
    pub fn attributes_in_the_end(&mut self, account: usize, attributes: &Attributes) {
        let lost = self.attributes[account].lost(attributes);
        if let Some(lost) = lost.filter(|_| !self.attributes[account].interfered) {
            self.violated(
                Rule::AttributesKept,
                format!("a new token of account {account} lacks the last change of a{lost}"),
            );
        }
    }
}
