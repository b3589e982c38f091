//! RS256 to RS512 and PS256 to PS512 (RFC 7518 §3.3 and §3.5) as algorithms of `jwt-compact`.
//!
//! **What always holds:** PSS has its hash for MGF1 and a salt as long as the hash. Numbers of a private key that don't
//! belong together are refused.
//!
//! **Randomness:** signing takes it from the host (`getrandom`), for the salt and to blind the private operation
//! (RUSTSEC-2023-0071: see SECURITY.md). The rules hand none in: a salt or blind that comes in as an argument could be
//! used twice. Verifying takes none.
//!
//! jwt-compact has its own on rsa 0.9, whose arithmetic takes more or less time by the private key.

// Its randomness is its own: see above.
#![allow(clippy::disallowed_types)]

use crate::rules::token::{Algorithm, KeyFault, Material, RsaPrivate};
use ::rsa::{
    BoxedUint, Pkcs1v15Sign, PrivateKey, PublicKey,
    traits::{PrivateKeyParts, PublicKeyParts},
};
use jwt_compact::AlgorithmSignature;
use sha2::{Digest, Sha256, Sha384, Sha512};
use std::{borrow::Cow, num::NonZeroUsize};

/// One of the six: padding and hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rsa {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
}

impl Rsa {
    pub(super) const fn of(algorithm: Algorithm) -> Option<Self> {
        Some(match algorithm {
            Algorithm::Rs256 => Self::Rs256,
            Algorithm::Rs384 => Self::Rs384,
            Algorithm::Rs512 => Self::Rs512,
            Algorithm::Ps256 => Self::Ps256,
            Algorithm::Ps384 => Self::Ps384,
            Algorithm::Ps512 => Self::Ps512,
            Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 | Algorithm::EdDsa | Algorithm::Es256 => {
                return None;
            }
        })
    }

    pub(super) const fn algorithm(self) -> Algorithm {
        match self {
            Self::Rs256 => Algorithm::Rs256,
            Self::Rs384 => Algorithm::Rs384,
            Self::Rs512 => Algorithm::Rs512,
            Self::Ps256 => Algorithm::Ps256,
            Self::Ps384 => Algorithm::Ps384,
            Self::Ps512 => Algorithm::Ps512,
        }
    }
}

/// As long as the modulus.
pub(crate) struct RsaSignature(Vec<u8>);

impl AlgorithmSignature for RsaSignature {
    /// It depends on the key.
    const LENGTH: Option<NonZeroUsize> = None;

    fn try_from_slice(slice: &[u8]) -> anyhow::Result<Self> {
        Ok(Self(slice.to_vec()))
    }
    fn as_bytes(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.0)
    }
}

impl jwt_compact::Algorithm for Rsa {
    type SigningKey = PrivateKey;
    type VerifyingKey = PublicKey;
    type Signature = RsaSignature;

    fn name(&self) -> Cow<'static, str> {
        Cow::Borrowed(self.algorithm().name())
    }
    /// Blinded, and checked with the public key before it is given out: a fault in it would reveal the factors.
    fn sign(&self, key: &PrivateKey, message: &[u8]) -> RsaSignature {
        let rng = &mut getrandom::SysRng;
        let signature = match self {
            Self::Rs256 => key.sign_with_rng(rng, Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(message)),
            Self::Rs384 => key.sign_with_rng(rng, Pkcs1v15Sign::new::<Sha384>(), &Sha384::digest(message)),
            Self::Rs512 => key.sign_with_rng(rng, Pkcs1v15Sign::new::<Sha512>(), &Sha512::digest(message)),
            Self::Ps256 => key.pss_sign_with_rng::<Sha256, _>(rng, message),
            Self::Ps384 => key.pss_sign_with_rng::<Sha384, _>(rng, message),
            Self::Ps512 => key.pss_sign_with_rng::<Sha512, _>(rng, message),
        };
        RsaSignature(signature.expect("the key was validated, and the host has randomness"))
    }
    fn verify_signature(&self, signature: &RsaSignature, key: &PublicKey, message: &[u8]) -> bool {
        let signature = &signature.0;
        match self {
            Self::Rs256 => key.verify(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(message), signature),
            Self::Rs384 => key.verify(Pkcs1v15Sign::new::<Sha384>(), &Sha384::digest(message), signature),
            Self::Rs512 => key.verify(Pkcs1v15Sign::new::<Sha512>(), &Sha512::digest(message), signature),
            Self::Ps256 => key.pss_verify::<Sha256>(message, signature),
            Self::Ps384 => key.pss_verify::<Sha384>(message, signature),
            Self::Ps512 => key.pss_verify::<Sha512>(message, signature),
        }
        .is_ok()
    }
}

/// The private key, wiped on drop: its numbers belong together.
pub(super) fn signing_key(material: &Material) -> Result<PrivateKey, KeyFault> {
    let Material::Rsa { n, e, private } = material else { return Err(KeyFault::OtherKind) };
    let RsaPrivate { d, p, q, dp, dq, qi } = private.as_ref().ok_or(KeyFault::NotPrivate)?;
    let [d, p, q] = [d, p, q].map(|secret| number(secret.expose()));
    let key = PrivateKey::from_components(number(n), number(e), d, vec![p, q]).map_err(|_| KeyFault::Numbers)?;
    // The crate computes these itself.
    let computed = [key.dp().cloned(), key.dq().cloned(), key.qinv().map(|qi| qi.retrieve())];
    let are_own = [dp, dq, qi].iter().zip(computed).all(|(own, computed)| computed == Some(number(own.expose())));
    if are_own { Ok(key) } else { Err(KeyFault::Numbers) }
}

/// The public key.
pub(super) fn verifying_key(material: &Material) -> Result<PublicKey, KeyFault> {
    let Material::Rsa { n, e, .. } = material else { return Err(KeyFault::OtherKind) };
    PublicKey::new(number(n), number(e)).map_err(|_| KeyFault::Numbers)
}

/// Modulus and exponent, as a JWK has them.
pub(super) fn numbers(key: &PublicKey) -> [Vec<u8>; 2] {
    [key.n_bytes().into_vec(), key.e_bytes().into_vec()]
}

fn number(bytes: &[u8]) -> BoxedUint {
    BoxedUint::from_be_slice_vartime(bytes)
}
