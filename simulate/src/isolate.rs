//! Isolates judge access tokens by their snapshots; data centres cache the log's answers between them and the log.

use crate::{
    oracle::{Rule, TokenNo},
    parts::snapshot,
    world::World,
};
use std::{
    rc::Rc,
    sync::atomic::{AtomicU64, Ordering},
};
use tollgate::rules::revocation::{Age, Delta, RevocationStatus};

/// How long a data centre caches an answer of the log, in milliseconds.
const CACHED_FOR: i64 = 2000;

impl World {
    /// A request with an access token arrives at an isolate.
    pub fn arrives(&mut self, isolate: usize, token: TokenNo) {
        let it = &self.isolates[isolate];
        let clock = self.clock(it.skew);
        if clock.numeric_date().seconds() > self.oracle.tokens[token].expires + self.settings.leeway / 1000 {
            return;
        }
        match it.snapshot.age(clock) {
            Age::Fresh => self.judge(isolate, token),
            Age::Due => {
                self.judge(isolate, token);
                self.ask(isolate, None);
            }
            Age::TooOld => {
                self.judge_by_known(isolate, token);
                self.ask(isolate, Some(token));
            }
        }
    }

    /// What a route decides that stays open when the snapshot is too old and the log can't be reached.
    fn judge_by_known(&mut self, isolate: usize, token: TokenNo) {
        let it = &self.isolates[isolate];
        if !it.refused.contains(&token) {
            return;
        }
        let object = &self.objects[self.oracle.account_of(token)].name;
        let keys = self.oracle.keys(token, object);
        let status = it.snapshot.judge_by_known(&keys, &self.oracle.tokens[token].checked_generation[isolate]);
        if status == RevocationStatus::Good {
            self.violated(Rule::StaysRefused, format!("isolate {isolate} has refused token {token}, and lets it pass"));
        }
    }

    fn judge(&mut self, isolate: usize, token: TokenNo) {
        let it = &self.isolates[isolate];
        let clock = self.clock(it.skew);
        if clock.numeric_date().seconds() > self.oracle.tokens[token].expires + self.settings.leeway / 1000 {
            return;
        }
        let object = &self.objects[self.oracle.account_of(token)].name;
        let keys = self.oracle.keys(token, object);
        let isolates = self.isolates.len();
        let checked_generation = &mut self.oracle.tokens[token].checked_generation;
        if checked_generation.is_empty() {
            checked_generation.extend((0..isolates).map(|_| AtomicU64::new(0)));
        }
        let status = it.snapshot.judge(&keys, &checked_generation[isolate], clock);
        self.note(|| format!("isolate {isolate}: token {token} is {status:?}"));
        match status {
            RevocationStatus::Good => self.oracle.passed(self.now, token),
            RevocationStatus::Revoked => {
                self.isolates[isolate].refused.insert(token);
                self.oracle.found_revoked(self.now, token);
            }
            RevocationStatus::ClaimsOutdated => {
                self.isolates[isolate].refused.insert(token);
                self.oracle.found_outdated(token);
            }
            RevocationStatus::Unknown => {}
        }
    }

    /// An isolate asks the log through its data centre. `waiting` is the token of a request that waits for the answer.
    pub fn ask(&mut self, isolate: usize, waiting: Option<TokenNo>) {
        let it = &self.isolates[isolate];
        let (centre, life, number) = (it.centre, it.life, it.snapshot.number());
        it.snapshot.mark_requested(self.clock(it.skew));
        let now = self.now;
        self.centres[centre].cache.retain(|(_, since, _)| now - since <= CACHED_FOR);
        let kept = self.centres[centre].cache.iter().find(|(asked, _, _)| *asked == number);
        if let Some((_, _, delta)) = kept {
            let delta = Rc::clone(delta);
            return self.answer(isolate, life, delta, waiting);
        }
        if self.centres[centre].cut_off_until > self.now {
            return;
        }
        let Some(delay) = self.message() else { return };
        self.after(delay, move |world| {
            let Some(delta) = world.since(number) else { return };
            let Some(delay) = world.message() else { return };
            world.after(delay, move |world| {
                world.centres[centre].cache.push((number, world.now, Rc::clone(&delta)));
                world.answer(isolate, life, delta, waiting);
            });
        });
    }

    /// The data centre sends the answer to the isolate.
    fn answer(&mut self, isolate: usize, life: u32, delta: Rc<Delta>, waiting: Option<TokenNo>) {
        let delay = self.random.i64(0..=20);
        self.after(delay, move |world| {
            if world.isolates[isolate].life != life {
                return;
            }
            let clock = world.clock(world.isolates[isolate].skew);
            world.isolates[isolate].snapshot.update(&delta, clock);
            world.note(|| {
                let age = clock.as_millis() - delta.as_of.as_millis();
                format!("isolate {isolate} gets {} entries up to {}, {age} ms old", delta.entries.len(), delta.number)
            });
            if let Some(token) = waiting {
                world.judge(isolate, token);
            }
        });
    }

    /// The runtime replaces an isolate by a new one.
    pub fn replace_isolate(&mut self, isolate: usize) {
        self.note(|| format!("isolate {isolate} is replaced"));
        let (skew, bound, safeguards) = (self.skew(), self.settings.bound, self.rules.safeguards);
        let it = &mut self.isolates[isolate];
        (it.snapshot, it.skew, it.life) = (snapshot(safeguards, bound), skew, it.life + 1);
        it.refused.clear();
        for token in &mut self.oracle.tokens {
            token.checked_generation.iter_mut().skip(isolate).take(1).for_each(|good| good.store(0, Ordering::Relaxed));
        }
    }

    /// Checks that every isolate can judge tokens after a time with a good connection to the log.
    pub fn isolates_are_informed(&mut self) {
        for isolate in 0..self.isolates.len() {
            let it = &self.isolates[isolate];
            if it.snapshot.age(self.clock(it.skew)) == Age::TooOld {
                self.violated(
                    Rule::StaysIn,
                    format!("isolate {isolate} has asked the log, and its snapshot is still too old"),
                );
            }
        }
    }
}
