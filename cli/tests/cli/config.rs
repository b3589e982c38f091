//! `tollgate config`.

use super::world::{KEY, Run, World, file};
use snapbox::str;

#[test]
fn a_good_configuration_has_no_problem() {
    let world = World::new();
    let run = world.good(&["config", "check"], "");
    assert_eq!(run.out, "0 problems, 0 warnings\n");
    let stock = concat!(env!("CARGO_MANIFEST_DIR"), "/../wrangler.toml");
    assert!(world.good(&["config", "check", stock], "").out.contains("0 problems"));
}

#[test]
fn every_problem_is_reported_at_once_with_its_place() {
    let world = World::new();
    world.write(
        "wrangler.toml",
        r#"name = "x"

[assets]
directory = "public"
html_handling = "auto-trailing-slash"

[vars]
JWT_LEEWAY = "soon"
ORIGIN = "http://app.example.com"
  TOLLGATE_LOG = "loud"
JWT_SECRET_KEY = "short"

[[vars.ROUTES]]
path = "/*"
to = "assets"

[[vars.ROUTES]]
path = "/b"
to = "nowhere"
atuh = "none"

[[vars.ROUTES]]
path = "/c"
"#,
    );
    world.write(".dev.vars", "# nothing\n\nTOLLGATE_FORWARD_TOKEN=yes\n");
    let run = world.run(&["config", "check"], "");
    assert_eq!(run.code, 1);
    for place in [
        "wrangler.toml:8:1: error: JWT_LEEWAY:",
        "wrangler.toml:10:3: error: TOLLGATE_LOG:",
        "wrangler.toml:11:1: error: JWT_SECRET_KEY:",
        "wrangler.toml:19:1: error: ROUTES[1].to:",
        "wrangler.toml:20:1: error: ROUTES[1].atuh:",
        "wrangler.toml:22:1: error: ROUTES[2].to:",
        ".dev.vars:3:1: error: TOLLGATE_FORWARD_TOKEN:",
        "wrangler.toml:1:1: error: kv_namespaces:",
    ] {
        assert!(run.out.contains(place), "{place}\n{}", run.out);
    }
    assert!(!run.out.contains("\"short\"") && !run.out.contains("yes"), "no values");
    run.is(str![[r#"
exit 1
--- stdout
.dev.vars:3:1: error: TOLLGATE_FORWARD_TOKEN: write true or false
wrangler.toml:1:1: error: kv_namespaces: no binding "USERS" for the users: add [[kv_namespaces]] with binding = "USERS" (environments do not inherit it)
wrangler.toml:1:1: error: compatibility_date: missing, not a date such as "2026-11-01", or before 2024-11-11 (or the flag cache_option_disabled is set): the runtime rejects fetches that bypass its cache, so no request reaches the origin. Write today's date
wrangler.toml:1:1: error: main: missing, so there is no worker to run: write main = "worker/entry.mjs", or your own
wrangler.toml:8:1: error: JWT_LEEWAY: write seconds, or a text such as "5m" or "1h"; at most 36500 days
wrangler.toml:10:3: error: TOLLGATE_LOG: write off, error, info or debug
wrangler.toml:11:1: error: JWT_SECRET_KEY: a secret that everybody with this file can read: remove it here and set it as JWT_SECRET_KEY in .dev.vars (keep that out of git, and restart `wrangler dev`); on Cloudflare: `npx wrangler secret put JWT_SECRET_KEY`. If this file was ever shared, generate a new secret
wrangler.toml:11:1: error: JWT_SECRET_KEY: 5 bytes, and HS256 needs 32 or more. Take a longer one; to go on with an old Flask secret for a while, set TOLLGATE_ALLOW_SHORT_KEY = true
wrangler.toml:19:1: error: ROUTES[1].to: write "identity" or "assets" or "origin" or "worker"
wrangler.toml:20:1: error: ROUTES[1].atuh: no such member; did you mean auth?
wrangler.toml:22:1: error: ROUTES[2].to: write "identity" or "assets" or "origin" or "worker"
wrangler.toml:1:1: warning: ACCOUNTS and REVOCATIONS: no such binding, so sessions can't be ended, and tries of a password are not counted: see docs/sessions.md
wrangler.toml:1:1: warning: LOGINS_BY_ADDRESS: no such binding, so an address may try to log in as often as it likes: see docs/sessions.md
wrangler.toml:1:1: warning: HASHING: no such binding, so log-ins may use up as much CPU time as comes: see docs/sessions.md
wrangler.toml:1:1: warning: preview_urls: on by default, like workers_dev: every uploaded version, with the rules it had then, is reachable at its own address, where your zone's rules don't apply: write preview_urls = false above the first table
wrangler.toml:1:1: warning: compatibility_flags: without "enable_request_signal" the gate does not learn that a client has disconnected, and frees the request's resources only after 70 seconds: write compatibility_flags = ["enable_request_signal"]
wrangler.toml:9:1: warning: ORIGIN: http, so identities and tokens travel in the open: write https
11 problems, 6 warnings
because of 7 of these problems the gate answers 500 to every request

"#]]);
    world.run(&["config", "check", "--json"], "").is(file("config-check-json.txt"));
}

#[test]
fn the_bindings_that_rules_need_are_looked_for() {
    let world = World::new();
    world.config("html_handling = \"none\"", "html_handling = \"auto-trailing-slash\"");
    world.config("run_worker_first = true\n", "");
    world.config("0123456789abcdef0123456789abcdef", "00000000000000000000000000000001");
    world.run(&["config", "check"], "").is(str![[r#"
exit 1
--- stdout
wrangler.toml:9:1: error: assets.run_worker_first: write run_worker_first = true: otherwise files are served without a check by the gate
wrangler.toml:12:1: error: assets.html_handling: write html_handling = "none": otherwise the asset server maps the path to another one than the gate decided on
wrangler.toml:7:1: warning: kv_namespaces: the id is a placeholder, which works for the local store only: before a deployment run `npx wrangler kv namespace create USERS` and write the id that it prints
2 problems, 1 warning

"#]]);
    world.config("[assets]", "[assets_not]");
    assert!(world.run(&["config", "check"], "").out.contains("wrangler.toml:27:1: error: ROUTES[1].to:"));
}

#[test]
fn environments_have_vars_and_secrets_of_their_own() {
    let world = World::new();
    let config = std::fs::read_to_string(world.path("wrangler.toml")).unwrap();
    world.write(
        "wrangler.toml",
        &format!("{config}\n[env.staging.vars]\nJWT_LEEWAY = 5\nJWT_LEWAY = 1\n\n[env.bare]\n"),
    );
    world.write(".dev.vars.staging", "JWT_SECRET_KEY=short\n");
    world.run(&["config", "check", "--env", "staging"], "").is(str![[r#"
exit 1
--- stdout
.dev.vars.staging:1:1: error: JWT_SECRET_KEY: 5 bytes, and HS256 needs 32 or more. Take a longer one; to go on with an old Flask secret for a while, set TOLLGATE_ALLOW_SHORT_KEY = true
wrangler.toml:57:6: error: kv_namespaces: no binding "USERS" for the users: add [[env.staging.kv_namespaces]] with binding = "USERS" (environments do not inherit it)
wrangler.toml:57:1: warning: ROUTES: no rules, so the gate answers 404 to everything except the log-in: add [[env.staging.vars.ROUTES]]
wrangler.toml:57:6: warning: vars: environments inherit no vars, so ORIGIN, TOLLGATE_PASSWORD_ITERATIONS, ROUTES have the default here: repeat the options you need
wrangler.toml:57:6: warning: ACCOUNTS and REVOCATIONS: no such binding, so sessions can't be ended, and tries of a password are not counted: see docs/sessions.md
wrangler.toml:57:6: warning: LOGINS_BY_ADDRESS: no such binding, so an address may try to log in as often as it likes: see docs/sessions.md
wrangler.toml:57:6: warning: HASHING: no such binding, so log-ins may use up as much CPU time as comes: see docs/sessions.md
wrangler.toml:59:1: warning: JWT_LEWAY: no such option; did you mean JWT_LEEWAY?
2 problems, 6 warnings
because of 1 of these problems the gate answers 500 to every request

"#]]);
    world.run(&["config", "check", "--env", "bare"], "").is(str![[r#"
exit 1
--- stdout
wrangler.toml:61:1: error: kv_namespaces: no binding "USERS" for the users: add [[env.bare.kv_namespaces]] with binding = "USERS" (environments do not inherit it)
wrangler.toml:61:1: warning: ROUTES: no rules, so the gate answers 404 to everything except the log-in: add [[env.bare.vars.ROUTES]]
wrangler.toml:61:1: warning: ACCOUNTS and REVOCATIONS: no such binding, so sessions can't be ended, and tries of a password are not counted: see docs/sessions.md
wrangler.toml:61:1: warning: LOGINS_BY_ADDRESS: no such binding, so an address may try to log in as often as it likes: see docs/sessions.md
wrangler.toml:61:1: warning: HASHING: no such binding, so log-ins may use up as much CPU time as comes: see docs/sessions.md
wrangler.toml:61:1: warning: vars: environments do not inherit top-level vars: repeat them as [env.bare.vars]
1 problem, 5 warnings

"#]]);
    let run = world.run(&["config", "check", "--env", "nowhere"], "");
    assert!(run.code == 1 && run.out.contains("no environment \"nowhere\""), "{run:?}");
}

#[test]
fn what_is_not_toml_is_reported_with_its_place() {
    let world = World::new();
    world.write("wrangler.toml", "name = \"x\"\n\n[vars]\nORIGIN = \n");
    let run = world.run(&["config", "check"], "");
    assert!(run.code == 1 && run.out.starts_with("wrangler.toml:4:"), "{run:?}");
    assert_eq!(world.run(&["user", "list"], "").code, 1);
    world.write("wrangler.toml", "vars = 3\nenv = 4\nkv_namespaces = \"x\"\nassets = []\n");
    assert!(world.run(&["config", "check"], "").out.contains("error: vars: write a table"));
}

#[test]
fn a_key_that_may_be_on_cloudflare_is_a_warning() {
    let world = World::new();
    std::fs::remove_file(world.path(".dev.vars")).unwrap();
    world.good(&["config", "check"], "").is(str![[r#"
exit 0
--- stdout
wrangler.toml:15:1: warning: JWT_SECRET_KEY: not in .dev.vars (which does not exist): without it `wrangler dev` answers 500. To fix: `echo "JWT_SECRET_KEY=$(tollgate secret generate)" >> .dev.vars`, then restart `wrangler dev`. On Cloudflare: `tollgate secret generate | npx wrangler secret put JWT_SECRET_KEY`
0 problems, 1 warning

"#]]);
    world.write(".dev.vars", "JWT_SECRET_KEY=super-secret\nTOLLGATE_ALLOW_SHORT_KEY=true\n");
    let run = world.good(&["config", "check"], "");
    assert!(run.out.starts_with(".dev.vars:2:1: warning: TOLLGATE_ALLOW_SHORT_KEY:"), "{}", run.out);
    assert!(!run.out.contains("super-secret"));
}

#[test]
fn a_pepper_may_be_on_cloudflare_and_is_no_variable() {
    let world = World::new();
    world.config("[vars]\n", "[vars]\nTOLLGATE_PASSWORD_PEPPER = \"k1\"\n");
    world.good(&["config", "check"], "").is(str![[r#"
exit 0
--- stdout
wrangler.toml:16:1: warning: TOLLGATE_PASSWORD_PEPPERS: not in .dev.vars (which exists): without it `wrangler dev` answers 500. To fix: generate one as in docs/storage.md, then restart `wrangler dev`. On Cloudflare: `npx wrangler secret put TOLLGATE_PASSWORD_PEPPERS`
0 problems, 1 warning

"#]]);
    let peppers = r#"{ k1 = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE" }"#;
    world.config("[vars]\n", &format!("[vars]\nTOLLGATE_PASSWORD_PEPPERS = {peppers}\n"));
    let run = world.run(&["config", "check"], "");
    assert!(run.out.contains("error: TOLLGATE_PASSWORD_PEPPERS: a secret that everybody"), "{run:?}");
    assert!(run.code == 1 && !run.out.contains("AQEB"), "{run:?}");
}

#[test]
fn what_the_gate_does_without_is_a_warning() {
    let check = |world: &World| world.good(&["config", "check"], "");
    let world = World::new();
    for table in ["[[durable_objects.bindings]]", "[[migrations]]", "[[ratelimits]]"] {
        world.config(table, "[[elsewhere]]");
    }
    check(&world).is(str![[r#"
exit 0
--- stdout
wrangler.toml:1:1: warning: ACCOUNTS and REVOCATIONS: no such binding, so sessions can't be ended, and tries of a password are not counted: see docs/sessions.md
wrangler.toml:1:1: warning: LOGINS_BY_ADDRESS: no such binding, so an address may try to log in as often as it likes: see docs/sessions.md
wrangler.toml:1:1: warning: HASHING: no such binding, so log-ins may use up as much CPU time as comes: see docs/sessions.md
0 problems, 3 warnings

"#]]);
    let world = World::new();
    world.config("name = \"REVOCATIONS\"", "name = \"OTHERS\"");
    check(&world).is(str![[r#"
exit 0
--- stdout
wrangler.toml:36:1: warning: REVOCATIONS: no such binding; sessions need both, so they are off: add [[durable_objects.bindings]] with name = "REVOCATIONS" and class_name = "Revocations"
0 problems, 1 warning

"#]]);
    // Classes of one's own, one of them renamed, one in another worker; and one that no migration makes.
    let world = World::new();
    world.config("new_sqlite_classes = [\"Account\", \"Revocations\"]", "new_sqlite_classes = [\"Revocations\"]");
    check(&world).is(str![[r#"
exit 0
--- stdout
wrangler.toml:36:1: warning: migrations: no migration creates Account, so Cloudflare will reject the deployment: add [[migrations]] with a new tag and new_sqlite_classes = ["Account"]
0 problems, 1 warning

"#]]);
    world.config("tag = \"v1\"", "tag = \"v1\"\nrenamed_classes = [{ from = \"Person\", to = \"Account\" }]");
    assert_eq!(check(&world).out, "0 problems, 0 warnings\n");
    world.config("class_name = \"Account\"", "class_name = \"X\"\nscript_name = \"other\"");
    assert_eq!(check(&world).out, "0 problems, 0 warnings\n");
    // Migrations hold for environments too, bindings do not.
    let config = std::fs::read_to_string(world.path("wrangler.toml")).unwrap();
    world.write("wrangler.toml", &format!("{config}\n[env.staging.vars]\n"));
    let run = world.run(&["config", "check", "--env", "staging"], "");
    assert!(
        run.out.contains("ACCOUNTS and REVOCATIONS: no such binding") && !run.out.contains("migrations"),
        "{run:?}"
    );
}

#[test]
fn static_files_in_front_of_the_gate_are_a_problem_without_a_rule_too() {
    let world = World::new();
    world.config("to = \"assets\"", "to = \"origin\"");
    assert_eq!(world.good(&["config", "check"], "").out, "0 problems, 0 warnings\n");
    for instead in ["", "run_worker_first = false\n", "run_worker_first = [\"/api/*\"]\n"] {
        let world = World::new();
        world.config("to = \"assets\"", "to = \"origin\"");
        world.config("run_worker_first = true\n", instead);
        let run = world.run(&["config", "check"], "");
        assert!(run.code == 1 && run.out.contains("error: assets.run_worker_first: Cloudflare serves"), "{run:?}");
        world.config("[assets]", "[assets_not]");
        world.good(&["config", "check"], "");
    }
}

#[test]
fn a_cache_in_front_of_the_gate_is_a_problem() {
    let world = World::new();
    world.config("[vars]\n", "[cache]\nenabled = true\n\n[vars]\n");
    world.run(&["config", "check"], "").is(str![[r#"
exit 1
--- stdout
wrangler.toml:16:1: error: cache.enabled: Workers Cache answers before the worker runs, and its keys do not include the identity: a response that is stored for one user goes to every client without a check by the gate. Write enabled = false, or remove [cache]
1 problem, 0 warnings

"#]]);
    // An environment inherits the table, or has its own.
    let config = std::fs::read_to_string(world.path("wrangler.toml")).unwrap();
    let check = |more: &str| {
        world.write("wrangler.toml", &format!("{config}\n{more}"));
        world.run(&["config", "check", "--env", "staging"], "").out
    };
    let problem = "wrangler.toml:16:1: error: cache.enabled: Workers Cache";
    assert!(check("[env.staging.vars]\n").contains(problem));
    assert!(!check("[env.staging.vars]\n[env.staging.cache]\nenabled = false\n").contains("cache.enabled"));
    let config = config.replace("enabled = true", "enabled = false");
    world.write("wrangler.toml", &config);
    assert_eq!(world.good(&["config", "check"], "").out, "0 problems, 0 warnings\n");
    let out = {
        world.write("wrangler.toml", &format!("{config}\n[env.staging]\ncache = {{ enabled = true }}\n"));
        world.run(&["config", "check", "--env", "staging"], "").out
    };
    assert!(out.contains(":61:11: error: cache.enabled:"), "{out}");
    for (table, option) in [
        ("[exports.default]\ntype = \"worker\"\ncache = { enabled = true }", "exports.default.cache.enabled"),
        ("[previews.cache]\nenabled = true", "previews.cache.enabled"),
    ] {
        world.write("wrangler.toml", &format!("{config}\n{table}\n"));
        let run = world.run(&["config", "check"], "");
        assert!(run.code == 1 && run.out.contains(&format!("error: {option}: Workers Cache")), "{run:?}");
    }
}

#[test]
fn a_rewrite_around_the_gate_is_a_problem() {
    let world = World::new();
    world.config(
        "[[vars.ROUTES]]\npath = \"/api/*\"",
        "[[vars.ROUTES]]\npath = \"/members/*\"\nto = \"assets\"\n\n[[vars.ROUTES]]\npath = \"/api/*\"",
    );
    std::fs::create_dir_all(world.path("public")).unwrap();
    assert_eq!(world.good(&["config", "check"], "").out, "0 problems, 0 warnings\n");
    let redirects = "# comment\n\n/old /new\n/home / 301\n/club /members/index.html 200\n/docs/* /manual/:splat 200\n/c/* /members/:splat 200\n";
    world.write("public/_redirects", redirects);
    let run = world.run(&["config", "check"], "");
    assert_eq!(run.code, 1);
    run.is(str![[r#"
exit 1
--- stdout
public/_redirects:5:1: error: _redirects: /club serves the file of /members/index.html, but the gate decides on /club only: ROUTES[2] (path = "/members/*", auth = "required") protects the file, ROUTES[1] (path = "/*", auth = "none") is less strict. Write status 302, so that the gate decides on /members/index.html too, or give both paths the same protection
public/_redirects:7:1: error: _redirects: /c/* can serve the file of /members/:splat, but the gate decides on /c/* only: ROUTES[2] (path = "/members/*", auth = "required") protects the file, ROUTES[1] (path = "/*", auth = "none") is less strict. Write status 302, so that the gate decides on /members/:splat too, or give both paths the same protection
2 problems, 0 warnings

"#]]);
    let json = world.run(&["config", "check", "--json"], "").json();
    assert_eq!((&json["problems"][0]["file"], &json["problems"][0]["line"]), (&"public/_redirects".into(), &5.into()));
    // The directory is relative to the configuration file, also where an environment has its own.
    std::fs::create_dir_all(world.path("sub/elsewhere")).unwrap();
    let config = std::fs::read_to_string(world.path("wrangler.toml")).unwrap();
    world.write("sub/wrangler.toml", &config.replace("\"public\"", "\"elsewhere\""));
    world.write("sub/elsewhere/_redirects", "/a /members/x 200");
    let run = world.run(&["config", "check", "sub/wrangler.toml"], "");
    assert!(
        run.out.contains("sub/elsewhere/_redirects:1:1: error: _redirects: /a serves the file of /members/x"),
        "{run:?}"
    );
    world.write("public/_redirects", "/old /new\n");
    world.good(&["config", "check"], "");
    std::fs::remove_file(world.path("public/_redirects")).unwrap();
    std::fs::create_dir(world.path("public/_redirects")).unwrap();
    let run = world.run(&["config", "check"], "");
    assert!(run.code == 1 && run.out.contains("public/_redirects:1:1: error: _redirects: can't be read"), "{run:?}");
}

#[test]
fn a_protected_page_for_unknown_paths_is_a_problem() {
    let world = World::new();
    world.config(
        "html_handling = \"none\"\n",
        "html_handling = \"none\"\nnot_found_handling = \"single-page-application\"\n",
    );
    assert_eq!(world.good(&["config", "check"], "").out, "0 problems, 0 warnings\n");
    let config = std::fs::read_to_string(world.path("wrangler.toml")).unwrap();
    world.config("path = \"/*\"\nauth = \"none\"", "path = \"/*\"");
    world.config(
        "[[vars.ROUTES]]\npath = \"/api/*\"",
        "[[vars.ROUTES]]\npath = \"/static/*\"\nauth = \"none\"\nto = \"assets\"\n\n[[vars.ROUTES]]\npath = \"/api/*\"",
    );
    let run = world.run(&["config", "check"], "");
    assert_eq!(run.code, 1);
    run.is(str![[r#"
exit 1
--- stdout
wrangler.toml:14:1: error: assets.not_found_handling: every path without a file serves /index.html, but the gate decides on the requested path: ROUTES[1] (path = "/*", auth = "required") protects the page, ROUTES[2] (path = "/static/*", auth = "none") is less strict. Write not_found_handling = "none", or give both the same protection
1 problem, 0 warnings

"#]]);
    // A rule with one path serves that file, if it exists.
    world.config("/static/*", "/style.css");
    world.good(&["config", "check"], "");
    std::fs::create_dir(world.path("public")).unwrap();
    assert_eq!(world.run(&["config", "check"], "").code, 1);
    world.write("public/style.css", "");
    world.good(&["config", "check"], "");
    world.config("/style.css", "/{file}");
    assert_eq!(world.run(&["config", "check"], "").code, 1);
    // The page for unknown paths is /404.html, which is open here. If it is protected, open paths still show it.
    world.config("single-page-application", "404-page");
    world.good(&["config", "check"], "");
    world.config(
        "[[vars.ROUTES]]\npath = \"/api/*\"",
        "[[vars.ROUTES]]\npath = \"/404.html\"\nto = \"assets\"\n\n[[vars.ROUTES]]\npath = \"/api/*\"",
    );
    let run = world.run(&["config", "check"], "");
    assert!(run.code == 1 && run.out.contains("serves /404.html"), "{run:?}");
    // The page's place depends on the base path.
    world.write("wrangler.toml", &config);
    world.config(
        "[[vars.ROUTES]]\npath = \"/api/*\"",
        "[[vars.ROUTES]]\npath = \"/app/index.html\"\nto = \"assets\"\n\n[[vars.ROUTES]]\npath = \"/api/*\"",
    );
    world.good(&["config", "check"], "");
    world.config("[assets]\n", "[assets]\nbase_path = \"/app\"\n");
    let run = world.run(&["config", "check"], "");
    assert!(run.code == 1 && run.out.contains("serves /app/index.html"), "{run:?}");
}

#[test]
fn addresses_beside_the_routes_are_a_warning() {
    let world = World::new();
    let config = std::fs::read_to_string(world.path("wrangler.toml")).unwrap();
    let warnings = |top: &str, env: Option<&str>| {
        let env_table = env.map_or_else(String::new, |env| format!("\n[env.staging]\n{env}\n[env.staging.vars]\n"));
        world.write("wrangler.toml", &format!("{}{env_table}", config.replace("preview_urls = false", top)));
        let args = ["config", "check", "--json", "--env", "staging"];
        let json = world.run(if env.is_some() { &args } else { &args[..3] }, "").json();
        let names = json["warnings"].as_array().unwrap().iter().map(|warning| warning["option"].as_str().unwrap());
        names.filter(|name| ["workers_dev", "preview_urls"].contains(name)).map(str::to_owned).collect::<Vec<_>>()
    };
    let routes = "routes = [{ pattern = \"gate.example.com\", custom_domain = true }]";
    for (top, expected) in [
        ("", &["preview_urls"][..]),
        ("workers_dev = true", &["preview_urls"]),
        ("workers_dev = false", &[]),
        ("preview_urls = true", &["preview_urls"]),
        ("workers_dev = false\npreview_urls = true", &["preview_urls"]),
        ("preview_urls = false", &[]),
        (routes, &[]),
        ("route = \"app.example.com/*\"", &[]),
        ("routes = []", &["preview_urls"]),
        ("route = \"\"", &["preview_urls"]),
        (&format!("{routes}\nworkers_dev = false"), &[]),
        (&format!("{routes}\nworkers_dev = true\npreview_urls = false"), &["workers_dev"]),
        ("route = \"app.example.com/*\"\nworkers_dev = true\npreview_urls = false", &["workers_dev"]),
        (&format!("{routes}\nworkers_dev = true"), &["preview_urls", "workers_dev"]),
    ] {
        let mut found = warnings(top, None);
        found.sort();
        assert_eq!(found, expected, "{top}");
        // An environment inherits each of them.
        let mut found = warnings(top, Some(""));
        found.sort();
        assert_eq!(found, expected, "inherited: {top}");
    }
    for (top, env, expected) in [
        ("workers_dev = true\npreview_urls = false", routes, &["workers_dev"][..]),
        ("workers_dev = true\npreview_urls = false", &format!("{routes}\nworkers_dev = false"), &[]),
        ("preview_urls = false", "preview_urls = true", &["preview_urls"]),
        ("preview_urls = true", "preview_urls = false", &[]),
        (routes, "routes = []", &["preview_urls"]),
        // An inherited `routes` takes precedence over `route`.
        ("workers_dev = true\npreview_urls = false\nroutes = []", "route = \"app.example.com/*\"", &[]),
    ] {
        assert_eq!(warnings(top, Some(env)), expected, "{top} {env}");
    }
    world.write("wrangler.toml", &config.replace("preview_urls = false", &format!("{routes}\nworkers_dev = true")));
    world.good(&["config", "check"], "").is(str![[r#"
exit 0
--- stdout
wrangler.toml:5:1: warning: workers_dev: the gate is also reachable at its workers.dev address, where your zone's rules (firewall, rate limits, Access) don't apply: write workers_dev = false
wrangler.toml:5:1: warning: preview_urls: on by default, like workers_dev: every uploaded version, with the rules it had then, is reachable at its own address, where your zone's rules don't apply: write preview_urls = false above the first table
0 problems, 2 warnings

"#]]);
    world.write("wrangler.toml", &config.replace("preview_urls = false", ""));
    world.good(&["config", "check"], "").is(str![[r#"
exit 0
--- stdout
wrangler.toml:1:1: warning: preview_urls: on by default, like workers_dev: every uploaded version, with the rules it had then, is reachable at its own address, where your zone's rules don't apply: write preview_urls = false above the first table
0 problems, 1 warning

"#]]);
    let stock = concat!(env!("CARGO_MANIFEST_DIR"), "/../wrangler.toml");
    let run = world.good(&["config", "check", stock], "");
    assert!(!run.out.contains("preview_urls") && !run.out.contains("workers_dev"), "{run:?}");
}

#[test]
fn an_operators_secret_is_no_variable() {
    let world = World::new();
    world.config("[vars]\n", "[vars]\nTOLLGATE_ADMIN_SECRET = \"hunter2, and more than thirty-two bytes\"\n");
    let run = world.run(&["config", "check"], "");
    assert!(run.out.contains("error: TOLLGATE_ADMIN_SECRET: a secret that everybody"), "{run:?}");
    assert!(run.code == 1 && !run.out.contains("hunter2"), "{run:?}");
}

#[test]
fn the_store_is_looked_into_when_asked() {
    let world = World::new();
    assert_eq!(world.good(&["config", "check", "--store"], "").out, "0 problems, 0 warnings\n");
    world.good(&["user", "add", "user1", "--id", "1", "--allow-weak"], "abcxyz");
    world.good(&["user", "add", "user2", "--id", "2"], "another long password");
    let run = world.good(&["config", "check", "--store"], "");
    assert!(run.out.contains("user1") && !run.out.contains("user2"), "{}", run.out);
}

#[test]
fn the_options_are_the_table() {
    let world = World::new();
    assert_eq!(world.good(&["config", "options"], "").out, include_str!("../../../docs/options.md"));
    let json = world.good(&["config", "options", "--json"], "").json();
    assert!(json["options"].as_array().unwrap().iter().any(|option| option["name"] == "JWT_LEEWAY"));
    assert!(json["rule"].as_array().unwrap().iter().any(|member| member["name"] == "path"));
}

#[test]
fn what_the_runtime_lacks_is_reported() {
    let world = World::new();
    world.config("compatibility_flags = [\"enable_request_signal\"]", "compatibility_flags = [\"x\"]");
    let run = world.good(&["config", "check"], "");
    assert!(run.out.starts_with("wrangler.toml:1:1: warning: compatibility_flags: without"), "{run:?}");
    for (date, code) in [("2024-11-10", 1), ("2024-11-11", 0)] {
        let world = World::new();
        world.config("2026-11-01", date);
        let run = world.run(&["config", "check"], "");
        assert_eq!((run.code, lines_of(&run, "compatibility_date").len()), (code, code as usize), "{run:?}");
    }
    let world = World::new();
    world.config("compatibility_date", "compatible_date");
    assert!(world.run(&["config", "check"], "").out.contains("error: compatibility_date: missing"));
}

#[test]
fn keys_without_node_crypto_are_reported() {
    let key = in_one_line(PUBLIC_PEM);
    let with_key = |date: &str, flags: &str| {
        let world = World::new();
        world.config("2026-11-01", date);
        world.config("\"enable_request_signal\"", &format!("\"enable_request_signal\", {flags}"));
        let vars = format!("JWT_ALGORITHM = \"EdDSA\"\nJWT_PUBLIC_KEY = \"{key}\"\nJWT_AUTH_URL_RULE = \"\"\n");
        world.config("[vars]\n", &format!("[vars]\n{vars}"));
        world
    };
    for (date, flags, has_crypto) in [
        ("2026-08-03", "", false),
        ("2026-08-04", "", true),
        ("2026-08-04", "\"no_nodejs_compat_v2\"", false),
        ("2025-06-01", "\"nodejs_compat\"", true),
        ("2024-11-11", "\"nodejs_compat_v2\"", true),
    ] {
        let run = with_key(date, flags).run(&["config", "check"], "");
        let found = lines_of(&run, "compatibility_flags");
        assert_eq!(found.is_empty(), has_crypto, "{date} {flags}: {run:?}");
        assert!(found.iter().all(|line| line.contains("error: ")), "{run:?}");
    }
    let world = World::new();
    world.config("2026-11-01", "2026-08-03");
    assert!(lines_of(&world.run(&["config", "check"], ""), "compatibility_flags").is_empty(), "HS256 needs none");
}

/// The lines of a check about an option.
fn lines_of(run: &Run, option: &str) -> Vec<String> {
    run.out.lines().filter(|line| line.contains(&format!(": {option}: "))).map(str::to_owned).collect()
}

const PRIVATE_PEM: &str = include_str!("../../../tests/keys/ed25519.pem");
const PUBLIC_PEM: &str = include_str!("../../../tests/keys/ed25519.pub.pem");

/// A PEM file in one line of TOML.
fn in_one_line(pem: &str) -> String {
    pem.trim_end().replace('\n', "\\n")
}

#[test]
fn a_secret_in_the_open_is_a_problem_whatever_is_in_dev_vars() {
    let private = in_one_line(PRIVATE_PEM);
    let public = in_one_line(PUBLIC_PEM);
    let set =
        r#"{ keys = [{ kty = "oct", kid = "1", alg = "HS256", k = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE" }] }"#;
    let set_as_text =
        r#"'{"keys":[{"kty":"oct","kid":"1","alg":"HS256","k":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"}]}'"#;
    for (vars, option) in [
        (format!("JWT_SECRET_KEY = \"{KEY}\""), "JWT_SECRET_KEY"),
        (format!("SECRET_KEY = \"{KEY}\""), "SECRET_KEY"),
        (format!("JWT_ALGORITHM = \"EdDSA\"\nJWT_PRIVATE_KEY = \"{private}\""), "JWT_PRIVATE_KEY"),
        (format!("JWT_KEYS = {set}"), "JWT_KEYS"),
        (format!("JWT_KEYS = {set_as_text}"), "JWT_KEYS"),
        (format!("JWT_ALGORITHM = \"EdDSA\"\nJWT_PUBLIC_KEY = \"{private}\""), "JWT_PUBLIC_KEY"),
    ] {
        for local in [format!("JWT_SECRET_KEY={KEY}\n{option}=x\n"), String::new()] {
            let world = World::new();
            world.config("[vars]\n", &format!("[vars]\n{vars}\n"));
            world.write(".dev.vars", &local);
            let run = world.run(&["config", "check"], "");
            let line = lines_of(&run, option)
                .into_iter()
                .find(|line| line.contains("a secret that everybody"))
                .unwrap_or_default();
            assert!(run.code == 1 && line.starts_with("wrangler.toml:"), "{vars}\n{run:?}");
            assert!(!run.out.contains("MC4CAQAw") && !run.out.contains("AQEBAQ") && !run.out.contains(KEY), "{run:?}");
        }
    }
    // Public keys may be in [vars].
    let world = World::new();
    world.config(
        "[vars]\n",
        &format!("[vars]\nJWT_ALGORITHM = \"EdDSA\"\nJWT_AUTH_URL_RULE = \"\"\nJWT_PUBLIC_KEY = \"{public}\"\n"),
    );
    world.write(".dev.vars", "");
    assert_eq!(world.good(&["config", "check"], "").out, "0 problems, 0 warnings\n");
}

#[test]
fn with_asymmetric_keys_the_key_that_is_needed_is_the_one_that_is_asked_for() {
    let check = |vars: &str, local: &str| {
        let world = World::new();
        world.config("[vars]\n", &format!("[vars]\n{vars}\n"));
        world.write(".dev.vars", local);
        world.good(&["config", "check"], "")
    };
    let private = in_one_line(PRIVATE_PEM);
    let run = check("JWT_ALGORITHM = \"EdDSA\"", &format!("JWT_PRIVATE_KEY=\"{private}\"\n"));
    assert_eq!(run.out, "0 problems, 0 warnings\n");
    let run = check("JWT_ALGORITHM = \"EdDSA\"", "");
    assert!(lines_of(&run, "JWT_SECRET_KEY").is_empty() && lines_of(&run, "JWT_PRIVATE_KEY").len() == 1, "{run:?}");
    assert!(run.out.contains("tollgate key generate --algorithm EdDSA"), "{run:?}");
    let run = check("JWT_ALGORITHM = \"RS256\"\nJWT_AUTH_URL_RULE = \"\"", "");
    assert!(lines_of(&run, "JWT_SECRET_KEY").is_empty() && lines_of(&run, "JWT_PUBLIC_KEY").len() == 1, "{run:?}");
    // A set that is declared as a secret needs no JWT_SECRET_KEY.
    let world = World::new();
    world.config("[vars]\n", "[secrets]\nrequired = [\"JWT_KEYS\"]\n\n[vars]\n");
    world.write(".dev.vars", "");
    let run = world.good(&["config", "check"], "");
    assert!(lines_of(&run, "JWT_SECRET_KEY").is_empty() && lines_of(&run, "JWT_KEYS").len() == 1, "{run:?}");
    // The rest is judged without the key, too.
    world.config("ORIGIN = \"https://app.example.com\"", "ORIGIN = \"nonsense\"");
    assert_eq!(lines_of(&world.run(&["config", "check"], ""), "ORIGIN").len(), 1);
}

#[test]
fn a_local_value_does_not_hide_what_a_deployment_has() {
    let world = World::new();
    world.config("ORIGIN = \"https://app.example.com\"", "ORIGIN = \"https://app.example.com:99999\"\nJWT_LEEWAY = -5");
    world.write(".dev.vars", &format!("JWT_SECRET_KEY={KEY}\nORIGIN=http://127.0.0.1:5000\nJWT_LEEWAY=5\n"));
    let run = world.run(&["config", "check"], "");
    assert_eq!(run.code, 1);
    assert!(lines_of(&run, "ORIGIN")[0].starts_with("wrangler.toml:16:1: error: ORIGIN: has no such port"), "{run:?}");
    assert!(lines_of(&run, "JWT_LEEWAY")[0].starts_with("wrangler.toml:17:1: error: JWT_LEEWAY: negative"), "{run:?}");
    assert!(run.out.ends_with("because of 1 of these problems the gate answers 500 to every request\n"), "{run:?}");
    // An invalid local value is reported with its own place, and does not affect the deployment.
    let world = World::new();
    world.write(".dev.vars", &format!("JWT_SECRET_KEY={KEY}\nJWT_LEEWAY=-5\n"));
    let run = world.run(&["config", "check", "--json"], "");
    let problems = &run.json()["problems"];
    assert_eq!(problems.as_array().unwrap().len(), 1, "{run:?}");
    assert_eq!((&problems[0]["file"], &problems[0]["line"]), (&".dev.vars".into(), &2.into()));
    assert_eq!(problems[0]["level"], "fails_the_check");
}

#[test]
fn addresses_that_a_worker_can_not_reach_are_reported() {
    let check = |origin: &str, change: &[(&str, &str)]| {
        let world = World::new();
        world.config("ORIGIN = \"https://app.example.com\"", &format!("ORIGIN = \"{origin}\""));
        change.iter().for_each(|(from, to)| world.config(from, to));
        world.run(&["config", "check"], "")
    };
    for origin in [
        "http://127.0.0.1:5000",
        "http://localhost:5000",
        "http://[::1]:5000",
        "http://10.0.0.7",
        "http://192.168.1.2",
        "http://app.internal",
        "http://flask:5000",
        "http://0.0.0.0:5000",
    ] {
        let run = check(origin, &[]);
        assert!(
            run.code == 1
                && lines_of(&run, "ORIGIN")
                    .iter()
                    .any(|line| line.contains("error: ORIGIN: an address of this machine or network")),
            "{run:?}"
        );
        // Nothing is deployed yet: the store has no id.
        let run = check(origin, &[("0123456789abcdef0123456789abcdef", "00000000000000000000000000000001")]);
        assert!(run.code == 0 && run.out.contains("warning: ORIGIN: an address of this machine"), "{run:?}");
        // Nothing goes there.
        let run = check(origin, &[("to = \"origin\"", "to = \"identity\"")]);
        assert!(!run.out.contains("an address of this machine"), "{run:?}");
    }
    let run = check("https://flask.me.workers.dev", &[]);
    assert!(run.code == 1 && lines_of(&run, "ORIGIN")[0].contains("error 1042"), "{run:?}");
    let flag = ("[\"enable_request_signal\"]", "[\"enable_request_signal\", \"global_fetch_strictly_public\"]");
    assert_eq!(check("https://flask.me.workers.dev", &[flag]).code, 0);
    let run = check("https://workers.dev.example.com", &[]);
    assert_eq!(run.code, 0, "{run:?}");
    // The local address in its place is no fault.
    let world = World::new();
    world.write(".dev.vars", &format!("JWT_SECRET_KEY={KEY}\nORIGIN=http://127.0.0.1:5000\n"));
    assert_eq!(world.good(&["config", "check"], "").out, "0 problems, 0 warnings\n");
    let run =
        check("https://app.example.com", &[("[vars]\n", "[vars]\nTOLLGATE_PUBLIC_URL = \"http://localhost:8787\"\n")]);
    assert!(run.code == 1 && lines_of(&run, "TOLLGATE_PUBLIC_URL").len() == 1, "{run:?}");
}

#[test]
fn env_files_are_read_as_wrangler_reads_them() {
    let world = World::new();
    std::fs::remove_file(world.path(".dev.vars")).unwrap();
    world.write(".env", &format!("KEY_PART={KEY}\nJWT_SECRET_KEY=${{KEY_PART}}\nJWT_LEEWAY=soon\n"));
    let run = world.run(&["config", "check"], "");
    assert!(
        run.out.starts_with(".env:3:1: error: JWT_LEEWAY:") && lines_of(&run, "JWT_SECRET_KEY").is_empty(),
        "{run:?}"
    );
    world.write(".env.local", "JWT_LEEWAY=5\n");
    assert_eq!(world.good(&["config", "check"], "").out, "0 problems, 0 warnings\n");
    // The suggested file is the one that is read.
    world.write(".env", "");
    world.write(".env.local", "");
    let run = world.good(&["config", "check"], "");
    assert!(run.out.contains("not in .env (which exists)") && run.out.contains(">> .env`"), "{run:?}");
    // A .dev.vars hides it.
    world.write(".env", &format!("JWT_SECRET_KEY={KEY}\n"));
    world.write(".dev.vars", "");
    let run = world.good(&["config", "check"], "");
    assert!(run.out.contains(".env:1:1: warning: JWT_SECRET_KEY: not read: wrangler ignores .env"), "{run:?}");
    assert!(run.out.contains("JWT_SECRET_KEY: not in .dev.vars (which exists)"), "{run:?}");
    // With .env turned off.
    std::fs::remove_file(world.path(".dev.vars")).unwrap();
    let mut command = world.command(&["config", "check"]);
    command.env("CLOUDFLARE_LOAD_DEV_VARS_FROM_DOT_ENV", "false");
    assert!(world.finish(command, "").out.contains("not in .dev.vars (which does not exist)"));
    // From the process environment, if secrets are declared.
    world.write(".env", "");
    world.config("[vars]\n", "[secrets]\nrequired = [\"JWT_SECRET_KEY\"]\n\n[vars]\n");
    let mut command = world.command(&["config", "check"]);
    command.env("JWT_SECRET_KEY", "short");
    let run = world.finish(command, "");
    assert!(run.out.starts_with("the environment: error: JWT_SECRET_KEY: 5 bytes"), "{run:?}");
}

/// The world's configuration in wrangler's other form.
const JSONC: &str = r#"// The gate's configuration.
{
  "compatibility_flags": ["enable_request_signal"],
  "main": "worker/entry.mjs",
  "compatibility_date": "2026-11-01",
  "preview_urls": false,
  "kv_namespaces": [{ "binding": "USERS", "id": "0123456789abcdef0123456789abcdef" }],
  "assets": { "directory": "public", "binding": "ASSETS", "run_worker_first": true, "html_handling": "none" },
  "vars": {
    "ORIGIN": "https://app.example.com",
    "TOLLGATE_PASSWORD_ITERATIONS": 100000,
    /* a little */ "JWT_LEEWAY": 5,
    "ROUTES": [
      { "path": "/protected", "to": "identity", "user": "stored" },
      { "path": "/*", "auth": "none", "to": "assets" },
      { "path": "/api/*", "methods": ["GET", "POST"], "to": "origin" }, // the app
    ],
  },
  "durable_objects": {
    "bindings": [
      { "name": "ACCOUNTS", "class_name": "Account" },
      { "name": "REVOCATIONS", "class_name": "Revocations" },
    ],
  },
  "migrations": [{ "tag": "v1", "new_sqlite_classes": ["Account", "Revocations"] }],
  "ratelimits": [
    { "name": "LOGINS_BY_ADDRESS", "namespace_id": "1001", "simple": { "limit": 30, "period": 60 } },
    { "name": "HASHING", "namespace_id": "1002", "simple": { "limit": 600, "period": 60 } },
  ],
}
"#;

#[test]
fn a_configuration_in_json_is_read_everywhere() {
    let world = World::new();
    world.config("ORIGIN = \"https://app.example.com\"", "ORIGIN = \"https://app.example.com\"\nJWT_LEEWAY = 5");
    let toml = std::fs::read_to_string(world.path("wrangler.toml")).unwrap();
    std::fs::remove_file(world.path("wrangler.toml")).unwrap();
    let text = JSONC.to_owned();
    for name in ["wrangler.jsonc", "wrangler.json"] {
        world.write(name, &text);
        assert_eq!(world.good(&["config", "check"], "").out, "0 problems, 0 warnings\n");
        world.good(&["user", "add", "ann", "--id", "7", "--allow-weak", "--replace"], "abcxyz");
        assert!(world.good(&["user", "show", "ann"], "").err.contains(&format!("store: local store of ./{name}")));
        world.good(&["token", "mint", "--id", "7"], "");
        assert!(world.run(&["route", "test", "GET", "/protected"], "").out.contains(&format!("{name}:14")));
        world.write(name, &text.replace("\"JWT_LEEWAY\": 5", "\"JWT_LEEWAY\": \"soon\""));
        let run = world.run(&["config", "check"], "");
        let line = lines_of(&run, "JWT_LEEWAY").remove(0);
        let place: Vec<&str> = line.split(':').collect();
        let at = text.lines().position(|line| line.contains("JWT_LEEWAY")).unwrap();
        let column = text.lines().nth(at).unwrap().find("\"JWT_LEEWAY\"").unwrap() + 1;
        assert_eq!(place[..3], [name, &(at + 1).to_string(), &column.to_string()], "{line}");
        world.write(name, "{\n  \"name\": \"x\"\n  \"main\": 1\n}\n");
        let run = world.run(&["config", "check"], "");
        assert!(run.code == 1 && run.out.contains("not JSON"), "{run:?}");
        assert!(world.run(&["user", "list"], "").err.contains("not JSON"));
        std::fs::remove_file(world.path(name)).unwrap();
    }
    // wrangler looks for .json first, then .jsonc, then .toml.
    world.write("wrangler.toml", &toml);
    world.write("wrangler.jsonc", &text);
    let run = world.good(&["config", "check"], "");
    assert!(run.out.contains("wrangler.jsonc: wrangler reads this file and ignores wrangler.toml"), "{run:?}");
    let toml_only = world.good(&["config", "check", "wrangler.toml"], "");
    assert_eq!(toml_only.out, "0 problems, 0 warnings\n");
}

#[test]
fn a_finding_in_a_json_file_writes_tables_as_json() {
    let world = World::new();
    std::fs::remove_file(world.path("wrangler.toml")).unwrap();
    // Each in turn: the gate does without, or does not start.
    for (what, other, instead) in [
        ("\"kv_namespaces\"", "\"elsewhere\"", "\"kv_namespaces\": [{…}]"),
        ("\"name\": \"REVOCATIONS\"", "\"name\": \"OTHERS\"", "\"durable_objects\": {\"bindings\": [{…}]}"),
        ("[\"Account\", \"Revocations\"]", "[\"Revocations\"]", "\"migrations\": [{…}]"),
        ("\"assets\":", "\"elsewhere\":", "\"assets\": {…}"),
        ("\"ROUTES\"", "\"elsewhere\"", "\"ROUTES\": [{…}]"),
        ("\"to\": \"origin\"", "\"to\": \"origin\", \"rate\": \"REPORTS\"", "an entry to ratelimits"),
        ("\"user\": \"stored\"", "\"user\": \"stored\", \"JWT_LEEWAY\": 5", "no member of a rule"),
    ] {
        world.write("wrangler.jsonc", &JSONC.replacen(what, other, 1));
        let run = world.run(&["config", "check"], "");
        assert!(run.out.contains(instead), "{what}: {run:?}");
        assert!(!run.out.contains("[[") && !run.out.contains("[vars]"), "{what}: {run:?}");
    }
}

#[test]
fn a_worker_that_only_exports_the_packages_is_the_stock_worker() {
    let world = World::new();
    world.write("index.js", "export { Account, default, Revocations } from \"tollgate/worker\";\n");
    world.config("worker/entry.mjs", "index.js");
    world.config("[vars]\n", "[[vars.ROUTES]]\npath = \"/mine\"\nto = \"worker\"\n\n[vars]\n");
    let run = world.run(&["config", "check"], "");
    assert!(run.code == 1 && lines_of(&run, "ROUTES[0].to").len() == 1, "it has no code of its own: {run:?}");
    world.write("index.js", "import { tollgate } from \"tollgate\";\nexport default tollgate({ fetch() {} });\n");
    assert_eq!(world.run(&["config", "check"], "").code, 0);
    // Users of its own need no namespace.
    world.config("[[kv_namespaces]]\nbinding = \"USERS\"\nid = \"0123456789abcdef0123456789abcdef\"\n", "");
    let run = world.run(&["config", "check"], "");
    assert!(run.code == 0 && run.out.contains("warning: kv_namespaces: no binding \"USERS\""), "{run:?}");
}

#[test]
fn hints_run_as_they_stand_in_an_npm_project() {
    let world = World::new();
    world.write(".dev.vars", "");
    for (variable, expected) in
        [("exec", "$(npx tollgate secret generate)"), ("run-script", "$(tollgate secret generate)")]
    {
        let output = world.command(&["config", "check"]).env("npm_command", variable).output().unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        assert!(out.contains(expected), "{variable}: {out}");
    }
}

#[test]
fn a_secret_in_secrets_store_is_there() {
    let world = World::new();
    world.write(".dev.vars", "");
    let binding = |name: &str| {
        format!("[[secrets_store_secrets]]\nbinding = \"{name}\"\nstore_id = \"1\"\nsecret_name = \"x\"\n\n")
    };
    let bindings = ["JWT_SECRET_KEY", "ORDERS_KEY", "OTHER"].map(binding).concat();
    let origin = "[[vars.ORIGINS]]\nname = \"orders\"\nurl = \"https://orders.example.com\"\nheaders = { \"X-Key\" = { secret = \"ORDERS_KEY\" } }\n\n[[vars.ROUTES]]\npath = \"/orders\"\nto = \"orders\"\n\n";
    world.config("[vars]\n", &format!("{bindings}{origin}[vars]\n"));
    let run = world.good(&["config", "check"], "");
    assert_eq!(run.out, "0 problems, 0 warnings\n");
}

#[test]
fn what_browsers_drop_is_reported_with_its_place() {
    let cookies = "[vars]\nTOLLGATE_WIRE = \"flask-jwt-extended\"\nJWT_TOKEN_LOCATION = \"cookies\"\n";
    for (line, option) in [
        ("JWT_ACCESS_COOKIE_NAME = \"__Secure-a\"", "JWT_ACCESS_COOKIE_NAME"),
        ("JWT_ACCESS_COOKIE_NAME = \"__secure-a\"", "JWT_ACCESS_COOKIE_NAME"),
        ("JWT_COOKIE_DOMAIN = \"localhost:8080\"", "JWT_COOKIE_DOMAIN"),
        ("JWT_COOKIE_DOMAIN = \"https://app.example.com\"", "JWT_COOKIE_DOMAIN"),
        ("JWT_REFRESH_COOKIE_PATH = \"/token/refresh\"", "JWT_REFRESH_COOKIE_PATH"),
        ("JWT_ACCESS_COOKIE_PATH = \"api\"", "JWT_ACCESS_COOKIE_PATH"),
        ("JWT_REFRESH_COOKIE_NAME = \"access_token_cookie\"", "JWT_REFRESH_COOKIE_NAME"),
        ("TOLLGATE_DEVICE_COOKIE = \"access_token_cookie\"", "TOLLGATE_DEVICE_COOKIE"),
    ] {
        let world = World::new();
        world.config("[vars]\n", &format!("{cookies}{line}\n"));
        let run = world.run(&["config", "check"], "");
        let line = lines_of(&run, option).into_iter().find(|line| line.contains(": error: ")).unwrap_or_default();
        assert!(run.code == 1 && line.starts_with("wrangler.toml:18:1: error:"), "{run:?}");
    }
    let world = World::new();
    world.config("[vars]\n", cookies);
    world.good(&["config", "check"], "");
}

/// A check of the world's configuration with changes.
fn checked(changes: &[(&str, &str)], args: &[&str]) -> Run {
    let world = World::new();
    changes.iter().for_each(|(from, to)| world.config(from, to));
    world.run(&[&["config", "check"], args].concat(), "")
}

#[test]
fn a_secret_in_the_open_is_found_in_every_table_and_under_names_that_were_meant() {
    let secret = "hunter2, and more than thirty-two bytes";
    let end = "new_sqlite_classes = [\"Account\", \"Revocations\"]";
    let of_env = format!("{end}\n[env.production.vars]\nJWT_SECRET_KEY = \"{secret}\"\n");
    for (from, to, option, hint) in [
        (end, of_env.clone(), "JWT_SECRET_KEY", "JWT_SECRET_KEY`"),
        ("[vars]\n", format!("[vars]\nJWT_SECRET = \"{secret}\"\n"), "JWT_SECRET", "secret put JWT_SECRET_KEY"),
        ("[vars]\n", format!("[vars]\njwt_secret_key = \"{secret}\"\n"), "jwt_secret_key", "secret put JWT_SECRET_KEY"),
        ("[vars]\n", format!("[vars]\nSIGNING = \"{}\"\n", in_one_line(PRIVATE_PEM)), "SIGNING", "secret put SIGNING"),
        (
            "[vars]\n",
            format!("[vars]\nJWT_ALGORITHM = \"EdDSA\"\nJWT_PUBLIC_KEY = \"{}\"\n", in_one_line(PRIVATE_PEM)),
            "JWT_PUBLIC_KEY",
            "secret put JWT_PRIVATE_KEY",
        ),
    ] {
        let run = checked(&[(from, &to)], &[]);
        let lines = lines_of(&run, option);
        let line = lines.iter().find(|line| line.contains("a secret that everybody")).map_or("", String::as_str);
        assert!(run.code == 1 && line.contains(hint), "{run:?}");
        assert!(!run.out.contains("hunter2") && !run.out.contains("MC4CAQAw"), "{run:?}");
    }
    // A call of wrangler is for the environment that was asked about.
    let run = checked(&[(end, &of_env)], &["--env", "production"]);
    assert!(run.out.contains("npx wrangler secret put JWT_SECRET_KEY --env production`"), "{run:?}");
    // What is written twice in JSON is there twice.
    let world = World::new();
    std::fs::remove_file(world.path("wrangler.toml")).unwrap();
    let twice = format!("\"vars\": {{ \"JWT_SECRET_KEY\": \"{secret}\" }},\n  \"vars\": {{");
    world.write("wrangler.jsonc", &JSONC.replace("\"vars\": {", &twice));
    let run = world.run(&["config", "check"], "");
    assert!(
        lines_of(&run, "JWT_SECRET_KEY")[0].contains("a secret that everybody")
            && lines_of(&run, "vars")[0].contains("a duplicate in this table"),
        "{run:?}"
    );
}

#[test]
fn what_stands_in_the_wrong_place_is_reported() {
    for (from, to, option, part) in [
        (
            "[[vars.ROUTES]]\npath = \"/protected\"",
            "[[ROUTES]]\npath = \"/protected\"",
            "ROUTES",
            "write it under [[vars.ROUTES]]",
        ),
        ("[assets]\n", "JWT_LEEWAY = 5\n[assets]\n", "JWT_LEEWAY", ""),
        ("main = \"worker/entry.mjs\"\n", "", "main", "missing"),
        ("class_name = \"Account\"", "class_name = \"Accounts\"", "ACCOUNTS", "write class_name = \"Account\""),
        ("class_name = \"Account\"", "class_name = \"Revocations\"", "ACCOUNTS", "write class_name = \"Account\""),
        ("to = \"assets\"", "to = \"worker\"", "ROUTES[1].to", "of your own"),
        ("2026-11-01", "today", "compatibility_date", "not a date"),
    ] {
        let run = checked(&[(from, to)], &[]);
        if part.is_empty() {
            // It stands in the table before, of the store.
            assert_eq!(run.code, 0, "{run:?}");
            continue;
        }
        assert!(run.code == 1 && lines_of(&run, option).iter().any(|line| line.contains(part)), "{option}: {run:?}");
    }
    let run = checked(&[("preview_urls = false\n", "preview_urls = false\nJWT_LEEWAY = 5\n")], &[]);
    assert!(run.code == 1 && lines_of(&run, "JWT_LEEWAY")[0].starts_with("wrangler.toml:5:1: error"), "{run:?}");
    let flags = "[\"enable_request_signal\"]";
    let with = |flag: &str| format!("[\"enable_request_signal\", \"{flag}\"]");
    assert_eq!(checked(&[("2026-11-01", "2024-10-01"), (flags, &with("cache_option_enabled"))], &[]).code, 0);
    assert_eq!(checked(&[(flags, &with("cache_option_disabled"))], &[]).code, 1);
    let run = checked(&[("id = \"0123456789abcdef0123456789abcdef\"\n", "")], &[]);
    assert_eq!((run.code, run.out.as_str()), (0, "0 problems, 0 warnings\n"), "wrangler creates the namespace");
    for id in ["<your-kv-id>", "01234567-89ab-cdef-0123-456789abcdef"] {
        let run = checked(&[("0123456789abcdef0123456789abcdef", id)], &[]);
        assert!(run.out.contains("warning: kv_namespaces: the id is a placeholder"), "{run:?}");
    }
}

#[test]
fn origins_that_a_worker_can_not_ask_are_reported() {
    let with = |origin: &str| ("https://app.example.com".to_owned(), origin.to_owned());
    for (origin, part) in [
        ("https://203.0.113.5", "an IP address"),
        ("https://[2001:db8::1]", "an IP address"),
        ("http://100.64.0.1", "an address of this machine or network"),
        ("http://[::ffff:127.0.0.1]:5000", "an address of this machine or network"),
    ] {
        let (from, to) = with(origin);
        let run = checked(&[(&from, &to)], &[]);
        assert!(run.code == 1 && lines_of(&run, "ORIGIN").iter().any(|line| line.contains(part)), "{run:?}");
    }
    let route = |custom: &str| format!("preview_urls = false\nroutes = [{{ pattern = \"app.example.com\"{custom} }}]");
    let run = checked(&[("preview_urls = false", &route(", custom_domain = true"))], &[]);
    assert!(run.code == 1 && lines_of(&run, "ORIGIN")[0].contains("the gate would send requests to itself"), "{run:?}");
    assert_eq!(checked(&[("preview_urls = false", &route(", zone_name = \"example.com\""))], &[]).code, 0);
    // One that is a secret, or only local and declared.
    let world = World::new();
    world.config("ORIGIN = \"https://app.example.com\"\n", "");
    assert!(lines_of(&world.run(&["config", "check"], ""), "ORIGIN")[0].contains("not set"));
    world.config("[vars]\n", "[secrets]\nrequired = [\"ORIGIN\", \"JWT_SECRET_KEY\"]\n\n[vars]\n");
    world.write(".dev.vars", &format!("JWT_SECRET_KEY={KEY}\nORIGIN=http://127.0.0.1:5000\n"));
    assert_eq!(world.good(&["config", "check"], "").out, "0 problems, 0 warnings\n");
}

#[test]
fn secrets_are_asked_for_where_they_are_missing_and_not_where_they_are() {
    // Set, but not read.
    let world = World::new();
    world.config("[vars]\n", "[secrets]\nrequired = [\"TOLLGATE_ADMIN_SECRET\"]\n\n[vars]\n");
    let run = world.run(&["config", "check"], "");
    assert!(lines_of(&run, "JWT_SECRET_KEY")[0].contains("not in [secrets] required"), "{run:?}");
    // Environments do not inherit the list.
    let config = std::fs::read_to_string(world.path("wrangler.toml")).unwrap();
    world.write("wrangler.toml", &format!("{config}\n[env.staging.vars]\n"));
    let run = world.run(&["config", "check", "--env", "staging"], "");
    assert!(lines_of(&run, "JWT_SECRET_KEY").is_empty(), "{run:?}");
    // An environment of the shell; an empty name is none.
    let named = |env: &str| {
        let mut command = world.command(&["config", "check"]);
        command.env("CLOUDFLARE_ENV", env);
        world.finish(command, "").out
    };
    assert!(
        named("staging").contains("environments do not inherit it")
            && !named("").contains("environments do not inherit it")
    );
    // Only a deployment lacks it.
    let world = World::new();
    world.write(".dev.vars", &format!("JWT_ALGORITHM=EdDSA\nJWT_PRIVATE_KEY=\"{}\"\n", in_one_line(PRIVATE_PEM)));
    let run = world.good(&["config", "check"], "");
    assert!(lines_of(&run, "JWT_SECRET_KEY")[0].contains("a deployment needs it"), "{run:?}");
    // Another issuer's keys are not made here.
    let world = World::new();
    world.config(
        "[vars]\n",
        "[secrets]\nrequired = [\"JWT_KEYS\"]\n\n[vars]\nJWT_AUTH_URL_RULE = \"\"\nJWT_ALGORITHM = \"RS256\"\n",
    );
    world.write(".dev.vars", "");
    let run = world.good(&["config", "check"], "");
    assert!(run.out.contains("set JWT_KEYS to the issuer's JWK Set") && !run.out.contains("key generate"), "{run:?}");
}

#[test]
fn secrets_among_the_static_files_are_a_problem() {
    for directory in [".", "./"] {
        let world = World::new();
        world.config("directory = \"public\"", &format!("directory = \"{directory}\""));
        let run = world.run(&["config", "check"], "");
        let lines = lines_of(&run, "assets.directory");
        assert!(run.code == 1 && lines.len() == 2, "{run:?}");
        assert!(
            lines.iter().any(|line| line.contains(".dev.vars is among"))
                && lines.iter().any(|line| line.contains("wrangler.toml is among"))
        );
        world.write(".assetsignore", "/.dev.vars\nwrangler.toml\n");
        world.good(&["config", "check"], "");
    }
    let world = World::new();
    std::fs::create_dir(world.path("public")).unwrap();
    world.good(&["config", "check"], "");
    world.write("public/.env.local", "X=1\n");
    assert!(world.run(&["config", "check"], "").out.contains("public/.env.local is among the static files"));
}

#[test]
fn what_an_environment_does_not_inherit_is_reported_by_name() {
    let world = World::new();
    let config = std::fs::read_to_string(world.path("wrangler.toml")).unwrap();
    let config = config.replace("[vars]\n", "[vars]\nJWT_EXPIRATION_DELTA = \"1h\"\n");
    world.write("wrangler.toml", &format!("{config}\n[env.staging.vars]\nORIGIN = \"https://staging.example.com\"\n"));
    let run = world.run(&["config", "check", "--env", "staging"], "");
    let lines = lines_of(&run, "vars");
    assert!(
        lines[0].contains("so JWT_EXPIRATION_DELTA, TOLLGATE_PASSWORD_ITERATIONS, ROUTES have the default here"),
        "{run:?}"
    );
    assert!(run.out.contains("add [[env.staging.kv_namespaces]]"), "{run:?}");
    let run = world.run(&["config", "check", "--env", "stagin"], "");
    assert!(
        run.out.contains("no environment \"stagin\" here, only staging") && !run.out.contains("answers 500"),
        "{run:?}"
    );
}

#[test]
fn every_problem_is_reported_although_another_stops_the_gate() {
    let local = ("https://app.example.com", "http://127.0.0.1:5000");
    let run = checked(&[local, ("[vars]\n", "[vars]\nJWT_EXPIRATION_DELTA = \"1x\"\n")], &[]);
    assert!(lines_of(&run, "ORIGIN").len() == 1 && lines_of(&run, "JWT_EXPIRATION_DELTA").len() == 1, "{run:?}");
    assert!(
        run.out.ends_with(
            "2 problems, 0 warnings\nbecause of 1 of these problems the gate answers 500 to every request\n"
        ),
        "{run:?}"
    );
    let cookies = "[vars]\nTOLLGATE_WIRE = \"flask-jwt-extended\"\nJWT_TOKEN_LOCATION = \"cookies\"\nJWT_ACCESS_COOKIE_PATH = \"/app\"\nJWT_COOKIE_DOMAIN = \"b.example.org\"\n";
    let route = "preview_urls = false\nroutes = [{ pattern = \"gate.example.com\", custom_domain = true }]";
    let run = checked(&[("[vars]\n", cookies), ("preview_urls = false", route)], &[]);
    assert!(lines_of(&run, "JWT_ACCESS_COOKIE_PATH").len() == 1, "{run:?}");
    assert!(lines_of(&run, "JWT_COOKIE_DOMAIN")[0].contains("does not cover gate.example.com"), "{run:?}");
    let covered = cookies.replace("b.example.org", "example.com");
    assert!(
        lines_of(&checked(&[("[vars]\n", &covered), ("preview_urls = false", route)], &[]), "JWT_COOKIE_DOMAIN")
            .is_empty()
    );
    let public = format!("{cookies}TOLLGATE_PUBLIC_URL = \"https://a.example.com\"\n");
    let run = checked(&[("[vars]\n", &public)], &[]);
    assert!(
        lines_of(&run, "JWT_ACCESS_COOKIE_PATH").len() == 1 && lines_of(&run, "JWT_COOKIE_DOMAIN").len() == 1,
        "{run:?}"
    );
    // Flask's own name, where it stands.
    let world = World::new();
    world.write(".dev.vars", "X=1\nSECRET_KEY=dev\n");
    assert!(world.run(&["config", "check"], "").out.starts_with(".dev.vars:2:1: error: SECRET_KEY: 3 bytes"));
    world.write(".dev.vars", "JWT_KEYS={\"kty\":\"oct\",\"k\":\"x\"}\n");
    assert!(world.run(&["config", "check"], "").out.contains("one key, not a set"));
}

#[test]
fn origins_are_checked_with_their_secrets_and_services() {
    const RULE: &str = "[[vars.ROUTES]]\npath = \"/orders/*\"\nto = \"orders\"\n";
    /// A world with this origin, which a rule goes to, and more at the end of the file.
    fn with(origin: &str, more: &str) -> World {
        let world = World::new();
        let objects = "[[durable_objects.bindings]]\nname = \"ACCOUNTS\"";
        let origin = format!("[[vars.ORIGINS]]\nname = \"orders\"\n{origin}\n");
        world.config(objects, &format!("{origin}{RULE}{more}\n{objects}"));
        world
    }
    let of = |world: &World, option: &str| lines_of(&world.run(&["config", "check"], ""), option);

    let local = with("url = \"http://127.0.0.1:5001\"", "");
    assert!(of(&local, "ORIGINS[0].url")[0].contains("an address of this machine or network"));

    let secret = "url = \"https://o.example.com\"\nheaders = { \"X-Key\" = { secret = \"ORDERS_KEY\" } }";
    let world = with(secret, "");
    let found = of(&world, "ORIGINS[0].headers");
    assert!(found[0].contains("warning: ORIGINS[0].headers: the secret ORDERS_KEY is not here"), "{found:?}");
    world.write(".dev.vars", &format!("JWT_SECRET_KEY={KEY}\nORDERS_KEY=abc\n"));
    assert_eq!(of(&world, "ORIGINS[0].headers"), Vec::<String>::new());
    world.config("[vars]\n", "[vars]\nORDERS_KEY = \"for everybody\"\n");
    let run = world.run(&["config", "check"], "");
    assert!(run.out.contains("error: ORDERS_KEY: a secret that everybody with this file can read"), "{run:?}");
    assert!(!run.out.contains("for everybody"));

    let unbound = with("service = \"ORDERS\"", "");
    assert!(of(&unbound, "ORIGINS[0].service")[0].contains("no binding \"ORDERS\": add an entry to services"));
    let world = with("service = \"ORDERS\"", "[[services]]\nbinding = \"ORDERS\"\nservice = \"orders-worker\"\n");
    assert_eq!(world.run(&["config", "check"], "").code, 0);
    std::fs::create_dir(world.path("orders")).unwrap();
    let cached = |name: &str| format!("{{ \"name\": {name:?}, \"cache\": {{ \"enabled\": true }} }}");
    world.write("orders/wrangler.jsonc", &cached("orders-worker"));
    assert!(of(&world, "ORDERS")[0].contains("turns Workers Cache on for this service"));
    world.write("orders/wrangler.jsonc", &cached("another"));
    assert_eq!(world.run(&["config", "check"], "").code, 0);
}

#[test]
fn the_routes_in_the_documents_are_good() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (page, number, path, url) in [
        ("docs/gateway.md", 0, "/orders/7", "https://orders.internal.example.com/7"),
        ("docs/gateway.md", 1, "/orders/7?a=b", "https://orders.internal.example.com/v2/7?a=b"),
    ] {
        let text = std::fs::read_to_string(root.join(page)).unwrap();
        let block = text.split("```toml\n").nth(number + 1).unwrap().split("```").next().unwrap();
        let world = World::new();
        let config = std::fs::read_to_string(world.path("wrangler.toml")).unwrap();
        let (start, rest) = config.split_once("[vars]").unwrap();
        let (_, end) = rest.split_once("[[durable_objects").unwrap();
        world.write("wrangler.toml", &format!("{start}{block}\n[[durable_objects{end}"));
        world.write(".dev.vars", &format!("JWT_SECRET_KEY={KEY}\nORDERS_KEY=abc\n"));
        let run = world.run(&["config", "check"], "");
        assert!(run.code == 0 && run.out == "0 problems, 0 warnings\n", "{page}: {run:?}");
        let run = world.run(&["route", "test", "GET", path], "");
        assert!(run.out.contains(&format!("sends    {url}\n")), "{page}: {run:?}");
    }
    // The example of what does not start.
    let text = std::fs::read_to_string(root.join("docs/gateway.md")).unwrap();
    let block = text.split("```toml\n").find(|block| block.contains("a problem at start")).unwrap();
    let world = World::new();
    let block = block.split("```").next().unwrap();
    world.config(
        "[[durable_objects.bindings]]\nname = \"ACCOUNTS\"",
        &format!("{block}\n[[durable_objects.bindings]]\nname = \"ACCOUNTS\""),
    );
    let run = world.run(&["config", "check"], "");
    assert!(run.code == 1 && run.out.contains("judges it otherwise"), "{run:?}");
}
