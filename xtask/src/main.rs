//! The commands of this repository. `cargo xtask` alone lists them.

mod bench;
mod build;
mod demo;
mod dependencies;
mod dev;
mod mutants;
mod npm;
mod origin;
mod package;
mod server;
mod setup;
mod simulate;
mod size;
mod step;
mod test;
mod tools;

use build::Flavour;
use std::process::ExitCode;
use step::{Failure, Root};

/// A command.
struct Task {
    name: &'static str,
    line: &'static str,
    run: fn(&Root, &[String]) -> Result<(), Failure>,
}

const TASKS: &[Task] = &[
    Task {
        name: "dev",
        line: "set up, build and serve on 127.0.0.1:8787 (--port N; --once: three calls in a temporary store, then end)",
        run: dev::dev,
    },
    Task { name: "check", line: "format, clippy, tidy and unit tests (under 1 min)", run: test::quick },
    Task {
        name: "test",
        line: "every check and test (about 20 min from nothing, 15 min after; --only STEP runs one step)",
        run: test::test,
    },
    Task {
        name: "tidy",
        line: "check headers, paths, links, columns, phrases and import circles (1 s)",
        run: |root, args| conformance(root, "tidy", args),
    },
    Task {
        name: "tollgate",
        line: "the operators' command, from its source: tollgate user add alice (`cargo install --path cli` installs it)",
        run: |root, args| {
            let manifest = root.join("cli/Cargo.toml");
            let mut command = std::process::Command::new(root.cargo());
            command.args(["run", "--locked", "--quiet", "--manifest-path"]).arg(manifest).arg("--").args(args);
            match command.status() {
                Ok(status) => std::process::exit(status.code().unwrap_or(1)),
                Err(error) => Err(Failure::new("tollgate", error.to_string(), "can cargo be run?")),
            }
        },
    },
    Task {
        name: "replay",
        line: "replay recorded transcripts: replay [--workerd] FILE… (against the rules, or against real workerd)",
        run: |root, args| in_process_or_workerd(root, "replay", args),
    },
    Task {
        name: "vectors",
        line: "run the public test vectors in a folder: vectors [--workerd] DIR (Wycheproof's JWS, JWK, PBKDF2; RFC 7520)",
        run: |root, args| in_process_or_workerd(root, "vectors", args),
    },
    Task {
        name: "simulate",
        line: "play random histories of sessions and revocations (--histories N, --seed S; --break NAME|all breaks a rule)",
        run: simulate::simulate,
    },
    Task {
        name: "mutants",
        line: "change src/rules, place by place, to see that a test notices: mutants [--simulate] [PATH…] (10 s a mutant)",
        run: mutants::mutants,
    },
    Task {
        name: "bench",
        line: "measure Tollgate, other gates and no gate (--quick: 1 min; --help lists the options)",
        run: bench::bench,
    },
    Task {
        name: "size",
        line: "build the worker, and list what weighs most in the module (2 min after a change, else seconds)",
        run: size::size,
    },
    Task {
        name: "docs",
        line: "write docs/options.md, docs/errors.md and worker/wrangler.schema.json from the code",
        run: |root, args| conformance(root, "docs", args),
    },
    Task {
        name: "package",
        line: "make the npm packages in target/npm (2 min after a change, else seconds)",
        run: |root, _| {
            setup::set_up(root)?;
            setup::wasm_target(root, setup::COMMAND)?;
            npm::package(root)
        },
    },
    Task {
        name: "build",
        line: "build the worker into build/ (wrangler calls this; --example NAME; --faults: with fault injection, for tests)",
        run: |root, args| {
            setup::wasm_target(root, setup::WORKER)?;
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let example = |name| build::EXAMPLES.into_iter().find(|known| *known == name).map(Flavour::Example);
            let flavour = match args[..] {
                [] => Some(Flavour::from_wrangler()),
                ["--faults"] => Some(Flavour::Faults),
                ["--example", name] => example(name),
                _ => None,
            };
            let hint = format!("there are --faults and --example {}", build::EXAMPLES.join(" | "));
            let flavour =
                flavour.ok_or_else(|| Failure::new("build", format!("no option {}", args.join(" ")), hint))?;
            build::build(root, flavour)
        },
    },
];

/// Runs a chore that takes `--workerd`, for which the worker is built.
fn in_process_or_workerd(root: &Root, name: &str, args: &[String]) -> Result<(), Failure> {
    if args.iter().any(|arg| arg == "--workerd") {
        setup::set_up(root)?;
        build::deployable(root)?;
    }
    conformance(root, name, args)
}

/// Runs a command of the package `conformance`, which has what needs the rules natively.
fn conformance(root: &Root, name: &str, args: &[String]) -> Result<(), Failure> {
    let mut command = root.cargo_command(["run", "--locked", "--quiet", "--package", "conformance", "--", name]);
    // Relative paths of files are relative to the caller's folder.
    let here = std::env::current_dir().unwrap_or_default();
    command.args(args.iter().map(|arg| if here.join(arg).exists() { here.join(arg) } else { arg.into() }));
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(Failure::new(name, "it failed", "see above")),
        Err(error) => Err(Failure::new(name, error.to_string(), "can cargo be run?")),
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let root = Root::find();
    let task = args.first().and_then(|name| TASKS.iter().find(|task| task.name == name));
    match (task, args.first().map(String::as_str)) {
        (Some(task), _) => match (task.run)(&root, &args[1..]) {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => {
                eprintln!("{failure}");
                ExitCode::FAILURE
            }
        },
        (None, None | Some("help" | "--help" | "-h")) => {
            println!("cargo xtask <command>\n");
            for task in TASKS {
                println!("  {:<10}{}", task.name, task.line);
            }
            ExitCode::SUCCESS
        }
        (None, Some(unknown)) => {
            eprintln!("error: there is no command {unknown:?}\n hint: `cargo xtask` lists them");
            ExitCode::from(2)
        }
    }
}
