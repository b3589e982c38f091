//! Runs the public test vectors in a folder: Wycheproof's JWS, JWK, mixed and PBKDF2 files, and the examples of RFC
//! 7520.
//!
//! **What always holds:** the functions under test are those of the gate: [`KeySet::from_jwk_set`],
//! [`check_signature`], [`password::check`]. An invalid vector that is accepted is wrong. So is a valid one that is
//! rejected, unless the reason is one of the constants below; those are counted and printed.

use crate::transcript::segment;
use base64ct::{Base64Unpadded, Encoding};
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, fmt, fs, path::Path};
use tollgate::rules::{
    password::{self, Check, HashFault, Hashing},
    rejection::{Malformed, TokenRejection},
    secret::Secret,
    time::NumericDate,
    token::{KeyFault, KeySet, check_signature},
};

/// The results of a file.
#[derive(Default)]
pub struct Tally {
    /// Valid and accepted, or invalid and rejected.
    pub right: usize,
    /// Valid, and rejected for one of the reasons in this file.
    pub documented: BTreeMap<&'static str, usize>,
    /// The others, described.
    pub wrong: Vec<String>,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let documented: usize = self.documented.values().sum();
        write!(f, "{} right, {documented} rejected for a documented reason, {} wrong", self.right, self.wrong.len())?;
        for (reason, count) in &self.documented {
            write!(f, "\n  {count} × {reason}")?;
        }
        Ok(())
    }
}

/// The gate's verdict on a vector. `Err` has the documented reason, or `None` for any other.
type Verdict = Result<(), Option<&'static str>>;

impl Tally {
    fn count(&mut self, name: &str, valid: bool, verdict: Verdict) {
        match (valid, verdict) {
            (true, Ok(())) | (false, Err(_)) => self.right += 1,
            (true, Err(Some(reason))) => *self.documented.entry(reason).or_default() += 1,
            (true, Err(None)) => self.wrong.push(format!("{name}: valid, but rejected")),
            (false, Ok(())) => self.wrong.push(format!("{name}: invalid, but accepted")),
        }
    }
}

/// Runs every file with known test vectors in a folder and its subfolders; other files are skipped.
///
/// # Errors
/// A folder or file can't be read, or a file is not JSON.
pub fn folder(folder: &Path) -> Result<Vec<(String, Tally)>, String> {
    let files = files(folder)?;
    Ok(files.into_iter().filter_map(|(name, value)| Some((name, file(&value)?))).collect())
}

/// Every JSON file in a folder and its subfolders, by its path.
fn files(folder: &Path) -> Result<Vec<(String, Value)>, String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        let described = |error: std::io::Error| format!("{}: {error}", next.display());
        let mut entries: Vec<_> =
            fs::read_dir(&next).map_err(described)?.collect::<Result<Vec<_>, _>>().map_err(described)?;
        entries.sort_by_key(|entry| entry.file_name());
        for path in entries.into_iter().map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "json") {
                let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
                let text = fs::read_to_string(&path).map_err(|error| format!("{name}: {error}"))?;
                let value = serde_json::from_str(&text).map_err(|error| format!("{name}: {error}"))?;
                found.push((name, value));
            }
        }
    }
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(found)
}

/// A token of a vector and a JWK Set that it is checked with.
pub struct Pair {
    /// File and vector.
    pub name: String,
    /// The JWK Set.
    pub keys: Map<String, Value>,
    /// The token.
    pub token: String,
}

/// Every compact token in a folder, with each half of its keys.
///
/// # Errors
/// As for [`folder`].
pub fn pairs(folder: &Path) -> Result<Vec<Pair>, String> {
    let mut pairs = Vec::new();
    let mut add = |name: String, keys: &Value, algorithm: Option<&str>, token: &Value| {
        if let Some(token) = token.as_str().filter(|token| !token.starts_with('{')) {
            pairs.push(Pair { name, keys: jwk_set(keys, algorithm), token: token.to_owned() });
        }
    };
    for (name, file) in files(folder)? {
        for group in file["testGroups"].as_array().into_iter().flatten() {
            for test in group["tests"].as_array().into_iter().flatten() {
                for keys in ["public", "private"].into_iter().filter_map(|half| group.get(half)) {
                    add(format!("{name} {}", test["tcId"]), keys, None, &test["jws"]);
                }
            }
        }
        add(name, &file["input"]["key"], file["input"]["alg"].as_str(), &file["output"]["compact"]);
    }
    Ok(pairs)
}

/// Runs one file. `None` if it is of no known kind.
#[must_use]
pub fn file(file: &Value) -> Option<Tally> {
    let mut tally = Tally::default();
    if let Some(groups) = file["testGroups"].as_array() {
        for group in groups {
            match group["type"].as_str() {
                Some("JsonWebSignature" | "JsonWebKey" | "JsonWebCrypto") => wycheproof_tokens(group, &mut tally),
                Some("PbkdfTest") => wycheproof_passwords(group, &mut tally),
                _ => return None,
            }
        }
    } else if file["input"].is_object() && file["output"].is_object() {
        cookbook_signature(file, &mut tally);
    } else if file["kty"].is_string() {
        cookbook_key(file, &mut tally);
    } else {
        return None;
    }
    Some(tally)
}

const JSON_SERIALIZATION: &str = "JSON serialization of a JWS (RFC 7515 §7.2): tokens are compact";
const DETACHED: &str = "detached payload (RFC 7515 appendix F): tokens carry theirs";
const ENCRYPTED: &str = "JWE: tokens are signed, not encrypted";
const ALGORITHM: &str = "an algorithm or curve that is not supported: ES384, ES512, none, or one for encryption";
const NOT_BASE64URL: &str = "characters outside base64url (RFC 7515 §2), which the vector expects to be skipped";
const OTHER_ALGORITHM: &str = "the key names another algorithm than the token (RFC 8725 §3.1)";
const PURPOSE: &str = "a key for encryption, by its `use`";
const CONTRADICTION: &str = "the same token and key are valid in another vector of the group";
const NOT_UTF8: &str = "a password that is not UTF-8";
const CHEAP: &str = "fewer than 1,000 iterations";
const SHORT_HASH: &str = "a hash of fewer than 32 bytes";

/// Whether a key of the set verifies the token.
fn judge(keys: &Value, algorithm: Option<&str>, token: &Value) -> Verdict {
    let Some(token) = token.as_str().filter(|token| !token.starts_with('{')) else {
        return Err(Some(JSON_SERIALIZATION));
    };
    let check = |keys| check_signature(token, &keys, NumericDate::new(1_800_000_000).expect("in range"));
    check(key_set(keys, algorithm)?).map_err(|rejection| match rejection {
        TokenRejection::Malformed(Malformed::HeaderEncoding | Malformed::PayloadEncoding) => Some(NOT_BASE64URL),
        // Documented only if the key verifies the token once it names the token's algorithm.
        TokenRejection::AlgorithmNotAllowed => {
            let mut renamed = keys.clone();
            renamed["alg"] = segment(token, 0)?.get("alg")?.clone();
            check(key_set(&renamed, None).ok()?).ok().map(|()| OTHER_ALGORITHM)
        }
        _ => None,
    })
}

/// A JWK Set, or a set of one JWK, which gets this algorithm if it names none.
fn jwk_set(keys: &Value, algorithm: Option<&str>) -> Map<String, Value> {
    match keys.as_object() {
        Some(set) if set.contains_key("keys") => set.clone(),
        _ => {
            let mut key = keys.clone();
            if let (Some(algorithm), Some(members)) = (algorithm, key.as_object_mut()) {
                members.entry("alg").or_insert_with(|| algorithm.into());
            }
            Map::from_iter([("keys".to_owned(), json!([key]))])
        }
    }
}

fn key_set(keys: &Value, algorithm: Option<&str>) -> Result<KeySet, Option<&'static str>> {
    KeySet::from_jwk_set(&jwk_set(keys, algorithm)).map_err(|fault| match fault.fault {
        KeyFault::UnknownAlgorithm | KeyFault::UnknownKind => Some(ALGORITHM),
        KeyFault::OtherUse => Some(PURPOSE),
        _ => None,
    })
}

/// A group: keys, and tokens that are checked with them.
fn wycheproof_tokens(group: &Value, tally: &mut Tally) {
    let tests = group["tests"].as_array().map(Vec::as_slice).unwrap_or_default();
    for test in tests {
        let name = format!("{} {} ({})", group["comment"], test["tcId"], test["comment"]);
        let valid = test["result"] != "invalid";
        if test.get("jwe").is_some() {
            tally.count(&name, valid, Err(Some(ENCRYPTED)));
            continue;
        }
        // A valid vector must be accepted with the public key, an invalid one with neither.
        let halves: Vec<&Value> = ["public", "private"].into_iter().filter_map(|half| group.get(half)).collect();
        let mut verdicts = halves.iter().map(|keys| judge(keys, None, &test["jws"]));
        let verdict = if valid { verdicts.next() } else { verdicts.find(Result::is_ok) }.unwrap_or(Err(None));
        let twin = tests.iter().any(|other| other["jws"] == test["jws"] && other["result"] == "valid");
        if !valid && verdict.is_ok() && twin {
            *tally.documented.entry(CONTRADICTION).or_default() += 1;
        } else {
            tally.count(&name, valid, verdict);
        }
    }
}

/// The hashes are written in passlib's form, which allows any salt, and cut to 32 bytes: a longer PBKDF2 output begins
/// with the shorter one.
fn wycheproof_passwords(group: &Value, tally: &mut Tally) {
    let bytes = |value: &Value| {
        let text = value.as_str().unwrap_or_default();
        (0..text.len() / 2)
            .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok())
            .collect::<Option<Vec<u8>>>()
    };
    for test in group["tests"].as_array().map(Vec::as_slice).unwrap_or_default() {
        let name = format!("{} ({})", test["tcId"], test["comment"]);
        let (Some(word), Some(salt), Some(hash)) = (bytes(&test["password"]), bytes(&test["salt"]), bytes(&test["dk"]))
        else {
            tally.wrong.push(format!("{name}: not hexadecimal"));
            continue;
        };
        let verdict = match (String::from_utf8(word), hash.get(..32)) {
            (Err(_), _) => Err(Some(NOT_UTF8)),
            (_, None) => Err(Some(SHORT_HASH)),
            (Ok(word), Some(hash)) => {
                let [salt, hash] = [&salt[..], hash].map(|part| Base64Unpadded::encode_string(part).replace('+', "."));
                let stored = format!("$pbkdf2-sha256${}${salt}${hash}", test["iterationCount"]);
                match password::check(Some(&stored), &Secret::new(word), &Hashing::new(1)) {
                    Ok(Check::Right | Check::RightButOutdated) => Ok(()),
                    Ok(Check::Wrong) => Err(None),
                    Err(HashFault::CostTooLow) => Err(Some(CHEAP)),
                    Err(_) => Err(None),
                }
            }
        };
        tally.count(&name, test["result"] != "invalid", verdict);
    }
}

/// RFC 7520 §4. `alg` is beside the key, not in it.
fn cookbook_signature(file: &Value, tally: &mut Tally) {
    let name = file["title"].as_str().unwrap_or_default();
    let (input, output) = (&file["input"], &file["output"]);
    let token = output.get("compact").unwrap_or(&output["json"]);
    let is_detached = token.as_str().is_some_and(|token| token.contains(".."));
    let verdict = match judge(&input["key"], input["alg"].as_str(), token) {
        Err(None) if is_detached => Err(Some(DETACHED)),
        verdict => verdict,
    };
    tally.count(name, true, verdict);
}

/// RFC 7520 §3: keys for signatures and others. An RSA key, which fits several algorithms, is read as one for RS256.
fn cookbook_key(file: &Value, tally: &mut Tally) {
    let algorithm = (file["kty"] == "RSA").then_some("RS256");
    tally.count(&file["kid"].to_string(), true, key_set(file, algorithm).map(drop));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(key: Value, token: &str, result: &str) -> Value {
        json!({"testGroups": [{"type": "JsonWebSignature", "comment": "x", "private": key,
            "tests": [{"tcId": 1, "comment": "y", "jws": token, "result": result}]}]})
    }

    /// RFC 7515 appendix A.1, and vectors that a faulty gate or a faulty runner would count as right.
    #[test]
    fn what_is_wrong_is_counted_as_wrong() {
        let key = json!({"kty": "oct", "alg": "HS256", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"});
        let good = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let count = |value: Value| {
            let tally = file(&value).unwrap();
            (tally.right, tally.documented.len(), tally.wrong.len())
        };
        assert_eq!(count(group(key.clone(), good, "valid")), (1, 0, 0));
        assert_eq!(count(group(key.clone(), good, "invalid")), (0, 0, 1), "accepted, and it must not be");
        assert_eq!(count(group(key.clone(), &good[1..], "invalid")), (1, 0, 0));
        let bent = good.replace("dBjft", "dBjfu");
        assert_eq!(count(group(key.clone(), &bent, "valid")), (0, 0, 1), "rejected, and it must not be");
        assert_eq!(count(group(json!({"kty": "oct", "alg": "HS256", "k": "AAAA"}), good, "valid")), (0, 0, 1));
        assert_eq!(count(group(json!({"kty": "EC", "crv": "P-521"}), good, "valid")), (0, 1, 0));
        assert!(file(&json!({"testGroups": [{"type": "AeadTest"}]})).is_none());
        assert!(file(&json!({"a": 1})).is_none());
    }
}
