//! The streams that are open on a connection, and the windows of one.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::time::Instant;

use super::service::Answer;

/// What a window may not exceed (RFC 9113 §6.9.1).
pub const MAX_WINDOW: i64 = (1 << 31) - 1;

/// What a peer may send, and what it sent that was used up since it was told.
#[derive(Debug)]
pub struct Granted {
    left: i64,
    used: u32,
    size: u32,
}

impl Granted {
    pub fn new(size: u32) -> Self {
        Self {
            left: size.into(),
            used: 0,
            size,
        }
    }

    /// False: the peer sent more than it may.
    pub fn take(&mut self, bytes: usize) -> bool {
        self.left -= bytes as i64;
        self.left >= 0
    }

    /// How much to grant anew, once it is worth a frame: half of the window.
    pub fn used(&mut self, bytes: usize) -> Option<u32> {
        self.used += bytes as u32;
        if self.used < self.size / 2 {
            return None;
        }
        self.left += i64::from(self.used);
        Some(std::mem::take(&mut self.used))
    }
}

#[derive(Debug)]
pub struct Stream<C> {
    pub id: u32,
    pub doing: Doing<C>,
    /// The peer has said all.
    pub ended: bool,
    /// What is left of the body, if its length was told.
    pub expected: Option<u64>,
    pub granted: Granted,
    /// Bytes that came, and for which no new ones are granted yet.
    pub held: usize,
    /// What the peer grants; below zero if it changed its mind.
    pub window: i64,
}

#[derive(Debug)]
pub enum Doing<C> {
    Call(C),
    Refused(Refused),
    Unsent(Unsent),
}

/// A request whose head was enough to know the answer. It is told at the end: few clients look for it while they write.
#[derive(Debug)]
pub struct Refused {
    pub answer: Answer,
    /// How much more of its body is read over before it is told all the same.
    pub patience: usize,
    pub since: Instant,
}

/// The part of an answer for which the peer has given no window yet.
#[derive(Debug)]
pub struct Unsent {
    pub data: Cow<'static, [u8]>,
    pub sent: usize,
    pub trailers: Cow<'static, [u8]>,
    pub since: Instant,
}

/// In the order of their numbers, which is the order in which they began.
#[derive(Debug)]
pub struct Streams<C>(pub VecDeque<Stream<C>>);

impl<C> Stream<C> {
    pub fn call(&mut self) -> Option<&mut C> {
        match &mut self.doing {
            Doing::Call(call) => Some(call),
            _ => None,
        }
    }
}

impl<C> Default for Streams<C> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<C> Streams<C> {
    pub fn position(&self, id: u32) -> Option<usize> {
        match self.0.back() {
            Some(last) if last.id == id => Some(self.0.len() - 1), // nearly always
            _ => self.0.binary_search_by_key(&id, |stream| stream.id).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_granted_anew_by_halves() {
        let mut granted = Granted::new(100);
        assert!(granted.take(100));
        assert_eq!(granted.used(49), None);
        assert_eq!(granted.used(1), Some(50));
        assert!(granted.take(50));
        assert!(!granted.take(1));
    }
}
