//! `tollgate user import`: many users at once.
//!
//! **What always holds:** a kill at any point loses and doubles nothing. Of each part of the file the profiles are
//! written before the log-in records, so every prefix is harmless (docs/storage.md); a part is counted as finished
//! ([`progress`]) after its writes; and a part that is written twice is written alike, since ids and salts come of a
//! seed that is kept, and versions are the time that is kept with it. Who is in the store already is left alone, or
//! with `--replace` written only where he differs, so the same file again changes nothing.

mod lines;
mod progress;

use crate::{
    clock,
    failure::{Exit, Failure},
    kv::{Store, StoreArgs},
    output::{Finding, Output, Severity, counted, grouped, remark, visible, warning},
    password as hashes,
    record::{self, User},
};
use lines::{BadLine, Content, Credential, Line, any_case};
use progress::Progress;
use serde_json::{Value, json};
use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
};
use tollgate::rules::{
    password::{self, Check, Hashing, PasswordFault, PasswordPolicy},
    store::{LoginRecord, Profile},
};

/// What the help says.
pub const ABOUT: &str = "\
Add users from a file of JSON lines or CSV

A line is {\"username\": …, \"id\": …, \"password\" or \"hash\": …, \"status\": …, \"attributes\": {…}}, a CSV file has a header \
line with the same names; its cells are separated by commas, semicolons or tabs. Both are UTF-8, or UTF-16 with a byte \
order mark. id is an integer or a text; without one the user gets a random text. status is active or \
disabled. Hashes of passlib ($pbkdf2-sha256$…), Django (pbkdf2_sha256$…), werkzeug (pbkdf2:sha256:…) and Tollgate are \
taken as they are; a plain password is hashed here, which takes a third of a second each, and is a bad line if it is short, \
common or the user's name.

Who is in the store already is left alone, so the same file again changes nothing. With --replace a user is made to be \
what the file says; one whose password in the file is the one stored keeps his hash.

It may be ended at any point: run it again and it goes on. How far it came is kept in FILE.tollgate-progress; keep that \
file as long as you may import FILE again, it gives users without an id the same one each time. In a folder that other \
users of this machine can write to it is neither read nor written.";

/// The help's examples.
pub const EXAMPLES: &str = "\
Examples:
  tollgate user import users.jsonl --dry-run
  tollgate user import users.csv --remote --env staging";

#[derive(clap::Args)]
pub struct Args {
    /// The file: JSON lines, or CSV if it ends in .csv or .tsv
    file: PathBuf,
    /// What it is, if its name does not tell
    #[arg(long)]
    format: Option<Format>,
    /// Report every bad line and what would be done; write nothing. Exit code 1 if a line is bad
    #[arg(long)]
    dry_run: bool,
    /// Take the good lines although there are bad ones
    #[arg(long)]
    skip_bad: bool,
    /// Write users who exist anew, where they differ
    #[arg(long)]
    replace: bool,
    /// Take passwords that are short, common or otherwise refused
    #[arg(long)]
    allow_weak: bool,
    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Clone, Copy, clap::ValueEnum)]
pub enum Format {
    Jsonl,
    Csv,
}

/// Users per batch: their profiles are one bulk call, their login records another (Cloudflare takes at most 10,000
/// pairs a call).
const PART: usize = 5_000;
/// Bad lines shown as text, at most; `--json` has all.
const MOST_TOLD: usize = 100;

pub fn run(args: &Args, output: Output) -> Result<Exit, Failure> {
    let content = std::fs::read(&args.file)
        .map_err(|error| Failure::usage(format!("{}: {error}", args.file.display()), "name a file that is there"))?;
    let is_csv =
        args.file.extension().is_some_and(|end| ["csv", "tsv"].iter().any(|csv| end.eq_ignore_ascii_case(csv)));
    let format = args.format.unwrap_or(if is_csv { Format::Csv } else { Format::Jsonl });
    let Content { mut lines, mut bad, similar } = lines::read(&content, format);
    refuse_weak(args.store.passwords()?.policy, args.allow_weak, &mut lines, &mut bad);
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
        remark(&format!("going on after {}", counted(progress.finished(), "user")));
    }
    let left = &lines[progress.finished().min(lines.len())..];
    let mut plan = Plan::make(&store, left, args.replace, &progress, &mut bad)?;
    plan.find_similar(&lines, &mut report.similar);
    bad.sort_by_key(|bad| bad.number);
    let refused = plan.todo.iter().filter(|todo| matches!(todo, Todo::Refuse)).count();
    report.has_users = refused < lines.len();
    if args.dry_run || !report.has_users || !may_write(&bad) {
        if args.dry_run && args.replace {
            // Who differs is only known when it is made.
            plan.warn_of_cheaper_hashes(left);
            writes(left, &plan.todo, &store.passwords()?.hashing, &progress, &mut report);
        } else {
            report.add = plan.todo.iter().filter(|todo| matches!(todo, Todo::Add { .. })).count();
            report.known = left.len() - report.add - refused;
        }
        return report.print(args, &bad, output);
    }
    plan.warn_of_cheaper_hashes(left);
    // From here on there must be a seed on the disk: what is written depends on it.
    let hashing = store.passwords()?.hashing;
    let mut finished = progress.finished();
    progress.save(finished, left.is_empty())?;
    for (part, todo) in left.chunks(PART).zip(plan.todo.chunks(PART)) {
        let writes = writes(part, todo, &hashing, &progress, &mut report);
        store.put(&writes.profiles)?;
        store.put(&writes.logins)?;
        finished += part.len();
        progress.save(finished, finished == lines.len())?;
        remark(&format!("  {} of {}", grouped(finished), counted(lines.len(), "user")));
    }
    if report.replaced > 0 && store.toml.bindings().sessions {
        remark(
            "sessions of those who were replaced go on until they log in again; to end them: tollgate session end-all NAME",
        );
    }
    report.print(args, &bad, output)
}

/// What becomes of a line.
enum Todo {
    /// With the profile that a killed run wrote, if there is one.
    Add {
        profile: Option<String>,
    },
    LeaveAlone,
    /// What is stored, to be compared with.
    Compare {
        login: LoginRecord,
        profile: Option<String>,
    },
    /// A bad line.
    Refuse,
}

struct Plan {
    todo: Vec<Todo>,
    /// The users in the store, as far as their names are part of a key: up to about 500 bytes.
    names: Vec<String>,
}

impl Plan {
    /// Asks the store who is there. A new name whose id is another's, or a known one with another id, is a bad line.
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
        // Profiles in the way of a new name: another user's, or what a killed run wrote.
        let new_ids = lines.iter().filter(|line| !known(line)).map(|line| Profile::key(&id(line)));
        let mut profile_keys: Vec<String> = new_ids.filter(|key| keys.contains(key)).collect();
        profile_keys.extend(logins.values().map(|record| Profile::key(&record.id())));
        let mut profiles = store.get(&profile_keys)?;
        let mut todo = Vec::with_capacity(lines.len());
        for line in lines {
            let login = logins.get(&LoginRecord::key(&line.name));
            todo.push(match login {
                Some(record) if line.id.as_ref().is_some_and(|id| *id != record.id()) => {
                    let text = format!(
                        "id: the user is in the store with the id {}, and an id stays: write that one, or delete the user first",
                        record::shown_id(&record.id())
                    );
                    bad.push(BadLine::new(line.number, text));
                    Todo::Refuse
                }
                Some(record) => {
                    let profile = profiles.remove(&Profile::key(&record.id()));
                    Todo::Compare { login: record.clone(), profile }
                }
                None if known(line) && replace => {
                    bad.push(BadLine::new(
                        line.number,
                        "the user's record in the store can't be read: tollgate user add NAME --replace writes it anew",
                    ));
                    Todo::Refuse
                }
                None if known(line) => Todo::LeaveAlone,
                None => match profiles.remove(&Profile::key(&id(line))) {
                    Some(profile) if record::profile_name(&profile).as_deref() != Some(&line.name) => {
                        bad.push(BadLine::new(
                            line.number,
                            "id: another user in the store has it: write another, or leave it out for a random one",
                        ));
                        Todo::Refuse
                    }
                    profile => Todo::Add { profile },
                },
            });
        }
        let names = keys.iter().filter_map(|key| key.strip_prefix("login:").map(str::to_owned)).collect();
        Ok(Self { todo, names })
    }

    /// Finds users in the store whose names differ from one of the file only in case, and are not in the file
    /// themselves.
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
                    "the name differs only in case from the user \"{}\" in the store: these are two users",
                    visible(name)
                );
                similar.push(BadLine::new(line.number, text));
            }
        }
        similar.sort_by_key(|line| line.number);
    }

    /// A hash of the file is stored as it is, although the one in its place costs more to guess.
    fn warn_of_cheaper_hashes(&self, lines: &[Line]) {
        let is_cheaper = |(line, todo): &(&Line, &Todo)| match (&line.credential, todo) {
            (Credential::Hash(hash), Todo::Compare { login, .. }) => hashes::cost(hash) < hashes::cost(login.hash()),
            _ => false,
        };
        let count = lines.iter().zip(&self.todo).filter(is_cheaper).count();
        if count > 0 {
            warning(&format!(
                "{}; --replace stores them as they are, and such a password is cheaper to guess",
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

/// What is to be written for a part of the file.
fn writes(lines: &[Line], todo: &[Todo], hashing: &Hashing, progress: &Progress, report: &mut Report) -> Writes {
    let users = in_parallel(lines.len(), |at| {
        let user = user(&lines[at], &todo[at], hashing, progress)?;
        Some((user.profile(), user.login()))
    });
    let mut writes = Writes::default();
    for (todo, user) in todo.iter().zip(users) {
        match (todo, user) {
            (Todo::Compare { login: present, profile: present_profile }, Some((profile, login))) => {
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
            (Todo::Add { profile: present }, Some((profile, login))) => {
                report.add += 1;
                writes.profiles.extend((!same_json(present.as_deref(), &profile.1)).then_some(profile));
                writes.logins.push(login);
            }
            (Todo::LeaveAlone, None) => report.known += 1,
            (Todo::LeaveAlone | Todo::Refuse, Some(_)) | (_, None) => {}
        }
    }
    writes
}

/// What a line makes of its user, `None` where nothing is to be written. A stored hash that proves the line's password
/// is kept.
fn user(line: &Line, todo: &Todo, hashing: &Hashing, progress: &Progress) -> Option<User> {
    let stored = match todo {
        Todo::Add { .. } => None,
        Todo::Compare { login, .. } => Some(login),
        Todo::LeaveAlone | Todo::Refuse => return None,
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
    };
    // A record that says the same stays the version that it is.
    if let Some(record) = stored
        && !same_json(Some(&record.write()), &user.login().1)
    {
        user.version = record.next_version(progress.began());
    }
    Some(user)
}

/// Calls a function for each number below `count`, over all cores.
fn in_parallel<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(count);
    let worker = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= count {
                return done;
            }
            done.push((at, work(at)));
        }
    };
    let mut all: Vec<(usize, T)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    all.sort_unstable_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, done)| done).collect()
}

/// The same JSON, whatever the order of the members.
fn same_json(one: Option<&str>, other: &str) -> bool {
    let read = |text: &str| serde_json::from_str::<Value>(text).ok();
    one.and_then(read).is_some_and(|one| read(other) == Some(one))
}

/// Takes the lines out whose passwords may not be set, or with `--allow-weak` tells how many there are.
fn refuse_weak(policy: PasswordPolicy, allow_weak: bool, lines: &mut Vec<Line>, bad: &mut Vec<BadLine>) {
    let judge = |line: &Line| match &line.credential {
        Credential::Password(password) => policy.judge(password, &line.name).err(),
        Credential::Hash(_) => None,
    };
    let weak: HashMap<usize, PasswordFault> =
        lines.iter().filter_map(|line| Some((line.number, judge(line)?))).collect();
    if allow_weak {
        if !weak.is_empty() {
            warning(&format!(
                "{} set although the policy refuses them (--allow-weak): have them changed",
                counted(weak.len(), "weak password")
            ));
        }
        return;
    }
    lines.retain(|line| !weak.contains_key(&line.number));
    bad.extend(weak.into_iter().map(|(number, fault)| {
        BadLine::new(number, format!("{fault}: {}; or take it as it is with --allow-weak", fault.advice()))
    }));
    bad.sort_by_key(|bad| bad.number);
}

fn warn_of_cost(lines: &[Line], store: &Store) -> Result<(), Failure> {
    let passwords = store.passwords()?;
    let today = passwords.hashing.iterations;
    let cost = |line: &Line| match &line.credential {
        Credential::Hash(hash) => hashes::cost(hash),
        Credential::Password(_) => 0,
    };
    let most = lines.iter().map(cost).max().unwrap_or(0);
    if most > today {
        warning(&format!(
            "there are hashes of {} iterations; set TOLLGATE_PASSWORD_ITERATIONS as high, or a log-in's time tells which users were imported",
            grouped(most as usize)
        ));
    }
    let known: Vec<&str> = passwords.hashing.peppers.ids().collect();
    let is_strange = |line: &&Line| match &line.credential {
        Credential::Hash(hash) => hashes::key_id(hash).is_some_and(|id| !known.contains(&id.as_str())),
        Credential::Password(_) => false,
    };
    match lines.iter().filter(is_strange).count() {
        0 => {}
        1 => warning("1 hash was made with a pepper that is not known here: is it known to the gate?"),
        many => warning(&format!(
            "{} hashes were made with peppers that are not known here: are they known to the gate?",
            grouped(many)
        )),
    }
    let plain = lines.iter().filter(|line| matches!(line.credential, Credential::Password(_))).count();
    if plain > 100 {
        remark(&format!("{} are hashed here, about three a second on each core", counted(plain, "plain password")));
    }
    if plain > 0 {
        hashes::tell_of_pepper(&passwords);
    }
    Ok(())
}

/// What was done, or would be.
#[derive(Default)]
struct Report {
    read: usize,
    /// Whether a line is left that is not bad.
    has_users: bool,
    add: usize,
    replaced: usize,
    known: usize,
    /// Names that differ only in case from others.
    similar: Vec<BadLine>,
}

impl Report {
    /// Prints what was done. A file without a user that can be taken is a failure: nothing of what was meant happened.
    fn print(&self, args: &Args, bad: &[BadLine], output: Output) -> Result<Exit, Failure> {
        let refused = !bad.is_empty() && (args.dry_run || !args.skip_bad);
        let file = args.file.to_string_lossy();
        let finding = |severity| {
            let file = &file;
            move |line: &BadLine| Finding {
                place: format!("{file}:{}", line.number),
                severity,
                text: line.text.clone(),
            }
        };
        let errors = bad.iter().take(MOST_TOLD).map(finding(Severity::Error));
        let warnings = self.similar.iter().take(MOST_TOLD).map(finding(Severity::Warning));
        let mut text = String::new();
        let not_told = bad.len().saturating_sub(MOST_TOLD) + self.similar.len().saturating_sub(MOST_TOLD);
        if not_told > 0 {
            text += &format!("… and {} more: --json tells them all\n", grouped(not_told));
        }
        text += &format!("{}, {} bad", counted(self.read, "line"), grouped(bad.len()));
        if !self.has_users {
            text += "; nothing was written\n";
        } else if args.dry_run {
            text += if refused { "; nothing would be written. With --skip-bad " } else { "; " };
            text += &format!("{} would be added, ", grouped(self.add));
            if args.replace {
                text += &format!("{} would be replaced, ", grouped(self.replaced));
            }
            text += &format!("{} are there already\n", grouped(self.known));
        } else if refused {
            text += "; nothing was written. Mend the file, or take the good lines with --skip-bad\n";
        } else {
            text += &format!("; {} added, ", grouped(self.add));
            if args.replace {
                text += &format!("{} replaced, ", grouped(self.replaced));
            }
            text += &format!("{} left as they were\n", grouped(self.known));
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
            (false, []) => Err(Failure::refused(
                format!("{file}: no user in the file"),
                "write a line for each user: `tollgate user import --help` has the form",
            )),
            (false, _) => Err(Failure::refused(
                format!("{file}: no line can be taken"),
                "each line's problem is listed, with what to write instead",
            )),
            (true, _) if refused => Ok(Exit::Refused),
            (true, _) => Ok(Exit::Good),
        }
    }
}
