//! The options that name keys, combined into one key set.
//!
//! **What always holds:** each accepted algorithm has a key of its own kind; an option without effect is a warning.

use crate::rules::{
    config::{diagnostics::Diagnostics, options::keys::DEFAULT_ALGORITHM, raw::RawConfig},
    json::{Map, Value},
    secret::Secret,
    token::{Algorithm, Key, KeyFault, KeySet, KeySetFault, VerifyingKey},
};

/// The keys and their uses. Where a key cannot be seen ([`crate::rules::config::Secrets::MayBeElsewhere`]) the set is
/// empty and verifies nothing.
pub(in crate::rules::config) struct Keys {
    pub(in crate::rules::config) key_set: KeySet,
    /// Whether one of them signs.
    pub(in crate::rules::config) signs: bool,
    /// Whether there are public keys, which others verify with.
    pub(in crate::rules::config) publishes: bool,
}

impl From<KeySet> for Keys {
    fn from(key_set: KeySet) -> Self {
        Self { signs: key_set.signing().is_some(), publishes: key_set.has_public_keys(), key_set }
    }
}

/// The keys; `None` if there are problems.
pub(in crate::rules::config) fn keys(raw: &RawConfig, diagnostics: &mut Diagnostics<'_>) -> Option<Keys> {
    let named = raw.algorithm.as_deref().map(|name| algorithm(name, "JWT_ALGORITHM", diagnostics));
    let mut accepted = Vec::new();
    for name in &raw.decode_algorithms {
        if let Some(algorithm) = algorithm(name, "JWT_DECODE_ALGORITHMS", diagnostics)
            && !accepted.contains(&algorithm)
        {
            accepted.push(algorithm);
        }
    }
    let named = match named {
        Some(algorithm) => Some(algorithm?),
        None => None,
    };
    if let Some(option) = unseen(raw, named, diagnostics) {
        diagnostics.missing(option, "");
        let is_symmetric = named.unwrap_or(DEFAULT_ALGORITHM).is_symmetric();
        let signs = !raw.auth_url_rule.is_empty() && option != "JWT_PUBLIC_KEY";
        let publishes = option != "JWT_SECRET_KEY" && !(option == "JWT_KEYS" && is_symmetric);
        return Some(Keys { key_set: KeySet::verifying([]), signs, publishes });
    }
    let key_set = match &raw.keys {
        Some(set) => jwk_set(raw, set, named, &accepted, diagnostics)?,
        None => single_keys(raw, named.unwrap_or(DEFAULT_ALGORITHM), &accepted, diagnostics)?,
    };
    if key_set.signing().is_none() && !raw.auth_url_rule.is_empty() {
        let option = if raw.keys.is_some() { "JWT_KEYS" } else { "JWT_PRIVATE_KEY" };
        diagnostics.problem(option, "no key that signs, so log-ins could not be answered: give it a private key, or set JWT_AUTH_URL_RULE = \"\" if another issuer makes the tokens");
    }
    Some(key_set.into())
}

/// The option whose key is needed and cannot be seen, as with the secrets of a worker on Cloudflare.
fn unseen(raw: &RawConfig, named: Option<Algorithm>, diagnostics: &Diagnostics<'_>) -> Option<&'static str> {
    if !diagnostics.may_be_elsewhere() || raw.keys.is_some() {
        return None;
    }
    let declared = |options: &[&'static str]| options.iter().copied().find(|option| diagnostics.is_declared(option));
    let default = if named.unwrap_or(DEFAULT_ALGORITHM).is_symmetric() {
        if raw.jwt_secret_key.is_some() || raw.secret_key.is_some() {
            return None;
        }
        declared(&["JWT_SECRET_KEY", "SECRET_KEY"]).unwrap_or("JWT_SECRET_KEY")
    } else {
        // Without a log-in endpoint a public key alone is enough.
        let only_verifies = raw.auth_url_rule.is_empty();
        if raw.private_key.is_some() || (raw.public_key.is_some() && only_verifies) {
            return None;
        }
        let likely = if only_verifies { "JWT_PUBLIC_KEY" } else { "JWT_PRIVATE_KEY" };
        declared(&["JWT_PRIVATE_KEY", "JWT_PUBLIC_KEY"]).unwrap_or(likely)
    };
    Some(declared(&["JWT_KEYS"]).unwrap_or(default))
}

fn algorithm(name: &str, option: &str, diagnostics: &mut Diagnostics<'_>) -> Option<Algorithm> {
    let algorithm = Algorithm::from_name(name);
    if algorithm.is_none() {
        diagnostics.problem(option, format!("write {}", Algorithm::ALL.map(Algorithm::name).join(", ")));
    }
    algorithm
}

/// The key of `JWT_ALGORITHM`, and those of the other algorithms in `JWT_DECODE_ALGORITHMS`.
fn single_keys(
    raw: &RawConfig,
    algorithm: Algorithm,
    accepted: &[Algorithm],
    diagnostics: &mut Diagnostics<'_>,
) -> Option<KeySet> {
    let mut key_set = if algorithm.is_symmetric() {
        KeySet::new(symmetric_key(raw, algorithm, diagnostics)?, [])
    } else {
        key_pair(raw, algorithm, diagnostics)?
    };
    for &other in accepted.iter().filter(|&&other| other != algorithm) {
        if is_unseen(raw, other, diagnostics) {
            continue;
        }
        key_set = key_set.with(additional_key(raw, other, diagnostics)?);
    }
    if key_set.all().all(|key| key.algorithm().is_symmetric()) {
        for (option, value) in [("JWT_PRIVATE_KEY", &raw.private_key), ("JWT_PUBLIC_KEY", &raw.public_key)] {
            if value.is_some() {
                diagnostics.warn(option, format!("no effect: {} takes JWT_SECRET_KEY", algorithm.name()));
            }
        }
    }
    Some(key_set)
}

/// `JWT_SECRET_KEY`, else Flask's `SECRET_KEY`.
fn symmetric_key(raw: &RawConfig, algorithm: Algorithm, diagnostics: &mut Diagnostics<'_>) -> Option<Key> {
    let Some(secret) = raw.jwt_secret_key.as_ref().or(raw.secret_key.as_ref()) else {
        diagnostics.problem(
            "JWT_SECRET_KEY",
            "not set: `npx wrangler secret put JWT_SECRET_KEY` (a random text of 64 characters), or a line in .dev.vars for development",
        );
        return None;
    };
    let option = if raw.jwt_secret_key.is_some() { "JWT_SECRET_KEY" } else { "SECRET_KEY" };
    let secret = Secret::new(secret.clone());
    match Key::symmetric(algorithm, &secret, None, raw.allow_short_key) {
        Ok(key) => {
            let bytes = secret.expose().len();
            if let Some(least) = algorithm.least_key_bytes().filter(|&least| bytes < least) {
                diagnostics.warn("TOLLGATE_ALLOW_SHORT_KEY", format!("the key has {bytes} bytes, fewer than {least}: it can be guessed from one token. Change it as soon as the old tokens may die"));
            }
            Some(key)
        }
        Err(KeyFault::Short { bytes, least }) => {
            diagnostics.problem(option, format!("{bytes} bytes, and {} needs {least} or more. Take a longer one; to go on with an old Flask secret for a while, set TOLLGATE_ALLOW_SHORT_KEY = true", algorithm.name()));
            None
        }
        Err(fault) => {
            diagnostics.problem(option, fault.to_string());
            None
        }
    }
}

/// `JWT_PRIVATE_KEY`, `JWT_PUBLIC_KEY` or both.
fn key_pair(raw: &RawConfig, algorithm: Algorithm, diagnostics: &mut Diagnostics<'_>) -> Option<KeySet> {
    let private = raw.private_key.as_ref().map(|text| Key::private(algorithm, &Secret::new(text.clone())));
    let public = raw.public_key.as_ref().map(|text| VerifyingKey::public(algorithm, text));
    let mut report = |option: &str, fault: KeyFault| {
        diagnostics.problem(option, format!("{fault} (JWT_ALGORITHM is {})", algorithm.name()));
        None
    };
    match (private.transpose(), public.transpose()) {
        (Err(private), Err(public)) => {
            report("JWT_PRIVATE_KEY", private);
            report("JWT_PUBLIC_KEY", public)
        }
        (Err(fault), _) => report("JWT_PRIVATE_KEY", fault),
        (_, Err(fault)) => report("JWT_PUBLIC_KEY", fault),
        (Ok(None), Ok(None)) => {
            diagnostics.problem("JWT_PRIVATE_KEY", format!("not set, and {} needs it: `tollgate key generate --algorithm {} | npx wrangler secret put JWT_PRIVATE_KEY`, or JWT_PUBLIC_KEY alone where another issuer makes the tokens", algorithm.name(), algorithm.name()));
            None
        }
        (Ok(Some(private)), Ok(Some(public))) if !private.verifying().is_same_key(&public) => {
            report("JWT_PUBLIC_KEY", KeyFault::Halves)
        }
        (Ok(Some(private)), _) => Some(KeySet::new(private, [])),
        (Ok(None), Ok(Some(public))) => Some(KeySet::verifying([public])),
    }
}

/// Whether the secret of this additional algorithm cannot be seen. It is then reported as missing.
fn is_unseen(raw: &RawConfig, algorithm: Algorithm, diagnostics: &mut Diagnostics<'_>) -> bool {
    let is_unseen = diagnostics.may_be_elsewhere()
        && algorithm.is_symmetric()
        && raw.jwt_secret_key.is_none()
        && raw.secret_key.is_none();
    if is_unseen {
        diagnostics.missing("JWT_SECRET_KEY", "");
    }
    is_unseen
}

/// The key of an algorithm that is accepted beside the one that signs; `None` if there is a problem.
fn additional_key(raw: &RawConfig, algorithm: Algorithm, diagnostics: &mut Diagnostics<'_>) -> Option<VerifyingKey> {
    if algorithm.is_symmetric() {
        return symmetric_key(raw, algorithm, diagnostics).map(VerifyingKey::from);
    }
    let key = match (&raw.public_key, &raw.private_key) {
        (Some(public), _) => VerifyingKey::public(algorithm, public).map_err(|fault| fault.to_string()),
        (None, Some(private)) => Key::private(algorithm, &Secret::new(private.clone()))
            .map(VerifyingKey::from)
            .map_err(|fault| fault.to_string()),
        (None, None) => Err("no key: give JWT_PUBLIC_KEY one, or leave it out".into()),
    };
    key.map_err(|fault| {
        diagnostics.problem("JWT_DECODE_ALGORITHMS", format!("{}: {fault}", algorithm.name()));
    })
    .ok()
}

/// The keys of `JWT_KEYS`, and a secret for the algorithms that none of them has.
fn jwk_set(
    raw: &RawConfig,
    set: &Map<String, Value>,
    named: Option<Algorithm>,
    accepted: &[Algorithm],
    diagnostics: &mut Diagnostics<'_>,
) -> Option<KeySet> {
    for (option, value) in [("JWT_PRIVATE_KEY", &raw.private_key), ("JWT_PUBLIC_KEY", &raw.public_key)] {
        if value.is_some() {
            diagnostics
                .problem(option, "stands beside JWT_KEYS: put the key into that set as a JWK, and leave this out");
        }
    }
    if set.contains_key("kty") && !set.contains_key("keys") {
        diagnostics.problem(
            "JWT_KEYS",
            "one key, not a set: write {\"keys\": […]} around it (`tollgate key generate --set` does)",
        );
        return None;
    }
    let mut key_set = match KeySet::read_jwk_set(set, named) {
        Ok((key_set, ignored)) => {
            for KeySetFault { key, fault } in ignored {
                let at = key.map(|number| format!("keys[{number}]: ")).unwrap_or_default();
                diagnostics.warn("JWT_KEYS", format!("{at}ignored (RFC 7517, section 5): {fault}"));
            }
            key_set
        }
        Err(fault) => {
            let at = fault.key.map(|number| format!("keys[{number}]: ")).unwrap_or_default();
            diagnostics.problem("JWT_KEYS", format!("{at}{}", fault.fault));
            return None;
        }
    };
    if let Some(signing) = key_set.signing().map(Key::algorithm)
        && named.is_some_and(|named| named != signing)
    {
        let signing = signing.name();
        diagnostics.problem("JWT_ALGORITHM", format!("the key of JWT_KEYS that signs has {signing}: leave this out"));
    }
    if !accepted.is_empty() {
        // JWT_ALGORITHM is always accepted. Another issuer publishes keys that the operator did not choose, so those
        // of other algorithms are ignored; in a set of one's own they are a mistake.
        let is_accepted = |key: &VerifyingKey| accepted.contains(&key.algorithm()) || named == Some(key.algorithm());
        let only_verifies = key_set.signing().is_none();
        for key in key_set.all().filter(|key| !is_accepted(key)) {
            let (id, name) = (key.id().unwrap_or("without kid"), key.algorithm().name());
            let text = format!("leaves out {name}, which the key {id:?} of JWT_KEYS has");
            if only_verifies {
                diagnostics.warn("JWT_DECODE_ALGORITHMS", format!("{text}: the key is ignored"));
            } else {
                diagnostics.problem("JWT_DECODE_ALGORITHMS", text);
            }
        }
        if only_verifies {
            key_set = KeySet::verifying(key_set.all().filter(|key| is_accepted(key)).cloned().collect::<Vec<_>>());
        }
    }
    let mut secret_is_used = false;
    for &algorithm in accepted {
        if key_set.all().any(|key| key.algorithm() == algorithm) {
            continue;
        }
        if !algorithm.is_symmetric() {
            diagnostics.problem("JWT_DECODE_ALGORITHMS", format!("no key of JWT_KEYS has {}", algorithm.name()));
            continue;
        }
        secret_is_used = true;
        if is_unseen(raw, algorithm, diagnostics) {
            continue;
        }
        key_set = key_set.with(symmetric_key(raw, algorithm, diagnostics)?.into());
    }
    if raw.jwt_secret_key.is_some() && !secret_is_used {
        diagnostics.warn("JWT_SECRET_KEY", "no effect beside JWT_KEYS, so tokens that were signed with it are refused: to keep them good for a while, name its algorithm in JWT_DECODE_ALGORITHMS too");
    }
    Some(key_set)
}

/// The text of the key that signs tokens, from which other keys are derived; `None` if no key signs.
pub(in crate::rules::config) fn signing_text(raw: &RawConfig, key_set: &KeySet) -> Option<Secret<String>> {
    let signing = key_set.signing()?;
    let text = match &raw.keys {
        // The first private or symmetric key of the set, which `KeySet::read_jwk_set` signs with, too.
        Some(set) => {
            let keys = set.get("keys").and_then(Value::as_array);
            let is_secret = |key: &&Value| ["d", "k"].iter().any(|member| key.get(member).is_some());
            keys.into_iter().flatten().find(is_secret).map(Value::to_string)
        }
        None if signing.algorithm().is_symmetric() => raw.jwt_secret_key.clone().or(raw.secret_key.clone()),
        None => raw.private_key.clone(),
    };
    text.map(Secret::new)
}
