//! Rust → Wasm → JavaScript glue, in `build/`. No tool is downloaded or installed: the glue is made by
//! `wasm-bindgen-cli-support`, pinned to the `wasm-bindgen` of Cargo.lock.

use crate::step::{Failure, Root, Step, newer_than};
use std::{fs, path::PathBuf, process::Command};
use wasm_bindgen_cli_support::Bindgen;

/// A variant of the worker.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// The worker that is deployed: optimised with LTO.
    Release,
    /// For `wrangler dev`: compiled in seconds.
    Dev,
    /// With fault injection (`build --faults`), to test the entry's recovery.
    Faults,
    /// One of the examples (`build --example NAME`).
    Example(&'static str),
    /// The contender of the benchmark that uses workers-rs.
    WorkersRs,
}

/// The folders in examples/.
pub const EXAMPLES: [&str; 2] = ["own-users", "axum"];

impl Flavour {
    /// The flavour for wrangler, which sets `WRANGLER_COMMAND` to `dev` or `deploy`.
    pub fn from_wrangler() -> Self {
        if std::env::var("WRANGLER_COMMAND").is_ok_and(|command| command == "dev") { Self::Dev } else { Self::Release }
    }

    const fn profile(self) -> &'static str {
        match self {
            Self::Release => "worker",
            Self::WorkersRs => "release",
            Self::Dev | Self::Faults | Self::Example(_) => "worker-dev",
        }
    }

    fn package(self) -> String {
        match self {
            Self::Release | Self::Dev | Self::Faults => "tollgate-worker".into(),
            Self::Example(name) => format!("example-{name}"),
            Self::WorkersRs => "bench-workers-rs".into(),
        }
    }

    /// The folder of the JavaScript glue.
    pub fn out(self, root: &Root) -> PathBuf {
        match self {
            Self::Release | Self::Dev => root.join("build"),
            Self::Faults => root.join("build-faults"),
            Self::Example(name) => root.join("examples").join(name).join("build"),
            Self::WorkersRs => root.target().join("bench/workers-rs-build"),
        }
    }
}

/// Builds the worker and bundles it into target/deploy, as wrangler would deploy it. End-to-end tests run that bundle.
pub fn deployable(root: &Root) -> Result<(), Failure> {
    build(root, Flavour::Release)?;
    let bundle = root.join("target/deploy/entry.js");
    let is_new = |made_of: PathBuf| newer_than(&bundle, &made_of);
    let js = ["entry", "js/call", "js/glue", "js/hot", "js/instance", "js/objects", "js/requests"];
    let js = js.map(|name| format!("worker/{name}.mjs"));
    let made_of = ["build/tollgate_bg.wasm", "wrangler.toml"].map(str::to_owned).into_iter().chain(js);
    if made_of.map(|file| root.join(file)).all(is_new) {
        return Ok(());
    }
    let step = Step::begin("the worker as wrangler would deploy it");
    let _ = fs::remove_dir_all(root.join("target/deploy"));
    step.output(
        root.npm_command("wrangler").args(["deploy", "--dry-run", "--outdir", "target/deploy"]),
        "see what wrangler said above",
    )?;
    step.done("");
    Ok(())
}

/// Builds the worker.
pub fn build(root: &Root, flavour: Flavour) -> Result<(), Failure> {
    let package = flavour.package();
    let step = Step::begin(format!("{package} ({} profile; about 2 min from nothing)", flavour.profile()));
    let mut cargo = Command::new(root.cargo());
    cargo
        .current_dir(root)
        .args(["build", "--locked", "--quiet", "--package", &package, "--lib", "--target", "wasm32-unknown-unknown"])
        .args(["--profile", flavour.profile()])
        // As worker-build does: futures from js-sys.
        .env("WASM_BINDGEN_USE_JS_SYS", "1");
    if flavour == Flavour::Faults {
        cargo.args(["--features", "fault-injection"]);
    }
    step.run(
        &mut cargo,
        "mend what the compiler says; `rustup target add wasm32-unknown-unknown` if it lacks the target",
    )?;

    let module = format!("{}.wasm", package.replace('-', "_"));
    let wasm = root.target().join("wasm32-unknown-unknown").join(flavour.profile()).join(module);
    let out = flavour.out(root);
    let mark = out.join("profile");
    let same = fs::read_to_string(&mark).is_ok_and(|built| built == flavour.profile());
    if same && newer_than(&out.join("tollgate_bg.wasm"), &wasm) {
        step.done("nothing to do");
        return Ok(());
    }
    // Written to another folder and moved, so that no reader sees a part of it.
    let beside = out.with_extension("tmp");
    let _ = fs::remove_dir_all(&beside);
    let bind = || -> Result<(), Box<dyn std::error::Error>> {
        let mut glue = Bindgen::new()
            .input_path(&wasm)
            .out_name("tollgate")
            .web(true)? // `initSync({ module })`: the entry hands over the module that wrangler compiled
            .reset_state_function(true) // `__wbg_reset_state`: a fresh instance after a panic
            .typescript(false)
            .demangle(false)
            .generate_output()?;
        // `{:#}` omits the hash at the end of each name, which can't be compressed and which nobody reads.
        for function in glue.wasm_mut().funcs.iter_mut() {
            function.name = function.name.take().map(|name| format!("{:#}", rustc_demangle::demangle(&name)));
        }
        glue.emit(&beside)?;
        fs::write(beside.join("profile"), flavour.profile())?;
        let _ = fs::remove_dir_all(&out);
        fs::rename(&beside, &out)?;
        Ok(())
    };
    bind()
        .map_err(|error| step.fail(error.to_string(), format!("remove the folder {} and try again", out.display())))?;
    step.done("");
    Ok(())
}
