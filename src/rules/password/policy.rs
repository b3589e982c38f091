//! The policy for new passwords. It does not apply to log-ins: a stored password that breaks it stays valid.
//!
//! **What always holds:** checks length, the most common passwords and the user's own name. There are no composition
//! rules, and no parts of a password are compared: NIST SP 800-63B-4 §3.1.1.2 forbids both. Characters are Unicode code
//! points of Normalization Form C.

use super::{common, normal_form, normalized};
use crate::rules::secret::Secret;
use std::fmt;

/// Default of `TOLLGATE_PASSWORD_MIN_LENGTH`, in characters: the minimum in NIST SP 800-63B-4 §3.1.1.2 for a password
/// that is the only factor.
pub const DEFAULT_MIN_LENGTH: usize = 15;
/// Minimum of `TOLLGATE_PASSWORD_MIN_LENGTH`: NIST's minimum for a password beside another factor, which may be in
/// front of or behind the gate.
pub const LEAST_MIN_LENGTH: usize = 8;
/// Maximum length of a password in bytes, at log-in as well: long ones are expensive to normalize and hash.
pub const MAX_PASSWORD_BYTES: usize = 1024;
/// Maximum of `TOLLGATE_PASSWORD_MIN_LENGTH`: passwords of 64 characters must be allowed (NIST SP 800-63B-4 §3.1.1.2).
pub const MOST_MIN_LENGTH: usize = 64;

/// The policy for new passwords.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordPolicy {
    /// `TOLLGATE_PASSWORD_MIN_LENGTH`, in characters.
    pub min_length: usize,
    /// `TOLLGATE_PASSWORD_COMMON`: whether the most common passwords are refused.
    pub refuses_common: bool,
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        Self { min_length: DEFAULT_MIN_LENGTH, refuses_common: true }
    }
}

/// The reason why a password may not be set. Its texts are for the user and contain nothing of the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordFault {
    /// Fewer characters than the minimum.
    TooShort {
        /// The minimum, in characters.
        least: usize,
    },
    /// More bytes than [`MAX_PASSWORD_BYTES`].
    TooLong,
    /// Equal to the user's own name, ignoring case.
    SameAsName,
    /// One of the most common passwords.
    Common,
    /// Known from a leak. [`PasswordPolicy::judge`] does not return it; callers do after `edge::pwned::is_known`.
    Leaked,
}

impl PasswordFault {
    /// Guidance for choosing another password, which NIST SP 800-63B-4 §3.1.1.2 requires beside the reason.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::TooShort { .. } => "take a longer one, such as a few words",
            Self::TooLong => "take a shorter one",
            Self::SameAsName | Self::Common | Self::Leaked => {
                "take another, such as a few words of your own; one more digit does not make it a good one"
            }
        }
    }

    /// The reason and the guidance, for the user.
    #[must_use]
    pub fn with_advice(self) -> String {
        format!("{self}: {}", self.advice())
    }
}

/// Writes the reason.
impl fmt::Display for PasswordFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort { least } => write!(f, "the password has fewer than {least} characters"),
            Self::TooLong => write!(f, "the password has more than {MAX_PASSWORD_BYTES} bytes"),
            Self::SameAsName => f.write_str("the password is the user's name"),
            Self::Common => f.write_str("the password is one of the most common ones, which are tried first"),
            Self::Leaked => f.write_str("the password is known from a leak, from where it is tried elsewhere too"),
        }
    }
}

impl PasswordPolicy {
    /// Checks a new password for the user of this name; `username` is empty if there is no user yet.
    ///
    /// # Errors
    /// The first reason to refuse it.
    pub fn judge(&self, password: &Secret<String>, username: &str) -> Result<(), PasswordFault> {
        let password = password.expose();
        if password.len() > MAX_PASSWORD_BYTES {
            return Err(PasswordFault::TooLong);
        }
        if normal_form(password).chars().count() < self.min_length {
            return Err(PasswordFault::TooShort { least: self.min_length });
        }
        if normalized(password) == normalized(username) {
            return Err(PasswordFault::SameAsName);
        }
        if self.refuses_common && common::is_common(password) {
            return Err(PasswordFault::Common);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(min_length: usize, password: &str, name: &str) -> Result<(), PasswordFault> {
        let policy = PasswordPolicy { min_length, ..PasswordPolicy::default() };
        policy.judge(&Secret::new(password.to_owned()), name)
    }

    #[test]
    fn length_is_counted_in_characters_of_form_c() {
        let short = |least| Err(PasswordFault::TooShort { least });
        for (least, password, verdict) in [
            (15, "correct horses", short(15)),
            (15, "correct horse b", Ok(())),
            (8, "\u{f6}\u{f6}\u{f6}\u{f6}\u{f6}\u{f6}\u{f6}", short(8)),
            (8, "\u{f6}\u{f6}\u{f6}\u{f6}\u{f6}\u{f6}\u{f6}\u{f6}", Ok(())),
            // Seven letters with a combining mark each: 14 code points as typed, 7 in form C.
            (8, "o\u{308}o\u{308}o\u{308}o\u{308}o\u{308}o\u{308}o\u{308}", short(8)),
            (8, "\u{1f511}\u{1f511}\u{1f511}\u{1f511}\u{1f511}\u{1f511}\u{1f511}", short(8)),
            (8, "\u{1f511}\u{1f511}\u{1f511}\u{1f511}\u{1f511}\u{1f511}\u{1f511}\u{1f511}", Ok(())),
            (8, "", short(8)),
            (64, &"\u{1f511}".repeat(64), Ok(())),
            (8, &"x".repeat(MAX_PASSWORD_BYTES), Ok(())),
            (8, &"x".repeat(MAX_PASSWORD_BYTES + 1), Err(PasswordFault::TooLong)),
        ] {
            assert_eq!(judge(least, password, "ann"), verdict, "{password:?}");
        }
    }

    #[test]
    fn each_refusal_tells_the_reason_and_what_to_take_instead() {
        for fault in [
            PasswordFault::TooShort { least: 15 },
            PasswordFault::TooLong,
            PasswordFault::SameAsName,
            PasswordFault::Common,
            PasswordFault::Leaked,
        ] {
            let text = fault.with_advice();
            assert!(text.starts_with("the password ") && text.contains(": take a"), "{text}");
        }
    }

    #[test]
    fn nothing_is_asked_of_its_composition() {
        for password in [
            "aaaaaaab aaaaaab",
            "               .",
            "0123 0123 0123 0",
            "\u{4e00}\u{4e8c}\u{4e09} \u{56db}\u{4e94}\u{516d} abcdefgh",
        ] {
            assert_eq!(judge(15, password, "ann"), Ok(()), "{password:?}");
        }
    }

    #[test]
    fn common_ones_and_the_own_name_are_refused_in_any_case() {
        for password in ["password1", "PassWord1", "1q2w3e4r5t", "q1w2e3r4t5y6u7i8", "Manchesterunited"] {
            assert_eq!(judge(8, password, "ann"), Err(PasswordFault::Common), "{password:?}");
        }
        for (password, name) in
            [("Annabel Lee 1849", "annabel lee 1849"), ("\u{c9}lodie-\u{e9}lodie-1", "e\u{301}lodie-E\u{301}LODIE-1")]
        {
            assert_eq!(judge(15, password, name), Err(PasswordFault::SameAsName), "{password:?}");
        }
        // The whole password is compared, no part of it.
        assert_eq!(judge(8, "password1 and more", "password1"), Ok(()));
        let lax = PasswordPolicy { min_length: 8, refuses_common: false };
        assert_eq!(lax.judge(&Secret::new("password1".into()), "ann"), Ok(()));
    }
}
