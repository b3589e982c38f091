//! The log-in endpoint, its challenge, and the endpoints beside it.

use super::{Family, OptionSpec};
use crate::rules::config::value::as_json;

pub(super) const FLASK_JWT: &[OptionSpec] = &Family::FlaskJwt.options([
    OptionSpec::nullable_text("JWT_AUTH_URL_RULE", |raw| &mut raw.auth_url_rule)
        .kind("path, or empty for no log-in endpoint")
        .default("/auth")
        .schema(r##"{"anyOf": [{"$ref": "#/definitions/path-or-none"}, {"type": "null"}]}"##)
    .meaning("The path of the log-in endpoint."),
    OptionSpec::custom("JWT_AUTH_URL_OPTIONS", |raw, value| {
        let value = as_json(value);
        raw.auth_url_options = value.as_object().ok_or("write { methods = [\"POST\"] }")?.clone();
        Ok(())
    })
    .kind("table with `methods`")
    .default(r#"{"methods": ["POST"]}"#)
    .schema(r##"{"anyOf": [{"type": "object", "properties": {"methods": {"$ref": "#/definitions/methods"}}}, {"$ref": "#/definitions/json-object"}]}"##)
    .meaning("The methods of the log-in endpoint. Set without `methods` it means GET, as in Flask."),
    OptionSpec::text("JWT_AUTH_USERNAME_KEY", |raw| &mut raw.username_key)
        .default("username")
        .schema(r##"{"$ref": "#/definitions/filled"}"##)
    .meaning("The member of the log-in body with the name."),
    OptionSpec::text("JWT_AUTH_PASSWORD_KEY", |raw| &mut raw.password_key)
        .default("password")
        .schema(r##"{"$ref": "#/definitions/filled"}"##)
    .meaning("The member of the log-in body with the password."),
    OptionSpec::text("JWT_AUTH_HEADER_PREFIX", |raw| &mut raw.header_prefix).kind("one word").default("JWT").schema(r##"{"$ref": "#/definitions/token"}"##)
    .meaning(
        "The first word of the `Authorization` header, in any case. The challenge begins with `JWT` all the same, \
         as Flask-JWT's does.",
    ),
    OptionSpec::text("JWT_DEFAULT_REALM", |raw| &mut raw.realm)
        .default("Login Required")
        .schema(r##"{"type": "string", "pattern": "^[ -~]*$"}"##)
    .meaning("The realm of the challenge. A route's `realm` wins over it."),
]);

pub(super) const EXTENDED_ONLY: &[OptionSpec] = &Family::ExtendedOnly.options([
    OptionSpec::text("JWT_ERROR_MESSAGE_KEY", |raw| &mut raw.flask_jwt_extended.error_message_key)
        .default("msg")
        .meaning("The member with the text of a refusal."),
    OptionSpec::boolean("TOLLGATE_REFRESH_TOKENS", |raw| &mut raw.flask_jwt_extended.refresh_tokens)
        .default("true")
        .meaning("Whether a log-in issues a refresh token too, and whether the endpoint for it exists."),
    OptionSpec::duration("TOLLGATE_COOKIE_REFRESH_WITHIN", |raw| &mut raw.flask_jwt_extended.cookie_refresh_within)
        .default("0")
        .schema(r##"{"allOf": [{"$ref": "#/definitions/duration"}, {"minimum": 0}]}"##)
        .meaning(
            "A client whose access token comes in a cookie and expires within this time gets a new one with the \
             answer, whether the gate or the origin makes it. The new token is not fresh, and keeps additional \
             claims. `0`: never.",
        ),
    OptionSpec::text("TOLLGATE_REFRESH_URL", |raw| &mut raw.refresh_url)
        .kind("path, or empty for none")
        .default("/auth/refresh")
        .schema(r##"{"$ref": "#/definitions/path-or-none"}"##)
        .meaning("The path at which a refresh token is exchanged for an access token (POST)."),
    OptionSpec::text("TOLLGATE_ME_URL", |raw| &mut raw.me_url)
        .kind("path, or empty for none")
        .default("/auth/me")
        .schema(r##"{"$ref": "#/definitions/rule-path-or-none"}"##)
        .meaning("The path that returns the identity of the token (GET): a rule with `to = \"identity\"`."),
]);
