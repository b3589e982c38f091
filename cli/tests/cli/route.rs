//! `tollgate route test`.

use super::world::{KEY, World, file};
use snapbox::str;

#[test]
fn each_outcome_is_reported_with_its_reason() {
    let world = World::new();
    for (method, path, expected) in [
        (
            "GET",
            "/api/orders?page=2",
            str![[r#"
exit 1
--- stdout
GET /api/orders?page=2
rule     ROUTES[2] (wrangler.toml:30): path = "/api/*", auth = "required", to = "origin"
result   refused 401 (token_missing)
why      the rule requires a token, and there is none
header   www-authenticate: JWT realm="Login Required"
with a valid token:
  result   passes to the origin
  why      the token is valid (whether it is revoked or its claims are outdated is not looked up)
  sends    https://app.example.com/api/orders?page=2
  set      x-auth-subject: <the user's id>
  set      x-auth-claims: <the token's claims>
  removed  connection, host, x-auth-claims, x-auth-subject (and every x-auth-… and hop-by-hop header)
  kept     authorization (and every other header)

"#]],
        ),
        (
            "GET",
            "/protected",
            str![[r#"
exit 1
--- stdout
GET /protected
rule     ROUTES[0] (wrangler.toml:20): path = "/protected", auth = "required", to = "identity"
result   refused 401 (token_missing)
why      the rule requires a token, and there is none
header   www-authenticate: JWT realm="Login Required"
with a valid token:
  result   answered 200
  why      to = "identity": the gate answers with the identity
  answer   {"identity":<the user's id>}
  store    user:"<the user's id>", which must exist and be active

"#]],
        ),
        (
            "GET",
            "/style.css",
            str![[r#"
exit 0
--- stdout
GET /style.css
rule     ROUTES[1] (wrangler.toml:25): path = "/*", auth = "none", to = "assets"
result   passes to the static files
why      auth = "none": the gate does not look for a token

"#]],
        ),
        (
            "DELETE",
            "/api/orders",
            str![[r#"
exit 1
--- stdout
DELETE /api/orders
rule     none
result   refused 405 (method_not_allowed)
why      ROUTES[2] (wrangler.toml:30) matches this path, but not this method: to let it pass, add it to methods there
header   allow: GET, HEAD, POST, OPTIONS

"#]],
        ),
        (
            "GET",
            "/API/orders",
            str![[r#"
exit 1
--- stdout
GET /API/orders
rule     none
result   refused 400 (path_ambiguous)
why      read without case, ; parameters or final slash it is /api/orders, where ROUTES[2] (wrangler.toml:30) applies: to allow this path, write a rule for exactly this path

"#]],
        ),
        (
            "GET",
            "/api%2forders",
            str![[r#"
exit 1
--- stdout
GET /api%2forders
rule     none
result   refused 400 (path_hidden_separator)
why      The path hides a separator or dot segment in an escape; gate and origin might interpret it differently

"#]],
        ),
        (
            "GET",
            "/x/../api/orders",
            str![[r#"
exit 1
--- stdout
GET /api/orders
read as  /api/orders (normalized by the runtime, before the gate)
rule     ROUTES[2] (wrangler.toml:30): path = "/api/*", auth = "required", to = "origin"
result   refused 401 (token_missing)
why      the rule requires a token, and there is none
header   www-authenticate: JWT realm="Login Required"
with a valid token:
  result   passes to the origin
  why      the token is valid (whether it is revoked or its claims are outdated is not looked up)
  sends    https://app.example.com/api/orders
  set      x-auth-subject: <the user's id>
  set      x-auth-claims: <the token's claims>
  removed  connection, host, x-auth-claims, x-auth-subject (and every x-auth-… and hop-by-hop header)
  kept     authorization (and every other header)

"#]],
        ),
        (
            "POST",
            "/auth",
            str![[r#"
exit 0
--- stdout
POST /auth
rule     none
result   log-in
why      this is the log-in endpoint (JWT_AUTH_URL_RULE): it expects name and password as JSON, and no token

"#]],
        ),
        (
            "OPTIONS",
            "/api/orders",
            str![[r#"
exit 0
--- stdout
OPTIONS /api/orders
rule     none
result   answered 200
why      the gate answers OPTIONS itself, since no rule for the path lists it
header   allow: GET, HEAD, POST, OPTIONS

"#]],
        ),
    ] {
        world.run(&["route", "test", method, path], "").is(expected);
    }
    world.config("path = \"/*\"", "path = \"/files/*\"");
    world.run(&["route", "test", "GET", "/other"], "").is(str![[r#"
exit 1
--- stdout
GET /other
rule     none
result   refused 404 (not_found)
why      no rule in ROUTES matches this path (case and a final slash matter)

"#]]);
    world.run(&["route", "test", "GET", "/api/orders", "--json"], "").is(file("route-json.txt"));
}

#[test]
fn a_token_is_verified_and_what_the_origin_receives_is_reported() {
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
fn a_wrong_configuration_is_reported() {
    let world = World::new();
    world.config("to = \"origin\"", "to = \"orign\"");
    world.run(&["route", "test", "GET", "/"], "").is(str![[r#"
exit 1
--- stderr
error: wrangler.toml is invalid, so the gate would answer 500 to every request
 hint: `tollgate config check` lists all problems with their places

"#]]);
}

#[test]
fn what_a_page_of_another_origin_is_told_is_shown() {
    let world = World::new();
    world.config(
        "methods = [\"GET\", \"POST\"]\nto = \"origin\"",
        "methods = [\"GET\", \"POST\"]\nto = \"origin\"\ncors = { origins = [\"https://app.example.com\"] }",
    );
    let told = |method: &str, headers: &[&str]| {
        let mut args = vec!["route", "test", method, "/api/orders"];
        args.extend(headers.iter().flat_map(|header| ["--header", header]));
        let run = world.run(&args, "");
        let lines = run.out.lines().filter(|line| line.contains("pages ") || line.contains("access-control"));
        lines.map(|line| line.trim().to_owned()).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(
        told("GET", &["Origin: https://app.example.com"]),
        "pages    those of https://app.example.com may read the answer"
    );
    assert!(told("GET", &["Origin: https://evil.example"]).contains("may not read the answer"));
    assert!(told("GET", &[]).contains("--header 'Origin: …'"));
    let preflight = ["Origin: https://app.example.com", "Access-Control-Request-Method: POST"];
    assert_eq!(
        told("OPTIONS", &preflight),
        "header   access-control-allow-origin: https://app.example.com\n\
         header   access-control-allow-methods: POST\n\
         header   access-control-allow-headers: Authorization, Content-Type"
    );
}

#[test]
fn the_origin_of_a_rule_and_the_path_there_are_shown() {
    let world = World::new();
    let origins = r#"[[vars.ORIGINS]]
name = "orders"
url = "https://orders.example.com"
prefix = "/v2"
headers = { "X-Gate-Key" = { secret = "ORDERS_KEY" }, "X-Env" = "test" }

[[vars.ORIGINS]]
name = "stock"
service = "STOCK"

[[services]]
binding = "STOCK"
service = "stock"

[[vars.ROUTES]]
path = "/orders/*"
to = { origin = "orders", strip = "/orders" }

[[vars.ROUTES]]
path = "/stock/*"
to = { origin = "stock", strip = "/stock" }
auth = "none"
"#;
    world.config(
        "[[durable_objects.bindings]]\nname = \"ACCOUNTS\"",
        &format!("{origins}\n[[durable_objects.bindings]]\nname = \"ACCOUNTS\""),
    );
    world.write(".dev.vars", &format!("JWT_SECRET_KEY={KEY}\nORDERS_KEY=correct horse battery\n"));
    let run = world.run(&["route", "test", "GET", "/orders/7?page=2"], "");
    assert!(!run.out.contains("battery"), "{run:?}");
    run.is(str![[r#"
exit 1
--- stdout
GET /orders/7?page=2
rule     ROUTES[3] (wrangler.toml:49): path = "/orders/*", auth = "required", to = "orders"
result   refused 401 (token_missing)
why      the rule requires a token, and there is none
header   www-authenticate: JWT realm="Login Required"
with a valid token:
  result   passes to the origin "orders"
  why      the token is valid (whether it is revoked or its claims are outdated is not looked up)
  sends    https://orders.example.com/v2/7?page=2
  set      x-auth-subject: <the user's id>
  set      x-auth-claims: <the token's claims>
  set      x-forwarded-prefix: /orders
  set      x-gate-key: <the secret ORDERS_KEY>
  set      x-env: test
  removed  connection, host, x-auth-claims, x-auth-subject (and every x-auth-… and hop-by-hop header)
  kept     authorization (and every other header)

"#]]);
    world.run(&["route", "test", "GET", "/stock/x"], "").is(str![[r#"
exit 0
--- stdout
GET /stock/x
rule     ROUTES[4] (wrangler.toml:53): path = "/stock/*", auth = "none", to = "stock"
result   passes to the origin "stock"
why      auth = "none": the gate does not look for a token
sends    <the client's scheme and host>/x
set      x-forwarded-prefix: /stock
removed  connection, host, x-auth-claims, x-auth-subject (and every x-auth-… and hop-by-hop header)
kept     authorization (and every other header)

"#]]);
}

#[test]
fn the_condition_that_claims_fail_is_shown() {
    let world = World::new();
    world.config(
        "path = \"/protected\"\nto = \"identity\"\nuser = \"stored\"",
        "path = \"/protected\"\nto = \"identity\"\nrequire = [{ role = \"admin\" }, { role = \"user\", scope = \"a b\" }]",
    );
    let run = |claims: &str| world.run(&["route", "test", "GET", "/protected", "--claims", claims], "");
    run(r#"{"role": "user", "scope": "a"}"#).is(str![[r#"
exit 1
--- stdout
GET /protected
rule     ROUTES[0] (wrangler.toml:20): path = "/protected", auth = "required", to = "identity"
result   refused 403 (insufficient_permissions)
why      require: role must be "admin" (it is "user"); or scope must have a and b (it is "a")

"#]]);
    assert_eq!(run(r#"{"role": "admin"}"#).code, 0);
    assert_eq!(run("role=admin").code, 2);
    world.config("[vars]\n", "[vars]\nTOLLGATE_WIRE = \"flask-jwt-extended\"\n");
    run(r#"{"role": "guest"}"#).is(str![[r#"
exit 1
--- stdout
GET /protected
rule     ROUTES[0] (wrangler.toml:21): path = "/protected", auth = "required", to = "identity"
result   refused 403 (insufficient_permissions)
why      require: role must be "admin" (it is "guest"); or role must be "user" (it is "guest")
header   www-authenticate: Bearer error="insufficient_scope"

"#]]);
    assert_eq!(run(r#"{"role": "user", "scope": "b c a"}"#).code, 0);
}

#[test]
fn a_rate_is_explained_and_its_limiter_looked_for() {
    let world = World::new();
    world.config("path = \"/api/*\"", "path = \"/api/*\"\nrate = \"REPORTS\"");
    let check = world.run(&["config", "check"], "");
    assert_eq!(check.code, 1, "{}", check.out);
    assert!(check.out.contains("ROUTES[2].rate: no rate limiter is bound as REPORTS"), "{}", check.out);
    let limiter =
        "[[ratelimits]]\nname = \"REPORTS\"\nnamespace_id = \"1003\"\nsimple = { limit = 5, period = 60 }\n\n";
    world.config("[[kv_namespaces]]", &format!("{limiter}[[kv_namespaces]]"));
    let check = world.run(&["config", "check"], "");
    assert!(!check.out.contains("rate"), "{}", check.out);
    for (from, to, fault) in [
        ("period = 60 }", "period = 30 }", "REPORTS: write simple = { limit = …, period = 10 }"),
        ("namespace_id = \"1003\"", "", "REPORTS: write a namespace_id"),
        (
            "namespace_id = \"1003\"",
            "namespace_id = \"1003\"\n[[ratelimits]]\nname = \"B\"\nnamespace_id = \"1003\"",
            "B: another limiter has this namespace_id",
        ),
    ] {
        let other = World::new();
        other.write("wrangler.toml", &std::fs::read_to_string(world.path("wrangler.toml")).unwrap().replace(from, to));
        let check = other.run(&["config", "check"], "");
        assert!(check.code == 1 && check.out.contains(fault), "{fault}: {}", check.out);
    }
    let route = world.run(&["route", "test", "GET", "/api/x", "--json"], "");
    assert!(route.out.contains("the limiter REPORTS counts it as user:"), "{}", route.out);
}
