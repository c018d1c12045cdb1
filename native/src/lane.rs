//! A lane's queue: requests are decoded into the group that is being gathered, and one thread takes groups out to store them.
//!
//! A group is cut when someone waits for it and it is due, or when it is full. So while the one before is being stored it grows with the
//! load, and a trace that arrives in many requests is touched once. Memory is bounded in bytes: when what was not stored yet holds
//! `queue_bytes`, senders wait a while, then they are told "later", or their requests lie in the log until there is room (`behind`).

mod behind;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::delivery::{Delivery, Held, Room};
use crate::gathering::{Gathering, Receipt};
use crate::lift::Plan;
use crate::log::Log;
use crate::redact::Redact;
use crate::refusal::Refusal;
use crate::texts::Texts;
use crate::wire::Signal;
use behind::Behind;

/// After how many seconds a sender may try again.
pub const RETRY_SECONDS: f64 = 1.0;
const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// When a sender is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Acknowledge {
    /// Decoded, in memory.
    #[default]
    Received,
    /// Safe in the log.
    Durable,
    /// Stored.
    Committed,
}

pub struct Settings {
    pub flush_interval: Duration,
    pub flush_rows: usize,
    pub flush_bytes: usize,
    pub queue_bytes: usize,
    /// How to decode traces into columns; None: do not.
    pub decode: Option<Decoding>,
    /// Keep the serialised requests.
    pub raw: bool,
    /// Where requests are made safe.
    pub log: Option<Arc<Log>>,
    /// What nobody may know of requests.
    pub redact: Option<Redact>,
}

pub struct Decoding {
    pub plan: Arc<Plan>,
    pub texts: Arc<Texts>,
}

pub struct Lane {
    settings: Settings,
    queue: Mutex<Queue>,
    due: Condvar,
    room: Arc<Room>,
}

#[derive(Default)]
struct Queue {
    gathering: Option<Gathering>,
    cut: VecDeque<Gathering>,
    closed: bool,
    /// Who waits for a group has something else to do.
    woken: bool,
    /// What the log has that is not in memory.
    behind: Option<Behind>,
}

pub struct Load {
    pub bytes: usize,
    pub rows: usize,
    pub capacity: usize,
    /// Whether there is more in the log.
    pub behind: bool,
}

impl Lane {
    pub fn new(settings: Settings) -> Self {
        let backlog = settings.log.as_ref().and_then(|log| log.backlog());
        let queue = Queue {
            behind: backlog.map(Behind::new),
            ..Queue::default()
        };
        let room = Room::default();
        room.moved();
        Self {
            settings,
            queue: Mutex::new(queue),
            due: Condvar::new(),
            room: Arc::new(room),
        }
    }

    pub fn decodes(&self) -> bool {
        self.settings.decode.is_some()
    }

    /// Whether a request of `bytes` would be taken now; Err says why not.
    pub fn has_room(&self, bytes: usize, acknowledge: Acknowledge) -> Result<(), Refusal> {
        self.check_room(&self.lock(), bytes, self.log(acknowledge))
    }

    /// Waits while the queue is nearly full. The rest of it is for requests that are on their way: those who waited together come together.
    pub async fn nearly_full(&self, acknowledge: Acknowledge) {
        loop {
            let given_back = self.room.given_back.notified();
            tokio::pin!(given_back);
            given_back.as_mut().enable(); // from here on no bell is missed
            if !self.is_nearly_full(acknowledge) {
                return;
            }
            given_back.await;
        }
    }

    /// Whether a request should wait before it is read. A closed lane has nothing to wait for: it says so.
    pub fn is_nearly_full(&self, acknowledge: Acknowledge) -> bool {
        let queue = self.lock();
        match self.log(acknowledge) {
            _ if queue.closed => false,
            Some(log) if queue.behind.is_some() => log.is_nearly_full(),
            _ => self.held(&queue) > self.settings.queue_bytes / 4 * 3,
        }
    }

    /// Takes one request, all or nothing. The receipt has what its sender waits for.
    pub fn put(&self, signal: Signal, body: &[u8], arrival: i64, tenant: &str, acknowledge: Acknowledge) -> Result<Receipt, Refusal> {
        let body = match &self.settings.redact {
            Some(redact) => redact.apply(signal, body)?, // the log too must not know what nobody may know
            None => Cow::Borrowed(body),
        };
        let (body, log) = (&*body, self.log(acknowledge));
        let mut queue = self.lock();
        self.check_room(&queue, body.len(), log)?;
        if let Some(log) = log
            && self.falls_behind(&mut queue, log, body.len())
        {
            return self.put_aside(&mut queue, log, signal, body, arrival, tenant);
        }
        let mut gathering = match queue.gathering.take() {
            Some(gathering) => gathering,
            None => Gathering::begin(&self.settings),
        };
        let first = gathering.rows() == 0;
        let wait = acknowledge != Acknowledge::Received && log.is_none();
        let mut receipt = gathering.take(&self.settings, signal, body, arrival, tenant, wait);
        if let (Some(log), Ok(receipt)) = (log, &mut receipt)
            && receipt.stored
        {
            let (range, verdict) = log.append(signal, tenant, body, arrival);
            gathering.include(range);
            receipt.verdict = Some(verdict);
        }
        self.put_back(&mut queue, gathering, first);
        receipt
    }

    /// Waits at most `timeout` for a group that is due. None at once when the lane is closed and empty, or if someone woke the waiter.
    pub fn next(&self, timeout: Duration) -> Option<Delivery> {
        let deadline = Instant::now() + timeout.min(FOREVER);
        let mut queue = self.lock();
        loop {
            let now = Instant::now();
            if let Some(gathering) = self.take_due(&mut queue, now) {
                return Some(gathering);
            }
            if queue.behind.is_some() {
                let (mut back, delivery) = self.catch_up(queue);
                if delivery.is_some() || std::mem::take(&mut back.woken) || Instant::now() >= deadline {
                    return delivery;
                }
                queue = back;
                continue;
            }
            if std::mem::take(&mut queue.woken) || queue.closed || now >= deadline {
                return None;
            }
            let due = queue.gathering.as_ref().map_or(deadline, |gathering| gathering.due(&self.settings));
            let waited = self.due.wait_timeout(queue, due.min(deadline).saturating_duration_since(now));
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Makes the group that is being gathered due.
    pub fn flush(&self) {
        if let Some(gathering) = &mut self.lock().gathering {
            gathering.flush();
        }
        self.due.notify_all();
    }

    /// Lets who waits for a group, or the next one who does, go on without one.
    pub fn wake(&self) {
        self.lock().woken = true;
        self.due.notify_all();
    }

    /// Takes no more requests; what is left is due.
    pub fn close(&self) {
        self.lock().closed = true;
        self.due.notify_all();
        self.room.given_back.notify_waiters();
    }

    pub fn load(&self) -> Load {
        let queue = self.lock();
        Load {
            bytes: self.held(&queue),
            rows: queue.cut.iter().chain(&queue.gathering).map(Gathering::rows).sum(),
            capacity: self.settings.queue_bytes,
            behind: queue.behind.is_some(),
        }
    }

    /// The log that makes requests safe which are acknowledged in this way.
    fn log(&self, acknowledge: Acknowledge) -> Option<&Arc<Log>> {
        self.settings.log.as_ref().filter(|_| acknowledge == Acknowledge::Durable)
    }

    /// Keeps the group to which a request was added, in the queue if it is full, and wakes who waits for it.
    fn put_back(&self, queue: &mut Queue, gathering: Gathering, first: bool) {
        let rows = gathering.rows();
        if rows == 0 {
            return;
        }
        if gathering.bytes() >= self.settings.flush_bytes {
            self.cut(queue, gathering);
            self.due.notify_all();
            return;
        }
        queue.gathering = Some(gathering);
        if first || rows >= self.settings.flush_rows {
            self.due.notify_all();
        }
    }

    /// Nothing is added to this group any more.
    fn cut(&self, queue: &mut Queue, gathering: Gathering) {
        self.close_group(&gathering);
        queue.cut.push_back(gathering);
    }

    fn close_group(&self, gathering: &Gathering) {
        self.hold(gathering);
        if let (Some(log), Some(range)) = (&self.settings.log, gathering.logged()) {
            log.cut(range);
        }
    }

    fn hold(&self, gathering: &Gathering) {
        if self.room.uncommitted.fetch_add(gathering.bytes(), Ordering::Relaxed) == 0 {
            self.room.moved(); // what was idle is not stuck
        }
    }

    fn take_due(&self, queue: &mut Queue, now: Instant) -> Option<Delivery> {
        let gathering = match queue.cut.pop_front() {
            Some(gathering) => gathering,
            None => {
                let closed = queue.closed;
                let gathering = queue
                    .gathering
                    .take_if(|gathering| closed || now >= gathering.due(&self.settings))?;
                self.close_group(&gathering);
                gathering
            }
        };
        Some(self.deliver(gathering))
    }

    fn deliver(&self, gathering: Gathering) -> Delivery {
        let held = Held::new(gathering.bytes(), &self.room);
        gathering.deliver(self.settings.log.as_ref(), held)
    }

    fn check_room(&self, queue: &Queue, bytes: usize, log: Option<&Arc<Log>>) -> Result<(), Refusal> {
        if queue.closed {
            return Err(Refusal::later("the collector is stopping", RETRY_SECONDS));
        }
        match log {
            Some(log) => log.has_room(bytes), // what memory has no room for lies there
            None if self.is_full(queue, bytes) => Err(Refusal::later("the queue is full", RETRY_SECONDS)),
            None => Ok(()),
        }
    }

    fn is_full(&self, queue: &Queue, bytes: usize) -> bool {
        let held = self.held(queue);
        held > 0 && held.saturating_add(bytes) > self.settings.queue_bytes
    }

    fn held(&self, queue: &Queue) -> usize {
        self.room.uncommitted.load(Ordering::Relaxed) + queue.gathering.as_ref().map_or(0, Gathering::bytes)
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
