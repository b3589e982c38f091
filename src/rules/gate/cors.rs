//! CORS at the endpoints (`TOLLGATE_CORS`) and under rules (`cors`).
//!
//! **What always holds:** a preflight is answered without a look at any token, and promises only a method that an
//! endpoint or rule has. All other answers of a path with `cors` say whether the page may read them, rejections too.
//! The operators' endpoint has none.

use super::core::Gate;
use crate::rules::{
    answer::Answer,
    cors::{Cors, CorsFields},
    request::Request,
    route::{Endpoint, Found},
};

impl Gate {
    /// What must be added to the answer to this request, whatever the decision is; `None` where no CORS is configured.
    #[must_use]
    pub fn cors(&self, request: &Request<'_>) -> Option<CorsFields> {
        if !self.has_cors {
            return None;
        }
        let cors = self.cors_of(self.config.routes.find_for_any_method(request.method, request.path)?)?;
        let is_preflight = is_preflight(request);
        // What a preflight is promised is complete, and one that is promised nothing gets no permission.
        if is_preflight && self.preflight(request).is_some() {
            return None;
        }
        Some(cors.fields(request.headers.get("origin").as_deref().filter(|_| !is_preflight)))
    }

    /// Whether CORS is configured for this request, or it asks for it.
    #[must_use]
    pub fn has_cors_at(&self, request: &Request<'_>) -> bool {
        let routes = &self.config.routes;
        self.has_cors
            && (request.method == "OPTIONS"
                || routes
                    .find_for_any_method(request.method, request.path)
                    .is_some_and(|found| self.cors_of(found).is_some()))
    }

    /// The answer to a preflight for a method that a rule with `cors`, or an endpoint, has.
    pub(super) fn preflight(&self, request: &Request<'_>) -> Option<Answer> {
        if !self.has_cors || !is_preflight(request) {
            return None;
        }
        // `*` would be read as every method, also of other rules.
        let method = request.headers.get(REQUEST_METHOD).filter(|method| method != "*")?;
        let cors = self.cors_of(self.config.routes.find(&method, request.path).ok()?)?;
        let fields = cors.preflight(&request.headers.get("origin")?, &method, &self.headers_that_are_read());
        Some(Answer { status: 204, headers: Vec::new(), body: String::new() }.with_cors(&fields))
    }

    fn cors_of<'g>(&'g self, found: Found<'g>) -> Option<&'g Cors> {
        match found {
            Found::Endpoint(Endpoint::Admin) | Found::Options(_) => None,
            Found::Endpoint(_) => self.config.cors.as_ref(),
            Found::Rule(rule) => rule.cors.as_ref(),
        }
    }

    /// The request header fields that a page needs for this gate.
    fn headers_that_are_read(&self) -> Vec<String> {
        let mut names = vec!["Authorization".to_owned(), "Content-Type".to_owned()];
        if let Some(dialect) = self.config.flask_jwt_extended() {
            let csrf = [&dialect.access.csrf_header, &dialect.refresh.csrf_header];
            let csrf = csrf.into_iter().filter(|_| dialect.csrf_protect);
            for name in std::iter::once(&dialect.header_name).chain(csrf) {
                if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                    names.push(name.clone());
                }
            }
        }
        names
    }
}

const REQUEST_METHOD: &str = "access-control-request-method";

/// A CORS-preflight request (Fetch §3.3.2).
fn is_preflight(request: &Request<'_>) -> bool {
    request.method == "OPTIONS"
        && request.headers.get("origin").is_some()
        && request.headers.get(REQUEST_METHOD).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{
        config::{Bindings, Config},
        gate::{Decided, Decision},
        hooks::DefaultHandlers,
        json::{Value, json},
        time::Timestamp,
    };

    const PAGE: &str = "https://app.example.com";

    fn gate() -> Gate {
        let vars = json!({
            "JWT_SECRET_KEY": "a secret of more than thirty-two bytes",
            "TOLLGATE_ADMIN_SECRET": "another secret of more than thirty-two bytes",
            "TOLLGATE_CORS": {"origins": [PAGE]},
            "ROUTES": [
                {"path": "/api/*", "methods": ["*"], "to": "identity", "cors": {"origins": [PAGE], "headers": ["X-Own"]}},
                {"path": "/form", "methods": ["POST"], "to": "identity", "cors": {"origins": [PAGE]}},
                {"path": "/plain", "to": "identity"},
            ],
        });
        let Value::Object(vars) = vars else { unreachable!() };
        let bindings = Bindings { sessions: true, ..Bindings::default() };
        Gate::new(Config::read_with(&vars, bindings).config.expect("good"), DefaultHandlers)
    }

    fn request<'r>(method: &'r str, path: &'r str, headers: &'r [(&'r str, &'r str); 2]) -> Request<'r> {
        Request { method, site: "https://gate.example.com", path, query: None, headers }
    }

    fn preflight(path: &str, method: &str) -> Answer {
        let headers = [("origin", PAGE), (REQUEST_METHOD, method)];
        match gate().decide(&request("OPTIONS", path, &headers), Timestamp::from_millis(0)) {
            Decided::Now(Decision::Answer(answered)) => answered.answer,
            Decided::Now(Decision::Reject(rejected)) => gate().answer_to(&rejected),
            _ => panic!("OPTIONS {path} is not answered at once"),
        }
    }

    #[test]
    fn a_preflight_is_promised_what_the_rule_or_endpoint_allows() {
        for (path, method, headers) in [
            ("/api/x", "DELETE", "Authorization, Content-Type, X-Own"),
            ("/form", "POST", "Authorization, Content-Type"),
            ("/auth", "POST", "Authorization, Content-Type"),
            ("/auth/sessions", "GET", "Authorization, Content-Type"),
        ] {
            let answer = preflight(path, method);
            assert_eq!(answer.status, 204, "{path}");
            assert_eq!(answer.header("access-control-allow-methods"), Some(method), "{path}");
            assert_eq!(answer.header("access-control-allow-headers"), Some(headers), "{path}");
        }
        for (path, method) in [
            ("/form", "DELETE"),
            ("/api/x", "*"),
            ("/auth", "GET"),
            ("/plain", "GET"),
            ("/auth/admin", "POST"),
            ("/nowhere", "GET"),
        ] {
            let answer = preflight(path, method);
            assert!(answer.header("access-control-allow-origin").is_none(), "{path}: {answer:?}");
        }
    }

    #[test]
    fn every_answer_of_a_path_with_cors_says_who_may_read_it() {
        let gate = gate();
        let allowed = |method: &str, path: &str, origin: &str| -> Option<Option<String>> {
            let headers = [("origin", origin), ("x", "y")];
            let fields = gate.cors(&request(method, path, &headers))?;
            assert!(fields.iter().any(|field| field == ("vary", "Origin")));
            let allowed = fields.iter().find(|(name, _)| *name == "access-control-allow-origin");
            Some(allowed.map(|(_, value)| value.to_owned()))
        };
        // With `GET` for a path that takes POST alone the answer is 405.
        for (method, path) in [
            ("GET", "/api/x"),
            ("POST", "/form"),
            ("GET", "/form"),
            ("POST", "/auth"),
            ("GET", "/auth"),
            ("POST", "/auth/logout"),
        ] {
            assert_eq!(allowed(method, path, PAGE), Some(Some(PAGE.to_owned())), "{path}");
            assert_eq!(allowed(method, path, "https://evil.example"), Some(None), "{path}");
        }
        for path in ["/plain", "/auth/admin", "/nowhere"] {
            assert_eq!(allowed("POST", path, PAGE), None, "{path}");
        }
    }
}
