//! The seeds of histories.

/// The seed of a history in a run. The first history has the run's seed.
#[must_use]
pub fn seed_of(run: u64, history: u64) -> u64 {
    if history == 0 { run } else { scrambled(scrambled(run).wrapping_add(history)) }
}

/// Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (SplitMix64).
pub fn scrambled(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
