//! docs/performance.svg: bars of the most telling rows, for light and dark pages.

use crate::report::{Report, Row};
use std::fmt::Write;

/// Kinds of rows that are drawn, and what they are called.
const KINDS: [(&str, &str); 5] = [
    ("protected", "A token seen before"),
    ("protected-first", "Each token for the first time"),
    ("protected-zipf", "A thousand users, drawn by Zipf’s law"),
    ("refuse", "A forged token refused, each another"),
    ("forward", "Verified and forwarded to an origin"),
];

/// Who is drawn, and how they are called.
const NAMES: [(&str, &str); 5] = [
    ("tollgate", "Tollgate"),
    ("hono", "hono, no gate"),
    ("hono-jwt", "hono/jwt"),
    ("jose", "jose"),
    ("workers-rs", "workers-rs, jwt-compact"),
];

/// Those of the log-in.
const LOG_INS: [(&str, &str); 5] = [
    ("tollgate", "Tollgate"),
    ("noble", "@noble/hashes"),
    ("hash-wasm", "hash-wasm"),
    ("hashlib", "OpenSSL, Python hashlib"),
    ("openssl", "OpenSSL, Node"),
];

const WIDTH: f64 = 760.0;
const LEFT: f64 = 210.0;
const RIGHT: f64 = 84.0;
const BAR: f64 = 14.0;
const STEP: f64 = 20.0;

const STYLE: &str = "
  text { font: 13px system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif; fill: #1f2328 }
  .card { fill: #ffffff; stroke: #d1d9e0 }
  .title { font-size: 18px; font-weight: 600 }
  .group { font-weight: 600 }
  .quiet { fill: #59636e; font-size: 12px }
  .label { text-anchor: end }
  .bar { fill: #afb8c1 }
  .ours { fill: #d9480f }
  .value { font-variant-numeric: tabular-nums; text-anchor: end }
  .middle { text-anchor: middle }
  .own { font-weight: 600 }
  .range { stroke: #1f2328; stroke-width: 1.25; opacity: .65 }
  .floor { stroke: #59636e; stroke-width: 1; stroke-dasharray: 4 3 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc }
    .card { fill: #0d1117; stroke: #3d444d }
    .quiet { fill: #9198a1 }
    .bar { fill: #545d68 }
    .ours { fill: #ff8b45 }
    .range { stroke: #f0f6fc }
    .floor { stroke: #9198a1 }
  }
";

/// The chart of what was measured, as SVG.
pub fn chart(report: &Report) -> String {
    let groups: Vec<(&str, Vec<Bar>)> =
        KINDS.iter().map(|&(kind, title)| (title, bars(report, kind))).filter(|(_, bars)| !bars.is_empty()).collect();
    let most = groups.iter().flat_map(|(_, bars)| bars).map(|bar| bar.most).fold(1.0, f64::max);
    let scale = (WIDTH - LEFT - RIGHT) / (most * 1.02);
    let mut drawing = Drawing { svg: String::new(), y: 40.0 };
    drawing.text(24.0, "title", "How near to no gate at all");
    drawing.y += 22.0;
    drawing.text(
        24.0,
        "quiet",
        "CPU time of a request in workerd, against a JavaScript worker that verifies nothing (1.0), at the same time.",
    );
    drawing.y += 17.0;
    drawing.text(24.0, "quiet", "Longer is better. Thin lines: the range of the rounds.");
    drawing.y += 16.0;
    let floor = LEFT + scale;
    drawing.y += 14.0;
    drawing.text(floor, "quiet middle", "no gate: 1.0");
    let (line, top) = (drawing.svg.len(), drawing.y + 6.0);
    drawing.y -= 14.0;
    for (title, bars) in &groups {
        drawing.group(title, bars, scale);
    }
    let (x, bottom) = (format!("{floor:.1}"), drawing.y - 4.0);
    // Behind the bars.
    let floor = format!("<line class=\"floor\" x1=\"{x}\" x2=\"{x}\" y1=\"{top:.1}\" y2=\"{bottom:.1}\"/>\n");
    drawing.svg.insert_str(line, &floor);
    let logins = logins(report);
    if !logins.is_empty() {
        drawing.y += 30.0;
        drawing.text(24.0, "title", "A log-in: 600,000 rounds of PBKDF2");
        drawing.y += 20.0;
        drawing.text(
            24.0,
            "quiet",
            "CPU time against native OpenSSL’s, as Python’s hashlib calls it. Shorter is better.",
        );
        let most = logins.iter().map(|bar| bar.value).fold(1.0, f64::max);
        drawing.group("", &logins, (WIDTH - LEFT - RIGHT) / most);
    }
    drawing.y += 22.0;
    let machine = ["cpu", "cores"].map(|name| report.machine.get(name).map(crate::report::plain).unwrap_or_default());
    let workerd = report.versions.get("workerd").map(crate::report::plain).unwrap_or_default();
    let foot =
        format!("{} · {}, {} cores · workerd {workerd} · cargo xtask bench", report.date, machine[0], machine[1]);
    drawing.text(24.0, "quiet", &foot);
    let height = drawing.y + 20.0;
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" aria-labelledby="title">
<title id="title">{}</title>
<style>{STYLE}</style>
<rect class="card" x="0.5" y="0.5" width="{}" height="{}" rx="10"/>
{}</svg>
"#,
        escaped(&summary(report)),
        WIDTH - 1.0,
        height - 1.0,
        drawing.svg
    )
}

/// One bar.
struct Bar {
    label: &'static str,
    is_ours: bool,
    value: f64,
    range: Option<[f64; 2]>,
    most: f64,
    text: String,
}

fn bars(report: &Report, kind: &str) -> Vec<Bar> {
    let bar = |&(name, label): &(&str, &'static str)| {
        let row = report.row(&format!("{kind}/{name}"))?;
        let value = row.ratio_to_floor?;
        let most = row.range.map_or(value, |[_, most]| most);
        Some(Bar { label, is_ours: name == "tollgate", value, range: row.range, most, text: format!("{value:.2}") })
    };
    // hono without a gate refuses nobody.
    NAMES.iter().filter(|(name, _)| *name != "hono" || kind != "refuse").filter_map(bar).collect()
}

fn logins(report: &Report) -> Vec<Bar> {
    let bar = |&(name, label): &(&str, &'static str)| {
        let row: &Row = report.row(&format!("login/{name}"))?;
        let value = row.ratio_to_openssl?;
        Some(Bar {
            label, is_ours: name == "tollgate", value, range: None, most: value, text: format!("{value:.1} ×")
        })
    };
    LOG_INS.iter().filter_map(bar).collect()
}

/// For those who don't see it.
fn summary(report: &Report) -> String {
    let told = KINDS.iter().filter_map(|(kind, title)| {
        let row = report.row(&format!("{kind}/tollgate"))?;
        Some(format!("{title}: {:.2}", row.ratio_to_floor?))
    });
    format!(
        "Tollgate's CPU time a request against a worker that verifies nothing. {}",
        told.collect::<Vec<_>>().join(". ")
    )
}

struct Drawing {
    svg: String,
    y: f64,
}

impl Drawing {
    fn text(&mut self, x: f64, class: &str, text: &str) {
        let _ = writeln!(self.svg, r#"<text class="{class}" x="{x:.1}" y="{:.1}">{}</text>"#, self.y, escaped(text));
    }

    /// Bars under a title.
    fn group(&mut self, title: &str, bars: &[Bar], scale: f64) {
        if !title.is_empty() {
            self.y += 24.0;
            self.text(24.0, "group", title);
        }
        self.y += 9.0;
        for bar in bars {
            let (own, fill) = if bar.is_ours { (" own", "ours") } else { ("", "bar") };
            let (y, middle) = (self.y, self.y + BAR / 2.0);
            self.y += BAR - 2.5;
            self.text(LEFT - 10.0, &format!("label{own}"), bar.label);
            let _ = writeln!(
                self.svg,
                r#"<rect class="{fill}" x="{LEFT}" y="{y:.1}" width="{:.1}" height="{BAR}" rx="2"/>"#,
                bar.value * scale
            );
            if let Some([least, most]) = bar.range {
                let (from, to) = (LEFT + least * scale, LEFT + most * scale);
                let _ = writeln!(
                    self.svg,
                    r#"<line class="range" x1="{from:.1}" x2="{to:.1}" y1="{middle:.1}" y2="{middle:.1}"/>"#
                );
            }
            self.text(WIDTH - 24.0, &format!("value{own}"), &bar.text);
            self.y = y + STEP;
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::chart;
    use crate::report::{Report, Row};
    use serde_json::Map;

    #[test]
    fn chart_has_a_bar_for_each_row_that_is_drawn() {
        let row = |name: &str| Row {
            name: name.into(),
            ratio_to_floor: Some(0.5),
            range: Some([0.4, 0.6]),
            ratio_to_openssl: Some(2.0),
            ..Row::default()
        };
        let report = Report {
            machine: Map::new(),
            versions: Map::new(),
            command: String::new(),
            date: String::new(),
            note: None,
            rows: ["protected/tollgate", "protected/jose", "refuse/hono", "rules-1/tollgate", "login/openssl"]
                .map(row)
                .into(),
            elsewhere: Vec::new(),
        };
        let svg = chart(&report);
        assert_eq!(svg.matches("<rect class=\"bar\"").count(), 2);
        assert_eq!(svg.matches("<rect class=\"ours\"").count(), 1);
        assert!(svg.contains(">0.50</text>"));
    }
}
