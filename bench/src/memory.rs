//! Resident memory after a million requests, each with another token.

use crate::{
    contender::{Contender, Setting, Workshop},
    load::{self, CONNECTIONS, End, Load},
    report::Row,
    tokens::{Mint, Supply, Use},
};
use anyhow::Result;
use std::time::Duration;

/// Requests of a row.
const REQUESTS: usize = 1_000_000;
/// Requests before them, after which memory is looked at first.
const WARM: usize = 20_000;
/// As many tokens are minted at once.
const CHUNK: usize = 100_000;

/// What is measured: who, the name of the kind, and how tokens come.
pub const JOBS: [(Contender, &str, Use); 3] = [
    (Contender::Tollgate, "valid", Use::Once),
    (Contender::Tollgate, "forged", Use::Forged),
    (Contender::Floor, "valid", Use::Once),
];

/// About how long each of them takes.
pub const TAKES: Duration = Duration::from_secs(60);

/// Measures one of them.
///
/// # Errors
/// If the server fails, or answers with another status than it should.
pub fn measure(workshop: &Workshop, contender: Contender, kind: &str, tokens: Use) -> Result<Row> {
    let server = workshop.start(contender, &Setting::default())?;
    let mut mint = Mint::new(320, tollgate::rules::token::Algorithm::Hs256)?;
    let mut put = |count: usize| {
        let load = Load {
            path: "/protected".parse()?,
            tokens: Supply::new(tokens, &mint.tokens(tokens, count), contender.prefix())?,
            expected: contender.status(tokens),
            connections: CONNECTIONS,
            end: End::Requests(count),
            ..Load::default()
        };
        load::run(&load, &server, || ()).map(drop)
    };
    let resident = || server.meter.rss() as f64 / f64::from(1 << 20);
    put(WARM)?;
    let before = resident();
    let mut most = before;
    for _ in 0..REQUESTS / CHUNK {
        put(CHUNK)?;
        most = most.max(resident());
    }
    Ok(Row::of(
        format!("memory/{contender}-{kind}"),
        &[("rss_mib", resident()), ("rss_mib_before", before), ("highest_rss_mib", most)],
    ))
}
