//! A group on its way through a pipeline, and the word to the senders that wait for it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

use crate::group::Group;
use crate::lane::RETRY_SECONDS;
use crate::log::{Log, Range};
use crate::refusal::Refusal;
use crate::wire::Signal;

/// What became of a group.
pub type Outcome = Result<(), Refusal>;
/// Where a sender that waits hears the outcome. One channel for the whole group, so that all are answered in one go.
pub type Verdict = watch::Receiver<Option<Outcome>>;
pub type Waiting = watch::Sender<Option<Outcome>>;

pub struct Content {
    /// Boxed, since a group in the making is handed to and fro with every request, and its columns are kilobytes of pointers.
    pub group: Option<Box<Group>>,
    pub raw: Vec<(Signal, Vec<u8>)>,
}

/// One group: what has to be stored together. If it is dropped without a word, senders are told "later".
pub struct Delivery {
    pub rows: usize,
    /// Bytes of the requests as received, after decompression.
    pub bytes: usize,
    /// Arrival of the oldest request, ns since 1970.
    pub oldest: i64,
    content: Mutex<Content>,
    /// Where its requests lie in the log, if they do.
    logged: Option<(Arc<Log>, Range)>,
    pending: Mutex<Option<(Option<Waiting>, Held)>>,
}

/// What a group is besides its content.
#[derive(Clone, Copy, Default)]
pub struct Size {
    pub rows: usize,
    pub bytes: usize,
    pub oldest: i64,
}

/// Bytes of a queue that are taken until this is dropped.
pub struct Held {
    bytes: usize,
    of: Arc<Room>,
}

/// What a lane's groups hold from the moment they are cut until they are settled, and the bell for those who wait for room.
#[derive(Default)]
pub struct Room {
    pub uncommitted: AtomicUsize,
    pub given_back: Notify,
    /// When that was the last time.
    moved: Mutex<Option<Instant>>,
}

impl Room {
    /// How long nothing has been given back, as far as it is known.
    pub fn still_since(&self) -> Option<Instant> {
        *self.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something is given back, or begins to be held.
    pub fn moved(&self) {
        *self.moved.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

impl Delivery {
    pub fn new(content: Content, size: Size, logged: Option<(Arc<Log>, Range)>, waiting: Option<Waiting>, held: Held) -> Self {
        Self {
            rows: size.rows,
            bytes: size.bytes,
            oldest: size.oldest,
            content: Mutex::new(content),
            logged,
            pending: Mutex::new(Some((waiting, held))),
        }
    }

    /// Takes something out of the decoded group; None if the lane does not decode, or it was settled.
    pub fn take<T>(&self, out: impl FnOnce(&mut Group) -> T) -> Option<T> {
        self.content().group.as_deref_mut().map(out)
    }

    /// The serialised requests, where they are kept.
    pub fn raw<T>(&self, mut each: impl FnMut(Signal, &[u8]) -> T) -> Vec<T> {
        self.content().raw.iter().map(|(signal, body)| each(*signal, body)).collect()
    }

    /// Tells all who wait and gives the room back. False if that was done before.
    pub fn settle(&self, outcome: Outcome) -> bool {
        let pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((waiting, held)) = pending else { return false };
        *self.content() = Content {
            group: None,
            raw: Vec::new(),
        };
        if let Some((log, range)) = &self.logged {
            match &outcome {
                Err(Refusal::Later { .. }) => log.hold(), // its senders were told that it is safe: the next start has it again
                _ => log.release(*range),
            }
        }
        drop(held);
        if let Some(waiting) = waiting {
            waiting.send_replace(Some(outcome));
        }
        true
    }

    pub fn is_logged(&self) -> bool {
        self.logged.is_some()
    }

    /// Whether an earlier process may have begun to store it.
    pub fn is_replayed(&self) -> bool {
        self.logged.as_ref().is_some_and(|(log, range)| log.is_replayed(*range))
    }

    /// What its inserts are told apart by, once its requests and the word that they are a group are safe, or it has waited long enough.
    /// None if it is in no log.
    pub fn token(&self, patience: Duration) -> Option<String> {
        let (log, range) = self.logged.as_ref()?;
        if log.failing().is_none() {
            log.wait(patience); // in vain: after a crash its rows may be stored twice, and are shown once
        }
        Some(log.token(*range))
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if let Some((log, _)) = &self.logged
            && self.pending.get_mut().unwrap_or_else(PoisonError::into_inner).is_some()
        {
            log.hold();
        }
    }
}

impl Held {
    /// `bytes` must have been added to `of`.
    pub fn new(bytes: usize, of: &Arc<Room>) -> Self {
        Self { bytes, of: Arc::clone(of) }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.of.uncommitted.fetch_sub(self.bytes, Ordering::Relaxed);
        self.of.moved();
        self.of.given_back.notify_waiters();
    }
}

/// Waits for the outcome. A group that vanished without a word was not stored.
pub async fn outcome(mut verdict: Verdict) -> Outcome {
    match verdict.wait_for(Option::is_some).await {
        Ok(outcome) => outcome.clone().unwrap_or(Ok(())),
        Err(_) => Err(Refusal::later("the data was not stored", RETRY_SECONDS)),
    }
}

/// The same for a thread that is not the server's.
pub fn wait(verdict: Verdict) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime
        .map_err(|error| Refusal::later(error.to_string(), RETRY_SECONDS))?
        .block_on(outcome(verdict))
}
