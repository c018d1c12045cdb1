//! What happens when nothing happens.

use std::mem;
use std::time::Instant;

use super::super::frame::{Code, Fault};
use super::super::service::{Service, Step};
use super::super::stream::{Doing, Stream};
use super::{Leaving, Session};

impl<S: Service> Session<S> {
    /// When to call `expire`, if nothing happens before.
    pub fn deadline(&self, service: &S) -> Option<Instant> {
        if self.is_over() {
            return None;
        }
        let streams = self.streams.0.iter().filter_map(|stream| self.stream_deadline(service, stream));
        let block = self.unfinished.as_ref().map(|block| block.since + self.limits.header);
        streams.chain(block).chain(self.silent()).min()
    }

    /// Deals with everything whose time is up.
    pub fn expire(&mut self, service: &mut S) {
        let now = self.now;
        if self
            .unfinished
            .as_ref()
            .is_some_and(|block| now >= block.since + self.limits.header)
        {
            return self.fault(Fault::Connection(Code::EnhanceYourCalm, "the header block takes too long"));
        }
        if self.silent().is_some_and(|silent| now >= silent) {
            match self.leaving {
                Leaving::No => self.farewell(),
                _ => self.last_word(),
            }
        }
        self.each(|this, index| this.expire_stream(service, index));
    }

    fn stream_deadline(&self, service: &S, stream: &Stream<S::Call>) -> Option<Instant> {
        match &stream.doing {
            Doing::Call(call) => service.deadline(call),
            Doing::Refused(refused) => Some(refused.since + self.limits.answer),
            Doing::Unsent(unsent) => Some(unsent.since + self.limits.answer),
        }
    }

    fn expire_stream(&mut self, service: &mut S, index: usize) {
        let due = self.stream_deadline(service, &self.streams.0[index]);
        if due.is_none_or(|due| self.now < due) {
            return;
        }
        let stream = &mut self.streams.0[index];
        let step = match &mut stream.doing {
            Doing::Call(call) => service.expired(call, self.now),
            Doing::Refused(refused) => Step::Answer(mem::take(&mut refused.answer)),
            Doing::Unsent(_) => {
                let id = stream.id;
                return self.fault(Fault::Stream(id, Code::Cancel));
            }
        };
        self.apply(index, 0, step);
    }

    /// Until when a connection without streams may stay, or one that was told to leave may know better.
    fn silent(&self) -> Option<Instant> {
        match self.leaving {
            Leaving::Told(since) => Some(since + self.limits.farewell),
            Leaving::No if self.streams.0.is_empty() => {
                Some(self.quiet + if self.newest == 0 { self.limits.header } else { self.limits.idle })
            }
            _ => None,
        }
    }
}
