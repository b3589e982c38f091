//! The claims a token must have (RFC 7519 §4.1), judged in Flask-JWT's order (docs/compat/flask-jwt.md#decoding, rows
//! 13 to 23).

use super::super::{
    json::Value,
    rejection::{TimeClaim, TokenRejection},
    time::{Duration, NumericDate, TimeRange, Timestamp},
};

/// Which claims must be there, and which are judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimsPolicy {
    /// `JWT_REQUIRED_CLAIMS`: must be present and not null.
    pub required: Vec<String>,
    /// `JWT_VERIFY_CLAIMS`, as far as it names times.
    pub checks: TimeChecks,
    /// `JWT_LEEWAY`: for `iat`, `nbf` and `exp` alike.
    pub leeway: Duration,
}

/// Which time claims are judged where they are present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeChecks {
    /// Judge `exp`.
    pub exp: bool,
    /// Judge `nbf`.
    pub nbf: bool,
    /// Judge `iat`.
    pub iat: bool,
}

/// The time claims of a token, as far as they are there and are judged, and the end of its key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    iat: Option<NumericDate>,
    nbf: Option<NumericDate>,
    exp: Option<NumericDate>,
    key_end: Option<NumericDate>,
}

impl ClaimsPolicy {
    /// Judges the claims of a token whose signature is good: `claim` tells the value of a name. `now` is the present
    /// second.
    ///
    /// # Errors
    /// The first refusal of docs/compat/flask-jwt.md#decoding, rows 13 to 23.
    pub fn judge<'c>(
        &self,
        claim: impl Fn(&str) -> Option<&'c Value>,
        now: NumericDate,
    ) -> Result<Times, TokenRejection> {
        // PyJWT asks for these three in this order whatever the order of the option; then come the others.
        let known = ["exp", "iat", "nbf"];
        let required = |name: &&str| self.required.iter().any(|required| required == name);
        let others = self.required.iter().map(String::as_str).filter(|name| !known.contains(name));
        for name in known.into_iter().filter(required).chain(others) {
            if claim(name).is_none_or(Value::is_null) {
                return Err(TokenRejection::MissingClaim(name.to_owned()));
            }
        }
        // One after the other: a date that is none is told after an earlier one that is wrong.
        let mut times = Times::default();
        for (name, wanted) in
            [(TimeClaim::Iat, self.checks.iat), (TimeClaim::Nbf, self.checks.nbf), (TimeClaim::Exp, self.checks.exp)]
        {
            if wanted {
                *times.of(name) = claim(name.name()).map(|value| date(value, name)).transpose()?;
                self.judge_times(&times, now)?;
            }
        }
        match claim("aud") {
            None => Ok(times),
            Some(Value::String(_)) => Err(TokenRejection::InvalidAudience),
            Some(Value::Array(list)) if list.iter().all(Value::is_string) => Err(TokenRejection::InvalidAudience),
            Some(_) => Err(TokenRejection::InvalidClaimFormat),
        }
    }

    /// Judges the times of a token again: all of its claims that depend on when it is.
    ///
    /// # Errors
    /// The same refusals, in the same order.
    pub fn judge_times(&self, times: &Times, now: NumericDate) -> Result<(), TokenRejection> {
        times.judge_key(now)?;
        if times.iat.is_some_and(|iat| iat.is_after(now, self.leeway)) {
            return Err(TokenRejection::IssuedInTheFuture);
        }
        if times.nbf.is_some_and(|nbf| nbf.is_after(now, self.leeway)) {
            return Err(TokenRejection::NotYetValid);
        }
        if times.exp.is_some_and(|exp| exp.is_before(now, self.leeway)) {
            return Err(TokenRejection::Expired);
        }
        Ok(())
    }
}

impl ClaimsPolicy {
    /// When these times are good: [`ClaimsPolicy::judge_times`] in two numbers.
    pub(super) fn good_while(&self, times: &Times) -> TimeRange {
        let begins = [times.iat, times.nbf].into_iter().flatten().map(|date| date.not_after_from(self.leeway));
        let ends = times.exp.map(|exp| exp.before_from(self.leeway));
        times.key_good_while(begins, ends)
    }
}

impl Times {
    /// From the last of these beginnings until this end or that of the key.
    pub(super) fn key_good_while(&self, begins: impl Iterator<Item = Timestamp>, ends: Option<Timestamp>) -> TimeRange {
        let key_ends = self.key_end.map(|end| Timestamp::beginning_of(end.next()));
        begins.max().unwrap_or(Timestamp::EARLIEST)..ends.into_iter().chain(key_ends).min().unwrap_or(Timestamp::LATEST)
    }

    /// The same times, of a token under a key that ends then.
    pub(super) fn until(self, key_end: Option<NumericDate>) -> Self {
        Self { key_end, ..self }
    }

    /// After its end a key is as if it were not there; without leeway, as [`super::VerifyingKey::is_good_at`] has it.
    pub(super) fn judge_key(&self, now: NumericDate) -> Result<(), TokenRejection> {
        if self.key_end.is_some_and(|end| now > end) { Err(TokenRejection::AlgorithmNotAllowed) } else { Ok(()) }
    }

    pub(super) fn issued_at(&self) -> Option<NumericDate> {
        self.iat
    }

    pub(super) fn not_before(&self) -> Option<NumericDate> {
        self.nbf
    }

    pub(super) fn expires(&self) -> Option<NumericDate> {
        self.exp
    }

    pub(super) fn of(&mut self, name: TimeClaim) -> &mut Option<NumericDate> {
        match name {
            TimeClaim::Iat => &mut self.iat,
            TimeClaim::Nbf => &mut self.nbf,
            TimeClaim::Exp => &mut self.exp,
        }
    }
}

/// A time claim (docs/compat/flask-jwt.md#times): an integer, a fraction (cut toward zero), or a text of plain digits,
/// within ±2⁵³.
pub(super) fn date(value: &Value, name: TimeClaim) -> Result<NumericDate, TokenRejection> {
    let seconds = match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            let fraction = number.as_f64()?;
            #[allow(clippy::cast_possible_truncation)]
            // cutting is the rule; out of range saturates and is refused below
            number.is_f64().then_some(fraction as i64)
        }),
        Value::String(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
            digits.parse().ok()
        }
        _ => None,
    };
    seconds.and_then(NumericDate::new).ok_or(TokenRejection::NotANumericDate(name))
}
