//! Where a request carries its token.

use super::{Family, OptionSpec};
use crate::rules::config::{Location, value::as_list};

pub(super) const EXTENDED_ONLY: &[OptionSpec] = &Family::ExtendedOnly.options([
    OptionSpec::custom("JWT_TOKEN_LOCATION", |raw, value| {
        as_list(value).and_then(|list| Location::read_list(&list)).map(|list| raw.flask_jwt_extended.locations = list)
    })
    .kind("one or a list of `headers`, `cookies`, `query_string`, `json`")
    .default(r#"["headers"]"#)
    .schema(r##"{"$ref": "#/definitions/locations"}"##)
    .meaning("Where a token is looked for, in this order. A route's `locations` wins over it."),
    OptionSpec::number("TOLLGATE_TOKEN_BODY_LIMIT", |raw| &mut raw.token_body_limit)
        .kind("bytes, 1024 to 1048576")
        .default("65536")
        .schema(r##"{"anyOf": [{"type": "integer", "minimum": 1024, "maximum": 1048576}, {"$ref": "#/definitions/digits"}]}"##)
    .meaning(
            "The longest body in which a token (`json` in JWT_TOKEN_LOCATION) or a CSRF value (JWT_CSRF_CHECK_FORM) \
             is looked for; a longer one is refused with 413. A body is read only if the locations before it had no \
             token and its media type fits. Bodies of 16 MiB together are read at once in an isolate (256 of 64 KiB, \
             16 of 1 MiB); beyond that the answer is 503.",
        ),
    OptionSpec::text("JWT_HEADER_NAME", |raw| &mut raw.flask_jwt_extended.header_name)
        .kind("name of a header")
        .default("Authorization")
        .schema(r##"{"$ref": "#/definitions/token"}"##)
    .meaning("The header with the token."),
    OptionSpec::nullable_text("JWT_HEADER_TYPE", |raw| &mut raw.flask_jwt_extended.header_type)
        .kind("one word, or empty")
        .default("Bearer")
        .schema(r##"{"anyOf": [{"type": "null"}, {"type": "string", "pattern": "^[^\\s,;]*$"}]}"##)
    .meaning("The first word of that header, case-sensitive; empty if the header has the token alone."),
    OptionSpec::text("JWT_QUERY_STRING_NAME", |raw| &mut raw.flask_jwt_extended.query_name).default("jwt").meaning(
        "The query parameter with the token. A token in a URL ends up in histories and logs: prefer a header.",
    ),
    OptionSpec::text("JWT_QUERY_STRING_VALUE_PREFIX", |raw| &mut raw.flask_jwt_extended.query_prefix)
        .default("")
        .meaning("The text before the token in that parameter."),
    OptionSpec::text("JWT_JSON_KEY", |raw| &mut raw.flask_jwt_extended.access.json_key)
        .default("access_token")
        .meaning("The member of a JSON body with an access token."),
    OptionSpec::text("JWT_REFRESH_JSON_KEY", |raw| &mut raw.flask_jwt_extended.refresh.json_key)
        .default("refresh_token")
        .meaning("The member of a JSON body with a refresh token."),
]);
