//! Cookies with tokens, and protection against cross-site request forgery (CSRF).

use super::{Family, OptionSpec};
use crate::rules::config::{
    SameSite,
    value::{as_list, as_text_or_nothing},
};

pub(super) const EXTENDED_ONLY: &[OptionSpec] = &Family::ExtendedOnly.options([
    OptionSpec::text("JWT_ACCESS_COOKIE_NAME", |raw| &mut raw.flask_jwt_extended.access.cookie)
        .kind("name of a cookie")
        .default("access_token_cookie")
        .schema(r##"{"$ref": "#/definitions/token"}"##)
    .meaning("The cookie with the access token."),
    OptionSpec::nullable_text("JWT_ACCESS_COOKIE_PATH", |raw| &mut raw.flask_jwt_extended.access.cookie_path)
        .kind("path")
        .default("/")
        .schema(r##"{"$ref": "#/definitions/cookie-path"}"##)
    .meaning("Its `Path`."),
    OptionSpec::text("JWT_ACCESS_CSRF_COOKIE_NAME", |raw| &mut raw.flask_jwt_extended.access.csrf_cookie)
        .kind("name of a cookie")
        .default("csrf_access_token")
        .schema(r##"{"$ref": "#/definitions/token"}"##)
    .meaning("The cookie that a page reads the CSRF value of the access token from."),
    OptionSpec::nullable_text("JWT_ACCESS_CSRF_COOKIE_PATH", |raw| &mut raw.flask_jwt_extended.access.csrf_cookie_path)
        .kind("path")
        .default("/")
        .schema(r##"{"$ref": "#/definitions/cookie-path"}"##)
    .meaning("Its `Path`."),
    OptionSpec::text("JWT_ACCESS_CSRF_HEADER_NAME", |raw| &mut raw.flask_jwt_extended.access.csrf_header)
        .kind("name of a header")
        .default("X-CSRF-TOKEN")
        .schema(r##"{"$ref": "#/definitions/token"}"##)
    .meaning("The header that a page sends the CSRF value of the access token in."),
    OptionSpec::text("JWT_ACCESS_CSRF_FIELD_NAME", |raw| &mut raw.flask_jwt_extended.access.csrf_field)
        .default("csrf_token")
        .meaning("The form field for the same, with JWT_CSRF_CHECK_FORM."),
    OptionSpec::text("JWT_REFRESH_COOKIE_NAME", |raw| &mut raw.flask_jwt_extended.refresh.cookie)
        .kind("name of a cookie")
        .default("refresh_token_cookie")
        .schema(r##"{"$ref": "#/definitions/token"}"##)
    .meaning("The cookie with the refresh token."),
    OptionSpec::nullable_text("JWT_REFRESH_COOKIE_PATH", |raw| &mut raw.flask_jwt_extended.refresh.cookie_path)
        .kind("path")
        .default("/")
        .schema(r##"{"$ref": "#/definitions/cookie-path"}"##)
    .meaning("Its `Path`."),
    OptionSpec::text("JWT_REFRESH_CSRF_COOKIE_NAME", |raw| &mut raw.flask_jwt_extended.refresh.csrf_cookie)
        .kind("name of a cookie")
        .default("csrf_refresh_token")
        .schema(r##"{"$ref": "#/definitions/token"}"##)
    .meaning("The cookie that a page reads the CSRF value of the refresh token from."),
    OptionSpec::nullable_text("JWT_REFRESH_CSRF_COOKIE_PATH", |raw| {
        &mut raw.flask_jwt_extended.refresh.csrf_cookie_path
    })
    .kind("path")
    .default("/")
    .schema(r##"{"$ref": "#/definitions/cookie-path"}"##)
    .meaning("Its `Path`."),
    OptionSpec::text("JWT_REFRESH_CSRF_HEADER_NAME", |raw| &mut raw.flask_jwt_extended.refresh.csrf_header)
        .kind("name of a header")
        .default("X-CSRF-TOKEN")
        .schema(r##"{"$ref": "#/definitions/token"}"##)
    .meaning("The header that a page sends the CSRF value of the refresh token in."),
    OptionSpec::text("JWT_REFRESH_CSRF_FIELD_NAME", |raw| &mut raw.flask_jwt_extended.refresh.csrf_field)
        .default("csrf_token")
        .meaning("The form field for the same, with JWT_CSRF_CHECK_FORM."),
    OptionSpec::custom("JWT_COOKIE_DOMAIN", |raw, value| {
        as_text_or_nothing(value).map(|text| {
            // Flask removes a port and a leading dot, which have no meaning in a cookie (RFC 6265 §5.2.3).
            let domain = text.split(':').next().unwrap_or_default();
            raw.flask_jwt_extended.cookie_domain = domain.trim_start_matches('.').to_owned();
            raw.cookie_domain = text;
        })
    })
    .kind("domain")
    .unset("none")
    .schema(r##"{"anyOf": [{"type": "null"}, {"type": "string", "pattern": "^[!-+.-:<-~-]*$"}]}"##)
    .meaning("`Domain` of all cookies."),
    OptionSpec::boolean("JWT_COOKIE_SECURE", |raw| &mut raw.flask_jwt_extended.cookie_secure)
        .default("false")
        .meaning("`Secure` on all cookies: set it wherever there is https."),
    OptionSpec::custom("JWT_COOKIE_SAMESITE", |raw, value| {
        as_text_or_nothing(value).and_then(|text| {
            raw.flask_jwt_extended.cookie_same_site = match text.as_str() {
                "" => None,
                text => Some(SameSite::from_name(text).ok_or("write \"Strict\", \"Lax\" or \"None\"")?),
            };
            Ok(())
        })
    })
    .kind("`Strict`, `Lax` or `None`")
    .unset("none")
    .schema(r##"{"anyOf": [{"enum": ["Strict", "Lax", "None", null]}, {"type": "string", "pattern": "^(?:[Ss][Tt][Rr][Ii][Cc][Tt]|[Ll][Aa][Xx]|[Nn][Oo][Nn][Ee])?$"}]}"##)
    .meaning("`SameSite` of all cookies."),
    OptionSpec::boolean("JWT_SESSION_COOKIE", |raw| &mut raw.flask_jwt_extended.session_cookie)
        .default("true")
        .meaning("Whether cookies end with the browser's session; otherwise they last a year."),
    OptionSpec::boolean("JWT_COOKIE_CSRF_PROTECT", |raw| &mut raw.flask_jwt_extended.csrf_protect)
        .default("true")
        .meaning(
            "Puts a CSRF value into each token, and requires it beside a cookie for the methods of JWT_CSRF_METHODS.",
        ),
    OptionSpec::custom("JWT_CSRF_METHODS", |raw, value| {
        let methods = as_list(value)?;
        if !methods.iter().all(|method| method.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-')) {
            return Err("write a list of methods such as [\"POST\", \"PUT\"]: other words protect nothing".into());
        }
        raw.flask_jwt_extended.csrf_methods = methods;
        Ok(())
    })
    .kind("list of methods")
    .default(r#"["POST", "PUT", "PATCH", "DELETE"]"#)
    .schema(r##"{"anyOf": [{"type": "array", "items": {"type": "string", "pattern": "^[A-Za-z-]*$"}}, {"type": "string", "pattern": "^[\\s,]*([A-Za-z-]+(\\s*,[\\s,]*[A-Za-z-]+)*)?[\\s,]*$"}, {"$ref": "#/definitions/json-list"}]}"##)
    .meaning("The methods that require the CSRF value. GET includes HEAD."),
    OptionSpec::boolean("JWT_CSRF_IN_COOKIES", |raw| &mut raw.flask_jwt_extended.csrf_in_cookies)
        .default("true")
        .meaning("Whether the cookies with the CSRF values are set."),
    OptionSpec::boolean("TOLLGATE_CSRF_IN_BODY", |raw| &mut raw.flask_jwt_extended.csrf_in_body)
        .default("false")
        .meaning(
            "Whether the answers of log-in and refresh have the CSRF values of the tokens in cookies, too, as \
             `csrf_access_token` and `csrf_refresh_token`: a page of another host can't read the cookies.",
        ),
    OptionSpec::boolean("JWT_CSRF_CHECK_FORM", |raw| &mut raw.flask_jwt_extended.csrf_check_form)
        .default("false")
        .meaning("Whether the CSRF value is looked for in a form field, too."),
]);
