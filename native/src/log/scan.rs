//! Walks over the records of the log, whatever its bytes are.

use super::record::{ALIGN, HEADER, Header};

/// How much is read at once.
const CHUNK: usize = 1 << 20;

/// Where the bytes come from; tests have them in memory.
pub trait Source {
    /// Fills `into` with the bytes from `position` on; zeros where there are none.
    fn read(&mut self, position: u64, into: &mut [u8]);
}

impl Source for super::segments::Reading {
    fn read(&mut self, position: u64, into: &mut [u8]) {
        Self::read(self, position, into);
    }
}

#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// Its body is in `Scanner::body`.
    Record(Header),
    /// From here up to the next record nothing can be read.
    Hole { from: u64 },
}

pub struct Scanner<S> {
    source: S,
    /// Bytes from `begin` on.
    window: Vec<u8>,
    begin: u64,
    /// Where the next record begins.
    pub position: u64,
    /// Nothing is read from here on.
    pub end: u64,
    body: std::ops::Range<usize>,
}

impl<S: Source> Scanner<S> {
    pub fn new(source: S, position: u64, end: u64) -> Self {
        Self {
            source,
            window: Vec::new(),
            begin: position,
            position,
            end,
            body: 0..0,
        }
    }

    /// The body of the record that was found last.
    pub fn body(&self) -> &[u8] {
        &self.window[self.body.clone()]
    }

    /// The next record or hole. None: no record begins between `position`, which stays, and `end`.
    pub fn find(&mut self) -> Option<Found> {
        let from = self.position;
        if let Some(header) = self.header(from) {
            let (size, length) = (header.size(), header.length as usize);
            let start = self.load(from, size)?;
            self.position = from + size as u64;
            self.body = start + HEADER..start + HEADER + length;
            return Some(if header.fits(self.body()) {
                Found::Record(header)
            } else {
                Found::Hole { from }
            });
        }
        let mut position = from + ALIGN as u64;
        while position + HEADER as u64 <= self.end {
            if self.header(position).is_some() {
                self.position = position;
                return Some(Found::Hole { from });
            }
            position += ALIGN as u64;
        }
        None
    }

    /// The header at a position, if a whole record can be there.
    fn header(&mut self, position: u64) -> Option<Header> {
        let start = self.load(position, HEADER)?;
        let header = Header::read(&self.window[start..], position)?;
        (position + header.size() as u64 <= self.end).then_some(header)
    }

    /// Where in the window the `size` bytes at `position` are. None if they do not end before the end.
    fn load(&mut self, position: u64, size: usize) -> Option<usize> {
        if position + size as u64 > self.end {
            return None;
        }
        let (begin, loaded) = (self.begin, self.window.len() as u64);
        if position < begin || position + size as u64 > begin + loaded {
            let kept = if (begin..begin + loaded).contains(&position) {
                self.window.drain(..(position - begin) as usize);
                self.window.len()
            } else {
                self.window.clear();
                0
            };
            let wanted = size.max(CHUNK).min((self.end - position) as usize);
            if self.window.capacity() > wanted + CHUNK {
                self.window.shrink_to(wanted);
            }
            self.window.resize(wanted.max(kept), 0);
            self.source.read(position + kept as u64, &mut self.window[kept..]);
            self.begin = position;
        }
        Some((position - self.begin) as usize)
    }
}
