//! Whether other users of this machine can write into a folder, and so place files there that this command would read
//! or run.
//!
//! **What always holds:** if permissions can't be read, others are assumed to have write access. Root and the current
//! user are not others. On systems without Unix permissions every folder is trusted, because access lists are not
//! evaluated.

use crate::system::{self, Permissions};
use std::path::Path;

/// Whether only this user and root can write into the folder and those above it. Whoever can write into one above could
/// replace the folder, unless the sticky bit prevents that (as in `/tmp`).
///
/// The folder itself must not be sticky and writable by all: there others can't replace files, but can create them
/// first.
pub fn is_private(folder: &Path) -> bool {
    let Some(me) = system::user() else { return true };
    let Ok(folder) = system::canonicalize(folder) else { return false };
    let all: Option<Vec<_>> = folder.ancestors().map(system::permissions).collect();
    all.is_some_and(|all| judge(all.into_iter(), me))
}

/// Whether everybody who can write into one of `paths` can write into `folder` too, so that trusting `paths` gives no
/// further rights to anybody.
pub fn is_at_least_as_private(paths: &[&Path], folder: &Path) -> bool {
    let Some(me) = system::user() else { return true };
    let Some(folder) = system::permissions(folder) else { return false };
    let allowed = Writers::of(folder, me);
    paths.iter().all(|path| system::permissions(path).is_some_and(|path| Writers::of(path, me).are_among(allowed)))
}

/// Others with write access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Writers {
    everybody: bool,
    group: Option<u32>,
    owner: Option<u32>,
}

impl Writers {
    fn of(permissions: Permissions, me: u32) -> Self {
        let Permissions { mode, uid, gid } = permissions;
        // Debian and Fedora give each user a group of the same number, with no other member.
        let is_private_group = gid == uid;
        Self {
            everybody: mode & 0o002 != 0,
            group: (mode & 0o020 != 0 && !is_private_group).then_some(gid),
            // An owner can grant himself write access.
            owner: (uid != me && uid != 0).then_some(uid),
        }
    }

    fn is_nobody(self) -> bool {
        !self.everybody && self.group.is_none() && self.owner.is_none()
    }

    /// Whether each of these is among the others.
    fn are_among(self, others: Self) -> bool {
        let is_among = |one: Option<u32>, other: Option<u32>| one.is_none() || one == other;
        others.everybody || !self.everybody && is_among(self.group, others.group) && is_among(self.owner, others.owner)
    }
}

/// `folders` are the folder itself and those above it.
fn judge(mut folders: impl Iterator<Item = Permissions>, me: u32) -> bool {
    let is_closed = |folder| Writers::of(folder, me).is_nobody();
    // In a sticky folder entries are removed and renamed by their owner and the folder's alone.
    let is_sticky = |folder: Permissions| folder.mode & 0o1000 != 0 && [0, me].contains(&folder.uid);
    folders.next().is_some_and(is_closed) && folders.all(|folder| is_closed(folder) || is_sticky(folder))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::{
        fs::{Permissions as Mode, set_permissions},
        os::unix::fs::PermissionsExt,
    };

    const ME: u32 = 1000;

    const fn folder(mode: u32, uid: u32, gid: u32) -> Permissions {
        Permissions { mode, uid, gid }
    }

    #[test]
    fn a_folder_is_private_if_nobody_else_can_write_to_it_or_replace_it() {
        let (root, tmp) = (folder(0o755, 0, 0), folder(0o1777, 0, 0));
        for (folders, is_private) in [
            (&[folder(0o755, ME, 100), root][..], true),
            (&[folder(0o755, 0, 0), root], true),
            (&[folder(0o777, ME, 100), root], false),
            (&[folder(0o1777, ME, 100), root], false),
            (&[folder(0o775, ME, 100), root], false),
            // A group of the user's own.
            (&[folder(0o775, ME, ME), root], true),
            (&[folder(0o775, 0, 0), root], true),
            (&[folder(0o755, 1001, 1001), root], false),
            // Above it.
            (&[folder(0o700, ME, ME), tmp, root], true),
            (&[tmp, root], false),
            (&[folder(0o700, ME, ME), folder(0o777, ME, ME), root], false),
            (&[folder(0o700, ME, ME), folder(0o1777, 1001, 1001), root], false),
            (&[folder(0o700, ME, ME), folder(0o755, 1001, 1001), root], false),
            (&[folder(0o700, ME, ME), folder(0o755, ME, ME), folder(0o775, 0, 100)], false),
            (&[], false),
        ] {
            let modes: Vec<_> = folders.iter().map(|one| format!("{:o} {}:{}", one.mode, one.uid, one.gid)).collect();
            assert_eq!(judge(folders.iter().copied(), ME), is_private, "{modes:?}");
        }
        assert!(Writers::of(folder(0o755, 0, 7), ME).is_nobody());
    }

    #[test]
    fn what_is_open_to_more_than_the_folder_is_not_trusted() {
        let outer = tempfile::tempdir().unwrap();
        let (inner, file) = (outer.path().join("inner"), outer.path().join("file"));
        std::fs::create_dir(&inner).unwrap();
        std::fs::write(&file, "").unwrap();
        for (outer_mode, file_mode, inner_mode, is_trusted) in [
            (0o755, 0o644, 0o755, true),
            (0o777, 0o644, 0o755, false),
            (0o755, 0o666, 0o755, false),
            (0o777, 0o666, 0o777, true),
            (0o1777, 0o644, 0o755, false),
        ] {
            for (path, mode) in [(outer.path(), outer_mode), (&file, file_mode), (&inner, inner_mode)] {
                set_permissions(path, Mode::from_mode(mode)).unwrap();
            }
            let found = is_at_least_as_private(&[outer.path(), &file], &inner);
            assert_eq!(found, is_trusted, "{outer_mode:o} {file_mode:o} {inner_mode:o}");
        }
        assert!(!is_at_least_as_private(&[&outer.path().join("nothing")], &inner));
        assert!(!is_private(&outer.path().join("nothing")));
    }
}
