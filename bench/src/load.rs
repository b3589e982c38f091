//! The load: requests on kept connections, one after the other on each, every answer checked.

use crate::{process::Meter, server::Server, tokens::Supply};
use anyhow::{Context, Result, anyhow, bail};
use bytes::Bytes;
use hdrhistogram::Histogram;
use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Method, Request, StatusCode, Uri, Version,
    client::conn::http1::{SendRequest, handshake},
    header,
};
use hyper_util::rt::TokioIo;
use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};
use tokio::{net::TcpStream, task::LocalSet};

/// How many connections a load has.
pub const CONNECTIONS: usize = 16;

/// What is asked for.
#[derive(Clone)]
pub struct Load {
    /// The method; GET has no body.
    pub method: Method,
    /// Path and query.
    pub path: Uri,
    /// The body, JSON.
    pub body: Bytes,
    /// The tokens.
    pub tokens: Supply,
    /// The status that every answer must have.
    pub expected: u16,
    /// How many requests are under way at once.
    pub connections: usize,
    /// When it is over. It is over as well when tokens are used up.
    pub end: End,
}

/// When a load is over.
#[derive(Clone, Copy)]
pub enum End {
    /// After a time.
    After(Duration),
    /// After so many requests.
    Requests(usize),
}

/// What a load came to.
pub struct Measured {
    /// Answers.
    pub requests: usize,
    /// How long it took.
    pub elapsed: Duration,
    /// What the server used meanwhile.
    pub cpu: Duration,
    /// Microseconds from the request to the end of its answer.
    pub latency: Histogram<u64>,
}

impl Measured {
    /// Microseconds of CPU time a request.
    pub fn cpu_us(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.requests as f64
    }

    /// Requests a second.
    pub fn per_second(&self) -> f64 {
        self.requests as f64 / self.elapsed.as_secs_f64()
    }

    /// This quantile of the latency, in milliseconds.
    pub fn milliseconds(&self, quantile: f64) -> f64 {
        self.latency.value_at_quantile(quantile) as f64 / 1e3
    }
}

struct State {
    load: Load,
    host: header::HeaderValue,
    address: SocketAddr,
    started: Cell<usize>,
    deadline: Cell<Option<Instant>>,
    answered: Cell<usize>,
    latency: RefCell<Histogram<u64>>,
}

/// Puts a load on a server; blocks until it is over. `ready` is called when all connections stand.
///
/// # Errors
/// The first answer with another status, or a connection that fails.
pub fn run(load: &Load, server: &Server, ready: impl FnOnce()) -> Result<Measured> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let measured = LocalSet::new().block_on(&runtime, put(load, server.address, &server.meter, ready));
    measured.with_context(|| format!("{} {}; the server's last words:{}", load.method, load.path, server.output()))
}

async fn put(load: &Load, address: SocketAddr, meter: &Meter, ready: impl FnOnce()) -> Result<Measured> {
    let state = Rc::new(State {
        load: load.clone(),
        host: address.to_string().try_into()?,
        address,
        started: Cell::new(0),
        deadline: Cell::new(None),
        answered: Cell::new(0),
        latency: RefCell::new(Histogram::new_with_bounds(1, 60_000_000, 3)?),
    });
    let mut senders = Vec::new();
    for _ in 0..load.connections {
        senders.push(connect(address).await);
    }
    // Also if there is nothing to begin with: another load may wait for this one.
    ready();
    let senders = senders.into_iter().collect::<Result<Vec<_>>>()?;
    let (began, cpu) = (Instant::now(), meter.cpu());
    if let End::After(time) = load.end {
        state.deadline.set(Some(began + time));
    }
    let connections: Vec<_> =
        senders.into_iter().map(|sender| tokio::task::spawn_local(connection(sender, Rc::clone(&state)))).collect();
    for connection in connections {
        connection.await??;
    }
    let (elapsed, cpu) = (began.elapsed(), meter.cpu().saturating_sub(cpu));
    let requests = state.answered.get();
    if requests == 0 {
        bail!("not one answer");
    }
    let latency = state.latency.borrow().clone();
    Ok(Measured { requests, elapsed, cpu, latency })
}

async fn connect(address: SocketAddr) -> Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await.context("connecting")?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::task::spawn_local(async { drop(connection.await) });
    Ok(sender)
}

async fn connection(mut sender: SendRequest<Full<Bytes>>, state: Rc<State>) -> Result<()> {
    let expected = StatusCode::from_u16(state.load.expected)?;
    while let Some(request) = state.next() {
        if sender.ready().await.is_err() {
            // The server closed it between two requests, as it may.
            sender = connect(state.address).await?;
        }
        let began = Instant::now();
        let answer = sender.send_request(request).await?;
        let (status, mut body) = (answer.status(), answer.into_body());
        if status != expected {
            let body = body.collect().await?.to_bytes();
            let start = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
            return Err(anyhow!("answered {status} where {expected} is right: {start}"));
        }
        while let Some(frame) = body.frame().await {
            frame?;
        }
        let microseconds = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        state.latency.borrow_mut().saturating_record(microseconds);
        state.answered.set(state.answered.get() + 1);
    }
    Ok(())
}

impl State {
    fn next(&self) -> Option<Request<Full<Bytes>>> {
        let number = self.started.get();
        if self.deadline.get().is_some_and(|deadline| Instant::now() >= deadline)
            || matches!(self.load.end, End::Requests(count) if number >= count)
        {
            return None;
        }
        let token = self.load.tokens.get(number).ok()?;
        self.started.set(number + 1);
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(header::HOST, self.host.clone());
        if let Some(token) = token {
            headers.insert(header::AUTHORIZATION, token.clone());
        }
        if !self.load.body.is_empty() {
            headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
        }
        let mut request = Request::new(Full::new(self.load.body.clone()));
        *request.method_mut() = self.load.method.clone();
        *request.uri_mut() = self.load.path.clone();
        *request.version_mut() = Version::HTTP_11;
        *request.headers_mut() = headers;
        Some(request)
    }
}
