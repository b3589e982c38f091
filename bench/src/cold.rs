//! Cold starts: from the spawn of workerd to the first right answer.

use crate::{
    compare::{TOKEN_BYTES, in_order, rounds},
    contender::{Contender, Setting},
    load::{self, End, Load},
    report::Row,
    report::median,
    tokens::{self, Mint, Use},
    workshop::Workshop,
};
use anyhow::Result;
use tollgate::rules::token::Algorithm;

/// How often each is started.
const STARTS: usize = 9;

/// About how long a row takes, in seconds.
pub const SECONDS: f64 = 5.0;

/// The rows: the contender, and the algorithm of its tokens.
pub const ROWS: [(Contender, Algorithm); 8] = [
    (Contender::Floor, Algorithm::Hs256),
    (Contender::Jose, Algorithm::Hs256),
    (Contender::HonoJwt, Algorithm::Hs256),
    (Contender::WorkersRs, Algorithm::Hs256),
    (Contender::Tollgate, Algorithm::Hs256),
    (Contender::Jose, Algorithm::Es256),
    (Contender::HonoJwt, Algorithm::Es256),
    (Contender::Tollgate, Algorithm::Es256),
];

/// The name of a row.
pub fn name(contender: Contender, algorithm: Algorithm) -> String {
    match algorithm {
        Algorithm::Hs256 => format!("cold/{contender}"),
        other => format!("cold-{}/{contender}", other.name()),
    }
}

/// What a start took, in milliseconds and MiB.
struct Start {
    wall: f64,
    cpu: f64,
    resident: f64,
}

/// Measures a row; the floor is started in turn with the contender.
pub fn measure(workshop: &Workshop, contender: Contender, algorithm: Algorithm) -> Result<Row> {
    let sides = [(contender, algorithm), (Contender::Floor, Algorithm::Hs256)];
    let loads = sides.map(|(contender, algorithm)| {
        let token = Mint::new(TOKEN_BYTES, algorithm, false)?.tokens(Use::Same, 1);
        let load = Load::protected(contender, Use::Same, &token, End::Requests(1))?;
        Ok::<_, anyhow::Error>(Load { connections: 1, ..load })
    });
    let [one, floor] = loads;
    let loads = [one?, floor?];
    let start = |side: usize| -> Result<Start> {
        let (contender, algorithm) = sides[side];
        let setting = tokens::key_pair(algorithm)
            .map_or_else(Setting::default, |pair| Setting::vars(&tokens::variables(algorithm, pair)));
        let server = workshop.start(contender, &setting)?;
        let first = load::run(&loads[side], &server, || ())?;
        Ok(Start {
            wall: (server.listened + first.elapsed).as_secs_f64() * 1e3,
            cpu: server.meter.cpu().as_secs_f64() * 1e3,
            resident: server.meter.resident_mib(),
        })
    };
    let pairs = rounds(STARTS, |round| in_order(2, round % 2 == 1, start).into_iter().collect::<Result<Vec<_>>>())?;
    let of = |figure: fn(&Start) -> f64| median(pairs.iter().map(|pair| figure(&pair[0])));
    Ok(Row::new(name(contender, algorithm))
        .with("ms", of(|start| start.wall))
        .with("ms_beyond_floor", median(pairs.iter().map(|pair| pair[0].wall - pair[1].wall)))
        .with("cpu_ms", of(|start| start.cpu))
        .with("rss_mib", of(|start| start.resident)))
}
