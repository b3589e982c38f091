//! As much of a request as the rules read: plain values, borrowed.

use std::borrow::Cow;

/// The header fields of a request.
pub trait Headers {
    /// A field's value, `name` in lower case; several fields of one name joined by commas.
    fn get(&self, name: &str) -> Option<Cow<'_, str>>;
}

/// A list of fields, names in lower case.
impl<const N: usize> Headers for [(&str, &str); N] {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        self.iter().find(|(known, _)| *known == name).map(|&(_, value)| value.into())
    }
}

/// As much of a request as a decision needs. The body is asked for where it is needed.
#[derive(Clone, Copy)]
pub struct Request<'r> {
    /// The method, in capitals as sent.
    pub method: &'r str,
    /// The path as it stands in the URL, escapes and all.
    pub path: &'r str,
    /// The query without its `?`.
    pub query: Option<&'r str>,
    /// The header fields.
    pub headers: &'r dyn Headers,
}
