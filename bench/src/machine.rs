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
    date(seconds / 86_400)
}

/// The date of a day, counted from 1970-01-01 (Howard Hinnant's `civil_from_days`).
fn date(days: u64) -> String {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02}")
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
