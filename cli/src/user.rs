//! `tollgate user`: what is in the store.

use crate::{
    clock,
    failure::{Exit, Failure},
    gate::GateArgs,
    import,
    kv::{MOST_PAIRS, Store, StoreArgs},
    output::{Output, counted, grouped, json_line, print_json_line, remark, visible, warning},
    password as hashes, prompt,
    record::{self, User},
    secret,
    session::{self, Afterwards, Why},
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
    /// The password is asked for twice, or is the first line of standard input. A name or id that is taken is refused.
    /// Without --id the user gets a random text of 128 bits.
    #[command(
        after_help = "Examples:\n  tollgate user add alice --id 7 --attribute role=admin\n  pass show alice | tollgate user add alice --remote"
    )]
    Add {
        /// The name, as it is typed at log-in; case counts
        name: String,
        /// The id: 7 is a number, abc or '"7"' a text
        #[arg(long, allow_hyphen_values = true)]
        id: Option<String>,
        /// What is shown beside the id where a route has user = "stored"; a JSON value, or else a text
        #[arg(long = "attribute", value_name = "KEY=VALUE", value_parser = attribute)]
        attributes: Vec<(String, Value)>,
        /// Write a user who exists anew; the id stays, sessions end
        #[arg(long)]
        replace: bool,
        /// Take a password that is short, common or otherwise refused
        #[arg(long)]
        allow_weak: bool,
        #[command(flatten)]
        gate: GateArgs,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Show what is stored about a user; the hash's cost, not the hash
    #[command(after_help = "Example:\n  tollgate user show alice --json")]
    Show {
        /// The name
        name: String,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// List the users' names
    #[command(after_help = "Examples:\n  tollgate user list\n  tollgate user list --long --remote --env staging")]
    List {
        /// Ids and status too; reads every record, on Cloudflare a hundred at a time
        #[arg(long)]
        long: bool,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Give a user another password, and end all sessions
    ///
    /// It is asked for twice, or is the first line of standard input. If the old hash was outdated, a log-in at the
    /// same time may write it back (docs/storage.md); so with --remote the store is read again after two minutes, and
    /// put right.
    #[command(after_help = "Example:\n  tollgate user set-password alice")]
    SetPassword {
        /// The name
        name: String,
        /// When to read the store again after an outdated hash; 0 is never. Default: 120 with --remote, 0 for the local
        /// store
        #[arg(long, value_name = "SECONDS")]
        second_look: Option<u32>,
        /// Take a password that is short, common or otherwise refused
        #[arg(long)]
        allow_weak: bool,
        #[command(flatten)]
        gate: GateArgs,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Refuse a user's log-ins, and end all sessions
    ///
    /// Without a gate to tell (--gate) tokens are refused only where a route has user = "stored", and the others go on
    /// until they expire.
    #[command(after_help = "Example:\n  tollgate user disable alice --remote --gate https://app.example.com")]
    Disable {
        /// The name
        name: String,
        #[command(flatten)]
        gate: GateArgs,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Undo disable
    #[command(after_help = "Example:\n  tollgate user enable alice --remote")]
    Enable {
        /// The name
        name: String,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Remove a user, and end all sessions
    ///
    /// Without a gate to tell (--gate) tokens are refused only where a route has user = "stored", and the others go on
    /// until they expire.
    #[command(
        after_help = "Examples:\n  tollgate user delete alice\n  tollgate user delete alice --id 7    (what an interrupted delete left)"
    )]
    Delete {
        /// The name
        name: String,
        /// The id, where only the profile is left
        #[arg(long, allow_hyphen_values = true)]
        id: Option<String>,
        #[command(flatten)]
        gate: GateArgs,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Print every user as JSON lines, with the hashes; import takes them
    #[command(after_help = "Example (only you may read the file):\n  (umask 077; tollgate user export > users.jsonl)")]
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
        Command::Add { name, id, attributes, replace, allow_weak, gate, store } => {
            let afterwards = if replace { Some(Afterwards::open(&gate, &store)?) } else { None };
            add(&name, id, attributes, Permits { replace: afterwards, allow_weak }, &store, output)
        }
        Command::Show { name, store } => show(&name, &store, output),
        Command::List { long, store } => list(long, &store, output),
        Command::SetPassword { name, second_look, allow_weak, gate, store } => {
            let afterwards = Afterwards::open(&gate, &store)?;
            let default = if store.is_remote() { REMOTE_SECOND_LOOK } else { 0 };
            set_password(&name, second_look.unwrap_or(default), allow_weak, &afterwards, &store, output)
        }
        Command::Disable { name, gate, store } => {
            let afterwards = Afterwards::open(&gate, &store)?;
            set_status(&name, Status::Disabled, Some(&afterwards), &store, output)
        }
        Command::Enable { name, store } => set_status(&name, Status::Active, None, &store, output),
        Command::Delete { name, id, gate, store } => {
            let afterwards = Afterwards::open(&gate, &store)?;
            delete(&name, id, &afterwards, &store, output)
        }
        Command::Export { store } => export(&store),
        Command::Import(args) => import::run(&args, output),
    }
}

/// When `user set-password --remote` reads the store again, in seconds: a read of KV may be a minute old.
const REMOTE_SECOND_LOOK: u32 = 120;

fn attribute(text: &str) -> Result<(String, Value), String> {
    let (key, value) = text.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or("write KEY=VALUE")?;
    Ok((key.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| value.into())))
}

/// What `add` may do that it else does not.
struct Permits<'a> {
    /// To write a user anew, whose sessions end then.
    replace: Option<Afterwards<'a>>,
    allow_weak: bool,
}

fn add(
    name: &str,
    id: Option<String>,
    attributes: Vec<(String, Value)>,
    permits: Permits<'_>,
    store: &StoreArgs,
    output: Output,
) -> Result<Exit, Failure> {
    record::check_name(name).map_err(|instead| Failure::usage(instead, "tollgate user add alice"))?;
    let store = Store::open(store)?;
    let login_key = LoginRecord::key(name);
    let given = id.as_deref().map(record::id_from_text);
    let mut keys = vec![login_key.clone()];
    keys.extend(given.as_ref().map(Profile::key));
    let found = store.get(&keys)?;
    let present = match found.get(&login_key) {
        Some(_) if permits.replace.is_none() => {
            return Err(Failure::refused(
                "there is a user of this name already",
                "another password: tollgate user set-password NAME; all anew: --replace",
            ));
        }
        // One that can't be read is what --replace is for; its id is then the one given.
        Some(text) => LoginRecord::read(text.as_bytes()).ok(),
        None => None,
    };
    if let (Some(given), Some(present)) = (&given, &present)
        && *given != present.id()
    {
        return Err(Failure::refused(
            format!("the user has the id {}, and an id stays", record::shown_id(&present.id())),
            "leave --id out; for a new id delete the user first",
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
        return Err(Failure::refused(
            format!("the id {} is another user's", record::shown_id(&id)),
            "take another id, or leave --id out for a random one",
        ));
    }
    let hash = new_hash(&store, name, present.as_ref(), permits.allow_weak)?;
    let user = User {
        name: password::normal_form(name).into_owned(),
        id,
        hash: hash.to_string(),
        status: Status::Active,
        attributes: attributes.into_iter().collect(),
        version,
    };
    store.put_one(user.profile())?;
    store.put_one(user.login())?;
    let replaced = found.contains_key(&login_key);
    let ended = match permits.replace.filter(|_| replaced) {
        Some(afterwards) => afterwards.end_sessions(&store, &user.id, Why::Password(version)),
        None => Ok(false),
    };
    let id = record::shown_id(&user.id);
    let remark = if generated { " (random: --id takes one of yours)" } else { "" };
    output.result(
        &format!("user {} is in the {}\nid {id}{remark}{}", visible(&user.name), store.name(), ends(&ended)),
        &json!({
            "username": user.name, "id": user.id.to_json(), "replaced": replaced, "sessions_ended": session::told(&ended),
        }),
    );
    ended.map(|_| Exit::Good)
}

/// Asks for a password that the policy takes, and hashes it as the gate would; with no fewer iterations than the hash
/// has in whose place it comes.
fn new_hash(
    store: &Store,
    name: &str,
    present: Option<&LoginRecord>,
    allow_weak: bool,
) -> Result<PasswordHash, Failure> {
    let passwords = store.passwords()?;
    let password = prompt::new_password()?;
    hashes::judge(passwords.policy, &password, name, allow_weak)?;
    hashes::tell_of_pepper(&passwords);
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
        if outdated { " (outdated: made anew at the next log-in)" } else { "" }
    );
    for (key, value) in &user.attributes {
        text += &format!("attribute  {} = {}\n", visible(key), json_line(value));
    }
    if profile.is_none() {
        text +=
            "profile    missing: routes with user = \"stored\" refuse this user; tollgate user add NAME --replace\n";
    }
    let mut json = user.to_json();
    json["hash"] = json!({"kind": hash, "outdated": outdated});
    json["profile"] = profile.is_some().into();
    output.result(&text, &json);
    Ok(Exit::Good)
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
            // A name too long for a key is not in it.
            let name = key.strip_prefix("login:");
            text += &format!("{}\n", visible(name.unwrap_or(key)));
            json.push(name.map_or_else(|| json!({"key": key}), |name| json!({"username": name})));
        }
    }
    if output.json || !text.is_empty() {
        output.result(&text, &json.into());
    }
    remark(&counted(keys.len(), "user"));
    Ok(Exit::Good)
}

fn set_password(
    name: &str,
    second_look: u32,
    allow_weak: bool,
    afterwards: &Afterwards<'_>,
    store: &StoreArgs,
    output: Output,
) -> Result<Exit, Failure> {
    let store = Store::open(store)?;
    let record = existing(&store, name)?;
    let hash = new_hash(&store, name, Some(&record), allow_weak)?;
    let renewed = record.with_hash(&hash).with_version(record.next_version(clock::now()));
    let (key, value) = (LoginRecord::key(name), renewed.write());
    store.put_one((key.clone(), value.clone()))?;
    // Before the second look: that takes its time.
    let ended = afterwards.end_sessions(&store, &record.id(), Why::Password(renewed.version()));
    let mut written = 1;
    if hashes::is_outdated(record.hash(), &store.passwords()?) && second_look > 0 {
        remark(&format!(
            "The new password is stored. The old hash was outdated, so a log-in may be writing it back just now:\nthe store is read again in {second_look} s (leave this running; docs/storage.md has the reason)"
        ));
        std::thread::sleep(Duration::from_secs(second_look.into()));
        match store.get_one(&key)? {
            Some(present) if present == value || is_later(&present, &renewed) => {}
            Some(_) => {
                store.put_one((key, value))?;
                written = 2;
            }
            None => return Err(Failure::refused("the user was deleted meanwhile", "nothing is left to be done")),
        }
    }
    output.result(
        &format!("the password of {} is changed in the {}{}", visible(name), store.name(), ends(&ended)),
        &json!({"username": name, "written": written, "sessions_ended": session::told(&ended)}),
    );
    ended.map(|_| Exit::Good)
}

/// A line more for a result.
fn ends(ended: &Result<bool, Failure>) -> &'static str {
    if matches!(ended, Ok(true)) { "\nevery session of before is ended" } else { "" }
}

/// Has somebody else given the user another password or status since?
fn is_later(present: &str, record: &LoginRecord) -> bool {
    LoginRecord::read(present.as_bytes()).is_ok_and(|present| present.version() > record.version())
}

/// As with removing: refused at the log-in first; let in there last.
fn set_status(
    name: &str,
    status: Status,
    afterwards: Option<&Afterwards<'_>>,
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
    let ended =
        afterwards.map(|afterwards| afterwards.end_sessions(&store, &record.id(), Why::Gone(Some(renewed.version()))));
    let status = record::shown_status(status);
    let mut json = json!({"username": name, "status": status});
    if let Some(ended) = &ended {
        json["sessions_ended"] = session::told(ended);
    }
    let ended = ended.unwrap_or(Ok(false));
    output.result(
        &format!(
            "{} is {status} in the {}; every data centre sees it within about a minute{}",
            visible(name),
            store.name(),
            ends(&ended)
        ),
        &json,
    );
    ended.map(|_| Exit::Good)
}

fn delete(
    name: &str,
    id: Option<String>,
    afterwards: &Afterwards<'_>,
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
                return Err(Failure::refused(
                    format!("the user has the id {}", record::shown_id(&id)),
                    "leave --id out, or is it another user that you mean?",
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
    let ended = afterwards.end_sessions(&store, &id, Why::Gone(None));
    output.result(
        &format!("{} is gone from the {}{}", visible(name), store.name(), ends(&ended)),
        &json!({"username": name, "id": id.to_json(), "deleted": true, "sessions_ended": session::told(&ended)}),
    );
    ended.map(|_| Exit::Good)
}

fn export(store: &StoreArgs) -> Result<Exit, Failure> {
    let store = Store::open(store)?;
    let keys = store.keys("login")?;
    remark(&format!("{}; the lines hold password hashes: keep them to yourself", counted(keys.len(), "user")));
    each_user(&store, &keys, |user| print_json_line(&user.to_json()))?;
    Ok(Exit::Good)
}

/// Reads both records of each log-in key, in their order.
fn each_user(store: &Store, keys: &[String], mut found: impl FnMut(&User)) -> Result<(), Failure> {
    let mut done = 0;
    for part in keys.chunks(MOST_PAIRS / 2) {
        let logins = store.get(part)?;
        let mut records: HashMap<&str, LoginRecord> = HashMap::new();
        for (key, text) in &logins {
            match LoginRecord::read(text.as_bytes()) {
                Ok(record) => _ = records.insert(key, record),
                Err(_) => warning(&format!("a record can't be read and is left out (key {key:?})")),
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
    Failure::refused(
        format!("no user of this name in the {}", store.name()),
        "`tollgate user list` names them (case counts); --local, --remote and --env choose the store",
    )
}
