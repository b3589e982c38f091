//! Why a stored hash can't be used.

/// The reason why a stored hash can't be used. Contains nothing of the hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashFault {
    /// Not one of the known formats.
    UnknownFormat,
    /// Fewer than 1,000 iterations, or scrypt with N below 1024 or r below 8.
    CostTooLow,
    /// More time than [`super::MOST_ITERATIONS`] iterations take: computing it would let the store's contents block the
    /// worker.
    CostTooHigh,
    /// scrypt with more than 64 MiB of memory, or r above 64.
    MemoryTooHigh,
    /// Made with a pepper that is not configured.
    UnknownPepper,
    /// scrypt in a worker without `node:crypto`.
    NoScrypt,
    /// scrypt found no memory.
    ScryptFailed,
}
