//! Users in KV: the stock worker's `authenticate`, `identity` and `set_password`.

use super::{call::Call, clock::delay, kv, pwned};
use crate::{
    Host, SendUsers, Unavailable, UsersError,
    rules::{
        account::{Command, PasswordChange, Reply},
        identity::{Id, Identity},
        log::Event,
        login::{self, Credentials},
        password::{self, HashFault, PasswordFault},
        secret::Secret,
        store::{LoginRecord, Profile, Status},
        time::Duration,
        token::VerifiedToken,
    },
};
use futures_util::{TryFutureExt, future::join};
use std::future::Future;
use worker::send::{SendFuture, SendWrapper};

/// The users in the KV namespace `USERS` (docs/storage.md), for one request.
#[derive(Clone)]
pub struct KvUsers(SendWrapper<Call>);

impl KvUsers {
    /// The users, for one request.
    #[must_use]
    pub fn new(call: &Call) -> Self {
        Self(SendWrapper(call.clone()))
    }
}

/// A worker has one thread, so the `Send` wrappers never cross threads.
impl SendUsers for KvUsers {
    fn authenticate(
        &self,
        credentials: &Credentials,
    ) -> impl Future<Output = Result<Option<Identity>, UsersError>> + Send {
        SendFuture::new(authenticate(&self.0, credentials))
    }

    fn identity(&self, token: &VerifiedToken) -> impl Future<Output = Result<Option<Identity>, UsersError>> + Send {
        SendFuture::new(identity(&self.0, token.identity()))
    }

    fn set_password(
        &self,
        token: &VerifiedToken,
        old: Option<&Secret<String>>,
        new: &Secret<String>,
    ) -> impl Future<Output = Result<PasswordChange, UsersError>> + Send {
        SendFuture::new(set_password_once(&self.0, token.identity(), old, new))
    }
}

/// The user with this name and password. Reads KV once, and once more for attributes that become claims.
async fn authenticate(call: &Call, credentials: &Credentials) -> Result<Option<Identity>, UsersError> {
    let key = LoginRecord::key(credentials.username.expose());
    let record = login_record(call, &key).await?;
    let stored = record.as_ref().map(LoginRecord::hash);
    let checked = password::check_by(call, stored, &credentials.password, &call.config().hashing).await?;
    let verdict = login::judge(record.as_ref(), checked);
    if let (Some(fault), Some(record)) = (verdict.fault, &record) {
        let reason = match fault {
            HashFault::UnknownFormat => "hash_format",
            HashFault::CostTooLow => "hash_cost_too_low",
            HashFault::CostTooHigh => "hash_cost_too_high",
            HashFault::MemoryTooHigh => "hash_memory_too_high",
            HashFault::UnknownPepper => "hash_pepper_unknown",
            HashFault::NoScrypt => "hash_without_node_crypto",
            HashFault::ScryptFailed => "hash_scrypt_failed",
        };
        call.log(&Event::RecordUnusable { subject: Some(&record.id()), reason });
    }
    if let (true, Some(record)) = (verdict.outdated, record) {
        call.wait_until(renew(call.clone(), key, record, credentials.password.clone()));
    }
    match verdict.identity {
        Some(identity) if !call.config().attribute_claims.is_empty() => with_attributes(call, identity).await,
        identity => Ok(identity),
    }
}

/// A user whose password was right, with the attributes of the profile: a second read of KV. `None` if the profile is
/// disabled.
async fn with_attributes(call: &Call, identity: Identity) -> Result<Option<Identity>, UsersError> {
    let Some((_, profile)) = stored(call, &identity.id).await? else {
        // A log-in record always has its profile; without its claims there is no token.
        call.log(&Event::RecordUnusable { subject: Some(&identity.id), reason: "profile_missing" });
        return Err(UsersError::Unavailable);
    };
    Ok(profile.identity(&identity.id).map(|found| Identity { version: identity.version, ..found }))
}

/// The log-in record under this key. Reads KV once.
async fn login_record(call: &Call, key: &str) -> Result<Option<LoginRecord>, UsersError> {
    let Some(text) = get(call, key).await? else { return Ok(None) };
    LoginRecord::read(&text).map(Some).map_err(|_| {
        call.log(&Event::RecordUnusable { subject: None, reason: "login_record_unreadable" });
        UsersError::Unavailable
    })
}

/// The user with this id. Reads one profile, which holds no hash; see [`stored`] for the case of two.
async fn identity(call: &Call, id: Option<Id>) -> Result<Option<Identity>, UsersError> {
    let Some(id) = id else { return Ok(None) };
    Ok(stored(call, &id).await?.and_then(|(id, profile)| profile.identity(&id)))
}

/// The profile of the user whom a token names by `id`, with the id under which it is stored.
///
/// Where tokens hold every identity as text, `"1"` and `1` mean the same: both profiles are read concurrently. If both
/// exist, the token is ambiguous, and the error is logged as `id_of_two_users`.
async fn stored(call: &Call, id: &Id) -> Result<Option<(Id, Profile)>, UsersError> {
    let is_text = call.config().tokens.policy().identity_is_text();
    let with = |id: &Id, profile: Option<Profile>| profile.map(|profile| (id.clone(), profile));
    let Some(other) = id.in_other_type().filter(|_| is_text) else {
        return Ok(with(id, profile(call, id).await?));
    };
    let (this, that) = join(profile(call, id), profile(call, &other)).await;
    match (this?, that?) {
        (Some(_), Some(_)) => {
            call.log(&Event::RecordUnusable { subject: Some(id), reason: "id_of_two_users" });
            Err(UsersError::Unavailable)
        }
        (this @ Some(_), None) => Ok(with(id, this)),
        (None, that) => Ok(with(&other, that)),
    }
}

/// [`set_password`], with the same outcome if the request is run again: by then its first run may have replaced the
/// record.
async fn set_password_once(
    call: &Call,
    id: Option<Id>,
    old: Option<&Secret<String>>,
    new: &Secret<String>,
) -> Result<PasswordChange, UsersError> {
    const KEY: &str = "password";
    if let Some(change) = call.kept(KEY) {
        return Ok(change);
    }
    let change = set_password(call, id, old, new).await?;
    call.keep(KEY, &change);
    Ok(change)
}

/// Prepares a new password for the user whom a token names. `old`, if given, must be the current password.
async fn set_password(
    call: &Call,
    id: Option<Id>,
    old: Option<&Secret<String>>,
    new: &Secret<String>,
) -> Result<PasswordChange, UsersError> {
    let Some(id) = id else { return Ok(PasswordChange::Wrong) };
    let Some((id, profile)) = stored(call, &id).await? else { return Ok(PasswordChange::Wrong) };
    let key = LoginRecord::key(profile.name());
    let record = login_record(call, &key).await?.filter(|record| record.id() == id);
    let hashing = &call.config().hashing;
    let is_right = match old {
        None => true,
        Some(old) => {
            let checked = password::check_by(call, record.as_ref().map(LoginRecord::hash), old, hashing).await?;
            login::judge(record.as_ref(), checked).identity.is_some()
        }
    };
    let Some(record) = record.filter(|record| is_right && record.status() == Status::Active) else {
        return Ok(PasswordChange::Wrong);
    };
    let mut judged = call.config().password_policy.judge(new, profile.name());
    if judged.is_ok() && pwned::is_known(call, new).await {
        judged = Err(PasswordFault::Leaked);
    }
    if let Err(fault) = judged {
        return Ok(PasswordChange::Weak(fault.with_advice()));
    }
    let hash = password::hash_by(call, new, hashing.no_cheaper_than(record.hash()), salt(call)).await?;
    let proven = record.version();
    Ok(PasswordChange::Prepared { proven, key, record: record.with_hash(&hash).to_json() })
}

async fn profile(call: &Call, id: &Id) -> Result<Option<Profile>, UsersError> {
    let Some(text) = get(call, &Profile::key(id)).await? else { return Ok(None) };
    Profile::read(&text).map(|profile| Some(profile.known_by(call.now()))).map_err(|_| {
        call.log(&Event::RecordUnusable { subject: Some(id), reason: "profile_unreadable" });
        UsersError::Unavailable
    })
}

/// Replaces an outdated hash, after the answer. If anything fails, the old hash stays and the next log-in tries again.
async fn renew(call: Call, key: String, proven: LoginRecord, password: Secret<String>) {
    // Let the answer go out before this occupies the CPU.
    delay(Duration::ZERO).await;
    let Ok(present) = get(&call, &key).await else { return };
    let present = present.and_then(|text| LoginRecord::read(&text).ok());
    let hashing = &call.config().hashing;
    let Some(hashing) = login::renewal(&proven, present.as_ref(), hashing) else { return };
    let Ok(hash) = password::hash_by(&call, &password, hashing, salt(&call)).await else { return };
    let record = proven.with_hash(&hash);
    if call.config().bindings.sessions {
        // The account's object may know of a password change that KV does not show yet.
        let (object, lifetimes) = call.gate.account_of_user(&record.id());
        let command = Command::Rehash { proven: proven.version(), key, record: record.to_json() };
        if let Ok(Reply::Done) = call.account(&object, command, &lifetimes).await {
            call.log(&Event::HashRenewed(&record.id()));
        }
        return;
    }
    if kv::put(&call.env, &key, &record.write()).await.is_ok() {
        call.log(&Event::HashRenewed(&record.id()));
    }
}

/// The value under a key in KV; `None` if there is none.
async fn get(call: &Call, key: &str) -> Result<Option<Vec<u8>>, Unavailable> {
    call.within_timeout(kv::get(&call.env, key).map_err(|_| Unavailable)).await
}

fn salt(call: &Call) -> [u8; password::SALT_BYTES] {
    let mut salt = [0; password::SALT_BYTES];
    call.random(&mut salt);
    salt
}
