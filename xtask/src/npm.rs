//! `cargo xtask package`: the npm packages in target/npm. `tollgate` is the gate for workers in TypeScript and
//! JavaScript, with the command for Node; `create-tollgate` makes a project with it.
//!
//! **What always holds:** `tollgate` has the files of this repository in the folders that they have here, and the
//! worker as it is deployed. No script runs when a package is installed.

use crate::{
    build::{self, Flavour},
    step::{Failure, Root, Step},
};
use serde_json::{Map, Value};
use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

/// What is in the package beside the built worker: from, to.
const FILES: [(&str, &str); 14] = [
    ("cli/node/post.mjs", "cli/node/post.mjs"),
    ("cli/node/tollgate.mjs", "cli/node/tollgate.mjs"),
    ("worker/entry.mjs", "worker/entry.mjs"),
    ("worker/worker.d.mts", "worker/worker.d.mts"),
    ("worker/index.mjs", "worker/index.mjs"),
    ("worker/index.d.mts", "worker/index.d.mts"),
    ("worker/hono.mjs", "worker/hono.mjs"),
    ("worker/hono.d.mts", "worker/hono.d.mts"),
    ("src/edge/js/respond.mjs", "src/edge/js/respond.mjs"),
    ("public/tollgate-client.mjs", "worker/client.mjs"),
    ("worker/client.d.mts", "worker/client.d.mts"),
    ("worker/wrangler.schema.json", "wrangler.schema.json"),
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
  "bin": { "tollgate": "cli/node/tollgate.mjs" },
  "engines": { "node": ">=22" },
  "exports": {
    ".": { "types": "./worker/index.d.mts", "default": "./worker/index.mjs" },
    "./worker": { "types": "./worker/worker.d.mts", "default": "./worker/entry.mjs" },
    "./client": { "types": "./worker/client.d.mts", "default": "./worker/client.mjs" },
    "./hono": { "types": "./worker/hono.d.mts", "default": "./worker/hono.mjs" },
    "./wrangler.schema.json": "./wrangler.schema.json",
    "./package.json": "./package.json"
  },
  "peerDependencies": { "hono": ">=4" },
  "peerDependenciesMeta": { "hono": { "optional": true } }
}
"#;

/// package.json of `create-tollgate`.
const CREATE_MANIFEST: &str = r#"{
  "name": "create-tollgate",
  "version": "VERSION",
  "description": "npm create tollgate: a Cloudflare worker that logs users in and verifies their tokens",
  "license": "MIT",
  "type": "module",
  "bin": { "create-tollgate": "index.mjs" }
}
"#;

/// What a new project may need of npm, at the versions that package.json has for the tests here.
const OF_PROJECTS: [&str; 3] = ["hono", "typescript", "wrangler"];

/// The command of the package, where npm packs it from.
pub fn command(root: &Root) -> PathBuf {
    root.target().join("npm/tollgate/cli/node/tollgate.mjs")
}

/// Builds the worker and the command, and packs them, and `create-tollgate`.
pub fn package(root: &Root) -> Result<(), Failure> {
    build::build(root, Flavour::Release)?;
    let program = build::command(root)?;
    let step = Step::begin("the npm packages");
    let folder = root.target().join("npm");
    let fail = |error: io::Error| step.fail(error.to_string(), format!("is {} writable?", folder.display()));
    let _ = fs::remove_dir_all(&folder);
    stage(root, &program, &folder.join("tollgate")).map_err(fail)?;
    stage_create(root, &folder.join("create-tollgate")).map_err(fail)?;
    let mut made = Vec::new();
    for name in ["tollgate", "create-tollgate"] {
        let mut pack = Command::new("npm");
        pack.current_dir(folder.join(name)).args(["pack", "--silent", "--ignore-scripts", "--pack-destination"]);
        let name = step.standard_output(pack.arg(&folder), "is npm there? it comes with Node")?;
        made.push(folder.join(name.trim()).display().to_string());
    }
    step.done(&made.join(", "));
    Ok(())
}

/// Copies the files of `tollgate`.
fn stage(root: &Root, program: &Path, to: &Path) -> io::Result<()> {
    for (from, name) in FILES {
        copy(&root.join(from), &to.join(name))?;
    }
    for file in fs::read_dir(root.join("worker/js"))? {
        let path = file?.path();
        if path.extension().is_some_and(|extension| extension == "mjs") {
            copy(&path, &to.join("worker/js").join(path.file_name().unwrap_or_default()))?;
        }
    }
    copy(program, &to.join("cli/node/tollgate.wasm"))?;
    let build = Flavour::Release.out(root);
    for name in ["tollgate.js", "tollgate_bg.wasm"] {
        copy(&build.join(name), &to.join("build").join(name))?;
    }
    copy_all(&build.join("snippets"), &to.join("build/snippets"))?;
    for folder in ["docs", "docs/start"] {
        for file in fs::read_dir(root.join(folder))? {
            let path = file?.path();
            if path.extension().is_some_and(|extension| extension == "md") {
                copy(&path, &to.join(folder).join(path.file_name().unwrap_or_default()))?;
            }
        }
    }
    write_manifest(MANIFEST, to)
}

/// Copies the files of `create-tollgate`.
fn stage_create(root: &Root, to: &Path) -> io::Result<()> {
    for name in ["README.md", "files.mjs", "index.mjs"] {
        copy(&root.join("create-tollgate").join(name), &to.join(name))?;
    }
    copy_all(&root.join("create-tollgate/templates"), &to.join("templates"))?;
    copy(&root.join("LICENSE"), &to.join("LICENSE"))?;
    let ours: Value = serde_json::from_str(&fs::read_to_string(root.join("package.json"))?)?;
    let versions: Map<String, Value> =
        OF_PROJECTS.iter().map(|name| ((*name).to_owned(), ours["devDependencies"][name].clone())).collect();
    fs::write(to.join("versions.json"), serde_json::to_string_pretty(&versions)?)?;
    write_manifest(CREATE_MANIFEST, to)
}

fn write_manifest(text: &str, to: &Path) -> io::Result<()> {
    fs::write(to.join("package.json"), text.replace("VERSION", env!("CARGO_PKG_VERSION")))
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
