//! The key with which the gate tells origins that a request came through it.

use super::keys::Keys;
use crate::rules::{
    assertion::{Assertions, OWN_CLAIMS},
    config::{diagnostics::Diagnostics, raw::RawConfig},
    json::{Map, Value, json},
    token::KeySet,
};
use std::borrow::Cow;

const OPTION: &str = "TOLLGATE_ASSERTION_KEY";
const HOW: &str = "`tollgate key generate --algorithm ES256 | npx wrangler secret put TOLLGATE_ASSERTION_KEY`";

/// What makes assertions; `None` without a key, or if there is a problem. `keys` are those of clients' tokens.
pub(in crate::rules::config) fn assertions(
    raw: &RawConfig,
    keys: Option<&Keys>,
    public_url: Option<&str>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<Assertions> {
    let is_used = raw.assertion_key.is_some() || diagnostics.is_declared(OPTION);
    if is_used && raw.public_url.as_deref().unwrap_or_default().is_empty() {
        diagnostics.problem(
            "TOLLGATE_PUBLIC_URL",
            format!("not set, and {OPTION} needs it: assertions name the gate by it (iss)"),
        );
    }
    if !is_used && !raw.assertion_claims.is_empty() && !diagnostics.may_be_elsewhere() {
        diagnostics.warn("TOLLGATE_ASSERTION_CLAIMS", format!("no effect without {OPTION}"));
    }
    for name in &raw.assertion_claims {
        if OWN_CLAIMS.contains(&name.as_str()) {
            diagnostics.problem(
                "TOLLGATE_ASSERTION_CLAIMS",
                format!("{name:?} says something about the assertion itself: remove it"),
            );
        } else if name.is_empty() {
            diagnostics.problem("TOLLGATE_ASSERTION_CLAIMS", "an entry is empty: write the name of a claim");
        }
    }
    let key_set = key_set(raw.assertion_key.as_ref()?, keys).map_err(|text| diagnostics.problem(OPTION, text)).ok()?;
    Some(Assertions::new(key_set, public_url?.to_owned(), raw.assertion_claims.clone()))
}

/// The keys of a JWK Set, or of one JWK.
///
/// # Errors
/// What to write instead.
fn key_set(value: &Map<String, Value>, keys: Option<&Keys>) -> Result<KeySet, String> {
    let set = match value.contains_key("kty") {
        true => Cow::Owned(Map::from_iter([("keys".to_owned(), json!([value]))])),
        false => Cow::Borrowed(value),
    };
    let key_set = KeySet::from_jwk_set(&set).map_err(|fault| format!("{}: {HOW}", fault.fault))?;
    if key_set.all().any(|key| key.algorithm().is_symmetric()) {
        return Err(format!("a secret, which each origin would need too, and could sign with: {HOW}"));
    }
    if key_set.signing().is_none() {
        return Err(format!("no private key, so nothing can be signed: {HOW}"));
    }
    if key_set.all().any(|key| key.id().is_none()) {
        return Err("a key without kid, by which origins find it: give it one".into());
    }
    let is_of_clients = |key| keys.is_some_and(|keys| keys.key_set.all().any(|known| known.is_same_key(key)));
    if key_set.all().any(is_of_clients) {
        return Err(format!("a key of clients' tokens too, so one could be taken for the other: {HOW}"));
    }
    Ok(key_set)
}
