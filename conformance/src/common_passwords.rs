//! `conformance common-passwords`: the list of the most common passwords, and its packed form in the gate.
//!
//! Without arguments it packs conformance/common-passwords.txt into src/rules/password/common.bin. With two files it
//! first makes the list again: `DJANGO` is `common-passwords.txt` of Django, `BURNETT` the passwords of Mark Burnett's
//! list, the most common first (both are named in src/rules/password/common.NOTICE).

use std::{collections::BTreeSet, fs, path::Path};
use tollgate::rules::password::{DEFAULT_MIN_LENGTH, LEAST_MIN_LENGTH, common::pack, normal_form};

/// How many of the most common passwords are kept for each minimum length that an operator can configure: five times
/// the failed attempts after which NIST SP 800-63B-4 §3.2.2 locks an account.
const PER_LENGTH: usize = 500;

/// Writes the list if it has sources, and its packed form. Returns how long both are.
///
/// # Errors
/// A file can't be read or written.
pub fn write(root: &Path, sources: Option<&[String]>) -> Result<String, String> {
    let list_file = root.join("conformance/common-passwords.txt");
    let read = |path: &Path| fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()));
    let write =
        |path: &Path, bytes: &[u8]| fs::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()));
    if let Some([django, burnett]) = sources {
        let list = select(&read(Path::new(django))?, &read(Path::new(burnett))?);
        let lines: String = list.iter().map(|password| format!("{password}\n")).collect();
        write(&list_file, lines.as_bytes())?;
    }
    let list = read(&list_file)?;
    let packed = pack(list.lines());
    write(&root.join("src/rules/password/common.bin"), &packed)?;
    Ok(format!("{} passwords, {} bytes", list.lines().count(), packed.len()))
}

/// Django's passwords of at least [`LEAST_MIN_LENGTH`], and for each minimum length the first [`PER_LENGTH`] of
/// Burnett's. All are normalized and in lower case.
fn select(django: &str, burnett: &str) -> BTreeSet<String> {
    let normalized = |text: &str| normal_form(&normal_form(text.trim()).to_lowercase()).into_owned();
    let length = |text: &String| text.chars().count();
    let mut list: BTreeSet<String> =
        django.lines().map(normalized).filter(|password| length(password) >= LEAST_MIN_LENGTH).collect();
    for least in LEAST_MIN_LENGTH..=DEFAULT_MIN_LENGTH {
        let mut first = BTreeSet::new();
        for password in burnett.lines().map(normalized).filter(|password| length(password) >= least) {
            first.insert(password);
            if first.len() == PER_LENGTH {
                break;
            }
        }
        list.append(&mut first);
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_enough_ones_are_taken_once_in_lower_case() {
        let list = select("short\nPassword1\npassword1\n", "123456\nPASSWORD1\nTrustno1\ncorrecthorsebattery\n");
        assert_eq!(Vec::from_iter(list), ["correcthorsebattery", "password1", "trustno1"]);
    }

    #[test]
    fn of_a_long_list_the_first_of_each_length_are_taken() {
        let burnett: String = (0..2_000).map(|at| format!("{at:08}\n{at:015}\n")).collect();
        let list = select("", &burnett);
        assert_eq!(list.len(), 250 + PER_LENGTH, "of 8 and more the first 500 are half of 15");
    }
}
