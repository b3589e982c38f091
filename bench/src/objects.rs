//! What is put into a gate's objects before it is measured: orders as the gate sends them
//! (bench/contenders/orders.mjs).

use crate::{load, server::Server, tokens::Mint};
use anyhow::{Context, Result, bail};
use serde_json::json;
use std::time::{SystemTime, UNIX_EPOCH};
use tollgate::rules::{
    account::{Command, Lifetimes, RefreshToken, Reply, object},
    identity::Id,
    ids::ObjectName,
    revocation::{self, Entry, RevocationKey},
    time::{Duration, Timestamp},
    token::Random,
};

/// As many revocations go in one order, and as many accounts are asked at once.
const AT_ONCE: usize = 10_000;

/// Puts so many revocations in force, none of which hits a token of the benchmark.
///
/// # Errors
/// If the register does not take them.
pub fn revoke(server: &Server, count: usize) -> Result<()> {
    let until = now()?.later(Duration::seconds(86_400));
    let entry =
        |number: usize| Entry { mark: RevocationKey::session(&format!("ended {number}").into()), before: None, until };
    for first in (0..count).step_by(AT_ONCE) {
        let entries = (first..count.min(first + AT_ONCE)).map(entry).collect();
        let order = serde_json::to_string(&revocation::Ask::Revoke { entries })?;
        send(server, revocation::BINDING, &[(revocation::OBJECT.to_owned(), order)])?;
    }
    Ok(())
}

/// The bytes of a whole snapshot, as an isolate gets it that has none.
///
/// # Errors
/// If the register does not answer.
pub fn snapshot_bytes(server: &Server) -> Result<usize> {
    let order = serde_json::to_string(&revocation::Ask::Since { number: 0 })?;
    Ok(send(server, revocation::BINDING, &[(revocation::OBJECT.to_owned(), order)])?.concat().len())
}

/// Opens a session for each of so many users: their refresh tokens.
///
/// # Errors
/// If an object does not open one.
pub fn open(server: &Server, mint: &Mint, count: usize) -> Result<Vec<String>> {
    let lifetimes = Lifetimes {
        grace: Duration::seconds(10),
        idle: Duration::seconds(30 * 86_400),
        session: Duration::seconds(90 * 86_400),
        token: Duration::seconds(960),
    };
    let now = now()?;
    let token_id = |user: usize| format!("first of {user}");
    let order = |user: usize| {
        let name = ObjectName::of_account(&Id::Text(user.to_string()), true);
        // As long as a real one.
        let seed = "A".repeat(size_of::<Random>() * 4 / 3);
        let command = Command::Open {
            version: Timestamp::default(),
            entropy: user.to_string(),
            refresh: Some(RefreshToken { token_id: token_id(user).into(), seed, issued_at: now }),
            user_agent: "bench".into(),
            country: "CH".into(),
        };
        let order = json!({"name": name, "command": command, "lifetimes": lifetimes});
        (name.to_string(), order.to_string())
    };
    let replies = send(server, object::BINDING, &(1..=count).map(order).collect::<Vec<_>>())?;
    let token = |(user, reply): (usize, &String)| match serde_json::from_str(reply)? {
        Reply::Opened { session } => Ok(mint.refresh_token(&user.to_string(), session.as_str(), &token_id(user))),
        _ => bail!("an object answered {reply}"),
    };
    (1..).zip(&replies).map(token).collect()
}

fn send(server: &Server, binding: &str, orders: &[(String, String)]) -> Result<Vec<String>> {
    let address = server.orders.context("it has no objects")?;
    let answer = load::post(address, &format!("/{binding}"), serde_json::to_vec(orders)?)?;
    Ok(serde_json::from_slice(&answer)?)
}

fn now() -> Result<Timestamp> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock")?;
    Ok(Timestamp::from_millis(i64::try_from(now.as_millis())?))
}
