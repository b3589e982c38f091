//! Why a command did not do what it was told.
//!
//! **What always holds:** a failure says what is wrong and what to do next, and holds no password, key, token or hash.

use std::process::ExitCode;

/// What the shell is told; `tollgate --help` lists the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, or found good.
    Good = 0,
    /// Refused, or found bad.
    Refused = 1,
    /// Wrong usage.
    Usage = 2,
    /// The store or the gate can't be reached.
    Store = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What is wrong, and what to do.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    pub what: String,
    pub hint: String,
}

impl Failure {
    pub fn refused(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { exit: Exit::Refused, what: what.into(), hint: hint.into() }
    }

    pub fn usage(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, what: what.into(), hint: hint.into() }
    }

    pub fn store(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { exit: Exit::Store, what: what.into(), hint: hint.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scripts rely on them.
    #[test]
    fn exit_codes_keep_their_numbers() {
        assert_eq!([Exit::Good, Exit::Refused, Exit::Usage, Exit::Store].map(|exit| exit as u8), [0, 1, 2, 3]);
    }
}
