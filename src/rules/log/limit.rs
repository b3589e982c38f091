//! A flood of refusals does not become a flood of lines.
//!
//! **What always holds:** none is left out silently: what is not written is counted, and the count is written. Each kind of
//! refusal has a limit of its own, so that a rare one is not lost among many others.

use super::{
    super::{error::Refusal, time::NumericDate},
    Event,
};

/// As many kinds are told apart. Where there are more, the one that came first makes room: its count is written early.
const KINDS: usize = 128;

/// Refusals by their kind: how many there were in the second in which each was last seen.
#[derive(Debug)]
pub struct Limiter {
    /// `TOLLGATE_LOG_REFUSALS`: as many of a kind are written in a second.
    most: u32,
    kinds: Vec<Kind>,
}

/// The refusals for one reason under one rule.
#[derive(Debug)]
struct Kind {
    reason: &'static str,
    status: u16,
    rule: Option<Box<str>>,
    second: NumericDate,
    seen: u32,
}

/// What becomes of a refusal's line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is written.
    Written,
    /// It is counted, the first of its kind in this second: when the second is over, [`Limiter::counted`] tells of it.
    CountedFirst,
    /// It is counted.
    Counted,
}

/// Refusals of a kind that were not written, in a second that is over.
#[derive(Debug, PartialEq, Eq)]
pub struct Counted {
    reason: &'static str,
    status: u16,
    rule: Option<Box<str>>,
    count: u32,
}

impl Counted {
    /// What the log tells of them.
    #[must_use]
    pub fn event(&self) -> Event<'_> {
        Event::RefusedMore { reason: self.reason, status: self.status, rule: self.rule.as_deref(), count: self.count }
    }
}

impl Limiter {
    /// Of one kind this many are written in a second.
    #[must_use]
    pub const fn new(most: u32) -> Self {
        Self { most, kinds: Vec::new() }
    }

    /// One more, in this second; and what was counted before and must be told by now.
    pub fn refused(
        &mut self,
        refusal: &Refusal,
        status: u16,
        rule: Option<&str>,
        second: NumericDate,
    ) -> (Fate, Option<Counted>) {
        let reason = refusal.code();
        let is_it = |kind: &Kind| kind.reason == reason && kind.status == status && kind.rule.as_deref() == rule;
        let mut counted = None;
        let at = self.kinds.iter().position(is_it).unwrap_or_else(|| {
            if self.kinds.len() == KINDS {
                counted = self.kinds.remove(0).counted(self.most);
            }
            self.kinds.push(Kind { reason, status, rule: rule.map(Into::into), second, seen: 0 });
            self.kinds.len() - 1
        });
        let kind = &mut self.kinds[at];
        if kind.second != second {
            counted = kind.counted(self.most);
            (kind.second, kind.seen) = (second, 0);
        }
        let before = kind.seen;
        kind.seen = kind.seen.saturating_add(1);
        let fate = match before {
            before if before < self.most => Fate::Written,
            before if before == self.most => Fate::CountedFirst,
            _ => Fate::Counted,
        };
        (fate, counted)
    }

    /// What was counted in other seconds than this and not told yet.
    pub fn counted(&mut self, second: NumericDate) -> Vec<Counted> {
        self.kinds.iter_mut().filter(|kind| kind.second != second).filter_map(|kind| kind.counted(self.most)).collect()
    }
}

impl Kind {
    /// Those beyond so many, which are told now.
    fn counted(&mut self, most: u32) -> Option<Counted> {
        let count = self.seen.checked_sub(most).filter(|count| *count > 0)?;
        self.seen = most;
        Some(Counted { reason: self.reason, status: self.status, rule: self.rule.clone(), count })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn second(second: i64) -> NumericDate {
        NumericDate::new(second).unwrap()
    }

    #[test]
    fn of_one_kind_so_many_are_written_in_a_second_and_the_others_counted() {
        let mut limiter = Limiter::new(2);
        let mut refused = |refusal: &Refusal, rule, at| limiter.refused(refusal, 401, rule, second(at));
        for at in [5, 6] {
            let told =
                (at == 6).then(|| Counted { reason: "token_expired", status: 401, rule: Some("/a".into()), count: 2 });
            assert_eq!(refused(&Refusal::Expired, Some("/a"), at), (Fate::Written, told));
            assert_eq!(refused(&Refusal::Expired, Some("/a"), at), (Fate::Written, None));
            assert_eq!(refused(&Refusal::Expired, Some("/a"), at), (Fate::CountedFirst, None));
            assert_eq!(refused(&Refusal::Expired, Some("/a"), at), (Fate::Counted, None));
            // Another reason, another rule, none: kinds of their own.
            assert_eq!(refused(&Refusal::NotYetValid, Some("/a"), at), (Fate::Written, None));
            assert_eq!(refused(&Refusal::Expired, Some("/b"), at), (Fate::Written, None));
            assert_eq!(refused(&Refusal::Expired, None, at), (Fate::Written, None));
        }
        assert_eq!(limiter.counted(second(6)), []);
        let counted = limiter.counted(second(7));
        assert_eq!(
            counted.iter().map(|counted| counted.event().line(super::super::Level::Info, None)).collect::<Vec<_>>(),
            [Some(r#"{"level":"info","event":"refused_more","reason":"token_expired","status":401,"rule":"/a","count":2}"#.to_owned())]
        );
        assert_eq!(limiter.counted(second(8)), [], "told once");
    }

    #[test]
    fn with_none_written_all_are_counted() {
        let mut limiter = Limiter::new(0);
        for fate in [Fate::CountedFirst, Fate::Counted, Fate::Counted] {
            assert_eq!(limiter.refused(&Refusal::Expired, 401, None, second(1)), (fate, None));
        }
        assert_eq!(limiter.counted(second(2))[0].count, 3);
    }

    proptest! {
        /// Written or counted, and each count told: whatever comes in which order, and however many kinds there are.
        #[test]
        fn none_is_left_out(most in 0u32..4, came in proptest::collection::vec((0usize..200, 0i64..3, any::<bool>()), 0..600)) {
            let (mut limiter, mut now, mut seen, mut written) = (Limiter::new(most), 1000, 0, 0);
            let mut told = Vec::new();
            for (rule, later, asks) in came {
                now += later;
                let (fate, counted) = limiter.refused(&Refusal::Expired, 401, Some(&format!("/{rule}")), second(now));
                seen += 1;
                written += u32::from(fate == Fate::Written);
                told.extend(counted);
                if asks {
                    told.extend(limiter.counted(second(now)));
                }
            }
            told.extend(limiter.counted(second(now + 1)));
            prop_assert_eq!(written + told.iter().map(|counted| counted.count).sum::<u32>(), seen);
            prop_assert!(limiter.kinds.len() <= KINDS);
        }
    }
}
