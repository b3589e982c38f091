//! Tollgate: log-in and JWT verification at the edge.
//!
//! [`rules`] decides, knows no I/O and runs anywhere; the edge (built for wasm32 only) adapts it to Cloudflare's
//! runtime. ARCHITECTURE.md has the map.

pub mod rules;

#[cfg(target_arch = "wasm32")]
mod edge;
