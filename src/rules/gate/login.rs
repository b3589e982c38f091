//! `POST /auth`: in which order a log-in is judged.
//!
//! **What always holds:** all limits apply before a hash is computed, and treat an unknown name like a known one. First
//! what is shared: attempts from the address, then failures from there; a device that proves that it logged in as this
//! record before has a limit of its own in their place. Then the name, whose object counts the attempt before anything
//! is looked up. Then the whole gate's share of hashing.

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

/// How often, and for how long each time, a log-in waits for others that log in as the same user.
const MAX_WAITS: u32 = 40;
const WAIT: Duration = Duration::millis(500);
/// What a grant says where it has no token in it.
const MESSAGE: &str = "login successful";

/// A log-in whose body is not read yet.
pub struct LoginRequest {
    client: ClientInfo,
}

/// A log-in under way.
struct Attempt {
    client: ClientInfo,
    record: RecordId,
    /// If the device has proven that it logged in as this record before.
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
    limit_failures(gate, &attempt, host).await?;
    let counted = count(gate, credentials.username.expose(), &attempt, host).await?;
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
        Err(error) => Err(error.into()),
    }
}

/// Attempts from an address, or with a known device, which its neighbours can't use up.
async fn limit_attempts(gate: &Gate, attempt: &Attempt, host: &impl Host) -> Result<(), Rejection> {
    let Some(address) = attempt.client.limited_address() else { return Ok(()) };
    let is_within = match &attempt.device {
        Some(device) => gate.is_within_attempts(&format!("device:{}", sha256_base64url(device.secret())), host).await,
        None => gate.is_within_attempts(address, host).await,
    };
    if is_within { Ok(()) } else { Err(TOO_MANY) }
}

/// Failures from an address, whichever names they were about. Never the only defence: an object that can't be reached
/// lets through.
async fn limit_failures(gate: &Gate, attempt: &Attempt, host: &impl Host) -> Result<(), Rejection> {
    let Some(object) = attempt.address_object().filter(|_| gate.config.bindings.sessions) else { return Ok(()) };
    match gate.ask(host, &object, Command::CheckAddress).await {
        Ok(Reply::Wait { seconds }) => {
            Err(Rejection::Password(PasswordRejection::TooManyAttempts { retry_after: seconds }))
        }
        _ => Ok(()),
    }
}

/// Counts the attempt in the name's object. Many who log in at once as the same user wait for each other a moment.
async fn count(gate: &Gate, name: &str, attempt: &Attempt, host: &impl Host) -> Result<Option<Counted>, Rejection> {
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

/// Nothing was learnt of the password.
async fn give_back(gate: &Gate, counted: Option<Counted>, host: &impl Host) {
    if let Some(counted) = counted {
        counted.give_back(gate, host).await;
    }
}

/// The password was wrong: the name's object and the address's object count it.
async fn fail(gate: &Gate, attempt: &Attempt, counted: Option<Counted>, host: &impl Host) {
    if let Some(counted) = counted {
        counted.fail(gate, host).await;
    }
    if let Some(object) = attempt.address_object().filter(|_| gate.config.bindings.sessions) {
        drop(gate.ask(host, &object, Command::AddressFailed).await);
    }
}

/// The password was right.
async fn succeed(
    gate: &Gate,
    attempt: Attempt,
    counted: Option<Counted>,
    identity: Identity,
    host: &impl Host,
) -> Result<Answered, Rejected<'static>> {
    let random = draw(host);
    let answer = if gate.config.bindings.sessions {
        let answer = gate.open_session(&identity, &attempt.client, MESSAGE, &random, host).await?;
        remember_device(gate, attempt, counted, answer, &random, host).await
    } else {
        gate.grant(&Grant::fresh(&identity, MESSAGE, &random, host.now()))?
    };
    Ok(Answered { answer, outcome: Outcome::LoggedIn(identity.id) })
}

/// The name's object learns which device it was, so that this device has a bucket of its own from now on; a browser
/// gets the cookie by which it is known again.
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

/// The cookie for a browser, and its device if that is a new one. A device that is known keeps its secret; its cookie
/// is prolonged when half of its time is over.
fn device_cookie(
    gate: &Gate,
    attempt: &Attempt,
    counted: Option<&Counted>,
    random: &Random,
    now: Timestamp,
) -> Option<(String, Option<DeviceId>)> {
    let name = gate.config.sessions.device_cookie.as_str();
    let key = gate.config.device_key.as_ref().filter(|_| attempt.client.is_browser && !name.is_empty())?;
    let is_known = matches!(counted, Some(Counted { bucket: Bucket::Device(DeviceId::Cookie(_)), .. }));
    let known = attempt.device.as_ref().filter(|_| is_known);
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
    /// The devices that the name's object may know, each bound to the record that is tried.
    fn devices(&self) -> Vec<DeviceId> {
        let cookie = self.device.iter().map(|device| DeviceId::cookie(&self.record, device.secret()));
        cookie.chain(self.address_device()).collect()
    }

    fn address_device(&self) -> Option<DeviceId> {
        self.client.address.as_ref().map(|address| DeviceId::address(&self.record, address))
    }

    /// The object that counts failures from the address. A device that is known by itself needs none.
    fn address_object(&self) -> Option<ObjectName> {
        self.client.limited_address().filter(|_| self.device.is_none()).map(ObjectName::of_address)
    }

    /// Known devices have a share of hashing of their own, so that a flood of strangers does not hold them up; and each
    /// user has a share of that, so that none uses up the others'.
    fn hashing_key(&self, counted: Option<&Counted>) -> Option<String> {
        let is_known = matches!(counted, Some(Counted { bucket: Bucket::Device(_), .. }));
        is_known.then(|| format!("user:{}", self.record.as_str()))
    }
}
