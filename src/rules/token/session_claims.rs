//! The claims that only Flask-JWT-Extended's dialect reads: token type, freshness, CSRF value.

use super::{
    super::{
        json::Value,
        rejection::TokenRejection,
        time::{NumericDate, Timestamp},
    },
    TokenType,
};
use subtle::ConstantTimeEq;

/// The claims of a token about the session that it belongs to.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionClaims {
    /// `type`; anything but `refresh` is an access token.
    pub token_type: TokenType,
    /// `fresh`.
    pub fresh: Freshness,
    /// `iat`.
    pub issued_at: Option<NumericDate>,
    csrf: Csrf,
}

/// The claim `fresh`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Freshness {
    /// `true`.
    Fresh,
    /// `false`, absent, or neither a boolean nor a number (for which the real library answers 500).
    #[default]
    NotFresh,
    /// A number: fresh until then, in seconds since 1970.
    Until(f64),
}

/// The claim `csrf`.
#[derive(Clone, Debug, PartialEq)]
enum Csrf {
    Absent,
    /// Not a string: equal to nothing.
    Other,
    Value(String),
}

impl Freshness {
    fn read(claim: Option<&Value>) -> Self {
        match claim {
            Some(Value::Bool(true)) => Self::Fresh,
            Some(Value::Number(number)) => number.as_f64().map_or(Self::NotFresh, Self::Until),
            _ => Self::NotFresh,
        }
    }

    pub(super) fn to_json(self) -> Value {
        match self {
            Self::Fresh => true.into(),
            Self::NotFresh => false.into(),
            Self::Until(seconds) => seconds.into(),
        }
    }

    /// Whether it is fresh at `now`.
    #[must_use]
    pub fn is_fresh(self, now: Timestamp) -> bool {
        match self {
            Self::Fresh => true,
            Self::NotFresh => false,
            #[allow(clippy::cast_precision_loss)] // far below 2^53
            Self::Until(seconds) => seconds * 1000.0 >= now.as_millis() as f64,
        }
    }
}

impl SessionClaims {
    pub(super) fn read<'c>(claim: impl Fn(&str) -> Option<&'c Value>, issued_at: Option<NumericDate>) -> Self {
        Self {
            token_type: match claim("type").and_then(Value::as_str) {
                Some("refresh") => TokenType::Refresh,
                _ => TokenType::Access,
            },
            fresh: Freshness::read(claim("fresh")),
            issued_at,
            csrf: match claim("csrf") {
                None => Csrf::Absent,
                Some(Value::String(value)) => Csrf::Value(value.clone()),
                Some(_) => Csrf::Other,
            },
        }
    }

    /// The CSRF value that must come with the token's cookie.
    #[must_use]
    pub fn csrf(&self) -> Option<&str> {
        if let Csrf::Value(value) = &self.csrf { Some(value) } else { None }
    }

    /// Compares the CSRF value in constant time (docs/compat/flask-jwt-extended.md#csrf, steps 4 and 5). A claim that
    /// is not ASCII is equal to nothing (the real library answers 500).
    pub(super) fn judge_csrf(&self, sent: &str) -> Result<(), TokenRejection> {
        match &self.csrf {
            Csrf::Absent => Err(TokenRejection::MissingClaim("csrf".into())),
            Csrf::Value(value) if value.is_ascii() && value.as_bytes().ct_eq(sent.as_bytes()).into() => Ok(()),
            Csrf::Value(_) | Csrf::Other => Err(TokenRejection::CsrfMismatch),
        }
    }
}
