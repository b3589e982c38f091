//! Tests of routes: which rule applies to a path, and which spellings are refused.

use super::*;
use crate::rules::time::Duration;
use serde_json::json;

fn read(rules: Value) -> Result<(Routes, Vec<Diagnostic>), Vec<Diagnostic>> {
    Routes::read(&[(Endpoint::Login, "/auth", json!(["POST"]))], rules.as_array().unwrap(), &[])
}

fn stock() -> Routes {
    read(json!([
        {"path": "/protected", "to": "identity"},
        {"path": "/*", "auth": "none", "to": "assets"},
        {"path": "/members/*", "to": "assets"},
        {"path": "/api/*", "methods": ["*"], "to": "origin"},
        {"path": "/api/{team}/open", "auth": "none", "to": "origin"},
    ]))
    .unwrap()
    .0
}

/// The result of [`Routes::find`] in a word.
fn find(routes: &Routes, method: &str, path: &str) -> String {
    match routes.find(method, path) {
        Ok(Found::Endpoint(endpoint)) => endpoint.name().into(),
        Ok(Found::Rule(rule)) => rule.path.clone(),
        Ok(Found::Options(allow)) => format!("options {allow}"),
        Err(RouteRejection::MethodNotAllowed { allow }) => format!("405 {allow}"),
        Err(rejection) => rejection.code().into(),
    }
}

#[test]
fn the_narrowest_pattern_wins_whatever_the_order() {
    let routes = stock();
    for (method, path, found) in [
        ("GET", "/protected", "/protected"),
        ("HEAD", "/protected", "/protected"),
        ("POST", "/protected", "405 GET, HEAD, OPTIONS"),
        ("OPTIONS", "/protected", "options GET, HEAD, OPTIONS"),
        ("POST", "/auth", "log-in"),
        ("GET", "/auth", "405 POST, OPTIONS"),
        ("HEAD", "/auth", "405 POST, OPTIONS"),
        ("OPTIONS", "/auth", "options POST, OPTIONS"),
        ("GET", "/", "/*"),
        ("GET", "/style.css", "/*"),
        ("GET", "/members/a/b", "/members/*"),
        ("GET", "/members/", "/members/*"),
        ("PATCH", "/api/", "/api/*"),
        ("PROPFIND", "/api/x", "/api/*"),
        ("OPTIONS", "/api/x", "options GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
        ("GET", "/api/red/open", "/api/{team}/open"),
        ("GET", "/api/red/shut", "/api/*"),
        ("GET", "/api/red/open/door", "/api/*"),
        ("get", "/protected", "405 GET, HEAD, OPTIONS"),
    ] {
        assert_eq!(find(&routes, method, path), found, "{method} {path}");
    }
}

/// As Flask does for a rule with a trailing slash; the redirect leads to the log-in endpoint only.
#[test]
fn a_login_path_without_its_last_slash_is_sent_there() {
    let rules = json!([{"path": "/*", "auth": "none", "to": "assets"}]);
    let routes =
        Routes::read(&[(Endpoint::Login, "/auth/", json!(["POST"]))], rules.as_array().unwrap(), &[]).unwrap().0;
    for method in ["POST", "OPTIONS"] {
        let location = "/auth/".to_owned();
        assert_eq!(routes.find(method, "/auth"), Err(RouteRejection::MissingLastSlash { location }));
    }
    assert_eq!(find(&routes, "GET", "/auth"), "405 POST, OPTIONS");
    assert_eq!(find(&routes, "POST", "/auth/"), "log-in");
    assert_eq!(find(&routes, "GET", "/other"), "/*");
    assert_eq!(find(&routes, "POST", "//auth"), "path_empty_segment");
}

#[test]
fn what_no_rule_names_is_not_found() {
    let routes = read(json!([{"path": "/api/*", "to": "origin"}, {"path": "/a", "to": "identity"}])).unwrap().0;
    for path in ["/", "/api", "/b", "/a/", "/A", "/auth/", "/Auth", "/auth;x"] {
        assert_eq!(find(&routes, "GET", path), "not_found", "{path}");
    }
}

/// No other spelling of a protected path may reach the public catch-all rule.
#[test]
fn a_path_means_one_thing() {
    let routes = stock();
    for (path, found) in [
        ("/members//x", "path_empty_segment"),
        ("//members/x", "path_empty_segment"),
        ("//", "path_empty_segment"),
        ("/members%2fx", "path_hidden_separator"),
        ("/members%2Fx", "path_hidden_separator"),
        ("/x%5c..%5cmembers", "path_hidden_separator"),
        ("/x/%2e%2e/members/x", "path_hidden_separator"),
        ("/x/%2E./members/x", "path_hidden_separator"),
        ("/members%", "path_bad_escape"),
        ("/members%zz", "path_bad_escape"),
        ("/members%f", "path_bad_escape"),
        ("/%ff", "path_bad_escape"),
        ("/%6d%65mbers/x", "/members/*"),
        ("/members%252fx", "path_double_escape"),
        ("/%256dembers/x", "path_double_escape"),
        ("/members%00/x", "path_control_character"),
        ("/members%0a", "path_control_character"),
        ("/x/..%20/members/x", "path_hidden_separator"),
        ("/x/%20../members/x", "path_hidden_separator"),
        ("/x/..;/members/x", "path_hidden_separator"),
        ("/;x/members/x", "path_empty_segment"),
        ("/%25%36dembers/x", "path_double_escape"),
        ("/Members/x", "path_ambiguous"),
        ("/members./x", "path_ambiguous"),
        ("/members%20/x", "path_ambiguous"),
        ("/protected.%20.", "path_ambiguous"),
        ("/MEMBERS/", "path_ambiguous"),
        ("/members", "path_ambiguous"),
        ("/members;x/y", "path_ambiguous"),
        ("/members;/y", "path_ambiguous"),
        ("/protected/", "path_ambiguous"),
        ("/protected;x", "path_ambiguous"),
        ("/PROTECTED", "path_ambiguous"),
        ("/auth/", "path_ambiguous"),
        ("/Style.css", "/*"),
        ("/docs;v=1/page", "/*"),
        ("/docs/", "/*"),
        ("/100%25", "/*"),
        ("/caf%C3%A9", "/*"),
        ("/members/Caf%C3%A9;x/", "/members/*"),
    ] {
        assert_eq!(find(&routes, "GET", path), found, "{path}");
    }
}

#[test]
fn a_folder_and_its_index_page_are_ruled_alike() {
    let routes = read(json!([
        {"path": "/*", "auth": "none", "to": "assets"},
        {"path": "/secret/index.html", "to": "assets"},
    ]))
    .unwrap()
    .0;
    assert_eq!(find(&routes, "GET", "/secret/"), "path_ambiguous");
    assert_eq!(find(&routes, "GET", "/secret/index.html"), "/secret/index.html");
    assert_eq!(find(&routes, "GET", "/open/"), "/*");
}

#[test]
fn a_pattern_with_capitals_is_guarded_too() {
    let routes =
        read(json!([{"path": "/*", "auth": "none", "to": "origin"}, {"path": "/Admin/*", "to": "origin"}])).unwrap().0;
    assert_eq!(find(&routes, "GET", "/Admin/x"), "/Admin/*");
    assert_eq!(find(&routes, "GET", "/admin/x"), "path_ambiguous");
}

#[test]
fn a_method_that_a_careless_reading_would_refuse_does_not_pass() {
    let routes = read(json!([{"path": "/*", "auth": "none", "to": "origin"}, {"path": "/admin", "methods": ["POST"], "to": "origin"}])).unwrap().0;
    assert_eq!(find(&routes, "GET", "/admin"), "405 POST, OPTIONS");
    assert_eq!(find(&routes, "GET", "/Admin"), "path_ambiguous");
}

#[test]
fn a_lenient_origin_reads_a_path_without_case_parameters_and_ends() {
    for (path, read) in [
        ("/a/b", Some("/a/b")),
        ("/a/b/", Some("/a/b")),
        ("/Caf%C3%89;v=1/x.%20./", Some("/caf\u{e9}/x")),
        ("/", Some("/")),
        ("/a//b", None),
        ("/a%2fb", None),
    ] {
        assert_eq!(lenient_path(path).as_deref(), read, "{path}");
    }
}

#[test]
fn the_text_of_a_pattern_is_a_path_like_any_other() {
    let routes =
        read(json!([{"path": "/A/*", "auth": "none", "to": "origin"}, {"path": "/a/{x}", "to": "origin"}])).unwrap().0;
    assert_eq!(find(&routes, "GET", "/a/*"), "/a/{x}");
    assert_eq!(find(&routes, "GET", "/A/*"), "path_ambiguous");
}

#[test]
fn an_endpoint_has_one_path_but_that_of_a_session_has_its_id() {
    let read = |endpoint, pattern| Routes::read(&[(endpoint, pattern, json!(["DELETE"]))], &[], &[]);
    for (endpoint, pattern) in [(Endpoint::Login, "/auth/*"), (Endpoint::Logout, "/{x}/logout")] {
        let problems = read(endpoint, pattern).map(drop).unwrap_err();
        assert_eq!(problems[0].option, endpoint.option(), "{problems:?}");
    }
    let routes = read(Endpoint::Session, "/auth/sessions/{id}").unwrap().0;
    assert_eq!(find(&routes, "DELETE", "/auth/sessions/AbC"), "session");
}

#[test]
fn options_goes_to_the_origin_only_if_a_rule_names_it() {
    let routes = read(json!([{"path": "/api/*", "methods": ["*", "OPTIONS"], "to": "origin"}])).unwrap().0;
    assert_eq!(find(&routes, "OPTIONS", "/api/x"), "/api/*");
}

#[test]
fn each_wrong_rule_is_told_by_its_place() {
    for (rules, option) in [
        (json!(["/x"]), "ROUTES[0]"),
        (json!([{"to": "identity"}]), "ROUTES[0].path"),
        (json!([{"path": 7, "to": "identity"}]), "ROUTES[0].path"),
        (json!([{"path": "x", "to": "identity"}]), "ROUTES[0].path"),
        (json!([{"path": "/a//b", "to": "identity"}]), "ROUTES[0].path"),
        (json!([{"path": "/a/../b", "to": "identity"}]), "ROUTES[0].path"),
        (json!([{"path": "/a%2fb", "to": "identity"}]), "ROUTES[0].path"),
        (json!([{"path": "/*/a", "to": "identity"}]), "ROUTES[0].path"),
        (json!([{"path": "/a*", "to": "identity"}]), "ROUTES[0].path"),
        (json!([{"path": "/{a", "to": "identity"}]), "ROUTES[0].path"),
        (json!([{"path": "/{abc", "to": "identity"}]), "ROUTES[0].path"),
        (json!([{"path": "/abc}", "to": "identity"}]), "ROUTES[0].path"),
        (json!([{"path": "/a{b}c", "to": "identity"}]), "ROUTES[0].path"),
        (json!([{"path": "/abc*", "to": "identity"}]), "ROUTES[0].path"),
        (json!([{"path": "/{}", "to": "identity"}]), "ROUTES[0].path"),
        (json!([{"path": "/a"}]), "ROUTES[0].to"),
        (json!([{"path": "/a", "to": "nowhere"}]), "ROUTES[0].to"),
        (json!([{"path": "/a", "to": "origin", "auth": true}]), "ROUTES[0].auth"),
        (json!([{"path": "/a", "to": "identity", "auth": "none"}]), "ROUTES[0].auth"),
        (json!([{"path": "/a", "to": "origin", "methods": []}]), "ROUTES[0].methods"),
        (json!([{"path": "/a", "to": "origin", "methods": "GET"}]), "ROUTES[0].methods"),
        (json!([{"path": "/a", "to": "origin", "methods": ["ge t"]}]), "ROUTES[0].methods"),
        (json!([{"path": "/a", "to": "origin", "user": "me"}]), "ROUTES[0].user"),
        (json!([{"path": "/a", "to": "origin", "realm": "\n"}]), "ROUTES[0].realm"),
        (json!([{"path": "/a", "to": "origin", "realm": "\u{e9}"}]), "ROUTES[0].realm"),
        (json!([{"path": "/a", "to": "origin", "fresh": "0s"}]), "ROUTES[0].fresh"),
        (json!([{"path": "/a", "to": "origin", "fresh": "-1s"}]), "ROUTES[0].fresh"),
        (json!([{"path": "/a", "to": "origin", "invalid": "anonymous"}]), "ROUTES[0].invalid"),
        (json!([{"path": "/a", "to": "origin", "atuh": "none"}]), "ROUTES[0].atuh"),
        (json!([{"path": "/a", "to": "origin"}, {"path": "/a", "to": "assets"}]), "ROUTES[1]"),
        (json!([{"path": "/auth", "methods": ["POST"], "to": "origin"}]), "ROUTES[0]"),
        (json!([{"path": "/a", "to": "origin"}, {"path": "/A", "auth": "none", "to": "origin"}]), "ROUTES[1]"),
        (json!([{"path": "/a", "to": "origin"}, {"path": "/a/", "auth": "none", "to": "origin"}]), "ROUTES[1]"),
    ] {
        let problems = read(rules.clone()).map(drop).unwrap_err();
        assert!(problems.iter().any(|problem| problem.option == option), "{rules}: {problems:?}");
    }
}

#[test]
fn a_rule_has_its_own_realm_and_freshness() {
    let rule = json!({"path": "/a", "to": "origin", "realm": "Staff \"1\"", "fresh": "10m"});
    let routes = read(json!([rule])).unwrap().0;
    let Ok(Found::Rule(rule)) = routes.find("GET", "/a") else { panic!("a rule") };
    assert_eq!(rule.realm.as_deref(), Some("Staff \"1\""));
    assert_eq!(rule.flask_jwt_extended.fresh, RequiredFreshness::Within(Duration::seconds(600)));
}

#[test]
fn a_method_counts_once_in_any_case_and_head_comes_with_get() {
    let rules = json!([{"path": "/a", "methods": ["get", "HEAD", "post", "GET"], "to": "origin"}]);
    let routes = read(rules).unwrap().0;
    assert_eq!(find(&routes, "HEAD", "/a"), "/a");
    assert_eq!(find(&routes, "OPTIONS", "/a"), "options GET, HEAD, POST, OPTIONS");
}

#[test]
fn rules_that_share_a_pattern_or_fold_together_alike_are_fine() {
    for rules in [
        json!([{"path": "/a", "to": "origin"}, {"path": "/a", "methods": ["POST"], "auth": "none", "to": "origin"}]),
        json!([{"path": "/a", "to": "origin"}, {"path": "/a/", "to": "origin"}]),
        json!([{"path": "/auth", "to": "assets", "auth": "none"}]),
        json!([{"path": "/a/{x}", "to": "origin"}, {"path": "/a/{y}/b", "to": "origin"}, {"path": "/a/*", "to": "origin"}]),
        json!([{"path": "/a/", "to": "identity"}, {"path": "/a/*", "to": "origin"}]),
    ] {
        read(rules.clone()).map(drop).unwrap_or_else(|problems| panic!("{rules}: {problems:?}"));
    }
}

#[test]
fn overlaps_that_take_a_method_away_are_told() {
    let (_, warnings) = read(json!([{"path": "/api/*", "methods": ["*"], "to": "origin"}, {"path": "/api/users", "methods": ["GET"], "to": "origin"}])).unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].text.contains("POST, PUT, PATCH, DELETE"), "{warnings:?}");
    // Elsewhere, and at an endpoint.
    let (_, warnings) =
        read(json!([{"path": "/api/*", "methods": ["*"], "to": "origin"}, {"path": "/other", "to": "origin"}]))
            .unwrap();
    assert_eq!(warnings, []);
    let (_, warnings) = read(json!([{"path": "/*", "to": "origin"}])).unwrap();
    assert_eq!(warnings, []);
}

#[test]
fn who_has_a_method_already_is_told() {
    for (first, owner) in [("POST", "the log-in endpoint (JWT_AUTH_URL_RULE)"), ("GET", "an earlier rule")] {
        let rules = json!([
            {"path": "/auth", "methods": ["GET"], "to": "origin"},
            {"path": "/auth", "methods": [first], "to": "origin"},
        ]);
        let problems = read(rules).map(drop).unwrap_err();
        assert!(problems[0].text.contains(owner), "{problems:?}");
    }
}

#[test]
fn a_thousand_rules_are_found_as_one_is() {
    let rules: Vec<Value> = (0..1000).map(|n| json!({"path": format!("/r{n}/*"), "to": "origin"})).collect();
    let routes = read(rules.into()).unwrap().0;
    assert_eq!(find(&routes, "GET", "/r777/x"), "/r777/*");
    assert_eq!(find(&routes, "GET", "/r1000/x"), "not_found");
}
