//! The benchmark: what Tollgate costs in workerd, beside JavaScript gates and beside no gate at all.
//! `cargo xtask bench` builds what is measured and runs it.

mod chart;
mod contender;
mod load;
mod logins;
mod machine;
mod memory;
mod objects;
mod origin;
mod page;
mod pairs;
mod process;
mod report;
mod server;
mod sessions;
mod size;
mod statistics;
mod tokens;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use contender::{Contender, Workshop};
use pairs::{Pace, Pair};
use report::{Report, Row};
use std::{
    fs,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

/// Measures Tollgate in workerd beside other gates, and beside a worker that verifies nothing (the floor).
#[derive(Parser)]
#[command(
    name = "cargo xtask bench",
    after_help = "Examples:
  cargo xtask bench --quick
  cargo xtask bench --only protected/,login/ --rounds 3
  cargo xtask bench --json bench.json --docs"
)]
struct Options {
    /// Under a minute: the main rows, in two short rounds
    #[arg(long)]
    quick: bool,
    /// Only rows whose names begin with one of these
    #[arg(long, value_name = "PREFIX", value_delimiter = ',')]
    only: Vec<String>,
    /// Rounds of each row
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,
    /// Write everything as JSON too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// A sentence that belongs to the figures, such as what else the machine did
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Write docs/performance.md and docs/performance.svg
    #[arg(long)]
    docs: bool,
    /// List the rows and end
    #[arg(long)]
    list: bool,
    /// Write docs/performance.* from files that --json made (the rows of all of them, the rest of the first), and end
    #[arg(long, value_name = "FILE", value_delimiter = ',', conflicts_with_all = ["json", "docs"])]
    docs_from: Vec<PathBuf>,
}

impl Options {
    /// What to type for the same rows.
    fn command(&self) -> String {
        let mut command = "cargo xtask bench".to_owned();
        if self.quick {
            command.push_str(" --quick");
        }
        if !self.only.is_empty() {
            command.push_str(&format!(" --only {}", self.only.join(",")));
        }
        if let Some(rounds) = self.rounds {
            command.push_str(&format!(" --rounds {rounds}"));
        }
        if self.docs {
            command.push_str(" --docs");
        }
        command
    }
}

/// A piece of work that gives one row or a few.
struct Job {
    names: Vec<String>,
    takes: Duration,
    is_quick: bool,
    run: Box<Run>,
}

type Run = dyn Fn(&Workshop) -> Result<Vec<Row>>;

fn jobs(workshop: &Workshop, pace: Pace) -> Vec<Job> {
    let mut jobs = Vec::new();
    for pair in Pair::all().into_iter().filter(|pair| pair.is_possible(workshop)) {
        jobs.push(Job {
            names: vec![pair.name.clone()],
            takes: pair.takes(pace),
            is_quick: pair.is_quick(),
            run: Box::new(move |workshop| Ok(vec![pair.measure(workshop, pace)?])),
        });
    }
    for trio in sessions::Trio::all() {
        jobs.push(Job {
            names: vec![trio.name.clone()],
            takes: trio.takes(pace),
            is_quick: false,
            run: Box::new(move |workshop| Ok(vec![trio.measure(workshop, pace)?])),
        });
    }
    jobs.push(Job {
        names: sessions::REFRESH.map(str::to_owned).into(),
        takes: sessions::refresh_takes(pace),
        is_quick: false,
        run: Box::new(move |workshop| sessions::measure_refresh(workshop, pace)),
    });
    for entries in sessions::SNAPSHOTS {
        jobs.push(Job {
            names: vec![format!("snapshot/{entries}")],
            takes: sessions::snapshot_takes(entries, pace.rounds),
            is_quick: false,
            run: Box::new(move |workshop| Ok(vec![sessions::measure_snapshot(workshop, entries, pace.rounds)?])),
        });
    }
    for contender in logins::CONTENDERS {
        jobs.push(Job {
            names: vec![format!("login/{contender}")],
            takes: logins::takes(contender, pace.rounds),
            is_quick: contender == Contender::Tollgate,
            run: Box::new(move |workshop| Ok(vec![logins::measure(workshop, contender, pace.rounds)?])),
        });
    }
    for contender in logins::CONTENDERS {
        jobs.push(Job {
            names: vec![format!("login-cold/{contender}")],
            takes: Duration::from_secs(pace.rounds as u64),
            is_quick: false,
            run: Box::new(move |workshop| Ok(vec![logins::measure_cold(workshop, contender, pace.rounds)?])),
        });
    }
    jobs.push(Job {
        names: sessions::ATTACK.map(str::to_owned).into(),
        takes: sessions::attack_takes(pace.rounds),
        is_quick: false,
        run: Box::new(move |workshop| sessions::measure_attack(workshop, pace.rounds)),
    });
    jobs.push(Job {
        names: ["unknown-user", "noise"].map(|name| format!("login-timing/{name}")).into(),
        takes: Duration::from_secs(65),
        is_quick: false,
        run: Box::new(logins::measure_timing),
    });
    for (contender, kind, tokens) in memory::JOBS {
        jobs.push(Job {
            names: vec![format!("memory/{contender}-{kind}")],
            takes: memory::TAKES,
            is_quick: false,
            run: Box::new(move |workshop| Ok(vec![memory::measure(workshop, contender, kind, tokens)?])),
        });
    }
    for contender in size::CONTENDERS {
        jobs.push(Job {
            names: vec![format!("size/{contender}")],
            takes: Duration::ZERO,
            is_quick: contender == Contender::Tollgate,
            run: Box::new(move |workshop| Ok(vec![size::measure(workshop, contender)?])),
        });
    }
    jobs.push(Job {
        names: vec!["startup/tollgate".to_owned()],
        takes: size::STARTUP_TAKES,
        is_quick: false,
        run: Box::new(|workshop| Ok(vec![size::measure_startup(workshop, 3)?])),
    });
    jobs
}

fn bench(options: &Options) -> Result<()> {
    let rounds = options.rounds.map_or(if options.quick { 2 } else { 5 }, |rounds| rounds as usize);
    let pace = if options.quick {
        Pace { rounds, warm: Duration::from_millis(1000), round: Duration::from_millis(1500) }
    } else {
        // V8 optimizes a function only after it has run for a while: after 3 s a token's first use was 0.77 of the
        // floor, after 12 s 0.87. An edge instance lives for hours.
        Pace { rounds, warm: Duration::from_secs(12), round: Duration::from_secs(3) }
    };
    let mut workshop = Workshop::new()?;
    if !options.docs_from.is_empty() {
        return page::write(workshop.root(), &Report::read(&options.docs_from)?);
    }
    let wanted = |name: &String| options.only.is_empty() || options.only.iter().any(|prefix| name.starts_with(prefix));
    if !options.list {
        workshop.prepare()?;
        if !options.quick && Pair::all().iter().any(|pair| pair.name.ends_with("/flask") && wanted(&pair.name)) {
            workshop.prepare_flask();
        }
    }
    let jobs: Vec<Job> = jobs(&workshop, pace)
        .into_iter()
        .filter(|job| job.names.iter().any(wanted) && (!options.quick || job.is_quick || !options.only.is_empty()))
        .collect();
    if options.list {
        for name in jobs.iter().flat_map(|job| &job.names) {
            println!("{name}");
        }
        return Ok(());
    }
    ensure!(!jobs.is_empty(), "no row begins so: --list shows all");
    let mut report = Report {
        machine: machine::machine(&workshop),
        versions: machine::versions(&workshop)?,
        command: options.command(),
        date: machine::today(),
        note: options.note.clone(),
        rows: Vec::new(),
        elsewhere: Vec::new(),
    };
    if !workshop.cores_are_divided() {
        eprintln!("      servers and load share all cores here (no taskset, or one core): expect more noise");
    }
    let mut failed = 0;
    let began = Instant::now();
    for (number, job) in jobs.iter().enumerate() {
        let planned = |jobs: &[Job]| jobs.iter().map(|job| job.takes).sum::<Duration>();
        let (done, left) = (planned(&jobs[..number]), planned(&jobs[number..]));
        // As much slower or faster than planned as it was so far.
        let pace = if done.is_zero() { 1.0 } else { began.elapsed().as_secs_f64() / done.as_secs_f64() };
        eprintln!("{:>3}/{} {} ({} left)", number + 1, jobs.len(), job.names.join(", "), words(left.mul_f64(pace)));
        match (job.run)(&workshop) {
            Ok(rows) => {
                for row in &rows {
                    let [name, figures, cpu, ..] = row.cells();
                    let cpu = if cpu.is_empty() { cpu } else { format!(" CPU {cpu} µs") };
                    eprintln!("      {name}: {figures}{cpu}");
                }
                report.rows.extend(rows);
            }
            Err(error) => {
                failed += 1;
                eprintln!("error: {}: {error:#}", job.names.join(", "));
            }
        }
        // After each, so that a run that is ended early leaves what it has.
        if let Some(file) = &options.json {
            fs::write(file, format!("{:#}\n", report.json())).with_context(|| file.display().to_string())?;
        }
    }
    eprintln!("      took {}", words(began.elapsed()));
    print!("{}", report.table());
    ensure!(failed == 0, "{failed} of {} parts failed: see above", jobs.len());
    if options.docs {
        page::write(workshop.root(), &report)?;
    }
    Ok(())
}

/// A time in words.
fn words(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..100 => format!("about {seconds} s"),
        seconds => format!("about {} min", seconds.div_ceil(60)),
    }
}

fn main() -> ExitCode {
    match bench(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
