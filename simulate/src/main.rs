//! `cargo xtask simulate`: plays random histories, or breaks a rule and shows that the break is found.

use clap::Parser;
use std::{
    process::ExitCode,
    time::{Duration, Instant},
};
use tollgate_simulate::{BROKEN, Found, Rules, play, search};

/// Play random histories of accounts, revocations and stale stores, and check the properties of each
#[derive(Parser)]
#[command(
    name = "cargo xtask simulate",
    after_help = "A history depends on its seed alone. The first history of a run has the run's seed, so
`--histories 1 --seed S --trace` plays the history of seed S again and prints its events.
The same holds with --break: `--break NAME --histories 1 --seed S`.

Examples:
  cargo xtask simulate --histories 100000
  cargo xtask simulate --break all
  cargo xtask simulate --break ReuseForgiven --trace"
)]
struct Options {
    /// Number of histories; with --break the maximum for each broken rule
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    histories: Option<u64>,
    /// Seed of the run [default: random]
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Break the rule NAME, or each rule in turn (all), and print after how many histories the break is found
    #[arg(long = "break", value_name = "NAME")]
    broken: Option<String>,
    /// Print the events of the history with a violation, or of the only history
    #[arg(long)]
    trace: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..));
    match &options.broken {
        None => histories(&options, seed),
        Some(name) => {
            let all = BROKEN.iter().copied();
            let chosen: Vec<Rules> = all.filter(|rules| name == "all" || rules.name == Some(name)).collect();
            if chosen.is_empty() {
                let names: Vec<&str> = BROKEN.iter().filter_map(|rules| rules.name).collect();
                eprintln!("error: there is no rule {name:?} to break\n hint: all, or one of {}", names.join(", "));
                return ExitCode::from(2);
            }
            broken(&chosen, &options, seed)
        }
    }
}

/// Plays histories. Fails at the first violation.
fn histories(options: &Options, seed: u64) -> ExitCode {
    let most = options.histories.unwrap_or(100_000);
    eprintln!("seed {seed}");
    let began = Instant::now();
    let mut printed = began;
    let found = search(Rules::INTACT, seed, most, |played| {
        if printed.elapsed() > Duration::from_secs(2) {
            printed = Instant::now();
            let pace = played as f64 / began.elapsed().as_secs_f64();
            eprintln!("{played} of {most} histories, {pace:.0} a second");
        }
    });
    let seconds = began.elapsed().as_secs_f64();
    match found {
        None => {
            if options.trace && most == 1 {
                play(Rules::INTACT, seed, true).trace.iter().for_each(|line| println!("{line}"));
            }
            println!("{most} histories, 0 violations (seed {seed}, {seconds:.1} s)");
            ExitCode::SUCCESS
        }
        Some(found) => {
            print_violation(Rules::INTACT, &found);
            println!("{} histories, 1 violation (seed {seed}, {seconds:.1} s)", found.histories);
            ExitCode::FAILURE
        }
    }
}

/// Prints the events, the violation, and the command that plays the history again.
fn print_violation(rules: Rules, found: &Found) {
    play(rules, found.seed, true).trace.iter().for_each(|line| println!("{line}"));
    println!("violated: {}: {}", found.violation.rule, found.violation.what);
    println!("again: cargo xtask simulate --histories 1 --seed {}", found.seed);
}

/// Breaks rules, one after another. Fails if a break is not found.
fn broken(chosen: &[Rules], options: &Options, seed: u64) -> ExitCode {
    let most = options.histories.unwrap_or(20_000);
    let began = Instant::now();
    let mut missed = Vec::new();
    println!("{:<24}{:>10}  by", "broken", "histories");
    for &rules in chosen {
        let name = format!("{rules:?}");
        match search(rules, seed, most, |_| ()) {
            Some(found) => {
                println!("{name:<24}{:>10}  {}: {}", found.histories, found.violation.rule, found.violation.what);
                if options.trace {
                    print_violation(rules, &found);
                }
            }
            None => {
                println!("{name:<24}{:>10}  NOT FOUND", most);
                missed.push(name);
            }
        }
    }
    let (all, seconds) = (chosen.len(), began.elapsed().as_secs_f64());
    println!("{} of {all} broken rules found (seed {seed}, {seconds:.1} s)", all - missed.len());
    if missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
