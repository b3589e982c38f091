//! RS256 to RS512 and PS256 to PS512 (RFC 7518 §3.3 and §3.5) as algorithms of `jwt-compact`.
//!
//! **What always holds:** moduli of 2048 to 4096 bits: shorter ones can be factored, longer ones make a verification
//! cost what an attacker likes. The public exponent is odd, 3 or more and below 2³³. A modulus with the mark of ROCA
//! (CVE-2017-15361) is refused: its factors can be found. PSS has its hash for MGF1 and a salt as long as the hash.
//!
//! **Randomness:** signing takes it from the host (`getrandom`), for the salt and to blind the private operation
//! (RUSTSEC-2023-0071: see SECURITY.md). The rules hand none in: a salt or blind that comes in as an argument could be
//! used twice. Verifying takes none.
//!
//! jwt-compact has its own on rsa 0.9, whose arithmetic takes more or less time by the private key.

use crate::rules::token::{Algorithm, KeyFault, Material, RsaPrivate};
use ::rsa::{BoxedUint, Pkcs1v15Sign, PrivateKey, PublicKey, traits::PublicKeyParts};
use jwt_compact::AlgorithmSignature;
use sha2::{Digest, Sha256, Sha384, Sha512};
use std::{borrow::Cow, num::NonZeroUsize, ops::RangeInclusive};

/// How long a modulus may be, in bits.
pub(crate) const MODULUS_BITS: RangeInclusive<usize> = 2048..=4096;

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
    pub(crate) const fn of(algorithm: Algorithm) -> Option<Self> {
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

    pub(crate) const fn algorithm(self) -> Algorithm {
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
    /// It depends on the key, which compares it.
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
    /// Blinded, and checked with the public key before it is given out: a fault in it would tell the factors.
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
        if signature.0.len() != key.size() {
            return false;
        }
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
pub(crate) fn signing_key(material: &Material) -> Result<PrivateKey, KeyFault> {
    let Material::Rsa { n, e, private } = material else { return Err(KeyFault::OtherKind) };
    let RsaPrivate { d, p, q } = private.as_ref().ok_or(KeyFault::NotPrivate)?;
    // The modulus first: the rest is arithmetic on numbers as long as it is.
    verifying_key(material)?;
    let [d, p, q] = [d, p, q].map(|number| BoxedUint::from_be_slice_vartime(number.expose()));
    PrivateKey::from_components(number(n), number(e), d, vec![p, q]).map_err(|_| KeyFault::Numbers)
}

/// The public key, if its numbers may be trusted.
pub(crate) fn verifying_key(material: &Material) -> Result<PublicKey, KeyFault> {
    let Material::Rsa { n, e, .. } = material else { return Err(KeyFault::OtherKind) };
    let [n, e] = [n, e].map(|number| &number[number.iter().take_while(|&&byte| byte == 0).count()..]);
    let bits = n.len() * 8 - n.first().map_or(0, |first| first.leading_zeros() as usize);
    if !MODULUS_BITS.contains(&bits) {
        return Err(KeyFault::Modulus { bits });
    }
    // Within what the crate takes too (odd, below 2³³), but that takes 2 and calls all of it one fault.
    if e.len() > 5 || matches!(e, [] | [0..=2]) || e.last().is_some_and(|last| last % 2 == 0) {
        return Err(KeyFault::Exponent);
    }
    if has_mark_of_roca(n) {
        return Err(KeyFault::Roca);
    }
    PublicKey::new_with_size_limits(number(n), number(e), MODULUS_BITS).map_err(|_| KeyFault::Numbers)
}

/// Modulus and exponent, as a JWK has them.
pub(crate) fn numbers(key: &PublicKey) -> [Vec<u8>; 2] {
    [key.n_bytes().into_vec(), key.e_bytes().into_vec()]
}

fn number(bytes: &[u8]) -> BoxedUint {
    BoxedUint::from_be_slice_vartime(bytes)
}

/// Primes of Infineon's library are powers of 65537 modulo each of the first primes, and so is their product. Of other
/// moduli one in 2³⁰ is (Nemec and others, "The Return of Coppersmith's Attack", CCS 2017, §2.2).
fn has_mark_of_roca(modulus: &[u8]) -> bool {
    const PRIMES: [u32; 39] = [
        2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107,
        109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
    ];
    PRIMES.iter().all(|prime| {
        let rest = modulus.iter().fold(0, |rest, &byte| (rest * 256 + u32::from(byte)) % prime);
        let mut power = 1;
        (0..*prime).any(|_| {
            power = power * 65_537 % prime;
            power == rest
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_modulus_with_the_mark_of_roca_is_refused() {
        // 65537 to the power of 128, in bytes: times 65537 is itself, moved by two bytes, plus itself.
        let mut power = vec![1_u8];
        for _ in 0..128 {
            let mut carry = 0;
            let mut next: Vec<u8> = Vec::new();
            for at in 0..power.len() + 3 {
                let digit = |at: Option<usize>| at.and_then(|at| power.get(at)).map_or(0, |&digit| u16::from(digit));
                let sum = digit(Some(at)) + digit(at.checked_sub(2)) + carry;
                next.push(sum.to_le_bytes()[0]);
                carry = sum >> 8;
            }
            power = next;
        }
        power.reverse();
        let judge = |n: Vec<u8>| verifying_key(&Material::Rsa { n, e: vec![1, 0, 1], private: None }).map(drop);
        assert_eq!(judge(power.clone()), Err(KeyFault::Roca));
        // Another residue modulo 3 or 5, and it is a modulus like others.
        let last = power.last_mut().unwrap();
        *last = last.wrapping_add(2);
        assert_eq!(judge(power), Ok(()));
    }
}
