//! Header blocks: the beginning of a request, or its trailers.

use std::time::Instant;

use super::super::fields::{Bad, Rules};
use super::super::frame::{Code, Fault, Head, flag, number};
use super::super::service::{Answer, Service};
use super::super::stream::{Doing, Granted, Refused, Stream};
use super::{Leaving, RECENT, Session, WINDOW};

/// How much of a header block is put together, compressed, and in how many frames. More than a list may have in the end, so that a list
/// which is a little too large is answered; beyond this the connection ends.
const MAX_BLOCK: usize = 64 << 10;
const MAX_FRAMES: usize = 32;
/// How much of the body of a refused request is read over.
const PATIENCE: usize = 64 << 10;

pub struct Unfinished {
    pub stream: u32,
    pub since: Instant,
    end: bool,
    block: Vec<u8>,
    frames: usize,
}

/// What a header block said that was read before.
#[derive(Clone, Copy)]
pub struct Known<P> {
    plan: P,
    length: Option<u64>,
}

impl<S: Service> Session<S> {
    pub(super) fn headers(&mut self, service: &mut S, head: &Head, payload: &[u8]) -> Result<(), Fault> {
        if head.stream == 0 {
            return Err(Fault::Connection(Code::Protocol, "HEADERS without a stream"));
        }
        let mut block = head.unpad(payload)?;
        let mut parent = None;
        if head.has(flag::PRIORITY) {
            let short = Fault::Connection(Code::FrameSize, "HEADERS too short for its priority");
            let (&[a, b, c, d, _weight], rest) = block.split_first_chunk().ok_or(short)?;
            parent = Some(number([a, b, c, d]));
            block = rest;
        }
        let end = head.has(flag::END_STREAM);
        if head.has(flag::END_HEADERS) {
            self.block(service, head.stream, end, block)?;
        } else {
            self.unfinished = Some(Unfinished {
                stream: head.stream,
                since: self.now,
                end,
                block: block.to_vec(),
                frames: 0,
            });
        }
        if parent == Some(head.stream) {
            return Err(Fault::Stream(head.stream, Code::Protocol)); // a stream that depends on itself
        }
        Ok(())
    }

    pub(super) fn continuation(&mut self, service: &mut S, head: &Head, payload: &[u8]) -> Result<(), Fault> {
        let Some(mut unfinished) = self.unfinished.take() else {
            return Ok(());
        };
        unfinished.frames += 1;
        if unfinished.block.len() + payload.len() > MAX_BLOCK || unfinished.frames > MAX_FRAMES {
            return Err(Fault::Connection(Code::EnhanceYourCalm, "the header block is too large"));
        }
        unfinished.block.extend_from_slice(payload);
        if head.has(flag::END_HEADERS) {
            return self.block(service, unfinished.stream, unfinished.end, &unfinished.block);
        }
        self.unfinished = Some(unfinished);
        Ok(())
    }

    /// A block, whatever the state of its stream: also one that nobody reads may change the table.
    fn block(&mut self, service: &mut S, id: u32, end: bool, block: &[u8]) -> Result<(), Fault> {
        if let Some(index) = self.streams.position(id) {
            return self.trailers(service, index, end, block);
        }
        if id > self.newest && id % 2 == 1 {
            return self.request(service, id, end, block);
        }
        self.read(block, |_, _| ())?;
        if self.forgotten.contains(&id) {
            Ok(())
        } else if self.recent[place(id)] == id {
            Err(Fault::Connection(Code::StreamClosed, "HEADERS of a stream that has ended"))
        } else {
            Err(Fault::Connection(
                Code::Protocol,
                "a new stream must have an odd number above all others",
            ))
        }
    }

    fn request(&mut self, service: &mut S, id: u32, end: bool, block: &[u8]) -> Result<(), Fault> {
        if self.leaving == Leaving::Last {
            return self.read(block, |_, _| ()); // the peer was told that it would not be served
        }
        self.newest = id;
        self.recent[place(id)] = id;
        let generation = (self.decoder.generation(), service.epoch());
        let (plan, length) = match self.blocks.meaning(generation, block) {
            Some(known) => (Ok(known.plan), known.length),
            None => self.understand(service, id, block)?,
        };
        if self.streams.0.len() >= self.limits.streams as usize {
            return Err(Fault::Stream(id, Code::RefusedStream));
        }
        if let Ok(plan) = plan
            && generation.0 == self.decoder.generation()
        {
            self.blocks.keep(generation, block, Known { plan, length });
        }
        self.open(service, id, end, plan, length)
    }

    /// Reads a block that is not known.
    #[allow(clippy::type_complexity)] // the plan or the answer, and the length that was told
    fn understand(&mut self, service: &mut S, id: u32, block: &[u8]) -> Result<(Result<S::Plan, Answer>, Option<u64>), Fault> {
        let (mut rules, mut head) = (Rules::default(), S::Head::default());
        self.read(block, |name, value| {
            rules.field(name, value);
            S::field(&mut head, name, value);
        })?;
        match rules.request() {
            Ok(length) => Ok((service.plan(head), length)),
            Err(Bad::Malformed) => Err(Fault::Stream(id, Code::Protocol)),
            Err(Bad::TooLarge) => Ok((Err(too_large()), None)),
        }
    }

    fn open(&mut self, service: &mut S, id: u32, end: bool, plan: Result<S::Plan, Answer>, length: Option<u64>) -> Result<(), Fault> {
        if end && length.unwrap_or(0) > 0 {
            return Err(Fault::Stream(id, Code::Protocol));
        }
        let doing = match plan {
            Ok(plan) => Doing::Call(service.begin(plan, self.now)),
            Err(answer) => Doing::Refused(Refused {
                answer,
                patience: PATIENCE,
                since: self.now,
            }),
        };
        self.streams.0.push_back(Stream {
            id,
            doing,
            ended: end,
            expected: length,
            granted: Granted::new(WINDOW),
            held: 0,
            window: self.stream_window.into(),
        });
        if end {
            self.deliver(service, self.streams.0.len() - 1, &[], true);
        }
        Ok(())
    }

    fn trailers(&mut self, service: &mut S, index: usize, end: bool, block: &[u8]) -> Result<(), Fault> {
        let mut rules = Rules::default();
        self.read(block, |name, value| rules.field(name, value))?;
        let stream = &self.streams.0[index];
        if stream.ended {
            return Err(Fault::Stream(stream.id, Code::StreamClosed));
        }
        if !end || rules.trailers().is_err() || stream.expected.unwrap_or(0) > 0 {
            return Err(Fault::Stream(stream.id, Code::Protocol));
        }
        self.deliver(service, index, &[], true);
        Ok(())
    }

    fn read(&mut self, block: &[u8], each: impl FnMut(&[u8], &[u8])) -> Result<(), Fault> {
        let broken = |_| Fault::Connection(Code::Compression, "the header block cannot be read");
        self.decoder.decode(block, each).map_err(broken)
    }

    /// Whether a stream was never opened.
    pub(super) fn is_idle(&self, id: u32) -> bool {
        id > self.newest || id.is_multiple_of(2)
    }
}

fn place(id: u32) -> usize {
    (id / 2) as usize % RECENT
}

fn too_large() -> Answer {
    let mut head = Vec::new();
    super::super::hpack::encode(&mut head, b":status", b"431");
    Answer {
        head: head.into(),
        ..Answer::default()
    }
}
