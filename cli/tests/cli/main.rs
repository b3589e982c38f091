//! The built command, run as an operator runs it, against a stand-in for wrangler.

mod config;
mod fake_gate;
mod help;
mod import;
mod json;
mod key;
mod password;
mod route;
mod session;
mod terminal;
mod token;
mod user;
mod world;
