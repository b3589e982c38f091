//! The search for a token: Flask-JWT's default request handler (docs/compat/flask-jwt.md#finding-the-token).
//!
//! **What always holds:** only the `Authorization` header is read; its words are separated by spaces and tabs, not by
//! all that Python calls white space. The token is not judged here.

use crate::rules::rejection::CredentialRejection;
use std::borrow::Cow;

/// The token in an `Authorization` header. `realm` is that of the challenge if there is no token.
///
/// # Errors
/// The first refusal of docs/compat/flask-jwt.md#finding-the-token, rows 4 to 7.
pub fn from_authorization<'h>(
    header: Option<Cow<'h, str>>,
    prefix: &str,
    realm: &str,
) -> Result<Cow<'h, str>, CredentialRejection> {
    match header.unwrap_or_default() {
        Cow::Borrowed(header) => token(header, prefix, realm).map(Cow::Borrowed),
        Cow::Owned(header) => token(&header, prefix, realm).map(|token| Cow::Owned(token.to_owned())),
    }
}

fn token<'h>(header: &'h str, prefix: &str, realm: &str) -> Result<&'h str, CredentialRejection> {
    // Nearly all headers are two words with one space. Splitting on two characters looks at each character of the
    // token, and costs more than the lookup in the cache (0.5 µs of 0.9 µs a decision).
    if let Some((scheme, token)) = header.split_once(' ')
        && scheme.eq_ignore_ascii_case(prefix)
        && !token.is_empty()
        && memchr::memchr2(b' ', b'\t', token.as_bytes()).is_none()
    {
        return Ok(token);
    }
    let mut words = header.split([' ', '\t']).filter(|word| !word.is_empty());
    let Some(scheme) = words.next() else {
        return Err(CredentialRejection::Missing { realm: realm.to_owned() });
    };
    if !scheme.eq_ignore_ascii_case(prefix) {
        return Err(CredentialRejection::UnsupportedScheme);
    }
    match (words.next(), words.next()) {
        (None, _) => Err(CredentialRejection::MissingAfterScheme),
        (Some(token), None) => Ok(token),
        (Some(_), Some(_)) => Err(CredentialRejection::ContainsSpaces),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_read_in_flask_jwts_order() {
        let missing = Err(CredentialRejection::Missing { realm: "R".into() });
        for (header, outcome) in [
            (None, missing.clone()),
            (Some(""), missing.clone()),
            (Some(" \t "), missing),
            (Some("JWT t"), Ok("t")),
            (Some("jwt t"), Ok("t")),
            (Some("JWT  \t t "), Ok("t")),
            (Some("JWT \tt"), Ok("t")),
            (Some("JWT\tt"), Ok("t")),
            (Some(" JWT t"), Ok("t")),
            (Some("Bearer t"), Err(CredentialRejection::UnsupportedScheme)),
            (Some("Bearer a b c"), Err(CredentialRejection::UnsupportedScheme)),
            (Some("t"), Err(CredentialRejection::UnsupportedScheme)),
            (Some("JWT,t"), Err(CredentialRejection::UnsupportedScheme)),
            (Some("JWT\u{a0}t"), Err(CredentialRejection::UnsupportedScheme)),
            (Some("JWT"), Err(CredentialRejection::MissingAfterScheme)),
            (Some("JWT "), Err(CredentialRejection::MissingAfterScheme)),
            (Some("JWT a b"), Err(CredentialRejection::ContainsSpaces)),
            (Some("JWT t, Basic x"), Err(CredentialRejection::ContainsSpaces)),
            (Some("JWT \"t\""), Ok("\"t\"")),
        ] {
            for header in [header.map(Cow::Borrowed), header.map(|header| Cow::Owned(header.to_owned()))] {
                assert_eq!(
                    from_authorization(header.clone(), "JWT", "R").as_deref(),
                    outcome.as_ref().copied(),
                    "{header:?}"
                );
            }
        }
        assert_eq!(from_authorization(Some("bearer t".into()), "Bearer", "R"), Ok("t".into()));
    }
}
