//! The CPU time and memory of processes, and the cores that they run on.

use std::{fs, path::Path, process::Command, time::Duration};
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// Reads the CPU time and memory of a process and its children.
pub struct Meter {
    pids: Vec<u32>,
}

impl Meter {
    /// For a process and the children that it has now.
    pub fn new(pid: u32) -> Self {
        let mut system = System::new();
        system.refresh_processes_specifics(ProcessesToUpdate::All, true, ProcessRefreshKind::nothing());
        let children = system
            .processes()
            .iter()
            .filter(|(_, process)| process.parent() == Some(Pid::from_u32(pid)) && process.thread_kind().is_none());
        Self { pids: std::iter::once(pid).chain(children.map(|(pid, _)| pid.as_u32())).collect() }
    }

    /// The CPU time used since their start.
    pub fn cpu(&self) -> Duration {
        self.pids.iter().map(|&pid| scheduled(pid).unwrap_or_else(|| usage(pid).0)).sum()
    }

    /// The resident memory, in MiB.
    pub fn resident_mib(&self) -> f64 {
        self.pids.iter().map(|&pid| usage(pid).1).sum::<u64>() as f64 / f64::from(1 << 20)
    }
}

/// CPU time, and resident memory in bytes; zero if the process has ended.
fn usage(pid: u32) -> (Duration, u64) {
    let mut system = System::new();
    let pid = Pid::from_u32(pid);
    let what = ProcessRefreshKind::nothing().with_cpu().with_memory();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, what);
    system.process(pid).map_or_else(Default::default, |process| {
        (Duration::from_millis(process.accumulated_cpu_time()), process.memory())
    })
}

/// The CPU time in nanoseconds, which Linux counts for each thread.
fn scheduled(pid: u32) -> Option<Duration> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let nanoseconds = threads.map(|thread| {
        let text = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    nanoseconds.sum::<Option<u64>>().map(Duration::from_nanos)
}

/// Which cores the servers run on, and which the load.
pub struct Cores {
    server: Option<String>,
}

impl Cores {
    /// Moves this process to all cores but the last, which is for the servers. Where that can't be done, the system
    /// places both.
    pub fn divide() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let others = match cores {
            1 => return Self { server: None },
            2 => "0".to_owned(),
            more => format!("0-{}", more - 2),
        };
        let pinned = Command::new("taskset").args(["-cp", &others, &std::process::id().to_string()]).output();
        let pinned = pinned.is_ok_and(|output| output.status.success());
        Self { server: pinned.then(|| (cores - 1).to_string()) }
    }

    /// Whether servers and load run on different cores.
    pub const fn are_divided(&self) -> bool {
        self.server.is_some()
    }

    /// A command that runs a program on the servers' core.
    pub fn server(&self, program: &Path) -> Command {
        match &self.server {
            Some(core) => {
                let mut command = Command::new("taskset");
                command.args(["-c", core]).arg(program);
                command
            }
            None => Command::new(program),
        }
    }
}
