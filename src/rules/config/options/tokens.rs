//! Claims and lifetimes of tokens.

use super::{Family, OptionSpec};
use crate::rules::config::value::{as_audience, as_text_or_nothing};

pub(super) const FLASK_JWT: &[OptionSpec] = &Family::FlaskJwt.options([
    OptionSpec::duration("JWT_LEEWAY", |raw| &mut raw.leeway)
        .default("10")
        .meaning("Tolerance between clocks, for `iat`, `nbf` and `exp`."),
    OptionSpec::duration("JWT_EXPIRATION_DELTA", |raw| &mut raw.expiration_delta)
        .default("300")
        .meaning("How long a token lives: `exp` = `iat` + this."),
    OptionSpec::duration("JWT_NOT_BEFORE_DELTA", |raw| &mut raw.not_before_delta)
        .default("0")
        .meaning("When a token becomes valid: `nbf` = `iat` + this."),
    OptionSpec::list("JWT_VERIFY_CLAIMS", |raw| &mut raw.verify_claims)
        .kind("list of `signature`, `exp`, `nbf`, `iat`")
        .default(r#"["signature", "exp", "nbf", "iat"]"#)
        .schema(r##"{"anyOf": [{"type": "array", "items": {"type": "string"}, "contains": {"const": "signature"}}, {"type": "string", "pattern": "signature"}]}"##)
    .meaning("Which checks are made. `signature` can't be left out."),
    OptionSpec::list("JWT_REQUIRED_CLAIMS", |raw| &mut raw.required_claims)
        .kind("list of claim names")
        .default(r#"["exp", "iat", "nbf"]"#)
        .meaning("Claims that a token must have."),
]);

pub(super) const EXTENDED_ONLY: &[OptionSpec] = &Family::ExtendedOnly.options([
    OptionSpec::lifetime("JWT_ACCESS_TOKEN_EXPIRES", |raw| &mut raw.flask_jwt_extended.access_expires)
        .default("900")
        .meaning("How long an access token lives."),
    OptionSpec::lifetime("JWT_REFRESH_TOKEN_EXPIRES", |raw| &mut raw.flask_jwt_extended.refresh_expires)
        .default("30d")
        .meaning("How long a refresh token lives."),
    OptionSpec::text("JWT_IDENTITY_CLAIM", |raw| &mut raw.policy.identity_claim)
        .kind("name of a claim")
        .default("sub")
        .schema(r##"{"$ref": "#/definitions/filled"}"##)
        .meaning("The claim that holds the identity."),
    OptionSpec::boolean("JWT_VERIFY_SUB", |raw| &mut raw.policy.verify_sub)
        .default("true")
        .meaning("Whether `sub` must be text."),
    OptionSpec::boolean("JWT_ENCODE_NBF", |raw| &mut raw.flask_jwt_extended.encode_nbf)
        .default("true")
        .meaning("Whether a new token has `nbf`."),
    OptionSpec::custom("JWT_ENCODE_AUDIENCE", |raw, value| {
        as_audience(value).map(|audience| raw.flask_jwt_extended.encode_audience = audience)
    })
    .kind("text or list of texts")
    .unset("none")
    .schema(r##"{"anyOf": [{"$ref": "#/definitions/list"}, {"type": "null"}]}"##)
    .meaning("`aud` of new tokens."),
    OptionSpec::optional_list("JWT_DECODE_AUDIENCE", |raw| &mut raw.policy.audiences)
        .unset("none")
        .meaning("One of these must be in `aud`; without it `aud` is not looked at."),
    OptionSpec::custom("JWT_ENCODE_ISSUER", |raw, value| {
        as_text_or_nothing(value)
            .map(|text| raw.flask_jwt_extended.encode_issuer = Some(text).filter(|text| !text.is_empty()))
    })
    .kind("text")
    .unset("none")
    .schema(r##"{"type": ["string", "null"]}"##)
    .meaning("`iss` of new tokens."),
    OptionSpec::optional_list("JWT_DECODE_ISSUER", |raw| &mut raw.policy.issuers)
        .unset("none")
        .meaning("`iss` must be one of these; without it `iss` is not looked at."),
    OptionSpec::duration("JWT_DECODE_LEEWAY", |raw| &mut raw.policy.leeway)
        .default("0")
        .meaning("Tolerance between clocks, for `iat`, `nbf` and `exp`."),
]);
