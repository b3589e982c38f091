//! `tollgate config`.

use super::world::{World, snapshot};

#[test]
fn a_good_configuration_has_no_problem() {
    let world = World::new();
    let run = world.good(&["config", "check"], "");
    assert_eq!(run.out, "0 problems, 0 warnings\n");
    let stock = concat!(env!("CARGO_MANIFEST_DIR"), "/../wrangler.toml");
    assert!(world.good(&["config", "check", stock], "").out.contains("0 problems"));
}

#[test]
fn every_problem_is_told_at_once_with_its_place() {
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
    snapshot("config-check", &run.whole());
    snapshot("config-check-json", &world.run(&["config", "check", "--json"], "").whole());
}

#[test]
fn the_bindings_that_rules_need_are_looked_for() {
    let world = World::new();
    world.config("html_handling = \"none\"", "html_handling = \"auto-trailing-slash\"");
    world.config("run_worker_first = true\n", "");
    world.config("0123456789abcdef0123456789abcdef", "00000000000000000000000000000001");
    snapshot("config-check-bindings", &world.run(&["config", "check"], "").whole());
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
    snapshot("config-check-env", &world.run(&["config", "check", "--env", "staging"], "").whole());
    snapshot("config-check-env-bare", &world.run(&["config", "check", "--env", "bare"], "").whole());
    let run = world.run(&["config", "check", "--env", "nowhere"], "");
    assert!(run.code == 1 && run.out.contains("no [env.nowhere]"), "{run:?}");
}

#[test]
fn what_is_not_toml_is_told_with_its_place() {
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
    snapshot("config-check-no-key", &world.good(&["config", "check"], "").whole());
    world.write(".dev.vars", "JWT_SECRET_KEY=super-secret\nTOLLGATE_ALLOW_SHORT_KEY=true\n");
    let run = world.good(&["config", "check"], "");
    assert!(run.out.starts_with(".dev.vars:2:1: warning: TOLLGATE_ALLOW_SHORT_KEY:"), "{}", run.out);
    assert!(!run.out.contains("super-secret"));
}

#[test]
fn a_pepper_may_be_on_cloudflare_and_is_no_variable() {
    let world = World::new();
    world.config("[vars]\n", "[vars]\nTOLLGATE_PASSWORD_PEPPER = \"k1\"\n");
    snapshot("config-check-no-pepper", &world.good(&["config", "check"], "").whole());
    let peppers = r#"{ k1 = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE" }"#;
    world.config("[vars]\n", &format!("[vars]\nTOLLGATE_PASSWORD_PEPPERS = {peppers}\n"));
    let run = world.good(&["config", "check"], "");
    assert!(run.out.contains("warning: TOLLGATE_PASSWORD_PEPPERS: in the open for all"), "{run:?}");
    assert!(!run.out.contains("AQEB"), "{run:?}");
}

#[test]
fn what_the_gate_does_without_is_a_warning() {
    let check = |world: &World| world.good(&["config", "check"], "");
    let world = World::new();
    for table in ["[[durable_objects.bindings]]", "[[migrations]]", "[[ratelimits]]"] {
        world.config(table, "[[elsewhere]]");
    }
    snapshot("config-check-no-services", &check(&world).whole());
    let world = World::new();
    world.config("name = \"REVOCATIONS\"", "name = \"OTHERS\"");
    snapshot("config-check-half-sessions", &check(&world).whole());
    // Classes of one's own, one of them renamed, one in another worker; and one that no migration makes.
    let world = World::new();
    world.config("new_sqlite_classes = [\"Account\", \"Revocations\"]", "new_sqlite_classes = [\"Revocations\"]");
    snapshot("config-check-no-class", &check(&world).whole());
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
        assert!(run.code == 1 && run.out.contains("error: assets.run_worker_first: no rule goes"), "{run:?}");
        world.config("[assets]", "[assets_not]");
        world.good(&["config", "check"], "");
    }
}

#[test]
fn a_cache_in_front_of_the_gate_is_a_problem() {
    let world = World::new();
    world.config("[vars]\n", "[cache]\nenabled = true\n\n[vars]\n");
    snapshot("config-check-cache", &world.run(&["config", "check"], "").whole());
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
    snapshot("config-check-rewrites", &run.whole());
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
    snapshot("config-check-spa", &run.whole());
    // Its own file is served for a rule with one path, if there is one.
    world.config("/static/*", "/style.css");
    world.good(&["config", "check"], "");
    std::fs::create_dir(world.path("public")).unwrap();
    assert_eq!(world.run(&["config", "check"], "").code, 1);
    world.write("public/style.css", "");
    world.good(&["config", "check"], "");
    world.config("/style.css", "/{file}");
    assert_eq!(world.run(&["config", "check"], "").code, 1);
    // The page for what is not found is /404.html, which is open here; protected, it is seen under open paths.
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
    let routes = "routes = [{ pattern = \"app.example.com\", custom_domain = true }]";
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
        // What is inherited as `routes` comes before an own `route`.
        ("workers_dev = true\npreview_urls = false\nroutes = []", "route = \"app.example.com/*\"", &[]),
    ] {
        assert_eq!(warnings(top, Some(env)), expected, "{top} {env}");
    }
    world.write("wrangler.toml", &config.replace("preview_urls = false", &format!("{routes}\nworkers_dev = true")));
    snapshot("config-check-addresses", &world.good(&["config", "check"], "").whole());
    world.write("wrangler.toml", &config.replace("preview_urls = false", ""));
    snapshot("config-check-preview-urls", &world.good(&["config", "check"], "").whole());
    let stock = concat!(env!("CARGO_MANIFEST_DIR"), "/../wrangler.toml");
    let run = world.good(&["config", "check", stock], "");
    assert!(!run.out.contains("preview_urls") && !run.out.contains("workers_dev"), "{run:?}");
}

#[test]
fn an_operators_secret_is_no_variable() {
    let world = World::new();
    world.config("[vars]\n", "[vars]\nTOLLGATE_ADMIN_SECRET = \"hunter2, and more than thirty-two bytes\"\n");
    let run = world.good(&["config", "check"], "");
    assert!(run.out.contains("warning: TOLLGATE_ADMIN_SECRET: in the open for all"), "{run:?}");
    assert!(!run.out.contains("hunter2"), "{run:?}");
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
