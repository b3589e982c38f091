//! The benchmark: what Tollgate costs in workerd, beside other gates and beside a worker that verifies nothing.
//! `cargo xtask bench` builds what is measured and runs it.
//!
//! A row fails if a server fails or answers with a wrong status, or if a tool fails. The error goes to standard error,
//! the other rows are measured, and the run fails at its end.

mod clock;
mod cold;
mod compare;
mod contender;
mod load;
mod logins;
mod machine;
mod memory;
mod objects;
mod origin;
mod process;
mod report;
mod server;
mod sessions;
mod size;
mod tokens;
mod workshop;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use compare::{Comparison, Pace, REVOKED};
use report::{Report, Row};
use std::{
    fs,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};
use workshop::Workshop;

/// Measures Tollgate in workerd beside other gates, and beside a worker that verifies nothing (the floor).
/// Prints Markdown tables, and writes the figures as JSON
#[derive(Parser)]
#[command(
    name = "cargo xtask bench",
    after_help = "Examples:
  cargo xtask bench --quick
  cargo xtask bench --only protected/,login/ --rounds 3
  cargo xtask bench --json bench.json > bench.md"
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
    /// The file for the figures as JSON [default: target/bench/results.json]
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// List the rows and end
    #[arg(long)]
    list: bool,
}

impl Options {
    fn is_wanted(&self, name: &str) -> bool {
        match (self.only.is_empty(), self.quick) {
            (true, true) => QUICK.contains(&name),
            (is_all, _) => is_all || self.only.iter().any(|prefix| name.starts_with(prefix)),
        }
    }

    fn pace(&self) -> Pace {
        let rounds = self.rounds.unwrap_or(if self.quick { 2 } else { 5 }) as usize;
        if self.quick {
            Pace { rounds, warm: Duration::from_millis(1000), round: Duration::from_millis(1500) }
        } else {
            // V8 optimizes a function only after it has run for a while: after 3 s a token's first use was 0.77 of the
            // floor, after 12 s 0.87. An isolate at the edge lives for hours.
            Pace { rounds, warm: Duration::from_secs(12), round: Duration::from_secs(3) }
        }
    }

    /// The command that measures the same rows.
    fn command(&self) -> String {
        let quick = if self.quick { " --quick" } else { "" };
        let only = if self.only.is_empty() { String::new() } else { format!(" --only {}", self.only.join(",")) };
        let rounds = self.rounds.map_or_else(String::new, |rounds| format!(" --rounds {rounds}"));
        format!("cargo xtask bench{quick}{only}{rounds}")
    }
}

/// The rows of `--quick`.
const QUICK: [&str; 7] = [
    "protected/floor",
    "protected/tollgate",
    "protected-first/tollgate",
    "refuse/tollgate",
    "forward/tollgate",
    "login/tollgate",
    "size/tollgate",
];

/// Measures one row, or a few that belong together.
struct Job {
    names: Vec<String>,
    /// About how long it takes.
    seconds: f64,
    run: Box<Run>,
}

type Run = dyn Fn(&Workshop) -> Result<Vec<Row>>;

impl Job {
    fn new(name: impl Into<String>, seconds: f64, run: impl Fn(&Workshop) -> Result<Row> + 'static) -> Self {
        Self { names: vec![name.into()], seconds, run: Box::new(move |workshop| Ok(vec![run(workshop)?])) }
    }

    fn of<const N: usize>(
        names: [&str; N],
        seconds: f64,
        run: impl Fn(&Workshop) -> Result<Vec<Row>> + 'static,
    ) -> Self {
        Self { names: names.map(str::to_owned).into(), seconds, run: Box::new(run) }
    }
}

fn jobs(pace: Pace) -> Vec<Job> {
    let rounds = pace.rounds;
    let all = |seconds: f64| seconds * rounds as f64;
    let mut jobs = Vec::new();
    for row in Comparison::all() {
        jobs.push(Job::new(row.name.clone(), all(row.seconds(pace)), move |it| row.measure(it, pace)));
    }
    let refresh = (2 * pace.warm + pace.round).as_secs_f64() + 4.0;
    jobs.push(Job::of(sessions::REFRESH, all(refresh), move |it| sessions::measure_refresh(it, pace)));
    for revoked in REVOKED {
        let seconds = all(1.6 + revoked as f64 / 25e3) + sessions::IDLE.as_secs_f64();
        let run = move |it: &Workshop| sessions::measure_snapshot(it, revoked, rounds);
        jobs.push(Job::new(format!("snapshot/{revoked}"), seconds, run));
    }
    for it in logins::CONTENDERS {
        let seconds = logins::seconds(it, rounds);
        jobs.push(Job::new(format!("login/{it}"), seconds, move |workshop| logins::measure(workshop, it, rounds)));
        let run = move |workshop: &Workshop| logins::measure_cold(workshop, it, rounds);
        jobs.push(Job::new(format!("login-cold/{it}"), all(1.0), run));
    }
    let attack = move |it: &Workshop| logins::measure_attack(it, rounds);
    jobs.push(Job::of(logins::ATTACK, all(logins::ATTACK_SECONDS), attack));
    jobs.push(Job::of(logins::TIMING, 250.0, logins::measure_timing));
    for (it, kind, tokens) in memory::ROWS {
        let run = move |workshop: &Workshop| memory::measure(workshop, it, kind, tokens);
        jobs.push(Job::new(format!("memory/{it}-{kind}"), 60.0, run));
    }
    for it in size::CONTENDERS {
        jobs.push(Job::new(format!("size/{it}"), 0.0, move |workshop| size::measure(workshop, it)));
    }
    for (it, algorithm) in cold::ROWS {
        let run = move |workshop: &Workshop| cold::measure(workshop, it, algorithm);
        jobs.push(Job::new(cold::name(it, algorithm), cold::SECONDS, run));
    }
    jobs.push(Job::new("startup/tollgate", 12.0, size::measure_startup));
    jobs
}

fn bench(options: &Options) -> Result<()> {
    let mut jobs = jobs(options.pace());
    jobs.retain(|job| job.names.iter().any(|name| options.is_wanted(name)));
    if options.list {
        jobs.iter().flat_map(|job| &job.names).for_each(|name| println!("{name}"));
        return Ok(());
    }
    let mut workshop = Workshop::new()?;
    workshop.prepare()?;
    let needs_flask = |job: &Job| job.names.iter().any(|name| name.ends_with("/flask"));
    if !options.quick && jobs.iter().any(needs_flask) {
        workshop.prepare_flask();
    }
    jobs.retain(|job| workshop.flask.is_some() || !needs_flask(job));
    ensure!(!jobs.is_empty(), "no row begins like this; --list shows all");
    let mut report = Report {
        machine: machine::machine(&workshop),
        versions: machine::versions(&workshop)?,
        command: options.command(),
        date: clock::today(),
        rows: Vec::new(),
    };
    if !workshop.cores.are_divided() {
        eprintln!("      servers and load share all cores (one core, or no taskset): expect more noise");
    }
    let json = options.json.clone().unwrap_or_else(|| workshop.target.join("results.json"));
    let mut failed = 0;
    let began = Instant::now();
    for (number, job) in jobs.iter().enumerate() {
        let planned = |jobs: &[Job]| jobs.iter().map(|job| job.seconds).sum::<f64>();
        let (done, left) = (planned(&jobs[..number]), planned(&jobs[number..]));
        // The rest will be as much slower or faster than planned as the part before.
        let pace = if done == 0.0 { 1.0 } else { began.elapsed().as_secs_f64() / done };
        let names = job.names.join(", ");
        eprint!("{:>3}/{} {names} ({} left) ", number + 1, jobs.len(), in_words(left * pace));
        match (job.run)(&workshop) {
            Ok(rows) => {
                eprintln!();
                rows.iter().for_each(|row| eprintln!("      {row}"));
                report.rows.extend(rows);
            }
            Err(error) => {
                failed += 1;
                eprintln!("\nerror: {names}: {error:#}");
            }
        }
        // After each job, so that a run that is stopped early leaves its figures.
        let text = format!("{:#}\n", serde_json::to_value(&report)?);
        fs::write(&json, text).with_context(|| json.display().to_string())?;
    }
    eprintln!("      took {}; the figures are in {} too", in_words(began.elapsed().as_secs_f64()), json.display());
    print!("{}", report.markdown());
    ensure!(failed == 0, "{failed} of {} parts failed: see above", jobs.len());
    Ok(())
}

/// A time for people.
fn in_words(seconds: f64) -> String {
    match seconds {
        0.0..100.0 => format!("about {seconds:.0} s"),
        _ => format!("about {:.0} min", (seconds / 60.0).ceil()),
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
