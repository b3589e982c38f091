//! Stored password hashes and their formats.
//!
//! | made by | format |
//! |---|---|
//! | Tollgate | `$pbkdf2-sha256$i=600000,l=32$<salt>$<hash>` (a PHC string; base64 without padding) |
//! | Tollgate, with a pepper | `$pbkdf2-sha256$i=600000,l=32,keyid=<key id>$<salt>$<hash>` |
//! | passlib | `$pbkdf2-sha256$29000$<salt>$<hash>` (base64 with `.` for `+`, without padding) |
//! | Django | `pbkdf2_sha256$260000$<salt as text>$<hash in base64>` |
//! | werkzeug | `pbkdf2:sha256:600000$<salt as text>$<hash in hexadecimal>` |

use super::pepper::{KeyId, Pepper};
use base64ct::{Base64, Base64Unpadded, Encoding};
use phc::{Ident, Output, ParamsString, Salt};
use std::fmt;
use subtle::ConstantTimeEq;

/// Minimum of `TOLLGATE_PASSWORD_ITERATIONS`: with less, guessing passwords from a stolen store is too cheap.
pub const LEAST_ITERATIONS: u32 = 100_000;
/// Maximum of `TOLLGATE_PASSWORD_ITERATIONS`: about two seconds of CPU time in a worker.
pub const MOST_ITERATIONS: u32 = 5_000_000;
/// Default of `TOLLGATE_PASSWORD_ITERATIONS` (OWASP Password Storage Cheat Sheet).
pub const DEFAULT_ITERATIONS: u32 = 600_000;
/// Length of a new salt in bytes.
pub const SALT_BYTES: usize = 16;
/// Minimum iterations of a stored hash that is accepted: libraries more than ten years ago used as few.
const LEAST_STORED_ITERATIONS: u32 = 1_000;
const HASH_BYTES: usize = 32;
const MAX_STORED_BYTES: usize = 1024;

/// The reason why a stored hash can't be used. Contains nothing of the hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashFault {
    /// Not one of the known formats.
    UnknownFormat,
    /// Fewer than 1,000 iterations.
    CostTooLow,
    /// More than [`MOST_ITERATIONS`] iterations: computing it would let the store's contents block the worker.
    CostTooHigh,
    /// Made with a pepper that is not configured.
    UnknownPepper,
}

/// A stored PBKDF2-HMAC-SHA256 hash.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash {
    spelling: Spelling,
    iterations: u32,
    /// The key id of its pepper, if it has one.
    key_id: Option<KeyId>,
    salt: Vec<u8>,
    hash: [u8; HASH_BYTES],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spelling {
    Phc,
    Passlib,
    Django,
    Werkzeug,
}

impl PasswordHash {
    /// Parses a hash in any of the formats above.
    ///
    /// # Errors
    /// [`HashFault`], without computing anything.
    pub fn parse(text: &str) -> Result<Self, HashFault> {
        if text.len() > MAX_STORED_BYTES {
            return Err(HashFault::UnknownFormat);
        }
        let parsed = if text.starts_with("$pbkdf2-sha256$i=") || text.starts_with("$pbkdf2-sha256$l=") {
            phc_string(text)
        } else if let Some(rest) = text.strip_prefix("$pbkdf2-sha256$") {
            parts(
                rest,
                Spelling::Passlib,
                |salt| Base64Unpadded::decode_vec(&salt.replace('.', "+")).ok(),
                |hash| Base64Unpadded::decode_vec(&hash.replace('.', "+")).ok(),
            )
        } else if let Some(rest) = text.strip_prefix("pbkdf2_sha256$") {
            parts(rest, Spelling::Django, |salt| Some(salt.into()), |hash| Base64::decode_vec(hash).ok())
        } else if let Some(rest) = text.strip_prefix("pbkdf2:sha256:") {
            parts(rest, Spelling::Werkzeug, |salt| Some(salt.into()), |hash| base16ct::lower::decode_vec(hash).ok())
        } else {
            None
        };
        let parsed = parsed.ok_or(HashFault::UnknownFormat)?;
        match parsed.iterations {
            ..LEAST_STORED_ITERATIONS => Err(HashFault::CostTooLow),
            LEAST_STORED_ITERATIONS..=MOST_ITERATIONS => Ok(parsed),
            _ => Err(HashFault::CostTooHigh),
        }
    }

    pub(super) fn compute(password: &[u8], iterations: u32, pepper: Option<&Pepper>, salt: [u8; SALT_BYTES]) -> Self {
        Self {
            spelling: Spelling::Phc,
            iterations,
            key_id: pepper.map(|pepper| pepper.id().clone()),
            salt: salt.to_vec(),
            hash: derive(password, pepper, &salt, iterations),
        }
    }

    /// Whether this is the hash of `password`, compared in constant time. `pepper` is the one with [`Self::key_id`].
    pub(super) fn matches(&self, password: &[u8], pepper: Option<&Pepper>) -> bool {
        derive(password, pepper, &self.salt, self.iterations).ct_eq(&self.hash).into()
    }

    /// The number of iterations.
    #[must_use]
    pub fn iterations(&self) -> u32 {
        self.iterations
    }

    /// The key id of the pepper that it was made with, if any.
    #[must_use]
    pub fn key_id(&self) -> Option<&KeyId> {
        self.key_id.as_ref()
    }

    /// Whether it has Tollgate's format.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.spelling == Spelling::Phc
    }

    /// Whether it has Tollgate's format, at least these iterations, and this pepper.
    pub(super) fn is_current(&self, iterations: u32, pepper: Option<&Pepper>) -> bool {
        self.is_own() && self.iterations >= iterations && self.key_id.as_ref() == pepper.map(Pepper::id)
    }
}

/// Writes the PHC string. Hashes of other formats are never written.
impl fmt::Display for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Ok(salt), Ok(hash)) = (Salt::new(&self.salt), Output::new(&self.hash)) else { return Err(fmt::Error) };
        write!(f, "$pbkdf2-sha256$i={},l={HASH_BYTES}", self.iterations)?;
        if let Some(key_id) = &self.key_id {
            write!(f, ",keyid={}", key_id.as_str())?;
        }
        write!(f, "${salt}${hash}")
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PasswordHash({:?}, {} iterations, ..)", self.spelling, self.iterations)
    }
}

/// PBKDF2-HMAC-SHA256 (RFC 8018 §5.2) of the password, or of the password after [`Pepper::apply`].
fn derive(password: &[u8], pepper: Option<&Pepper>, salt: &[u8], iterations: u32) -> [u8; HASH_BYTES] {
    let derive = |input: &[u8]| pbkdf2::pbkdf2_hmac_array::<sha2::Sha256, HASH_BYTES>(input, salt, iterations);
    match pepper {
        None => derive(password),
        Some(pepper) => derive(&*pepper.apply(password)),
    }
}

fn phc_string(text: &str) -> Option<PasswordHash> {
    let text = phc::PasswordHash::new(text).ok()?;
    if text.algorithm != Ident::new("pbkdf2-sha256").ok()? || text.version.is_some() {
        return None;
    }
    let number = |params: &ParamsString, name: &str| params.get_decimal(Ident::new(name).ok()?);
    let iterations = number(&text.params, "i")?;
    let known = text.params.iter().all(|(name, _)| matches!(name.as_str(), "i" | "l" | "keyid"));
    let once = text.params.iter().filter(|(name, _)| name.as_str() == "keyid").count() <= 1;
    let key_id = match text.params.get_str("keyid") {
        Some(id) => Some(KeyId::new(id)?),
        None => None,
    };
    let length_fits = number(&text.params, "l").is_none_or(|length| length as usize == HASH_BYTES);
    let hash = text.hash?.as_bytes().try_into().ok()?;
    (known && once && length_fits).then_some(PasswordHash {
        spelling: Spelling::Phc,
        iterations,
        key_id,
        salt: text.salt?.as_ref().to_vec(),
        hash,
    })
}

/// Parses `iterations$salt$hash`.
fn parts(
    text: &str,
    spelling: Spelling,
    salt: impl Fn(&str) -> Option<Vec<u8>>,
    hash: impl Fn(&str) -> Option<Vec<u8>>,
) -> Option<PasswordHash> {
    let (iterations, rest) = text.split_once('$')?;
    let (salt_text, hash_text) = rest.split_once('$')?;
    let salt = salt(salt_text)?;
    if salt.is_empty() || !iterations.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // A number that overflows u32 is an absurd cost, not an unknown format.
    let iterations = if iterations.is_empty() { return None } else { iterations.parse().unwrap_or(u32::MAX) };
    Some(PasswordHash { spelling, iterations, key_id: None, salt, hash: hash(hash_text)?.try_into().ok()? })
}
