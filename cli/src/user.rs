//! `tollgate user`: the users in the store.

use crate::{
    clock,
    failure::{Exit, Failure},
    gate::{Change, Gate, Place},
    import,
    kv::{MAX_PAIRS, Store, StoreArgs},
    output::{Output, counted, grouped, json_line, print_json_line, remark, visible, warning},
    password as hashes, prompt,
    record::{self, User},
    secret,
    session::{self, Reason, SessionEnder},
};
use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Value, json};
use std::{collections::HashMap, time::Duration};
use tollgate::rules::{
    identity::Id,
    password::{self, PasswordHash},
    store::{LoginRecord, Profile, Status},
};

#[derive(clap::Subcommand)]
pub enum Command {
    /// Add a user
    ///
    /// The password is asked for twice at a terminal, else read from the first line of standard input. Fails if the
    /// name or id is taken. Without --id the user gets a random string of 128 bits.
    #[command(
        after_help = "Examples:\n  tollgate user add alice --id 7 role=admin\n  pass show alice | tollgate user add alice --remote"
    )]
    Add {
        /// User name, as typed at log-in; case matters
        name: String,
        /// User id [default: random]. 7 is an integer; abc and '"7"' are strings
        #[arg(long, allow_hyphen_values = true)]
        id: Option<String>,
        /// Attributes, for claims of tokens (TOLLGATE_CLAIMS). A value is JSON, or else a string
        #[arg(value_name = "KEY=VALUE", value_parser = attribute)]
        attributes: Vec<(String, Value)>,
        /// Attribute, as above
        #[arg(long = "attribute", value_name = "KEY=VALUE", value_parser = attribute)]
        more: Vec<(String, Value)>,
        /// Replace a user who exists: keeps the id, ends all sessions
        #[arg(long)]
        replace: bool,
        /// Accept a password that is too short, common or otherwise rejected
        #[arg(long)]
        allow_weak: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Set or remove a user's attributes
    ///
    /// With --gate tokens with claims of the former attributes (TOLLGATE_CLAIMS) are rejected everywhere within
    /// TOLLGATE_REVOCATION_BOUND (default: 10 seconds), in the words for expired tokens. Sessions go on: clients of
    /// Flask-JWT-Extended refresh; in Flask-JWT's dialect, which has no refresh tokens, the user logs in again.
    /// Other attributes than those of claims reject no token. Without --gate such tokens are valid until the user's
    /// next log-in or refresh, or until they expire, and new ones have the new claims in about a minute.
    #[command(
        after_help = "Examples:\n  tollgate user set alice role=viewer --gate http://localhost:8787\n  tollgate user set alice --without role --remote --gate https://app.example.com"
    )]
    Set {
        /// User name
        name: String,
        /// Attributes to set. A value is JSON, or else a string
        #[arg(value_name = "KEY=VALUE", value_parser = attribute)]
        attributes: Vec<(String, Value)>,
        /// Attribute to set, as in `user add`
        #[arg(long = "attribute", value_name = "KEY=VALUE", value_parser = attribute)]
        more: Vec<(String, Value)>,
        /// Attribute to remove
        #[arg(long, value_name = "KEY")]
        without: Vec<String>,
        #[command(flatten)]
        place: Place,
    },
    /// Show a user: id, status, attributes, and kind and cost of the hash
    #[command(after_help = "Example:\n  tollgate user show alice --json")]
    Show {
        /// User name
        name: String,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// List user names
    #[command(after_help = "Examples:\n  tollgate user list\n  tollgate user list --long --remote --env staging")]
    List {
        /// Also list ids and status. Reads every record; on Cloudflare 100 a call, two seconds each
        #[arg(long)]
        long: bool,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Change a user's password and end all sessions
    ///
    /// The password is asked for twice at a terminal, else read from the first line of standard input. If the old hash
    /// was outdated, a simultaneous log-in may write it back (docs/storage.md). So with --remote the store is read
    /// again after two minutes, and corrected if necessary.
    #[command(after_help = "Example:\n  tollgate user set-password alice")]
    SetPassword {
        /// User name
        name: String,
        /// Time after which the store is read again if the old hash was outdated; 0 is never [default: 120 with
        /// --remote, else 0]
        #[arg(long, value_name = "SECONDS")]
        second_look: Option<u32>,
        /// Accept a password that is too short, common or otherwise rejected
        #[arg(long)]
        allow_weak: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Reject a user's log-ins and end all sessions
    ///
    /// Without --gate sessions are not ended: routes with user = "stored" reject the user's tokens at once, other
    /// routes accept them until they expire.
    #[command(after_help = "Example:\n  tollgate user disable alice --remote --gate https://app.example.com")]
    Disable {
        /// User name
        name: String,
        #[command(flatten)]
        place: Place,
    },
    /// Allow a disabled user to log in again
    #[command(after_help = "Example:\n  tollgate user enable alice --remote")]
    Enable {
        /// User name
        name: String,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Delete a user and end all sessions
    ///
    /// Without --gate sessions are not ended: routes with user = "stored" reject the user's tokens at once, other
    /// routes accept them until they expire.
    #[command(
        after_help = "Examples:\n  tollgate user delete alice\n  tollgate user delete alice --id 7    (complete an interrupted delete)"
    )]
    Delete {
        /// User name
        name: String,
        /// User id, if only the profile is left after an interrupted delete
        #[arg(long, allow_hyphen_values = true)]
        id: Option<String>,
        #[command(flatten)]
        place: Place,
    },
    /// Print all users, with their hashes, as JSON lines for `user import`
    #[command(
        after_help = "Example (a file that only you can read):\n  (umask 077; tollgate user export > users.jsonl)"
    )]
    Export {
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Add users from a file of JSON lines or CSV
    #[command(after_help = import::EXAMPLES, long_about = import::ABOUT)]
    Import(import::Args),
}

pub fn run(command: Command, output: Output) -> Result<Exit, Failure> {
    match command {
        Command::Add { name, id, mut attributes, more, replace, allow_weak, place } => {
            attributes.extend(more);
            check_once(&attributes)?;
            let sessions = if replace { Some(SessionEnder::open(&place)?) } else { None };
            add(&name, id, attributes, AddOptions { replace: sessions, allow_weak }, &place.store, output)
        }
        Command::Set { name, mut attributes, more, without, place } => {
            attributes.extend(more);
            set(&name, attributes, &without, &place, output)
        }
        Command::Show { name, store } => show(&name, &store, output),
        Command::List { long, store } => list(long, &store, output),
        Command::SetPassword { name, second_look, allow_weak, place } => {
            let sessions = SessionEnder::open(&place)?;
            let default = if place.store.is_remote() { REMOTE_SECOND_LOOK } else { 0 };
            set_password(&name, second_look.unwrap_or(default), allow_weak, &sessions, &place.store, output)
        }
        Command::Disable { name, place } => {
            let sessions = SessionEnder::open(&place)?;
            set_status(&name, Status::Disabled, Some(&sessions), &place.store, output)
        }
        Command::Enable { name, store } => set_status(&name, Status::Active, None, &store, output),
        Command::Delete { name, id, place } => {
            let sessions = SessionEnder::open(&place)?;
            delete(&name, id, &sessions, &place.store, output)
        }
        Command::Export { store } => export(&store),
        Command::Import(args) => import::run(&args, output),
    }
}

/// Default of `user set-password --remote --second-look`, in seconds. A read of KV can be a minute old.
const REMOTE_SECOND_LOOK: u32 = 120;

fn attribute(text: &str) -> Result<(String, Value), String> {
    let (key, value) = text.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or("write KEY=VALUE")?;
    Ok((key.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| value.into())))
}

/// # Errors
/// An attribute is set twice.
fn check_once(attributes: &[(String, Value)]) -> Result<(), Failure> {
    let is_again = |(at, (key, _)): &(usize, &(String, Value))| attributes[..*at].iter().any(|(known, _)| known == key);
    match attributes.iter().enumerate().find(is_again) {
        Some((_, (key, _))) => Err(Failure::usage(format!("{key} is set twice"), "write each attribute once")),
        None => Ok(()),
    }
}

fn set(
    name: &str,
    attributes: Vec<(String, Value)>,
    without: &[String],
    place: &Place,
    output: Output,
) -> Result<Exit, Failure> {
    if attributes.is_empty() && without.is_empty() {
        return Err(Failure::usage("nothing to set", "name an attribute: role=viewer, or --without role"));
    }
    check_once(&attributes)?;
    if let Some((both, _)) = attributes.iter().find(|(key, _)| without.contains(key)) {
        return Err(Failure::usage(format!("{both} is both set and removed"), "remove one of the two"));
    }
    let gate = Gate::find(&place.gate, &place.store.selection)?;
    gate.as_ref().map_or(Ok(()), |gate| gate.check_store(&place.store))?;
    let store = Store::open(&place.store)?;
    let record = existing(&store, name)?;
    let key = Profile::key(&record.id());
    let profile = store.get_one(&key)?;
    let mut user = User::read(name, &record, profile.as_deref());
    let (revokes, text) = if let Some(gate) = &gate {
        // The gate's answer is the truth; the store gets a copy of it.
        let set = attributes.into_iter().collect();
        let sent = profile.clone().unwrap_or_else(|| user.profile().1);
        let changed = gate.set_attributes(&record.id(), &sent, &Change::Some { set, without })?;
        user.take(&changed);
        let text = if changed.revokes {
            "tokens with claims of other values are rejected everywhere within seconds (TOLLGATE_REVOCATION_BOUND). Sessions go on: clients refresh, and cookies that are renewed get the new claims; in Flask-JWT's dialect, which has no refresh tokens, the user logs in again"
        } else {
            "no claim of tokens (TOLLGATE_CLAIMS) is made of what has changed, so all tokens stay valid"
        };
        (changed.revokes, text)
    } else {
        user.attributes.retain(|key, _| !without.contains(key));
        user.attributes.extend(attributes);
        user.attributes_version = record::attributes_version(profile.as_deref(), &user.attributes, clock::now());
        if store.toml.bindings().sessions {
            remark(
                "tokens with claims of the former attributes remain valid until the user's next log-in or refresh, or until they expire, because no gate is named; to have them rejected now, run the command again with --gate URL",
            );
        }
        (false, "they are in tokens that are issued where the store shows them: everywhere in about a minute")
    };
    let written = match profile {
        Some(profile) => store.put_one((key, record::with_attributes(&profile, &user))),
        None => store.put_one(user.profile()),
    };
    written.map_err(|failure| match gate {
        Some(_) => Failure {
            what: format!("the gate has the attributes, but the store has no copy of them: {}", failure.what),
            hint: format!("run the command again; repeating it is safe ({})", failure.hint),
            ..failure
        },
        None => failure,
    })?;
    output.result(
        &format!("the attributes of {} are set in the {}; {text}", visible(name), store.name()),
        &json!({"username": name, "attributes": user.attributes, "tokens_rejected": revokes}),
    );
    Ok(Exit::Success)
}

/// The options of `user add`.
struct AddOptions<'a> {
    /// Replaces a user who exists, and ends the sessions; `None` fails.
    replace: Option<SessionEnder<'a>>,
    allow_weak: bool,
}

fn add(
    name: &str,
    id: Option<String>,
    attributes: Vec<(String, Value)>,
    options: AddOptions<'_>,
    store: &StoreArgs,
    output: Output,
) -> Result<Exit, Failure> {
    record::check_name(name).map_err(|wrong| Failure::usage(wrong, "write a name as in: tollgate user add alice"))?;
    let store = Store::open(store)?;
    let login_key = LoginRecord::key(name);
    let given = id.as_deref().map(record::id_from_text);
    let mut keys = vec![login_key.clone()];
    keys.extend(given.as_ref().map(Profile::key));
    let found = store.get(&keys)?;
    let present = match found.get(&login_key) {
        Some(_) if options.replace.is_none() => {
            return Err(Failure::rejected(
                "a user of this name exists already",
                "to change the password: tollgate user set-password NAME; to replace the user: --replace",
            ));
        }
        // --replace also replaces a record that can't be read, whose id is then that of --id.
        Some(text) => LoginRecord::read(text.as_bytes()).ok(),
        None => None,
    };
    if let (Some(given), Some(present)) = (&given, &present)
        && *given != present.id()
    {
        return Err(Failure::rejected(
            format!("the user has the id {}, which can't be changed", record::shown_id(&present.id())),
            "remove --id; for a new id delete the user first",
        ));
    }
    let version = present.as_ref().map_or_else(clock::now, |present| present.next_version(clock::now()));
    let generated = given.is_none() && present.is_none();
    let id = match given.or_else(|| present.as_ref().map(LoginRecord::id)) {
        Some(id) => id,
        None => Id::Text(Base64UrlUnpadded::encode_string(&secret::random::<16>()?)),
    };
    let owner = found.get(&Profile::key(&id)).map(|profile| record::profile_name(profile));
    if owner.is_some_and(|owner| owner.as_deref() != Some(&password::normal_form(name))) {
        return Err(Failure::rejected(
            format!("the id {} belongs to another user", record::shown_id(&id)),
            "choose another id, or remove --id for a random one",
        ));
    }
    let hash = new_hash(&store, name, present.as_ref(), options.allow_weak)?;
    let mut user = User {
        name: password::normal_form(name).into_owned(),
        id,
        hash: hash.to_string(),
        status: Status::Active,
        attributes: attributes.into_iter().collect(),
        version,
        attributes_version: version,
    };
    store.put_one(user.profile())?;
    store.put_one(user.login())?;
    let replaced = found.contains_key(&login_key);
    let ended = match options.replace.filter(|_| replaced) {
        Some(sessions) => {
            let ended = sessions.end_sessions(&store, &user.id, Reason::PasswordChanged(version));
            ended.and_then(|ended| {
                if let Some(changed) = sessions.replace_attributes(&user.id, &user.profile().1)? {
                    user.take(&changed);
                    store.put_one(user.profile())?;
                }
                Ok(ended)
            })
        }
        None => Ok(false),
    };
    let id = record::shown_id(&user.id);
    let remark = if generated { " (random; choose one with --id)" } else { "" };
    output.result(
        &format!("user {} is in the {}\nid {id}{remark}{}", visible(&user.name), store.name(), sessions_line(&ended)),
        &json!({
            "username": user.name, "id": user.id.to_json(), "replaced": replaced, "sessions_ended": session::ended_json(&ended),
        }),
    );
    ended.map(|_| Exit::Success)
}

/// Asks for a password that the policy accepts, and hashes it as the gate does, with at least as many iterations as the
/// hash that it replaces.
fn new_hash(
    store: &Store,
    name: &str,
    present: Option<&LoginRecord>,
    allow_weak: bool,
) -> Result<PasswordHash, Failure> {
    let passwords = store.passwords()?;
    let password = prompt::new_password()?;
    hashes::judge(passwords.policy, &password, name, allow_weak)?;
    hashes::remark_missing_pepper(&passwords);
    let hashing = hashes::not_cheaper(&passwords.hashing, present.map(LoginRecord::hash));
    Ok(password::hash(&password, &hashing, secret::random()?))
}

fn show(name: &str, store: &StoreArgs, output: Output) -> Result<Exit, Failure> {
    let store = Store::open(store)?;
    let record = existing(&store, name)?;
    let profile = store.get_one(&Profile::key(&record.id()))?;
    let user = User::read(name, &record, profile.as_deref());
    let hash = hashes::describe(record.hash());
    let outdated = hashes::is_outdated(record.hash(), &store.passwords()?);
    let mut text = format!(
        "name       {}\nid         {}\nstatus     {}\nhash       {hash}{}\n",
        visible(&user.name),
        record::shown_id(&user.id),
        record::shown_status(user.status),
        if outdated { " (outdated: renewed at the next log-in)" } else { "" }
    );
    for (key, value) in &user.attributes {
        text += &format!("attribute  {} = {}\n", visible(key), json_line(value));
    }
    if profile.is_none() {
        text += "profile    missing: routes with user = \"stored\" reject this user; to write it: tollgate user add NAME --replace\n";
    }
    let mut json = user.to_json();
    json["hash"] = json!({"kind": hash, "outdated": outdated});
    json["profile"] = profile.is_some().into();
    output.result(&text, &json);
    Ok(Exit::Success)
}

fn list(long: bool, store: &StoreArgs, output: Output) -> Result<Exit, Failure> {
    let store = Store::open(store)?;
    let keys = store.keys("login")?;
    let (mut text, mut json) = (String::new(), Vec::new());
    if long {
        each_user(&store, &keys, |user| {
            let (id, status) = (record::shown_id(&user.id), record::shown_status(user.status));
            if output.json {
                json.push(json!({"username": user.name, "id": user.id.to_json(), "status": status}));
            } else {
                text += &format!("{}\t{id}\t{status}\n", visible(&user.name));
            }
        })?;
    } else {
        for key in &keys {
            // A name that is too long for a key is replaced by its hash there.
            let name = key.strip_prefix("login:");
            text += &format!("{}\n", visible(name.unwrap_or(key)));
            json.push(name.map_or_else(|| json!({"key": key}), |name| json!({"username": name})));
        }
    }
    if output.json || !text.is_empty() {
        output.result(&text, &json.into());
    }
    remark(&counted(keys.len(), "user"));
    Ok(Exit::Success)
}

fn set_password(
    name: &str,
    second_look: u32,
    allow_weak: bool,
    sessions: &SessionEnder<'_>,
    store: &StoreArgs,
    output: Output,
) -> Result<Exit, Failure> {
    let store = Store::open(store)?;
    let record = existing(&store, name)?;
    let hash = new_hash(&store, name, Some(&record), allow_weak)?;
    let renewed = record.with_hash(&hash).with_version(record.next_version(clock::now()));
    let (key, value) = (LoginRecord::key(name), renewed.write());
    store.put_one((key.clone(), value.clone()))?;
    // Before the wait for the second look.
    let ended = sessions.end_sessions(&store, &record.id(), Reason::PasswordChanged(renewed.version()));
    let mut written = 1;
    if hashes::is_outdated(record.hash(), &store.passwords()?) && second_look > 0 {
        remark(&format!(
            "The new password is stored. The old hash was outdated, so a log-in may be writing it back at this moment:\nthe store is read again in {second_look} s (do not interrupt; docs/storage.md has the reason)"
        ));
        std::thread::sleep(Duration::from_secs(second_look.into()));
        match store.get_one(&key)? {
            Some(present) if present == value || is_later(&present, &renewed) => {}
            Some(_) => {
                store.put_one((key, value))?;
                written = 2;
            }
            None => return Err(Failure::rejected("the user was deleted meanwhile", "nothing needs to be done")),
        }
    }
    output.result(
        &format!("the password of {} was changed in the {}{}", visible(name), store.name(), sessions_line(&ended)),
        &json!({"username": name, "written": written, "sessions_ended": session::ended_json(&ended)}),
    );
    ended.map(|_| Exit::Success)
}

/// A further line of a result if sessions were ended.
fn sessions_line(ended: &Result<bool, Failure>) -> &'static str {
    if matches!(ended, Ok(true)) { "\nall earlier sessions have ended" } else { "" }
}

/// Whether the stored record is newer: somebody else has changed the password or status since.
fn is_later(present: &str, record: &LoginRecord) -> bool {
    LoginRecord::read(present.as_bytes()).is_ok_and(|present| present.version() > record.version())
}

/// The log-in record is written first to disable a user and last to enable one, so that no log-in succeeds in between.
fn set_status(
    name: &str,
    status: Status,
    sessions: Option<&SessionEnder<'_>>,
    store: &StoreArgs,
    output: Output,
) -> Result<Exit, Failure> {
    let store = Store::open(store)?;
    let login_key = LoginRecord::key(name);
    let record = existing(&store, name)?;
    let profile_key = Profile::key(&record.id());
    let profile = store.get_one(&profile_key)?;
    let renewed = record.with_version(record.next_version(clock::now()));
    let mut writes = vec![(login_key, record::with_status(&renewed.write(), status))];
    writes.extend(profile.map(|profile| (profile_key, record::with_status(&profile, status))));
    if status == Status::Active {
        writes.reverse();
    }
    for write in writes {
        store.put_one(write)?;
    }
    let ended = sessions
        .map(|sessions| sessions.end_sessions(&store, &record.id(), Reason::UserRemoved(Some(renewed.version()))));
    let status = record::shown_status(status);
    let mut json = json!({"username": name, "status": status});
    if let Some(ended) = &ended {
        json["sessions_ended"] = session::ended_json(ended);
    }
    let ended = ended.unwrap_or(Ok(false));
    output.result(
        &format!(
            "{} is {status} in the {}; it takes effect in every data centre within about a minute{}",
            visible(name),
            store.name(),
            sessions_line(&ended)
        ),
        &json,
    );
    ended.map(|_| Exit::Success)
}

fn delete(
    name: &str,
    id: Option<String>,
    sessions: &SessionEnder<'_>,
    store: &StoreArgs,
    output: Output,
) -> Result<Exit, Failure> {
    let store = Store::open(store)?;
    let login_key = LoginRecord::key(name);
    let given = id.as_deref().map(record::id_from_text);
    let id = match (store.get_one(&login_key)?, given) {
        (Some(text), given) => {
            let id = record::login(&text)?.id();
            if given.is_some_and(|given| given != id) {
                return Err(Failure::rejected(
                    format!("the user has the id {}", record::shown_id(&id)),
                    "remove --id, or check the user name",
                ));
            }
            store.delete(&login_key)?;
            id
        }
        (None, Some(given)) => {
            let profile = store.get_one(&Profile::key(&given))?.and_then(|profile| record::profile_name(&profile));
            if profile.as_deref() != Some(&*password::normal_form(name)) {
                return Err(no_such_user(&store));
            }
            given
        }
        (None, None) => return Err(no_such_user(&store)),
    };
    store.delete(&Profile::key(&id))?;
    let ended = sessions.end_sessions(&store, &id, Reason::UserRemoved(None));
    output.result(
        &format!("{} was deleted from the {}{}", visible(name), store.name(), sessions_line(&ended)),
        &json!({"username": name, "id": id.to_json(), "deleted": true, "sessions_ended": session::ended_json(&ended)}),
    );
    ended.map(|_| Exit::Success)
}

fn export(store: &StoreArgs) -> Result<Exit, Failure> {
    let store = Store::open(store)?;
    let keys = store.keys("login")?;
    remark(&format!("{}; the lines hold password hashes: keep them secret", counted(keys.len(), "user")));
    each_user(&store, &keys, |user| print_json_line(&user.to_json()))?;
    Ok(Exit::Success)
}

/// Reads both records of each log-in key and calls `found` in the order of the keys. Skips records that can't be read,
/// with a warning.
fn each_user(store: &Store, keys: &[String], mut found: impl FnMut(&User)) -> Result<(), Failure> {
    let mut done = 0;
    for part in keys.chunks(MAX_PAIRS / 2) {
        let logins = store.get(part)?;
        let mut records: HashMap<&str, LoginRecord> = HashMap::new();
        for (key, text) in &logins {
            match LoginRecord::read(text.as_bytes()) {
                Ok(record) => _ = records.insert(key, record),
                Err(_) => warning(&format!("a record can't be read and is skipped (key {key:?})")),
            }
        }
        let profile_keys: Vec<String> = records.values().map(|record| Profile::key(&record.id())).collect();
        let profiles = store.get(&profile_keys)?;
        for key in part {
            let Some(record) = records.get(key.as_str()) else { continue };
            let profile = profiles.get(&Profile::key(&record.id())).map(String::as_str);
            let name = key.strip_prefix("login:").unwrap_or(key);
            found(&User::read(name, record, profile));
        }
        done += part.len();
        if keys.len() > part.len() {
            remark(&format!("  {} of {}", grouped(done), counted(keys.len(), "user")));
        }
    }
    Ok(())
}

fn existing(store: &Store, name: &str) -> Result<LoginRecord, Failure> {
    match store.get_one(&LoginRecord::key(name))? {
        Some(text) => record::login(&text),
        None => Err(no_such_user(store)),
    }
}

fn no_such_user(store: &Store) -> Failure {
    Failure::rejected(
        format!("no user of this name in the {}", store.name()),
        "`tollgate user list` shows the names (case matters); --local, --remote and --env choose the store",
    )
}
