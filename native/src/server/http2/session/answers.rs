//! Answers: written at once where the peer's windows allow it, and kept until they do.

use super::super::frame::{self, MAX_PAYLOAD, flag, kind};
use super::super::service::{Answer, Service};
use super::super::stream::{Doing, Unsent};
use super::Session;

impl<S: Service> Session<S> {
    pub(super) fn answer(&mut self, index: usize, answer: Answer) {
        let stream = &mut self.streams.0[index];
        let bare = answer.data.is_empty() && answer.trailers.is_empty();
        frame::write_headers(&mut self.out, bare, stream.id, &answer.head);
        let window = stream.window.min(self.window);
        let length = answer.data.len();
        if length > MAX_PAYLOAD || length as i64 > window {
            stream.doing = Doing::Unsent(Unsent {
                data: answer.data,
                sent: 0,
                trailers: answer.trailers,
                since: self.now,
            });
            self.unsent += 1;
            self.send(index);
            return;
        }
        let (id, trailers) = (stream.id, &answer.trailers);
        if length > 0 {
            self.window -= length as i64;
            let flags = if trailers.is_empty() { flag::END_STREAM } else { 0 };
            frame::write(&mut self.out, kind::DATA, flags, id, &answer.data);
        }
        if !trailers.is_empty() {
            frame::write_headers(&mut self.out, true, id, trailers);
        }
        self.finish(index);
    }

    /// Sends of every answer what the windows allow.
    pub(super) fn send_all(&mut self) {
        if self.unsent > 0 {
            self.each(Self::send);
        }
    }

    /// Sends of an answer what the windows allow.
    pub(super) fn send(&mut self, index: usize) {
        let stream = &mut self.streams.0[index];
        let Doing::Unsent(unsent) = &mut stream.doing else { return };
        while unsent.sent < unsent.data.len() {
            let window = usize::try_from(stream.window.min(self.window)).unwrap_or(0);
            let length = (unsent.data.len() - unsent.sent).min(window).min(MAX_PAYLOAD);
            if length == 0 {
                return;
            }
            let part = &unsent.data[unsent.sent..unsent.sent + length];
            unsent.sent += length;
            unsent.since = self.now;
            stream.window -= length as i64;
            self.window -= length as i64;
            let last = unsent.sent == unsent.data.len() && unsent.trailers.is_empty();
            frame::write(&mut self.out, kind::DATA, if last { flag::END_STREAM } else { 0 }, stream.id, part);
        }
        if !unsent.trailers.is_empty() {
            frame::write_headers(&mut self.out, true, stream.id, &unsent.trailers);
        }
        self.finish(index);
    }

    /// A stream whose answer is written. If the peer still talks, it need not (RFC 9113 §8.1).
    fn finish(&mut self, index: usize) {
        if let Some(stream) = self.remove(index)
            && !stream.ended
        {
            frame::write_reset(&mut self.out, stream.id, frame::Code::NoError);
            self.forget(stream.id);
        }
        self.calm.earn();
    }
}
