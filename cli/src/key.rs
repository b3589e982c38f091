//! `tollgate key`: keys that sign tokens.
//!
//! **What always holds:** a key comes from the operating system's random bytes and the crates with which the gate
//! signs. The `kid`, which is public, reveals nothing about the secret part.

use crate::{
    failure::{Exit, Failure},
    output::{print_json_line, remark},
    secret,
};
use base64ct::{Base64UrlUnpadded, Encoding};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use ed25519_dalek::SigningKey;
use getrandom::SysRng;
use p256::elliptic_curve::{Generate, sec1::ToSec1Point};
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tollgate::rules::{json::Map, token::Algorithm};

#[derive(clap::Subcommand)]
pub enum Command {
    /// Generate a private key and print it as a JWK on one line
    ///
    /// The key id is the thumbprint of the public key (RFC 7638), or random for a symmetric key. Set the key as
    /// JWT_PRIVATE_KEY, and its algorithm as JWT_ALGORITHM; or generate a JWK Set (--set) and set it as JWT_KEYS, where
    /// the key names the algorithm. docs/keys.md describes both, and how to rotate keys.
    #[command(
        after_help = "Examples:\n  tollgate key generate | npx wrangler secret put JWT_PRIVATE_KEY\n  echo \"JWT_PRIVATE_KEY=$(tollgate key generate)\" >> .dev.vars\n  tollgate key generate --algorithm ES256 --set | npx wrangler secret put JWT_KEYS"
    )]
    Generate {
        /// The algorithm that the key signs with
        #[arg(long, default_value = "EdDSA", value_parser = algorithms())]
        algorithm: Algorithm,
        /// Key id [default: the thumbprint, or random for HS256, HS384 and HS512]
        #[arg(long, value_name = "ID", value_parser = clap::builder::NonEmptyStringValueParser::new())]
        kid: Option<String>,
        /// Bits of an RSA key (RS…, PS…), 2048 to 4096 [default: 3072]
        #[arg(long, value_parser = clap::value_parser!(u16).range(2048..=4096))]
        bits: Option<u16>,
        /// Print a JWK Set with this key, for JWT_KEYS
        #[arg(long)]
        set: bool,
    },
}

fn algorithms() -> impl TypedValueParser<Value = Algorithm> {
    PossibleValuesParser::new(Algorithm::ALL.map(Algorithm::name))
        .try_map(|name| Algorithm::from_name(&name).ok_or("not an algorithm"))
}

/// As strong as the 128 bits of the other algorithms' keys (NIST SP 800-57).
const DEFAULT_RSA_BITS: u16 = 3072;

pub fn run(command: Command) -> Result<Exit, Failure> {
    let Command::Generate { algorithm, kid, bits, set } = command;
    let kind = Kind::of(algorithm);
    if bits.is_some() && kind != Kind::Rsa {
        return Err(Failure::usage(
            format!("--bits is for RSA keys; keys for {} have a fixed length", algorithm.name()),
            "leave --bits out, or choose an RSA algorithm: --algorithm RS256",
        ));
    }
    let material = match kind {
        Kind::Oct(bytes) => oct(bytes)?,
        Kind::Ed25519 => ed25519()?,
        Kind::P256 => p256()?,
        Kind::Rsa => rsa(bits.unwrap_or(DEFAULT_RSA_BITS))?,
    };
    let kid = match kid {
        Some(kid) => kid,
        None => material.key_id()?,
    };
    let jwk = material.jwk(algorithm, &kid);
    print_json_line(&if set { json!({"keys": [jwk]}) } else { jwk });
    remark(&instructions(algorithm, set));
    Ok(Exit::Success)
}

fn instructions(algorithm: Algorithm, set: bool) -> String {
    let name = algorithm.name();
    match (set, algorithm.is_symmetric()) {
        (true, _) => format!(
            "this JWK Set holds a secret key for {name}: set it as JWT_KEYS (npx wrangler secret put JWT_KEYS, or .dev.vars), remove JWT_PRIVATE_KEY and JWT_PUBLIC_KEY, and remove JWT_ALGORITHM or set it to {name}. Keep a copy with your secrets: Cloudflare does not show it again, and you need it to rotate keys"
        ),
        (false, false) => format!(
            "this private key is secret: set it as JWT_PRIVATE_KEY (npx wrangler secret put JWT_PRIVATE_KEY, or .dev.vars), and write JWT_ALGORITHM = \"{name}\" in vars. For assertions set it as TOLLGATE_ASSERTION_KEY instead, and leave JWT_ALGORITHM as it is. Keep a copy with your secrets: Cloudflare does not show it again, and you need it to rotate keys"
        ),
        (false, true) => format!(
            "this key for {name} is secret. The gate accepts it only in a JWK Set: add --set, and set the result as JWT_KEYS; or generate a value for JWT_SECRET_KEY with `tollgate secret generate`"
        ),
    }
}

/// The kind of key that an algorithm needs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A symmetric key, with its number of bytes.
    Oct(usize),
    Ed25519,
    P256,
    Rsa,
}

impl Kind {
    fn of(algorithm: Algorithm) -> Self {
        match algorithm {
            // As long as the hash (RFC 7518 §3.2).
            Algorithm::Hs256 => Self::Oct(32),
            Algorithm::Hs384 => Self::Oct(48),
            Algorithm::Hs512 => Self::Oct(64),
            Algorithm::EdDsa => Self::Ed25519,
            Algorithm::Es256 => Self::P256,
            Algorithm::Rs256
            | Algorithm::Rs384
            | Algorithm::Rs512
            | Algorithm::Ps256
            | Algorithm::Ps384
            | Algorithm::Ps512 => Self::Rsa,
        }
    }
}

/// A key's members of RFC 7518 §6 and RFC 8037 §2, base64url.
struct Material {
    /// Members of the public key, `kty` first; of a symmetric key `kty` alone.
    public: Vec<(&'static str, String)>,
    private: Vec<(&'static str, String)>,
}

impl Material {
    fn jwk(&self, algorithm: Algorithm, kid: &str) -> Value {
        let member = |(name, value): &(&str, String)| ((*name).to_owned(), Value::from(value.as_str()));
        let mut jwk: Map<String, Value> = self.public.iter().take(1).map(member).collect();
        for (name, value) in [("kid", kid), ("alg", algorithm.name()), ("use", "sig")] {
            jwk.insert(name.into(), value.into());
        }
        jwk.extend(self.public.iter().skip(1).chain(&self.private).map(member));
        jwk.into()
    }

    /// The thumbprint of the public key. Random for a symmetric key, since a thumbprint would let an attacker check
    /// guesses of the key.
    fn key_id(&self) -> Result<String, Failure> {
        if self.public.len() == 1 {
            return Ok(Base64UrlUnpadded::encode_string(&secret::random::<16>()?));
        }
        Ok(self.thumbprint())
    }

    /// RFC 7638: SHA-256 of the public members in the order of their names, without white space.
    fn thumbprint(&self) -> String {
        let mut members = self.public.clone();
        members.sort_unstable();
        let members: Map<String, Value> =
            members.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        Base64UrlUnpadded::encode_string(&Sha256::digest(Value::from(members).to_string()))
    }
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    Base64UrlUnpadded::encode_string(bytes.as_ref())
}

fn oct(bytes: usize) -> Result<Material, Failure> {
    let secret = secret::random_vec(bytes)?;
    Ok(Material { public: vec![("kty", "oct".into())], private: vec![("k", encoded(secret))] })
}

fn ed25519() -> Result<Material, Failure> {
    let key = SigningKey::from_bytes(&secret::random()?);
    Ok(Material {
        public: vec![("kty", "OKP".into()), ("crv", "Ed25519".into()), ("x", encoded(key.verifying_key()))],
        private: vec![("d", encoded(key.to_bytes()))],
    })
}

fn p256() -> Result<Material, Failure> {
    let key = p256::SecretKey::try_generate_from_rng(&mut SysRng).map_err(secret::no_randomness)?;
    // 0x04, x, y (SEC 1 §2.3.3).
    let point = key.public_key().to_sec1_point(false);
    let (x, y) = point.as_bytes()[1..].split_at(32);
    Ok(Material {
        public: vec![("kty", "EC".into()), ("crv", "P-256".into()), ("x", encoded(x)), ("y", encoded(y))],
        private: vec![("d", encoded(key.to_bytes()))],
    })
}

fn rsa(bits: u16) -> Result<Material, Failure> {
    remark(&format!("generating an RSA key of {bits} bits: this can take some seconds"));
    let failed = || {
        Failure::usage("no RSA key could be generated", "run the command again; check that /dev/urandom can be read")
    };
    let key = rsa::PrivateKey::new(&mut SysRng, bits.into()).map_err(|_| failed())?;
    let number = |number: &rsa::BoxedUint| encoded(number.to_be_bytes_trimmed_vartime());
    let [p, q] = key.primes() else { return Err(failed()) };
    let (Some(dp), Some(dq), Some(qi)) = (key.dp(), key.dq(), key.crt_coefficient()) else { return Err(failed()) };
    Ok(Material {
        public: vec![("kty", "RSA".into()), ("n", encoded(key.n_bytes())), ("e", encoded(key.e_bytes()))],
        private: vec![
            ("d", number(key.d())),
            ("p", number(p)),
            ("q", number(q)),
            ("dp", number(dp)),
            ("dq", number(dq)),
            ("qi", number(&qi)),
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thumbprint_is_that_of_the_standards() {
        for (members, thumbprint) in [
            // RFC 7638 §3.1.
            (
                vec![
                    ("kty", "RSA"),
                    (
                        "n",
                        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
                    ),
                    ("e", "AQAB"),
                ],
                "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
            ),
            // RFC 8037 §A.3.
            (
                vec![("kty", "OKP"), ("crv", "Ed25519"), ("x", "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")],
                "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
            ),
        ] {
            let public = members.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
            let material = Material { public, private: vec![("d", "secret".into())] };
            assert_eq!(material.thumbprint(), thumbprint);
        }
    }
}
