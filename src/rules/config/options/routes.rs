//! The dialect and the rules.

use super::{Family, OptionSpec};
use crate::rules::{attribute_claims::AttributeClaims, config::value::as_json};

pub(super) const TOLLGATE: &[OptionSpec] = &Family::Tollgate.options([
    OptionSpec::custom("TOLLGATE_WIRE", |raw, value| {
        raw.is_flask_jwt_extended = match value.as_str() {
            Some("flask-jwt") => false,
            Some("flask-jwt-extended") => true,
            _ => return Err("write \"flask-jwt\" or \"flask-jwt-extended\"".into()),
        };
        Ok(())
    })
    .kind("`flask-jwt` or `flask-jwt-extended`")
    .default("flask-jwt")
    .schema(r##"{"enum": ["flask-jwt", "flask-jwt-extended"]}"##)
    .meaning("The dialect: the format of tokens, where they are looked for, and the texts of rejections."),
    OptionSpec::custom("ROUTES", |raw, value| {
        let value = as_json(value);
        raw.routes = value.as_array().ok_or("write a list of tables: [[vars.ROUTES]]")?.clone();
        Ok(())
    })
    .kind("list of tables, see below")
    .default("[]")
    .schema(r##"{"anyOf": [{"type": "array", "items": {"$ref": "#/definitions/rule"}}, {"$ref": "#/definitions/json-list"}]}"##)
    .meaning(
        "Which requests are let through, for whom, and where they are forwarded. A path without a rule is refused \
             with 404.",
    ),
    OptionSpec::custom("TOLLGATE_CLAIMS", |raw, value| {
        let value = as_json(value);
        let table = value.as_object().ok_or("write a table of claims, such as { role = \"attributes.role\" }")?;
        raw.attribute_claims = AttributeClaims::read(table)?;
        Ok(())
    })
    .kind("table of claims and attributes")
    .default("{}")
    .schema(r##"{"anyOf": [{"type": "object", "propertyNames": {"minLength": 1}, "additionalProperties": {"type": "string", "pattern": "^(attributes\\..|/attributes/.)"}}, {"$ref": "#/definitions/json-object"}]}"##)
    .meaning(
        "Claims that access tokens get from the user's attributes, at the log-in, a refresh, and the renewal of a cookie: \
             `{ role = \"attributes.role\", tenant = \"attributes.org.id\" }`. Needs one more read of KV at a log-in. With sessions, `tollgate user set --gate` changes them within seconds. \
             Together at most 2 KiB as JSON, and a cookie at most 4,096 bytes, else no token is issued (500, \
             `claims_too_long`). [authorization.md](authorization.md#claims-from-attributes)",
    ),
]);
