//! docs/performance.md and its chart.

use crate::{
    chart,
    report::{Beside, HEADS, Report, Row, plain},
};
use anyhow::Result;
use serde_json::{Map, Value};
use std::{fmt::Write, fs, path::Path};

/// Writes both.
///
/// # Errors
/// If the folder can't be written.
pub fn write(root: &Path, report: &Report) -> Result<()> {
    fs::write(root.join("docs/performance.svg"), chart::chart(report))?;
    fs::write(root.join("docs/performance.md"), page(report))?;
    Ok(())
}

const METHOD: &str = "## Method

**What is compared.** Each contender runs in a `workerd` of its own, as it would be deployed, without wrangler's proxy in
front. The *floor* is a JavaScript worker in the fastest form that was found: it reads the `Authorization` header,
verifies nothing and answers a constant; for forwarded requests it only calls `fetch`. No gate can be expected to be
faster.

**What is measured.** The CPU time that the process uses for a request, *its whole time*: reading the request, the gate,
writing the answer. That is what a machine can serve and what is paid for; answers a second and latency depend on the load
as well, and stand beside it. The ratio is the floor's time divided by the contender's, so 1.0 is as fast as the floor and
0.5 costs twice as much.

**How noise is kept out.** Rates measured one after the other differ by a tenth and more on a shared machine. So contender
and floor run *at the same time* on one core, each under its own load of 16 kept connections from another core: what
disturbs one disturbs the other. Each round has fresh processes, started in alternating order and warmed up for twelve
seconds (V8 compiles what is hot step by step: the first seconds of an instance are slower); told are the median and the
range of the rounds. The floor against itself (`…/floor`) shows the noise that is left.

**What counts.** Every answer's status is checked; one wrong answer fails the row. Tokens are HS256 with a 64-byte secret and
about 320 bytes long where nothing else is said, minted natively before a round begins. Answers a second and latency are
those of a contender that shares its core with the floor, with 16 requests always waiting: alone it answers about twice
as many.
";

const NAMES: &str = "| name | work |
|---|---|
| `protected` | a protected answer, always with the same token |
| `protected-first` | the same, each token once |
| `protected-zipf` | the same, tokens of a thousand users drawn by Zipf's law |
| `refuse`, `refuse-none` | a forged token, each time another; no token at all. The floor believes every token, `hono` everybody: they answer 200 |
| `refuse-logged`, `refuse-unlogged` | `refuse` with a line for each (`TOLLGATE_LOG_REFUSALS = 1000000`), and with none (`TOLLGATE_LOG = error`). By default a hundred a second are logged and the others counted |
| `forward` | a verified request forwarded to an origin, always with the same token and URL; the floor only calls `fetch` |
| `forward-urls` | the same, each with another URL |
| `protected-ALG`, `protected-first-ALG` | the same with tokens of that algorithm; the floor reads an HS256 token |
| `uncached` | `protected` with `TOLLGATE_TOKEN_CACHE = 0`: no flood of tokens, such as `protected-first` is, can make it slower than this |
| `rules-N` | the last of N rules |
| `token-…` | `protected` with tokens of that size; `-first`: each once |
| `log-…` | `protected` at that `TOLLGATE_LOG`; what is logged goes into a pipe that is read |

`hono` has no gate; `flask` is Flask-JWT-Extended under gunicorn, for reference: it is no worker and has no ratio.
";

const SESSIONS: &str = "With the gate's two Durable Objects (docs/sessions.md), in one `workerd` with it: the objects in an isolate beside the
gate's, what they store in memory, and a worker for the data centre's cache. All of that is counted as the gate's CPU time;
in production the objects' part of it is spent elsewhere. What is compared runs at the same time on one core, in fresh
processes: for protected requests three servers (the gate, another gate, the floor), for refreshes two. *To the floor* and
*to the other* are that one's CPU time divided by this one's: 1.0 is as fast as the other.

| name | work |
|---|---|
| `protected/tollgate-sessions` | `protected` with the objects there, nothing revoked; the other: a gate without sessions |
| `revoked/N` | `protected` while N revocations are in force, of others; the other: a gate with sessions, none revoked. `revoked/0` shows the noise |
| `revoked-first/N` | the same, each token once |
| `refresh/tollgate` | `POST /auth/refresh`, each with the newest refresh token of its session: 256 sessions in turn, of an account each; the other: `refresh/stateless`, with `TOLLGATE_REFRESH_ROTATION = false` |
| `login/known-device` | log-ins of user1 from an address that is known, one after the other |
| `login/under-attack` | the same while 16 connections guess at user1's password from ever other addresses as fast as they can, from the first guess on, on the same core and in the same isolate. The first sixteen are judged at once, and a log-in that comes then waits for their hashes: that is the p99 |
| `snapshot/N` | the first request that is judged in an isolate which knows no revocations, and sixteen such requests at once, of which one asks for all; how much the process's memory rises by that; the register's answer when it must first read what it stored |

The bindings `LOGINS_BY_ADDRESS` and `HASHING` are not there: what is seen is the defence of the name's object alone.
";

fn is_of_sessions(row: &Row) -> bool {
    row.beside.is_some() || row.name.starts_with("refresh/") || row.name.starts_with("snapshot/") || is_attack(row)
}

/// Where rows come from that were not measured with the others; those about sessions say it in their own section.
fn other_runs(report: &Report) -> String {
    let is_of_requests = |name: &String| report.row(name).is_some_and(|row| !is_of_sessions(row));
    let others = report.elsewhere.iter().filter(|it| it.rows.iter().any(is_of_requests));
    let lines: String = others.map(|it| format!("- {}\n", it.source())).collect();
    if lines.is_empty() { lines } else { format!("\nRows of other runs, by what their commands name:\n\n{lines}") }
}

fn is_attack(row: &Row) -> bool {
    ["login/known-device", "login/under-attack"].contains(&row.name.as_str())
}

/// The section about sessions, if there are such rows.
fn sessions(text: &mut String, report: &Report) {
    let rows: Vec<&Row> = report.rows.iter().filter(|row| is_of_sessions(row)).collect();
    let Some(first) = rows.first() else { return };
    let _ = write!(text, "## Sessions\n\n{}\n\n{SESSIONS}\n", report.source(&first.name));
    let number =
        |value: Option<f64>, digits: usize| value.map_or_else(String::new, |value| format!("{value:.digits$}"));
    let requests: Vec<&&Row> =
        rows.iter().filter(|row| !is_attack(row) && !row.name.starts_with("snapshot/")).collect();
    if !requests.is_empty() {
        let heads = ["row", "to the floor (range)", "to the other (range)", "CPU µs", "answers/s", "p50 ms", "p99 ms"];
        let cells = |row: &&&Row| {
            vec![
                row.name.clone(),
                row.ratio(),
                row.beside.as_ref().map_or_else(String::new, Beside::ratio),
                number(row.cpu_us, 0),
                number(row.requests_per_s, 0),
                number(row.p50_ms, 2),
                number(row.p99_ms, 2),
            ]
        };
        table(text, &heads, requests.iter().map(cells));
    }
    for kind in ["revoked", "revoked-first"] {
        if let Some(line) = flatness(report, kind) {
            let _ = writeln!(text, "{line}\n");
        }
    }
    let attack: Vec<&&Row> = rows.iter().filter(|row| is_attack(row)).collect();
    if !attack.is_empty() {
        let heads = ["row", "p50 ms", "p90 ms", "p99 ms", "guesses judged", "guesses refused"];
        let cells = |row: &&&Row| {
            vec![
                row.name.clone(),
                number(row.p50_ms, 0),
                number(more(row, "p90_ms"), 0),
                number(row.p99_ms, 0),
                number(more(row, "judged"), 0),
                number(more(row, "refused"), 0),
            ]
        };
        table(text, &heads, attack.iter().map(cells));
        let costs = attack.iter().find_map(|row| Some((more(row, "refused_cpu_us")?, more(row, "log_in_cpu_us")?)));
        if let Some((refused, login)) = costs {
            let _ = writeln!(
                text,
                "A refused guess takes {refused:.0} µs of CPU, a log-in {:.0} ms: {:.0} times as much.\n",
                login / 1e3,
                login / refused
            );
        }
    }
    let snapshots: Vec<&&Row> = rows.iter().filter(|row| row.name.starts_with("snapshot/")).collect();
    if !snapshots.is_empty() {
        let columns = [
            ("bytes", "bytes"),
            ("ms", "ms"),
            ("CPU ms", "cpu_ms"),
            ("MiB more", "memory_mib"),
            ("16 at once: ms", "at_once_ms"),
            ("CPU ms", "at_once_cpu_ms"),
            ("MiB more", "at_once_memory_mib"),
            ("503", "at_once_unavailable"),
            ("register's start, ms", "register_start_ms"),
        ];
        let heads: Vec<&str> = std::iter::once("row").chain(columns.map(|(head, _)| head)).collect();
        let cells = |row: &&&Row| {
            let figures = columns.map(|(_, figure)| number(more(row, figure), 0));
            std::iter::once(row.name.clone()).chain(figures).collect()
        };
        table(text, &heads, snapshots.iter().map(cells));
    }
}

/// A figure that only some rows have.
fn more(row: &Row, name: &str) -> Option<f64> {
    row.more.get(name).and_then(Value::as_f64)
}

/// Whether the cost of a request depends on how much is revoked: by the range that two gates without revocations show.
fn flatness(report: &Report, kind: &str) -> Option<String> {
    let beside = |revoked: &str| report.row(&format!("{kind}/{revoked}"))?.beside.as_ref();
    let (none, most) = (beside("0")?, beside("100000")?);
    // The same gate against itself is as far from 1 as the noise, whichever of the two it is.
    let noise = none.range.iter().map(|ratio| (ratio - 1.0).abs()).fold(0.0, f64::max);
    let verdict = if (most.ratio - 1.0).abs() <= noise { "flat within noise" } else { "not flat within noise" };
    Some(format!(
        "`{kind}`: {verdict}. With 100,000 revocations in force the ratio to a gate with none is {}, of two gates with none {}.",
        most.ratio(),
        none.ratio()
    ))
}

fn page(report: &Report) -> String {
    let mut text = String::from("# Performance\n\n<!-- Written by `cargo xtask bench --docs`. -->\n\n");
    let list = |values: &Map<String, Value>| {
        let values: Vec<String> = values.iter().map(|(name, value)| format!("{name} {}", plain(value))).collect();
        values.join(", ")
    };
    let _ = write!(
        text,
        "![CPU time a request against a worker that verifies nothing](performance.svg)\n\n\
         Measured on {} by `{}`.{}\n{}\n- **Machine:** {}\n- **Versions:** {}\n\n{METHOD}\n",
        report.date,
        report.command,
        report.note.as_ref().map_or_else(String::new, |note| format!(" {note}")),
        other_runs(report),
        list(&report.machine),
        list(&report.versions),
    );
    let is_request = |row: &&Row| row.cpu_us.is_some() && !row.name.starts_with("login") && !is_of_sessions(row);
    let requests: Vec<&Row> = report.rows.iter().filter(is_request).collect();
    if !requests.is_empty() {
        let _ = write!(text, "## Requests\n\n{NAMES}\n");
        table(&mut text, &HEADS, requests.iter().map(|row| row.cells().to_vec()));
    }
    let logins: Vec<&Row> =
        report.rows.iter().filter(|row| row.name.starts_with("login") && !is_of_sessions(row)).collect();
    if !logins.is_empty() {
        text.push_str(
            "## Log-ins\n\nPBKDF2-HMAC-SHA256 with 600,000 iterations, one log-in at a time, each beside one of native OpenSSL \
             as Python's hashlib calls it (`hashlib`: what a Flask app has; `openssl` is Node's newer one); the ratio is the contender's CPU time divided by OpenSSL's, so less is better. `login-cold` is the first \
             log-in of a fresh process, before its code was compiled to its best. `login-timing`: the time of a refusal for an \
             unknown user divided by that for a known one, and of one known user by another (noise).\n\n",
        );
        let number = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.0}"));
        let heads = ["row", "÷ OpenSSL (range)", "CPU ms", "p50 ms", "p99 ms"];
        let (timing, timed): (Vec<&Row>, Vec<&Row>) = logins.iter().partition(|row| row.cpu_us.is_none());
        let cells = |row: &&Row| {
            vec![
                row.name.clone(),
                row.ratio(),
                number(row.cpu_us.map(|us| us / 1e3)),
                number(row.p50_ms),
                number(row.p99_ms),
            ]
        };
        table(&mut text, &heads, timed.iter().map(cells));
        figures(&mut text, &timing);
    }
    sessions(&mut text, report);
    let is_other = |row: &&Row| row.cpu_us.is_none() && !row.name.starts_with("login") && !is_of_sessions(row);
    let others: Vec<&Row> = report.rows.iter().filter(is_other).collect();
    if !others.is_empty() {
        text.push_str(
            "## Memory, size, start-up\n\n`memory`: resident memory of the process before and after a million requests, each with \
             another token. `size`: the modules as they are uploaded, and compressed. `startup`: what is not idle in the profile \
             of `wrangler check startup`.\n\n",
        );
        figures(&mut text, &others);
    }
    while text.ends_with("\n\n") {
        text.pop();
    }
    text
}

fn table(text: &mut String, heads: &[&str], lines: impl Iterator<Item = Vec<String>>) {
    let _ = writeln!(text, "| {} |\n|{}", heads.join(" | "), "---|".repeat(2) + &"---:|".repeat(heads.len() - 2));
    for mut cells in lines {
        cells[0] = format!("`{}`", cells[0]);
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text.push('\n');
}

/// Rows that have figures of their own.
fn figures(text: &mut String, rows: &[&Row]) {
    if rows.is_empty() {
        return;
    }
    table(text, &["row", "figures"], rows.iter().map(|row| row.cells()[..2].to_vec()));
}

#[cfg(test)]
mod tests {
    use super::{SESSIONS, flatness, page};
    use crate::{
        report::{Beside, Elsewhere, Report, Row},
        statistics::Spread,
    };
    use serde_json::Map;

    fn report(rows: Vec<Row>) -> Report {
        Report {
            machine: Map::new(),
            versions: Map::new(),
            command: "cargo xtask bench --docs".into(),
            date: "2026-11-25".into(),
            note: None,
            rows,
            elsewhere: Vec::new(),
        }
    }

    fn beside(name: &str, ratios: [f64; 3]) -> Row {
        let beside = Some(Beside::of("none revoked", Spread::of(ratios)));
        Row { name: name.into(), cpu_us: Some(20.0), ratio_to_floor: Some(0.9), beside, ..Row::default() }
    }

    #[test]
    fn page_has_every_row_once() {
        let row =
            |name: &str| Row { name: name.into(), cpu_us: Some(20.0), ratio_to_floor: Some(0.9), ..Row::default() };
        let page = page(&report(vec![
            row("protected/tollgate"),
            beside("protected/tollgate-sessions", [1.0; 3]),
            beside("revoked/0", [1.0; 3]),
            Row { ratio_to_floor: None, ..row("refresh/stateless") },
            Row::of("snapshot/1000", &[("bytes", 64_000.0)]),
            row("login/tollgate"),
            row("login/known-device"),
            Row::of("login/under-attack", &[("judged", 16.0)]),
            Row::of("login-timing/noise", &[("median_ratio", 1.0)]),
            Row::of("size/tollgate", &[("kib", 100.0)]),
        ]));
        for name in [
            "protected/tollgate",
            "protected/tollgate-sessions",
            "revoked/0",
            "refresh/stateless",
            "snapshot/1000",
            "login/tollgate",
            "login/known-device",
            "login/under-attack",
            "login-timing/noise",
            "size/tollgate",
        ] {
            // The names that stand in a table of figures; that of what they mean has only two columns.
            let told = page.lines().filter(|line| line.starts_with(&format!("| `{name}` |")));
            let is_meaning = |line: &&str| SESSIONS.contains(*line);
            assert_eq!(told.filter(|line| !is_meaning(line)).count(), 1, "{name}\n{page}");
        }
        assert!(page.contains("Measured on 2026-11-25 by `cargo xtask bench --docs`."));
        assert!(!page.contains("Rows of other runs"));
    }

    #[test]
    fn page_says_of_which_runs_its_rows_are() {
        let mut report = report(vec![
            Row { name: "rules-1/tollgate".into(), cpu_us: Some(20.0), ..Row::default() },
            beside("revoked/0", [1.0; 3]),
        ]);
        for (command, row) in [("bench --only rules", "rules-1/tollgate"), ("bench --only revoked", "revoked/0")] {
            report.elsewhere.push(Elsewhere {
                command: command.into(),
                date: "2026-11-26".into(),
                note: None,
                versions: Map::new(),
                rows: vec![row.into()],
            });
        }
        let page = page(&report);
        let (head, sessions) = page.split_once("## Sessions").expect("a section");
        assert!(head.contains("- Measured on 2026-11-26 by `bench --only rules`") && !head.contains("only revoked"));
        assert!(sessions.contains("Measured on 2026-11-26 by `bench --only revoked`"));
    }

    #[test]
    fn flat_is_what_differs_no_more_than_a_gate_from_itself() {
        let told = |most: [f64; 3]| {
            let rows = vec![beside("revoked/0", [0.97, 1.0, 1.01]), beside("revoked/100000", most)];
            flatness(&report(rows), "revoked").expect("both rows")
        };
        assert!(told([0.97, 0.98, 1.0]).starts_with("`revoked`: flat within noise."));
        assert!(told([0.95, 1.02, 1.05]).starts_with("`revoked`: flat within noise."));
        assert!(told([0.90, 0.96, 1.0]).starts_with("`revoked`: not flat within noise."));
        assert_eq!(flatness(&report(Vec::new()), "revoked"), None);
    }
}
