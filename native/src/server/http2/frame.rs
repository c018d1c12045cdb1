//! Frames: their heads, kinds and error codes (RFC 9113 §4, §6 and §7), and how those are written that a server sends.

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub const HEAD: usize = 9;
/// The largest payload, as long as nobody asks for more; we do not.
pub const MAX_PAYLOAD: usize = 16_384;

pub mod kind {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const PRIORITY: u8 = 2;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PUSH_PROMISE: u8 = 5;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

pub mod flag {
    /// Of SETTINGS and PING.
    pub const ACK: u8 = 1;
    pub const END_STREAM: u8 = 1;
    pub const END_HEADERS: u8 = 4;
    pub const PADDED: u8 = 8;
    pub const PRIORITY: u8 = 32;
}

pub mod setting {
    pub const ENABLE_PUSH: u16 = 2;
    pub const MAX_CONCURRENT_STREAMS: u16 = 3;
    pub const INITIAL_WINDOW_SIZE: u16 = 4;
    pub const MAX_FRAME_SIZE: u16 = 5;
    pub const MAX_HEADER_LIST_SIZE: u16 = 6;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    NoError = 0,
    Protocol = 1,
    FlowControl = 3,
    StreamClosed = 5,
    FrameSize = 6,
    RefusedStream = 7,
    Cancel = 8,
    Compression = 9,
    EnhanceYourCalm = 11,
}

/// What a peer did wrong, and how far it reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Stream(u32, Code),
    /// With words for whoever looks at the other side's log.
    Connection(Code, &'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub length: usize,
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
}

impl Head {
    pub fn read(input: &[u8]) -> Option<Self> {
        let &[a, b, c, kind, flags, s, t, u, v] = input.first_chunk::<HEAD>()?;
        Some(Self {
            length: u32::from_be_bytes([0, a, b, c]) as usize,
            kind,
            flags,
            stream: u32::from_be_bytes([s & 0x7f, t, u, v]),
        })
    }

    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The payload without its padding (§6.1).
    pub fn unpad<'a>(&self, payload: &'a [u8]) -> Result<&'a [u8], Fault> {
        if !self.has(flag::PADDED) {
            return Ok(payload);
        }
        payload
            .split_first()
            .and_then(|(padding, rest)| rest.get(..rest.len().checked_sub(usize::from(*padding))?))
            .ok_or(Fault::Connection(Code::Protocol, "more padding than payload"))
    }
}

/// Four bytes as a number of 31 bits: the first bit is reserved.
pub fn number(bytes: [u8; 4]) -> u32 {
    u32::from_be_bytes(bytes) & 0x7fff_ffff
}

pub fn write(to: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = (payload.len() as u32).to_be_bytes();
    let [s, t, u, v] = stream.to_be_bytes();
    to.extend_from_slice(&[length[1], length[2], length[3], kind, flags, s, t, u, v]);
    to.extend_from_slice(payload);
}

/// A header block, in as many frames as it takes.
pub fn write_headers(to: &mut Vec<u8>, end: bool, stream: u32, block: &[u8]) {
    let (mut kind, mut flags, mut rest) = (kind::HEADERS, if end { flag::END_STREAM } else { 0 }, block);
    while rest.len() > MAX_PAYLOAD {
        let (part, after) = rest.split_at(MAX_PAYLOAD);
        write(to, kind, flags, stream, part);
        (kind, flags, rest) = (kind::CONTINUATION, 0, after);
    }
    write(to, kind, flags | flag::END_HEADERS, stream, rest);
}

pub fn write_settings(to: &mut Vec<u8>, settings: &[(u16, u32)]) {
    let payload: Vec<u8> = settings
        .iter()
        .flat_map(|(name, value)| name.to_be_bytes().into_iter().chain(value.to_be_bytes()))
        .collect();
    write(to, kind::SETTINGS, 0, 0, &payload);
}

pub fn write_window_update(to: &mut Vec<u8>, stream: u32, bytes: u32) {
    write(to, kind::WINDOW_UPDATE, 0, stream, &bytes.to_be_bytes());
}

pub fn write_reset(to: &mut Vec<u8>, stream: u32, code: Code) {
    write(to, kind::RST_STREAM, 0, stream, &(code as u32).to_be_bytes());
}

pub fn write_goaway(to: &mut Vec<u8>, last: u32, code: Code, words: &str) {
    let payload = [&last.to_be_bytes(), &(code as u32).to_be_bytes(), words.as_bytes()].concat();
    write(to, kind::GOAWAY, 0, 0, &payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_come_back() {
        let mut bytes = Vec::new();
        write(&mut bytes, kind::PING, flag::ACK, 0x8000_0007, b"12345678");
        let head = Head::read(&bytes);
        let expected = Head {
            length: 8,
            kind: kind::PING,
            flags: flag::ACK,
            stream: 7,
        };
        assert_eq!(head, Some(expected));
        assert_eq!(Head::read(&bytes[..8]), None);
    }

    #[test]
    fn padding_is_taken_off() {
        let head = Head {
            length: 0,
            kind: kind::DATA,
            flags: flag::PADDED,
            stream: 1,
        };
        assert_eq!(head.unpad(&[2, b'a', b'b', 0, 0]), Ok(&b"ab"[..]));
        assert_eq!(head.unpad(&[2, 0, 0]), Ok(&b""[..]));
        for broken in [&[][..], &[1], &[3, 0, 0]] {
            assert!(matches!(head.unpad(broken), Err(Fault::Connection(Code::Protocol, _))));
        }
    }

    #[test]
    fn long_header_blocks_are_continued() {
        let mut bytes = Vec::new();
        write_headers(&mut bytes, true, 5, &[7; 2 * MAX_PAYLOAD + 1]);
        let mut told = Vec::new();
        let mut rest = &bytes[..];
        while let Some(head) = Head::read(rest) {
            told.push((head.kind, head.flags, head.length));
            rest = &rest[HEAD + head.length..];
        }
        assert_eq!(told, [(1, 1, MAX_PAYLOAD), (9, 0, MAX_PAYLOAD), (9, 4, 1)]);
    }
}
