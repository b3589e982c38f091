//! An application in JavaScript: its users, or those in KV, behind the stock worker's gate.
//!
//! **What always holds:** passwords go to the application's functions and nowhere else; what these return is read as
//! untrusted text. A function that throws, or returns what is no user, refuses with 503.

use super::{Application, Call, KvUsers, promise::Settled, respond};
use crate::{
    Users, UsersError,
    rules::{
        account::PasswordChange,
        hooks::Hooks,
        identity::{Id, Identity},
        json::{self, Map, Value},
        login::Credentials,
        rejection::JwtError,
        secret::Secret,
        time::Timestamp,
        token::VerifiedToken,
    },
};
use serde::Deserialize;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// An application: worker/js/application.mjs.
    #[derive(Clone)]
    pub type JsApplication;
    /// Whether it has code for rules with `to = "worker"`.
    #[wasm_bindgen(method, getter, js_name = hasInner)]
    pub fn has_inner(this: &JsApplication) -> bool;
    /// Its users; `None` for those in KV.
    #[wasm_bindgen(method, getter)]
    fn users(this: &JsApplication) -> Option<JsUsersObject>;

    /// An application's users: worker/js/users.mjs. Each function returns a promise of an [`Answer`] as JSON.
    #[derive(Clone)]
    type JsUsersObject;
    #[wasm_bindgen(method, catch)]
    fn authenticate(
        this: &JsUsersObject,
        username: &str,
        password: &str,
        env: &JsValue,
        ctx: &JsValue,
    ) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn identity(this: &JsUsersObject, token: &str, env: &JsValue, ctx: &JsValue) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch, js_name = setPassword)]
    fn set_password(
        this: &JsUsersObject,
        token: &str,
        old: Option<&str>,
        new: &str,
        env: &JsValue,
        ctx: &JsValue,
    ) -> Result<JsValue, JsValue>;
}

/// What a function of the application's says.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer<T> {
    /// Its value.
    Is(T),
    /// It refuses in its own words.
    Refused { error: String, description: String, status: u16, headers: Vec<(String, String)> },
}

/// A user, as the application's functions return it.
#[derive(Deserialize)]
struct User {
    id: Value,
    #[serde(default)]
    attributes: Map<String, Value>,
    #[serde(default)]
    password_version: i64,
    #[serde(default)]
    attributes_version: i64,
}

/// What became of a new password.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
enum Changed {
    Stored {
        #[serde(default)]
        version: i64,
    },
    Wrong,
    Weak {
        why: String,
    },
    NotOffered,
}

impl Application for JsApplication {
    type Users = JsUsers;

    fn users(&self, call: &Call) -> JsUsers {
        match JsApplication::users(self) {
            Some(object) => JsUsers(Kind::Own(object, call.clone())),
            None => JsUsers(Kind::InKv(KvUsers::new(call))),
        }
    }

    fn hooks(&self) -> Hooks {
        Hooks::default()
    }
}

/// The users of an application in JavaScript, for one request.
pub struct JsUsers(Kind);

enum Kind {
    /// The application's own.
    Own(JsUsersObject, Call),
    InKv(KvUsers),
}

impl Users for JsUsers {
    async fn authenticate(&self, credentials: &Credentials) -> Result<Option<Identity>, UsersError> {
        match &self.0 {
            Kind::InKv(users) => Users::authenticate(users, credentials).await,
            Kind::Own(object, call) => {
                let (username, password) = (credentials.username.expose(), credentials.password.expose());
                user(call, object.authenticate(username, password, &call.env, &call.ctx)).await
            }
        }
    }

    async fn identity(&self, token: &VerifiedToken) -> Result<Option<Identity>, UsersError> {
        match &self.0 {
            Kind::InKv(users) => Users::identity(users, token).await,
            Kind::Own(object, call) => {
                let found = user(call, object.identity(&told(token), &call.env, &call.ctx)).await?;
                // Another user's id would be in new tokens of this one's session.
                match found {
                    Some(identity) if !is_of(call, token, &identity.id) => Err(invalid(call)),
                    found => Ok(found),
                }
            }
        }
    }

    async fn set_password(
        &self,
        token: &VerifiedToken,
        old: Option<&Secret<String>>,
        new: &Secret<String>,
    ) -> Result<PasswordChange, UsersError> {
        /// The first run of a request may have changed what a second one would be judged by.
        const KEY: &str = "password";
        let (object, call) = match &self.0 {
            Kind::InKv(users) => return Users::set_password(users, token, old, new).await,
            Kind::Own(object, call) => (object, call),
        };
        if let Some(change) = call.kept(KEY) {
            return Ok(change);
        }
        let old = old.map(|old| old.expose().as_str());
        let promise = object.set_password(&told(token), old, new.expose(), &call.env, &call.ctx);
        let change = match answer(call, promise).await? {
            Changed::Stored { version } => PasswordChange::Stored { version: Timestamp::from_millis(version) },
            Changed::Wrong => PasswordChange::Wrong,
            Changed::Weak { why } => PasswordChange::Weak(why),
            Changed::NotOffered => PasswordChange::NotOffered,
        };
        call.keep(KEY, &change);
        Ok(change)
    }
}

/// Whether a token names this user. Where tokens hold every id as text, `"1"` and `1` mean the same.
fn is_of(call: &Call, token: &VerifiedToken, id: &Id) -> bool {
    let is_text = call.config().tokens.policy().identity_is_text();
    token.identity().is_some_and(|named| named == *id || (is_text && named.in_other_type().as_ref() == Some(id)))
}

/// The token as the application's functions get it.
fn told(token: &VerifiedToken) -> String {
    let mut members = Map::new();
    token.identity().iter().for_each(|id| drop(members.insert("subject".into(), id.to_json())));
    members.insert("claims".into(), token.claims().into());
    token.session_id().iter().for_each(|session| drop(members.insert("session".into(), session.as_str().into())));
    json::to_ascii(&members)
}

async fn user(call: &Call, promise: Result<JsValue, JsValue>) -> Result<Option<Identity>, UsersError> {
    let Some(user) = answer::<Option<User>>(call, promise).await? else { return Ok(None) };
    let id = Id::from_json(&user.id).ok_or_else(|| invalid(call))?;
    Ok(Some(Identity {
        attributes: user.attributes,
        version: Timestamp::from_millis(user.password_version),
        attributes_version: Timestamp::from_millis(user.attributes_version),
        ..Identity::new(id)
    }))
}

/// Waits for an answer as long as for a store.
async fn answer<T: for<'d> Deserialize<'d>>(call: &Call, promise: Result<JsValue, JsValue>) -> Result<T, UsersError> {
    let settled = async {
        Ok(match promise {
            Ok(promise) => Settled::from(promise).await,
            Err(error) => Err(error),
        })
    };
    let answer = call.within_timeout(settled).await?.map_err(|error| {
        respond::log_exception(call, &error);
        UsersError::Unavailable
    })?;
    match serde_json::from_str(&answer.as_string().unwrap_or_default()).map_err(|_| invalid(call))? {
        Answer::Is(value) => Ok(value),
        Answer::Refused { error, description, status, headers } => {
            Err(UsersError::Rejected(JwtError { error, description, status, headers }))
        }
    }
}

/// What worker/js/users.mjs does not see: another user than the token's.
fn invalid(call: &Call) -> UsersError {
    respond::log_exception(call, &js_sys::TypeError::new("").into());
    UsersError::Unavailable
}
