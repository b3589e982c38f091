//! Why a text is no key, or a list of keys no ring, and what to do about it.
//!
//! **What always holds:** a fault holds nothing of the key but lengths.

use std::fmt;

/// Why something is no key that may be used.
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
    /// A key, not a secret: a public one is known to everybody, so no HMAC secret (algorithm confusion).
    PublicKey,
    /// Neither PEM nor JWK that can be read.
    Unreadable,
    /// A JWK Set where one key belongs.
    IsASet,
    /// A private key under a passphrase.
    Encrypted,
    /// OpenSSH's own form.
    OpenSsh,
    /// A certificate where a public key belongs.
    Certificate,
    /// A private key or secret where a public key belongs.
    Private,
    /// A public key where a private key belongs.
    NotPrivate,
    /// A key of another kind than the algorithm's.
    OtherKind,
    /// A curve or kind of key that no algorithm here has.
    UnknownKind,
    /// A JWK's `alg` that is none of the algorithms here.
    UnknownAlgorithm,
    /// A JWK's `alg` that is not the one it is to be used with.
    OtherAlgorithm,
    /// A JWK that may have several algorithms, and names none.
    NoAlgorithm,
    /// A JWK whose `use` or `key_ops` forbid what it is to be used for, or that are malformed.
    OtherUse,
    /// Numbers that are missing, of wrong length, or don't belong together.
    Numbers,
    /// The public half is not the private half's.
    Halves,
    /// A point that is not on the curve, or of small order.
    NotOnCurve,
    /// An RSA modulus that is too short or too long.
    Modulus {
        /// As many bits as it has.
        bits: usize,
    },
    /// An RSA public exponent that is even, below 3 or above 2³³.
    Exponent,
    /// An RSA key of which the factors can be found (CVE-2017-15361).
    Roca,
    /// An algorithm that this build leaves out.
    LeftOut,
    /// The runtime has no `node:crypto`, which has the algorithms with key pairs.
    NoNodeCrypto,
    /// `kid` is not a text.
    Id,
    /// `not_after` is no number of seconds.
    NotAfter,
    /// An end for the key that signs.
    SigningEnds,
    /// Not `{"keys": [...]}` with a key in it.
    NotASet,
    /// Several keys, one of them without `kid`.
    WithoutId,
    /// Two keys with one `kid`.
    SameId,
    /// Secrets among public and private keys: a list that may be published is mixed up with one that may not.
    Mixed,
}

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "empty: give it a random text of 64 characters",
            Self::Short { bytes, least } => {
                return write!(f, "{bytes} bytes, and the algorithm needs {least} or more. Take a longer one");
            }
            Self::PublicKey => {
                "a key or certificate, which anybody may know: give it a random text of 64 characters, or set JWT_ALGORITHM to the key's"
            }
            Self::IsASet => "a JWK Set: put it into JWT_KEYS, and leave this out",
            Self::Unreadable => "neither PEM nor JWK: write the whole file, from -----BEGIN to the end, or the JWK as JSON",
            Self::Encrypted => "under a passphrase: write it without one (openssl pkey -in KEY)",
            Self::OpenSsh => "in OpenSSH's own form: write it as PKCS#8 (ssh-keygen -p -m PKCS8 -f KEY)",
            Self::Certificate => "a certificate: write its public key alone (openssl x509 -in CERT -pubkey -noout)",
            Self::Private => "a private key, where its public half belongs: openssl pkey -in KEY -pubout",
            Self::NotPrivate => "a public key, where the private one belongs",
            Self::OtherKind => {
                "a key of another kind than the algorithm: RS… and PS… take RSA, ES256 takes P-256, EdDSA takes Ed25519, HS… takes a secret"
            }
            Self::UnknownKind => "of a kind that no algorithm here has: take RSA, P-256 or Ed25519",
            Self::UnknownAlgorithm => {
                "its alg is none of HS256, HS384, HS512, EdDSA, ES256, RS256, RS384, RS512, PS256, PS384, PS512"
            }
            Self::OtherAlgorithm => "its alg is another than the one it is to be used with: make the two the same",
            Self::NoAlgorithm => "it may have several algorithms: write the one that is meant as JWT_ALGORITHM, or add the member alg",
            Self::OtherUse => "its use or key_ops are not for signatures, or malformed: take a key that is for signatures",
            Self::Numbers => "its numbers are missing, of the wrong length, or don't belong together: make it anew",
            Self::Halves => "not the public half of the private key: openssl pkey -in KEY -pubout",
            Self::NotOnCurve => "its point is not on the curve, or a weak one: make the key anew",
            Self::Modulus { bits } => {
                return write!(f, "an RSA modulus of {bits} bits: take a key of 2048 to 4096");
            }
            Self::Exponent => "an RSA exponent that is even, below 3 or above 2^33: make the key anew, with 65537",
            Self::Roca => "an RSA key that can be factored (ROCA, CVE-2017-15361): make it anew with OpenSSL, and use it nowhere else",
            Self::LeftOut => "this build leaves its algorithm out: build with the feature ecdsa, eddsa or rsa",
            Self::NoNodeCrypto => {
                "its algorithm needs node:crypto, which this worker lacks: add \"nodejs_compat\" to compatibility_flags, or build with the feature rust-crypto"
            }
            Self::Id => "its kid is not a text: write it in quotes",
            Self::NotAfter => "its not_after is no time: write seconds since 1970, as in exp",
            Self::SigningEnds => "it signs, and has a not_after: write a new key before it, which signs from then on",
            Self::NotASet => "no JWK Set: write {\"keys\": [...]} with at least one key, and no member twice",
            Self::WithoutId => "without a kid: with several keys each needs one",
            Self::SameId => "the same kid as another: give each its own",
            Self::Mixed => {
                "a secret (kty oct) among public and private keys: leave it out; JWT_SECRET_KEY with JWT_DECODE_ALGORITHMS keeps its tokens good"
            }
        })
    }
}
