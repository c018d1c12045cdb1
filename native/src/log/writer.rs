//! The thread that writes: takes what has come together, makes it safe, answers all of it, and begins again.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::mem;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::segments::{PAGE, Title};
use super::{RETRY_SECONDS, Shared, State};
use crate::delivery::Waiting;
use crate::refusal::Refusal;

/// How long a log that cannot be written is left alone.
const PAUSE: Duration = Duration::from_secs(1);
/// Segments that are kept although nothing is in them, to be used again.
const SPARE: usize = 16;
/// A buffer that once grew beyond this is given back.
const KEPT: usize = 1 << 20;

pub struct Writer {
    shared: Arc<Shared>,
    /// All files by their numbers; those below the tail are spare.
    files: BTreeSet<u64>,
    /// The segment that is being written.
    open: Option<(u64, File)>,
}

/// What is written at once.
struct Batch {
    bytes: Vec<u8>,
    from: u64,
    waiting: Option<Waiting>,
}

impl Writer {
    pub fn new(shared: Arc<Shared>, files: BTreeSet<u64>) -> io::Result<Self> {
        let mut writer = Self { shared, files, open: None };
        let (head, title) = {
            let state = writer.shared.lock();
            (state.head, writer.title(&state))
        };
        // What was never begun, or is behind the head, is not to be taken for the newest segment at the next start.
        let number = head / writer.shared.folder.capacity;
        for behind in writer.files.split_off(&(number + 1)) {
            writer.shared.folder.remove(behind)?;
        }
        if writer.files.contains(&number) {
            let file = writer.shared.folder.open(number, true)?;
            file.write_all_at(&Title { number, ..title }.page(), 0)?;
            file.sync_data()?;
            writer.open = Some((number, file));
        }
        Ok(writer)
    }

    pub fn run(mut self) {
        let mut spare = Vec::new();
        while let Some(mut batch) = self.take(mem::take(&mut spare)) {
            if !self.write_until_it_works(&mut batch) {
                return;
            }
            spare = batch.bytes;
            spare.clear();
            spare.shrink_to(KEPT);
            self.trim();
        }
    }

    /// Waits for something to write. None: the log is closed.
    fn take(&self, spare: Vec<u8>) -> Option<Batch> {
        let mut state = self.shared.lock();
        while state.pending.is_empty() {
            if state.closed {
                return None;
            }
            state.idle = true;
            state = self.shared.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let state = &mut *state;
        state.idle = false;
        let from = mem::replace(&mut state.batch, state.head);
        Some(Batch {
            bytes: mem::replace(&mut state.pending, spare),
            from,
            waiting: state.waiting.take(),
        })
    }

    /// A batch that cannot be written is written again, whole: after a failed sync the system may have forgotten what it did not write.
    fn write_until_it_works(&mut self, batch: &mut Batch) -> bool {
        loop {
            let begun = Instant::now();
            match self.write(batch) {
                Ok(()) => {
                    self.done(batch, begun.elapsed());
                    return true;
                }
                Err(error) => {
                    self.open = None;
                    if !self.failed(batch, &error) {
                        return false;
                    }
                }
            }
        }
    }

    fn write(&mut self, batch: &Batch) -> io::Result<()> {
        let capacity = self.shared.folder.capacity;
        let (mut position, mut bytes) = (batch.from, &batch.bytes[..]);
        while !bytes.is_empty() {
            let (number, at) = (position / capacity, position % capacity);
            let (here, rest) = bytes.split_at(bytes.len().min((capacity - at) as usize));
            let file = self.segment(number)?;
            file.write_all_at(here, at + PAGE as u64)?;
            file.sync_data()?;
            position += here.len() as u64;
            bytes = rest;
        }
        Ok(())
    }

    fn segment(&mut self, number: u64) -> io::Result<&File> {
        if self.open.as_ref().is_none_or(|(open, _)| *open != number) {
            self.open = None;
            let file = self.begin(number)?;
            self.open = Some((number, file));
        }
        self.open
            .as_ref()
            .map(|(_, file)| file)
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// A segment to write into: one that is there, one that is used again, or a new one.
    fn begin(&mut self, number: u64) -> io::Result<File> {
        let folder = &self.shared.folder;
        let title = self.title(&self.shared.lock());
        if !self.files.contains(&number) {
            let oldest = self.files.first().copied().filter(|oldest| *oldest < title.tail / folder.capacity);
            match oldest {
                Some(oldest) => {
                    folder.rename(oldest, number)?;
                    self.files.remove(&oldest);
                }
                None => folder.create(number)?,
            }
            self.files.insert(number);
        }
        let file = folder.open(number, true)?;
        file.write_all_at(&Title { number, ..title }.page(), 0)?;
        Ok(file)
    }

    fn title(&self, state: &State) -> Title {
        Title {
            log: self.shared.id,
            number: 0,
            tail: state.tail,
            released: state.released,
            epoch: self.shared.epoch,
        }
    }

    fn done(&self, batch: &mut Batch, took: Duration) {
        let mut state = self.shared.lock();
        state.written = batch.from + batch.bytes.len() as u64;
        state.failing = None;
        state.syncs += 1;
        state.syncing += took;
        drop(state);
        self.shared.written.notify_all();
        if let Some(waiting) = batch.waiting.take() {
            waiting.send_replace(Some(Ok(())));
        }
    }

    /// Tells those who wait, and lets some time pass. False: the log is closed.
    fn failed(&self, batch: &mut Batch, error: &io::Error) -> bool {
        let mut state = self.shared.lock();
        state.failing = Some(error.to_string());
        let waiting = [batch.waiting.take(), state.waiting.take()];
        drop(state);
        let refusal = Refusal::later(format!("the write-ahead log cannot be written: {error}"), RETRY_SECONDS);
        for waiting in waiting.into_iter().flatten() {
            waiting.send_replace(Some(Err(refusal.clone())));
        }
        let state = self.shared.lock();
        if state.closed {
            return false;
        }
        let (state, _) = self.shared.work.wait_timeout(state, PAUSE).unwrap_or_else(PoisonError::into_inner);
        !state.closed
    }

    /// Gives back what a backlog took that is worked off.
    fn trim(&mut self) {
        if self.files.len() <= SPARE {
            return;
        }
        let needed = self.shared.lock().tail / self.shared.folder.capacity;
        let spare = self.files.range(..needed).count();
        for _ in SPARE..spare {
            if let Some(oldest) = self.files.first().copied() {
                if self.shared.folder.remove(oldest).is_err() {
                    return; // the next time, or never: it is used again anyway
                }
                self.files.remove(&oldest);
            }
        }
    }
}
