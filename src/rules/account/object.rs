//! What an account's object does with a command.

use super::{Account, Command, Lifetimes, Pending, Reply, Rows, Timestamp, Unreadable};
use crate::{
    mutant::Mutant,
    rules::{ids::ObjectName, revocation::Entry},
};

/// The Durable Objects' binding.
pub const BINDING: &str = "ACCOUNTS";

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
    name: &ObjectName,
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
