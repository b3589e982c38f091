//! The configurations of the documentation in wrangler's other form: below each block in TOML stands the same as JSON
//! with comments.

use toml_edit::{DocumentMut, Item, RawString, Table, Value};

/// The pages with such blocks, from the root of the repository.
pub const PAGES: [&str; 9] = [
    "README.md",
    "docs/authorization.md",
    "docs/deploying.md",
    "docs/flask-jwt-extended.md",
    "docs/gateway.md",
    "docs/keys.md",
    "docs/operating.md",
    "docs/sessions.md",
    "docs/start/flask.md",
];

const BEGIN: &str = "\n<details><summary>wrangler.jsonc</summary>\n\n```jsonc\n";
const END: &str = "```\n\n</details>\n";
/// What fits on a line of JSON.
const WIDTH: usize = 100;

/// The page with a block of JSON below each of TOML, in place of the one that is there.
///
/// # Errors
/// Which block is no TOML, and why.
pub fn with_jsonc(page: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = page;
    while let Some(at) = rest.find("\n```toml\n") {
        let begin = at + "\n```toml\n".len();
        let length = rest[begin..].find("```\n").ok_or("a block in TOML has no end")?;
        let block = &rest[begin..begin + length];
        let after = begin + length + "```\n".len();
        out += &rest[..after];
        rest = &rest[after..];
        if let Some(old) = rest.strip_prefix(BEGIN) {
            let end = old.find(END).ok_or("a block in JSON has no end")?;
            rest = &old[end + END.len()..];
        }
        out += BEGIN;
        out += &converted(block)?;
        out += END;
    }
    Ok(out + rest)
}

/// A value with the comments that stand before it and behind it.
struct Node {
    before: Vec<String>,
    behind: Vec<String>,
    content: Content,
}

enum Content {
    /// JSON.
    Scalar(String),
    List(Vec<Node>),
    Table(Vec<(String, Node)>),
}

fn converted(block: &str) -> Result<String, String> {
    let document: DocumentMut = block.parse().map_err(|error| format!("{block}\n{error}"))?;
    let mut root = table(document.as_table())?;
    root.behind = comments(Some(document.trailing()));
    let mut text = String::new();
    write(&root, 0, &mut text);
    Ok(text + "\n")
}

fn comments(raw: Option<&RawString>) -> Vec<String> {
    let lines = raw.and_then(RawString::as_str).unwrap_or_default().lines();
    lines.filter_map(|line| Some(line.trim().strip_prefix('#')?.trim().to_owned())).collect()
}

/// What stands behind a table's heading is said of the whole table.
fn table(table: &Table) -> Result<Node, String> {
    let mut members = Vec::new();
    for (name, item) in table {
        let Some(mut node) = node(item)? else { continue };
        let of_key = comments(table.key(name).and_then(|key| key.leaf_decor().prefix()));
        node.before.splice(0..0, of_key);
        members.push((name.to_owned(), node));
    }
    let (prefix, suffix) = (table.decor().prefix(), table.decor().suffix());
    let before = [comments(prefix), comments(suffix)].concat();
    Ok(Node { before, behind: Vec::new(), content: Content::Table(members) })
}

fn node(item: &Item) -> Result<Option<Node>, String> {
    Ok(match item {
        Item::None => None,
        Item::Value(value) => Some(of_value(value)?),
        Item::Table(inner) => Some(table(inner)?),
        Item::ArrayOfTables(tables) => {
            let list = tables.iter().map(table).collect::<Result<_, _>>()?;
            Some(Node { before: Vec::new(), behind: Vec::new(), content: Content::List(list) })
        }
    })
}

fn of_value(value: &Value) -> Result<Node, String> {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let content = match value {
        Value::String(text) => Content::Scalar(quoted(text.value())),
        Value::Integer(number) => Content::Scalar(number.value().to_string()),
        Value::Float(number) => Content::Scalar(number.value().to_string()),
        Value::Boolean(on) => Content::Scalar(on.value().to_string()),
        Value::Datetime(date) => Content::Scalar(quoted(&date.value().to_string())),
        Value::Array(list) => Content::List(list.iter().map(of_value).collect::<Result<_, _>>()?),
        Value::InlineTable(table) => {
            let member = |(name, value): (&str, &Value)| Ok((name.to_owned(), of_value(value)?));
            Content::Table(table.iter().map(member).collect::<Result<_, String>>()?)
        }
    };
    let decor = value.decor();
    Ok(Node { before: comments(decor.prefix()), behind: comments(decor.suffix()), content })
}

/// On one line, unless a comment stands inside.
fn compact(node: &Node) -> Option<String> {
    let inside = |node: &Node| (node.before.is_empty() && node.behind.is_empty()).then(|| compact(node)).flatten();
    Some(match &node.content {
        Content::Scalar(text) => text.clone(),
        Content::List(list) => format!("[{}]", list.iter().map(inside).collect::<Option<Vec<_>>>()?.join(", ")),
        Content::Table(members) if members.is_empty() => "{}".into(),
        Content::Table(members) => {
            let member = |(name, node): &(String, Node)| Some(format!("\"{name}\": {}", inside(node)?));
            format!("{{ {} }}", members.iter().map(member).collect::<Option<Vec<_>>>()?.join(", "))
        }
    })
}

fn write(node: &Node, depth: usize, out: &mut String) {
    if depth > 0
        && let Some(text) = compact(node).filter(|text| 2 * depth + text.len() <= WIDTH)
    {
        *out += &text;
        return;
    }
    let (open, close, members): (_, _, Vec<(Option<&str>, &Node)>) = match &node.content {
        Content::Scalar(text) => {
            *out += text;
            return;
        }
        Content::List(list) => ("[", "]", list.iter().map(|one| (None, one)).collect()),
        Content::Table(members) => ("{", "}", members.iter().map(|(name, one)| (Some(name.as_str()), one)).collect()),
    };
    let line = |out: &mut String| *out += &format!("\n{}", "  ".repeat(depth + 1));
    *out += open;
    let last = members.len().saturating_sub(1);
    for (at, (name, one)) in members.into_iter().enumerate() {
        for comment in &one.before {
            line(out);
            *out += &format!("// {comment}");
        }
        line(out);
        if let Some(name) = name {
            *out += &format!("\"{name}\": ");
        }
        write(one, depth + 1, out);
        if at < last {
            *out += ",";
        }
        if !one.behind.is_empty() {
            *out += &format!(" // {}", one.behind.join(" "));
        }
    }
    for comment in node.behind.iter().filter(|_| depth == 0) {
        line(out);
        *out += &format!("// {comment}");
    }
    *out += &format!("\n{}{close}", "  ".repeat(depth));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_block_has_the_same_in_json_with_its_comments() {
        let page = "x\n```toml\n# first\nname = \"a\"  # of it\n\n[vars]\nA = [1, true]\n\n[[vars.R]]   # here\npath = \"/x\" # p\n[[vars.R]]\npath = \"/y\"\nto = { a = 'b' }\n```\ny\n";
        let with = with_jsonc(page).unwrap();
        let expected = "{\n  // first\n  \"name\": \"a\", // of it\n  \"vars\": {\n    \"A\": [1, true],\n    \"R\": [\n      // here\n      {\n        \"path\": \"/x\" // p\n      },\n      { \"path\": \"/y\", \"to\": { \"a\": \"b\" } }\n    ]\n  }\n}\n";
        assert!(with.contains(expected), "{with}");
        assert_eq!(with_jsonc(&with).unwrap(), with, "a second time changes nothing");
    }

    #[test]
    fn the_pages_have_them() {
        for page in PAGES {
            let text = std::fs::read_to_string(format!("{}/../{page}", env!("CARGO_MANIFEST_DIR"))).unwrap();
            assert!(with_jsonc(&text).as_ref() == Ok(&text), "{page}: run `cargo xtask docs`");
        }
    }
}
