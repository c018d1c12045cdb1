//! Bodies: under the windows that were granted, piece by piece or at once.

use std::mem;

use super::super::frame::{self, Code, Fault, Head, flag};
use super::super::service::{Service, Step};
use super::super::stream::Doing;
use super::{Leaving, Session};

/// A frame of data that is larger than what was read of it: its pieces are handed over as they come.
pub struct Part {
    stream: u32,
    left: usize,
    end: bool,
}

impl<S: Service> Session<S> {
    pub(super) fn whole_data(&mut self, service: &mut S, head: &Head, payload: &[u8]) -> Result<(), Fault> {
        let data = head.unpad(payload)?;
        if let Some(index) = self.admit_data(head, data.len())? {
            self.credit(index, payload.len() - data.len());
            self.deliver(service, index, data, head.has(flag::END_STREAM));
        }
        Ok(())
    }

    /// A frame without padding, of which not all is here.
    pub(super) fn begin_data(&mut self, head: &Head) -> Result<(), Fault> {
        // what is not wanted is read over, and granted anew by `admit_data` already
        self.part = Some(Part {
            stream: 0,
            left: head.length,
            end: head.has(flag::END_STREAM),
        });
        if self.admit_data(head, head.length)?.is_some()
            && let Some(part) = &mut self.part
        {
            part.stream = head.stream;
        }
        Ok(())
    }

    pub(super) fn continue_data(&mut self, service: &mut S, input: &[u8]) -> usize {
        let Some(part) = &mut self.part else { return 0 };
        let data = &input[..input.len().min(part.left)];
        part.left -= data.len();
        let (id, whole) = (part.stream, part.left == 0);
        let end = part.end && whole;
        if whole {
            self.part = None;
        }
        match self.streams.position(id) {
            Some(index) if !data.is_empty() => self.deliver(service, index, data, end),
            None if id != 0 => self.use_up(data.len()), // it was ended between two pieces
            _ => {}
        }
        data.len()
    }

    /// Counts a frame against the windows, and says whose it is. None: nobody's any more.
    fn admit_data(&mut self, head: &Head, length: usize) -> Result<Option<usize>, Fault> {
        let (id, end) = (head.stream, head.has(flag::END_STREAM));
        if self.is_idle(id) && self.leaving != Leaving::Last {
            return Err(Fault::Connection(Code::Protocol, "DATA of a stream that was not opened"));
        }
        if !self.granted.take(head.length) {
            return Err(Fault::Connection(Code::FlowControl, "more DATA than the connection's window"));
        }
        if length == 0 && !end {
            self.spend()?;
        }
        let Some(index) = self.streams.position(id) else {
            self.use_up(head.length);
            let expected = self.leaving == Leaving::Last || self.forgotten.contains(&id);
            return if expected {
                Ok(None)
            } else {
                Err(Fault::Stream(id, Code::StreamClosed))
            };
        };
        let stream = &mut self.streams.0[index];
        let code = if stream.ended {
            Code::StreamClosed
        } else if !stream.granted.take(head.length) {
            Code::FlowControl
        } else if !as_told(&mut stream.expected, length, end) {
            Code::Protocol
        } else {
            return Ok(Some(index));
        };
        self.use_up(head.length);
        Err(Fault::Stream(id, code))
    }

    pub(super) fn deliver(&mut self, service: &mut S, index: usize, data: &[u8], end: bool) {
        let now = self.now;
        let stream = &mut self.streams.0[index];
        stream.ended |= end;
        let step = match &mut stream.doing {
            Doing::Call(call) => service.data(call, data, end, now),
            Doing::Refused(refused) if end || refused.patience < data.len() => Step::Answer(mem::take(&mut refused.answer)),
            Doing::Refused(refused) => {
                refused.patience -= data.len();
                Step::Read
            }
            Doing::Unsent(_) => Step::Read, // it is answered, and what it says is of no interest
        };
        self.apply(index, data.len(), step);
    }

    /// `read` bytes were read, and this is what comes of them.
    pub(super) fn apply(&mut self, index: usize, read: usize, step: Step) {
        match step {
            Step::Hold => self.streams.0[index].held += read,
            Step::Read => {
                let held = mem::take(&mut self.streams.0[index].held);
                self.credit(index, held + read);
            }
            Step::Answer(answer) => {
                self.use_up(read);
                self.answer(index, answer);
            }
        }
    }

    /// Lets the peer send so much more on a stream and on the connection.
    fn credit(&mut self, index: usize, bytes: usize) {
        if bytes == 0 {
            return;
        }
        self.use_up(bytes);
        let stream = &mut self.streams.0[index];
        if !stream.ended
            && let Some(bytes) = stream.granted.used(bytes)
        {
            frame::write_window_update(&mut self.out, stream.id, bytes);
        }
    }

    /// Lets the peer send so much more on the connection.
    pub(super) fn use_up(&mut self, bytes: usize) {
        if let Some(bytes) = self.granted.used(bytes) {
            frame::write_window_update(&mut self.out, 0, bytes);
        }
    }
}

/// Whether a body is as long as its `content-length` says (RFC 9113 §8.1.1).
fn as_told(expected: &mut Option<u64>, length: usize, end: bool) -> bool {
    let Some(left) = expected else { return true };
    match left.checked_sub(length as u64) {
        Some(rest) => *left = rest,
        None => return false,
    }
    !end || *left == 0
}
