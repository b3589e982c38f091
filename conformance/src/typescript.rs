//! docs/typescript.md: the reference of the npm package, from its types (worker/*.d.mts).

use std::fmt::Write as _;

/// What the package exports: its name there, its types, and what it is.
const MODULES: [(&str, &str, &str); 4] = [
    (
        "tollgate",
        "worker/index.d.mts",
        "The gate before a worker's own code, and the classes that the worker's main file exports.",
    ),
    (
        "tollgate/worker",
        "worker/worker.d.mts",
        "The gate alone: `export { Account, default, Revocations } from \"tollgate/worker\"`.",
    ),
    ("tollgate/hono", "worker/hono.d.mts", "Middleware for hono."),
    ("tollgate/client", "worker/client.d.mts", "A client of the gate, for pages and servers."),
];

/// The page. `read` gives the text of a file of the repository.
///
/// # Errors
/// Those of `read`.
pub fn page(mut read: impl FnMut(&str) -> Result<String, String>) -> Result<String, String> {
    let mut page = String::from(
        "# The npm package: types and functions\n\n\
         <!-- Written by `cargo xtask docs`, from worker/*.d.mts. -->\n\n\
         How to use it: [worker/README.md](../worker/README.md). `tollgate/wrangler.schema.json` is the JSON Schema of \
         wrangler's configuration with the gate's variables.\n",
    );
    for (name, file, meaning) in MODULES {
        let _ = write!(page, "\n## `{name}`\n\n{meaning}\n");
        for item in items(&read(file)?) {
            let _ = write!(page, "\n### {}\n\n{}```ts\n{}\n```\n", item.name, item.meaning, item.declaration);
        }
    }
    Ok(page)
}

struct Item {
    name: String,
    /// A paragraph with a line feed and an empty line behind it, or nothing.
    meaning: String,
    declaration: String,
}

/// The exported declarations, each with the comment that stands before it.
fn items(text: &str) -> Vec<Item> {
    let mut items = Vec::new();
    let mut comment: Vec<&str> = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line.starts_with("/**") || line.starts_with(" *") {
            comment.push(
                line.trim_start_matches("/**")
                    .trim_start_matches(" */")
                    .trim_start_matches(" *")
                    .trim_end_matches("*/")
                    .trim(),
            );
            continue;
        }
        if line.starts_with("export ") && !line.starts_with("export {") && !line.starts_with("export default") {
            let mut declaration = vec![line];
            // It ends where the next one, or its comment, begins.
            while lines.peek().is_some_and(|next| !next.is_empty()) {
                declaration.extend(lines.next());
            }
            let name = line.split(['(', '<', ' ', ':', '{', ';']).nth(2).unwrap_or_default().to_owned();
            let meaning = paragraph(&comment);
            items.push(Item { name, meaning, declaration: declaration.join("\n") });
        }
        comment.clear();
    }
    items
}

fn paragraph(comment: &[&str]) -> String {
    let text = comment.join("\n").trim().to_owned();
    if text.is_empty() { text } else { format!("{}\n\n", text.replace("@throws", "Throws")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_has_its_comment_and_its_whole_declaration() {
        let text = "import x;\n\n/** Not exported. */\ntype A = 1;\n\n/** One. */\nexport const a: number;\n\n/**\n * Two\n * lines.\n *\n * @throws never.\n */\nexport interface B<T> {\n  /** inside */\n  c: T;\n}\n\nexport { z } from \"z\";\n";
        let items = items(text);
        let all: Vec<_> = items.iter().map(|it| (it.name.as_str(), it.meaning.as_str())).collect();
        assert_eq!(all, [("a", "One.\n\n"), ("B", "Two\nlines.\n\nThrows never.\n\n")]);
        assert_eq!(items[1].declaration, "export interface B<T> {\n  /** inside */\n  c: T;\n}");
    }

    #[test]
    fn the_page_is_that_of_the_types() {
        let read = |name: &str| {
            std::fs::read_to_string(format!("{}/../{name}", env!("CARGO_MANIFEST_DIR")))
                .map_err(|error| error.to_string())
        };
        assert!(read("docs/typescript.md") == page(read), "docs/typescript.md: run `cargo xtask docs`");
    }
}
