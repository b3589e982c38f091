//! What a client reads of a rejection.

use std::borrow::Cow;

/// What a client reads of a rejection. The dialect gives it its form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words<'r> {
    /// The HTTP status.
    pub status: u16,
    /// Flask-JWT's member `error`, usually the reason phrase of the status.
    pub title: Cow<'r, str>,
    /// What happened, and what to do if there is something.
    pub text: Cow<'r, str>,
}

impl<'r> Words<'r> {
    /// Words with these parts.
    pub fn new(status: u16, title: impl Into<Cow<'r, str>>, text: impl Into<Cow<'r, str>>) -> Self {
        Self { status, title: title.into(), text: text.into() }
    }
}
