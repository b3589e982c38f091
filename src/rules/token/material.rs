//! What a PEM file or a JWK holds, as plain numbers: read, but not yet judged.
//!
//! **What always holds:** private parts are [`Secret`]s. Whether the numbers make a key that may be used is for
//! `super::strict` and the engine to say.

use super::super::secret::Secret;

/// A key by its kind. Integers and points are big-endian bytes, as RFC 7518 §6 has them.
pub(crate) enum Material {
    /// A shared secret.
    Oct(Secret<Vec<u8>>),
    /// A key of Ed25519 (RFC 8032): one half at least.
    Ed25519 {
        seed: Option<Secret<Vec<u8>>>,
        public: Option<Vec<u8>>,
    },
    /// A key on P-256, its point in SEC 1 form: one half at least.
    P256 {
        scalar: Option<Secret<Vec<u8>>>,
        point: Option<Vec<u8>>,
    },
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
        private: Option<RsaPrivate>,
    },
}

/// The private numbers of RSA (RFC 8017 §3.2). An engine may compute the last three from the others.
pub(crate) struct RsaPrivate {
    pub(crate) d: Secret<Vec<u8>>,
    pub(crate) p: Secret<Vec<u8>>,
    pub(crate) q: Secret<Vec<u8>>,
    pub(crate) dp: Secret<Vec<u8>>,
    pub(crate) dq: Secret<Vec<u8>>,
    pub(crate) qi: Secret<Vec<u8>>,
}

impl Material {
    /// Is there anything in it that must stay secret?
    pub(crate) const fn is_private(&self) -> bool {
        match self {
            Self::Oct(_) => true,
            Self::Ed25519 { seed, .. } => seed.is_some(),
            Self::P256 { scalar, .. } => scalar.is_some(),
            Self::Rsa { private, .. } => private.is_some(),
        }
    }
}

/// The numbers of a public key, as a JWK has them: in their shortest form for RSA, 32 bytes each for the others.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum PublicNumbers {
    Ed25519([u8; 32]),
    /// x and y.
    P256([Vec<u8>; 2]),
    /// Modulus and exponent.
    Rsa([Vec<u8>; 2]),
}
