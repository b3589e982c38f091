//! `POST /auth`: a log-in.
//!
//! **What always holds:** all limits apply before a hash is computed, and treat an unknown name like a known one. Their
//! order is that of [`login`]:
//! 1. Attempts from the address (a rate limiter of the runtime). A device whose cookie proves an earlier log-in to the
//!    same record has a limit of its own in place of this and the next.
//! 2. Failed attempts from the address (the object of the address).
//! 3. Attempts for the name (the object of the name). It counts the attempt before the record is looked up, and learns
//!    the outcome afterwards.
//! 4. Hashes computed in this data centre, counted apart for known devices and for all others; a known user has a limit
//!    of its own before that (rate limiters of the runtime).

use super::{
    body::check_json,
    client_info::ClientInfo,
    core::Gate,
    decision::{Answered, Decided, Decision, Outcome, Rejected},
    grant::draw,
    limits::{Counted, TOO_MANY},
};
use crate::{
    host::{BodyUse, Host},
    rules::{
        account::{Bucket, Command, DeviceId, Reply},
        answer::Answer,
        cookie,
        device::{self, KnownDevice, RecordId},
        dialect::Grant,
        identity::Identity,
        ids::{ObjectName, sha256_base64url},
        login::{MAX_BODY_BYTES, read_credentials},
        rejection::{InternalRejection, LoginRejection, PasswordRejection, Rejection},
        request::Request,
        time::{Duration, Timestamp},
        token::Random,
    },
    users::{Users, UsersError},
};
use base64ct::{Base64UrlUnpadded, Encoding};

/// How many times a log-in waits while others log in to the same name.
const MAX_WAITS: u32 = 40;
/// How long it waits each time.
const WAIT: Duration = Duration::millis(500);
/// The text of an answer whose tokens are in cookies.
const COOKIE_MESSAGE: &str = "login successful";

/// A log-in whose body is not read yet.
pub struct LoginRequest {
    client: ClientInfo,
}

/// A log-in under way, without the password.
struct Attempt {
    client: ClientInfo,
    record: RecordId,
    /// Present if the cookie proves that the device logged in to this record before.
    device: Option<KnownDevice>,
}

impl Gate {
    pub(super) fn begin_login<'g>(&'g self, request: &Request<'_>) -> Result<Decided<'g, LoginRequest>, Rejected<'g>> {
        if let Some(answer) = self.dialect.answer_login(request) {
            return Ok(Decided::Now(Decision::Answer(Answered::plain(answer))));
        }
        check_json(request)?;
        Ok(Decided::Later(LoginRequest { client: self.client_info(request) }))
    }
}

/// A log-in, from the body to the grant.
pub(super) async fn login(
    gate: &Gate,
    LoginRequest { client }: LoginRequest,
    host: &impl Host,
    users: &impl Users,
) -> Result<Answered, Rejected<'static>> {
    let body = host.read_body(BodyUse::Endpoint, MAX_BODY_BYTES).await?;
    let credentials = read_credentials(&body, &gate.config)?;
    drop(body);
    let record = RecordId::of_name(credentials.username.expose());
    let key = gate.config.device_key.as_ref();
    let device = key.and_then(|key| key.find(&client.device_cookie, &record, host.now()));
    let attempt = Attempt { client, record, device };

    limit_attempts(gate, &attempt, host).await?;
    limit_address_failures(gate, &attempt, host).await?;
    let counted = count_attempt(gate, credentials.username.expose(), &attempt, host).await?;
    if !gate.is_within_hashing(attempt.hashing_key(counted.as_ref()).as_deref(), host).await {
        give_back(gate, counted, host).await;
        return Err(TOO_MANY.into());
    }
    let authenticated = users.authenticate(&credentials).await;
    // The password is wiped before the objects are asked.
    drop(credentials);
    match authenticated {
        Ok(Some(identity)) => succeed(gate, attempt, counted, identity, host).await,
        Ok(None) => {
            fail(gate, &attempt, counted, host).await;
            Err(Rejection::Login(LoginRejection::BadCredentials).into())
        }
        Err(error @ UsersError::Unavailable) => {
            give_back(gate, counted, host).await;
            Err(error.into())
        }
        // The application's own rejection: the attempt gets no outcome, and so counts as failed after 30 seconds.
        Err(error) => Err(error.into()),
    }
}

/// Limits attempts: of a known device by its cookie's secret, of others by address, so neighbours at an address can't
/// use up a known device's limit.
async fn limit_attempts(gate: &Gate, attempt: &Attempt, host: &impl Host) -> Result<(), Rejection> {
    let Some(address) = attempt.client.limited_address() else { return Ok(()) };
    let is_within = match &attempt.device {
        Some(device) => gate.is_within_attempts(&format!("device:{}", sha256_base64url(device.secret())), host).await,
        None => gate.is_within_attempts(address, host).await,
    };
    if is_within { Ok(()) } else { Err(TOO_MANY) }
}

/// Limits failed attempts from an address, for all names together. If the address's object can't be reached, the
/// attempt goes on: the name's object limits it too.
async fn limit_address_failures(gate: &Gate, attempt: &Attempt, host: &impl Host) -> Result<(), Rejection> {
    let Some(object) = attempt.address_object().filter(|_| gate.config.bindings.sessions) else { return Ok(()) };
    match gate.ask(host, &object, Command::CheckAddress).await {
        Ok(Reply::Wait { seconds }) => {
            Err(Rejection::Password(PasswordRejection::TooManyAttempts { retry_after: seconds }))
        }
        _ => Ok(()),
    }
}

/// Counts the attempt in the name's object; `None` without sessions. If too many attempts for the name are under way,
/// waits at most [`MAX_WAITS`] times [`WAIT`].
async fn count_attempt(
    gate: &Gate,
    name: &str,
    attempt: &Attempt,
    host: &impl Host,
) -> Result<Option<Counted>, Rejection> {
    if !gate.config.bindings.sessions {
        return Ok(None);
    }
    let object = ObjectName::of_login_name(name);
    let mut waits = 0;
    loop {
        match gate.ask(host, &object, Command::Attempt { devices: attempt.devices() }).await? {
            Reply::Allowed { bucket } => return Ok(Some(Counted { object, bucket })),
            Reply::Wait { seconds } => {
                return Err(Rejection::Password(PasswordRejection::TooManyAttempts { retry_after: seconds }));
            }
            Reply::Busy if waits == MAX_WAITS => {
                return Err(Rejection::Password(PasswordRejection::TooManyAttempts { retry_after: 1 }));
            }
            Reply::Busy => {
                waits += 1;
                host.sleep(WAIT).await;
            }
            _ => return Err(Rejection::Internal(InternalRejection::Bug)),
        }
    }
}

/// Takes the attempt back: the password was not checked.
async fn give_back(gate: &Gate, counted: Option<Counted>, host: &impl Host) {
    if let Some(counted) = counted {
        counted.give_back(gate, host).await;
    }
}

/// The password was wrong: the objects of the name and of the address count a failure.
async fn fail(gate: &Gate, attempt: &Attempt, counted: Option<Counted>, host: &impl Host) {
    if let Some(counted) = counted {
        counted.fail(gate, host).await;
    }
    if let Some(object) = attempt.address_object().filter(|_| gate.config.bindings.sessions) {
        drop(gate.ask(host, &object, Command::AddressFailed).await);
    }
}

/// The password was right: opens a session, if there are sessions, and answers with tokens.
async fn succeed(
    gate: &Gate,
    attempt: Attempt,
    counted: Option<Counted>,
    identity: Identity,
    host: &impl Host,
) -> Result<Answered, Rejected<'static>> {
    let random = draw(host);
    let answer = if gate.config.bindings.sessions {
        let answer = gate.open_session(&identity, &attempt.client, COOKIE_MESSAGE, &random, host).await?;
        remember_device(gate, attempt, counted, answer, &random, host).await
    } else {
        gate.grant(&Grant::after_login(&identity, COOKIE_MESSAGE, &random, host.now()))?
    };
    Ok(Answered { answer, outcome: Outcome::LoggedIn(identity.id) })
}

/// Gives the name's object the ids of this device (its address, its cookie), so that each has a bucket of its own from
/// now on. A browser's answer gets the cookie that identifies its device at the next log-in.
async fn remember_device(
    gate: &Gate,
    attempt: Attempt,
    counted: Option<Counted>,
    mut answer: Answer,
    random: &Random,
    host: &impl Host,
) -> Answer {
    let mut devices: Vec<DeviceId> = attempt.address_device().into_iter().collect();
    if let Some((cookie, new_device)) = device_cookie(gate, &attempt, counted.as_ref(), random, host.now()) {
        answer = answer.with("set-cookie", cookie);
        devices.extend(new_device);
    }
    let record = attempt.record.as_str().to_owned();
    if let Some(counted) = counted {
        counted.report(gate, host, |bucket| Command::Right { bucket, devices, record }).await;
    }
    answer
}

/// The cookie for a browser, and its device id if the device is new. A known device keeps its secret, and gets a new
/// cookie only when half of the cookie's lifetime is over.
fn device_cookie(
    gate: &Gate,
    attempt: &Attempt,
    counted: Option<&Counted>,
    random: &Random,
    now: Timestamp,
) -> Option<(String, Option<DeviceId>)> {
    let name = gate.config.sessions.device_cookie.as_str();
    let key = gate.config.device_key.as_ref().filter(|_| attempt.client.is_browser && !name.is_empty())?;
    // A valid cookie is not enough: the object may have forgotten the device.
    let is_known_to_object = matches!(counted, Some(Counted { bucket: Bucket::Device(DeviceId::Cookie(_)), .. }));
    let known = attempt.device.as_ref().filter(|_| is_known_to_object);
    if known.is_some_and(|device| !device.needs_renewal(now)) {
        return None;
    }
    let secret =
        known.map_or_else(|| Base64UrlUnpadded::encode_string(&random[80..]), |device| device.secret().to_owned());
    let new_device = known.is_none().then(|| DeviceId::cookie(&attempt.record, &secret));
    let value = key.issue(&attempt.client.device_cookie, &attempt.record, &secret, now);
    let path = gate.config.login_path();
    Some((cookie::of_device(name, &value, path, attempt.client.is_https, device::KNOWN_FOR), new_device))
}

impl Attempt {
    /// The ids by which the name's object may know the device, each bound to the record.
    fn devices(&self) -> Vec<DeviceId> {
        let cookie = self.device.iter().map(|device| DeviceId::cookie(&self.record, device.secret()));
        cookie.chain(self.address_device()).collect()
    }

    fn address_device(&self) -> Option<DeviceId> {
        self.client.address.as_ref().map(|address| DeviceId::address(&self.record, address))
    }

    /// The object that counts failures from the address; `None` for a known device, whose own bucket limits it.
    fn address_object(&self) -> Option<ObjectName> {
        self.client.limited_address().filter(|_| self.device.is_none()).map(ObjectName::of_address)
    }

    /// The key under which a known user's hashes are counted in the limiter of log-ins ([`Gate::is_within_hashing`]);
    /// `None` for strangers, who share one limit. Strangers can't use up what known devices need, and no user what
    /// other users need.
    fn hashing_key(&self, counted: Option<&Counted>) -> Option<String> {
        let is_known = matches!(counted, Some(Counted { bucket: Bucket::Device(_), .. }));
        is_known.then(|| format!("user:{}", self.record.as_str()))
    }
}
