//! The Flask-JWT-Extended application behind the transcripts (docs/compat/transcripts.md#applications), with the gate
//! in front of it: its configuration, its loaders, its user, its routes, and what it answers to a request that is let
//! through.

use crate::{
    app::option,
    transcript::{Case, Request},
};
use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Map, Value, json};
use tollgate::{
    UsersError,
    rules::{
        answer::Answer,
        config::Config,
        cookie::Jar,
        diagnostic::Diagnostic,
        gate::{Gate, Principal, TokenSpec},
        hooks::{DefaultHandlers, Hooks, Loaders, TokenParts},
        identity::{Id, Identity},
        json,
        secret::Secret,
        time::Timestamp,
        token::{Algorithm, Freshness, Key, Random, TokenType, VerifyingKey},
    },
};

/// What an answer says of the one that was recorded: nothing of the application's own.
const HTML: &str = "text/html; charset=utf-8";

/// Where the application makes tokens or cookies itself, or breaks down.
pub const IN_ITSELF: [&str; 7] =
    ["/mint", "/set_access", "/set_refresh", "/unset_access", "/unset_refresh", "/logout", "/unprotected_get_jwt"];

/// A configuration of a transcript, understood.
pub struct App {
    /// The gate's variables and secrets.
    pub vars: Map<String, Value>,
    /// Does it take loaders that only a worker of one's own has?
    pub is_hooked: bool,
    looks_users_up: bool,
    /// Is the private key not in the file?
    is_verifying: bool,
    with_handlers: fn(Config) -> Gate,
}

impl App {
    /// Reads a `config`. `pair` is a private and a public key for an asymmetric algorithm, of which the transcripts
    /// have the public one only.
    ///
    /// # Errors
    /// A member or value that is not known here: nothing is skipped in silence.
    pub fn read(config: &Map<String, Value>) -> Result<Self, String> {
        let mut app = Self {
            vars: Map::new(),
            is_hooked: false,
            looks_users_up: false,
            is_verifying: false,
            with_handlers: |config| Gate::new(config, DefaultHandlers),
        };
        for (name, value) in [
            ("TOLLGATE_WIRE", json!("flask-jwt-extended")),
            ("JWT_SECRET_KEY", json!("super-secret-key-of-at-least-32-bytes!!")),
            ("JWT_AUTH_URL_RULE", json!("/login")),
            // Enough for HS256, too short for HS384 and HS512.
            ("TOLLGATE_ALLOW_SHORT_KEY", json!(true)),
            ("TOLLGATE_REFRESH_URL", json!("/refresh")),
            ("TOLLGATE_LOGOUT_URL", json!("")),
            ("TOLLGATE_ME_URL", json!("")),
            ("ORIGIN", json!("http://127.0.0.1:5000")),
        ] {
            app.vars.insert(name.into(), value);
        }
        for (name, value) in config {
            match name.as_str() {
                "loader" => app.loader(value.as_str().unwrap_or_default())?,
                "names/paths" if value == "aa rr ac rc /api /refresh /c1 /c2" => app.names_and_paths(),
                "keys" if value.is_null() => app.forget_keys(),
                "JWT_SECRET_KEY" if value.is_null() => app.forget_keys(),
                "JWT_PRIVATE_KEY" if value == "pem" => app.is_verifying = true,
                "JWT_TOKEN_LOCATION" if value.as_str().is_some_and(|text| text.starts_with("set(")) => {
                    let words = value.as_str().and_then(|text| text.strip_prefix("set(")?.strip_suffix(')'));
                    let words: Vec<&str> = words.unwrap_or_default().split(", ").collect();
                    app.vars.insert(name.clone(), json!(words));
                }
                // Debug mode shows in blanks only.
                "app.debug" if value.is_boolean() => {}
                "SECRET_KEY" if value.is_null() => {}
                _ if name.starts_with("JWT_") || name == "SECRET_KEY" => {
                    app.vars.insert(name.clone(), option(value)?);
                }
                other => return Err(format!("unknown config member {other:?}")),
            }
        }
        Ok(app)
    }

    /// The same for one request: with a rule that no gate takes, if it goes there; with a private key of our own, if a
    /// token is to be made with one that is not in the file. Without it the gate only verifies.
    #[must_use]
    pub fn serving(self, request: &Request) -> Self {
        let issues = makes_tokens(request);
        self.issuing_if(issues, request)
    }

    /// The same, if the gate must also issue the token of the request.
    #[must_use]
    pub fn issuing(self, request: &Request) -> Self {
        self.issuing_if(true, request)
    }

    fn issuing_if(mut self, issues: bool, request: &Request) -> Self {
        self.set_routes(request);
        if self.is_verifying && issues {
            self.take_own_key();
        } else if self.is_verifying || (self.has_public_key_only() && !makes_tokens(request)) {
            self.vars.insert("JWT_AUTH_URL_RULE".into(), "".into());
            self.vars.insert("TOLLGATE_REFRESH_TOKENS".into(), false.into());
        }
        self
    }

    fn set_routes(&mut self, request: &Request) {
        let mut rules = self.routes();
        if request.path_alone() == "/loc_invalid" {
            rules.push(json!({"path": "/loc_invalid", "to": "origin", "locations": ["invalid"]}));
        }
        self.vars.insert("ROUTES".into(), rules.into());
    }

    /// Does this gate verify only?
    #[must_use]
    pub fn has_public_key_only(&self) -> bool {
        let is_pair =
            self.vars.get("JWT_ALGORITHM").and_then(Value::as_str).is_some_and(|name| !name.starts_with("HS"));
        is_pair && self.vars.contains_key("JWT_PUBLIC_KEY") && !self.vars.contains_key("JWT_PRIVATE_KEY")
    }

    fn take_own_key(&mut self) {
        self.vars.remove("JWT_PUBLIC_KEY");
        let algorithm = self.vars.get("JWT_ALGORITHM").and_then(Value::as_str).unwrap_or_default();
        self.vars.insert("JWT_PRIVATE_KEY".into(), private_key(algorithm).into());
    }

    /// Python's None means that there is none.
    fn forget_keys(&mut self) {
        for name in ["JWT_SECRET_KEY", "JWT_PRIVATE_KEY", "JWT_PUBLIC_KEY"] {
            self.vars.remove(name);
        }
    }

    fn names_and_paths(&mut self) {
        let names = ["aa", "rr", "ac", "rc", "/api", "/refresh", "/c1", "/c2"];
        let options = ["COOKIE_NAME", "CSRF_COOKIE_NAME", "COOKIE_PATH", "CSRF_COOKIE_PATH"];
        let options =
            options.iter().flat_map(|option| ["ACCESS", "REFRESH"].map(|kind| format!("JWT_{kind}_{option}")));
        self.vars.extend(options.zip(names.map(Value::from)));
    }

    fn loader(&mut self, words: &str) -> Result<(), String> {
        self.is_hooked = true;
        match words {
            "token_in_blocklist_loader: jti == 11111111-2222-4333-8444-555555555555" => {
                self.with_handlers = |config| Gate::new(config, Hooks::default().with_loaders(Blocklist));
            }
            "token_verification_loader: 'role' in payload" => {
                self.with_handlers = |config| Gate::new(config, Hooks::default().with_loaders(HasRole));
            }
            "user_lookup, user_identity, additional_claims, additional_headers" => self.looks_users_up = true,
            "every error loader replaced" => {
                self.looks_users_up = true;
                self.with_handlers = |config| Gate::new(config, Hooks::default().with_loaders(EveryError));
            }
            "encode_key_loader k2, decode_key_loader by header kid" => {
                self.with_handlers = |config| Gate::new(config, Hooks::default().with_loaders(KeyById::default()));
            }
            other => return Err(format!("unknown loader {other:?}")),
        }
        Ok(())
    }

    /// The routes of the application, as rules of the gate. The application itself plays the origin.
    fn routes(&self) -> Vec<Value> {
        let user = if self.looks_users_up { "stored" } else { "token" };
        let rule = |path: &str, more: Value| {
            let mut rule = json!({"path": path, "to": "origin", "methods": ["GET", "POST"], "user": user});
            rule.as_object_mut()
                .into_iter()
                .for_each(|rule| rule.extend(more.as_object().cloned().unwrap_or_default()));
            rule
        };
        let mut rules = vec![
            rule("/protected", json!({})),
            rule("/optional", json!({"auth": "optional"})),
            rule("/fresh", json!({"fresh": true})),
            rule("/refresh_protected", json!({"refresh": true})),
            rule("/notype", json!({"verify_type": false})),
            rule("/skiprev", json!({"skip_revocation_check": true})),
            rule("/loc_headers", json!({"locations": ["headers"]})),
            rule("/claims", json!({})),
            rule("/user", json!({})),
        ];
        rules.extend(IN_ITSELF.map(|path| rule(path, json!({"auth": "none", "user": "token"}))));
        rules
    }

    /// The gate.
    ///
    /// # Errors
    /// Why it refuses this configuration.
    pub fn gate(&self) -> Result<Gate, Vec<Diagnostic>> {
        Config::read(&self.vars).config.map(self.with_handlers)
    }

    /// A token of our own with the claims of the recorded one, where the key of that is not in the file (`k2`), or not
    /// the one that makes another out of it here.
    #[must_use]
    pub fn issued(&self, case: &Case) -> Option<String> {
        let is_k2 = case.config.get("loader").and_then(Value::as_str).is_some_and(|it| it.starts_with("encode_key"));
        let is_ours = is_k2 || (self.is_verifying && case.request.path_alone() == "/refresh");
        let payload = case.literal_token.as_deref()?.split('.').nth(1)?;
        let claims = json::object(&Base64UrlUnpadded::decode_vec(payload).ok()?).ok()?;
        #[allow(clippy::cast_possible_truncation)] // whole milliseconds
        let now = Timestamp::from_millis((case.recorded_at * 1000.0) as i64);
        let gate = self.gate().ok().filter(|_| is_ours && case.token.as_ref().is_some_and(Value::is_string))?;
        gate.create_token(&user1(), TokenSpec { claims, ..TokenSpec::default() }, &[7; 96], now)
            .ok()
            .map(|(token, _)| token)
    }

    /// A token of another gate, that signs with this algorithm and key (one of the tests' own without one).
    #[must_use]
    pub fn issued_elsewhere(&self, algorithm: &str, key: Option<&str>, now: Timestamp) -> Option<String> {
        let mut vars = self.vars.clone();
        vars.remove("JWT_PUBLIC_KEY");
        vars.insert("JWT_ALGORITHM".into(), algorithm.into());
        vars.insert("JWT_PRIVATE_KEY".into(), key.unwrap_or(private_key(algorithm)).into());
        let gate = Gate::new(Config::read(&vars).config.ok()?, DefaultHandlers);
        gate.create_token(&user1(), TokenSpec::default(), &[7; 96], now).ok().map(|(token, _)| token)
    }

    /// `authenticate`.
    ///
    /// # Errors
    /// None.
    pub fn authenticate(&self, name: &str, password: &str) -> Result<Option<Identity>, UsersError> {
        Ok(((name, password) == ("user1", "abcxyz")).then(user1))
    }

    /// `user_lookup_loader`; without one everybody is known.
    ///
    /// # Errors
    /// None.
    pub fn identity(&self, id: Option<Id>) -> Result<Option<Identity>, UsersError> {
        Ok(id.filter(|id| !self.looks_users_up || *id != Id::Text("ghost".into())).map(Identity::new))
    }
}

/// Does the application answer this request with new tokens?
pub fn makes_tokens(request: &Request) -> bool {
    ["/mint", "/login", "/refresh", "/set_access", "/set_refresh"].contains(&request.path_alone())
}

/// A private key of the tests.
const fn private_key(algorithm: &str) -> &'static str {
    match algorithm.as_bytes() {
        b"ES256" => include_str!("../../tests/keys/p256.pem"),
        b"EdDSA" => include_str!("../../tests/keys/ed25519.pem"),
        _ => include_str!("../../tests/keys/rsa.pem"),
    }
}

fn user1() -> Identity {
    Identity::new(Id::Text("user1".into()))
}

impl App {
    /// What the application answers behind the gate.
    #[must_use]
    pub fn origin(
        &self,
        gate: &Gate,
        request: &Request,
        principal: &Principal,
        random: &Random,
        now: Timestamp,
    ) -> Answer {
        let Some(config) = gate.config().flask_jwt_extended() else { return failure() };
        let subject = principal.identity().map_or(Value::Null, |identity| identity.id.to_json());
        let mut jar = Jar::new();
        let mut with_cookies = |body: Value, change: &dyn Fn(&mut Jar)| {
            change(&mut jar);
            jar.iter().fold(json_of(&body), |answer, cookie| answer.with("set-cookie", cookie))
        };
        match request.path_alone() {
            "/protected" | "/loc_headers" => json_of(&json!({"logged_in_as": subject})),
            "/optional" => {
                let location = match principal {
                    Principal::Verified { location, .. } => Some(location.name()),
                    Principal::Open | Principal::Anonymous => None,
                };
                json_of(&json!({"jwt": location.is_some(), "location": location, "logged_in_as": subject}))
            }
            "/fresh" | "/refresh_protected" | "/skiprev" => json_of(&json!({"foo": "bar"})),
            "/notype" => {
                let claims = principal.token().map(|token| token.claims_with_defaults()).unwrap_or_default();
                json_of(&json!({"foo": "bar", "type": claims["type"]}))
            }
            "/claims" => match principal {
                Principal::Verified { token, location, .. } => json_of(&json!({
                    "header": token.header(), "location": location.name(), "payload": token.claims_with_defaults(),
                })),
                Principal::Open | Principal::Anonymous => failure(),
            },
            "/user" if self.looks_users_up => {
                let name = subject.as_str().unwrap_or_default();
                json_of(&json!({"user": format!("{{'name': '{name}'}}")}))
            }
            "/mint" => mint(gate, request, random, now),
            path @ ("/set_access" | "/set_refresh") => {
                let token_type = if path == "/set_refresh" { TokenType::Refresh } else { TokenType::Access };
                match gate.create_token(&user1(), TokenSpec { token_type, ..TokenSpec::default() }, random, now) {
                    Ok((token, csrf)) => with_cookies(json!({"login": true}), &|jar| {
                        jar.set(config, token_type, &token, csrf.as_deref(), now);
                    }),
                    Err(_) => failure(),
                }
            }
            "/unset_access" => with_cookies(json!({"x": true}), &|jar| jar.unset(config, TokenType::Access)),
            "/unset_refresh" => with_cookies(json!({"x": true}), &|jar| jar.unset(config, TokenType::Refresh)),
            "/logout" => with_cookies(json!({"logout": true}), &|jar| {
                jar.unset(config, TokenType::Access);
                jar.unset(config, TokenType::Refresh);
            }),
            _ => failure(),
        }
    }
}

fn mint(gate: &Gate, request: &Request, random: &Random, now: Timestamp) -> Answer {
    let body: Value = serde_json::from_str(request.body.as_deref().unwrap_or("{}")).unwrap_or_default();
    let id = match &body["identity"] {
        Value::Null => Id::Text("user1".into()),
        id => match Id::from_json(id) {
            Some(id) => id,
            None => return failure(),
        },
    };
    let fresh = match &body["fresh"] {
        Value::Bool(true) => Freshness::Fresh,
        #[allow(clippy::cast_precision_loss)] // far below 2^53
        Value::Number(span) => Freshness::Until(now.as_millis() as f64 / 1000.0 + span.as_f64().unwrap_or(0.0)),
        _ => Freshness::NotFresh,
    };
    let never = body["exp"] == Value::Bool(false);
    let new = TokenSpec { fresh, expires: never.then_some(None), ..TokenSpec::default() };
    match gate.create_token(&Identity::new(id), new, random, now) {
        Ok((token, _)) => json_of(&json!({"token": token})),
        Err(_) => failure(),
    }
}

fn json_of(body: &Value) -> Answer {
    let sorted: std::collections::BTreeMap<&String, &Value> = body.as_object().into_iter().flatten().collect();
    Answer::json(200, &sorted)
}

/// Where the recorded application broke down, and no gate can help it.
fn failure() -> Answer {
    Answer { status: 500, headers: vec![("content-type".into(), HTML.into())], body: "broken".into() }
}

fn claim<'t>(token: TokenParts<'t>, name: &str) -> &'t Value {
    token.payload.get(name).unwrap_or(&Value::Null)
}

fn is_revoked(token: TokenParts<'_>) -> bool {
    claim(token, "jti") == "11111111-2222-4333-8444-555555555555"
}

struct Blocklist;
impl Loaders for Blocklist {
    fn token_in_blocklist(&self, token: TokenParts<'_>) -> bool {
        is_revoked(token)
    }
}

struct HasRole;
impl Loaders for HasRole {
    fn token_verification(&self, token: TokenParts<'_>) -> bool {
        token.payload.contains_key("role")
    }
}

struct EveryError;

impl EveryError {
    fn answer(status: u16, body: &Value) -> Option<Answer> {
        Some(Answer { status, ..json_of(body) })
    }
}

impl Loaders for EveryError {
    fn token_in_blocklist(&self, token: TokenParts<'_>) -> bool {
        is_revoked(token)
    }
    fn token_verification(&self, token: TokenParts<'_>) -> bool {
        claim(token, "ok") != &Value::Bool(false)
    }
    fn expired_token(&self, token: TokenParts<'_>) -> Option<Answer> {
        Self::answer(441, &json!({"alg": token.header["alg"], "code": "expired", "sub": claim(token, "sub")}))
    }
    fn invalid_token(&self, text: &str) -> Option<Answer> {
        Self::answer(442, &json!({"code": "invalid", "err": text}))
    }
    fn unauthorized(&self, text: &str) -> Option<Answer> {
        Self::answer(443, &json!({"code": "unauthorized", "err": text}))
    }
    fn revoked_token(&self, token: TokenParts<'_>) -> Option<Answer> {
        Self::answer(445, &json!({"code": "revoked", "jti": claim(token, "jti")}))
    }
    fn token_verification_failed(&self, token: TokenParts<'_>) -> Option<Answer> {
        Self::answer(446, &json!({"code": "verification", "sub": claim(token, "sub")}))
    }
    fn user_lookup_error(&self, token: TokenParts<'_>) -> Option<Answer> {
        Self::answer(447, &json!({"code": "user", "sub": claim(token, "sub")}))
    }
}

/// The key of `k2` is not in the transcripts: this is one of our own.
pub const K2: &str = "a second key, of more than thirty-two bytes";

struct KeyById {
    signs: Key,
    verifies: VerifyingKey,
}

impl Default for KeyById {
    fn default() -> Self {
        let key = || Key::symmetric(Algorithm::Hs256, &Secret::new(K2.to_owned()), Some("k2".into()), false);
        let (signs, verifies) = (key().expect("long enough"), key().expect("long enough").into());
        Self { signs, verifies }
    }
}

impl Loaders for KeyById {
    fn encode_key<'k>(&'k self, _identity: &Identity, _config: &'k Config) -> Option<&'k Key> {
        Some(&self.signs)
    }
    fn has_decode_key(&self) -> bool {
        true
    }
    fn decode_key(&self, unverified: TokenParts<'_>) -> Option<&VerifyingKey> {
        (unverified.header.get("kid")? == "k2").then_some(&self.verifies)
    }
}
