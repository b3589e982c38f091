//! docs/performance.md and its chart.

use crate::{
    chart,
    report::{HEADS, Report, Row, plain},
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
disturbs one disturbs the other. Each round has fresh processes, started in alternating order and warmed up; told are the
median and the range of the rounds. The floor against itself (`…/floor`) shows the noise that is left.

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
| `refuse-unlogged` | `refuse` with `TOLLGATE_LOG = error`: by default Tollgate logs each refusal, the others log none |
| `forward` | a verified request forwarded to an origin; the floor only calls `fetch` |
| `protected-ALG`, `protected-first-ALG` | the same with tokens of that algorithm; the floor reads an HS256 token |
| `uncached` | `protected` with `TOLLGATE_TOKEN_CACHE = 0` |
| `rules-N` | the last of N rules |
| `token-…` | `protected` with tokens of that size; `-first`: each once |
| `log-…` | `protected` at that `TOLLGATE_LOG`; what is logged goes into a pipe that is read |

`hono` has no gate; `flask` is Flask-JWT-Extended under gunicorn, for reference: it is no worker and has no ratio.
";

fn page(report: &Report) -> String {
    let mut text = String::from("# Performance\n\n<!-- Written by `cargo xtask bench --docs`. -->\n\n");
    let list = |values: &Map<String, Value>| {
        let values: Vec<String> = values.iter().map(|(name, value)| format!("{name} {}", plain(value))).collect();
        values.join(", ")
    };
    let _ = write!(
        text,
        "![CPU time a request against a worker that verifies nothing](performance.svg)\n\n\
         Measured on {} by `{}`.\n\n- **Machine:** {}\n- **Versions:** {}\n\n{METHOD}\n",
        report.date,
        report.command,
        list(&report.machine),
        list(&report.versions),
    );
    let is_request = |row: &&Row| row.cpu_us.is_some() && !row.name.starts_with("login");
    let requests: Vec<&Row> = report.rows.iter().filter(is_request).collect();
    if !requests.is_empty() {
        let _ = write!(text, "## Requests\n\n{NAMES}\n");
        table(&mut text, &HEADS, requests.iter().map(|row| row.cells().to_vec()));
    }
    let logins: Vec<&Row> = report.rows.iter().filter(|row| row.name.starts_with("login")).collect();
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
    let others: Vec<&Row> =
        report.rows.iter().filter(|row| row.cpu_us.is_none() && !row.name.starts_with("login")).collect();
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
    use super::page;
    use crate::report::{Report, Row};
    use serde_json::Map;

    #[test]
    fn page_has_every_row_once() {
        let row =
            |name: &str| Row { name: name.into(), cpu_us: Some(20.0), ratio_to_floor: Some(0.9), ..Row::default() };
        let report = Report {
            machine: Map::new(),
            versions: Map::new(),
            command: "cargo xtask bench --docs".into(),
            date: "2026-11-25".into(),
            rows: vec![
                row("protected/tollgate"),
                row("login/tollgate"),
                Row::of("login-timing/noise", &[("median_ratio", 1.0)]),
                Row::of("size/tollgate", &[("kib", 100.0)]),
            ],
        };
        let page = page(&report);
        for name in ["protected/tollgate", "login/tollgate", "login-timing/noise", "size/tollgate"] {
            assert_eq!(page.matches(&format!("| `{name}` |")).count(), 1, "{name}\n{page}");
        }
        assert!(page.contains("Measured on 2026-11-25 by `cargo xtask bench --docs`."));
    }
}
