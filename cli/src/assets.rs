//! Files that the asset server serves under another path than their own, after the gate has decided on that path:
//! rewrites (lines of `_redirects` with status 200) and the page for unknown paths. Another rule may protect such a
//! file.
//!
//! `_redirects` is read as wrangler 4 reads it (parseRedirects, and handleRedirects and notFound of its asset worker).
//! Where the check is less exact it reports too much rather than too little: it includes lines that wrangler skips
//! (duplicates, and those after the 2000th).

use crate::{
    system,
    wrangler_config::{Position, WranglerConfig},
};
use std::{
    cmp::Ordering,
    path::{Path, PathBuf},
};
use tollgate::rules::route::{Auth, INDEX_PAGE, RequiredFreshness, Revocation, Routes, Rule, Target, UserFrom};
use url::Url;

/// The file of redirects and rewrites in the assets directory.
pub const REDIRECTS: &str = "_redirects";

/// A protected file that is served under a less protected path.
#[derive(Debug, PartialEq, Eq)]
pub struct Bypass {
    pub position: Position,
    pub option: &'static str,
    pub text: String,
}

/// Every bypass in the configuration and the assets directory.
pub fn bypasses(toml: &WranglerConfig, routes: &Routes) -> Vec<Bypass> {
    let rules: Vec<(&Rule, Vec<Segment>)> = routes.rules().map(|rule| (rule, pattern(&rule.path))).collect();
    let directory = directory(toml);
    let mut found = Vec::new();
    if let Some(directory) = &directory {
        let file = directory.join(REDIRECTS);
        let at = |line| Position { file: file.clone(), line, column: 1 };
        match std::fs::read(&file) {
            Ok(bytes) => {
                let lines = rewrites(&String::from_utf8_lossy(&bytes));
                let bypass = |line: &Rewrite| {
                    let text = line.bypass(&rules)?;
                    Some(Bypass { position: at(line.number), option: REDIRECTS, text })
                };
                found.extend(lines.iter().filter_map(bypass));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => found.push(Bypass {
                position: at(1),
                option: REDIRECTS,
                text: format!("can't be read, so its rewrites are not checked: {error}"),
            }),
        }
    }
    found.extend(page_for_unknown_paths(toml, directory.as_deref(), &rules));
    found
}

/// Configuration and secret files that are among the static files: wrangler uploads all of these except those named in
/// `.assetsignore`.
pub fn exposed_files(toml: &WranglerConfig) -> Vec<PathBuf> {
    let Some(directory) = directory(toml).and_then(|directory| system::canonicalize(&directory).ok()) else {
        return Vec::new();
    };
    let ignored = std::fs::read_to_string(directory.join(".assetsignore")).unwrap_or_default();
    let config = toml.path();
    let mut files = vec![config.to_owned(), toml.secrets_file().0.to_owned()];
    files.extend(config.parent().into_iter().flat_map(secret_files));
    files.extend(secret_files(&directory));
    let mut found: Vec<PathBuf> = Vec::new();
    for file in files {
        let Ok(whole) = system::canonicalize(&file) else { continue };
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_ignored = ignored.lines().any(|line| line.trim().trim_start_matches('/') == name);
        if whole.starts_with(&directory)
            && !is_ignored
            && !found.iter().any(|known| known.file_name() == file.file_name())
        {
            found.push(file);
        }
    }
    found
}

/// `.dev.vars`, `.env` and their variants for environments in this folder.
fn secret_files(folder: &Path) -> Vec<PathBuf> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_secret = |name: &str| [".dev.vars", ".env"].iter().any(|start| name.starts_with(start));
    let mut files: Vec<PathBuf> =
        entries.filter(|entry| is_secret(&entry.file_name().to_string_lossy())).map(|entry| entry.path()).collect();
    files.sort();
    files
}

/// `assets.directory`, which is relative to the configuration file.
fn directory(toml: &WranglerConfig) -> Option<PathBuf> {
    let (directory, _) = toml.inherited(&["assets", "directory"])?;
    Some(toml.path().parent().unwrap_or(Path::new("")).join(directory.as_str()?))
}

/// The bypass by `not_found_handling`, which serves a page under every path without a file: /index.html with
/// `"single-page-application"`, /404.html with `"404-page"`.
fn page_for_unknown_paths(
    toml: &WranglerConfig,
    directory: Option<&Path>,
    rules: &[(&Rule, Vec<Segment>)],
) -> Option<Bypass> {
    let (handling, position) = toml.inherited(&["assets", "not_found_handling"])?;
    let name = match handling.as_str()? {
        "single-page-application" => INDEX_PAGE,
        "404-page" => "404.html",
        _ => return None,
    };
    // With a base path the asset server removes it from a request's path before it looks for the file.
    let base = toml.inherited(&["assets", "base_path"]);
    let base = base.as_ref().and_then(|(base, _)| base.as_str()).unwrap_or_default().trim_matches('/');
    let page = if base.is_empty() { format!("/{name}") } else { format!("/{base}/{name}") };
    // A rule for one path serves that file, if it exists.
    let serves_only_its_file = |rule: &Rule| {
        let path = rule.path.strip_prefix(&format!("/{base}")).unwrap_or(&rule.path).trim_start_matches('/');
        let is_one_path = !rule.path.contains(['*', '{']);
        is_one_path && directory.is_none_or(|directory| !directory.exists() || directory.join(path).is_file())
    };
    let sources: Vec<&Rule> =
        rules.iter().map(|(rule, _)| *rule).filter(|rule| serves_assets(rule) && !serves_only_its_file(rule)).collect();
    let mut targets = protecting(rules, &pattern(&page));
    if let Some(folder) = page.strip_suffix(INDEX_PAGE) {
        targets.extend(protecting(rules, &pattern(folder)));
    }
    let (source, target) = stricter_pair(&sources, &targets)?;
    Some(Bypass {
        position,
        option: "assets.not_found_handling",
        text: format!(
            "every path without a file serves {page}, but the gate decides on the requested path: {} protects the page, {} is less strict. Write not_found_handling = \"none\", or give both the same protection",
            shown(target),
            shown(source),
        ),
    })
}

/// A line of `_redirects` with status 200.
#[derive(Debug)]
struct Rewrite {
    number: usize,
    /// As written.
    line: (String, String),
    from: Vec<Segment>,
    to: Vec<Segment>,
}

impl Rewrite {
    fn bypass(&self, rules: &[(&Rule, Vec<Segment>)]) -> Option<String> {
        let sources: Vec<&Rule> = applying(rules, &self.from).into_iter().filter(|rule| serves_assets(rule)).collect();
        let (source, target) = stricter_pair(&sources, &protecting(rules, &self.to))?;
        let (from, to) = &self.line;
        let may =
            if self.to.iter().all(|segment| matches!(segment, Segment::Text(_))) { "serves" } else { "can serve" };
        Some(format!(
            "{from} {may} the file of {to}, but the gate decides on {from} only: {} protects the file, {} is less strict. Write status 302, so that the gate decides on {to} too, or give both paths the same protection",
            shown(target),
            shown(source),
        ))
    }
}

/// The least protected source and the most protected target, if the target is protected more.
fn stricter_pair<'r>(sources: &[&'r Rule], targets: &[&'r Rule]) -> Option<(&'r Rule, &'r Rule)> {
    let pairs = sources.iter().flat_map(|source| targets.iter().map(move |target| (*source, *target)));
    pairs
        .filter(|(source, target)| is_stricter(target, source))
        .max_by_key(|(source, target)| (level(target.auth) - level(source.auth), std::cmp::Reverse(target.index)))
}

/// Whether the rule requires something of a request that the other does not.
fn is_stricter(rule: &Rule, other: &Rule) -> bool {
    let more = |rule: &Rule| {
        [
            rule.user == UserFrom::Stored,
            rule.flask_jwt_extended.fresh != RequiredFreshness::Any,
            rule.revocation == Revocation::Strict,
        ]
    };
    match level(rule.auth).cmp(&level(other.auth)) {
        Ordering::Greater => true,
        Ordering::Less => false,
        Ordering::Equal => {
            rule.auth == Auth::Required && more(rule).into_iter().zip(more(other)).any(|(one, two)| one && !two)
        }
    }
}

fn level(auth: Auth) -> i8 {
    match auth {
        Auth::None => 0,
        Auth::Optional => 1,
        Auth::Required => 2,
    }
}

/// The asset server answers GET and HEAD only.
fn is_read(rule: &Rule) -> bool {
    rule.methods.contain("GET") || rule.methods.contain("HEAD")
}

fn serves_assets(rule: &Rule) -> bool {
    rule.to == Target::Assets && is_read(rule)
}

fn shown(rule: &Rule) -> String {
    let auth = match rule.auth {
        Auth::None => "none",
        Auth::Optional => "optional",
        Auth::Required => "required",
    };
    let user = if rule.user == UserFrom::Stored { ", user = \"stored\"" } else { "" };
    let fresh = if rule.flask_jwt_extended.fresh == RequiredFreshness::Any { "" } else { ", fresh" };
    let strict = if rule.revocation == Revocation::Strict { ", revocation = \"strict\"" } else { "" };
    format!("ROUTES[{}] (path = {:?}, auth = \"{auth}\"{user}{fresh}{strict})", rule.index, rule.path)
}

/// The rules that can protect one of these paths from being read.
fn protecting<'r>(rules: &[(&'r Rule, Vec<Segment>)], paths: &[Segment]) -> Vec<&'r Rule> {
    let all = applying(rules, paths);
    // A rule for POST does not protect reading where the same pattern has a rule for GET.
    let is_about_reading =
        |rule: &&Rule| is_read(rule) || !all.iter().any(|other| other.path == rule.path && is_read(other));
    all.iter().copied().filter(|rule| rule.auth != Auth::None).filter(|rule| is_about_reading(rule)).collect()
}

/// The rules that apply to at least one of these paths: their pattern overlaps with the paths, and no narrower pattern
/// covers all of them.
fn applying<'r>(rules: &[(&'r Rule, Vec<Segment>)], paths: &[Segment]) -> Vec<&'r Rule> {
    let is_hidden = |own: &[Segment]| rules.iter().any(|(_, other)| is_narrower(other, own) && covers(other, paths));
    rules.iter().filter(|(_, own)| overlaps(own, paths) && !is_hidden(own)).map(|(rule, _)| *rule).collect()
}

/// One segment of a set of paths, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    /// This text.
    Text(String),
    /// Any text but the empty one.
    One,
    /// Any segments, at least one, which may be empty. Last in a pattern.
    Rest,
}

/// A pattern of `ROUTES`.
fn pattern(path: &str) -> Vec<Segment> {
    let segment = |text: &str| match text {
        "*" => Segment::Rest,
        name if name.starts_with('{') => Segment::One,
        text => Segment::Text(text.to_owned()),
    };
    path.strip_prefix('/').unwrap_or(path).split('/').map(segment).collect()
}

/// Whether the two have a path in common.
fn overlaps(one: &[Segment], two: &[Segment]) -> bool {
    match (one, two) {
        ([], []) => true,
        ([Segment::Rest, ..], [_, ..]) | ([_, ..], [Segment::Rest, ..]) => true,
        ([Segment::Text(a), one @ ..], [Segment::Text(b), two @ ..]) => a == b && overlaps(one, two),
        ([Segment::Text(text), one @ ..], [Segment::One, two @ ..])
        | ([Segment::One, one @ ..], [Segment::Text(text), two @ ..]) => !text.is_empty() && overlaps(one, two),
        ([Segment::One, one @ ..], [Segment::One, two @ ..]) => overlaps(one, two),
        ([], [_, ..]) | ([_, ..], []) => false,
    }
}

/// Whether every path of the second is one of the first.
fn covers(wide: &[Segment], narrow: &[Segment]) -> bool {
    match (wide, narrow) {
        ([], []) => true,
        ([Segment::Rest, ..], [_, ..]) => true,
        ([Segment::Text(a), wide @ ..], [Segment::Text(b), narrow @ ..]) => a == b && covers(wide, narrow),
        ([Segment::One, wide @ ..], [Segment::Text(text), narrow @ ..]) => !text.is_empty() && covers(wide, narrow),
        ([Segment::One, wide @ ..], [Segment::One, narrow @ ..]) => covers(wide, narrow),
        _ => false,
    }
}

/// Whether the gate prefers the first where both apply: at each segment text before a name, and a name before the rest.
fn is_narrower(one: &[Segment], two: &[Segment]) -> bool {
    let rank = |segment: &Segment| match segment {
        Segment::Text(_) => 0,
        Segment::One => 1,
        Segment::Rest => 2,
    };
    one.iter().map(rank).lt(two.iter().map(rank))
}

/// The rewrites of a `_redirects` file.
fn rewrites(text: &str) -> Vec<Rewrite> {
    text.split('\n').enumerate().filter_map(|(at, line)| rewrite(at + 1, line)).collect()
}

/// Whether the character is white space in JavaScript (`\s`).
fn is_space(c: char) -> bool {
    c == '\u{feff}' || (c.is_whitespace() && c != '\u{85}')
}

fn rewrite(number: usize, line: &str) -> Option<Rewrite> {
    let line = line.trim_matches(is_space);
    if line.starts_with('#') {
        return None;
    }
    let tokens = line.split(is_space).filter(|token| !token.is_empty());
    let tokens: Vec<&str> = tokens.take_while(|token| !token.starts_with('#')).collect();
    // Without a status it is 302.
    let &[from, to, status] = tokens.as_slice() else { return None };
    if !is_200(status) || is_absolute(from) || is_absolute(to) || !to.starts_with('/') {
        return None;
    }
    let path = normalized(&format!("/{}", from.strip_prefix('/').unwrap_or(from)))?;
    let path = path.split(['?', '#']).next().unwrap_or_default();
    Some(Rewrite { number, line: (from.to_owned(), to.to_owned()), from: source(path), to: target(path, to)? })
}

/// Whether JavaScript's `Number` reads the text as 200.
fn is_200(status: &str) -> bool {
    let radix = |prefix: [&str; 2], radix| {
        let digits = prefix.into_iter().find_map(|prefix| status.strip_prefix(prefix));
        digits.and_then(|digits| u32::from_str_radix(digits, radix).ok()) == Some(200)
    };
    status.parse() == Ok(200.0) || radix(["0x", "0X"], 16) || radix(["0o", "0O"], 8) || radix(["0b", "0B"], 2)
}

/// Whether the token is a URL with a host; wrangler skips such rewrites.
fn is_absolute(token: &str) -> bool {
    token.strip_prefix("https://").is_some_and(|rest| rest.contains(|c| c != '/'))
}

/// A path with its query, normalized as wrangler does: as part of a URL with a non-special scheme.
fn normalized(path: &str) -> Option<String> {
    let url = Url::parse(&format!("relative://{path}")).ok()?;
    let query = url.query().map_or_else(String::new, |query| format!("?{query}"));
    Some(format!("{}{query}", url.path()))
}

/// Whether the text has a `:name`.
fn has_placeholder(text: &str) -> bool {
    text.split(':').skip(1).any(|name| name.starts_with(|c: char| c.is_ascii_alphabetic()))
}

/// The paths that a source matches, or a superset: `*` matches any characters, `:name` any but slashes.
fn source(path: &str) -> Vec<Segment> {
    let mut segments = Vec::new();
    for text in path[1..].split('/') {
        if text.contains('*') {
            segments.push(Segment::Rest);
            break;
        }
        segments.push(if has_placeholder(text) { Segment::One } else { Segment::Text(decoded(text)) });
    }
    segments
}

/// The paths that a target can become, or a superset. `from` is the normalized source.
fn target(from: &str, to: &str) -> Option<Vec<Segment>> {
    let to = normalized(to)?;
    let is_plain = |text: &str| !text.contains('*') && !has_placeholder(text);
    let is_dynamic = !is_plain(from);
    // A value consists of whole segments where the placeholder does. Elsewhere it can be "..": `/a*` matches
    // "/a../members".
    let is_whole = |text: &str| {
        let name = text.strip_prefix(':').unwrap_or_default();
        text == "*" || (!name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
    };
    let values_can_climb = !from.split('/').all(|text| is_plain(text) || is_whole(text));
    // Without a host, a target with placeholders has its slashes collapsed before it is resolved.
    let has_host =
        to.strip_prefix("//").is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['/', '\\', '?', '#']));
    let to = if is_dynamic && !has_host { collapsed(&to.replace('\\', "/")) } else { to };
    // Relative to the request's URL. Two slashes or more (or backslashes) begin a host: WHATWG URL, "special authority
    // ignore slashes state", which the crate has for whole URLs only.
    let after_slashes = to.trim_start_matches(['/', '\\']);
    let host = if to.len() - after_slashes.len() > 1 { "" } else { "gate.invalid/" };
    let url = match Url::parse(&format!("https://{host}{after_slashes}")) {
        Ok(url) => url,
        Err(_) if is_dynamic => return Some(vec![Segment::Rest]),
        Err(_) => return None,
    };
    let path = collapsed(&decoded(url.path()));
    let mut segments = Vec::new();
    for text in path[1..].split('/') {
        if !is_dynamic || !has_placeholder(text) {
            segments.push(Segment::Text(text.to_owned()));
            continue;
        }
        let before = text.split(':').next().unwrap_or_default();
        if values_can_climb || (!before.is_empty() && before.chars().all(|c| c == '.')) {
            return Some(vec![Segment::Rest]);
        }
        if text.contains(":splat") {
            segments.push(Segment::Rest);
            break;
        }
        segments.push(Segment::One);
    }
    Some(segments)
}

/// The path with each run of slashes as one.
fn collapsed(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for c in path.chars() {
        if !(c == '/' && text.ends_with('/')) {
            text.push(c);
        }
    }
    text
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escape = rest.get(..3).filter(|_| *first == b'%').and_then(|escape| {
            let digits = std::str::from_utf8(&escape[1..]).ok().filter(|digits| !digits.starts_with('+'))?;
            u8::from_str_radix(digits, 16).ok()
        });
        bytes.push(escape.unwrap_or(*first));
        rest = if escape.is_some() { &rest[3..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn routes(rules: &[serde_json::Value]) -> Routes {
        Routes::read(&[], rules, &[]).expect("good rules").0
    }

    /// The text for one line of `_redirects`.
    fn bypass(routes: &Routes, line: &str) -> Option<String> {
        let rules: Vec<(&Rule, Vec<Segment>)> = routes.rules().map(|rule| (rule, pattern(&rule.path))).collect();
        rewrites(line).iter().find_map(|rewrite| rewrite.bypass(&rules))
    }

    #[test]
    fn a_rewrite_from_an_open_path_to_a_protected_one_is_found() {
        let routes = routes(&[
            json!({"path": "/*", "to": "assets", "auth": "none"}),
            json!({"path": "/members/*", "to": "assets"}),
            json!({"path": "/members/open/*", "to": "assets", "auth": "none"}),
            json!({"path": "/maybe/{id}/x", "to": "assets", "auth": "optional"}),
            json!({"path": "/api/*", "to": "origin", "methods": ["*"]}),
            json!({"path": "/form", "to": "assets", "auth": "none"}),
            json!({"path": "/form", "to": "origin", "methods": ["POST"]}),
        ]);
        for line in [
            "/a /members/x 200",
            "a /members/x 200 # a comment",
            "\u{feff}/a\t/members/x  200\r",
            "/a /members/x 2e2",
            "/a /members/x 0xC8",
            "/a /open/../members/x 200",
            "/a /open/%2e%2e/members/x 200",
            "/a /%6dembers/x 200",
            "/a /members%2Fx 200",
            "/a \\members/x 200\n/a /\\host/members/x 200",
            "/a //host/members/x 200",
            "/a ///host/members/x 200",
            "/a /members//x?y#z 200",
            "/a /members/ 200",
            "/a /maybe/7/x 200",
            "/maybe/7/x /members/x 200",
            "/a /api/x 200",
            "/%61 /members/x 200",
            "/members/open/a /members/x 200",
            "/a/* /members/:splat 200",
            "/a/* /members/:splat/x 200",
            "/a/:name /members/:name 200",
            "/a/:name /members/x 200",
            "/a/* /:splat 200",
            "/:any /:any/x/y 200",
            "/a/* /maybe/:splat 200",
            "/* /members/x 200",
            "/members* /members/x 200",
            // `/members/open/*` is among them.
            "/members/* /members/x 200",
            // "/a../members/x" is an open path, and leads to "/content/../members/x".
            "/a* /content/:splat 200",
            "/a:name /content/:name/members/x 200",
            "/a/*.html /content/:splat/members/x 200",
            "/a/* /content/..:splat/members/x 200",
            // wrangler skips a line that leads to itself.
            "/* /members/index.html 200",
        ] {
            assert!(bypass(&routes, line).is_some(), "{line}");
        }
        for line in [
            "",
            "# /a /members/x 200",
            "  # /a /members/x 200",
            "/a /members/x",
            "/a /members/x 302",
            "/a /members/x 200 more",
            "/a /members/x #200",
            "/a members/x 200",
            "/a https://app.example.com/members/x 200",
            "https://app.example.com/a /members/x 200",
            "/a /members 200",
            "/a /b 200",
            "/a /members/open/x 200",
            "/a /form 200",
            "/a /maybe/x 200",
            "/a/* /b/:splat 200",
            "/a/:name/* /b/:splat/:name 200",
            // Without a placeholder in the source none is filled in.
            "/a /:splat 200",
            // The source is protected alike, or not served.
            "/members/a /members/x 200",
            "/members/in/* /members/x 200",
            "/members/:name /members/x 200",
            "/members/in/* /maybe/7/x 200",
            "/api/a /members/x 200",
            "/api/* /members/x 200",
        ] {
            assert_eq!(bypass(&routes, line), None, "{line}");
        }
    }

    #[test]
    fn a_source_that_no_rule_names_is_not_served() {
        let routes = routes(&[
            json!({"path": "/open/*", "to": "assets", "auth": "none"}),
            json!({"path": "/members/*", "to": "assets"}),
        ]);
        assert_eq!(bypass(&routes, "/a /members/x 200"), None);
        assert_eq!(bypass(&routes, "/a/* /members/:splat 200"), None);
        assert_eq!(bypass(&routes, "/open/a /elsewhere 200"), None);
        assert!(bypass(&routes, "/* /members/:splat 200").is_some());
    }

    #[test]
    fn a_rule_is_stricter_by_what_it_wants_besides_a_token() {
        for member in
            [json!({"user": "stored"}), json!({"fresh": true}), json!({"fresh": "5m"}), json!({"revocation": "strict"})]
        {
            let mut strict = json!({"path": "/strict/*", "to": "assets"});
            strict.as_object_mut().unwrap().extend(member.as_object().unwrap().clone());
            let routes = routes(&[json!({"path": "/*", "to": "assets"}), strict]);
            assert!(bypass(&routes, "/a /strict/x 200").is_some(), "{member}");
            assert_eq!(bypass(&routes, "/strict/x /a 200"), None, "{member}");
        }
    }
}
