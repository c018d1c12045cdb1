//! OTLP over gRPC and HTTP: two ports, one thread unless more are asked for. Nothing here knows Python.
//!
//! gRPC runs on `http2`, which is made for it; OTLP/HTTP, which comes in more shapes and less often, on hyper.

mod answers;
mod body;
pub mod compression;
mod connection;
mod cors;
mod gather;
mod grpc;
mod http;
mod http2;
pub mod settings;
mod tls;

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hyper_util::rt::TokioExecutor;
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::intake::Intake;
use crate::keyring::Keyring;
use crate::meters::Transport;
use crate::server::body::{Budget, Limits};
use crate::server::settings::Settings;
use crate::server::tls::Tls;

const BACKLOG: i32 = 1024;
/// After a failed accept (no file descriptors left), so that the loop does not spin until some connection ends.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Bodies in flight may hold this much, or two requests of the largest size.
const RECEIVE_BYTES: usize = 256 << 20;

/// What every connection needs.
struct Shared {
    intake: Intake,
    limits: settings::Limits,
    budget: Arc<Budget>,
}

impl Shared {
    fn body_limits(&self, bytes: usize) -> Limits<'_> {
        Limits {
            bytes,
            budget: &self.budget,
            timeout: self.limits.read_timeout,
        }
    }
}

/// What a connection runs over: a socket, or TLS on one.
trait Io: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<I: AsyncRead + AsyncWrite + Send + Unpin + 'static> Io for I {}

/// Who may send over each port; None: anybody.
#[derive(Default)]
pub struct Keyrings {
    pub grpc: Option<Arc<Keyring>>,
    pub http: Option<Arc<Keyring>>,
}

#[derive(Clone)]
enum Port {
    Grpc(Arc<grpc::Grpc>),
    Http(Arc<http::Http>, Arc<auto::Builder<TokioExecutor>>),
}

/// A port that is bound.
struct Bound {
    listener: TcpListener,
    port: Port,
    tls: Option<Arc<Tls>>,
}

impl Port {
    fn transport(&self) -> Transport {
        match self {
            Self::Grpc(_) => Transport::Grpc,
            Self::Http(..) => Transport::Http,
        }
    }

    /// What is agreed on with clients that ask for a protocol (ALPN).
    fn protocols(&self) -> &'static [&'static [u8]] {
        match self {
            Self::Grpc(_) => &[b"h2"],
            Self::Http(..) => &[b"h2", b"http/1.1"],
        }
    }

    async fn serve<I: Io>(self, io: I, shared: Arc<Shared>, stop: watch::Receiver<Option<Instant>>) {
        match self {
            Self::Grpc(grpc) => grpc::serve(io, grpc, shared, stop).await,
            Self::Http(http, builder) => connection::serve(io, http, shared, builder, stop).await,
        }
    }
}

/// Why a server did not start: the endpoint ('' if it is not the endpoint's fault) and what the system said.
#[derive(Debug)]
pub struct Failed {
    pub endpoint: String,
    pub error: io::Error,
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self {
            endpoint: String::new(),
            error,
        }
    }
}

/// A running server. Dropping it stops it at once.
pub struct Server {
    pub grpc: Option<SocketAddr>,
    pub http: Option<SocketAddr>,
    shared: Arc<Shared>,
    tls: Vec<Arc<Tls>>,
    /// Set to the moment until which open requests may finish.
    stop: watch::Sender<Option<Instant>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    process: u32,
}

impl Server {
    /// Binds before it returns, so that "address in use" is an error here.
    pub fn start(settings: Settings, intake: Intake, keyrings: Keyrings) -> Result<Self, Failed> {
        let (max_grpc, max_http) = (settings.max_grpc_bytes(), settings.max_http_bytes());
        let mut ports = Vec::new();
        let (mut grpc, mut http) = (None, None);
        if let Some(told) = &settings.grpc {
            let port = Arc::new(grpc::Grpc {
                max_request_bytes: max_grpc,
                keyring: keyrings.grpc,
            });
            grpc = Some(open(&told.endpoint, Port::Grpc(port), told.tls.as_ref(), &mut ports)?);
        }
        if let Some(told) = &settings.http {
            let port = Arc::new(http::Http::new(told, max_http, keyrings.http));
            let builder = connection::protocols(settings.limits.max_concurrent_streams);
            http = Some(open(
                &told.endpoint,
                Port::Http(port, Arc::new(builder)),
                told.tls.as_ref(),
                &mut ports,
            )?);
        }
        let budget = Budget::new(RECEIVE_BYTES.max(2 * max_grpc.max(max_http)));
        let shared = Arc::new(Shared {
            intake,
            limits: settings.limits,
            budget: Arc::new(budget),
        });
        let mut builder = if settings.workers > 1 {
            Builder::new_multi_thread()
        } else {
            Builder::new_current_thread()
        };
        let runtime = builder
            .worker_threads(settings.workers.max(1))
            .thread_name("otlp")
            .on_thread_park(gather::rest)
            .enable_all()
            .build()?;
        let tls = ports.iter().filter_map(|bound: &Bound| bound.tls.clone()).collect();
        let stop = watch::Sender::new(None);
        let (told, running) = (stop.subscribe(), Arc::clone(&shared));
        let thread = std::thread::Builder::new().name("otlp".into()).spawn(move || {
            runtime.block_on(run(ports, running, told));
            runtime.shutdown_background();
        })?;
        Ok(Self {
            grpc,
            http,
            shared,
            tls,
            stop,
            thread: Mutex::new(Some(thread)),
            process: std::process::id(),
        })
    }

    /// Takes no new connections or requests and waits at most `timeout` for the open ones. Again: nothing happens.
    pub fn stop(&self, timeout: Duration) {
        let now = Instant::now();
        self.stop.send_replace(Some(now.checked_add(timeout).unwrap_or(now)));
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread.filter(|_| self.process == std::process::id()) {
            let _ = thread.join(); // a panic there was printed; there is nothing left to stop
        }
    }

    /// Reads the certificates again. On Err those stay that cannot be read.
    pub fn reload_tls(&self) -> io::Result<()> {
        self.tls.iter().map(|tls| tls.reload()).fold(Ok(()), io::Result::and)
    }

    pub fn samples(&self) -> Vec<(String, f64)> {
        self.shared.intake.meters.samples()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop(Duration::ZERO);
    }
}

fn open(endpoint: &str, port: Port, tls: Option<&settings::Tls>, ports: &mut Vec<Bound>) -> Result<SocketAddr, Failed> {
    let failed = |error| Failed {
        endpoint: endpoint.to_owned(),
        error,
    };
    let tls = tls.map(|told| Tls::new(told.clone(), port.protocols())).transpose()?.map(Arc::new);
    let mut last = io::Error::new(io::ErrorKind::AddrNotAvailable, "the name has no address");
    for address in endpoint.to_socket_addrs().map_err(failed)? {
        match listen(address).and_then(|listener| Ok((listener.local_addr()?, listener))) {
            Ok((address, listener)) => {
                ports.push(Bound { listener, port, tls });
                return Ok(address);
            }
            Err(error) => last = error,
        }
    }
    Err(failed(last))
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

async fn run(ports: Vec<Bound>, shared: Arc<Shared>, stop: watch::Receiver<Option<Instant>>) {
    let mut accepting = JoinSet::new();
    for Bound { listener, port, tls } in ports {
        match tokio::net::TcpListener::from_std(listener) {
            Ok(listener) => drop(accepting.spawn(accept(listener, port, tls, Arc::clone(&shared), stop.clone()))),
            Err(error) => eprintln!("otlp: cannot listen: {error}"), // not seen: the socket is bound and listening
        }
    }
    while accepting.join_next().await.is_some() {}
}

/// Serves until told to stop, then lets open connections finish until the deadline.
async fn accept(
    listener: tokio::net::TcpListener,
    port: Port,
    tls: Option<Arc<Tls>>,
    shared: Arc<Shared>,
    mut stop: watch::Receiver<Option<Instant>>,
) {
    let mut open = JoinSet::new();
    let deadline = loop {
        tokio::select! {
            deadline = told(&mut stop) => break deadline,
            Some(_) = open.join_next() => {}
            accepted = listener.accept(), if open.len() < shared.limits.max_connections => match accepted {
                Ok((io, _)) => {
                    let _ = io.set_nodelay(true); // an option, not a need
                    let (port, shared, stop) = (port.clone(), Arc::clone(&shared), stop.clone());
                    match tls.clone() {
                        None => open.spawn(port.serve(io, shared, stop)),
                        Some(tls) => open.spawn(secured(tls, io, port, shared, stop)),
                    };
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
        }
        shared.intake.meters.connections(port.transport(), open.len());
    };
    drop(listener);
    let finished = async { while open.join_next().await.is_some() {} };
    let _ = tokio::time::timeout_at(deadline.into(), finished).await; // what is still open is cut off
}

async fn secured(tls: Arc<Tls>, io: TcpStream, port: Port, shared: Arc<Shared>, mut stop: watch::Receiver<Option<Instant>>) {
    let io = tokio::select! {
        io = tls.secure(io, shared.limits.read_header_timeout) => io,
        _ = told(&mut stop) => None, // nothing has begun yet
    };
    if let Some(io) = io {
        port.serve(io, shared, stop).await;
    }
}

/// Waits for the word to stop: the moment until which open requests may finish.
async fn told(stop: &mut watch::Receiver<Option<Instant>>) -> Instant {
    let deadline = stop.wait_for(Option::is_some).await.ok().and_then(|deadline| *deadline);
    deadline.unwrap_or_else(Instant::now)
}
