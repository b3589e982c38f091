//! Servers compared at the same time on one core, each in a process of its own: what disturbs the machine disturbs all
//! of them, so the ratio of their CPU times a request varies less than the times.

use crate::{
    contender::{AS_SERVICE, ASSERTION, CODE, Contender, LAST_RULE, Setting},
    load::{self, End, Load, Measured, quantile_ms},
    report::{Row, Spread, median},
    server::Server,
    tokens::{self, Mint, Use},
    workshop::Workshop,
};
use anyhow::{Result, anyhow};
use std::{sync::Barrier, thread, time::Duration};
use tollgate::rules::token::Algorithm;

/// How many rounds a row has, and how long each takes.
#[derive(Clone, Copy)]
pub struct Pace {
    /// Rounds of a row.
    pub rounds: usize,
    /// How long the load runs before each round, so that the runtime compiles what is hot.
    pub warm: Duration,
    /// How long a round is measured with two servers.
    pub round: Duration,
}

/// The bytes of a token, where nothing else is said.
pub const TOKEN_BYTES: usize = 320;

/// How many revocations are in force in the rows about them.
pub const REVOKED: [usize; 3] = [0, 1000, 100_000];

/// One row: a contender beside the floor and, where sessions are measured, beside another gate.
#[derive(Clone)]
pub struct Comparison {
    /// The row's name.
    pub name: String,
    contender: Contender,
    setting: Setting,
    /// The setting of the other gate.
    other: Option<Setting>,
    path: &'static str,
    is_numbered: bool,
    tokens: Use,
    bytes: usize,
    algorithm: Algorithm,
}

impl Comparison {
    fn new(kind: &str, contender: Contender, tokens: Use) -> Self {
        Self {
            name: format!("{kind}/{contender}"),
            contender,
            setting: Setting::default(),
            other: None,
            path: "/protected",
            is_numbered: false,
            tokens,
            bytes: TOKEN_BYTES,
            algorithm: Algorithm::Hs256,
        }
    }

    /// Tollgate with these variables.
    fn tollgate(kind: &str, tokens: Use, vars: &[(&'static str, &'static str)]) -> Self {
        Self { setting: Setting::vars(vars), ..Self::new(kind, Contender::Tollgate, tokens) }
    }

    /// Every row that is measured like this.
    pub fn all() -> Vec<Self> {
        use Contender::{Flask, Floor, FloorHeaders, Hono, HonoJwt, Jose, Package, Tollgate, WorkersRs};
        let mut all = Vec::new();
        for (kind, tokens) in [
            ("protected", Use::Same),
            ("protected-first", Use::Once),
            ("protected-zipf", Use::Zipf),
            ("refuse", Use::Forged),
            ("refuse-none", Use::None),
        ] {
            let contenders = [Floor, Hono, HonoJwt, Jose, WorkersRs, Tollgate, Flask];
            all.extend(contenders.map(|contender| Self::new(kind, contender, tokens)));
        }
        // Tollgate logs rejections, the others do not.
        all.push(Self::tollgate("refuse-logged", Use::Forged, &[("TOLLGATE_LOG_REFUSALS", "1000000")]));
        all.push(Self::tollgate("refuse-unlogged", Use::Forged, &[("TOLLGATE_LOG", "error")]));
        for contender in [Floor, FloorHeaders, HonoJwt, Tollgate] {
            all.push(Self { path: "/api/orders?page=2", ..Self::new("forward", contender, Use::Same) });
        }
        let beside_forward = |name: &str, setting: Setting| Self {
            path: "/api/orders?page=2",
            setting,
            other: Some(Setting::default()),
            ..Self::new(name, Tollgate, Use::Same)
        };
        all.push(beside_forward("forward-service", Setting { to: Some("app"), ..Setting::vars(&[AS_SERVICE]) }));
        all.push(Self {
            setting: Setting { requires: true, ..Setting::default() },
            other: Some(Setting::default()),
            ..Self::new("protected-require", Tollgate, Use::Same)
        });
        // What the gate answers itself costs the same with code behind it; then that code's own answer.
        all.push(Self { other: Some(Setting::default()), ..Self::new("protected", Package, Use::Same) });
        all.push(Self { other: Some(Setting::default()), ..Self::new("protected-first", Package, Use::Once) });
        let code = Setting { code: Some("worker"), ..Setting::default() };
        all.push(Self {
            path: CODE,
            setting: code,
            other: Some(Setting::default()),
            ..Self::new("code", Package, Use::Same)
        });
        all.push(beside_forward("forward-assertion", Setting::vars(&ASSERTION)));
        let numbered = Self::tollgate("forward-urls", Use::Same, &[]);
        all.push(Self { path: "/api/orders?page=", is_numbered: true, ..numbered });
        all.push(Self::tollgate("uncached", Use::Same, &[("TOLLGATE_TOKEN_CACHE", "0")]));
        for rules in [1, 100, 1000] {
            let setting = Setting { rules: Some(rules), ..Setting::default() };
            let row = Self::new(&format!("rules-{rules}"), Tollgate, Use::Same);
            all.push(Self { path: LAST_RULE, setting, ..row });
        }
        for (kind, bytes) in [("token-250", 250), ("token-1k", 1024), ("token-4k", 4096)] {
            for contender in [HonoJwt, Jose, WorkersRs, Tollgate] {
                all.push(Self { bytes, ..Self::new(kind, contender, Use::Same) });
            }
            all.push(Self { bytes, ..Self::new(&format!("{kind}-first"), Tollgate, Use::Once) });
        }
        for algorithm in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256, Algorithm::Ps256] {
            let name = algorithm.name();
            let vars = tokens::variables(algorithm, tokens::key_pair(algorithm).unwrap_or_default());
            let with_keys = |kind: &str, contender: Contender, tokens: Use| Self {
                algorithm,
                setting: Setting::vars(&vars),
                ..Self::new(&format!("{kind}-{name}"), contender, tokens)
            };
            all.push(with_keys("protected", Tollgate, Use::Same));
            let first = |contender: Contender| with_keys("protected-first", contender, Use::Once);
            all.extend([HonoJwt, Jose, Tollgate].map(first));
        }
        for level in ["off", "error", "info", "debug"] {
            all.push(Self::tollgate(&format!("log-{level}"), Use::Same, &[("TOLLGATE_LOG", level)]));
        }
        let sessions = |name: String, revoked: usize, other: Setting, tokens: Use| Self {
            name,
            setting: Setting::with_objects(revoked),
            other: Some(other),
            ..Self::new("", Tollgate, tokens)
        };
        all.push(sessions("protected/tollgate-sessions".into(), 0, Setting::default(), Use::Same));
        for (kind, tokens) in [("revoked", Use::Same), ("revoked-first", Use::Once)] {
            all.extend(
                REVOKED.map(|revoked| sessions(format!("{kind}/{revoked}"), revoked, Setting::with_objects(0), tokens)),
            );
        }
        all
    }

    /// About how many seconds a round takes.
    pub fn seconds(&self, pace: Pace) -> f64 {
        // Starting the servers, and minting a token for each request.
        let start = if self.tokens.is_used_up() { 0.9 } else { 0.3 };
        let revoke = self.setting.revoked.map_or(0.0, |revoked| 1.5 + revoked as f64 / 50e3);
        pace.warm.as_secs_f64() + self.measured(pace).as_secs_f64() + start + revoke
    }

    /// Three servers share the core for twice as long as two.
    fn measured(&self, pace: Pace) -> Duration {
        if self.other.is_some() { 2 * pace.round } else { pace.round }
    }

    /// Measures the row.
    pub fn measure(&self, workshop: &Workshop, pace: Pace) -> Result<Row> {
        let rounds = rounds(pace.rounds, |round| self.round(workshop, pace, round % 2 == 1))?;
        let to_floor = (self.contender != Contender::Flask).then(|| ratio(&rounds, 1, 0));
        let mut row = Row::new(&self.name).with_ratio("ratio_to_floor", "range", to_floor);
        if self.other.is_some() {
            row = row.with_ratio("ratio_to_other", "range_to_other", Some(ratio(&rounds, 2, 0)));
        }
        Ok(with_medians(row, &rounds, 0))
    }

    /// Contender, floor and perhaps the other gate, in new processes.
    fn round(&self, workshop: &Workshop, pace: Pace, reversed: bool) -> Result<Vec<Measured>> {
        let floor = if self.path.starts_with("/api/") { Contender::FloorForward } else { Contender::Floor };
        let contender = if self.contender == Contender::Floor { floor } else { self.contender };
        let mut sides = vec![(contender, self.setting.clone()), (floor, Setting::default())];
        sides.extend(self.other.clone().map(|setting| (Contender::Tollgate, setting)));
        let servers = start(workshop, &sides, reversed)?;
        let is_asymmetric = tokens::key_pair(self.algorithm).is_some();
        let mut mints = sides
            .iter()
            .map(|&(side, _)| {
                // The floor verifies nothing: it gets tokens that are signed quickly.
                let algorithm = if side == floor { Algorithm::Hs256 } else { self.algorithm };
                Mint::new(self.bytes, algorithm, self.other.is_some())
            })
            .collect::<Result<Vec<_>>>()?;
        let mut load = |at: usize, count: usize, end: End| -> Result<Load> {
            let load = Load::protected(sides[at].0, self.tokens, &mints[at].tokens(self.tokens, count), end)?;
            Ok(Load { path: self.path.parse()?, is_numbered: self.is_numbered, ..load })
        };
        if self.other.is_some() {
            // One request takes in the snapshot of revocations. Otherwise sixteen would, each by itself, and the load
            // would warm up nothing else.
            for (at, server) in servers.iter().enumerate() {
                load::run(&Load { connections: 1, ..load(at, 1, End::Requests(1))? }, server, || ())?;
            }
        }
        // `rates`: for each server more requests a second than it can answer.
        let mut run = |rates: &[f64], time: Duration| {
            let count = |rate: f64| (rate * time.as_secs_f64()) as usize;
            let loads = rates.iter().enumerate().map(|(at, &rate)| load(at, count(rate), End::After(time)));
            together(&loads.collect::<Result<Vec<_>>>()?, &servers, reversed)
        };
        let mut rates = vec![8_000.0; sides.len()];
        if matches!(self.algorithm, Algorithm::Rs256 | Algorithm::Ps256) {
            rates[0] = 2_500.0;
        }
        let warmed = run(&rates, pace.warm)?;
        let mut rates: Vec<f64> = warmed.iter().map(|it| it.per_second().max(1000.0) * 1.6).collect();
        if !is_asymmetric {
            let fastest = rates.iter().copied().fold(0.0, f64::max);
            rates.fill(fastest);
        }
        run(&rates, self.measured(pace))
    }
}

/// Runs the rounds of a row. A dot on standard error after each shows that a long row makes progress.
pub fn rounds<T>(count: usize, mut round: impl FnMut(usize) -> Result<T>) -> Result<Vec<T>> {
    let all = (0..count).map(|number| {
        let result = round(number)?;
        eprint!(".");
        Ok(result)
    });
    all.collect()
}

/// In each round the CPU time a request of one server divided by that of another.
pub fn ratio(rounds: &[Vec<Measured>], one: usize, other: usize) -> Spread {
    Spread::of(rounds.iter().map(|round| round[one].cpu_us() / round[other].cpu_us()))
}

/// Adds the medians of one server's rounds.
pub fn with_medians(row: Row, rounds: &[Vec<Measured>], server: usize) -> Row {
    let of = |figure: fn(&Measured) -> f64| median(rounds.iter().map(|round| figure(&round[server])));
    row.with("cpu_us", of(Measured::cpu_us))
        .with("requests_per_s", of(Measured::per_second))
        .with("p50_ms", of(|it| quantile_ms(&it.latency, 0.5)))
        .with("p99_ms", of(|it| quantile_ms(&it.latency, 0.99)))
}

/// Starts servers; `reversed`: the last one first.
pub fn start(workshop: &Workshop, sides: &[(Contender, Setting)], reversed: bool) -> Result<Vec<Server>> {
    in_order(sides.len(), reversed, |at| workshop.start(sides[at].0, &sides[at].1)).into_iter().collect()
}

/// Runs loads at the same time, each on a thread of its own; `reversed`: the last one begins first.
pub fn together(loads: &[Load], servers: &[Server], reversed: bool) -> Result<Vec<Measured>> {
    let barrier = Barrier::new(loads.len());
    let connected = || {
        barrier.wait();
    };
    thread::scope(|scope| {
        let spawn = |at: usize| scope.spawn(move || load::run(&loads[at], &servers[at], connected));
        let threads = in_order(loads.len(), reversed, spawn);
        threads.into_iter().map(|it| it.join().map_err(|_| anyhow!("a load panicked")).flatten()).collect()
    })
}

/// Calls `make` with 0 to `count` - 1, from the last if `reversed`, and returns the results from the first.
pub fn in_order<T>(count: usize, reversed: bool, make: impl FnMut(usize) -> T) -> Vec<T> {
    if reversed {
        let mut all: Vec<T> = (0..count).rev().map(make).collect();
        all.reverse();
        all
    } else {
        (0..count).map(make).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Comparison, in_order};
    use std::collections::HashSet;

    #[test]
    fn names_are_unique() {
        let names: Vec<String> = Comparison::all().into_iter().map(|row| row.name).collect();
        assert!(names.iter().any(|name| name == "revoked-first/100000"));
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
    }

    #[test]
    fn results_are_in_order_whichever_is_made_first() {
        for (reversed, made) in [(false, [0, 1, 2]), (true, [2, 1, 0])] {
            let mut calls = Vec::new();
            assert_eq!(
                in_order(3, reversed, |at| {
                    calls.push(at);
                    at * 10
                }),
                [0, 10, 20]
            );
            assert_eq!(calls, made);
        }
    }
}
