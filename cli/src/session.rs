//! `tollgate session`: lists and ends sessions at a gate. Commands that change users end sessions with
//! [`SessionEnder`].

use crate::{
    clock,
    failure::{Exit, Failure},
    gate::{Change, Changed, Gate, GateArgs, Place},
    kv::Store,
    output::{Output, counted, remark, visible},
    prompt,
    record::{self, shown_id},
    wrangler_config::Selection,
};
use serde_json::{Value, json};
use tollgate::rules::{account::SessionSummary, identity::Id, store::LoginRecord, time::Timestamp};

#[derive(clap::Subcommand)]
pub enum Command {
    /// List a user's sessions
    #[command(
        after_help = "Examples:\n  tollgate session list alice --remote --gate https://app.example.com\n  tollgate session list --id 7 --json    (with TOLLGATE_GATE in the environment)"
    )]
    List {
        #[command(flatten)]
        who: Who,
        #[command(flatten)]
        place: Place,
    },
    /// End one session and revoke its tokens
    ///
    /// Its tokens are rejected everywhere within TOLLGATE_REVOCATION_BOUND (default: 10 seconds).
    #[command(
        after_help = "Example:\n  tollgate session end alice --session 019abc3e-…    (`session list` shows the id)"
    )]
    End {
        #[command(flatten)]
        who: Who,
        /// Session id, as `session list` shows it
        #[arg(long, value_name = "ID")]
        session: String,
        #[command(flatten)]
        place: Place,
    },
    /// End all of a user's sessions and revoke their tokens
    ///
    /// The user can log in again at once, unless --retire-password is given.
    #[command(
        after_help = "Examples:\n  tollgate session end-all alice --remote\n  tollgate session end-all --id 7 --retire-password    (after disabling or deleting the user)"
    )]
    EndAll {
        #[command(flatten)]
        who: Who,
        /// Also reject log-ins with the current password, even where the store is a minute behind, until `user
        /// set-password`, `user enable` or `user add` writes a new record
        #[arg(long)]
        retire_password: bool,
        /// Also forget the user's attributes, after the user was deleted
        #[arg(long)]
        forget_attributes: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Revoke one token; its session continues
    #[command(
        after_help = "Example:\n  tollgate session revoke-token --id 7 --token-id 3f0c…    (`token inspect` shows the jti)"
    )]
    RevokeToken {
        #[command(flatten)]
        who: Who,
        /// The token's `jti` claim
        #[arg(long, value_name = "JTI")]
        token_id: String,
        #[command(flatten)]
        place: Place,
    },
    /// End every session of every user
    ///
    /// Every user must log in again. Asks for confirmation first.
    #[command(after_help = "Example:\n  tollgate session end-everybody --gate https://app.example.com")]
    EndEverybody {
        /// Skip the confirmation
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        gate: GateArgs,
        #[command(flatten)]
        selection: Selection,
    },
}

/// The user, by name or id.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
pub struct Who {
    /// User name, looked up in the store
    name: Option<String>,
    /// User id, instead of the name; the store is not read. 7 is an integer; abc and '"7"' are strings
    #[arg(long, allow_hyphen_values = true)]
    id: Option<String>,
}

/// When tokens are rejected.
const SOON: &str = "tokens are rejected everywhere within seconds (TOLLGATE_REVOCATION_BOUND)";

pub fn run(command: Command, output: Output) -> Result<Exit, Failure> {
    match command {
        Command::List { who, place } => {
            let (gate, id) = open(&who, &place)?;
            let sessions = gate.sessions(&id)?;
            output.result(&table(&sessions), &json!({"id": id.to_json(), "sessions": sessions}));
            remark(&counted(sessions.len(), "session"));
        }
        Command::End { who, session, place } => {
            let (gate, id) = open(&who, &place)?;
            gate.end(&id, &session)?;
            output.result(
                &format!("session {} has ended; its {SOON}", visible(&session)),
                &json!({"id": id.to_json(), "session": session, "ended": true}),
            );
        }
        Command::EndAll { who, retire_password, forget_attributes, place } => {
            let (gate, id) = open(&who, &place)?;
            gate.end_all(&id, retire_password, None, forget_attributes)?;
            let retired = if retire_password { "\nlog-ins with the current password are rejected" } else { "" };
            output.result(
                &format!("all sessions of user {} have ended; their {SOON}{retired}", shown_id(&id)),
                &json!({"id": id.to_json(), "ended": "all", "password_retired": retire_password}),
            );
        }
        Command::RevokeToken { who, token_id, place } => {
            let (gate, id) = open(&who, &place)?;
            gate.revoke(&id, &token_id)?;
            output.result(
                &format!(
                    "token {} is revoked; it is rejected everywhere within seconds (TOLLGATE_REVOCATION_BOUND)",
                    visible(&token_id)
                ),
                &json!({"id": id.to_json(), "token_id": token_id, "revoked": true}),
            );
        }
        Command::EndEverybody { yes, gate, selection } => {
            let gate = Gate::open(&gate, &selection)?;
            if !yes && !prompt::confirm(&format!("End all sessions of all users of {}?", gate.address()))? {
                return Err(Failure::rejected("no session was ended", "type `yes` to confirm"));
            }
            gate.end_everybody()?;
            output.result(&format!("all sessions of all users have ended; {SOON}"), &json!({"ended": "everybody"}));
        }
    }
    Ok(Exit::Success)
}

/// The gate and the user's id.
fn open(who: &Who, place: &Place) -> Result<(Gate, Id), Failure> {
    let gate = Gate::open(&place.gate, &place.store.selection)?;
    let id = match (&who.name, &who.id) {
        (_, Some(id)) => record::id_from_text(id),
        (name, None) => {
            gate.check_store(&place.store)?;
            let store = Store::open(&place.store)?;
            let key = LoginRecord::key(name.as_deref().unwrap_or_default());
            let text = store.get_one(&key)?.ok_or_else(|| {
                Failure::rejected(
                    format!("no user of this name in the {}", store.name()),
                    "`tollgate user list` shows the names (case matters); name a deleted user by --id",
                )
            })?;
            record::login(&text)?.id()
        }
    };
    Ok((gate, id))
}

/// A table with one session a line.
fn table(sessions: &[SessionSummary]) -> String {
    if sessions.is_empty() {
        return "no sessions".into();
    }
    let time = |seconds: i64| clock::utc(seconds).unwrap_or_else(|| seconds.to_string());
    let head = ["SESSION", "LOGGED IN", "LAST USED", "COUNTRY", "CLIENT"].map(str::to_owned);
    let row = |session: &SessionSummary| {
        let [id, country, client] =
            [session.id.as_str(), &session.country, &session.user_agent].map(|text| visible(text).into_owned());
        [id, time(session.created), time(session.last_used), country, client]
    };
    let rows: Vec<[String; 5]> = std::iter::once(head).chain(sessions.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 5] = std::array::from_fn(width);
    let line = |row: &[String; 5]| {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Why a user's sessions are to end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The password was changed, by a record of this version.
    PasswordChanged(Timestamp),
    /// The user was disabled, by a record of this version; or deleted.
    UserRemoved(Option<Timestamp>),
}

/// Ends a user's sessions at the gate after the user was changed in the store.
///
/// The store is always changed first: in the other order the user could log in again in between with the old record. If
/// the gate can't be reached afterwards, the change remains and sessions continue, as without --gate.
pub struct SessionEnder<'a> {
    gate: Option<Gate>,
    selection: &'a Selection,
}

impl<'a> SessionEnder<'a> {
    /// Finds the gate. Called before the store is written; sends nothing.
    pub fn open(place: &'a Place) -> Result<Self, Failure> {
        let selection = &place.store.selection;
        let gate = Gate::find(&place.gate, selection)?;
        gate.as_ref().map_or(Ok(()), |gate| gate.check_store(&place.store))?;
        Ok(Self { gate, selection })
    }

    /// Ends a user's sessions and returns `true`. Without a gate, prints on standard error how long sessions and tokens
    /// remain valid, and returns `false`.
    ///
    /// # Errors
    /// The gate did not end them. The hint has the command that does.
    pub fn end_sessions(&self, store: &Store, id: &Id, reason: Reason) -> Result<bool, Failure> {
        let Some(gate) = &self.gate else {
            let tokens = match reason {
                Reason::PasswordChanged(_) => "tokens remain valid until they expire",
                Reason::UserRemoved(_) => "tokens remain valid until they expire on routes with user = \"token\"",
            };
            if !store.toml.bindings().sessions {
                remark(&format!("{tokens}: this gate has no sessions (`tollgate config check`)"));
                return Ok(false);
            }
            let what = match reason {
                Reason::PasswordChanged(_) => "sessions remain valid until the user logs in with the new password",
                Reason::UserRemoved(_) => tokens,
            };
            remark(&format!(
                "{what}, because no gate is named (--gate); to end them: {}",
                self.command(id, reason, "URL")
            ));
            return Ok(false);
        };
        let (is_removed, version) = match reason {
            Reason::PasswordChanged(version) => (false, Some(version)),
            Reason::UserRemoved(version) => (true, version),
        };
        // A deleted user has no record of a version.
        gate.end_all(id, is_removed, version, reason == Reason::UserRemoved(None)).map(|()| true).map_err(|failure| {
            let command = self.command(id, reason, gate.address());
            Failure {
                exit: failure.exit,
                what: format!("the store was changed, but the sessions were not ended: {}", failure.what),
                hint: match failure.exit {
                    Exit::Store => format!("when the gate is available: {command}"),
                    _ => format!("{}\n       then: {command}", failure.hint),
                },
            }
        })
    }

    /// Reports to the gate that the attributes were replaced by those of this profile. Returns what the gate has
    /// then; `None` without a gate.
    ///
    /// # Errors
    /// The gate may know earlier ones.
    pub fn replace_attributes(&self, id: &Id, profile: &str) -> Result<Option<Changed>, Failure> {
        let Some(gate) = &self.gate else { return Ok(None) };
        gate.set_attributes(id, profile, &Change::Replaced).map(Some).map_err(|failure| Failure {
            what: format!(
                "the store was changed and the sessions have ended, but new tokens may have the former attributes: {}",
                failure.what
            ),
            ..failure
        })
    }

    fn command(&self, id: &Id, reason: Reason, address: &str) -> String {
        let mut command = format!("tollgate session end-all --id {}", quoted(&shown_id(id)));
        if matches!(reason, Reason::UserRemoved(_)) {
            command += " --retire-password";
        }
        if reason == Reason::UserRemoved(None) {
            command += " --forget-attributes";
        }
        command += &format!(" --gate {address}");
        if let Some(config) = &self.selection.config {
            command += &format!(" --config {}", quoted(&config.to_string_lossy()));
        }
        if let Some(env) = self.selection.env() {
            command += &format!(" --env {}", quoted(env));
        }
        command
    }
}

/// A text as one word of a shell command, in quotes if needed.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", visible(text).replace('\'', "'\\''"))
}

/// The member `sessions_ended` of a result.
pub fn ended_json(ended: &Result<bool, Failure>) -> Value {
    ended.as_ref().is_ok_and(|ended| *ended).into()
}
