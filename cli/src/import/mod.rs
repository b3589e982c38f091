//! `tollgate user import`: adds the users of a file.
//!
//! **What always holds:** killed at any point and run again, it neither loses nor duplicates a user. In each batch the
//! profiles are written before the log-in records, so every prefix is harmless (docs/storage.md). A batch counts as
//! finished ([`progress`]) after its writes. A batch that is written twice has the same content, since ids and salts
//! are derived from a saved seed and versions are the saved start time. Users who are in the store already are not
//! changed, or with `--replace` only if they differ, so importing the same file again changes nothing.

mod lines;
mod parallel;
mod progress;

use crate::{
    clock,
    failure::{Exit, Failure},
    kv::{Store, StoreArgs},
    output::{Finding, Output, Severity, counted, grouped, remark, visible, warning},
    password as hashes,
    record::{self, User},
};
use lines::{BadLine, Content, Credential, Format, Line, any_case};
use parallel::in_parallel;
use progress::Progress;
use serde_json::{Value, json};
use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
};
use tollgate::rules::{
    password::{self, Check, Hashing, PasswordFault, PasswordPolicy},
    store::{LoginRecord, Profile},
};

/// The text of `--help`.
pub const ABOUT: &str = "\
Add users from a file of JSON lines or CSV

A line of JSON is {\"username\": …, \"id\": …, \"password\" or \"hash\": …, \"status\": …, \"attributes\": {…}}. A CSV file has a \
header line with the same names; its cells are separated by commas, semicolons or tabs. Both are UTF-8, or UTF-16 with \
a byte order mark. id is an integer or a string (default: random). status is active (default) or disabled. Hashes of \
passlib ($pbkdf2-sha256$…), Django (pbkdf2_sha256$…, scrypt$…), werkzeug (pbkdf2:sha256:…, scrypt:…) and Tollgate are \
stored unchanged, PBKDF2 also with SHA-512 and SHA-1; the next log-in replaces them. A plain password is hashed, which \
takes a third of a second; a line with one that is too short, common or the user's name is bad.

Users who are in the store already are not changed, so importing the same file again changes nothing. With --replace \
they become what the file says; a stored hash is kept if it is that of the password in the file.

If the import is interrupted, run it again: it continues. Its progress is saved in FILE.tollgate-progress. Keep that file \
as long as you may import FILE again: it gives users without an id the same id each time. It is neither read nor written \
in a folder that other users of this machine can write to.";

/// The help's examples.
pub const EXAMPLES: &str = "\
Examples:
  tollgate user import users.jsonl --dry-run
  tollgate user import users.csv --remote --env staging";

#[derive(clap::Args)]
pub struct Args {
    /// The file: CSV if its name ends in .csv or .tsv, else JSON lines
    file: PathBuf,
    /// Form of the file, if its name does not show it
    #[arg(long)]
    format: Option<Format>,
    /// Report bad lines and what would be done; write nothing. Exit code 1 if a line is bad
    #[arg(long)]
    dry_run: bool,
    /// Import the good lines even if there are bad ones
    #[arg(long)]
    skip_bad: bool,
    /// Replace users who exist, if they differ
    #[arg(long)]
    replace: bool,
    /// Accept passwords that are too short, common or otherwise rejected
    #[arg(long)]
    allow_weak: bool,
    #[command(flatten)]
    store: StoreArgs,
}

/// Users per batch: their profiles are one bulk call, their log-in records another. Cloudflare accepts at most 10,000
/// pairs a call.
const BATCH: usize = 5_000;
/// Maximum number of bad lines in text; `--json` has all.
const MAX_SHOWN: usize = 100;

pub fn run(args: &Args, output: Output) -> Result<Exit, Failure> {
    let content = std::fs::read(&args.file)
        .map_err(|error| Failure::usage(format!("{}: {error}", args.file.display()), "name a file that exists"))?;
    let is_csv =
        args.file.extension().is_some_and(|end| ["csv", "tsv"].iter().any(|csv| end.eq_ignore_ascii_case(csv)));
    let format = args.format.unwrap_or(if is_csv { Format::Csv } else { Format::Jsonl });
    let Content { mut lines, mut bad, similar } = lines::read(&content, format);
    reject_weak(args.store.passwords()?.policy, args.allow_weak, &mut lines, &mut bad);
    let may_write = |bad: &[BadLine]| bad.is_empty() || args.skip_bad;
    let mut report = Report { read: lines.len() + bad.len(), similar, ..Report::default() };
    if lines.is_empty() || !args.dry_run && !may_write(&bad) {
        report.has_users = !lines.is_empty();
        return report.print(args, &bad, output);
    }
    let store = Store::open(&args.store)?;
    let purpose = format!("{}; {}", store.name(), if args.replace { "replace" } else { "add" });
    let mut progress = Progress::find(&args.file, &content, &purpose, clock::now())?;
    if let Some(text) = progress.warning().filter(|_| !args.dry_run) {
        warning(text);
    }
    warn_of_cost(&lines, &store)?;
    if progress.finished() > 0 {
        remark(&format!("continuing after {}", counted(progress.finished(), "user")));
    }
    let left = &lines[progress.finished().min(lines.len())..];
    let mut plan = Plan::make(&store, left, args.replace, &progress, &mut bad)?;
    plan.find_similar(&lines, &mut report.similar);
    bad.sort_by_key(|bad| bad.number);
    let rejected = plan.actions.iter().filter(|action| matches!(action, Action::Reject)).count();
    report.has_users = rejected < lines.len();
    if args.dry_run || !report.has_users || !may_write(&bad) {
        if args.dry_run && args.replace {
            // Whether a user differs is known only after the user is made.
            plan.warn_of_cheaper_hashes(left);
            writes(left, &plan.actions, &store.passwords()?.hashing, &progress, &mut report);
        } else {
            report.add = plan.actions.iter().filter(|action| matches!(action, Action::Add { .. })).count();
            report.known = left.len() - report.add - rejected;
        }
        return report.print(args, &bad, output);
    }
    plan.warn_of_cheaper_hashes(left);
    // The seed is saved before the first write, which depends on it.
    let hashing = store.passwords()?.hashing;
    let mut finished = progress.finished();
    progress.save(finished, left.is_empty())?;
    for (batch, actions) in left.chunks(BATCH).zip(plan.actions.chunks(BATCH)) {
        let writes = writes(batch, actions, &hashing, &progress, &mut report);
        store.put(&writes.profiles)?;
        store.put(&writes.logins)?;
        finished += batch.len();
        progress.save(finished, finished == lines.len())?;
        remark(&format!("  {} of {}", grouped(finished), counted(lines.len(), "user")));
    }
    if report.replaced > 0 && store.toml.bindings().sessions {
        remark(
            "sessions of replaced users remain valid until they log in again; to end them: tollgate session end-all NAME",
        );
    }
    report.print(args, &bad, output)
}

/// What to do with a line.
enum Action {
    /// Add the user. `profile` is one that a killed run wrote.
    Add { profile: Option<String> },
    /// The user is in the store, and is not replaced.
    LeaveAlone,
    /// Replace the user if these stored records differ.
    Compare { login: LoginRecord, profile: Option<String> },
    /// The line is bad.
    Reject,
}

struct Plan {
    actions: Vec<Action>,
    /// Names in the store, except those of more than about 500 bytes, which keys do not contain.
    names: Vec<String>,
}

impl Plan {
    /// Compares the lines with the store. A new name with the id of another user is a bad line, and so is a known name
    /// with another id.
    fn make(
        store: &Store,
        lines: &[Line],
        replace: bool,
        progress: &Progress,
        bad: &mut Vec<BadLine>,
    ) -> Result<Self, Failure> {
        let keys: HashSet<String> = store.keys("")?.into_iter().collect();
        let known = |line: &Line| keys.contains(&LoginRecord::key(&line.name));
        let login_keys: Vec<String> =
            lines.iter().filter(|line| replace && known(line)).map(|line| LoginRecord::key(&line.name)).collect();
        let logins: HashMap<String, LoginRecord> = store
            .get(&login_keys)?
            .into_iter()
            .filter_map(|(key, text)| Some((key, LoginRecord::read(text.as_bytes()).ok()?)))
            .collect();
        let id = |line: &Line| line.id.clone().unwrap_or_else(|| progress.id_for(&line.name));
        // Profiles under the ids of new names: another user's, or written by a killed run.
        let new_ids = lines.iter().filter(|line| !known(line)).map(|line| Profile::key(&id(line)));
        let mut profile_keys: Vec<String> = new_ids.filter(|key| keys.contains(key)).collect();
        profile_keys.extend(logins.values().map(|record| Profile::key(&record.id())));
        let mut profiles = store.get(&profile_keys)?;
        let mut actions = Vec::with_capacity(lines.len());
        for line in lines {
            let login = logins.get(&LoginRecord::key(&line.name));
            actions.push(match login {
                Some(record) if line.id.as_ref().is_some_and(|id| *id != record.id()) => {
                    let text = format!(
                        "id: the user in the store has the id {}, which can't be changed: write that id, or delete the user first",
                        record::shown_id(&record.id())
                    );
                    bad.push(BadLine::new(line.number, text));
                    Action::Reject
                }
                Some(record) => {
                    let profile = profiles.remove(&Profile::key(&record.id()));
                    Action::Compare { login: record.clone(), profile }
                }
                None if known(line) && replace => {
                    bad.push(BadLine::new(
                        line.number,
                        "the user's record in the store can't be read; to replace it: tollgate user add NAME --replace",
                    ));
                    Action::Reject
                }
                None if known(line) => Action::LeaveAlone,
                None => match profiles.remove(&Profile::key(&id(line))) {
                    Some(profile) if record::profile_name(&profile).as_deref() != Some(&line.name) => {
                        bad.push(BadLine::new(
                            line.number,
                            "id: it belongs to another user in the store: write another id, or none for a random one",
                        ));
                        Action::Reject
                    }
                    profile => Action::Add { profile },
                },
            });
        }
        let names = keys.iter().filter_map(|key| key.strip_prefix("login:").map(str::to_owned)).collect();
        Ok(Self { actions, names })
    }

    /// Finds names in the store that differ only in case from a name in the file, and are not in the file themselves.
    fn find_similar(&mut self, lines: &[Line], similar: &mut Vec<BadLine>) {
        let mut of_file: HashMap<String, Vec<&Line>> = HashMap::new();
        for line in lines {
            of_file.entry(any_case(&line.name)).or_default().push(line);
        }
        self.names.sort_unstable();
        for name in &self.names {
            let Some(lines) = of_file.get(&any_case(name)) else { continue };
            if lines.iter().any(|line| line.name == *name) {
                continue;
            }
            for line in lines {
                let text = format!(
                    "the name differs only in case from \"{}\" in the store: these are two users",
                    visible(name)
                );
                similar.push(BadLine::new(line.number, text));
            }
        }
        similar.sort_by_key(|line| line.number);
    }

    /// Warns of hashes that have fewer iterations than the stored ones that they replace.
    fn warn_of_cheaper_hashes(&self, lines: &[Line]) {
        let is_cheaper = |(line, action): &(&Line, &Action)| match (&line.credential, action) {
            (Credential::Hash(hash), Action::Compare { login, .. }) => hashes::cost(hash) < hashes::cost(login.hash()),
            _ => false,
        };
        let count = lines.iter().zip(&self.actions).filter(is_cheaper).count();
        if count > 0 {
            warning(&format!(
                "{}; --replace stores them unchanged, and such passwords are easier to guess",
                match count {
                    1 => "1 hash in the file has fewer iterations than the stored one".into(),
                    _ => format!("{} hashes in the file have fewer iterations than the stored ones", grouped(count)),
                }
            ));
        }
    }
}

#[derive(Default)]
struct Writes {
    profiles: Vec<(String, String)>,
    logins: Vec<(String, String)>,
}

/// The pairs to write for a batch. Counts the users in `report`.
fn writes(lines: &[Line], actions: &[Action], hashing: &Hashing, progress: &Progress, report: &mut Report) -> Writes {
    let users = in_parallel(lines.len(), |at| {
        let user = user(&lines[at], &actions[at], hashing, progress)?;
        Some((user.profile(), user.login()))
    });
    let mut writes = Writes::default();
    for (action, user) in actions.iter().zip(users) {
        match (action, user) {
            (Action::Compare { login: present, profile: present_profile }, Some((profile, login))) => {
                let profile_differs = !same_json(present_profile.as_deref(), &profile.1);
                let login_differs = !same_json(Some(&present.write()), &login.1);
                if profile_differs || login_differs {
                    report.replaced += 1;
                } else {
                    report.known += 1;
                }
                writes.profiles.extend(profile_differs.then_some(profile));
                writes.logins.extend(login_differs.then_some(login));
            }
            (Action::Add { profile: present }, Some((profile, login))) => {
                report.add += 1;
                writes.profiles.extend((!same_json(present.as_deref(), &profile.1)).then_some(profile));
                writes.logins.push(login);
            }
            (Action::LeaveAlone, None) => report.known += 1,
            (Action::LeaveAlone | Action::Reject, Some(_)) | (_, None) => {}
        }
    }
    writes
}

/// The user to write for a line, `None` if nothing is to be written. A stored hash of the line's password is kept.
fn user(line: &Line, action: &Action, hashing: &Hashing, progress: &Progress) -> Option<User> {
    let (stored, profile) = match action {
        Action::Add { profile } => (None, profile),
        Action::Compare { login, profile } => (Some(login), profile),
        Action::LeaveAlone | Action::Reject => return None,
    };
    let proves = |record: &&LoginRecord, password| {
        let check = password::check(Some(record.hash()), password, hashing);
        matches!(check, Ok(Check::Right | Check::RightButOutdated))
    };
    let hash = match &line.credential {
        Credential::Hash(hash) => hash.clone(),
        Credential::Password(password) => match stored.filter(|record| proves(record, password)) {
            Some(record) => record.hash().to_owned(),
            None => {
                let hashing = hashes::not_cheaper(hashing, stored.map(LoginRecord::hash));
                password::hash(password, &hashing, progress.salt_for(&line.name)).to_string()
            }
        },
    };
    let id = stored.map(LoginRecord::id).or_else(|| line.id.clone());
    let mut user = User {
        name: line.name.clone(),
        id: id.unwrap_or_else(|| progress.id_for(&line.name)),
        hash,
        status: line.status,
        attributes: line.attributes.clone(),
        version: stored.map_or(progress.began(), LoginRecord::version),
        attributes_version: record::attributes_version(profile.as_deref(), &line.attributes, progress.began()),
    };
    // A record that does not change keeps its version.
    if let Some(record) = stored
        && !same_json(Some(&record.write()), &user.login().1)
    {
        user.version = record.next_version(progress.began());
    }
    Some(user)
}

/// Whether two texts are the same JSON, in any order of members.
fn same_json(one: Option<&str>, other: &str) -> bool {
    let read = |text: &str| serde_json::from_str::<Value>(text).ok();
    one.and_then(read).is_some_and(|one| read(other) == Some(one))
}

/// Moves lines with passwords that the policy rejects to `bad`, or with `--allow-weak` warns of their number.
fn reject_weak(policy: PasswordPolicy, allow_weak: bool, lines: &mut Vec<Line>, bad: &mut Vec<BadLine>) {
    let judge = |line: &Line| match &line.credential {
        Credential::Password(password) => policy.judge(password, &line.name).err(),
        Credential::Hash(_) => None,
    };
    let weak: HashMap<usize, PasswordFault> =
        lines.iter().filter_map(|line| Some((line.number, judge(line)?))).collect();
    if allow_weak {
        if !weak.is_empty() {
            warning(&format!(
                "{} accepted because of --allow-weak: have them changed",
                counted(weak.len(), "weak password")
            ));
        }
        return;
    }
    lines.retain(|line| !weak.contains_key(&line.number));
    bad.extend(weak.into_iter().map(|(number, fault)| {
        BadLine::new(number, format!("{fault}: {}; or accept it with --allow-weak", fault.advice()))
    }));
    bad.sort_by_key(|bad| bad.number);
}

fn warn_of_cost(lines: &[Line], store: &Store) -> Result<(), Failure> {
    let passwords = store.passwords()?;
    let stored = || {
        lines.iter().filter_map(|line| match &line.credential {
            Credential::Hash(hash) => Some(hash.as_str()),
            Credential::Password(_) => None,
        })
    };
    if !store.toml.has_node_crypto() && stored().any(hashes::is_scrypt) {
        warning(
            "there are hashes of scrypt, which needs node:crypto, and this worker lacks it: `tollgate config check --store` says what to write",
        );
    }
    if let Some(kinds) = hashes::undeclared_kinds(stored(), &passwords.hashing) {
        warning(&format!(
            "there are hashes that take longer to check than a new one; set TOLLGATE_PASSWORD_KINDS = [{kinds}], or the duration of a log-in reveals which users were imported"
        ));
    }
    let known: Vec<&str> = passwords.hashing.peppers.ids().collect();
    let is_unknown = |line: &&Line| match &line.credential {
        Credential::Hash(hash) => hashes::key_id(hash).is_some_and(|id| !known.contains(&id.as_str())),
        Credential::Password(_) => false,
    };
    match lines.iter().filter(is_unknown).count() {
        0 => {}
        1 => warning("1 hash has a pepper that is not known here: check that the gate has it"),
        many => warning(&format!(
            "{} hashes have peppers that are not known here: check that the gate has them",
            grouped(many)
        )),
    }
    let plain = lines.iter().filter(|line| matches!(line.credential, Credential::Password(_))).count();
    if plain > 100 {
        remark(&format!("hashing {}, about three a second on each core", counted(plain, "plain password")));
    }
    if plain > 0 {
        hashes::remark_missing_pepper(&passwords);
    }
    Ok(())
}

/// What was done, or with `--dry-run` would be done.
#[derive(Default)]
struct Report {
    read: usize,
    /// Whether there is a line that is not bad.
    has_users: bool,
    add: usize,
    replaced: usize,
    known: usize,
    /// Names that differ only in case from others.
    similar: Vec<BadLine>,
}

impl Report {
    /// Prints the report. A file in which no line is good is a failure.
    fn print(&self, args: &Args, bad: &[BadLine], output: Output) -> Result<Exit, Failure> {
        let rejected = !bad.is_empty() && (args.dry_run || !args.skip_bad);
        let file = args.file.to_string_lossy();
        let finding = |severity| {
            let file = &file;
            move |line: &BadLine| Finding {
                place: format!("{file}:{}", line.number),
                severity,
                text: line.text.clone(),
            }
        };
        let errors = bad.iter().take(MAX_SHOWN).map(finding(Severity::Error));
        let warnings = self.similar.iter().take(MAX_SHOWN).map(finding(Severity::Warning));
        let mut text = String::new();
        let not_shown = bad.len().saturating_sub(MAX_SHOWN) + self.similar.len().saturating_sub(MAX_SHOWN);
        if not_shown > 0 {
            text += &format!("… and {} more: --json lists all\n", grouped(not_shown));
        }
        text += &format!("{}, {} bad", counted(self.read, "line"), grouped(bad.len()));
        if !self.has_users {
            text += "; nothing was written\n";
        } else if args.dry_run {
            text += if rejected { "; nothing would be written. With --skip-bad " } else { "; " };
            text += &format!("{} would be added, ", grouped(self.add));
            if args.replace {
                text += &format!("{} would be replaced, ", grouped(self.replaced));
            }
            text += &format!("{} exist already\n", grouped(self.known));
        } else if rejected {
            text += "; nothing was written. Correct the file, or import the good lines with --skip-bad\n";
        } else {
            text += &format!("; {} added, ", grouped(self.add));
            if args.replace {
                text += &format!("{} replaced, ", grouped(self.replaced));
            }
            text += &format!("{} unchanged\n", grouped(self.known));
        }
        let list = |lines: &[BadLine]| -> Value {
            lines.iter().map(|line| json!({"line": line.number, "text": line.text})).collect()
        };
        let json = json!({
            "lines": self.read, "bad": list(bad), "warnings": list(&self.similar), "dry_run": args.dry_run,
            "added": self.add, "replaced": self.replaced, "left_as_they_were": self.known,
        });
        output.findings(errors.chain(warnings), &text, &json);
        match (self.has_users, bad) {
            (false, []) => Err(Failure::rejected(
                format!("{file}: the file has no user"),
                "write a line for each user; `tollgate user import --help` shows the form",
            )),
            (false, _) => Err(Failure::rejected(
                format!("{file}: no line can be imported"),
                "each line's problem is listed above",
            )),
            (true, _) if rejected => Ok(Exit::Rejected),
            (true, _) => Ok(Exit::Success),
        }
    }
}
