//! The demo users of `cargo xtask dev`, user1 and user2, whose password is public: their records in a local store, and
//! which of them can log in.

use crate::step::{Failure, Root, Step};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    process::Stdio,
};

const NAMES: [&str; 2] = ["user1", "user2"];
/// Written by `cargo run -p conformance -- demo-users`, since compiling the rules natively would take 40 s at the first
/// start. A change needs another [`SEED_VERSION`], and the former records join [`FIRST_RECORDS`].
const RECORDS: &str = include_str!("../demo-users.json");
/// The records of the first version: ids 1 and 2, which an import of a Flask application's users needs.
const FIRST_RECORDS: &str = include_str!("../demo-users-v1.json");
/// The file that marks a seeded store. Its content is the version of the records; the first version left it empty.
const SEED_MARK: &str = "tollgate-demo-users";
const SEED_VERSION: &str = "2";

/// Keys and values of KV.
pub type Records = BTreeMap<String, String>;

/// A local store of wrangler.
pub struct Store<'r> {
    root: &'r Root,
    /// `None` for the developer's own store, in `.wrangler`.
    folder: Option<PathBuf>,
}

impl<'r> Store<'r> {
    /// The store that `wrangler dev` uses by default.
    pub fn of_developer(root: &'r Root) -> Self {
        Self { root, folder: None }
    }

    /// An empty store in this folder. The folder's content is removed.
    pub fn empty(root: &'r Root, folder: PathBuf) -> Result<Self, Failure> {
        let removed = if folder.exists() { fs::remove_dir_all(&folder) } else { Ok(()) };
        removed.and_then(|()| fs::create_dir_all(&folder)).map_err(|error| {
            let hint = "does a `wrangler dev` still use it?";
            Failure::new("an empty store", format!("{}: {error}", folder.display()), hint)
        })?;
        Ok(Self { root, folder: Some(folder) })
    }

    /// The arguments that make a wrangler command use this store.
    pub fn options(&self) -> Vec<PathBuf> {
        self.folder.iter().flat_map(|folder| ["--persist-to".into(), folder.clone()]).collect()
    }

    /// Removes the folder of the store. The developer's store stays.
    pub fn remove(&self) -> Result<(), Failure> {
        let Some(folder) = &self.folder else { return Ok(()) };
        fs::remove_dir_all(folder)
            .map_err(|error| Failure::new("removing a store", format!("{}: {error}", folder.display()), "remove it"))
    }

    fn mark(&self) -> PathBuf {
        self.folder.clone().unwrap_or_else(|| self.root.join(".wrangler")).join(SEED_MARK)
    }

    fn is_new(&self) -> bool {
        !self.folder.clone().unwrap_or_else(|| self.root.join(".wrangler/state")).join("v3").exists()
    }

    /// Runs `wrangler kv bulk` with a file of this content; returns its output.
    fn bulk(&self, verb: &str, content: &serde_json::Value) -> Result<String, String> {
        let folder = self.root.target().join("tmp");
        // The process id is in the name, since another `cargo xtask dev` may run in the same checkout.
        let file = folder.join(format!("kv-{verb}-{}.json", std::process::id()));
        let run = || {
            fs::create_dir_all(&folder)?;
            fs::write(&file, content.to_string())?;
            let mut command = self.root.npm_command("wrangler");
            command
                .env("WRANGLER_HIDE_BANNER", "true")
                .args(["kv", "bulk", verb, "--binding", "USERS", "--local"])
                .args(self.options())
                .arg(&file)
                .args(if verb == "delete" { &["--force"][..] } else { &[] })
                .stdin(Stdio::null())
                .output()
        };
        let output = run();
        let _ = fs::remove_file(&file);
        let output = output.map_err(|error| error.to_string())?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(printed);
        }
        Err(format!("wrangler ended with {}:\n{printed}{}", output.status, String::from_utf8_lossy(&output.stderr)))
    }

    /// The records under the keys of the demo users, of this version and of the first.
    ///
    /// # Errors
    /// If wrangler can't read the store: its output.
    pub fn demo_records(&self) -> Result<Records, String> {
        let keys: BTreeSet<String> =
            [RECORDS, FIRST_RECORDS].into_iter().flat_map(users).flatten().map(|(key, _)| key).collect();
        let answer = self.bulk("get", &keys.into_iter().collect())?;
        read_answer(&answer).ok_or(answer)
    }

    /// Writes the demo users into a store that never had them, and replaces those of an earlier version. Returns the
    /// records under the demo users' keys, or `None` if the store was seeded before and was not read.
    pub fn seed(&self) -> Result<Option<Records>, Failure> {
        let mark = fs::read_to_string(self.mark()).ok();
        if mark.as_deref() == Some(SEED_VERSION) && !self.is_new() {
            return Ok(None);
        }
        let step = Step::begin("two demo users in the local store");
        let fail = |what| step.fail(what, "`npm ci` installs wrangler again");
        let (was_seeded, mut records) = match mark {
            _ if self.is_new() => (false, Records::new()),
            mark => (mark.is_some(), self.demo_records().map_err(fail)?),
        };
        let Plan { put, delete } = plan(was_seeded, &records);
        if !put.is_empty() {
            let pairs = put.iter().map(|(key, value)| serde_json::json!({"key": key, "value": value})).collect();
            self.bulk("put", &pairs).map_err(fail)?;
        }
        if !delete.is_empty() {
            self.bulk("delete", &delete.clone().into()).map_err(fail)?;
        }
        fs::write(self.mark(), SEED_VERSION)
            .map_err(|error| step.fail(error.to_string(), "is the folder writable?"))?;
        step.done(if put.is_empty() { "the store is in use already: nothing was written" } else { "" });
        records.extend(put);
        records.retain(|key, _| !delete.contains(key));
        Ok(Some(records))
    }
}

/// The writes that seed a store.
#[derive(Debug, Default, PartialEq, Eq)]
struct Plan {
    /// In the order of the writes: a profile before the log-in that names it.
    put: Vec<(String, String)>,
    delete: Vec<String>,
}

/// `found` are the records of [`Store::demo_records`]. A demo user of the first version is replaced if both records are
/// exactly as they were written; one that was changed or deleted is left alone. Where the store was not seeded before,
/// a user is written if the name and the profile's key are free.
fn plan(was_seeded: bool, found: &Records) -> Plan {
    let mut plan = Plan::default();
    for (new, first) in users(RECORDS).into_iter().zip(users(FIRST_RECORDS)) {
        let is_there = |record: &(String, String)| found.get(&record.0) == Some(&record.1);
        let [new_profile, new_login] = &new;
        let [first_profile, first_login] = &first;
        let is_free = !found.contains_key(&new_profile.0) && !found.contains_key(&new_login.0);
        let is_first = is_there(first_profile) && is_there(first_login);
        // Seeding may have been interrupted between its writes and the removal.
        if is_first || is_there(first_profile) && is_there(new_login) {
            plan.delete.push(first_profile.0.clone());
        }
        if is_first || !was_seeded && is_free {
            plan.put.extend(new);
        }
    }
    plan
}

/// The demo users among these records who can log in with the public password.
pub fn known(records: &Records) -> Vec<&'static str> {
    let hash_and_status = |login: &str| -> Option<(String, String)> {
        let record: serde_json::Value = serde_json::from_str(login).ok()?;
        let text = |member: &str| record[member].as_str().map(str::to_owned);
        Some((text("hash")?, text("status").unwrap_or_else(|| "active".into())))
    };
    let is_known = |(at, name): &(usize, &str)| {
        let Some(found) = records.get(&format!("login:{name}")).and_then(|login| hash_and_status(login)) else {
            return false;
        };
        [RECORDS, FIRST_RECORDS].iter().any(|file| hash_and_status(&users(file)[*at][1].1).as_ref() == Some(&found))
    };
    NAMES.into_iter().enumerate().filter(is_known).map(|(_, name)| name).collect()
}

/// The profile and the log-in record of each user in such a file.
fn users(file: &str) -> [[(String, String); 2]; 2] {
    let pairs: Vec<BTreeMap<String, String>> = serde_json::from_str(file).expect("a test reads it");
    let pair = |at: usize| (pairs[at]["key"].clone(), pairs[at]["value"].clone());
    [[pair(0), pair(1)], [pair(2), pair(3)]]
}

/// Reads the output of `wrangler kv bulk get`: remarks, then a JSON object with `{"value": …}` or `{"value": null}` for
/// each key.
fn read_answer(text: &str) -> Option<Records> {
    let found: BTreeMap<String, serde_json::Value> = serde_json::from_str(&text[text.find('{')?..]).ok()?;
    Some(found.into_iter().filter_map(|(key, entry)| Some((key, entry["value"].as_str()?.to_owned()))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(file: &str) -> Records {
        users(file).into_iter().flatten().collect()
    }

    fn without(file: &str, keys: &[&str]) -> Records {
        let mut records = records(file);
        records.retain(|key, _| !keys.contains(&key.as_str()));
        records
    }

    /// The keys that a plan writes and removes.
    fn keys(plan: &Plan) -> (Vec<&str>, Vec<&str>) {
        (plan.put.iter().map(|(key, _)| &**key).collect(), plan.delete.iter().map(|key| &**key).collect())
    }

    const FIRST: [&str; 2] = ["user:\"demo-1\"", "login:user1"];
    const SECOND: [&str; 2] = ["user:\"demo-2\"", "login:user2"];

    #[test]
    fn a_new_store_gets_both_users_each_profile_before_its_login() {
        assert_eq!(keys(&plan(false, &Records::new())), ([FIRST, SECOND].concat(), vec![]));
    }

    #[test]
    fn a_store_that_was_not_seeded_keeps_the_names_that_it_has() {
        let found = Records::from([("login:user1".into(), "{}".into())]);
        assert_eq!(keys(&plan(false, &found)), (SECOND.to_vec(), vec![]));
        assert_eq!(plan(false, &records(RECORDS)), Plan::default());
    }

    #[test]
    fn users_of_the_first_version_are_replaced_unless_something_was_changed_or_deleted() {
        let both = plan(true, &records(FIRST_RECORDS));
        assert_eq!(keys(&both), ([FIRST, SECOND].concat(), vec!["user:1", "user:2"]));
        for key in ["user:1", "login:user1"] {
            assert_eq!(keys(&plan(true, &without(FIRST_RECORDS, &[key]))), (SECOND.to_vec(), vec!["user:2"]), "{key}");
            let mut changed = records(FIRST_RECORDS);
            changed.insert(key.into(), changed[key].replace("active", "disabled"));
            assert_eq!(keys(&plan(true, &changed)), (SECOND.to_vec(), vec!["user:2"]), "{key}");
        }
        assert_eq!(plan(true, &Records::new()), Plan::default(), "deleted ones stay deleted");
    }

    #[test]
    fn an_interrupted_replacement_is_completed() {
        let mut found = records(FIRST_RECORDS);
        found.extend(records(RECORDS));
        assert_eq!(keys(&plan(true, &found)), (vec![], vec!["user:1", "user:2"]));
    }

    #[test]
    fn known_are_those_with_the_known_password_who_may_login() {
        assert_eq!(known(&records(RECORDS)), NAMES);
        assert_eq!(known(&records(FIRST_RECORDS)), NAMES);
        assert_eq!(known(&without(RECORDS, &["login:user1"])), ["user2"]);
        assert!(known(&Records::new()).is_empty());
        for (from, to) in [("active", "disabled"), ("l=32$", "l=32$x"), ("{", "")] {
            let mut changed = records(RECORDS);
            changed.insert("login:user2".into(), changed["login:user2"].replace(from, to));
            assert_eq!(known(&changed), ["user1"], "{to}");
        }
    }

    #[test]
    fn wranglers_answer_is_read() {
        let text = "a remark\n{\n  \"login:user1\": {\n    \"value\": \"{}\"\n  },\n  \"user:1\": {\n    \"value\": null\n  }\n}\n";
        assert_eq!(read_answer(text), Some(Records::from([("login:user1".into(), "{}".into())])));
        assert_eq!(read_answer("nothing"), None);
    }
}
