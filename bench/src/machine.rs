//! Where and what was measured.

use crate::contender::{Workshop, run};
use anyhow::Result;
use serde_json::{Map, Value};
use std::{
    fs,
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};
use tollgate::rules::time::NumericDate;

/// Cores, CPU, memory and system.
pub fn machine(workshop: &Workshop) -> Map<String, Value> {
    let what = RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing()).with_memory(MemoryRefreshKind::everything());
    let system = System::new_with_specifics(what);
    let cpu = system.cpus().first().map_or_else(String::new, |cpu| cpu.brand().trim().to_owned());
    let gib = system.total_memory() as f64 / f64::from(1 << 30);
    let placement =
        if workshop.cores_are_divided() { "servers on the last core, load on the others" } else { "the system's own" };
    let os = System::long_os_version().unwrap_or_else(|| std::env::consts::OS.to_owned());
    Map::from_iter([
        ("cpu".to_owned(), cpu.into()),
        ("cores".to_owned(), system.cpus().len().into()),
        ("memory".to_owned(), format!("{gib:.0} GiB").into()),
        ("os".to_owned(), os.into()),
        ("arch".to_owned(), std::env::consts::ARCH.into()),
        ("placement".to_owned(), placement.into()),
    ])
}

/// The versions of all that takes part.
///
/// # Errors
/// If a file of the repository can't be read.
pub fn versions(workshop: &Workshop) -> Result<Map<String, Value>> {
    let mut versions = Map::new();
    let mut commit = Command::new("git");
    commit.current_dir(workshop.root()).args(["describe", "--always", "--dirty", "--abbrev=10"]);
    let commit = run(&mut commit).map_or_else(|_| String::new(), |commit| format!(" ({})", commit.trim()));
    versions.insert("tollgate".to_owned(), format!("{}{commit}", env!("CARGO_PKG_VERSION")).into());
    let workerd = run(Command::new(workshop.workerd()?).arg("--version"))?;
    versions.insert("workerd".to_owned(), workerd.trim().trim_start_matches("workerd ").into());
    let node = run(workshop.npm("node").arg("--version"))?;
    versions.insert("node".to_owned(), node.trim().into());
    let openssl = run(workshop.npm("node").args(["-p", "process.versions.openssl"]))?;
    versions.insert("openssl".to_owned(), openssl.trim().into());
    if let Ok(python) = run(Command::new("python3").args(["-c", "import ssl; print(ssl.OPENSSL_VERSION)"])) {
        versions.insert("python's openssl".to_owned(), python.trim().trim_start_matches("OpenSSL ").into());
    }
    let rustc = run(Command::new("rustc").arg("--version"))?;
    versions.insert("rustc".to_owned(), rustc.split(' ').nth(1).unwrap_or(rustc.trim()).into());
    let package: Value = serde_json::from_slice(&fs::read(workshop.root().join("package.json"))?)?;
    for name in ["hono", "jose", "@noble/hashes", "hash-wasm", "wrangler"] {
        versions.insert(name.to_owned(), package["devDependencies"][name].clone());
    }
    let lock = fs::read_to_string(workshop.root().join("Cargo.lock"))?;
    for name in ["worker", "jwt-compact"] {
        versions.insert(name.to_owned(), locked(&lock, name).unwrap_or_default().into());
    }
    if workshop.has_flask() {
        let requirements = fs::read_to_string(workshop.root().join("bench/contenders/flask/requirements.txt"))?;
        let pinned = requirements.lines().filter_map(|line| line.split_once("=="));
        versions.extend(pinned.map(|(name, version)| (name.to_owned(), version.into())));
    }
    Ok(versions)
}

/// The version of a crate in Cargo.lock.
fn locked(lock: &str, name: &str) -> Option<String> {
    let (_, after) = lock.split_once(&format!("name = \"{name}\"\nversion = \""))?;
    Some(after.split_once('"')?.0.to_owned())
}

/// Today in UTC, as 2026-11-25.
pub fn today() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    date(i64::try_from(seconds / 86_400).unwrap_or_default())
}

/// The date of a day, counted from 1970-01-01.
fn date(days: i64) -> String {
    let midnight = NumericDate::new(days * 86_400).map(NumericDate::utc).unwrap_or_default();
    midnight.split(' ').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::{date, locked};

    #[test]
    fn dates() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(11_016), "2000-02-29");
        assert_eq!(date(20_782), "2026-11-25");
    }

    #[test]
    fn versions_in_a_lock_file() {
        let lock = "[[package]]\nname = \"worker\"\nversion = \"0.8.7\"\nsource = \"x\"\n";
        assert_eq!(locked(lock, "worker").as_deref(), Some("0.8.7"));
        assert_eq!(locked(lock, "work"), None);
    }
}
