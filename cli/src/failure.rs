//! Why a command failed, and its exit code.
//!
//! **What always holds:** a failure says what is wrong and what to do next, and holds no password, key, token or hash.

use std::process::ExitCode;

/// The exit code, as `tollgate --help` describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Success.
    Success = 0,
    /// Rejected or invalid.
    Rejected = 1,
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

/// What is wrong (`what`), and what to do about it (`hint`).
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    pub what: String,
    pub hint: String,
}

impl Failure {
    pub fn rejected(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { exit: Exit::Rejected, what: what.into(), hint: hint.into() }
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

    /// Scripts depend on the numbers.
    #[test]
    fn exit_codes_keep_their_numbers() {
        assert_eq!([Exit::Success, Exit::Rejected, Exit::Usage, Exit::Store].map(|exit| exit as u8), [0, 1, 2, 3]);
    }
}
