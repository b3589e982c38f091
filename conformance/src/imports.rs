//! Import circles between the files of one crate.
//!
//! **What always holds:** a file imports another if a path in it ends at an item of that file; re-exports are followed
//! to the file that defines the item. Declaring a module and re-exporting its items is no import. Code under
//! `#[cfg(test)]` is not read.
//!
//! **What it does not do:** see methods: an `impl` block may be in any file. Paths in macros of other crates and names
//! that come by a glob re-export are not followed either.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fs,
    path::{Path, PathBuf},
};

/// The folders whose files are one crate each.
const CRATES: [&str; 7] = ["src", "cli/src", "conformance/src", "xtask/src", "bench/src", "simulate/src", "worker/src"];

/// Re-exports are followed at most this many times for one path.
const MAX_REEXPORTS: usize = 16;

/// Every circle, as `FILE:1: text`: for each set of files that import each other one of the shortest.
///
/// # Errors
/// If a file can't be read.
pub fn circles(root: &Path) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    for folder in CRATES {
        found.extend(circles_in(root, Path::new(folder))?);
    }
    Ok(found)
}

fn circles_in(root: &Path, folder: &Path) -> Result<Vec<String>, String> {
    let tree = Crate::read(root, folder)?;
    let imports = tree.imports();
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    for &file in imports.keys() {
        let Some(circle) = shortest(&imports, file, file).filter(|_| !seen.contains(file)) else { continue };
        let is_of_set =
            |other: &&&Path| shortest(&imports, file, other).is_some() && shortest(&imports, other, file).is_some();
        seen.extend(imports.keys().filter(is_of_set).copied());
        let names: Vec<String> = circle.iter().map(|file| file.display().to_string()).collect();
        found.push(format!("{}:1: import circle: {}", file.display(), names.join(" → ")));
    }
    Ok(found)
}

/// The modules of a crate by their paths from its root.
struct Crate(BTreeMap<Vec<String>, Module>);

#[derive(Default)]
struct Module {
    file: PathBuf,
    children: BTreeSet<String>,
    /// Names that `use` items bring into scope, with their paths.
    uses: BTreeMap<String, Vec<String>>,
    /// The paths that make this file import others.
    paths: BTreeSet<Vec<String>>,
}

impl Crate {
    fn read(root: &Path, folder: &Path) -> Result<Self, String> {
        let first =
            ["lib.rs", "main.rs"].map(|name| folder.join(name)).into_iter().find(|file| root.join(file).exists());
        let mut modules = BTreeMap::new();
        let mut open: Vec<(Vec<String>, PathBuf)> = first.into_iter().map(|file| (Vec::new(), file)).collect();
        while let Some((path, file)) = open.pop() {
            let text = fs::read_to_string(root.join(&file)).map_err(|error| format!("{}: {error}", file.display()))?;
            let module = Module { file, ..Module::parse(&tokens(&text)) };
            for child in &module.children {
                let child_path = [&path[..], std::slice::from_ref(child)].concat();
                let stem = folder.join(child_path.join("/"));
                let files = [stem.with_extension("rs"), stem.join("mod.rs")];
                open.extend(files.into_iter().find(|file| root.join(file).exists()).map(|file| (child_path, file)));
            }
            modules.insert(path, module);
        }
        Ok(Self(modules))
    }

    /// The module that defines the item at the end of a path; `None` if the path leaves the crate or ends at a module.
    fn resolve(&self, from: &[String], path: &[String], reexports: usize) -> Option<Vec<String>> {
        let mut module = from.to_vec();
        let mut rest = path;
        let first = path.first()?;
        let here = self.0.get(from)?;
        match first.as_str() {
            "crate" => module.clear(),
            "self" => {}
            "super" => drop(module.pop()?),
            name if here.children.contains(name) || here.uses.contains_key(name) => rest = &[],
            _ => return None,
        }
        rest = if rest.is_empty() { path } else { &path[1..] };
        while let Some((name, after)) = rest.split_first() {
            let here = self.0.get(&module)?;
            if name == "super" {
                module.pop()?;
            } else if here.children.contains(name) {
                module.push(name.clone());
            } else if let Some(target) = here.uses.get(name).filter(|_| reexports < MAX_REEXPORTS) {
                // A path to an external crate ends there.
                return self.resolve(&module, &[target, after].concat(), reexports + 1);
            } else {
                return Some(module);
            }
            rest = after;
        }
        None
    }

    /// The files that each file imports.
    fn imports(&self) -> BTreeMap<&Path, BTreeSet<&Path>> {
        let imports = self.0.iter().map(|(path, module)| {
            let targets = module.paths.iter().filter_map(|target| self.resolve(path, target, 0));
            let files = targets.filter_map(|target| Some(self.0.get(&target)?.file.as_path()));
            (module.file.as_path(), files.filter(|file| *file != module.file).collect())
        });
        imports.collect()
    }
}

/// The shortest way from one file to another by one import or more.
fn shortest<'p>(
    imports: &BTreeMap<&'p Path, BTreeSet<&'p Path>>,
    from: &'p Path,
    to: &'p Path,
) -> Option<Vec<&'p Path>> {
    let mut open = VecDeque::from([vec![from]]);
    let mut seen = BTreeSet::new();
    while let Some(way) = open.pop_front() {
        for &next in imports.get(way.last()?)? {
            let way = [&way[..], &[next]].concat();
            if next == to {
                return Some(way);
            }
            if seen.insert(next) {
                open.push_back(way);
            }
        }
    }
    None
}

impl Module {
    fn parse(tokens: &[String]) -> Self {
        let mut module = Self::default();
        let mut names = BTreeSet::new();
        let mut exported = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            let rest = &tokens[at..];
            if is_test_attribute(rest) {
                at += item_length(rest);
            } else if rest[0] == "mod" && rest.get(2).is_some_and(|end| end == ";") {
                module.children.insert(rest[1].clone());
                at += 3;
            } else if rest[0] == "use" {
                let mut tree = Vec::new();
                at += 1 + use_tree(&rest[1..], &[], &mut tree);
                let is_public = tokens[..at - 1].iter().rev().skip_while(|token| *token != "use").nth(1);
                let is_public = is_public.is_some_and(|token| token == "pub" || token == ")");
                for (name, path) in tree {
                    if is_public {
                        exported.push((name.clone(), path.clone()));
                    } else {
                        module.paths.insert(path.clone());
                    }
                    module.uses.insert(name, path);
                }
            } else if is_name(&rest[0]) {
                let mut path = vec![rest[0].clone()];
                at += 1;
                while tokens.get(at).is_some_and(|token| token == "::")
                    && tokens.get(at + 1).is_some_and(|next| is_name(next))
                {
                    path.push(tokens[at + 1].clone());
                    at += 2;
                }
                names.insert(path[0].clone());
                if path.len() > 1 {
                    module.paths.insert(path);
                }
            } else {
                at += 1;
            }
        }
        // What a file exports and uses itself, it imports.
        module.paths.extend(exported.into_iter().filter(|(name, _)| names.contains(name)).map(|(_, path)| path));
        module
    }
}

/// Reads one tree of a `use` item, up to the token after it; gives each name with its path. Returns the tree's length.
fn use_tree(tokens: &[String], before: &[String], found: &mut Vec<(String, Vec<String>)>) -> usize {
    let mut path = before.to_vec();
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at].as_str() {
            "::" => {}
            "{" => {
                at += 1;
                while tokens[at] != "}" {
                    at += use_tree(&tokens[at..], &path, found);
                    at += usize::from(tokens[at] == ",");
                }
                return at + 1;
            }
            "as" => {
                found.push((tokens[at + 1].clone(), path));
                return at + 2;
            }
            "self" if !path.is_empty() => {}
            "," | "}" | ";" => break,
            name => path.push(name.to_owned()),
        }
        at += 1;
    }
    found.extend(path.last().cloned().map(|name| (name, path)));
    at
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn is_test_attribute(tokens: &[String]) -> bool {
    let start = ["#", "[", "cfg", "("];
    tokens.iter().take(4).eq(start.iter())
        && tokens.iter().skip(4).take_while(|token| *token != "]").any(|token| token == "test")
}

/// The tokens of an item with its attributes: up to a semicolon, or the end of its braces.
fn item_length(tokens: &[String]) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "{" => depth += 1,
            "}" if depth == 1 => return at + 1,
            "}" => depth -= 1,
            ";" if depth == 0 => return at + 1,
            _ => {}
        }
    }
    tokens.len()
}

/// Names, `::` and single characters; without comments and the content of texts.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(hashes) = raw_text(rest) {
            let end = format!("\"{}", "#".repeat(hashes));
            let start = rest.find('"').unwrap_or_default() + 1;
            rest[start..].find(&end).map_or(rest.len(), |at| start + at + end.len())
        } else if first == '"' {
            quoted_length(rest, '"')
        } else if first == '\'' && (rest[1..].starts_with('\\') || rest.chars().nth(2) == Some('\'')) {
            quoted_length(rest, '\'')
        } else if is_part(first) {
            let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
            tokens.push(rest[..length].to_owned());
            length
        } else if rest.starts_with("::") {
            tokens.push("::".to_owned());
            2
        } else {
            tokens.extend((!first.is_whitespace()).then(|| first.to_string()));
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    tokens
}

/// How many `#` a raw text begins with, if there is one here.
fn raw_text(text: &str) -> Option<usize> {
    let rest = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    rest[hashes..].starts_with('"').then_some(hashes)
}

/// The length of a quoted text, with its quotes.
fn quoted_length(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_is_found_through_reexports() {
        let folder = std::env::temp_dir().join(format!("tollgate-imports-{}", std::process::id()));
        for (name, text) in [
            ("lib.rs", "mod one; mod alone; mod tree; pub use tree::Leaf;"),
            // `Leaf` is defined in leaf.rs; texts, comments and tests import nothing.
            ("one.rs", "use crate::{tree::{Leaf as Other}}; pub struct One<'a>(&'a str); // crate::alone::A"),
            ("alone.rs", "use crate::one::One; const A: char = '\"'; #[cfg(test)] mod tests { use crate::alone::A; }"),
            ("tree/mod.rs", "mod branch; mod leaf; pub use {branch::grow, leaf::Leaf};"),
            ("tree/branch.rs", "use super::Leaf; pub fn grow() { r#\"crate::tree::grow\"#; }"),
            (
                "tree/leaf.rs",
                "pub struct Leaf; fn two() { let _ = crate::one::One(\"crate::alone::A\"); super::grow() }",
            ),
        ] {
            let path = folder.join("src").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let found = circles_in(&folder, Path::new("src")).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        // A second circle, of branch.rs and leaf.rs, is in the same set.
        assert_eq!(found, ["src/one.rs:1: import circle: src/one.rs → src/tree/leaf.rs → src/one.rs"]);
    }
}
