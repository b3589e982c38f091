//! Resident memory before and after a million requests, each with another token.

use crate::{
    compare::{TOKEN_BYTES, rounds},
    contender::{Contender, Setting},
    load::{self, End, Load},
    report::Row,
    tokens::{Mint, Use},
    workshop::Workshop,
};
use anyhow::Result;
use tollgate::rules::token::Algorithm;

/// Requests before memory is read first.
const WARM: usize = 20_000;
/// Requests of a round, whose tokens are minted at once.
const ROUND: usize = 100_000;
/// Rounds of a row.
const ROUNDS: usize = 10;

/// The rows: the contender, what its tokens are called, and how they are used.
pub const ROWS: [(Contender, &str, Use); 3] = [
    (Contender::Tollgate, "valid", Use::Once),
    (Contender::Tollgate, "forged", Use::Forged),
    (Contender::Floor, "valid", Use::Once),
];

/// Measures a row.
pub fn measure(workshop: &Workshop, contender: Contender, kind: &str, tokens: Use) -> Result<Row> {
    let server = workshop.start(contender, &Setting::default())?;
    let mut mint = Mint::new(TOKEN_BYTES, Algorithm::Hs256, false)?;
    let mut resident_after = |count: usize| {
        let load = Load::protected(contender, tokens, &mint.tokens(tokens, count), End::Requests(count))?;
        load::run(&load, &server, || ())?;
        Ok(server.meter.resident_mib())
    };
    let before = resident_after(WARM)?;
    let during = rounds(ROUNDS, |_| resident_after(ROUND))?;
    Ok(Row::new(format!("memory/{contender}-{kind}"))
        .with("rss_mib_before", before)
        .with("rss_mib", during[ROUNDS - 1])
        .with("highest_rss_mib", during.into_iter().fold(before, f64::max)))
}
