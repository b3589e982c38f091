//! `POST /auth/admin`: what an operator does to sessions (`tollgate session`). There is no such endpoint without a
//! secret.
//!
//! **What always holds:** the secret is compared in constant time, before the body is read.

use super::{
    Answered, Decision, Gate, Outcome,
    login::check_body,
    sessions::{refuse, unexpected},
};
use crate::rules::{
    account::{Command, Reply, object},
    cookie::Jar,
    identity::Id,
    json::{self, Map, Value},
    login::MAX_BODY_BYTES,
    rejection::Rejection,
    request::Request,
    route::Endpoint,
    time::{Duration, Timestamp},
    wire::flask_jwt_extended,
};
use subtle::ConstantTimeEq;

impl Gate {
    pub(super) fn decide_admin<'g>(&'g self, request: &Request<'_>, now: Timestamp) -> Decision<'g> {
        let sent = request.headers.get("authorization").unwrap_or_default();
        let sent = sent.strip_prefix("Bearer ").unwrap_or_default().as_bytes();
        let secret = self.config.sessions.admin_secret.as_ref();
        let is_operator = secret.is_some_and(|secret| bool::from(secret.expose().as_bytes().ct_eq(sent)));
        if !is_operator {
            return refuse(Endpoint::Admin, Rejection::NotTheOperator.into());
        }
        if let Err(rejection) = check_body(request) {
            return refuse(Endpoint::Admin, rejection.into());
        }
        self.ask_body(MAX_BODY_BYTES, move |gate, body| {
            let order = body
                .map_err(Rejection::from)
                .and_then(|body| json::object(&body).map_err(|_| Rejection::BodyNotAnObject))
                .and_then(|order| gate.order(&order, now).ok_or(Rejection::BadCommand));
            match order {
                Err(rejection) => refuse(Endpoint::Admin, rejection.into()),
                Ok((object, command)) => gate.ask_account(object, command, |_, reply, _| carried_out(reply)),
            }
        })
    }

    /// `{"do": …, "user": id}`, and what belongs to it.
    fn order(&self, order: &Map<String, Value>, now: Timestamp) -> Option<(String, Command)> {
        let text = |name: &str| order.get(name).and_then(Value::as_str).map(str::to_owned);
        // Of the record that was written before: by now, give or take what clocks differ.
        let version = || match order.get("version") {
            None => Some(None),
            Some(version) => {
                let version = version.as_i64().map(Timestamp::from_millis);
                version.filter(|version| *version < now.later(Duration::seconds(3600))).map(Some)
            }
        };
        let command = match text("do")?.as_str() {
            "list" => Command::List,
            "end" => Command::End { session: text("session")? },
            "end-all" => Command::EndAll { retire_password: false, version: version()? },
            "retire-password" => Command::EndAll { retire_password: true, version: version()? },
            "revoke" => Command::Revoke { token_id: text("token_id")?, life: None },
            "end-everybody" => {
                return Some((object::EVERYBODY.into(), Command::EndAll { retire_password: false, version: None }));
            }
            _ => return None,
        };
        let user = Id::from_json(order.get("user")?)?;
        Some((self.account_named(&user), command))
    }
}

fn carried_out<'g>(reply: Result<Reply, super::AskFault>) -> Decision<'g> {
    let answer = match reply {
        Ok(Reply::Sessions { sessions }) => flask_jwt_extended::sessions(&sessions, None),
        Ok(Reply::Done) => flask_jwt_extended::message("done", &Jar::new()),
        Ok(Reply::Ended { .. }) => return refuse(Endpoint::Admin, Rejection::NoSuchSession.into()),
        reply => return refuse(Endpoint::Admin, unexpected(reply).into()),
    };
    Decision::Answer(Answered { answer, outcome: Outcome::Plain })
}
