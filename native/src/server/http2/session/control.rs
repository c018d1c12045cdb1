//! Frames about the connection and about streams, not of them (RFC 9113 §6.3 to §6.9).

use super::super::frame::{self, Code, Fault, Head, flag, kind, number, setting};
use super::super::service::Service;
use super::super::stream::MAX_WINDOW;
use super::{Leaving, Phase, Session};

/// What the ping says whose answer means that the peer knows of our farewell.
const FAREWELL: [u8; 8] = *b"farewell";

impl<S: Service> Session<S> {
    pub(super) fn control(&mut self, head: &Head, payload: &[u8]) -> Result<(), Fault> {
        match head.kind {
            kind::PRIORITY => priority(head, payload),
            kind::RST_STREAM => self.reset(head, payload),
            kind::SETTINGS => self.settings(head, payload),
            kind::PUSH_PROMISE => Err(Fault::Connection(Code::Protocol, "clients do not push")),
            kind::PING => self.ping(head, payload),
            kind::GOAWAY if head.stream != 0 => Err(Fault::Connection(Code::Protocol, "GOAWAY of a stream")),
            kind::GOAWAY if head.length < 8 => Err(Fault::Connection(Code::FrameSize, "GOAWAY too short")),
            kind::WINDOW_UPDATE => self.window_update(head, payload),
            _ => Ok(()), // unknown kinds are read over (§4.1), and whoever says goodbye closes the connection itself
        }
    }

    fn reset(&mut self, head: &Head, payload: &[u8]) -> Result<(), Fault> {
        if payload.len() != 4 {
            return Err(Fault::Connection(Code::FrameSize, "RST_STREAM of a wrong size"));
        }
        if self.is_idle(head.stream) && self.leaving != Leaving::Last {
            return Err(Fault::Connection(Code::Protocol, "RST_STREAM of a stream that was not opened"));
        }
        if let Some(index) = self.streams.position(head.stream) {
            self.remove(index);
        }
        Ok(())
    }

    fn settings(&mut self, head: &Head, payload: &[u8]) -> Result<(), Fault> {
        if head.stream != 0 {
            return Err(Fault::Connection(Code::Protocol, "SETTINGS of a stream"));
        }
        if !head.length.is_multiple_of(6) || (head.has(flag::ACK) && head.length > 0) {
            return Err(Fault::Connection(Code::FrameSize, "SETTINGS of a wrong size"));
        }
        if head.has(flag::ACK) {
            return Ok(());
        }
        let mut window = self.stream_window;
        for entry in payload.chunks_exact(6) {
            let &[a, b, c, d, e, f] = entry else { continue };
            let value = u32::from_be_bytes([c, d, e, f]);
            match u16::from_be_bytes([a, b]) {
                setting::ENABLE_PUSH if value > 1 => return Err(Fault::Connection(Code::Protocol, "ENABLE_PUSH is 0 or 1")),
                setting::INITIAL_WINDOW_SIZE if i64::from(value) > MAX_WINDOW => {
                    return Err(Fault::Connection(Code::FlowControl, "INITIAL_WINDOW_SIZE is too large"));
                }
                setting::INITIAL_WINDOW_SIZE => window = value,
                setting::MAX_FRAME_SIZE if !(1 << 14..1 << 24).contains(&value) => {
                    return Err(Fault::Connection(Code::Protocol, "MAX_FRAME_SIZE is out of bounds"));
                }
                _ => {} // our frames are of the least size, and our header blocks use no table
            }
        }
        self.phase = Phase::Open;
        frame::write(&mut self.out, kind::SETTINGS, flag::ACK, 0, &[]);
        self.change_windows(window)
    }

    fn change_windows(&mut self, to: u32) -> Result<(), Fault> {
        let change = i64::from(to) - i64::from(self.stream_window);
        self.stream_window = to;
        for stream in &mut self.streams.0 {
            stream.window += change;
            if stream.window > MAX_WINDOW {
                return Err(Fault::Connection(Code::FlowControl, "a window is too large"));
            }
        }
        self.send_all();
        Ok(())
    }

    fn ping(&mut self, head: &Head, payload: &[u8]) -> Result<(), Fault> {
        if head.stream != 0 {
            return Err(Fault::Connection(Code::Protocol, "PING of a stream"));
        }
        if payload.len() != 8 {
            return Err(Fault::Connection(Code::FrameSize, "PING of a wrong size"));
        }
        if !head.has(flag::ACK) {
            frame::write(&mut self.out, kind::PING, flag::ACK, 0, payload);
        } else if payload == FAREWELL && matches!(self.leaving, Leaving::Told(_)) {
            self.last_word();
        }
        Ok(())
    }

    fn window_update(&mut self, head: &Head, payload: &[u8]) -> Result<(), Fault> {
        let wrong = Fault::Connection(Code::FrameSize, "WINDOW_UPDATE of a wrong size");
        let bytes = i64::from(number(payload.try_into().map_err(|_| wrong)?));
        if head.stream == 0 {
            self.window += bytes;
            if bytes == 0 {
                return Err(Fault::Connection(Code::Protocol, "WINDOW_UPDATE of nothing"));
            }
            if self.window > MAX_WINDOW {
                return Err(Fault::Connection(Code::FlowControl, "the connection's window is too large"));
            }
            self.send_all();
            return Ok(());
        }
        if self.is_idle(head.stream) && self.leaving != Leaving::Last {
            return Err(Fault::Connection(Code::Protocol, "WINDOW_UPDATE of a stream that was not opened"));
        }
        let Some(index) = self.streams.position(head.stream) else {
            return Ok(());
        };
        let stream = &mut self.streams.0[index];
        stream.window += bytes;
        if bytes == 0 {
            return Err(Fault::Stream(head.stream, Code::Protocol));
        }
        if stream.window > MAX_WINDOW {
            return Err(Fault::Stream(head.stream, Code::FlowControl));
        }
        self.send(index);
        Ok(())
    }

    /// Asks the peer to leave: what it has begun is served, also what is on its way.
    pub fn farewell(&mut self) {
        if self.leaving == Leaving::No && self.phase != Phase::Over {
            frame::write_goaway(&mut self.out, MAX_WINDOW as u32, Code::NoError, "");
            frame::write(&mut self.out, kind::PING, 0, 0, &FAREWELL);
            self.leaving = Leaving::Told(self.now);
        }
    }

    /// From here on nothing that the peer begins is served.
    pub(super) fn last_word(&mut self) {
        frame::write_goaway(&mut self.out, self.newest, Code::NoError, "");
        self.leaving = Leaving::Last;
    }
}

/// Priorities are not kept (RFC 9113 §5.3.2), but they have to be well-formed.
fn priority(head: &Head, payload: &[u8]) -> Result<(), Fault> {
    match payload {
        _ if head.stream == 0 => Err(Fault::Connection(Code::Protocol, "PRIORITY without a stream")),
        &[a, b, c, d, _weight] if number([a, b, c, d]) == head.stream => Err(Fault::Stream(head.stream, Code::Protocol)),
        [_, _, _, _, _] => Ok(()),
        _ => Err(Fault::Stream(head.stream, Code::FrameSize)),
    }
}
