//! Users with their devices, thieves and the operator: their requests, connections and retries.

use crate::{
    attributes::{self, NAMES},
    object::Question,
    oracle::{Deed, Oracle, ProfileNo, RecordNo, SessionNo, TokenNo},
    parts::Person,
    world::World,
};
use std::{cell::Cell, rc::Rc};
use tollgate::{
    Timestamp,
    rules::{account::Reply, identity::Attributes},
};

/// How long a client waits for an answer before it retries, in milliseconds.
const TIMEOUT: i64 = 2500;

impl World {
    fn leg(&mut self, person: usize) -> Option<i64> {
        if self.people[person].has_good_connection { self.good_message() } else { self.message() }
    }

    /// Sends a message, which may arrive once, twice or never.
    fn send(&mut self, person: usize, event: impl Fn(&mut Self) + Clone + 'static) {
        let is_good = self.people[person].has_good_connection;
        let times = if !is_good && self.comes_twice() { 2 } else { 1 };
        for _ in 0..times {
            let event = event.clone();
            if let Some(delay) = self.leg(person) {
                self.after(delay, move |world| event(world));
            }
        }
    }

    /// A random isolate, and the time by its clock.
    fn some_clock(&mut self) -> (usize, Timestamp) {
        let isolate = self.random.usize(..self.isolates.len());
        (isolate, self.clock(self.isolates[isolate].skew))
    }

    /// A person logs in with a password.
    pub fn login(&mut self, person: usize, password: u32) {
        self.note(|| format!("person {person} logs in with password {password}"));
        self.send(person, move |world| world.login_arrives(person, password));
    }

    fn login_arrives(&mut self, person: usize, password: u32) {
        let account = self.people[person].account;
        let Some(record) = self.store.read(self.now, account, &mut self.random) else { return };
        if self.oracle.records[record].password != password {
            self.note(|| format!("password {password} is not that of record {record}"));
            return;
        }
        let (_, issued) = self.some_clock();
        let with_refresh = self.percent(90);
        let life = self.settings.session;
        let refresh = with_refresh.then(|| self.oracle.token('r', issued, life));
        let profile = self.read_profile(account);
        let deed = Deed::Open { record, refresh, issued, profile };
        let rehashes = self.percent(10);
        let Some(delay) = self.leg(person) else { return };
        self.after(delay, move |world| {
            world.command(
                account,
                Question::Deed(deed),
                Box::new(move |world, reply| {
                    let Some(Reply::Opened { session: id, attributes }) = reply else { return };
                    let claims = attributes.unwrap_or_else(|| world.oracle.profiles[profile].clone());
                    if rehashes {
                        world.rehash(account, record);
                    }
                    let Some(delay) = world.leg(person) else { return };
                    world.after(delay, move |world| {
                        let Some(session) = world.oracle.session_no(&id) else { return };
                        let access = world.access_token(session, issued, claims);
                        let it = &mut world.people[person];
                        (it.session, it.refresh, it.access) = (Some(session), refresh, Some(access));
                    });
                }),
            );
        });
    }

    fn access_token(&mut self, session: SessionNo, issued: Timestamp, claims: Attributes) -> TokenNo {
        let life = self.settings.access;
        let token = self.oracle.token('a', issued, life);
        let it = &mut self.oracle.tokens[token];
        (it.session, it.claims) = (Some(session), Some(claims));
        let last_second = self.oracle.tokens[token].expires * 1000 + self.settings.leeway + 1000;
        self.oracle.moments.push(Self::true_time(Timestamp::from_millis(last_second), 0));
        token
    }

    fn rehash(&mut self, account: usize, proven: RecordNo) {
        let Some(delay) = self.message() else { return };
        let facts = self.oracle.records[proven];
        let record = self.oracle.record(account, facts.password, facts.version);
        let deed = Deed::Rehash { proven, record };
        self.after(delay, move |world| world.command(account, Question::Deed(deed), Box::new(|_, _| ())));
    }

    /// A person's tabs spend the refresh token that they share, all at once.
    pub fn rotate(&mut self, person: usize, tabs: u32) {
        let it = &self.people[person];
        let (Some(session), Some(token)) = (it.session, it.refresh) else { return };
        // A device with a good connection has each answer before it sends again.
        if it.has_good_connection && it.in_flight > 0 {
            return;
        }
        self.note(|| format!("person {person} spends token {token}, in {tabs} tabs"));
        for _ in 0..tabs {
            self.people[person].in_flight += 1;
            self.try_to_rotate(person, session, token, self.now, Rc::new(Cell::new(false)));
        }
    }

    fn try_to_rotate(&mut self, person: usize, session: SessionNo, token: TokenNo, since: i64, done: Rc<Cell<bool>>) {
        let is_done = Rc::clone(&done);
        self.send(person, move |world| {
            let (_, issued) = world.some_clock();
            let life = world.settings.session;
            let successor = world.oracle.token('r', issued, life);
            let account = world.oracle.sessions[session].account;
            let profile = world.read_profile(account);
            let deed = Deed::Rotate { session, token, successor, issued, profile };
            let Some(delay) = world.leg(person) else { return };
            let is_done = Rc::clone(&is_done);
            world.after(delay, move |world| {
                let back = move |world: &mut Self, reply: Option<Reply>| {
                    let (Some(reply), Some(delay)) = (reply, world.leg(person)) else { return };
                    world.after(delay, move |world| {
                        if !is_done.replace(true) {
                            world.rotation_is_answered(person, session, profile, &reply);
                        }
                    });
                };
                world.command(account, Question::Deed(deed), Box::new(back));
            });
        });
        self.after(TIMEOUT, move |world| {
            if done.get() {
                return;
            }
            let is_good = world.people[person].has_good_connection;
            let most = if is_good { world.settings.grace - TIMEOUT } else { 2 * world.settings.grace };
            if world.now - since < most && world.percent(95) {
                world.try_to_rotate(person, session, token, since, done);
            } else {
                done.set(true);
                let it = &mut world.people[person];
                (it.has_good_connection, it.in_flight) = (false, it.in_flight - 1);
            }
        });
    }

    fn rotation_is_answered(&mut self, person: usize, session: SessionNo, profile: ProfileNo, reply: &Reply) {
        self.people[person].in_flight -= 1;
        let is_same = self.people[person].session == Some(session);
        match reply {
            Reply::Rotated { successor, attributes, .. } if is_same => {
                let refresh = Oracle::token_no(&successor.token_id);
                let claims = attributes.clone().unwrap_or_else(|| self.oracle.profiles[profile].clone());
                let beside = self.oracle.tokens[refresh].beside;
                let access = match beside.filter(|beside| self.oracle.tokens[*beside].claims.as_ref() == Some(&claims))
                {
                    Some(access) => access,
                    None => self.access_token(session, successor.issued_at, claims),
                };
                self.oracle.tokens[refresh].beside = Some(access);
                let it = &mut self.people[person];
                (it.refresh, it.access) = (Some(refresh), Some(access));
            }
            Reply::Ended { .. } => {
                let it = &mut self.people[person];
                if is_same {
                    (it.session, it.refresh) = (None, None);
                }
                if it.has_good_connection && !it.is_thief {
                    self.oracle.is_logged_out(session);
                }
            }
            _ => {}
        }
    }

    /// A client rotates without waiting for answers.
    pub fn rotate_in_a_hurry(&mut self, person: usize, times: u32) {
        let Some(session) = self.people[person].session else { return };
        self.note(|| format!("person {person} is in a hurry"));
        self.people[person].has_good_connection = false;
        for _ in 0..times {
            let Some(token) = self.oracle.sessions[session].current else { return };
            let (_, issued) = self.some_clock();
            let life = self.settings.session;
            let successor = self.oracle.token('r', issued, life);
            let account = self.oracle.sessions[session].account;
            let deed = Deed::Rotate { session, token, successor, issued, profile: self.read_profile(account) };
            self.command(account, Question::Deed(deed), Box::new(|_, _| ()));
        }
    }

    /// A person's access token, or one of the 40 latest tokens, is sent to every isolate.
    pub fn use_access(&mut self, person: usize) {
        let latest = self.oracle.tokens.len().saturating_sub(40);
        let own = self.people[person].access;
        let token = match own {
            Some(own) if self.percent(60) => own,
            _ if self.oracle.tokens.is_empty() => return,
            _ => self.random.usize(latest..self.oracle.tokens.len()),
        };
        if !self.is_access(token) {
            return;
        }
        for isolate in 0..self.isolates.len() {
            let delay = self.random.i64(0..200);
            self.after(delay, move |world| world.arrives(isolate, token));
        }
    }

    /// A person is issued a token without a session, as an application can do.
    pub fn issue_without_session(&mut self, person: usize) {
        let (_, issued) = self.some_clock();
        let token = self.oracle.token('a', issued, self.settings.access);
        self.oracle.tokens[token].issued_without = Some((self.people[person].account, self.now));
        self.note(|| format!("person {person} is issued token {token}, without a session"));
        self.people[person].access = Some(token);
    }

    /// The object moves to another machine between a log-in and the end of all sessions.
    pub fn flee(&mut self, person: usize, password: u32) {
        let account = self.people[person].account;
        let Some(record) = self.store.last(account) else { return };
        if self.oracle.records[record].password != password {
            return;
        }
        let (_, issued) = self.some_clock();
        let profile = self.read_profile(account);
        let deed = Deed::Open { record, refresh: None, issued, profile };
        self.command(
            account,
            Question::Deed(deed),
            Box::new(move |world, reply| {
                let Some(Reply::Opened { session: id, attributes }) = reply else { return };
                let claims = attributes.unwrap_or_else(|| world.oracle.profiles[profile].clone());
                let Some(session) = world.oracle.session_no(&id) else { return };
                let access = world.access_token(session, issued, claims);
                world.people[person].access = Some(access);
            }),
        );
        self.crash(account, "and moves");
        self.want(person, account, Deed::EndAll { retire: false }, 3);
    }

    /// All sessions are ended twice, with a log-in in between.
    pub fn end_all_twice(&mut self, person: usize, password: u32) {
        let account = self.people[person].account;
        self.want(person, account, Deed::EndAll { retire: false }, 2);
        let (soon, later) = (self.random.i64(0..1000), self.random.i64(1000..3000));
        self.after(soon, move |world| world.login(person, password));
        self.after(later, move |world| world.want(person, account, Deed::EndAll { retire: false }, 2));
    }

    /// Whether this is an access token that a person can have.
    pub fn is_access(&self, token: TokenNo) -> bool {
        let it = &self.oracle.tokens[token];
        it.id.as_str().starts_with('a') && (it.session.is_some() || it.issued_without.is_some())
    }

    /// A request under a rule with `revocation = "strict"`.
    pub fn check(&mut self, person: usize) {
        let Some(token) = self.people[person].access else { return };
        let (session, account) = (self.oracle.tokens[token].session, self.oracle.account_of(token));
        let Some(delay) = self.message() else { return };
        self.after(delay, move |world| {
            // The gate judges the times before it asks the object.
            let it = &world.oracle.tokens[token];
            if world.clock(0).numeric_date().seconds() <= it.expires {
                world.command(account, Question::Deed(Deed::Check { session, token }), Box::new(|_, _| ()));
            }
        });
    }

    /// A thief takes a copy of what a device of this account holds.
    pub fn steal(&mut self, thief: usize) {
        let account = self.people[thief].account;
        let of = |person: &Person| person.account == account && !person.is_thief && person.session.is_some();
        let Some(victim) = self.people.iter().position(of) else { return };
        self.note(|| format!("person {thief} takes a copy of what person {victim} holds"));
        let it = &self.people[victim];
        let (session, refresh, access) = (it.session, it.refresh, it.access);
        if let Some(session) = session {
            self.oracle.sessions[session].stolen |= refresh.is_some();
        }
        let it = &mut self.people[thief];
        (it.session, it.refresh, it.access) = (session, refresh, access);
    }

    /// A person sends a deed, up to `tries` times if there is no answer.
    pub fn want(&mut self, person: usize, account: usize, deed: Deed, tries: u32) {
        self.note(|| format!("person {person} wants {deed:?}"));
        let done = Rc::new(Cell::new(false));
        let is_done = Rc::clone(&done);
        self.send(person, move |world| {
            let is_done = Rc::clone(&is_done);
            let back = move |world: &mut Self, reply: Option<Reply>| {
                is_done.set(is_done.get() || reply.is_some());
                // The operator's command copies the attributes into KV.
                if let Some(Reply::AttributesSet { attributes, .. }) = reply {
                    world.store.put_profile(world.now, account, attributes);
                }
            };
            world.command(account, Question::Deed(deed), Box::new(back));
        });
        self.after(TIMEOUT, move |world| {
            if !done.get() && tries > 1 {
                world.want(person, account, deed, tries - 1);
            }
        });
    }

    /// The session of a person, or the latest one of the account.
    pub fn some_session(&mut self, person: usize) -> Option<SessionNo> {
        let account = self.people[person].account;
        let own = self.people[person].session.filter(|_| !self.people[person].is_thief);
        own.or_else(|| self.oracle.sessions.iter().rposition(|session| session.account == account))
    }

    /// The access or refresh token of a person.
    pub fn some_token(&mut self, person: usize) -> Option<TokenNo> {
        let it = &self.people[person];
        let (access, refresh) = (it.access, it.refresh);
        if self.percent(60) { access } else { refresh }
    }

    /// A person changes the password, with an old one that may be the present one.
    pub fn change_password(&mut self, person: usize, old: u32, new: u32) {
        self.note(|| format!("person {person} changes password {old} to {new}"));
        let account = self.people[person].account;
        self.send(person, move |world| {
            let Some(proven) = world.store.read(world.now, account, &mut world.random) else { return };
            if world.oracle.records[proven].password != old {
                return;
            }
            let record = world.oracle.record(account, new, None);
            let Some(delay) = world.leg(person) else { return };
            world.after(delay, move |world| {
                let deed = Deed::SetPassword { proven, record };
                world.command(account, Question::Deed(deed), Box::new(|_, _| ()));
            });
        });
    }

    /// The operator writes a record with another password straight to KV.
    pub fn operator_writes(&mut self, account: usize, password: u32) {
        self.note(|| format!("the operator gives account {account} password {password}"));
        let skew = self.skew();
        let version = self.clock(skew);
        let record = self.oracle.record(account, password, Some(version));
        self.store.put(self.now, account, record);
        self.oracle.interferes(account);
    }

    /// The attributes of the account, as one data centre reads them in KV.
    pub fn read_profile(&mut self, account: usize) -> ProfileNo {
        let read = self.store.read_profile(self.now, account, &mut self.random);
        self.oracle.profiles.push(read);
        self.oracle.profiles.len() - 1
    }

    /// The operator changes an attribute by way of a gate, up to three times if there is no answer.
    pub fn change_attribute(&mut self, person: usize) {
        let account = self.people[person].account;
        let (attribute, profile) = (self.random.usize(..NAMES), self.read_profile(account));
        self.values += 1;
        let deed = Deed::SetAttribute { profile, attribute, value: self.values };
        self.want(person, account, deed, 3);
    }

    /// The operator writes an attribute straight to KV, into a profile that may be out of date.
    pub fn operator_writes_profile(&mut self, account: usize) {
        let (skew, found) = (self.skew(), self.read_profile(account));
        let (mut changed, now) = (self.oracle.profiles[found].clone(), self.clock(skew));
        changed.version = now.max(changed.version.next());
        self.values += 1;
        changed.values.extend(attributes::one(self.random.usize(..NAMES), self.values));
        self.note(|| format!("the operator writes the profile of account {account}: {changed:?}"));
        self.store.put_profile(self.now, account, changed);
        self.oracle.attributes[account].interfered = true;
    }
}
