//! A flood of refusals does not become a flood of lines.
//!
//! **What always holds:** what is not written is counted, and the count is written. A refusal for a rare reason is not
//! lost among many for others: the first for each reason in a second is written in any case. So there are never more
//! lines in a second than the limit of all reasons together, and two for each reason.

use super::{
    super::{
        rejection::Rejection,
        time::{NumericDate, Timestamp},
    },
    Event,
};

/// All reasons together have this many times the limit of one: whoever floods can choose among a few.
const TOGETHER: u32 = 3;

/// How many refusals there were for each reason, in the second in which each was last seen.
#[derive(Debug)]
pub struct Limiter {
    /// `TOLLGATE_LOG_REFUSALS`: as many for one reason are written in a second.
    most: u32,
    /// Of this second, as many were written.
    second: NumericDate,
    written: u32,
    /// As many as there are reasons, at most.
    reasons: Vec<Seen>,
}

#[derive(Debug)]
struct Seen {
    reason: &'static str,
    second: NumericDate,
    seen: u32,
    counted: u32,
    /// That of the last one.
    status: u16,
}

/// What becomes of a refusal's line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is written.
    Written,
    /// It is counted, the first for its reason in this second: when the second is over, [`Limiter::counted`] tells of
    /// it.
    CountedFirst,
    /// It is counted.
    Counted,
}

/// Refusals for one reason that were not written, in a second that is over.
#[derive(Debug, PartialEq, Eq)]
pub struct Counted {
    reason: &'static str,
    status: u16,
    count: u32,
}

impl Counted {
    /// What the log tells of them.
    #[must_use]
    pub fn event(&self) -> Event<'static> {
        Event::RefusedMore { reason: self.reason, status: self.status, count: self.count }
    }
}

impl Limiter {
    /// For one reason this many are written in a second.
    #[must_use]
    pub const fn new(most: u32) -> Self {
        Self { most, second: Timestamp::EARLIEST.numeric_date(), written: 0, reasons: Vec::new() }
    }

    /// One more, in this second; and what was counted before and must be told by now.
    pub fn refused(&mut self, rejection: &Rejection, status: u16, second: NumericDate) -> (Fate, Option<Counted>) {
        if self.second != second {
            (self.second, self.written) = (second, 0);
        }
        let reason = rejection.code();
        let at = self.reasons.iter().position(|known| known.reason == reason).unwrap_or_else(|| {
            self.reasons.push(Seen { reason, second, seen: 0, counted: 0, status });
            self.reasons.len() - 1
        });
        let known = &mut self.reasons[at];
        let mut told = None;
        if known.second != second {
            told = known.tell();
            (known.second, known.seen) = (second, 0);
        }
        (known.seen, known.status) = (known.seen.saturating_add(1), status);
        let is_first = known.seen == 1 && self.most > 0;
        let fate = if is_first || known.seen <= self.most && self.written < self.most.saturating_mul(TOGETHER) {
            self.written += 1;
            Fate::Written
        } else {
            known.counted = known.counted.saturating_add(1);
            if known.counted == 1 { Fate::CountedFirst } else { Fate::Counted }
        };
        (fate, told)
    }

    /// What was counted in other seconds than this and not told yet.
    pub fn counted(&mut self, second: NumericDate) -> Vec<Counted> {
        self.reasons.iter_mut().filter(|known| known.second != second).filter_map(Seen::tell).collect()
    }
}

impl Seen {
    /// Those that were counted, which are told now.
    fn tell(&mut self) -> Option<Counted> {
        let count = std::mem::take(&mut self.counted);
        (count > 0).then_some(Counted { reason: self.reason, status: self.status, count })
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Level, *};
    use crate::rules::rejection::{CredentialRejection, TokenRejection, UnavailableRejection};
    use proptest::prelude::*;

    static REASONS: [Rejection; 6] = [
        Rejection::Token(TokenRejection::Expired),
        Rejection::Token(TokenRejection::NotYetValid),
        Rejection::Token(TokenRejection::IssuedInTheFuture),
        Rejection::Credential(CredentialRejection::UnsupportedScheme),
        Rejection::Token(TokenRejection::TooLong),
        Rejection::Unavailable(UnavailableRejection::Store),
    ];

    fn second(second: i64) -> NumericDate {
        NumericDate::new(second).unwrap()
    }

    #[test]
    fn for_one_reason_so_many_are_written_in_a_second_and_the_others_counted() {
        let mut limiter = Limiter::new(2);
        let mut refused = |rejection: &Rejection, at| limiter.refused(rejection, 401, second(at));
        for at in [5, 6] {
            let told = (at == 6).then_some(Counted { reason: "token_expired", status: 401, count: 2 });
            assert_eq!(refused(&Rejection::Token(TokenRejection::Expired), at), (Fate::Written, told));
            assert_eq!(refused(&Rejection::Token(TokenRejection::Expired), at), (Fate::Written, None));
            assert_eq!(refused(&Rejection::Token(TokenRejection::Expired), at), (Fate::CountedFirst, None));
            assert_eq!(refused(&Rejection::Token(TokenRejection::Expired), at), (Fate::Counted, None));
            assert_eq!(refused(&Rejection::Token(TokenRejection::NotYetValid), at), (Fate::Written, None));
        }
        assert_eq!(limiter.counted(second(6)), []);
        let counted = limiter.counted(second(7));
        assert_eq!(
            counted.iter().map(|counted| counted.event().line(Level::Info, None).unwrap()).collect::<Vec<_>>(),
            [r#"{"level":"info","event":"refused_more","reason":"token_expired","status":401,"count":2}"#]
        );
        assert_eq!(limiter.counted(second(8)), [], "told once");
    }

    #[test]
    fn of_all_reasons_together_thrice_as_many_are_written_and_one_of_each() {
        let mut limiter = Limiter::new(10);
        let mut written = [0; REASONS.len()];
        for _ in 0..50 {
            for (at, reason) in REASONS.iter().enumerate().take(5) {
                written[at] += u32::from(limiter.refused(reason, 401, second(1)).0 == Fate::Written);
            }
        }
        assert_eq!(written, [6, 6, 6, 6, 6, 0]);
        assert_eq!(limiter.refused(&REASONS[5], 503, second(1)).0, Fate::Written, "a rare one");
        assert_eq!(limiter.refused(&REASONS[5], 503, second(1)).0, Fate::CountedFirst);
        assert_eq!(limiter.refused(&REASONS[5], 503, second(2)).0, Fate::Written, "a new second");
    }

    #[test]
    fn with_none_written_all_are_counted() {
        let mut limiter = Limiter::new(0);
        for fate in [Fate::CountedFirst, Fate::Counted, Fate::Counted] {
            assert_eq!(limiter.refused(&Rejection::Token(TokenRejection::Expired), 401, second(1)), (fate, None));
        }
        assert_eq!(limiter.counted(second(2)), [Counted { reason: "token_expired", status: 401, count: 3 }]);
    }

    proptest! {
        /// Written or counted, and each count told: whatever comes in which order, though the clock be put back.
        #[test]
        fn none_is_left_out(most in 0u32..4, came in proptest::collection::vec((0..REASONS.len(), -1i64..3, any::<bool>()), 0..600)) {
            let (mut limiter, mut now, mut written) = (Limiter::new(most), 10_000, 0);
            let (mut told, seen) = (Vec::new(), came.len());
            for (reason, later, asks) in came {
                now += later;
                let (fate, counted) = limiter.refused(&REASONS[reason], 401, second(now));
                written += u32::from(fate == Fate::Written);
                told.extend(counted);
                if asks {
                    told.extend(limiter.counted(second(now)));
                }
            }
            told.extend(limiter.counted(second(now + 1000)));
            prop_assert_eq!((written + told.iter().map(|counted| counted.count).sum::<u32>()) as usize, seen);
        }
    }
}
