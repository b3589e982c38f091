//! Users in KV: the stock `authenticate` and `identity`.

use super::{Call, delay, kv, pwned, with_timeout};
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
    /// For a request.
    #[must_use]
    pub fn new(call: &Call) -> Self {
        Self(SendWrapper(call.clone()))
    }
}

/// There is one thread in a worker, so what must be sent to another never is.
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

/// Are these a user's name and password? One read.
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
            HashFault::UnknownPepper => "hash_pepper_unknown",
        };
        call.log(&Event::RecordUnusable { subject: Some(&record.id()), reason });
    }
    if let (true, Some(record)) = (verdict.outdated, record) {
        call.wait_until(renew(call.clone(), key, record, credentials.password.clone()));
    }
    Ok(verdict.identity)
}

/// The record of this name: one read.
async fn login_record(call: &Call, key: &str) -> Result<Option<LoginRecord>, UsersError> {
    let Some(text) = get(call, key).await? else { return Ok(None) };
    LoginRecord::read(&text).map(Some).map_err(|_| {
        call.log(&Event::RecordUnusable { subject: None, reason: "login_record_unreadable" });
        UsersError::Unavailable
    })
}

/// Who has this id? One read, of a record without a hash.
///
/// Where a token names everybody by a text, `"1"` may be user `1` too: two reads at once, and nobody if there are both.
async fn identity(call: &Call, id: Option<Id>) -> Result<Option<Identity>, UsersError> {
    let Some(id) = id else { return Ok(None) };
    Ok(stored(call, &id).await?.and_then(|(id, profile)| profile.identity(&id)))
}

/// Under which id is whom a token names so stored?
async fn stored(call: &Call, id: &Id) -> Result<Option<(Id, Profile)>, UsersError> {
    let is_text = call.config().tokens.policy().identity_is_text();
    let with = |id: &Id, profile: Option<Profile>| profile.map(|profile| (id.clone(), profile));
    let Some(number) = id.as_written_number().filter(|_| is_text) else {
        return Ok(with(id, profile(call, id).await?));
    };
    let (as_text, as_number) = join(profile(call, id), profile(call, &number)).await;
    match (as_text?, as_number?) {
        (Some(_), Some(_)) => {
            call.log(&Event::RecordUnusable { subject: Some(id), reason: "id_of_two_users" });
            Err(UsersError::Unavailable)
        }
        (as_text @ Some(_), None) => Ok(with(id, as_text)),
        (None, as_number) => Ok(with(&number, as_number)),
    }
}

/// The same outcome if the request is run again, though the record may have been replaced by then.
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

/// A new password for whom a token names; the old one must be right, if it is given.
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
    Profile::read(&text).map(Some).map_err(|_| {
        call.log(&Event::RecordUnusable { subject: Some(id), reason: "profile_unreadable" });
        UsersError::Unavailable
    })
}

/// Makes an outdated hash anew, behind the answer. Should anything fail, the old one stays and the next log-in tries.
async fn renew(call: Call, key: String, proven: LoginRecord, password: Secret<String>) {
    // Let the answer go out before this takes the CPU.
    delay(Duration::ZERO).await;
    let Ok(present) = get(&call, &key).await else { return };
    let present = present.and_then(|text| LoginRecord::read(&text).ok());
    let hashing = &call.config().hashing;
    let Some(hashing) = login::renewal(&proven, present.as_ref(), hashing) else { return };
    let Ok(hash) = password::hash_by(&call, &password, hashing, salt(&call)).await else { return };
    let record = proven.with_hash(&hash);
    if call.config().bindings.sessions {
        // The account's object knows of a change that this read of KV does not.
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

/// A value, `None` if there is none.
async fn get(call: &Call, key: &str) -> Result<Option<Vec<u8>>, Unavailable> {
    with_timeout(call.config(), kv::get(&call.env, key).map_err(|_| Unavailable)).await
}

fn salt(call: &Call) -> [u8; password::SALT_BYTES] {
    let mut salt = [0; password::SALT_BYTES];
    call.random(&mut salt);
    salt
}
