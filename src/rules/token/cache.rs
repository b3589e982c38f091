//! Tokens that were found good before: the next request with one of them costs no cryptography.
//!
//! **What always holds:** only verified tokens are kept, and each for its own text alone, compared whole. How many
//! there are is fixed, and how long one may be, so that no flood of tokens takes more memory. A token that finds no
//! empty room drives out one of two, and only when it comes for the second time in a row: a flood of tokens that come
//! once drives nobody out. What depends on the time is judged again at every hit: see [`super::Verifier`], which owns a
//! cache together with the keys it speaks for.

use super::{super::pair::Pair, VerifiedToken};
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Mutex, MutexGuard},
};
use subtle::ConstantTimeEq;

/// As many bytes of a signature's end make a token's mark.
const MARKED_BYTES: usize = 16;

/// Tells most tokens apart before anything is read of them. No secret, and no proof: the text is compared as well.
type Mark = u64;

/// A number of sets with room for two tokens each.
pub(super) struct Cache {
    sets: Box<[Mutex<Set>]>,
}

#[derive(Default)]
struct Set {
    tokens: Pair<(Mark, VerifiedToken)>,
    /// The one that last found no room. For the sake of those who come often: a flood of tokens that come once would
    /// drive them out.
    waiting: Option<Mark>,
}

impl Cache {
    /// Room for this many tokens, an odd one more. None at all: nothing is kept.
    pub(super) fn new(tokens: usize) -> Self {
        Self { sets: (0..tokens.div_ceil(2)).map(|_| Mutex::default()).collect() }
    }

    /// The token of this very text.
    pub(super) fn get(&self, text: &str) -> Option<VerifiedToken> {
        let (mut set, mark) = self.set(text)?;
        let is_it = |(known, token): &(Mark, VerifiedToken)| {
            *known == mark && is_same(token.text().as_bytes(), text.as_bytes(), token.signature_at())
        };
        let (_, (_, token)) = set.tokens.find(is_it)?;
        Some(token.clone())
    }

    /// Keeps a token, if there is room for any, or when it comes again.
    pub(super) fn put(&self, token: &VerifiedToken) {
        if let Some((mut set, mark)) = self.set(token.text()) {
            if set.tokens.has_room() || set.waiting == Some(mark) {
                set.tokens.put((mark, token.clone()));
                set.waiting = None;
            } else {
                set.waiting = Some(mark);
            }
        }
    }

    /// How many tokens there is room for.
    pub(super) fn capacity(&self) -> usize {
        self.sets.len() * 2
    }

    fn set(&self, text: &str) -> Option<(MutexGuard<'_, Set>, Mark)> {
        let end = text.as_bytes().last_chunk::<MARKED_BYTES>().filter(|_| !self.sets.is_empty())?;
        let mut hasher = DefaultHasher::new();
        end.hash(&mut hasher);
        let mark = hasher.finish();
        #[allow(clippy::cast_possible_truncation)] // less than the number of sets
        let number = (mark % self.sets.len() as u64) as usize;
        Some((self.sets[number].lock().ok()?, mark))
    }
}

/// Are these the same bytes? How much of a guessed signature, which begins at `signature_at`, is right can't be told by
/// the time.
fn is_same(known: &[u8], given: &[u8], signature_at: usize) -> bool {
    known.len() == given.len() && bool::from(known[signature_at..].ct_eq(&given[signature_at..])) && known == given
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cache(room for {})", self.capacity())
    }
}
