//! One step of an account's object: a command on its stored rows.

use super::{Account, Command, Context, Pending, Reply, Rows, Unreadable};
use crate::rules::{
    revocation::{Entry, RevocationKey},
    safeguards::Safeguards,
    time::Timestamp,
};

/// The name of the Durable Objects' binding.
pub const BINDING: &str = "ACCOUNTS";

/// What the object must do after a command, in the order of the fields.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Rows to write, or to delete if there is no value, in one transaction.
    pub changes: Vec<(String, Option<String>)>,
    /// Entries to send to the revocation log. Once the log has them, the object carries out [`Command::Delivered`].
    pub announcements: Vec<Entry>,
    /// The record to write to KV, followed by [`Command::Delivered`] too. One write at a time, and always the record of
    /// the latest step: another command may have been carried out while the log was written.
    pub record: Option<Pending>,
    /// The reply to send.
    pub reply: Reply,
    /// Whether the reply promises that a revocation is in the log. If the log could not be written, the object must
    /// answer with an error in the reply's place.
    pub promises_an_end: bool,
    /// When [`Command::Tidy`] is due; `None` if nothing will expire.
    pub wake: Option<Timestamp>,
}

impl Step {
    /// Whether the revocation log or KV must be written.
    #[must_use]
    pub fn is_left_to_tell(&self) -> bool {
        !self.announcements.is_empty() || self.record.is_some()
    }
}

/// Carries out a command on the stored rows. A command that is repeated under the same id gets the same reply and
/// changes nothing.
///
/// # Errors
/// [`Unreadable`] if a row can't be read; then nothing is done.
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
        Command::End { .. }
            | Command::EndAll { .. }
            | Command::Revoke { .. }
            | Command::SetPassword { .. }
            | Command::SetAttributes { .. }
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
    // A command that learns newer attributes from the store promises nothing about tokens with the earlier ones: a
    // refresh must not fail because the log can't be reached.
    let claims = RevocationKey::claims(context.name);
    let is_owed = |entry: &&Entry| wants_an_end || entry.mark != claims;
    let has_ended = account.announcements().iter().filter(is_owed).any(|entry| !announced.contains(entry));
    // A client retries because the log could not be reached the first time: the session has ended already.
    let ended_before = (wants_an_end || is_repeated) && account.announcements().iter().any(|entry| is_owed(&entry));
    let is_refused = matches!(reply, Reply::Ended { reused: true } | Reply::Stale | Reply::TooLong);
    Ok(Step {
        changes: gone.chain(put).collect(),
        announcements: account.announcements().to_vec(),
        record: account.record().cloned(),
        promises_an_end: context.safeguards.promises_an_end(has_ended, ended_before) && !is_refused,
        reply,
        wake: account.next_tidy(context),
    })
}
