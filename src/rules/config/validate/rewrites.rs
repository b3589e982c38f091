//! Paths that rules rewrite for an origin (`strip`, `prefix`): one path of an origin must not be reachable in two ways
//! that the gate judges differently.
//!
//! **What it can't see:** that two host names, or a name and an address, are one server.

use crate::rules::{
    config::diagnostics::Diagnostics,
    origin::{Address, Origin},
    route::{Found, Routes, Rule, fold},
};
use percent_encoding::percent_decode_str;

/// Stands for a segment that no rule names.
const OTHER: &str = "*";
/// Stands for a method that no rule names.
const OTHER_METHOD: &str = "X-OTHER";

/// A rule, and the way that its requests take to an origin: a path with `strip` at its front gets `prefix` in its
/// place.
struct RouteToOrigin<'w> {
    rule: &'w Rule,
    address: &'w Address,
    strip: &'w str,
    /// The segments of the prefix, decoded.
    prefix: Vec<String>,
    /// The segments of the rule's pattern that are left.
    own: Vec<&'w str>,
}

/// Two paths of clients, one for each way, that an origin may take for one path. Segments after `strip`.
type PathPair = (Vec<String>, Vec<String>);

/// Reports each pair of rules through which one path of an origin is reached and judged differently.
pub(in crate::rules::config) fn check(routes: &Routes, origins: &[Origin], diagnostics: &mut Diagnostics<'_>) {
    let all: Vec<RouteToOrigin<'_>> = routes.rules().filter_map(|rule| RouteToOrigin::of(rule, origins)).collect();
    let depth = 1 + all.iter().map(|one| one.prefix.len() + one.own.len()).max().unwrap_or_default();
    let mut reported: Vec<(usize, usize)> = Vec::new();
    for (at, one) in all.iter().enumerate() {
        // Two rules that judge alike can't conflict. Narrower rules inside their paths are pairs of their own.
        let others = all[..at].iter().filter(|two| !two.rule.judges_like(one.rule));
        for two in others.filter(|two| !two.is_same_way(one) && is_same_address(two.address, one.address)) {
            let Some((method, path, here, there)) = conflict(routes, one, two, depth) else { continue };
            if reported.contains(&(here.index, there.index)) {
                continue;
            }
            reported.push((here.index, there.index));
            diagnostics.problem(
                &format!("ROUTES[{}].to", here.index),
                format!("{method} {path} at the origin is reached through this rule ({:?}) and through ROUTES[{}] ({:?}), which judges it otherwise: give both the same auth, invalid, user, revocation, require, countries, addresses and members about tokens, or the path a rule of its own", here.path, there.index, there.path),
            );
        }
    }
}

impl<'w> RouteToOrigin<'w> {
    fn of(rule: &'w Rule, origins: &'w [Origin]) -> Option<Self> {
        let forwarding = rule.forwarding()?;
        let origin = origins.iter().find(|origin| origin.name == forwarding.origin)?;
        let own = rule.path.strip_prefix(&*forwarding.strip)?;
        let decoded = |segment: &str| percent_decode_str(segment).decode_utf8_lossy().into_owned();
        Some(Self {
            rule,
            address: &origin.address,
            strip: &forwarding.strip,
            prefix: origin.prefix.split('/').skip(1).map(decoded).collect(),
            own: own.split('/').skip(1).collect(),
        })
    }

    fn is_same_way(&self, other: &Self) -> bool {
        self.strip == other.strip && self.prefix == other.prefix
    }

    /// The patterns of the origin's paths: a last slash makes no difference to a lenient origin, which also takes `/a/`
    /// for `/a`.
    fn patterns(&self) -> Vec<Vec<&str>> {
        let whole: Vec<&str> = self.prefix.iter().map(String::as_str).chain(self.own.iter().copied()).collect();
        match whole.split_last() {
            Some((&"", rest)) => vec![rest.to_vec()],
            Some((&"*", rest)) => vec![rest.to_vec(), whole],
            _ => vec![whole],
        }
    }

    /// The rules of this way that decide about a client's path with these segments, with and without a last slash.
    fn rules<'r>(&self, routes: &'r Routes, method: &str, segments: &[String]) -> Vec<&'r Rule> {
        let own = &segments[self.prefix.len().min(segments.len())..];
        let path = [self.strip, &own.iter().flat_map(|segment| ["/", segment]).collect::<String>()].concat();
        let paths = [path.clone(), format!("{path}/")];
        let found = paths.iter().filter(|path| !path.is_empty()).filter_map(|path| routes.find(method, path).ok());
        let rule = |found: Found<'r>| match found {
            Found::Rule(rule) => Some(rule).filter(|rule| rule.forwarding() == self.rule.forwarding()),
            Found::Endpoint(_) | Found::Options(_) => None,
        };
        found.filter_map(rule).collect()
    }
}

/// A method and a path of the origin that two rules judge differently, and these rules.
fn conflict<'r>(
    routes: &'r Routes,
    one: &RouteToOrigin<'_>,
    two: &RouteToOrigin<'_>,
    depth: usize,
) -> Option<(String, String, &'r Rule, &'r Rule)> {
    let (here, there) = (&one.rule.methods, &two.rule.methods);
    let names = here.names().chain(there.names()).chain([OTHER_METHOD]);
    let methods: Vec<&str> = names.filter(|method| here.contain(method) && there.contain(method)).collect();
    if methods.is_empty() {
        return None;
    }
    for (a, b) in one.patterns().iter().flat_map(|a| two.patterns().into_iter().map(move |b| (a.clone(), b))) {
        for (path, other_path) in common_paths(&a, &b, depth) {
            for method in &methods {
                let (here, there) = (one.rules(routes, method, &path), two.rules(routes, method, &other_path));
                let pairs = here.iter().flat_map(|here| there.iter().map(move |there| (*here, *there)));
                if let Some((here, there)) = pairs.into_iter().find(|(here, there)| !here.judges_like(there)) {
                    return Some(((*method).to_owned(), format!("/{}", path.join("/")), here, there));
                }
            }
        }
    }
    None
}

/// Paths that match the patterns, one for each number of segments up to `depth`, with [`OTHER`] for any segment.
fn common_paths(one: &[&str], two: &[&str], depth: usize) -> Vec<PathPair> {
    let mut pair = PathPair::default();
    let mut at = 0;
    let mut push = |a: &str, b: &str| {
        pair.0.push(a.to_owned());
        pair.1.push(b.to_owned());
    };
    let rest = loop {
        match (one.get(at).copied(), two.get(at).copied()) {
            (None, None) => return vec![pair],
            (Some("*"), _) => break &two[at.min(two.len())..],
            (_, Some("*")) => break &one[at.min(one.len())..],
            (Some(x), Some(y)) => match (is_variable(x), is_variable(y)) {
                (true, true) => push(OTHER, OTHER),
                (true, false) => push(y, y),
                (false, true) => push(x, x),
                (false, false) if fold(x) == fold(y) => push(x, y),
                (false, false) => return Vec::new(),
            },
            (Some(_), None) | (None, Some(_)) => return Vec::new(),
        }
        at += 1;
    };
    // `*` stands for one segment or more.
    if rest.is_empty() {
        return Vec::new();
    }
    for segment in rest {
        match *segment {
            "*" => {
                let more = |count: usize| {
                    let with = |start: &Vec<String>| [&start[..], &vec![OTHER.to_owned(); count]].concat();
                    (with(&pair.0), with(&pair.1))
                };
                return (1..=depth).map(more).collect();
            }
            segment => {
                let segment = if is_variable(segment) { OTHER } else { segment };
                pair.0.push(segment.to_owned());
                pair.1.push(segment.to_owned());
            }
        }
    }
    vec![pair]
}

fn is_variable(segment: &str) -> bool {
    segment.starts_with('{')
}

/// Whether requests may reach one server: the same binding, whatever their host is; or the same host and port, whatever
/// the scheme if both have its default port. All names of this machine are one.
fn is_same_address(one: &Address, other: &Address) -> bool {
    let parts = |address: &'_ Address| match address {
        Address::Network(site) => (None, Some(host_and_port(site))),
        Address::Service { binding, site } => (Some(binding.clone()), site.as_deref().map(host_and_port)),
    };
    let ((one_binding, one_place), (other_binding, other_place)) = (parts(one), parts(other));
    (one_binding.is_some() && one_binding == other_binding) || (one_place.is_some() && one_place == other_place)
}

/// Host and port; without the port for the default ones of both schemes, at which one server mostly answers for both.
fn host_and_port(site: &str) -> String {
    let host = site.split_once("://").map_or(site, |(_, host)| host);
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (host, None),
    };
    let is_local = name == "localhost" || name == "[::1]" || name.starts_with("127.") || name.ends_with(".localhost");
    let name = if is_local { "localhost" } else { name };
    match port {
        None | Some("80" | "443") => name.to_owned(),
        Some(port) => format!("{name}:{port}"),
    }
}
