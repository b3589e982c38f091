//! Days on which strangers guess a password, and its owner logs in. Some strangers share the owner's address; some own
//! a record whose name differs from the owner's only in case, and log in to it in between.

use crate::{broken::Fault, object::Question, oracle::Rule, parts::Object, world::World};
use std::{cell::RefCell, collections::VecDeque, rc::Rc};
use tollgate::rules::{
    account::{Bucket, DeviceId, MOST_GUESSES_A_DAY, Reply},
    device::RecordId,
};

const MINUTE: i64 = 60_000;
/// Guesses after each log-in of the owner, fewer than those that cost no wait.
const FEW: u32 = 4;
const DAY: i64 = 24 * 60 * MINUTE;

/// The times of the guesses in one bucket, within the last day.
#[derive(Default)]
struct Guessed(VecDeque<i64>);

impl Guessed {
    /// Adds a guess. Returns whether there are too many within a day.
    fn one_more(&mut self, now: i64) -> bool {
        // The object's clock may have been set by as much as this.
        while self.0.front().is_some_and(|first| *first + DAY - 1000 <= now) {
            self.0.pop_front();
        }
        self.0.push_back(now);
        self.0.len() > MOST_GUESSES_A_DAY as usize
    }
}

/// The guesses of all buckets.
#[derive(Default)]
struct AllGuessed {
    strangers: Guessed,
    /// With the owner's cookie, stolen.
    thieves: Guessed,
    /// From the owner's address.
    neighbours: Guessed,
}

/// What strangers have and do.
#[derive(Clone, Copy)]
struct Means {
    /// A copy of the owner's cookie.
    cookie: bool,
    /// The owner's address.
    address: bool,
    /// A record of their own, whose name differs only in case.
    twin: bool,
    /// Which cookies they send: 0 invented, 1 the owner's, 2 that of their own record or none, 3 each in turn.
    shown: u32,
}

fn owner() -> RecordId {
    RecordId::of_name("ann")
}

fn twin() -> RecordId {
    RecordId::of_name("ANN")
}

impl World {
    /// The id of a device that logged in to a record.
    fn cookie(&self, record: &RecordId, secret: &str) -> DeviceId {
        DeviceId::cookie(&self.record_of_device(record), secret)
    }

    /// The id of the address from which the owner logs in.
    fn home(&self, record: &RecordId) -> DeviceId {
        DeviceId::address(&self.record_of_device(record), "192.0.2.1")
    }

    /// The record for which a device is known.
    fn record_of_device(&self, record: &RecordId) -> RecordId {
        if self.rules.fault == Some(Fault::SharesDevices) { owner() } else { record.clone() }
    }
}

/// The secret in the owner's cookie.
const OWN: &str = "cookie 0";

/// Plays 26 to 32 hours.
pub fn days(world: &mut World) {
    world.objects.push(Object::new("name:1".into(), 0));
    // Fewer crashes, since there are many attempts; none at the first log-in, which makes a device known.
    let crashes = std::mem::take(&mut world.settings.crashes) / 4;
    let hurry = world.random.u32(..4);
    let means = Means {
        cookie: world.percent(30),
        address: world.percent(40),
        twin: world.percent(40),
        shown: world.random.u32(..4),
    };
    let guessed = Rc::new(RefCell::new(AllGuessed::default()));
    owner_logs_in(world, false, &guessed, means);
    world.settings.crashes = crashes;
    let end = DAY + world.random.i64(2 * 60..8 * 60) * MINUTE;
    let owner_every = [20, 60, 300][world.random.usize(..3)] * MINUTE;
    let (mut owner_next, mut wait, mut since_owner) = (owner_every, 0, 0);
    while world.now < end && world.oracle.violation.is_none() {
        // As soon as allowed, up to two minutes later, up to 40 minutes apart, or a few after each log-in of the owner.
        let pause = match hurry {
            0 => wait,
            3 if since_owner < FEW => wait,
            3 => owner_next + 1 - world.now,
            1 => wait + world.random.i64(0..2 * MINUTE),
            _ => world.random.i64(0..40 * MINUTE),
        };
        let time = world.now + pause;
        if time > owner_next {
            world.run_until(owner_next);
            let is_known = world.random.bool();
            owner_logs_in(world, is_known, &guessed, means);
            owner_next += owner_every;
            since_owner = 0;
            continue;
        }
        world.run_until(time);
        since_owner += 1;
        wait = stranger_tries(world, &guessed, means);
        if means.twin && world.percent(30) {
            twin_logs_in(world);
        }
    }
}

/// Makes a guess. Returns the wait until the next one, in milliseconds.
fn stranger_tries(world: &mut World, guessed: &Rc<RefCell<AllGuessed>>, means: Means) -> i64 {
    let wait = Rc::new(RefCell::new(1000));
    let invented = world.random.u32(1..1_000_000);
    let any = world.random.u32(..3);
    let mut devices = match if means.shown < 3 { means.shown } else { any } {
        0 => vec![world.cookie(&owner(), &format!("cookie {invented}"))],
        1 if means.cookie => vec![world.cookie(&owner(), OWN)],
        // The cookie of their own record.
        2 if means.twin => vec![world.cookie(&owner(), "twin")],
        _ => Vec::new(),
    };
    let shows_cookie = devices.first() == Some(&world.cookie(&owner(), OWN));
    devices.extend(means.address.then(|| world.home(&owner())));
    let (next, guessed) = (Rc::clone(&wait), Rc::clone(guessed));
    // Sometimes KV can't be read, and the password is not checked.
    let (untried, is_silent) = (world.percent(5), world.percent(20));
    world.command(
        0,
        Question::Try(devices),
        Box::new(move |world, reply| match reply {
            Some(Reply::Wait { seconds }) => *next.borrow_mut() = i64::from(seconds) * 1000,
            Some(Reply::Busy) => *next.borrow_mut() = 500,
            Some(Reply::Allowed { bucket }) if untried => {
                world.command(0, Question::Untried(bucket), Box::new(|_, _| ()));
            }
            Some(Reply::Allowed { bucket }) => {
                *next.borrow_mut() = 0;
                // Sometimes the failure is not reported.
                if !is_silent {
                    world.command(0, Question::Wrong(bucket.clone()), Box::new(|_, _| ()));
                }
                let mut all = guessed.borrow_mut();
                let guessed = match &bucket {
                    Bucket::Strangers => &mut all.strangers,
                    Bucket::Device(DeviceId::Address(_)) => &mut all.neighbours,
                    Bucket::Device(DeviceId::Cookie(_)) => &mut all.thieves,
                };
                if guessed.one_more(world.now) {
                    world.violated(
                        Rule::LoginThrottle,
                        format!("more than {MOST_GUESSES_A_DAY} guesses in a day: {bucket:?}"),
                    );
                }
                if matches!(bucket, Bucket::Device(DeviceId::Cookie(_))) && !shows_cookie {
                    world.violated(
                        Rule::LoginThrottle,
                        "a device that never logged in as this record has a bucket of its own",
                    );
                }
                if bucket == Bucket::Strangers && means.address && !shows_cookie {
                    world.violated(Rule::LoginThrottle, "at a known address more is allowed than elsewhere");
                }
            }
            _ => {}
        }),
    );
    let wait = *wait.borrow();
    if wait == 0 && world.random.bool() { 0 } else { wait }
}

/// Strangers log in to their own record, whose attempts the same object counts, from the address that they share.
fn twin_logs_in(world: &mut World) {
    // With one of many browsers, new or used before.
    let number = world.random.u32(0..20);
    let devices =
        vec![world.cookie(&twin(), &format!("twin {number}")), world.cookie(&twin(), "twin"), world.home(&twin())];
    world.command(
        0,
        Question::Try(devices.clone()),
        Box::new(move |world, reply| {
            if let Some(Reply::Allowed { bucket }) = reply {
                world.command(0, Question::Right(bucket, devices, twin()), Box::new(|_, _| ()));
            }
        }),
    );
}

/// The owner logs in, from a known device (with [`OWN`]) or another one, in most cases from the same address.
fn owner_logs_in(world: &mut World, is_known: bool, guessed: &Rc<RefCell<AllGuessed>>, means: Means) {
    let guessed = Rc::clone(guessed);
    world.note(|| format!("the owner logs in, known: {is_known}"));
    let own = world.cookie(&owner(), OWN);
    let is_at_home = world.now == 0 || world.percent(80);
    let address = is_at_home.then(|| world.home(&owner()));
    let shown = is_known.then(|| own.clone()).into_iter().chain(address.clone()).collect();
    world.command(
        0,
        Question::Try(shown),
        Box::new(move |world, reply| match reply {
            Some(Reply::Allowed { bucket }) => {
                let own_bucket = Bucket::Device(own.clone());
                if is_known && !means.cookie && bucket != own_bucket {
                    world.violated(Rule::StaysIn, "a known device has no bucket of its own");
                }
                let devices = (world.now == 0).then_some(own).into_iter().chain(address).collect();
                let clears = bucket == own_bucket;
                world.command(
                    0,
                    Question::Right(bucket, devices, owner()),
                    Box::new(move |_, _| {
                        if clears {
                            guessed.borrow_mut().thieves.0.clear();
                        }
                    }),
                );
            }
            Some(Reply::Wait { seconds }) if is_known && !means.cookie => {
                world.violated(Rule::StaysIn, format!("a known device has to wait for strangers: {seconds} s"));
            }
            _ => {}
        }),
    );
}
