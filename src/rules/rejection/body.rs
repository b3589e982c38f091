//! Rejections of a request's body.

use super::Words;

/// Why a body was not read to its end, or is malformed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyRejection {
    /// The body is not JSON, or not an object.
    NotAnObject,
    /// A member's text is too long.
    FieldTooLong {
        /// The name of the member.
        field: String,
        /// Maximum number of bytes.
        limit: usize,
    },
    /// The body is too long.
    TooLarge {
        /// Maximum number of bytes; `None` if the declared length is too large to be forwarded.
        limit: Option<usize>,
    },
    /// The gate is reading as many bodies as it can hold at once.
    TooMany,
    /// The body stopped before its end.
    Interrupted,
    /// The body did not arrive in time.
    TooSlow,
}

impl BodyRejection {
    pub(in crate::rules) const fn code(&self) -> &'static str {
        match self {
            Self::NotAnObject => "body_not_an_object",
            Self::FieldTooLong { .. } => "field_too_long",
            Self::TooLarge { .. } => "body_too_large",
            Self::TooMany => "too_many_bodies",
            Self::Interrupted => "body_interrupted",
            Self::TooSlow => "body_too_slow",
        }
    }

    pub(in crate::rules) fn words(&self) -> Words<'_> {
        match self {
            Self::NotAnObject => {
                Words::new(400, "Bad Request", "The body must be one JSON object in UTF-8, without repeated members")
            }
            Self::FieldTooLong { field, limit } => {
                Words::new(400, "Bad Request", format!("{field} is longer than {limit} bytes"))
            }
            Self::TooLarge { limit: Some(limit) } => {
                Words::new(413, "Request Entity Too Large", format!("The body is longer than {limit} bytes"))
            }
            Self::TooLarge { limit: None } => {
                Words::new(413, "Request Entity Too Large", "The declared length of the body is too large")
            }
            Self::TooMany => {
                Words::new(503, "Service Unavailable", "Too many request bodies are being read; try again")
            }
            Self::Interrupted => Words::new(400, "Bad Request", "The body stopped before its end"),
            Self::TooSlow => Words::new(408, "Request Timeout", "Timed out reading the request body"),
        }
    }
}
