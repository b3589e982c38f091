//! One account as a state machine: its sessions and the refresh tokens that carry them on, how often its password may
//! be guessed, and which version of the password counts.
//!
//! **What always holds:** it knows no I/O and no clock. A [`Command`] changes the state and gives a [`Reply`]; whoever
//! stores it writes [`Account::rows`] in one transaction before the reply goes out, so an order of commands is an order
//! of states, and a crash loses nothing that was acknowledged. No token is stored that could be used: ids, and the
//! randomness that a token is made of together with a key that is not here.
//!
//! Each account has an object of its own, and so has each name that is tried in a log-in and each address from which
//! one fails ([`object`]): a name that no user has is guessed at under the same rules.

mod bucket;
mod command;
mod context;
mod limits;
mod login_throttle;
pub mod object;
mod session;
mod state;

pub use bucket::{Bucket, DeviceId};
pub use command::{Command, PasswordChange, Pending, RefreshToken, Reply, SessionSummary, TokenLife};
pub use context::Context;
pub use limits::{Lifetimes, MAX_REFRESH_TOKENS, MAX_SESSIONS, REVOCATION_MARGIN};
pub use login_throttle::{
    FREE_FAILURES_BY_ADDRESS, LONGEST_BY_ADDRESS, LoginThrottle, MOST_FAILURES_A_DAY_BY_ADDRESS, MOST_GUESSES_A_DAY,
    Wait,
};
pub use session::Session;
pub use state::{Account, Rows, Unreadable};
