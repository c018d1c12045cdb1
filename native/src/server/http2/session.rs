//! One connection: the order of its frames, and what happens when it is broken. What the frames mean is in the modules below.

mod answers;
mod control;
mod data;
mod headers;
#[cfg(test)]
mod tests;
mod time;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::blocks::Blocks;
use super::calm::Calm;
use super::fields::MAX_LIST;
use super::frame::{self, Code, Fault, HEAD, Head, MAX_PAYLOAD, PREFACE, flag, kind, setting};
use super::hpack::Decoder;
use super::service::{Service, Step};
use super::stream::{Doing, Granted, Stream, Streams};

/// Larger windows are slower on one host: what is in flight falls out of the cache (measured: 1 MiB 81 µs, 4 MiB 193 µs per 512 spans).
const WINDOW: u32 = 1 << 20;
/// What every window begins with, until a peer says something else.
const FIRST_WINDOW: u32 = 65_535;
/// No more is read while so much waits to be written.
const MAX_OUT: usize = 64 << 10;
/// How many streams that we ended before the peer did are remembered, so that what it still sends on them is no fault.
const REMEMBERED: usize = 512;
const RECENT: usize = 64;

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub streams: u32,
    /// From the beginning to the first request, and for a header block in pieces.
    pub header: Duration,
    /// For a peer that does not take its answer.
    pub answer: Duration,
    /// Between two requests.
    pub idle: Duration,
    /// For a peer that was told to leave.
    pub farewell: Duration,
}

#[derive(Debug, PartialEq, Eq)]
enum Phase {
    Preface,
    /// The first frame must be this one.
    Settings,
    Open,
    Over,
}

/// How far a friendly end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    No,
    /// The peer was told to begin no more streams; those that are on their way are served.
    Told(Instant),
    /// No more streams are served than are open.
    Last,
}

pub struct Session<S: Service> {
    /// What is to be written. Whoever writes it takes it away.
    pub out: Vec<u8>,
    limits: Limits,
    now: Instant,
    phase: Phase,
    leaving: Leaving,
    decoder: Decoder,
    blocks: Blocks<headers::Known<S::Plan>>,
    /// A header block of which more is to come.
    unfinished: Option<headers::Unfinished>,
    /// A frame of data of which more is to come.
    part: Option<data::Part>,
    streams: Streams<S::Call>,
    /// The highest number of a stream.
    newest: u32,
    /// The last streams that were opened, each in the place of its number.
    recent: [u32; RECENT],
    /// Streams that we ended before the peer did.
    forgotten: VecDeque<u32>,
    granted: Granted,
    window: i64,
    stream_window: u32,
    /// Streams with an answer that waits for a window.
    unsent: usize,
    calm: Calm,
    /// Since when there is no stream.
    quiet: Instant,
}

impl<S: Service> Session<S> {
    pub fn new(limits: Limits, now: Instant) -> Self {
        let mut out = Vec::new();
        let settings = [
            (setting::MAX_CONCURRENT_STREAMS, limits.streams),
            (setting::INITIAL_WINDOW_SIZE, WINDOW),
            (setting::MAX_HEADER_LIST_SIZE, MAX_LIST),
        ];
        frame::write_settings(&mut out, &settings);
        frame::write_window_update(&mut out, 0, WINDOW - FIRST_WINDOW);
        Self {
            out,
            limits,
            now,
            phase: Phase::Preface,
            leaving: Leaving::No,
            decoder: Decoder::default(),
            blocks: Blocks::default(),
            unfinished: None,
            part: None,
            streams: Streams::default(),
            newest: 0,
            recent: [0; RECENT],
            forgotten: VecDeque::new(),
            granted: Granted::new(WINDOW),
            window: FIRST_WINDOW.into(),
            stream_window: FIRST_WINDOW,
            unsent: 0,
            calm: Calm::new(now),
            quiet: now,
        }
    }

    pub fn set_now(&mut self, now: Instant) {
        self.now = now;
    }

    /// Nothing more is read or answered; what is in `out` is the last.
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over || (self.leaving == Leaving::Last && self.streams.0.is_empty())
    }

    /// Whether to read more.
    pub fn is_ready(&self) -> bool {
        !self.is_over() && self.out.len() < MAX_OUT
    }

    /// Reads frames, as many as there are and as it is ready for; how many bytes they were. The rest has to be given again.
    pub fn receive(&mut self, service: &mut S, input: &[u8]) -> usize {
        let mut rest = input;
        while self.is_ready() {
            let used = self.step(service, rest);
            if used == 0 {
                break;
            }
            rest = &rest[used..];
        }
        if self.is_over() { input.len() } else { input.len() - rest.len() }
    }

    /// Goes over the requests that are not answered yet.
    pub fn revisit(&mut self, mut visit: impl FnMut(&mut S::Call) -> Option<Step>) {
        self.each(|this, index| {
            let call = this.streams.0[index].call();
            if let Some(step) = call.and_then(&mut visit) {
                this.apply(index, 0, step);
            }
        });
    }

    /// Visits all streams, the oldest first. A visit may end the stream, or the connection.
    fn each(&mut self, mut visit: impl FnMut(&mut Self, usize)) {
        let mut index = 0;
        while let Some(id) = self.streams.0.get(index).map(|stream| stream.id) {
            visit(self, index);
            index += usize::from(self.streams.0.get(index).is_some_and(|stream| stream.id == id));
        }
    }

    /// The next frame, or a part of it; how many bytes were used.
    fn step(&mut self, service: &mut S, input: &[u8]) -> usize {
        if self.phase == Phase::Preface {
            return self.preface(input);
        }
        if self.part.is_some() {
            return self.continue_data(service, input);
        }
        let Some(head) = Head::read(input) else { return 0 };
        if let Err(fault) = self.check(&head) {
            self.fault(fault);
            return 0;
        }
        let (used, result) = match input.get(HEAD..HEAD + head.length) {
            Some(payload) => (HEAD + head.length, self.frame(service, &head, payload)),
            None if head.kind == kind::DATA && !head.has(flag::PADDED) => (HEAD, self.begin_data(&head)),
            None => return 0,
        };
        if let Err(fault) = result {
            self.fault(fault);
        }
        used
    }

    fn preface(&mut self, input: &[u8]) -> usize {
        let length = input.len().min(PREFACE.len());
        if input[..length] != PREFACE[..length] {
            self.fault(Fault::Connection(Code::Protocol, "this port speaks gRPC over HTTP/2"));
            return 0;
        }
        if length < PREFACE.len() {
            return 0;
        }
        self.phase = Phase::Settings;
        length
    }

    /// What can be wrong with any frame.
    fn check(&mut self, head: &Head) -> Result<(), Fault> {
        if head.length > MAX_PAYLOAD {
            return Err(Fault::Connection(Code::FrameSize, "larger than SETTINGS_MAX_FRAME_SIZE"));
        }
        if self.phase == Phase::Settings && (head.kind != kind::SETTINGS || head.has(flag::ACK)) {
            return Err(Fault::Connection(Code::Protocol, "the first frame must be SETTINGS"));
        }
        match &self.unfinished {
            Some(block) if head.kind != kind::CONTINUATION || head.stream != block.stream => {
                Err(Fault::Connection(Code::Protocol, "a frame inside a header block"))
            }
            None if head.kind == kind::CONTINUATION => Err(Fault::Connection(Code::Protocol, "CONTINUATION of nothing")),
            _ => Ok(()),
        }
    }

    fn frame(&mut self, service: &mut S, head: &Head, payload: &[u8]) -> Result<(), Fault> {
        match head.kind {
            kind::DATA => self.whole_data(service, head, payload),
            kind::HEADERS => self.headers(service, head, payload),
            kind::CONTINUATION => self.continuation(service, head, payload),
            _ => {
                self.spend()?;
                self.control(head, payload)
            }
        }
    }

    /// Counts a frame that is of no use to us.
    fn spend(&mut self) -> Result<(), Fault> {
        if self.calm.spend(self.now) {
            return Ok(());
        }
        Err(Fault::Connection(Code::EnhanceYourCalm, "too many frames that are no requests"))
    }

    fn fault(&mut self, fault: Fault) {
        let (code, words) = match fault {
            Fault::Stream(id, code) => {
                frame::write_reset(&mut self.out, id, code);
                if let Some(index) = self.streams.position(id) {
                    self.remove(index);
                }
                self.forget(id);
                match self.spend() {
                    Err(Fault::Connection(code, words)) => (code, words),
                    _ => return,
                }
            }
            Fault::Connection(code, words) => (code, words),
        };
        frame::write_goaway(&mut self.out, self.newest, code, words);
        self.streams.0.clear();
        self.phase = Phase::Over;
    }

    fn forget(&mut self, id: u32) {
        if self.forgotten.len() == REMEMBERED {
            self.forgotten.pop_front();
        }
        self.forgotten.push_back(id);
    }

    /// Drops a stream, whatever its state.
    fn remove(&mut self, index: usize) -> Option<Stream<S::Call>> {
        let stream = self.streams.0.remove(index)?;
        self.unsent -= usize::from(matches!(stream.doing, Doing::Unsent(_)));
        self.use_up(stream.held);
        self.quiet = self.now;
        Some(stream)
    }
}
