//! Routes: finds the rule or endpoint for a request.
//!
//! **What always holds:** a path that no rule matches is refused. The most specific pattern wins, whatever the order of
//! rules: at each segment a literal before `{name}` before a last `*`. A path that the gate and an origin could match
//! to different rules is refused (`path.rs`).

mod path;
mod place;
mod requirement;
mod rule;
mod tree;

pub use place::Places;
pub use requirement::Requirement;
pub(in crate::rules) use requirement::Test;
pub(super) use rule::is_realm;
pub use rule::{
    Auth, FlaskJwtExtendedRule, INDEX_PAGE, Invalid, Methods, RULE_MEMBERS, RULE_NOTES, RequiredFreshness, Revocation,
    Rule, RuleMember, Target, UserFrom,
};

use super::{
    diagnostic::Diagnostic,
    json::Value,
    rejection::{PathFault, RouteRejection},
};
use path::RequestPath;
use tree::Tree;

/// The end of a pattern that matches the rest of the path.
const REST: &str = "/*";

/// The path as a lenient origin reads it: in lower case, without `;` parameters, without dots and spaces at the end of
/// segments, without a trailing slash. [`Routes::find`] refuses a path for which another rule applies in this reading.
/// `None` for a path that is refused in any case.
#[must_use]
pub fn lenient_path(raw_path: &str) -> Option<String> {
    RequestPath::read(raw_path).ok().map(|path| path.normalized().into_owned())
}

/// A segment or path as a lenient origin reads it, without case and without what it may ignore at the end.
#[must_use]
pub(super) fn fold(text: &str) -> String {
    path::fold(text)
}

/// All endpoints and rules, by path pattern.
#[derive(Clone, Debug)]
pub struct Routes {
    places: Vec<Place>,
    /// By decoded path.
    strict: Tree,
    /// By path as a lenient origin reads it: see [`RequestPath::normalized`].
    normalized: Tree,
}

/// A pattern, with its endpoint and its rules.
#[derive(Clone, Debug)]
struct Place {
    pattern: String,
    endpoint: Option<(Endpoint, Methods)>,
    rules: Vec<Rule>,
    /// The value of `Allow` (RFC 9110 §10.2.1).
    allow: String,
}

/// An endpoint of the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `JWT_AUTH_URL_RULE`.
    Login,
    /// `TOLLGATE_REFRESH_URL`.
    Refresh,
    /// `TOLLGATE_LOGOUT_URL`.
    Logout,
    /// `TOLLGATE_JWKS_URL`.
    Keys,
    /// `TOLLGATE_ASSERTION_JWKS_URL`.
    AssertionKeys,
    /// `TOLLGATE_SESSIONS_URL`.
    Sessions,
    /// One session, whose id is the last segment of a path below `TOLLGATE_SESSIONS_URL`.
    Session,
    /// `TOLLGATE_LOGOUT_ALL_URL`.
    LogoutAll,
    /// `TOLLGATE_PASSWORD_URL`.
    Password,
    /// `TOLLGATE_ADMIN_URL`.
    Admin,
}

impl Endpoint {
    /// The endpoint's name in the log, where other lines have a rule's pattern.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Login => "log-in",
            Self::Refresh => "refresh",
            Self::Logout => "log-out",
            Self::Keys => "keys",
            Self::AssertionKeys => "assertion-keys",
            Self::Sessions => "sessions",
            Self::Session => "session",
            Self::LogoutAll => "log-out-all",
            Self::Password => "password",
            Self::Admin => "admin",
        }
    }

    /// Whether this is the name of an endpoint. A rule's pattern begins with a slash.
    #[must_use]
    pub(super) fn is_name(text: &str) -> bool {
        !text.starts_with('/')
    }

    /// The option that sets the endpoint's path.
    #[must_use]
    pub const fn option(self) -> &'static str {
        match self {
            Self::Login => "JWT_AUTH_URL_RULE",
            Self::Refresh => "TOLLGATE_REFRESH_URL",
            Self::Logout => "TOLLGATE_LOGOUT_URL",
            Self::Keys => "TOLLGATE_JWKS_URL",
            Self::AssertionKeys => "TOLLGATE_ASSERTION_JWKS_URL",
            Self::Sessions | Self::Session => "TOLLGATE_SESSIONS_URL",
            Self::LogoutAll => "TOLLGATE_LOGOUT_ALL_URL",
            Self::Password => "TOLLGATE_PASSWORD_URL",
            Self::Admin => "TOLLGATE_ADMIN_URL",
        }
    }
}

/// The result of looking up a request's method and path.
#[derive(Debug, PartialEq)]
pub enum Found<'r> {
    /// An endpoint of the gate.
    Endpoint(Endpoint),
    /// A rule of `ROUTES`.
    Rule(&'r Rule),
    /// An OPTIONS request that the gate answers, with this value of `Allow`.
    Options(&'r str),
}

impl Routes {
    /// Reads the endpoints (with path and methods; the log-in first, if there is one) and the rules, which may name
    /// these origins. Returns the routes and all warnings.
    ///
    /// # Errors
    /// All problems.
    pub fn read(
        endpoints: &[(Endpoint, &str, Value)],
        rules: &[Value],
        origins: &[&str],
    ) -> Result<(Self, Vec<Diagnostic>), Vec<Diagnostic>> {
        let mut problems = Vec::new();
        let mut places: Vec<Place> = Vec::new();
        for &(endpoint, pattern, ref methods) in endpoints {
            let methods = Methods::read(methods).unwrap_or_else(|instead| {
                problems.push(Diagnostic::new("JWT_AUTH_URL_OPTIONS", format!("methods: {instead}")));
                Methods::get()
            });
            match path::check_pattern(pattern) {
                Ok(()) if pattern.contains(['*', '{']) && endpoint != Endpoint::Session => {
                    problems.push(Diagnostic::new(endpoint.option(), "write one path, such as \"/auth\""))
                }
                Ok(()) => places.push(Place {
                    pattern: pattern.to_owned(),
                    endpoint: Some((endpoint, methods)),
                    rules: Vec::new(),
                    allow: String::new(),
                }),
                Err(instead) => problems.push(Diagnostic::new(endpoint.option(), instead)),
            }
        }
        for (index, value) in rules.iter().enumerate() {
            match Rule::read(index, value, origins) {
                Ok(rule) => match places.iter_mut().find(|place| place.pattern == rule.path) {
                    Some(place) => place.rules.push(rule),
                    None => places.push(Place {
                        pattern: rule.path.clone(),
                        endpoint: None,
                        rules: vec![rule],
                        allow: String::new(),
                    }),
                },
                Err(more) => problems.extend(more),
            }
        }
        places.iter_mut().for_each(Place::set_allow);
        places.iter().for_each(|place| place.check(&mut problems));
        let mut routes = Self { places, strict: Tree::default(), normalized: Tree::default() };
        routes.index(&mut problems);
        if problems.is_empty() {
            let warnings = routes.shadows();
            Ok((routes, warnings))
        } else {
            Err(problems)
        }
    }

    /// All rules.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.places.iter().flat_map(|place| &place.rules)
    }

    /// All endpoints with their paths.
    pub fn endpoints(&self) -> impl Iterator<Item = (Endpoint, &str)> {
        self.places.iter().filter_map(|place| Some((place.endpoint.as_ref()?.0, place.pattern.as_str())))
    }

    /// The log-in endpoint's path, if there is one.
    #[must_use]
    pub fn login_path(&self) -> Option<&str> {
        let is_login = |place: &&Place| matches!(place.endpoint, Some((Endpoint::Login, _)));
        self.places.first().filter(is_login).map(|place| place.pattern.as_str())
    }

    /// Finds the endpoint or rule for a request. `raw_path` is the path as in the URL, still percent-encoded, without
    /// the query.
    ///
    /// # Errors
    /// [`RouteRejection::NotFound`], [`RouteRejection::MethodNotAllowed`], [`RouteRejection::MissingLastSlash`]
    /// (without the query) or [`RouteRejection::AmbiguousPath`].
    pub fn find(&self, method: &str, raw_path: &str) -> Result<Found<'_>, RouteRejection> {
        let path = RequestPath::read(raw_path).map_err(RouteRejection::AmbiguousPath)?;
        // The log-in endpoint is the first place, if there is one, so there is no search among the rules.
        let is_login = |place: &&Place| matches!(place.endpoint, Some((Endpoint::Login, _)));
        let login = self.places.first().filter(is_login);
        if let Some(login) = login.filter(|login| login.pattern.strip_suffix('/') == Some(path.decoded())) {
            login.find(method)?;
            return Err(RouteRejection::MissingLastSlash { location: format!("{raw_path}/") });
        }
        let place = self.place(&self.strict, path.decoded()).ok_or(RouteRejection::NotFound)?;
        let found = place.find(method)?;
        // A rule that names exactly this path applies, whatever a lenient reading matches.
        if place.pattern.contains(['*', '{']) {
            let other = self.place(&self.normalized, &path.normalized());
            if !other.is_some_and(|other| other.is_treated_alike(method, &found)) {
                return Err(RouteRejection::AmbiguousPath(PathFault::OtherRuleInAnotherReading));
            }
        }
        self.check_index_page(method, &path, &found)?;
        Ok(found)
    }

    /// Whether OPTIONS is listed for this pattern, by a rule or the endpoint: then the gate does not answer preflights.
    #[must_use]
    pub(super) fn lists_options(&self, pattern: &str) -> bool {
        let here = self.places.iter().find(|place| place.pattern == pattern);
        here.is_some_and(|place| !matches!(place.find("OPTIONS"), Ok(Found::Options(_))))
    }

    /// As [`Self::find`], but for a method that nothing is listed for the first rule with `cors`, or the endpoint, of
    /// this path; `None` for a path that is not served.
    pub(super) fn find_for_any_method(&self, method: &str, raw_path: &str) -> Option<Found<'_>> {
        match self.find(method, raw_path) {
            Ok(Found::Options(_)) | Err(RouteRejection::MethodNotAllowed { .. }) => {}
            Err(RouteRejection::MissingLastSlash { .. }) => return Some(Found::Endpoint(Endpoint::Login)),
            Ok(found) => return Some(found),
            Err(_) => return None,
        }
        let path = RequestPath::read(raw_path).ok()?;
        let Some(place) = self.place(&self.strict, path.decoded()) else {
            // Another method at the log-in's path without its last slash.
            return Some(Found::Endpoint(Endpoint::Login));
        };
        let rule = place.rules.iter().find(|rule| rule.cors.is_some()).map(Found::Rule);
        rule.or_else(|| place.endpoint.as_ref().map(|(endpoint, _)| Found::Endpoint(*endpoint)))
    }

    fn place(&self, tree: &Tree, path: &str) -> Option<&Place> {
        tree.find(path).map(|at| &self.places[at])
    }

    /// The asset server answers a folder with its index.html, so the same rule must apply to both.
    fn check_index_page(&self, method: &str, path: &RequestPath<'_>, found: &Found<'_>) -> Result<(), RouteRejection> {
        let Found::Rule(Rule { to: Target::Assets, .. }) = found else { return Ok(()) };
        if !path.decoded().ends_with('/') {
            return Ok(());
        }
        let page = format!("{}{}", path.decoded(), INDEX_PAGE);
        let is_same = self.place(&self.strict, &page).is_some_and(|other| other.is_treated_alike(method, found));
        if is_same { Ok(()) } else { Err(RouteRejection::AmbiguousPath(PathFault::OtherRuleInAnotherReading)) }
    }

    /// Builds both trees and reports patterns that conflict.
    fn index(&mut self, problems: &mut Vec<Diagnostic>) {
        for (at, place) in self.places.iter().enumerate() {
            let twin =
                match (self.strict.insert(&place.pattern, at), self.normalized.insert(&path::fold(&place.pattern), at))
                {
                    (Ok(()), Ok(())) => continue,
                    (Ok(()), Err(twin)) => &self.places[twin],
                    (Err(twin), _) => {
                        let (pattern, twin) = (&place.pattern, &self.places[twin]);
                        let text = if *pattern == twin.pattern {
                            format!("{pattern:?} is {} too: give each a path of its own", twin.origin())
                        } else {
                            format!("{pattern:?} and {:?} are one pattern: write both in the same way", twin.pattern)
                        };
                        problems.push(Diagnostic::new(place.origin(), text));
                        continue;
                    }
                };
            if !twin.is_like(place) {
                problems.push(Diagnostic::new(place.origin(), format!("{:?} and {:?} differ only in case or a last slash, which an origin may not see: treat them alike", place.pattern, twin.pattern)));
            }
        }
        // A lenient origin reads `/a` as `/a/`, to which `/a/*` applies; unless `/a` has a rule of its own.
        for (at, place) in self.places.iter().enumerate() {
            if let Some(start) = place.pattern.strip_suffix(REST) {
                let _ = self.normalized.insert(&path::fold(start), at);
            }
        }
    }

    /// Warns of rules that lose some of their methods below a narrower pattern, which comes first.
    fn shadows(&self) -> Vec<Diagnostic> {
        let mut warnings = Vec::new();
        for wide in self.places.iter().filter(|place| place.pattern.ends_with(REST)) {
            let start = &wide.pattern[..wide.pattern.len() - 1];
            for narrow in
                self.places.iter().filter(|place| place.endpoint.is_none() && place.pattern.starts_with(start))
            {
                let lost: Vec<&str> = wide.methods().filter(|method| narrow.find(method).is_err()).collect();
                if !lost.is_empty() {
                    warnings.push(Diagnostic::new(
                        narrow.origin(),
                        format!("{:?} is narrower than {:?} and comes first, so {} there is refused with 405: list it for {:?} if it should pass", narrow.pattern, wide.pattern, lost.join(", "), narrow.pattern),
                    ));
                }
            }
        }
        warnings
    }
}

impl Place {
    fn set_allow(&mut self) {
        let mut all: Vec<&str> = Vec::new();
        for methods in
            self.endpoint.iter().map(|(_, methods)| methods).chain(self.rules.iter().map(|rule| &rule.methods))
        {
            for method in methods.names() {
                if !all.contains(&method) {
                    all.push(method);
                }
            }
        }
        if !all.contains(&"OPTIONS") {
            all.push("OPTIONS");
        }
        self.allow = all.join(", ");
    }

    fn methods(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().flat_map(|rule| rule.methods.names())
    }

    fn find(&self, method: &str) -> Result<Found<'_>, RouteRejection> {
        if let Some((endpoint, _)) = self.endpoint.as_ref().filter(|(_, methods)| methods.contain(method)) {
            return Ok(Found::Endpoint(*endpoint));
        }
        if let Some(rule) = self.rules.iter().find(|rule| rule.methods.contain(method)) {
            return Ok(Found::Rule(rule));
        }
        if method == "OPTIONS" {
            return Ok(Found::Options(&self.allow));
        }
        Err(RouteRejection::MethodNotAllowed { allow: self.allow.clone() })
    }

    /// Whether a request with this method would be treated here as it is under `found`.
    fn is_treated_alike(&self, method: &str, found: &Found<'_>) -> bool {
        self.find(method).is_ok_and(|other| found.is_like(&other))
    }

    /// Reports methods that two rules of one pattern, or a rule and an endpoint, have in common.
    fn check(&self, problems: &mut Vec<Diagnostic>) {
        let mut earlier: Vec<&Methods> = self.endpoint.iter().map(|(_, methods)| methods).collect();
        for rule in &self.rules {
            if let Some(method) =
                rule.methods.names().find(|method| earlier.iter().any(|methods| methods.contain(method)))
            {
                let owner = match &self.endpoint {
                    Some((endpoint, methods)) if methods.contain(method) => {
                        format!("the {} endpoint ({})", endpoint.name(), endpoint.option())
                    }
                    _ => "an earlier rule".to_owned(),
                };
                problems.push(Diagnostic::new(
                    format!("ROUTES[{}]", rule.index),
                    format!(
                        "never reached with {method}: {owner} has {:?} with it. Remove one of the two",
                        self.pattern
                    ),
                ));
            }
            earlier.push(&rule.methods);
        }
    }

    fn is_like(&self, other: &Self) -> bool {
        self.endpoint == other.endpoint
            && self.rules.len() == other.rules.len()
            && self.rules.iter().zip(&other.rules).all(|(one, two)| one.methods == two.methods && one.is_like(two))
    }

    fn origin(&self) -> String {
        let endpoint = self.endpoint.as_ref().map_or("ROUTES", |(endpoint, _)| endpoint.option());
        self.rules.first().map_or_else(|| endpoint.into(), |rule| format!("ROUTES[{}]", rule.index))
    }
}

impl Found<'_> {
    /// Whether a request would be treated alike under both.
    fn is_like(&self, other: &Found<'_>) -> bool {
        match (self, other) {
            (Found::Endpoint(one), Found::Endpoint(two)) => one == two,
            (Found::Options(_), Found::Options(_)) => true,
            (Found::Rule(one), Found::Rule(two)) => one.is_like(two),
            (Found::Endpoint(_) | Found::Rule(_) | Found::Options(_), _) => false,
        }
    }
}

#[cfg(test)]
mod tests;
