//! What is checked of a key and of a signature before an engine is asked.
//!
//! **What always holds:** an engine gets a key or a signature only as [`Strict`], which only this file makes, so every
//! engine takes and refuses the same: libraries differ in what they let pass. A key is of its algorithm's kind. RSA
//! moduli have 2048 to 4096 bits: shorter ones can be factored, longer ones make a verification cost what an attacker
//! likes; the exponent is odd, 3 or more and below 2³³; a modulus with the mark of ROCA (CVE-2017-15361) is refused.
//! Points of Ed25519 have one spelling and are not of small order. A signature has one length, and its numbers are
//! below their bound: r and s of ES256 raw, never DER; S of Ed25519 reduced (RFC 8032 §5.1.7).
//!
//! **What it does not do:** what takes arithmetic on long numbers: whether a point is on its curve, whether the numbers
//! of a private key belong together. That is the engine's. It does not ask for the lower of the two values that s of
//! ES256 may have: RFC 7518 does not, and of the tokens that OpenSSL and WebCrypto sign every other has the higher. So
//! whoever holds a token can write its signature in one other way: nothing may take a token's text for its identity
//! (that is `jti`).

use super::{
    algorithm::Algorithm,
    fault::KeyFault,
    material::{Material, PublicNumbers},
};
use std::ops::RangeInclusive;

/// A key or a signature that has passed the checks of this file.
#[derive(Clone, Copy)]
pub(crate) struct Strict<T>(T);

impl<T> Strict<T> {
    pub(crate) fn get(self) -> T {
        self.0
    }
}

/// How long a modulus may be, in bits.
const MODULUS_BITS: RangeInclusive<usize> = 2048..=4096;

/// The order of P-256's group, big-endian (SP 800-186 §3.2.1.3).
const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7,
    0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// The order of Ed25519's group, L, little-endian (RFC 8032 §5.1).
const ED25519_ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// 2²⁵⁵ - 19, little-endian.
const ED25519_PRIME: [u8; 32] = {
    let mut prime = [0xff; 32];
    (prime[0], prime[31]) = (0xed, 0x7f);
    prime
};

/// The y of the eight points whose order divides 8, in their one spelling: 0, 1, p - 1, and two that are of order 8.
const SMALL_ORDER: [[u8; 32]; 5] = {
    let mut less_one = ED25519_PRIME;
    less_one[0] -= 1;
    let mut one = [0; 32];
    one[0] = 1;
    [
        [0; 32],
        one,
        less_one,
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
            0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
            0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
        ],
    ]
};

/// A private key for this algorithm.
///
/// # Errors
/// The first fault.
pub(super) fn private_key(algorithm: Algorithm, material: &Material) -> Result<Strict<&Material>, KeyFault> {
    if !material.fits(algorithm) {
        return Err(KeyFault::OtherKind);
    }
    if !material.is_private() {
        return Err(KeyFault::NotPrivate);
    }
    let are_numbers_good = match material {
        Material::Oct(_) => return Err(KeyFault::OtherKind),
        Material::Ed25519 { seed, .. } => seed.as_ref().is_some_and(|seed| seed.expose().len() == 32),
        Material::P256 { scalar, .. } => scalar.as_ref().is_some_and(|scalar| is_p256_scalar(scalar.expose())),
        // The public numbers first: the rest is arithmetic on numbers as long as they are.
        Material::Rsa { .. } => return public_key(algorithm, material),
    };
    if are_numbers_good { Ok(Strict(material)) } else { Err(KeyFault::Numbers) }
}

/// A public key for this algorithm, or the public half of a private one.
///
/// # Errors
/// The first fault.
pub(super) fn public_key(algorithm: Algorithm, material: &Material) -> Result<Strict<&Material>, KeyFault> {
    if !material.fits(algorithm) {
        return Err(KeyFault::OtherKind);
    }
    match material {
        Material::Ed25519 { public: Some(public), .. } => {
            let y = ed25519_y(public).ok_or(KeyFault::Numbers)?;
            if !is_below(&y, &ED25519_PRIME) || SMALL_ORDER.contains(&y) {
                return Err(KeyFault::NotOnCurve);
            }
        }
        // SEC 1 §2.3.3; the point at infinity is one byte.
        Material::P256 { point: Some(point), .. } => {
            if !matches!((point.len(), point.first()), (65, Some(4)) | (33, Some(2 | 3))) {
                return Err(KeyFault::NotOnCurve);
            }
        }
        Material::Rsa { n, e, .. } => rsa_numbers(n, e)?,
        Material::Oct(_) | Material::Ed25519 { public: None, .. } | Material::P256 { point: None, .. } => {
            return Err(KeyFault::OtherKind);
        }
    }
    Ok(Strict(material))
}

/// A signature that this key may have made; `None` if it can't be one, whatever was signed.
pub(super) fn signature<'s>(key: &PublicNumbers, signature: &'s [u8]) -> Option<Strict<&'s [u8]>> {
    let is_possible = match key {
        PublicNumbers::Ed25519(_) => signature
            .split_at_checked(32)
            .is_some_and(|(r, s)| s.len() == 32 && is_below(s, &ED25519_ORDER) && is_point_of_large_order(r)),
        PublicNumbers::P256(_) => signature.len() == 64 && signature.chunks(32).all(is_p256_scalar),
        // RFC 8017 §5.2.2.
        PublicNumbers::Rsa([n, _]) => signature.len() == n.len() && signature < n.as_slice(),
    };
    is_possible.then_some(Strict(signature))
}

/// 32 bytes, big-endian, from 1 to the order less 1.
fn is_p256_scalar(number: &[u8]) -> bool {
    number.len() == 32 && number < P256_ORDER.as_slice() && number.iter().any(|&byte| byte != 0)
}

/// Whether a point has its one spelling and is not of small order.
fn is_point_of_large_order(point: &[u8]) -> bool {
    ed25519_y(point).is_some_and(|y| is_below(&y, &ED25519_PRIME) && !SMALL_ORDER.contains(&y))
}

/// The y of a point, without the sign of x.
fn ed25519_y(point: &[u8]) -> Option<[u8; 32]> {
    let mut y: [u8; 32] = point.try_into().ok()?;
    y[31] &= 0x7f;
    Some(y)
}

/// Of numbers as long as each other, little-endian.
fn is_below(number: &[u8], bound: &[u8]) -> bool {
    number.iter().rev().lt(bound.iter().rev())
}

fn rsa_numbers(n: &[u8], e: &[u8]) -> Result<(), KeyFault> {
    let [n, e] = [n, e].map(|number| &number[number.iter().take_while(|&&byte| byte == 0).count()..]);
    let bits = n.len() * 8 - n.first().map_or(0, |first| first.leading_zeros() as usize);
    if !MODULUS_BITS.contains(&bits) {
        return Err(KeyFault::Modulus { bits });
    }
    let is_even = |number: &[u8]| number.last().is_none_or(|last| last % 2 == 0);
    if is_even(e) || matches!(e, [1]) || e.len() > 5 || (e.len() == 5 && e[0] > 1) {
        return Err(KeyFault::Exponent);
    }
    if has_mark_of_roca(n) {
        return Err(KeyFault::Roca);
    }
    if is_even(n) { Err(KeyFault::Numbers) } else { Ok(()) }
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

    /// The number less one, and the number, as bytes of the same order.
    fn at_and_below(number: [u8; 32], last: usize) -> [[u8; 32]; 2] {
        let mut below = number;
        below[last] -= 1;
        [below, number]
    }

    #[test]
    fn a_signature_of_es256_is_two_numbers_from_1_to_the_order_less_1() {
        let key = PublicNumbers::P256([vec![0; 32], vec![0; 32]]);
        let is_possible = |r: &[u8], s: &[u8]| signature(&key, &[r, s].concat()).is_some();
        let [most, order] = at_and_below(P256_ORDER, 31);
        let mut one = [0; 32];
        one[31] = 1;
        for good in [one, most] {
            assert!(is_possible(&one, &good) && is_possible(&good, &one));
        }
        for bad in [[0; 32].as_slice(), &order, &[0xff; 32], &[1; 31], &[1; 33], &[]] {
            assert!(!is_possible(&one, bad) && !is_possible(bad, &one), "{bad:?}");
        }
    }

    #[test]
    fn a_signature_of_ed25519_has_s_reduced_and_r_of_large_order() {
        let key = PublicNumbers::Ed25519([0; 32]);
        let is_possible = |r: &[u8], s: &[u8]| signature(&key, &[r, s].concat()).is_some();
        let r = [2; 32];
        let [most, order] = at_and_below(ED25519_ORDER, 0);
        assert!(is_possible(&r, &[0; 32]) && is_possible(&r, &most));
        for bad in [order.as_slice(), &[0xff; 32], &[0; 31], &[0; 33], &[]] {
            assert!(!is_possible(&r, bad), "{bad:?}");
        }
        for mut r in SMALL_ORDER {
            assert!(!is_possible(&r, &most));
            r[31] |= 0x80;
            assert!(!is_possible(&r, &most), "whatever the sign of x");
        }
        assert!(!is_possible(&ED25519_PRIME, &most), "another spelling of y = 0");
    }

    #[test]
    fn a_signature_of_rsa_is_as_long_as_the_modulus_and_below_it() {
        let key = PublicNumbers::Rsa([vec![0x80, 0, 1], vec![3]]);
        for (bytes, is_possible) in [
            (&[0x80, 0, 0][..], true),
            (&[0, 0, 0], true),
            (&[0x80, 0, 1], false),
            (&[0xff, 0, 0], false),
            (&[0, 1], false),
            (&[0, 0x80, 0, 0], false),
            (&[], false),
        ] {
            assert_eq!(signature(&key, bytes).is_some(), is_possible, "{bytes:?}");
        }
    }

    #[test]
    fn a_point_of_ed25519_has_one_spelling_and_a_large_order() {
        let judge = |public: [u8; 32]| {
            let material = Material::Ed25519 { seed: None, public: Some(public.to_vec()) };
            public_key(Algorithm::EdDsa, &material).map(drop)
        };
        let mut two_less = ED25519_PRIME;
        two_less[0] -= 2;
        assert_eq!(judge(two_less), Ok(()));
        for mut weak in SMALL_ORDER.into_iter().chain([ED25519_PRIME, [0xff; 32]]) {
            assert_eq!(judge(weak), Err(KeyFault::NotOnCurve));
            weak[31] ^= 0x80;
            assert_eq!(judge(weak), Err(KeyFault::NotOnCurve));
        }
    }

    /// The crate's own judgement, over the points that it calls weak.
    #[cfg(feature = "eddsa")]
    #[test]
    fn the_points_of_small_order_are_those_of_the_crate() {
        for y in SMALL_ORDER {
            assert!(ed25519_dalek::VerifyingKey::from_bytes(&y).unwrap().is_weak());
        }
        let base = ed25519_dalek::SigningKey::from_bytes(&[1; 32]).verifying_key();
        assert!(!base.is_weak() && !SMALL_ORDER.contains(&ed25519_y(base.as_bytes()).unwrap()));
    }

    #[test]
    fn a_point_of_p256_is_compressed_or_not_and_never_infinity() {
        let judge = |length: usize, first: u8| {
            let mut point = vec![1; length];
            point.iter_mut().take(1).for_each(|byte| *byte = first);
            public_key(Algorithm::Es256, &Material::P256 { scalar: None, point: Some(point) }).map(drop)
        };
        for (length, first) in [(65, 4), (33, 2), (33, 3)] {
            assert_eq!(judge(length, first), Ok(()));
        }
        for (length, first) in [(0, 0), (1, 0), (33, 4), (65, 2), (64, 4), (66, 4), (65, 6), (33, 5)] {
            assert_eq!(judge(length, first), Err(KeyFault::NotOnCurve), "{length} {first}");
        }
    }

    #[test]
    fn an_exponent_is_odd_and_from_3_to_below_2_to_the_33() {
        let modulus = [0xff; 256];
        for (e, outcome) in [
            (&[3][..], Ok(())),
            (&[0, 0, 3], Ok(())),
            (&[1, 0xff, 0xff, 0xff, 0xff], Ok(())),
            (&[2, 0, 0, 0, 1], Err(KeyFault::Exponent)),
            (&[1], Err(KeyFault::Exponent)),
            (&[2], Err(KeyFault::Exponent)),
            (&[4], Err(KeyFault::Exponent)),
            (&[0], Err(KeyFault::Exponent)),
            (&[], Err(KeyFault::Exponent)),
        ] {
            assert_eq!(rsa_numbers(&modulus, e), outcome, "{e:?}");
        }
        let even = [&[0xff; 255][..], &[0xfe]].concat();
        assert_eq!(rsa_numbers(&even, &[3]), Err(KeyFault::Numbers));
    }

    #[test]
    fn a_key_is_of_its_algorithms_kind() {
        let public = || Material::Ed25519 { seed: None, public: Some(vec![2; 32]) };
        for algorithm in Algorithm::ALL.into_iter().filter(|&algorithm| algorithm != Algorithm::EdDsa) {
            assert_eq!(public_key(algorithm, &public()).map(drop), Err(KeyFault::OtherKind));
            assert_eq!(private_key(algorithm, &public()).map(drop), Err(KeyFault::OtherKind));
        }
        assert_eq!(private_key(Algorithm::EdDsa, &public()).map(drop), Err(KeyFault::NotPrivate));
    }

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
        let judge = |n: Vec<u8>| rsa_numbers(&n, &[1, 0, 1]);
        assert_eq!(judge(power.clone()), Err(KeyFault::Roca));
        // Another residue modulo 3 or 5, whichever byte makes it, and it is a modulus like others.
        for at in [power.len() / 2, power.len() - 1] {
            let mut other = power.clone();
            other[at] = other[at].wrapping_add(2);
            assert_eq!(judge(other), Ok(()), "{at}");
        }
    }
}
