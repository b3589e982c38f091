//! Rejections of a request in which no token was found, worded by each dialect.

/// Why no token was found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CredentialRejection {
    // Flask-JWT's search (docs/compat/flask-jwt.md#finding-the-token, rows 4 to 7).
    /// There is no token in the request.
    Missing {
        /// The realm of the challenge.
        realm: String,
    },
    /// The first word of the header is not the configured prefix.
    UnsupportedScheme,
    /// The header has the prefix and no token.
    MissingAfterScheme,
    /// The header has more than two words.
    ContainsSpaces,

    // Flask-JWT-Extended's search (docs/compat/flask-jwt-extended.md#finding-the-token and #csrf).
    /// There is no token in any of these places, in the order of the search.
    Nowhere(Vec<Absent>),
    /// The header has the right first word, but not one word after it.
    BadHeader {
        /// The name of the header.
        name: String,
        /// Its first word; empty if the configuration has none.
        scheme: String,
    },
    /// The query parameter does not begin with the prefix.
    BadQueryPrefix {
        /// The name of the parameter.
        name: String,
        /// The prefix.
        prefix: String,
    },
    /// The member of the body that should be the token is not a string.
    NotText,
    /// A token in a cookie has no CSRF value beside it, and the method needs one.
    CsrfMissing,
}

/// Why there is no token in a place that was searched. The names are the configuration's.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Absent {
    /// No such header.
    Header {
        /// Its name.
        name: String,
    },
    /// The header has no entry with this first word.
    Scheme {
        /// The header's name.
        name: String,
        /// The first word.
        scheme: String,
    },
    /// No such cookie.
    Cookie {
        /// Its name.
        name: String,
    },
    /// No such query parameter.
    QueryParameter {
        /// Its name.
        name: String,
    },
    /// The body is not declared as JSON.
    JsonMediaType,
    /// The body has no such member.
    JsonMember {
        /// Its name.
        name: String,
    },
}

impl CredentialRejection {
    pub(in crate::rules) const fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } | Self::Nowhere(_) => "token_missing",
            Self::UnsupportedScheme => "token_scheme",
            Self::MissingAfterScheme => "token_missing_after_scheme",
            Self::ContainsSpaces => "token_spaces",
            Self::BadHeader { .. } => "token_header_form",
            Self::BadQueryPrefix { .. } => "token_query_prefix",
            Self::NotText => "token_not_text",
            Self::CsrfMissing => "csrf_missing",
        }
    }
}
