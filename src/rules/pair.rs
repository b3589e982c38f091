//! Room for two, and which of them makes room for a third.

/// Two rooms. Two, because those whom chance has put into one room would drive each other out at every request.
#[derive(Debug)]
pub struct Pair<T> {
    capacity: [Option<T>; 2],
    /// The room that was asked for last; the other is the next to be given away.
    latest: usize,
}

impl<T> Pair<T> {
    /// The one that is looked for, and its room.
    pub fn find(&mut self, is_it: impl Fn(&T) -> bool) -> Option<(usize, &T)> {
        let room = self.capacity.iter().position(|kept| kept.as_ref().is_some_and(&is_it))?;
        self.latest = room;
        Some((room, self.capacity[room].as_ref()?))
    }

    /// Is one of the rooms empty?
    pub fn has_room(&self) -> bool {
        self.capacity.iter().any(Option::is_none)
    }

    /// Keeps one in an empty room, else in that of the one that was asked for longest ago; gives its room.
    pub fn put(&mut self, one: T) -> usize {
        let room = if self.capacity[self.latest].is_none() { self.latest } else { 1 - self.latest };
        self.capacity[room] = Some(one);
        self.latest = room;
        room
    }
}

impl<T> Default for Pair<T> {
    fn default() -> Self {
        Self { capacity: [None, None], latest: 0 }
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
