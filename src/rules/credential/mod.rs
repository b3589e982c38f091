//! Where a token is looked for. One file a dialect.
//!
//! **What always holds:** a place is searched by the configuration's names alone; the token is not judged here.

mod flask_jwt;
pub mod flask_jwt_extended;

pub use flask_jwt::from_authorization;
