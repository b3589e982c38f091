//! Claims that new tokens get from a user's attributes (`TOLLGATE_CLAIMS`).
//!
//! **What always holds:** a token has all of them or is not issued: claims that are too long are a rejection of their
//! own. A missing attribute adds no claim.

use super::{
    identity::Identity,
    json::{self, Map, Value},
    rejection::InternalRejection,
    token::CLAIMS_VERSION,
};

/// Maximum length of the claims as JSON, in bytes: a token of which they are a part must fit into header fields and
/// cookies.
pub const MAX_BYTES: usize = 2048;

/// The claims that are made of attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttributeClaims {
    /// Each with the name of its attribute: see [`json::find`].
    claims: Vec<(String, String)>,
    /// Whether there is [`CLAIMS_VERSION`] too.
    is_versioned: bool,
}

impl AttributeClaims {
    /// Reads a table of claims, such as `{ role = "attributes.role" }`.
    ///
    /// # Errors
    /// What to write instead.
    pub(super) fn read(table: &Map<String, Value>) -> Result<Self, String> {
        let one = |(claim, source): (&String, &Value)| {
            let source = source.as_str().unwrap_or_default();
            let pointer = source.strip_prefix("/attributes").filter(|rest| rest.starts_with('/'));
            let attribute = source.strip_prefix("attributes.").or(pointer).filter(|name| !["", "/"].contains(name));
            let attribute =
                attribute.ok_or_else(|| format!("{claim}: write a user's attribute, such as \"attributes.role\""))?;
            if claim.is_empty() {
                return Err("a claim without a name: write one, such as role = \"attributes.role\"".into());
            }
            Ok((claim.clone(), attribute.to_owned()))
        };
        let (mut claims, mut wrong) = (Vec::new(), Vec::<String>::new());
        for read in table.iter().map(one) {
            match read {
                Ok(claim) => claims.push(claim),
                Err(text) => wrong.push(text),
            }
        }
        if wrong.is_empty() { Ok(Self { claims, is_versioned: false }) } else { Err(wrong.join("; ")) }
    }

    /// The same claims, with [`CLAIMS_VERSION`] or without.
    pub(super) fn versioned(self, is_versioned: bool) -> Self {
        Self { is_versioned, ..self }
    }

    /// Whether it has no claims.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.claims.is_empty()
    }

    /// Whether an account's object knows the version of the attributes, and there are claims.
    #[must_use]
    pub fn is_versioned(&self) -> bool {
        self.is_versioned && !self.is_empty()
    }

    /// The names of the claims.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.claims.iter().map(|(claim, _)| claim.as_str())
    }

    /// Maximum length of all values together as JSON, in bytes, so that the claims are not longer than [`MAX_BYTES`].
    #[must_use]
    pub fn max_value_bytes(&self) -> usize {
        // Each value takes the place of null.
        let mut empty: Map<String, Value> = self.names().map(|name| (name.to_owned(), Value::Null)).collect();
        empty.insert(CLAIMS_VERSION.into(), i64::MAX.into());
        MAX_BYTES.saturating_sub(json::to_ascii(&empty).len() - 4 * self.claims.len())
    }

    /// The names of the attributes, as [`json::find`] takes them.
    pub fn attributes(&self) -> impl Iterator<Item = &str> {
        self.claims.iter().map(|(_, attribute)| attribute.as_str())
    }

    /// Removes the claims of an earlier token.
    pub fn remove_from(&self, claims: &mut Map<String, Value>) {
        let version = (!self.is_empty()).then_some(CLAIMS_VERSION);
        self.names().chain(version).for_each(|name| drop(claims.shift_remove(name)));
    }

    /// The claims for a user.
    ///
    /// # Errors
    /// [`InternalRejection::ClaimsTooLong`] beyond [`MAX_BYTES`].
    pub fn of(&self, identity: &Identity) -> Result<Map<String, Value>, InternalRejection> {
        let found = |(claim, attribute): &(String, String)| {
            Some((claim.clone(), json::find(&identity.attributes, attribute)?.clone()))
        };
        let mut claims: Map<String, Value> = self.claims.iter().filter_map(found).collect();
        if self.is_versioned() {
            claims.insert(CLAIMS_VERSION.into(), identity.attributes_version.as_millis().into());
        }
        if json::to_ascii(&claims).len() > MAX_BYTES { Err(InternalRejection::ClaimsTooLong) } else { Ok(claims) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::identity::Id;
    use serde_json::json;

    fn read(table: Value) -> Result<AttributeClaims, String> {
        AttributeClaims::read(table.as_object().unwrap())
    }

    #[test]
    fn claims_are_the_users_attributes() {
        let claims = read(json!({
            "role": "attributes.role", "tenant": "attributes.org.id", "plan": "/attributes/org/plan", "odd": "attributes.a.b",
            "none": "attributes.none",
        }));
        let attributes = json!({"role": "admin", "org": {"id": 5, "plan": ["x"]}, "a.b": 1, "username": "ann"});
        let identity = Identity { attributes: attributes.as_object().unwrap().clone(), ..Identity::new(Id::Int(1)) };
        let found = claims.unwrap().of(&identity).unwrap();
        assert_eq!(Value::Object(found), json!({"role": "admin", "tenant": 5, "plan": ["x"], "odd": 1}));
        assert_eq!(AttributeClaims::default().of(&identity), Ok(Map::new()));
        for wrong in ["role", "attributes", "attributes.", "/attributes/", "id", ""] {
            assert!(read(json!({"role": wrong})).is_err(), "{wrong}");
        }
        assert!(read(json!({"": "attributes.role"})).is_err());
        assert!(read(json!({"role": 1})).is_err());
    }

    #[test]
    fn claims_that_are_too_long_are_no_claims() {
        let claims = read(json!({"role": "attributes.role"})).unwrap();
        let with = |length: usize| Identity {
            attributes: Map::from_iter([("role".to_owned(), "r".repeat(length).into())]),
            ..Identity::new(Id::Int(1))
        };
        let around = r#"{"role":""}"#.len();
        assert!(claims.of(&with(MAX_BYTES - around)).is_ok());
        assert_eq!(claims.of(&with(MAX_BYTES - around + 1)), Err(InternalRejection::ClaimsTooLong));
    }
}
