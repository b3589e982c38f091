//! Keys in PEM (RFC 7468): PKCS#8, SPKI, PKCS#1 and SEC 1.
//!
//! **What always holds:** what is decoded is wiped; strict DER. Certificates and passphrases are refused by name.

use super::{
    super::secret::Secret,
    fault::KeyFault,
    material::{Material, RsaPrivate},
};
use pem_rfc7468::Decoder;
use pkcs1::{RsaPrivateKey, RsaPublicKey};
use pkcs8::{
    ObjectIdentifier, PrivateKeyInfoRef,
    der::{Decode, asn1::UintRef},
    spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef},
};
use sec1::EcPrivateKey;
use zeroize::Zeroizing;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// Reads the one key of a PEM text.
pub(super) fn read(text: &str) -> Result<Material, KeyFault> {
    if text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(KeyFault::Encrypted);
    }
    // `openssl ecparam -genkey` writes the curve's name as a block of its own before the key.
    let text = match text.split_once("-----END EC PARAMETERS-----") {
        Some((_, rest)) => rest,
        None => text,
    };
    // A variable that can't hold line breaks often has `\n` for them.
    let text = Zeroizing::new(text.trim().replace("\\n", "\n"));
    // As wide as it is: OpenSSL writes 64 characters a line, others 76, or all in one.
    let mut decoder = Decoder::new_detect_wrap(text.as_bytes()).map_err(|_| KeyFault::Unreadable)?;
    let label = decoder.type_label();
    let mut der = Zeroizing::new(Vec::with_capacity(decoder.remaining_len()));
    decoder.decode_to_end(&mut der).map_err(|_| KeyFault::Unreadable)?;
    match label {
        "PRIVATE KEY" => pkcs8(&der),
        "RSA PRIVATE KEY" => rsa_private(&der),
        "EC PRIVATE KEY" => sec1(&der, None),
        "PUBLIC KEY" => spki(&der),
        "RSA PUBLIC KEY" => rsa_public(&der),
        "OPENSSH PRIVATE KEY" => Err(KeyFault::OpenSsh),
        label if label.ends_with("CERTIFICATE") => Err(KeyFault::Certificate),
        _ => Err(KeyFault::Unreadable),
    }
}

/// RFC 5958.
fn pkcs8(der: &[u8]) -> Result<Material, KeyFault> {
    let info = PrivateKeyInfoRef::from_der(der).map_err(|_| KeyFault::Unreadable)?;
    let key = info.private_key.as_bytes();
    match info.algorithm.oid {
        RSA => rsa_private(key),
        EC => sec1(key, Some(&info.algorithm)),
        // RFC 8410 §7: an octet string in the octet string.
        ED25519 => match key {
            [4, 32, seed @ ..] if seed.len() == 32 => Ok(Material::Ed25519 {
                seed: Some(Secret::new(seed.to_vec())),
                public: info.public_key.and_then(|public| public.as_bytes()).map(<[u8]>::to_vec),
            }),
            _ => Err(KeyFault::Unreadable),
        },
        _ => Err(KeyFault::UnknownKind),
    }
}

/// RFC 5280 §4.1.2.7.
fn spki(der: &[u8]) -> Result<Material, KeyFault> {
    let info = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| KeyFault::Unreadable)?;
    let key = info.subject_public_key.as_bytes().ok_or(KeyFault::Unreadable)?;
    match info.algorithm.oid {
        RSA => rsa_public(key),
        EC => {
            is_p256(&info.algorithm)?;
            Ok(Material::P256 { scalar: None, point: Some(key.to_vec()) })
        }
        ED25519 => Ok(Material::Ed25519 { seed: None, public: Some(key.to_vec()) }),
        _ => Err(KeyFault::UnknownKind),
    }
}

/// RFC 5915; the curve is named by what it lies in, or by itself.
fn sec1(der: &[u8], outer: Option<&AlgorithmIdentifierRef<'_>>) -> Result<Material, KeyFault> {
    let key = EcPrivateKey::from_der(der).map_err(|_| KeyFault::Unreadable)?;
    if let Some(outer) = outer {
        is_p256(outer)?;
    }
    let named = key.parameters.and_then(|parameters| parameters.named_curve());
    if named.is_some_and(|curve| curve != P256) || (named.is_none() && outer.is_none()) {
        return Err(KeyFault::UnknownKind);
    }
    Ok(Material::P256 {
        scalar: Some(Secret::new(key.private_key.to_vec())),
        point: key.public_key.map(<[u8]>::to_vec),
    })
}

fn is_p256(algorithm: &AlgorithmIdentifierRef<'_>) -> Result<(), KeyFault> {
    match algorithm.parameters_oid() {
        Ok(P256) => Ok(()),
        _ => Err(KeyFault::UnknownKind),
    }
}

/// RFC 8017 appendix A.1.2.
fn rsa_private(der: &[u8]) -> Result<Material, KeyFault> {
    let key = RsaPrivateKey::<UintRef<'_>>::from_der(der).map_err(|_| KeyFault::Unreadable)?;
    if key.other_prime_infos.is_some() {
        return Err(KeyFault::UnknownKind);
    }
    let secret = |number: UintRef<'_>| Secret::new(number.as_bytes().to_vec());
    Ok(Material::Rsa {
        n: key.modulus.as_bytes().to_vec(),
        e: key.public_exponent.as_bytes().to_vec(),
        private: Some(RsaPrivate {
            d: secret(key.private_exponent),
            p: secret(key.prime1),
            q: secret(key.prime2),
            dp: secret(key.exponent1),
            dq: secret(key.exponent2),
            qi: secret(key.coefficient),
        }),
    })
}

/// RFC 8017 appendix A.1.1.
fn rsa_public(der: &[u8]) -> Result<Material, KeyFault> {
    let key = RsaPublicKey::<UintRef<'_>>::from_der(der).map_err(|_| KeyFault::Unreadable)?;
    Ok(Material::Rsa { n: key.modulus.as_bytes().to_vec(), e: key.public_exponent.as_bytes().to_vec(), private: None })
}
