//! Engines for asymmetric keys and scrypt: they load keys, verify, sign and derive, synchronously. [`Chosen`] is the
//! one of this build: in workerd the runtime's own cryptography, elsewhere the Rust crates, which a worker gets with
//! the feature `rust-crypto`. [`unicode`] has the normal forms, from the runtime or a crate.
//!
//! **What always holds:** an engine gets keys and signatures only as [`Strict`], so it can't take what another refuses:
//! the key fits its algorithm and is not a weak one, a signature has its one form with numbers in range. The engine
//! adds what takes arithmetic. Randomness for a signature is the engine's own.
//!
//! **Who uses it:** [`crate::rules::token`], and [`crate::rules::password`] for scrypt. An engine knows the key
//! material and faults of the former, and nothing else of the rules.
//!
//! **What it does not do:** HMAC, which is in the rules: its state is computed once for each key, and its code is
//! shared with PBKDF2.
//!
//! [`Strict`]: crate::rules::token::Strict

mod contract;
#[cfg(all(target_arch = "wasm32", target_os = "unknown", not(feature = "rust-crypto")))]
mod node;
#[cfg(any(not(all(target_arch = "wasm32", target_os = "unknown")), feature = "rust-crypto"))]
mod rust;
pub(crate) mod unicode;

pub(crate) use contract::Engine;

/// The engine of this build: the only place that names one. Static, so a call costs no dispatch.
#[cfg(all(target_arch = "wasm32", target_os = "unknown", not(feature = "rust-crypto")))]
pub(crate) type Chosen = node::NodeCrypto;
/// The engine of this build: the only place that names one. Static, so a call costs no dispatch.
#[cfg(any(not(all(target_arch = "wasm32", target_os = "unknown")), feature = "rust-crypto"))]
pub(crate) type Chosen = rust::RustCrypto;
