//! Every reason for not letting a request through, in one enum.
//!
//! **What always holds:** a variant holds names, limits and fixed texts, never a value out of a token, a password or a
//! key (but for two that Flask-JWT-Extended tells the client: the name of an extension, the subject of a good token).
//! What a client sees of it is decided in [`super::wire`] (exhaustively: a new reason cannot be forgotten there), what
//! an operator sees in [`super::log`]. Each has a stable [code](Rejection::code).

use super::token::TokenType;

/// Why a request is not let through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    // --- routing
    /// No rule names this path.
    NotFound,
    /// A rule leads to the static files, and there is none of this name.
    FileNotFound,
    /// A rule names the path, but not with this method.
    MethodNotAllowed {
        /// What is allowed, as the `Allow` header has it.
        allow: String,
    },
    /// `JWT_AUTH_URL_RULE` ends with a slash, and the path lacks it: Flask sends clients on
    /// (docs/compat/flask-jwt.md#flasks-own-answers).
    MissingLastSlash {
        /// Where to: path and query.
        location: String,
    },
    /// The path can be read in more than one way, so that gate and origin might not mean the same.
    AmbiguousPath(PathFault),

    // --- finding the token (docs/compat/flask-jwt.md#finding-the-token, rows 4 to 7)
    /// No token in the request.
    MissingToken {
        /// The realm of the challenge.
        realm: String,
    },
    /// The first word of the header is not the configured prefix.
    UnsupportedScheme,
    /// The prefix stands alone.
    TokenMissingAfterScheme,
    /// More than two words.
    TokenContainsSpaces,
    /// The token is longer than [`super::token::MAX_TOKEN_BYTES`].
    TokenTooLong,

    // --- finding it as Flask-JWT-Extended does (docs/compat/flask-jwt-extended.md#finding-the-token and #csrf)
    /// No token in any of these places, in the order in which they were searched.
    TokenNowhere(Vec<Absent>),
    /// The header has the right first word, but not one word after it.
    BadHeader {
        /// The name of the header.
        name: String,
        /// Its first word; empty if there is to be none.
        scheme: String,
    },
    /// The query parameter does not begin as it must.
    BadQueryPrefix {
        /// The name of the parameter.
        name: String,
        /// How it must begin.
        prefix: String,
    },
    /// The member of the body that should be the token is no text.
    TokenNotText,
    /// A cookie, a method that changes something, and no CSRF value beside it.
    CsrfMissing,
    /// The CSRF value is not that of the token.
    CsrfMismatch,

    // --- decoding it (docs/compat/flask-jwt.md#decoding)
    /// The token is not of the compact form (RFC 7515 §3.1), decoded strictly.
    Malformed(Malformed),
    /// The header's `alg` is not that of any key.
    AlgorithmNotAllowed,
    /// The signature is not that of the key.
    BadSignature,
    /// A required claim is missing or null.
    MissingClaim(String),
    /// A time claim is no number, or beyond ±2⁵³.
    NotANumericDate(TimeClaim),
    /// `iat` lies in the future.
    IssuedInTheFuture,
    /// `nbf` lies in the future.
    NotYetValid,
    /// `exp` lies in the past.
    Expired,
    /// The token has an audience, and none is configured.
    InvalidAudience,
    /// `aud` is neither a string nor a list of strings.
    InvalidClaimFormat,
    /// The header has `crit` (RFC 7515 §4.1.11): no extension is understood.
    CriticalExtension {
        /// Which one, if it is short: Flask-JWT-Extended tells the client what it sent.
        name: String,
    },
    /// The header's `kid` is not a string (RFC 7515 §4.1.4).
    KeyIdNotAString,
    /// The header's `crit` is no list, or an empty one (RFC 7515 §4.1.11).
    CriticalEmpty,
    /// An entry of `crit` is no string.
    CriticalNotText,
    /// `b64` is listed in `crit`, but not there.
    CriticalMissing,
    /// `b64` is false (RFC 7797), which changes what is signed.
    UnencodedPayload(Unencoded),
    /// The header has no `alg`.
    AlgorithmMissing,
    /// A required `iss` or `aud` is missing.
    RegisteredClaimMissing(&'static str),
    /// `iss` is no string.
    IssuerNotText,
    /// `iss` is not the configured one.
    InvalidIssuer,
    /// `sub` is no string.
    SubjectNotText,
    /// `jti` is no string.
    TokenIdNotText,
    /// A refresh token where an access token is asked for, or the other way round.
    WrongType {
        /// The type that is asked for.
        wanted: TokenType,
    },
    /// The token does not come from a log-in, or from one too long ago.
    NotFresh,
    /// The token was revoked.
    Revoked,
    /// A refresh token that was spent came once more: it may be stolen, so its session was ended (RFC 9700 §4.14.2).
    RefreshReused,
    /// `token_verification_loader` says no.
    ClaimsRejected,
    /// `user_lookup_loader` knows nobody of this identity.
    UserNotLoaded {
        /// The identity, as the token has it.
        subject: String,
    },
    /// The identity function knows no user for the token.
    NoSuchUser,

    // --- log-in (docs/compat/flask-jwt.md#log-in)
    /// The body's media type is not JSON.
    BodyNotDeclaredJson,
    /// The body is not JSON, or not an object.
    BodyNotAnObject,
    /// The body is too long.
    BodyTooLarge {
        /// How many bytes it may have; `None` if its declared length is beyond what can be sent on.
        limit: Option<usize>,
    },
    /// As many bodies as the gate holds at once are being read.
    TooManyBodies,
    /// Name or password is longer than [`super::login::MAX_FIELD_BYTES`].
    FieldTooLong {
        /// The name of the member.
        field: String,
    },
    /// The body stopped before its end.
    BodyInterrupted,
    /// The body did not come in time.
    BodyTooSlow,
    /// Name and password are not those of a user; or members are missing, empty, not text, or too many.
    BadCredentials,
    /// Too many tries of a password, of this name, from this address or at this gate.
    TooManyTries {
        /// After so many seconds it may be tried again.
        retry_after: u32,
    },
    /// A new password is not taken.
    WeakPassword {
        /// Why.
        text: String,
    },
    /// There is no such session.
    NoSuchSession,
    /// A WebSocket handshake with a token in a cookie, from another site's page or from no page (`Origin`).
    ForeignSocket,
    /// A log-out with a token that can't be ended: the gate keeps no sessions and the token is in no cookie, or the
    /// token has neither a session nor an id.
    NotRevocable,
    /// The secret of the operators' endpoint is wrong or missing.
    NotTheOperator,
    /// A command of an operator that is none.
    BadCommand,

    // --- what lies behind
    /// The store did not answer, in time or at all, or holds something unreadable.
    StoreUnavailable,
    /// The decision took longer than [`super::gate::DECISION_TIMEOUT`].
    DecisionTimeout,
    /// The asset server does not answer, or there is no `ASSETS` binding.
    AssetsUnavailable,
    /// The origin could not be reached.
    OriginUnreachable,
    /// The origin did not begin to answer within `ORIGIN_TIMEOUT`.
    OriginTimeout,
    /// The configuration is wrong; the log says how.
    Misconfigured,
    /// A bug of ours.
    Internal,

    /// What an embedder's own function says.
    Custom(JwtError),
}

/// How a token breaks the compact form. One family per part that can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Fewer than two dots.
    NotEnoughSegments,
    /// The header is not canonical base64url.
    HeaderEncoding,
    /// The header is not JSON (strictly: see [`super::json`]).
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

/// Why there is no token in a place where it was looked for. The names are the configuration's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Absent {
    /// No such header.
    Header {
        /// Its name.
        name: String,
    },
    /// The header has no entry with this first word.
    Scheme {
        /// The header's name.
        name: String,
        /// The first word.
        scheme: String,
    },
    /// No such cookie.
    Cookie {
        /// Its name.
        name: String,
    },
    /// No such query parameter.
    QueryParameter {
        /// Its name.
        name: String,
    },
    /// The body is not declared as JSON.
    JsonMediaType,
    /// The body has no such member.
    JsonMember {
        /// Its name.
        name: String,
    },
}

/// What is wrong beside `b64: false`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unencoded {
    /// The payload is there all the same.
    PayloadPresent,
    /// It is not listed in `crit`.
    NotCritical,
    /// Nothing: such tokens are not taken.
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

/// What makes a path ambiguous.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathFault {
    /// A `%` that two hexadecimal digits don't follow, or bytes that are not UTF-8.
    BadEscape,
    /// `%2f`, `%5c`, a backslash, or an escaped dot segment: a separator that only some readers see.
    HiddenSeparator,
    /// A control character.
    ControlCharacter,
    /// `%25` before two hexadecimal digits: an escape that appears when it is decoded twice.
    DoubleEscape,
    /// `//`.
    EmptySegment,
    /// Read without regard to case, `;` parameters or a last slash, another rule would hold.
    OtherRuleInAnotherReading,
}

/// A refusal in an embedder's own words: Flask-JWT's `JWTError`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwtError {
    /// The member `error`.
    pub error: String,
    /// The member `description`.
    pub description: String,
    /// The status, 400 to 599.
    pub status: u16,
    /// Headers to add.
    pub headers: Vec<(String, String)>,
}

impl JwtError {
    /// With status 401 and no headers, as Flask-JWT defaults them.
    pub fn new(error: impl Into<String>, description: impl Into<String>) -> Self {
        Self { error: error.into(), description: description.into(), status: 401, headers: Vec::new() }
    }
}

impl Rejection {
    /// A name for this reason that stays the same when texts change: for logs, metrics and tests.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::FileNotFound => "file_not_found",
            Self::MethodNotAllowed { .. } => "method_not_allowed",
            Self::MissingLastSlash { .. } => "path_last_slash",
            Self::AmbiguousPath(fault) => match fault {
                PathFault::BadEscape => "path_bad_escape",
                PathFault::HiddenSeparator => "path_hidden_separator",
                PathFault::ControlCharacter => "path_control_character",
                PathFault::DoubleEscape => "path_double_escape",
                PathFault::EmptySegment => "path_empty_segment",
                PathFault::OtherRuleInAnotherReading => "path_ambiguous",
            },
            Self::MissingToken { .. } => "token_missing",
            Self::UnsupportedScheme => "token_scheme",
            Self::TokenMissingAfterScheme => "token_missing_after_scheme",
            Self::TokenContainsSpaces => "token_spaces",
            Self::TokenTooLong => "token_too_long",
            Self::TokenNowhere(_) => "token_missing",
            Self::BadHeader { .. } => "token_header_form",
            Self::BadQueryPrefix { .. } => "token_query_prefix",
            Self::TokenNotText => "token_not_text",
            Self::CsrfMissing => "csrf_missing",
            Self::CsrfMismatch => "csrf_mismatch",
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
            Self::AlgorithmNotAllowed => "token_algorithm",
            Self::BadSignature => "token_signature",
            Self::MissingClaim(_) => "claim_missing",
            Self::NotANumericDate(_) => "claim_not_a_date",
            Self::IssuedInTheFuture => "claim_iat_future",
            Self::NotYetValid => "claim_nbf_future",
            Self::Expired => "token_expired",
            Self::InvalidAudience => "claim_audience",
            Self::InvalidClaimFormat => "claim_format",
            Self::CriticalExtension { .. } => "token_critical_extension",
            Self::KeyIdNotAString => "token_kid_type",
            Self::CriticalEmpty | Self::CriticalNotText | Self::CriticalMissing => "token_critical_form",
            Self::UnencodedPayload(_) => "token_unencoded_payload",
            Self::AlgorithmMissing => "token_algorithm_missing",
            Self::RegisteredClaimMissing(_) => "claim_missing",
            Self::IssuerNotText | Self::InvalidIssuer => "claim_issuer",
            Self::SubjectNotText => "claim_subject",
            Self::TokenIdNotText => "claim_jti",
            Self::WrongType { .. } => "token_type",
            Self::NotFresh => "token_not_fresh",
            Self::Revoked => "token_revoked",
            Self::RefreshReused => "refresh_token_reused",
            Self::ClaimsRejected => "claims_rejected",
            Self::UserNotLoaded { .. } => "user_unknown",
            Self::NoSuchUser => "user_unknown",
            Self::BodyNotDeclaredJson => "body_media_type",
            Self::BodyNotAnObject => "body_not_an_object",
            Self::BodyTooLarge { .. } => "body_too_large",
            Self::TooManyBodies => "too_many_bodies",
            Self::FieldTooLong { .. } => "field_too_long",
            Self::BodyInterrupted => "body_interrupted",
            Self::BodyTooSlow => "body_too_slow",
            Self::BadCredentials => "bad_credentials",
            Self::TooManyTries { .. } => "too_many_tries",
            Self::WeakPassword { .. } => "weak_password",
            Self::NoSuchSession => "session_unknown",
            Self::ForeignSocket => "websocket_origin",
            Self::NotRevocable => "token_not_revocable",
            Self::NotTheOperator => "operator_unknown",
            Self::BadCommand => "bad_command",
            Self::StoreUnavailable => "store_unavailable",
            Self::DecisionTimeout => "decision_timeout",
            Self::AssetsUnavailable => "assets_unavailable",
            Self::OriginUnreachable => "origin_unreachable",
            Self::OriginTimeout => "origin_timeout",
            Self::Misconfigured => "misconfigured",
            Self::Internal => "internal",
            Self::Custom(_) => "custom",
        }
    }

    /// Has it something in it that only this request said? Others are the same for many, and may be kept.
    #[must_use]
    pub const fn is_of_one_request(&self) -> bool {
        matches!(
            self,
            Self::MissingLastSlash { .. }
                | Self::CriticalExtension { .. }
                | Self::UserNotLoaded { .. }
                | Self::TooManyTries { .. }
                | Self::WeakPassword { .. }
                | Self::Custom(_)
        )
    }

    /// Is it about the token or the log-in: a `JWTError` of Flask-JWT, which its `jwt_error_handler` would see, or one
    /// that Flask-JWT-Extended has a loader for? The others are answers of Flask itself, or of the gate.
    #[must_use]
    pub const fn is_jwt_error(&self) -> bool {
        match self {
            Self::MissingToken { .. }
            | Self::UnsupportedScheme
            | Self::TokenMissingAfterScheme
            | Self::TokenContainsSpaces
            | Self::TokenTooLong
            | Self::TokenNowhere(_)
            | Self::BadHeader { .. }
            | Self::BadQueryPrefix { .. }
            | Self::TokenNotText
            | Self::CsrfMissing
            | Self::CsrfMismatch
            | Self::CriticalEmpty
            | Self::CriticalNotText
            | Self::CriticalMissing
            | Self::UnencodedPayload(_)
            | Self::AlgorithmMissing
            | Self::RegisteredClaimMissing(_)
            | Self::IssuerNotText
            | Self::InvalidIssuer
            | Self::SubjectNotText
            | Self::TokenIdNotText
            | Self::WrongType { .. }
            | Self::NotFresh
            | Self::Revoked
            | Self::RefreshReused
            | Self::ClaimsRejected
            | Self::UserNotLoaded { .. }
            | Self::Malformed(_)
            | Self::AlgorithmNotAllowed
            | Self::BadSignature
            | Self::MissingClaim(_)
            | Self::NotANumericDate(_)
            | Self::IssuedInTheFuture
            | Self::NotYetValid
            | Self::Expired
            | Self::InvalidAudience
            | Self::InvalidClaimFormat
            | Self::CriticalExtension { .. }
            | Self::KeyIdNotAString
            | Self::NoSuchUser
            | Self::BadCredentials
            | Self::Custom(_) => true,
            Self::NotFound
            | Self::FileNotFound
            | Self::MethodNotAllowed { .. }
            | Self::MissingLastSlash { .. }
            | Self::AmbiguousPath(_)
            | Self::BodyNotDeclaredJson
            | Self::BodyNotAnObject
            | Self::BodyTooLarge { .. }
            | Self::TooManyBodies
            | Self::DecisionTimeout
            | Self::ForeignSocket
            | Self::NotRevocable
            | Self::FieldTooLong { .. }
            | Self::BodyInterrupted
            | Self::BodyTooSlow
            | Self::TooManyTries { .. }
            | Self::WeakPassword { .. }
            | Self::NoSuchSession
            | Self::NotTheOperator
            | Self::BadCommand
            | Self::StoreUnavailable
            | Self::AssetsUnavailable
            | Self::OriginUnreachable
            | Self::OriginTimeout
            | Self::Misconfigured
            | Self::Internal => false,
        }
    }
}
