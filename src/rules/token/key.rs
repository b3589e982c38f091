//! Keys, each bound to its algorithm, and the ring of them.
//!
//! **What always holds:** a key signs and verifies with one algorithm; "does the token's `alg` fit the key?" is part
//! of finding the key. A key shorter than its hash's output is refused (RFC 7518 §3.2), unless the operator says
//! by name that an old Flask secret must go on for a while.

use super::super::secret::Secret;
use super::hmac::{Hs256, Hs256Key, Hs384, Hs384Key, Hs512, Hs512Key};
use jwt_compact::AlgorithmSignature;

/// The signature algorithms (RFC 7518 §3.1) that keys can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Hs256, Self::Hs384, Self::Hs512];

    /// The name in `alg` and in `JWT_ALGORITHM`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
        }
    }

    /// By its exact name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// The least length of a key, in bytes (RFC 7518 §3.2).
    #[must_use]
    pub const fn least_key_bytes(self) -> usize {
        match self {
            Self::Hs256 => 32,
            Self::Hs384 => 48,
            Self::Hs512 => 64,
        }
    }
}

/// Why a secret is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFault {
    /// No bytes at all.
    Empty,
    /// Fewer bytes than the hash puts out.
    Short {
        /// As many as there are.
        bytes: usize,
        /// As many as it takes.
        least: usize,
    },
    /// A public key or certificate: known to everybody, so no HMAC secret (algorithm confusion).
    PublicKey,
}

/// A key with its algorithm and, if it has one, its id.
pub struct Key {
    id: Option<String>,
    material: Material,
}

enum Material {
    Hs256(Hs256Key),
    Hs384(Hs384Key),
    Hs512(Hs512Key),
}

impl Key {
    /// A symmetric key out of a secret.
    ///
    /// # Errors
    /// [`KeyFault`]; with `allow_short` a short one is taken, an empty one never.
    pub fn symmetric(
        algorithm: Algorithm,
        secret: &Secret<String>,
        id: Option<String>,
        allow_short: bool,
    ) -> Result<Self, KeyFault> {
        let text = secret.expose();
        let (bytes, least) = (text.len(), algorithm.least_key_bytes());
        if text.is_empty() {
            return Err(KeyFault::Empty);
        }
        if [
            "-----BEGIN PUBLIC KEY-----",
            "-----BEGIN RSA PUBLIC KEY-----",
            "-----BEGIN CERTIFICATE-----",
            "ssh-rsa",
            "ssh-ed25519",
            "ecdsa-sha2-",
        ]
        .iter()
        .any(|mark| text.contains(mark))
        {
            return Err(KeyFault::PublicKey);
        }
        if bytes < least && !allow_short {
            return Err(KeyFault::Short { bytes, least });
        }
        let secret = text.as_bytes();
        let material = match algorithm {
            Algorithm::Hs256 => Material::Hs256(Hs256Key::new(secret)),
            Algorithm::Hs384 => Material::Hs384(Hs384Key::new(secret)),
            Algorithm::Hs512 => Material::Hs512(Hs512Key::new(secret)),
        };
        Ok(Self { id, material })
    }

    /// The one algorithm of this key.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        match self.material {
            Material::Hs256(_) => Algorithm::Hs256,
            Material::Hs384(_) => Algorithm::Hs384,
            Material::Hs512(_) => Algorithm::Hs512,
        }
    }

    /// `kid`, if it has one.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        fn with<A: jwt_compact::Algorithm>(algorithm: &A, key: &A::SigningKey, message: &[u8]) -> Vec<u8> {
            algorithm.sign(key, message).as_bytes().into_owned()
        }
        match &self.material {
            Material::Hs256(key) => with(&Hs256, key, message),
            Material::Hs384(key) => with(&Hs384, key, message),
            Material::Hs512(key) => with(&Hs512, key, message),
        }
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        fn with<A: jwt_compact::Algorithm>(
            algorithm: &A,
            key: &A::VerifyingKey,
            message: &[u8],
            signature: &[u8],
        ) -> bool {
            A::Signature::LENGTH.is_none_or(|length| length.get() == signature.len())
                && A::Signature::try_from_slice(signature)
                    .is_ok_and(|signature| algorithm.verify_signature(&signature, key, message))
        }
        match &self.material {
            Material::Hs256(key) => with(&Hs256, key, message, signature),
            Material::Hs384(key) => with(&Hs384, key, message, signature),
            Material::Hs512(key) => with(&Hs512, key, message, signature),
        }
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({}, id {:?}, ..)", self.algorithm().name(), self.id)
    }
}

/// The keys of a gate: the first signs, all verify.
#[derive(Debug)]
pub struct KeyRing(Vec<Key>);

impl KeyRing {
    /// A ring of the key that signs and of others that only verify.
    #[must_use]
    pub fn new(signing: Key, others: impl IntoIterator<Item = Key>) -> Self {
        Self(std::iter::once(signing).chain(others).collect())
    }

    /// The key that new tokens are signed with.
    #[must_use]
    pub fn signing(&self) -> &Key {
        &self.0[0]
    }

    /// The key for a token that names this `alg` and `kid`. A `kid` that names a key of the ring means that key, and
    /// then its algorithm must fit; any other `kid`, or none, means the first key of that algorithm without an id
    /// (Flask-JWT looks at no `kid`), else the signing key.
    #[must_use]
    pub fn for_token(&self, algorithm: Option<&str>, key_id: Option<&str>) -> Option<&Key> {
        let algorithm = Algorithm::from_name(algorithm?)?;
        let named = key_id.and_then(|id| self.0.iter().find(|key| key.id() == Some(id)));
        let key = named
            .or_else(|| self.0.iter().find(|key| key.id.is_none() && key.algorithm() == algorithm))
            .or_else(|| key_id.is_none().then(|| self.signing()))?;
        (key.algorithm() == algorithm).then_some(key)
    }
}
