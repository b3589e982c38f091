//! Contender and floor at the same time, each in a process of its own, on one core: the ratio of the CPU time that they
//! use for a request. What disturbs the machine disturbs both.

use crate::{
    contender::{Contender, LAST_RULE, Setting, Workshop},
    load::{self, CONNECTIONS, End, Load, Measured},
    report::{Row, rounded},
    server::Server,
    statistics::Spread,
    tokens::{self, Mint, Supply, Use},
};
use anyhow::{Result, anyhow};
use std::{sync::Barrier, thread, time::Duration};
use tollgate::rules::token::Algorithm;

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
    /// Has each request a URL of its own?
    is_numbered: bool,
    tokens: Use,
    bytes: usize,
    algorithm: Algorithm,
}

impl Pair {
    fn new(kind: &str, contender: Contender, tokens: Use) -> Self {
        Self {
            name: format!("{kind}/{contender}"),
            contender,
            setting: Setting::default(),
            path: "/protected",
            is_numbered: false,
            tokens,
            bytes: TOKEN,
            algorithm: Algorithm::Hs256,
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
        // Tollgate logs refusals, the others none.
        for (kind, option, value) in
            [("refuse-logged", "TOLLGATE_LOG_REFUSALS", "1000000"), ("refuse-unlogged", "TOLLGATE_LOG", "error")]
        {
            pairs.push(Self::new(kind, Tollgate, Use::Forged).with(Setting::var(option, value)));
        }
        for contender in [Floor, HonoJwt, Tollgate] {
            pairs.push(Self { path: "/api/orders?page=2", ..Self::new("forward", contender, Use::Same) });
        }
        let numbered = Self::new("forward-urls", Tollgate, Use::Same);
        pairs.push(Self { path: "/api/orders?page=", is_numbered: true, ..numbered });
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
        for algorithm in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256, Algorithm::Ps256] {
            let key = tokens::private_key(algorithm).unwrap_or_default().to_owned();
            let setting = Setting {
                vars: vec![("JWT_ALGORITHM", algorithm.name().into()), ("JWT_PRIVATE_KEY", key)],
                ..Setting::default()
            };
            for (kind, tokens) in [("protected", Use::Same), ("protected-first", Use::Once)] {
                let pair = Self::new(&format!("{kind}-{}", algorithm.name()), Tollgate, tokens).with(setting.clone());
                pairs.push(Self { algorithm, ..pair });
            }
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

    /// More tokens than an algorithm with a key pair lets through at first.
    fn slowly(&self, time: Duration) -> usize {
        let per_second = match self.algorithm {
            Algorithm::EdDsa | Algorithm::Es256 => 8_000.0,
            _ => 4_000.0,
        };
        (per_second * time.as_secs_f64()) as usize
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
        let mut mint = Mint::new(self.bytes, self.algorithm)?;
        // The floor reads a header, whoever signed what is in it; to sign as many with RSA would take minutes.
        let mut floors = Mint::new(self.bytes, Algorithm::Hs256)?;
        let is_pair = tokens::private_key(self.algorithm).is_some();
        let mut put = |counts: [usize; 2], time: Duration| {
            let own = mint.tokens(self.tokens, if is_pair { counts[0] } else { counts[0].max(counts[1]) });
            let floors = if is_pair { floors.tokens(self.tokens, counts[1]) } else { own.clone() };
            let loads = both.into_iter().zip([own, floors]).map(|(it, tokens)| {
                Ok(Load {
                    path: self.path.parse()?,
                    is_numbered: self.is_numbered,
                    tokens: Supply::new(self.tokens, &tokens, it.prefix())?,
                    expected: it.status(self.tokens),
                    connections: CONNECTIONS,
                    end: End::After(time),
                    ..Load::default()
                })
            });
            let loads = loads.collect::<Result<Vec<_>>>()?;
            together([&loads[0], &loads[1]], &servers, floor_first)
        };
        let plenty = (8_000.0 * pace.warm.as_secs_f64()) as usize;
        let warmed = put([if is_pair { self.slowly(pace.warm) } else { plenty }, plenty], pace.warm)?;
        // More than each will need.
        let enough = |it: &Measured| (it.per_second().max(1000.0) * pace.round.as_secs_f64() * 1.6) as usize;
        let [contender, floor] = put([enough(&warmed[0]), enough(&warmed[1])], pace.round)?;
        Ok((contender, floor))
    }
}

/// Loads at the same time, each on a thread of its own; `reversed`: the last begins first.
///
/// # Errors
/// That of the first of them that fails.
pub fn together<const N: usize>(loads: [&Load; N], servers: &[Server; N], reversed: bool) -> Result<[Measured; N]> {
    let barrier = Barrier::new(N);
    let begin = || {
        barrier.wait();
    };
    thread::scope(|scope| {
        let spawn = |at: usize| scope.spawn(move || load::run(loads[at], &servers[at], begin));
        let mut order: Vec<usize> = (0..N).collect();
        if reversed {
            order.reverse();
        }
        let mut handles: Vec<_> = order.into_iter().map(|at| (at, spawn(at))).collect();
        handles.sort_by_key(|(at, _)| *at);
        let measured = handles
            .into_iter()
            .map(|(_, handle)| handle.join().map_err(|_| anyhow!("a load panicked")).flatten())
            .collect::<Result<Vec<_>>>()?;
        measured.try_into().map_err(|_| anyhow!("as many as there were loads"))
    })
}
