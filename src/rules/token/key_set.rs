//! The ring of keys.
//!
//! **What always holds:** at most one key signs, and it is one that can; all verify. "Does the token's `alg` fit the
//! key?" is part of finding the key. After a key's `not_after` it is not found any more.

use super::{
    super::{
        json::{Map, Value, json},
        time::NumericDate,
    },
    algorithm::Algorithm,
    fault::KeyFault,
    jwk::Jwk,
    key::{Key, VerifyingKey},
    material::Material,
};

/// The keys of a gate.
#[derive(Clone, Debug)]
pub struct KeySet {
    signing: Option<Key>,
    others: Vec<VerifyingKey>,
}

/// Why a JWK Set is no ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySetFault {
    /// Which key of the set, from 0; `None` if it is the set as a whole.
    pub key: Option<usize>,
    /// What is wrong with it.
    pub fault: KeyFault,
}

/// Why no key of a ring may verify a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoKey {
    /// `alg` is missing, or none that is known here.
    UnknownAlgorithm,
    /// The key that the token means has another algorithm.
    OtherAlgorithm {
        /// The key's.
        key: Algorithm,
        /// The token's.
        token: Algorithm,
    },
    /// `kid` names no key of the ring, and no key without an id has the token's algorithm.
    UnknownId,
    /// The key's `not_after` has passed.
    Ended(NumericDate),
}

impl KeySet {
    /// A ring of the key that signs and of others that only verify. A key that only verifies can't stand first
    /// (tests/compile/public_key_does_not_sign.rs).
    #[must_use]
    pub fn new(signing: Key, others: impl IntoIterator<Item = VerifyingKey>) -> Self {
        Self { signing: Some(signing), others: others.into_iter().collect() }
    }

    /// A ring for tokens that somebody else makes.
    #[must_use]
    pub fn verifying(keys: impl IntoIterator<Item = VerifyingKey>) -> Self {
        Self { signing: None, others: keys.into_iter().collect() }
    }

    /// The keys of a JWK Set (RFC 7517 §5), each of which must be usable. The first that is private, or a secret,
    /// signs.
    ///
    /// # Errors
    /// The first fault.
    pub fn from_jwk_set(set: &Map<String, Value>) -> Result<Self, KeySetFault> {
        Self::of_keys(keys_of(set)?, None, None)
    }

    /// The same for a set that may be another issuer's: one without a private key or a secret, as providers publish it.
    /// Its keys that can't be used here (for encryption, of another kind or curve, malformed) are left out and told, as
    /// RFC 7517 §5 asks; only a set in which none is left is a fault. In a set of one's own each key must be usable.
    ///
    /// `default` is the algorithm of a key that names none (RFC 7517 §4.4) and is of its kind.
    ///
    /// # Errors
    /// The first fault that leaves nothing to verify with, or is in a set of one's own.
    pub fn read_jwk_set(
        set: &Map<String, Value>,
        default: Option<Algorithm>,
    ) -> Result<(Self, Vec<KeySetFault>), KeySetFault> {
        let keys = keys_of(set)?;
        let is_private = |key: &Value| key.get("d").is_some() || key.get("k").is_some() || key["kty"] == "oct";
        if keys.iter().any(is_private) {
            return Ok((Self::of_keys(keys, default, None)?, Vec::new()));
        }
        let mut ignored = Vec::new();
        let ring = Self::of_keys(keys, default, Some(&mut ignored))?;
        match ignored.first() {
            Some(&first) if ring.others.is_empty() => Err(first),
            _ => Ok((ring, ignored)),
        }
    }

    /// With a list of `ignored` ones, keys that can't be used go there; without it, the first is the fault of the set.
    fn of_keys(
        keys: &[Value],
        default: Option<Algorithm>,
        mut ignored: Option<&mut Vec<KeySetFault>>,
    ) -> Result<Self, KeySetFault> {
        let is_published = ignored.is_some();
        let mut ignore = |fault: KeySetFault| match &mut ignored {
            Some(ignored) => {
                ignored.push(fault);
                Ok(())
            }
            None => Err(fault),
        };
        let mut jwks = Vec::with_capacity(keys.len());
        for (number, key) in keys.iter().enumerate() {
            let jwk = key.as_object().ok_or(KeyFault::Unreadable).and_then(Jwk::read).and_then(|jwk| {
                let algorithm = jwk.algorithm(default.filter(|&default| jwk.takes(default)))?;
                // Made twice, here to see whether it can be: a set has few keys, and is read once.
                if jwk.material.is_private() {
                    Key::from_jwk(&jwk, Some(algorithm)).map(drop)?;
                } else {
                    VerifyingKey::from_jwk(&jwk, Some(algorithm)).map(drop)?;
                }
                Ok((number, algorithm, jwk))
            });
            match jwk {
                Ok(jwk) => jwks.push(jwk),
                Err(fault) => ignore(KeySetFault { key: Some(number), fault })?,
            }
        }
        let secrets = jwks.iter().filter(|(.., jwk)| matches!(jwk.material, Material::Oct(_))).count();
        if secrets != 0 && secrets != jwks.len() {
            return Err(KeySetFault { key: None, fault: KeyFault::Mixed });
        }
        let mut ring = Self { signing: None, others: Vec::new() };
        let has_several = jwks.len() > 1;
        for (number, algorithm, jwk) in &jwks {
            // Other issuers' keys of several kinds may share an id (RFC 7517 §4.5), or have none: the algorithm tells
            // them apart.
            let is_same = |known: &VerifyingKey| {
                known.id() == jwk.id.as_deref() && (!is_published || known.algorithm() == *algorithm)
            };
            let added = if jwk.id.is_none() && has_several && (!is_published || ring.all().any(is_same)) {
                Err(KeyFault::WithoutId)
            } else if ring.all().any(is_same) {
                Err(KeyFault::SameId)
            } else {
                ring.add(jwk, *algorithm)
            };
            if let Err(fault) = added {
                ignore(KeySetFault { key: Some(*number), fault })?;
            }
        }
        Ok(ring)
    }

    fn add(&mut self, jwk: &Jwk, algorithm: Algorithm) -> Result<(), KeyFault> {
        if !jwk.material.is_private() {
            self.others.push(VerifyingKey::from_jwk(jwk, Some(algorithm))?);
            return Ok(());
        }
        let key = Key::from_jwk(jwk, Some(algorithm))?;
        if self.signing.is_some() {
            self.others.push(key.into());
        } else if jwk.not_after.is_some() {
            return Err(KeyFault::SigningEnds);
        } else {
            self.signing = Some(key);
        }
        Ok(())
    }

    /// The same ring and one more key, which only verifies.
    #[must_use]
    pub fn with(mut self, key: VerifyingKey) -> Self {
        self.others.push(key);
        self
    }

    /// The key that new tokens are signed with.
    #[must_use]
    pub const fn signing(&self) -> Option<&Key> {
        self.signing.as_ref()
    }

    /// All keys, the one that signs first.
    pub fn all(&self) -> impl Iterator<Item = &VerifyingKey> {
        self.signing.iter().map(Key::verifying).chain(&self.others)
    }

    /// The key for a token that names this `alg` and `kid`, if it is good at this time. A `kid` that names a key of the
    /// ring means that key, and then its algorithm must fit; any other `kid`, or none, means the first key of that
    /// algorithm without an id (Flask-JWT looks at no `kid`), else the first key: the one that signs, if one does.
    ///
    /// # Errors
    /// [`NoKey`], which is for operators: a client is told the same whatever it is.
    pub fn for_token_at(
        &self,
        algorithm: Option<&str>,
        key_id: Option<&str>,
        now: NumericDate,
    ) -> Result<&VerifyingKey, NoKey> {
        let algorithm = algorithm.and_then(Algorithm::from_name).ok_or(NoKey::UnknownAlgorithm)?;
        let has_id = |key: &&VerifyingKey| key_id.is_some() && key.id() == key_id;
        let fits = |key: &&VerifyingKey| key.algorithm() == algorithm;
        let named = self.all().find(|key| has_id(key) && fits(key)).or_else(|| self.all().find(has_id));
        let key = named
            .or_else(|| self.all().find(|key| key.id().is_none() && fits(key)))
            .or_else(|| self.all().next().filter(|_| key_id.is_none()))
            .ok_or(NoKey::UnknownId)?;
        if key.algorithm() != algorithm {
            return Err(NoKey::OtherAlgorithm { key: key.algorithm(), token: algorithm });
        }
        match key.not_after().filter(|_| !key.is_good_at(now)) {
            Some(end) => Err(NoKey::Ended(end)),
            None => Ok(key),
        }
    }

    /// Is there a public key, for others to verify with?
    #[must_use]
    pub fn has_public_keys(&self) -> bool {
        self.all().any(|key| key.public_jwk().is_some())
    }

    /// The JWK Set for `/.well-known/jwks.json`: the public keys that are good at this time, and nothing of the
    /// secrets.
    #[must_use]
    pub fn jwks(&self, now: NumericDate) -> Value {
        let keys: Vec<Value> =
            self.all().filter(|key| key.is_good_at(now)).filter_map(VerifyingKey::public_jwk).collect();
        json!({ "keys": keys })
    }
}

/// The members of a JWK Set: one at least.
fn keys_of(set: &Map<String, Value>) -> Result<&[Value], KeySetFault> {
    let keys = set.get("keys").and_then(Value::as_array).filter(|keys| !keys.is_empty());
    keys.map(Vec::as_slice).ok_or(KeySetFault { key: None, fault: KeyFault::NotASet })
}
