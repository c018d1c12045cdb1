//! What is in a log that some earlier process left: where it ends, what of it is not settled, and what is damaged.

use std::collections::VecDeque;

use super::record::{Header, Kind};
use super::scan::{Found, Scanner, Source};

/// What is known before the records are read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known {
    pub tail: u64,
    /// The last settled request, if a segment says so.
    pub released: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// Where the next record goes.
    pub head: u64,
    /// Where the first request lies that is not settled.
    pub tail: u64,
    pub released: u64,
    /// The number of the last request.
    pub last: u64,
    /// The last requests of the groups that were cut and are not settled.
    pub cuts: VecDeque<u64>,
    /// The last start that wrote something.
    pub epoch: u32,
    /// Requests that were answered and cannot be read.
    pub damaged: u64,
    /// Requests of the last write that cannot be read: if it was not finished, they were not answered.
    pub unfinished: u64,
}

/// Reads everything between `known.tail` and `end`.
pub fn recover<S: Source>(known: Known, source: S, end: u64) -> Recovered {
    let mut scanner = Scanner::new(source, known.tail, end);
    let mut reading = Reading::begin(known);
    loop {
        let from = scanner.position;
        match scanner.find() {
            Some(Found::Record(header)) => reading.take(&header, from, scanner.position),
            Some(Found::Hole { from }) => reading.hole(from),
            None => return reading.end(),
        }
    }
}

struct Reading {
    head: u64,
    tail: u64,
    released: u64,
    /// The number of the next request, once it is known.
    next: Option<u64>,
    cuts: VecDeque<u64>,
    epoch: u32,
    /// The last write: what lies before it had been synced when it began.
    batch: u64,
    /// Where the bytes behind the last good record begin that are none.
    hole: Option<u64>,
    missing: Vec<Missing>,
}

/// Requests that cannot be read, and where they lay.
struct Missing {
    first: u64,
    last: u64,
    at: u64,
}

impl Reading {
    fn begin(known: Known) -> Self {
        Self {
            head: known.tail,
            tail: known.tail,
            released: known.released.unwrap_or(0),
            next: known.released.map(|released| released.saturating_add(1)),
            cuts: VecDeque::new(),
            epoch: 0,
            batch: 0,
            hole: None,
            missing: Vec::new(),
        }
    }

    fn take(&mut self, header: &Header, from: u64, behind: u64) {
        let again = matches!(header.kind, Kind::Request(_)) && self.next.is_some_and(|next| header.sequence < next);
        if header.epoch < self.epoch || again {
            return self.hole(from); // behind the end of a log that was cut off and written on, but not so far
        }
        let hole = self.hole.take().unwrap_or(from);
        (self.epoch, self.head, self.batch) = (header.epoch, behind, header.batch);
        match header.kind {
            Kind::Request(_) => {
                let first = self.next.unwrap_or(header.sequence);
                if first < header.sequence {
                    let last = header.sequence - 1;
                    self.missing.push(Missing { first, last, at: hole });
                }
                self.next = Some(header.sequence.saturating_add(1));
            }
            Kind::Cut => self.cuts.push_back(header.sequence),
            Kind::Release if header.sequence > self.released => {
                self.released = header.sequence;
                self.tail = u64::try_from(header.moment).unwrap_or(0).max(self.tail);
            }
            Kind::Release => {}
        }
    }

    fn hole(&mut self, from: u64) {
        self.hole.get_or_insert(from);
    }

    fn end(self) -> Recovered {
        let released = self.released;
        let lost = |missing: &Missing| (missing.last + 1).saturating_sub(missing.first.max(released.saturating_add(1)));
        let count = |finished: bool| {
            let missing = self.missing.iter().filter(|missing| (missing.at < self.batch) == finished);
            missing.map(lost).fold(0, u64::saturating_add)
        };
        Recovered {
            head: self.head,
            tail: self.tail.min(self.head),
            released,
            last: self.next.map_or(0, |next| next - 1).max(released),
            epoch: self.epoch,
            damaged: count(true),
            unfinished: count(false),
            cuts: self.cuts.into_iter().filter(|cut| *cut > released).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::HEADER;
    use super::*;
    use crate::wire::Signal;

    impl Source for Vec<u8> {
        fn read(&mut self, position: u64, into: &mut [u8]) {
            for (at, byte) in into.iter_mut().enumerate() {
                *byte = self.get(position as usize + at).copied().unwrap_or(0);
            }
        }
    }

    /// A log in memory: (number of requests in each batch), one epoch.
    fn written(batches: &[u64], epoch: u32, bytes: &mut Vec<u8>, mut next: u64) -> u64 {
        for count in batches {
            let batch = bytes.len() as u64;
            for _ in 0..*count {
                let position = bytes.len() as u64;
                let body = vec![next as u8; next as usize % 50];
                Header::new(Kind::Request(Signal::Traces), epoch, next, batch, 5).write(b"", &body, position, bytes);
                next += 1;
            }
        }
        next
    }

    fn known() -> Known {
        Known {
            tail: 0,
            released: Some(0),
        }
    }

    fn read(bytes: &[u8]) -> Recovered {
        recover(known(), bytes.to_vec(), bytes.len() as u64 + 4096)
    }

    #[test]
    fn a_whole_log_is_found_to_its_end() {
        let mut bytes = Vec::new();
        written(&[3, 1, 2], 1, &mut bytes, 1);
        let found = read(&bytes);
        assert_eq!(
            (found.head, found.last, found.damaged, found.unfinished),
            (bytes.len() as u64, 6, 0, 0)
        );
    }

    #[test]
    fn a_torn_tail_is_cut_off_at_every_length() {
        let mut bytes = Vec::new();
        written(&[2], 1, &mut bytes, 1);
        let safe = bytes.len();
        written(&[3], 1, &mut bytes, 3);
        for length in safe..bytes.len() {
            let found = read(&bytes[..length]);
            assert_eq!(found.damaged, 0, "{length}");
            assert!((2..=5).contains(&found.last) && found.head >= safe as u64);
        }
    }

    #[test]
    fn pages_of_the_last_write_may_have_come_in_any_order() {
        let mut bytes = Vec::new();
        written(&[2], 1, &mut bytes, 1);
        let safe = bytes.len();
        written(&[3], 1, &mut bytes, 3);
        bytes[safe..safe + 8].fill(0); // what is whole of it was taken, even if nobody was told so
        let found = read(&bytes);
        assert_eq!((found.last, found.damaged, found.unfinished), (5, 0, 1));
        assert_eq!(found.head, bytes.len() as u64);
    }

    #[test]
    fn a_damaged_record_is_skipped_and_counted() {
        let mut bytes = Vec::new();
        let starts: Vec<usize> = (1..=4)
            .map(|number| {
                let start = bytes.len();
                written(&[1], 1, &mut bytes, number);
                start
            })
            .collect();
        for at in [starts[1], starts[1] + HEADER] {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0x40;
            let found = read(&bytes);
            assert_eq!((found.last, found.damaged, found.unfinished), (4, 1, 0));
            assert_eq!(found.head, bytes.len() as u64);
        }
    }

    #[test]
    fn what_lies_behind_a_log_that_was_cut_off_is_not_read_again() {
        let mut bytes = Vec::new();
        written(&[2], 1, &mut bytes, 1);
        let safe = bytes.len();
        written(&[4], 1, &mut bytes, 3);
        let mut over = bytes[..safe].to_vec();
        written(&[1], 2, &mut over, 3); // of the same size as the one that lay there
        bytes[..over.len()].copy_from_slice(&over);
        let found = read(&bytes);
        assert_eq!((found.last, found.head, found.epoch), (3, over.len() as u64, 2));
    }

    #[test]
    fn settled_groups_are_left_out() {
        let mut bytes = Vec::new();
        written(&[4], 1, &mut bytes, 1);
        let behind = bytes.len() as u64;
        for (kind, sequence, moment) in [(Kind::Cut, 2, 1), (Kind::Cut, 4, 3), (Kind::Release, 2, 200)] {
            let position = bytes.len() as u64;
            Header::new(kind, 1, sequence, behind, moment).write(b"", b"", position, &mut bytes);
        }
        let found = read(&bytes);
        assert_eq!((found.released, found.tail, found.last), (2, 200, 4));
        assert_eq!(found.cuts, [4]);
    }

    #[test]
    fn any_bytes_at_all_are_read_to_their_end() {
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed
        };
        for round in 0..3000 {
            let mut bytes = Vec::new();
            let next = written(&[random() % 4, random() % 4, random() % 4], 1, &mut bytes, 1);
            let whole = read(&bytes);
            assert_eq!((whole.last + 1, whole.damaged), (next, 0), "round {round}");
            for _ in 0..random() % 6 {
                if bytes.is_empty() {
                    break;
                }
                let at = random() as usize % bytes.len();
                match random() % 3 {
                    0 => bytes[at] = random() as u8,
                    1 => bytes.truncate(at),
                    _ => {
                        let end = bytes.len().min(at + random() as usize % 200);
                        bytes[at..end].fill(random() as u8);
                    }
                }
            }
            let found = read(&bytes);
            assert!(found.last < next && found.damaged <= found.last && found.head <= bytes.len() as u64 + 4096);
            assert!(found.tail <= found.head, "round {round}");
        }
    }
}
