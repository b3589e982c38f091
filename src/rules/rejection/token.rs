//! Rejections of a token that was found, worded by each dialect.

use crate::rules::token::TokenType;

/// Why a token is not accepted (docs/compat/flask-jwt.md#decoding, docs/compat/flask-jwt-extended.md#decoding).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenRejection {
    // The compact form, header and signature.
    /// The token is longer than [`crate::rules::token::MAX_TOKEN_BYTES`].
    TooLong,
    /// The token is not of the compact form (RFC 7515 §3.1), decoded strictly.
    Malformed(Malformed),
    /// The gate signed it for an origin ([`crate::rules::assertion`]): it is not a client's token.
    Assertion,
    /// The header has no `alg`.
    AlgorithmMissing,
    /// No key has the header's `alg`.
    AlgorithmNotAllowed,
    /// The signature does not match.
    BadSignature,
    /// The header's `kid` is not a string (RFC 7515 §4.1.4).
    KeyIdNotAString,
    /// The header's `crit` is not a list, or is empty (RFC 7515 §4.1.11).
    CriticalEmpty,
    /// An entry of `crit` is not a string.
    CriticalNotText,
    /// `crit` lists `b64`, and the header does not have it.
    CriticalMissing,
    /// The header has `crit` with an extension: none is understood.
    CriticalExtension {
        /// Its name, if it is short: Flask-JWT-Extended's text repeats it.
        name: String,
    },
    /// `b64` is false (RFC 7797), which changes what is signed.
    UnencodedPayload(Unencoded),

    // Claims.
    /// A required claim is missing or null.
    MissingClaim(String),
    /// A required `iss` or `aud` is missing.
    RegisteredClaimMissing(&'static str),
    /// A claim that is a time is not a number, or is beyond ±2⁵³.
    NotANumericDate(TimeClaim),
    /// `iat` lies in the future.
    IssuedInTheFuture,
    /// `nbf` lies in the future.
    NotYetValid,
    /// `exp` lies in the past.
    Expired,
    /// `aud` is not the configured audience. In Flask-JWT's dialect, which has none, the token has one.
    InvalidAudience,
    /// `aud` is neither a string nor a list of strings.
    InvalidClaimFormat,
    /// `iss` is not a string.
    IssuerNotText,
    /// `iss` is not the configured issuer.
    InvalidIssuer,
    /// `sub` is not a string.
    SubjectNotText,
    /// `jti` is not a string.
    TokenIdNotText,
    /// The CSRF value beside a cookie is not that in the token.
    CsrfMismatch,

    // What the token is used for.
    /// A refresh token where an access token is required, or the other way round.
    WrongType {
        /// The type that is required.
        wanted: TokenType,
    },
    /// The token does not come from a log-in, or comes from one too long ago.
    NotFresh,
    /// The token was revoked.
    Revoked,
    /// An attribute was changed that the token's claims are made of: a refresh gives a token with the new claims.
    /// Worded as [`Self::Expired`], since clients refresh on that text.
    ClaimsOutdated,
    /// A spent refresh token was used again: it may be stolen, so its session was ended (RFC 9700 §4.14.2).
    RefreshReused,
    /// The application's `token_verification_loader` refuses the claims.
    ClaimsRejected,
    /// No user has the id that the token names.
    UserUnknown {
        /// The user's id, as the token has it.
        subject: String,
    },
}

/// How a token breaks the compact form, by the part that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Fewer than two dots.
    NotEnoughSegments,
    /// The header is not canonical base64url.
    HeaderEncoding,
    /// The header is not JSON (strictly: see [`crate::rules::json`]).
    HeaderNotJson,
    /// The header is JSON, but not an object.
    HeaderNotAnObject,
    /// The payload is not canonical base64url.
    PayloadEncoding,
    /// The payload is not JSON.
    PayloadNotJson,
    /// The payload is JSON, but not an object.
    PayloadNotAnObject,
    /// The signature is not canonical base64url.
    SignatureEncoding,
}

/// The fault of a token with `b64: false`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unencoded {
    /// The payload is present all the same.
    PayloadPresent,
    /// `crit` does not list it.
    NotCritical,
    /// Nothing but `b64` itself: such tokens are not accepted.
    Detached,
}

/// The three claims that carry a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeClaim {
    /// Issued at (RFC 7519 §4.1.6).
    Iat,
    /// Not before (RFC 7519 §4.1.5).
    Nbf,
    /// Expiration time (RFC 7519 §4.1.4).
    Exp,
}

impl TimeClaim {
    /// The claim's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Iat => "iat",
            Self::Nbf => "nbf",
            Self::Exp => "exp",
        }
    }
}

impl TokenRejection {
    /// [`Self::code`], without what neither dialect's text says in every case.
    pub(in crate::rules) const fn coarse_code(&self) -> &'static str {
        match self {
            Self::RefreshReused => "token_revoked",
            Self::Assertion => "token_signature",
            Self::ClaimsOutdated => "token_expired",
            Self::CriticalEmpty | Self::CriticalNotText | Self::CriticalMissing | Self::UnencodedPayload(_) => {
                "token_critical_extension"
            }
            _ => self.code(),
        }
    }

    /// [`super::Rejection::code`].
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong => "token_too_long",
            Self::Malformed(part) => match part {
                Malformed::NotEnoughSegments => "token_segments",
                Malformed::HeaderEncoding => "token_header_encoding",
                Malformed::HeaderNotJson => "token_header_json",
                Malformed::HeaderNotAnObject => "token_header_type",
                Malformed::PayloadEncoding => "token_payload_encoding",
                Malformed::PayloadNotJson => "token_payload_json",
                Malformed::PayloadNotAnObject => "token_payload_type",
                Malformed::SignatureEncoding => "token_signature_encoding",
            },
            Self::Assertion => "token_assertion",
            Self::AlgorithmMissing => "token_algorithm_missing",
            Self::AlgorithmNotAllowed => "token_algorithm",
            Self::BadSignature => "token_signature",
            Self::KeyIdNotAString => "token_kid_type",
            Self::CriticalEmpty | Self::CriticalNotText | Self::CriticalMissing => "token_critical_form",
            Self::CriticalExtension { .. } => "token_critical_extension",
            Self::UnencodedPayload(_) => "token_unencoded_payload",
            Self::MissingClaim(_) | Self::RegisteredClaimMissing(_) => "claim_missing",
            Self::NotANumericDate(_) => "claim_not_a_date",
            Self::IssuedInTheFuture => "claim_iat_future",
            Self::NotYetValid => "claim_nbf_future",
            Self::Expired => "token_expired",
            Self::InvalidAudience => "claim_audience",
            Self::InvalidClaimFormat => "claim_format",
            Self::IssuerNotText | Self::InvalidIssuer => "claim_issuer",
            Self::SubjectNotText => "claim_subject",
            Self::TokenIdNotText => "claim_jti",
            Self::CsrfMismatch => "csrf_mismatch",
            Self::WrongType { .. } => "token_type",
            Self::NotFresh => "token_not_fresh",
            Self::Revoked => "token_revoked",
            Self::ClaimsOutdated => "claims_outdated",
            Self::RefreshReused => "refresh_token_reused",
            Self::ClaimsRejected => "claims_rejected",
            Self::UserUnknown { .. } => "user_unknown",
        }
    }
}
