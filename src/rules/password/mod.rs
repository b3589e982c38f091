//! Passwords: which may be set, how they are made into hashes, and checked against them.
//!
//! **What always holds:** PBKDF2-HMAC-SHA256; comparison in constant time; a stored hash whose cost is absurd is
//! refused before it is computed; a check costs the same whether the user exists or not, and whatever the record holds
//! (by a budget of iterations). Passwords are compared in Normalization Form C, so composed and decomposed typing are
//! the same.

pub mod common;
mod hash;
mod job;
mod pepper;
mod policy;
pub mod pwned;

pub use hash::{HashFault, PasswordHash};
pub use job::{HashJob, Hashed, check_by, hash_by};
pub use pepper::{KeyId, Pepper, Peppers};
pub use policy::{DEFAULT_MIN_LENGTH, LEAST_MIN_LENGTH, MOST_MIN_LENGTH, PasswordFault, PasswordPolicy};

use super::secret::Secret;
use icu_normalizer::{ComposingNormalizer, DecomposingNormalizer};
use std::borrow::Cow;

/// The least iteration count that an operator may set: below it, guessing at a stolen store costs too little.
/// OWASP asks for 600,000, which is the default.
pub const LEAST_ITERATIONS: u32 = 100_000;
/// The most: about two seconds of CPU at the edge.
pub const MOST_ITERATIONS: u32 = 5_000_000;
/// What new hashes cost unless told otherwise (OWASP Password Storage Cheat Sheet).
pub const DEFAULT_ITERATIONS: u32 = 600_000;
/// Length of a new salt in bytes.
pub const SALT_BYTES: usize = 16;

/// How new hashes are made, and with which peppers old ones are checked.
#[derive(Clone, Debug)]
pub struct Hashing {
    /// `TOLLGATE_PASSWORD_ITERATIONS`: what a new hash costs.
    pub iterations: u32,
    /// `TOLLGATE_PASSWORD_PEPPERS`, `TOLLGATE_PASSWORD_PEPPER`.
    pub peppers: Peppers,
}

impl Hashing {
    /// Without a pepper.
    #[must_use]
    pub fn new(iterations: u32) -> Self {
        Self { iterations, peppers: Peppers::default() }
    }

    /// The same, but at no lower cost than a stored hash has: whoever paid more for a user's password keeps that.
    #[must_use]
    pub fn no_cheaper_than(&self, stored: &str) -> Self {
        let stored = PasswordHash::parse(stored).map_or(0, |hash| hash.iterations());
        Self { iterations: self.iterations.max(stored), peppers: self.peppers.clone() }
    }
}

impl Default for Hashing {
    fn default() -> Self {
        Self::new(DEFAULT_ITERATIONS)
    }
}

/// Makes the hash that is stored for a password.
#[must_use]
pub fn hash(password: &Secret<String>, hashing: &Hashing, salt: [u8; SALT_BYTES]) -> PasswordHash {
    PasswordHash::compute(normal_form(password.expose()).as_bytes(), hashing, salt)
}

/// What a check says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// The password is right, and the hash is as it should be.
    Right,
    /// The password is right; the hash should be made anew (another format, cost or pepper than today's).
    RightButOutdated,
    /// The password is wrong.
    Wrong,
}

/// Checks a password against a stored hash; `None` stands for a user that does not exist.
///
/// Every call with the same password and the same `hashing` costs the same, as long as no stored hash costs more
/// than `hashing.iterations`: what the stored hash did not use up is spent on the clock. (A pepper is one HMAC more, a
/// millionth of that.)
///
/// # Errors
/// [`HashFault`] for a stored hash that can't be used, after as much work as a good one costs.
pub fn check(stored: Option<&str>, password: &Secret<String>, hashing: &Hashing) -> Result<Check, HashFault> {
    let candidates = candidates(password.expose());
    let mut budget = Budget::new(candidates.len(), hashing.iterations);
    let usable = stored.map(|stored| {
        let hash = PasswordHash::parse(stored)?;
        let pepper = hashing.peppers.of(&hash)?;
        Ok((hash, pepper))
    });
    let (stored, pepper) = match usable {
        Some(Ok(usable)) => usable,
        Some(Err(fault)) => {
            budget.spend_rest();
            return Err(fault);
        }
        None => {
            budget.spend_rest();
            return Ok(Check::Wrong);
        }
    };
    // Our own hashes are made of the normal form only; others were made of what was typed.
    let candidates = if stored.is_own() { &candidates[..1] } else { &candidates[..] };
    let mut right = false;
    for candidate in candidates {
        budget.spent(stored.iterations());
        right |= stored.matches(candidate.as_bytes(), pepper);
    }
    budget.spend_rest();
    Ok(match right {
        true if stored.is_current(hashing) => Check::Right,
        true => Check::RightButOutdated,
        false => Check::Wrong,
    })
}

/// Normalization Form C of a name or password.
///
/// Why C and nothing more: PRECIS (RFC 8265) would refuse names with blanks and symbols that Flask applications have;
/// form KC would make different texts one (`①` and `1`), which weakens passwords and lets names be taken over by
/// look-alikes. Case stays, as in Flask-JWT's quickstart.
#[must_use]
pub fn normal_form(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    ComposingNormalizer::new_nfc().normalize(text)
}

/// As passwords and names are compared where only likeness counts: in lower case, in Normalization Form C. Nothing else
/// is made alike (no `0` for `o`): NIST asks for the whole password to be compared, and a list can have the variants
/// itself.
fn normalized(text: &str) -> String {
    normal_form(&normal_form(text).to_lowercase()).into_owned()
}

/// What could have been hashed when somebody typed this: form C first, then form D and the text as it is, each once.
fn candidates(text: &str) -> Vec<Cow<'_, str>> {
    let mut all = vec![normal_form(text)];
    if !text.is_ascii() {
        for other in [DecomposingNormalizer::new_nfd().normalize(text), Cow::Borrowed(text)] {
            if !all.contains(&other) {
                all.push(other);
            }
        }
    }
    all
}

/// The iterations that a check may use; what is left is spent on a hash that nobody reads.
struct Budget(u64);

impl Budget {
    fn new(candidates: usize, iterations: u32) -> Self {
        Self(candidates as u64 * u64::from(iterations))
    }

    fn spent(&mut self, iterations: u32) {
        self.0 = self.0.saturating_sub(u64::from(iterations));
    }

    fn spend_rest(self) {
        if let Ok(rest @ 1..) = u32::try_from(self.0) {
            std::hint::black_box(PasswordHash::compute(b"", &Hashing::new(rest), [0; SALT_BYTES]));
        }
    }
}

#[cfg(test)]
mod tests;
