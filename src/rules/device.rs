//! The device cookie: identifies a browser that has logged in before, so that failed attempts by others do not delay
//! its user.
//!
//! **What always holds:** the gate accepts only entries that it wrote. Each entry carries a MAC over the login record
//! that was proven, the device's secret and the entry's expiry, so it is valid for that record only and until that time
//! only. The key is derived from the key that signs tokens, so there is no other secret to configure.

use super::{
    ids::sha256_base64url,
    secret::Secret,
    store::LoginRecord,
    time::{Duration, Timestamp},
};
use base64ct::{Base64UrlUnpadded, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Lifetime of an entry. A log-in renews an entry of which less than half is left, so a device is known for at least
/// half of this after its last log-in.
pub const KNOWN_FOR: Duration = Duration::seconds(90 * 86_400);
/// Maximum number of users that one cookie holds. The one whose entry is oldest is dropped.
const MAX_ENTRIES: usize = 4;
/// Separates the entries of a cookie; [`PART_SEPARATOR`] separates the parts of an entry. Neither is in base64url.
const ENTRY_SEPARATOR: char = '!';
const PART_SEPARATOR: char = '.';
/// Domain separation: the derivation of the key, and each MAC, begin with a label of their own.
const KEY_LABEL: &[u8] = b"tollgate device cookie, key, version 1";
const MAC_LABEL: &[u8] = b"tollgate device cookie, entry, version 1";

/// Identifies a login record, existing or not, by the SHA-256 of its exact key. Names that differ in case are different
/// records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordId(String);

impl RecordId {
    /// The record of a name, as the client sent it.
    #[must_use]
    pub fn of_name(name: &str) -> Self {
        Self(sha256_base64url(&LoginRecord::key(name)))
    }

    /// The hash, in base64url.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A device whose cookie proves an earlier log-in to a record. Only [`DeviceKey::find`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownDevice {
    secret: String,
    /// Seconds since the Unix epoch.
    expires: i64,
}

impl KnownDevice {
    /// The device's random secret.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// Whether less than half of [`KNOWN_FOR`] is left, so that a log-in must renew the entry.
    #[must_use]
    pub fn needs_renewal(&self, now: Timestamp) -> bool {
        (self.expires - now.numeric_date().seconds()) * 2000 < KNOWN_FOR.as_millis()
    }
}

/// The key of the cookie's MACs.
#[derive(Clone)]
pub struct DeviceKey(Secret<[u8; 32]>);

impl std::fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DeviceKey(..)")
    }
}

impl DeviceKey {
    /// Derives the key by HMAC-SHA-256 from the text of the key that signs tokens.
    #[must_use]
    pub fn derive(signing_key: &Secret<String>) -> Self {
        let key = mac(signing_key.expose().as_bytes(), &[KEY_LABEL]).finalize().into_bytes();
        Self(Secret::new(key.into()))
    }

    /// The device that a cookie proves for this record; `None` if no entry is genuine and unexpired.
    #[must_use]
    pub fn find(&self, cookie: &str, record: &RecordId, now: Timestamp) -> Option<KnownDevice> {
        cookie.split(ENTRY_SEPARATOR).take(MAX_ENTRIES).find_map(|entry| {
            let (secret, expires, _) = parts(entry)?;
            (expires > now.numeric_date().seconds() && self.is_genuine(entry, record))
                .then(|| KnownDevice { secret: secret.to_owned(), expires })
        })
    }

    /// The cookie after a log-in to this record: the new entry first, then those of other records in `former`, up to
    /// four entries in all.
    #[must_use]
    pub fn issue(&self, former: &str, record: &RecordId, secret: &str, now: Timestamp) -> String {
        let expires = now.later(KNOWN_FOR).numeric_date().seconds();
        let signed = self.mac_of(record, secret, expires).finalize().into_bytes();
        let entry =
            format!("{secret}{PART_SEPARATOR}{expires}{PART_SEPARATOR}{}", Base64UrlUnpadded::encode_string(&signed));
        let is_other = |other: &&str| parts(other).is_some() && !self.is_genuine(other, record);
        let others = former.split(ENTRY_SEPARATOR).take(MAX_ENTRIES).filter(is_other).take(MAX_ENTRIES - 1);
        std::iter::once(entry.as_str()).chain(others).collect::<Vec<_>>().join(&ENTRY_SEPARATOR.to_string())
    }

    fn is_genuine(&self, entry: &str, record: &RecordId) -> bool {
        let Some((secret, expires, signature)) = parts(entry) else { return false };
        let Ok(signature) = Base64UrlUnpadded::decode_vec(signature) else { return false };
        self.mac_of(record, secret, expires).verify_slice(&signature).is_ok()
    }

    fn mac_of(&self, record: &RecordId, secret: &str, expires: i64) -> Hmac<Sha256> {
        // No part contains the separator byte 0.
        let expires = expires.to_string();
        let parts = [MAC_LABEL, &[0], record.0.as_bytes(), &[0], secret.as_bytes(), &[0], expires.as_bytes()];
        mac(self.0.expose(), &parts)
    }
}

/// Secret, expiry in seconds since the Unix epoch, MAC.
fn parts(entry: &str) -> Option<(&str, i64, &str)> {
    let (secret, rest) = entry.split_once(PART_SEPARATOR)?;
    let (expires, signature) = rest.split_once(PART_SEPARATOR)?;
    let is_base64url = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    (is_base64url(secret) && is_base64url(signature)).then_some((secret, expires.parse().ok()?, signature))
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn key(text: &str) -> DeviceKey {
        DeviceKey::derive(&Secret::new(text.to_owned()))
    }

    #[test]
    fn a_cookie_proves_its_own_record_until_it_expires_and_nothing_else() {
        let (key, ann, capital) = (key("a"), RecordId::of_name("ann"), RecordId::of_name("ANN"));
        let cookie = key.issue("", &ann, "secret", NOW);
        let known =
            |key: &DeviceKey, cookie: &str, record, now| key.find(cookie, record, now).map(|device| device.secret);
        assert_eq!(known(&key, &cookie, &ann, NOW).as_deref(), Some("secret"));
        assert_eq!(known(&key, &cookie, &capital, NOW), None, "another record");
        assert_eq!(known(&self::key("b"), &cookie, &ann, NOW), None, "another gate");
        let last = NOW.later(KNOWN_FOR);
        assert_eq!(known(&key, &cookie, &ann, last), None, "expired");
        assert!(known(&key, &cookie, &ann, Timestamp::from_millis(last.as_millis() - 1000)).is_some());
        for at in 0..cookie.len() {
            let mut bytes = cookie.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert_eq!(known(&key, &changed, &ann, NOW), None, "byte {at}");
        }
        for made_up in
            ["", "!", "secret", "AAAAAAAAAAAAAAAAAAAAAA", "secret.9999999999.", "secret.9999999999.AAAA", "a.b.c"]
        {
            assert_eq!(known(&key, made_up, &ann, NOW), None, "{made_up}");
        }
    }

    #[test]
    fn several_users_of_a_browser_are_known_and_each_once() {
        let (key, names) = (key("a"), ["a", "b", "c", "d", "e"]);
        let mut cookie = String::new();
        for (at, name) in names.iter().enumerate() {
            cookie = key.issue(&cookie, &RecordId::of_name(name), &format!("secret{at}"), NOW);
        }
        let is_known = |cookie: &str, name: &str| key.find(cookie, &RecordId::of_name(name), NOW).is_some();
        assert_eq!(names.map(|name| is_known(&cookie, name)), [false, true, true, true, true]);
        let again = key.issue(&cookie, &RecordId::of_name("c"), "new", NOW);
        assert_eq!(again.matches(ENTRY_SEPARATOR).count(), 3, "{again}");
        assert_eq!(key.find(&again, &RecordId::of_name("c"), NOW).unwrap().secret(), "new");
        assert!(again.len() < 400, "{}", again.len());
        let flood = "x.1.y!".repeat(10_000);
        assert!(key.issue(&flood, &RecordId::of_name("a"), "secret", NOW).len() < 200);
    }
}
