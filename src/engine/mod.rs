//! Engines for asymmetric keys: they load keys, verify and sign, synchronously. [`Chosen`] is the one of this build.
//!
//! **What always holds:** an engine gets keys and signatures only as [`Strict`], so it can't take what another refuses:
//! the key fits its algorithm and is not a weak one, a signature has its one form with numbers in range. The engine
//! adds what takes arithmetic. Randomness for a signature is the engine's own.
//!
//! **Who uses it:** [`crate::rules::token`] alone. An engine knows that module's key material and faults, and nothing
//! else of the rules.
//!
//! **What it does not do:** HMAC, which is in the rules: its state is computed once for each key, and its code is
//! shared with PBKDF2.

mod contract;
mod rust;

pub(crate) use contract::Engine;

/// The engine of this build: the only place that names one. Static, so a call costs no dispatch.
pub(crate) type Chosen = rust::RustCrypto;
