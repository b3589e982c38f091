//! What sessions cost beside a protected request: refreshes, and the first snapshot of an isolate.

use crate::{
    compare::{Pace, TOKEN_BYTES, ratio, rounds, start, together, with_medians},
    contender::{Contender, Setting},
    load::{self, CONNECTIONS, End, Load, Measured},
    objects,
    report::{Row, median},
    tokens::{Mint, Sessions, Use},
    workshop::Workshop,
};
use anyhow::Result;
use hyper::Method;
use std::{
    thread,
    time::{Duration, Instant},
};
use tollgate::rules::token::Algorithm;

/// Sessions of a server, each of another account.
const SESSIONS: usize = 256;

/// The rows about refreshes: with rotation, and without.
pub const REFRESH: [&str; 2] = ["refresh/tollgate", "refresh/stateless"];

/// `POST /auth/refresh` in Flask-JWT-Extended's dialect, each with the newest refresh token of its session: a gate with
/// rotation, and at the same time one without.
pub fn measure_refresh(workshop: &Workshop, pace: Pace) -> Result<Vec<Row>> {
    let rounds = rounds(pace.rounds, |round| {
        let reversed = round % 2 == 1;
        let sides = ["true", "false"].map(|rotation| {
            let vars =
                Setting::vars(&[("TOLLGATE_WIRE", "flask-jwt-extended"), ("TOLLGATE_REFRESH_ROTATION", rotation)]);
            (Contender::Tollgate, Setting { revoked: Some(0), ..vars })
        });
        let servers = start(workshop, &sides, reversed)?;
        let mint = Mint::new(TOKEN_BYTES, Algorithm::Hs256, false)?;
        let loads = servers.iter().map(|server| {
            Ok(Load {
                method: Method::POST,
                path: "/auth/refresh".parse()?,
                sessions: Some(Sessions::new(&objects::open(server, &mint, SESSIONS)?)?),
                expected: 200,
                connections: CONNECTIONS,
                ..Load::default()
            })
        });
        let mut loads = loads.collect::<Result<Vec<_>>>()?;
        let mut run = |time: Duration| {
            loads.iter_mut().for_each(|load| load.end = End::After(time));
            together(&loads, &servers, reversed)
        };
        run(2 * pace.warm)?;
        run(pace.round)
    })?;
    let row = |at: usize, ratio| {
        let row = Row::new(REFRESH[at]).with_ratio("ratio_to_floor", "range", None);
        with_medians(row.with_ratio("ratio_to_other", "range_to_other", ratio), &rounds, at)
    };
    Ok(vec![row(0, Some(ratio(&rounds, 1, 0))), row(1, None)])
}

/// workerd ends a Durable Object that had no request for ten seconds; it then reads what it stored at the next one.
pub const IDLE: Duration = Duration::from_secs(12);

/// What an isolate needs for its first snapshot of this many revocations: the time of the first request that it
/// decides, or of sixteen at once, and the rise of the process's memory (the gate, the register and the cache). Also
/// how long the register takes to answer when it has to read what it stored.
pub fn measure_snapshot(workshop: &Workshop, revoked: usize, count: usize) -> Result<Row> {
    let start = || workshop.start(Contender::Tollgate, &Setting::with_objects(revoked));
    let mut bytes = 0;
    let mut first = |connections: usize| {
        rounds(count, |_| -> Result<(Measured, f64)> {
            let server = start()?;
            bytes = objects::snapshot_bytes(&server)?;
            // Starts the gate; without a token it asks for no snapshot.
            let no_token = Load::protected(Contender::Tollgate, Use::None, &[], End::Requests(1))?;
            load::run(&Load { connections: 1, ..no_token }, &server, || ())?;
            let tokens = Mint::new(TOKEN_BYTES, Algorithm::Hs256, true)?.tokens(Use::Once, connections);
            let load = Load::protected(Contender::Tollgate, Use::Once, &tokens, End::Requests(connections))?;
            let load = Load { also: Some(503), connections, ..load };
            let before = server.meter.resident_mib();
            let measured = load::run(&load, &server, || ())?;
            Ok((measured, server.meter.resident_mib() - before))
        })
    };
    let (alone, at_once) = (first(1)?, first(CONNECTIONS)?);
    let server = start()?;
    thread::sleep(IDLE);
    let began = Instant::now();
    objects::snapshot_bytes(&server)?;
    let register = began.elapsed();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let mut row = Row::new(format!("snapshot/{revoked}")).with("bytes", bytes as f64);
    for (prefix, all) in [("", &alone), ("at_once_", &at_once)] {
        row = row
            .with(&format!("{prefix}ms"), median(all.iter().map(|(it, _)| ms(it.elapsed))))
            .with(&format!("{prefix}cpu_ms"), median(all.iter().map(|(it, _)| ms(it.cpu))))
            .with(&format!("{prefix}memory_mib"), median(all.iter().map(|&(_, risen)| risen)));
    }
    Ok(row
        .with("at_once_unavailable", median(at_once.iter().map(|(it, _)| it.also as f64)))
        .with("register_start_ms", ms(register)))
}
