//! Texts that were signed for a token, kept so that the next request with it costs no cryptography.
//!
//! **What always holds:** a text is given out for its own audience and subject only, and no longer than the caller
//! says. There is one for each audience: another subject, which an application may give the same token, replaces it.

use super::super::time::{Duration, Timestamp};
use std::sync::{Arc, Mutex};

/// A signed text, and when it was signed.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The text.
    pub text: Arc<str>,
    /// When it was signed.
    pub at: Timestamp,
}

/// Signed texts by audience.
#[derive(Debug, Default)]
pub struct SignatureCache(Mutex<Vec<Entry>>);

#[derive(Debug)]
struct Entry {
    audience: Box<str>,
    subject: Option<Box<str>>,
    signed: Signed,
}

impl SignatureCache {
    /// The text for this audience about this subject, if it is younger than `max_age`; else what `sign` makes.
    pub fn get_or_sign(
        &self,
        audience: &str,
        subject: Option<&str>,
        now: Timestamp,
        max_age: Duration,
        sign: impl FnOnce() -> String,
    ) -> Signed {
        let fresh = || Signed { text: sign().into(), at: now };
        let Ok(mut entries) = self.0.lock() else { return fresh() };
        let is_good = |entry: &Entry| {
            let Signed { at, .. } = entry.signed;
            entry.subject.as_deref() == subject && at <= now && now < at.later(max_age)
        };
        match entries.iter_mut().find(|entry| *entry.audience == *audience) {
            Some(entry) if is_good(entry) => entry.signed.clone(),
            Some(entry) => {
                (entry.subject, entry.signed) = (subject.map(Into::into), fresh());
                entry.signed.clone()
            }
            None => {
                let signed = fresh();
                let (audience, subject) = (audience.into(), subject.map(Into::into));
                entries.push(Entry { audience, subject, signed: signed.clone() });
                signed
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_signed_once_for_an_audience_and_a_time() {
        let kept = SignatureCache::default();
        let at = |seconds: i64| Timestamp::from_seconds(seconds);
        let about = |audience: &str, subject: Option<&str>, seconds: i64, text: &str| {
            let signed = kept.get_or_sign(audience, subject, at(seconds), Duration::seconds(30), || text.to_owned());
            (signed.text.to_string(), signed.at)
        };
        let get = |audience: &str, seconds: i64, text: &str| about(audience, Some("7"), seconds, text);
        assert_eq!(get("a", 100, "1"), ("1".into(), at(100)));
        assert_eq!(get("a", 129, "2"), ("1".into(), at(100)));
        assert_eq!(get("b", 129, "3"), ("3".into(), at(129)), "another audience");
        assert_eq!(get("a", 130, "4"), ("4".into(), at(130)), "too old");
        assert_eq!(about("a", Some("8"), 131, "6"), ("6".into(), at(131)), "another subject");
        assert_eq!(about("a", None, 132, "7"), ("7".into(), at(132)), "no subject");
        assert_eq!(get("b", 132, "8"), ("3".into(), at(129)), "the other audience's stays");
        assert_eq!(get("a", 99, "5"), ("5".into(), at(99)), "from the future: the clock was set back");
    }
}
