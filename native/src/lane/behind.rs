//! A lane that has more in its log than in its memory: after a crash, or when the database takes less than comes.
//!
//! Requests are still decoded when they arrive, so that a bad one is refused at once, but what comes out is thrown away: the lane's own
//! thread reads them back when it is their turn. When it has read all there is, the lane goes on as before.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

use super::{Lane, Queue};
use crate::delivery::Delivery;
use crate::gathering::{Gathering, Receipt};
use crate::log::{Log, Reader, Unread};
use crate::refusal::Refusal;
use crate::wire::Signal;

/// How long nothing may leave a lane that is nearly full before requests stop waiting for it.
const STUCK: Duration = Duration::from_secs(2);
/// How long to wait for requests that are being written.
const WRITING: Duration = Duration::from_millis(100);
/// Rows that may come together in `Behind::tried` before they are thrown away.
const TRIED: usize = 4096;

pub struct Behind {
    /// None while the lane's thread reads.
    reading: Option<Box<Back>>,
    /// What requests are decoded into to see whether they are good.
    tried: Option<Gathering>,
}

struct Back {
    reader: Reader,
    /// What was read of the next group.
    group: Option<Gathering>,
}

enum Read {
    /// A group has come to its end; it was cut there before, or not.
    Group {
        cut_before: bool,
    },
    All,
}

impl Behind {
    pub fn new(reader: Reader) -> Self {
        Self {
            reading: Some(Box::new(Back { reader, group: None })),
            tried: None,
        }
    }
}

impl Lane {
    /// Whether requests go to the log alone, from this one on if need be.
    pub(super) fn falls_behind(&self, queue: &mut Queue, log: &Arc<Log>, bytes: usize) -> bool {
        if queue.behind.is_none() {
            if !self.is_full(queue, bytes) && !self.is_stuck(queue) {
                return false;
            }
            if let Some(gathering) = queue.gathering.take() {
                self.cut(queue, gathering);
            }
            queue.behind = Some(Behind::new(log.reader()));
            self.due.notify_all();
            self.room.given_back.notify_waiters(); // who waited for memory need not any more
        }
        true
    }

    fn is_stuck(&self, queue: &Queue) -> bool {
        let held = self.room.uncommitted.load(Ordering::Relaxed);
        held > 0
            && self.held(queue) > self.settings.queue_bytes / 4 * 3
            && self.room.still_since().is_some_and(|since| since.elapsed() > STUCK)
    }

    /// Takes a request into the log, and not into memory.
    pub(super) fn put_aside(
        &self,
        queue: &mut Queue,
        log: &Log,
        signal: Signal,
        body: &[u8],
        arrival: i64,
        tenant: &str,
    ) -> Result<Receipt, Refusal> {
        let Some(behind) = &mut queue.behind else {
            return Err(Refusal::later("the lane is not behind", super::RETRY_SECONDS)); // not seen: the caller has just looked
        };
        let mut tried = behind.tried.take().unwrap_or_else(|| Gathering::begin(&self.settings));
        let receipt = tried.take(&self.settings, signal, body, arrival, tenant, false);
        if tried.rows() < TRIED && tried.bytes() < self.settings.flush_bytes {
            behind.tried = Some(tried);
        }
        let mut receipt = receipt?;
        if receipt.stored {
            let (_, verdict) = log.append(signal, tenant, body, arrival);
            receipt.verdict = Some(verdict);
            self.due.notify_all();
        }
        Ok(receipt)
    }

    /// Reads one group back, or goes on as before. Called by the lane's thread only.
    pub(super) fn catch_up<'a>(&'a self, mut queue: MutexGuard<'a, Queue>) -> (MutexGuard<'a, Queue>, Option<Delivery>) {
        let (Some(log), Some(mut back)) = (&self.settings.log, queue.behind.as_mut().and_then(|behind| behind.reading.take())) else {
            queue.behind = None; // not seen: only a lane with a log falls behind, and only its thread reads
            return (queue, None);
        };
        drop(queue);
        let mut group = back.group.take().unwrap_or_else(|| Gathering::begin(&self.settings));
        let read = self.read_back(&mut back.reader, &mut group, log);
        let mut queue = self.lock();
        match read {
            Read::Group { cut_before } => {
                self.give_back(&mut queue, back, None);
                (queue, Some(self.deliver_read(group, cut_before)))
            }
            Read::All => match log.unread(&back.reader) {
                Unread::Nothing => {
                    let delivery = self.go_on(&mut queue, group);
                    (queue, delivery)
                }
                Unread::Lost(last) => {
                    back.reader.pass_over(last);
                    self.give_back(&mut queue, back, Some(group));
                    (queue, None)
                }
                Unread::Unwritten => {
                    let due = group.logged().is_some() && (queue.closed || Instant::now() >= group.due(&self.settings));
                    if due {
                        self.give_back(&mut queue, back, None);
                        return (queue, Some(self.deliver_read(group, false)));
                    }
                    self.give_back(&mut queue, back, Some(group));
                    drop(queue);
                    log.wait(WRITING);
                    (self.lock(), None)
                }
            },
        }
    }

    fn give_back(&self, queue: &mut Queue, mut back: Box<Back>, group: Option<Gathering>) {
        back.group = group;
        if let Some(behind) = &mut queue.behind {
            behind.reading = Some(back);
        }
    }

    fn read_back(&self, reader: &mut Reader, group: &mut Gathering, log: &Log) -> Read {
        while let Some(logged) = reader.read() {
            if group
                .take(&self.settings, logged.signal, logged.body, logged.arrival, logged.tenant, false)
                .is_err()
            {
                log.damaged(1); // it was good once: another version of the decoder refuses it
            }
            group.include(logged.range);
            if logged.ends_group {
                return Read::Group { cut_before: true };
            }
            if group.rows() >= self.settings.flush_rows || group.bytes() >= self.settings.flush_bytes {
                return Read::Group { cut_before: false };
            }
        }
        Read::All
    }

    fn deliver_read(&self, group: Gathering, cut_before: bool) -> Delivery {
        if cut_before {
            self.hold(&group);
        } else {
            self.close_group(&group);
        }
        self.deliver(group)
    }

    /// Everything of the log is in memory: what was read last is the beginning of the next group.
    fn go_on(&self, queue: &mut Queue, group: Gathering) -> Option<Delivery> {
        queue.behind = None;
        group.logged()?;
        if queue.gathering.is_some() || group.rows() == 0 {
            return Some(self.deliver_read(group, false)); // rows that are in no log are being gathered already
        }
        queue.gathering = Some(group);
        None
    }
}
