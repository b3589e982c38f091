//! Where a token is looked for: Flask-JWT's default request handler (facts 4.1).
//!
//! **What always holds:** only the `Authorization` header is read; its words are parted by spaces and tabs, not by all
//! that Python calls white space. The token is not judged here.

use super::error::Refusal;

/// The token in an `Authorization` header. `realm` is for the challenge if there is none.
///
/// # Errors
/// The first refusal of facts 4.1.
pub fn from_authorization<'h>(header: Option<&'h str>, prefix: &str, realm: &str) -> Result<&'h str, Refusal> {
    let mut words = header.unwrap_or_default().split([' ', '\t']).filter(|word| !word.is_empty());
    let Some(scheme) = words.next() else {
        return Err(Refusal::MissingToken { realm: realm.to_owned() });
    };
    if !scheme.eq_ignore_ascii_case(prefix) {
        return Err(Refusal::UnsupportedScheme);
    }
    match (words.next(), words.next()) {
        (None, _) => Err(Refusal::TokenMissingAfterScheme),
        (Some(token), None) => Ok(token),
        (Some(_), Some(_)) => Err(Refusal::TokenContainsSpaces),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_read_in_flask_jwts_order() {
        let missing = Err(Refusal::MissingToken { realm: "R".into() });
        for (header, outcome) in [
            (None, missing.clone()),
            (Some(""), missing.clone()),
            (Some(" \t "), missing),
            (Some("JWT t"), Ok("t")),
            (Some("jwt t"), Ok("t")),
            (Some("JWT  \t t "), Ok("t")),
            (Some("Bearer t"), Err(Refusal::UnsupportedScheme)),
            (Some("Bearer a b c"), Err(Refusal::UnsupportedScheme)),
            (Some("t"), Err(Refusal::UnsupportedScheme)),
            (Some("JWT,t"), Err(Refusal::UnsupportedScheme)),
            (Some("JWT\u{a0}t"), Err(Refusal::UnsupportedScheme)),
            (Some("JWT"), Err(Refusal::TokenMissingAfterScheme)),
            (Some("JWT "), Err(Refusal::TokenMissingAfterScheme)),
            (Some("JWT a b"), Err(Refusal::TokenContainsSpaces)),
            (Some("JWT t, Basic x"), Err(Refusal::TokenContainsSpaces)),
            (Some("JWT \"t\""), Ok("\"t\"")),
        ] {
            assert_eq!(from_authorization(header, "JWT", "R"), outcome, "{header:?}");
        }
        assert_eq!(from_authorization(Some("bearer t"), "Bearer", "R"), Ok("t"));
    }
}
