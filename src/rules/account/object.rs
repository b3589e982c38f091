//! What an account's object does with a command, what the objects are called, and what a session's id says.

use super::{Account, Command, Lifetimes, Pending, Reply, Rows, Timestamp, Unreadable};
use crate::{
    mutant::Mutant,
    rules::{identity::Id, revocation::Entry, store::LoginRecord},
};
use base64ct::{Base64UrlUnpadded, Encoding};
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

/// The Durable Objects' binding.
pub const BINDING: &str = "ACCOUNTS";
/// The object that stands for every account: its end of all hits everybody.
pub const EVERYBODY: &str = "everybody";

/// What the object does after a command, in this order.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Rows to write, and those without a value to delete: in one transaction.
    pub changes: Vec<(String, Option<String>)>,
    /// Then the register is told these; if that is done, [`Command::Delivered`] comes next.
    pub announcements: Vec<Entry>,
    /// Then KV is told this; the same holds. One write at a time, and always what the latest step says: another command
    /// may have come while the register was told.
    pub record: Option<Pending>,
    /// Then the reply goes out.
    pub reply: Reply,
    /// Not, but "not now" in its place, if the register could not be told: this command, or one before it, has ended
    /// something, and the reply would promise that the end is known.
    pub promises_an_end: bool,
    /// When [`Command::Tidy`] is due.
    pub wake: Option<Timestamp>,
}

impl Step {
    /// Must somebody be told something?
    #[must_use]
    pub fn is_left_to_tell(&self) -> bool {
        !self.announcements.is_empty() || self.record.is_some()
    }
}

/// What the object does: out of what it has stored, a command with its id, and the time. A command that comes again
/// under the same id gets the same reply, and nothing is done again.
///
/// # Errors
/// If what is stored can't be read; then nothing is done.
pub fn step(
    rows: &Rows,
    name: &str,
    id: Option<&str>,
    command: Command,
    lifetimes: &Lifetimes,
    now: Timestamp,
) -> Result<Step, Unreadable> {
    let mut account = Account::read(rows)?;
    // What ran out by itself is nothing that a reply promises.
    account.tidy(lifetimes, now);
    let announced = account.announcements().to_vec();
    let wants_an_end = matches!(
        command,
        Command::End { .. } | Command::EndAll { .. } | Command::Revoke { .. } | Command::SetPassword { .. }
    );
    let past = id.and_then(|id| account.past_reply(id, &command).cloned());
    let is_repeated = past.is_some();
    let reply = match (past, id) {
        (Some(reply), _) => reply,
        (None, Some(id)) => account.answer_once(name, id, command, lifetimes, now),
        (None, None) => account.answer(name, command, lifetimes, now),
    };
    let after = account.rows();
    let gone = rows.keys().filter(|key| !after.contains_key(*key)).map(|key| (key.clone(), None));
    let put = after.iter().filter(|(key, value)| rows.get(*key) != Some(value));
    let put = put.map(|(key, value)| (key.clone(), Some(value.clone())));
    let has_ended = account.announcements().iter().any(|entry| !announced.contains(entry));
    // Who asks again, because the first time the register could not be told, finds the end made already.
    let ended_before = (wants_an_end || is_repeated)
        && !account.announcements().is_empty()
        && !Mutant::SecondEndPromisesNothing.is_on();
    let is_refused = matches!(reply, Reply::Ended { reused: true } | Reply::Stale);
    Ok(Step {
        changes: gone.chain(put).collect(),
        announcements: account.announcements().to_vec(),
        record: account.record().cloned(),
        promises_an_end: (has_ended || ended_before) && !is_refused && !Mutant::AcknowledgedEarly.is_on(),
        reply,
        wake: account.next_tidy(lifetimes),
    })
}

/// The object that counts tries of this name, whether anybody has it or not. By its hash: people type passwords into
/// name fields. Whatever its capitals and the blanks around it: an application may have one user for all of them.
#[must_use]
pub fn of_name(name: &str) -> String {
    format!("name:{}", hash(&LoginRecord::key(&name.trim().to_lowercase())))
}

/// The object that counts failures from this address, by its hash.
#[must_use]
pub fn of_address(address: &str) -> String {
    format!("address:{}", hash(address))
}

/// The object of the account that tokens name so. `is_text`: do they name everybody by a text, so that user `1` and
/// user `"1"` can't be told apart?
#[must_use]
pub fn of_account(id: &Id, is_text: bool) -> String {
    if is_text { format!("user:{}", Id::Text(id.to_string()).to_json()) } else { format!("user:{}", id.to_json()) }
}

/// SHA-256 in base64url: what a device's secret and address are known by.
#[must_use]
pub fn hash(text: &str) -> String {
    Base64UrlUnpadded::encode_string(&Sha256::digest(text.as_bytes()))
}

/// A session's id: a UUID of version 7 (RFC 9562 §5.7), which says when the session began.
#[must_use]
pub fn session_id(began: Timestamp, entropy: &str) -> String {
    let digest = Sha256::digest(entropy.as_bytes());
    let mut random = [0; 10];
    random.copy_from_slice(&digest[..10]);
    Builder::from_unix_timestamp_millis(u64::try_from(began.as_millis()).unwrap_or_default(), &random)
        .into_uuid()
        .to_string()
}

/// When a session began, `None` if this is none of our ids.
#[must_use]
pub fn began(session: &str) -> Option<Timestamp> {
    let id = Uuid::try_parse(session).ok().filter(|id| id.get_version_num() == 7)?;
    let (seconds, nanoseconds) = id.get_timestamp()?.to_unix();
    let millis = i64::try_from(seconds).ok()?.checked_mul(1000)? + i64::from(nanoseconds / 1_000_000);
    Some(Timestamp::from_millis(millis))
}
