//! Passwords: the policy for new ones, their hashes, and checks against stored hashes.
//!
//! **What always holds:** new hashes are PBKDF2-HMAC-SHA256. Hashes are compared in constant time. A stored hash of
//! absurd cost is refused before it is computed. A check costs the same whether or not the user exists and whatever the
//! record holds: each has a budget of iterations, which is always spent. Passwords are compared in Normalization Form C
//! (UAX #15), so composed and decomposed input are equal.

mod by_host;
pub mod common;
mod fault;
mod hash;
mod job;
mod kdf;
mod pepper;
mod policy;
pub mod pwned;

pub use by_host::{check_by, hash_by};
pub use fault::HashFault;
pub use hash::{DEFAULT_ITERATIONS, LEAST_ITERATIONS, PasswordHash, SALT_BYTES};
pub use job::{HashJob, Hashed};
pub use kdf::{Digest, Kdf, MOST_ITERATIONS, UnknownKdf};
pub use pepper::{KeyId, Pepper, Peppers};
pub use policy::{
    DEFAULT_MIN_LENGTH, LEAST_MIN_LENGTH, MAX_PASSWORD_BYTES, MOST_MIN_LENGTH, PasswordFault, PasswordPolicy,
};

use super::secret::Secret;
use crate::engine::unicode::{nfc, nfd};
use std::borrow::Cow;

/// Cost and pepper of new hashes, and the peppers of stored ones.
#[derive(Clone, Debug)]
pub struct Hashing {
    /// `TOLLGATE_PASSWORD_ITERATIONS`: the iterations of a new hash.
    pub iterations: u32,
    /// `TOLLGATE_PASSWORD_PEPPERS`, `TOLLGATE_PASSWORD_PEPPER`.
    pub peppers: Peppers,
    /// `TOLLGATE_PASSWORD_KINDS`: the functions of stored hashes that may cost more than a new one.
    pub kinds: Vec<Kdf>,
}

impl Hashing {
    /// Hashing with this cost, without a pepper.
    #[must_use]
    pub fn new(iterations: u32) -> Self {
        Self { iterations, peppers: Peppers::default(), kinds: Vec::new() }
    }

    /// The same, with at least the cost of the stored hash ([`Kdf::cost`]), so that replacing a hash never lowers it. A
    /// stored hash that can't be parsed costs nothing.
    #[must_use]
    pub fn no_cheaper_than(&self, stored: &str) -> Self {
        let stored = PasswordHash::parse(stored).map_or(0, |hash| hash.cost());
        Self { iterations: self.iterations.max(stored), ..self.clone() }
    }

    /// The cost of every check, in iterations of PBKDF2 with SHA-256: that of a new hash, or of the costliest of
    /// [`Self::kinds`].
    #[must_use]
    pub fn budget(&self) -> u32 {
        self.kinds.iter().map(|kind| kind.cost()).fold(self.iterations, u32::max)
    }
}

impl Default for Hashing {
    fn default() -> Self {
        Self::new(DEFAULT_ITERATIONS)
    }
}

/// Computes the hash to store for a password. Blocks the thread: see [`HashJob::run`].
#[must_use]
pub fn hash(password: &Secret<String>, hashing: &Hashing, salt: [u8; SALT_BYTES]) -> PasswordHash {
    let password = normal_form(password.expose());
    PasswordHash::compute(password.as_bytes(), hashing.iterations, hashing.peppers.current(), salt)
}

/// The outcome of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// The password is right, and the stored hash is current.
    Right,
    /// The password is right; the stored hash should be replaced, since its format, cost or pepper is not the
    /// configured one.
    RightButOutdated,
    /// The password is wrong.
    Wrong,
}

/// Checks a password against a stored hash; `None` stands for an unknown user. Blocks the thread: see [`HashJob::run`].
///
/// Every call with the same password and the same `hashing` costs the same, provided that no stored hash costs more
/// than [`Hashing::budget`]: what the stored hash does not need is spent on a dummy hash. (A pepper adds one HMAC,
/// about a millionth of the cost.)
///
/// ```
/// use tollgate::{Secret, password::{self, Check, Hashing}};
///
/// let hashing = Hashing::new(100_000);
/// let password = Secret::new("correct horse battery staple".to_owned());
/// let stored = password::hash(&password, &hashing, *b"16 random bytes.").to_string();
/// assert_eq!(password::check(Some(&stored), &password, &hashing), Ok(Check::Right));
/// assert_eq!(password::check(None, &password, &hashing), Ok(Check::Wrong), "an unknown user costs the same");
/// ```
///
/// # Errors
/// [`HashFault`] for a stored hash that can't be used, after as much work as a usable one costs.
pub fn check(stored: Option<&str>, password: &Secret<String>, hashing: &Hashing) -> Result<Check, HashFault> {
    let candidates = candidates(password.expose());
    let mut budget = Budget::new(candidates.len(), hashing.budget());
    let usable = stored.map(|stored| {
        let hash = PasswordHash::parse(stored)?;
        let pepper = match hash.key_id() {
            Some(id) => Some(hashing.peppers.find(id).ok_or(HashFault::UnknownPepper)?),
            None => None,
        };
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
    // Tollgate hashes the normal form only; other libraries hash the input as typed.
    let candidates = if stored.is_own() { &candidates[..1] } else { &candidates[..] };
    let mut right = false;
    for candidate in candidates {
        match stored.matches(candidate.as_bytes(), pepper) {
            Ok(is_right) => right |= is_right,
            Err(fault) => {
                budget.spend_rest();
                return Err(fault);
            }
        }
        budget.spent(stored.cost());
    }
    budget.spend_rest();
    Ok(match right {
        true if stored.is_current(hashing.iterations, hashing.peppers.current()) => Check::Right,
        true => Check::RightButOutdated,
        false => Check::Wrong,
    })
}

/// Normalization Form C of a name or password.
///
/// Rejected alternatives: PRECIS (RFC 8265) refuses names with spaces and symbols that Flask applications have. Form KC
/// makes different texts equal (`①` and `1`), which weakens passwords and allows look-alike names to take over
/// accounts. Case is kept, as in Flask-JWT's quickstart.
#[must_use]
pub fn normal_form(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    nfc(text)
}

/// A password or name in lower case and Normalization Form C, for comparison with common passwords and the user's name.
/// No further variants are mapped (such as `0` to `o`): NIST SP 800-63B-4 asks to compare the whole password, and a
/// list can contain the variants.
fn normalized(text: &str) -> String {
    normal_form(&normal_form(text).to_lowercase()).into_owned()
}

/// The texts that may have been hashed for this input: form C, form D and the input itself, without duplicates.
fn candidates(text: &str) -> Vec<Cow<'_, str>> {
    let mut all = vec![normal_form(text)];
    if !text.is_ascii() {
        for other in [nfd(text), Cow::Borrowed(text)] {
            if !all.contains(&other) {
                all.push(other);
            }
        }
    }
    all
}

/// The iterations that a check must use; the rest is spent on a dummy hash.
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
            std::hint::black_box(PasswordHash::compute(b"", rest, None, [0; SALT_BYTES]));
        }
    }
}

#[cfg(test)]
mod tests;
