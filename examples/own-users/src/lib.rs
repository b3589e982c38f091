//! An application with its own worker: users come from a service at `USERS_URL`, tokens carry the user's role, and a
//! `Router` answers authorized requests.
#![cfg(target_arch = "wasm32")]

use serde::Deserialize;
use tollgate::{
    Config, Credentials, Handlers, Hooks, Id, Identity, Principal, Timestamp, Users, UsersError, VerifiedToken,
    edge::{self, Application, Call},
    json::{Map, Value, json},
};
use worker::{
    Context, Env, Fetch, Headers, Method, Request, RequestInit, Response, Result, Router, event, wasm_bindgen::JsValue,
};

struct Bakery;

/// `jwt_payload_handler`: puts the role into the token, so that no route has to look it up.
impl Handlers for Bakery {
    fn payload(&self, identity: &Identity, config: &Config, now: Timestamp) -> Map<String, Value> {
        let mut claims = tollgate::DefaultHandlers.payload(identity, config, now);
        claims.extend(identity.attributes.clone());
        claims
    }
}

impl Application for Bakery {
    type Users = RemoteUsers;

    fn hooks(&self) -> Hooks {
        Hooks::default().with_handlers(Self)
    }

    fn users(&self, call: &Call) -> RemoteUsers {
        RemoteUsers(call.env())
    }
}

struct RemoteUsers(Env);

/// A user, as the service returns it.
#[derive(Deserialize)]
struct Person {
    id: i64,
    role: String,
}

impl RemoteUsers {
    async fn fetch(&self, path: &str, body: Option<Value>) -> Result<Option<Person>> {
        let url = format!("{}{path}", self.0.var("USERS_URL")?);
        let mut init = RequestInit::new();
        if let Some(body) = body {
            let headers = Headers::new();
            headers.set("content-type", "application/json")?;
            init.with_method(Method::Post).with_headers(headers).with_body(Some(JsValue::from_str(&body.to_string())));
        }
        let mut answer = Fetch::Request(Request::new_with_init(&url, &init)?).send().await?;
        match answer.status_code() {
            200 => Ok(Some(answer.json().await?)),
            401 | 404 => Ok(None),
            status => Err(format!("the users' service says {status}").into()),
        }
    }
}

impl Users for RemoteUsers {
    async fn authenticate(&self, credentials: &Credentials) -> std::result::Result<Option<Identity>, UsersError> {
        let credentials = json!({"name": credentials.username.expose(), "password": credentials.password.expose()});
        self.fetch("/log-in", Some(credentials))
            .await
            .map(|found| found.map(identity))
            .map_err(|_| UsersError::Unavailable)
    }

    async fn identity(&self, token: &VerifiedToken) -> std::result::Result<Option<Identity>, UsersError> {
        let Some(Id::Int(id)) = token.identity() else { return Ok(None) };
        self.fetch(&format!("/people/{id}"), None)
            .await
            .map(|found| found.map(identity))
            .map_err(|_| UsersError::Unavailable)
    }
}

fn identity(person: Person) -> Identity {
    let attributes = Map::from_iter([("role".to_owned(), person.role.into())]);
    Identity { attributes, ..Identity::new(Id::Int(person.id)) }
}

/// The claims of this worker's tokens that the routes read.
#[derive(Deserialize)]
struct Claims {
    identity: i64,
    role: String,
}

#[event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> Result<Response> {
    edge::serve_with(request, env, context, Bakery, async |request, env, _, principal: Principal| {
        Router::with_data(principal)
            .get("/bread", |_, route| match route.data.token().map(|token| token.claims_as::<Claims>()) {
                Some(Ok(claims)) => Response::ok(format!("bread for {}, {}", claims.identity, claims.role)),
                Some(Err(_)) => Response::error("not a token of this bakery", 401),
                None => Response::ok("crumbs for everybody"),
            })
            .run(request, env)
            .await
    })
    .await
}
