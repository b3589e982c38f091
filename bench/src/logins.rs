//! Log-ins with 600,000 iterations of PBKDF2: beside native OpenSSL, of an unknown user, and during an attack.

use crate::{
    compare::{in_order, rounds},
    contender::{Contender, Setting},
    load::{self, CONNECTIONS, End, Load, Measured, histogram, quantile_ms},
    report::{Row, Spread, median},
    server::Server,
    workshop::{Workshop, run},
};
use anyhow::{Context, Result, anyhow};
use hyper::Method;
use serde_json::{Map, Value};
use std::{
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// The contenders that derive a key from a password.
pub const CONTENDERS: [Contender; 5] =
    [Contender::Hashlib, Contender::OpenSsl, Contender::Noble, Contender::HashWasm, Contender::Tollgate];

/// What they are compared with: native OpenSSL as a Flask application has it.
const REFERENCE: Contender = Contender::Hashlib;

/// Log-ins before the measured ones.
const WARM: usize = 3;

/// About how many seconds a log-in row takes.
pub fn seconds(contender: Contender, rounds: usize) -> f64 {
    let pair = if matches!(contender, Contender::Noble | Contender::HashWasm) { 2.1 } else { 0.45 };
    pair * (2 * rounds + WARM) as f64
}

fn login(password: &str) -> Result<Load> {
    Ok(Load {
        method: Method::POST,
        path: "/auth".parse()?,
        body: format!(r#"{{"username":"user1","password":"{password}"}}"#).into(),
        expected: 200,
        connections: 1,
        end: End::Requests(1),
        ..Load::default()
    })
}

/// One log-in with the right password.
fn log_in(server: &Server) -> Result<Measured> {
    load::run(&login("abcxyz")?, server, || ())
}

/// The CPU time of a log-in, and its ratio to that of OpenSSL; the two take turns, twice a round.
pub fn measure(workshop: &Workshop, contender: Contender, count: usize) -> Result<Row> {
    let start = |it| workshop.start(it, &Setting::default());
    let servers = [start(contender)?, start(REFERENCE)?];
    for server in servers.iter().cycle().take(2 * WARM) {
        log_in(server)?;
    }
    let pairs = rounds(2 * count, |round| {
        in_order(2, round % 2 == 1, |at| log_in(&servers[at])).into_iter().collect::<Result<Vec<_>>>()
    })?;
    let mut latency = histogram();
    for pair in &pairs {
        latency.add(&pair[0].latency)?;
    }
    let ratio = Spread::of(pairs.iter().map(|pair| pair[0].cpu_us() / pair[1].cpu_us()));
    Ok(Row::new(format!("login/{contender}"))
        .with_ratio("ratio_to_openssl", "range", Some(ratio))
        .with("cpu_ms", median(pairs.iter().map(|pair| pair[0].cpu_us() / 1e3)))
        .with("p50_ms", quantile_ms(&latency, 0.5))
        .with("p99_ms", quantile_ms(&latency, 0.99)))
}

/// The first log-in of a new process, before the runtime has compiled the hash's code to its best.
pub fn measure_cold(workshop: &Workshop, contender: Contender, count: usize) -> Result<Row> {
    let first = rounds(count, |_| log_in(&workshop.start(contender, &Setting::default())?))?;
    Ok(Row::new(format!("login-cold/{contender}"))
        .with("cpu_ms", median(first.iter().map(|it| it.cpu_us() / 1e3)))
        .with("p50_ms", median(first.iter().map(|it| quantile_ms(&it.latency, 0.5)))))
}

/// The rows about the time of a rejected log-in.
pub const TIMING: [&str; 4] =
    ["login-timing/unknown-user", "login-timing/noise", "login-timing/unknown-scrypt", "login-timing/unknown-sha512"];

/// Whether the time of a rejected log-in shows that a user exists: bench/log-in.mjs.
pub fn measure_timing(workshop: &Workshop) -> Result<Vec<Row>> {
    let text = run(workshop.npm("node")?.arg("bench/log-in.mjs").stderr(Stdio::inherit()))?;
    let ratios: Map<String, Value> = serde_json::from_str(text.lines().last().unwrap_or_default())
        .with_context(|| format!("bench/log-in.mjs wrote {text:?}"))?;
    let row = |(name, figures): (String, Value)| {
        let row = Row::new(format!("login-timing/{name}"));
        figures.as_object().into_iter().flatten().fold(row, |row, (figure, value)| row.with(figure, value.as_f64()))
    };
    Ok(ratios.into_iter().map(row).collect())
}

/// The rows about an attack: the user's log-ins before it, and during it.
pub const ATTACK: [&str; 2] = ["login/known-device", "login/under-attack"];

/// Log-ins of the user in a round, before and during the attack.
const LOGINS: usize = 20;
/// How long the attack goes on after them.
const ALONE: Duration = Duration::from_secs(2);

/// About how many seconds a round of the attack takes.
pub const ATTACK_SECONDS: f64 = 20.0;

/// Log-ins from a known address, one after the other: first undisturbed, then while 16 connections guess the same
/// user's password from other addresses as fast as they can.
pub fn measure_attack(workshop: &Workshop, count: usize) -> Result<Vec<Row>> {
    let (mut before, mut during) = (histogram(), histogram());
    let rounds = rounds(count, |_| {
        let server = workshop.start(Contender::Tollgate, &Setting::with_objects(0))?;
        let user = |count| -> Result<Measured> {
            let client: fn(usize) -> String = |_| "192.0.2.1".to_owned();
            load::run(&Load { client: Some(client), end: End::Requests(count), ..login("abcxyz")? }, &server, || ())
        };
        // After these the address is known.
        user(WARM)?;
        let undisturbed = user(LOGINS)?;
        before.add(&undisturbed.latency)?;
        let is_over = Arc::new(AtomicBool::new(false));
        let attack = Load {
            client: Some(load::address),
            expected: 429,
            also: Some(401),
            connections: CONNECTIONS,
            end: End::When(Arc::clone(&is_over)),
            ..login("a wrong guess")?
        };
        let (disturbed, guesses) = thread::scope(|scope| {
            let guesses = scope.spawn(|| load::run(&attack, &server, || ()));
            let disturbed = user(LOGINS);
            is_over.store(true, Ordering::Relaxed);
            (disturbed, guesses.join().map_err(|_| anyhow!("a load panicked")).flatten())
        });
        during.add(&disturbed?.latency)?;
        let alone = load::run(&Load { end: End::After(ALONE), ..attack }, &server, || ())?;
        let login_us = undisturbed.cpu_us();
        Ok((guesses?, login_us, rejected_us(&alone, login_us)))
    })?;
    let login_us = median(rounds.iter().map(|&(_, login_us, _)| login_us));
    let rejected_us = median(rounds.iter().map(|&(_, _, rejected_us)| rejected_us));
    let row = |at: usize, latency| {
        // The figures of the attack stand in its own row.
        let attack = |figure: f64| (at == 1).then_some(figure);
        Row::new(ATTACK[at])
            .with("p50_ms", quantile_ms(latency, 0.5))
            .with("p90_ms", quantile_ms(latency, 0.9))
            .with("p99_ms", quantile_ms(latency, 0.99))
            .with("login_cpu_ms", login_us / 1e3)
            .with("guesses_judged", attack(median(rounds.iter().map(|(it, ..)| it.also as f64))))
            .with("guesses_rejected", attack(median(rounds.iter().map(|(it, ..)| (it.requests - it.also) as f64))))
            .with("rejected_cpu_us", attack(rejected_us))
            .with("rejections_a_login", attack(login_us / rejected_us))
    };
    Ok(vec![row(0, &before), row(1, &during)])
}

/// Microseconds of CPU time a rejected guess, if each guess that was judged took as much as a log-in.
fn rejected_us(guesses: &Measured, login_us: f64) -> f64 {
    let rejected = guesses.requests - guesses.also;
    let rest = guesses.cpu.as_secs_f64() * 1e6 - guesses.also as f64 * login_us;
    rest.max(0.0) / rejected.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::rejected_us;
    use crate::load::{Measured, histogram};
    use std::time::Duration;

    #[test]
    fn judged_guesses_do_not_count_as_rejected() {
        let guesses = Measured {
            requests: 102,
            also: 2,
            elapsed: Duration::from_secs(1),
            cpu: Duration::from_micros(2 * 300_000 + 100 * 250),
            latency: histogram(),
        };
        assert_eq!(rejected_us(&guesses, 300_000.0).round(), 250.0);
    }
}
