//! A server behind the gate: it answers only requests whose assertion (docs/gateway.md#proof-for-the-origin) it has
//! verified, so it makes no difference who else can reach it.
//!
//! `GATE_URL` is the gate's TOLLGATE_PUBLIC_URL; in ORIGINS this server is named "axum". `JWKS_URL` is set if the
//! gate's keys are fetched from another address than clients use, `PORT` if it is not 5002.

use axum::{
    Extension, Json, Router,
    extract::{Request, State},
    http::StatusCode,
    middleware::{self, Next},
    response::Response,
    routing::get,
};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, jwk::JwkSet};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    env, io,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{net::TcpListener, sync::Mutex, task};

/// A key with an unknown `kid` is looked for at most this often: any client can write one.
const COOLDOWN: Duration = Duration::from_secs(30);
/// Keys are fetched again after this time, since the gate may have removed one.
const MAX_AGE: Duration = Duration::from_secs(300);

/// The gate, as this server knows it.
struct Gate {
    issuer: String,
    keys_url: String,
    /// Its public keys, and when they were fetched.
    keys: Mutex<Option<(JwkSet, Instant)>>,
}

/// The claims of an assertion that are used here.
#[derive(Clone, Deserialize)]
struct Claims {
    /// The user; `None` for a request without one.
    sub: Option<String>,
}

// docs/gateway.md: begin
/// What an assertion says. `None` unless it is this gate's, for this origin, and not expired.
async fn verified(gate: &Gate, assertion: &str) -> Option<Claims> {
    let header = decode_header(assertion).ok()?;
    let key = gate.key(&header.kid?).await?;
    let mut expected = Validation::new(Algorithm::ES256);
    expected.set_required_spec_claims(&["exp", "iss", "aud"]);
    expected.set_issuer(&[&gate.issuer]);
    expected.set_audience(&["axum"]); // this origin's name in ORIGINS
    expected.leeway = 5; // seconds between the clocks; 60 by default
    let token = decode::<Claims>(assertion, &key, &expected).ok()?;
    (token.header.typ.as_deref() == Some("tollgate+jwt")).then_some(token.claims)
}

/// Before all routes: 401 without a good assertion. Handlers get its claims.
async fn verify(State(gate): State<Arc<Gate>>, mut request: Request, next: Next) -> Result<Response, StatusCode> {
    let field = request.headers().get("x-auth-assertion").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let claims = verified(&gate, field).await.ok_or(StatusCode::UNAUTHORIZED)?;
    request.extensions_mut().insert(claims);
    Ok(next.run(request).await)
}
// docs/gateway.md: end

impl Gate {
    /// The public key of this `kid`. `None` if the gate has none, or does not answer.
    async fn key(&self, kid: &str) -> Option<DecodingKey> {
        let mut keys = self.keys.lock().await;
        let is_due = keys.as_ref().is_none_or(|(set, fetched)| {
            let age = fetched.elapsed();
            age > MAX_AGE || (age > COOLDOWN && set.find(kid).is_none())
        });
        if is_due {
            *keys = Some((fetch(self.keys_url.clone()).await?, Instant::now()));
        }
        DecodingKey::from_jwk(keys.as_ref()?.0.find(kid)?).ok()
    }
}

/// A JWK Set. `None`, and a line in the log, if it can't be had.
async fn fetch(url: String) -> Option<JwkSet> {
    let get = move || -> Result<JwkSet, Box<dyn std::error::Error + Send + Sync>> {
        let request = ureq::get(&url).config().timeout_global(Some(Duration::from_secs(5))).build();
        Ok(serde_json::from_str(&request.call()?.body_mut().read_to_string()?)?)
    };
    let fetched = task::spawn_blocking(get).await.map_err(Into::into).and_then(|set| set);
    fetched.inspect_err(|error| eprintln!("The gate's keys can't be fetched: {error}")).ok()
}

/// Who the caller is.
async fn me(Extension(claims): Extension<Claims>) -> Result<Json<Value>, StatusCode> {
    let user = claims.sub.ok_or(StatusCode::UNAUTHORIZED)?;
    Ok(Json(json!({ "user": user })))
}

/// Under a rule with `auth = "none"`: for requests without a user too.
async fn health(Extension(claims): Extension<Claims>) -> Json<Value> {
    Json(json!({ "ok": true, "user": claims.sub }))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let variable = |name, default| env::var(name).unwrap_or(default);
    let issuer = variable("GATE_URL", "http://127.0.0.1:8787".into());
    let keys_url = variable("JWKS_URL", format!("{issuer}/.well-known/assertion-jwks.json"));
    // A gate that does not answer yet is asked again at the first request.
    let keys = fetch(keys_url.clone()).await.map(|set| (set, Instant::now()));
    let gate = Arc::new(Gate { issuer, keys_url, keys: Mutex::new(keys) });
    let routes = Router::new().route("/me", get(me)).route("/health", get(health));
    let listener = TcpListener::bind(format!("127.0.0.1:{}", variable("PORT", "5002".into()))).await?;
    println!("The server listens on http://{}", listener.local_addr()?);
    axum::serve(listener, routes.layer(middleware::from_fn_with_state(gate, verify))).await
}
