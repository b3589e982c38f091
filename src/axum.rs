//! The gate before axum's routes, on workers and on any other server.
//!
//! [`GateLayer`] is a layer for `Router::layer`: it answers log-ins and refusals itself, and hands on what the gate
//! lets through, whatever `to` its rule has, with the reason in the request's extensions. Handlers read it with the
//! extractors [`CurrentIdentity`] and [`Claims`].
//!
//! **What always holds:** what is handed on was let through by the gate; identity headers that a client sent do not
//! arrive.

// The host under axum: clock and randomness are its own.
#![allow(clippy::disallowed_methods)]

use crate::{
    rules::{
        config::Config,
        forward::Filter,
        gate::{Ask, BodyFault, Decision, Gate, Principal},
        handlers::Handlers,
        identity::Identity,
        rejection::Rejection,
        request::{Headers, Request},
        time::Timestamp,
        token::Random,
        wire::{Answer, flask_jwt},
    },
    users::{NoObjects, SendUsers, answer},
};
use axum_core::{
    body::Body,
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, request::Parts};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use std::{
    borrow::Cow,
    convert::Infallible,
    future::Future,
    ops::Deref,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tower_layer::Layer;
use tower_service::Service;

/// Puts a gate before a service.
#[derive(Clone)]
pub struct GateLayer<U> {
    gate: Shared,
    users: U,
}

/// A gate that all requests share: counted on a server, for as long as the instance lives in a worker.
#[derive(Clone)]
enum Shared {
    Counted(Arc<Gate>),
    #[cfg(target_arch = "wasm32")]
    Static(&'static Gate),
}

impl Deref for Shared {
    type Target = Gate;

    fn deref(&self) -> &Gate {
        match self {
            Self::Counted(gate) => gate,
            #[cfg(target_arch = "wasm32")]
            Self::Static(gate) => gate,
        }
    }
}

impl<U: SendUsers + Clone> GateLayer<U> {
    /// A layer of a configuration, hooks and users.
    pub fn new(config: Config, handlers: impl Handlers, users: U) -> Self {
        Self { gate: Shared::Counted(Arc::new(Gate::new(config, handlers))), users }
    }

    #[cfg(target_arch = "wasm32")]
    pub(crate) fn of(gate: &'static Gate, users: U) -> Self {
        Self { gate: Shared::Static(gate), users }
    }
}

impl<S, U: Clone> Layer<S> for GateLayer<U> {
    type Service = Gated<S, U>;

    fn layer(&self, inner: S) -> Gated<S, U> {
        Gated { inner, gate: self.gate.clone(), users: self.users.clone() }
    }
}

/// A service behind a gate.
#[derive(Clone)]
pub struct Gated<S, U> {
    inner: S,
    gate: Shared,
    users: U,
}

impl<S, U> Service<http::Request<Body>> for Gated<S, U>
where
    S: Service<http::Request<Body>, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    U: SendUsers + Clone + Send + Sync + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        // The one that is ready is called; its copy waits for the next request.
        let copy = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, copy);
        let (gate, users) = (self.gate.clone(), self.users.clone());
        Box::pin(async move {
            let (mut parts, mut body) = request.into_parts();
            let mut decision = gate.decide(&view(&parts), now());
            loop {
                let passage = match decision {
                    Decision::Refuse(refused) => return Ok(response(gate.answer_to(&refused))),
                    Decision::Answer(answered) => return Ok(response(answered.answer)),
                    Decision::Identity(passage) => return Ok(response(gate.identity(&passage))),
                    Decision::Forward(passage) | Decision::Assets(passage) | Decision::Inner(passage) => passage,
                    Decision::Ask(ask) => {
                        let is_read = matches!(ask, Ask::Body(_) | Ask::TokenBody(_));
                        let whole = if is_read { std::mem::take(&mut body) } else { Body::empty() };
                        let mut kept = Bytes::new();
                        let read = async |limit| {
                            kept = read(whole, limit).await?;
                            Ok(kept.to_vec())
                        };
                        decision = answer(ask, || view(&parts), &users, &NoObjects, read, random, now).await;
                        if is_read {
                            body = Body::from(kept);
                        }
                        continue;
                    }
                };
                clean(&mut parts.headers);
                let renewal = passage.renewal().clone();
                parts.extensions.insert(Arc::new(passage.into_principal()));
                let mut response = inner.call(http::Request::from_parts(parts, body)).await?;
                for cookie in renewal.iter().filter_map(|cookie| HeaderValue::from_str(cookie).ok()) {
                    response.headers_mut().append(http::header::SET_COOKIE, cookie);
                }
                return Ok(response);
            }
        })
    }
}

fn view(parts: &Parts) -> Request<'_> {
    let host = parts.headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
    let site = host.or(parts.uri.authority().map(http::uri::Authority::as_str)).unwrap_or_default();
    Request {
        method: parts.method.as_str(),
        site,
        path: parts.uri.path(),
        query: parts.uri.query(),
        headers: &parts.headers,
    }
}

fn random() -> Random {
    let mut bytes = [0; 96];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    bytes
}

impl Headers for HeaderMap {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let values: Vec<String> = self.get_all(name).iter().map(text).collect();
        (!values.is_empty()).then(|| values.join(", ").into())
    }
}

async fn read(body: Body, limit: usize) -> Result<Bytes, BodyFault> {
    match Limited::new(body, limit).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(BodyFault::TooLarge { limit }),
        Err(_) => Err(BodyFault::Interrupted),
    }
}

/// Takes away what only the gate may say.
fn clean(headers: &mut HeaderMap) {
    let names: Vec<HeaderName> = headers.keys().filter(|name| Filter::is_the_gates(name.as_str())).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

fn response(answer: Answer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in answer.headers {
        // A value that no header can carry (an embedder's own) is left out rather than let the answer fail.
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(&value)) {
            response.headers_mut().append(name, value);
        }
    }
    response
}

fn now() -> Timestamp {
    #[cfg(target_arch = "wasm32")]
    let millis = js_sys::Date::now();
    #[cfg(not(target_arch = "wasm32"))]
    let millis = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64() * 1000.0);
    #[allow(clippy::cast_possible_truncation)] // whole milliseconds, far below 2^53
    Timestamp::from_millis(millis as i64)
}

/// Extracts who it is: Flask-JWT's `current_identity`. Without a token (`auth = "optional"` or `"none"`) it refuses
/// with 401, so that a route that forgets its rule stays shut; `Option<CurrentIdentity>` is then `None`.
#[derive(Clone, Debug)]
pub struct CurrentIdentity(pub Identity);

/// Extracts the token's claims as a type of one's own. Claims of another form are refused with 401.
#[derive(Clone, Debug)]
pub struct Claims<T>(pub T);

/// A refusal of an extractor.
#[derive(Debug)]
pub struct ExtractorRejection(Rejection);

impl IntoResponse for ExtractorRejection {
    fn into_response(self) -> Response {
        response(flask_jwt::rejection(&self.0))
    }
}

fn principal(parts: &Parts) -> Result<&Principal, ExtractorRejection> {
    parts.extensions.get::<Arc<Principal>>().map(AsRef::as_ref).ok_or(ExtractorRejection(Rejection::Misconfigured))
}

fn missing() -> ExtractorRejection {
    ExtractorRejection(Rejection::MissingToken { realm: "Login Required".into() })
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
        token.claims_as().map(Self).map_err(|_| ExtractorRejection(Rejection::InvalidClaimFormat))
    }
}
