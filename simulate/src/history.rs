//! One history: its people, their random actions, and the checks at its end.

use crate::{
    broken::Rules,
    guessing,
    object::Question,
    oracle::{Deed, Rule, Violation},
    parts::{Centre, Isolate, Object, Person},
    seed::scrambled,
    settings::Settings,
    world::World,
};
use fastrand::Rng;
use tollgate::{
    Timestamp,
    rules::{
        account::{Context, MAX_SESSIONS, Reply},
        identity::Attributes,
    },
};

/// After this time every write to KV is visible and every message has arrived, in milliseconds.
const ALL_IS_QUIET: i64 = 75_000;

/// The outcome of a history.
pub struct Outcome {
    /// The first violation; `None` if there was none.
    pub violation: Option<Violation>,
    /// A line for each event; empty if `is_traced` was `false`.
    pub trace: Vec<String>,
}

/// Plays the history of this seed by these rules.
pub fn play(rules: Rules, seed: u64, is_traced: bool) -> Outcome {
    // Seeds are often consecutive small numbers, from which the generator would draw similar values.
    let mut random = Rng::with_seed(scrambled(seed));
    let settings = Settings::random(&mut random);
    let kind = random.u32(..10_000);
    let accounts = if kind < 250 { 1 } else { random.usize(1..=3) };
    let mut world = World::new(rules, random, settings, is_traced, accounts);
    world.note(|| format!("{settings:?}"));
    match kind {
        0..250 => guessing::days(&mut world),
        250..252 => {
            world.set_up(1);
            world.crowd();
            world.rest();
        }
        _ => {
            world.set_up(accounts);
            world.live();
            world.rest();
        }
    }
    let (violation, trace) = world.outcome();
    Outcome { violation, trace }
}

impl World {
    fn set_up(&mut self, accounts: usize) {
        for account in 0..accounts {
            let skew = self.skew();
            self.objects.push(Object::new(format!("user:{account}").into(), skew));
            let version = self.random.bool().then(|| Timestamp::from_millis(1_700_000_000_000));
            let password = u32::try_from(account).unwrap_or_default() * 1000;
            let record = self.oracle.record(account, password, version);
            self.store.put(-1_000_000, account, record);
            let version = Timestamp::from_millis(if self.random.bool() { 1_700_000_000_000 } else { 0 });
            self.store.put_profile(-1_000_000, account, Attributes { version, ..Attributes::default() });
            for _ in 0..self.random.usize(1..=3) {
                let is_good = self.random.bool();
                self.people.push(Person::new(account, is_good, false));
            }
            self.people.push(Person::new(account, false, true));
        }
        let centres = self.random.usize(1..=2);
        self.centres.extend((0..centres).map(|_| Centre::default()));
        for isolate in 0..self.random.usize(2..=4) {
            let skew = self.skew();
            self.isolates.push(Isolate::new(self.rules.safeguards, self.settings.bound, skew, isolate % centres));
        }
    }

    /// Plays 20 to 60 random actions.
    fn live(&mut self) {
        let mut passwords: Vec<Vec<u32>> =
            (0..self.objects.len()).map(|account| vec![u32::try_from(account).unwrap_or_default() * 1000]).collect();
        for person in 0..self.people.len() {
            if !self.people[person].is_thief {
                self.login(person, passwords[self.people[person].account][0]);
            }
        }
        let deeds = self.random.u32(20..=60);
        for _ in 0..deeds {
            let (pause, is_aimed) = self.pause();
            let time = self.now + pause;
            self.run_until(time);
            if self.oracle.violation.is_some() {
                return;
            }
            if is_aimed {
                let person = self.random.usize(..self.people.len());
                (0..3).for_each(|_| self.use_access(person));
            }
            self.somebody_acts(&mut passwords);
        }
    }

    /// Draws the time until the next action, in milliseconds, and whether it ends near a time at which a decision
    /// changes.
    fn pause(&mut self) -> (i64, bool) {
        let pause = match self.random.u32(..100) {
            0..30 => self.random.i64(0..50),
            30..58 => self.random.i64(50..1000),
            58..76 => self.random.i64(1000..10_000),
            76..80 => self.random.i64(10_000..70_000),
            _ => {
                let now = self.now;
                self.oracle.moments.retain(|moment| *moment > now);
                if self.oracle.moments.is_empty() {
                    return (0, false);
                }
                let moment = self.oracle.moments[self.random.usize(..self.oracle.moments.len())];
                return ((moment + self.random.i64(-400..1200) - now).max(0), true);
            }
        };
        (pause, false)
    }

    fn somebody_acts(&mut self, passwords: &mut [Vec<u32>]) {
        let person = self.random.usize(..self.people.len());
        let (account, is_thief) = (self.people[person].account, self.people[person].is_thief);
        let known = &passwords[account];
        // The present password, or any earlier one.
        let password =
            if self.random.bool() { known[known.len() - 1] } else { known[self.random.usize(..known.len())] };
        match self.random.u32(..100) {
            0..12 => self.login(person, password),
            12..36 => {
                let tabs = [1, 1, 1, 1, 1, 1, 2, 2, 5][self.random.usize(..9)];
                self.rotate(person, tabs);
            }
            36..54 => self.use_access(person),
            54..58 => self.change_attribute(person),
            58..64 => self.check(person),
            64..70 if is_thief => self.steal(person),
            64..70 => self.use_access(person),
            70..77 => {
                let Some(session) = self.some_session(person) else { return };
                self.want(person, account, Deed::End { session }, 3);
            }
            77 => self.end_all_twice(person, password),
            78..80 => {
                let retire = self.percent(25);
                self.want(person, account, Deed::EndAll { retire }, 3);
            }
            80..85 => {
                let Some(token) = self.some_token(person) else { return };
                self.want(person, account, Deed::Revoke { token }, 3);
            }
            85 => {
                let last = known[known.len() - 1];
                passwords[account].extend([last + 1, last + 2]);
                self.change_password(person, last, last + 1);
                let (soon, later) = (self.random.i64(0..1000), self.random.i64(500..2000));
                self.after(soon, move |world| world.want(person, account, Deed::List, 1));
                self.after(later, move |world| world.change_password(person, last + 1, last + 2));
            }
            86..90 => {
                let new = known[known.len() - 1] + 1;
                passwords[account].push(new);
                self.change_password(person, password, new);
            }
            90 => {
                let new = known[known.len() - 1] + 1;
                passwords[account].push(new);
                self.operator_writes(account, new);
            }
            91 if self.random.bool() => self.operator_writes_profile(account),
            91 => self.want(person, account, Deed::List, 1),
            92 => match self.random.u32(..20) {
                0 => self.rotate_in_a_hurry(person, 60),
                1 => self.rotate(person, 100),
                2..10 => self.flee(person, password),
                _ => self.issue_without_session(person),
            },
            93 => self.crash(account, "out of the blue"),
            94 => self.crash_log(),
            95 => {
                let length = self.random.i64(1000..60_000);
                self.note(|| format!("object {account} can't reach the log for {length} ms"));
                self.objects[account].cut_off_until = self.now + length;
            }
            96 => {
                let length = self.random.i64(1000..40_000);
                self.note(|| format!("the log can't be reached for {length} ms"));
                self.log.down_until = self.now + length;
            }
            97 => {
                let (centre, length) = (self.random.usize(..self.centres.len()), self.random.i64(1000..40_000));
                self.note(|| format!("centre {centre} is cut off for {length} ms"));
                self.centres[centre].cut_off_until = self.now + length;
            }
            98 => {
                let isolate = self.random.usize(..self.isolates.len());
                self.replace_isolate(isolate);
            }
            _ => (0..5).for_each(|_| self.use_access(person)),
        }
    }

    /// Opens more sessions than an account may have.
    fn crowd(&mut self) {
        self.settings.crashes = 0;
        for _ in 0..MAX_SESSIONS + 5 {
            let issued = self.clock(0);
            let refresh = Some(self.oracle.token('r', issued, self.settings.session));
            let deed = Deed::Open { record: 0, refresh, issued, profile: self.read_profile(0) };
            self.command(0, Question::Deed(deed), Box::new(|_, _| ()));
            let time = self.now + 1;
            self.run_until(time);
        }
        self.want(0, 0, Deed::List, 1);
        let time = self.now + 10_000;
        self.run_until(time);
    }

    /// Faults stop. Checks that everything is delivered, that valid tokens pass everywhere, and that expired state is
    /// dropped.
    fn rest(&mut self) {
        self.is_calm = true;
        self.log.down_until = self.log.down_until.min(self.now);
        self.centres.iter_mut().for_each(|centre| centre.cut_off_until = 0);
        self.objects.iter_mut().for_each(|object| object.cut_off_until = 0);
        self.run_until(self.now + ALL_IS_QUIET);
        if self.oracle.violation.is_some() {
            return;
        }
        for object in 0..self.objects.len() {
            // A session may have expired just now.
            if !self.objects[object].account().announcements().is_empty() {
                self.run_until(self.now + 3000);
            }
            let account = self.objects[object].account();
            if !account.announcements().is_empty() {
                self.violated(Rule::Kept, format!("object {object} has revocations that the log does not have"));
            }
            if account.record().is_some() {
                self.violated(Rule::Kept, format!("object {object} has a record that KV does not have"));
            }
            self.the_last_attributes_count(object);
            self.the_last_password_counts(object);
        }
        self.good_tokens_are_good();
        if self.percent(15) {
            self.nothing_is_left();
        }
    }

    fn the_last_password_counts(&mut self, account: usize) {
        let Some(wanted) = self.oracle.wanted(account) else { return };
        let last = self.store.last(account);
        let of = |record: usize| self.oracle.records[record].password;
        if last.map(of) != Some(of(wanted)) {
            let what = format!("KV has record {last:?} of account {account}, not {wanted}, the last that was written");
            return self.violated(Rule::Kept, what);
        }
        let issued = self.clock(0);
        let deed =
            Deed::Open { record: last.unwrap_or_default(), refresh: None, issued, profile: self.read_profile(account) };
        self.command(
            account,
            Question::Deed(deed),
            Box::new(|world, reply| {
                if !matches!(reply, Some(Reply::Opened { .. })) {
                    world.violated(Rule::Kept, format!("the new password opens nothing: {reply:?}"));
                }
            }),
        );
    }

    /// In the end a new token has every change, though KV shows the first profile.
    fn the_last_attributes_count(&mut self, account: usize) {
        let Some(record) = self.oracle.wanted(account).or_else(|| self.store.last(account)) else { return };
        let (issued, first) = (self.clock(0), Attributes::default());
        self.oracle.profiles.push(first);
        let profile = self.oracle.profiles.len() - 1;
        self.command(
            account,
            Question::Deed(Deed::Open { record, refresh: None, issued, profile }),
            Box::new(move |world, reply| {
                if let Some(Reply::Opened { attributes, .. }) = reply {
                    world.oracle.attributes_in_the_end(account, &attributes.unwrap_or_default());
                }
            }),
        );
    }

    fn good_tokens_are_good(&mut self) {
        for isolate in 0..self.isolates.len() {
            self.ask(isolate, None);
        }
        self.run_until(self.now + 500);
        self.isolates_are_informed();
        for token in 0..self.oracle.tokens.len() {
            if self.is_access(token) {
                for isolate in 0..self.isolates.len() {
                    self.arrives(isolate, token);
                }
            }
        }
    }

    fn nothing_is_left(&mut self) {
        let longest = self.settings.session.max(self.settings.access) + self.settings.idle + 1_000_000;
        self.run_until(self.now + longest);
        for object in 0..self.objects.len() {
            let (it, lifetimes) = (&self.objects[object], self.settings.lifetimes());
            let (name, safeguards, now) = (&it.name, self.rules.safeguards, self.clock(0));
            let next = it.account().next_tidy(&Context { name, lifetimes: &lifetimes, now, safeguards });
            let rows = it.rows_that_pass();
            if rows > 0 || next.is_some() {
                self.violated(Rule::Bounded, format!("object {object} still has {rows} rows"));
            }
        }
        self.forget();
        for isolate in 0..self.isolates.len() {
            self.ask(isolate, None);
        }
        self.run_until(self.now + 1000);
        let held = (0..self.isolates.len()).map(|isolate| self.isolates[isolate].len()).max().unwrap_or_default();
        if self.log.len() + held > 0 {
            let what = format!("the log still has {} entries, an isolate {held}", self.log.len());
            self.violated(Rule::Bounded, what);
        }
        self.another_day();
    }

    /// The log restarts when it is empty.
    fn another_day(&mut self) {
        self.crash_log();
        self.run_until(self.now + 3000);
        if self.random.bool() {
            self.good_tokens_are_good();
        }
        let tokens: Vec<_> = (0..12)
            .map(|_| {
                self.issue_without_session(0);
                self.oracle.tokens.len() - 1
            })
            .collect();
        let (account, ended) = (self.people[0].account, self.random.usize(1..=tokens.len()));
        for &token in &tokens[..ended] {
            self.want(0, account, Deed::Revoke { token }, 1);
        }
        self.run_until(self.now + self.settings.bound + 1000);
        self.good_tokens_are_good();
    }
}
