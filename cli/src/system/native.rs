//! The system itself.

use super::contract::{Finished, Post, PostError, Program};
use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use ureq::{Agent, http::HeaderValue};

pub(super) fn begin() -> io::Result<()> {
    Ok(())
}

pub(super) fn hidden_line(prompt: &str) -> io::Result<String> {
    rpassword::prompt_password(prompt)
}

pub(super) fn run(program: Program) -> io::Result<Finished> {
    let mut command = Command::new(program.path);
    command.args(program.args).envs(program.env).stdin(Stdio::null());
    if let Some(folder) = program.first_folder {
        let inherited = std::env::var_os("PATH").unwrap_or_default();
        let all = std::iter::once(folder).chain(std::env::split_paths(&inherited));
        if let Ok(path) = std::env::join_paths(all) {
            command.env("PATH", path);
        }
    }
    let output = command.output()?;
    Ok(Finished {
        is_success: output.status.success(),
        status: output.status.to_string(),
        stdout: output.stdout,
        stderr: output.stderr,
    })
}

pub(super) fn post(post: Post<'_>) -> Result<(u16, Vec<u8>), PostError> {
    let config = Agent::config_builder()
        .timeout_global(Some(post.timeout))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent("tollgate");
    let config = if post.uses_proxy { config } else { config.proxy(None) };
    let mut bearer = HeaderValue::from_str(&format!("Bearer {}", post.secret.expose()))
        .map_err(|error| PostError::Other(error.to_string()))?;
    bearer.set_sensitive(true);
    let answer = config
        .build()
        .new_agent()
        .post(post.url.as_str())
        .header("authorization", bearer)
        .header("content-type", "application/json")
        .send(post.body);
    let read = answer.and_then(|mut answer| {
        let body = answer.body_mut().with_config().limit(post.max_bytes).read_to_vec()?;
        Ok((answer.status().as_u16(), body))
    });
    read.map_err(|error| match error {
        ureq::Error::Timeout(_) => PostError::Timeout,
        ureq::Error::Io(error) => PostError::Other(error.to_string()),
        error => PostError::Other(error.to_string()),
    })
}

pub(super) fn canonicalize(path: &Path) -> io::Result<PathBuf> {
    path.canonicalize()
}

pub(super) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

pub(super) struct Folder(tempfile::TempDir);

impl Folder {
    pub(super) fn new() -> io::Result<Self> {
        tempfile::Builder::new().prefix("tollgate-").tempdir().map(Self)
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }
}

#[cfg(unix)]
pub(super) use unix::{permissions, read_own, user};
#[cfg(not(unix))]
pub(super) use without_permissions::{permissions, read_own, user};

#[cfg(unix)]
mod unix {
    use crate::system::contract::Permissions;
    use rustix::{fs::OFlags, process::geteuid};
    use std::{
        fs::{OpenOptions, metadata},
        io::{ErrorKind, Read},
        os::unix::fs::{MetadataExt, OpenOptionsExt},
        path::Path,
    };

    pub(in crate::system) fn user() -> Option<u32> {
        Some(geteuid().as_raw())
    }

    pub(in crate::system) fn permissions(path: &Path) -> Option<Permissions> {
        let metadata = metadata(path).ok()?;
        Some(Permissions { mode: metadata.mode(), uid: metadata.uid(), gid: metadata.gid() })
    }

    pub(in crate::system) fn read_own(path: &Path) -> Result<Option<Vec<u8>>, String> {
        let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or_default();
        let mut file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(_) if path.is_symlink() => return Err("it is a symbolic link".into()),
            Err(error) => return Err(error.to_string()),
        };
        let metadata = file.metadata().map_err(|error| error.to_string())?;
        if !metadata.is_file() {
            return Err("it is not a file".into());
        }
        if metadata.uid() != geteuid().as_raw() {
            return Err("it belongs to another user".into());
        }
        let mut content = Vec::new();
        file.read_to_end(&mut content).map_err(|error| error.to_string())?;
        Ok(Some(content))
    }
}

#[cfg(not(unix))]
mod without_permissions {
    use crate::system::contract::Permissions;
    use std::{io::ErrorKind, path::Path};

    pub(in crate::system) fn user() -> Option<u32> {
        None
    }

    pub(in crate::system) fn permissions(_: &Path) -> Option<Permissions> {
        None
    }

    pub(in crate::system) fn read_own(path: &Path) -> Result<Option<Vec<u8>>, String> {
        if path.is_symlink() {
            return Err("it is a symbolic link".into());
        }
        match std::fs::read(path) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::symlink};

    #[test]
    fn only_a_file_of_this_user_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let [file, link, missing] = ["file", "link", "missing"].map(|name| folder.path().join(name));
        fs::write(&file, "x").unwrap();
        symlink(&file, &link).unwrap();
        assert_eq!(read_own(&file), Ok(Some(b"x".to_vec())));
        assert_eq!(read_own(&missing), Ok(None));
        assert!(read_own(&link).unwrap_err().contains("symbolic link"));
        assert!(read_own(folder.path()).unwrap_err().contains("not a file"));
    }
}
