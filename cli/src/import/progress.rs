//! The progress of an import, saved in `FILE.tollgate-progress` beside the input.
//!
//! **What always holds:** the file is replaced by rename after the writes that it counts, so it never claims more than
//! was done. It is valid only for the same input (by SHA-256) and the same store; for another store only the seed is.
//! Ids and salts are derived from the seed, and versions of records are the start time of the run, so that a second run
//! writes the same bytes. The seed is random and not secret: it reveals nothing of the passwords. The file is not read
//! where other users of the machine could have written it, since it could skip users and choose ids and salts; it is
//! not written there either.

use crate::{failure::Failure, output::visible, secret, system, trust};
use base64ct::{Base64UrlUnpadded, Encoding};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use tollgate::rules::{identity::Id, password::SALT_BYTES, time::Timestamp};

/// The content of the file.
#[derive(Serialize, Deserialize)]
struct Saved {
    v: u32,
    /// SHA-256 of the input, base64url.
    sha256: String,
    /// Store, and whether users are replaced.
    purpose: String,
    seed: String,
    /// Start time of the run: the version of the records that it writes.
    #[serde(default)]
    began: Timestamp,
    /// Number of users that are written, from the start of the input.
    finished: usize,
    /// Whether all are written.
    complete: bool,
}

pub struct Progress {
    /// Where it is saved; `None` if it is not.
    path: Option<PathBuf>,
    warning: Option<String>,
    saved: Saved,
}

impl Progress {
    /// The progress of an earlier run, else a new one. Writes nothing.
    pub fn find(input: &Path, content: &[u8], purpose: &str, now: Timestamp) -> Result<Self, Failure> {
        let mut name = input.as_os_str().to_owned();
        name.push(".tollgate-progress");
        let path = PathBuf::from(name);
        let sha256 = Base64UrlUnpadded::encode_string(&Sha256::digest(content));
        // With its symbolic links resolved, so that what is read and written is in the folder that was looked at.
        let folder = system::canonicalize(folder_of(&path)).ok().filter(|folder| trust::is_private(folder));
        let (path, earlier, warning) = if let Some(folder) = folder {
            let path = folder.join(path.file_name().unwrap_or_default());
            match system::read_own(&path) {
                Ok(earlier) => (Some(path), earlier, None),
                Err(reason) => {
                    let text = format!("{}: {reason}, so it is not read: the import starts over", shown(&path));
                    (Some(path), None, Some(text))
                }
            }
        } else {
            let text = format!(
                "other users of this machine can write to the folder of {}, so the progress is not saved there: if this run is killed, the next one starts over, and does not change users who are in the store by then. To be able to resume, put the file into a folder that only you can write to",
                shown(input)
            );
            (None, None, Some(text))
        };
        let earlier = earlier.and_then(|text| serde_json::from_slice::<Saved>(&text).ok());
        let mut saved = match earlier.filter(|saved| saved.v == 1 && saved.sha256 == sha256) {
            Some(saved) => saved,
            None => Saved {
                v: 1,
                sha256,
                purpose: purpose.to_owned(),
                seed: Base64UrlUnpadded::encode_string(&secret::random::<32>()?),
                began: now,
                finished: 0,
                complete: false,
            },
        };
        if saved.complete || saved.purpose != purpose {
            saved.began = now;
            saved.finished = 0;
            saved.complete = false;
            saved.purpose = purpose.to_owned();
        }
        // Saved by a version of this command without start times.
        if saved.began.as_millis() == 0 {
            saved.began = now;
        }
        Ok(Self { path, warning, saved })
    }

    /// Why the progress of an earlier run was not read, or that of this run will not be saved.
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// Start time of the run, however often it was resumed.
    pub fn began(&self) -> Timestamp {
        self.saved.began
    }

    /// Number of users that are written already.
    pub fn finished(&self) -> usize {
        self.saved.finished
    }

    /// Saves the number of written users. Replaces the file by rename, so that a kill leaves the old or the new one.
    pub fn save(&mut self, finished: usize, complete: bool) -> Result<(), Failure> {
        self.saved.finished = finished;
        self.saved.complete = complete;
        let Some(path) = &self.path else { return Ok(()) };
        let text = serde_json::to_vec(&self.saved).unwrap_or_default();
        system::replace(path, &text).map_err(|error| {
            Failure::usage(
                format!("{}: {error}", path.display()),
                "put the file into a writable folder: the progress of the import is saved beside it",
            )
        })
    }

    /// The id of a user without one: 128 bits, random but the same in each run.
    pub fn id_for(&self, name: &str) -> Id {
        Id::Text(Base64UrlUnpadded::encode_string(&self.derive("id", name)))
    }

    /// The salt for a user's password, the same in each run.
    pub fn salt_for(&self, name: &str) -> [u8; SALT_BYTES] {
        self.derive("salt", name)
    }

    fn derive(&self, what: &str, name: &str) -> [u8; 16] {
        let digest = Sha256::digest(format!("{}\0{what}\0{name}", self.saved.seed));
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        bytes
    }
}

/// A path for use in a text, escaped.
fn shown(path: &Path) -> String {
    visible(&path.to_string_lossy()).into_owned()
}

/// The folder of a file.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_counts_for_the_same_input_and_store_only_and_the_seed_for_the_input() {
        let folder = tempfile::tempdir().unwrap();
        let input = folder.path().join("users.jsonl");
        let at = Timestamp::from_millis;
        let find = |content: &[u8], purpose, now| Progress::find(&input, content, purpose, at(now)).unwrap();
        let mut progress = find(b"a", "here", 1);
        let id = progress.id_for("user1");
        assert_ne!(id, progress.id_for("user2"));
        progress.save(7, false).unwrap();
        let what = |progress: Progress| (progress.finished(), progress.began(), progress.id_for("user1"));
        assert_eq!(what(find(b"a", "here", 2)), (7, at(1), id.clone()), "it goes on");
        assert_eq!(what(find(b"a", "there", 2)), (0, at(2), id.clone()), "another store");
        assert_eq!(find(b"b", "here", 2).finished(), 0);
        assert_ne!(find(b"b", "here", 2).id_for("user1"), id);
        progress.save(9, true).unwrap();
        assert_eq!(what(find(b"a", "here", 2)), (0, at(2), id), "another run");
    }
}
