//! The engine of workerd: the runtime's `node:crypto`, which is BoringSSL and synchronous.
//!
//! **What always holds:** a key is loaded once and is then a number here; `crypto.mjs` has the key itself until the
//! number is dropped. Keys and signatures change their form here: PKCS#8 and SPKI around the bytes of a key on a curve,
//! a JWK around the numbers of RSA, DER around r and s of ES256.
//!
//! **What it does not do:** BoringSSL does not check that a public key of Ed25519 is a point on the curve. A key that
//! is not verifies no signature.

use super::contract::Engine;
use crate::rules::token::{Algorithm, KeyFault, Material, PublicNumbers, RsaPrivate, Strict};
use base64ct::{Base64UrlUnpadded, Encoding};
use pkcs8::der::{Decode, Encode, Length, Reader, SliceReader, SliceWriter, asn1::UintRef};
use std::{cell::Cell, sync::Arc};
use wasm_bindgen::prelude::*;
use zeroize::Zeroizing;

#[wasm_bindgen(module = "/src/engine/node/crypto.mjs")]
extern "C" {
    #[wasm_bindgen(js_name = isThere)]
    fn is_there() -> bool;
    #[wasm_bindgen(catch, js_name = loadPrivate)]
    fn load_private(der: &[u8], jwk: &str, digest: &str, salt: u32) -> Result<u32, JsValue>;
    #[wasm_bindgen(catch, js_name = loadPublic)]
    fn load_public(der: &[u8], jwk: &str, digest: &str, salt: u32) -> Result<u32, JsValue>;
    #[wasm_bindgen(catch)]
    fn spki(number: u32) -> Result<Vec<u8>, JsValue>;
    #[wasm_bindgen(catch)]
    fn sign(number: u32, input: &[u8]) -> Result<Vec<u8>, JsValue>;
    #[wasm_bindgen(catch)]
    fn verify(number: u32, input: &[u8], signature: &[u8]) -> Result<bool, JsValue>;
    fn forget(number: u32);
    #[wasm_bindgen(js_name = forgetAll)]
    fn forget_all();
    #[wasm_bindgen(catch)]
    fn scrypt(password: &[u8], salt: &[u8], log_n: u32, r: u32, p: u32, length: usize) -> Result<Vec<u8>, JsValue>;
}

/// The engine; its keys are in `crypto.mjs`.
pub(crate) enum NodeCrypto {}

/// A private key.
#[derive(Clone)]
pub(crate) struct Signing {
    number: Arc<Number>,
    public: Verifying,
}

/// A public key.
#[derive(Clone)]
pub(crate) struct Verifying {
    number: Arc<Number>,
    public: PublicNumbers,
}

thread_local! {
    static HAS_BEGUN: Cell<bool> = const { Cell::new(false) };
}

/// Whether there is `node:crypto`. At its first call in an instance it forgets the keys of an instance that was lost,
/// whose numbers were never dropped.
fn begin() -> bool {
    if !HAS_BEGUN.replace(true) {
        forget_all();
    }
    is_there()
}

/// The number of a loaded key, which is forgotten on drop.
struct Number(u32);

impl Drop for Number {
    fn drop(&mut self) {
        forget(self.0);
    }
}

/// PKCS#8 (RFC 8410 §7) of a private key of Ed25519, up to its seed.
const ED25519_PKCS8: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
/// SPKI (RFC 8410 §4) of a public key of Ed25519, up to its point.
const ED25519_SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
/// PKCS#8 (RFC 5915 §3, RFC 5958 §2) of a private key on P-256 without its public half, up to the scalar.
const P256_PKCS8: [u8; 35] = [
    0x30, 0x41, 2, 1, 0, 0x30, 0x13, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3,
    1, 7, 4, 0x27, 0x30, 0x25, 2, 1, 1, 4, 0x20,
];
/// SPKI (RFC 5480 §2) of a public key on P-256 after its two lengths, up to the bit string.
const P256_ALGORITHM: [u8; 21] =
    [0x30, 0x13, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];

impl Engine for NodeCrypto {
    type Signing = Signing;
    type Verifying = Verifying;

    fn signing(algorithm: Algorithm, material: Strict<&Material>) -> Result<Signing, KeyFault> {
        if !begin() {
            return Err(KeyFault::NoNodeCrypto);
        }
        let (digest, salt) = parameters(algorithm);
        let load = |der: &[u8], jwk: &str| load_private(der, jwk, digest, salt).map_err(|_| KeyFault::Numbers);
        let (number, rsa) = match material.get() {
            Material::Ed25519 { seed: Some(seed), .. } => {
                (load(&Zeroizing::new([&ED25519_PKCS8, seed.expose().as_slice()].concat()), "")?, None)
            }
            Material::P256 { scalar: Some(scalar), .. } => {
                (load(&Zeroizing::new([&P256_PKCS8, scalar.expose().as_slice()].concat()), "")?, None)
            }
            Material::Rsa { n, e, private: Some(private) } => {
                (load(&[], &private_jwk(n, e, private))?, Some(rsa_numbers(n, e)))
            }
            _ => return Err(KeyFault::OtherKind),
        };
        let (number, public) = (Arc::new(Number(number)), Arc::new(Number(number + 1)));
        let numbers = match rsa {
            Some(numbers) => numbers,
            None => curve_numbers(&public)?,
        };
        Ok(Signing { number, public: Verifying { number: public, public: numbers } })
    }

    fn verifying(algorithm: Algorithm, material: Strict<&Material>) -> Result<Verifying, KeyFault> {
        if !begin() {
            return Err(KeyFault::NoNodeCrypto);
        }
        let (digest, salt) = parameters(algorithm);
        let load = |der: &[u8], jwk: &str, fault: KeyFault| {
            load_public(der, jwk, digest, salt).map(|number| Arc::new(Number(number))).map_err(|_| fault)
        };
        let on_curve = |der: &[u8]| {
            let number = load(der, "", KeyFault::NotOnCurve)?;
            let public = curve_numbers(&number)?;
            Ok(Verifying { number, public })
        };
        match material.get() {
            Material::Ed25519 { public: Some(point), .. } => on_curve(&[&ED25519_SPKI, point.as_slice()].concat()),
            Material::P256 { point: Some(point), .. } => {
                // 33 or 65 bytes, and one for the bits that are left over: every length is one byte.
                #[allow(clippy::cast_possible_truncation)]
                let bits = [3, point.len() as u8 + 1, 0];
                #[allow(clippy::cast_possible_truncation)]
                let whole = [0x30, (P256_ALGORITHM.len() + bits.len() + point.len()) as u8];
                on_curve(&[&whole, P256_ALGORITHM.as_slice(), &bits, point].concat())
            }
            Material::Rsa { n, e, .. } => {
                let number = load(&[], &public_jwk(n, e), KeyFault::Numbers)?;
                Ok(Verifying { number, public: rsa_numbers(n, e) })
            }
            _ => Err(KeyFault::OtherKind),
        }
    }

    fn public_half(key: &Signing) -> Verifying {
        key.public.clone()
    }

    fn numbers(key: &Verifying) -> PublicNumbers {
        key.public.clone()
    }

    fn sign(key: &Signing, input: &[u8]) -> Result<Vec<u8>, KeyFault> {
        let signature = sign(key.number.0, input).map_err(|_| KeyFault::Numbers)?;
        match key.public.public {
            PublicNumbers::P256(_) => raw(&signature).ok_or(KeyFault::Numbers),
            PublicNumbers::Ed25519(_) => Ok(signature),
            // A fault in it would reveal the factors of the modulus.
            PublicNumbers::Rsa(_) => match verify(key.public.number.0, input, &signature) {
                Ok(true) => Ok(signature),
                _ => Err(KeyFault::Numbers),
            },
        }
    }

    fn scrypt(password: &[u8], salt: &[u8], [log_n, r, p]: [u32; 3], hash: &mut [u8]) -> Option<bool> {
        let derived = begin().then(|| scrypt(password, salt, log_n, r, p, hash.len()))?;
        let derived = derived.ok().filter(|derived| derived.len() == hash.len());
        Some(derived.map(|derived| hash.copy_from_slice(&derived)).is_some())
    }

    fn verify(key: &Verifying, input: &[u8], signature: Strict<&[u8]>) -> bool {
        let signature = signature.get();
        let verified = match key.public {
            PublicNumbers::P256(_) => {
                let mut buffer = [0; MOST_DER_BYTES];
                let Some(der) = der(signature, &mut buffer) else { return false };
                verify(key.number.0, input, der)
            }
            PublicNumbers::Ed25519(_) | PublicNumbers::Rsa(_) => verify(key.number.0, input, signature),
        };
        verified.unwrap_or(false)
    }
}

/// The digest's name in `node:crypto`, empty for EdDSA; and the length of the salt for PSS, as long as the digest
/// (RFC 7518 §3.5).
const fn parameters(algorithm: Algorithm) -> (&'static str, u32) {
    match algorithm {
        Algorithm::Es256 | Algorithm::Rs256 => ("sha256", 0),
        Algorithm::Rs384 => ("sha384", 0),
        Algorithm::Rs512 => ("sha512", 0),
        Algorithm::Ps256 => ("sha256", 32),
        Algorithm::Ps384 => ("sha384", 48),
        Algorithm::Ps512 => ("sha512", 64),
        Algorithm::EdDsa | Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => ("", 0),
    }
}

/// The numbers of a key on a curve: its SPKI ends with the point, which is not compressed.
fn curve_numbers(number: &Number) -> Result<PublicNumbers, KeyFault> {
    let spki = spki(number.0).map_err(|_| KeyFault::NotOnCurve)?;
    match (spki.strip_prefix(&ED25519_SPKI), spki.split_at_checked(spki.len().saturating_sub(64))) {
        (Some(point), _) => point.try_into().map(PublicNumbers::Ed25519).map_err(|_| KeyFault::NotOnCurve),
        (None, Some((_, point))) if point.len() == 64 => {
            Ok(PublicNumbers::P256([point[..32].to_vec(), point[32..].to_vec()]))
        }
        _ => Err(KeyFault::NotOnCurve),
    }
}

fn rsa_numbers(n: &[u8], e: &[u8]) -> PublicNumbers {
    PublicNumbers::Rsa([n, e].map(|number| shortest(number).to_vec()))
}

/// A number without leading zeros.
fn shortest(number: &[u8]) -> &[u8] {
    &number[number.iter().take_while(|&&byte| byte == 0).count()..]
}

/// RFC 7518 §6.3.1.
fn public_jwk(n: &[u8], e: &[u8]) -> Zeroizing<String> {
    jwk([("n", n), ("e", e)])
}

/// RFC 7518 §6.3.2.
fn private_jwk(n: &[u8], e: &[u8], private: &RsaPrivate) -> Zeroizing<String> {
    let RsaPrivate { d, p, q, dp, dq, qi } = private;
    let [d, p, q, dp, dq, qi] = [d, p, q, dp, dq, qi].map(|number| number.expose().as_slice());
    jwk([("n", n), ("e", e), ("d", d), ("p", p), ("q", q), ("dp", dp), ("dq", dq), ("qi", qi)])
}

/// A JWK of RSA as JSON: base64url needs no escapes. With room for all of it, so that no part is left behind.
fn jwk<const N: usize>(numbers: [(&str, &[u8]); N]) -> Zeroizing<String> {
    let numbers = numbers.map(|(name, number)| (name, shortest(number)));
    let room = numbers.iter().map(|(_, number)| Base64UrlUnpadded::encoded_len(number) + 16).sum::<usize>() + 16;
    let mut jwk = Zeroizing::new(String::with_capacity(room));
    jwk.push_str(r#"{"kty":"RSA""#);
    for (name, number) in numbers {
        let number = Zeroizing::new(Base64UrlUnpadded::encode_string(number));
        jwk.extend([",\"", name, "\":\"", &number, "\""]);
    }
    jwk.push('}');
    jwk
}

/// Two integers of 33 bytes at most, each with two bytes before it, in a sequence.
const MOST_DER_BYTES: usize = 2 + 2 * (2 + 33);

/// `ECDSA-Sig-Value` (RFC 3279 §2.2.3) of r and s, 32 bytes each.
fn der<'b>(signature: &[u8], buffer: &'b mut [u8; MOST_DER_BYTES]) -> Option<&'b [u8]> {
    let (r, s) = signature.split_at_checked(32)?;
    let [r, s] = [UintRef::new(r).ok()?, UintRef::new(s).ok()?];
    let length: Length = (r.encoded_len().ok()? + s.encoded_len().ok()?).ok()?;
    let mut writer = SliceWriter::new(buffer);
    writer
        .sequence(length, |writer| {
            r.encode(writer)?;
            s.encode(writer)
        })
        .ok()?;
    writer.finish().ok()
}

/// r and s, 32 bytes each, of an `ECDSA-Sig-Value`.
fn raw(der: &[u8]) -> Option<Vec<u8>> {
    let mut reader = SliceReader::new(der).ok()?;
    let (r, s) = reader.sequence(|reader| numbers(reader)).ok()?;
    let mut raw = vec![0; 64];
    for (number, end) in [(r.as_bytes(), 32), (s.as_bytes(), 64)] {
        let number = Some(number).filter(|number| number.len() <= 32)?;
        raw[end - number.len()..end].copy_from_slice(number);
    }
    Some(raw)
}

fn numbers<'d>(reader: &mut SliceReader<'d>) -> pkcs8::der::Result<(UintRef<'d>, UintRef<'d>)> {
    Ok((UintRef::decode(reader)?, UintRef::decode(reader)?))
}
