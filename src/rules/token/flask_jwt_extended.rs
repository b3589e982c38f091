//! What Flask-JWT-Extended asks of a token, in its order (docs/compat/flask-jwt-extended.md#decoding).
//!
//! **What always holds:** all of a token but its expiry is judged first, then the CSRF value that came with it, then
//! the expiry. What depends on the time or on the request is judged again at every use of a remembered token.

use super::{
    super::{
        json::{self, Map, Value},
        rejection::{TimeClaim, TokenRejection, Unencoded},
        time::{Duration, NumericDate, TimeRange, Timestamp},
    },
    KeySet, VerifiedToken, VerifyingKey,
    claims::{Times, date},
    jws::Unverified,
    session_claims::SessionClaims,
    signature::{find, signed_by},
    signed::{Reading, Revocable, SignedToken},
};

/// `decode_key_loader`: out of header and claims the key, if there is one.
pub type Choose<'k> = dyn Fn(&Map<String, Value>, &Map<String, Value>) -> Option<&'k VerifyingKey> + 'k;

/// What decoding asks of the claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlaskJwtExtendedPolicy {
    /// `JWT_DECODE_LEEWAY`: for `iat`, `nbf` and `exp` alike.
    pub leeway: Duration,
    /// `JWT_DECODE_ISSUER`: one of these.
    pub issuers: Option<Vec<String>>,
    /// `JWT_DECODE_AUDIENCE`: one of these.
    pub audiences: Option<Vec<String>>,
    /// `JWT_IDENTITY_CLAIM`.
    pub identity_claim: String,
    /// `JWT_VERIFY_SUB`.
    pub verify_sub: bool,
}

impl Default for FlaskJwtExtendedPolicy {
    fn default() -> Self {
        Self { leeway: Duration::ZERO, issuers: None, audiences: None, identity_claim: "sub".into(), verify_sub: true }
    }
}

impl FlaskJwtExtendedPolicy {
    /// Signature and claims, but for the expiry (docs/compat/flask-jwt-extended.md#decoding, steps 6 and 9 to 28).
    pub(super) fn verify(
        &self,
        token: &str,
        parts: &Unverified<'_>,
        keys: &KeySet,
        choose: Option<&Choose<'_>>,
        revocable: Revocable,
        now: Timestamp,
    ) -> Result<VerifiedToken, TokenRejection> {
        let header = parts.header();
        if header.is_unencoded() && !parts.payload().is_empty() {
            return Err(TokenRejection::UnencodedPayload(Unencoded::PayloadPresent));
        }
        header.is_understood()?;
        // Before the signature, as PyJWT does: only the words depend on it, and they are the same for all.
        let claims = parts.payload_members()?;
        let chosen = match choose {
            None => None,
            Some(choose) => {
                let members = json::object(parts.decoded_payload()).unwrap_or_default();
                Some(choose(&header.members(), &members).ok_or(TokenRejection::BadSignature)?)
            }
        };
        if !header.has_algorithm() {
            return Err(TokenRejection::AlgorithmMissing);
        }
        let key = match chosen {
            None => find(parts, keys, now.numeric_date()),
            Some(key) => Some(key).filter(|key| header.algorithm() == Some(key.algorithm().name())),
        };
        let key = signed_by(parts, key)?;
        let claim = |name: &str| claims.get(name);
        let mut times = Times::default();
        for name in [TimeClaim::Iat, TimeClaim::Nbf, TimeClaim::Exp] {
            *times.of(name) = claim(name.name()).map(|value| date(value, name)).transpose()?;
            self.judge_beginning(&times, now)?;
        }
        self.judge_issuer(claim("iss"))?;
        self.judge_audience(claim("aud"))?;
        if self.verify_sub && claim("sub").is_some_and(|sub| !sub.is_string()) {
            return Err(TokenRejection::SubjectNotText);
        }
        if claim("jti").is_some_and(|jti| !jti.is_string()) {
            return Err(TokenRejection::TokenIdNotText);
        }
        if claim(&self.identity_claim).is_none() {
            return Err(TokenRejection::MissingClaim(self.identity_claim.clone()));
        }
        let reading = Reading {
            text: token,
            payload: parts.payload_range(),
            times: times.until(key.not_after()),
            identity_claim: &self.identity_claim,
            identity_is_text: self.verify_sub && self.identity_claim == "sub",
            revocable,
            session_claims: Some(SessionClaims::read(claim, times.issued_at())),
        };
        Ok(VerifiedToken::judged(SignedToken::read(reading, claim)))
    }

    /// What is judged at every use: times, and the CSRF value that was sent, if one was needed
    /// (docs/compat/flask-jwt-extended.md#decoding, steps 21, 22, 30 and 31).
    pub(super) fn judge_use(
        &self,
        times: &Times,
        session: Option<&SessionClaims>,
        csrf: Option<&str>,
        now: Timestamp,
    ) -> Result<(), TokenRejection> {
        times.judge_key(now.numeric_date())?;
        self.judge_beginning(times, now)?;
        if let Some(sent) = csrf {
            session.map_or(Err(TokenRejection::CsrfMismatch), |session| session.judge_csrf(sent))?;
        }
        self.judge_expiry(times, now)
    }

    /// When these times are good: those of [`FlaskJwtExtendedPolicy::judge_use`] in two numbers.
    pub(super) fn good_while(&self, times: &Times) -> TimeRange {
        let leeway = self.leeway.as_millis();
        let at = |date: NumericDate, later: i64| Timestamp::from_millis(date.seconds() * 1000 + later);
        let begins = [times.issued_at(), times.not_before()].into_iter().flatten().map(|date| at(date, -leeway));
        times.key_good_while(begins, times.expires().map(|exp| at(exp, leeway)))
    }

    /// `iat` and `nbf`: the present second is good.
    fn judge_beginning(&self, times: &Times, now: Timestamp) -> Result<(), TokenRejection> {
        let latest = now.as_millis() + self.leeway.as_millis();
        let is_ahead = |claim: Option<NumericDate>| claim.is_some_and(|claim| claim.seconds() * 1000 > latest);
        if is_ahead(times.issued_at()) {
            return Err(TokenRejection::IssuedInTheFuture);
        }
        if is_ahead(times.not_before()) {
            return Err(TokenRejection::NotYetValid);
        }
        Ok(())
    }

    /// `exp`: the present second is over.
    fn judge_expiry(&self, times: &Times, now: Timestamp) -> Result<(), TokenRejection> {
        let earliest = now.as_millis() - self.leeway.as_millis();
        match times.expires() {
            Some(exp) if exp.seconds() * 1000 <= earliest => Err(TokenRejection::Expired),
            _ => Ok(()),
        }
    }

    fn judge_issuer(&self, claim: Option<&Value>) -> Result<(), TokenRejection> {
        let Some(issuers) = &self.issuers else { return Ok(()) };
        match claim {
            None => Err(TokenRejection::RegisteredClaimMissing("iss")),
            Some(Value::String(issuer)) if issuers.contains(issuer) => Ok(()),
            Some(Value::String(_)) => Err(TokenRejection::InvalidIssuer),
            Some(_) => Err(TokenRejection::IssuerNotText),
        }
    }

    /// What Python calls false counts as absent.
    fn judge_audience(&self, claim: Option<&Value>) -> Result<(), TokenRejection> {
        let Some(audiences) = &self.audiences else { return Ok(()) };
        let is_ours = |text: &str| audiences.iter().any(|audience| audience == text);
        match claim.filter(|claim| is_truthy(claim)) {
            None => Err(TokenRejection::RegisteredClaimMissing("aud")),
            Some(Value::String(text)) if is_ours(text) => Ok(()),
            Some(Value::Array(list)) if list.iter().all(Value::is_string) => {
                if list.iter().filter_map(Value::as_str).any(is_ours) {
                    Ok(())
                } else {
                    Err(TokenRejection::InvalidAudience)
                }
            }
            Some(Value::String(_)) => Err(TokenRejection::InvalidAudience),
            Some(_) => Err(TokenRejection::InvalidClaimFormat),
        }
    }
}

/// Python's notion of truth.
pub(in crate::rules) fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(on) => *on,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_good_while_they_are_judged_good() {
        let policy = FlaskJwtExtendedPolicy { leeway: Duration::millis(1500), ..FlaskJwtExtendedPolicy::default() };
        let mut times = Times::default();
        for (name, seconds) in [(TimeClaim::Iat, 1000), (TimeClaim::Nbf, 1003), (TimeClaim::Exp, 1010)] {
            *times.of(name) = NumericDate::new(seconds);
        }
        let good = policy.good_while(&times);
        assert_eq!(good, Timestamp::from_millis(1_001_500)..Timestamp::from_millis(1_011_500));
        for millis in [good.start.as_millis() - 1, good.start.as_millis(), 1_005_000, 1_011_499, 1_011_500] {
            let now = Timestamp::from_millis(millis);
            assert_eq!(policy.judge_use(&times, None, None, now).is_ok(), good.contains(&now), "{millis}");
        }
    }

    #[test]
    fn an_issuer_is_compared_to_the_letter() {
        let policy = FlaskJwtExtendedPolicy {
            issuers: Some(vec!["https://id.example".into()]),
            ..FlaskJwtExtendedPolicy::default()
        };
        for (issuer, outcome) in [
            ("https://id.example", Ok(())),
            ("https://ID.example", Err(TokenRejection::InvalidIssuer)),
            ("https://id.example/", Err(TokenRejection::InvalidIssuer)),
            ("", Err(TokenRejection::InvalidIssuer)),
        ] {
            assert_eq!(policy.judge_issuer(Some(&issuer.into())), outcome, "{issuer}");
        }
    }
}
