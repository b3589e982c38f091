//! The engine in Rust: the crates of RustCrypto and of dalek, one file a kind of key, each a Cargo feature.
//!
//! **What always holds:** a private key is wiped on drop. What [`Strict`] promises is checked by the crates a second
//! time where they do so anyway.

// Without a feature its arms are not there, and nothing else takes what they take.
#![cfg_attr(
    not(all(feature = "ecdsa", feature = "eddsa", feature = "rsa")),
    allow(dead_code, unused_imports, unused_variables)
)]

#[cfg(feature = "ecdsa")]
mod ecdsa;
#[cfg(feature = "eddsa")]
mod eddsa;
#[cfg(feature = "rsa")]
mod rsa;

use super::contract::Engine;
use crate::rules::token::{Algorithm, KeyFault, Material, PublicNumbers, Strict};

/// The engine; it has no state.
pub(crate) enum RustCrypto {}

/// A private key.
#[derive(Clone)]
pub(crate) enum Signing {
    #[cfg(feature = "ecdsa")]
    Es256(p256::ecdsa::SigningKey),
    #[cfg(feature = "eddsa")]
    EdDsa(ed25519_dalek::SigningKey),
    #[cfg(feature = "rsa")]
    Rsa(rsa::Rsa, ::rsa::PrivateKey),
}

/// A public key.
#[derive(Clone)]
pub(crate) enum Verifying {
    #[cfg(feature = "ecdsa")]
    Es256(p256::ecdsa::VerifyingKey),
    #[cfg(feature = "eddsa")]
    EdDsa(ed25519_dalek::VerifyingKey),
    #[cfg(feature = "rsa")]
    Rsa(rsa::Rsa, ::rsa::PublicKey),
}

impl Engine for RustCrypto {
    type Signing = Signing;
    type Verifying = Verifying;

    fn signing(algorithm: Algorithm, material: Strict<&Material>) -> Result<Signing, KeyFault> {
        match material.get() {
            #[cfg(feature = "ecdsa")]
            Material::P256 { .. } => ecdsa::signing_key(material.get()).map(Signing::Es256),
            #[cfg(feature = "eddsa")]
            Material::Ed25519 { .. } => eddsa::signing_key(material.get()).map(Signing::EdDsa),
            #[cfg(feature = "rsa")]
            Material::Rsa { .. } => {
                let algorithm = rsa::Rsa::of(algorithm).ok_or(KeyFault::OtherKind)?;
                rsa::signing_key(material.get()).map(|key| Signing::Rsa(algorithm, key))
            }
            _ => Err(KeyFault::LeftOut),
        }
    }

    fn verifying(algorithm: Algorithm, material: Strict<&Material>) -> Result<Verifying, KeyFault> {
        match material.get() {
            #[cfg(feature = "ecdsa")]
            Material::P256 { .. } => ecdsa::verifying_key(material.get()).map(Verifying::Es256),
            #[cfg(feature = "eddsa")]
            Material::Ed25519 { .. } => eddsa::verifying_key(material.get()).map(Verifying::EdDsa),
            #[cfg(feature = "rsa")]
            Material::Rsa { .. } => {
                let algorithm = rsa::Rsa::of(algorithm).ok_or(KeyFault::OtherKind)?;
                rsa::verifying_key(material.get()).map(|key| Verifying::Rsa(algorithm, key))
            }
            _ => Err(KeyFault::LeftOut),
        }
    }

    fn public_half(key: &Signing) -> Verifying {
        match *key {
            #[cfg(feature = "ecdsa")]
            Signing::Es256(ref key) => Verifying::Es256(*key.verifying_key()),
            #[cfg(feature = "eddsa")]
            Signing::EdDsa(ref key) => Verifying::EdDsa(key.verifying_key()),
            #[cfg(feature = "rsa")]
            Signing::Rsa(algorithm, ref key) => Verifying::Rsa(algorithm, key.to_public_key()),
        }
    }

    fn numbers(key: &Verifying) -> PublicNumbers {
        match *key {
            #[cfg(feature = "ecdsa")]
            Verifying::Es256(ref key) => PublicNumbers::P256(ecdsa::coordinates(key)),
            #[cfg(feature = "eddsa")]
            Verifying::EdDsa(ref key) => PublicNumbers::Ed25519(key.to_bytes()),
            #[cfg(feature = "rsa")]
            Verifying::Rsa(_, ref key) => PublicNumbers::Rsa(rsa::numbers(key)),
        }
    }

    fn sign(key: &Signing, input: &[u8]) -> Result<Vec<u8>, KeyFault> {
        use jwt_compact::{Algorithm as _, AlgorithmSignature as _};
        match *key {
            #[cfg(feature = "ecdsa")]
            Signing::Es256(ref key) => Ok(ecdsa::Es256.sign(key, input).as_bytes().into_owned()),
            #[cfg(feature = "eddsa")]
            Signing::EdDsa(ref key) => Ok(eddsa::EdDsa.sign(key, input).as_bytes().into_owned()),
            #[cfg(feature = "rsa")]
            Signing::Rsa(algorithm, ref key) => Ok(algorithm.sign(key, input).as_bytes().into_owned()),
        }
    }

    fn scrypt(password: &[u8], salt: &[u8], [log_n, r, p]: [u32; 3], hash: &mut [u8]) -> Option<bool> {
        let params = u8::try_from(log_n).ok().and_then(|log_n| scrypt::Params::new(log_n, r, p).ok());
        Some(params.is_some_and(|params| scrypt::scrypt(password, salt, &params, hash).is_ok()))
    }

    fn verify(key: &Verifying, input: &[u8], signature: Strict<&[u8]>) -> bool {
        fn with<A: jwt_compact::Algorithm>(
            algorithm: A,
            key: &A::VerifyingKey,
            input: &[u8],
            signature: &[u8],
        ) -> bool {
            <A::Signature as jwt_compact::AlgorithmSignature>::try_from_slice(signature)
                .is_ok_and(|signature| algorithm.verify_signature(&signature, key, input))
        }
        match *key {
            #[cfg(feature = "ecdsa")]
            Verifying::Es256(ref key) => with(ecdsa::Es256, key, input, signature.get()),
            #[cfg(feature = "eddsa")]
            Verifying::EdDsa(ref key) => with(eddsa::EdDsa, key, input, signature.get()),
            #[cfg(feature = "rsa")]
            Verifying::Rsa(algorithm, ref key) => with(algorithm, key, input, signature.get()),
        }
    }
}
