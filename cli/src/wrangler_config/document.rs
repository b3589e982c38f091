//! A configuration file as a tree with positions: TOML, or JSON with comments.
//!
//! **What always holds:** files are read as wrangler reads them: the last of duplicate members wins (JSON), a date is a
//! string (TOML), comments and trailing commas are allowed in `.json` and `.jsonc`.

use jsonc_parser::{CollectOptions, ParseOptions, ast, common::Ranged as _, errors::ParseErrorKind, parse_to_ast};
use std::path::Path;
use tollgate::rules::json::{Map, Value};
use toml_edit::{Document, Item, TableLike};

/// A value and its byte offset.
#[derive(Debug)]
pub struct Node {
    at: usize,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Table(Vec<Member>),
    List(Vec<Node>),
    Scalar(Value),
}

/// A member of a table.
#[derive(Debug)]
pub struct Member {
    name: String,
    /// Byte offset of the name.
    key_at: usize,
    /// Byte offset of the table's heading, else of the name.
    heading_at: usize,
    node: Node,
}

impl Member {
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn key_at(&self) -> usize {
        self.key_at
    }

    pub fn heading_at(&self) -> usize {
        self.heading_at
    }

    pub fn node(&self) -> &Node {
        &self.node
    }
}

/// Why a file can't be parsed, with the byte offset.
pub struct Malformed {
    pub at: usize,
    pub text: String,
}

impl Node {
    /// Parses a file in the form that its extension names.
    pub fn read(path: &Path, text: &str) -> Result<Self, Malformed> {
        if is_json(path) { read_json(text) } else { read_toml(text) }
    }

    pub fn at(&self) -> usize {
        self.at
    }

    /// The last member of this name, if this is a table that has one.
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.members().iter().rev().find(|member| member.name == name)
    }

    /// The value of [`Self::member`].
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.member(name).map(Member::node)
    }

    pub fn members(&self) -> &[Member] {
        match &self.content {
            Content::Table(members) => members,
            Content::List(_) | Content::Scalar(_) => &[],
        }
    }

    pub fn is_table(&self) -> bool {
        matches!(self.content, Content::Table(_))
    }

    pub fn elements(&self) -> &[Node] {
        match &self.content {
            Content::List(elements) => elements,
            Content::Table(_) | Content::Scalar(_) => &[],
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(value) => value.as_str(),
            Content::Table(_) | Content::List(_) => None,
        }
    }

    /// The value of a member that is a string.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    pub fn to_json(&self) -> Value {
        match &self.content {
            Content::Table(members) => {
                members.iter().map(|member| (member.name.clone(), member.node.to_json())).collect::<Map<_, _>>().into()
            }
            Content::List(elements) => elements.iter().map(Self::to_json).collect(),
            Content::Scalar(value) => value.clone(),
        }
    }
}

/// Whether this is a JSON file, by its extension.
pub fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|end| end.eq_ignore_ascii_case("json") || end.eq_ignore_ascii_case("jsonc"))
}

fn read_json(text: &str) -> Result<Node, Malformed> {
    // As in wrangler: JSON, comments and trailing commas. The parser's defaults allow more.
    let options = ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    // The parser rejects a byte order mark, so its offsets begin after the mark.
    let mark = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let parsed = parse_to_ast(&text[mark..], &CollectOptions::default(), &options).map_err(|error| {
        let is_open = matches!(error.kind(), ParseErrorKind::UnterminatedObject | ParseErrorKind::UnterminatedArray);
        let at = if is_open { text.trim_end().len() } else { mark + error.range().start };
        Malformed { at, text: format!("not JSON: {}", error.kind()) }
    })?;
    match parsed.value {
        Some(value @ ast::Value::Object(_)) => Ok(of_json(&value, mark)),
        Some(other) => Err(Malformed { at: mark + other.start(), text: "not an object: write { … }".into() }),
        None => Err(Malformed { at: 0, text: "empty: write { … }".into() }),
    }
}

fn of_json(value: &ast::Value<'_>, mark: usize) -> Node {
    let content = match value {
        ast::Value::Object(object) => Content::Table(
            object
                .properties
                .iter()
                .map(|property| {
                    let at = mark + property.name.start();
                    let node = of_json(&property.value, mark);
                    Member { name: property.name.as_str().to_owned(), key_at: at, heading_at: at, node }
                })
                .collect(),
        ),
        ast::Value::Array(array) => {
            Content::List(array.elements.iter().map(|element| of_json(element, mark)).collect())
        }
        ast::Value::StringLit(text) => Content::Scalar(text.value.as_ref().into()),
        ast::Value::NumberLit(number) => Content::Scalar(serde_json::from_str(number.value).unwrap_or_default()),
        ast::Value::BooleanLit(on) => Content::Scalar(on.value.into()),
        ast::Value::NullKeyword(_) => Content::Scalar(Value::Null),
    };
    Node { at: mark + value.start(), content }
}

fn read_toml(text: &str) -> Result<Node, Malformed> {
    let document: Document<&str> = Document::parse(text).map_err(|error| Malformed {
        at: error.span().map_or(0, |span| span.start),
        text: format!("not TOML: {}", error.message().trim()),
    })?;
    Ok(Node { at: 0, content: Content::Table(members(document.as_table())) })
}

fn members(table: &dyn TableLike) -> Vec<Member> {
    let names = table.iter().map(|(name, _)| name.to_owned());
    let member = |name: String| {
        let (key, item) = table.get_key_value(&name)?;
        let key_at = key.span().map_or(0, |span| span.start);
        let heading = item.as_table().and_then(toml_edit::Table::span);
        let node = of_toml(item, key_at);
        Some(Member { key_at, heading_at: heading.map_or(key_at, |span| span.start), node, name })
    };
    names.filter_map(member).collect()
}

/// `key_at` is used for a value without a position.
fn of_toml(item: &Item, key_at: usize) -> Node {
    let at = item.span().map_or(key_at, |span| span.start);
    let content = if let Some(array) = item.as_array_of_tables() {
        let element = |table: &toml_edit::Table| Node {
            at: table.span().map_or(key_at, |span| span.start),
            content: Content::Table(members(table)),
        };
        Content::List(array.iter().map(element).collect())
    } else if let Some(table) = item.as_table_like() {
        Content::Table(members(table))
    } else {
        item.as_value().map_or(Content::Scalar(Value::Null), |value| of_toml_value(value).content)
    };
    Node { at, content }
}

fn of_toml_value(value: &toml_edit::Value) -> Node {
    use toml_edit::Value as Toml;
    let content = match value {
        Toml::String(text) => Content::Scalar(text.value().clone().into()),
        Toml::Integer(number) => Content::Scalar((*number.value()).into()),
        Toml::Float(number) => Content::Scalar((*number.value()).into()),
        Toml::Boolean(on) => Content::Scalar((*on.value()).into()),
        Toml::Datetime(date) => Content::Scalar(date.value().to_string().into()),
        Toml::Array(array) => Content::List(array.iter().map(of_toml_value).collect()),
        Toml::InlineTable(table) => Content::Table(members(table)),
    };
    Node { at: value.span().map_or(0, |span| span.start), content }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn both_kinds_of_file_are_one_tree() {
        let toml =
            "a = 1\nd = 2026-11-30\n[vars]\nX = \"é\"\n[[vars.ROUTES]]\npath = \"/\"\n[[vars.ROUTES]]\npath = \"/b\"\n";
        let jsonc = "\u{feff}{ // a comment\n \"a\": 1, \"d\": \"2026-11-30\",\n \"vars\": {\"X\": \"\\u00e9\", /* another */ \"ROUTES\": [{\"path\": \"/\"},\n {\"path\": \"/b\",}]},\n}";
        let expected =
            json!({"a": 1, "d": "2026-11-30", "vars": {"X": "é", "ROUTES": [{"path": "/"}, {"path": "/b"}]}});
        for (name, text) in [("wrangler.toml", toml), ("wrangler.jsonc", jsonc), ("wrangler.json", jsonc)] {
            let Ok(tree) = Node::read(Path::new(name), text) else { panic!("{name}") };
            assert_eq!(tree.to_json(), expected, "{name}");
            let vars = tree.member("vars").unwrap();
            let routes = vars.node().member("ROUTES").unwrap();
            let second = &routes.node().elements()[1];
            for (at, begins) in [
                (tree.member("a").unwrap().key_at(), ["a", "\"a\""]),
                (vars.heading_at(), ["[vars]", "\"vars\""]),
                (vars.node().member("X").unwrap().key_at(), ["X", "\"X\""]),
                (second.member("path").unwrap().key_at(), ["path = \"/b\"", "\"path\": \"/b\""]),
                (second.at(), ["[[vars.ROUTES]]\npath = \"/b\"", "{\"path\": \"/b\""]),
            ] {
                assert!(begins.iter().any(|begin| text[at..].starts_with(begin)), "{name} {at} {begins:?}");
            }
        }
    }

    #[test]
    fn what_is_no_such_file_has_a_place() {
        for (name, text, at, part) in [
            ("a.toml", "a = 1\nb = \n", 10, "not TOML"),
            ("a.json", "{\"a\": 1 \"b\": 2}", 8, "not JSON"),
            ("a.json", "{'a': 1}", 1, "not JSON"),
            ("a.json", "{\"a\": [1]\n", 9, "not JSON"),
            ("a.jsonc", "[]", 0, "not an object"),
            ("a.jsonc", "", 0, "empty"),
        ] {
            let malformed = Node::read(Path::new(name), text).map(drop).unwrap_err();
            assert!(malformed.text.contains(part), "{text}: {}", malformed.text);
            assert!(malformed.at.abs_diff(at) <= 2, "{text}: {}", malformed.at);
        }
    }
}
