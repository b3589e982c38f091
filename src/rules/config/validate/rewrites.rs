//! Paths that rules rewrite for an origin (`strip`, `prefix`): one path of an origin must not be reachable in two ways
//! that the gate judges differently.

use crate::rules::{
    config::diagnostics::Diagnostics,
    origin::{Address, Origin},
    route::{Routes, Rule},
};

/// Stands for a segment that no rule names.
const OTHER: &str = "*";

/// A way to an origin: the path of a request with `strip` at its front gets `prefix` in its place.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Way<'w> {
    strip: &'w str,
    prefix: &'w str,
}

/// A rule with its way.
struct Forwarded<'w> {
    rule: &'w Rule,
    address: &'w Address,
    way: Way<'w>,
    /// The segments of its pattern as the origin gets them.
    pattern: Vec<&'w str>,
}

pub(in crate::rules::config) fn check(routes: &Routes, origins: &[Origin], diagnostics: &mut Diagnostics<'_>) {
    let forwarded = |rule| forwarded(rule, origins);
    let all: Vec<Forwarded<'_>> = routes.rules().filter_map(forwarded).collect();
    let is_plain = |one: &Forwarded<'_>| one.way == Way { strip: "", prefix: "" };
    let depth = 1 + all.iter().map(|one| one.pattern.len()).max().unwrap_or_default();
    let mut known: Vec<(usize, usize)> = Vec::new();
    for (at, one) in all.iter().enumerate().filter(|(_, one)| !is_plain(one)) {
        let others = all.iter().enumerate().filter(|(other, two)| is_plain(two) || *other < at);
        for (_, two) in others.filter(|(_, two)| two.address == one.address && two.way != one.way) {
            for (method, path) in paths_of_both(one, two, depth) {
                let found = judged_otherwise(routes, one, two, method, &path);
                let Some((here, there)) = found.filter(|(here, there)| !known.contains(&(here.index, there.index)))
                else {
                    continue;
                };
                known.push((here.index, there.index));
                diagnostics.problem(
                    &format!("ROUTES[{}].to", here.index),
                    format!("{method} {path} at the origin is reached through this rule ({:?}) and through ROUTES[{}] ({:?}), which judges it otherwise: give both the same auth, user, revocation and token members, or the path a rule of its own", here.path, there.index, there.path),
                );
            }
        }
    }
}

fn forwarded<'w>(rule: &'w Rule, origins: &'w [Origin]) -> Option<Forwarded<'w>> {
    let forwarding = rule.forwarding()?;
    let origin = origins.iter().find(|origin| origin.name == forwarding.origin)?;
    let own = rule.path.strip_prefix(&*forwarding.strip)?.strip_prefix('/').unwrap_or_default();
    let way = Way { strip: &forwarding.strip, prefix: &origin.prefix };
    let pattern = way.prefix.split('/').skip(1).chain(own.split('/')).collect();
    Some(Forwarded { rule, address: &origin.address, way, pattern })
}

/// Methods and paths of the origin that both rules have, one for each kind.
fn paths_of_both<'w>(
    one: &Forwarded<'w>,
    two: &Forwarded<'w>,
    depth: usize,
) -> impl Iterator<Item = (&'w str, String)> {
    let methods: Vec<&'w str> = one.rule.methods.names().filter(|method| two.rule.methods.contain(method)).collect();
    let paths = if methods.is_empty() { Vec::new() } else { meet(&one.pattern, &two.pattern, depth) };
    paths.into_iter().flat_map(move |path| methods.clone().into_iter().map(move |method| (method, path.clone())))
}

/// The rules of the two ways that decide about this path, if they judge it differently.
fn judged_otherwise<'r>(
    routes: &'r Routes,
    one: &Forwarded<'_>,
    two: &Forwarded<'_>,
    method: &str,
    path: &str,
) -> Option<(&'r Rule, &'r Rule)> {
    let rules = |way: &Forwarded<'_>| -> Vec<&'r Rule> {
        let Some(rest) = path.strip_prefix(way.way.prefix) else { return Vec::new() };
        let same = |rule: &&Rule| rule.forwarding() == way.rule.forwarding();
        routes.rules_in_any_reading(method, &[way.way.strip, rest].concat()).filter(same).collect()
    };
    let (here, there) = (rules(one), rules(two));
    here.iter()
        .flat_map(|here| there.iter().map(move |there| (*here, *there)))
        .find(|(here, there)| !here.judges_like(there))
}

/// Paths that both patterns match, one for each number of segments up to `depth`, with [`OTHER`] for any segment.
fn meet(one: &[&str], two: &[&str], depth: usize) -> Vec<String> {
    let mut path: Vec<&str> = Vec::new();
    let (mut a, mut b) = (one.iter().copied(), two.iter().copied());
    loop {
        path.push(match (a.next(), b.next()) {
            (None, None) => return vec![text(&path)],
            (Some("*"), Some("*")) => return (0..depth).flat_map(|more| ends(&path, more)).collect(),
            (Some("*"), Some(next)) => return longer(path, next, b, depth),
            (Some(next), Some("*")) => return longer(path, next, a, depth),
            (Some(x), Some(y)) if is_variable(x) && is_variable(y) => OTHER,
            (Some(x), Some(y)) if is_variable(x) && !y.is_empty() => y,
            (Some(x), Some(y)) if is_variable(y) && !x.is_empty() => x,
            (Some(x), Some(y)) if x.to_lowercase() == y.to_lowercase() => x,
            (Some(_), Some(_)) | (None, Some(_)) | (Some(_), None) => return Vec::new(),
        });
    }
}

/// Paths of a pattern of which `path` is read and `next` follows.
fn longer<'p>(mut path: Vec<&'p str>, next: &'p str, rest: impl Iterator<Item = &'p str>, depth: usize) -> Vec<String> {
    for segment in std::iter::once(next).chain(rest) {
        if segment == "*" {
            return (0..depth).flat_map(|more| ends(&path, more)).collect();
        }
        path.push(if is_variable(segment) { OTHER } else { segment });
    }
    vec![text(&path)]
}

/// This path with `more` segments of any name, and one more that is empty or not.
fn ends(path: &[&str], more: usize) -> [String; 2] {
    let start = [path, &vec![OTHER; more]].concat();
    ["", OTHER].map(|last| text(&[&start[..], &[last]].concat()))
}

fn text(segments: &[&str]) -> String {
    format!("/{}", segments.join("/"))
}

fn is_variable(segment: &str) -> bool {
    segment.starts_with('{')
}
