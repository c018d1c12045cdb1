//! One connection of the gRPC port: its socket, its clock, and its end.
//!
//! One task serves all requests of a connection. A pass reads what is there, answers what can be answered and writes all answers at once,
//! so that the requests under way share the calls to the system, which cost more than the requests.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::sync::watch;
use tokio::time::Sleep;

use super::Grpc;
use super::calls::Calls;
use crate::server::http2::{Limits, Session};
use crate::server::{Io, Shared, told};

/// How much is read at once. More than a cache holds is slower.
const INPUT: usize = 64 << 10;
/// After so many passes in a row it is the turn of the other connections.
const PASSES: usize = 4;
/// A buffer of a connection that once grew beyond this is given back.
const KEPT: usize = 16 << 10;
/// How long a peer may take to read its last answer and close.
const FAREWELL: Duration = Duration::from_millis(250);
/// How much of what a peer still sends is read over, so that its own system does not throw our last answer away.
const LEFTOVERS: u64 = 1 << 20;

thread_local! {
    /// Everything is read into this: what connections keep of it is only what they cannot use yet.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; 2 * INPUT]);
}

struct Connection<I> {
    io: I,
    session: Session<Calls>,
    calls: Calls,
    /// Input that could not be used yet: less than a frame, unless the peer does not read its answers.
    rest: Vec<u8>,
    /// There are whole frames in it, left there until the peer has read some answers.
    backlog: bool,
    /// How much of `session.out` is written.
    written: usize,
    /// Since when the peer takes nothing of what is to be written.
    stuck: Option<Instant>,
    /// Wakes us when something is due; never later than the first deadline.
    alarm: Pin<Box<Sleep>>,
    answer_timeout: Duration,
}

pub async fn serve<I: Io>(io: I, grpc: Arc<Grpc>, shared: Arc<Shared>, mut stop: watch::Receiver<Option<Instant>>) {
    let mut connection = Connection::new(io, grpc, shared);
    let served = {
        let mut serving = pin!(poll_fn(|context| connection.poll(context)));
        tokio::select! {
            biased;
            ended = serving.as_mut() => Some(ended),
            _ = told(&mut stop) => None,
        }
    };
    let ended = match served {
        Some(ended) => ended,
        None => {
            connection.session.farewell();
            poll_fn(|context| connection.poll(context)).await
        }
    };
    if ended.is_ok() {
        part(&mut connection.io).await;
    } // else the peer is gone: there is nobody left to tell
}

/// Closes without cutting off what was written last.
async fn part<I: Io>(io: &mut I) {
    let reading = async {
        io.shutdown().await?;
        tokio::io::copy(&mut io.take(LEFTOVERS), &mut tokio::io::sink()).await
    };
    let _ = tokio::time::timeout(FAREWELL, reading).await; // in vain: it is closed all the same
}

impl<I: Io> Connection<I> {
    fn new(io: I, grpc: Arc<Grpc>, shared: Arc<Shared>) -> Self {
        let (now, told) = (Instant::now(), &shared.limits);
        let limits = Limits {
            streams: told.max_concurrent_streams,
            header: told.read_header_timeout,
            answer: told.read_timeout,
            idle: told.idle_timeout,
            farewell: FAREWELL,
        };
        Self {
            io,
            session: Session::new(limits, now),
            alarm: Box::pin(tokio::time::sleep(limits.header)),
            answer_timeout: limits.answer,
            calls: Calls::new(shared, grpc),
            rest: Vec::new(),
            backlog: false,
            written: 0,
            stuck: None,
        }
    }

    /// Serves until the connection has come to its end. Err: the peer is gone, or as good as that.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        for _ in 0..PASSES {
            let now = Instant::now();
            self.session.set_now(now);
            self.calls.poll(&mut self.session, context, now);
            let listening = self.session.is_ready();
            let read = self.read(context)?;
            let written = self.write(context, now)?;
            self.calls.end_pass(now);
            if self.session.is_over() && written.is_ready() {
                return Poll::Ready(Ok(()));
            }
            if read.is_pending() && (listening || written.is_pending()) {
                ready!(self.wait(context, now))?;
            } // else there is more, or we did not listen since our answers were not read, and now they are
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Reads once, and serves what was read. Pending: there is nothing to read, or no more is wanted for now.
    fn read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.session.is_ready() {
            return Poll::Pending;
        }
        BUFFER.with_borrow_mut(|buffer| {
            let mut end = self.rest.len();
            buffer[..end].copy_from_slice(&self.rest);
            if !self.backlog {
                let mut input = ReadBuf::new(&mut buffer[end..end + INPUT]);
                ready!(Pin::new(&mut self.io).poll_read(context, &mut input))?;
                if input.filled().is_empty() {
                    return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                }
                end += input.filled().len();
            }
            self.receive(&buffer[..end]);
            Poll::Ready(Ok(()))
        })
    }

    fn receive(&mut self, input: &[u8]) {
        let used = self.session.receive(&mut self.calls, input);
        self.backlog = !self.session.is_ready() && used < input.len();
        self.rest.clear();
        self.rest.shrink_to(KEPT);
        self.rest.extend_from_slice(&input[used..]);
    }

    fn write(&mut self, context: &mut Context<'_>, now: Instant) -> Poll<io::Result<()>> {
        while self.written < self.session.out.len() {
            let Poll::Ready(written) = Pin::new(&mut self.io).poll_write(context, &self.session.out[self.written..])? else {
                self.stuck.get_or_insert(now);
                return Poll::Pending;
            };
            self.stuck = None;
            self.written += written;
        }
        self.written = 0;
        self.session.out.clear();
        self.session.out.shrink_to(KEPT);
        if Pin::new(&mut self.io).poll_flush(context)?.is_pending() {
            self.stuck.get_or_insert(now); // TLS has taken it, but could not write it
            return Poll::Pending;
        }
        self.stuck = None;
        Poll::Ready(Ok(()))
    }

    /// Sets the alarm. Ready if something was due and is dealt with.
    fn wait(&mut self, context: &mut Context<'_>, now: Instant) -> Poll<io::Result<()>> {
        let stuck = self.stuck.map(|since| since + self.answer_timeout);
        let due = self.session.deadline(&self.calls).into_iter().chain(stuck).min();
        let Some(due) = due else { return Poll::Pending };
        if due < self.alarm.deadline().into_std() || self.alarm.is_elapsed() {
            self.alarm.as_mut().reset(due.into());
        }
        ready!(self.alarm.as_mut().poll(context));
        if stuck.is_some_and(|stuck| now >= stuck) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        self.session.expire(&mut self.calls);
        Poll::Ready(Ok(()))
    }
}
