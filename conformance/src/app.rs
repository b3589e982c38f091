//! The Flask-JWT application of the transcripts (docs/compat/transcripts.md#applications) behind the gate: its
//! configuration, hooks and users, and its answers to requests that the gate lets through.

use crate::transcript::Request;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use tollgate::{
    UsersError,
    rules::{
        answer::Answer,
        config::Config,
        diagnostic::Diagnostic,
        dialect::{FlaskJwt, wording},
        gate::Gate,
        hooks::{DefaultHandlers, Handlers, Hooks},
        identity::{Id, Identity},
        ids::SessionId,
        rejection::{JwtError, Rejection},
        request as view,
        time::Timestamp,
        token::VerifiedToken,
    },
};

/// The application's `authenticate` and `identity` functions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Users {
    /// `user1` and `user2`, ids 1 and 2.
    Numbered,
    /// Every user has the id `abc`.
    Text,
    /// `authenticate` raises an error with its own text.
    Locked,
    /// `authenticate` returns a dict, which has no attribute `id`.
    Records,
    /// No `identity` function.
    NoIdentity,
}

/// The routes of the application, as rules of the gate. The application itself plays the origin.
fn routes() -> Value {
    json!([
        {"path": "/protected", "to": "origin", "user": "stored"},
        {"path": "/realm", "to": "origin", "user": "stored", "realm": "My Realm"},
        {"path": "/optional", "to": "origin", "user": "stored", "auth": "optional", "invalid": "anonymous"},
    ])
}

/// A transcript's configuration, as the gate takes it.
pub struct App {
    /// The gate's variables and secrets.
    pub vars: Map<String, Value>,
    /// Its functions.
    pub users: Users,
    /// Whether it has hooks, which the stock worker can't have.
    pub is_hooked: bool,
    with_handlers: fn(Config) -> Gate,
}

impl App {
    /// Reads a `config`.
    ///
    /// # Errors
    /// A member or value is not known here. None is skipped silently.
    pub fn read(config: &Map<String, Value>) -> Result<Self, String> {
        let mut app = Self {
            vars: Map::new(),
            users: Users::Numbered,
            is_hooked: false,
            with_handlers: |config| Gate::new(config, DefaultHandlers),
        };
        app.vars.insert("SECRET_KEY".into(), "super-secret".into());
        app.vars.insert("TOLLGATE_ALLOW_SHORT_KEY".into(), true.into());
        app.vars.insert("ORIGIN".into(), "http://127.0.0.1:5000".into());
        app.vars.insert("ROUTES".into(), routes());
        for (name, value) in config {
            match name.as_str() {
                // Debug mode and the layout of JSON change white space and order only, on which no client may depend.
                "app.debug" | "JSON_SORT_KEYS" | "JSONIFY_PRETTYPRINT_REGULAR" | "JSONIFY_MIMETYPE" => {}
                "hook" => app.hook(value.as_str().unwrap_or_default())?,
                // `None` as the secret: there is none, not even the default.
                "SECRET_KEY" | "JWT_SECRET_KEY" if value.is_null() => {
                    app.vars.remove("SECRET_KEY");
                    app.vars.remove("JWT_SECRET_KEY");
                }
                _ if name.starts_with("JWT_") || name == "SECRET_KEY" => {
                    app.vars.insert(name.clone(), option(value)?);
                }
                other => return Err(format!("unknown config member {other:?}")),
            }
        }
        Ok(app)
    }

    fn hook(&mut self, words: &str) -> Result<(), String> {
        self.is_hooked = words != "string ids";
        match words {
            "auth_response_handler -> {mytoken, user_id}" => {
                self.with_handlers = |config| Gate::new(config, Hooks::default().with_handlers(OwnResponse))
            }
            "jwt_payload_handler adds role, jwt_headers_handler adds kid" => {
                self.with_handlers = |config| Gate::new(config, Hooks::default().with_handlers(OwnPayload))
            }
            "jwt_error_handler -> text, 418" => {
                self.with_handlers = |config| Gate::new(config, Hooks::default().with_handlers(OwnError))
            }
            "request_handler -> query arg token" => {
                self.with_handlers = |config| Gate::new(config, Hooks::default().with_handlers(TokenInQuery))
            }
            "auth_request_handler (deprecated) -> {hello: world}" => {
                self.with_handlers = |config| Gate::new(config, Hooks::default().with_handlers(OwnLogin))
            }
            "jwt_encode_handler/jwt_decode_handler opaque tokens" => {
                self.with_handlers = |config| Gate::new(config, Hooks::default().with_handlers(Opaque))
            }
            "authentication_handler raises JWTError(status_code=403, headers=..)" => self.users = Users::Locked,
            "authentication_handler returns a dict" => self.users = Users::Records,
            "string ids" => self.users = Users::Text,
            "identity_handler not set" => self.users = Users::NoIdentity,
            other => return Err(format!("unknown hook {other:?}")),
        }
        Ok(())
    }

    /// The gate with this configuration and these hooks.
    ///
    /// # Errors
    /// Why the gate rejects the configuration.
    pub fn gate(&self) -> Result<Gate, Vec<Diagnostic>> {
        Config::read(&self.vars).config.map(self.with_handlers)
    }

    /// A variable, or Flask-JWT's default for it.
    #[must_use]
    pub fn text<'a>(&'a self, name: &str, default: &'a str) -> &'a str {
        self.vars.get(name).and_then(Value::as_str).unwrap_or(default)
    }

    /// Whether the request is for the log-in endpoint.
    #[must_use]
    pub fn is_login(&self, request: &Request) -> bool {
        request.path_alone() == self.text("JWT_AUTH_URL_RULE", "/auth")
    }
}

/// A value of the recorded configuration as the gate takes it: `timedelta(…)` becomes seconds.
///
/// # Errors
/// The `timedelta` is not understood.
pub(crate) fn option(value: &Value) -> Result<Value, String> {
    let Some(text) = value.as_str() else { return Ok(value.clone()) };
    let Some(inside) = text.strip_prefix("timedelta(").and_then(|rest| rest.strip_suffix(')')) else {
        return Ok(value.clone());
    };
    let mut seconds = 0.0;
    for part in inside.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (unit, number) = part.split_once('=').unwrap_or(("days", part));
        let scale = match unit {
            "weeks" => 604_800.0,
            "days" => 86_400.0,
            "hours" => 3_600.0,
            "minutes" => 60.0,
            "seconds" => 1.0,
            "milliseconds" => 0.001,
            _ => return Err(format!("unknown duration {text:?}")),
        };
        seconds += number.parse::<f64>().map_err(|_| format!("unknown duration {text:?}"))? * scale;
    }
    Ok(json!(seconds))
}

impl App {
    /// The application's `authenticate` function.
    ///
    /// # Errors
    /// The error that the application's function raises.
    pub fn authenticate(&self, name: &str, password: &str) -> Result<Option<Identity>, UsersError> {
        match self.users {
            Users::Locked => Err(UsersError::Rejected(JwtError {
                status: 403,
                headers: vec![("X-Lock".into(), "1".into())],
                ..JwtError::new("Locked", "Account locked")
            })),
            Users::Text => Ok(Some(Identity::new(Id::Text("abc".into())))),
            Users::Records => Ok(Some(Identity::new(Id::Int(1)))),
            Users::Numbered | Users::NoIdentity => Ok(match (name, password) {
                ("user1", "abcxyz") => Some(Identity::new(Id::Int(1))),
                ("user2", "abcxyz") => Some(Identity::new(Id::Int(2))),
                _ => None,
            }),
        }
    }

    /// The application's `identity` function.
    ///
    /// # Errors
    /// The application has no such function.
    pub fn identity(&self, id: Option<Id>) -> Result<Option<Identity>, UsersError> {
        let known = match self.users {
            Users::NoIdentity => return Err(UsersError::Unavailable),
            Users::Text => vec![Id::Text("abc".into())],
            Users::Numbered | Users::Locked | Users::Records => vec![Id::Int(1), Id::Int(2)],
        };
        Ok(id.filter(|id| known.contains(id)).map(Identity::new))
    }
}

/// The application's answer to a request that the gate lets through.
#[must_use]
pub fn origin(identity: Option<&Identity>) -> Answer {
    let body = match identity.map(|identity| &identity.id) {
        Some(Id::Int(id)) => format!("User(id='{id}')"),
        Some(Id::Text(id)) => id.clone(),
        None => "None".into(),
    };
    Answer { status: 200, headers: vec![("content-type".into(), "text/html; charset=utf-8".into())], body }
}

struct OwnResponse;
impl Handlers for OwnResponse {
    fn auth_response(&self, access_token: &str, identity: &Identity) -> Answer {
        Answer::json(200, &json!({"mytoken": access_token, "user_id": identity.id.to_json()}))
    }
}

struct OwnPayload;
impl Handlers for OwnPayload {
    fn payload(&self, identity: &Identity, _config: &Config, now: Timestamp) -> Map<String, Value> {
        let iat = now.numeric_date().seconds();
        let claims =
            json!({"iat": iat, "exp": iat + 60, "nbf": iat, "identity": identity.id.to_json(), "role": "admin"});
        claims.as_object().cloned().unwrap_or_default()
    }
    fn headers(&self, _identity: &Identity) -> Map<String, Value> {
        json!({"kid": "k1"}).as_object().cloned().unwrap_or_default()
    }
}

struct OwnError;
impl Handlers for OwnError {
    fn error(&self, rejection: &Rejection) -> Answer {
        let usual = wording::rejection(rejection, &FlaskJwt);
        let body: Value = serde_json::from_str(&usual.body).unwrap_or_default();
        let headers = usual
            .header("www-authenticate")
            .map_or("None".into(), |value| format!("{{'WWW-Authenticate': '{value}'}}"));
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        Answer {
            status: 418,
            headers: vec![("content-type".into(), "text/html; charset=utf-8".into())],
            body: format!("custom: {}|{}|{}|{headers}", usual.status, text("error"), text("description")),
        }
    }
}

struct TokenInQuery;
impl Handlers for TokenInQuery {
    fn request<'r>(
        &self,
        request: &view::Request<'r>,
        _config: &Config,
        _realm: &str,
    ) -> Result<Option<Cow<'r, str>>, Rejection> {
        let mut pairs = request.query.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
        Ok(pairs.find(|(name, _)| *name == "token").map(|(_, value)| value.into()))
    }
}

struct OwnLogin;
impl Handlers for OwnLogin {
    fn auth_request(&self, _request: &view::Request<'_>) -> Option<Answer> {
        Some(Answer::json(200, &json!({"hello": "world"})))
    }
}

struct Opaque;
impl Handlers for Opaque {
    fn encode(
        &self,
        identity: &Identity,
        _config: &Config,
        _session: Option<&SessionId>,
        _now: Timestamp,
    ) -> Result<String, Rejection> {
        Ok(format!("opaque-{}", identity.id))
    }
    fn decode(&self, token: &str, _config: &Config, _now: Timestamp) -> Result<VerifiedToken, Rejection> {
        let id = token
            .strip_prefix("opaque-")
            .ok_or_else(|| Rejection::Custom(JwtError::new("Invalid token", "not opaque")))?;
        let id = id.parse::<i64>().map_or_else(|_| id.into(), Value::from);
        Ok(VerifiedToken::assert_verified(json!({"identity": id}).as_object().unwrap_or(&Map::new())))
    }
}
