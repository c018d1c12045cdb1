//! A peer that talks to a session without a socket, and says whatever a test wants.

mod abuse;
mod lawful;
mod mutated;

use super::super::service::Answer;
use super::super::{encode, frame};
use super::*;

const MINUTE: Duration = Duration::from_secs(60);
pub const LIMITS: Limits = Limits {
    streams: 4,
    header: MINUTE,
    answer: MINUTE,
    idle: Duration::from_secs(600),
    farewell: Duration::from_millis(250),
};
pub const POST: &[(&str, &str)] = &[(":method", "POST"), (":scheme", "http"), (":path", "/echo")];

/// Sends bodies back, or does not, as the path says.
pub struct Echo;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Plan {
    Echo,
    /// Lets nobody send more than the window.
    Hold,
    /// Reads everything and answers nothing.
    Wait,
}

pub struct Call {
    pub plan: Plan,
    body: Vec<u8>,
    ended: bool,
}

impl Service for Echo {
    type Head = Vec<u8>;
    type Plan = Plan;
    type Call = Call;

    fn field(head: &mut Vec<u8>, name: &[u8], value: &[u8]) {
        if name == b":path" {
            value.clone_into(head);
        }
    }

    fn plan(&mut self, head: Vec<u8>) -> Result<Plan, Answer> {
        match &head[..] {
            b"/echo" => Ok(Plan::Echo),
            b"/hold" => Ok(Plan::Hold),
            b"/wait" => Ok(Plan::Wait),
            _ => Err(with_data(b"no")),
        }
    }

    fn begin(&mut self, plan: Plan, _: Instant) -> Call {
        Call {
            plan,
            body: Vec::new(),
            ended: false,
        }
    }

    fn data(&mut self, call: &mut Call, data: &[u8], end: bool, _: Instant) -> Step {
        call.body.extend_from_slice(data);
        call.ended |= end;
        match call.plan {
            Plan::Echo if end => Step::Answer(call.echo()),
            Plan::Hold => Step::Hold,
            _ => Step::Read,
        }
    }

    fn deadline(&self, _: &Call) -> Option<Instant> {
        None
    }

    fn expired(&mut self, _: &mut Call, _: Instant) -> Step {
        Step::Read
    }
}

impl Call {
    pub fn echo(&self) -> Answer {
        with_data(&self.body)
    }
}

fn with_data(data: &[u8]) -> Answer {
    Answer {
        head: b"\x88"[..].into(),
        data: data.to_vec().into(),
        trailers: block(&[("grpc-status", "0")]).into(),
    }
}

pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    fields
        .iter()
        .for_each(|(name, value)| encode(&mut block, name.as_bytes(), value.as_bytes()));
    block
}

pub fn framed(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::write(&mut bytes, kind, flags, stream, payload);
    bytes
}

pub fn headers(stream: u32, flags: u8, fields: &[(&str, &str)]) -> Vec<u8> {
    framed(kind::HEADERS, flags, stream, &block(fields))
}

/// A request with a body.
pub fn post(stream: u32, path: &str, body: &[u8]) -> Vec<u8> {
    let fields = [(":method", "POST"), (":scheme", "http"), (":path", path)];
    let data = framed(kind::DATA, flag::END_STREAM, stream, body);
    [headers(stream, flag::END_HEADERS, &fields), data].concat()
}

/// The beginning of a request without its end.
pub fn begun(stream: u32, path: &str) -> Vec<u8> {
    headers(
        stream,
        flag::END_HEADERS,
        &[(":method", "POST"), (":scheme", "http"), (":path", path)],
    )
}

pub fn update(stream: u32, bytes: u32) -> Vec<u8> {
    framed(kind::WINDOW_UPDATE, 0, stream, &bytes.to_be_bytes())
}

pub fn settings(settings: &[(u16, u32)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::write_settings(&mut bytes, settings);
    bytes
}

/// Kind, stream, flags and payload of a frame that the session wrote.
pub type Told = (u8, u32, u8, Vec<u8>);

pub fn frames(mut bytes: &[u8]) -> Vec<Told> {
    let mut told = Vec::new();
    while let Some(head) = Head::read(bytes) {
        let end = HEAD + head.length;
        told.push((head.kind, head.stream, head.flags, bytes[HEAD..end].to_vec()));
        bytes = &bytes[end..];
    }
    assert!(bytes.is_empty(), "half a frame");
    told
}

pub struct Peer {
    pub session: Session<Echo>,
    rest: Vec<u8>,
    pub now: Instant,
}

impl Peer {
    /// One that has said hello, and read what there was to read.
    pub fn new() -> Self {
        let mut peer = Self::silent();
        peer.send(&hello());
        peer
    }

    pub fn silent() -> Self {
        let now = Instant::now();
        Self {
            session: Session::new(LIMITS, now),
            rest: Vec::new(),
            now,
        }
    }

    pub fn send(&mut self, bytes: &[u8]) -> Vec<Told> {
        self.rest.extend_from_slice(bytes);
        let mut out = Vec::new();
        loop {
            let used = self.session.receive(&mut Echo, &self.rest);
            self.rest.drain(..used);
            out.append(&mut self.session.out);
            if used == 0 || self.rest.is_empty() {
                return frames(&out);
            }
        }
    }

    /// Lets time pass.
    pub fn wait(&mut self, time: Duration) -> Vec<Told> {
        self.now += time;
        self.session.set_now(self.now);
        self.session.expire(&mut Echo);
        frames(&std::mem::take(&mut self.session.out))
    }

    /// Answers what waits on `/wait`.
    pub fn answer(&mut self) -> Vec<Told> {
        self.session
            .revisit(|call| (call.ended && call.plan == Plan::Wait).then(|| Step::Answer(call.echo())));
        frames(&std::mem::take(&mut self.session.out))
    }
}

pub fn hello() -> Vec<u8> {
    [PREFACE, &settings(&[])].concat()
}

pub fn goaway(told: &[Told]) -> Option<u32> {
    let payload = &told.iter().find(|told| told.0 == kind::GOAWAY)?.3;
    payload[4..].first_chunk().map(|code| u32::from_be_bytes(*code))
}

/// Stream and code of all resets.
pub fn resets(told: &[Told]) -> Vec<(u32, u32)> {
    told.iter()
        .filter(|told| told.0 == kind::RST_STREAM)
        .map(|told| (told.1, told.3.first_chunk().map_or(0, |code| u32::from_be_bytes(*code))))
        .collect()
}

/// Stream and body of all frames of data.
pub fn bodies(told: &[Told]) -> Vec<(u32, Vec<u8>)> {
    told.iter()
        .filter(|told| told.0 == kind::DATA)
        .map(|told| (told.1, told.3.clone()))
        .collect()
}

/// Stream and bytes of all windows that were granted.
pub fn granted(told: &[Told]) -> Vec<(u32, u32)> {
    told.iter()
        .filter(|told| told.0 == kind::WINDOW_UPDATE)
        .map(|told| (told.1, told.3.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes))))
        .collect()
}
