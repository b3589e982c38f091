//! Sessions, revocations and the administrator.

use super::{Family, OptionSpec};
use crate::rules::{config::value::as_text, secret::Secret};

pub(super) const SESSIONS: &[OptionSpec] = &Family::Sessions.options([
    OptionSpec::boolean("TOLLGATE_REFRESH_ROTATION", |raw| &mut raw.sessions.rotation).default("true").meaning(
        "Whether a refresh token can be used only once. `/auth/refresh` then issues a new one with each access token, \
         and a second use of a spent one ends the session. `false`: as in Flask-JWT-Extended, a refresh token is \
         valid until it expires or its session is revoked.",
    ),
    OptionSpec::duration("TOLLGATE_REFRESH_GRACE", |raw| &mut raw.sessions.grace)
        .kind("duration, 0 to 60")
        .default("10")
        .schema(r##"{"allOf": [{"$ref": "#/definitions/duration"}, {"minimum": 0, "maximum": 60}]}"##)
        .meaning(
            "For this long after its use a spent refresh token is answered with the same successor, so that a client \
             whose answer was lost, or two tabs, are not logged out.",
        ),
    OptionSpec::duration("TOLLGATE_SESSION_IDLE", |raw| &mut raw.sessions.idle)
        .default("30d")
        .schema(r##"{"allOf": [{"$ref": "#/definitions/positive-duration"}, {"minimum": 60}]}"##)
        .meaning(
            "A session ends when none of its refresh tokens was used for this long (or when its refresh token has \
         expired).",
        ),
    OptionSpec::duration("TOLLGATE_SESSION_LIFETIME", |raw| &mut raw.sessions.lifetime)
        .default("90d")
        .schema(r##"{"allOf": [{"$ref": "#/definitions/positive-duration"}, {"minimum": 60}]}"##)
        .meaning("Maximum lifetime of a session, from its log-in, however much it is used."),
    OptionSpec::duration("TOLLGATE_REVOCATION_BOUND", |raw| &mut raw.sessions.max_staleness)
        .kind("duration, 2 to 300")
        .default("10")
        .schema(r##"{"allOf": [{"$ref": "#/definitions/positive-duration"}, {"minimum": 2, "maximum": 300}]}"##)
        .meaning(
            "Maximum time that a revoked token is accepted after its revocation was acknowledged. Each isolate \
             refreshes its snapshot when a third of it has passed.",
        ),
    OptionSpec::text("TOLLGATE_DEVICE_COOKIE", |raw| &mut raw.sessions.device_cookie)
        .kind("name of a cookie, or empty for none")
        .default("tollgate_device")
        .schema(r##"{"$ref": "#/definitions/token-or-none"}"##)
    .meaning(
            "The cookie that identifies a device that has logged in before: failed attempts from elsewhere do not \
             delay its log-ins.",
        ),
    OptionSpec::custom("TOLLGATE_ADMIN_SECRET", |raw, value| {
        as_text(value).map(|text| raw.sessions.admin_secret = Some(Secret::new(text)))
    })
    .kind("secret text")
    .unset("none")
    .secret()
    .schema(r##"{"type": "string"}"##)
    .meaning(
        "With this secret (at least 32 bytes) operators end sessions and change attributes: `tollgate session`, \
         `tollgate user set --gate`. Without it there is no such endpoint.",
    ),
    OptionSpec::text("TOLLGATE_SESSIONS_URL", |raw| &mut raw.sessions_url)
        .kind("path, or empty for none")
        .default("/auth/sessions")
        .schema(r##"{"$ref": "#/definitions/path-or-none"}"##)
    .meaning("The path at which users see their sessions (GET), and below it each of them, to end it (DELETE)."),
    OptionSpec::text("TOLLGATE_LOGOUT_URL", |raw| &mut raw.logout_url)
        .kind("path, or empty for none")
        .default("/auth/logout")
        .schema(r##"{"$ref": "#/definitions/path-or-none"}"##)
    .meaning(
            "The path that ends the session of the token that comes with the request, and deletes the cookies (POST \
             and DELETE).",
        ),
    OptionSpec::text("TOLLGATE_LOGOUT_ALL_URL", |raw| &mut raw.logout_all_url)
        .kind("path, or empty for none")
        .default("/auth/logout/all")
        .schema(r##"{"$ref": "#/definitions/path-or-none"}"##)
    .meaning("The path that ends all of a user's sessions (POST)."),
    OptionSpec::text("TOLLGATE_PASSWORD_URL", |raw| &mut raw.password_url)
        .kind("path, or empty for none")
        .default("/auth/password")
        .schema(r##"{"$ref": "#/definitions/path-or-none"}"##)
    .meaning("The path at which users change their password (POST)."),
    OptionSpec::text("TOLLGATE_ADMIN_URL", |raw| &mut raw.admin_url).kind("path").default("/auth/admin").schema(r##"{"$ref": "#/definitions/path-or-none"}"##)
    .meaning(
        "The path for `tollgate session` and `tollgate user set --gate` (POST), where TOLLGATE_ADMIN_SECRET is set.",
    ),
]);
