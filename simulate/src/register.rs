//! The register's object: what it holds in memory is what it stored, and a crash brings it back from there.

use crate::world::World;
use std::{collections::BTreeMap, rc::Rc};
use tollgate::rules::{
    revocation::{Delta, Entry, RevocationLog},
    safeguards::Safeguards,
};

/// The one register.
pub struct RegisterObject {
    register: RevocationLog<dyn Safeguards>,
    stored: BTreeMap<u64, Entry>,
    skew: i64,
    /// It can't be reached before.
    pub down_until: i64,
}

impl RegisterObject {
    /// With nothing in it.
    pub fn new(safeguards: &'static dyn Safeguards, skew: i64) -> Self {
        Self { register: RevocationLog::guarded_by(safeguards, []), stored: BTreeMap::new(), skew, down_until: 0 }
    }

    /// How many entries are in force.
    pub fn len(&self) -> usize {
        self.register.len()
    }
}

impl World {
    /// The register takes entries down: is that stored, and answered?
    pub fn take_down(&mut self, entries: Vec<Entry>) -> bool {
        if self.register.down_until > self.now {
            return false;
        }
        let clock = self.clock(self.register.skew);
        let (dies_before, dies_after, forgets) = (self.crashes(), self.crashes(), self.percent(30));
        let it = &mut self.register;
        let changes: Vec<_> = entries.into_iter().filter_map(|entry| it.register.revoke(entry, clock)).collect();
        if dies_before {
            self.crash_register();
            return false;
        }
        for (number, entry, former) in changes {
            if let Some(former) = former {
                it.stored.remove(&former);
            }
            it.stored.insert(number, entry);
        }
        if dies_after {
            self.crash_register();
            return false;
        }
        if forgets {
            self.forget();
        }
        true
    }

    /// What came after a number, if the register can be reached.
    pub fn since(&mut self, number: u64) -> Option<Rc<Delta>> {
        if self.register.down_until > self.now {
            return None;
        }
        if self.percent(10) {
            self.forget();
        }
        Some(Rc::new(self.register.register.since(number, self.clock(self.register.skew))))
    }

    /// The register forgets what is over.
    pub fn forget(&mut self) {
        let clock = self.clock(self.register.skew);
        let it = &mut self.register;
        for number in it.register.forget(clock) {
            it.stored.remove(&number);
        }
    }

    /// The register is read again from what it stored, with another clock.
    pub fn crash_register(&mut self) {
        self.note(|| "the register crashes".to_owned());
        let (pause, skew) = (self.random.i64(0..=2000), self.skew());
        let safeguards = self.rules.safeguards;
        let it = &mut self.register;
        it.register = RevocationLog::guarded_by(safeguards, it.stored.iter().map(|(number, entry)| (*number, *entry)));
        it.skew = skew;
        it.down_until = it.down_until.max(self.now + pause);
    }
}
