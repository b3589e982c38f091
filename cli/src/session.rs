//! `tollgate session`: lists and ends sessions at a gate. Other commands end sessions with what is here.

use crate::{
    failure::{Exit, Failure},
    gate::{Gate, GateArgs},
    kv::{Store, StoreArgs},
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
        gate: GateArgs,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// End one session, with its tokens
    ///
    /// They are refused everywhere within TOLLGATE_REVOCATION_BOUND: 10 seconds, unless told otherwise.
    #[command(after_help = "Example:\n  tollgate session end alice --session 019abc3e-…    (as `list` names it)")]
    End {
        #[command(flatten)]
        who: Who,
        /// The session's id
        #[arg(long, value_name = "ID")]
        session: String,
        #[command(flatten)]
        gate: GateArgs,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// End all of a user's sessions, with every token
    ///
    /// The user may log in again at once, unless you say --retire-password.
    #[command(
        after_help = "Examples:\n  tollgate session end-all alice --remote\n  tollgate session end-all --id 7 --retire-password    (who was disabled or deleted)"
    )]
    EndAll {
        #[command(flatten)]
        who: Who,
        /// Refuse log-ins by every password that was set before now, even where the store is a minute behind. Undone by
        /// user set-password, user enable or user add
        #[arg(long)]
        retire_password: bool,
        #[command(flatten)]
        gate: GateArgs,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Make one token void; its session goes on
    #[command(
        after_help = "Example:\n  tollgate session revoke-token --id 7 --token-id 3f0c…    (its jti: tollgate token inspect)"
    )]
    RevokeToken {
        #[command(flatten)]
        who: Who,
        /// The token's jti
        #[arg(long, value_name = "JTI")]
        token_id: String,
        #[command(flatten)]
        gate: GateArgs,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// End every session of every user
    ///
    /// Everybody must log in again, all at once. Asks before it does.
    #[command(after_help = "Example:\n  tollgate session end-everybody --gate https://app.example.com")]
    EndEverybody {
        /// Don't ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        gate: GateArgs,
        #[command(flatten)]
        selection: Selection,
    },
}

/// Whose sessions.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
pub struct Who {
    /// The user's name, looked up in the store
    name: Option<String>,
    /// The user's id, in place of the name; the store is not asked: 7 is a number, abc or '"7"' a text
    #[arg(long, allow_hyphen_values = true)]
    id: Option<String>,
}

/// What is said of the end of tokens.
const SOON: &str = "tokens are refused everywhere within seconds (TOLLGATE_REVOCATION_BOUND)";

pub fn run(command: Command, output: Output) -> Result<Exit, Failure> {
    match command {
        Command::List { who, gate, store } => {
            let (gate, id) = open(&who, &gate, &store)?;
            let sessions = gate.sessions(&id)?;
            output.result(&table(&sessions), &json!({"id": id.to_json(), "sessions": sessions}));
            remark(&counted(sessions.len(), "session"));
        }
        Command::End { who, session, gate, store } => {
            let (gate, id) = open(&who, &gate, &store)?;
            gate.end(&id, &session)?;
            output.result(
                &format!("session {} is ended; its {SOON}", visible(&session)),
                &json!({"id": id.to_json(), "session": session, "ended": true}),
            );
        }
        Command::EndAll { who, retire_password, gate, store } => {
            let (gate, id) = open(&who, &gate, &store)?;
            gate.end_all(&id, retire_password, None)?;
            let retired = if retire_password { "\nthe password of before is refused" } else { "" };
            output.result(
                &format!("every session of user {} is ended; its {SOON}{retired}", shown_id(&id)),
                &json!({"id": id.to_json(), "ended": "all", "password_retired": retire_password}),
            );
        }
        Command::RevokeToken { who, token_id, gate, store } => {
            let (gate, id) = open(&who, &gate, &store)?;
            gate.revoke(&id, &token_id)?;
            output.result(
                &format!(
                    "token {} is void; it is refused everywhere within seconds (TOLLGATE_REVOCATION_BOUND)",
                    visible(&token_id)
                ),
                &json!({"id": id.to_json(), "token_id": token_id, "revoked": true}),
            );
        }
        Command::EndEverybody { yes, gate, selection } => {
            let gate = Gate::open(&gate, &selection)?;
            if !yes && !prompt::confirm(&format!("End every session of every user of {}?", gate.address()))? {
                return Err(Failure::refused("nothing was ended", "only `yes` counts as yes"));
            }
            gate.end_everybody()?;
            output.result(&format!("every session of every user is ended; {SOON}"), &json!({"ended": "everybody"}));
        }
    }
    Ok(Exit::Good)
}

/// The gate, and whom it is to be told of.
fn open(who: &Who, gate: &GateArgs, place: &StoreArgs) -> Result<(Gate, Id), Failure> {
    let gate = Gate::open(gate, &place.selection)?;
    let id = match (&who.name, &who.id) {
        (_, Some(id)) => record::id_from_text(id),
        (name, None) => {
            gate.must_fit(place)?;
            let store = Store::open(place)?;
            let key = LoginRecord::key(name.as_deref().unwrap_or_default());
            let text = store.get_one(&key)?.ok_or_else(|| {
                Failure::refused(
                    format!("no user of this name in the {}", store.name()),
                    "who was deleted is named by --id; `tollgate user list` names the others (case counts)",
                )
            })?;
            record::login(&text)?.id()
        }
    };
    Ok((gate, id))
}

/// One line a session.
fn table(sessions: &[SessionSummary]) -> String {
    if sessions.is_empty() {
        return "no sessions".into();
    }
    let time = |seconds| Timestamp::from_seconds(seconds).numeric_date().utc();
    let head = ["SESSION", "LOGGED IN", "LAST USED", "COUNTRY", "CLIENT"].map(str::to_owned);
    let row = |told: &SessionSummary| {
        let [id, country, client] =
            [told.id.as_str(), &told.country, &told.user_agent].map(|text| visible(text).into_owned());
        [id, time(told.created), time(told.last_used), country, client]
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
pub enum Why {
    /// There is another password, in a record of this version.
    Password(Timestamp),
    /// The user was disabled, in a record of this version; or deleted.
    Gone(Option<Timestamp>),
}

/// What other commands say to the gate when they have changed a user in the store.
///
/// The store is always changed first. If the gate can't be reached afterwards, the change holds and sessions go on as
/// without --gate. In the other order the user could log in again in between with the old record.
pub struct Afterwards<'a> {
    gate: Option<Gate>,
    selection: &'a Selection,
}

impl<'a> Afterwards<'a> {
    /// Finds the gate, before anything is written. Nothing is asked of it yet.
    pub fn open(gate: &GateArgs, place: &'a StoreArgs) -> Result<Self, Failure> {
        let gate = Gate::find(gate, &place.selection)?;
        gate.as_ref().map_or(Ok(()), |gate| gate.must_fit(place))?;
        Ok(Self { gate, selection: &place.selection })
    }

    /// Ends a user's sessions: were they ended? Without a gate it says on standard error what goes on, and until when.
    /// A failure says which command makes up for it.
    pub fn end_sessions(&self, store: &Store, id: &Id, why: Why) -> Result<bool, Failure> {
        let Some(gate) = &self.gate else {
            let tokens = match why {
                Why::Password(_) => "tokens go on until they expire",
                Why::Gone(_) => "tokens go on until they expire where a route has user = \"token\"",
            };
            if !store.toml.bindings().sessions {
                remark(&format!("{tokens}: this gate has no sessions (`tollgate config check`)"));
                return Ok(false);
            }
            let what = match why {
                Why::Password(_) => "sessions go on until the user logs in with the new password",
                Why::Gone(_) => tokens,
            };
            remark(&format!("{what}, since no gate was named (--gate); to end them: {}", self.command(id, why, "URL")));
            return Ok(false);
        };
        let (is_gone, version) = match why {
            Why::Password(version) => (false, Some(version)),
            Why::Gone(version) => (true, version),
        };
        gate.end_all(id, is_gone, version).map(|()| true).map_err(|failure| {
            let command = self.command(id, why, gate.address());
            Failure {
                exit: failure.exit,
                what: format!("the store is changed, but sessions go on: {}", failure.what),
                hint: match failure.exit {
                    Exit::Store => format!("as soon as the gate can be told: {command}"),
                    _ => format!("{}\n       then: {command}", failure.hint),
                },
            }
        })
    }

    fn command(&self, id: &Id, why: Why, address: &str) -> String {
        let mut command = format!("tollgate session end-all --id {}", quoted(&shown_id(id)));
        if matches!(why, Why::Gone(_)) {
            command += " --retire-password";
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

/// As a shell takes it for one word.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", visible(text).replace('\'', "'\\''"))
}

/// For a result: were the sessions ended?
pub fn told(ended: &Result<bool, Failure>) -> Value {
    ended.as_ref().is_ok_and(|ended| *ended).into()
}
