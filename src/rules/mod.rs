//! Every rule of the gate, and nothing else.
//!
//! **What always holds:** no I/O, no clock, no randomness, no `worker` type. Time and random bytes come in as arguments
//! or from a [`crate::Host`], and so does whatever must be waited for. The compiler keeps this: `worker` is a
//! dependency of the wasm32 target only, and these modules build natively.
//!
//! **Where to look:** in which order are checks made? [`gate`]. How is a rejection worded? [`dialect`]. What is in KV?
//! [`store`]. Which options are there? [`config::options`].

pub mod account;
pub mod answer;
pub mod browser;
pub mod config;
pub mod cookie;
pub mod device;
pub mod diagnostic;
pub mod dialect;
pub mod forward;
pub mod gate;
pub mod hooks;
pub mod identity;
pub mod ids;
pub mod json;
pub mod log;
pub mod login;
pub mod pair;
pub mod password;
pub mod rejection;
pub mod request;
pub mod revocation;
pub mod route;
pub mod safeguards;
pub mod secret;
pub mod store;
pub mod time;
pub mod token;
