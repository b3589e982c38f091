//! The dialect and the rules.

use super::{Family, OptionSpec};
use crate::rules::config::value::as_json;

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
    .meaning("The dialect: the format of tokens, where they are looked for, and the texts of rejections."),
    OptionSpec::custom("ROUTES", |raw, value| {
        let value = as_json(value);
        raw.routes = value.as_array().ok_or("write a list of tables: [[vars.ROUTES]]")?.clone();
        Ok(())
    })
    .kind("list of tables, see below")
    .default("[]")
    .meaning(
        "Which requests are let through, for whom, and where they are forwarded. A path without a rule is refused \
             with 404.",
    ),
]);
