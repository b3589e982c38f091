//! EdDSA with Ed25519 (RFC 8037) as an algorithm of `jwt-compact`.
//!
//! **What always holds:** a public key is on the curve: one that is not is refused when it is loaded.
//!
//! jwt-compact has its own on ed25519-dalek 2, which brings a second sha2.

use crate::rules::token::{KeyFault, Material};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use jwt_compact::AlgorithmSignature;
use std::{borrow::Cow, num::NonZeroUsize};

/// EdDSA of RFC 8037 §3.1, with the one curve that is used for it.
pub(crate) struct EdDsa;

/// 64 bytes: R and S.
pub(crate) struct EdDsaSignature(Signature);

impl AlgorithmSignature for EdDsaSignature {
    const LENGTH: Option<NonZeroUsize> = NonZeroUsize::new(64);

    fn try_from_slice(slice: &[u8]) -> anyhow::Result<Self> {
        Ok(Self(Signature::from_bytes(slice.try_into()?)))
    }
    fn as_bytes(&self) -> Cow<'_, [u8]> {
        Cow::Owned(self.0.to_bytes().to_vec())
    }
}

impl jwt_compact::Algorithm for EdDsa {
    type SigningKey = SigningKey;
    type VerifyingKey = VerifyingKey;
    type Signature = EdDsaSignature;

    fn name(&self) -> Cow<'static, str> {
        Cow::Borrowed("EdDSA")
    }
    fn sign(&self, key: &SigningKey, message: &[u8]) -> EdDsaSignature {
        EdDsaSignature(key.sign(message))
    }
    fn verify_signature(&self, signature: &EdDsaSignature, key: &VerifyingKey, message: &[u8]) -> bool {
        key.verify_strict(message, &signature.0).is_ok()
    }
}

/// The private key, wiped on drop.
pub(super) fn signing_key(material: &Material) -> Result<SigningKey, KeyFault> {
    let Material::Ed25519 { seed, .. } = material else { return Err(KeyFault::OtherKind) };
    let seed = seed.as_ref().ok_or(KeyFault::NotPrivate)?;
    let seed: &[u8; 32] = seed.expose().as_slice().try_into().map_err(|_| KeyFault::Numbers)?;
    Ok(SigningKey::from_bytes(seed))
}

/// The public key: a point of the curve.
pub(super) fn verifying_key(material: &Material) -> Result<VerifyingKey, KeyFault> {
    let Material::Ed25519 { public: Some(public), .. } = material else { return Err(KeyFault::OtherKind) };
    let bytes: &[u8; 32] = public.as_slice().try_into().map_err(|_| KeyFault::Numbers)?;
    VerifyingKey::from_bytes(bytes).map_err(|_| KeyFault::NotOnCurve)
}
