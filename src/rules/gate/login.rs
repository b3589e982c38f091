//! `POST /auth`: in which order a log-in is judged.
//!
//! **What always holds:** all limits apply before a hash is computed, and treat an unknown name like a known one. First
//! what is shared: attempts from the address, then failures from there; a device that proves that it logged in as this
//! record before has a limit of its own in their place. Then the name, whose object counts the attempt before anything
//! is looked at. Then the whole gate's share of hashing.

use super::{Answered, AskFault, Decision, Gate, Limit, Outcome, Rejected, TokenSpec};
use crate::rules::{
    account::{Bucket, Command, DeviceId, Lifetimes, RefreshToken, Reply, object},
    config::Dialect,
    cookie,
    device::{self, KnownDevice, RecordId},
    identity::{Id, Identity},
    login::{self, Credentials},
    rejection::Rejection,
    request::Request,
    route::Endpoint,
    time::{Duration, Timestamp},
    token::{Freshness, Random, TokenIds, VerifiedToken},
    wire::{Answer, flask_jwt_extended},
};
use base64ct::{Base64UrlUnpadded, Encoding};
use std::net::IpAddr;

/// When to come back to a limit of the runtime's: its period.
pub(super) const LIMIT_SECONDS: u32 = 60;
/// Whose share of hashing: those who logged in before.
pub(super) const KNOWN: &str = "known";
/// The share of everybody else.
const STRANGERS: &str = "strangers";
/// How often a log-in pauses ([`super::AskPause`]) for others who log in as the same user.
const MOST_PAUSES: u32 = 40;
/// More of a `User-Agent` is not taken along.
const MOST_AGENT_BYTES: usize = 512;

/// Who is there, as far as a request tells.
pub(super) struct ClientInfo {
    /// Of an IPv6 address the first half, which one customer has.
    address: Option<String>,
    /// From the machine itself, which is so in development only.
    is_local: bool,
    /// The value of the device's cookie, which may prove something ([`device::DeviceKey::find`]).
    cookie: String,
    user_agent: String,
    country: String,
    is_https: bool,
    /// Is it a browser, which keeps a cookie? Others are told nothing that Flask's libraries would not tell.
    is_browser: bool,
}

impl ClientInfo {
    fn of(request: &Request<'_>, cookie_name: &str) -> Self {
        let header = |name| request.headers.get(name).unwrap_or_default();
        let text = |name| header(name).chars().take(MOST_AGENT_BYTES).collect();
        let address: Option<IpAddr> = header("cf-connecting-ip").trim().parse().ok();
        Self {
            address: address.map(network),
            is_local: address.is_some_and(|address| address.is_loopback()),
            cookie: cookie::value(&header("cookie"), cookie_name)
                .filter(|_| !cookie_name.is_empty())
                .unwrap_or_default(),
            user_agent: text("user-agent"),
            country: text("cf-ipcountry"),
            is_browser: request.headers.get("sec-fetch-site").is_some(),
            // What Cloudflare says of the connection that it took the request from.
            is_https: header("cf-visitor").contains("\"https\""),
        }
    }

    /// What a session remembers of it.
    pub(super) fn client(&self) -> Client {
        Client { user_agent: self.user_agent.clone(), country: self.country.clone() }
    }

    /// The address, where limits by address hold: not on the machine itself.
    pub(super) fn limited_address(&self) -> Option<&String> {
        self.address.as_ref().filter(|_| !self.is_local)
    }
}

/// Whose address this is: of version 6 the first 64 bits.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

/// Which object has counted a try, and in which bucket.
pub(super) type Counted = (String, Bucket);

/// A log-in that is tried.
struct Try {
    visitor: ClientInfo,
    record: RecordId,
    /// If the device has proven that it logged in as this record before.
    device: Option<KnownDevice>,
    counted: Option<Counted>,
}

impl Try {
    /// The devices that the name's object may know, each bound to the record that is tried.
    fn devices(&self) -> Vec<DeviceId> {
        let cookie = self.device.iter().map(|device| DeviceId::cookie(&self.record, device.secret()));
        cookie.chain(self.address_device()).collect()
    }

    fn address_device(&self) -> Option<DeviceId> {
        self.visitor.address.as_ref().map(|address| DeviceId::address(&self.record, address))
    }

    /// The object that counts failures from the address. A device that is known by itself needs none.
    fn address_object(&self) -> Option<String> {
        let address = self.visitor.limited_address().filter(|_| self.device.is_none());
        address.map(|address| object::of_address(address))
    }
}

impl Gate {
    pub(super) fn decide_login<'g>(&'g self, request: &Request<'_>, now: Timestamp) -> Decision<'g> {
        if self.config.dialect == Dialect::FlaskJwt
            && let Some(answer) = self.handlers.auth_request(request)
        {
            return Decision::Answer(Answered { answer, outcome: Outcome::Plain });
        }
        if let Err(rejection) = check_body(request) {
            return refuse_login(rejection);
        }
        let visitor = ClientInfo::of(request, &self.config.sessions.device_cookie);
        self.ask_body(login::MAX_BODY_BYTES, move |gate, body| {
            match body.map_err(Rejection::from).and_then(|body| login::read_credentials(&body, &gate.config)) {
                Ok(credentials) => {
                    let record = RecordId::of_name(credentials.username.expose());
                    let key = gate.config.device_key.as_ref();
                    let device = key.and_then(|key| key.find(&visitor.cookie, &record, now));
                    gate.limit_attempts(Try { visitor, record, device, counted: None }, credentials)
                }
                Err(rejection) => refuse_login(rejection),
            }
        })
    }

    /// Attempts from an address, or with a known device, which its neighbours can't use up.
    fn limit_attempts(&self, tried: Try, credentials: Credentials) -> Decision<'_> {
        let key = match (&tried.device, tried.visitor.limited_address()) {
            (_, None) => return self.limit_failures(tried, credentials),
            (Some(device), _) => format!("device:{}", object::hash(device.secret())),
            (None, Some(address)) => address.clone(),
        };
        self.within_attempts(key, move |gate, is_room| {
            if is_room { gate.limit_failures(tried, credentials) } else { too_many(LIMIT_SECONDS) }
        })
    }

    /// Does the limiter of log-ins allow one more attempt under this key? Always, if there is no such limiter.
    pub(super) fn within_attempts<'g>(
        &'g self,
        key: String,
        then: impl FnOnce(&'g Self, bool) -> Decision<'g> + Send + 'g,
    ) -> Decision<'g> {
        if self.config.bindings.address_limit { self.ask_limit(Limit::Address, key, then) } else { then(self, true) }
    }

    /// Failures from an address, whichever names they were about. Never the only defence: an object that can't be
    /// reached lets through.
    fn limit_failures(&self, tried: Try, credentials: Credentials) -> Decision<'_> {
        match tried.address_object().filter(|_| self.config.bindings.sessions) {
            None => self.count_try(tried, credentials, MOST_PAUSES),
            Some(object) => self.ask_account(object, Command::CheckAddress, move |gate, reply, _| match reply {
                Ok(Reply::Wait { seconds }) => too_many(seconds),
                _ => gate.count_try(tried, credentials, MOST_PAUSES),
            }),
        }
    }

    /// Many who log in at once as the same user wait for each other a moment, up to `pauses` times.
    fn count_try(&self, tried: Try, credentials: Credentials, pauses: u32) -> Decision<'_> {
        if !self.config.bindings.sessions {
            return self.limit_hashing(tried, credentials);
        }
        let name = object::of_name(credentials.username.expose());
        let command = Command::Attempt { devices: tried.devices() };
        self.ask_account(name.clone(), command, move |gate, reply, _| match reply {
            Ok(Reply::Allowed { bucket }) => {
                gate.limit_hashing(Try { counted: Some((name, bucket)), ..tried }, credentials)
            }
            Ok(Reply::Busy) if pauses > 0 => {
                gate.ask_pause(Duration::HALF_A_SECOND, move |gate, _| gate.count_try(tried, credentials, pauses - 1))
            }
            Ok(Reply::Busy) => too_many(1),
            Ok(Reply::Wait { seconds }) => too_many(seconds),
            Ok(_) => refuse_login(Rejection::Internal),
            Err(fault) => refuse_login(fault.into()),
        })
    }

    /// Known devices have a share of their own, so that a flood of strangers does not hold them up; and each user has a
    /// share of that, so that none uses up the others'.
    fn limit_hashing(&self, tried: Try, credentials: Credentials) -> Decision<'_> {
        let is_known = matches!(tried.counted, Some((_, Bucket::Device(_))));
        let user = is_known.then(|| format!("user:{}", tried.record.as_str()));
        self.within_hashing(user, move |gate, is_room| match is_room {
            true => gate.authenticate(tried, credentials),
            false => gate.untried(tried, Rejection::TooManyTries { retry_after: LIMIT_SECONDS }),
        })
    }

    /// Do the limits of hashing allow one more? For a user who is known, the user's own limit counts too. Always, if
    /// there are no such limits.
    pub(super) fn within_hashing<'g>(
        &'g self,
        user: Option<String>,
        then: impl FnOnce(&'g Self, bool) -> Decision<'g> + Send + 'g,
    ) -> Decision<'g> {
        if !self.config.bindings.hashing_limit {
            return then(self, true);
        }
        match user {
            None => self.ask_limit(Limit::Hashing, STRANGERS.into(), then),
            Some(user) => self.within_attempts(user, move |gate, is_room| {
                if is_room { gate.ask_limit(Limit::Hashing, KNOWN.into(), then) } else { then(gate, false) }
            }),
        }
    }

    /// Tells the object that has counted a try what came of it, and goes on, whether it hears of it or not.
    pub(super) fn tell<'g>(
        &'g self,
        counted: Option<Counted>,
        came_to: impl FnOnce(Bucket) -> Command,
        then: impl FnOnce(&'g Self) -> Decision<'g> + Send + 'g,
    ) -> Decision<'g> {
        match counted {
            None => then(self),
            Some((object, bucket)) => self.ask_account(object, came_to(bucket), move |gate, _, _| then(gate)),
        }
    }

    /// Nothing was learnt of the password: the try does not count.
    fn untried(&self, tried: Try, rejection: Rejection) -> Decision<'_> {
        self.tell(tried.counted, |bucket| Command::Untried { bucket }, move |_| refuse_login(rejection))
    }

    fn authenticate(&self, tried: Try, credentials: Credentials) -> Decision<'_> {
        self.ask_authenticate(credentials, move |gate, identity, now| match identity {
            Ok(Some(identity)) => gate.login(tried, identity, now),
            Ok(None) => {
                let address = tried.address_object().filter(|_| gate.config.bindings.sessions);
                gate.tell(
                    tried.counted,
                    |bucket| Command::Wrong { bucket },
                    move |gate| match address {
                        None => refuse_login(Rejection::BadCredentials),
                        Some(object) => gate.ask_account(object, Command::AddressFailed, |_, _, _| {
                            refuse_login(Rejection::BadCredentials)
                        }),
                    },
                )
            }
            Err(fault @ AskFault::Unavailable) => gate.untried(tried, fault.into()),
            Err(fault) => refuse_login(fault.into()),
        })
    }

    /// The password was right.
    fn login(&self, tried: Try, identity: Identity, now: Timestamp) -> Decision<'_> {
        if self.config.bindings.sessions {
            return self.ask_random(move |gate, random, now| {
                let random = *random;
                let opening = Opening { identity, client: tried.visitor.client(), message: "login successful" };
                gate.open(opening, random, now, move |gate, answer, opening, now| {
                    gate.tell_right(answer, opening.identity.id, tried, &random, now)
                })
            });
        }
        if self.config.flask_jwt_extended().is_some() {
            return self.ask_random(move |gate, random, now| {
                let answer = gate.grant(&Grant::of_login(&identity, random, now));
                logged_in(answer, identity.id)
            });
        }
        let answer = self.handlers.encode(&identity, &self.config, None, now);
        logged_in(answer.map(|token| self.handlers.auth_response(&token, &identity)), identity.id)
    }

    /// The name's object learns of it, so that this device has a bucket of its own from now on.
    fn tell_right(&self, mut answer: Answer, id: Id, tried: Try, random: &Random, now: Timestamp) -> Decision<'_> {
        let mut devices: Vec<DeviceId> = tried.address_device().into_iter().collect();
        let cookie_name = &self.config.sessions.device_cookie;
        // A device that is known keeps its secret; its cookie is prolonged when half of its time is over.
        let is_known = matches!(tried.counted, Some((_, Bucket::Device(DeviceId::Cookie(_)))));
        let known = tried.device.as_ref().filter(|_| is_known);
        if let Some(key) = self.config.device_key.as_ref()
            && tried.visitor.is_browser
            && known.is_none_or(|device| device.needs_renewal(now))
            && !cookie_name.is_empty()
        {
            let new = || Base64UrlUnpadded::encode_string(&random[80..]);
            let secret = known.map_or_else(new, |device| device.secret().to_owned());
            if known.is_none() {
                devices.push(DeviceId::cookie(&tried.record, &secret));
            }
            let value = key.issue(&tried.visitor.cookie, &tried.record, &secret, now);
            let path = self.config.login_path();
            answer = answer.with(
                "set-cookie",
                cookie::of_device(cookie_name, &value, path, tried.visitor.is_https, device::KNOWN_FOR),
            );
        }
        let record = tried.record.as_str().to_owned();
        self.tell(
            tried.counted,
            |bucket| Command::Right { bucket, devices, record },
            move |_| logged_in(Ok(answer), id),
        )
    }
}

/// What a session remembers of the client that opened it.
pub(super) struct Client {
    user_agent: String,
    country: String,
}

/// A session to be opened.
pub(super) struct Opening {
    pub identity: Identity,
    pub client: Client,
    /// What the answer says where it has no token in it.
    pub message: &'static str,
}

/// What new tokens are made of.
pub(super) struct Grant<'i> {
    pub identity: &'i Identity,
    pub fresh: Freshness,
    /// A refresh token too?
    pub refresh: bool,
    pub message: &'i str,
    pub session: Option<&'i str>,
    /// No token is good for longer.
    pub until: Option<Timestamp>,
    pub random: &'i Random,
    pub now: Timestamp,
}

impl<'i> Grant<'i> {
    fn of_login(identity: &'i Identity, random: &'i Random, now: Timestamp) -> Self {
        let (fresh, message) = (Freshness::Fresh, "login successful");
        Self { identity, fresh, refresh: true, message, session: None, until: None, random, now }
    }
}

impl Gate {
    /// Opens a session and makes its first tokens.
    pub(super) fn open<'g>(
        &'g self,
        opening: Opening,
        random: Random,
        now: Timestamp,
        then: impl FnOnce(&'g Gate, Answer, Opening, Timestamp) -> Decision<'g> + Send + 'g,
    ) -> Decision<'g> {
        // Tokens name the account so, whatever the application calls it.
        let named = match self.config.flask_jwt_extended() {
            Some(_) => Id::from_json(&self.handlers.user_identity(&opening.identity, &self.config)),
            None => Some(opening.identity.id.clone()),
        };
        let Some(named) = named else { return refuse_login(Rejection::Misconfigured) };
        let refresh = self.config.flask_jwt_extended().is_some_and(|config| config.refresh_tokens)
            && self.config.sessions.rotation;
        let command = Command::Open {
            version: opening.identity.version,
            entropy: Base64UrlUnpadded::encode_string(&random[64..80]),
            refresh: refresh.then(|| link(&random, now)),
            user_agent: opening.client.user_agent.clone(),
            country: opening.client.country.clone(),
        };
        self.ask_account(self.account_named(&named), command, move |gate, reply, _| match reply {
            Ok(Reply::Opened { session }) => {
                let until = gate.ends_at_last(&session);
                let granted = Grant {
                    session: Some(&session),
                    until,
                    message: opening.message,
                    ..Grant::of_login(&opening.identity, &random, now)
                };
                match gate.grant(&granted) {
                    Ok(answer) => then(gate, answer, opening, now),
                    Err(rejection) => refuse_login(rejection),
                }
            }
            // A password that does not count any more is a wrong one.
            Ok(Reply::Stale) => refuse_login(Rejection::BadCredentials),
            Ok(_) => refuse_login(Rejection::Internal),
            Err(fault) => refuse_login(fault.into()),
        })
    }

    /// The answer with new tokens, in the dialect's form.
    pub(super) fn grant(&self, grant: &Grant<'_>) -> Result<Answer, Rejection> {
        let Some(config) = self.config.flask_jwt_extended() else {
            let token = self.handlers.encode(grant.identity, &self.config, grant.session, grant.now)?;
            return Ok(self.handlers.auth_response(&token, grant.identity));
        };
        let mut jar = cookie::Jar::new();
        let mut issue = |refresh| {
            let usual = if refresh { config.refresh_expires } else { config.access_expires };
            let new = TokenSpec {
                refresh,
                fresh: grant.fresh,
                expires: grant.until.map(|until| capped(usual, grant.now, until)),
                session: grant.session.map(str::to_owned),
                ..TokenSpec::default()
            };
            let (token, csrf) = self.create_token(grant.identity, new, grant.random, grant.now)?;
            if config.uses_cookies() {
                jar.set(config, refresh, &token, csrf.as_deref(), grant.now);
            }
            Ok::<_, Rejection>(token)
        };
        let access = issue(false)?;
        let refresh = (grant.refresh && config.refresh_tokens).then(|| issue(true)).transpose()?;
        Ok(flask_jwt_extended::grant(&access, refresh.as_deref(), grant.message, config, &jar))
    }

    /// When a session of this id is over however much it is used.
    pub(super) fn ends_at_last(&self, session: &str) -> Option<Timestamp> {
        object::began(session).map(|began| began.later(self.config.sessions.lifetime))
    }

    /// How long things last, for the objects.
    pub(super) fn lifetimes(&self) -> Lifetimes {
        let sessions = &self.config.sessions;
        // A token for ever is remembered for as long as its session may be.
        let longest = |life: Option<Duration>| life.unwrap_or(sessions.lifetime);
        let (idle, token) = match self.config.flask_jwt_extended() {
            None => (self.config.expiration_delta, self.config.expiration_delta),
            Some(config) if !config.refresh_tokens => (longest(config.access_expires), longest(config.access_expires)),
            Some(config) => {
                let (access, refresh) = (longest(config.access_expires), longest(config.refresh_expires));
                let idle = sessions.idle.min(refresh).max(access);
                // Without rotation no object is asked about a refresh token.
                (idle, if sessions.rotation { access } else { access.max(refresh) })
            }
        };
        // An entry of the register outlives every token that it hits, by all clocks.
        let token = token.plus(self.config.tokens.policy().leeway()).plus(Duration::seconds(60));
        Lifetimes { grace: sessions.grace, idle, session: sessions.lifetime, token }
    }

    /// The object of the account that a token names.
    pub(super) fn account_of(&self, token: &VerifiedToken) -> Option<String> {
        token.identity().map(|id| self.account_named(&id))
    }

    /// The object of a user's account, and how long things last there: for what is not asked by a decision.
    #[must_use]
    pub fn account_to_ask(&self, id: &Id) -> (String, Lifetimes) {
        (self.account_named(id), self.lifetimes())
    }

    pub(super) fn account_named(&self, id: &Id) -> String {
        object::of_account(id, self.config.tokens.policy().identity_is_text())
    }

    pub(super) fn visitor(&self, request: &Request<'_>) -> ClientInfo {
        ClientInfo::of(request, &self.config.sessions.device_cookie)
    }
}

/// Does a request declare a longer body than this? A number that is too large for any machine is one.
pub(super) fn declares_more(request: &Request<'_>, limit: usize) -> bool {
    let length = request.headers.get("content-length").unwrap_or_default();
    let length = length.trim();
    let is_number = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
    is_number && length.parse::<usize>().map_or(true, |length| length > limit)
}

/// Is there a body that may be JSON, and not too much of it?
pub(super) fn check_body(request: &Request<'_>) -> Result<(), Rejection> {
    if !login::is_json(request.headers.get("content-type").as_deref()) {
        return Err(Rejection::BodyNotDeclaredJson);
    }
    if declares_more(request, login::MAX_BODY_BYTES) {
        return Err(Rejection::BodyTooLarge { limit: Some(login::MAX_BODY_BYTES) });
    }
    Ok(())
}

/// The refresh token that is made of this randomness.
pub(super) fn link(random: &Random, now: Timestamp) -> RefreshToken {
    let TokenIds { token_id, .. } = TokenIds::of(true, random);
    RefreshToken { token_id: token_id.to_string(), seed: Base64UrlUnpadded::encode_string(random), issued_at: now }
}

/// The randomness that [`link`] took down.
pub(super) fn random_of(link: &RefreshToken) -> Option<Random> {
    let mut random = [0; size_of::<Random>()];
    let length = Base64UrlUnpadded::decode(&link.seed, &mut random).ok()?.len();
    (length == random.len()).then_some(random)
}

/// As long as usual, but no longer than until then.
pub(super) fn capped(usual: Option<Duration>, now: Timestamp, until: Timestamp) -> Option<Duration> {
    let left = Duration::from_millis((until.as_millis() - now.as_millis()).max(0)).unwrap_or(Duration::ZERO);
    Some(usual.map_or(left, |usual| usual.min(left)))
}

fn logged_in<'g>(answer: Result<Answer, Rejection>, id: Id) -> Decision<'g> {
    match answer {
        Ok(answer) => Decision::Answer(Answered { answer, outcome: Outcome::LoggedIn(id) }),
        Err(rejection) => refuse_login(rejection),
    }
}

fn too_many<'g>(retry_after: u32) -> Decision<'g> {
    refuse_login(Rejection::TooManyTries { retry_after })
}

pub(super) fn refuse_login<'g>(rejection: Rejection) -> Decision<'g> {
    Decision::Refuse(Rejected::new(rejection, Some(Endpoint::Login.name())))
}
