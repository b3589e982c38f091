//! What sessions cost: protected requests however much is revoked, refreshes, a cold isolate's first snapshot, and
//! log-ins while others guess. What is compared runs at the same time on one core.

use crate::{
    contender::{Contender, Setting, Workshop},
    load::{self, CONNECTIONS, Client, End, Load, Measured},
    objects,
    pairs::{Pace, together},
    report::{Beside, Row, rounded},
    server::Server,
    statistics::Spread,
    tokens::{Mint, Supply, Use, Wheel},
};
use anyhow::{Result, anyhow};
use bytes::Bytes;
use hdrhistogram::Histogram;
use hyper::Method;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use tollgate::rules::token::Algorithm;

/// How many revocations are in force.
const REVOKED: [usize; 3] = [0, 1000, 100_000];
/// Sessions that are carried on in turn, each of an account of its own.
const SESSIONS: usize = 256;
/// The bytes of a token.
const TOKEN: usize = 320;

/// A gate whose protected requests are measured, another one to hold it against, and the floor.
#[derive(Clone)]
pub struct Trio {
    /// The row's name.
    pub name: String,
    /// So many revocations are in force in the gate; none in the other.
    revoked: usize,
    other: Setting,
    /// What the other gate is called.
    others_name: &'static str,
    tokens: Use,
}

fn with_objects() -> Setting {
    Setting { has_objects: true, ..Setting::default() }
}

impl Trio {
    /// All of them.
    pub fn all() -> Vec<Self> {
        let mut trios = vec![Self {
            name: "protected/tollgate-sessions".into(),
            revoked: 0,
            other: Setting::default(),
            others_name: "without sessions",
            tokens: Use::Same,
        }];
        for (kind, tokens) in [("revoked", Use::Same), ("revoked-first", Use::Once)] {
            trios.extend(REVOKED.map(|revoked| Self {
                name: format!("{kind}/{revoked}"),
                revoked,
                other: with_objects(),
                others_name: "none revoked",
                tokens,
            }));
        }
        trios
    }

    /// About how long it takes.
    pub fn takes(&self, pace: Pace) -> Duration {
        let beside = Duration::from_millis(1500 + self.revoked as u64 / 50);
        (2 * (pace.warm + pace.round) + beside) * u32::try_from(pace.rounds).unwrap_or(u32::MAX)
    }

    /// Measures it.
    ///
    /// # Errors
    /// If a server fails, or answers with another status than it should.
    pub fn measure(&self, workshop: &Workshop, pace: Pace) -> Result<Row> {
        let rounds =
            (0..pace.rounds).map(|round| self.round(workshop, pace, round % 2 == 1)).collect::<Result<Vec<_>>>()?;
        let ratio = Spread::of(rounds.iter().map(|[gate, _, floor]| floor.cpu_us() / gate.cpu_us()));
        let to_other = Spread::of(rounds.iter().map(|[gate, other, _]| other.cpu_us() / gate.cpu_us()));
        Ok(Row {
            ratio_to_floor: Some(rounded(ratio.median)),
            range: Some([rounded(ratio.least), rounded(ratio.greatest)]),
            beside: Some(Beside::of(self.others_name, to_other)),
            ..row(&self.name, rounds.iter().map(|[gate, ..]| gate))
        })
    }

    /// All three, in fresh processes.
    fn round(&self, workshop: &Workshop, pace: Pace, reversed: bool) -> Result<[Measured; 3]> {
        let gate = || {
            let server = workshop.start(Contender::Tollgate, &with_objects())?;
            objects::revoke(&server, self.revoked)?;
            Ok(server)
        };
        let other = || workshop.start(Contender::Tollgate, &self.other);
        let floor = || workshop.start(Contender::Floor, &Setting::default());
        let servers: [Server; 3] = started([&gate, &other, &floor], reversed)?;
        let mut mint = Mint::new(TOKEN, Algorithm::Hs256)?.with_sessions();
        // One request before the others, which takes in the snapshot: else sixteen do, each on its own, and nothing
        // else is done while the load warms up.
        for server in &servers[..2] {
            let first = Supply::new(Use::Same, &mint.tokens(Use::Same, 1), Contender::Tollgate.prefix())?;
            let load =
                Load { path: "/protected".parse()?, tokens: first, expected: 200, connections: 1, ..Load::default() };
            load::run(&load, server, || ())?;
        }
        let mut put = |count: usize, time: Duration| {
            let minted = mint.tokens(self.tokens, count);
            let load = |it: Contender| -> Result<Load> {
                Ok(Load {
                    path: "/protected".parse()?,
                    tokens: Supply::new(self.tokens, &minted, it.prefix())?,
                    expected: 200,
                    connections: CONNECTIONS,
                    end: End::After(time),
                    ..Load::default()
                })
            };
            let (gates, floors) = (load(Contender::Tollgate)?, load(Contender::Floor)?);
            together([&gates, &gates, &floors], &servers, reversed)
        };
        let warmed = put((4_000.0 * pace.warm.as_secs_f64()) as usize, pace.warm)?;
        // More than any will need.
        let most = warmed.iter().map(Measured::per_second).fold(1000.0, f64::max);
        // Twice as long as for two servers: three share the core.
        put((most * 2.0 * pace.round.as_secs_f64() * 1.6) as usize, 2 * pace.round)
    }
}

/// Starts servers, the last one first if `reversed`.
fn started<const N: usize>(starts: [&dyn Fn() -> Result<Server>; N], reversed: bool) -> Result<[Server; N]> {
    let mut order: Vec<usize> = (0..N).collect();
    if reversed {
        order.reverse();
    }
    let mut servers = order.into_iter().map(|at| Ok((at, starts[at]()?))).collect::<Result<Vec<_>>>()?;
    servers.sort_by_key(|(at, _)| *at);
    let servers: Vec<Server> = servers.into_iter().map(|(_, server)| server).collect();
    servers.try_into().map_err(|_| anyhow!("as many as there were to start"))
}

/// The medians of all rounds.
fn row<'m>(name: &str, rounds: impl Iterator<Item = &'m Measured> + Clone) -> Row {
    let median = |of: fn(&Measured) -> f64| Some(rounded(Spread::of(rounds.clone().map(of)).median));
    Row {
        name: name.into(),
        cpu_us: median(Measured::cpu_us),
        requests_per_s: median(Measured::per_second),
        p50_ms: median(|it| it.milliseconds(0.5)),
        p99_ms: median(|it| it.milliseconds(0.99)),
        ..Row::default()
    }
}

/// The rows about refreshes: with rotation, and without.
pub const REFRESH: [&str; 2] = ["refresh/tollgate", "refresh/stateless"];

/// About how long they take.
pub fn refresh_takes(pace: Pace) -> Duration {
    (pace.warm * 2 + pace.round + Duration::from_secs(4)) * u32::try_from(pace.rounds).unwrap_or(u32::MAX)
}

/// `POST /auth/refresh` in the extended dialect, each with the newest refresh token of its session: with rotation, and
/// at the same time another gate without. Two servers on one core.
///
/// # Errors
/// If a server fails, or answers with another status than it should.
pub fn measure_refresh(workshop: &Workshop, pace: Pace) -> Result<Vec<Row>> {
    let round = |round: usize| {
        let reversed = round % 2 == 1;
        let gate = |rotation: &str| {
            let vars = vec![
                ("TOLLGATE_WIRE", "flask-jwt-extended".to_owned()),
                ("TOLLGATE_REFRESH_ROTATION", rotation.to_owned()),
            ];
            workshop.start(Contender::Tollgate, &Setting { vars, ..with_objects() })
        };
        let servers: [Server; 2] = started([&|| gate("true"), &|| gate("false")], reversed)?;
        let mint = Mint::new(TOKEN, Algorithm::Hs256)?;
        let load = |server: &Server| -> Result<Load> {
            Ok(Load {
                method: Method::POST,
                path: "/auth/refresh".parse()?,
                sessions: Some(Wheel::new(&objects::open(server, &mint, SESSIONS)?)?),
                expected: 200,
                connections: CONNECTIONS,
                ..Load::default()
            })
        };
        let loads = [load(&servers[0])?, load(&servers[1])?];
        let put = |time: Duration| {
            let [one, other] = loads.clone().map(|load| Load { end: End::After(time), ..load });
            together([&one, &other], &servers, reversed)
        };
        put(pace.warm * 2)?;
        put(pace.round)
    };
    let rounds = (0..pace.rounds).map(round).collect::<Result<Vec<_>>>()?;
    let ratio = Spread::of(rounds.iter().map(|[rotating, stateless]| stateless.cpu_us() / rotating.cpu_us()));
    Ok(vec![
        Row {
            beside: Some(Beside::of("without rotation", ratio)),
            ..row(REFRESH[0], rounds.iter().map(|[rotating, _]| rotating))
        },
        row(REFRESH[1], rounds.iter().map(|[_, stateless]| stateless)),
    ])
}

/// How many revocations there are in the snapshots that are measured.
pub const SNAPSHOTS: [usize; 3] = REVOKED;

/// workerd lets an object go that nobody has asked for ten seconds; it reads what it has stored at the next order.
const IDLE: Duration = Duration::from_secs(12);

/// About how long a snapshot's row takes.
pub fn snapshot_takes(entries: usize, rounds: usize) -> Duration {
    Duration::from_millis(2 * rounds as u64 * (800 + entries as u64 / 50)) + IDLE
}

/// What a cold isolate needs to take in the whole snapshot: the first request that is judged by it, the bytes that
/// come, and how much the memory of the process rises (the gate's isolate, the register's and the cache's). And the
/// same with sixteen requests at once, and how long the register takes to answer when it has to read what it stored.
///
/// # Errors
/// If a server fails, or answers with another status than it should.
pub fn measure_snapshot(workshop: &Workshop, entries: usize, rounds: usize) -> Result<Row> {
    let mut bytes = 0;
    let mut first = |connections: usize| -> Result<(Measured, f64)> {
        let server = workshop.start(Contender::Tollgate, &with_objects())?;
        objects::revoke(&server, entries)?;
        bytes = objects::snapshot_bytes(&server)?;
        let refused = Load { path: "/protected".parse()?, expected: 401, connections: 1, ..Load::default() };
        // The gate is there then, and knows no revocations yet: nothing was judged.
        load::run(&refused, &server, || ())?;
        let tokens = Mint::new(TOKEN, Algorithm::Hs256)?.with_sessions().tokens(Use::Once, connections);
        let load = Load {
            tokens: Supply::new(Use::Once, &tokens, Contender::Tollgate.prefix())?,
            expected: 200,
            also: Some(503),
            connections,
            end: End::Requests(connections),
            ..refused
        };
        let before = server.meter.rss();
        let measured = load::run(&load, &server, || ())?;
        let risen = (server.meter.rss() as f64 - before as f64) / f64::from(1 << 20);
        Ok((measured, risen))
    };
    let alone = (0..rounds).map(|_| first(1)).collect::<Result<Vec<_>>>()?;
    let register = {
        let server = workshop.start(Contender::Tollgate, &with_objects())?;
        objects::revoke(&server, entries)?;
        thread::sleep(IDLE);
        let began = Instant::now();
        objects::snapshot_bytes(&server)?;
        began.elapsed()
    };
    let at_once = (0..rounds).map(|_| first(CONNECTIONS)).collect::<Result<Vec<_>>>()?;
    let median = |all: &[(Measured, f64)], of: fn(&(Measured, f64)) -> f64| Spread::of(all.iter().map(of)).median;
    let longest = |(it, _): &(Measured, f64)| it.elapsed.as_secs_f64() * 1e3;
    let cpu = |(it, _): &(Measured, f64)| it.cpu.as_secs_f64() * 1e3;
    let memory = |(_, risen): &(Measured, f64)| *risen;
    let unavailable = |(it, _): &(Measured, f64)| it.also as f64;
    Ok(Row::of(
        format!("snapshot/{entries}"),
        &[
            ("bytes", bytes as f64),
            ("ms", median(&alone, longest)),
            ("cpu_ms", median(&alone, cpu)),
            ("memory_mib", median(&alone, memory)),
            ("at_once_ms", median(&at_once, longest)),
            ("at_once_cpu_ms", median(&at_once, cpu)),
            ("at_once_memory_mib", median(&at_once, memory)),
            ("at_once_unavailable", median(&at_once, unavailable)),
            ("register_start_ms", register.as_secs_f64() * 1e3),
        ],
    ))
}

/// Log-ins of the owner in a round, without and with an attack.
const LOG_INS: usize = 20;
/// So long the attack goes on alone.
const ALONE: Duration = Duration::from_secs(2);
/// The owner's address; it is known from an earlier log-in.
const OWNER: Client = Client::One("192.0.2.1");

/// The rows about an attack.
pub const ATTACK: [&str; 2] = ["login/known-device", "login/under-attack"];

/// About how long they take.
pub fn attack_takes(rounds: usize) -> Duration {
    (Duration::from_millis(350 * 2 * LOG_INS as u64 + 4000) + ALONE) * u32::try_from(rounds).unwrap_or(u32::MAX)
}

fn login(password: &str, client: Client) -> Result<Load> {
    Ok(Load {
        method: Method::POST,
        path: "/auth".parse()?,
        body: Bytes::from(format!(r#"{{"username":"user1","password":"{password}"}}"#)),
        client,
        expected: 200,
        connections: 1,
        end: End::Requests(LOG_INS),
        ..Load::default()
    })
}

/// Log-ins of a known device one after the other: without strangers, and while they guess at the same name from many
/// addresses as fast as they can, from the first guess on.
///
/// # Errors
/// If a server fails, or answers with another status than it should.
pub fn measure_attack(workshop: &Workshop, rounds: usize) -> Result<Vec<Row>> {
    let (mut quiet, mut attacked) = (new_histogram()?, new_histogram()?);
    let (mut hashes, mut costs, mut guesses) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let server = workshop.start(Contender::Tollgate, &with_objects())?;
        let owner = login("abcxyz", OWNER)?;
        load::run(&Load { end: End::Requests(3), ..owner.clone() }, &server, || ())?;
        let alone = load::run(&owner, &server, || ())?;
        hashes.push(alone.cpu_us());
        quiet.add(&alone.latency)?;
        let is_over = Arc::new(AtomicBool::new(false));
        let attack = Load {
            expected: 429,
            also: Some(401),
            connections: CONNECTIONS,
            end: End::When(Arc::clone(&is_over)),
            ..login("a wrong guess", Client::Many)?
        };
        let (meanwhile, guessed) = thread::scope(|scope| {
            let attacking = scope.spawn(|| load::run(&attack, &server, || ()));
            let meanwhile = load::run(&owner, &server, || ());
            is_over.store(true, Ordering::Relaxed);
            (meanwhile, attacking.join().map_err(|_| anyhow!("a load panicked")).flatten())
        });
        attacked.add(&meanwhile?.latency)?;
        let guessed = guessed?;
        guesses.push((guessed.also as f64, (guessed.requests - guessed.also) as f64));
        let after = load::run(&Load { end: End::After(ALONE), ..attack }, &server, || ())?;
        costs.push(cpu_of_refused(&after, alone.cpu_us()));
    }
    let median = |values: &[f64]| Spread::of(values.iter().copied()).median;
    let (hash, refused) = (median(&hashes), median(&costs));
    let row = |name: &str, latency: &Histogram<u64>| Row {
        name: name.into(),
        p50_ms: Some(rounded(latency.value_at_quantile(0.5) as f64 / 1e3)),
        p99_ms: Some(rounded(latency.value_at_quantile(0.99) as f64 / 1e3)),
        ..Row::default()
    };
    let more = Row::of(
        "",
        &[
            ("p90_ms", attacked.value_at_quantile(0.9) as f64 / 1e3),
            ("judged", Spread::of(guesses.iter().map(|(judged, _)| *judged)).median),
            ("refused", Spread::of(guesses.iter().map(|(_, refused)| *refused)).median),
            ("refused_cpu_us", refused),
            ("log_in_cpu_us", hash),
            ("log_in_costs_refusals", hash / refused),
        ],
    );
    let first = Row { cpu_us: Some(rounded(hash)), ..row(ATTACK[0], &quiet) };
    Ok(vec![first, Row { more: more.more, ..row(ATTACK[1], &attacked) }])
}

/// Microseconds a refused guess: what is left when each that was judged has cost as much as a log-in.
fn cpu_of_refused(guessed: &Measured, login_us: f64) -> f64 {
    let refused = guessed.requests - guessed.also;
    let left = guessed.cpu.as_secs_f64() * 1e6 - guessed.also as f64 * login_us;
    left.max(0.0) / refused.max(1) as f64
}

fn new_histogram() -> Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1, 60_000_000, 3)?)
}

#[cfg(test)]
mod tests {
    use super::{Trio, cpu_of_refused, new_histogram};
    use crate::load::Measured;
    use std::{collections::HashSet, time::Duration};

    #[test]
    fn rows_have_names_of_their_own() {
        let names: Vec<String> = Trio::all().into_iter().map(|trio| trio.name).collect();
        for name in ["revoked/0", "revoked/1000", "revoked/100000", "revoked-first/100000"] {
            assert!(names.iter().any(|it| it == name), "{name}");
        }
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
    }

    #[test]
    fn what_was_judged_is_not_counted_as_refused() {
        let guessed = Measured {
            requests: 102,
            also: 2,
            elapsed: Duration::from_secs(1),
            cpu: Duration::from_micros(2 * 300_000 + 100 * 250),
            latency: new_histogram().expect("bounds"),
        };
        assert_eq!(cpu_of_refused(&guessed, 300_000.0).round(), 250.0);
    }
}
