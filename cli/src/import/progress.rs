//! How far an import came, kept in `FILE.tollgate-progress` beside the input.
//!
//! **What always holds:** it is replaced as a whole (by rename) after the writes that it speaks of, so it never claims
//! more than was done. It counts only for the same input (by SHA-256) and the same store; for another store the seed
//! alone does. The seed makes ids and salts the same each time, and the versions of records are the time when the run
//! began, so that what a killed run wrote is written again to the byte. Random, the seed is no secret: it tells nothing
//! of the passwords. Where other users of the machine could have written it, it is not read, since it could leave users
//! out of the import and choose ids and salts; and none is written there, since it would be of no use.

use crate::{failure::Failure, output::visible, secret, trust};
use base64ct::{Base64UrlUnpadded, Encoding};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use tollgate::rules::{identity::Id, password::SALT_BYTES, time::Timestamp};

/// What is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    v: u32,
    /// Of the input.
    sha256: String,
    /// Which store, and whether users were replaced.
    purpose: String,
    seed: String,
    /// When the run began that is or was under way: the version of what it writes.
    #[serde(default)]
    began: Timestamp,
    /// So many users of the input, from its start, are written.
    finished: usize,
    /// All of them are.
    complete: bool,
}

pub struct Progress {
    /// Where it is kept, if it is.
    path: Option<PathBuf>,
    warning: Option<String>,
    kept: Kept,
}

impl Progress {
    /// What an earlier run left, or a new beginning. Writes nothing.
    pub fn find(input: &Path, content: &[u8], purpose: &str, now: Timestamp) -> Result<Self, Failure> {
        let mut name = input.as_os_str().to_owned();
        name.push(".tollgate-progress");
        let path = PathBuf::from(name);
        let sha256 = Base64UrlUnpadded::encode_string(&Sha256::digest(content));
        // With its symbolic links resolved, so that what is read and written is in the folder that was looked at.
        let folder = folder_of(&path).canonicalize().ok().filter(|folder| trust::is_private(folder));
        let (path, earlier, warning) = if let Some(folder) = folder {
            let path = folder.join(path.file_name().unwrap_or_default());
            match trust::read_own(&path) {
                Ok(earlier) => (Some(path), earlier, None),
                Err(reason) => {
                    let text = format!("{}: {reason}, so it is not read: the import begins again", shown(&path));
                    (Some(path), None, Some(text))
                }
            }
        } else {
            let text = format!(
                "other users of this machine can write to the folder of {}, so the progress is not kept beside it: if this run is killed, the next one begins again, and leaves users alone who are in the store already. To be able to resume, put the file into a folder that only you can write to",
                shown(input)
            );
            (None, None, Some(text))
        };
        let earlier = earlier.and_then(|text| serde_json::from_slice::<Kept>(&text).ok());
        let mut kept = match earlier.filter(|kept| kept.v == 1 && kept.sha256 == sha256) {
            Some(kept) => kept,
            None => Kept {
                v: 1,
                sha256,
                purpose: purpose.to_owned(),
                seed: Base64UrlUnpadded::encode_string(&secret::random::<32>()?),
                began: now,
                finished: 0,
                complete: false,
            },
        };
        if kept.complete || kept.purpose != purpose {
            kept.began = now;
            kept.finished = 0;
            kept.complete = false;
            kept.purpose = purpose.to_owned();
        }
        // A version of this command that knew no times began it.
        if kept.began.as_millis() == 0 {
            kept.began = now;
        }
        Ok(Self { path, warning, kept })
    }

    /// Why an earlier run's progress does not count, or this one's will not.
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// When this run began, however often it was killed since.
    pub fn began(&self) -> Timestamp {
        self.kept.began
    }

    /// So many users are written already.
    pub fn finished(&self) -> usize {
        self.kept.finished
    }

    /// So many users are written now, by rename: after a kill there is the old file or the new one.
    pub fn save(&mut self, finished: usize, complete: bool) -> Result<(), Failure> {
        self.kept.finished = finished;
        self.kept.complete = complete;
        let Some(path) = &self.path else { return Ok(()) };
        let text = serde_json::to_vec(&self.kept).unwrap_or_default();
        let written = tempfile::NamedTempFile::new_in(folder_of(path)).and_then(|mut file| {
            std::io::Write::write_all(&mut file, &text)?;
            file.as_file().sync_all()?;
            file.persist(path).map_err(|error| error.error)
        });
        written.map(drop).map_err(|error| {
            Failure::usage(
                format!("{}: {error}", path.display()),
                "put the file into a folder that is writable: how far the import came is kept beside it",
            )
        })
    }

    /// A random id for a user without one: 128 bits.
    pub fn id_for(&self, name: &str) -> Id {
        Id::Text(Base64UrlUnpadded::encode_string(&self.derive("id", name)))
    }

    /// The salt for a user's password.
    pub fn salt_for(&self, name: &str) -> [u8; SALT_BYTES] {
        self.derive("salt", name)
    }

    fn derive(&self, what: &str, name: &str) -> [u8; 16] {
        let digest = Sha256::digest(format!("{}\0{what}\0{name}", self.kept.seed));
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        bytes
    }
}

/// A path within a text.
fn shown(path: &Path) -> String {
    visible(&path.to_string_lossy()).into_owned()
}

/// The folder that a file is in.
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
