//! Which pages of other origins may read answers of the gate: CORS (Fetch, <https://fetch.spec.whatwg.org/#http-cors-protocol>).
//!
//! **What always holds:** an origin is allowed by its whole text, or by one label before a fixed domain; a request
//! without an allowed `Origin` gets no permission; what an answer says depends on `Origin`, and `Vary` says so.

use super::{
    browser,
    config::{as_list, as_seconds},
    json::{Map, Value},
    time::Duration,
};

/// The header fields that a page may read of an answer unless `expose` says otherwise: why it was refused, and for how
/// long.
const EXPOSED: [&str; 4] = ["Retry-After", "WWW-Authenticate", "X-Auth-Error", "X-Request-Id"];
/// How long browsers may keep the answer to a preflight unless `max_age` says otherwise.
const MAX_AGE: Duration = Duration::seconds(600);

/// The value of `TOLLGATE_CORS`, or of the member `cors` of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cors {
    origins: Vec<AllowedOrigin>,
    /// Whether pages may send cookies.
    pub credentials: bool,
    /// Request header fields, beside those that the gate itself reads.
    headers: Vec<String>,
    expose: Vec<String>,
    max_age: Duration,
}

/// An entry of `origins`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum AllowedOrigin {
    /// `*`.
    Any,
    /// One origin, as browsers write it (RFC 6454 §6.2).
    Exact(String),
    /// `https://*.example.com`: any one label between these two texts.
    Label { before: String, after: String },
}

/// What CORS adds to an answer, in place of every `Access-Control-…` field that it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorsFields(Vec<(&'static str, String)>);

impl Cors {
    /// Reads a table. Other members than those of the documentation are errors.
    ///
    /// # Errors
    /// For each wrong member its name and what to write instead.
    pub(super) fn read(value: &Value) -> Result<Self, Vec<(String, String)>> {
        let Some(table) = value.as_object() else {
            return Err(vec![(
                String::new(),
                "write a table, such as { origins = [\"https://app.example.com\"] }".into(),
            )]);
        };
        let mut problems = Vec::new();
        let mut problem = |member: &str, text: String| problems.push((member.to_owned(), text));
        const MEMBERS: [&str; 5] = ["origins", "credentials", "headers", "expose", "max_age"];
        for name in table.keys().filter(|name| !MEMBERS.contains(&name.as_str())) {
            problem(name, format!("no such member: there are {}", MEMBERS.join(", ")));
        }
        let credentials = match table.get("credentials") {
            None => false,
            Some(Value::Bool(on)) => *on,
            Some(_) => {
                problem("credentials", "write true or false".into());
                false
            }
        };
        let origins = names(table, "origins").unwrap_or_else(|text| {
            problem("origins", text);
            None
        });
        let mut allowed = Vec::new();
        for origin in origins.iter().flatten() {
            match AllowedOrigin::read(origin) {
                Ok(AllowedOrigin::Any) if credentials => problem(
                    "origins",
                    "every page could act for whoever is logged in: with credentials list the origins in place of \"*\""
                        .into(),
                ),
                Ok(AllowedOrigin::Label { ref after, .. }) if browser::is_public_suffix(after) => problem(
                    "origins",
                    format!("{origin:?}: anybody can have a name there: write a domain of your own before it"),
                ),
                Ok(origin) => allowed.push(origin),
                Err(text) => problem("origins", format!("{origin:?}: {text}")),
            }
        }
        if origins.is_none_or(|origins| origins.is_empty()) {
            problem("origins", "missing: list the origins of the pages, such as [\"https://app.example.com\"]".into());
        }
        let mut fields = |member: &str| {
            let list = names(table, member).unwrap_or_else(|text| {
                problem(member, text);
                None
            });
            if let Some(bad) = list.iter().flatten().find(|name| http::HeaderName::from_bytes(name.as_bytes()).is_err())
            {
                problem(member, format!("{bad:?} is no name of a header field"));
            }
            // Browsers do not take it for Authorization, nor for any field where credentials are sent.
            if list.iter().flatten().any(|name| name == "*") {
                problem(member, "list the names of header fields: browsers do not take \"*\" for all of them".into());
            }
            list
        };
        let (headers, expose) = (fields("headers"), fields("expose"));
        let max_age = match table.get("max_age").map(as_seconds) {
            None => MAX_AGE,
            Some(Ok(age)) if age >= Duration::ZERO => age,
            Some(_) => {
                problem("max_age", "write a duration, such as \"10m\"".into());
                MAX_AGE
            }
        };
        if !problems.is_empty() {
            return Err(problems);
        }
        let headers = headers.unwrap_or_default();
        let expose = expose.unwrap_or_else(|| EXPOSED.map(str::to_owned).to_vec());
        Ok(Self { origins: allowed, credentials, headers, expose, max_age })
    }

    /// The origins that are listed one by one, with a label in place of `*`.
    pub(super) fn examples(&self) -> impl Iterator<Item = String> {
        self.origins.iter().filter_map(|origin| match origin {
            AllowedOrigin::Any => None,
            AllowedOrigin::Exact(origin) => Some(origin.clone()),
            AllowedOrigin::Label { before, after } => Some(format!("{before}any{after}")),
        })
    }

    /// What is added to an answer to a page of this origin; to an answer without `Origin`, or to one that is not
    /// allowed, `Vary` alone.
    #[must_use]
    pub fn fields(&self, origin: Option<&str>) -> CorsFields {
        let mut fields = vec![("vary", "Origin".to_owned())];
        if self.permit(origin, &mut fields) && !self.expose.is_empty() {
            fields.push(("access-control-expose-headers", self.expose.join(", ")));
        }
        CorsFields(fields)
    }

    /// What the answer to a preflight says, for a method that the rule has. `own_headers`: the header fields that the
    /// gate reads.
    #[must_use]
    pub(super) fn preflight(&self, origin: &str, method: &str, own_headers: &[String]) -> CorsFields {
        let vary = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";
        let mut fields = vec![("vary", vary.to_owned())];
        if self.permit(Some(origin), &mut fields) {
            fields.push(("access-control-allow-methods", method.to_owned()));
            let is_new = |name: &&String| !own_headers.iter().any(|own| own.eq_ignore_ascii_case(name));
            let headers: Vec<&str> =
                own_headers.iter().chain(self.headers.iter().filter(is_new)).map(String::as_str).collect();
            fields.push(("access-control-allow-headers", headers.join(", ")));
            fields.push(("access-control-max-age", (self.max_age.as_millis() / 1000).to_string()));
        }
        CorsFields(fields)
    }

    /// Adds the permission, if the origin has one.
    fn permit(&self, origin: Option<&str>, fields: &mut Vec<(&'static str, String)>) -> bool {
        let Some(allowed) = origin.and_then(|origin| self.origins.iter().find_map(|known| known.allow(origin))) else {
            return false;
        };
        fields.push(("access-control-allow-origin", allowed.to_owned()));
        if self.credentials {
            fields.push(("access-control-allow-credentials", "true".to_owned()));
        }
        true
    }
}

impl AllowedOrigin {
    fn read(text: &str) -> Result<Self, &'static str> {
        match text {
            "*" => return Ok(Self::Any),
            "null" => return Err("pages of many kinds have it, such as a file or a sandboxed frame of any site"),
            _ => {}
        }
        const LABEL: &str = "any-label";
        let instead = "write scheme and host, such as \"https://app.example.com\" or \"https://*.example.com\"";
        if !text.contains('*') {
            return browser::serialised(text).map(Self::Exact).ok_or(instead);
        }
        let (before, after) = text.split_once("://*.").filter(|(_, after)| after.contains('.')).ok_or(instead)?;
        let written = browser::serialised(&format!("{before}://{LABEL}.{after}")).ok_or(instead)?;
        let (before, after) = written.split_once(LABEL).filter(|(_, after)| !after.contains('*')).ok_or(instead)?;
        Ok(Self::Label { before: before.to_owned(), after: after.to_owned() })
    }

    /// The value of `Access-Control-Allow-Origin` for a request of this origin, if it is allowed.
    fn allow<'o>(&self, origin: &'o str) -> Option<&'o str> {
        match self {
            Self::Any => Some("*"),
            Self::Exact(known) => (known == origin).then_some(origin),
            Self::Label { before, after } => {
                let label = origin.strip_prefix(before.as_str())?.strip_suffix(after.as_str())?;
                let is_label = !label.is_empty()
                    && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
                is_label.then_some(origin)
            }
        }
    }
}

impl CorsFields {
    /// The fields, names in lower case. `vary` is added to the answer's own; all others replace its own.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str()))
    }
}

/// Whether an answer's header field gives way to [`CorsFields`]. `name` in lower case.
#[must_use]
pub fn is_replaced(name: &str) -> bool {
    name.starts_with("access-control-")
}

fn names(table: &Map<String, Value>, member: &str) -> Result<Option<Vec<String>>, String> {
    table.get(member).map(as_list).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn cors(value: &Value) -> Cors {
        Cors::read(value).expect("good")
    }

    fn allowed(origins: &[&str], origin: &str) -> Option<String> {
        let fields = cors(&json!({"origins": origins})).fields(Some(origin));
        fields.iter().find(|(name, _)| *name == "access-control-allow-origin").map(|(_, value)| value.to_owned())
    }

    #[test]
    fn an_origin_is_allowed_by_its_whole_text() {
        let origins = ["https://app.example.com", "http://localhost:5173", "capacitor://localhost"];
        for good in origins {
            assert_eq!(allowed(&origins, good).as_deref(), Some(good));
        }
        for bad in [
            "https://app.example.com.evil.example",
            "https://evil.example?https://app.example.com",
            "http://app.example.com",
            "https://app.example.com:8443",
            "https://APP.example.com",
            "https://app.example.co",
            "http://localhost",
            "null",
            "",
        ] {
            assert_eq!(allowed(&origins, bad), None, "{bad}");
        }
        assert_eq!(
            allowed(&["https://App.Example.com:443"], "https://app.example.com").as_deref(),
            Some("https://app.example.com")
        );
    }

    #[test]
    fn a_star_stands_for_exactly_one_label() {
        let origins = ["https://*.example.com"];
        for good in ["https://a.example.com", "https://pr-17.example.com", "https://pr_17.example.com"] {
            assert_eq!(allowed(&origins, good).as_deref(), Some(good));
        }
        for bad in [
            "https://example.com",
            "https://.example.com",
            "https://a.b.example.com",
            "https://evil.example/.example.com",
            "https://a@evil.example#.example.com",
            "https://aexample.com",
            "http://a.example.com",
            "https://a.example.com:8443",
        ] {
            assert_eq!(allowed(&origins, bad), None, "{bad}");
        }
        assert_eq!(allowed(&["*"], "https://whoever.example").as_deref(), Some("*"));
    }

    #[test]
    fn what_gives_no_sure_permission_is_a_problem() {
        for (value, member) in [
            (json!("https://app.example.com"), ""),
            (json!({}), "origins"),
            (json!({"origins": []}), "origins"),
            (json!({"origins": ["*"], "credentials": true}), "origins"),
            (json!({"origins": ["null"]}), "origins"),
            (json!({"origins": ["app.example.com"]}), "origins"),
            (json!({"origins": ["https://app.example.com/"]}), "origins"),
            (json!({"origins": ["https://app.example.com/page"]}), "origins"),
            (json!({"origins": ["https://*"]}), "origins"),
            (json!({"origins": ["https://*.com"]}), "origins"),
            (json!({"origins": ["https://*.com."]}), "origins"),
            (json!({"origins": ["https://*.workers.dev"]}), "origins"),
            (json!({"origins": ["https://app..example.com"]}), "origins"),
            (json!({"origins": ["https://app.example.com."]}), "origins"),
            (json!({"origins": ["wss://app.example.com"]}), "origins"),
            (json!({"origins": ["https://app.example.com"], "headers": ["*"]}), "headers"),
            (json!({"origins": ["https://app.example.com"], "expose": ["*"]}), "expose"),
            (json!({"origins": ["https://app.*.example.com"]}), "origins"),
            (json!({"origins": ["https://*.*.example.com"]}), "origins"),
            (json!({"origins": ["https://user@app.example.com"]}), "origins"),
            (json!({"origins": ["https://app.example.com:99999"]}), "origins"),
            (json!({"origins": ["*"], "credentials": "yes"}), "credentials"),
            (json!({"origins": ["*"], "headers": ["X Y"]}), "headers"),
            (json!({"origins": ["*"], "expose": [1]}), "expose"),
            (json!({"origins": ["*"], "max_age": -1}), "max_age"),
            (json!({"origins": ["*"], "methods": ["GET"]}), "methods"),
        ] {
            let problems = Cors::read(&value).expect_err(&value.to_string());
            assert!(problems.iter().any(|(name, _)| name == member), "{value}: {problems:?}");
        }
    }

    #[test]
    fn a_preflight_promises_the_method_and_the_headers() {
        let own = ["Authorization".to_owned(), "Content-Type".to_owned()];
        let table = json!({"origins": ["https://app.example.com"], "credentials": true, "max_age": "5m",
            "headers": ["X-Own", "authorization"]});
        let preflight = |origin: &str| cors(&table).preflight(origin, "PUT", &own);
        let said = preflight("https://app.example.com");
        let said = |name: &str| said.iter().find(|(known, _)| *known == name).map(|(_, value)| value);
        for (name, value) in [
            ("access-control-allow-origin", "https://app.example.com"),
            ("access-control-allow-credentials", "true"),
            ("access-control-allow-methods", "PUT"),
            ("access-control-allow-headers", "Authorization, Content-Type, X-Own"),
            ("access-control-max-age", "300"),
        ] {
            assert_eq!(said(name), Some(value), "{name}");
        }
        assert!(said("vary").is_some_and(|vary| vary.starts_with("Origin")));
        assert!(preflight("https://evil.example").iter().all(|(name, _)| name == "vary"));
    }
}
