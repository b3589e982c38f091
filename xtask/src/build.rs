//! Rust → Wasm → JavaScript glue, in `build/`. No tool is downloaded or installed: the glue is made by
//! `wasm-bindgen-cli-support`, pinned to the `wasm-bindgen` of Cargo.lock.

use crate::step::{Failure, Root, Step, newer_than};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use wasm_bindgen_cli_support::{Bindgen, Output};

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

    /// What the compiler makes.
    pub fn compiled(self, root: &Root) -> PathBuf {
        let module = format!("{}.wasm", self.package().replace('-', "_"));
        root.target().join("wasm32-unknown-unknown").join(self.profile()).join(module)
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
    let made_of = ["build/tollgate_bg.wasm", "wrangler.toml", "worker/entry.mjs"].map(|file| root.join(file));
    let js = fs::read_dir(root.join("worker/js")).into_iter().flatten().flatten().map(|file| file.path());
    if made_of.into_iter().chain(js).all(is_new) {
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
        .args(without_paths(root, "wasm32-unknown-unknown"))
        // As worker-build does: futures from js-sys.
        .env("WASM_BINDGEN_USE_JS_SYS", "1");
    if flavour == Flavour::Faults {
        cargo.args(["--features", "fault-injection"]);
    }
    step.run(
        &mut cargo,
        "mend what the compiler says; `rustup target add wasm32-unknown-unknown` if it lacks the target",
    )?;

    let wasm = flavour.compiled(root);
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
        let mut glue = glue(flavour, &wasm)?;
        for function in glue.wasm_mut().funcs.iter_mut() {
            function.name = function.name.take().and_then(|name| stack_trace_name(&name));
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

/// Builds the command `tollgate` as WebAssembly, for Node. Returns the module.
pub fn command(root: &Root) -> Result<PathBuf, Failure> {
    let step = Step::begin("the command for Node (about 2 min from nothing)");
    let target = ["--target", "wasm32-wasip1", "--profile", "command"];
    let mut cargo = root.cargo_command(["build", "--locked", "--quiet", "--package", "tollgate-cli"]);
    step.run(
        cargo.args(target).args(without_paths(root, target[1])),
        "mend what the compiler says; `rustup target add wasm32-wasip1` if it lacks the target",
    )?;
    step.done("");
    Ok(root.target().join("wasm32-wasip1/command/tollgate.wasm"))
}

/// Arguments for cargo, after which the places of the sources in messages of panics don't name folders of this machine:
/// a build of the same commit elsewhere has the same bytes.
fn without_paths(root: &Root, target: &str) -> [String; 2] {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo"))).unwrap_or_default();
    let [home, root] = [home.join("registry/src"), root.join("")].map(|path| path.display().to_string());
    let flags = [format!("--remap-path-prefix={home}=/crates"), format!("--remap-path-prefix={root}=/tollgate/")];
    ["--config".into(), format!("target.{target}.rustflags = {flags:?}")]
}

/// The JavaScript glue and the module, whose functions still have their names.
pub fn glue(flavour: Flavour, wasm: &Path) -> Result<Output, Box<dyn std::error::Error>> {
    let mut glue = Bindgen::new()
        .input_path(wasm)
        .out_name("tollgate")
        .web(true)? // `initSync({ module })`: the entry hands over the module that wrangler compiled
        .reset_state_function(true) // `__wbg_reset_state`: a fresh instance after a panic
        .typescript(false)
        .demangle(false)
        .generate_output()?;
    if flavour == Flavour::Release {
        remove_idle_exports(glue.wasm_mut())?;
    }
    Ok(glue)
}

/// The name of a function in a stack trace: Tollgate's own ones keep theirs, without generic arguments. The names of
/// all would be 35 KB of the deployed module (gzip), these are 8.
fn stack_trace_name(mangled: &str) -> Option<String> {
    // `{:#}` omits the hash at the end, which can't be compressed and says nothing.
    let name = format!("{:#}", rustc_demangle::demangle(mangled));
    if !name.contains("tollgate") {
        return None;
    }
    let name = name.replace("->", "to");
    let mut depth = 0_usize;
    let kept = name.chars().filter(|c| {
        depth = match c {
            '<' => depth + 1,
            '>' => depth.saturating_sub(1),
            _ => return depth == 0,
        };
        false
    });
    let kept: String = kept.collect();
    // An implementation's own type is all in brackets: `<tollgate::Key>::verify`.
    Some(if kept.starts_with("::") { name } else { kept })
}

/// Removes functions that the crate `worker` exports for classes that the stock worker never makes, with all that only
/// they call (8 KB of the deployed module, with gzip).
fn remove_idle_exports(module: &mut walrus::Module) -> Result<(), Box<dyn std::error::Error>> {
    const CLASSES: [&str; 6] = [
        "containerstartupoptions",
        "minifyconfig",
        "r2range",
        "intounderlyingbytesource",
        "intounderlyingsink",
        "intounderlyingsource",
    ];
    let is_idle = |name: &str| CLASSES.iter().any(|class| name.contains(class));
    if let Some(class) = CLASSES.iter().find(|class| !module.exports.iter().any(|it| it.name.contains(*class))) {
        return Err(
            format!("the crate `worker` exports no class {class} any more: remove it from xtask/src/build.rs").into()
        );
    }
    let idle: Vec<_> = module.exports.iter().filter(|export| is_idle(&export.name)).map(|export| export.id()).collect();
    for id in idle {
        module.exports.delete(id);
    }
    walrus::passes::gc::run(module);
    // An import left over makes one of them, and JavaScript would call what is gone.
    match module.imports.iter().find(|import| is_idle(&import.name)) {
        Some(import) => {
            Err(format!("the worker uses {} now: keep its class in xtask/src/build.rs", import.name).into())
        }
        None => Ok(()),
    }
}
