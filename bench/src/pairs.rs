//! Contender and floor at the same time, each in a process of its own, on one core: the ratio of the CPU time that they
//! use for a request. What disturbs the machine disturbs both.

use crate::{
    contender::{Contender, LAST_RULE, Setting, Workshop},
    load::{self, CONNECTIONS, End, Load, Measured},
    report::{Row, rounded},
    server::Server,
    statistics::Spread,
    tokens::{Mint, Supply, Use},
};
use anyhow::{Result, anyhow};
use bytes::Bytes;
use hyper::Method;
use std::{sync::Barrier, thread, time::Duration};

/// How long everything takes.
#[derive(Clone, Copy)]
pub struct Pace {
    /// Rounds of a row.
    pub rounds: usize,
    /// The load before each round: the runtime compiles what is hot.
    pub warm: Duration,
    /// A round.
    pub round: Duration,
}

/// The bytes of a token where nothing else is said.
const TOKEN: usize = 320;

/// One row.
#[derive(Clone)]
pub struct Pair {
    /// The row's name.
    pub name: String,
    contender: Contender,
    setting: Setting,
    path: &'static str,
    tokens: Use,
    bytes: usize,
}

impl Pair {
    fn new(kind: &str, contender: Contender, tokens: Use) -> Self {
        Self {
            name: format!("{kind}/{contender}"),
            contender,
            setting: Setting::default(),
            path: "/protected",
            tokens,
            bytes: TOKEN,
        }
    }

    fn with(self, setting: Setting) -> Self {
        Self { setting, ..self }
    }

    /// Every row that is measured in pairs.
    pub fn all() -> Vec<Self> {
        use Contender::{Flask, Floor, HonoJwt, Jose, Tollgate, WorkersRs};
        let mut pairs = Vec::new();
        for (kind, tokens) in [
            ("protected", Use::Same),
            ("protected-first", Use::Once),
            ("protected-zipf", Use::Zipf),
            ("refuse", Use::Forged),
            ("refuse-none", Use::None),
        ] {
            pairs.extend(Contender::PROTECTED.map(|contender| Self::new(kind, contender, tokens)));
            pairs.push(Self::new(kind, Flask, tokens));
        }
        // Tollgate logs each refusal, the others none.
        let quiet = Setting::var("TOLLGATE_LOG", "error");
        pairs.push(Self::new("refuse-unlogged", Tollgate, Use::Forged).with(quiet));
        for contender in [Floor, HonoJwt, Tollgate] {
            pairs.push(Self { path: "/api/orders?page=2", ..Self::new("forward", contender, Use::Same) });
        }
        pairs.push(Self::new("uncached", Tollgate, Use::Same).with(Setting::var("TOLLGATE_TOKEN_CACHE", "0")));
        for rules in [1, 100, 1000] {
            let setting = Setting { rules: Some(rules), ..Setting::default() };
            let pair = Self::new(&format!("rules-{rules}"), Tollgate, Use::Same).with(setting);
            pairs.push(Self { path: LAST_RULE, ..pair });
        }
        for (kind, bytes) in [("token-250", 250), ("token-1k", 1024), ("token-4k", 4096)] {
            for contender in [HonoJwt, Jose, WorkersRs, Tollgate] {
                pairs.push(Self { bytes, ..Self::new(kind, contender, Use::Same) });
            }
            pairs.push(Self { bytes, ..Self::new(&format!("{kind}-first"), Tollgate, Use::Once) });
        }
        for level in ["off", "error", "info", "debug"] {
            let setting = Setting::var("TOLLGATE_LOG", level);
            pairs.push(Self::new(&format!("log-{level}"), Tollgate, Use::Same).with(setting));
        }
        pairs
    }

    /// The rows of `--quick`.
    pub fn is_quick(&self) -> bool {
        ["protected/floor", "protected/tollgate", "protected-first/tollgate", "forward/tollgate", "refuse/tollgate"]
            .contains(&self.name.as_str())
    }

    /// Can it be measured here?
    pub fn is_possible(&self, workshop: &Workshop) -> bool {
        self.contender != Contender::Flask || workshop.has_flask()
    }

    /// About how long it takes.
    pub fn takes(&self, pace: Pace) -> Duration {
        // Starting, and minting tokens for each request.
        let beside = Duration::from_millis(if self.tokens.is_used_up() { 900 } else { 300 });
        (pace.warm + pace.round + beside) * u32::try_from(pace.rounds).unwrap_or(u32::MAX)
    }

    /// Measures it.
    ///
    /// # Errors
    /// If a server fails, or answers with another status than it should.
    pub fn measure(&self, workshop: &Workshop, pace: Pace) -> Result<Row> {
        let rounds =
            (0..pace.rounds).map(|round| self.round(workshop, pace, round % 2 == 1)).collect::<Result<Vec<_>>>()?;
        let ratio = Spread::of(rounds.iter().map(|(contender, floor)| floor.cpu_us() / contender.cpu_us()));
        let median = |of: fn(&Measured) -> f64| Some(rounded(Spread::of(rounds.iter().map(|(it, _)| of(it))).median));
        let is_compared = self.contender != Contender::Flask;
        Ok(Row {
            name: self.name.clone(),
            ratio_to_floor: is_compared.then(|| rounded(ratio.median)),
            range: is_compared.then(|| [rounded(ratio.least), rounded(ratio.greatest)]),
            cpu_us: median(Measured::cpu_us),
            requests_per_s: median(Measured::per_second),
            p50_ms: median(|it| it.milliseconds(0.5)),
            p99_ms: median(|it| it.milliseconds(0.99)),
            ..Row::default()
        })
    }

    /// Contender and floor, in fresh processes.
    fn round(&self, workshop: &Workshop, pace: Pace, floor_first: bool) -> Result<(Measured, Measured)> {
        let is_forward = self.path.starts_with("/api/");
        let floor = if is_forward { Contender::FloorForward } else { Contender::Floor };
        let contender = if self.contender == Contender::Floor { floor } else { self.contender };
        let both = [contender, floor];
        let servers = if floor_first {
            let second = workshop.start(floor, &Setting::default())?;
            [workshop.start(contender, &self.setting)?, second]
        } else {
            [workshop.start(contender, &self.setting)?, workshop.start(floor, &Setting::default())?]
        };
        let mut mint = Mint::new(self.bytes)?;
        let mut put = |count: usize, time: Duration| {
            let tokens = mint.tokens(self.tokens, count);
            let loads = both.map(|it| {
                Ok(Load {
                    method: Method::GET,
                    path: self.path.parse()?,
                    body: Bytes::new(),
                    tokens: Supply::new(self.tokens, &tokens, it.prefix())?,
                    expected: it.status(self.tokens),
                    connections: CONNECTIONS,
                    end: End::After(time),
                })
            });
            let [contender, floor]: [Result<Load>; 2] = loads;
            together([&contender?, &floor?], &servers, floor_first)
        };
        let warmed = put(50_000, pace.warm)?;
        // More than the faster one will need.
        let fastest = warmed.iter().map(Measured::per_second).fold(1000.0, f64::max);
        let [contender, floor] = put((fastest * pace.round.as_secs_f64() * 1.6) as usize, pace.round)?;
        Ok((contender, floor))
    }
}

/// Two loads at the same time, each on a thread of its own.
pub fn together(loads: [&Load; 2], servers: &[Server; 2], second_first: bool) -> Result<[Measured; 2]> {
    let barrier = Barrier::new(2);
    let begin = || {
        barrier.wait();
    };
    thread::scope(|scope| {
        let spawn = |at: usize| scope.spawn(move || load::run(loads[at], &servers[at], begin));
        let handles = if second_first {
            let second = spawn(1);
            [spawn(0), second]
        } else {
            [spawn(0), spawn(1)]
        };
        let [first, second] = handles.map(|handle| handle.join().map_err(|_| anyhow!("a load panicked")).flatten());
        Ok([first?, second?])
    })
}
