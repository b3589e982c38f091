//! The functions that derive a stored hash from a password: PBKDF2 (RFC 8018 §5.2) and scrypt (RFC 7914).

use super::fault::HashFault;
use crate::engine::{Chosen, Engine};
use pbkdf2::{Algorithm, Params, pbkdf2_hmac, pbkdf2_hmac_with_params};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use std::{fmt, str::FromStr};

/// Minimum iterations of a stored hash that is accepted: libraries more than ten years ago used as few.
const LEAST_STORED_ITERATIONS: u32 = 1_000;
/// Minimum of the logarithm of N in a stored scrypt hash, and of r: cheaper ones are guessed too easily.
const LEAST_SCRYPT: (u8, u32) = (10, 8);
/// Maximum of r and p of a stored scrypt hash. With them N alone decides on memory and time; libraries use 8, and 1 to
/// 5.
const MOST_SCRYPT: (u32, u32) = (64, 16);
/// Maximum of 128·N·r, scrypt's memory, in bytes: an isolate has 128 MB for everything, and half must be enough.
const MOST_SCRYPT_BYTES: u64 = 64 * 1024 * 1024;
/// Maximum of `TOLLGATE_PASSWORD_ITERATIONS`: about two seconds of CPU time in a worker.
pub const MOST_ITERATIONS: u32 = 5_000_000;

/// A function with its cost. The text form is Werkzeug's: `pbkdf2:sha512:1000000`, `scrypt:32768:8:1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kdf {
    /// PBKDF2 with HMAC.
    Pbkdf2 {
        /// The hash function.
        digest: Digest,
        /// The number of iterations.
        iterations: u32,
    },
    /// scrypt. The memory is 128·N·r bytes.
    Scrypt {
        /// The logarithm of N to the base 2.
        log_n: u8,
        /// The block size.
        r: u32,
        /// The parallelization; the gate computes it one after the other.
        p: u32,
    },
}

#[cfg(test)]
thread_local! {
    /// The iterations of this thread so far.
    pub(super) static ITERATIONS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// A hash function of PBKDF2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digest {
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl Digest {
    const fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// PBKDF2 with HMAC.
    ///
    /// With SHA-2 by a function that is not generic: the module is optimised for size, and a function of the crate
    /// `pbkdf2` alone keeps that crate's `opt-level` (docs/decisions/012-module-weight.md has the difference).
    fn pbkdf2(self, password: &[u8], salt: &[u8], iterations: u32, hash: &mut [u8]) {
        #[cfg(test)]
        ITERATIONS.set(ITERATIONS.get() + u64::from(iterations));
        let algorithm = match self {
            Self::Sha1 => return pbkdf2_hmac::<Sha1>(password, salt, iterations, hash),
            Self::Sha256 => Algorithm::Pbkdf2Sha256,
            Self::Sha512 => Algorithm::Pbkdf2Sha512,
        };
        match (Params::new(iterations), self) {
            (Ok(params), _) => pbkdf2_hmac_with_params(password, salt, algorithm, params, hash),
            // Fewer than `Params` takes.
            (Err(_), Self::Sha512) => pbkdf2_hmac::<Sha512>(password, salt, iterations, hash),
            (Err(_), _) => pbkdf2_hmac::<Sha256>(password, salt, iterations, hash),
        }
    }
}

impl Kdf {
    /// PBKDF2 with this hash function, and the number of iterations as text.
    pub(super) fn pbkdf2(digest: Digest, iterations: &str) -> Option<Self> {
        Some(Self::Pbkdf2 { digest, iterations: number(iterations)? })
    }

    /// scrypt with N, r and p as text.
    pub(super) fn scrypt(n: &str, r: &str, p: &str) -> Option<Self> {
        let is_number = !n.is_empty() && n.bytes().all(|byte| byte.is_ascii_digit());
        // A number that overflows is an absurd cost, not another format.
        let n = is_number.then(|| n.parse().unwrap_or(1_u64 << 63)).filter(|n| n.is_power_of_two() && *n > 1)?;
        let log_n = u8::try_from(n.ilog2()).ok()?;
        Some(Self::Scrypt { log_n, r: number(r).filter(|r| *r > 0)?, p: number(p).filter(|p| *p > 0)? })
    }

    /// The length of its hashes in bytes, as the libraries choose it.
    pub(super) const fn hash_bytes(self) -> usize {
        match self {
            Self::Pbkdf2 { digest: Digest::Sha1, .. } => 20,
            Self::Pbkdf2 { digest: Digest::Sha256, .. } => 32,
            Self::Pbkdf2 { digest: Digest::Sha512, .. } | Self::Scrypt { .. } => 64,
        }
    }

    /// Its cost in iterations of PBKDF2 with SHA-256 that take about as long in a worker (docs/performance.md). On
    /// another host the ratios are others: with SHA extensions SHA-512 takes 4.7 and a block of scrypt 2.0.
    #[must_use]
    pub fn cost(self) -> u32 {
        let [numerator, denominator] = self.unit_cost();
        let units = match self {
            Self::Pbkdf2 { iterations, .. } => u64::from(iterations),
            Self::Scrypt { .. } => self.blocks(),
        };
        let cost = units.saturating_mul(numerator) / denominator;
        u32::try_from(cost).unwrap_or(u32::MAX)
    }

    /// The time of an iteration, or of a block of scrypt, in iterations of PBKDF2 with SHA-256, as a fraction. Measured
    /// in workerd, where PBKDF2 is Wasm and scrypt the runtime's: docs/performance.md.
    const fn unit_cost(self) -> [u64; 2] {
        match self {
            Self::Pbkdf2 { digest: Digest::Sha1, .. } => [4, 5],
            Self::Pbkdf2 { digest: Digest::Sha256, .. } => [1, 1],
            Self::Pbkdf2 { digest: Digest::Sha512, .. } => [8, 5],
            Self::Scrypt { .. } => [1, 2],
        }
    }

    /// N·r·p of scrypt, which its time is proportional to.
    fn blocks(self) -> u64 {
        match self {
            Self::Pbkdf2 { .. } => 0,
            Self::Scrypt { log_n, r, p } => {
                (1_u64 << log_n.min(63)).saturating_mul(u64::from(r)).saturating_mul(u64::from(p))
            }
        }
    }

    /// Whether it can be computed in a worker, before it is.
    ///
    /// # Errors
    /// The reason why not.
    pub(in crate::rules) fn judge(self) -> Result<(), HashFault> {
        match self {
            Self::Pbkdf2 { iterations: ..LEAST_STORED_ITERATIONS, .. } => Err(HashFault::CostTooLow),
            Self::Scrypt { log_n, r, .. } if log_n < LEAST_SCRYPT.0 || r < LEAST_SCRYPT.1 => Err(HashFault::CostTooLow),
            Self::Scrypt { log_n, r, .. }
                if r > MOST_SCRYPT.0 || (1_u64 << log_n.min(32)) * 128 * u64::from(r) > MOST_SCRYPT_BYTES =>
            {
                Err(HashFault::MemoryTooHigh)
            }
            Self::Scrypt { p, .. } if p > MOST_SCRYPT.1 => Err(HashFault::CostTooHigh),
            _ if self.cost() > MOST_ITERATIONS => Err(HashFault::CostTooHigh),
            _ => Ok(()),
        }
    }

    /// Derives the bytes of the hash.
    ///
    /// # Errors
    /// [`HashFault::NoScrypt`] where the engine has no scrypt, [`HashFault::ScryptFailed`].
    pub(super) fn derive(self, password: &[u8], salt: &[u8], hash: &mut [u8]) -> Result<(), HashFault> {
        match self {
            Self::Pbkdf2 { digest, iterations } => digest.pbkdf2(password, salt, iterations, hash),
            Self::Scrypt { log_n, r, p } => {
                return match Chosen::scrypt(password, salt, [u32::from(log_n), r, p], hash) {
                    Some(true) => Ok(()),
                    Some(false) => Err(HashFault::ScryptFailed),
                    None => Err(HashFault::NoScrypt),
                };
            }
        }
        Ok(())
    }
}

/// Digits only. A number that overflows is an absurd cost, not another format.
fn number(text: &str) -> Option<u32> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u32::MAX))
}

/// Not one of the functions that the gate has, or not in this form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownKdf;

impl FromStr for Kdf {
    type Err = UnknownKdf;

    fn from_str(text: &str) -> Result<Self, UnknownKdf> {
        let parts: Vec<&str> = text.split(':').collect();
        match parts[..] {
            ["pbkdf2", digest, iterations] => {
                let digests = [Digest::Sha1, Digest::Sha256, Digest::Sha512];
                let digest = digests.into_iter().find(|known| known.name() == digest);
                digest.and_then(|digest| Self::pbkdf2(digest, iterations))
            }
            ["scrypt", n, r, p] => Self::scrypt(n, r, p),
            _ => None,
        }
        .ok_or(UnknownKdf)
    }
}

impl fmt::Display for Kdf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pbkdf2 { digest, iterations } => write!(f, "pbkdf2:{}:{iterations}", digest.name()),
            Self::Scrypt { log_n, r, p } => write!(f, "scrypt:{}:{r}:{p}", 1_u64 << log_n.min(&63)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_form_is_werkzeugs() {
        for text in ["pbkdf2:sha1:1000", "pbkdf2:sha256:600000", "pbkdf2:sha512:1", "scrypt:32768:8:1", "scrypt:2:1:16"]
        {
            assert_eq!(text.parse::<Kdf>().map(|kdf| kdf.to_string()).as_deref(), Ok(text));
        }
        for text in [
            "",
            "pbkdf2",
            "pbkdf2:sha256",
            "pbkdf2:sha256:",
            "pbkdf2:sha384:1000",
            "pbkdf2:sha256:-1",
            "pbkdf2:sha256:+1",
            "pbkdf2:sha256:1000:1",
            "scrypt:32768:8",
            "scrypt:32767:8:1",
            "scrypt:1:8:1",
            "scrypt:0:8:1",
            "scrypt:32768:0:1",
            "scrypt:32768:8:0",
            "bcrypt:12",
        ] {
            assert_eq!(text.parse::<Kdf>(), Err(UnknownKdf), "{text}");
        }
    }

    #[test]
    fn memory_and_time_are_bounded_before_anything_is_computed() {
        for (text, outcome) in [
            ("pbkdf2:sha1:999", Err(HashFault::CostTooLow)),
            ("pbkdf2:sha1:1000", Ok(())),
            ("pbkdf2:sha256:5000000", Ok(())),
            ("pbkdf2:sha256:5000001", Err(HashFault::CostTooHigh)),
            ("pbkdf2:sha1:6250000", Ok(())),
            ("pbkdf2:sha1:6250002", Err(HashFault::CostTooHigh)),
            ("pbkdf2:sha512:3125000", Ok(())),
            ("pbkdf2:sha512:3125001", Err(HashFault::CostTooHigh)),
            ("pbkdf2:sha512:99999999999", Err(HashFault::CostTooHigh)),
            ("scrypt:1024:8:1", Ok(())),
            ("scrypt:512:8:1", Err(HashFault::CostTooLow)),
            ("scrypt:1024:7:1", Err(HashFault::CostTooLow)),
            // As many blocks as others, and memory or time that goes by p alone.
            ("scrypt:2:8:512", Err(HashFault::CostTooLow)),
            ("scrypt:2:8:625000", Err(HashFault::CostTooLow)),
            ("scrypt:1024:8:16", Ok(())),
            ("scrypt:1024:8:17", Err(HashFault::CostTooHigh)),
            ("scrypt:1024:64:1", Ok(())),
            ("scrypt:1024:65:1", Err(HashFault::MemoryTooHigh)),
            ("scrypt:4294967296:8:1", Err(HashFault::MemoryTooHigh)),
            ("scrypt:99999999999999999999999:8:1", Err(HashFault::MemoryTooHigh)),
            ("scrypt:65536:8:1", Ok(())),
            ("scrypt:131072:8:1", Err(HashFault::MemoryTooHigh)),
            ("scrypt:65536:9:1", Err(HashFault::MemoryTooHigh)),
            ("scrypt:2147483648:4294967295:4294967295", Err(HashFault::MemoryTooHigh)),
            ("scrypt:32768:8:1000", Err(HashFault::CostTooHigh)),
            ("scrypt:32768:8:4294967295", Err(HashFault::CostTooHigh)),
        ] {
            assert_eq!(text.parse::<Kdf>().unwrap().judge(), outcome, "{text}");
        }
    }
}
