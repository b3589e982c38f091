//! An object as workerd runs it: one command at a time, but other commands run while it waits for the log or KV. A
//! write is atomic; a crash loses everything that is not written.

use crate::{
    attributes,
    broken::Fault,
    oracle::{Deed, Receipt, Rule},
    world::World,
};
use std::{cell::RefCell, rc::Rc};
use tollgate::{
    Timestamp,
    rules::{
        account::{
            Bucket, Command, Context, DeviceId, MAX_SESSIONS, Pending, RefreshToken, Reply, TokenLife,
            object::{Step, step},
        },
        device::RecordId,
        json::json,
        revocation::Entry,
        time::Duration,
    },
};

/// The continuation of a command with its reply; `None` if the object answers with an error.
pub type Back = Box<dyn FnOnce(&mut World, Option<Reply>)>;
/// The continuation of a message; `true` if it is known to have arrived.
pub type Through = Box<dyn FnOnce(&mut World, bool)>;

/// The time until the alarm sends again what was not delivered, in milliseconds.
const RETRY: i64 = 2000;
/// How long the object waits for the log or for KV, in milliseconds.
const TIMEOUT: i64 = 1000;
/// Maximum bytes of a session's row: 32 tokens of less than 100 bytes each.
const MOST_ROW: usize = 3500;

/// A command to an object, before numbers are replaced by ids.
pub enum Question {
    /// A deed at an account.
    Deed(Deed),
    /// [`Command::Attempt`].
    Try(Vec<DeviceId>),
    /// [`Command::Right`].
    Right(Bucket, Vec<DeviceId>, RecordId),
    /// [`Command::Wrong`].
    Wrong(Bucket),
    /// [`Command::Untried`].
    Untried(Bucket),
}

impl World {
    /// A command arrives at an object.
    pub fn command(&mut self, object: usize, question: Question, back: Back) {
        if self.objects[object].down_until > self.now {
            self.note(|| format!("object {object} is down"));
            return;
        }
        let clock = self.clock(self.objects[object].skew);
        let command = self.in_full(&question);
        self.commands += 1;
        let id = format!("command {}", self.commands);
        let Some(step) = self.step(object, Some(&id), command.clone(), clock) else { return };
        let deed = match question {
            Question::Deed(deed) => Some(deed),
            _ => None,
        };
        self.note(|| format!("object {object}: {} -> {:?}", label(deed), step.reply));
        if self.rules.fault == Some(Fault::RepliesBeforeWrite) && !step.promises_an_end {
            let receipt = deed.map(|deed| self.oracle.written(self.now, object, deed, &step.reply, clock));
            self.reply(object, deed, Some(step.reply.clone()), receipt, back);
            if self.crashes() {
                return self.crash(object, "after its reply, before the write");
            }
            self.store(object, &step);
            return self.hand_over(object, step.announcements, step.record, Box::new(|_, _| ()));
        }
        if matches!(deed, Some(Deed::Tidy)) && step.wake.is_some_and(|wake| wake <= clock) {
            self.violated(Rule::Bounded, format!("object {object} has tidied up, and is to do it again at once"));
        }
        if self.crashes() {
            return self.crash(object, "before the write");
        }
        self.store(object, &step);
        self.objects[object].done += 1;
        if self.percent(3) {
            self.repeat(object, id, command, step.reply.clone());
        }
        let receipt = deed.map(|deed| self.oracle.written(self.now, object, deed, &step.reply, clock));
        if self.crashes() {
            return self.crash(object, "after the write");
        }
        let (reply, promises) = (step.reply, step.promises_an_end);
        self.hand_over(
            object,
            step.announcements,
            step.record,
            Box::new(move |world, came_through| {
                let reply = (came_through || !promises).then_some(reply);
                world.reply(object, deed, reply, receipt, back);
            }),
        );
    }

    /// The command is repeated under its id, since the gate has lost the reply, or the object was reset.
    fn repeat(&mut self, object: usize, id: String, command: Command, reply: Reply) {
        let is_done = matches!(
            reply,
            Reply::Done
                | Reply::Allowed { .. }
                | Reply::Opened { .. }
                | Reply::Rotated { .. }
                | Reply::Ended { reused: true }
                | Reply::Changed { .. }
                | Reply::AttributesSet { .. }
        );
        let is_kept = !matches!(command, Command::Tidy | Command::Delivered { .. });
        let (delay, done) = (self.random.i64(0..5000), self.objects[object].done);
        if !is_done || !is_kept {
            return;
        }
        self.after(delay, move |world| {
            // The object keeps a limited number of replies.
            if world.objects[object].down_until > world.now || world.objects[object].done - done > 50 {
                return;
            }
            let clock = world.clock(world.objects[object].skew);
            let Some(step) = world.step(object, Some(&id), command, clock) else { return };
            world.note(|| format!("object {object}: {id} again -> {:?}", step.reply));
            if step.reply != reply {
                world.violated(Rule::Kept, format!("a repeated command is answered {:?}, not {reply:?}", step.reply));
            }
            world.store(object, &step);
        });
    }

    /// The reply leaves the object.
    fn reply(&mut self, object: usize, deed: Option<Deed>, reply: Option<Reply>, receipt: Option<Receipt>, back: Back) {
        match (deed, &reply, receipt) {
            (Some(deed), Some(reply), Some(receipt)) => {
                self.oracle.acknowledged(self.now, object, deed, reply, receipt);
            }
            (_, None, _) => self.note(|| format!("object {object}: an error in place of the reply")),
            _ => {}
        }
        back(self, reply);
    }

    fn step(&mut self, object: usize, id: Option<&str>, command: Command, clock: Timestamp) -> Option<Step> {
        let (it, lifetimes) = (&self.objects[object], self.settings.lifetimes());
        let (name, safeguards) = (&it.name, self.rules.safeguards);
        let context = Context { name, lifetimes: &lifetimes, now: clock, safeguards };
        let step = step(&it.rows, id, command, &context);
        if step.is_err() {
            self.violated(Rule::Kept, "rows can't be read");
        }
        step.ok()
    }

    /// One transaction: the rows and the alarm.
    fn store(&mut self, object: usize, step: &Step) {
        let sessions = step.changes.iter().filter(|(key, _)| key.starts_with("session/"));
        let long = sessions.filter_map(|(_, value)| value.as_ref()).map(String::len).max().unwrap_or_default();
        let it = &mut self.objects[object];
        it.write(&step.changes);
        it.record.clone_from(&step.record);
        let rows = it.rows.len();
        let waits = step.is_left_to_tell();
        let wake = step.wake.map(|wake| Self::true_time(wake, it.skew).max(self.now + 1));
        let retry = waits.then_some(self.now + RETRY);
        let next = [wake, retry].into_iter().flatten().min();
        it.alarm = next;
        if long > MOST_ROW || rows > MAX_SESSIONS + 5 {
            self.violated(Rule::Bounded, format!("object {object} has {rows} rows, the longest of {long} bytes"));
        }
        if let Some(next) = next {
            self.look_at_alarm(object, next);
        }
    }

    fn look_at_alarm(&mut self, object: usize, at: i64) {
        if self.objects[object].looks_at.is_none_or(|looks_at| looks_at > at || looks_at <= self.now) {
            self.objects[object].looks_at = Some(at);
            self.after(at - self.now, move |world| world.alarm(object));
        }
    }

    fn alarm(&mut self, object: usize) {
        let it = &mut self.objects[object];
        if it.looks_at.is_some_and(|at| at <= self.now) {
            it.looks_at = None;
        }
        let Some(alarm) = it.alarm else { return };
        let next = alarm.max(it.down_until);
        if next > self.now {
            return self.look_at_alarm(object, next);
        }
        // If the command fails, the alarm is due again.
        it.alarm = Some(self.now + RETRY);
        self.look_at_alarm(object, self.now + RETRY);
        self.command(object, Question::Deed(Deed::Tidy), Box::new(|_, _| ()));
    }

    /// Everything that is not stored is lost. The object restarts on another machine, with another clock.
    pub fn crash(&mut self, object: usize, when: &str) {
        let (pause, skew) = (if self.random.bool() { self.random.i64(0..=3000) } else { 0 }, self.skew());
        self.note(|| format!("object {object} crashes {when}"));
        let it = &mut self.objects[object];
        (it.skew, it.down_until, it.is_putting, it.record) = (skew, self.now + pause, false, None);
        it.life += 1;
        let next = it.alarm.map(|alarm| alarm.max(it.down_until).max(self.now + 1));
        if let Some(next) = next {
            it.looks_at = None;
            self.look_at_alarm(object, next);
        }
    }

    /// Sends to the log first, then to KV.
    fn hand_over(&mut self, object: usize, entries: Vec<Entry>, record: Option<Pending>, done: Through) {
        if entries.is_empty() {
            return self.put(object, record, true, done);
        }
        let life = self.objects[object].life;
        self.tell(
            object,
            entries.clone(),
            Box::new(move |world, came_through| {
                if world.objects[object].life != life {
                    return;
                }
                world.note(|| {
                    let what = if came_through { "gets" } else { "may not get" };
                    format!("the log {what} {} entries of object {object}", entries.len())
                });
                if came_through || world.rules.fault == Some(Fault::AnnouncesOnce) {
                    let delivered = Command::Delivered { revocations: entries, record: None };
                    if !world.delivered(object, delivered) {
                        return;
                    }
                }
                world.put(object, record, came_through, done);
            }),
        );
    }

    /// Sends entries to the log. `through` gets `true` if the log has answered in time.
    fn tell(&mut self, object: usize, entries: Vec<Entry>, through: Through) {
        // Whichever comes first: the answer or the timeout.
        let through = Rc::new(RefCell::new(Some(through)));
        let answer = |came_through: bool| {
            let through = Rc::clone(&through);
            move |world: &mut Self| {
                let through = through.borrow_mut().take();
                if let Some(through) = through {
                    through(world, came_through);
                }
            }
        };
        self.after(TIMEOUT, answer(false));
        if self.objects[object].cut_off_until > self.now {
            return;
        }
        let times = 1 + u8::from(self.comes_twice());
        for _ in 0..times {
            let Some(delay) = self.message() else { continue };
            let (entries, yes) = (entries.clone(), answer(true));
            self.after(delay, move |world| {
                if world.add_entries(entries)
                    && let Some(delay) = world.message()
                {
                    world.after(delay, yes);
                }
            });
        }
    }

    /// Writes to KV, one write at a time, so that no write overtakes a later one.
    fn put(&mut self, object: usize, record: Option<Pending>, told: bool, done: Through) {
        let is_old = self.rules.fault == Some(Fault::WritesOldRecord);
        let record = if is_old { record } else { self.objects[object].record.clone() };
        let Some(record) = record.filter(|_| !self.objects[object].is_putting) else { return done(self, told) };
        let life = self.objects[object].life;
        self.objects[object].is_putting = true;
        let delay = self.message().unwrap_or(TIMEOUT).min(TIMEOUT);
        let fails = self.settings.store_fails;
        let (lands, is_known) = (self.is_calm || !self.percent(fails), self.is_calm || !self.percent(fails / 2));
        self.after(delay, move |world| {
            if world.objects[object].life != life {
                return;
            }
            world.objects[object].is_putting = false;
            if lands {
                world.note(|| format!("KV has {}", record.text));
                let number = world.store.put_text(world.now, object, &record.text);
                world.moved(number);
            }
            if lands && is_known {
                let delivered = Command::Delivered { revocations: Vec::new(), record: Some(record) };
                if !world.delivered(object, delivered) {
                    return;
                }
            }
            done(world, told);
        });
    }

    /// A record is in KV: the oracle learns its version.
    fn moved(&mut self, (record, version): (usize, Timestamp)) {
        self.oracle.records[record].version = Some(version);
    }

    /// The object stores that something was delivered. Returns `false` if it crashes.
    fn delivered(&mut self, object: usize, command: Command) -> bool {
        let clock = self.clock(self.objects[object].skew);
        let Some(step) = self.step(object, None, command, clock) else { return false };
        if self.crashes() {
            self.crash(object, "before it has stored the delivery");
            return false;
        }
        self.store(object, &step);
        true
    }

    /// The command that the object gets.
    fn in_full(&mut self, question: &Question) -> Command {
        match question {
            Question::Try(devices) => Command::Attempt { devices: devices.clone() },
            Question::Right(bucket, devices, record) => {
                Command::Right { bucket: bucket.clone(), devices: devices.clone(), record: record.as_str().to_owned() }
            }
            Question::Wrong(bucket) => Command::Wrong { bucket: bucket.clone() },
            Question::Untried(bucket) => Command::Untried { bucket: bucket.clone() },
            Question::Deed(deed) => self.deed_in_full(*deed),
        }
    }

    fn deed_in_full(&mut self, deed: Deed) -> Command {
        let id = |world: &Self, token: usize| world.oracle.tokens[token].id.clone();
        let link = |world: &Self, token, issued_at| RefreshToken {
            token_id: id(world, token),
            seed: "seed".into(),
            issued_at,
        };
        let session = |world: &Self, session: usize| world.oracle.sessions[session].id.clone();
        let version = |world: &Self, record: usize| world.oracle.records[record].version;
        let never = Timestamp::from_millis(0);
        match deed {
            Deed::Open { record, refresh, issued, profile } => Command::Open {
                version: version(self, record).unwrap_or(never),
                entropy: self.random.u64(..).to_string(),
                refresh: refresh.map(|token| link(self, token, issued)),
                user_agent: "curl".into(),
                country: "CH".into(),
                attributes: Some(attributes::seen(self.oracle.profiles[profile].clone())),
            },
            Deed::Rotate { session: number, token, successor, issued, profile } => Command::Rotate {
                session: session(self, number),
                token_id: id(self, token),
                successor: link(self, successor, issued),
                attributes: Some(attributes::seen(self.oracle.profiles[profile].clone())),
            },
            Deed::Check { session: number, token } => {
                let object = &self.objects[self.oracle.account_of(token)].name;
                let began = self.oracle.keys(token, object).began;
                let session = number.map(|number| session(self, number));
                let claims_version = Some(self.oracle.tokens[token].claims_version());
                let token_id = Some(id(self, token));
                Command::Check { session, token_id, began, is_use: false, claims_version, attributes: None }
            }
            Deed::List => Command::List,
            Deed::End { session: number } => Command::End { session: session(self, number) },
            Deed::EndAll { retire } => {
                Command::EndAll { retire_password: retire, version: None, forget_attributes: false }
            }
            Deed::SetAttribute { profile, attribute, value } => Command::SetAttributes {
                found: self.oracle.profiles[profile].clone(),
                set: attributes::one(attribute, value),
                without: Vec::new(),
                claims: attributes::names(),
                max_claim_bytes: 1000,
                replaces: false,
            },
            Deed::Revoke { token } => {
                // An operator does not know how long the token would live; its holder does.
                let end = Timestamp::from_seconds(self.oracle.tokens[token].expires + 1);
                let leeway = Duration::from_millis(self.settings.leeway).unwrap_or(Duration::ZERO);
                let life = self.percent(50).then(|| TokenLife::Until(end.later(leeway)));
                Command::Revoke { token_id: id(self, token), life }
            }
            Deed::SetPassword { proven, record } => Command::SetPassword {
                proven: version(self, proven).unwrap_or(never),
                key: "login:user".into(),
                record: json!({ "record": record }).as_object().cloned().unwrap_or_default(),
            },
            Deed::Rehash { proven, record } => {
                let version = version(self, proven).unwrap_or(never);
                Command::Rehash {
                    proven: version,
                    key: "login:user".into(),
                    record: json!({ "record": record, "version": version.as_millis() })
                        .as_object()
                        .cloned()
                        .unwrap_or_default(),
                }
            }
            Deed::Tidy => Command::Tidy,
        }
    }
}

fn label(deed: Option<Deed>) -> String {
    deed.map_or_else(|| "an attempt".to_owned(), |deed| format!("{deed:?}"))
}
