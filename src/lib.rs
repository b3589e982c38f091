//! Tollgate: log-in and JWT verification at the edge, in the dialect of Flask-JWT.
//!
//! The stock worker (`worker/` in the repository) is configured in `wrangler.toml` and needs no Rust of yours. This
//! library is for a worker, server or test of your own.
//!
//! - **Rules.** A [`Gate`] is made of a [`Config`] and of [`Hooks`]: Flask-JWT's [`Handlers`], or
//!   Flask-JWT-Extended's [`Loaders`]. [`Gate::decide`] decides a request from memory, synchronously; where memory is
//!   not enough, [`Gate::resume`] completes the decision. No I/O, no clock, no randomness: the same on any target.
//! - **Your own users.** [`Users`] are Flask-JWT's `authentication_handler` and `identity_handler`, as `async fn`s.
//! - **Your own host.** A [`Host`] is what the rules need beside that: clock, randomness, body, accounts.
#![cfg_attr(
    all(target_arch = "wasm32", target_os = "unknown"),
    doc = "- **In a worker.** [`edge::serve`] does all of it inside `#[event(fetch)]`."
)]
#![cfg_attr(
    feature = "axum",
    doc = "- **With axum.** [`axum::GateLayer`] before your routes, on workers and anywhere else."
)]
#![cfg_attr(
    feature = "testkit",
    doc = "- **In tests.** [`testkit::Kit`] makes valid and invalid tokens, and requests, in a line each."
)]
//!
//! ```
//! use tollgate::{Config, Decided, Decision, DefaultHandlers, Gate, Request, Timestamp, json};
//!
//! let json::Value::Object(vars) = json::json!({
//!     "JWT_SECRET_KEY": "a random text of 32 bytes or more",
//!     "ROUTES": [{"path": "/protected", "to": "identity"}],
//! }) else { unreachable!() };
//! let gate = Gate::new(Config::read(&vars).config.expect("no problem"), DefaultHandlers);
//!
//! let request = Request { method: "GET", site: "", path: "/protected", query: None, headers: &[] };
//! let decided = gate.decide(&request, Timestamp::from_seconds(1_800_000_000));
//! let Decided::Now(Decision::Reject(rejected)) = decided else { panic!() };
//! assert_eq!(gate.answer_to(&rejected).status, 401);
//! ```

pub mod accounts;
pub mod host;
// The operators' command, the simulation and the conformance tests see all of it; no version keeps it as it is.
#[doc(hidden)]
pub mod rules;
mod users;

mod engine;

#[cfg(feature = "axum")]
pub mod axum;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
pub mod edge;
#[cfg(feature = "testkit")]
pub mod testkit;

pub use host::{Host, SendHost, Unavailable};
pub use rules::{
    answer::Answer,
    config::{Bindings, Config},
    diagnostic::Diagnostic,
    gate::{Authorized, Continuation, Decided, Decision, Gate, Principal},
    hooks::{DefaultHandlers, Handlers, Hooks, Loaders, TokenParts},
    identity::{Id, Identity},
    json,
    login::Credentials,
    password,
    rejection::{JwtError, Rejection},
    request::{Headers, Request},
    secret::Secret,
    time::{Duration, Timestamp},
    token::VerifiedToken,
};
pub use users::{SendUsers, Users, UsersError};

/// What the gate is configured with, and what reading it reports.
pub mod config {
    pub use crate::rules::{
        config::{
            Bindings, Config, DialectConfig, Environment, FlaskJwtExtended, Loaded, Location, Names, SameSite, Secrets,
            Sessions,
        },
        diagnostic::Diagnostic,
    };
}

/// What the gate decides.
pub mod gate {
    pub use crate::rules::gate::{
        Answered, Authorized, Continuation, DECISION_TIMEOUT, Decided, Decision, Gate, Outcome, Principal, Rejected,
    };
}

/// Every reason for not letting a request through, in families.
pub mod rejection {
    pub use crate::rules::rejection::{
        Absent, BodyRejection, CredentialRejection, InternalRejection, JwtError, LoginRejection, Malformed,
        OriginRejection, PasswordRejection, PathFault, PermissionRejection, Rejection, RouteRejection,
        SessionRejection, TimeClaim, TokenRejection, UnavailableRejection, Unencoded, Words,
    };
}

/// Tokens, their keys and their verifier.
pub mod token {
    pub use crate::rules::token::{
        Algorithm, Freshness, Key, KeyFault, KeySet, Policy, Random, RejectedToken, SessionClaims, SignedToken,
        TokenSpec, TokenType, VerifiedToken, Verifier, VerifyingKey, sign, sign_sorted,
    };
}

/// Compiles the Rust in the pages.
#[cfg(doctest)]
#[doc = include_str!("../docs/flask-jwt-extended.md")]
#[doc = include_str!("../docs/start/rust.md")]
struct Pages;
