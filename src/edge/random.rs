//! Random bytes from the runtime's generator.

/// Random bytes.
pub(super) fn array<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}

/// Fills with random bytes.
pub(super) fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the runtime has randomness while it handles a request");
}
