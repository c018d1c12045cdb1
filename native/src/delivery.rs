//! A group on its way through a pipeline, and the word to the senders that wait for it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use crate::group::Group;
use crate::lane::RETRY_SECONDS;
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
    pending: Mutex<Option<(Option<Waiting>, Held)>>,
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
}

impl Delivery {
    pub fn new(content: Content, rows: usize, bytes: usize, oldest: i64, waiting: Option<Waiting>, held: Held) -> Self {
        Self {
            rows,
            bytes,
            oldest,
            content: Mutex::new(content),
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
        drop(held);
        if let Some(waiting) = waiting {
            waiting.send_replace(Some(outcome));
        }
        true
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
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
