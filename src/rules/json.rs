//! Reads and writes JSON.
//!
//! **What always holds, reading:** one object, UTF-8, no repeated member at any depth (serde-rs/json#762: two readers
//! may disagree on which one counts), no `NaN`, no lone surrogate, at most 128 levels (serde_json's limit).
//! **Writing:** compact, non-ASCII as `\uXXXX`, as both Flask libraries write it.

use serde::{Deserialize, Deserializer, Serialize, de};
pub use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// The error for a text that is not a JSON object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAnObject {
    /// Not JSON under the rules of this module.
    NotJson,
    /// JSON, but an array, string, number, boolean or null.
    OtherType,
}

/// Reads one JSON object.
///
/// # Errors
/// [`NotAnObject`], which contains nothing of the text.
pub fn object(text: &[u8]) -> Result<Map<String, Value>, NotAnObject> {
    match serde_json::from_slice::<Unique>(text) {
        Ok(Unique(Value::Object(members))) => Ok(members),
        Ok(_) => Err(NotAnObject::OtherType),
        Err(_) => Err(NotAnObject::NotJson),
    }
}

/// The members of an object of which only a few are read: cheaper than [`Map`], since no index is built.
pub struct Members<'t>(Vec<(Cow<'t, str>, Value)>);

impl Members<'_> {
    /// The value of the member with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

/// Reads one JSON object, under the same rules as [`object`].
///
/// # Errors
/// [`NotAnObject`], which contains nothing of the text.
pub fn members(text: &[u8]) -> Result<Members<'_>, NotAnObject> {
    if !text.trim_ascii_start().starts_with(b"{") {
        return Err(object(text).err().unwrap_or(NotAnObject::OtherType));
    }
    let members: Members<'_> = serde_json::from_slice(text).map_err(|_| NotAnObject::NotJson)?;
    // Few names are compared pairwise; many are checked by building the map, since pairs grow with the square.
    if members.0.len() > FEW {
        object(text)?;
    } else if members.0.iter().enumerate().any(|(at, (name, _))| members.0[..at].iter().any(|(other, _)| other == name))
    {
        return Err(NotAnObject::NotJson);
    }
    Ok(members)
}

/// The value that a name of the configuration means in a token's claims: a member of exactly this name; else, with a
/// slash at the beginning, a JSON Pointer (RFC 6901), and with dots a path through objects.
#[must_use]
pub fn find<'c>(claims: &'c Map<String, Value>, name: &str) -> Option<&'c Value> {
    if let Some(value) = claims.get(name) {
        return Some(value);
    }
    let (first, rest) = match name.strip_prefix('/') {
        Some(pointer) => {
            let (first, rest) = pointer.split_once('/').map_or((pointer, None), |(first, rest)| (first, Some(rest)));
            let value = claims.get(&first.replace("~1", "/").replace("~0", "~"))?;
            return rest.map_or(Some(value), |rest| value.pointer(&format!("/{rest}")));
        }
        None => name.split_once('.')?,
    };
    let inside = claims.get(first)?.as_object()?;
    find_inside(inside, rest)
}

fn find_inside<'c>(object: &'c Map<String, Value>, path: &str) -> Option<&'c Value> {
    match path.split_once('.') {
        None => object.get(path),
        Some((first, rest)) => find_inside(object.get(first)?.as_object()?, rest),
    }
}

/// Up to this many members are compared pairwise. Most tokens have fewer.
const FEW: usize = 16;

/// Writes a value compactly in ASCII.
///
/// # Panics
/// If a map in `value` has keys that are not strings; nothing in this crate has.
#[must_use]
pub fn to_ascii<T: Serialize + ?Sized>(value: &T) -> String {
    let mut text = Vec::with_capacity(128);
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut text, Ascii)).expect("members are named by text");
    String::from_utf8(text).expect("ASCII")
}

/// A JSON value; deserialising it fails on repeated members at any depth.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor).map(Self)
    }
}

struct Visitor;

impl<'de> de::Visitor<'de> for Visitor {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
        Ok(v.into())
    }
    fn visit_i64<E>(self, v: i64) -> Result<Value, E> {
        Ok(v.into())
    }
    fn visit_u64<E>(self, v: u64) -> Result<Value, E> {
        Ok(v.into())
    }
    fn visit_f64<E>(self, v: f64) -> Result<Value, E> {
        Ok(v.into())
    }
    fn visit_str<E>(self, v: &str) -> Result<Value, E> {
        Ok(v.into())
    }
    fn visit_string<E>(self, v: String) -> Result<Value, E> {
        Ok(v.into())
    }
    fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Unique(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(items.into())
    }
    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some((name, Unique(value))) = map.next_entry::<String, Unique>()? {
            if members.insert(name, value).is_some() {
                return Err(de::Error::custom("repeated member"));
            }
        }
        Ok(members.into())
    }
}

/// Keeps repeated members; [`members`] checks for them.
impl<'t> Deserialize<'t> for Members<'t> {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'t> de::Visitor<'t> for MembersVisitor {
    type Value = Members<'t>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }
    fn visit_map<A: de::MapAccess<'t>>(self, mut map: A) -> Result<Members<'t>, A::Error> {
        let mut members = Vec::with_capacity(8);
        while let Some((Name(name), Unique(value))) = map.next_entry()? {
            members.push((name, value));
        }
        Ok(Members(members))
    }
}

/// The name of a member, borrowed from the text if it contains no escapes.
struct Name<'t>(Cow<'t, str>);

impl<'t> Deserialize<'t> for Name<'t> {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NameVisitor)
    }
}

struct NameVisitor;

impl<'t> de::Visitor<'t> for NameVisitor {
    type Value = Name<'t>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a name")
    }
    fn visit_borrowed_str<E>(self, name: &'t str) -> Result<Name<'t>, E> {
        Ok(Name(Cow::Borrowed(name)))
    }
    fn visit_str<E>(self, name: &str) -> Result<Name<'t>, E> {
        Ok(Name(Cow::Owned(name.to_owned())))
    }
}

struct Ascii;

impl serde_json::ser::Formatter for Ascii {
    fn write_string_fragment<W: ?Sized + std::io::Write>(&mut self, writer: &mut W, text: &str) -> std::io::Result<()> {
        let mut units = [0; 2];
        let mut rest = text;
        while let Some(at) = rest.find(|c: char| !c.is_ascii() || c == '\x7f') {
            writer.write_all(&rest.as_bytes()[..at])?;
            let other = rest[at..].chars().next().expect("found one");
            for unit in other.encode_utf16(&mut units) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &rest[at + other.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_a_member_a_path_or_a_pointer() {
        let Value::Object(claims) = json!({
            "role": "admin", "a.b": 1, "a": {"b": 2, "c": {"d": 3}}, "https://x.example/role": 4, "/p": 5, "l": [6, {"m/n": 7}],
        }) else {
            unreachable!()
        };
        for (name, value) in [
            ("role", json!("admin")),
            ("a.b", json!(1)),
            ("a.c.d", json!(3)),
            ("https://x.example/role", json!(4)),
            ("/p", json!(5)),
            ("/a/b", json!(2)),
            ("/a.b", json!(1)),
            ("/l/0", json!(6)),
            ("/l/1/m~1n", json!(7)),
            ("/role", json!("admin")),
        ] {
            assert_eq!(find(&claims, name), Some(&value), "{name}");
        }
        for name in ["", ".", "a.", ".a", "a.b.c", "role.x", "l.0", "/", "/a/x", "/l/2", "x"] {
            assert_eq!(find(&claims, name), None, "{name}");
        }
    }

    #[test]
    fn only_one_plain_object_is_read() {
        for (text, outcome) in [
            (&b"{}"[..], Ok(0)),
            (b" {\"a\": [1, {\"b\": null}]} \n", Ok(1)),
            (b"[1]", Err(NotAnObject::OtherType)),
            (b"null", Err(NotAnObject::OtherType)),
            (b"", Err(NotAnObject::NotJson)),
            (b"{\"a\":1,\"a\":1}", Err(NotAnObject::NotJson)),
            (b"{\"a\":1,\"\\u0061\":2}", Err(NotAnObject::NotJson)),
            (b"{\"a\":[{\"b\":1,\"b\":2}]}", Err(NotAnObject::NotJson)),
            (b"{\"a\":NaN}", Err(NotAnObject::NotJson)),
            (b"{\"a\":1e400}", Err(NotAnObject::NotJson)),
            (b"{\"a\":\"\\ud800\"}", Err(NotAnObject::NotJson)),
            (b"{\"a\":\"\xff\"}", Err(NotAnObject::NotJson)),
            (b"\xef\xbb\xbf{}", Err(NotAnObject::NotJson)),
            (b"{} x", Err(NotAnObject::NotJson)),
            (b"{\"a\":1,}", Err(NotAnObject::NotJson)),
        ] {
            assert_eq!(object(text).map(|members| members.len()), outcome, "{}", String::from_utf8_lossy(text));
            assert_eq!(members(text).map(|members| members.0.len()), outcome, "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn a_member_that_comes_again_is_found_among_few_and_among_many() {
        for many in [2, FEW, FEW + 1, 100] {
            let names: Vec<String> = (1..many).map(|at| format!("\"n{at}\":{at}")).collect();
            let good = format!("{{{}}}", names.join(","));
            assert_eq!(members(good.as_bytes()).unwrap().get("n1"), Some(&1.into()));
            let again = format!("{{{},\"n1\":1}}", names.join(","));
            assert_eq!(members(again.as_bytes()).err(), Some(NotAnObject::NotJson), "{many}");
        }
    }

    #[test]
    fn depth_is_limited_without_a_crash() {
        let deep = |n| format!("{{\"a\":{}{}}}", "[".repeat(n), "]".repeat(n));
        assert!(object(deep(100).as_bytes()).is_ok());
        assert_eq!(object(deep(100_000).as_bytes()), Err(NotAnObject::NotJson));
        assert!(members(deep(100).as_bytes()).is_ok());
        assert_eq!(members(deep(100_000).as_bytes()).err(), Some(NotAnObject::NotJson));
    }

    #[test]
    fn text_beyond_ascii_is_escaped_as_python_does() {
        assert_eq!(
            to_ascii(&serde_json::json!({"é": "a\u{1F600}\n\u{7f}\"z"})),
            r#"{"\u00e9":"a\ud83d\ude00\n\u007f\"z"}"#
        );
    }
}
