//! The load: requests on kept connections, one after the other on each, every answer checked.

use crate::{
    process::Meter,
    server::Server,
    tokens::{Supply, Wheel},
};
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
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{net::TcpStream, task::LocalSet};

/// How many connections a load has.
pub const CONNECTIONS: usize = 16;

/// What is asked for.
#[derive(Clone, Default)]
pub struct Load {
    /// The method; GET has no body.
    pub method: Method,
    /// Path and query.
    pub path: Uri,
    /// Does each request's number stand behind it?
    pub is_numbered: bool,
    /// The body, JSON.
    pub body: Bytes,
    /// The tokens.
    pub tokens: Supply,
    /// In place of them, the refresh tokens of sessions: an answer has the next one of its session.
    pub sessions: Option<Wheel>,
    /// Whom a request comes from.
    pub client: Client,
    /// The status that every answer must have.
    pub expected: u16,
    /// One that some may have.
    pub also: Option<u16>,
    /// How many requests are under way at once.
    pub connections: usize,
    /// When it is over. It is over as well when tokens are used up.
    pub end: End,
}

/// Whom requests come from, as Cloudflare tells it: `cf-connecting-ip`.
#[derive(Clone, Copy, Default)]
pub enum Client {
    /// It is not told.
    #[default]
    Untold,
    /// Always the same.
    One(&'static str),
    /// Each from another address, of one in a network of its own.
    Many,
}

/// When a load is over.
#[derive(Clone)]
pub enum End {
    /// After a time.
    After(Duration),
    /// After so many requests.
    Requests(usize),
    /// When this is set.
    When(Arc<AtomicBool>),
}

impl Default for End {
    fn default() -> Self {
        Self::Requests(1)
    }
}

/// What a load came to.
pub struct Measured {
    /// Answers.
    pub requests: usize,
    /// Of these, those with [`Load::also`].
    pub also: usize,
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
    also: Cell<usize>,
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
        also: Cell::new(0),
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
    Ok(Measured { requests, also: state.also.get(), elapsed, cpu, latency })
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
    let also = state.load.also.map(StatusCode::from_u16).transpose()?;
    while let Some((request, token)) = state.next()? {
        if sender.ready().await.is_err() {
            // The server closed it between two requests, as it may.
            sender = connect(state.address).await?;
        }
        let began = Instant::now();
        let answer = sender.send_request(request).await?;
        let (status, mut body) = (answer.status(), answer.into_body());
        let is_also = also == Some(status);
        if status != expected && !is_also {
            let body = body.collect().await?.to_bytes();
            let start = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
            return Err(anyhow!("answered {status} where {expected} is right: {start}"));
        }
        match (&state.load.sessions, token) {
            (Some(sessions), Some(token)) => sessions.put(token, &body.collect().await?.to_bytes())?,
            _ => {
                while let Some(frame) = body.frame().await {
                    frame?;
                }
            }
        }
        let microseconds = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        state.latency.borrow_mut().saturating_record(microseconds);
        state.answered.set(state.answered.get() + 1);
        state.also.set(state.also.get() + usize::from(is_also));
    }
    Ok(())
}

impl State {
    /// A request, and the session's token if it has one; `None` if it is over.
    fn next(&self) -> Result<Option<Next>> {
        let number = self.started.get();
        let is_over = match &self.load.end {
            End::After(_) => self.deadline.get().is_some_and(|deadline| Instant::now() >= deadline),
            End::Requests(count) => number >= *count,
            End::When(told) => told.load(Ordering::Relaxed),
        };
        if is_over {
            return Ok(None);
        }
        let mut headers = HeaderMap::with_capacity(5);
        headers.insert(header::HOST, self.host.clone());
        let token = self.load.sessions.as_ref().map(Wheel::take).transpose()?;
        if let Some(token) = &token {
            headers.insert(header::AUTHORIZATION, token.clone());
        } else {
            match self.load.tokens.get(number) {
                Ok(Some(token)) => drop(headers.insert(header::AUTHORIZATION, token.clone())),
                Ok(None) => {}
                Err(_) => return Ok(None),
            }
        }
        self.started.set(number + 1);
        match self.load.client {
            Client::Untold => {}
            Client::One(address) => drop(headers.insert(CLIENT, header::HeaderValue::from_static(address))),
            Client::Many => drop(headers.insert(CLIENT, address(number).try_into()?)),
        }
        if !self.load.body.is_empty() {
            headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
        }
        let mut request = Request::new(Full::new(self.load.body.clone()));
        *request.method_mut() = self.load.method.clone();
        *request.uri_mut() = match self.load.is_numbered {
            true => format!("{}{number}", self.load.path).parse()?,
            false => self.load.path.clone(),
        };
        *request.version_mut() = Version::HTTP_11;
        *request.headers_mut() = headers;
        Ok(Some((request, token)))
    }
}

type Next = (Request<Full<Bytes>>, Option<header::HeaderValue>);

const CLIENT: &str = "cf-connecting-ip";

/// One of 65,536 networks, as one customer has (2001:db8::/32 is for examples).
fn address(number: usize) -> String {
    format!("2001:db8:{:x}:{:x}::1", (number >> 8) & 0xff, number & 0xff)
}

/// Sends something once, and gives the answer.
///
/// # Errors
/// If it can't be sent, or the answer is not a good one.
pub fn post(address: SocketAddr, path: &str, body: impl Into<Bytes>) -> Result<Bytes> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let request = Request::post(path)
        .header(header::HOST, address.to_string())
        .body(Full::new(body.into()))
        .context(path.to_owned())?;
    LocalSet::new().block_on(&runtime, async {
        let answer = connect(address).await?.send_request(request).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        if !status.is_success() {
            bail!("{path} answered {status}: {}", String::from_utf8_lossy(&body[..body.len().min(500)]));
        }
        Ok(body)
    })
}

#[cfg(test)]
mod tests {
    use super::address;
    use std::{collections::HashSet, net::Ipv6Addr};

    #[test]
    fn addresses_are_in_networks_of_their_own() {
        let networks: HashSet<[u16; 4]> = (0..5000)
            .map(|number| {
                let [a, b, c, d, ..] = address(number).parse::<Ipv6Addr>().expect("an address").segments();
                [a, b, c, d]
            })
            .collect();
        assert_eq!(networks.len(), 5000);
    }
}
