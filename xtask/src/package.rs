//! The step `package` of `cargo xtask test`: the library as it would be published, and docs/library.md with it, compile
//! in a folder outside this repository.

use crate::step::{Failure, Root, Step};
use std::{fs, path::PathBuf, process::Command};

/// The page whose first blocks are a manifest's dependencies and a program.
const PAGE: &str = "docs/library.md";

/// Packs the library, and compiles it: natively as the dependency of the page's example, and for wasm32.
pub fn package(root: &Root) -> Result<u32, Failure> {
    let folder = Scratch::new()?;
    let step = Step::begin("cargo package");
    let hint = "is each file that src/ includes named in `include` of Cargo.toml?";
    let metadata = ["metadata", "--locked", "--quiet", "--no-deps", "--format-version", "1"];
    let metadata = step.standard_output(&mut root.cargo_command(metadata), hint)?;
    let metadata: serde_json::Value =
        serde_json::from_str(&metadata).map_err(|error| step.fail(error.to_string(), hint))?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let version =
        packages.filter(|package| package["name"] == "tollgate").find_map(|package| package["version"].as_str());
    let name = format!("tollgate-{}", version.unwrap_or_default());
    // What follows compiles it, once and with all features; dirty, since it is also run before a commit.
    let pack = ["package", "--locked", "--quiet", "--package", "tollgate", "--no-verify", "--allow-dirty"];
    step.run(&mut root.cargo_command(pack), hint)?;
    let archive = root.target().join("package").join(format!("{name}.crate"));
    step.run(Command::new("tar").arg("xzf").arg(archive).arg("-C").arg(&folder.0), "is tar there?")?;
    step.done(&name);

    let step = Step::begin(format!("{PAGE}, outside the repository"));
    let hint = format!("mend {PAGE}, or `include` in Cargo.toml");
    let fail = |error: std::io::Error| step.fail(error.to_string(), &*hint);
    let page = fs::read_to_string(root.join(PAGE)).map_err(fail)?;
    let block = |language: &str| {
        let begun = page.split_once(&format!("\n```{language}\n"))?.1;
        begun.split_once("\n```").map(|(block, _)| format!("{block}\n"))
    };
    let path = r#"path = "../tollgate""#;
    let (Some(dependencies), Some(program)) = (block("toml").filter(|block| block.contains(path)), block("rust"))
    else {
        return Err(step.fail(format!("no dependency with {path}, or no example"), hint));
    };
    let manifest = "[package]\nname = \"outside\"\nedition = \"2024\"\n\n".to_owned()
        + &dependencies.replace(path, &format!("path = {name:?}"));
    fs::create_dir(folder.0.join("src")).map_err(fail)?;
    fs::write(folder.0.join("Cargo.toml"), manifest).map_err(fail)?;
    fs::write(folder.0.join("src/lib.rs"), program).map_err(fail)?;
    // The versions that are tested here, and already fetched.
    fs::copy(root.join("Cargo.lock"), folder.0.join("Cargo.lock")).map_err(fail)?;
    let check = |folder: PathBuf, args: &[&str]| {
        let mut command = Command::new(root.cargo());
        command.current_dir(folder).args(["check", "--offline", "--quiet", "--target-dir"]);
        command.arg(root.target().join("outside")).args(args);
        command
    };
    step.run(&mut check(folder.0.clone(), &[]), &hint)?;
    step.done("");

    let step = Step::begin("the packed library, wasm32");
    let wasm = ["--locked", "--all-features", "--target", "wasm32-unknown-unknown"];
    step.run(&mut check(folder.0.join(name), &wasm), &hint)?;
    step.done("");
    Ok(0)
}

/// A folder for temporary files, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self, Failure> {
        let folder = std::env::temp_dir().join(format!("tollgate-package-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|error| {
            Failure::new("cargo package", error.to_string(), format!("is {} writable?", folder.display()))
        })?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
