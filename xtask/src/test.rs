//! `cargo xtask test`: every check and test there is, the quickest first; ends with the count of tests.

use crate::{
    build::{self, Flavour},
    demo::Store,
    dependencies, npm, package, setup, simulate,
    step::{self, Failure, Root, Step},
};
use serde_json::json;
use std::process::Command;

/// A step of `cargo xtask test`, which is what CI runs, or of `cargo xtask check`.
struct Part {
    name: &'static str,
    /// The usual time with everything built.
    usual: &'static str,
    belongs_to: Belongs,
    /// Returns the number of tests that ran.
    run: fn(&Root) -> Result<u32, Failure>,
}

/// The command that runs a step if no step is named.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Belongs {
    Both,
    /// `cargo xtask check`: a later step of `cargo xtask test` does the same and more.
    Check,
    /// `cargo xtask test`.
    Test,
}

/// Every step, the quickest first.
const PARTS: &[Part] = &[
    Part {
        name: "format",
        usual: "1 s",
        belongs_to: Belongs::Both,
        run: |root| check(root, "format", &["fmt", "--all", "--check"], "cargo fmt --all"),
    },
    Part { name: "tidy", usual: "1 s", belongs_to: Belongs::Both, run: tidy },
    Part { name: "clippy", usual: "5 s", belongs_to: Belongs::Both, run: clippy_native },
    Part { name: "clippy-wasm", usual: "5 s", belongs_to: Belongs::Both, run: clippy_wasm },
    Part { name: "javascript", usual: "5 s", belongs_to: Belongs::Both, run: javascript },
    Part { name: "unit", usual: "30 s", belongs_to: Belongs::Check, run: unit },
    Part { name: "features", usual: "20 s", belongs_to: Belongs::Test, run: features },
    Part { name: "fuzz", usual: "5 s", belongs_to: Belongs::Test, run: fuzz_target },
    Part { name: "doc", usual: "10 s", belongs_to: Belongs::Test, run: documentation },
    Part { name: "dependencies", usual: "1 s", belongs_to: Belongs::Test, run: dependencies::dependencies },
    Part { name: "advisories", usual: "5 s", belongs_to: Belongs::Test, run: dependencies::advisories },
    Part { name: "rust-version", usual: "5 s", belongs_to: Belongs::Test, run: dependencies::rust_version },
    Part { name: "package", usual: "30 s", belongs_to: Belongs::Test, run: package::package },
    Part { name: "native", usual: "2 min", belongs_to: Belongs::Test, run: native },
    Part { name: "command", usual: "2 min", belongs_to: Belongs::Test, run: command_in_node },
    Part { name: "simulate", usual: "1 min", belongs_to: Belongs::Test, run: |root| simulate::test(root).map(|()| 0) },
    Part { name: "vectors", usual: "5 s", belongs_to: Belongs::Test, run: vectors },
    Part { name: "e2e", usual: "8 min", belongs_to: Belongs::Test, run: end_to_end },
    Part { name: "engines", usual: "10 s", belongs_to: Belongs::Test, run: engines },
    Part { name: "replay", usual: "1 min", belongs_to: Belongs::Test, run: replay },
    Part { name: "import", usual: "10 s", belongs_to: Belongs::Test, run: import_beside_demo_users },
    Part { name: "dev", usual: "20 s", belongs_to: Belongs::Test, run: first_contact },
];

/// Runs everything; with `--only STEP`, once or more, those steps.
pub fn test(root: &Root, args: &[String]) -> Result<(), Failure> {
    let chosen = chosen(args)?;
    setup::set_up(root)?;
    setup::wasm_target(root, setup::COMMAND)?;
    let is_asked_for = |part: &&Part| match chosen.is_empty() {
        true => part.belongs_to != Belongs::Check,
        false => chosen.contains(&part.name),
    };
    run(root, PARTS.iter().filter(is_asked_for))
}

/// `cargo xtask check`: the steps that fit in a minute.
pub fn quick(root: &Root, args: &[String]) -> Result<(), Failure> {
    if let Some(other) = args.first() {
        return Err(Failure::new(
            "check",
            format!("no option {other:?}"),
            "cargo xtask test --only STEP runs one step",
        ));
    }
    setup::set_up(root)?;
    setup::wasm_target(root, setup::COMMAND)?;
    run(root, PARTS.iter().filter(|part| part.belongs_to != Belongs::Test))
}

/// The steps that `--only` names.
fn chosen(args: &[String]) -> Result<Vec<&'static str>, Failure> {
    let mut names = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let name = match arg.as_str() {
            "--only" => args.next(),
            _ => None,
        };
        match name.and_then(|name| PARTS.iter().find(|part| part.name == name)) {
            Some(part) => names.push(part.name),
            None => {
                let list: Vec<String> = PARTS.iter().map(|part| format!("{} ({})", part.name, part.usual)).collect();
                let given = name.unwrap_or(arg);
                return Err(Failure::new(
                    "test",
                    format!("no step {given:?}"),
                    format!("--only STEP, one of: {}", list.join(", ")),
                ));
            }
        }
    }
    Ok(names)
}

fn run<'p>(root: &Root, parts: impl Iterator<Item = &'p Part>) -> Result<(), Failure> {
    let mut count = 0;
    for part in parts {
        count += (part.run)(root)?;
    }
    let not_run = step::not_run();
    for step in &not_run {
        eprintln!("NOT RUN: {step}");
    }
    let skipped = if not_run.is_empty() { String::new() } else { format!(", {} skipped", not_run.len()) };
    println!("{count} passed, 0 failed{skipped}");
    Ok(())
}

fn tidy(root: &Root) -> Result<u32, Failure> {
    check(
        root,
        "tidy",
        &["run", "--locked", "--quiet", "--package", "conformance", "--", "tidy"],
        "each line above says what to write",
    )
}

fn clippy_native(root: &Root) -> Result<u32, Failure> {
    let clippy =
        ["clippy", "--locked", "--quiet", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"];
    check(root, "clippy, native", &clippy, "mend what clippy says above")
}

fn clippy_wasm(root: &Root) -> Result<u32, Failure> {
    let packages = ["tollgate", "tollgate-worker", "example-own-users", "example-axum", "bench-workers-rs"];
    let mut clippy = vec!["clippy", "--locked", "--quiet"];
    clippy.extend(packages.iter().flat_map(|package| ["--package", package]));
    clippy.extend(["--target", "wasm32-unknown-unknown", "--profile", "worker-dev"]);
    clippy.extend(["--features", "tollgate-worker/fault-injection", "--", "-D", "warnings"]);
    check(root, "clippy, wasm32", &clippy, "mend what clippy says above")?;
    let rust_crypto = ["clippy", "--locked", "--quiet", "--package", "tollgate-worker", "--features", "rust-crypto"];
    let target = ["--target", "wasm32-unknown-unknown", "--profile", "worker-dev", "--", "-D", "warnings"];
    let clippy = [&rust_crypto[..], &target].concat();
    check(root, "clippy, wasm32 with rust-crypto", &clippy, "mend what clippy says above")?;
    let command = ["clippy", "--locked", "--quiet", "--package", "tollgate-cli", "--target", setup::COMMAND];
    let clippy = [&command[..], &["--profile", "command", "--", "-D", "warnings"]].concat();
    check(root, "clippy, the command in Node", &clippy, "mend what clippy says above")
}

/// JavaScript: format, lint and types of every file, and the unit tests.
fn javascript(root: &Root) -> Result<u32, Failure> {
    let step = Step::begin("format and lint of JavaScript");
    step.output(
        root.npm_command("biome").args(["check", "--error-on-warnings"]),
        "node_modules/.bin/biome check --write mends the format, and what it can of the rest",
    )?;
    step.done("");
    // One for each kind of globals: workerd, workerd and Node, Node, a browser.
    for project in [
        "tsconfig.json",
        "src/engine/node/tsconfig.json",
        "cli/node/tsconfig.json",
        "create-tollgate/tsconfig.json",
        "tests/js/tsconfig.json",
        "tests/e2e/tsconfig.json",
        "tsconfig.page.json",
    ] {
        let step = Step::begin(format!("types of JavaScript, {project}"));
        let hint = format!("mend what tsc says above; node_modules/.bin/tsc -p {project} shows it alone");
        step.output(root.npm_command("tsc").args(["-p", project]), &hint)?;
        step.done("");
    }
    javascript_tests(root)
}

/// tests/js: JavaScript modules in Node, with a stand-in for the Rust side.
fn javascript_tests(root: &Root) -> Result<u32, Failure> {
    let step = Step::begin("unit tests of JavaScript");
    let output = step.output(
        root.npm_command("node").args(["--test", "--test-reporter=tap", "tests/js/*.test.mjs"]),
        "node_modules/.bin/node --test tests/js/*.test.mjs shows them alone",
    )?;
    let count = passed(&output, "# pass ", "");
    if count <= 1 {
        return Err(step.fail("hardly a test ran", "are there files tests/js/*.test.mjs?"));
    }
    step.done(&format!("{count} tests"));
    Ok(count)
}

/// The library with no feature, and with each alone.
fn features(root: &Root) -> Result<u32, Failure> {
    for feature in ["", "ecdsa", "eddsa", "rsa", "axum", "testkit"] {
        let name = if feature.is_empty() { "clippy, no feature".into() } else { format!("clippy, feature {feature}") };
        let clippy =
            ["clippy", "--locked", "--quiet", "--package", "tollgate", "--no-default-features", "--features", feature];
        check(root, &name, &[&clippy[..], &["--", "-D", "warnings"]].concat(), "mend what clippy says above")?;
    }
    Ok(0)
}

/// The fuzz target, a workspace of its own that needs a nightly toolchain to run, compiles.
fn fuzz_target(root: &Root) -> Result<u32, Failure> {
    let clippy = ["clippy", "--locked", "--quiet", "--manifest-path", "fuzz/Cargo.toml", "--target-dir", "target"];
    let hint =
        "mend what clippy says above; a changed dependency: cargo update --manifest-path fuzz/Cargo.toml -p tollgate";
    check(root, "clippy, fuzz target", &[&clippy[..], &["--", "-D", "warnings"]].concat(), hint)?;
    Ok(0)
}

/// The unit tests of the rules and of these commands.
fn unit(root: &Root) -> Result<u32, Failure> {
    let packages = ["--package", "tollgate", "--package", "xtask", "--package", "conformance"];
    tests(root, "unit tests", &[&["test", "--locked", "--lib", "--bins", "--all-features"][..], &packages].concat())
}

fn documentation(root: &Root) -> Result<u32, Failure> {
    let doc = ["doc", "--locked", "--quiet", "--workspace", "--no-deps", "--all-features"];
    check(root, "documentation", &doc, "mend what rustdoc says above")
}

fn native(root: &Root) -> Result<u32, Failure> {
    tests(root, "native tests (unit, property, transcript)", &["test", "--locked", "--workspace", "--all-features"])
}

/// The tests of the command, on the npm package's.
fn command_in_node(root: &Root) -> Result<u32, Failure> {
    npm::package(root)?;
    let mut cargo =
        root.cargo_command(["test", "--locked", "--package", "tollgate-cli", "--examples", "--test", "cli"]);
    cargo.env("TOLLGATE_NODE_COMMAND", npm::command(root));
    count_tests(
        "tests of the command in Node",
        &mut cargo,
        "docs/decisions/019-npm-package.md says how to run one alone",
    )
}

/// Runs cargo's tests, and counts them.
fn tests(root: &Root, name: &str, args: &[&str]) -> Result<u32, Failure> {
    count_tests(name, &mut root.cargo_command(args), "cargo test shows them alone")
}

fn count_tests(name: &str, cargo: &mut Command, hint: &str) -> Result<u32, Failure> {
    let step = Step::begin(name);
    let output = step.output(cargo, hint)?;
    let count = passed(&output, "test result: ok. ", " passed");
    if count == 0 {
        return Err(step.fail("no test ran", "is the package's name right?"));
    }
    step.done(&format!("{count} tests"));
    Ok(count)
}

/// tests/e2e, in real workerd.
fn end_to_end(root: &Root) -> Result<u32, Failure> {
    build::deployable(root)?;
    npm::package(root)?;
    build::build(root, Flavour::Faults)?;
    for name in build::EXAMPLES {
        build::build(root, Flavour::Example(name))?;
    }
    let step = Step::begin("example-axum-origin, an origin of tests (about 1 min from nothing)");
    let build = ["build", "--locked", "--quiet", "--package", "example-axum-origin"];
    step.output(&mut root.cargo_command(build), "see what cargo said above")?;
    step.done("");
    setup::browser(root)?;
    setup::pip()?;
    let step = Step::begin("end to end in workerd (about 8 min)");
    let tests: Vec<_> = std::fs::read_dir(root.join("tests/e2e"))
        .map_err(|error| step.fail(error.to_string(), "is tests/e2e there?"))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.to_string_lossy().ends_with(".test.mjs"))
        .collect();
    let files = tests.len();
    let output = step.output(
        root.npm_command("node")
            .args(["--test", "--test-concurrency=1", "--test-timeout=120000", "--test-force-exit"])
            .arg("--test-reporter=tap")
            .args(tests),
        "node_modules/.bin/node --test tests/e2e/NAME.test.mjs shows one file alone",
    )?;
    let count = passed(&output, "# pass ", "");
    // A file that can't be loaded counts as one test; each has several.
    if count as usize <= files {
        return Err(step.fail("hardly a test ran", "are there files tests/e2e/*.test.mjs?"));
    }
    step.done(&format!("{count} tests"));
    Ok(count)
}

/// Public test vectors, where they lie beside the checkout: they are not ours to copy.
fn vectors(root: &Root) -> Result<u32, Failure> {
    let step = Step::begin("public test vectors");
    let folder = root.join("../shared/vectors");
    if !folder.is_dir() {
        step.not_run("there is no folder ../shared/vectors");
        return Ok(0);
    }
    let mut command = root.cargo_command(["run", "--locked", "--quiet", "--package", "conformance", "--", "vectors"]);
    let output = step.output(command.arg(folder), "cargo xtask vectors ../shared/vectors shows it alone")?;
    step.done(output.lines().last().unwrap_or_default());
    Ok(0)
}

/// The tokens of the public test vectors: the deployed worker, with the runtime's cryptography, answers as the rules do
/// natively, with the Rust crates.
fn engines(root: &Root) -> Result<u32, Failure> {
    let folder = root.join("../shared/vectors");
    if !folder.is_dir() {
        Step::begin("public test vectors in workerd").not_run("there is no folder ../shared/vectors");
        return Ok(0);
    }
    build::deployable(root)?;
    let step = Step::begin("public test vectors in workerd");
    let command = ["run", "--locked", "--quiet", "--package", "conformance", "--", "vectors", "--workerd"];
    let hint = "cargo xtask vectors --workerd ../shared/vectors shows it alone";
    let output = step.output(root.cargo_command(command).arg(folder), hint)?;
    step.done(output.lines().last().unwrap_or_default());
    Ok(0)
}

/// The recorded cases, in real workerd.
fn replay(root: &Root) -> Result<u32, Failure> {
    build::deployable(root)?;
    for name in ["flask_jwt", "flask_jwt_extended", "flask_jwt_extended_more"] {
        let step = Step::begin(format!("recorded cases in workerd: {name}"));
        let mut replay =
            root.cargo_command(["run", "--locked", "--quiet", "--package", "conformance", "--", "replay", "--workerd"]);
        let file = format!("tests/transcripts/{name}.jsonl");
        let output = step.output(replay.arg(&file), &format!("cargo xtask replay --workerd {file} shows it alone"))?;
        let counts = output.lines().last().and_then(|line| line.strip_prefix(&format!("{file}: ")));
        step.done(counts.unwrap_or_default());
    }
    Ok(0)
}

/// A store that `cargo xtask dev` has seeded takes the users of a Flask application, which have the ids 1 and 2.
fn import_beside_demo_users(root: &Root) -> Result<u32, Failure> {
    let step = Step::begin("an import with ids 1 and 2 beside the demo users");
    let hint = "cargo xtask tollgate user import FILE --persist-to FOLDER shows it alone";
    let folder = root.target().join("import-beside-demo-users");
    let store = Store::empty(root, folder.clone())?;
    store.seed()?;
    let hash = "pbkdf2:sha256:50000$9SP6Nwo5LaL4ddL8$3bf60202d9430337403783c9b41f693150ad926c2c4796023de1e049b6b349c9";
    let line = |(id, name)| format!("{}\n", json!({"username": name, "id": id, "hash": hash}));
    let file = folder.join("users.jsonl");
    std::fs::write(&file, [(1, "alice"), (2, "bob")].map(line).concat())
        .map_err(|error| step.fail(error.to_string(), "is target/ writable?"))?;
    let tollgate = |args: &[&str]| {
        let mut command = root.cargo_command(["xtask", "tollgate", "user"]);
        command.args(args).args(store.options());
        command
    };
    step.output(tollgate(&["import"]).arg(&file), hint)?;
    let listed = step.standard_output(&mut tollgate(&["list", "--long", "--json"]), hint)?;
    let user = |id, name| json!({"username": name, "id": id, "status": "active"});
    let expected = json!([
        user(json!(1), "alice"),
        user(json!(2), "bob"),
        user(json!("demo-1"), "user1"),
        user(json!("demo-2"), "user2"),
    ]);
    if serde_json::from_str(&listed).ok() != Some(expected) {
        return Err(step.fail(format!("these users are in the store:\n{listed}"), hint));
    }
    step.done("");
    store.remove()?;
    Ok(0)
}

/// `cargo xtask dev --once`, in a temporary store.
fn first_contact(root: &Root) -> Result<u32, Failure> {
    let step = Step::begin("cargo xtask dev --once");
    let port = std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    let port = port.map_err(|error| step.fail(error.to_string(), "is there a free port?"))?.port().to_string();
    step.output(
        &mut root.cargo_command(["xtask", "dev", "--once", "--port", &port]),
        "it shows what it does when run alone",
    )?;
    step.done("");
    Ok(0)
}

fn check(root: &Root, name: &str, args: &[&str], hint: &str) -> Result<u32, Failure> {
    let step = Step::begin(name);
    step.run(root.cargo_command(args).env("RUSTDOCFLAGS", "-D warnings"), hint)?;
    step.done("");
    Ok(0)
}

/// Sums the numbers between `before` and `after` in each line that has them.
fn passed(output: &str, before: &str, after: &str) -> u32 {
    output
        .lines()
        .filter_map(|line| {
            line.split_once(before)?
                .1
                .split(|c: char| !c.is_ascii_digit())
                .next()?
                .parse::<u32>()
                .ok()
                .filter(|_| line.contains(after))
        })
        .sum()
}
