//! Users in KV: the stock `authenticate` and `identity`.

use super::{Call, load};
use crate::SendUsers;
use crate::rules::{
    gate::AskFault,
    identity::{Id, Identity},
    log::Event,
    login::{self, Credentials},
    password::HashFault,
    secret::Secret,
    store::{BINDING, LogInRecord, Profile},
    token::VerifiedToken,
};
use futures_util::future::{Either, join, select};
use std::{future::Future, pin::pin, time::Duration};
use worker::{
    Delay,
    kv::KvStore,
    send::{SendFuture, SendWrapper},
};

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
    ) -> impl Future<Output = Result<Option<Identity>, AskFault>> + Send {
        SendFuture::new(authenticate(&self.0, credentials))
    }

    fn identity(&self, token: &VerifiedToken) -> impl Future<Output = Result<Option<Identity>, AskFault>> + Send {
        SendFuture::new(identity(&self.0, token.identity()))
    }
}

/// Are these a user's name and password? One read.
async fn authenticate(call: &Call, credentials: &Credentials) -> Result<Option<Identity>, AskFault> {
    let key = LogInRecord::key(credentials.username.expose());
    let record = match get(call, &key).await? {
        None => None,
        Some(text) => Some(LogInRecord::read(&text).map_err(|_| {
            call.log(&Event::RecordUnusable { subject: None, reason: "login_record_unreadable" });
            AskFault::Unavailable
        })?),
    };
    let verdict = login::judge(record.as_ref(), &credentials.password, &call.config().hashing);
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

/// Who has this id? One read, of a record without a hash.
///
/// Where a token names everybody by a text, `"1"` may be user `1` too: two reads at once, and nobody if there are both.
async fn identity(call: &Call, id: Option<Id>) -> Result<Option<Identity>, AskFault> {
    let Some(id) = id else { return Ok(None) };
    let is_text = call.config().tokens.policy().identity_is_text();
    let Some(number) = id.as_written_number().filter(|_| is_text) else {
        return Ok(profile(call, &id).await?.and_then(|profile| profile.identity(&id)));
    };
    let (as_text, as_number) = join(profile(call, &id), profile(call, &number)).await;
    match (as_text?, as_number?) {
        (Some(_), Some(_)) => {
            call.log(&Event::RecordUnusable { subject: Some(&id), reason: "id_of_two_users" });
            Err(AskFault::Unavailable)
        }
        (Some(profile), None) => Ok(profile.identity(&id)),
        (None, Some(profile)) => Ok(profile.identity(&number)),
        (None, None) => Ok(None),
    }
}

async fn profile(call: &Call, id: &Id) -> Result<Option<Profile>, AskFault> {
    let Some(text) = get(call, &Profile::key(id)).await? else { return Ok(None) };
    Profile::read(&text).map(Some).map_err(|_| {
        call.log(&Event::RecordUnusable { subject: Some(id), reason: "profile_unreadable" });
        AskFault::Unavailable
    })
}

/// Makes an outdated hash anew, behind the answer. Should anything fail, the old one stays and the next log-in tries.
async fn renew(call: Call, key: String, proven: LogInRecord, password: Secret<String>) {
    // Let the answer go out before this takes the CPU.
    Delay::from(Duration::ZERO).await;
    let Ok(present) = get(&call, &key).await else { return };
    let present = present.and_then(|text| LogInRecord::read(&text).ok());
    let hashing = &call.config().hashing;
    let Some(record) = login::renew(&proven, present.as_ref(), &password, hashing, load::random()) else { return };
    let Ok(put) = store(&call).and_then(|store| store.put(&key, record.write()).map_err(|_| AskFault::Unavailable))
    else {
        return;
    };
    if put.execute().await.is_ok() {
        call.log(&Event::HashRenewed(&record.id()));
    }
}

fn store(call: &Call) -> Result<KvStore, AskFault> {
    KvStore::from_this(&call.env, BINDING).map_err(|_| AskFault::Unavailable)
}

/// A value, `None` if there is none. Waits no longer than `TOLLGATE_STORE_TIMEOUT`.
async fn get(call: &Call, key: &str) -> Result<Option<Vec<u8>>, AskFault> {
    let read = store(call)?.get(key).bytes();
    let patience = u64::try_from(call.config().store_timeout.as_millis()).unwrap_or_default();
    match select(pin!(read), pin!(Delay::from(Duration::from_millis(patience)))).await {
        Either::Left((value, _)) => value.map_err(|_| AskFault::Unavailable),
        Either::Right(((), _)) => Err(AskFault::Unavailable),
    }
}
