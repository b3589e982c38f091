//! The object of the revocation log: its memory is what it has stored, and a crash reads it again from there.

use crate::world::World;
use std::rc::Rc;
use tollgate::rules::revocation::{Delta, Entry, RevocationLog};

impl World {
    /// The log adds entries. Returns whether they are stored and the caller gets an answer.
    pub fn add_entries(&mut self, entries: Vec<Entry>) -> bool {
        if self.log.down_until > self.now {
            return false;
        }
        let clock = self.clock(self.log.skew);
        let (dies_before, dies_after, forgets) = (self.crashes(), self.crashes(), self.percent(30));
        let it = &mut self.log;
        let changes: Vec<_> = entries.into_iter().filter_map(|entry| it.entries.revoke(entry, clock)).collect();
        if dies_before {
            self.crash_log();
            return false;
        }
        for (number, entry, former) in changes {
            if let Some(former) = former {
                it.stored.remove(&former);
            }
            it.stored.insert(number, entry);
        }
        if dies_after {
            self.crash_log();
            return false;
        }
        if forgets {
            self.forget();
        }
        true
    }

    /// The entries after a number; `None` if the log can't be reached.
    pub fn since(&mut self, number: u64) -> Option<Rc<Delta>> {
        if self.log.down_until > self.now {
            return None;
        }
        if self.percent(10) {
            self.forget();
        }
        Some(Rc::new(self.log.entries.since(number, self.clock(self.log.skew))))
    }

    /// The log drops entries whose tokens have expired.
    pub fn forget(&mut self) {
        let clock = self.clock(self.log.skew);
        let it = &mut self.log;
        for number in it.entries.forget(clock) {
            it.stored.remove(&number);
        }
    }

    /// The log restarts from what it has stored, with another clock.
    pub fn crash_log(&mut self) {
        self.note(|| "the log crashes".to_owned());
        let (pause, skew) = (self.random.i64(0..=2000), self.skew());
        let safeguards = self.rules.safeguards;
        let it = &mut self.log;
        it.entries = RevocationLog::guarded_by(safeguards, it.stored.iter().map(|(number, entry)| (*number, *entry)));
        it.skew = skew;
        it.down_until = it.down_until.max(self.now + pause);
    }
}
