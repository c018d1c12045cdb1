//! What senders are told, as OTLP words it: responses with partial success, and `google.rpc.Status` for what was not taken.
//!
//! Rules: <https://opentelemetry.io/docs/specs/otlp/>, "OTLP/gRPC Response" and "OTLP/HTTP Response".

use std::time::Duration;

use crate::group::Taken;
use crate::intake::Encoding;
use crate::refusal::Refusal;
use crate::wire::Signal;
use crate::written;

const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";
const BAD_REQUEST: &str = "type.googleapis.com/google.rpc.BadRequest";

/// Status codes of gRPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    Unimplemented = 12,
    Unavailable = 14,
    Unauthenticated = 16,
}

impl Code {
    pub fn of(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Never(_) => Self::InvalidArgument,
            Refusal::Later { .. } => Self::Unavailable,
            Refusal::TooLarge(_) => Self::ResourceExhausted,
            Refusal::TooSlow => Self::DeadlineExceeded,
            Refusal::Coding(_) => Self::Unimplemented,
            Refusal::Stranger(_) => Self::Unauthenticated,
            Refusal::Forbidden => Self::PermissionDenied,
        }
    }
}

/// An `Export…ServiceResponse`: empty if everything was taken.
pub fn response(signal: Signal, taken: &Taken, encoding: Encoding) -> Vec<u8> {
    let partial = taken.rejected > 0 || !taken.message.is_empty();
    match encoding {
        Encoding::Protobuf if !partial => Vec::new(),
        Encoding::Protobuf => {
            let mut success = Vec::new();
            number(&mut success, 1, taken.rejected);
            bytes(&mut success, 2, taken.message.as_bytes());
            let mut response = Vec::new();
            written::field(&mut response, 1, &success);
            response
        }
        Encoding::Json if !partial => b"{}".to_vec(),
        Encoding::Json => {
            let rejected = taken.rejected.to_string(); // 64-bit numbers are text in protobuf's JSON
            let success = serde_json::json!({signal.rejected(): rejected, "errorMessage": taken.message});
            serde_json::json!({ "partialSuccess": success }).to_string().into_bytes()
        }
    }
}

/// A `google.rpc.Status`, with RetryInfo where the sender should try again and BadRequest where it should not.
pub fn status(refusal: &Refusal, encoding: Encoding) -> Vec<u8> {
    let (code, text) = (Code::of(refusal), refusal.to_string());
    match encoding {
        Encoding::Protobuf => {
            let mut status = Vec::new();
            number(&mut status, 1, code as u64);
            bytes(&mut status, 2, text.as_bytes());
            match refusal {
                Refusal::Later { seconds, .. } => written::field(&mut status, 3, &any(RETRY_INFO, &retry_info(*seconds))),
                Refusal::Never(_) => written::field(&mut status, 3, &any(BAD_REQUEST, &bad_request(&text))),
                _ => {}
            }
            status
        }
        Encoding::Json => {
            let details = match refusal {
                Refusal::Later { seconds, .. } => {
                    serde_json::json!([{"@type": RETRY_INFO, "retryDelay": format!("{}s", delay(*seconds).as_secs_f64())}])
                }
                Refusal::Never(_) => serde_json::json!([{"@type": BAD_REQUEST, "fieldViolations": [{"description": text}]}]),
                _ => serde_json::json!([]),
            };
            let status = serde_json::json!({"code": code as u8, "message": text, "details": details});
            status.to_string().into_bytes()
        }
    }
}

/// `google.protobuf.Any`.
fn any(kind: &str, value: &[u8]) -> Vec<u8> {
    let mut any = Vec::new();
    bytes(&mut any, 1, kind.as_bytes());
    written::field(&mut any, 2, value);
    any
}

fn retry_info(seconds: f64) -> Vec<u8> {
    let delay = delay(seconds);
    let (mut duration, mut info) = (Vec::new(), Vec::new());
    number(&mut duration, 1, delay.as_secs());
    number(&mut duration, 2, u64::from(delay.subsec_nanos()));
    written::field(&mut info, 1, &duration);
    info
}

fn delay(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

/// One violation without a field: what cannot be read has no fields, and where it has, the words name them.
fn bad_request(words: &str) -> Vec<u8> {
    let (mut violation, mut bad_request) = (Vec::new(), Vec::new());
    bytes(&mut violation, 2, words.as_bytes());
    written::field(&mut bad_request, 1, &violation);
    bad_request
}

/// Whole seconds for `Retry-After`, at least one.
pub fn retry_after(seconds: f64) -> u64 {
    (seconds.ceil() as u64).max(1) // a float becomes a number by saturation, NaN becomes 0
}

fn number(to: &mut Vec<u8>, field: u8, value: u64) {
    if value != 0 {
        to.push(field << 3);
        written::varint(to, value);
    }
}

fn bytes(to: &mut Vec<u8>, field: u32, value: &[u8]) {
    if !value.is_empty() {
        written::field(to, field, value);
    }
}

/// Base64 without padding, as gRPC sends binary headers.
pub fn base64(data: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(data.len() * 4 / 3 + 3);
    for chunk in data.chunks(3) {
        let group = chunk
            .iter()
            .enumerate()
            .fold(0u32, |group, (i, byte)| group | u32::from(*byte) << (16 - 8 * i));
        for digit in 0..=chunk.len() {
            text.push(char::from(DIGITS[(group >> (18 - 6 * digit) & 63) as usize]));
        }
    }
    text
}

/// A message for the header `grpc-message`: everything but printable ASCII is percent-encoded.
pub fn percent(text: &str) -> String {
    use std::fmt::Write;
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => encoded.push(char::from(byte)),
            _ => drop(write!(encoded, "%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_has_no_padding() {
        assert_eq!(base64(b""), "");
        assert_eq!(base64(b"f"), "Zg");
        assert_eq!(base64(b"fo"), "Zm8");
        assert_eq!(base64(b"foo"), "Zm9v");
        assert_eq!(base64(&[0xff, 0xfe, 0xfd, 0xfc]), "//79/A");
    }

    #[test]
    fn messages_are_percent_encoded() {
        assert_eq!(percent("a 100% \u{e9}\n"), "a 100%25 %C3%A9%0A");
    }

    #[test]
    fn waits_are_whole_seconds() {
        assert_eq!([0.0, 0.2, 1.0, 1.5, f64::NAN].map(retry_after), [1, 1, 1, 2, 1]);
    }
}
