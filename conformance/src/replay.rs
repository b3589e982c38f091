//! Replays files of recorded transcripts and compares the answers (docs/compat/transcripts.md#replay).

use crate::{
    differences,
    player::Player,
    transcript::{Case, Library},
};
use std::fmt;

/// The results of a file.
#[derive(Default)]
pub struct Tally {
    /// Cases answered as recorded.
    pub matched: usize,
    /// Cases that differ, with the row of the table that allows it.
    pub documented: Vec<(String, &'static str)>,
    /// Cases that differ without such a row, described.
    pub mismatches: Vec<String>,
    /// Cases that can't be played here, with the reason.
    pub left_out: Vec<(String, String)>,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (documented, mismatched) = (self.documented.len(), self.mismatches.len());
        write!(f, "{} matched, {documented} differ as documented, {mismatched} mismatched", self.matched)?;
        match self.left_out.len() {
            0 => Ok(()),
            left_out => write!(f, " ({left_out} left out, by name above)"),
        }
    }
}

/// Replays a file.
///
/// # Errors
/// A line can't be read, or a case has a member or value that is not known here.
pub fn file<P: Player>(text: &str, player: &mut P) -> Result<Tally, String> {
    let (mut tally, library) = (Tally::default(), Library::of(text));
    let mut cases = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let case: Case = serde_json::from_str(line).map_err(|error| format!("line {}: {error}", number + 1))?;
        cases.push(Case { library, ..case });
    }
    for (case, played) in cases.iter().zip(player.play(&cases)?) {
        let exchange = match played {
            Ok(exchange) => exchange,
            Err(reason) => {
                tally.left_out.push((case.name.clone(), reason));
                continue;
            }
        };
        let differences = exchange.differences(P::TOLERANCE);
        if differences.is_empty() {
            tally.matched += 1;
        } else if let Some(row) = differences::allowing(&exchange)? {
            tally.documented.push((case.name.clone(), row));
        } else {
            tally.mismatches.push(format!(
                "MISMATCH {}: {}\n  expected {} {:?}\n  got      {} {:?}",
                case.name,
                differences.join("; "),
                case.status,
                case.body,
                exchange.ours.status,
                exchange.ours.body
            ));
        }
    }
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::Native;

    #[test]
    fn every_recorded_case_matches_or_differs_as_documented_and_every_row_is_needed() {
        let mut rows = Vec::new();
        for recorded in [
            include_str!("../../tests/transcripts/flask_jwt.jsonl"),
            include_str!("../../tests/transcripts/flask_jwt_more.jsonl"),
            include_str!("../../tests/transcripts/flask_jwt_extended.jsonl"),
            include_str!("../../tests/transcripts/flask_jwt_extended_more.jsonl"),
        ] {
            let tally = file(recorded, &mut Native).unwrap();
            assert!(tally.mismatches.is_empty(), "{}", tally.mismatches.join("\n"));
            assert_eq!(tally.matched + tally.documented.len(), recorded.lines().count());
            rows.extend(tally.documented.into_iter().map(|(_, row)| row));
        }
        for row in differences::names() {
            assert!(rows.contains(&row), "no case needs {row}");
        }
    }

    #[test]
    fn a_wrong_answer_is_a_mismatch_and_an_unknown_configuration_an_error() {
        let first = include_str!("../../tests/transcripts/flask_jwt.jsonl").lines().next().unwrap();
        let changed = first.replace("\"status\": 200", "\"status\": 201");
        assert_eq!(file(&changed, &mut Native).unwrap().mismatches.len(), 1);
        for unknown in
            [r#""config": {"X": 1}"#, r#""config": {"hook": "X"}"#, r#""config": {"JWT_LEEWAY": "timedelta(X=1)"}"#]
        {
            assert!(file(&first.replace(r#""config": {}"#, unknown), &mut Native).is_err(), "{unknown}");
        }
    }
}
