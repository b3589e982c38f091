//! Texts that were signed for a token, kept so that the next request with it costs no cryptography.
//!
//! **What always holds:** a text is given out for its own audience only, and no longer than the caller says. There are
//! no more than audiences.

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
pub struct Kept(Mutex<Vec<(Box<str>, Signed)>>);

impl Kept {
    /// The text for this audience, if it is younger than `age`; else what `sign` makes.
    pub fn get(&self, audience: &str, now: Timestamp, age: Duration, sign: impl FnOnce() -> String) -> Signed {
        let is_young = |signed: &Signed| signed.at <= now && now < signed.at.later(age);
        let Ok(mut kept) = self.0.lock() else { return Signed { text: sign().into(), at: now } };
        match kept.iter_mut().find(|(known, _)| **known == *audience) {
            Some((_, signed)) => {
                if !is_young(signed) {
                    *signed = Signed { text: sign().into(), at: now };
                }
                signed.clone()
            }
            None => {
                let signed = Signed { text: sign().into(), at: now };
                kept.push((audience.into(), signed.clone()));
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
        let kept = Kept::default();
        let at = |seconds: i64| Timestamp::from_seconds(seconds);
        let get = |audience: &str, seconds: i64, text: &str| {
            let signed = kept.get(audience, at(seconds), Duration::seconds(30), || text.to_owned());
            (signed.text.to_string(), signed.at)
        };
        assert_eq!(get("a", 100, "1"), ("1".into(), at(100)));
        assert_eq!(get("a", 129, "2"), ("1".into(), at(100)));
        assert_eq!(get("b", 129, "3"), ("3".into(), at(129)), "another audience");
        assert_eq!(get("a", 130, "4"), ("4".into(), at(130)), "too old");
        assert_eq!(get("a", 99, "5"), ("5".into(), at(99)), "from the future: the clock was set back");
    }
}
