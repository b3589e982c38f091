//! Keys, each bound to its algorithm.
//!
//! **What always holds:** a key signs and verifies with one algorithm. A [`Key`] signs, and verifies what it signs; a
//! [`VerifyingKey`] only verifies, and nothing makes the one of the other. A secret shorter than its hash's output is
//! refused (RFC 7518 §3.2), unless the operator says by name that an old Flask secret must go on for a while; weak
//! keys of the other kinds always are. A public key is never an HMAC secret. Secrets are wiped on drop.

use super::{
    super::{
        json::{self, Value},
        secret::Secret,
        time::NumericDate,
    },
    hmac::{Hs256, Hs256Key, Hs384, Hs384Key, Hs512, Hs512Key},
    jwk::Jwk,
    material::{Material, PublicNumbers},
    pem, strict,
};
pub use super::{algorithm::Algorithm, fault::KeyFault};
use crate::engine::{Chosen, Engine};
use base64ct::{Base64Unpadded, Base64UrlUnpadded, Encoding};
use jwt_compact::AlgorithmSignature;
use pkcs8::der::{
    Decode, Tag, Tagged,
    asn1::{AnyRef, SequenceRef},
};
use zeroize::Zeroizing;

/// A key that signs with its algorithm, and verifies what it signed.
#[derive(Clone)]
pub struct Key {
    signing: Signing,
    verifying: VerifyingKey,
}

/// A key that verifies with its algorithm, and its id, if it has one.
#[derive(Clone)]
pub struct VerifyingKey {
    id: Option<String>,
    not_after: Option<NumericDate>,
    verifying: Verifying,
}

#[derive(Clone)]
enum Signing {
    Hs256(Hs256Key),
    Hs384(Hs384Key),
    Hs512(Hs512Key),
    Asymmetric(Box<<Chosen as Engine>::Signing>),
}

#[derive(Clone)]
enum Verifying {
    Hs256(Hs256Key),
    Hs384(Hs384Key),
    Hs512(Hs512Key),
    Asymmetric(Algorithm, Box<Public>),
}

/// What a private key signs when it is loaded. No token is an empty text.
const PROBE: &[u8] = b"";

/// A public key of the engine and its numbers, which say what its signatures look like.
#[derive(Clone)]
struct Public {
    key: <Chosen as Engine>::Verifying,
    numbers: PublicNumbers,
}

impl Public {
    fn new(key: <Chosen as Engine>::Verifying) -> Self {
        Self { numbers: Chosen::numbers(&key), key }
    }

    fn load(algorithm: Algorithm, material: &Material) -> Result<Self, KeyFault> {
        Chosen::verifying(algorithm, strict::public_key(algorithm, material)?).map(Self::new)
    }
}

impl Key {
    /// A symmetric key out of a secret.
    ///
    /// # Errors
    /// [`KeyFault`]; with `allow_short` a short one is taken, an empty one never.
    pub fn symmetric(
        algorithm: Algorithm,
        secret: &Secret<String>,
        id: Option<String>,
        allow_short: bool,
    ) -> Result<Self, KeyFault> {
        Self::hmac(algorithm, secret.expose().as_bytes(), allow_short).map(|key| key.with(id, None))
    }

    /// A private key out of PEM (PKCS#8, PKCS#1, SEC 1) or a JWK as JSON. A JWK brings its `kid`.
    ///
    /// # Errors
    /// [`KeyFault`].
    pub fn private(algorithm: Algorithm, text: &Secret<String>) -> Result<Self, KeyFault> {
        let jwk = read(text.expose())?;
        if !jwk.material.is_private() {
            return Err(KeyFault::NotPrivate);
        }
        if jwk.not_after.is_some() {
            return Err(KeyFault::SigningEnds);
        }
        Self::from_jwk(&jwk, Some(algorithm))
    }

    /// Of a JWK that is private.
    pub(super) fn from_jwk(jwk: &Jwk, wanted: Option<Algorithm>) -> Result<Self, KeyFault> {
        let algorithm = jwk.algorithm(wanted)?;
        // RFC 7517 §4.3. A secret that signs is asked to verify as well; a private key has a public one for that.
        if !jwk.may_sign || (algorithm.is_symmetric() && !jwk.may_verify) {
            return Err(KeyFault::OtherUse);
        }
        Self::from_material(algorithm, &jwk.material).map(|key| key.with(jwk.id.clone(), jwk.not_after))
    }

    // The Rust engine without any algorithm has no keys: the compiler sees that it loads none.
    #[cfg_attr(
        not(any(feature = "ecdsa", feature = "eddsa", feature = "rsa")),
        allow(unreachable_code, unused_variables)
    )]
    fn from_material(algorithm: Algorithm, material: &Material) -> Result<Self, KeyFault> {
        if let Material::Oct(secret) = material {
            return Self::hmac(algorithm, secret.expose(), false);
        }
        let signing = Chosen::signing(algorithm, strict::private_key(algorithm, material)?)?;
        let public = Public::new(Chosen::public_half(&signing));
        let are_halves = match (material, &public.numbers) {
            (Material::Ed25519 { public: Some(written), .. }, PublicNumbers::Ed25519(own)) => written == own,
            // It may be compressed.
            (Material::P256 { point: Some(_), .. }, own) => Public::load(algorithm, material)?.numbers == *own,
            _ => true,
        };
        if !are_halves {
            return Err(KeyFault::Halves);
        }
        // Tried once: numbers that don't belong together make signatures that are wrong, or reveal the factors of RSA.
        let signature = Chosen::sign(&signing, PROBE)?;
        if !strict::signature(&public.numbers, &signature).is_some_and(|own| Chosen::verify(&public.key, PROBE, own)) {
            return Err(KeyFault::Numbers);
        }
        Ok(Self::of(Signing::Asymmetric(Box::new(signing)), Verifying::Asymmetric(algorithm, Box::new(public))))
    }

    fn hmac(algorithm: Algorithm, secret: &[u8], allow_short: bool) -> Result<Self, KeyFault> {
        let least = algorithm.least_key_bytes().ok_or(KeyFault::OtherKind)?;
        let bytes = secret.len();
        if bytes == 0 {
            return Err(KeyFault::Empty);
        }
        if looks_like_a_key(secret) {
            return Err(KeyFault::PublicKey);
        }
        if bytes < least && !allow_short {
            return Err(KeyFault::Short { bytes, least });
        }
        Ok(match algorithm {
            Algorithm::Hs256 => {
                let key = Hs256Key::new(secret);
                Self::of(Signing::Hs256(key.clone()), Verifying::Hs256(key))
            }
            Algorithm::Hs384 => {
                let key = Hs384Key::new(secret);
                Self::of(Signing::Hs384(key.clone()), Verifying::Hs384(key))
            }
            Algorithm::Hs512 => {
                let key = Hs512Key::new(secret);
                Self::of(Signing::Hs512(key.clone()), Verifying::Hs512(key))
            }
            Algorithm::EdDsa
            | Algorithm::Es256
            | Algorithm::Rs256
            | Algorithm::Rs384
            | Algorithm::Rs512
            | Algorithm::Ps256
            | Algorithm::Ps384
            | Algorithm::Ps512 => return Err(KeyFault::OtherKind),
        })
    }

    const fn of(signing: Signing, verifying: Verifying) -> Self {
        Self { signing, verifying: VerifyingKey { id: None, not_after: None, verifying } }
    }

    fn with(mut self, id: Option<String>, not_after: Option<NumericDate>) -> Self {
        self.verifying.id = id;
        self.verifying.not_after = not_after;
        self
    }

    /// The one algorithm of this key.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.verifying.algorithm()
    }

    /// `kid`, if it has one.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.verifying.id()
    }

    /// The length of its signatures, in bytes.
    #[must_use]
    pub fn signature_bytes(&self) -> usize {
        match self.verifying.numbers() {
            Some(PublicNumbers::Rsa([n, _])) => n.len(),
            Some(PublicNumbers::Ed25519(_) | PublicNumbers::P256(_)) => 64,
            None => self.algorithm().least_key_bytes().unwrap_or_default(),
        }
    }

    /// The half that verifies.
    #[must_use]
    pub const fn verifying(&self) -> &VerifyingKey {
        &self.verifying
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        fn with<A: jwt_compact::Algorithm>(algorithm: &A, key: &A::SigningKey, message: &[u8]) -> Vec<u8> {
            algorithm.sign(key, message).as_bytes().into_owned()
        }
        match &self.signing {
            Signing::Hs256(key) => with(&Hs256, key, message),
            Signing::Hs384(key) => with(&Hs384, key, message),
            Signing::Hs512(key) => with(&Hs512, key, message),
            Signing::Asymmetric(key) => Chosen::sign(key, message).expect("a key that has signed when it was loaded"),
        }
    }
}

impl VerifyingKey {
    /// A public key out of PEM (SPKI, PKCS#1) or a JWK as JSON. A JWK brings its `kid`.
    ///
    /// # Errors
    /// [`KeyFault`]; a private key is refused, as it belongs where nobody sees it.
    pub fn public(algorithm: Algorithm, text: &str) -> Result<Self, KeyFault> {
        let jwk = read(text)?;
        if jwk.material.is_private() {
            return Err(KeyFault::Private);
        }
        Self::from_jwk(&jwk, Some(algorithm))
    }

    /// Of a JWK that is public.
    pub(super) fn from_jwk(jwk: &Jwk, wanted: Option<Algorithm>) -> Result<Self, KeyFault> {
        let algorithm = jwk.algorithm(wanted)?;
        if !jwk.may_verify {
            return Err(KeyFault::OtherUse);
        }
        if matches!(jwk.material, Material::Oct(_)) {
            return Err(KeyFault::Private);
        }
        let verifying = Verifying::Asymmetric(algorithm, Box::new(Public::load(algorithm, &jwk.material)?));
        Ok(Self { id: jwk.id.clone(), not_after: jwk.not_after, verifying })
    }

    /// The one algorithm of this key.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        match &self.verifying {
            Verifying::Hs256(_) => Algorithm::Hs256,
            Verifying::Hs384(_) => Algorithm::Hs384,
            Verifying::Hs512(_) => Algorithm::Hs512,
            Verifying::Asymmetric(algorithm, _) => *algorithm,
        }
    }

    /// `kid`, if it has one.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The last second at which a token under this key is good; for ever without one.
    #[must_use]
    pub const fn not_after(&self) -> Option<NumericDate> {
        self.not_after
    }

    /// Is a token under this key still good at this time? Without leeway: it is the operator's own time.
    #[must_use]
    pub fn is_good_at(&self, now: NumericDate) -> bool {
        self.not_after.is_none_or(|end| now <= end)
    }

    /// Are they the same key, whatever their ids?
    #[must_use]
    pub fn is_same_key(&self, other: &Self) -> bool {
        self.numbers().is_some_and(|own| Some(own) == other.numbers())
    }

    /// The public key as a JWK; `None` for a secret, which has none.
    #[must_use]
    pub fn public_jwk(&self) -> Option<Value> {
        Some(self.numbers()?.write(self.algorithm(), self.id()))
    }

    fn numbers(&self) -> Option<&PublicNumbers> {
        match &self.verifying {
            Verifying::Hs256(_) | Verifying::Hs384(_) | Verifying::Hs512(_) => None,
            Verifying::Asymmetric(_, public) => Some(&public.numbers),
        }
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        fn with<A: jwt_compact::Algorithm>(
            algorithm: &A,
            key: &A::VerifyingKey,
            message: &[u8],
            signature: &[u8],
        ) -> bool {
            A::Signature::LENGTH.is_none_or(|length| length.get() == signature.len())
                && A::Signature::try_from_slice(signature)
                    .is_ok_and(|signature| algorithm.verify_signature(&signature, key, message))
        }
        match &self.verifying {
            Verifying::Hs256(key) => with(&Hs256, key, message, signature),
            Verifying::Hs384(key) => with(&Hs384, key, message, signature),
            Verifying::Hs512(key) => with(&Hs512, key, message, signature),
            Verifying::Asymmetric(_, public) => strict::signature(&public.numbers, signature)
                .is_some_and(|signature| Chosen::verify(&public.key, message, signature)),
        }
    }
}

/// A key gives up its signing half.
impl From<Key> for VerifyingKey {
    fn from(key: Key) -> Self {
        key.verifying
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({}, id {:?}, ..)", self.algorithm().name(), self.id())
    }
}

impl std::fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VerifyingKey({}, id {:?}, ..)", self.algorithm().name(), self.id)
    }
}

/// PEM or JWK.
fn read(text: &str) -> Result<Jwk, KeyFault> {
    if text.trim().is_empty() {
        return Err(KeyFault::Unreadable);
    }
    if text.trim_start().starts_with('{') {
        let members = json::object(text.as_bytes()).map_err(|_| KeyFault::Unreadable)?;
        if members.contains_key("keys") && !members.contains_key("kty") {
            return Err(KeyFault::IsASet);
        }
        return Jwk::read(&members);
    }
    let material = pem::read(text)?;
    Ok(Jwk { material, algorithm: None, id: None, not_after: None, may_sign: true, may_verify: true })
}

/// Keys and certificates in the forms that they are handed round in: nobody's shared secret is one. PyJWT refuses the
/// same forms, but for DER in base64 or hexadecimal.
fn looks_like_a_key(secret: &[u8]) -> bool {
    let is_der = |bytes: &[u8]| bytes.len() > 32 && is_sequence_of_values(bytes);
    let Ok(text) = std::str::from_utf8(secret) else { return is_der(secret) };
    let marks =
        ["-----BEGIN ", "---- BEGIN ", "ssh-rsa", "ssh-dss", "ssh-ed25519", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"];
    let is_der_in_text = || {
        let bare = Zeroizing::new(text.replace(char::is_whitespace, ""));
        let bare = bare.trim_end_matches('=');
        [
            Base64Unpadded::decode_vec(bare).ok(),
            Base64UrlUnpadded::decode_vec(bare).ok(),
            base16ct::mixed::decode_vec(bare).ok(),
        ]
        .into_iter()
        .flatten()
        .map(Zeroizing::new)
        .any(|bytes| is_der(&bytes))
    };
    let is_jwk = || json::object(text.trim().as_bytes()).is_ok_and(|members| members.contains_key("kty"));
    marks.iter().any(|mark| text.contains(mark)) || is_jwk() || is_der(secret) || is_der_in_text()
}

/// Whether it is a sequence in DER that begins with a number or another sequence, as those of X.509, PKCS#1, PKCS#8,
/// PKCS#12 and SEC 1 do, and consists of whole values. One random text in 10,000 is a sequence by its first two bytes.
fn is_sequence_of_values(bytes: &[u8]) -> bool {
    let Ok(sequence) = <&SequenceRef>::from_der(bytes) else { return false };
    let mut rest = sequence.as_bytes();
    let begins =
        AnyRef::from_der_partial(rest).is_ok_and(|(first, _)| matches!(first.tag(), Tag::Integer | Tag::Sequence));
    while let Ok((_, behind)) = AnyRef::from_der_partial(rest) {
        rest = behind;
    }
    begins && rest.is_empty()
}
