//! Parsing of single values, as wrangler.toml, a secret or JSON text spells them. An error says what to write instead.

use crate::rules::{
    json::{self, Map, Value},
    time::Duration,
    token::is_truthy,
};
use std::borrow::Cow;

pub(super) fn as_text(value: &Value) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| "write a text in quotes".into())
}

pub(super) fn as_bool(value: &Value) -> Result<bool, String> {
    match value {
        Value::Bool(on) => Ok(*on),
        Value::String(text) if text == "true" => Ok(true),
        Value::String(text) if text == "false" => Ok(false),
        _ => Err("write true or false".into()),
    }
}

/// A duration: seconds, or a text with a unit ([`Duration::parse`]).
pub(in crate::rules) fn as_seconds(value: &Value) -> Result<Duration, String> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => String::new(),
    };
    Duration::parse(&text).ok_or_else(|| "write seconds, or a text such as \"5m\" or \"1h\"; at most 36500 days".into())
}

/// Text; null (Python's `None`) is the empty text.
pub(super) fn as_text_or_nothing(value: &Value) -> Result<String, String> {
    if value.is_null() { Ok(String::new()) } else { as_text(value) }
}

/// The lifetime of a token; `None` for ever, which must be written as `false`. Flask-JWT-Extended reads 0 as for ever,
/// too, so 0 is an error here.
pub(super) fn as_lifetime(value: &Value) -> Result<Option<Duration>, String> {
    if *value == Value::Bool(false) || value.as_str() == Some("false") {
        return Ok(None);
    }
    match as_seconds(value)? {
        Duration::ZERO => Err("0 would be for ever: write false if you mean that, else a duration".into()),
        life => Ok(Some(life)),
    }
}

/// A list of texts; a text is a list of one, because it may contain commas.
pub(super) fn as_list_or_nothing(value: &Value) -> Result<Option<Vec<String>>, String> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) if !text.trim_start().starts_with('[') => Ok(Some(vec![text.clone()])),
        _ => as_list(value).map(Some),
    }
}

/// `aud`: a text stays a text, a list stays a list (RFC 7519 §4.1.3). `None` if it is empty.
pub(super) fn as_audience(value: &Value) -> Result<Option<Value>, String> {
    Ok(match as_list_or_nothing(value)? {
        None => None,
        Some(list) if value.is_string() && list.len() == 1 => Some(list[0].as_str().into()),
        Some(list) => Some(list.into()),
    }
    .filter(is_truthy))
}

pub(super) fn as_whole_number(value: &Value) -> Result<u32, String> {
    let number = match value {
        Value::Number(number) => number.as_u64().and_then(|number| number.try_into().ok()),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| "write a whole number".into())
}

/// A value, or the value that its JSON text stands for.
pub(super) fn as_json(value: &Value) -> Cow<'_, Value> {
    match value.as_str().map(serde_json::from_str) {
        Some(Ok(inside)) => Cow::Owned(inside),
        Some(Err(_)) | None => Cow::Borrowed(value),
    }
}

/// A list of texts: a list, its JSON text, or words with commas.
pub(in crate::rules) fn as_list(value: &Value) -> Result<Vec<String>, String> {
    let wrong = || String::from("write a list of texts, such as [\"exp\", \"iat\"]");
    match value {
        Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong)).collect(),
        Value::String(text) if text.trim_start().starts_with('[') => match as_json(value) {
            Cow::Owned(inside) => as_list(&inside),
            Cow::Borrowed(_) => Err(wrong()),
        },
        Value::String(text) => {
            Ok(text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect())
        }
        _ => Err(wrong()),
    }
}

/// A table, or an object as JSON text. `None` if it is neither or has a duplicate member.
pub(super) fn as_object(value: &Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(members) => Some(members.clone()),
        Value::String(text) => json::object(text.as_bytes()).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::json::json;

    #[test]
    fn durations_are_seconds_or_have_a_unit() {
        for (value, millis) in [
            (json!(90), Some(90_000)),
            (json!(-1), Some(-1000)),
            (json!("250ms"), Some(250)),
            (json!("0.5m"), Some(30_000)),
            (json!("1h"), Some(3_600_000)),
            (json!("7d"), Some(604_800_000)),
            (json!("soon"), None),
            (json!(""), None),
            (json!(true), None),
            (json!(null), None),
        ] {
            assert_eq!(as_seconds(&value).ok().map(Duration::as_millis), millis, "{value}");
        }
    }

    #[test]
    fn a_token_lives_for_ever_only_if_that_is_written() {
        for never in [json!(false), json!("false")] {
            assert_eq!(as_lifetime(&never), Ok(None));
        }
        assert_eq!(as_lifetime(&json!("15m")), Ok(Some(Duration::seconds(900))));
        for wrong in [json!(0), json!("0s"), json!(true), json!(null)] {
            assert!(as_lifetime(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn booleans_and_numbers_may_be_written_as_text() {
        assert_eq!((as_bool(&json!(true)), as_bool(&json!("false"))), (Ok(true), Ok(false)));
        assert_eq!((as_whole_number(&json!(7)), as_whole_number(&json!("7"))), (Ok(7), Ok(7)));
        for wrong in [json!("yes"), json!("True"), json!(1), json!(null)] {
            assert!(as_bool(&wrong).is_err(), "{wrong}");
        }
        for wrong in [json!(-1), json!(1.5), json!(4_294_967_296_u64), json!("many"), json!(null)] {
            assert!(as_whole_number(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn lists_may_be_written_as_json_or_as_words() {
        for list in [json!(["exp", "iat"]), json!("[\"exp\", \"iat\"]"), json!("exp, iat,")] {
            assert_eq!(as_list(&list), Ok(vec!["exp".to_owned(), "iat".to_owned()]), "{list}");
        }
        for wrong in [json!([1]), json!("["), json!({}), json!(null)] {
            assert!(as_list(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_audience_keeps_its_type_and_its_commas() {
        for (value, audience) in [
            (json!("a, b"), Some(json!("a, b"))),
            (json!(["a"]), Some(json!(["a"]))),
            (json!("[\"a\", \"b\"]"), Some(json!(["a", "b"]))),
            (json!(null), None),
            (json!(""), None),
            (json!([]), None),
        ] {
            assert_eq!(as_audience(&value), Ok(audience), "{value}");
        }
    }

    #[test]
    fn a_table_has_no_member_twice() {
        let table = json!({"k1": "a"});
        assert_eq!(as_object(&table), table.as_object().cloned());
        assert_eq!(as_object(&table.to_string().into()), table.as_object().cloned());
        for wrong in [json!("{\"a\": 1, \"a\": 2}"), json!("[]"), json!([]), json!(null)] {
            assert_eq!(as_object(&wrong), None, "{wrong}");
        }
    }
}
