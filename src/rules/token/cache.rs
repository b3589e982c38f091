//! Tokens that were found good before: the next request with one of them costs no cryptography.
//!
//! **What always holds:** only verified tokens are kept, and each for its own text alone, compared whole. How many there
//! are is fixed, and how long one may be, so that no flood of tokens takes more memory: a token that comes in takes
//! the place of one of two, never of more. What depends on the time is judged again at every hit: see
//! [`super::Verifier`], which owns a cache together with the keys it speaks for.

use super::{super::pair::Pair, VerifiedToken};
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Mutex,
};
use subtle::ConstantTimeEq;

/// As many bytes of a signature's end say in which set a token is.
const INDEX_BYTES: usize = 16;

/// A number of sets with room for two tokens each.
pub(super) struct Cache {
    sets: Box<[Mutex<Pair<VerifiedToken>>]>,
}

impl Cache {
    /// Room for this many tokens, an odd one more. None at all: nothing is kept.
    pub(super) fn new(tokens: usize) -> Self {
        Self { sets: (0..tokens.div_ceil(2)).map(|_| Mutex::default()).collect() }
    }

    /// The token of this very text.
    pub(super) fn get(&self, text: &str) -> Option<VerifiedToken> {
        let mut set = self.set(text)?.lock().ok()?;
        let (_, token) = set.find(|token| is_same(token.text().as_bytes(), text.as_bytes(), token.signature_at()))?;
        Some(token.clone())
    }

    /// Keeps a token, if there is room for any.
    pub(super) fn put(&self, token: &VerifiedToken) {
        if let Some(mut set) = self.set(token.text()).and_then(|set| set.lock().ok()) {
            set.put(token.clone());
        }
    }

    /// How many tokens there is room for.
    pub(super) fn rooms(&self) -> usize {
        self.sets.len() * 2
    }

    fn set(&self, text: &str) -> Option<&Mutex<Pair<VerifiedToken>>> {
        let end = text.as_bytes().last_chunk::<INDEX_BYTES>().filter(|_| !self.sets.is_empty())?;
        let mut hasher = DefaultHasher::new();
        end.hash(&mut hasher);
        #[allow(clippy::cast_possible_truncation)] // less than the number of sets
        let number = (hasher.finish() % self.sets.len() as u64) as usize;
        Some(&self.sets[number])
    }
}

/// Are these the same bytes? How much of a guessed signature, which begins at `signature_at`, is right can't be told by
/// the time.
fn is_same(known: &[u8], given: &[u8], signature_at: usize) -> bool {
    known.len() == given.len() && bool::from(known[signature_at..].ct_eq(&given[signature_at..])) && known == given
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cache(room for {})", self.rooms())
    }
}
