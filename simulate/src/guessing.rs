//! Days on which strangers guess a password, and its owner logs in.

use crate::{
    object::{Object, Question},
    oracle::Rule,
    world::World,
};
use std::{cell::RefCell, collections::VecDeque, rc::Rc};
use tollgate::rules::account::{DeviceId, Lane, MOST_GUESSES_A_DAY, Reply};

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// What was guessed in one lane.
#[derive(Default)]
struct Guessed(VecDeque<i64>);

impl Guessed {
    /// One more: are that too many within a day?
    fn one_more(&mut self, now: i64) -> bool {
        // The object's clock may have been set by as much as this.
        while self.0.front().is_some_and(|first| *first + DAY - 1000 <= now) {
            self.0.pop_front();
        }
        self.0.push_back(now);
        self.0.len() > MOST_GUESSES_A_DAY as usize
    }
}

fn cookie(number: u32) -> DeviceId {
    DeviceId::Cookie(format!("cookie {number}"))
}

/// Twenty-six hours or more of it.
pub fn days(world: &mut World) {
    world.objects.push(Object::new("name:1".into(), 0));
    // Crashes are rare beside so many tries, and not at all at the first log-in, which makes a device known.
    let crashes = std::mem::take(&mut world.settings.crashes) / 4;
    let (hurry, has_stolen) = (world.random.u32(..3), world.percent(30));
    // A cookie of one's own invention, none, a stolen one; or now this, now that.
    let shown = world.random.u32(..4);
    let strangers = Rc::new(RefCell::new(Guessed::default()));
    let thieves = Rc::new(RefCell::new(Guessed::default()));
    owner_logs_in(world, None, &thieves, has_stolen);
    world.settings.crashes = crashes;
    let end = DAY + world.random.i64(2 * 60..8 * 60) * MINUTE;
    let owner_every = [20, 60, 300][world.random.usize(..3)] * MINUTE;
    let (mut owner_next, mut wait) = (owner_every, 0);
    while world.now < end && world.oracle.violation.is_none() {
        // As soon as it may be, at the same moment, or at leisure.
        let pause = match hurry {
            0 => wait,
            1 => wait + world.random.i64(0..2 * MINUTE),
            _ => world.random.i64(0..40 * MINUTE),
        };
        let time = world.now + pause;
        if time > owner_next {
            world.run_until(owner_next);
            let known = world.random.bool().then(|| cookie(0));
            owner_logs_in(world, known, &thieves, has_stolen);
            owner_next += owner_every;
            continue;
        }
        world.run_until(time);
        wait = stranger_tries(world, &strangers, &thieves, has_stolen.then_some(shown));
    }
}

/// A guess: how long the next has to wait.
fn stranger_tries(
    world: &mut World,
    strangers: &Rc<RefCell<Guessed>>,
    thieves: &Rc<RefCell<Guessed>>,
    shown: Option<u32>,
) -> i64 {
    let wait = Rc::new(RefCell::new(1000));
    let invented = world.random.u32(1..1_000_000);
    let now_this_now_that = world.random.u32(..3);
    let devices = match shown.filter(|shown| *shown < 3).unwrap_or(now_this_now_that) {
        0 => vec![cookie(invented)],
        1 if shown.is_some() => vec![cookie(0)],
        _ => Vec::new(),
    };
    let (next, strangers, thieves) = (Rc::clone(&wait), Rc::clone(strangers), Rc::clone(thieves));
    // Not every try is one: sometimes KV can't be read.
    let (untried, is_silent) = (world.percent(5), world.percent(20));
    world.command(
        0,
        Question::Try(devices),
        Box::new(move |world, reply| match reply {
            Some(Reply::Wait { seconds }) => *next.borrow_mut() = i64::from(seconds) * 1000,
            Some(Reply::Busy) => *next.borrow_mut() = 500,
            Some(Reply::Go { lane }) if untried => {
                world.command(0, Question::Untried(lane), Box::new(|_, _| ()));
            }
            Some(Reply::Go { lane }) => {
                *next.borrow_mut() = 0;
                // Sometimes nobody tells that it was wrong.
                if !is_silent {
                    world.command(0, Question::Wrong(lane.clone()), Box::new(|_, _| ()));
                }
                let guessed = if lane == Lane::Strangers { &strangers } else { &thieves };
                if guessed.borrow_mut().one_more(world.now) {
                    world.violated(Rule::Guesses, format!("more than {MOST_GUESSES_A_DAY} guesses in a day: {lane:?}"));
                }
            }
            _ => {}
        }),
    );
    let wait = *wait.borrow();
    if wait == 0 && world.random.bool() { 0 } else { wait }
}

/// The owner logs in, from a device that is known (the cookie 0) or from another.
fn owner_logs_in(world: &mut World, known: Option<DeviceId>, thieves: &Rc<RefCell<Guessed>>, has_stolen: bool) {
    let thieves = Rc::clone(thieves);
    let is_known = known.is_some();
    world.note(|| format!("the owner logs in, known: {is_known}"));
    world.command(
        0,
        Question::Try(known.into_iter().collect()),
        Box::new(move |world, reply| match reply {
            Some(Reply::Go { lane }) => {
                let own = Lane::Device(cookie(0));
                if is_known && !has_stolen && lane != own {
                    world.violated(Rule::StaysIn, "a known device has no lane of its own");
                }
                let device = (world.now == 0).then(|| cookie(0));
                let clears = lane == own;
                world.command(
                    0,
                    Question::Right(lane, device),
                    Box::new(move |_, _| {
                        if clears {
                            thieves.borrow_mut().0.clear();
                        }
                    }),
                );
            }
            Some(Reply::Wait { seconds }) if is_known && !has_stolen => {
                world.violated(Rule::StaysIn, format!("a known device has to wait for strangers: {seconds} s"));
            }
            _ => {}
        }),
    );
}
