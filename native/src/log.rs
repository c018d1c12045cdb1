//! The write-ahead log of a lane: requests as they were received, safe on the disk before their senders are answered.
//!
//! Requests are put one behind the other into memory; one thread writes what has come together, syncs it once and answers all of it. So
//! groups form by themselves: the slower the disk, the larger they are. What a group of the lane ends with is written down too, so that a
//! replay makes the same groups. Everything before the oldest group that is not settled is overwritten.

pub mod moving;
mod reader;
pub mod record;
pub mod recover;
pub mod scan;
pub mod segments;
mod writer;

use std::collections::VecDeque;
use std::fs::DirBuilder;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::delivery::{Verdict, Waiting};
use crate::refusal::Refusal;
use crate::wire::Signal;

pub use reader::{Logged, Reader};
use record::{Header, Kind};
use recover::{Known, Recovered, recover};
use segments::{Folder, NoTitle, PAGE, Reading, VERSION};

/// Size of a segment, unless the log is small.
const SEGMENT: u64 = 16 << 20;
/// A log has at least so many segments.
const SEGMENTS: u64 = 8;
/// Room that requests leave for the small records that let the log go on.
const RESERVE: u64 = 64 << 10;
/// What may wait to be written, before a disk that does not keep up is told to the senders.
const PENDING: usize = 64 << 20;
/// After how many seconds a sender may try again if the log cannot take its request.
const RETRY_SECONDS: f64 = 2.0;

/// Requests that lie one behind the other: what a group is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub first: u64,
    pub last: u64,
    /// Which start of the collector logged the last one: a request that was never safe may give its number to another one.
    pub epoch: u32,
    /// The position behind the last one.
    pub end: u64,
}

impl Range {
    /// This range and the one right behind it.
    pub fn extended(range: Option<Self>, by: Self) -> Self {
        range.map_or(by, |range| Self { first: range.first, ..by })
    }
}

/// What a reader that found nothing more has not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    Nothing,
    /// Something that is being written.
    Unwritten,
    /// Everything up to this request, which is written but not there.
    Lost(u64),
}

/// Why a log cannot be opened.
#[derive(Debug)]
pub enum Failed {
    Io(io::Error),
    /// A later version of this program wrote this file, in this version of the format.
    Newer(std::path::PathBuf, u32),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// What was found when the log was opened.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    /// Requests that are not settled, and how many bytes they take.
    pub requests: u64,
    pub bytes: u64,
    pub damaged: u64,
    pub unfinished: u64,
}

pub struct Log {
    shared: Arc<Shared>,
    pub report: Report,
    /// Where the backlog of an earlier process begins, until somebody reads it.
    backlog: Mutex<Option<Backlog>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    process: u32,
}

struct Backlog {
    from: u64,
    next: u64,
    cuts: VecDeque<u64>,
    /// What is damaged up to this request has been counted.
    counted: u64,
}

struct Shared {
    folder: Folder,
    id: u64,
    epoch: u32,
    segments: u64,
    state: Mutex<State>,
    /// Rings for the writer.
    work: Condvar,
    /// Rings when something is written.
    written: Condvar,
}

#[derive(Default)]
struct State {
    /// Records that are to be written, and who waits for them.
    pending: Vec<u8>,
    waiting: Option<Waiting>,
    /// Where `pending` begins, and the next record.
    batch: u64,
    head: u64,
    /// Everything before it is safe.
    written: u64,
    /// Where the oldest request lies that is not settled.
    tail: u64,
    released: u64,
    last: u64,
    /// What the system said when the log could not be written.
    failing: Option<String>,
    /// A group is kept for the next start: nothing is released any more.
    held: bool,
    closed: bool,
    idle: bool,
    syncs: u64,
    syncing: Duration,
    damaged: u64,
}

impl Log {
    /// Opens the log in a directory, which is made if it is not there, and finds out what is in it.
    pub fn open(path: &Path, max_size: u64) -> Result<Self, Failed> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let (mut numbers, size) = Folder::list(path)?;
        let smallest = (PAGE * 2) as u64;
        let segment = match size {
            Some(size) => size.max(smallest),
            None => (max_size / SEGMENTS).next_multiple_of(PAGE as u64).clamp(smallest, SEGMENT),
        };
        let folder = Folder::new(path, segment);
        let (known, id, begun) = known(&folder, &numbers)?;
        let end = numbers.last().map_or(known.tail, |last| (last + 1) * folder.capacity);
        let found = recover(known, Reading::new(folder.clone()), end);
        let epoch = found.epoch.max(begun).saturating_add(1);
        if numbers.is_empty() {
            folder.create(0)?;
            numbers.insert(0);
        }
        let shared = Arc::new(Shared {
            id,
            epoch,
            segments: (max_size / segment).max(SEGMENTS / 2),
            state: Mutex::new(State::found(&found)),
            work: Condvar::new(),
            written: Condvar::new(),
            folder,
        });
        let writer = writer::Writer::new(Arc::clone(&shared), numbers)?;
        let thread = std::thread::Builder::new().name("log".into()).spawn(move || writer.run())?;
        Ok(Self {
            report: found.report(),
            backlog: Mutex::new((found.last > found.released).then(|| Backlog {
                from: found.tail,
                next: found.released + 1,
                cuts: found.cuts,
                counted: found.last,
            })),
            shared,
            thread: Mutex::new(Some(thread)),
            process: std::process::id(),
        })
    }

    /// Err tells why a request of so many bytes is not taken now.
    pub fn has_room(&self, bytes: usize) -> Result<(), Refusal> {
        let state = self.shared.lock();
        if let Some(error) = &state.failing {
            return Err(Refusal::later(
                format!("the write-ahead log cannot be written: {error}"),
                RETRY_SECONDS,
            ));
        }
        let size = record::size(bytes) as u64 + RESERVE;
        if size > self.shared.capacity() {
            return Err(Refusal::TooLarge(format!("{bytes} bytes do not fit into the write-ahead log")));
        }
        if state.head + size > self.shared.limit(state.tail) {
            return Err(Refusal::later("the write-ahead log is full", RETRY_SECONDS));
        }
        if !state.pending.is_empty() && state.pending.len() + bytes > PENDING {
            return Err(Refusal::later("the disk does not keep up", RETRY_SECONDS));
        }
        Ok(())
    }

    /// Whether requests should wait until something is released. A log that cannot be written is no reason to wait: it says so.
    pub fn is_nearly_full(&self) -> bool {
        let state = self.shared.lock();
        state.failing.is_none() && state.head + self.shared.capacity() / 8 + RESERVE > self.shared.limit(state.tail)
    }

    /// Adds a request, for which there must be room. The verdict comes when it is safe.
    pub fn append(&self, signal: Signal, tenant: &str, body: &[u8], arrival: i64) -> (Range, Verdict) {
        let mut state = self.shared.lock();
        state.last += 1;
        let sequence = state.last;
        let header = Header::new(Kind::Request(signal), self.shared.epoch, sequence, state.batch, arrival);
        let end = self.shared.put(&mut state, header, tenant, body);
        let verdict = state.waiting.get_or_insert_with(|| watch::Sender::new(None)).subscribe();
        let range = Range {
            first: sequence,
            last: sequence,
            epoch: self.shared.epoch,
            end,
        };
        (range, verdict)
    }

    /// Writes down that a group ends here.
    pub fn cut(&self, group: Range) {
        let first = i64::try_from(group.first).unwrap_or(0);
        self.shared.note(&mut self.shared.lock(), Kind::Cut, group.last, first);
    }

    /// A group is settled, and all before it.
    pub fn release(&self, group: Range) {
        let mut state = self.shared.lock();
        if state.held || group.last <= state.released {
            return;
        }
        (state.released, state.tail) = (group.last, group.end);
        let end = i64::try_from(group.end).unwrap_or(0);
        self.shared.note(&mut state, Kind::Release, group.last, end);
    }

    /// A group could not be stored and stays here for the next start, and so does everything behind it.
    pub fn hold(&self) {
        self.shared.lock().held = true;
    }

    /// Waits until everything that was added so far is safe; false if it is not in time.
    pub fn wait(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let mut state = self.shared.lock();
        let target = state.head;
        while state.written < target {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || state.closed {
                return false;
            }
            state = self
                .shared
                .written
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        true
    }

    /// What a group's inserts are told apart by: the same for the same requests, also after a restart.
    pub fn token(&self, group: Range) -> String {
        format!("{:016x}-{}.{}.{}", self.shared.id, group.first, group.last, group.epoch)
    }

    /// Whether an earlier process wrote this group, and may have begun to store it.
    pub fn is_replayed(&self, group: Range) -> bool {
        group.epoch < self.shared.epoch
    }

    /// Reads what an earlier process left, if there is something.
    pub fn backlog(&self) -> Option<Reader> {
        let backlog = self.backlog.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(Reader::new(self, backlog))
    }

    /// Reads what is added from now on.
    pub fn reader(&self) -> Reader {
        let state = self.shared.lock();
        let (from, next) = (state.head, state.last + 1);
        drop(state);
        Reader::new(
            self,
            Backlog {
                from,
                next,
                cuts: VecDeque::new(),
                counted: 0,
            },
        )
    }

    /// What was added since the reader read, or could not be read.
    pub fn unread(&self, reader: &Reader) -> Unread {
        let state = self.shared.lock();
        if state.last < reader.upcoming() {
            Unread::Nothing
        } else if state.written < state.head {
            Unread::Unwritten
        } else {
            Unread::Lost(state.last)
        }
    }

    /// Counts requests that were there and cannot be read any more.
    pub fn damaged(&self, requests: u64) {
        self.shared.lock().damaged += requests;
    }

    /// Samples: name → value.
    pub fn samples(&self) -> Vec<(&'static str, f64)> {
        let state = self.shared.lock();
        vec![
            ("sojourn_log_bytes", (state.head - state.tail) as f64),
            ("sojourn_log_capacity_bytes", self.shared.capacity() as f64),
            ("sojourn_log_requests", (state.last - state.released.min(state.last)) as f64),
            ("sojourn_log_syncs_total", state.syncs as f64),
            ("sojourn_log_sync_seconds_total", state.syncing.as_secs_f64()),
            ("sojourn_log_damaged_requests_total", state.damaged as f64),
            ("sojourn_log_failing", f64::from(u8::from(state.failing.is_some()))),
        ]
    }

    /// What the system said, if the log cannot be written now.
    pub fn failing(&self) -> Option<String> {
        self.shared.lock().failing.clone()
    }

    /// Writes what is left and ends. Again: nothing happens.
    pub fn close(&self) {
        self.shared.lock().closed = true;
        self.shared.work.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread.filter(|_| self.process == std::process::id()) {
            let _ = thread.join(); // a panic there was printed
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn capacity(&self) -> u64 {
        (self.segments - 1) * self.folder.capacity // the one in which the tail lies may be nearly used up
    }

    /// The position up to which the segments reach.
    fn limit(&self, tail: u64) -> u64 {
        (tail / self.folder.capacity + self.segments) * self.folder.capacity
    }

    /// Adds a record that is no request.
    fn note(&self, state: &mut State, kind: Kind, sequence: u64, moment: i64) {
        let header = Header::new(kind, self.epoch, sequence, state.batch, moment);
        self.put(state, header, "", b"");
    }

    /// Adds a record; gives the position behind it.
    fn put(&self, state: &mut State, header: Header, tenant: &str, body: &[u8]) -> u64 {
        let (position, before) = (state.head, state.pending.len());
        header.write(tenant.as_bytes(), body, position, &mut state.pending);
        state.head += (state.pending.len() - before) as u64;
        if state.idle {
            state.idle = false;
            self.work.notify_one();
        }
        state.head
    }
}

impl State {
    fn found(found: &Recovered) -> Self {
        Self {
            batch: found.head,
            head: found.head,
            written: found.head,
            tail: found.tail,
            released: found.released,
            last: found.last,
            damaged: found.damaged,
            ..Self::default()
        }
    }
}

impl Recovered {
    fn report(&self) -> Report {
        Report {
            requests: self.last - self.released,
            bytes: self.head - self.tail,
            damaged: self.damaged,
            unfinished: self.unfinished,
        }
    }
}

/// What the titles of the segments say, the id of the log, and its last start.
fn known(folder: &Folder, numbers: &std::collections::BTreeSet<u64>) -> Result<(Known, u64, u32), Failed> {
    let mut newest: Option<segments::Title> = None;
    for number in numbers {
        match folder.title(*number)? {
            Ok(title) if title.number == *number => newest = Some(title),
            Err(NoTitle::Newer(version)) => return Err(Failed::Newer(folder.file(*number), version)),
            Ok(_) | Err(NoTitle::Damaged) => {} // not begun, or its records tell enough
        }
    }
    Ok(match newest {
        Some(title) => {
            let known = Known {
                tail: title.tail,
                released: Some(title.released),
            };
            (known, title.log, title.epoch)
        }
        None => {
            let tail = numbers.first().map_or(0, |first| first * folder.capacity);
            let released = numbers.is_empty().then_some(0);
            (Known { tail, released }, RandomState::new().build_hasher().finish(), 0)
        }
    })
}

/// The version of the format that is written.
pub const FORMAT: u32 = VERSION;

#[cfg(test)]
mod tests;
