//! The table of deliberate differences: a rule a row, with a predicate over the request, the recorded answer and the
//! gate's. A difference that no row allows is a mismatch. docs/differences.md is the same table in words; a test
//! compares the names.

pub mod flask_jwt;
pub mod flask_jwt_extended;
mod row;

use crate::transcript::{Exchange, Library};
pub use row::Row;

/// The name of the row that allows this difference, if one does.
///
/// # Errors
/// The recorded configuration has a member or value that is not known here.
pub fn allowing(exchange: &Exchange<'_>) -> Result<Option<&'static str>, String> {
    match exchange.case.library {
        Library::FlaskJwt => flask_jwt::allowing(exchange),
        Library::FlaskJwtExtended => flask_jwt_extended::allowing(exchange),
    }
}

/// The names of all rows, of both libraries.
pub fn names() -> impl Iterator<Item = &'static str> {
    flask_jwt::ROWS.iter().chain(flask_jwt_extended::ROWS).map(|row| row.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_and_the_table_have_the_same_rows() {
        let page = include_str!("../../../docs/differences.md");
        let named: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
        assert_eq!(named, names().collect::<Vec<_>>());
    }
}
