//! What is stored in a gate's Durable Objects before it is measured, by orders as the gate sends them
//! (bench/contenders/orders.mjs).

use crate::{clock::now, load, server::Server, tokens::Mint};
use anyhow::{Context, Result, bail};
use serde_json::json;
use tollgate::rules::{
    account::{Command, Lifetimes, RefreshToken, Reply, object},
    identity::Id,
    ids::ObjectName,
    revocation::{self, Entry, RevocationKey},
    time::{Duration, Timestamp},
    token::Random,
};

/// Revocations in one order.
const ENTRIES: usize = 10_000;

/// Puts `count` revocations in force, none of a token of the benchmark.
pub fn revoke(server: &Server, count: usize) -> Result<()> {
    let until = now().later(Duration::seconds(86_400));
    let entry =
        |number: usize| Entry { mark: RevocationKey::session(&format!("ended {number}").into()), before: None, until };
    for first in (0..count).step_by(ENTRIES) {
        let entries = (first..count.min(first + ENTRIES)).map(entry).collect();
        ask_register(server, &revocation::Ask::Revoke { entries })?;
    }
    Ok(())
}

/// The bytes of the whole snapshot, which an isolate gets that has none.
pub fn snapshot_bytes(server: &Server) -> Result<usize> {
    Ok(ask_register(server, &revocation::Ask::Since { number: 0 })?.concat().len())
}

/// Opens a session for each of `count` users, and returns their refresh tokens.
pub fn open(server: &Server, mint: &Mint, count: usize) -> Result<Vec<String>> {
    let lifetimes = Lifetimes {
        grace: Duration::seconds(10),
        idle: Duration::seconds(30 * 86_400),
        session: Duration::seconds(90 * 86_400),
        token: Duration::seconds(960),
    };
    let issued_at = now();
    let token_id = |user: usize| format!("first of {user}");
    let order = |user: usize| {
        let name = ObjectName::of_account(&Id::Text(user.to_string()), true);
        // As many characters as a real seed has in base64url.
        let seed = "A".repeat(size_of::<Random>() * 4 / 3);
        let command = Command::Open {
            version: Timestamp::default(),
            entropy: user.to_string(),
            refresh: Some(RefreshToken { token_id: token_id(user).into(), seed, issued_at }),
            user_agent: "bench".into(),
            country: "CH".into(),
            attributes: None,
        };
        let order = json!({"name": name, "command": command, "lifetimes": lifetimes});
        (name.to_string(), order.to_string())
    };
    let replies = send(server, object::BINDING, &(1..=count).map(order).collect::<Vec<_>>())?;
    let token = |(user, reply): (usize, &String)| match serde_json::from_str(reply)? {
        Reply::Opened { session, .. } => Ok(mint.refresh_token(&user.to_string(), session.as_str(), &token_id(user))),
        _ => bail!("an object answered {reply}"),
    };
    (1..).zip(&replies).map(token).collect()
}

fn ask_register(server: &Server, order: &revocation::Ask) -> Result<Vec<String>> {
    send(server, revocation::BINDING, &[(revocation::OBJECT.to_owned(), serde_json::to_string(order)?)])
}

/// Sends orders, each with its object's name, and returns the replies in the same order.
fn send(server: &Server, binding: &str, orders: &[(String, String)]) -> Result<Vec<String>> {
    let address = server.orders.context("the server has no Durable Objects")?;
    let answer = load::post(address, &format!("/{binding}"), serde_json::to_vec(orders)?)?;
    Ok(serde_json::from_slice(&answer)?)
}
