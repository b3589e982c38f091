//! What a rule requires of a token's claims: the member `require`.
//!
//! **What always holds:** a claim that is missing meets no condition, a negated one neither. JSON types compare
//! exactly: `"5"` is not `5`. The verdict depends on the rule and the claims alone, so it holds for as long as the
//! token does.

use crate::rules::json::{self, Map, Value};
use serde_json::Number;

/// Alternatives, of which one must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement(Vec<Vec<Condition>>);

/// A condition on one claim.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Condition {
    /// The claim: see [`json::find`].
    claim: String,
    test: Test,
}

/// What is asked of a claim's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::rules) enum Test {
    /// It is one of these.
    Is(Vec<Value>),
    /// It is a text, a number or a boolean, and none of these. A list may contain what is forbidden.
    IsNot(Vec<Value>),
    /// It is a list that has one of these.
    Has(Vec<Value>),
    /// It is a scope (RFC 6749 §3.3: words with spaces, or a list of words) that has all words of one of these lists.
    Scope(Vec<Vec<String>>),
}

/// The claims that hold a scope: RFC 8693 §4.2, and what Microsoft's and Okta's tokens have.
const SCOPE_CLAIMS: [&str; 2] = ["scope", "scp"];

impl Requirement {
    /// Reads a table of claims, or a list of tables of which one must hold.
    ///
    /// # Errors
    /// What to write instead, for each condition that is wrong.
    pub(super) fn read(value: &Value) -> Result<Self, Vec<String>> {
        let tables = match value {
            Value::Array(list) => list.as_slice(),
            one => std::slice::from_ref(one),
        };
        if tables.is_empty() {
            return Err(vec![
                "an empty list is met by no token: write a table of claims, such as { role = \"admin\" }".into(),
            ]);
        }
        let (mut read, mut wrong) = (Vec::new(), Vec::new());
        for value in tables {
            let Some(table) = value.as_object().filter(|table| !table.is_empty()) else {
                wrong.push("write a table of claims, such as { role = \"admin\" }".into());
                continue;
            };
            let mut conditions = Vec::new();
            for (claim, value) in table {
                match Condition::read(claim, value) {
                    Ok(condition) => conditions.push(condition),
                    Err(text) => wrong.push(text),
                }
            }
            read.push(conditions);
        }
        if wrong.is_empty() { Ok(Self(read)) } else { Err(wrong) }
    }

    /// The names of the claims, as [`json::find`] takes them.
    pub fn claims(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flatten().map(|condition| condition.claim.as_str())
    }

    /// Every condition: the claim, as [`json::find`] takes it, and what is asked of it.
    pub(in crate::rules) fn conditions(&self) -> impl Iterator<Item = (&str, &Test)> {
        self.0.iter().flatten().map(|condition| (condition.claim.as_str(), &condition.test))
    }

    /// Whether these claims meet it.
    #[must_use]
    pub fn is_met_by(&self, claims: &Map<String, Value>) -> bool {
        self.0.iter().any(|all| all.iter().all(|condition| condition.holds(claims)))
    }

    /// The conditions that these claims fail, of each alternative the first; empty if the requirement is met. For
    /// operators.
    #[must_use]
    pub fn failures(&self, claims: &Map<String, Value>) -> Vec<String> {
        if self.is_met_by(claims) {
            return Vec::new();
        }
        let first = |all: &Vec<Condition>| {
            all.iter().find(|condition| !condition.holds(claims)).map(|condition| condition.failure(claims))
        };
        self.0.iter().filter_map(first).collect()
    }
}

impl Condition {
    fn read(claim: &str, value: &Value) -> Result<Self, String> {
        let wrong = |text: &str| format!("{claim}: {text}");
        let instead = "write a value, a list of values of which one is enough, { not = … } or { has = … }";
        if claim.is_empty() {
            return Err("a claim without a name: write its name, a path with dots, or a JSON Pointer".into());
        }
        let (operator, operand) = match value.as_object() {
            None => ("", value),
            Some(table) => match table.iter().next() {
                Some((operator, operand)) if table.len() == 1 => (operator.as_str(), operand),
                _ => return Err(wrong(instead)),
            },
        };
        let values = match operand {
            Value::Array(list) => list.clone(),
            one => vec![one.clone()],
        };
        if values.is_empty() {
            return Err(wrong("an empty list: write at least one value"));
        }
        if !values.iter().all(is_single) {
            return Err(wrong(instead));
        }
        let is_scope = SCOPE_CLAIMS.contains(&claim);
        let test = match operator {
            "" if is_scope => Test::Scope(values.iter().map(scope).collect::<Option<_>>().ok_or_else(|| {
                wrong("a scope is words with spaces between them (RFC 6749, section 3.3), all of which are required")
            })?),
            "" => Test::Is(values),
            "not" if is_scope => return Err(wrong("a scope can't be forbidden: a token may have any others")),
            "not" => Test::IsNot(values),
            "has" if is_scope => return Err(wrong("a scope is read as a list of words: write the words alone")),
            "has" => Test::Has(values),
            _ => return Err(wrong(instead)),
        };
        Ok(Self { claim: claim.to_owned(), test })
    }

    fn holds(&self, claims: &Map<String, Value>) -> bool {
        let Some(found) = json::find(claims, &self.claim) else { return false };
        let is_one_of = |found: &Value, values: &[Value]| values.iter().any(|value| is_same(found, value));
        match &self.test {
            Test::Is(values) => is_one_of(found, values),
            Test::IsNot(values) => is_single(found) && !is_one_of(found, values),
            Test::Has(values) => found.as_array().is_some_and(|list| list.iter().any(|one| is_one_of(one, values))),
            Test::Scope(alternatives) => {
                let words: Vec<&str> = match found {
                    Value::String(text) => text.split(' ').collect(),
                    Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
                    _ => return false,
                };
                alternatives.iter().any(|all| all.iter().all(|word| words.contains(&word.as_str())))
            }
        }
    }

    /// What these claims, which fail the condition, would have to be.
    fn failure(&self, claims: &Map<String, Value>) -> String {
        let list = |values: &[Value]| values.iter().map(Value::to_string).collect::<Vec<_>>().join(" or ");
        let must = match &self.test {
            Test::Is(values) => format!("be {}", list(values)),
            Test::IsNot(values) => format!("be there and not {}", list(values)),
            Test::Has(values) => format!("be a list with {}", list(values)),
            Test::Scope(alternatives) => {
                let words: Vec<String> = alternatives.iter().map(|all| all.join(" and ")).collect();
                format!("have {}", words.join(", or "))
            }
        };
        let found = match json::find(claims, &self.claim) {
            Some(found) => format!("it is {found}"),
            None => "the token has no such claim".into(),
        };
        format!("{} must {must} ({found})", self.claim)
    }
}

/// Whether it is a text, a number or a boolean.
fn is_single(value: &Value) -> bool {
    value.is_string() || value.is_number() || value.is_boolean()
}

/// The words of a scope.
fn scope(value: &Value) -> Option<Vec<String>> {
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
    };
    let words: Vec<&str> = value.as_str()?.split(' ').collect();
    words.iter().all(|word| is_word(word)).then(|| words.into_iter().map(str::to_owned).collect())
}

/// JSON knows numbers, not integers: 1 and 1.0 are one. An integer of which floating point has no equal is no other's.
fn is_same(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Number(one), Value::Number(other)) => match (integer(one), integer(other)) {
            (Some(one), Some(other)) => one == other,
            _ => one == other,
        },
        _ => found == wanted,
    }
}

/// The number, if it is whole and within 128 bits.
fn integer(number: &Number) -> Option<i128> {
    let whole = |float: f64| (float.fract() == 0.0 && float.abs() < 1e38).then_some(float as i128);
    number.as_i128().or_else(|| number.as_f64().and_then(whole))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: Value) -> Result<Requirement, Vec<String>> {
        Requirement::read(&value)
    }

    #[test]
    fn numbers_compare_exactly() {
        let meets = |wanted: Value, found: Value| {
            read(json!({"n": wanted})).unwrap().is_met_by(json!({"n": found}).as_object().unwrap())
        };
        let (even, odd) = (json!(9_007_199_254_740_992.0), json!(9_007_199_254_740_993_i64));
        for (wanted, found, expected) in [
            (json!(1), json!(1.0), true),
            (json!(-1.0), json!(-1), true),
            (json!(1.5), json!(1.5), true),
            (json!(1.5), json!(1), false),
            (odd.clone(), even.clone(), false),
            (odd.clone(), odd, true),
            (json!(9_007_199_254_740_992_i64), even, true),
            (json!(u64::MAX), json!(18_446_744_073_709_551_615.0), false),
            (json!(u64::MAX), json!(-1), false),
            (json!(1e300), json!(1e300), true),
        ] {
            assert_eq!(meets(wanted.clone(), found.clone()), expected, "{wanted} {found}");
        }
    }

    #[test]
    fn values_lists_tables_and_scopes_are_judged() {
        for (requirement, claims, is_met) in [
            (json!({"role": "admin"}), json!({"role": "admin"}), true),
            (json!({"role": "admin"}), json!({"role": "user"}), false),
            (json!({"role": "admin"}), json!({"role": "Admin"}), false),
            (json!({"role": "admin"}), json!({"role": ["admin"]}), false),
            (json!({"role": "admin"}), json!({"role": {"admin": true}}), false),
            (json!({"role": "admin"}), json!({}), false),
            (json!({"role": "admin"}), json!({"role": null}), false),
            (json!({"role": ["admin", "editor"]}), json!({"role": "editor"}), true),
            (json!({"role": ["admin", "editor"]}), json!({"role": "user"}), false),
            (json!({"role": "admin", "mfa": true}), json!({"role": "admin", "mfa": true}), true),
            (json!({"role": "admin", "mfa": true}), json!({"role": "admin", "mfa": "true"}), false),
            (json!({"role": "admin", "mfa": true}), json!({"role": "admin"}), false),
            (json!([{"role": "admin"}, {"org": 5, "role": "user"}]), json!({"org": 5, "role": "user"}), true),
            (json!([{"role": "admin"}, {"org": 5, "role": "user"}]), json!({"org": 6, "role": "user"}), false),
            // Types are compared exactly; a number is a number.
            (json!({"n": 5}), json!({"n": 5.0}), true),
            (json!({"n": 5}), json!({"n": "5"}), false),
            (json!({"n": "5"}), json!({"n": 5}), false),
            (json!({"n": 0.5}), json!({"n": 0.5}), true),
            (json!({"n": 9_007_199_254_740_993_i64}), json!({"n": 9_007_199_254_740_992_i64}), false),
            (json!({"on": false}), json!({"on": 0}), false),
            // A negated condition needs the claim too.
            (json!({"role": {"not": "guest"}}), json!({"role": "user"}), true),
            (json!({"role": {"not": "guest"}}), json!({"role": "guest"}), false),
            (json!({"role": {"not": ["guest", "bot"]}}), json!({"role": "bot"}), false),
            (json!({"role": {"not": "guest"}}), json!({}), false),
            (json!({"role": {"not": "guest"}}), json!({"role": null}), false),
            (json!({"role": {"not": "guest"}}), json!({"role": ["guest"]}), false),
            (json!({"role": {"not": "guest"}}), json!({"role": ["user"]}), false),
            (json!({"role": {"not": "guest"}}), json!({"role": {"guest": true}}), false),
            (json!({"role": {"not": "1"}}), json!({"role": 1}), true),
            // Lists in tokens.
            (json!({"roles": {"has": "admin"}}), json!({"roles": ["user", "admin"]}), true),
            (json!({"roles": {"has": ["admin", "editor"]}}), json!({"roles": ["editor"]}), true),
            (json!({"roles": {"has": "admin"}}), json!({"roles": ["user"]}), false),
            (json!({"roles": {"has": "admin"}}), json!({"roles": "admin"}), false),
            // Names, paths, pointers.
            (json!({"org.id": 5}), json!({"org": {"id": 5}}), true),
            (json!({"org.id": 5}), json!({"org.id": 5, "org": {"id": 6}}), true),
            (json!({"org.id": 5}), json!({"org.id": 6, "org": {"id": 5}}), false),
            (json!({"/org/id": 5}), json!({"org": {"id": 5}}), true),
            (json!({"https://x.example/role": "a"}), json!({"https://x.example/role": "a"}), true),
            // Scopes.
            (json!({"scope": "orders:read"}), json!({"scope": "orders:read orders:write"}), true),
            (json!({"scope": "orders:read"}), json!({"scope": ["orders:read"]}), true),
            (json!({"scp": "orders:read"}), json!({"scp": ["x", "orders:read"]}), true),
            (json!({"scope": "orders"}), json!({"scope": "orders:read"}), false),
            (json!({"scope": "a b"}), json!({"scope": "b c a"}), true),
            (json!({"scope": "a b"}), json!({"scope": "a c"}), false),
            (json!({"scope": ["a b", "c"]}), json!({"scope": "c"}), true),
            (json!({"scope": "a"}), json!({"scp": "a"}), false),
            (json!({"scope": "a"}), json!({"scope": {"a": 1}}), false),
        ] {
            let Value::Object(claims) = claims else { unreachable!() };
            let found = read(requirement.clone()).unwrap();
            assert_eq!(found.is_met_by(&claims), is_met, "{requirement} {claims:?}");
            assert_eq!(found.failures(&claims).is_empty(), is_met, "{requirement} {claims:?}");
        }
    }

    #[test]
    fn a_requirement_that_no_token_meets_or_that_asks_nothing_is_an_error() {
        for wrong in [
            json!("admin"),
            json!(true),
            json!({}),
            json!([]),
            json!([{"role": "a"}, {}]),
            json!(["admin"]),
            json!({"role": []}),
            json!({"role": null}),
            json!({"role": ["a", null]}),
            json!({"role": [["a"]]}),
            json!({"role": {}}),
            json!({"role": {"not": []}}),
            json!({"role": {"is": "a"}}),
            json!({"role": {"not": "a", "has": "b"}}),
            json!({"role": {"has": {"a": 1}}}),
            json!({"": "a"}),
            json!({"scope": ""}),
            json!({"scope": "a  b"}),
            json!({"scope": "a\"b"}),
            json!({"scope": 5}),
            json!({"scope": {"not": "a"}}),
            json!({"scope": {"has": "a"}}),
        ] {
            assert!(read(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_operator_reads_which_condition_fails() {
        let requirement = read(json!([{"role": "admin"}, {"role": "user", "scope": "a b"}])).unwrap();
        for (claims, scope) in [
            (json!({"role": "user", "scope": "a"}), "it is \"a\""),
            (json!({"role": "user"}), "the token has no such claim"),
        ] {
            let failures =
                ["role must be \"admin\" (it is \"user\")".to_owned(), format!("scope must have a and b ({scope})")];
            assert_eq!(requirement.failures(claims.as_object().unwrap()), failures);
        }
        let wrong = read(json!([{"role": [], "group": {"contains": "x"}}, 7])).unwrap_err();
        assert_eq!(wrong.len(), 3, "each at once: {wrong:?}");
    }
}
