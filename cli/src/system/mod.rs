//! What the command needs of the system beyond the standard library: other programs, HTTP, hidden input, permissions.
//!
//! The command is built twice. Natively it calls the system itself (`native.rs`). For the npm package it is
//! WebAssembly: WASI gives it files, arguments, time and randomness, and a Node program the rest (`node.rs`,
//! cli/node/tollgate.mjs).

mod contract;
#[cfg(not(target_os = "wasi"))]
mod native;
#[cfg(target_os = "wasi")]
mod node;

#[cfg(not(target_os = "wasi"))]
use native as imp;
#[cfg(target_os = "wasi")]
use node as imp;

pub use contract::{Finished, Permissions, Post, PostError, Program};
use std::{
    io,
    path::{Path, PathBuf},
};

/// Prepares the process. To be called first.
pub fn begin() -> io::Result<()> {
    imp::begin()
}

/// A line typed at the terminal, which does not show it.
pub fn hidden_line(prompt: &str) -> io::Result<String> {
    imp::hidden_line(prompt)
}

/// Runs a program to its end, without input.
pub fn run(program: Program) -> io::Result<Finished> {
    imp::run(program)
}

/// Status and body of the answer.
pub fn post(post: Post<'_>) -> Result<(u16, Vec<u8>), PostError> {
    imp::post(post)
}

/// An absolute path without symbolic links.
pub fn canonicalize(path: &Path) -> io::Result<PathBuf> {
    imp::canonicalize(path)
}

/// The effective user's number. `None` on systems without Unix permissions.
pub fn user() -> Option<u32> {
    imp::user()
}

/// `None` where there is no such file, and on systems without Unix permissions.
pub fn permissions(path: &Path) -> Option<Permissions> {
    imp::permissions(path)
}

/// The content of a regular file of this user. `None` where there is no file.
///
/// # Errors
/// Why it is not read: it is a symbolic link, not a file, another user's, or unreadable.
pub fn read_own(path: &Path) -> Result<Option<Vec<u8>>, String> {
    imp::read_own(path)
}

/// Writes a file that only this user can read. An older one is replaced as a whole, also if the process is killed.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    imp::replace(path, content)
}

/// A new folder that only this user can read, removed with its files when the value is dropped.
pub struct PrivateFolder(imp::Folder);

impl PrivateFolder {
    pub fn new() -> io::Result<Self> {
        imp::Folder::new().map(Self)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }
}
