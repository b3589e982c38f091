//! The JSON Schema of wrangler's configuration with the gate's variables, for editors: `wrangler.schema.json` of the
//! npm package.
//!
//! It accepts whatever the reader of the configuration accepts, and refuses as much of the rest as a schema of values
//! and tables can say: tests/schema.rs.

use super::{Family, OptionSpec, Secrecy, TABLE};
use crate::rules::{
    json::{Map, Value, json},
    route::{RULE_MEMBERS, RuleMember},
};

/// What options and members have in common.
const DEFINITIONS: &str = include_str!("definitions.json");

/// The schema. It extends wrangler's own, which it names relative to its place in `node_modules`.
///
/// # Panics
/// Never: a test makes it.
#[must_use]
pub fn schema() -> Value {
    let parse = |text: &str| -> Value { serde_json::from_str(text).expect("a schema of the tables is JSON") };
    let mut definitions = parse(DEFINITIONS);
    definitions["rule"] = json!({
        "type": "object",
        "properties": RULE_MEMBERS.iter().map(|member| (member.name.to_owned(), of_member(member, parse(member.schema))))
            .collect::<Map<_, _>>(),
        "allOf": [{"$ref": "#/definitions/members-of-a-rule"}],
        "required": ["path", "to"],
        "additionalProperties": false,
    });
    let options: Map<String, Value> =
        TABLE.iter().map(|option| (option.name.to_owned(), of_option(option, parse(option.json_schema())))).collect();
    definitions["vars"] = json!({
        "type": "object",
        "properties": options,
        // Other names of this form are misspelt. Variables of the application have names of their own.
        "propertyNames": {"anyOf": [
            {"enum": TABLE.iter().map(|option| option.name).collect::<Vec<_>>()},
            {"not": {"pattern": "^(JWT|TOLLGATE)_"}},
        ]},
    });
    let vars = json!({"vars": {"$ref": "#/definitions/vars"}});
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "wrangler's configuration with Tollgate's variables",
        "allOf": [{"$ref": "../wrangler/config-schema.json"}],
        "properties": {
            "vars": vars["vars"],
            "env": {"type": "object", "additionalProperties": {"properties": vars}},
        },
        "definitions": definitions,
    })
}

/// The text of worker/wrangler.schema.json.
#[must_use]
pub fn schema_text() -> String {
    format!("{:#}\n", schema())
}

fn of_option(option: &OptionSpec, mut schema: Value) -> Value {
    let secret = match option.secrecy {
        Secrecy::Public | Secrecy::PrivateKeys => "",
        // In [vars] it would be in the clear; empty it is unset.
        Secrecy::Secret => {
            schema = json!({"enum": ["", null]});
            "A secret, never in vars: .dev.vars on your machine, `npx wrangler secret put` on Cloudflare. "
        }
    };
    describe(&mut schema, &format!("{secret}{}", option.meaning), option.kind, option.default_value());
    if option.family == Family::NeverRead {
        schema["deprecated"] = true.into();
    }
    schema
}

fn of_member(member: &RuleMember, mut schema: Value) -> Value {
    let default = Some(member.default).filter(|text| !["required", "none", "all", "JWT_DEFAULT_REALM"].contains(text));
    describe(&mut schema, member.meaning, member.kind, default);
    schema
}

/// Adds the description, and the default as the option's documentation has it. Beside `$ref` draft 7 has no members.
fn describe(schema: &mut Value, meaning: &str, kind: &str, default: Option<&str>) {
    if schema.get("$ref").is_some() {
        *schema = json!({"allOf": [schema]});
    }
    schema["description"] = format!("{meaning} Value: {kind}.").into();
    if let Some(default) = default {
        let value = serde_json::from_str(default);
        schema["default"] = value.unwrap_or_else(|_| Value::from(default));
    }
}
