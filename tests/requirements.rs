//! Property tests of what rules require of claims, through the public API.
//!
//! **What always holds:** no requirement and no claims make the reader panic; a requirement holds exactly where a plain
//! reading of docs/authorization.md says so; a missing claim meets no condition.

use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::json;
use tollgate::rules::{
    config::Config,
    json::{Map, Value},
    route::Requirement,
};

/// The requirement of a rule; `None` if the configuration has a problem.
fn read(require: &Value) -> Option<Requirement> {
    let vars = json!({
        "JWT_SECRET_KEY": "a secret of more than thirty-two bytes",
        "ROUTES": [{"path": "/a", "to": "identity", "require": require}],
    });
    let config = Config::read(vars.as_object()?).config.ok()?;
    config.routes.rules().find(|rule| rule.path == "/a")?.require.clone()
}

const NAMES: [&str; 5] = ["a", "b", "a.b", "/a/b", "scope"];

/// Values that differ in type or spelling only.
fn single() -> impl Strategy<Value = Value> {
    select(vec![
        json!("1"),
        json!("true"),
        json!("x"),
        json!("X"),
        json!(""),
        json!(1),
        json!(1.0),
        json!(2),
        json!(9_007_199_254_740_992.0),
        json!(9_007_199_254_740_993_i64),
        json!(true),
    ])
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![4 => single(), 1 => Just(Value::Null)];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            vec((select(&["a", "b", "not", "has", "x.y"][..]), inner), 0..3).prop_map(|members| members
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect::<Map<_, _>>()
                .into()),
        ]
    })
}

fn claims() -> impl Strategy<Value = Map<String, Value>> {
    vec((select(&NAMES[..]), any_value()), 0..5)
        .prop_map(|members| members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// A condition as an operator may write it.
fn condition() -> impl Strategy<Value = Value> {
    let one_or_more = || prop_oneof![single(), vec(single(), 1..3).prop_map(Value::from)];
    prop_oneof![
        one_or_more(),
        one_or_more().prop_map(|values| json!({"not": values})),
        one_or_more().prop_map(|values| json!({"has": values})),
    ]
}

/// Tables of which one must hold, without claims that are scopes.
fn tables() -> impl Strategy<Value = Vec<Map<String, Value>>> {
    let table = vec((select(&NAMES[..4]), condition()), 1..4);
    let table = table.prop_map(|members| members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect());
    vec(table, 1..4)
}

/// A claim as docs/authorization.md says: a member of this very name, else a path.
fn claim<'c>(claims: &'c Map<String, Value>, name: &str) -> Option<&'c Value> {
    claims.get(name).or_else(|| match name {
        "a.b" | "/a/b" => claims.get("a")?.as_object()?.get("b"),
        _ => None,
    })
}

/// Values are equal if their types and values are; 1 and 1.0 are one number.
fn equal(one: &Value, other: &Value) -> bool {
    let digits = |value: &Value| match value {
        Value::Number(number) if number.is_f64() => number.as_f64().map(|float| format!("{float:.0}")),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    match (digits(one), digits(other)) {
        (None, None) => one == other,
        (one, other) => one == other,
    }
}

/// Whether a condition of [`condition`] holds, read plainly.
fn holds(condition: &Value, found: Option<&Value>) -> bool {
    let Some(found) = found else { return false };
    let list = |value: &Value| value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
    let is_among = |found: &Value, values: &Value| list(values).iter().any(|value| equal(found, value));
    if let Some(values) = condition.get("not") {
        return !found.is_null() && !found.is_array() && !found.is_object() && !is_among(found, values);
    }
    if let Some(values) = condition.get("has") {
        return found.as_array().is_some_and(|found| found.iter().any(|found| is_among(found, values)));
    }
    is_among(found, condition)
}

proptest! {
    #[test]
    fn a_requirement_holds_where_its_plain_reading_does(tables in tables(), claims in claims()) {
        let one = if tables.len() == 1 { json!(tables[0]) } else { json!(tables) };
        let require = read(&one).expect("a requirement");
        let expected = tables.iter().any(|table| {
            table.iter().all(|(name, condition)| holds(condition, claim(&claims, name)))
        });
        prop_assert_eq!(require.is_met_by(&claims), expected, "{} {:?}", one, claims);
        // The explanation for operators agrees: one failing condition for each table, or none.
        let failures = require.failures(&claims);
        prop_assert_eq!(failures.len(), if expected { 0 } else { tables.len() });
    }

    #[test]
    fn without_a_claim_that_is_named_no_table_holds(table in tables().prop_map(|tables| tables[0].clone()), claims in claims()) {
        let require = read(&json!(table)).expect("a requirement");
        for name in table.keys() {
            let mut without = claims.clone();
            without.shift_remove(name);
            if name.contains('b') {
                without.shift_remove("a");
            }
            prop_assert!(!require.is_met_by(&without), "{:?} {:?}", table, without);
            without.insert(name.clone(), Value::Null);
            prop_assert!(!require.is_met_by(&without), "{:?} {:?}", table, without);
        }
    }

    #[test]
    fn scopes_are_words_whatever_their_order_and_form(
        wanted in vec(select(&["a", "b:read", "c"][..]), 1..3),
        granted in vec(select(&["a", "b:read", "c", "A", "aa", "b"][..]), 0..5),
        name in select(&["scope", "scp"][..]),
    ) {
        let require = read(&json!({name: wanted.join(" ")})).expect("a requirement");
        let expected = wanted.iter().all(|word| granted.contains(word));
        for value in [json!(granted.join(" ")), json!(granted)] {
            let claims = Map::from_iter([(name.to_owned(), value)]);
            prop_assert_eq!(require.is_met_by(&claims), expected, "{:?} {:?}", wanted, claims);
        }
    }

    #[test]
    fn nothing_makes_the_reader_panic(
        require in prop_oneof![any_value(), vec(claims().prop_map(Value::Object), 0..3).prop_map(Value::from)],
        claims in claims(),
    ) {
        if let Some(require) = read(&require) {
            prop_assert_eq!(require.failures(&claims).is_empty(), require.is_met_by(&claims));
        }
    }
}
