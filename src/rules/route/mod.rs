//! Routes: which rule holds for a request.
//!
//! **What always holds:** what no rule names is refused. The most specific pattern wins, whatever the order in the
//! list: a segment as written before `{name}`, before a last `*`. A path means one thing: where the gate and an origin
//! could read it differently (`path.rs`), it is refused. The log-in endpoint is a place like the others.

mod path;
mod rule;
mod tree;

pub(super) use rule::is_realm;
pub use rule::{
    Auth, FlaskJwtExtendedRule, INDEX_PAGE, Invalid, Methods, RULE_MEMBERS, RULE_NOTES, RequiredFreshness, Revocation,
    Rule, RuleMember, Target, UserFrom,
};

use super::{
    diagnostic::Diagnostic,
    json::Value,
    rejection::{PathFault, Rejection},
};
use path::RequestPath;
use tree::Tree;

/// The last segment of a pattern that stands for all that follows.
const REST: &str = "/*";

/// A path as a careless reader takes it, in which another rule must not hold; `None` for one that is refused anyway.
#[must_use]
pub fn lenient_path(raw_path: &str) -> Option<String> {
    RequestPath::read(raw_path).ok().map(|path| path.normalized().into_owned())
}

/// Every place that requests can go to.
#[derive(Clone, Debug)]
pub struct Routes {
    places: Vec<Place>,
    /// By path as it is.
    strict: Tree,
    /// By path as a careless reader may take it: see [`RequestPath::normalized`].
    normalized: Tree,
}

/// A pattern and all that is said about it.
#[derive(Clone, Debug)]
struct Place {
    pattern: String,
    endpoint: Option<(Endpoint, Methods)>,
    rules: Vec<Rule>,
    /// The `Allow` header.
    allow: String,
}

/// A place where the gate itself does something.
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
    /// `TOLLGATE_SESSIONS_URL`.
    Sessions,
    /// One of them: its id is the last segment of the path.
    Session,
    /// `TOLLGATE_LOGOUT_ALL_URL`.
    LogoutAll,
    /// `TOLLGATE_PASSWORD_URL`.
    Password,
    /// `TOLLGATE_ADMIN_URL`.
    Admin,
}

impl Endpoint {
    /// What stands in the log where a rule's pattern would.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Login => "log-in",
            Self::Refresh => "refresh",
            Self::Logout => "log-out",
            Self::Keys => "keys",
            Self::Sessions => "sessions",
            Self::Session => "session",
            Self::LogoutAll => "log-out-all",
            Self::Password => "password",
            Self::Admin => "admin",
        }
    }

    /// The option with its path.
    #[must_use]
    pub const fn option(self) -> &'static str {
        match self {
            Self::Login => "JWT_AUTH_URL_RULE",
            Self::Refresh => "TOLLGATE_REFRESH_URL",
            Self::Logout => "TOLLGATE_LOGOUT_URL",
            Self::Keys => "TOLLGATE_JWKS_URL",
            Self::Sessions | Self::Session => "TOLLGATE_SESSIONS_URL",
            Self::LogoutAll => "TOLLGATE_LOGOUT_ALL_URL",
            Self::Password => "TOLLGATE_PASSWORD_URL",
            Self::Admin => "TOLLGATE_ADMIN_URL",
        }
    }
}

/// What holds for a request.
#[derive(Debug, PartialEq)]
pub enum Found<'r> {
    /// An endpoint.
    Endpoint(Endpoint),
    /// A rule.
    Rule(&'r Rule),
    /// An OPTIONS request that the gate itself answers, with this `Allow` header.
    Options(&'r str),
}

impl Routes {
    /// Reads the endpoints (with path and methods; the log-in first, if there is one) and the rules.
    ///
    /// # Errors
    /// Every problem; else the routes with every warning.
    pub fn read(
        endpoints: &[(Endpoint, &str, Value)],
        rules: &[Value],
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
            match Rule::read(index, value) {
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

    /// Every rule.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.places.iter().flat_map(|place| &place.rules)
    }

    /// Every endpoint with its path.
    pub fn endpoints(&self) -> impl Iterator<Item = (Endpoint, &str)> {
        self.places.iter().filter_map(|place| Some((place.endpoint.as_ref()?.0, place.pattern.as_str())))
    }

    /// The log-in endpoint's path, if there is one.
    #[must_use]
    pub fn login_path(&self) -> Option<&str> {
        let is_login = |place: &&Place| matches!(place.endpoint, Some((Endpoint::Login, _)));
        self.places.first().filter(is_login).map(|place| place.pattern.as_str())
    }

    /// What holds for a request. `raw_path` is as it stands in the URL, escapes and all, without the query.
    ///
    /// # Errors
    /// [`Rejection::NotFound`], [`Rejection::MethodNotAllowed`], [`Rejection::MissingLastSlash`] (without the query) or
    /// [`Rejection::AmbiguousPath`].
    pub fn find(&self, method: &str, raw_path: &str) -> Result<Found<'_>, Rejection> {
        let path = RequestPath::read(raw_path).map_err(Rejection::AmbiguousPath)?;
        // The log-in endpoint is the first place, if there is one: no search where there are a thousand rules.
        let is_login = |place: &&Place| matches!(place.endpoint, Some((Endpoint::Login, _)));
        let login = self.places.first().filter(is_login);
        if let Some(login) = login.filter(|login| login.pattern.strip_suffix('/') == Some(path.decoded())) {
            login.find(method)?;
            return Err(Rejection::MissingLastSlash { location: format!("{raw_path}/") });
        }
        let place = self.place(&self.strict, path.decoded()).ok_or(Rejection::NotFound)?;
        let found = place.find(method)?;
        // A path that somebody wrote into a rule letter by letter is meant as it is.
        if place.pattern != path.decoded() || place.pattern.contains(['*', '{']) {
            let other = self.place(&self.normalized, &path.normalized());
            if !other.is_some_and(|other| other.fares_alike(method, &found)) {
                return Err(Rejection::AmbiguousPath(PathFault::OtherRuleInAnotherReading));
            }
        }
        self.check_index_page(method, &path, &found)?;
        Ok(found)
    }

    fn place(&self, tree: &Tree, path: &str) -> Option<&Place> {
        tree.find(path).map(|at| &self.places[at])
    }

    /// The asset server shows a folder's index.html for the folder: both must be ruled alike.
    fn check_index_page(&self, method: &str, path: &RequestPath<'_>, found: &Found<'_>) -> Result<(), Rejection> {
        let Found::Rule(Rule { to: Target::Assets, .. }) = found else { return Ok(()) };
        if !path.decoded().ends_with('/') {
            return Ok(());
        }
        let page = format!("{}{}", path.decoded(), INDEX_PAGE);
        let same = self.place(&self.strict, &page).is_some_and(|other| other.fares_alike(method, found));
        if same { Ok(()) } else { Err(Rejection::AmbiguousPath(PathFault::OtherRuleInAnotherReading)) }
    }

    /// Fills the two trees.
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
        // To a careless reader `/a` is `/a/`, for which `/a/*` holds; unless `/a` has a rule of its own.
        for (at, place) in self.places.iter().enumerate() {
            if let Some(start) = place.pattern.strip_suffix(REST) {
                let _ = self.normalized.insert(&path::fold(start), at);
            }
        }
    }

    /// Rules whose methods don't reach everywhere their pattern does, because a narrower pattern comes first.
    fn shadows(&self) -> Vec<Diagnostic> {
        let mut warnings = Vec::new();
        for wide in self.places.iter().filter(|place| place.pattern.ends_with(REST)) {
            let start = &wide.pattern[..wide.pattern.len() - 1];
            for narrow in self.places.iter().filter(|place| {
                place.endpoint.is_none() && place.pattern != wide.pattern && place.pattern.starts_with(start)
            }) {
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

    fn find(&self, method: &str) -> Result<Found<'_>, Rejection> {
        if let Some((endpoint, _)) = self.endpoint.as_ref().filter(|(_, methods)| methods.contain(method)) {
            return Ok(Found::Endpoint(*endpoint));
        }
        if let Some(rule) = self.rules.iter().find(|rule| rule.methods.contain(method)) {
            return Ok(Found::Rule(rule));
        }
        if method == "OPTIONS" {
            return Ok(Found::Options(&self.allow));
        }
        Err(Rejection::MethodNotAllowed { allow: self.allow.clone() })
    }

    /// Would a request with this method fare here as it does with what was found for it?
    fn fares_alike(&self, method: &str, found: &Found<'_>) -> bool {
        self.find(method).is_ok_and(|other| found.is_like(&other))
    }

    /// Two rules for one pattern must not share a method, nor take one from the log-in endpoint.
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
    /// Would a request fare alike under both?
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
