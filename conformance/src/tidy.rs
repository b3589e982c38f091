//! Checks of what the repository states about itself: `cargo xtask tidy`.
//!
//! **What always holds:** only files that git tracks are checked; each finding has a file and a line. Checked: each
//! module has a header; each path, link and anchor in a page or a comment exists; each end-to-end file is in
//! tests/e2e/README.md; each code of a rejection and each log event is in docs/errors.md; each test that
//! tests/README.md names exists; comments have at most 120 columns; no phrase of `PHRASES` is used; files of a crate
//! import each other in no circle (`imports.rs`).
//!
//! **What it does not do:** judge language beyond that list, or check files that other commands write.

use crate::imports;
use regex::Regex;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

/// Maximum columns of a line, as in rustfmt.toml.
const MAX_COLUMNS: usize = 120;

/// Phrases that were replaced by plainer ones, in lower case.
const PHRASES: &[&str] = &[
    "is told whole",
    "as if nothing were said",
    "the only entrance",
    "make a check dear",
    "the body does not come",
    "does not take this method",
    "would mean another one without its capitals",
    "who is logged in, and the end of it",
    "as many wrong tries",
    "is taken down what",
    "this one looks so often",
    "the longest life of a token",
    "what becomes of a request, and in which order that is found out",
    "whose parts are so long",
    "looks so often",
    "taken down",
    "costs no wait",
    "the path would mean",
    "an end of it",
    "in so many words",
    "whither",
    "patiently",
    // Names that are gone.
    "admission",
    "outlet",
    "keyring",
    "session_and_id",
    "is_still_good",
    "bodyfault",
];

/// Checks the repository in this folder. Returns every finding as `FILE:LINE: text`.
///
/// # Errors
/// If a file can't be read.
pub fn look(root: &Path) -> Result<Vec<String>, String> {
    let files = tracked(root)?;
    let mut found = Vec::new();
    for file in &files {
        let kind = file.extension().and_then(|end| end.to_str()).unwrap_or_default();
        if !["rs", "mjs", "js", "md", "toml"].contains(&kind) || is_data(file) {
            continue;
        }
        let text = fs::read_to_string(root.join(file)).map_err(|error| format!("{}: {error}", file.display()))?;
        let mut at = |line: usize, what: String| found.push(format!("{}:{line}: {what}", file.display()));
        header(kind, &text, &mut at);
        columns(kind, &text, &mut at);
        phrases(file, &text, &mut at);
        paths(root, file, kind, &text, &mut at);
        if kind == "md" {
            links(root, file, &text, &mut at);
        }
    }
    found.extend(end_to_end(root, &files)?);
    found.extend(codes(root)?);
    found.extend(named_tests(root)?);
    found.extend(imports::circles(root)?);
    Ok(found)
}

/// The files that git tracks; without git (in an unpacked archive) all files but those that commands write.
fn tracked(root: &Path) -> Result<BTreeSet<PathBuf>, String> {
    let output = Command::new("git").args(["ls-files", "-z"]).current_dir(root).output();
    if let Some(output) = output.ok().filter(|output| output.status.success() && !output.stdout.is_empty()) {
        let names = String::from_utf8_lossy(&output.stdout).into_owned();
        let files = names.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from);
        return Ok(files.filter(|file| root.join(file).exists()).collect());
    }
    let mut found = BTreeSet::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(root.join(&folder)).map_err(|error| format!("{}: {error}", folder.display()))?;
        for entry in entries.flatten() {
            let (name, path) = (entry.file_name(), folder.join(entry.file_name()));
            let name = name.to_string_lossy();
            if entry.path().is_file() {
                found.insert(path);
            } else if !name.starts_with('.')
                && !["target", "node_modules", "found", "artifacts"].contains(&&*name)
                && !name.starts_with("build")
            {
                folders.push(path);
            }
        }
    }
    Ok(found)
}

/// Whether a file is recorded or written by a command, so that its language is not checked.
fn is_data(file: &Path) -> bool {
    ["tests/transcripts", "tests/pinned", "cli/tests/snapshots"].iter().any(|folder| file.starts_with(folder))
}

/// Each Rust and JavaScript module begins with a comment that says what it is for.
fn header(kind: &str, text: &str, at: &mut impl FnMut(usize, String)) {
    let first = text.lines().find(|line| !line.trim().is_empty() && !line.starts_with("#!")).unwrap_or_default();
    match kind {
        "rs" if !first.starts_with("//!") => {
            at(1, "the module has no header: begin it with //! and what it is for".into())
        }
        "mjs" if !first.starts_with("//") && !first.starts_with("/*") => {
            at(1, "the module has no header: begin it with // and what it is for".into());
        }
        _ => {}
    }
}

/// Comments are wrapped, except lines with a table or an address.
fn columns(kind: &str, text: &str, at: &mut impl FnMut(usize, String)) {
    for (line, content) in text.lines().enumerate() {
        let content_trimmed = content.trim_start();
        let is_comment = match kind {
            "rs" | "mjs" | "js" => content_trimmed.starts_with("//"),
            "toml" => content_trimmed.starts_with('#'),
            _ => false,
        };
        let is_table = content.contains(" | ") || content.contains("://");
        if is_comment && !is_table && content.chars().count() > MAX_COLUMNS {
            at(line + 1, format!("{} columns, more than {MAX_COLUMNS}: wrap the comment", content.chars().count()));
        }
    }
}

fn phrases(file: &Path, text: &str, at: &mut impl FnMut(usize, String)) {
    // The list itself, and what tells of former names.
    if file.ends_with("tidy.rs") || file.ends_with("CHANGELOG.md") {
        return;
    }
    for (line, content) in text.lines().enumerate() {
        let lower = content.to_lowercase();
        for phrase in PHRASES.iter().filter(|phrase| lower.contains(**phrase)) {
            at(line + 1, format!("{phrase:?} is retired: use the standard term"));
        }
    }
}

/// Each path from the root of the repository, in pages and comments, exists.
fn paths(root: &Path, file: &Path, kind: &str, text: &str, at: &mut impl FnMut(usize, String)) {
    static PATH: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"(?:^|[\s`(\[])((?:src|docs|tests|cli|xtask|examples|worker|conformance|bench|simulate|public|fuzz)/[A-Za-z0-9_./-]*[A-Za-z0-9_])(#[a-z0-9_-]+)?",
        )
        .expect("an expression")
    });
    // A crate's README names folders of that crate.
    let own = file.parent().map(|folder| root.join(folder)).unwrap_or_default();
    for (line, content) in text.lines().enumerate() {
        let trimmed = content.trim_start();
        let is_prose = match kind {
            "md" => true,
            "rs" | "mjs" | "js" => trimmed.starts_with("//") || trimmed.starts_with('*'),
            _ => trimmed.starts_with('#'),
        };
        if !is_prose {
            continue;
        }
        for found in PATH.captures_iter(content) {
            let path = found.get(1).map_or("", |path| path.as_str());
            let after = &content[found.get(0).map_or(0, |whole| whole.end())..];
            // A pattern, a placeholder (`tests/e2e/NAME.test.mjs`), or one of several (`{cache,jws}.rs`).
            let is_pattern = after.starts_with(['*', '{', '<', '…', '$'])
                || path.split('/').any(|part| part.split('.').next().is_some_and(is_placeholder));
            let bases = [root.to_owned(), own.clone()];
            let is_there = bases
                .iter()
                .any(|base| ["", ".rs", ".mjs", ".md"].iter().any(|end| base.join(format!("{path}{end}")).exists()));
            if !is_pattern && !is_there && !is_ignored(root, path) {
                at(line + 1, format!("there is no {path}"));
            }
            if let Some(anchor) = found.get(2).filter(|_| path.ends_with(".md")) {
                let page = fs::read_to_string(root.join(path)).unwrap_or_default();
                let anchor = anchor.as_str().trim_start_matches('#');
                if is_there && !anchors(&page).contains(anchor) {
                    at(line + 1, format!("{path} has no heading {anchor:?}"));
                }
            }
        }
    }
}

/// Whether git ignores this path, since commands write it.
fn is_ignored(root: &Path, path: &str) -> bool {
    let output = Command::new("git").args(["check-ignore", "-q", path]).current_dir(root).status();
    output.is_ok_and(|status| status.success())
}

fn is_placeholder(part: &str) -> bool {
    part.len() > 1
        && part.chars().all(|c| c.is_ascii_uppercase() || c == '_')
        && !["README", "LICENSE", "CHANGELOG"].contains(&part)
}

/// Each link of a page leads to an existing file and heading.
fn links(root: &Path, file: &Path, text: &str, at: &mut impl FnMut(usize, String)) {
    static LINK: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\]\(([^)\s]+)\)").expect("an expression"));
    let folder = file.parent().unwrap_or(Path::new(""));
    for (line, content) in text.lines().enumerate() {
        for found in LINK.captures_iter(content) {
            let target = &found[1];
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let page = if path.is_empty() { root.join(file) } else { root.join(folder).join(path) };
            if !page.exists() {
                at(line + 1, format!("there is no {target}"));
            } else if !anchor.is_empty() && !anchors(&fs::read_to_string(&page).unwrap_or_default()).contains(anchor) {
                at(line + 1, format!("{target}: no such heading"));
            }
        }
    }
}

/// The anchors of a page's headings: in lower case, spaces as hyphens, other marks dropped.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let anchor = |heading: &str| {
        let kept = heading
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .collect::<String>();
        kept.replace(' ', "-")
    };
    headings.map(anchor).collect()
}

/// Each end-to-end file is in the table of its folder's README, and each row has its file.
fn end_to_end(root: &Path, files: &BTreeSet<PathBuf>) -> Result<Vec<String>, String> {
    const README: &str = "tests/e2e/README.md";
    let text = fs::read_to_string(root.join(README)).map_err(|error| format!("{README}: {error}"))?;
    let rows: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|(name, _)| name)).collect();
    let names: BTreeSet<String> = files
        .iter()
        .filter(|file| file.starts_with("tests/e2e"))
        .filter_map(|file| Some(file.file_name()?.to_str()?.strip_suffix(".test.mjs")?.to_owned()))
        .collect();
    let missing =
        names.iter().filter(|name| !rows.contains(name.as_str())).map(|name| format!("{README}:1: no row for {name}"));
    let gone = rows.iter().filter(|row| !names.contains(**row)).map(|row| format!("{README}:1: {row} is no file here"));
    Ok(missing.chain(gone).collect())
}

/// Each test that tests/README.md names, as `FILE.rs`: `function`, or `FILE.mjs`: "title", is in that file.
fn named_tests(root: &Path) -> Result<Vec<String>, String> {
    static FILE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"`([^`\s]+\.(?:rs|mjs))`: ((?:(?:`[a-z0-9_]+`|"[^"]+")(?:, )?)+)"#).expect("an expression")
    });
    static NAME: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"`([a-z0-9_]+)`|("[^"]+")"#).expect("an expression"));
    const PAGE: &str = "tests/README.md";
    let text = fs::read_to_string(root.join(PAGE)).map_err(|error| format!("{PAGE}: {error}"))?;
    let mut found = Vec::new();
    for (line, content) in text.lines().enumerate() {
        for named in FILE.captures_iter(content) {
            let source = fs::read_to_string(root.join(&named[1])).unwrap_or_default();
            for name in NAME.captures_iter(&named[2]) {
                let wanted = name.get(1).map_or_else(|| name[0].to_owned(), |name| format!("fn {}(", name.as_str()));
                if !source.contains(&wanted) {
                    found.push(format!("{PAGE}:{}: {} has no test {}", line + 1, &named[1], &name[0]));
                }
            }
        }
    }
    Ok(found)
}

/// Each code of a rejection and each log event has a row in docs/errors.md, and the page has no other rows.
fn codes(root: &Path) -> Result<Vec<String>, String> {
    static CODE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"=> "([a-z_]+)""#).expect("an expression"));
    static EVENT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"=\s*\("([a-z_]+)","#).expect("an expression"));
    static ROW: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?m)^\| `([a-z_]+)` ").expect("an expression"));
    const PAGE: &str = "docs/errors.md";
    const REJECTIONS: &str = "src/rules/rejection";
    let read = |name: &str| fs::read_to_string(root.join(name)).map_err(|error| format!("{name}: {error}"));
    let names = |expression: &Regex, text: &str| -> BTreeSet<String> {
        expression.captures_iter(text).map(|found| found[1].to_owned()).collect()
    };
    let after = |text: &str, from: &str| text.split_once(from).map(|(_, rest)| rest.to_owned()).unwrap_or_default();
    let files = fs::read_dir(root.join(REJECTIONS)).map_err(|error| format!("{REJECTIONS}: {error}"))?;
    let files: Vec<String> =
        files.filter_map(|file| Some(format!("{REJECTIONS}/{}", file.ok()?.file_name().to_str()?))).collect();
    let log = read("src/rules/log/mod.rs")?;
    let log = log.split("#[cfg(test)]").next().unwrap_or_default();
    let mut known = BTreeSet::new();
    for file in files {
        known.extend(names(&CODE, &after(&read(&file)?, "fn code(")));
    }
    known.extend(names(&EVENT, log));
    let rows = names(&ROW, &read(PAGE)?);
    let missing = known.difference(&rows).map(|name| format!("{PAGE}:1: no row for {name}"));
    let gone = rows.difference(&known).map(|name| format!("{PAGE}:1: {name} is neither a code nor an event"));
    Ok(missing.chain(gone).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_check_finds_what_it_is_for() {
        let folder = std::env::temp_dir().join(format!("tollgate-tidy-{}", std::process::id()));
        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("a.rs", "fn main() {}\n");
        write("b.mjs", "export {};\n");
        write("c.rs", &format!("//! Good.\nfn is_there() {{}}\n// {}\n", "x".repeat(120)));
        write(
            "d.rs",
            "//! See docs/gone.md, docs/page.md#gone and docs/page.md#a-heading, `src/{a,b}.rs`, tests/e2e/NAME.test.mjs.\n",
        );
        write(
            "docs/page.md",
            "# A heading\n\n[a](gone.md) [b](#a-heading) [c](#gone) [d](https://example.com/x)\nIs told whole.\n",
        );
        write(
            "tests/README.md",
            "`tests/e2e/there.test.mjs`: \"is there\", \"is gone\"; `c.rs`: `is_there`, `is_gone`\n",
        );
        write("tests/e2e/README.md", "| `there` | x |\n| `row` | x |\n");
        write("tests/e2e/there.test.mjs", "// Good.\ntest(\"is there\");\n");
        write("tests/e2e/other.test.mjs", "// Good.\n");
        write(
            "src/rules/rejection/mod.rs",
            "//! Good.\nfn code() { match self { A => \"a_code\", B => \"b_code\" } }\n",
        );
        write("src/rules/log/mod.rs", "//! Good.\nfn line() { (event, x) = (\"an_event\", y) }\n");
        write("docs/errors.md", "# Errors\n\n| `a_code` | x |\n| `gone` | x |\n");
        let git = |args: &[&str]| {
            assert!(Command::new("git").args(args).current_dir(&folder).output().unwrap().status.success())
        };
        git(&["init", "-q"]);
        git(&["add", "-A"]);
        let found = look(&folder);
        fs::remove_dir_all(&folder).unwrap();
        let mut found: Vec<String> =
            found.unwrap().into_iter().map(|line| line.split(": ").take(2).collect::<Vec<_>>().join(": ")).collect();
        found.sort();
        assert_eq!(
            found,
            [
                "a.rs:1: the module has no header",
                "b.mjs:1: the module has no header",
                "c.rs:3: 123 columns, more than 120",
                "d.rs:1: docs/page.md has no heading \"gone\"",
                "d.rs:1: there is no docs/gone.md",
                "docs/errors.md:1: gone is neither a code nor an event",
                "docs/errors.md:1: no row for an_event",
                "docs/errors.md:1: no row for b_code",
                "docs/page.md:3: #gone",
                "docs/page.md:3: there is no gone.md",
                "docs/page.md:4: \"is told whole\" is retired",
                "tests/README.md:1: c.rs has no test `is_gone`",
                "tests/README.md:1: tests/e2e/there.test.mjs has no test \"is gone\"",
                "tests/e2e/README.md:1: no row for other",
                "tests/e2e/README.md:1: row is no file here",
            ]
        );
    }
}
