//! The log: one JSON object a line.
//!
//! **What always holds:** a line contains no secret, token, password or login name. Users type passwords into name
//! fields and put tokens into paths, so a line has the *pattern* of the rule and the *id* of a known user, never what
//! was sent.

mod limit;

pub use limit::{Counted, Fate, Limiter};

use super::{diagnostic::Diagnostic, identity::Id, json, rejection::Rejection};
use serde::Serialize;

/// The log level (`TOLLGATE_LOG`). Each level includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing.
    Off,
    /// Failures that an operator must act on: configuration problems, unreachable stores or origins, unusable records,
    /// bugs.
    Error,
    /// Log-ins, rejections and warnings.
    Info,
    /// Authorized requests.
    Debug,
}

impl Level {
    /// The level with this name, in lower case; `None` if there is none.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "off" => Self::Off,
            "error" => Self::Error,
            "info" => Self::Info,
            "debug" => Self::Debug,
            _ => return None,
        })
    }
}

/// A log event.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<'e> {
    /// A user logged in.
    LoggedIn(&'e Id),
    /// A user changed the password.
    PasswordChanged(&'e Id),
    /// A request was rejected.
    Refused {
        /// The reason.
        rejection: &'e Rejection,
        /// The status of the answer.
        status: u16,
        /// The path pattern of the rule, if one applied.
        rule: Option<&'e str>,
    },
    /// Rejections for a reason that were not written one by one ([`Limiter`]).
    RefusedMore {
        /// The reason's code.
        reason: &'e str,
        /// The status of the last answer.
        status: u16,
        /// Their number, within one second.
        count: u32,
    },
    /// A request was authorized.
    Passed {
        /// The path pattern of the rule.
        rule: &'e str,
        /// The user's id, if there was a token.
        subject: Option<&'e Id>,
    },
    /// A stored hash was replaced: it was not of the configured cost, pepper or format.
    HashRenewed(&'e Id),
    /// A stored record could not be used.
    RecordUnusable {
        /// The user's id, if known.
        subject: Option<&'e Id>,
        /// The fault's code.
        reason: &'e str,
    },
    /// The Durable Object or rate limiter of this binding could not be reached, or gave no valid answer.
    Unreachable(&'e str),
    /// A new password could not be checked for leaks, and was accepted.
    PwnedCheckFailed {
        /// The failure's code.
        reason: &'e str,
    },
    /// The handling of a request ended in a JavaScript exception.
    Exception {
        /// The exception's name, such as `TypeError`.
        name: &'e str,
        /// Its stack frames, the innermost first.
        at: &'e str,
    },
    /// A configuration problem: nothing is served until it is corrected.
    Problem(&'e Diagnostic),
    /// A configuration fault: something will not work, but the gate serves.
    Fault(&'e Diagnostic),
    /// A configuration warning.
    Warning(&'e Diagnostic),
}

/// The request that an event belongs to.
#[derive(Clone, Copy, Debug)]
pub struct RequestInfo<'r> {
    /// The request id, which the answer carries as `X-Request-Id`.
    pub id: &'r str,
    /// Time since the request arrived, in milliseconds.
    pub duration_ms: i64,
}

#[derive(Serialize)]
struct Line<'l> {
    level: &'static str,
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'l str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'l str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'l str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    option: Option<&'l str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'l str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u32>,
}

impl Event<'_> {
    /// The lowest level at which the event is logged.
    #[must_use]
    pub const fn level(&self) -> Level {
        match self {
            Self::Refused { status, .. } | Self::RefusedMore { status, .. } if *status >= 500 => Level::Error,
            Self::Problem(_)
            | Self::Fault(_)
            | Self::RecordUnusable { .. }
            | Self::Unreachable(_)
            | Self::PwnedCheckFailed { .. }
            | Self::Exception { .. } => Level::Error,
            Self::LoggedIn(_)
            | Self::PasswordChanged(_)
            | Self::Refused { .. }
            | Self::RefusedMore { .. }
            | Self::HashRenewed(_)
            | Self::Warning(_) => Level::Info,
            Self::Passed { .. } => Level::Debug,
        }
    }

    /// The event as a line; `None` if `at` is too low a level.
    #[must_use]
    pub fn line(&self, at: Level, request: Option<RequestInfo<'_>>) -> Option<String> {
        if self.level() > at {
            return None;
        }
        let mut line = Line {
            level: match self.level() {
                Level::Error | Level::Off => "error",
                Level::Info => "info",
                Level::Debug => "debug",
            },
            event: "",
            request_id: request.map(|request| request.id),
            duration_ms: request.map(|request| request.duration_ms),
            reason: None,
            status: None,
            rule: None,
            subject: None,
            option: None,
            text: None,
            count: None,
        };
        match self {
            Self::LoggedIn(id) => (line.event, line.subject) = ("login", Some(id.to_json())),
            Self::PasswordChanged(id) => (line.event, line.subject) = ("password_changed", Some(id.to_json())),
            Self::Refused { rejection, status, rule } => {
                (line.event, line.reason, line.status, line.rule) =
                    ("refused", Some(rejection.code()), Some(*status), *rule);
            }
            Self::RefusedMore { reason, status, count } => {
                (line.event, line.reason, line.status, line.count) =
                    ("refused_more", Some(*reason), Some(*status), Some(*count));
            }
            Self::Passed { rule, subject } => {
                (line.event, line.rule, line.subject) = ("passed", Some(*rule), subject.map(Id::to_json));
            }
            Self::HashRenewed(id) => (line.event, line.subject) = ("hash_renewed", Some(id.to_json())),
            Self::RecordUnusable { subject, reason } => {
                (line.event, line.subject, line.reason) = ("record_unusable", subject.map(Id::to_json), Some(*reason));
            }
            Self::Unreachable(binding) => (line.event, line.reason) = ("unreachable", Some(*binding)),
            Self::PwnedCheckFailed { reason } => {
                (line.event, line.reason) = ("pwned_check_failed", Some(*reason));
            }
            Self::Exception { name, at } => {
                (line.event, line.reason, line.text) = ("exception", Some(*name), Some(*at))
            }
            Self::Problem(diagnostic) => {
                (line.event, line.option, line.text) =
                    ("config_problem", Some(diagnostic.option.as_str()), Some(diagnostic.text.as_str()));
            }
            Self::Fault(diagnostic) => {
                (line.event, line.option, line.text) =
                    ("config_fault", Some(diagnostic.option.as_str()), Some(diagnostic.text.as_str()));
            }
            Self::Warning(diagnostic) => {
                (line.event, line.option, line.text) =
                    ("config_warning", Some(diagnostic.option.as_str()), Some(diagnostic.text.as_str()));
            }
        }
        Some(json::to_ascii(&line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::rejection::{TokenRejection, UnavailableRejection};

    #[test]
    fn lines_are_these() {
        let request = Some(RequestInfo { id: "r-1", duration_ms: 3 });
        let (id, notice) = (Id::Int(1), Diagnostic::new("JWT_LEEWAY", "write seconds"));
        for (event, line) in [
            (
                Event::LoggedIn(&id),
                r#"{"level":"info","event":"login","request_id":"r-1","duration_ms":3,"subject":1}"#,
            ),
            (
                Event::Refused {
                    rejection: &Rejection::Token(TokenRejection::Expired),
                    status: 401,
                    rule: Some("/protected"),
                },
                r#"{"level":"info","event":"refused","request_id":"r-1","duration_ms":3,"reason":"token_expired","status":401,"rule":"/protected"}"#,
            ),
            (
                Event::Refused {
                    rejection: &Rejection::Unavailable(UnavailableRejection::Store),
                    status: 503,
                    rule: None,
                },
                r#"{"level":"error","event":"refused","request_id":"r-1","duration_ms":3,"reason":"store_unavailable","status":503}"#,
            ),
            (
                Event::Passed { rule: "/api/*", subject: None },
                r#"{"level":"debug","event":"passed","request_id":"r-1","duration_ms":3,"rule":"/api/*"}"#,
            ),
            (
                Event::RecordUnusable { subject: Some(&id), reason: "cost_too_low" },
                r#"{"level":"error","event":"record_unusable","request_id":"r-1","duration_ms":3,"reason":"cost_too_low","subject":1}"#,
            ),
            (
                Event::PwnedCheckFailed { reason: "timeout" },
                r#"{"level":"error","event":"pwned_check_failed","request_id":"r-1","duration_ms":3,"reason":"timeout"}"#,
            ),
            (
                Event::HashRenewed(&id),
                r#"{"level":"info","event":"hash_renewed","request_id":"r-1","duration_ms":3,"subject":1}"#,
            ),
        ] {
            assert_eq!(event.line(Level::Debug, request).as_deref(), Some(line));
        }
        assert_eq!(
            Event::Problem(&notice).line(Level::Error, None).as_deref(),
            Some(r#"{"level":"error","event":"config_problem","option":"JWT_LEEWAY","text":"write seconds"}"#)
        );
        assert_eq!(
            Event::Fault(&notice).line(Level::Error, None).as_deref(),
            Some(r#"{"level":"error","event":"config_fault","option":"JWT_LEEWAY","text":"write seconds"}"#)
        );
    }

    #[test]
    fn each_level_has_the_ones_before_it() {
        let (id, notice) = (Id::Int(1), Diagnostic::new("X", "y"));
        let events = [Event::Problem(&notice), Event::LoggedIn(&id), Event::Passed { rule: "/", subject: None }];
        for (name, lines) in [("off", 0), ("error", 1), ("info", 2), ("debug", 3)] {
            let level = Level::from_name(name).unwrap();
            assert_eq!(events.iter().filter(|event| event.line(level, None).is_some()).count(), lines, "{name}");
        }
        assert_eq!(Level::from_name("INFO"), None);
    }
}
