//! One account as a state machine: its sessions with their refresh tokens, the attempts at its password, and the
//! version of the password that counts.
//!
//! **What always holds:** no I/O and no clock. A [`Command`] changes the state and gives a [`Reply`]; the host writes
//! [`Account::rows`] in one transaction before it sends the reply, so a crash loses nothing that was acknowledged. No
//! token is stored that could be used: only ids, and the randomness of tokens, which are made with a key that is not
//! stored here.
//!
//! Each account has an object of its own, and so has each name in a log-in and each address of a failed log-in
//! ([`object`]): attempts for a name that no user has are limited in the same way.

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
pub use limits::{Lifetimes, MAX_ATTRIBUTES_BYTES, MAX_REFRESH_TOKENS, MAX_SESSIONS, REVOCATION_MARGIN, are_storable};
pub use login_throttle::{
    FREE_FAILURES_BY_ADDRESS, LONGEST_BY_ADDRESS, LoginThrottle, MOST_FAILURES_A_DAY_BY_ADDRESS, MOST_GUESSES_A_DAY,
    Wait,
};
pub use session::Session;
pub use state::{Account, Rows, Unreadable};
