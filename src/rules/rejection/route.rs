//! Rejections of a path or method.

use super::Words;

/// Why a path or method is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RouteRejection {
    /// No rule matches this path.
    NotFound,
    /// The rule's target is the static files, and none has this name.
    FileNotFound,
    /// A rule matches the path, but not with this method.
    MethodNotAllowed {
        /// The value of the `Allow` header: the allowed methods.
        allow: String,
    },
    /// `JWT_AUTH_URL_RULE` ends with a slash, and the path lacks it: Flask redirects clients
    /// (docs/compat/flask-jwt.md#flasks-own-answers).
    MissingLastSlash {
        /// Path and query to redirect to.
        location: String,
    },
    /// The path can be read in more than one way, so gate and origin could take it for different paths.
    AmbiguousPath(PathFault),
}

/// What makes a path ambiguous.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathFault {
    /// A `%` without two hexadecimal digits after it, or bytes that are not UTF-8.
    BadEscape,
    /// `%2f`, `%5c`, a backslash, or an escaped dot segment: only some readers see a separator there.
    HiddenSeparator,
    /// A control character.
    ControlCharacter,
    /// `%25` before two hexadecimal digits: an escape that appears when the path is decoded twice.
    DoubleEscape,
    /// `//`.
    EmptySegment,
    /// Read without regard to case, `;` parameters or a last slash, the path matches another rule.
    OtherRuleInAnotherReading,
}

impl RouteRejection {
    pub(in crate::rules) const fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::FileNotFound => "file_not_found",
            Self::MethodNotAllowed { .. } => "method_not_allowed",
            Self::MissingLastSlash { .. } => "path_last_slash",
            Self::AmbiguousPath(fault) => match fault {
                PathFault::BadEscape => "path_bad_escape",
                PathFault::HiddenSeparator => "path_hidden_separator",
                PathFault::ControlCharacter => "path_control_character",
                PathFault::DoubleEscape => "path_double_escape",
                PathFault::EmptySegment => "path_empty_segment",
                PathFault::OtherRuleInAnotherReading => "path_ambiguous",
            },
        }
    }

    pub(in crate::rules) fn words(&self) -> Words<'_> {
        match self {
            Self::NotFound => Words::new(404, "Not Found", "No rule of this gate names the path"),
            Self::FileNotFound => Words::new(404, "Not Found", "There is no such file"),
            Self::MethodNotAllowed { .. } => Words::new(405, "Method Not Allowed", "Method not allowed for this path"),
            Self::MissingLastSlash { .. } => Words::new(308, "Permanent Redirect", "The path ends with a slash"),
            Self::AmbiguousPath(fault) => {
                let text = match fault {
                    PathFault::BadEscape => "The path has a bad percent escape",
                    PathFault::HiddenSeparator => "The path hides a separator or dot segment in an escape",
                    PathFault::ControlCharacter => "The path has a control character",
                    PathFault::DoubleEscape => "The path has an escape of an escape",
                    PathFault::EmptySegment => "The path has an empty segment (//)",
                    PathFault::OtherRuleInAnotherReading => {
                        "Ambiguous path: a case-insensitive or normalised reading matches another rule"
                    }
                };
                Words::new(400, "Bad Request", text)
            }
        }
    }
}
