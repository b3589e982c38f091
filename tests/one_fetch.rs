//! One JavaScript function makes every fetch of the gate; it follows no redirects and bypasses caches.

use std::{fs, path::Path};

fn files(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs" || end == "mjs") {
            found.push(path.to_string_lossy().into_owned());
        }
    }
}

#[test]
fn there_is_one_place_that_fetches() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = Vec::new();
    files(&root.join("src/edge"), &mut all);
    files(&root.join("worker"), &mut all);
    let fetches = |line: &&str| {
        let code = line.split("//").next().unwrap_or_default();
        ["fetch(", "Fetch::", "fetch_with_"].iter().any(|call| code.contains(call)) && !code.contains("fn fetch")
    };
    let mut found = Vec::new();
    for file in all {
        let text = fs::read_to_string(&file).expect("a text");
        found.extend(text.lines().filter(fetches).map(|line| line.trim().to_owned()));
    }
    // Leave out the entry `fetch` of an application in the documentation of `edge`.
    found.retain(|line| !line.starts_with("async fn fetch("));
    assert_eq!(found, ["return fetcher.fetch(target, init);"]);
}
