//! Stored password hashes and their formats.
//!
//! | made by | format |
//! |---|---|
//! | Tollgate | `$pbkdf2-sha256$i=600000,l=32$<salt>$<hash>` (a PHC string; base64 without padding) |
//! | Tollgate, with a pepper | `$pbkdf2-sha256$i=600000,l=32,keyid=<key id>$<salt>$<hash>` |
//! | passlib | `$pbkdf2-sha256$29000$<salt>$<hash>`, `$pbkdf2-sha512$…`, `$pbkdf2$…` (base64 with `.` for `+`, unpadded) |
//! | Django | `pbkdf2_sha256$260000$<salt as text>$<hash in base64>`, `pbkdf2_sha512$…`, `pbkdf2_sha1$…` |
//! | Django | `scrypt$<N>$<salt as text>$<r>$<p>$<hash in base64>` |
//! | Werkzeug | `pbkdf2:sha256:600000$<salt as text>$<hash in hexadecimal>`, `pbkdf2:sha512:…`, `pbkdf2:sha1:…` |
//! | Werkzeug | `scrypt:32768:8:1$<salt as text>$<hash in hexadecimal>` |

use super::{
    fault::HashFault,
    kdf::{Digest, Kdf},
    pepper::{KeyId, Pepper},
};
use base64ct::{Base64, Base64Unpadded, Encoding};
use phc::{Ident, Output, ParamsString, Salt};
use std::fmt;
use subtle::ConstantTimeEq;

/// Minimum of `TOLLGATE_PASSWORD_ITERATIONS`: with less, guessing passwords from a stolen store is too cheap.
pub const LEAST_ITERATIONS: u32 = 100_000;
/// Default of `TOLLGATE_PASSWORD_ITERATIONS` (OWASP Password Storage Cheat Sheet).
pub const DEFAULT_ITERATIONS: u32 = 600_000;
/// Length of a new salt in bytes.
pub const SALT_BYTES: usize = 16;
/// Length of a new hash in bytes.
const HASH_BYTES: usize = 32;
const MAX_STORED_BYTES: usize = 1024;

/// A stored hash.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash {
    spelling: Spelling,
    kdf: Kdf,
    /// The key id of its pepper, if it has one.
    key_id: Option<KeyId>,
    salt: Vec<u8>,
    hash: Vec<u8>,
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
        } else if text.starts_with('$') {
            passlib(text)
        } else if text.starts_with("pbkdf2_") || text.starts_with("scrypt$") {
            django(text)
        } else {
            werkzeug(text)
        };
        let parsed = parsed.filter(|parsed| parsed.hash.len() == parsed.kdf.hash_bytes());
        let parsed = parsed.ok_or(HashFault::UnknownFormat)?;
        parsed.kdf.judge().map(|()| parsed)
    }

    pub(super) fn compute(password: &[u8], iterations: u32, pepper: Option<&Pepper>, salt: [u8; SALT_BYTES]) -> Self {
        let kdf = Kdf::Pbkdf2 { digest: Digest::Sha256, iterations };
        let mut hash = vec![0; HASH_BYTES];
        // PBKDF2 is never lacking.
        let _ = derive(kdf, password, pepper, &salt, &mut hash);
        Self {
            spelling: Spelling::Phc,
            kdf,
            key_id: pepper.map(|pepper| pepper.id().clone()),
            salt: salt.to_vec(),
            hash,
        }
    }

    /// A hash of another library, which has no pepper. Its salt is not empty.
    fn foreign(spelling: Spelling, kdf: Kdf, salt: Vec<u8>, hash: Vec<u8>) -> Option<Self> {
        (!salt.is_empty()).then_some(Self { spelling, kdf, key_id: None, salt, hash })
    }

    /// Whether this is the hash of `password`, compared in constant time. `pepper` is the one with [`Self::key_id`].
    ///
    /// # Errors
    /// [`HashFault::NoScrypt`].
    pub(super) fn matches(&self, password: &[u8], pepper: Option<&Pepper>) -> Result<bool, HashFault> {
        let mut hash = vec![0; self.hash.len()];
        derive(self.kdf, password, pepper, &self.salt, &mut hash)?;
        Ok(hash.ct_eq(&self.hash).into())
    }

    /// The function that made it, with its cost.
    #[must_use]
    pub fn kdf(&self) -> Kdf {
        self.kdf
    }

    /// Its cost in iterations of PBKDF2 with SHA-256: [`Kdf::cost`].
    #[must_use]
    pub fn cost(&self) -> u32 {
        self.kdf.cost()
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
        self.is_own() && self.cost() >= iterations && self.key_id.as_ref() == pepper.map(Pepper::id)
    }
}

/// Writes the PHC string. Hashes of other formats are never written.
impl fmt::Display for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Ok(salt), Ok(hash)) = (Salt::new(&self.salt), Output::new(&self.hash)) else { return Err(fmt::Error) };
        write!(f, "$pbkdf2-sha256$i={},l={HASH_BYTES}", self.cost())?;
        if let Some(key_id) = &self.key_id {
            write!(f, ",keyid={}", key_id.as_str())?;
        }
        write!(f, "${salt}${hash}")
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PasswordHash({:?}, {}, ..)", self.spelling, self.kdf)
    }
}

/// Derives the hash of the password, or of the password after [`Pepper::apply`].
fn derive(kdf: Kdf, password: &[u8], pepper: Option<&Pepper>, salt: &[u8], hash: &mut [u8]) -> Result<(), HashFault> {
    match pepper {
        None => kdf.derive(password, salt, hash),
        Some(pepper) => kdf.derive(&*pepper.apply(password), salt, hash),
    }
}

/// A PHC string of PBKDF2 with SHA-256; its beginning was compared already.
fn phc_string(text: &str) -> Option<PasswordHash> {
    let text = phc::PasswordHash::new(text).ok()?;
    let number = |params: &ParamsString, name: &str| params.get_decimal(Ident::new(name).ok()?);
    let iterations = number(&text.params, "i")?;
    let known = text.params.iter().all(|(name, _)| matches!(name.as_str(), "i" | "l" | "keyid"));
    let once = text.params.iter().filter(|(name, _)| name.as_str() == "keyid").count() <= 1;
    let key_id = match text.params.get_str("keyid") {
        Some(id) => Some(KeyId::new(id)?),
        None => None,
    };
    let length_fits = number(&text.params, "l").is_none_or(|length| length as usize == HASH_BYTES);
    (known && once && length_fits).then_some(PasswordHash {
        spelling: Spelling::Phc,
        kdf: Kdf::Pbkdf2 { digest: Digest::Sha256, iterations },
        key_id,
        salt: text.salt?.as_ref().to_vec(),
        hash: text.hash?.as_bytes().to_vec(),
    })
}

/// `$pbkdf2-sha512$iterations$salt$hash`, with base64 that has `.` for `+`.
fn passlib(text: &str) -> Option<PasswordHash> {
    let [name, iterations, salt, hash] = parts(text.strip_prefix('$')?)?;
    let digest = match name {
        "pbkdf2" => Digest::Sha1,
        "pbkdf2-sha256" => Digest::Sha256,
        "pbkdf2-sha512" => Digest::Sha512,
        _ => return None,
    };
    let bytes = |text: &str| Base64Unpadded::decode_vec(&text.replace('.', "+")).ok();
    PasswordHash::foreign(Spelling::Passlib, Kdf::pbkdf2(digest, iterations)?, bytes(salt)?, bytes(hash)?)
}

/// `pbkdf2_sha256$iterations$salt$hash` or `scrypt$N$salt$r$p$hash`.
fn django(text: &str) -> Option<PasswordHash> {
    let (kdf, salt, hash) = if let Some(rest) = text.strip_prefix("scrypt$") {
        let [n, salt, r, p, hash] = parts(rest)?;
        (Kdf::scrypt(n, r, p)?, salt, hash)
    } else {
        let [name, iterations, salt, hash] = parts(text)?;
        let digest = match name {
            "pbkdf2_sha1" => Digest::Sha1,
            "pbkdf2_sha256" => Digest::Sha256,
            "pbkdf2_sha512" => Digest::Sha512,
            _ => return None,
        };
        (Kdf::pbkdf2(digest, iterations)?, salt, hash)
    };
    PasswordHash::foreign(Spelling::Django, kdf, salt.into(), Base64::decode_vec(hash).ok()?)
}

/// `method$salt$hash`, where the method is a [`Kdf`] as text.
fn werkzeug(text: &str) -> Option<PasswordHash> {
    let [method, salt, hash] = parts(text)?;
    let hash = base16ct::lower::decode_vec(hash).ok()?;
    PasswordHash::foreign(Spelling::Werkzeug, method.parse().ok()?, salt.into(), hash)
}

/// The parts between `$`, exactly as many.
fn parts<const N: usize>(text: &str) -> Option<[&str; N]> {
    text.splitn(N, '$').collect::<Vec<_>>().try_into().ok()
}
