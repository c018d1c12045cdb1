//! Reads requests back, in their order: after a crash, or when more came than memory holds.

use std::collections::VecDeque;
use std::sync::Arc;

use super::record::Kind;
use super::scan::{Found, Scanner};
use super::segments::Reading;
use super::{Backlog, Log, Range, Shared};
use crate::wire::Signal;

pub struct Reader {
    shared: Arc<Shared>,
    scanner: Scanner<Reading>,
    /// The number of the next request.
    next: u64,
    /// The last requests of groups that were cut before.
    cuts: VecDeque<u64>,
    counted: u64,
}

/// A request of the log.
pub struct Logged<'a> {
    pub signal: Signal,
    pub tenant: &'a str,
    pub body: &'a [u8],
    pub arrival: i64,
    pub range: Range,
    /// A group was cut behind it.
    pub ends_group: bool,
}

impl Reader {
    pub(super) fn new(log: &Log, backlog: Backlog) -> Self {
        let reading = Reading::new(log.shared.folder.clone());
        Self {
            shared: Arc::clone(&log.shared),
            scanner: Scanner::new(reading, backlog.from, backlog.from),
            next: backlog.next,
            cuts: backlog.cuts,
            counted: backlog.counted,
        }
    }

    /// The number of the next request.
    pub fn upcoming(&self) -> u64 {
        self.next
    }

    /// The next request that is written. None: there is none yet.
    pub fn read(&mut self) -> Option<Logged<'_>> {
        self.scanner.end = self.shared.lock().written;
        let (header, signal) = loop {
            match self.scanner.find() {
                Some(Found::Record(header)) => match header.kind {
                    Kind::Request(signal) if header.sequence >= self.next => break (header, signal),
                    _ => {}
                },
                Some(Found::Hole { .. }) => {}
                None => {
                    self.scanner.position = self.scanner.end; // records end there: what could not be read is passed over
                    return None;
                }
            }
        };
        while self.cuts.front().is_some_and(|cut| *cut < header.sequence) {
            self.cuts.pop_front();
        }
        self.miss(header.sequence);
        self.next = header.sequence + 1;
        let (tenant, body) = self.scanner.body().split_at(usize::from(header.tenant));
        Some(Logged {
            signal,
            tenant: std::str::from_utf8(tenant).unwrap_or_default(),
            body,
            arrival: header.moment,
            range: Range {
                first: header.sequence,
                last: header.sequence,
                epoch: header.epoch,
                end: self.scanner.position,
            },
            ends_group: self.cuts.front() == Some(&header.sequence),
        })
    }

    /// Goes on behind this request, since what is up to it cannot be read.
    pub fn pass_over(&mut self, last: u64) {
        self.miss(last + 1);
        self.next = last + 1;
    }

    /// Counts what is missing in front of this request.
    fn miss(&self, sequence: u64) {
        let first = self.next.max(self.counted + 1);
        if first < sequence {
            self.shared.lock().damaged += sequence - first;
        }
    }
}
