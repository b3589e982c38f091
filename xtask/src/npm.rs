//! `cargo xtask package`: the npm package `tollgate` in target/npm, for workers in TypeScript and JavaScript.
//!
//! **What always holds:** it has the files of this repository in the folders that they have here, the worker as it is
//! deployed, and no script that runs when it is installed.

use crate::{
    build::{self, Flavour},
    step::{Failure, Root, Step},
};
use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

/// What is in the package beside the built worker: from, to.
const FILES: [(&str, &str); 9] = [
    ("worker/entry.mjs", "worker/entry.mjs"),
    ("worker/worker.d.mts", "worker/worker.d.mts"),
    ("worker/index.mjs", "worker/index.mjs"),
    ("worker/index.d.mts", "worker/index.d.mts"),
    ("worker/hono.mjs", "worker/hono.mjs"),
    ("worker/hono.d.mts", "worker/hono.d.mts"),
    ("src/edge/js/respond.mjs", "src/edge/js/respond.mjs"),
    ("worker/README.md", "README.md"),
    ("LICENSE", "LICENSE"),
];

/// package.json. A text, since the order of conditions counts: TypeScript takes the first that it knows.
const MANIFEST: &str = r#"{
  "name": "tollgate",
  "version": "VERSION",
  "description": "Log-in and JWTs at Cloudflare's edge, before your worker or your origin; compatible with Flask-JWT-Extended",
  "license": "MIT",
  "type": "module",
  "exports": {
    ".": { "types": "./worker/index.d.mts", "default": "./worker/index.mjs" },
    "./worker": { "types": "./worker/worker.d.mts", "default": "./worker/entry.mjs" },
    "./hono": { "types": "./worker/hono.d.mts", "default": "./worker/hono.mjs" },
    "./package.json": "./package.json"
  },
  "peerDependencies": { "hono": ">=4" },
  "peerDependenciesMeta": { "hono": { "optional": true } }
}
"#;

/// Builds the worker and packs it. Returns the tarball.
pub fn package(root: &Root) -> Result<PathBuf, Failure> {
    build::build(root, Flavour::Release)?;
    let step = Step::begin("the npm package");
    let folder = root.target().join("npm");
    let fail = |error: io::Error| step.fail(error.to_string(), format!("is {} writable?", folder.display()));
    let staged = folder.join("tollgate");
    let _ = fs::remove_dir_all(&folder);
    stage(root, &staged).map_err(fail)?;
    let hint = "is npm there? it comes with Node";
    let mut pack = Command::new("npm");
    pack.current_dir(&staged).args(["pack", "--silent", "--ignore-scripts", "--pack-destination"]).arg(&folder);
    let name = step.standard_output(&mut pack, hint)?;
    let tarball = folder.join(name.trim());
    step.done(&tarball.display().to_string());
    Ok(tarball)
}

/// Copies the files of the package.
fn stage(root: &Root, to: &Path) -> io::Result<()> {
    for (from, name) in FILES {
        copy(&root.join(from), &to.join(name))?;
    }
    for file in fs::read_dir(root.join("worker/js"))? {
        let path = file?.path();
        if path.extension().is_some_and(|extension| extension == "mjs") {
            copy(&path, &to.join("worker/js").join(path.file_name().unwrap_or_default()))?;
        }
    }
    let build = Flavour::Release.out(root);
    for name in ["tollgate.js", "tollgate_bg.wasm"] {
        copy(&build.join(name), &to.join("build").join(name))?;
    }
    copy_all(&build.join("snippets"), &to.join("build/snippets"))?;
    let version = env!("CARGO_PKG_VERSION");
    fs::write(to.join("package.json"), MANIFEST.replace("VERSION", version))
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    to.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::copy(from, to).map(drop)
}

fn copy_all(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() { copy_all(&entry.path(), &target)? } else { copy(&entry.path(), &target)? }
    }
    Ok(())
}
