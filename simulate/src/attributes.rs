//! What is known of the attributes that become claims, by which changes of them are judged.

use tollgate::rules::{
    identity::{Attributes, SeenAttributes},
    json::{Map, Value},
};

/// The attributes of an account: `a0`, `a1`. Each has a number, which is different after each change.
pub const NAMES: usize = 2;

/// A change that an account's object has stored.
pub struct Change {
    /// The new value.
    pub value: u64,
    /// The true time at which it was acknowledged.
    pub acknowledged: Option<i64>,
}

/// What is known of an account's attributes.
#[derive(Default)]
pub struct AttributeFacts {
    /// The newest version that the object has made or seen, in milliseconds.
    pub newest: i64,
    /// The changes of each attribute, in the order of the object.
    pub changes: [Vec<Change>; NAMES],
    /// Whether the operator has written a profile without the object: values are not judged any more.
    pub interfered: bool,
}

/// The name of an attribute.
fn name(attribute: usize) -> String {
    format!("a{attribute}")
}

/// The number that an attribute has; `None` without one.
fn value(attributes: &Attributes, attribute: usize) -> Option<u64> {
    attributes.values.get(&name(attribute)).and_then(Value::as_u64)
}

/// The names of the attributes, of all of which claims are made.
pub fn names() -> Vec<String> {
    (0..NAMES).map(name).collect()
}

/// Attributes as a gate shows them to the object.
pub fn seen(attributes: Attributes) -> SeenAttributes {
    let Attributes { version, values } = attributes;
    SeenAttributes { version, values, claims: names() }
}

/// A table with one attribute.
pub fn one(attribute: usize, value: u64) -> Map<String, Value> {
    Map::from_iter([(name(attribute), value.into())])
}

impl AttributeFacts {
    /// The last value of each attribute that was changed.
    fn last(&self) -> impl Iterator<Item = (usize, u64)> {
        let last = |(attribute, changes): (usize, &Vec<Change>)| changes.last().map(|change| (attribute, change.value));
        self.changes.iter().enumerate().filter_map(last)
    }

    /// The attribute of which these attributes lack the last change.
    pub fn lost(&self, attributes: &Attributes) -> Option<usize> {
        self.last()
            .find(|&(attribute, last)| value(attributes, attribute) != Some(last))
            .map(|(attribute, _)| attribute)
    }

    /// Since when claims are out of date; `None` if they are not, as far as is known.
    pub fn outdated_since(&self, claims: &Attributes) -> Option<i64> {
        let changed_at = |(attribute, changes): (usize, &Vec<Change>)| {
            let known = value(claims, attribute);
            let at = changes.iter().rposition(|change| Some(change.value) == known);
            changes[at.map_or(0, |at| at + 1)..].iter().filter_map(|change| change.acknowledged).min()
        };
        self.changes.iter().enumerate().filter_map(changed_at).min()
    }
}
