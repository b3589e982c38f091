//! Engines for asymmetric keys: each verifies and signs with one kind of key, synchronously.
//!
//! **What always holds:** a key is judged when it is made (length, curve, halves that belong together), and never
//! again; an engine is asked about bytes and answers with bytes or yes and no. Randomness for a signature is the
//! engine's own.
//!
//! **Who uses it:** [`crate::rules::token`] alone, by the algorithm of a key. An engine knows that module's key
//! material and faults, and nothing else of the rules.
//!
//! **What it does not do:** HMAC, which is in the rules: its state is computed once for each key, and its code is
//! shared with PBKDF2.

// RSA blinds its private operation: see `rsa`.
#![allow(clippy::disallowed_types)]

#[cfg(feature = "ecdsa")]
pub(crate) mod ecdsa;
#[cfg(feature = "eddsa")]
pub(crate) mod eddsa;
#[cfg(feature = "rsa")]
pub(crate) mod rsa;
