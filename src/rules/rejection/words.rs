//! What a client reads of a rejection.

use std::borrow::Cow;

/// What a client reads of a rejection, before a dialect gives it its form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words<'r> {
    /// The HTTP status.
    pub status: u16,
    /// Flask-JWT's member `error`; mostly the reason phrase of the status.
    pub title: Cow<'r, str>,
    /// What happened, and if there is something to do, what.
    pub text: Cow<'r, str>,
}

impl<'r> Words<'r> {
    /// These words.
    pub fn new(status: u16, title: impl Into<Cow<'r, str>>, text: impl Into<Cow<'r, str>>) -> Self {
        Self { status, title: title.into(), text: text.into() }
    }
}
