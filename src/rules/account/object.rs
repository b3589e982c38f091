//! What an account's object does with a command.

use super::{Account, Command, Context, Pending, Reply, Rows, Unreadable};
use crate::rules::{revocation::Entry, safeguards::Safeguards, time::Timestamp};

/// The Durable Objects' binding.
pub const BINDING: &str = "ACCOUNTS";

/// What the object does after a command, in this order.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Rows to write, and those without a value to delete: in one transaction.
    pub changes: Vec<(String, Option<String>)>,
    /// Then these go to the revocation log; when it has them, [`Command::Delivered`] comes next.
    pub announcements: Vec<Entry>,
    /// Then this goes to KV; the same holds. One write at a time, and always the record of the latest step: another
    /// command may have come while the log was written.
    pub record: Option<Pending>,
    /// Then the reply goes out.
    pub reply: Reply,
    /// The reply promises that a revocation is in the log: if the log could not be written, an error goes out in the
    /// reply's place.
    pub promises_an_end: bool,
    /// When [`Command::Tidy`] is due.
    pub wake: Option<Timestamp>,
}

impl Step {
    /// Whether the revocation log or KV must be written.
    #[must_use]
    pub fn is_left_to_tell(&self) -> bool {
        !self.announcements.is_empty() || self.record.is_some()
    }
}

/// Carries out a command with its id on the rows that the object has stored. A command that comes again under the same
/// id gets the same reply, and nothing is done again.
///
/// # Errors
/// If the rows can't be read; then nothing is done.
pub fn step<S: Safeguards + ?Sized>(
    rows: &Rows,
    id: Option<&str>,
    command: Command,
    context: &Context<'_, S>,
) -> Result<Step, Unreadable> {
    let mut account = Account::read(rows)?;
    // No reply promises the end of a session that expired.
    account.tidy(context);
    let announced = account.announcements().to_vec();
    let wants_an_end = matches!(
        command,
        Command::End { .. } | Command::EndAll { .. } | Command::Revoke { .. } | Command::SetPassword { .. }
    );
    let past = id.and_then(|id| account.past_reply(id, &command).cloned());
    let past = past.filter(|_| context.safeguards.repeats_replies());
    let is_repeated = past.is_some();
    let reply = match (past, id) {
        (Some(reply), _) => reply,
        (None, Some(id)) => account.answer_once(id, command, context),
        (None, None) => account.answer(command, context),
    };
    let after = account.rows();
    let gone = rows.keys().filter(|key| !after.contains_key(*key)).map(|key| (key.clone(), None));
    let put = after.iter().filter(|(key, value)| rows.get(*key) != Some(value));
    let put = put.map(|(key, value)| (key.clone(), Some(value.clone())));
    let has_ended = account.announcements().iter().any(|entry| !announced.contains(entry));
    // A client that asks again, because the log could not be reached the first time, finds the end made already.
    let ended_before = (wants_an_end || is_repeated) && !account.announcements().is_empty();
    let is_refused = matches!(reply, Reply::Ended { reused: true } | Reply::Stale);
    Ok(Step {
        changes: gone.chain(put).collect(),
        announcements: account.announcements().to_vec(),
        record: account.record().cloned(),
        promises_an_end: context.safeguards.promises_an_end(has_ended, ended_before) && !is_refused,
        reply,
        wake: account.next_tidy(context),
    })
}
