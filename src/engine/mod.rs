//! Engines for asymmetric keys: they load keys, verify and sign, synchronously. [`Chosen`] is the one of this build.
//!
//! **What always holds:** an engine gets keys and signatures only as [`Strict`], so it can't take what another refuses:
//! the key fits its algorithm and is not a weak one, a signature has its one form with numbers in range. The engine
//! adds what takes arithmetic. Randomness for a signature is the engine's own.
//!
//! **Who uses it:** [`crate::rules::token`] alone. An engine knows that module's key material and faults, and nothing
//! else of the rules.
//!
//! **What it does not do:** HMAC, which is in the rules: its state is computed once for each key, and its code is
//! shared with PBKDF2.

mod rust;

use crate::rules::token::{Algorithm, KeyFault, Material, PublicNumbers, Strict};

/// The engine of this build: the only place that names one. Static, so a call costs no dispatch.
pub(crate) type Chosen = rust::RustCrypto;

/// An implementation of the algorithms that have key pairs.
///
/// A key is loaded once, where the configuration is read, and is then opaque to the rules: it may be numbers or a
/// handle to something outside.
pub(crate) trait Engine {
    /// A private key, loaded for one algorithm. What it holds in this process is wiped on drop.
    type Signing: Clone;
    /// A public key, loaded for one algorithm.
    type Verifying: Clone;

    /// Loads a private key.
    ///
    /// # Errors
    /// [`KeyFault::Numbers`] if they don't belong together, [`KeyFault::LeftOut`] without this algorithm.
    fn signing(algorithm: Algorithm, material: Strict<&Material>) -> Result<Self::Signing, KeyFault>;

    /// Loads a public key, also out of material that holds both halves.
    ///
    /// # Errors
    /// [`KeyFault::NotOnCurve`], [`KeyFault::Numbers`], [`KeyFault::LeftOut`] without this algorithm.
    fn verifying(algorithm: Algorithm, material: Strict<&Material>) -> Result<Self::Verifying, KeyFault>;

    /// The public key of a private one, computed from it.
    fn public_half(key: &Self::Signing) -> Self::Verifying;

    /// The numbers of a public key.
    fn numbers(key: &Self::Verifying) -> PublicNumbers;

    /// The signature of these bytes, in the form of JWS (RFC 7518 §3).
    fn sign(key: &Self::Signing, input: &[u8]) -> Vec<u8>;

    /// Whether the signature of these bytes is good.
    fn verify(key: &Self::Verifying, input: &[u8], signature: Strict<&[u8]>) -> bool;
}
