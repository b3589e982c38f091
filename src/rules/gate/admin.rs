//! `POST /auth/admin`: an operator lists and ends sessions (`tollgate session`), and changes attributes
//! (`tollgate user set`). Without `TOLLGATE_ADMIN_SECRET` the
//! endpoint does not exist.
//!
//! **What always holds:** the secret is compared in constant time, before the body is read.

use super::{
    body::check_json_within,
    core::Gate,
    decision::{Answered, Rejected},
    sessions::listed,
};
use crate::{
    host::{BodyUse, Host},
    rules::{
        account::{Command, MAX_ATTRIBUTES_BYTES, Reply},
        answer::Answer,
        identity::Id,
        ids::{ObjectName, SessionId, TokenId},
        json::{self, Map, Value, json},
        rejection::{BodyRejection, InternalRejection, PermissionRejection, Rejection, SessionRejection},
        request::Request,
        store::{Profile, USERNAME},
        time::{Duration, Timestamp},
    },
};
use subtle::ConstantTimeEq;

/// Maximum length of an order: the attributes as they are, those to set, and what goes with them.
const MAX_ORDER_BYTES: usize = 4 * MAX_ATTRIBUTES_BYTES;

/// A request with the operators' secret, whose body is not read yet.
pub struct AdminRequest(());

impl Gate {
    pub(super) fn begin_admin(&self, request: &Request<'_>) -> Result<AdminRequest, Rejected<'static>> {
        let sent = request.headers.get("authorization").unwrap_or_default();
        let sent = sent.strip_prefix("Bearer ").unwrap_or_default().as_bytes();
        let secret = self.config.sessions.admin_secret.as_ref();
        let is_operator = secret.is_some_and(|secret| bool::from(secret.expose().as_bytes().ct_eq(sent)));
        if !is_operator {
            return Err(Rejection::Permission(PermissionRejection::NotTheOperator).into());
        }
        check_json_within(request, MAX_ORDER_BYTES)?;
        Ok(AdminRequest(()))
    }

    /// Reads `{"do": …, "user": id}` and the members that the command needs; `None` if one is missing or wrong.
    fn read_order(&self, order: &Map<String, Value>, now: Timestamp) -> Option<(ObjectName, Command)> {
        let text = |name: &str| order.get(name).and_then(Value::as_str);
        // The version of the record that the operator has written: not later than now, but for one hour by which clocks
        // may differ.
        let version = || match order.get("version") {
            None => Some(None),
            Some(version) => {
                let version = version.as_i64().map(Timestamp::from_millis);
                version.filter(|version| *version < now.later(Duration::seconds(3600))).map(Some)
            }
        };
        let forget_attributes = order.get("forget_attributes") == Some(&Value::Bool(true));
        let user = || Id::from_json(order.get("user")?);
        let command = match text("do")? {
            "list" => Command::List,
            "end" => Command::End { session: text("session").map(SessionId::from)? },
            "end-all" => Command::EndAll { retire_password: false, version: version()?, forget_attributes },
            "retire-password" => Command::EndAll { retire_password: true, version: version()?, forget_attributes },
            "revoke" => Command::Revoke { token_id: text("token_id").map(TokenId::from)?, life: None },
            "set-attributes" => self.read_change(&user()?, order, now)?,
            "end-everybody" => {
                let command = Command::EndAll { retire_password: false, version: None, forget_attributes: false };
                return Some((ObjectName::everybody(), command));
            }
            _ => return None,
        };
        Some((self.account_named(&user()?), command))
    }

    /// Reads `{"profile": …, "set": {…}, "without": [name, …]}`, perhaps with `"replaces": true`; `None` if one is
    /// missing or wrong, or if the profile is another user's.
    fn read_change(&self, user: &Id, order: &Map<String, Value>, now: Timestamp) -> Option<Command> {
        let profile = Profile::read(json::to_ascii(order.get("profile")?).as_bytes()).ok()?;
        let profile = profile.known_by(now);
        let without = order.get("without")?.as_array()?.iter().map(|name| name.as_str().map(str::to_owned));
        let mut without: Vec<String> = without.collect::<Option<_>>()?;
        let mut set = order.get("set")?.as_object()?.clone();
        // Without another value this attribute is the user's name.
        if without.iter().any(|name| name == USERNAME) {
            without.retain(|name| name != USERNAME);
            set.insert(USERNAME.into(), profile.name().into());
        }
        Some(Command::SetAttributes {
            found: Some(profile).filter(|profile| profile.is_of(user))?.attributes(),
            set,
            without,
            claims: self.claim_attributes(),
            max_claim_bytes: self.config.attribute_claims.max_value_bytes(),
            replaces: order.get("replaces") == Some(&Value::Bool(true)),
        })
    }
}

/// Carries out the operator's command.
pub(super) async fn admin(
    gate: &Gate,
    AdminRequest(()): AdminRequest,
    host: &impl Host,
) -> Result<Answered, Rejected<'static>> {
    let body = host.read_body(BodyUse::Endpoint, MAX_ORDER_BYTES).await?;
    let order = json::object(&body).map_err(|_| Rejection::Body(BodyRejection::NotAnObject))?;
    carry_out(gate, &order, host).await
}

/// The same for an order that was read.
pub(super) async fn carry_out(
    gate: &Gate,
    order: &Map<String, Value>,
    host: &impl Host,
) -> Result<Answered, Rejected<'static>> {
    let (object, command) =
        gate.read_order(order, host.now()).ok_or(Rejection::Permission(PermissionRejection::BadCommand))?;
    match gate.ask(host, &object, command).await? {
        Reply::Sessions { sessions } => Ok(Answered::plain(listed(&sessions, None))),
        Reply::Done => Ok(Answered::plain(Answer::message("done"))),
        Reply::AttributesSet { attributes, revokes } => Ok(Answered::plain(Answer::json(
            200,
            &json!({
                "attributes": attributes.values, "version": attributes.version, "revokes": revokes,
            }),
        ))),
        Reply::Stale => Err(Rejection::Permission(PermissionRejection::UserDeleted).into()),
        Reply::TooLong => Err(Rejection::Permission(PermissionRejection::AttributesTooLong).into()),
        Reply::Ended { .. } => Err(Rejection::Session(SessionRejection::Unknown).into()),
        _ => Err(Rejection::Internal(InternalRejection::Bug).into()),
    }
}
