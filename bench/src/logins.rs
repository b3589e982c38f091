//! Log-ins at 600,000 iterations: one at a time, and one with native OpenSSL beside each.

use crate::{
    contender::{Contender, Setting, Workshop, run},
    load::{self, End, Load, Measured},
    report::{Row, rounded},
    server::Server,
    statistics::Spread,
};
use anyhow::{Context, Result};
use bytes::Bytes;
use hyper::Method;
use std::time::Duration;

/// Those that derive a key from a password.
pub const CONTENDERS: [Contender; 5] =
    [Contender::Hashlib, Contender::OpenSsl, Contender::Noble, Contender::HashWasm, Contender::Tollgate];

/// The native OpenSSL that the others are held against: as those have it who come from Flask.
const REFERENCE: Contender = Contender::Hashlib;

/// About how long a row takes.
pub const fn takes(contender: Contender, rounds: usize) -> Duration {
    let one = match contender {
        Contender::Noble | Contender::HashWasm => 2100,
        _ => 450,
    };
    Duration::from_millis(one * (2 * rounds as u64 + WARM as u64))
}

/// Log-ins before the measured ones.
const WARM: usize = 3;

fn load() -> Result<Load> {
    Ok(Load {
        method: Method::POST,
        path: "/auth".parse()?,
        body: Bytes::from_static(br#"{"username":"user1","password":"abcxyz"}"#),
        expected: 200,
        connections: 1,
        end: End::Requests(1),
        ..Load::default()
    })
}

fn login(server: &Server) -> Result<Measured> {
    load::run(&load()?, server, || ())
}

/// The CPU time of a log-in, and how many times that of OpenSSL it is.
///
/// # Errors
/// If a log-in fails.
pub fn measure(workshop: &Workshop, contender: Contender, rounds: usize) -> Result<Row> {
    let servers = [contender, REFERENCE].map(|it| workshop.start(it, &Setting::default()));
    let [server, openssl] = servers;
    let (server, openssl) = (server?, openssl?);
    for _ in 0..WARM {
        login(&server)?;
        login(&openssl)?;
    }
    let pairs = (0..2 * rounds)
        .map(|round| {
            Ok(if round % 2 == 0 {
                let one = login(&server)?;
                (one, login(&openssl)?)
            } else {
                let other = login(&openssl)?;
                (login(&server)?, other)
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let ratio = Spread::of(pairs.iter().map(|(one, openssl)| one.cpu_us() / openssl.cpu_us()));
    let times = |quantile: f64| {
        let mut times: Vec<f64> = pairs.iter().map(|(one, _)| one.milliseconds(1.0)).collect();
        times.sort_by(f64::total_cmp);
        Some(rounded(times[((times.len() - 1) as f64 * quantile).round() as usize]))
    };
    Ok(Row {
        name: format!("login/{contender}"),
        ratio_to_openssl: Some(rounded(ratio.median)),
        range: Some([rounded(ratio.least), rounded(ratio.greatest)]),
        cpu_us: Some(rounded(Spread::of(pairs.iter().map(|(one, _)| one.cpu_us())).median)),
        p50_ms: times(0.5),
        p99_ms: times(0.99),
        ..Row::default()
    })
}

/// What the first log-in in a fresh process costs, before anything was compiled to its best.
///
/// # Errors
/// If a log-in fails.
pub fn measure_cold(workshop: &Workshop, contender: Contender, rounds: usize) -> Result<Row> {
    let first =
        (0..rounds).map(|_| login(&workshop.start(contender, &Setting::default())?)).collect::<Result<Vec<_>>>()?;
    Ok(Row {
        name: format!("login-cold/{contender}"),
        cpu_us: Some(rounded(Spread::of(first.iter().map(Measured::cpu_us)).median)),
        p50_ms: Some(rounded(Spread::of(first.iter().map(|one| one.milliseconds(1.0))).median)),
        ..Row::default()
    })
}

/// Whether the time of a refused log-in tells if there is such a user: bench/log-in.mjs.
///
/// # Errors
/// If it can't be run.
pub fn measure_timing(workshop: &Workshop) -> Result<Vec<Row>> {
    let text = run(workshop.npm("node").arg("bench/log-in.mjs"))?;
    let ratios: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(text.lines().last().unwrap_or_default()).with_context(|| format!("it wrote {text:?}"))?;
    Ok(ratios
        .into_iter()
        .map(|(name, value)| Row { name: format!("login-timing/{name}"), more: object(value), ..Row::default() })
        .collect())
}

fn object(value: serde_json::Value) -> serde_json::Map<String, serde_json::Value> {
    if let serde_json::Value::Object(members) = value { members } else { serde_json::Map::new() }
}
