//! One connection of the HTTP port, from its first byte to its last: served, watched for silence, and let go when the server stops.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::sync::watch;

use super::http::{Http, Reply};
use super::{Io, Shared, told};

/// Larger windows are slower on one host: what is in flight falls out of the cache (measured: 1 MiB 81 µs, 4 MiB 193 µs per 512 spans).
const WINDOW: u32 = 1 << 20;
const MAX_HEADER_BYTES: u32 = 32 << 10;
/// How long a peer may take to read its last answer and close.
const FAREWELL: Duration = Duration::from_millis(250);

/// One connection, as its requests see it.
struct Connection {
    http: Arc<Http>,
    shared: Arc<Shared>,
    activity: Activity,
}

/// What a connection is doing, seen from outside.
#[derive(Default)]
struct Activity {
    open: AtomicUsize,
    begun: AtomicU64,
}

/// A request that is open as long as this lives.
struct Call<'a>(&'a Activity);

impl<'a> Call<'a> {
    fn begin(activity: &'a Activity) -> Self {
        activity.open.fetch_add(1, Ordering::Relaxed);
        activity.begun.fetch_add(1, Ordering::Relaxed);
        Self(activity)
    }
}

impl Connection {
    async fn answer(&self, request: Request<Incoming>) -> Response<Reply> {
        let _call = Call::begin(&self.activity);
        self.http.answer(&self.shared, request).await
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

pub fn protocols(max_concurrent_streams: u32) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().max_buf_size(MAX_HEADER_BYTES as usize);
    builder
        .http2()
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_header_list_size(MAX_HEADER_BYTES)
        .max_concurrent_streams(max_concurrent_streams);
    builder
}

pub async fn serve<I: Io>(
    io: I,
    http: Arc<Http>,
    shared: Arc<Shared>,
    builder: Arc<auto::Builder<TokioExecutor>>,
    mut stop: watch::Receiver<Option<Instant>>,
) {
    let limits = shared.limits.clone();
    let this = Arc::new(Connection {
        http,
        shared,
        activity: Activity::default(),
    });
    let service = service_fn(|request| {
        let this = Arc::clone(&this);
        async move { Ok::<_, Infallible>(this.answer(request).await) }
    });
    let mut connection = pin!(builder.serve_connection(TokioIo::new(io), service));
    tokio::select! {
        _ = connection.as_mut() => return, // an error is the peer's: there is nobody left to tell
        _ = told(&mut stop) => {}
        () = silence(&this.activity, limits.read_header_timeout, limits.idle_timeout) => {}
    }
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        _ = connection => {}
        () = done(&this.activity) => {} // the peer does not answer the farewell
    }
}

/// Returns some moments after the last open request was answered.
async fn done(activity: &Activity) {
    loop {
        tokio::time::sleep(FAREWELL).await;
        if activity.open.load(Ordering::Relaxed) == 0 {
            return tokio::time::sleep(FAREWELL).await;
        }
    }
}

/// Returns when the connection has had no request open for too long.
async fn silence(activity: &Activity, first: Duration, idle: Duration) {
    tokio::time::sleep(first).await;
    let mut seen = 0;
    loop {
        let begun = activity.begun.load(Ordering::Relaxed);
        if begun == seen && activity.open.load(Ordering::Relaxed) == 0 {
            return;
        }
        seen = begun;
        tokio::time::sleep(idle).await;
    }
}
