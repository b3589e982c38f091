//! A cache of two entries that evicts the least recently used one.

/// Two cache slots, as one set of a set-associative cache. With one slot, two keys that hash to the same set would
/// evict each other at every request.
#[derive(Debug)]
pub struct Pair<T> {
    slots: [Option<T>; 2],
    /// The slot used last; the other one is evicted next.
    latest: usize,
}

impl<T> Pair<T> {
    /// The entry that matches, with its slot; marks the slot as used last.
    pub fn find(&mut self, is_match: impl Fn(&T) -> bool) -> Option<(usize, &T)> {
        let slot = self.slots.iter().position(|kept| kept.as_ref().is_some_and(&is_match))?;
        self.latest = slot;
        Some((slot, self.slots[slot].as_ref()?))
    }

    /// Whether a slot is empty.
    pub fn has_room(&self) -> bool {
        self.slots.iter().any(Option::is_none)
    }

    /// Stores an entry in an empty slot, else in place of the least recently used entry. Returns its slot.
    pub fn put(&mut self, entry: T) -> usize {
        let slot = if self.slots[self.latest].is_none() { self.latest } else { 1 - self.latest };
        self.slots[slot] = Some(entry);
        self.latest = slot;
        slot
    }
}

impl<T> Default for Pair<T> {
    fn default() -> Self {
        Self { slots: [None, None], latest: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::Pair;

    #[test]
    fn a_third_takes_the_room_of_the_one_that_was_asked_for_longest_ago() {
        let mut pair = Pair::default();
        assert_eq!(pair.find(|_: &char| true), None);
        let (a, b) = (pair.put('a'), pair.put('b'));
        assert_ne!(a, b);
        assert_eq!(pair.find(|one| *one == 'a'), Some((a, &'a')));
        assert_eq!(pair.put('c'), b);
        assert_eq!(pair.find(|one| *one == 'b'), None);
        assert_eq!(pair.find(|one| *one == 'a'), Some((a, &'a')));
    }
}
