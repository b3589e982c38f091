//! Rejections of callers without permission.

use super::Words;

/// Why the caller may not make this request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PermissionRejection {
    /// A WebSocket handshake with a token in a cookie, from another site's page or from no page (`Origin`).
    ForeignSocket,
    /// The request comes from a country or an address that the rule does not allow.
    ForbiddenPlace,
    /// The token's claims do not meet the rule's `require`.
    InsufficientPermissions,
    /// More requests than the limiter of the rule's `rate` allows.
    TooManyRequests,
    /// The secret of the operators' endpoint is wrong or missing.
    NotTheOperator,
    /// An operator's command that is unknown or incomplete.
    BadCommand,
    /// With the operator's change the user's attributes, or the claims that are made of them, would be too long.
    AttributesTooLong,
    /// The operator changes attributes of a user who was deleted since the command has read the store.
    UserDeleted,
}

impl PermissionRejection {
    pub(in crate::rules) const fn code(&self) -> &'static str {
        match self {
            Self::ForeignSocket => "websocket_origin",
            Self::ForbiddenPlace => "place_forbidden",
            Self::InsufficientPermissions => "insufficient_permissions",
            Self::TooManyRequests => "rate_exceeded",
            Self::NotTheOperator => "operator_unknown",
            Self::BadCommand => "bad_command",
            Self::AttributesTooLong => "attributes_too_long",
            Self::UserDeleted => "user_deleted",
        }
    }

    pub(in crate::rules) fn words(&self) -> Words<'_> {
        match self {
            Self::ForeignSocket => Words::new(
                403,
                "Forbidden",
                "WebSocket refused: the token is in a cookie and Origin is not this gate's",
            ),
            Self::ForbiddenPlace => {
                Words::new(403, "Forbidden", "Requests from this country or address are not allowed")
            }
            Self::InsufficientPermissions => Words::new(403, "Forbidden", "Insufficient permissions"),
            Self::TooManyRequests => Words::new(429, "Too Many Requests", "Too many requests; try again in a minute"),
            Self::NotTheOperator => {
                Words::new(401, "Unauthorized", "Send TOLLGATE_ADMIN_SECRET as `Authorization: Bearer …`")
            }
            Self::BadCommand => {
                Words::new(400, "Bad Request", "No such command, or a member is missing: see docs/sessions.md")
            }
            Self::AttributesTooLong => Words::new(
                400,
                "Bad Request",
                "The user's attributes would be longer than 16 KiB or deeper than 32 levels, or the claims made of them longer than 2 KiB",
            ),
            Self::UserDeleted => {
                Words::new(409, "Conflict", "The user was deleted; the store may show it for a minute")
            }
        }
    }
}
