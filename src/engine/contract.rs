//! What an engine does.

use crate::rules::token::{Algorithm, KeyFault, Material, PublicNumbers, Strict};

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
    /// [`KeyFault::Numbers`] if they don't belong together; [`KeyFault::LeftOut`] or [`KeyFault::NoNodeCrypto`] if the
    /// engine lacks this algorithm.
    fn signing(algorithm: Algorithm, material: Strict<&Material>) -> Result<Self::Signing, KeyFault>;

    /// Loads a public key, also out of material that holds both halves.
    ///
    /// # Errors
    /// As for [`Self::signing`]; [`KeyFault::NotOnCurve`].
    fn verifying(algorithm: Algorithm, material: Strict<&Material>) -> Result<Self::Verifying, KeyFault>;

    /// The public key of a private one, computed from it.
    fn public_half(key: &Self::Signing) -> Self::Verifying;

    /// The numbers of a public key.
    fn numbers(key: &Self::Verifying) -> PublicNumbers;

    /// The signature of these bytes, in the form of JWS (RFC 7518 §3). The rules try a key when they load it, so that
    /// it can't fail later.
    ///
    /// # Errors
    /// If the key can't sign.
    fn sign(key: &Self::Signing, input: &[u8]) -> Result<Vec<u8>, KeyFault>;

    /// scrypt (RFC 7914) with the logarithm of N, r and p, which the password rules have bounded. `None` if the engine
    /// has no scrypt, `Some(false)` if it failed.
    fn scrypt(password: &[u8], salt: &[u8], costs: [u32; 3], hash: &mut [u8]) -> Option<bool>;

    /// Whether the signature of these bytes is good.
    fn verify(key: &Self::Verifying, input: &[u8], signature: Strict<&[u8]>) -> bool;
}
