//! Answers in the words of gRPC: header blocks, a message, trailers.

use std::borrow::Cow;

use super::super::answers::{self, Code, base64, percent};
use super::message;
use crate::group::Taken;
use crate::intake::Encoding;
use crate::refusal::Refusal;
use crate::server::http2::{Answer, encode};
use crate::wire::Signal;

/// `:status: 200`, which is a field of the static table, and `content-type: application/grpc`, whose name is one (RFC 7541 §6.2.2).
const HEAD: &[u8] = b"\x88\x0f\x10\x10application/grpc";
/// `grpc-status: 0`.
const TRAILERS: &[u8] = b"\x00\x0bgrpc-status\x010";

/// Longer words are cut: the header list that a client takes is bounded, and what is over it is an error of its own.
const MAX_WORDS: usize = 4 << 10;

pub fn success(signal: Signal, taken: &Taken) -> Answer {
    let response = answers::response(signal, taken, Encoding::Protobuf);
    Answer {
        head: Cow::Borrowed(HEAD),
        data: if response.is_empty() {
            Cow::Borrowed(&[0; message::PREFIX])
        } else {
            message::frame(&response).into()
        },
        trailers: Cow::Borrowed(TRAILERS),
    }
}

pub fn refused(refusal: &Refusal) -> Answer {
    let mut head = status(Code::of(refusal), &refusal.to_string());
    match refusal {
        Refusal::Later { .. } | Refusal::Never(_) => {
            let details = base64(&answers::status(refusal, Encoding::Protobuf));
            if details.len() <= MAX_WORDS {
                encode(&mut head, b"grpc-status-details-bin", details.as_bytes());
            }
        }
        Refusal::Coding(_) => encode(&mut head, b"grpc-accept-encoding", b"gzip,zstd,deflate,identity"),
        Refusal::TooLarge(_) | Refusal::TooSlow | Refusal::Stranger(_) | Refusal::Forbidden => {}
    }
    bare(head)
}

pub fn unknown_method(path: &str) -> Answer {
    bare(status(
        Code::Unimplemented,
        &format!("unknown method {path}: this is an OTLP receiver for traces, logs and metrics"),
    ))
}

pub fn no_grpc() -> Answer {
    let mut head = Vec::new();
    encode(&mut head, b":status", b"415");
    Answer {
        head: head.into(),
        data: Cow::Borrowed(b"this port speaks OTLP/gRPC: send OTLP/HTTP to the other one"),
        ..Answer::default()
    }
}

/// An answer without a message: the trailers alone, sent as headers.
fn bare(head: Vec<u8>) -> Answer {
    Answer {
        head: head.into(),
        ..Answer::default()
    }
}

fn status(code: Code, words: &str) -> Vec<u8> {
    let mut head = HEAD.to_vec();
    encode(&mut head, b"grpc-status", (code as u8).to_string().as_bytes());
    let mut words = percent(words);
    if words.len() > MAX_WORDS {
        let cut = words[..MAX_WORDS].rfind('%').filter(|at| at + 3 > MAX_WORDS); // not inside of an encoded byte
        words.truncate(cut.unwrap_or(MAX_WORDS));
    }
    encode(&mut head, b"grpc-message", words.as_bytes());
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_words_are_cut_between_bytes() {
        for blanks in 0..3 {
            let words = " ".repeat(blanks) + &"\u{e9}".repeat(MAX_WORDS);
            let head = status(Code::InvalidArgument, &words);
            let text = String::from_utf8_lossy(&head);
            assert!(head.len() < MAX_WORDS + 100);
            assert!(text.ends_with("%A9") || text.ends_with("%C3"), "{text}");
        }
    }

    #[test]
    fn success_is_the_same_for_everybody() {
        let answer = success(Signal::Traces, &Taken::default());
        assert!(
            [answer.head, answer.data, answer.trailers]
                .iter()
                .all(|part| matches!(part, Cow::Borrowed(_)))
        );
    }
}
