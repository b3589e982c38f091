//! One JSON Web Key (RFC 7517; RFC 7518 §6, RFC 8037 §2): read, and written with its public members only.
//!
//! **What always holds:** `alg`, `use` and `key_ops` are obeyed where they are there, and what contradicts them or the
//! kind of key is refused. Other members (`x5c`, …) are not looked at: nothing is fetched, nobody's word is taken.
//!
//! `not_after` is Tollgate's own: the last second at which a token under this key is good, in seconds like `exp`.

use super::{
    super::{
        json::{Map, Value, json},
        secret::Secret,
        time::NumericDate,
    },
    algorithm::Algorithm,
    fault::KeyFault,
    material::{Material, PublicNumbers, RsaPrivate},
};
use base64ct::{Base64UrlUnpadded, Encoding};

/// A key and what is said about it.
pub(super) struct Jwk {
    pub(super) material: Material,
    pub(super) algorithm: Option<Algorithm>,
    pub(super) id: Option<String>,
    pub(super) not_after: Option<NumericDate>,
    /// Do its `key_ops` let it sign?
    pub(super) may_sign: bool,
    /// Do its `key_ops` let it verify?
    pub(super) may_verify: bool,
}

impl Jwk {
    pub(super) fn read(members: &Map<String, Value>) -> Result<Self, KeyFault> {
        let text = |name: &str| members.get(name).map(|value| value.as_str().ok_or(()));
        let id = text("kid").transpose().map_err(|()| KeyFault::Id)?.map(str::to_owned);
        if text("use").is_some_and(|purpose| purpose != Ok("sig")) {
            return Err(KeyFault::OtherUse);
        }
        let operations = members.get("key_ops").map(operations).transpose()?;
        let may = |name: &str| operations.as_ref().is_none_or(|operations| operations.contains(&name));
        let algorithm = match text("alg") {
            None => None,
            Some(name) => Some(name.ok().and_then(Algorithm::from_name).ok_or(KeyFault::UnknownAlgorithm)?),
        };
        let not_after = match members.get("not_after") {
            None => None,
            // Beyond the year 5000 it is milliseconds, or no end at all.
            Some(seconds) => {
                let seconds = seconds.as_i64().filter(|&seconds| seconds < 100_000_000_000);
                Some(seconds.and_then(NumericDate::new).ok_or(KeyFault::NotAfter)?)
            }
        };
        let material = material(members)?;
        if algorithm.is_some_and(|algorithm| !material.fits(algorithm)) {
            return Err(KeyFault::OtherKind);
        }
        Ok(Self { material, algorithm, id, not_after, may_sign: may("sign"), may_verify: may("verify") })
    }

    /// Does it name no algorithm, and is it of the kind that this one takes?
    pub(super) fn takes(&self, algorithm: Algorithm) -> bool {
        self.algorithm.is_none() && self.material.fits(algorithm)
    }

    /// Its algorithm: the one it names, the one that is `wanted`, or the only one that its kind has.
    pub(super) fn algorithm(&self, wanted: Option<Algorithm>) -> Result<Algorithm, KeyFault> {
        match (self.algorithm, wanted) {
            (Some(own), Some(wanted)) if own != wanted => Err(KeyFault::OtherAlgorithm),
            (Some(algorithm), _) => Ok(algorithm),
            (None, Some(wanted)) if self.material.fits(wanted) => Ok(wanted),
            (None, Some(_)) => Err(KeyFault::OtherKind),
            (None, None) => self.material.only_algorithm().ok_or(KeyFault::NoAlgorithm),
        }
    }
}

/// RFC 7517 §4.3: texts, none of them twice, and for signatures only.
fn operations(value: &Value) -> Result<Vec<&str>, KeyFault> {
    let list = value.as_array().ok_or(KeyFault::OtherUse)?;
    let mut operations = Vec::with_capacity(list.len());
    for operation in list {
        match operation.as_str() {
            Some(name @ ("sign" | "verify")) if !operations.contains(&name) => operations.push(name),
            _ => return Err(KeyFault::OtherUse),
        }
    }
    Ok(operations)
}

fn material(members: &Map<String, Value>) -> Result<Material, KeyFault> {
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    let bytes =
        |name: &str| text(name).and_then(|text| Base64UrlUnpadded::decode_vec(text).ok()).ok_or(KeyFault::Numbers);
    let secret = |name: &str| bytes(name).map(Secret::new);
    let private = members.contains_key("d").then(|| secret("d")).transpose()?;
    match (text("kty"), text("crv")) {
        (Some("oct"), _) => Ok(Material::Oct(secret("k")?)),
        (Some("OKP"), Some("Ed25519")) => Ok(Material::Ed25519 { seed: private, public: Some(bytes("x")?) }),
        (Some("EC"), Some("P-256")) => {
            let (x, y) = (bytes("x")?, bytes("y")?);
            if (x.len(), y.len()) != (32, 32) {
                return Err(KeyFault::Numbers);
            }
            Ok(Material::P256 { scalar: private, point: Some([&[4], x.as_slice(), y.as_slice()].concat()) })
        }
        (Some("RSA"), _) => {
            // RFC 7518 §6.3.2.7: more than two primes.
            if members.contains_key("oth") {
                return Err(KeyFault::UnknownKind);
            }
            let private = match private {
                // RFC 7518 §6.3.2: p and q bring the rest with them.
                Some(d) => Some(RsaPrivate {
                    d,
                    p: secret("p")?,
                    q: secret("q")?,
                    dp: secret("dp")?,
                    dq: secret("dq")?,
                    qi: secret("qi")?,
                }),
                None => None,
            };
            Ok(Material::Rsa { n: bytes("n")?, e: bytes("e")?, private })
        }
        _ => Err(KeyFault::UnknownKind),
    }
}

impl Material {
    /// Is this the kind of key that the algorithm takes?
    pub(super) const fn fits(&self, algorithm: Algorithm) -> bool {
        match self {
            Self::Oct(_) => algorithm.is_symmetric(),
            Self::Ed25519 { .. } => matches!(algorithm, Algorithm::EdDsa),
            Self::P256 { .. } => matches!(algorithm, Algorithm::Es256),
            Self::Rsa { .. } => matches!(
                algorithm,
                Algorithm::Rs256
                    | Algorithm::Rs384
                    | Algorithm::Rs512
                    | Algorithm::Ps256
                    | Algorithm::Ps384
                    | Algorithm::Ps512
            ),
        }
    }

    const fn only_algorithm(&self) -> Option<Algorithm> {
        match self {
            Self::Ed25519 { .. } => Some(Algorithm::EdDsa),
            Self::P256 { .. } => Some(Algorithm::Es256),
            Self::Oct(_) | Self::Rsa { .. } => None,
        }
    }
}

impl PublicNumbers {
    /// The JWK of a key that verifies: it can't hold a private member, as there is none in here.
    pub(super) fn write(&self, algorithm: Algorithm, id: Option<&str>) -> Value {
        let text = |bytes: &[u8]| Base64UrlUnpadded::encode_string(bytes);
        let mut jwk = match self {
            Self::Ed25519(x) => json!({"kty": "OKP", "crv": "Ed25519", "x": text(x)}),
            Self::P256([x, y]) => json!({"kty": "EC", "crv": "P-256", "x": text(x), "y": text(y)}),
            Self::Rsa([n, e]) => json!({"kty": "RSA", "n": text(n), "e": text(e)}),
        };
        jwk["alg"] = algorithm.name().into();
        jwk["use"] = "sig".into();
        if let Some(id) = id {
            jwk["kid"] = id.into();
        }
        jwk
    }
}
