//! The gate in front of axum's routes, in workers and on servers.
//!
//! [`GateLayer`] is a layer for `Router::layer`. It answers the gate's endpoints and rejections itself and passes
//! authorized requests to the routes, whatever `to` their rule has, with the [`Principal`] in the request's extensions.
//! Handlers read it with the extractors [`CurrentIdentity`] and [`Claims`].
//!
//! **What always holds:** the routes get only requests that the gate has authorized, without identity headers of the
//! client.

// This module is the host under axum, which provides clock and randomness.
#![allow(clippy::disallowed_methods)]

use crate::{
    accounts::{AccountStore, NoAccounts},
    host::{BodyError, BodyUse, Fetch, FetchError, Fetched, Limit, SendHost, Unavailable},
    rules::{
        account::{Command, Lifetimes, Reply},
        answer::Answer,
        config::Config,
        cookie::Jar,
        cors::{CorsFields, is_replaced},
        dialect::{FlaskJwt, wording},
        forward::{Filter, TARGETED_CACHE_CONTROL},
        gate::{DECISION_TIMEOUT, Decided, Decision, Gate, Principal, Rejected},
        hooks::Hooks,
        identity::Identity,
        ids::ObjectName,
        password::{HashJob, Hashed},
        rejection::{CredentialRejection, InternalRejection, Rejection, TokenRejection, UnavailableRejection},
        request::{Headers, Request},
        revocation::Delta,
        socket::{PROTOCOL_HEADER, SocketFields},
        time::{Duration, Timestamp},
    },
    users::SendUsers,
};
use axum_core::{
    body::Body,
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use base64ct::{Base64UrlUnpadded, Encoding};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, request::Parts};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use std::{
    borrow::Cow,
    convert::Infallible,
    future::Future,
    ops::Deref,
    pin::Pin,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll},
};
use tower_layer::Layer;
use tower_service::Service;

/// Puts a gate in front of a service.
#[derive(Clone)]
pub struct GateLayer<U, A = NoAccounts> {
    gate: Shared,
    users: U,
    accounts: A,
    behind_cloudflare: bool,
}

/// A gate that all requests share: counted on a server, leaked in a worker, where it is used until the instance ends.
#[derive(Clone)]
enum Shared {
    Counted(Arc<Gate>),
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    Static(&'static Gate),
}

impl Deref for Shared {
    type Target = Gate;

    fn deref(&self) -> &Gate {
        match self {
            Self::Counted(gate) => gate,
            #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
            Self::Static(gate) => gate,
        }
    }
}

impl<U: SendUsers + Clone> GateLayer<U> {
    /// A layer with this configuration, these hooks and these users, without sessions.
    pub fn new(config: Config, hooks: impl Into<Hooks>, users: U) -> Self {
        Self {
            gate: Shared::Counted(Arc::new(Gate::new(config, hooks))),
            users,
            accounts: NoAccounts,
            behind_cloudflare: cfg!(all(target_arch = "wasm32", target_os = "unknown")),
        }
    }

    /// Adds sessions: they can be listed and ended, and refresh tokens rotate (docs/sessions.md).
    ///
    /// # Panics
    /// If the configuration was read without sessions, or with rate limiters, which the layer does not have:
    /// `Config::read_with(vars, Bindings { sessions: true, ..Bindings::default() })`.
    #[must_use]
    pub fn with_accounts<A: AccountStore>(self, accounts: A) -> GateLayer<U, A> {
        let bindings = self.gate.config().bindings;
        assert!(
            !bindings.address_limit && !bindings.hashing_limit,
            "the layer has no rate limiters: put them before it"
        );
        assert!(
            bindings.sessions,
            "read the configuration for sessions: Config::read_with(&vars, Bindings {{ sessions: true, ..Default::default() }})"
        );
        let Self { gate, users, behind_cloudflare, .. } = self;
        GateLayer { gate, users, accounts, behind_cloudflare }
    }

    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    pub(crate) fn of(gate: &'static Gate, users: U) -> Self {
        Self {
            gate: Shared::Static(gate),
            users,
            accounts: NoAccounts,
            behind_cloudflare: cfg!(all(target_arch = "wasm32", target_os = "unknown")),
        }
    }
}

impl<U, A> GateLayer<U, A> {
    /// Trusts `CF-Connecting-IP` and Cloudflare's other header fields. Only for a server that can be reached only
    /// through Cloudflare: elsewhere clients can set these fields. Without it, failed log-ins are counted by name only,
    /// not by address too.
    #[must_use]
    pub fn behind_cloudflare(self) -> Self {
        Self { behind_cloudflare: true, ..self }
    }
}

impl<S, U: Clone, A: Clone> Layer<S> for GateLayer<U, A> {
    type Service = Gated<S, U, A>;

    fn layer(&self, inner: S) -> Gated<S, U, A> {
        Gated {
            inner,
            gate: self.gate.clone(),
            users: self.users.clone(),
            accounts: self.accounts.clone(),
            behind_cloudflare: self.behind_cloudflare,
        }
    }
}

/// A service behind a gate.
#[derive(Clone)]
pub struct Gated<S, U, A = NoAccounts> {
    inner: S,
    gate: Shared,
    users: U,
    accounts: A,
    behind_cloudflare: bool,
}

impl<S, U, A> Service<http::Request<Body>> for Gated<S, U, A>
where
    S: Service<http::Request<Body>, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    U: SendUsers + Clone + Send + Sync + 'static,
    A: AccountStore,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        // `self.inner` is ready (`poll_ready`), its clone may not be: call the former, keep the latter.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let (gate, users, accounts) = (self.gate.clone(), self.users.clone(), self.accounts.clone());
        let behind_cloudflare = self.behind_cloudflare;
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            let host = AxumHost::new(body, accounts, gate.config().store_timeout);
            let fields = Fields { headers: &parts.headers, behind_cloudflare };
            let cors = gate.cors(&view(&parts, &fields));
            let socket_fields = gate.socket_fields(&view(&parts, &fields));
            let decided = gate.decide(&view(&parts, &fields), now());
            let answer = |answer: Answer| {
                Ok(response(match &cors {
                    Some(cors) => answer.with_cors(cors),
                    None => answer,
                }))
            };
            let decision = match decided {
                Decided::Now(decision) => decision,
                Decided::Later(continuation) => {
                    let resumed = Box::pin(gate.resume(continuation, &host, &users));
                    in_time(DECISION_TIMEOUT, resumed).await.unwrap_or_else(|_| {
                        Decision::Reject(Rejected::new(
                            Rejection::Unavailable(UnavailableRejection::DecisionTimeout),
                            None,
                        ))
                    })
                }
            };
            let authorized = match decision {
                Decision::Reject(rejected) => return answer(gate.answer_to(&rejected)),
                Decision::Answer(answered) => return answer(answered.answer),
                Decision::Identity(authorized) => return answer(gate.identity(&authorized)),
                Decision::Forward(authorized) | Decision::Assets(authorized) | Decision::Inner(authorized) => {
                    authorized
                }
            };
            clean(&mut parts.headers, gate.config());
            if let Some(fields) = socket_fields {
                without_socket_token(&mut parts.headers, &fields);
            }
            let renewal = authorized.renewal().clone();
            parts.extensions.insert(Arc::new(authorized.into_principal()));
            let mut response = inner.call(http::Request::from_parts(parts, host.into_body())).await?;
            renew(response.headers_mut(), &renewal);
            if let Some(cors) = &cors {
                dress(response.headers_mut(), cors);
            }
            Ok(response)
        })
    }
}

/// The host of a request under axum.
struct AxumHost<A> {
    /// The body for the routes: the original one, or the bytes that were read from it.
    body: Mutex<Body>,
    accounts: A,
    /// `TOLLGATE_STORE_TIMEOUT`.
    timeout: Duration,
    /// Prefix of the ids of this request's commands.
    id: OnceLock<String>,
    commands: AtomicU32,
}

impl<A> AxumHost<A> {
    fn new(body: Body, accounts: A, timeout: Duration) -> Self {
        Self { body: Mutex::new(body), accounts, timeout, id: OnceLock::new(), commands: AtomicU32::new(0) }
    }

    fn into_body(self) -> Body {
        self.body.into_inner().unwrap_or_default()
    }
}

impl<A: AccountStore> SendHost for AxumHost<A> {
    fn now(&self) -> Timestamp {
        now()
    }

    fn random(&self, bytes: &mut [u8]) {
        fill(bytes);
    }

    async fn read_body(&self, _: BodyUse, limit: usize) -> Result<Vec<u8>, BodyError> {
        let body = self.body.lock().map(|mut body| std::mem::take(&mut *body)).map_err(|_| BodyError::Interrupted)?;
        let whole = match Limited::new(body, limit).collect().await {
            Ok(whole) => whole.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => return Err(BodyError::TooLarge { limit }),
            Err(_) => return Err(BodyError::Interrupted),
        };
        let bytes = whole.to_vec();
        if let Ok(mut body) = self.body.lock() {
            *body = Body::from(whole);
        }
        Ok(bytes)
    }

    /// Always `true`: there are no limiters here, so a rule with `rate` is a problem of the configuration. Put limiters
    /// in front of the layer.
    async fn within_limit(&self, _: Limit<'_>, _: &str) -> bool {
        true
    }

    async fn account(
        &self,
        object: &ObjectName,
        command: Command,
        lifetimes: &Lifetimes,
    ) -> Result<Reply, Unavailable> {
        let number = self.commands.fetch_add(1, Ordering::Relaxed);
        let id = format!("{}-{number}", self.id.get_or_init(new_id));
        in_time(self.timeout, self.accounts.account(object, &id, command, lifetimes, now())).await?
    }

    async fn revocations(&self, since: u64) -> Result<Delta, Unavailable> {
        in_time(self.timeout, self.accounts.revocations(since, now())).await?
    }

    async fn hash_password(&self, job: HashJob) -> Result<Hashed, Unavailable> {
        hash_password(job).await
    }

    /// Always fails: no protocol that the layer offers fetches from another server.
    async fn fetch(&self, _: Fetch) -> Result<Fetched, FetchError> {
        Err(FetchError::Unreachable)
    }

    async fn sleep(&self, duration: Duration) {
        sleep(duration).await;
    }
}

/// Runs a [`HashJob`] without blocking other requests, on tokio's threads for blocking work; without a tokio runtime,
/// on the calling thread. For an application's own [`SendUsers`].
///
/// # Errors
/// If the job did not finish, as when the runtime shuts down.
pub async fn hash_password(job: HashJob) -> Result<Hashed, Unavailable> {
    #[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        return runtime.spawn_blocking(move || job.run()).await.map_err(|_| Unavailable);
    }
    Ok(job.run())
}

fn new_id() -> String {
    let mut id = [0; 16];
    fill(&mut id);
    Base64UrlUnpadded::encode_string(&id)
}

fn standard(duration: Duration) -> std::time::Duration {
    std::time::Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or_default())
}

/// Waits for `future`, but no longer than `timeout` if there is a tokio runtime (with its timer). Without one there is
/// no timeout.
async fn in_time<T>(timeout: Duration, future: impl Future<Output = T>) -> Result<T, Unavailable> {
    #[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
    if tokio::runtime::Handle::try_current().is_ok() {
        return tokio::time::timeout(standard(timeout), future).await.map_err(|_| Unavailable);
    }
    let _ = timeout;
    Ok(future.await)
}

async fn sleep(duration: Duration) {
    let duration = standard(duration);
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    worker::send::SendFuture::new(worker::Delay::from(duration)).await;
    #[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
    match tokio::runtime::Handle::try_current() {
        Ok(_) => tokio::time::sleep(duration).await,
        // Without tokio there is no timer, so the thread is blocked.
        Err(_) => std::thread::sleep(duration),
    }
}

fn view<'r>(parts: &'r Parts, headers: &'r Fields<'r>) -> Request<'r> {
    let host = parts.headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
    let site = host.or(parts.uri.authority().map(http::uri::Authority::as_str)).unwrap_or_default();
    Request { method: parts.method.as_str(), site, path: parts.uri.path(), query: parts.uri.query(), headers }
}

/// The header fields of a request that are trusted.
struct Fields<'r> {
    headers: &'r HeaderMap,
    behind_cloudflare: bool,
}

impl Headers for Fields<'_> {
    /// Hides Cloudflare's fields unless Cloudflare is in front: a client could set them.
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        if name.starts_with("cf-") && !self.behind_cloudflare { None } else { Headers::get(self.headers, name) }
    }
}

fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the system has randomness");
}

impl Headers for HeaderMap {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let values: Vec<String> = self.get_all(name).iter().map(text).collect();
        (!values.is_empty()).then(|| values.join(", ").into())
    }
}

/// Removes the header fields that only the gate may set.
fn clean(headers: &mut HeaderMap, config: &Config) {
    let filter = Filter::for_tokens(config);
    let is_the_gates = |name: &&HeaderName| Filter::is_the_gates(name.as_str()) || filter.is_configured(name.as_str());
    let names: Vec<HeaderName> = headers.keys().filter(is_the_gates).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

/// Removes the token from the subprotocols of a handshake, and the cookies of one from a foreign page.
fn without_socket_token(headers: &mut HeaderMap, fields: &SocketFields) {
    match HeaderValue::from_str(&fields.protocols) {
        Ok(others) if !fields.protocols.is_empty() => drop(headers.insert(PROTOCOL_HEADER, others)),
        _ => drop(headers.remove(PROTOCOL_HEADER)),
    }
    if !fields.has_cookies {
        headers.remove(http::header::COOKIE);
    }
}

/// Adds the cookies of a new token, unless the application sets or removes one of them itself.
fn renew(headers: &mut HeaderMap, renewal: &Jar) {
    let theirs = headers.get_all(http::header::SET_COOKIE).iter().filter_map(|cookie| cookie.to_str().ok());
    if renewal.is_empty() || renewal.is_among(theirs) {
        return;
    }
    for cookie in renewal.iter().filter_map(|cookie| HeaderValue::from_str(cookie).ok()) {
        headers.append(http::header::SET_COOKIE, cookie);
    }
    headers.insert(http::header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for targeted in TARGETED_CACHE_CONTROL {
        headers.remove(targeted);
    }
}

/// Puts what CORS says in place of what the application says.
fn dress(headers: &mut HeaderMap, cors: &CorsFields) {
    let names: Vec<HeaderName> = headers.keys().filter(|name| is_replaced(name.as_str())).cloned().collect();
    for name in names {
        headers.remove(name);
    }
    for (name, value) in cors.iter() {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.append(name, value);
        }
    }
}

fn response(answer: Answer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in answer.headers {
        // A value of the application that is invalid in a header is left out, so that the answer does not fail.
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(&value)) {
            response.headers_mut().append(name, value);
        }
    }
    response
}

fn now() -> Timestamp {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    let millis = js_sys::Date::now();
    #[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
    let millis = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64() * 1000.0);
    #[allow(clippy::cast_possible_truncation)] // whole milliseconds, far below 2^53
    Timestamp::from_millis(millis as i64)
}

/// Extracts the identity: Flask-JWT's `current_identity`. Without a token (`auth = "optional"` or `"none"`) it rejects
/// the request with 401, so that a route stays closed if its rule is missing; `Option<CurrentIdentity>` is `None`
/// instead.
#[derive(Clone, Debug)]
pub struct CurrentIdentity(pub Identity);

/// Extracts the token's claims, deserialised to `T`. Rejects the request with 401 if there is no token or its claims do
/// not deserialise.
#[derive(Clone, Debug)]
pub struct Claims<T>(pub T);

/// The rejection of an extractor.
#[derive(Debug)]
pub struct ExtractorRejection(Rejection);

impl IntoResponse for ExtractorRejection {
    fn into_response(self) -> Response {
        response(wording::rejection(&self.0, &FlaskJwt))
    }
}

fn principal(parts: &Parts) -> Result<&Principal, ExtractorRejection> {
    parts
        .extensions
        .get::<Arc<Principal>>()
        .map(AsRef::as_ref)
        .ok_or(ExtractorRejection(Rejection::Internal(InternalRejection::Misconfigured)))
}

fn missing() -> ExtractorRejection {
    ExtractorRejection(Rejection::Credential(CredentialRejection::Missing { realm: "Login Required".into() }))
}

impl<S: Sync> FromRequestParts<S> for CurrentIdentity {
    type Rejection = ExtractorRejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ExtractorRejection> {
        principal(parts)?.identity().cloned().map(Self).ok_or_else(missing)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for CurrentIdentity {
    type Rejection = ExtractorRejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Option<Self>, ExtractorRejection> {
        Ok(principal(parts)?.identity().cloned().map(Self))
    }
}

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Claims<T> {
    type Rejection = ExtractorRejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ExtractorRejection> {
        let token = principal(parts)?.token().ok_or_else(missing)?;
        token
            .claims_as()
            .map(Self)
            .map_err(|_| ExtractorRejection(Rejection::Token(TokenRejection::InvalidClaimFormat)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::json::{Value, json};

    #[test]
    fn a_token_in_a_subprotocol_stays_behind_and_so_do_a_foreign_pages_cookies() {
        let Value::Object(vars) = json!({
            "JWT_SECRET_KEY": "a secret of more than thirty-two bytes", "TOLLGATE_WEBSOCKET_PROTOCOL": "bearer",
            "TOLLGATE_PUBLIC_URL": "https://app.example.com",
        }) else {
            unreachable!()
        };
        let gate = Gate::new(Config::read(&vars).config.unwrap(), Hooks::default());
        for (page, protocols, others, has_cookies) in [
            ("https://app.example.com", "bearer, a.b.c", None, true),
            ("https://app.example.com", "chat.v1, bearer, a.b.c", Some("chat.v1"), true),
            ("https://evil.example", "bearer, a.b.c", None, false),
            ("https://evil.example", "chat.v1", Some("chat.v1"), true),
        ] {
            let request = http::Request::builder()
                .uri("https://app.example.com/live")
                .header("upgrade", "websocket")
                .header("origin", page)
                .header("cookie", "session=1")
                .header(PROTOCOL_HEADER, protocols)
                .body(())
                .unwrap();
            let (mut parts, ()) = request.into_parts();
            let fields = Fields { headers: &parts.headers, behind_cloudflare: false };
            let socket_fields = gate.socket_fields(&view(&parts, &fields));
            if let Some(fields) = socket_fields {
                without_socket_token(&mut parts.headers, &fields);
            }
            let of = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
            assert_eq!((of(PROTOCOL_HEADER), of("cookie").is_some()), (others, has_cookies), "{page} {protocols}");
        }
    }
}
