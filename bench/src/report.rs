//! What was measured: rows of figures, written as JSON and as Markdown tables.

use serde::Serialize;
use serde_json::{Map, Value};
use std::fmt;

/// Several measurements of one thing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The middle one, or the mean of the two in the middle.
    pub median: f64,
    /// The smallest.
    pub least: f64,
    /// The largest.
    pub greatest: f64,
}

impl Spread {
    /// The spread of these values, of which there must be at least one.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (lower, upper) = ((values.len() - 1) / 2, values.len() / 2);
        let median = f64::midpoint(values[lower], values[upper]);
        Self { median, least: values[0], greatest: values[values.len() - 1] }
    }
}

/// The median of these values, of which there must be at least one.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    Spread::of(values).median
}

/// One line of a table.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The work, a slash, and the contender or the variant.
    pub name: String,
    /// In the order of the columns; null where only other rows of the table have the figure.
    #[serde(flatten)]
    figures: Map<String, Value>,
}

impl Row {
    /// A row without figures.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), figures: Map::new() }
    }

    /// Adds a figure, named with its unit.
    pub fn with(mut self, name: &str, value: impl Into<Option<f64>>) -> Self {
        let value = value.into().map(rounded).map(|it| if it.fract() == 0.0 { (it as i64).into() } else { it.into() });
        self.figures.insert(name.to_owned(), value.unwrap_or_default());
        self
    }

    /// Adds the median of a ratio, and its range under a name that begins with `range`.
    pub fn with_ratio(mut self, name: &str, range: &str, ratio: Option<Spread>) -> Self {
        self.figures.insert(name.to_owned(), ratio.map(|it| rounded(it.median)).into());
        let bounds = ratio.map(|it| vec![rounded(it.least), rounded(it.greatest)]);
        self.figures.insert(range.to_owned(), bounds.into());
        self
    }

    /// The cells of its line; a range stands in the cell of its ratio.
    fn cells(&self) -> Vec<String> {
        let mut cells = vec![format!("`{}`", self.name)];
        for (name, value) in &self.figures {
            match (value.as_array().map(Vec::as_slice), cells.last_mut()) {
                (Some([least, greatest]), Some(ratio)) => {
                    ratio.push_str(&format!(" ({}–{})", number(least), number(greatest)));
                }
                _ if is_range(name) => {}
                _ => cells.push(number(value)),
            }
        }
        cells
    }

    fn heads(&self) -> Vec<String> {
        let names = self.figures.keys().filter(|name| !is_range(name)).map(|name| {
            let words = name.split('_').map(|word| match word {
                "us" => "µs",
                "cpu" => "CPU",
                "kib" => "KiB",
                "mib" => "MiB",
                word => word,
            });
            words.collect::<Vec<_>>().join(" ")
        });
        std::iter::once("row".to_owned()).chain(names).collect()
    }
}

/// One line, with a head before each cell.
impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cells = self.heads().into_iter().zip(self.cells()).skip(1).filter(|(_, cell)| !cell.is_empty());
        let figures: Vec<String> = cells.map(|(head, cell)| format!("{head} {cell}")).collect();
        write!(f, "{}: {}", self.name, figures.join(", "))
    }
}

fn is_range(name: &str) -> bool {
    name.starts_with("range")
}

/// To three decimal places.
fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

/// A figure to about three significant digits; a whole number in full.
fn number(value: &Value) -> String {
    match (value.as_i64(), value.as_f64()) {
        (Some(whole), _) => whole.to_string(),
        (None, Some(value)) => match value.abs() {
            100.0.. => format!("{value:.0}"),
            10.0.. => format!("{value:.1}"),
            _ => format!("{value:.2}"),
        },
        (None, None) => String::new(),
    }
}

/// A whole run.
#[derive(Serialize)]
pub struct Report {
    /// Where it was measured.
    pub machine: Map<String, Value>,
    /// What was measured.
    pub versions: Map<String, Value>,
    /// The command that measures the same rows.
    pub command: String,
    /// The day in UTC, as `2026-11-25`.
    pub date: String,
    /// What was measured, in the order of the run.
    pub rows: Vec<Row>,
}

impl Report {
    /// The run as Markdown: where, when and how, then a table for each set of figures that rows have in common.
    pub fn markdown(&self) -> String {
        let list = |values: &Map<String, Value>| {
            let values = values.iter().map(|(name, value)| match value {
                Value::String(text) => format!("{name} {text}"),
                value => format!("{name} {value}"),
            });
            values.collect::<Vec<_>>().join(", ")
        };
        let mut tables: Vec<Vec<&Row>> = Vec::new();
        for row in &self.rows {
            match tables.iter_mut().find(|table| table[0].figures.keys().eq(row.figures.keys())) {
                Some(table) => table.push(row),
                None => tables.push(vec![row]),
            }
        }
        format!(
            "Measured on {} by `{}`.\n\n- **Machine:** {}\n- **Versions:** {}\n{}",
            self.date,
            self.command,
            list(&self.machine),
            list(&self.versions),
            tables.iter().map(|rows| table(rows)).collect::<String>()
        )
    }
}

/// A Markdown table in aligned columns, after a blank line.
fn table(rows: &[&Row]) -> String {
    let mut lines = vec![rows[0].heads()];
    lines.extend(rows.iter().map(|row| row.cells()));
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..lines[0].len()).map(width).collect();
    let rule = widths.iter().enumerate().map(|(at, &width)| {
        let dashes = "-".repeat(width + 1);
        if at == 0 { format!("|{dashes}-") } else { format!("|{dashes}:") }
    });
    let rule = rule.collect::<String>() + "|\n";
    let mut text = String::from("\n");
    for (number, line) in lines.iter().enumerate() {
        for (at, (cell, &width)) in line.iter().zip(&widths).enumerate() {
            text.push_str(&if at == 0 { format!("| {cell:<width$} ") } else { format!("| {cell:>width$} ") });
        }
        text.push_str("|\n");
        if number == 0 {
            text.push_str(&rule);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Report, Row, Spread};
    use serde_json::{Map, json};

    fn row(name: &str, ratio: Option<[f64; 3]>, cpu_us: f64) -> Row {
        Row::new(name).with_ratio("ratio_to_floor", "range", ratio.map(Spread::of)).with("cpu_us", cpu_us)
    }

    #[test]
    fn median_of_odd_and_even_counts() {
        assert_eq!(Spread::of([3.0, 1.0, 2.0]), Spread { median: 2.0, least: 1.0, greatest: 3.0 });
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 3.0]).median, 2.5);
        assert_eq!(Spread::of([7.0]), Spread { median: 7.0, least: 7.0, greatest: 7.0 });
    }

    #[test]
    fn json_has_each_figure_under_its_name() {
        let rows = [row("protected/tollgate", Some([0.95, 0.9712, 1.0]), 21.0), row("protected/flask", None, 692.84)];
        assert_eq!(
            json!(rows),
            json!([
                {"name": "protected/tollgate", "ratio_to_floor": 0.971, "range": [0.95, 1.0], "cpu_us": 21},
                {"name": "protected/flask", "ratio_to_floor": null, "range": null, "cpu_us": 692.84},
            ])
        );
    }

    #[test]
    fn markdown_has_a_table_for_each_set_of_figures() {
        let report = Report {
            machine: Map::from_iter([("cores".into(), 2.into())]),
            versions: Map::from_iter([("workerd".into(), "1.0".into())]),
            command: "cargo xtask bench".into(),
            date: "2026-11-25".into(),
            rows: vec![
                row("protected/floor", Some([1.0; 3]), 102.7),
                Row::new("size/tollgate").with("gzip_kib", 719.454),
                row("protected/flask", None, 1301.2),
            ],
        };
        assert_eq!(
            report.markdown(),
            "Measured on 2026-11-25 by `cargo xtask bench`.

- **Machine:** cores 2
- **Versions:** workerd 1.0

| row               |   ratio to floor | CPU µs |
|-------------------|-----------------:|-------:|
| `protected/floor` | 1.00 (1.00–1.00) |    103 |
| `protected/flask` |                  |   1301 |

| row             | gzip KiB |
|-----------------|---------:|
| `size/tollgate` |      719 |
"
        );
    }
}
