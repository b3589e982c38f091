//! Hashing of passwords, and the service that knows leaked ones.

use super::origin::read_url;
use crate::rules::{
    config::{diagnostics::Diagnostics, raw::RawConfig},
    password::{Hashing, Kdf, Peppers, pwned},
};

/// The cost and peppers of password hashes; `None` if there is a problem.
pub(in crate::rules::config) fn hashing(raw: &RawConfig, diagnostics: &mut Diagnostics<'_>) -> Option<Hashing> {
    const OPTION: &str = "TOLLGATE_PASSWORD_PEPPER";
    let iterations = raw.password_iterations;
    let peppers = match (raw.peppers.clone(), raw.pepper.as_deref()) {
        (None, None | Some("")) => Peppers::default(),
        (None, Some(_)) if diagnostics.may_be_elsewhere() => {
            diagnostics.missing("TOLLGATE_PASSWORD_PEPPERS", "");
            Peppers::default()
        }
        (None, Some(_)) => {
            diagnostics.problem(OPTION, "there is no TOLLGATE_PASSWORD_PEPPERS: give it this one, or leave this out");
            return None;
        }
        (Some(peppers), None) if peppers.len() > 1 => {
            diagnostics
                .problem(OPTION, "not set, and there are several: write the key id of the one to make new hashes with");
            return None;
        }
        (Some(peppers), None) => peppers,
        (Some(peppers), Some(id)) => {
            let ids = peppers.ids().collect::<Vec<_>>().join(", ");
            let Some(peppers) = peppers.using(id) else {
                diagnostics.problem(OPTION, format!("no key id of TOLLGATE_PASSWORD_PEPPERS: write one of {ids}"));
                return None;
            };
            peppers
        }
    };
    Some(Hashing { iterations, peppers, kinds: kinds(raw, diagnostics)? })
}

/// The declared functions of stored hashes; `None` if there is a problem.
fn kinds(raw: &RawConfig, diagnostics: &mut Diagnostics<'_>) -> Option<Vec<Kdf>> {
    const OPTION: &str = "TOLLGATE_PASSWORD_KINDS";
    let mut kinds = Vec::new();
    for text in &raw.password_kinds {
        match text.parse::<Kdf>() {
            Ok(kind) if kind.judge().is_ok() => kinds.push(kind),
            Ok(_) => {
                diagnostics.problem(OPTION, format!("{text}: its cost or memory is out of bounds, so no hash of it is verified (docs/storage.md): leave it out"));
                return None;
            }
            Err(_) => {
                diagnostics.problem(
                    OPTION,
                    "write methods as Werkzeug has them, such as [\"scrypt:32768:8:1\", \"pbkdf2:sha512:1000000\"]",
                );
                return None;
            }
        }
    }
    Some(kinds)
}

/// Where to ask whether a password was leaked; `None` if the check is off.
pub(in crate::rules::config) fn pwned_url(raw: &RawConfig, diagnostics: &mut Diagnostics<'_>) -> Option<String> {
    const OPTION: &str = "TOLLGATE_PASSWORD_PWNED_URL";
    let url = raw.pwned_url.as_deref().unwrap_or(pwned::DEFAULT_URL);
    read_url(OPTION, url, pwned::DEFAULT_URL, "answers can be forged on their way", diagnostics)?;
    if raw.pwned_url.is_some() && !raw.pwned {
        diagnostics.warn(OPTION, "no effect without TOLLGATE_PASSWORD_PWNED = true");
    }
    raw.pwned.then(|| url.trim_end_matches('/').to_owned())
}
