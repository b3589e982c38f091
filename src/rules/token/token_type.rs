//! Access or refresh token (RFC 6749 §1.4, §1.5).

/// What a token is good for. Flask-JWT issues access tokens alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenType {
    /// It opens protected routes.
    #[default]
    Access,
    /// It gets new access tokens from the refresh endpoint.
    Refresh,
}

impl TokenType {
    /// Both, in the order in which they are issued.
    pub const ALL: [Self; 2] = [Self::Access, Self::Refresh];

    /// The value of the claim `type` in Flask-JWT-Extended's tokens.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Refresh => "refresh",
        }
    }
}
