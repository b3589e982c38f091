//! The load: kept connections, on each one request after the other, and every answer's status checked.

use crate::{
    contender::Contender,
    process::Meter,
    server::Server,
    tokens::{Headers, Sessions, Use},
};
use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use hdrhistogram::Histogram;
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, StatusCode, Uri,
    client::conn::http1::{SendRequest, handshake},
    header::{self, HeaderValue},
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

/// Connections of a load, where nothing else is said.
pub const CONNECTIONS: usize = 16;

/// What is requested.
#[derive(Clone, Default)]
pub struct Load {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub path: Uri,
    /// Whether the number of each request is appended to its path.
    pub is_numbered: bool,
    /// The body, JSON.
    pub body: Bytes,
    /// The `Authorization` headers.
    pub headers: Headers,
    /// Takes the place of `headers`: refresh tokens, each answer with its session's next one.
    pub sessions: Option<Sessions>,
    /// The client's address in the request of this number, in `cf-connecting-ip`.
    pub client: Option<fn(usize) -> String>,
    /// The status that every answer must have.
    pub expected: u16,
    /// Another status that an answer may have.
    pub also: Option<u16>,
    /// How many connections there are, and so how many requests wait at once.
    pub connections: usize,
    /// When the load ends. It also ends when its headers are used up.
    pub end: End,
}

impl Load {
    /// `GET /protected` with these tokens, over [`CONNECTIONS`].
    pub fn protected(contender: Contender, tokens: Use, minted: &[String], end: End) -> Result<Self> {
        Ok(Self {
            path: "/protected".parse()?,
            headers: Headers::new(tokens, minted, contender.prefix())?,
            expected: contender.status(tokens),
            connections: CONNECTIONS,
            end,
            ..Self::default()
        })
    }
}

/// When a load ends.
#[derive(Clone)]
pub enum End {
    /// After this time.
    After(Duration),
    /// After this number of requests.
    Requests(usize),
    /// When this is set.
    When(Arc<AtomicBool>),
}

impl Default for End {
    fn default() -> Self {
        Self::Requests(1)
    }
}

/// What was measured of one load.
pub struct Measured {
    /// Number of answers.
    pub requests: usize,
    /// Number of answers whose status was [`Load::also`].
    pub also: usize,
    /// From the first request to the end of the last answer.
    pub elapsed: Duration,
    /// CPU time that the server used meanwhile.
    pub cpu: Duration,
    /// Microseconds from each request to the end of its answer.
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
}

/// A quantile of latencies, in milliseconds.
pub fn quantile_ms(latency: &Histogram<u64>, quantile: f64) -> f64 {
    latency.value_at_quantile(quantile) as f64 / 1e3
}

/// An empty histogram for latencies of up to a minute, in microseconds.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).expect("1 is below 60,000,000, and 3 digits are allowed")
}

struct State {
    load: Load,
    host: HeaderValue,
    address: SocketAddr,
    started: Cell<usize>,
    deadline: Option<Instant>,
    answered: Cell<usize>,
    also: Cell<usize>,
    latency: RefCell<Histogram<u64>>,
}

/// Sends a load to a server and returns when it has ended. `connected` is called once all connections are open.
///
/// # Errors
/// The first answer with a wrong status, or a connection that fails.
pub fn run(load: &Load, server: &Server, connected: impl FnOnce()) -> Result<Measured> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let measured = LocalSet::new().block_on(&runtime, send(load, server.address, &server.meter, connected));
    measured.with_context(|| {
        format!("{} {}; the server's last lines:{}", load.method, load.path, server.output.last_lines())
    })
}

async fn send(load: &Load, address: SocketAddr, meter: &Meter, connected: impl FnOnce()) -> Result<Measured> {
    let mut senders = Vec::new();
    for _ in 0..load.connections {
        senders.push(connect(address).await);
    }
    // Called even if a connection failed: another load may be waiting for this one.
    connected();
    let senders = senders.into_iter().collect::<Result<Vec<_>>>()?;
    let (began, cpu) = (Instant::now(), meter.cpu());
    let state = Rc::new(State {
        load: load.clone(),
        host: address.to_string().try_into()?,
        address,
        started: Cell::new(0),
        deadline: if let End::After(time) = load.end { Some(began + time) } else { None },
        answered: Cell::new(0),
        also: Cell::new(0),
        latency: RefCell::new(histogram()),
    });
    let connections: Vec<_> =
        senders.into_iter().map(|sender| tokio::task::spawn_local(connection(sender, Rc::clone(&state)))).collect();
    for connection in connections {
        connection.await??;
    }
    let (elapsed, cpu) = (began.elapsed(), meter.cpu().saturating_sub(cpu));
    let requests = state.answered.get();
    ensure!(requests > 0, "no request was answered");
    Ok(Measured { requests, also: state.also.get(), elapsed, cpu, latency: state.latency.replace(histogram()) })
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
    while let Some((request, refresh_token)) = state.next()? {
        if sender.ready().await.is_err() {
            // A server may close a kept connection between two requests.
            sender = connect(state.address).await?;
        }
        let began = Instant::now();
        let answer = sender.send_request(request).await?;
        let (status, mut body) = (answer.status(), answer.into_body());
        let is_also = also == Some(status);
        if status != expected && !is_also {
            bail!("answered {status} in place of {expected}: {}", start_of(&body.collect().await?.to_bytes()));
        }
        match (&state.load.sessions, refresh_token) {
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

/// A request, and the refresh token in it where the load has sessions.
type Next = (Request<Full<Bytes>>, Option<HeaderValue>);

impl State {
    /// The next request; `None` at the end of the load.
    fn next(&self) -> Result<Option<Next>> {
        let (load, number) = (&self.load, self.started.get());
        let is_over = match &load.end {
            End::After(_) => self.deadline.is_some_and(|deadline| Instant::now() >= deadline),
            End::Requests(count) => number >= *count,
            End::When(is_set) => is_set.load(Ordering::Relaxed),
        };
        if is_over {
            return Ok(None);
        }
        let refresh_token = load.sessions.as_ref().map(Sessions::take).transpose()?;
        let authorization = match &refresh_token {
            Some(token) => Some(token),
            None => match load.headers.get(number) {
                Ok(header) => header,
                Err(_) => return Ok(None),
            },
        };
        self.started.set(number + 1);
        let uri = match load.is_numbered {
            true => format!("{}{number}", load.path).parse()?,
            false => load.path.clone(),
        };
        let mut request = Request::new(Full::new(load.body.clone()));
        *request.method_mut() = load.method.clone();
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(header::HOST, self.host.clone());
        if let Some(value) = authorization {
            headers.insert(header::AUTHORIZATION, value.clone());
        }
        if let Some(client) = load.client {
            headers.insert("cf-connecting-ip", client(number).try_into()?);
        }
        if !load.body.is_empty() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        Ok(Some((request, refresh_token)))
    }
}

/// An address in one of 65,536 networks of /64, each as one customer has it (2001:db8::/32 is for examples).
pub fn address(number: usize) -> String {
    format!("2001:db8:{:x}:{:x}::1", (number >> 8) & 0xff, number & 0xff)
}

/// The first 200 bytes, for an error text.
fn start_of(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned()
}

/// Sends one `POST` and returns the answer's body.
///
/// # Errors
/// If it can't be sent, or the answer's status is not a success.
pub fn post(address: SocketAddr, path: &str, body: impl Into<Bytes>) -> Result<Bytes> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let request = Request::post(path).header(header::HOST, address.to_string()).body(Full::new(body.into()))?;
    LocalSet::new().block_on(&runtime, async {
        let answer = connect(address).await?.send_request(request).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        ensure!(status.is_success(), "{path} answered {status}: {}", start_of(&body));
        Ok(body)
    })
}

#[cfg(test)]
mod tests {
    use super::address;
    use std::{collections::HashSet, net::Ipv6Addr};

    #[test]
    fn addresses_are_in_different_networks() {
        let network = |number| address(number).parse::<Ipv6Addr>().expect("an address").segments()[..4].to_vec();
        assert_eq!((0..5000).map(network).collect::<HashSet<_>>().len(), 5000);
    }
}
