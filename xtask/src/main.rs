//! The commands of this repository. `cargo xtask` alone lists them.

mod build;
mod setup;
mod step;

use build::Flavour;
use std::process::ExitCode;
use step::{Failure, Root};

/// A command: its name, what it does in a line, and how.
struct Task {
    name: &'static str,
    line: &'static str,
    run: fn(&Root, &[String]) -> Result<(), Failure>,
}

const TASKS: &[Task] = &[
    Task { name: "build", line: "build the worker into build/ (what wrangler calls)", run: |root, _| {
        setup::wasm_target(root)?;
        build::build(root, Flavour::from_wrangler())
    } },
];

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
