//! ES256: ECDSA on P-256 with SHA-256 (RFC 7518 §3.4) as an algorithm of `jwt-compact`.
//!
//! **What always holds:** the point is on the curve: a key that says otherwise is refused when it is loaded. Signing is
//! deterministic (RFC 6979): it needs no randomness, so bad randomness can't give the key away.
//!
//! jwt-compact has its own on p256 0.13, which brings a second sha2.

use crate::rules::token::{KeyFault, Material};
use jwt_compact::AlgorithmSignature;
use p256::ecdsa::{
    Signature, SigningKey, VerifyingKey,
    signature::{Signer, Verifier},
};
use std::{borrow::Cow, num::NonZeroUsize};

/// ES256 of RFC 7518 §3.4.
pub(crate) struct Es256;

/// 64 bytes: r and s, each from 1 to the order less 1.
pub(crate) struct Es256Signature(Signature);

impl AlgorithmSignature for Es256Signature {
    const LENGTH: Option<NonZeroUsize> = NonZeroUsize::new(64);

    fn try_from_slice(slice: &[u8]) -> anyhow::Result<Self> {
        Signature::from_slice(slice).map(Self).map_err(|_| anyhow::anyhow!("r or s is out of range"))
    }
    fn as_bytes(&self) -> Cow<'_, [u8]> {
        Cow::Owned(self.0.to_bytes().to_vec())
    }
}

impl jwt_compact::Algorithm for Es256 {
    type SigningKey = SigningKey;
    type VerifyingKey = VerifyingKey;
    type Signature = Es256Signature;

    fn name(&self) -> Cow<'static, str> {
        Cow::Borrowed("ES256")
    }
    fn sign(&self, key: &SigningKey, message: &[u8]) -> Es256Signature {
        Es256Signature(key.sign(message))
    }
    fn verify_signature(&self, signature: &Es256Signature, key: &VerifyingKey, message: &[u8]) -> bool {
        key.verify(message, &signature.0).is_ok()
    }
}

/// The private key, wiped on drop.
pub(super) fn signing_key(material: &Material) -> Result<SigningKey, KeyFault> {
    let Material::P256 { scalar, .. } = material else { return Err(KeyFault::OtherKind) };
    let scalar = scalar.as_ref().ok_or(KeyFault::NotPrivate)?;
    let scalar: &[u8; 32] = scalar.expose().as_slice().try_into().map_err(|_| KeyFault::Numbers)?;
    SigningKey::from_bytes(scalar.into()).map_err(|_| KeyFault::Numbers)
}

/// The public key: a point of the curve, not the one at infinity.
pub(super) fn verifying_key(material: &Material) -> Result<VerifyingKey, KeyFault> {
    let Material::P256 { point: Some(point), .. } = material else { return Err(KeyFault::OtherKind) };
    VerifyingKey::from_sec1_bytes(point).map_err(|_| KeyFault::NotOnCurve)
}

/// The coordinates, 32 bytes each, as a JWK has them.
pub(super) fn coordinates(key: &VerifyingKey) -> [Vec<u8>; 2] {
    let point = key.to_sec1_point(false);
    let (x, y) = point.as_bytes()[1..].split_at(32);
    [x.to_vec(), y.to_vec()]
}
