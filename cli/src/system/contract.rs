//! What is given to the system, and what it gives back.

use std::{ffi::OsString, path::PathBuf, time::Duration};
use tollgate::rules::secret::Secret;
use url::Url;

/// A program to run.
pub struct Program {
    pub path: OsString,
    pub args: Vec<OsString>,
    /// Variables beside those of this process.
    pub env: Vec<(&'static str, OsString)>,
    /// A folder to search for programs before those of `PATH`.
    pub first_folder: Option<PathBuf>,
}

/// How a program ended.
pub struct Finished {
    pub is_success: bool,
    /// `exit status: 1`
    pub status: String,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

/// JSON to send with POST and a secret. No redirect is followed.
pub struct Post<'p> {
    pub url: &'p Url,
    /// For `Authorization: Bearer`; only characters that a header field can have.
    pub secret: &'p Secret<String>,
    pub body: String,
    pub timeout: Duration,
    /// The longest body of an answer, in bytes.
    pub max_bytes: u64,
    /// Whether the proxy that the environment names is used. A proxy for the world outside can't reach this machine.
    pub uses_proxy: bool,
}

/// Why there is no answer.
pub enum PostError {
    Timeout,
    Other(String),
}

/// What the permissions of a file or folder depend on, as Unix has them.
#[derive(Clone, Copy)]
#[cfg_attr(target_os = "wasi", derive(serde::Deserialize))]
pub struct Permissions {
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
}
