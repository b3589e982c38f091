//! The state of one account, name or address, and what each command changes in it.

use super::{
    Command, Context, LoginThrottle, Pending, RefreshToken, Reply, Session, SessionSummary, TokenLife, Wait,
    are_storable,
};
use crate::rules::{
    identity::{Attributes, SeenAttributes},
    ids::{ObjectName, SessionId, TokenId},
    json::{self, Map, Value},
    revocation::{Entry, RevocationKey},
    safeguards::{Cause, Checked, Safeguards},
    time::{Duration, Timestamp},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Maximum number of revoked token ids that an account keeps.
const MAX_REVOKED: usize = 1000;
/// No expiry, as a time later than any `exp`: the last moment of ECMAScript's clock (ECMA-262 §21.4.1.1), a number that
/// JSON carries unchanged.
const FOREVER: Timestamp = Timestamp::from_millis(8_640_000_000_000_000);
/// How long a reply is kept for a repetition: a request is run again within the time of a decision
/// ([`crate::rules::gate::DECISION_TIMEOUT`]).
const REPLY_KEPT_FOR: Duration = Duration::seconds(120);
/// At most this many replies are kept; older ones are dropped first.
const MAX_REPLIES: usize = 64;

// The keys of the rows: stored, and older than the names in Rust.
const CORE: &str = "account";
const THROTTLE: &str = "guesses";
const PENDING: &str = "record";
const REPLIES: &str = "replies";
const ATTRIBUTES: &str = "attributes";
const SESSION: &str = "session/";

/// The rows that one object stores: key and value, both text.
pub type Rows = BTreeMap<String, String>;

/// A row that can't be read: a newer version wrote it, or it is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

/// The state of one account, name or address.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Account {
    core: Core,
    login_throttle: LoginThrottle,
    sessions: BTreeMap<SessionId, Session>,
    pending: Option<Pending>,
    replies: Vec<PastReply>,
    attributes: KnownAttributes,
}

/// The reply to a command, given again when the command is repeated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct PastReply {
    /// The command's id.
    id: String,
    /// [`Command::kind`].
    kind: String,
    at: Timestamp,
    reply: Reply,
}

/// What [`Command::SetAttributes`] changes.
struct Change {
    set: Map<String, Value>,
    without: Vec<String>,
    claims: Vec<String>,
    max_claim_bytes: usize,
    replaces: bool,
}

/// The row `attributes`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct KnownAttributes {
    version: Timestamp,
    values: Map<String, Value>,
    /// The first version with the present values of the attributes that claims are made of: access tokens with claims
    /// of an earlier one are revoked.
    claims_since: Timestamp,
    /// Whether the user was deleted: what the store still shows is not the next user's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_deleted: bool,
}

impl Default for KnownAttributes {
    fn default() -> Self {
        let never = Timestamp::from_millis(0);
        Self { version: never, values: Map::new(), claims_since: never, is_deleted: false }
    }
}

/// What [`Command::Check`] says of a token.
struct CheckedToken {
    session: Option<SessionId>,
    token_id: Option<TokenId>,
    began: Timestamp,
    claims_version: Option<Timestamp>,
}

/// The row `account`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Core {
    /// Log-in records of an earlier version are refused.
    version: Timestamp,
    /// Sessions and tokens that began at or before this time are revoked.
    ended: Timestamp,
    /// The ids of revoked tokens, and until when each is kept.
    revoked: BTreeMap<TokenId, Timestamp>,
    /// Revocations that the log has not confirmed.
    announcements: Vec<Entry>,
}

impl Default for Core {
    fn default() -> Self {
        // Before every version and every end.
        let start = Timestamp::from_millis(0);
        Self { version: start, ended: start, revoked: BTreeMap::new(), announcements: Vec::new() }
    }
}

impl Account {
    /// Reads the rows that [`Account::rows`] has written.
    ///
    /// # Errors
    /// [`Unreadable`] if any row can't be read: no decision rests on a part of the state.
    pub fn read(rows: &Rows) -> Result<Self, Unreadable> {
        let mut account = Self::default();
        for (key, value) in rows {
            match key.as_str() {
                CORE => account.core = row(value)?,
                THROTTLE => account.login_throttle = row(value)?,
                PENDING => account.pending = Some(row(value)?),
                REPLIES => account.replies = row(value)?,
                ATTRIBUTES => account.attributes = row(value)?,
                _ => {
                    let session = key.strip_prefix(SESSION).ok_or(Unreadable)?;
                    account.sessions.insert(session.into(), row(value)?);
                }
            }
        }
        Ok(account)
    }

    /// The rows to store.
    #[must_use]
    pub fn rows(&self) -> Rows {
        let mut rows = Rows::new();
        let mut put = |key: String, value: Option<String>| rows.extend(value.map(|value| (key, value)));
        put(CORE.into(), (self.core != Core::default()).then(|| text(&self.core)));
        put(THROTTLE.into(), (self.login_throttle != LoginThrottle::default()).then(|| text(&self.login_throttle)));
        put(PENDING.into(), self.pending.as_ref().map(text));
        put(REPLIES.into(), (!self.replies.is_empty()).then(|| text(&self.replies)));
        put(ATTRIBUTES.into(), (self.attributes != KnownAttributes::default()).then(|| text(&self.attributes)));
        for (id, session) in &self.sessions {
            put(format!("{SESSION}{id}"), Some(text(session)));
        }
        rows
    }

    /// The kept reply to a command that was carried out under this id.
    #[must_use]
    pub fn past_reply(&self, id: &str, command: &Command) -> Option<&Reply> {
        let kind = command.kind()?;
        self.replies.iter().find(|past| past.id == id && past.kind == kind).map(|past| &past.reply)
    }

    /// Carries out a command, and keeps the reply for a repetition under the same id.
    pub fn answer_once<S: Safeguards + ?Sized>(
        &mut self,
        id: &str,
        command: Command,
        context: &Context<'_, S>,
    ) -> Reply {
        let kind = command.kind();
        let before = self.clone();
        let reply = self.answer(command, context);
        // Not kept: `Done` for a command that changed nothing, which may be carried out again. A reply with a value in
        // it must be the same each time.
        let changed_nothing = reply == Reply::Done && *self == before;
        if let Some(kind) = kind.filter(|_| reply.is_done() && !changed_nothing) {
            if self.replies.len() >= MAX_REPLIES {
                self.replies.remove(0);
            }
            let (id, kind) = (id.to_owned(), kind.to_owned());
            self.replies.push(PastReply { id, kind, at: context.now, reply: reply.clone() });
        }
        reply
    }

    /// Carries out a command.
    pub fn answer<S: Safeguards + ?Sized>(&mut self, command: Command, context: &Context<'_, S>) -> Reply {
        self.tidy(context);
        let (now, safeguards) = (context.now, context.safeguards);
        match command {
            Command::Attempt { devices } => match self.login_throttle.take(&devices, now, safeguards) {
                Ok(bucket) => Reply::Allowed { bucket },
                Err(wait) => wait.into(),
            },
            Command::Wrong { bucket } => {
                self.login_throttle.record_failure(&bucket);
                Reply::Done
            }
            Command::Right { bucket, devices, record } => {
                self.login_throttle.record_success(&bucket, devices, &record, now, safeguards);
                Reply::Done
            }
            Command::Untried { bucket } => {
                self.login_throttle.give_back(&bucket, safeguards);
                Reply::Done
            }
            Command::CheckAddress => match self.login_throttle.check_address(now) {
                Ok(()) => Reply::Done,
                Err(wait) => wait.into(),
            },
            Command::AddressFailed => {
                self.login_throttle.record_address_failure(now);
                Reply::Done
            }
            Command::Open { version, entropy, refresh, user_agent, country, attributes } => {
                if safeguards.is_record_stale(version, self.core.version) {
                    return Reply::Stale;
                }
                self.see_record(version, context);
                let attributes = self.see_attributes(attributes, context);
                // A new session begins after the last end of all sessions, even if the clock was set back.
                let began = context.after(self.core.ended);
                let session = Session::new(refresh, user_agent, country, began);
                Reply::Opened { session: self.open(SessionId::new(began, &entropy), session, context), attributes }
            }
            Command::Rotate { session, token_id, successor, attributes } => {
                self.rotate(&session, &token_id, successor, attributes, context)
            }
            Command::Check { session, token_id, began, is_use, claims_version, attributes } => {
                let token = CheckedToken { session, token_id, began, claims_version };
                self.check(&token, is_use, attributes, context)
            }
            Command::List => Reply::Sessions { sessions: self.summaries() },
            Command::End { session } => {
                if !self.sessions.contains_key(&session) {
                    return Reply::Ended { reused: false };
                }
                self.end(&session, context);
                Reply::Done
            }
            Command::EndAll { retire_password, version, forget_attributes } => {
                self.end_all(context);
                if forget_attributes {
                    self.forget_attributes(context);
                }
                let version = version.or_else(|| retire_password.then(|| context.after(self.core.version)));
                if let Some(version) = version.filter(|_| safeguards.retires_password()) {
                    self.retire(version);
                }
                Reply::Done
            }
            Command::SetAttributes { found, set, without, claims, max_claim_bytes, replaces } => {
                let change = Change { set, without, claims, max_claim_bytes, replaces };
                self.set_attributes(&found, change, context)
            }
            Command::Revoke { token_id, life } => {
                self.revoke(token_id, life, context);
                Reply::Done
            }
            Command::SetPassword { proven, key, record } => self.set_password(proven, key, record, context),
            Command::Rehash { proven, key, record } => {
                // A new password that is not in KV yet must not be overwritten.
                let is_outdated = proven != self.core.version || self.pending.is_some();
                if is_outdated && safeguards.drops_outdated_rehash() {
                    return Reply::Stale;
                }
                self.pending = Some(Pending { key, text: json::to_ascii(&record) });
                Reply::Done
            }
            Command::Delivered { revocations, record } => {
                self.core.announcements.retain(|entry| !revocations.contains(entry));
                if safeguards.is_delivered(self.pending == record) {
                    self.pending = None;
                }
                Reply::Done
            }
            Command::Tidy => Reply::Done,
        }
    }

    /// Revocations that the log has not confirmed. They are sent to it until it has, and acknowledged only then.
    #[must_use]
    pub fn announcements(&self) -> &[Entry] {
        &self.core.announcements
    }

    /// The log-in record that must be written to KV; `None` if KV is up to date.
    #[must_use]
    pub fn record(&self) -> Option<&Pending> {
        self.pending.as_ref()
    }

    /// When the next part of the state expires, and [`Command::Tidy`] is due; `None` if nothing expires.
    #[must_use]
    pub fn next_tidy<S: Safeguards + ?Sized>(&self, context: &Context<'_, S>) -> Option<Timestamp> {
        let sessions = self.sessions.values().map(|session| session.end(context));
        let revoked = self.core.revoked.values().copied().filter(|until| *until < FOREVER);
        let next = sessions.chain(revoked).chain(self.login_throttle.next_forgotten()).min();
        // Replies are dropped with whatever expires next. The object is woken for replies only if nothing else expires.
        next.or_else(|| self.replies.last().map(|past| past.at.later(REPLY_KEPT_FOR)))
    }

    /// Records the version of the record that a password was checked against. If it is newer than the known one, the
    /// record was written elsewhere, for example by an operator's command.
    fn see_record<S: Safeguards + ?Sized>(&mut self, version: Timestamp, context: &Context<'_, S>) {
        if version <= self.core.version {
            return;
        }
        // Version 0 and no session: the account is new.
        let may_have_sessions = self.core.version.as_millis() > 0 || !self.sessions.is_empty();
        if may_have_sessions && context.safeguards.newer_record_ends_sessions() {
            self.end_all(context);
        }
        self.retire(version);
    }

    /// Adopts attributes that the store shows, if they are newer than the known ones: they were written elsewhere.
    /// Returns the known ones if those are newer.
    fn see_attributes<S: Safeguards + ?Sized>(
        &mut self,
        seen: Option<SeenAttributes>,
        context: &Context<'_, S>,
    ) -> Option<Attributes> {
        let SeenAttributes { version, values, claims } = seen.filter(|seen| are_storable(&seen.values))?;
        let known = &self.attributes;
        if version > known.version {
            // Version 0 and no session: no token was issued yet.
            let may_have_tokens = known.version.as_millis() > 0 || !self.sessions.is_empty();
            self.adopt(Attributes { version, values }, &claims, may_have_tokens, context);
            return None;
        }
        let is_stale = context.safeguards.are_attributes_stale(version, known.version);
        is_stale.then(|| Attributes { version: known.version, values: known.values.clone() })
    }

    /// Takes over attributes of a later version. If those are others that claims are made of, and there may be tokens,
    /// the access tokens with claims of an earlier version are revoked.
    fn adopt<S: Safeguards + ?Sized>(
        &mut self,
        attributes: Attributes,
        claims: &[String],
        may_have_tokens: bool,
        context: &Context<'_, S>,
    ) {
        let Attributes { version, values } = attributes;
        let known = &mut self.attributes;
        let is_same = claims.iter().all(|name| json::find(&known.values, name) == json::find(&values, name));
        let is_first = known.version.as_millis() == 0;
        (known.version, known.values, known.is_deleted) = (version, values, false);
        if !is_same || is_first {
            known.claims_since = version;
            if may_have_tokens && !claims.is_empty() {
                let before = Some(Timestamp::from_millis(version.as_millis().saturating_sub(1)));
                let until = context.all_expired(context.now);
                let entry = Entry { mark: RevocationKey::claims(context.name), before, until };
                self.announce(Cause::AttributesChanged, entry, context);
            }
        }
    }

    fn set_attributes<S: Safeguards + ?Sized>(
        &mut self,
        found: &Attributes,
        change: Change,
        context: &Context<'_, S>,
    ) -> Reply {
        let known = &self.attributes;
        let is_newer = found.version > known.version;
        if known.is_deleted && !is_newer {
            return Reply::Stale;
        }
        // The caller may have read a copy that is a minute old.
        let is_unknown = known.version.as_millis() == 0;
        let counts = is_newer || is_unknown || change.replaces || !context.safeguards.changes_known_attributes();
        let mut values = if counts { &found.values } else { &known.values }.clone();
        values.retain(|name, _| !change.without.contains(name));
        values.extend(change.set);
        let found_for_claims = change.claims.iter().filter_map(|name| json::find(&values, name));
        let claim_bytes: usize = found_for_claims.map(|value| json::to_ascii(value).len()).sum();
        if !are_storable(&values) || claim_bytes > change.max_claim_bytes {
            return Reply::TooLong;
        }
        let (latest, latest_values) =
            if is_newer { (found.version, &found.values) } else { (known.version, &known.values) };
        let is_change = values != *latest_values || latest.as_millis() == 0;
        let version = if is_change { context.after(latest) } else { latest };
        let attributes = Attributes { version, values };
        if version > known.version {
            self.adopt(attributes.clone(), &change.claims, true, context);
            if !context.safeguards.attribute_change_keeps_sessions() {
                self.end_all(context);
            }
        }
        let revokes = self.attributes.claims_since == version && !change.claims.is_empty();
        Reply::AttributesSet { attributes, revokes }
    }

    /// Nothing of a deleted user stays but a version, so that a profile that the store still shows is older.
    fn forget_attributes<S: Safeguards + ?Sized>(&mut self, context: &Context<'_, S>) {
        let version = context.after(self.attributes.version);
        self.attributes = KnownAttributes { version, values: Map::new(), claims_since: version, is_deleted: true };
    }

    fn open<S: Safeguards + ?Sized>(&mut self, id: SessionId, session: Session, context: &Context<'_, S>) -> SessionId {
        while self.sessions.len() >= context.safeguards.max_sessions() {
            let oldest = self.sessions.iter().min_by_key(|(_, session)| session.last_used()).map(|(id, _)| id.clone());
            oldest.iter().for_each(|oldest| self.end(oldest, context));
        }
        self.sessions.insert(id.clone(), session);
        id
    }

    fn rotate<S: Safeguards + ?Sized>(
        &mut self,
        session: &SessionId,
        token_id: &TokenId,
        successor: RefreshToken,
        attributes: Option<SeenAttributes>,
        context: &Context<'_, S>,
    ) -> Reply {
        if self.is_revoked(token_id) && context.safeguards.refuses_revoked_refresh_token() {
            return Reply::Ended { reused: false };
        }
        let Some(open) = self.sessions.get_mut(session) else { return Reply::Ended { reused: false } };
        match open.rotate(token_id, successor, context) {
            Some(successor) => {
                let (successor, until) = (successor.clone(), open.end_by_age(context));
                Reply::Rotated { successor, until, attributes: self.see_attributes(attributes, context) }
            }
            None => {
                if context.safeguards.reuse_ends_session() {
                    self.end(session, context);
                }
                Reply::Ended { reused: true }
            }
        }
    }

    fn check<S: Safeguards + ?Sized>(
        &mut self,
        token: &CheckedToken,
        is_use: bool,
        attributes: Option<SeenAttributes>,
        context: &Context<'_, S>,
    ) -> Reply {
        let session = token.session.as_ref();
        let is_closed = session.is_some_and(|session| !self.sessions.contains_key(session));
        let is_revoked = token.token_id.as_ref().is_some_and(|id| self.is_revoked(id));
        let has_ended = token.began <= self.core.ended;
        let findings = [(Checked::Sessions, is_closed), (Checked::Tokens, is_revoked), (Checked::AllEnded, has_ended)];
        if findings.into_iter().any(|(what, is_void)| is_void && context.safeguards.checks(what)) {
            return Reply::Ended { reused: false };
        }
        let is_outdated = token.claims_version.is_some_and(|version| version < self.attributes.claims_since);
        if is_outdated && context.safeguards.checks(Checked::Claims) {
            return Reply::Outdated;
        }
        if let Some(session) = session.and_then(|session| self.sessions.get_mut(session)).filter(|_| is_use) {
            session.touch(context.now);
        }
        match self.see_attributes(attributes, context) {
            Some(attributes) => Reply::AliveWith { attributes },
            None => Reply::Alive,
        }
    }

    fn revoke<S: Safeguards + ?Sized>(&mut self, token_id: TokenId, life: Option<TokenLife>, context: &Context<'_, S>) {
        // A known expiry: log and account keep the revocation until then. Unknown, or none: the log keeps it for the
        // longest lifetime of a token with `exp`, the account for ever, since it is asked about every token without.
        let by_lifetime = context.all_expired(context.now);
        let (until, remembered) = match life {
            Some(TokenLife::Until(end)) => {
                let end = end.later(context.safeguards.revocation_margin());
                (end, end)
            }
            None | Some(TokenLife::Endless) => (by_lifetime, FOREVER),
        };
        let remembered = context.safeguards.remembered_until(remembered, by_lifetime);
        let is_known = self.core.revoked.get(&token_id).is_some_and(|known| *known >= remembered);
        if is_known || remembered <= context.now {
            return;
        }
        let entry = Entry { mark: RevocationKey::token(&token_id), before: None, until };
        self.announce(Cause::TokenRevoked, entry, context);
        if self.core.revoked.len() >= MAX_REVOKED {
            // The list is full. An id with an expiry can be dropped: the log keeps it until then. An id without one
            // must stay, since only this account keeps it. If no id has an expiry, every token issued until now is
            // revoked, which covers them all.
            let expiring = self.core.revoked.iter().filter(|(_, until)| **until < FOREVER);
            match expiring.min_by_key(|(_, until)| **until).map(|(id, _)| id.clone()) {
                Some(first) => drop(self.core.revoked.remove(&first)),
                // The new id has an expiry: the entry in the log is enough.
                None if remembered < FOREVER => return,
                None => {
                    self.end_all(context);
                    self.core.revoked.clear();
                    return;
                }
            }
        }
        self.core.revoked.insert(token_id, remembered);
    }

    fn set_password<S: Safeguards + ?Sized>(
        &mut self,
        proven: Timestamp,
        key: String,
        mut record: Map<String, Value>,
        context: &Context<'_, S>,
    ) -> Reply {
        if context.safeguards.is_proof_stale(proven, self.core.version) {
            return Reply::Stale;
        }
        if context.safeguards.password_change_ends_sessions() {
            self.end_all(context);
        }
        let version = context.after(self.core.version.max(proven));
        self.core.version = version;
        record.insert("version".into(), version.as_millis().into());
        self.pending = Some(Pending { key, text: json::to_ascii(&record) });
        Reply::Changed { version }
    }

    fn is_revoked(&self, token_id: &TokenId) -> bool {
        self.core.revoked.contains_key(token_id)
    }

    /// The sessions, the most recently used first.
    fn summaries(&self) -> Vec<SessionSummary> {
        let mut summaries: Vec<_> = self.sessions.iter().map(|(id, session)| session.summary(id)).collect();
        summaries.sort_by(|one, two| (two.last_used, &two.id).cmp(&(one.last_used, &one.id)));
        summaries
    }

    fn end<S: Safeguards + ?Sized>(&mut self, session: &SessionId, context: &Context<'_, S>) {
        self.sessions.remove(session);
        let until = context.all_expired(context.now);
        let entry = Entry { mark: RevocationKey::session(session), before: None, until };
        self.announce(Cause::SessionEnded, entry, context);
    }

    fn end_all<S: Safeguards + ?Sized>(&mut self, context: &Context<'_, S>) {
        let now = context.after(self.core.ended);
        // The object may have moved from a machine whose clock was ahead: a session may begin later than `now`.
        let latest = self.sessions.values().map(Session::created).max();
        let latest = latest.filter(|_| context.safeguards.end_of_all_covers_later_clocks());
        let ended = latest.map_or(now, |latest| latest.max(now));
        self.sessions.clear();
        self.core.ended = ended;
        // No account's object knows of an end of everybody's sessions: the log must keep it, for tokens without `exp`
        // too.
        let until = if *context.name == ObjectName::everybody() { FOREVER } else { context.all_expired(ended) };
        let entry = Entry { mark: RevocationKey::user(context.name), before: Some(ended), until };
        self.announce(Cause::AllEnded, entry, context);
    }

    fn announce<S: Safeguards + ?Sized>(&mut self, cause: Cause, entry: Entry, context: &Context<'_, S>) {
        if !context.safeguards.announces(cause) {
            return;
        }
        let announcements = &mut self.core.announcements;
        match announcements.iter_mut().find(|waiting| waiting.mark == entry.mark) {
            Some(waiting) => *waiting = context.safeguards.merged(waiting, &entry),
            None => announcements.push(entry),
        }
    }

    /// Refuses records of an earlier version from now on, including one that is not in KV yet.
    fn retire(&mut self, version: Timestamp) {
        if version > self.core.version {
            self.core.version = version;
            self.pending = None;
        }
    }

    /// Drops what has expired.
    pub(super) fn tidy<S: Safeguards + ?Sized>(&mut self, context: &Context<'_, S>) {
        let now = context.now;
        let expired = self.sessions.extract_if(.., |_, session| session.end(context) <= now);
        for (id, session) in expired.collect::<Vec<_>>() {
            // Announced, since its last access token may outlive it, and a log-out with that token finds no session to
            // end.
            let until = context.all_expired(session.last_used());
            if until > now {
                let entry = Entry { mark: RevocationKey::session(&id), before: None, until };
                self.announce(Cause::SessionExpired, entry, context);
            }
        }
        self.core.revoked.retain(|_, until| !context.safeguards.is_revoked_token_over(*until, now));
        self.login_throttle.forget(now);
        self.replies.retain(|past| past.at.later(REPLY_KEPT_FOR) > now);
    }
}

impl From<Wait> for Reply {
    fn from(wait: Wait) -> Self {
        match wait {
            Wait::Busy => Self::Busy,
            Wait::Seconds(seconds) => Self::Wait { seconds },
        }
    }
}

fn row<T: serde::de::DeserializeOwned>(value: &str) -> Result<T, Unreadable> {
    serde_json::from_str(value).map_err(|_| Unreadable)
}

fn text<T: Serialize>(value: &T) -> String {
    json::to_ascii(value)
}

#[cfg(test)]
mod tests;
