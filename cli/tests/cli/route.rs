//! `tollgate route test`.

use super::world::{World, snapshot};

#[test]
fn each_outcome_is_told_with_its_reason() {
    let world = World::new();
    for (name, method, path, code) in [
        ("needs-token", "GET", "/api/orders?page=2", 1),
        ("stored", "GET", "/protected", 1),
        ("assets", "GET", "/style.css", 0),
        ("method", "DELETE", "/api/orders", 1),
        ("ambiguous", "GET", "/API/orders", 1),
        ("escape", "GET", "/api%2forders", 1),
        ("dots", "GET", "/x/../api/orders", 1),
        ("log-in", "POST", "/auth", 0),
        ("options", "OPTIONS", "/api/orders", 0),
    ] {
        let run = world.run(&["route", "test", method, path], "");
        assert_eq!(run.code, code, "{path}: {run:?}");
        snapshot(&format!("route-{name}"), &run.whole());
    }
    world.config("path = \"/*\"", "path = \"/files/*\"");
    snapshot("route-not-found", &world.run(&["route", "test", "GET", "/other"], "").whole());
    snapshot("route-json", &world.run(&["route", "test", "GET", "/api/orders", "--json"], "").whole());
}

#[test]
fn a_token_is_judged_and_what_goes_on_is_told() {
    let world = World::new();
    let token = world.good(&["token", "mint", "--id", "a b"], "").out;
    let args = [
        "route",
        "test",
        "GET",
        "/api/x",
        "--token-stdin",
        "--header",
        "X-Auth-Subject: 1",
        "--header",
        "Cookie: c",
        "--json",
    ];
    let json = world.good(&args, &token).json();
    assert_eq!(json["sends"]["url"], "https://app.example.com/api/x");
    assert_eq!(json["sends"]["set"]["x-auth-subject"], "a%20b");
    assert_eq!(json["sends"]["kept"], serde_json::json!(["authorization", "cookie"]));
    assert!(json["sends"]["removed"].as_array().unwrap().contains(&"x-auth-subject".into()));
    for (token, code) in [("abc", "token_segments"), ("", "token_missing_after_scheme"), ("a b", "token_segments")] {
        let run = world.run(&["route", "test", "GET", "/api/x", "--token-stdin", "--json"], token);
        assert_eq!((run.code, run.json()["code"].as_str()), (1, Some(code)), "{token}");
    }
    world.config("[vars]", "[vars]\nTOLLGATE_FORWARD_TOKEN = false");
    let json = world.good(&args, &token).json();
    assert_eq!(json["sends"]["kept"], serde_json::json!(["cookie"]));
}

#[test]
fn a_wrong_configuration_is_told() {
    let world = World::new();
    world.config("to = \"origin\"", "to = \"orign\"");
    snapshot("error-route-config", &world.run(&["route", "test", "GET", "/"], "").whole());
}
