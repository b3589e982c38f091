//! Where and with what versions was measured.

use crate::workshop::{Workshop, run};
use anyhow::Result;
use serde_json::{Map, Value};
use std::{env, fs, process::Command};
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

/// CPU, cores, memory, system, and where servers and load run.
pub fn machine(workshop: &Workshop) -> Map<String, Value> {
    let what = RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing()).with_memory(MemoryRefreshKind::everything());
    let system = System::new_with_specifics(what);
    let cpu = system.cpus().first().map_or("", |cpu| cpu.brand().trim());
    let gib = system.total_memory() as f64 / f64::from(1 << 30);
    let are_divided = workshop.cores.are_divided();
    let placement = if are_divided { "servers on the last core, load on the others" } else { "the system's own" };
    let figures: [(&str, Value); 6] = [
        ("cpu", cpu.into()),
        ("cores", system.cpus().len().into()),
        ("memory", format!("{gib:.0} GiB").into()),
        ("os", System::long_os_version().unwrap_or_else(|| env::consts::OS.to_owned()).into()),
        ("arch", env::consts::ARCH.into()),
        ("placement", placement.into()),
    ];
    figures.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
}

/// The versions of everything that takes part.
pub fn versions(workshop: &Workshop) -> Result<Map<String, Value>> {
    let root = &workshop.root;
    let mut versions = Map::new();
    let mut add = |name: &str, text: &str| drop(versions.insert(name.to_owned(), text.trim().into()));
    let commit = run(Command::new("git").current_dir(root).args(["describe", "--always", "--dirty", "--abbrev=10"]));
    let commit = commit.map_or_else(|_| String::new(), |commit| format!(" ({})", commit.trim()));
    add("tollgate", &format!("{}{commit}", env!("CARGO_PKG_VERSION")));
    let workerd = run(Command::new(workshop.workerd()?).arg("--version"))?;
    add("workerd", workerd.trim_start_matches("workerd "));
    add("node", &run(workshop.npm("node")?.arg("--version"))?);
    add("openssl", &run(workshop.npm("node")?.args(["-p", "process.versions.openssl"]))?);
    if let Ok(python) = run(Command::new("python3").args(["-c", "import ssl; print(ssl.OPENSSL_VERSION)"])) {
        add("python's openssl", python.trim_start_matches("OpenSSL "));
    }
    let rustc = run(Command::new("rustc").arg("--version"))?;
    add("rustc", rustc.split(' ').nth(1).unwrap_or(&rustc));
    let package: Value = serde_json::from_slice(&fs::read(root.join("package.json"))?)?;
    for name in ["hono", "jose", "@noble/hashes", "hash-wasm", "wrangler"] {
        add(name, package["devDependencies"][name].as_str().unwrap_or_default());
    }
    for name in ["worker", "jwt-compact"] {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        let id = run(cargo.current_dir(root).args(["pkgid", "--locked", "--offline", name]))?;
        add(name, id.rsplit(['@', '#']).next().unwrap_or_default());
    }
    if workshop.flask.is_some() {
        let requirements = fs::read_to_string(root.join("bench/contenders/flask/requirements.txt"))?;
        requirements.lines().filter_map(|line| line.split_once("==")).for_each(|(name, version)| add(name, version));
    }
    Ok(versions)
}
