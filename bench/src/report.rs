//! What was measured: rows, and how they are written.

use crate::statistics::Spread;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{fs, path::PathBuf};

/// One line of the table.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Row {
    /// What was done, a slash, and who did it.
    pub name: String,
    /// CPU time a request of the floor ÷ that of the contender, measured at the same time: 1 is as fast as the floor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio_to_floor: Option<f64>,
    /// CPU time a log-in ÷ that of native OpenSSL: less is better.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio_to_openssl: Option<f64>,
    /// The least and the greatest of the rounds' ratios.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<[f64; 2]>,
    /// The same against another gate, measured at the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beside: Option<Beside>,
    /// Microseconds of CPU time a request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_us: Option<f64>,
    /// Answers a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_s: Option<f64>,
    /// Half of the answers took no longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50_ms: Option<f64>,
    /// 99 of 100 answers took no longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99_ms: Option<f64>,
    /// What only some rows have.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// Another gate's CPU time a request ÷ this one's: 1 is as fast as the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Beside {
    /// What the other gate is called.
    pub other: String,
    /// The ratio.
    pub ratio: f64,
    /// The least and the greatest of the rounds' ratios.
    pub range: [f64; 2],
}

impl Beside {
    /// The ratio of all rounds.
    pub fn of(other: &str, ratio: Spread) -> Self {
        let range = [rounded(ratio.least), rounded(ratio.greatest)];
        Self { other: other.to_owned(), ratio: rounded(ratio.median), range }
    }

    /// In words.
    pub fn ratio(&self) -> String {
        in_words(self.ratio, Some(self.range))
    }
}

fn in_words(ratio: f64, range: Option<[f64; 2]>) -> String {
    range.map_or_else(|| format!("{ratio:.2}"), |[least, most]| format!("{ratio:.2} ({least:.2}–{most:.2})"))
}

impl Row {
    /// A row of figures of its own.
    pub fn of(name: impl Into<String>, figures: &[(&str, f64)]) -> Self {
        let more = figures.iter().map(|&(figure, value)| (figure.to_owned(), rounded(value).into())).collect();
        Self { name: name.into(), more, ..Self::default() }
    }

    /// The ratio there is, and its range, in words.
    pub fn ratio(&self) -> String {
        let ratio = self.ratio_to_floor.or(self.ratio_to_openssl);
        ratio.map_or_else(String::new, |ratio| in_words(ratio, self.range))
    }

    /// The cells of its line in a table: name, ratio, and the rest.
    pub fn cells(&self) -> [String; 6] {
        let number =
            |value: Option<f64>, digits: usize| value.map_or_else(String::new, |value| format!("{value:.digits$}"));
        let mut cells = [
            self.name.clone(),
            self.ratio(),
            number(self.cpu_us, if self.cpu_us.is_some_and(|us| us >= 1000.0) { 0 } else { 1 }),
            number(self.requests_per_s, 0),
            number(self.p50_ms, 2),
            number(self.p99_ms, 2),
        ];
        let beside = self.beside.as_ref().map_or_else(String::new, |it| format!("{} to {}", it.ratio(), it.other));
        cells[1] = [std::mem::take(&mut cells[1]), beside, self.figures()]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join("; ");
        cells
    }

    /// What only this row has, in words.
    pub fn figures(&self) -> String {
        let more = self.more.iter().map(|(name, value)| format!("{} {value}", name.replace('_', " ")));
        more.collect::<Vec<_>>().join(", ")
    }
}

/// Three digits behind the point.
pub fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

/// All of it.
#[derive(Serialize, Deserialize)]
pub struct Report {
    /// Where it was measured.
    pub machine: Map<String, Value>,
    /// What was measured.
    pub versions: Map<String, Value>,
    /// How it was measured.
    pub command: String,
    /// The day, as 2026-11-25.
    pub date: String,
    /// What else is to be known: what the machine did meanwhile, say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What came out.
    pub rows: Vec<Row>,
    /// Those of these rows that were measured another time, if [`Self::read`] has put them in: how, and when.
    #[serde(skip)]
    pub elsewhere: Vec<Elsewhere>,
}

/// Where some rows come from.
pub struct Elsewhere {
    /// How they were measured.
    pub command: String,
    /// The day.
    pub date: String,
    /// What else is to be known.
    pub note: Option<String>,
    /// What was measured.
    pub versions: Map<String, Value>,
    /// Their names.
    pub rows: Vec<String>,
}

impl Elsewhere {
    /// When, how and of what it was measured, in a sentence or two.
    pub fn source(&self) -> String {
        source(&self.date, &self.command, &self.versions, self.note.as_deref())
    }
}

fn source(date: &str, command: &str, versions: &Map<String, Value>, note: Option<&str>) -> String {
    let tollgate = versions.get("tollgate").map(plain).unwrap_or_default();
    let note = note.map_or_else(String::new, |note| format!(" {note}"));
    format!("Measured on {date} by `{command}` (tollgate {tollgate}).{note}")
}

/// The columns' heads.
pub const HEADS: [&str; 6] = ["row", "ratio (range)", "CPU µs", "answers/s", "p50 ms", "p99 ms"];

impl Report {
    /// For other programs.
    pub fn json(&self) -> Value {
        serde_json::to_value(self).expect("members are named by text")
    }

    /// What [`Self::json`] gave, out of files: the rows of all of them, the rest of the first.
    ///
    /// # Errors
    /// If one is something else.
    pub fn read(files: &[PathBuf]) -> Result<Self> {
        let mut reports = files.iter().map(|file| -> Result<Self> {
            let text = fs::read(file).with_context(|| file.display().to_string())?;
            serde_json::from_slice(&text).with_context(|| file.display().to_string())
        });
        let mut report = reports.next().context("no file")??;
        for other in reports {
            let Self { command, date, note, versions, rows, .. } = other?;
            let names = rows.iter().map(|row| row.name.clone()).collect();
            report.elsewhere.push(Elsewhere { command, date, note, versions, rows: names });
            report.rows.extend(rows);
        }
        Ok(report)
    }

    /// When, how and of what a row was measured, in a sentence or two.
    pub fn source(&self, name: &str) -> String {
        match self.elsewhere.iter().find(|it| it.rows.iter().any(|row| row == name)) {
            Some(it) => it.source(),
            None => source(&self.date, &self.command, &self.versions, self.note.as_deref()),
        }
    }

    /// The row of this name.
    pub fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name)
    }

    /// For a screen.
    pub fn table(&self) -> String {
        let mut text = String::new();
        for (title, values) in [("machine", &self.machine), ("versions", &self.versions)] {
            let values: Vec<String> = values.iter().map(|(name, value)| format!("{name} {}", plain(value))).collect();
            text.push_str(&format!("{title}: {}\n", values.join(", ")));
        }
        text.push('\n');
        text.push_str(&table(&self.rows));
        text
    }
}

/// A value without quotation marks.
pub fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn table(rows: &[Row]) -> String {
    let lines: Vec<[String; 6]> =
        std::iter::once(HEADS.map(str::to_owned)).chain(rows.iter().map(Row::cells)).collect();
    let mut widths = [0; 6];
    for line in &lines {
        // A line with words of its own may be as long as it likes.
        let is_short = line[2..].iter().any(|cell| !cell.is_empty());
        for (width, cell) in widths.iter_mut().zip(line).take(if is_short { 6 } else { 1 }) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for line in lines {
        let cells: Vec<String> = line
            .iter()
            .zip(widths)
            .enumerate()
            .map(|(at, (cell, width))| if at < 2 { format!("{cell:<width$}") } else { format!("{cell:>width$}") })
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Beside, Elsewhere, Report, Row};
    use crate::statistics::Spread;
    use serde_json::{Map, json};

    fn report() -> Report {
        let measured = Row {
            name: "protected/tollgate".into(),
            ratio_to_floor: Some(0.97),
            range: Some([0.95, 0.99]),
            cpu_us: Some(21.34),
            requests_per_s: Some(20_000.0),
            p50_ms: Some(0.5),
            p99_ms: Some(1.25),
            ..Row::default()
        };
        Report {
            machine: Map::from_iter([("cores".into(), 2.into())]),
            versions: Map::from_iter([("workerd".into(), "1.0".into())]),
            command: "cargo xtask bench".into(),
            date: "2026-11-25".into(),
            note: None,
            rows: vec![measured, Row::of("size/tollgate", &[("bytes", 100.0)])],
            elsewhere: Vec::new(),
        }
    }

    #[test]
    fn json_has_what_was_measured_and_no_more() {
        assert_eq!(
            report().json()["rows"],
            json!([
                {"name": "protected/tollgate", "ratio_to_floor": 0.97, "range": [0.95, 0.99], "cpu_us": 21.34,
                 "requests_per_s": 20000.0, "p50_ms": 0.5, "p99_ms": 1.25},
                {"name": "size/tollgate", "bytes": 100.0},
            ])
        );
    }

    #[test]
    fn another_gate_stands_behind_the_floor() {
        let beside = Beside::of("none revoked", Spread::of([0.99, 1.0, 1.02]));
        let row = Row { ratio_to_floor: Some(0.9), range: Some([0.89, 0.91]), beside: Some(beside), ..Row::default() };
        assert_eq!(row.cells()[1], "0.90 (0.89–0.91); 1.00 (0.99–1.02) to none revoked");
        let json = serde_json::to_value(&row).expect("a row");
        assert_eq!(json["beside"], json!({"other": "none revoked", "ratio": 1.0, "range": [0.99, 1.02]}));
    }

    #[test]
    fn a_row_of_another_run_says_which() {
        let mut report = report();
        report.elsewhere.push(Elsewhere {
            command: "cargo xtask bench --only revoked".into(),
            date: "2026-11-26".into(),
            note: Some("The machine was busy.".into()),
            versions: Map::from_iter([("tollgate".into(), "0.1.0 (abc)".into())]),
            rows: vec!["revoked/0".into()],
        });
        assert_eq!(
            report.source("revoked/0"),
            "Measured on 2026-11-26 by `cargo xtask bench --only revoked` (tollgate 0.1.0 (abc)). The machine was busy."
        );
        assert!(report.source("protected/tollgate").starts_with("Measured on 2026-11-25 by `cargo xtask bench`"));
    }

    #[test]
    fn table_is_in_columns() {
        let table = report().table();
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines[0], "machine: cores 2");
        assert_eq!(lines[3], "row                 ratio (range)     CPU µs  answers/s  p50 ms  p99 ms");
        assert_eq!(lines[4], "protected/tollgate  0.97 (0.95–0.99)    21.3      20000    0.50    1.25");
        assert_eq!(lines[5], "size/tollgate       bytes 100.0");
    }
}
