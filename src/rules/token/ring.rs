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
#[derive(Debug)]
pub struct KeyRing {
    signing: Option<Key>,
    others: Vec<VerifyingKey>,
}

/// Why a JWK Set is no ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingFault {
    /// Which key of the set, from 0; `None` if it is the set as a whole.
    pub key: Option<usize>,
    /// What is wrong with it.
    pub fault: KeyFault,
}

impl KeyRing {
    /// A ring of the key that signs and of others that only verify. A key that only verifies can't stand first:
    ///
    /// ```compile_fail,E0308
    /// use tollgate::rules::token::{Algorithm, KeyRing, VerifyingKey};
    /// let public = VerifyingKey::public(Algorithm::EdDsa, "-----BEGIN PUBLIC KEY-----").unwrap();
    /// let ring = KeyRing::new(public, []);
    /// ```
    #[must_use]
    pub fn new(signing: Key, others: impl IntoIterator<Item = VerifyingKey>) -> Self {
        Self { signing: Some(signing), others: others.into_iter().collect() }
    }

    /// A ring for tokens that somebody else makes.
    #[must_use]
    pub fn verifying(keys: impl IntoIterator<Item = VerifyingKey>) -> Self {
        Self { signing: None, others: keys.into_iter().collect() }
    }

    /// The keys of a JWK Set (RFC 7517 §5). The first that is private, or a secret, signs.
    ///
    /// A key that can't be used is a fault, as the set is the operator's own: RFC 7517 §5 would leave it out.
    ///
    /// # Errors
    /// The first fault.
    pub fn from_jwk_set(set: &Map<String, Value>) -> Result<Self, RingFault> {
        let whole = |fault| RingFault { key: None, fault };
        let keys = set.get("keys").and_then(Value::as_array).filter(|keys| !keys.is_empty());
        let keys = keys.ok_or(whole(KeyFault::NotASet))?;
        let mut ring = Self { signing: None, others: Vec::new() };
        let mut secrets = 0;
        for (number, key) in keys.iter().enumerate() {
            let at = |fault| RingFault { key: Some(number), fault };
            let jwk = key.as_object().ok_or(KeyFault::Unreadable).and_then(Jwk::read).map_err(at)?;
            secrets += usize::from(matches!(jwk.material, Material::Oct(_)));
            if jwk.id.is_none() && keys.len() > 1 {
                return Err(at(KeyFault::WithoutId));
            }
            if jwk.id.is_some() && ring.all().any(|known| known.id() == jwk.id.as_deref()) {
                return Err(at(KeyFault::SameId));
            }
            ring.add(&jwk).map_err(at)?;
        }
        if secrets != 0 && secrets != keys.len() {
            return Err(whole(KeyFault::Mixed));
        }
        Ok(ring)
    }

    fn add(&mut self, jwk: &Jwk) -> Result<(), KeyFault> {
        if !jwk.material.is_private() {
            self.others.push(VerifyingKey::from_jwk(jwk, None)?);
            return Ok(());
        }
        let key = Key::from_jwk(jwk, None)?;
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
    #[must_use]
    pub fn for_token_at(
        &self,
        algorithm: Option<&str>,
        key_id: Option<&str>,
        now: NumericDate,
    ) -> Option<&VerifyingKey> {
        let algorithm = Algorithm::from_name(algorithm?)?;
        let named = key_id.and_then(|id| self.all().find(|key| key.id() == Some(id)));
        let key = named
            .or_else(|| self.all().find(|key| key.id().is_none() && key.algorithm() == algorithm))
            .or_else(|| self.all().next().filter(|_| key_id.is_none()))?;
        (key.algorithm() == algorithm && key.is_good_at(now)).then_some(key)
    }

    /// Is there a public key, for others to verify with?
    #[must_use]
    pub fn has_public_keys(&self) -> bool {
        self.all().any(|key| key.public_jwk().is_some())
    }

    /// The JWK Set for `/.well-known/jwks.json`: the public keys that are good at this time, and nothing of the secrets.
    #[must_use]
    pub fn jwks(&self, now: NumericDate) -> Value {
        let keys: Vec<Value> =
            self.all().filter(|key| key.is_good_at(now)).filter_map(VerifyingKey::public_jwk).collect();
        json!({ "keys": keys })
    }
}
