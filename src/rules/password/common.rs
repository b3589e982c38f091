//! The most common passwords, as a list of hash fingerprints.
//!
//! **What always holds:** every password of the list is found. One in 438,000 other passwords is found too, and refused
//! wrongly; a test allows at most one in 100,000. `conformance common-passwords` makes `common.bin` from
//! conformance/common-passwords.txt; the sources of that list and their licences are in common.NOTICE.
//!
//! Format: the first four bytes of the SHA-256 of each password as a big-endian number, sorted; stored as the
//! differences between neighbours in LEB128 (seven bits a byte, low bits first, the eighth bit set if more bytes
//! follow). Sizes for 9,805 passwords:
//!
//! | format | bytes | gzip -9 | false positives |
//! |---|---|---|---|
//! | this | 29,102 | 28,138 | 1 in 438,000 |
//! | whole numbers | 39,220 | 39,171 | 1 in 438,000 |
//! | binary fuse filter of 16 bits (`xorf` 0.13; one more crate) | 24,576 | 24,576 | 1 in 65,536 |
//! | text, each line without the prefix it shares with the one before | 62,891 | 35,768 | none |
//! | text | 102,872 | 39,395 | none |

use super::normalized;
use sha2::{Digest, Sha256};

static FINGERPRINTS: &[u8] = include_bytes!("common.bin");

/// Whether a password is one of the most common ones, ignoring case.
pub(super) fn is_common(password: &str) -> bool {
    let wanted = fingerprint(password);
    fingerprints(FINGERPRINTS).take_while(|&other| other <= wanted).any(|other| other == wanted)
}

/// Packs a list of passwords into the format of `common.bin`.
#[must_use]
pub fn pack<'p>(passwords: impl IntoIterator<Item = &'p str>) -> Vec<u8> {
    let mut all: Vec<u32> = passwords.into_iter().map(fingerprint).collect();
    all.sort_unstable();
    all.dedup();
    let mut packed = Vec::new();
    let mut last = 0;
    for one in all {
        let mut distance = one - last;
        while distance > 0x7f {
            packed.push(distance.to_le_bytes()[0] | 0x80);
            distance >>= 7;
        }
        packed.push(distance.to_le_bytes()[0]);
        last = one;
    }
    packed
}

/// The first four bytes of the SHA-256 of the password in lower case and form C.
fn fingerprint(password: &str) -> u32 {
    let [a, b, c, d, ..] = Sha256::digest(normalized(password).as_bytes()).0;
    u32::from_be_bytes([a, b, c, d])
}

/// The fingerprints of a packed list, ascending. Reads any bytes without a panic.
fn fingerprints(packed: &[u8]) -> impl Iterator<Item = u32> {
    let mut bytes = packed.iter();
    let mut last = 0_u32;
    std::iter::from_fn(move || {
        let mut distance = 0_u32;
        for shift in (0..u32::BITS).step_by(7) {
            let byte = u32::from(*bytes.next()?);
            distance |= (byte & 0x7f) << shift;
            if byte <= 0x7f {
                break;
            }
        }
        last = last.wrapping_add(distance);
        Some(last)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::password::LEAST_MIN_LENGTH;
    use std::collections::HashSet;

    const LIST: &str = include_str!("../../../conformance/common-passwords.txt");

    #[test]
    fn the_fingerprints_are_those_of_the_list() {
        let made = pack(LIST.lines());
        assert!(
            made == FINGERPRINTS,
            "common.bin is not what the list says: run `cargo run -p conformance -- common-passwords`"
        );
    }

    #[test]
    fn every_password_of_the_list_is_found() {
        let known: HashSet<u32> = fingerprints(FINGERPRINTS).collect();
        assert!(LIST.lines().count() > 9_000);
        for (at, password) in LIST.lines().enumerate() {
            assert!(password.chars().count() >= LEAST_MIN_LENGTH, "{password}");
            for spelling in [password, &password.to_ascii_uppercase()] {
                assert!(known.contains(&fingerprint(spelling)), "{spelling}");
                // The set holds the same fingerprints and is faster in a debug build.
                assert!(at % 20 != 0 || is_common(spelling), "{spelling}");
            }
        }
    }

    #[test]
    fn of_a_million_others_fewer_than_one_in_a_hundred_thousand_is_taken_for_common() {
        let known: HashSet<u32> = fingerprints(FINGERPRINTS).collect();
        let listed: HashSet<&str> = LIST.lines().collect();
        let mut alarms = 0;
        for at in 0..1_000_000_u32 {
            let password = base16ct::lower::encode_string(&Sha256::digest(at.to_le_bytes())[..8]);
            assert!(!listed.contains(password.as_str()));
            let is_alarm = known.contains(&fingerprint(&password));
            if is_alarm || at < 500 {
                assert_eq!(is_common(&password), is_alarm, "{password}");
            }
            alarms += u32::from(is_alarm);
        }
        assert!(alarms < 10, "{alarms} of 1,000,000");
    }

    #[test]
    fn packing_and_reading_are_inverse_and_reading_takes_anything() {
        let list = ["password1", "Passw\u{f6}rter", "x"];
        let mut expected = list.map(fingerprint);
        expected.sort_unstable();
        assert_eq!(fingerprints(&pack(list)).collect::<Vec<_>>(), expected);
        for odd in [&[][..], &[0x80], &[0xff; 9], &[0, 0, 0x80]] {
            assert!(fingerprints(odd).count() <= odd.len());
        }
    }
}
